package conform_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"io"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"limsbridge/lims"
)

// authority signs certificates for servers.
type authority struct {
	key  *ecdsa.PrivateKey
	cert *x509.Certificate
	file string // PEM
}

func newAuthority(t testing.TB) *authority {
	t.Helper()
	a := &authority{key: newKey(t), file: filepath.Join(t.TempDir(), "company-ca.pem")}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "Company CA"}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-24 * time.Hour), NotAfter: time.Now().Add(24 * time.Hour), KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, a.key.Public(), a.key)
	if err != nil {
		t.Fatal(err)
	}
	if a.cert, err = x509.ParseCertificate(der); err != nil {
		t.Fatal(err)
	}
	writePEM(t, a.file, der)
	return a
}

func newKey(t testing.TB) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func writePEM(t testing.TB, path string, der []byte) {
	t.Helper()
	if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
}

// sign returns a certificate for a name that is valid until then.
func (a *authority) sign(t testing.TB, name string, until time.Time) tls.Certificate {
	t.Helper()
	key := newKey(t)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name}, DNSNames: []string{name},
		NotBefore: time.Now().Add(-12 * time.Hour), NotAfter: until, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, key.Public(), a.key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

// encrypted stands before a server, speaks TLS with the reader as its configuration of the moment says, and plainly with
// the server.
type encrypted struct {
	kind, server string
	config       atomic.Pointer[tls.Config] // nil: the hello of a server that knows TLS 1.0 only
}

// newEncrypted returns the options of the encrypted end.
func newEncrypted(t testing.TB, d database) (*encrypted, lims.Options) {
	t.Helper()
	o := d.options()
	e := &encrypted{kind: d.kind(), server: net.JoinHostPort(o.Server, strconv.Itoa(o.Port))}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			client, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer client.Close()
				server, err := net.Dial("tcp", e.server)
				if err != nil {
					return
				}
				defer server.Close()
				if e.kind == lims.MySQL {
					e.mysql(client, server)
				} else {
					e.postgres(client, server)
				}
			}()
		}
	}()
	o.Server, o.Port, o.Encrypt = "127.0.0.1", l.Addr().(*net.TCPAddr).Port, lims.EncryptVerified
	return e, o
}

// handshake returns the connection once it is encrypted.
func (e *encrypted) handshake(client net.Conn) (net.Conn, error) {
	c := e.config.Load()
	if c == nil {
		hello := append([]byte{22, 3, 1, 0, 42, 2, 0, 0, 38, 3, 1}, make([]byte, 32)...) // RFC 2246, 7.4.1.3: version 1.0, random
		_, _ = client.Write(append(hello, 0, 0, 0x2f, 0))                                // no session, a suite, no compression
		_, _ = io.Copy(io.Discard, client)
		return nil, errors.New("the reader hung up")
	}
	s := tls.Server(client, c)
	err := s.Handshake()
	return s, err
}

// postgres: the reader asks for TLS with one message (PostgreSQL manual, 55.7, SSLRequest).
func (e *encrypted) postgres(client, server net.Conn) {
	if _, err := io.ReadFull(client, make([]byte, 8)); err != nil {
		return
	}
	if _, err := client.Write([]byte{'S'}); err != nil {
		return
	}
	if secure, err := e.handshake(client); err == nil {
		relay(secure, server)
	}
}

// mysql: the server's greeting offers TLS, the reader's short answer takes it; what the server does not know of is left out,
// also in the numbers of the packets, until the login is over.
func (e *encrypted) mysql(client, server net.Conn) {
	const offersTLS = 0x08 // in the second byte of the capabilities
	greeting, err := packet(server)
	if err != nil {
		return
	}
	end := bytes.IndexByte(greeting[5:], 0) // of the version's name
	greeting[5+end+1+4+8+1+1] |= offersTLS
	if _, err := client.Write(greeting); err != nil {
		return
	}
	if _, err := packet(client); err != nil {
		return
	}
	secure, err := e.handshake(client)
	if err != nil {
		return
	}
	for first := true; ; first = false {
		answer, err := packet(secure)
		if err != nil {
			return
		}
		if answer[3]--; first {
			answer[4+1] &^= offersTLS
		}
		if _, err := server.Write(answer); err != nil {
			return
		}
		said, err := packet(server)
		if err != nil {
			return
		}
		said[3]++
		if _, err := secure.Write(said); err != nil {
			return
		}
		if said[4] == 0 || said[4] == 0xff { // in or out
			break
		}
	}
	relay(secure, server)
}

