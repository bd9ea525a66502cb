package lims_test

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

func small(o *lims.Options) { o.PageSize = 2 }

// Every row is seen exactly once in a poll, in order, also where many share a stamp and pages end among them.
func TestPollPages(t *testing.T) {
	keys := []struct {
		name, id, stamp string
		ids             []any
		stamps          []any
		want            string
	}{
		{"integer ids, equal stamps", "{id}", "{stamp}",
			[]any{10, 9, 2, 1, 3, 4, 5}, []any{"2026-11-01 10:00:00", "2026-11-01 10:00:00", "2026-11-01 10:00:00", "2026-11-01 10:00:00", "2026-11-01 10:00:00", "2026-11-01 09:00:00", "2026-11-01 11:00:00"},
			"4 1 2 3 9 10 5"},
		{"text ids in binary order", "{bytes}", "{stamp}",
			[]any{"b", "B", "a", "Ä", "A", "10", "9"}, slices.Repeat([]any{"2026-11-01 10:00:00"}, 7),
			"10 9 A B a b Ä"},
		{"integer changes", "{id}", "{id}",
			[]any{1, 2, 3, 4, 5}, []any{7, 7, 7, 6, 1000}, "4 1 2 3 5"},
	}
	for _, k := range keys {
		t.Run(k.name, func(t *testing.T) {
			databases(t, func(t *testing.T, d database) {
				d.resultsTable(t, k.id, k.stamp)
				for i := range k.ids {
					d.put(t, k.ids[i], k.stamps[i])
				}
				for _, page := range []int{1, 2, 3, 7, 100} {
					r := d.reader(t, func(o *lims.Options) { o.PageSize = page })
					if ids, _ := poll(t, r, lims.Cursor{}, 0); strings.Join(ids, " ") != k.want {
						t.Errorf("pages of %d: got %v, want %s", page, ids, k.want)
					}
				}
			})
		})
	}
}

// stampAgo is a stamp without zone, in UTC.
func stampAgo(d time.Duration) string {
	return time.Now().UTC().Add(-d).Format("2006-01-02 15:04:05.000000")
}

// A row that was committed late, with a stamp before the cursor, is seen within the look-back.
func TestPollLooksBack(t *testing.T) {
	databases(t, func(t *testing.T, d database) {
		d.resultsTable(t, "{id}", "{stamp}")
		r := d.reader(t, small)
		d.put(t, 1, stampAgo(2*time.Hour))
		d.put(t, 2, stampAgo(30*time.Minute))
		ids, c := poll(t, r, lims.Cursor{}, 10*time.Minute)
		if !slices.Equal(ids, []string{"1", "2"}) || !c.Seen {
			t.Fatalf("first poll: %v, cursor %+v", ids, c)
		}
		d.put(t, 3, stampAgo(35*time.Minute)) // late, within
		d.put(t, 4, stampAgo(50*time.Minute)) // late, beyond
		if ids, _ := poll(t, r, c, 10*time.Minute); !slices.Equal(ids, []string{"3", "2"}) {
			t.Errorf("look-back of 10 minutes: %v, want [3 2]", ids)
		}
		if ids, _ := poll(t, r, c, 75*time.Minute); !slices.Equal(ids, []string{"4", "3", "2"}) {
			t.Errorf("look-back of 75 minutes: %v, want [4 3 2]", ids)
		}
		if ids, again := poll(t, r, c, 0); !slices.Equal(ids, []string{"2"}) || again.Stamp != c.Stamp {
			t.Errorf("no look-back: %v and cursor %q, want the newest row again and %q", ids, again.Stamp, c.Stamp)
		}
	})
}

