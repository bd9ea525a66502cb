package main

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"limsbridge/bridge"
	"limsbridge/bridge/ledger"
	"limsbridge/config"
	"limsbridge/lims/limstest"
	"limsbridge/whoop/sandbox"
)

// The torture: the real program as a process of its own, between a lab that goes on working and a
// simulated API, killed the hard way again and again, at random instants and at every named point,
// and started again on the same folder. At the end it may finish, and everything is compared with
// the lab's truth and with what the API accepted: see torture_check_test.go.
//
// LIMSBRIDGE_KILLS and LIMSBRIDGE_SEED choose how often and which; `make torture` kills 10,000
// times. A seed repeats the lab, the points and the pauses, and not the machine's timing. With
// `go test -artifacts` the folders stay, to be looked at.
const (
	killsByDefault = 50  // a share that takes some seconds
	killsOfOneLab  = 500 // then a new lab begins, with a new ledger
	ordersPerKill  = 3
	parallel       = 8 // calls at the same time, and so the most that a kill leaves in doubt
)

// Where a process is killed. Points of the ledger are those of bridge/ledger, point.go, behind
// them the kind of event that is being written; points of the API are on the far side of a call.
var (
	ledgerPoints = []string{
		"commit intent", "write intent", "written intent", "synced intent", "committed intent", // then its call begins
		"commit outcome", "write outcome", "written outcome", "synced outcome", "committed outcome", // the answer came before
		"commit look", "write look", "written look", "synced look", "committed look",
		"checkpoint", "checkpointed",
	}
	apiPoints = []string{
		"arrived and lost",      // the call arrives, the process dies, the call is not processed
		"arrived and processed", // the process dies, the call is processed all the same
		"processed",             // the call is processed, the process dies before the answer
		"answered",              // the answer is on its way, or there
	}
)

func TestTorture(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("on Windows a process that was killed ends like one that failed, so that the two cannot be told apart")
	}
	kills, seed := fromEnvironment(t, "LIMSBRIDGE_KILLS", killsByDefault), fromEnvironment(t, "LIMSBRIDGE_SEED", rand.Uint64()>>1)
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("again: LIMSBRIDGE_KILLS=%d LIMSBRIDGE_SEED=%d go test -artifacts -timeout 0 -run '^TestTorture$' ./cmd/limsbridge", kills, seed)
		}
	})
	program := buildProgram(t, "-tags", "torture")
	deaths := map[string]int{}
	began, all := time.Now(), tally{}
	for left, n := int(kills), uint64(0); left > 0; left, n = left-killsOfOneLab, n+1 {
		e := newEpisode(t, seed+n, min(left, killsOfOneLab))
		for life := range e.kills {
			deaths[e.life(program, life)]++
		}
		all.add(e.end())
		t.Logf("%d kills after %s: %s", int(kills)-max(0, left-killsOfOneLab), time.Since(began).Round(time.Second), all)
	}
	t.Logf("deaths: %v", deaths)
	for _, p := range append(ledgerPoints, apiPoints...) {
		if kills >= 5*killsOfOneLab && deaths[p] == 0 { // with fewer, chance may leave one out
			t.Errorf("no process died at the point %q: it is not passed any more, or never so often", p)
		}
	}
}

// Without kills the same lab leaves nothing in doubt and nothing held.
func TestTortureWithoutKills(t *testing.T) {
	e := newEpisode(t, 1, 0)
	if got := e.end(); got.doubts+got.inFlight != 0 || got.reports == 0 {
		t.Errorf("%s", got)
	}
}

// buildProgram builds the program as go build does with these flags, and returns its path.
func buildProgram(t *testing.T, flags ...string) string {
	t.Helper()
	program := filepath.Join(t.TempDir(), "limsbridge")
	build := exec.CommandContext(t.Context(), "go", slices.Concat([]string{"build", "-o", program}, flags, []string{"."})...)
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return program
}

func fromEnvironment(t *testing.T, name string, otherwise uint64) uint64 {
	text := os.Getenv(name)
	if text == "" {
		return otherwise
	}
	n, err := strconv.ParseUint(text, 10, 63)
	if err != nil {
		t.Fatalf("%s is not a number: %v", name, err)
	}
	return n
}

