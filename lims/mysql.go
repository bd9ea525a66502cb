package lims

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"strconv"
	"strings"

	"github.com/go-sql-driver/mysql"
)

// mySQL reads MySQL and MariaDB.
type mySQL struct{}

func (mySQL) syntax() syntax {
	return syntax{backslashes: true, hashComments: true, backticks: true, versionComments: true, quotes: `"`, placeholder: true}
}

func (mySQL) setup(o Options) []string {
	seconds := func(ms int64) string { return strconv.FormatInt(max(1, (ms+999)/1000), 10) }
	lock, query := o.LockTimeout.Milliseconds(), o.QueryTimeout.Milliseconds()
	return []string{
		"SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED, READ ONLY",
		// The time limit has another name and unit in MariaDB; each server skips the other's comment.
		"SET SESSION time_zone = '+00:00', lock_wait_timeout = " + seconds(lock) + ", innodb_lock_wait_timeout = " + seconds(lock) +
			" /*M!, max_statement_time = " + seconds(query) + " */ /*!50799 , max_execution_time = " + strconv.FormatInt(query, 10) + " */",
	}
}

func (d mySQL) connect(ctx context.Context, o Options, password string) (driver.Conn, error) {
	c := mysql.NewConfig()
	port := o.Port
	if port == 0 {
		port = 3306
	}
	c.Net, c.Addr, c.DBName, c.User, c.Passwd = "tcp", net.JoinHostPort(o.Server, strconv.Itoa(port)), o.Database, o.User, password
	c.ConnectionAttributes = "program_name:" + strings.NewReplacer(",", " ", ":", " ").Replace(o.AppName)
	c.Logger = log.New(io.Discard, "", 0) // the driver's own lines are told by its errors, too
	c.Collation = "utf8mb4_bin"
	var err error
	if c.TLS, err = o.tlsConfig(); err != nil {
		return nil, err
	}
	conn, err := mysql.NewConnector(c)
	if err != nil {
		return nil, misfit("", "server, port or app name do not fit MySQL")
	}
	opened, err := conn.Connect(ctx)
	if err != nil {
		return nil, err
	}
	return setUp(ctx, opened, d.setup(o))
}

func (mySQL) kind(t columnType) (kind, bool) {
	switch strings.TrimPrefix(t.typ, "UNSIGNED ") {
	case "CHAR":
		return kindFixed, false
	case "VARCHAR", "TEXT", "TINYTEXT", "MEDIUMTEXT", "LONGTEXT", "ENUM", "SET":
		return kindText, false
	case "TINYINT", "SMALLINT", "MEDIUMINT", "INT", "BIGINT":
		return kindInteger, false
	case "DECIMAL":
		return kindDecimal, false
	case "FLOAT", "DOUBLE":
		return kindFloat, false
	case "DATETIME":
		return kindClock, false
	case "TIMESTAMP":
		return kindClock, true
	case "DATE":
		return kindDate, false
	}
	return kindOther, false
}

func (mySQL) quote(name string) string {
	return "`" + strings.ReplaceAll(name, "`", "``") + "`"
}

func (mySQL) output(_ column, expr string) string { return expr }

// idOrder compares text by its bytes: the binary collations of MySQL and MariaDB differ in name and
// in what they make of trailing blanks.
func (mySQL) idOrder(c column, expr string) string {
	if c.kind == kindText || c.kind == kindFixed {
		return "CAST(CONVERT(" + expr + " USING utf8mb4) AS BINARY)"
	}
	return expr
}

func (mySQL) param(c column, _ int) string {
	switch c.kind {
	case kindClock:
		return "CAST(? AS DATETIME(6))"
	case kindDecimal: // a text would be compared as a binary number
		return "CAST(? AS DECIMAL(65,30))"
	}
	return "?"
}

