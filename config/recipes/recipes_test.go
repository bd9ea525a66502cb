package recipes

import (
	"database/sql"
	"strings"
	"testing"

	_ "modernc.org/sqlite"
)

func TestUnknownChoices(t *testing.T) {
	for _, x := range []struct {
		Choice
		says string
	}{
		{Choice{}, "--lims labware"},
		{Choice{"labwere", ""}, "generic fits every other"},
		{Choice{"generic", ""}, "--db sqlserver, --db postgres"},
		{Choice{"openelis", "sqlserver"}, "known is postgres"},
		{Choice{"labware", "oracle"}, "no recipe for labware on \"oracle\""},
		{Choice{"generic", "db2"}, "no recipe for generic"},
	} {
		if _, _, err := Render(x.Choice); err == nil || !strings.Contains(err.Error(), x.says) {
			t.Errorf("%+v: %v", x.Choice, err)
		}
	}
	for _, c := range []Choice{{"openelis", ""}, {"labware", ""}, {"labvantage", ""}} {
		if _, _, err := Render(c); err != nil {
			t.Errorf("%+v has one database only: %v", c, err)
		}
	}
}

// TestFiles: every pair of files has the columns of the view contract, one login, and no leftover
// of the template.
func TestFiles(t *testing.T) {
	for _, c := range Choices() {
		yaml, script, err := Render(c)
		if err != nil {
			t.Fatal(err)
		}
		both := string(yaml) + string(script)
		for _, bad := range []string{"[[", "]]", "\t", "<no value>", "\r", " \n"} {
			if strings.Contains(both, bad) {
				t.Errorf("%+v: %q is left over", c, bad)
			}
		}
		for _, column := range []string{"row_id", "changed_at", "requisition_id", "order_code", "status"} {
			if strings.Count(string(script), " AS "+column) != 2 {
				t.Errorf("%+v: column %s is not in both views", c, column)
			}
		}
		for _, column := range []string{"birth_date", "result_code", "value", "unit"} {
			if strings.Count(string(script), " AS "+column) != 1 {
				t.Errorf("%+v: column %s is not in one view", c, column)
			}
		}
		// One grant for both views; Oracle takes one object at a time, and knows a right that locks no rows.
		grant, want := "GRANT SELECT", 1
		if c.DB == "oracle" {
			grant, want = "GRANT READ ON whoop.", 2
		}
		if grants := strings.Count(string(script), grant); grants != want && c.DB != "sqlite" {
			t.Errorf("%+v: %d times %s", c, grants, grant)
		}
		if strings.Contains(strings.ToUpper(string(script)), "NOLOCK") {
			t.Errorf("%+v reads what may be rolled back", c)
		}
	}
}

// TestSQLPlusRuns: outside of a PL/SQL block SQL*Plus takes what stands behind a semicolon on its line for a part of the
// statement (ORA-00911), ends a statement at a remark's last semicolon, and forgets it at a blank line.
func TestSQLPlusRuns(t *testing.T) {
	_, script, err := Render(Choice{"generic", "oracle"})
	if err != nil {
		t.Fatal(err)
	}
	block, statement, ended := false, false, 0
	for i, line := range strings.Split(string(script), "\n") {
		text, remark, remarked := strings.Cut(line, "--")
		text = strings.TrimSpace(text)
		word, _, _ := strings.Cut(text, " ")
		switch {
		case block:
			block = text != "/"
			continue
		case text == "DECLARE" || text == "BEGIN":
			block = true
			continue
		case !statement && (word == "WHENEVER" || word == "SET" || word == "ACCEPT"): // SQL*Plus's own
			continue
		case !statement && text == "":
			continue
		}
		statement = true
		switch {
		case text == "" && !remarked:
			t.Errorf("line %d is blank within a statement", i+1)
		case strings.Contains(remark, ";"):
			t.Errorf("line %d has a remark with a semicolon within a statement: %s", i+1, line)
		case strings.HasSuffix(text, ";") && remarked, strings.Contains(strings.TrimSuffix(text, ";"), ";"):
			t.Errorf("line %d goes on behind its semicolon: %s", i+1, line)
		}
		if strings.Contains(text, ";") {
			statement = false
			ended++
		}
	}
	if block || statement || ended != 8 {
		t.Errorf("%d statements, want 8, or the last one does not end", ended)
	}
}

// TestSQLiteRuns: the script for SQLite makes views that can be read, also when it runs twice.
func TestSQLiteRuns(t *testing.T) {
	db, err := sql.Open("sqlite", ":memory:")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	db.SetMaxOpenConns(1)
	_, script, err := Render(Choice{"generic", "sqlite"})
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range []string{`
		CREATE TABLE lims_sample (sample_id, requisition_id, birth_date, customer, changed_at);
		CREATE TABLE lims_test (test_id, sample_id, test_code, status, changed_at);
		CREATE TABLE lims_result (result_id, test_id, result_code, result_text, unit, status, changed_at);
		INSERT INTO lims_sample VALUES (1, 'r', '1980-01-02', 'WHOOP', '2026-12-03'), (2, 'q', NULL, 'OTHER', NULL);
		INSERT INTO lims_test VALUES (10, 1, 'CBC', 'X', '2026-12-01'), (20, 2, 'CBC', 'X', NULL);
		INSERT INTO lims_result VALUES (100, 10, 'WBC', '5.40', 'K/uL', 'Y', '2026-12-02')`, string(script), string(script)} {
		if _, err := db.Exec(s); err != nil {
			t.Fatal(err)
		}
	}
	for query, want := range map[string]string{
		`SELECT group_concat(row_id || changed_at || requisition_id || order_code || status || birth_date) FROM whoop_orders`:                    "102026-12-03rCBCX1980-01-02",
		`SELECT group_concat(row_id || changed_at || requisition_id || order_code || result_code || value || unit || status) FROM whoop_results`: "1002026-12-03rCBCWBC5.40K/uLY",
	} {
		var got string
		if err := db.QueryRow(query).Scan(&got); err != nil || got != want {
			t.Errorf("%q, %v, want %q", got, err, want)
		}
	}
}
