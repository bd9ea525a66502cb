package bridge_test

import (
	"context"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"

	"limsbridge/bridge"
	"limsbridge/bridge/ledger"
	"limsbridge/lims"
	"limsbridge/whoop"
)

// desk is a LIMS of a few rows.
type desk struct {
	rows []lims.Row
	mu   sync.Mutex // for tests that change rows during a pass
}

func (d *desk) of(s lims.Source) []lims.Row {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(d.rows), func(r lims.Row) bool { return r.Source != s })
}

func (d *desk) Poll(_ context.Context, s lims.Source, _ lims.Cursor, _ time.Duration, page func([]lims.Row, lims.Cursor) error) error {
	return page(d.of(s), lims.Cursor{Stamp: "1", Seen: true})
}

func (d *desk) Fetch(_ context.Context, s lims.Source, ids []string) ([]lims.Row, error) {
	return slices.DeleteFunc(d.of(s), func(r lims.Row) bool { return !slices.Contains(ids, r.ID) }), nil
}

func (d *desk) Start(context.Context, lims.Source, time.Time) (lims.Cursor, error) {
	return lims.Cursor{Stamp: "0"}, nil
}

func (d *desk) Since(_ context.Context, s lims.Source, _ time.Time, page func([]lims.Row) error) error {
	return page(d.of(s))
}

func (d *desk) Unstamped(context.Context, lims.Source, func([]lims.Row) error) error { return nil }

// partner is an API that writes down what it is asked for and answers as told, else with success.
type partner struct {
	mu      sync.Mutex
	shows   []whoop.ServiceRequest
	calls   []string
	answers map[string][]whoop.Answer // by call, the next first
	during  func(call string)         // before the answer
}

func (p *partner) answer(call string, success int) whoop.Answer {
	if p.during != nil {
		p.during(call)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.calls = append(p.calls, call)
	if next := p.answers[call]; len(next) > 0 {
		p.answers[call] = next[1:]
		return next[0]
	}
	return whoop.Answer{Outcome: whoop.Sent, Code: success}
}

func (p *partner) ForeignCalls() int { return 0 }

func (p *partner) Return(whoop.Permit) {}

func (p *partner) Permit(context.Context, whoop.Class) (whoop.Permit, error) {
	return whoop.Permit{}, nil
}

func (p *partner) Requisition(_ context.Context, _ whoop.Permit, id uuid.UUID) (whoop.LabRequisition, whoop.Answer) {
	return whoop.LabRequisition{ID: id, ServiceRequests: p.shows}, p.answer("look", 200)
}

func (p *partner) ServiceRequest(context.Context, whoop.Permit, uuid.UUID) (whoop.ServiceRequest, whoop.Answer) {
	return p.shows[0], p.answer("look", 200)
}

func (p *partner) SetRequisitionStatus(_ context.Context, _ whoop.Permit, _ uuid.UUID, u whoop.StatusUpdate) whoop.Answer {
	return p.answer("all "+string(u.BusinessStatus), 204)
}

func (p *partner) SetStatus(_ context.Context, _ whoop.Permit, _ uuid.UUID, u whoop.StatusUpdate) whoop.Answer {
	return p.answer(string(u.BusinessStatus), 200)
}

func (p *partner) SubmitReport(_ context.Context, _ whoop.Permit, _ uuid.UUID, r whoop.Report) whoop.Answer {
	return p.answer(string(r.Status), 201)
}

// TestTurn tells the calls of passes over one order that the LIMS shows complete, by what WHOOP
// answers. All steps of an order are taken in one turn, each intent after the outcome before it.
func TestTurn(t *testing.T) {
	limited := whoop.Answer{Outcome: whoop.Released, Code: 429}
	for name, x := range map[string]struct {
		answers map[string][]whoop.Answer
		passes  []string
	}{
		"everything is accepted": {nil, []string{"look, ORDER_CONFIRMED, APPOINTMENT_ATTENDED, final, FULL_RESULTS_READY", ""}},
		"a token is refused once": {
			map[string][]whoop.Answer{"final": {{Outcome: whoop.Released, Code: 401}}},
			[]string{"look, ORDER_CONFIRMED, APPOINTMENT_ATTENDED, final, final, FULL_RESULTS_READY", ""},
		},
		"a limit is hit": {
			map[string][]whoop.Answer{"look": {limited}, "APPOINTMENT_ATTENDED": {limited}, "final": {limited}},
			[]string{"look", "look, ORDER_CONFIRMED, APPOINTMENT_ATTENDED", "APPOINTMENT_ATTENDED, final", "final, FULL_RESULTS_READY", ""},
		},
		"a report is in doubt": {
			map[string][]whoop.Answer{"final": {{Outcome: whoop.InDoubt, Code: 500}}},
			[]string{"look, ORDER_CONFIRMED, APPOINTMENT_ATTENDED, final", "", ""},
		},
		"a report is refused": {
			map[string][]whoop.Answer{"final": {{Outcome: whoop.Rejected, Code: 422}}},
			[]string{"look, ORDER_CONFIRMED, APPOINTMENT_ATTENDED, final", "", ""},
		},
	} {
		t.Run(name, func(t *testing.T) {
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
			api := &partner{shows: []whoop.ServiceRequest{{ID: lipid, Status: whoop.RequestActive, Code: "LIPID_PANEL"}}, answers: x.answers}
			s := settings()
			s.Settle = 0
			b := bridge.New(&desk{rows: all("180", "50", "100")}, api, l, mapping(t), s, slog.New(slog.DiscardHandler))
			for i, want := range x.passes {
				api.calls = nil
				if _, err := b.Pass(context.Background(), time.Now()); err != nil {
					t.Fatal(err)
				}
				if got := strings.Join(api.calls, ", "); got != want {
					t.Errorf("pass %d made the calls %q, want %q", i+1, got, want)
				}
			}
		})
	}
}

// The calls of one requisition never overlap, also where they are about different tests; those of two
// requisitions do.
func TestOneCallAtATime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		other := uuid.MustParse("44444444-4444-4444-8444-444444444444")
		d := &desk{rows: rowsOf(other)}
		d.rows = append(d.rows, all("180", "50", "100")...)
		d.rows = append(d.rows, order("CBC", "A"), order("DIFF", "A"), result("WBC", "6.1", "A"), result("NEUT", "54", "A"))
		api := &crowded{partner: &partner{}, running: map[uuid.UUID]int{}, of: map[uuid.UUID]uuid.UUID{lipid: requisition, cbc: requisition, other: other}}
		s := settings()
		s.Settle, s.Parallel = 0, 4
		b := bridge.New(d, api, testLedger(t), mapping(t), s, slog.New(slog.DiscardHandler))
		if _, err := b.Pass(t.Context(), time.Now()); err != nil {
			t.Fatal(err)
		}
		if api.reports != 3 || api.most != 1 {
			t.Errorf("%d reports, and up to %d calls of one requisition at a time", api.reports, api.most)
		}
		if api.all < 2 {
			t.Error("two requisitions waited for each other")
		}
	})
}

