package bridge

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"limsbridge/lims"
)

// Mapping says what the LIMS's words and codes mean. It knows nothing that was not configured:
// an unknown word, code or unit is a hold, never a guess.
type Mapping struct {
	tests   []*Test
	orders  map[string]OrderWord
	results map[string]ResultWord
	byLIMS  map[string]*Test
	byCode  map[string]*Test
	ignore  map[string]bool
	values  ValueRules
}

// Words are the two status maps: LIMS word to bridge word. A nil map says that the view delivers
// bridge words itself.
type Words struct {
	Orders  map[string]OrderWord
	Results map[string]ResultWord
}

// Test is one orderable of WHOOP with the LIMS tests that make it up.
type Test struct {
	Code    string                     // WHOOP's code of the service request, e.g. LIPID_PANEL
	LIMS    []string                   // order codes of the LIMS; empty: the same as Code
	Results map[string]ObservationRule // by the LIMS's result code
}

// ObservationRule is how one LIMS result leaves.
type ObservationRule struct {
	Code     string // WHOOP's observation code
	Unit     string // as it leaves; "": the row's own
	Optional bool   // need not be measurable for the panel to be complete
	// Words are qualitative values beyond the known ones that this result may have.
	Words []string
	// Convert is how numbers in another unit become ones in Unit; nil: another unit is held.
	Convert *Conversion
}

// NewMapping indexes the tests and words. It returns an error for a LIMS code that stands in two
// tests, or two results of a test with one code; config has said so with file and line before.
func NewMapping(tests []Test, words Words, ignore []string, values ValueRules) (*Mapping, error) {
	m := &Mapping{
		orders: words.Orders, results: words.Results, values: values,
		byLIMS: map[string]*Test{}, byCode: map[string]*Test{}, ignore: map[string]bool{},
	}
	if len(m.orders) == 0 {
		m.orders = map[string]OrderWord{}
		for _, w := range OrderWords {
			m.orders[string(w)] = w
		}
	}
	if len(m.results) == 0 {
		m.results = map[string]ResultWord{}
		for _, w := range ResultWords {
			m.results[string(w)] = w
		}
	}
	for _, c := range ignore {
		m.ignore[c] = true
	}
	var errs []error
	for _, t := range tests {
		if len(t.LIMS) == 0 {
			t.LIMS = []string{t.Code}
		}
		if m.byCode[t.Code] != nil {
			errs = append(errs, fmt.Errorf("test %s stands twice", t.Code))
		}
		m.tests = append(m.tests, &t)
		m.byCode[t.Code] = &t
		for _, l := range t.LIMS {
			if m.byLIMS[l] != nil {
				errs = append(errs, fmt.Errorf("LIMS code %s belongs to %s and %s", l, m.byLIMS[l].Code, t.Code))
			}
			m.byLIMS[l] = &t
		}
		codes := map[string]bool{}
		for _, r := range t.Results {
			if codes[r.Code] {
				errs = append(errs, fmt.Errorf("observation %s of %s stands twice", r.Code, t.Code))
			}
			codes[r.Code] = true
			for _, w := range r.Words {
				if noValue[strings.ToUpper(w)] || values.noValue(w) {
					errs = append(errs, fmt.Errorf("%s of %s: %q stands for \"cannot be measured\", and under words: it would leave as a result", r.Code, t.Code, w))
				}
			}
		}
	}
	return m, errors.Join(errs...)
}

// Test returns the test that a LIMS order code belongs to, or nil.
func (m *Mapping) Test(limsCode string) *Test { return m.byLIMS[limsCode] }

// Conversion returns how a result of a test is converted, by WHOOP's codes; nil where it leaves as
// the LIMS has it.
func (m *Mapping) Conversion(test, observation string) *Conversion {
	if t := m.byCode[test]; t != nil {
		for _, r := range t.Results {
			if r.Code == observation {
				return r.Convert
			}
		}
	}
	return nil
}

// Codes returns WHOOP's codes of all configured tests, sorted.
func (m *Mapping) Codes() []string {
	var c []string
	for _, t := range m.tests {
		c = append(c, t.Code)
	}
	slices.Sort(c)
	return c
}

// saysComplete reports whether some word of the lab means that an order is complete.
func (m *Mapping) saysComplete() bool {
	for _, w := range m.orders {
		if w == Complete {
			return true
		}
	}
	return false
}

// ignores reports whether a row is none of WHOOP's business: its code is listed under ignore, or
// its status means ignore and its code is not configured either. A lab's own hidden results seldom
// are; a configured one that is hidden means something and is decided with its observation.
func (m *Mapping) ignores(row lims.Row) bool {
	if m.ignore[row.OrderCode] || row.Source == lims.Results && m.ignore[row.ResultCode] {
		return true
	}
	test := m.byLIMS[row.OrderCode]
	if row.Source == lims.Orders {
		return m.orders[row.Status] == IgnoredOrder && test == nil
	}
	if m.results[row.Status] != IgnoredResult {
		return false
	}
	if test == nil {
		return true
	}
	_, known := test.Results[row.ResultCode]
	return !known
}
