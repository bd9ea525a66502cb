package lims_test

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"limsbridge/lims"
)

// sentinel is a password that must not turn up anywhere.
const sentinel = "pa55-SENTINEL-w0rd"

// Nothing that prints a reader or its options shows the password.
func TestPasswordIsNotPrinted(t *testing.T) {
	for _, typ := range []string{lims.SQLServer, lims.Postgres, lims.MySQL} {
		o := lims.Options{Type: typ, Server: "127.0.0.1", Database: "d", User: "u", Password: func() (string, error) { return sentinel, nil },
			Orders: lims.Query{View: "o"}, Results: lims.Query{View: "r"}}
		r, err := lims.Open(o)
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		if text := fmt.Sprintf("%v %+v %#v %v %+v %#v %s", o, o, o, r, r, r, strings.Join(r.Statements(), "\n")); strings.Contains(text, sentinel) {
			t.Errorf("%s: %s", typ, text)
		}
	}
}

// SQL Server's driver is asked to connect to a port where nobody listens, and to one that hangs up.
func TestSQLServerUnreachable(t *testing.T) {
	hangsUp, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer hangsUp.Close()
	go func() {
		for {
			c, err := hangsUp.Accept()
			if err != nil {
				return
			}
			c.Close()
		}
	}()
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed.Close()
	for name, port := range map[string]int{"nobody listens": closed.Addr().(*net.TCPAddr).Port, "hangs up": hangsUp.Addr().(*net.TCPAddr).Port} {
		t.Run(name, func(t *testing.T) {
			r, err := lims.Open(lims.Options{Type: lims.SQLServer, Server: "127.0.0.1", Port: port, Database: "d", User: "u",
				Password: func() (string, error) { return sentinel, nil }, Orders: lims.Query{View: "o"}, Results: lims.Query{View: "r"}})
			if err != nil {
				t.Fatal(err)
			}
			defer r.Close()
			_, err = r.Now(t.Context())
			var unavailable *lims.Unavailable
			if !errors.As(err, &unavailable) || !strings.Contains(err.Error(), fmt.Sprint(port)) || strings.Contains(err.Error(), sentinel) {
				t.Errorf("got %T %v", err, err)
			}
		})
	}
}

// Open finds everything that can be found without the network, at once.
func TestOpenTellsAllProblems(t *testing.T) {
	file := filepath.Join(t.TempDir(), "orders.sql")
	if err := os.WriteFile(file, []byte("\xff\xfeS\x00E\x00"), 0o600); err != nil {
		t.Fatal(err)
	}
	good := lims.Options{Type: lims.SQLServer, Server: "db", Database: "d", User: "u", Orders: lims.Query{View: "o"}, Results: lims.Query{View: "r"}}
	tests := []struct {
		name   string
		change func(*lims.Options)
		words  []string
	}{
		{"nothing is set", func(o *lims.Options) { *o = lims.Options{} }, []string{"type is missing", "database is missing"}},
		{"three at once", func(o *lims.Options) { o.Type, o.Encrypt, o.User = lims.Postgres, "maybe", "" }, []string{`encrypt "maybe"`, "user is missing"}},
		{"both queries", func(o *lims.Options) { o.Orders, o.Results = lims.Query{File: file}, lims.Query{} }, []string{"orders: ", "UTF-16", "results: ", "results_sql"}},
		{"view and SELECT", func(o *lims.Options) { o.Orders.SQL = "SELECT 1" }, []string{"orders: ", "both"}},
		{"no such file", func(o *lims.Options) { o.Orders = lims.Query{File: file + "x"} }, []string{"orders: ", "cannot be opened"}},
		{"instance elsewhere", func(o *lims.Options) { o.Type, o.Server = lims.MySQL, `db\X` }, []string{"INSTANCE"}},
		{"port", func(o *lims.Options) { o.Server = "db:lims" }, []string{"port"}},
		{"login", func(o *lims.Options) { o.Login = "ntlm" }, []string{`"ntlm"`, "windows, sql, kerberos or entra"}},
		{"authorities", func(o *lims.Options) { o.CAFile = file }, []string{"ca_file", "PEM"}},
		{"pinned", func(o *lims.Options) { o.CertFile = file + "x" }, []string{"certificate", "cannot be read"}},
		{"TLS version", func(o *lims.Options) { o.TLSMin = "2" }, []string{"tls_min"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			o := good
			test.change(&o)
			_, err := lims.Open(o)
			if _, ok := errors.AsType[*lims.Misfit](err); !ok {
				t.Fatalf("got %T %v", err, err)
			}
			for _, w := range test.words {
				if !strings.Contains(err.Error(), w) {
					t.Errorf("%q is not said in: %v", w, err)
				}
			}
		})
	}
	if err := os.WriteFile(file, []byte("\ufeffSELECT 1 AS row_id;\r\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	good.Orders = lims.Query{File: file}
	if r, err := lims.Open(good); err != nil {
		t.Errorf("a file with a byte order mark: %v", err)
	} else {
		r.Close()
	}
}
