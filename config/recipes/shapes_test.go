package recipes_test

import (
	"cmp"
	"context"
	"crypto/rand"
	"database/sql"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib"

	"limsbridge/bridge"
	"limsbridge/config"
	"limsbridge/config/recipes"
	"limsbridge/lims"
)

// The recipes' views over tables of each LIMS's shape, in a real PostgreSQL. Those for SQL Server
// run as they stand in the file: their SELECTs are standard SQL, and only they are taken from it.

// laboratory is a database of one test's own.
type laboratory struct {
	*testing.T
	db      *sql.DB
	options lims.Options
}

// newLaboratory makes one; url is of a server, from LIMSBRIDGE_TEST_POSTGRES.
func newLaboratory(t *testing.T) laboratory {
	t.Helper()
	server, err := url.Parse(cmp.Or(os.Getenv("LIMSBRIDGE_TEST_POSTGRES"), "postgres://postgres@127.0.0.1:5432/"))
	if err != nil {
		t.Fatal("LIMSBRIDGE_TEST_POSTGRES is no URL")
	}
	open := func(name string) *sql.DB {
		u := *server
		u.Path, u.RawQuery = "/"+name, "sslmode=disable"
		db, err := sql.Open("pgx", u.String())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { db.Close() })
		return db
	}
	admin := open("postgres")
	if err := admin.PingContext(t.Context()); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("no PostgreSQL answers at %s, and CI=true", server.Host)
		}
		t.Skipf("no PostgreSQL answers at %s: start one, or name it in LIMSBRIDGE_TEST_POSTGRES", server.Host)
	}
	name := "limsbridge_recipe_" + strings.ToLower(rand.Text()[:10])
	l := laboratory{T: t}
	do := func(db *sql.DB, text string) {
		t.Helper()
		if _, err := db.ExecContext(context.Background(), text); err != nil {
			t.Fatalf("%s: %v", text, err)
		}
	}
	do(admin, "CREATE DATABASE "+name)
	t.Cleanup(func() { do(admin, "DROP DATABASE "+name+" WITH (FORCE)") })
	l.db = open(name)
	host, port, err := net.SplitHostPort(server.Host)
	if err != nil {
		host, port = server.Host, "5432"
	}
	number, _ := strconv.Atoi(port)
	password, _ := server.User.Password()
	l.options = lims.Options{Type: lims.Postgres, Server: host, Port: number, Database: name, User: server.User.Username(),
		Password: func() (string, error) { return password, nil },
		Orders:   lims.Query{View: "whoop.orders"}, Results: lims.Query{View: "whoop.results"}}
	return l
}

func (l laboratory) exec(text string, args ...any) {
	l.Helper()
	if _, err := l.db.ExecContext(l.Context(), text, args...); err != nil {
		l.Fatalf("%s: %v", text, err)
	}
}

var createView = regexp.MustCompile(`(?s)(CREATE VIEW whoop\.\w+ AS\n.*?)\nGO\n`)

// views runs what a recipe for SQL Server has of views, and returns the words of its YAML.
func (l laboratory) views(c recipes.Choice) bridge.Words {
	l.Helper()
	yaml, script, err := recipes.Render(c)
	if err != nil {
		l.Fatal(err)
	}
	found := createView.FindAllStringSubmatch(string(script), -1)
	if len(found) != 2 {
		l.Fatalf("%d views in %+v", len(found), c)
	}
	l.exec("CREATE SCHEMA whoop")
	for _, text := range found {
		l.exec(text[1])
	}
	path := filepath.Join(l.TempDir(), "limsbridge.yaml")
	if err := os.WriteFile(path, yaml, 0o600); err != nil {
		l.Fatal(err)
	}
	cfg, _ := config.Load(path) // what is not filled in yet is no matter here
	if cfg == nil || len(cfg.Words.Results) == 0 {
		l.Fatal("the recipe's YAML does not load")
	}
	return cfg.Words
}

