package conform_test

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
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	_ "github.com/go-sql-driver/mysql"
	_ "github.com/jackc/pgx/v5/stdlib"
	_ "github.com/microsoft/go-mssqldb"
	_ "modernc.org/sqlite"

	"limsbridge/lims"
)

// lab is the lab's side of one database, which is empty and of this test's own: it makes tables,
// fills them and changes them. Types are words of the suite; a kind of database has its own for each.
type lab interface {
	kind() string          // lims.SQLite and so on
	options() lims.Options // how the bridge reaches it; sources are not set

	// create makes a table, and an index on (changed_at, row_id) where it has both.
	create(t testing.TB, table string, columns ...column)
	// insert adds rows. A value is nil, an int, a bool or a text as the database writes it in quotation marks.
	insert(t testing.TB, table string, columns []string, rows ...[]any)
	// update sets columns of the rows with this id, and remove takes them away.
	update(t testing.TB, table string, id any, columns []string, values ...any)
	remove(t testing.TB, table string, id any)
	// alter drops and adds a column ("" and the zero column: none), and rename gives one another name.
	alter(t testing.TB, table, drop string, add column)
	rename(t testing.TB, table, from, to string)
}

// column is a column of a table; typ is a word of the suite.
type column struct{ name, typ string }

// labs are the databases that the suite runs against. open skips the test, or fails it, where the database
// is not here.
var labs = []struct {
	name string
	open func(t testing.TB) lab
}{
	{lims.SQLite, openSQLite},
	{lims.Postgres, func(t testing.TB) lab { return openServer(t, lims.Postgres) }},
	{lims.MySQL, func(t testing.TB) lab { return openServer(t, lims.MySQL) }},
	{lims.SQLServer, func(t testing.TB) lab { return openServer(t, lims.SQLServer) }},
	{lims.Oracle, openOracle},
	{"scripted sqlserver", openScripted},
	{"scripted oracle", openScriptedOracle},
}

// words are the names of types by kind of database.
var words = map[string]map[string]string{
	lims.SQLite: {
		"id": "INTEGER", "stamp": "DATETIME", "second": "DATETIME", "instant": "TEXT", "date": "DATE", "uuid": "TEXT", "text": "VARCHAR(200)", "short": "VARCHAR(64)",
		"odd": "TEXT COLLATE NOCASE", "fixed": "CHAR(10)", "decimal": "TEXT", "float": "REAL", "bool": "BOOLEAN",
	},
	lims.Postgres: {
		"id": "bigint", "stamp": "timestamp(6)", "second": "timestamp(0)", "instant": "timestamptz", "date": "date", "uuid": "uuid", "text": "varchar(200)", "short": "varchar(64)",
		"odd": `varchar(64) COLLATE "und-x-icu"`, "fixed": "char(10)", "decimal": "numeric(12,4)", "float": "double precision", "bool": "boolean",
	},
	lims.MySQL: {
		"id": "BIGINT", "stamp": "DATETIME(6)", "second": "DATETIME", "instant": "TIMESTAMP(6) NULL", "date": "DATE", "uuid": "CHAR(36)", "text": "VARCHAR(200) CHARACTER SET utf8mb4", "short": "VARCHAR(64)",
		"odd": "VARCHAR(64) CHARACTER SET latin1 COLLATE latin1_german1_ci", "fixed": "CHAR(10)", "decimal": "DECIMAL(12,4)", "float": "DOUBLE", "bool": "BIT(1)",
	},
	lims.SQLServer: {
		"id": "bigint", "stamp": "datetime2(6)", "second": "datetime2(0)", "instant": "datetimeoffset(6)", "date": "date", "uuid": "uniqueidentifier", "text": "nvarchar(200)", "short": "varchar(64)",
		"odd": "varchar(64) COLLATE Latin1_General_CI_AS", "fixed": "char(10)", "decimal": "decimal(12,4)", "float": "float", "bool": "bit",
	},
}

// sqlLab is a lab whose database speaks SQL. Its tables are called base_…, and a view of the table's
// name shows their columns, as IT would make it.
type sqlLab struct {
	of      string // the kind
	o       lims.Options
	db      *sql.DB
	columns map[string][]column
	clock   func(ahead time.Duration) // sets the server's clock; nil: it cannot be set so
}

func (l *sqlLab) kind() string          { return l.of }
func (l *sqlLab) options() lims.Options { return l.o }

func (l *sqlLab) exec(t testing.TB, text string, args ...any) {
	t.Helper()
	if _, err := l.db.ExecContext(context.Background(), text, args...); err != nil {
		t.Fatalf("%.500s: %v", text, err)
	}
}

