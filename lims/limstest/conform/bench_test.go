package conform_test

import (
	"bufio"
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"limsbridge/lims"
)

// million is the size of the table of the benchmarks; LIMSBRIDGE_ROWS changes it.
const million = 1_000_000

// begin is where the stamps of that table begin; ten rows share a second.
const begin = "2026-01-01 00:00:00"

// large makes a table of n results, indexed on (changed_at, row_id), as quickly as the database can.
func large(b *testing.B, kind string, n int) database {
	b.Helper()
	l := database{lab: openLab(b, kind)}.sql(b)
	l.create(b, "results", resultColumns("id", "stamp")...)
	const into = "INSERT INTO base_results (row_id, changed_at, requisition_id, order_code, result_code, value, unit, status) "
	const rest = "'LIPID_PANEL', 'CHOL', '5.40', 'mmol/L', 'A' "
	switch kind {
	case lims.SQLite:
		l.exec(b, "PRAGMA journal_mode = WAL")
		l.exec(b, fmt.Sprintf("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < %d) "+
			into+"SELECT i, datetime('%s', '+' || (i / 10) || ' seconds'), printf('%%08x-0000-4000-8000-%%012x', i / 4, i / 4), "+rest+"FROM n", n, begin))
		l.exec(b, "ANALYZE")
	case lims.Postgres:
		l.exec(b, fmt.Sprintf(into+"SELECT i, timestamp '%s' + i / 10 * interval '1 second', (lpad(to_hex(i / 4), 8, '0') || '-0000-4000-8000-' || lpad(to_hex(i / 4), 12, '0'))::uuid, "+
			rest+"FROM generate_series(1, %d) i", begin, n))
		l.exec(b, "VACUUM ANALYZE base_results")
	case lims.MySQL:
		l.exec(b, fmt.Sprintf(into+"SELECT seq, timestamp '%s' + INTERVAL seq DIV 10 SECOND, CONCAT(LPAD(HEX(seq DIV 4), 8, '0'), '-0000-4000-8000-', LPAD(HEX(seq DIV 4), 12, '0')), "+
			rest+"FROM seq_1_to_%d", begin, n))
		l.exec(b, "ANALYZE TABLE base_results")
	}
	l.exec(b, map[string]string{
		lims.SQLite: "CREATE UNIQUE INDEX base_results_id ON base_results (row_id)", lims.Postgres: "CREATE UNIQUE INDEX base_results_id ON base_results (row_id)",
		lims.MySQL: "CREATE UNIQUE INDEX base_results_id ON base_results (row_id)",
	}[kind])
	return database{lab: l}
}

func openLab(t testing.TB, kind string) lab {
	for _, l := range labs {
		if l.name == kind {
			return l.open(t)
		}
	}
	t.Fatalf("no lab of kind %s", kind)
	return nil
}

// sweeping is what the process that sweeps is told and what it answers.
type sweeping struct {
	Kind, DSN string
	Server    string
	Port      int
	Database  string
	User      string
	Password  string
	Rows      int
	Bare      []time.Duration // each a loop over the same query with database/sql
	Sweep     []time.Duration // each beside one of those
	AnonMiB   float64         // the most anonymous memory seen during a sweep; 0: this system does not tell
}

// sweepEnv holds a sweeping as JSON for the process that sweeps.
const sweepEnv = "LIMSBRIDGE_SWEEPING"

