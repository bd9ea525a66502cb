package limstest

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
)

// generator makes all lives of a lab.
type generator struct {
	*dice
	options   Options
	truth     Truth
	lives     []*life
	past      []event // before Options.Start
	number    int64   // the last sample, test or result number
	bad, none int     // how many texts of junk and noValue were used
}

func generate(o Options) *generator {
	g := &generator{dice: newDice(o.Seed), options: o, number: 1000}
	g.strangers()
	for _, k := range cast(o.Orders, o.Kinds, g.Rand) {
		g.requisition(k)
	}
	return g
}

func (g *generator) next() int64 {
	g.number++
	return g.number
}

// strangers are samples of the lab's other customers, which the views must not show.
func (g *generator) strangers() {
	for range 3 {
		e := event{at: -g.between(3*time.Minute, time.Hour)}
		s := &sample{number: g.next(), name: g.mark("stranger"), birth: g.birthDate(), status: "I"}
		t := &test{number: g.next(), sample: s.number, analysis: "LIPID", status: "A"}
		e.add(s, t, &result{number: g.next(), test: t.number, name: "CHOL", entry: "201." + g.digits(), units: "mg/dL", status: "A"})
		g.past = append(g.past, e)
	}
}

func (d *dice) between(low, high time.Duration) time.Duration {
	return low + time.Duration(d.Int64N(int64(high-low)+1)).Truncate(time.Millisecond)
}

// draft is one requisition while its life is written.
type draft struct {
	*generator
	req     Requisition
	orders  []*order
	events  []event
	now     time.Duration // of the last step
	samples []*sample
}

// order is what the lab makes of one service request: one or two LIMS tests and their results.
type order struct {
	def    Test
	truth  int // index into Requisition.Requests; -1: WHOOP did not order it
	sample *sample
	tests  []*test
	rows   []*line
	// release says how results are verified.
	release release
	again   *line // is withdrawn before its release, and measured again
}

// release is how a lab verifies results.
type release int

const (
	byRow  release = iota // each result, and at last the test
	byTest                // the test alone
	never
)

// line is a result row with what is to become of it.
type line struct {
	result
	def    Result
	value  reading
	end    string // the status when the lab is done with it: A, or what the peculiar thing is
	kept   bool   // by itself no version leaves: held, ignored, not measurable
	spoils bool   // and because of it the service request is not complete
}

// order adds a service request to the draft, with an ordinary row for each observation.
func (d *draft) order(def Test, s *sample, asked bool) *order {
	o := &order{def: def, sample: s, truth: -1}
	if asked {
		o.truth = len(d.req.Requests)
		d.req.Requests = append(d.req.Requests, Request{ID: d.uuid(), Code: def.Code})
	}
	for _, code := range def.LIMS {
		o.tests = append(o.tests, &test{number: d.next(), sample: s.number, analysis: code, status: "I"})
	}
	for _, r := range def.Results {
		o.rows = append(o.rows, d.line(o, r))
	}
	d.orders = append(d.orders, o)
	return o
}

func (d *draft) line(o *order, def Result) *line {
	l := &line{def: def, value: d.reading(def), end: "A"}
	l.result = result{number: d.next(), test: o.tests[def.of].number, name: def.LIMS, entry: l.value.entry, units: d.spelling(def), status: "N"}
	return l
}

func (d *draft) sample() *sample {
	s := &sample{
		number: d.next(), link: d.req.Written, status: "U", birth: d.req.Patient.BirthDate,
		name: d.req.Patient.FirstName + " " + d.req.Patient.LastName,
	}
	d.samples = append(d.samples, s)
	return s
}

// set gives a line another value.
func (l *line) set(r reading) { l.value, l.entry = r, r.entry }

// spoil makes a line one that is held.
func (l *line) spoil() { l.kept, l.spoils = true, true }

// step appends a step of the life, after a pause, with the present versions of the rows.
func (d *draft) step(pause time.Duration, rows ...any) *event {
	d.now += pause
	return d.at(d.now, rows...)
}

func (d *draft) at(at time.Duration, rows ...any) *event {
	e := event{at: at}
	e.add(rows...)
	d.events = append(d.events, e)
	return &d.events[len(d.events)-1]
}

// after appends a step that builds on what the far side has accepted.
func (d *draft) after(m Mark, rows ...any) {
	e := d.step(d.options.CorrectionGap+d.between(0, 100*time.Millisecond), rows...)
	e.gap, e.needs = d.options.CorrectionGap, []Mark{m}
}

// pause is the time between two steps of ordinary work: a demo's day has eight seconds.
func (d *draft) pause() time.Duration {
	return d.between(0, d.options.For/20)
}

// lines returns the rows of lines for a step.
func rows(lines ...*line) []any {
	var out []any
	for _, l := range lines {
		out = append(out, &l.result)
	}
	return out
}

// accept writes the orders down, and collect takes their samples.
func (d *draft) accept() {
	var all []any
	for _, s := range d.samples {
		all = append(all, s)
	}
	for _, o := range d.orders {
		for _, t := range o.tests {
			all = append(all, t)
		}
	}
	d.step(0, all...)
}

func (d *draft) collect(s *sample) {
	s.status = "I"
	d.step(d.pause(), s)
}

// work enters and verifies all results of an order, beginning now; it does not move d.now, so
// that orders are worked on side by side. It returns when it is done.
func (d *draft) work(o *order) time.Duration {
	done := d.now
	for i, t := range o.tests {
		now := d.enter(o, i, d.now)
		if l := o.again; l != nil && l.test == t.number {
			twin := d.line(o, l.def)
			l.status, twin.status = "X", "E"
			o.rows = append(o.rows, twin)
			now += d.pause()
			d.at(now, &l.result, &twin.result)
		}
		switch o.release {
		case byRow:
			now = d.verify(o, i, now)
		case byTest:
			now += d.pause()
			t.status = "A"
			d.at(now, t)
		case never:
		}
		done = max(done, now)
	}
	return done
}

