package ledger

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"go.etcd.io/bbolt"

	"limsbridge/bridge"
	"limsbridge/lims"
	"limsbridge/whoop"
)

// id is a readable id: id(7) ends in …07.
func id(n byte) uuid.UUID { return uuid.UUID{0: 0xa0, 15: n} }

// requisition is the key of requisition n.
func requisition(n byte) bridge.Key { return bridge.Key{Kind: bridge.RequisitionKey, ID: id(n)} }

// look, intent and outcome are events of requisition n, whose one service request is id(n+100).
func lookEvent(n byte) bridge.Event {
	k := requisition(n)
	return bridge.Event{At: start, Kind: bridge.LookEvent, Key: &k, Shown: []bridge.Request{{ID: id(n + 100), Code: "CBC", Status: whoop.OrderConfirmed}}}
}

func intentEvent(n byte, a bridge.ActionKind) bridge.Event {
	k := requisition(n)
	e := bridge.Event{At: start, Kind: bridge.IntentEvent, Key: &k, Action: a, Requests: []uuid.UUID{id(n + 100)}}
	switch a {
	case bridge.SetStatus:
		e.Status = whoop.AppointmentAttended
	case bridge.SubmitReport:
		e.Report = whoop.ReportFinal
		e.Prints = []bridge.Sent{{Code: "WBC", Row: "4711", Print: bridge.Print{n, 1, 2}}}
	}
	return e
}

func outcomeEvent(n byte, intent uint64, a bridge.ActionKind, o whoop.Outcome) bridge.Event {
	k := requisition(n)
	return bridge.Event{At: start.Add(time.Second), Kind: bridge.OutcomeEvent, Key: &k, Intent: intent, Action: a, Outcome: o, Report: whoop.ReportFinal}
}

// commit commits and returns the number of the last event.
func commitTo(t testing.TB, l *Ledger, events ...bridge.Event) uint64 {
	t.Helper()
	seqs, err := l.Commit(context.Background(), events...)
	if err != nil {
		t.Fatal(err)
	}
	return seqs[len(seqs)-1]
}

func load(t testing.TB, l *Ledger, n byte) bridge.Record {
	t.Helper()
	r, ok, err := l.Load(requisition(n))
	if err != nil || !ok {
		t.Fatalf("load %d: %v %v", n, ok, err)
	}
	return r
}

func journalOf(t testing.TB, dir string) (events []bridge.Event) {
	t.Helper()
	if err := ReadJournal(dir, func(e bridge.Event) error { events = append(events, e); return nil }); err != nil {
		t.Fatal(err)
	}
	return events
}

