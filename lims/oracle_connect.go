package lims

import (
	"bytes"
	"cmp"
	"context"
	"crypto/tls"
	"database/sql/driver"
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"sync/atomic"
	"time"

	ora "github.com/sijms/go-ora/v2"
	"github.com/sijms/go-ora/v2/configurations"
)

// The ports that Oracle's listeners usually have.
const (
	oraclePort = 1521
	oracleTCPS = 2484
)

// oracleRows is how many rows travel in one answer. Larger answers save round trips; a page of several
// thousand rows needs a handful.
const oracleRows = 1000

// farewell is how long a connection may take to take its leave.
const farewell = time.Second

// config builds the driver's configuration field by field: no connection string exists that could
// be printed, and none can ask the driver to write a trace.
func (oracle) config(o Options, password string) (*configurations.ConnectionConfig, error) {
	if password == "" {
		return nil, misfit("", "the password is empty: the driver would try the account of this machine's user instead")
	}
	c := &configurations.ConnectionConfig{PrefetchRows: oracleRows}
	c.UserID, c.Password = o.User, password
	c.ServiceName, c.SID = o.Database, o.SID
	if o.SID != "" {
		c.ServiceName = ""
	}
	c.Protocol, c.SSLVerify = "tcp", true
	// The driver's own clock must not end a statement before the session's does.
	c.Timeout = o.QueryTimeout + grace
	c.TransportDataUnitSize, c.SessionDataUnitSize = 1<<21, 1<<21
	c.Lob = configurations.STREAM // otherwise the driver calls a CLOB a LongVarChar, and a BLOB a LongRaw
	c.Language, c.Territory, c.Location = "AMERICAN", "AMERICA", "UTC"
	// The descriptor is made of brackets: no name may hold one.
	name := strings.NewReplacer("(", "", ")", "", "=", "").Replace(o.AppName)
	c.ProgramName, c.ProgramPath, c.OSUserName, c.DriverName, c.PID = name, name, name, "limsbridge", os.Getpid()
	c.HostName, _ = os.Hostname()
	t, err := o.tlsConfig()
	if err != nil {
		return nil, err
	}
	port := cmp.Or(o.Port, oraclePort)
	if t != nil {
		c.Protocol, c.SSL, c.TLSConfig = "tcps", true, t
		port = cmp.Or(o.Port, oracleTCPS)
	}
	if o.Encrypt == EncryptNative {
		c.EncServiceLevel, c.IntServiceLevel = 3, 3 // required, as Oracle's sqlnet.ora calls it
	}
	c.Servers = []configurations.ServerAddr{{Protocol: c.Protocol, Addr: o.Server, Port: port}}
	return c, nil
}

func (d oracle) connect(ctx context.Context, o Options, password string) (driver.Conn, error) {
	c, err := d.config(o, password)
	if err != nil {
		return nil, err
	}
	inTLS := false // the server has shown its certificate
	if c.TLSConfig != nil {
		c.TLSConfig = watchVerification(c.TLSConfig, c.TLSConfig.ServerName, new(error))
		verify := c.TLSConfig.VerifyConnection
		c.TLSConfig.VerifyConnection = func(s tls.ConnectionState) error {
			inTLS = true
			if verify == nil { // encrypt: unverified
				return nil
			}
			return verify(s)
		}
	}
	sockets, readable := newDialer(ctx), new(atomic.Bool)
	c.RegisterDial(func(_ context.Context, network, address string) (net.Conn, error) {
		conn, err := sockets.DialContext(ctx, network, address)
		if err != nil {
			return nil, err
		}
		return heard{conn, readable}, nil
	})
	conn, err := ora.NewConnection("", c)
	if err != nil {
		return nil, err
	}
	conn.NLSData.Language = c.Language // known: the driver need not ask, nor for the server's zone (Location)
	// The driver's own way to end an attempt races with the attempt; closing its socket does not.
	err = conn.OpenWithContext(context.WithoutCancel(ctx))
	sockets.connected()
	if ctx.Err() != nil {
		err = &Unavailable{Reason: "Oracle's listener let nobody in within the query time limit", Next: "check server, port and firewall, and whether the instance hangs"}
	}
	if err != nil {
		sockets.close()
		if c.SSL && !inTLS {
			return nil, notInTLS(err)
		}
		return nil, err
	}
	opened, err := setUp(ctx, &oracleConn{conn, sockets}, d.setup(o))
	if err != nil {
		return nil, err
	}
	if o.Encrypt == EncryptNative && readable.Load() {
		opened.Close()
		return nil, misfit("", "the server agreed to encryption and did not encrypt: ask the DBA for SQLNET.ENCRYPTION_SERVER = REQUESTED, or use TLS")
	}
	return opened, nil
}

