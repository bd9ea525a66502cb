package lims_test

import (
	"context"
	"crypto/tls"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"
	"testing"
	"time"

	"limsbridge/lims"
	"limsbridge/lims/tdstest"
)

// wire is a scripted SQL Server with an empty database, and the writer's connection to it.
type wire struct {
	*tdstest.Server
	db *sql.DB
}

func newWire(t *testing.T, o tdstest.Options) wire {
	t.Helper()
	s := tdstest.Start(t, o)
	w := wire{s, s.Open(t, "LIMS")}
	master := s.Open(t, "master")
	if _, err := master.ExecContext(t.Context(), "CREATE DATABASE LIMS"); err != nil {
		t.Fatal(err)
	}
	return w
}

func (w wire) exec(t *testing.T, text string, args ...any) {
	t.Helper()
	if _, err := w.db.ExecContext(context.Background(), text, args...); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
}

// results makes the view of results with these types of its columns, where they are other than usual.
func (w wire) results(t *testing.T, types map[string]string) {
	t.Helper()
	usual := []string{"row_id bigint NOT NULL", "changed_at datetime NULL", "requisition_id uniqueidentifier NULL", "order_code varchar(64) NULL",
		"result_code char(8) NULL", "value nvarchar(200) NULL", "unit varchar(32) NULL", "status varchar(64) NULL"}
	var names []string
	for i, c := range usual {
		name, _, _ := strings.Cut(c, " ")
		if typ := types[name]; typ != "" {
			usual[i] = name + " " + typ
		}
		names = append(names, name)
	}
	w.exec(t, "CREATE TABLE base_results ("+strings.Join(usual, ", ")+")")
	w.exec(t, "CREATE VIEW results AS SELECT "+strings.Join(names, ", ")+" FROM base_results")
}

// options are how a reader reaches the server: encrypted and verified.
func (w wire) options() lims.Options {
	return lims.Options{Type: lims.SQLServer, Server: w.Host, Port: w.Port, Database: "LIMS", User: w.Reader.User,
		Password: func() (string, error) { return w.Reader.Password, nil },
		Encrypt:  lims.EncryptVerified, CAFile: w.CAFile, AppName: "limsbridge lab 7",
		Orders: lims.Query{View: "orders"}, Results: lims.Query{View: "results"}}
}