// packet reads one packet: three bytes of length, a number, and so many bytes.
func packet(c net.Conn) ([]byte, error) {
	head := make([]byte, 4)
	if _, err := io.ReadFull(c, head); err != nil {
		return nil, err
	}
	body := make([]byte, int(head[0])|int(head[1])<<8|int(head[2])<<16)
	_, err := io.ReadFull(c, body)
	if err == nil && len(body) == 0 {
		err = io.ErrUnexpectedEOF
	}
	return slices.Concat(head, body), err
}

// relay carries both ways until one side ends.
func relay(client, server net.Conn) {
	go func() {
		_, _ = io.Copy(server, client)
		server.Close()
	}()
	_, _ = io.Copy(client, server)
	client.Close()
}

// Each thing that is wrong with a certificate or with the TLS version is told with its cause and what to do,
// and when it is mended on the server the same reader goes on by itself.
func TestCertificates(t *testing.T) {
	const name = "lims.example.org"
	company, other := newAuthority(t), newAuthority(t)
	tomorrow := time.Now().Add(20 * time.Hour)
	good := company.sign(t, name, tomorrow)
	pinned := filepath.Join(t.TempDir(), "server.pem")
	writePEM(t, pinned, good.Certificate[0])
	serve := func(c tls.Certificate) *tls.Config {
		return &tls.Config{Certificates: []tls.Certificate{c}, MinVersion: tls.VersionTLS10} // old on purpose
	}
	oldOnly := serve(good)
	oldOnly.MaxVersion = tls.VersionTLS11
	verified := func(o *lims.Options) { o.CAFile, o.ServerName = company.file, name }
	tests := []struct {
		name   string
		change func(*lims.Options)
		server *tls.Config
		words  []string // nil: it works
	}{
		{"verified", verified, serve(good), nil},
		{"expired", verified, serve(company.sign(t, name, time.Now().Add(-time.Hour))), []string{"not valid now", "expired", "renewed"}},
		{"of another issuer", verified, serve(other.sign(t, name, tomorrow)), []string{"not trusted", "Company CA", "ca_file"}},
		{"for another name", verified, serve(company.sign(t, "elsewhere.example.org", tomorrow)), []string{"for another name", "elsewhere.example.org", "as server"}},
		{"TLS too old, as the server says", verified, oldOnly, []string{"no TLS version that is allowed here", "tls_min"}},
		{"TLS too old, as the reader says", verified, nil, []string{"no TLS version that is allowed here", "tls_min"}},
		{"old TLS where it is allowed", func(o *lims.Options) { verified(o); o.TLSMin = "1.0" }, oldOnly, nil},
		{"pinned", func(o *lims.Options) { o.CertFile = pinned }, serve(good), nil},
		{"another than the pinned one", func(o *lims.Options) { o.CertFile = pinned }, serve(company.sign(t, name, tomorrow)), []string{"not the one in lims.certificate"}},
		{"any, where that is written", func(o *lims.Options) { o.Encrypt = lims.EncryptUnverified }, serve(other.sign(t, "x", time.Now().Add(-time.Hour))), nil},
	}
	for _, kind := range []string{lims.Postgres, lims.MySQL} {
		t.Run(kind, func(t *testing.T) {
			d := database{lab: openServer(t, kind)}
			d.results(t, "id", "stamp")
			d.put(t, 1, stampAgo(time.Hour))
			e, o := newEncrypted(t, d)
			for _, test := range tests {
				t.Run(test.name, func(t *testing.T) {
					r := d.reader(t, func(own *lims.Options) {
						o := o
						o.Orders, o.Results = own.Orders, own.Results
						test.change(&o)
						*own = o
					})
					e.config.Store(test.server)
					ids, _, err := read(t, r, lims.Cursor{}, 0)
					if test.words == nil {
						if err != nil || !slices.Equal(ids, []string{"1"}) {
							t.Errorf("got %v, %v", ids, err)
						}
						return
					}
					if _, ok := errors.AsType[*lims.Misfit](err); !ok {
						t.Fatalf("got %T %v, want a Misfit", err, err)
					}
					for _, w := range test.words {
						if !strings.Contains(err.Error(), w) {
							t.Errorf("%q is not said in: %v", w, err)
						}
					}
					e.config.Store(serve(good))
					if ids, _, err := read(t, r, lims.Cursor{}, 0); err != nil || !slices.Equal(ids, []string{"1"}) {
						t.Errorf("once it is mended: %v, %v", ids, err)
					}
				})
			}
		})
	}
}
