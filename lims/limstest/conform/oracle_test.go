package conform_test

import (
	"cmp"
	"context"
	"crypto/rand"
	"database/sql"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	ora "github.com/sijms/go-ora/v2"

	"limsbridge/lims"
)

// oracleLab is a lab in a schema of its own on an Oracle server. Its SQL differs in so much that it stands
// beside sqlLab; rules that need the lab's own SQL leave it out.
type oracleLab struct{ l *sqlLab }

// openOracle makes an account on the server at LIMSBRIDGE_TEST_ORACLE, which is named as
// oracle://user:password@host:port/SERVICE, with a user that may make accounts (SYSTEM). ?encrypt=verified or
// native asks for encryption.
func openOracle(t testing.TB) lab {
	t.Helper()
	const variable = "LIMSBRIDGE_TEST_ORACLE"
	if os.Getenv(variable) == "" {
		t.Skipf("oracle is left out: name a server in %s", variable)
	}
	u, err := url.Parse(os.Getenv(variable))
	if err != nil {
		t.Fatalf("%s is no URL", variable)
	}
	port, _ := strconv.Atoi(u.Port())
	service := strings.Trim(u.Path, "/")
	adminPassword, _ := u.User.Password()
	admin := openOracleAs(t, u.Hostname(), port, service, u.User.Username(), adminPassword)
	name, password := "LIMSBRIDGE_"+rand.Text()[:10], "P"+rand.Text()[:16]+"_1"
	admin.exec(t, `CREATE USER `+name+` IDENTIFIED BY "`+password+`" QUOTA UNLIMITED ON USERS`)
	t.Cleanup(func() {
		// A session that was cut may still be there, and keeps its account from being dropped.
		for _, text := range []string{"BEGIN FOR s IN (SELECT sid || ',' || serial# AS id FROM v$session WHERE username = '" + name + "') LOOP " +
			"EXECUTE IMMEDIATE 'ALTER SYSTEM KILL SESSION ''' || s.id || ''' IMMEDIATE'; END LOOP; END;", "DROP USER " + name + " CASCADE"} {
			if _, err := admin.db.ExecContext(context.Background(), text); err != nil {
				t.Logf("the account %s may stay: %v", name, err)
			}
		}
	})
	admin.exec(t, "GRANT CREATE SESSION, CREATE TABLE, CREATE VIEW TO "+name)
	own := openOracleAs(t, u.Hostname(), port, service, name, password)
	own.o = lims.Options{Type: lims.Oracle, Server: u.Hostname(), Port: port, Database: service, User: name, Password: func() (string, error) { return password, nil },
		Encrypt: cmp.Or(u.Query().Get("encrypt"), lims.EncryptOff)}
	return oracleLab{own}
}

func openOracleAs(t testing.TB, host string, port int, service, user, password string) *sqlLab {
	t.Helper()
	db := sql.OpenDB(ora.NewConnector(ora.BuildUrl(host, port, service, user, password, nil)))
	db.SetMaxOpenConns(1) // the formats hold for the one session
	t.Cleanup(func() { db.Close() })
	l := &sqlLab{of: lims.Oracle, db: db, columns: map[string][]column{}}
	l.exec(t, "ALTER SESSION SET TIME_ZONE = '+00:00' NLS_NUMERIC_CHARACTERS = '.,' NLS_DATE_FORMAT = 'YYYY-MM-DD HH24:MI:SS' "+
		"NLS_TIMESTAMP_FORMAT = 'YYYY-MM-DD HH24:MI:SS.FF' NLS_TIMESTAMP_TZ_FORMAT = 'YYYY-MM-DD HH24:MI:SS.FFTZH:TZM'")
	return l
}

var oracleWords = map[string]string{
	"id": "NUMBER(19)", "stamp": "TIMESTAMP(6)", "second": "DATE", "instant": "TIMESTAMP(6) WITH TIME ZONE", "date": "DATE", "uuid": "VARCHAR2(36)", "text": "VARCHAR2(200 CHAR)", "short": "VARCHAR2(64 CHAR)",
	"odd": "VARCHAR2(64 CHAR)", "fixed": "CHAR(10)", "decimal": "NUMBER(12,4)", "float": "BINARY_DOUBLE", "bool": "INTERVAL DAY TO SECOND",
}

func (o oracleLab) kind() string          { return lims.Oracle }
func (o oracleLab) options() lims.Options { return o.l.o }

func (o oracleLab) create(t testing.TB, table string, columns ...column) {
	t.Helper()
	var list []string
	for _, c := range columns {
		list = append(list, c.name+" "+oracleWords[c.typ])
	}
	o.l.exec(t, "CREATE TABLE base_"+table+" ("+strings.Join(list, ", ")+")")
	if slices.ContainsFunc(columns, func(c column) bool { return c.name == "row_id" }) && slices.ContainsFunc(columns, func(c column) bool { return c.name == "changed_at" }) {
		o.l.exec(t, "CREATE INDEX base_"+table+"_changed ON base_"+table+" (changed_at, row_id)")
	}
	o.l.columns[table] = slices.Clone(columns)
	o.view(t, table)
}

func (o oracleLab) view(t testing.TB, table string) {
	t.Helper()
	var names []string
	for _, c := range o.l.columns[table] {
		names = append(names, c.name)
	}
	o.l.exec(t, "CREATE OR REPLACE VIEW "+table+" AS SELECT "+strings.Join(names, ", ")+" FROM base_"+table)
}

func (o oracleLab) insert(t testing.TB, table string, columns []string, rows ...[]any) {
	t.Helper()
	for _, row := range rows {
		var values []string
		for _, v := range row {
			values = append(values, o.literal(v))
		}
		o.l.exec(t, "INSERT INTO base_"+table+" ("+strings.Join(columns, ", ")+") VALUES ("+strings.Join(values, ", ")+")")
	}
}

// literal writes a value; an interval stands for a boolean, which Oracle has not before version 23.
func (o oracleLab) literal(v any) string {
	if _, ok := v.(bool); ok {
		return "INTERVAL '1' DAY"
	}
	return o.l.literal(v)
}

func (o oracleLab) update(t testing.TB, table string, id any, columns []string, values ...any) {
	t.Helper()
	o.l.update(t, table, id, columns, values...)
}

func (o oracleLab) remove(t testing.TB, table string, id any) {
	t.Helper()
	o.l.remove(t, table, id)
}

func (o oracleLab) alter(t testing.TB, table, drop string, add column) {
	t.Helper()
	if drop != "" {
		o.l.exec(t, "ALTER TABLE base_"+table+" DROP COLUMN "+drop)
		o.l.columns[table] = slices.DeleteFunc(o.l.columns[table], func(c column) bool { return c.name == drop })
	}
	if add != (column{}) {
		o.l.exec(t, "ALTER TABLE base_"+table+" ADD ("+add.name+" "+oracleWords[add.typ]+")")
		o.l.columns[table] = append(o.l.columns[table], add)
	}
	o.view(t, table)
}

func (o oracleLab) rename(t testing.TB, table, from, to string) {
	t.Helper()
	o.l.exec(t, "ALTER TABLE base_"+table+" RENAME COLUMN "+from+" TO "+to)
	for i := range o.l.columns[table] {
		if o.l.columns[table][i].name == from {
			o.l.columns[table][i].name = to
		}
	}
	o.view(t, table)
}
