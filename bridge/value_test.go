package bridge

import "testing"

// Each row names where it comes from: field notes E of the design, RFC 8259 section 6, HL7 v2.5.1
// 2.A.70 (SN).
func TestValue(t *testing.T) {
	m, err := NewMapping(nil, Words{}, nil, ValueRules{})
	if err != nil {
		t.Fatal(err)
	}
	comma, err := NewMapping(nil, Words{}, nil, ValueRules{DecimalComma: true})
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		text  string
		kind  ValueKind
		leave string
		why   string
	}{
		{"5.40", Numeric, "5.40", "trailing zeros are information"},
		{"0", Numeric, "0", "RFC 8259"},
		{"-0.5", Numeric, "-0.5", "RFC 8259"},
		{"1E3", Numeric, "1E3", "RFC 8259"},
		{" 5.4 ", Numeric, "5.4", "white space around a value is none of it"},
		{"123456789012345678901234567890.123456789", Numeric, "123456789012345678901234567890.123456789", "digits leave as written"},
		{".5", Numeric, "0.5", "Oracle's way, the only rewriting"},
		{"-.5", Numeric, "-0.5", "Oracle's way"},
		{"5.", BadValue, "", "not a JSON number"},
		{"+5", BadValue, "", "not a JSON number"},
		{"007", BadValue, "", "not a JSON number"},
		{"5,4", BadValue, "", "depends on the lab's locale"},
		{"1,234", BadValue, "", "ambiguous"},
		{"<0.5", Textual, "<0.5", "comparator (SN)"},
		{"> 200", Textual, "> 200", "comparator (SN)"},
		{"≥100", Textual, "≥100", "comparator"},
		{"<=3", Textual, "<=3", "comparator (SN)"},
		{"1:40", Textual, "1:40", "titre (SN)"},
		{"<1:20", Textual, "<1:20", "titre"},
		{"1+", Textual, "1+", "grade (SN)"},
		{"10-15", Textual, "10-15", "range (SN)"},
		{"NEG", Textual, "NEG", "qualitative"},
		{"Trace", Textual, "Trace", "qualitative"},
		{"not detected", Textual, "not detected", "qualitative"},
		{"A+", Textual, "A+", "blood group"},
		{"QNS", Unmeasurable, "", "quantity not sufficient"},
		{"TNP", Unmeasurable, "", "test not performed"},
		{"Hemolyzed", Unmeasurable, "", "specimen"},
		{"CLOTTED", Unmeasurable, "", "specimen"},
		{"See note", BadValue, "", "not a value"},
		{"*", BadValue, "", "not a value"},
		{"NaN", BadValue, "", "not a value"},
		{"#N/A", BadValue, "", "not a value"},
		{"OVER", BadValue, "", "not a value"},
		{"", BadValue, "", "not a value"},
		{"1 000", BadValue, "", "ambiguous"},
		{"5.4\u00a0", Numeric, "5.4", "no-break space around"},
		{"٥", BadValue, "", "digits are ASCII"},
		{"5.4 mg/dL", BadValue, "", "a unit in the value"},
	} {
		kind, leave := m.Value(tt.text, ObservationRule{})
		if kind != tt.kind || leave != tt.leave {
			t.Errorf("%q (%s): %v %q, want %v %q", tt.text, tt.why, kind, leave, tt.kind, tt.leave)
		}
	}
	if kind, leave := comma.Value("5,40", ObservationRule{}); kind != Numeric || leave != "5.40" {
		t.Errorf("5,40 with a decimal comma: %v %q", kind, leave)
	}
	if kind, _ := comma.Value("1,234,567", ObservationRule{}); kind != BadValue {
		t.Errorf("1,234,567 with a decimal comma is held, not %v", kind)
	}
	if kind, leave := m.Value("Yellow", ObservationRule{Words: []string{"Yellow"}}); kind != Textual || leave != "Yellow" {
		t.Errorf("a configured word: %v %q", kind, leave)
	}
}

func TestUnit(t *testing.T) {
	for _, tt := range []struct {
		row, configured, leaves string
		same                    bool
	}{
		{"mg/dL", "mg/dL", "mg/dL", true},
		{"MG/DL", "mg/dL", "mg/dL", true},
		{"mg%", "mg/dL", "mg/dL", true},
		{"", "mg/dL", "mg/dL", true},
		{"mmol/L", "mg/dL", "mg/dL", false},
		{"K/uL", "10*3/uL", "10*3/uL", true},
		{"10^3/\u00b5L", "10*3/uL", "10*3/uL", true},
		{"10^3/\u03bcL", "10*3/uL", "10*3/uL", true},
		{"10*9/L", "10*3/uL", "10*3/uL", false}, // the same amount, but another unit: no conversion by default
		{"mlU/ml", "mIU/mL", "mIU/mL", true},
		{"furlong", "", "furlong", true},
		{"furlong", "mg/dL", "mg/dL", false},
		{"Mg/dL", "mg/dL", "mg/dL", false}, // not in the table: held
		{" mg/dl ", "mg/dL", "mg/dL", true},
		{"mg/l", "mg/L", "mg/L", true}, // this and the next: OpenELIS's own spellings
		{"UI/L", "[iU]/L", "[iU]/L", true},
		{"mille/mm3", "10*3/uL", "10*3/uL", true},
		{"million/mm3", "10*6/uL", "10*6/uL", true},
		{"Cell/\u00b5l", "/uL", "/uL", true},
		{"copies/ml", "{copies}/mL", "{copies}/mL", true},
		{"UI/L", "[iU]/mL", "[iU]/mL", false},
	} {
		leaves, same := Unit(tt.row, tt.configured)
		if leaves != tt.leaves || same != tt.same {
			t.Errorf("Unit(%q, %q) = %q, %v, want %q, %v", tt.row, tt.configured, leaves, same, tt.leaves, tt.same)
		}
	}
}

func TestUnitAliasesAreUnambiguous(t *testing.T) {
	// A spelling that is canonical for one unit must not be an alias of another.
	for spelling, canonical := range unitAliases {
		if c, ok := unitAliases[canonical]; !ok || c != canonical {
			t.Errorf("%q leads to %q, which leads to %q", spelling, canonical, c)
		}
	}
}
