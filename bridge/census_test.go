package bridge_test

import (
	"fmt"
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