// Stamps in the future are handed out each time and do not move the cursor; NULL stamps are Unstamped's.
func TestPollFutureAndUnstamped(t *testing.T) {
	databases(t, func(t *testing.T, d database) {
		d.resultsTable(t, "{id}", "{stamp}")
		var notices []lims.Notice
		r := d.reader(t, func(o *lims.Options) {
			small(o)
			o.Notice = func(n lims.Notice) { notices = append(notices, n) }
		})
		past := stampAgo(time.Hour)
		d.put(t, 1, past)
		d.put(t, 2, stampAgo(-48*time.Hour))
		d.put(t, 3, nil)
		d.put(t, 5, nil)
		d.put(t, 4, nil)
		_, c := poll(t, r, lims.Cursor{}, 0)
		if at, err := time.Parse("2006-01-02 15:04:05", strings.Replace(c.Stamp, "T", " ", 1)); err != nil || time.Since(at) < 50*time.Minute {
			t.Errorf("the cursor is at %q, want the past row's stamp %q", c.Stamp, past)
		}
		if ids, _ := poll(t, r, c, 0); !slices.Equal(ids, []string{"1", "2"}) {
			t.Errorf("second poll: %v, want the future row again", ids)
		}
		if len(notices) != 2 || notices[0].Kind != lims.FutureStamps || notices[0].Rows != 1 {
			t.Errorf("notices: %v, want one of future stamps per poll", notices)
		}
		var ids []string
		err := r.Unstamped(t.Context(), lims.Results, func(rows []lims.Row) error {
			for _, row := range rows {
				ids = append(ids, row.ID)
				if row.Stamp != "" || !row.Changed.IsZero() || row.Problem != "" {
					t.Errorf("unstamped row: %+v", row)
				}
			}
			return nil
		})
		if err != nil || !slices.Equal(ids, []string{"3", "4", "5"}) {
			t.Errorf("Unstamped: %v, %v", ids, err)
		}
	})
}

// A source whose newest stamp lies before the cursor is told of, once, and read from its new head.
func TestPollWentBack(t *testing.T) {
	databases(t, func(t *testing.T, d database) {
		d.resultsTable(t, "{id}", "{stamp}")
		var notices []lims.Notice
		r := d.reader(t, func(o *lims.Options) { o.Notice = func(n lims.Notice) { notices = append(notices, n) } })
		d.put(t, 1, stampAgo(5*time.Hour))
		d.put(t, 2, stampAgo(3*time.Hour))
		d.put(t, 3, stampAgo(time.Hour))
		_, c := poll(t, r, lims.Cursor{}, 0)
		exec(t, d.db, "DELETE FROM base_results WHERE row_id = 3")
		ids, back := poll(t, r, c, 10*time.Minute)
		if !slices.Equal(ids, []string{"2"}) || back.Stamp >= c.Stamp || len(notices) != 1 || notices[0].Kind != lims.WentBack {
			t.Fatalf("after the loss: rows %v, cursor %q (was %q), notices %v", ids, back.Stamp, c.Stamp, notices)
		}
		if notices[0].Cursor != c.Stamp || notices[0].Head != back.Stamp {
			t.Errorf("the notice says %+v", notices[0])
		}
		exec(t, d.db, "DELETE FROM base_results")
		_, empty := poll(t, r, back, 10*time.Minute)
		_, _ = poll(t, r, empty, 10*time.Minute)
		if len(notices) != 2 || notices[1].Head != "" {
			t.Errorf("an emptied source is told of once: %v", notices)
		}
	})
}

// A cursor from Start that nothing has reached yet is no sign of a source that went back.
func TestStart(t *testing.T) {
	databases(t, func(t *testing.T, d database) {
		d.resultsTable(t, "{id}", "{stamp}")
		r := d.reader(t, func(o *lims.Options) {
			o.Notice = func(n lims.Notice) { t.Errorf("notice: %v", n) }
			o.Location, _ = time.LoadLocation("America/Chicago")
		})
		at := time.Date(2026, 7, 1, 12, 0, 0, 0, time.UTC) // 07:00 in Chicago
		d.put(t, 1, "2026-07-01 06:59:59.900000")
		c, err := r.Start(t.Context(), lims.Results, at)
		if err != nil || c.Seen {
			t.Fatalf("Start: %+v, %v", c, err)
		}
		if ids, _ := poll(t, r, c, 0); len(ids) != 0 {
			t.Errorf("before anything changed: %v", ids)
		}
		d.put(t, 2, "2026-07-01 07:00:00.000000")
		if ids, _ := poll(t, r, c, 0); !slices.Equal(ids, []string{"2"}) {
			t.Errorf("after a change: %v, want [2]", ids)
		}
		var since []string
		err = r.Since(t.Context(), lims.Results, at.Add(-time.Hour), func(rows []lims.Row) error {
			for _, row := range rows {
				since = append(since, row.ID+" "+row.Changed.Format(time.RFC3339Nano))
			}
			return nil
		})
		want := []string{"1 2026-07-01T11:59:59.9Z", "2 2026-07-01T12:00:00Z"}
		if err != nil || !slices.Equal(since, want) {
			t.Errorf("Since: %v, %v, want %v", since, err, want)
		}
	})
}

