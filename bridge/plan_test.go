package bridge_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"limsbridge/bridge"
	"limsbridge/lims"
	"limsbridge/whoop"
)

var (
	requisition = uuid.MustParse("11111111-1111-4111-8111-111111111111")
	lipid       = uuid.MustParse("22222222-2222-4222-8222-222222222222")
	cbc         = uuid.MustParse("33333333-3333-4333-8333-333333333333")
	noon        = time.Date(2026, 12, 1, 12, 0, 0, 0, time.UTC)
)

func mapping(t testing.TB) *bridge.Mapping {
	t.Helper()
	m, err := bridge.NewMapping([]bridge.Test{
		{Code: "LIPID_PANEL", LIMS: []string{"LIPID"}, Results: map[string]bridge.ObservationRule{
			"CHOL": {Code: "TOTAL_CHOLESTEROL", Unit: "mg/dL"},
			"HDL":  {Code: "HDL", Unit: "mg/dL"},
			"LDLC": {Code: "LDL", Unit: "mg/dL", Optional: true},
		}},
		{Code: "CBC", LIMS: []string{"CBC", "DIFF"}, Results: map[string]bridge.ObservationRule{
			"WBC":  {Code: "WBC", Unit: "10*3/uL"},
			"NEUT": {Code: "NEUTROPHILS"},
		}},
	}, bridge.Words{
		Orders:  map[string]bridge.OrderWord{"U": bridge.Accepted, "C": bridge.Collected, "A": bridge.Complete, "R": bridge.OrderNotMeasurable, "X": bridge.RejectedOrder, "N": bridge.NoShow, "hide": bridge.IgnoredOrder},
		Results: map[string]bridge.ResultWord{"A": bridge.Released, "N": bridge.Pending, "R": bridge.ResultNotMeasurable, "X": bridge.Withdrawn, "hide": bridge.IgnoredResult},
	}, []string{"HEM_INDEX"}, bridge.ValueRules{})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func settings() bridge.Settings {
	s := bridge.Fixed()
	s.Send, s.Settle, s.IssueSettle, s.DoubtAfter, s.PatientCheck = true, 10*time.Minute, 30*time.Minute, 5*time.Minute, true
	s.Every, s.LookBack, s.HourlyLookBack, s.Sweep = 5*time.Minute, 10*time.Minute, 75*time.Minute, 30*24*time.Hour
	s.Brake = bridge.Brake{Corrections: 20, Percent: 5, FirstPass: 500}
	return s
}

// world is one requisition as it lives through several plans: what the LIMS shows changes, time
// passes, and every call ends as sent unless said otherwise.
type world struct {
	t        *testing.T
	m        *bridge.Mapping
	s        bridge.Settings
	prints   *bridge.Fingerprints
	rec      bridge.Record
	rows     []lims.Row
	ordered  []bridge.Request // what WHOOP ordered
	shown    *bridge.Shown
	birth    string
	at       time.Time
	seq      uint64
	outcomes map[string]whoop.Outcome // by how an action is told; once
}

func newWorld(t *testing.T) *world {
	return &world{
		t: t, m: mapping(t), s: settings(), prints: bridge.NewFingerprints([]byte("key")), at: noon,
		rec:      bridge.Record{Key: bridge.Key{Kind: bridge.RequisitionKey, ID: requisition}},
		ordered:  []bridge.Request{{ID: lipid, Code: "LIPID_PANEL"}},
		outcomes: map[string]whoop.Outcome{},
	}
}

func order(code, status string) lims.Row {
	return lims.Row{Source: lims.Orders, ID: "o-" + code, Requisition: requisition.String(), OrderCode: code, Status: status}
}

func result(code, value, status string) lims.Row {
	test, unit := "LIPID", "mg/dL"
	if code == "WBC" || code == "NEUT" {
		test, unit = map[string]string{"WBC": "CBC", "NEUT": "DIFF"}[code], ""
	}
	return lims.Row{Source: lims.Results, ID: "r-" + code, Requisition: requisition.String(), OrderCode: test, ResultCode: code, Value: value, Unit: unit, Status: status}
}

func (w *world) apply(e bridge.Event) uint64 {
	w.seq++
	e.Seq, e.Key = w.seq, &w.rec.Key
	if e.At.IsZero() {
		e.At = w.at
	}
	w.rec = w.rec.Apply(e)
	return w.seq
}

// show puts rows before the bridge, by row id; "gone" as status takes one away.
func (w *world) show(rows ...lims.Row) {
	for _, r := range rows {
		w.rows = slices.DeleteFunc(w.rows, func(o lims.Row) bool { return o.ID == r.ID && o.Source == r.Source })
		mark := bridge.RowMark{Source: r.Source, ID: r.ID, Noticed: w.at, Version: w.prints.Row(r), Released: r.Status == "A" && r.Source == lims.Results}
		i := slices.IndexFunc(w.rec.Rows, func(m bridge.RowMark) bool { return m.ID == r.ID && m.Source == r.Source })
		switch {
		case r.Status == "gone":
			continue
		case i < 0:
			w.rec.Rows = append(w.rec.Rows, mark)
		case w.rec.Rows[i].Version != mark.Version:
			w.rec.Rows[i] = mark
		}
		w.rows = append(w.rows, r)
	}
}

func tell(a bridge.Action) string {
	switch a.Kind {
	case bridge.Look:
		return "look"
	case bridge.SetStatus:
		s := string(a.Status)
		if a.Whole {
			s += "(all)"
		}
		return s
	}
	var obs []string
	for _, o := range a.Report.Observations {
		v := o.Numeric.String()
		if v == "" {
			v = "'" + o.Text + "'"
		}
		if o.Status == whoop.ObservationEnteredInError {
			v += "!"
		}
		obs = append(obs, o.Code+"="+v)
	}
	return fmt.Sprintf("%s(%s)", a.Report.Status, strings.Join(obs, " "))
}

func (w *world) decide() bridge.Plan {
	return bridge.Decide(bridge.Input{At: w.at, Record: w.rec, Rows: w.rows, Shown: w.shown, Mapping: w.m, Settings: &w.s, Prints: w.prints})
}

// turn lives through one turn and tells the calls that were made.
func (w *world) turn() string {
	w.t.Helper()
	var told []string
	for range 8 {
		plan := w.decide()
		w.hold(plan.Holds)
		if len(plan.Actions) == 0 {
			return strings.Join(told, ", ")
		}
		for _, a := range plan.Actions {
			told = append(told, tell(a))
			if a.Kind == bridge.Look {
				w.apply(bridge.Event{Kind: bridge.LookEvent, Outcome: whoop.Sent, Shown: w.ordered})
				w.shown = &bridge.Shown{At: w.at, BirthDate: w.birth, Now: true, Active: true}
				break
			}
			seq := w.apply(bridge.Event{Kind: bridge.IntentEvent, Action: a.Kind, Whole: a.Whole, Requests: a.Requests, Status: a.Status, Report: a.Report.Status, Prints: a.Prints})
			out := whoop.Sent
			if o, ok := w.outcomes[tell(a)]; ok {
				out = o
				delete(w.outcomes, tell(a))
			}
			w.apply(bridge.Event{Kind: bridge.OutcomeEvent, Intent: seq, Action: a.Kind, Status: a.Status, Report: a.Report.Status, Outcome: out})
			if out != whoop.Sent {
				break
			}
		}
	}
	w.t.Fatalf("the plan does not come to rest: %s", strings.Join(told, ", "))
	return ""
}

func (w *world) hold(planned []bridge.Hold) {
	w.rec.Holds = nil
	for _, h := range planned {
		w.seq++
		h.Seq, h.Since = w.seq, w.at
		w.rec.Holds = append(w.rec.Holds, h)
	}
}

func (w *world) held() string {
	var kinds []string
	for _, h := range w.rec.Holds {
		s := string(h.Kind)
		if h.Row != "" {
			s += ":" + h.Row
		}
		kinds = append(kinds, s)
	}
	slices.Sort(kinds)
	return strings.Join(kinds, " ")
}

// step is one moment: time passes, the LIMS shows rows, and the bridge does and holds this.
type step struct {
	after time.Duration
	rows  []lims.Row
	does  string
	holds string
}

const (
	progress = "look, ORDER_CONFIRMED, APPOINTMENT_ATTENDED"
	full     = "FULL_RESULTS_READY"
	tenMin   = 10 * time.Minute
)

func all(chol, hdl, ldl string) []lims.Row {
	return []lims.Row{order("LIPID", "A"), result("CHOL", chol, "A"), result("HDL", hdl, "A"), result("LDLC", ldl, "A")}
}

func with(base []lims.Row, more ...lims.Row) []lims.Row {
	out := slices.Clone(base)
	for _, m := range more {
		out = slices.DeleteFunc(out, func(r lims.Row) bool { return r.ID == m.ID && r.Source == m.Source })
		out = append(out, m)
	}
	return out
}

func id(r lims.Row, id string) lims.Row { r.ID = id; return r }

const finalAll = "final(TOTAL_CHOLESTEROL=5.40 HDL=1.2 LDL=3.0), FULL_RESULTS_READY"

// The table "One service request, decided", row by row and in combinations.
func TestDecisions(t *testing.T) {
	done := []step{{rows: all("5.40", "1.2", "3.0"), does: progress}, {after: tenMin, does: finalAll}}
	partial := []step{
		{rows: []lims.Row{order("LIPID", "C"), result("CHOL", "5.40", "A"), result("HDL", "", "N")}, does: progress},
		{after: tenMin, does: "partial(TOTAL_CHOLESTEROL=5.40), PARTIAL_RESULTS_READY"},
	}
	for _, tt := range []struct {
		name  string
		setup func(*world)
		steps []step
	}{
		{"accepted is confirmed", nil, []step{{rows: []lims.Row{order("LIPID", "U")}, does: "look, ORDER_CONFIRMED"}, {}}},
		{"collected sends the skipped step first", nil, []step{{rows: []lims.Row{order("LIPID", "C")}, does: progress}, {}}},
		{"results wait for the settle time", nil, []step{
			{rows: all("5.40", "1.2", "3.0"), does: progress},
			{after: 9 * time.Minute},
			{after: time.Minute, does: finalAll}, {after: tenMin},
		}},
		{"a change while settling starts the settle time again", nil, []step{
			{rows: all("5.40", "1.2", "3.0"), does: progress},
			{after: 9 * time.Minute, rows: []lims.Row{result("CHOL", "5.5", "A")}},
			{after: 9 * time.Minute},
			{after: time.Minute, does: "look, final(TOTAL_CHOLESTEROL=5.5 HDL=1.2 LDL=3.0), FULL_RESULTS_READY"},
		}},
		{"some released, others pending: partial once, then final with the rest", nil, append(slices.Clone(partial),
			step{after: tenMin},
			step{rows: []lims.Row{order("LIPID", "A"), result("HDL", "1.2", "A"), result("LDLC", "3.0", "A")}},
			step{after: tenMin, does: "final(HDL=1.2 LDL=3.0), FULL_RESULTS_READY"},
		)},
		{"everything went out as partial: only the status is left", nil, append(slices.Clone(partial),
			step{rows: []lims.Row{order("LIPID", "A"), result("HDL", "1.2", "A"), result("LDLC", "", "N")}},
			step{after: tenMin, does: "partial(HDL=1.2)"},
			step{rows: []lims.Row{result("LDLC", "", "R")}, does: full},
		)},
		{"A to B to A is two corrections", nil, append(slices.Clone(done),
			step{rows: []lims.Row{result("CHOL", "6.1", "A")}},
			step{after: tenMin, does: "corrected(TOTAL_CHOLESTEROL=6.1)"},
			step{rows: []lims.Row{result("CHOL", "5.40", "A")}},
			step{after: tenMin, does: "corrected(TOTAL_CHOLESTEROL=5.40)"},
			step{after: tenMin},
		)},
		{"a trailing zero is a correction: digits are information", nil, append(slices.Clone(done),
			step{rows: []lims.Row{result("CHOL", "5.4", "A")}},
			step{after: tenMin, does: "corrected(TOTAL_CHOLESTEROL=5.4)"},
		)},
		{"corrections: hold", func(w *world) { w.s.HoldCorrections = true }, append(slices.Clone(done),
			step{rows: []lims.Row{result("CHOL", "6.1", "A")}, holds: "correction:r-CHOL"},
			step{after: tenMin, holds: "correction:r-CHOL"},
		)},
		{"a new observation after final is amended", nil, []step{
			{rows: []lims.Row{order("LIPID", "A"), result("CHOL", "5.40", "A"), result("HDL", "1.2", "A")}, does: progress},
			{after: tenMin, does: "final(TOTAL_CHOLESTEROL=5.40 HDL=1.2), FULL_RESULTS_READY"},
			{rows: []lims.Row{result("LDLC", "3.0", "A")}},
			{after: tenMin, does: "amended(LDL=3.0)"},
		}},
		{"corrections go before new ones", nil, append(slices.Clone(partial),
			step{rows: []lims.Row{order("LIPID", "A"), result("CHOL", "6.1", "A"), result("HDL", "1.2", "A")}},
			step{after: tenMin, does: "corrected(TOTAL_CHOLESTEROL=6.1), final(HDL=1.2), FULL_RESULTS_READY"},
		)},
		{"withdrawn after it was sent", nil, append(slices.Clone(done),
			step{rows: []lims.Row{result("CHOL", "5.40", "X")}},
			step{after: tenMin, does: "corrected(TOTAL_CHOLESTEROL=5.40!)"},
			step{after: tenMin},
			step{rows: []lims.Row{result("CHOL", "5.40", "A")}},
			step{after: tenMin, does: "corrected(TOTAL_CHOLESTEROL=5.40)"},
		)},
		{"withdrawn without a value is held", nil, append(slices.Clone(done),
			step{rows: []lims.Row{result("CHOL", "", "X")}, holds: "withdrawn:r-CHOL"},
		)},
		{"withdrawn without a value, with the configured text", func(w *world) { w.s.WithdrawnValue = "withdrawn" }, append(slices.Clone(done),
			step{rows: []lims.Row{result("CHOL", "", "X")}},
			step{after: tenMin, does: "corrected(TOTAL_CHOLESTEROL='withdrawn'!)"},
		)},
		{"a withdrawn row that was replaced before does not speak for its successor", nil, append(slices.Clone(done),
			step{rows: []lims.Row{result("CHOL", "5.40", "X"), id(result("CHOL", "6.1", "A"), "r-two")}},
			step{after: tenMin, does: "corrected(TOTAL_CHOLESTEROL=6.1)"},
			step{rows: []lims.Row{id(result("CHOL", "6.1", "X"), "r-two")}},
			step{after: tenMin, does: "corrected(TOTAL_CHOLESTEROL=6.1!)"},
		)},
		{"nor when its successor is gone", nil, append(slices.Clone(done),
			step{rows: []lims.Row{result("CHOL", "5.40", "X"), id(result("CHOL", "6.1", "A"), "r-two")}},
			step{after: tenMin, does: "corrected(TOTAL_CHOLESTEROL=6.1)"},
			step{rows: []lims.Row{id(result("CHOL", "", "gone"), "r-two")}, holds: "gone:r-two"},
		)},
		{"what was sent and cannot be read any more is held, and not as gone", nil, append(slices.Clone(done),
			step{rows: []lims.Row{result("CHOL", "see note", "A")}, holds: "bad_value:r-CHOL"},
			step{rows: []lims.Row{result("CHOL", "6.1", "A")}},
			step{after: tenMin, does: "corrected(TOTAL_CHOLESTEROL=6.1)"},
		)},
		{"sent, now pending again: nothing yet, held after days", nil, append(slices.Clone(done),
			step{rows: []lims.Row{result("CHOL", "5.40", "N")}},
			step{after: 24 * time.Hour},
			step{after: 48 * time.Hour, holds: "pending_again:r-CHOL"},
			step{rows: []lims.Row{result("CHOL", "5.40", "A")}},
		)},
		{"the row of what was sent is gone", nil, append(slices.Clone(done),
			step{rows: []lims.Row{result("CHOL", "", "gone")}, holds: "gone:r-CHOL"},
		)},
		{"the row of what was sent is ignored now", nil, append(slices.Clone(done),
			step{rows: []lims.Row{result("CHOL", "5.40", "hide")}, holds: "gone:r-CHOL"},
		)},
		{"a released row that never went out is gone", nil, []step{
			{rows: all("5.40", "1.2", "3.0"), does: progress},
			{rows: []lims.Row{result("LDLC", "", "gone")}, holds: "gone:r-LDLC"},
		}},
		{"the same content under a new row id is nothing new", nil, append(slices.Clone(done),
			step{rows: []lims.Row{result("CHOL", "", "gone"), id(result("CHOL", "5.40", "A"), "r-new")}},
			step{after: tenMin},
		)},
		{"two live rows for one observation", nil, []step{
			{rows: with(all("5.40", "1.2", "3.0"), id(result("CHOL", "5.5", "A"), "r-two")), does: progress, holds: "two_rows:r-two"},
			{after: tenMin, does: "partial(HDL=1.2 LDL=3.0), PARTIAL_RESULTS_READY", holds: "two_rows:r-two"},
		}},
		{"two rows that are both pending wait", nil, []step{
			{rows: with(all("5.40", "1.2", "3.0"), result("CHOL", "", "N"), id(result("CHOL", "", "N"), "r-two")), does: progress},
			{after: tenMin, does: "partial(HDL=1.2 LDL=3.0), PARTIAL_RESULTS_READY"},
		}},
		{"the live row speaks where the other is cancelled", nil, []step{
			{rows: with(all("5.40", "1.2", "3.0"), id(result("CHOL", "9.9", "X"), "r-two")), does: progress},
			{after: tenMin, does: finalAll},
		}},
		{"a required one cannot be measured: the rest goes out, and it is held", nil, []step{
			{rows: with(all("5.40", "1.2", "3.0"), result("HDL", "", "R")), does: progress},
			{after: tenMin, does: "partial(TOTAL_CHOLESTEROL=5.40 LDL=3.0), PARTIAL_RESULTS_READY", holds: "not_measurable:r-HDL"},
		}},
		{"on_not_measurable: issue, after a day", func(w *world) { w.s.ReportUnmeasurable = true }, []step{
			{rows: with(all("5.40", "1.2", "3.0"), result("HDL", "QNS", "A")), does: progress},
			{after: tenMin, does: "partial(TOTAL_CHOLESTEROL=5.40 LDL=3.0), PARTIAL_RESULTS_READY"},
			{after: 23*time.Hour + 50*time.Minute, does: "RESULTS_ISSUE"},
		}},
		{"on_not_measurable: issue, all of them, without a report", func(w *world) { w.s.ReportUnmeasurable = true }, []step{
			{rows: []lims.Row{order("LIPID", "R")}, does: progress},
			{after: 24 * time.Hour, does: "RESULTS_ISSUE"},
		}},
		{"an optional one that cannot be measured counts as in", nil, []step{
			{rows: with(all("5.40", "1.2", "3.0"), result("LDLC", "", "R")), does: progress},
			{after: tenMin, does: "final(TOTAL_CHOLESTEROL=5.40 HDL=1.2), FULL_RESULTS_READY"},
		}},
		{"an optional one without a row keeps an order open that is not complete", nil, []step{
			{rows: []lims.Row{order("LIPID", "C"), result("CHOL", "5.40", "A"), result("HDL", "1.2", "A")}, does: progress},
			{after: tenMin, does: "partial(TOTAL_CHOLESTEROL=5.40 HDL=1.2), PARTIAL_RESULTS_READY"},
			{rows: []lims.Row{order("LIPID", "A")}, does: full},
		}},
		{"no-show after the issue settle time", nil, []step{
			{rows: []lims.Row{order("LIPID", "N")}, does: "look, ORDER_CONFIRMED"},
			{after: 29 * time.Minute},
			{after: time.Minute, does: "APPOINTMENT_ISSUE"}, {after: time.Hour},
		}},
		{"a rejected order is not confirmed first", nil, []step{
			{rows: []lims.Row{order("LIPID", "X")}, does: "look"},
			{after: 30 * time.Minute, does: "ORDER_ISSUE"},
		}},
		{"a no-show that came after all", nil, []step{
			{rows: []lims.Row{order("LIPID", "N")}, does: "look, ORDER_CONFIRMED"},
			{after: tenMin, rows: []lims.Row{order("LIPID", "C")}, does: "APPOINTMENT_ATTENDED"},
			{after: time.Hour},
		}},
		{"an issue together with results", nil, []step{
			{rows: with(all("5.40", "1.2", "3.0"), order("LIPID", "X")), does: "look", holds: "contradiction:o-LIPID"},
		}},
		{"an issue after a report", nil, append(slices.Clone(done),
			step{rows: []lims.Row{order("LIPID", "X")}, holds: "contradiction:o-LIPID"},
		)},
		{"results after a terminal status", nil, []step{
			{rows: []lims.Row{order("LIPID", "X")}, does: "look"},
			{after: 30 * time.Minute, does: "ORDER_ISSUE"},
			{rows: all("5.40", "1.2", "3.0"), holds: "released_after_end"},
		}},
		{"a revoked request gets nothing", func(w *world) { w.ordered[0].Revoked = true }, []step{
			{rows: []lims.Row{order("LIPID", "C")}, does: "look"},
			{rows: all("5.40", "1.2", "3.0"), holds: "released_after_end"},
		}},
		{"statuses never go back", nil, append(slices.Clone(done), step{rows: []lims.Row{order("LIPID", "U")}})},
		{"two LIMS tests for one request: collected when one is, complete when all are in",
			func(w *world) { w.ordered = []bridge.Request{{ID: cbc, Code: "CBC"}} }, []step{
				{rows: []lims.Row{order("CBC", "U"), order("DIFF", "U")}, does: "look, ORDER_CONFIRMED"},
				{rows: []lims.Row{order("CBC", "C")}, does: "APPOINTMENT_ATTENDED"},
				{rows: []lims.Row{order("CBC", "A"), result("WBC", "6.1", "A")}},
				{after: tenMin, does: "partial(WBC=6.1), PARTIAL_RESULTS_READY"},
				{rows: []lims.Row{order("DIFF", "A"), result("NEUT", "54", "A")}},
				{after: tenMin, does: "final(NEUTROPHILS=54), FULL_RESULTS_READY"},
			}},
		{"a repeated order is not collected because the first was not", nil, []step{
			{rows: []lims.Row{order("LIPID", "N"), id(order("LIPID", "U"), "o-again")}, does: "look, ORDER_CONFIRMED"}, {after: time.Hour},
		}},
		{"one of two LIMS tests rejected", func(w *world) { w.ordered = []bridge.Request{{ID: cbc, Code: "CBC"}} }, []step{
			{rows: []lims.Row{order("CBC", "C"), order("DIFF", "X")}, does: "look", holds: "contradiction:o-DIFF"},
		}},
		{"unknown order code", nil, []step{{rows: []lims.Row{order("LIPID", "U"), order("VITD", "U")}, does: "look, ORDER_CONFIRMED", holds: "unknown_order_code:o-VITD"}}},
		{"unknown order status blocks the request", nil, []step{{rows: with(all("5.40", "1.2", "3.0"), order("LIPID", "?")), does: "look", holds: "unknown_status:o-LIPID"}}},
		{"unknown result code keeps it from being complete", nil, []step{
			{rows: with(all("5.40", "1.2", "3.0"), result("LPA", "9", "A")), does: progress, holds: "unknown_result_code:r-LPA"},
			{after: tenMin, does: "partial(TOTAL_CHOLESTEROL=5.40 HDL=1.2 LDL=3.0), PARTIAL_RESULTS_READY", holds: "unknown_result_code:r-LPA"},
		}},
		{"unknown result status", nil, []step{{rows: with(all("5.40", "1.2", "3.0"), result("CHOL", "5.40", "Z")), does: progress, holds: "unknown_status:r-CHOL"}}},
		{"a value that is none", nil, []step{{rows: with(all("5.40", "1.2", "3.0"), result("CHOL", "see note", "A")), does: progress, holds: "bad_value:r-CHOL"}}},
		{"a mended value goes out", nil, []step{
			{rows: with(all("5.40", "1.2", "3.0"), result("CHOL", "1,234", "A")), does: progress, holds: "bad_value:r-CHOL"},
			{rows: []lims.Row{result("CHOL", "5.40", "A")}}, {after: tenMin, does: finalAll},
		}},
		{"another unit", nil, []step{{rows: with(all("5.40", "1.2", "3.0"), func() lims.Row { r := result("CHOL", "5.40", "A"); r.Unit = "mmol/L"; return r }()), does: progress, holds: "unknown_unit:r-CHOL"}}},
		{"ignored codes are not there", nil, []step{{rows: with(all("5.40", "1.2", "3.0"), result("HEM_INDEX", "9", "?")), does: progress}, {after: tenMin, does: finalAll}}},
		{"a hidden result that nobody configured is not there", nil, []step{{rows: with(all("5.40", "1.2", "3.0"), result("QC", "9", "hide")), does: progress}, {after: tenMin, does: finalAll}}},
		{"WHOOP did not order it", func(w *world) { w.ordered = []bridge.Request{{ID: cbc, Code: "CBC"}} }, []step{
			{rows: []lims.Row{order("LIPID", "U")}, does: "look", holds: "not_ordered:o-LIPID"},
		}},
		{"two service requests with one order code", func(w *world) { w.ordered = append(w.ordered, bridge.Request{ID: cbc, Code: "LIPID_PANEL"}) }, []step{
			{rows: []lims.Row{order("LIPID", "U")}, does: "look", holds: "two_requests:o-LIPID"},
		}},
		{"another birth date", func(w *world) { w.birth = "1980-01-02" }, []step{
			{rows: []lims.Row{func() lims.Row { r := order("LIPID", "C"); r.BirthDate = "1980-02-01"; return r }()}, does: "look", holds: "other_patient:o-LIPID"},
		}},
		{"the birth date on one side only", func(w *world) { w.birth = "1980-01-02" }, []step{{rows: []lims.Row{order("LIPID", "C")}, does: progress}}},
		{"results without an order", nil, []step{
			{rows: all("5.40", "1.2", "3.0")[1:], does: "look"},
			{after: tenMin, holds: "no_order"},
			{rows: []lims.Row{order("LIPID", "A")}, does: "ORDER_CONFIRMED, APPOINTMENT_ATTENDED, " + finalAll},
		}},
		{"a row that does not decode", nil, []step{{rows: with(all("5.40", "1.2", "3.0"), func() lims.Row { r := result("CHOL", "", "A"); r.Problem = "value is FLOAT"; return r }()), does: progress, holds: "bad_row:r-CHOL"}}},
		{"a report in doubt is never sent again", func(w *world) { w.outcomes[strings.TrimSuffix(finalAll, ", "+full)] = whoop.InDoubt }, []step{
			{rows: all("5.40", "1.2", "3.0"), does: progress},
			{after: tenMin, does: "final(TOTAL_CHOLESTEROL=5.40 HDL=1.2 LDL=3.0)", holds: "in_doubt"},
			{after: 48 * time.Hour, holds: "in_doubt"},
			{rows: []lims.Row{result("CHOL", "6.1", "A")}, holds: "changed_in_doubt in_doubt"},
		}},
		{"a partial report in doubt does not keep the others", func(w *world) { w.outcomes["partial(TOTAL_CHOLESTEROL=5.40)"] = whoop.InDoubt }, []step{
			{rows: []lims.Row{order("LIPID", "A"), result("CHOL", "5.40", "A"), result("HDL", "", "N")}, does: progress},
			{after: tenMin, does: "partial(TOTAL_CHOLESTEROL=5.40)", holds: "in_doubt"},
			{rows: []lims.Row{result("HDL", "1.2", "A")}, holds: "in_doubt"},
			{after: tenMin, does: "look, partial(HDL=1.2), PARTIAL_RESULTS_READY", holds: "in_doubt"},
		}},
		{"a final report in doubt keeps new observations, but not corrections", func(w *world) { w.outcomes["final(HDL=1.2)"] = whoop.InDoubt }, append(slices.Clone(partial),
			step{rows: []lims.Row{order("LIPID", "A"), result("HDL", "1.2", "A")}},
			step{after: tenMin, does: "final(HDL=1.2)", holds: "in_doubt"},
			step{rows: []lims.Row{result("LDLC", "3.0", "A"), result("CHOL", "6.1", "A")}, holds: "in_doubt"},
			step{after: tenMin, does: "corrected(TOTAL_CHOLESTEROL=6.1)", holds: "in_doubt"},
			step{after: tenMin, holds: "in_doubt"},
		)},
		{"a status in doubt: nothing else until a later look", func(w *world) { w.outcomes["APPOINTMENT_ATTENDED"] = whoop.InDoubt }, []step{
			{rows: all("5.40", "1.2", "3.0"), does: progress},
			{after: 4 * time.Minute},
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t)
			if tt.setup != nil {
				tt.setup(w)
			}
			for i, s := range tt.steps {
				w.at = w.at.Add(s.after)
				w.show(s.rows...)
				if does := w.turn(); does != s.does {
					t.Fatalf("step %d does\n  %s\nwant\n  %s", i+1, does, s.does)
				}
				if held := w.held(); held != s.holds {
					t.Fatalf("step %d holds %q, want %q", i+1, held, s.holds)
				}
			}
		})
	}
}

