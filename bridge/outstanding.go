package bridge

import (
	"cmp"
	"slices"
	"time"

	"github.com/google/uuid"

	"limsbridge/lims"
	"limsbridge/whoop"
)

// Outstanding is a service request that was accepted (WHOOP has its ORDER_CONFIRMED) and is not
// complete. It holds ids, codes and times.
type Outstanding struct {
	Request     uuid.UUID            `json:"service_request"`
	Test        string               `json:"test"` // WHOOP's code
	Requisition uuid.UUID            `json:"requisition,omitzero"`
	Status      whoop.BusinessStatus `json:"status"` // the furthest that was set
	// Since is when it was accepted; the zero time where nothing tells any more. See Date.
	Since time.Time `json:"since,omitzero"`
	// AtLeast says that it may have been accepted before Since.
	AtLeast bool `json:"at_least,omitempty"`

	Reported int        `json:"reported"`           // observations that were sent
	Holds    []HoldKind `json:"holds,omitempty"`    // what holds it up
	Doubts   int        `json:"in_doubt,omitempty"` // calls whose outcome nobody knows
	Due      time.Time  `json:"due,omitzero"`       // when the bridge turns to it again by itself
	// Pending and Rows are of the whole requisition: result rows that were never seen released, and
	// all of them.
	Pending int `json:"pending_rows"`
	Rows    int `json:"rows"`
}

// FindOutstanding returns all outstanding service requests of the ledger, without Since but where
// the record tells that they are at least as old; Date completes it.
func FindOutstanding(l Ledger) ([]Outstanding, error) {
	var out []Outstanding
	err := l.Each(func(r Record) error {
		for _, q := range r.Requests {
			complete := q.Status.Issue() || q.Status.Rank() >= whoop.FullResultsReady.Rank()
			if q.Status.Rank() >= whoop.OrderConfirmed.Rank() && !complete && !q.Revoked {
				out = append(out, r.outstanding(q))
			}
		}
		return nil
	})
	return out, err
}

func (r Record) outstanding(q Request) Outstanding {
	o := Outstanding{Request: q.ID, Test: q.Code, Status: q.Status, Reported: len(q.Sent), Due: r.Due, AtLeast: true}
	if r.Key.Kind == RequisitionKey {
		o.Requisition = r.Key.ID
	}
	for _, m := range r.Rows {
		if m.Source == lims.Results {
			o.Rows++
			if !m.Released {
				o.Pending++
			}
		} else if !m.Noticed.IsZero() && (o.Since.IsZero() || m.Noticed.Before(o.Since)) {
			o.Since = m.Noticed // of the row's present version: it was there before, or since then
		}
	}
	for _, h := range r.Holds {
		if (h.Request == q.ID || h.Request == uuid.Nil) && !slices.Contains(o.Holds, h.Kind) {
			o.Holds = append(o.Holds, h.Kind)
		}
	}
	for _, a := range r.Attempts {
		if slices.Contains(a.Requests, q.ID) && !a.Open() {
			o.Doubts++
		}
	}
	return o
}

// Date finds in the journal when each was accepted: the answer to its ORDER_CONFIRMED, or else the
// look that showed it with a status that somebody else had set. What the journal does not tell (its
// oldest files may have been archived) stays as the record has it, marked AtLeast. It returns the
// error of the journal, after dating what could be read.
func Date(all []Outstanding, journal func(yield func(Event) error) error) error {
	if len(all) == 0 {
		return nil
	}
	at := map[uuid.UUID]int{}
	for i, o := range all {
		at[o.Request] = i
	}
	intents := map[uint64][]uuid.UUID{} // statuses of what is outstanding, until their outcome
	accepted := func(id uuid.UUID, when time.Time) {
		if i, ok := at[id]; ok && all[i].AtLeast {
			all[i].Since, all[i].AtLeast = when, false
		}
	}
	return journal(func(e Event) error {
		switch {
		case e.Kind == IntentEvent && e.Action == SetStatus:
			if slices.ContainsFunc(e.Requests, func(id uuid.UUID) bool { i, ok := at[id]; return ok && all[i].AtLeast }) {
				intents[e.Seq] = e.Requests
			}
		case e.Kind == OutcomeEvent:
			if e.Outcome == whoop.InDoubt {
				break // a later look tells
			}
			if e.Outcome == whoop.Sent {
				for _, id := range intents[e.Intent] {
					accepted(id, e.At)
				}
			}
			delete(intents, e.Intent)
		case e.Kind == DecisionEvent && e.Hold == Elsewhere && e.Status != "":
			for _, id := range e.Requests {
				accepted(id, e.At) // a person took over what WHOOP shows
			}
		case e.Kind == LookEvent:
			for _, q := range e.Shown {
				if q.Status != "" {
					accepted(q.ID, e.At)
				}
			}
		}
		return nil
	})
}

// Older returns those that were accepted at least so long ago, or may have been, the oldest first.
func Older(all []Outstanding, at time.Time, age time.Duration) []Outstanding {
	out := []Outstanding{}
	for _, o := range all {
		if o.Since.IsZero() || at.Sub(o.Since) >= age {
			out = append(out, o)
		}
	}
	slices.SortFunc(out, func(a, b Outstanding) int {
		return cmp.Or(a.Since.Compare(b.Since), cmp.Compare(a.Request.String(), b.Request.String()))
	})
	return out
}
