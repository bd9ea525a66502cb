package limstest_test

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"limsbridge/lims/limstest"
)

func newLab(t *testing.T, o limstest.Options) (*limstest.Lab, string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "lims.db")
	l, err := limstest.New(path, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l, path
}

func asJSON(t *testing.T, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestSameSeedSameLab(t *testing.T) {
	a, _ := newLab(t, limstest.Options{Seed: 7})
	b, _ := newLab(t, limstest.Options{Seed: 7, Start: time.Unix(1e9, 0)})
	c, _ := newLab(t, limstest.Options{Seed: 8})
	if asJSON(t, a.Truth()) != asJSON(t, b.Truth()) || !slices.Equal(a.Sentinels(), b.Sentinels()) {
		t.Error("seed 7 gave two different labs")
	}
	if asJSON(t, a.Truth()) == asJSON(t, c.Truth()) {
		t.Error("seeds 7 and 8 gave the same lab")
	}
}

func TestSameSeedSameTables(t *testing.T) {
	var dumps []string
	for range 2 {
		c := newClock()
		l, path := newLab(t, limstest.Options{Seed: 3, Now: c.Now})
		for !l.Done() {
			if err := l.Advance(t.Context()); err != nil {
				t.Fatal(err)
			}
			c.now = c.now.Add(100 * time.Millisecond)
		}
		dumps = append(dumps, fmt.Sprint((&judge{read: openReader(t, path)}).rows(t)))
	}
	if dumps[0] != dumps[1] {
		t.Error("the same seed and the same clock gave different tables")
	}
}

// TestCast: every kind of requisition, hold and status is in every default lab.
func TestCast(t *testing.T) {
	for seed := range uint64(20) {
		l, _ := newLab(t, limstest.Options{Seed: seed})
		truth := l.Truth()
		counts := truth.Counts()
		if counts.Requisitions < 200 {
			t.Errorf("seed %d: %d requisitions, want at least 200", seed, counts.Requisitions)
		}
		if counts.Corrections == 0 || counts.Corrections > 20 {
			t.Errorf("seed %d: %d corrections; more than 20 a day make a careful bridge stop", seed, counts.Corrections)
		}
		seen := map[string]int{}
		for _, q := range truth.Requisitions {
			seen["kind "+string(q.Kind)]++
			if q.Written != q.ID.String() && q.Kind != limstest.BadID {
				seen["upper case id"]++
			}
			seen[fmt.Sprintf("%d requests", len(q.Requests))]++
			for _, h := range q.Holds {
				seen["hold "+h.Kind]++
			}
			for _, s := range q.Requests {
				seen["status "+s.Status]++
				seen["report "+s.Report]++
				for _, o := range s.Observations {
					for _, v := range o.Versions {
						seen["version "+v.Status+" "+v.Report]++
						seen[fmt.Sprintf("numeric %v", v.Numeric)]++
						if strings.HasPrefix(v.Entry, ".") {
							seen["without its zero"]++
						}
						if v.Numeric && strings.Contains(v.Entry, ".") && strings.HasSuffix(v.Entry, "0") {
							seen["trailing zero"]++
						}
						if strings.HasPrefix(v.Entry, "<") {
							seen["comparator"]++
						}
					}
				}
			}
		}
		var want []string
		for _, k := range limstest.Kinds() {
			want = append(want, "kind "+string(k))
		}
		for _, h := range []string{
			"unknown_order_code", "unknown_result_code", "unknown_status", "unknown_unit", "bad_value", "bad_id", "not_found", "not_ordered",
			"two_requests", "two_rows", "no_order", "other_patient", "not_measurable", "contradiction", "released_after_end", "reported_elsewhere",
		} {
			want = append(want, "hold "+h)
		}
		for _, s := range []string{
			"", "ORDER_CONFIRMED", "APPOINTMENT_ATTENDED", "PARTIAL_RESULTS_READY", "FULL_RESULTS_READY", "APPOINTMENT_ISSUE", "ORDER_ISSUE",
		} {
			want = append(want, "status "+s)
		}
		want = append(want, "report ", "report partial", "report final", "version final ", "version final amended",
			"version corrected corrected", "version entered-in-error corrected", "numeric true", "numeric false",
			"1 requests", "2 requests", "3 requests", "upper case id", "without its zero", "trailing zero", "comparator")
		for _, w := range want {
			if seen[w] == 0 {
				t.Errorf("seed %d: no %s", seed, w)
			}
		}
	}
}

// TestCastOfHalfALab: every kind occurs from 110 requisitions on, and a smaller lab has its size.
func TestCastOfHalfALab(t *testing.T) {
	for _, n := range []int{1, 25, 110} {
		l, _ := newLab(t, limstest.Options{Orders: n})
		kinds := map[limstest.Kind]bool{}
		for _, q := range l.Truth().Requisitions {
			kinds[q.Kind] = true
		}
		if len(l.Truth().Requisitions) != n || n >= 110 && len(kinds) != len(limstest.Kinds()) {
			t.Errorf("a lab of %d has %d requisitions of %d kinds", n, len(l.Truth().Requisitions), len(kinds))
		}
	}
}

// TestTruth: what the views show, step by step, leads to the truth and to nothing else.
func TestTruth(t *testing.T) {
	for seed := range uint64(4) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			c := newClock()
			l, path := newLab(t, limstest.Options{Seed: seed, Orders: 120, Now: c.Now})
			j := newJudge(t, l, path)
			for !l.Done() {
				if err := l.Advance(t.Context()); err != nil {
					t.Fatal(err)
				}
				j.observe(t)
				c.now = c.now.Add(200 * time.Millisecond)
			}
			for i, d := range j.differences() {
				if t.Error(d); i == 20 {
					break
				}
			}
		})
	}
}

