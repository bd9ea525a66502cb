package bridge

import (
	"regexp"
	"slices"
	"strings"
)

// ValueRules are the lab's own ways of writing values.
type ValueRules struct {
	// DecimalComma says that 5,4 is five point four. Without it a comma is ambiguous and held.
	DecimalComma bool
}

// ValueKind says what a result's text turned out to be.
type ValueKind int

// The kinds of value.
const (
	BadValue     ValueKind = iota // held: not known, or ambiguous
	Numeric                       // a JSON number literal (RFC 8259, section 6) with the lab's own digits
	Textual                       // a comparator, a titre, a range, or a known qualitative word
	Unmeasurable                  // a word that says that there is no value
)

var (
	jsonNumber = regexp.MustCompile(`^-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?$`)
	// oracleNumber is how Oracle prints numbers below one: without the leading zero.
	oracleNumber = regexp.MustCompile(`^-?\.[0-9]+$`)
	commaNumber  = regexp.MustCompile(`^-?(0|[1-9][0-9]*),[0-9]+$`)
	// textual forms of laboratory results; HL7 v2.5.1 type SN (2.A.70) writes the same ones in parts.
	comparator = regexp.MustCompile(`^(<|>|<=|>=|≤|≥) ?[0-9]+(\.[0-9]+)?$`)
	titre      = regexp.MustCompile(`^(<|>|<=|>=|≤|≥)? ?1:[1-9][0-9]*$`)
	interval   = regexp.MustCompile(`^[0-9]+(\.[0-9]+)? ?- ?[0-9]+(\.[0-9]+)?$`)
	grade      = regexp.MustCompile(`^[1-4]\+$`)
)

// qualitative are the words that are results in every lab; compared without case. Others must be
// listed with the result in the configuration.
var qualitative = words(`NEG NEGATIVE POS POSITIVE TRACE REACTIVE NONREACTIVE NON-REACTIVE
	DETECTED NOT_DETECTED PRESENT ABSENT NORMAL ABNORMAL INDETERMINATE EQUIVOCAL
	A+ A- B+ B- AB+ AB- O+ O- A B AB O`)

// noValue are the words with which labs say that there is no value (field practice; HL7
// table 0070/0490 carry the reasons). They are never a value, whatever the status says.
var noValue = words(`QNS TNP HEMOLYZED HAEMOLYZED HEMOLYSED HAEMOLYSED CLOTTED`)

func words(s string) map[string]bool {
	m := map[string]bool{}
	for w := range strings.FieldsSeq(s) {
		m[strings.ReplaceAll(w, "_", " ")] = true
	}
	return m
}

// Value reads a result's text and returns how it leaves. The digits are the lab's own; the only
// rewritings are .5 to 0.5 and, where the lab says so, the decimal comma.
func (m *Mapping) Value(text string, rule ObservationRule) (ValueKind, string) {
	text = strings.TrimSpace(text)
	if slices.Contains(rule.Words, text) {
		return Textual, text
	}
	if m.values.DecimalComma && commaNumber.MatchString(text) {
		text = strings.Replace(text, ",", ".", 1)
	}
	upper := strings.ToUpper(text)
	switch {
	case jsonNumber.MatchString(text):
		return Numeric, text
	case oracleNumber.MatchString(text):
		return Numeric, strings.Replace(text, ".", "0.", 1)
	case comparator.MatchString(text), titre.MatchString(text), interval.MatchString(text), grade.MatchString(text):
		return Textual, text
	case qualitative[upper]:
		return Textual, text
	case noValue[upper]:
		return Unmeasurable, ""
	}
	return BadValue, ""
}
