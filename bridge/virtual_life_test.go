package bridge_test

import (
	"fmt"
	"time"

	"limsbridge/bridge"
	"limsbridge/whoop/sandbox"
)

// requisitions plans so many lives that begin between two instants, and orders them at WHOOP.
func (l *lab) requisitions(api *sandbox.Server, n int, from, to time.Time) {
	begin := from
	for i := range n {
		if !l.dice.chance(30) || i == 0 { // the others arrive with the one before, in a burst
			begin = from.Add(l.dice.between(0, to.Sub(from)))
		}
		q := sandbox.Requisition{ID: l.dice.id()}
		first, count := l.dice.IntN(len(labTests)), 1+l.dice.IntN(len(labTests))
		for k := range count {
			q.ServiceRequests = append(q.ServiceRequests, sandbox.Order{ID: l.dice.id(), Code: labTests[(first+k)%len(labTests)].code})
		}
		if _, err := api.AddRequisition(q); err != nil {
			l.t.Fatal(err)
		}
		for k, s := range q.ServiceRequests {
			r := &labRequest{requisition: q.ID, id: s.ID, test: labTests[(first+k)%len(labTests)], mishaps: map[bridge.HoldKind]bool{}}
			l.requests = append(l.requests, r)
			l.life(api, r, begin.Add(l.dice.between(0, time.Minute)))
		}
	}
}

// row adds a row to a request; nothing is written yet.
func (q *labRequest) row(table, code string, of *labResult, n int) *labRow {
	r := &labRow{q: q, table: table, code: code, of: of, id: fmt.Sprintf("%s-%s-%d", q.id.String()[:13], code, n)}
	if table == "orders" {
		q.orders = append(q.orders, r)
	} else {
		q.results = append(q.results, r)
	}
	return r
}

func (q *labRequest) may(kinds ...bridge.HoldKind) {
	for _, k := range kinds {
		q.mishaps[k] = true
	}
}

// life plans everything that happens to one service request.
func (l *lab) life(api *sandbox.Server, q *labRequest, at time.Time) {
	d := l.dice
	all := func(at time.Time, status string) {
		var w []write
		for _, o := range q.orders {
			w = append(w, write{row: o, to: version{status: status}, stamp: l.stamping()})
		}
		l.write(at, w...)
	}
	for _, code := range q.test.lims {
		q.row("orders", code, nil, 0)
	}
	all(at, "U")
	if d.chance(6) {
		l.revoke(api, q, at.Add(d.between(time.Minute, 12*24*time.Hour)))
	}
	at = at.Add(d.between(time.Minute, 30*time.Hour))
	if d.chance(8) {
		all(at, []string{"N", "X"}[d.IntN(2)])
		q.may(bridge.Contradiction) // while only some of its rows show it
		if d.chance(70) {
			return
		}
		at = at.Add(d.between(time.Minute, 48*time.Hour)) // and yet the sample comes
		q.may(bridge.Contradiction, bridge.AfterEnd)
	}
	all(at, "C")
	if d.chance(4) {
		stray := q.row("orders", q.test.lims[0], nil, 1)
		stray.code = "NEW_TEST"
		l.write(at, write{row: stray, to: version{status: "C"}})
		q.may(bridge.UnknownOrderCode)
	}

	var rows []*labRow
	var entered []write
	at = at.Add(d.between(time.Minute, 40*time.Hour))
	for i := range q.test.results {
		of := &q.test.results[i]
		r := q.row("results", of.result, of, 0)
		rows = append(rows, r)
		w := write{row: r, to: version{status: "N"}}
		if d.chance(50) { // entered, not verified: must not leave
			w.to.value = l.value()
		}
		entered = append(entered, w)
	}
	l.write(at, entered...)
	l.release(q, rows, at.Add(d.between(time.Minute, 10*time.Hour)))
}

func (l *lab) stamping() stamping {
	switch {
	case l.dice.chance(6):
		return late
	case l.dice.chance(1):
		return veryLate
	}
	return onTime
}

// release plans how the results of a request become released, and what happens to each of them
// afterwards.
func (l *lab) release(q *labRequest, rows []*labRow, at time.Time) {
	d := l.dice
	together, parent := d.chance(50), d.chance(20)
	var batch []write
	last := at
	for _, r := range rows {
		if !together {
			last = last.Add(d.between(time.Minute, 20*time.Hour))
		}
		w := write{row: r, to: l.released(r), stamp: l.stamping()}
		switch {
		case d.chance(1):
			w.stamp = null
		case together && parent:
			w.stamp = withParent
		}
		after := last
		switch {
		case d.chance(6):
			after = last.Add(d.between(time.Minute, 90*time.Hour))
			if w.stamp == withParent {
				w.stamp = onTime
			}
			l.mishap(q, w, last, after)
		case together:
			batch = append(batch, w)
		default:
			l.write(last, w)
		}
		l.afterwards(q, r, w.to, after)
	}
	for _, o := range q.orders {
		batch = append(batch, write{row: o, to: version{status: "A"}})
	}
	l.write(last, batch...)
	if d.chance(3) {
		at := last.Add(d.between(time.Minute, 5*24*time.Hour))
		l.write(at, write{row: q.orders[0], to: version{status: []string{"X", "N"}[d.IntN(2)]}})
		q.may(bridge.Contradiction, bridge.AfterEnd)
		if d.chance(50) {
			l.write(at.Add(d.between(time.Minute, 48*time.Hour)), write{row: q.orders[0], to: version{status: "A"}})
		}
	}
}

