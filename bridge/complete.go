package bridge

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"

	"limsbridge/lims"
)

// completeness looks for released rows that were neither sent nor held nor waiting: there must be
// none.
func (v *verification) completeness(ctx context.Context) error {
	err := v.LIMS.Since(ctx, lims.Results, v.since, func(page []lims.Row) error {
		rows := map[Key][]lims.Row{}
		var keys []Key
		for _, row := range page {
			k := keyOf(row)
			if row.ID == "" || !v.counts(row) {
				continue
			}
			if rows[k] == nil {
				keys = append(keys, k)
			}
			rows[k] = append(rows[k], row)
		}
		for _, k := range keys {
			if err := v.released(k, rows[k]); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("reading results: %w", err)
	}
	return nil
}

// counts reports whether a row is released and WHOOP's business since start_from. Whether its
// value may leave is another matter: where not, it must be held.
func (v *verification) counts(row lims.Row) bool {
	old := before(row, time.Time{}, v.Settings.StartFrom, v.Ledger.Cursor(lims.Results).Origin)
	stamped := row.Stamp != "" && (row.Changed.IsZero() || !row.Changed.Before(v.since))
	return stamped && !old && v.Mapping.results[row.Status] == Released && !v.Mapping.ignores(row)
}

// released says of each released row of a record what became of it.
func (v *verification) released(k Key, rows []lims.Row) error {
	r, _, err := v.Ledger.Load(k)
	if err != nil {
		return err
	}
	r.Key = k
	p := v.planner(r, rows)
	means := map[string]released{}
	for _, f := range p.gather(rows) {
		for _, facts := range f.results {
			for _, x := range facts {
				means[x.ID] = released{f.request, x}
			}
		}
	}
	for _, row := range rows {
		if err := v.became(r, row, means[row.ID]); err != nil {
			return err
		}
	}
	return nil
}

// released is what a released row means; all of it is zero where the planner would hold the row.
type released struct {
	request *Request
	fact    resultFact
}

// became counts one released row, and tells of it if nothing became of it.
func (v *verification) became(r Record, row lims.Row, x released) error {
	test, code, request, sent, never := "", "", uuid.Nil, false, false
	if t := v.Mapping.Test(row.OrderCode); t != nil {
		test, code = t.Code, t.Results[row.ResultCode].Code
	}
	if x.request != nil {
		request = x.request.ID
		if x.fact.word != Released {
			return nil // a word for "cannot be measured" stands in the place of its value: there is none to send
		}
		q := r.Request(request)
		is := v.prints.Observation(request, code, x.fact.text, x.fact.unit, false)
		same := func(s Sent) bool { return s.Code == code && s.Print == is }
		sent = slices.ContainsFunc(q.Sent, same)
		_, never = q.never(is)
	}
	for _, q := range r.Requests { // under whatever code; that it has another one now is told where it is compared
		sent = sent || slices.ContainsFunc(q.Sent, func(s Sent) bool { return v.unchanged(r, row, s) })
	}
	t := v.tally(test)
	t.Released++
	known := r.standing(request, code, row.ID)
	m, seen := r.mark(lims.Results, row.ID)
	unread := !seen || m.Version != v.prints.Row(row)
	switch {
	case sent:
		t.Sent++
	case known == "held", known == "in_doubt":
		t.Held++
	case never, known == "decided" && !unread:
		t.Decided++
	case known == "waiting" && !unread:
		t.Waiting++
	case unread && !v.overdue(row):
		t.Waiting++ // for the next pass
	default:
		t.Missing++
		d := Difference{Finding: Missing, Test: test, Request: request, Key: r.Key, Code: code, Row: row.ID, Detail: "seen", Known: known}
		if unread {
			d.Detail = "unread"
		}
		return v.yield(d)
	}
	return nil
}

// overdue reports whether polling should have seen a row's present version by now: a row may become
// visible as long after its stamp as the hourly look-back allows. Where the change column is no
// date-time, nothing tells.
func (v *verification) overdue(row lims.Row) bool {
	return !row.Changed.IsZero() && v.at.Sub(row.Changed) > v.Settings.HourlyLookBack+v.Settings.Every
}
