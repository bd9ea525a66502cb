package main

import (
	"context"
	"database/sql"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"limsbridge/bridge"
	"limsbridge/bridge/archive"
	"limsbridge/bridge/control"
	"limsbridge/bridge/ledger"
	"limsbridge/config"
	"limsbridge/whoop/sandbox"
)

// inspected is a lab that has sent one panel, corrected once, and waits for another.
type inspected struct {
	*testing.T
	dir, config string
	api         *sandbox.Server
	db          *sql.DB
	sent, open  uuid.UUID // service requests
	requisition string
}

const original, corrected = "5.4321", "6.1234"

func inspect(t *testing.T) *inspected {
	dir := t.TempDir()
	i := &inspected{T: t, dir: dir, api: sandbox.New(sandbox.Options{}), sent: uuid.New(), open: uuid.New(), requisition: uuid.NewString()}
	url, err := i.api.Start("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { i.api.Close() })
	lab(t, dir, `value TEXT, unit TEXT, status TEXT`)
	if i.db, err = sql.Open("sqlite", filepath.Join(dir, "lab.db")); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { i.db.Close() })
	public, err := archive.NewKey(i.key(), time.Now())
	if err == nil {
		err = ledger.Create(filepath.Join(dir, "state"), time.Now().Add(-time.Hour), "test", "test")
	}
	if err != nil {
		t.Fatal(err)
	}
	i.config = file(t, dir, "limsbridge.yaml", fmt.Sprintf(`mode: send
start_from: %s
time_zone: UTC
settle: 0
lims: {type: sqlite, file: lab.db, orders: whoop_orders, results: whoop_results, pace: 0, every: 1h}
whoop: {url: %s, client_id: %s, client_secret: %s}
status:
  orders: {U: accepted, A: complete}
  results: {A: released}
tests:
  LIPID_PANEL: {lims: [LIPID], results: {CHOL: {code: TOTAL_CHOLESTEROL, unit: mg/dL}}}
  CBC: {results: {WBC: {code: WBC}}}
archive: {recipients: [%s], folder: copies}
`, time.Now().Add(-time.Minute).UTC().Format(time.RFC3339), url, sandbox.DefaultClientID, sandbox.DefaultClientSecret, public))
	id := uuid.MustParse(i.requisition)
	if _, err := i.api.AddRequisition(sandbox.Requisition{ID: id, Patient: sandbox.Patient{BirthDate: "1980-01-02"},
		ServiceRequests: []sandbox.Order{{ID: i.sent, Code: "LIPID_PANEL"}, {ID: i.open, Code: "CBC"}}}); err != nil {
		t.Fatal(err)
	}
	i.exec(`INSERT INTO whoop_orders VALUES (1, ?, ?, 'LIPID', 'A'), (2, ?, ?, 'CBC', 'U')`, i.now(), i.requisition, i.now(), i.requisition)
	i.exec(`INSERT INTO whoop_results VALUES (7, ?, ?, 'LIPID', 'CHOL', ?, '', 'A')`, i.now(), i.requisition, original)
	i.run(0, "once")
	i.exec(`UPDATE whoop_results SET value = ?, changed_at = ?`, corrected, i.now())
	i.run(0, "once")
	if c := i.api.Counts(); c.Reports != 2 {
		t.Fatalf("%d reports: %+v", c.Reports, c)
	}
	return i
}

func (i *inspected) key() string { return filepath.Join(i.dir, "private-key.txt") }

func (i *inspected) now() string { return time.Now().UTC().Format("2006-01-02 15:04:05.000") }

func (i *inspected) exec(query string, args ...any) {
	i.Helper()
	if _, err := i.db.Exec(query, args...); err != nil {
		i.Fatal(err)
	}
}

// run runs a command, and sees to it that it prints no value.
func (i *inspected) run(status int, args ...string) string {
	i.Helper()
	out, got := command(i.T, append(args, "--config", i.config)...)
	if got != status {
		i.Errorf("%s: exit status %d, want %d\n%s", args, got, status, out)
	}
	for _, v := range []string{original, corrected, "AGE-SECRET"} {
		if strings.Contains(out, v) {
			i.Errorf("%s prints %s:\n%s", args, v, out)
		}
	}
	return out
}

