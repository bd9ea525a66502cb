package bridge_test

import (
	"context"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"

	"limsbridge/bridge"
	"limsbridge/lims"
	"limsbridge/whoop"
)

func TestNotFoundIsHeldOnce(t *testing.T) {
	l := testLedger(t)
	api := &partner{answers: map[string][]whoop.Answer{"look": {{Outcome: whoop.Rejected, Code: 404}, {Outcome: whoop.Rejected, Code: 410}}}}
	b := bridge.New(&desk{rows: all("180", "50", "100")}, api, l, mapping(t), settings(), slog.New(slog.DiscardHandler))
	at := time.Now()
	for i := range 2 {
		if _, err := b.Pass(context.Background(), at.Add(time.Duration(i)*25*time.Hour)); err != nil {
			t.Fatal(err)
		}
	}
	if held, _ := bridge.Holds(l); len(held) != 1 {
		t.Errorf("one requisition that WHOOP does not know is held %d times: %+v", len(held), held)
	}
}

func TestNoIssueAfterForeignResults(t *testing.T) {
	w := newWorld(t)
	w.ordered[0].Status = whoop.FullResultsReady // taken over by a person's word
	w.show(order("LIPID", "X"))
	w.turn()
	w.at = w.at.Add(31 * time.Minute)
	if does := w.turn(); does != "" {
		t.Errorf("WHOOP has results, yet the bridge sets %s", does)
	}
}

func TestRowSentUnderAnotherTest(t *testing.T) {
	w := newWorld(t)
	w.ordered = []bridge.Request{{ID: lipid, Code: "LIPID_PANEL"}, {ID: cbc, Code: "CBC"}}
	w.show(all("5.40", "1.2", "3.0")...)
	w.turn()
	w.at = w.at.Add(tenMin)
	w.turn()
	r := result("WBC", "5.40", "A")
	r.ID = "r-CHOL"
	w.show(order("CBC", "A"), r)
	w.turn()
	w.at = w.at.Add(tenMin)
	does := w.turn()
	if does != "" {
		t.Errorf("a row that was sent under another code is sent again: %s, held %s", does, w.held())
	}
}

// What is in doubt under one code is not sent under another that a mapping edit gave it, and its
// request is not complete, whatever the edit made of its row.
func TestMappingEditDuringDoubt(t *testing.T) {
	for name, tt := range map[string]struct {
		codes  map[string]string // LIMS code to WHOOP's, after the edit
		ignore []string
		holds  string
	}{
		"another code":   {map[string]string{"CHOL": "CHOLESTEROL", "HDL": "HDL"}, nil, "in_doubt recoded:r-CHOL"},
		"ignored":        {map[string]string{"HDL": "HDL"}, []string{"CHOL"}, "in_doubt"},
		"codes swapped":  {map[string]string{"CHOL": "HDL", "HDL": "TOTAL_CHOLESTEROL"}, nil, "changed_in_doubt in_doubt recoded:r-CHOL"},
		"none of it any": {map[string]string{"HDL": "HDL"}, nil, "in_doubt unknown_result_code:r-CHOL"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.outcomes["partial(TOTAL_CHOLESTEROL=5.40)"] = whoop.InDoubt
			w.show(order("LIPID", "A"), result("CHOL", "5.40", "A"), result("HDL", "", "N"))
			w.turn()
			w.at = w.at.Add(tenMin)
			w.turn()
			rules := map[string]bridge.ObservationRule{}
			for name, code := range tt.codes {
				rules[name] = bridge.ObservationRule{Code: code, Unit: "mg/dL"}
			}
			var err error
			w.m, err = bridge.NewMapping([]bridge.Test{{Code: "LIPID_PANEL", LIMS: []string{"LIPID"}, Results: rules}}, bridge.Words{
				Orders:  map[string]bridge.OrderWord{"A": bridge.Complete},
				Results: map[string]bridge.ResultWord{"A": bridge.Released, "N": bridge.Pending},
			}, tt.ignore, bridge.ValueRules{})
			if err != nil {
				t.Fatal(err)
			}
			w.show(result("HDL", "1.2", "A"))
			w.turn()
			w.at = w.at.Add(tenMin)
			does := w.turn()
			if strings.Contains(does, "5.40") || strings.Contains(does, full) {
				t.Errorf("does %s while it is in doubt", does)
			}
			if held := w.held(); held != tt.holds {
				t.Errorf("holds %q, want %q", held, tt.holds)
			}
		})
	}
}