// rows reads a source as the bridge does, by row id.
func (l laboratory) rows(s lims.Source) map[string]lims.Row {
	l.Helper()
	r, err := lims.Open(l.options)
	if err != nil {
		l.Fatal(err)
	}
	defer r.Close()
	desc, err := r.Describe(l.Context(), s)
	if err != nil || len(desc.Problems) > 0 {
		l.Fatalf("%s: %v %q", s, err, desc.Problems)
	}
	all := map[string]lims.Row{}
	keep := func(rows []lims.Row) error {
		for _, row := range rows {
			if _, twice := all[row.ID]; twice || row.Problem != "" {
				l.Errorf("%s row %s stands twice, or: %s", s, row.ID, row.Problem)
			}
			all[row.ID] = row
		}
		return nil
	}
	if err := r.Since(l.Context(), s, time.Time{}.AddDate(2000, 0, 0), keep); err != nil {
		l.Fatal(err)
	}
	if err := r.Unstamped(l.Context(), s, keep); err != nil {
		l.Fatal(err)
	}
	return all
}

// letters writes a column's value: "-" is NULL.
func letters(s string) any {
	if s == "-" {
		return nil
	}
	return s
}

const (
	requisition = "7D5E2C1A-3B4F-4A6D-8E9F-0A1B2C3D4E5F"
	early, late = "2026-11-01 08:00:00", "2026-11-02 09:30:00.123"
)

// TestLabWare: in every combination of a sample's, a test's and a result's letter and of what stands in REPORTABLE, a
// value is released only where test and result are authorised, the sample is neither rejected nor
// cancelled, and the result is reportable; where neither T nor F says so, it is held. (Letters: LabWare's STATUS;
// "-" is NULL.)
func TestLabWare(t *testing.T) {
	l := newLaboratory(t)
	l.exec(`CREATE SCHEMA dbo;
		CREATE TABLE dbo.SAMPLE (SAMPLE_NUMBER int PRIMARY KEY, TEXT_ID varchar(30), LABEL_ID varchar(30), EXT_LINK varchar(254), CUSTOMER varchar(30),
			STATUS varchar(1), RECD_DATE timestamp, SAMPLED_DATE timestamp, RELEASED varchar(1), CHANGED_ON timestamp(3));
		CREATE TABLE dbo.TEST (TEST_NUMBER int PRIMARY KEY, SAMPLE_NUMBER int, ANALYSIS varchar(30), STATUS varchar(1), CHANGED_ON timestamp(3));
		CREATE TABLE dbo.RESULT (RESULT_NUMBER int PRIMARY KEY, TEST_NUMBER int, NAME varchar(80), FORMATTED_ENTRY varchar(254), UNITS varchar(30),
			STATUS varchar(1), REPORTABLE varchar(1), CHANGED_ON timestamp(3))`)
	words := l.views(recipes.Choice{LIMS: "labware"})

	type letter struct{ sample, test, result, reportable string }
	tests, results := map[string]letter{}, map[string]letter{}
	n := 0
	for sample := range strings.SplitSeq("UIPCARX-", "") {
		for test := range strings.SplitSeq("UIPCARX-", "") {
			n++
			l.exec(`INSERT INTO dbo.SAMPLE (SAMPLE_NUMBER, EXT_LINK, CUSTOMER, STATUS, CHANGED_ON) VALUES ($1, $2, 'WHOOP', $3, $4)`, n, requisition, letters(sample), early)
			l.exec(`INSERT INTO dbo.TEST VALUES ($1, $2, 'LIPID', $3, NULL)`, 1000+n, n, letters(test))
			tests[strconv.Itoa(1000+n)] = letter{sample: sample, test: test}
			for i, result := range strings.Split("NEMCARX-", "") {
				for j, reportable := range []string{"T", "F", "-", " ", "", "N"} {
					id := 100*n + 10*i + j
					l.exec(`INSERT INTO dbo.RESULT VALUES ($1, $2, 'CHOL', '5.40', 'mg/dL', $3, $4, $5)`, id, 1000+n, letters(result), letters(reportable), late)
					results[strconv.Itoa(id)] = letter{sample, test, result, reportable}
				}
			}
		}
	}
	l.exec(`INSERT INTO dbo.SAMPLE (SAMPLE_NUMBER, CUSTOMER, STATUS) VALUES (9000, 'OTHER', 'A'); INSERT INTO dbo.TEST VALUES (9000, 9000, 'LIPID', 'A', NULL)`)
	l.exec(`INSERT INTO dbo.RESULT VALUES (900000, 9000, 'CHOL', '1', '', 'A', 'T', NULL)`)

	orders := l.rows(lims.Orders)
	if len(orders) != len(tests) {
		t.Errorf("%d orders, want %d: another customer's, or one that its status took out of the view?", len(orders), len(tests))
	}
	for id, x := range tests {
		row, word := orders[id], words.Orders[orders[id].Status]
		want := map[string]bridge.OrderWord{"U": bridge.Accepted, "R": bridge.OrderNotMeasurable, "X": bridge.RejectedOrder}[x.sample]
		if want == "" {
			want = map[string]bridge.OrderWord{"U": bridge.Accepted, "I": bridge.Collected, "P": bridge.Collected, "C": bridge.Collected,
				"A": bridge.Complete, "R": bridge.OrderNotMeasurable, "X": bridge.RejectedOrder, "-": ""}[x.test]
		}
		if word != want || row.OrderCode != "LIPID" || row.Requisition != requisition || !strings.HasPrefix(row.Stamp, early) {
			t.Errorf("order %+v: %q (%+v), want %q", x, word, row, want)
		}
	}
	got := l.rows(lims.Results)
	if len(got) != len(results) {
		t.Errorf("%d results, want %d", len(got), len(results))
	}
	released := 0
	for id, x := range results {
		row, word := got[id], words.Results[got[id].Status]
		may := x.test == "A" && x.result == "A" && x.reportable == "T" && x.sample != "R" && x.sample != "X"
		if may != (word == bridge.Released) {
			t.Errorf("result %+v: %q", x, word)
		}
		if word == bridge.Released {
			released++
		}
		switch {
		case x.reportable == "F":
			if row.Status != "hidden" {
				t.Errorf("result %+v is not reportable, and has the word %q", x, row.Status)
			}
		case x.reportable != "T":
			if word != "" || row.Status == "" {
				t.Errorf("result %+v may be reported or not, and its word %q is %q", x, row.Status, word)
			}
		case x.sample == "X" && word != bridge.Withdrawn, x.sample == "R" && word != bridge.ResultNotMeasurable:
			t.Errorf("result %+v of the whole sample: %q", x, word)
		case word == "" && !strings.Contains(x.test+x.result, "-"):
			t.Errorf("result %+v: the word %q is not in the recipe's YAML", x, row.Status)
		}
		if row.Value != "5.40" || row.Unit != "mg/dL" || row.ResultCode != "CHOL" || !strings.HasPrefix(row.Stamp, late) {
			t.Errorf("result %+v: %+v", x, row)
		}
	}
	if released != 6 {
		t.Errorf("%d released, want those of the samples U I P C A and NULL", released)
	}
}

