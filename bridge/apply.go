package bridge

import (
	"slices"
	"time"

	"github.com/google/uuid"

	"limsbridge/whoop"
)

// Apply returns r as it stands after e. It is the one place where a journal line changes a
// record, so that replaying the journal and having lived through it give the same record. It
// decides nothing: what an event means was decided when it was written.
func (r Record) Apply(e Event) Record {
	r = r.Clone()
	if e.Key != nil {
		r.Key = *e.Key
	}
	switch e.Kind {
	case IntentEvent:
		r.Attempts = append(r.Attempts, Attempt{
			Seq: e.Seq, Action: e.Action, Whole: e.Whole, Requests: slices.Clone(e.Requests),
			Status: e.Status, Report: e.Report, Prints: slices.Clone(e.Prints), Begun: e.At,
		})
	case OutcomeEvent:
		r.settle(e)
	case LookEvent:
		if e.Outcome == whoop.Sent {
			r.Looked = e.At
		}
		for _, s := range e.Shown {
			r.show(s)
		}
	case HoldEvent:
		r.Holds = append(r.Holds, e.hold())
	case UnholdEvent:
		r.Holds = slices.DeleteFunc(r.Holds, func(h Hold) bool { return h.Seq == e.Intent })
	case DecisionEvent:
		r.decide(e)
	case ClockEvent:
		r.setBack(e.At)
	}
	return r
}

// hold is the hold that an event begins or decides.
func (e Event) hold() Hold {
	h := Hold{Seq: e.Seq, Kind: e.Hold, Source: e.Source, Row: e.Row, Detail: e.Detail, Attempt: e.Attempt, Since: e.At}
	if len(e.Requests) > 0 {
		h.Request = e.Requests[0]
	}
	return h
}

// decide applies a person's verdict on a hold.
func (r *Record) decide(e Event) {
	r.Holds = slices.DeleteFunc(r.Holds, func(h Hold) bool { return h.Seq == e.Intent })
	r.due(e.At, whoop.Progress)
	q := r.Request(e.hold().Request)
	switch {
	case e.Hold == Doubt && q != nil:
		r.Attempts = slices.DeleteFunc(r.Attempts, func(a Attempt) bool {
			if a.Seq != e.Attempt {
				return false
			}
			if e.Verdict == WasReceived {
				r.received(a)
			}
			return true
		})
	case e.Hold == Elsewhere && q != nil && e.Verdict != NeverSend:
		q.Status = e.Status // what WHOOP shows is taken over
	}
	if q != nil {
		for _, s := range e.Prints {
			switch s.At = e.At; e.Verdict {
			case WasReceived:
				q.remember(s)
			case NeverSend:
				q.Never = append(q.Never, s)
			}
		}
	}
	r.Decisions = slices.DeleteFunc(r.Decisions, func(d Decision) bool { return d.same(e.hold()) })
	if e.Version != 0 {
		r.Decisions = append(r.Decisions, Decision{Hold: e.hold(), Verdict: e.Verdict, Version: e.Version})
	}
}

// received applies that WHOOP has what an attempt in doubt was about, but for its observations, which
// the decision names.
func (r *Record) received(a Attempt) {
	for _, id := range a.Requests {
		q := r.Request(id)
		switch {
		case q == nil:
		case a.Action == SubmitReport:
			q.Final = q.Final || a.Report == whoop.ReportFinal
		case a.Status.Issue() || a.Status.Rank() > rank(q):
			q.Status = a.Status
		}
	}
}

// settle applies the outcome of an attempt.
func (r *Record) settle(e Event) {
	i := slices.IndexFunc(r.Attempts, func(a Attempt) bool { return a.Seq == e.Intent })
	if i < 0 {
		return
	}
	a := r.Attempts[i]
	if e.Outcome == whoop.InDoubt {
		r.Attempts[i].Ended = e.At
		r.due(e.At, whoop.Progress)
		return
	}
	r.Attempts = slices.Delete(r.Attempts, i, i+1)
	if e.Outcome != whoop.Sent {
		return
	}
	for _, id := range a.Requests {
		q := r.Request(id)
		if q == nil {
			continue
		}
		switch a.Action {
		case SetStatus:
			q.Status = a.Status
		case SubmitReport:
			q.Final = q.Final || a.Report == whoop.ReportFinal
			for _, s := range a.Prints {
				s.At = e.At
				q.remember(s)
				r.overtaken(id, s.Code)
			}
		}
	}
}

// overtaken forgets what a person decided of versions of an observation that was sent, now that another
// one went out: where the LIMS goes back to them it is asked anew.
func (r *Record) overtaken(request uuid.UUID, code string) {
	r.Decisions = slices.DeleteFunc(r.Decisions, func(d Decision) bool {
		switch d.Kind {
		case Gone, NoValue, Contradiction, PendingAgain, CorrectionHeld:
			return d.Request == request && d.Detail == code
		}
		return false
	})
}

// show applies what a look showed of one service request. A status is only ever adopted by the
// pass, as an event of its own; here the first look's status is taken over when it is empty.
func (r *Record) show(s Request) {
	if q := r.Request(s.ID); q != nil {
		q.Code, q.Revoked = s.Code, s.Revoked
		if s.Status != "" {
			q.Status = s.Status
		}
		return
	}
	r.Requests = append(r.Requests, Request{ID: s.ID, Code: s.Code, Revoked: s.Revoked, Status: s.Status})
}

// remember replaces the sent version of an observation. Who decided that others are never sent did not
// know of it: these no longer bind.
func (q *Request) remember(s Sent) {
	for i := range q.Never {
		if q.Never[i].Code == s.Code {
			q.Never[i].At = time.Time{}
		}
	}
	for i := range q.Sent {
		if q.Sent[i].Code == s.Code {
			q.Sent[i] = s
			return
		}
	}
	q.Sent = append(q.Sent, s)
}

// never reports whether a person decided that a version is never sent, and whether that still binds: it
// does until another version of the observation goes out.
func (q *Request) never(version Print) (decided, binds bool) {
	if version == (Print{}) {
		return false, false
	}
	for _, n := range q.Never {
		if n.Print != version {
			continue
		}
		decided = true
		binds = binds || !n.At.IsZero()
	}
	return decided, binds
}

// Request returns the service request with this id, or nil.
func (r *Record) Request(id uuid.UUID) *Request {
	for i := range r.Requests {
		if r.Requests[i].ID == id {
			return &r.Requests[i]
		}
	}
	return nil
}

// Open reports whether the attempt's call may still be running.
func (a Attempt) Open() bool { return a.Ended.IsZero() }

// Clone returns a copy that shares nothing with r.
func (r Record) Clone() Record {
	r.Requests = slices.Clone(r.Requests)
	for i := range r.Requests {
		r.Requests[i].Sent = slices.Clone(r.Requests[i].Sent)
		r.Requests[i].Never = slices.Clone(r.Requests[i].Never)
	}
	r.Rows = slices.Clone(r.Rows)
	r.Attempts = slices.Clone(r.Attempts)
	for i := range r.Attempts {
		r.Attempts[i].Requests = slices.Clone(r.Attempts[i].Requests)
		r.Attempts[i].Prints = slices.Clone(r.Attempts[i].Prints)
	}
	r.Holds = slices.Clone(r.Holds)
	r.Decisions = slices.Clone(r.Decisions)
	return r
}
