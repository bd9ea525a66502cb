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

// becomes gives the cholesterol of all panels another status and value.
func (r *rig) becomes(status, value string) {
	r.exec(`UPDATE results SET status = ?, value = ?, changed_at = ? WHERE result_code = 'CHOL'`, status, value, time.Now().UTC().Format(stampFormat))
}

// Histories in which the LIMS, WHOOP, people and outages meet.
func TestHistories(t *testing.T) {
	for _, tt := range []struct {
		name string
		live func(*rig)
	}{
		{"a report that was entered by hand after the first look is seen before ours", func(r *rig) {
			q, ids := r.ordered("LIPID_PANEL")
			r.order(q, "LIPID", "C")
			r.passes(2 * time.Hour)
			r.foreign(ids[0])
			r.passes(3 * time.Hour)
			r.lipids(q, "5.40")
			r.passes(time.Hour)
			r.want(0, 0, holds{bridge.Elsewhere: 1})
		}},
		{"a request that was cancelled after the first look gets no report", func(r *rig) {
			q, ids := r.ordered("LIPID_PANEL")
			r.order(q, "LIPID", "C")
			r.passes(time.Hour)
			if err := r.api.Revoke(ids[0]); err != nil {
				r.t.Fatal(err)
			}
			r.passes(5 * time.Hour)
			r.lipids(q, "5.40")
			r.passes(time.Hour)
			r.want(0, 0, holds{bridge.AfterEnd: 1})
		}},
		{"what another installation reported while sending stood still is seen after a resume", func(r *rig) {
			q, ids := r.ordered("LIPID_PANEL")
			x, xids := r.ordered("LIPID_PANEL")
			r.order(q, "LIPID", "C")
			r.order(x, "LIPID", "C")
			r.passes(30 * time.Minute)
			r.foreign(ids[0])
			r.foreign(xids[0])
			z, zids := r.ordered("LIPID_PANEL")
			r.foreign(zids[0])
			r.lipids(z, "5.40")
			r.passes(20 * time.Minute)
			r.lipids(q, "5.40")
			r.lipids(x, "5.40")
			r.passes(30 * time.Minute)
			r.act(bridge.Event{Act: bridge.ResumeAct})
			r.passes(30 * time.Minute)
			r.want(0, 0, holds{bridge.Elsewhere: 3})
		}},
		{"what was entered by hand during a pause is seen after it", func(r *rig) {
			q, ids := r.ordered("LIPID_PANEL")
			r.order(q, "LIPID", "C")
			r.passes(30 * time.Minute)
			r.act(bridge.Event{Act: bridge.PauseAct})
			r.lipids(q, "5.40")
			r.passes(3 * time.Hour)
			r.foreign(ids[0])
			r.act(bridge.Event{Act: bridge.ResumeAct})
			r.passes(30 * time.Minute)
			r.want(0, 0, holds{bridge.Elsewhere: 1})
		}},
		{"a report in doubt stays held although WHOOP does not know its requisition any more", func(r *rig) {
			q, _ := r.ordered("LIPID_PANEL", "CBC")
			r.lipids(q, "5.40")
			r.fail(sandbox.Results, sandbox.CutAfter)
			r.passes(30 * time.Minute)
			r.restart()
			r.fail(sandbox.GetRequisition, sandbox.Missing)
			r.order(q, "CBC", "C")
			r.passes(5 * time.Minute)
			r.resolve(bridge.NotFound, bridge.NeverSend)
			r.passes(3 * time.Hour)
			r.want(1, 3, holds{bridge.Doubt: 1})
		}},
		{"corrections that no connection was obtained for count once, however often they are tried", func(r *rig) {
			for range 15 {
				q, _ := r.ordered("LIPID_PANEL")
				r.lipids(q, "5.40")
			}
			r.passes(30 * time.Minute)
			r.becomes("A", "6.1")
			r.passes(5 * time.Minute)
			r.net.set(true)
			r.passes(55 * time.Minute)
			r.net.set(false)
			r.passes(3 * time.Hour)
			r.want(30, 60, nil)
		}},
		{"a correction that is refused for the quota counts once", func(r *rig) {
			q, _ := r.ordered("LIPID_PANEL")
			r.lipids(q, "5.40")
			r.passes(30 * time.Minute)
			for range 25 {
				r.fail(sandbox.Results, sandbox.RateLimited)
			}
			r.becomes("A", "6.1")
			r.passes(6 * time.Hour)
			r.want(2, 4, nil)
		}},
		{"what was dismissed is asked of anew where the LIMS goes back to it", func(r *rig) {
			q, _ := r.ordered("LIPID_PANEL")
			r.lipids(q, "5.40")
			r.passes(30 * time.Minute)
			r.becomes("R", "")
			r.passes(30 * time.Minute)
			r.resolve(bridge.Contradiction, bridge.NeverSend)
			r.passes(30 * time.Minute)
			r.want(1, 3, nil)
			r.becomes("A", "6.1")
			r.passes(30 * time.Minute)
			r.want(2, 4, nil)
			r.becomes("R", "")
			r.passes(30 * time.Minute)
			r.want(2, 4, holds{bridge.Contradiction: 1})
		}},
		{"a clock that was ahead while a person decided hides nothing", func(r *rig) {
			q, _ := r.ordered("LIPID_PANEL")
			r.lipids(q, "5.40")
			r.fail(sandbox.Results, sandbox.ErrorBefore)
			r.passes(30 * time.Minute)
			r.becomes("A", "6.1")
			r.passes(30 * time.Minute)
			held, err := bridge.Holds(r.ledger)
			if err != nil {
				r.t.Fatal(err)
			}
			s := bridge.Resolution{Verdict: bridge.NeverSend, By: "A. Lab", Why: "a test"}
			for _, h := range held {
				if h.Kind == bridge.Doubt {
					s.IDs = append(s.IDs, h.ID)
				}
			}
			if err := r.bridge.Resolve(r.t.Context(), s, time.Now().Add(20*time.Second)); err != nil {
				r.t.Fatal(err)
			}
			r.pass()
			r.want(1, 1, nil)
			<-time.After(time.Hour)
			r.becomes("A", "5.40")
			r.passes(30 * time.Minute)
			r.want(1, 1, holds{bridge.CorrectionHeld: 1})
		}},
		{"an order that cannot be measured says nothing of what was sent of it", func(r *rig) {
			r.settings.ReportUnmeasurable = true
			r.restart()
			q, ids := r.ordered("LIPID_PANEL")
			r.order(q, "LIPID", "C")
			r.result(q, "LIPID", "CHOL", "5.40", "A")
			r.result(q, "LIPID", "HDL", "", "N")
			r.passes(30 * time.Minute)
			r.result(q, "LIPID", "CHOL", "", "N")
			r.order(q, "LIPID", "R")
			r.passes(30 * time.Hour)
			r.statuses(ids[0], whoop.OrderConfirmed, whoop.AppointmentAttended, whoop.PartialResultsReady)
		}},
		{"a release whose stamp goes back to before start_from is one after it", func(r *rig) {
			q, _ := r.ordered("LIPID_PANEL")
			r.order(q, "LIPID", "C")
			for _, code := range []string{"CHOL", "HDL", "LDLC"} {
				r.result(q, "LIPID", code, "", "N")
			}
			r.passes(time.Hour)
			r.exec(`UPDATE results SET status = 'A', value = '1.2', changed_at = ?`, r.settings.StartFrom.Add(-time.Hour).UTC().Format(stampFormat))
			r.order(q, "LIPID", "A")
			r.passes(time.Hour)
			r.want(1, 3, nil)
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { tt.live(newRig(t, sandbox.Options{})) })
		})
	}
}

