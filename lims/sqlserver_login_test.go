package lims

import (
	"crypto/rand"
	"crypto/rsa"
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
	"testing"
	"time"

	"github.com/jcmturner/gokrb5/v8/keytab"
	"github.com/jcmturner/gokrb5/v8/messages"
	"github.com/jcmturner/gokrb5/v8/types"
	mssql "github.com/microsoft/go-mssqldb"

	"limsbridge/lims/tdstest"
)

const keytabPassword = "SENTINEL-hunter2"

// keytabFile is a keytab of an account in EXAMPLE.ORG.
func keytabFile(t *testing.T, name string) string {
	t.Helper()
	kt := keytab.New()
	if err := kt.AddEntry(name, "EXAMPLE.ORG", keytabPassword, time.Now(), 1, 18); err != nil { // AES-256
		t.Fatal(err)
	}
	b, err := kt.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	return write(t, "limsbridge.keytab", b)
}

func write(t *testing.T, name string, b []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// krb5Conf is Kerberos's configuration with one directory server.
func krb5Conf(t *testing.T, kdc string) string {
	return write(t, "krb5.conf", []byte("includedir /etc/krb5.conf.d/\n[libdefaults]\n default_realm = EXAMPLE.ORG\n dns_lookup_kdc = false\n[realms]\n EXAMPLE.ORG = {\n  kdc = "+kdc+"\n }\n"))
}

// How each login is written becomes what the driver is told.
func TestSQLServerLogins(t *testing.T) {
	kt, conf := keytabFile(t, "limsbridge"), krb5Conf(t, "127.0.0.1:1")
	for _, test := range []struct {
		name           string
		o              Options
		user, password string
		authenticator  string
		realm          string
		says           string
	}{
		{"sql", Options{Login: LoginSQL, User: "limsbridge_ro"}, "limsbridge_ro", "secret", "", "", "sql: limsbridge_ro"},
		{"windows", Options{Login: LoginWindows}, "", "", "winsspi", "", "which asks for the service MSSQLSvc/LIMSSQL01.example.org:LABWARE"},
		{"windows, another name", Options{Login: LoginWindows, SPN: "MSSQLSvc/lims:1433"}, "", "", "winsspi", "", "which asks for the service MSSQLSvc/lims:1433"},
		{"kerberos", Options{Login: LoginKerberos, User: "limsbridge@EXAMPLE.ORG", Keytab: kt, Krb5Conf: conf}, "limsbridge", "", "krb5", "EXAMPLE.ORG",
			"kerberos: limsbridge@EXAMPLE.ORG from " + kt + ", which asks for the service MSSQLSvc/LIMSSQL01.example.org:LABWARE"},
		{"kerberos, the default realm", Options{Login: LoginKerberos, User: "limsbridge", Keytab: kt, Krb5Conf: conf, Server: "lims01", Port: 1499}, "limsbridge", "", "krb5", "EXAMPLE.ORG",
			"kerberos: limsbridge@EXAMPLE.ORG from " + kt + ", which asks for the service MSSQLSvc/lims01:1499"},
		{"entra, an application", Options{Login: LoginEntra, User: "app@tenant", Password: func() (string, error) { return "", nil }}, "", "", "", "", "entra: the application app of the tenant tenant, by a secret"},
		{"entra, a certificate", Options{Login: LoginEntra, User: "app", ClientCert: kt}, "", "", "", "", "entra: the application app of the tenant that the server names, by the certificate " + kt},
		{"entra, this machine", Options{Login: LoginEntra}, "", "", "", "", "entra: the managed identity of this machine"},
		{"entra, this machine's other", Options{Login: LoginEntra, User: "id"}, "", "", "", "", "entra: the managed identity id"},
	} {
		t.Run(test.name, func(t *testing.T) {
			o := test.o
			o.Type, o.Database = SQLServer, "LABWARE_PROD"
			if o.Server == "" {
				o.Server = `LIMSSQL01.example.org\LABWARE`
			}
			if o.Login != LoginWindows { // which is refused here
				var err error
				if o, err = o.withDefaults(); err != nil {
					t.Fatal(err)
				}
			}
			c, err := sqlServer{}.config(o, "secret")
			p := c.Parameters
			if err != nil || c.User != test.user || c.Password != test.password || p["authenticator"] != test.authenticator || p["krb5-realm"] != test.realm || c.ServerSPN != o.SPN {
				t.Errorf("%v: %+v", err, c)
			}
			if test.authenticator == "krb5" && (p["krb5-keytabfile"] != kt || p["krb5-configfile"] != conf) {
				t.Errorf("%v", p)
			}
			if _, err := (sqlServer{}).connector(c, o, "secret"); err != nil {
				t.Error(err)
			}
			if says := (&Reader{o: o}).LoginAs(); !strings.Contains(says, test.says) || strings.Contains(says, "secret ") {
				t.Errorf("it says %q, want %q", says, test.says)
			}
		})
	}
}

// What is wrong with a login is told before anybody is asked, and a keytab's keys are not.
func TestSQLServerLoginsRefused(t *testing.T) {
	kt, conf := keytabFile(t, "limsbridge"), krb5Conf(t, "127.0.0.1:1")
	open := write(t, "open.keytab", must(os.ReadFile(kt)))
	if err := os.Chmod(open, 0o644); err != nil {
		t.Fatal(err)
	}
	cut := write(t, "cut.keytab", must(os.ReadFile(kt))[:40])
	kerberos := Options{Login: LoginKerberos, User: "limsbridge@EXAMPLE.ORG", Keytab: kt, Krb5Conf: conf}
	entra := Options{Login: LoginEntra}
	for _, test := range []struct {
		name   string
		o      Options
		change func(*Options)
		says   string
	}{
		{"windows elsewhere", Options{Login: LoginWindows}, nil, "only where the bridge runs on Windows"},
		{"no keytab", kerberos, func(o *Options) { o.Keytab = "" }, "keytab is missing"},
		{"a keytab that is not there", kerberos, func(o *Options) { o.Keytab += "x" }, "is not there"},
		{"everybody's keytab", kerberos, func(o *Options) { o.Keytab = open }, "chmod 640"},
		{"a keytab that was cut", kerberos, func(o *Options) { o.Keytab = cut }, "is no keytab"},
		{"a text for a keytab", kerberos, func(o *Options) { o.Keytab = conf }, "is no keytab"},
		{"another's keytab", kerberos, func(o *Options) { o.User = "Limsbridge@EXAMPLE.ORG" }, "holds the keys of limsbridge@EXAMPLE.ORG, and none of Limsbridge@EXAMPLE.ORG"},
		{"no account", kerberos, func(o *Options) { o.User = "" }, "user is missing"},
		{"no configuration", kerberos, func(o *Options) { o.Krb5Conf += "x" }, "krb5_conf"},
		{"no realm", kerberos, func(o *Options) { o.User, o.Krb5Conf = "limsbridge", write(t, "krb5.conf", nil) }, "no realm"},
		{"kerberos elsewhere", kerberos, func(o *Options) { o.Type = Postgres }, "sqlserver only"},
		{"entra in the clear", entra, func(o *Options) { o.Encrypt = EncryptOff }, "token"},
		{"entra on this machine, which is in the clear", entra, func(o *Options) { o.Server = "localhost" }, "encrypt: verified"},
		{"an application without its id", entra, func(o *Options) { o.ClientCert = kt }, "user is missing"},
		{"a certificate that is not there", entra, func(o *Options) { o.User, o.ClientCert = "app", kt+"x" }, "client_certificate"},
		{"entra elsewhere", entra, func(o *Options) { o.Type = MySQL }, "sqlserver only"},
		{"another word", Options{Login: "ntlm"}, nil, "windows, sql, kerberos or entra"},
	} {
		t.Run(test.name, func(t *testing.T) {
			o := test.o
			o.Type, o.Server, o.Database, o.Orders, o.Results = SQLServer, "db", "d", Query{View: "o"}, Query{View: "r"}
			if test.change != nil {
				test.change(&o)
			}
			_, err := Open(o)
			var wrong *Misfit
			if !errors.As(err, &wrong) || !contains(err, test.says) || contains(err, keytabPassword) {
				t.Errorf("got %v, want %q", err, test.says)
			}
		})
	}
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// kdc is a directory server that refuses everybody with one of Kerberos's errors (RFC 4120, 7.5.9), and
// keeps whom it was asked for.
func kdc(t *testing.T, code int32) (address string, asked chan string) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ln.Close() })
	asked = make(chan string, 8)
	go func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				length := make([]byte, 4)
				if _, err := io.ReadFull(c, length); err != nil {
					return
				}
				b := make([]byte, binary.BigEndian.Uint32(length))
				if _, err := io.ReadFull(c, b); err != nil {
					return
				}
				var req messages.ASReq
				if err := req.Unmarshal(b); err != nil {
					asked <- err.Error()
					return
				}
				asked <- req.ReqBody.CName.PrincipalNameString() + "@" + req.ReqBody.Realm + " for " + req.ReqBody.SName.PrincipalNameString()
				e := messages.NewKRBError(types.NewPrincipalName(2, "krbtgt/EXAMPLE.ORG"), "EXAMPLE.ORG", code, "SENTINEL")
				answer, err := e.Marshal()
				if err != nil {
					asked <- err.Error()
					return
				}
				_, _ = c.Write(append(binary.BigEndian.AppendUint32(nil, uint32(len(answer))), answer...))
			}()
		}
	}()
	return ln.Addr().String(), asked
}