func (mySQL) bind(c column, text string) (any, error) {
	switch c.kind {
	case kindDecimal:
		return text, c.checkDecimal(text)
	case kindInteger:
		if strings.HasPrefix(c.typ, "UNSIGNED") {
			return strconv.ParseUint(text, 10, 64)
		}
		return strconv.ParseInt(text, 10, 64)
	case kindClock:
		return strings.TrimSuffix(text, "Z"), nil // the session's time zone is UTC
	}
	return text, nil
}

func (d mySQL) greater(c column, expr, placeholder string) (left, right string) {
	return d.idOrder(c, expr), placeholder
}

// unstamped takes 0000-00-00 for NULL: old tables have it as the default of columns that may not be NULL. It
// is not named, since newer servers refuse to.
func (mySQL) unstamped(c column, expr string) string {
	if c.kind == kindClock {
		return "(" + expr + " IS NULL OR " + expr + " < CAST('1000-01-01' AS DATETIME))"
	}
	return expr + " IS NULL"
}

func (mySQL) stamped(c column, expr string) string {
	if c.kind == kindClock {
		return expr + " >= CAST('1000-01-01' AS DATETIME)"
	}
	return expr + " IS NOT NULL"
}

func (mySQL) rowValues() bool { return false } // its optimizer reads the whole index for them

func (mySQL) limit(n int) (head, tail string) { return limitClause(n) }

func (d mySQL) in(c column, expr string, n int) string { return inList(d, c, expr, n) }

func (mySQL) list(_ column, ids []any) []any { return ids }

func (mySQL) sizes() []int { return []int{1, 25, 500} }

func (mySQL) now() string { return "SELECT CAST(UTC_TIMESTAMP(6) AS CHAR)" }

func (mySQL) identity() string { return "SELECT CURRENT_USER(), DATABASE(), VERSION()" }

func (mySQL) text(c column, v any) (string, bool) {
	b, ok := v.([]byte)
	if !ok || c.kind == kindOther {
		return "", false
	}
	if c.kind == kindClock && strings.HasPrefix(string(b), "0000-00-00") {
		return "", true
	}
	if c.kind == kindClock && c.zoned {
		return string(b) + "Z", true
	}
	return string(b), true
}

func (mySQL) explain(s Source, err error) error {
	if errors.Is(err, mysql.ErrNoTLS) {
		return misfit("", "the server offers no TLS: have it set up there, or write encrypt: off")
	}
	if errors.Is(err, mysql.ErrInvalidConn) {
		return &Unavailable{Source: s, Reason: "the connection to the server broke"}
	}
	var e *mysql.MySQLError
	if !errors.As(err, &e) {
		return nil
	}
	said := fmt.Sprintf("MySQL error %d", e.Number)
	switch e.Number {
	case 1205, 3572:
		return &Busy{Source: s, Reason: "a lock of another session was not released within the lock timeout"}
	case 1213:
		return &Busy{Source: s, Reason: "this reader gave way in a deadlock"}
	case 3024, 1969, 1317:
		return &Busy{Source: s, Reason: "the server ended a statement that took longer than the query time limit"}
	case 1045, 1698, 3118, 4151:
		return misfit("", "login failed (%s): check user and password, and from which hosts the account may log in", said)
	case 1044, 1049:
		return misfit("", "%s (%s): check database", e.Message, said)
	case 1146:
		return misfit(s, "%s (%s): check the name, or create the view", e.Message, said)
	case 1054, 1064, 1052, 1109, 1305, 1248:
		return misfit(s, "%s (%s): check the SELECT", e.Message, said)
	case 1142, 1143, 1370:
		return unauthorized(s, e.Message, said)
	case 1060:
		return misfit(s, "%s (%s): give each column a name of its own with AS", e.Message, said)
	case 1792:
		return misfit(s, "the SELECT tries to write (%s): the bridge reads only", said)
	case 1040, 1053, 1129, 1130, 1203, 1226, 1927, 2006, 2013, 4031:
		return &Unavailable{Reason: "the server does not serve now (" + said + ")", Next: "if it lasts, ask the DBA about connection limits and hosts"}
	}
	return misfit(s, "%s, whose text may quote data and is not shown: run the SELECT by hand, it may fail on some row", said)
}
