package bridge

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/google/uuid"

	"limsbridge/whoop"
)

// rounds bounds how often one turn plans again, beside once for each service request, whose call
// may be refused or end in doubt. A plan comes to rest after a look and one execution; more rounds
// are a mistake in the rules, and nothing is sent for it any more.
const rounds = 8

// turn is one record's turn in a pass.
type turn struct {
	*Bridge
	item
	at      time.Time
	eff     *effort
	sum     *Summary
	marks   []RowMark
	pending []Event // to be committed with the next intent, or at the end
	wait    waitReason
	class   whoop.Class
	shownAt *Shown
	renewed bool // a 401 was answered by a new token once
	// probe is the kind of call that this turn alone may try while the breaker is open.
	probe ActionKind
}

// turn plans a record and executes the plan until nothing is left to do, or something waits.
func (b *Bridge) turn(ctx context.Context, it item, at time.Time, eff *effort, sum *Summary) error {
	t := &turn{Bridge: b, item: it, at: at, eff: eff, sum: sum}
	defer t.endProbe()
	sum.add(func(s *Summary) { s.Turns++ })
	r, _, err := b.ledger.Load(it.key)
	if err != nil {
		return err
	}
	t.marks, t.class = t.present(r), r.Urgency
	t.shownAt = b.fresh(it.key, at)
	var plan Plan
	for n := 0; ; n++ {
		if r, _, err = b.ledger.Load(it.key); err != nil {
			return err
		}
		if n >= rounds+len(r.Requests) {
			break
		}
		r.Key, r.Rows = it.key, t.marks
		plan = Decide(Input{
			At: at, Now: time.Now(), Record: r, Rows: it.rows, Shown: t.shownAt,
			Mapping: b.mapping, Settings: &b.settings, Prints: b.prints, Origins: b.origins,
		})
		t.holds(r, plan)
		t.class = plan.class(t.class)
		for _, rc := range plan.Received {
			t.pending = append(t.pending, rc.event(t.key, time.Now()))
		}
		if len(plan.Received) > 0 {
			if err := t.commit(ctx); err != nil {
				return err
			}
			continue
		}
		again, err := t.execute(ctx, plan)
		if err != nil {
			return err
		}
		if !again {
			return t.rest(plan)
		}
	}
	b.log.Error("a plan does not come to rest; nothing more is sent for this record", "record", it.key.String())
	t.wait = waitMistake
	return t.rest(plan)
}

// present returns the marks of the rows as they are now. Rows that left their view stay marked
// where that means something: they were released once.
func (t *turn) present(r Record) []RowMark {
	var marks []RowMark
	here := map[rowRef]bool{}
	for _, row := range t.rows {
		here[rowRef{row.Source, row.ID}] = true
		if t.key.Kind == RowKey && keyOf(row) != t.key {
			continue // its id was mended: another record speaks for it
		}
		m, _ := t.mark(r, row, t.at)
		marks = append(marks, m)
	}
	for _, m := range r.Rows {
		if !here[rowRef{m.Source, m.ID}] && m.Released {
			marks = append(marks, m)
		}
	}
	return marks
}

// holds turns the planned holds into events.
func (t *turn) holds(r Record, plan Plan) {
	for _, e := range changes(r, plan.Holds, time.Now()) {
		t.pending = append(t.pending, e)
		t.sum.add(func(s *Summary) {
			if e.Kind == HoldEvent {
				s.HoldsBegun++
			} else {
				s.HoldsEnded++
			}
		})
		if e.Kind == HoldEvent {
			t.log.Warn("held", "reason", string(e.Hold), "record", t.key.String(), "source", string(e.Source), "row", e.Row, "detail", e.Detail)
		}
	}
}

// class is the most urgent class of the planned calls; a plan that only looks does not tell.
func (p Plan) class(known whoop.Class) whoop.Class {
	class, found := whoop.Progress, false
	for _, a := range p.Actions {
		if a.Kind != Look {
			class, found = min(class, a.Class), true
		}
	}
	if !found {
		return known
	}
	return class
}

