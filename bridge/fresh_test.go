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