// everything is all that a ledger says, for comparison.
func everything(t testing.TB, l *Ledger) string {
	t.Helper()
	var records []string
	err := l.Each(func(r bridge.Record) error {
		b, err := json.Marshal(r)
		records = append(records, string(b))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(records)
	b, err := json.Marshal([]any{l.State(), l.Cursor(lims.Orders), l.Cursor(lims.Results)})
	if err != nil {
		t.Fatal(err)
	}
	text := strings.Join(records, "\n") + "\n" + string(b)
	return strings.ReplaceAll(text, ":[]", ":null") // no difference to anybody
}

func TestCommitNumbersFromOneWithoutGaps(t *testing.T) {
	l := open(t, create(t), Options{})
	seqs, err := l.Commit(t.Context(), lookEvent(1), lookEvent(2))
	if err != nil || !slices.Equal(seqs, []uint64{2, 3}) { // 1 is the creation
		t.Fatal(seqs, err)
	}
	if seqs, err = l.Commit(t.Context()); len(seqs) != 0 || err != nil {
		t.Fatal(seqs, err)
	}
	var all []uint64
	var mu sync.Mutex
	var wg sync.WaitGroup
	for n := range byte(16) {
		wg.Go(func() {
			for range 50 {
				seqs, err := l.Commit(t.Context(), lookEvent(n), lookEvent(n))
				if err != nil || len(seqs) != 2 || seqs[1] != seqs[0]+1 {
					t.Error(seqs, err)
					return
				}
				mu.Lock()
				all = append(all, seqs...)
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	slices.Sort(all)
	for i, seq := range all {
		if seq != uint64(i)+4 {
			t.Fatalf("number %d is %d", i, seq)
		}
	}
	for i, e := range journalOf(t, l.dir) {
		if e.Seq != uint64(i)+1 {
			t.Fatalf("line %d is event %d", i, e.Seq)
		}
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

func TestCommittedIsSeenByLoadBeforeAndAfterTheCheckpoint(t *testing.T) {
	l := open(t, create(t), Options{})
	look := lookEvent(1)
	look.Seq = commitTo(t, l, look)
	report := intentEvent(1, bridge.SubmitReport)
	report.Seq = commitTo(t, l, report)
	want := bridge.Record{Key: requisition(1)}.Apply(look).Apply(report)
	if got := load(t, l, 1); !reflect.DeepEqual(got, want) {
		t.Errorf("from memory: got %+v, want %+v", got, want)
	}
	if err := l.Flush(); err != nil {
		t.Fatal(err)
	}
	if len(l.dirty)+len(l.flushing) != 0 {
		t.Error("the overlay is not empty after Flush")
	}
	if got := load(t, l, 1); !reflect.DeepEqual(got, want) {
		t.Errorf("from bbolt: got %+v, want %+v", got, want)
	}
	if _, ok, err := l.Load(requisition(9)); ok || err != nil {
		t.Errorf("an unknown record: %v %v", ok, err)
	}
}

func TestNoteChangesOnlyWhatIsNotJournalled(t *testing.T) {
	l := open(t, create(t), Options{})
	commitTo(t, l, lookEvent(1))
	before := load(t, l, 1)
	want := before.Clone()
	want.Due, want.Urgency = start.Add(time.Minute), whoop.Issues
	want.Rows = []bridge.RowMark{{Source: lims.Results, ID: "7", Stamp: 8, Version: 9, Noticed: start, Released: true}}
	err := l.Note(requisition(1), func(r *bridge.Record) {
		r.Due, r.Urgency = want.Due.Local(), want.Urgency
		r.Rows = append(r.Rows, want.Rows[0])
		r.Rows[0].Noticed = start.Add(999 * time.Millisecond).Local()
		r.Looked, r.Holds, r.Requests[0].Code = time.Time{}, []bridge.Hold{{Seq: 1}}, "changed"
	})
	if err != nil {
		t.Fatal(err)
	}
	if got := load(t, l, 1); !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
	if len(before.Rows) != 0 || before.Requests[0].Code != "CBC" {
		t.Errorf("a record that was handed out has changed: %+v", before)
	}
	if err := l.Note(requisition(2), func(*bridge.Record) {}); err != nil {
		t.Fatal(err)
	}
	if got := load(t, l, 2); !reflect.DeepEqual(got, bridge.Record{Key: requisition(2)}) {
		t.Errorf("a record that only Note knows: %+v", got)
	}
}

func TestDue(t *testing.T) {
	note := func(t *testing.T, l *Ledger, n byte, u whoop.Class, due time.Time) {
		t.Helper()
		if err := l.Note(requisition(n), func(r *bridge.Record) { r.Due, r.Urgency = due, u }); err != nil {
			t.Fatal(err)
		}
	}
	at := start
	setup := func(t *testing.T, l *Ledger) {
		note(t, l, 1, whoop.Progress, at.Add(-3*time.Hour))
		note(t, l, 2, whoop.Finals, at.Add(-time.Hour))
		note(t, l, 3, whoop.Finals, at.Add(-2*time.Hour))
		note(t, l, 4, whoop.Corrections, at)
		note(t, l, 5, whoop.Corrections, at.Add(1)) // a nanosecond later
		note(t, l, 6, whoop.Finals, at.Add(-time.Minute))
		note(t, l, 7, whoop.Issues, time.Time{})                                   // nothing to do
		note(t, l, 8, whoop.Progress, time.Date(1950, 1, 1, 0, 0, 0, 0, time.UTC)) // before the epoch
	}
	change := func(t *testing.T, l *Ledger) {
		note(t, l, 2, whoop.Progress, at.Add(-2*time.Hour)) // moves
		note(t, l, 6, whoop.Finals, time.Time{})            // leaves
	}
	all := func(t *testing.T, l *Ledger, limit int) (got []byte) {
		t.Helper()
		mark := ""
		for range 20 {
			keys, next, err := l.Due(at, mark, limit)
			if err != nil || len(keys) > limit {
				t.Fatal(keys, err)
			}
			for _, k := range keys {
				got = append(got, k.ID[15])
			}
			if mark = next; mark == "" {
				return got
			}
		}
		t.Fatal("it does not end")
		return nil
	}
	for limit := 1; limit <= 9; limit++ {
		t.Run(fmt.Sprintf("%d at a time", limit), func(t *testing.T) {
			dir := create(t)
			l := open(t, dir, Options{})
			setup(t, l)
			if got := all(t, l, limit); len(got) != 0 {
				t.Errorf("before the flush: %v", got)
			}
			if err := l.Flush(); err != nil {
				t.Fatal(err)
			}
			if got, want := all(t, l, limit), []byte{4, 3, 2, 6, 8, 1}; !slices.Equal(got, want) {
				t.Errorf("got %v, want %v", got, want)
			}
			change(t, l)
			if err := l.Close(); err != nil {
				t.Fatal(err)
			}
			ro := open(t, dir, Options{ReadOnly: true})
			if got, want := all(t, ro, limit), []byte{4, 3, 8, 1, 2}; !slices.Equal(got, want) {
				t.Errorf("after the change: got %v, want %v", got, want)
			}
			note(t, ro, 8, whoop.Corrections, at.Add(-1))
			note(t, ro, 1, whoop.Progress, time.Time{})
			note(t, ro, 9, whoop.Issues, at)
			if got, want := all(t, ro, limit), []byte{8, 4, 3, 9, 2}; !slices.Equal(got, want) {
				t.Errorf("read-only, which sees what is not flushed: got %v, want %v", got, want)
			}
		})
	}
	l := open(t, create(t), Options{})
	for _, mark := range []string{"x", "00", strings.Repeat("0", 2*dueSize+2)} {
		if _, _, err := l.Due(at, mark, 1); err == nil {
			t.Errorf("the mark %q was taken", mark)
		}
	}
}

func TestCloseAndOpenKeepsEverything(t *testing.T) {
	dir := create(t)
	l := open(t, dir, Options{})
	commitTo(t, l, lookEvent(1), lookEvent(2))
	seq := commitTo(t, l, intentEvent(1, bridge.SubmitReport))
	commitTo(t, l, outcomeEvent(1, seq, bridge.SubmitReport, whoop.Sent))
	if err := l.Note(requisition(3), func(r *bridge.Record) { r.Due = start }); err != nil {
		t.Fatal(err)
	}
	c := lims.Cursor{Stamp: "2026-11-20T08:00:00.123", Trail: []lims.TrailMark{{At: start, Stamp: "5"}}}
	l.Advance(lims.Results, c)
	c.Trail[0].Stamp = "changed by the caller afterwards"
	want := everything(t, l)
	if !strings.Contains(want, `"stamp":"5"`) {
		t.Error("the cursor shares the caller's memory")
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	again := open(t, dir, Options{})
	if got := everything(t, again); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if r := again.Recovery(); r != (Recovery{}) {
		t.Errorf("after an orderly end there was something to do: %+v", r)
	}
	if got := again.State().Created; !got.Equal(start) {
		t.Errorf("created %v", got)
	}
	if string(again.Key()) != string(l.Key()) || len(l.Key()) != keyBytes {
		t.Error("the key is another one")
	}
}

func TestAClosedLedgerSaysSo(t *testing.T) {
	l := open(t, create(t), Options{})
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	_, err := l.Commit(t.Context(), lookEvent(1))
	for what, err := range map[string]error{
		"Commit": err,
		"Note":   l.Note(requisition(1), func(*bridge.Record) {}),
		"Flush":  l.Flush(),
		"Close":  l.Close(),
	} {
		if !errors.Is(err, ErrClosed) {
			t.Errorf("%s: %v", what, err)
		}
	}
	if _, _, err := l.Load(requisition(1)); err == nil {
		t.Error("Load gives an answer")
	}
}

// Each must give every record once, in its newest form, also while checkpoints move them.
func TestEach(t *testing.T) {
	l := open(t, create(t), Options{checkpoint: 50})
	const n = 700
	keys := map[bridge.Key]int{}
	for i := range n {
		k := bridge.Key{Kind: bridge.RequisitionKey, ID: uuid.New()}
		keys[k] = 0
		if err := l.Note(k, func(r *bridge.Record) { r.Due = start }); err != nil {
			t.Fatal(i, err)
		}
	}
	err := l.Each(func(r bridge.Record) error {
		keys[r.Key]++
		return l.Note(r.Key, func(r *bridge.Record) { r.Due = r.Due.Add(time.Hour) }) // it may call the ledger
	})
	if err != nil {
		t.Fatal(err)
	}
	for k, times := range keys {
		r, _, err := l.Load(k)
		if err != nil || times != 1 || !r.Due.Equal(start.Add(time.Hour)) {
			t.Fatalf("%v was given %d times, due %v, %v", k, times, r.Due, err)
		}
	}
	enough := errors.New("enough")
	times := 0
	if err := l.Each(func(bridge.Record) error { times++; return enough }); !errors.Is(err, enough) || times != 1 {
		t.Errorf("after %d records: %v", times, err)
	}
}

// Writers wait while the overlay is full, so that memory stays bounded however slow the disk is.
func TestTheOverlayIsBounded(t *testing.T) {
	l := open(t, create(t), Options{})
	slow, err := l.store.Begin(true) // holds up the checkpoint
	if err != nil {
		t.Fatal(err)
	}
	full := make(chan struct{})
	go func() {
		<-full
		if err := slow.Rollback(); err != nil {
			t.Error(err)
		}
	}()
	largest, filled := 0, false
	for range 3 * overlayLimit {
		if err := l.Note(bridge.Key{Kind: bridge.RequisitionKey, ID: uuid.New()}, func(*bridge.Record) {}); err != nil {
			t.Fatal(err)
		}
		l.mu.RLock()
		largest = max(largest, len(l.dirty))
		l.mu.RUnlock()
		if largest >= overlayLimit && !filled {
			close(full)
			filled = true
		}
	}
	if !filled {
		t.Fatal("the overlay never filled up: the test shows nothing")
	}
	if largest > overlayLimit {
		t.Errorf("%d records, more than %d", largest, overlayLimit)
	}
}

func TestReadOnlyTouchesNothing(t *testing.T) {
	dir := create(t)
	l := open(t, dir, Options{})
	commitTo(t, l, lookEvent(1))
	commitTo(t, l, intentEvent(1, bridge.SubmitReport))
	crashed := clone(t, dir) // bbolt is behind, an attempt is open
	appendTo(t, newest(t, crashed), `{"seq":4,"at":"2026`)
	hash := func() string {
		var all strings.Builder
		err := fs.WalkDir(os.DirFS(crashed), ".", func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				return err
			}
			info, err := d.Info()
			if err != nil {
				return err
			}
			b, err := os.ReadFile(filepath.Join(crashed, path))
			fmt.Fprintf(&all, "%s %v %x\n", path, info.ModTime(), b)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		return all.String()
	}
	before := hash()
	ro := open(t, crashed, Options{ReadOnly: true})
	second := open(t, crashed, Options{ReadOnly: true})
	if r := ro.Recovery(); r.Replayed != 2 || r.InDoubt != 1 || r.Doubt != nil {
		t.Errorf("%+v", r)
	}
	seq := commitTo(t, ro, lookEvent(2))
	if seq != 5 { // creation, look, intent, its outcome in doubt
		t.Errorf("number %d", seq)
	}
	if err := ro.Note(requisition(3), func(*bridge.Record) {}); err != nil {
		t.Fatal(err)
	}
	ro.Advance(lims.Orders, lims.Cursor{Stamp: "x"})
	load(t, ro, 2)
	load(t, ro, 3)
	if _, ok, _ := second.Load(requisition(2)); ok {
		t.Error("one preview sees the other's commit")
	}
	for _, l := range []*Ledger{ro, second} {
		if err := errors.Join(l.Flush(), l.Close()); err != nil {
			t.Fatal(err)
		}
	}
	if hash() != before {
		t.Error("something on disk has changed")
	}
}

func TestAfterAFailureNothingIsAcceptedUntilReopened(t *testing.T) {
	for name, breakIt := range map[string]func(*Ledger, *flaky) error{
		"a write fails": func(l *Ledger, d *flaky) error {
			d.failWrite = true
			_, err := l.Commit(context.Background(), intentEvent(1, bridge.SubmitReport))
			d.failWrite = false
			return err
		},
		"a sync fails": func(l *Ledger, d *flaky) error {
			d.failSync = true
			_, err := l.Commit(context.Background(), intentEvent(1, bridge.SubmitReport))
			d.failSync = false
			return err
		},
		"bbolt fails": func(l *Ledger, _ *flaky) error {
			if err := l.store.Close(); err != nil {
				return err
			}
			return l.Flush()
		},
	} {
		t.Run(name, func(t *testing.T) {
			d := &flaky{}
			dir := create(t)
			l := open(t, dir, Options{disk: d})
			commitTo(t, l, lookEvent(1))
			failed := new(FailedError)
			if err := breakIt(l, d); !errors.As(err, &failed) {
				t.Fatalf("the failure itself: %v", err)
			}
			_, err := l.Commit(t.Context(), lookEvent(2))
			for what, err := range map[string]error{
				"Commit": err, "Note": l.Note(requisition(1), func(*bridge.Record) {}), "Flush": l.Flush(), "Close": l.Close(),
			} {
				if !errors.As(err, &failed) {
					t.Errorf("%s: %v", what, err)
				}
			}
			again := open(t, dir, Options{})
			if r := again.Recovery(); r.Doubt != nil {
				t.Fatal(r.Doubt)
			}
			if got := load(t, again, 1); len(got.Requests) != 1 {
				t.Errorf("what was acknowledged is lost: %+v", got)
			}
			if _, ok, _ := again.Load(requisition(2)); ok {
				t.Error("what was refused is there")
			}
			commitTo(t, again, lookEvent(2))
			journalOf(t, dir)
		})
	}
}

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

// Files and folders are for their owner alone.
func TestPermissions(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("Windows has access lists instead; the installer sets them")
	}
	dir := create(t)
	commitTo(t, open(t, dir, Options{}), lookEvent(1))
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		want := fs.FileMode(0o600)
		if d.IsDir() {
			want = 0o700
		}
		if err == nil && info.Mode().Perm() != want {
			t.Errorf("%s: %v", path, info.Mode())
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestCreateNeverOverwrites(t *testing.T) {
	for _, name := range []string{storeName, keyName, journalName} {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, name), []byte("precious"), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := Create(dir, start, "", ""); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
		if entries, _ := os.ReadDir(dir); len(entries) != 1 {
			t.Errorf("%s: it began nevertheless: %v", name, entries)
		}
	}
	dir := create(t)
	if err := Create(dir, start, "", ""); err == nil {
		t.Error("a second time")
	}
	e := journalOf(t, dir)
	if len(e) != 1 || e[0].Kind != bridge.ActEvent || e[0].Act != CreateAct || e[0].By != "A. Smith" || e[0].User != "root" {
		t.Errorf("%+v", e)
	}
}

func TestOpenRefuses(t *testing.T) {
	for name, c := range map[string]struct {
		prepare func(t *testing.T, dir string)
		want    error
		says    string
	}{
		"nothing there": {func(t *testing.T, dir string) { remove(t, dir) }, ErrMissing, "limsbridge init"},
		"no bbolt file": {func(t *testing.T, dir string) { remove(t, filepath.Join(dir, storeName)) }, ErrMissing, "limsbridge init"},
		"no key":        {func(t *testing.T, dir string) { remove(t, filepath.Join(dir, keyName)) }, ErrMissing, keyName},
		"another key": {func(t *testing.T, dir string) {
			write(t, filepath.Join(dir, keyName), strings.Repeat("ab", keyBytes))
		}, ErrWrongKey, keyName},
		"no key in the key file": {func(t *testing.T, dir string) { write(t, filepath.Join(dir, keyName), "hello") }, ErrWrongKey, keyName},
		"a newer schema": {func(t *testing.T, dir string) {
			meta(t, dir, schemaKey, "2")
		}, ErrNewer, "its format is 2"},
		"no schema": {func(t *testing.T, dir string) { meta(t, dir, schemaKey, "") }, ErrDamaged, "backup"},
		"bad state": {func(t *testing.T, dir string) { meta(t, dir, stateKey, "{") }, ErrDamaged, "backup"},
		"bbolt is no bbolt": {func(t *testing.T, dir string) {
			write(t, filepath.Join(dir, storeName), strings.Repeat("garbage ", 9000))
		}, ErrDamaged, "backup"},
		"bbolt is cut off": {func(t *testing.T, dir string) {
			if err := os.Truncate(filepath.Join(dir, storeName), 2*4096); err != nil {
				t.Fatal(err)
			}
		}, ErrDamaged, "backup"},
		"bbolt is empty": {func(t *testing.T, dir string) {
			write(t, filepath.Join(dir, storeName), "")
		}, ErrMissing, "move the folder away"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := create(t)
			key, err := os.ReadFile(filepath.Join(dir, keyName))
			if err != nil {
				t.Fatal(err)
			}
			c.prepare(t, dir)
			l, err := Open(dir, Options{})
			if err == nil {
				_ = l.Close()
			}
			if !errors.Is(err, c.want) || !strings.Contains(err.Error(), c.says) {
				t.Errorf("got %v, want %v and %q", err, c.want, c.says)
			}
			if err != nil && strings.Contains(err.Error(), string(key[:16])) {
				t.Error("the error shows the key")
			}
		})
	}
	t.Run("another process holds it", func(t *testing.T) {
		dir := create(t)
		open(t, dir, Options{})
		for _, readOnly := range []bool{false, true} {
			if _, err := Open(dir, Options{ReadOnly: readOnly, patience: 1}); !errors.Is(err, ErrLocked) || !strings.Contains(err.Error(), storeName) {
				t.Errorf("read-only %v: %v", readOnly, err)
			}
		}
	})
}

func TestAFileThatShrinksIsAnErrorNotACrash(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("Windows does not let a mapped file shrink")
	}
	dir := create(t)
	l := open(t, dir, Options{})
	var keys []bridge.Key
	for range 500 {
		k := bridge.Key{Kind: bridge.RequisitionKey, ID: uuid.New()}
		keys = append(keys, k)
		if err := l.Note(k, func(r *bridge.Record) { r.Due = start }); err != nil {
			t.Fatal(err)
		}
	}
	if err := l.Flush(); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(filepath.Join(dir, storeName), 3*4096); err != nil {
		t.Fatal(err)
	}
	damaged := 0
	for _, k := range keys {
		if _, _, err := l.Load(k); errors.Is(err, ErrDamaged) {
			damaged++
		}
	}
	if damaged == 0 {
		t.Error("nothing was noticed")
	}
	_ = l.Close()
	remove(t, filepath.Join(dir, storeName)) // nothing there for bbolt to check
}

// Many writers, readers and checkpoints at once, for the race detector; in the end everything is there.
func TestAllAtOnce(t *testing.T) {
	seed := rand.Uint64()
	dir := create(t)
	l := open(t, dir, Options{checkpoint: 20})
	var wg sync.WaitGroup
	for g := range byte(8) {
		random := rand.New(rand.NewPCG(seed, uint64(g)))
		wg.Go(func() {
			for i := range 150 {
				n := byte(random.IntN(100))
				var err error
				switch random.IntN(8) {
				case 0, 1, 2:
					_, err = l.Commit(t.Context(), lookEvent(n))
				case 3, 4:
					err = l.Note(requisition(n), func(r *bridge.Record) { r.Due = start.Add(time.Duration(i)) })
				case 5:
					_, _, err = l.Load(requisition(n))
				case 6:
					_, _, err = l.Due(start.Add(time.Hour), "", 10)
					l.Advance(lims.Orders, lims.Cursor{Stamp: fmt.Sprint(i)})
					_, _ = l.State(), l.Cursor(lims.Orders)
				case 7:
					err = l.Flush()
				}
				if err != nil {
					t.Errorf("seed %d: %v", seed, err)
					return
				}
			}
		})
	}
	wg.Wait()
	want := everything(t, l)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	again := open(t, dir, Options{})
	if got := everything(t, again); got != want {
		t.Errorf("seed %d: got\n%s\nwant\n%s", seed, got, want)
	}
	if err := again.Close(); err != nil {
		t.Fatal(err)
	}
	checkIndexes(t, dir, fmt.Sprint("seed ", seed))
}

// checkIndexes compares both indexes with the records.
func checkIndexes(t testing.TB, dir, what string) {
	t.Helper()
	l := open(t, dir, Options{ReadOnly: true})
	due, attempts := map[string]bool{}, map[string]bool{}
	err := l.eachStored(func(r *bridge.Record) error {
		k := recordKey(r.Key)
		if !r.Due.IsZero() {
			due[string(dueKey(byte(r.Urgency), r.Due, k))] = true
		}
		if len(r.Attempts) > 0 {
			attempts[string(k[:])] = true
		}
		return nil
	})
	if err != nil {
		t.Fatal(what, err)
	}
	err = l.read(func(tx *bbolt.Tx) error {
		for name, want := range map[string]map[string]bool{string(dueBucket): due, string(attemptBucket): attempts} {
			n := 0
			err := tx.Bucket([]byte(name)).ForEach(func(k, _ []byte) error {
				n++
				if !want[string(k)] {
					t.Errorf("%s: index %s has %x too much", what, name, k)
				}
				return nil
			})
			if err != nil || n != len(want) {
				t.Errorf("%s: index %s has %d entries, not %d; %v", what, name, n, len(want), err)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(what, err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(what, err)
	}
}
