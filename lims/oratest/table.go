package oratest

import (
	"fmt"
	"slices"
	"strings"
)

// table is a table, or what a view shows. Rows are never changed in place: an answer may be on its way.
type table struct {
	columns []Column
	rows    [][]any
}

// identifier is a name, or several with points between, as the dictionary has it: in capitals, unless it stands in
// quotation marks.
func identifier(name string) string {
	parts := strings.Split(name, ".")
	for i, p := range parts {
		if p, quoted := strings.CutPrefix(p, `"`); quoted {
			parts[i] = strings.TrimSuffix(p, `"`)
		} else {
			parts[i] = strings.ToUpper(p)
		}
	}
	return strings.Join(parts, ".")
}

func (t *table) column(name string) int {
	return slices.IndexFunc(t.columns, func(c Column) bool { return c.Name == identifier(name) })
}

// with runs f on a table.
func (s *Server) with(name string, f func(t *table) error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	t := s.tables[identifier(name)]
	if t == nil {
		return missing
	}
	return f(t)
}

var missing = Error{Code: 942, Message: "table or view does not exist"}

// Create makes an empty table. Names are written as in SQL.
func (s *Server) Create(name string, columns ...Column) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.tables[identifier(name)] != nil {
		return Error{Code: 955, Message: "name is already used by an existing object"}
	}
	t := &table{}
	for _, c := range columns {
		t.columns = append(t.columns, Column{identifier(c.Name), c.Type})
	}
	s.tables[identifier(name)] = t
	return nil
}

// Drop removes a table.
func (s *Server) Drop(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.tables, identifier(name))
}

// Insert adds rows. A value is nil, an int, or a text as SQL has it in quotation marks; RAW is hexadecimal.
func (s *Server) Insert(name string, columns []string, rows ...[]any) error {
	return s.with(name, func(t *table) error {
		for _, row := range rows {
			made, err := t.set(make([]any, len(t.columns)), columns, row)
			if err != nil {
				return err
			}
			t.rows = append(t.rows, made)
		}
		return nil
	})
}

// set returns the row with other values of these columns.
func (t *table) set(row []any, columns []string, values []any) ([]any, error) {
	row = slices.Clone(row)
	for i, name := range columns {
		at := t.column(name)
		if at < 0 {
			return nil, Error{Code: 904, Message: fmt.Sprintf("%q: invalid identifier", identifier(name))}
		}
		v, err := t.columns[at].Type.stored(values[i])
		if err != nil {
			return nil, err
		}
		row[at] = v
	}
	return row, nil
}

// where finds the rows whose column has a value.
func (t *table) where(column string, value any) (found []int, err error) {
	at := t.column(column)
	if at < 0 {
		return nil, Error{Code: 904, Message: fmt.Sprintf("%q: invalid identifier", identifier(column))}
	}
	v, err := t.columns[at].Type.stored(value)
	for i, row := range t.rows {
		if v != nil && row[at] != nil && same(row[at], v) {
			found = append(found, i)
		}
	}
	return found, err
}

// Update sets columns of the rows of which a column has a value.
func (s *Server) Update(name, column string, value any, columns []string, values ...any) error {
	return s.with(name, func(t *table) error {
		found, err := t.where(column, value)
		if err != nil {
			return err
		}
		for _, i := range found {
			if t.rows[i], err = t.set(t.rows[i], columns, values); err != nil {
				return err
			}
		}
		return nil
	})
}

// Delete removes the rows of which a column has a value.
func (s *Server) Delete(name, column string, value any) error {
	return s.with(name, func(t *table) error {
		found, err := t.where(column, value)
		for _, i := range slices.Backward(found) {
			t.rows = slices.Delete(slices.Clone(t.rows), i, i+1)
		}
		return err
	})
}

// AddColumn adds a column, which is NULL in each row.
func (s *Server) AddColumn(name string, c Column) error {
	return s.with(name, func(t *table) error {
		t.columns = append(slices.Clone(t.columns), Column{identifier(c.Name), c.Type})
		for i, row := range t.rows {
			t.rows[i] = append(slices.Clone(row), nil)
		}
		return nil
	})
}

// DropColumn removes a column.
func (s *Server) DropColumn(name, column string) error {
	return s.with(name, func(t *table) error {
		at := t.column(column)
		if at < 0 {
			return Error{Code: 904, Message: fmt.Sprintf("%q: invalid identifier", identifier(column))}
		}
		t.columns = slices.Delete(slices.Clone(t.columns), at, at+1)
		for i, row := range t.rows {
			t.rows[i] = slices.Delete(slices.Clone(row), at, at+1)
		}
		return nil
	})
}

// RenameColumn gives a column another name.
func (s *Server) RenameColumn(name, from, to string) error {
	return s.with(name, func(t *table) error {
		at := t.column(from)
		if at < 0 {
			return Error{Code: 904, Message: fmt.Sprintf("%q: invalid identifier", identifier(from))}
		}
		t.columns = slices.Clone(t.columns)
		t.columns[at].Name = identifier(to)
		return nil
	})
}

// look is the table as it is at the beginning of a statement, [SQLREF] read consistency.
func (s *Server) look(name string) (table, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	t := s.tables[name]
	if t == nil || s.denied[name] {
		return table{}, missing // Oracle says the same of what may not be read
	}
	return table{t.columns, slices.Clone(t.rows)}, nil
}
