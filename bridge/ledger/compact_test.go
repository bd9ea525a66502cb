package ledger

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	"limsbridge/bridge"
)

// leftovers are the names in a ledger's folder that do not belong there.
func leftovers(t testing.TB, dir string) (names []string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if e.Name() != storeName && e.Name() != keyName && e.Name() != journalName {
			names = append(names, e.Name())
		}
	}
	return names
}

// worn is a closed ledger with much free space and one record of every kind, and what it says.
func worn(t testing.TB) (dir, says string) {
	dir = create(t)
	l := open(t, dir, Options{})
	for round := range 20 {
		for i := range 100 {
			r := reported(i)
			r.Key = nth(i)
			r.Due = start.Add(time.Duration(round) * time.Hour)
			l.mu.Lock()
			l.replace(&r)
			l.mu.Unlock()
		}
		if err := l.Flush(); err != nil {
			t.Fatal(err)
		}
	}
	r := reported(5)
	r.Key = nth(1000)
	l.mu.Lock()
	l.replace(&r)
	l.mu.Unlock()
	commitTo(t, l, lookEvent(1), intentEvent(1, bridge.SubmitReport), lookEvent(2))
	commitTo(t, l, outcomeEvent(1, 3, "in doubt"))
	says = everything(t, l)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	return dir, says
}

func TestCompact(t *testing.T) {
	dir, says := worn(t)
	for _, name := range []string{compactedName, replacedName} { // of a process that was ended
		write(t, filepath.Join(dir, name), "left behind")
	}
	c, err := Compact(dir, time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	if size, _ := sizeOf(filepath.Join(dir, storeName)); c.After >= c.Before || c.After != size || c.Records != 103 || c.Tombstones != 0 {
		t.Errorf("%+v, and the file has %d bytes", c, size)
	}
	if names := leftovers(t, dir); len(names) > 0 {
		t.Errorf("left behind: %v", names)
	}
	l := open(t, dir, Options{})
	if got := everything(t, l); got != says {
		t.Errorf("got\n%s\nwant\n%s", got, says)
	}
	commitTo(t, l, lookEvent(3))
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	checkIndexes(t, dir, "afterwards")
	if c, err = Compact(dir, long); err != nil || c.Tombstones != 1 || c.Records != 104 {
		t.Errorf("with tombstones: %+v %v", c, err)
	}
	again := open(t, dir, Options{})
	if r, ok, err := again.Load(nth(1000)); !ok || err != nil || !r.Rows[0].Noticed.IsZero() || len(r.Requests[0].Sent) != 4 {
		t.Errorf("%+v %v %v", r, ok, err)
	}
}

func TestCompactRefuses(t *testing.T) {
	t.Run("while another process holds it", func(t *testing.T) {
		dir := create(t)
		open(t, dir, Options{})
		if _, err := Compact(dir, long); !errors.Is(err, ErrLocked) {
			t.Error(err)
		}
	})
	t.Run("a damaged record", func(t *testing.T) {
		dir, _ := worn(t)
		k := recordKey(nth(3))
		change(t, dir, func(tx *bbolt.Tx) error {
			b := tx.Bucket(recordBucket)
			v := append([]byte(nil), b.Get(k[:])...)
			v[len(v)/2] ^= 1
			return b.Put(k[:], v)
		})
		before := content(t, filepath.Join(dir, storeName))
		if _, err := Compact(dir, time.Time{}); !errors.Is(err, ErrDamaged) {
			t.Error(err)
		}
		if content(t, filepath.Join(dir, storeName)) != before {
			t.Error("the file was changed")
		}
		if names := leftovers(t, dir); len(names) > 0 {
			t.Errorf("left behind: %v", names)
		}
	})
	t.Run("a copy that is not the same", func(t *testing.T) {
		dir, _ := worn(t)
		l := open(t, dir, Options{})
		path := filepath.Join(t.TempDir(), "copy")
		same := func(_, _, v []byte) ([]byte, bool, error) { return v, false, nil }
		for name, spoil := range map[string]func(*bbolt.Tx) error{
			"nothing":  nil,
			"a value":  func(tx *bbolt.Tx) error { return tx.Bucket(metaBucket).Put(stateKey, []byte("{}")) },
			"too much": func(tx *bbolt.Tx) error { return tx.Bucket(wordBucket).Put([]byte("zzzz"), []byte("x")) },
			"too few": func(tx *bbolt.Tx) error {
				k, _ := tx.Bucket(recordBucket).Cursor().Last()
				return tx.Bucket(recordBucket).Delete(k)
			},
			"a bucket": func(tx *bbolt.Tx) error { return tx.DeleteBucket(dueBucket) },
		} {
			db, err := bbolt.Open(path+name, 0o600, nil)
			if err != nil {
				t.Fatal(err)
			}
			err = l.read(func(tx *bbolt.Tx) error { return copyBuckets(db, tx, same) })
			if err == nil && spoil != nil {
				err = db.Update(spoil)
			}
			if err != nil {
				t.Fatal(err)
			}
			err = l.read(func(from *bbolt.Tx) error {
				return db.View(func(to *bbolt.Tx) error { return compareBuckets(from, to, same, &Compaction{}) })
			})
			if (err == nil) != (spoil == nil) {
				t.Errorf("%s differs: %v", name, err)
			}
			if err := db.Close(); err != nil {
				t.Fatal(err)
			}
		}
	})
}

// Whoever waited for the lock of a file that is not the ledger's any more must not work on it.
func TestAReplacedFileIsNotOpened(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("needs /proc to see that a file is open; on Windows an open file cannot be replaced")
	}
	path := filepath.Join(create(t), storeName)
	holder, err := openStore(path, false, lockPatience)
	if err != nil {
		t.Fatal(err)
	}
	copyTo(t, path, path+".next")
	done := make(chan error, 1)
	go func() {
		db, err := openStore(path, false, time.Minute)
		if err == nil {
			_ = db.Close()
		}
		done <- err
	}()
	for descriptors(t, path) < 2 { // until it waits for the lock
		runtime.Gosched()
	}
	if err := errors.Join(os.Rename(path+".next", path), holder.Close()); err != nil {
		t.Fatal(err)
	}
	if err := <-done; !errors.Is(err, ErrLocked) {
		t.Error(err)
	}
}

// descriptors counts this process's open files with that path.
func descriptors(t testing.TB, path string) (n int) {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if to, err := os.Readlink("/proc/self/fd/" + e.Name()); err == nil && to == path {
			n++
		}
	}
	return n
}

func content(t testing.TB, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// change changes what bbolt holds.
func change(t testing.TB, dir string, f func(*bbolt.Tx) error) {
	t.Helper()
	db, err := bbolt.Open(filepath.Join(dir, storeName), 0o600, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(db.Update(f), db.Close()); err != nil {
		t.Fatal(err)
	}
}
