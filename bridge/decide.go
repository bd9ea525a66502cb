package bridge

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"limsbridge/whoop"
)

// choices lists what a person can decide of each kind of hold. What is missing here cannot be
// decided: it ends when the row or the mapping is mended, or with the doubt that it is about.
var choices = map[HoldKind][]Verdict{
	Doubt:             {WasReceived, SendAgain, NeverSend},
	Elsewhere:         {WasReceived, SendAgain, NeverSend},
	BeforeStart:       {WasReceived, SendAgain, NeverSend},
	Refused:           {SendAgain, NeverSend},
	NotFound:          {SendAgain, NeverSend},
	OtherPatient:      {SendAgain, NeverSend},
	Contradiction:     {SendAgain, NeverSend},
	NoOrder:           {SendAgain, NeverSend},
	CorrectionHeld:    {SendAgain, NeverSend},
	Gone:              {NeverSend},
	PendingAgain:      {NeverSend},
	NoValue:           {NeverSend},
	NotMeasurable:     {NeverSend},
	TwoRows:           {NeverSend},
	Recoded:           {NeverSend},
	AfterEnd:          {NeverSend},
	BadRow:            {NeverSend},
	BadID:             {NeverSend},
	UnknownOrderCode:  {NeverSend},
	UnknownResultCode: {NeverSend},
	UnknownStatus:     {NeverSend},
	UnknownUnit:       {NeverSend},
	InvalidValue:      {NeverSend},
	NotOrdered:        {NeverSend},
	TwoRequests:       {NeverSend},
}

// Choices returns what can be decided of a hold of this kind.
func (k HoldKind) Choices() []Verdict { return slices.Clone(choices[k]) }

// version is what a decision binds to: the version of the row that the hold is about, or of all
// rows of the record where it is about none in particular. It is never zero.
func (r Record) version(h Hold) uint64 {
	if h.Row != "" {
		m, _ := r.mark(h.Source, h.Row)
		return m.Version | 1
	}
	var all []string
	for _, m := range r.Rows {
		all = append(all, fmt.Sprintf("%s/%s/%x", m.Source, m.ID, m.Version))
	}
	slices.Sort(all)
	sum := fnv.New64a()
	_, _ = sum.Write([]byte(strings.Join(all, "\n")))
	return sum.Sum64() | 1
}

// changedSince reports whether a row that the hold is about changed since it began: a decision
// would then bind to a version that nobody has seen.
func (r Record) changedSince(h Hold) bool {
	return slices.ContainsFunc(r.Rows, func(m RowMark) bool {
		about := h.Row == "" || m.ID == h.Row && m.Source == h.Source
		return about && m.Noticed.After(h.Since)
	})
}

// verdict returns what a person decided of this hold, if it still binds.
func (r Record) verdict(h Hold) Verdict {
	for _, d := range r.Decisions {
		if d.same(h) && d.Version == r.version(h) {
			return d.Verdict
		}
	}
	return ""
}

// dismissed reports whether a person decided that nothing of such a hold is ever sent, whatever
// its detail, while that binds.
func (r Record) dismissed(k HoldKind, request uuid.UUID) bool {
	return slices.ContainsFunc(r.Decisions, func(d Decision) bool {
		return d.Kind == k && d.Request == request && d.Verdict == NeverSend && d.Version == r.version(d.Hold)
	})
}

// closed reports whether a person decided that nothing more is ever sent for a request, since
// somebody else reports it. That binds for ever.
func (r Record) closed(request uuid.UUID) bool {
	return slices.ContainsFunc(r.Decisions, func(d Decision) bool {
		return d.Kind == Elsewhere && d.Request == request && d.Verdict == NeverSend
	})
}

// received turns the released observations of a request into sent ones, where a person said that
// WHOOP has them.
func (p *planner) received(f *facts, unsent, corrections []observed) ([]observed, []observed) {
	for _, d := range p.Record.Decisions {
		if d.Kind != Elsewhere || d.Request != f.request.ID || d.Verdict != WasReceived {
			continue
		}
		if d.Version != p.Record.version(d.Hold) {
			// What was decided was about other results than those of now: ask again.
			p.hold(d.Hold)
			return nil, nil
		}
		got := Received{Decision: d}
		for _, o := range slices.Concat(unsent, corrections) {
			got.Prints = append(got.Prints, Sent{Code: o.code, Row: o.row, Print: o.print, Withdrawn: o.state == withdrawn})
		}
		p.plan.Received = append(p.plan.Received, got)
		return nil, nil
	}
	return unsent, corrections
}

// event is the journal's form: from now on the observations count as sent.
func (rc Received) event(k Key, at time.Time) Event {
	e := unhold(k, rc.Hold, at)
	e.Kind, e.Verdict, e.Prints, e.Status = DecisionEvent, rc.Verdict, rc.Prints, whoop.BusinessStatus(rc.Detail)
	return e
}

// Held is one hold with what belongs to it, for people.
type Held struct {
	ID      uint64    `json:"id"`
	Kind    HoldKind  `json:"kind"`
	Since   time.Time `json:"since"`
	Key     Key       `json:"record,omitzero"`
	Request uuid.UUID `json:"service_request,omitzero"`
	Test    string    `json:"test,omitempty"` // WHOOP's code of the service request
	Source  string    `json:"source,omitempty"`
	Row     string    `json:"row,omitempty"`
	Detail  string    `json:"detail,omitempty"`
	// Of a report in doubt.
	Attempt      uint64    `json:"attempt,omitempty"`
	Begun        time.Time `json:"begun,omitzero"`
	Ended        time.Time `json:"ended,omitzero"`
	Observations []string  `json:"observations,omitempty"` // their codes
	Choices      []Verdict `json:"choices,omitempty"`
	// Of what stands still as a whole, see Standing.
	Count int    `json:"count,omitempty"` // a brake's
	End   string `json:"end,omitempty"`   // the command that ends it
}

