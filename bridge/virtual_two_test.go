package bridge_test

import (
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"

	"limsbridge/bridge"
	"limsbridge/bridge/ledger"
	"limsbridge/whoop"
)

// A second installation on the same credentials, each with a ledger of its own: whatever one reports,
// the other reports as well, unless it notices. It can notice by what a look shows and by quota
// headers. Documented is what neither shows: a report whose status was not yet set when the other
// looked, at most ten minutes before its own first report of that request.

// twin is what one of the two installations did, by its journal.
type twin struct {
	looks   map[uuid.UUID][]time.Time // answered ones, by requisition
	reports map[uuid.UUID][]time.Time // intents, by service request
	stopped time.Time
}

func (w *virtual) twin(i *installation) twin {
	w.t.Helper()
	t := twin{looks: map[uuid.UUID][]time.Time{}, reports: map[uuid.UUID][]time.Time{}}
	err := ledger.ReadJournal(i.dir, func(e bridge.Event) error {
		switch {
		case e.Kind == bridge.LookEvent && e.Outcome == whoop.Sent && e.Key != nil:
			t.looks[e.Key.ID] = append(t.looks[e.Key.ID], e.At)
		case e.Kind == bridge.IntentEvent && e.Action == bridge.SubmitReport:
			t.reports[e.Requests[0]] = append(t.reports[e.Requests[0]], e.At)
		case e.Kind == bridge.StopEvent && e.Detail == bridge.ForeignStop && t.stopped.IsZero():
			t.stopped = e.At
		}
		return nil
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return t
}

// reported finds the report that was accepted at an instant: its intent came just before.
func (t twin) reported(id uuid.UUID, at time.Time) bool {
	return slices.ContainsFunc(t.reports[id], func(begun time.Time) bool {
		return !begun.After(at) && at.Sub(begun) < time.Minute
	})
}

// judgeTwo judges a month with two installations, in which nobody resumes anything.
func (w *virtual) judgeTwo(a, b *installation) {
	w.t.Helper()
	twins := []twin{w.twin(a), w.twin(b)}
	duplicates, longest := 0, time.Duration(0)
	for _, q := range w.lab.requests {
		accepted, _ := w.api.AcceptedFor(q.id)
		what := fmt.Sprintf("%s of %s", q.test.code, q.requisition)
		last := map[string]taken{}
		for _, r := range accepted.Reports {
			for _, o := range r.Observations {
				t := taken{r.At, o.Numeric + o.Text, o.Unit, o.Status == "entered-in-error"}
				before, known := last[o.Code]
				last[o.Code] = t
				if !known || before.text != t.text || before.unit != t.unit || before.withdrawn != t.withdrawn {
					continue
				}
				duplicates++
				// Who reported it again had last looked before the first report's status was set, or it
				// was never set.
				looked := time.Time{}
				first := false // it had reported nothing of the request before
				for _, x := range twins {
					if !x.reported(q.id, t.at) {
						continue
					}
					first = first || !slices.ContainsFunc(x.reports[q.id], func(begun time.Time) bool { return begun.Before(t.at.Add(-time.Minute)) })
					for _, l := range x.looks[q.requisition] {
						if !l.After(t.at) && l.After(looked) {
							looked = l
						}
					}
				}
				longest = max(longest, t.at.Sub(looked))
				if first && t.at.Sub(looked) > w.settings.LookForReport+time.Minute {
					w.t.Errorf("%s %s: reported at %s and again at %s, and the last look was at %s", what, o.Code, before.at, t.at, looked)
				}
				for _, s := range accepted.Statuses {
					if rank := whoop.BusinessStatus(s.Status).Rank(); rank >= 3 && s.At.After(before.at.Add(-time.Minute)) && s.At.Before(looked) {
						w.t.Errorf("%s %s: reported at %s and again at %s, although a look at %s showed %s", what, o.Code, before.at, t.at, looked, s.Status)
					}
				}
			}
		}
	}
	for i, x := range twins {
		for id, all := range x.reports {
			for _, at := range all {
				if !x.stopped.IsZero() && at.After(x.stopped.Add(time.Minute)) {
					w.t.Errorf("installation %d reports for %s after it stopped", i, id)
				}
			}
		}
	}
	if twins[0].stopped.IsZero() && twins[1].stopped.IsZero() {
		w.t.Error("neither installation noticed the other")
	}
	counts := w.api.Counts()
	if counts.Duplicates != duplicates {
		w.t.Errorf("%d duplicates by the API's count, %d by ours", counts.Duplicates, duplicates)
	}
	w.t.Logf("seed %d: two installations, %s headers; %d reports, %d of %d observations twice, at most %s after a look; stopped at %s and %s",
		w.seed, map[bool]string{true: "with", false: "without"}[w.headers], counts.Reports, duplicates, counts.Observations, longest, twins[0].stopped.Format(time.DateTime), twins[1].stopped.Format(time.DateTime))
}
