package main

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/google/uuid"

	"limsbridge/bridge"
	"limsbridge/bridge/ledger"
	"limsbridge/lims/limstest"
	"limsbridge/whoop"
	"limsbridge/whoop/sandbox"
)

// tally is what came out of an episode.
type tally struct {
	reports, observations int // accepted
	inFlight              int // calls in flight at the kills
	doubts                int // reports held in doubt at the end
	received              int // of them, those that the API had accepted
	settled               int // statuses that were in doubt, and are not any more
}

func (a *tally) add(b tally) {
	a.reports += b.reports
	a.observations += b.observations
	a.inFlight += b.inFlight
	a.doubts += b.doubts
	a.received += b.received
	a.settled += b.settled
}

func (a tally) String() string {
	return fmt.Sprintf("%d reports with %d observations accepted; %d calls in flight at the kills; %d reports in doubt, %d of them accepted; %d statuses settled",
		a.reports, a.observations, a.inFlight, a.doubts, a.received, a.settled)
}

// compare judges an episode that has come to rest:
//
//   - nothing twice, and no rule of the process broken, as the API counts it;
//   - what was accepted is what the lab had, in its order;
//   - nothing lost: the last version of every observation was accepted, or its report is held in doubt,
//     or it came after a final report that is;
//   - a service request without doubt is at the status where it belongs;
//   - nothing else is held, and no more is in doubt than was in flight at the kills;
//   - ledger and journal say the same.
func (e *episode) compare() tally {
	counts := e.api.Counts()
	if counts.Duplicates != 0 || len(counts.Violations) != 0 || counts.Refused != 0 {
		e.Errorf("duplicates %d, violations %v, refused %d", counts.Duplicates, counts.Violations, counts.Refused)
	}
	l, err := ledger.Open(e.state, ledger.Options{ReadOnly: true})
	if err != nil {
		e.Fatal(err)
	}
	defer func() {
		if err := l.Close(); err != nil {
			e.Error(err)
		}
	}()
	e.replays(l, "at the end", false)
	doubts := e.doubts(l)
	got := tally{reports: counts.Reports, observations: counts.Observations, inFlight: e.inFlight}
	for _, q := range e.lab.Truth().Requisitions {
		for _, s := range q.Requests {
			accepted, _ := e.api.AcceptedFor(s.ID)
			e.request(s, accepted, doubts[s.ID])
			got.doubts += len(doubts[s.ID])
			for _, a := range doubts[s.ID] {
				if slices.ContainsFunc(accepted.Reports, func(r sandbox.Report) bool { return carries(r, a) }) {
					got.received++
				}
			}
		}
	}
	statuses := 0
	for _, x := range e.journal() {
		if x.Kind == bridge.OutcomeEvent && x.Outcome == whoop.InDoubt && x.Action == bridge.SetStatus {
			statuses++
		}
	}
	got.settled = statuses
	if got.doubts+statuses > e.inFlight {
		e.Errorf("%d reports and %d statuses were in doubt, more than the %d calls in flight at the kills", got.doubts, statuses, e.inFlight)
	}
	return got
}

// carries reports whether r is the report of the attempt, as far as codes tell.
func carries(r sandbox.Report, a bridge.Attempt) bool {
	return r.Status == string(a.Report) && len(r.Observations) == len(a.Prints) && !slices.ContainsFunc(r.Observations, func(o sandbox.Observation) bool {
		return !slices.ContainsFunc(a.Prints, func(s bridge.Sent) bool { return s.Code == o.Code })
	})
}

// doubts returns the attempts in doubt by service request, and checks that each is held, and
// nothing else.
func (e *episode) doubts(l *ledger.Ledger) map[uuid.UUID][]bridge.Attempt {
	all := map[uuid.UUID][]bridge.Attempt{}
	err := l.Each(func(r bridge.Record) error {
		for _, a := range r.Attempts {
			held := slices.ContainsFunc(r.Holds, func(h bridge.Hold) bool { return h.Kind == bridge.Doubt && h.Attempt == a.Seq })
			if a.Action != bridge.SubmitReport || a.Open() || !held {
				e.Errorf("requisition %s: the attempt %d (%s) is left, open %v, held %v", r.Key.ID, a.Seq, a.Action, a.Open(), held)
				continue
			}
			all[a.Requests[0]] = append(all[a.Requests[0]], a)
		}
		for _, h := range r.Holds {
			if h.Kind != bridge.Doubt && h.Kind != bridge.ChangedInDoubt || len(all[h.Request]) == 0 {
				e.Errorf("requisition %s: a hold too much: %+v", r.Key.ID, h)
			}
		}
		return nil
	})
	if err != nil {
		e.Fatal(err)
	}
	return all
}

