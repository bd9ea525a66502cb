package bridge

import "strings"

// unitAliases maps spellings that labs use to one canonical form, the UCUM code (ucum.org,
// case-sensitive) of the same unit. A spelling that is not here equals only itself.
//
// Each line is one amount of one unit: 10*9/L and 10*3/uL are the same amount and stay apart. An
// underscore stands for a blank within a spelling. Micro signs (U+00B5, U+03BC) need no line.
var unitAliases = index(map[string]string{
	// Mass concentrations.
	"g/L":          "g/l G/L gm/L",
	"g/dL":         "g/dl G/DL gm/dL gm/dl GM/DL g% g/100mL g/100_mL",
	"mg/dL":        "mg/dl MG/DL mg% mg/100mL mg/100ml mg/100_mL",
	"mg/L":         "mg/l MG/L",
	"ug/L":         "ug/l UG/L mcg/L mcg/l MCG/L",
	"ug/dL":        "ug/dl UG/DL mcg/dL mcg/dl MCG/DL",
	"ug/mL":        "ug/ml UG/ML mcg/mL mcg/ml MCG/ML",
	"ng/L":         "ng/l NG/L",
	"ng/mL":        "ng/ml NG/ML",
	"ng/dL":        "ng/dl NG/DL",
	"pg/mL":        "pg/ml PG/ML",
	"pg":           "PG pg/cell",
	"fL":           "fl FL fl/cell fL/cell",
	"ug/g":         "mcg/g MCG/G UG/G",
	"mg/g":         "MG/G",
	"mg/g{creat}":  "mg/g_creat mg/g_Creat mg/g_CREAT mg/g_creatinine mg/gcreat",
	"ug/mg{creat}": "ug/mg_creat mcg/mg_creat ug/mg_creatinine mcg/mg_creatinine",
	"ug/mL{FEU}":   "ug/mL_FEU mcg/mL_FEU",
	"ng/mL{FEU}":   "ng/mL_FEU",
	// Amounts of substance.
	"mmol/L":   "mmol/l MMOL/L mM",
	"umol/L":   "umol/l UMOL/L mcmol/L",
	"nmol/L":   "nmol/l NMOL/L",
	"pmol/L":   "pmol/l PMOL/L",
	"mmol/mol": "MMOL/MOL",
	"mg/mmol":  "MG/MMOL",
	"meq/L":    "mEq/L MEQ/L mEq/l meq/l",
	"mosm/kg":  "mOsm/kg MOSM/KG mOsmol/kg mosmol/kg",
	// Activities. lU and Ul are IU and UI with a small L; UI is French and Spanish.
	"U/L":      "u/L u/l U/l UNITS/L units/L Units/L",
	"U/mL":     "u/mL u/ml U/ml U/ML units/mL",
	"kU/L":     "KU/L kU/l ku/L",
	"[iU]/L":   "IU/L IU/l iu/l iu/L lU/L lU/l Ul/l Ul/L UI/L UI/l ui/l",
	"[iU]/mL":  "IU/mL IU/ml IU/ML iu/ml iu/mL lU/mL lU/ml Ul/mL Ul/ml UI/mL UI/ml ui/ml",
	"m[iU]/L":  "mIU/L mIU/l MIU/L mlU/L mlU/l mUI/L mUI/l",
	"m[iU]/mL": "mIU/mL mIU/ml MIU/ML mlU/mL mlU/ml mUI/mL mUI/ml",
	"u[iU]/mL": "uIU/mL uIU/ml UIU/ML ulU/mL ulU/ml mcIU/mL uUI/mL uUI/ml",
	"k[iU]/L":  "kIU/L kIU/l klU/L",
	// Counts.
	"10*3/uL": "10^3/uL 10^3/ul 10*3/ul x10^3/uL X10^3/UL x10*3/uL x10E3/uL 10E3/uL x10(3)/uL 10(3)/uL 10*3/mcL 10^3/mcL x10^3/mcL x10(3)/mcL " +
		"K/uL k/uL K/UL K/ul K/mcL K/MCL thou/uL Thou/uL THOU/UL thous/uL Thous/uL Thousand/uL thousand/uL Thous/mcL thou/mcL " +
		"10*3/mm3 10^3/mm3 K/mm3 K/mm^3 K/cumm K/CUMM thou/mm3 thou/cumm mille/mm3 mille/mm^3",
	"10*6/uL": "10^6/uL 10^6/ul 10*6/ul x10^6/uL X10^6/UL x10*6/uL x10E6/uL 10E6/uL x10(6)/uL 10(6)/uL 10*6/mcL 10^6/mcL x10^6/mcL x10(6)/mcL " +
		"M/uL M/UL M/ul M/mcL M/MCL mill/uL Mill/uL MILL/UL Million/uL million/uL Mill/mcL mill/mcL " +
		"10*6/mm3 10^6/mm3 M/mm3 M/cumm M/CUMM mill/mm3 million/mm3 million/mm^3",
	"/uL":         "/ul /mcL /mm3 /mm^3 /cumm cells/uL cells/ul cells/mcL cells/mm3 Cell/ul",
	"10*9/L":      "10^9/L 10^9/l 10*9/l x10^9/L x10*9/L 10E9/L x10E9/L x10(9)/L 10(9)/L",
	"10*12/L":     "10^12/L 10^12/l 10*12/l x10^12/L x10*12/L 10E12/L x10E12/L x10(12)/L 10(12)/L",
	"{copies}/mL": "copies/mL copies/ml Copies/mL Copies/ml cp/mL cp/ml",
	"/[HPF]":      "/HPF /hpf",
	"/[LPF]":      "/LPF /lpf",
	// The rest.
	"%":                "percent PERCENT pct PCT",
	"{ratio}":          "ratio RATIO",
	"{index}":          "index INDEX Index",
	"[pH]":             "pH PH",
	"mm[Hg]":           "mmHg mm_Hg MMHG",
	"mm/h":             "mm/hr MM/HR mm/hour MM/H",
	"mL/min":           "ml/min ML/MIN",
	"mL/min/{1.73_m2}": "mL/min/1.73m2 ml/min/1.73m2 mL/min/1.73 mL/min/1.73m^2 mL/min/1.73_m2 ml/min/1.73_m2 mL/min/1.73_m^2 mL/min/{1.73_m2}",
	"s":                "sec SEC seconds secs",
})

func index(table map[string]string) map[string]string {
	m := map[string]string{}
	for canonical, spellings := range table {
		m[canonical] = canonical
		for s := range strings.FieldsSeq(spellings) {
			m[s] = canonical
			m[strings.ReplaceAll(s, "_", " ")] = canonical
		}
	}
	return m
}

// micro writes both micro signs as UCUM does.
var micro = strings.NewReplacer("\u00b5", "u", "\u03bc", "u")

// sameUnit reports whether two spellings are of one unit.
func sameUnit(a, b string) bool {
	if a = strings.TrimSpace(a); a == b {
		return true
	}
	x, y := unitAliases[micro.Replace(a)], unitAliases[micro.Replace(b)]
	return x != "" && x == y
}

// Unit decides how a row's unit leaves, given the configured one ("" for none): the configured
// spelling where the row's is the same unit or empty, the row's own where none is configured.
// The second result is false where they differ.
func Unit(row, configured string) (string, bool) {
	row = strings.TrimSpace(row)
	switch {
	case configured == "":
		return row, true
	case row == "":
		return configured, true
	}
	return configured, sameUnit(row, configured)
}
