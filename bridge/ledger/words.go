package ledger

import (
	"encoding/binary"
	"fmt"
	"sync"
	"sync/atomic"

	"go.etcd.io/bbolt"
)

// Limits of what becomes a word: beyond them text is stored in the record itself.
const (
	wordLimit  = 4096
	wordLength = 64
)

// words numbers the few texts that are in every record (codes, statuses, kinds), so that a record
// holds one or two bytes instead of each. A word keeps its number for ever. They are kept in bbolt,
// written in the transaction of the first record that uses them. The zero value holds no words.
type words struct {
	mu   sync.Mutex
	ids  map[string]uint64
	list atomic.Pointer[[]string] // word n is at n-1; replaced, never changed
	kept int                      // how many of them bbolt holds
}

// read takes the words from bbolt.
func (w *words) read(tx *bbolt.Tx) error {
	return tx.Bucket(wordBucket).ForEach(func(k, v []byte) error {
		if n := w.id(string(v)); len(k) != 4 || n != uint64(binary.BigEndian.Uint32(k)) {
			return fmt.Errorf("%w: word %d is out of order; restore it from a backup", ErrDamaged, n)
		}
		w.kept++
		return nil
	})
}

// write adds to bbolt the words that it does not hold.
func (w *words) write(tx *bbolt.Tx) error {
	b := tx.Bucket(wordBucket)
	list := w.all()
	for ; w.kept < len(list); w.kept++ {
		if err := b.Put(binary.BigEndian.AppendUint32(nil, uint32(w.kept+1)), []byte(list[w.kept])); err != nil {
			return err
		}
	}
	return nil
}

func (w *words) all() []string {
	if p := w.list.Load(); p != nil {
		return *p
	}
	return nil
}

// id returns the number of a word, a new one if need be; 0: it is to be stored as it is.
func (w *words) id(s string) uint64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	if n, ok := w.ids[s]; ok {
		return n
	}
	list := w.all()
	if len(list) >= wordLimit || len(s) > wordLength {
		return 0
	}
	if w.ids == nil {
		w.ids = map[string]uint64{}
	}
	list = append(list, s) // behind what any reader of the old list looks at
	w.list.Store(&list)
	w.ids[s] = uint64(len(list))
	return w.ids[s]
}

// text returns the word with this number.
func (w *words) text(id uint64) (string, bool) {
	list := w.all()
	if id == 0 || id > uint64(len(list)) {
		return "", false
	}
	return list[id-1], true
}