func (l *sqlLab) create(t testing.TB, table string, columns ...column) {
	t.Helper()
	var list []string
	stamped := 0
	for _, c := range columns {
		null := " NULL"
		if c.name == "row_id" && c.typ != "odd" || l.of == lims.SQLite {
			null = ""
		}
		if strings.HasSuffix(words[l.of][c.typ], "NULL") {
			null = ""
		}
		if c.name == "row_id" || c.name == "changed_at" {
			stamped++
		}
		list = append(list, c.name+" "+words[l.of][c.typ]+null)
	}
	l.exec(t, "CREATE TABLE base_"+table+" ("+strings.Join(list, ", ")+")")
	if stamped == 2 {
		l.exec(t, "CREATE INDEX base_"+table+"_changed ON base_"+table+" (changed_at, row_id)")
	}
	l.columns[table] = slices.Clone(columns)
	l.view(t, table)
}

// view makes the view of a table anew.
func (l *sqlLab) view(t testing.TB, table string) {
	t.Helper()
	l.exec(t, "DROP VIEW IF EXISTS "+table)
	var names []string
	for _, c := range l.columns[table] {
		names = append(names, c.name)
	}
	l.exec(t, "CREATE VIEW "+table+" AS SELECT "+strings.Join(names, ", ")+" FROM base_"+table)
}

// literal writes a value.
func (l *sqlLab) literal(v any) string {
	switch v := v.(type) {
	case nil:
		return "NULL"
	case string:
		text := "'" + strings.ReplaceAll(v, "'", "''") + "'"
		if l.of == lims.SQLServer {
			text = "N" + text
			if strings.HasSuffix(v, "+00:00") { // an instant: what only speaks like SQL Server does not take a text for one
				text = "CAST(" + text + " AS datetimeoffset(6))"
			}
		}
		return text
	case bool:
		if l.of == lims.SQLServer {
			return map[bool]string{false: "0", true: "1"}[v]
		}
	}
	return fmt.Sprint(v)
}

