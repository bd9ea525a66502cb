package config

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/goccy/go-yaml/ast"

	"limsbridge/bridge"
)

// longestCode is how long a code or word of the LIMS may be (the view contract).
const longestCode = 64

// Placeholder begins what limsbridge codes prints where WHOOP's code of a test belongs.
const Placeholder = "WHOOP_CODE_"

// orderWords and resultWords read the status maps: LIMS word to bridge word.
func orderWords(d *decoder, v value) {
	d.c.Words.Orders = words(d, v, bridge.OrderWords, bridge.OrderTables)
}
func resultWords(d *decoder, v value) {
	d.c.Words.Results = words(d, v, bridge.ResultWords, bridge.ResultTables)
}

// words reads one of them: a map, or the name of a standard's ready one.
func words[W ~string](d *decoder, v value, known []W, tables map[string]map[string]W) map[string]W {
	if _, ok := text(v.node); ok {
		ready := slices.Sorted(maps.Keys(tables))
		name, ok := d.scalar(v.node, v.path, false)
		if ok && tables[name] == nil {
			d.add(v, shown(name)+" is neither a map of the LIMS's words nor the name of a ready one",
				"write {LIMS_WORD: bridge_word, …}, or where the LIMS has HL7's letters "+strings.Join(ready, " or "))
		}
		return maps.Clone(tables[name])
	}
	var allowed []string
	for _, w := range known {
		allowed = append(allowed, string(w))
	}
	m := map[string]W{}
	d.members(v.node, v.path, func(v value) {
		lims := v.name
		d.short(v.key, v.path, lims)
		var ok bool
		if v.text, ok = d.scalar(v.node, v.path, false); !ok {
			return
		}
		if v.text == "" {
			d.add(v, "the bridge word is missing", "one of: "+folded(allowed, 84))
			return
		}
		var w W
		if word(&w, allowed...)(d, v); w != "" {
			m[lims] = w
		}
	})
	return m
}

// short refuses what the view contract has no room for.
func (d *decoder) short(n ast.Node, path, code string) {
	if len([]rune(code)) > longestCode {
		d.addAt(n, path, fmt.Sprintf("longer than %d characters", longestCode), "codes and words of the views have at most 64")
	}
}

// tests reads the map of what WHOOP orders: its LIMS tests and observations.
func tests(d *decoder, v value) {
	limsOf := map[string]string{} // LIMS code: the test that has it
	d.members(v.node, v.path, func(v value) {
		code := v.name
		d.short(v.key, v.path, code)
		if strings.HasPrefix(code, Placeholder) {
			d.addAt(v.key, v.path, "WHOOP's code of what is ordered is still to be filled in", "write it instead of "+code+", for example LIPID_PANEL").Kind = Unfilled
		}
		t := bridge.Test{Code: code, Results: map[string]bridge.ObservationRule{}}
		if empty(v.node) {
			d.addAt(v.key, v.path, "no results are listed", "write below it: results: {LIMS_CODE: {code: WHOOP_CODE, unit: mg/dL}}")
			return
		}
		d.section(v.node, v.path, []setting{
			{name: "lims", tree: true, read: func(d *decoder, v value) {
				for _, item := range d.items(v.node, v.path, false) {
					d.claim(limsOf, item.node, item.path, item.text, code)
					t.LIMS = append(t.LIMS, item.text)
				}
			}},
			{name: "results", tree: true, read: func(d *decoder, v value) { observations(d, v, &t) }},
		})
		if _, has := d.at[v.path+".lims"]; !has || len(t.LIMS) == 0 && !d.bad[v.path+".lims"] {
			d.claim(limsOf, v.key, v.path, code, code)
		}
		if at, has := d.at[v.path+".results"]; (!has || empty(at.node)) && !d.bad[v.path] {
			d.addAt(v.key, v.path, "no results are listed", "write below it: results: {LIMS_CODE: {code: WHOOP_CODE, unit: mg/dL}}")
		}
		d.c.Tests = append(d.c.Tests, t)
	})
}

// claim notes that a LIMS code belongs to a test; it cannot belong to two.
func (d *decoder) claim(limsOf map[string]string, n ast.Node, path, lims, code string) {
	d.short(n, path, lims)
	if other, taken := limsOf[lims]; taken && other != code {
		d.addAt(n, path, fmt.Sprintf("the LIMS code %s belongs to %s already", shown(lims), other),
			"a LIMS test answers one of WHOOP's tests: remove it from one of the two")
		return
	}
	limsOf[lims] = code
}

// observations reads the results of one test: LIMS result code to WHOOP's observation.
func observations(d *decoder, v value, t *bridge.Test) {
	codes := map[string]string{} // WHOOP's code: the LIMS code that has it
	d.members(v.node, v.path, func(v value) {
		lims := v.name
		d.short(v.key, v.path, lims)
		const example = "write for example {code: TOTAL_CHOLESTEROL, unit: mg/dL}"
		var rule bridge.ObservationRule
		var convert conversion
		if _, ok := pairs(v.node); !ok {
			if s, ok := d.scalar(v.node, v.path, false); ok {
				instead := example
				if s != "" && !smells.MatchString(s) {
					instead = fmt.Sprintf("write {code: %s}, with its unit where there is one", s)
				}
				d.add(v, "WHOOP's code and the unit belong here", instead)
			}
			return
		}
		d.section(v.node, v.path, []setting{
			{name: "code", read: line(&rule.Code)},
			{name: "unit", read: unit(&rule.Unit)},
			{name: "optional", read: boolean(&rule.Optional)},
			{name: "words", tree: true, read: list(&rule.Words)},
			{name: "convert", sub: convert.settings()},
		})
		conversionOf(d, convert, v.path, v.key, &rule)
		at, has := d.at[v.path+".code"]
		switch other := codes[rule.Code]; {
		case d.bad[v.path+".code"]:
		case rule.Code == "" && has:
			d.add(at, "WHOOP's code is missing", example)
		case rule.Code == "":
			d.addAt(v.key, v.path, "WHOOP's code is missing", example)
		case other != "":
			d.add(at, fmt.Sprintf("%s is the code of %s already", shown(rule.Code), other),
				"two observations of one test cannot have one code")
		default:
			codes[rule.Code] = lims
		}
		t.Results[lims] = rule
	})
}

// unit reads a unit; the view contract has room for 32 characters.
func unit(dst *string) read {
	return func(d *decoder, v value) {
		if len([]rune(v.text)) > 32 {
			d.add(v, "a unit has at most 32 characters", "")
			return
		}
		*dst = v.text
	}
}

// patientCheck reads patient_check: birth_date or off.
func patientCheck(d *decoder, v value) {
	var w string
	if word(&w, "birth_date", "off")(d, v); w == "off" {
		d.warn(v, "is off: a result of another patient would not be noticed")
	}
	d.c.PatientCheck = w == "birth_date"
}
