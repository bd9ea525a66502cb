package lims

import (
	"context"
	"database/sql/driver"
)

// dialect is what one kind of database needs to be read. Its texts become part of Reader.Statements.
type dialect interface {
	inspector

	// connect makes a connection with this password and runs setup on it.
	connect(ctx context.Context, o Options, password string) (driver.Conn, error)
	// setup are the statements that make a session read-only, patient and short.
	setup(o Options) []string
	// syntax is what the check of the user's SELECT must know.
	syntax() syntax

	// kind classifies a column's type; zoned says that its date-times are instants.
	kind(t columnType) (k kind, zoned bool)
	// quote makes an identifier of a name.
	quote(name string) string
	// output is how a column is selected so that nothing is lost.
	output(c column, expr string) string
	// idOrder is how row ids are ordered, and greater how they are compared with a placeholder: text in
	// a binary collation.
	idOrder(c column, expr string) string
	greater(c column, expr, placeholder string) (left, right string)
	// param is the nth placeholder (from 1), of the type of the column.
	param(c column, n int) string
	// bind makes a parameter of a stamp or row id. An error says that no such value can be in the column.
	bind(c column, text string) (any, error)
	// unstamped is the condition that a change stamp is missing: NULL, or what this database has instead of it.
	// stamped is the opposite.
	unstamped(c column, expr string) string
	stamped(c column, expr string) string
	// rowValues says that (a, b) > (x, y) uses an index on (a, b) well.
	rowValues() bool
	// limit are the texts behind SELECT and at the end of a statement that returns at most n rows.
	limit(n int) (head, tail string)
	// in is the condition that expr is one of n ids, with placeholders from the first on; list makes its arguments.
	in(c column, expr string, n int) string
	list(c column, ids []any) []any
	// sizes are the lengths of such lists, ascending: a shorter one is filled up, so that few statements exist.
	sizes() []int

	// now selects the server's clock: one column that text turns into an RFC 3339 time.
	now() string
	// identity selects three texts: user, database and version.
	identity() string

	// text turns a value that is neither text nor a number into text; ok is false if it cannot.
	text(c column, v any) (text string, ok bool)
	// explain turns an error of the driver into one of this package's, or returns nil where it does
	// not know it. It shows the server's words only where they cannot quote a row's value.
	explain(s Source, err error) error
}

// columnType is a column of a result as the driver describes it.
type columnType struct {
	name   string
	typ    string // in capitals
	length int64  // in characters or bytes; 0: unknown or unlimited
}

// newDialect returns the dialect of Options.Type.
func newDialect(typ string) dialect {
	switch typ {
	case SQLServer:
		return sqlServer{}
	case Postgres:
		return postgres{}
	case MySQL:
		return mySQL{}
	case Oracle:
		return oracle{}
	}
	return sqliteDialect{}
}
