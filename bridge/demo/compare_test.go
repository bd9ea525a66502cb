package demo

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/uuid"

	"limsbridge/bridge"
	"limsbridge/lims"
	"limsbridge/lims/limstest"
	"limsbridge/whoop/sandbox"
)

var (
	requisition = uuid.MustParse("11111111-1111-4111-8111-111111111111")
	lipid       = uuid.MustParse("22222222-2222-4222-8222-222222222222")
	stray       = uuid.MustParse("33333333-3333-4333-8333-333333333333")
	noShow      = uuid.MustParse("44444444-4444-4444-8444-444444444444")
)

// scene is a small lab, and everything as it should be.
type scene struct {
	truth    limstest.Truth
	accepted []sandbox.Accepted
	counts   sandbox.Counts
	held     []Held
	passing  []Held
}

func rightScene() *scene {
	s := &scene{truth: limstest.Truth{Requisitions: []limstest.Requisition{{
		Kind: limstest.Corrected, ID: requisition,
		Requests: []limstest.Request{
			{
				ID: lipid, Code: "LIPID_PANEL", Status: "FULL_RESULTS_READY", Report: "final",
				Observations: []limstest.Observation{
					{Code: "HDL", Versions: []limstest.Version{
						{Value: "50.10", Numeric: true, Unit: "mg/dL", Status: "final", Row: "7"},
						{Value: "51.10", Numeric: true, Unit: "mg/dL", Status: "corrected", Report: "corrected", Row: "7"},
						{Value: "50.10", Numeric: true, Unit: "mg/dL", Status: "corrected", Report: "corrected", Row: "7"},
					}},
					{Code: "TRIGLYCERIDES", Versions: []limstest.Version{{Value: "> 1000", Unit: "mg/dL", Status: "final", Row: "8"}}},
				},
			},
			{ID: noShow, Code: "TSH", Status: "APPOINTMENT_ISSUE", Reason: "did not appear"},
		},
		Holds: []limstest.Hold{
			{Kind: "bad_value", Requisition: requisition, Request: lipid, Rows: []limstest.Ref{{Source: "results", Row: "9"}}},
			{Kind: "bad_id", Requisition: requisition, Rows: []limstest.Ref{{Source: "orders", Row: "3"}}},
		},
	}}}}
	hdl := func(value, status string) sandbox.Observation {
		return sandbox.Observation{Code: "HDL", Numeric: value, Unit: "mg/dL", Status: status}
	}
	s.accepted = []sandbox.Accepted{
		{
			ID: lipid, Requisition: requisition, Code: "LIPID_PANEL", BusinessStatus: "FULL_RESULTS_READY",
			Statuses: []sandbox.Status{{Status: "ORDER_CONFIRMED"}, {Status: "APPOINTMENT_ATTENDED"}, {Status: "PARTIAL_RESULTS_READY"}, {Status: "FULL_RESULTS_READY"}},
			Reports: []sandbox.Report{
				{Status: "partial", Observations: []sandbox.Observation{hdl("50.10", "final")}},
				{Status: "final", Observations: []sandbox.Observation{{Code: "TRIGLYCERIDES", Text: "> 1000", Unit: "mg/dL", Status: "final"}}},
				{Status: "corrected", Observations: []sandbox.Observation{hdl("51.10", "corrected")}},
				{Status: "corrected", Observations: []sandbox.Observation{hdl("50.10", "corrected")}},
			},
		},
		{
			ID: noShow, Requisition: requisition, Code: "TSH", BusinessStatus: "APPOINTMENT_ISSUE",
			Statuses: []sandbox.Status{{Status: "ORDER_CONFIRMED"}, {Status: "APPOINTMENT_ISSUE", Reason: "did not appear"}},
		},
	}
	row := bridge.Key{Kind: bridge.RowKey, ID: stray}
	s.held = []Held{
		{bridge.Key{Kind: bridge.RequisitionKey, ID: requisition}, bridge.Hold{Seq: 1, Kind: bridge.InvalidValue, Request: lipid, Source: lims.Results, Row: "9"}},
		{row, bridge.Hold{Seq: 2, Kind: bridge.BadID, Source: lims.Orders, Row: "3"}},
	}
	return s
}

func (s *scene) compare() Comparison {
	return Compare(s.truth, s.accepted, s.counts, s.held, s.passing)
}

