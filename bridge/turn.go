package bridge

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"time"

	"github.com/google/uuid"

	"limsbridge/lims"
	"limsbridge/whoop"
)

// rounds bounds how often one turn plans again. A plan comes to rest after a look and one
// execution; more rounds are a mistake in the rules, and nothing is sent for it any more.
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
	for range rounds {
		if r, _, err = b.ledger.Load(it.key); err != nil {
			return err
		}
		r.Key, r.Rows = it.key, t.marks
		plan = Decide(Input{
			At: at, Record: r, Rows: it.rows, Shown: t.shownAt,
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
		m, _ := t.mark(r, row, t.at)
		marks = append(marks, m)
		here[rowRef{row.Source, row.ID}] = true
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
			return t.look(ctx, a)
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
		return waitStopping, nil
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
	events := append(t.pending, more...)
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
	return t.ledger.Note(t.key, func(r *Record) {
		r.Rows = t.marks
		r.Due, r.Urgency = due, t.class
	})
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

// look asks WHOOP what it shows of the record.
func (t *turn) look(ctx context.Context, a Action) (bool, error) {
	p, ok := t.permit(ctx)
	if !ok {
		return false, t.commit(ctx)
	}
	call := context.WithoutCancel(ctx)
	begun := time.Now()
	var shown []whoop.ServiceRequest
	var answer whoop.Answer
	birth := ""
	if t.key.Kind == RequestKey {
		var q whoop.ServiceRequest
		q, answer = t.api.ServiceRequest(call, p, t.key.ID)
		shown = []whoop.ServiceRequest{q}
	} else {
		var q whoop.LabRequisition
		q, answer = t.api.Requisition(call, p, t.key.ID)
		shown, birth = q.ServiceRequests, q.Patient.BirthDate
	}
	t.sum.add(func(s *Summary) { s.Looks++ })
	at := time.Now()
	if answer.Outcome != whoop.Sent {
		return t.noLook(ctx, answer, begun, at)
	}
	t.eff.answered()
	r, _, err := t.ledger.Load(t.key)
	if err != nil {
		return false, err
	}
	r.Key = t.key
	f := judge(r, shown, begun, at, &t.settings)
	f.events[0].Code, f.events[0].RequestID = answer.Code, answer.RequestID
	t.pending = append(t.pending, f.events...)
	if f.foreign {
		t.log.Error("WHOOP shows results that this ledger did not report; all sending stops", "record", t.key.String())
		t.pending = append(t.pending, Event{At: at, Kind: StopEvent, Detail: ForeignStop})
	}
	t.shownAt = &Shown{At: begun, BirthDate: birth, Now: true}
	t.remember(t.key, *t.shownAt)
	return true, t.commit(ctx)
}

// noLook handles a look that was not answered as the contract says.
func (t *turn) noLook(ctx context.Context, answer whoop.Answer, begun, at time.Time) (bool, error) {
	t.pending = append(t.pending, Event{
		At: at, Kind: LookEvent, Key: &t.key, Outcome: answer.Outcome,
		Code: answer.Code, RequestID: answer.RequestID, Text: answer.Text,
	})
	switch {
	case answer.Code == 401 && !t.renewed:
		t.renewed = true
		return true, t.commit(ctx)
	case answer.Outcome == whoop.Rejected:
		t.eff.answered()
		t.shownAt = &Shown{At: begun, Now: true}
		t.remember(t.key, *t.shownAt)
		return true, t.notFound(ctx, answer, at)
	}
	t.outcome(answer)
	return false, t.commit(ctx, t.forbidden(answer, at)...)
}

// notFound holds a requisition that WHOOP does not know, once.
func (t *turn) notFound(ctx context.Context, answer whoop.Answer, at time.Time) error {
	r, _, err := t.ledger.Load(t.key)
	if err != nil {
		return err
	}
	h := Hold{Kind: NotFound, Detail: strconv.Itoa(answer.Code)}
	if slices.ContainsFunc(r.Holds, func(o Hold) bool { return o.Kind == NotFound }) {
		return t.commit(ctx)
	}
	t.sum.add(func(s *Summary) { s.HoldsBegun++ })
	t.log.Warn("held", "reason", string(NotFound), "record", t.key.String(), "code", answer.Code)
	return t.commit(ctx, Event{At: at, Kind: HoldEvent, Key: &t.key, Hold: h.Kind, Detail: h.Detail})
}

// submit makes one call that changes something at WHOOP. The intent is the last step before the
// write, the outcome is on disk before anything that follows from it. done: it was sent; again:
// it is to be planned again at once.
func (t *turn) submit(ctx context.Context, a Action) (done, again bool, err error) {
	p, ok := t.permit(ctx)
	if !ok {
		return false, false, nil
	}
	r, _, err := t.ledger.Load(t.key)
	if err != nil {
		return false, false, err
	}
	for _, e := range t.pending { // the outcome of the step before shares its commit with this intent
		r = r.Apply(e)
	}
	if err := admissible(r, a); err != nil {
		t.api.Return(p)
		t.log.Error("a planned call contradicts the ledger and was not made", "record", t.key.String(), "reason", err.Error())
		t.wait = waitMistake
		return false, false, nil
	}
	begun := time.Now()
	if !t.keep(a, begun) {
		t.api.Return(p)
		return false, false, nil
	}
	seq, err := t.intend(ctx, Event{
		At: begun, Kind: IntentEvent, Key: &t.key, Action: a.Kind, Whole: a.Whole, Requests: a.Requests,
		Status: a.Status, Report: a.Report.Status, Prints: a.Prints, Count: untouched(r, a),
	})
	if seq == 0 {
		t.api.Return(p)
		return false, false, err
	}
	if err != nil {
		return false, false, err
	}
	answer := t.call(context.WithoutCancel(ctx), p, a)
	at := time.Now()
	t.pending = append(t.pending, Event{
		At: at, Kind: OutcomeEvent, Key: &t.key, Intent: seq, Action: a.Kind, Status: a.Status, Report: a.Report.Status,
		Outcome: answer.Outcome, Code: answer.Code, RequestID: answer.RequestID, Text: answer.Text,
	})
	if t.probe != "" {
		if err := t.commit(ctx); err != nil {
			return false, false, err
		}
		t.endProbe()
	}
	switch answer.Outcome {
	case whoop.Sent:
		t.eff.answered()
		t.succeed(r, a)
		t.count(a)
		return true, false, nil
	case whoop.Rejected:
		t.eff.answered()
		t.reject(a, answer, at)
		return false, true, nil
	case whoop.Released:
		t.sum.add(func(s *Summary) { s.Released++ })
		if answer.Code == 401 && !t.renewed {
			t.renewed = true
			return false, true, nil
		}
	case whoop.InDoubt:
		t.sum.add(func(s *Summary) { s.Doubts++ })
		t.log.Error("in doubt: WHOOP may or may not have taken this", "action", string(a.Kind), "record", t.key.String(),
			"requests", fmt.Sprint(a.Requests), "code", answer.Code, "request_id", answer.RequestID, "text", answer.Text)
		t.pending = append(t.pending, t.forbidden(answer, at)...)
		t.outcome(answer)
		t.wait = ""
		return false, true, nil // the plan says what a doubt means, and what else may go on
	}
	t.outcome(answer)
	return false, false, nil
}

// succeed notes that other rows speak now for what was reported: those from which it went out before
// will not be missed when they leave their view.
func (t *turn) succeed(r Record, a Action) {
	for _, id := range a.Requests {
		q := r.Request(id)
		for _, p := range a.Prints {
			for _, s := range q.Sent {
				i := slices.IndexFunc(t.marks, func(m RowMark) bool { return m.Source == lims.Results && m.ID == s.Row })
				if s.Code == p.Code && s.Row != p.Row && i >= 0 {
					t.marks[i].Released = false
				}
			}
		}
	}
}

// intend makes the intent durable and returns its number, or 0 where a brake keeps the call back
// after all: what a person released by count is counted here, one call after the other, and the
// gate's answer may be older than other turns' intents.
func (t *turn) intend(ctx context.Context, intent Event) (uint64, error) {
	if intent.Count > 0 && t.eff.untouched.Add(-int64(intent.Count)) < 0 {
		t.wait = waitFirstPass
		return 0, nil
	}
	if !correction(intent.Report) {
		return t.commitSeq(ctx, intent)
	}
	t.correcting.Lock()
	defer t.correcting.Unlock()
	braked := false
	t.ledger.View(func(s *State) { braked, _ = s.CorrectionsBraked(t.settings.Brake, t.at) })
	if braked {
		t.wait = waitBrake
		return 0, nil
	}
	return t.commitSeq(ctx, intent)
}

// untouched is how many of the call's service requests nothing was ever sent for.
func untouched(r Record, a Action) int {
	n := 0
	for _, id := range a.Requests {
		if q := r.Request(id); q != nil && q.Status == "" && len(q.Sent) == 0 {
			n++
		}
	}
	return n
}

func (t *turn) call(ctx context.Context, p whoop.Permit, a Action) whoop.Answer {
	switch {
	case a.Kind == SubmitReport:
		return t.api.SubmitReport(ctx, p, a.Requests[0], a.Report)
	case a.Whole:
		return t.api.SetRequisitionStatus(ctx, p, t.key.ID, whoop.StatusUpdate{BusinessStatus: a.Status, Reason: a.Reason})
	}
	return t.api.SetStatus(ctx, p, a.Requests[0], whoop.StatusUpdate{BusinessStatus: a.Status, Reason: a.Reason})
}

// outcome notes what an answer without success means for the rest of the pass.
func (t *turn) outcome(answer whoop.Answer) {
	switch {
	case answer.Code == 429:
		t.wait = waitQuota
		t.eff.halt.Store(true)
	case answer.Code == 401:
		t.wait = waitToken
		t.eff.unanswered()
	default:
		t.wait = waitSilent
		t.eff.unanswered()
	}
}

// forbidden stops all sending after a 403.
func (t *turn) forbidden(answer whoop.Answer, at time.Time) []Event {
	if answer.Code != 403 {
		return nil
	}
	t.eff.halt.Store(true)
	t.log.Error("WHOOP refuses these credentials (403); all sending stops until `limsbridge resume`", "request_id", answer.RequestID)
	return []Event{{At: at, Kind: StopEvent, Detail: ForbiddenStop}}
}

func (t *turn) reject(a Action, answer whoop.Answer, at time.Time) {
	t.sum.add(func(s *Summary) { s.Rejected++; s.HoldsBegun++ })
	for _, id := range a.Requests {
		t.pending = append(t.pending, Event{
			At: at, Kind: HoldEvent, Key: &t.key, Hold: Refused, Requests: []uuid.UUID{id}, Detail: strconv.Itoa(answer.Code),
		})
	}
	t.log.Warn("held", "reason", string(Refused), "record", t.key.String(), "action", string(a.Kind), "code", answer.Code, "text", answer.Text)
}

func (t *turn) count(a Action) {
	t.sum.add(func(s *Summary) {
		if a.Kind == SetStatus {
			s.Statuses++
			return
		}
		s.Reports++
		s.Observations += len(a.Prints)
		if correction(a.Report.Status) {
			s.Corrections++
		}
	})
	if a.Kind == SubmitReport && correction(a.Report.Status) {
		t.log.Warn("a correction was reported", "status", string(a.Report.Status), "requests", fmt.Sprint(a.Requests), "observations", len(a.Prints))
	} else if t.log.Enabled(context.Background(), slog.LevelDebug) {
		t.log.Debug("sent", "action", string(a.Kind), "status", string(a.Status), "report", string(a.Report.Status), "requests", fmt.Sprint(a.Requests))
	}
}

// admissible checks a call against the ledger right before it is made. A correct plan always
// passes; a mistake in the rules must not become a second report.
func admissible(r Record, a Action) error {
	for _, id := range a.Requests {
		q := r.Request(id)
		switch {
		case q == nil:
			return errors.New("the service request is not known")
		case q.Revoked || q.Status.Issue():
			return errors.New("the service request is at its end")
		case a.Kind == SetStatus && !a.Status.Issue() && a.Status.Rank() <= rank(q):
			return errors.New("the status does not go forward")
		}
		for _, at := range r.Attempts {
			if at.Action == SetStatus {
				return errors.New("a status of this requisition is in doubt")
			}
			for _, p := range a.Prints {
				if slices.Contains(at.Requests, id) && slices.ContainsFunc(at.Prints, func(s Sent) bool { return s.Code == p.Code }) {
					return errors.New("an observation is in doubt")
				}
			}
		}
		for _, p := range a.Prints {
			if slices.ContainsFunc(q.Never, func(s Sent) bool { return s.Print == p.Print }) {
				return errors.New("a person decided that an observation is never sent")
			}
			if slices.ContainsFunc(q.Sent, func(s Sent) bool { return s.Code == p.Code && s.Print == p.Print }) {
				return errors.New("an observation was sent already")
			}
		}
	}
	return nil
}
