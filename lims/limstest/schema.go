package limstest

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"time"

	_ "modernc.org/sqlite" // the database/sql driver
)

// schema is a LabWare in small. As there, a change of the sample counts as a change of its tests;
// this lab keeps TEST.CHANGED_ON moving with it, so that the views' change column can be indexed.
const schema = `
CREATE TABLE sample (
	sample_number INTEGER PRIMARY KEY,
	customer      TEXT NOT NULL,
	ext_link      TEXT,
	patient_name  TEXT,
	birth_date    DATE,
	status        TEXT NOT NULL,
	reason        TEXT,
	changed_on    DATETIME
);
CREATE TABLE test (
	test_number   INTEGER PRIMARY KEY,
	sample_number INTEGER NOT NULL REFERENCES sample,
	analysis      TEXT NOT NULL,
	status        TEXT NOT NULL,
	hidden        INTEGER NOT NULL DEFAULT 0,
	changed_on    DATETIME
);
CREATE TABLE result (
	result_number   INTEGER PRIMARY KEY,
	test_number     INTEGER NOT NULL REFERENCES test,
	name            TEXT NOT NULL,
	formatted_entry TEXT,
	units           TEXT,
	status          TEXT NOT NULL,
	reportable      TEXT NOT NULL DEFAULT 'T',
	changed_on      DATETIME
);
CREATE INDEX test_sample ON test (sample_number);
CREATE INDEX test_changed ON test (changed_on, test_number);
CREATE INDEX result_changed ON result (changed_on, result_number);

-- One row per ordered LIMS test. The sample's status counts where it says more than the test's.
CREATE VIEW whoop_orders AS
SELECT t.test_number AS row_id, t.changed_on AS changed_at, s.ext_link AS requisition_id,
       t.analysis AS order_code,
       CASE WHEN s.status IN ('U', 'N', 'R', 'X') THEN s.status ELSE t.status END AS status,
       s.reason AS reason, s.birth_date AS birth_date
FROM test t JOIN sample s ON s.sample_number = t.sample_number
WHERE s.customer = 'WHOOP' AND t.hidden = 0;

-- One row per result. An entered result is released with its test.
CREATE VIEW whoop_results AS
SELECT r.result_number AS row_id, r.changed_on AS changed_at, s.ext_link AS requisition_id,
       t.analysis AS order_code, r.name AS result_code, r.formatted_entry AS value, r.units AS unit,
       CASE WHEN r.reportable = 'F' THEN 'hidden'
            WHEN r.status = 'E' AND t.status = 'A' THEN 'A'
            ELSE r.status END AS status
FROM result r JOIN test t ON t.test_number = r.test_number
JOIN sample s ON s.sample_number = t.sample_number
WHERE s.customer = 'WHOOP';
`

// stampLayout is the text form of CHANGED_ON: milliseconds, no offset.
const stampLayout = "2006-01-02 15:04:05.000"

// create makes the database. The file must not exist: two labs in one file would not add up.
func create(ctx context.Context, path string) (*sql.DB, error) {
	if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("limstest: %s exists already: give the path of a new file", path)
	}
	// The lab is disposable, so nothing is synced.
	db, err := sql.Open("sqlite", path+"?_pragma=busy_timeout(5000)&_pragma=journal_mode(WAL)&_pragma=synchronous(OFF)")
	if err != nil {
		return nil, fmt.Errorf("limstest: open %s: %w", path, err)
	}
	db.SetMaxOpenConns(1)
	if _, err := db.ExecContext(ctx, schema); err != nil {
		return nil, errors.Join(fmt.Errorf("limstest: create %s: %w", path, err), db.Close())
	}
	return db, nil
}

// sample, test and result are one version of one row of the lab's tables.
type sample struct {
	number            int64
	link, name, birth string
	status, reason    string
}

type test struct {
	number   int64
	sample   int64
	analysis string
	status   string
	hidden   bool // from the orders view
}

type result struct {
	number                     int64
	test                       int64
	name, entry, units, status string
	hidden                     bool // not reportable
}

// writer writes row versions within one transaction, all under one stamp.
type writer struct {
	sample, touch, test, result *sql.Stmt
}

func newWriter(ctx context.Context, db *sql.DB) (*writer, error) {
	var w writer
	for into, text := range map[**sql.Stmt]string{
		&w.sample: `INSERT INTO sample VALUES (?, ?, ?, ?, ?, ?, nullif(?, ''), ?) ON CONFLICT DO UPDATE
			SET status = excluded.status, reason = excluded.reason, changed_on = excluded.changed_on`,
		&w.touch: `UPDATE test SET changed_on = ? WHERE sample_number = ?`,
		&w.test: `INSERT INTO test VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE
			SET status = excluded.status, changed_on = excluded.changed_on`,
		&w.result: `INSERT INTO result VALUES (?, ?, ?, ?, nullif(?, ''), ?, ?, ?) ON CONFLICT DO UPDATE
			SET formatted_entry = excluded.formatted_entry, status = excluded.status, changed_on = excluded.changed_on`,
	} {
		stmt, err := db.PrepareContext(ctx, text)
		if err != nil {
			return nil, fmt.Errorf("limstest: prepare: %w", err)
		}
		*into = stmt
	}
	return &w, nil
}

// write applies what an event changes.
func (w *writer) write(ctx context.Context, tx *sql.Tx, e event, at time.Time) error {
	stamp := at.Format(stampLayout)
	for _, s := range e.samples {
		customer := "WHOOP"
		if s.link == "" {
			customer = "CLINIC"
		}
		if _, err := tx.StmtContext(ctx, w.sample).ExecContext(ctx, s.number, customer, s.link, s.name, s.birth, s.status, s.reason, stamp); err != nil {
			return err
		}
		if _, err := tx.StmtContext(ctx, w.touch).ExecContext(ctx, stamp, s.number); err != nil {
			return err
		}
	}
	for _, t := range e.tests {
		if _, err := tx.StmtContext(ctx, w.test).ExecContext(ctx, t.number, t.sample, t.analysis, t.status, t.hidden, stamp); err != nil {
			return err
		}
	}
	for _, r := range e.results {
		reportable := "T"
		if r.hidden {
			reportable = "F"
		}
		if _, err := tx.StmtContext(ctx, w.result).ExecContext(ctx, r.number, r.test, r.name, r.entry, r.units, r.status, reportable, stamp); err != nil {
			return err
		}
	}
	return nil
}
