package bridge_test

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"limsbridge/bridge"
	"limsbridge/whoop/sandbox"
)

// What must hold after every month, judged by the lab's own memory of what it showed and by what
// the API accepted. Of the bridge only its holds and its journal are asked: a hold is the one excuse
// for what was not accepted, and it must have a reason in the lab or in the weather.

const (
	// staleness is how old a row may be when its value arrives: read, then waited for quota and for
	// calls before it that never answer.
	staleness = 20 * time.Minute
	// promptly is how much undisturbed time is enough for what a stamp told of: the hour that
	// local time repeats in autumn, the settle time, a status in doubt.
	promptly = 2 * time.Hour
	// nightly is enough for what only the sweep sees.
	nightly = 30 * time.Hour
)

// taken is one version of an observation that the API accepted.
type taken struct {
	at        time.Time
	text      string
	unit      string
	withdrawn bool
}

func (w *virtual) judge(i *installation) {
	w.t.Helper()
	counts := w.api.Counts()
	s := w.story(i)
	if counts.Duplicates != 0 && w.back == nil {
		w.t.Errorf("%d observations were accepted twice", counts.Duplicates)
	}
	for v, n := range counts.Violations {
		switch {
		case v == sandbox.ToRevoked: // WHOOP may cancel between a look and a report
		case v == sandbox.SilentChange && w.back != nil: // as with duplicates: what was sent of a partial result is forgotten, and no status tells
		default:
			w.t.Errorf("%d times %s", n, v)
		}
	}
	if spare := w.kills * w.settings.Parallel; counts.MaxPerMinute > w.limit+min(spare, w.settings.Parallel) || counts.RateLimited > spare+w.weather.landed {
		w.t.Errorf("%d calls in a minute with a quota of %d; %d calls over the quota, %d kills", counts.MaxPerMinute, w.limit, counts.RateLimited, w.kills)
	}
	for said, n := range w.complaints.said {
		for _, never := range []string{"contradicts the ledger", "does not come to rest", "somebody else calls", "this ledger did not report"} {
			if w.back != nil && never == "this ledger did not report" {
				continue
			}
			if strings.Contains(said, never) {
				w.t.Errorf("%d times: %s", n, said)
			}
		}
	}
	for _, q := range w.lab.requests {
		w.request(q, s)
	}
	w.justified(s)
	w.t.Logf("seed %d: %s, every %s, %d in parallel; %d service requests, %d reports with %d observations, %d kills, %d unclear reports, held %v",
		w.seed, w.begin.Format("2006-01-02 MST"), w.settings.Every, w.settings.Parallel, counts.ServiceRequests, counts.Reports, counts.Observations, w.kills, sum(w.weather.unclear), s.held())
}

func sum(m map[uuid.UUID]int) (n int) {
	for _, v := range m {
		n += v
	}
	return n
}

// request judges what was accepted for one service request.
func (w *virtual) request(q *labRequest, s *story) {
	a, _ := w.api.AcceptedFor(q.id)
	what := fmt.Sprintf("%s of %s", q.test.code, q.requisition)
	got := map[string][]taken{}
	for _, r := range a.Reports {
		for _, o := range r.Observations {
			text := o.Numeric + o.Text
			got[o.Code] = append(got[o.Code], taken{r.At, text, o.Unit, o.Status == "entered-in-error"})
		}
	}
	w.statuses(q, a, got, what)
	for i := range q.test.results {
		of := &q.test.results[i]
		w.observation(q, of, got[of.code], s, what+" "+of.code)
		delete(got, of.code)
	}
	for code := range got {
		w.t.Errorf("%s: %s was reported and is none of the test's", what, code)
	}
	w.complete(q, a, s, what)
	if w.t.Failed() && !s.told {
		s.told = true
		w.tell(q, a, s)
	}
}

// tell lays out what happened to the first request that was judged wrong.
func (w *virtual) tell(q *labRequest, a sandbox.Accepted, s *story) {
	w.t.Logf("service request %s, cancelled at %s; the LIMS showed:", q.id, q.revoked)
	for _, r := range slices.Concat(q.orders, q.results) {
		for _, v := range r.versions {
			w.t.Logf("  %s %s: %+v", v.at.UTC().Format(time.DateTime), r.id, v)
		}
	}
	w.t.Logf("the API accepted: %+v %+v", a.Statuses, a.Reports)
	for _, e := range s.journal {
		if e.Key != nil && e.Key.ID == q.requisition {
			w.t.Logf("  %s %s %s%s%s %s %d %s%s %s %v", e.At.Format(time.DateTime), e.Kind, e.Action, e.Status, e.Report, e.Outcome, e.Code, e.Hold, e.Row, e.Detail, e.Requests)
		}
	}
	for _, x := range s.troubled {
		w.t.Logf("  troubled from %s to %s", x.from.UTC().Format(time.DateTime), x.to.UTC().Format(time.DateTime))
	}
}