// TestLabVantage: a data item is released only with its flag, and only of a sample that is Reviewed.
func TestLabVantage(t *testing.T) {
	l := newLaboratory(t)
	l.exec(`CREATE SCHEMA dbo;
		CREATE TABLE dbo.s_sample (s_sampleid varchar(40) PRIMARY KEY, samplestatus varchar(20), u_requisitionid varchar(40), u_customer varchar(40), moddt timestamp);
		CREATE TABLE dbo.sdidata (sdidataid varchar(40) PRIMARY KEY, sdcid varchar(40), keyid1 varchar(40), paramlistid varchar(40), s_datasetstatus varchar(20), moddt timestamp);
		CREATE TABLE dbo.sdidataitem (sdidataitemid varchar(40) PRIMARY KEY, sdcid varchar(40), keyid1 varchar(40), paramlistid varchar(40), paramid varchar(40),
			displayvalue varchar(80), displayunits varchar(40), releasedflag varchar(1), moddt timestamp)`)
	words := l.views(recipes.Choice{LIMS: "labvantage"})
	type item struct{ sample, flag string }
	items := map[string]item{}
	orderWords := map[string]bridge.OrderWord{"Initial": bridge.Accepted, "Received": bridge.Collected, "InProgress": bridge.Collected,
		"Completed": bridge.Collected, "Reviewed": bridge.Complete, "Cancelled": bridge.RejectedOrder, "-": ""}
	for sample := range orderWords {
		key := "S-" + sample
		l.exec(`INSERT INTO dbo.s_sample VALUES ($1, $2, $3, 'WHOOP', $4)`, key, letters(sample), requisition, late)
		l.exec(`INSERT INTO dbo.sdidata VALUES ($1, 'Sample', $1, 'LIPID', 'Completed', $2)`, key, early)
		for _, flag := range []string{"Y", "N", "-"} {
			id := key + "-" + flag
			l.exec(`INSERT INTO dbo.sdidataitem VALUES ($1, 'Sample', $2, 'LIPID', 'CHOL', '5.40', 'mg/dL', $3, NULL)`, id, key, letters(flag))
			items[id] = item{sample, flag}
		}
	}
	l.exec(`INSERT INTO dbo.s_sample VALUES ('O', 'Reviewed', '', 'OTHER', NULL); INSERT INTO dbo.sdidata VALUES ('O', 'Sample', 'O', 'LIPID', '', NULL)`)
	l.exec(`INSERT INTO dbo.sdidata VALUES ('B', 'Batch', 'S-Reviewed', 'LIPID', '', NULL)`)
	orders := l.rows(lims.Orders)
	if len(orders) != len(orderWords) {
		t.Errorf("%d orders, want %d", len(orders), len(orderWords))
	}
	for sample, want := range orderWords {
		row := orders["S-"+sample]
		if word := words.Orders[row.Status]; word != want || row.OrderCode != "LIPID" || row.Requisition != requisition || !strings.HasPrefix(row.Stamp, late) {
			t.Errorf("order of a sample %s: %q (%+v), want %q", sample, word, row, want)
		}
	}
	got := l.rows(lims.Results)
	if len(got) != len(items) {
		t.Errorf("%d results, want %d", len(got), len(items))
	}
	for id, x := range items {
		row, want := got[id], bridge.Pending
		switch {
		case x.sample == "Reviewed" && x.flag == "Y":
			want = bridge.Released
		case x.sample == "Cancelled":
			want = bridge.Withdrawn
		}
		if word := words.Results[row.Status]; word != want || row.Value != "5.40" || row.Unit != "mg/dL" || row.ResultCode != "CHOL" || !strings.HasPrefix(row.Stamp, late) {
			t.Errorf("result %+v: %q (%+v), want %q", x, word, row, want)
		}
	}
}