func (w wire) reader(t *testing.T, change func(*lims.Options)) *lims.Reader {
	t.Helper()
	o := w.options()
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

// pollAll polls the results and returns the rows.
func pollAll(t *testing.T, r *lims.Reader, from lims.Cursor, back time.Duration) (rows []lims.Row, cursor lims.Cursor, err error) {
	cursor = from
	err = r.Poll(t.Context(), lims.Results, from, back, func(page []lims.Row, c lims.Cursor) error {
		rows = append(rows, page...)
		cursor = c
		return nil
	})
	return rows, cursor, err
}

// Every parameter reaches SQL Server with the type of its column, in every statement that has one: one of another
// type would be compared by converting the column, without its index, and a datetime even with another result.
func TestSQLServerParameterTypesOnTheWire(t *testing.T) {
	const uuid = "0b8f6a1e-9d0c-4b52-8a1f-00112233aabb"
	tests := []struct {
		id, stamp        string // the columns' types
		ids, stamps      [2]any // as the writer inserts them
		idType, stampsAs string // the declared types of the parameters
		fetch            string // an id
	}{
		{"bigint NOT NULL", "datetime NULL", [2]any{1, 2}, [2]any{"2026-11-01 10:00:31.857", "2026-11-01 10:00:31.857"}, "bigint", "datetime", "1"},
		{"int NOT NULL", "datetime2(7) NULL", [2]any{1, 2}, [2]any{"2026-11-01 10:00:31.1234567", "2026-11-01 10:00:31.1234567"}, "bigint", "datetime2(7)", "1"},
		{"smallint NOT NULL", "datetime2(3) NULL", [2]any{1, 2}, [2]any{"2026-11-01 10:00:31.123", "2026-11-01 10:00:31.123"}, "bigint", "datetime2(7)", "1"},
		{"tinyint NOT NULL", "smalldatetime NULL", [2]any{1, 2}, [2]any{"2026-11-01 10:00:00", "2026-11-01 10:00:00"}, "bigint", "varchar(19)", "1"},
		{"decimal(18,0) NOT NULL", "datetimeoffset(7) NULL", [2]any{"1", "2"}, [2]any{"2026-11-01 10:00:31.1234567 +01:00", "2026-11-01 09:00:31.1234567 +00:00"}, "bigint", "datetimeoffset(7)", "1"},
		{"varchar(20) NOT NULL", "rowversion NOT NULL", [2]any{"S-1", "S-2"}, [2]any{nil, nil}, "varchar(3)", "varbinary(8)", "S-1"},
		{"char(20) NOT NULL", "int NULL", [2]any{"S-1", "S-2"}, [2]any{7, 7}, "varchar(3)", "bigint", "S-1"},
		{"nvarchar(20) NOT NULL", "bigint NULL", [2]any{"S-1", "S-2"}, [2]any{7, 7}, "nvarchar(3)", "bigint", "S-1"},
		{"nchar(20) NOT NULL", "datetime NULL", [2]any{"S-1", "S-2"}, [2]any{"2026-11-01", "2026-11-01"}, "nvarchar(3)", "datetime", "S-1"},
		{"varchar(20) NOT NULL", "datetime NULL", [2]any{"Ä-1", "Ä-2"}, [2]any{"2026-11-01", "2026-11-01"}, "nvarchar(3)", "datetime", "Ä-1"},
		{"uniqueidentifier NOT NULL", "datetime NULL", [2]any{uuid, "ffffffff-9d0c-4b52-8a1f-000000000001"}, [2]any{"2026-11-01", "2026-11-01"}, "uniqueidentifier", "datetime", uuid},
	}
	w := newWire(t, tdstest.Options{})
	for _, test := range tests {
		t.Run(test.id+", "+test.stamp, func(t *testing.T) {
			w.results(t, map[string]string{"row_id": test.id, "changed_at": test.stamp})
			defer w.exec(t, "DROP TABLE base_results")
			defer w.exec(t, "DROP VIEW results")
			for i := range test.ids {
				if strings.HasPrefix(test.stamp, "rowversion") {
					w.exec(t, "INSERT INTO base_results (row_id, status) VALUES (@p1, 'A')", test.ids[i])
				} else {
					w.exec(t, "INSERT INTO base_results (row_id, changed_at, status) VALUES (@p1, @p2, 'A')", test.ids[i], test.stamps[i])
				}
			}
			w.Forget()
			r := w.reader(t, func(o *lims.Options) { o.PageSize = 1 })
			rows, cursor, err := pollAll(t, r, lims.Cursor{}, 0)
			if err != nil || len(rows) != 2 || rows[0].Problem != "" {
				t.Fatalf("%+v, %v", rows, err)
			}
			again, _, err := pollAll(t, r, cursor, 0)
			if want := map[bool]int{true: 1, false: 2}[strings.HasPrefix(test.stamp, "rowversion")]; err != nil || len(again) != want {
				t.Errorf("from the cursor: %+v, %v, want %d rows", again, err, want)
			}
			if got, err := r.Fetch(t.Context(), lims.Results, []string{test.fetch}); err != nil || len(got) != 1 || got[0].ID != test.fetch {
				t.Errorf("by its id: %+v, %v", got, err)
			}
			var seen [3]bool
			for _, st := range w.Statements() {
				if st.Login.User != w.Reader.User {
					continue
				}
				types := st.Types()
				switch {
				case strings.Contains(st.Text, " OR "):
					seen[0] = true
					if !slices.Equal(types, []string{test.stampsAs, test.stampsAs, test.idType}) {
						t.Errorf("behind a row: %v", types)
					}
				case strings.Contains(st.Text, " >= "):
					seen[1] = true
					if !slices.Equal(types, []string{test.stampsAs}) {
						t.Errorf("from a stamp: %v", types)
					}
				case strings.Contains(st.Text, " IN ("):
					seen[2] = true
					if !slices.Equal(types, []string{test.idType}) {
						t.Errorf("by ids: %v", types)
					}
				case len(types) > 0:
					t.Errorf("parameters %v in\n%s", types, st.Text)
				}
			}
			if seen != [3]bool{true, true, true} {
				t.Errorf("not every kind of statement was sent: %v", seen)
			}
		})
	}
}

// A datetime's ticks of 1/300 s survive the way into the cursor and back: the row at the cursor is met again, and those
// of the tick before and after lie where they lie.
func TestSQLServerDatetimeTicks(t *testing.T) {
	w := newWire(t, tdstest.Options{})
	w.results(t, nil)
	for i, at := range []string{"31.853", "31.857", "31.857", "31.860"} {
		w.exec(t, "INSERT INTO base_results (row_id, changed_at, status) VALUES (@p1, @p2, 'A')", i+1, "2026-11-01 10:00:"+at)
	}
	r := w.reader(t, func(o *lims.Options) { o.PageSize = 1 })
	rows, _, err := pollAll(t, r, lims.Cursor{}, 0)
	if err != nil || ids(rows) != "1 2 3 4" || rows[1].Stamp != "2026-11-01T10:00:31.857" {
		t.Fatalf("%+v, %v", rows, err)
	}
	for stamp, want := range map[string]string{"2026-11-01T10:00:31.853": "1 2 3 4", "2026-11-01T10:00:31.857": "2 3 4", "2026-11-01T10:00:31.86": "4"} {
		if rows, _, err := pollAll(t, r, lims.Cursor{Stamp: stamp}, 0); err != nil || ids(rows) != want {
			t.Errorf("from %s: %s, %v, want %s", stamp, ids(rows), err, want)
		}
	}
}

func ids(rows []lims.Row) string {
	var out []string
	for _, r := range rows {
		out = append(out, r.ID)
	}
	return strings.Join(out, " ")
}

// What SQL Server holds is what the row says, digit by digit; what has lost digits or has no text is refused, with the row.
func TestSQLServerValues(t *testing.T) {
	tests := []struct {
		column, typ string
		in          any
		want        string // of the column
		problem     string
	}{
		{"value", "decimal(12,4)", "5.4", "5.4000", ""},
		{"value", "decimal(38,10)", "-1234567890123456789012345678.0123456789", "-1234567890123456789012345678.0123456789", ""},
		{"value", "numeric(3,3)", "0.5", "0.500", ""},
		{"value", "money", "5.4", "5.4000", ""},
		{"value", "money", "-922337203685477.5808", "-922337203685477.5808", ""},
		{"value", "smallmoney", "-0.0001", "-0.0001", ""},
		{"value", "bigint", "-9223372036854775808", "-9223372036854775808", ""},
		{"value", "tinyint", "255", "255", ""},
		{"value", "varchar(20)", " <0,50 µg ", " <0,50 µg ", ""},
		{"value", "nvarchar(max)", "≥ 5 · 陽性", "≥ 5 · 陽性", ""},
		{"value", "text", "long", "long", ""},
		{"value", "ntext", "≥", "≥", ""},
		{"value", "char(10)", "NEG", "NEG", ""},
		{"value", "nchar(10)", " NEG", " NEG", ""},
		{"value", "nvarchar(20)", nil, "", ""},
		{"value", "decimal(12,4)", nil, "", ""},
		{"value", "money", nil, "", ""},
		{"value", "float", "5.4", "", "value is FLOAT, which loses digits"},
		{"value", "real", "5.4", "", "value is REAL, which loses digits"},
		{"value", "bit", "1", "", "value is BIT, which has no text of the lab's own"},
		{"value", "varbinary(20)", []byte("5.4"), "", "value is VARBINARY, which has no text of the lab's own"},
		{"value", "time(7)", "05:04:00", "", "value is TIME, which has no text of the lab's own"},
		{"value", "xml", "<v>5.4</v>", "", "value is XML, which has no text of the lab's own"},
		{"requisition_id", "uniqueidentifier", "0B8F6A1E-9D0C-4B52-8A1F-00112233AABB", "0b8f6a1e-9d0c-4b52-8a1f-00112233aabb", ""},
		{"requisition_id", "uniqueidentifier", nil, "", ""},
		{"requisition_id", "char(40)", "0B8F6A1E-9D0C-4B52-8A1F-00112233AABB", "0B8F6A1E-9D0C-4B52-8A1F-00112233AABB", ""},
	}
	w := newWire(t, tdstest.Options{})
	for _, test := range tests {
		t.Run(fmt.Sprint(test.typ, " ", test.in), func(t *testing.T) {
			w.results(t, map[string]string{test.column: test.typ + " NULL"})
			defer w.exec(t, "DROP TABLE base_results")
			defer w.exec(t, "DROP VIEW results")
			w.exec(t, "INSERT INTO base_results (row_id, changed_at, status, "+test.column+") VALUES (1, '2026-11-01', 'A', @p1)", test.in)
			rows, _, err := pollAll(t, w.reader(t, nil), lims.Cursor{}, 0)
			if err != nil || len(rows) != 1 {
				t.Fatalf("%+v, %v", rows, err)
			}
			got := map[string]string{"value": rows[0].Value, "requisition_id": rows[0].Requisition}[test.column]
			if got != test.want || rows[0].Problem != test.problem {
				t.Errorf("got %q, problem %q, want %q, %q", got, rows[0].Problem, test.want, test.problem)
			}
		})
	}
}

// Rows that an open transaction may still come before are not read, and an open transaction that holds
// up reading is told of after a quarter of an hour by the server's clock, once.
func TestSQLServerRowversion(t *testing.T) {
	w := newWire(t, tdstest.Options{})
	w.results(t, map[string]string{"changed_at": "rowversion NOT NULL"})
	var notices []lims.Notice
	r := w.reader(t, func(o *lims.Options) {
		o.PageSize = 2
		o.Notice = func(n lims.Notice) {
			if n.Kind != lims.ClockOff { // it is set by the hour below
				notices = append(notices, n)
			}
		}
	})
	put := func(db interface {
		ExecContext(context.Context, string, ...any) (sql.Result, error)
	}, id int) {
		t.Helper()
		if _, err := db.ExecContext(context.Background(), "INSERT INTO base_results (row_id, status) VALUES (@p1, 'A')", id); err != nil {
			t.Fatal(err)
		}
	}
	put(w.db, 1)
	slow, err := w.db.BeginTx(context.Background(), nil)
	if err != nil {
		t.Fatal(err)
	}
	put(slow, 2)
	put(w.db, 3)
	rows, cursor, err := pollAll(t, r, lims.Cursor{}, 0)
	if err != nil || ids(rows) != "1" {
		t.Fatalf("while a transaction is open: %s, %v, want 1", ids(rows), err)
	}
	if err := slow.Commit(); err != nil {
		t.Fatal(err)
	}
	if rows, cursor, err = pollAll(t, r, cursor, 0); err != nil || ids(rows) != "1 2 3" {
		t.Errorf("after its commit: %s, %v, want 1 2 3", ids(rows), err)
	}
	w.exec(t, "UPDATE base_results SET status = 'C' WHERE row_id = 1")
	if rows, _, err = pollAll(t, r, cursor, 0); err != nil || ids(rows) != "3 1" {
		t.Errorf("after an update: %s, %v, want 3 1", ids(rows), err)
	}
	if len(notices) != 0 {
		t.Errorf("notices: %v", notices)
	}
	for round := range 2 {
		forgotten, err := w.db.BeginTx(context.Background(), nil)
		if err != nil {
			t.Fatal(err)
		}
		put(forgotten, 10+round)
		for minutes, want := range []int{14: 0, 15: 1, 16: 1} {
			w.SetClock(time.Duration(60*round+minutes) * time.Minute)
			if _, _, err := pollAll(t, r, cursor, 0); err != nil || len(notices) != round+want {
				t.Fatalf("after %d minutes: %v, %v", minutes, err, notices)
			}
		}
		if err := forgotten.Rollback(); err != nil {
			t.Fatal(err)
		}
		if _, _, err := pollAll(t, r, cursor, 0); err != nil || len(notices) != round+1 || notices[round].Kind != lims.Stalled {
			t.Fatalf("afterwards: %v, %v", err, notices)
		}
	}
}

// The session is set up as the README says, once at its beginning and again after each reset, and every
// statement that reads rows asks for one processor. The login names the application and not more than was asked for.
func TestSQLServerSession(t *testing.T) {
	w := newWire(t, tdstest.Options{})
	w.results(t, nil)
	w.exec(t, "INSERT INTO base_results (row_id, changed_at, status) VALUES (1, '2026-11-01', 'A')")
	w.Forget()
	for _, intent := range []bool{false, true} {
		r := w.reader(t, func(o *lims.Options) { o.LockTimeout = 1500 * time.Millisecond; o.ReadOnlyIntent = intent })
		if _, _, err := pollAll(t, r, lims.Cursor{}, 0); err != nil {
			t.Fatal(err)
		}
		if err := r.Unstamped(t.Context(), lims.Results, func([]lims.Row) error { return nil }); err != nil {
			t.Fatal(err)
		}
		known := r.Statements()
		const setup = "SET LOCK_TIMEOUT 1500; SET DEADLOCK_PRIORITY LOW; SET TRANSACTION ISOLATION LEVEL READ COMMITTED"
		for i, st := range w.Statements() {
			if (st.Text == setup) != (i%2 == 0) || st.Reset != (i%2 == 0) {
				t.Errorf("statement %d, reset %v: %s", i, st.Reset, st.Text)
			}
			if st.Text != setup && !slices.Contains(known, st.Text) {
				t.Errorf("not told by Statements:\n%s", st.Text)
			}
			if strings.Contains(st.Text, "FROM") && !strings.HasSuffix(st.Text, "WHERE 1 = 0") && !strings.HasSuffix(st.Text, "\nOPTION (MAXDOP 1)") {
				t.Errorf("not on one processor:\n%s", st.Text)
			}
		}
		logins := w.Logins()
		if len(logins) != 1 || logins[0].App != "limsbridge lab 7" || logins[0].Database != "LIMS" || logins[0].ReadOnlyIntent != intent || !logins[0].Encrypted || logins[0].TLS != tls.VersionTLS12 {
			t.Errorf("logins: %+v", logins)
		}
		w.Forget()
	}
}

// Encryption is as it was asked for: verified, unverified, pinned, or for the login only. What cannot be had
// is a failure, never less encryption.
func TestSQLServerEncryption(t *testing.T) {
	for _, test := range []struct {
		name      string
		server    tdstest.Encryption
		change    func(w wire, o *lims.Options)
		encrypted bool
		tls       bool
		fails     string
	}{
		{"verified", tdstest.EncryptOn, func(wire, *lims.Options) {}, true, true, ""},
		{"verified, server leaves it to the client", tdstest.EncryptLogin, func(wire, *lims.Options) {}, true, true, ""},
		{"unverified", tdstest.EncryptLogin, func(_ wire, o *lims.Options) { o.Encrypt, o.CAFile = lims.EncryptUnverified, "" }, true, true, ""},
		{"off", tdstest.EncryptLogin, func(_ wire, o *lims.Options) { o.Encrypt, o.CAFile = lims.EncryptOff, "" }, false, true, ""},
		{"off, but the server insists", tdstest.EncryptOn, func(_ wire, o *lims.Options) { o.Encrypt, o.CAFile = lims.EncryptOff, "" }, true, true, ""},
		{"off, and the server has none", tdstest.EncryptNever, func(_ wire, o *lims.Options) { o.Encrypt, o.CAFile = lims.EncryptOff, "" }, false, false, ""},
		{"verified, and the server has none", tdstest.EncryptNever, func(wire, *lims.Options) {}, false, false, "offers no encryption"},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := newWire(t, tdstest.Options{Encryption: test.server})
			w.Forget()
			asked := false // for more than the login to be encrypted
			r := w.reader(t, func(o *lims.Options) { test.change(w, o); asked = o.Encrypt != lims.EncryptOff })
			_, err := r.Now(t.Context())
			if told := strings.HasPrefix(r.Negotiated(), "TLS 1."); told != (asked && test.fails == "") {
				t.Errorf("it negotiated %q", r.Negotiated())
			}
			if test.fails != "" {
				if err == nil || !strings.Contains(err.Error(), test.fails) || len(w.Logins()) != 0 {
					t.Errorf("got %v, logins %+v", err, w.Logins())
				}
				return
			}
			if l := w.Logins(); err != nil || len(l) != 1 || l[0].Encrypted != test.encrypted || (l[0].TLS != 0) != test.tls {
				t.Errorf("%v, logins %+v", err, l)
			}
		})
	}
}