// statuses: only forward; nothing after a terminal status or long after a cancellation;
// FULL_RESULTS_READY only after the reports.
func (w *virtual) statuses(q *labRequest, a sandbox.Accepted, got map[string][]taken, what string) {
	path := []string{"ORDER_CONFIRMED", "APPOINTMENT_ATTENDED", "PARTIAL_RESULTS_READY", "FULL_RESULTS_READY"}
	rank, end := -1, time.Time{}
	last := func(at time.Time, event string) {
		if !end.IsZero() && at.After(end) {
			w.t.Errorf("%s: %s after a terminal status", what, event)
		}
		if !q.revoked.IsZero() && at.After(q.revoked.Add(w.settings.LookFor+staleness)) {
			w.t.Errorf("%s: %s long after WHOOP cancelled it", what, event)
		}
	}
	for _, s := range a.Statuses {
		last(s.At, s.Status)
		place := slices.Index(path, s.Status)
		switch {
		case place < 0:
			end = s.At
		case place <= rank:
			w.t.Errorf("%s: %s after %s", what, s.Status, path[rank])
		default:
			rank = place
		}
		if place != 3 {
			continue
		}
		for _, of := range q.test.results {
			if !of.optional && !slices.ContainsFunc(got[of.code], func(t taken) bool { return !t.at.After(s.At) }) {
				w.t.Errorf("%s: FULL_RESULTS_READY before %s was reported", what, of.code)
			}
		}
	}
	for _, r := range a.Reports {
		last(r.At, "a report")
	}
}

// leaves is how a version leaves; false: it is nothing that may leave.
func (r *labRow) leaves(v version) (text, unit string, ok bool) {
	if v.gone || v.value == "" || v.value == "see note" || v.value == "QNS" || v.value == "OVER" || r.code != r.of.result {
		return "", "", false
	}
	if v.unit == "mmol/L" && v.status != "X" {
		return "", "", false
	}
	if strings.HasPrefix(v.value, ".") {
		v.value = "0" + v.value
	}
	return v.value, r.of.unit, true
}

// shows is one stretch of time in which the LIMS showed an observation as released or withdrawn.
type shows struct {
	row      *labRow
	version  version
	text     string
	unit     string
	from, to time.Time
}

// shown returns what the LIMS showed of an observation that may leave.
func (w *virtual) shown(q *labRequest, of *labResult) []shows {
	var out []shows
	for _, r := range q.results {
		if r.of.code != of.code {
			continue
		}
		for i, v := range r.versions {
			to := time.Now()
			if i+1 < len(r.versions) {
				to = r.versions[i+1].at
			}
			if text, unit, ok := r.leaves(v); ok && (v.status == "A" || v.status == "X") {
				out = append(out, shows{r, v, text, unit, v.at, to})
			}
		}
	}
	return out
}

func (s shows) is(t taken) bool {
	return s.text == t.text && s.unit == t.unit && (s.version.status == "X") == t.withdrawn
}

// observation judges one observation: everything accepted was shown just then, no version follows
// itself, and what was shown long enough was accepted or is held.
func (w *virtual) observation(q *labRequest, of *labResult, got []taken, s *story, what string) {
	all := w.shown(q, of)
	for i, t := range got {
		twice := i > 0 && got[i-1].text == t.text && got[i-1].unit == t.unit && got[i-1].withdrawn == t.withdrawn
		if b := w.back; b != nil && twice && got[i-1].at.After(b.from.Add(-time.Minute)) && !got[i-1].at.After(b.to) && !t.at.Before(b.to) {
			twice = !b.hidden(q.id) // what no GET shows cannot be known after a rollback
		}
		if twice {
			w.t.Errorf("%s: accepted twice, at %s and %s", what, got[i-1].at, t.at)
		}
		if !slices.ContainsFunc(all, func(v shows) bool {
			return v.is(t) && !v.from.After(t.at) && v.to.After(t.at.Add(-staleness))
		}) {
			w.t.Errorf("%s: accepted at %s (withdrawn: %t) what the LIMS did not show then", what, t.at, t.withdrawn)
		}
	}
	at := func(when time.Time) (last taken, any bool) {
		for _, t := range got {
			if !t.at.After(when) {
				last, any = t, true
			}
		}
		return last, any
	}
	for _, v := range all {
		need := promptly
		if v.version.quiet {
			need = nightly
		}
		replaced := v.version.status == "X" && slices.ContainsFunc(all, func(o shows) bool {
			return o.row != v.row && o.version.status == "A" && o.from.Before(v.to) && o.to.After(v.from)
		})
		forgotten := w.back != nil && v.to.After(w.back.from) && v.from.Before(w.back.to)
		due, ok := s.deadline(v.from, v.to, need)
		if replaced || forgotten || !ok {
			continue
		}
		last, any := at(due)
		withdrawn := v.version.status == "X" && (!any || last.withdrawn) // before it went out, or as another row of it
		if any && v.is(last) || withdrawn {
			continue
		}
		if !s.excuses(q, of, v.from, due) {
			w.t.Errorf("%s: status %s from %s to %s, and at %s neither accepted nor held", what, v.version.status, v.from, v.to, due)
		}
	}
	w.ending(q, of, got, s, what)
}

