package bridge_test

import (
	"encoding/json"
	"regexp"
	"slices"
	"strings"
	"testing"

	"limsbridge/bridge"
	"limsbridge/whoop"
)

var (
	fuzzThousand = regexp.MustCompile(`^-?[1-9][0-9]{0,2}(\.[0-9]{3})+$`)
	fuzzSigns    = regexp.MustCompile(`^[-+<>=≤≥:., 0-9]*[0-9][-+<>=≤≥:., 0-9]*$`)
	// Every word that may leave, and every word that says that there is no value.
	fuzzWords = strings.Split("NEG,NEGATIVE,POS,POSITIVE,TRACE,REACTIVE,NONREACTIVE,NON-REACTIVE,DETECTED,NOT DETECTED,"+
		"PRESENT,ABSENT,NORMAL,ABNORMAL,INDETERMINATE,EQUIVOCAL,A+,A-,B+,B-,AB+,AB-,O+,O-,A,B,AB,O", ",")
	fuzzNone = strings.Split("QNS,TNP,HEMOLYZED,HAEMOLYZED,HEMOLYSED,HAEMOLYSED,CLOTTED", ",")
)

// Whatever a result shows as value, unit and status, it is held, says that there is no value, or
// leaves: only under a status that means released, only in the configured unit, and as the lab's own
// digits or a known text. A zero before the point and, where the lab says so, a point for its comma
// are all that is added.
func FuzzValue(f *testing.F) {
	for _, value := range []string{
		"5.40", " 5.4 ", ".5", "-.5", "5,4", "1,234", "1.234", "-1.234", "1E3", "007", "+5", "5.", "0x1F", "NaN", "٥", "−5", "5.4\u00a0",
		"<0.5", "> 200", "≥100", "<0,5", "500 - 1.000", "1:40", "1+", "10-15", "not detected", "A+", "qns", "", "5.4 mg/dL", "\xff5",
	} {
		f.Add(value, "mg/dL", "A", false)
		f.Add(value, "", "A", true)
	}
	for _, unit := range []string{"MG/DL", "mg%", " mg/dl ", "mg/100 mL", "mmol/L", "Mg/dL", "\u00b5g/dL", "\u03bcg/dL", "g/L"} {
		f.Add("5.40", unit, "A", false)
	}
	for _, status := range []string{"N", "R", "X", "hide", "a", " A", "A ", "", "released", "\u0391"} {
		f.Add("5.40", "mg/dL", status, false)
	}
	words := bridge.Words{
		Orders:  map[string]bridge.OrderWord{"A": bridge.Complete},
		Results: map[string]bridge.ResultWord{"A": bridge.Released, "N": bridge.Pending, "R": bridge.ResultNotMeasurable, "X": bridge.Withdrawn, "hide": bridge.IgnoredResult},
	}
	tests := []bridge.Test{{Code: "LIPID_PANEL", LIMS: []string{"LIPID"}, Results: map[string]bridge.ObservationRule{"CHOL": {Code: "TOTAL_CHOLESTEROL", Unit: "mg/dL"}}}}
	f.Fuzz(func(t *testing.T, value, unit, status string, comma bool) {
		if status == "gone" {
			return // the tests' own word for a row that left
		}
		m, err := bridge.NewMapping(tests, words, nil, bridge.ValueRules{DecimalComma: comma})
		if err != nil {
			t.Fatal(err)
		}
		w := newWorld(t)
		w.m = m
		row := result("CHOL", value, status)
		row.Unit = unit
		w.show(order("LIPID", "A"), row)
		w.turn()
		w.at = w.at.Add(tenMin)
		plan := w.decide()

		var sent []whoop.Observation
		for _, a := range plan.Actions {
			if err := a.Report.Check(); a.Kind == bridge.SubmitReport && err != nil {
				t.Errorf("%q %q: %v", value, unit, err)
			}
			sent = append(sent, a.Report.Observations...)
		}
		_, known := words.Results[status]
		text := strings.TrimSpace(value)
		held := func(k bridge.HoldKind) bool {
			return slices.ContainsFunc(plan.Holds, func(h bridge.Hold) bool { return h.Kind == k })
		}
		if len(sent) == 0 {
			switch {
			case !known && !held(bridge.UnknownStatus):
				t.Errorf("the status %q is neither known nor held: %+v", status, plan)
			case status == "A" && !held(bridge.InvalidValue) && !held(bridge.UnknownUnit) && !slices.Contains(fuzzNone, strings.ToUpper(text)):
				t.Errorf("%q %q neither leaves nor is held: %+v", value, unit, plan)
			}
			return
		}
		o := sent[0]
		spelling := strings.ToLower(strings.NewReplacer(" ", "", "_", "").Replace(strings.TrimSpace(unit)))
		if len(sent) != 1 || status != "A" || o.Unit != "mg/dL" || !slices.Contains([]string{"", "mg/dl", "mg%", "mg/100ml"}, spelling) {
			t.Errorf("%q %q with status %q leaves as %+v", value, unit, status, sent)
		}
		written := []string{text}
		if comma && !strings.Contains(text, ".") {
			written = append(written, strings.ReplaceAll(text, ",", "."))
		}
		if number := o.Numeric.String(); number != "" {
			if rest, ok := strings.CutPrefix(text, "-"); strings.HasPrefix(rest, ".") {
				written = []string{"0" + rest}
				if ok {
					written[0] = "-0" + rest
				}
			}
			if !slices.Contains(written, number) || o.Text != "" || !json.Valid([]byte(number)) || comma && fuzzThousand.MatchString(text) {
				t.Errorf("%q leaves as %+v, decimal comma %v", value, o, comma)
			}
			return
		}
		if !slices.Contains(written, o.Text) || !slices.Contains(fuzzWords, strings.ToUpper(o.Text)) && !fuzzSigns.MatchString(o.Text) || strings.Contains(o.Text, ",") {
			t.Errorf("%q leaves as %+v, decimal comma %v", value, o, comma)
		}
	})
}
