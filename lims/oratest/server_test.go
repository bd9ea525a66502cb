package oratest_test

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	ora "github.com/sijms/go-ora/v2"
	"github.com/sijms/go-ora/v2/configurations"
	"github.com/sijms/go-ora/v2/network"

	"limsbridge/lims/oratest"
)

// client is the real driver as somebody.
type client struct {
	s              *oratest.Server
	user, password string
	service        string
	setUp          []string
}

// reader is a client as limsbridge is one.
func reader(s *oratest.Server) client {
	return client{s, s.Reader.User, s.Reader.Password, oratest.Service, []string{"ALTER SESSION SET TIME_ZONE = '+00:00'",
		"ALTER SESSION SET NLS_NUMERIC_CHARACTERS = '.,' NLS_CALENDAR = GREGORIAN NLS_SORT = BINARY NLS_COMP = BINARY", "ALTER SESSION DISABLE PARALLEL QUERY"}}
}

// Connect opens a connection and sets it up.
func (c client) Connect(ctx context.Context) (driver.Conn, error) {
	config := &configurations.ConnectionConfig{PrefetchRows: 1000}
	config.UserID, config.Password, config.ServiceName = c.user, c.password, c.service
	config.Protocol, config.ProgramPath, config.Language, config.Territory, config.Location = "tcp", "program", "AMERICAN", "AMERICA", "UTC"
	config.DriverName = "driver"
	config.TransportDataUnitSize, config.SessionDataUnitSize, config.Lob = 1<<21, 1<<21, configurations.STREAM
	config.Servers = []configurations.ServerAddr{{Protocol: "tcp", Addr: c.s.Host, Port: c.s.Port}}
	conn, err := ora.NewConnection("", config)
	if err != nil {
		return nil, err
	}
	conn.NLSData.Language = config.Language // so that it does not ask
	if err := conn.OpenWithContext(ctx); err != nil {
		return nil, err
	}
	for _, text := range c.setUp {
		if _, err := conn.ExecContext(ctx, text, nil); err != nil {
			return nil, err
		}
	}
	return conn, nil
}

// Driver is needed by driver.Connector.
func (client) Driver() driver.Driver { return nil }

func (c client) open(t *testing.T) *sql.DB {
	t.Helper()
	db := sql.OpenDB(c)
	db.SetMaxOpenConns(1)
	t.Cleanup(func() { db.Close() })
	return db
}

// texts runs a query and returns its rows' columns as texts, NULL as a minus.
func texts(db *sql.DB, query string, args ...any) (list []string, err error) {
	return textsIn(context.Background(), db, query, args...)
}

func textsIn(ctx context.Context, db *sql.DB, query string, args ...any) (list []string, err error) {
	rows, err := db.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	columns, err := rows.Columns()
	if err != nil {
		return nil, err
	}
	for rows.Next() {
		values, into := make([]any, len(columns)), make([]any, len(columns))
		for i := range values {
			into[i] = &values[i]
		}
		if err := rows.Scan(into...); err != nil {
			return nil, err
		}
		for _, v := range values {
			switch v := v.(type) {
			case nil:
				list = append(list, "-")
			case []byte:
				list = append(list, hex.EncodeToString(v))
			default:
				list = append(list, fmt.Sprint(v))
			}
		}
	}
	return list, rows.Err()
}

// create makes a table v of a row_id and a column a.
func create(t *testing.T, s *oratest.Server, typ string, values ...any) {
	t.Helper()
	s.Drop("v")
	var columns []oratest.Column
	for _, c := range [][2]string{{"row_id", "NUMBER(9)"}, {"a", typ}} {
		parsed, err := oratest.ParseType(c[1])
		if err != nil {
			t.Fatal(err)
		}
		columns = append(columns, oratest.Column{Name: c[0], Type: parsed})
	}
	if err := s.Create("v", columns...); err != nil {
		t.Fatal(err)
	}
	for i, v := range values {
		if err := s.Insert("v", []string{"row_id", "a"}, []any{i + 1, v}); err != nil {
			t.Fatal(err)
		}
	}
}

const from = "\nFROM (\nSELECT * FROM v\n) lb\nWHERE "

