package ledger

import (
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"go.etcd.io/bbolt"
)

var errStep = errors.New("the step fails")

// Steps that exist for this test only.
var (
	addNotes  = func(tx *bbolt.Tx) error { _, err := tx.CreateBucket([]byte("notes")); return err }
	fillNotes = func(tx *bbolt.Tx) error { return tx.Bucket([]byte("notes")).Put([]byte("k"), []byte("v")) }
	fails     = func(tx *bbolt.Tx) error { return errors.Join(tx.DeleteBucket(recordBucket), errStep) }
)

func schemaIn(t testing.TB, path string) string {
	t.Helper()
	db, err := bbolt.Open(path, 0o600, &bbolt.Options{ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	version := ""
	err = db.View(func(tx *bbolt.Tx) error { version = string(tx.Bucket(metaBucket).Get(schemaKey)); return nil })
	if err := errors.Join(err, db.Close()); err != nil {
		t.Fatal(err)
	}
	return version
}

func TestMigration(t *testing.T) {
	dir, says := worn(t)
	path := filepath.Join(dir, storeName)

	if _, err := Open(dir, Options{ReadOnly: true, steps: []step{addNotes}}); !errors.Is(err, ErrOlder) || !strings.Contains(err.Error(), "limsbridge run") {
		t.Errorf("read-only: %v", err)
	}
	if _, err := Open(dir, Options{steps: []step{addNotes, fails}}); !errors.Is(err, errStep) {
		t.Errorf("a step that fails: %v", err)
	}
	if v := schemaIn(t, path); v != "1" {
		t.Fatalf("after a step that failed the format is %s", v)
	}
	for _, name := range leftovers(t, dir) {
		remove(t, filepath.Join(dir, name))
	}

	l := open(t, dir, Options{steps: []step{addNotes, fillNotes}})
	kept := l.Recovery().Kept
	if kept != path+".v1-20261120T090000Z" {
		t.Errorf("the copy is %q", kept)
	}
	if got := everything(t, l); got != says {
		t.Errorf("got\n%s\nwant\n%s", got, says)
	}
	err := l.read(func(tx *bbolt.Tx) error {
		if b := tx.Bucket([]byte("notes")); b == nil || string(b.Get([]byte("k"))) != "v" {
			t.Error("not all steps were made")
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	commitTo(t, l, lookEvent(7))
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if v, before := schemaIn(t, path), schemaIn(t, kept); v != "3" || before != "1" {
		t.Errorf("the format is %s, the copy's %s", v, before)
	}
	again := open(t, dir, Options{steps: []step{fails, fails}})
	if again.Recovery().Kept != "" {
		t.Error("a second start migrates again")
	}
	if err := again.Close(); err != nil {
		t.Fatal(err)
	}

	// The older program refuses, and tells a way out that works.
	_, err = Open(dir, Options{})
	if !errors.Is(err, ErrNewer) || !strings.Contains(err.Error(), "its format is 3") || !strings.Contains(err.Error(), filepath.Base(kept)) {
		t.Errorf("the older program: %v", err)
	}
	remove(t, path)
	copyTo(t, kept, path)
	older := open(t, dir, Options{})
	if r := older.Recovery(); r.Doubt != nil || r.Replayed != 1 {
		t.Errorf("with the copy: %+v", r)
	}
	load(t, older, 7)
}
