package limstest_test

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"limsbridge/lims/limstest"
)

// TestViewContract: what the bridge's configuration asks of the two views.
func TestViewContract(t *testing.T) {
	zone := time.FixedZone("lab", -6*3600)
	c := newClock()
	l, path := newLab(t, limstest.Options{Seed: 5, Now: c.Now, Zone: zone})
	if err := l.Finish(t.Context()); err != nil {
		t.Fatal(err)
	}
	db := openReader(t, path)
	for view, want := range map[string][]string{
		"whoop_orders": {"row_id INTEGER", "changed_at DATETIME", "requisition_id TEXT", "order_code TEXT", "status ", "reason TEXT", "birth_date DATE"},
		"whoop_results": {
			"row_id INTEGER", "changed_at DATETIME", "requisition_id TEXT", "order_code TEXT", "result_code TEXT", "value TEXT", "unit TEXT", "status ",
		},
	} {
		rs, err := db.Query("SELECT * FROM (SELECT * FROM " + view + ") WHERE changed_at >= '2000' LIMIT 1")
		if err != nil {
			t.Fatal(err)
		}
		columns, err := rs.ColumnTypes()
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, c := range columns {
			got = append(got, c.Name()+" "+c.DatabaseTypeName())
		}
		rs.Close()
		if !slices.Equal(got, want) {
			t.Errorf("%s: columns %q, want %q", view, got, want)
		}
	}

	j := &judge{read: db}
	stamp := regexp.MustCompile(`^2026-11-22 \d\d:\d\d:\d\d\.\d{3}$`)
	seen, stamps, orders := map[string]bool{}, map[string]int{}, 0
	last, falls := "", 0
	for _, r := range j.rows(t) {
		if seen[r.source+r.id] {
			t.Errorf("%s row %s occurs twice", r.source, r.id)
		}
		seen[r.source+r.id] = true
		stamps[r.stamp]++
		if r.stamp < last {
			falls++
		}
		last = r.stamp
		if !stamp.MatchString(r.stamp) {
			t.Errorf("%s row %s: changed_at is %q", r.source, r.id, r.stamp)
		}
		if at, err := time.ParseInLocation("2006-01-02 15:04:05.000", r.stamp, zone); err != nil || at.After(c.now) || at.Before(c.now.Add(-4*time.Hour)) {
			t.Errorf("%s row %s: changed_at %q is not in the lab's zone (now %v)", r.source, r.id, r.stamp, c.now.In(zone))
		}
		if len(r.order) > 64 || len(r.status) > 64 || len(r.result) > 64 || len(r.unit) > 32 || r.order == "" || r.status == "" {
			t.Errorf("%s row %s: a code, word or unit has the wrong length", r.source, r.id)
		}
		if r.source == "orders" {
			orders++
			if _, err := time.Parse(time.DateOnly, r.birth); err != nil {
				t.Errorf("orders row %s: birth_date %q", r.id, r.birth)
			}
		}
		if r.requisition == "" {
			t.Errorf("%s row %s belongs to another customer", r.source, r.id)
		}
		if _, err := uuid.Parse(r.requisition); err != nil && len(r.requisition) != 35 {
			t.Errorf("%s row %s: requisition_id %q", r.source, r.id, r.requisition)
		}
	}
	if orders < 200 || len(seen)-orders < 400 {
		t.Errorf("%d orders and %d results, want at least 200 and 400", orders, len(seen)-orders)
	}
	if falls == 0 {
		t.Error("row ids are in the order of time: they should not be")
	}
	if len(stamps) >= len(seen) {
		t.Error("no two rows share a stamp")
	}
}

// TestViewsUseTheIndex: reading by (change column, row id) costs what it returns.
func TestViewsUseTheIndex(t *testing.T) {
	_, path := newLab(t, limstest.Options{Orders: 1})
	db := openReader(t, path)
	for view, index := range map[string]string{"whoop_orders": "test_changed", "whoop_results": "result_changed"} {
		rs, err := db.Query("EXPLAIN QUERY PLAN SELECT * FROM (SELECT * FROM "+view+"\n) WHERE changed_at >= ? ORDER BY changed_at, row_id LIMIT 100", "2026-01-01")
		if err != nil {
			t.Fatal(err)
		}
		var plan []string
		for rs.Next() {
			var a, b, c int
			var detail string
			if err := rs.Scan(&a, &b, &c, &detail); err != nil {
				t.Fatal(err)
			}
			plan = append(plan, detail)
		}
		rs.Close()
		if p := strings.Join(plan, "; "); !strings.Contains(p, "USING INDEX "+index) || strings.Contains(p, "TEMP B-TREE") {
			t.Errorf("%s: %s", view, p)
		}
	}
}

