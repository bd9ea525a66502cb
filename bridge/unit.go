package bridge

import "strings"

// unitAliases maps spellings that labs use to one canonical form, the UCUM code (ucum.org,
// case-sensitive) of the same unit. A spelling that is not here equals only itself.
var unitAliases = index(map[string]string{
	"mg/dL":            "mg/dl MG/DL mg% mg/100mL mg/100ml",
	"g/dL":             "g/dl G/DL gm/dL g% g/100mL",
	"g/L":              "g/l G/L",
	"mg/L":             "mg/l MG/L",
	"ug/L":             "ug/l UG/L µg/L μg/L µg/l μg/l mcg/L mcg/l",
	"ug/dL":            "ug/dl UG/DL µg/dL μg/dL mcg/dL mcg/dl",
	"ng/mL":            "ng/ml NG/ML",
	"ng/dL":            "ng/dl NG/DL",
	"pg/mL":            "pg/ml PG/ML",
	"pg":               "PG",
	"fL":               "fl FL",
	"mmol/L":           "mmol/l MMOL/L mM",
	"umol/L":           "umol/l UMOL/L µmol/L μmol/L mcmol/L",
	"nmol/L":           "nmol/l NMOL/L",
	"pmol/L":           "pmol/l PMOL/L",
	"mmol/mol":         "MMOL/MOL",
	"meq/L":            "mEq/L MEQ/L mEq/l meq/l",
	"U/L":              "u/l U/l UNITS/L units/L",
	"[iU]/L":           "IU/L IU/l iu/l lU/L Ul/l Ul/L UI/L UI/l ui/l", // UI: French and Spanish
	"[iU]/mL":          "IU/mL IU/ml iu/ml UI/mL UI/ml ui/ml",
	"m[iU]/L":          "mIU/L mIU/l mlU/L",
	"m[iU]/mL":         "mIU/mL mIU/ml mlU/mL mlU/ml",
	"u[iU]/mL":         "uIU/mL uIU/ml µIU/mL μIU/mL ulU/mL mcIU/mL",
	"10*3/uL":          "10^3/uL x10^3/uL x10E3/uL 10E3/uL 10*3/µL 10*3/μL 10^3/µL 10^3/μL K/uL k/uL K/µL K/μL thou/uL thou/mm3 Thousand/uL 10*3/mm3 10^3/µl 10^3/μl K/mm3 K/mm^3 mille/mm3 mille/mm^3",
	"10*6/uL":          "10^6/uL x10^6/uL x10E6/uL 10E6/uL 10*6/µL 10*6/μL 10^6/µL 10^6/μL M/uL M/µL M/μL mill/uL mill/mm3 Million/uL million/uL 10*6/mm3 10^6/µl 10^6/μl million/mm3 million/mm^3",
	"/uL":              "/µL /μL /µl /μl /mm3 /mm^3 cells/uL cells/µL cells/μL cells/mm3 Cell/µl Cell/μl",
	"{copies}/mL":      "copies/mL copies/ml Copies/mL Copies/ml cp/mL cp/ml",
	"10*9/L":           "10^9/L x10^9/L 10E9/L x10E9/L",
	"10*12/L":          "10^12/L x10^12/L 10E12/L x10E12/L",
	"%":                "percent PERCENT pct",
	"mm/h":             "mm/hr MM/HR mm/hour",
	"mL/min":           "ml/min ML/MIN",
	"mL/min/{1.73_m2}": "mL/min/1.73m2 ml/min/1.73m2 mL/min/1.73 mL/min/1.73m^2",
	"{ratio}":          "ratio RATIO",
	"s":                "sec SEC seconds",
})

func index(table map[string]string) map[string]string {
	m := map[string]string{}
	for canonical, spellings := range table {
		m[canonical] = canonical
		for s := range strings.FieldsSeq(spellings) {
			m[s] = canonical
		}
	}
	return m
}

// Unit decides how a row's unit leaves, given the configured one ("" for none): the configured
// spelling where the row's is the same unit or empty, the row's own where none is configured.
// The second result is false where they differ; nothing is ever converted.
func Unit(row, configured string) (string, bool) {
	row = strings.TrimSpace(row)
	switch {
	case configured == "" || row == configured:
		return row, true
	case row == "":
		return configured, true
	}
	a, b := unitAliases[row], unitAliases[configured]
	return configured, a != "" && a == b
}
