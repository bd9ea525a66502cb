package conform_test

import (
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgproto3"

	"limsbridge/lims"
)

// asking stands before a PostgreSQL server that trusts everybody, and asks for a password as one does that
// does not.
func asking(t testing.TB, o lims.Options, password string) lims.Options {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	server := net.JoinHostPort(o.Server, strconv.Itoa(o.Port))
	serve := func(client net.Conn) {
		defer client.Close()
		b := pgproto3.NewBackend(client, client)
		start, err := b.ReceiveStartupMessage()
		if err != nil {
			return
		}
		b.Send(&pgproto3.AuthenticationCleartextPassword{})
		if b.Flush() != nil || b.SetAuthType(pgproto3.AuthTypeCleartextPassword) != nil {
			return
		}
		said, err := b.Receive()
		if err != nil {
			return
		}
		if p, ok := said.(*pgproto3.PasswordMessage); !ok || p.Password != password {
			b.Send(&pgproto3.ErrorResponse{Severity: "FATAL", Code: "28P01", Message: `password authentication failed for user "limsbridge_ro"`})
			_ = b.Flush()
			return
		}
		out, err := net.Dial("tcp", server)
		if err != nil {
			return
		}
		defer out.Close()
		hello, err := start.(*pgproto3.StartupMessage).Encode(nil)
		if err != nil {
			return
		}
		if _, err := out.Write(hello); err == nil {
			relay(client, out)
		}
	}
	go func() {
		for {
			client, err := l.Accept()
			if err != nil {
				return
			}
			go serve(client)
		}
	}()
	o.Server, o.Port = "127.0.0.1", l.Addr().(*net.TCPAddr).Port
	return o
}

// Each fault that is another's to mend ends, once it is mended, without a restart: the same reader goes on by itself.
func TestRecovery(t *testing.T) {
	const right = "r1ght-SENTINEL-w0rd"
	// user makes a login without rights in the database, which ends with the test.
	user := func(t *testing.T, d database, o *lims.Options) (granted string) {
		l := d.sql(t)
		name := "lb_" + strings.TrimPrefix(d.options().Database, "limsbridge_lims_")
		o.User = name
		switch d.kind() {
		case lims.Postgres:
			l.exec(t, "CREATE ROLE "+name+" LOGIN")
			t.Cleanup(func() {
				l.exec(t, "DROP OWNED BY "+name)
				l.exec(t, "DROP ROLE "+name)
			})
			return name
		case lims.MySQL:
			l.exec(t, "CREATE USER "+name+" IDENTIFIED BY '"+right+"'")
			t.Cleanup(func() { l.exec(t, "DROP USER "+name) })
		}
		return name
	}
	type step struct {
		name  string
		kinds []string
		// set up alters the options before the fault, and returns what mends it.
		setUp func(t *testing.T, d database, o *lims.Options) (mend func(t *testing.T))
		want  any
		words []string
	}
	steps := []step{
		{"wrong password", []string{lims.Postgres, lims.MySQL}, func(t *testing.T, d database, o *lims.Options) func(*testing.T) {
			var password atomic.Value
			password.Store(sentinel)
			if d.kind() == lims.Postgres {
				*o = asking(t, *o, right)
			} else {
				d.sql(t).exec(t, "GRANT SELECT ON "+o.Database+".* TO "+user(t, d, o))
			}
			o.Password = func() (string, error) { return password.Load().(string), nil }
			return func(*testing.T) { password.Store(right) }
		}, new(*lims.Misfit), []string{"login failed", "check user"}},
		{"no right", []string{lims.Postgres, lims.MySQL}, func(t *testing.T, d database, o *lims.Options) func(*testing.T) {
			name := user(t, d, o)
			o.Password = func() (string, error) { return right, nil }
			if d.kind() == lims.MySQL { // without any right the database itself is not there
				d.sql(t).exec(t, "CREATE TABLE other (a int)")
				d.sql(t).exec(t, "GRANT SELECT ON "+d.options().Database+".other TO "+name)
			}
			return func(t *testing.T) {
				view := "results"
				if d.kind() == lims.MySQL {
					view = d.options().Database + ".results"
				}
				d.sql(t).exec(t, "GRANT SELECT ON "+view+" TO "+name)
			}
		}, new(*lims.Misfit), []string{"results", "GRANT SELECT"}},
		{"no such view", []string{lims.SQLite, lims.Postgres, lims.MySQL, lims.SQLServer}, func(t *testing.T, d database, _ *lims.Options) func(*testing.T) {
			d.sql(t).exec(t, "DROP VIEW results")
			return func(t *testing.T) { d.sql(t).view(t, "results") }
		}, new(*lims.Misfit), []string{"results", "check the name"}},
		{"the file is gone", []string{lims.SQLite}, func(t *testing.T, d database, o *lims.Options) func(*testing.T) {
			d.sql(t).db.Close() // Windows moves no open file
			if err := os.Rename(o.Database, o.Database+".away"); err != nil {
				t.Fatal(err)
			}
			return func(t *testing.T) {
				if err := os.Rename(o.Database+".away", o.Database); err != nil {
					t.Fatal(err)
				}
			}
		}, new(*lims.Unavailable), []string{"cannot be opened", "check database"}},
		{"the server is down", []string{lims.Postgres, lims.MySQL, lims.SQLServer}, func(t *testing.T, d database, o *lims.Options) func(*testing.T) {
			_, *o = newProxy(t, *o)
			real := o.Port
			closed, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			o.Port = closed.Addr().(*net.TCPAddr).Port
			closed.Close()
			return func(t *testing.T) {
				l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", o.Port))
				if err != nil {
					t.Skipf("another program took the port: %v", err)
				}
				p := &proxy{listener: l, server: fmt.Sprintf("127.0.0.1:%d", real), left: -1}
				t.Cleanup(func() { l.Close(); p.hangUp() })
				go p.serve()
			}
		}, new(*lims.Unavailable), []string{"no connection to 127.0.0.1 port", "firewall"}},
	}
	databases(t, func(t *testing.T, d database) {
		d.sql(t)
		for _, s := range steps {
			if !slices.Contains(s.kinds, d.kind()) {
				continue
			}
			t.Run(s.name, func(t *testing.T) {
				d := database{lab: d.another(t)}
				d.results(t, "id", "stamp")
				d.put(t, 1, stampAgo(time.Hour))
				o := d.options()
				mend := s.setUp(t, d, &o)
				r := d.reader(t, func(own *lims.Options) {
					o.Orders, o.Results = own.Orders, own.Results
					*own = o
				})
				for range 2 {
					_, _, err := read(t, r, lims.Cursor{}, 0)
					if !errors.As(err, s.want) {
						t.Fatalf("got %T %v, want %T", err, err, s.want)
					}
					for _, w := range s.words {
						if !strings.Contains(err.Error(), w) {
							t.Errorf("%q is not said in: %v", w, err)
						}
					}
					if text := fmt.Sprintf("%v %+v %#v", err, err, err); strings.Contains(text, "SENTINEL") {
						t.Errorf("the password is shown: %v", err)
					}
				}
				mend(t)
				if ids, _, err := read(t, r, lims.Cursor{}, 0); err != nil || !slices.Equal(ids, []string{"1"}) {
					t.Errorf("once it is mended: %v, %v", ids, err)
				}
				r.Close() // before its login goes
			})
		}
	})
}
