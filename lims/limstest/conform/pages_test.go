package conform_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"limsbridge/lims"
)

// Every row is seen exactly once in a poll, in order, also where many share a stamp and pages end among them.
func TestPages(t *testing.T) {
	const ten = "2026-11-01 10:00:00"
	keys := []struct {
		name, id, stamp string
		ids, stamps     []any
		want            string
	}{
		{"integer ids, equal stamps", "id", "stamp",
			[]any{10, 9, 2, 1, 3, 4, 5}, []any{ten, ten, ten, ten, ten, "2026-11-01 09:00:00", "2026-11-01 11:00:00"},
			"4 1 2 3 9 10 5"},
		{"text ids in binary order, whatever the collation", "odd", "stamp",
			[]any{"b", "B", "a", "Ä", "A", "10", "9"}, slices.Repeat([]any{ten}, 7),
			"10 9 A B a b Ä"},
		{"integer changes", "id", "id",
			[]any{1, 2, 3, 4, 5}, []any{7, 7, 7, 6, 1000}, "4 1 2 3 5"},
	}
	for _, k := range keys {
		t.Run(k.name, func(t *testing.T) {
			databases(t, func(t *testing.T, d database) {
				d.results(t, k.id, k.stamp)
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

// many are rows of random stamps, a few to each, in random order of their ids: (i*step) mod n is a
// permutation. ids are returned in the order in which they must be read.
func many(n int, rnd *rand.Rand) (rows [][]any, ids []string) {
	type key struct{ stamp, id int }
	keys := make([]key, n)
	for i := range keys {
		keys[i] = key{rnd.IntN(n/20 + 1), i + 1}
	}
	rnd.Shuffle(n, func(i, j int) { keys[i].id, keys[j].id = keys[j].id, keys[i].id })
	begin := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	for _, k := range keys {
		rows = append(rows, result(k.id, begin.Add(time.Duration(k.stamp)*time.Second).Format("2006-01-02 15:04:05")))
	}
	slices.SortFunc(keys, func(a, b key) int {
		if a.stamp != b.stamp {
			return a.stamp - b.stamp
		}
		return a.id - b.id
	})
	for _, k := range keys {
		ids = append(ids, strconv.Itoa(k.id))
	}
	return rows, ids
}

// seeded returns random numbers whose seed is told.
func seeded(t testing.TB) *rand.Rand {
	seed := uint64(time.Now().UnixNano())
	if s, err := strconv.ParseUint(os.Getenv("LIMSBRIDGE_SEED"), 10, 64); err == nil {
		seed = s
	}
	t.Logf("LIMSBRIDGE_SEED=%d", seed)
	return rand.New(rand.NewPCG(seed, 0))
}

// A reader that dies between two pages loses nothing: another one goes on from the cursor of the last page
// that it handed out, and every row was handed out by one of the two.
func TestKilledBetweenPages(t *testing.T) {
	databases(t, func(t *testing.T, d database) {
		rnd := seeded(t)
		d.results(t, "id", "stamp")
		rows, want := many(400, rnd)
		d.insert(t, "results", resultKeys, rows...)
		killed := errors.New("killed")
		for _, back := range []time.Duration{0, 10 * time.Minute} {
			var got []string
			seen := map[string]bool{}
			var cursor lims.Cursor
			for lives := 0; ; lives++ {
				if lives > 1000 {
					t.Fatal("the reader does not come forward")
				}
				r := d.reader(t, func(o *lims.Options) { o.PageSize = 11 })
				pages := 2 + rnd.IntN(10) // the first ones may be the look-back's
				if back > 0 {
					pages += 400 / 11
				}
				err := r.Poll(t.Context(), lims.Results, cursor, back, func(rows []lims.Row, c lims.Cursor) error {
					if pages--; pages == 0 {
						return killed // what it had in hand is lost with it
					}
					for _, row := range rows {
						if !seen[row.ID] {
							seen[row.ID] = true
							got = append(got, row.ID)
						}
					}
					cursor = c
					return nil
				})
				r.Close()
				if err == nil {
					break
				}
				if !errors.Is(err, killed) {
					t.Fatal(err)
				}
			}
			if !slices.Equal(got, want) {
				t.Errorf("look-back %s: %d rows, want %d in the order of their stamps", back, len(got), len(want))
			}
		}
	})
}

// Rows that vanish between two pages, are deleted softly or come in before them neither hide others nor repeat them.
func TestTableChangesBetweenPages(t *testing.T) {
	databases(t, func(t *testing.T, d database) {
		d.results(t, "id", "stamp")
		for i := 1; i <= 12; i++ {
			d.put(t, i, fmt.Sprintf("2026-11-01 10:%02d:00", i))
		}
		r := d.reader(t, func(o *lims.Options) { o.PageSize = 3 })
		var got []string
		err := r.Poll(t.Context(), lims.Results, lims.Cursor{}, 0, func(rows []lims.Row, _ lims.Cursor) error {
			for _, row := range rows {
				got = append(got, row.ID+row.Status)
			}
			switch len(got) {
			case 3:
				d.remove(t, "results", 3) // the row at which the next page begins
				d.remove(t, "results", 1)
			case 6:
				d.update(t, "results", 8, []string{"status", "changed_at"}, "X", "2026-11-01 11:00:00") // softly, later
				d.put(t, 13, "2026-11-01 10:00:30")                                                     // before what was read
			}
			return nil
		})
		want := "1A 2A 3A 4A 5A 6A 7A 9A 10A 11A 12A 8X"
		if err != nil || strings.Join(got, " ") != want {
			t.Errorf("got %v, %v, want %s", got, err, want)
		}
		rows, err := r.Fetch(t.Context(), lims.Results, []string{"1", "3", "8", "13"})
		if err != nil || len(rows) != 2 {
			t.Errorf("what vanished is missing by its id, and nothing else: %v, %v", rows, err)
		}
	})
}

// rowsOf is the size of the large table: LIMSBRIDGE_ROWS, or a share that every run can afford.
func rowsOf(share int) int {
	if n, err := strconv.Atoi(os.Getenv("LIMSBRIDGE_ROWS")); err == nil && n > 0 {
		return n
	}
	return share
}

// A large table is read to its head, every row once and in order, by polling, and by the sweep as well;
// what was added afterwards is read alone.
func TestLargeTable(t *testing.T) {
	n := rowsOf(5000)
	if testing.Short() {
		n = 2000
	}
	databases(t, func(t *testing.T, d database) {
		if _, ok := d.lab.(playedOracle); ok && n > 100_000 {
			t.Skip("the scripted Oracle sorts its table for each page")
		}
		d.results(t, "id", "stamp")
		rows, want := many(n, seeded(t))
		d.insert(t, "results", resultKeys, rows...)
		// What a database does by itself after a while, so that it knows of the index.
		if text := map[string]string{lims.Postgres: "ANALYZE base_results", lims.MySQL: "ANALYZE TABLE base_results"}[d.kind()]; text != "" {
			d.sql(t).exec(t, text)
		}
		r := d.reader(t, func(o *lims.Options) { o.PageSize = min(lims.DefaultPageSize, n/7+1) })
		ids, c := poll(t, r, lims.Cursor{}, 0)
		if !slices.Equal(ids, want) {
			t.Errorf("polling: %d rows, want %d in the order of (changed_at, row_id)", len(ids), n)
		}
		ids = ids[:0]
		err := r.Since(t.Context(), lims.Results, time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC), func(rows []lims.Row) error {
			for _, row := range rows {
				ids = append(ids, row.ID)
			}
			return nil
		})
		if err != nil || !slices.Equal(ids, want) {
			t.Errorf("the sweep: %v, %d rows, want %d in the order of (changed_at, row_id)", err, len(ids), n)
		}
		d.put(t, n+1, "2026-11-01 10:00:00")
		if ids, _ := poll(t, r, c, 0); !slices.Contains(ids, strconv.Itoa(n+1)) || len(ids) > 200 {
			t.Errorf("one more row: %d were read", len(ids))
		}
	})
}

// Fetch returns what is there, exactly by id, whatever the number of ids.
func TestFetch(t *testing.T) {
	databases(t, func(t *testing.T, d database) {
		d.results(t, "odd", "stamp")
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
		d.results(t, "id", "stamp")
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
