package main

import (
	"database/sql"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/google/uuid"

	"limsbridge/bridge/control"
	"limsbridge/bridge/ledger"
	"limsbridge/config"
	"limsbridge/installer"
	"limsbridge/whoop/sandbox"
)

// Neither manager ends the service by force while the longest call that a configuration allows is under way, and
// then the ledger is closed.
func TestAStopWaitsForTheLongestCall(t *testing.T) {
	const closing = 15 * time.Second // of a ledger, on a disk that is slow
	if config.LongestRequest+closing > installer.StopLimit {
		t.Errorf("a call may take %s, a stop %s", config.LongestRequest, installer.StopLimit)
	}
}

// managed is the real program, started as systemd starts it, between a lab and a simulated API.
type managed struct {
	*testing.T
	program, dir, config string
	db                   *sql.DB
	api                  *sandbox.Server
	url                  string
	hold                 atomic.Pointer[chan struct{}] // reports wait for it
	arrived              chan struct{}                 // a report has
	manager              net.PacketConn                // systemd's end
	process              *exec.Cmd
	ended                chan error
	requisition, request uuid.UUID
	from                 time.Time // start_from, before the ledger's creation
	credentials          string    // the folder of the service's credentials; "": it has none
}

func manage(t *testing.T) *managed {
	if runtime.GOOS != "linux" {
		t.Skip("it plays systemd's part")
	}
	m := &managed{T: t, dir: t.TempDir(), api: sandbox.New(sandbox.Options{}), arrived: make(chan struct{}, 10), requisition: uuid.New(), request: uuid.New(), from: time.Now().Add(-time.Minute).UTC()}
	m.program = filepath.Join(m.dir, "limsbridge")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", m.program, ".").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost && strings.HasSuffix(r.URL.Path, "/results") {
			m.arrived <- struct{}{}
			if hold := m.hold.Load(); hold != nil {
				<-*hold
			}
		}
		m.api.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	m.url = server.URL + sandbox.Prefix
	if _, err := m.api.AddRequisition(sandbox.Requisition{ID: m.requisition, ServiceRequests: []sandbox.Order{{ID: m.request, Code: "CBC"}}}); err != nil {
		t.Fatal(err)
	}
	lab(t, m.dir, `value TEXT, unit TEXT, status TEXT`)
	var err error
	if m.db, err = sql.Open("sqlite", filepath.Join(m.dir, "lab.db")); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.db.Close() })
	socket := filepath.Join(m.dir, "notify.sock")
	if m.manager, err = (&net.ListenConfig{}).ListenPacket(t.Context(), "unixgram", socket); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.manager.Close() })
	m.config = filepath.Join(m.dir, "limsbridge.yaml")
	return m
}

