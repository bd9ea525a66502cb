package tdstest_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	mssql "github.com/microsoft/go-mssqldb"

	"limsbridge/lims/tdstest"
)

// texts runs a query and returns the first column of its rows.
func texts(t *testing.T, db interface {
	QueryContext(context.Context, string, ...any) (*sql.Rows, error)
}, text string, args ...any) (out []string, err error) {
	t.Helper()
	rows, err := db.QueryContext(t.Context(), text, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var v any
		if err := rows.Scan(&v); err != nil {
			return out, err
		}
		out = append(out, fmt.Sprint(v))
	}
	return out, rows.Err()
}

// SQL Server's own order, which differs from that of texts and bytes.
func TestOrder(t *testing.T) {
	for _, test := range []struct {
		typ  string
		in   []string // in their order
		same string   // another value that equals the first one
	}{
		{"decimal(12,4)", []string{"-10.5", "-9", "2", "10.0001"}, "-10.50"},
		{"money", []string{"-1", "9", "10"}, "-1.0000"},
		{"uniqueidentifier", []string{"FFFFFFFF-FFFF-FFFF-FFFF-000000000001", "00000000-0000-0000-0000-000000000002", "00000000-0000-0100-0000-000000000002", "00000000-0000-0001-0000-000000000002",
			"00000000-0000-0000-0001-000000000002"}, "ffffffff-ffff-ffff-ffff-000000000001"},
		{"datetimeoffset(7)", []string{"2026-11-01 10:00:00 +02:00", "2026-11-01 09:00:00 +00:00", "2026-11-01 08:00:00 -02:00"}, "2026-11-01 08:00:00 +00:00"},
		{"varchar(9)", []string{"a", "B", "c"}, "A  "},
		{"varchar(9) COLLATE Latin1_General_BIN2", []string{"B", "a", "c"}, "B  "},
		{"nvarchar(9) COLLATE Latin1_General_CS_AS", []string{"a", "A", "b"}, "a "},
	} {
		t.Run(test.typ, func(t *testing.T) {
			s := tdstest.Start(t, tdstest.Options{})
			db := s.Open(t, "master")
			exec(t, db, "CREATE TABLE v (id int NOT NULL, a "+test.typ+" NULL)")
			var want []string
			for i, in := range slices.Backward(test.in) {
				exec(t, db, "INSERT INTO v (id, a) VALUES (@p1, @p2)", i, in)
				want = append([]string{fmt.Sprint(i)}, want...)
			}
			if got, err := texts(t, db, "SELECT id FROM v ORDER BY a"); err != nil || !slices.Equal(got, want) {
				t.Errorf("got %v, %v, want %v", got, err, want)
			}
			if got, err := texts(t, db, "SELECT id FROM v WHERE a = CAST(@p1 AS "+strings.Fields(test.typ)[0]+")", test.same); err != nil || !slices.Equal(got, []string{"0"}) {
				t.Errorf("equal to %s: %v, %v", test.same, got, err)
			}
		})
	}
}

// Values that a column cannot hold are refused with SQL Server's numbers.
func TestConversionErrors(t *testing.T) {
	s := tdstest.Start(t, tdstest.Options{})
	db := s.Open(t, "master")
	for typ, want := range map[string]struct {
		in     any
		number int32
	}{
		"tinyint": {256, 8115}, "int": {"S-1", 245}, "datetime": {"31.02.2026", 241}, "decimal(3,1)": {"100", 8115}, "uniqueidentifier": {"S-1", 8169},
		"varchar(2)": {"abc", 8152}, "binary(2)": {[]byte("abc"), 8152}, "int NOT NULL": {nil, 515},
	} {
		exec(t, db, "CREATE TABLE v (a "+typ+")")
		_, err := db.ExecContext(t.Context(), "INSERT INTO v (a) VALUES (@p1)", want.in)
		var e mssql.Error
		if !errors.As(err, &e) || e.Number != want.number {
			t.Errorf("%s: got %v, want number %d", typ, err, want.number)
		}
		exec(t, db, "DROP TABLE v")
	}
}