// ending judges how the LIMS shows an observation at the end of the month.
func (w *virtual) ending(q *labRequest, of *labResult, got []taken, s *story, what string) {
	now := time.Now()
	excused := s.excuses(q, of, now.Add(-time.Second), now)
	var live []*labRow
	for _, r := range q.results {
		if r.of.code == of.code && r.code == of.result && !r.now().gone && r.now().status != "X" {
			live = append(live, r)
		}
	}
	if len(got) == 0 && len(live) == 1 {
		// A hold excuses only while it lasts: whatever it was, its end was followed by calm days.
		since := now.Add(-nightly)
		_, _, sound := live[0].leaves(live[0].now())
		if sound && live[0].now().status == "A" && live[0].now().at.Before(since) && !s.excuses(q, of, since, now) {
			w.t.Errorf("%s: released since %s, and at the end neither accepted nor held", what, live[0].now().at)
		}
	}
	if len(got) == 0 || excused {
		return
	}
	last := got[len(got)-1]
	if b := w.back; b != nil && last.at.After(b.from.Add(-time.Minute)) && !last.at.After(b.to) {
		return // that it was reported is forgotten, and nobody looks where nothing is to be sent
	}
	switch {
	case len(live) == 0 && !last.withdrawn:
		w.t.Errorf("%s: was reported, and the LIMS shows it no more, and nothing is held", what)
	case len(live) == 1 && live[0].now().status != "A" && now.Sub(live[0].now().at) > w.settings.PendingAfter+2*virtualDay:
		w.t.Errorf("%s: was reported and is pending again, and nothing is held", what)
	case len(live) == 1 && live[0].now().status == "A":
		if text, _, ok := live[0].leaves(live[0].now()); !ok || text != last.text {
			w.t.Errorf("%s: the LIMS shows another value than was reported, and nothing is held", what)
		}
	case len(live) > 1:
		w.t.Errorf("%s: two rows speak for it, and nothing is held", what)
	}
}

// complete: a request of which everything was reported has the status that says so.
func (w *virtual) complete(q *labRequest, a sandbox.Accepted, s *story, what string) {
	for _, o := range q.orders {
		if o.now().status != "A" || o.code == "NEW_TEST" {
			return
		}
	}
	for _, r := range q.results {
		if _, _, ok := r.leaves(r.now()); !ok || r.now().status != "A" {
			return
		}
	}
	// Of one that WHOOP cancelled before a refused status was tried again, the status is nobody's business.
	if a.BusinessStatus != "FULL_RESULTS_READY" && q.revoked.IsZero() && !s.touches(q) {
		w.t.Errorf("%s: everything was reported, and the status is %q", what, a.BusinessStatus)
	}
}

// deadline returns when so much time without outage, kill or stop has passed in one piece; false: not
// between these two instants.
func (s *story) deadline(from, to time.Time, need time.Duration) (time.Time, bool) {
	for _, x := range s.troubled {
		if x.from.Sub(from) >= need {
			break
		}
		if x.to.After(from) {
			from = x.to
		}
	}
	return from.Add(need), to.Sub(from) >= need
}

// justified: every hold has a reason in what the lab, WHOOP or the weather did.
func (w *virtual) justified(s *story) {
	requests := map[uuid.UUID][]*labRequest{}
	for _, q := range w.lab.requests {
		requests[q.requisition] = append(requests[q.requisition], q)
	}
	for _, h := range s.holds {
		ok := false
		for _, q := range requests[h.key.ID] {
			ok = ok || h.Request == q.id && q.mishaps[h.Kind] || h.Request == uuid.Nil && q.mishaps[h.Kind]
			switch h.Kind {
			case bridge.NotFound:
				ok = ok || w.weather.refused[q.requisition] > 0
			case bridge.Refused:
				ok = ok || h.Request == q.id && w.weather.refused[q.id] > 0 || w.weather.refused[q.requisition] > 0
			case bridge.Elsewhere:
				ok = ok || w.back != nil && h.Request == q.id && !w.back.hidden(q.id)
			case bridge.Doubt, bridge.ChangedInDoubt:
				ok = ok || h.Request == q.id && w.weather.unclear[q.id]+w.maybe[q.id] > 0
			}
		}
		if !ok {
			w.t.Errorf("held without reason: %s %s, service request %s, row %s", h.Kind, h.Detail, h.Request, h.Row)
		}
	}
	for _, q := range w.lab.requests {
		n, least, most := s.doubts[q.id], w.weather.unclear[q.id], w.weather.unclear[q.id]+w.maybe[q.id]
		if w.kills > 0 {
			least = 0 // what was unclear may have been interrupted as well
		}
		if n < least || n > most {
			w.t.Errorf("%s: %d reports in doubt, want %d to %d", q.id, n, least, most)
		}
	}
}
