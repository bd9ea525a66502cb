package main

import (
	"context"
	"fmt"
	"net"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"limsbridge/bridge"
	"limsbridge/bridge/ledger"
	"limsbridge/lims/limstest"
	"limsbridge/whoop"
	"limsbridge/whoop/sandbox"
)

// finished is how many service requests the idle program's ledger remembers.
const finished = 100_000

// BenchmarkIdle measures the program as a service on a quiet day: started on a ledger of 100,000
// finished service requests, polling each minute a LIMS in which nothing is new, for two minutes or
// as long as LIMSBRIDGE_IDLE says (10m).
//
// Reported (Linux): milliseconds from the start to ready, anonymous memory in MiB at most, and
// processor time in per cent of one core, after the start.
func BenchmarkIdle(b *testing.B) {
	if runtime.GOOS != "linux" {
		b.Skip("it plays systemd's part, and reads /proc")
	}
	idle := 2 * time.Minute
	if text := os.Getenv("LIMSBRIDGE_IDLE"); text != "" {
		var err error
		if idle, err = time.ParseDuration(text); err != nil {
			b.Fatal(err)
		}
	}
	dir := b.TempDir()
	program, file := filepath.Join(dir, "limsbridge"), filepath.Join(dir, "limsbridge.yaml")
	mustRun(b, exec.Command("go", "build", "-o", program, "."))
	old := time.Now().Add(-48 * time.Hour)
	if err := limstest.Bulk(b.Context(), filepath.Join(dir, "lab.db"), 1000, old); err != nil {
		b.Fatal(err)
	}
	api := sandbox.New(sandbox.Options{})
	server := httptest.NewServer(api)
	b.Cleanup(server.Close)
	text := fmt.Sprintf(`mode: send
start_from: %s
time_zone: UTC
lims: {type: sqlite, file: lab.db, orders: whoop_orders, results: whoop_results, every: 1m}
whoop: {url: %s, client_id: %s, client_secret: %s}
%s`, time.Now().Add(time.Hour).UTC().Format(time.RFC3339), server.URL+sandbox.Prefix, sandbox.DefaultClientID, sandbox.DefaultClientSecret, limstest.Mapping().YAML())
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		b.Fatal(err)
	}
	state := filepath.Join(dir, "state")
	if err := ledger.Create(state, old, "benchmark", "test"); err != nil {
		b.Fatal(err)
	}
	mustRun(b, exec.Command(program, "once", "--config", file)) // a configuration that is new plans everything again
	remember(b, state, old)

	for range b.N {
		manager, err := (&net.ListenConfig{}).ListenPacket(b.Context(), "unixgram", filepath.Join(b.TempDir(), "n"))
		if err != nil {
			b.Fatal(err)
		}
		c := exec.Command(program, "run", "--config", file)
		c.Env = append(os.Environ(), "NOTIFY_SOCKET="+manager.LocalAddr().String())
		began := time.Now()
		if err := c.Start(); err != nil {
			b.Fatal(err)
		}
		message := make([]byte, 4096)
		for ready := false; !ready; {
			n, _, err := manager.ReadFrom(message)
			if err != nil {
				b.Fatal(err)
			}
			ready = strings.Contains(string(message[:n]), "ready, mode send")
		}
		b.ReportMetric(float64(time.Since(began).Milliseconds()), "ready-ms")
		<-time.After(5 * time.Second) // the first pass belongs to the start
		spent, since, memory := processorTime(b, c.Process.Pid), time.Now(), 0.0
		for end := time.After(idle); end != nil; {
			select {
			case <-end:
				end = nil
			case <-time.After(time.Second):
			}
			memory = max(memory, anonymous(c.Process.Pid))
		}
		share := (processorTime(b, c.Process.Pid) - spent).Seconds() / time.Since(since).Seconds()
		b.ReportMetric(100*share, "%core")
		b.ReportMetric(memory, "anonMiB")
		if err := c.Process.Signal(os.Interrupt); err != nil {
			b.Fatal(err)
		}
		if err := c.Wait(); err != nil {
			b.Fatal(err)
		}
		if err := manager.Close(); err != nil {
			b.Fatal(err)
		}
	}
}

// remember puts finished service requests into a ledger, each with a report of four observations.
func remember(b *testing.B, state string, at time.Time) {
	b.Helper()
	l, err := ledger.Open(state, ledger.Options{})
	if err != nil {
		b.Fatal(err)
	}
	const together = 1000
	for begin := 0; begin < finished; begin += together {
		var before []bridge.Event
		var keys []bridge.Key
		for i := range together {
			k := bridge.Key{Kind: bridge.RequisitionKey, ID: uuid.New()}
			request := []uuid.UUID{uuid.New()}
			var prints []bridge.Sent
			for j, code := range []string{"TOTAL_CHOLESTEROL", "HDL", "LDL", "TRIGLYCERIDES"} {
				prints = append(prints, bridge.Sent{Code: code, Row: strconv.Itoa(4*(begin+i) + j), Print: bridge.Print(uuid.New())})
			}
			keys = append(keys, k)
			before = append(before,
				bridge.Event{At: at, Kind: bridge.LookEvent, Key: &k, Outcome: whoop.Sent, Code: 200, Shown: []bridge.Request{{ID: request[0], Code: "LIPID_PANEL"}}},
				bridge.Event{At: at, Kind: bridge.IntentEvent, Key: &k, Action: bridge.SubmitReport, Report: whoop.ReportFinal, Requests: request, Prints: prints})
		}
		seqs, err := l.Commit(context.Background(), before...)
		if err != nil {
			b.Fatal(err)
		}
		var after []bridge.Event
		for i := range keys {
			after = append(after, bridge.Event{At: at, Kind: bridge.OutcomeEvent, Key: &keys[i], Action: bridge.SubmitReport, Report: whoop.ReportFinal, Intent: seqs[2*i+1], Outcome: whoop.Sent, Code: 201})
		}
		if _, err := l.Commit(context.Background(), after...); err != nil {
			b.Fatal(err)
		}
	}
	if err := l.Close(); err != nil {
		b.Fatal(err)
	}
}

// processorTime is what a process has used of the processors (proc(5), stat: utime and stime in
// hundredths of a second).
func processorTime(b *testing.B, pid int) time.Duration {
	b.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		b.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(text), ") ")
	fields := strings.Fields(rest)
	user, err := strconv.Atoi(fields[11])
	if err != nil {
		b.Fatal(err)
	}
	system, err := strconv.Atoi(fields[12])
	if err != nil {
		b.Fatal(err)
	}
	return time.Duration(user+system) * 10 * time.Millisecond
}
