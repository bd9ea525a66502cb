package ledger

import (
	"bytes"
	"errors"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/uuid"
	"go.etcd.io/bbolt"

	"limsbridge/bridge"
	"limsbridge/whoop"
)

// lived is a closed ledger in which a good deal happened.
func lived(t testing.TB) string {
	dir := crashed(t)
	l := open(t, dir, Options{})
	k := requisition(5)
	held := commitTo(t, l, bridge.Event{At: start, Kind: bridge.HoldEvent, Key: &k, Hold: bridge.NotFound, Detail: "404"})
	commitTo(t, l, lookEvent(5), bridge.Event{At: start, Kind: bridge.UnholdEvent, Key: &k, Intent: held, Hold: bridge.NotFound})
	doubt := load(t, l, 2).Attempts[0].Seq
	k2 := requisition(2)
	held = commitTo(t, l, bridge.Event{At: start, Kind: bridge.HoldEvent, Key: &k2, Hold: bridge.Doubt, Requests: []uuid.UUID{id(102)}, Attempt: doubt})
	commitTo(t, l, bridge.Event{At: start, Kind: bridge.DecisionEvent, Key: &k2, Intent: held, Hold: bridge.Doubt, Requests: []uuid.UUID{id(102)}, Attempt: doubt,
		Verdict: bridge.WasReceived, Prints: intentEvent(2, bridge.SubmitReport).Prints, By: "A. Smith", Why: "asked WHOOP"})
	commitTo(t, l, bridge.Event{At: start, Kind: bridge.ActEvent, Act: bridge.PauseAct, Tests: []string{"CBC"}, By: "A. Smith", Why: "recall"},
		bridge.ConfirmStart(start.AddDate(0, -1, 0), start, "A. Smith", "root", "nothing was sent"))
	if err := l.Note(requisition(9), func(r *bridge.Record) { r.Due = start }); err != nil { // in no journal
		t.Fatal(err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestVerify(t *testing.T) {
	// record changes one record, with a sound checksum.
	record := func(n byte, f func(*bridge.Record)) func(*testing.T, string) {
		return func(t *testing.T, dir string) {
			l := open(t, dir, Options{})
			r := load(t, l, n)
			r = r.Clone()
			f(&r)
			l.mu.Lock()
			l.replace(&r)
			l.mu.Unlock()
			if err := l.Close(); err != nil {
				t.Fatal(err)
			}
		}
	}
	bbolted := func(f func(*bbolt.Tx) error) func(*testing.T, string) {
		return func(t *testing.T, dir string) { change(t, dir, f) }
	}
	k := recordKey(requisition(1))
	for name, c := range map[string]struct {
		do    func(t *testing.T, dir string)
		sound bool
		says  string // among the differences and errors
	}{
		"untouched":                   {func(*testing.T, string) {}, true, ""},
		"compacted":                   {func(t *testing.T, dir string) { _, err := Compact(dir, long); must(t, err) }, true, ""},
		"another fingerprint":         {record(1, func(r *bridge.Record) { r.Requests[0].Sent[0].Print[3]++ }), false, "requisition/" + id(1).String() + ": the ledger's service requests"},
		"a status that was never set": {record(1, func(r *bridge.Record) { r.Requests[0].Status = whoop.FullResultsReady }), false, "service requests"},
		"an attempt that is gone":     {record(4, func(r *bridge.Record) { r.Attempts = nil }), false, "attempts"},
		"a hold that nobody ended":    {record(5, func(r *bridge.Record) { r.Holds = []bridge.Hold{{Kind: bridge.Gone}} }), false, "holds"},
		"a decision of nobody":        {record(5, func(r *bridge.Record) { r.Decisions = []bridge.Decision{{Verdict: bridge.NeverSend}} }), false, "decisions"},
		"rows and due times":          {record(1, func(r *bridge.Record) { r.Due = start; r.Rows = reported(1).Rows }), true, ""},
		"a record that is gone":       {bbolted(func(tx *bbolt.Tx) error { return tx.Bucket(recordBucket).Delete(k[:]) }), false, "does not know it"},
		"a pause that nobody asked":   {bbolted(func(tx *bbolt.Tx) error { return edit(tx, `"by":"A. Smith"`, `"by":"B. Smith"`) }), false, "state"},
		"a due list that lacks one": {bbolted(func(tx *bbolt.Tx) error {
			k, _ := tx.Bucket(dueBucket).Cursor().First()
			return tx.Bucket(dueBucket).Delete(k)
		}), false, "is due, and not in the list"},
		"a due list with one too many": {bbolted(func(tx *bbolt.Tx) error { return tx.Bucket(dueBucket).Put(dueKey(0, start, k), nil) }), false, "entries"},
		"an attempt in no list": {bbolted(func(tx *bbolt.Tx) error {
			k, _ := tx.Bucket(attemptBucket).Cursor().First()
			return tx.Bucket(attemptBucket).Delete(k)
		}), false, "has attempts, and is not in the list"},
		"a record that cannot be read": {bbolted(func(tx *bbolt.Tx) error { return tx.Bucket(recordBucket).Put(k[:], []byte("nonsense")) }), false, "record"},
		"no bbolt": {func(t *testing.T, dir string) {
			write(t, filepath.Join(dir, storeName), strings.Repeat("garbage ", 9000))
		}, false, storeName},
		"a changed line": {func(t *testing.T, dir string) { swap(t, newest(t, dir), `"CBC"`, `"CBD"`) }, false, "does not fit its sum"},
		"lines cut off":  {func(t *testing.T, dir string) { cut(t, newest(t, dir), 2) }, false, "which the ledger has applied, is not there"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := clone(t, lived(t))
			c.do(t, dir)
			before := folder(t, dir)
			scratch := t.TempDir()
			v, err := Verify(dir, scratch)
			if err != nil {
				t.Fatal(err)
			}
			if v.Sound() != c.sound {
				t.Fatalf("sound: %v; %+v", v.Sound(), v)
			}
			text := strings.Join(v.First, "\n")
			if v.Damage != nil {
				text += v.Damage.Error()
			}
			if v.Broken != nil {
				text += v.Broken.Error()
			}
			if !strings.Contains(text, c.says) || c.sound && (text != "" || !v.Replayed || v.Records != 6 || v.Skipped != nil) {
				t.Errorf("it says %q; %+v", text, v)
			}
			if after := folder(t, dir); !bytes.Equal(after, before) {
				t.Error("something was changed")
			}
			if left, _ := os.ReadDir(scratch); len(left) > 0 {
				t.Errorf("left behind: %v", left)
			}
		})
	}
	t.Run("behind the journal, as after a crash", func(t *testing.T) {
		v, err := Verify(crashed(t), t.TempDir())
		if err != nil || !v.Sound() || !v.Replayed || v.Tail != 7 || v.Events != 8 {
			t.Errorf("%+v %v", v, err)
		}
	})
	t.Run("beside a daemon", func(t *testing.T) {
		dir := lived(t)
		open(t, dir, Options{})
		v, err := Verify(dir, t.TempDir())
		if err != nil || !v.Sound() || v.Replayed || !errors.Is(v.Skipped, ErrLocked) || v.Events == 0 {
			t.Errorf("%+v %v", v, err)
		}
	})
	t.Run("with archived months", func(t *testing.T) {
		dir := lived(t)
		first := newest(t, dir)
		l := open(t, dir, Options{})
		e := lookEvent(1)
		e.At = start.AddDate(0, 2, 0)
		commitTo(t, l, e)
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		remove(t, first)
		v, err := Verify(dir, t.TempDir())
		if err != nil || !v.Sound() || v.Replayed || v.Earlier == 0 || v.Events != 1 {
			t.Errorf("%+v %v", v, err)
		}
	})
	t.Run("nothing there", func(t *testing.T) {
		if _, err := Verify(t.TempDir(), t.TempDir()); !errors.Is(err, ErrMissing) {
			t.Error(err)
		}
	})
}

// A replay that is larger than what it keeps in memory gives the same.
func TestVerifyALargeJournal(t *testing.T) {
	dir := create(t)
	l := open(t, dir, Options{})
	random := chance(t)
	for range 50 {
		var events []bridge.Event
		for range 20 {
			n := byte(random.IntN(250))
			events = append(events, lookEvent(n), intentEvent(n, bridge.SubmitReport))
		}
		commitTo(t, l, events...)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	r, err := newReplayed(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	r.threshold = 7
	if err := ReadJournal(dir, r.add); err != nil {
		t.Fatal(err)
	}
	again := open(t, dir, Options{ReadOnly: true, unsettled: true})
	v := &Verification{}
	if err := v.compare(again, r); err != nil || v.Differences > 0 {
		t.Errorf("%+v %v", v, err)
	}
	if err := r.discard(); err != nil {
		t.Fatal(err)
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// edit changes the text of bbolt's state.
func edit(tx *bbolt.Tx, from, to string) error {
	b := tx.Bucket(metaBucket)
	return b.Put(stateKey, []byte(strings.Replace(string(b.Get(stateKey)), from, to, 1)))
}

// swap changes the first occurrence of a text in a file.
func swap(t testing.TB, path, from, to string) {
	t.Helper()
	text := content(t, path)
	if !strings.Contains(text, from) {
		t.Fatalf("no %s in %s", from, path)
	}
	write(t, path, strings.Replace(text, from, to, 1))
}

// cut removes the last lines of a file.
func cut(t testing.TB, path string, lines int) {
	t.Helper()
	all := strings.SplitAfter(strings.TrimSuffix(content(t, path), "\n"), "\n")
	write(t, path, strings.Join(all[:len(all)-lines], ""))
}

// folder is everything that a ledger's folder holds.
func folder(t testing.TB, dir string) []byte {
	t.Helper()
	var b bytes.Buffer
	journal := files(t, journalFolder(dir))
	for _, name := range slices.Sorted(maps.Keys(journal)) {
		b.WriteString(name + journal[name])
	}
	b.WriteString(content(t, filepath.Join(dir, storeName)) + content(t, filepath.Join(dir, keyName)))
	return b.Bytes()
}