// The real driver is let in by nobody without a ticket: what the directory says is told in words. The server is
// the scripted one; it is reached, and the directory asked for the configured account.
func TestSQLServerKerberos(t *testing.T) {
	for _, test := range []struct {
		code int32
		want any
		says string
	}{
		{6, new(*Misfit), "does not know the account"},
		{7, new(*Misfit), "setspn -S"},
		{14, new(*Misfit), "AES"},
		{18, new(*Misfit), "locked or disabled"},
		{23, new(*Misfit), "expired"},
		{37, new(*Unavailable), "clocks"},
		{60, new(*Misfit), "ask its administrator"},
		{0, new(*Unavailable), "does not answer"},
	} {
		t.Run(fmt.Sprint(test.code), func(t *testing.T) {
			s := tdstest.Start(t, tdstest.Options{})
			address, asked := "127.0.0.1:1", make(chan string, 1)
			if test.code != 0 {
				address, asked = kdc(t, test.code)
			} else {
				asked <- "limsbridge@EXAMPLE.ORG for krbtgt/EXAMPLE.ORG"
			}
			r, err := Open(Options{Type: SQLServer, Server: s.Host, Port: s.Port, Database: "d", Login: LoginKerberos, User: "limsbridge@EXAMPLE.ORG", Keytab: keytabFile(t, "limsbridge"),
				Krb5Conf: krb5Conf(t, address), Encrypt: EncryptVerified, CAFile: s.CAFile, Orders: Query{View: "o"}, Results: Query{View: "r"}})
			if err != nil {
				t.Fatal(err)
			}
			defer r.Close()
			_, err = r.Now(t.Context())
			if !errors.As(err, test.want) || !contains(err, test.says) || contains(err, "SENTINEL") || contains(err, keytabPassword) {
				t.Errorf("got %T %v, want %q", err, err, test.says)
			}
			if who := <-asked; who != "limsbridge@EXAMPLE.ORG for krbtgt/EXAMPLE.ORG" {
				t.Errorf("the directory was asked as %s", who)
			}
		})
	}
	for text, says := range map[string]string{
		"KRB Error: (24) KDC_ERR_PREAUTH_FAILED Pre-authentication information was invalid": "new one made",
		"matching key not found in keytab. Looking for \"x\" realm: Y kvno: 3 etype: 23":    "all encryption types",
		"no KDC SRV records found for realm EXAMPLE.ORG":                                    "[realms]",
	} {
		if err := explainKerberos(errors.New(text)); !contains(err, says) {
			t.Errorf("%s: got %v", text, err)
		}
	}
	if err := explainKerberos(errors.New("something else")); err != nil {
		t.Errorf("got %v", err)
	}
}