// crowded is a partner that takes a second for each call and counts those that overlap.
type crowded struct {
	*partner
	of      map[uuid.UUID]uuid.UUID // requisition by service request
	running map[uuid.UUID]int       // by requisition
	most    int                     // of one requisition
	all     int
	reports int
}

func (c *crowded) call(requisition uuid.UUID) {
	c.mu.Lock()
	c.running[requisition]++
	c.most = max(c.most, c.running[requisition])
	sum := 0
	for _, n := range c.running {
		sum += n
	}
	c.all = max(c.all, sum)
	c.mu.Unlock()
	<-time.After(time.Second)
	c.mu.Lock()
	c.running[requisition]--
	c.mu.Unlock()
}

func (c *crowded) Requisition(_ context.Context, _ whoop.Permit, id uuid.UUID) (whoop.LabRequisition, whoop.Answer) {
	c.call(id)
	q := whoop.LabRequisition{ID: id}
	for request, of := range c.of {
		if code := map[bool]string{true: "CBC", false: "LIPID_PANEL"}[request == cbc]; of == id {
			q.ServiceRequests = append(q.ServiceRequests, whoop.ServiceRequest{ID: request, Status: whoop.RequestActive, Code: code})
		}
	}
	return q, whoop.Answer{Outcome: whoop.Sent, Code: 200}
}

func (c *crowded) SetRequisitionStatus(_ context.Context, _ whoop.Permit, id uuid.UUID, _ whoop.StatusUpdate) whoop.Answer {
	c.call(id)
	return whoop.Answer{Outcome: whoop.Sent, Code: 204}
}

func (c *crowded) SetStatus(_ context.Context, _ whoop.Permit, id uuid.UUID, _ whoop.StatusUpdate) whoop.Answer {
	c.call(c.of[id])
	return whoop.Answer{Outcome: whoop.Sent, Code: 200}
}

func (c *crowded) SubmitReport(_ context.Context, _ whoop.Permit, id uuid.UUID, _ whoop.Report) whoop.Answer {
	c.call(c.of[id])
	c.mu.Lock()
	defer c.mu.Unlock()
	c.reports++
	return whoop.Answer{Outcome: whoop.Sent, Code: 201}
}
