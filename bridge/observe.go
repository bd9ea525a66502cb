package bridge

import (
	"maps"
	"slices"

	"limsbridge/whoop"
)

// observationState is what is to be done about one observation.
type observationState int

const (
	missing      observationState = iota // no row, and never sent
	pending                              // not released yet
	fresh                                // released and never sent
	settled                              // sent, and the LIMS shows the same
	changed                              // sent, and the LIMS shows another value: a correction
	withdrawn                            // sent, and withdrawn: a correction too
	unmeasurable                         // will not come
	held                                 // a hold or a doubt stands in the way
	dismissed                            // a person decided that this version is never sent; counts as in
)

// observed is one observation of a service request, decided.
type observed struct {
	code     string
	state    observationState
	optional bool
	row      string
	kind     ValueKind
	text     string
	unit     string
	print    Print
	at       resultFact // of an unmeasurable or pending one: the row that says so
}

// observations decides every observation that the test defines, or that was sent.
func (p *planner) observations(f *facts) []observed {
	var out []observed
	seen := map[string]bool{}
	if f.test != nil {
		for _, lc := range slices.Sorted(maps.Keys(f.test.Results)) {
			rule := f.test.Results[lc]
			seen[rule.Code] = true
			out = append(out, p.observation(f, rule))
		}
	}
	for _, s := range f.request.Sent {
		if !seen[s.Code] {
			// The mapping no longer knows what was sent: never withdrawn by itself.
			o := observed{code: s.Code, state: held}
			if p.hold(Hold{Kind: Gone, Request: f.request.ID, Detail: s.Code}) != "" {
				o.state = dismissed
			}
			out = append(out, o)
		}
	}
	return out
}

func (p *planner) observation(f *facts, rule ObservationRule) observed {
	o := observed{code: rule.Code, optional: rule.Optional}
	hold := func(k HoldKind, row string) observed {
		h := Hold{Kind: k, Request: f.request.ID, Detail: rule.Code}
		if row != "" {
			h.Source, h.Row = "results", row
		}
		o.state = held
		switch p.hold(h) {
		case "":
		case SendAgain:
			o.state = changed
		default:
			o.state = dismissed
		}
		return o
	}
	var sent *Sent
	for i, s := range f.request.Sent {
		if s.Code == rule.Code {
			sent = &f.request.Sent[i]
		}
	}
	row, two := pick(f.results[rule.Code], sent)
	if two != "" {
		return hold(TwoRows, two)
	}
	if row != nil && row.old && p.Record.verdict(beforeStart(f, row)) == SendAgain {
		again := *row
		again.old = false
		row = &again
	}
	if row != nil && !row.old {
		o.row, o.kind, o.text, o.unit, o.at = row.ID, row.kind, row.text, row.unit, *row
		if row.word == Released {
			o.print = p.Prints.Observation(f.request.ID, rule.Code, row.text, row.unit, false)
		}
		for _, s := range f.request.Sent {
			if s.Row == row.ID && s.Code != rule.Code {
				return hold(Recoded, row.ID)
			}
		}
	}
	if state := p.doubtful(f, &o, row); state != missing {
		o.state = held
		return o
	}
	if row != nil && row.word == Released && slices.ContainsFunc(f.request.Never, func(s Sent) bool { return s.Print == o.print }) {
		o.state = dismissed
		return o
	}
	if sent == nil {
		return p.unsent(f, o, row)
	}
	return p.sentBefore(f, o, row, sent, hold)
}

// unsent decides an observation that never went out.
func (p *planner) unsent(f *facts, o observed, row *resultFact) observed {
	switch {
	case row == nil:
		o.state = missing
	case row.old && p.Record.verdict(beforeStart(f, row)) != "":
		o.state = dismissed
	case row.old:
		o.state = held
		o.at = *row
	case row.word == Released:
		o.state = fresh
	case row.word == ResultNotMeasurable:
		o.state = unmeasurable
	case row.word == IgnoredResult:
		o.state = missing
	case row.word == Withdrawn && o.optional:
		o.state = unmeasurable
	default: // a required one that was cancelled before it went out may still be repeated
		o.state = pending
	}
	return o
}