// Each failure of a SQL Server ends in a message that names the cause and the next step, never the password, and
// the same reader works at its next call once the cause is gone.
func TestSQLServerFailuresAreToldAndOver(t *testing.T) {
	fail := func(number int32, class byte, message string) tdstest.Fault {
		return tdstest.Fault{At: tdstest.AtStatement, Statement: "AS lb", Do: tdstest.Fail, Error: tdstest.Error{Number: number, Class: class, Message: message}}
	}
	later := func(f tdstest.Fault) tdstest.Fault { f.Rows = 1; f.Statement = "TOP"; return f }
	tests := []struct {
		name   string
		fault  tdstest.Fault
		change func(w wire, o *lims.Options) (over func())
		kind   string
		words  []string
	}{
		{"wrong password", tdstest.Fault{}, func(_ wire, o *lims.Options) func() {
			right := o.Password
			o.Password = func() (string, error) { return sentinel, nil }
			o.Password = switched(&right, o.Password)
			return func() { right = nil }
		}, misfit, []string{"login failed", "limsbridge_ro", "18456", "password"}},
		{"no such database", tdstest.Fault{}, func(w wire, o *lims.Options) func() {
			o.Database = "LABWARE"
			return func() { w.exec(t, "CREATE DATABASE LABWARE"); w.moved(t, "LABWARE") }
		}, unavailable, []string{"4060", "check database"}},
		{"no such table", tdstest.Fault{}, func(w wire, _ *lims.Options) func() {
			w.exec(t, "DROP VIEW results")
			return func() { w.view(t) }
		}, misfit, []string{"results", "Invalid object name 'results'", "208", "create the view"}},
		{"no such column in the SELECT", tdstest.Fault{}, func(w wire, o *lims.Options) func() {
			o.Results = lims.Query{SQL: "SELECT row_id, changed_at, requisition_id, order_code, result_code, value, status, units AS unit FROM results"}
			return func() { w.exec(t, "CREATE OR ALTER VIEW results AS SELECT *, 'x' AS units FROM base_results") }
		}, misfit, []string{"results", "Invalid column name 'units'", "207", "check the SELECT"}},
		{"missing column", tdstest.Fault{}, func(w wire, _ *lims.Options) func() {
			w.exec(t, "CREATE OR ALTER VIEW results AS SELECT row_id, changed_at, requisition_id, order_code, result_code, value, status AS state FROM base_results")
			return func() { w.view(t) }
		}, misfit, []string{"results", "missing column status", "the source has row_id, changed_at", "rename it with AS"}},
		{"no right", tdstest.Fault{}, func(w wire, _ *lims.Options) func() {
			w.Deny("results")
			return func() { w.Grant("results") }
		}, misfit, []string{"results", "SELECT permission was denied", "229", "GRANT SELECT"}},
		{"two columns of one name", tdstest.Fault{}, func(w wire, o *lims.Options) func() {
			o.Results = lims.Query{SQL: "SELECT b.*, b.status AS Status FROM base_results AS b"}
			return nil
		}, misfit, []string{"results", "tatus", "8156", "AS"}},
		{"a query that cannot be a derived table", fail(1033, 15, "The ORDER BY clause is invalid in views, inline functions, derived tables, subqueries, and common table expressions."), nil,
			misfit, []string{"results", "1033", "put the SELECT into a view"}},
		{"no right, told twice", tdstest.Fault{At: tdstest.AtStatement, Statement: "AS lb", Do: tdstest.Fail,
			Before: &tdstest.Error{Number: 300, Class: 14, Message: "VIEW SERVER STATE permission was denied on object 'server', database 'master'."},
			Error:  tdstest.Error{Number: 297, Class: 16, Message: "The user does not have permission to perform this action."}}, nil,
			misfit, []string{"results", "VIEW SERVER STATE", "300"}},
		{"a row on which the SELECT fails", later(fail(245, 16, "Conversion failed when converting the varchar value '"+sentinel+"' to data type int.")), nil,
			misfit, []string{"results", "245", "not shown"}},
		{"a lock", fail(1222, 16, "Lock request time out period exceeded."), nil, busy, []string{"results", "lock", "next pass"}},
		{"a lock in mid-query", later(fail(1222, 16, "Lock request time out period exceeded.")), nil, busy, []string{"results", "lock", "next pass"}},
		{"a deadlock", fail(1205, 13, "Transaction (Process ID 53) was deadlocked on lock resources with another process and has been chosen as the deadlock victim. Rerun the transaction."), nil,
			busy, []string{"results", "deadlock", "next pass"}},
		{"an error that ends the connection", fail(824, 24, "SQL Server detected a logical consistency-based I/O error"), nil, unavailable, []string{"results", "824", "ended the connection"}},
		{"the server gone before the answer", tdstest.Fault{At: tdstest.AtStatement, Statement: "AS lb", Do: tdstest.Close}, nil, unavailable, []string{"connection to 127.0.0.1 port", "broke"}},
		{"the server gone in mid-query", tdstest.Fault{At: tdstest.AtStatement, Statement: "TOP", Do: tdstest.Close, Rows: 1}, nil, unavailable, []string{"connection to 127.0.0.1 port", "broke"}},
		{"the server gone at the login", tdstest.Fault{At: tdstest.AtLogin, Do: tdstest.Close}, nil, unavailable, []string{"connection to 127.0.0.1 port", "broke"}},
		{"the server gone at once", tdstest.Fault{At: tdstest.AtAccept, Do: tdstest.Close}, nil, unavailable, []string{"connection to 127.0.0.1 port", "broke"}},
		{"an end in the TLS handshake", tdstest.Fault{At: tdstest.AtHandshake, Do: tdstest.Close}, nil, unavailable, []string{"TLS handshake", "SHA-1", "tls_min", "encrypt: off"}},
		{"the session cannot be set up", tdstest.Fault{At: tdstest.AtStatement, Statement: "SET LOCK_TIMEOUT", Do: tdstest.Close}, nil, unavailable, []string{"connection to 127.0.0.1 port", "broke"}},
		{"the session is not set up", tdstest.Fault{At: tdstest.AtStatement, Statement: "SET LOCK_TIMEOUT", Do: tdstest.Fail, Error: tdstest.Error{Number: 50000, Class: 16, Message: "no"}}, nil,
			unavailable, []string{"connection to 127.0.0.1 port", "broke"}},
		{"a hung query", tdstest.Fault{At: tdstest.AtStatement, Statement: "TOP", Do: tdstest.Hang}, func(_ wire, o *lims.Options) func() { o.QueryTimeout = 3 * time.Second; return nil },
			busy, []string{"results", "longer than the query time limit"}},
		{"a query that hangs in mid-row", tdstest.Fault{At: tdstest.AtStatement, Statement: "TOP", Do: tdstest.Hang, Rows: 1}, func(_ wire, o *lims.Options) func() { o.QueryTimeout = 3 * time.Second; return nil },
			busy, []string{"results", "longer than the query time limit"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			w := newWire(t, tdstest.Options{})
			w.results(t, nil)
			w.exec(t, "INSERT INTO base_results (row_id, changed_at, value, status) VALUES (1, '2026-11-01', '"+sentinel+"', 'A'), (2, '2026-11-01', '5.40', 'A')")
			o := w.options()
			o.Results = lims.Query{View: "results"}
			over := func() {}
			if test.change != nil {
				if f := test.change(w, &o); f != nil {
					over = f
				}
			}
			if test.fault.At != 0 {
				over = w.Inject(test.fault)
			}
			r, err := lims.Open(o)
			if err != nil {
				t.Fatal(err)
			}
			defer r.Close()
			for range map[bool]int{false: 2, true: 1}[test.fault.Do == tdstest.Hang] { // also the second time
				_, _, err = pollAll(t, r, lims.Cursor{}, 0)
				if kindOf(err) != test.kind {
					t.Errorf("got %s, want %s: %v", kindOf(err), test.kind, err)
				}
				told(t, err, test.words)
			}
			over()
			if test.name == "two columns of one name" {
				return // the SELECT itself must be mended
			}
			if rows, _, err := pollAll(t, r, lims.Cursor{}, 0); err != nil || len(rows) != 2 {
				t.Errorf("afterwards: %s, %v", ids(rows), err)
			}
			if n := w.AwaitConnections(t.Context(), w.Reader.User, 1); n != 1 {
				t.Errorf("%d connections are open, want one", n)
			}
		})
	}
}

