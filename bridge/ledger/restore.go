package ledger

import (
	"context"
	"crypto/hmac"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"go.etcd.io/bbolt"

	"limsbridge/bridge"
)

// RestoreAct is the act of the event that a restore leaves in the journal; its Detail is when the
// backup was made.
const RestoreAct = "restore"

// ErrWouldOverwrite is what Restore refuses with where something is in place already.
var ErrWouldOverwrite = errors.New("a restore never overwrites anything")

// Restored tells what Restore did.
type Restored struct {
	Manifest *Manifest
	// Held says that nothing is sent until a person resumes: what was sent since the backup is
	// unknown. It is false only where a newer, intact journal was in place.
	Held bool
	// Before says that this journal had such a stop in it already.
	Before   bool
	Own      bool // the journal in place was used, not the backup's
	Replayed int  // events of it that the backup's bbolt file did not know
	InDoubt  int  // attempts whose call was running when the last process ended
	Damage   error
}

// Restore puts the backup in the folder from into dir, in which there must be no bbolt file. by, user
// and why go into the journal.
//
// A journal that is in place is never given up for the backup's older one. If it continues the
// backup's and is intact, it brings the backup up to date, and nothing is lost. If it is damaged, what
// is sound of it is applied, and everything starts held. If it does not hold what the backup does,
// Restore refuses. Where there is none, the backup's is put there, and everything starts held.
//
// The bbolt file is put in place last, in one step, after the stop is in the journal: whenever the
// process ends, there is either no ledger yet, and Restore can be repeated, or a whole one.
func Restore(dir, from, by, user, why string, at time.Time) (res *Restored, err error) {
	m, err := ReadBackup(from)
	if err != nil {
		return nil, err
	}
	path := filepath.Join(dir, storeName)
	if _, err := os.Lstat(path); err == nil {
		return nil, fmt.Errorf("%s is there: %w; if it is damaged, stop limsbridge and move that one file away, but leave %s and %s where they are: they bring the backup up to date",
			path, ErrWouldOverwrite, journalName, keyName)
	} else if !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	staging, err := os.MkdirTemp(dir, "restore-")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(staging)) }()
	staged := filepath.Join(staging, storeName)
	if err := copyOut(from, storeName, staged); err != nil {
		return nil, err
	}
	res = &Restored{Manifest: m, Held: true}
	if err := res.placeKey(dir, from, staging); err != nil {
		return nil, err
	}
	if err := res.placeJournal(dir, from, staging); err != nil {
		return nil, err
	}
	l, err := Open(dir, Options{store: staged, Now: func() time.Time { return at }})
	if err != nil {
		return nil, err
	}
	res.Replayed, res.InDoubt, res.Damage = l.Recovery().Replayed, l.Recovery().InDoubt, l.Recovery().Doubt
	events := []bridge.Event{{At: at, Kind: bridge.ActEvent, Act: RestoreAct, Detail: m.At.Format(time.RFC3339), By: by, User: user, Why: why}}
	if res.Held {
		events = append(events, bridge.Event{At: at, Kind: bridge.StopEvent, Detail: bridge.LedgerStop, Text: "restored from a backup: what was sent since is unknown"})
	}
	_, err = l.Commit(context.Background(), events...)
	res.Held = res.Held || res.Damage != nil
	l.View(func(s *bridge.State) {
		res.Before = !res.Held && slices.ContainsFunc(s.Stops, func(x bridge.Stop) bool { return x.Kind == bridge.LedgerStop })
	})
	if err := errors.Join(err, l.Close()); err != nil {
		return nil, err
	}
	return res, errors.Join(os.Rename(staged, path), systemDisk{}.SyncFolder(dir))
}

// placeKey sees to it that the fingerprint key is in place and belongs to the backup.
func (res *Restored) placeKey(dir, from, staging string) error {
	path := filepath.Join(dir, keyName)
	_, err := os.Lstat(path)
	if errors.Is(err, os.ErrNotExist) {
		if !res.Manifest.Key() {
			return fmt.Errorf("the backup was made without the fingerprint key, and %s is not there: put the key that belongs to it there first; without it nothing that was sent can be recognised", path)
		}
		next := filepath.Join(staging, keyName)
		if err := copyOut(from, keyName, next); err != nil {
			return err
		}
		if err := belongs(next, filepath.Join(staging, storeName)); err != nil {
			return err
		}
		return errors.Join(os.Rename(next, path), systemDisk{}.SyncFolder(dir))
	}
	if err != nil {
		return err
	}
	return belongs(path, filepath.Join(staging, storeName))
}

