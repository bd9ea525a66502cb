package conform_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"limsbridge/lims"
)

// A connection that breaks is Unavailable (or Busy), whatever was being said at that moment: before, within and
// behind each answer of the server, from the greeting on. The next poll goes on by itself, on a new connection,
// from the cursor of the last page, and no row is missed.
func TestConnectionLoss(t *testing.T) {
	databases(t, func(t *testing.T, d database) {
		if d.kind() == lims.SQLite {
			t.Skip("a file has no connection")
		}
		d.results(t, "id", "stamp")
		var rows [][]any
		var want []string
		for i := range 12 {
			rows = append(rows, result(i+1, fmt.Sprintf("2026-11-01 10:%02d:00", i)))
			want = append(want, fmt.Sprint(i+1))
		}
		d.insert(t, "results", resultKeys, rows...)
		p, o := newProxy(t, d.options())
		reader := func() *lims.Reader {
			return d.reader(t, func(own *lims.Options) {
				o.Orders, o.Results = own.Orders, own.Results
				*own = o
				own.PageSize = 5
			})
		}
		p.cut(-1)
		r := reader()
		if ids, _ := poll(t, r, lims.Cursor{}, 0); !slices.Equal(ids, want) {
			t.Fatalf("without a loss: %v", ids)
		}
		r.Close()
		cuts := map[int]bool{}
		sum := 0
		for _, n := range p.said() {
			cuts[sum], cuts[sum+1], cuts[sum+n/2] = true, true, true
			sum += n
		}
		broke := 0
		for n := range cuts {
			p.cut(n)
			r := reader()
			ids, c, err := read(t, r, lims.Cursor{}, 0)
			if err == nil && !slices.Equal(ids, want) {
				t.Fatalf("cut after %d bytes: no error, and rows %v", n, ids)
			}
			var busy *lims.Busy
			var unavailable *lims.Unavailable
			if err != nil && !errors.As(err, &busy) && !errors.As(err, &unavailable) {
				t.Errorf("cut after %d bytes of %d: got %T %v", n, sum, err, err)
			}
			if err == nil { // the driver asked again by itself
				r.Close()
				continue
			}
			broke++
			again, _, err := read(t, r, c, 0)
			if err != nil {
				t.Errorf("cut after %d bytes: the next poll: %v", n, err)
			}
			all := slices.Concat(ids, again)
			slices.SortFunc(all, func(a, b string) int { return len(a)*100 + strings.Compare(a, b) - len(b)*100 })
			if all = slices.Compact(all); !slices.Equal(all, want) {
				t.Errorf("cut after %d bytes: rows %v, and then %v", n, ids, again)
			}
			r.Close()
		}
		t.Logf("%d bytes of the server in %d pieces; %d places to cut, the reader noticed %d of them", sum, len(p.said()), len(cuts), broke)
		if broke < len(cuts)/3 { // the others fell into the opening of the connection, which is tried again
			t.Errorf("only %d of %d cuts were noticed", broke, len(cuts))
		}
	})
}

