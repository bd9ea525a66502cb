package conform_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"limsbridge/lims"
)

// A view that changes while it is read is told by the column's name, in each poll, until it is mended; then
// reading goes on by itself where it was, with what came in between.
func TestDrift(t *testing.T) {
	steps := []struct {
		name         string
		breaks, mend func(t *testing.T, d database)
		words        []string
	}{
		{"a column is dropped",
			func(t *testing.T, d database) { d.alter(t, "results", "status", column{}) },
			func(t *testing.T, d database) { d.alter(t, "results", "", column{"status", "short"}) },
			[]string{"missing column status;"}},
		{"a column gets another name",
			func(t *testing.T, d database) { d.rename(t, "results", "order_code", "code") },
			func(t *testing.T, d database) { d.rename(t, "results", "code", "order_code") },
			[]string{"missing column order_code;", "code"}},
		{"the change column gets another name",
			func(t *testing.T, d database) { d.rename(t, "results", "changed_at", "changed_on") },
			func(t *testing.T, d database) { d.rename(t, "results", "changed_on", "changed_at") },
			[]string{"missing column changed_at;", "changed_on"}},
		{"two columns at once",
			func(t *testing.T, d database) {
				d.rename(t, "results", "value", "entry")
				d.rename(t, "results", "result_code", "name")
			},
			func(t *testing.T, d database) {
				d.rename(t, "results", "entry", "value")
				d.rename(t, "results", "name", "result_code")
			},
			[]string{"missing columns result_code, value;"}},
	}
	databases(t, func(t *testing.T, d database) {
		d.results(t, "id", "stamp")
		d.put(t, 1, stampAgo(3*time.Hour))
		r := d.reader(t, nil)
		_, c := poll(t, r, lims.Cursor{}, lookBack)
		for i, step := range steps {
			step.breaks(t, d)
			d.insert(t, "results", []string{"row_id"}, []any{i + 2}) // what comes in the meantime
			for range 2 {
				_, _, err := read(t, r, c, lookBack)
				if _, ok := errors.AsType[*lims.Misfit](err); !ok {
					t.Fatalf("%s: got %T %v, want a Misfit", step.name, err, err)
				}
				for _, w := range step.words {
					if !strings.Contains(strings.ToLower(err.Error()), w) { // Oracle has names in capitals
						t.Errorf("%s: %q is not said in: %v", step.name, w, err)
					}
				}
			}
			step.mend(t, d)
			d.update(t, "results", i+2, []string{"changed_at", "order_code", "result_code", "value", "status"}, stampAgo(time.Hour), "GLU", "GLU", "5.40", "A")
			ids, cursor := poll(t, r, c, lookBack)
			if c = cursor; !slices.Contains(ids, []string{"2", "3", "4", "5"}[i]) {
				t.Errorf("%s: once mended, polling shows %v", step.name, ids)
			}
		}
	})
}

// A column that becomes another type while it is read is read as that: a value that became a float is refused in each
// row, whatever its text looks like, until it is a decimal again; an optional column that is added is read from then on.
func TestDriftOfTypes(t *testing.T) {
	databases(t, func(t *testing.T, d database) {
		columns := slices.DeleteFunc(resultColumns("id", "stamp"), func(c column) bool { return c.name == "unit" })
		for i := range columns {
			if columns[i].name == "value" {
				columns[i].typ = "decimal"
			}
		}
		d.create(t, "results", columns...)
		d.insert(t, "results", []string{"row_id", "changed_at", "value"}, []any{1, stampAgo(time.Hour), "5.4000"})
		r := d.reader(t, nil)
		if row := first(t, r, lims.Results); row.Value != d.decimal("5.4000") || row.Unit != "" || row.Problem != "" {
			t.Fatalf("as a decimal: %+v", row)
		}
		d.alter(t, "results", "value", column{"value", "float"})
		d.update(t, "results", 1, []string{"value"}, "5.4")
		if row := first(t, r, lims.Results); row.Value != "" || !strings.Contains(row.Problem, "loses digits") {
			t.Errorf("as a float: %+v, want it refused", row)
		}
		d.alter(t, "results", "value", column{"value", "decimal"})
		d.alter(t, "results", "", column{"unit", "text"})
		d.update(t, "results", 1, []string{"value", "unit"}, "5.4000", "mmol/L")
		if row := first(t, r, lims.Results); row.Value != d.decimal("5.4000") || row.Unit != "mmol/L" || row.Problem != "" {
			t.Errorf("as a decimal again, with a unit: %+v", row)
		}
		d.rename(t, "results", "changed_at", "was_changed")
		d.alter(t, "results", "", column{"changed_at", "float"})
		d.update(t, "results", 1, []string{"changed_at"}, "1.5")
		_, _, err := read(t, r, lims.Cursor{}, 0)
		var wrong *lims.Misfit
		if !errors.As(err, &wrong) || !strings.Contains(err.Error(), "changed_at is ") {
			t.Errorf("a change column that is a float: %v", err)
		}
	})
}