// execute makes the calls of a plan, one after the other. What must wait keeps what follows it for
// the same service requests, and not the others. It returns true if the record is to be planned
// again at once.
func (t *turn) execute(ctx context.Context, plan Plan) (bool, error) {
	var waiting []uuid.UUID
	actions := slices.Clone(plan.Actions)
	for len(actions) > 0 {
		a := actions[0]
		actions = actions[1:]
		if slices.ContainsFunc(a.Requests, func(id uuid.UUID) bool { return slices.Contains(waiting, id) }) {
			if a.Whole {
				actions = append(a.apart(), actions...)
			}
			continue
		}
		reason, err := t.mayCall(ctx, a)
		if err != nil {
			return false, err
		}
		switch {
		case reason == lookFirst, reason == "" && a.Kind == Look:
			return t.look(ctx)
		case reason == waitPaused && a.Whole:
			actions = append(a.apart(), actions...) // one of its tests is paused, the others are not
			continue
		case reason.own():
			if t.wait == "" || reason.due(t.at, 0).Before(t.wait.due(t.at, 0)) {
				t.wait = reason
			}
			waiting = append(waiting, a.Requests...)
			continue
		case reason != "":
			t.wait = reason
			return false, t.commit(ctx)
		}
		done, again, err := t.submit(ctx, a)
		if err != nil || again {
			return again, errors.Join(err, t.commit(ctx))
		}
		if !done && t.wait.own() {
			waiting = append(waiting, a.Requests...)
			continue
		}
		if !done {
			break
		}
	}
	return len(plan.Actions) > 0 && t.wait == "", t.commit(ctx)
}

// mayCall is the gate, unless the service is stopping.
func (t *turn) mayCall(ctx context.Context, a Action) (waitReason, error) {
	if ctx.Err() != nil {
		return waitStopping, nil //nolint:nilerr // stopping is no failure: what is left stays due
	}
	return t.gate(ctx, a)
}

// apart is a status of a whole requisition as one call for each service request.
func (a Action) apart() []Action {
	var out []Action
	for i, id := range a.Requests {
		one := a
		one.Whole, one.Requests, one.Tests = false, []uuid.UUID{id}, a.Tests[i:i+1]
		out = append(out, one)
	}
	return out
}

// commit makes the pending events durable.
func (t *turn) commit(ctx context.Context, more ...Event) error {
	_, err := t.commitSeq(ctx, more...)
	return err
}

// commitSeq is commit, and returns the number of the last event.
func (t *turn) commitSeq(ctx context.Context, more ...Event) (uint64, error) {
	events := slices.Concat(t.pending, more)
	t.pending = nil
	if len(events) == 0 {
		return 0, nil
	}
	seqs, err := t.ledger.Commit(context.WithoutCancel(ctx), events...)
	if err != nil {
		return 0, err
	}
	return seqs[len(seqs)-1], nil
}

// rest notes the present rows and when the record's turn comes again.
func (t *turn) rest(plan Plan) error {
	due := plan.Due
	if t.wait != "" {
		t.sum.waits(string(t.wait))
		if w := t.wait.due(t.at, t.settings.Every); due.IsZero() || w.Before(due) {
			due = w
		}
	}
	if t.decidedMeanwhile() {
		due = t.at // what a person decided was not planned yet, and must outlast this process
	}
	return t.ledger.Note(t.key, func(r *Record) {
		r.Rows = t.marks
		r.Due, r.Urgency = due, t.class
	})
}

func (t *turn) decidedMeanwhile() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return slices.Contains(t.decided, t.key)
}

// permit takes quota and token, or says why not.
func (t *turn) permit(ctx context.Context) (whoop.Permit, bool) {
	p, err := t.api.Permit(ctx, t.class)
	if err == nil {
		return p, true
	}
	var quota *whoop.QuotaError
	switch {
	case errors.As(err, &quota):
		t.wait = waitQuota
		t.eff.halt.Store(true)
		t.sum.add(func(s *Summary) { s.Retry = quota.Until })
	case ctx.Err() != nil:
		t.wait = waitStopping
	default:
		t.wait = waitToken
		t.eff.unanswered()
		t.log.Warn("no access token; nothing was sent", "reason", err.Error())
	}
	return p, false
}
