package lims

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"
)

// inspector is what a dialect can tell of the database beyond its rows, for people who set the
// bridge up. Every statement asks with the reader's own rights and changes nothing; "" says that this kind of
// database knows no such thing. The statements become part of Reader.Statements.
type inspector interface {
	// account selects one text: to whom a GRANT is made, as it stands there.
	account() string
	// missing selects the statements, one a row, that a DBA would run so that an object can be read.
	missing(object string) string
	// writable selects what the reader could write, asked with the database's functions for rights and
	// never by trying; writes makes a list of the answer.
	writable() string
	writes(answer) []string
	// encrypted selects, in its last column, how the connection is encrypted; empty is not at all.
	encrypted() string
	// dirty selects by which hint a view reads rows that may be rolled back; no row where by none, or
	// where its text may not be seen.
	dirty(object string) string
	// explained are the statements that tell how a query would run without running it, the last one
	// with the answer, which steps reads. needs is the right that this takes.
	explained(st statement, changed column) []statement
	steps(answer) []Step
	needs() LeftOut
	// index is the statement that makes an index on one column.
	index(table, column string) string
}

// untilEverything leaves out single names behind one that stands for all.
func untilEverything(names []string) []string {
	for i, n := range names {
		if strings.HasPrefix(n, "every") {
			return names[:i+1]
		}
	}
	return names
}

// LeftOut says that something about the database cannot be told, mostly for want of a right that
// the bridge does not need. Nothing is wrong.
type LeftOut struct {
	Reason string
	Right  string // that would tell it, where a DBA can grant it in the database: GRANT Right TO Account; "" elsewhere
}

// Error tells why.
func (e *LeftOut) Error() string { return e.Reason }

// answer is what a statement of an inspector returned, as text. It may quote rows, so that it is
// never shown whole.
type answer struct {
	columns []string
	rows    [][]string
}

// last returns the values of the last column.
func (a answer) last() []string {
	var out []string
	for _, r := range a.rows {
		out = append(out, r[len(r)-1])
	}
	return out
}

// inspect runs one statement of an inspector, or says why nothing can be told.
func (r *Reader) inspect(ctx context.Context, s Source, statements ...statement) (answer, error) {
	if len(statements) == 0 || statements[0].text == "" {
		return answer{}, &LeftOut{Reason: "not told by this kind of database"}
	}
	st := statements[len(statements)-1]
	st.before = statements[:len(statements)-1]
	a, err := run(ctx, r.ss, s, st, readAnswer)
	var misfit *Misfit
	var busy *Busy
	switch {
	case errors.As(err, &misfit) && misfit.Right:
		return answer{}, &LeftOut{Reason: "it takes a right that the bridge does not need"}
	case errors.As(err, &misfit), errors.As(err, &busy):
		return answer{}, &LeftOut{Reason: err.Error()}
	}
	return a, err
}

func readAnswer(rows *sql.Rows) (a answer, err error) {
	if a.columns, err = rows.Columns(); err != nil {
		return a, err
	}
	for rows.Next() {
		values, into := make([]any, len(a.columns)), make([]any, len(a.columns))
		for i := range values {
			into[i] = &values[i]
		}
		if err := rows.Scan(into...); err != nil {
			return a, err
		}
		var row []string
		for _, v := range values {
			switch v := v.(type) {
			case nil:
				row = append(row, "")
			case []byte:
				row = append(row, string(v))
			default:
				row = append(row, fmt.Sprint(v))
			}
		}
		a.rows = append(a.rows, row)
	}
	return a, rows.Err()
}

// object is the name of a source that is a view, or says that it is none.
func (r *Reader) object(s Source) (string, error) {
	q, err := r.o.query(s)
	if err == nil && q.View == "" {
		err = &LeftOut{Reason: "the source is a SELECT, not a view"}
	}
	return q.View, err
}

// Account returns to whom a DBA grants what the reader needs, as it stands in a GRANT. Its errors
// are a *LeftOut where the database has no accounts, or those of Reader; so are those of all
// inspections.
func (r *Reader) Account(ctx context.Context) (string, error) {
	a, err := r.inspect(ctx, "", statement{text: r.d.account()})
	if err != nil || len(a.rows) == 0 {
		return "", err
	}
	return a.last()[0], nil
}