// What a poll ends with.
const misfit, unavailable, busy = "Misfit", "Unavailable", "Busy"

// kindOf names the kind of an error.
func kindOf(err error) string {
	var m *lims.Misfit
	var u *lims.Unavailable
	var b *lims.Busy
	switch {
	case errors.As(err, &m):
		return misfit
	case errors.As(err, &u):
		return unavailable
	case errors.As(err, &b):
		return busy
	}
	return fmt.Sprintf("%T", err)
}

// told checks an error for people.
func told(t *testing.T, err error, words []string) {
	t.Helper()
	for _, word := range words {
		if err == nil || !strings.Contains(err.Error(), word) {
			t.Errorf("%q is not said in: %v", word, err)
		}
	}
	for e := err; e != nil; e = errors.Unwrap(e) {
		if text := fmt.Sprintf("%v %+v %#v", e, e, e); strings.Contains(text, sentinel) || strings.Contains(text, "Passw0rd") {
			t.Errorf("the password or a value is shown: %v", e)
		}
	}
}

// switched returns the wrong password until the right one is switched to.
func switched(right *func() (string, error), wrong func() (string, error)) func() (string, error) {
	first := *right
	return func() (string, error) {
		if *right == nil {
			return first()
		}
		return wrong()
	}
}

// view makes the view of results anew.
func (w wire) view(t *testing.T) {
	t.Helper()
	w.exec(t, "CREATE OR ALTER VIEW results AS SELECT row_id, changed_at, requisition_id, order_code, result_code, value, unit, status FROM base_results")
}

