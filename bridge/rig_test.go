package bridge_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"limsbridge/bridge"
	"limsbridge/bridge/ledger"
	"limsbridge/lims"
	"limsbridge/whoop"
	"limsbridge/whoop/sandbox"
)

// rig is a whole bridge in virtual time: a SQLite database, the reader, the ledger on disk, the
// client and the simulated API behind connections in memory. It is made inside a synctest bubble.
type rig struct {
	t        *testing.T
	dir      string
	db       *sql.DB
	api      *sandbox.Server
	net      *memoryNet
	server   *http.Server
	settings bridge.Settings
	mapping  *bridge.Mapping
	client   whoop.Options

	reader *lims.Reader
	caller *whoop.Client
	ledger *ledger.Ledger
	bridge *bridge.Bridge
}

func newRig(t *testing.T, api sandbox.Options) *rig {
	t.Helper()
	r := &rig{t: t, dir: t.TempDir(), net: newMemoryNet(), api: sandbox.New(api), settings: settings(), mapping: mapping(t)}
	r.settings.StartFrom = time.Now().Add(-time.Minute)
	r.settings.Parallel = 4
	r.client = whoop.Options{BaseURL: "http://127.0.0.1/developer", ClientID: sandbox.DefaultClientID, ClientSecret: sandbox.DefaultClientSecret, DialContext: r.net.Dial}
	var err error
	if r.db, err = sql.Open("sqlite", "file:"+filepath.Join(r.dir, "lab.db")+"?_pragma=journal_mode(wal)"); err != nil {
		t.Fatal(err)
	}
	r.exec(`CREATE TABLE orders (row_id TEXT PRIMARY KEY, changed_at DATETIME, requisition_id TEXT, order_code TEXT, status TEXT, reason TEXT, birth_date DATE)`)
	r.exec(`CREATE TABLE results (row_id TEXT PRIMARY KEY, changed_at DATETIME, requisition_id TEXT, order_code TEXT, result_code TEXT, value TEXT, unit TEXT, status TEXT)`)
	r.server = &http.Server{Handler: r.api}
	go func() { _ = r.server.Serve(r.net) }()
	if err := ledger.Create(filepath.Join(r.dir, "state"), time.Now(), "test", "test"); err != nil {
		t.Fatal(err)
	}
	r.open()
	t.Cleanup(func() {
		r.close()
		if err := errors.Join(r.server.Close(), r.api.Close(), r.db.Close()); err != nil {
			t.Error(err)
		}
	})
	return r
}

// open starts the bridge's process, as it were.
func (r *rig) open() {
	r.t.Helper()
	var err error
	if r.ledger, err = ledger.Open(filepath.Join(r.dir, "state"), ledger.Options{}); err != nil {
		r.t.Fatal(err)
	}
	o := lims.Options{Type: lims.SQLite, Database: filepath.Join(r.dir, "lab.db"), Orders: lims.Query{View: "orders"}, Results: lims.Query{View: "results"}}
	if r.reader, err = lims.Open(o); err != nil {
		r.t.Fatal(err)
	}
	if r.caller, err = whoop.New(r.client); err != nil {
		r.t.Fatal(err)
	}
	r.ledger.View(func(s *bridge.State) {
		for _, m := range s.Minutes {
			r.caller.Spent(m.Start, m.Calls)
		}
	})
	r.bridge = bridge.New(r.reader, r.caller, r.ledger, r.mapping, r.settings, slog.New(slog.DiscardHandler))
}

func (r *rig) close() {
	r.t.Helper()
	r.caller.Close()
	if err := errors.Join(r.reader.Close(), r.ledger.Close()); err != nil {
		r.t.Error(err)
	}
}

// restart ends the process and starts it again.
func (r *rig) restart() {
	r.t.Helper()
	r.close()
	r.open()
}

func (r *rig) exec(query string, args ...any) {
	r.t.Helper()
	if _, err := r.db.Exec(query, args...); err != nil {
		r.t.Fatal(err)
	}
}

// ordered puts a requisition with these tests into the API and the LIMS, and returns its id and
// those of its service requests.
func (r *rig) ordered(tests ...string) (uuid.UUID, []uuid.UUID) {
	r.t.Helper()
	q := sandbox.Requisition{ID: uuid.New(), Patient: sandbox.Patient{BirthDate: "1980-01-02"}}
	for _, test := range tests {
		q.ServiceRequests = append(q.ServiceRequests, sandbox.Order{ID: uuid.New(), Code: test})
	}
	if _, err := r.api.AddRequisition(q); err != nil {
		r.t.Fatal(err)
	}
	var ids []uuid.UUID
	for _, s := range q.ServiceRequests {
		ids = append(ids, s.ID)
	}
	return q.ID, ids
}

const stampFormat = "2006-01-02 15:04:05.000"

func (r *rig) order(q uuid.UUID, code, status string) {
	r.exec(`INSERT OR REPLACE INTO orders VALUES (?, ?, ?, ?, ?, '', NULL)`,
		q.String()+"-"+code, time.Now().UTC().Format(stampFormat), q.String(), code, status)
}

func (r *rig) result(q uuid.UUID, order, code, value, status string) {
	r.exec(`INSERT OR REPLACE INTO results VALUES (?, ?, ?, ?, ?, ?, '', ?)`,
		q.String()[:30]+"-"+code, time.Now().UTC().Format(stampFormat), q.String(), order, code, value, status)
}

