package bridge

import (
	"maps"
	"slices"

	"limsbridge/lims"
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
	for _, a := range p.Record.Attempts {
		if a.Action != SubmitReport || !slices.Contains(a.Requests, f.request.ID) {
			continue
		}
		for _, s := range a.Prints {
			if !seen[s.Code] { // nor does it know what is in doubt: that is held by its report
				out = append(out, observed{code: s.Code, state: held})
			}
		}
	}
	return out
}

// observation decides one observation of a service request.
func (p *planner) observation(f *facts, rule ObservationRule) observed {
	o := observed{code: rule.Code, optional: rule.Optional}
	var sent *Sent
	for i, s := range f.request.Sent {
		if s.Code == rule.Code {
			sent = &f.request.Sent[i]
		}
	}
	row, two := pick(f.results[rule.Code], sent)
	if two != "" {
		o.state = p.holdObservation(f, o, TwoRows, two)
		return o
	}
	if row != nil && row.old && p.Record.verdict(beforeStart(f, row)) == SendAgain {
		again := *row
		again.old = false
		row = &again
	}
	if row != nil && !row.old {
		p.version(f, &o, row)
		if p.sentAs(f, rule.Code, row.ID) {
			o.state = p.holdObservation(f, o, Recoded, row.ID)
			return o
		}
	}
	if p.doubtful(f, &o, row) {
		o.state = held
		return o
	}
	switch never, binds := f.request.never(o.print); {
	case binds:
		o.state = dismissed
		return o
	case never && sent != nil && o.print != sent.Print:
		// WHOOP shows another version that went out since: whether this one corrects it, nobody has decided.
		o.state = p.holdObservation(f, o, CorrectionHeld, row.ID)
		return o
	}
	if sent == nil {
		o.state = p.unsent(f, &o, row)
	} else {
		o.state = p.sentBefore(f, &o, row, sent)
	}
	return o
}

// version fills in the version that the row shows: how it would leave, and its fingerprint. A
// withdrawal without a value of its own leaves with the configured text.
func (p *planner) version(f *facts, o *observed, row *resultFact) {
	o.row, o.kind, o.text, o.unit, o.at = row.ID, row.kind, row.text, row.unit, *row
	if row.word == Withdrawn && !o.sendable() && p.Settings.WithdrawnValue != "" {
		o.kind, o.text, o.unit = Textual, p.Settings.WithdrawnValue, ""
	}
	if (row.word == Released || row.word == Withdrawn) && o.sendable() {
		o.print = p.Prints.Observation(f.request.ID, o.code, o.text, o.unit, row.word == Withdrawn)
	}
}

// sendable reports whether there is a value that a report can carry.
func (o observed) sendable() bool { return o.kind == Numeric || o.kind == Textual }

// holdObservation holds an observation, unless a person decided it: then it may be a correction
// after all, or is dismissed. What has no value to send stays held, whatever was decided.
func (p *planner) holdObservation(f *facts, o observed, k HoldKind, row string) observationState {
	h := Hold{Kind: k, Request: f.request.ID, Detail: o.code}
	if row != "" {
		h.Source, h.Row = lims.Results, row
	}
	switch v := p.hold(h); {
	case v == "":
		return held
	case v != SendAgain:
		return dismissed
	case !o.sendable():
		p.plan.Holds = append(p.plan.Holds, h)
		return held
	case o.at.word == Withdrawn:
		return withdrawn
	}
	return changed
}

// sentAs reports whether the row went out, or may have, as another observation of the requisition.
func (p *planner) sentAs(f *facts, code, row string) bool {
	for _, a := range p.Record.Attempts {
		for _, s := range a.Prints {
			if s.Row == row && (s.Code != code || !slices.Contains(a.Requests, f.request.ID)) {
				return true
			}
		}
	}
	for _, q := range p.Record.Requests {
		for _, s := range q.Sent {
			if s.Row == row && (s.Code != code || q.ID != f.request.ID) {
				return true
			}
		}
	}
	return false
}

// unsent decides an observation that never went out.
func (p *planner) unsent(f *facts, o *observed, row *resultFact) observationState {
	switch {
	case row == nil:
		return missing
	case row.old && p.Record.verdict(beforeStart(f, row)) != "":
		return dismissed
	case row.old:
		o.at = *row
		return held
	case row.word == Released:
		return fresh
	case row.word == ResultNotMeasurable:
		return unmeasurable
	case row.word == IgnoredResult:
		return missing
	case row.word == Withdrawn && o.optional:
		return unmeasurable
	}
	return pending // a required one that was cancelled before it went out may still be repeated
}

// sentBefore decides an observation that went out before.
func (p *planner) sentBefore(f *facts, o *observed, row *resultFact, sent *Sent) observationState {
	switch {
	case row == nil && f.spoilt[o.code]:
		return held // by its row, which is there
	case row == nil || row.word == IgnoredResult:
		return p.holdObservation(f, *o, Gone, sent.Row)
	case row.old:
		return settled
	case row.word == Released && o.print == sent.Print && !sent.Withdrawn:
		return settled
	case row.word == Released && p.Settings.HoldCorrections:
		return p.holdObservation(f, *o, CorrectionHeld, row.ID)
	case row.word == Released:
		return changed
	case row.word == Withdrawn && sent.Withdrawn:
		return settled
	case row.word == Withdrawn && row.ID != sent.Row &&
		p.Prints.Observation(f.request.ID, o.code, row.text, row.unit, false) != sent.Print:
		// Another row was withdrawn, of another value than the one that went out.
		return p.holdObservation(f, *o, Gone, sent.Row)
	case row.word == Withdrawn && !o.sendable():
		return p.holdObservation(f, *o, NoValue, row.ID)
	case row.word == Withdrawn && p.Settings.HoldCorrections:
		return p.holdObservation(f, *o, CorrectionHeld, row.ID)
	case row.word == Withdrawn:
		return withdrawn
	case row.word == ResultNotMeasurable:
		return p.holdObservation(f, *o, Contradiction, row.ID)
	}
	if p.rested(row.noticed.Add(p.Settings.PendingAfter)) { // pending again
		return p.holdObservation(f, *o, PendingAgain, row.ID)
	}
	return pending
}

// beforeStart is the hold of a result that was released before start_from.
func beforeStart(f *facts, row *resultFact) Hold {
	return Hold{Kind: BeforeStart, Request: f.request.ID, Source: row.Source, Row: row.ID}
}

// doubtful reports whether the observation is in a report in doubt. It is never sent again by
// itself; where its version changed since, that is urgent to know.
func (p *planner) doubtful(f *facts, o *observed, row *resultFact) bool {
	found := false
	for _, a := range p.Record.Attempts {
		if a.Action != SubmitReport || !slices.Contains(a.Requests, f.request.ID) {
			continue
		}
		for _, s := range a.Prints {
			if s.Code != o.code {
				continue
			}
			found = true
			if row == nil || o.print != s.Print {
				p.hold(Hold{Kind: ChangedInDoubt, Request: f.request.ID, Detail: o.code})
			}
		}
	}
	return found
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