// TestOpenELIS: statuses go by their names whatever their ids, a choice leaves as its words,
// several choices as one row, and a unit is its test's.
func TestOpenELIS(t *testing.T) {
	l := newLaboratory(t)
	l.exec(`CREATE SCHEMA clinlims; SET search_path = clinlims;
		CREATE TABLE clinlims.status_of_sample (id numeric PRIMARY KEY, name varchar(30));
		CREATE TABLE clinlims.unit_of_measure (id numeric PRIMARY KEY, name varchar(20));
		CREATE TABLE clinlims.dictionary (id numeric PRIMARY KEY, dict_entry varchar(4000));
		CREATE TABLE clinlims.test (id numeric PRIMARY KEY, local_code varchar(10), description varchar(120), uom_id numeric);
		CREATE TABLE clinlims.electronic_order (id numeric PRIMARY KEY, external_id varchar(60), lastupdated timestamp);
		CREATE TABLE clinlims.patient (id numeric PRIMARY KEY, birth_date timestamp, lastupdated timestamp);
		CREATE TABLE clinlims.sample (id numeric PRIMARY KEY, accession_number varchar(20), referring_id varchar(64), clinical_order_id numeric, lastupdated timestamp);
		CREATE TABLE clinlims.sample_human (id numeric PRIMARY KEY, samp_id numeric, patient_id numeric, lastupdated timestamp);
		CREATE TABLE clinlims.sample_item (id numeric PRIMARY KEY, samp_id numeric, status_id numeric, lastupdated timestamp);
		CREATE TABLE clinlims.analysis (id numeric PRIMARY KEY, sampitem_id numeric, test_id numeric, status_id numeric, lastupdated timestamp, corrected boolean);
		CREATE TABLE clinlims.result (id numeric PRIMARY KEY, analysis_id numeric, result_type char(1), value varchar(200), parent_id numeric, lastupdated timestamp);
		INSERT INTO clinlims.status_of_sample VALUES (71, 'Finalized'), (4, 'Technical Acceptance'), (9, 'Not Tested'), (13, 'Test Canceled'), (2, 'NonConforming'), (6, 'SampleCanceled'), (1, 'SampleEntered');
		INSERT INTO clinlims.unit_of_measure VALUES (1, 'mg/dl');
		INSERT INTO clinlims.dictionary VALUES (50, 'Yellow'), (51, 'Clear');
		INSERT INTO clinlims.test VALUES (1, 'CHOL', 'Cholesterol-Serum', 1), (2, 'DUP', 'Colour-Urine', NULL), (3, 'DUP', 'Aspect-Urine', NULL);
		INSERT INTO clinlims.electronic_order VALUES (1, '` + requisition + `', '2026-11-01 09:00:00');
		INSERT INTO clinlims.patient VALUES (1, '1980-01-02', '2026-11-02 09:30:00.123');
		INSERT INTO clinlims.sample VALUES (1, 'A1', NULL, 1, '2026-11-01 08:00:00'), (2, 'A2', ' ` + requisition + ` ', NULL, '2026-11-01 08:00:00'), (3, 'A3', 'HOSPITAL-7', NULL, NULL);
		INSERT INTO clinlims.sample_human VALUES (1, 1, 1, NULL);
		INSERT INTO clinlims.sample_item VALUES (1, 1, 1, NULL), (2, 2, 6, NULL), (3, 3, 1, NULL);
		INSERT INTO clinlims.analysis VALUES (10, 1, 1, 71, NULL, NULL), (11, 1, 2, 4, NULL, NULL), (12, 1, 3, 9, NULL, NULL), (13, 1, 1, 2, NULL, NULL), (14, 1, 1, 71, NULL, NULL), (20, 2, 1, 71, NULL, NULL), (30, 3, 1, 71, NULL, NULL);
		INSERT INTO clinlims.result VALUES (100, 10, 'N', '180.50', NULL, '2026-11-02 09:30:00.123'), (110, 11, 'D', '50', NULL, NULL),
			(120, 12, 'M', '50', NULL, NULL), (121, 12, 'M', '51', NULL, '2026-11-02 09:30:00.123'), (130, 13, 'N', '7', NULL, NULL), (140, 14, 'Q', '50', NULL, NULL), (200, 20, 'N', '8', NULL, NULL), (300, 30, 'N', '9', NULL, NULL)`)
	yaml, script, err := recipes.Render(recipes.Choice{LIMS: "openelis"})
	if err != nil {
		t.Fatal(err)
	}
	again(l, string(script))
	path := filepath.Join(t.TempDir(), "limsbridge.yaml")
	if err := os.WriteFile(path, yaml, 0o600); err != nil {
		t.Fatal(err)
	}
	cfg, _ := config.Load(path)
	orders, results := l.rows(lims.Orders), l.rows(lims.Results)
	for id, want := range map[string]struct {
		code, birth, stamp string
		word               bridge.OrderWord
	}{
		"10": {"CHOL", "1980-01-02", late, bridge.Complete},
		"11": {"Colour-Urine", "1980-01-02", late, bridge.Collected}, // two tests have its local code
		"12": {"Aspect-Urine", "1980-01-02", late, bridge.Collected},
		"13": {"CHOL", "1980-01-02", late, ""}, // NonConforming: held
		"14": {"CHOL", "1980-01-02", late, bridge.Complete},
		"20": {"CHOL", "", early, bridge.RejectedOrder},
	} {
		row := orders[id]
		if row.OrderCode != want.code || row.BirthDate != want.birth || !strings.HasPrefix(row.Stamp, want.stamp) || cfg.Words.Orders[row.Status] != want.word {
			t.Errorf("order %s: %+v, want %+v", id, row, want)
		}
		if u, err := bridge.ParseID(row.Requisition); err != nil || !strings.EqualFold(u.String(), requisition) {
			t.Errorf("order %s: %v", id, err)
		}
	}
	for id, want := range map[string]struct {
		code, value, unit, stamp string
		word                     bridge.ResultWord
	}{
		"100": {"CHOL", "180.50", "mg/dl", late, bridge.Released},
		"110": {"Colour-Urine", "Yellow", "", "2026-11-01 09:00:00", bridge.Pending}, // its electronic order was stamped
		"120": {"Aspect-Urine", "Yellow, Clear", "", late, bridge.Pending},           // its other choice was stamped
		"130": {"CHOL", "7", "mg/dl", "2026-11-01 09:00:00", ""},
		"140": {"CHOL", "", "mg/dl", "2026-11-01 09:00:00", bridge.Released}, // of a type that nobody knows: no value, and so held
		"200": {"CHOL", "8", "mg/dl", early, bridge.Withdrawn},
	} {
		row := results[id]
		if row.ResultCode != want.code || row.Value != want.value || row.Unit != want.unit || !strings.HasPrefix(row.Stamp, want.stamp) || cfg.Words.Results[row.Status] != want.word {
			t.Errorf("result %s: %+v, want %+v", id, row, want)
		}
	}
	if len(orders) != 6 || len(results) != 6 {
		t.Errorf("%d orders and %d results, want 6 and 6: another customer's order, or a choice of its own?", len(orders), len(results))
	}
}
