package bridge_test

import (
	"testing"
	"testing/synctest"
	"time"

	"limsbridge/whoop/sandbox"
)

// What WHOOP showed is relied on for a day, and not across a start or a gap in which other hands
// may have been at work: then a look comes before whatever is sent next.
func TestLooksAreRepeated(t *testing.T) {
	for _, tt := range []struct {
		name  string
		live  func(*rig)
		looks int
	}{
		{"not while passes go on", func(r *rig) { r.passes(22 * time.Hour) }, 0},
		{"not after a short gap", func(*rig) { <-time.After(50 * time.Minute) }, 0},
		{"after a start", func(r *rig) { r.restart() }, 1},
		{"after a gap of over an hour", func(*rig) { <-time.After(61 * time.Minute) }, 1},
		{"after a day", func(r *rig) { r.passes(24 * time.Hour) }, 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, sandbox.Options{})
				q, _ := r.ordered("LIPID_PANEL")
				r.order(q, "LIPID", "C")
				r.result(q, "LIPID", "CHOL", "5.40", "A")
				r.passes(20 * time.Minute)
				r.want(1, 1, nil)
				before := r.api.Counts().Calls[sandbox.GetRequisition]
				tt.live(r)
				r.result(q, "LIPID", "HDL", "1.2", "A")
				r.passes(20 * time.Minute)
				r.want(2, 2, nil)
				if looks := r.api.Counts().Calls[sandbox.GetRequisition] - before; looks != tt.looks {
					t.Errorf("%d looks, want %d", looks, tt.looks)
				}
			})
		})
	}
}

// Before the first report of a service request a look is ten minutes old at most, whenever its pass
// began: somebody may have reported it by hand meanwhile.
func TestFirstReportNeedsALateLook(t *testing.T) {
	for _, tt := range []struct {
		name         string
		rests, takes time.Duration // since the look: until the pass begins, and until it comes to the record
		looks        int
	}{
		{"a look of eight minutes ago", 8 * time.Minute, 0, 0},
		{"a look of eleven minutes ago", 11 * time.Minute, 0, 1},
		{"a look that grew old during a long pass", 8 * time.Minute, 3 * time.Minute, 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, sandbox.Options{})
				r.settings.Settle = time.Minute
				r.restart()
				q, _ := r.ordered("LIPID_PANEL")
				r.order(q, "LIPID", "C")
				r.pass()
				before := r.api.Counts().Calls[sandbox.GetRequisition]
				r.lipids(q, "5.40")
				r.pass() // notices them; they settle
				<-time.After(tt.rests)
				began := time.Now()
				<-time.After(tt.takes)
				if _, err := r.bridge.Pass(t.Context(), began); err != nil {
					t.Fatal(err)
				}
				r.want(1, 3, nil)
				if looks := r.api.Counts().Calls[sandbox.GetRequisition] - before; looks != tt.looks {
					t.Errorf("%d looks, want %d", looks, tt.looks)
				}
			})
		})
	}
}