// BenchmarkSweep is a sweep over a million results with nothing new, without rests, beside a bare loop of
// database/sql over the same query, in turns, in a process of its own: how many times as long it takes (the
// median of the pairs), and the most anonymous memory.
func BenchmarkSweep(b *testing.B) {
	for _, kind := range []string{lims.SQLite, lims.Postgres, lims.MySQL} {
		b.Run(kind, func(b *testing.B) {
			n := rowsOf(million)
			d := large(b, kind, n)
			o := d.options()
			s := sweeping{Kind: kind, Rows: n, Server: o.Server, Port: o.Port, Database: o.Database, User: o.User}
			if o.Password != nil {
				s.Password, _ = o.Password()
			}
			s.DSN = map[bool]string{true: "file:" + strings.ReplaceAll(o.Database, " ", "%20") + "?mode=ro"}[kind == lims.SQLite]
			if s.DSN == "" {
				s.DSN = dsn(o, o.Database)
			}
			told, err := json.Marshal(s)
			if err != nil {
				b.Fatal(err)
			}
			for b.Loop() {
				self := exec.CommandContext(b.Context(), os.Args[0], "-test.run", "^TestSweeping$", "-test.v")
				self.Env = append(os.Environ(), sweepEnv+"="+string(told), "GOMAXPROCS="+strconv.Itoa(runtime.GOMAXPROCS(0)))
				out, err := self.Output()
				if err != nil {
					b.Fatalf("%v\n%s", err, out)
				}
				for line := range strings.Lines(string(out)) {
					if text, ok := strings.CutPrefix(line, sweepEnv+" "); ok {
						if err := json.Unmarshal([]byte(text), &s); err != nil {
							b.Fatal(err)
						}
					}
				}
			}
			var ratios []float64
			for i := range s.Sweep {
				ratios = append(ratios, float64(s.Sweep[i])/float64(s.Bare[i]))
			}
			b.Logf("%s: bare %v, sweep %v", kind, s.Bare, s.Sweep)
			b.ReportMetric(median(ratios), "times-bare")
			b.ReportMetric(s.AnonMiB, "MiB-anon")
			b.ReportMetric(0, "ns/op") // setting up and both loops: it says nothing
			if median(ratios) > 3 || s.AnonMiB > 64 {
				b.Errorf("a sweep takes %.2f times a bare loop and %.0f MiB, want at most 3 times and 64 MiB", median(ratios), s.AnonMiB)
			}
		})
	}
}

func median(v []float64) float64 { return quantile(v, 0.5) }

// quantile is the value below which a share of them lies.
func quantile(v []float64, share float64) float64 {
	v = slices.Sorted(slices.Values(v))
	return v[min(len(v)-1, int(share*float64(len(v))))]
}

