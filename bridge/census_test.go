package bridge_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"limsbridge/bridge"
	"limsbridge/lims"
)

// A census names what the plan would hold for the mapping's sake, and counts it, without a value.
func TestCensus(t *testing.T) {
	change := func(r lims.Row, f func(*lims.Row)) lims.Row { f(&r); return r }
	rows := []lims.Row{
		order("LIPID", "A"), order("LIPID", "Q"), order("GLU", "A"), order("GLU", "Q"), order("HEM_INDEX", "Q"),
		change(order("LIPID", "A"), func(r *lims.Row) { r.Requisition = "no UUID" }),
		result("CHOL", "5.40", "A"), result("CHOL", "4711.0815x", "A"), result("CHOL", "4711.0815y", "A"), result("CHOL", "pending…", "N"), result("CHOL", "5.40", "Q"),
		change(result("HDL", "1.2", "A"), func(r *lims.Row) { r.Unit = "mmol/L" }), change(result("HDL", "1.2", "A"), func(r *lims.Row) { r.Unit = "MG/DL" }),
		result("TRIG", "9", "A"), result("TRIG", "9", "hide"), result("HEM_INDEX", "9", "A"),
		change(result("CHOL", "", "A"), func(r *lims.Row) { r.Problem = "value is FLOAT" }),
	}
	c := mapping(t).Census()
	c.Add(rows[:3])
	c.Add(rows[3:])
	if c.Rows(lims.Orders) != 6 || c.Rows(lims.Results) != 11 {
		t.Errorf("%d and %d rows", c.Rows(lims.Orders), c.Rows(lims.Results))
	}
	var got []string
	for _, s := range []lims.Source{lims.Orders, lims.Results} {
		for _, u := range c.Unknown(s) {
			got = append(got, fmt.Sprint(s, " ", u.Kind, " ", strings.Join([]string{u.Test, u.Code, u.Word}, "/"), " ", u.Rows))
		}
	}
	want := `orders bad_id //requisition_id 1
orders unknown_order_code //GLU 2
orders unknown_status //Q 2
results bad_row //value is FLOAT 1
results bad_value LIPID/CHOL/ 2
results unknown_result_code LIPID//TRIG 1
results unknown_status //Q 1
results unknown_unit LIPID/HDL/mmol/L 1`
	if strings.Join(got, "\n") != want {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), want)
	}
	for _, h := range []bridge.HoldKind{bridge.BadID, bridge.UnknownOrderCode, bridge.UnknownStatus, bridge.BadRow, bridge.InvalidValue, bridge.UnknownResultCode, bridge.UnknownUnit} {
		if !strings.Contains(want, string(h)) {
			t.Errorf("%s is not counted", h)
		}
	}
}

// What a census counts of a row and what the plan holds of it are the same: a row is sound to both,
// or to neither, and the plan's reason is among those that were counted.
func TestCensusAgreesWithThePlan(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rnd := rand.New(rand.NewPCG(seed, 0))
	one := func(words ...string) string { return words[rnd.IntN(len(words))] }
	ofMapping := []bridge.HoldKind{bridge.BadRow, bridge.UnknownOrderCode, bridge.UnknownResultCode, bridge.UnknownStatus, bridge.UnknownUnit, bridge.InvalidValue}
	seen := map[bridge.HoldKind]int{}
	for range 500 {
		row := lims.Row{Source: lims.Results, ID: "r", Requisition: requisition.String(), OrderCode: one("LIPID", "LIPID", "LIPID", "GLU", "HEM_INDEX"), ResultCode: one("CHOL", "HDL", "TRIG", "HEM_INDEX"),
			Value: one("5.40", "<0.5", "NEG", "QNS", "1,234", "see note", ""), Unit: one("mg/dL", "MG/DL", "", "mmol/L"), Status: one("A", "A", "N", "X", "hide", "Q"), Problem: one("", "", "", "", "", "value is FLOAT")}
		if rnd.IntN(4) == 0 {
			row = lims.Row{Source: lims.Orders, ID: "r", Requisition: requisition.String(), OrderCode: one("LIPID", "GLU"), Status: one("A", "U", "Q", "hide")}
		}
		w := newWorld(t)
		w.show(order("LIPID", "A"), row)
		w.turn()
		c := w.m.Census()
		c.Add([]lims.Row{row})
		var counted, held []bridge.HoldKind
		for _, u := range c.Unknown(row.Source) {
			counted = append(counted, u.Kind)
			seen[u.Kind]++
		}
		for _, h := range w.rec.Holds {
			if h.Row == "r" && slices.Contains(ofMapping, h.Kind) {
				held = append(held, h.Kind)
			}
		}
		if len(held) > 1 || (len(held) == 0) != (len(counted) == 0) || len(held) == 1 && !slices.Contains(counted, held[0]) {
			t.Errorf("%+v: counted %v, held %v", row, counted, held)
		}
	}
	for _, k := range ofMapping {
		if seen[k] == 0 {
			t.Errorf("no row had %s", k)
		}
	}
}