// TestLateClock: however late the lab is moved along, and however slowly it writes, versions lie
// apart by the gap, and each of them can be seen.
func TestLateClock(t *testing.T) {
	const gap = 1500 * time.Millisecond
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 1))
	c := newClock()
	c.pace = 30 * time.Millisecond // a transaction takes that long
	l, path := newLab(t, limstest.Options{Seed: seed, Now: c.Now, CorrectionGap: gap, For: 2 * time.Second, Orders: 60, Kinds: []limstest.Kind{
		limstest.Corrected, limstest.BackAndForth, limstest.ReopenedChanged, limstest.ReplacedChanged, limstest.WithdrawnAfter, limstest.Amended,
	}})
	j := newJudge(t, l, path)
	since := map[string]time.Time{}
	count := map[string]int{}
	versions := 0
	for !l.Done() {
		if err := l.Advance(t.Context()); err != nil {
			t.Fatal(err)
		}
		j.observe(t)
		for k, v := range j.versions {
			if len(v) == count[k] {
				continue
			}
			if len(v) != count[k]+1 {
				t.Errorf("%s: versions %d to %d appeared at once", k, count[k]+1, len(v))
			}
			at, err := time.Parse("2006-01-02 15:04:05.000", j.stamps[k])
			if err != nil {
				t.Fatal(err)
			}
			if d := at.Sub(since[k]); count[k] > 0 && d < gap {
				t.Errorf("%s: version %d came %v after the one before, want at least %v", k, len(v), d, gap)
			}
			since[k], count[k] = at, len(v)
			versions++
		}
		c.now = c.now.Add(time.Duration(rng.Int64N(int64(gap))) << rng.IntN(3)) // sometimes four gaps
	}
	if want := l.Truth().Counts().Observations; versions != want {
		t.Errorf("saw %d versions, want %d", versions, want)
	}
	if d := j.differences(); len(d) > 0 {
		t.Errorf("%d differences, e.g. %s", len(d), d[0])
	}
}

// TestWaitsForArrival: what builds on an accepted version waits for it, but not for ever.
func TestWaitsForArrival(t *testing.T) {
	for _, tc := range []struct {
		name    string
		arrives bool
		after   time.Duration // since the value was released
		want    int           // versions seen
	}{
		{"not arrived, patience left", false, 6 * time.Second, 1},
		{"not arrived, patience over", false, 30 * time.Second, 2},
		{"arrived", true, 6 * time.Second, 2},
	} {
		t.Run(tc.name, func(t *testing.T) {
			c := newClock()
			var asked []limstest.Mark
			l, path := newLab(t, limstest.Options{
				Now: c.Now, Orders: 1, Kinds: []limstest.Kind{limstest.Corrected}, For: time.Second, Patience: 20 * time.Second,
				Arrived: func(m limstest.Mark) bool { asked = append(asked, m); return tc.arrives },
			})
			j := newJudge(t, l, path)
			for range 20 { // to the last step but one
				if err := l.Advance(t.Context()); err != nil {
					t.Fatal(err)
				}
				j.observe(t)
				c.now = c.now.Add(50 * time.Millisecond)
			}
			c.now = c.now.Add(tc.after)
			for range 10 {
				if err := l.Advance(t.Context()); err != nil {
					t.Fatal(err)
				}
				j.observe(t)
			}
			most := 0
			for _, v := range j.versions {
				most = max(most, len(v))
			}
			if most != tc.want || l.Done() != (tc.want == 2) {
				t.Errorf("saw %d versions, done %v; want %d", most, l.Done(), tc.want)
			}
			var corrected limstest.Mark
			for _, s := range l.Truth().Requisitions[0].Requests {
				for _, o := range s.Observations {
					if len(o.Versions) == 2 {
						corrected = limstest.Mark{ServiceRequest: s.ID, Code: o.Code, Versions: 1}
					}
				}
			}
			if !slices.Contains(asked, corrected) || len(slices.Compact(asked)) != 1 {
				t.Errorf("asked for %v, want %v only", asked, corrected)
			}
		})
	}
}

