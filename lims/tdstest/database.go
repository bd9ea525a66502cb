package tdstest

import (
	"context"
	"database/sql"
	"encoding/binary"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// Result is the answer to a statement.
type Result struct {
	Columns  []Column // nil: none, only a count
	Rows     [][]any  // in the form that value.go describes
	Affected int64
}

// database is one database of the server: tables in memory, with SQLite.
type database struct {
	name string

	mu      sync.Mutex
	db      *sql.DB         // of one connection, or the memory would be another's
	types   map[string]Type // of columns that are a CAST with a name, which SQLite does not tell
	version uint64          // the last rowversion given out
	open    []*transaction
}

// create makes an empty database.
func (s *Server) create(name string) error {
	db, err := sql.Open("sqlite", ":memory:")
	if err != nil {
		return err
	}
	db.SetMaxOpenConns(1)
	_, err = db.ExecContext(s.closing, "CREATE TABLE tdstest_version (n INTEGER); INSERT INTO tdstest_version VALUES (0)")
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.databases[name] = &database{name: name, db: db, types: map[string]Type{}, version: 2000}
	return nil
}

// triggers has SQLite give each value of a table its type's form, and each changed row a new rowversion.
func (d *database) triggers(ctx context.Context, tx execer, table string) error {
	rows, err := tx.QueryContext(ctx, "SELECT name, type FROM pragma_table_info(?)", table)
	if err != nil {
		return err
	}
	defer rows.Close()
	var set []string
	version := ""
	for rows.Next() {
		var column, declared string
		if err := rows.Scan(&column, &declared); err != nil {
			return err
		}
		t, ok := fromDeclared(declared)
		switch {
		case !ok:
		case t.Name == "rowversion":
			version = "UPDATE tdstest_version SET n = n + 1; "
			set = append(set, fmt.Sprintf("[%s] = unhex(printf('%%016X', (SELECT n FROM tdstest_version)))", column))
		default:
			set = append(set, fmt.Sprintf("[%s] = %s('%s', [%s])", column, convertTo, t, column))
		}
	}
	if err := errors.Join(rows.Err(), rows.Close()); err != nil {
		return err
	}
	const trigger = "CREATE TRIGGER [%[1]s_%[2]s] AFTER %[2]s ON [%[1]s] BEGIN %[3]sUPDATE [%[1]s] SET %[4]s WHERE rowid = NEW.rowid; END"
	_, err = tx.ExecContext(ctx, fmt.Sprintf(trigger, table, "UPDATE", version, strings.Join(set, ", ")))
	if err != nil {
		return err
	}
	// What is inserted is updated, with which the other trigger does its work.
	_, err = tx.ExecContext(ctx, fmt.Sprintf(trigger, table, "INSERT", "", "rowid = rowid"))
	return err
}

// execer is what a connection can do.
type execer interface {
	ExecContext(ctx context.Context, text string, args ...any) (sql.Result, error)
	QueryContext(ctx context.Context, text string, args ...any) (*sql.Rows, error)
}

// execute runs a statement of the writer, or a reader's whose shape is known.
func (d *database) execute(ctx context.Context, tx execer, st Statement) (Result, error) {
	all := scan(st.Text)
	words := meaningful(all)
	starts := func(head ...string) bool {
		for i, w := range head {
			if i >= len(words) || !words[i].is(w) {
				return false
			}
		}
		return true
	}
	exec := func(texts ...string) (Result, error) {
		for _, text := range texts {
			if _, err := tx.ExecContext(ctx, text); err != nil {
				return Result{}, explain(err)
			}
		}
		return Result{}, nil
	}
	var args []any
	for _, p := range st.Params {
		args = append(args, sql.Named(strings.TrimPrefix(p.Name, "@"), p.Value))
	}
	switch {
	case starts("CREATE", "TABLE"):
		table, text, err := createTable(all)
		if err != nil {
			return Result{}, err
		}
		if res, err := exec(text); err != nil {
			return res, err
		}
		return Result{}, explain(d.triggers(ctx, tx, table))
	case starts("ALTER", "TABLE"):
		return Result{}, d.alterTable(ctx, tx, words)
	case starts("EXEC", "sp_rename"):
		return Result{}, d.renameColumn(ctx, tx, words)
	case starts("ALTER", "VIEW"), starts("CREATE", "OR", "ALTER", "VIEW"):
		at := slices.IndexFunc(all, func(l lexeme) bool { return l.is("AS") })
		head := meaningful(all[:max(at, 0)])
		if len(head) == 0 {
			return Result{}, Error{Number: 102, Class: 15, Message: "Incorrect syntax near 'VIEW'."}
		}
		view := head[len(head)-1].identifier()
		return exec("DROP VIEW IF EXISTS ["+view+"]", "CREATE VIEW ["+view+"] "+d.translated(join(all[at:])))
	case starts("SELECT"), starts("WITH"):
		return d.query(ctx, tx, d.translated(st.Text), args)
	}
	done, err := tx.ExecContext(ctx, d.translated(st.Text), args...)
	if err != nil {
		return Result{}, explain(err)
	}
	n, _ := done.RowsAffected()
	return Result{Affected: n}, nil
}

// viewName are the pieces of a name such as dbo.v at the beginning.
func viewName(words []lexeme) []lexeme {
	for i := 1; i < len(words); i += 2 {
		if !words[i].is(".") {
			return words[:i]
		}
	}
	return words
}

// alterTable does ADD column type and DROP COLUMN column.
func (d *database) alterTable(ctx context.Context, tx execer, words []lexeme) error {
	table := viewName(words[2:])
	rest := words[2+len(table):]
	if len(rest) < 3 {
		return Error{Number: 102, Class: 15, Message: "Incorrect syntax near 'TABLE'."}
	}
	change := spaced(rest)
	if rest[0].is("ADD") {
		column, err := tableColumn(rest[1:])
		if err != nil {
			return err
		}
		change = "ADD COLUMN " + column
	}
	return d.change(ctx, tx, table[len(table)-1].identifier(), change)
}

// renameColumn does sp_rename 'table.column', 'name', 'COLUMN'.
func (d *database) renameColumn(ctx context.Context, tx execer, words []lexeme) error {
	if len(words) != 7 || words[6].text != "'COLUMN'" {
		return Error{Number: 15249, Class: 11, Message: "only columns can be renamed"}
	}
	table, column, _ := strings.Cut(strings.Trim(words[2].text, "'"), ".")
	return d.change(ctx, tx, table, "RENAME COLUMN ["+column+"] TO ["+strings.Trim(words[4].text, "'")+"]")
}

// change alters a table, whose triggers name its columns.
func (d *database) change(ctx context.Context, tx execer, table, change string) error {
	for _, text := range []string{"DROP TRIGGER [" + table + "_INSERT]", "DROP TRIGGER [" + table + "_UPDATE]", "ALTER TABLE [" + table + "] " + change} {
		if _, err := tx.ExecContext(ctx, text); err != nil {
			return explain(err)
		}
	}
	return explain(d.triggers(ctx, tx, table))
}

// translated is a statement in SQLite's words.
func (d *database) translated(text string) string {
	text = strings.ReplaceAll(text, "MIN_ACTIVE_ROWVERSION()", fmt.Sprintf("x'%016X'", d.settled()))
	text = strings.ReplaceAll(text, "@@DBTS", fmt.Sprintf("x'%016X'", d.version))
	return translate(text, func(column string, t Type) { d.types[strings.ToLower(column)] = t })
}

// query reads an answer with the types of its columns.
func (d *database) query(ctx context.Context, tx execer, text string, args []any) (res Result, err error) {
	rows, err := tx.QueryContext(ctx, text, args...)
	if err != nil {
		return res, explain(err)
	}
	defer rows.Close()
	types, err := rows.ColumnTypes()
	if err != nil {
		return res, explain(err)
	}
	known := make([]bool, len(types))
	for i, t := range types {
		c := Column{Name: t.Name()}
		if c.Type, known[i] = fromDeclared(t.DatabaseTypeName()); !known[i] {
			c.Type, known[i] = d.types[strings.ToLower(c.Name)]
		}
		res.Columns = append(res.Columns, c)
	}
	res.Rows = [][]any{}
	for rows.Next() {
		values, into := make([]any, len(types)), make([]any, len(types))
		for i := range values {
			into[i] = &values[i]
		}
		if err := rows.Scan(into...); err != nil {
			return res, explain(err)
		}
		for i := range values {
			if !known[i] {
				res.Columns[i].Type, known[i] = guessed(values[i])
			}
		}
		res.Rows = append(res.Rows, values)
	}
	if err := rows.Err(); err != nil {
		return res, explain(err)
	}
	for i := range known {
		if !known[i] {
			res.Columns[i].Type = Type{Name: "nvarchar", Length: 4000}
		}
	}
	for _, row := range res.Rows {
		for i := range row {
			if row[i], err = res.Columns[i].Type.convert(row[i]); err != nil {
				return res, err
			}
		}
	}
	return res, nil
}

// guessed is the type of an expression by its first value that is not NULL.
func guessed(v any) (t Type, ok bool) {
	switch v := v.(type) {
	case nil:
		return t, false
	case int64:
		if v == int64(int32(v)) {
			return Type{Name: "int"}, true
		}
		return Type{Name: "bigint"}, true
	case float64:
		return Type{Name: "float"}, true
	case []byte:
		return Type{Name: "varbinary", Length: 8000}, true
	}
	return Type{Name: "nvarchar", Length: 4000}, true
}

// sqliteErrors are SQL Server's errors for what SQLite says.
var sqliteErrors = []struct {
	said    *regexp.Regexp
	number  int32
	class   byte
	message string
}{
	{regexp.MustCompile(`no such table: (?:main\.)?([^ ]+)`), 208, 16, "Invalid object name '%s'."},
	{regexp.MustCompile(`no such column: (?:lb\.)?"?([^ "]+)`), 207, 16, "Invalid column name '%s'."},
	{regexp.MustCompile(`ambiguous column name: ([^ ]+)`), 209, 16, "Ambiguous column name '%s'."},
	{regexp.MustCompile(`near "([^"]+)": syntax error`), 102, 15, "Incorrect syntax near '%s'."},
	{regexp.MustCompile(`no such function: ([^ ]+)`), 195, 15, "'%s' is not a recognized built-in function name."},
	{regexp.MustCompile(`UNIQUE constraint failed: ([^ ]+)`), 2627, 14, "Violation of UNIQUE KEY constraint '%s'."},
	{regexp.MustCompile(`NOT NULL constraint failed: ([^ ]+)`), 515, 16, "Cannot insert the value NULL into column '%s'."},
	{regexp.MustCompile(`(?:table|view) (?:\[|")?([^ "\]]+).* already exists`), 2714, 16, "There is already an object named '%s' in the database."},
}

var ownError = regexp.MustCompile(`tdstest error (\d+): (.*?)(?: \(\d+\))?$`)

// explain turns an error of SQLite into one of SQL Server.
func explain(err error) error {
	if err == nil {
		return nil
	}
	if m := ownError.FindStringSubmatch(err.Error()); m != nil {
		n, _ := strconv.ParseInt(m[1], 10, 32)
		return Error{Number: int32(n), Class: 16, Message: m[2]}
	}
	for _, e := range sqliteErrors {
		if m := e.said.FindStringSubmatch(err.Error()); m != nil {
			return Error{Number: e.number, Class: e.class, Message: fmt.Sprintf(e.message, m[1])}
		}
	}
	return err
}

// rowversion writes a rowversion's number as its eight bytes.
func rowversion(n uint64) []byte { return binary.BigEndian.AppendUint64(nil, n) }
