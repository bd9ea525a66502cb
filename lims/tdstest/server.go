package tdstest

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"net"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"
)

// Account is a login that the server knows.
type Account struct{ User, Password string }

// Options are how a server is. The zero value is a server that encrypts everything with a certificate
// for 127.0.0.1, made by Server.CAFile's authority.
type Options struct {
	Encryption Encryption
	TLS        *tls.Config // nil: a certificate of the server's own authority, at most TLS 1.2, as SQL Server before 2022
	Writer     Account     // may do everything; default {"sa", …}
	Reader     Account     // default {"limsbridge_ro", …}
}

// Server is a running server. Its methods may be called from several goroutines.
type Server struct {
	Host   string // 127.0.0.1
	Port   int
	CAFile string // PEM file of the authority that made the certificate
	Writer Account
	Reader Account

	t        testing.TB
	o        Options
	listener net.Listener
	closing  context.Context
	running  sync.WaitGroup

	mu        sync.Mutex
	databases map[string]*database
	faults    []*Fault
	answers   []answer
	denied    map[string]bool
	record    []Statement
	logins    []Login
	conns     map[net.Conn]*session
	sessions  int
	ahead     time.Duration
	routeHost string
	routePort int
	ended     chan struct{} // closed and made anew when a connection ends
}

// Start starts a server on a free port of 127.0.0.1. It ends with the test.
func Start(t testing.TB, o Options) *Server {
	t.Helper()
	register(t)
	o.Writer = cmp.Or(o.Writer, Account{"sa", "writer-Passw0rd"})
	o.Reader = cmp.Or(o.Reader, Account{"limsbridge_ro", "reader-Passw0rd"})
	authority, err := NewAuthority("tdstest authority")
	if err != nil {
		t.Fatal(err)
	}
	if o.TLS == nil {
		certificate, err := authority.Certificate(time.Now().Add(24 * time.Hour))
		if err != nil {
			t.Fatal(err)
		}
		o.TLS = &tls.Config{Certificates: []tls.Certificate{certificate}, MaxVersion: tls.VersionTLS12} //nolint:gosec // as SQL Server: the client chooses the lowest version
	}
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closing, end := context.WithCancel(context.Background())
	s := &Server{Host: "127.0.0.1", Port: listener.Addr().(*net.TCPAddr).Port, CAFile: filepath.Join(t.TempDir(), "authority.pem"),
		Writer: o.Writer, Reader: o.Reader, t: t, o: o, listener: listener, closing: closing,
		databases: map[string]*database{}, denied: map[string]bool{}, conns: map[net.Conn]*session{}, ended: make(chan struct{})}
	if err := os.WriteFile(s.CAFile, authority.PEM, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := s.create("master"); err != nil {
		t.Fatal(err)
	}
	s.running.Go(s.accept)
	t.Cleanup(func() {
		end()
		_ = listener.Close()
		s.Disconnect()
		s.running.Wait()
		for _, d := range s.databases {
			d.db.Close()
		}
	})
	return s
}

func (s *Server) accept() {
	for {
		conn, err := s.listener.Accept()
		if err != nil {
			return
		}
		s.mu.Lock()
		s.sessions++
		c := &session{server: s, raw: conn, number: s.sessions}
		s.conns[conn] = c
		s.mu.Unlock()
		s.running.Go(func() {
			c.serve()
			conn.Close()
			s.mu.Lock()
			defer s.mu.Unlock()
			delete(s.conns, conn)
			close(s.ended)
			s.ended = make(chan struct{})
		})
	}
}

// Disconnect closes every connection there is, as a restart of the server does.
func (s *Server) Disconnect() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for conn := range s.conns {
		conn.Close()
	}
}

// AwaitConnections waits until no more than n connections of a user are open: the server sees a little later
// than the client that one has ended. It returns how many there are, which is more than n only when the test ends.
func (s *Server) AwaitConnections(ctx context.Context, user string, n int) (open int) {
	for {
		s.mu.Lock()
		open, ended := 0, s.ended
		for _, c := range s.conns {
			if c.login.User == user {
				open++
			}
		}
		s.mu.Unlock()
		if open <= n {
			return open
		}
		select {
		case <-ended:
		case <-ctx.Done():
			return open
		}
	}
}

// Statements are what was sent so far, in its order.
func (s *Server) Statements() []Statement {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.record)
}

// Forget empties what Statements and Logins tell.
func (s *Server) Forget() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.record, s.logins = nil, nil
}

// Logins are the logins that were tried, the refused ones too.
func (s *Server) Logins() []Login {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.logins)
}

// SetClock has the server's clock be ahead of this machine's.
func (s *Server) SetClock(ahead time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ahead = ahead
}

// now is what the server's clock shows.
func (s *Server) now() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return time.Now().UTC().Add(s.ahead)
}

// Route has logins that only mean to read sent on to another server, as the listener of an availability group does.
func (s *Server) Route(host string, port int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.routeHost, s.routePort = host, port
}

func (s *Server) routed(l Login) (host string, port int, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.routeHost, s.routePort, l.ReadOnlyIntent && s.routeHost != ""
}

// note records a statement.
func (s *Server) note(st Statement) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.record = append(s.record, st)
}

// login says why a login is refused, if it is: like SQL Server with a second error where the first one says why.
func (s *Server) login(l Login, password string) (refused []Error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.logins = append(s.logins, l)
	failed := Error{Number: 18456, Class: 14, State: 1, Message: "Login failed for user '" + l.User + "'."}
	if got := (Account{l.User, password}); got != s.o.Reader && got != s.o.Writer {
		return []Error{failed}
	}
	if _, ok := s.databases[cmp.Or(l.Database, "master")]; !ok {
		return []Error{{Number: 4060, Class: 11, Message: `Cannot open database "` + l.Database + `" requested by the login. The login failed.`}, failed}
	}
	return nil
}

// Deny takes the right to SELECT from a table or view from the reader; Grant gives it back.
func (s *Server) Deny(name string) { s.setDenied(name, true) }

// Grant gives back what Deny took.
func (s *Server) Grant(name string) { s.setDenied(name, false) }

func (s *Server) setDenied(name string, denied bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.denied[name] = denied
}

var errEnd = errors.New("the connection ends here")
