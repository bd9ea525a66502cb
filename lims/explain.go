package lims

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
)

// explain turns an error of a driver into one of this package's. The driver's own text is shown only
// where a dialect knows that it names objects, not values: servers quote rows, and drivers quote
// connection strings.
func (ss *session) explain(ctx context.Context, s Source, err error) error {
	var busy *Busy
	var unavailable *Unavailable
	var wrong *Misfit
	switch {
	case ctx.Err() != nil:
		return ctx.Err() // the caller's own end
	case errors.As(err, &busy), errors.As(err, &unavailable), errors.As(err, &wrong):
		return err
	case errors.Is(err, errPanic):
		return &Unavailable{Source: s, Reason: "the database driver failed in a way that it should not",
			Next: "if it happens again, report it with the type and version of the database"}
	case errors.Is(err, errHangs):
		return &Unavailable{Source: s, Reason: "the database driver does not return, its statement was left alone",
			Next: "look at the network between here and the database server"}
	}
	err = inner(err)
	if e := ss.d.explain(s, err); e != nil {
		return e
	}
	if e := explainTLS(err); e != nil {
		return e
	}
	var dns *net.DNSError
	var op *net.OpError
	switch where := ss.where(); {
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, os.ErrDeadlineExceeded):
		return &Busy{Source: s, Reason: fmt.Sprintf("a statement took longer than the query time limit of %s", ss.o.QueryTimeout)}
	case errors.As(err, &dns):
		return &Unavailable{Reason: "the name " + ss.o.host() + " is not known to DNS", Next: "check server and this machine's DNS"}
	case errors.As(err, &op) && op.Op == "dial":
		return &Unavailable{Reason: "no connection to " + where, Next: "check server, port and firewall, and that the database accepts TCP"}
	case errors.As(err, &op), errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, driver.ErrBadConn), errors.Is(err, net.ErrClosed):
		return &Unavailable{Source: s, Reason: "the connection to " + where + " broke"}
	}
	return &Unavailable{Source: s, Reason: fmt.Sprintf("the database driver reports an error (%T) whose text may quote data and is not shown", err)}
}

// where names the server for people.
func (ss *session) where() string {
	if ss.o.Type == SQLite {
		return ss.o.Database
	}
	if ss.o.Port == 0 {
		return ss.o.Server
	}
	return fmt.Sprintf("%s port %d", ss.o.Server, ss.o.Port)
}

// explainTLS tells what a person must do about a certificate.
func explainTLS(err error) error {
	var unknown x509.UnknownAuthorityError
	var host x509.HostnameError
	var invalid x509.CertificateInvalidError
	var record tls.RecordHeaderError
	var op *net.OpError
	const orElse = ", or as a last resort write encrypt: unverified"
	switch {
	case errors.As(err, &unknown):
		issuer := ""
		if unknown.Cert != nil {
			issuer = fmt.Sprintf(" (issued by %q)", unknown.Cert.Issuer.String())
		}
		return misfit("", "the database server's certificate%s is not trusted: name its issuer's certificate in ca_file%s", issuer, orElse)
	case errors.As(err, &host):
		return misfit("", "the database server's certificate is for another name (%s): write that name as server%s", certificateNames(host.Certificate), orElse)
	case errors.As(err, &invalid):
		return misfit("", "the database server's certificate is not valid now or not for this use (expired?): have it renewed%s", orElse)
	case errors.Is(err, errPinned):
		return misfit("", "the database server's certificate is not the one in lims.certificate: if it was renewed, put the new one there")
	case strings.Contains(err.Error(), "tls: ") && strings.Contains(err.Error(), "protocol version"): // an alert of the server, or an error without type
		return misfit("", "the TLS handshake with the database server failed: it has no TLS version that is allowed here: have it updated, or write tls_min: 1.0 for an old one, whose encryption is weak")
	case errors.As(err, &record), errors.As(err, &op) && op.Op == "remote error": // the server's alert, of whichever kind
		return &Unavailable{Reason: "the TLS handshake with the database server failed",
			Next: "the server may know only old TLS versions (tls_min) or none (encrypt: off)"}
	case strings.Contains(err.Error(), "x509: negative serial number"): // crypto/x509 has no type for it
		return misfit("", "the certificate that SQL Server made for itself has a negative serial number, which Go refuses; "+
			"SQL Server makes another at its next start: better give it a certificate of the company, or write encrypt: off")
	}
	return nil
}

func certificateNames(c *x509.Certificate) string {
	if c == nil {
		return "unknown"
	}
	names := append([]string{}, c.DNSNames...)
	for _, ip := range c.IPAddresses {
		names = append(names, ip.String())
	}
	if len(names) == 0 {
		return c.Subject.CommonName
	}
	return strings.Join(names, ", ")
}