// moved gives another database the table and two rows.
func (w wire) moved(t *testing.T, database string) {
	t.Helper()
	other := wire{w.Server, w.Open(t, database)}
	other.results(t, nil)
	other.exec(t, "INSERT INTO base_results (row_id, changed_at, status) VALUES (1, '2026-11-01', 'A'), (2, '2026-11-01', 'A')")
}

// What is wrong with a certificate is said in words, and once it is mended the same reader works.
func TestSQLServerCertificates(t *testing.T) {
	authority, err := tdstest.NewAuthority("the lab's own authority")
	if err != nil {
		t.Fatal(err)
	}
	ca := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(ca, authority.PEM, 0o600); err != nil {
		t.Fatal(err)
	}
	certificate := func(until time.Duration, names ...string) tls.Certificate {
		c, err := authority.Certificate(time.Now().Add(until), names...)
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	negative, err := tdstest.NegativeSerial()
	if err != nil {
		t.Fatal(err)
	}
	good := certificate(time.Hour)
	for _, test := range []struct {
		name   string
		server *tls.Config
		change func(o *lims.Options)
		kind   string // "": it works
		words  []string
	}{
		{"an authority that nobody knows", &tls.Config{Certificates: []tls.Certificate{good}}, func(o *lims.Options) { o.CAFile = "" }, misfit, []string{"the lab's own authority", "not trusted", "ca_file"}},
		{"expired", &tls.Config{Certificates: []tls.Certificate{certificate(-time.Hour)}}, nil, misfit, []string{"not valid now", "expired", "renewed"}},
		{"another name", &tls.Config{Certificates: []tls.Certificate{certificate(time.Hour, "sql01.lab.example")}}, nil, misfit, []string{"another name", "sql01.lab.example", "write that name"}},
		{"another name, but unverified", &tls.Config{Certificates: []tls.Certificate{certificate(time.Hour, "sql01.lab.example")}}, func(o *lims.Options) { o.Encrypt, o.CAFile = lims.EncryptUnverified, "" }, "", nil},
		{"the name that is expected", &tls.Config{Certificates: []tls.Certificate{certificate(time.Hour, "sql01.lab.example")}}, func(o *lims.Options) { o.ServerName = "sql01.lab.example" }, "", nil},
		{"negative serial number", &tls.Config{Certificates: []tls.Certificate{negative}}, nil, misfit, []string{"negative serial number", "certificate of the company", "encrypt: off"}},
		{"negative serial number, unverified", &tls.Config{Certificates: []tls.Certificate{negative}}, func(o *lims.Options) { o.Encrypt, o.CAFile = lims.EncryptUnverified, "" }, misfit, []string{"negative serial number"}},
		{"TLS 1.0 only", &tls.Config{Certificates: []tls.Certificate{good}, MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS10}, nil, misfit, []string{"TLS handshake", "no TLS version that is allowed", "tls_min"}},
		{"TLS 1.1 only, allowed", &tls.Config{Certificates: []tls.Certificate{good}, MinVersion: tls.VersionTLS11, MaxVersion: tls.VersionTLS11}, func(o *lims.Options) { o.TLSMin = "1.1" }, "", nil},
		{"TLS 1.3 asked for", &tls.Config{Certificates: []tls.Certificate{good}, MaxVersion: tls.VersionTLS12}, func(o *lims.Options) { o.TLSMin = "1.3" }, misfit, []string{"TLS handshake", "no TLS version that is allowed", "tls_min"}},
		{"no way of encryption in common", &tls.Config{Certificates: []tls.Certificate{good}, MaxVersion: tls.VersionTLS12, CipherSuites: []uint16{tls.TLS_RSA_WITH_RC4_128_SHA}}, nil, unavailable, []string{"TLS handshake"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			config := test.server.Clone()
			w := wire{Server: tdstest.Start(t, tdstest.Options{TLS: &tls.Config{GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) { return config, nil }}})}
			r := w.reader(t, func(o *lims.Options) {
				o.CAFile, o.Database = ca, "master"
				if test.change != nil {
					test.change(o)
				}
			})
			_, err := r.Now(t.Context())
			if test.kind == "" {
				if err != nil {
					t.Error(err)
				}
				return
			}
			if kindOf(err) != test.kind {
				t.Errorf("got %s, want %s: %v", kindOf(err), test.kind, err)
			}
			told(t, err, test.words)
		})
	}
}

