package conform_test

import (
	"crypto/tls"
	"testing"
	"time"

	"limsbridge/lims"
	"limsbridge/lims/oratest"
)

// playedOracle is a lab whose tables are on an Oracle server that was written for the tests, which has no SQL for the
// lab's own side: rules that need it leave the lab out. What the reader sends goes through the real driver.
type playedOracle struct {
	s *oratest.Server
	o lims.Options
}

// openScriptedOracle starts such a server, in TLS and verified. A statement that is none of the reader's own
// fails the test.
func openScriptedOracle(t testing.TB) lab {
	t.Helper()
	company := newAuthority(t)
	certificate := company.sign(t, "lims.example.org", time.Now().Add(time.Hour))
	s := oratest.Start(t, oratest.Options{TLS: &tls.Config{Certificates: []tls.Certificate{certificate}, MinVersion: tls.VersionTLS12}})
	return playedOracle{s, lims.Options{Type: lims.Oracle, Server: s.Host, Port: s.Port, Database: oratest.Service,
		Encrypt: lims.EncryptVerified, CAFile: company.file, ServerName: "lims.example.org",
		User: s.Reader.User, Password: func() (string, error) { return s.Reader.Password, nil }}}
}

func (p playedOracle) kind() string          { return lims.Oracle }
func (p playedOracle) options() lims.Options { return p.o }

// column is a column as the server has it.
func (p playedOracle) column(t testing.TB, c column) oratest.Column {
	t.Helper()
	typ, err := oratest.ParseType(oracleWords[c.typ])
	if err != nil {
		t.Fatal(err)
	}
	return oratest.Column{Name: c.name, Type: typ}
}

func (p playedOracle) create(t testing.TB, table string, columns ...column) {
	t.Helper()
	var list []oratest.Column
	for _, c := range columns {
		list = append(list, p.column(t, c))
	}
	p.must(t, p.s.Create(table, list...))
}

func (p playedOracle) insert(t testing.TB, table string, columns []string, rows ...[]any) {
	t.Helper()
	for _, row := range rows {
		p.must(t, p.s.Insert(table, columns, p.values(row)))
	}
}

// values are a row's, in which an interval stands for a boolean.
func (p playedOracle) values(row []any) (list []any) {
	for _, v := range row {
		if _, ok := v.(bool); ok {
			v = "1 00:00:00"
		}
		list = append(list, v)
	}
	return list
}

func (p playedOracle) update(t testing.TB, table string, id any, columns []string, values ...any) {
	t.Helper()
	p.must(t, p.s.Update(table, "row_id", id, columns, p.values(values)...))
}

func (p playedOracle) remove(t testing.TB, table string, id any) {
	t.Helper()
	p.must(t, p.s.Delete(table, "row_id", id))
}

func (p playedOracle) alter(t testing.TB, table, drop string, add column) {
	t.Helper()
	if drop != "" {
		p.must(t, p.s.DropColumn(table, drop))
	}
	if add != (column{}) {
		p.must(t, p.s.AddColumn(table, p.column(t, add)))
	}
}

func (p playedOracle) rename(t testing.TB, table, from, to string) {
	t.Helper()
	p.must(t, p.s.RenameColumn(table, from, to))
}

func (p playedOracle) must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
