package bridge

import (
	"context"
	"fmt"
	"slices"
	"time"

	"limsbridge/lims"
	"limsbridge/whoop"
)

// keyOf names the record that a row belongs to.
func keyOf(r lims.Row) Key {
	if id, err := ParseID(r.Requisition); err == nil {
		return Key{RequisitionKey, id}
	}
	if id, err := ParseID(r.ServiceRequest); err == nil && r.Requisition == "" {
		return Key{RequestKey, id}
	}
	return rowKey(r.Source, r.ID)
}

// read polls one source to its head and notes every row that is new or changed: which rows a
// record has, that its turn has come, and how far the source was read, in one durable step. No
// value is kept; the rows are read again when the turn comes.
func (b *Bridge) read(ctx context.Context, s lims.Source, at time.Time, sum *Summary) error {
	cursor, err := b.cursor(ctx, s, at)
	if err != nil {
		return fmt.Errorf("reading %s: %w", s, err)
	}
	back := b.settings.LookBack
	if b.lookFurther(at) {
		back = b.settings.HourlyLookBack
	}
	err = b.lims.Poll(ctx, s, cursor, back, func(rows []lims.Row, c lims.Cursor) error {
		b.origins[s] = c.Origin // a source that went back has another one
		if _, err := b.notice(rows, at, sum); err != nil {
			return err
		}
		b.ledger.Advance(s, c)
		return nil
	})
	if err != nil {
		return fmt.Errorf("reading %s: %w", s, err)
	}
	return nil
}

// cursor returns where reading goes on. A source that was never read begins at start_from, or now
// where there is none yet; one that was read from later on than start_from begins again, unless its
// change column tells no times.
func (b *Bridge) cursor(ctx context.Context, s lims.Source, at time.Time) (lims.Cursor, error) {
	c, from := b.ledger.Cursor(s), b.settings.StartFrom
	if o := c.Origin; !o.At.IsZero() && (o.Counts || from.IsZero() || !from.Before(o.At)) {
		b.origins[s] = o
		return c, nil
	}
	if from.IsZero() {
		from = at
	}
	c, err := b.lims.Start(ctx, s, from)
	if err != nil {
		return c, err
	}
	c.Origin.At = from
	b.ledger.Advance(s, c)
	b.origins[s] = c.Origin
	return c, nil
}

// before reports whether a row changed before start_from, and so is never sent. While there is no
// start_from yet, and where the change column is no time, the origin stands for it. Of a row that is
// known, when its present version was noticed tells more than its stamp: one that went back does not
// say when it changed, and a number never did.
func before(row lims.Row, noticed, start time.Time, origin lims.Origin) bool {
	switch known, timed := !noticed.IsZero(), !row.Changed.IsZero(); {
	case known && timed:
		return row.Changed.Before(start) && !noticed.After(start)
	case known:
		return noticed.Before(start)
	case timed && !start.IsZero():
		return row.Changed.Before(start)
	}
	return origin.Before(row)
}

// lookFurther reports whether this pass is the hour's long one.
func (b *Bridge) lookFurther(at time.Time) bool {
	return b.hourly.IsZero() || at.Sub(b.hourly) >= time.Hour
}

// notice compares rows with what the ledger knows of them and returns how many were news.
func (b *Bridge) notice(rows []lims.Row, at time.Time, sum *Summary) (int, error) {
	news := 0
	var r Record // of the row before: rows of one record often follow each other
	for _, row := range rows {
		sum.Rows++
		if b.before(row, time.Time{}) {
			continue
		}
		if row.ID == "" {
			sum.Unnamed++
			if err := b.unnamed(row, at); err != nil {
				return news, err
			}
			continue
		}
		k := keyOf(row)
		if r.Key != k {
			var err error
			if r, _, err = b.ledger.Load(k); err != nil {
				return news, err
			}
			r.Key = k
		}
		m, changed := b.mark(r, row, at)
		if !changed {
			continue
		}
		r = Record{} // about to change
		news++
		sum.Changed++
		if err := b.ledger.Note(k, func(r *Record) {
			r.setMark(m)
			r.due(at, urgency(*r, row))
		}); err != nil {
			return news, err
		}
		if stray := rowKey(row.Source, row.ID); stray != k {
			if err := b.wake(stray, at); err != nil {
				return news, err
			}
		}
	}
	return news, nil
}