// Where WHOOP answers slowly, a batch of rows that were read together grows old: what the lab takes
// back meanwhile does not leave.
func TestRowsDoNotGrowOld(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := testLedger(t)
		d := &desk{}
		api := &many{partner: &partner{during: func(string) { <-time.After(20 * time.Second) }}, ids: map[uuid.UUID]uuid.UUID{}}
		for range 40 {
			q := uuid.New()
			api.ids[q] = uuid.New()
			d.rows = append(d.rows, rowsOf(q)...)
		}
		s := settings()
		s.Settle, s.Parallel = 0, 1
		b := bridge.New(d, api, l, mapping(t), s, slog.New(slog.DiscardHandler))
		time.AfterFunc(2*time.Minute, func() { // the lab takes all of them back
			d.mu.Lock()
			defer d.mu.Unlock()
			rows := slices.Clone(d.rows)
			for i := range rows {
				if rows[i].Source == lims.Results {
					rows[i].Status = "N"
				}
			}
			d.rows = rows
		})
		for range 3 {
			if _, err := b.Pass(t.Context(), time.Now()); err != nil {
				t.Fatal(err)
			}
		}
		if api.sent == 0 || api.sent > 7 { // a minute each
			t.Errorf("%d of 40 orders were reported, although the lab took them back after two minutes", api.sent)
		}
	})
}

// A status in doubt whose service request WHOOP shows no more settles never: after a day a person is told.
func TestStatusThatNoLookSettlesIsHeld(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := testLedger(t)
		api := &partner{shows: []whoop.ServiceRequest{
			{ID: lipid, Status: whoop.RequestActive, Code: "LIPID_PANEL"}, {ID: cbc, Status: whoop.RequestActive, Code: "CBC"},
		}, answers: map[string][]whoop.Answer{"ORDER_CONFIRMED": {{Outcome: whoop.InDoubt, Code: 500}}}}
		s := settings()
		s.Settle = 0
		d := &desk{rows: []lims.Row{order("LIPID", "U")}}
		b := bridge.New(d, api, l, mapping(t), s, slog.New(slog.DiscardHandler))
		passes := func(long time.Duration) (looks int) {
			api.calls = nil
			for end := time.Now().Add(long); time.Now().Before(end); {
				if _, err := b.Pass(t.Context(), time.Now()); err != nil {
					t.Fatal(err)
				}
				<-time.After(s.Every)
			}
			return len(api.calls)
		}
		api.during = func(call string) {
			if call == "ORDER_CONFIRMED" {
				api.shows = api.shows[1:] // WHOOP takes it out of the requisition
			}
		}
		passes(23 * time.Hour)
		if held, _ := bridge.Holds(l); len(held) > 0 {
			t.Fatalf("held too early: %+v", held)
		}
		passes(3 * time.Hour)
		before, _ := bridge.Holds(l)
		looks := passes(72 * time.Hour)
		held, _ := bridge.Holds(l)
		if len(held) != 1 || held[0].Kind != bridge.Doubt || held[0].Detail != "ORDER_CONFIRMED" || len(before) != 1 || held[0].ID != before[0].ID || looks > 4 {
			t.Fatalf("%d looks in three days; first held %+v, then %+v", looks, before, held)
		}
		d.rows = append(d.rows, order("CBC", "U"), order("DIFF", "U"))
		if err := b.Resolve(t.Context(), bridge.Resolution{IDs: []uint64{held[0].ID}, Verdict: bridge.WasReceived, By: "A. Lab", Why: "WHOOP support"}, time.Now()); err != nil {
			t.Fatal(err)
		}
		passes(time.Hour)
		r, _, _ := l.Load(bridge.Key{Kind: bridge.RequisitionKey, ID: requisition})
		if len(r.Attempts)+len(r.Holds) > 0 || r.Request(cbc).Status != whoop.OrderConfirmed {
			t.Errorf("the requisition still waits: %+v", r)
		}
	})
}
