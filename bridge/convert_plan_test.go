package bridge_test

import (
	"math/big"
	"testing"
	"time"

	"limsbridge/bridge"
)

// What leaves is what is fingerprinted: the same row says nothing new, the same amount in the other
// unit says nothing new either, and another factor is a correction.
func TestConvertedResults(t *testing.T) {
	converts := func(factor int64) *bridge.Mapping {
		m, err := bridge.NewMapping([]bridge.Test{{Code: "LIPID_PANEL", LIMS: []string{"LIPID"}, Results: map[string]bridge.ObservationRule{
			"CHOL": {Code: "TOTAL_CHOLESTEROL", Unit: "mg/dL", Convert: &bridge.Conversion{From: "mmol/L", Factor: big.NewRat(factor, 100)}},
		}}}, bridge.Words{Orders: map[string]bridge.OrderWord{"A": bridge.Complete}, Results: map[string]bridge.ResultWord{"A": bridge.Released}}, nil, bridge.ValueRules{})
		if err != nil {
			t.Fatal(err)
		}
		return m
	}
	w := newWorld(t)
	w.m = converts(3867)
	row := result("CHOL", "5.40", "A")
	row.Unit = "mmol/L"
	for i, step := range []struct {
		change func()
		does   string
		holds  string
	}{
		{func() { w.show(order("LIPID", "A"), row) }, progress, ""},
		{nil, "look, final(TOTAL_CHOLESTEROL=209), FULL_RESULTS_READY", ""},
		{func() { row.Value = "5.41"; w.show(row) }, "", ""}, // 209.2047: the same when it leaves
		{func() { row.Value, row.Unit = "209", "mg/dL"; w.show(row) }, "", ""},
		{func() { row.Value, row.Unit = "5.40", "mmol/L"; w.show(row); w.m = converts(4000) }, "", ""},
		{nil, "corrected(TOTAL_CHOLESTEROL=216)", ""}, // settled
		{func() { row.Unit = "g/L"; w.show(row) }, "", "unknown_unit:r-CHOL"},
		{func() { row.Unit = ""; w.show(row) }, "", "unknown_unit:r-CHOL"},
	} {
		if step.change != nil {
			step.change()
		}
		if does := w.turn(); does != step.does || w.held() != step.holds {
			t.Errorf("step %d: %q held %q, want %q held %q", i, does, w.held(), step.does, step.holds)
		}
		w.at = w.at.Add(11 * time.Minute)
		if w.shown != nil {
			w.shown.Now = false
		}
	}
}
