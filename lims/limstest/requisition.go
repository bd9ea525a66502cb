package limstest

import (
	"slices"
	"strconv"
)

func id(number int64) string { return strconv.FormatInt(number, 10) }

// requisition writes the life and the truth of one requisition of that kind.
func (g *generator) requisition(k Kind) {
	d := &draft{generator: g}
	d.req = Requisition{Kind: k, ID: g.uuid(), Patient: g.patient()}
	d.req.Written = g.written(d.req.ID)
	switch k {
	case BadID: // a digit was lost on the way
		d.req.Written = d.req.Written[:35]
	case NotFound:
		d.req.Unknown = true
	}

	shared := d.sample()
	if k == OtherPatient {
		for shared.birth == d.req.Patient.BirthDate {
			shared.birth = g.birthDate()
		}
	}
	all := slices.DeleteFunc(g.tests(catalog(), 9), func(t Test) bool { return !suits(k, t) })
	o := d.order(all[0], d.own(k, shared), true)
	for _, t := range g.tests(slices.DeleteFunc(catalog(), func(t Test) bool { return t.Code == o.def.Code }), g.companions(k)) {
		d.order(t, shared, true)
	}
	d.peculiar(k, o)
	d.accept()
	astray := strays(k)
	for _, s := range d.samples {
		if !astray || s != o.sample {
			d.collect(s)
		}
	}
	done := d.now
	for _, x := range d.orders {
		if !astray || x.sample != o.sample {
			done = max(done, d.work(x))
			d.expect(x)
		}
	}
	d.now = done
	if astray {
		d.stray(k, o)
	} else {
		d.afterwards(k, o)
	}
	if d.IntN(3) == 0 { // a late touch of the sample: the stamps move, nothing else
		d.step(d.pause(), shared)
	}
	d.silence(k, o)
	if k == BeforeStart {
		d.bury()
	} else {
		d.finish()
	}
	g.truth.Requisitions = append(g.truth.Requisitions, d.req)
}

// companions returns how many ordinary service requests the peculiar one has beside it.
func (g *generator) companions(k Kind) int {
	switch k {
	case ReportedElsewhere, BadID:
		return 0
	}
	return g.IntN(3)
}

// suits reports whether a test can play the part that the kind needs.
func suits(k Kind, t Test) bool {
	numbers := slices.ContainsFunc(t.Results, func(r Result) bool { return r.high > 0 })
	unit := slices.ContainsFunc(t.Results, func(r Result) bool { return r.Unit != "" })
	switch k {
	case Amended, OptionalNotMeasurable:
		return t.Code == "LIPID_PANEL"
	case UnknownUnit:
		return unit
	case Contradiction:
		return len(t.Results) > 1 && len(t.LIMS) == 1
	case BackAndForth, Corrected:
		return numbers
	}
	return true
}

// own returns the sample of the peculiar service request: one of its own where something happens
// to the sample that must not happen to the others.
func (d *draft) own(k Kind, shared *sample) *sample {
	switch k {
	case OrderRejected, ReleasedAfterNoShow, Revoked, SampleNotMeasurable, Contradiction, UnknownOrderStatus:
		return d.sample()
	case NoShow: // of one appointment of two, or of the only one
		if d.IntN(2) == 0 {
			return d.sample()
		}
	}
	return shared
}

// target returns a line of the order, any that satisfies the condition.
func (d *draft) target(o *order, is func(*line) bool) *line {
	var may []*line
	for _, l := range o.rows {
		if is == nil || is(l) {
			may = append(may, l)
		}
	}
	return may[d.IntN(len(may))]
}

// peculiar changes rows of the order before it is worked on.
func (d *draft) peculiar(k Kind, o *order) {
	required := func(l *line) bool { return !l.def.Optional }
	switch k {
	case IgnoredRows:
		for _, name := range []string{"HEM_INDEX", "LIPEMIA"} {
			l := d.line(o, Result{LIMS: name, low: 0, high: 3})
			l.kept = true
			o.rows = append(o.rows, l)
		}
	case HiddenRows:
		l := d.line(o, d.target(o, nil).def)
		l.hidden, l.kept = true, true
		o.rows = append(o.rows, l)
	case OptionalNotMeasurable, Amended:
		l := d.target(o, func(l *line) bool { return l.def.Optional })
		l.end, l.kept = "R", true
		l.set(reading{})
	case RequiredNotMeasurable:
		l := d.target(o, required)
		l.spoil()
		if l.end = "R"; d.none%2 == 0 { // labs say it with the status, or with the text
			l.end = "A"
		}
		l.set(reading{noValue[d.none%len(noValue)], true})
		d.none++
		d.hold(holdNotMeasurable, o, l)
	case UnknownResultCode:
		l := d.line(o, Result{LIMS: "NONHDL_CALC", low: 90, high: 200})
		l.spoil()
		o.rows = append(o.rows, l)
		d.hold(holdUnknownResultCode, o, l)
	case UnknownResultStatus:
		l := d.target(o, required)
		l.end = "Q"
		l.spoil()
		d.hold(holdUnknownStatus, o, l)
	case UnknownUnit:
		l := d.target(o, func(l *line) bool { return l.def.Unit != "" })
		l.units = "drops/L"
		l.spoil()
		d.hold(holdUnknownUnit, o, l)
	case BadValue:
		l := d.target(o, required)
		text := junk[d.bad%len(junk)]
		if d.bad++; text == "See note" {
			text += " " + d.mark("note")
		}
		l.set(reading{text, true})
		l.spoil()
		d.hold(holdBadValue, o, l)
	case TwoRows:
		l := d.target(o, required)
		twin := d.line(o, l.def)
		twin.set(d.other(l.def, l.value))
		o.rows = append(o.rows, twin)
		l.spoil()
		twin.spoil()
		d.hold(holdTwoRows, o, l, twin)
	case NoOrder:
		for _, t := range o.tests {
			t.hidden = true
		}
	case Rerun:
		o.again = d.target(o, required)
		o.again.end, o.again.kept = "X", true
	case ParentRelease:
		o.release = byTest
	case Unverified:
		o.release = never
		for _, l := range o.rows {
			l.spoil()
		}
	case UnknownOrderCode:
		x := d.order(Test{LIMS: []string{"ZZ_NEW"}, Results: []Result{{LIMS: "ZZ_NEW", low: 1, high: 9}}}, o.sample, false)
		d.hold(holdUnknownOrderCode, nil, x)
	case NotOrdered:
		free := slices.DeleteFunc(d.tests(catalog(), 9), func(t Test) bool {
			return slices.ContainsFunc(d.orders, func(o *order) bool { return o.def.Code == t.Code })
		})
		x := d.order(free[0], o.sample, false)
		d.hold(holdNotOrdered, nil, x)
	case TwoRequests:
		d.req.Requests = append(d.req.Requests, Request{ID: d.uuid(), Code: o.def.Code})
	case Revoked, RevokedReleased:
		d.request(o).Revoked = true
	case ReportedElsewhere:
		d.request(o).Initial = statusConfirmed
	}
}
