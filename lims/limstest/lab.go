package limstest

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/google/uuid"
)

// Options decide which lab is made. The zero value is a good one.
type Options struct {
	// Seed decides everything but the stamps.
	Seed uint64
	// Orders is the number of requisitions; 0 means DefaultOrders. From 110 on every kind occurs.
	Orders int
	// Kinds, where given, are the only kinds that occur, in turn.
	Kinds []Kind
	// Start is the instant from which the bridge counts (its start_from); what the lab did before
	// carries stamps at least two minutes older. Zero means Now() at New.
	Start time.Time
	// For is how long the lab's day lasts, from the first Advance on; 0 means DefaultFor. Longer
	// lives, e.g. two corrections with their gaps, overrun it.
	For time.Duration
	// CorrectionGap is the least time between two versions of one value, and before whatever
	// else must find an earlier step reported; 0 means DefaultCorrectionGap. It should be several
	// times the bridge's settle time plus its interval.
	CorrectionGap time.Duration
	// Arrived, where given, reports whether the far side has accepted what a step builds on; the
	// step waits for it, for Patience at most. It is called often, should be quick, and must not
	// call the Lab.
	Arrived func(Mark) bool
	// Patience is how long a step waits for Arrived beyond its time; 0 means DefaultPatience.
	// After it the lab goes on, and the comparison with the truth tells the rest.
	Patience time.Duration
	// Zone is the time zone of the stamps; nil means UTC.
	Zone *time.Location
	// Now is the clock; nil means time.Now.
	Now func() time.Time
}

// The defaults: a lab's day in eight seconds, for a bridge that settles for 0.4 s and polls every 0.25 s.
const (
	DefaultOrders        = 220
	DefaultFor           = 8 * time.Second
	DefaultCorrectionGap = 1500 * time.Millisecond
	DefaultPatience      = 5 * time.Second
)

// Mark is a point that a service request must have reached at the far side.
type Mark struct {
	ServiceRequest uuid.UUID
	// Status is a business status that was set; or:
	Status string
	// Code is an observation of which Versions versions were accepted.
	Code     string
	Versions int
}

// Lab is a running lab. Its methods may be called from several goroutines.
type Lab struct {
	options   Options
	truth     Truth
	sentinels []string

	mu      sync.Mutex
	db      *sql.DB
	writer  *writer
	dice    *dice // for the sizes of transactions only
	lives   []*life
	total   int
	applied int
	begun   time.Time // first Advance
}

// New makes a lab in a new SQLite file. It decides all lives at once and writes what happened
// before Options.Start; everything else is written by Advance, Run or Finish. The caller must
// Close the lab.
func New(path string, o Options) (*Lab, error) {
	o.Orders = cmp.Or(o.Orders, DefaultOrders)
	o.For = cmp.Or(o.For, DefaultFor)
	o.CorrectionGap = cmp.Or(o.CorrectionGap, DefaultCorrectionGap)
	o.Patience = cmp.Or(o.Patience, DefaultPatience)
	o.Zone = cmp.Or(o.Zone, time.UTC)
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Start.IsZero() {
		o.Start = o.Now()
	}
	for _, k := range o.Kinds {
		if !slices.Contains(Kinds(), k) {
			return nil, fmt.Errorf("limstest: no kind %q: see Kinds()", k)
		}
	}
	ctx := context.Background()
	db, err := create(ctx, filepath.Clean(path))
	if err != nil {
		return nil, err
	}
	w, err := newWriter(ctx, db)
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	g := generate(o)
	l := &Lab{options: o, db: db, writer: w, truth: g.truth, sentinels: g.sentinels, dice: newDice(o.Seed), lives: g.lives}
	for _, e := range g.past {
		if err := l.commit(ctx, []event{e}, o.Start.Add(e.at)); err != nil {
			return nil, errors.Join(err, l.Close())
		}
	}
	for _, f := range l.lives {
		l.total += len(f.events)
	}
	return l, nil
}

