package lims_test

import (
	"context"
	"crypto/tls"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"limsbridge/lims"
	"limsbridge/lims/oratest"
	"limsbridge/lims/tdstest"
)

// oracleWire is a scripted Oracle Database with an empty view of results.
type oracleWire struct{ *oratest.Server }

func newOracleWire(t *testing.T, o oratest.Options) oracleWire {
	t.Helper()
	w := oracleWire{oratest.Start(t, o)}
	w.view(t, "results", nil)
	return w
}

// view makes a view of results with these types of its columns, where they are other than usual.
func (w oracleWire) view(t *testing.T, name string, types map[string]string) {
	t.Helper()
	var columns []oratest.Column
	for _, c := range [][2]string{{"row_id", "NUMBER(19)"}, {"changed_at", "TIMESTAMP(6)"}, {"requisition_id", "RAW(16)"}, {"order_code", "VARCHAR2(64 CHAR)"},
		{"result_code", "CHAR(8)"}, {"value", "VARCHAR2(200)"}, {"unit", "NVARCHAR2(32)"}, {"status", "VARCHAR2(64)"}} {
		text := c[1]
		if other, ok := types[c[0]]; ok {
			text = other
		}
		typ, err := oratest.ParseType(text)
		if err != nil {
			t.Fatal(err)
		}
		columns = append(columns, oratest.Column{Name: c[0], Type: typ})
	}
	w.Drop(name)
	if err := w.Create(name, columns...); err != nil {
		t.Fatal(err)
	}
}

func (w oracleWire) insert(t *testing.T, columns []string, rows ...[]any) {
	t.Helper()
	if err := w.Insert("results", columns, rows...); err != nil {
		t.Fatal(err)
	}
}

// options are how a reader reaches the server.
func (w oracleWire) options() lims.Options {
	return lims.Options{Type: lims.Oracle, Server: w.Host, Port: w.Port, Database: oratest.Service, User: w.Reader.User,
		Password: func() (string, error) { return w.Reader.Password, nil }, Encrypt: lims.EncryptOff, AppName: "limsbridge lab 7",
		Orders: lims.Query{View: "orders"}, Results: lims.Query{View: "results"}}
}