// start starts the program, and sees to it that it is stopped at the end.
func (m *managed) start() {
	m.Helper()
	m.process = exec.Command(m.program, "run", "--config", m.config)
	m.process.Env = append(os.Environ(), "NOTIFY_SOCKET="+m.manager.LocalAddr().String())
	if m.credentials != "" {
		m.process.Env = append(m.process.Env, "CREDENTIALS_DIRECTORY="+m.credentials)
	}
	journal, err := os.OpenFile(filepath.Join(m.dir, "journal.txt"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		m.Fatal(err)
	}
	defer journal.Close()
	m.process.Stderr = journal
	m.ended = make(chan error, 1)
	if err := m.process.Start(); err != nil {
		m.Fatal(err)
	}
	go func(p *exec.Cmd, ended chan error) { ended <- p.Wait() }(m.process, m.ended)
	m.Cleanup(func() { _ = m.process.Process.Kill() })
}

// hears waits until the manager is told that text.
func (m *managed) hears(text string) {
	m.Helper()
	if err := m.manager.SetReadDeadline(time.Now().Add(time.Minute)); err != nil {
		m.Fatal(err)
	}
	var all []string
	for {
		b := make([]byte, 4096)
		n, _, err := m.manager.ReadFrom(b)
		if err != nil {
			m.Fatalf("the manager was not told %q but %q: %v\n%s", text, all, err, m.log())
		}
		all = append(all, string(b[:n]))
		if strings.Contains(string(b[:n]), text) {
			return
		}
	}
}

// says runs a command line beside the service, as a process of its own, and checks its exit status
// and that it prints the texts.
func (m *managed) says(status int, line string, texts ...string) string {
	m.Helper()
	c := exec.CommandContext(m.Context(), m.program, append(strings.Fields(line), "--config", m.config)...)
	out, _ := c.CombinedOutput()
	if got := c.ProcessState.ExitCode(); got != status {
		m.Errorf("%s: exit status %d, want %d\n%s", line, got, status, out)
	}
	for _, text := range texts {
		if !strings.Contains(string(out), text) {
			m.Errorf("%s does not say %q:\n%s", line, text, out)
		}
	}
	return string(out)
}

// log is everything in the service's log files.
func (m *managed) log() string {
	files, _ := filepath.Glob(filepath.Join(m.dir, "log", "limsbridge-*.jsonl"))
	var all []byte
	for _, f := range files {
		b, _ := os.ReadFile(f)
		all = append(all, b...)
	}
	return string(all)
}

// journal is what systemd puts into its journal.
func (m *managed) journal() string {
	b, _ := os.ReadFile(filepath.Join(m.dir, "journal.txt"))
	return string(b)
}

// logs waits until the log says that text once more than before.
func (m *managed) logs(text string, before int) {
	m.Helper()
	for end := time.Now().Add(time.Minute); strings.Count(m.log(), text) != before+1; <-time.After(10 * time.Millisecond) {
		if time.Now().After(end) {
			m.Fatalf("the log does not say %q:\n%s", text, m.log())
		}
	}
}

// hangup sends SIGHUP, and waits for what the log says of it.
func (m *managed) hangup(text string) {
	m.Helper()
	before := strings.Count(m.log(), text)
	if err := m.process.Process.Signal(syscall.SIGHUP); err != nil {
		m.Fatal(err)
	}
	m.logs(text, before)
}

// configure writes the configuration.
func (m *managed) configure(more string) {
	m.Helper()
	secret := sandbox.DefaultClientSecret
	if m.credentials != "" {
		secret = "secret:whoop-client-secret"
	}
	file(m.T, m.dir, "limsbridge.yaml", fmt.Sprintf(`mode: send
start_from: %s
time_zone: UTC
settle: 0
patient_check: off
lims: {type: sqlite, file: lab.db, orders: whoop_orders, results: whoop_results, pace: 0, every: 1h}
whoop: {url: %s, client_id: %s, client_secret: %s}
status:
  orders: {U: accepted, A: complete}
  results: {A: released}
tests:
  CBC: {results: {WBC: {code: WBC}}}
%s`, m.from.Format(time.RFC3339), m.url, sandbox.DefaultClientID, secret, more))
}

// reports waits until a report has arrived.
func (m *managed) reports() {
	m.Helper()
	select {
	case <-m.arrived:
	case <-time.After(time.Minute):
		m.Fatalf("no report arrived\n%s", m.log())
	}
}

func (m *managed) release() {
	m.Helper()
	now := time.Now().UTC().Format("2006-01-02 15:04:05.000")
	for _, q := range []string{
		`INSERT INTO whoop_orders VALUES (1, ?, ?, 'CBC', 'A')`,
		`INSERT INTO whoop_results VALUES (7, ?, ?, 'CBC', 'WBC', '6.5432', '', 'A')`,
	} {
		if _, err := m.db.Exec(q, now, m.requisition.String()); err != nil {
			m.Fatal(err)
		}
	}
}

// A service comes up whatever is wrong, says what it is, goes on once it is mended, keeps the
// configuration in force where the next one is wrong, and finishes what is under way at its end.
func TestServiceLife(t *testing.T) {
	m := manage(t)
	m.credentials = t.TempDir() // and the command line has no credential
	file(t, m.credentials, "whoop-client-secret", sandbox.DefaultClientSecret)
	file(t, m.dir, "limsbridge.yaml", "mode: send\nsetle: 5m\n")
	m.start()
	m.hears("STATUS=not ready: ")
	m.says(exitFailed, "status", "running, NOT READY", "setle", "did you mean settle")
	m.says(exitConfig, "check", "(inside the service, as user ", "setle")
	m.says(exitConfig, "reload", "did you mean settle")
	m.says(exitConfig, "once", "setle")
	if !strings.Contains(m.log(), "setle") || !strings.Contains(m.journal(), "<3>msg=\"not ready") {
		t.Errorf("log and journal do not say why:\n%s\n%s", m.log(), m.journal())
	}

	m.configure("")
	m.says(exitConfig, "reload", "there is no ledger here", "limsbridge init")
	m.says(0, "init --lims generic --db sqlite --dir "+m.dir)
	m.says(exitConfig, "reload", "confirm-start") // start_from lies before the ledger
	m.says(0, `ledger confirm-start --by A --why nothing-was-sent-by-hand`)
	m.says(0, "reload", "in force")
	m.hears("STATUS=ready")
	m.says(0, "status", "running, ready")

	m.says(0, "pause --by A --why reagents", "(inside the service, as user ", "the running bridge")
	m.says(0, "holds", "(inside the service, as user ", "all sending")
	m.says(0, "outstanding", "(inside the service, as user ")
	var s control.Status
	if err := json.Unmarshal([]byte(m.says(exitAttention, "status --json")), &s); err != nil || !s.Ready || len(s.Stops) != 1 || s.Stops[0].Why != "reagents" || s.PID != m.process.Process.Pid {
		t.Errorf("%+v %v", s, err)
	}
	m.says(0, "resume --by A --why replaced", "the running bridge")
	m.says(0, "secret list", "whoop-client-secret", "not seen by this account; the service has it")

	inForce := m.config // another file is checked, where one is named, before it takes this one's place
	file(t, m.dir, "next.yaml", "mode: sned\n")
	m.config = filepath.Join(m.dir, "next.yaml")
	m.says(exitConfig, "check", "inside the service", "next.yaml", "sned")
	m.says(exitConfig, "once", "and not by "+m.config)
	m.config = inForce

	file(t, m.dir, "limsbridge.yaml", "mode: sned\n")
	m.says(exitConfig, "reload", "sned")
	m.says(exitAttention, "status", "running, ready", "not the one in force")
	m.hangup("the configuration was not reloaded; the one in force stays")
	for _, broken := range []string{"mode: sned\n", "tests:\n\tCBC: {}\n"} { // what a person edits is no hindrance
		file(t, m.dir, "limsbridge.yaml", broken)
		m.says(exitConfig, "pause --test CCB --by A --why reagents", "nothing was paused", "its tests are CBC")
		m.says(0, "pause --test CBC --by A --why reagents", "the running bridge")
		m.says(0, "holds", "this test", "limsbridge resume --test CBC")
		m.says(exitFailed, "holds show 4711", "there is no hold 4711")
		m.says(exitFailed, "holds resolve 4711 --never-send --yes --by A --why B", "not all of these are held")
		m.says(0, "outstanding", "None is outstanding for 7 days")
		m.says(0, "resume --test CBC --by A --why replaced", "the running bridge")
		m.says(0, "holds", "Nothing is held.")
	}
	m.configure("ignore: [HEM_INDEX]")
	m.says(exitFailed, "secret list", "whoop-client-secret", "MISSING") // nobody works by this file yet
	m.hangup(`"the configuration was reloaded"`)
	m.says(0, "reload", "in force")
	m.says(0, "once") // or the first pass after the reload sends what preview is to show
	m.release()
	m.says(0, "preview --since 1d", "inside the service", "report final", "WBC")
	if out := m.says(0, "codes --last 1d", "inside the service", "every word is known"); strings.Contains(out, "6.5432") {
		t.Errorf("a value was printed:\n%s", out)
	}
	m.says(exitConfig, "preview --values", "on a terminal only")

	hold := make(chan struct{})
	m.hold.Store(&hold)
	once := exec.CommandContext(t.Context(), m.program, "once", "--config", m.config)
	if err := once.Start(); err != nil {
		t.Fatal(err)
	}
	m.reports() // one is under way
	if err := m.process.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	m.hears("STOPPING=1")
	close(hold)
	select {
	case err := <-m.ended:
		if err != nil {
			t.Errorf("the service ended with %v", err)
		}
	case <-time.After(time.Minute):
		t.Fatalf("the service does not end\n%s", m.log())
	}
	_ = once.Wait() // its pass was not finished, or just so
	if n := m.api.Counts().Reports; n != 1 {
		t.Errorf("%d reports", n)
	}
	m.says(exitFailed, "status", "NOT RUNNING")
	file(t, m.dir, "limsbridge.yaml", "mode: sned\n")
	m.says(0, "holds", "Nothing is held.")
	m.says(exitConfig, "pause --test CBC --by A --why B", "sned") // is it a test?
	file(t, m.dir, "limsbridge.yaml", "tests:\n\tCBC: {}\n")
	m.says(exitConfig, "holds", "tab") // where is the ledger?
	l, err := ledger.Open(filepath.Join(m.dir, "state"), ledger.Options{ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if r := l.Recovery(); r.InDoubt != 0 || r.Replayed != 0 || r.Torn != 0 {
		t.Errorf("the ledger was not closed in order: %+v", r)
	}
	if stats, err := l.Stats(time.Now()); err != nil || stats.InDoubt != 0 || stats.Sent != 1 {
		t.Errorf("the call that was under way was not finished: %+v %v", stats, err)
	}
	if strings.Contains(m.log(), "6.5432") || strings.Contains(m.log(), sandbox.DefaultClientSecret) {
		t.Error("the log holds a value or a secret")
	}
}

// Killed in the middle, and started again: what was under way is in doubt, and nothing is sent twice.
// A second process does not take the socket of the first.
func TestServiceKilled(t *testing.T) {
	m := manage(t)
	m.configure("")
	m.says(0, "init --lims generic --db sqlite --dir "+m.dir)
	m.says(0, "ledger confirm-start --by A --why B")
	m.start()
	m.hears("STATUS=ready")
	m.says(exitFailed, "run", "another process holds the ledger")
	m.says(0, "status", "running, ready")
	m.release()
	hold := make(chan struct{})
	m.hold.Store(&hold)
	once := exec.CommandContext(t.Context(), m.program, "once", "--config", m.config)
	if err := once.Start(); err != nil {
		t.Fatal(err)
	}
	m.reports()
	_ = m.process.Process.Kill()
	if err := <-m.ended; err == nil {
		t.Error("killed, and it ended well")
	}
	if once.Wait() == nil {
		t.Error("a command whose service died succeeded")
	}
	close(hold)
	m.hold.Store(nil)
	m.start()
	m.hears("STATUS=ready")
	m.says(0, "once", "held", "in_doubt")
	m.says(exitAttention, "status", "in_doubt")
	if n := m.api.Counts().Reports; n > 1 {
		t.Errorf("%d reports", n)
	}

	if strings.Contains(m.log(), crashed) {
		t.Error("killed, it is taken for crashed")
	}
	if err := m.process.Process.Signal(syscall.SIGQUIT); err != nil { // Go ends with its goroutines' traces
		t.Fatal(err)
	}
	if err := <-m.ended; err == nil {
		t.Error("crashed, and it ended well")
	}
	m.start()
	m.hears("STATUS=ready")
	m.logs(crashed, 0)
	if trace, err := os.ReadFile(filepath.Join(m.dir, "log", "crash-last.txt")); err != nil || !strings.Contains(string(trace), "goroutine ") {
		t.Errorf("%q %v", trace, err)
	}
	if strings.Contains(m.log(), "goroutine ") {
		t.Error("the log holds the trace")
	}
}

const crashed = "the last run crashed"
