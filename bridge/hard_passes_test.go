package bridge_test

import (
	"context"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"

	"limsbridge/bridge"
	"limsbridge/bridge/ledger"
	"limsbridge/lims"
	"limsbridge/whoop"
	"limsbridge/whoop/sandbox"
)

func TestHardPasses(t *testing.T) {
	now := func() string { return time.Now().UTC().Format(stampFormat) }
	for _, tt := range []struct {
		name string
		api  sandbox.Options
		live func(*rig)
	}{
		{name: "a withdrawal in doubt that is never to be sent is not sent", live: func(r *rig) {
			q, _ := r.ordered("LIPID_PANEL")
			r.lipids(q, "5.40")
			r.passes(30 * time.Minute)
			r.fail(sandbox.Results, sandbox.CutAfter)
			r.result(q, "LIPID", "CHOL", "5.40", "X")
			r.passes(30 * time.Minute)
			r.want(2, 4, holds{bridge.Doubt: 1}) // also: nothing changed in doubt
			r.resolve(bridge.Doubt, bridge.NeverSend)
			r.passes(2 * time.Hour)
			r.want(2, 4, nil)
		}},
		{name: "a held withdrawal without a value, let go, leaves with the configured text", live: func(r *rig) {
			r.settings.HoldCorrections, r.settings.WithdrawnValue = true, "withdrawn"
			r.restart()
			q, _ := r.ordered("LIPID_PANEL")
			r.lipids(q, "5.40")
			r.passes(30 * time.Minute)
			r.result(q, "LIPID", "CHOL", "", "X")
			r.passes(30 * time.Minute)
			r.want(1, 3, holds{bridge.CorrectionHeld: 1})
			r.resolve(bridge.CorrectionHeld, bridge.SendAgain)
			r.passes(30 * time.Minute)
			r.want(2, 4, nil)
		}},
		{name: "orders that changed before start_from are not sent, also where they were observed", live: func(r *rig) {
			r.settings.Send, r.settings.StartFrom = false, time.Time{}
			r.restart()
			q, ids := r.ordered("LIPID_PANEL")
			x, xids := r.ordered("LIPID_PANEL")
			<-time.After(time.Minute)
			r.pass()
			r.order(q, "LIPID", "C")
			r.order(x, "LIPID", "X")
			r.passes(30 * time.Minute)
			r.settings.Send, r.settings.StartFrom = true, time.Now()
			r.restart()
			if err := bridge.Configured(r.t.Context(), r.ledger, "another", time.Now()); err != nil {
				r.t.Fatal(err)
			}
			r.passes(2 * time.Hour)
			r.statuses(ids[0])
			r.statuses(xids[0])
		}},
		{name: "what was released between start_from and the first observing pass is sent", live: func(r *rig) {
			start := time.Now()
			q, _ := r.ordered("LIPID_PANEL")
			<-time.After(time.Minute)
			r.lipids(q, "5.40")
			<-time.After(3 * time.Hour)
			r.settings.Send, r.settings.StartFrom = false, time.Time{}
			r.restart()
			r.passes(30 * time.Minute)
			r.settings.Send, r.settings.StartFrom = true, start
			r.restart()
			if err := bridge.Configured(r.t.Context(), r.ledger, "another", time.Now()); err != nil {
				r.t.Fatal(err)
			}
			r.passes(2 * time.Hour)
			r.want(1, 3, nil)
		}},
		{name: "the same, 40 days before, with a sweep", live: func(r *rig) {
			start := time.Now()
			q, _ := r.ordered("LIPID_PANEL")
			<-time.After(time.Minute)
			r.lipids(q, "5.40")
			<-time.After(40 * 24 * time.Hour)
			r.settings.Send, r.settings.StartFrom = false, time.Time{}
			r.restart()
			r.passes(30 * time.Minute)
			r.settings.Send, r.settings.StartFrom = true, start
			r.restart()
			if err := bridge.Configured(r.t.Context(), r.ledger, "another", time.Now()); err != nil {
				r.t.Fatal(err)
			}
			if _, err := r.bridge.Sweep(r.t.Context(), time.Now()); err != nil {
				r.t.Fatal(err)
			}
			r.passes(2 * time.Hour)
			r.want(1, 3, nil)
		}},
		{name: "rows without a usable row_id stay held after a resume", live: func(r *rig) {
			q, _ := r.ordered("LIPID_PANEL")
			r.lipids(q, "5.40")
			r.exec(`UPDATE results SET row_id = row_id || ? WHERE result_code = 'CHOL'`, strings.Repeat("x", 64))
			r.passes(3 * time.Hour)
			r.want(1, 2, holds{bridge.BadRow: 1})
			r.act(bridge.Event{Act: bridge.ResumeAct})
			r.passes(time.Hour)
			r.want(1, 2, holds{bridge.BadRow: 1})
		}},
		{name: "holds do not flap while a status is in doubt", live: func(r *rig) {
			q, _ := r.ordered("LIPID_PANEL", "CBC")
			r.lipids(q, "see note")
			r.passes(30 * time.Minute)
			r.want(1, 2, holds{bridge.InvalidValue: 1})
			before, _ := bridge.Holds(r.ledger)
			r.order(q, "CBC", "U")
			r.order(q, "DIFF", "U")
			r.fail(sandbox.SetStatus, sandbox.ErrorAfter)
			r.pass()
			r.want(1, 2, holds{bridge.InvalidValue: 1})
			<-time.After(6 * time.Minute)
			r.pass()
			after, _ := bridge.Holds(r.ledger)
			if len(after) != 1 || after[0].ID != before[0].ID {
				r.t.Errorf("the hold was %d and is %+v", before[0].ID, after)
			}
		}},
		{name: "a refused report stays held while a status of its requisition is in doubt", live: func(r *rig) {
			q, _ := r.ordered("LIPID_PANEL", "CBC")
			r.lipids(q, "5.40")
			r.fail(sandbox.Results, sandbox.Unprocessed)
			r.passes(30 * time.Minute)
			r.want(0, 0, holds{bridge.Refused: 1})
			r.order(q, "CBC", "U")
			r.order(q, "DIFF", "U")
			r.fail(sandbox.SetStatus, sandbox.ErrorAfter)
			r.passes(time.Hour)
			r.want(0, 0, holds{bridge.Refused: 1})
		}},
		{name: "a foreign report that a person knows of does not stop everything again", live: func(r *rig) {
			q, ids := r.ordered("LIPID_PANEL")
			r.lipids(q, "5.40")
			if err := r.api.SetForeignStatus(ids[0], string(whoop.FullResultsReady)); err != nil {
				r.t.Fatal(err)
			}
			r.passes(30 * time.Minute)
			r.want(0, 0, holds{bridge.Elsewhere: 1})
			r.act(bridge.Event{Act: bridge.ResumeAct})
			r.passes(26 * time.Hour)
			r.ledger.View(func(s *bridge.State) {
				if s.Stopped() != "" {
					r.t.Errorf("stopped again: %q", s.Stopped())
				}
			})
		}},
		{name: "nor one that a person closed", live: func(r *rig) {
			q, ids := r.ordered("LIPID_PANEL", "CBC")
			r.lipids(q, "5.40")
			if err := r.api.SetForeignStatus(ids[0], string(whoop.FullResultsReady)); err != nil {
				r.t.Fatal(err)
			}
			r.passes(30 * time.Minute)
			r.want(0, 0, holds{bridge.Elsewhere: 1})
			r.act(bridge.Event{Act: bridge.ResumeAct})
			r.resolve(bridge.Elsewhere, bridge.NeverSend)
			r.order(q, "CBC", "A")
			r.order(q, "DIFF", "A")
			r.result(q, "CBC", "WBC", "6.1", "A")
			r.result(q, "DIFF", "NEUT", "54", "A")
			r.passes(time.Hour)
			r.want(1, 2, nil)
			r.ledger.View(func(s *bridge.State) {
				if s.Stopped() != "" {
					r.t.Errorf("stopped again: %q", s.Stopped())
				}
			})
		}},
		{name: "a first pass is released by count", live: func(r *rig) {
			r.settings.Brake.FirstPass = 2
			r.restart()
			for range 6 {
				q, _ := r.ordered("LIPID_PANEL")
				r.lipids(q, "5.40")
			}
			r.passes(time.Hour)
			r.act(bridge.Event{Act: bridge.ReleaseAct, Detail: bridge.FirstPassBrake, Count: 1})
			r.passes(2 * time.Hour)
			r.want(1, 3, nil)
		}},
		{name: "corrections are released by count, also side by side", live: func(r *rig) {
			r.settings.Brake = bridge.Brake{Corrections: 3, Percent: 5, FirstPass: 500}
			r.settings.Parallel = 16
			r.restart()
			for range 40 {
				q, _ := r.ordered("LIPID_PANEL")
				r.lipids(q, "5.40")
			}
			r.passes(30 * time.Minute)
			r.exec(`UPDATE results SET value = '9.9', changed_at = ? WHERE result_code = 'CHOL'`, now())
			r.passes(time.Hour)
			r.t.Logf("reports after the brake: %d (40 + 3 allowed)", r.api.Counts().Reports)
			n := r.api.Counts().Reports
			r.act(bridge.Event{Act: bridge.ReleaseAct, Detail: bridge.CorrectionsBrake, Count: 2})
			r.passes(time.Hour)
			if m := r.api.Counts().Reports - n; m != 2 {
				r.t.Errorf("%d corrections for a release of 2", m)
			}
		}},
		{name: "a paused test does not keep another one of its requisition", live: func(r *rig) {
			r.act(bridge.Event{Act: bridge.PauseAct, Tests: []string{"LIPID_PANEL"}})
			q, _ := r.ordered("LIPID_PANEL", "CBC")
			r.lipids(q, "5.40")
			r.order(q, "CBC", "A")
			r.order(q, "DIFF", "A")
			r.result(q, "CBC", "WBC", "6.1", "A")
			r.result(q, "DIFF", "NEUT", "54", "A")
			r.passes(2 * time.Hour)
			r.want(1, 2, nil)
		}},
		{name: "a decision binds to the version that was held, not to one that nobody saw", live: func(r *rig) {
			r.settings.HoldCorrections = true
			r.restart()
			q, _ := r.ordered("LIPID_PANEL")
			r.lipids(q, "5.40")
			r.passes(30 * time.Minute)
			r.result(q, "LIPID", "CHOL", "6.1", "A")
			r.passes(30 * time.Minute)
			r.want(1, 3, holds{bridge.CorrectionHeld: 1})
			x, ids := r.ordered("LIPID_PANEL") // something foreign stops everything
			r.lipids(x, "5.40")
			_ = r.api.SetForeignStatus(ids[0], string(whoop.FullResultsReady))
			r.pass()
			r.result(q, "LIPID", "CHOL", "61", "A")
			r.passes(20 * time.Minute)
			held, err := bridge.Holds(r.ledger)
			if err != nil {
				r.t.Fatal(err)
			}
			for _, h := range held {
				s := bridge.Resolution{IDs: []uint64{h.ID}, Verdict: bridge.SendAgain, By: "A. Lab", Why: "a test"}
				if h.Kind != bridge.CorrectionHeld {
					continue
				}
				if err := bridge.Resolve(r.t.Context(), r.ledger, s, time.Now()); err == nil {
					r.t.Error("decided of 6.1, and bound to 61")
				}
			}
			r.resolve(bridge.Elsewhere, bridge.WasReceived)
			r.act(bridge.Event{Act: bridge.ResumeAct})
			r.passes(time.Hour)
			r.want(1, 3, holds{bridge.CorrectionHeld: 1})
		}},
		{name: "a row that was sent, replaced and then corrected is not gone", live: func(r *rig) {
			q, _ := r.ordered("LIPID_PANEL")
			r.lipids(q, "5.40")
			r.passes(30 * time.Minute)
			r.exec(`UPDATE results SET row_id = 'new', changed_at = ? WHERE result_code = 'CHOL'`, now())
			r.passes(30 * time.Minute)
			r.want(1, 3, nil)
			r.exec(`UPDATE results SET value = '6.1', changed_at = ? WHERE result_code = 'CHOL'`, now())
			r.passes(30 * time.Minute)
			r.want(2, 4, nil)
		}},
		{name: "letting a contradiction go never makes a report without a value", live: func(r *rig) {
			q, _ := r.ordered("LIPID_PANEL")
			r.lipids(q, "5.40")
			r.passes(30 * time.Minute)
			r.result(q, "LIPID", "CHOL", "QNS", "A")
			r.passes(30 * time.Minute)
			r.want(1, 3, holds{bridge.Contradiction: 1})
			r.resolve(bridge.Contradiction, bridge.SendAgain)
			r.passes(30 * time.Minute)
			r.want(1, 3, holds{bridge.Contradiction: 1})
		}},
		{name: "a status that WHOOP took back can be let go", live: func(r *rig) {
			q, ids := r.ordered("LIPID_PANEL")
			r.order(q, "LIPID", "C")
			r.passes(30 * time.Minute)
			_ = r.api.SetForeignStatus(ids[0], "")
			r.restart()
			r.lipids(q, "5.40")
			r.passes(30 * time.Minute)
			r.want(0, 0, holds{bridge.Elsewhere: 1})
			r.resolve(bridge.Elsewhere, bridge.SendAgain)
			r.passes(2 * time.Hour)
			r.want(1, 3, nil)
		}},
		{name: "a status word that now means released is planned on reload", live: func(r *rig) {
			q, _ := r.ordered("LIPID_PANEL")
			r.lipids(q, "5.40")
			r.exec(`UPDATE results SET status = 'V'`)
			words := bridge.Words{Orders: map[string]bridge.OrderWord{"A": bridge.Complete, "U": bridge.Accepted}, Results: map[string]bridge.ResultWord{"A": bridge.Released, "V": bridge.Pending}}
			tests := []bridge.Test{{Code: "LIPID_PANEL", LIMS: []string{"LIPID"}, Results: map[string]bridge.ObservationRule{
				"CHOL": {Code: "TOTAL_CHOLESTEROL"}, "HDL": {Code: "HDL"}, "LDLC": {Code: "LDL"}}}}
			r.mapping, _ = bridge.NewMapping(tests, words, nil, bridge.ValueRules{})
			r.restart()
			<-time.After(31 * 24 * time.Hour)
			words.Results = map[string]bridge.ResultWord{"A": bridge.Released, "V": bridge.Released}
			r.mapping, _ = bridge.NewMapping(tests, words, nil, bridge.ValueRules{})
			r.restart()
			if err := bridge.Configured(r.t.Context(), r.ledger, "another", time.Now()); err != nil {
				r.t.Fatal(err)
			}
			if _, err := r.bridge.Sweep(r.t.Context(), time.Now()); err != nil {
				r.t.Fatal(err)
			}
			r.passes(2 * time.Hour)
			r.want(1, 3, nil)
		}},
		{name: "a sent row that moves to another requisition is held in the first", live: func(r *rig) {
			q, _ := r.ordered("LIPID_PANEL")
			r.lipids(q, "5.40")
			r.passes(30 * time.Minute)
			<-time.After(31 * 24 * time.Hour)
			right, _ := r.ordered("LIPID_PANEL")
			r.exec(`UPDATE results SET requisition_id = ?, changed_at = ?`, right.String(), now())
			r.exec(`UPDATE orders SET requisition_id = ?, changed_at = ?`, right.String(), now())
			if _, err := r.bridge.Sweep(r.t.Context(), time.Now()); err != nil {
				r.t.Fatal(err)
			}
			r.passes(30 * time.Minute)
			r.want(2, 6, holds{bridge.Gone: 3})
		}},
		{name: "the first night of observing is no alarm", live: func(r *rig) {
			q, _ := r.ordered("LIPID_PANEL")
			r.lipids(q, "5.40")
			<-time.After(5 * 24 * time.Hour)
			r.settings.Send, r.settings.StartFrom = false, time.Time{}
			r.restart()
			r.passes(30 * time.Minute)
			sum, err := r.bridge.Sweep(r.t.Context(), time.Now())
			if err != nil {
				r.t.Fatal(err)
			}
			if sum.Changed != 0 {
				r.t.Errorf("the sweep of an observing bridge took %d rows of before for missed by polling", sum.Changed)
			}
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { tt.live(newRig(t, tt.api)) })
		})
	}
}

