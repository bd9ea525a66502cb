package lims_test

import (
	"database/sql"
	"fmt"
	"net/url"
	"path/filepath"
	"testing"
	"time"

	"limsbridge/lims"
)

// BenchmarkPollNothingNew is what a pass with nothing new costs when all of 10,000 orders and 40,000
// results lie within the look-back: two polls of everything, from an indexed SQLite file, without rest.
func BenchmarkPollNothingNew(b *testing.B) {
	path := filepath.Join(b.TempDir(), "lab.db")
	db, err := sql.Open("sqlite", "file:"+(&url.URL{Path: filepath.ToSlash(path)}).EscapedPath())
	if err != nil {
		b.Fatal(err)
	}
	defer db.Close()
	const number = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < %d) "
	stamp := time.Now().UTC().Add(-5 * time.Minute).Format("2006-01-02 15:04:05")
	for _, text := range []string{
		"CREATE TABLE test (id INTEGER PRIMARY KEY, changed_on DATETIME, requisition TEXT, code TEXT, status TEXT, reason TEXT, born TEXT)",
		"CREATE TABLE result (id INTEGER PRIMARY KEY, changed_on DATETIME, requisition TEXT, code TEXT, name TEXT, entry TEXT, units TEXT, status TEXT)",
		fmt.Sprintf("INSERT INTO test "+number+"SELECT i, datetime('%s', '+' || (i / 50) || ' seconds'), lower(printf('%%08x-0000-4000-8000-%%012x', i, i)), 'LIPID', 'A', NULL, '1980-01-01' FROM n", 10_000, stamp),
		fmt.Sprintf("INSERT INTO result "+number+"SELECT i, datetime('%s', '+' || (i / 200) || ' seconds'), lower(printf('%%08x-0000-4000-8000-%%012x', i / 4, i / 4)), 'LIPID', 'CHOL', '5.40', 'mmol/L', 'A' FROM n", 40_000, stamp),
		"CREATE INDEX test_changed ON test (changed_on, id)",
		"CREATE INDEX result_changed ON result (changed_on, id)",
		"CREATE VIEW orders AS SELECT id AS row_id, changed_on AS changed_at, requisition AS requisition_id, code AS order_code, status, reason, born AS birth_date FROM test",
		"CREATE VIEW results AS SELECT id AS row_id, changed_on AS changed_at, requisition AS requisition_id, code AS order_code, name AS result_code, entry AS value, units AS unit, status FROM result",
	} {
		if _, err := db.Exec(text); err != nil {
			b.Fatal(err)
		}
	}
	r, err := lims.Open(lims.Options{Type: lims.SQLite, Database: path, Orders: lims.Query{View: "orders"}, Results: lims.Query{View: "results"}})
	if err != nil {
		b.Fatal(err)
	}
	defer r.Close()
	b.ReportAllocs()
	for b.Loop() {
		n := 0
		for _, s := range []lims.Source{lims.Orders, lims.Results} {
			err := r.Poll(b.Context(), s, lims.Cursor{}, 0, func(rows []lims.Row, _ lims.Cursor) error {
				n += len(rows)
				return nil
			})
			if err != nil {
				b.Fatal(err)
			}
		}
		if n != 50_000 {
			b.Fatalf("%d rows", n)
		}
	}
}
