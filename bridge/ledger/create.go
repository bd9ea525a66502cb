package ledger

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"go.etcd.io/bbolt"

	"limsbridge/bridge"
	"limsbridge/lims"
)

// CreateAct is the act of the first event of every journal.
const CreateAct = "create"

// Create makes a new ledger in dir, which is created if need be: a new fingerprint key, a journal
// whose first event is this act, and an empty bbolt file. by and user go into that event. It
// refuses to touch a folder in which any of them exists.
func Create(dir string, at time.Time, by, user string) error {
	at = instant(at)
	for _, name := range []string{storeName, keyName, journalName} {
		path := filepath.Join(dir, name)
		if _, err := os.Lstat(path); err == nil {
			return fmt.Errorf("%s exists already: this folder holds a ledger, which is never overwritten; move the folder away if it is really to be replaced", path)
		} else if !errors.Is(err, os.ErrNotExist) {
			return err
		}
	}
	folder := filepath.Join(dir, journalName)
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return err
	}
	key, err := createKey(filepath.Join(dir, keyName))
	if err != nil {
		return err
	}
	j := newJournal(systemDisk{}, folder)
	first := bridge.Event{Seq: 1, At: at, Kind: bridge.ActEvent, Act: CreateAct, By: by, User: user}
	if err := errors.Join(j.append([]bridge.Event{first}), j.close()); err != nil {
		return err
	}
	state := bridge.State{Created: at}
	state.Apply(first)
	// bbolt comes last: without it Open says that there is no ledger.
	db, err := openStore(filepath.Join(dir, storeName), false, lockPatience)
	if err != nil {
		return err
	}
	err = db.Update(func(tx *bbolt.Tx) error { return emptyStore(tx, key, j.last, state) })
	return errors.Join(err, db.Close(), j.disk.SyncFolder(dir))
}

// emptyStore makes a bbolt file that holds no record, at that line of the journal.
func emptyStore(tx *bbolt.Tx, key []byte, at position, state bridge.State) error {
	for _, name := range allBuckets {
		if _, err := tx.CreateBucket(name); err != nil {
			return err
		}
	}
	return writeMeta(tx, key, at, state, map[lims.Source]lims.Cursor{})
}
