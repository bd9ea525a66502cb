package bridge

import (
	"context"
	"errors"
	"slices"
	"time"

	"limsbridge/whoop"
)

// Act records a person's act while no bridge runs, and what follows from it: what a pause or a
// brake held up is planned again at the next pass. A name and a reason are required.
func Act(ctx context.Context, l Ledger, e Event) error {
	if err := record(ctx, l, e); err != nil || e.Act == PauseAct {
		return err
	}
	return Reconsider(ctx, l, e.At)
}

// record writes a person's act down.
func record(ctx context.Context, l Ledger, e Event) error {
	if e.By == "" || e.Why == "" {
		return errors.New("an act needs a name and a reason: --by NAME --why TEXT")
	}
	e.Kind = ActEvent
	_, err := l.Commit(ctx, e)
	return err
}

// Reconsider lets the turn of everything come that waits or is held: after the configuration
// changed, or after a person let sending go on. Calls that WHOOP refused are tried once more. It
// must not run beside a pass: the end of a turn would overwrite what it noted.
func Reconsider(ctx context.Context, l Ledger, at time.Time) error {
	// Waking comes first: whoever is interrupted in between is still held.
	if err := wakeAll(l, waits, at); err != nil {
		return err
	}
	var refused []Event
	err := l.Each(func(r Record) error {
		for _, h := range r.Holds {
			if h.Kind == Refused {
				refused = append(refused, unhold(r.Key, h, at))
			}
		}
		return nil
	})
	if err != nil || len(refused) == 0 {
		return err
	}
	_, err = l.Commit(ctx, refused...)
	return err
}

// waits reports whether a record waits, or something of it is held.
func waits(r Record) bool { return !r.Due.IsZero() || len(r.Holds) > 0 }

// wakeAll lets the turn of the records come for which the condition holds.
func wakeAll(l Ledger, which func(Record) bool, at time.Time) error {
	var keys []Key
	err := l.Each(func(r Record) error {
		if which(r) {
			keys = append(keys, r.Key)
		}
		return nil
	})
	if err != nil {
		return err
	}
	for _, k := range keys {
		if err := l.Note(k, func(r *Record) { r.due(at, r.Urgency) }); err != nil {
			return err
		}
	}
	return l.Flush()
}

// Configured records that a configuration is in force, by its hash and the program's version. If
// it is another one than before, everything that waits, is held or is not at its end is planned
// again: a word may mean something else now.
func Configured(ctx context.Context, l Ledger, hash string, at time.Time) error {
	same := false
	l.View(func(s *State) { same = s.Config == hash })
	if same {
		return nil
	}
	if err := wakeAll(l, Record.unfinished, at); err != nil {
		return err
	}
	if err := Reconsider(ctx, l, at); err != nil {
		return err
	}
	// Last: whoever is interrupted before it begins again.
	_, err := l.Commit(ctx, Event{At: at, Kind: ConfigEvent, Config: hash})
	return err
}

// unfinished reports whether some service request of the record is not at its end yet.
func (r Record) unfinished() bool {
	return len(r.Requests) == 0 || slices.ContainsFunc(r.Requests, func(q Request) bool {
		return !q.Revoked && !q.Status.Issue() && q.Status != whoop.FullResultsReady
	})
}
