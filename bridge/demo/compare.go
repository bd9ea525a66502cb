package demo

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/google/uuid"

	"limsbridge/bridge"
	"limsbridge/lims/limstest"
	"limsbridge/whoop/sandbox"
)

// Comparison is what the lab's truth and what the API accepted have in common, and what not.
type Comparison struct {
	Differences []Difference

	// What must have been accepted, and how much of it was, exactly.
	Orders       Tally // requisitions of which something is to be told
	Statuses     Tally // service requests at the business status where they belong
	Observations Tally // versions of observations, byte for byte
	Corrections  Tally // of them in corrected and amended reports
	Holds        Tally // matters that a person must be told of
	HoldsByKind  map[string]Tally
	LedgerHolds  int // by which they are told; several may be about one matter
	// Requisitions and Requests are the lab's whole day.
	Requisitions, Requests int
}

// Tally counts what should be and what is so.
type Tally struct{ Expected, Right int }

func (t *Tally) count(right bool) {
	t.Expected++
	if right {
		t.Right++
	}
}

// DifferenceKind says in which way something is not as it should be.
type DifferenceKind string

// The kinds of difference.
const (
	Missing     DifferenceKind = "missing"        // it was not accepted
	Extra       DifferenceKind = "too much"       // it was accepted and must not have been
	Duplicate   DifferenceKind = "twice"          // it was accepted twice
	Wrong       DifferenceKind = "wrong"          // it was accepted, but not as the lab has it
	OutOfOrder  DifferenceKind = "out of order"   // a status went back, or came after the end
	HoldMissing DifferenceKind = "hold missing"   // nobody was told
	HoldExtra   DifferenceKind = "hold too much"  // somebody was told of what is none of their business
	Violation   DifferenceKind = "rule violation" // the API found a rule of the process broken
)

// Difference is one of them. It prints ids and codes, never a value or a name.
type Difference struct {
	Kind        DifferenceKind
	Requisition uuid.UUID // zero: of none in particular
	Request     uuid.UUID // zero: of none in particular
	What        string
}

func (d Difference) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%-14s  ", d.Kind)
	if d.Requisition != uuid.Nil {
		fmt.Fprintf(&b, "requisition %s  ", d.Requisition)
	}
	if d.Request != uuid.Nil {
		fmt.Fprintf(&b, "service request %s  ", d.Request)
	}
	return b.String() + d.What
}

// Count returns how many differences are of these kinds.
func (c Comparison) Count(kinds ...DifferenceKind) int {
	n := 0
	for _, d := range c.Differences {
		if slices.Contains(kinds, d.Kind) {
			n++
		}
	}
	return n
}

// Compare compares the lab's truth with what the API accepted and with what the bridge holds, or
// held for a while: that must have had a reason too.
func Compare(t limstest.Truth, got []sandbox.Accepted, counts sandbox.Counts, held, passing []Held) Comparison {
	c := comparer{Comparison: Comparison{HoldsByKind: map[string]Tally{}, Requisitions: len(t.Requisitions), LedgerHolds: len(held)}}
	accepted := map[uuid.UUID]sandbox.Accepted{}
	for _, a := range got {
		accepted[a.ID] = a
	}
	for i := range t.Requisitions {
		c.q = &t.Requisitions[i]
		told, before := false, len(c.Differences)
		for _, want := range c.q.Requests {
			c.Requests++
			a, known := accepted[want.ID]
			delete(accepted, want.ID)
			if !known && !c.q.Unknown {
				c.differ(Missing, want.ID, "the API does not know it")
			}
			told = told || want.Status != want.Initial
			c.request(want, a)
		}
		if told {
			c.Orders.count(len(c.Differences) == before)
		}
	}
	c.q = nil
	for _, a := range slices.SortedFunc(maps.Values(accepted), func(a, b sandbox.Accepted) int { return slices.Compare(a.ID[:], b.ID[:]) }) {
		c.differ(Extra, a.ID, "the lab has no such service request")
	}
	c.witness(counts)
	c.holds(t, held, passing)
	return c.Comparison
}

type comparer struct {
	Comparison
	q *limstest.Requisition // the one being compared, nil between them
}

func (c *comparer) differ(k DifferenceKind, request uuid.UUID, format string, args ...any) {
	d := Difference{Kind: k, Request: request, What: fmt.Sprintf(format, args...)}
	if c.q != nil {
		d.Requisition = c.q.ID
		d.What += fmt.Sprintf(" (the lab's case: %s)", c.q.Kind)
	}
	c.Differences = append(c.Differences, d)
}

