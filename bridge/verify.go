package bridge

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/google/uuid"

	"limsbridge/lims"
)

// Verification compares what was submitted with its source, as an inspector asks (CAP: transmitted
// results are checked against the source at go-live and regularly). It reads the LIMS again and
// changes nothing; it calls nobody. Values are compared by their fingerprints, with the rules that
// the planner plans with, and are never told.
type Verification struct {
	LIMS     LIMS
	Ledger   Ledger
	Mapping  *Mapping
	Settings Settings
}

// Finding is what a verification found of one observation.
type Finding string

// The findings. The first three are about what was submitted (accuracy), the last one about what
// the LIMS shows (completeness).
const (
	Differs  Finding = "differs"  // the LIMS shows something else now
	RowGone  Finding = "row_gone" // its row left the view, or moved to another requisition
	Remapped Finding = "remapped" // its row is as it was, but the configuration reads it differently now
	Missing  Finding = "missing"  // released, and neither sent nor held nor waiting
)

// Difference is one finding with the ids that lead to it; it holds no value.
type Difference struct {
	Finding Finding   `json:"finding"`
	Test    string    `json:"test"` // WHOOP's code; "" where the LIMS's is not mapped
	Request uuid.UUID `json:"service_request,omitzero"`
	Key     Key       `json:"record"`
	Code    string    `json:"observation,omitempty"`
	Row     string    `json:"row"` // row_id in the results source
	Sent    time.Time `json:"sent,omitzero"`
	// Detail says what differs: value_or_unit, withdrawn, pending, or a kind of hold; of a missing
	// one whether polling has seen this version of its row: seen or unread.
	Detail string `json:"detail,omitempty"`
	// Known is what the bridge makes of it already: waiting (for its turn), held, in_doubt, decided
	// (by a person); "" for nothing.
	Known string `json:"known,omitempty"`
}

// Tally counts the observations of one test.
type Tally struct {
	Test string `json:"test"` // WHOOP's code; "" where the LIMS's is not mapped

	Submitted int `json:"submitted"` // accepted within the time, in their newest version; of them
	Equal     int `json:"equal"`
	Differ    int `json:"differ"`
	Gone      int `json:"gone"`
	Remapped  int `json:"remapped"`

	Released int `json:"released"` // rows that changed within the time and are released; of them
	Sent     int `json:"sent"`
	Waiting  int `json:"waiting"`
	Held     int `json:"held"` // or in doubt
	Decided  int `json:"decided"`
	Missing  int `json:"missing"`
}

// Verified is what a verification comes to.
type Verified struct {
	Since time.Time `json:"since"`
	Until time.Time `json:"until"`
	Tests []Tally   `json:"tests"` // by code
}

// Differences is how many differences were found.
func (v Verified) Differences() int {
	n := 0
	for _, t := range v.Tests {
		n += t.Differ + t.Gone + t.Remapped + t.Missing
	}
	return n
}

// verification is one run.
type verification struct {
	*Verification
	prints    *Fingerprints
	since, at time.Time
	tallies   map[string]*Tally
	yield     func(Difference) error
}

// Run verifies what was accepted since then, and calls yield with every difference. Only the newest
// sent version of an observation counts: the older ones were corrected. Rows without a change stamp
// cannot be told to be released since then and count where they were sent.
func (v *Verification) Run(ctx context.Context, since, at time.Time, yield func(Difference) error) (Verified, error) {
	run := &verification{Verification: v, prints: NewFingerprints(v.Ledger.Key()), since: since, at: at, tallies: map[string]*Tally{}, yield: yield}
	if err := run.accuracy(ctx); err != nil {
		return Verified{}, err
	}
	if err := run.completeness(ctx); err != nil {
		return Verified{}, err
	}
	out := Verified{Since: since, Until: at}
	for _, t := range slices.Sorted(maps.Keys(run.tallies)) {
		out.Tests = append(out.Tests, *run.tallies[t])
	}
	return out, nil
}

func (v *verification) tally(test string) *Tally {
	if v.tallies[test] == nil {
		v.tallies[test] = &Tally{Test: test}
	}
	return v.tallies[test]
}

// accuracy compares what was submitted with its rows as they are now.
func (v *verification) accuracy(ctx context.Context) error {
	var keys []Key
	err := v.Ledger.Each(func(r Record) error {
		if slices.ContainsFunc(r.Requests, func(q Request) bool { return slices.ContainsFunc(q.Sent, v.within) }) {
			keys = append(keys, r.Key)
		}
		return nil
	})
	if err != nil {
		return err
	}
	slices.SortFunc(keys, func(a, b Key) int { return slices.Compare(a.ID[:], b.ID[:]) })
	for some := range slices.Chunk(keys, batch) {
		if err := v.records(ctx, some); err != nil {
			return err
		}
	}
	return nil
}

func (v *verification) within(s Sent) bool { return !s.At.Before(v.since) }

// records verifies some records whose result rows are read at once.
func (v *verification) records(ctx context.Context, keys []Key) error {
	records := make([]Record, len(keys))
	var ids []string
	for i, k := range keys {
		r, _, err := v.Ledger.Load(k)
		if err != nil {
			return err
		}
		r.Key = k
		records[i] = r
		for _, m := range r.Rows {
			if m.Source == lims.Results {
				ids = append(ids, m.ID)
			}
		}
		for _, q := range r.Requests {
			for _, s := range q.Sent {
				ids = append(ids, s.Row)
			}
		}
	}
	rows, err := v.LIMS.Fetch(ctx, lims.Results, ids)
	if err != nil {
		return fmt.Errorf("reading results again by row id: %w", err)
	}
	now := map[Key][]lims.Row{}
	for _, row := range rows {
		now[keyOf(row)] = append(now[keyOf(row)], row)
	}
	for _, r := range records {
		if err := v.record(ctx, r, now[r.Key]); err != nil {
			return err
		}
	}
	return nil
}

