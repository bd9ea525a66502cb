package lims

import (
	"context"
	"net"
	"sync"
	"time"
)

// keepAlive is how often an idle connection is asked for a sign of life.
const keepAlive = 30 * time.Second

// dialer opens a driver's connections. Until the login is done it closes them when the context ends: the driver
// itself would wait for ever for a server that says nothing.
type dialer struct {
	net.Dialer
	ctx context.Context

	mu   sync.Mutex // several addresses of one name are dialled at a time
	stop []func() bool
	all  []net.Conn // the driver closes all but one, which it does not tell
}

func newDialer(ctx context.Context) *dialer {
	return &dialer{ctx: ctx, Dialer: net.Dialer{KeepAlive: keepAlive}}
}

// DialContext opens a connection.
func (d *dialer) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	c, err := d.Dialer.DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.stop = append(d.stop, context.AfterFunc(d.ctx, func() { c.Close() }))
	d.all = append(d.all, c)
	return c, nil
}

// connected says that the login is over.
func (d *dialer) connected() {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, stop := range d.stop {
		stop()
	}
}

// close closes the socket below the driver.
func (d *dialer) close() {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, c := range d.all {
		c.Close()
	}
}
