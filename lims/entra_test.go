package lims

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"
)

// microsoft is Entra as far as a token needs it, and the endpoint that gives machines theirs.
type microsoft struct {
	code string // of the error that it answers with; "" is a token

	mu    sync.Mutex
	asked []string // host and path
	form  url.Values
}

// Do answers in the network's stead.
func (m *microsoft) Do(r *http.Request) (*http.Response, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	answer := func(status int, format string, args ...any) (*http.Response, error) {
		return &http.Response{StatusCode: status, Header: http.Header{"Content-Type": {"application/json"}}, Request: r, Body: io.NopCloser(strings.NewReader(fmt.Sprintf(format, args...)))}, nil
	}
	m.asked = append(m.asked, r.URL.Host+r.URL.Path)
	switch host := r.URL.Host; {
	case strings.HasSuffix(r.URL.Path, "/instance"):
		return answer(200, `{"tenant_discovery_endpoint": "https://%s/tenant/v2.0/.well-known/openid-configuration", "metadata": []}`, host)
	case strings.HasSuffix(r.URL.Path, "/openid-configuration"):
		return answer(200, `{"token_endpoint": "https://%[1]s/tenant/oauth2/v2.0/token", "authorization_endpoint": "https://%[1]s/tenant/a", "issuer": "https://%[1]s/tenant/v2.0"}`, host)
	case host == "169.254.169.254":
		m.form = r.URL.Query()
		return answer(200, `{"access_token": "the token", "expires_in": "3600", "expires_on": "%d", "resource": "x", "token_type": "Bearer"}`, time.Now().Add(time.Hour).Unix())
	}
	b, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	if m.form, err = url.ParseQuery(string(b)); err != nil {
		return nil, err
	}
	if m.code != "" {
		return answer(400, `{"error": "invalid_client", "error_description": "%s: SENTINEL Trace ID: x", "error_codes": [7000215]}`, m.code)
	}
	return answer(200, `{"access_token": "the token", "expires_in": 3600, "token_type": "Bearer"}`)
}

// nobody is a network that is not there.
type nobody struct{}

func (nobody) Do(*http.Request) (*http.Response, error) { return nil, errors.New("no route") }

const authority = "https://login.microsoftonline.com/tenant"

// A token is asked of Microsoft's authority for the server's resource, as the application or as the machine.
func TestEntraTokens(t *testing.T) {
	secret := func() (string, error) { return "", nil }
	certificate := clientCertificate(t)
	for _, test := range []struct {
		name      string
		o         Options
		authority string
		at        string // where the token was asked for
		form      map[string]string
	}{
		{"a secret", Options{User: "app@tenant", Password: secret}, authority, "login.microsoftonline.com/tenant/oauth2/v2.0/token",
			map[string]string{"client_id": "app", "client_secret": "hunter2", "grant_type": "client_credentials", "scope": "https://database.windows.net//.default openid offline_access profile"}},
		{"a secret, and the tenant that the server names", Options{User: "app", Password: secret}, authority, "login.microsoftonline.com/tenant/oauth2/v2.0/token", map[string]string{"client_id": "app"}},
		{"a certificate", Options{User: "app@tenant", ClientCert: certificate}, authority, "login.microsoftonline.com/tenant/oauth2/v2.0/token",
			map[string]string{"client_id": "app", "client_secret": "", "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"}},
		{"another cloud", Options{User: "app@tenant", Password: secret}, "https://login.microsoftonline.us/tenant", "login.microsoftonline.us/tenant/oauth2/v2.0/token", map[string]string{"client_id": "app"}},
		{"the machine", Options{}, authority, "169.254.169.254/metadata/identity/oauth2/token", map[string]string{"resource": "https://database.windows.net/", "client_id": ""}},
		{"the machine's other identity", Options{User: "identity"}, authority, "169.254.169.254/metadata/identity/oauth2/token", map[string]string{"client_id": "identity"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			m := &microsoft{}
			e := entra{o: test.o, secret: "hunter2", transport: m}
			if test.o.ClientCert != "" {
				e.secret = ""
			}
			token, err := e.token(t.Context(), "https://database.windows.net/", test.authority)
			if err != nil || token != "the token" || len(m.asked) == 0 || m.asked[len(m.asked)-1] != test.at {
				t.Fatalf("got %q, %v, asked %q", token, err, m.asked)
			}
			for name, want := range test.form {
				if m.form.Get(name) != want {
					t.Errorf("%s is %q, want %q", name, m.form.Get(name), want)
				}
			}
			if assertion := m.form.Get("client_assertion"); (test.o.ClientCert != "") != (strings.Count(assertion, ".") == 2) {
				t.Errorf("the assertion is %q", assertion)
			}
		})
	}
}

// A secret goes to Microsoft alone, whatever a server names as its authority.
func TestEntraForeignAuthority(t *testing.T) {
	for _, foreign := range []string{"https://login.example.org/tenant", "http://login.microsoftonline.com/tenant", "https://login.microsoftonline.com.example.org/tenant", "https://login.microsoftonline.com@example.org/tenant", "::", ""} {
		m := &microsoft{}
		_, err := entra{o: Options{User: "app", Password: func() (string, error) { return "", nil }}, secret: "hunter2", transport: m}.token(t.Context(), "https://database.windows.net/", foreign)
		if len(m.asked) > 0 || !contains(explainEntra(err), "not Microsoft's") {
			t.Errorf("%s: %v, asked %q", foreign, err, m.asked)
		}
	}
}

// What Entra refuses is told by its number, without its text.
func TestEntraErrors(t *testing.T) {
	app := Options{User: "app@tenant", Password: func() (string, error) { return "", nil }}
	for code, says := range map[string]string{"AADSTS7000215": "not its id", "AADSTS7000222": "expired", "AADSTS700016": "does not know the application", "AADSTS90002": "no such tenant",
		"AADSTS700027": "certificate", "AADSTS53003": "Conditional Access", "AADSTS12345": "AADSTS12345", "temporarily": "HTTP status 400"} {
		_, err := entra{o: app, secret: "hunter2", transport: &microsoft{code: code}}.token(t.Context(), "https://database.windows.net/", authority)
		told := sqlServer{}.explain("", fmt.Errorf("driver: %w", err))
		if !contains(told, says) || contains(told, "SENTINEL") || contains(told, "hunter2") {
			t.Errorf("%s: got %v from %v", code, told, err)
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Second) // the library tries again, for longer
	defer cancel()
	_, err := entra{o: app, secret: "hunter2", transport: nobody{}}.token(ctx, "https://database.windows.net/", authority)
	if told := explainEntra(err); !contains(told, "does not answer") && !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("no network: got %v from %v", told, err)
	}
	if told := (sqlServer{}).explain("", errors.New("federated authentication is not supported by the server")); !contains(told, "does not know login: entra") {
		t.Errorf("got %v", told)
	}
	broken := entra{o: Options{User: "app", ClientCert: write(t, "app.pem", []byte("x"))}}
	if _, err := broken.token(t.Context(), "https://database.windows.net/", authority); !contains(err, "client_certificate") {
		t.Errorf("got %v", err)
	}
}

// clientCertificate is a file with an application's certificate and its key.
func clientCertificate(t *testing.T) string {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "limsbridge"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	b := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	return write(t, "app.pem", append(b, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: must(x509.MarshalPKCS8PrivateKey(key))})...))
}
