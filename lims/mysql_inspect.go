package lims

import (
	"regexp"
	"strings"
)

// What MySQL and MariaDB tell: SHOW GRANTS of one's own account, and EXPLAIN of what one may read.

func (mySQL) account() string {
	return "SELECT CONCAT(QUOTE(SUBSTRING_INDEX(CURRENT_USER(), '@', 1)), '@', QUOTE(SUBSTRING_INDEX(CURRENT_USER(), '@', -1)))"
}

// missing takes it that the right is missing: MySQL shows nothing of what one may not read.
func (mySQL) missing(object string) string {
	on, where := "'"+strings.ReplaceAll(object, "'", "''")+"'", ""
	if !strings.Contains(object, ".") {
		where = " FROM DUAL WHERE DATABASE() IS NOT NULL" // or there would be no statement, and an empty text
		on = "'`', DATABASE(), '`.', " + on
	}
	return "SELECT CONCAT('GRANT SELECT ON ', " + on + ", ' TO ', QUOTE(SUBSTRING_INDEX(CURRENT_USER(), '@', 1)), '@', QUOTE(SUBSTRING_INDEX(CURRENT_USER(), '@', -1)), ';')" + where
}

func (mySQL) writable() string { return "SHOW GRANTS" }

var grant = regexp.MustCompile(`^GRANT (.+?) ON (.+?) TO `)

// writes keeps of SHOW GRANTS only what writes, and of that only rights and names: in MariaDB its
// lines hold the password's hash.
func (mySQL) writes(a answer) (out []string) {
	for _, line := range a.last() {
		m := grant.FindStringSubmatch(line)
		if m == nil {
			continue
		}
		var rights []string
		for _, r := range []string{"ALL PRIVILEGES", "INSERT", "UPDATE", "DELETE", "DROP", "ALTER", "CREATE"} {
			if regexp.MustCompile(`(^|, )` + r + `( \(|,|$)`).MatchString(m[1]) {
				rights = append(rights, r)
			}
		}
		if len(rights) > 0 {
			out = append(out, m[2]+" ("+strings.Join(rights, ", ")+")")
		}
	}
	return out
}

func (mySQL) encrypted() string { return "SHOW SESSION STATUS LIKE 'Ssl_version'" }

func (mySQL) dirty(string) string { return "" } // no hint does; isolation is the session's

func (mySQL) explained(st statement, _ column) []statement {
	return []statement{{text: "EXPLAIN FORMAT=JSON " + st.text, args: st.args}}
}

// steps reads EXPLAIN FORMAT=JSON of MySQL and of MariaDB.
func (d mySQL) steps(a answer) (steps []Step) {
	eachObject(a, func(o map[string]string) {
		s := Step{Table: o["table_name"], Index: o["key"], Rows: o["rows"]}
		if s.Table == "" || strings.HasPrefix(s.Table, "<") { // a derived table, whose own parts are steps
			return
		}
		if s.Rows == "" {
			s.Rows = o["rows_examined_per_scan"]
		}
		if how := o["access_type"]; how == "ALL" || how == "index" {
			s.Whole = true
			if c := comparedColumn(o["attached_condition"]); c != "" {
				s.MakeIndex = d.index(s.Table, c)
			}
		}
		steps = append(steps, s)
	})
	return steps
}

func (mySQL) needs() LeftOut {
	return LeftOut{Reason: "EXPLAIN of a view takes rights on the tables beneath it, which the bridge does not need"}
}

func (mySQL) index(table, column string) string {
	return "CREATE INDEX limsbridge_" + column + " ON " + table + " (" + column + ");"
}
