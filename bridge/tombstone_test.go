package bridge_test

import (
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"limsbridge/bridge/ledger"
	"limsbridge/whoop"
	"limsbridge/whoop/sandbox"
)

// Years after a request was finished, when the ledger has dropped all that it can do without, a
// correction still leaves as one, nothing else does, and what did not change is not reported again.
func TestACorrectionYearsLater(t *testing.T) {
	for name, compact := range map[string]func(r *rig) int{
		"with all detail": func(*rig) int { return 0 },
		"as a tombstone": func(r *rig) int {
			r.close()
			defer r.open()
			c, err := ledger.Compact(filepath.Join(r.dir, "state"), time.Now())
			if err != nil {
				r.t.Fatal(err)
			}
			return c.Tombstones
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, sandbox.Options{})
				q, ids := r.ordered("LIPID_PANEL")
				r.lipids(q, "5.40")
				r.passes(time.Hour)
				r.want(1, 3, nil)
				r.statuses(ids[0], whoop.OrderConfirmed, whoop.AppointmentAttended, whoop.FullResultsReady)
				<-time.After(7 * 365 * 24 * time.Hour)
				if n := compact(r); (n == 1) != (name == "as a tombstone") {
					t.Fatalf("%d tombstones", n)
				}
				r.passes(time.Hour)
				r.want(1, 3, nil)

				r.result(q, "LIPID", "CHOL", "5.41", "A")
				r.passes(time.Hour)
				r.want(2, 4, nil)
				if a, _ := r.api.AcceptedFor(ids[0]); a.Reports[1].Status != string(whoop.ReportCorrected) || len(a.Reports[1].Observations) != 1 {
					t.Errorf("%+v", a.Reports[1].Status)
				}
				// A row that vanished is noticed as one, too.
				r.exec(`DELETE FROM results WHERE row_id LIKE '%HDL'`)
				r.result(q, "LIPID", "LDLC", "3.1", "A")
				r.passes(time.Hour)
				if got := r.holds()["gone"]; got != 1 {
					t.Errorf("%d rows are held as gone: %v", got, r.holds())
				}
			})
		})
	}
}