func (w oracleWire) reader(t *testing.T, change func(*lims.Options)) *lims.Reader {
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

// The real driver at a listener that refuses, hangs, hangs up, or is not there. No error shows the password.
func TestOracleListener(t *testing.T) {
	refuse := func(code int) oratest.Fault {
		return oratest.Fault{At: oratest.AtConnect, Do: oratest.Fail, Error: oratest.Error{Code: code}}
	}
	impatient := func(o *lims.Options) { o.QueryTimeout = 200 * time.Millisecond }
	for _, test := range []struct {
		name   string
		fault  oratest.Fault
		change func(*lims.Options)
		kind   string
		words  []string
	}{
		{"the service is unknown", oratest.Fault{}, func(o *lims.Options) { o.Database = "LABWARE.example.org" }, misfit, []string{"ORA-12514", "check database"}},
		{"the SID is unknown", refuse(12505), func(o *lims.Options) { o.Database, o.SID = "", "LIMS" }, misfit, []string{"ORA-12505", "check sid"}},
		{"an ACL", refuse(12506), nil, misfit, []string{"ORA-12506", "ACL"}},
		{"the instance starts", refuse(12528), nil, unavailable, []string{"ORA-12528"}},
		{"no native encryption to be agreed on", refuse(12660), func(o *lims.Options) { o.Encrypt = lims.EncryptNative }, misfit, []string{"SQLNET.ENCRYPTION_SERVER"}},
		{"native encryption was agreed on, and is not there", oratest.Fault{}, func(o *lims.Options) { o.Encrypt = lims.EncryptNative }, misfit, []string{"did not encrypt"}},
		{"it says nothing", oratest.Fault{At: oratest.AtAccept, Do: oratest.Hang}, impatient, unavailable, []string{"let nobody in", "firewall"}},
		{"it says nothing when it is asked", oratest.Fault{At: oratest.AtConnect, Do: oratest.Hang}, impatient, unavailable, []string{"let nobody in", "firewall"}},
		{"it says nothing of the login", oratest.Fault{At: oratest.AtLogin, Do: oratest.Hang}, impatient, unavailable, []string{"let nobody in", "firewall"}},
		{"it hangs up", oratest.Fault{At: oratest.AtAccept, Do: oratest.Close}, nil, unavailable, []string{"broke"}},
		{"it hangs up when it is asked", oratest.Fault{At: oratest.AtConnect, Do: oratest.Close}, nil, unavailable, []string{"broke"}},
		{"nobody listens", oratest.Fault{}, func(o *lims.Options) { o.Port = 1 }, unavailable, []string{"port 1"}},
		{"TLS where there is none", oratest.Fault{At: oratest.AtAccept, Do: oratest.Close}, func(o *lims.Options) { o.Encrypt = lims.EncryptVerified }, unavailable, []string{"TCPS", "encrypt: native"}},
		{"TLS where the listener waits for more", oratest.Fault{At: oratest.AtAccept, Do: oratest.Hang}, func(o *lims.Options) { o.Encrypt, o.QueryTimeout = lims.EncryptVerified, 200*time.Millisecond }, unavailable, []string{"TCPS"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := newOracleWire(t, oratest.Options{Reader: oratest.Account{User: "limsbridge_ro", Password: sentinel}})
			over := func() {}
			if test.fault.At != 0 {
				over = w.Inject(test.fault)
			}
			r := w.reader(t, test.change)
			_, err := r.Now(t.Context())
			if kindOf(err) != test.kind {
				t.Errorf("got %s, want %s: %v", kindOf(err), test.kind, err)
			}
			told(t, err, test.words)
			for _, asked := range w.Asked() {
				if !strings.Contains(asked, "(PROGRAM=limsbridge lab 7)") || strings.Contains(asked, sentinel) {
					t.Errorf("it was asked with %q", asked)
				}
			}
			over()
			if test.change == nil { // nothing of the options was wrong
				if _, err := r.Now(t.Context()); err != nil {
					t.Errorf("afterwards: %v", err)
				}
			}
		})
	}
}

// What is wrong with a certificate is said in words, and right ones are read through.
func TestOracleCertificates(t *testing.T) {
	authority, err := tdstest.NewAuthority("the lab's own authority")
	if err != nil {
		t.Fatal(err)
	}
	ca := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(ca, authority.PEM, 0o600); err != nil {
		t.Fatal(err)
	}
	serve := func(until time.Duration, names ...string) *tls.Config {
		c, err := authority.Certificate(time.Now().Add(until), names...)
		if err != nil {
			t.Fatal(err)
		}
		return &tls.Config{Certificates: []tls.Certificate{c}, MinVersion: tls.VersionTLS10} // old on purpose
	}
	verified := func(o *lims.Options) { o.Encrypt, o.CAFile = lims.EncryptVerified, ca }
	own, strange := serve(time.Hour, "x"), serve(time.Hour, "x")
	file := filepath.Join(t.TempDir(), "server.pem")
	if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: own.Certificates[0].Certificate[0]}), 0o600); err != nil {
		t.Fatal(err)
	}
	pinned := func(o *lims.Options) { o.Encrypt, o.CertFile = lims.EncryptVerified, file }
	old := serve(time.Hour)
	old.MaxVersion = tls.VersionTLS11
	for _, test := range []struct {
		name   string
		server *tls.Config
		change func(*lims.Options)
		words  []string // nil: it works
	}{
		{"verified", serve(time.Hour), verified, nil},
		{"for another name, which is written", serve(time.Hour, "lims01.example.org"), func(o *lims.Options) { verified(o); o.ServerName = "lims01.example.org" }, nil},
		{"pinned, whatever its name", own, pinned, nil},
		{"another one than the pinned one", strange, pinned, []string{"not the one in"}},
		{"unverified", serve(-time.Hour, "x"), func(o *lims.Options) { o.Encrypt = lims.EncryptUnverified }, nil},
		{"old TLS where it is allowed", old, func(o *lims.Options) { verified(o); o.TLSMin = "1.0" }, nil},
		{"for another name", serve(time.Hour, "lims01.example.org"), verified, []string{"for another name (lims01.example.org)"}},
		{"of an authority that nobody knows", serve(time.Hour), func(o *lims.Options) { verified(o); o.CAFile = "" }, []string{"is not trusted", "ca_file"}},
		{"expired", serve(-time.Hour), verified, []string{"not valid now", "renewed"}},
		{"TLS too old", old, verified, []string{"no TLS version that is allowed here", "tls_min"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := newOracleWire(t, oratest.Options{TLS: test.server})
			_, err := w.reader(t, test.change).Now(t.Context())
			if test.words == nil {
				if l := w.Logins(); err != nil || len(l) != 1 || l[0].TLS == 0 {
					t.Errorf("%v, logins %+v", err, l)
				}
				return
			}
			if kindOf(err) != misfit || len(w.Logins()) > 0 {
				t.Errorf("got %s: %v, logins %+v", kindOf(err), err, w.Logins())
			}
			told(t, err, test.words)
		})
	}
}

