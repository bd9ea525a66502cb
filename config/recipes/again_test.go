package recipes_test

import (
	"cmp"
	"context"
	"crypto/rand"
	"database/sql"
	"net/url"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/go-sql-driver/mysql"

	"limsbridge/config/recipes"
)

// The recipes say that they may be run again: as they are, and once the DBA has taken the birth date out, as its remark
// invites to.

const base = `CREATE TABLE lims_sample (sample_id int, requisition_id varchar(40), birth_date date, customer varchar(20), changed_at timestamp NULL);
	CREATE TABLE lims_test (test_id int, sample_id int, test_code varchar(20), status varchar(20), changed_at timestamp NULL);
	CREATE TABLE lims_result (result_id int, test_id int, result_code varchar(20), result_text varchar(40), unit varchar(20), status varchar(20), changed_at timestamp NULL);
	INSERT INTO lims_sample VALUES (1, '` + requisition + `', '1980-01-02', 'WHOOP', '2026-11-01 08:00:00'), (2, 'q', NULL, 'OTHER', NULL);
	INSERT INTO lims_test VALUES (10, 1, 'CBC', 'VERIFIED', '2026-11-01 08:00:00'), (20, 2, 'CBC', 'VERIFIED', NULL);
	INSERT INTO lims_result VALUES (100, 10, 'WBC', '5.40', 'K/uL', 'VERIFIED', NULL);`

var (
	birthDate  = regexp.MustCompile(`(?m)^.* AS birth_date.*\n`)
	lastColumn = regexp.MustCompile(`( AS status),`)
)

// without takes the birth date out of a script.
func without(script string) string {
	return lastColumn.ReplaceAllString(birthDate.ReplaceAllString(script, ""), "$1")
}

// again runs a script for PostgreSQL with a login of the test's own, in turns with and without the birth date, and
// returns that login.
func again(l laboratory, script string) (login string) {
	l.Helper()
	login = "limsbridge_ro_" + strings.ToLower(rand.Text()[:10])
	script = strings.ReplaceAll(script, "limsbridge_ro", login)
	l.Cleanup(func() {
		if _, err := l.db.ExecContext(context.Background(), "DROP OWNED BY "+login+"; DROP ROLE "+login); err != nil {
			l.Error(err)
		}
	})
	if without(script) == script {
		l.Error("the script has no birth date")
	}
	for _, text := range []string{script, script, without(script), script} {
		l.exec(text)
	}
	return login
}

func TestPostgresRunsAgain(t *testing.T) {
	l := newLaboratory(t)
	l.exec(base)
	_, script, err := recipes.Render(recipes.Choice{LIMS: "generic", DB: "postgres"})
	if err != nil {
		t.Fatal(err)
	}
	login := again(l, string(script))
	conn, err := l.db.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := conn.ExecContext(t.Context(), "SET ROLE "+login); err != nil {
		t.Fatal(err)
	}
	mayRead(t, conn, "whoop", "lims_sample")
	if _, err := conn.ExecContext(t.Context(), "RESET ROLE"); err != nil {
		t.Fatal(err)
	}
}

// mayRead checks that a login sees the one row in each view, and nothing beneath.
func mayRead(t *testing.T, conn interface {
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}, views, table string) {
	t.Helper()
	var got string
	if err := conn.QueryRowContext(t.Context(), "SELECT CONCAT(o.row_id, o.order_code, o.birth_date, r.row_id, r.value, r.status) FROM "+views+".orders o, "+views+".results r").Scan(&got); err != nil || got != "10CBC1980-01-021005.40VERIFIED" {
		t.Errorf("the login reads %q, %v", got, err)
	}
	if err := conn.QueryRowContext(t.Context(), "SELECT sample_id FROM "+table).Scan(&got); err == nil {
		t.Error("the login reads a table beneath the views")
	}
}

func TestMySQLRunsAgain(t *testing.T) {
	server, err := url.Parse(cmp.Or(os.Getenv("LIMSBRIDGE_TEST_MYSQL"), "mysql://root@127.0.0.1:3306/"))
	if err != nil {
		t.Fatal("LIMSBRIDGE_TEST_MYSQL is no URL")
	}
	open := func(database, user, password string) *sql.DB {
		c := mysql.NewConfig()
		c.Net, c.Addr, c.User, c.Passwd, c.DBName, c.MultiStatements = "tcp", server.Host, user, password, database, true
		db, err := sql.Open("mysql", c.FormatDSN())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { db.Close() })
		return db
	}
	password, _ := server.User.Password()
	admin := open("", server.User.Username(), password)
	if err := admin.PingContext(t.Context()); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("no MySQL answers at %s, and CI=true", server.Host)
		}
		t.Skipf("no MySQL answers at %s: start one, or name it in LIMSBRIDGE_TEST_MYSQL", server.Host)
	}
	do := func(db *sql.DB, text string) {
		t.Helper()
		if _, err := db.ExecContext(context.Background(), text); err != nil {
			t.Fatalf("%s: %v", text, err)
		}
	}
	suffix := strings.ToLower(rand.Text()[:10])
	lab, views, login := "limsbridge_lab_"+suffix, "limsbridge_views_"+suffix, "limsbridge_ro_"+suffix
	t.Cleanup(func() {
		do(admin, "DROP DATABASE IF EXISTS "+views+"; DROP DATABASE IF EXISTS "+lab+"; DROP USER IF EXISTS "+login)
	})
	do(admin, "CREATE DATABASE "+lab)
	do(open(lab, server.User.Username(), password), base)
	_, text, err := recipes.Render(recipes.Choice{LIMS: "generic", DB: "mysql"})
	if err != nil {
		t.Fatal(err)
	}
	script := regexp.MustCompile(`\bwhoop\b`).ReplaceAllString(strings.ReplaceAll(string(text), "limsbridge_ro", login), views)
	script = regexp.MustCompile(`\blims\.`).ReplaceAllString(script, lab+".")
	for _, s := range []string{script, script, without(script), script} {
		do(admin, s)
	}
	do(admin, "ALTER USER "+login+" IDENTIFIED BY 'only-a-test' ACCOUNT UNLOCK")
	mayRead(t, open(views, login, "only-a-test"), views, lab+".lims_sample")
}
