package oratest

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
)

// query is a reader's SELECT from a derived table, in one of the few shapes that there are.
type query struct {
	star    bool // SELECT * … WHERE 1 = 0, which tells the columns
	count   bool // SELECT COUNT(*)
	outputs []selected
	table   string
	where   []condition
	order   []key
	limit   int // -1: all
}

type selected struct {
	expr expr
	name string // behind AS; "": the column's own
}

// condition is one or several comparisons of which one must hold.
type condition []comparison

type comparison struct {
	left, right expr
	op          string // >=, >, <, IS NULL, IS NOT NULL, IN
	list        []expr // of IN
}

type key struct {
	expr expr
	desc bool
}

// alias is what a reader calls the derived table.
const alias = "lb"

// parseQuery reads a SELECT.
func parseQuery(text string) (q query, err error) {
	list, err := scan(text)
	p := &parser{list: list, err: err}
	q.limit = -1
	p.mustWords("SELECT")
	if _, ok := p.next('*', ""); ok {
		q.star = true
		q.table = p.from()
		p.mustWords("WHERE")
		p.must('1', "1")
		p.must('=', "")
		p.must('1', "0")
		return q, p.end()
	}
	if p.words("COUNT") {
		q.count = true
		p.must('(', "")
		p.must('*', "")
		p.must(')', "")
	} else {
		for more := true; more; _, more = p.next(',', "") {
			o := selected{expr: p.expr()}
			if p.words("AS") {
				o.name = p.must('"', "")
			}
			q.outputs = append(q.outputs, o)
		}
	}
	q.table = p.from()
	p.mustWords("WHERE")
	for more := true; more; more = p.words("AND") {
		q.where = append(q.where, p.condition())
	}
	if p.words("ORDER BY") {
		for more := true; more; _, more = p.next(',', "") {
			q.order = append(q.order, key{p.expr(), p.words("DESC")})
		}
	}
	if p.words("FETCH FIRST") {
		q.limit, err = strconv.Atoi(p.must('1', ""))
		p.mustWords("ROWS ONLY")
	}
	return q, errors.Join(p.end(), err)
}

// from reads the derived table around a view.
func (p *parser) from() (table string) {
	p.mustWords("FROM")
	p.must('(', "")
	p.mustWords("SELECT")
	p.must('*', "")
	p.mustWords("FROM")
	for more := true; more; _, more = p.next('.', "") {
		if table != "" {
			table += "."
		}
		if quoted, ok := p.next('"', ""); ok {
			table += quoted.text
		} else {
			table += identifier(p.must('w', ""))
		}
	}
	p.must(')', "")
	p.mustWords(alias)
	return table
}

func (p *parser) end() error {
	if p.err == nil && len(p.list) > 0 {
		p.err = errShape
	}
	return p.err
}

func (p *parser) condition() (c condition) {
	if _, ok := p.next('(', ""); ok {
		for more := true; more; more = p.words("OR") {
			c = append(c, p.comparison())
		}
		p.must(')', "")
		return c
	}
	return condition{p.comparison()}
}

func (p *parser) comparison() (c comparison) {
	c.left = p.expr()
	switch {
	case p.words("IS NULL"):
		c.op = "IS NULL"
	case p.words("IS NOT NULL"):
		c.op = "IS NOT NULL"
	case p.words("IN"):
		c.op = "IN"
		p.must('(', "")
		for more := true; more; _, more = p.next(',', "") {
			c.list = append(c.list, p.expr())
		}
		p.must(')', "")
	default:
		for _, kind := range []byte{'g', '>', '<'} {
			if l, ok := p.next(kind, ""); ok {
				c.op = l.text
			}
		}
		if c.op == "" && p.err == nil {
			p.err = errShape
		}
		c.right = p.expr()
	}
	return c
}