// What an open transaction did is seen when it commits, and not when it is rolled back; several are open at a
// time; and the lowest rowversion that one of them may still show stands still with it.
func TestTransactions(t *testing.T) {
	s := tdstest.Start(t, tdstest.Options{})
	db := s.Open(t, "master")
	exec(t, db, "CREATE TABLE v (id int NOT NULL, rv rowversion NOT NULL)")
	versions := func() (lowest, newest uint64) {
		t.Helper()
		var a, b []byte
		if err := db.QueryRowContext(t.Context(), "SELECT MIN_ACTIVE_ROWVERSION(), @@DBTS").Scan(&a, &b); err != nil {
			t.Fatal(err)
		}
		for i := range a {
			lowest, newest = lowest<<8|uint64(a[i]), newest<<8|uint64(b[i])
		}
		return lowest, newest
	}
	lowest, newest := versions()
	if lowest != newest+1 {
		t.Errorf("at first: %d, %d", lowest, newest)
	}
	begin := func() *sql.Tx {
		t.Helper()
		tx, err := db.BeginTx(context.Background(), nil)
		if err != nil {
			t.Fatal(err)
		}
		return tx
	}
	one, two := begin(), begin()
	for i, in := range []*sql.Tx{one, two, one} {
		if res, err := in.ExecContext(t.Context(), "INSERT INTO v (id) VALUES (@p1)", i); err != nil {
			t.Fatal(err)
		} else if n, _ := res.RowsAffected(); n != 1 {
			t.Errorf("%d rows were affected", n)
		}
	}
	exec(t, db, "INSERT INTO v (id) VALUES (9)")
	if a, b := versions(); a != newest+1 || b != newest+4 {
		t.Errorf("while two are open: %d, %d, after %d", a, b, newest)
	}
	if got, err := texts(t, db, "SELECT id FROM v"); err != nil || !slices.Equal(got, []string{"9"}) {
		t.Errorf("others see %v, %v", got, err)
	}
	if got, err := texts(t, one, "SELECT id FROM v ORDER BY id"); err != nil || !slices.Equal(got, []string{"0", "2", "9"}) {
		t.Errorf("it sees itself as %v, %v", got, err)
	}
	if err := one.Commit(); err != nil {
		t.Fatal(err)
	}
	if a, _ := versions(); a != newest+2 {
		t.Errorf("while the second one is open: %d", a)
	}
	if err := two.Rollback(); err != nil {
		t.Fatal(err)
	}
	if a, b := versions(); a != b+1 {
		t.Errorf("at last: %d, %d", a, b)
	}
	if got, err := texts(t, db, "SELECT id FROM v ORDER BY rv"); err != nil || !slices.Equal(got, []string{"0", "2", "9"}) {
		t.Errorf("in the order of their rowversions: %v, %v", got, err)
	}
}

