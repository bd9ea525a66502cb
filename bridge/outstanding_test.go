package bridge_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"

	"limsbridge/bridge"
	"limsbridge/whoop"
	"limsbridge/whoop/sandbox"
)

func (r *rig) outstanding(age time.Duration) []bridge.Outstanding {
	r.t.Helper()
	all, err := bridge.FindOutstanding(r.ledger)
	if err == nil {
		err = bridge.Date(all, r.ledger.Journal)
	}
	if err != nil {
		r.t.Fatal(err)
	}
	return bridge.Older(all, time.Now(), age)
}

// What was accepted counts from then on, whatever happens to it, until it is complete or over.
func TestOutstanding(t *testing.T) {
	for _, tt := range []struct {
		name string
		live func(r *rig, q uuid.UUID)
		want string // status, age in days, and what it waits for
	}{
		{"accepted, and nothing since", func(*rig, uuid.UUID) {}, "ORDER_CONFIRMED 10 rows 0/0"},
		{"collected since", func(r *rig, q uuid.UUID) {
			r.order(q, "LIPID", "C")
		}, "APPOINTMENT_ATTENDED 10 rows 0/0"},
		{"in work", func(r *rig, q uuid.UUID) {
			r.order(q, "LIPID", "C")
			r.result(q, "LIPID", "CHOL", "", "N")
			r.result(q, "LIPID", "HDL", "", "N")
		}, "APPOINTMENT_ATTENDED 10 rows 2/2"},
		{"reported in part", func(r *rig, q uuid.UUID) {
			r.order(q, "LIPID", "C")
			r.result(q, "LIPID", "CHOL", "5", "A")
			r.result(q, "LIPID", "HDL", "", "N")
		}, "PARTIAL_RESULTS_READY 10 rows 1/2 reported 1"},
		{"held", func(r *rig, q uuid.UUID) {
			r.order(q, "LIPID", "C")
			r.result(q, "LIPID", "CHOL", "1,234", "A")
		}, "APPOINTMENT_ATTENDED 10 rows 0/1 holds [bad_value]"},
		{"in doubt", func(r *rig, q uuid.UUID) {
			r.fail(sandbox.Results, sandbox.ErrorAfter)
			r.lipids(q, "5")
		}, "APPOINTMENT_ATTENDED 10 rows 0/3 holds [in_doubt] in doubt 1"},
		{"complete", func(r *rig, q uuid.UUID) { r.lipids(q, "5") }, ""},
		{"cancelled by WHOOP", func(r *rig, q uuid.UUID) {
			if err := r.api.Revoke(request(r, q)); err != nil {
				r.t.Fatal(err)
			}
			r.order(q, "LIPID", "C") // looks again
		}, ""},
		{"rejected", func(r *rig, q uuid.UUID) { r.order(q, "LIPID", "X") }, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, sandbox.Options{})
				q, ids := r.ordered("LIPID_PANEL")
				r.order(q, "LIPID", "U")
				r.pass()
				<-time.After(9*(24*time.Hour) + 22*time.Hour)
				tt.live(r, q)
				r.passes(2 * time.Hour)
				got := ""
				for _, o := range r.outstanding(7 * (24 * time.Hour)) {
					if o.Request != ids[0] || o.Requisition != q || o.Test != "LIPID_PANEL" || o.AtLeast {
						t.Errorf("%+v", o)
					}
					got = fmt.Sprintf("%s %d rows %d/%d", o.Status, int(time.Since(o.Since)/(24*time.Hour)), o.Pending, o.Rows)
					for _, w := range []struct {
						is   bool
						text string
					}{
						{o.Reported > 0, fmt.Sprint(" reported ", o.Reported)}, {len(o.Holds) > 0, fmt.Sprint(" holds ", o.Holds)},
						{o.Doubts > 0, fmt.Sprint(" in doubt ", o.Doubts)},
					} {
						if w.is {
							got += w.text
						}
					}
				}
				if got != tt.want {
					t.Errorf("got  %s\nwant %s", got, tt.want)
				}
				if young := r.outstanding(11 * (24 * time.Hour)); len(young) != 0 {
					t.Errorf("older than it is: %+v", young)
				}
			})
		})
	}
}

// A confirmation in doubt counts from when a look settled it.
func TestOutstandingAfterDoubt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, sandbox.Options{})
		q, _ := r.ordered("LIPID_PANEL")
		r.order(q, "LIPID", "U")
		r.fail(sandbox.SetStatus, sandbox.ErrorAfter)
		r.fail(sandbox.SetRequisitionStatus, sandbox.ErrorAfter)
		r.passes(time.Hour)
		if got := r.outstanding(30 * time.Minute); len(got) != 1 || got[0].AtLeast || got[0].Status != whoop.OrderConfirmed {
			t.Errorf("%+v", got)
		}
	})
}

func TestDateWithoutJournal(t *testing.T) {
	all := []bridge.Outstanding{
		{Request: uuid.New(), Since: noon.Add(-8 * (24 * time.Hour)), AtLeast: true},
		{Request: uuid.New(), Since: noon.Add(-6 * (24 * time.Hour)), AtLeast: true},
		{Request: uuid.New(), AtLeast: true}, // nothing tells any more: told of
	}
	torn := errors.New("torn")
	if err := bridge.Date(all, func(func(bridge.Event) error) error { return torn }); !errors.Is(err, torn) {
		t.Error(err)
	}
	old := bridge.Older(all, noon, 7*(24*time.Hour))
	if len(old) != 2 || !old[0].Since.IsZero() || old[1].Request != all[0].Request || slices.ContainsFunc(old, func(o bridge.Outstanding) bool { return !o.AtLeast }) {
		t.Errorf("%+v", old)
	}
	if err := bridge.Date(nil, func(func(bridge.Event) error) error { return torn }); err != nil {
		t.Error("a journal was read for nothing")
	}
}

// request is the one service request of a requisition.
func request(r *rig, q uuid.UUID) uuid.UUID {
	rec, _, err := r.ledger.Load(bridge.Key{Kind: bridge.RequisitionKey, ID: q})
	if err != nil || len(rec.Requests) != 1 {
		r.t.Fatal(rec.Requests, err)
	}
	return rec.Requests[0].ID
}

// What somebody else accepted, and this bridge took over, counts from the look that showed it.
func TestOutstandingOfOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, sandbox.Options{})
		r.settings.AdoptProgress = true
		r.restart()
		q, ids := r.ordered("LIPID_PANEL")
		if err := r.api.SetForeignStatus(ids[0], string(whoop.OrderConfirmed)); err != nil {
			t.Fatal(err)
		}
		r.order(q, "LIPID", "U")
		r.passes(time.Hour)
		if got := r.outstanding(30 * time.Minute); len(got) != 1 || got[0].AtLeast {
			t.Errorf("%+v", got)
		}
	})
}
