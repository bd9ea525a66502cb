package lims

import (
	"context"
	"database/sql"
	"slices"
	"strings"
	"time"
)

// Column is one column of a source.
type Column struct {
	Name string // as the source spells it
	Type string // the database's name of its type, in capitals; "" where it tells none
	Role string // the column of the view contract that it is, or "" for an extra one
}

// Description is what a source consists of and how it fits the view contract.
type Description struct {
	Columns  []Column
	Problems []string // what keeps the source, or rows of it, from being read or reported
	Warnings []string // what works but is not wished
	Untimed  bool     // changed_at is a number or a rowversion: Since cannot tell what is how old
}

// Describe compares the columns of the source with the view contract.
func (r *Reader) Describe(ctx context.Context, s Source) (Description, error) {
	_, desc, _, err := r.learn(ctx, s)
	return desc, err
}

// source returns what is known of a source, learning it at first. The copy belongs to the caller.
func (r *Reader) source(ctx context.Context, s Source) (*source, error) {
	r.mu.Lock()
	src := r.learned[s]
	r.mu.Unlock()
	if src == nil {
		learned, _, fatal, err := r.learn(ctx, s)
		if err != nil {
			return nil, err
		}
		if len(fatal) > 0 {
			return nil, &Misfit{Source: s, Problems: fatal}
		}
		src = learned
	}
	c := *src
	return &c, nil
}

// fresh learns a source anew, for a poll or a sweep: its view may have changed since the last one. Not
// every database tells: one that is asked for texts shows a decimal that became a float as a text like any other.
func (r *Reader) fresh(ctx context.Context, s Source) (*source, error) {
	r.forget(s)
	return r.source(ctx, s)
}

// forget has the source learned anew at its next use.
func (r *Reader) forget(s Source) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.learned, s)
}

// learn asks the database for the columns of a source.
func (r *Reader) learn(ctx context.Context, s Source) (*source, Description, []string, error) {
	if _, err := r.o.query(s); err != nil {
		return nil, Description{}, nil, err
	}
	w := r.from[s]
	found, err := run(ctx, r.ss, s, statement{text: learning(w.from)}, columnTypes)
	if err != nil {
		return nil, Description{}, nil, err
	}
	complete := true
	if d, ok := r.d.(sqliteDialect); ok {
		if complete, err = r.stored(ctx, d, s, w.from, found); err != nil {
			return nil, Description{}, nil, err
		}
	}
	columns, desc, fatal := describe(s, r.d, found, r.o.FloatDigits)
	desc.Warnings = slices.Clone(w.warnings)
	if len(fatal) > 0 {
		return nil, desc, fatal, nil
	}
	src := newSource(s, r, columns)
	desc.Untimed = src.changed.kind != kindClock
	if complete {
		r.mu.Lock()
		r.learned[s] = src
		r.mu.Unlock()
	}
	return src, desc, nil, nil
}

// newSource puts together what is known of a source whose key columns exist.
func newSource(s Source, r *Reader, columns []column) *source {
	src := &source{name: s, d: r.d, from: r.from[s].from, columns: columns, floats: r.o.FloatDigits, zone: zone{loc: r.o.Location}}
	for _, c := range columns {
		switch c.role {
		case rowID:
			src.id = c
		case changedAt:
			src.changed = c
		}
	}
	if src.changed.zoned {
		src.zone.loc = time.UTC
	}
	return src
}

// columnTypes returns the columns of an answer.
func columnTypes(rows *sql.Rows) ([]columnType, error) {
	types, err := rows.ColumnTypes()
	if err != nil {
		return nil, err
	}
	var out []columnType
	for _, t := range types {
		c := columnType{name: t.Name(), typ: strings.ToUpper(t.DatabaseTypeName())}
		c.length, _ = t.Length()
		out = append(out, c)
	}
	for rows.Next() { // there is none
	}
	return out, rows.Err()
}

// isRole reports whether a column of this name is one of the contract's.
func isRole(name string) bool {
	return slices.ContainsFunc(contract[:], func(c contractColumn) bool { return strings.EqualFold(c.name, name) })
}

// stored replaces the declared types of the key columns by what SQLite stores in them; complete is
// false while there are no rows to tell.
func (r *Reader) stored(ctx context.Context, d sqliteDialect, s Source, from string, found []columnType) (complete bool, err error) {
	complete = true
	for i := range found {
		// SQLite gives the second of two columns of one name a number of its own: name:1
		if name, number, ok := strings.Cut(found[i].name, ":"); ok && strings.Trim(number, "0123456789") == "" && isRole(name) {
			found[i].name = name
			continue
		}
		if !strings.EqualFold(found[i].name, contract[rowID].name) && !strings.EqualFold(found[i].name, contract[changedAt].name) {
			continue
		}
		t, err := r.texts(ctx, s, d.probe(from, found[i].name), column{})
		if err != nil {
			return false, err
		}
		if t[0] == "" {
			complete = false
			continue
		}
		found[i].typ = strings.ToUpper(t[0])
	}
	return complete, nil
}