// foreign lets somebody else report a service request.
func (r *rig) foreign(id uuid.UUID) {
	r.t.Helper()
	if err := r.api.SetForeignStatus(id, "FULL_RESULTS_READY"); err != nil {
		r.t.Fatal(err)
	}
}

// What WHOOP adds to a requisition is asked for while rows wait for it.
func TestAddedLater(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		api := &partner{shows: []whoop.ServiceRequest{{ID: lipid, Status: whoop.RequestActive, Code: "LIPID_PANEL"}}}
		s := settings()
		s.Settle = 0
		d, l := &desk{rows: all("180", "50", "100")}, testLedger(t)
		b := bridge.New(d, api, l, mapping(t), s, slog.New(slog.DiscardHandler))
		pass := func() {
			if _, err := b.Pass(t.Context(), time.Now()); err != nil {
				t.Fatal(err)
			}
		}
		pass()
		api.shows[0].BusinessStatus = whoop.FullResultsReady
		d.mu.Lock()
		d.rows = append(d.rows, order("CBC", "A"), order("DIFF", "A"), result("WBC", "6.1", "A"), result("NEUT", "54", "A"))
		d.mu.Unlock()
		<-time.After(6 * time.Hour)
		pass()
		api.shows = append(api.shows, whoop.ServiceRequest{ID: cbc, Status: whoop.RequestActive, Code: "CBC"})
		api.calls = nil
		for range 6 {
			<-time.After(6 * time.Hour)
			pass()
		}
		held, err := bridge.Holds(l)
		if err != nil || len(held) > 0 || len(api.calls) < 4 {
			t.Errorf("WHOOP added the test; held %v, %v, calls %v", held, err, api.calls)
		}
	})
}