// Once the DBA has renewed an expired certificate, the same reader goes on.
func TestOracleCertificateIsRenewed(t *testing.T) {
	authority, err := tdstest.NewAuthority("the lab's own authority")
	if err != nil {
		t.Fatal(err)
	}
	ca := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(ca, authority.PEM, 0o600); err != nil {
		t.Fatal(err)
	}
	var shown atomic.Pointer[tls.Certificate]
	show := func(until time.Duration) {
		c, err := authority.Certificate(time.Now().Add(until))
		if err != nil {
			t.Fatal(err)
		}
		shown.Store(&c)
	}
	show(-time.Hour)
	w := newOracleWire(t, oratest.Options{TLS: &tls.Config{MinVersion: tls.VersionTLS12,
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return shown.Load(), nil }}})
	r := w.reader(t, func(o *lims.Options) { o.Encrypt, o.CAFile = lims.EncryptVerified, ca })
	_, err = r.Now(t.Context())
	told(t, err, []string{"not valid now", "renewed"})
	show(time.Hour)
	if _, err := r.Now(t.Context()); err != nil {
		t.Errorf("after it was renewed: %v", err)
	}
}

// Each failure of an Oracle Database ends in a message that names the cause and the next step, never the password, and
// the same reader works at its next call once the cause is gone.
func TestOracleFailuresAreToldAndOver(t *testing.T) {
	at := func(step oratest.Step, code int, message string) oratest.Fault {
		return oratest.Fault{At: step, Do: oratest.Fail, Error: oratest.Error{Code: code, Message: message}}
	}
	fail := func(code int, message string) oratest.Fault {
		f := at(oratest.AtStatement, code, message)
		f.Statement = ") lb"
		return f
	}
	later := func(f oratest.Fault) oratest.Fault { f.Rows = 1; f.Statement = "FETCH FIRST"; return f }
	ends := func(f oratest.Fault) oratest.Fault { f.Error.Ends = true; return f }
	tests := []struct {
		name   string
		fault  oratest.Fault
		change func(t *testing.T, w oracleWire, o *lims.Options) (over func())
		kind   string
		words  []string
	}{
		{"wrong password", oratest.Fault{}, func(_ *testing.T, _ oracleWire, o *lims.Options) func() {
			right := o.Password
			o.Password = switched(&right, func() (string, error) { return sentinel, nil })
			return func() { right = nil }
		}, misfit, []string{"login failed", "ORA-01017", "check user and password"}},
		{"no such account", oratest.Fault{}, func(_ *testing.T, _ oracleWire, o *lims.Options) func() { o.User = "limsbridge_nobody"; return nil },
			misfit, []string{"login failed", "ORA-01017", "check user and password"}},
		{"a locked account", at(oratest.AtLogin, 28000, "The account is locked."), nil, misfit, []string{"login failed", "ORA-28000", "ACCOUNT UNLOCK"}},
		{"an expired password", at(oratest.AtLogin, 28001, "the password has expired"), nil, misfit, []string{"login failed", "ORA-28001", "has expired"}},
		{"no right to log in", at(oratest.AtLogin, 1045, "user LIMSBRIDGE_RO lacks CREATE SESSION privilege; logon denied"), nil, misfit, []string{"ORA-01045", "GRANT CREATE SESSION"}},
		{"too many sessions", at(oratest.AtLogin, 18, "maximum number of sessions exceeded"), nil, unavailable, []string{"ORA-00018", "does not serve now"}},
		{"an instance that starts", at(oratest.AtLogin, 1033, "ORACLE initialization or shutdown in progress"), nil, unavailable, []string{"ORA-01033", "does not serve now"}},
		{"no such view", oratest.Fault{}, func(t *testing.T, w oracleWire, _ *lims.Options) func() {
			w.Drop("results")
			return func() { w.view(t, "results", nil); w.two(t) }
		}, misfit, []string{"results", "table or view does not exist", "ORA-00942", "GRANT READ"}},
		{"no right", oratest.Fault{}, func(_ *testing.T, w oracleWire, _ *lims.Options) func() {
			w.Deny("results")
			return func() { w.Grant("results") }
		}, misfit, []string{"results", "ORA-00942", "GRANT READ"}},
		{"no right of the view's owner", fail(1031, "insufficient privileges"), nil, misfit, []string{"results", "ORA-01031", "WITH GRANT OPTION"}},
		{"a view that does not compile", fail(4063, `view "WHOOP.RESULTS" has errors`), nil, misfit, []string{"results", `view "WHOOP.RESULTS" has errors`, "COMPILE"}},
		{"a missing column", oratest.Fault{}, func(t *testing.T, w oracleWire, _ *lims.Options) func() {
			must(t, w.RenameColumn("results", "status", "state"))
			return func() { must(t, w.RenameColumn("results", "state", "status")) }
		}, misfit, []string{"results", "missing column status", "the source has ROW_ID, CHANGED_AT", "rename it with AS"}},
		{"an old server", fail(933, "SQL command not properly ended"), nil, misfit, []string{"results", "ORA-00933", "12.1"}},
		{"a row on which the view fails", later(fail(1722, "invalid number '"+sentinel+"'")), nil, misfit, []string{"results", "ORA-01722", "not shown"}},
		{"a lock", fail(54, "resource busy and acquire with NOWAIT specified or timeout expired"), nil, busy, []string{"results", "lock", "next pass"}},
		{"a deadlock", fail(60, "deadlock detected while waiting for resource"), nil, busy, []string{"results", "deadlock", "next pass"}},
		{"a deadlock in mid-query", later(fail(60, "deadlock detected while waiting for resource")), nil, busy, []string{"results", "deadlock", "next pass"}},
		{"a snapshot too old", later(fail(1555, "snapshot too old: rollback segment number  with name \"\" too small")), nil, busy, []string{"results", "ORA-01555", "index on changed_at"}},
		{"the profile's limit", later(fail(2393, "exceeded call limit on CPU usage")), nil, busy, []string{"results", "ORA-02393", "profile"}},
		{"a session that a DBA killed", ends(fail(28, "your session has been killed")), nil, unavailable, []string{"connection to 127.0.0.1 port", "broke"}},
		{"a shutdown", ends(fail(1092, "ORACLE instance terminated. Disconnection forced")), nil, unavailable, []string{"results", "ORA-01092", "does not serve now"}},
		{"the server gone before the answer", oratest.Fault{At: oratest.AtStatement, Statement: ") lb", Do: oratest.Close}, nil, unavailable, []string{"connection to 127.0.0.1 port", "broke"}},
		{"the server gone in mid-row", oratest.Fault{At: oratest.AtStatement, Statement: "FETCH FIRST", Do: oratest.Close, Rows: 1}, nil, unavailable, []string{"connection to 127.0.0.1 port", "broke"}},
		{"the server gone at the login", oratest.Fault{At: oratest.AtLogin, Do: oratest.Close}, nil, unavailable, []string{"connection to 127.0.0.1 port", "broke"}},
		{"the session cannot be set up", oratest.Fault{At: oratest.AtStatement, Statement: "ALTER SESSION", Do: oratest.Close}, nil, unavailable, []string{"connection to 127.0.0.1 port", "broke"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			w := newOracleWire(t, oratest.Options{})
			w.two(t)
			o := w.options()
			over := func() {}
			if test.change != nil {
				over = test.change(t, w, &o)
			}
			if test.fault.At != 0 {
				over = w.Inject(test.fault)
			}
			r, err := lims.Open(o)
			if err != nil {
				t.Fatal(err)
			}
			defer r.Close()
			for range 2 { // also the second time
				_, _, err = pollAll(t, r, lims.Cursor{}, 0)
				if kindOf(err) != test.kind {
					t.Errorf("got %s, want %s: %v", kindOf(err), test.kind, err)
				}
				told(t, err, test.words)
			}
			if over == nil {
				return // the options must be mended
			}
			over()
			if rows, _, err := pollAll(t, r, lims.Cursor{}, 0); err != nil || len(rows) != 2 {
				t.Errorf("afterwards: %s, %v", ids(rows), err)
			}
			if n := w.AwaitConnections(t.Context(), 1); n != 1 {
				t.Errorf("%d connections are open, want one", n)
			}
		})
	}
}

