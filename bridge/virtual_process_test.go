package bridge_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net"
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
)

// errKilled is what everything answers to a process that was killed: nothing that it still does
// reaches disk, database or API.
var errKilled = errors.New("the process was killed")

// process is one run of the bridge's program, which can be killed at any point where it touches
// the world outside: before and after each read, commit, flush and call.
type process struct {
	*virtual
	dir    string
	reader *lims.Reader
	client *whoop.Client
	ledger *ledger.Ledger
	bridge *bridge.Bridge
	cancel context.CancelFunc
	ended  chan struct{}
	disk   sync.RWMutex // held for reading while bbolt is written, so that no copy is of two instants

	mu      sync.Mutex
	killed  bool
	fuse    int  // points until it is killed; 0: it is not
	busy    bool // only points between two passes' readings count
	remains string
	open    map[uint64]uuid.UUID // reports of which the ledger knows no outcome, by their intent
	begun   []uuid.UUID          // reports whose intent is being committed
	conns   []net.Conn
}

// start opens the ledger in a folder and lets the loop run on it.
func (w *virtual) start(dir string) *process {
	p := &process{virtual: w, dir: dir, ended: make(chan struct{}), open: map[uint64]uuid.UUID{}}
	var err error
	if p.ledger, err = ledger.Open(dir, ledger.Options{}); err != nil {
		w.t.Fatal(err)
	}
	if d := p.ledger.Recovery().Doubt; d != nil {
		w.t.Errorf("the ledger that a kill left is in doubt: %v", d)
	}
	if p.reader, err = lims.Open(w.lims); err != nil {
		w.t.Fatal(err)
	}
	o := w.client
	o.DialContext = p.dial
	if p.client, err = whoop.New(o); err != nil {
		w.t.Fatal(err)
	}
	p.ledger.View(func(s *bridge.State) {
		for _, m := range s.Minutes {
			p.client.Spent(m.Start, m.Calls)
		}
	})
	p.bridge = bridge.New(mortalLIMS{p}, mortalAPI{p.client, p}, mortalLedger{p.ledger, p}, w.mapping, w.settings, slog.New(w.complaints))
	ctx, cancel := context.WithCancel(context.Background())
	p.cancel = cancel
	loop := bridge.Loop{Bridge: p.bridge, Zone: w.zone, After: p.after}
	go func() {
		defer close(p.ended)
		if err := loop.Run(ctx); err != nil && !errors.Is(err, errKilled) {
			w.t.Error(err)
		}
	}()
	return p
}

// after decides as the program does: what WHOOP or the LIMS cannot do now is tried again.
func (p *process) after(_ *bridge.Summary, err error) error {
	var failed *ledger.FailedError
	if p.dead() || errors.As(err, &failed) {
		return err
	}
	return nil
}

// end closes what the process held open, and returns the folder from which the next one starts.
func (p *process) end() string {
	p.cancel()
	<-p.ended
	p.client.Close()
	if err := errors.Join(p.reader.Close(), p.ledger.Close()); err != nil {
		p.t.Error(err)
	}
	if p.remains != "" {
		return p.remains
	}
	return p.dir
}

// arm lets the process be killed after so many more points.
func (p *process) arm(fuse int, busy bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.fuse, p.busy = fuse, busy
}

func (p *process) dead() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.killed
}

// point is one of the instants at which the process may end.
func (p *process) point(busy bool) error {
	p.mu.Lock()
	burnt := false
	if p.fuse > 0 && (busy || !p.busy) && !p.killed {
		p.fuse--
		burnt = p.fuse == 0
	}
	p.killed = p.killed || burnt
	killed := p.killed
	p.mu.Unlock()
	if burnt {
		p.die()
	}
	if killed {
		return errKilled
	}
	return nil
}

// die keeps the ledger as the end of a process at this instant leaves it.
func (p *process) die() {
	remains := p.copyState()
	p.mu.Lock()
	p.remains = remains
	p.unfinished()
	for _, c := range p.conns {
		_ = c.Close()
	}
	p.mu.Unlock()
	p.cancel()
}

