package main

import (
	"database/sql"
	"fmt"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"limsbridge/bridge"
	"limsbridge/bridge/ledger"
	"limsbridge/config"
	"limsbridge/lims"
	"limsbridge/whoop"
	"limsbridge/whoop/sandbox"
)

// mapped is a lab whose rows of the last days the configuration does not know all of, and the path
// of its configuration.
func mapped(t *testing.T) (db *sql.DB, path string) {
	dir := t.TempDir()
	lab(t, dir, "value TEXT, unit TEXT, status TEXT")
	db, err := sql.Open("sqlite", filepath.Join(dir, "lab.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	id := "7d5e2c1a-3b4f-4a6d-8e9f-0a1b2c3d4e5f"
	stamp := time.Now().UTC().Add(-time.Hour).Format("2006-01-02 15:04:05")
	for i, r := range [][2]string{{"LIPID", "A"}, {"LIPID", "On hold"}, {"LIPID", "On hold"}, {"CBC", "A"}, {"QC", "A"}} {
		if _, err := db.Exec(`INSERT INTO whoop_orders VALUES (?, ?, ?, ?, ?)`, i, stamp, id, r[0], r[1]); err != nil {
			t.Fatal(err)
		}
	}
	for i, r := range [][5]string{
		{"LIPID", "CHOL", "SENTINEL-1", "mg/dL", "A"}, {"LIPID", "CHOL", "5.40", "mg/dL", "A"}, {"LIPID", "CHOL", "5.40", "mmol/L", "A"},
		{"LIPID", "TRIG", "5.40", "mg/dL", "A"}, {"LIPID", "TRIG", "SENTINEL-2", "", "A"}, {"CBC", "WBC", "5.40", "K/µL", "F"}, {"CBC", "HEM", "1", "", "A"},
	} {
		if _, err := db.Exec(`INSERT INTO whoop_results VALUES (?, ?, ?, ?, ?, ?, ?, ?)`, i, stamp, id, r[0], r[1], r[2], r[3], r[4]); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := db.Exec(`INSERT INTO whoop_results VALUES (99, NULL, ?, 'LIPID', 'CHOL', '5', 'mg/dL', 'A')`, id); err != nil {
		t.Fatal(err)
	}
	return db, file(t, dir, "limsbridge.yaml", `mode: observe
time_zone: UTC
lims: {type: sqlite, file: lab.db, orders: whoop_orders, results: whoop_results}
whoop: {client_id: x, client_secret: plain, url: 'http://127.0.0.1:1'}
status:
  orders: {A: complete}
  results: {A: released}
tests:
  LIPID_PANEL: {lims: [LIPID], results: {CHOL: {code: TOTAL_CHOLESTEROL, unit: mg/dL}}}
ignore: [QC, HEM]
`)
}

// tellsAll checks that each line is there, blanks aside, and no value.
func tellsAll(t *testing.T, out string, lines ...string) {
	t.Helper()
	blanks := regexp.MustCompile(` +`)
	plain := blanks.ReplaceAllString(out, " ")
	for _, l := range lines {
		if !strings.Contains(plain, blanks.ReplaceAllString(l, " ")) {
			t.Errorf("it does not tell %q", l)
		}
	}
	if strings.Contains(out, "SENTINEL") {
		t.Error("it shows a value")
	}
	if t.Failed() {
		t.Log(out)
	}
}

// What rows of the last days say and the configuration does not know is told before anything leaves:
// which word, of how many rows, and what to do. How a read goes about it is told too.
func TestCheckDatabase(t *testing.T) {
	db, path := mapped(t)
	out, _ := command(t, "check", "--config", path, "--last", "7d")
	tellsAll(t, out,
		"ok lims clock agrees with this machine's",
		"ok lims rights the file is opened for reading only",
		"ok orders 5 columns fit the view contract",
		"ok orders read 0 rows of the last 10m took",
		"ok orders plan each read goes through all of whoop_orders",
		"ok orders stamps every row has a changed_at",
		"warning results stamps 1 row has no changed_at",
		"ok lims pace a pass with little new takes",
		"ok orders newest changed 1h0m",
		"ok orders rows 5 rows of the last 7 days were looked at",
		`warning orders rows the status "On hold" of 2 rows is not under status.orders`,
		`warning orders rows the order code "CBC" of 1 row is under no test`,
		"ok results rows 7 rows of the last 7 days were looked at",
		`warning results rows the status "F" of 1 row is not under status.results`,
		`warning results rows the result "TRIG" of 2 rows is not under results: of the test of LIPID`,
		`warning results rows the unit "mmol/L" of 1 row of LIPID CHOL is not the one configured`,
		"warning results rows LIPID CHOL: 1 row with a value that is no number and no known word",
	)
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	elsewhere := file(t, filepath.Dir(path), "elsewhere.yaml", strings.Replace(string(text), "time_zone: UTC", "time_zone: America/Bogota", 1))
	away, _ := command(t, "check", "--config", elsewhere, "--last", "7d")
	tellsAll(t, away, "warning orders newest a changed_at lies ", " in the future by the LIMS's clock: is time_zone (America/Bogota) the one that it is written in?")
	if strings.Contains(out, "QC") || strings.Contains(out, "HEM") {
		t.Error("it tells of what is ignored")
	}
	for i := range 40 { // a column of names, mistaken for the status
		if _, err := db.Exec(`INSERT INTO whoop_orders SELECT 100 + ?, changed_at, requisition_id, order_code, ? FROM whoop_orders WHERE row_id = 1`, i, fmt.Sprintf("SENTINEL %d", i)); err != nil {
			t.Fatal(err)
		}
	}
	out, _ = command(t, "check", "--config", path, "--last", "7d")
	tellsAll(t, out, "warning orders rows unknown_status: 41 different ones, which are not listed: is it the right column?")
	if out, _ = command(t, "codes", "--config", path, "--last", "7d"); !strings.Contains(out, "# 41 different words that are not known, which are not listed") {
		t.Error("codes does not ask whether it is the right column")
	}
	tellsAll(t, out)
	if _, err := db.Exec(`DELETE FROM whoop_orders`); err != nil {
		t.Fatal(err)
	}
	out, _ = command(t, "check", "--config", path)
	tellsAll(t, out, "warning orders rows none changed in the last 30 days: is it the right view?")
}

// Where there are more rows than are looked at, neither check nor codes says anything of the newest, which are not read;
// and of a source whose change column is no time, nothing of --last.
func TestCheckTellsWhatItDidNotLookAt(t *testing.T) {
	db, path := mapped(t)
	all := mostRows
	t.Cleanup(func() { mostRows = all })
	if _, err := db.Exec(`DELETE FROM whoop_orders WHERE order_code <> 'LIPID' OR status <> 'A'`); err != nil {
		t.Fatal(err)
	}
	newer := time.Now().UTC().Add(-time.Minute).Format(time.DateTime)
	for i := range 3 {
		if _, err := db.Exec(`INSERT INTO whoop_orders SELECT 100 + ?, ?, requisition_id, order_code, 'Newest' FROM whoop_orders WHERE row_id = 0`, i, newer); err != nil {
			t.Fatal(err)
		}
	}
	mostRows = 1
	const only = "only the oldest 1 rows of the last 7 days were looked at: a shorter --last looks at the newest"
	out, _ := command(t, "check", "--config", path, "--last", "7d")
	tellsAll(t, out, "warning orders rows "+only)
	if strings.Contains(out, "every word, code, unit and value is known") || strings.Contains(out, "orders newest") || strings.Contains(out, `"Newest"`) {
		t.Errorf("it tells of what it did not look at:\n%s", out)
	}
	out, _ = command(t, "codes", "--config", path, "--last", "7d")
	tellsAll(t, out, "# Of orders "+only+".\n")
	mostRows = 4
	out, _ = command(t, "check", "--config", path, "--last", "7d")
	tellsAll(t, out, "ok orders rows 4 rows of the last 7 days were looked at", `"Newest" of 3 rows`)

	if _, err := db.Exec(`UPDATE whoop_orders SET changed_at = row_id + 1, status = 'A'`); err != nil {
		t.Fatal(err)
	}
	out, _ = command(t, "check", "--config", path, "--last", "7d")
	tellsAll(t, out, "ok orders rows 4 rows of the whole source, whose changed_at is no time: every word, code, unit and value is known")
	mostRows = 3
	out, _ = command(t, "check", "--config", path, "--last", "7d")
	tellsAll(t, out, "warning orders rows only the oldest 3 rows of the whole source were looked at\n")
	out, _ = command(t, "codes", "--config", path, "--last", "7d")
	tellsAll(t, out, "# The changed_at of orders is no time", "# Of orders only the oldest 3 rows of the whole source were looked at.\n")
}

// A view that fails on a row is told, though its columns fit, and without the server's words: they
// may quote the row.
func TestCheckTellsAFailingView(t *testing.T) {
	db, path := mapped(t)
	for _, q := range []string{
		`ALTER TABLE whoop_results RENAME TO base`,
		`CREATE VIEW whoop_results AS SELECT row_id, changed_at, requisition_id, order_code, result_code, json(value || 'SENTINEL') AS value, unit, status FROM base`,
	} {
		if _, err := db.Exec(q); err != nil {
			t.Fatal(err)
		}
	}
	out, _ := command(t, "check", "--config", path)
	tellsAll(t, out, "failure results")
}

// What codes prints is YAML that loads once its places are filled in, and then everything is known.
func TestCodesAreFilledIn(t *testing.T) {
	_, path := mapped(t)
	out, status := command(t, "codes", "--config", path)
	if status != 0 {
		t.Fatal(out)
	}
	tellsAll(t, out,
		"# What the LIMS shows of the last 30 days; the numbers are rows.",
		"    A: complete   # 2 rows", "    On hold:    # <- 2 rows; one of accepted collected",
		"    A: released   # 5 rows", "    F:    # <- 1 row; one of pending released",
		"  WHOOP_CODE_1:   # <- WHOOP's code of what the LIMS calls CBC; 1 order. Not WHOOP's: put CBC under ignore:\n    lims: [CBC]\n",
		"      WBC: {code: , unit: 'K/µL'}   # <- 1 row",
		"  LIPID_PANEL:   # is there already: add to its results:\n    results:\n",
		"      TRIG: {code: , unit: mg/dL}   # <- 2 rows; 1 without a unit; 1 with a value that is no number and no known word: see words:",
		"# ignored: HEM, 1 row", "# ignored: QC, 1 row")
	base := "mode: observe\ntime_zone: UTC\nlims: {type: sqlite, file: lab.db, orders: whoop_orders, results: whoop_results}\n" +
		"whoop: {client_id: x, client_secret: plain, url: 'http://127.0.0.1:1'}\nignore: [QC, HEM]\n"
	unfilled := file(t, filepath.Dir(path), "unfilled.yaml", base+out)
	says, status := command(t, "check", "--config", unfilled)
	if status != exitConfig {
		t.Error("what is not filled in passes")
	}
	tellsAll(t, says, "tests.WHOOP_CODE_1: WHOOP's code of what is ordered is still to be filled in", "WHOOP's code is missing", "the bridge word is missing")
	filled := strings.NewReplacer("WHOOP_CODE_1:", "CBC:", "{code: , unit: 'K/µL'}", "{code: WBC, unit: 10*3/uL}",
		"TRIG: {code: , unit: mg/dL}", "CHOL: {code: TOTAL_CHOLESTEROL}\n      TRIG: {code: TRIGLYCERIDES}", "LIPID_PANEL:", "LIPID:",
		"On hold:", "On hold: collected", "F:  ", "F: pending").Replace(out)
	again := file(t, filepath.Dir(path), "filled.yaml", base+filled)
	out, _ = command(t, "codes", "--config", again)
	tellsAll(t, out, "# status: every word is known.", "# tests: all 2 LIMS tests and their results are known.")
}

// A code is written so that YAML reads it back as it is.
func TestQuoted(t *testing.T) {
	for code, want := range map[string]string{"CHOL": "CHOL", "001": "001", "10*3/uL": "10*3/uL", "On hold": "On hold", "%": "'%'", "": "''", "it's": "'it''s'", "a: b": "'a: b'",
		"#1": "'#1'", "[x]": "'[x]'", "K/µL": "'K/µL'", "A,B": "'A,B'", "x #y": "'x #y'", "tab\t": `"tab\t"`} {
		if got := quoted(code); got != want {
			t.Errorf("%q is written %s, want %s", code, got, want)
		}
	}
}

// A DBA gets the statement that takes a right away, or is told to make a login of its own.
func TestRevoke(t *testing.T) {
	for _, tt := range []struct{ typ, what, account, says string }{
		{lims.Postgres, "public.result", "limsbridge_ro", "REVOKE INSERT, UPDATE, DELETE, TRUNCATE ON public.result FROM limsbridge_ro;"},
		{lims.SQLServer, "[dbo].[RESULT]", "[limsbridge_ro]", "REVOKE INSERT, UPDATE, DELETE ON [dbo].[RESULT] FROM [limsbridge_ro];"},
		{lims.MySQL, "`lims`.* (INSERT, DROP)", "'ro'@'%'", "REVOKE INSERT, DROP ON `lims`.* FROM 'ro'@'%';"},
		{lims.SQLServer, "everything, since it is db_owner", "[dbo]", "give the bridge a login of its own"},
	} {
		d := &databaseCheck{cfg: &config.Config{Database: config.Database{Type: tt.typ}}, account: tt.account}
		if got := d.revoke(tt.what); !strings.HasPrefix(got, tt.says) {
			t.Errorf("%s: %q, want %q", tt.what, got, tt.says)
		}
	}
}

// A plan is told in one sentence.
func TestPlanned(t *testing.T) {
	for _, tt := range []struct {
		steps []lims.Step
		typ   string
		says  string
		whole bool
	}{
		{[]lims.Step{{Table: "t", Index: "t_changed"}, {Table: "s", Index: "s_pkey"}}, lims.Postgres, "reads t through t_changed, s through s_pkey", false},
		{[]lims.Step{{Table: "t", Whole: true, Rows: "900", MakeIndex: "CREATE INDEX …;"}, {Table: "s", Index: "s_pkey"}}, lims.MySQL,
			"each read goes through all of t (900 rows); where the vendor allows it, the DBA runs: CREATE INDEX …;", true},
		{[]lims.Step{{Table: "t", Whole: true}, {Table: "s", Whole: true}}, lims.Postgres,
			"each read goes through all of t, s; changed_at is made of several columns, which no one index serves", true},
		{[]lims.Step{{Table: "t", Whole: true}}, lims.SQLite, "each read goes through all of t", true},
		{nil, lims.SQLite, "the database tells nothing of its way", false},
	} {
		if got, whole := planned(tt.steps, tt.typ); got != tt.says || whole != tt.whole {
			t.Errorf("%+v: %q %v, want %q %v", tt.steps, got, whole, tt.says, tt.whole)
		}
	}
}

// A preview says of which unit, and how, an observation is made; to check it is known.
func TestPreviewTellsConversions(t *testing.T) {
	db, path := mapped(t)
	for _, text := range []string{`DELETE FROM whoop_orders WHERE status <> 'A'`, `DELETE FROM whoop_results WHERE order_code <> 'LIPID' OR unit <> 'mmol/L'`} {
		if _, err := db.Exec(text); err != nil {
			t.Fatal(err)
		}
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	converts := file(t, filepath.Dir(path), "converts.yaml", strings.NewReplacer("client_id: x, client_secret: plain", "client_id: x, client_secret: secret:none",
		"unit: mg/dL}", "unit: mg/dL, convert: {from: mmol/L, multiply: 38.67, decimals: 0}}").Replace(string(text)))
	out, status := command(t, "preview", "--config", converts)
	if !strings.Contains(out, "LIPID_PANEL: TOTAL_CHOLESTEROL mg/dL (from mmol/L × 38.67, 0 decimals)\n") || status != 0 {
		t.Errorf("%d\n%s", status, out)
	}
	if out, _ = command(t, "check", "--config", converts); !strings.Contains(out, "every word, code, unit and value is known") {
		t.Error(out)
	}
}

// The quota is one for every process: what passes spent of it, preview does not spend again.
func TestPreviewKeepsTheQuota(t *testing.T) {
	_, path := mapped(t)
	api := sandbox.New(sandbox.Options{})
	server := httptest.NewServer(api)
	t.Cleanup(server.Close)
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	settings := strings.NewReplacer("http://127.0.0.1:1", server.URL+sandbox.Prefix, "client_id: x", "client_id: "+sandbox.DefaultClientID, "plain", sandbox.DefaultClientSecret+", quota: {per_day: 100}")
	if err := os.WriteFile(path, []byte(settings.Replace(string(text))), 0o600); err != nil {
		t.Fatal(err)
	}
	state := filepath.Join(filepath.Dir(path), "state")
	if err := ledger.Create(state, time.Now(), "test", "test"); err != nil {
		t.Fatal(err)
	}
	if out, status := command(t, "preview", "--config", path); status != 0 {
		t.Fatalf("with all of the quota: %s", out)
	}
	asked := api.Counts().Calls["requisition"]
	if asked == 0 {
		t.Fatal("preview asks WHOOP nothing")
	}
	l, err := ledger.Open(state, ledger.Options{})
	if err != nil {
		t.Fatal(err)
	}
	counted := 0
	l.View(func(s *bridge.State) {
		for _, m := range s.Minutes {
			counted += m.Calls
		}
	})
	if counted != asked {
		t.Errorf("preview made %d calls, and the ledger counts %d", asked, counted)
	}
	looks := slices.Repeat([]bridge.Event{{At: time.Now(), Kind: bridge.LookEvent, Outcome: whoop.Sent}}, 100)
	if _, err := l.Commit(t.Context(), looks...); err != nil {
		t.Fatal(err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if v, err := ledger.Verify(state, ""); err != nil || !v.Sound() || !v.Replayed {
		t.Errorf("after a preview the ledger is %+v, %v", v, err)
	}
	if out, status := command(t, "preview", "--config", path); status == 0 || !strings.Contains(out, "quota") {
		t.Errorf("the quota of this day is spent, and preview ends with %d: %s", status, out)
	}
	if n := api.Counts().Calls["requisition"]; n != asked {
		t.Errorf("%d calls beyond the quota", n-asked)
	}
}