// Each fault happens where it is told to happen, as often as it is told to, and is over when it is removed.
func TestFaults(t *testing.T) {
	s := tdstest.Start(t, tdstest.Options{})
	db := s.Open(t, "master")
	exec(t, db, "CREATE TABLE v (a nvarchar(20) NULL)")
	exec(t, db, "INSERT INTO v (a) VALUES ('one'), ('two'), ('three')")
	const query = "SELECT a FROM v"
	lock := tdstest.Error{Number: 1222, Class: 16, State: 51, Message: "Lock request time out period exceeded."}
	tests := []struct {
		name  string
		fault tdstest.Fault
		rows  int
		fails func(error) bool
	}{
		{"an error instead of an answer", tdstest.Fault{At: tdstest.AtStatement, Statement: "FROM v", Do: tdstest.Fail, Error: lock}, 0, func(err error) bool {
			var e mssql.Error
			return errors.As(err, &e) && e.Number == 1222 && e.Class == 16 && e.State == 51 && e.Message == lock.Message
		}},
		{"an error behind two rows", tdstest.Fault{At: tdstest.AtStatement, Statement: "FROM v", Do: tdstest.Fail, Error: lock, Rows: 2}, 2, func(err error) bool {
			var e mssql.Error
			return errors.As(err, &e) && e.Number == 1222
		}},
		{"an error that ends the connection", tdstest.Fault{At: tdstest.AtStatement, Statement: "FROM v", Do: tdstest.Fail, Error: tdstest.Error{Number: 824, Class: 24, Message: "damaged"}}, 0, func(err error) bool {
			var e mssql.Error
			return errors.As(err, &e) && e.Number == 824 && e.Class == 24
		}},
		{"an end before the answer", tdstest.Fault{At: tdstest.AtStatement, Statement: "FROM v", Do: tdstest.Close}, 0, isStream},
		{"an end in the third row", tdstest.Fault{At: tdstest.AtStatement, Statement: "FROM v", Do: tdstest.Close, Rows: 2}, 2, isStream},
		{"silence", tdstest.Fault{At: tdstest.AtStatement, Statement: "FROM v", Do: tdstest.Hang}, 0, isDeadline},
		{"silence behind a row", tdstest.Fault{At: tdstest.AtStatement, Statement: "FROM v", Do: tdstest.Hang, Rows: 1}, 1, isDeadline},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			remove := s.Inject(test.fault)
			defer remove()
			limit := 10 * time.Second
			if test.fault.Do == tdstest.Hang {
				limit = 300 * time.Millisecond
			}
			ctx, cancel := context.WithTimeout(t.Context(), limit)
			defer cancel()
			rows, err := db.QueryContext(ctx, query)
			n := 0
			if err == nil {
				for rows.Next() {
					n++
				}
				err = errors.Join(rows.Err(), rows.Close())
			}
			if n != test.rows || !test.fails(err) {
				t.Errorf("%d rows, %T %v", n, err, err)
			}
			if got, err := texts(t, db, "SELECT 1"); err != nil || len(got) != 1 {
				t.Errorf("another statement: %v, %v", got, err)
			}
			remove()
			if got, err := texts(t, db, query); err != nil || len(got) != 3 {
				t.Errorf("afterwards: %v, %v", got, err)
			}
		})
	}
	s.Inject(tdstest.Fault{At: tdstest.AtStatement, Statement: "FROM v", Do: tdstest.Fail, Error: lock, Times: 2})
	for i, want := range []bool{true, true, false} {
		if _, err := texts(t, db, query); (err != nil) != want {
			t.Errorf("time %d: %v", i, err)
		}
	}
}

func isStream(err error) bool {
	var e mssql.StreamError
	return errors.As(err, &e)
}

func isDeadline(err error) bool { return errors.Is(err, context.DeadlineExceeded) }

