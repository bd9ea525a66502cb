package bridge

import (
	"slices"
	"time"

	"limsbridge/lims"
	"limsbridge/whoop"
)

// request plans one service request: the first rule that matches wins.
func (p *planner) request(f *facts) []Action {
	q := f.request
	obs := p.observations(f)
	unsent, corrections := of(obs, fresh), of(obs, changed, withdrawn)
	releases := len(unsent)+len(corrections) > 0
	refused := p.refused(f)

	switch {
	case q.Revoked || q.Status.Issue():
		if releases {
			p.hold(Hold{Kind: AfterEnd, Request: q.ID})
		}
		return nil
	case f.blocked || refused || p.Record.closed(q.ID):
		return nil
	case f.old() && !releases:
		return nil // all of it was before start_from
	case len(f.orders) == 0:
		if !releases || !p.rested(f.changed.Add(p.Settings.Settle)) || p.hold(Hold{Kind: NoOrder, Request: q.ID}) != SendAgain {
			return nil
		}
	}
	if issue, row, ok := f.issue(); issue != "" || !ok {
		if ok && !releases && !f.heldResults && len(of(obs, held)) == 0 && !p.reported(f) {
			return p.issue(f, issue)
		}
		if p.hold(Hold{Kind: Contradiction, Request: q.ID, Source: lims.Orders, Row: row.ID, Detail: string(row.word)}) != SendAgain {
			return nil
		}
	}
	if unsent, corrections = p.received(f, unsent, corrections); len(unsent)+len(corrections) == 0 && releases {
		return nil // they are planned again once they count as sent
	}

	for _, o := range of(obs, held) {
		if o.at.old && releases {
			p.hold(beforeStart(f, &o.at))
		}
	}
	obs = f.orderUnmeasurable(obs)
	collected := releases || slices.ContainsFunc(f.words(), func(w OrderWord) bool { return w != Accepted })
	steps := f.progress(collected)
	if releases && !p.rested(f.changed.Add(p.Settings.Settle)) {
		return steps
	}
	return append(steps, p.results(f, obs, unsent, corrections)...)
}

// rested reports whether that time has come; if not, it asks for a plan then.
func (p *planner) rested(ready time.Time) bool {
	if p.At.Before(ready) {
		p.later(ready)
		return false
	}
	return true
}

// refused reports whether WHOOP refused a call for this request and no row of it changed since:
// the same call would be refused again.
func (p *planner) refused(f *facts) bool {
	found := p.Record.dismissed(Refused, f.request.ID)
	for _, h := range p.Record.Holds {
		if h.Kind != Refused || h.Request != f.request.ID {
			continue
		}
		if p.Record.verdict(Hold{Kind: Refused, Request: h.Request, Detail: h.Detail}) != "" {
			continue
		}
		again := f.changed.After(h.Since) ||
			slices.ContainsFunc(f.orders, func(o orderFact) bool { return o.noticed.After(h.Since) })
		if !again {
			p.hold(Hold{Kind: Refused, Request: h.Request, Detail: h.Detail})
			found = true
		}
	}
	return found
}

// old reports whether all that the orders show of this request changed before start_from.
func (f *facts) old() bool {
	return len(f.orders) > 0 && !slices.ContainsFunc(f.orders, func(o orderFact) bool { return !o.old })
}

// reported reports whether a report of this request went out, or may have.
func (p *planner) reported(f *facts) bool {
	return len(f.request.Sent) > 0 || rank(f.request) >= whoop.PartialResultsReady.Rank() || slices.ContainsFunc(p.Record.Attempts, func(a Attempt) bool {
		return a.Action == SubmitReport && slices.Contains(a.Requests, f.request.ID)
	})
}

// issue returns the issue that the live order rows show ("" for none) and the row that says so.
// The last result is false where some LIMS tests of the request show an issue and others do not.
func (f *facts) issue() (whoop.BusinessStatus, orderFact, bool) {
	var at orderFact
	var status whoop.BusinessStatus
	issues, others := 0, 0
	for _, code := range f.test.LIMS {
		word, row, ok := f.orderWord(code)
		switch {
		case !ok:
		case word == RejectedOrder:
			issues++
			status, at = whoop.OrderIssue, row
		case word == NoShow:
			issues++
			if status == "" {
				status, at = whoop.AppointmentIssue, row
			}
		default:
			others++
		}
	}
	return status, at, issues == 0 || others == 0
}

// orderWord is what the live row of one LIMS test says. A row with an issue does not speak where
// another row of the same test is live: the order was repeated.
func (f *facts) orderWord(code string) (OrderWord, orderFact, bool) {
	order := []OrderWord{Complete, Collected, Accepted, OrderNotMeasurable, RejectedOrder, NoShow}
	best, found := orderFact{}, false
	for _, o := range f.orders {
		if o.OrderCode == code && (!found || slices.Index(order, o.word) < slices.Index(order, best.word)) {
			best, found = o, true
		}
	}
	return best.word, best, found
}

// words are what the live rows of the request's LIMS tests say, one for each test that has a row.
func (f *facts) words() []OrderWord {
	var out []OrderWord
	if f.test == nil {
		return out
	}
	for _, code := range f.test.LIMS {
		if w, _, ok := f.orderWord(code); ok {
			out = append(out, w)
		}
	}
	return out
}

