package lims

import (
	"strings"
	"testing"
)

// Each thing that cannot stand inside another query is refused by its name.
func TestWrapRefuses(t *testing.T) {
	all := []string{SQLServer, Postgres, MySQL, SQLite}
	tests := []struct {
		text, want string
		on         []string
	}{
		{"", "is empty", all},
		{"  -- nothing\n", "is empty", all},
		{";", "is empty", all},
		{"WITH x AS (SELECT 1 AS a) SELECT a FROM x", "WITH", all},
		{"UPDATE t SET a = 1", "begins with UPDATE", all},
		{"EXEC sp_who", "begins with EXEC", all},
		{"SELECT a FROM t ORDER BY a", "ORDER BY", all},
		{"select a from t order /* x */ by a", "ORDER BY", all},
		{"SELECT a FROM t OPTION (RECOMPILE)", "OPTION", all},
		{"SELECT a FROM t; SELECT b FROM t", ";", all},
		{"SELECT a FROM t; DROP TABLE t;", ";", all},
		{"SELECT a FROM t) AS x; DROP TABLE t; --", "closing bracket", all},
		{"SELECT (a FROM t", "opening bracket", all},
		{"SELECT 'a FROM t", "string", all},
		{"SELECT a /* FROM t", "comment", all},
		{`SELECT "a FROM t`, "name", all},
		{"SELECT a INTO b FROM t", "INTO", all},
		{"SELECT a FROM t FOR UPDATE", "FOR UPDATE", all},
		{"SELECT a FROM t FOR JSON PATH", "FOR JSON", all},
		{"SELECT a FROM t LOCK IN SHARE MODE", "LOCK IN SHARE MODE", all},
		{"SELECT a, b, A FROM t", "two columns are named A", all},
		{"SELECT t.a, u.a FROM t, u", "two columns are named a", all},
		{"SELECT a, b AS a FROM t", "two columns are named a", all},
		{"SELECT DISTINCT TOP (5) a, a FROM t", "two columns are named a", []string{SQLServer}},
		{"SELECT a, COUNT(*) FROM t GROUP BY a", "column 2 has no name", []string{SQLServer}},
		{"SELECT a, 'x' FROM t", "column 2 has no name", []string{SQLServer}},
		{"SELECT a, b + c FROM t", "column 2 has no name", []string{SQLServer}},
		{"SELECT CASE WHEN a = 1 THEN b ELSE c END FROM t", "column 1 has no name", []string{SQLServer}},
		{"SELECT [a FROM t", "name", []string{SQLServer, SQLite}},
		{"SELECT `a FROM t", "name", []string{MySQL, SQLite}},
		{"SELECT a FROM t WHERE b = ?", "?", []string{MySQL, SQLite}},
		{"SELECT a FROM t /*! , secret */", "/*!", []string{MySQL}},
		{"SELECT a FROM t WHERE b = $x$ it's", "string", []string{Postgres}},
	}
	for _, test := range tests {
		for _, typ := range test.on {
			_, _, err := wrap(Orders, newDialect(typ).syntax(), test.text, false)
			if err == nil || !strings.Contains(err.Error(), test.want) || !strings.HasPrefix(err.Error(), "orders: ") {
				t.Errorf("%s: %s\n\tgot %v\n\twant it refused for %q", typ, test.text, err, test.want)
			}
		}
	}
}

