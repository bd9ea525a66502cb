package limstest

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Config is what the lab's IT would configure for this lab: the bridge's status, tests and
// ignore settings, as plain values.
type Config struct {
	Orders  map[string]string // LIMS word of an order: bridge word
	Results map[string]string // LIMS word of a result: bridge word
	Tests   []Test
	Ignore  []string // result codes that are not WHOOP's
}

// Test is one WHOOP order code with its LIMS tests and observations.
type Test struct {
	Code    string   // WHOOP's
	LIMS    []string // the LIMS's order codes
	Results []Result
}

// Result is one observation of a test.
type Result struct {
	LIMS     string // the LIMS's result code
	Code     string // WHOOP's
	Unit     string // as it leaves; "": the row's own
	Optional bool

	of        int      // which of the test's LIMS tests reports it
	spellings []string // of the unit in the LIMS
	low, high int      // whole part of its numbers; both 0: text only
	texts     []string // values that are text
}

// Mapping returns the lab's configuration. The caller may change it.
func Mapping() Config {
	return Config{
		Orders: map[string]string{
			"U": "accepted", "I": "collected", "P": "collected", "C": "collected", "A": "complete",
			"R": "not_measurable", "X": "rejected", "N": "no_show",
		},
		Results: map[string]string{
			"A": "released", "N": "pending", "E": "pending", "R": "not_measurable", "X": "withdrawn", "hidden": "ignore",
		},
		Tests:  catalog(),
		Ignore: []string{"HEM_INDEX", "LIPEMIA"},
	}
}

// YAML returns the configuration as the status, tests and ignore blocks of limsbridge.yaml.
func (c Config) YAML() string {
	var b strings.Builder
	words := func(m map[string]string) string {
		var out []string
		for _, k := range slices.Sorted(maps.Keys(m)) {
			out = append(out, k+": "+m[k])
		}
		return "{" + strings.Join(out, ", ") + "}"
	}
	fmt.Fprintf(&b, "status:\n  orders:  %s\n  results: %s\ntests:\n", words(c.Orders), words(c.Results))
	for _, t := range c.Tests {
		fmt.Fprintf(&b, "  %s:\n    lims: [%s]\n    results:\n", t.Code, strings.Join(t.LIMS, ", "))
		for _, r := range t.Results {
			line := "code: " + r.Code
			if r.Unit != "" {
				line += ", unit: '" + r.Unit + "'"
			}
			if r.Optional {
				line += ", optional: true"
			}
			fmt.Fprintf(&b, "      %s: {%s}\n", r.LIMS, line)
		}
	}
	fmt.Fprintf(&b, "ignore: [%s]\n", strings.Join(c.Ignore, ", "))
	return b.String()
}

