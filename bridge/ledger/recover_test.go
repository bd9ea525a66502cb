package ledger

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"limsbridge/bridge"
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
	commitTo(t, l, outcomeEvent(1, sent, whoop.Sent))
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
	commitTo(t, l, outcomeEvent(1, seq, whoop.Rejected)) // in the tail alone
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
			i := bytes.Index(b, []byte(text))
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
			if err != nil || !bytes.Equal(after, before) {
				t.Errorf("bbolt has changed (%v)", err)
			}
			again := open(t, dir, Options{})
			if r := again.Recovery(); (r.Doubt != nil) != c.damage || stopped(again) != c.damage {
				t.Errorf("%+v, stopped %v", r, stopped(again))
			}
		})
	}
}
