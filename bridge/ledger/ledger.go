package ledger

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"go.etcd.io/bbolt"

	"limsbridge/bridge"
	"limsbridge/lims"
	"limsbridge/whoop"
)

// Names inside the ledger's folder.
const (
	storeName   = "ledger.db"       // bbolt: where things stand
	keyName     = "fingerprint.key" // the key of all fingerprints, in hex
	journalName = "journal"         // the folder of the journal: what happened
)

// Sizes of the overlay, the records that are newer than bbolt. A record is a few kilobytes, so
// that the overlay stays below some 10 MiB however large a pass is.
const (
	checkpointAfter = 1000 // changed records that start a checkpoint
	overlayLimit    = 4000 // changed records at which writers wait for the running checkpoint
)

// ErrClosed is returned by every method of a closed ledger.
var ErrClosed = errors.New("the ledger is closed")

// FailedError is returned by Commit, Note and Flush after a write or a sync failed: what is on
// disk is unknown until the ledger is closed and opened again, which checks it.
type FailedError struct{ Cause error }

func (e *FailedError) Error() string {
	return fmt.Sprintf("the ledger stopped after a failure: %v; close it and open it again", e.Cause)
}

// Unwrap returns what failed.
func (e *FailedError) Unwrap() error { return e.Cause }

// Options of Open. The zero value is what a daemon wants.
type Options struct {
	// ReadOnly changes nothing on disk: commits, notes and cursors live in memory until Close.
	// It is for who only looks; it can be opened while nobody writes, also several times at once.
	ReadOnly bool
	// Now stamps the few events that Open itself writes; nil is time.Now.
	Now func() time.Time

	disk       disk          // nil: the operating system's
	checkpoint int           // 0: checkpointAfter
	patience   time.Duration // 0: lockPatience
	steps      []step        // nil: steps
	store      string        // "": ledger.db in the folder
	unsettled  bool          // leave attempts and damage as they are found
}

// Recovery tells what Open found, for a log line; it holds nothing private.
type Recovery struct {
	Replayed int    // events that were in the journal but not yet in bbolt
	Torn     int64  // bytes of an unfinished last line, which nobody was ever told about, cut off
	InDoubt  int    // attempts whose call was running when the process ended
	Kept     string // the copy from before its format was brought up to date; "": it was
	// Doubt says why journal and bbolt do not fit together, nil if they do. All sending is then
	// stopped (State.Stops has a bridge.LedgerStop) until a person decides.
	Doubt error
}

// Ledger is the bridge's memory: an implementation of bridge.Ledger. All methods may be called
// from several goroutines.
type Ledger struct {
	dir      string
	readOnly bool
	key      []byte
	now      func() time.Time
	recovery Recovery

	store   *bbolt.DB
	words   words
	journal *journal // used by the committer only

	queue        queue // commits that wait for the committer
	committer    sync.WaitGroup
	checkpointer sync.WaitGroup

	checkpointing sync.Mutex    // held by the one checkpoint that runs
	due           chan struct{} // asks for a checkpoint, capacity 1
	stop          chan struct{} // ends the checkpointer
	threshold     int

	// mu guards everything below. Records in the maps are never changed, only replaced.
	mu       sync.RWMutex
	room     *sync.Cond // dirty became smaller, or emptied or failed changed
	emptied  bool       // the checkpointer runs
	dirty    overlay    // changed since the last checkpoint began
	flushing overlay    // being written by a running checkpoint; nil: none runs
	state    bridge.State
	cursors  map[lims.Source]lims.Cursor
	applied  position // the last journal line that dirty, flushing, bbolt and state together stand for
	changed  bool     // something of all this is newer than bbolt
	failed   error    // *FailedError or ErrClosed
}

// overlay holds records that are newer than their stored form.
type overlay map[bridge.Key]*bridge.Record

