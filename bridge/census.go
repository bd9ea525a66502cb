package bridge

import (
	"cmp"
	"slices"
	"strings"

	"limsbridge/lims"
)

// Unknown is something that rows say and the mapping does not know, or a value that is none: what
// would be held.
type Unknown struct {
	Kind   HoldKind
	Source lims.Source
	Test   string // the LIMS's order code; "" where it does not matter
	Code   string // the LIMS's result code; "" where it does not matter
	// Word is the status word, order code, result code or unit itself, or for BadRow the problem. It
	// is never a value.
	Word string
}

// Counted is an Unknown with how many rows it is about.
type Counted struct {
	Unknown
	Rows int
}

// Census counts what rows say against a mapping, by the rules of the plan. It keeps no value.
type Census struct {
	m       *Mapping
	unknown map[Unknown]int
	rows    map[lims.Source]int
}

// Census begins to count against the mapping.
func (m *Mapping) Census() *Census {
	return &Census{m: m, unknown: map[Unknown]int{}, rows: map[lims.Source]int{}}
}

// Rows returns how many rows of a source were counted.
func (c *Census) Rows(s lims.Source) int { return c.rows[s] }

// Add counts rows. Each thing that is wrong with a row counts for itself.
func (c *Census) Add(rows []lims.Row) {
	for _, r := range rows {
		c.rows[r.Source]++
		if !c.m.ignores(r) {
			c.add(r)
		}
	}
}

func (c *Census) add(r lims.Row) {
	note := func(kind HoldKind, test, code, word string) {
		c.unknown[Unknown{Kind: kind, Source: r.Source, Test: test, Code: code, Word: word}]++
	}
	test := c.m.Test(r.OrderCode)
	if test == nil {
		note(UnknownOrderCode, "", "", r.OrderCode)
	}
	if r.Problem != "" { // what it says besides may not be what the LIMS says
		note(BadRow, "", "", r.Problem)
		return
	}
	if _, err := ParseID(r.Requisition); err != nil && r.ServiceRequest == "" {
		note(BadID, "", "", "requisition_id")
	}
	if _, err := ParseID(r.ServiceRequest); err != nil && r.ServiceRequest != "" {
		note(BadID, "", "", "service_request_id")
	}
	if r.Source == lims.Orders {
		if _, known := c.m.orders[r.Status]; !known {
			note(UnknownStatus, "", "", r.Status)
		}
		return
	}
	word, known := c.m.results[r.Status]
	if !known {
		note(UnknownStatus, "", "", r.Status)
	}
	if test == nil {
		return
	}
	rule, known := test.Results[r.ResultCode]
	switch {
	case !known:
		note(UnknownResultCode, r.OrderCode, "", r.ResultCode)
	case word == Released:
		switch kind, _, _, same := c.m.leaves(r, rule); {
		case !same:
			note(UnknownUnit, r.OrderCode, r.ResultCode, strings.TrimSpace(r.Unit))
		case kind == BadValue:
			note(InvalidValue, r.OrderCode, r.ResultCode, "")
		}
	}
}

// Unknown returns what a source's rows say and the mapping does not know, by kind, the most
// frequent first.
func (c *Census) Unknown(s lims.Source) []Counted {
	var out []Counted
	for u, n := range c.unknown {
		if u.Source == s {
			out = append(out, Counted{u, n})
		}
	}
	slices.SortFunc(out, func(a, b Counted) int {
		return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(b.Rows, a.Rows), cmp.Compare(a.Test+"\x00"+a.Code, b.Test+"\x00"+b.Code), cmp.Compare(a.Word, b.Word))
	})
	return out
}
