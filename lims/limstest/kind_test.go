package limstest_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"limsbridge/lims/limstest"
)

// TestKinds: each kind means for its requisition what its comment says. The table gives the
// versions of the one observation with more than an ordinary life (each as its kind of report,
// "" for partial or final), the holds, and the end of the peculiar service request.
func TestKinds(t *testing.T) {
	const full, part, none = "FULL_RESULTS_READY final", "PARTIAL_RESULTS_READY partial", " "
	for _, tc := range []struct {
		kind     limstest.Kind
		versions string // of the most eventful observation
		holds    string
		end      string // status and report of at least one request; the others are complete
		silent   bool   // nothing of the whole requisition leaves
	}{
		{limstest.Plain, "final", "", full, false},
		{limstest.ParentRelease, "final", "", full, false},
		{limstest.IgnoredRows, "final", "", full, false},
		{limstest.HiddenRows, "final", "", full, false},
		{limstest.OptionalNotMeasurable, "final", "", full, false},
		{limstest.Rerun, "final", "", full, false},
		{limstest.ReopenedSame, "final", "", full, false},
		{limstest.ReplacedSame, "final", "", full, false},
		{limstest.Unverified, "", "", "APPOINTMENT_ATTENDED ", false},
		{limstest.BeforeStart, "", "", none, true},

		{limstest.Corrected, "final, corrected", "", full, false},
		{limstest.ReopenedChanged, "final, corrected", "", full, false},
		{limstest.ReplacedChanged, "final, corrected", "", full, false},
		{limstest.BackAndForth, "final, corrected, corrected", "", full, false},
		{limstest.WithdrawnAfter, "final, entered-in-error", "", full, false},
		{limstest.Amended, "final in amended", "", full, false},

		{limstest.NoShow, "", "", "APPOINTMENT_ISSUE ", false},
		{limstest.OrderRejected, "", "", "ORDER_ISSUE ", false},
		{limstest.Revoked, "", "", none, false},
		{limstest.RequiredNotMeasurable, "", "not_measurable", "", false},
		{limstest.SampleNotMeasurable, "", "not_measurable", "APPOINTMENT_ATTENDED ", false},
		{limstest.ReleasedAfterNoShow, "", "released_after_end", "APPOINTMENT_ISSUE ", false},
		{limstest.RevokedReleased, "", "released_after_end", none, false},
		{limstest.Contradiction, "", "contradiction", part, false},

		{limstest.UnknownOrderCode, "final", "unknown_order_code", full, false},
		{limstest.NotOrdered, "final", "not_ordered", full, false},
		{limstest.UnknownResultCode, "", "unknown_result_code", part, false},
		{limstest.UnknownOrderStatus, "", "unknown_status", "ORDER_CONFIRMED ", false},
		{limstest.UnknownResultStatus, "", "unknown_status", "", false},
		{limstest.UnknownUnit, "", "unknown_unit", "", false},
		{limstest.BadValue, "", "bad_value", "", false},
		{limstest.TwoRows, "", "two_rows", "", false},
		{limstest.TwoRequests, "", "two_requests", none, false},
		{limstest.NoOrder, "", "no_order", none, false},
		{limstest.BadID, "", "bad_id", none, true},
		{limstest.NotFound, "", "not_found", none, true},
		{limstest.OtherPatient, "", "other_patient", none, true},
		{limstest.ReportedElsewhere, "", "reported_elsewhere", "ORDER_CONFIRMED ", true},
	} {
		t.Run(string(tc.kind), func(t *testing.T) {
			l, _ := newLab(t, limstest.Options{Seed: 11, Orders: 12, Kinds: []limstest.Kind{tc.kind}})
			for _, q := range l.Truth().Requisitions {
				if err := fits(q, tc.versions, tc.holds, tc.end, tc.silent); err != "" {
					t.Errorf("requisition %s: %s", q.ID, err)
				}
			}
		})
	}
	if n := len(limstest.Kinds()); n != 38 {
		t.Errorf("there are %d kinds, and the table has 38", n)
	}
}

func fits(q limstest.Requisition, versions, holds, end string, silent bool) string {
	var lives, ends, kinds []string
	for _, s := range q.Requests {
		ends = append(ends, s.Status+" "+s.Report)
		for _, o := range s.Observations {
			var v []string
			for _, x := range o.Versions {
				word := x.Status
				if x.Report == "amended" {
					word += " in amended"
				}
				v = append(v, word)
			}
			lives = append(lives, strings.Join(v, ", "))
			if n := len(o.Versions); n == 3 && (o.Versions[0].Value != o.Versions[2].Value || o.Versions[0].Value == o.Versions[1].Value) {
				return fmt.Sprintf("versions of %s do not go back and forth", o.Code)
			}
		}
	}
	for _, h := range q.Holds {
		if kinds = append(kinds, h.Kind); len(h.Rows) == 0 {
			return "a hold names no row"
		}
	}
	kinds = slices.Compact(kinds)
	odd := slices.DeleteFunc(slices.Clone(lives), func(v string) bool { return v == "final" })
	switch {
	case silent && len(lives) > 0:
		return fmt.Sprintf("it should be silent, and has observations %q", lives)
	case strings.Join(kinds, " ") != holds:
		return fmt.Sprintf("holds %q, want %q", kinds, holds)
	case end != "" && !slices.Contains(ends, end):
		return fmt.Sprintf("its requests end as %q, want one %q", ends, end)
	case end == "" && !slices.ContainsFunc(ends, func(e string) bool { return e != "FULL_RESULTS_READY final" }):
		return "all its requests are complete"
	case versions == "" && len(odd) > 0, versions == "final" && len(odd) > 0:
		return fmt.Sprintf("observations live as %q", odd)
	case versions == "final" && len(lives) == 0:
		return "nothing leaves"
	case strings.Contains(versions, " ") && !slices.Equal(odd, []string{versions}):
		return fmt.Sprintf("observations live as %q, want one %q", odd, versions)
	}
	return ""
}
