package bridge

import "testing"

// Of HL7's letters only F, C and A release (table 0085) or F and C (table 0123). The traps: R is
// "entered, not verified" in the one and "stored, not yet verified" in the other, not "partial".
func TestHL7Tables(t *testing.T) {
	for _, tt := range []struct{ table, released, pending, unmeasurable, withdrawn string }{
		{"hl7_0085", "ACF", "BINOPRSUV", "X", "DW"}, // HL7 v2.8.2, table 0085, all of its letters
		{"hl7_0123", "CF", "AIOPRS", "", "X"},       // HL7 v2.8.2, table 0123; M N Y Z are held
	} {
		table, n := ResultTables[tt.table], 0
		for letters, word := range map[string]ResultWord{tt.released: Released, tt.pending: Pending, tt.unmeasurable: ResultNotMeasurable, tt.withdrawn: Withdrawn} {
			for _, l := range letters {
				n++
				if table[string(l)] != word {
					t.Errorf("%s: %c is %q, want %q", tt.table, l, table[string(l)], word)
				}
			}
		}
		if len(table) != n {
			t.Errorf("%s knows %d letters, want %d", tt.table, len(table), n)
		}
	}
	orders := OrderTables["hl7_0123"]
	for letters, word := range map[string]OrderWord{"OS": Accepted, "AIPR": Collected, "CF": Complete, "X": RejectedOrder, "MNYZ": ""} {
		for _, l := range letters {
			if orders[string(l)] != word {
				t.Errorf("order status %c is %q, want %q", l, orders[string(l)], word)
			}
		}
	}
	for name, table := range ResultTables {
		m, err := NewMapping(nil, Words{Results: table}, nil, ValueRules{})
		if err != nil || m.results["R"] == Released {
			t.Errorf("%s releases R (%v)", name, err)
		}
	}
}
