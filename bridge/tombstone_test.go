package bridge_test

import (
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"limsbridge/bridge"
	"limsbridge/bridge/ledger"
	"limsbridge/whoop"
	"limsbridge/whoop/sandbox"
)

// Years after a request was finished, when the ledger has dropped all that it can do without, a
// correction still leaves as one, what did not change is not reported again, and a row that is not
// there any more is missed.
func TestACorrectionYearsLater(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, sandbox.Options{})
		q, ids := r.ordered("LIPID_PANEL")
		r.lipids(q, "5.40")
		r.passes(time.Hour)
		r.want(1, 3, nil)
		r.statuses(ids[0], whoop.OrderConfirmed, whoop.AppointmentAttended, whoop.FullResultsReady)

		<-time.After(7 * 365 * 24 * time.Hour)
		later, _ := r.ordered("LIPID_PANEL") // takes the cursor far beyond the rows of the first
		r.lipids(later, "4.80")
		r.passes(3 * time.Hour)
		r.want(2, 6, nil)
		r.close()
		if _, err := ledger.Compact(filepath.Join(r.dir, "state"), time.Now().Add(-ledger.DetailAge)); err != nil {
			t.Fatal(err)
		}
		r.open()
		rec, _, err := r.ledger.Load(bridge.Key{Kind: bridge.RequisitionKey, ID: q})
		if err != nil || len(rec.Rows) != 4 || !rec.Rows[0].Noticed.IsZero() {
			t.Fatalf("it is no tombstone: %+v %v", rec.Rows, err)
		}
		r.passes(time.Hour)
		r.want(2, 6, nil)

		r.result(q, "LIPID", "CHOL", "5.41", "A")
		r.passes(time.Hour)
		r.want(3, 7, nil)
		if a, _ := r.api.AcceptedFor(ids[0]); a.Reports[1].Status != string(whoop.ReportCorrected) || len(a.Reports[1].Observations) != 1 {
			t.Errorf("it left as %s with %d observations", a.Reports[1].Status, len(a.Reports[1].Observations))
		}

		r.exec(`DELETE FROM results WHERE row_id = ?`, q.String()[:30]+"-HDL")
		r.result(q, "LIPID", "LDLC", "3.1", "A")
		r.passes(time.Hour)
		r.want(4, 8, map[bridge.HoldKind]int{bridge.Gone: 1})
	})
}
