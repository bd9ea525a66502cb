package lims

import "regexp"

// What SQLite tells: it knows neither accounts nor encryption, and the file is opened read-only.

func (sqliteDialect) account() string { return "" }

func (sqliteDialect) missing(string) string { return "" }

func (sqliteDialect) writable() string { return "" }

func (sqliteDialect) writes(answer) []string { return nil }

func (sqliteDialect) encrypted() string { return "" }

func (sqliteDialect) dirty(string) string { return "" }

func (sqliteDialect) explained(st statement, _ column) []statement {
	return []statement{{text: "EXPLAIN QUERY PLAN " + st.text, args: st.args}}
}

var sqliteDetail = regexp.MustCompile(`^(SCAN|SEARCH) (\S+)(?: USING (?:COVERING )?INDEX (\S+)| USING (INTEGER PRIMARY KEY))?`)

// steps reads EXPLAIN QUERY PLAN.
func (sqliteDialect) steps(a answer) (steps []Step) {
	for _, detail := range a.last() {
		if m := sqliteDetail.FindStringSubmatch(detail); m != nil {
			steps = append(steps, Step{Table: m[2], Index: m[3] + m[4], Whole: m[1] == "SCAN"})
		}
	}
	return steps
}

func (sqliteDialect) needs() LeftOut { return LeftOut{} }

func (sqliteDialect) index(string, string) string { return "" }
