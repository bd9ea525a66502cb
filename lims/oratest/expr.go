package oratest

import (
	"bytes"
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// expr is an expression: a column, a parameter, or a function of one of them.
type expr struct {
	column string
	param  int    // from 1 on
	name   string // the function
	of     *expr
	format string // its second argument
	as     Type   // of CAST
}

// functions are those that readers call, with whether they have a second argument.
var functions = map[string]bool{"TO_CHAR": true, "SYS_EXTRACT_UTC": false, "NLSSORT": true, "TO_NCHAR": false, "RTRIM": false, "TO_NUMBER": false, "TO_DATE": true, "TO_TIMESTAMP": true, "TO_TIMESTAMP_TZ": true}

// casts are the types to which readers convert.
var casts = map[string]string{"CHAR": "CHAR(255)", "TIMESTAMP": "TIMESTAMP(9) WITH LOCAL TIME ZONE"}

func (p *parser) expr() (e expr) {
	if p.words(alias) {
		p.must('.', "")
		return expr{column: p.must('"', "")}
	}
	if l, ok := p.next(':', ""); ok {
		e.param, _ = strconv.Atoi(l.text)
		return e
	}
	if p.words("CASE WHEN") { // whether there is something
		of := p.expr()
		p.mustWords("IS NOT NULL THEN")
		p.must('\'', "x")
		p.mustWords("END")
		return expr{name: "CASE", of: &of}
	}
	e.name = p.must('w', "")
	second, known := functions[e.name]
	if p.err == nil && !known && e.name != "CAST" {
		p.err = errShape
	}
	if p.err != nil {
		return e
	}
	p.must('(', "")
	of := p.expr()
	e.of = &of
	switch {
	case second:
		p.must(',', "")
		e.format = p.must('\'', "")
	case e.name == "CAST":
		p.mustWords("AS")
		e.as = p.cast()
	}
	p.must(')', "")
	return e
}

func (p *parser) cast() Type {
	name := p.must('w', "")
	p.must('(', "")
	text := name + "(" + p.must('1', "") + ")"
	p.must(')', "")
	if p.words("WITH LOCAL TIME ZONE") {
		text += " WITH LOCAL TIME ZONE"
	}
	t, err := ParseType(text)
	if p.err == nil && (err != nil || casts[name] != text) {
		p.err = errShape
	}
	return t
}

// scope is what an expression is about.
type scope struct {
	columns  []Column
	params   []Param
	settings map[string]string
}

// compiled is an expression with its type. A row is nil where no column is in it.
type compiled struct {
	typ  Type
	eval func(row []any) (any, error)
}

var (
	text4000     = Type{Name: "VARCHAR2", Length: 4000}
	national2000 = Type{Name: "NVARCHAR2", Length: 2000, Chars: true}
)

// compile gives an expression its type. What Oracle would convert by itself is of no known shape: the reader says
// what it means.
func (e expr) compile(ctx *scope) (compiled, error) {
	switch {
	case e.column != "":
		at := slices.IndexFunc(ctx.columns, func(c Column) bool { return c.Name == e.column })
		if at < 0 {
			return compiled{}, Error{Code: 904, Message: fmt.Sprintf(`"LB".%q: invalid identifier`, e.column)}
		}
		return compiled{ctx.columns[at].Type, func(row []any) (any, error) { return row[at], nil }}, nil
	case e.param > 0:
		if e.param > len(ctx.params) {
			return compiled{}, Error{Code: 1008, Message: "not all variables bound"}
		}
		p := ctx.params[e.param-1]
		t := text4000
		v := p.Value
		if p.Type == "RAW" {
			t = Type{Name: "RAW", Length: 2000}
		} else if v == "" {
			v = nil
		}
		return compiled{t, func([]any) (any, error) { return v, nil }}, nil
	}
	of, err := e.of.compile(ctx)
	if err != nil {
		return compiled{}, err
	}
	t, f, err := e.function(of.typ, ctx)
	if err != nil {
		return compiled{}, err
	}
	return compiled{t, func(row []any) (any, error) {
		v, err := of.eval(row)
		if v == nil || err != nil {
			return nil, err
		}
		return f(v)
	}}, nil
}

// function returns a function for values of a type.
func (e expr) function(of Type, ctx *scope) (t Type, f func(v any) (any, error), err error) {
	zone, err := sessionZone(ctx.settings)
	if err != nil {
		return t, nil, err
	}
	unfit := fmt.Errorf("%s of a %s: %w", e.name, of.Name, errShape)
	isBound := e.of.param > 0
	switch e.name {
	case "TO_CHAR":
		switch {
		case of.Name == "NUMBER" && e.format == "TM9":
			point := decimal(ctx.settings)
			return text4000, func(v any) (any, error) { return strings.Replace(v.(number).text, ".", point, 1), nil }, nil
		case of.Name == "DATE", of.Name == "TIMESTAMP", of.Name == local:
			list, err := model(e.format, of)
			return text4000, func(v any) (any, error) {
				at := v.(time.Time)
				if of.Name == local {
					at = at.In(zone)
				}
				return write(list, at), nil
			}, err
		}
	case "SYS_EXTRACT_UTC":
		if of.Name == zoned {
			return Type{Name: "TIMESTAMP", Scale: 9}, func(v any) (any, error) { return v.(time.Time).UTC(), nil }, nil
		}
	case "NLSSORT": // the text's bytes in its own character set, and one that is zero
		if of.isText() && of.Name != "CLOB" && e.format == "NLS_SORT=BINARY" {
			bytes := func(s string) []byte { return []byte(s) }
			if of.national() {
				bytes = utf16BE
			}
			return Type{Name: "RAW", Length: 2000}, func(v any) (any, error) { return append(bytes(v.(string)), 0), nil }, nil
		}
	case "CASE":
		return text4000, func(any) (any, error) { return "x", nil }, nil
	case "TO_NCHAR":
		if of.isText() && of.Name != "CLOB" {
			return national2000, func(v any) (any, error) { return v, nil }, nil
		}
	case "RTRIM":
		if of.padded() {
			t := text4000
			if of.national() {
				t = national2000
			}
			return t, func(v any) (any, error) { return strings.TrimRight(v.(string), " "), nil }, nil
		}
	case "TO_NUMBER":
		if isBound && of.Name == "VARCHAR2" {
			point := decimal(ctx.settings)
			return Type{Name: "NUMBER"}, func(v any) (any, error) { return parseNumber(v.(string), point) }, nil
		}
	case "TO_DATE", "TO_TIMESTAMP", "TO_TIMESTAMP_TZ":
		if isBound && of.Name == "VARCHAR2" {
			t := map[string]Type{"TO_DATE": {Name: "DATE"}, "TO_TIMESTAMP": {Name: "TIMESTAMP", Scale: 9}, "TO_TIMESTAMP_TZ": {Name: zoned, Scale: 9}}[e.name]
			list, err := model(e.format, t)
			return t, func(v any) (any, error) { return read(list, v.(string)) }, err
		}
	case "CAST":
		switch {
		case e.as.Name == "CHAR" && isBound && of.Name == "VARCHAR2":
			return e.as, func(v any) (any, error) { return e.as.stored(v) }, nil
		case e.as.Name == local && of.Name == "TIMESTAMP": // a reading of a clock in the session's zone
			return e.as, func(v any) (any, error) {
				at := v.(time.Time)
				_, offset := at.In(zone).Zone()
				return at.Add(-time.Duration(offset) * time.Second), nil
			}, nil
		}
	}
	return t, nil, unfit
}

// alike says that a column is compared with a value of its own type, so that an index on it serves.
func alike(a, b Type) error {
	class := func(t Type) string {
		if t.padded() {
			return "CHAR"
		}
		if t.isText() {
			return "VARCHAR2"
		}
		return t.Name
	}
	if class(a) != class(b) {
		return fmt.Errorf("a %s is compared with a %s: %w", a.Name, b.Name, errShape)
	}
	return nil
}

// compare orders two values of one type: texts by their bytes (NLS_COMP=BINARY), those that are padded as if both
// had no blanks at their ends, instants whatever their zones, [SQLREF] Data Type Comparison Rules.
func compare(t Type, a, b any) int {
	switch a := a.(type) {
	case number:
		return a.value.Cmp(b.(number).value)
	case time.Time:
		return a.Compare(b.(time.Time))
	case []byte:
		return bytes.Compare(a, b.([]byte))
	case float64:
		return cmp.Compare(a, b.(float64))
	case time.Duration:
		return cmp.Compare(a, b.(time.Duration))
	case string:
		b := b.(string)
		if t.padded() {
			a, b = strings.TrimRight(a, " "), strings.TrimRight(b, " ")
		}
		return cmp.Compare(a, b)
	}
	return 0
}