// sentBefore decides an observation that went out before.
func (p *planner) sentBefore(f *facts, o observed, row *resultFact, sent *Sent, hold func(HoldKind, string) observed) observed {
	switch {
	case row == nil && f.spoilt[o.code]:
		o.state = held // by its row, which is there
	case row == nil || row.word == IgnoredResult:
		return hold(Gone, sent.Row)
	case row.old:
		o.state = settled
	case row.word == Released && o.print == sent.Print && !sent.Withdrawn:
		o.state = settled
	case row.word == Released:
		o.state = changed
		if p.Settings.HoldCorrections {
			return hold(CorrectionHeld, row.ID)
		}
	case row.word == Withdrawn && sent.Withdrawn:
		o.state = settled
	case row.word == Withdrawn && row.ID != sent.Row &&
		p.Prints.Observation(f.request.ID, o.code, row.text, row.unit, false) != sent.Print:
		return hold(Gone, sent.Row) // another row was withdrawn, of another value than the one that went out
	case row.word == Withdrawn:
		if row.kind == BadValue || row.kind == Unmeasurable {
			if p.Settings.WithdrawnValue == "" {
				return hold(NoValue, row.ID)
			}
			o.kind, o.text = Textual, p.Settings.WithdrawnValue
		}
		o.print = p.Prints.Observation(f.request.ID, o.code, o.text, o.unit, true)
		if p.Settings.HoldCorrections {
			if o = hold(CorrectionHeld, row.ID); o.state != changed {
				return o
			}
		}
		o.state = withdrawn
	case row.word == ResultNotMeasurable:
		return hold(Contradiction, row.ID)
	default: // pending again
		if ready := row.noticed.Add(p.Settings.PendingAfter); p.At.Before(ready) {
			p.later(ready)
			p.plan.Notes = append(p.plan.Notes, Note{Kind: string(PendingAgain), Request: f.request.ID, Code: o.code})
			o.state = pending
			return o
		}
		return hold(PendingAgain, row.ID)
	}
	return o
}

// beforeStart is the hold of a result that was released before start_from.
func beforeStart(f *facts, row *resultFact) Hold {
	return Hold{Kind: BeforeStart, Request: f.request.ID, Source: row.Source, Row: row.ID}
}

// doubtful finds the observation in the reports in doubt; missing: in none of them. It is never
// sent again by itself; where its value changed since, that is urgent to know.
func (p *planner) doubtful(f *facts, o *observed, row *resultFact) observationState {
	state := missing
	for _, a := range p.Record.Attempts {
		if a.Action != SubmitReport || !slices.Contains(a.Requests, f.request.ID) {
			continue
		}
		for _, s := range a.Prints {
			if s.Code != o.code {
				continue
			}
			state = held
			if row == nil || row.word != Released || o.print != s.Print {
				p.hold(Hold{Kind: ChangedInDoubt, Request: f.request.ID, Detail: o.code})
			}
		}
	}
	return state
}

// pick chooses the row that speaks for an observation: a live one before cancelled and withdrawn
// ones. Two live rows speak for it only if they say the same; otherwise the second result names
// one of them.
func pick(rows []resultFact, sent *Sent) (*resultFact, string) {
	var live, dead []*resultFact
	for i := range rows {
		switch r := &rows[i]; r.word {
		case Pending, Released:
			live = append(live, r)
		default:
			dead = append(dead, r)
		}
	}
	if len(live) == 0 {
		slices.SortStableFunc(dead, func(a, b *resultFact) int { return deadRank(a.word) - deadRank(b.word) })
		for _, r := range dead { // a row that was replaced long ago does not speak for its successor
			if sent != nil && r.ID == sent.Row {
				return r, ""
			}
		}
		if len(dead) == 0 {
			return nil, ""
		}
		return dead[0], ""
	}
	chosen := live[0]
	for _, r := range live[1:] {
		same := r.text == chosen.text && r.unit == chosen.unit && r.kind == chosen.kind
		if r.word != chosen.word || r.word == Released && !same { // two that are pending say nothing yet
			return nil, r.ID
		}
		if sent != nil && r.ID == sent.Row {
			chosen = r
		}
	}
	return chosen, ""
}

// deadRank orders the words of rows that are not live: a withdrawal says most.
func deadRank(w ResultWord) int {
	return slices.Index([]ResultWord{Withdrawn, ResultNotMeasurable, IgnoredResult}, w)
}

// of returns the observations in one of the states.
func of(obs []observed, states ...observationState) []observed {
	var out []observed
	for _, o := range obs {
		if slices.Contains(states, o.state) {
			out = append(out, o)
		}
	}
	return out
}

// rank is the furthest happy-path rank of a request.
func rank(q *Request) int { return max(q.Status.Rank(), whoop.BusinessStatus("").Rank()) }