// Open opens the ledger that Create made in dir, brings bbolt up to the journal, and writes an
// outcome in doubt for every attempt whose call was running when the process ended. It never
// creates a ledger. One of an older format is brought up to date, after a copy. Its errors say what to
// do next; errors.Is tells ErrMissing, ErrLocked, ErrWrongKey, ErrNewer, ErrOlder and ErrDamaged.
//
// Where journal and bbolt do not fit together, Open succeeds, but with everything stopped: see
// Recovery.
func Open(dir string, o Options) (*Ledger, error) {
	o.store = cmp.Or(o.store, filepath.Join(dir, storeName))
	if _, err := os.Stat(o.store); errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("%s: %w; run `limsbridge init` first, or `limsbridge ledger restore` a backup", dir, ErrMissing)
	}
	key, err := readKey(filepath.Join(dir, keyName))
	if err != nil {
		return nil, err
	}
	l := &Ledger{
		dir: dir, readOnly: o.ReadOnly, key: key, now: o.Now,
		due: make(chan struct{}, 1), stop: make(chan struct{}),
		threshold: cmp.Or(o.checkpoint, checkpointAfter),
		dirty:     overlay{},
	}
	if l.now == nil {
		l.now = time.Now
	}
	l.room = sync.NewCond(&l.mu)
	l.queue.wake = make(chan struct{}, 1)
	if l.store, err = openStore(o.store, o.ReadOnly, cmp.Or(o.patience, lockPatience)); err != nil {
		return nil, err
	}
	if err := l.start(o); err != nil {
		if l.journal != nil {
			err = errors.Join(err, l.journal.close())
		}
		return nil, errors.Join(err, l.store.Close())
	}
	if !o.unsettled {
		if err := l.settle(); err != nil {
			return nil, errors.Join(err, l.Close())
		}
	}
	if !l.readOnly {
		l.emptied = true
		l.checkpointer.Go(l.checkpoints)
	}
	return l, nil
}

// start reads what bbolt holds, catches up with the journal, and starts the committer.
func (l *Ledger) start(o Options) (err error) {
	if o.steps == nil {
		o.steps = steps
	}
	if l.recovery.Kept, err = migrate(l.store, l.dir, l.readOnly, o.steps, l.now()); err != nil {
		return err
	}
	if err := l.readMeta(); err != nil {
		return err
	}
	if err := l.recover(o.disk); err != nil {
		return err
	}
	l.committer.Go(l.commits)
	return nil
}

// Close makes everything durable, unless the ledger failed, and closes both files.
func (l *Ledger) Close() error {
	if !l.queue.close() {
		return ErrClosed
	}
	l.committer.Wait()
	close(l.stop)
	l.checkpointer.Wait()
	err := l.Flush()
	l.mu.Lock()
	if l.failed == nil {
		l.failed = ErrClosed
	}
	l.mu.Unlock()
	return errors.Join(err, l.journal.close(), l.store.Close())
}

// Recovery tells what Open found.
func (l *Ledger) Recovery() Recovery { return l.recovery }

// Key returns the key of the fingerprints.
func (l *Ledger) Key() []byte { return slices.Clone(l.key) }

// Load returns the record as of the last Commit or Note; false: unknown.
func (l *Ledger) Load(k bridge.Key) (bridge.Record, bool, error) {
	l.mu.RLock()
	r, ok := l.newer(k)
	l.mu.RUnlock()
	if ok {
		return *r, true, nil
	}
	// Between here and the look at bbolt a checkpoint may move the record there, or a commit
	// change it: either way what bbolt shows was true at some instant of this call.
	r, err := l.stored(k)
	if r == nil || err != nil {
		return bridge.Record{}, false, err
	}
	return *r, true, nil
}

// newer returns the record from the overlay. The caller holds mu.
func (l *Ledger) newer(k bridge.Key) (*bridge.Record, bool) {
	r, ok := l.dirty[k]
	if !ok {
		r, ok = l.flushing[k]
	}
	return r, ok
}

// current returns the record, an empty one if it is unknown. The caller holds mu for writing.
func (l *Ledger) current(k bridge.Key) (r *bridge.Record, known bool, err error) {
	if r, ok := l.newer(k); ok {
		return r, true, nil
	}
	r, err = l.stored(k)
	if r == nil {
		return &bridge.Record{Key: k}, false, err
	}
	return r, true, nil
}

// Note changes what is not journalled of a record: Due, Urgency and Rows; other changes that
// change makes are dropped. It creates the record if need be. It is durable with the next Flush,
// in one step with all that came before it. change must not call the ledger.
func (l *Ledger) Note(k bridge.Key, change func(*bridge.Record)) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.waitForRoom()
	if l.failed != nil {
		return l.failed
	}
	r, known, err := l.current(k)
	if err != nil {
		return err
	}
	noted, next := r.Clone(), *r
	change(&noted)
	next.Due, next.Urgency, next.Rows = instant(noted.Due), noted.Urgency, slices.Clone(noted.Rows)
	for i := range next.Rows {
		next.Rows[i].Noticed = instant(next.Rows[i].Noticed).Truncate(time.Second)
	}
	if !known || !next.Due.Equal(r.Due) || next.Urgency != r.Urgency || !slices.Equal(next.Rows, r.Rows) {
		l.replace(&next)
	}
	return nil
}

