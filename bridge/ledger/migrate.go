package ledger

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"go.etcd.io/bbolt"
)

// schema is the version of what is in bbolt. It goes up when an older program would misread what a
// newer one writes; the step that leads to it is added to steps.
const schema = 1

// step changes what is in bbolt from the version below to the next one, within one transaction that
// all steps of a migration share: after a failure, or a crash, nothing has happened. A step that
// would change every record had better leave them: a record's first byte is its own version, so that
// the codec can read the old form and write the new one.
type step func(*bbolt.Tx) error

// steps are the migrations: steps[0] leads from version 1 to version 2. There is none yet.
var steps []step

// migrate brings the store in dir up to the schema that len(steps) leads to. Before the first step
// the whole file is copied to ledger.db.vN-TIME beside it, which stays. It returns the copy's path,
// "" if there was nothing to do.
func migrate(store *bbolt.DB, dir string, readOnly bool, steps []step, at time.Time) (kept string, err error) {
	path := filepath.Join(dir, storeName)
	var version int
	err = guard(func() error {
		return store.View(func(tx *bbolt.Tx) (err error) { version, err = schemaOf(tx, path); return err })
	})
	newest := 1 + len(steps)
	switch {
	case err != nil || version == newest:
		return "", err
	case version > newest:
		return "", fmt.Errorf("%s: %w (its format is %d, this one knows %d); install that version again%s", path, ErrNewer, version, newest, wayBack(dir, newest))
	case version < 1:
		return "", fmt.Errorf("%s: %w: its version is %d; restore it from a backup", path, ErrDamaged, version)
	case readOnly:
		return "", fmt.Errorf("%s: %w (its format is %d, this one's %d); `limsbridge run`, `once` or `ledger compact` brings it up to date, after a copy", path, ErrOlder, version, newest)
	}
	kept = fmt.Sprintf("%s.v%d-%s", path, version, at.UTC().Format("20060102T150405Z"))
	if err := copyFile(store, kept); err != nil {
		return "", errors.Join(fmt.Errorf("before its format changes the ledger is copied, and that failed: %w; it is as it was", err), discard(kept))
	}
	if err := (systemDisk{}).SyncFolder(dir); err != nil {
		return "", err
	}
	err = guard(func() error {
		return store.Update(func(tx *bbolt.Tx) error {
			for i := version; i < newest; i++ {
				if err := steps[i-1](tx); err != nil {
					return fmt.Errorf("from format %d to %d: %w", i, i+1, err)
				}
			}
			return tx.Bucket(metaBucket).Put(schemaKey, strconv.AppendInt(nil, int64(newest), 10))
		})
	})
	if err != nil {
		return "", fmt.Errorf("bringing the ledger up to date: %w; it is as it was, and a copy is %s", err, kept)
	}
	return kept, nil
}

// schemaOf reads the version of what is in bbolt.
func schemaOf(tx *bbolt.Tx, path string) (int, error) {
	meta := tx.Bucket(metaBucket)
	if meta == nil {
		return 0, fmt.Errorf("%s: %w: `limsbridge init` did not finish; move the folder away and run it again", path, ErrMissing)
	}
	version, err := strconv.Atoi(string(meta.Get(schemaKey)))
	if err != nil {
		return 0, fmt.Errorf("%s: %w: its version is not a number; restore it from a backup", path, ErrDamaged)
	}
	return version, nil
}

// wayBack says how an older program may go on, where the copy from before the migration is there:
// the journal brings it up to date.
func wayBack(dir string, version int) string {
	copies, err := filepath.Glob(filepath.Join(dir, fmt.Sprintf("%s.v%d-*", storeName, version)))
	if err != nil || len(copies) == 0 {
		return ""
	}
	newest := filepath.Base(copies[len(copies)-1]) // they are sorted, and so are their times
	return fmt.Sprintf("; or, to stay with this one, stop limsbridge, move %s away and name %s %s: the journal brings it up to date", storeName, newest, storeName)
}

// copyFile writes a consistent copy of an open store into a file that must not exist, and makes it
// durable.
func copyFile(store *bbolt.DB, path string) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	err = guard(func() error {
		return store.View(func(tx *bbolt.Tx) error { _, err := tx.WriteTo(f); return err })
	})
	return errors.Join(err, f.Sync(), f.Close())
}
