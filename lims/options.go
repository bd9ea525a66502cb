package lims

import (
	"cmp"
	"crypto/x509"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"time"
	"unicode/utf8"
)

// The kinds of database that can be read (Options.Type).
const (
	SQLServer = "sqlserver" // Microsoft SQL Server 2012 and later
	Postgres  = "postgres"  // PostgreSQL 12 and later
	MySQL     = "mysql"     // MySQL 8 and MariaDB 10.5, and later
	Oracle    = "oracle"    // Oracle Database 12.1 and later
	SQLite    = "sqlite"    // SQLite 3, a file
)

// The logins (Options.Login).
const (
	LoginSQL      = "sql"      // user and password known to the database; the default
	LoginWindows  = "windows"  // SQL Server, on Windows: the account that this process runs as
	LoginKerberos = "kerberos" // SQL Server: an account of the directory, by its keytab
	LoginEntra    = "entra"    // SQL Server: Microsoft Entra ID, an application or a managed identity
)

// The settings of Options.Encrypt.
const (
	EncryptDefault    = ""           // verified, except on loopback, where it is off
	EncryptVerified   = "verified"   // encrypted, and the server's certificate must prove its name
	EncryptUnverified = "unverified" // encrypted, any certificate: safe from listeners, not from impostors
	EncryptNative     = "native"     // Oracle only: its own encryption without certificates, with the same limit
	EncryptOff        = "off"        // plain, but for SQL Server's login packet
)

// Defaults of Options: few enough to know by heart, small enough to stay out of a lab's way.
const (
	DefaultLockTimeout  = 5 * time.Second  // a reader that waits longer holds up nobody but itself; the next tick is near
	DefaultQueryTimeout = 60 * time.Second // more than a scan of an unindexed LIMS table takes, less than anybody's patience
	// DefaultPageSize is large because a LIMS's change column is seldom indexed, and each page then costs
	// one scan; it is small enough that a page of rows stays at a few megabytes.
	DefaultPageSize = 5000
	DefaultPace     = 20 // the reader is busy at most a twentieth of the time
)

// Query says where the rows of one source come from; exactly one field is set.
type Query struct {
	View string // name of a view or table, with schema where needed, quoted where needed as the database quotes
	SQL  string // one SELECT
	File string // path of a file that holds one SELECT (UTF-8)
}

// Options are everything that Open needs. The zero value of a field is its default where one is named.
type Options struct {
	Type     string // SQLServer, Postgres, MySQL, Oracle or SQLite
	Server   string // host, host:port or (SQL Server) host\INSTANCE; "" is 127.0.0.1; unused for SQLite
	Port     int    // 0: the database's usual one, or for a named instance what SQL Server's browser says
	Database string // name of the database; for Oracle of the service, for SQLite the path of its file
	SID      string // Oracle only, instead of Database: the instance's SID
	Login    string // LoginSQL (default), LoginWindows, LoginKerberos or LoginEntra
	User     string // for LoginKerberos the principal (NAME@REALM), for LoginEntra the application (ID@TENANT) or, for a managed identity, its id or ""
	// Password is asked for at each connection, so that a changed password needs no restart. Its
	// error is shown as it is. nil: no password. For LoginEntra it is the application's secret, or what
	// protects ClientCert; without both, the machine's managed identity logs in.
	Password func() (string, error)

	Keytab     string // LoginKerberos: the file with the account's keys
	Krb5Conf   string // LoginKerberos: Kerberos's configuration; "" is /etc/krb5.conf
	SPN        string // LoginWindows and LoginKerberos: the server's name in the directory; "" is MSSQLSvc/HOST:PORT-OR-INSTANCE
	ClientCert string // LoginEntra: the application's certificate with its key, PEM or PKCS#12

	Encrypt    string // EncryptDefault, EncryptVerified, EncryptUnverified, EncryptNative or EncryptOff
	CAFile     string // PEM file of certificate authorities trusted besides the system's
	CertFile   string // PEM file with the one server certificate that is accepted ("pinned"), whatever its name and issuer
	ServerName string // the name expected in the server's certificate; "" is the host of Server
	TLSMin     string // lowest TLS version: "1.2" (default), "1.3", or for old servers "1.0", "1.1"

	// ReadOnlyIntent lets a SQL Server availability group answer from a secondary, which lags
	// behind by seconds or more: what is read is then older than it seems.
	ReadOnlyIntent bool

	Orders  Query
	Results Query

	Location     *time.Location // of change stamps that carry no zone; nil is UTC
	LockTimeout  time.Duration
	QueryTimeout time.Duration
	PageSize     int
	// Pace: after a statement on the sources that took t the next one waits at least Pace*t. 0: no rest.
	Pace float64
	// FloatDigits is the number of decimal places with which float and real columns are written
	// out; 0 refuses such columns.
	FloatDigits int
	AppName     string // shown in the database's list of sessions; default "limsbridge"
	// Certificates is shown the chain of the database server at each connection that is encrypted;
	// called from the reading goroutine; may be nil.
	Certificates func([]*x509.Certificate)
	Notice       func(Notice) // told what a person should know; called from the reading goroutine; may be nil
}

