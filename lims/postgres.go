package lims

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"
)

// postgres reads PostgreSQL. All columns are selected as text: what psql prints is what is read,
// with every digit of a numeric.
type postgres struct{}

func (postgres) syntax() syntax {
	return syntax{nestedComments: true, dollarQuotes: true, quotes: `"`}
}

func (postgres) setup(o Options) []string {
	ms := func(d time.Duration) string { return strconv.FormatInt(d.Milliseconds(), 10) }
	return []string{
		"SET default_transaction_read_only = on",
		"SET default_transaction_isolation = 'read committed'",
		"SET lock_timeout = " + ms(o.LockTimeout),
		"SET statement_timeout = " + ms(o.QueryTimeout),
		"SET idle_in_transaction_session_timeout = " + ms(o.QueryTimeout),
		"SET max_parallel_workers_per_gather = 0",
		"SET application_name = " + literal(o.AppName),
		"SET TimeZone = 'UTC'",
		"SET DateStyle = 'ISO'",
		"SET client_encoding = 'UTF8'", // else the server speaks the encoding of the database
	}
}

// literal quotes a text for the standard's strings.
func literal(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }

func (d postgres) connect(ctx context.Context, o Options, password string) (driver.Conn, error) {
	// The driver insists on parsing a string; everything that its environment may have put into the
	// configuration is overwritten.
	c, err := pgx.ParseConfig("host=127.0.0.1 user=none sslmode=disable passfile=''")
	if err != nil {
		return nil, misfit("", "the PG... environment variables of this service do not fit: remove them")
	}
	c.Host, c.Port, c.Database, c.User, c.Password = o.Server, uint16(o.Port), o.Database, o.User, password
	if o.Port == 0 {
		c.Port = 5432
	}
	c.Fallbacks, c.RuntimeParams = nil, map[string]string{}
	if c.TLSConfig, err = o.tlsConfig(); err != nil {
		return nil, err
	}
	// Unnamed statements: they work through connection poolers, too.
	c.DefaultQueryExecMode = pgx.QueryExecModeDescribeExec
	conn, err := stdlib.GetConnector(*c).Connect(ctx)
	if err != nil {
		return nil, err
	}
	return setUp(ctx, conn, d.setup(o))
}

func (postgres) kind(t columnType) (kind, bool) {
	switch t.typ {
	case "BPCHAR":
		return kindFixed, false
	case "INT2", "INT4", "INT8":
		return kindInteger, false
	case "NUMERIC":
		return kindDecimal, false
	case "FLOAT4", "FLOAT8":
		return kindFloat, false
	case "TIMESTAMP":
		return kindClock, false
	case "TIMESTAMPTZ":
		return kindClock, true
	case "DATE":
		return kindDate, false
	case "UUID":
		return kindUUID, false
	case "TEXT", "VARCHAR", "NAME":
		return kindText, false
	}
	if t.typ != "" && strings.Trim(t.typ, "0123456789") == "" {
		return kindText, false // a type of the database's own, by its number: an enumeration, mostly
	}
	return kindOther, false
}

func (postgres) quote(name string) string {
	return `"` + strings.ReplaceAll(name, `"`, `""`) + `"`
}

func (postgres) output(_ column, expr string) string { return expr + "::text" }

func (postgres) idOrder(c column, expr string) string {
	switch {
	case c.kind == kindFixed, c.typ == "TEXT", c.typ == "VARCHAR":
		return expr + ` COLLATE "C"`
	case c.kind == kindText:
		return expr + `::text COLLATE "C"`
	}
	return expr
}

func (postgres) param(c column, n int) string {
	return "$" + strconv.Itoa(n) + "::" + postgresType(c)
}

func postgresType(c column) string {
	switch c.kind {
	case kindInteger:
		return "bigint"
	case kindDecimal:
		return "numeric"
	case kindClock:
		return strings.ToLower(c.typ)
	case kindUUID:
		return "uuid"
	case kindFixed:
		return "bpchar"
	}
	return "text"
}