// A decision that was made while its record had its turn outlasts a process that ends right after.
func TestDecidedDuringATurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		api := &partner{shows: []whoop.ServiceRequest{
			{ID: lipid, Status: whoop.RequestActive, Code: "LIPID_PANEL"},
			{ID: cbc, Status: whoop.RequestActive, Code: "CBC"},
		}, answers: map[string][]whoop.Answer{"final": {{Outcome: whoop.InDoubt, Code: 500}}}}
		s := settings()
		s.Settle = 0
		d, l := &desk{rows: all("180", "50", "100")}, testLedger(t)
		b := bridge.New(d, api, l, mapping(t), s, slog.New(slog.DiscardHandler))
		pass := func() {
			if _, err := b.Pass(context.Background(), time.Now()); err != nil {
				t.Fatal(err)
			}
		}
		pass()
		held, err := bridge.Holds(l)
		if err != nil || len(held) != 1 || held[0].Kind != bridge.Doubt {
			t.Fatal(held, err)
		}
		api.shows[0].BusinessStatus, api.shows[1].BusinessStatus = whoop.AppointmentAttended, whoop.OrderConfirmed
		d.mu.Lock()
		d.rows = append(d.rows, order("CBC", "C"))
		d.mu.Unlock()
		// The call is not processed, so that its turn comes again only after some passes.
		api.answers["APPOINTMENT_ATTENDED"] = []whoop.Answer{{Outcome: whoop.Released}}
		decided := false
		api.during = func(call string) {
			if call == "APPOINTMENT_ATTENDED" && !decided {
				decided = true
				if err := b.Resolve(context.Background(), bridge.Resolution{IDs: []uint64{held[0].ID}, Verdict: bridge.SendAgain, By: "A. Lab", Why: "a test"}, time.Now()); err != nil {
					t.Error(err)
				}
			}
		}
		<-time.After(5 * time.Minute)
		pass()
		api.calls = nil
		b = bridge.New(d, api, l, mapping(t), s, slog.New(slog.DiscardHandler))
		<-time.After(5 * time.Minute)
		pass()
		if !decided || !slices.Contains(api.calls, "final") {
			t.Errorf("decided %t to be sent again, and these calls were made: %v", decided, api.calls)
		}
	})
}

// One call for a whole requisition is made only where every service request of it is active.
func TestWholeOnlyWhereActive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		api := &partner{shows: []whoop.ServiceRequest{
			{ID: lipid, Status: whoop.RequestActive, Code: "LIPID_PANEL"},
			{ID: cbc, Status: whoop.RequestCompleted, Code: "CBC"},
		}}
		d := &desk{}
		d.rows = append(d.rows, order("LIPID", "U"), order("CBC", "U"), order("DIFF", "U"))
		b := bridge.New(d, api, testLedger(t), mapping(t), settings(), slog.New(slog.DiscardHandler))
		if _, err := b.Pass(t.Context(), time.Now()); err != nil {
			t.Fatal(err)
		}
		for _, c := range api.calls {
			if c == "all ORDER_CONFIRMED" {
				t.Errorf("calls %v", api.calls)
			}
		}
	})
}

// A status that a person says WHOOP has is the one that counts from then on.
func TestStatusReceived(t *testing.T) {
	k := bridge.Key{Kind: bridge.RequisitionKey, ID: requisition}
	r, at := bridge.Record{Key: k, Requests: []bridge.Request{{ID: lipid, Code: "LIPID_PANEL"}}}, time.Now()
	about := bridge.Event{At: at, Key: &k, Action: bridge.SetStatus, Status: whoop.OrderConfirmed, Requests: []uuid.UUID{lipid}}
	for i, e := range []bridge.Event{{Kind: bridge.IntentEvent}, {Kind: bridge.OutcomeEvent, Intent: 1, Outcome: whoop.InDoubt},
		{Kind: bridge.HoldEvent, Hold: bridge.Doubt, Attempt: 1}, {Kind: bridge.DecisionEvent, Hold: bridge.Doubt, Attempt: 1, Intent: 3, Verdict: bridge.WasReceived}} {
		x := about
		x.Seq, x.Kind, x.Intent, x.Outcome, x.Hold, x.Attempt, x.Verdict = uint64(i+1), e.Kind, e.Intent, e.Outcome, e.Hold, e.Attempt, e.Verdict
		r = r.Apply(x)
	}
	if len(r.Attempts) != 0 || r.Requests[0].Status != whoop.OrderConfirmed {
		t.Errorf("%d attempts, status %q", len(r.Attempts), r.Requests[0].Status)
	}
}