// episode is one lab with one ledger, from the first process to the comparison.
type episode struct {
	*testing.T
	kills    int
	dice     *rand.Rand
	lab      *limstest.Lab
	api      *sandbox.Server
	gate     *gate
	network  *wire  // between the program and the API
	database *wire  // between the program and its database, where that is not a file
	config   string // limsbridge.yaml
	state    string // the ledger's folder
	source   string // settings of the database, where it is another one than the lab's own
	clock    clock  // of the lab
	stopLab  func() error
	inFlight int // calls that were in flight at the kills
}

// kinds are what happens at the lab: everything that ends in reports, also corrected and amended ones.
var kinds = []limstest.Kind{
	limstest.Plain, limstest.Plain, limstest.Corrected, limstest.Plain, limstest.ParentRelease, limstest.Rerun,
	limstest.Plain, limstest.BackAndForth, limstest.ReplacedChanged, limstest.ReopenedChanged, limstest.HiddenRows,
	limstest.Plain, limstest.Amended, limstest.OptionalNotMeasurable, limstest.ReplacedSame,
}

func newEpisode(t *testing.T, seed uint64, kills int) *episode {
	dir := filepath.Join(t.ArtifactDir(), strconv.FormatUint(seed, 10))
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	return newEpisodeIn(t, dir, seed, kills, limstest.Options{
		Orders: max(40, ordersPerKill*kills), For: max(time.Second, time.Duration(kills)*dayPerLife),
	})
}

// newEpisodeIn makes an episode in a folder, with so many orders in a day that lasts so long.
func newEpisodeIn(t *testing.T, dir string, seed uint64, kills int, o limstest.Options) *episode {
	e := &episode{
		T: t, kills: kills, dice: rand.New(rand.NewPCG(seed, 2)),
		config: filepath.Join(dir, config.FileName), state: filepath.Join(dir, "state"),
		api: sandbox.New(sandbox.Options{Seed: seed}),
	}
	e.clock.begin(kills > 0)
	var err error
	o.Seed, o.Kinds, o.Now, o.Arrived = seed, kinds, e.clock.now, e.arrived
	o.CorrectionGap, o.Patience = 500*time.Millisecond, 2*time.Second
	e.lab, err = limstest.New(filepath.Join(dir, "lab.db"), o)
	if err != nil {
		t.Fatal(err)
	}
	for _, q := range e.lab.Truth().Requisitions {
		r := sandbox.Requisition{ID: q.ID, Patient: sandbox.Patient{ID: q.Patient.ID.String(), BirthDate: q.Patient.BirthDate}}
		for _, s := range q.Requests {
			r.ServiceRequests = append(r.ServiceRequests, sandbox.Order{ID: s.ID, Code: s.Code, BusinessStatus: s.Initial})
		}
		if _, err := e.api.AddRequisition(r); err != nil {
			t.Fatal(err)
		}
	}
	e.gate = &gate{api: e.api}
	server := httptest.NewUnstartedServer(e.gate)
	server.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	e.network = newWire(t, server.Listener.Addr().String())
	server.Start()
	t.Cleanup(server.Close)
	if err := ledger.Create(e.state, e.lab.Start().Add(-time.Minute), "torture", "test"); err != nil {
		t.Fatal(err)
	}
	e.configured()

	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- e.lab.Run(ctx) }()
	e.stopLab = sync.OnceValue(func() error {
		stop()
		if err := <-done; err != nil && !errors.Is(err, context.Canceled) {
			return err
		}
		return e.lab.Finish(t.Context())
	})
	t.Cleanup(func() { _, _ = e.stopLab(), e.lab.Close() })
	return e
}

// dayPerLife is how much of the lab's day passes in one life, so that there is always work,
// however long a life takes on this machine.
const dayPerLife = 80 * time.Millisecond

// clock is the lab's. With lives it stands still where a life takes longer than its share of the
// day, so that it is never ahead of the world's.
type clock struct {
	mu    sync.Mutex
	lives bool
	at    time.Time // of the lab's day, when the present life began
	began time.Time // the present life
}

func (c *clock) begin(lives bool) { c.lives, c.at, c.began = lives, time.Now(), time.Now() }

