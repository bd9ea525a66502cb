package lims

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/binary"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// listener is Oracle's listener as far as it comes before a login: what it does with the first packet of
// each connection is its answer's. What it was sent arrives in asked.
type listener struct {
	port  int
	asked chan string
}

func newListener(t *testing.T, secure *tls.Config, answer func(net.Conn)) *listener {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ln.Close() })
	l := &listener{ln.Addr().(*net.TCPAddr).Port, make(chan string, 8)}
	if secure != nil {
		ln = tls.NewListener(ln, secure)
	}
	go func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				head := make([]byte, 8) // length, checksum, type, flags, checksum
				if _, err := io.ReadFull(c, head); err != nil {
					return
				}
				if head[0] == 0x16 && secure == nil { // it was asked in TLS
					answer(c)
					return
				}
				rest := make([]byte, max(int(binary.BigEndian.Uint16(head))-8, 0))
				if _, err := io.ReadFull(c, rest); err != nil {
					return
				}
				l.asked <- string(rest)
				answer(c)
			}()
		}
	}()
	return l
}

// refuse is a REFUSE packet (type 4) with one of the listener's errors.
func refuse(code int) func(net.Conn) {
	return func(c net.Conn) {
		data := fmt.Sprintf("(DESCRIPTION=(TMP=)(VSNNUM=318767104)(ERR=%d)(ERROR_STACK=(ERROR=(CODE=%d)(EMFI=4))))", code, code)
		p := []byte{0, 0, 0, 0, 4, 0, 0, 0, 34, 0}
		p = binary.BigEndian.AppendUint16(p, uint16(len(data)))
		p = append(p, data...)
		binary.BigEndian.PutUint16(p, uint16(len(p)))
		_, _ = c.Write(p)
		_, _ = c.Read(make([]byte, 1)) // the client hangs up
	}
}

// company is an authority and a server certificate of its own for 127.0.0.1.
func company(t *testing.T) (server *tls.Config, caFile string) {
	t.Helper()
	make := func(template, parent *x509.Certificate, by *ecdsa.PrivateKey) ([]byte, *ecdsa.PrivateKey) {
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		if by == nil {
			by = key
		}
		template.NotBefore, template.NotAfter = time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
		der, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), by)
		if err != nil {
			t.Fatal(err)
		}
		return der, key
	}
	ca := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "company"}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}
	caDER, caKey := make(ca, ca, nil)
	leaf := &x509.Certificate{SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "lims"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, DNSNames: []string{"lims01"}}
	der, key := make(leaf, ca, caKey)
	caFile = filepath.Join(t.TempDir(), "company.pem")
	if err := os.WriteFile(caFile, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: caDER}), 0o600); err != nil {
		t.Fatal(err)
	}
	return &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}, caFile
}

// The real driver against a listener that refuses, hangs, cuts, or is not there. No error shows the password.
func TestOracleListener(t *testing.T) {
	const secret = "SENTINEL-hunter2"
	secure, caFile := company(t)
	hang := func(c net.Conn) { _, _ = io.Copy(io.Discard, c) }
	cut := func(net.Conn) {}
	for _, test := range []struct {
		name   string
		secure *tls.Config
		answer func(net.Conn)
		change func(*Options)
		want   any
		text   string
	}{
		{"the service is unknown", nil, refuse(12514), nil, new(*Misfit), "ORA-12514"},
		{"the SID is unknown", nil, refuse(12505), func(o *Options) { o.Database, o.SID = "", "LIMS" }, new(*Misfit), "check sid"},
		{"an ACL", nil, refuse(12506), nil, new(*Misfit), "ACL"},
		{"the instance starts", nil, refuse(12528), nil, new(*Unavailable), "ORA-12528"},
		{"it hangs", nil, hang, func(o *Options) { o.QueryTimeout = 200 * time.Millisecond }, new(*Unavailable), "let nobody in"},
		{"it cuts", nil, cut, nil, new(*Unavailable), "broke"},
		{"nobody listens", nil, cut, func(o *Options) { o.Port = 1 }, new(*Unavailable), "port 1"},
		{"TLS, and then unknown", secure, refuse(12514), func(o *Options) { o.Encrypt, o.CAFile = EncryptVerified, caFile }, new(*Misfit), "ORA-12514"},
		{"another name, which is written", secure, refuse(12514), func(o *Options) { o.Encrypt, o.CAFile, o.ServerName = EncryptVerified, caFile, "lims01" }, new(*Misfit), "ORA-12514"},
		{"another name", secure, refuse(12514), func(o *Options) { o.Encrypt, o.CAFile, o.ServerName = EncryptVerified, caFile, "lims02" }, new(*Misfit), "for another name (lims01, 127.0.0.1)"},
		{"an authority that nobody knows", secure, refuse(12514), func(o *Options) { o.Encrypt = EncryptVerified }, new(*Misfit), "is not trusted"},
		{"TLS where there is none", nil, cut, func(o *Options) { o.Encrypt = EncryptVerified }, new(*Unavailable), "TCPS"},
		{"TLS where the listener waits", nil, hang, func(o *Options) { o.Encrypt, o.QueryTimeout = EncryptVerified, 200*time.Millisecond }, new(*Unavailable), "TCPS"},
		{"no encryption to be had", nil, refuse(12660), func(o *Options) { o.Encrypt = EncryptNative }, new(*Misfit), "SQLNET.ENCRYPTION_SERVER"},
	} {
		t.Run(test.name, func(t *testing.T) {
			l := newListener(t, test.secure, test.answer)
			o := Options{Type: Oracle, Server: "127.0.0.1", Port: l.port, Database: "LIMS.example.org", User: "limsbridge_ro", Password: func() (string, error) { return secret, nil },
				Orders: Query{View: "whoop.orders"}, Results: Query{View: "whoop.results"}}
			if test.change != nil {
				test.change(&o)
			}
			r, err := Open(o)
			if err != nil {
				t.Fatal(err)
			}
			defer r.Close()
			_, err = r.Now(t.Context())
			if !errors.As(err, test.want) || !contains(err, test.text) || contains(err, secret) {
				t.Errorf("got %T %v", err, err)
			}
			select {
			case asked := <-l.asked:
				if !strings.Contains(asked, "=LIMS") || !strings.Contains(asked, "(PROGRAM=limsbridge)") || strings.Contains(asked, secret) {
					t.Errorf("it was asked for %q", asked)
				}
			default:
			}
		})
	}
}

// Whether Oracle's own encryption is in force is seen on what is written: no statement may be readable.
func TestOracleSeesWhatCouldBeRead(t *testing.T) {
	for written, readable := range map[string]bool{"\x06\x00ALTER SESSION SET NLS_LANGUAGE='AMERICAN'": true, "\x06\x00\x8f\x12ALTER\x00SESSION": false, "": false} {
		here, there := net.Pipe()
		go func() { _, _ = io.Copy(io.Discard, there) }()
		h := heard{here, new(atomic.Bool)}
		if _, err := h.Write([]byte(written)); err != nil {
			t.Fatal(err)
		}
		here.Close()
		if h.readable.Load() != readable {
			t.Errorf("%q is taken for readable: %t", written, !readable)
		}
	}
}
