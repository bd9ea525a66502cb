package ledger

import (
	"errors"
	"os"
	"path/filepath"
	"sync"
	"time"

	"go.etcd.io/bbolt"

	"limsbridge/bridge"
)

// replayed is what the journal alone makes: a ledger in a folder of its own, without a journal,
// that applies events by the same code as the real one. It is thrown away after use, so that
// nothing of it is synced, and it may be as large as the real one without filling the memory.
type replayed struct {
	*Ledger
	folder string
}

// replayOverlay is how many changed records of it are kept in memory.
const replayOverlay = 20_000

// newReplayed makes one in a new folder within scratch.
func newReplayed(scratch string) (r *replayed, err error) {
	folder, err := os.MkdirTemp(scratch, "limsbridge-replay-")
	if err != nil {
		return nil, err
	}
	l := &Ledger{dir: folder, now: func() time.Time { return time.Time{} }, due: make(chan struct{}, 1), threshold: replayOverlay, dirty: overlay{}}
	l.room = sync.NewCond(&l.mu)
	if l.store, err = openStore(filepath.Join(folder, storeName), false, lockPatience); err != nil {
		return nil, errors.Join(err, os.RemoveAll(folder))
	}
	l.store.NoSync = true
	r = &replayed{Ledger: l, folder: folder}
	if err := l.store.Update(func(tx *bbolt.Tx) error { return emptyStore(tx, nil, position{}, bridge.State{}) }); err != nil {
		return nil, errors.Join(err, r.discard())
	}
	return r, nil
}

// add applies the journal's next event.
func (r *replayed) add(e bridge.Event) error {
	r.mu.Lock()
	if e.Seq == 1 && e.Kind == bridge.ActEvent && e.Act == CreateAct {
		r.state.Created = e.At // as Create does
	}
	err := r.apply([]bridge.Event{e}, position{Seq: e.Seq})
	full := len(r.dirty) >= r.threshold
	r.mu.Unlock()
	if err != nil || !full {
		return err
	}
	return r.Flush()
}

// discard removes it.
func (r *replayed) discard() error { return errors.Join(r.store.Close(), os.RemoveAll(r.folder)) }
