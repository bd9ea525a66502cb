package conform_test

import (
	"slices"
	"testing"
	"time"

	"limsbridge/lims"
)

// A release that writes the sample only, and leaves the results' own stamps alone, as LIMS do: the order's
// row moves, and its results are read by their ids as they are now.
func TestReleaseOfTheParent(t *testing.T) {
	databases(t, func(t *testing.T, d database) {
		d.results(t, "id", "stamp")
		d.create(t, "orders", column{"row_id", "id"}, column{"changed_at", "stamp"}, column{"requisition_id", "uuid"}, column{"order_code", "text"}, column{"status", "short"})
		d.insert(t, "orders", []string{"row_id", "changed_at", "order_code", "status"}, []any{1, stampAgo(5 * time.Hour), "GLU", "P"})
		d.insert(t, "results", resultKeys, []any{11, stampAgo(4 * time.Hour), "GLU", "GLU", "5.40", "P"}, []any{21, stampAgo(3 * time.Hour), "GLU", "GLU", "6.10", "P"})
		r := d.reader(t, small)
		_, c := poll(t, r, lims.Cursor{}, lookBack)

		d.update(t, "orders", 1, []string{"status", "changed_at"}, "A", stampAgo(time.Hour))
		d.update(t, "results", 11, []string{"status"}, "A") // as the view shows it now
		if ids, _ := poll(t, r, c, lookBack); slices.Contains(ids, "11") {
			t.Errorf("the result's own stamp did not move, yet polling showed %v", ids)
		}
		if o := first(t, r, lims.Orders); o.ID != "1" || o.Status != "A" {
			t.Errorf("the order is shown as %+v", o)
		}
		rows, err := r.Fetch(t.Context(), lims.Results, []string{"11", "21"})
		if err != nil || len(rows) != 2 {
			t.Fatalf("by their ids: %v, %v", rows, err)
		}
		for _, row := range rows {
			if want := map[string]string{"11": "A", "21": "P"}[row.ID]; row.Status != want {
				t.Errorf("result %s has status %q by its id, want %q", row.ID, row.Status, want)
			}
		}
	})
}

// The same with the lab's own tables and views. A view whose changed_at is the later of both stamps shows the
// results by polling, too.
func TestReleaseThroughViews(t *testing.T) {
	databases(t, func(t *testing.T, d database) {
		l := d.sql(t)
		stamp := words[d.kind()]["stamp"]
		l.exec(t, "CREATE TABLE sample (sample_id int, ext_link varchar(36), status varchar(8), changed_on "+stamp+")")
		l.exec(t, "CREATE TABLE entry (entry_id int, sample_id int, name varchar(20), entered varchar(20), changed_on "+stamp+")")
		l.exec(t, "CREATE VIEW orders AS SELECT sample_id AS row_id, changed_on AS changed_at, ext_link AS requisition_id, 'GLU' AS order_code, status FROM sample")
		const columns = "SELECT e.entry_id AS row_id, s.ext_link AS requisition_id, 'GLU' AS order_code, e.name AS result_code, e.entered AS value, s.status AS status, "
		const from = " AS changed_at FROM entry e JOIN sample s ON s.sample_id = e.sample_id"
		l.exec(t, "CREATE VIEW results AS "+columns+"e.changed_on"+from)
		newer := "CASE WHEN s.changed_on > e.changed_on THEN s.changed_on ELSE e.changed_on END"
		if d.kind() == lims.SQLServer { // whoever plays it tells no types of expressions
			newer = "CAST(" + newer + " AS " + stamp + ")"
		}
		l.exec(t, "CREATE VIEW later AS "+columns+newer+from)
		sample := func(id int, status, at string) {
			l.exec(t, "DELETE FROM sample WHERE sample_id = "+l.literal(id))
			l.exec(t, "INSERT INTO sample VALUES ("+l.literal(id)+", 'x', "+l.literal(status)+", "+l.literal(at)+")")
		}
		entry := func(id, of int, at string) {
			l.exec(t, "INSERT INTO entry VALUES ("+l.literal(id)+", "+l.literal(of)+", 'GLU', '5.40', "+l.literal(at)+")")
		}
		sample(1, "P", stampAgo(5*time.Hour))
		sample(2, "P", stampAgo(5*time.Hour))
		entry(11, 1, stampAgo(4*time.Hour))
		entry(12, 1, stampAgo(4*time.Hour))
		entry(21, 2, stampAgo(3*time.Hour))

		r := d.reader(t, small)
		later := d.reader(t, func(o *lims.Options) { small(o); o.Results = lims.Query{View: "later"} })
		_, c := poll(t, r, lims.Cursor{}, lookBack)
		_, lc := poll(t, later, lims.Cursor{}, lookBack)
		var oc lims.Cursor
		orders := func() (ids []string) {
			if err := r.Poll(t.Context(), lims.Orders, oc, lookBack, func(rows []lims.Row, c lims.Cursor) error {
				for _, row := range rows {
					ids = append(ids, row.ID+row.Status)
				}
				oc = c
				return nil
			}); err != nil {
				t.Fatal(err)
			}
			return ids
		}
		orders()

		sample(1, "A", stampAgo(time.Hour))
		if ids, _ := poll(t, r, c, lookBack); slices.Contains(ids, "11") || slices.Contains(ids, "12") {
			t.Errorf("the results' own stamps did not move, yet polling showed %v", ids)
		}
		if ids := orders(); !slices.Contains(ids, "1A") {
			t.Errorf("the order moved, and polling showed %v", ids)
		}
		rows, err := r.Fetch(t.Context(), lims.Results, []string{"11", "12", "21"})
		if err != nil || len(rows) != 3 {
			t.Fatalf("by their ids: %v, %v", rows, err)
		}
		for _, row := range rows {
			if want := map[string]string{"11": "A", "12": "A", "21": "P"}[row.ID]; row.Status != want {
				t.Errorf("result %s has status %q by its id, want %q", row.ID, row.Status, want)
			}
		}
		if ids, _ := poll(t, later, lc, 0); !slices.Contains(ids, "11") || !slices.Contains(ids, "12") {
			t.Errorf("with the later of both stamps: %v, want 11 and 12 among them", ids)
		}
	})
}
