package bridge_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"

	"limsbridge/bridge"
	"limsbridge/whoop"
	"limsbridge/whoop/sandbox"
)

type holds = map[bridge.HoldKind]int

// Each of these is a whole bridge in virtual time, with the defaults of a lab: a pass every five
// minutes, ten minutes of settling.
func TestPasses(t *testing.T) {
	for _, tt := range []struct {
		name string
		api  sandbox.Options
		live func(*rig)
	}{
		{name: "a panel arrives, and a correction of it", live: func(r *rig) {
			q, _ := r.ordered("LIPID_PANEL")
			r.lipids(q, "5.40")
			r.passes(30 * time.Minute)
			r.want(1, 3, nil)
			r.result(q, "LIPID", "CHOL", "6.1", "A")
			r.passes(30 * time.Minute)
			r.want(2, 4, nil)
		}},
		{name: "nothing new is read for nothing", live: func(r *rig) {
			q, _ := r.ordered("LIPID_PANEL")
			r.lipids(q, "5.40")
			r.passes(30 * time.Minute)
			if sum := r.pass(); sum.Changed != 0 || sum.Turns != 0 || sum.Looks != 0 {
				r.t.Errorf("a pass with nothing new: %d changed, %d turns, %d looks", sum.Changed, sum.Turns, sum.Looks)
			}
		}},
		{name: "what changed before start_from is never sent", live: func(r *rig) {
			q, _ := r.ordered("LIPID_PANEL")
			r.lipids(q, "5.40")
			<-time.After(time.Hour)
			r.settings.StartFrom = time.Now().Add(-time.Minute)
			r.restart()
			r.passes(30 * time.Minute)
			r.want(0, 0, nil)
		}},
		{name: "observe sends nothing, and send sends what was observed", live: func(r *rig) {
			r.settings.Send = false
			r.restart()
			q, _ := r.ordered("LIPID_PANEL")
			r.lipids(q, "5.40")
			r.passes(30 * time.Minute)
			if c := r.api.Counts(); c.Statuses != 0 || c.Reports != 0 || c.Calls[sandbox.GetRequisition] == 0 {
				r.t.Errorf("observing: %+v", c)
			}
			r.settings.Send = true
			r.restart()
			if err := bridge.Configured(r.t.Context(), r.ledger, "another", time.Now()); err != nil {
				r.t.Fatal(err)
			}
			r.passes(30 * time.Minute)
			r.want(1, 3, nil)
		}},
		{name: "a row that commits late, with an older stamp, is seen", live: func(r *rig) {
			r.settings.HourlyLookBack = r.settings.LookBack
			r.restart()
			stamps := map[string]time.Duration{}
			for _, late := range []time.Duration{0, 9 * time.Minute, 20 * time.Minute} {
				q, _ := r.ordered("LIPID_PANEL")
				r.lipids(q, "5.40")
				stamps[q.String()] = late
			}
			r.exec(`CREATE TABLE uncommitted AS SELECT * FROM results`)
			r.exec(`DELETE FROM results`)
			r.passes(30 * time.Minute)
			newer, _ := r.ordered("CBC") // something newer is read before they commit
			r.order(newer, "CBC", "U")
			r.result(newer, "CBC", "WBC", "", "N")
			r.pass()
			for q, late := range stamps {
				r.exec(`INSERT INTO results SELECT * FROM uncommitted WHERE requisition_id = ?`, q)
				r.exec(`UPDATE results SET changed_at = ? WHERE requisition_id = ?`, time.Now().Add(-late).UTC().Format(stampFormat), q)
			}
			r.passes(30 * time.Minute)
			r.want(2, 6, nil) // twenty minutes late is beyond the look-back
			if _, err := r.bridge.Sweep(r.t.Context(), time.Now()); err != nil {
				r.t.Fatal(err)
			}
			r.passes(30 * time.Minute)
			r.want(3, 9, nil) // but not beyond the sweep
		}},
		{name: "a release that touches only the order is seen", live: func(r *rig) {
			q, _ := r.ordered("LIPID_PANEL")
			r.order(q, "LIPID", "C")
			for _, code := range []string{"CHOL", "HDL", "LDLC"} {
				r.result(q, "LIPID", code, "5.5", "N")
			}
			r.passes(2 * time.Hour)
			r.exec(`UPDATE results SET status = 'A'`) // changed_at stays
			r.order(q, "LIPID", "A")
			r.passes(30 * time.Minute)
			r.want(1, 3, nil)
		}},
		{name: "a row without a stamp is found by the sweep", live: func(r *rig) {
			q, _ := r.ordered("LIPID_PANEL")
			r.lipids(q, "5.40")
			r.exec(`UPDATE results SET changed_at = NULL`)
			r.passes(30 * time.Minute)
			r.want(0, 0, nil)
			if _, err := r.bridge.Sweep(r.t.Context(), time.Now()); err != nil {
				r.t.Fatal(err)
			}
			r.passes(30 * time.Minute)
			r.want(1, 3, nil)
		}},
		{name: "a sent row that vanishes is held by the next sweep", live: func(r *rig) {
			q, _ := r.ordered("LIPID_PANEL")
			r.lipids(q, "5.40")
			r.passes(30 * time.Minute)
			r.exec(`DELETE FROM results WHERE result_code = 'CHOL'`)
			if _, err := r.bridge.Sweep(r.t.Context(), time.Now()); err != nil {
				r.t.Fatal(err)
			}
			r.pass()
			r.want(1, 3, holds{bridge.Gone: 1})
		}},
		{name: "a sent row whose place another one took is not missed", live: func(r *rig) {
			q, _ := r.ordered("LIPID_PANEL")
			r.lipids(q, "5.40")
			r.passes(30 * time.Minute)
			r.exec(`UPDATE results SET row_id = 'second', value = '6.1', changed_at = ? WHERE result_code = 'CHOL'`, time.Now().UTC().Format(stampFormat))
			r.passes(30 * time.Minute)
			r.want(2, 4, nil)
			r.exec(`UPDATE results SET row_id = 'third', status = 'X', changed_at = ? WHERE result_code = 'CHOL'`, time.Now().UTC().Format(stampFormat))
			r.passes(30 * time.Minute)
			r.want(3, 5, nil)
		}},
		{name: "a report whose answer is lost is held and never repeated", live: func(r *rig) {
			q, _ := r.ordered("LIPID_PANEL")
			r.lipids(q, "5.40")
			r.fail(sandbox.Results, sandbox.CutAfter)
			r.passes(30 * time.Minute)
			r.restart()
			r.passes(48 * time.Hour)
			r.want(1, 3, holds{bridge.Doubt: 1})
		}},
		{name: "a status whose answer is lost settles itself", live: func(r *rig) {
			q, ids := r.ordered("LIPID_PANEL")
			r.lipids(q, "5.40")
			r.fail(sandbox.SetStatus, sandbox.ErrorAfter)
			r.passes(40 * time.Minute)
			r.want(1, 3, nil)
			r.statuses(ids[0], whoop.OrderConfirmed, whoop.AppointmentAttended, whoop.FullResultsReady)
		}},
		{name: "a status that lands minutes later is not sent twice", live: func(r *rig) {
			q, ids := r.ordered("LIPID_PANEL")
			r.lipids(q, "5.40")
			r.fail(sandbox.SetStatus, sandbox.Late)
			r.passes(40 * time.Minute)
			r.want(1, 3, nil)
			r.statuses(ids[0], whoop.OrderConfirmed, whoop.AppointmentAttended, whoop.FullResultsReady)
		}},
		{name: "a status that was never done is sent again", live: func(r *rig) {
			q, ids := r.ordered("LIPID_PANEL")
			r.lipids(q, "5.40")
			r.fail(sandbox.SetStatus, sandbox.ErrorBefore)
			r.passes(40 * time.Minute)
			r.want(1, 3, nil)
			r.statuses(ids[0], whoop.OrderConfirmed, whoop.AppointmentAttended, whoop.FullResultsReady)
		}},
		{name: "401 and 429 cost nothing", live: func(r *rig) {
			q, _ := r.ordered("LIPID_PANEL")
			r.lipids(q, "5.40")
			r.fail(sandbox.GetRequisition, sandbox.Expired)
			r.fail(sandbox.SetStatus, sandbox.RateLimited)
			r.fail(sandbox.Results, sandbox.Expired, sandbox.RateLimited)
			r.passes(time.Hour)
			r.want(1, 3, nil)
		}},
		{name: "a refused report is held, and tried again when its row is mended", live: func(r *rig) {
			q, _ := r.ordered("LIPID_PANEL")
			r.lipids(q, "5.40")
			r.fail(sandbox.Results, sandbox.Unprocessed)
			r.passes(3 * time.Hour)
			r.want(0, 0, holds{bridge.Refused: 1})
			r.result(q, "LIPID", "CHOL", "5.5", "A")
			r.passes(30 * time.Minute)
			r.want(1, 3, nil)
		}},
		{name: "403 stops everything until a person resumes", live: func(r *rig) {
			r.fail(sandbox.Results, sandbox.Forbidden)
			for range 5 {
				q, _ := r.ordered("LIPID_PANEL")
				r.lipids(q, "5.40")
			}
			r.settings.Parallel = 1
			r.restart()
			r.passes(3 * time.Hour)
			r.want(0, 0, holds{bridge.Doubt: 1})
			r.act(bridge.Event{Act: bridge.ResumeAct})
			r.passes(30 * time.Minute)
			r.want(4, 12, holds{bridge.Doubt: 1})
		}},
		{name: "an hour of 5xx leaves a handful in doubt", live: func(r *rig) {
			for range 60 {
				q, _ := r.ordered("LIPID_PANEL")
				r.order(q, "LIPID", "A")
			}
			r.passes(10 * time.Minute) // progress goes out before the outage
			r.exec(`INSERT INTO results SELECT requisition_id || c, ?, requisition_id, 'LIPID', c, '5.5', '', 'A' FROM orders, (SELECT 'CHOL' c UNION SELECT 'HDL' UNION SELECT 'LDLC')`,
				time.Now().UTC().Format(stampFormat))
			r.fail(sandbox.Results, slices.Repeat([]sandbox.Fault{sandbox.ErrorAfter}, 30)...)
			r.passes(time.Hour)
			doubts := r.holds()[bridge.Doubt]
			// parallelism + 2, and one for each time that it opened again
			if limit := r.settings.Parallel + 2 + 12; doubts > limit {
				r.t.Errorf("%d reports in doubt after an hour, want at most %d", doubts, limit)
			}
			r.passes(8 * time.Hour)
			c := r.api.Counts()
			if c.Duplicates != 0 || c.Reports != 60 || r.holds()[bridge.Doubt] != 30 {
				r.t.Errorf("afterwards %d reports (want all 60, 30 of them in doubt), %d duplicates, held %v", c.Reports, c.Duplicates, r.holds())
			}
		}},
		{name: "an open breaker lets one report try in a pass, however many looks are answered", live: func(r *rig) {
			for range 30 {
				q, _ := r.ordered("LIPID_PANEL")
				r.lipids(q, "5.40")
			}
			r.settings.Parallel = 1
			r.restart()
			r.passes(10 * time.Minute) // progress goes out before the outage
			r.fail(sandbox.Results, slices.Repeat([]sandbox.Fault{sandbox.ErrorAfter}, 30)...)
			for pass := 1; pass <= 4; pass++ {
				r.passes(r.settings.Every)
				if doubts := r.holds()[bridge.Doubt]; doubts != 2+pass {
					r.t.Errorf("%d reports in doubt after pass %d of the outage, want the two that opened the breaker, and one for each pass", doubts, pass)
				}
			}
		}},
		{name: "no network costs nothing", live: func(r *rig) {
			q, _ := r.ordered("LIPID_PANEL")
			r.lipids(q, "5.40")
			r.pass()
			r.net.set(true)
			r.passes(2 * time.Hour)
			r.want(0, 0, nil)
			r.net.set(false)
			r.passes(10 * time.Minute)
			r.want(1, 3, nil)
		}},
		{name: "a first pass that is too large is braked, and released by count", live: func(r *rig) {
			r.settings.Brake.FirstPass = 2
			r.restart()
			for range 3 {
				q, _ := r.ordered("LIPID_PANEL")
				r.lipids(q, "5.40")
			}
			r.passes(time.Hour)
			if c := r.api.Counts(); c.Statuses != 0 || c.Reports != 0 {
				r.t.Errorf("braked, but sent %+v", c)
			}
			r.act(bridge.Event{Act: bridge.ReleaseAct, Detail: bridge.FirstPassBrake, Count: 3})
			r.passes(30 * time.Minute)
			r.want(3, 9, nil)
		}},
		{name: "a mapping edit that changes everything is braked", live: func(r *rig) {
			r.settings.Brake = bridge.Brake{Corrections: 3, Percent: 5, FirstPass: 500}
			r.settings.Parallel = 1
			r.restart()
			for range 10 {
				q, _ := r.ordered("LIPID_PANEL")
				r.lipids(q, "5.40")
			}
			r.passes(30 * time.Minute)
			r.exec(`UPDATE results SET value = '9.9', changed_at = ? WHERE result_code = 'CHOL'`, time.Now().UTC().Format(stampFormat))
			r.passes(time.Hour)
			r.want(13, 33, nil)
			r.act(bridge.Event{Act: bridge.ReleaseAct, Detail: bridge.CorrectionsBrake, Count: 2})
			r.passes(time.Hour)
			r.want(15, 35, nil)
		}},
		{name: "a paused test waits, others go on", live: func(r *rig) {
			r.act(bridge.Event{Act: bridge.PauseAct, Tests: []string{"LIPID_PANEL"}})
			q, _ := r.ordered("LIPID_PANEL", "CBC")
			r.lipids(q, "5.40")
			r.order(q, "CBC", "A")
			r.order(q, "DIFF", "A")
			r.result(q, "CBC", "WBC", "6.1", "A")
			r.result(q, "DIFF", "NEUT", "54", "A")
			r.restart()
			r.passes(2 * time.Hour)
			r.act(bridge.Event{Act: bridge.ResumeAct}) // of everything, by somebody who knows nothing of this test
			r.passes(time.Hour)
			r.want(1, 2, nil)
			r.act(bridge.Event{Act: bridge.ResumeAct, Tests: []string{"LIPID_PANEL"}})
			r.passes(time.Hour)
			r.want(2, 5, nil)
		}},
		{name: "a resume outlasts a process that ends before its next pass", live: func(r *rig) {
			r.act(bridge.Event{Act: bridge.PauseAct})
			q, _ := r.ordered("LIPID_PANEL")
			r.lipids(q, "5.40")
			r.passes(2 * time.Hour)
			r.want(0, 0, nil)
			r.act(bridge.Event{Act: bridge.ResumeAct})
			r.restart()
			r.passes(30 * time.Minute)
			r.want(1, 3, nil)
		}},
		{name: "a lost ledger reports nothing twice", live: func(r *rig) {
			q, _ := r.ordered("LIPID_PANEL")
			r.lipids(q, "5.40")
			r.passes(30 * time.Minute)
			r.want(1, 3, nil)
			r.loseLedger()
			r.passes(3 * time.Hour)
			r.want(1, 3, holds{bridge.Elsewhere: 1})
			r.ledger.View(func(s *bridge.State) {
				if s.Stopped() != bridge.ForeignStop {
					r.t.Errorf("sending goes on: stopped %q", s.Stopped())
				}
			})
		}},
		{name: "who resumed sending is not stopped again by what is held already", live: func(r *rig) {
			q, _ := r.ordered("LIPID_PANEL")
			r.lipids(q, "5.40")
			r.passes(30 * time.Minute)
			r.loseLedger()
			r.passes(3 * time.Hour)
			r.act(bridge.Event{Act: bridge.ResumeAct})
			r.passes(50 * time.Hour) // it is looked at every day
			other, _ := r.ordered("LIPID_PANEL")
			r.lipids(other, "5.5")
			r.passes(30 * time.Minute)
			r.want(2, 6, holds{bridge.Elsewhere: 1})
		}},
		{name: "a ledger put back to yesterday sets no status again", live: func(r *rig) {
			q, _ := r.ordered("LIPID_PANEL")
			r.order(q, "LIPID", "U")
			r.pass()
			state, saved := filepath.Join(r.dir, "state"), filepath.Join(r.dir, "saved")
			r.close()
			if err := os.CopyFS(saved, os.DirFS(state)); err != nil {
				r.t.Fatal(err)
			}
			r.open()
			r.order(q, "LIPID", "C")
			r.pass()
			r.close()
			if err := errors.Join(os.RemoveAll(state), os.Rename(saved, state)); err != nil {
				r.t.Fatal(err)
			}
			r.open()
			r.passes(30 * time.Minute)
			r.want(0, 0, holds{bridge.Elsewhere: 1})
		}},
		{name: "somebody else's calls stop all sending", api: sandbox.Options{PerMinute: 100}, live: func(r *rig) {
			r.client.PerMinute = 100
			r.restart()
			q, _ := r.ordered("LIPID_PANEL")
			r.lipids(q, "5.40")
			r.pass()
			r.api.CountForeign(50)
			q, _ = r.ordered("LIPID_PANEL")
			r.lipids(q, "5.40")
			r.pass()
			r.ledger.View(func(s *bridge.State) {
				if s.Stopped() != bridge.ForeignStop {
					r.t.Errorf("sending goes on: stopped %q", s.Stopped())
				}
			})
		}},
		{name: "the quota is kept, and what is urgent goes first", live: func(r *rig) {
			r.client.PerMinute, r.client.PerDay = 20, 10_000
			r.restart()
			for range 40 {
				q, _ := r.ordered("LIPID_PANEL")
				r.lipids(q, "5.40")
			}
			r.passes(12 * time.Hour)
			r.want(40, 120, nil)
			if c := r.api.Counts(); c.MaxPerMinute > 20 {
				r.t.Errorf("%d calls in a minute, with a quota of 20", c.MaxPerMinute)
			}
		}},
		{name: "a row whose id is none is held, and goes out when it is mended", live: func(r *rig) {
			q, _ := r.ordered("LIPID_PANEL")
			r.lipids(q, "5.40")
			r.exec(`UPDATE orders SET requisition_id = 'REQ-1'`)
			r.exec(`UPDATE results SET requisition_id = 'REQ-1'`)
			r.passes(30 * time.Minute)
			r.want(0, 0, holds{bridge.BadID: 4})
			r.exec(`UPDATE orders SET requisition_id = ?, changed_at = ?`, q.String(), time.Now().UTC().Format(stampFormat))
			r.exec(`UPDATE results SET requisition_id = ?, changed_at = ?`, q.String(), time.Now().UTC().Format(stampFormat))
			r.passes(30 * time.Minute)
			r.want(1, 3, nil)
		}},
		{name: "a released row whose id is none is held as gone when it vanishes", live: func(r *rig) {
			q, _ := r.ordered("LIPID_PANEL")
			r.lipids(q, "5.40")
			r.exec(`UPDATE results SET requisition_id = 'no id' WHERE result_code IN ('CHOL', 'HDL')`)
			r.passes(30 * time.Minute)
			r.want(1, 1, holds{bridge.BadID: 2})
			r.exec(`UPDATE results SET requisition_id = ?, changed_at = ? WHERE result_code = 'HDL'`, q.String(), time.Now().UTC().Format(stampFormat))
			r.exec(`DELETE FROM results WHERE result_code = 'CHOL'`)
			r.passes(30 * time.Minute)
			if _, err := r.bridge.Sweep(r.t.Context(), time.Now()); err != nil {
				r.t.Fatal(err)
			}
			r.passes(time.Hour)
			r.want(2, 2, holds{bridge.Gone: 1})
			r.resolve(bridge.Gone, bridge.NeverSend)
			r.passes(time.Hour)
			r.want(2, 2, nil)
		}},
		{name: "a requisition whose tests are all refused holds each of them", live: func(r *rig) {
			var tests []bridge.Test
			var codes []string
			for i := range 12 {
				code := fmt.Sprintf("TEST%d", i)
				tests = append(tests, bridge.Test{Code: code, Results: map[string]bridge.ObservationRule{code: {Code: code}}})
				codes = append(codes, code)
			}
			words := bridge.Words{Orders: map[string]bridge.OrderWord{"A": bridge.Complete}, Results: map[string]bridge.ResultWord{"A": bridge.Released}}
			var err error
			if r.mapping, err = bridge.NewMapping(tests, words, nil, bridge.ValueRules{}); err != nil {
				r.t.Fatal(err)
			}
			r.restart()
			q, _ := r.ordered(codes...)
			for _, code := range codes {
				r.order(q, code, "A")
				r.result(q, code, code, "5", "A")
				r.fail(sandbox.Results, sandbox.Unprocessed)
			}
			r.passes(20 * time.Minute)
			r.want(0, 0, holds{bridge.Refused: 12})
		}},
		{name: "a result that vanishes before WHOOP was ever asked is held", live: func(r *rig) {
			q, _ := r.ordered("LIPID_PANEL")
			r.net.set(true)
			r.lipids(q, "5.40")
			r.passes(time.Hour)
			r.exec(`DELETE FROM orders`)
			r.exec(`DELETE FROM results WHERE result_code <> 'CHOL'`)
			r.passes(time.Hour)
			r.want(0, 0, holds{bridge.Gone: 2})
			r.exec(`DELETE FROM results`)
			r.passes(time.Hour)
			r.want(0, 0, holds{bridge.Gone: 3})
		}},
		{name: "another patient stays held over a restart, also while WHOOP is silent", live: func(r *rig) {
			q, _ := r.ordered("LIPID_PANEL")
			r.lipids(q, "5.40")
			r.exec(`UPDATE orders SET birth_date = '1999-09-09'`)
			r.passes(30 * time.Minute)
			r.want(0, 0, holds{bridge.OtherPatient: 1})
			before, _ := bridge.Holds(r.ledger)
			r.restart()
			r.net.set(true)
			r.act(bridge.Event{Act: bridge.ResumeAct}) // everything is planned again
			r.pass()
			r.want(0, 0, holds{bridge.OtherPatient: 1})
			r.net.set(false)
			r.passes(time.Hour)
			after, _ := bridge.Holds(r.ledger)
			if len(after) != 1 || after[0].ID != before[0].ID {
				r.t.Errorf("the hold was %d and is %+v", before[0].ID, after)
			}
			r.restart()
			r.exec(`UPDATE orders SET birth_date = '1980-01-02', changed_at = ?`, time.Now().UTC().Format(stampFormat))
			r.passes(time.Hour)
			r.want(1, 3, nil)
		}},
		{name: "rows without a usable row_id are held until a sweep finds none", live: func(r *rig) {
			q, _ := r.ordered("LIPID_PANEL")
			r.lipids(q, "5.40")
			r.exec(`UPDATE results SET row_id = row_id || ? WHERE result_code = 'CHOL'`, strings.Repeat("x", 64))
			r.passes(30 * time.Minute)
			r.want(1, 2, holds{bridge.BadRow: 1})
			r.exec(`UPDATE results SET row_id = substr(row_id, 1, 40), changed_at = ? WHERE result_code = 'CHOL'`, time.Now().UTC().Format(stampFormat))
			if _, err := r.bridge.Sweep(r.t.Context(), time.Now()); err != nil {
				r.t.Fatal(err)
			}
			r.passes(30 * time.Minute)
			r.want(2, 3, nil)
		}},
		{name: "a requisition that WHOOP does not know is held, and looked for again", live: func(r *rig) {
			q := sandbox.Requisition{ID: uuid.New(), ServiceRequests: []sandbox.Order{{ID: uuid.New(), Code: "LIPID_PANEL"}}}
			r.lipids(q.ID, "5.40")
			r.passes(3 * time.Hour)
			r.want(0, 0, holds{bridge.NotFound: 1})
			if n := r.api.Counts().Calls[sandbox.GetRequisition]; n > 3 {
				r.t.Errorf("%d looks for it in three hours", n)
			}
			if _, err := r.api.AddRequisition(q); err != nil {
				r.t.Fatal(err)
			}
			r.passes(26 * time.Hour)
			r.want(1, 3, nil)
		}},
		{name: "a cancellation during settling is seen by the look before the report", live: func(r *rig) {
			q, ids := r.ordered("LIPID_PANEL")
			r.lipids(q, "5.40")
			r.pass()
			if err := r.api.Revoke(ids[0]); err != nil {
				r.t.Fatal(err)
			}
			r.restart()
			<-time.After(10 * time.Minute)
			r.passes(30 * time.Minute)
			r.want(0, 0, holds{bridge.AfterEnd: 1})
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { tt.live(newRig(t, tt.api)) })
		})
	}
}