// two inserts two rows under one stamp.
func (w oracleWire) two(t *testing.T) {
	t.Helper()
	w.insert(t, []string{"row_id", "changed_at", "value", "status"}, []any{1, "2026-11-01 10:00:00", sentinel, "A"}, []any{2, "2026-11-01 10:00:00", "5.40", "A"})
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// A statement that takes longer than the time limit is ended by a break, and the server goes on with nothing: the
// connection that was broken is closed, and the next statement has a new one.
func TestOracleHungQuery(t *testing.T) {
	for _, test := range []struct {
		name  string
		fault oratest.Fault
	}{
		{"before the answer", oratest.Fault{At: oratest.AtStatement, Statement: "FETCH FIRST", Do: oratest.Hang}},
		{"in the middle of it", oratest.Fault{At: oratest.AtStatement, Statement: "FETCH FIRST", Do: oratest.Hang, Rows: 1}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			w := newOracleWire(t, oratest.Options{})
			w.two(t)
			r := w.reader(t, func(o *lims.Options) { o.QueryTimeout = 3 * time.Second })
			over := w.Inject(test.fault)
			_, _, err := pollAll(t, r, lims.Cursor{}, 0)
			if kindOf(err) != busy {
				t.Errorf("got %s: %v", kindOf(err), err)
			}
			told(t, err, []string{"results", "query time limit", "next pass"})
			over()
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
			defer cancel()
			if n := w.AwaitConnections(ctx, 0); n != 0 {
				t.Errorf("%d connections are open", n)
			}
			if rows, _, err := pollAll(t, r, lims.Cursor{}, 0); err != nil || len(rows) != 2 {
				t.Errorf("afterwards: %s, %v", ids(rows), err)
			}
		})
	}
}

