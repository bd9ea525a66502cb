package conform_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"limsbridge/lims"
)

// The clock, the login, the database and the version are the server's own.
func TestNowAndIdentity(t *testing.T) {
	databases(t, func(t *testing.T, d database) {
		d.results(t, "id", "stamp")
		r := d.reader(t, nil)
		before := time.Now()
		now, err := r.Now(t.Context())
		if err != nil || now.Before(before.Add(-time.Minute)) || now.After(time.Now().Add(time.Minute)) || now.Location() != time.UTC {
			t.Errorf("Now: %v, %v", now, err)
		}
		id, err := r.Identity(t.Context())
		if err != nil || id.User == "" || id.Database == "" || id.Version == "" {
			t.Errorf("Identity: %+v, %v", id, err)
		}
	})
}

// The session itself refuses to write, whatever the SELECT calls and whatever the login may.
func TestSessionIsReadOnly(t *testing.T) {
	databases(t, func(t *testing.T, d database) {
		switch d.kind() {
		case lims.SQLite:
			t.Skip("a SELECT cannot write in SQLite; the file is opened read-only as well")
		case lims.SQLServer:
			t.Skip("SQL Server has no read-only sessions: the login's rights are what keeps it from writing, and a function in a SELECT cannot write there")
		}
		d.results(t, "id", "stamp")
		d.put(t, 1, stampAgo(time.Hour))
		switch l := d.sql(t); d.kind() {
		case lims.Postgres:
			l.exec(t, "CREATE FUNCTION writes() RETURNS int LANGUAGE plpgsql AS 'BEGIN DELETE FROM base_results; RETURN 1; END'")
		case lims.MySQL:
			l.exec(t, "CREATE FUNCTION writes() RETURNS int MODIFIES SQL DATA BEGIN DELETE FROM base_results; RETURN 1; END")
		}
		r := d.reader(t, func(o *lims.Options) { o.Results = lims.Query{SQL: "SELECT * FROM results WHERE writes() = 1"} })
		_, _, err := read(t, r, lims.Cursor{}, 0)
		var wrong *lims.Misfit
		if !errors.As(err, &wrong) || !strings.Contains(err.Error(), "write") {
			t.Errorf("got %v, want a Misfit that says that the SELECT writes", err)
		}
		if ids, _ := poll(t, d.reader(t, nil), lims.Cursor{}, 0); len(ids) != 1 {
			t.Errorf("%d rows are left", len(ids))
		}
	})
}

// A lock of another session does not hold the reader longer than the lock timeout, and is no fault; when it is
// released, reading goes on.
func TestLockedTableIsBusy(t *testing.T) {
	lock := map[string]string{
		lims.SQLite:    "BEGIN EXCLUSIVE",
		lims.Postgres:  "BEGIN; LOCK TABLE base_results IN ACCESS EXCLUSIVE MODE",
		lims.MySQL:     "LOCK TABLES base_results WRITE",
		lims.SQLServer: "BEGIN TRANSACTION; UPDATE base_results WITH (TABLOCKX) SET status = status",
	}
	free := map[string]string{lims.SQLite: "ROLLBACK", lims.Postgres: "ROLLBACK", lims.MySQL: "UNLOCK TABLES", lims.SQLServer: "ROLLBACK"}
	databases(t, func(t *testing.T, d database) {
		l := d.sql(t)
		d.results(t, "id", "stamp")
		d.put(t, 1, stampAgo(time.Hour))
		r := d.reader(t, func(o *lims.Options) { o.LockTimeout = 50 * time.Millisecond })
		conn, err := l.db.Conn(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		if _, err := conn.ExecContext(context.Background(), lock[d.kind()]); err != nil {
			t.Fatal(err)
		}
		_, err = r.Fetch(t.Context(), lims.Results, []string{"1"})
		if _, ok := errors.AsType[*lims.Busy](err); !ok {
			t.Errorf("got %T %v, want Busy", err, err)
		}
		if _, err := conn.ExecContext(context.Background(), free[d.kind()]); err != nil {
			t.Fatal(err)
		}
		if rows, err := r.Fetch(t.Context(), lims.Results, []string{"1"}); err != nil || len(rows) != 1 {
			t.Errorf("afterwards: %v, %v", rows, err)
		}
	})
}