// TestSweeping is the process of BenchmarkSweep, and nothing without it.
func TestSweeping(t *testing.T) {
	told := os.Getenv(sweepEnv)
	if told == "" {
		t.Skip("it is a part of BenchmarkSweep")
	}
	var s sweeping
	if err := json.Unmarshal([]byte(told), &s); err != nil {
		t.Fatal(err)
	}
	r, err := lims.Open(lims.Options{
		Type: s.Kind, Server: s.Server, Port: s.Port, Database: s.Database, User: s.User, Password: func() (string, error) { return s.Password, nil },
		Orders: lims.Query{View: "results"}, Results: lims.Query{View: "results"},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	db := open(t, map[string]string{lims.SQLite: "sqlite"}[s.Kind]+driverOf[s.Kind], s.DSN)
	if _, err := r.Describe(t.Context(), lims.Results); err != nil {
		t.Fatal(err)
	}
	query := pageless(r)
	for range 5 {
		s.Sweep = append(s.Sweep, timed(t, s.Rows, func() (n int, err error) {
			var seen atomic.Bool
			over := make(chan struct{})
			go func() {
				defer close(over)
				for !seen.Load() {
					s.AnonMiB = max(s.AnonMiB, anonMiB())
					<-time.After(20 * time.Millisecond)
				}
			}()
			err = r.Since(t.Context(), lims.Results, time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC), func(rows []lims.Row) error {
				n += len(rows)
				return nil
			})
			seen.Store(true)
			<-over
			return n, err
		}))
		s.Bare = append(s.Bare, timed(t, s.Rows, func() (int, error) { return bare(t.Context(), db, query) }))
	}
	out, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprintf(os.Stdout, "%s %s\n", sweepEnv, out)
}

// timed tells how long f takes to read n rows.
func timed(t *testing.T, n int, f func() (int, error)) time.Duration {
	t.Helper()
	begun := time.Now()
	got, err := f()
	if err != nil || got != n {
		t.Fatalf("%d rows, %v, want %d", got, err, n)
	}
	return time.Since(begun)
}

// pageless is the reader's own statement for the first page of results, from a stamp on, without its limit.
func pageless(r *lims.Reader) string {
	for _, text := range r.Statements() {
		if head, _, ok := strings.Cut(text, "\nLIMIT"); ok && strings.Contains(head, "result_code") && strings.Contains(head, ">=") && !strings.Contains(head, " OR ") {
			return head
		}
	}
	panic("no statement of a page")
}

// bare loops over the rows of a query, as a program does that wants each column as a text.
func bare(ctx context.Context, db *sql.DB, query string) (n int, err error) {
	rows, err := db.QueryContext(ctx, query, "2000-01-01 00:00:00")
	if err != nil {
		return 0, err
	}
	defer rows.Close()
	var columns [8]sql.NullString
	for rows.Next() {
		err := rows.Scan(&columns[0], &columns[1], &columns[2], &columns[3], &columns[4], &columns[5], &columns[6], &columns[7])
		if err != nil {
			return n, err
		}
		n++
	}
	return n, rows.Err()
}

// anonMiB is this process's anonymous memory, where the system tells (Linux: /proc/self/status, RssAnon).
func anonMiB() float64 {
	f, err := os.Open("/proc/self/status")
	if err != nil {
		return 0
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		if text, ok := strings.CutPrefix(lines.Text(), "RssAnon:"); ok {
			kb, _ := strconv.ParseFloat(strings.Fields(text)[0], 64)
			return kb / 1024
		}
	}
	return 0
}

// BenchmarkWriterBeside is what a program that updates results one by one loses to a bridge that polls that
// table without a pause of its own, but with the default rests: updates a second with and without it, in turns that are
// long against a read and its rest, and the median of what is left of them.
func BenchmarkWriterBeside(b *testing.B) {
	for _, kind := range []string{lims.SQLite, lims.Postgres, lims.MySQL} {
		b.Run(kind, func(b *testing.B) {
			n := rowsOf(million)
			w := &besides{d: large(b, kind, n), rows: n}
			pairs := 6
			if w.takes = 10 * time.Second; testing.Short() {
				w.takes = time.Second
			}
			r := w.d.reader(b, func(o *lims.Options) { o.Orders, o.Pace = lims.Query{View: "results"}, lims.DefaultPace })
			// Nothing waits for the disk, where other load of the machine would drown what is to be measured.
			l := w.d.sql(b)
			l.db.SetMaxOpenConns(1)
			if text := map[string]string{lims.SQLite: "PRAGMA synchronous = OFF", lims.Postgres: "SET synchronous_commit = off"}[kind]; text != "" {
				l.exec(b, text)
			}
			cursor, err := r.Start(b.Context(), lims.Results, time.Now().Add(-lookBack))
			if err != nil {
				b.Fatal(err)
			}
			poll := func(ctx context.Context) error {
				for ctx.Err() == nil {
					err := r.Poll(ctx, lims.Results, cursor, lookBack, func(_ []lims.Row, c lims.Cursor) error {
						cursor = c
						return nil
					})
					if err != nil && ctx.Err() == nil {
						return err
					}
				}
				return nil
			}
			nothing := func(ctx context.Context) error { <-ctx.Done(); return nil }
			var left, with, without []float64
			for b.Loop() {
				for pair := range pairs {
					if pair%2 == 0 {
						without = append(without, w.turn(b, nothing))
						with = append(with, w.turn(b, poll))
					} else {
						with = append(with, w.turn(b, poll))
						without = append(without, w.turn(b, nothing))
					}
					left = append(left, with[len(with)-1]/without[len(without)-1])
				}
			}
			b.ReportMetric(median(without), "updates/s-alone")
			b.ReportMetric(median(with), "updates/s-beside")
			b.ReportMetric(100*median(left), "%-left")
			b.ReportMetric(0, "ns/op")
			b.Logf("%s: the middle half of the pairs keeps %.1f to %.1f %%", kind, 100*quantile(left, 0.25), 100*quantile(left, 0.75))
			// Whatever else runs on the machine makes single pairs differ by more than what is looked for.
			if median(left) < 0.95 && quantile(left, 0.75) < 1 {
				b.Errorf("a writer keeps %.1f %% of its throughput beside the bridge, want at least 95 %%", 100*median(left))
			}
		})
	}
}

// besides is the writer.
type besides struct {
	d     database
	rows  int
	takes time.Duration // a turn
	done  int
}

// turn counts the updates of single rows, per second, while something runs beside.
func (w *besides) turn(b *testing.B, beside func(context.Context) error) float64 {
	b.Helper()
	l := w.d.sql(b)
	ctx, cancel := context.WithCancel(b.Context())
	ended := make(chan error, 1)
	go func() { ended <- beside(ctx) }()
	text := "UPDATE base_results SET value = '5.41', changed_at = " + map[string]string{
		lims.SQLite: "strftime('%Y-%m-%d %H:%M:%f', 'now')", lims.Postgres: "clock_timestamp()::timestamp", lims.MySQL: "SYSDATE(6)",
	}[w.d.kind()] + " WHERE row_id = "
	begun, before := time.Now(), w.done
	for time.Since(begun) < w.takes {
		l.exec(b, text+strconv.Itoa(1+w.done*7919%w.rows))
		w.done++
	}
	rate := float64(w.done-before) / time.Since(begun).Seconds()
	cancel()
	if err := <-ended; err != nil {
		b.Fatal(err)
	}
	return rate
}