// Integer change columns know no time: the look-back goes along the trail.
func TestPollIntegerTrail(t *testing.T) {
	databases(t, func(t *testing.T, d database) {
		d.resultsTable(t, "{id}", "{id}")
		r := d.reader(t, small)
		d.put(t, 1, 100)
		d.put(t, 2, 200)
		start, err := r.Start(t.Context(), lims.Results, time.Time{})
		if err != nil || start.Stamp != "200" || len(start.Trail) != 1 {
			t.Fatalf("Start: %+v, %v", start, err)
		}
		d.put(t, 3, 300)
		ids, c := poll(t, r, start, 10*time.Minute)
		if !slices.Equal(ids, []string{"2", "3"}) || c.Stamp != "300" {
			t.Fatalf("poll from Start: %v, %+v", ids, c)
		}
		d.put(t, 4, 250) // committed late
		if ids, _ = poll(t, r, c, 10*time.Minute); !slices.Equal(ids, []string{"2", "4", "3"}) {
			t.Errorf("late row: %v, want [2 4 3]", ids)
		}
		for i := range c.Trail { // an hour later
			c.Trail[i].At = c.Trail[i].At.Add(-time.Hour)
		}
		if ids, _ = poll(t, r, c, 10*time.Minute); !slices.Equal(ids, []string{"3"}) {
			t.Errorf("an hour later: %v, want the head only", ids)
		}
		ids, _ = poll(t, r, lims.Cursor{}, 10*time.Minute)
		if !slices.Equal(ids, []string{"1", "2", "4", "3"}) {
			t.Errorf("from the beginning: %v", ids)
		}
	})
}

// Fetch returns what is there, exactly by id, whatever the number of ids.
func TestFetch(t *testing.T) {
	databases(t, func(t *testing.T, d database) {
		d.resultsTable(t, "{bytes}", "{stamp}")
		var want []string
		for i := range 30 {
			d.put(t, fmt.Sprintf("K%d", i), stampAgo(time.Hour))
			want = append(want, fmt.Sprintf("K%d", i))
		}
		d.put(t, "Müller", stampAgo(time.Hour))
		d.put(t, "twice", nil)
		d.put(t, "twice", nil)
		r := d.reader(t, nil)
		ids := append(slices.Clone(want), "Müller", "twice", "k1", "gone", "K1", "")
		for i := range 1200 {
			ids = append(ids, fmt.Sprint("gone", i))
		}
		rows, err := r.Fetch(t.Context(), lims.Results, ids)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, row := range rows {
			got = append(got, row.ID)
			if twice := row.ID == "twice"; (row.Problem == "row_id is not unique") != twice {
				t.Errorf("%s: problem %q", row.ID, row.Problem)
			}
		}
		want = append(want, "Müller", "twice")
		slices.Sort(got)
		slices.Sort(want)
		if !slices.Equal(got, want) {
			t.Errorf("got %v, want %v", got, want)
		}
		if rows, err = r.Fetch(t.Context(), lims.Results, []string{"k2"}); err != nil || len(rows) != 0 {
			t.Errorf("k2 is not K2, whatever the column's collation: %v, %v", rows, err)
		}
	})
}

func TestFetchIntegerIDs(t *testing.T) {
	databases(t, func(t *testing.T, d database) {
		d.resultsTable(t, "{id}", "{stamp}")
		d.put(t, 7, nil)
		r := d.reader(t, nil)
		rows, err := r.Fetch(t.Context(), lims.Results, []string{"7", "8", "no number", "99999999999999999999"})
		if err != nil || len(rows) != 1 || rows[0].ID != "7" {
			t.Errorf("got %v, %v", rows, err)
		}
		if rows, err = r.Fetch(t.Context(), lims.Results, nil); err != nil || rows != nil {
			t.Errorf("of nothing: %v, %v", rows, err)
		}
	})
}

