package bridge_test

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"limsbridge/bridge"
	"limsbridge/whoop/sandbox"
)

// TestFirstPassTells: whoever looks why nothing is sent reads in the log what to type, once.
func TestFirstPassTells(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, sandbox.Options{})
		var log bytes.Buffer
		r.settings.Brake.FirstPass = 1
		r.bridge = bridge.New(r.reader, r.caller, r.ledger, r.mapping, r.settings, slog.New(slog.NewTextHandler(&log, nil)))
		for range 2 {
			q, _ := r.ordered("LIPID_PANEL")
			r.lipids(q, "5.40")
		}
		r.passes(time.Hour)
		if n := strings.Count(log.String(), "resume --brake first_pass --count"); n != 1 {
			t.Errorf("told %d times, want once:\n%s", n, log.String())
		}
	})
}