// request compares one service request.
func (c *comparer) request(want limstest.Request, got sandbox.Accepted) {
	c.status(want, got)
	c.furthest(want, got)
	versions := map[string][]version{}
	for _, r := range got.Reports {
		for _, o := range r.Observations {
			versions[o.Code] = append(versions[o.Code], version{o, r.Status})
		}
	}
	for _, o := range want.Observations {
		c.observation(want, o, versions[o.Code])
		delete(versions, o.Code)
	}
	for _, code := range slices.Sorted(maps.Keys(versions)) {
		c.differ(Extra, want.ID, "%s %s: accepted %d times, the lab reports nothing of it", want.Code, code, len(versions[code]))
	}
}

// happyPath is the order of the statuses that are not issues (WHOOP's partner pages).
var happyPath = []string{"", "ORDER_CONFIRMED", "APPOINTMENT_ATTENDED", "PARTIAL_RESULTS_READY", "FULL_RESULTS_READY"}

// status compares the business status at the end, and the way to it.
func (c *comparer) status(want limstest.Request, got sandbox.Accepted) {
	right := got.BusinessStatus == want.Status
	if !right {
		c.differ(statusKind(want.Status, got.BusinessStatus), want.ID, "%s: the status is %s and should be %s",
			want.Code, cmp.Or(got.BusinessStatus, "none"), cmp.Or(want.Status, "none"))
	}
	last := want.Initial
	for i, s := range got.Statuses {
		was, is := slices.Index(happyPath, last), slices.Index(happyPath, s.Status)
		if was < 0 || is >= 0 && is <= was {
			right = false
			c.differ(OutOfOrder, want.ID, "%s: status %d of %d, %s, came after %s", want.Code, i+1, len(got.Statuses), s.Status, cmp.Or(last, "none"))
		}
		last = s.Status
		if i == len(got.Statuses)-1 && is < 0 && s.Status == want.Status && s.Reason != want.Reason {
			right = false
			c.differ(Wrong, want.ID, "%s: the reason of %s is not the lab's", want.Code, s.Status)
		}
	}
	if want.Status != want.Initial {
		c.Statuses.count(right)
	}
}

// statusKind tells a status that is still to come from one that should not be there.
func statusKind(want, got string) DifferenceKind {
	w, g := slices.Index(happyPath, want), slices.Index(happyPath, got)
	switch {
	case want == "":
		return Extra
	case g >= 0 && (w < 0 || g < w):
		return Missing
	}
	return Wrong
}

// furthest compares which reports there must have been at all.
func (c *comparer) furthest(want limstest.Request, got sandbox.Accepted) {
	final := slices.ContainsFunc(got.Reports, func(r sandbox.Report) bool { return r.Status == "final" })
	switch {
	case want.Report == "final" && !final:
		c.differ(Missing, want.ID, "%s: no final report was accepted", want.Code)
	case want.Report != "final" && final:
		c.differ(Wrong, want.ID, "%s: a final report was accepted of what is not complete", want.Code)
	}
}

// version is one accepted version of an observation.
type version struct {
	sandbox.Observation
	report string // status of its report
}

// same reports whether two versions say the same.
func (v version) same(o version) bool {
	return v.Numeric == o.Numeric && v.Text == o.Text && v.Unit == o.Unit &&
		(v.Status == "entered-in-error") == (o.Status == "entered-in-error")
}

// observation compares all versions of one observation, in the order of their acceptance.
func (c *comparer) observation(want limstest.Request, o limstest.Observation, got []version) {
	var once []version
	for i, v := range got {
		if i > 0 && v.same(got[i-1]) {
			c.differ(Duplicate, want.ID, "%s %s: accepted twice, the second time in a report %s", want.Code, o.Code, v.report)
			continue
		}
		once = append(once, v)
	}
	for i, w := range o.Versions {
		right := false
		if i >= len(once) {
			c.differ(Missing, want.ID, "%s %s: version %d of %d, results row %s, was not accepted", want.Code, o.Code, i+1, len(o.Versions), w.Row)
		} else if wrong := once[i].differs(w); len(wrong) > 0 {
			c.differ(Wrong, want.ID, "%s %s: of version %d of %d, results row %s, this is not as the lab has it: %s",
				want.Code, o.Code, i+1, len(o.Versions), w.Row, strings.Join(wrong, ", "))
		} else {
			right = true
		}
		c.Observations.count(right)
		if w.Report != "" {
			c.Corrections.count(right)
		}
	}
	if n := len(once) - len(o.Versions); n > 0 {
		c.differ(Extra, want.ID, "%s %s: %d versions more than the lab reported", want.Code, o.Code, n)
	}
}

