package bridge

import (
	"context"
	"errors"
	"time"

	"github.com/robfig/cron/v3"

	"limsbridge/lims"
)

// heartbeat is how often the loop compares the clock with the time of the next pass. Timers stand
// still while a machine sleeps and do not notice a clock that jumps; the comparison does.
const heartbeat = 15 * time.Second

// Loop runs passes until its context ends.
type Loop struct {
	Bridge *Bridge
	// Zone is the lab's time zone, for the nightly sweep.
	Zone *time.Location
	// After is called after every pass and sweep with what it did and how it ended; it decides
	// whether the loop goes on (nil) or ends with that error.
	After func(sum *Summary, err error) error
	// Planned, if any, is called with the time of the next pass whenever that is known anew.
	Planned func(next time.Time)
	// Now is the clock on the wall; nil is time.Now.
	Now func() time.Time

	next    time.Time
	rest    time.Duration // from the last pass to next
	misfits int           // passes in a row that a person must mend something for
}

// misfitRest is the longest rest after passes that failed for settings or rights: an account that
// is tried with a wrong password every few minutes gets locked.
const misfitRest = time.Hour

// sweepAt is when the nightly sweep is due, in the lab's time: after the night's batch jobs,
// outside the hour that daylight saving repeats or leaves out.
const sweepAt = "30 3 * * *"

// Run makes a pass at once and then whenever one is due: each Every, sooner where the quota opens
// sooner, one and not many after a sleep, never two at a time.
func (l *Loop) Run(ctx context.Context) error {
	clock := l.Now
	if clock == nil {
		clock = time.Now
	}
	every := l.Bridge.settings.Every
	nights, err := cron.ParseStandard(sweepAt)
	if err != nil {
		return err
	}
	beat := min(every, heartbeat)
	nextSweep := nights.Next(clock().In(l.Zone))
	tick := time.NewTicker(beat)
	defer tick.Stop()
	var told time.Time
	for {
		now := clock().Round(0)                                     // without the monotonic reading: the clock on the wall counts
		nextSweep = earlier(nextSweep, nights.Next(now.In(l.Zone))) // the clock may have been set back by days
		night := !now.Before(nextSweep)
		// A clock that was set back must not put the next pass off. A sweep comes after a pass: what
		// it then finds, polling should have seen.
		if night || !now.Before(l.next) || l.next.Sub(now) > l.rest {
			l.rest = every
			l.next = now.Add(every)
			if err := l.turn(ctx, now, l.Bridge.Pass); err != nil {
				return err
			}
		}
		if night {
			nextSweep = nights.Next(now.In(l.Zone))
			if err := l.turn(ctx, now, l.Bridge.Sweep); err != nil {
				return err
			}
		}
		if l.Planned != nil && l.next != told {
			told = l.next
			l.Planned(told)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-l.Bridge.acts:
			l.next = time.Time{}
		case <-tick.C:
		}
	}
}

// turn runs one pass or sweep and asks After.
func (l *Loop) turn(ctx context.Context, now time.Time, pass func(context.Context, time.Time) (*Summary, error)) error {
	sum, err := pass(ctx, now)
	if ctx.Err() != nil && errors.Is(err, context.Canceled) {
		return nil
	}
	if _, misfit := errors.AsType[*lims.Misfit](err); misfit {
		l.rest = min(misfitRest, l.Bridge.settings.Every<<min(l.misfits, 10))
		l.next = now.Add(l.rest)
		l.misfits++
	} else {
		l.misfits = 0
	}
	if sum != nil && !sum.Retry.IsZero() && sum.Retry.Before(l.next) {
		l.next = sum.Retry
	}
	if l.After == nil {
		return err
	}
	return l.After(sum, err)
}
