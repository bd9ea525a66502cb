package bridge

import (
	"cmp"
	"encoding/json"
	"errors"
	"slices"
	"time"

	"github.com/google/uuid"

	"limsbridge/lims"
	"limsbridge/whoop"
)

var errNotUUID = errors.New("not a UUID")

// Input is everything that a plan depends on; with it the plan is a pure function.
type Input struct {
	At time.Time // when the pass began
	// Now is when the plan is made, which in a long pass is later; only what WHOOP showed is held
	// against it. Zero: At.
	Now    time.Time
	Record Record
	// Rows are the present versions of all rows of the record, read after the orders' head.
	Rows []lims.Row
	// Shown is what WHOOP showed, while it is fresh; nil otherwise.
	Shown    *Shown
	Mapping  *Mapping
	Settings *Settings
	Prints   *Fingerprints
	// Origins are from where each source is read; what changed before is never sent.
	Origins map[lims.Source]lims.Origin
}

// Shown is the part of a look that lives in memory only.
type Shown struct {
	At        time.Time
	BirthDate string // YYYY-MM-DD, or "" where WHOOP does not tell
	// Now says that the look was made in this very turn of the record.
	Now bool
	// Active says that every service request that it showed was active.
	Active bool
}

// Plan is what is to be done for one record, in order, and what is not and why.
type Plan struct {
	Actions []Action
	Holds   []Hold // Seq and Since are not set
	// Due is when to plan again although nothing changed; zero: only after a change.
	Due time.Time
	// Received are observations that WHOOP has by the word of a person: they count as sent.
	Received []Received
}

// Received is what a person said that WHOOP has of one service request.
type Received struct {
	Decision
	Prints []Sent
}

// Action is one call to be made.
type Action struct {
	Kind     ActionKind
	Whole    bool // on the requisition as a whole
	Requests []uuid.UUID
	Tests    []string // their codes, for pauses
	Status   whoop.BusinessStatus
	Reason   string
	Report   whoop.Report // values: in memory only
	Prints   []Sent
	Class    whoop.Class
}

type planner struct {
	Input
	plan Plan
	// loose says that a result is held which may belong to any service request of the record:
	// none of them is complete.
	loose bool
}

// Decide plans one record. The rules are the table "One service request, decided" of the README,
// in its order.
func Decide(in Input) Plan {
	p := &planner{Input: in}
	p.record()
	return p.plan
}

// hold notes that something is held up, unless a person decided it: then it returns the verdict.
func (p *planner) hold(h Hold) Verdict {
	if v := p.Record.verdict(h); v != "" {
		return v
	}
	if !slices.ContainsFunc(p.plan.Holds, h.same) {
		p.plan.Holds = append(p.plan.Holds, h)
	}
	return ""
}

// later asks for another plan at that time.
func (p *planner) later(at time.Time) {
	if p.plan.Due.IsZero() || at.Before(p.plan.Due) {
		p.plan.Due = at
	}
}

func (p *planner) look(c whoop.Class) {
	p.plan.Actions = []Action{{Kind: Look, Class: c}}
}

