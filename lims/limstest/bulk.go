package limstest

import (
	"context"
	"database/sql"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"
)

// bulkResults are the four observations of every bulk requisition: a lipid panel.
var bulkResults = catalog()[0].Results

// Bulk fills a new SQLite file with n requisitions of one service request with four released
// observations each, for benchmarks. Every requisition is complete; its stamps lie in the minute
// before at (in UTC, whole milliseconds, hundreds of rows under one stamp). What it wrote of the
// i-th requisition is BulkRequisition(i).
func Bulk(ctx context.Context, path string, n int, at time.Time) error {
	db, err := create(ctx, path)
	if err != nil {
		return err
	}
	return errors.Join(fill(ctx, db, n, at), db.Close())
}

// fill writes everything in one transaction, the rows of fifty requisitions at a time.
func fill(ctx context.Context, db *sql.DB, n int, at time.Time) error {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("limstest: begin: %w", err)
	}
	defer tx.Rollback() // after Commit it does nothing, before it there is an error already
	const chunk = 50
	for from := 0; from < n; from += chunk {
		stamp := at.Add(-time.Minute + time.Duration(int64(time.Minute)*int64(from)/int64(n))).UTC().Format(stampLayout)
		var samples, tests, results []any
		for i := from; i < min(n, from+chunk); i++ {
			q := BulkRequisition(i)
			samples = append(samples, i+1, "WHOOP", q.Written, q.Patient.FirstName+" "+q.Patient.LastName, q.Patient.BirthDate, "A", nil, stamp)
			tests = append(tests, i+1, i+1, "LIPID", "A", 0, stamp)
			for j, o := range q.Requests[0].Observations {
				results = append(results, 4*i+j+1, i+1, bulkResults[j].LIMS, o.Versions[0].Entry, "mg/dL", "A", "T", stamp)
			}
		}
		for _, t := range []struct {
			name    string
			columns int
			values  []any
		}{{"sample", 8, samples}, {"test", 6, tests}, {"result", 8, results}} {
			row := "(?" + strings.Repeat(", ?", t.columns-1) + ")"
			text := "INSERT INTO " + t.name + " VALUES " + row + strings.Repeat(", "+row, len(t.values)/t.columns-1)
			if _, err := tx.ExecContext(ctx, text, t.values...); err != nil {
				return fmt.Errorf("limstest: fill %s: %w", t.name, err)
			}
		}
	}
	if err := tx.Commit(); err != nil {
		return fmt.Errorf("limstest: commit: %w", err)
	}
	return nil
}

// BulkRequisition returns the i-th requisition that Bulk writes, from 0 on, with its truth. It is
// a function of i alone, so that another process can load the same ones.
func BulkRequisition(i int) Requisition {
	q := Requisition{Kind: Plain, ID: bulkID(1, i)}
	q.Written = q.ID.String()
	q.Patient = Patient{
		ID: bulkID(2, i), FirstName: fmt.Sprintf("SENTINEL-first-%06d", i), LastName: fmt.Sprintf("SENTINEL-last-%06d", i),
		Email: fmt.Sprintf("SENTINEL-mail-%06d@example.org", i), BirthDate: fmt.Sprintf("%d-%02d-%02d", 1930+i%75, 1+i%12, 1+i%28),
	}
	s := Request{ID: bulkID(3, i), Code: "LIPID_PANEL", Status: statusFull, Report: "final"}
	for j, r := range bulkResults {
		value := fmt.Sprintf("%d.%d", 40+(i+7*j)%200, 4_000_000_001+10*int64(4*i+j))
		s.Observations = append(s.Observations, Observation{Code: r.Code, Versions: []Version{{
			Entry: value, Value: value, Numeric: true, Unit: "mg/dL", Status: "final", Row: id(int64(4*i + j + 1)),
		}}})
	}
	q.Requests = []Request{s}
	return q
}

// bulkID returns a UUID of version 8 (RFC 9562, section 5.8) out of a space and a number.
func bulkID(space byte, i int) uuid.UUID {
	u := uuid.UUID{0: space, 6: 0x80, 8: 0x80}
	binary.BigEndian.PutUint64(u[8:], uint64(i)|1<<63)
	return u
}
