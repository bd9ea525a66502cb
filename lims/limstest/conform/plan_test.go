package conform_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"limsbridge/lims"
)

// A page in the middle of a large table is read through the index on (changed_at, row_id), also
// through a view, and without reading what lies before it.
func TestServersUseTheIndex(t *testing.T) {
	var rows [][]any
	begin := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	for i := range 50_000 {
		rows = append(rows, []any{i, begin.Add(time.Duration(i/10) * time.Second).Format(time.DateTime)})
	}
	for _, kind := range []string{lims.Postgres, lims.MySQL} {
		t.Run(kind, func(t *testing.T) {
			l := openServer(t, kind).(*sqlLab)
			d := database{lab: l}
			d.results(t, "id", "stamp")
			d.insert(t, "results", []string{"row_id", "changed_at"}, rows...)
			l.exec(t, "ANALYZE "+map[string]string{lims.MySQL: "TABLE "}[kind]+"base_results")
			r := d.reader(t, func(o *lims.Options) { o.Orders = lims.Query{View: "results"}; o.PageSize = 1000 })
			if _, err := r.Fetch(t.Context(), lims.Results, []string{"1"}); err != nil {
				t.Fatal(err)
			}
			conn, err := l.db.Conn(context.Background())
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			const stamp = "2026-01-01 01:00:00"
			checked := 0
			for i, st := range r.Statements() {
				if !strings.Contains(st, "result_code") {
					continue
				}
				middle := strings.Contains(st, ") > (") || strings.Contains(st, " OR lb.`row_id`")
				switch {
				case kind == lims.Postgres && middle:
					if _, err := conn.ExecContext(t.Context(), fmt.Sprintf("PREPARE p%d AS %s", i, st)); err != nil {
						t.Fatal(err)
					}
					var plan string
					if err := conn.QueryRowContext(t.Context(), fmt.Sprintf("EXPLAIN (FORMAT JSON) EXECUTE p%d('%s', 7)", i, stamp)).Scan(&plan); err != nil {
						t.Fatal(err)
					}
					if !strings.Contains(plan, `"Index Name": "base_results_changed"`) || !strings.Contains(plan, `ROW(changed_at, row_id) > ROW(`) || strings.Contains(plan, `"Sort"`) {
						t.Errorf("%s\n%s", st, plan)
					}
					checked++
				case kind == lims.MySQL && middle:
					var plan string
					if err := conn.QueryRowContext(t.Context(), "EXPLAIN FORMAT=JSON "+st, stamp, stamp, 7).Scan(&plan); err != nil {
						t.Fatal(err)
					}
					if !strings.Contains(plan, `"key": "base_results_changed"`) || !strings.Contains(plan, `"access_type": "range"`) || strings.Contains(plan, "filesort") {
						t.Errorf("%s\n%s", st, plan)
					}
					checked++
				}
			}
			if checked == 0 {
				t.Error("no statement was checked")
			}
		})
	}
}
