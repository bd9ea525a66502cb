package ledger

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"time"

	"go.etcd.io/bbolt"
)

// Names that a compaction uses beside the store.
const (
	compactedName = storeName + ".new" // being written; of no use if it is left behind
	replacedName  = storeName + ".old" // the one before, until the new one was opened
)

// Sizes of a copy from store to store.
const (
	copyBatch = 20_000 // entries of one transaction
	// copyFill is how full pages are made: nearly full, as most of them never change again.
	copyFill = 0.95
)

// Compaction tells what Compact did.
type Compaction struct {
	Before, After int64 // sizes of the bbolt file, in bytes
	Records       int
	Tombstones    int // records whose detail was dropped
}

// Compact writes the bbolt file of the ledger in dir anew, without the free pages that bbolt never
// gives back, compares the new one with the old one record by record, and puts it in its place in
// one step. The old file stays until the new one was opened; whenever the process ends, one of them
// is in place, whole. Detail of finished records untouched since before is dropped (see tombstone);
// the zero time drops none. The journal is not touched.
//
// It needs the ledger for itself: ErrLocked while a daemon runs. It needs as much free space as the
// new file.
func Compact(dir string, before time.Time) (c Compaction, err error) {
	l, err := Open(dir, Options{})
	if err != nil {
		return c, err
	}
	path, fresh, old := filepath.Join(dir, storeName), filepath.Join(dir, compactedName), filepath.Join(dir, replacedName)
	release := func() error { return nil } // lets go of the new file
	defer func() {
		err = errors.Join(err, release())
		if e := l.Close(); !errors.Is(e, ErrClosed) {
			err = errors.Join(err, e)
		}
		err = errors.Join(err, discard(fresh))
	}()
	if err := errors.Join(discard(fresh), discard(old)); err != nil { // left by a process that was ended
		return c, err
	}
	if c.Before, err = sizeOf(path); err != nil {
		return c, err
	}
	db, err := l.copyStore(fresh, before, &c)
	if err != nil {
		return c, fmt.Errorf("%w\nThe ledger is as it was", err)
	}
	release = db.Close
	if c.After, err = sizeOf(fresh); err != nil {
		return c, err
	}
	// A second name first, so that there is an instant neither without a ledger nor without the old one.
	if err := os.Link(path, old); err != nil {
		return c, fmt.Errorf("keep the present file as %s: %w", old, err)
	}
	if runtime.GOOS == "windows" {
		// No open file can be renamed there. If another process opens the old one in between,
		// the rename fails, and everything is as it was.
		release = func() error { return nil }
		if err := errors.Join(db.Close(), l.Close()); err != nil {
			return c, errors.Join(err, discard(old))
		}
	}
	// Elsewhere both files stay locked until the new one is in place; whoever waits for the old
	// one's lock notices that it is not the ledger's file any more, see openStore.
	if err := os.Rename(fresh, path); err != nil {
		return c, errors.Join(err, discard(old))
	}
	if err := (systemDisk{}).SyncFolder(dir); err != nil {
		return c, errors.Join(err, os.Rename(old, path))
	}
	if runtime.GOOS != "windows" {
		release = func() error { return nil }
		if err := errors.Join(db.Close(), l.Close()); err != nil {
			return c, errors.Join(err, os.Rename(old, path))
		}
	}
	again, err := Open(dir, Options{})
	if errors.Is(err, ErrLocked) { // by another process, which opened it: it can be opened
		return c, discard(old)
	}
	if err != nil {
		return c, errors.Join(fmt.Errorf("the compacted file cannot be opened, the old one is back in its place: %w", err), os.Rename(old, path))
	}
	return c, errors.Join(again.Close(), discard(old))
}

// copyStore writes what l's store holds into a new file, makes it durable, compares both, and
// returns it open, and so locked.
func (l *Ledger) copyStore(path string, before time.Time, c *Compaction) (db *bbolt.DB, err error) {
	if err := l.Flush(); err != nil {
		return nil, err
	}
	db, err = bbolt.Open(path, 0o600, &bbolt.Options{Timeout: lockPatience, FreelistType: bbolt.FreelistMapType, NoStatistics: true, NoSync: true, NoGrowSync: true})
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, db.Close())
		}
	}()
	// change returns an entry as it is to be in the new file, and whether its detail was dropped.
	change := func(bucket, k, v []byte) ([]byte, bool, error) {
		if !bytes.Equal(bucket, recordBucket) {
			return v, false, nil
		}
		key, err := parseRecordKey(k)
		if err != nil {
			return nil, false, err
		}
		r, err := l.words.decode(key, v)
		if err != nil {
			return nil, false, err
		}
		if t := tombstone(r, before); t != nil {
			return l.words.encode(nil, t), true, nil
		}
		return v, false, nil
	}
	err = l.read(func(from *bbolt.Tx) error {
		if err := copyBuckets(db, from, change); err != nil {
			return err
		}
		if err := db.Sync(); err != nil {
			return err
		}
		return db.View(func(to *bbolt.Tx) error { return compareBuckets(from, to, change, c) })
	})
	if err == nil {
		err = consistent(db)
	}
	return db, err
}

// changer returns an entry of a bucket as it is to be in a copy.
type changer func(bucket, k, v []byte) (changed []byte, dropped bool, err error)

// copyBuckets copies every entry in the order of the keys, which fills the pages one after the other.
func copyBuckets(db *bbolt.DB, from *bbolt.Tx, change changer) error {
	return from.ForEach(func(name []byte, b *bbolt.Bucket) error {
		if err := db.Update(func(tx *bbolt.Tx) error { _, err := tx.CreateBucket(name); return err }); err != nil {
			return err
		}
		cursor := b.Cursor()
		k, v := cursor.First()
		for k != nil {
			err := db.Update(func(tx *bbolt.Tx) error {
				to := tx.Bucket(name)
				to.FillPercent = copyFill
				for n := 0; k != nil && n < copyBatch; n++ {
					changed, _, err := change(name, k, v)
					if err != nil {
						return err
					}
					if err := to.Put(k, changed); err != nil {
						return err
					}
					k, v = cursor.Next()
				}
				return nil
			})
			if err != nil {
				return err
			}
		}
		return nil
	})
}

// compareBuckets walks both stores side by side: the second must hold what the first does, changed.
func compareBuckets(from, to *bbolt.Tx, change changer, c *Compaction) error {
	return from.ForEach(func(name []byte, b *bbolt.Bucket) error {
		copied := to.Bucket(name)
		if copied == nil {
			return fmt.Errorf("the copy lacks %s", name)
		}
		left, right := b.Cursor(), copied.Cursor()
		k, v := left.First()
		k2, v2 := right.First()
		for k != nil || k2 != nil {
			if !bytes.Equal(k, k2) {
				return fmt.Errorf("the copy of %s differs at %x", name, k)
			}
			want, dropped, err := change(name, k, v)
			if err != nil {
				return err
			}
			if !bytes.Equal(want, v2) {
				return fmt.Errorf("the copy of %s differs at %x", name, k)
			}
			if bytes.Equal(name, recordBucket) {
				c.Records++
			}
			if dropped {
				c.Tombstones++
			}
			k, v = left.Next()
			k2, v2 = right.Next()
		}
		return nil
	})
}

// discard removes a file, if it is there.
func discard(path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return nil
}

func sizeOf(path string) (int64, error) {
	info, err := os.Stat(path)
	if err != nil {
		return 0, err
	}
	return info.Size(), nil
}