// NoticeKind is a kind of Notice.
type NoticeKind string

// The kinds of notice.
const (
	// WentBack: the newest stamp of the source lies before the cursor by more than the look-back: rows were
	// deleted, or the LIMS was restored from a backup. Reading goes on from the new head less the look-back.
	WentBack NoticeKind = "went back"
	// FutureStamps: rows carry stamps later than the server's clock. They are handed out in every
	// poll and do not move the cursor.
	FutureStamps NoticeKind = "future stamps"
	// ClockOff: the server's clock differs from this machine's by more than a minute. Stamps are compared with
	// the server's, so that nothing is lost; one of the two should be set right. Told once for each difference.
	ClockOff NoticeKind = "clock off"
	// Stalled: an open transaction in SQL Server has held up all reading by rowversion for StallAfter.
	Stalled NoticeKind = "stalled"
)

// Notice is something that reading noticed about the source as a whole.
type Notice struct {
	Kind   NoticeKind
	Source Source        // "" where it is about none
	Cursor string        // WentBack: the stamp that had been reached
	Head   string        // WentBack: the newest stamp now, "" where none is left
	Rows   int           // FutureStamps: how many in this poll
	Ahead  time.Duration // ClockOff: of the server's clock before this machine's; negative: behind
}

// String tells the notice to a person.
func (n Notice) String() string {
	switch n.Kind {
	case WentBack:
		head := cmp.Or(n.Head, "nowhere (no row is left)")
		return fmt.Sprintf("%s: the newest change stamp went back from %s to %s: was the LIMS restored from a backup?", n.Source, n.Cursor, head)
	case FutureStamps:
		return fmt.Sprintf("%s: %d rows have a changed_at later than the database server's clock; check that clock and time_zone", n.Source, n.Rows)
	case ClockOff:
		where := "ahead of"
		if n.Ahead < 0 {
			where = "behind"
		}
		return fmt.Sprintf("the database server's clock is %s %s this machine's: set the wrong one right; until then stamps are compared with the server's", n.Ahead.Abs().Round(time.Second), where)
	case Stalled:
		return fmt.Sprintf("%s: a transaction open for over %s in the LIMS database holds up all reading by rowversion; ask the DBA to look for it", n.Source, stallAfter)
	}
	return string(n.Kind) + ": " + string(n.Source)
}

// withDefaults returns o with its defaults filled in, or what is wrong with it.
func (o Options) withDefaults() (Options, error) {
	var wrong []string
	bad := func(format string, args ...any) { wrong = append(wrong, fmt.Sprintf(format, args...)) }

	o.Login = cmp.Or(o.Login, LoginSQL)
	o.AppName = cmp.Or(o.AppName, "limsbridge")
	o.LockTimeout = cmp.Or(o.LockTimeout, DefaultLockTimeout)
	o.QueryTimeout = cmp.Or(o.QueryTimeout, DefaultQueryTimeout)
	o.PageSize = cmp.Or(o.PageSize, DefaultPageSize)
	if o.Location == nil {
		o.Location = time.UTC
	}
	if o.LockTimeout < 0 || o.QueryTimeout < 0 || o.PageSize < 0 || o.Pace < 0 || o.FloatDigits < 0 {
		bad("lock timeout, query time limit, page size, pace and float digits cannot be negative")
	}
	switch o.Type {
	case SQLServer, Postgres, MySQL, Oracle, SQLite:
	case "":
		bad("type is missing: write one of sqlserver, postgres, mysql, oracle, sqlite")
	default:
		bad("type %q is not known: write one of sqlserver, postgres, mysql, oracle, sqlite", o.Type)
	}
	switch {
	case o.Type == Oracle:
		wrong = append(wrong, o.checkService()...)
	case o.SID != "":
		bad("sid is for oracle only: write database")
	case o.Database == "":
		bad("database is missing: write its name, or for sqlite the path of its file")
	}
	switch o.Encrypt {
	case EncryptDefault, EncryptVerified, EncryptUnverified, EncryptOff:
	case EncryptNative:
		if o.Type != Oracle {
			bad("encrypt: native is for oracle only: leave it out (verified), or write unverified or off")
		}
	default:
		bad("encrypt %q is not known: leave it out (verified), or write unverified or off", o.Encrypt)
	}
	if o.Type != SQLite && o.Type != "" {
		wrong = append(wrong, o.checkServer()...)
	}
	if len(wrong) > 0 {
		return o, &Misfit{Problems: wrong}
	}
	if host, port, err := net.SplitHostPort(o.Server); err == nil && o.Port == 0 {
		if _, err := fmt.Sscanf(port, "%d", &o.Port); err != nil {
			return o, &Misfit{Problems: []string{fmt.Sprintf("server %q: what follows the colon is no port number", o.Server)}}
		}
		o.Server = host
	}
	o.Server = cmp.Or(o.Server, "127.0.0.1")
	return o, nil
}

