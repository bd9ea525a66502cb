package config

import (
	"crypto/sha256"
	"encoding/hex"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"limsbridge/bridge"
	"limsbridge/config/recipes"
	"limsbridge/lims"
	"limsbridge/whoop"
)

// TestExample: the example of the documentation loads as it is, given its CA and its secret.
func TestExample(t *testing.T) {
	dir := t.TempDir()
	t.Setenv(credentials, "")
	b, err := os.ReadFile("testdata/right/example.yaml")
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, FileName)
	for p, text := range map[string][]byte{path: b, filepath.Join(dir, "company-ca.pem"): []byte("-")} {
		if err := os.WriteFile(p, text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := StoreSecret(filepath.Join(dir, "state"), "whoop-client-secret", sentinel); err != nil {
		t.Fatal(err)
	}
	c, problems := Load(path)
	if len(problems) > 0 || len(c.Warnings) != 1 || !strings.HasPrefix(c.Warnings[0], "alerts.email") {
		t.Fatalf("%v\n%v", problems, c.Warnings)
	}
	sum := sha256.Sum256(b)
	if c.Hash() != hex.EncodeToString(sum[:]) {
		t.Error("the hash is not that of the file")
	}
	chicago, err := time.LoadLocation("America/Chicago")
	if err != nil {
		t.Fatal(err)
	}
	ca := filepath.Join(dir, "company-ca.pem")
	if got, want := c.LIMS(), (lims.Options{
		Type: lims.SQLServer, Server: `LIMSSQL01.example.org\LABWARE`, Database: "LABWARE_PROD", Login: lims.LoginWindows,
		CAFile: ca, Orders: lims.Query{View: "whoop.orders"}, Results: lims.Query{View: "whoop.results"}, Location: chicago,
		LockTimeout: 5 * time.Second, QueryTimeout: time.Minute, PageSize: 5000, Pace: 20,
	}); !reflect.DeepEqual(got, want) {
		t.Errorf("lims:\n%+v\nwant\n%+v", got, want)
	}
	if got, want := c.WHOOP(), (whoop.Options{
		BaseURL: "https://api.prod.whoop.com/developer", ClientID: "0b8f6a1e-partner", ClientSecret: sentinel, Proxy: "http://proxy.example.org:8080",
		CAFile: ca, Parallel: 4, RequestTimeout: 30 * time.Second, PerMinute: 100, PerDay: 10000,
	}); !reflect.DeepEqual(got, want) {
		t.Errorf("whoop: %+v\nwant %+v", got, want)
	}
	settings := bridge.Fixed()
	settings.StartFrom = time.Date(2026, 12, 1, 6, 0, 0, 0, chicago)
	settings.Every, settings.LookBack, settings.HourlyLookBack, settings.Sweep = 5*time.Minute, 10*time.Minute, 75*time.Minute, 30*day
	settings.Settle, settings.IssueSettle, settings.DoubtAfter = 10*time.Minute, 30*time.Minute, 5*time.Minute
	settings.PatientCheck, settings.Parallel = true, 4
	settings.Brake = bridge.Brake{Corrections: 20, Percent: 5, FirstPass: 500}
	if got := c.Bridge(); !reflect.DeepEqual(got, settings) {
		t.Errorf("bridge:\n%+v\nwant\n%+v", got, settings)
	}
	if want := []bridge.Test{
		{Code: "LIPID_PANEL", LIMS: []string{"LIPID"}, Results: map[string]bridge.ObservationRule{
			"CHOL": {Code: "TOTAL_CHOLESTEROL", Unit: "mg/dL"}, "HDL": {Code: "HDL", Unit: "mg/dL"}, "LDLC": {Code: "LDL", Unit: "mg/dL", Optional: true}}},
		{Code: "CBC", LIMS: []string{"CBC", "DIFF"}, Results: map[string]bridge.ObservationRule{"WBC": {Code: "WBC", Unit: "10*3/uL"}}},
	}; !reflect.DeepEqual(c.Tests, want) {
		t.Errorf("tests: %+v", c.Tests)
	}
	if c.Words.Orders["R"] != bridge.OrderNotMeasurable || c.Words.Results["hidden"] != bridge.IgnoredResult || len(c.Words.Orders) != 7 || len(c.Words.Results) != 6 {
		t.Errorf("words: %+v", c.Words)
	}
	m, err := c.Mapping()
	if err != nil || m.Test("DIFF") == nil || m.Test("DIFF").Code != "CBC" {
		t.Errorf("mapping: %v", err)
	}
	if want := (Email{To: []string{"lab-it@example.org"}, From: "limsbridge@example.org", Server: "smtp.example.org:25"}); !reflect.DeepEqual(*c.Alerts.Email, want) {
		t.Errorf("alerts: %+v", c.Alerts.Email)
	}
}

// TestDefaults: each default names a setting, is good text for it, and says why.
func TestDefaults(t *testing.T) {
	known := map[string]bool{}
	each(settings(&Config{}), "", func(p string, _ setting) { known[p] = true })
	seen := map[string]bool{}
	var text strings.Builder
	for _, d := range Defaults() {
		if !known[d.Name] || seen[d.Name] || d.Value == "" || d.Reason == "" {
			t.Errorf("%+v", d)
		}
		seen[d.Name] = true
		if !strings.Contains(d.Name, ".") {
			text.WriteString(d.Name + ": " + d.Value + "\n")
		}
	}
	implicit, explicit := good(t, base), good(t, base+text.String())
	explicit.Path, explicit.State, explicit.Archive, explicit.Log, explicit.hash, explicit.Warnings = implicit.Path, implicit.State, implicit.Archive, implicit.Log, implicit.hash, implicit.Warnings
	if !reflect.DeepEqual(implicit, explicit) {
		t.Errorf("defaults written out differ:\n%+v\n%+v", explicit, implicit)
	}
}

// TestRecipes: what init writes has only its empty values for problems, and none once they are filled.
func TestRecipes(t *testing.T) {
	fill := strings.NewReplacer(
		"time_zone:   ", "time_zone: America/Chicago   ", "start_from:   ", "start_from: 2026-12-01T06:00   ",
		"server:   ", `server: 'LIMSSQL01\LAB'   `, "database:   ", "database: LIMS   ", "file:   ", "file: lims.db   ",
		"client_id:   ", "client_id: partner   ",
		"secret:lims-password", "env:LIMSBRIDGE_TEST_PASSWORD", "secret:whoop-client-secret", "env:LIMSBRIDGE_TEST_SECRET")
	t.Setenv("LIMSBRIDGE_TEST_PASSWORD", sentinel)
	t.Setenv("LIMSBRIDGE_TEST_SECRET", sentinel)
	t.Setenv(credentials, "")
	for _, choice := range recipes.Choices() {
		t.Run(choice.LIMS+"-"+choice.DB, func(t *testing.T) {
			yaml, sql, err := recipes.Render(choice)
			if err != nil {
				t.Fatal(err)
			}
			_, problems := load(t, string(yaml))
			if len(problems) == 0 || len(problems) > 8 {
				t.Errorf("%d values to fill:\n%v", len(problems), problems)
			}
			for _, p := range problems {
				if p.Kind == Wrong {
					t.Errorf("wrong as written: %v", p)
				}
			}
			c := good(t, fill.Replace(string(yaml)))
			if c.Mode != Observe || c.Database.Type != choice.DB || len(c.Words.Orders) == 0 || len(c.Words.Results) == 0 || !c.PatientCheck {
				t.Errorf("%+v", c)
			}
			if len(c.Warnings) != 1 || !strings.HasPrefix(c.Warnings[0], "tests: none") {
				t.Errorf("warnings: %v", c.Warnings)
			}
			for _, view := range []string{c.Database.Orders, c.Database.Results} {
				if choice.DB == "mysql" {
					view = "whoop." + view // the database that the recipe names
				}
				if !strings.Contains(string(sql), "VIEW "+view+" ") {
					t.Errorf("create-views.sql does not make %s", view)
				}
			}
			// The commented tests are an example that loads.
			good(t, fill.Replace(uncomment(string(yaml))))
		})
	}
}

// uncomment takes the comment off the example of tests.
func uncomment(yaml string) string {
	before, rest, _ := strings.Cut(yaml, "\ntests:")
	tests, after, _ := strings.Cut(rest, "\n\n")
	return before + "\ntests:" + strings.ReplaceAll(tests, "\n# ", "\n ") + "\n\n" + after
}

func TestBuildersFollowTheFile(t *testing.T) {
	c := good(t, `
mode: send
start_from: 2026-12-01T06:00
time_zone: UTC
lims:
  {type: mysql, host: db, port: 3307, database: lims, user: u, password: 'plain', encrypt: unverified, tls_min: 1.0, read_only_intent: true, float_digits: 2,
   orders: o, results: r, every: 1m, look_back: 2m, hourly_look_back: 3h, sweep: 4d, page_size: 100, pace: 0, lock_timeout: 1s, query_timeout: 2s}
whoop: {url: 'http://localhost:8080/', client_id: id, client_secret: 'plain', parallel: 16, request_timeout: 3s, quota: {per_minute: 0, per_day: 0}}
tests: {CBC: {results: {WBC: {code: WBC, words: [FEW, MANY]}}}}
patient_check: off
decimal_comma: true
no_value: [QTY INSUFF, 'NO']
settle: 5m
issue_settle: 6m
on_not_measurable: issue
corrections: hold
withdrawn_value: withdrawn
adopt_foreign_progress: true
doubt_after: 7m
overdue: 8 days
archive: {recipients: [age12qpf4u2sqk2m9d6kqh8uww2sdjcfyzluqreahs004qkthrc3te4qae7lev], folder: /backup/copies}
brake: {corrections: 9, percent: 10.5, first_pass: 11}
`)
	o, w, s := c.LIMS(), c.WHOOP(), c.Bridge()
	if o.Server != "db" || o.Port != 3307 || o.Login != lims.LoginSQL || o.User != "u" || o.Encrypt != lims.EncryptUnverified || o.TLSMin != "1.0" ||
		o.FloatDigits != 2 || o.PageSize != 100 || o.Pace != 0 || o.LockTimeout != time.Second || o.QueryTimeout != 2*time.Second {
		t.Errorf("lims: %+v", o)
	}
	if w.BaseURL != "http://localhost:8080" || w.Parallel != 16 || w.RequestTimeout != 3*time.Second || w.PerMinute != 0 || w.PerDay != 0 {
		t.Errorf("whoop: %+v", w)
	}
	if !s.Send || s.PatientCheck || !s.ReportUnmeasurable || !s.HoldCorrections || s.WithdrawnValue != "withdrawn" || !s.AdoptProgress ||
		s.Every != time.Minute || s.LookBack != 2*time.Minute || s.HourlyLookBack != 3*time.Hour || s.Sweep != 4*day ||
		s.Settle != 5*time.Minute || s.IssueSettle != 6*time.Minute || s.DoubtAfter != 7*time.Minute || s.Parallel != 16 ||
		s.Brake != (bridge.Brake{Corrections: 9, Percent: 10.5, FirstPass: 11}) {
		t.Errorf("bridge: %+v", s)
	}
	if c.Overdue != 8*day || !c.DecimalComma || !reflect.DeepEqual(c.NoValue, []string{"QTY INSUFF", "NO"}) {
		t.Errorf("%+v", c)
	}
	if want := (Archive{[]string{"age12qpf4u2sqk2m9d6kqh8uww2sdjcfyzluqreahs004qkthrc3te4qae7lev"}, within(filepath.Dir(c.Path), "/backup/copies")}); !reflect.DeepEqual(c.Archive, want) || !c.Archive.On() {
		t.Errorf("archive: %+v", c.Archive)
	}
	for _, about := range []string{"archive.recipients", "lims.password", "lims.encrypt", "lims.tls_min", "lims.read_only_intent", "whoop.url", "whoop.client_secret", "patient_check", "adopt_foreign_progress"} {
		if !strings.Contains(strings.Join(c.Warnings, "\n"), about+" ") {
			t.Errorf("no warning of %s in %q", about, c.Warnings)
		}
	}
}

// TestConversion: what is written becomes exactly that factor, and a ready table that map.
func TestConversion(t *testing.T) {
	c := good(t, base+`
status: {orders: hl7_0123, results: hl7_0085}
tests:
  A: {results: {A: {code: A, unit: mg/dL, convert: {from: mmol/L, multiply: 38.67, decimals: 0}}}}
  B: {results: {B: {code: B, unit: mmol/L, convert: {from: mg/dL, divide: 38.67, decimals: 2}}}}
  C: {results: {C: {code: C, unit: '%', convert: {from: mmol/mol, multiply: 0.09148, add: 2.152, decimals: 1}}}}
  D: {results: {D: {code: D, unit: g/dL, convert: {divide: 10, decimals: 1}}}}
`)
	for i, want := range []string{"mmol/L × 38.67, 0 decimals", "mg/dL / 38.67, 2 decimals", "mmol/mol × 0.09148 + 2.152, 1 decimal", "no unit × 0.1, 1 decimal"} {
		test := c.Tests[i]
		if got := test.Results[test.Code].Convert; got == nil || got.String() != want {
			t.Errorf("%s: %v, want %s", test.Code, got, want)
		}
	}
	if !reflect.DeepEqual(c.Words, bridge.Words{Orders: bridge.OrderTables["hl7_0123"], Results: bridge.ResultTables["hl7_0085"]}) {
		t.Errorf("%+v", c.Words)
	}
}

func TestNoFile(t *testing.T) {
	c, problems := Load(filepath.Join(t.TempDir(), "nothing.yaml"))
	if c != nil || len(problems) != 1 || !strings.Contains(problems.Error(), "limsbridge init") {
		t.Error(problems)
	}
	if Problems(nil).Err() != nil || problems.Err() == nil {
		t.Error("Err does not tell problems from none")
	}
}