// TestCompare: whatever is not as it should be is told, as a difference of its kind.
func TestCompare(t *testing.T) {
	report := func(s *scene, i int) *sandbox.Observation { return &s.accepted[0].Reports[i].Observations[0] }
	statuses := func(s *scene, all ...string) {
		a := &s.accepted[0]
		a.Statuses = nil
		for _, x := range all {
			a.Statuses = append(a.Statuses, sandbox.Status{Status: x})
		}
		a.BusinessStatus = all[len(all)-1]
	}
	hold := func(s *scene, k bridge.HoldKind, row string) Held {
		return Held{s.held[0].Key, bridge.Hold{Seq: 9, Kind: k, Request: lipid, Source: lims.Results, Row: row}}
	}
	for _, x := range []struct {
		name   string
		doctor func(*scene)
		want   DifferenceKind // "": none
		tells  string
	}{
		{"everything as it should be", func(*scene) {}, "", ""},

		{"a wrong digit", func(s *scene) { report(s, 0).Numeric = "50.11" }, Wrong, "version 1 of 3, results row 7, this is not as the lab has it: the value"},
		{"a zero is lost", func(s *scene) { report(s, 0).Numeric = "50.1" }, Wrong, "the value"},
		{"a number as text", func(s *scene) { o := report(s, 0); o.Numeric, o.Text = "", o.Numeric }, Wrong, "number or text"},
		{"both number and text", func(s *scene) { o := report(s, 0); o.Text = o.Numeric }, Wrong, "the value"},
		{"another comparator", func(s *scene) { report(s, 1).Text = "< 1000" }, Wrong, "TRIGLYCERIDES: of version 1 of 1, results row 8"},
		{"another unit", func(s *scene) { report(s, 1).Unit = "mmol/L" }, Wrong, "the unit"},
		{"a correction that does not say so", func(s *scene) { report(s, 2).Status = "final" }, Wrong, "final instead of corrected"},
		{"a correction in a report of another kind", func(s *scene) { s.accepted[0].Reports[2].Status = "amended" }, Wrong, "amended instead of corrected"},
		{"versions in another order", func(s *scene) { report(s, 0).Numeric, report(s, 2).Numeric = "51.10", "50.10" }, Duplicate, "HDL"},

		{"a missing observation", func(s *scene) { s.accepted[0].Reports[1].Observations[0].Code = "LDL" }, Missing, "TRIGLYCERIDES"},
		{"a missing version", func(s *scene) { s.accepted[0].Reports = s.accepted[0].Reports[:3] }, Missing, "HDL: version 3 of 3"},
		{"no final report", func(s *scene) { s.accepted[0].Reports[1].Status = "partial" }, Missing, "no final report"},
		{"a missing service request", func(s *scene) { s.accepted = s.accepted[:1] }, Missing, noShow.String()},
		{"an observation that the lab does not report", func(s *scene) {
			r := &s.accepted[0].Reports[1]
			r.Observations = append(r.Observations, sandbox.Observation{Code: "LDL", Numeric: "1", Status: "final"})
		}, Extra, "LDL: accepted 1 times"},
		{"an unknown service request", func(s *scene) { s.accepted = append(s.accepted, sandbox.Accepted{ID: stray}) }, Extra, stray.String()},
		{"one version more", func(s *scene) {
			s.accepted[0].Reports = append(s.accepted[0].Reports, sandbox.Report{Status: "corrected", Observations: []sandbox.Observation{{Code: "HDL", Numeric: "53.10", Unit: "mg/dL", Status: "corrected"}}})
		}, Extra, "HDL: 1 versions more"},
		{"a duplicate", func(s *scene) { s.accepted[0].Reports = append(s.accepted[0].Reports, s.accepted[0].Reports[3]) }, Duplicate, "HDL: accepted twice"},
		{"a duplicate that the API counted", func(s *scene) { s.counts.Duplicates = 2 }, Duplicate, "the API counted 2"},

		{"a status that is not reached", func(s *scene) { statuses(s, "ORDER_CONFIRMED", "APPOINTMENT_ATTENDED") }, Missing, "is APPOINTMENT_ATTENDED and should be FULL_RESULTS_READY"},
		{"no status at all", func(s *scene) { s.accepted[1].BusinessStatus, s.accepted[1].Statuses = "", nil }, Missing, "is none and should be APPOINTMENT_ISSUE"},
		{"an issue instead of results", func(s *scene) { statuses(s, "ORDER_CONFIRMED", "ORDER_ISSUE") }, Wrong, "is ORDER_ISSUE"},
		{"a status where there must be none", func(s *scene) { s.truth.Requisitions[0].Requests[1].Status = "" }, Extra, "should be none"},
		{"a status out of order", func(s *scene) {
			statuses(s, "ORDER_CONFIRMED", "PARTIAL_RESULTS_READY", "APPOINTMENT_ATTENDED", "FULL_RESULTS_READY")
		}, OutOfOrder, "APPOINTMENT_ATTENDED, came after PARTIAL_RESULTS_READY"},
		{"a status twice", func(s *scene) { statuses(s, "ORDER_CONFIRMED", "ORDER_CONFIRMED", "FULL_RESULTS_READY") }, OutOfOrder, "status 2 of 3"},
		{"a status after an issue", func(s *scene) {
			s.accepted[1].Statuses = []sandbox.Status{{Status: "ORDER_ISSUE"}, {Status: "APPOINTMENT_ISSUE", Reason: "did not appear"}}
		}, OutOfOrder, "came after ORDER_ISSUE"},
		{"a status that was there already", func(s *scene) { s.truth.Requisitions[0].Requests[0].Initial = "ORDER_CONFIRMED" }, OutOfOrder, "came after ORDER_CONFIRMED"},
		{"another reason", func(s *scene) { s.accepted[1].Statuses[1].Reason = "" }, Wrong, "the reason of APPOINTMENT_ISSUE"},
		{"a rule broken", func(s *scene) { s.counts.Violations = map[sandbox.Violation]int{sandbox.EarlyReport: 3} }, Violation, "report_before_collection: 3 times"},
		{"calls refused", func(s *scene) { s.counts.Refused = 1 }, Violation, "refused 1 calls"},

		{"a hold too much", func(s *scene) { s.held = append(s.held, hold(s, bridge.TwoRows, "9")) }, HoldExtra, "two_rows, results row 9"},
		{"a hold for another row", func(s *scene) { s.held = append(s.held, hold(s, bridge.InvalidValue, "7")) }, HoldExtra, "bad_value, results row 7"},
		{"a hold of no requisition", func(s *scene) {
			h := hold(s, bridge.InvalidValue, "9")
			h.Key.ID = stray
			s.held = append(s.held, h)
		}, HoldExtra, "requisition/" + stray.String()},
		{"a hold of no row", func(s *scene) {
			s.held = append(s.held, Held{bridge.Key{Kind: bridge.RowKey, ID: stray}, bridge.Hold{Kind: bridge.BadID, Source: lims.Results, Row: "3"}})
		}, HoldExtra, "bad_id"},
		{"a hold too much for a while", func(s *scene) { s.passing = []Held{hold(s, bridge.Gone, "7")} }, HoldExtra, "gone, results row 7, for a while"},
		{"one matter held twice", func(s *scene) { s.held = append(s.held, hold(s, bridge.InvalidValue, "")) }, "", ""},
		{"a refusal", func(s *scene) { s.held = append(s.held, hold(s, bridge.Refused, "")) }, HoldExtra, "rejected"},
		{"a refusal that was tried again", func(s *scene) { s.passing = []Held{hold(s, bridge.Refused, "")} }, "", ""},
		{"a hold with a reason that began anew", func(s *scene) { s.passing = []Held{hold(s, bridge.InvalidValue, "9")} }, "", ""},
		{"nobody was told", func(s *scene) { s.held = s.held[1:] }, HoldMissing, "bad_value"},
		{"nobody is told any more", func(s *scene) { s.held, s.passing = s.held[1:], s.held[:1] }, HoldMissing, "bad_value"},
		{"nobody was told of a stray row", func(s *scene) { s.held = s.held[:1] }, HoldMissing, "bad_id"},
		{"told of another service request", func(s *scene) { s.held[0].Request = noShow }, HoldMissing, "bad_value"},
	} {
		t.Run(x.name, func(t *testing.T) {
			s := rightScene()
			x.doctor(s)
			c := s.compare()
			text := fmt.Sprint(c.Differences)
			if x.want == "" {
				if len(c.Differences) > 0 {
					t.Fatalf("differences: %s", text)
				}
				return
			}
			if !slices.ContainsFunc(c.Differences, func(d Difference) bool { return d.Kind == x.want && strings.Contains(d.String(), x.tells) }) {
				t.Errorf("no difference %q that tells %q in %s", x.want, x.tells, text)
			}
			for _, value := range []string{"50.10", "51.10", "53.10", "1000", "did not appear"} {
				if strings.Contains(text, value) {
					t.Errorf("a value is printed: %s", text)
				}
			}
		})
	}
}

// TestTallies: the numbers of the summary count what is right, not what arrived.
func TestTallies(t *testing.T) {
	s := rightScene()
	s.accepted[0].Reports[2].Observations[0].Numeric = "51.11"
	s.held = s.held[1:]
	c := s.compare()
	for name, x := range map[string]struct{ got, want Tally }{
		"orders":       {c.Orders, Tally{1, 0}},
		"statuses":     {c.Statuses, Tally{2, 2}},
		"observations": {c.Observations, Tally{4, 3}},
		"corrections":  {c.Corrections, Tally{2, 1}},
		"holds":        {c.Holds, Tally{2, 1}},
		"bad_value":    {c.HoldsByKind["bad_value"], Tally{1, 0}},
	} {
		if x.got != x.want {
			t.Errorf("%s: %+v, want %+v", name, x.got, x.want)
		}
	}
}