// A server that does not even answer a break is left alone, its socket closed, and the next call has a new connection.
func TestOracleHangs(t *testing.T) {
	if testing.Short() {
		t.Skip("waits in real time for the driver to give up")
	}
	for _, test := range []struct {
		name string
		rows int // that were sent before
	}{{"before the answer", 0}, {"in mid-row", 1}, {"in a further answer", 1500}} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			w := newOracleWire(t, oratest.Options{})
			w.many(t, 2000)
			r := w.reader(t, func(o *lims.Options) { o.QueryTimeout = time.Second })
			over := w.Inject(oratest.Fault{At: oratest.AtStatement, Statement: "FETCH FIRST", Do: oratest.HangDeaf, Rows: test.rows})
			_, _, err := pollAll(t, r, lims.Cursor{}, 0)
			if k := kindOf(err); k != unavailable && k != busy {
				t.Errorf("got %s: %v", k, err)
			}
			over()
			if n := w.AwaitConnections(t.Context(), 0); n != 0 {
				t.Errorf("%d connections are open", n)
			}
			rows, _, err := pollAll(t, r, lims.Cursor{}, 0)
			for tries := 0; tries < 20 && err != nil; tries++ { // a machine under load may need several to keep the short time limit
				rows, _, err = pollAll(t, r, lims.Cursor{}, 0)
			}
			if err != nil || len(rows) != 2000 {
				t.Errorf("afterwards: %d rows, %v", len(rows), err)
			}
		})
	}
}

// many inserts n rows, of which several share a stamp, and whose other columns repeat.
func (w oracleWire) many(t *testing.T, n int) {
	t.Helper()
	begin := time.Date(2026, 11, 1, 10, 0, 0, 0, time.UTC)
	var rows [][]any
	for i := range n {
		rows = append(rows, []any{i, begin.Add(time.Duration(i/7) * time.Second).Format(time.DateTime), fmt.Sprint(i % 3), "A"})
	}
	w.insert(t, []string{"row_id", "changed_at", "value", "status"}, rows...)
}