// TestRun: in virtual time the lab's day takes as long as it should, beside a reader of its file.
func TestRun(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lims.db")
	synctest.Test(t, func(t *testing.T) {
		l, err := limstest.New(path, limstest.Options{Seed: 1, Orders: 110})
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		begun := time.Now()
		if err := l.Run(t.Context()); err != nil {
			t.Fatal(err)
		}
		if d := time.Since(begun); d < 4*time.Second || d > 14*time.Second {
			t.Errorf("the lab's day took %v, want about %v", d, limstest.DefaultFor)
		}
		if taken, all := l.Progress(); !l.Done() || taken != all || all < 110 {
			t.Errorf("took %d of %d steps", taken, all)
		}
	})
}

// TestReaderBeside: a read-only reader of the same file is never refused, and blocks nobody.
func TestReaderBeside(t *testing.T) {
	l, path := newLab(t, limstest.Options{Orders: 60, For: 200 * time.Millisecond, CorrectionGap: 20 * time.Millisecond})
	j := &judge{read: openReader(t, path)}
	done := make(chan error, 1)
	go func() { done <- l.Run(t.Context()) }()
	for reads := 0; ; reads++ {
		select {
		case err := <-done:
			if err != nil || !l.Done() || reads == 0 {
				t.Errorf("Run: %v, done %v, %d reads beside it", err, l.Done(), reads)
			}
			return
		default:
			j.rows(t)
		}
	}
}

// TestFinishKeepsTheOrder: a day that is cut short, wherever, ends as the whole day does: no step
// of a requisition passes another one.
func TestFinishKeepsTheOrder(t *testing.T) {
	o := limstest.Options{Seed: rand.Uint64(), For: 2 * time.Second, Orders: 60, Kinds: []limstest.Kind{
		limstest.Corrected, limstest.BackAndForth, limstest.ReopenedChanged, limstest.ReplacedChanged, limstest.WithdrawnAfter,
	}}
	t.Logf("seed %d", o.Seed)
	end := func(late time.Duration) string {
		c := newClock()
		o.Now = c.Now
		l, path := newLab(t, o)
		for range 3 {
			if err := l.Advance(t.Context()); err != nil {
				t.Fatal(err)
			}
			c.now = c.now.Add(late)
		}
		if err := l.Finish(t.Context()); err != nil {
			t.Fatal(err)
		}
		var rows string
		err := openReader(t, path).QueryRow(`SELECT group_concat(row_id || ' ' || status || ' ' || coalesce(value, ''), char(10) ORDER BY row_id) FROM whoop_results`).Scan(&rows)
		if err != nil {
			t.Fatal(err)
		}
		return rows
	}
	whole := end(0) // everything at once, in the order of the times
	for _, late := range []time.Duration{200 * time.Millisecond, time.Second, 20 * time.Second, time.Hour} {
		if got := end(late); got != whole {
			t.Errorf("three steps of %s, and the rest at once, gave another end", late)
		}
	}
}

func TestRunEndsWithItsContext(t *testing.T) {
	l, path := newLab(t, limstest.Options{Orders: 20})
	ctx, cancel := context.WithCancel(t.Context())
	if err := l.Advance(ctx); err != nil {
		t.Fatal(err)
	}
	cancel()
	if err := l.Run(ctx); err == nil || l.Done() {
		t.Errorf("Run with a cancelled context: %v, done %v", err, l.Done())
	}
	// Nothing is lost by it: the lab can be moved along afterwards.
	if err := l.Finish(t.Context()); err != nil || !l.Done() {
		t.Fatalf("Finish: %v, done %v", err, l.Done())
	}
	j := newJudge(t, l, path)
	j.observe(t)
	if d := j.holdDifferences(); len(d) > 0 {
		// Without the steps between, only what depends on an earlier report may differ.
		for _, x := range d {
			if !strings.Contains(x, string(limstest.ReleasedAfterNoShow)) && !strings.Contains(x, string(limstest.Contradiction)) {
				t.Error(x)
			}
		}
	}
}

func TestNewRefuses(t *testing.T) {
	_, path := newLab(t, limstest.Options{Orders: 1})
	if l, err := limstest.New(path, limstest.Options{Orders: 1}); err == nil {
		l.Close()
		t.Error("New wrote into a file that exists")
	} else if !strings.Contains(err.Error(), path) {
		t.Errorf("%v does not name the file", err)
	}
	if _, err := limstest.New(filepath.Join(t.TempDir(), "x.db"), limstest.Options{Kinds: []limstest.Kind{"nonsense"}}); err == nil {
		t.Error("New took a kind that does not exist")
	}
}
