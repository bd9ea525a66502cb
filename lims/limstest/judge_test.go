package limstest_test

import (
	"database/sql"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"limsbridge/lims/limstest"
)

// judge is a bridge without memory limits, delays or a network: it looks at the views after every
// step of the lab and writes down what an ideal bridge would have sent. It knows the rules, and
// nothing of how the lab was made.
type judge struct {
	config limstest.Config
	truth  limstest.Truth
	start  string // stamps before it do not count
	read   *sql.DB

	versions map[string][]string // service request and observation: "value|unit|status"
	stamps   map[string]string   // the stamp of its last version
	ended    map[string]string   // service request: its terminal issue
	status   map[string]string   // service request: furthest business status
	final    map[string]bool
	holds    map[string]bool // now: "requisition kind source row"
}

type viewRow struct {
	source, id, stamp, requisition, order, status string
	reason, birth                                 string // orders
	result, value, unit                           string // results
}

func openReader(t *testing.T, path string) *sql.DB {
	t.Helper()
	db, err := sql.Open("sqlite", "file:"+path+"?mode=ro&_pragma=busy_timeout(1000)")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}

func newJudge(t *testing.T, l *limstest.Lab, path string) *judge {
	return &judge{
		config: limstest.Mapping(), truth: l.Truth(), read: openReader(t, path),
		start:    l.Start().UTC().Format("2006-01-02 15:04:05.000"),
		versions: map[string][]string{}, stamps: map[string]string{}, ended: map[string]string{}, status: map[string]string{}, final: map[string]bool{},
	}
}

func (j *judge) rows(t *testing.T) []viewRow {
	t.Helper()
	var out []viewRow
	for _, view := range [][2]string{
		{"orders", "coalesce(reason, ''), coalesce(birth_date || '', ''), '', '', ''"},
		{"results", "'', '', result_code, coalesce(value, ''), coalesce(unit, '')"},
	} {
		source, columns := view[0], view[1]
		// The concatenation keeps the driver from turning the DATETIME into a time.
		rs, err := j.read.Query("SELECT row_id, changed_at || '', requisition_id, order_code, status, " + columns + " FROM whoop_" + source + " ORDER BY row_id")
		if err != nil {
			t.Fatal(err)
		}
		for rs.Next() {
			r := viewRow{source: source}
			if err := rs.Scan(&r.id, &r.stamp, &r.requisition, &r.order, &r.status, &r.reason, &r.birth, &r.result, &r.value, &r.unit); err != nil {
				t.Fatal(err)
			}
			out = append(out, r)
		}
		if err := rs.Err(); err != nil {
			t.Fatal(err)
		}
		rs.Close()
	}
	return out
}

var (
	number = regexp.MustCompile(`^(0|[1-9][0-9]*)?(\.[0-9]+)?$`)
	text   = regexp.MustCompile(`^([<>≥] ?[0-9.]+|1:[0-9]+|[0-9]+-[0-9]+|[1-4]\+|NEG|Trace|(A|B|AB|O)[+-])$`)
	none   = regexp.MustCompile(`^(QNS|TNP|HEMOLYZED|CLOTTED)$`)
	canon  = map[string]string{"mg/dl": "mg/dL", "MG/DL": "mg/dL", "g/dl": "g/dL", "ng/ml": "ng/mL", "mmol/l": "mmol/L", "K/uL": "10*3/uL", "10^3/uL": "10*3/uL", "thou/mm3": "10*3/uL"}
)

// observe takes in what the views show now.
func (j *judge) observe(t *testing.T) {
	t.Helper()
	j.holds = map[string]bool{}
	byRequisition := map[string][]viewRow{}
	for _, r := range j.rows(t) {
		if r.stamp >= j.start {
			key := strings.ToLower(r.requisition)
			byRequisition[key] = append(byRequisition[key], r)
		}
	}
	known := map[string]limstest.Requisition{}
	for _, q := range j.truth.Requisitions {
		if !q.Unknown {
			known[q.ID.String()] = q
		}
	}
	for id, rows := range byRequisition {
		q, ok := known[id]
		hold := func(kind string, about ...viewRow) {
			for _, r := range about {
				j.holds[strings.Join([]string{id, kind, r.source, r.id}, " ")] = true
			}
		}
		switch {
		case len(id) != 36:
			hold("bad_id", rows...)
			continue
		case !ok:
			hold("not_found", rows...)
			continue
		}
		wrong := slices.DeleteFunc(slices.Clone(rows), func(r viewRow) bool { return r.source != "orders" || r.birth == q.Patient.BirthDate })
		if len(wrong) > 0 {
			hold("other_patient", wrong...)
			continue
		}
		if slices.ContainsFunc(q.Requests, func(s limstest.Request) bool { return s.Initial != "" }) {
			hold("reported_elsewhere", rows...)
			continue
		}
		j.requisition(q, rows, hold)
	}
}

