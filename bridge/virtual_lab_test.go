package bridge_test

import (
	"database/sql"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"

	"limsbridge/bridge"
)

// The tests of the virtual lab: what is ordered at WHOOP, its LIMS tests, and what they measure.
// The same is said once more, in the bridge's words, in virtualMapping.
type labTest struct {
	code    string
	lims    []string
	results []labResult
}

type labResult struct {
	lims, result string // order code and result code of the LIMS
	code, unit   string // as they leave
	units        []string
	optional     bool
}

var labTests = []*labTest{
	{"LIPID_PANEL", []string{"LIPID"}, []labResult{
		{"LIPID", "CHOL", "TOTAL_CHOLESTEROL", "mg/dL", []string{"", "mg/dL", "MG/DL"}, false},
		{"LIPID", "HDL", "HDL", "mg/dL", []string{"", "mg/dL"}, false},
		{"LIPID", "LDLC", "LDL", "mg/dL", []string{""}, true},
	}},
	{"CBC", []string{"CBC", "DIFF"}, []labResult{
		{"CBC", "WBC", "WBC", "10*3/uL", []string{"", "K/uL"}, false},
		{"DIFF", "NEUT", "NEUTROPHILS", "%", []string{"%"}, false},
	}},
	{"GLUCOSE", []string{"GLU"}, []labResult{
		{"GLU", "GLU", "GLUCOSE", "mg/dL", []string{"mg/dL"}, false},
	}},
}