// What is put into a table comes out through the real driver as Oracle has it, under the type's own name.
func TestTypes(t *testing.T) {
	s := oratest.Start(t, oratest.Options{})
	db := reader(s).open(t)
	const date, stamp = "YYYY-MM-DD HH24:MI:SS", "YYYY-MM-DD HH24:MI:SS.FF9"
	for _, test := range []struct {
		typ   string
		ask   string // as what the column is asked for; "": as it is
		in    any
		want  string
		named string // by the driver
	}{
		{"VARCHAR2(20)", "", "Ä 5.40 ", "Ä 5.40 ", "NCHAR"},
		{"VARCHAR2(20)", "", "", "-", "NCHAR"}, // the empty text is NULL
		{"VARCHAR2(4000)", "", strings.Repeat("x", 4000), strings.Repeat("x", 4000), "NCHAR"},
		{"VARCHAR2(0)", "", nil, "-", "NCHAR"},
		{"NVARCHAR2(20)", "", "陽性 🧪", "陽性 🧪", "NCHAR"},
		{"CHAR(5)", "", "GLU", "GLU  ", "CHAR"},
		{"CHAR(5 CHAR)", "", "Ä", "Ä    ", "CHAR"},
		{"NCHAR(5)", "", "Ä", "Ä    ", "CHAR"},
		{"RAW(16)", "", "00ff7f", "00ff7f", "RAW"},
		{"BINARY_DOUBLE", "", "-5.4", "-5.4", "IBDouble"},
		{"BINARY_DOUBLE", "", "5.4", "5.4", "IBDouble"},
		{"BINARY_FLOAT", "", "0.5", "0.5", "IBFloat"},
		{"NUMBER", `TO_CHAR(lb."A", 'TM9')`, "0.50", ".5", "NUMBER"},
		{"NUMBER(12,4)", `TO_CHAR(lb."A", 'TM9')`, nil, "-", "NUMBER"},
		{"DATE", `TO_CHAR(lb."A", '` + date + `')`, "2026-11-01 10:00:31", "2026-11-01 10:00:31", "DATE"},
		{"DATE", `TO_CHAR(lb."A", '` + date + `')`, "2026-11-01", "2026-11-01 00:00:00", "DATE"},
		{"TIMESTAMP(3)", `TO_CHAR(lb."A", '` + stamp + `')`, "2026-11-01 10:00:31.9996", "2026-11-01 10:00:32.000000000", "TimeStampDTY"},
		{"TIMESTAMP(6) WITH TIME ZONE", `TO_CHAR(SYS_EXTRACT_UTC(lb."A"), '` + stamp + `"Z"')`, "2026-11-01 10:00:31.5-05:30", "2026-11-01 15:30:31.500000000Z", "TimeStampTZ_DTY"},
		{"TIMESTAMP(6) WITH LOCAL TIME ZONE", `TO_CHAR(lb."A", '` + stamp + `')`, "2026-11-01 10:00:31.5+01:00", "2026-11-01 09:00:31.500000000", "TimeStampLTZ_DTY"},
		{"INTERVAL DAY TO SECOND", `CASE WHEN lb."A" IS NOT NULL THEN 'x' END`, "1 00:00:00", "x", "IntervalDS_DTY"},
		{"CLOB", `CASE WHEN lb."A" IS NOT NULL THEN 'x' END`, "long", "x", "OCIClobLocator"},
		{"CLOB", `CASE WHEN lb."A" IS NOT NULL THEN 'x' END`, nil, "-", "OCIClobLocator"},
	} {
		create(t, s, test.typ, test.in)
		ask := test.ask
		if ask == "" {
			ask = `lb."A"`
		}
		got, err := texts(db, "SELECT "+ask+` AS "A"`+from+`lb."ROW_ID" IS NOT NULL`)
		if err != nil || len(got) != 1 || got[0] != test.want {
			t.Errorf("%s: %q, %v, want %q", test.typ, got, err, test.want)
		}
		rows, err := db.QueryContext(t.Context(), "SELECT * FROM (\nSELECT * FROM v\n) lb WHERE 1 = 0")
		if err != nil {
			t.Fatal(err)
		}
		types, err := rows.ColumnTypes()
		if err != nil || len(types) != 2 || types[1].Name() != "A" || types[1].DatabaseTypeName() != test.named || rows.Next() {
			t.Errorf("%s: %v, %v", test.typ, types, err)
		}
		if err := rows.Close(); err != nil {
			t.Error(err)
		}
	}
	for typ, value := range map[string]any{"VARCHAR2(3)": "Äxx", "VARCHAR2(2 CHAR)": "xxx", "RAW(1)": "0011", "NUMBER(3)": "1000", "DATE": "2026-02-29", "TIMESTAMP(6)": "yesterday", "CHAR(2)": "xxx"} {
		create(t, s, typ)
		var e oratest.Error
		if err := s.Insert("v", []string{"a"}, []any{value}); !errors.As(err, &e) {
			t.Errorf("%v went into %s: %v", value, typ, err)
		}
	}
}

