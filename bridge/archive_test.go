package bridge_test

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"limsbridge/bridge"
	"limsbridge/whoop"
	"limsbridge/whoop/sandbox"
)

// copies is an archive in memory that can fail, and looks at the journal while a copy is made.
type copies struct {
	mu     sync.Mutex
	rig    *rig
	kept   []bridge.Copy
	broken bool
}

func (c *copies) Keep(n bridge.Copy) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.rig.intents()) > len(c.kept) {
		c.rig.t.Error("an intent came before its copy")
	}
	if c.broken {
		return errors.New("disk full")
	}
	c.kept = append(c.kept, n)
	return nil
}

// intents are the intents of reports in the journal.
func (r *rig) intents() (out []bridge.Event) {
	err := r.ledger.Journal(func(e bridge.Event) error {
		if e.Kind == bridge.IntentEvent && e.Action == bridge.SubmitReport {
			out = append(out, e)
		}
		return nil
	})
	if err != nil {
		r.t.Error(err)
	}
	return out
}

func TestEveryReportIsKept(t *testing.T) {
	for _, tt := range []struct {
		name string
		live func(r *rig, c *copies)
		want []whoop.ReportStatus // kept, in order
	}{
		{"original and corrected", func(r *rig, _ *copies) {
			q, _ := r.ordered("LIPID_PANEL")
			r.lipids(q, "5.40")
			r.passes(30 * time.Minute)
			r.result(q, "LIPID", "CHOL", "6.1", "A")
			r.passes(30 * time.Minute)
			r.want(2, 4, nil)
		}, []whoop.ReportStatus{"final", "corrected"}},
		{"one in doubt is kept: it may have arrived", func(r *rig, _ *copies) {
			r.fail(sandbox.Results, sandbox.CutAfter)
			q, _ := r.ordered("LIPID_PANEL")
			r.lipids(q, "5.40")
			r.passes(30 * time.Minute)
			r.want(1, 3, holds{bridge.Doubt: 1})
		}, []whoop.ReportStatus{"final"}},
		{"while the archive fails reports wait, and statuses go on", func(r *rig, c *copies) {
			c.broken = true
			q, ids := r.ordered("LIPID_PANEL")
			other, others := r.ordered("LIPID_PANEL")
			r.lipids(q, "5.40")
			r.lipids(other, "5.40")
			r.passes(100 * time.Minute)
			r.want(0, 0, nil)
			for _, id := range slices.Concat(ids, others) {
				r.statuses(id, whoop.OrderConfirmed, whoop.AppointmentAttended)
			}
			if n := len(r.intents()); n != 0 {
				t.Errorf("%d intents of what was not kept", n)
			}
			if sum := r.pass(); sum.Waiting["archive"] != 2 || r.api.Counts().Calls[sandbox.Results] != 0 {
				t.Errorf("waiting %v", sum.Waiting)
			}
			r.restart() // nothing is in doubt after it
			c.rig, c.broken = r, false
			r.bridge.KeepIn(c)
			r.pass()
			r.want(2, 6, nil)
		}, []whoop.ReportStatus{"final", "final"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, sandbox.Options{})
				c := &copies{rig: r}
				r.bridge.KeepIn(c)
				tt.live(r, c)
				var got []whoop.ReportStatus
				sent := map[string]int{}
				for _, k := range c.kept {
					got = append(got, k.Report.Status)
					sent[fmt.Sprint(k.Request, k.At.UnixNano(), k.Report.Status, len(k.Report.Observations))]++
				}
				if !slices.Equal(got, tt.want) {
					t.Errorf("kept %v, want %v", got, tt.want)
				}
				for _, e := range r.intents() { // by instant and service request the two join
					sent[fmt.Sprint(e.Requests[0], e.At.UnixNano(), e.Report, len(e.Prints))]--
				}
				for k, n := range sent {
					if n != 0 {
						t.Errorf("copies less intents of %s: %d", k, n)
					}
				}
			})
		})
	}
}
