package lims

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"database/sql/driver"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/golang-sql/civil"
	mssql "github.com/microsoft/go-mssqldb"
	"github.com/microsoft/go-mssqldb/msdsn"
)

// sqlServer reads Microsoft SQL Server.
type sqlServer struct{}

func (sqlServer) syntax() syntax {
	return syntax{brackets: true, nestedComments: true, quotes: `"`, named: true}
}

func (sqlServer) setup(o Options) []string {
	return []string{
		"SET LOCK_TIMEOUT " + strconv.FormatInt(o.LockTimeout.Milliseconds(), 10),
		"SET DEADLOCK_PRIORITY LOW",
		"SET TRANSACTION ISOLATION LEVEL READ COMMITTED",
	}
}

// config builds the driver's configuration field by field: no connection string exists that could
// be printed, and none can ask the driver to log parameters.
func (d sqlServer) config(o Options, password string) (msdsn.Config, error) {
	host, instance, _ := strings.Cut(o.Server, `\`)
	if host == "." {
		host = "localhost"
	}
	c := msdsn.Config{
		Host: host, Instance: instance, Port: uint64(o.Port), Database: o.Database,
		AppName: o.AppName, Workstation: o.AppName,
		Protocols: []string{"tcp"}, ProtocolParameters: map[string]any{},
		BrowserMessage: msdsn.BrowserAllInstances, MultiSubnetFailover: true, ReadOnlyIntent: o.ReadOnlyIntent,
		KeepAlive: keepAlive, Encoding: msdsn.EncodeParameters{Timezone: time.UTC},
		Encryption: msdsn.EncryptionRequired, HostInCertificateProvided: o.ServerName != "",
	}
	d.login(&c, o, password)
	var err error
	if c.TLSConfig, err = o.tlsConfig(); err != nil {
		return c, err
	}
	if c.TLSConfig == nil { // the login packet is still encrypted, wherever the server can
		c.Encryption = msdsn.EncryptionOff
		c.TLSConfig = &tls.Config{ServerName: host, InsecureSkipVerify: true, MinVersion: tls.VersionTLS10} //nolint:gosec // encrypt: off was written
	}
	return c, nil
}

func (d sqlServer) connect(ctx context.Context, o Options, password string) (driver.Conn, error) {
	c, err := d.config(o, password)
	if err != nil {
		return nil, err
	}
	var refused error
	// Without a name of its own the certificate must prove the one that the driver dials, which a
	// listener may change to a secondary's.
	c.TLSConfig = watchVerification(c.TLSConfig, o.ServerName, &refused)
	version := ""
	if o.encryption() != EncryptOff { // with it only the login may be encrypted
		c.TLSConfig = noteVersion(c.TLSConfig, &version)
	}
	conn, err := d.connector(c, o, password)
	if err != nil {
		return nil, err
	}
	// Run at each use of the connection: the driver has the server reset the session before it.
	conn.SessionInitSQL = strings.Join(d.setup(o), "; ")
	sockets := newDialer(ctx)
	conn.Dialer = sockets
	opened, err := conn.Connect(ctx)
	sockets.connected()
	made, _ := opened.(*mssql.Conn)
	switch {
	case err == nil:
		return severable{made, sockets, version}, nil
	case refused != nil:
		return nil, refused
	case made != nil: // its session could not be set up
		_ = opened.Close()
	}
	if ctx.Err() != nil {
		return nil, &Unavailable{Reason: "SQL Server took the connection, but did not finish the login in time",
			Next: "look at the server's load, and whether a firewall between here and there takes connections that it does not pass on"}
	}
	return nil, err
}

// severable is a connection of the driver whose socket can be closed below it, which makes the driver return
// wherever it waits.
type severable struct {
	*mssql.Conn
	sockets *dialer
	version string // of TLS; "" where it may not be in force
}

func (c severable) sever() { c.sockets.close() }

func (c severable) negotiated() string { return c.version }

// noteVersion keeps which version of TLS was agreed on.
func noteVersion(c *tls.Config, version *string) *tls.Config {
	c = c.Clone()
	verify := c.VerifyConnection
	c.VerifyConnection = func(s tls.ConnectionState) error {
		*version = tls.VersionName(s.Version)
		if verify == nil {
			return nil
		}
		return verify(s)
	}
	return c
}

// watchVerification makes the verification of the certificate tell its error, whose type a driver
// loses. It verifies exactly what crypto/tls would, but for the name to be proven, which is always
// name unless that is empty: drivers overwrite the configuration's.
func watchVerification(c *tls.Config, name string, refused *error) *tls.Config {
	if c.InsecureSkipVerify && c.VerifyConnection == nil {
		return c
	}
	c = c.Clone()
	verify := c.VerifyConnection
	if verify == nil {
		roots, configured := c.RootCAs, c.ServerName
		verify = func(s tls.ConnectionState) error {
			// The state's name may be another server's, to which this one sent us on; it is empty for an address.
			o := x509.VerifyOptions{Roots: roots, DNSName: cmp.Or(name, s.ServerName, configured), Intermediates: x509.NewCertPool()}
			for _, cert := range s.PeerCertificates[1:] {
				o.Intermediates.AddCert(cert)
			}
			_, err := s.PeerCertificates[0].Verify(o)
			return err
		}
	}
	c.InsecureSkipVerify = true // VerifyConnection does it
	c.VerifyConnection = func(s tls.ConnectionState) error {
		*refused = verify(s)
		return *refused
	}
	return c
}

func (sqlServer) kind(t columnType) (kind, bool) {
	switch t.typ {
	case "CHAR", "NCHAR":
		return kindFixed, false
	case "VARCHAR", "NVARCHAR", "TEXT", "NTEXT":
		return kindText, false
	case "TINYINT", "SMALLINT", "INT", "BIGINT":
		return kindInteger, false
	case "DECIMAL", "MONEY", "SMALLMONEY":
		return kindDecimal, false
	case "FLOAT", "REAL":
		return kindFloat, false
	case "DATETIME", "SMALLDATETIME", "DATETIME2":
		return kindClock, false
	case "DATETIMEOFFSET":
		return kindClock, true
	case "DATE":
		return kindDate, false
	case "UNIQUEIDENTIFIER":
		return kindUUID, false
	case "BINARY", "VARBINARY":
		if t.length == 8 {
			return kindVersion, false
		}
	}
	return kindOther, false
}

func (sqlServer) quote(name string) string {
	return "[" + strings.ReplaceAll(name, "]", "]]") + "]"
}

func (sqlServer) output(_ column, expr string) string { return expr }

// idOrder compares text by its code points. Text of a code page is made Unicode before: COLLATE alone
// would first bring it to the collation's own code page, in which different letters become one.
func (sqlServer) idOrder(c column, expr string) string {
	switch {
	case c.typ == "NVARCHAR" || c.typ == "NCHAR":
		return expr + " COLLATE Latin1_General_BIN2"
	case c.kind == kindText || c.kind == kindFixed:
		return "CONVERT(nvarchar(4000), " + expr + ") COLLATE Latin1_General_BIN2"
	}
	return expr
}

func (sqlServer) param(c column, n int) string {
	p := "@p" + strconv.Itoa(n)
	if c.typ == "SMALLDATETIME" { // the driver has no parameter of this type
		return "CAST(" + p + " AS smalldatetime)"
	}
	return p
}

// bind gives each parameter its column's own type: one of another type would be compared by
// converting the column, without its index, and a datetime even with another result.
func (sqlServer) bind(c column, text string) (any, error) {
	switch c.kind {
	case kindInteger:
		return strconv.ParseInt(text, 10, 64)
	case kindDecimal:
		if n, err := strconv.ParseInt(text, 10, 64); err == nil {
			return n, nil
		}
		return text, c.checkDecimal(text) // which the server converts to the column's type, not the other way round
	case kindUUID:
		var u mssql.UniqueIdentifier
		if len(text) != 36 {
			return nil, errors.New("no UUID")
		}
		err := u.Scan(text)
		return u, err
	case kindVersion:
		b, err := hex.DecodeString(strings.TrimPrefix(text, "0x"))
		if err == nil && len(b) != 8 {
			err = errors.New("no rowversion")
		}
		return b, err
	case kindClock:
		r, ok := parseReading(text)
		if !ok {
			return nil, errors.New("no date-time")
		}
		switch c.typ {
		case "DATETIME":
			return mssql.DateTime1(r.wall), nil
		case "SMALLDATETIME": // conversion would round up to the next minute
			return mssql.VarChar(r.wall.Truncate(time.Minute).Format("2006-01-02T15:04:05")), nil
		case "DATETIMEOFFSET":
			return mssql.DateTimeOffset(r.instant(&zone{loc: time.UTC})), nil
		}
		return civil.DateTimeOf(r.wall), nil
	}
	if (c.typ == "VARCHAR" || c.typ == "CHAR" || c.typ == "TEXT") && ascii(text) {
		return mssql.VarChar(text), nil
	}
	return text, nil // nvarchar: also right for text beyond ASCII, whose bytes depend on the column's code page
}

func ascii(s string) bool {
	for i := range len(s) {
		if s[i] >= 0x80 {
			return false
		}
	}
	return true
}

func (d sqlServer) greater(c column, expr, placeholder string) (left, right string) {
	return d.idOrder(c, expr), placeholder
}

func (sqlServer) unstamped(_ column, expr string) string { return expr + " IS NULL" }

func (sqlServer) stamped(_ column, expr string) string { return expr + " IS NOT NULL" }

func (sqlServer) rowValues() bool { return false }

func (sqlServer) limit(n int) (head, tail string) {
	const tail1 = "\nOPTION (MAXDOP 1)" // one processor is the LIMS's loss at most
	if n == 0 {
		return "", tail1
	}
	return "TOP (" + strconv.Itoa(n) + ") ", tail1
}

func (d sqlServer) in(c column, expr string, n int) string { return inList(d, c, expr, n) }

func (sqlServer) list(_ column, ids []any) []any { return ids }

func (sqlServer) sizes() []int { return []int{1, 25, 500} } // the server allows 2,100 parameters

func (sqlServer) now() string { return "SELECT SYSDATETIMEOFFSET()" }

func (sqlServer) identity() string {
	return "SELECT SUSER_SNAME(), DB_NAME(), CONVERT(nvarchar(300), @@VERSION)"
}

// versionState selects the number below which rowversions are settled, and the newest one given out.
const versionState = "SELECT MIN_ACTIVE_ROWVERSION(), @@DBTS"

func (sqlServer) text(c column, v any) (string, bool) {
	switch v := v.(type) {
	case time.Time:
		switch {
		case c.kind == kindDate:
			return v.Format(time.DateOnly), true
		case c.zoned:
			return v.UTC().Format("2006-01-02T15:04:05.9999999Z"), true
		}
		return v.Format("2006-01-02T15:04:05.9999999"), true
	case []byte:
		switch c.kind {
		case kindUUID:
			var u mssql.UniqueIdentifier
			if u.Scan(v) != nil {
				return "", false
			}
			return u.String(), true
		case kindVersion:
			return fmt.Sprintf("0x%X", v), true
		case kindDecimal, kindText, kindFixed:
			return string(v), true
		}
	}
	return "", false
}

func (sqlServer) explain(s Source, err error) error {
	var e mssql.Error
	if !errors.As(err, &e) {
		return cmp.Or(explainKerberos(err), explainEntra(err), explainText(err))
	}
	if len(e.All) > 0 { // the first one says why: a database that cannot be opened (4060) is followed by a failed login (18456)
		e = e.All[0]
	}
	said := fmt.Sprintf("SQL Server error %d", e.Number)
	switch e.Number {
	case 1222:
		return &Busy{Source: s, Reason: "a lock of another session was not released within the lock timeout"}
	case 1205:
		return &Busy{Source: s, Reason: "this reader was chosen as the victim of a deadlock"}
	case 18456, 18452, 18470, 18486, 18487, 18488:
		return explainLogin(e.Number, e.Message)
	case 4060, 4063, 4064, 916:
		return &Unavailable{Reason: "the database cannot be opened by this login (" + said + ")",
			Next: "check database, and that the login has a user in it; after a restart it may be in recovery"}
	case 921, 922, 924, 926, 927, 942, 945, 952, 976, 979, 982, 983, 6005, 17142, 17187, 17809, 18401, 18451, 18461:
		return &Unavailable{Reason: "SQL Server lets nobody in at the moment, or not into this database (" + said + ")",
			Next: "it may be starting, being restored, full or failing over; if it lasts, ask the DBA what this number says"}
	case 978:
		return misfit("", "this copy of the database answers only those who say that they only read (%s): write read_only_intent: true, or name the primary server", said)
	case 911:
		return misfit(s, "%s (%s): check the name of the database", e.Message, said)
	case 208:
		return misfit(s, "%s (%s): check the name, or create the view", e.Message, said)
	case 207, 4104, 156, 102, 170:
		return misfit(s, "%s (%s): check the SELECT", e.Message, said)
	case 229, 230, 300, 262:
		return unauthorized(s, e.Message, said)
	case 8155, 8156:
		return misfit(s, "%s (%s): give each column a name of its own with AS", e.Message, said)
	case 319, 1033:
		return misfit(s, "%s (%s): put the SELECT into a view", e.Message, said)
	}
	if e.Class >= 20 {
		return &Unavailable{Source: s, Reason: said + " ended the connection"}
	}
	if e.Class <= 16 && s != "" {
		return misfit(s, "%s, whose text may quote data and is not shown: run the SELECT by hand, it may fail on some row", said)
	}
	return &Unavailable{Source: s, Reason: said}
}

// explainText explains what the driver has no types for.
func explainText(err error) error {
	text := err.Error()
	switch {
	case strings.Contains(text, "server does not support encryption"):
		return misfit("", "SQL Server offers no encryption: have it installed there, or as a last resort write encrypt: off")
	case strings.Contains(text, "no instance matching"):
		return &Unavailable{Reason: "SQL Server's browser does not know the instance, or does not answer",
			Next: "check server, and that SQL Server Browser runs there and UDP port 1434 is open; or write the instance's port"}
	case !strings.Contains(text, "TLS Handshake failed"):
		return nil
	case strings.HasSuffix(text, "EOF"), strings.Contains(text, "reset by peer"), strings.Contains(text, "forcibly closed"):
		return &Unavailable{Reason: "SQL Server ended the TLS handshake",
			Next: "its certificate may be signed with SHA-1, or it knows only TLS 1.0: renew the certificate, set tls_min, or write encrypt: off"}
	}
	if e := explainTLS(err); e != nil {
		return e
	}
	return &Unavailable{Reason: "the TLS handshake with SQL Server failed", Next: "let the DBA look into its log; an old server may need updates, or tls_min"}
}

// inner is what the driver wraps without telling.
func inner(err error) error {
	var stream mssql.StreamError
	if errors.As(err, &stream) && stream.InnerError != nil {
		return stream.InnerError
	}
	return err
}

// inList is the condition that expr is one of n ids given as single parameters.
func inList(d dialect, c column, expr string, n int) string {
	var b strings.Builder
	b.WriteString(expr + " IN (")
	for i := range n {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(d.param(c, i+1))
	}
	b.WriteString(")")
	return b.String()
}