// Rows come in Oracle's order, NULL behind everything, and are compared as Oracle compares them.
func TestOrderAndComparison(t *testing.T) {
	s := oratest.Start(t, oratest.Options{})
	db := reader(s).open(t)
	const id = `SELECT TO_CHAR(lb."ROW_ID", 'TM9')` + from
	const stamp = "'YYYY-MM-DD HH24:MI:SS.FF9')"
	for _, test := range []struct {
		typ   string
		in    []any
		where string
		args  []any
		want  string
	}{
		{"VARCHAR2(20)", []any{"b", nil, "B", "Ä", "a"}, `lb."ROW_ID" IS NOT NULL ORDER BY lb."A"`, nil, "3 5 1 4 2"},
		{"VARCHAR2(20)", []any{"b", nil, "B", "Ä", "a"}, `lb."ROW_ID" IS NOT NULL ORDER BY lb."A" DESC`, nil, "2 4 1 5 3"},
		{"VARCHAR2(20)", []any{"a", "a ", "A", nil}, `lb."A" IN (:1, :2)`, []any{"a", "A"}, "1 3"},
		{"CHAR(5)", []any{"a", "a b", "A", nil}, `lb."A" IN (CAST(:1 AS CHAR(255)))`, []any{"a"}, "1"},
		{"CHAR(5)", []any{"b", "a b", "a", nil}, `NLSSORT(TO_NCHAR(RTRIM(lb."A")), 'NLS_SORT=BINARY') > NLSSORT(TO_NCHAR(:1), 'NLS_SORT=BINARY')`, []any{"a"}, "1 2"},
		{"VARCHAR2(9)", []any{"b", "a", nil}, `NLSSORT(lb."A", 'NLS_SORT=BINARY') > NLSSORT(:1, 'NLS_SORT=BINARY')`, []any{"a"}, "1"},
		// The bytes of a national text are none of a parameter's.
		{"NVARCHAR2(9)", []any{"b", "a", nil}, `NLSSORT(lb."A", 'NLS_SORT=BINARY') > NLSSORT(:1, 'NLS_SORT=BINARY')`, []any{"a"}, ""},
		{"NUMBER", []any{"10", "9", "-1", nil}, `lb."A" > TO_NUMBER(:1)`, []any{"-.5"}, "1 2"},
		{"NUMBER", []any{"10", "9", "-1", nil}, `lb."A" < TO_NUMBER(:1) ORDER BY lb."A" DESC FETCH FIRST 1 ROWS ONLY`, []any{"10"}, "2"},
		{"RAW(2)", []any{"0001", "ff", "01", nil}, `lb."A" > :1`, []any{[]byte{0, 1}}, "2 3"},
		{"DATE", []any{"2026-11-01 10:00:00", "2026-11-01 10:00:01", nil}, `lb."A" >= TO_DATE(:1, 'YYYY-MM-DD HH24:MI:SS')`, []any{"2026-11-01 10:00:01"}, "2"},
		{"TIMESTAMP(6)", []any{"2026-11-01 10:00:00.5", "2026-11-01 10:00:01", nil}, `(lb."A" > TO_TIMESTAMP(:1, ` + stamp + ` OR lb."ROW_ID" > TO_NUMBER(:2))`, []any{"2026-11-01 10:00:00.500000000", "2"}, "2 3"},
		{"TIMESTAMP(6) WITH TIME ZONE", []any{"2026-11-01 10:00:00.0+01:00", "2026-11-01 10:00:00.0-01:00", nil}, `lb."A" >= TO_TIMESTAMP_TZ(:1, 'YYYY-MM-DD HH24:MI:SS.FF9 TZH:TZM')`,
			[]any{"2026-11-01 09:30:00.000000000 +00:00"}, "2"},
		{"TIMESTAMP(6) WITH LOCAL TIME ZONE", []any{"2026-11-01 10:00:00.0+01:00", "2026-11-01 10:00:00.0-01:00", nil},
			`lb."A" >= CAST(TO_TIMESTAMP(:1, ` + stamp + ` AS TIMESTAMP(9) WITH LOCAL TIME ZONE)`, []any{"2026-11-01 09:30:00.000000000"}, "2"},
		{"NUMBER", []any{"10", nil}, `lb."A" IS NULL AND lb."ROW_ID" IS NOT NULL`, nil, "2"},
	} {
		create(t, s, test.typ, test.in...)
		if got, err := texts(db, id+test.where, test.args...); err != nil || strings.Join(got, " ") != test.want {
			t.Errorf("%s, %s: %v, %v, want %s", test.typ, test.where, got, err, test.want)
		}
	}
	create(t, s, "NUMBER", "10", nil, nil)
	if got, err := texts(db, "SELECT COUNT(*)"+from+`lb."A" IS NULL`); err != nil || strings.Join(got, " ") != "2" {
		t.Errorf("counted %v, %v", got, err)
	}
}

