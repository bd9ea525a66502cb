package ledger

import (
	"crypto/hmac"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime/debug"
	"strconv"
	"time"

	"go.etcd.io/bbolt"
	berrors "go.etcd.io/bbolt/errors"

	"limsbridge/bridge"
	"limsbridge/lims"
)

// What can be wrong with a ledger before it is opened, for errors.Is.
var (
	ErrMissing  = errors.New("there is no ledger here")
	ErrLocked   = errors.New("another process holds the ledger")
	ErrWrongKey = errors.New("the fingerprint key does not belong to this ledger")
	ErrNewer    = errors.New("written by a newer version of limsbridge")
	ErrOlder    = errors.New("written by an older version of limsbridge")
	ErrDamaged  = errors.New("the ledger's file is damaged")
)

// lockPatience is how long Open waits for another process to let go, which covers a service that
// is being restarted.
const lockPatience = 2 * time.Second

// The buckets of bbolt.
var (
	recordBucket  = []byte("records")  // record key → record
	dueBucket     = []byte("due")      // due key → nothing
	attemptBucket = []byte("attempts") // record key → nothing, of records that have attempts
	wordBucket    = []byte("words")    // number → word, see words
	metaBucket    = []byte("meta")

	allBuckets = [][]byte{metaBucket, recordBucket, dueBucket, attemptBucket, wordBucket}
)

// The keys of the meta bucket.
var (
	schemaKey  = []byte("schema")
	checkKey   = []byte("keycheck")
	appliedKey = []byte("applied")
	stateKey   = []byte("state")
	cursorsKey = []byte("cursors")
)

// openStore opens the bbolt file; a missing one is created unless readOnly.
func openStore(path string, readOnly bool, patience time.Duration) (db *bbolt.DB, err error) {
	var opened *os.File
	err = guard(func() error {
		db, err = bbolt.Open(path, 0o600, &bbolt.Options{
			Timeout: patience, ReadOnly: readOnly,
			FreelistType: bbolt.FreelistMapType, NoStatistics: true,
			OpenFile: func(name string, flag int, mode os.FileMode) (*os.File, error) {
				f, err := os.OpenFile(name, flag, mode)
				opened = f
				return f, err
			},
		})
		return err
	})
	if err == nil && !inPlace(opened, path) {
		// It was replaced by a compacted one while this process waited for its lock.
		return nil, errors.Join(fmt.Errorf("%s: %w, which has just put another file there; try again", path, ErrLocked), db.Close())
	}
	switch {
	case errors.Is(err, berrors.ErrTimeout):
		return nil, fmt.Errorf("%s: %w: a running limsbridge, or a backup or antivirus program; stop it first, or use the commands that talk to the running limsbridge", path, ErrLocked)
	case errors.Is(err, berrors.ErrInvalid), errors.Is(err, berrors.ErrChecksum), errors.Is(err, berrors.ErrVersionMismatch), errors.Is(err, ErrDamaged):
		return nil, fmt.Errorf("%s: %w (%w); restore it from a backup, the journal brings it up to date", path, ErrDamaged, err)
	case err != nil:
		return nil, fmt.Errorf("open the ledger: %w", err)
	}
	return db, nil
}

// inPlace reports whether path still names this open file.
func inPlace(f *os.File, path string) bool {
	mine, err := f.Stat()
	if err != nil {
		return false
	}
	there, err := os.Stat(path)
	return err == nil && os.SameFile(mine, there)
}

// guard turns the panics of bbolt on a damaged file, and the fault of reading behind the end of a
// file that became shorter, into errors.
func guard(f func() error) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("%w: %v", ErrDamaged, p)
		}
	}()
	return f()
}

// read runs f in a read transaction. Every one is short: bbolt cannot reuse pages, nor grow,
// while one is open.
func (l *Ledger) read(f func(*bbolt.Tx) error) error {
	return guard(func() error { return l.store.View(f) })
}

// stored returns the record as bbolt holds it; nil: unknown.
func (l *Ledger) stored(k bridge.Key) (r *bridge.Record, err error) {
	key := recordKey(k)
	err = l.read(func(tx *bbolt.Tx) error {
		if v := tx.Bucket(recordBucket).Get(key[:]); v != nil {
			r, err = l.words.decode(k, v)
		}
		return err
	})
	return r, err
}