// request compares one service request with the truth.
func (e *episode) request(want limstest.Request, got sandbox.Accepted, doubts []bridge.Attempt) {
	inDoubt := func(code string) bool {
		return slices.ContainsFunc(doubts, func(a bridge.Attempt) bool {
			return a.Report == whoop.ReportFinal || slices.ContainsFunc(a.Prints, func(s bridge.Sent) bool { return s.Code == code })
		})
	}
	versions := map[string][]sandbox.Observation{}
	for _, r := range got.Reports {
		for _, o := range r.Observations {
			versions[o.Code] = append(versions[o.Code], o)
		}
	}
	for _, o := range want.Observations {
		arrived := versions[o.Code]
		delete(versions, o.Code)
		next := 0
		for _, a := range arrived { // a version may be overtaken by the next one before it left
			for next < len(o.Versions) && !same(o.Versions[next], a) {
				next++
			}
			next++
		}
		switch {
		case next > len(o.Versions):
			e.Errorf("service request %s: of %s was accepted what the lab did not have, or not in this order: %v of %v", want.ID, o.Code, arrived, o.Versions)
		case inDoubt(o.Code):
		case len(arrived) == 0 || !same(o.Versions[len(o.Versions)-1], arrived[len(arrived)-1]):
			e.Errorf("service request %s: %s is lost: %d of %d versions were accepted, not the last, and none is in doubt", want.ID, o.Code, len(arrived), len(o.Versions))
		}
	}
	for code := range versions {
		e.Errorf("service request %s: %s was accepted and should not have left", want.ID, code)
	}
	if len(doubts) == 0 && got.BusinessStatus != want.Status {
		e.Errorf("service request %s is at %q, not at %q", want.ID, got.BusinessStatus, want.Status)
	}
}

func same(v limstest.Version, o sandbox.Observation) bool {
	value := o.Text
	if v.Numeric {
		value = o.Numeric
	}
	return v.Value == value && v.Unit == o.Unit
}

// journal reads all of the journal, and checks its chain.
func (e *episode) journal() (all []bridge.Event) {
	err := ledger.ReadJournal(e.state, func(x bridge.Event) error { all = append(all, x); return nil })
	if err != nil {
		e.Fatal(err)
	}
	return all
}

// replays checks that the journal alone gives what the ledger says. In a ledger that was opened
// to be read, the outcomes of the calls that were in flight are not in the journal: open says so.
func (e *episode) replays(l *ledger.Ledger, when string, open bool) {
	records, state := map[bridge.Key]bridge.Record{}, bridge.State{}
	for _, x := range e.journal() {
		if state.Created.IsZero() {
			state.Created = x.At
		}
		state.Apply(x)
		if x.Key != nil {
			records[*x.Key] = records[*x.Key].Apply(x)
		}
	}
	if !open && text(e, l.State()) != text(e, state) {
		e.Errorf("%s: the state is\n%s\nand the journal says\n%s", when, text(e, l.State()), text(e, state))
	}
	err := l.Each(func(r bridge.Record) error {
		want := records[r.Key]
		want.Key = r.Key
		got := r
		for _, x := range []*bridge.Record{&got, &want} { // what is not journalled, and what opening adds
			x.Due, x.Urgency, x.Rows, x.Attempts = want.Due, 0, nil, slices.Clone(x.Attempts)
			for i := range x.Attempts {
				if open {
					x.Attempts[i].Ended = want.Due
				}
			}
		}
		delete(records, r.Key)
		if text(e, got) != text(e, want) {
			return fmt.Errorf("%s: the record is\n%s\nand the journal says\n%s", when, text(e, got), text(e, want))
		}
		return nil
	})
	if err != nil {
		e.Fatal(err)
	}
	for k := range records {
		e.Errorf("%s: the journal knows %s, the ledger does not", when, k.ID)
	}
}

func text(e *episode, v any) string {
	e.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		e.Fatal(err)
	}
	return strings.ReplaceAll(string(b), ":[]", ":null") // no difference to anybody
}
