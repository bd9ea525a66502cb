package ledger

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"slices"
	"time"

	"go.etcd.io/bbolt"

	"limsbridge/bridge"
)

// Due returns up to limit keys of records that are due at that time, most urgent first and oldest
// first within a class, beginning after the given mark ("" for the first); next is the mark to go
// on from, "" after the last. Only what was flushed is seen; a read-only ledger, which never
// flushes, sees everything.
func (l *Ledger) Due(at time.Time, after string, limit int) (keys []bridge.Key, next string, err error) {
	if limit <= 0 {
		return nil, after, nil
	}
	mark, err := hex.DecodeString(after)
	if err != nil || len(mark) != 0 && len(mark) != dueSize {
		return nil, "", fmt.Errorf("%q is not a mark that Due gave", after)
	}
	var found [][]byte
	err = l.read(func(tx *bbolt.Tx) error {
		found = dueBetween(tx.Bucket(dueBucket).Cursor(), mark, at, limit, l.overlaid())
		return nil
	})
	if err != nil {
		return nil, "", err
	}
	if l.readOnly {
		found = l.mergeDue(found, mark, at)
	}
	found = found[:min(limit, len(found))]
	for _, d := range found {
		k, err := parseRecordKey(d[dueSize-keySize:])
		if err != nil {
			return nil, "", err
		}
		keys = append(keys, k)
	}
	if len(found) == limit {
		next = hex.EncodeToString(found[limit-1])
	}
	return keys, next, nil
}

// dueBetween walks the classes in order and returns the due keys after mark, up to limit, leaving
// out those for which skip says so.
func dueBetween(c *bbolt.Cursor, mark []byte, at time.Time, limit int, skip func(bridge.Key) bool) (found [][]byte) {
	k, _ := c.Seek(mark)
	if bytes.Equal(k, mark) {
		k, _ = c.Next()
	}
	for k != nil && len(found) < limit {
		if len(k) != dueSize {
			k, _ = c.Next()
			continue
		}
		class := k[0]
		if end := dueKey(class, at, [keySize]byte{}); bytes.Compare(k[:dueSize-keySize], end[:dueSize-keySize]) > 0 {
			if class == 0xff {
				return found
			}
			k, _ = c.Seek([]byte{class + 1}) // the rest of this class is due later
			continue
		}
		if key, err := parseRecordKey(k[dueSize-keySize:]); err == nil && !skip(key) {
			found = append(found, bytes.Clone(k))
		}
		k, _ = c.Next()
	}
	return found
}

// overlaid returns which records bbolt's order does not hold for: none, but in a read-only ledger
// those that changed since.
func (l *Ledger) overlaid() func(bridge.Key) bool {
	if !l.readOnly {
		return func(bridge.Key) bool { return false }
	}
	return func(k bridge.Key) bool {
		l.mu.RLock()
		defer l.mu.RUnlock()
		_, ok := l.newer(k)
		return ok
	}
}

// mergeDue adds the due keys of the overlay.
func (l *Ledger) mergeDue(found [][]byte, mark []byte, at time.Time) [][]byte {
	l.mu.RLock()
	for k, r := range l.dirty {
		if r.Due.IsZero() || r.Due.After(at) {
			continue
		}
		if d := dueKey(byte(r.Urgency), r.Due, recordKey(k)); bytes.Compare(d, mark) > 0 {
			found = append(found, d)
		}
	}
	l.mu.RUnlock()
	slices.SortFunc(found, bytes.Compare)
	return found
}
