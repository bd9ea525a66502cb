package ledger

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"time"

	"go.etcd.io/bbolt"
)

// start is when the tests' ledgers were created.
var start = time.Date(2026, 11, 20, 8, 0, 0, 0, time.UTC)

// create makes a ledger in a folder of the test.
func create(t testing.TB) string {
	dir := filepath.Join(t.TempDir(), "ledger")
	if err := Create(dir, start, "A. Smith", "root"); err != nil {
		t.Fatal(err)
	}
	return dir
}

// open opens a ledger, and closes it at the end of the test if the test did not.
func open(t testing.TB, dir string, o Options) *Ledger {
	if o.Now == nil {
		o.Now = func() time.Time { return start.Add(time.Hour) }
	}
	l, err := Open(dir, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Close(); err != nil && !errors.Is(err, ErrClosed) && l.failed == nil {
			t.Error(err)
		}
		check(t, dir)
	})
	return l
}

// check lets bbolt check its file.
func check(t testing.TB, dir string) {
	db, err := bbolt.Open(filepath.Join(dir, storeName), 0, &bbolt.Options{ReadOnly: true, Timeout: time.Second})
	if errors.Is(err, fs.ErrNotExist) {
		return
	}
	if err != nil {
		t.Error(err)
		return
	}
	defer db.Close()
	err = db.View(func(tx *bbolt.Tx) error {
		for err := range tx.Check() {
			t.Error(err)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

// clone copies a ledger's folder as a machine that loses power now would keep it.
func clone(t testing.TB, dir string) string {
	to := filepath.Join(t.TempDir(), "copy")
	if err := os.CopyFS(to, os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}
	return to
}
