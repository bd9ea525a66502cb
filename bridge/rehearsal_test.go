package bridge_test

import (
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"limsbridge/bridge"
	"limsbridge/whoop"
	"limsbridge/whoop/sandbox"
)

// A rehearsal sends nothing, waits for the quota of a minute like everything else, and its looks
// count for what comes after it.
func TestRehearsalKeepsTheQuota(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, sandbox.Options{})
		r.client.PerMinute, r.client.PerDay = 2, 7 // the request for a token counts, too
		r.restart()
		for range 5 {
			q, _ := r.ordered("LIPID_PANEL")
			r.lipids(q, "5.40")
		}
		began, waits, planned, left := time.Now(), 0, 0, []int(nil)
		rehearsal := func() error {
			p := bridge.Rehearsal{LIMS: r.reader, API: r.caller, Ledger: r.ledger, Mapping: r.mapping, Settings: r.settings, Waits: func(_ time.Time, n int) {
				waits++
				left = append(left, n)
			}}
			return p.Run(t.Context(), began.Add(-time.Hour), time.Now(), func(x bridge.Rehearsed) error {
				if !x.Compared || len(x.Plan.Actions) != 4 {
					t.Errorf("compared: %t, with %d actions", x.Compared, len(x.Plan.Actions))
				}
				planned++
				return nil
			})
		}
		if err := rehearsal(); err != nil || planned != 5 || waits != 2 {
			t.Errorf("%d requisitions planned, %d waits, %v; want 5 and 2", planned, waits, err)
		}
		if !slices.Equal(left, []int{4, 2}) {
			t.Errorf("it waited with %v requisitions left", left)
		}
		if took := time.Since(began); took < 2*time.Minute {
			t.Errorf("5 looks take %v with 2 a minute", took)
		}
		r.restart()
		var quota *whoop.QuotaError
		if err := rehearsal(); !errors.As(err, &quota) || planned != 6 {
			t.Errorf("%d requisitions planned, want 6: %v", planned, err)
		}
		r.want(0, 0, nil)
	})
}