func (l *lab) released(r *labRow) version {
	return version{status: "A", value: l.value(), unit: r.of.units[l.dice.IntN(len(r.of.units))]}
}

// mishap releases a result wrongly first, and mends it later, mostly.
func (l *lab) mishap(q *labRequest, w write, at, mended time.Time) {
	wrong := w
	switch l.dice.IntN(5) {
	case 0:
		wrong.to.value = "see note"
		q.may(bridge.InvalidValue)
	case 1:
		wrong.to.status = "Z"
		q.may(bridge.UnknownStatus)
	case 2:
		if wrong.to.unit = "mmol/L"; w.row.of.unit == "%" {
			wrong.to.unit, wrong.to.value = "%", "OVER" // its own unit leaves, whatever it is
			q.may(bridge.InvalidValue)
		}
		q.may(bridge.UnknownUnit)
	case 3:
		wrong.to.value = "QNS"
		q.may(bridge.NotMeasurable)
	case 4:
		stray := q.row("results", w.row.code, w.row.of, 9)
		stray.code = "NEW_RESULT"
		l.write(at, write{row: stray, to: wrong.to})
		q.may(bridge.UnknownResultCode)
	}
	l.write(at, wrong)
	if l.dice.chance(75) {
		l.write(mended, w)
	}
}

// afterwards plans corrections of one result, and other things that happen to released ones.
func (l *lab) afterwards(q *labRequest, r *labRow, shown version, at time.Time) {
	d := l.dice
	before := shown
	for d.chance(22) {
		at = at.Add(l.pause())
		w := write{row: r, to: shown, stamp: l.stamping()}
		if w.to.status = "A"; w.to.value == "" {
			w.to = l.released(r)
		}
		switch d.IntN(12) {
		case 0, 1, 2, 3: // another value
			w.to = l.released(r)
		case 4, 5: // and back
			if before.value != "" {
				w.to.value, w.to.unit = before.value, before.unit
			}
		case 6: // withdrawn, and perhaps released again
			w.to.status = "X"
			q.may(bridge.Contradiction)
		case 7:
			w.to.status, w.to.value = "X", ""
			q.may(bridge.NoValue)
		case 8: // pending again
			w.to.status = "N"
			q.may(bridge.PendingAgain)
		case 9: // not told by any stamp
			w.to = l.released(r)
			w.stamp = unchanged
		case 10: // the row vanishes
			l.write(at, write{row: r, to: version{gone: true}})
			q.may(bridge.Gone)
			return
		case 11: // a new row takes its place
			twin := q.row("results", r.code, r.of, len(q.results)+1)
			to := shown
			if to.status = "A"; to.value == "" || d.chance(50) {
				to = l.released(r)
			}
			out := version{status: "X", value: shown.value, unit: shown.unit}
			if d.chance(30) {
				out = version{gone: true}
			}
			l.write(at, write{row: r, to: out}, write{row: twin, to: to})
			q.may(bridge.Gone, bridge.TwoRows)
			r, w.to = twin, to
			before, shown = shown, w.to
			continue
		}
		l.write(at, w)
		before, shown = shown, w.to
	}
}

// pause is how long a released result stays as it is: minutes, hours or days.
func (l *lab) pause() time.Duration {
	switch l.dice.IntN(3) {
	case 0:
		return l.dice.between(time.Second, 40*time.Minute)
	case 1:
		return l.dice.between(time.Hour, 20*time.Hour)
	}
	return l.dice.between(24*time.Hour, 6*24*time.Hour)
}

// revoke lets WHOOP cancel a service request.
func (l *lab) revoke(api *sandbox.Server, q *labRequest, at time.Time) {
	q.may(bridge.AfterEnd, bridge.Refused)
	l.agenda.add(at, func() {
		q.revoked = time.Now()
		if err := api.Revoke(q.id); err != nil {
			l.t.Error(err)
		}
	})
}

// nightShift releases results around the instant at which the clocks change: in autumn their stamps
// occur twice, and the second time they lie before what was read already.
func (l *lab) nightShift(api *sandbox.Server, from, to time.Time) {
	_, change := from.In(l.zone).ZoneBounds()
	if change.IsZero() || change.After(to) {
		return
	}
	test := labTests[len(labTests)-1]
	for range 10 {
		o := sandbox.Requisition{ID: l.dice.id(), ServiceRequests: []sandbox.Order{{ID: l.dice.id(), Code: test.code}}}
		if _, err := api.AddRequisition(o); err != nil {
			l.t.Fatal(err)
		}
		q := &labRequest{requisition: o.ID, id: o.ServiceRequests[0].ID, test: test, mishaps: map[bridge.HoldKind]bool{}}
		l.requests = append(l.requests, q)
		order, result := q.row("orders", test.lims[0], nil, 0), q.row("results", test.results[0].result, &test.results[0], 0)
		l.write(change.Add(-20*time.Hour), write{row: order, to: version{status: "C"}}, write{row: result, to: version{status: "N"}})
		at := change.Add(l.dice.between(-time.Hour, time.Hour))
		l.write(at, write{row: result, to: l.released(result)}, write{row: order, to: version{status: "A"}})
		if l.dice.chance(50) {
			l.write(at.Add(l.dice.between(15*time.Minute, 2*time.Hour)), write{row: result, to: l.released(result)})
		}
	}
	l.agenda.add(change.Add(-time.Second), func() { l.control(l.requests[0].orders[0]) })
}
