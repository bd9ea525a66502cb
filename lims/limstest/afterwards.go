package limstest

import (
	"time"
)

// afterwards writes what happens to a result after it was reported.
func (d *draft) afterwards(k Kind, o *order) {
	sent := func() *line { return d.target(o, func(l *line) bool { return !l.kept }) }
	switch k {
	case Corrected:
		l := sent()
		d.correct(o, l, d.other(l.def, l.value))
	case BackAndForth:
		l := sent()
		a := l.value
		d.correct(o, l, d.other(l.def, a))
		d.correct(o, l, a)
	case ReopenedSame, ReopenedChanged:
		l := sent()
		was, t := l.value, o.tests[l.def.of]
		l.status, t.status = "E", "P"
		if k == ReopenedChanged {
			l.set(d.other(l.def, was))
		}
		d.after(d.arrived(o, l), &l.result, t)
		l.status, t.status = "A", "A"
		d.step(d.pause(), &l.result, t)
		if k == ReopenedChanged {
			d.version(o, l, "corrected", "corrected")
		}
	case ReplacedSame, ReplacedChanged:
		l := sent()
		twin := d.line(o, l.def)
		twin.units = l.units
		if k == ReplacedSame {
			twin.set(l.value)
		} else {
			twin.set(d.other(l.def, l.value))
		}
		l.status, twin.status = "X", "A"
		d.after(d.arrived(o, l), &l.result, &twin.result)
		if k == ReplacedChanged {
			d.version(o, twin, "corrected", "corrected")
		}
	case WithdrawnAfter:
		l := sent()
		l.status = "X"
		d.after(d.arrived(o, l), &l.result)
		d.version(o, l, "entered-in-error", "corrected")
	case Amended:
		l := d.target(o, func(l *line) bool { return l.def.Optional })
		l.set(d.reading(l.def))
		l.status = "A"
		d.after(d.reached(o, statusFull), &l.result)
		d.version(o, l, "final", "amended")
	}
}

// correct changes a released value, without a detour.
func (d *draft) correct(o *order, l *line, to reading) {
	before := d.arrived(o, l)
	l.set(to)
	d.after(before, &l.result)
	d.version(o, l, "corrected", "corrected")
}

// silence takes out of the truth what must not leave, although the lab did its work, and expects
// the holds for it.
func (d *draft) silence(k Kind, o *order) {
	quiet := func(status string, requests ...Request) {
		for i := range d.req.Requests {
			for _, q := range requests {
				if d.req.Requests[i].ID == q.ID {
					q.Status, q.Reason, q.Report, q.Observations = status, "", "", nil
					d.req.Requests[i] = q
				}
			}
		}
	}
	var all []any
	for _, x := range d.orders {
		all = append(all, x)
	}
	switch k {
	case BeforeStart:
		quiet("", d.req.Requests...)
	case NotFound:
		quiet("", d.req.Requests...)
		d.hold(holdNotFound, nil, all...)
	case OtherPatient:
		quiet("", d.req.Requests...)
		d.hold(holdOtherPatient, nil, all...)
	case BadID: // nothing ties these rows together, so each is a matter of its own
		quiet("", d.req.Requests...)
		for _, t := range o.tests {
			d.hold(holdBadID, nil, t)
		}
		for _, l := range o.rows {
			d.hold(holdBadID, nil, l)
		}
	case RevokedReleased:
		quiet("", *d.request(o))
		d.hold(holdAfterEnd, o, o)
	case NoOrder:
		quiet("", *d.request(o))
		for _, l := range o.rows {
			all = append(all, l)
		}
		d.hold(holdNoOrder, o, all[len(d.orders):]...)
	case TwoRequests:
		quiet("", *d.request(o))
		d.hold(holdTwoRequests, nil, o)
	case ReportedElsewhere:
		quiet(statusConfirmed, d.req.Requests...)
		d.hold(holdElsewhere, nil, all...)
	}
}

// bury moves the life into the past, to its end two minutes to three hours before Options.Start.
func (d *draft) bury() {
	shift := -d.now - d.between(2*time.Minute, 3*time.Hour) - d.options.For
	for _, e := range d.events {
		e.at += shift
		d.past = append(d.past, e)
	}
}