// PausedByPerson is the kind under which Standing lists a pause; a stop stands there under its own.
const PausedByPerson HoldKind = "paused"

// Standing returns what keeps all sending, or that of one test or kind, and is about no single
// order: stops, brakes and pauses, the oldest first. They have no number, and End instead.
func Standing(l Ledger) []Held {
	var all []Held
	l.View(func(s *State) {
		for _, x := range s.Stops {
			all = append(all, Held{Kind: HoldKind(x.Kind), Since: x.Since, Count: x.Count, End: x.End()})
		}
		for _, p := range s.Pauses {
			all = append(all, Held{Kind: PausedByPerson, Since: p.Since, Test: p.Test, End: p.End()})
		}
	})
	slices.SortStableFunc(all, func(a, b Held) int { return a.Since.Compare(b.Since) })
	return all
}

// Holds returns everything that is held, the oldest first.
func Holds(l Ledger) ([]Held, error) {
	var all []Held
	err := l.Each(func(r Record) error {
		for _, h := range r.Holds {
			all = append(all, r.held(h))
		}
		return nil
	})
	slices.SortFunc(all, func(a, b Held) int { return int(int64(a.ID) - int64(b.ID)) })
	return all, err
}

func (r Record) held(h Hold) Held {
	out := Held{
		ID: h.Seq, Kind: h.Kind, Since: h.Since, Key: r.Key, Request: h.Request, Source: string(h.Source), Row: h.Row,
		Detail: h.Detail, Attempt: h.Attempt, Choices: h.Kind.Choices(),
	}
	if q := r.Request(h.Request); q != nil {
		out.Test = q.Code
	}
	for _, a := range r.Attempts {
		if a.Seq == h.Attempt && h.Kind == Doubt {
			out.Begun, out.Ended = a.Begun, a.Ended
			for _, s := range a.Prints {
				out.Observations = append(out.Observations, s.Code)
			}
		}
	}
	return out
}

// Resolution is what a person decided of some holds.
type Resolution struct {
	IDs     []uint64 `json:"ids"`
	Verdict Verdict  `json:"verdict"`
	By      string   `json:"by"`
	Why     string   `json:"why"`
	User    string   `json:"user,omitempty"` // of the operating system
}

// Resolve decides holds by name and reason, and lets the turn of their records come. It decides
// all of them or, with an error, none.
func Resolve(ctx context.Context, l Ledger, s Resolution, at time.Time) error {
	keys, err := resolve(ctx, l, s, at, func([]Key) {})
	if err != nil {
		return err
	}
	for _, k := range keys {
		if err := l.Note(k, func(r *Record) { r.due(at, r.Urgency) }); err != nil {
			return err
		}
	}
	return l.Flush()
}

// resolve writes a resolution down and returns the records that it is about. Before it writes, it names
// them to first.
func resolve(ctx context.Context, l Ledger, s Resolution, at time.Time, first func([]Key)) ([]Key, error) {
	if s.By == "" || s.Why == "" {
		return nil, errors.New("a decision needs a name and a reason: --by NAME --why TEXT")
	}
	var keys []Key
	var events []Event
	found := map[uint64]bool{}
	err := l.Each(func(r Record) error {
		for _, h := range r.Holds {
			if !slices.Contains(s.IDs, h.Seq) {
				continue
			}
			found[h.Seq] = true
			if !slices.Contains(choices[h.Kind], s.Verdict) {
				return fmt.Errorf("hold %d (%s) cannot be decided as %s: %s", h.Seq, h.Kind, s.Verdict, advice(h.Kind))
			}
			if h.Kind != Doubt && h.Kind != Elsewhere && h.Kind != NotFound && r.changedSince(h) {
				return fmt.Errorf("hold %d: its row changed since; see what is held of it after the next pass", h.Seq)
			}
			e := r.decision(h, s.Verdict)
			e.At, e.By, e.User, e.Why = at, s.By, s.User, s.Why
			events = append(events, e)
			keys = append(keys, r.Key)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	for _, id := range s.IDs {
		if !found[id] {
			return nil, fmt.Errorf("there is no hold %d (any more): see `limsbridge holds`", id)
		}
	}
	if len(events) == 0 {
		return nil, errors.New("no hold was named")
	}
	first(keys)
	_, err = l.Commit(ctx, events...)
	return keys, err
}

// decision is the event of a verdict on a hold.
func (r Record) decision(h Hold, v Verdict) Event {
	e := unhold(r.Key, h, time.Time{})
	e.Kind, e.Verdict = DecisionEvent, v
	switch h.Kind {
	case Doubt:
		for _, a := range r.Attempts {
			if a.Seq == h.Attempt {
				e.Prints, e.Report = a.Prints, a.Report
			}
		}
	case Elsewhere:
		e.Status = whoop.BusinessStatus(h.Detail)
		e.Version = r.version(h)
		if v == SendAgain {
			e.Version = 0 // the status is taken over, and the results go out: nothing stays to bind
		}
	case Refused, NotFound:
		if v == NeverSend {
			e.Version = r.version(h)
		}
	default:
		e.Version = r.version(h)
	}
	return e
}

// advice says what ends a hold that a person cannot decide in this way.
func advice(k HoldKind) string {
	switch {
	case k == ChangedInDoubt:
		return "decide the report in doubt (hold in_doubt of the same service request)"
	case len(choices[k]) > 0:
		return fmt.Sprintf("possible are %v; otherwise mend the row in the LIMS or the configuration", choices[k])
	}
	return "mend the row in the LIMS or the configuration"
}
