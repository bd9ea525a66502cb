package bridge

import (
	"regexp"
	"slices"
	"strings"

	"limsbridge/lims"
)

// ValueRules are the lab's own ways of writing values.
type ValueRules struct {
	// DecimalComma says that 5,4 is five point four. Without it a comma is ambiguous and held.
	DecimalComma bool
	// NoValue are words for "cannot be measured" beyond the known ones; compared without case.
	NoValue []string
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
	// commaNumber is a number, comparator or range whose points are commas.
	commaNumber = regexp.MustCompile(`^(-|(<|>|<=|>=|≤|≥) ?)?(0|[1-9][0-9]*),[0-9]+$|^[0-9]+(,[0-9]+)? ?- ?[0-9]+(,[0-9]+)?$`)
	// thousands holds a number whose points stand between groups of three digits, alone or within a
	// comparator or range.
	thousands = regexp.MustCompile(`(^|[^0-9.])[1-9][0-9]{0,2}(\.[0-9]{3})+($|[^0-9.])`)
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
// rewritings are .5 to 0.5 and, where the lab says so, decimal commas to points.
func (m *Mapping) Value(text string, rule ObservationRule) (ValueKind, string) {
	text = strings.TrimSpace(text)
	switch {
	case m.values.noValue(text): // before numbers: -1 or 9999 may stand for none
		return Unmeasurable, ""
	case slices.Contains(rule.Words, text):
		return Textual, text
	}
	if m.values.DecimalComma {
		if thousands.MatchString(text) {
			return BadValue, "" // 1.234 is a thousand to who writes 5,4
		}
		if !strings.Contains(text, ".") && commaNumber.MatchString(text) {
			text = strings.ReplaceAll(text, ",", ".")
		}
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

// noValue reports whether the text is one of the lab's own words for "not measurable".
func (r ValueRules) noValue(text string) bool {
	return slices.ContainsFunc(r.NoValue, func(w string) bool { return strings.EqualFold(w, text) })
}

// leaves reads value and unit of a row and returns how they leave. same is false where the row's
// unit is not the one that the rule knows.
func (m *Mapping) leaves(row lims.Row, rule ObservationRule) (kind ValueKind, text, unit string, same bool) {
	kind, text = m.Value(row.Value, rule)
	unit, same = Unit(row.Unit, rule.Unit)
	if c := rule.Convert; c != nil {
		bare := strings.TrimSpace(row.Unit) == ""
		switch {
		case sameUnit(row.Unit, c.From):
			kind, text = c.value(kind, text, slices.Contains(rule.Words, text))
			same = true
		case bare: // it may be in either unit
			same = false
		}
	}
	return kind, text, unit, same
}