// replace puts a record into the overlay and asks for a checkpoint when there are many. The
// caller holds mu.
func (l *Ledger) replace(r *bridge.Record) {
	l.dirty[r.Key] = r
	l.changed = true
	if len(l.dirty) >= l.threshold {
		select {
		case l.due <- struct{}{}:
		default:
		}
	}
}

// waitForRoom waits while the overlay is full and the checkpointer is there to empty it. The caller
// holds mu, which is released meanwhile.
func (l *Ledger) waitForRoom() {
	for l.failed == nil && l.emptied && len(l.dirty) >= overlayLimit {
		l.room.Wait()
	}
}

// Cursor returns the reading position of a source.
func (l *Ledger) Cursor(s lims.Source) lims.Cursor {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return l.cursors[s]
}

// Advance sets the reading position of a source. It is durable with the next Flush, in one step
// with all that was noted before it.
func (l *Ledger) Advance(s lims.Source, c lims.Cursor) {
	c.Trail = slices.Clone(c.Trail)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.cursors[s] = c
	l.changed = true
}

// View calls f with what concerns the bridge as a whole. f must not keep it, change it, or call the
// ledger.
func (l *Ledger) View(f func(*bridge.State)) {
	l.mu.RLock()
	defer l.mu.RUnlock()
	f(&l.state)
}

// State returns a copy of what concerns the bridge as a whole.
func (l *Ledger) State() bridge.State {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return l.state.Clone()
}

// Each calls f with every record, in no particular order, until f returns an error, and returns
// that. f may call the ledger. A record that is new since Each began may be missing.
func (l *Ledger) Each(f func(bridge.Record) error) error {
	l.mu.RLock()
	seen := make(map[bridge.Key]bool, len(l.dirty)+len(l.flushing))
	for k := range l.dirty {
		seen[k] = true
	}
	for k := range l.flushing {
		seen[k] = true
	}
	l.mu.RUnlock()
	for k := range seen {
		r, ok, err := l.Load(k)
		if err != nil {
			return err
		}
		if !ok {
			continue
		}
		if err := f(r); err != nil {
			return err
		}
	}
	return l.eachStored(func(r *bridge.Record) error {
		if seen[r.Key] {
			return nil
		}
		l.mu.RLock()
		if newer, ok := l.newer(r.Key); ok {
			r = newer
		}
		l.mu.RUnlock()
		return f(*r)
	})
}

// fail stops the ledger for good. The caller holds mu.
func (l *Ledger) fail(cause error) {
	if l.failed == nil {
		l.failed = &FailedError{Cause: cause}
	}
	l.room.Broadcast()
}

// settle writes the outcome of every attempt whose call was running when the process ended, and
// the stop where Open found something doubtful.
func (l *Ledger) settle() error {
	var events []bridge.Event
	at := l.now()
	if d := l.recovery.Doubt; d != nil {
		events = append(events, bridge.Event{At: at, Kind: bridge.StopEvent, Detail: bridge.LedgerStop, Text: d.Error()})
	}
	open, err := l.openAttempts()
	if err != nil {
		return err
	}
	for _, r := range open {
		for _, a := range r.Attempts {
			if !a.Open() {
				continue
			}
			e := bridge.Event{
				At: at, Kind: bridge.OutcomeEvent, Key: &r.Key, Intent: a.Seq, Outcome: whoop.InDoubt,
				Action: a.Action, Whole: a.Whole, Requests: a.Requests, Status: a.Status, Report: a.Report,
				Text: "the process ended before the answer",
			}
			if a.Action == bridge.Look { // a GET changes nothing, so nothing of it is in doubt
				e.Outcome = whoop.Released
			} else {
				l.recovery.InDoubt++
			}
			events = append(events, e)
		}
	}
	if _, err := l.Commit(context.Background(), events...); err != nil {
		return err
	}
	return l.Flush()
}

// instant is t as it is kept: UTC, without the monotonic clock, so that what is in memory equals
// what is read back.
func instant(t time.Time) time.Time { return t.UTC().Round(0) }