// unfinished notes the reports that the copy just made knows no outcome of. The caller holds mu.
func (p *process) unfinished() {
	for _, id := range p.open {
		p.interrupted(id)
	}
	for _, id := range p.begun {
		p.interrupted(id)
	}
}

// copyState copies the ledger's folder: the checkpoint first, so that the journal is not behind it.
func (p *process) copyState() string {
	p.disk.Lock()
	defer p.disk.Unlock()
	to := filepath.Join(p.scratch, p.nextName())
	if err := os.MkdirAll(filepath.Join(to, "journal"), 0o700); err != nil {
		p.t.Fatal(err)
	}
	months, err := os.ReadDir(filepath.Join(p.dir, "journal"))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		p.t.Fatal(err)
	}
	names := []string{"fingerprint.key", "ledger.db"}
	for _, m := range months {
		names = append(names, filepath.Join("journal", m.Name()))
	}
	for i, name := range names {
		b, err := os.ReadFile(filepath.Join(p.dir, name))
		if err != nil {
			p.t.Fatal(err)
		}
		if i > 1 && i == len(names)-1 && bytes.HasSuffix(b, []byte("\n")) && p.torn() {
			b = append(b, `{"seq":`...) // a line that was begun
		}
		if err := os.WriteFile(filepath.Join(to, name), b, 0o600); err != nil {
			p.t.Fatal(err)
		}
	}
	return to
}

// dial remembers the connections of the process: they end with it.
func (p *process) dial(ctx context.Context, network, addr string) (net.Conn, error) {
	if p.dead() {
		return nil, errKilled
	}
	c, err := p.net.Dial(ctx, network, addr)
	if err == nil {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.conns = append(p.conns, c)
		if len(p.conns) > 64 {
			p.conns = slices.Clone(p.conns[len(p.conns)-32:]) // the others are long closed
		}
	}
	return c, err
}

// mortalLIMS is the LIMS as the process reaches it.
type mortalLIMS struct{ p *process }

func (m mortalLIMS) try(busy bool, read func() error) error {
	if err := m.p.point(busy); err != nil {
		return err
	}
	if m.p.limsDown.Load() {
		return errLIMS
	}
	if err := read(); err != nil {
		return err
	}
	return m.p.point(busy)
}

func (m mortalLIMS) Poll(ctx context.Context, s lims.Source, from lims.Cursor, back time.Duration, page func([]lims.Row, lims.Cursor) error) error {
	return m.try(false, func() error { return m.p.reader.Poll(ctx, s, from, back, page) })
}

func (m mortalLIMS) Fetch(ctx context.Context, s lims.Source, ids []string) (rows []lims.Row, err error) {
	err = m.try(true, func() error { rows, err = m.p.reader.Fetch(ctx, s, ids); return err })
	return rows, err
}

func (m mortalLIMS) Start(ctx context.Context, s lims.Source, at time.Time) (c lims.Cursor, err error) {
	err = m.try(false, func() error { c, err = m.p.reader.Start(ctx, s, at); return err })
	return c, err
}

func (m mortalLIMS) Since(ctx context.Context, s lims.Source, since time.Time, page func([]lims.Row) error) error {
	return m.try(false, func() error { return m.p.reader.Since(ctx, s, since, page) })
}

func (m mortalLIMS) Unstamped(ctx context.Context, s lims.Source, page func([]lims.Row) error) error {
	return m.try(false, func() error { return m.p.reader.Unstamped(ctx, s, page) })
}

// mortalLedger is the ledger as the process reaches it.
type mortalLedger struct {
	*ledger.Ledger
	p *process
}