// run answers a query from what the table holds. An error that is none of Oracle's is about the statement.
func (q query) run(t table, c *session, params []Param) (Result, error) {
	ctx := &scope{columns: t.columns, params: params, settings: c.settings}
	if q.star {
		return Result{Columns: t.columns}, nil
	}
	var outputs []compiled
	var res Result
	for _, o := range q.outputs {
		e, err := o.expr.compile(ctx)
		if err != nil {
			return res, err
		}
		if !e.typ.travels() {
			return res, fmt.Errorf("a %s is asked for as it is: %w", e.typ.Name, errShape)
		}
		name := o.name
		if name == "" {
			name = o.expr.column
		}
		outputs = append(outputs, e)
		res.Columns = append(res.Columns, Column{name, e.typ})
	}
	var tests []func([]any) (bool, error)
	for _, w := range q.where {
		test, err := w.compile(ctx)
		if err != nil {
			return res, err
		}
		tests = append(tests, test)
	}
	var order []compiled
	for _, k := range q.order {
		e, err := k.expr.compile(ctx)
		if err != nil {
			return res, err
		}
		order = append(order, e)
	}
	rows, err := filter(t.rows, tests)
	if err == nil {
		err = q.sort(rows, order)
	}
	if err != nil {
		return res, err
	}
	if q.count {
		n, err := Type{Name: "NUMBER"}.stored(len(rows))
		return Result{Columns: []Column{{"COUNT(*)", Type{Name: "NUMBER"}}}, Rows: [][]any{{n}}}, err
	}
	if q.limit >= 0 && len(rows) > q.limit {
		rows = rows[:q.limit]
	}
	for _, row := range rows {
		out := make([]any, len(outputs))
		for i, e := range outputs {
			if out[i], err = e.eval(row); err != nil {
				return res, err
			}
		}
		res.Rows = append(res.Rows, out)
	}
	return res, nil
}

func filter(rows [][]any, tests []func([]any) (bool, error)) (kept [][]any, err error) {
next:
	for _, row := range rows {
		for _, test := range tests {
			if ok, err := test(row); err != nil {
				return nil, err
			} else if !ok {
				continue next
			}
		}
		kept = append(kept, row)
	}
	return kept, nil
}

// sort orders rows. NULL comes behind everything, and before it with DESC, [SQLREF] order_by_clause.
func (q query) sort(rows [][]any, order []compiled) error {
	if len(order) == 0 {
		return nil
	}
	type keyed struct{ keys, row []any }
	list := make([]keyed, len(rows))
	for i, row := range rows {
		list[i].row = row
		for _, e := range order {
			v, err := e.eval(row)
			if err != nil {
				return err
			}
			list[i].keys = append(list[i].keys, v)
		}
	}
	slices.SortStableFunc(list, func(a, b keyed) int {
		for i := range order {
			n := 0
			switch x, y := a.keys[i], b.keys[i]; {
			case x == nil && y == nil:
			case x == nil:
				n = 1
			case y == nil:
				n = -1
			default:
				n = compare(order[i].typ, x, y)
			}
			if n != 0 && q.order[i].desc {
				return -n
			}
			if n != 0 {
				return n
			}
		}
		return 0
	})
	for i := range list {
		rows[i] = list[i].row
	}
	return nil
}

// compile makes the test of a row. A comparison with NULL holds for none.
func (c condition) compile(ctx *scope) (func([]any) (bool, error), error) {
	var tests []func([]any) (bool, error)
	for _, one := range c {
		test, err := one.compile(ctx)
		if err != nil {
			return nil, err
		}
		tests = append(tests, test)
	}
	return func(row []any) (bool, error) {
		for _, test := range tests {
			if ok, err := test(row); ok || err != nil {
				return ok, err
			}
		}
		return false, nil
	}, nil
}

func (c comparison) compile(ctx *scope) (func([]any) (bool, error), error) {
	left, err := c.left.compile(ctx)
	if err != nil {
		return nil, err
	}
	switch c.op {
	case "IS NULL", "IS NOT NULL":
		return func(row []any) (bool, error) {
			v, err := left.eval(row)
			return (v == nil) == (c.op == "IS NULL"), err
		}, nil
	}
	list := c.list
	if c.op != "IN" {
		list = []expr{c.right}
	}
	var rights []any
	for _, e := range list {
		right, err := e.compile(ctx)
		if err != nil {
			return nil, err
		}
		if err := alike(left.typ, right.typ); err != nil {
			return nil, err
		}
		v, err := right.eval(nil) // the other side is a parameter's
		if err != nil {
			return nil, err
		}
		if v != nil {
			rights = append(rights, v)
		}
	}
	return func(row []any) (bool, error) {
		v, err := left.eval(row)
		if v == nil || err != nil {
			return false, err
		}
		for _, right := range rights {
			n := compare(left.typ, v, right)
			switch c.op {
			case "IN":
				if n == 0 {
					return true, nil
				}
			case ">=":
				return n >= 0, nil
			case ">":
				return n > 0, nil
			default:
				return n < 0, nil
			}
		}
		return false, nil
	}, nil
}
