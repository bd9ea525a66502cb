package lims_test

import (
	"cmp"
	"context"
	"crypto/rand"
	"database/sql"
	"fmt"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	_ "github.com/go-sql-driver/mysql"
	_ "github.com/jackc/pgx/v5/stdlib"
	_ "modernc.org/sqlite"

	"limsbridge/lims"
)

// database is a real database of one kind, empty and of this test's own, with a connection that may write.
type database struct {
	kind    string
	options lims.Options
	db      *sql.DB
}

// databases runs f against each kind of database that is here. SQLite always is; PostgreSQL and MySQL
// or MariaDB are looked for at their usual local addresses, or at the URLs in LIMSBRIDGE_TEST_POSTGRES and
// LIMSBRIDGE_TEST_MYSQL (postgres://user:password@host:port/, mysql://user:password@host:port/).
func databases(t *testing.T, f func(t *testing.T, d database)) {
	for _, kind := range []string{lims.SQLite, lims.Postgres, lims.MySQL} {
		t.Run(kind, func(t *testing.T) { f(t, newDatabase(t, kind)) })
	}
}

func newDatabase(t *testing.T, kind string) database {
	t.Helper()
	if kind == lims.SQLite {
		path := filepath.Join(t.TempDir(), "lab ä.db")
		return database{kind, lims.Options{Type: kind, Database: path}, open(t, "sqlite", "file:"+(&url.URL{Path: filepath.ToSlash(path)}).EscapedPath())}
	}
	o := server(t, kind)
	name := "limsbridge_lims_" + strings.ToLower(rand.Text()[:10])
	admin := open(t, driverOf[kind], dsn(o, map[string]string{lims.Postgres: "postgres"}[kind]))
	if err := admin.Ping(); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("no %s server answers at %s:%d, and CI=true", kind, o.Server, o.Port)
		}
		t.Skipf("no %s server answers at %s:%d: start one, or name it in LIMSBRIDGE_TEST_%s", kind, o.Server, o.Port, strings.ToUpper(kind))
	}
	exec(t, admin, "CREATE DATABASE "+name)
	t.Cleanup(func() {
		drop := "DROP DATABASE " + name
		if kind == lims.Postgres {
			drop += " WITH (FORCE)"
		}
		exec(t, admin, drop)
	})
	o.Database = name
	return database{kind, o, open(t, driverOf[kind], dsn(o, name))}
}

var driverOf = map[string]string{lims.Postgres: "pgx", lims.MySQL: "mysql"}

// server returns where the tests' server of a kind is.
func server(t *testing.T, kind string) lims.Options {
	t.Helper()
	usual := map[string]string{lims.Postgres: "postgres://postgres@127.0.0.1:5432/", lims.MySQL: "mysql://root@127.0.0.1:3306/"}[kind]
	u, err := url.Parse(cmp.Or(os.Getenv("LIMSBRIDGE_TEST_"+strings.ToUpper(kind)), usual))
	if err != nil {
		t.Fatalf("LIMSBRIDGE_TEST_%s is no URL", strings.ToUpper(kind))
	}
	port, _ := strconv.Atoi(u.Port())
	o := lims.Options{Type: kind, Server: u.Hostname(), Port: port, User: u.User.Username()}
	if p, ok := u.User.Password(); ok {
		o.Password = func() (string, error) { return p, nil }
	}
	return o
}

func dsn(o lims.Options, name string) string {
	password := ""
	if o.Password != nil {
		password, _ = o.Password()
	}
	if o.Type == lims.Postgres {
		return (&url.URL{Scheme: "postgres", User: url.UserPassword(o.User, password), Host: net.JoinHostPort(o.Server, strconv.Itoa(o.Port)), Path: "/" + name, RawQuery: "sslmode=disable&timezone=UTC"}).String()
	}
	return fmt.Sprintf("%s:%s@tcp(%s)/%s?time_zone=%%27%%2B00:00%%27&multiStatements=true", o.User, password, net.JoinHostPort(o.Server, strconv.Itoa(o.Port)), name)
}