// What looks like the above within strings, names, comments and brackets is left alone.
func TestWrapAccepts(t *testing.T) {
	all := []string{SQLServer, Postgres, MySQL, SQLite}
	tests := []struct {
		text string
		on   []string
	}{
		{"SELECT a FROM t", all},
		{"SELECT a FROM t;", all},
		{"SELECT a FROM t; -- done", all},
		{"(SELECT a FROM t) UNION ALL (SELECT a FROM u)", all},
		{"SELECT * FROM t", all},
		{"SELECT t.*, u.a FROM t JOIN u ON t.id = u.id", all},
		{"SELECT a FROM t WHERE b = 'it''s; ORDER BY ('", all},
		{"-- WITH; (\nSELECT a /* ; ( ORDER BY */ FROM t -- it's", all},
		{"SELECT a FROM (SELECT a FROM u ORDER BY a) AS v", all},
		{"SELECT a AS b, b AS a FROM t", all},
		{"SELECT COUNT(*) AS n, a x, CASE WHEN a = 1 THEN b END AS c FROM t", all},
		{"SELECT (SELECT MAX(a) FROM u WHERE u.a = t.a) AS a, ROW_NUMBER() OVER (ORDER BY b) AS b FROM t", all},
		{`SELECT "a;b" FROM t`, all},
		{"SELECT TOP (100) a FROM t ORDER BY a", []string{SQLServer}},
		{"SELECT TOP 100 PERCENT a, b FROM t ORDER BY a", []string{SQLServer}},
		{"SELECT a FROM t ORDER BY a OFFSET 0 ROWS", []string{SQLServer}},
		{"SELECT name = a + 1, other = b FROM t", []string{SQLServer}},
		{"SELECT [a;(] FROM t", []string{SQLServer, SQLite}},
		{"SELECT a FROM t FOR SYSTEM_TIME ALL", []string{SQLServer}},
		{"SELECT a FROM t LIMIT 5", []string{Postgres, MySQL, SQLite}},
		{"SELECT a::text, b::date FROM t WHERE c ? 'x'", []string{Postgres}},
		{"SELECT $tag$ it's; ( $tag$ AS a, E'it\\'s (' AS b", []string{Postgres}},
		{"SELECT 'it\\'s (' AS a FROM t # it's", []string{MySQL}},
		{"SELECT 5--3 AS a FROM t", []string{MySQL}},
		{"/* a /* b */ c */ SELECT a FROM t", []string{SQLServer, Postgres}},
	}
	for _, test := range tests {
		for _, typ := range test.on {
			from, _, err := wrap(Orders, newDialect(typ).syntax(), test.text, false)
			if err != nil {
				t.Errorf("%s: %s\n\tgot %v", typ, test.text, err)
			}
			if !strings.HasPrefix(from, "(\n") || !strings.HasSuffix(from, "\n) AS lb") {
				t.Errorf("%s: wrapped as %q", typ, from)
			}
		}
	}
}

func TestWrapViews(t *testing.T) {
	x := sqlServer{}.syntax()
	for name, good := range map[string]bool{
		"results": true, "whoop.results": true, "[LAB WARE].[whoop].results": true, `SRV.DB.dbo."re sults"`: true,
		"whoop..results": false, "whoop.": false, "lab ware.results": false, "results; DROP TABLE x": false,
		"SELECT a FROM t": false, "(SELECT 1)": false, "a.b.c.d.e": false, "": false, "results --": true,
	} {
		_, _, err := wrap(Results, x, name, true)
		if (err == nil) != good {
			t.Errorf("%q: %v", name, err)
		}
	}
}

func TestWrapWarnsOfNoLock(t *testing.T) {
	x := sqlServer{}.syntax()
	for text, warned := range map[string]bool{
		"SELECT a FROM t WITH (NOLOCK)":           true,
		"SELECT a FROM t (readuncommitted)":       true,
		"SELECT a FROM t WHERE b = 'NOLOCK'":      false,
		"SELECT a FROM t -- no WITH (NOLOCK), ok": false,
	} {
		_, warnings, err := wrap(Results, x, text, false)
		if err != nil || (len(warnings) == 1) != warned {
			t.Errorf("%s: %v, %v", text, warnings, err)
		}
	}
}

func FuzzTokens(f *testing.F) {
	f.Add("SELECT [a] FROM t -- x\n WHERE b = 'it''s' /* ; */ AND c = $x$ $x$")
	f.Add("SELECT TOP (5) a = 1, b FROM t;")
	f.Add("SELECT TOP (")
	f.Fuzz(func(t *testing.T, text string) {
		for _, typ := range []string{SQLServer, Postgres, MySQL, SQLite} {
			from, _, err := wrap(Orders, newDialect(typ).syntax(), text, false)
			if err == nil && !strings.HasPrefix(from, "(\n") {
				t.Errorf("%q became %q", text, from)
			}
		}
	})
}