// A time with a local zone is shown and read in the session's zone.
func TestSessionZone(t *testing.T) {
	s := oratest.Start(t, oratest.Options{})
	create(t, s, "TIMESTAMP(6) WITH LOCAL TIME ZONE", "2026-11-01 10:00:00.0+00:00")
	c := reader(s)
	c.setUp[0] = "ALTER SESSION SET TIME_ZONE = '-05:00'"
	got, err := texts(c.open(t), `SELECT TO_CHAR(lb."A", 'YYYY-MM-DD HH24:MI:SS')`+from+
		`lb."A" >= CAST(TO_TIMESTAMP(:1, 'YYYY-MM-DD HH24:MI:SS.FF9') AS TIMESTAMP(9) WITH LOCAL TIME ZONE)`, "2026-11-01 05:00:00.000000000")
	if err != nil || strings.Join(got, " ") != "2026-11-01 05:00:00" {
		t.Errorf("%v, %v", got, err)
	}
}

// strict is a test of which only the failures are looked at.
type strict struct {
	testing.TB
	failures []string
}

func (s *strict) Errorf(format string, args ...any) {
	s.failures = append(s.failures, fmt.Sprintf(format, args...))
}

// A statement of an unknown shape fails the test and has no answer.
func TestUnknownStatements(t *testing.T) {
	fails := &strict{TB: t}
	s := oratest.Start(fails, oratest.Options{})
	create(t, s, "VARCHAR2(20)", "x")
	db := reader(s).open(t)
	for _, text := range []string{
		"SELECT * FROM v",
		"SELECT * FROM (\nSELECT * FROM v\n) lb WHERE 1 = 1",
		"SELECT * FROM (\nSELECT * FROM v\n) AS lb WHERE 1 = 0",
		`SELECT lb."ROW_ID"` + from + `lb."ROW_ID" IS NOT NULL`, // a NUMBER travels with no zero before the point, or after it
		`SELECT lb."A"` + from + `1 = 1`,
		`SELECT lb."A"` + from + `lb."ROW_ID" > :1`, // a NUMBER and a text
		`SELECT lb."A"` + from + `lb."ROW_ID" > TO_DATE(:1, 'YYYY-MM-DD')`,
		`SELECT lb."A"` + from + `lb."A" IN (CAST(:1 AS CHAR(255)))`,
		`SELECT lb."A"` + from + `lb."A" LIKE :1`,
		`SELECT UPPER(lb."A")` + from + `lb."A" IS NOT NULL`,
		`SELECT lb."A"` + from + `lb."A" IS NOT NULL` + "\nORDER BY 1",
		`SELECT lb."A"` + from + `lb."A" IS NOT NULL` + "\nFOR UPDATE",
		"SELECT SYSDATE FROM DUAL",
		"ALTER SESSION SET CONTAINER = CDB",
		"ALTER SESSION ENABLE PARALLEL DML",
		"LOCK TABLE v IN SHARE MODE",
	} {
		fails.failures = nil
		_, err := texts(db, text, "7")
		var e *network.OracleError
		if !errors.As(err, &e) || e.ErrCode != 900 || len(fails.failures) != 1 || !strings.Contains(fails.failures[0], text) {
			t.Errorf("got %v, %q for\n%s", err, fails.failures, text)
		}
	}
	fails.failures = nil
	unprepared := reader(s)
	unprepared.setUp = nil
	if _, err := texts(unprepared.open(t), `SELECT lb."A"`+from+`lb."A" IS NOT NULL`); err == nil || len(fails.failures) != 1 {
		t.Errorf("a session that is not set up: %v, %q", err, fails.failures)
	}
	fails.failures = nil
	if got, err := texts(db, `SELECT lb."A"`+from+`lb."A" IS NOT NULL`); err != nil || len(got) != 1 || fails.failures != nil {
		t.Errorf("a known one afterwards: %v, %v, %q", got, err, fails.failures)
	}
}