// Whom SQL Server took a login for says what is to be done.
func TestSQLServerLoginFailed(t *testing.T) {
	for _, test := range []struct {
		number  int32
		message string
		says    []string
	}{
		{18456, "Login failed for user 'limsbridge_ro'.", []string{`"limsbridge_ro"`, "password"}},
		{18456, "Login failed for user ''.", []string{"got no identity", "setspn"}},
		{18456, `Login failed for user 'NT AUTHORITY\ANONYMOUS LOGON'.`, []string{"got no identity"}},
		{18456, `Login failed for user 'LAB\LIMSBRIDGE01$'.`, []string{"machine's account", `CREATE LOGIN [LAB\LIMSBRIDGE01$] FROM WINDOWS`}},
		{18456, "Login failed for user '<token-identified principal>'.", []string{"FROM EXTERNAL PROVIDER"}},
		{18452, "Login failed. The login is from an untrusted domain and cannot be used with Integrated authentication.", []string{"trust", "spn"}},
		{18470, "Login failed for user 'x'. Reason: The account is disabled.", []string{"ENABLE"}},
		{18486, "Login failed for user 'x' because the account is currently locked out.", []string{"UNLOCK"}},
		{18488, "Login failed for user 'x'.  Reason: The password of the account must be changed.", []string{"CHECK_EXPIRATION"}},
	} {
		err := sqlServer{}.explain("", mssql.Error{Number: test.number, Message: test.message})
		var wrong *Misfit
		for _, says := range append(test.says, fmt.Sprint(test.number)) {
			if !errors.As(err, &wrong) || !contains(err, says) {
				t.Errorf("%s: got %v, want %q", test.message, err, says)
			}
		}
	}
}

