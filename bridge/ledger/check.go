package ledger

import (
	"bytes"
	"errors"
	"fmt"

	"go.etcd.io/bbolt"

	"limsbridge/bridge"
)

// checkStore reads every entry of the bbolt file, checks both indexes against the records, and lets
// bbolt check its pages. It counts the records.
func (l *Ledger) checkStore(records *int) error {
	due, attempts := 0, 0
	err := l.eachStored(func(r *bridge.Record) error {
		*records++
		key := recordKey(r.Key)
		return l.read(func(tx *bbolt.Tx) error {
			if !r.Due.IsZero() {
				due++
				if k, _ := tx.Bucket(dueBucket).Cursor().Seek(dueKey(byte(r.Urgency), r.Due, key)); !bytes.Equal(k, dueKey(byte(r.Urgency), r.Due, key)) {
					return fmt.Errorf("%w: %s is due, and not in the list of what is", ErrDamaged, r.Key)
				}
			}
			if len(r.Attempts) > 0 {
				attempts++
				if k, _ := tx.Bucket(attemptBucket).Cursor().Seek(key[:]); !bytes.Equal(k, key[:]) {
					return fmt.Errorf("%w: %s has attempts, and is not in the list of those that have", ErrDamaged, r.Key)
				}
			}
			return nil
		})
	})
	if err != nil {
		return err
	}
	err = l.read(func(tx *bbolt.Tx) error {
		for _, list := range []struct {
			name []byte
			want int
		}{{dueBucket, due}, {attemptBucket, attempts}} {
			if n := entries(tx.Bucket(list.name)); n != list.want {
				return fmt.Errorf("%w: the list %s has %d entries and should have %d", ErrDamaged, list.name, n, list.want)
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	return consistent(l.store)
}

func entries(b *bbolt.Bucket) (n int) {
	c := b.Cursor()
	for k, _ := c.First(); k != nil; k, _ = c.Next() {
		n++
	}
	return n
}

// consistent lets bbolt check its file: that every page is used once, and that keys are in order.
func consistent(db *bbolt.DB) error {
	var errs []error
	err := guard(func() error {
		return db.View(func(tx *bbolt.Tx) error {
			for err := range tx.Check() {
				if len(errs) < 10 {
					errs = append(errs, err)
				}
			}
			return nil
		})
	})
	if err := errors.Join(append(errs, err)...); err != nil {
		return fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	return nil
}