// lipids releases a whole lipid panel.
func (r *rig) lipids(q uuid.UUID, chol string) {
	r.order(q, "LIPID", "A")
	r.result(q, "LIPID", "CHOL", chol, "A")
	r.result(q, "LIPID", "HDL", "1.2", "A")
	r.result(q, "LIPID", "LDLC", "3.0", "A")
}

// pass makes one pass now.
func (r *rig) pass() *bridge.Summary {
	r.t.Helper()
	sum, err := r.bridge.Pass(context.Background(), time.Now())
	if err != nil {
		r.t.Fatal(err)
	}
	return sum
}

// passes makes passes every interval for so long.
func (r *rig) passes(long time.Duration) {
	r.t.Helper()
	for end := time.Now().Add(long); time.Now().Before(end); {
		r.pass()
		<-time.After(r.settings.Every)
	}
}

// holds counts what is held, by kind.
func (r *rig) holds() map[bridge.HoldKind]int {
	r.t.Helper()
	n := map[bridge.HoldKind]int{}
	err := r.ledger.Each(func(rec bridge.Record) error {
		for _, h := range rec.Holds {
			n[h.Kind]++
		}
		return nil
	})
	if err != nil {
		r.t.Fatal(err)
	}
	return n
}

// want compares what the API accepted, and checks what must hold in every world.
func (r *rig) want(reports, observations int, holds map[bridge.HoldKind]int) {
	r.t.Helper()
	c := r.api.Counts()
	if c.Reports != reports || c.Observations != observations {
		r.t.Errorf("accepted %d reports with %d observations, want %d with %d", c.Reports, c.Observations, reports, observations)
	}
	if c.Duplicates != 0 || len(c.Violations) != 0 {
		r.t.Errorf("%d duplicates, violations %v", c.Duplicates, c.Violations)
	}
	got := r.holds()
	if fmt.Sprint(got) != fmt.Sprint(holds) && len(got)+len(holds) > 0 {
		r.t.Errorf("held %v, want %v", got, holds)
	}
}

func (r *rig) act(e bridge.Event) {
	r.t.Helper()
	e.At, e.By, e.Why = time.Now(), "A. Lab", "a test"
	if err := r.bridge.Act(context.Background(), e); err != nil {
		r.t.Fatal(err)
	}
}

// memoryNet is a network of pipes: nothing of it leaves the bubble of virtual time.
type memoryNet struct {
	conns chan net.Conn
	done  chan struct{}
	once  sync.Once

	mu   sync.Mutex
	down bool
}

func newMemoryNet() *memoryNet {
	return &memoryNet{conns: make(chan net.Conn), done: make(chan struct{})}
}

var errNetDown = errors.New("the network is down")

func (n *memoryNet) Dial(ctx context.Context, _, _ string) (net.Conn, error) {
	n.mu.Lock()
	down := n.down
	n.mu.Unlock()
	if down {
		return nil, errNetDown
	}
	mine, theirs := net.Pipe()
	select {
	case n.conns <- theirs:
		return mine, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-n.done:
		return nil, net.ErrClosed
	}
}

func (n *memoryNet) Accept() (net.Conn, error) {
	select {
	case c := <-n.conns:
		return c, nil
	case <-n.done:
		return nil, net.ErrClosed
	}
}

func (n *memoryNet) Close() error {
	n.once.Do(func() { close(n.done) })
	return nil
}

func (n *memoryNet) Addr() net.Addr { return &net.IPAddr{IP: net.IPv4(127, 0, 0, 1)} }

func (n *memoryNet) set(down bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.down = down
}

// fail makes the next calls of an endpoint fail.
func (r *rig) fail(e sandbox.Endpoint, next ...sandbox.Fault) {
	r.t.Helper()
	if err := r.api.Fail(e, next...); err != nil {
		r.t.Fatal(err)
	}
}

// statuses compares the statuses that the API accepted for one service request.
func (r *rig) statuses(id uuid.UUID, want ...whoop.BusinessStatus) {
	r.t.Helper()
	a, _ := r.api.AcceptedFor(id)
	var got []whoop.BusinessStatus
	for _, s := range a.Statuses {
		got = append(got, whoop.BusinessStatus(s.Status))
	}
	if !slices.Equal(got, want) {
		r.t.Errorf("statuses %v, want %v", got, want)
	}
}

// loseLedger puts a new ledger in the place of the old one, as somebody who reinstalls does.
func (r *rig) loseLedger() {
	r.t.Helper()
	r.close()
	state := filepath.Join(r.dir, "state")
	if err := errors.Join(os.RemoveAll(state), ledger.Create(state, time.Now(), "test", "test")); err != nil {
		r.t.Fatal(err)
	}
	r.open()
}

// resolve decides all holds of a kind, as a person does while the bridge runs.
func (r *rig) resolve(k bridge.HoldKind, v bridge.Verdict) {
	r.t.Helper()
	held, err := bridge.Holds(r.ledger)
	if err != nil {
		r.t.Fatal(err)
	}
	s := bridge.Resolution{Verdict: v, By: "A. Lab", Why: "a test"}
	for _, h := range held {
		if h.Kind == k {
			s.IDs = append(s.IDs, h.ID)
		}
	}
	if err := r.bridge.Resolve(r.t.Context(), s, time.Now()); err != nil {
		r.t.Fatal(err)
	}
}