// code is the number of an error of Oracle.
func code(err error) int {
	if e, ok := errors.AsType[*network.OracleError](err); ok {
		return e.ErrCode
	}
	return 0
}

// Errors have Oracle's numbers, and the session goes on.
func TestErrors(t *testing.T) {
	s := oratest.Start(t, oratest.Options{})
	create(t, s, "DATE")
	db := reader(s).open(t)
	for _, test := range []struct {
		text string
		args []any
		want int
	}{
		{"SELECT * FROM (\nSELECT * FROM nowhere\n) lb WHERE 1 = 0", nil, 942},
		{"SELECT * FROM (\nSELECT * FROM \"v\"\n) lb WHERE 1 = 0", nil, 942}, // its name is V
		{"SELECT * FROM (\nSELECT * FROM \"V\"\n) lb WHERE 1 = 0", nil, 0},
		{`SELECT lb."a"` + from + `lb."A" IS NOT NULL`, nil, 904},
		{`SELECT TO_CHAR(lb."A", 'YYYY.FF9')` + from + `lb."A" IS NOT NULL`, nil, 1821},
		{`SELECT TO_CHAR(lb."A", 'YYYY')` + from + `lb."A" >= TO_DATE(:1, 'YYYY-MM-DD')`, []any{"2026-13-01"}, 1843},
		{`SELECT TO_CHAR(lb."A", 'YYYY')` + from + `lb."A" >= TO_DATE(:1, 'YYYY-MM-DD')`, []any{"2026-02-29"}, 1847},
		{`SELECT TO_CHAR(lb."A", 'YYYY')` + from + `lb."A" >= TO_DATE(:1, 'YYYY-MM-DD')`, []any{"2026-02-28 10"}, 1830},
		{`SELECT TO_CHAR(lb."A", 'YYYY')` + from + `lb."ROW_ID" > TO_NUMBER(:1)`, []any{"1E3"}, 1722},
		{`SELECT TO_CHAR(lb."A", 'YYYY')` + from + `lb."ROW_ID" > TO_NUMBER(:1)`, nil, 1008},
	} {
		if _, err := texts(db, test.text, test.args...); code(err) != test.want || (err == nil) != (test.want == 0) {
			t.Errorf("got %v, want ORA-%05d of\n%s", err, test.want, test.text)
		}
	}
	s.Deny("v")
	if _, err := texts(db, "SELECT COUNT(*)"+from+`lb."A" IS NULL`); code(err) != 942 {
		t.Errorf("without the right: %v", err)
	}
	s.Grant("v")
	if _, err := texts(db, "SELECT COUNT(*)"+from+`lb."A" IS NULL`); err != nil {
		t.Errorf("with it: %v", err)
	}
	if n := len(s.Logins()); n != 1 {
		t.Errorf("%d sessions, want one", n)
	}
}