// One call stands for a status of a whole requisition only where every service request needs it.
func TestWholeRequisition(t *testing.T) {
	both := []bridge.Request{{ID: lipid, Code: "LIPID_PANEL"}, {ID: cbc, Code: "CBC"}}
	for _, tt := range []struct {
		name string
		rows []lims.Row
		does string
	}{
		{"all of them", []lims.Row{order("LIPID", "C"), order("CBC", "C"), order("DIFF", "C")}, "look, ORDER_CONFIRMED(all), APPOINTMENT_ATTENDED(all)"},
		{"as far as they agree", []lims.Row{order("LIPID", "C"), order("CBC", "U"), order("DIFF", "U")}, "look, ORDER_CONFIRMED(all), APPOINTMENT_ATTENDED"},
		{"one that the LIMS does not know", []lims.Row{order("LIPID", "U")}, "look, ORDER_CONFIRMED"},
		{"one that is held", []lims.Row{order("LIPID", "U"), order("CBC", "?"), order("DIFF", "U")}, "look, ORDER_CONFIRMED"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t)
			w.ordered = both
			w.show(tt.rows...)
			if does := w.turn(); does != tt.does {
				t.Fatalf("does %s, want %s", does, tt.does)
			}
		})
	}
	t.Run("only right after a look: an earlier one does not show that all are active still", func(t *testing.T) {
		w := newWorld(t)
		w.ordered = both
		w.show(order("LIPID", "U"), order("CBC", "U"), order("DIFF", "U"))
		if does, want := w.turn(), "look, ORDER_CONFIRMED(all)"; does != want {
			t.Fatalf("does %s, want %s", does, want)
		}
		w.shown.Now = false // as the bridge remembers a look
		w.show(order("LIPID", "C"), order("CBC", "C"), order("DIFF", "C"))
		if does, want := w.turn(), "APPOINTMENT_ATTENDED, APPOINTMENT_ATTENDED"; does != want {
			t.Fatalf("does %s, want %s", does, want)
		}
	})
}

// What contradicts the results is said: whoever decides looks at the order, or at the observation.
func TestContradictionSaysWhat(t *testing.T) {
	for _, tt := range []struct {
		row  lims.Row
		want string
	}{
		{order("LIPID", "X"), "rejected"},
		{order("LIPID", "N"), "no_show"},
		{result("CHOL", "QNS", "A"), "TOTAL_CHOLESTEROL"},
	} {
		w := newWorld(t)
		w.show(all("5.40", "1.2", "3.0")...)
		w.turn()
		w.at = w.at.Add(tenMin)
		w.turn() // reported
		w.show(tt.row)
		w.turn()
		if len(w.rec.Holds) != 1 || w.rec.Holds[0].Kind != bridge.Contradiction || w.rec.Holds[0].Detail != tt.want {
			t.Errorf("%s: held as %+v, want a contradiction that says %q", tt.row.ID, w.rec.Holds, tt.want)
		}
	}
}
