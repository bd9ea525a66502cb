package bridge_test

import (
	"context"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"

	"limsbridge/bridge"
	"limsbridge/whoop"
	"limsbridge/whoop/sandbox"
)

// interloper is WHOOP's API, with something that happens while a report waits for its permit: after
// it was planned, before it is made.
type interloper struct {
	bridge.API
	happen func()
}

func (m *interloper) Permit(ctx context.Context, c whoop.Class) (whoop.Permit, error) {
	if c == whoop.Finals && m.happen != nil {
		m.happen()
		m.happen = nil
	}
	return m.API.Permit(ctx, c)
}

// Right before each call the ledger is asked again. Whatever a plan says, nothing goes out that
// the ledger knows as sent or in doubt, and nothing after an end.
func TestCallsThatContradictTheLedgerAreNotMade(t *testing.T) {
	type events = func(request uuid.UUID, s bridge.Sent) []bridge.Event
	report := func(o whoop.Outcome) events {
		return func(request uuid.UUID, s bridge.Sent) []bridge.Event {
			return []bridge.Event{
				{Kind: bridge.IntentEvent, Action: bridge.SubmitReport, Requests: []uuid.UUID{request}, Report: whoop.ReportPartial, Prints: []bridge.Sent{s}},
				{Kind: bridge.OutcomeEvent, Action: bridge.SubmitReport, Outcome: o},
			}
		}
	}
	for _, tt := range []struct {
		name    string
		happens events
		reports int
	}{
		{"nothing happens", func(uuid.UUID, bridge.Sent) []bridge.Event { return nil }, 1},
		{"the observation was sent", report(whoop.Sent), 0},
		{"the observation is in doubt", report(whoop.InDoubt), 0},
		{"a status is in doubt", func(request uuid.UUID, _ bridge.Sent) []bridge.Event {
			return []bridge.Event{{Kind: bridge.IntentEvent, Action: bridge.SetStatus, Requests: []uuid.UUID{request}, Status: whoop.PartialResultsReady}}
		}, 0},
		{"the request is revoked", func(request uuid.UUID, _ bridge.Sent) []bridge.Event {
			return []bridge.Event{{Kind: bridge.LookEvent, Outcome: whoop.Sent, Shown: []bridge.Request{{ID: request, Code: "LIPID_PANEL", Revoked: true}}}}
		}, 0},
		{"the request has an issue", func(request uuid.UUID, _ bridge.Sent) []bridge.Event {
			return []bridge.Event{{Kind: bridge.LookEvent, Outcome: whoop.Sent, Shown: []bridge.Request{{ID: request, Code: "LIPID_PANEL", Status: whoop.OrderIssue}}}}
		}, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, sandbox.Options{})
				r.settings.Settle = 0
				q, ids := r.ordered("LIPID_PANEL")
				key := bridge.Key{Kind: bridge.RequisitionKey, ID: q}
				r.order(q, "LIPID", "C")
				api := &interloper{API: r.caller}
				b := bridge.New(r.reader, api, r.ledger, r.mapping, r.settings, slog.New(slog.DiscardHandler))
				pass := func() {
					if _, err := b.Pass(t.Context(), time.Now()); err != nil {
						t.Fatal(err)
					}
				}
				pass() // confirmed and collected
				r.result(q, "LIPID", "CHOL", "5.40", "A")
				api.happen = func() {
					version := bridge.NewFingerprints(r.ledger.Key()).Observation(ids[0], "TOTAL_CHOLESTEROL", "5.40", "mg/dL", false)
					var intent uint64
					for _, e := range tt.happens(ids[0], bridge.Sent{Code: "TOTAL_CHOLESTEROL", Row: "another", Print: version}) {
						e.At, e.Key, e.Intent = time.Now(), &key, intent
						seqs, err := r.ledger.Commit(t.Context(), e)
						if err != nil {
							t.Fatal(err)
						}
						intent = seqs[0]
					}
				}
				pass()
				if api.happen != nil {
					t.Fatal("no report was planned")
				}
				if got := r.api.Counts().Reports; got != tt.reports {
					t.Errorf("%d reports arrived, want %d", got, tt.reports)
				}
			})
		})
	}
}