// differs names what of a version is not as it must be.
func (v version) differs(w limstest.Version) []string {
	var wrong []string
	numeric, text := w.Value, ""
	if !w.Numeric {
		numeric, text = "", w.Value
	}
	if v.Numeric != numeric || v.Text != text {
		what := "the value"
		if v.Numeric+v.Text == w.Value {
			what = "number or text"
		}
		wrong = append(wrong, what)
	}
	if v.Unit != w.Unit {
		wrong = append(wrong, "the unit")
	}
	if v.Status != w.Status {
		wrong = append(wrong, "the observation's status, "+v.Status+" instead of "+w.Status)
	}
	if w.Report != "" && v.report != w.Report || w.Report == "" && v.report != "partial" && v.report != "final" {
		wrong = append(wrong, "the kind of report, "+v.report+" instead of "+cmp.Or(w.Report, "partial or final"))
	}
	return wrong
}

// witness hears what the API itself has to say.
func (c *comparer) witness(n sandbox.Counts) {
	if more := n.Duplicates - c.Count(Duplicate); more > 0 {
		c.differ(Duplicate, uuid.Nil, "the API counted %d duplicates more", more)
	}
	for _, v := range slices.Sorted(maps.Keys(n.Violations)) {
		c.differ(Violation, uuid.Nil, "%s: %d times", v, n.Violations[v])
	}
	if n.Refused > 0 {
		c.differ(Violation, uuid.Nil, "the API refused %d calls (422)", n.Refused)
	}
}

// holds compares what a person is told of with what they must be told of. Several holds may be
// about one matter; a hold that no expected one covers is one too many, also one that ended, but
// for a refusal that a person let the bridge try again.
func (c *comparer) holds(t limstest.Truth, held, passing []Held) {
	reason := make([]bool, len(held)+len(passing))
	for i := range t.Requisitions {
		c.q = &t.Requisitions[i]
		for _, want := range c.q.Holds {
			found := false
			for j, h := range slices.Concat(held, passing) {
				if h.about(c.q) && want.Covers(string(h.Kind), string(h.Source), h.Row) &&
					(h.Request == uuid.Nil || want.Request == uuid.Nil || h.Request == want.Request) {
					reason[j] = true
					found = found || j < len(held)
				}
			}
			k := c.HoldsByKind[want.Kind]
			k.count(found)
			c.HoldsByKind[want.Kind] = k
			c.Holds.count(found)
			if !found {
				c.differ(HoldMissing, want.Request, "%s", want.Kind)
			}
		}
	}
	for j, h := range slices.Concat(held, passing) {
		ended := j >= len(held)
		if reason[j] || ended && h.Kind == bridge.Refused {
			continue
		}
		c.q = nil
		for i := range t.Requisitions {
			if h.about(&t.Requisitions[i]) {
				c.q = &t.Requisitions[i]
			}
		}
		what := string(h.Kind)
		if h.Row != "" {
			what += fmt.Sprintf(", %s row %s", h.Source, h.Row)
		}
		if c.q == nil {
			what += ", " + h.Key.String()
		}
		if ended {
			what += ", for a while"
		}
		c.differ(HoldExtra, h.Request, "%s", what)
	}
	c.q = nil
}

// about reports whether the hold is about a requisition of the lab. One whose id does not parse
// has a record for each of its rows, and only they tell.
func (h Held) about(q *limstest.Requisition) bool {
	if h.Key.Kind == bridge.RowKey {
		return slices.ContainsFunc(q.Holds, func(w limstest.Hold) bool {
			return slices.Contains(w.Rows, limstest.Ref{Source: string(h.Source), Row: h.Row})
		})
	}
	return h.Key.ID == q.ID
}

// agrees reports whether nothing is missing or too much as things stand.
func (s *stage) agrees(g glimpse) bool {
	return len(Compare(s.lab.Truth(), g.accepted, g.counts, g.journal.holds(), g.journal.ended).Differences) == 0
}

// compare is the last word, after the bridge has ended: the holds are the ledger's, and the
// journal must tell the same.
func (s *stage) compare() (Comparison, error) {
	var g glimpse
	if err := s.glance(&g, true); err != nil {
		return Comparison{}, err
	}
	held, err := ledgerHolds(s.state)
	if err != nil {
		return Comparison{}, err
	}
	c := Compare(s.lab.Truth(), g.accepted, g.counts, held, g.journal.ended)
	inLedger := map[uint64]bool{}
	for _, h := range held {
		inLedger[h.Seq] = true
	}
	for _, h := range g.journal.holds() {
		if !inLedger[h.Seq] {
			c.Differences = append(c.Differences, Difference{Kind: Wrong, Request: h.Request, What: fmt.Sprintf("the journal tells of hold %d, %s, the ledger does not", h.Seq, h.Kind)})
		}
		delete(inLedger, h.Seq)
	}
	for seq := range inLedger {
		c.Differences = append(c.Differences, Difference{Kind: Wrong, What: fmt.Sprintf("the ledger has hold %d, the journal does not tell of it", seq)})
	}
	return c, nil
}
