package limstest

import (
	"time"
)

// event is one atomic step of the lab: row versions that appear together.
type event struct {
	at      time.Duration // since the lab's day began; for the past, negative and since Start
	gap     time.Duration // least distance to the life's step before it
	needs   []Mark        // what must have arrived at the far side
	samples []sample
	tests   []test
	results []result
}

// add appends the present versions of rows.
func (e *event) add(rows ...any) {
	for _, r := range rows {
		switch r := r.(type) {
		case *sample:
			e.samples = append(e.samples, *r)
		case *test:
			e.tests = append(e.tests, *r)
		case *result:
			e.results = append(e.results, *r)
		}
	}
}

// life is everything that happens to one requisition, in its order.
type life struct {
	events   []event
	next     int
	earliest time.Duration // of the next step, by its gap
}

// due returns when the next step's time comes.
func (f *life) due() time.Duration { return max(f.events[f.next].at, f.earliest) }

// take goes on to the next step, which is due by its gap after this one: also where this one is
// taken before its time, a life keeps its order.
func (f *life) take(elapsed time.Duration) {
	elapsed = max(elapsed, f.due())
	if f.next++; f.next < len(f.events) {
		f.earliest = elapsed + f.events[f.next].gap
	}
}