// A server that ends a session in the middle of its statement, as a DBA or a restart does, is Unavailable, and
// the next statement has a new session.
func TestServerEndsTheSession(t *testing.T) {
	slow := map[string]string{
		lims.Postgres:  "pg_sleep(120 * row_id)::text IS NOT NULL",
		lims.MySQL:     "SLEEP(120) >= 0",
		lims.SQLServer: "",
	}
	databases(t, func(t *testing.T, d database) {
		l := d.sql(t)
		if slow[d.kind()] == "" {
			t.Skipf("no SELECT of %s takes long without a large table, or there is no session", d.kind())
		}
		d.results(t, "id", "stamp")
		d.put(t, 1, stampAgo(time.Hour))
		name := "limsbridge " + d.options().Database
		r := d.reader(t, func(o *lims.Options) {
			o.AppName = name
			o.Orders = lims.Query{View: "results"}
			o.Results = lims.Query{SQL: "SELECT * FROM results WHERE " + slow[d.kind()]}
		})
		// Learning the columns takes no time: nothing is asked for.
		if _, err := r.Describe(t.Context(), lims.Results); err != nil {
			t.Fatal(err)
		}
		ended := make(chan error, 1)
		go func() {
			_, err := r.Fetch(t.Context(), lims.Results, []string{"1"})
			ended <- err
		}()
		kill := map[string]string{
			lims.Postgres: "SELECT pg_terminate_backend(pid)::int FROM pg_stat_activity WHERE datname = current_database() AND wait_event = 'PgSleep'",
			lims.MySQL:    "SELECT id FROM information_schema.processlist WHERE db = '" + d.options().Database + "' AND info LIKE '%SLEEP(120)%' AND id <> CONNECTION_ID()",
		}[d.kind()]
		for killed := 0; killed == 0; {
			rows, err := l.db.QueryContext(context.Background(), kill)
			if err != nil {
				t.Fatal(err)
			}
			for rows.Next() {
				if err := rows.Scan(&killed); err != nil {
					t.Fatal(err)
				}
			}
			if err := rows.Close(); err != nil {
				t.Fatal(err)
			}
			if killed > 0 && d.kind() == lims.MySQL {
				l.exec(t, fmt.Sprintf("KILL %d", killed))
			}
			if killed == 0 {
				select {
				case err := <-ended:
					t.Fatalf("the statement ended before it was killed: %v", err)
				case <-time.After(20 * time.Millisecond):
				}
			}
		}
		err := <-ended
		if _, ok := errors.AsType[*lims.Unavailable](err); !ok {
			t.Errorf("got %T %v, want Unavailable", err, err)
		}
		if rows, err := r.Fetch(t.Context(), lims.Orders, []string{"1"}); err != nil || len(rows) != 1 {
			t.Errorf("the next statement: %v, %v", rows, err)
		}
	})
}

// A SELECT that takes longer than the time limit is Busy, the server does not go on with it, and what is quick is read as
// before.
func TestHungQuery(t *testing.T) {
	slow := map[string]string{
		lims.SQLite:   "(WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n) >= 0",
		lims.Postgres: "pg_sleep(120 * row_id)::text IS NOT NULL",
		lims.MySQL:    "SLEEP(120) >= 0",
	}
	running := map[string]string{
		lims.Postgres: "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND state = 'active' AND wait_event = 'PgSleep'",
		lims.MySQL:    "SELECT COUNT(*) FROM information_schema.processlist WHERE db = DATABASE() AND info LIKE '%SLEEP(120)%' AND id <> CONNECTION_ID()",
	}
	databases(t, func(t *testing.T, d database) {
		l := d.sql(t)
		if slow[d.kind()] == "" {
			t.Skipf("no SELECT of %s takes long without a large table", d.kind())
		}
		d.results(t, "id", "stamp")
		d.put(t, 1, stampAgo(time.Hour))
		r := d.reader(t, func(o *lims.Options) {
			o.QueryTimeout = 3 * time.Second
			o.Orders = lims.Query{View: "results"}
			o.Results = lims.Query{SQL: "SELECT * FROM results WHERE " + slow[d.kind()]}
		})
		_, err := r.Fetch(t.Context(), lims.Results, []string{"1"})
		if _, ok := errors.AsType[*lims.Busy](err); !ok || !strings.Contains(err.Error(), "time limit") {
			t.Errorf("got %T %v, want Busy that names the time limit", err, err)
		}
		if rows, err := r.Fetch(t.Context(), lims.Orders, []string{"1"}); err != nil || len(rows) != 1 {
			t.Errorf("the next statement: %v, %v", rows, err)
		}
		if text := running[d.kind()]; text != "" {
			for n, patience := 1, 200; n > 0; patience-- {
				if err := l.db.QueryRowContext(context.Background(), text).Scan(&n); err != nil {
					t.Fatal(err)
				}
				if n > 0 && patience == 0 {
					t.Fatalf("the server still runs %d of these statements", n)
				}
				if n > 0 {
					<-time.After(100 * time.Millisecond)
				}
			}
		}
	})
}