// planner returns the planner of a record as if nothing were open, held or decided, so that it
// says how what the LIMS shows compares with what was sent, and nothing else.
func (v *verification) planner(r Record, rows []lims.Row) *planner {
	r = r.Clone()
	r.Attempts, r.Holds, r.Decisions = nil, nil, nil
	for i := range r.Requests {
		r.Requests[i].Never = nil
	}
	s := v.Settings
	s.StartFrom, s.HoldCorrections = time.Time{}, false
	return &planner{Input: Input{At: v.at, Record: r, Rows: rows, Mapping: v.Mapping, Settings: &s, Prints: v.prints}}
}

// record verifies what was submitted of one record.
func (v *verification) record(ctx context.Context, r Record, rows []lims.Row) error {
	var found []Difference
	p := v.planner(r, rows)
	all := p.gather(rows)
	for i := range p.Record.Requests {
		q := &p.Record.Requests[i]
		f := all[q.ID]
		if f == nil {
			f = &facts{request: q, test: v.Mapping.byCode[q.Code]}
		}
		obs := p.observations(f)
		for _, s := range q.Sent {
			if v.within(s) {
				j := slices.IndexFunc(obs, func(o observed) bool { return o.code == s.Code })
				d := v.compare(p, obs[j], s, rows)
				d.Test, d.Request, d.Key = q.Code, q.ID, r.Key
				found = append(found, d)
			}
		}
	}
	fresh, _, err := v.Ledger.Load(r.Key)
	if err != nil {
		return err
	}
	if !slices.EqualFunc(r.Requests, fresh.Requests, func(a, b Request) bool { return slices.Equal(a.Sent, b.Sent) }) {
		return v.records(ctx, []Key{r.Key}) // something of it was sent meanwhile
	}
	for _, d := range found {
		if v.count(d) {
			d.Known = fresh.standing(d.Request, d.Code, d.Row)
			if err := v.yield(d); err != nil {
				return err
			}
		}
	}
	return nil
}

// count counts what was submitted, and reports whether it differs.
func (v *verification) count(d Difference) bool {
	t := v.tally(d.Test)
	t.Submitted++
	switch d.Finding {
	case Differs:
		t.Differ++
	case RowGone:
		t.Gone++
	case Remapped:
		t.Remapped++
	default:
		t.Equal++
	}
	return d.Finding != ""
}

// compare compares one observation with what was sent; no finding means that they are equal.
func (v *verification) compare(p *planner, o observed, s Sent, rows []lims.Row) Difference {
	d := Difference{Code: s.Code, Row: s.Row, Sent: s.At}
	if o.state == settled {
		return d
	}
	i := slices.IndexFunc(rows, func(r lims.Row) bool { return r.ID == s.Row })
	if i < 0 {
		d.Finding = RowGone
		return d
	}
	d.Finding = Differs
	switch o.state {
	case changed:
		d.Detail = "value_or_unit"
	case withdrawn:
		d.Detail = string(Withdrawn)
	case pending:
		d.Detail = string(Pending)
	default:
		for _, h := range p.plan.Holds {
			if h.Row == s.Row || h.Detail == s.Code {
				d.Detail = string(h.Kind)
			}
		}
	}
	if d.Detail != string(TwoRows) && v.unchanged(p.Record, rows[i], s) {
		d.Finding, d.Detail = Remapped, ""
	}
	return d
}

// unchanged reports whether the row of what was sent says what it said then: the version that the
// ledger knows since before the report is the one that was sent.
func (v *verification) unchanged(r Record, row lims.Row, s Sent) bool {
	m, known := r.mark(lims.Results, row.ID)
	return known && s.Row == row.ID && m.Version == v.prints.Row(row) && !m.Noticed.After(s.At)
}

// standing is what the bridge makes of an observation, or of a row that is none: see
// Difference.Known.
func (r Record) standing(request uuid.UUID, code, row string) string {
	for _, a := range r.Attempts {
		if a.Action == SubmitReport && slices.Contains(a.Requests, request) && slices.ContainsFunc(a.Prints, func(s Sent) bool { return s.Code == code }) {
			if a.Open() {
				return "waiting"
			}
			return "in_doubt"
		}
	}
	about := func(h Hold) bool {
		switch {
		case h.Kind == Doubt: // of other observations: those of this one are above
			return false
		case h.lasting() || h.Kind == OtherPatient:
			return true
		case h.Source == lims.Orders:
			return h.Request == request && request != uuid.Nil
		case h.Row != "" && h.Row == row:
			return true
		case h.Row != "" || h.Kind == Gone || h.Kind == ChangedInDoubt:
			return h.Request == request && h.Detail == code && code != ""
		}
		return h.Request == request
	}
	switch {
	case slices.ContainsFunc(r.Holds, about):
		return "held"
	case r.closed(request), slices.ContainsFunc(r.Decisions, func(d Decision) bool { return about(d.Hold) && r.verdict(d.Hold) != "" }):
		return "decided"
	case !r.Due.IsZero():
		return "waiting"
	}
	return ""
}