// record plans the record as a whole: what concerns all its service requests comes first.
func (p *planner) record() {
	if p.Record.Key.Kind == RowKey {
		for _, r := range p.Rows {
			if keyOf(r).Kind == RowKey {
				p.hold(Hold{Kind: BadID, Source: r.Source, Row: r.ID, Detail: "requisition_id"})
			}
		}
		for _, h := range p.Record.Holds {
			if h.Kind == BadRow && h.Row == "" {
				p.hold(h) // of rows that cannot be named: only a sweep ends it
			}
		}
		p.vanished()
		return
	}
	lasting := false
	for _, h := range p.Record.Holds {
		if h.lasting() {
			p.hold(h)
			lasting = true
		}
	}
	if p.Record.dismissed(NotFound, uuid.Nil) {
		p.doubts()
		return
	}
	if unknown := slices.ContainsFunc(p.Record.Holds, func(h Hold) bool { return h.Kind == NotFound }); len(p.Record.Requests) == 0 && (p.Shown == nil || unknown) {
		p.vanished()
		switch {
		case len(p.Rows) == 0:
		case p.Shown == nil:
			for _, h := range p.Record.Holds {
				p.hold(h) // until the look tells
			}
			p.look(whoop.Progress)
		default:
			p.later(p.At.Add(p.Settings.LookFor))
		}
		return
	}
	// From here on every hold is found, also where nothing may be sent: holds end only when what
	// they are about has ended.
	p.doubts()
	all := p.gather(p.Rows)
	p.vanished()
	other := p.otherPatient()
	var steps [][]Action
	for i := range p.Record.Requests {
		q := &p.Record.Requests[i]
		f := all[q.ID]
		if f == nil {
			f = &facts{request: q, test: p.Mapping.byCode[q.Code]}
		}
		steps = append(steps, p.request(f))
	}
	calls := slices.Concat(steps...)
	doubt, since := p.statusInDoubt()
	switch ready := since.Add(p.Settings.DoubtAfter); {
	case doubt && p.At.Before(ready):
		// A delayed call may still land: only a look begun later tells, and until then nothing
		// else goes out for this requisition.
		p.later(ready)
	case doubt && p.Shown != nil && p.Shown.Now: // the look did not show all of it
		if p.At.Sub(since) < p.Settings.LookFor {
			p.later(p.At.Add(p.Settings.DoubtAfter))
			break
		}
		p.unsettled()
		p.later(p.At.Add(p.Settings.LookFor))
	case doubt:
		p.look(whoop.Progress)
	case lasting || len(p.Record.Requests) == 0:
		if p.Shown == nil && len(p.Rows) > 0 {
			p.look(whoop.Progress)
		} else if len(p.Rows) > 0 {
			p.later(p.At.Add(p.Settings.LookFor))
		}
	case other:
	case len(calls) == 0 && p.unordered():
		if p.Shown == nil {
			p.look(whoop.Progress)
		} else {
			p.later(p.Shown.At.Add(p.Settings.LookFor))
		}
	case len(calls) > 0 && (p.Shown == nil || p.stale(calls)):
		// Before statuses too: after a rollback they would go back.
		class := whoop.Progress
		for _, a := range calls {
			class = min(class, a.Class)
		}
		p.look(max(class, whoop.Finals))
	default:
		p.plan.Actions = p.merge(steps)
	}
}

// stale reports whether what WHOOP showed is too old for the first report of a service request: since
// then somebody may have entered it by hand, or WHOOP revoked it.
func (p *planner) stale(calls []Action) bool {
	return later(p.At, p.Now).Sub(p.Shown.At) > p.Settings.LookForReport && slices.ContainsFunc(calls, func(a Action) bool {
		if a.Kind != SubmitReport {
			return false
		}
		q := p.Record.Request(a.Requests[0])
		return q != nil && len(q.Sent) == 0
	})
}

// unordered reports whether rows are held for what WHOOP did not show: it may have been added since.
func (p *planner) unordered() bool {
	return slices.ContainsFunc(p.plan.Holds, func(h Hold) bool { return h.Kind == NotOrdered || h.Kind == TwoRequests })
}

// statusInDoubt reports whether a status call of this record is in doubt, and since when.
func (p *planner) statusInDoubt() (bool, time.Time) {
	var since time.Time
	for _, a := range p.Record.Attempts {
		if a.Action == SetStatus {
			since = later(since, cmp.Or(a.Ended, a.Begun))
		}
	}
	return !since.IsZero(), since
}

// doubts holds every report whose outcome nobody knows, and goes on to hold a status that does not
// settle itself.
func (p *planner) doubts() {
	for _, a := range p.Record.Attempts {
		if a.Action == SubmitReport {
			p.hold(Hold{Kind: Doubt, Request: a.Requests[0], Detail: string(a.Report), Attempt: a.Seq})
			continue
		}
		for _, h := range p.Record.Holds {
			if h.Kind == Doubt && h.Attempt == a.Seq {
				p.hold(h)
			}
		}
	}
}

// unsettled holds a status in doubt that looks did not settle for a day, because WHOOP does not show
// a service request of it any more: the whole requisition waits for it.
func (p *planner) unsettled() {
	for _, a := range p.Record.Attempts {
		if a.Action == SetStatus {
			p.hold(Hold{Kind: Doubt, Request: a.Requests[0], Detail: string(a.Status), Attempt: a.Seq})
		}
	}
}

