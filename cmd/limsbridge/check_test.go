package main

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"limsbridge/whoop/sandbox"
)

// command runs limsbridge with these arguments and returns what it printed and its exit status.
func command(t *testing.T, args ...string) (string, int) {
	t.Helper()
	var out bytes.Buffer
	c := root()
	c.SetArgs(args)
	c.SetOut(&out)
	c.SetErr(&out)
	err := c.ExecuteContext(context.Background())
	var exit *exitError
	switch {
	case err == nil:
		return out.String(), 0
	case errors.As(err, &exit):
		return out.String() + err.Error(), exit.status
	}
	return out.String() + err.Error(), exitFailed
}

func file(t *testing.T, dir, name, text string) string {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// lab makes a SQLite file with the two views, the second without a column.
func lab(t *testing.T, dir, resultColumns string) {
	t.Helper()
	db, err := sql.Open("sqlite", filepath.Join(dir, "lab.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	_, err = db.Exec(`CREATE TABLE whoop_orders (row_id INTEGER PRIMARY KEY, changed_at DATETIME, requisition_id TEXT, order_code TEXT, status TEXT);
		CREATE TABLE whoop_results (row_id INTEGER PRIMARY KEY, changed_at DATETIME, requisition_id TEXT, order_code TEXT, result_code TEXT, ` + resultColumns + `)`)
	if err != nil {
		t.Fatal(err)
	}
}

// A wrong configuration gives one readable list and status 2, and nothing is sent.
func TestWrongConfiguration(t *testing.T) {
	dir := t.TempDir()
	lab(t, dir, `"values" TEXT, status TEXT`)
	api := sandbox.New(sandbox.Options{})
	url, err := api.Start("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer api.Close()
	const text = `mode: send
start_from: 2026-12-01T06:00
time_zone: America/Chicago
setle: 10m
issue_settle: 10 minits
lims: %s
whoop: {url: %s, client_id: x, client_secret: secret:nowhere}
status:
  orders: {A: complet}
  results: {A: released}
tests:
  LIPID_PANEL: {results: {CHOL: {code: TOTAL_CHOLESTEROL}}}
`
	everywhere := []string{
		"setle", "settle", // unknown key, and which one was meant
		"10 minits",           // bad duration
		"complet", "complete", // unknown bridge word
		"nowhere", "limsbridge secret set nowhere", // missing secret file
	}
	for _, tt := range []struct {
		name, lims string
		says       []string
	}{
		{"unreachable database", `{type: postgres, host: 127.0.0.1, port: 1, database: lims, login: sql, user: ro, password: SENTINEL-password, orders: whoop.orders, results: whoop.results}`,
			[]string{"failure  lims", "127.0.0.1 port 1"}},
		{"wrong column name", `{type: sqlite, file: lab.db, orders: whoop_orders, results: whoop_results}`,
			[]string{"failure  results", `value`, `values`}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			path := file(t, dir, "limsbridge.yaml", fmt.Sprintf(text, tt.lims, url))
			out, status := command(t, "check", "--config", path)
			if status != exitConfig {
				t.Errorf("exit status %d, want %d", status, exitConfig)
			}
			for _, s := range append(everywhere, tt.says...) {
				if !strings.Contains(out, s) {
					t.Errorf("the list does not say %q", s)
				}
			}
			if strings.Contains(out, "SENTINEL") {
				t.Error("the list shows a secret")
			}
			if t.Failed() {
				t.Log(out)
			}
			for _, c := range []string{"once", "run"} {
				if out, status := command(t, c, "--config", path); status != exitConfig || !strings.Contains(out, "setle") {
					t.Errorf("%s: status %d\n%s", c, status, out)
				}
			}
			if n := api.Counts().Calls; len(n) > 0 {
				t.Errorf("calls were made: %v", n)
			}
		})
	}
}

func TestInit(t *testing.T) {
	dir := t.TempDir()
	out, status := command(t, "init", "--lims", "labware", "--dir", dir)
	if status != 0 {
		t.Fatal(out)
	}
	for _, name := range []string{"limsbridge.yaml", "create-views.sql", "state/journal", "state/fingerprint.key"} {
		if _, err := os.Stat(filepath.Join(dir, name)); err != nil {
			t.Error(err)
		}
	}
	path := filepath.Join(dir, "limsbridge.yaml")
	if err := os.WriteFile(path, []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, status = command(t, "init", "--lims", "labware", "--dir", dir); status != 0 || strings.Count(out, "kept") != 3 {
		t.Errorf("a second init: status %d\n%s", status, out)
	}
	if b, _ := os.ReadFile(path); string(b) != "mine" {
		t.Error("init overwrote a file that was there")
	}
	if out, status = command(t, "init", "--lims", "word"); status != exitConfig || !strings.Contains(out, "labware") {
		t.Errorf("an unknown LIMS: status %d\n%s", status, out)
	}
}

// The ten minutes of an IT admin, with a lab of one order: init's ledger, check, codes, preview,
// once, pause and resume.
func TestTenMinutes(t *testing.T) {
	dir := t.TempDir()
	lab(t, dir, "value TEXT, unit TEXT, status TEXT")
	api := sandbox.New(sandbox.Options{})
	url, err := api.Start("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer api.Close()
	q := sandbox.Requisition{ServiceRequests: []sandbox.Order{{Code: "LIPID_PANEL"}}}
	id, err := api.AddRequisition(q)
	if err != nil {
		t.Fatal(err)
	}
	path := file(t, dir, "limsbridge.yaml", fmt.Sprintf(`mode: observe
time_zone: UTC
settle: 0s
lims: {type: sqlite, file: lab.db, orders: whoop_orders, results: whoop_results, pace: 0}
whoop: {url: %s, client_id: %s, client_secret: secret:whoop-client-secret}
status: {orders: {A: complete}, results: {A: released}}
tests:
  LIPID_PANEL: {lims: [LIPID], results: {CHOL: {code: TOTAL_CHOLESTEROL, unit: mg/dL}}}
`, url, sandbox.DefaultClientID))
	ok := func(says string, args ...string) string {
		t.Helper()
		out, status := command(t, append(args, "--config", path)...)
		if status != 0 || !strings.Contains(out, says) {
			t.Errorf("%v: status %d, does not say %q:\n%s", args, status, says, out)
		}
		if strings.Contains(out, "123456.789") {
			t.Errorf("%v shows a value", args)
		}
		return out
	}
	if out, status := command(t, "check", "--config", path); status != exitConfig || !strings.Contains(out, "limsbridge secret set whoop-client-secret") {
		t.Errorf("check before the secret: %d\n%s", status, out)
	}
	stdin := file(t, dir, "typed", sandbox.DefaultClientSecret+"\n")
	c := root()
	in, err := os.Open(stdin)
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	c.SetIn(in)
	c.SetArgs([]string{"secret", "set", "whoop-client-secret", "--config", path})
	if err := c.Execute(); err != nil {
		t.Fatal(err)
	}
	ok("created", "init", "--lims", "generic", "--db", "sqlite", "--dir", dir)
	ok("the credentials are accepted", "check")
	exec := func(query string, args ...any) {
		t.Helper()
		db, err := sql.Open("sqlite", filepath.Join(dir, "lab.db"))
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close()
		if _, err := db.Exec(query, args...); err != nil {
			t.Fatal(err)
		}
	}
	ok("0 reports", "once") // the ledger begins to read now
	exec(`INSERT INTO whoop_orders VALUES (1, strftime('%Y-%m-%d %H:%M:%f','now'), ?, 'LIPID', 'A')`, id.String())
	exec(`INSERT INTO whoop_results VALUES (1, strftime('%Y-%m-%d %H:%M:%f','now'), ?, 'LIPID', 'CHOL', '123456.789', 'mg/dL', 'A')`, id.String())
	ok("tests: all 1 LIMS tests and their results are known", "codes", "--last", "1d")
	ok("report final", "preview", "--since", "1d")
	ok("Nothing was sent", "preview", "--since", "1d")
	ok("waiting observe", "once")
	if n := api.Counts(); n.Reports+n.Statuses > 0 {
		t.Errorf("observe sent %+v", n)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	file(t, dir, "limsbridge.yaml", strings.Replace(string(text), "mode: observe", "mode: send\nstart_from: 2020-01-01T00:00", 1))
	for _, c := range []string{"once", "check"} { // the ledger knows of nothing before its creation
		if out, status := command(t, c, "--config", path); status != exitConfig || !strings.Contains(out, "limsbridge ledger confirm-start") {
			t.Errorf("%s with a start_from before the ledger: status %d\n%s", c, status, out)
		}
	}
	ok("confirmed", "ledger", "confirm-start", "--by", "A. Lab", "--why", "nothing was reported before")
	ok("nothing to confirm", "ledger", "confirm-start", "--by", "A. Lab", "--why", "twice")
	ok("confirm_start", "ledger", "export")
	ok("All well", "check")
	ok("paused (the ledger; no bridge is running)", "pause", "--by", "A. Lab", "--why", "reagent recall")
	ok("waiting paused", "once")
	ok("all sending  limsbridge resume\n", "holds")
	ok(`"kind":"paused"`, "holds", "--json")
	if out, status := command(t, "holds", "resolve", "--kind", "paused", "--never-send", "--by", "A. Lab", "--why", "no", "--yes", "--config", path); status != exitFailed || !strings.Contains(out, "end it with `limsbridge resume") {
		t.Errorf("a decision of a pause: status %d\n%s", status, out)
	}
	if out, status := command(t, "pause", "--test", "LIPID_PANNEL", "--by", "A. Lab", "--why", "recall", "--config", path); status != exitConfig || !strings.Contains(out, "its tests are LIPID_PANEL") {
		t.Errorf("a pause of a test that is none: status %d\n%s", status, out)
	}
	ok("paused", "pause", "--test", "LIPID_PANEL", "--by", "A. Lab", "--why", "recall")
	ok("resumed", "resume", "--by", "A. Lab", "--why", "replaced")
	ok("waiting paused", "once")
	ok("limsbridge resume --test LIPID_PANEL", "holds")
	ok("resumed", "resume", "--test", "LIPID_PANEL", "--by", "A. Lab", "--why", "replaced")
	ok("Nothing is held.", "holds")
	ok("1 reports with 1 observations", "once")
	ok("0 reports", "once")
	if n := api.Counts(); n.Reports != 1 || n.Duplicates+len(n.Violations) > 0 {
		t.Errorf("the API accepted %+v", n)
	}
	if out, status := command(t, "pause", "--config", path); status != exitFailed || !strings.Contains(out, "by") {
		t.Errorf("a pause without a name: %d %s", status, out)
	}
}
