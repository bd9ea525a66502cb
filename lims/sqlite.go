package lims

import (
	"context"
	"database/sql/driver"
	"errors"
	"net/url"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// sqliteDialect reads SQLite. There, types belong to values: what a column holds is learned from
// one of its values, and a value of another type is the problem of its row.
type sqliteDialect struct{}

func (sqliteDialect) syntax() syntax {
	return syntax{brackets: true, backticks: true, quotes: `"`, placeholder: true}
}

func (sqliteDialect) setup(o Options) []string {
	return []string{
		"PRAGMA query_only = 1",
		"PRAGMA busy_timeout = " + strconv.FormatInt(o.LockTimeout.Milliseconds(), 10),
	}
}

func (d sqliteDialect) connect(ctx context.Context, o Options, _ string) (driver.Conn, error) {
	path := filepath.ToSlash(o.Database)
	if filepath.VolumeName(o.Database) != "" {
		path = "/" + path // file:///C:/...
	}
	conn, err := sqlite.NewConnector("file:" + (&url.URL{Path: path}).EscapedPath() + "?mode=ro")
	if err != nil {
		return nil, misfit("", "database: %q is no path of a file", o.Database)
	}
	opened, err := conn.Connect(ctx)
	if err != nil {
		return nil, err
	}
	return setUp(ctx, opened, d.setup(o))
}

// kind is what the declared type promises, by SQLite's rules of affinity. A text named changed_at
// is a date-time.
func (sqliteDialect) kind(t columnType) (kind, bool) {
	has := func(parts ...string) bool {
		return slices.ContainsFunc(parts, func(p string) bool { return strings.Contains(t.typ, p) })
	}
	switch {
	case has("INT"):
		return kindInteger, false
	case has("REAL", "FLOA", "DOUB"):
		return kindFloat, false
	case t.typ == "BLOB":
		return kindOther, false
	case t.typ == "DATE":
		return kindDate, false
	case has("DATE", "TIME"), strings.EqualFold(t.name, contract[changedAt].name):
		return kindClock, false
	}
	return kindText, false
}

// probe selects how a column is stored, which says more than its declared type, if any.
func (d sqliteDialect) probe(from, column string) string {
	expr := alias + "." + d.quote(column)
	return "SELECT typeof(" + expr + ")\nFROM " + from + "\nWHERE " + expr + " IS NOT NULL\nLIMIT 1"
}

func (sqliteDialect) quote(name string) string {
	return `"` + strings.ReplaceAll(name, `"`, `""`) + `"`
}

// output hides a declared date type from the driver, which would parse the text, and so lose it.
func (sqliteDialect) output(c column, expr string) string {
	if c.role == changedAt || c.typ == "DATE" || c.typ == "DATETIME" || c.typ == "TIMESTAMP" {
		return "+" + expr
	}
	return expr
}

func (sqliteDialect) idOrder(c column, expr string) string {
	if c.kind == kindText {
		return expr + " COLLATE BINARY"
	}
	return expr
}

func (sqliteDialect) param(column, int) string { return "?" }

func (sqliteDialect) bind(c column, text string) (any, error) {
	if c.kind == kindInteger {
		return strconv.ParseInt(text, 10, 64)
	}
	return text, nil
}

// greater puts the collation on the right: on the left it would keep the index from being used.
func (sqliteDialect) greater(c column, expr, placeholder string) (left, right string) {
	if c.kind == kindText {
		placeholder += " COLLATE BINARY"
	}
	return expr, placeholder
}

func (sqliteDialect) unstamped(_ column, expr string) string { return expr + " IS NULL" }

func (sqliteDialect) stamped(_ column, expr string) string { return expr + " IS NOT NULL" }

func (sqliteDialect) rowValues() bool { return true }

func (sqliteDialect) limit(n int) (head, tail string) { return limitClause(n) }

func (d sqliteDialect) in(c column, expr string, n int) string { return inList(d, c, expr, n) }

func (sqliteDialect) list(_ column, ids []any) []any { return ids }

func (sqliteDialect) sizes() []int { return []int{1, 25, 500} }

func (sqliteDialect) now() string { return "SELECT strftime('%Y-%m-%dT%H:%M:%fZ', 'now')" }

func (sqliteDialect) identity() string {
	return "SELECT 'the account of this process', 'main', 'SQLite ' || sqlite_version()"
}

func (sqliteDialect) text(column, any) (string, bool) { return "", false } // a BLOB

func (sqliteDialect) explain(s Source, err error) error {
	var e *sqlite.Error
	if !errors.As(err, &e) {
		return nil
	}
	switch e.Code() & 0xff { // https://www.sqlite.org/rescode.html: the low byte is the primary code
	case sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED:
		return &Busy{Source: s, Reason: "the file is locked by another process for longer than the lock timeout"}
	case sqlite3.SQLITE_INTERRUPT:
		return &Busy{Source: s, Reason: "a statement took longer than the query time limit"}
	case sqlite3.SQLITE_CANTOPEN:
		return &Unavailable{Reason: "the database file cannot be opened", Next: "check database (the path), and that the service's account may read the file and its folder"}
	case sqlite3.SQLITE_NOTADB:
		return misfit("", "the database file is no SQLite database: check database")
	case sqlite3.SQLITE_READONLY:
		return misfit(s, "the SELECT tries to write: the bridge reads only")
	case sqlite3.SQLITE_ERROR: // of the statement's text; it quotes names, never rows
		return misfit(s, "%s: check the name or the SELECT", strings.TrimPrefix(e.Error(), "SQL logic error: "))
	}
	return &Unavailable{Source: s, Reason: "SQLite error " + strconv.Itoa(e.Code())}
}