func (l *sqlLab) insert(t testing.TB, table string, columns []string, rows ...[]any) {
	t.Helper()
	tx, err := l.db.BeginTx(context.Background(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback()
	for chunk := range slices.Chunk(rows, 500) {
		var list []string
		for _, row := range chunk {
			var values []string
			for _, v := range row {
				values = append(values, l.literal(v))
			}
			list = append(list, "("+strings.Join(values, ", ")+")")
		}
		text := "INSERT INTO base_" + table + " (" + strings.Join(columns, ", ") + ") VALUES " + strings.Join(list, ", ")
		if _, err := tx.ExecContext(context.Background(), text); err != nil {
			t.Fatalf("%.500s: %v", text, err)
		}
	}
	if err := tx.Commit(); err != nil {
		t.Fatal(err)
	}
}

func (l *sqlLab) update(t testing.TB, table string, id any, columns []string, values ...any) {
	t.Helper()
	var list []string
	for i, c := range columns {
		list = append(list, c+" = "+l.literal(values[i]))
	}
	l.exec(t, "UPDATE base_"+table+" SET "+strings.Join(list, ", ")+" WHERE row_id = "+l.literal(id))
}

func (l *sqlLab) remove(t testing.TB, table string, id any) {
	t.Helper()
	l.exec(t, "DELETE FROM base_"+table+" WHERE row_id = "+l.literal(id))
}

func (l *sqlLab) alter(t testing.TB, table, drop string, add column) {
	t.Helper()
	l.exec(t, "DROP VIEW "+table) // it depends on the columns
	if drop != "" {
		l.exec(t, "ALTER TABLE base_"+table+" DROP COLUMN "+drop)
		l.columns[table] = slices.DeleteFunc(l.columns[table], func(c column) bool { return c.name == drop })
	}
	if add != (column{}) {
		word := map[string]string{lims.SQLServer: " ADD "}[l.of]
		l.exec(t, "ALTER TABLE base_"+table+cmp.Or(word, " ADD COLUMN ")+add.name+" "+words[l.of][add.typ])
		l.columns[table] = append(l.columns[table], add)
	}
	l.view(t, table)
}

func (l *sqlLab) rename(t testing.TB, table, from, to string) {
	t.Helper()
	l.exec(t, "DROP VIEW "+table)
	if l.of == lims.SQLServer {
		l.exec(t, "EXEC sp_rename 'base_"+table+"."+from+"', '"+to+"', 'COLUMN'")
	} else {
		l.exec(t, "ALTER TABLE base_"+table+" RENAME COLUMN "+from+" TO "+to)
	}
	for i := range l.columns[table] {
		if l.columns[table][i].name == from {
			l.columns[table][i].name = to
		}
	}
	l.view(t, table)
}

// openSQLite makes a file with a name that needs care in URLs.
func openSQLite(t testing.TB) lab {
	path := filepath.Join(t.TempDir(), "lab ä.db")
	db := open(t, "sqlite", "file:"+(&url.URL{Path: filepath.ToSlash(path)}).EscapedPath()+"?_pragma=busy_timeout(5000)")
	return &sqlLab{of: lims.SQLite, o: lims.Options{Type: lims.SQLite, Database: path}, db: db, columns: map[string][]column{}}
}

// usual is where a server mostly is that can be asked for without being named; SQL Server must be named.
var usual = map[string]string{lims.Postgres: "postgres://postgres@127.0.0.1:5432/", lims.MySQL: "mysql://root@127.0.0.1:3306/"}

// openServer makes a database on the server at LIMSBRIDGE_TEST_POSTGRES, …_MYSQL or …_SQLSERVER
// (kind://user:password@host:port/), or at its usual address. With CI=true a server that has one
// must be there.
func openServer(t testing.TB, kind string) lab {
	t.Helper()
	variable := "LIMSBRIDGE_TEST_" + strings.ToUpper(kind)
	where := cmp.Or(os.Getenv(variable), usual[kind])
	if where == "" {
		t.Skipf("%s is left out: name a server in %s", kind, variable)
	}
	u, err := url.Parse(where)
	if err != nil {
		t.Fatalf("%s is no URL", variable)
	}
	port, _ := strconv.Atoi(u.Port())
	o := lims.Options{Type: kind, Server: u.Hostname(), Port: port, User: u.User.Username()}
	if p, ok := u.User.Password(); ok {
		o.Password = func() (string, error) { return p, nil }
	}
	admin := open(t, driverOf[kind], dsn(o, map[string]string{lims.Postgres: "postgres", lims.SQLServer: "master"}[kind]))
	if err := admin.Ping(); err != nil {
		if os.Getenv("CI") == "true" || os.Getenv(variable) != "" {
			t.Fatalf("no %s server answers at %s:%d, and CI=true or %s asks for it", kind, o.Server, o.Port, variable)
		}
		t.Skipf("%s is left out: no server answers at %s:%d; start one, or name it in %s", kind, o.Server, o.Port, variable)
	}
	name := "limsbridge_lims_" + strings.ToLower(rand.Text()[:10])
	server := &sqlLab{of: kind, db: admin}
	server.exec(t, "CREATE DATABASE "+name)
	t.Cleanup(func() {
		switch kind {
		case lims.Postgres:
			server.exec(t, "DROP DATABASE "+name+" WITH (FORCE)")
		case lims.SQLServer:
			// Ends what a test left open. What speaks like SQL Server may not know it, and then nothing is.
			_, _ = admin.ExecContext(context.Background(), "ALTER DATABASE "+name+" SET SINGLE_USER WITH ROLLBACK IMMEDIATE")
			server.exec(t, "DROP DATABASE "+name)
		default:
			server.exec(t, "DROP DATABASE "+name)
		}
	})
	o.Database = name
	return &sqlLab{of: kind, o: o, db: open(t, driverOf[kind], dsn(o, name)), columns: map[string][]column{}}
}

var driverOf = map[string]string{lims.Postgres: "pgx", lims.MySQL: "mysql", lims.SQLServer: "sqlserver"}

// dsn is how the lab's own programs reach a database.
func dsn(o lims.Options, name string) string {
	password := ""
	if o.Password != nil {
		password, _ = o.Password()
	}
	where := net.JoinHostPort(o.Server, strconv.Itoa(o.Port))
	u := &url.URL{User: url.UserPassword(o.User, password), Host: where}
	switch o.Type {
	case lims.Postgres:
		u.Scheme, u.Path, u.RawQuery = "postgres", "/"+name, "sslmode=disable&timezone=UTC"
	case lims.SQLServer:
		u.Scheme, u.RawQuery = "sqlserver", "encrypt=disable&database="+name
	default:
		return fmt.Sprintf("%s:%s@tcp(%s)/%s?time_zone=%%27%%2B00:00%%27&multiStatements=true", o.User, password, where, name)
	}
	return u.String()
}

func open(t testing.TB, driver, dsn string) *sql.DB {
	t.Helper()
	db, err := sql.Open(driver, dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}
