package bridge

import (
	"context"
	"slices"
	"strconv"
	"time"

	"github.com/google/uuid"

	"limsbridge/whoop"
)

// finding is what a look means for a record.
type finding struct {
	events []Event
	// foreign says that a result status stands there which this ledger did not set: somebody
	// else reports with these credentials.
	foreign bool
}

// judge compares what WHOOP shows with what the ledger knows. It settles statuses in doubt,
// adopts what may be adopted, and begins or ends holds of kind reported_elsewhere and not_found.
// begun is when the look was begun.
func judge(r Record, shown []whoop.ServiceRequest, begun, at time.Time, s *Settings) finding {
	var f finding
	look := Event{At: at, Kind: LookEvent, Key: &r.Key, Outcome: whoop.Sent}
	settled := map[uint64]bool{} // attempts in doubt that this look can settle, by whether they are done
	elsewhere := map[uuid.UUID]string{}
	for _, a := range r.Attempts {
		absent := slices.ContainsFunc(a.Requests, func(id uuid.UUID) bool {
			return !slices.ContainsFunc(shown, func(q whoop.ServiceRequest) bool { return q.ID == id })
		})
		if a.Action == SetStatus && !a.Open() && !absent && !begun.Before(a.Ended.Add(s.DoubtAfter)) {
			settled[a.Seq] = true
		}
	}
	for _, q := range shown {
		seen := Request{ID: q.ID, Code: q.Code, Revoked: q.Status == whoop.RequestRevoked}
		var known whoop.BusinessStatus
		if k := r.Request(q.ID); k != nil {
			known = k.Status
		}
		doubted := false
		for _, a := range r.Attempts {
			if a.Action != SetStatus || !slices.Contains(a.Requests, q.ID) {
				continue
			}
			if q.BusinessStatus == a.Status {
				doubted = true // it is there, and it is ours
			} else if settled[a.Seq] {
				settled[a.Seq] = false
			}
		}
		switch {
		case q.BusinessStatus == known:
		case doubted:
			seen.Status = q.BusinessStatus
		case q.BusinessStatus == whoop.OrderConfirmed || q.BusinessStatus == whoop.AppointmentAttended:
			switch {
			case known.Issue() || q.BusinessStatus.Rank() < rank(&Request{Status: known}):
				elsewhere[q.ID] = string(q.BusinessStatus)
			case s.AdoptProgress:
				seen.Status = q.BusinessStatus
			default:
				elsewhere[q.ID] = string(q.BusinessStatus)
			}
		default:
			elsewhere[q.ID] = clip(string(q.BusinessStatus))
		}
		look.Shown = append(look.Shown, seen)
	}
	f.events = append(f.events, look)
	for _, a := range r.Attempts {
		done, ready := settled[a.Seq]
		if !ready {
			continue
		}
		e := Event{At: at, Kind: OutcomeEvent, Key: &r.Key, Intent: a.Seq, Action: a.Action, Status: a.Status, Outcome: whoop.Released, Text: "a later look shows that it was not done"}
		if done {
			e.Outcome, e.Text = whoop.Sent, "a later look shows it done"
		}
		f.events = append(f.events, e)
	}
	for _, h := range r.Holds {
		if h.Kind != NotFound && h.Kind != Elsewhere {
			continue
		}
		if detail, still := elsewhere[h.Request]; still && h.Kind == Elsewhere && detail == h.Detail {
			delete(elsewhere, h.Request)
			continue
		}
		f.events = append(f.events, unhold(r.Key, h, at))
	}
	for _, q := range shown {
		if detail, ok := elsewhere[q.ID]; ok && !r.closed(q.ID) {
			// Only when it is news: who resumed sending has seen the ones that are held.
			f.foreign = f.foreign || q.BusinessStatus == whoop.PartialResultsReady ||
				q.BusinessStatus == whoop.FullResultsReady || q.BusinessStatus == whoop.ResultsIssue
			f.events = append(f.events, Event{At: at, Kind: HoldEvent, Key: &r.Key, Hold: Elsewhere, Requests: []uuid.UUID{q.ID}, Detail: detail})
		}
	}
	return f
}

// unhold is the event that ends a hold.
func unhold(k Key, h Hold, at time.Time) Event {
	e := Event{At: at, Kind: UnholdEvent, Key: &k, Intent: h.Seq, Hold: h.Kind, Source: h.Source, Row: h.Row, Detail: h.Detail, Attempt: h.Attempt}
	if h.Request != uuid.Nil {
		e.Requests = []uuid.UUID{h.Request}
	}
	return e
}

// changes returns the events that turn the holds of a record into the planned ones.
func changes(r Record, planned []Hold, at time.Time) []Event {
	var out []Event
	for _, h := range r.Holds {
		if !slices.ContainsFunc(planned, h.same) {
			out = append(out, unhold(r.Key, h, at))
		}
	}
	for _, h := range planned {
		if slices.ContainsFunc(r.Holds, h.same) {
			continue
		}
		e := Event{At: at, Kind: HoldEvent, Key: &r.Key, Hold: h.Kind, Source: h.Source, Row: h.Row, Detail: h.Detail, Attempt: h.Attempt}
		if h.Request != uuid.Nil {
			e.Requests = []uuid.UUID{h.Request}
		}
		out = append(out, e)
	}
	return out
}

// ask gets what WHOOP shows of a record: its service requests, and the patient's birth date where
// it tells one.
func ask(ctx context.Context, api API, p whoop.Permit, k Key) ([]whoop.ServiceRequest, string, whoop.Answer) {
	if k.Kind == RequestKey {
		q, answer := api.ServiceRequest(ctx, p, k.ID)
		return []whoop.ServiceRequest{q}, "", answer
	}
	q, answer := api.Requisition(ctx, p, k.ID)
	return q.ServiceRequests, q.Patient.BirthDate, answer
}

// look asks WHOOP what it shows of the record.
func (t *turn) look(ctx context.Context) (bool, error) {
	p, ok := t.permit(ctx)
	if !ok {
		return false, t.commit(ctx)
	}
	begun := time.Now()
	shown, birth, answer := ask(context.WithoutCancel(ctx), t.api, p, t.key)
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
	inactive := func(q whoop.ServiceRequest) bool { return q.Status != whoop.RequestActive }
	t.shownAt = &Shown{At: begun, BirthDate: birth, Now: true, Active: !slices.ContainsFunc(shown, inactive)}
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