// Close closes the database; the file stays.
func (l *Lab) Close() error { return l.db.Close() }

// Start returns the instant from which the bridge counts: its start_from.
func (l *Lab) Start() time.Time { return l.options.Start }

// Truth returns what must be the case in the end. It does not change while the lab runs.
func (l *Lab) Truth() Truth { return l.truth }

// Sentinels returns texts of at least ten characters, out of patients' fields and results, that
// must never be found in a ledger, a log or an error. Ids are not among them.
func (l *Lab) Sentinels() []string { return slices.Clone(l.sentinels) }

// Progress returns how many of the lab's steps were taken.
func (l *Lab) Progress() (taken, all int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.applied, l.total
}

// Done reports whether everything has happened.
func (l *Lab) Done() bool {
	taken, all := l.Progress()
	return taken == all
}

// Run moves the lab along until everything has happened, or ctx is done: then it returns its error.
func (l *Lab) Run(ctx context.Context) error {
	tick := time.NewTicker(20 * time.Millisecond) // finer than any bridge polls
	defer tick.Stop()
	for {
		if err := l.Advance(ctx); err != nil || l.Done() {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
}

// Advance does everything whose time has come. The first call begins the lab's day. However late
// it is called, what must lie apart lies apart.
func (l *Lab) Advance(ctx context.Context) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.begun.IsZero() {
		l.begun = l.options.Now()
	}
	elapsed := l.options.Now().Sub(l.begun)
	return l.apply(ctx, func(f *life) bool {
		return f.due() <= elapsed && (l.arrived(f) || f.due()+l.options.Patience <= elapsed)
	}, elapsed)
}

// Finish does everything that is left at once, without gaps and without waiting: only the end
// then agrees with the truth, not the versions on the way.
func (l *Lab) Finish(ctx context.Context) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.apply(ctx, func(*life) bool { return true }, 0)
}

func (l *Lab) arrived(f *life) bool {
	if l.options.Arrived == nil {
		return true
	}
	for _, m := range f.events[f.next].needs {
		if !l.options.Arrived(m) {
			return false
		}
	}
	return true
}

// apply takes all steps that are ready, in the order of their times, in transactions of one to
// six steps: bursts under one stamp, as instruments write them.
func (l *Lab) apply(ctx context.Context, ready func(*life) bool, elapsed time.Duration) error {
	type step struct {
		event
		due  time.Duration
		life *life
	}
	var steps []step
	for _, f := range l.lives {
		for next := *f; next.next < len(next.events) && ready(&next); {
			steps = append(steps, step{next.events[next.next], next.due(), f})
			next.take(elapsed)
		}
	}
	slices.SortStableFunc(steps, func(a, b step) int { return cmp.Compare(a.due, b.due) })
	for len(steps) > 0 {
		n := min(len(steps), 1+l.dice.IntN(6))
		var batch []event
		for _, s := range steps[:n] {
			batch = append(batch, s.event)
		}
		if err := l.commit(ctx, batch, l.options.Now()); err != nil {
			return err
		}
		if !l.begun.IsZero() {
			elapsed = l.options.Now().Sub(l.begun) // gaps count from when it is there to be read
		}
		for _, s := range steps[:n] {
			s.life.take(elapsed)
		}
		l.applied += n
		steps = steps[n:]
	}
	return nil
}

// commit writes events in one transaction under one stamp.
func (l *Lab) commit(ctx context.Context, events []event, at time.Time) error {
	tx, err := l.db.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("limstest: begin: %w", err)
	}
	for _, e := range events {
		if err := l.writer.write(ctx, tx, e, at.In(l.options.Zone)); err != nil {
			return errors.Join(fmt.Errorf("limstest: write: %w", err), tx.Rollback())
		}
	}
	if err := tx.Commit(); err != nil {
		return fmt.Errorf("limstest: commit: %w", err)
	}
	return nil
}