// The listener of an availability group sends readers on to a secondary, which must prove its own name.
func TestSQLServerRouting(t *testing.T) {
	authority, err := tdstest.NewAuthority("the lab's own authority")
	if err != nil {
		t.Fatal(err)
	}
	ca := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(ca, authority.PEM, 0o600); err != nil {
		t.Fatal(err)
	}
	server := func(names ...string) *tdstest.Server {
		t.Helper()
		c, err := authority.Certificate(time.Now().Add(time.Hour), names...)
		if err != nil {
			t.Fatal(err)
		}
		return tdstest.Start(t, tdstest.Options{TLS: &tls.Config{Certificates: []tls.Certificate{c}, MaxVersion: tls.VersionTLS12}})
	}
	for name, tells := range map[string]string{"localhost": "", "sql02.lab.example": "another name (sql02.lab.example)"} {
		listener, secondary := server(), server(name)
		listener.Route("localhost", secondary.Port)
		r := wire{Server: listener}.reader(t, func(o *lims.Options) {
			o.CAFile, o.Database, o.ReadOnlyIntent = ca, "master", true
		})
		_, err := r.Now(t.Context())
		if (err == nil) != (tells == "") || err != nil && !strings.Contains(err.Error(), tells) {
			t.Errorf("%s: got %v", name, err)
		}
		if err == nil && len(secondary.Statements()) == 0 {
			t.Errorf("%s: the secondary was not asked", name)
		}
	}
}

