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
	for _, s := range []lims.Source{lims.Orders, lims.Results} {
		missed, unnamed := 0, sum.Unnamed
		err := b.lims.Since(ctx, s, since, func(rows []lims.Row) error {
			// What changed within the look-back is still polling's business. A stamp that is no
			// time does not tell; such rows are noticed, and not counted as missed.
			var older, untimed []lims.Row
			for _, r := range rows {
				if r.Changed.IsZero() {
					untimed = append(untimed, r)
				} else if at.Sub(r.Changed) > b.settings.HourlyLookBack {
					older = append(older, r)
				}
			}
			n, err := b.notice(older, at, sum)
			missed += n
			if err == nil {
				_, err = b.notice(untimed, at, sum)
			}
			return err
		})
		if err == nil {
			err = b.lims.Unstamped(ctx, s, func(rows []lims.Row) error {
				_, err := b.notice(rows, at, sum)
				return err
			})
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