// Logins are recorded without their passwords, also the refused ones, which learn Oracle's numbers.
func TestLogins(t *testing.T) {
	const password = "pä55-SENTINEL-w0rd of more than sixteen bytes"
	s := oratest.Start(t, oratest.Options{Reader: oratest.Account{User: "lab", Password: password}})
	for _, test := range []struct {
		user, password, service string
		want                    int
		reached                 bool // behind the listener
	}{
		{"lab", password, oratest.Service, 0, true},
		{"LAB", password, oratest.Service, 0, true},
		{"lab", "another", oratest.Service, 1017, true},
		{"lab", strings.ToUpper(password), oratest.Service, 1017, true},
		{"nobody", password, oratest.Service, 1017, true},
		{"lab", password, "NOWHERE", 12514, false},
	} {
		s.Forget()
		conn, err := client{s: s, user: test.user, password: test.password, service: test.service}.Connect(t.Context())
		if code(err) != test.want || (err == nil) != (test.want == 0) {
			t.Errorf("%+v: got %v", test, err)
		}
		if err == nil {
			conn.Close()
		}
		logins := s.Logins()
		if (len(logins) == 1) != test.reached || len(s.Asked()) != 1 {
			t.Errorf("%+v: %+v, asked %q", test, logins, s.Asked())
		}
		for _, l := range logins {
			if l.User != test.user || l.Service != test.service || l.Program != "program" || l.Driver != "driver" || l.TLS != 0 {
				t.Errorf("%+v: %+v", test, l)
			}
		}
		if strings.Contains(fmt.Sprintf("%+v %+v %q", logins, s.Statements(), s.Asked()), test.password) {
			t.Error("a password is recorded")
		}
	}
}

// What is to go wrong goes wrong where it is told to, until it is removed.
func TestFaults(t *testing.T) {
	s := oratest.Start(t, oratest.Options{})
	create(t, s, "VARCHAR2(9)", "x", "x", "y", "z")
	const query = `SELECT lb."A"` + from + `lb."A" IS NOT NULL`
	deadlock := oratest.Error{Code: 60, Message: "deadlock detected while waiting for resource"}
	for _, test := range []struct {
		name  string
		fault oratest.Fault
		code  int // 0: the connection breaks
	}{
		{"the connection is closed at once", oratest.Fault{At: oratest.AtAccept, Do: oratest.Close}, 0},
		{"the listener hangs up", oratest.Fault{At: oratest.AtConnect, Do: oratest.Close}, 0},
		{"the listener refuses", oratest.Fault{At: oratest.AtConnect, Do: oratest.Fail, Error: oratest.Error{Code: 12528}}, 12528},
		{"the login is cut", oratest.Fault{At: oratest.AtLogin, Do: oratest.Close}, 0},
		{"the account is locked", oratest.Fault{At: oratest.AtLogin, Do: oratest.Fail, Error: oratest.Error{Code: 28000, Message: "The account is locked."}}, 28000},
		{"a statement is cut", oratest.Fault{At: oratest.AtStatement, Statement: ") lb", Do: oratest.Close}, 0},
		{"a row is cut", oratest.Fault{At: oratest.AtStatement, Statement: ") lb", Do: oratest.Close, Rows: 2}, 0},
		{"a statement fails", oratest.Fault{At: oratest.AtStatement, Statement: ") lb", Do: oratest.Fail, Error: deadlock}, 60},
		{"a row fails", oratest.Fault{At: oratest.AtStatement, Statement: ") lb", Do: oratest.Fail, Error: deadlock, Rows: 2}, 60},
		{"it fails behind all rows", oratest.Fault{At: oratest.AtStatement, Statement: ") lb", Do: oratest.Fail, Error: deadlock, Rows: 9}, 60},
	} {
		t.Run(test.name, func(t *testing.T) {
			remove := s.Inject(test.fault)
			for range 2 {
				if _, err := texts(reader(s).open(t), query); err == nil || code(err) != test.code {
					t.Errorf("got %v", err)
				}
			}
			remove()
			if got, err := texts(reader(s).open(t), query); err != nil || strings.Join(got, " ") != "x x y z" {
				t.Errorf("afterwards: %v, %v", got, err)
			}
		})
	}
	s.Inject(oratest.Fault{At: oratest.AtLogin, Do: oratest.Warn, Error: oratest.Error{Code: 28002, Message: "the password will expire within 7 days"}})
	db := reader(s).open(t)
	if _, err := texts(db, query); err != nil {
		t.Fatalf("with a warning: %v", err)
	}
	s.Disconnect()
	if n := s.AwaitConnections(t.Context(), 0); n != 0 {
		t.Errorf("%d connections are open", n)
	}
}