func open(t *testing.T, driver, dsn string) *sql.DB {
	t.Helper()
	db, err := sql.Open(driver, dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}

func exec(t *testing.T, db *sql.DB, text string, args ...any) {
	t.Helper()
	if _, err := db.ExecContext(context.Background(), text, args...); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
}

// words are the names of types, by kind of database.
var words = map[string]map[string]string{
	lims.SQLite:   {"stamp": "DATETIME", "id": "INTEGER", "uuid": "TEXT", "bytes": "TEXT COLLATE NOCASE", "float": "REAL", "decimal": "TEXT"},
	lims.Postgres: {"stamp": "timestamp(6)", "id": "bigint", "uuid": "uuid", "bytes": `varchar(64) COLLATE "und-x-icu"`, "float": "double precision", "decimal": "numeric(12,4)"},
	lims.MySQL:    {"stamp": "DATETIME(6)", "id": "BIGINT", "uuid": "CHAR(36)", "bytes": "VARCHAR(64) CHARACTER SET latin1 COLLATE latin1_german1_ci", "float": "DOUBLE", "decimal": "DECIMAL(12,4)"},
}

// typed replaces {stamp} and the like by the type's name in this database.
func (d database) typed(text string) string {
	for word, typ := range words[d.kind] {
		text = strings.ReplaceAll(text, "{"+word+"}", typ)
	}
	return text
}

// resultsTable creates a base table for results with the given types of its two keys, indexed on
// them, and a view over it.
func (d database) resultsTable(t *testing.T, id, stamp string) {
	t.Helper()
	exec(t, d.db, d.typed("CREATE TABLE base_results (row_id "+id+" NOT NULL, changed_at "+stamp+" NULL, requisition_id {uuid} NULL, order_code VARCHAR(200), "+
		"result_code CHAR(8), value VARCHAR(200), unit VARCHAR(40), status VARCHAR(64))"))
	exec(t, d.db, "CREATE INDEX base_results_changed ON base_results (changed_at, row_id)")
	exec(t, d.db, "CREATE VIEW results AS SELECT row_id, changed_at, requisition_id, order_code, result_code, value, unit, status FROM base_results")
}

// put inserts a result.
func (d database) put(t *testing.T, id, stamp any) {
	t.Helper()
	text := "INSERT INTO base_results (row_id, changed_at, order_code, result_code, value, status) VALUES (?, ?, 'GLU', 'GLU', '5.40', 'A')"
	if d.kind == lims.Postgres {
		text = strings.Replace(text, "?, ?", "$1, $2", 1)
	}
	exec(t, d.db, text, id, stamp)
}

// reader opens a reader whose results are the view; change may alter the options.
func (d database) reader(t *testing.T, change func(*lims.Options)) *lims.Reader {
	t.Helper()
	o := d.options
	o.Orders, o.Results = lims.Query{View: "orders"}, lims.Query{View: "results"}
	if change != nil {
		change(&o)
	}
	r, err := lims.Open(o)
	if err != nil {
		t.Fatalf("Open: %v", err)
	}
	t.Cleanup(func() { r.Close() })
	return r
}

// poll collects the ids of a poll in order, and the last cursor.
func poll(t *testing.T, r *lims.Reader, from lims.Cursor, back time.Duration) (ids []string, cursor lims.Cursor) {
	t.Helper()
	cursor = from
	err := r.Poll(t.Context(), lims.Results, from, back, func(rows []lims.Row, c lims.Cursor) error {
		for _, row := range rows {
			ids = append(ids, row.ID)
		}
		cursor = c
		return nil
	})
	if err != nil {
		t.Fatalf("Poll: %v", err)
	}
	return ids, cursor
}

// first returns the first row of a poll from the beginning.
func first(t *testing.T, r *lims.Reader, s lims.Source) lims.Row {
	t.Helper()
	var got []lims.Row
	err := r.Poll(t.Context(), s, lims.Cursor{}, 0, func(rows []lims.Row, _ lims.Cursor) error {
		got = append(got, rows...)
		return nil
	})
	if err != nil {
		t.Fatalf("Poll: %v", err)
	}
	if len(got) == 0 {
		t.Fatal("Poll showed no row")
	}
	return got[0]
}
