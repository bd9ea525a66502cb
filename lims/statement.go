package lims

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// source is one of the two sources as it was learned from the database.
type source struct {
	name    Source
	d       dialect
	from    string // the derived table, with its alias
	columns []column
	id      column
	changed column
	floats  int // Options.FloatDigits
	zone    zone
	clock   clock
}

// alias is the name of the derived table around the user's SELECT.
const alias = "lb"

// derived wraps the user's SELECT. The newline ends a comment on its last line.
func (x syntax) derived(text string, view bool) string {
	if view {
		text = "SELECT * FROM " + text
	}
	as := " AS "
	if x.bareAlias {
		as = " "
	}
	return "(\n" + text + "\n)" + as + alias
}

// learning is the statement that tells a derived table's columns; it returns no row.
func learning(from string) string { return "SELECT * FROM " + from + " WHERE 1 = 0" }

// statement is a text to run with its arguments.
type statement struct {
	text string
	args []any
	// before runs first in the same session, which is thrown away afterwards.
	before []statement
	took   *time.Duration // how long it took, where somebody asks
}

// position is a row's place in the order of reading, as the database gave it.
type position struct{ stamp, id string }

// expr is the column within the derived table.
func (src *source) expr(c column) string { return alias + "." + src.d.quote(c.name) }

// builder collects conditions and their arguments.
type builder struct {
	src  *source
	cond []string
	args []any
	err  error
}

// arg adds an argument and returns its placeholder.
func (b *builder) arg(c column, text string) string {
	v, err := b.src.d.bind(c, text)
	if err != nil && b.err == nil {
		b.err = err
	}
	b.args = append(b.args, v)
	return b.src.d.param(c, len(b.args))
}

// idArg adds a row id and returns the two sides of a comparison with it.
func (b *builder) idArg(text string) (left, right string) {
	return b.src.d.greater(b.src.id, b.src.expr(b.src.id), b.arg(b.src.id, text))
}

func (b *builder) where(format string, args ...any) {
	b.cond = append(b.cond, fmt.Sprintf(format, args...))
}

// sel completes the statement.
func (b *builder) sel(columns []column, order string, limit int) (statement, error) {
	var out []string
	for _, c := range columns {
		out = append(out, b.src.d.output(c, b.src.expr(c)))
	}
	head, tail := b.src.d.limit(limit)
	text := "SELECT " + head + strings.Join(out, ", ") + "\nFROM " + b.src.from
	if len(b.cond) > 0 {
		text += "\nWHERE " + strings.Join(b.cond, " AND ")
	}
	if order != "" {
		text += "\nORDER BY " + order
	}
	return statement{text: text + tail, args: b.args}, b.err
}

// ids is the expression by which row ids are ordered.
func (src *source) ids() string { return src.d.idOrder(src.id, src.expr(src.id)) }

// visible leaves out what another transaction may still come before.
func (b *builder) visible() {
	if b.src.changed.kind == kindVersion {
		b.where("%s < MIN_ACTIVE_ROWVERSION()", b.src.expr(b.src.changed))
	}
}

// stampedPage reads a page from a stamp on ("" is the beginning), or strictly behind a row.
func (src *source) stampedPage(start string, after *position, limit int) (statement, error) {
	b := &builder{src: src}
	c := src.expr(src.changed)
	switch {
	case after == nil && start == "":
		// What the database has instead of NULL comes first, and no page could begin behind it.
		b.where("%s", src.d.stamped(src.changed, c))
	case after == nil:
		b.where("%s >= %s", c, b.arg(src.changed, start))
	case src.d.rowValues():
		stamp := b.arg(src.changed, after.stamp)
		left, right := b.idArg(after.id)
		b.where("(%s, %s) > (%s, %s)", c, left, stamp, right)
	default:
		b.where("%s >= %s", c, b.arg(src.changed, after.stamp))
		stamp := b.arg(src.changed, after.stamp)
		left, right := b.idArg(after.id)
		b.where("(%s > %s OR %s > %s)", c, stamp, left, right)
	}
	b.where("%s IS NOT NULL", src.expr(src.id))
	b.visible()
	return b.sel(src.columns, c+", "+src.ids(), limit)
}

// unstampedPage reads a page of the rows without a stamp, behind a row.
func (src *source) unstampedPage(after *position, limit int) (statement, error) {
	b := &builder{src: src}
	b.where("%s", src.d.unstamped(src.changed, src.expr(src.changed)))
	b.where("%s IS NOT NULL", src.expr(src.id))
	if after != nil {
		left, right := b.idArg(after.id)
		b.where("%s > %s", left, right)
	}
	return b.sel(src.columns, src.ids(), limit)
}

// keyless reads rows without a row id, which no other statement shows.
func (src *source) keyless(limit int) (statement, error) {
	b := &builder{src: src}
	b.where("%s IS NULL", src.expr(src.id))
	return b.sel(src.columns, "", limit)
}

// head reads the newest stamp, or the newest one before a stamp.
func (src *source) head(before string) (statement, error) {
	b := &builder{src: src}
	c := src.expr(src.changed)
	if before == "" {
		b.where("%s", src.d.stamped(src.changed, c))
	} else {
		b.where("%s < %s", c, b.arg(src.changed, before))
	}
	b.visible()
	return b.sel([]column{src.changed}, c+" DESC", 1)
}

// fetch reads rows by their ids, at most the largest of the dialect's sizes.
func (src *source) fetch(ids []any) statement {
	b := &builder{src: src}
	sizes := src.d.sizes()
	n := sizes[len(sizes)-1]
	for _, size := range slices.Backward(sizes) {
		if size >= len(ids) {
			n = size
		}
	}
	for len(ids) < n {
		ids = append(ids, ids[len(ids)-1])
	}
	b.where("%s", src.d.in(src.id, src.expr(src.id), n))
	b.args = src.d.list(src.id, ids)
	st, _ := b.sel(src.columns, "", 0)
	return st
}

// statements returns every statement that can be run on the source.
func (src *source) statements(page int) (texts []string) {
	some := position{stamp: sample(src.changed), id: sample(src.id)}
	add := func(st statement, _ error) { texts = append(texts, st.text) }
	add(src.stampedPage("", nil, page))
	add(src.stampedPage(some.stamp, nil, page))
	add(src.stampedPage("", &some, page))
	add(src.unstampedPage(nil, page))
	add(src.unstampedPage(&some, page))
	add(src.keyless(page))
	add(src.head(""))
	add(src.head(some.stamp))
	id, _ := src.d.bind(src.id, some.id)
	for _, n := range src.d.sizes() {
		add(src.fetch(slices.Repeat([]any{id}, n)), nil)
	}
	return texts
}

// sample is a value that can be bound where only the statement's text is wanted.
func sample(c column) string {
	switch c.kind {
	case kindInteger, kindDecimal:
		return "1"
	case kindClock:
		return "2026-01-01T00:00:00"
	case kindVersion:
		return "0x0000000000000001"
	case kindUUID:
		return "00000000-0000-0000-0000-000000000000"
	}
	return "1"
}