// A server that says nothing, at whichever step and however often, neither holds the reader beyond its time nor
// keeps it from working once it answers again.
func TestSQLServerHangs(t *testing.T) {
	if testing.Short() {
		t.Skip("waits in real time for the driver to give up")
	}
	for _, test := range []struct {
		name  string
		fault tdstest.Fault
		times int // more often than statements may hang at the same time; where the driver waits for five seconds, once
		words []string
	}{
		{"after the connection", tdstest.Fault{At: tdstest.AtAccept, Do: tdstest.Hang}, 4, []string{"did not finish the login", "firewall"}},
		{"in the TLS handshake", tdstest.Fault{At: tdstest.AtHandshake, Do: tdstest.Hang}, 4, []string{"did not finish the login", "firewall"}},
		{"at the login", tdstest.Fault{At: tdstest.AtLogin, Do: tdstest.Hang}, 4, []string{"did not finish the login", "firewall"}},
		{"when the session is set up", tdstest.Fault{At: tdstest.AtStatement, Statement: "SET ", Do: tdstest.HangDeaf}, 4, []string{"did not finish the login"}},
		{"before the answer", tdstest.Fault{At: tdstest.AtStatement, Statement: "TOP", Do: tdstest.HangDeaf}, 1, nil},
		{"in mid-row", tdstest.Fault{At: tdstest.AtStatement, Statement: "TOP", Do: tdstest.HangDeaf, Rows: 1}, 1, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			w := newWire(t, tdstest.Options{})
			w.results(t, nil)
			w.exec(t, "INSERT INTO base_results (row_id, changed_at, status) VALUES (1, '2026-11-01', 'A'), (2, '2026-11-01', 'A')")
			r := w.reader(t, func(o *lims.Options) { o.QueryTimeout = 500 * time.Millisecond })
			over := w.Inject(test.fault)
			for range test.times {
				_, _, err := pollAll(t, r, lims.Cursor{}, 0)
				if k := kindOf(err); k != unavailable && k != busy {
					t.Errorf("got %s: %v", k, err)
				}
				told(t, err, test.words)
			}
			over()
			// At its next call; a machine under load may need several to keep the short time limit.
			rows, _, err := pollAll(t, r, lims.Cursor{}, 0)
			for tries := 0; tries < 20 && err != nil; tries++ {
				rows, _, err = pollAll(t, r, lims.Cursor{}, 0)
			}
			if err != nil || len(rows) != 2 {
				t.Errorf("afterwards: %s, %v", ids(rows), err)
			}
		})
	}
}

// A connection whose session cannot be set up is closed, and not left to the garbage collector.
func TestSQLServerClosesWhatItCannotUse(t *testing.T) {
	w := newWire(t, tdstest.Options{})
	defer debug.SetGCPercent(debug.SetGCPercent(-1))
	w.Inject(tdstest.Fault{At: tdstest.AtStatement, Statement: "SET LOCK_TIMEOUT", Do: tdstest.Fail, Error: tdstest.Error{Number: 50000, Class: 16, Message: "no"}})
	if _, err := w.reader(t, nil).Now(t.Context()); err == nil || len(w.Logins()) == 0 {
		t.Errorf("got %v after %d logins", err, len(w.Logins()))
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if n := w.AwaitConnections(ctx, w.Reader.User, 0); n != 0 {
		t.Errorf("%d connections are open", n)
	}
}
