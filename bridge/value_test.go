package bridge

import (
	"os"
	"regexp"
	"strings"
	"testing"
)

// What the lab says is no value is none, also where it looks like one; and no word is both.
func TestNoValueComesFirst(t *testing.T) {
	m, err := NewMapping(nil, Words{}, nil, ValueRules{NoValue: []string{"-1", "9999", "INDETERMINATE", "0-0"}})
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{"-1", " 9999 ", "Indeterminate", "0-0"} {
		if kind, leaves := m.Value(text, ObservationRule{}); kind != Unmeasurable || leaves != "" {
			t.Errorf("%q leaves as %q", text, leaves)
		}
	}
	for _, word := range []string{"qns", "-1"} {
		tests := []Test{{Code: "CBC", Results: map[string]ObservationRule{"WBC": {Code: "WBC", Words: []string{word}}}}}
		if _, err := NewMapping(tests, Words{}, nil, ValueRules{NoValue: []string{"-1"}}); err == nil || !strings.Contains(err.Error(), "WBC of CBC") {
			t.Errorf("%q is a result and none: %v", word, err)
		}
	}
}

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
		{"−5", BadValue, "", "a typographer's minus"},
		{"0x1F", BadValue, "", "RFC 8259"},
		{"Infinity", BadValue, "", "RFC 8259"},
		{"<.5", BadValue, "", "a comparator has a whole number (SN)"},
		{"1:0", BadValue, "", "no titre"},
		{"5+", BadValue, "", "grades end at four (SN)"},
	} {
		kind, leave := m.Value(tt.text, ObservationRule{})
		if kind != tt.kind || leave != tt.leave {
			t.Errorf("%q (%s): %v %q, want %v %q", tt.text, tt.why, kind, leave, tt.kind, tt.leave)
		}
	}
	for _, tt := range []struct {
		text  string
		kind  ValueKind
		leave string
		why   string
	}{
		{"5,40", Numeric, "5.40", "field notes: depends on the lab's locale"},
		{"-0,5", Numeric, "-0.5", "the same"},
		{"1,234", Numeric, "1.234", "the lab says that commas are points"},
		{"5.40", Numeric, "5.40", "an instrument's own point"},
		{"1.234", BadValue, "", "a thousand to who writes 5,4"},
		{"-1.234", BadValue, "", "the same"},
		{"> 1.000", BadValue, "", "the same within a comparator"},
		{"<1.234.567", BadValue, "", "the same"},
		{"500 - 1.000", BadValue, "", "the same within a range"},
		{"1.000-2.000", BadValue, "", "the same"},
		{"> 0.125", Textual, "> 0.125", "no thousands begin with a zero"},
		{"1.2345", Numeric, "1.2345", "no group of three digits"},
		{"1.234,5", BadValue, "", "a point and a comma"},
		{"1,234,567", BadValue, "", "two commas"},
		{"<0,5", Textual, "<0.5", "comparator (SN)"},
		{"10,5 - 15,2", Textual, "10.5 - 15.2", "range (SN)"},
		{"1:40", Textual, "1:40", "titre (SN)"},
		{"1,5:40", BadValue, "", "no titre"},
	} {
		kind, leave := comma.Value(tt.text, ObservationRule{})
		if kind != tt.kind || leave != tt.leave {
			t.Errorf("with a decimal comma, %q (%s): %v %q, want %v %q", tt.text, tt.why, kind, leave, tt.kind, tt.leave)
		}
	}
	own, err := NewMapping(nil, Words{}, nil, ValueRules{NoValue: []string{"QTY INSUFF"}})
	if err != nil {
		t.Fatal(err)
	}
	if kind, _ := own.Value("qty insuff", ObservationRule{}); kind != Unmeasurable {
		t.Errorf("the lab's own word for no value: %v", kind)
	}
	if kind, _ := m.Value("qty insuff", ObservationRule{}); kind != BadValue {
		t.Errorf("another lab's word for no value: %v", kind)
	}
	if kind, leave := m.Value("Yellow", ObservationRule{Words: []string{"Yellow"}}); kind != Textual || leave != "Yellow" {
		t.Errorf("a configured word: %v %q", kind, leave)
	}
}