// A break ends a statement that is under way, and the session goes on.
func TestBreak(t *testing.T) {
	s := oratest.Start(t, oratest.Options{})
	create(t, s, "VARCHAR2(9)", "x", "y")
	const query = `SELECT lb."A"` + from + `lb."A" IS NOT NULL`
	db := reader(s).open(t)
	if _, err := texts(db, query); err != nil { // connects
		t.Fatal(err)
	}
	for _, rows := range []int{0, 1} {
		remove := s.Inject(oratest.Fault{At: oratest.AtStatement, Statement: ") lb", Do: oratest.Hang, Rows: rows})
		ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
		if _, err := textsIn(ctx, db, query); code(err) != 1013 {
			t.Errorf("got %v", err)
		}
		cancel()
		remove()
		if got, err := texts(db, query); err != nil || strings.Join(got, " ") != "x y" {
			t.Errorf("afterwards: %v, %v", got, err)
		}
	}
	if n := len(s.Logins()); n != 1 {
		t.Errorf("%d sessions, want one", n)
	}
}

// Rows come in several answers where they are many, and statements and parameters are recorded as they came.
func TestManyRows(t *testing.T) {
	s := oratest.Start(t, oratest.Options{})
	create(t, s, "VARCHAR2(200)")
	const n = 3000
	var want []string
	for i := range n {
		v := strings.Repeat(fmt.Sprint(i/3), 20)
		if err := s.Insert("v", []string{"row_id", "a"}, []any{i, v}); err != nil {
			t.Fatal(err)
		}
		want = append(want, fmt.Sprint(i), v)
	}
	db := reader(s).open(t)
	s.Forget()
	query := `SELECT TO_CHAR(lb."ROW_ID", 'TM9'), lb."A"` + from + `lb."ROW_ID" > TO_NUMBER(:1) ORDER BY lb."ROW_ID"`
	got, err := texts(db, query, "-1")
	if err != nil || strings.Join(got, " ") != strings.Join(want, " ") {
		t.Errorf("%d values, %v, want %d", len(got), err, len(want))
	}
	st := s.Statements()
	last := st[len(st)-1]
	if last.Text != query || len(last.Params) != 1 || last.Params[0] != (oratest.Param{Type: "VARCHAR2", Value: "-1"}) || last.Login.User != s.Reader.User {
		t.Errorf("recorded: %+v", last)
	}
	s.Answer("ROW_ID", oratest.Result{Columns: []oratest.Column{{Name: "A", Type: oratest.Type{Name: "VARCHAR2", Length: 9}}}, Rows: [][]any{{"answer"}}})
	if got, err := texts(db, query, "-1"); err != nil || strings.Join(got, " ") != "answer" {
		t.Errorf("an answer that was given: %v, %v", got, err)
	}
}

// The clock is the server's own.
func TestClock(t *testing.T) {
	s := oratest.Start(t, oratest.Options{})
	db := reader(s).open(t)
	for _, ahead := range []time.Duration{0, 3 * time.Hour} {
		s.SetClock(ahead)
		got, err := texts(db, `SELECT TO_CHAR(SYS_EXTRACT_UTC(SYSTIMESTAMP), 'YYYY-MM-DD HH24:MI:SS.FF9"Z"') FROM DUAL`)
		if err != nil || len(got) != 1 {
			t.Fatal(got, err)
		}
		at, err := time.Parse("2006-01-02 15:04:05.999999999Z", got[0])
		if d := time.Until(at) - ahead; err != nil || d.Abs() > time.Minute {
			t.Errorf("%s ahead: %v, %v", ahead, at, err)
		}
	}
}
