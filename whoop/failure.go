package whoop

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"syscall"
	"time"
)

// Windows' own numbers; package syscall's names stand for other values there.
const (
	wsaConnectionReset   = syscall.Errno(10054)
	wsaConnectionAborted = syscall.Errno(10053)
	wsaConnectionRefused = syscall.Errno(10061)
	wsaHostUnreachable   = syscall.Errno(10065)
	wsaNetUnreachable    = syscall.Errno(10051)
)

// failureText says in our own words why a call got no answer: net/http's error texts hold
// addresses and whatever the other end sent.
func failureText(err error, timeout time.Duration) string {
	var (
		proxy   *ProxyError
		dns     *net.DNSError
		cert    *tls.CertificateVerificationError
		header  tls.RecordHeaderError
		alert   tls.AlertError
		network net.Error
	)
	is := func(targets ...error) bool {
		for _, t := range targets {
			if errors.Is(err, t) {
				return true
			}
		}
		return false
	}
	switch {
	case errors.As(err, &proxy):
		return proxy.Error()
	case is(context.Canceled):
		return "given up because the program is stopping"
	case errors.As(err, &dns):
		return "the server's name was not found (DNS)"
	case errors.As(err, &cert):
		return certificateText(cert)
	case errors.As(err, &header):
		return "the other end does not speak TLS; is it a proxy that needs the proxy setting?"
	case errors.As(err, &alert):
		return "the other end refused the TLS handshake"
	case is(context.DeadlineExceeded, os.ErrDeadlineExceeded), errors.As(err, &network) && network.Timeout():
		return "no answer within " + timeout.String()
	case is(syscall.ECONNREFUSED, wsaConnectionRefused):
		return "the connection was refused"
	case is(syscall.EHOSTUNREACH, syscall.ENETUNREACH, wsaHostUnreachable, wsaNetUnreachable):
		return "the network does not reach the server"
	case is(syscall.ECONNRESET, syscall.EPIPE, wsaConnectionReset, wsaConnectionAborted):
		return "the connection was reset"
	case is(io.EOF, io.ErrUnexpectedEOF, io.ErrClosedPipe, net.ErrClosed, errSealed):
		return "the connection was closed without an answer"
	}
	return "the connection failed"
}

// certificateText names the issuer that was seen, which tells a TLS inspection apart from a
// wrong address.
func certificateText(err *tls.CertificateVerificationError) string {
	text := "the server's certificate is not trusted"
	var (
		expired x509.CertificateInvalidError
		host    x509.HostnameError
	)
	switch {
	case errors.As(err.Err, &expired) && expired.Reason == x509.Expired:
		text = "the server's certificate has expired or is not yet valid by this machine's clock"
	case errors.As(err.Err, &host):
		text = "the server's certificate is for another name"
	}
	if len(err.UnverifiedCertificates) == 0 {
		return text
	}
	issuer := strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' {
			return -1
		}
		return r
	}, err.UnverifiedCertificates[0].Issuer.CommonName)
	return text + " (issued by " + issuer[:min(len(issuer), 64)] + "); if that is the company's TLS inspection, give its CA in the ca_file setting"
}
