package bridge_test

import (
	"context"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"limsbridge/bridge"
	"limsbridge/whoop"
	"limsbridge/whoop/sandbox"
)

func TestHardPassesMore(t *testing.T) {
	for _, tt := range []struct {
		name string
		api  sandbox.Options
		live func(*rig)
	}{
		{name: "a sweep over an integer change column sends nothing of before", live: func(r *rig) {
			r.exec(`DROP TABLE orders`)
			r.exec(`DROP TABLE results`)
			r.exec(`CREATE TABLE orders (row_id TEXT PRIMARY KEY, changed_at INTEGER, requisition_id TEXT, order_code TEXT, status TEXT, reason TEXT, birth_date DATE)`)
			r.exec(`CREATE TABLE results (row_id TEXT PRIMARY KEY, changed_at INTEGER, requisition_id TEXT, order_code TEXT, result_code TEXT, value TEXT, unit TEXT, status TEXT)`)
			n := 0
			panel := func() {
				q, _ := r.ordered("LIPID_PANEL")
				n++
				r.exec(`INSERT INTO orders VALUES (?, ?, ?, 'LIPID', 'A', '', NULL)`, q.String(), n, q.String())
				for _, c := range []string{"CHOL", "HDL", "LDLC"} {
					n++
					r.exec(`INSERT INTO results VALUES (?, ?, ?, 'LIPID', ?, '5.5', '', 'A')`, q.String()[:30]+c, n, q.String(), c)
				}
			}
			panel() // years before the bridge
			r.passes(30 * time.Minute)
			panel()
			r.passes(30 * time.Minute)
			r.want(1, 3, nil)
			if _, err := r.bridge.Sweep(r.t.Context(), time.Now()); err != nil {
				r.t.Fatal(err)
			}
			r.passes(30 * time.Minute)
			r.want(1, 3, nil)
		}},
		{name: "what was released between start_from and the first observing pass is sent", live: func(r *rig) {
			start := time.Now()
			q, _ := r.ordered("LIPID_PANEL")
			<-time.After(time.Minute)
			r.lipids(q, "5.40")
			<-time.After(3 * time.Hour)
			r.settings.Send, r.settings.StartFrom = false, time.Time{}
			r.restart()
			r.pass()
			<-time.After(time.Minute)
			x, _ := r.ordered("CBC")
			r.order(x, "CBC", "U")
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
			r.pass()
			<-time.After(time.Minute)
			x, _ := r.ordered("CBC")
			r.order(x, "CBC", "U")
			xr := x
			r.result(xr, "CBC", "WBC", "", "N")
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
			x, _ := r.ordered("LIPID_PANEL")
			r.lipids(x, "5.40")
			r.passes(30 * time.Minute)
			r.want(2, 5, holds{bridge.BadRow: 1})
			r.act(bridge.Event{Act: bridge.ResumeAct})
			r.pass()
			r.want(2, 5, holds{bridge.BadRow: 1})
		}},
		{name: "a correction that is braked does not keep new results of its requisition", live: func(r *rig) {
			r.settings.Brake = bridge.Brake{Corrections: 0, Percent: 0, FirstPass: 500}
			r.restart()
			q, _ := r.ordered("LIPID_PANEL", "CBC")
			r.lipids(q, "5.40")
			r.passes(30 * time.Minute)
			r.want(1, 3, nil)
			r.result(q, "LIPID", "CHOL", "6.1", "A")
			r.order(q, "CBC", "A")
			r.order(q, "DIFF", "A")
			r.result(q, "CBC", "WBC", "6.1", "A")
			r.result(q, "DIFF", "NEUT", "54", "A")
			r.passes(2 * time.Hour)
			r.want(2, 5, nil)
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { tt.live(newRig(t, tt.api)) })
		})
	}
}

type quota struct{ *partner }

func (quota) Permit(context.Context, whoop.Class) (whoop.Permit, error) {
	return whoop.Permit{}, &whoop.QuotaError{Until: time.Now().Add(time.Minute)}
}

// A record with final results waits as one with final results.
func TestResultsWaitAsResults(t *testing.T) {
	l := testLedger(t)
	s := settings()
	s.Settle = 0
	b := bridge.New(&desk{rows: all("180", "50", "100")}, quota{&partner{}}, l, mapping(t), s, slog.New(slog.DiscardHandler))
	if _, err := b.Pass(context.Background(), time.Now()); err != nil {
		t.Fatal(err)
	}
	r, _, _ := l.Load(bridge.Key{Kind: bridge.RequisitionKey, ID: requisition})
	if r.Urgency != whoop.Finals {
		t.Errorf("released results wait with urgency %d, want %d (finals)", r.Urgency, whoop.Finals)
	}
}

func TestWithdrawnUnderAnotherUnit(t *testing.T) {
	w := newWorld(t)
	w.show(all("5.40", "1.2", "3.0")...)
	w.turn()
	w.at = w.at.Add(tenMin)
	w.turn()
	r := result("CHOL", "0.14", "X")
	r.Unit = "mmol/L"
	w.show(r)
	w.at = w.at.Add(tenMin)
	var units []string
	for _, a := range w.decide().Actions {
		for _, o := range a.Report.Observations {
			units = append(units, o.Numeric.String()+" "+o.Unit)
		}
	}
	if len(units) > 0 {
		t.Errorf("0.14 mmol/L in the LIMS leaves as %v", units)
	}
}
