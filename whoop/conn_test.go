package whoop

import (
	"errors"
	"net"
	"sync"
	"testing"
)

// sink takes everything, or what it is told to, and lets writes wait.
type sink struct {
	net.Conn
	take    func([]byte) (int, error)
	written int
	mu      sync.Mutex
}

func (s *sink) Write(b []byte) (int, error) {
	n, err := len(b), error(nil)
	if s.take != nil {
		n, err = s.take(b)
	}
	s.mu.Lock()
	s.written += n
	s.mu.Unlock()
	return n, err
}

func newConn(s *sink) *conn {
	raw := &rawConn{Conn: s}
	return &conn{Conn: raw, raw: raw}
}

func TestSeal(t *testing.T) {
	broken := errors.New("broken")
	tests := map[string]struct {
		before    []string // the requests before this one
		write     string
		take      func([]byte) (int, error)
		unwritten bool
	}{
		"nothing written":           {nil, "", nil, true},
		"nothing since the begin":   {[]string{"POST …", "GET …"}, "", nil, true},
		"written":                   {nil, "POST …", nil, false},
		"failed without a byte":     {nil, "POST …", func([]byte) (int, error) { return 0, broken }, true},
		"failed after one byte":     {nil, "POST …", func([]byte) (int, error) { return 1, broken }, false},
		"written after another one": {[]string{"GET …"}, "POST …", nil, false},
	}
	for name, test := range tests {
		s := &sink{}
		c := newConn(s)
		for _, b := range test.before {
			c.begin()
			_, _ = c.Write([]byte(b))
		}
		c.begin()
		s.take = test.take
		if test.write != "" {
			_, _ = c.Write([]byte(test.write))
		}
		if got := c.seal(); got != test.unwritten {
			t.Errorf("%s: unwritten is %v", name, got)
		}
		written := s.written
		if n, err := c.Write([]byte("late")); n != 0 || !errors.Is(err, errSealed) || s.written != written {
			t.Errorf("%s: a write after the seal came through", name)
		}
	}
}

// A write that is under way counts as written, and is not waited for.
func TestSealDuringWrite(t *testing.T) {
	entered, leave := make(chan struct{}), make(chan struct{})
	c := newConn(&sink{take: func([]byte) (int, error) { close(entered); <-leave; return 0, net.ErrClosed }})
	c.begin()
	done := make(chan struct{})
	go func() { defer close(done); _, _ = c.Write([]byte("POST …")) }()
	<-entered
	if c.seal() {
		t.Error("a write that is under way counts as unwritten")
	}
	close(leave)
	<-done
}

// Whatever the order of write and seal: what counts as unwritten stays unwritten.
func TestSealRace(t *testing.T) {
	for range 5000 {
		s := &sink{}
		c := newConn(s)
		c.begin()
		var both sync.WaitGroup
		var unwritten bool
		both.Go(func() { _, _ = c.Write([]byte("POST …")) })
		both.Go(func() { unwritten = c.seal() })
		both.Wait()
		if unwritten && s.written > 0 {
			t.Fatal("unwritten, but something was written")
		}
	}
}