func (j *judge) requisition(q limstest.Requisition, rows []viewRow, hold func(string, ...viewRow)) {
	byRequest := map[string][]viewRow{}
	for _, r := range rows {
		i := slices.IndexFunc(j.config.Tests, func(t limstest.Test) bool { return slices.Contains(t.LIMS, r.order) })
		if i < 0 {
			hold("unknown_order_code", r)
			continue
		}
		var ids []string
		for _, s := range q.Requests {
			if s.Code == j.config.Tests[i].Code {
				ids = append(ids, s.ID.String())
			}
		}
		switch len(ids) {
		case 0:
			hold("not_ordered", r)
		case 1:
			byRequest[ids[0]] = append(byRequest[ids[0]], r)
		default:
			hold("two_requests", r)
		}
	}
	for _, s := range q.Requests {
		if rows := byRequest[s.ID.String()]; len(rows) > 0 {
			i := slices.IndexFunc(j.config.Tests, func(t limstest.Test) bool { return t.Code == s.Code })
			j.request(s, j.config.Tests[i], rows, hold)
		}
	}
}

// request decides one service request by the table of the design.
func (j *judge) request(s limstest.Request, def limstest.Test, rows []viewRow, hold func(string, ...viewRow)) {
	id := s.ID.String()
	var orders []viewRow
	words := map[string]int{}
	for _, r := range rows {
		if r.source == "orders" {
			word, ok := j.config.Orders[r.status]
			if !ok {
				hold("unknown_status", r)
				return
			}
			orders = append(orders, r)
			words[word]++
		}
	}
	live := map[string][]viewRow{} // by observation, released or pending
	dead := map[string][]viewRow{}
	released, missing, blocked := false, false, false
	for _, r := range rows {
		if r.source != "results" || slices.Contains(j.config.Ignore, r.result) {
			continue
		}
		i := slices.IndexFunc(def.Results, func(d limstest.Result) bool { return d.LIMS == r.result })
		word, ok := j.config.Results[r.status]
		switch {
		case i < 0:
			hold("unknown_result_code", r)
			blocked = true
		case !ok:
			hold("unknown_status", r)
			blocked = true
		case word == "ignore":
		case word == "withdrawn":
			dead[def.Results[i].Code] = append(dead[def.Results[i].Code], r)
		case word == "not_measurable", word == "released" && none.MatchString(r.value):
			if !def.Results[i].Optional {
				hold("not_measurable", r)
				missing = true
			}
		case word == "pending":
			live[def.Results[i].Code] = append(live[def.Results[i].Code], r)
			missing = true
		default:
			unit := def.Results[i].Unit
			if r.unit != "" && unit != "" && r.unit != unit && canon[r.unit] != unit {
				hold("unknown_unit", r)
				blocked = true
				continue
			}
			if r.value == "" || !number.MatchString(r.value) && !text.MatchString(r.value) {
				hold("bad_value", r)
				blocked = true
				continue
			}
			if unit != "" {
				r.unit = unit
			}
			released = true
			live[def.Results[i].Code] = append(live[def.Results[i].Code], r)
		}
	}
	issue := words["no_show"]+words["rejected"] > 0
	switch {
	case s.Revoked || j.ended[id] != "":
		if released {
			hold("released_after_end", rows...)
		}
		return
	case len(orders) == 0:
		hold("no_order", rows...)
		return
	case issue && (released || j.status[id] == "PARTIAL_RESULTS_READY" || j.final[id]):
		hold("contradiction", rows...)
		return
	case issue:
		j.ended[id] = map[bool]string{true: "APPOINTMENT_ISSUE", false: "ORDER_ISSUE"}[words["no_show"] > 0]
		j.status[id] = j.ended[id]
		return
	case words["not_measurable"] > 0:
		hold("not_measurable", orders...)
		return
	}
	j.advance(id, "ORDER_CONFIRMED")
	if words["accepted"] < len(orders) {
		j.advance(id, "APPOINTMENT_ATTENDED")
	}
	for _, d := range def.Results {
		key := id + " " + d.Code
		if l := live[d.Code]; len(l) > 1 {
			hold("two_rows", l...)
			blocked = true
		} else if len(l) == 1 && j.config.Results[l[0].status] == "released" {
			j.see(key, l[0], "final")
		} else if x := dead[d.Code]; len(l) == 0 && len(x) > 0 {
			if len(j.versions[key]) > 0 {
				if x[0].unit == "" || d.Unit != "" {
					x[0].unit = d.Unit
				}
				j.see(key, x[0], "entered-in-error")
			}
		} else if len(l) == 0 && !d.Optional {
			missing = true
		}
	}
	some := slices.ContainsFunc(slices.Collect(maps.Keys(j.versions)), func(k string) bool { return strings.HasPrefix(k, id) })
	switch {
	case some && !missing && !blocked:
		j.final[id] = true
		j.advance(id, "FULL_RESULTS_READY")
	case some:
		j.advance(id, "PARTIAL_RESULTS_READY")
	}
}

