package ledger

import (
	"fmt"
	"slices"
	"testing"

	"github.com/google/uuid"

	"limsbridge/bridge"
	"limsbridge/whoop"
)

// An inspector asks for one service request, or for a whole requisition.
func TestHistory(t *testing.T) {
	dir := create(t) // event 1
	l := open(t, dir, Options{})
	k := requisition(1)
	a, b := id(101), id(102)
	commit := func(e bridge.Event) uint64 {
		e.At, e.Key = start, &k
		return commitTo(t, l, e)
	}
	shown := []bridge.Request{{ID: a, Code: "CBC"}, {ID: b, Code: "LIPID_PANEL"}}
	missing := commit(bridge.Event{Kind: bridge.HoldEvent, Hold: bridge.NotFound})                                                             // 2: of the requisition
	commit(bridge.Event{Kind: bridge.LookEvent, Outcome: whoop.Sent, Shown: shown})                                                            // 3: shows both
	commit(bridge.Event{Kind: bridge.UnholdEvent, Intent: missing, Hold: bridge.NotFound})                                                     // 4: of the requisition
	both := commit(bridge.Event{Kind: bridge.IntentEvent, Action: bridge.SetStatus, Whole: true, Requests: []uuid.UUID{a, b}})                 // 5
	commit(bridge.Event{Kind: bridge.OutcomeEvent, Intent: both, Outcome: whoop.Sent})                                                         // 6: of both
	one := commit(bridge.Event{Kind: bridge.IntentEvent, Action: bridge.SubmitReport, Requests: []uuid.UUID{a}})                               // 7
	other := commit(bridge.Event{Kind: bridge.IntentEvent, Action: bridge.SubmitReport, Requests: []uuid.UUID{b}})                             // 8
	commit(bridge.Event{Kind: bridge.OutcomeEvent, Intent: other, Outcome: whoop.Sent})                                                        // 9
	commit(bridge.Event{Kind: bridge.OutcomeEvent, Intent: one, Outcome: whoop.InDoubt})                                                       // 10
	doubt := commit(bridge.Event{Kind: bridge.HoldEvent, Hold: bridge.Doubt, Requests: []uuid.UUID{a}, Attempt: one})                          // 11
	commit(bridge.Event{Kind: bridge.DecisionEvent, Intent: doubt, Hold: bridge.Doubt, Requests: []uuid.UUID{a}, Verdict: bridge.WasReceived}) // 12
	commitTo(t, l, lookEvent(2), bridge.Event{At: start, Kind: bridge.ActEvent, Act: bridge.PauseAct, By: "A. Smith", Why: "recall"})          // 13, 14: none of it
	commit(bridge.Event{Kind: bridge.HoldEvent, Hold: bridge.UnknownStatus, Row: "4711"})                                                      // 15: of the requisition

	for _, c := range []struct {
		id      uuid.UUID
		events  []uint64
		request uuid.UUID
		code    string
	}{
		{a, []uint64{2, 3, 4, 5, 6, 7, 10, 11, 12, 15}, a, "CBC"},
		{b, []uint64{2, 3, 4, 5, 6, 8, 9, 15}, b, "LIPID_PANEL"},
		{k.ID, []uint64{2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 15}, uuid.Nil, ""},
	} {
		h, err := ReadHistory(dir, c.id) // beside the open ledger
		if err != nil || h == nil {
			t.Fatal(h, err)
		}
		var got []uint64
		for _, e := range h.Events {
			got = append(got, e.Seq)
		}
		if !slices.Equal(got, c.events) || h.Key != k || h.Request != c.request || h.Code != c.code {
			t.Errorf("%s: got %v, want %v; %+v", c.id, got, c.events, h)
		}
	}
	if h, err := ReadHistory(dir, id(77)); h != nil || err != nil {
		t.Errorf("of something unknown: %+v %v", h, err)
	}
	damaged := clone(t, dir)
	swap(t, newest(t, damaged), `"row":"4711"`, `"row":"4712"`)
	if h, err := ReadHistory(damaged, a); err != nil || h.Damage == nil || len(h.Events) != 9 {
		t.Errorf("of a damaged journal: %+v %v", h, err)
	}
}

func TestStats(t *testing.T) {
	dir := lived(t)
	l := open(t, dir, Options{ReadOnly: true})
	for _, tombstones := range []bool{false, true} {
		r := reported(1)
		if tombstones {
			r = *tombstone(&r, long)
			r.Key = requisition(60)
		}
		l.mu.Lock()
		l.replace(&r)
		l.mu.Unlock()
	}
	s, err := l.Stats(start)
	if err != nil {
		t.Fatal(err)
	}
	s.StoreSize = 0
	want := Stats{Created: start, Records: 8, Requests: 5, Finished: 2, Bare: 1, Sent: 10, Due: 2, Soon: 1, InDoubt: 1, Holds: map[bridge.HoldKind]int{}}
	if fmt.Sprint(s) != fmt.Sprint(want) {
		t.Errorf("got  %+v\nwant %+v", s, want)
	}
	j, err := ReadJournalStats(dir)
	if err != nil || j.Files != 1 || j.Size == 0 || j.Events != 18 || j.Archived != 0 || j.Damage != nil || len(j.Months) != 1 {
		t.Fatalf("%+v %v", j, err)
	}
	m := j.Months[0]
	if m.Month.Format("2006-01") != "2026-11" || m.Events[bridge.IntentEvent] != 4 || m.Events[bridge.OutcomeEvent] != 4 || m.Events[bridge.ActEvent] != 3 || m.Events[bridge.DecisionEvent] != 1 {
		t.Errorf("%+v", m)
	}
}