// issue plans an issue status, once it has rested: every turn reads the rows again before it.
func (p *planner) issue(f *facts, s whoop.BusinessStatus) []Action {
	var steps []Action
	newest, reason := time.Time{}, ""
	for _, o := range f.orders {
		newest = later(newest, o.noticed)
		if o.Reason != "" {
			reason = o.Reason
		}
	}
	if s == whoop.AppointmentIssue {
		steps = f.progress(false)
	}
	if !p.rested(newest.Add(p.Settings.IssueSettle)) {
		return steps
	}
	return append(steps, status(f, s, reason))
}

// progress returns the statuses of the happy path that were skipped so far.
func (f *facts) progress(collected bool) []Action {
	var steps []Action
	if rank(f.request) < whoop.OrderConfirmed.Rank() {
		steps = append(steps, status(f, whoop.OrderConfirmed, ""))
	}
	if collected && rank(f.request) < whoop.AppointmentAttended.Rank() {
		steps = append(steps, status(f, whoop.AppointmentAttended, ""))
	}
	return steps
}

// orderUnmeasurable applies a whole LIMS test that cannot be measured to what is still missing.
func (f *facts) orderUnmeasurable(obs []observed) []observed {
	var failed *orderFact
	for i, o := range f.orders {
		switch o.word {
		case OrderNotMeasurable:
			failed = &f.orders[i]
		case Complete:
		default:
			return obs
		}
	}
	if failed == nil {
		return obs
	}
	for i := range obs {
		sent := slices.ContainsFunc(f.request.Sent, func(s Sent) bool { return s.Code == obs[i].code })
		if !sent && (obs[i].state == missing || obs[i].state == pending) {
			obs[i].state = unmeasurable
			obs[i].at = resultFact{Row: failed.Row, noticed: failed.noticed}
		}
	}
	return obs
}

// results plans the reports and the status after them.
func (p *planner) results(f *facts, obs, unsent, corrections []observed) []Action {
	q := f.request
	var steps []Action
	failed := p.failed(f, obs)
	complete := p.complete(f, obs)
	if complete && len(failed) > 0 {
		newest := f.changed
		for _, o := range failed {
			newest = later(newest, o.at.noticed)
		}
		if !p.Settings.ReportUnmeasurable || !p.rested(newest.Add(p.Settings.UnmeasurableSettle)) {
			complete = false
		}
	}
	if len(corrections) > 0 {
		steps = append(steps, report(f, whoop.ReportCorrected, corrections))
	}
	if p.finalInDoubt(q) {
		// New observations would amend it if WHOOP has it, and go before it if not. Its doubt holds them.
		unsent = nil
	}
	if len(unsent) > 0 {
		s := whoop.ReportPartial
		switch {
		case q.Final || q.Status == whoop.FullResultsReady:
			s = whoop.ReportAmended
		case complete:
			s = whoop.ReportFinal
		}
		steps = append(steps, report(f, s, unsent))
	}
	switch some := len(unsent)+len(q.Sent) > 0; {
	case complete && len(failed) > 0 && rank(q) < whoop.FullResultsReady.Rank():
		steps = append(steps, status(f, whoop.ResultsIssue, ""))
	case complete && some && rank(q) < whoop.FullResultsReady.Rank():
		steps = append(steps, status(f, whoop.FullResultsReady, ""))
	case !complete && some && rank(q) < whoop.PartialResultsReady.Rank():
		steps = append(steps, status(f, whoop.PartialResultsReady, ""))
	}
	return steps
}

// finalInDoubt reports whether nobody knows if WHOOP has the final report of this request.
func (p *planner) finalInDoubt(q *Request) bool {
	return slices.ContainsFunc(p.Record.Attempts, func(a Attempt) bool {
		return a.Action == SubmitReport && a.Report == whoop.ReportFinal && slices.Contains(a.Requests, q.ID)
	})
}

// failed returns the required observations that cannot be measured, and holds them unless the
// lab wants them reported as an issue.
func (p *planner) failed(f *facts, obs []observed) []observed {
	var out []observed
	for _, o := range of(obs, unmeasurable) {
		if o.optional {
			continue
		}
		if !p.Settings.ReportUnmeasurable {
			if p.hold(Hold{Kind: NotMeasurable, Request: f.request.ID, Source: o.at.Source, Row: o.at.ID, Detail: o.code}) != "" {
				continue // the lab gives it up: it counts as in
			}
		}
		out = append(out, o)
	}
	return out
}

// complete reports whether every observation is in, or will certainly not come.
func (p *planner) complete(f *facts, obs []observed) bool {
	if f.heldResults || p.loose {
		return false
	}
	// An optional result without a row may still get one, unless the order says that it is done.
	// A lab whose status words know no "complete" never says so.
	done := !p.Mapping.saysComplete() || !slices.ContainsFunc(f.words(), func(w OrderWord) bool {
		return w != Complete && w != OrderNotMeasurable
	})
	for _, o := range obs {
		switch o.state {
		case pending, held:
			return false
		case missing:
			if !o.optional || !done {
				return false
			}
		}
	}
	return true
}