// catalog is what the lab measures. 001 and 25OHD are codes that a careless YAML reader would
// take for numbers.
func catalog() []Test {
	mgdl := []string{"mg/dL", "mg/dL", "mg/dl", "MG/DL", ""}
	thousand := []string{"10*3/uL", "K/uL", "10^3/uL", "thou/mm3"}
	mmol := []string{"mmol/L", "mmol/l"}
	return []Test{
		{Code: "LIPID_PANEL", LIMS: []string{"LIPID"}, Results: []Result{
			{LIMS: "CHOL", Code: "TOTAL_CHOLESTEROL", Unit: "mg/dL", spellings: mgdl, low: 120, high: 290},
			{LIMS: "HDL", Code: "HDL", Unit: "mg/dL", spellings: mgdl, low: 30, high: 90},
			{LIMS: "LDLC", Code: "LDL", Unit: "mg/dL", Optional: true, spellings: mgdl, low: 50, high: 190},
			{LIMS: "TRIG", Code: "TRIGLYCERIDES", Unit: "mg/dL", spellings: mgdl, low: 40, high: 390, texts: []string{"> 1000", "≥100"}},
		}},
		{Code: "CBC", LIMS: []string{"CBC", "DIFF"}, Results: []Result{
			{LIMS: "WBC", Code: "WBC", Unit: "10*3/uL", spellings: thousand, low: 3, high: 12},
			{LIMS: "RBC", Code: "RBC", Unit: "10*6/uL", spellings: []string{"10*6/uL"}, low: 3, high: 6},
			{LIMS: "HGB", Code: "HEMOGLOBIN", Unit: "g/dL", spellings: []string{"g/dL", "g/dl"}, low: 11, high: 17},
			{LIMS: "HCT", Code: "HEMATOCRIT", Unit: "%", spellings: []string{"%"}, low: 35, high: 50},
			{LIMS: "PLT", Code: "PLATELETS", Unit: "10*3/uL", spellings: thousand, low: 140, high: 420},
			{LIMS: "NEUT_PCT", Code: "NEUTROPHILS", Unit: "%", of: 1, spellings: []string{"%", ""}, low: 40, high: 75},
			{LIMS: "LYMPH_PCT", Code: "LYMPHOCYTES", Unit: "%", of: 1, spellings: []string{"%"}, low: 20, high: 45},
		}},
		{Code: "BASIC_METABOLIC_PANEL", LIMS: []string{"BMP"}, Results: []Result{
			{LIMS: "NA", Code: "SODIUM", Unit: "mmol/L", spellings: mmol, low: 133, high: 147},
			{LIMS: "K", Code: "POTASSIUM", Unit: "mmol/L", spellings: mmol, low: 3, high: 5},
			{LIMS: "CL", Code: "CHLORIDE", Unit: "mmol/L", spellings: mmol, low: 96, high: 108},
			{LIMS: "CO2", Code: "CARBON_DIOXIDE", Unit: "mmol/L", spellings: mmol, low: 20, high: 31},
			{LIMS: "GLU", Code: "GLUCOSE", Unit: "mg/dL", spellings: mgdl, low: 65, high: 180},
			{LIMS: "BUN", Code: "UREA_NITROGEN", Unit: "mg/dL", spellings: mgdl, low: 6, high: 25},
			{LIMS: "CREA", Code: "CREATININE", Unit: "mg/dL", spellings: mgdl, low: 0, high: 2},
			{LIMS: "CA", Code: "CALCIUM", Unit: "mg/dL", spellings: mgdl, low: 8, high: 11},
		}},
		{Code: "HBA1C", LIMS: []string{"A1C"}, Results: []Result{
			{LIMS: "A1C", Code: "HBA1C", spellings: []string{"%"}, low: 4, high: 11},
		}},
		{Code: "TSH", LIMS: []string{"001"}, Results: []Result{
			{LIMS: "001", Code: "TSH", Unit: "mIU/L", spellings: []string{"mIU/L", ""}, low: 0, high: 6, texts: []string{"<0.01", "<0.5"}},
		}},
		{Code: "VITAMIN_D", LIMS: []string{"VITD"}, Results: []Result{
			{LIMS: "25OHD", Code: "VITAMIN_D_25_OH", Unit: "ng/mL", spellings: []string{"ng/mL", "ng/ml"}, low: 8, high: 90, texts: []string{"<4", "> 200"}},
		}},
		{Code: "BLOOD_TYPE", LIMS: []string{"ABORH"}, Results: []Result{
			{LIMS: "ABORH", Code: "BLOOD_TYPE", texts: []string{"A+", "A-", "B+", "AB+", "O+", "O-"}},
		}},
		{Code: "ANA", LIMS: []string{"ANA"}, Results: []Result{
			{LIMS: "TITER", Code: "ANA_TITER", texts: []string{"1:40", "1:80", "1:320"}},
		}},
		{Code: "URINALYSIS", LIMS: []string{"UA"}, Results: []Result{
			{LIMS: "PROT", Code: "URINE_PROTEIN", texts: []string{"NEG", "Trace", "1+", "2+"}},
			{LIMS: "KET", Code: "URINE_KETONES", texts: []string{"NEG", "Trace", "1+"}},
			{LIMS: "SG", Code: "SPECIFIC_GRAVITY", low: 1, high: 1},
			{LIMS: "CELLS", Code: "URINE_WBC", texts: []string{"0-5", "10-15", "NEG"}},
		}},
	}
}
