package main

import (
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"limsbridge/bridge"
	"limsbridge/bridge/ledger"
	"limsbridge/whoop"
)

// The ids of the commands' tests.
var (
	someRequisition = uuid.MustParse("a0000000-0000-4000-8000-000000000001")
	someRequest     = uuid.MustParse("b0000000-0000-4000-8000-000000000001")
)

// someLedger makes a ledger in which a report was sent in November and its hold decided in December.
func someLedger(t *testing.T, state string) {
	t.Helper()
	at := time.Date(2026, 11, 30, 23, 59, 0, 0, time.UTC)
	if err := ledger.Create(state, at.Add(-time.Hour), "limsbridge init", "root"); err != nil {
		t.Fatal(err)
	}
	l, err := ledger.Open(state, ledger.Options{Now: func() time.Time { return at }})
	if err != nil {
		t.Fatal(err)
	}
	k := bridge.Key{Kind: bridge.RequisitionKey, ID: someRequisition}
	one := []uuid.UUID{someRequest}
	for i, e := range []bridge.Event{ // 2 to 6
		{Kind: bridge.LookEvent, Outcome: whoop.Sent, Code: 200, Shown: []bridge.Request{{ID: someRequest, Code: "LIPID_PANEL"}}},
		{Kind: bridge.IntentEvent, Action: bridge.SubmitReport, Report: whoop.ReportFinal, Requests: one, Prints: []bridge.Sent{{Code: "HDL", Row: "4711"}}},
		{Kind: bridge.OutcomeEvent, Intent: 3, Action: bridge.SubmitReport, Report: whoop.ReportFinal, Outcome: whoop.InDoubt, Code: 502, RequestID: "req-42"},
		{Kind: bridge.HoldEvent, Hold: bridge.Doubt, Requests: one, Attempt: 3, Detail: "final"},
		{Kind: bridge.DecisionEvent, Hold: bridge.Doubt, Requests: one, Attempt: 3, Intent: 5, Verdict: bridge.WasReceived, By: "=A. Lab", User: "root", Why: "WHOOP, case 123",
			Prints: []bridge.Sent{{Code: "HDL", Row: "4711"}}},
	} {
		e.At, e.Key = at.Add(time.Duration(i)*20*time.Second), &k
		if _, err := l.Commit(context.Background(), e); err != nil {
			t.Fatal(err)
		}
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestLedgerCommands(t *testing.T) {
	dir := t.TempDir()
	state := filepath.Join(dir, "state")
	someLedger(t, state)
	config := file(t, dir, "limsbridge.yaml", "mode: observe\ntime_zone: America/Chicago\n") // hardly begun, and good enough
	for _, tt := range []struct {
		args   string
		status int
		says   []string
		not    []string
	}{
		{"verify", 0, []string{"6 events in 2 files, from 2026-11-30 16:59 CST to 2026-11-30 18:00 CST", "1 record", "the same service requests"}, []string{"FAILURE", "left out"}},
		{"stats", 0, []string{"observations sent      1", "calls in doubt         0", "2026-11          1         1         1         0         0         0         1", "2026-12          0         0         0         1         0         1", "since 2026-11-30 16:59 CST"}, nil},
		{"history " + someRequest.String(), 0, []string{"(LIPID_PANEL) of requisition/" + someRequisition.String(),
			"2026-11-30 17:59:40 -06:00  2026-11-30 23:59:40.000Z  event 4", "in doubt, HTTP 502, request id req-42", "HDL from row 4711", "was_received", "WHOOP, case 123"}, nil},
		{"history " + strings.ToUpper(someRequisition.String()), 0, []string{"event 6"}, []string{"(LIPID_PANEL)"}},
		{"history --json " + someRequest.String(), 0, []string{`"request_id":"req-42"`}, nil},
		{"history " + uuid.Nil.String(), exitFailed, []string{"says nothing of"}, nil},
		{"history 4711", exitConfig, []string{"write its UUID"}, nil},
		{"export", 0, []string{`"act":"create"`, `"seq":6`}, nil},
		{"export --until 2026-11-30T18:00", 0, []string{`"seq":4`}, []string{`"seq":5`}},
		{"export --since 2026-11-30T18:00", 0, []string{`"seq":5`}, []string{`"seq":4`}},
		{"export --since 2026-12-01T00:00:00Z --csv", 0, []string{"event,utc,", "'=A. Lab", "2026-11-30T18:00:00.000-06:00"}, []string{"req-42"}},
		{"export --since 2030-01-01 --csv", 0, []string{"event,utc,"}, []string{"create"}},
		{"export --since yesterday", exitConfig, []string{"--since", "2026-11-01"}, nil},
		{"compact --detail 3d", exitConfig, []string{"at least 60d"}, nil},
		{"compact", 0, []string{"1 record: ", "detail dropped from 0"}, nil},
		{"verify --scratch " + filepath.Join(dir, "nowhere"), exitFailed, []string{"nowhere"}, nil},
		{"restore " + dir, exitFailed, []string{"by", "why"}, nil},
		{"confirm-start", exitFailed, []string{"by", "why"}, nil},
	} {
		t.Run(tt.args, func(t *testing.T) {
			out, status := command(t, append(strings.Fields("ledger "+tt.args), "--config", config)...)
			if status != tt.status {
				t.Errorf("status %d, want %d", status, tt.status)
			}
			for _, s := range tt.says {
				if !strings.Contains(out, s) {
					t.Errorf("it does not say %q", s)
				}
			}
			for _, s := range tt.not {
				if strings.Contains(out, s) {
					t.Errorf("it says %q", s)
				}
			}
			if t.Failed() {
				t.Log(out)
			}
		})
	}
}

// Every line of an export can be read back: JSON as events, the table as a table.
func TestLedgerExportForms(t *testing.T) {
	state := filepath.Join(t.TempDir(), "state")
	someLedger(t, state)
	out, _ := command(t, "ledger", "export", "--state", state)
	d := json.NewDecoder(strings.NewReader(out))
	for seq := uint64(1); d.More(); seq++ {
		var e bridge.Event
		if err := d.Decode(&e); err != nil || e.Seq != seq {
			t.Fatalf("line %d: %v %+v", seq, err, e)
		}
	}
	out, _ = command(t, "ledger", "export", "--csv", "--state", state)
	rows, err := csv.NewReader(strings.NewReader(out)).ReadAll() // each as wide as the heading
	if err != nil || len(rows) != 7 {
		t.Errorf("%d rows, %v", len(rows), err)
	}
}

// A backup, a loss, a restore; and what is said of a ledger that is not as it should be.
func TestLedgerBackupAndRestore(t *testing.T) {
	t.Parallel() // it waits for locks
	dir := t.TempDir()
	state, backup := filepath.Join(dir, "state"), filepath.Join(dir, "backup")
	someLedger(t, state)
	step := func(status int, says string, args ...string) {
		t.Helper()
		out, got := command(t, append(append([]string{"ledger"}, args...), "--state", state)...)
		if got != status || !strings.Contains(out, says) {
			t.Errorf("%v: status %d, want %d and %q\n%s", args, got, status, says, out)
		}
	}
	who := []string{"--by", "A. Lab", "--why", "the disk failed"}
	step(0, "copied 4 files", "backup", backup)
	step(exitFailed, "not empty", "backup", backup)
	step(0, "without fingerprint.key", "backup", "--without-key", filepath.Join(dir, "second"))
	step(exitFailed, "never overwrites", append(who, "restore", backup)...)
	if err := os.Remove(filepath.Join(state, "ledger.db")); err != nil {
		t.Fatal(err)
	}
	step(exitFailed, "limsbridge ledger restore", "stats")
	step(0, "left out ledger", "verify")
	step(0, "limsbridge resume", append(who, "restore", backup)...) // nothing newer in the journal
	step(0, "ok       compared", "verify")
	step(0, `"why":"the disk failed"`, "export")
	if err := os.Remove(filepath.Join(state, "ledger.db")); err != nil {
		t.Fatal(err)
	}
	step(0, "stopped before", append(who, "restore", backup)...)
	l, err := ledger.Open(state, ledger.Options{})
	if err != nil {
		t.Fatal(err)
	}
	resume := bridge.Event{At: time.Now(), Act: bridge.ResumeAct, By: "A. Lab", Why: "compared"}
	if err := errors.Join(bridge.Act(t.Context(), l, resume), l.Close(), os.Remove(filepath.Join(state, "ledger.db"))); err != nil {
		t.Fatal(err)
	}
	step(0, "The journal is intact and newer", append(who, "restore", backup)...)

	// Beside a running bridge: the journal.
	if l, err = ledger.Open(state, ledger.Options{}); err != nil {
		t.Fatal(err)
	}
	step(0, "left out ledger    a running limsbridge holds it", "verify")
	step(0, "left out: a running limsbridge", "stats")
	step(0, "event 4", "history", someRequest.String())
	step(exitFailed, "save the folder journal", "backup", filepath.Join(dir, "third"))
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}

	path := filepath.Join(state, "journal", "2026-11.jsonl")
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(strings.Replace(string(text), `"row":"4711"`, `"row":"4712"`, 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	step(exitFailed, "FAILURE  journal", "verify")
	step(exitFailed, "not as it was written", "history", someRequest.String())
	step(exitFailed, "not as it was written", "export")
	step(exitFailed, "limsbridge ledger verify", "stats")

	where, status := command(t, "ledger", "verify", "--config", filepath.Join(dir, "nothing.yaml"))
	if status != exitConfig {
		t.Errorf("without a configuration: status %d\n%s", status, where)
	}
}

// printed sizes and counts are for people.
func TestTold(t *testing.T) {
	for n, want := range map[int64]string{0: "0.0 KiB", 1536: "1.5 KiB", 5 << 20: "5.0 MiB", 3 << 30: "3.00 GiB"} {
		if got := bytesText(n); got != want {
			t.Errorf("%d: %s", n, got)
		}
	}
	if counted(1, "event") != "1 event" || counted(0, "event") != "0 events" {
		t.Error(counted(1, "event"), counted(0, "event"))
	}
	if _, err := instant("2026-11-31", time.UTC, time.Time{}); err == nil {
		t.Error(errors.New("a day that does not exist"))
	}
}
