package oratest

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"net"
	"slices"
	"sync"
	"testing"
	"time"
)

// Account is a login that the server knows.
type Account struct{ User, Password string }

// Options are how a server is. The zero value is a server without encryption.
type Options struct {
	TLS    *tls.Config // nil: plain TCP; else TCPS, TLS from the first byte on
	Reader Account     // default {"limsbridge_ro", …}
}

// Server is a running server. Its methods may be called from several goroutines.
type Server struct {
	Host   string // 127.0.0.1
	Port   int
	Reader Account

	t        testing.TB
	o        Options
	listener net.Listener
	running  sync.WaitGroup

	mu        sync.Mutex
	tables    map[string]*table
	faults    []*Fault
	answers   []answer
	denied    map[string]bool
	record    []Statement
	asked     []string
	logins    []Login
	conns     map[net.Conn]*session
	verifiers map[string]verifier
	sessions  int
	closed    bool
	ahead     time.Duration
	ended     chan struct{} // closed and made anew when a connection ends
}

// Service is the name of the service that the server's listener knows.
const Service = "LIMS"

// Start starts a server on a free port of 127.0.0.1. It ends with the test.
func Start(t testing.TB, o Options) *Server {
	t.Helper()
	o.Reader = cmp.Or(o.Reader, Account{"limsbridge_ro", "reader-Passw0rd"})
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &Server{Host: "127.0.0.1", Port: listener.Addr().(*net.TCPAddr).Port, Reader: o.Reader, t: t, o: o, listener: listener,
		tables: map[string]*table{}, denied: map[string]bool{}, conns: map[net.Conn]*session{}, verifiers: map[string]verifier{}, ended: make(chan struct{})}
	s.running.Go(s.accept)
	t.Cleanup(func() {
		_ = listener.Close()
		s.mu.Lock()
		s.closed = true
		s.mu.Unlock()
		s.Disconnect()
		s.running.Wait()
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
		if s.closed {
			s.mu.Unlock()
			conn.Close()
			return
		}
		s.sessions++
		c := &session{server: s, raw: conn, number: s.sessions, settings: map[string]string{}, asked: map[string]bool{}, cursors: map[int]*cursor{}}
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

// AwaitConnections waits until no more than n connections are open: the server sees a little later than the
// client that one has ended. It returns how many there are, which is more than n only when the context ends.
func (s *Server) AwaitConnections(ctx context.Context, n int) (open int) {
	for {
		s.mu.Lock()
		open, ended := len(s.conns), s.ended
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

// Statement is a statement as it came.
type Statement struct {
	Session int
	Login   Login
	Text    string
	Params  []Param
}

// Param is a parameter with the type that the client declared: VARCHAR2, a string, or RAW, bytes.
type Param struct {
	Type  string
	Value any
}

// Statements are what was sent so far, in its order.
func (s *Server) Statements() []Statement {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.record)
}

// Logins are the logins that were tried, the refused ones too.
func (s *Server) Logins() []Login {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.logins)
}

// Asked are the descriptors with which the listener was asked for a service.
func (s *Server) Asked() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.asked)
}

// Forget empties what Statements, Logins and Asked tell.
func (s *Server) Forget() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.record, s.logins, s.asked = nil, nil, nil
}

func (s *Server) note(st Statement) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.record = append(s.record, st)
}

func (s *Server) askedFor(descriptor string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked = append(s.asked, descriptor)
}

func (s *Server) tried(l Login) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.logins = append(s.logins, l)
}

// verifier makes the verifier of a password once.
func (s *Server) verifier(user, password string) (verifier, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	v, ok := s.verifiers[user+"/"+password]
	if ok {
		return v, nil
	}
	v, err := newVerifier(password)
	s.verifiers[user+"/"+password] = v
	return v, err
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

// Deny takes the right to read a table or view from the reader, to whom it then does not exist; Grant gives
// it back.
func (s *Server) Deny(name string) { s.setDenied(name, true) }

// Grant gives back what Deny took.
func (s *Server) Grant(name string) { s.setDenied(name, false) }

func (s *Server) setDenied(name string, denied bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.denied[identifier(name)] = denied
}

var errEnd = errors.New("the connection ends here")
