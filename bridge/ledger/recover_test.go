package ledger

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"limsbridge/bridge"
	"limsbridge/lims"
	"limsbridge/whoop"
)

// crash leaves the ledger as it is on disk, in a copy, as if the process had been killed.
func crash(t testing.TB, l *Ledger) string { return clone(t, l.dir) }

// crashed is a ledger whose bbolt has applied the creation alone, while its journal goes on with a
// report that was sent, one whose call was running, and a running look and status.
func crashed(t testing.TB) string {
	l := open(t, create(t), Options{})
	commitTo(t, l, lookEvent(1), lookEvent(2))
	sent := commitTo(t, l, intentEvent(1, bridge.SubmitReport))
	commitTo(t, l, outcomeEvent(1, sent, bridge.SubmitReport, whoop.Sent))
	commitTo(t, l, intentEvent(2, bridge.SubmitReport))
	commitTo(t, l, intentEvent(3, bridge.Look))
	commitTo(t, l, intentEvent(4, bridge.SetStatus))
	return crash(t, l)
}

// stopped reports whether everything is stopped because of the ledger.
func stopped(l *Ledger) bool {
	return slices.ContainsFunc(l.State().Stops, func(s bridge.Stop) bool { return s.Kind == bridge.LedgerStop })
}

// known fails the test unless l knows what crashed did.
func known(t *testing.T, l *Ledger) {
	t.Helper()
	if r := load(t, l, 1); len(r.Attempts) != 0 || len(r.Requests) != 1 || !r.Requests[0].Final || len(r.Requests[0].Sent) != 1 {
		t.Errorf("the report that was sent: %+v", r)
	}
	for _, n := range []byte{2, 4} {
		if r := load(t, l, n); len(r.Attempts) != 1 || r.Attempts[0].Open() {
			t.Errorf("the attempt of %d, which was running, is not in doubt: %+v", n, r)
		}
	}
	if r := load(t, l, 3); len(r.Attempts) != 0 {
		t.Errorf("a look, which cannot be in doubt: %+v", r)
	}
}

func TestBehindAnIntactJournalTheTailIsReplayedAndBareIntentsAreInDoubt(t *testing.T) {
	for name, at := range map[string]int{"at once": 0, "with checkpoints on the way": 2} {
		t.Run(name, func(t *testing.T) {
			dir := crashed(t)
			l := open(t, dir, Options{checkpoint: at})
			if r := l.Recovery(); r != (Recovery{Replayed: 7, InDoubt: 2}) {
				t.Errorf("%+v", r)
			}
			known(t, l)
			var doubts []string
			for _, e := range journalOf(t, dir)[8:] {
				doubts = append(doubts, fmt.Sprint(e.Key.ID[15], e.Kind, e.Intent, e.Action, e.Outcome, e.Text))
				if !e.At.Equal(start.Add(time.Hour)) {
					t.Errorf("at %v", e.At)
				}
			}
			slices.Sort(doubts)
			const text = "the process ended before the answer"
			want := []string{
				fmt.Sprint(byte(2), bridge.OutcomeEvent, 6, bridge.SubmitReport, whoop.InDoubt, text),
				fmt.Sprint(byte(3), bridge.OutcomeEvent, 7, bridge.Look, whoop.Released, text),
				fmt.Sprint(byte(4), bridge.OutcomeEvent, 8, bridge.SetStatus, whoop.InDoubt, text),
			}
			if !slices.Equal(doubts, want) {
				t.Errorf("got %q, want %q", doubts, want)
			}
			if err := l.Close(); err != nil {
				t.Fatal(err)
			}
			again := open(t, dir, Options{})
			if r := again.Recovery(); r != (Recovery{}) {
				t.Errorf("the second time: %+v", r)
			}
			known(t, again)
		})
	}
}