// A page that is longer than one answer of the server comes in several, each row once and as it is, also where a
// value is that of the row before and is not sent again.
func TestOraclePageInSeveralAnswers(t *testing.T) {
	w := newOracleWire(t, oratest.Options{})
	const n = 2500
	w.many(t, n)
	for _, page := range []int{999, 1000, 1001, 2000, 5000} {
		r := w.reader(t, func(o *lims.Options) { o.PageSize = page })
		rows, _, err := pollAll(t, r, lims.Cursor{}, 0)
		if err != nil || len(rows) != n {
			t.Fatalf("pages of %d: %d rows, %v", page, len(rows), err)
		}
		for i, row := range rows {
			if row.ID != fmt.Sprint(i) || row.Value != fmt.Sprint(i%3) || row.Status != "A" || row.Unit != "" || row.Problem != "" {
				t.Fatalf("pages of %d: row %d is %+v", page, i, row)
			}
		}
		r.Close()
	}
}

// Values come as the lab has them, in texts that Oracle writes in the statement's own formats, whatever the session's.
func TestOracleValues(t *testing.T) {
	for _, test := range []struct {
		column, typ string
		in          any
		want        string
		problem     string
	}{
		{"value", "NUMBER", "5.400", "5.4", ""},
		{"value", "NUMBER", "-0.5", "-.5", ""},
		{"value", "NUMBER", "123456789012345678901234567890.12345678", "123456789012345678901234567890.12345678", ""},
		{"value", "NUMBER(12,2)", "2.345", "2.35", ""},
		{"value", "NUMBER", "0", "0", ""},
		{"value", "VARCHAR2(200)", "<0.50 ", "<0.50 ", ""},
		{"value", "VARCHAR2(200)", "", "", ""}, // is NULL
		{"value", "VARCHAR2(4000)", strings.Repeat("ä", 2000), strings.Repeat("ä", 2000), ""},
		{"value", "NVARCHAR2(200)", "µmol/L ≥ 5 · 陽性 · 🧪", "µmol/L ≥ 5 · 陽性 · 🧪", ""},
		{"value", "CHAR(20)", "5.40", "5.40", ""},
		{"value", "NCHAR(20)", "5.40", "5.40", ""},
		{"value", "BINARY_FLOAT", "5.4", "", "value is BINARY_FLOAT, which loses digits"},
		{"value", "BINARY_DOUBLE", "-5.4", "", "value is BINARY_DOUBLE, which loses digits"},
		{"value", "DATE", "2026-11-01 10:00:00", "", "value is DATE, and must be text"},
		{"value", "TIMESTAMP(6)", "2026-11-01 10:00:00", "", "value is TIMESTAMP, and must be text"},
		{"value", "RAW(3)", "abcdef", "", "value is RAW"},
		{"value", "INTERVAL DAY TO SECOND", "1 02:03:04", "", "value is INTERVAL DAY TO SECOND"},
		{"value", "CLOB", sentinel, "", "value is CLOB"},
		{"unit", "VARCHAR2(0)", nil, "", ""}, // NULL AS unit
		{"requisition_id", "RAW(16)", "0B8F6A1E9D0C4B528A1F00112233AABB", "0b8f6a1e-9d0c-4b52-8a1f-00112233aabb", ""},
		{"requisition_id", "VARCHAR2(36)", "0B8F6A1E-9D0C-4B52-8A1F-00112233AABB", "0B8F6A1E-9D0C-4B52-8A1F-00112233AABB", ""},
		{"changed_at", "DATE", "2026-11-01 10:00:31", "2026-11-01 10:00:31", ""},
		{"changed_at", "TIMESTAMP(3)", "2026-11-01 10:00:31.8579", "2026-11-01 10:00:31.858000000", ""},
		{"changed_at", "TIMESTAMP(9)", "2026-11-01 10:00:31.123456789", "2026-11-01 10:00:31.123456789", ""},
		{"changed_at", "TIMESTAMP(6) WITH TIME ZONE", "2026-11-01 10:00:31.5+01:00", "2026-11-01 09:00:31.500000000Z", ""},
		{"changed_at", "TIMESTAMP(6) WITH LOCAL TIME ZONE", "2026-11-01 10:00:31.5+01:00", "2026-11-01 09:00:31.500000000Z", ""},
	} {
		t.Run(test.typ+" as "+test.column, func(t *testing.T) {
			w := newOracleWire(t, oratest.Options{})
			w.view(t, "results", map[string]string{test.column: test.typ})
			row := map[string]any{"row_id": 1, "changed_at": "2026-11-01 10:00:00", test.column: test.in}
			w.insert(t, []string{"row_id", "changed_at", test.column}, []any{row["row_id"], row["changed_at"], row[test.column]})
			rows, _, err := pollAll(t, w.reader(t, nil), lims.Cursor{}, 0)
			if err != nil || len(rows) != 1 {
				t.Fatalf("%d rows, %v", len(rows), err)
			}
			got := map[string]string{"value": rows[0].Value, "unit": rows[0].Unit, "requisition_id": rows[0].Requisition, "changed_at": rows[0].Stamp}[test.column]
			if got != test.want || !strings.HasPrefix(rows[0].Problem, test.problem) || (test.problem == "") != (rows[0].Problem == "") {
				t.Errorf("got %q, problem %q, want %q, %q", got, rows[0].Problem, test.want, test.problem)
			}
			if strings.Contains(rows[0].Problem, sentinel) {
				t.Errorf("the value is shown: %q", rows[0].Problem)
			}
		})
	}
}

