package tdstest

import (
	"bytes"
	"context"
	"crypto/tls"
	"net"
)

// wrapped is a connection on which a TLS handshake travels inside of pre-login packets, [MS-TDS]
// 2.2.6.5, and everything after it as it is.
type wrapped struct {
	net.Conn
	inside bool
	unread bytes.Buffer
}

// Read hands out the body of one packet after the other.
func (w *wrapped) Read(p []byte) (int, error) {
	if !w.inside {
		return w.Conn.Read(p)
	}
	if w.unread.Len() == 0 {
		m, err := readMessage(w.Conn)
		if err != nil {
			return 0, err
		}
		w.unread.Write(m.body)
	}
	return w.unread.Read(p)
}

// Write sends a packet.
func (w *wrapped) Write(p []byte) (int, error) {
	if !w.inside {
		return w.Conn.Write(p)
	}
	if _, err := w.Conn.Write(packets(packPrelogin, p, true)); err != nil {
		return 0, err
	}
	return len(p), nil
}

// handshake makes the connection a TLS one.
func handshake(ctx context.Context, conn net.Conn, config *tls.Config) (net.Conn, error) {
	w := &wrapped{Conn: conn, inside: true}
	secured := tls.Server(w, config)
	if err := secured.HandshakeContext(ctx); err != nil {
		return nil, err
	}
	w.inside = false
	return secured, nil
}