func (c *clock) life() {
	at := c.now()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at, c.began = at, time.Now()
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	passed := time.Since(c.began)
	if c.lives {
		passed = min(passed, dayPerLife)
	}
	return c.at.Add(passed)
}

// configured writes the configurations of all lives but the last one, and of the last one.
func (e *episode) configured() {
	url := "http://" + e.network.address + sandbox.Prefix
	e.configure(e.config, url, 100*time.Millisecond)
	e.configure(e.final(), url, 101*time.Millisecond)
}

// configure writes a configuration in which nothing waits, and nothing is too much.
func (e *episode) configure(path, url string, every time.Duration) {
	text := fmt.Sprintf(`mode: send
start_from: %s
time_zone: UTC
settle: 50ms
lims: {%s, orders: whoop_orders, results: whoop_results, pace: 0, every: %s, look_back: 5s, hourly_look_back: 5s}
whoop:
  url: %s
  client_id: %s
  client_secret: %s
  parallel: %d
  quota: {per_minute: 0, per_day: 0}
brake: {first_pass: 0, corrections: 1000000}
%s`, e.lab.Start().Add(-time.Second).UTC().Format(time.RFC3339), cmp.Or(e.source, "type: sqlite, file: lab.db"), every, url, sandbox.DefaultClientID, sandbox.DefaultClientSecret, parallel, limstest.Mapping().YAML())
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		e.Fatal(err)
	}
}

// final is the configuration of the last life. It differs, so that everything that waits is
// planned again.
func (e *episode) final() string { return e.config + ".final" }

// arrived tells the lab whether the API has accepted what its next step builds on.
func (e *episode) arrived(m limstest.Mark) bool {
	got, _ := e.api.AcceptedFor(m.ServiceRequest)
	n := 0
	for _, r := range got.Reports {
		for _, o := range r.Observations {
			if o.Code == m.Code {
				n++
			}
		}
	}
	return m.Code != "" && n >= m.Versions
}

// Times of one life.
const (
	startLasts = 30 * time.Millisecond  // reading the files, until the first call
	workLasts  = 60 * time.Millisecond  // from the first call on
	idleLasts  = 300 * time.Millisecond // then it is killed, also where the point has not come
)

// life starts one process, has it killed, looks at what it left, and returns where it died.
func (e *episode) life(program string, n int) string {
	c := exec.Command(program, "run", "--config", e.config)
	var output bytes.Buffer
	c.Stdout, c.Stderr = &output, &output

	where, dead := "at random", make(chan struct{})
	e.clock.life()
	working, started := e.gate.open(dead)
	defer e.gate.close()
	first, then := idleLasts, workLasts
	switch x := e.dice.IntN(10); {
	case x < 1: // while it starts
		first = time.Duration(e.dice.Int64N(int64(startLasts)))
	case x < 5: // at work
		then = time.Duration(e.dice.Int64N(int64(workLasts)))
	case x < 8:
		where = ledgerPoints[n%len(ledgerPoints)]
		count := 1 + e.dice.IntN(8)
		if strings.HasPrefix(where, "checkpoint") {
			count = 1 + e.dice.IntN(4)
		}
		c.Env = append(os.Environ(), fmt.Sprintf("LIMSBRIDGE_KILL_AT=%s:%d", where, count))
		then = idleLasts
	default:
		where = apiPoints[n%len(apiPoints)]
		e.gate.killAt(where, 1+e.dice.Int64N(6))
		then = idleLasts
	}

	if err := c.Start(); err != nil {
		e.Fatal(err)
	}
	started <- c.Process
	ended := make(chan error, 1)
	go func() {
		err := c.Wait()
		close(dead)
		ended <- err
	}()
	timer := time.NewTimer(first)
	defer timer.Stop()
	byItself := true
	for alive := true; alive; {
		select {
		case <-working:
			working = nil
			if first == idleLasts {
				timer.Reset(then)
			}
		case <-timer.C:
			byItself = false
			_ = c.Process.Kill()
		case <-dead:
			alive = false
		}
	}
	var exit *exec.ExitError
	if err := <-ended; !errors.As(err, &exit) || exit.Exited() {
		e.Fatalf("life %d ended by itself: %v\n%s", n, err, output.String())
	}
	if !byItself {
		where = "at random"
	}
	e.remains(n)
	return where
}