var path = []string{"", "ORDER_CONFIRMED", "APPOINTMENT_ATTENDED", "PARTIAL_RESULTS_READY", "FULL_RESULTS_READY"}

func (j *judge) advance(id, status string) {
	if slices.Index(path, status) > slices.Index(path, j.status[id]) {
		j.status[id] = status
	}
}

// see writes a version down if it is another than the last one.
func (j *judge) see(key string, r viewRow, status string) {
	value, unit := r.value, r.unit
	if strings.HasPrefix(value, ".") {
		value = "0" + value
	}
	v := j.versions[key]
	if n := len(v); n > 0 {
		if was := strings.Split(v[n-1], "|"); was[0] == value && was[1] == unit && (was[2] == "entered-in-error") == (status == "entered-in-error") {
			return
		}
		if status == "final" {
			status = "corrected"
		}
	}
	j.stamps[key] = r.stamp
	j.versions[key] = append(v, value+"|"+unit+"|"+status)
}

// differences compares what the judge saw with the truth.
func (j *judge) differences() []string {
	var out []string
	expected := map[string]bool{}
	for _, q := range j.truth.Requisitions {
		for _, s := range q.Requests {
			id := s.ID.String()
			status := j.status[id]
			if s.Initial != "" {
				status = s.Initial
			}
			report := ""
			for _, o := range s.Observations {
				report = "partial"
				expected[id+" "+o.Code] = true
				var want []string
				for _, v := range o.Versions {
					want = append(want, v.Value+"|"+v.Unit+"|"+v.Status)
					if v.Numeric != number.MatchString(v.Value) {
						out = append(out, fmt.Sprintf("%s %s %s: numeric is %v for %q", q.Kind, id, o.Code, v.Numeric, v.Value))
					}
				}
				if got := j.versions[id+" "+o.Code]; !slices.Equal(got, want) {
					out = append(out, fmt.Sprintf("%s %s %s: the views showed %q, the truth says %q", q.Kind, id, o.Code, got, want))
				}
			}
			if j.final[id] {
				report = "final"
			}
			if status != s.Status || report != s.Report {
				out = append(out, fmt.Sprintf("%s %s %s: the views lead to %q %q, the truth says %q %q", q.Kind, id, s.Code, status, report, s.Status, s.Report))
			}
		}
	}
	for k, v := range j.versions {
		if !expected[k] {
			out = append(out, fmt.Sprintf("%s: the views showed %q, the truth knows nothing of it", k, v))
		}
	}
	return append(out, j.holdDifferences()...)
}

func (j *judge) holdDifferences() []string {
	var out []string
	left := maps.Clone(j.holds)
	for _, q := range j.truth.Requisitions {
		id := strings.ToLower(q.Written)
		for _, h := range q.Holds {
			covered := false
			for k := range j.holds {
				if f := strings.Fields(k); f[0] == id && h.Covers(f[1], f[2], f[3]) {
					covered = true
					delete(left, k)
				}
			}
			if !covered {
				out = append(out, fmt.Sprintf("%s %s: the truth expects hold %s on %v, the views give no cause for it", q.Kind, id, h.Kind, h.Rows))
			}
		}
	}
	for k := range left {
		out = append(out, "the views give cause for a hold that the truth does not expect: "+k)
	}
	return out
}

// clock is a clock that the test moves, and that moves by itself with each look at it.
type clock struct {
	now  time.Time
	pace time.Duration
}

func (c *clock) Now() time.Time {
	c.now = c.now.Add(c.pace)
	return c.now
}

func newClock() *clock {
	return &clock{now: time.Date(2026, 11, 22, 13, 5, 7, 123e6, time.UTC)}
}