// What the database holds is what the row says, digit by digit.
func TestTypesRoundTrip(t *testing.T) {
	const id = "0B8F6A1E-9D0C-4B52-8A1F-00112233AABB"
	tests := []struct {
		name, column, typ, in string // typ and in may be written per kind of database: postgres=…|mysql=…
		get                   func(lims.Row) string
		want, problem         string
	}{
		{"decimal keeps its digits", "value", "{decimal}", "5.4000", valueOf, "5.4000", ""},
		{"text as it is written", "value", "VARCHAR(20)", " <0.50 ", valueOf, " <0.50 ", ""},
		{"NULL is empty", "value", "{decimal}", "", valueOf, "", ""},
		{"float is refused", "value", "{float}", "5.4", valueOf, "", "value is "},
		{"integer", "value", "{id}", "-12", valueOf, "-12", ""},
		{"UUID", "requisition_id", "{uuid}", strings.ToLower(id), func(r lims.Row) string { return r.Requisition }, strings.ToLower(id), ""},
		{"fixed length loses its padding", "order_code", "CHAR(10)", "GLU", func(r lims.Row) string { return r.OrderCode }, "GLU", ""},
		{"variable length keeps its blanks", "order_code", "VARCHAR(10)", "GLU ", func(r lims.Row) string { return r.OrderCode }, "GLU ", ""},
		{"number as code", "order_code", "{id}", "7", func(r lims.Row) string { return r.OrderCode }, "7", ""},
		{"64 characters", "order_code", "VARCHAR(200)", strings.Repeat("ä", 64), func(r lims.Row) string { return r.OrderCode }, strings.Repeat("ä", 64), ""},
		{"65 characters", "order_code", "VARCHAR(200)", strings.Repeat("ä", 65), func(r lims.Row) string { return r.OrderCode }, "", "order_code is longer than 64 characters"},
		{"33 characters of unit", "unit", "VARCHAR(200)", strings.Repeat("m", 33), func(r lims.Row) string { return r.Unit }, "", "unit is longer than 32 characters"},
		{"date", "birth_date", "DATE", "1980-02-29", birthOf, "1980-02-29", ""},
		{"date-time as date", "birth_date", "{stamp}", "1980-02-29 00:00:00", birthOf, "1980-02-29", ""},
		{"text as date", "birth_date", "VARCHAR(20)", "1980-02-29", birthOf, "1980-02-29", ""},
		{"text that is no date", "birth_date", "VARCHAR(20)", "29.02.1980", birthOf, "", "birth_date is no date"},
		{"no date of this world", "birth_date", "VARCHAR(20)", "1981-02-29", birthOf, "", "birth_date is no date"},
	}
	databases(t, func(t *testing.T, d database) {
		for i, test := range tests {
			t.Run(test.name, func(t *testing.T) {
				source, columns := lims.Results, []string{"row_id", "changed_at", "requisition_id", "order_code", "result_code", "value", "unit", "status"}
				if test.column == "birth_date" {
					source, columns = lims.Orders, []string{"row_id", "changed_at", "requisition_id", "order_code", "status", "birth_date"}
				}
				types := map[string]string{"row_id": "{id}", "changed_at": "{stamp}", test.column: test.typ}
				var list []string
				for _, c := range columns {
					typ := types[c]
					if typ == "" {
						typ = "VARCHAR(64)"
					}
					list = append(list, c+" "+typ)
				}
				table := fmt.Sprintf("t%d", i)
				exec(t, d.db, d.typed("CREATE TABLE "+table+" ("+strings.Join(list, ", ")+")"))
				in := "'" + test.in + "'"
				if test.in == "" {
					in = "NULL"
				}
				exec(t, d.db, "INSERT INTO "+table+" (row_id, changed_at, "+test.column+") VALUES (1, '2026-11-01 10:00:00.123', "+in+")")
				q := lims.Query{View: table}
				row := first(t, d.reader(t, func(o *lims.Options) { o.Orders, o.Results = q, q }), source)
				if got := test.get(row); got != test.want {
					t.Errorf("got %q, want %q", got, test.want)
				}
				if !strings.HasPrefix(row.Problem, test.problem) || (test.problem == "") != (row.Problem == "") {
					t.Errorf("problem %q, want %q", row.Problem, test.problem)
				}
				if row.Problem != "" && strings.Contains(row.Problem, test.in) {
					t.Errorf("the problem %q shows the value", row.Problem)
				}
				if !row.Changed.Equal(time.Date(2026, 11, 1, 10, 0, 0, 123e6, time.UTC)) {
					t.Errorf("changed at %v (stamp %q)", row.Changed, row.Stamp)
				}
			})
		}
	})
}

func valueOf(r lims.Row) string { return r.Value }
func birthOf(r lims.Row) string { return r.BirthDate }

func TestFloatDigits(t *testing.T) {
	databases(t, func(t *testing.T, d database) {
		exec(t, d.db, d.typed("CREATE TABLE f (row_id {id}, changed_at {stamp}, requisition_id {uuid}, order_code VARCHAR(9), result_code VARCHAR(9), value {float}, status VARCHAR(9))"))
		exec(t, d.db, "INSERT INTO f (row_id, changed_at, value) VALUES (1, '2026-11-01 10:00:00', 5.4)")
		r := d.reader(t, func(o *lims.Options) { o.Results = lims.Query{View: "f"}; o.FloatDigits = 2 })
		if row := first(t, r, lims.Results); row.Value != "5.40" || row.Problem != "" {
			t.Errorf("got %+v", row)
		}
	})
}

