package lims

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// recorded is SQLite with a note of each statement that reaches it.
type recorded struct {
	sqliteDialect
	mu   *sync.Mutex
	seen map[string]bool
}

func (d recorded) connect(ctx context.Context, o Options, password string) (driver.Conn, error) {
	c, err := d.sqliteDialect.connect(ctx, o, password)
	return recordedConn{c, d}, err
}

type recordedConn struct {
	driver.Conn
	d recorded
}

func (c recordedConn) QueryContext(ctx context.Context, text string, args []driver.NamedValue) (driver.Rows, error) {
	c.d.mu.Lock()
	c.d.seen[text] = true
	c.d.mu.Unlock()
	return c.Conn.(driver.QueryerContext).QueryContext(ctx, text, args)
}

// sqliteLab is a file with indexed base tables and simple views over them.
func sqliteLab(t *testing.T) (path string, db *sql.DB) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "lab.db")
	db, err := sql.Open("sqlite", "file:"+(&url.URL{Path: filepath.ToSlash(path)}).EscapedPath())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	for _, text := range []string{
		"CREATE TABLE test (id INTEGER PRIMARY KEY, changed_on DATETIME, requisition TEXT, code TEXT, status TEXT)",
		"CREATE TABLE result (id TEXT PRIMARY KEY, changed_on DATETIME, requisition TEXT, code TEXT, name TEXT, entry TEXT, status TEXT)",
		"CREATE INDEX test_changed ON test (changed_on, id)",
		"CREATE INDEX result_changed ON result (changed_on, id)",
		"CREATE VIEW orders AS SELECT id AS row_id, changed_on AS changed_at, requisition AS requisition_id, code AS order_code, status FROM test",
		"CREATE VIEW results AS SELECT id AS row_id, changed_on AS changed_at, requisition AS requisition_id, code AS order_code, name AS result_code, entry AS value, status FROM result WHERE code <> 'QC'",
		"INSERT INTO test (id, changed_on) VALUES (1, '2026-11-01 10:00:00'), (2, '2026-11-01 10:00:00'), (3, '2026-11-01 10:00:01'), (4, NULL), (5, NULL), (6, NULL)",
		"INSERT INTO result (id, changed_on, code) VALUES ('1', '2026-11-01 10:00:00', ''), ('2', '2026-11-01 10:00:00', ''), ('3', '2026-11-01 10:00:01', ''), ('4', NULL, ''), ('5', NULL, ''), ('6', NULL, '')",
	} {
		if _, err := db.Exec(text); err != nil {
			t.Fatal(err)
		}
	}
	return path, db
}

// Whatever the reader is asked to do, it runs nothing but what Statements tells; and Statements
// tells nothing that is never run.
func TestStatementsAreAllThatRuns(t *testing.T) {
	path, db := sqliteLab(t)
	o := Options{Type: SQLite, Database: path, PageSize: 2, Orders: Query{View: "orders"}, Results: Query{SQL: "SELECT * FROM results -- mine"}}
	r, err := Open(o)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	d := recorded{mu: new(sync.Mutex), seen: map[string]bool{}}
	r.ss.d = d
	ctx := t.Context()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	_, err = r.Identity(ctx)
	must(err)
	for _, s := range []Source{Orders, Results} {
		var c Cursor
		keep := func(_ []Row, now Cursor) error { c = now; return nil }
		must(r.Poll(ctx, s, c, time.Hour, keep))
		must(r.Poll(ctx, s, c, time.Hour, keep))
		must(r.Unstamped(ctx, s, func([]Row) error { return nil }))
		must(r.Since(ctx, s, time.Now(), func([]Row) error { return nil }))
		for _, n := range []int{1, 2, 26} {
			_, err = r.Fetch(ctx, s, strings.Split(strings.Repeat("1,", n)+"2", ",")[:n+1])
			must(err)
			ids := make([]string, n)
			for i := range ids {
				ids[i] = string(rune('1' + i%9))
				if i > 8 {
					ids[i] += ids[i]
				}
				if i > 17 {
					ids[i] += "0"
				}
			}
			_, err = r.Fetch(ctx, s, ids)
			must(err)
		}
		_, err = r.Describe(ctx, s)
		must(err)
		_, err = r.Plan(ctx, s, time.Now())
		must(err)
		_, err = r.CountUnstamped(ctx, s)
		must(err)
		_, _, err = r.Measure(ctx, s, time.Now())
		must(err)
	}
	for _, table := range []string{"test", "result"} {
		_, err = db.Exec("DELETE FROM " + table + " WHERE id > 2 OR id > '2'")
		must(err)
	}
	for _, s := range []Source{Orders, Results} { // which went back
		must(r.Poll(ctx, s, Cursor{Stamp: "2026-11-20 00:00:00", Seen: true}, time.Hour, func([]Row, Cursor) error { return nil }))
	}
	told := r.Statements()
	for text := range d.seen {
		if !slices.Contains(told, text) {
			t.Errorf("run and not told:\n%s", text)
		}
	}
	for _, text := range told {
		if !d.seen[text] && !strings.HasPrefix(text, "PRAGMA ") {
			t.Errorf("told and never run:\n%s", text)
		}
	}
}