// eachStored calls f outside any transaction with every record that bbolt holds.
func (l *Ledger) eachStored(f func(*bridge.Record) error) error {
	const page = 200
	var last []byte
	for {
		var records []*bridge.Record
		err := l.read(func(tx *bbolt.Tx) error {
			c := tx.Bucket(recordBucket).Cursor()
			k, v := c.Seek(last)
			for ; k != nil && len(records) < page; k, v = c.Next() {
				key, err := parseRecordKey(k)
				if err != nil {
					return err
				}
				r, err := l.words.decode(key, v)
				if err != nil {
					return err
				}
				records = append(records, r)
			}
			last = append([]byte(nil), k...)
			return nil
		})
		if err != nil {
			return err
		}
		for _, r := range records {
			if err := f(r); err != nil {
				return err
			}
		}
		if len(last) == 0 {
			return nil
		}
	}
}

// openAttempts returns the records that have an open attempt, according to bbolt's list of
// records with attempts and the overlay.
func (l *Ledger) openAttempts() ([]bridge.Record, error) {
	keys := map[bridge.Key]bool{}
	for k := range l.dirty {
		keys[k] = true
	}
	err := l.read(func(tx *bbolt.Tx) error {
		return tx.Bucket(attemptBucket).ForEach(func(k, _ []byte) error {
			key, err := parseRecordKey(k)
			keys[key] = true
			return err
		})
	})
	if err != nil {
		return nil, err
	}
	var open []bridge.Record
	for k := range keys {
		r, _, err := l.Load(k)
		if err != nil {
			return nil, err
		}
		for _, a := range r.Attempts {
			if a.Open() {
				open = append(open, r)
				break
			}
		}
	}
	return open, nil
}

// readMeta reads what bbolt holds besides records, and checks that this key belongs to it.
func (l *Ledger) readMeta() error {
	path := filepath.Join(l.dir, storeName)
	return l.read(func(tx *bbolt.Tx) error {
		for _, name := range allBuckets {
			if tx.Bucket(name) == nil {
				return fmt.Errorf("%s: %w: `limsbridge init` did not finish; move the folder away and run it again", path, ErrMissing)
			}
		}
		meta := tx.Bucket(metaBucket)
		if !hmac.Equal(meta.Get(checkKey), keyCheck(l.key)) {
			return fmt.Errorf("%s: %w; restore the file that was made together with %s", filepath.Join(l.dir, keyName), ErrWrongKey, storeName)
		}
		l.cursors = map[lims.Source]lims.Cursor{}
		for key, to := range map[string]any{string(appliedKey): &l.applied, string(stateKey): &l.state, string(cursorsKey): &l.cursors} {
			if err := json.Unmarshal(meta.Get([]byte(key)), to); err != nil {
				return fmt.Errorf("%s: %w: its %s cannot be read; restore it from a backup", path, ErrDamaged, key)
			}
		}
		return l.words.read(tx)
	})
}

// writeMeta writes all that readMeta reads but the words.
func writeMeta(tx *bbolt.Tx, key []byte, p position, s bridge.State, cursors map[lims.Source]lims.Cursor) error {
	meta := tx.Bucket(metaBucket)
	for _, x := range []struct {
		key   []byte
		value any
	}{{appliedKey, p}, {stateKey, s}, {cursorsKey, cursors}} {
		b, err := json.Marshal(x.value)
		if err != nil {
			return err
		}
		if err := meta.Put(x.key, b); err != nil {
			return err
		}
	}
	if key == nil {
		return nil
	}
	if err := meta.Put(schemaKey, strconv.AppendInt(nil, schema, 10)); err != nil {
		return err
	}
	return meta.Put(checkKey, keyCheck(key))
}

// keySize is the length of a record's key: its kind and its id.
const keySize = 1 + 16

func recordKey(k bridge.Key) (b [keySize]byte) {
	b[0] = byte(k.Kind)
	copy(b[1:], k.ID[:])
	return b
}

func parseRecordKey(b []byte) (k bridge.Key, err error) {
	if len(b) != keySize {
		return k, fmt.Errorf("%w: a key of %d bytes", ErrDamaged, len(b))
	}
	k.Kind = bridge.KeyKind(b[0])
	copy(k.ID[:], b[1:])
	return k, nil
}

// dueKey orders records by urgency, then by the time at which they are due.
func dueKey(urgency byte, due time.Time, k [keySize]byte) []byte {
	b := make([]byte, 0, dueSize)
	b = append(b, urgency)
	b = binary.BigEndian.AppendUint64(b, uint64(due.Unix())^(1<<63)) // so that negative ones come first
	b = binary.BigEndian.AppendUint32(b, uint32(due.Nanosecond()))
	return append(b, k[:]...)
}

// dueSize is the length of a due key.
const dueSize = 1 + 8 + 4 + keySize
