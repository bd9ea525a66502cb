package bridge_test

import (
	"context"
	"log/slog"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"

	"limsbridge/bridge"
	"limsbridge/whoop"
	"limsbridge/whoop/sandbox"
)

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
		b := bridge.New(&desk{all("180", "50", "100")}, api, l, mapping(t), s, slog.New(slog.DiscardHandler))
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
