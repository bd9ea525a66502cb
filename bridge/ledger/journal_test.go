package ledger

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"testing"
	"time"

	"limsbridge/bridge"
)

func TestABatchTurnsTheMonthAndNeverGoesBack(t *testing.T) {
	dir := create(t)
	l := open(t, dir, Options{})
	for _, at := range []string{"2026-11-30T23:59:59Z", "2026-12-01T00:00:00Z", "2026-11-15T00:00:00Z", "2027-02-01T00:30:00+01:00", "2027-02-01T01:00:00Z"} {
		e := lookEvent(1)
		var err error
		if e.At, err = time.Parse(time.RFC3339, at); err != nil {
			t.Fatal(err)
		}
		commitTo(t, l, e)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	files, err := journalFiles(filepath.Join(dir, journalName))
	if got := fmt.Sprint(files); err != nil || got != "[2026-11.jsonl 2026-12.jsonl 2027-01.jsonl 2027-02.jsonl]" {
		t.Fatal(got, err)
	}
	if n := len(journalOf(t, dir)); n != 6 {
		t.Errorf("%d events", n)
	}
	l = open(t, dir, Options{})
	if err := l.Recovery().Doubt; err != nil {
		t.Error(err)
	}
	commitTo(t, l, lookEvent(1))                                                        // of November, into the newest file
	if err := os.Remove(filepath.Join(dir, journalName, "2026-11.jsonl")); err != nil { // archived
		t.Fatal(err)
	}
	if got := journalOf(t, dir); got[0].Seq != 3 || got[len(got)-1].Seq != 7 {
		t.Errorf("from %d to %d", got[0].Seq, got[len(got)-1].Seq)
	}
	if err := os.Remove(filepath.Join(dir, journalName, "2027-01.jsonl")); err != nil { // in the middle
		t.Fatal(err)
	}
	var damage *DamageError
	if err := l.Journal(func(bridge.Event) error { return nil }); !errors.As(err, &damage) || damage.First.File != "2027-02.jsonl" {
		t.Error(err)
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
	random := chance(t)
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
				t.Fatalf("%s, byte %d changed from %q to %q: not found", name, i, was, b[i])
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

// What Commit leaves in memory must be what replaying the journal makes.
func TestEveryFieldOfAnEventSurvivesTheJournal(t *testing.T) {
	l := open(t, create(t), Options{})
	e := fill[bridge.Event]()
	e.Key.ID = id(1)
	local := e
	local.At = e.At.In(time.FixedZone("lab", -5*3600))
	e.Seq = commitTo(t, l, local)
	events := journalOf(t, l.dir)
	if got := events[len(events)-1]; !reflect.DeepEqual(got, e) {
		t.Errorf("got  %+v\nwant %+v", got, e)
	}
	s := fill[bridge.State]()
	b, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	var again bridge.State
	if err := json.Unmarshal(b, &again); err != nil || !reflect.DeepEqual(s, again) {
		t.Errorf("%v\ngot  %+v\nwant %+v", err, again, s)
	}
}
