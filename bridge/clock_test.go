package bridge_test

import (
	"context"
	"log/slog"
	"reflect"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"

	"limsbridge/bridge"
	"limsbridge/whoop"
	"limsbridge/whoop/sandbox"
)

// passAt makes a pass at what the clock on the wall shows, whatever the time is.
func (r *rig) passAt(at time.Time) {
	r.t.Helper()
	if _, err := r.bridge.Pass(context.Background(), at); err != nil {
		r.t.Fatal(err)
	}
}

// A clock that was a month ahead is set right: what the month ahead made rest goes on at once, also
// where the program was stopped meanwhile.
func TestClockSetBack(t *testing.T) {
	const ahead = 30 * 24 * time.Hour
	for _, restarted := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			r := newRig(t, sandbox.Options{})
			settled, ids := r.ordered("LIPID_PANEL")
			r.order(settled, "LIPID", "A")
			r.fail(sandbox.SetStatus, sandbox.ErrorAfter) // in doubt, until a look five minutes later
			r.passAt(time.Now())
			r.lipids(settled, "5.40") // the settle time begins
			r.passAt(time.Now())
			if restarted {
				r.restart()
			}
			// What follows is a month before all that.
			for at := time.Now().Add(-ahead); at.Before(time.Now().Add(-ahead + time.Hour)); at = at.Add(r.settings.Every) {
				r.passAt(at)
			}
			r.want(1, 3, nil)
			r.statuses(ids[0], whoop.OrderConfirmed, whoop.AppointmentAttended, whoop.FullResultsReady)
		})
	}
}

// Nothing of a record, and nothing that the bridge counts, lies in the future once the clock was
// set back; and no time is left out where the record gets a new one.
func TestSetBackLeavesNoTimeOut(t *testing.T) {
	now := time.Date(2026, 12, 1, 12, 0, 0, 0, time.UTC)
	future := now.Add(time.Hour)
	r := bridge.Record{
		Key: bridge.Key{Kind: bridge.RequisitionKey, ID: uuid.New()}, Looked: future, Due: future,
		Requests:  []bridge.Request{{Sent: []bridge.Sent{{At: future}}, Never: []bridge.Sent{{At: future}}}},
		Rows:      []bridge.RowMark{{Noticed: future}},
		Attempts:  []bridge.Attempt{{Begun: future, Ended: future, Prints: []bridge.Sent{{}}}},
		Holds:     []bridge.Hold{{Since: future}},
		Decisions: []bridge.Decision{{Hold: bridge.Hold{Since: future}}},
	}
	set := times(reflect.ValueOf(r))
	if set[future] == 0 || set[time.Time{}] != 1 { // the At of an attempt's print is zero by its rule
		t.Fatalf("the record has a time that this test does not set: %v", set)
	}
	r = r.Apply(bridge.Event{Kind: bridge.ClockEvent, Key: &r.Key, At: now})
	if got := times(reflect.ValueOf(r)); got[future] != 0 || got[now] != set[future] {
		t.Errorf("after the clock was set back: %v", got)
	}

	var s bridge.State
	for _, at := range []time.Time{now.Add(-2 * time.Minute), now, future} {
		s.Apply(bridge.Event{Kind: bridge.IntentEvent, At: at, Action: bridge.SubmitReport, Report: whoop.ReportCorrected})
	}
	s.Apply(bridge.Event{Kind: bridge.ActEvent, At: future, Act: bridge.ReleaseAct, Detail: bridge.CorrectionsBrake, Count: 5})
	s.Apply(bridge.Event{Kind: bridge.ClockEvent, At: now})
	calls, corrections := 0, 0
	for _, m := range s.Minutes {
		calls += m.Calls
		if m.Start.After(now) {
			t.Errorf("a minute of the future: %v", m)
		}
	}
	for _, h := range s.Hours {
		corrections += h.Corrections
		if h.Start.After(now) {
			t.Errorf("an hour of the future: %v", h)
		}
	}
	if calls != 3 || corrections != 3 || !s.Latest.Equal(now) || s.Releases[0].Until.After(now.Add(time.Hour)) {
		t.Errorf("%d calls and %d corrections are counted, latest %v, released until %v", calls, corrections, s.Latest, s.Releases[0].Until)
	}
}