// vanished holds rows that once showed a released result which never went out and that left
// their view. What was sent and vanished is held by its observation.
func (p *planner) vanished() {
	present := map[rowRef]bool{}
	for _, r := range p.Rows {
		present[rowRef{r.Source, r.ID}] = true
	}
	sent := map[string]bool{}
	for _, q := range p.Record.Requests {
		for _, s := range q.Sent {
			sent[s.Row] = true
		}
	}
	for _, m := range p.Record.Rows {
		if m.Released && !sent[m.ID] && !present[rowRef{m.Source, m.ID}] {
			if p.hold(Hold{Kind: Gone, Source: m.Source, Row: m.ID}) == "" {
				p.loose = true
			}
		}
	}
}

// otherPatient compares the birth dates, where both sides carry one.
func (p *planner) otherPatient() bool {
	if p.Settings.PatientCheck && p.Shown == nil {
		p.stillAnother()
	}
	if !p.Settings.PatientCheck || p.Shown == nil || p.Shown.BirthDate == "" {
		return false
	}
	differs := false
	for _, r := range p.Rows {
		if r.Source == lims.Orders && r.BirthDate != "" && r.BirthDate != p.Shown.BirthDate {
			// A person may have found out that it is the same patient with a mistyped date.
			v := p.hold(Hold{Kind: OtherPatient, Source: r.Source, Row: r.ID})
			differs = differs || v != SendAgain
		}
	}
	return differs
}

// stillAnother keeps the holds of another patient until the next look tells, which comes before any
// call: a start makes looks stale, and does not make it the right patient.
func (p *planner) stillAnother() {
	for _, h := range p.Record.Holds {
		present := slices.ContainsFunc(p.Rows, func(r lims.Row) bool { return r.Source == h.Source && r.ID == h.Row })
		if h.Kind == OtherPatient && present && !p.Record.changedSince(h) {
			p.hold(h)
		}
	}
}

// merge orders the steps of all service requests. Where a look of this very turn shows every
// service request of the requisition active and each of them has the same status before it, one
// call on the requisition stands for all.
func (p *planner) merge(steps [][]Action) []Action {
	var out []Action
	whole := p.Record.Key.Kind == RequisitionKey && len(steps) > 1 && p.Shown != nil && p.Shown.Now && p.Shown.Active && len(p.plan.Holds) == 0
	for whole {
		first := Action{}
		for i, s := range steps {
			if len(s) == 0 || s[0].Kind != SetStatus || s[0].Status.Issue() ||
				p.Record.Requests[i].Revoked || i > 0 && s[0].Status != first.Status {
				whole = false
				break
			}
			if i == 0 {
				first = s[0]
				first.Requests, first.Tests = nil, nil
			}
			first.Requests = append(first.Requests, s[0].Requests...)
			first.Tests = append(first.Tests, s[0].Tests...)
		}
		if !whole {
			break
		}
		first.Whole = true
		out = append(out, first)
		for i := range steps {
			steps[i] = steps[i][1:]
		}
	}
	return append(out, slices.Concat(steps...)...)
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

// status returns the call that sets s on one service request.
func status(f *facts, s whoop.BusinessStatus, reason string) Action {
	class := whoop.Progress
	switch {
	case s.Issue():
		class = whoop.Issues
	case s.Rank() >= whoop.PartialResultsReady.Rank():
		class = whoop.Finals
	}
	return Action{Kind: SetStatus, Requests: []uuid.UUID{f.request.ID}, Tests: []string{f.request.Code}, Status: s, Reason: reason, Class: class}
}

// report returns the call that submits these observations.
func report(f *facts, s whoop.ReportStatus, obs []observed) Action {
	a := Action{
		Kind: SubmitReport, Requests: []uuid.UUID{f.request.ID}, Tests: []string{f.request.Code},
		Report: whoop.Report{Status: s}, Class: whoop.Finals,
	}
	if correction(s) {
		a.Class = whoop.Corrections
	}
	for _, o := range obs {
		w := whoop.Observation{Code: o.code, Unit: o.unit, Status: whoop.ObservationFinal}
		switch {
		case o.state == withdrawn:
			w.Status = whoop.ObservationEnteredInError
		case s == whoop.ReportCorrected:
			w.Status = whoop.ObservationCorrected
		}
		if o.kind == Numeric {
			w.Numeric = json.Number(o.text)
		} else {
			w.Text = o.text
		}
		a.Report.Observations = append(a.Report.Observations, w)
		a.Prints = append(a.Prints, Sent{Code: o.code, Row: o.row, Print: o.print, Withdrawn: o.state == withdrawn})
	}
	return a
}
