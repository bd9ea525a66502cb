package ledger

import (
	"bytes"
	"maps"
	"slices"
	"time"

	"go.etcd.io/bbolt"

	"limsbridge/bridge"
	"limsbridge/lims"
)

// snapshot is what one checkpoint writes: records, cursors, state and the journal position that
// they stand for, all of one instant.
type snapshot struct {
	records overlay
	cursors map[lims.Source]lims.Cursor
	state   bridge.State
	applied position
	before  time.Time // what was finished and touched last before is written without its detail
}

// Flush makes everything committed, noted and advanced so far durable in bbolt, and returns when
// it is. (What was committed is durable before; Flush spares the next Open its replay.)
func (l *Ledger) Flush() error {
	l.checkpointing.Lock()
	defer l.checkpointing.Unlock()
	s, err := l.snapshot()
	if s == nil || err != nil {
		return err
	}
	point("checkpoint", nil)
	err = guard(func() error { return l.store.Update(s.write(&l.words)) })
	point("checkpointed", nil)
	l.mu.Lock()
	defer l.mu.Unlock()
	if err != nil {
		l.fail(err) // and flushing stays, so that Load still shows what was acknowledged
		return l.failed
	}
	l.flushing = nil
	return nil
}

// snapshot makes the overlay the flushing one, so that commits go on in a new one meanwhile; nil:
// there is nothing to write.
func (l *Ledger) snapshot() (*snapshot, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.failed != nil || !l.changed || l.readOnly {
		return nil, l.failed
	}
	l.flushing, l.dirty, l.changed = l.dirty, overlay{}, false
	l.room.Broadcast()
	return &snapshot{
		records: l.flushing, cursors: maps.Clone(l.cursors), state: l.state.Clone(), applied: l.applied,
		before: l.now().Add(-DetailAge),
	}, nil
}

// checkpoints writes a checkpoint whenever the overlay is large, until Close.
func (l *Ledger) checkpoints() {
	defer func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.emptied = false
		l.room.Broadcast()
	}()
	for {
		select {
		case <-l.due:
			_ = l.Flush() // an error is kept, and returned to whoever writes next
		case <-l.stop:
			return
		}
	}
}

// write returns the transaction of the checkpoint: records with their two indexes, words, and the
// rest. An index entry is derived from the record as it was stored before.
func (s *snapshot) write(w *words) func(*bbolt.Tx) error {
	type entry struct {
		key    [keySize]byte
		record *bridge.Record
	}
	entries := make([]entry, 0, len(s.records))
	for k, r := range s.records {
		entries = append(entries, entry{recordKey(k), r})
	}
	slices.SortFunc(entries, func(a, b entry) int { return bytes.Compare(a.key[:], b.key[:]) }) // neighbours share pages
	return func(tx *bbolt.Tx) error {
		records, due, attempts := tx.Bucket(recordBucket), tx.Bucket(dueBucket), tx.Bucket(attemptBucket)
		var buf []byte
		for i := range entries {
			key, r := entries[i].key[:], entries[i].record
			if old, ok := peek(records.Get(key)); ok {
				if !old.due.IsZero() {
					if err := due.Delete(dueKey(old.urgency, old.due, entries[i].key)); err != nil {
						return err
					}
				}
				if old.attempts && len(r.Attempts) == 0 {
					if err := attempts.Delete(key); err != nil {
						return err
					}
				}
			}
			// bbolt keeps the slices of keys and values until the transaction ends.
			start := len(buf)
			buf = w.encode(buf, r)
			if err := records.Put(key, buf[start:len(buf):len(buf)]); err != nil {
				return err
			}
			if err := w.bury(records, key, s.before); err != nil {
				return err
			}
			if !r.Due.IsZero() {
				if err := due.Put(dueKey(byte(r.Urgency), r.Due, entries[i].key), nil); err != nil {
					return err
				}
			}
			if len(r.Attempts) > 0 {
				if err := attempts.Put(key, nil); err != nil {
					return err
				}
			}
		}
		if err := w.write(tx); err != nil {
			return err
		}
		return writeMeta(tx, nil, s.applied, s.state, s.cursors)
	}
}