// belongs checks that a key is that of a bbolt file.
func belongs(keyPath, storePath string) error {
	key, err := readKey(keyPath)
	if err != nil {
		return err
	}
	db, err := openStore(storePath, true, lockPatience)
	if err != nil {
		return err
	}
	err = guard(func() error {
		return db.View(func(tx *bbolt.Tx) error {
			if meta := tx.Bucket(metaBucket); meta == nil || !hmac.Equal(meta.Get(checkKey), keyCheck(key)) {
				return fmt.Errorf("%s: %w; the backup is of another ledger, or the key is", keyPath, ErrWrongKey)
			}
			return nil
		})
	})
	return errors.Join(err, db.Close())
}

// placeJournal sees to it that a journal is in place that holds all that the backup's does.
func (res *Restored) placeJournal(dir, from, staging string) error {
	at, err := storePosition(filepath.Join(staging, storeName))
	if err != nil {
		return err
	}
	folder := journalFolder(dir)
	files, err := journalFiles(folder)
	if err != nil {
		return err
	}
	if len(files) > 0 {
		res.Own = true
		end, err := follow(folder, at, &position{Seq: res.Manifest.Event, Sum: res.Manifest.Sum})
		var damage *DamageError
		switch {
		case errors.Is(err, errBehind):
			return fmt.Errorf("%s does not hold what the backup does, up to event %d (%w): it is older, or of another ledger, or was changed; %w\n"+
				"To begin with the backup's own journal, stop limsbridge and move %[1]s away, but keep it. Everything then starts held", folder, res.Manifest.Event, err, ErrWouldOverwrite)
		case errors.As(err, &damage): // opening it says so, and stops everything
		case err != nil:
			return err
		default:
			res.Held = end.Seq == res.Manifest.Event // nothing newer: something may have been cut off
		}
		return nil
	}
	next := filepath.Join(staging, journalName)
	if err := os.Mkdir(next, 0o700); err != nil {
		return err
	}
	for _, f := range res.Manifest.Files {
		if f.Path == storeName || f.Path == keyName {
			continue
		}
		if err := copyOut(from, f.Path, filepath.Join(staging, filepath.FromSlash(f.Path))); err != nil {
			return err
		}
	}
	if err := (systemDisk{}).SyncFolder(next); err != nil {
		return err
	}
	if err := os.Remove(folder); err != nil && !errors.Is(err, os.ErrNotExist) { // an empty one
		return fmt.Errorf("%s holds files that are no journal; move them away first: %w", folder, err)
	}
	return errors.Join(os.Rename(next, folder), systemDisk{}.SyncFolder(dir))
}

// errBehind says that a journal does not hold a line that it should.
var errBehind = errors.New("it is not there as it was")

// follow walks a journal from a position on and returns where it ends. It returns an error that wraps
// errBehind if the line at that position, or the one of must, is not in it as it was, and a
// *DamageError if both are and something else is damaged.
func follow(folder string, at position, must *position) (end position, err error) {
	met := must == nil || must.Seq == at.Seq && must.Sum == at.Sum
	w := walker{folder: folder, at: at, linked: true, visit: func(_ bridge.Event, p position, _ bool) error {
		met = met || p.Seq == must.Seq && p.Sum == must.Sum
		return nil
	}}
	there, err := w.verify()
	if err != nil {
		return end, err
	}
	if !there {
		return end, fmt.Errorf("event %d: %w", at.Seq, errBehind)
	}
	if err := w.walk(); err != nil {
		return end, err
	}
	switch {
	case !met && (w.damage == nil || w.at.Seq < must.Seq):
		return end, fmt.Errorf("event %d: %w", must.Seq, errBehind)
	case w.damage != nil:
		return w.at, w.damage
	}
	return w.at, nil
}

// copyOut copies one file of a backup.
func copyOut(from, name, to string) error {
	f, err := os.Open(filepath.Join(from, filepath.FromSlash(name)))
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }()
	err = writeFile(to, f)
	return err
}