// sqlServerReader reads a scripted server.
func sqlServerReader(t *testing.T, s *tdstest.Server, change func(*Options)) *Reader {
	t.Helper()
	o := Options{Type: SQLServer, Server: s.Host, Port: s.Port, Database: "master", User: s.Reader.User, Password: func() (string, error) { return s.Reader.Password, nil },
		Encrypt: EncryptVerified, CAFile: s.CAFile, Orders: Query{View: "o"}, Results: Query{View: "r"}}
	if change != nil {
		change(&o)
	}
	r, err := Open(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close() })
	return r
}

// A certificate must prove the name, also where that is an address, which TLS does not tell.
func TestSQLServerCertificateOfAnotherAddress(t *testing.T) {
	authority, err := tdstest.NewAuthority("company")
	if err != nil {
		t.Fatal(err)
	}
	certificate, err := authority.Certificate(time.Now().Add(time.Hour), "lims01.example.org")
	if err != nil {
		t.Fatal(err)
	}
	s := tdstest.Start(t, tdstest.Options{TLS: &tls.Config{Certificates: []tls.Certificate{certificate}}})
	ca := write(t, "company.pem", authority.PEM)
	for name, says := range map[string]string{"": "for another name (lims01.example.org)", "lims01.example.org": "", "lims02.example.org": "for another name (lims01.example.org)"} {
		_, err := sqlServerReader(t, s, func(o *Options) { o.CAFile, o.ServerName = ca, name }).Now(t.Context())
		if (says == "") != (err == nil) || says != "" && !contains(err, says) {
			t.Errorf("at 127.0.0.1, server_name %q: got %v, want %q", name, err, says)
		}
	}
}

// A server that knows TLS 1.0 alone, and no key exchange but RSA's, is read where tls_min says so.
func TestSQLServerOldTLS(t *testing.T) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "lims"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	pinned := write(t, "server.pem", pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
	for _, suite := range []uint16{tls.TLS_RSA_WITH_AES_128_CBC_SHA, tls.TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA} {
		s := tdstest.Start(t, tdstest.Options{TLS: &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}},
			MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS10, CipherSuites: []uint16{suite}}})
		for lowest, works := range map[string]bool{"": false, "1.2": false, "1.1": false, "1.0": true} {
			_, err := sqlServerReader(t, s, func(o *Options) { o.CAFile, o.CertFile, o.TLSMin = "", pinned, lowest }).Now(t.Context())
			if works != (err == nil) {
				t.Errorf("tls_min %q against TLS 1.0 with %s: %v", lowest, tls.CipherSuiteName(suite), err)
			}
		}
	}
}

// A server that accepts and then says nothing is left at the time limit, and its goroutine ends with it.
func TestSQLServerHangsAtLogin(t *testing.T) {
	for _, at := range []tdstest.Step{tdstest.AtAccept, tdstest.AtHandshake, tdstest.AtLogin} {
		s := tdstest.Start(t, tdstest.Options{})
		remove := s.Inject(tdstest.Fault{At: at, Do: tdstest.HangDeaf})
		r := sqlServerReader(t, s, func(o *Options) { o.QueryTimeout = 300 * time.Millisecond })
		var unavailable *Unavailable
		for range maxHanging + 1 { // more than may hang at the same time
			if _, err := r.Now(t.Context()); !errors.As(err, &unavailable) || (!contains(err, "did not finish the login in time") && !contains(err, "no connection")) {
				t.Errorf("step %d: got %T %v", at, err, err)
			}
		}
		remove()
		r.o.QueryTimeout = time.Minute
		r.ss.o.QueryTimeout = time.Minute
		if _, err := r.Now(t.Context()); err != nil {
			t.Errorf("step %d, afterwards: %v", at, err)
		}
	}
}