// Every statement of every dialect is one SELECT, one question how it would run, or one of the few settings of a session.
func TestStatementsOnlyRead(t *testing.T) {
	for _, typ := range []string{SQLServer, Postgres, MySQL, SQLite} {
		r, err := Open(Options{Type: typ, Server: "127.0.0.1", Database: "d", User: "u", Orders: Query{View: "o"}, Results: Query{SQL: "SELECT * FROM r"}})
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		statements := r.Statements()
		if len(statements) < 20 {
			t.Errorf("%s: only %d statements", typ, len(statements))
		}
		for _, text := range statements {
			tokens, problem := newDialect(typ).syntax().tokens(strings.ReplaceAll(strings.ReplaceAll(text, "/*!", "/*"), "/*M!", "/*"))
			if first := tokens[0].text; problem != "" || (!slices.Contains([]string{"SELECT", "WITH", "SET", "PRAGMA", "SHOW", "EXPLAIN"}, first)) {
				t.Errorf("%s: %s\n%s", typ, problem, text)
			}
			for _, tok := range tokens {
				if tok.kind == word && slices.Contains([]string{"INSERT", "UPDATE", "DELETE", "MERGE", "DROP", "EXEC", "INTO"}, tok.text) {
					t.Errorf("%s: %s", typ, text)
				}
			}
		}
	}
}

// SQLite answers each page from the index on (changed_at, row_id) alone, without sorting, through a view.
func TestSQLiteUsesTheIndex(t *testing.T) {
	path, db := sqliteLab(t)
	r, err := Open(Options{Type: SQLite, Database: path, Orders: Query{View: "orders"}, Results: Query{View: "results"}})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	for s, table := range map[Source]string{Orders: "test", Results: "result"} {
		src, err := r.source(t.Context(), s)
		if err != nil {
			t.Fatal(err)
		}
		after := &position{stamp: "2026-11-01 10:00:00", id: "1"}
		for name, want := range map[string]struct {
			build func() (statement, error)
			plan  string
		}{
			"from a stamp": {func() (statement, error) { return src.stampedPage(after.stamp, nil, 10) }, "USING INDEX " + table + "_changed (changed_on>?)"},
			"behind a row": {func() (statement, error) { return src.stampedPage("", after, 10) }, "USING INDEX " + table + "_changed (" + map[string]string{
				"test":   "changed_on>?", // a rowid cannot be sought in a pair, but its comparison needs the index only
				"result": "(changed_on,id)>(?,?)",
			}[table] + ")"},
			"unstamped": {func() (statement, error) { return src.unstampedPage(after, 10) }, "USING INDEX " + table + "_changed (changed_on=? AND id>?)"},
			"head":      {func() (statement, error) { return src.head(after.stamp) }, "INDEX " + table + "_changed (changed_on<?)"},
		} {
			st, err := want.build()
			if err != nil {
				t.Fatal(err)
			}
			plan := queryPlan(t, db, st)
			if !strings.Contains(plan, want.plan) || strings.Contains(plan, "TEMP B-TREE") || strings.Contains(plan, "MATERIALIZE") {
				t.Errorf("%s, %s: %s\nfor %s", s, name, plan, st.text)
			}
		}
	}
}

func queryPlan(t *testing.T, db *sql.DB, st statement) string {
	t.Helper()
	rows, err := db.Query("EXPLAIN QUERY PLAN "+st.text, st.args...)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	var plan []string
	for rows.Next() {
		var a, b, c int
		var detail string
		if err := rows.Scan(&a, &b, &c, &detail); err != nil {
			t.Fatal(err)
		}
		plan = append(plan, detail)
	}
	return strings.Join(plan, "; ")
}

// A database that compares keys otherwise than it shows them is not asked for the same page for ever. Here
// one row id is a text among integers: behind each of them, and shown as one.
func TestPagesThatDoNotMoveOn(t *testing.T) {
	path, db := sqliteLab(t)
	for _, text := range []string{
		"CREATE TABLE odd (row_id, changed_at TEXT, requisition_id TEXT, order_code TEXT, result_code TEXT, value TEXT, status TEXT)",
		"INSERT INTO odd (row_id, changed_at) VALUES (1, '2026-11-01 10:00:00'), (2, '2026-11-01 10:00:00'), ('3', '2026-11-01 10:00:00')",
	} {
		if _, err := db.Exec(text); err != nil {
			t.Fatal(err)
		}
	}
	r, err := Open(Options{Type: SQLite, Database: path, Orders: Query{View: "odd"}, Results: Query{View: "odd"}, PageSize: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	var ids []string
	err = r.Poll(t.Context(), Results, Cursor{}, 0, func(rows []Row, _ Cursor) error {
		if ids = append(ids, rows[0].ID); len(ids) > 10 {
			return errors.New("it reads for ever")
		}
		return nil
	})
	if _, ok := errors.AsType[*Misfit](err); !ok || !contains(err, "does not get past the row 3") || strings.Join(ids, " ") != "1 2 3" {
		t.Errorf("rows %v, %T %v", ids, err, err)
	}
}