// Each row names where its spelling comes from: UCUM (ucum.org), field notes E of the design, OpenELIS's
// own table of units, or the way laboratories of the United States print them.
func TestUnit(t *testing.T) {
	for _, tt := range []struct {
		row, configured, leaves string
		same                    bool
		why                     string
	}{
		{"mg/dL", "mg/dL", "mg/dL", true, "exact match"},
		{"MG/DL", "mg/dL", "mg/dL", true, "field notes"},
		{"mg%", "mg/dL", "mg/dL", true, "field notes"},
		{"", "mg/dL", "mg/dL", true, "the view has none: the configured one leaves"},
		{"mmol/L", "mg/dL", "mg/dL", false, "no conversion by default"},
		{"K/uL", "10*3/uL", "10*3/uL", true, "field notes; UCUM's 10*3/uL"},
		{"thou/mm3", "10*3/uL", "10*3/uL", true, "field notes"},
		{"10^3/\u00b5L", "10*3/uL", "10*3/uL", true, "micro sign"},
		{"10^3/\u03bcL", "10*3/uL", "10*3/uL", true, "Greek mu"},
		{"\u00b5g/dL", "ug/dL", "ug/dL", true, "micro sign"},
		{"ug/dL", "\u03bcg/dL", "\u03bcg/dL", true, "the configuration's own spelling leaves"},
		{"\u00b5IU/mL", "u[iU]/mL", "u[iU]/mL", true, "micro sign before a letter that is no UCUM"},
		{"x10(3)/mcL", "10*3/uL", "10*3/uL", true, "United States"},
		{"Thousand/uL", "10*3/uL", "10*3/uL", true, "United States"},
		{"x10E6/uL", "10*6/uL", "10*6/uL", true, "United States"},
		{"K/uL", "10*6/uL", "10*6/uL", false, "another power"},
		{"10*9/L", "10*3/uL", "10*3/uL", false, "the same amount, but another unit: its numbers are the same by luck only"},
		{"mlU/ml", "mIU/mL", "mIU/mL", true, "field notes: a small L for I"},
		{"Ul/l", "[iU]/L", "[iU]/L", true, "field notes: a small L for I"},
		{"lU/mL", "[iU]/mL", "[iU]/mL", true, "a small L for I"},
		{"U/L", "[iU]/L", "[iU]/L", false, "UCUM: an enzyme unit is not an international one"},
		{"mIU/L", "u[iU]/mL", "u[iU]/mL", false, "the same amount, but another unit"},
		{"meq/L", "mmol/L", "mmol/L", false, "UCUM: an equivalent is not a mole"},
		{"G/L", "10*9/L", "10*9/L", false, "giga or gram: nobody can tell"},
		{"mg/g creat", "mg/g{creat}", "mg/g{creat}", true, "UCUM annotation"},
		{"mg/g", "mg/g{creat}", "mg/g{creat}", false, "of what, it does not say"},
		{"mL/min/1.73 m2", "mL/min/{1.73_m2}", "mL/min/{1.73_m2}", true, "UCUM annotation"},
		{"mmHg", "mm[Hg]", "mm[Hg]", true, "UCUM"},
		{"furlong", "", "furlong", true, "none is configured: the row's own leaves"},
		{"furlong", "mg/dL", "mg/dL", false, "unknown"},
		{"Mg/dL", "mg/dL", "mg/dL", false, "UCUM: mega is not milli, and it is not in the table"},
		{" mg/dl ", "mg/dL", "mg/dL", true, "blanks around are none of it"},
		{"mg/l", "mg/L", "mg/L", true, "OpenELIS"},
		{"UI/L", "[iU]/L", "[iU]/L", true, "OpenELIS"},
		{"mille/mm3", "10*3/uL", "10*3/uL", true, "OpenELIS"},
		{"million/mm3", "10*6/uL", "10*6/uL", true, "OpenELIS"},
		{"Cell/\u00b5l", "/uL", "/uL", true, "OpenELIS"},
		{"copies/ml", "{copies}/mL", "{copies}/mL", true, "OpenELIS"},
		{"UI/L", "[iU]/mL", "[iU]/mL", false, "another volume"},
	} {
		leaves, same := Unit(tt.row, tt.configured)
		if leaves != tt.leaves || same != tt.same {
			t.Errorf("Unit(%q, %q) = %q, %v, want %q, %v (%s)", tt.row, tt.configured, leaves, same, tt.leaves, tt.same, tt.why)
		}
	}
}

// A spelling stands for one unit only, a unit's own code for itself, and no micro sign is needed.
func TestUnitAliasesAreUnambiguous(t *testing.T) {
	source, err := os.ReadFile("unit.go")
	if err != nil {
		t.Fatal(err)
	}
	_, table, _ := strings.Cut(string(source), "map[string]string{")
	table, _, _ = strings.Cut(table, "\n})")
	of, canonical := map[string]string{}, ""
	for _, line := range regexp.MustCompile(`(?m)^\t(?:"([^"]+)":\s*)?\t*"([^"]*)"`).FindAllStringSubmatch(table, -1) {
		if line[1] != "" {
			canonical = line[1]
		}
		for s := range strings.FieldsSeq(canonical + " " + line[2]) {
			if other, taken := of[s]; taken && other != canonical {
				t.Errorf("%q stands for %s and %s", s, other, canonical)
			}
			of[s] = canonical
			if micro.Replace(s) != s {
				t.Errorf("%q holds a micro sign", s)
			}
			if !strings.ContainsAny(s, "_") && unitAliases[s] != canonical {
				t.Errorf("%q leads to %q, not %q", s, unitAliases[s], canonical)
			}
		}
	}
	if len(of) < 300 {
		t.Errorf("only %d spellings were read", len(of))
	}
}
