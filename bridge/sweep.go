package bridge

import (
	"context"
	"fmt"
	"time"

	"limsbridge/lims"
)

// Sweep is the nightly second look at the lab's database: it reads everything that changed in the
// last weeks and every row without a change stamp, whatever the cursor says, and lets the turn
// of every record of that time come, so that rows which left their view are seen. What it finds
// that polling should have seen names a change column that cannot be relied on.
func (b *Bridge) Sweep(ctx context.Context, at time.Time) (*Summary, error) {
	sum := &Summary{Began: at}
	began := time.Now()
	defer func() { sum.Took = time.Since(began) }()
	since := at.Add(-b.settings.Sweep)
	moved := &moves{ledger: b.ledger, seen: map[uint64]Key{}}
	for _, s := range []lims.Source{lims.Orders, lims.Results} {
		missed, unnamed := 0, sum.Unnamed
		err := b.lims.Since(ctx, s, since, func(rows []lims.Row) error {
			// What changed within the look-back is still polling's business. A stamp that is no
			// time does not tell; such rows are noticed, and not counted as missed.
			var older, untimed []lims.Row
			for _, r := range rows {
				moved.see(r)
				if r.Changed.IsZero() {
					untimed = append(untimed, r)
				} else if at.Sub(r.Changed) > b.settings.HourlyLookBack {
					older = append(older, r)
				}
			}
			if err := moved.compare(b, at, movesAtOnce); err != nil {
				return err
			}
			n, err := b.notice(older, at, sum)
			missed += n
			if err == nil {
				_, err = b.notice(untimed, at, sum)
			}
			return err
		})
		if err == nil {
			err = b.unstamped(ctx, s, at, sum)
		}
		if err != nil {
			return sum, fmt.Errorf("sweeping %s: %w", s, err)
		}
		if sum.Unnamed == unnamed {
			if err := b.named(ctx, s, at); err != nil {
				return sum, err
			}
		}
		if missed > 0 {
			b.log.Error("the sweep found rows that polling never saw: changed_at of this source does not move whenever its rows change",
				"source", string(s), "rows", missed)
		}
	}
	if err := moved.compare(b, at, 1); err != nil {
		return sum, err
	}
	if err := b.ledger.Flush(); err != nil {
		return sum, err
	}
	return sum, wakeAll(b.ledger, func(r Record) bool {
		for _, m := range r.Rows {
			if m.Noticed.After(since) {
				return true
			}
		}
		return false
	}, at)
}

// moves finds rows that the ledger knows under another record than the one that they now show: a
// result that was reported of one patient and now is another's.
type moves struct {
	ledger Ledger
	seen   map[uint64]Key // by a hash of source and row id
}

// movesAtOnce bounds the memory of a sweep: with so many rows the ledger is gone through once.
const movesAtOnce = 200_000

func (m *moves) see(r lims.Row) {
	if r.ID != "" {
		m.seen[stampHash(string(r.Source)+"\x00"+r.ID)] = keyOf(r)
	}
}

// compare wakes the records that hold rows which moved away, once at least so many were seen.
func (m *moves) compare(b *Bridge, at time.Time, least int) error {
	if len(m.seen) < least {
		return nil
	}
	defer clear(m.seen)
	return wakeAll(b.ledger, func(r Record) bool {
		for _, mark := range r.Rows {
			k, ok := m.seen[stampHash(string(mark.Source)+"\x00"+mark.ID)]
			if ok && k != r.Key && r.Key.Kind != RowKey {
				return true
			}
		}
		return false
	}, at)
}

// unstamped notices the rows of a source that carry no change stamp. Nothing tells whether they
// are of before start_from, unless something else of their record is of after it: only then they
// count.
func (b *Bridge) unstamped(ctx context.Context, s lims.Source, at time.Time, sum *Summary) error {
	unknown := 0
	err := b.lims.Unstamped(ctx, s, func(rows []lims.Row) error {
		var known []lims.Row
		for _, r := range rows {
			_, ok, err := b.ledger.Load(keyOf(r))
			if err != nil {
				return err
			}
			if ok || r.ID == "" {
				known = append(known, r)
			} else {
				unknown++
			}
		}
		_, err := b.notice(known, at, sum)
		return err
	})
	if unknown > 0 {
		b.log.Warn("rows without changed_at, of requisitions that never showed a row with one, are left out: mend the view", "source", string(s), "rows", unknown)
	}
	return err
}
