package bridge_test

import (
	"testing"
	"testing/synctest"
	"time"

	"limsbridge/bridge"
	"limsbridge/whoop"
	"limsbridge/whoop/sandbox"
)

// What a person decides, and what follows from it.
func TestResolve(t *testing.T) {
	doubt := func(r *rig, f sandbox.Fault) {
		q, _ := r.ordered("LIPID_PANEL")
		r.lipids(q, "5.40")
		r.fail(sandbox.Results, f)
		r.passes(30 * time.Minute)
	}
	for _, tt := range []struct {
		name string
		live func(*rig)
	}{
		{"in doubt, and WHOOP has it", func(r *rig) {
			doubt(r, sandbox.CutAfter)
			r.want(1, 3, holds{bridge.Doubt: 1})
			r.resolve(bridge.Doubt, bridge.WasReceived)
			r.restart()
			r.passes(30 * time.Minute)
			r.want(1, 3, nil)
			r.exec(`UPDATE results SET value = '6.1', changed_at = ? WHERE result_code = 'CHOL'`, time.Now().UTC().Format(stampFormat))
			r.passes(30 * time.Minute)
			r.want(2, 4, nil) // a later correction is one
		}},
		{"in doubt, and WHOOP has it: what is new since amends it", func(r *rig) {
			q, _ := r.ordered("LIPID_PANEL")
			r.lipids(q, "5.40")
			r.result(q, "LIPID", "LDLC", "", "R")
			r.fail(sandbox.Results, sandbox.CutAfter)
			r.passes(30 * time.Minute)
			r.result(q, "LIPID", "LDLC", "3.0", "A")
			r.passes(30 * time.Minute)
			r.want(1, 2, holds{bridge.Doubt: 1})
			r.resolve(bridge.Doubt, bridge.WasReceived)
			r.passes(30 * time.Minute)
			r.want(2, 3, nil)
		}},
		{"in doubt, and WHOOP does not have it", func(r *rig) {
			doubt(r, sandbox.ErrorBefore)
			r.want(0, 0, holds{bridge.Doubt: 1})
			r.resolve(bridge.Doubt, bridge.SendAgain)
			r.passes(30 * time.Minute)
			r.want(1, 3, nil)
		}},
		{"in doubt, and never to be sent, until it changes", func(r *rig) {
			doubt(r, sandbox.ErrorBefore)
			r.resolve(bridge.Doubt, bridge.NeverSend)
			r.restart()
			r.passes(24 * time.Hour)
			r.want(0, 0, nil)
			r.exec(`UPDATE results SET value = '6.1', changed_at = ? WHERE result_code = 'CHOL'`, time.Now().UTC().Format(stampFormat))
			r.passes(30 * time.Minute)
			r.want(1, 1, nil)
		}},
		{"never to be sent, but another version went out since: who decided that did not know of it", func(r *rig) {
			doubt(r, sandbox.ErrorBefore)
			r.resolve(bridge.Doubt, bridge.NeverSend)
			becomes := func(value string) {
				r.exec(`UPDATE results SET value = ?, changed_at = ? WHERE result_code = 'CHOL'`, value, time.Now().UTC().Format(stampFormat))
				r.passes(30 * time.Minute)
			}
			becomes("6.1")
			r.want(1, 1, nil)
			becomes("5.40")
			r.want(1, 1, holds{bridge.CorrectionHeld: 1})
			r.restart()
			r.resolve(bridge.CorrectionHeld, bridge.SendAgain)
			r.passes(30 * time.Minute)
			r.want(2, 2, nil)
			becomes("6.1") // as ever: a correction
			r.want(3, 3, nil)
		}},
		{"changed while in doubt: the doubt is what is decided", func(r *rig) {
			doubt(r, sandbox.CutAfter)
			r.exec(`UPDATE results SET value = '6.1', changed_at = ? WHERE result_code = 'CHOL'`, time.Now().UTC().Format(stampFormat))
			r.passes(30 * time.Minute)
			r.want(1, 3, holds{bridge.Doubt: 1, bridge.ChangedInDoubt: 1})
			r.resolve(bridge.Doubt, bridge.WasReceived)
			r.passes(30 * time.Minute)
			r.want(2, 4, nil)
		}},
		{"reported elsewhere: WHOOP has what is released now", func(r *rig) {
			q, ids := r.ordered("LIPID_PANEL")
			r.lipids(q, "5.40")
			if err := r.api.SetForeignStatus(ids[0], string(whoop.FullResultsReady)); err != nil {
				r.t.Fatal(err)
			}
			r.passes(30 * time.Minute)
			r.want(0, 0, holds{bridge.Elsewhere: 1})
			r.act(bridge.Event{Act: bridge.ResumeAct})
			r.resolve(bridge.Elsewhere, bridge.WasReceived)
			r.passes(30 * time.Minute)
			r.want(0, 0, nil)
			r.statuses(ids[0], whoop.FullResultsReady)
		}},
		{"reported elsewhere: never again", func(r *rig) {
			q, ids := r.ordered("LIPID_PANEL")
			r.lipids(q, "5.40")
			if err := r.api.SetForeignStatus(ids[0], string(whoop.OrderConfirmed)); err != nil {
				r.t.Fatal(err)
			}
			r.passes(30 * time.Minute)
			r.want(0, 0, holds{bridge.Elsewhere: 1})
			r.resolve(bridge.Elsewhere, bridge.NeverSend)
			r.passes(48 * time.Hour)
			r.want(0, 0, nil)
		}},
		{"a refused report, sent again", func(r *rig) {
			doubt(r, sandbox.Unprocessed)
			r.want(0, 0, holds{bridge.Refused: 1})
			r.resolve(bridge.Refused, bridge.SendAgain)
			r.passes(30 * time.Minute)
			r.want(1, 3, nil)
		}},
		{"a refused report, given up", func(r *rig) {
			doubt(r, sandbox.Unprocessed)
			r.resolve(bridge.Refused, bridge.NeverSend)
			r.restart()
			r.passes(48 * time.Hour)
			r.want(0, 0, nil)
		}},
		{"another birth date, but the same patient", func(r *rig) {
			q, _ := r.ordered("LIPID_PANEL")
			r.lipids(q, "5.40")
			r.exec(`UPDATE orders SET birth_date = '1980-02-01'`)
			r.passes(30 * time.Minute)
			r.want(0, 0, holds{bridge.OtherPatient: 1})
			r.resolve(bridge.OtherPatient, bridge.SendAgain)
			r.passes(30 * time.Minute)
			r.want(1, 3, nil)
		}},
		{"a required observation that will not come counts as in", func(r *rig) {
			q, ids := r.ordered("LIPID_PANEL")
			r.lipids(q, "5.40")
			r.result(q, "LIPID", "HDL", "QNS", "A")
			r.passes(30 * time.Minute)
			r.want(1, 2, holds{bridge.NotMeasurable: 1})
			r.resolve(bridge.NotMeasurable, bridge.NeverSend)
			r.passes(30 * time.Minute)
			r.want(1, 2, nil)
			r.statuses(ids[0], whoop.OrderConfirmed, whoop.AppointmentAttended, whoop.PartialResultsReady, whoop.FullResultsReady)
			r.result(q, "LIPID", "HDL", "1.2", "A")
			r.passes(30 * time.Minute)
			r.want(2, 3, nil) // it came after all
		}},
		{"a value that is none, dismissed until it changes", func(r *rig) {
			q, _ := r.ordered("LIPID_PANEL")
			r.lipids(q, "5.40")
			r.result(q, "LIPID", "LDLC", "see note", "A")
			r.passes(30 * time.Minute)
			r.want(1, 2, holds{bridge.InvalidValue: 1})
			r.resolve(bridge.InvalidValue, bridge.NeverSend)
			r.passes(30 * time.Minute)
			r.want(1, 2, nil)
			r.result(q, "LIPID", "LDLC", "see the other note", "A")
			r.passes(30 * time.Minute)
			r.want(1, 2, holds{bridge.InvalidValue: 1})
		}},
		{"what was sent and is gone stays as it is", func(r *rig) {
			q, _ := r.ordered("LIPID_PANEL")
			r.lipids(q, "5.40")
			r.passes(30 * time.Minute)
			r.exec(`DELETE FROM results WHERE result_code = 'CHOL'`)
			r.order(q, "LIPID", "C")
			r.passes(10 * time.Minute)
			r.want(1, 3, holds{bridge.Gone: 1})
			r.resolve(bridge.Gone, bridge.NeverSend)
			r.passes(48 * time.Hour)
			r.want(1, 3, nil)
		}},
		{"corrections: hold, and each is let go by a person", func(r *rig) {
			r.settings.HoldCorrections = true
			r.restart()
			q, _ := r.ordered("LIPID_PANEL")
			r.lipids(q, "5.40")
			r.passes(30 * time.Minute)
			r.result(q, "LIPID", "CHOL", "6.1", "A")
			r.passes(30 * time.Minute)
			r.want(1, 3, holds{bridge.CorrectionHeld: 1})
			r.resolve(bridge.CorrectionHeld, bridge.SendAgain)
			r.passes(30 * time.Minute)
			r.want(2, 4, nil)
			r.result(q, "LIPID", "CHOL", "5.40", "A")
			r.passes(30 * time.Minute)
			r.want(2, 4, holds{bridge.CorrectionHeld: 1})
		}},
		{"what cannot be decided in this way says so", func(r *rig) {
			doubt(r, sandbox.CutAfter)
			r.exec(`UPDATE results SET value = '6.1', changed_at = ? WHERE result_code = 'CHOL'`, time.Now().UTC().Format(stampFormat))
			r.passes(10 * time.Minute)
			held, err := bridge.Holds(r.ledger)
			if err != nil {
				r.t.Fatal(err)
			}
			for _, h := range held {
				s := bridge.Resolution{IDs: []uint64{h.ID}, Verdict: bridge.SendAgain, By: "A. Lab", Why: "a test"}
				if err := bridge.Resolve(r.t.Context(), r.ledger, s, time.Now()); (err == nil) != (h.Kind == bridge.Doubt) {
					r.t.Errorf("%s: %v", h.Kind, err)
				}
			}
			s := bridge.Resolution{IDs: []uint64{999999}, Verdict: bridge.SendAgain, By: "A. Lab", Why: "a test"}
			if err := bridge.Resolve(r.t.Context(), r.ledger, s, time.Now()); err == nil {
				r.t.Error("a hold that is none was decided")
			}
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { tt.live(newRig(t, sandbox.Options{})) })
		})
	}
}