// TestReleaseByTheTestAlone: such a row shows as released under the stamp of its entry.
func TestReleaseByTheTestAlone(t *testing.T) {
	c := newClock()
	l, path := newLab(t, limstest.Options{Now: c.Now, Orders: 1, Kinds: []limstest.Kind{limstest.ParentRelease}})
	j := &judge{read: openReader(t, path)}
	before := map[string]string{} // stamp by row while it was pending
	silent := 0
	for !l.Done() {
		if err := l.Advance(t.Context()); err != nil {
			t.Fatal(err)
		}
		for _, r := range j.rows(t) {
			switch {
			case r.source == "results" && r.status == "E":
				before[r.id] = r.stamp
			case r.source == "results" && r.status == "A" && before[r.id] == r.stamp:
				silent++
			}
		}
		c.now = c.now.Add(10 * time.Millisecond)
	}
	if silent == 0 {
		t.Error("no row was released without a new stamp")
	}
}

// TestSentinels: they are in the lab's own file, so a search that finds none elsewhere means something.
func TestSentinels(t *testing.T) {
	l, path := newLab(t, limstest.Options{Seed: 2})
	if err := l.Finish(t.Context()); err != nil {
		t.Fatal(err)
	}
	sentinels := l.Sentinels()
	for _, s := range sentinels {
		if len(s) < 10 {
			t.Errorf("sentinel %q is shorter than 10 characters", s)
		}
	}
	if sorted := slices.Compact(slices.Sorted(slices.Values(sentinels))); len(sorted) < 1000 {
		t.Errorf("%d different sentinels, want at least 1000", len(sorted))
	}
	has := func(text string) bool {
		return slices.ContainsFunc(sentinels, func(s string) bool { return strings.Contains(text, s) })
	}
	for _, q := range l.Truth().Requisitions {
		p := q.Patient
		for _, text := range []string{p.FirstName, p.LastName, p.Email, p.Phone, p.BirthDate} {
			if !has(text) {
				t.Errorf("patient field %q holds no sentinel", text)
			}
		}
		for _, s := range q.Requests {
			for _, o := range s.Observations {
				for _, v := range o.Versions {
					if len(v.Value) >= 10 && !has(v.Value) {
						t.Errorf("value %q is long and holds no sentinel", v.Value)
					}
				}
			}
		}
	}
	l.Close()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	file, found := string(b), 0
	for _, s := range sentinels {
		if strings.Contains(file, s) {
			found++
		}
	}
	// Phones and mails are WHOOP's alone, and corrected values are gone.
	if found < len(sentinels)/2 {
		t.Errorf("only %d of %d sentinels are in the lab's file", found, len(sentinels))
	}
	for _, q := range l.Truth().Requisitions {
		if strings.Contains(q.ID.String(), "SENTINEL") || has(q.ID.String()) {
			t.Errorf("requisition id %s holds a sentinel", q.ID)
		}
	}
}

// TestBulk: the bulk rows are what BulkRequisition says.
func TestBulk(t *testing.T) {
	path := filepath.Join(t.TempDir(), "bulk.db")
	at := time.Date(2026, 11, 22, 13, 5, 7, 0, time.UTC)
	const n = 123
	if err := limstest.Bulk(t.Context(), path, n, at); err != nil {
		t.Fatal(err)
	}
	j := &judge{
		config: limstest.Mapping(), read: openReader(t, path), start: "2026-11-22 13:04:07.000",
		versions: map[string][]string{}, stamps: map[string]string{}, ended: map[string]string{}, status: map[string]string{}, final: map[string]bool{},
	}
	for i := range n {
		j.truth.Requisitions = append(j.truth.Requisitions, limstest.BulkRequisition(i))
	}
	j.observe(t)
	for _, d := range j.differences() {
		t.Error(d)
	}
	if len(j.versions) != 4*n {
		t.Errorf("saw %d observations, want %d", len(j.versions), 4*n)
	}
	for _, r := range j.rows(t) {
		if r.stamp > "2026-11-22 13:05:07.000" {
			t.Errorf("%s row %s is stamped %s, after the end", r.source, r.id, r.stamp)
		}
	}
}

func BenchmarkBulk(b *testing.B) {
	for b.Loop() {
		if err := limstest.Bulk(b.Context(), filepath.Join(b.TempDir(), "bulk.db"), 10_000, time.Now()); err != nil {
			b.Fatal(err)
		}
	}
}