// unnamed holds the rows of a source whose row_id cannot be used: they can neither be recognised
// nor read again. One hold stands for all of them, until a sweep finds none.
func (b *Bridge) unnamed(row lims.Row, at time.Time) error {
	k := rowKey(row.Source, "")
	r, _, err := b.ledger.Load(k)
	if err != nil || len(r.Holds) > 0 {
		return err
	}
	b.log.Error("rows without a usable row_id are not sent: mend the view", "source", string(row.Source), "problem", row.Problem)
	_, err = b.ledger.Commit(context.Background(), Event{At: at, Kind: HoldEvent, Key: &k, Hold: BadRow, Source: row.Source, Detail: row.Problem})
	return err
}

// named ends that hold.
func (b *Bridge) named(ctx context.Context, s lims.Source, at time.Time) error {
	r, _, err := b.ledger.Load(rowKey(s, ""))
	if err != nil {
		return err
	}
	for _, h := range r.Holds {
		if _, err := b.ledger.Commit(ctx, unhold(r.Key, h, at)); err != nil {
			return err
		}
	}
	return nil
}

func (b *Bridge) before(row lims.Row, noticed time.Time) bool {
	return before(row, noticed, b.settings.StartFrom, b.origins[row.Source])
}

// wake makes a known record's turn come.
func (b *Bridge) wake(k Key, at time.Time) error {
	if _, known, err := b.ledger.Load(k); err != nil || !known {
		return err
	}
	return b.ledger.Note(k, func(r *Record) { r.due(at, r.Urgency) })
}

// mark returns the mark of a row's present version, and whether it differs from the known one.
func (b *Bridge) mark(r Record, row lims.Row, at time.Time) (RowMark, bool) {
	m := RowMark{
		Source: row.Source, ID: row.ID, Stamp: stampHash(row.Stamp), Version: b.prints.Row(row), Noticed: at,
	}
	released := row.Source == lims.Results && b.mapping.results[row.Status] == Released
	old, known := r.mark(row.Source, row.ID)
	if !known {
		m.Released = released && !b.before(row, time.Time{})
		return m, true
	}
	if old.Version == m.Version {
		m.Noticed = earlier(old.Noticed, at) // later only where the clock was set back
	}
	m.Released = old.Released || released && !b.before(row, m.Noticed)
	return m, m.Version != old.Version || m.Stamp != old.Stamp
}

func (r Record) mark(s lims.Source, id string) (RowMark, bool) {
	for _, m := range r.Rows {
		if m.ID == id && m.Source == s {
			return m, true
		}
	}
	return RowMark{}, false
}

func (r *Record) setMark(m RowMark) {
	i := slices.IndexFunc(r.Rows, func(o RowMark) bool { return o.ID == m.ID && o.Source == m.Source })
	if i < 0 {
		r.Rows = append(r.Rows, m)
		return
	}
	r.Rows[i] = m
}

// due makes the record's turn come no later than that time.
func (r *Record) due(at time.Time, c whoop.Class) {
	if r.Due.IsZero() {
		r.Due, r.Urgency = at, c
		return
	}
	if at.Before(r.Due) {
		r.Due = at
	}
	r.Urgency = min(r.Urgency, c)
}

// urgency guesses what a changed row will lead to; the plan knows better a moment later.
func urgency(r Record, row lims.Row) whoop.Class {
	if row.Source == lims.Orders {
		return whoop.Progress
	}
	if slices.ContainsFunc(r.Requests, func(q Request) bool { return len(q.Sent) > 0 }) {
		return whoop.Corrections
	}
	return whoop.Finals
}