// A zoned column is an instant, whatever Options.Location says.
func TestZonedStamps(t *testing.T) {
	for kind, typ := range map[string]string{lims.Postgres: "timestamptz", lims.MySQL: "TIMESTAMP(6)", lims.SQLite: "TEXT"} {
		t.Run(kind, func(t *testing.T) {
			d := newDatabase(t, kind)
			d.resultsTable(t, "{id}", typ)
			in := "2026-07-01 12:00:00.500000"
			if kind != lims.MySQL { // whose session is in UTC
				in += "+00"
			}
			d.put(t, 1, in)
			r := d.reader(t, func(o *lims.Options) { o.Location, _ = time.LoadLocation("America/Chicago") })
			row := first(t, r, lims.Results)
			if at := time.Date(2026, 7, 1, 12, 0, 0, 5e8, time.UTC); !row.Changed.Equal(at) {
				t.Errorf("changed at %v (stamp %q), want %v", row.Changed, row.Stamp, at)
			}
			for minutes, want := range map[int]int{-1: 1, 1: 0} {
				c, err := r.Start(t.Context(), lims.Results, row.Changed.Add(time.Duration(minutes)*time.Minute))
				if err != nil {
					t.Fatal(err)
				}
				if ids, _ := poll(t, r, c, 0); len(ids) != want {
					t.Errorf("from %d minutes: %v, want %d rows", minutes, ids, want)
				}
			}
		})
	}
}

func TestNowAndIdentity(t *testing.T) {
	databases(t, func(t *testing.T, d database) {
		d.resultsTable(t, "{id}", "{stamp}")
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

// The session itself refuses to write, whatever the SELECT calls.
func TestSessionIsReadOnly(t *testing.T) {
	databases(t, func(t *testing.T, d database) {
		if d.kind == lims.SQLite {
			t.Skip("a SELECT cannot write in SQLite; the file is opened read-only as well")
		}
		d.resultsTable(t, "{id}", "{stamp}")
		d.put(t, 1, stampAgo(time.Hour))
		text := "SELECT * FROM results WHERE writes() = 1"
		switch d.kind {
		case lims.Postgres:
			exec(t, d.db, "CREATE FUNCTION writes() RETURNS int LANGUAGE plpgsql AS 'BEGIN DELETE FROM base_results; RETURN 1; END'")
		case lims.MySQL:
			exec(t, d.db, "CREATE FUNCTION writes() RETURNS int MODIFIES SQL DATA BEGIN DELETE FROM base_results; RETURN 1; END")
		}
		r := d.reader(t, func(o *lims.Options) { o.Results = lims.Query{SQL: text} })
		err := r.Poll(t.Context(), lims.Results, lims.Cursor{}, 0, func([]lims.Row, lims.Cursor) error { return nil })
		var wrong *lims.Misfit
		if !errors.As(err, &wrong) || !strings.Contains(err.Error(), "write") {
			t.Errorf("got %v, want a Misfit that says that the SELECT writes", err)
		}
		var n int
		if err := d.db.QueryRow("SELECT COUNT(*) FROM base_results").Scan(&n); err != nil || n != 1 {
			t.Errorf("%d rows are left, %v", n, err)
		}
	})
}

// A row lock of another session does not hold the reader longer than the lock timeout, and is no fault.
func TestLockedTableIsBusy(t *testing.T) {
	lock := map[string]string{
		lims.SQLite:   "BEGIN EXCLUSIVE",
		lims.Postgres: "BEGIN; LOCK TABLE base_results IN ACCESS EXCLUSIVE MODE",
		lims.MySQL:    "LOCK TABLES base_results WRITE",
	}
	databases(t, func(t *testing.T, d database) {
		d.resultsTable(t, "{id}", "{stamp}")
		r := d.reader(t, func(o *lims.Options) { o.LockTimeout = 50 * time.Millisecond })
		conn, err := d.db.Conn(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		if _, err := conn.ExecContext(context.Background(), lock[d.kind]); err != nil {
			t.Fatal(err)
		}
		_, err = r.Fetch(t.Context(), lims.Results, []string{"1"})
		if _, ok := errors.AsType[*lims.Busy](err); !ok {
			t.Errorf("got %T %v, want Busy", err, err)
		}
	})
}
