package limstest

// strays reports whether the sample of the peculiar service request goes another way than to be
// collected and worked on.
func strays(k Kind) bool {
	switch k {
	case NoShow, OrderRejected, ReleasedAfterNoShow, Revoked, SampleNotMeasurable, Contradiction, UnknownOrderStatus:
		return true
	}
	return false
}

// stray writes that other way, and its truth.
func (d *draft) stray(k Kind, o *order) {
	s := o.sample
	switch k {
	case NoShow:
		d.fail(s, "N", "Patient did not appear", statusNoShow)
	case OrderRejected:
		d.fail(s, "X", "Duplicate order", statusOrder)
	case ReleasedAfterNoShow:
		d.fail(s, "N", "Patient did not appear", statusNoShow)
		s.status = "I"
		d.after(d.reached(o, statusNoShow), s)
		d.now = d.work(o)
		d.hold(holdAfterEnd, o, o)
	case SampleNotMeasurable:
		d.collect(s)
		s.status, s.reason = "R", "Tube broken"
		d.after(d.reached(o, statusAttended), s)
		d.request(o).Status = statusAttended
		d.hold(holdNotMeasurable, o, o)
	case UnknownOrderStatus:
		s.status = "I"
		rows := []any{s}
		for _, t := range o.tests {
			t.status = "V"
			rows = append(rows, t)
		}
		d.hold(holdUnknownStatus, o, o)
		d.after(d.reached(o, statusConfirmed), rows...)
		d.request(o).Status = statusConfirmed
	case Contradiction:
		d.collect(s)
		d.now = d.enter(o, 0, d.now)
		l := d.target(o, nil)
		l.status = "A"
		d.step(d.pause(), &l.result)
		d.version(o, l, "final", "")
		s.status, s.reason = "X", "Sample mixed up"
		d.after(d.reached(o, statusPartial), s)
		q := d.request(o)
		q.Status, q.Report = statusPartial, "partial"
		d.hold(holdContradiction, o, o)
	}
}

// fail gives a sample a status that is an issue of all orders on it.
func (d *draft) fail(s *sample, word, reason, status string) {
	s.status, s.reason = word, reason
	d.step(d.pause(), s)
	for _, o := range d.orders {
		if o.sample == s {
			q := d.request(o)
			q.Status, q.Reason = status, reason
		}
	}
}