// enter creates the rows of one LIMS test: all at once with their values, or empty at first.
func (d *draft) enter(o *order, i int, now time.Duration) time.Duration {
	lines := o.of(i)
	now += d.pause()
	if d.IntN(3) == 0 {
		for _, l := range lines {
			l.entry = ""
		}
		d.at(now, rows(lines...)...)
		now += d.pause()
	}
	for _, l := range lines {
		l.entry, l.status = l.value.entry, "E"
	}
	o.tests[i].status = "C"
	d.at(now, append(rows(lines...), o.tests[i])...)
	return now
}

// verify releases the rows of one LIMS test in one or two batches; rows for one observation go
// together. The last batch completes the test.
func (d *draft) verify(o *order, i int, now time.Duration) time.Duration {
	lines, t := o.of(i), o.tests[i]
	var names []string
	for _, l := range lines {
		if !slices.Contains(names, l.name) {
			names = append(names, l.name)
		}
	}
	cut := len(names)
	if len(names) > 1 && d.IntN(2) == 0 {
		cut = 1 + d.IntN(len(names)-1)
	}
	var first, second []*line
	for _, l := range lines {
		l.status = l.end
		if slices.Index(names, l.name) < cut {
			first = append(first, l)
		} else {
			second = append(second, l)
		}
	}
	now += d.pause()
	if len(second) > 0 {
		t.status = "P"
		d.at(now, append(rows(first...), t)...)
		now += d.between(0, d.options.For/8)
		first = second
	}
	t.status = "A"
	d.at(now, append(rows(first...), t)...)
	return now
}

// of returns the lines of the i-th LIMS test.
func (o *order) of(i int) []*line {
	var out []*line
	for _, l := range o.rows {
		if l.test == o.tests[i].number {
			out = append(out, l)
		}
	}
	return out
}

// request returns the truth of an order.
func (d *draft) request(o *order) *Request {
	if o.truth < 0 {
		return new(Request) // WHOOP did not order it: written, and forgotten
	}
	return &d.req.Requests[o.truth]
}

// expect writes the truth of an order that was worked on.
func (d *draft) expect(o *order) {
	q := d.request(o)
	complete := true
	for _, l := range o.rows {
		complete = complete && !l.spoils
		if !l.kept {
			d.version(o, l, "final", "")
		}
	}
	switch {
	case len(q.Observations) == 0:
		q.Status = statusAttended
	case complete:
		q.Status, q.Report = statusFull, "final"
	default:
		q.Status, q.Report = statusPartial, "partial"
	}
}

// version adds the line's present value to the versions that must be accepted.
func (d *draft) version(o *order, l *line, status, report string) {
	q := d.request(o)
	i := slices.IndexFunc(q.Observations, func(x Observation) bool { return x.Code == l.def.Code })
	if i < 0 {
		i = len(q.Observations)
		q.Observations = append(q.Observations, Observation{Code: l.def.Code})
	}
	unit := l.def.Unit
	if unit == "" {
		unit = l.units
	}
	q.Observations[i].Versions = append(q.Observations[i].Versions, Version{
		Entry: l.value.entry, Value: l.value.literal(), Numeric: !l.value.text, Unit: unit,
		Status: status, Report: report, Row: id(l.number),
	})
}

// arrived is the mark that all versions of a line's observation so far were accepted.
func (d *draft) arrived(o *order, l *line) Mark {
	q := d.request(o)
	for _, x := range q.Observations {
		if x.Code == l.def.Code {
			return Mark{ServiceRequest: q.ID, Code: x.Code, Versions: len(x.Versions)}
		}
	}
	panic("limstest: no version of " + l.def.Code + " yet")
}

func (d *draft) reached(o *order, status string) Mark {
	return Mark{ServiceRequest: d.request(o).ID, Status: status}
}

// hold expects a hold; the rows are *test for the orders view and *line for the results view.
func (d *draft) hold(kind string, o *order, about ...any) {
	h := Hold{Kind: kind, Requisition: d.req.ID}
	if o != nil && o.truth >= 0 {
		h.Request = d.request(o).ID
	}
	for _, a := range about {
		switch a := a.(type) {
		case *test:
			h.Rows = append(h.Rows, Ref{"orders", id(a.number)})
		case *line:
			h.Rows = append(h.Rows, Ref{"results", id(a.number)})
		case *order:
			for _, t := range a.tests {
				h.Rows = append(h.Rows, Ref{"orders", id(t.number)})
			}
			for _, l := range a.rows {
				h.Rows = append(h.Rows, Ref{"results", id(l.number)})
			}
		}
	}
	d.req.Holds = append(d.req.Holds, h)
}

// finish puts the life into the lab's day.
func (d *draft) finish() {
	slices.SortStableFunc(d.events, func(a, b event) int { return cmp.Compare(a.at, b.at) })
	length := d.events[len(d.events)-1].at
	start := d.between(0, max(0, d.options.For-length))
	for i := range d.events {
		// Instruments upload in batches: several results carry one stamp.
		d.events[i].at = (d.events[i].at + start).Round(20 * time.Millisecond)
	}
	d.lives = append(d.lives, &life{events: d.events})
}

// written returns a requisition id as LIMS write it.
func (d *dice) written(id uuid.UUID) string {
	if d.IntN(4) == 0 {
		return strings.ToUpper(id.String())
	}
	return id.String()
}
