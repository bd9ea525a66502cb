package lims

import (
	"database/sql"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// page is what one statement brought.
type page struct {
	rows []Row
	last position // of the last row
}

// read decodes all rows of an answer, which has the columns of src in their order. room is how many
// there will probably be.
func (src *source) read(rows *sql.Rows, room int) (page, error) {
	values := make([]any, len(src.columns))
	into := make([]any, len(src.columns))
	for i := range values {
		into[i] = &values[i]
	}
	var p page
	for rows.Next() {
		if err := rows.Scan(into...); err != nil {
			return p, err
		}
		if p.rows == nil {
			p.rows = make([]Row, 0, room)
		}
		p.rows = append(p.rows, Row{Source: src.name})
		row := &p.rows[len(p.rows)-1]
		before := p.last
		p.last = src.decode(values, row)
		if len(p.rows) > 1 && before == p.last {
			row.fault(notUnique)
		}
	}
	return p, rows.Err()
}

// decode fills in a row and returns its position.
func (src *source) decode(values []any, row *Row) (at position) {
	for i := range src.columns {
		c := &src.columns[i]
		text, problem := src.text(c, values[i])
		if problem == "" && values[i] != nil {
			problem = c.unfit
		}
		switch c.role {
		case rowID:
			at.id = text
			if values[i] == nil {
				problem = "is NULL"
			}
		case changedAt:
			at.stamp = text
			if text != "" && problem == "" && c.kind == kindClock {
				if r, ok := parseReading(text); ok {
					row.Changed = r.instant(&src.zone)
				} else {
					problem = "is no date-time"
				}
			}
			row.Stamp = text
		case birthDate:
			if problem == "" {
				text, problem = date(text, c.zoned)
			}
		}
		if limit := contract[c.role].limit; problem == "" && limit > 0 && len(text) > limit && utf8.RuneCountInString(text) > limit {
			problem = "is longer than " + strconv.Itoa(limit) + " characters"
		}
		if problem != "" {
			row.fault(contract[c.role].name + " " + problem)
			continue
		}
		*row.field(c.role) = text
	}
	return at
}

// fault adds a problem to the row.
func (row *Row) fault(problem string) {
	if row.Problem != "" {
		row.Problem += "; "
	}
	row.Problem += problem
}

// field is where a column of the contract is kept in a row.
func (row *Row) field(r role) *string {
	switch r {
	case rowID:
		return &row.ID
	case changedAt:
		return &row.Stamp
	case requisitionID:
		return &row.Requisition
	case serviceRequestID:
		return &row.ServiceRequest
	case orderCode:
		return &row.OrderCode
	case status:
		return &row.Status
	case reason:
		return &row.Reason
	case birthDate:
		return &row.BirthDate
	case resultCode:
		return &row.ResultCode
	case value:
		return &row.Value
	}
	return &row.Unit
}

// text turns a value of the driver into the lab's own text. A problem is what follows the name of
// the column.
func (src *source) text(c *column, v any) (text, problem string) {
	switch v := v.(type) {
	case nil:
		return "", ""
	case string:
		text = v
	case int64:
		return strconv.FormatInt(v, 10), ""
	case uint64:
		return strconv.FormatUint(v, 10), ""
	case float64:
		return src.float(c, v)
	case float32:
		return src.float(c, float64(v))
	default:
		var ok bool
		if text, ok = src.d.text(*c, v); !ok {
			return "", "is " + c.typeName() + ", which has no text of the lab's own"
		}
	}
	switch c.kind {
	case kindFixed:
		text = strings.TrimRight(text, " ")
	case kindUUID:
		text = strings.ToLower(text)
	case kindFloat: // as text, where the dialect selects it so
		f, err := strconv.ParseFloat(text, 64)
		if err != nil && src.floats > 0 {
			return "", "is no number"
		}
		return src.float(c, f)
	case kindOther:
		return "", "is " + c.typeName() + ", which has no text of the lab's own"
	}
	if !utf8.ValidString(text) {
		return text, "is not valid UTF-8"
	}
	return text, ""
}

// float writes a binary number with the digits that were asked for, or refuses it.
func (src *source) float(c *column, f float64) (text, problem string) {
	if src.floats == 0 || c.role != value {
		return "", "is " + c.floatName() + ", which loses digits"
	}
	return strconv.FormatFloat(f, 'f', src.floats, 64), ""
}

func (c *column) typeName() string {
	if c.typ == "" {
		return "of a type"
	}
	return c.typ
}

// floatName is the column's type, or what SQLite stores where the declared type is another.
func (c *column) floatName() string {
	if c.kind == kindFloat && c.typ != "" {
		return c.typ
	}
	return "REAL"
}

// date returns the date of a date or date-time as YYYY-MM-DD.
func date(text string, zoned bool) (string, string) {
	if text == "" {
		return "", ""
	}
	r, ok := parseReading(text)
	switch {
	case !ok:
		return "", "is no date of the form YYYY-MM-DD"
	case zoned || r.zone != "":
		return "", "is an instant, not a date"
	}
	return r.wall.Format(time.DateOnly), ""
}
