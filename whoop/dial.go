package whoop

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"time"
)

// connectTimeout bounds everything before the first request: name, TCP, proxy and handshake.
const connectTimeout = 15 * time.Second

// dialer makes connections that count what is written to them. net/http's own proxy code is not
// used, because there TLS would begin above our counting.
type dialer struct {
	dial  func(ctx context.Context, network, addr string) (net.Conn, error)
	proxy *url.URL // nil: direct
	tls   *tls.Config
	seen  func([]*x509.Certificate) // of every handshake; nil: nobody
}

// ProxyError says that the proxy refused to open a tunnel.
type ProxyError struct{ Code int }

// Error says what to ask for.
func (e *ProxyError) Error() string {
	if e.Code == http.StatusProxyAuthRequired {
		return "the proxy asks for a login (407): NTLM and Kerberos are not supported; ask for a rule that lets this machine reach WHOOP without login, or put a basic login into the proxy setting"
	}
	return fmt.Sprintf("the proxy refused the tunnel (%d): ask for a rule that lets this machine reach WHOOP", e.Code)
}

// Plain connects for a plain http base address (loopback only).
func (d *dialer) Plain(ctx context.Context, network, addr string) (net.Conn, error) {
	raw, err := d.tunnel(ctx, network, addr)
	if err != nil {
		return nil, err
	}
	return &conn{Conn: raw, raw: raw}, nil
}

// TLS connects and shakes hands.
func (d *dialer) TLS(ctx context.Context, network, addr string) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, connectTimeout)
	defer cancel()
	raw, err := d.tunnel(ctx, network, addr)
	if err != nil {
		return nil, err
	}
	cfg := d.tls.Clone()
	if cfg.ServerName, _, err = net.SplitHostPort(addr); err != nil {
		_ = raw.Close()
		return nil, err
	}
	t := tls.Client(raw, cfg)
	if err := t.HandshakeContext(ctx); err != nil {
		_ = raw.Close()
		return nil, err
	}
	if d.seen != nil {
		d.seen(t.ConnectionState().PeerCertificates)
	}
	return &conn{Conn: t, raw: raw}, nil
}

// tunnel connects to addr, through the proxy where there is one.
func (d *dialer) tunnel(ctx context.Context, network, addr string) (*rawConn, error) {
	ctx, cancel := context.WithTimeout(ctx, connectTimeout)
	defer cancel()
	if d.proxy == nil {
		c, err := d.dial(ctx, network, addr)
		if err != nil {
			return nil, err
		}
		return &rawConn{Conn: c}, nil
	}
	c, err := d.dial(ctx, network, hostPort(d.proxy))
	if err != nil {
		return nil, err
	}
	stop := context.AfterFunc(ctx, func() { _ = c.SetDeadline(time.Unix(1, 0)) })
	err = connect(c, d.proxy.User, addr)
	if !stop() && err == nil {
		err = ctx.Err()
	}
	if err != nil {
		_ = c.Close()
		return nil, err
	}
	return &rawConn{Conn: c}, nil
}

// connect asks the proxy at the other end of c for a tunnel (RFC 9110, 9.3.6).
func connect(c net.Conn, login *url.Userinfo, addr string) error {
	head := "CONNECT " + addr + " HTTP/1.1\r\nHost: " + addr + "\r\n"
	if login != nil {
		password, _ := login.Password()
		head += "Proxy-Authorization: Basic " + base64.StdEncoding.EncodeToString([]byte(login.Username()+":"+password)) + "\r\n"
	}
	if _, err := io.WriteString(c, head+"\r\n"); err != nil {
		return err
	}
	// The other end does not speak before we do, so nothing of it is lost in this buffer.
	in := bufio.NewReader(io.LimitReader(c, 64<<10))
	resp, err := http.ReadResponse(in, &http.Request{Method: http.MethodConnect}) //nolint:bodyclose // what follows belongs to the tunnel
	if err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK {
		return &ProxyError{Code: resp.StatusCode}
	}
	return nil
}

// hostPort is the address of u with the port that its scheme implies.
func hostPort(u *url.URL) string {
	port := u.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[u.Scheme]
	}
	return net.JoinHostPort(u.Hostname(), port)
}

// roots is the system's certificate pool with the file's and the given certificates added.
func roots(file string, more []*x509.Certificate) (*x509.CertPool, error) {
	if file == "" && len(more) == 0 {
		return nil, nil // the system's own
	}
	pool, err := x509.SystemCertPool()
	if err != nil {
		pool = x509.NewCertPool()
	}
	for _, c := range more {
		pool.AddCert(c)
	}
	if file == "" {
		return pool, nil
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("ca_file: %w", err)
	}
	found := 0
	for {
		var block *pem.Block
		if block, text = pem.Decode(text); block == nil {
			break
		}
		if block.Type != "CERTIFICATE" {
			continue
		}
		c, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("ca_file %s: certificate %d cannot be read", file, found+1)
		}
		pool.AddCert(c)
		found++
	}
	if found == 0 {
		return nil, errors.New("ca_file " + file + ": no certificate in PEM form (-----BEGIN CERTIFICATE-----); export it as Base-64 X.509")
	}
	return pool, nil
}
