package main

import (
	"context"
	"io"
	"net"
	"sync"
	"testing"
)

// wire is a cable between the program and a server: a TCP proxy that can be pulled out and put
// back in. Pulled out, connections break and new ones are refused.
type wire struct {
	address string // where the program connects to
	server  string

	mu     sync.Mutex
	listen net.Listener // nil: pulled out
	conns  map[net.Conn]bool
	wait   sync.WaitGroup
}

func newWire(t *testing.T, server string) *wire {
	t.Helper()
	w := &wire{server: server, address: "127.0.0.1:0", conns: map[net.Conn]bool{}}
	w.plug(t)
	t.Cleanup(w.pull)
	return w
}

// plug puts the cable in, at the address that it had before.
func (w *wire) plug(t *testing.T) {
	t.Helper()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", w.address)
	if err != nil {
		t.Fatal(err)
	}
	w.mu.Lock()
	w.listen, w.address = l, l.Addr().String()
	w.mu.Unlock()
	w.wait.Go(func() {
		for {
			near, err := l.Accept()
			if err != nil {
				return
			}
			far, err := (&net.Dialer{}).DialContext(context.Background(), "tcp", w.server)
			if err != nil {
				_ = near.Close()
				continue
			}
			w.carry(near, far)
		}
	})
}

func (w *wire) carry(near, far net.Conn) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.listen == nil { // pulled out meanwhile
		_, _ = near.Close(), far.Close()
		return
	}
	w.conns[near], w.conns[far] = true, true
	for _, d := range [][2]net.Conn{{near, far}, {far, near}} {
		w.wait.Go(func() {
			_, _ = io.Copy(d[0], d[1])
			_, _ = near.Close(), far.Close()
			w.mu.Lock()
			defer w.mu.Unlock()
			delete(w.conns, d[0])
		})
	}
}

// pull pulls the cable out.
func (w *wire) pull() {
	w.mu.Lock()
	if w.listen != nil {
		_ = w.listen.Close()
		w.listen = nil
	}
	for c := range w.conns {
		_ = c.Close()
	}
	w.mu.Unlock()
	w.wait.Wait()
}
