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

func remove(t testing.TB, path string) {
	t.Helper()
	if err := os.RemoveAll(path); err != nil {
		t.Fatal(err)
	}
}

func write(t testing.TB, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func appendTo(t testing.TB, path, text string) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		t.Fatal(err)
	}
	_, err = f.WriteString(text)
	if err := errors.Join(err, f.Close()); err != nil {
		t.Fatal(err)
	}
}

// newest is the path of the newest journal file.
func newest(t testing.TB, dir string) string {
	t.Helper()
	files, err := journalFiles(filepath.Join(dir, journalName))
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	return filepath.Join(dir, journalName, files[len(files)-1].String())
}

// meta changes what bbolt's meta bucket holds.
func meta(t testing.TB, dir string, key []byte, value string) {
	t.Helper()
	db, err := bbolt.Open(filepath.Join(dir, storeName), 0o600, nil)
	if err != nil {
		t.Fatal(err)
	}
	err = db.Update(func(tx *bbolt.Tx) error { return tx.Bucket(metaBucket).Put(key, []byte(value)) })
	if err := errors.Join(err, db.Close()); err != nil {
		t.Fatal(err)
	}
}
