// Package bridge is the domain: it decides what leaves the lab and what does not.
//
// Four things are kept apart. The loop knows time and nothing of rows. A pass reads what changed
// and gives every record whose turn has come to a worker. A plan is a pure function of the rows
// as they are now, the ledger's record, what WHOOP showed, the mapping and the time. A turn
// executes a plan, and only what it holds: each call's intent is on disk before the call, its
// outcome after, and whatever is not certain is in doubt and never repeated by itself.
//
// The package knows no driver, no HTTP and no file; it states what it needs of them in ports.go.
// What it does not do: read reports back (the API cannot), convert units, or guess.
package bridge

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"limsbridge/lims"
)

// Bridge is the lab's database, the ledger and WHOOP's API, with the mapping between them.
type Bridge struct {
	lims     LIMS
	api      API
	ledger   Ledger
	mapping  *Mapping
	settings Settings
	prints   *Fingerprints
	// origins are from where the sources are read. Only reading changes them, between turns.
	origins map[lims.Source]lims.Origin

	correcting sync.Mutex // held from the brake's last look to the intent of a correction

	archive Archive // nil: none
	log     *slog.Logger

	mu       sync.Mutex
	shown    map[Key]Shown // looks that are still fresh; gone after a restart, on purpose
	probing  map[ActionKind]bool
	lastPass time.Time
	hourly   time.Time
	foreign  int           // calls of somebody else that a person has been told of
	decided  []Key         // records that a person decided something of since the last pass
	acts     chan struct{} // a person acted; wakes the loop

	reconsider atomic.Bool // a person let something go on; the next pass begins with it
	rouse      bool        // as much of that as may be done more than once: the first pass wakes what waits
}

// New returns a bridge. It starts nothing.
func New(l LIMS, api API, ledger Ledger, m *Mapping, s Settings, log *slog.Logger) *Bridge {
	if s.Parallel < 1 {
		s.Parallel = 1
	}
	b := &Bridge{
		lims: l, api: api, ledger: ledger, mapping: m, settings: s, log: log,
		prints: NewFingerprints(ledger.Key()), origins: map[lims.Source]lims.Origin{
			lims.Orders: ledger.Cursor(lims.Orders).Origin, lims.Results: ledger.Cursor(lims.Results).Origin,
		},
		shown: map[Key]Shown{}, probing: map[ActionKind]bool{},
		acts: make(chan struct{}, 1),
	}
	// A process that ended between a person's act and the next pass left what waits asleep, for as long
	// as blockedFor; who cannot tell wakes it once more.
	ledger.View(func(s *State) { b.rouse = time.Since(s.Resumed) < blockedFor })
	return b
}

// fresh returns what WHOOP showed of a record, if that is still to be relied on.
func (b *Bridge) fresh(k Key, at time.Time) *Shown {
	b.mu.Lock()
	defer b.mu.Unlock()
	s, ok := b.shown[k]
	if !ok || at.Sub(s.At) >= b.settings.LookFor {
		delete(b.shown, k)
		return nil
	}
	return &s
}

func (b *Bridge) remember(k Key, s Shown) {
	b.mu.Lock()
	defer b.mu.Unlock()
	s.Now = false
	b.shown[k] = s
}

// forget makes looks stale: all of them after a gap in passes (other hands may have been at work
// meanwhile), otherwise those that are too old.
func (b *Bridge) forget(at time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.lastPass.IsZero() && at.Sub(b.lastPass) > b.settings.Gap {
		clear(b.shown)
	}
	b.lastPass = at
	for k, s := range b.shown {
		if at.Sub(s.At) >= b.settings.LookFor {
			delete(b.shown, k)
		}
	}
}

// Act records a person's act. It holds at once, also for a pass that is running; what follows
// from letting sending go on (see Reconsider) begins the next pass, which it wakes the loop for.
func (b *Bridge) Act(ctx context.Context, e Event) error {
	if err := record(ctx, b.ledger, e); err != nil {
		return err
	}
	if e.Act != PauseAct {
		b.mu.Lock()
		clear(b.shown) // other hands may have been at work meanwhile
		b.mu.Unlock()
		b.reconsider.Store(true)
	}
	b.wakeLoop()
	return nil
}

// Resolve records what a person decided of holds. It holds at once; the next pass, which it wakes
// the loop for, looks at those records anew and plans them.
func (b *Bridge) Resolve(ctx context.Context, s Resolution, at time.Time) error {
	// A turn that is under way must know of it when it comes to rest.
	keys, err := resolve(ctx, b.ledger, s, at, func(keys []Key) {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.decided = append(b.decided, keys...)
	})
	if err != nil {
		return err
	}
	b.mu.Lock()
	for _, k := range keys {
		delete(b.shown, k)
	}
	b.mu.Unlock()
	b.wakeLoop()
	return nil
}

// PassNow asks the loop for a pass at once, or right after the one that is running.
func (b *Bridge) PassNow() { b.wakeLoop() }

// wakeLoop lets the loop make a pass at once.
func (b *Bridge) wakeLoop() {
	select {
	case b.acts <- struct{}{}:
	default:
	}
}

// reconsidered wakes what a person decided, and lets everything that waits or is held be planned again, if a person acted so.
func (b *Bridge) reconsidered(ctx context.Context, at time.Time) error {
	b.mu.Lock()
	decided := b.decided
	b.decided = nil
	b.mu.Unlock()
	for _, k := range decided {
		if err := b.wake(k, at); err != nil {
			return err
		}
	}
	if b.rouse {
		if err := wakeAll(b.ledger, waits, at); err != nil {
			return err
		}
		b.rouse = false
	}
	if !b.reconsider.Swap(false) {
		return nil
	}
	err := Reconsider(ctx, b.ledger, at)
	if err != nil {
		b.reconsider.Store(true)
	}
	return err
}