func (postgres) bind(c column, text string) (any, error) {
	switch c.kind {
	case kindInteger:
		return strconv.ParseInt(text, 10, 64)
	case kindDecimal:
		return text, c.checkDecimal(text)
	case kindUUID:
		if len(text) != 36 || strings.Trim(text, "0123456789abcdefABCDEF-") != "" {
			return nil, errors.New("no UUID")
		}
	}
	if strings.ContainsRune(text, 0) {
		return nil, errors.New("no text of this database")
	}
	return text, nil
}

func (d postgres) greater(c column, expr, placeholder string) (left, right string) {
	return d.idOrder(c, expr), placeholder
}

func (postgres) unstamped(_ column, expr string) string { return expr + " IS NULL" }

func (postgres) stamped(_ column, expr string) string { return expr + " IS NOT NULL" }

func (postgres) rowValues() bool { return true }

func (postgres) limit(n int) (head, tail string) { return limitClause(n) }

func (d postgres) in(c column, expr string, _ int) string {
	if c.kind == kindText && c.typ != "TEXT" && c.typ != "VARCHAR" {
		expr += "::text"
	}
	return expr + " = ANY($1::" + postgresType(c) + "[])"
}

func (postgres) list(c column, ids []any) []any {
	ids = slices.Compact(ids) // an array needs no filling up
	if c.kind == kindInteger {
		list := make([]int64, len(ids))
		for i, id := range ids {
			list[i] = id.(int64)
		}
		return []any{list}
	}
	list := make([]string, len(ids))
	for i, id := range ids {
		list[i] = id.(string)
	}
	return []any{list}
}

func (postgres) sizes() []int { return []int{500} } // one array, whatever its length

func (postgres) now() string { return "SELECT clock_timestamp()::text" }

func (postgres) identity() string {
	return "SELECT current_user::text, current_database()::text, version()"
}

func (postgres) text(column, any) (string, bool) { return "", false }

func (postgres) explain(s Source, err error) error {
	var e *pgconn.PgError
	if !errors.As(err, &e) {
		if strings.Contains(err.Error(), "server refused TLS connection") { // the driver has no type for it
			return misfit("", "the server offers no TLS: have it set up there, or write encrypt: off")
		}
		return nil
	}
	said := fmt.Sprintf("PostgreSQL error %s", e.Code)
	switch e.Code { // Appendix A of PostgreSQL's manual
	case "55P03":
		return &Busy{Source: s, Reason: "a lock of another session was not released within the lock timeout"}
	case "40P01", "40001":
		return &Busy{Source: s, Reason: "this reader gave way in a deadlock"}
	case "57014":
		return &Busy{Source: s, Reason: "the server ended a statement that took longer than the query time limit"}
	case "28P01", "28000":
		return misfit("", "login failed (%s): check user, password, and the server's pg_hba.conf", said)
	case "3D000":
		return misfit("", "%s (%s): check database", e.Message, said)
	case "42P01", "3F000":
		return misfit(s, "%s (%s): check the name, or create the view", e.Message, said)
	case "42703", "42601", "42702", "42883", "42P09":
		return misfit(s, "%s (%s): check the SELECT", e.Message, said)
	case "42501":
		return unauthorized(s, e.Message, said)
	case "25006":
		return misfit(s, "the SELECT tries to write (%s): the bridge reads only", said)
	}
	switch e.Code[:min(2, len(e.Code))] {
	case "08", "53", "57", "58", "XX":
		return &Unavailable{Source: s, Reason: "the server does not serve now (" + said + ")"}
	}
	return misfit(s, "%s, whose text may quote data and is not shown: run the SELECT by hand, it may fail on some row", said)
}

// limitClause limits a statement as PostgreSQL, MySQL and SQLite do.
func limitClause(n int) (head, tail string) {
	if n == 0 {
		return "", ""
	}
	return "", "\nLIMIT " + strconv.Itoa(n)
}