// remains checks what a killed process left: ledger and journal fit together, and there are no
// more calls in flight than were allowed at a time.
func (e *episode) remains(life int) {
	l, err := ledger.Open(e.state, ledger.Options{ReadOnly: true})
	if err != nil {
		e.Fatalf("after life %d: %v", life, err)
	}
	r := l.Recovery()
	if r.Doubt != nil || r.InDoubt > parallel {
		e.Fatalf("after life %d: %+v", life, r)
	}
	e.inFlight += r.InDoubt
	if life%20 == 0 {
		e.replays(l, fmt.Sprintf("after life %d", life), r.InDoubt > 0)
	}
	if err := l.Close(); err != nil {
		e.Fatalf("after life %d: %v", life, err)
	}
}

// end lets lab and bridge finish, and compares. What is in doubt of a status is settled by a look
// at once, and not only after minutes: nothing is on its way any more.
func (e *episode) end() tally {
	cfg, problems := config.Load(e.final())
	if len(problems) > 0 {
		e.Fatal(problems)
	}
	cfg.DoubtAfter = 0
	if e.kills == 0 {
		for !e.lab.Done() && e.Context().Err() == nil {
			e.rest(cfg, 5)
		}
	}
	if err := e.stopLab(); err != nil {
		e.Fatal(err)
	}
	e.rest(cfg, 5)
	return e.compare()
}

// rest runs the bridge in this process until that many passes in a row made no call.
func (e *episode) rest(cfg *config.Config, passes int) {
	var log bytes.Buffer
	ctx, stop := context.WithTimeout(e.Context(), 5*time.Minute)
	defer stop()
	quiet := 0
	err := run(ctx, cfg, newLog(&log, slog.LevelInfo), func(s *bridge.Summary) {
		if quiet++; s.Looks+s.Statuses+s.Reports+s.Changed > 0 {
			quiet = 0
		}
		if quiet == passes {
			stop()
		}
	})
	if err != nil || quiet < passes {
		lines := strings.Split(log.String(), "\n")
		e.Fatalf("the bridge does not come to rest: %v\n%s", err, strings.Join(lines[max(0, len(lines)-20):], "\n"))
	}
}

// gate stands in front of the API. It sees each call arrive and its answer leave, and kills the
// process at the point that it was told.
type gate struct {
	api http.Handler

	mu      sync.Mutex
	process chan *os.Process // the one that runs, capacity 1
	dead    <-chan struct{}
	working chan struct{} // closed at the first call
	where   string
	count   atomic.Int64 // calls that change something until then
}

// open lets a new process in, which the caller sends as soon as it has started. working is closed
// at its first call.
func (g *gate) open(dead <-chan struct{}) (working <-chan struct{}, started chan<- *os.Process) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.process, g.dead, g.working, g.where = make(chan *os.Process, 1), dead, make(chan struct{}), ""
	return g.working, g.process
}

func (g *gate) killAt(where string, count int64) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.where = where
	g.count.Store(count)
}

func (g *gate) close() { g.killAt("", 0) }

// kill kills the process and returns when it is dead.
func (g *gate) kill() {
	g.mu.Lock()
	process, dead := g.process, g.dead
	g.mu.Unlock()
	_ = (<-process).Kill()
	<-dead
}

func (g *gate) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	token := strings.HasSuffix(r.URL.Path, "/token")
	g.mu.Lock()
	if g.working != nil && !token {
		close(g.working)
		g.working = nil
	}
	where := g.where
	g.mu.Unlock()
	if r.Method == http.MethodGet || token || where == "" || g.count.Add(-1) != 0 {
		g.api.ServeHTTP(w, r)
		return
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	switch where {
	case "arrived and lost":
		g.kill()
	case "arrived and processed":
		g.kill()
		g.api.ServeHTTP(httptest.NewRecorder(), r)
	case "processed":
		g.api.ServeHTTP(httptest.NewRecorder(), r)
		g.kill()
	case "answered":
		g.api.ServeHTTP(w, r)
		if err := http.NewResponseController(w).Flush(); err == nil || errors.Is(err, net.ErrClosed) {
			g.kill()
		}
	}
}