// notInTLS explains an error that came before the server showed a certificate: a listener without TLS
// hangs up, or waits for the rest of what it takes for a long packet.
func notInTLS(err error) error {
	var record tls.RecordHeaderError
	var op *net.OpError
	var late *Unavailable
	switch {
	case errors.As(err, &record), errors.Is(err, io.EOF), errors.As(err, &op) && op.Op == "read":
		return &Unavailable{Reason: "Oracle's listener does not answer in TLS", Next: oracleTLS}
	case errors.As(err, &late):
		return &Unavailable{Reason: late.Reason, Next: late.Next + "; or its port knows no TLS: " + oracleTLS}
	}
	return err
}

const oracleTLS = "write the port of its TCPS endpoint (often 2484; 1521 has mostly none), or encrypt: native for Oracle's own encryption, which needs no certificate"

// oracleConn is the driver's connection, with Oracle's own names of types, and an end that does not wait
// for a server that is gone.
type oracleConn struct {
	*ora.Connection
	sockets *dialer
}

func (c *oracleConn) sever() { c.sockets.close() }

// Close takes leave of the server.
func (c *oracleConn) Close() error {
	t := time.AfterFunc(farewell, c.sever)
	defer t.Stop()
	err := c.Connection.Close()
	c.sever()
	return err
}

// QueryContext runs a query.
func (c *oracleConn) QueryContext(ctx context.Context, text string, args []driver.NamedValue) (driver.Rows, error) {
	rows, err := c.Connection.QueryContext(ctx, text, args)
	if err != nil {
		return nil, err
	}
	set, ok := rows.(*ora.DataSet)
	if !ok {
		_ = rows.Close()
		return nil, errors.New("the driver's rows are of an unknown kind")
	}
	return oracleSet{set}, nil
}

// oracleSet is an answer whose types have the names that Oracle's manual gives them.
type oracleSet struct{ *ora.DataSet }

// ColumnTypeDatabaseTypeName names the type of a column. VARCHAR2 stands for NVARCHAR2, CHAR for NCHAR
// and CLOB for NCLOB, too: the driver does not tell them apart.
func (s oracleSet) ColumnTypeDatabaseTypeName(i int) string {
	name := s.DataSet.ColumnTypeDatabaseTypeName(i)
	return cmp.Or(oracleTypes[name], name)
}

// oracleTypes are Oracle's names of types by the driver's.
var oracleTypes = map[string]string{
	ora.NCHAR.String(): "VARCHAR2", ora.VARCHAR.String(): "VARCHAR2",
	ora.TimeStampDTY.String(): "TIMESTAMP", ora.TIMESTAMP.String(): "TIMESTAMP",
	ora.TimeStampTZ_DTY.String(): oracleZoned, ora.TIMESTAMPTZ.String(): oracleZoned,
	ora.TimeStampLTZ_DTY.String(): oracleLocal, ora.TimeStampeLTZ.String(): oracleLocal,
	ora.IBFloat.String(): "BINARY_FLOAT", ora.IBDouble.String(): "BINARY_DOUBLE",
	ora.OCIClobLocator.String(): "CLOB", ora.OCIBlobLocator.String(): "BLOB", ora.OCIFileLocator.String(): "BFILE",
	ora.IntervalYM_DTY.String(): "INTERVAL YEAR TO MONTH", ora.IntervalDS_DTY.String(): "INTERVAL DAY TO SECOND",
	ora.XMLType.String(): "XMLTYPE", ora.LongRaw.String(): "LONG RAW", ora.Boolean.String(): "BOOLEAN", ora.JSON.String(): "JSON",
}

// heard is a socket that notices whether a statement could be read on the way.
type heard struct {
	net.Conn
	readable *atomic.Bool
}

func (h heard) Write(b []byte) (int, error) {
	if bytes.Contains(b, []byte("ALTER SESSION")) {
		h.readable.Store(true)
	}
	return h.Conn.Write(b)
}
