package whoop

import (
	"errors"
	"net"
	"runtime"
	"sync"
	"sync/atomic"
)

// rawConn is a TCP connection that counts the bytes that the operating system took from us.
type rawConn struct {
	net.Conn
	written atomic.Int64
}

func (r *rawConn) Write(b []byte) (int, error) {
	n, err := r.Conn.Write(b)
	taken := n
	if err != nil && n == 0 && runtime.GOOS == "windows" {
		// An overlapped write that is cancelled by Close may report nothing although the
		// system took some of it.
		taken = 1
	}
	r.written.Add(int64(taken))
	return n, err
}

// conn is what net/http writes requests to: the TCP connection, or TLS over it. It knows whether
// any byte of the present request reached the TCP connection, and it can be sealed, after which
// that cannot change any more.
//
// Counting is done around the writes of this layer, so that neither the TLS handshake nor an
// alert at closing is taken for a request.
type conn struct {
	net.Conn
	raw *rawConn

	mu      sync.Mutex
	sealed  bool
	writing int   // writes that are under way
	written int64 // bytes that the writes of this layer put into raw
	mark    int64 // written, when the present request got this connection
}

var errSealed = errors.New("the call was given up before it was written")

func (c *conn) Write(b []byte) (int, error) {
	c.mu.Lock()
	if c.sealed {
		c.mu.Unlock()
		return 0, errSealed
	}
	c.writing++
	c.mu.Unlock()

	before := c.raw.written.Load()
	n, err := c.Conn.Write(b)
	taken := max(int64(n), c.raw.written.Load()-before)

	c.mu.Lock()
	c.writing--
	c.written += taken
	c.mu.Unlock()
	return n, err
}

// begin marks the beginning of a request.
func (c *conn) begin() {
	c.mu.Lock()
	c.mark = c.written
	c.mu.Unlock()
}

// seal refuses all further writes and reports whether the present request is certainly
// unwritten. It does not wait for a write that is under way: that one counts as written.
// net/http's write loop runs on after a call was given up; without the seal it could still
// write after the decision.
func (c *conn) seal() (unwritten bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.sealed = true
	return c.writing == 0 && c.written == c.mark
}