// times counts the times in a value, by what they are.
func times(v reflect.Value) map[time.Time]int {
	all := map[time.Time]int{}
	var walk func(v reflect.Value)
	walk = func(v reflect.Value) {
		if t, ok := reflect.TypeAssert[time.Time](v); ok {
			all[t]++
			return
		}
		switch v.Kind() {
		case reflect.Struct:
			for _, f := range v.Fields() {
				walk(f)
			}
		case reflect.Slice:
			for i := range v.Len() {
				walk(v.Index(i))
			}
		}
	}
	walk(v)
	return all
}

// A clock that was a year ahead for a while, and is right again: nothing waits for that year.
func TestClockThatWasAhead(t *testing.T) {
	ahead := 365 * 24 * time.Hour
	later := func(r *rig, d time.Duration) {
		r.t.Helper()
		if _, err := r.bridge.Pass(r.t.Context(), time.Now().Add(d)); err != nil {
			r.t.Fatal(err)
		}
	}
	for _, tt := range []struct {
		name string
		live func(*rig)
	}{
		{"what was read meanwhile goes out as usual", func(r *rig) {
			q, _ := r.ordered("LIPID_PANEL")
			r.pass()
			r.lipids(q, "5.40")
			later(r, ahead)
			r.passes(20 * time.Minute)
			r.want(1, 3, nil)
		}},
		{"after a restart the next sweep finds it", func(r *rig) {
			q, _ := r.ordered("LIPID_PANEL")
			r.lipids(q, "5.40")
			later(r, ahead)
			r.restart()
			r.passes(time.Hour)
			r.want(0, 0, nil)
			if _, err := r.bridge.Sweep(r.t.Context(), time.Now()); err != nil {
				r.t.Fatal(err)
			}
			r.passes(20 * time.Minute)
			r.want(1, 3, nil)
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { tt.live(newRig(t, sandbox.Options{})) })
		})
	}
}

// A status in doubt whose call ended by a clock that was ahead is settled all the same: some minutes
// after it is noticed.
func TestDoubtThatEndedInTheFuture(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := testLedger(t)
		k := bridge.Key{Kind: bridge.RequisitionKey, ID: requisition}
		ahead := time.Now().Add(365 * 24 * time.Hour)
		commit := func(e bridge.Event) uint64 {
			e.At, e.Key = ahead, &k
			seqs, err := l.Commit(t.Context(), e)
			if err != nil {
				t.Fatal(err)
			}
			return seqs[0]
		}
		commit(bridge.Event{Kind: bridge.LookEvent, Outcome: whoop.Sent, Shown: []bridge.Request{{ID: lipid, Code: "LIPID_PANEL"}}})
		intent := commit(bridge.Event{Kind: bridge.IntentEvent, Action: bridge.SetStatus, Requests: []uuid.UUID{lipid}, Status: whoop.OrderConfirmed})
		commit(bridge.Event{Kind: bridge.OutcomeEvent, Action: bridge.SetStatus, Intent: intent, Status: whoop.OrderConfirmed, Outcome: whoop.InDoubt})
		api := &partner{shows: []whoop.ServiceRequest{{ID: lipid, Status: whoop.RequestActive, Code: "LIPID_PANEL"}}}
		s := settings()
		s.Settle = 0
		b := bridge.New(&desk{rows: all("180", "50", "100")}, api, l, mapping(t), s, slog.New(slog.DiscardHandler))
		for i, want := range [][]string{nil, {"look", "ORDER_CONFIRMED", "APPOINTMENT_ATTENDED", "final", "FULL_RESULTS_READY"}} {
			api.calls = nil
			if _, err := b.Pass(context.Background(), time.Now()); err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(api.calls, want) {
				t.Errorf("pass %d made the calls %v, want %v", i+1, api.calls, want)
			}
			<-time.After(s.DoubtAfter)
		}
	})
}