func (m mortalLedger) Commit(ctx context.Context, events ...bridge.Event) ([]uint64, error) {
	if err := m.p.point(true); err != nil {
		return nil, err
	}
	m.p.mu.Lock()
	for _, e := range events {
		if e.Kind == bridge.IntentEvent && e.Action == bridge.SubmitReport {
			m.p.begun = append(m.p.begun, e.Requests[0])
		}
	}
	m.p.mu.Unlock()
	seqs, err := m.Ledger.Commit(ctx, events...)
	m.p.mu.Lock()
	for i, e := range events {
		if i >= len(seqs) {
			break
		}
		switch {
		case e.Kind == bridge.OutcomeEvent:
			delete(m.p.open, e.Intent)
		case e.Kind == bridge.IntentEvent && e.Action == bridge.SubmitReport:
			j := slices.Index(m.p.begun, e.Requests[0])
			m.p.begun = slices.Delete(m.p.begun, j, j+1)
			m.p.open[seqs[i]] = e.Requests[0]
		}
	}
	m.p.mu.Unlock()
	if err != nil {
		return nil, err
	}
	return seqs, m.p.point(true)
}

func (m mortalLedger) Note(k bridge.Key, change func(*bridge.Record)) error {
	if err := m.p.point(true); err != nil {
		return err
	}
	return m.Ledger.Note(k, change)
}

func (m mortalLedger) Flush() error {
	if err := m.p.point(false); err != nil {
		return err
	}
	m.p.disk.RLock()
	err := m.Ledger.Flush()
	m.p.disk.RUnlock()
	if err != nil {
		return err
	}
	return m.p.point(false)
}

// mortalAPI is WHOOP as the process reaches it.
type mortalAPI struct {
	*whoop.Client
	p *process
}

// gone is the answer that a killed process never gets.
var gone = whoop.Answer{Outcome: whoop.InDoubt, Text: "killed"}

func (m mortalAPI) Permit(ctx context.Context, c whoop.Class) (whoop.Permit, error) {
	if err := m.p.point(true); err != nil {
		return whoop.Permit{}, err
	}
	return m.Client.Permit(ctx, c)
}

func (m mortalAPI) SetRequisitionStatus(ctx context.Context, p whoop.Permit, id uuid.UUID, u whoop.StatusUpdate) whoop.Answer {
	return m.call(func() whoop.Answer { return m.Client.SetRequisitionStatus(ctx, p, id, u) })
}

func (m mortalAPI) SetStatus(ctx context.Context, p whoop.Permit, id uuid.UUID, u whoop.StatusUpdate) whoop.Answer {
	return m.call(func() whoop.Answer { return m.Client.SetStatus(ctx, p, id, u) })
}

func (m mortalAPI) SubmitReport(ctx context.Context, p whoop.Permit, id uuid.UUID, r whoop.Report) whoop.Answer {
	return m.call(func() whoop.Answer { return m.Client.SubmitReport(ctx, p, id, r) })
}

func (m mortalAPI) call(do func() whoop.Answer) whoop.Answer {
	if m.p.point(true) != nil {
		return gone
	}
	a := do()
	if m.p.point(true) != nil {
		return gone
	}
	return a
}

// complaints is a log handler that remembers what must never be said.
type complaints struct {
	mu   sync.Mutex
	said map[string]int
}

func (c *complaints) Enabled(_ context.Context, l slog.Level) bool { return l >= slog.LevelError }
func (c *complaints) WithAttrs([]slog.Attr) slog.Handler           { return c }
func (c *complaints) WithGroup(string) slog.Handler                { return c }

func (c *complaints) Handle(_ context.Context, r slog.Record) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.said[r.Message]++
	return nil
}

// memoryFolder is a folder whose syncs cost nothing, where the system has one: what a power cut
// does is the ledger's own test, and a month has ten thousand syncs.
func memoryFolder(t *testing.T) string {
	t.Helper()
	if dir, err := os.MkdirTemp("/dev/shm", "limsbridge"); err == nil { //nolint:usetesting // not on a disk
		t.Cleanup(func() { _ = os.RemoveAll(dir) })
		return dir
	}
	return t.TempDir()
}