// Pages go on behind a row whatever the types of its keys, and rows are found again by their ids.
func TestOracleKeysOnTheWire(t *testing.T) {
	const u1, u2, u3 = "0b8f6a1e-9d0c-4b52-8a1f-00112233aabb", "0b8f6a1e-9d0c-4b52-8a1f-00112233aabc", "ffffffff-9d0c-4b52-8a1f-00112233aabb"
	plain := func(uuid string) any { return strings.ReplaceAll(uuid, "-", "") }
	same := func(v any) [4]any { return [4]any{v, v, v, v} }
	for _, test := range []struct {
		id, stamp string
		ids       [4]any // as they are inserted
		stamps    [4]any
		want      string // the rows in their order
		params    string // the types of the parameters
	}{
		{"NUMBER(19)", "TIMESTAMP(6)", [4]any{10, 9, 2, nil}, same("2026-11-01 10:00:31.123456"), "2 9 10", "VARCHAR2"},
		{"NUMBER", "DATE", [4]any{"-1.5", "0.5", "10", nil}, same("2026-11-01 10:00:31"), "-1.5 .5 10", "VARCHAR2"},
		{"VARCHAR2(64 CHAR)", "TIMESTAMP(9)", [4]any{"b", "Ä", "B", "10"}, same("2026-11-01 10:00:31.123456789"), "10 B b Ä", "VARCHAR2"},
		{"NVARCHAR2(64)", "TIMESTAMP(6)", [4]any{"b", "Ä", "B", "10"}, same("2026-11-01 10:00:31.123456"), "10 B b Ä", "VARCHAR2"},
		{"CHAR(20)", "TIMESTAMP(6) WITH TIME ZONE", [4]any{"b", "a b", "B", "a"}, same("2026-11-01 10:00:31.5+01:00"), "B a a b b", "VARCHAR2"},
		{"NCHAR(20)", "TIMESTAMP(6) WITH LOCAL TIME ZONE", [4]any{"b", "a b", "B", "a"}, same("2026-11-01 10:00:31.5+01:00"), "B a a b b", "VARCHAR2"},
		{"RAW(16)", "NUMBER(19)", [4]any{plain(u2), plain(u3), plain(u1), nil}, same(7), u1 + " " + u2 + " " + u3, "RAW"},
		{"NUMBER(19)", "TIMESTAMP(6) WITH TIME ZONE", [4]any{1, 2, 3, 4}, [4]any{"2026-11-01 10:00:31.5+01:00", "2026-11-01 08:30:31.5-01:00", "2026-11-01 10:00:30.5+01:00", "2026-11-01 09:00:31.5+00:00"},
			"3 1 4 2", "VARCHAR2"},
	} {
		t.Run(test.id+", "+test.stamp, func(t *testing.T) {
			w := newOracleWire(t, oratest.Options{})
			w.view(t, "results", map[string]string{"row_id": test.id, "changed_at": test.stamp})
			n := 0
			for i, id := range test.ids {
				if id != nil {
					w.insert(t, []string{"row_id", "changed_at", "status"}, []any{id, test.stamps[i], "A"})
					n++
				}
			}
			for page := 1; page <= n+1; page++ {
				r := w.reader(t, func(o *lims.Options) { o.PageSize = page })
				w.Forget()
				rows, cursor, err := pollAll(t, r, lims.Cursor{}, 0)
				if err != nil || ids(rows) != test.want {
					t.Errorf("pages of %d: %q, %v, want %q", page, ids(rows), err, test.want)
				}
				if again, _, err := pollAll(t, r, cursor, 0); err != nil || len(again) == 0 {
					t.Errorf("from the cursor on: %q, %v", ids(again), err)
				}
				var all []string
				for _, row := range rows {
					all = append(all, row.ID)
				}
				found, err := r.Fetch(t.Context(), lims.Results, append(slices.Clone(all), "x", "0", u1[:35]+"d"))
				if err != nil || len(found) != n {
					t.Errorf("by id: %q, %v", ids(found), err)
				}
				for _, st := range w.Statements() {
					if strings.Contains(st.Text, " IN (") && st.Params[0].Type != test.params {
						t.Errorf("an id is a %s, want %s", st.Params[0].Type, test.params)
					}
				}
			}
		})
	}
}

