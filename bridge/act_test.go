package bridge_test

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"limsbridge/bridge"
	"limsbridge/bridge/ledger"
	"limsbridge/lims"
	"limsbridge/whoop"
)

// TestResumeAfterRefusal: what WHOOP refused is tried once more after a person said so, whenever
// that was: between two passes, or in the middle of a turn of that very order.
func TestResumeAfterRefusal(t *testing.T) {
	resume := bridge.Event{Act: bridge.ResumeAct, By: "A. Lab", Why: "WHOOP mended it"}
	for _, during := range []string{"", "ORDER_CONFIRMED"} {
		t.Run("during "+during, func(t *testing.T) {
			dir := t.TempDir()
			if err := ledger.Create(dir, time.Now(), "test", "test"); err != nil {
				t.Fatal(err)
			}
			l, err := ledger.Open(dir, ledger.Options{})
			if err != nil {
				t.Fatal(err)
			}
			defer func() {
				if err := l.Close(); err != nil {
					t.Error(err)
				}
			}()
			api := &partner{
				shows: []whoop.ServiceRequest{
					{ID: lipid, Status: whoop.RequestActive, Code: "LIPID_PANEL"},
					{ID: cbc, Status: whoop.RequestActive, Code: "CBC"},
				},
				answers: map[string][]whoop.Answer{"final": {{Outcome: whoop.Rejected, Code: 422}}},
			}
			d := &desk{rows: all("180", "50", "100")}
			s := settings()
			s.Settle = 0
			b := bridge.New(d, api, l, mapping(t), s, slog.New(slog.DiscardHandler))
			act := func() {
				e := resume
				e.At = time.Now()
				if err := b.Act(context.Background(), e); err != nil {
					t.Error(err)
				}
			}
			pass := func(want string) {
				t.Helper()
				api.calls = nil
				if _, err := b.Pass(context.Background(), time.Now()); err != nil {
					t.Fatal(err)
				}
				if got := strings.Join(api.calls, ", "); got != want {
					t.Errorf("the pass made the calls %q, want %q", got, want)
				}
			}
			pass("look, ORDER_CONFIRMED, APPOINTMENT_ATTENDED, final")
			api.shows[0].BusinessStatus = whoop.AppointmentAttended
			pass("")
			if during == "" {
				act()
			} else { // while the other test of the order is confirmed
				d.rows = append(d.rows, lims.Row{Source: lims.Orders, ID: "o-CBC", Requisition: requisition.String(), OrderCode: "CBC", Status: "U"})
				api.during = func(call string) {
					if call == during {
						act()
					}
				}
				pass("ORDER_CONFIRMED")
				api.shows[1].BusinessStatus = whoop.OrderConfirmed
			}
			pass("look, final, FULL_RESULTS_READY")
			if err := l.Each(func(r bridge.Record) error {
				if len(r.Holds) > 0 {
					t.Errorf("still held: %v", r.Holds)
				}
				return nil
			}); err != nil {
				t.Error(err)
			}
		})
	}
}

// cutShort is a ledger whose process ends while it goes through its records.
type cutShort struct{ *ledger.Ledger }

var errEnded = errors.New("the process ended")

func (cutShort) Each(func(bridge.Record) error) error { return errEnded }

// A start that ends before everything was planned again has not put the new configuration in force.
func TestConfiguredAgainAfterAnInterruption(t *testing.T) {
	l := testLedger(t)
	k := bridge.Key{Kind: bridge.RequisitionKey, ID: requisition}
	if _, err := l.Commit(t.Context(), bridge.Event{At: time.Now(), Kind: bridge.LookEvent, Key: &k, Outcome: whoop.Sent}); err != nil {
		t.Fatal(err)
	}
	if err := bridge.Configured(t.Context(), cutShort{l}, "new", time.Now()); !errors.Is(err, errEnded) {
		t.Fatal(err)
	}
	if err := bridge.Configured(t.Context(), l, "new", time.Now()); err != nil {
		t.Fatal(err)
	}
	if r, _, err := l.Load(k); err != nil || r.Due.IsZero() {
		t.Errorf("the order is not planned again: %+v, %v", r, err)
	}
}
