package whoop_test

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"limsbridge/whoop"
	"limsbridge/whoop/sandbox"
)

// networks are the ways from client to server on which the rules must hold.
var networks = []string{"plain", "tls", "proxy", "memory", "memory tls"}

// link serves handler on a network and returns the options of a client that reaches it. Close is
// a test cleanup, unless the caller is in a synctest bubble and calls stop itself.
func link(t testing.TB, network string, handler http.Handler) (o whoop.Options, stop func()) {
	t.Helper()
	o = whoop.Options{ClientID: sandbox.DefaultClientID, ClientSecret: sandbox.DefaultClientSecret}
	var l net.Listener
	if memory := strings.HasPrefix(network, "memory"); memory {
		m := &memoryNet{conns: make(chan net.Conn), closed: make(chan struct{})}
		l, o.DialContext = m, m.dial
	} else {
		var err error
		if l, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
			t.Fatal(err)
		}
	}
	o.BaseURL = "http://" + l.Addr().String() + "/developer"
	stops := []func(){}
	if network == "proxy" {
		p := startProxy(t)
		o.Proxy = "http://" + p.Addr().String()
		stops = append(stops, func() { p.Close() })
	}
	if network != "plain" && network != "memory" {
		cert, root := certificate(t)
		l = tls.NewListener(l, &tls.Config{Certificates: []tls.Certificate{cert}, NextProtos: []string{"h2", "http/1.1"}})
		o.RootCAs = []*x509.Certificate{root}
		o.BaseURL = strings.Replace(o.BaseURL, "http:", "https:", 1)
	}
	server := &http.Server{Handler: handler, ErrorLog: log.New(io.Discard, "", 0)}
	served := make(chan struct{})
	go func() { defer close(served); _ = server.Serve(l) }()
	stops = append(stops, func() { _ = server.Close(); <-served })
	return o, func() {
		for _, s := range stops {
			s()
		}
	}
}

func newClient(t testing.TB, o whoop.Options) *whoop.Client {
	t.Helper()
	c, err := whoop.New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func permit(t testing.TB, c *whoop.Client) whoop.Permit {
	t.Helper()
	p, err := c.Permit(context.Background(), whoop.Finals)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// order puts one attended order of one test into the sandbox.
func order(t testing.TB, api *sandbox.Server) (requisition, request uuid.UUID) {
	t.Helper()
	orders := []sandbox.Order{{Code: "LIPID_PANEL", BusinessStatus: "APPOINTMENT_ATTENDED"}}
	id, err := api.AddRequisition(sandbox.Requisition{Patient: patient, ServiceRequests: orders})
	if err != nil {
		t.Fatal(err)
	}
	return id, orders[0].ID
}

var patient = sandbox.Patient{
	ID: "patient-sentinel-4711", FirstName: "Sentinelfirst", LastName: "Sentinellast", BirthDate: "1971-02-28",
	Email: "sentinel@example.org", Phone: "+1555sentinel", NationalID: "sentinel-national",
}

var report = whoop.Report{Status: whoop.ReportFinal, Observations: []whoop.Observation{
	{Code: "TOTAL_CHOLESTEROL", Numeric: "187.4018740", Unit: "mg/dL", Status: whoop.ObservationFinal},
	{Code: "HDL", Text: "sentinel<0.5value", Unit: "mg/dL", Status: whoop.ObservationFinal},
}}

// memoryNet is a network of connections in memory, for virtual time.
type memoryNet struct {
	conns  chan net.Conn
	closed chan struct{}
	once   sync.Once
}

type memoryAddr struct{}

func (memoryAddr) Network() string { return "memory" }
func (memoryAddr) String() string  { return "127.0.0.1:443" }

func (m *memoryNet) Addr() net.Addr { return memoryAddr{} }
func (m *memoryNet) Close() error   { m.once.Do(func() { close(m.closed) }); return nil }

func (m *memoryNet) Accept() (net.Conn, error) {
	select {
	case c := <-m.conns:
		return c, nil
	case <-m.closed:
		return nil, net.ErrClosed
	}
}

func (m *memoryNet) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	ours, theirs := net.Pipe()
	select {
	case m.conns <- theirs:
		return ours, nil
	case <-m.closed:
		return nil, net.ErrClosed
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// startProxy runs an HTTP proxy that opens tunnels.
func startProxy(t testing.TB) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				in := bufio.NewReader(c)
				r, err := http.ReadRequest(in)
				if err != nil || r.Method != http.MethodConnect {
					return
				}
				far, err := net.Dial("tcp", r.Host)
				if err != nil {
					_, _ = io.WriteString(c, "HTTP/1.1 502 Bad Gateway\r\n\r\n")
					return
				}
				defer far.Close()
				_, _ = io.WriteString(c, "HTTP/1.1 200 Connection established\r\n\r\n")
				go func() { _, _ = io.Copy(far, in); _ = far.Close() }()
				_, _ = io.Copy(c, far)
			}()
		}
	}()
	return l
}

// certificate makes a certificate for 127.0.0.1 that is its own root, and valid in virtual time.
var certificate = func() func(testing.TB) (tls.Certificate, *x509.Certificate) {
	var once sync.Once
	var cert tls.Certificate
	var root *x509.Certificate
	return func(t testing.TB) (tls.Certificate, *x509.Certificate) {
		t.Helper()
		once.Do(func() {
			key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
			if err != nil {
				t.Fatal(err)
			}
			template := &x509.Certificate{
				SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "Inspection CA of Example Lab"},
				NotBefore: time.Date(1990, 1, 1, 0, 0, 0, 0, time.UTC), NotAfter: time.Date(2200, 1, 1, 0, 0, 0, 0, time.UTC),
				IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
				KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
			}
			der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
			if err != nil {
				t.Fatal(err)
			}
			if root, err = x509.ParseCertificate(der); err != nil {
				t.Fatal(err)
			}
			cert = tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
		})
		return cert, root
	}
}()