// tells checks that each of the texts is in out; a space stands for any spaces.
func (i *inspected) tells(out string, texts ...string) {
	i.Helper()
	for _, s := range texts {
		if !regexp.MustCompile(strings.ReplaceAll(regexp.QuoteMeta(s), " ", `\s+`)).MatchString(out) {
			i.Errorf("it does not tell %q:\n%s", s, out)
		}
	}
}

func TestVerifyCommand(t *testing.T) {
	i := inspect(t)
	i.tells(i.run(0, "verify"), "LIPID_PANEL 1 1 0 0 0 | 1 1 0 0 0 0", "No difference.")
	i.exec(`UPDATE whoop_results SET value = '7.7777'`)
	i.tells(i.run(1, "verify", "--last", "1d"), "differs LIPID_PANEL TOTAL_CHOLESTEROL, row 7, service request "+i.sent.String(), "value_or_unit; nothing is known of it", "1 difference.")
	i.exec(`DELETE FROM whoop_results`)

	rows, err := csv.NewReader(strings.NewReader(i.run(1, "verify", "--csv"))).ReadAll()
	if err != nil || len(rows) != 2 || rows[0][0] != "finding" || rows[1][0] != "row_gone" || rows[1][1] != i.sent.String() || rows[1][5] != "7" {
		t.Errorf("%q %v", rows, err)
	}
	lines := strings.Split(strings.TrimSpace(i.run(1, "verify", "--json")), "\n")
	var d bridge.Difference
	var v bridge.Verified
	if len(lines) != 2 || json.Unmarshal([]byte(lines[0]), &d) != nil || json.Unmarshal([]byte(lines[1]), &v) != nil || d.Finding != bridge.RowGone || v.Differences() != 1 || v.Tests[0].Gone != 1 {
		t.Errorf("%q", lines)
	}
	i.tells(i.run(2, "verify", "--last", "week"), "not a length of time")
	if out := i.run(0, "verify", "--last", "1ms", "--csv"); strings.Count(out, "\n") != 1 {
		t.Errorf("nothing in that time, as CSV: %q", out)
	}
}

