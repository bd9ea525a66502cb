package conform_test

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"limsbridge/lims"
)

// sentinel is a password that must not turn up anywhere.
const sentinel = "pa55-SENTINEL-w0rd"

// Each fault is told with its kind, its cause and what to do, and never with the password or a
// connection string.
func TestFaultsAreTold(t *testing.T) {
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed.Close()
	pinned := certificate(t)
	type fault struct {
		name   string
		change func(d database, o *lims.Options)
		want   any
		words  map[string][]string // by kind of database, "" is all; a kind that is not named is left out
	}
	all := func(words ...string) map[string][]string { return map[string][]string{"": words} }
	sql := func(text string) func(database, *lims.Options) {
		return func(_ database, o *lims.Options) { o.Results = lims.Query{SQL: text} }
	}
	faults := []fault{
		{"no such view", func(_ database, o *lims.Options) { o.Results = lims.Query{View: "whoops"} }, new(*lims.Misfit), all("results", "whoops", "check the name")},
		{"no such column in the SELECT", sql("SELECT nothing_like_this FROM results"), new(*lims.Misfit), all("results", "nothing_like_this", "check")},
		{"missing columns, all at once", sql("SELECT row_id, changed_at, order_code, value AS valeu FROM results"), new(*lims.Misfit),
			all("results", "missing columns requisition_id, status, result_code, value", "the source has row_id, changed_at, order_code, valeu")},
		{"one missing column", sql("SELECT row_id, changed_at, requisition_id, order_code, result_code, value FROM results"), new(*lims.Misfit), all("missing column status;")},
		{"a column twice", sql("SELECT r.*, r.order_code AS Order_Code FROM results r"), new(*lims.Misfit), map[string][]string{
			lims.SQLite: {"order_code", "occurs twice"}, lims.Postgres: {"order_code", "occurs twice"}, lims.MySQL: {"rder_", "AS"}}},
		{"change column of a wrong type", sql("SELECT row_id, 1.5 * row_id AS changed_at, requisition_id, order_code, result_code, value, status FROM results"), new(*lims.Misfit), map[string][]string{
			lims.SQLite: {"changed_at is REAL"}}},
		{"float as change column", sql("SELECT row_id, CAST(1.5 AS double precision) AS changed_at, requisition_id, order_code, result_code, value, status FROM results"), new(*lims.Misfit), map[string][]string{
			lims.Postgres: {"changed_at is FLOAT8, which loses digits"}}},
		{"a row on which the SELECT fails", sql("SELECT row_id, changed_at, requisition_id, order_code, result_code, CAST(CAST(value AS numeric) AS text) AS value, status FROM results"), new(*lims.Misfit), map[string][]string{
			lims.Postgres: {"results", "22P02", "not shown"}}},
		{"wrong password", func(_ database, o *lims.Options) {
			o.User, o.Password = "limsbridge_nobody", func() (string, error) { return sentinel, nil }
		}, new(*lims.Misfit), map[string][]string{lims.MySQL: {"login failed", "check user and password"}}},
		{"no such login", func(_ database, o *lims.Options) {
			o.User, o.Password = "limsbridge_nobody", func() (string, error) { return sentinel, nil }
		}, new(*lims.Misfit), map[string][]string{lims.Postgres: {"login failed", "check user, password"}}},
		{"no such database", func(_ database, o *lims.Options) { o.Database = "limsbridge_nowhere" }, new(*lims.Misfit), map[string][]string{
			lims.Postgres: {"limsbridge_nowhere", "check database"}, lims.MySQL: {"limsbridge_nowhere", "check database"}}},
		{"no such file", func(_ database, o *lims.Options) { o.Database += ".gone" }, new(*lims.Unavailable), map[string][]string{lims.SQLite: {"check database"}}},
		{"no database file", func(_ database, o *lims.Options) {
			o.Database += ".txt"
			if err := os.WriteFile(o.Database, []byte(strings.Repeat("no database ", 100)), 0o600); err != nil {
				panic(err)
			}
		}, new(*lims.Misfit), map[string][]string{lims.SQLite: {"no SQLite database"}}},
		{"nobody listens", func(_ database, o *lims.Options) { o.Port = closed.Addr().(*net.TCPAddr).Port }, new(*lims.Unavailable), map[string][]string{
			lims.Postgres: {"no connection to 127.0.0.1 port", "firewall"}, lims.MySQL: {"no connection to 127.0.0.1 port", "firewall"}}},
		{"an unknown name", func(_ database, o *lims.Options) { o.Server = "lims.invalid" }, new(*lims.Unavailable), map[string][]string{
			lims.Postgres: {"lims.invalid", "DNS"}, lims.MySQL: {"lims.invalid", "DNS"}}},
		{"a server without TLS, or with another certificate", func(_ database, o *lims.Options) { o.Encrypt, o.CertFile = lims.EncryptVerified, pinned }, new(*lims.Misfit), map[string][]string{
			lims.Postgres: {"the server offers no TLS|the one in lims.certificate"}, lims.MySQL: {"the server offers no TLS|the one in lims.certificate"}}},
		{"no password to be had", func(_ database, o *lims.Options) {
			o.Password = func() (string, error) {
				return "", errors.New("secret lims-password is not there: limsbridge secret set lims-password")
			}
		}, new(*lims.Misfit), map[string][]string{lims.Postgres: {"secret set"}, lims.MySQL: {"secret set"}}},
	}
	databases(t, func(t *testing.T, d database) {
		d.sql(t)
		d.results(t, "id", "stamp")
		d.put(t, 1, stampAgo(time.Hour))
		d.update(t, "results", 1, []string{"value"}, sentinel)
		for _, f := range faults {
			words, here := f.words[d.kind()]
			if !here {
				if words, here = f.words[""]; !here {
					continue
				}
			}
			t.Run(f.name, func(t *testing.T) {
				r := d.reader(t, func(o *lims.Options) {
					if o.Password == nil {
						o.Password = func() (string, error) { return sentinel, nil }
						if d.kind() == lims.MySQL {
							o.Password = nil // its administrator has none here
						}
					}
					f.change(d, o)
				})
				err := r.Poll(t.Context(), lims.Results, lims.Cursor{}, 0, func([]lims.Row, lims.Cursor) error { return nil })
				if !errors.As(err, f.want) {
					t.Errorf("got %T, want %T", err, f.want)
				}
				for _, w := range words {
					one, other, _ := strings.Cut(w, "|")
					if err == nil || !strings.Contains(err.Error(), one) && (other == "" || !strings.Contains(err.Error(), other)) {
						t.Errorf("%q is not said in: %v", w, err)
					}
				}
				for e := err; e != nil; e = errors.Unwrap(e) {
					if strings.Contains(fmt.Sprintf("%v %+v %#v", e, e, e), sentinel) {
						t.Errorf("the password or a value is shown: %v", e)
					}
				}
			})
		}
	})
}

// certificate returns the path of a certificate that no server has.
func certificate(t *testing.T) string {
	t.Helper()
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "nobody"}}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "nobody.pem")
	if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}
