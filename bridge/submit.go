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
		Outcome: answer.Outcome, Code: answer.Code, RequestID: answer.RequestID, Text: answer.Text, Count: untouched(r, a),
	})
	if t.probe != "" {
		if err := t.commit(ctx); err != nil {
			return false, false, err
		}
		if answer.Outcome == whoop.InDoubt {
			t.refute()
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
		t.eff.untouched.Add(int64(untouched(r, a)))
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
			if _, binds := q.never(p.Print); binds {
				return errors.New("a person decided that an observation is never sent")
			}
			if slices.ContainsFunc(q.Sent, func(s Sent) bool { return s.Code == p.Code && s.Print == p.Print }) {
				return errors.New("an observation was sent already")
			}
		}
	}
	return nil
}