// While the service runs it has the ledger and the connection: the commands ask it.
func TestInspectionBesideTheService(t *testing.T) {
	i := inspect(t)
	cfg, problems := config.Load(i.config)
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	ctx, stop := context.WithCancel(context.Background())
	passed, ended := make(chan struct{}, 10), make(chan error, 1)
	go func() {
		ended <- run(ctx, cfg, slog.New(slog.DiscardHandler), func(*bridge.Summary) { passed <- struct{}{} })
	}()
	<-passed
	for deadline := time.Now().Add(10 * time.Second); ; runtime.Gosched() {
		if _, err := control.Holds(ctx, cfg.State); !errors.Is(err, control.ErrNotRunning) {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("it does not listen")
		}
	}
	i.run(0, "verify")
	i.exec(`DELETE FROM whoop_results`)
	i.tells(i.run(1, "verify"), "row_gone LIPID_PANEL TOTAL_CHOLESTEROL, row 7")
	i.tells(i.run(0, "outstanding", "--older", "1ms"), "CBC ORDER_CONFIRMED "+i.open.String())
	out := filepath.Join(i.dir, "out.txt")
	i.run(0, "archive", "show", i.sent.String(), "--identity", i.key(), "--out", out)
	text, err := os.ReadFile(out)
	if err != nil {
		t.Error(err)
	}
	i.tells(string(text), original, corrected, "not compared")
	i.run(0, "pause", "--by", "A. Lab", "--why", "a test")
	i.tells(i.run(0, "holds"), "paused all sending limsbridge resume")
	i.run(0, "resume", "--by", "A. Lab", "--why", "a test")
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

func TestOutstandingCommand(t *testing.T) {
	i := inspect(t)
	i.tells(i.run(0, "outstanding"), "None is outstanding for 7 days or longer; 1 younger.")
	i.tells(i.run(0, "outstanding", "--older", "1ms"), "0d", "CBC ORDER_CONFIRMED "+i.open.String()+" "+i.requisition, "1 outstanding")
	var all []bridge.Outstanding
	if err := json.Unmarshal([]byte(i.run(0, "outstanding", "--older", "1ms", "--json")), &all); err != nil || len(all) != 1 || all[0].Request != i.open || all[0].AtLeast {
		t.Errorf("%+v %v", all, err)
	}
	if out := i.run(0, "outstanding", "--json"); strings.TrimSpace(out) != "[]" {
		t.Errorf("none as JSON: %q", out)
	}
	i.run(2, "outstanding", "--older", "old")
}

func TestArchiveCommands(t *testing.T) {
	i := inspect(t)
	i.tells(i.run(0, "check"), "ok archive "+filepath.Join(i.dir, "copies")+", for 1 key")
	out := filepath.Join(i.dir, "out.txt")
	show := func(status int, which string, more ...string) string {
		t.Helper()
		return i.run(status, append([]string{"archive", "show", which, "--identity", i.key()}, more...)...)
	}
	i.tells(show(2, i.sent.String()), "--out")
	i.tells(show(0, i.sent.String(), "--out", out), "delete it")
	text, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	shown := string(text)
	i.tells(shown, "2 reports", "final report: sent, HTTP 201", "corrected report: sent, HTTP 201", "agrees with the fingerprints",
		`"value_numeric": `+original, `"value_numeric": `+corrected, `"unit": "mg/dL"`)
	if strings.Index(shown, original) > strings.Index(shown, corrected) || strings.Contains(shown, "WARNING") {
		t.Errorf("not in order, or not genuine:\n%s", shown)
	}
	if info, err := os.Stat(out); err != nil || runtime.GOOS != "windows" && info.Mode().Perm() != 0o600 {
		t.Errorf("%v %v", info.Mode(), err)
	}
	i.tells(show(1, i.sent.String(), "--out", out), "exists already")

	intent := regexp.MustCompile(`intent (\d+)`).FindStringSubmatch(shown)[1]
	byIntent := filepath.Join(i.dir, "by-intent.txt")
	show(0, intent, "--out", byIntent)
	if again, err := os.ReadFile(byIntent); err != nil || string(again) != shown {
		t.Errorf("by its intent:\n%s\n%v", again, err)
	}
	none := filepath.Join(i.dir, "none.txt")
	for which, says := range map[string]string{
		"1": "not the intent of a report", i.open.String(): "neither the journal nor the archive", "x": "neither the number of an intent nor",
	} {
		status := 1
		if which == "x" {
			status = 2
		}
		i.tells(show(status, which, "--out", none), says)
		if _, err := os.Stat(none); err == nil {
			t.Error("a file was left behind")
		}
	}
	copies, err := filepath.Glob(filepath.Join(i.dir, "copies", "*", "*.age"))
	if err != nil || len(copies) != 2 || os.Remove(copies[0]) != nil {
		t.Fatalf("%q %v", copies, err)
	}
	partly := filepath.Join(i.dir, "partly.txt")
	i.tells(show(1, i.sent.String(), "--out", partly), "1 of 2 reports could not be shown")
	if text, err := os.ReadFile(partly); err != nil || !strings.Contains(string(text), corrected) || !strings.Contains(string(text), "no copy") {
		t.Errorf("what could be shown is lost: %s %v", text, err)
	}
	other := filepath.Join(i.dir, "copies", "key.txt")
	i.tells(i.run(0, "archive", "key", other), "recipients: [age1")
	i.tells(i.run(1, "archive", "key", other), "never overwritten")
	i.tells(i.run(1, "archive", "show", i.sent.String(), "--identity", other, "--out", none), "lies in the archive's folder", "could not be shown")
}
