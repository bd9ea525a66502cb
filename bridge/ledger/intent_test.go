package ledger

import (
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"limsbridge/bridge"
	"limsbridge/lims"
	"limsbridge/whoop"
	"limsbridge/whoop/sandbox"
)

// oneResult is a LIMS with one complete order of one result.
type oneResult struct{ rows []lims.Row }

func (o oneResult) Poll(_ context.Context, s lims.Source, from lims.Cursor, _ time.Duration, page func([]lims.Row, lims.Cursor) error) error {
	rows, err := o.Fetch(context.Background(), s, nil)
	if err != nil {
		return err
	}
	return page(rows, from)
}

func (o oneResult) Fetch(_ context.Context, s lims.Source, _ []string) (rows []lims.Row, err error) {
	return slices.DeleteFunc(slices.Clone(o.rows), func(r lims.Row) bool { return r.Source != s }), nil
}

func (oneResult) Start(context.Context, lims.Source, time.Time) (lims.Cursor, error) {
	return lims.Cursor{}, nil
}

func (oneResult) Since(context.Context, lims.Source, time.Time, func([]lims.Row) error) error {
	return nil
}

func (oneResult) Unstamped(context.Context, lims.Source, func([]lims.Row) error) error { return nil }

// The power is cut while a call is at WHOOP, each call in its turn, with a disk that keeps nothing
// but what was synced: whoever starts again knows of the call, and that its outcome is in doubt.
func TestAnIntentIsOnTheDiskBeforeItsCallLeaves(t *testing.T) {
	d := &flaky{}
	dir := create(t)
	l := open(t, dir, Options{disk: d})

	api := sandbox.New(sandbox.Options{})
	order := sandbox.Requisition{ID: id(1), ServiceRequests: []sandbox.Order{{ID: id(101), Code: "TSH"}}}
	if _, err := api.AddRequisition(order); err != nil {
		t.Fatal(err)
	}
	var calls []string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet && !strings.HasSuffix(r.URL.Path, "/token") {
			l.checkpointing.Lock() // a running transaction is bbolt's own matter
			cut := d.powerCut(t, dir, func(int64) int64 { return 0 })
			l.checkpointing.Unlock()
			calls = append(calls, inDoubt(t, cut))
		}
		api.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)

	client, err := whoop.New(whoop.Options{BaseURL: server.URL, ClientID: sandbox.DefaultClientID, ClientSecret: sandbox.DefaultClientSecret})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	mapping, err := bridge.NewMapping(
		[]bridge.Test{{Code: "TSH", LIMS: []string{"T"}, Results: map[string]bridge.ObservationRule{"T": {Code: "TSH"}}}},
		bridge.Words{Orders: map[string]bridge.OrderWord{"A": bridge.Complete}, Results: map[string]bridge.ResultWord{"A": bridge.Released}},
		nil, bridge.ValueRules{})
	if err != nil {
		t.Fatal(err)
	}
	settings := bridge.Fixed()
	settings.Send = true
	rows := []lims.Row{
		{Source: lims.Orders, ID: "1", Requisition: id(1).String(), OrderCode: "T", Status: "A"},
		{Source: lims.Results, ID: "2", Requisition: id(1).String(), OrderCode: "T", ResultCode: "T", Value: "2.1", Unit: "mU/L", Status: "A"},
	}
	b := bridge.New(oneResult{rows}, client, l, mapping, settings, slog.New(slog.DiscardHandler))
	if _, err := b.Pass(t.Context(), time.Now()); err != nil {
		t.Fatal(err)
	}
	want := []string{"status ORDER_CONFIRMED", "status APPOINTMENT_ATTENDED", "report final TSH", "status FULL_RESULTS_READY"}
	if !slices.Equal(calls, want) {
		t.Errorf("in doubt after a power cut at each call: %q, want %q", calls, want)
	}
}

// inDoubt tells the attempts in doubt of requisition 1 in a ledger that a power cut left.
func inDoubt(t *testing.T, dir string) string {
	l := open(t, dir, Options{})
	r, _, err := l.Load(requisition(1))
	if err != nil || l.Recovery().Doubt != nil {
		t.Error(err, l.Recovery())
	}
	var told []string
	for _, a := range r.Attempts {
		if a.Open() || !slices.Equal(a.Requests, []uuid.UUID{id(101)}) {
			t.Errorf("an attempt that is open, or of %v", a.Requests)
		}
		text := string(a.Action) + " " + string(a.Status) + string(a.Report)
		for _, s := range a.Prints {
			text += " " + s.Code
		}
		told = append(told, text)
	}
	return strings.Join(told, ", ")
}