// Missing returns the statements that a DBA would run so that the source can be read: none where it can, or
// where what is missing is no right on it.
func (r *Reader) Missing(ctx context.Context, s Source) ([]string, error) {
	return r.list(ctx, s, inspector.missing)
}

// Dirty returns by which hint the source's view reads rows that may be rolled back later; "" where
// by none, or where its text may not be seen.
func (r *Reader) Dirty(ctx context.Context, s Source) (string, error) {
	hints, err := r.list(ctx, s, inspector.dirty)
	if err != nil || len(hints) == 0 {
		return "", err
	}
	return hints[0], nil
}

func (r *Reader) list(ctx context.Context, s Source, statementOf func(inspector, string) string) ([]string, error) {
	object, err := r.object(s)
	if err != nil {
		return nil, err
	}
	a, err := r.inspect(ctx, "", statement{text: statementOf(r.d, object)})
	return a.last(), err
}

// Writable returns what the reader could write in the database though it never does: a few names
// of tables or roles, for a person.
func (r *Reader) Writable(ctx context.Context) ([]string, error) {
	a, err := r.inspect(ctx, "", statement{text: r.d.writable()})
	if err != nil {
		return nil, err
	}
	return r.d.writes(a), nil
}

// Encryption returns how the connection is encrypted as the server sees it, e.g. TLSv1.3; "" where
// it is not.
func (r *Reader) Encryption(ctx context.Context) (string, error) {
	a, err := r.inspect(ctx, "", statement{text: r.d.encrypted()})
	if err != nil || len(a.rows) == 0 {
		return "", err
	}
	return strings.Trim(a.last()[0], ", "), nil
}

// Negotiated returns by which version of TLS this end encrypts the connection that it opened last; "" where
// the driver does not tell, or it is not encrypted.
func (r *Reader) Negotiated() string {
	r.ss.mu.Lock()
	defer r.ss.mu.Unlock()
	return r.ss.tls
}

// CountUnstamped returns how many rows of the source have no change stamp.
func (r *Reader) CountUnstamped(ctx context.Context, s Source) (string, error) {
	src, err := r.source(ctx, s)
	if err != nil {
		return "", err
	}
	a, err := r.inspect(ctx, s, src.unstampedCount())
	if err != nil || len(a.rows) == 0 {
		return "", err
	}
	return a.last()[0], nil
}

// unstampedCount counts the rows without a stamp.
func (src *source) unstampedCount() statement {
	_, tail := src.d.limit(0)
	return statement{text: "SELECT COUNT(*)\nFROM " + src.from + "\nWHERE " + src.d.unstamped(src.changed, src.expr(src.changed)) + tail}
}

// Measure reads what changed since an instant, as a poll does, at most a page of it, and returns
// how long that took and how many rows it were.
func (r *Reader) Measure(ctx context.Context, s Source, since time.Time) (took time.Duration, rows int, err error) {
	src, st, err := r.since(ctx, s, since)
	if err != nil {
		return 0, 0, err
	}
	st.took = &took
	p, err := r.read(ctx, src, st, fewRows)
	return took, len(p.rows), err
}

// since is the statement with which a poll would begin to read from an instant on.
func (r *Reader) since(ctx context.Context, s Source, at time.Time) (*source, statement, error) {
	src, err := r.source(ctx, s)
	if err != nil {
		return nil, statement{}, err
	}
	c, err := r.Start(ctx, s, at)
	if err != nil {
		return nil, statement{}, err
	}
	st, err := src.stampedPage(c.Stamp, nil, r.o.PageSize)
	if err != nil {
		return nil, statement{}, misfit(s, "changed_at (%s) cannot be compared with a time", src.changed.typ)
	}
	return src, st, nil
}

// inspections returns every statement of the inspector, for Statements.
func (r *Reader) inspections() []string {
	i := r.d
	texts := []string{i.account(), i.writable(), i.encrypted()}
	for _, s := range []Source{Orders, Results} {
		if object, err := r.object(s); err == nil {
			texts = append(texts, i.missing(object), i.dirty(object))
		}
		src := r.known(s)
		st, _ := src.stampedPage(sample(src.changed), nil, r.o.PageSize)
		texts = append(texts, src.unstampedCount().text)
		for _, e := range i.explained(st, src.changed) {
			texts = append(texts, e.text)
		}
	}
	return texts
}