// The session is set up before anything is read, tells its name, and runs what it says that it runs.
func TestOracleSession(t *testing.T) {
	w := newOracleWire(t, oratest.Options{})
	// A password that expires soon keeps nobody out.
	w.Inject(oratest.Fault{At: oratest.AtLogin, Do: oratest.Warn, Error: oratest.Error{Code: 28002, Message: "the password will expire within 7 days"}})
	w.view(t, "orders", nil)
	w.many(t, 5)
	r := w.reader(t, func(o *lims.Options) { o.PageSize = 2 })
	if _, _, err := pollAll(t, r, lims.Cursor{}, 0); err != nil {
		t.Fatal(err)
	}
	must(t, r.Unstamped(t.Context(), lims.Results, func([]lims.Row) error { return nil }))
	if _, err := r.Identity(t.Context()); err != nil {
		t.Error(err)
	}
	if l := w.Logins(); len(l) != 1 || l[0].User != w.Reader.User || l[0].Service != oratest.Service || l[0].Program != "limsbridge lab 7" || l[0].Driver != "limsbridge" {
		t.Errorf("logins: %+v", l)
	}
	for i, st := range w.Statements() {
		if setUp := strings.HasPrefix(st.Text, "ALTER SESSION "); setUp != (i < 3) {
			t.Errorf("statement %d: %s", i, st.Text)
		}
		if !slices.Contains(r.Statements(), st.Text) {
			t.Errorf("run and not told:\n%s", st.Text)
		}
	}
}

// What Oracle tells of the reader's end comes through the real driver.
func TestOracleInspection(t *testing.T) {
	w := newOracleWire(t, oratest.Options{})
	w.view(t, "orders", nil)
	w.insert(t, []string{"row_id", "changed_at", "status"}, []any{1, "2026-11-01 10:00:31.857", "A"}, []any{2, nil, "A"}, []any{3, nil, "A"})
	w.Answer("FROM SESSION_PRIVS", oratest.Result{Columns: []oratest.Column{{Name: "WHAT", Type: oratest.Type{Name: "VARCHAR2", Length: 4000}}},
		Rows: [][]any{{`"LAB"."RESULT"`}, {`"LAB"."TEST"`}}})
	r := w.reader(t, nil)
	ctx := t.Context()
	texts := func(list []string, err error) string {
		if err != nil {
			t.Error(err)
		}
		return strings.Join(list, " ")
	}
	one := func(text string, err error) string { return texts([]string{text}, err) }
	for what, got := range map[string][2]string{
		"account":   {one(r.Account(ctx)), `"LIMSBRIDGE_RO"`},
		"missing":   {texts(r.Missing(ctx, lims.Results)), `GRANT READ ON results TO "LIMSBRIDGE_RO";`},
		"writable":  {texts(r.Writable(ctx)), `"LAB"."RESULT" "LAB"."TEST"`},
		"unstamped": {one(r.CountUnstamped(ctx, lims.Results)), "2"},
	} {
		if got[0] != got[1] {
			t.Errorf("%s: %q, want %q", what, got[0], got[1])
		}
	}
	var left *lims.LeftOut
	if tls, err := r.Encryption(ctx); tls != "" || err != nil && !errors.As(err, &left) {
		t.Errorf("a plain connection is encrypted by %q, %v", tls, err)
	}
	took, n, err := r.Measure(ctx, lims.Results, time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC))
	if err != nil || n != 1 || took <= 0 {
		t.Errorf("%d rows in %s, %v", n, took, err)
	}
}
