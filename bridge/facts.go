package bridge

import (
	"cmp"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"limsbridge/lims"
)

// facts is what the LIMS shows of one service request, in the bridge's words.
type facts struct {
	request *Request
	test    *Test
	orders  []orderFact
	results map[string][]resultFact // by WHOOP's observation code
	// blocked says that something about the order itself is held: nothing of it goes out.
	blocked bool
	// heldResults says that a result row is held, so the request cannot be complete.
	heldResults bool
	spoilt      map[string]bool // of them, by WHOOP's observation code
	changed     time.Time       // when the newest version of a results row was first read
}

type orderFact struct {
	lims.Row
	word    OrderWord
	old     bool // changed before start_from
	noticed time.Time
}

type resultFact struct {
	lims.Row
	word    ResultWord
	rule    ObservationRule
	kind    ValueKind
	text    string // the value as it leaves
	unit    string // the unit as it leaves
	old     bool   // changed before start_from
	noticed time.Time
}

// gather maps the rows of a record to facts by service request, and to holds.
func (p *planner) gather(rows []lims.Row) map[uuid.UUID]*facts {
	all := map[uuid.UUID]*facts{}
	marks := map[rowRef]RowMark{}
	for _, m := range p.Record.Rows {
		marks[rowRef{m.Source, m.ID}] = m
	}
	rows = slices.SortedFunc(slices.Values(rows), func(a, b lims.Row) int {
		return cmp.Or(strings.Compare(string(a.Source), string(b.Source)), strings.Compare(a.ID, b.ID))
	})
	for _, row := range rows {
		if p.Mapping.ignores(row) {
			continue
		}
		f, h := p.locate(row, all)
		noticed := marks[rowRef{row.Source, row.ID}].Noticed
		if h == nil && row.Problem != "" {
			h = &Hold{Kind: BadRow, Detail: row.Problem}
		}
		if h == nil {
			if row.Source == lims.Orders {
				h = p.order(f, row, noticed)
			} else {
				h = p.result(f, row, noticed)
			}
		}
		if f != nil && row.Source == lims.Results && noticed.After(f.changed) {
			f.changed = noticed
		}
		if h == nil {
			continue
		}
		h.Source, h.Row = row.Source, row.ID
		if f != nil {
			h.Request = f.request.ID
		}
		if p.hold(*h) != "" {
			continue // a person dismissed this version of the row
		}
		if f == nil && row.Source == lims.Results && (h.Kind == BadID || h.Kind == BadRow) {
			p.loose = true
		}
		if f != nil {
			f.blocked = f.blocked || row.Source == lims.Orders
			f.heldResults = true
			if rule, ok := f.test.Results[row.ResultCode]; ok && row.Source == lims.Results {
				f.spoilt[rule.Code] = true
			}
		}
	}
	return all
}

type rowRef struct {
	source lims.Source
	id     string
}

// locate finds the service request that a row belongs to.
func (p *planner) locate(row lims.Row, all map[uuid.UUID]*facts) (*facts, *Hold) {
	test := p.Mapping.Test(row.OrderCode)
	if test == nil {
		return nil, &Hold{Kind: UnknownOrderCode, Detail: clip(row.OrderCode)}
	}
	var found *Request
	if row.ServiceRequest != "" {
		id, err := ParseID(row.ServiceRequest)
		if err != nil {
			return nil, &Hold{Kind: BadID, Detail: "service_request_id"}
		}
		if found = p.Record.Request(id); found == nil || found.Code != test.Code {
			return nil, &Hold{Kind: NotOrdered, Detail: test.Code}
		}
	} else {
		for i, q := range p.Record.Requests {
			if q.Code != test.Code {
				continue
			}
			if found != nil {
				return nil, &Hold{Kind: TwoRequests, Detail: test.Code}
			}
			found = &p.Record.Requests[i]
		}
		if found == nil {
			return nil, &Hold{Kind: NotOrdered, Detail: test.Code}
		}
	}
	f := all[found.ID]
	if f == nil {
		f = &facts{request: found, test: test, results: map[string][]resultFact{}, spoilt: map[string]bool{}}
		all[found.ID] = f
	}
	return f, nil
}

func (p *planner) order(f *facts, row lims.Row, noticed time.Time) *Hold {
	word, ok := p.Mapping.orders[row.Status]
	if !ok {
		return &Hold{Kind: UnknownStatus, Detail: clip(row.Status)}
	}
	if word != IgnoredOrder {
		f.orders = append(f.orders, orderFact{Row: row, word: word, old: p.before(row, noticed), noticed: noticed})
	}
	return nil
}

func (p *planner) result(f *facts, row lims.Row, noticed time.Time) *Hold {
	rule, ok := f.test.Results[row.ResultCode]
	if !ok {
		return &Hold{Kind: UnknownResultCode, Detail: clip(row.ResultCode)}
	}
	word, ok := p.Mapping.results[row.Status]
	if !ok {
		return &Hold{Kind: UnknownStatus, Detail: clip(row.Status)}
	}
	r := resultFact{Row: row, word: word, rule: rule, noticed: noticed}
	r.old = p.before(row, noticed)
	if word == Released || word == Withdrawn {
		var same bool
		if r.kind, r.text, r.unit, same = p.Mapping.leaves(row, rule); !same && word == Released {
			return &Hold{Kind: UnknownUnit, Detail: rule.Code}
		}
		switch {
		case word == Withdrawn && !same:
			r.kind = BadValue // its value must not leave under another unit
		case word == Withdrawn:
		case r.kind == BadValue:
			return &Hold{Kind: InvalidValue, Detail: rule.Code}
		case r.kind == Unmeasurable:
			r.word = ResultNotMeasurable
		}
	}
	f.results[rule.Code] = append(f.results[rule.Code], r)
	return nil
}

// before reports whether a row changed before start_from, see the function of that name.
func (p *planner) before(row lims.Row, noticed time.Time) bool {
	return before(row, noticed, p.Settings.StartFrom, p.Origins[row.Source])
}

// ParseID reads a WHOOP id as LIMS write it: RFC 9562's text form, in any case.
func ParseID(text string) (uuid.UUID, error) {
	text = strings.TrimSpace(text)
	if len(text) != 36 {
		return uuid.Nil, errNotUUID
	}
	return uuid.Parse(text)
}

// codeLike is what codes and status words look like. Anything else is not repeated in a hold: a
// column that was mistaken for the status column could show a name.
var codeLike = regexp.MustCompile(`^[A-Za-z0-9_.*/+-]{1,32}$`)

// clip returns a code or status word of the LIMS for a hold's detail, or "" if it is none.
func clip(word string) string {
	if codeLike.MatchString(word) {
		return word
	}
	return ""
}
