package conform_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"limsbridge/lims"
)

// A row that was committed late, with a stamp before the cursor, is seen within the look-back: the
// short one of each pass, the long one of each hour; what is older still is the sweep's.
func TestLateCommits(t *testing.T) {
	databases(t, func(t *testing.T, d database) {
		d.results(t, "id", "stamp")
		r := d.reader(t, small)
		d.put(t, 1, stampAgo(2*time.Hour))
		d.put(t, 2, stampAgo(30*time.Minute))
		ids, c := poll(t, r, lims.Cursor{}, 10*time.Minute)
		if !slices.Equal(ids, []string{"1", "2"}) || !c.Seen {
			t.Fatalf("first poll: %v, cursor %+v", ids, c)
		}
		d.put(t, 3, stampAgo(35*time.Minute)) // late, within
		d.put(t, 4, stampAgo(50*time.Minute)) // late, beyond
		d.put(t, 5, stampAgo(26*time.Hour))   // very late
		if ids, _ := poll(t, r, c, 10*time.Minute); !slices.Equal(ids, []string{"3", "2"}) {
			t.Errorf("look-back of 10 minutes: %v, want [3 2]", ids)
		}
		if ids, _ := poll(t, r, c, 75*time.Minute); !slices.Equal(ids, []string{"4", "3", "2"}) {
			t.Errorf("look-back of 75 minutes: %v, want [4 3 2]", ids)
		}
		if ids, again := poll(t, r, c, 0); !slices.Equal(ids, []string{"2"}) || again.Stamp != c.Stamp {
			t.Errorf("no look-back: %v and cursor %q, want the newest row again and %q", ids, again.Stamp, c.Stamp)
		}
		var swept []string
		err := r.Since(t.Context(), lims.Results, time.Now().Add(-30*24*time.Hour), func(rows []lims.Row) error {
			for _, row := range rows {
				swept = append(swept, row.ID)
			}
			return nil
		})
		if err != nil || !slices.Equal(swept, []string{"5", "1", "4", "3", "2"}) {
			t.Errorf("the sweep: %v, %v, want all of them", swept, err)
		}
	})
}