func virtualMapping(t testing.TB) *bridge.Mapping {
	t.Helper()
	m, err := bridge.NewMapping([]bridge.Test{
		{Code: "LIPID_PANEL", LIMS: []string{"LIPID"}, Results: map[string]bridge.ObservationRule{
			"CHOL": {Code: "TOTAL_CHOLESTEROL", Unit: "mg/dL"},
			"HDL":  {Code: "HDL", Unit: "mg/dL"},
			"LDLC": {Code: "LDL", Unit: "mg/dL", Optional: true},
		}},
		{Code: "CBC", LIMS: []string{"CBC", "DIFF"}, Results: map[string]bridge.ObservationRule{
			"WBC":  {Code: "WBC", Unit: "10*3/uL"},
			"NEUT": {Code: "NEUTROPHILS"},
		}},
		{Code: "GLUCOSE", LIMS: []string{"GLU"}, Results: map[string]bridge.ObservationRule{
			"GLU": {Code: "GLUCOSE", Unit: "mg/dL"},
		}},
	}, bridge.Words{
		Orders:  map[string]bridge.OrderWord{"U": bridge.Accepted, "C": bridge.Collected, "A": bridge.Complete, "X": bridge.RejectedOrder, "N": bridge.NoShow, "hide": bridge.IgnoredOrder},
		Results: map[string]bridge.ResultWord{"A": bridge.Released, "N": bridge.Pending, "R": bridge.ResultNotMeasurable, "X": bridge.Withdrawn, "hide": bridge.IgnoredResult},
	}, nil, bridge.ValueRules{})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// lab is a LIMS that lives through a month. It decides everything from its dice before the month
// begins and remembers every version that its views ever showed: that memory is the truth against
// which the bridge is judged.
type lab struct {
	t        *testing.T
	db       *sql.DB
	zone     *time.Location // of its stamps, which carry none
	dice     *dice
	agenda   *agenda
	requests []*labRequest
}

// labRequest is one service request as the lab and WHOOP know it.
type labRequest struct {
	requisition, id uuid.UUID
	test            *labTest
	orders          []*labRow
	results         []*labRow
	revoked         time.Time                // by WHOOP; zero: never
	mishaps         map[bridge.HoldKind]bool // what may be held because of what the lab did
}

// labRow is one row of a view with all its versions, oldest first.
type labRow struct {
	q        *labRequest
	table    string // orders, results
	id, code string // row id; order code or result code
	of       *labResult
	written  bool
	versions []version
}

// version is what a row showed from an instant on.
type version struct {
	at          time.Time
	status      string
	value, unit string
	gone        bool // the row left its view
	quiet       bool // no stamp told of it: only the nightly sweep finds it
}

// now is the last version; before the first one the row is gone.
func (r *labRow) now() version {
	if len(r.versions) == 0 {
		return version{gone: true}
	}
	return r.versions[len(r.versions)-1]
}

// stamping says which changed_at a written row gets.
type stamping int

const (
	onTime     stamping = iota
	late                // some minutes old, within the look-back, as after a long transaction
	veryLate            // hours old
	null                // none
	unchanged           // the one that it had
	withParent          // the one that it had, but the order's row moves in the same step
)

type write struct {
	row   *labRow
	to    version
	stamp stamping
}

const labSchema = `
CREATE TABLE orders (row_id TEXT PRIMARY KEY, changed_at DATETIME, requisition_id TEXT, order_code TEXT, status TEXT);
CREATE TABLE results (row_id TEXT PRIMARY KEY, changed_at DATETIME, requisition_id TEXT, order_code TEXT, result_code TEXT, value TEXT, unit TEXT, status TEXT);
CREATE INDEX orders_changed ON orders (changed_at, row_id);
CREATE INDEX results_changed ON results (changed_at, row_id);`

// write plans one transaction of the lab.
func (l *lab) write(at time.Time, all ...write) {
	ages := make([]time.Duration, len(all))
	for i, w := range all {
		ages[i] = map[stamping]time.Duration{
			late:     l.dice.between(time.Minute, 9*time.Minute),
			veryLate: l.dice.between(2*time.Hour, 20*time.Hour),
		}[w.stamp]
		if w.stamp == late { // what lets the cursor pass its stamp before it is there
			l.agenda.add(at.Add(time.Second-ages[i]), func() { l.control(w.row) })
		}
	}
	l.agenda.add(at, func() {
		tx, err := l.db.BeginTx(l.t.Context(), nil)
		if err != nil {
			l.t.Fatal(err)
		}
		for i, w := range all {
			if err := l.set(tx, w, ages[i]); err != nil {
				l.t.Fatal(err)
			}
		}
		if err := tx.Commit(); err != nil {
			l.t.Fatal(err)
		}
	})
}

// control writes the results of control samples, which are none of WHOOP's: it moves the newest
// stamp of both views.
func (l *lab) control(r *labRow) {
	stamp, id := time.Now().In(l.zone).Format(stampFormat), r.q.requisition.String()
	for _, query := range []string{
		`INSERT OR REPLACE INTO orders VALUES ('control', ?, ?, 'QC', 'hide')`,
		`INSERT OR REPLACE INTO results VALUES ('control', ?, ?, 'QC', 'QC', '', '', 'hide')`,
	} {
		if _, err := l.db.ExecContext(l.t.Context(), query, stamp, id); err != nil {
			l.t.Fatal(err)
		}
	}
}

// set writes one row, and remembers that it did.
func (l *lab) set(tx *sql.Tx, w write, age time.Duration) error {
	r := w.row
	w.to.at = time.Now()
	w.to.quiet = w.stamp == veryLate || w.stamp == null || w.stamp == unchanged
	r.versions = append(r.versions, w.to)
	run := func(query string, args ...any) error {
		_, err := tx.ExecContext(l.t.Context(), query, args...)
		return err
	}
	if w.to.gone {
		r.written = false
		return run("DELETE FROM "+r.table+" WHERE row_id = ?", r.id)
	}
	var stamp any = w.to.at.Add(-age).In(l.zone).Format(stampFormat)
	if w.stamp == null {
		stamp = nil
	}
	var errs []error
	if !r.written {
		r.written = true
		if r.table == "orders" {
			return run("INSERT INTO orders VALUES (?, ?, ?, ?, ?)", r.id, stamp, r.q.requisition.String(), r.code, w.to.status)
		}
		return run("INSERT INTO results VALUES (?, ?, ?, ?, ?, ?, ?, ?)", r.id, stamp, r.q.requisition.String(), r.of.lims, r.code, w.to.value, w.to.unit, w.to.status)
	}
	if w.stamp != unchanged && w.stamp != withParent {
		errs = append(errs, run("UPDATE "+r.table+" SET changed_at = ? WHERE row_id = ?", stamp, r.id))
	}
	errs = append(errs, run("UPDATE "+r.table+" SET status = ? WHERE row_id = ?", w.to.status, r.id))
	if r.table == "results" {
		errs = append(errs, run("UPDATE results SET value = ?, unit = ? WHERE row_id = ?", w.to.value, w.to.unit, r.id))
	}
	return errors.Join(errs...)
}

// dice is the one source of chance of a month's plan.
type dice struct{ *rand.Rand }

func newDice(seed, stream uint64) *dice {
	return &dice{rand.New(rand.NewPCG(seed, stream))}
}

func (d *dice) chance(percent float64) bool { return d.Float64()*100 < percent }

func (d *dice) between(from, to time.Duration) time.Duration {
	return from + time.Duration(d.Int64N(int64(to-from)))
}

func (d *dice) id() uuid.UUID {
	var id uuid.UUID
	for i := range id {
		id[i] = byte(d.Uint32())
	}
	id[6], id[8] = id[6]&0x0f|0x40, id[8]&0x3f|0x80
	return id
}

// agenda is what happens in a month, and when.
type agenda struct{ steps []moment }

type moment struct {
	at time.Time
	do func()
}

func (a *agenda) add(at time.Time, do func()) { a.steps = append(a.steps, moment{at, do}) }

// end forgets what would happen after an instant.
func (a *agenda) end(at time.Time) {
	a.steps = slices.DeleteFunc(a.steps, func(m moment) bool { return m.at.After(at) })
}

// run lives through it all. Steps may not add others.
func (a *agenda) run() {
	slices.SortStableFunc(a.steps, func(x, y moment) int { return x.at.Compare(y.at) })
	for _, s := range a.steps {
		if d := time.Until(s.at); d > 0 {
			<-time.After(d)
		}
		s.do()
	}
}

// value makes up what an instrument says. It is seldom the same twice.
func (l *lab) value() string {
	if l.dice.chance(3) {
		return fmt.Sprintf("<%d.%d", l.dice.IntN(9), l.dice.IntN(10))
	}
	if l.dice.chance(3) {
		return fmt.Sprintf(".%d", 100+l.dice.IntN(900))
	}
	return fmt.Sprintf("%d.%02d", 1+l.dice.IntN(300), l.dice.IntN(100))
}
