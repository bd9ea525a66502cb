package ledger

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"limsbridge/bridge"
	"limsbridge/lims"
	"limsbridge/whoop"
)

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
	if err := l.Flush(); err != nil {
		t.Fatal(err)
	}
	if err := l.Note(requisition(1), func(r *bridge.Record) { r.Due = r.Due.Local() }); err != nil || len(l.dirty) != 0 {
		t.Errorf("nothing new, and %d records are to be written; %v", len(l.dirty), err)
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

func TestCloseAndOpenKeepsEverything(t *testing.T) {
	dir := create(t)
	l := open(t, dir, Options{})
	commitTo(t, l, lookEvent(1), lookEvent(2))
	seq := commitTo(t, l, intentEvent(1, bridge.SubmitReport))
	commitTo(t, l, outcomeEvent(1, seq, whoop.Sent))
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
	if !bytes.Equal(again.Key(), l.Key()) || len(l.Key()) != keyBytes {
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