// Stamps in the future are handed out each time and do not move the cursor; NULL stamps are Unstamped's.
func TestFutureAndMissingStamps(t *testing.T) {
	databases(t, func(t *testing.T, d database) {
		d.results(t, "id", "stamp")
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

// A source whose newest stamp lies before the cursor (a LIMS restored from a backup) is told of, once, and
// read from its new head.
func TestRestoredLIMS(t *testing.T) {
	databases(t, func(t *testing.T, d database) {
		d.results(t, "id", "stamp")
		var notices []lims.Notice
		r := d.reader(t, func(o *lims.Options) { o.Notice = func(n lims.Notice) { notices = append(notices, n) } })
		d.put(t, 1, stampAgo(5*time.Hour))
		d.put(t, 2, stampAgo(3*time.Hour))
		d.put(t, 3, stampAgo(time.Hour))
		_, c := poll(t, r, lims.Cursor{}, 0)
		d.remove(t, "results", 3)
		ids, back := poll(t, r, c, 10*time.Minute)
		if !slices.Equal(ids, []string{"2"}) || back.Stamp >= c.Stamp || len(notices) != 1 || notices[0].Kind != lims.WentBack {
			t.Fatalf("after the loss: rows %v, cursor %q (was %q), notices %v", ids, back.Stamp, c.Stamp, notices)
		}
		if notices[0].Cursor != c.Stamp || notices[0].Head != back.Stamp {
			t.Errorf("the notice says %+v", notices[0])
		}
		d.put(t, 4, stampAgo(2*time.Hour)) // what is written after the restoration
		if ids, _ := poll(t, r, back, 10*time.Minute); !slices.Equal(ids, []string{"2", "4"}) {
			t.Errorf("after the restoration: %v, want [2 4]", ids)
		}
		for _, id := range []int{1, 2, 4} {
			d.remove(t, "results", id)
		}
		_, empty := poll(t, r, back, 10*time.Minute)
		_, _ = poll(t, r, empty, 10*time.Minute)
		if len(notices) != 2 || notices[1].Head != "" {
			t.Errorf("an emptied source is told of once: %v", notices)
		}
	})
}

// A cursor from Start that nothing has reached yet is no sign of a source that went back. Readings
// without zone are those of a clock in time_zone.
func TestStart(t *testing.T) {
	databases(t, func(t *testing.T, d database) {
		d.results(t, "id", "stamp")
		r := d.reader(t, func(o *lims.Options) {
			o.Notice = func(n lims.Notice) { t.Errorf("notice: %v", n) }
			o.Location = chicago(t)
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

func chicago(t testing.TB) *time.Location {
	t.Helper()
	loc, err := time.LoadLocation("America/Chicago")
	if err != nil {
		t.Fatal(err)
	}
	return loc
}

// Integer change columns know no time: the look-back goes along the trail.
func TestIntegerChanges(t *testing.T) {
	databases(t, func(t *testing.T, d database) {
		d.results(t, "id", "id")
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

// A column of whole seconds holds one stamp for many rows: those that come in the second of the cursor after it
// was read are seen by the next poll, with any look-back and with none.
func TestStampsOfWholeSeconds(t *testing.T) {
	databases(t, func(t *testing.T, d database) {
		d.results(t, "id", "second")
		r := d.reader(t, small)
		d.put(t, 5, "2026-11-01 10:00:00")
		d.put(t, 7, "2026-11-01 10:00:00")
		ids, c := poll(t, r, lims.Cursor{}, 0)
		if !slices.Equal(ids, []string{"5", "7"}) {
			t.Fatalf("first poll: %v", ids)
		}
		for _, id := range []int{1, 6, 9} { // before, between and behind
			d.put(t, id, "2026-11-01 10:00:00")
		}
		if ids, _ = poll(t, r, c, 0); !slices.Equal(ids, []string{"1", "5", "6", "7", "9"}) {
			t.Errorf("same second: %v, want all of it", ids)
		}
	})
}

// Stamps with fewer digits than their column are stamps of that column: a program that writes whole
// seconds beside one that writes microseconds is read in the order of time.
func TestStampsWithFewerDigitsThanTheColumn(t *testing.T) {
	databases(t, func(t *testing.T, d database) {
		d.results(t, "id", "stamp")
		r := d.reader(t, small)
		d.put(t, 1, "2026-11-01 10:00:00.999999")
		d.put(t, 2, "2026-11-01 10:00:01")
		d.put(t, 3, "2026-11-01 10:00:01.000001")
		ids, c := poll(t, r, lims.Cursor{}, 0)
		if !slices.Equal(ids, []string{"1", "2", "3"}) {
			t.Errorf("first poll: %v", ids)
		}
		d.put(t, 4, "2026-11-01 10:00:01.5")
		d.put(t, 5, "2026-11-01 10:00:02")
		if ids, c = poll(t, r, c, 0); !slices.Equal(ids, []string{"3", "4", "5"}) {
			t.Errorf("second poll: %v", ids)
		}
		d.put(t, 6, "2026-11-01 10:00:02.000001")
		if ids, _ = poll(t, r, c, 0); !slices.Equal(ids, []string{"5", "6"}) {
			t.Errorf("third poll: %v", ids)
		}
		if ids, _ = poll(t, r, c, time.Second); !slices.Equal(ids, []string{"3", "4", "5", "6"}) &&
			!slices.Equal(ids, []string{"2", "3", "4", "5", "6"}) {
			t.Errorf("a second back: %v", ids)
		}
	})
}

// In autumn local readings repeat an hour. What is stamped in the second 1:30 although 1:59 was read
// already is seen by the hourly look-back, and by each short one as soon as it lies within ten minutes.
func TestAutumnHour(t *testing.T) {
	databases(t, func(t *testing.T, d database) {
		d.results(t, "id", "stamp")
		r := d.reader(t, func(o *lims.Options) { small(o); o.Location = chicago(t) })
		d.put(t, 1, "2025-11-02 00:59:00") // CDT
		d.put(t, 2, "2025-11-02 01:59:00") // CDT
		ids, c := poll(t, r, lims.Cursor{}, 10*time.Minute)
		if !slices.Equal(ids, []string{"1", "2"}) {
			t.Fatalf("before the change: %v", ids)
		}
		d.put(t, 3, "2025-11-02 01:05:00") // CST, an hour and six minutes later
		if ids, _ = poll(t, r, c, 75*time.Minute); !slices.Equal(ids, []string{"1", "3", "2"}) {
			t.Errorf("the hourly look-back: %v, want [1 3 2]", ids)
		}
		d.put(t, 4, "2025-11-02 01:55:00") // CST
		d.put(t, 5, "2025-11-02 02:03:00") // CST
		if ids, c = poll(t, r, c, 10*time.Minute); !slices.Equal(ids, []string{"4", "2", "5"}) {
			t.Errorf("towards the end of the hour: %v, want [4 2 5]", ids)
		}
		// 2:03 less ten minutes is 1:53 on the clock's face, and for a reading that is taken for the first of
		// the two less in real time.
		d.put(t, 6, "2025-11-02 01:54:00")
		if ids, _ = poll(t, r, c, 10*time.Minute); !slices.Contains(ids, "6") {
			t.Errorf("after the hour: %v, want 6 among them", ids)
		}
		row, err := r.Fetch(t.Context(), lims.Results, []string{"2", "5"})
		if err != nil || len(row) != 2 {
			t.Fatalf("%v, %v", row, err)
		}
		at := map[string]time.Time{row[0].ID: row[0].Changed, row[1].ID: row[1].Changed}
		if !at["2"].Equal(time.Date(2025, 11, 2, 6, 59, 0, 0, time.UTC)) || !at["5"].Equal(time.Date(2025, 11, 2, 8, 3, 0, 0, time.UTC)) {
			t.Errorf("instants: %v", at)
		}
	})
}

// A column with zone holds instants, whatever Options.Location says.
func TestStampsWithZone(t *testing.T) {
	databases(t, func(t *testing.T, d database) {
		d.results(t, "id", "instant")
		in := "2026-07-01 12:00:00.500000"
		if d.kind() != lims.MySQL { // whose session is in UTC
			in += "+00:00"
		}
		d.put(t, 1, in)
		r := d.reader(t, func(o *lims.Options) { o.Location = chicago(t) })
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

// What a database has instead of NULL is no stamp either: the sweep sees such rows, and check counts them.
func TestStampsThatAreNone(t *testing.T) {
	none := map[string]string{lims.MySQL: "0000-00-00 00:00:00"}
	databases(t, func(t *testing.T, d database) {
		stamp, ok := none[d.kind()]
		if !ok {
			t.Skip("NULL is all that this database has")
		}
		for _, typ := range []string{"stamp", "instant"} {
			t.Run(typ, func(t *testing.T) { noneOf(t, database{d.another(t), d.another}, typ, stamp) })
		}
	})
}

// noneOf reads a source with one stamp, one NULL, and three stamps that are none.
func noneOf(t *testing.T, d database, typ, stamp string) {
	d.results(t, "id", typ)
	d.put(t, 1, stampAgo(time.Hour))
	d.put(t, 2, nil)
	l := d.sql(t)
	l.exec(t, "SET sql_mode = ''; INSERT INTO base_results (row_id, changed_at, status) VALUES (3, '"+stamp+"', 'A'), (4, '"+stamp+"', 'A'), (5, '"+stamp+"', 'A'); SET sql_mode = DEFAULT")
	r := d.reader(t, small)
	var ids []string
	err := r.Unstamped(t.Context(), lims.Results, func(rows []lims.Row) error {
		for _, row := range rows {
			ids = append(ids, row.ID)
			if row.Stamp != "" || row.Problem != "" {
				t.Errorf("row %s: stamp %q, problem %q", row.ID, row.Stamp, row.Problem)
			}
		}
		return nil
	})
	if want := []string{"2", "3", "4", "5"}; err != nil || !slices.Equal(ids, want) {
		t.Errorf("without a stamp: %v (%v), want %v", ids, err, want)
	}
	if n, err := r.CountUnstamped(t.Context(), lims.Results); err != nil || n != "4" {
		t.Errorf("counted %s (%v), want 4", n, err)
	}
	// Three of them are more than a page, behind which polling must come.
	for _, from := range []lims.Cursor{{Stamp: stampAgo(2 * time.Hour)}, {}} {
		if ids, _ := poll(t, r, from, 0); !slices.Equal(ids, []string{"1"}) {
			t.Errorf("from %q: polled %v", from.Stamp, ids)
		}
	}
}

// PostgreSQL's stamps may be of no day that a clock shows: such rows are told of, and stand in nobody's way.
func TestStampsBeyondTheCalendar(t *testing.T) {
	d := database{lab: openServer(t, lims.Postgres)}
	for _, kind := range []string{"stamp", "instant"} {
		columns := resultColumns("id", kind)
		d.create(t, kind, columns...)
		odd := []string{"-infinity", "0044-03-15 00:00:00 BC", stampAgo(time.Hour), "12026-11-01 00:00:00", "infinity"}
		for i, stamp := range odd {
			d.insert(t, kind, resultKeys, result(i, stamp))
		}
		r := d.reader(t, func(o *lims.Options) { o.Results, o.PageSize = lims.Query{View: kind}, 1 })
		ids, cursor := poll(t, r, lims.Cursor{}, 0)
		if want := []string{"0", "1", "2", "3", "4"}; !slices.Equal(ids, want) {
			t.Errorf("%s: read %v, want %v", kind, ids, want)
		}
		if !strings.HasPrefix(cursor.Stamp, odd[2][:10]) {
			t.Errorf("%s: the cursor stands at %q, want that of today", kind, cursor.Stamp)
		}
		d.insert(t, kind, resultKeys, result(9, stampAgo(time.Minute)))
		if ids, _ := poll(t, r, cursor, time.Minute); !slices.Equal(ids, []string{"2", "9", "3", "4"}) {
			t.Errorf("%s: then read %v", kind, ids)
		}
	}
}