// many is a partner that cannot answer for some requisitions.
type many struct {
	*partner
	mu     sync.Mutex
	broken map[uuid.UUID]bool
	ids    map[uuid.UUID]uuid.UUID
	sent   int
	looks  []string
}

func (m *many) Requisition(_ context.Context, _ whoop.Permit, id uuid.UUID) (whoop.LabRequisition, whoop.Answer) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.looks = append(m.looks, id.String()[:8])
	if m.broken[id] {
		return whoop.LabRequisition{}, whoop.Answer{Outcome: whoop.InDoubt, Code: 500}
	}
	return whoop.LabRequisition{ID: id, ServiceRequests: []whoop.ServiceRequest{{ID: m.ids[id], Status: whoop.RequestActive, Code: "LIPID_PANEL"}}}, whoop.Answer{Outcome: whoop.Sent, Code: 200}
}

func (m *many) SubmitReport(context.Context, whoop.Permit, uuid.UUID, whoop.Report) whoop.Answer {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.sent++
	return whoop.Answer{Outcome: whoop.Sent, Code: 201}
}

func testLedger(t *testing.T) *ledger.Ledger {
	dir := t.TempDir()
	if err := ledger.Create(dir, time.Now(), "test", "test"); err != nil {
		t.Fatal(err)
	}
	l, err := ledger.Open(dir, ledger.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return l
}

func rowsOf(q uuid.UUID) []lims.Row {
	var out []lims.Row
	for _, r := range all("180", "50", "100") {
		r.Requisition = q.String()
		r.ID = q.String()[:8] + r.ID
		out = append(out, r)
	}
	return out
}

// Three requisitions that WHOOP cannot show do not keep the whole lab.
func TestBrokenOnesDoNotStarveTheOthers(t *testing.T) {
	l := testLedger(t)
	api := &many{partner: &partner{}, broken: map[uuid.UUID]bool{}, ids: map[uuid.UUID]uuid.UUID{}}
	d := &desk{}
	for range 3 {
		q := uuid.New()
		api.broken[q] = true
		d.rows = append(d.rows, rowsOf(q)...)
	}
	s := settings()
	s.Settle = 0
	b := bridge.New(d, api, l, mapping(t), s, slog.New(slog.DiscardHandler))
	at := time.Now()
	if _, err := b.Pass(context.Background(), at); err != nil {
		t.Fatal(err)
	}
	for range 20 {
		q := uuid.New()
		api.ids[q] = uuid.New()
		d.rows = append(d.rows, rowsOf(q)...)
	}
	for range 50 {
		at = at.Add(5 * time.Minute)
		if _, err := b.Pass(context.Background(), at); err != nil {
			t.Fatal(err)
		}
	}
	if api.sent != 20 {
		t.Errorf("%d of 20 sound requisitions were reported in 50 passes; looks %v", api.sent, api.looks)
	}
}

// A look that shows no service request settles nothing.
func TestAbsenceSettlesNoDoubt(t *testing.T) {
	l := testLedger(t)
	api := &partner{shows: []whoop.ServiceRequest{{ID: lipid, Status: whoop.RequestActive, Code: "LIPID_PANEL"}}, answers: map[string][]whoop.Answer{
		"ORDER_CONFIRMED": {{Outcome: whoop.InDoubt, Code: 500}},
	}}
	s := settings()
	s.Settle, s.DoubtAfter = 0, 0
	b := bridge.New(&desk{rows: all("180", "50", "100")}, api, l, mapping(t), s, slog.New(slog.DiscardHandler))
	pass := func(at time.Time) {
		if _, err := b.Pass(context.Background(), at); err != nil {
			t.Fatal(err)
		}
	}
	api.during = func(call string) {
		if call == "ORDER_CONFIRMED" {
			api.shows = nil // from now on
		}
	}
	pass(time.Now())
	pass(time.Now().Add(10 * time.Minute))
	r, _, _ := l.Load(bridge.Key{Kind: bridge.RequisitionKey, ID: requisition})
	if len(r.Requests) == 0 || r.Requests[0].Status != "" {
		t.Errorf("nothing showed ORDER_CONFIRMED, yet the status counts as %q; calls %v", r.Requests[0].Status, api.calls)
	}
}

// Released results of a requisition that shows no service request are held.
func TestRequisitionWithoutRequestsIsHeld(t *testing.T) {
	l := testLedger(t)
	api := &partner{}
	s := settings()
	s.Settle = 0
	b := bridge.New(&desk{rows: all("180", "50", "100")}, api, l, mapping(t), s, slog.New(slog.DiscardHandler))
	if _, err := b.Pass(context.Background(), time.Now()); err != nil {
		t.Fatal(err)
	}
	held, _ := bridge.Holds(l)
	if len(held) == 0 {
		t.Errorf("released, not sent, and not held; calls %v", api.calls)
	}
	// Nor does a start change that, while WHOOP is silent.
	api.answers = map[string][]whoop.Answer{"look": {{Outcome: whoop.InDoubt, Code: 500}}}
	b = bridge.New(&desk{rows: all("180", "50", "100")}, api, l, mapping(t), s, slog.New(slog.DiscardHandler))
	if err := b.Act(context.Background(), bridge.Event{At: time.Now(), Act: bridge.ResumeAct, By: "A. Lab", Why: "a test"}); err != nil {
		t.Fatal(err)
	}
	if _, err := b.Pass(context.Background(), time.Now()); err != nil {
		t.Fatal(err)
	}
	if still, _ := bridge.Holds(l); len(still) != len(held) || len(api.answers["look"]) > 0 {
		t.Errorf("%d held before the start, %d after it; calls %v", len(held), len(still), api.calls)
	}
}

func TestHardDecisions(t *testing.T) {
	for _, tt := range []struct {
		name  string
		setup func(*world)
		steps []step
	}{
		{"an issue together with a released result that is held for its value", nil, []step{
			{rows: []lims.Row{order("LIPID", "X"), result("CHOL", "see note", "A")}, does: "look", holds: "bad_value:r-CHOL contradiction:o-LIPID"},
			{after: 31 * time.Minute, holds: "bad_value:r-CHOL contradiction:o-LIPID"},
		}},
		{"never full while a released result that never went out is gone", nil, []step{
			{rows: all("5.40", "1.2", "3.0"), does: progress},
			{rows: []lims.Row{result("LDLC", "", "gone")}, holds: "gone:r-LDLC"},
			{after: tenMin, does: "partial(TOTAL_CHOLESTEROL=5.40 HDL=1.2), PARTIAL_RESULTS_READY", holds: "gone:r-LDLC"},
		}},
		{"never full while a result is held for its service_request_id", nil, []step{
			{rows: with(all("5.40", "1.2", "3.0"), func() lims.Row { r := result("LDLC", "3.0", "A"); r.ServiceRequest = "?"; return r }()), does: progress, holds: "bad_id:r-LDLC"},
			{after: tenMin, does: "partial(TOTAL_CHOLESTEROL=5.40 HDL=1.2), PARTIAL_RESULTS_READY", holds: "bad_id:r-LDLC"},
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t)
			if tt.setup != nil {
				tt.setup(w)
			}
			for i, s := range tt.steps {
				w.at = w.at.Add(s.after)
				w.show(s.rows...)
				if does := w.turn(); does != s.does {
					t.Errorf("step %d does\n  %s\nwant\n  %s", i+1, does, s.does)
				}
				if held := w.held(); held != s.holds {
					t.Errorf("step %d holds %q, want %q", i+1, held, s.holds)
				}
			}
		})
	}
}
