package bridge

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"

	"limsbridge/lims"
	"limsbridge/whoop"
)

// maxRehearsal is how many rows a rehearsal looks at; they are in memory all at once.
const maxRehearsal = 50_000

// Rehearsal plans what would be sent, with the same rules as a pass, and changes nothing of it: no
// call but looks, and these are journalled as such, of no record, because the quota is one for
// everything. Settle times are ignored, so that it shows what is going to happen and not only what is ready.
type Rehearsal struct {
	LIMS     LIMS
	API      API    // nil: without WHOOP
	Ledger   Ledger // nil: as if nothing had ever been sent
	Mapping  *Mapping
	Settings Settings
	// Waits is told that the minute's quota is used up, until when the rehearsal waits for more of it,
	// and how many records are left. For the day's quota it does not wait: that is an error.
	Waits func(until time.Time, left int)

	left int
}

// maxQuotaWait is longer than any wait for the quota of a minute.
const maxQuotaWait = 2 * time.Minute

// Rehearsed is one record's part of a rehearsal.
type Rehearsed struct {
	Key  Key
	Plan Plan
	// Compared says that WHOOP was asked. Otherwise every configured test counts as ordered, and
	// neither cancellations nor birth dates nor foreign reports are known.
	Compared bool
}

// Run plans every record with a row that changed since then, and calls yield with each, in the
// order of their keys.
func (r *Rehearsal) Run(ctx context.Context, since, at time.Time, yield func(Rehearsed) error) error {
	r.Settings.Settle, r.Settings.IssueSettle, r.Settings.StartFrom = 0, 0, time.Time{}
	key := make([]byte, 32) // nothing that is fingerprinted here outlives the rehearsal
	if r.Ledger != nil {
		key = r.Ledger.Key()
	}
	prints := NewFingerprints(key)
	rows := map[Key][]lims.Row{}
	count := 0
	for _, s := range []lims.Source{lims.Orders, lims.Results} {
		err := r.LIMS.Since(ctx, s, since, func(page []lims.Row) error {
			if count += len(page); count > maxRehearsal {
				return fmt.Errorf("more than %d rows changed since then: choose a later --since", maxRehearsal)
			}
			for _, row := range page {
				rows[keyOf(row)] = append(rows[keyOf(row)], row)
			}
			return nil
		})
		if err != nil {
			return fmt.Errorf("reading %s: %w", s, err)
		}
	}
	keys := make([]Key, 0, len(rows))
	for k := range rows {
		keys = append(keys, k)
	}
	slices.SortFunc(keys, func(a, b Key) int { return slices.Compare(a.ID[:], b.ID[:]) })
	for i, k := range keys {
		r.left = len(keys) - i
		out, err := r.record(ctx, k, rows[k], at, prints)
		if err == nil {
			err = yield(out)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (r *Rehearsal) record(ctx context.Context, k Key, rows []lims.Row, at time.Time, prints *Fingerprints) (Rehearsed, error) {
	rec := Record{Key: k}
	if r.Ledger != nil {
		known, ok, err := r.Ledger.Load(k)
		if err != nil {
			return Rehearsed{}, err
		}
		if ok {
			rec = known.Clone()
			if rows, err = r.others(ctx, rec, rows); err != nil {
				return Rehearsed{}, err
			}
		}
	}
	rec.Rows = nil
	for _, row := range rows {
		rec.Rows = append(rec.Rows, RowMark{Source: row.Source, ID: row.ID, Noticed: at, Version: prints.Row(row)})
	}
	shown, compared, err := r.look(ctx, &rec, at)
	if err != nil {
		return Rehearsed{}, err
	}
	if !compared && len(rec.Requests) == 0 {
		rec.Requests = r.assumed(rec, rows)
	}
	plan := Decide(Input{At: at, Record: rec, Rows: rows, Shown: shown, Mapping: r.Mapping, Settings: &r.Settings, Prints: prints})
	return Rehearsed{Key: k, Plan: plan, Compared: compared}, nil
}

// others adds the rows of a known record that did not change since then.
func (r *Rehearsal) others(ctx context.Context, rec Record, rows []lims.Row) ([]lims.Row, error) {
	for _, s := range []lims.Source{lims.Orders, lims.Results} {
		var ids []string
		for _, m := range rec.Rows {
			if m.Source == s && !slices.ContainsFunc(rows, func(row lims.Row) bool { return row.ID == m.ID && row.Source == s }) {
				ids = append(ids, m.ID)
			}
		}
		if len(ids) == 0 {
			continue
		}
		more, err := r.LIMS.Fetch(ctx, s, ids)
		if err != nil {
			return nil, err
		}
		for _, row := range more {
			if keyOf(row) == rec.Key {
				rows = append(rows, row)
			}
		}
	}
	return rows, nil
}

// look asks WHOOP, where that is possible, and applies what it shows to the copy of the record.
func (r *Rehearsal) look(ctx context.Context, rec *Record, at time.Time) (*Shown, bool, error) {
	if r.API == nil || rec.Key.Kind == RowKey {
		return &Shown{At: at}, false, nil
	}
	p, err := r.permit(ctx)
	if err != nil {
		return nil, false, err
	}
	shown, birth, answer := ask(ctx, r.API, p, rec.Key)
	if r.Ledger != nil {
		asked := Event{At: time.Now(), Kind: LookEvent, Outcome: answer.Outcome, Code: answer.Code, RequestID: answer.RequestID, Text: "preview"}
		if _, err := r.Ledger.Commit(context.WithoutCancel(ctx), asked); err != nil {
			return nil, false, err
		}
	}
	switch answer.Outcome {
	case whoop.Sent:
		for _, e := range judge(*rec, shown, at, at, &r.Settings).events {
			*rec = rec.Apply(e)
		}
	case whoop.Rejected:
		rec.Holds = append(rec.Holds, Hold{Kind: NotFound})
	default:
		return nil, false, fmt.Errorf("WHOOP did not answer a look (%s)", answer.Text)
	}
	return &Shown{At: at, BirthDate: birth, Now: true}, true, nil
}

// permit waits for the quota of a minute, however often: a rehearsal may ask more than a minute allows.
func (r *Rehearsal) permit(ctx context.Context) (whoop.Permit, error) {
	for {
		p, err := r.API.Permit(ctx, whoop.Progress)
		var quota *whoop.QuotaError
		if !errors.As(err, &quota) || time.Until(quota.Until) > maxQuotaWait {
			return p, err
		}
		if r.Waits != nil {
			r.Waits(quota.Until, r.left)
		}
		select {
		case <-time.After(time.Until(quota.Until)):
		case <-ctx.Done():
			return whoop.Permit{}, ctx.Err()
		}
	}
}

// assumed takes every configured test that the rows show as ordered.
func (r *Rehearsal) assumed(rec Record, rows []lims.Row) []Request {
	var out []Request
	for _, row := range rows {
		t := r.Mapping.Test(row.OrderCode)
		if t == nil || slices.ContainsFunc(out, func(q Request) bool { return q.Code == t.Code }) {
			continue
		}
		id, err := ParseID(row.ServiceRequest)
		if err != nil {
			id = uuid.NewSHA1(rec.Key.ID, []byte(t.Code))
		}
		out = append(out, Request{ID: id, Code: t.Code})
	}
	return out
}
