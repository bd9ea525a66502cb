package conform_test

import (
	"io"
	"net"
	"strconv"
	"sync"
	"testing"

	"limsbridge/lims"
)

// proxy is a stretch of network between the reader and its server: what the server says passes piece by
// piece, until it is cut.
type proxy struct {
	listener net.Listener
	server   string

	mu     sync.Mutex
	left   int   // how many more bytes of the server pass; -1: all
	pieces []int // the lengths of what the server said, as it came
	conns  []net.Conn
}

// newProxy puts a proxy before the server of options, and returns the options of its other end.
func newProxy(t testing.TB, o lims.Options) (*proxy, lims.Options) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{listener: l, server: net.JoinHostPort(o.Server, strconv.Itoa(o.Port)), left: -1}
	t.Cleanup(func() { l.Close(); p.hangUp() })
	go p.serve()
	o.Server, o.Port = "127.0.0.1", l.Addr().(*net.TCPAddr).Port
	return p, o
}

// cut lets n more bytes of the server pass; then every connection breaks, once.
func (p *proxy) cut(n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.left, p.pieces = n, nil
}

// said returns the lengths of what the server said since the last cut.
func (p *proxy) said() []int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.pieces
}

func (p *proxy) hangUp() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range p.conns {
		c.Close()
	}
	p.conns = nil
}

func (p *proxy) serve() {
	for {
		client, err := p.listener.Accept()
		if err != nil {
			return
		}
		server, err := net.Dial("tcp", p.server)
		if err != nil {
			client.Close()
			continue
		}
		p.mu.Lock()
		p.conns = append(p.conns, client, server)
		p.mu.Unlock()
		go func() {
			_, _ = io.Copy(server, client)
			server.Close()
		}()
		go p.answer(client, server)
	}
}

// answer carries what the server says to the client.
func (p *proxy) answer(client, server net.Conn) {
	defer client.Close()
	b := make([]byte, 64<<10)
	for {
		n, err := server.Read(b)
		if err != nil {
			return
		}
		p.mu.Lock()
		p.pieces = append(p.pieces, n)
		broken := p.left >= 0 && n > p.left
		if broken {
			n = p.left
		}
		if p.left >= 0 {
			p.left -= n
		}
		if broken {
			p.left = -1 // the next connection lasts
		}
		p.mu.Unlock()
		if _, err := client.Write(b[:n]); err != nil || broken {
			break
		}
	}
	p.hangUp()
}