// An attention is acknowledged on the same connection, which can be used again.
func TestAttention(t *testing.T) {
	s := tdstest.Start(t, tdstest.Options{})
	db := s.Open(t, "master")
	conn, err := db.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	s.Forget()
	s.Inject(tdstest.Fault{At: tdstest.AtStatement, Statement: "SELECT 2", Do: tdstest.Hang, Times: 1})
	ctx, cancel := context.WithCancel(t.Context()) // after a deadline the driver itself throws the connection away
	time.AfterFunc(200*time.Millisecond, cancel)
	if _, err := conn.ExecContext(ctx, "SELECT 2"); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	if got, err := texts(t, conn, "SELECT 3"); err != nil || len(got) != 1 {
		t.Errorf("afterwards: %v, %v", got, err)
	}
	st := s.Statements()
	if len(st) != 2 || st[0].Session != st[1].Session || len(s.Logins()) != 0 {
		t.Errorf("recorded: %+v, logins %+v", st, s.Logins())
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

// A reader's statement of an unknown shape fails the test and has no answer; the known ones are answered.
func TestReadersStatements(t *testing.T) {
	fails := &strict{TB: t}
	s := tdstest.Start(fails, tdstest.Options{})
	writer := s.Open(t, "master")
	exec(t, writer, "CREATE TABLE v (row_id int NOT NULL, changed_at datetime NULL, a varchar(9) NULL)")
	exec(t, writer, "INSERT INTO v (row_id, changed_at, a) VALUES (1, '2026-11-01 10:00:00', 'x'), (2, '2026-11-01 11:00:00', 'y')")
	s.Writer = s.Reader // Open and URL are for the writer
	reader := s.Open(t, "master")
	const from = "\nFROM (\nSELECT * FROM v\n) AS lb\nWHERE "
	const tail = "\nOPTION (MAXDOP 1)"
	for text, want := range map[string]string{
		"SELECT lb.[row_id]" + from + "lb.[row_id] IS NOT NULL" + tail: "1 2",
		"SELECT TOP (1) lb.[row_id]" + from + "lb.[changed_at] >= @p1 AND (lb.[changed_at] > @p1 OR lb.[row_id] > @p2) AND lb.[row_id] IS NOT NULL\nORDER BY lb.[changed_at], lb.[row_id]" + tail: "2",
		"SELECT TOP (1) lb.[row_id]" + from + "CONVERT(nvarchar(4000), lb.[a]) COLLATE Latin1_General_BIN2 > @p2\nORDER BY CONVERT(nvarchar(4000), lb.[a]) COLLATE Latin1_General_BIN2" + tail:    "1",
		"SELECT TOP (1) lb.[changed_at]" + from + "lb.[changed_at] < CAST(@p1 AS smalldatetime)\nORDER BY lb.[changed_at] DESC" + tail:                                                            "",
		"SELECT lb.[row_id]" + from + "lb.[row_id] IN (@p2, @p2)" + tail: "1",
	} {
		got, err := texts(t, reader, text, mssql.DateTime1(time.Date(2026, 11, 1, 10, 0, 0, 0, time.UTC)), 1)
		if err != nil || strings.Join(got, " ") != want || fails.failures != nil {
			t.Errorf("got %v, %v, %v, want %s\n%s", got, err, fails.failures, want, text)
		}
	}
	for _, text := range []string{
		"SELECT * FROM v",
		"SELECT lb.[row_id]" + from + "1 = 1" + tail,
		"SELECT lb.[row_id]" + from + "lb.[row_id] IS NOT NULL",
		"SELECT lb.[row_id]" + from + "lb.[row_id] IS NOT NULL\nORDER BY NEWID()" + tail,
		"DELETE FROM v",
		"SET LOCK_TIMEOUT 5000",
	} {
		fails.failures = nil
		if _, err := texts(t, reader, text); err == nil || len(fails.failures) != 1 || !strings.Contains(fails.failures[0], text) {
			t.Errorf("got %v, %v for\n%s", err, fails.failures, text)
		}
	}
	if got, err := texts(t, writer, "SELECT COUNT(*) FROM v"); err != nil || got[0] != "2" {
		t.Errorf("rows afterwards: %v, %v", got, err)
	}
}

// Logins are recorded without their passwords, also the refused ones, which learn SQL Server's numbers.
func TestLogins(t *testing.T) {
	s := tdstest.Start(t, tdstest.Options{Reader: tdstest.Account{User: "lab", Password: "pa55-SENTINEL-w0rd"}})
	for _, test := range []struct {
		user, password, database string
		number                   int32
	}{
		{"lab", "pa55-SENTINEL-w0rd", "master", 0},
		{"lab", "another", "master", 18456},
		{"nobody", "pa55-SENTINEL-w0rd", "master", 18456},
		{"lab", "pa55-SENTINEL-w0rd", "nowhere", 4060},
	} {
		s.Forget()
		s.Writer = tdstest.Account{User: test.user, Password: test.password}
		_, err := s.Open(t, test.database).Conn(t.Context())
		var e mssql.Error
		if (err == nil) != (test.number == 0) || test.number != 0 && (!errors.As(err, &e) || e.All[0].Number != test.number) {
			t.Errorf("%+v: got %v", test, err)
		}
		logins := s.Logins()
		if len(logins) != 1 || logins[0].User != test.user || logins[0].Database != test.database || logins[0].App != "writer" || logins[0].Interface != "go-mssqldb" {
			t.Errorf("%+v: %+v", test, logins)
		}
		if strings.Contains(fmt.Sprintf("%+v %+v", logins, s.Statements()), test.password) {
			t.Error("a password is recorded")
		}
	}
}