// serviceName is what Oracle's services and SIDs are named; anything else could change the rest of
// what the listener is told.
var serviceName = regexp.MustCompile(`^[\pL\pN_.$#-]+$`)

// checkService returns what is wrong with how an Oracle database is named.
func (o Options) checkService() (wrong []string) {
	switch {
	case o.Database == "" && o.SID == "":
		wrong = append(wrong, "database is missing: write the service name, or sid")
	case o.Database != "" && o.SID != "":
		wrong = append(wrong, "database and sid exclude each other: keep one")
	case !serviceName.MatchString(o.Database + o.SID):
		wrong = append(wrong, fmt.Sprintf("%q is no name of a service or SID: write it as lsnrctl services shows it, without host and port", o.Database+o.SID))
	}
	return wrong
}

// checkServer returns what is wrong with the settings of a database that is reached over the network.
func (o Options) checkServer() (wrong []string) {
	switch {
	case o.Login == LoginWindows && o.Type != SQLServer:
		wrong = append(wrong, "login: windows works with sqlserver only: write login: sql with user and password")
	case o.Login == LoginWindows && runtime.GOOS != "windows":
		wrong = append(wrong, "login: windows works only where the bridge runs on Windows: write login: kerberos with user and keytab, or login: sql with user and password")
	case (o.Login == LoginKerberos || o.Login == LoginEntra) && o.Type != SQLServer:
		wrong = append(wrong, fmt.Sprintf("login: %s works with sqlserver only: write login: sql with user and password", o.Login))
	case o.Login == LoginKerberos:
		wrong = append(wrong, o.checkKerberos()...)
	case o.Login == LoginEntra:
		wrong = append(wrong, o.checkEntra()...)
	case o.Login != LoginWindows && o.Login != LoginSQL:
		wrong = append(wrong, fmt.Sprintf("login %q is not known: write windows, sql, kerberos or entra", o.Login))
	case o.Login == LoginSQL && o.User == "":
		wrong = append(wrong, "user is missing: login: sql needs user and password")
	}
	if strings.Contains(o.Server, `\`) && o.Type != SQLServer {
		wrong = append(wrong, fmt.Sprintf(`server %q: host\INSTANCE is for sqlserver only`, o.Server))
	}
	if o.Port < 0 || o.Port > 65535 {
		wrong = append(wrong, fmt.Sprintf("port %d is not between 1 and 65535", o.Port))
	}
	return wrong
}

// host returns the host of Server without a SQL Server instance.
func (o Options) host() string {
	host, _, _ := strings.Cut(o.Server, `\`)
	return host
}

// encryption returns Encrypt with its default resolved.
func (o Options) encryption() string {
	if o.Encrypt != EncryptDefault {
		return o.Encrypt
	}
	host := o.host()
	if ip := net.ParseIP(host); strings.EqualFold(host, "localhost") || host == "." || (ip != nil && ip.IsLoopback()) {
		return EncryptOff
	}
	return EncryptVerified
}

// query returns the query of a source.
func (o Options) query(s Source) (Query, error) {
	switch s {
	case Orders:
		return o.Orders, nil
	case Results:
		return o.Results, nil
	}
	return Query{}, &Misfit{Source: s, Problems: []string{"there is no such source"}}
}

// maxQueryFile is far more than a SELECT that a person wrote.
const maxQueryFile = 1 << 20

// text returns the user's SELECT; view reports that it is only a name.
func (q Query) text(s Source) (text string, view bool, err error) {
	misfit := func(format string, args ...any) error {
		return &Misfit{Source: s, Problems: []string{fmt.Sprintf(format, args...)}}
	}
	set := 0
	for _, f := range []string{q.View, q.SQL, q.File} {
		if f != "" {
			set++
		}
	}
	switch {
	case set == 0:
		return "", false, misfit("neither a view nor a SELECT is named: write %s: SCHEMA.VIEW or %s_sql: FILE", s, s)
	case set > 1:
		return "", false, misfit("both a view and a SELECT are named: keep one of %s and %s_sql", s, s)
	case q.View != "":
		return q.View, true, nil
	case q.SQL != "":
		return q.SQL, false, nil
	}
	name := filepath.Base(q.File)
	f, err := os.Open(q.File)
	if err != nil {
		return "", false, misfit("the file %s cannot be opened: check its name and that the service's account may read it", q.File)
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxQueryFile+1))
	switch {
	case err != nil:
		return "", false, misfit("the file %s cannot be read", q.File)
	case len(b) > maxQueryFile:
		return "", false, misfit("the file %s is larger than a megabyte: it should hold one SELECT", name)
	case strings.HasPrefix(string(b), "\xff\xfe"), strings.HasPrefix(string(b), "\xfe\xff"):
		return "", false, misfit("the file %s is UTF-16: save it as UTF-8", name)
	case !utf8.Valid(b):
		return "", false, misfit("the file %s is not UTF-8: save it as UTF-8", name)
	}
	return strings.TrimPrefix(string(b), "\ufeff"), false, nil
}
