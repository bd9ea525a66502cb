package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"limsbridge/lims/limstest"
	"limsbridge/whoop/sandbox"
)

// backlog is how many service requests, with four observations each, the benchmarks carry.
const backlog = 10_000

// BenchmarkBacklog measures the whole program: 10,000 service requests with 4 observations each
// from SQLite to the simulated API in another process, without quota, 16 at a time, each with its
// look, its statuses and its report, every intent and outcome on disk. Then a pass with nothing
// new, with all rows inside the look-back. Both as processes of their own, so that the memory is
// the bridge's alone.
//
// Reported: calls/s, anonymous memory in MiB at most (Linux), seconds of the pass with nothing new.
func BenchmarkBacklog(b *testing.B) {
	dir := b.TempDir()
	program := filepath.Join(dir, "limsbridge")
	mustRun(b, exec.Command("go", "build", "-o", program, "."))
	for range b.N {
		work := b.TempDir()
		now := time.Now()
		if err := limstest.Bulk(b.Context(), filepath.Join(work, "lab.db"), backlog, now); err != nil {
			b.Fatal(err)
		}
		url := serve(b, program)
		file := write(b, work, url, now)
		mustRun(b, exec.Command(program, "init", "--lims", "generic", "--db", "sqlite", "--config", file, "--dir", work))
		mustRun(b, exec.Command(program, "ledger", "confirm-start", "--by", "benchmark", "--why", "the rows are older than the ledger", "--config", file))

		first, memory := measured(b, exec.Command(program, "once", "--config", file))
		var counts sandbox.Counts
		get(b, url+"/_sandbox/counts", &counts)
		calls := counts.Statuses + counts.Reports + counts.Calls["requisition"]
		if counts.Observations != 4*backlog || counts.Reports != backlog || counts.Duplicates != 0 || len(counts.Violations) != 0 {
			b.Fatalf("the sandbox accepted %+v\n%s", counts, first)
		}
		idle, idleMemory := measured(b, exec.Command(program, "once", "--config", file))
		if !strings.Contains(idle, fmt.Sprintf("%d rows read, 0 changed; 0 looks, 0 statuses, 0 reports", 5*backlog)) {
			b.Fatalf("a pass with nothing new does something: %s", idle)
		}
		b.ReportMetric(float64(calls)/took(b, first), "calls/s")
		b.ReportMetric(memory, "anonMiB")
		b.ReportMetric(took(b, idle), "idle-s")
		b.ReportMetric(idleMemory, "idle-anonMiB")
	}
}

func mustRun(b *testing.B, c *exec.Cmd) {
	b.Helper()
	if out, err := c.CombinedOutput(); err != nil {
		b.Fatalf("%v: %v\n%s", c.Args, err, out)
	}
}

// serve starts a sandbox in another process and loads it with the bulk requisitions.
func serve(b *testing.B, program string) string {
	b.Helper()
	c := exec.Command(program, "sandbox", "--listen", "127.0.0.1:0", "--drop-reports")
	out, err := c.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	if err := c.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = c.Process.Kill(); _ = c.Wait() })
	text := make([]byte, 4096)
	n, err := io.ReadAtLeast(out, text, 20)
	if err != nil {
		b.Fatal(err)
	}
	url := regexp.MustCompile(`http://\S+`).FindString(string(text[:n]))
	go func() { _, _ = io.Copy(io.Discard, out) }()
	var all []sandbox.Requisition
	for i := range backlog {
		q := limstest.BulkRequisition(i)
		all = append(all, sandbox.Requisition{
			ID: q.ID, Patient: sandbox.Patient{ID: q.Patient.ID.String(), BirthDate: q.Patient.BirthDate},
			ServiceRequests: []sandbox.Order{{ID: q.Requests[0].ID, Code: q.Requests[0].Code}},
		})
	}
	body, err := json.Marshal(all)
	if err != nil {
		b.Fatal(err)
	}
	resp, err := http.Post(url+"/_sandbox/requisitions", "application/json", bytes.NewReader(body))
	if err != nil {
		b.Fatal(err)
	}
	defer resp.Body.Close()
	var ids []uuid.UUID
	if err := json.NewDecoder(resp.Body).Decode(&ids); err != nil || len(ids) != backlog {
		b.Fatalf("the sandbox took %d requisitions: %v", len(ids), err)
	}
	return url
}

// write writes the configuration: the lab's own words, nothing to wait for, no quota.
func write(b *testing.B, dir, url string, now time.Time) string {
	b.Helper()
	path := filepath.Join(dir, "limsbridge.yaml")
	text := fmt.Sprintf(`mode: send
start_from: %s
time_zone: UTC
settle: 0s
lims: {type: sqlite, file: lab.db, orders: whoop_orders, results: whoop_results, pace: 0, look_back: 1h}
whoop:
  url: %s
  client_id: %s
  client_secret: %s
  parallel: 16
  quota: {per_minute: 0, per_day: 0}
brake: {first_pass: %d}
%s`, now.Add(-time.Hour).UTC().Format(time.RFC3339), url, sandbox.DefaultClientID, sandbox.DefaultClientSecret, 2*backlog, limstest.Mapping().YAML())
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		b.Fatal(err)
	}
	return path
}

// measured runs a command, returns what it printed, and its anonymous memory at most, in MiB.
func measured(b *testing.B, c *exec.Cmd) (string, float64) {
	b.Helper()
	var out bytes.Buffer
	c.Stdout, c.Stderr = &out, &out
	if err := c.Start(); err != nil {
		b.Fatal(err)
	}
	ctx, stop := context.WithCancel(b.Context())
	most := make(chan float64)
	go func() {
		peak := 0.0
		tick := time.NewTicker(5 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				most <- peak
				return
			case <-tick.C:
				peak = max(peak, anonymous(c.Process.Pid))
			}
		}
	}()
	err := c.Wait()
	stop()
	peak := <-most
	if err != nil {
		b.Fatalf("%v: %v\n%s", c.Args, err, out.String())
	}
	return out.String(), peak
}

var rssAnon = regexp.MustCompile(`RssAnon:\s+(\d+) kB`)

// anonymous is a process's resident anonymous memory in MiB (proc(5), status); 0 where the
// system does not tell.
func anonymous(pid int) float64 {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0
	}
	m := rssAnon.FindSubmatch(text)
	if m == nil {
		return 0
	}
	kb, _ := strconv.Atoi(string(m[1]))
	return float64(kb) / 1024
}

var inTime = regexp.MustCompile(` in (\S+)\n`)

func took(b *testing.B, out string) float64 {
	b.Helper()
	m := inTime.FindStringSubmatch(out)
	if m == nil {
		b.Fatalf("no time in %q", out)
	}
	d, err := time.ParseDuration(m[1])
	if err != nil {
		b.Fatal(err)
	}
	return d.Seconds()
}

func get(b *testing.B, url string, v any) {
	b.Helper()
	resp, err := http.Get(url)
	if err != nil {
		b.Fatal(err)
	}
	defer resp.Body.Close()
	if err := json.NewDecoder(resp.Body).Decode(v); err != nil {
		b.Fatal(err)
	}
}
