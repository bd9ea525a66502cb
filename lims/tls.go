package lims

import (
	"bytes"
	"cmp"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
)

// errPinned says that the server showed another certificate than Options.CertFile.
var errPinned = errors.New("not the pinned certificate")

// tlsConfig returns how connections are encrypted with TLS, nil for not at all.
func (o Options) tlsConfig() (*tls.Config, error) {
	if e := o.encryption(); e == EncryptOff || e == EncryptNative {
		return nil, nil
	}
	c := &tls.Config{ServerName: cmp.Or(o.ServerName, o.host())}
	switch o.TLSMin {
	case "", "1.2":
		c.MinVersion = tls.VersionTLS12
	case "1.0":
		c.MinVersion = tls.VersionTLS10
	case "1.1":
		c.MinVersion = tls.VersionTLS11
	case "1.3":
		c.MinVersion = tls.VersionTLS13
	default:
		return nil, misfit("", "tls_min %q is not known: write 1.2 (default), 1.3, or for old servers 1.0 or 1.1", o.TLSMin)
	}
	if c.MinVersion < tls.VersionTLS12 {
		c.CipherSuites = oldSuites()
	}
	if o.encryption() == EncryptUnverified {
		c.InsecureSkipVerify = true
	}
	if o.CAFile != "" {
		b, err := os.ReadFile(o.CAFile)
		if err != nil {
			return nil, misfit("", "ca_file %s cannot be read: check its name and that the service's account may read it", o.CAFile)
		}
		pool, err := x509.SystemCertPool()
		if err != nil {
			pool = x509.NewCertPool()
		}
		if !pool.AppendCertsFromPEM(b) {
			return nil, misfit("", "ca_file %s holds no certificate in PEM form (-----BEGIN CERTIFICATE-----)", o.CAFile)
		}
		c.RootCAs = pool
	}
	if o.CertFile != "" {
		pinned, err := readCertificate(o.CertFile)
		if err != nil {
			return nil, misfit("", "certificate %s: %v", o.CertFile, err)
		}
		c.InsecureSkipVerify = true // the one certificate is compared instead
		c.VerifyConnection = func(s tls.ConnectionState) error {
			if len(s.PeerCertificates) == 0 || !bytes.Equal(s.PeerCertificates[0].Raw, pinned) {
				return errPinned
			}
			return nil
		}
	}
	if o.Certificates != nil {
		// It looks on: verification is VerifyConnection's, or crypto/tls's own.
		c.VerifyPeerCertificate = func(raw [][]byte, _ [][]*x509.Certificate) error {
			var chain []*x509.Certificate
			for _, r := range raw {
				if cert, err := x509.ParseCertificate(r); err == nil {
					chain = append(chain, cert)
				}
			}
			o.Certificates(chain)
			return nil
		}
	}
	return c, nil
}

// oldSuites are Go's own cipher suites and those with AES and a key exchange by RSA, which servers without
// TLS 1.2 may have nothing beside, and which Go offers only where they are asked for.
func oldSuites() (ids []uint16) {
	for _, s := range tls.CipherSuites() {
		ids = append(ids, s.ID)
	}
	return append(ids, tls.TLS_RSA_WITH_AES_256_CBC_SHA, tls.TLS_RSA_WITH_AES_128_CBC_SHA)
}

// readCertificate returns the first certificate of a PEM file.
func readCertificate(path string) ([]byte, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, errors.New("it cannot be read: check its name and that the service's account may read it")
	}
	block, _ := pem.Decode(b)
	if block == nil || block.Type != "CERTIFICATE" {
		return nil, fmt.Errorf("it holds no certificate in PEM form (-----BEGIN CERTIFICATE-----)")
	}
	return block.Bytes, nil
}