// An attempt that bbolt holds, and the journal's tail does not mention, is found as well.
func TestBareIntentsAreFoundInBboltAlone(t *testing.T) {
	l := open(t, create(t), Options{})
	seq := commitTo(t, l, intentEvent(1, bridge.SubmitReport))
	commitTo(t, l, intentEvent(2, bridge.SubmitReport))
	if err := l.Flush(); err != nil {
		t.Fatal(err)
	}
	commitTo(t, l, outcomeEvent(1, seq, bridge.SubmitReport, whoop.Rejected)) // in the tail alone
	again := open(t, crash(t, l), Options{})
	if r := again.Recovery(); r != (Recovery{Replayed: 1, InDoubt: 1}) {
		t.Errorf("%+v", r)
	}
	if r := load(t, again, 1); len(r.Attempts) != 0 {
		t.Errorf("%+v", r)
	}
	if r := load(t, again, 2); len(r.Attempts) != 1 || r.Attempts[0].Open() {
		t.Errorf("%+v", r)
	}
}

func TestATornLastLineIsCutOff(t *testing.T) {
	whole := crashed(t)
	path := newest(t, whole)
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.SplitAfter(string(b), "\n")
	last := lines[len(lines)-2] // of the status; behind it is nothing
	for keep := range last {
		if keep > 2 && keep < len(last)-3 && keep%11 != 0 && keep != len(last)-66 { // the last is before the tab
			continue
		}
		dir := clone(t, whole)
		if err := os.Truncate(newest(t, dir), int64(len(b)-len(last)+keep)); err != nil {
			t.Fatal(err)
		}
		l := open(t, dir, Options{})
		if r := l.Recovery(); r != (Recovery{Replayed: 6, InDoubt: 1, Torn: int64(keep)}) {
			t.Fatalf("%d bytes kept: %+v", keep, r)
		}
		if _, ok, _ := l.Load(requisition(4)); ok {
			t.Fatalf("%d bytes kept: its event was applied", keep)
		}
		commitTo(t, l, lookEvent(5))
		if events := journalOf(t, dir); events[len(events)-1].Seq != uint64(len(events)) {
			t.Fatalf("%d bytes kept: the numbers have a gap", keep)
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// A new month's file, of which nothing whole was written, gets its header later.
func TestATornFirstLineIsCutOff(t *testing.T) {
	for _, torn := range []string{"", `{"journal":1,"aft`} {
		dir := crashed(t)
		write(t, filepath.Join(dir, journalName, "2026-12.jsonl"), torn)
		l := open(t, dir, Options{})
		if r := l.Recovery(); r != (Recovery{Replayed: 7, InDoubt: 2, Torn: int64(len(torn))}) {
			t.Errorf("%+v", r)
		}
		known(t, l)
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		if events := journalOf(t, dir); len(events) != 11 {
			t.Errorf("%d events", len(events))
		}
		again := open(t, dir, Options{})
		if r := again.Recovery(); r != (Recovery{}) {
			t.Errorf("the second time: %+v", r)
		}
	}
}

func TestWhereJournalAndBboltDoNotFitTogetherEverythingIsStopped(t *testing.T) {
	// flip changes one byte of the newest file, counted from a text in it.
	flip := func(text string, offset int) func(*testing.T, string) {
		return func(t *testing.T, dir string) {
			path := newest(t, dir)
			b, err := os.ReadFile(path)
			i := strings.Index(string(b), text)
			if err != nil || i < 0 {
				t.Fatal(i, err)
			}
			b[i+offset] ^= 1
			write(t, path, string(b))
		}
	}
	for name, c := range map[string]struct {
		damage func(t *testing.T, dir string)
		knows  bool // what is sound is applied nevertheless
	}{
		"the journal folder is missing": {func(t *testing.T, dir string) { remove(t, filepath.Join(dir, journalName)) }, false},
		"the journal file is missing":   {func(t *testing.T, dir string) { remove(t, newest(t, dir)) }, false},
		"the journal is empty":          {func(t *testing.T, dir string) { write(t, newest(t, dir), "") }, false},
		"the journal is of another ledger": {func(t *testing.T, dir string) {
			other := crashed(t)
			b, err := os.ReadFile(newest(t, other))
			if err != nil {
				t.Fatal(err)
			}
			write(t, newest(t, dir), strings.Replace(string(b), "A. Smith", "B. Jones", 1))
		}, true}, // its sums are the same: only the content of a line is another
		"bbolt is ahead": {func(t *testing.T, dir string) {
			if err := os.Truncate(newest(t, dir), 150); err != nil {
				t.Fatal(err)
			}
		}, false},
		"the applied line has changed":        {flip(`"create"`, 2), true},
		"the applied line's sum has changed":  {flip(`{"seq":2`, -2), false},
		"the line behind it has changed":      {flip(`{"seq":2`, 20), true},
		"a newline has changed":               {flip(`{"seq":3`, -1), true},
		"a line in the middle has no sum":     {flip(`{"seq":3`, -2), true},
		"a look's key has changed":            {flip(`{"seq":3`, 110), true},
		"there is a line too much":            {func(t *testing.T, dir string) { appendTo(t, newest(t, dir), "{}\n") }, true},
		"a file of a later month is not ours": {func(t *testing.T, dir string) { write(t, filepath.Join(dir, journalName, "2026-12.jsonl"), "x\n") }, true},
		"a later file does not continue": {func(t *testing.T, dir string) {
			copyTo(t, newest(t, dir), filepath.Join(dir, journalName, "2026-12.jsonl"))
		}, true},
		"the last newline has changed": {func(t *testing.T, dir string) { replaceLast(t, newest(t, dir), "\v") }, true},
		"the file before ends within the line": {func(t *testing.T, dir string) {
			replaceLast(t, newest(t, dir), "")
			write(t, filepath.Join(dir, journalName, "2026-12.jsonl"), "")
		}, false},
	} {
		t.Run(name, func(t *testing.T) {
			dir := crashed(t)
			c.damage(t, dir)
			before := files(t, filepath.Join(dir, journalName))
			l := open(t, dir, Options{})
			if l.Recovery().Doubt == nil || !stopped(l) {
				t.Fatalf("it goes on as if nothing had happened: %+v", l.Recovery())
			}
			if c.knows {
				if r := load(t, l, 4); len(r.Attempts) != 1 || r.Attempts[0].Open() {
					t.Errorf("the status, which was running, is not in doubt: %+v", r)
				}
			}
			if err := l.Close(); err != nil {
				t.Fatal(err)
			}
			after := files(t, filepath.Join(dir, journalName))
			for name, text := range before {
				if after[name] != text {
					t.Errorf("%s, which is damaged, was changed", name)
				}
			}
			if len(after) != len(before)+1 {
				t.Errorf("there are %d files after %d", len(after), len(before))
			}

			again := open(t, dir, Options{})
			if r := again.Recovery(); r != (Recovery{}) || !stopped(again) {
				t.Fatalf("the second time: %+v, stopped %v", r, stopped(again))
			}
			commitTo(t, again, bridge.Event{At: start, Kind: bridge.ActEvent, Act: bridge.ResumeAct, By: "A. Smith", Why: "compared with WHOOP"})
			if stopped(again) {
				t.Error("a person cannot end it")
			}
			if err := again.Close(); err != nil {
				t.Fatal(err)
			}
			third := open(t, dir, Options{})
			if r := third.Recovery(); r != (Recovery{}) || stopped(third) {
				t.Errorf("the third time: %+v, stopped %v", r, stopped(third))
			}
		})
	}
}

// If the process ends before the stop is in bbolt, the next start finds the same damage again.
func TestAStopSurvivesACrash(t *testing.T) {
	dir := crashed(t)
	replaceLast(t, newest(t, dir), "\v")
	old := clone(t, dir)
	l := open(t, dir, Options{})
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	copyTo(t, filepath.Join(old, storeName), filepath.Join(dir, storeName))
	again := open(t, dir, Options{})
	if again.Recovery().Doubt == nil || !stopped(again) {
		t.Errorf("%+v", again.Recovery())
	}
	if got := filepath.Base(newest(t, dir)); got != "2026-11_3.jsonl" {
		t.Errorf("the newest file is %s", got)
	}
}

// Nothing may reach bbolt before the journal's own start is durable, or before a damage led to a stop:
// otherwise the next start would not see what this one saw.
func TestAStartThatFailsLeavesBboltBehind(t *testing.T) {
	for name, c := range map[string]struct {
		disk   *flaky
		damage bool
	}{
		"what the last process wrote cannot be synced": {&flaky{failSync: true}, false},
		"the stop cannot be written":                   {&flaky{failWrite: true}, true},
	} {
		t.Run(name, func(t *testing.T) {
			dir := crashed(t)
			if c.damage {
				path := newest(t, dir)
				b, err := os.ReadFile(path)
				if err != nil {
					t.Fatal(err)
				}
				write(t, path, strings.Replace(string(b), `"code":"CBC"`, `"code":"CBD"`, 1))
			}
			before, err := os.ReadFile(filepath.Join(dir, storeName))
			if err != nil {
				t.Fatal(err)
			}
			l, err := Open(dir, Options{disk: c.disk, checkpoint: 1})
			if err == nil {
				_ = l.Close()
			}
			if !errors.Is(err, errDisk) {
				t.Fatal(err)
			}
			after, err := os.ReadFile(filepath.Join(dir, storeName))
			if err != nil || string(after) != string(before) {
				t.Errorf("bbolt has changed (%v)", err)
			}
			again := open(t, dir, Options{})
			if r := again.Recovery(); (r.Doubt != nil) != c.damage || stopped(again) != c.damage {
				t.Errorf("%+v, stopped %v", r, stopped(again))
			}
		})
	}
}

// Wherever a byte of the journal changes, reading it says so.
func TestEveryFlippedByteIsFound(t *testing.T) {
	dir := crashed(t)
	december := lookEvent(1)
	december.At = start.AddDate(0, 1, 0)
	l := open(t, dir, Options{})
	commitTo(t, l, december, december)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	seed := rand.Uint64()
	random := rand.New(rand.NewPCG(seed, 1))
	for _, name := range []string{"2026-11.jsonl", "2026-12.jsonl"} {
		path := filepath.Join(dir, journalName, name)
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for i, was := range b {
			b[i] ^= 1 << random.IntN(8)
			write(t, path, string(b))
			if err := ReadJournal(dir, func(bridge.Event) error { return nil }); err == nil {
				t.Fatalf("seed %d: %s, byte %d changed from %q to %q: not found", seed, name, i, was, b[i])
			}
			b[i] = was
		}
		write(t, path, string(b))
	}
	journalOf(t, dir)
}

func TestReadJournalStopsWhereItsReaderDoes(t *testing.T) {
	enough := errors.New("enough")
	n := 0
	err := ReadJournal(crashed(t), func(bridge.Event) error { n++; return enough })
	if n != 1 || !errors.Is(err, enough) {
		t.Error(n, err)
	}
}

// Random work, cut off at random instants: the journal as far as it was synced and a little of what
// was not, with a bbolt file of some earlier instant. What was acknowledged is always there, and
// everything equals what replaying the journal makes.
func TestPowerCuts(t *testing.T) {
	seed := rand.Uint64()
	random := rand.New(rand.NewPCG(seed, 1))
	for round := range 25 {
		d := &flaky{}
		dir := create(t)
		l := open(t, dir, Options{disk: d, checkpoint: 1 + random.IntN(40)})
		var mu sync.Mutex
		acknowledged := map[uint64]bridge.Event{}
		var stores []string // bbolt files of earlier instants
		var cuts []struct {
			dir          string
			acknowledged map[uint64]bridge.Event
		}
		var wg sync.WaitGroup
		for g := range byte(4) {
			random := rand.New(rand.NewPCG(seed, uint64(round)<<8|uint64(g)+2))
			wg.Go(func() {
				open := map[byte]uint64{}
				for range 40 {
					n := g*10 + byte(random.IntN(10))
					e := lookEvent(n)
					if seq, ok := open[n]; ok {
						e = outcomeEvent(n, seq, bridge.SubmitReport, []whoop.Outcome{whoop.Sent, whoop.Released, whoop.InDoubt}[random.IntN(3)])
						delete(open, n)
					} else if random.IntN(2) == 0 {
						e = intentEvent(n, bridge.SubmitReport)
					}
					seqs, err := l.Commit(t.Context(), e)
					if err != nil {
						t.Errorf("seed %d: %v", seed, err)
						return
					}
					if e.Kind == bridge.IntentEvent {
						open[n] = seqs[0]
					}
					mu.Lock()
					acknowledged[seqs[0]] = e
					if random.IntN(30) == 0 {
						l.checkpointing.Lock() // a running transaction is bbolt's own matter
						to := filepath.Join(t.TempDir(), "store")
						copyTo(t, filepath.Join(dir, storeName), to)
						stores = append(stores, to)
						l.checkpointing.Unlock()
					}
					if random.IntN(40) == 0 {
						l.checkpointing.Lock()
						cut := d.powerCut(t, dir, func(n int64) int64 { return random.Int64N(n + 1) })
						l.checkpointing.Unlock()
						known := map[uint64]bridge.Event{}
						for seq, e := range acknowledged {
							known[seq] = e
						}
						if len(stores) > 0 && random.IntN(2) == 0 {
							copyTo(t, stores[random.IntN(len(stores))], filepath.Join(cut, storeName))
						}
						cuts = append(cuts, struct {
							dir          string
							acknowledged map[uint64]bridge.Event
						}{cut, known})
					}
					mu.Unlock()
				}
			})
		}
		wg.Wait()
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		for i, cut := range cuts {
			survives(t, cut.dir, cut.acknowledged, fmt.Sprintf("seed %d, round %d, cut %d", seed, round, i))
		}
	}
}

// survives opens what a power cut left.
func survives(t *testing.T, dir string, acknowledged map[uint64]bridge.Event, what string) {
	t.Helper()
	l := open(t, dir, Options{})
	if err := l.Recovery().Doubt; err != nil {
		t.Fatalf("%s: %v", what, err)
	}
	records, state := map[bridge.Key]bridge.Record{}, bridge.State{Created: start}
	found := 0
	for _, e := range journalOf(t, dir) {
		if want, ok := acknowledged[e.Seq]; ok {
			found++
			if e.Kind != want.Kind || *e.Key != *want.Key {
				t.Fatalf("%s: event %d is another", what, e.Seq)
			}
		}
		state.Apply(e)
		if e.Key != nil {
			records[*e.Key] = records[*e.Key].Apply(e)
		}
	}
	if found != len(acknowledged) {
		t.Fatalf("%s: %d of %d acknowledged events are there", what, found, len(acknowledged))
	}
	model := &Ledger{dirty: overlay{}, state: state, readOnly: true, store: l.store}
	for k, r := range records {
		for _, a := range r.Attempts {
			if a.Open() {
				t.Fatalf("%s: attempt %d is open", what, a.Seq)
			}
		}
		model.dirty[k] = &r
	}
	model.words.list.Store(l.words.list.Load())
	if got, want := everything(t, l), everything(t, model); got != want {
		t.Fatalf("%s: got\n%s\nwant\n%s", what, got, want)
	}
	if err := l.Close(); err != nil {
		t.Fatal(what, err)
	}
	checkIndexes(t, dir, what)
}

// A cursor must never be durable before what was noted ahead of it.
func TestACursorNeverOvertakesItsRows(t *testing.T) {
	l := open(t, create(t), Options{checkpoint: 7})
	const rows = 100
	for i := range byte(rows) {
		if err := l.Note(requisition(i), func(r *bridge.Record) { r.Due = start }); err != nil {
			t.Fatal(err)
		}
		l.Advance(lims.Results, lims.Cursor{Stamp: fmt.Sprintf("%03d", i)})
		if i%9 != 0 {
			continue
		}
		l.checkpointing.Lock()
		dir := crash(t, l)
		l.checkpointing.Unlock()
		again := open(t, dir, Options{ReadOnly: true})
		var upTo int
		if stamp := again.Cursor(lims.Results).Stamp; stamp != "" {
			if _, err := fmt.Sscan(strings.TrimLeft(stamp[:2], "0")+stamp[2:], &upTo); err != nil {
				t.Fatal(err)
			}
			for n := range byte(upTo + 1) {
				load(t, again, n)
			}
		}
		if err := again.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

func files(t testing.TB, folder string) map[string]string {
	t.Helper()
	m := map[string]string{}
	entries, err := os.ReadDir(folder)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
	for _, e := range entries {
		b, err := os.ReadFile(filepath.Join(folder, e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		m[e.Name()] = string(b)
	}
	return m
}

func copyTo(t testing.TB, from, to string) {
	t.Helper()
	b, err := os.ReadFile(from)
	if err != nil {
		t.Fatal(err)
	}
	write(t, to, string(b))
}

// replaceLast puts a text in the place of a file's last byte.
func replaceLast(t testing.TB, path, text string) {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	write(t, path, string(b[:len(b)-1])+text)
}
