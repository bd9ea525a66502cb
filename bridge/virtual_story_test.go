package bridge_test

import (
	"maps"
	"slices"
	"time"

	"github.com/google/uuid"

	"limsbridge/bridge"
	"limsbridge/bridge/ledger"
	"limsbridge/lims"
	"limsbridge/whoop"
)

// story is what the bridge itself tells of a month: its holds and how long each lasted, what is in
// doubt, and when nothing could be sent.
type story struct {
	holds    []heldFor
	unclear  []bridge.Event    // the intents of reports in doubt
	doubts   map[uuid.UUID]int // attempts in doubt at the end, by service request
	troubled []span            // sorted; the weather's, and when sending was stopped
	journal  []bridge.Event
	told     bool
}

type heldFor struct {
	bridge.Hold
	key      bridge.Key
	from, to time.Time
}

// story reads the journal and the ledger that an installation left.
func (w *virtual) story(i *installation) *story {
	w.t.Helper()
	now := time.Now()
	s := &story{doubts: map[uuid.UUID]int{}, troubled: slices.Clone(w.troubled)}
	open, intents := map[uint64]*heldFor{}, map[uint64]bridge.Event{}
	var all []*heldFor
	stopped := time.Time{}
	err := ledger.ReadJournal(i.dir, func(e bridge.Event) error {
		s.journal = append(s.journal, e)
		switch e.Kind {
		case bridge.HoldEvent:
			h := &heldFor{key: *e.Key, from: e.At, to: now}
			h.Seq, h.Kind, h.Source, h.Row, h.Detail = e.Seq, e.Hold, e.Source, e.Row, e.Detail
			if len(e.Requests) > 0 {
				h.Request = e.Requests[0]
			}
			open[e.Seq] = h
			all = append(all, h)
		case bridge.UnholdEvent:
			if h := open[e.Intent]; h != nil {
				h.to = e.At
			}
		case bridge.IntentEvent:
			intents[e.Seq] = e
		case bridge.OutcomeEvent:
			if i := intents[e.Intent]; e.Outcome == whoop.InDoubt && i.Action == bridge.SubmitReport {
				s.unclear = append(s.unclear, i)
			}
		case bridge.StopEvent:
			if stopped.IsZero() {
				stopped = e.At
			}
		case bridge.ActEvent:
			if !stopped.IsZero() {
				s.troubled = append(s.troubled, span{stopped, e.At})
				stopped = time.Time{}
			}
		}
		return nil
	})
	if err != nil {
		w.t.Fatal(err)
	}
	if !stopped.IsZero() {
		w.t.Error("sending is stopped at the end of the month")
	}
	for _, h := range all {
		s.holds = append(s.holds, *h)
	}
	slices.SortFunc(s.troubled, func(a, b span) int { return a.from.Compare(b.from) })
	l, err := ledger.Open(i.dir, ledger.Options{ReadOnly: true})
	if err != nil {
		w.t.Fatal(err)
	}
	err = l.Each(func(r bridge.Record) error {
		for _, a := range r.Attempts {
			if a.Action == bridge.SubmitReport {
				s.doubts[a.Requests[0]]++
			} else {
				w.t.Errorf("a status is still in doubt: %s of %v", a.Status, a.Requests)
			}
		}
		return nil
	})
	if err != nil {
		w.t.Fatal(err)
	}
	if err := l.Close(); err != nil {
		w.t.Error(err)
	}
	return s
}

// excuses reports whether something was held between two instants that keeps this observation
// from going out.
func (s *story) excuses(q *labRequest, of *labResult, from, to time.Time) bool {
	for _, e := range s.unclear {
		if e.Requests[0] == q.id && !e.At.After(to) && (e.Report == whoop.ReportFinal || slices.ContainsFunc(e.Prints, func(p bridge.Sent) bool { return p.Code == of.code })) {
			return true
		}
	}
	return slices.ContainsFunc(s.holds, func(h heldFor) bool {
		if h.key.ID != q.requisition || h.from.After(to) || h.to.Before(from) {
			return false
		}
		if h.Kind == bridge.NotFound || h.Kind == bridge.Elsewhere { // they hold up the whole requisition
			return true
		}
		if h.Request != q.id {
			return false
		}
		switch h.Kind {
		case bridge.AfterEnd, bridge.Refused, bridge.NoOrder:
			return true
		case bridge.Doubt:
			return false // that is in s.unclear
		}
		row := slices.ContainsFunc(q.results, func(r *labRow) bool { return r.of.code == of.code && r.id == h.Row })
		return h.Source == lims.Orders || row || h.Detail == of.code
	})
}

// touches reports whether anything of a service request is held at the end, or in doubt, or of a
// requisition as a whole.
func (s *story) touches(q *labRequest) bool {
	now := time.Now()
	return s.doubts[q.id] > 0 || slices.ContainsFunc(s.holds, func(h heldFor) bool {
		return h.key.ID == q.requisition && !h.to.Before(now) && (h.Request == q.id || h.Request == uuid.Nil || h.Kind == bridge.Elsewhere)
	})
}

// held counts what is held at the end, by kind.
func (s *story) held() map[bridge.HoldKind]int {
	n := map[bridge.HoldKind]int{}
	for _, h := range s.holds {
		if !h.to.Before(time.Now()) {
			n[h.Kind]++
		}
	}
	maps.DeleteFunc(n, func(_ bridge.HoldKind, n int) bool { return n == 0 })
	return n
}
