package health

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestDisk(t *testing.T) {
	var free uint64
	var fails error
	d := Disk{Folder: "/lab", Free: func(string) (uint64, error) { return free, fails }}
	for _, tt := range []struct {
		free uint64
		err  error
		says string
	}{
		{diskWell, nil, ""},
		{diskLeast, nil, ""},
		{diskLeast - 1, nil, "the disk of /lab is nearly full: 499 MB"},
		{diskLeast + 1, nil, "nearly full"}, // not yet clearly better
		{0, errors.New("not there"), ""},
		{diskWell, nil, ""},
		{diskLeast + 1, nil, ""},
	} {
		free, fails = tt.free, tt.err
		if got := d.Look(); (tt.says == "") != (got == "") || !strings.Contains(got, tt.says) {
			t.Errorf("%d bytes, %v: %q, want %q", tt.free, tt.err, got, tt.says)
		}
	}
	if n, err := available(t.TempDir()); n == 0 || err != nil {
		t.Errorf("the system's own: %d %v", n, err)
	}
}

func TestClock(t *testing.T) {
	begin := time.Date(2026, 11, 27, 12, 0, 0, 0, time.UTC)
	wall, passed := begin, time.Duration(0)
	c := Clock{Now: func() (time.Time, time.Duration) { return wall, passed }}
	for _, tt := range []struct {
		name         string
		wall, passed time.Duration
		want         time.Duration
	}{
		{"the first look", 0, 0, 0},
		{"a minute", time.Minute, time.Minute, 0},
		{"corrected a little", time.Minute + 20*time.Second, time.Minute, 0},
		{"an hour forward", time.Hour + time.Minute, time.Minute, time.Hour},
		{"told of once", time.Minute, time.Minute, 0},
		{"a day back", -24 * time.Hour, time.Minute, -24*time.Hour - time.Minute},
	} {
		wall, passed = wall.Add(tt.wall), passed+tt.passed
		if got := c.Look(); got != tt.want {
			t.Errorf("%s: %s, want %s", tt.name, got, tt.want)
		}
	}
	var system Clock
	system.Look()
	if got := system.Look(); got != 0 {
		t.Errorf("the system's own: %s", got)
	}
}

func TestCertificates(t *testing.T) {
	now := time.Date(2026, 11, 27, 12, 0, 0, 0, time.UTC)
	in := func(days int) *x509.Certificate { return certificate(t, now.Add(time.Duration(days)*24*time.Hour)) }
	for _, tt := range []struct {
		name  string
		chain []*x509.Certificate
		own   bool
		says  string
	}{
		{"none", nil, true, ""},
		{"the lab's, in time", []*x509.Certificate{in(31)}, true, ""},
		{"the lab's, soon", []*x509.Certificate{in(20)}, true, "lims01.example.org (issued by lims01.example.org) expires on 2026-12-17, in 20 days"},
		{"the lab's, over", []*x509.Certificate{in(-1)}, true, "expired on 2026-11-26"},
		{"WHOOP's, which a machine renews", []*x509.Certificate{in(20), in(400)}, false, ""},
		{"WHOOP's, not renewed", []*x509.Certificate{in(6), in(400)}, false, "in 6 days"},
		{"the proxy's authority", []*x509.Certificate{in(300), in(20)}, false, "in 20 days"},
	} {
		if got := Expiring(tt.chain, tt.own, now); (tt.says == "") != (got == "") || !strings.Contains(got, tt.says) {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.says)
		}
	}
	path := filepath.Join(t.TempDir(), "ca.pem")
	text := append(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: in(3).Raw}), pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: in(4).Raw})...)
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	if got, err := Certificates(path); len(got) != 2 || err != nil {
		t.Errorf("%d %v", len(got), err)
	}
	if err := os.WriteFile(path, []byte("no certificate"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Certificates(path); err == nil {
		t.Error("a file without one")
	}
}

func certificate(t *testing.T, until time.Time) *x509.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	name := pkix.Name{CommonName: "lims01.example.org"}
	raw, err := x509.CreateCertificate(rand.Reader, &x509.Certificate{SerialNumber: big.NewInt(1), Subject: name, NotBefore: until.Add(-time.Hour), NotAfter: until},
		&x509.Certificate{Subject: name}, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	c, err := x509.ParseCertificate(raw)
	if err != nil {
		t.Fatal(err)
	}
	return c
}
