package bridge

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"limsbridge/lims"
)

const (
	// batch is how many records are read again at a time; it bounds the rows in memory.
	batch = 64
	// silence is how many calls in a row may stay without a usable answer before a pass gives up.
	silence = 3
	// rowsFor is how long rows that were read again may wait for their turn. Where WHOOP answers
	// slowly, a batch takes its time, and what the lab takes back meanwhile must not leave.
	rowsFor = 5 * time.Minute
)

// Pass reads what changed and takes the turn of every record that is due at that time. It
// returns an error only if it could not go on; what stands in the way of single records is a
// hold, and what will go by itself is waiting.
func (b *Bridge) Pass(ctx context.Context, at time.Time) (*Summary, error) {
	sum := &Summary{Began: at}
	began := time.Now()
	defer func() { sum.Took = time.Since(began) }()
	if err := b.clockSet(ctx, at); err != nil {
		return sum, err
	}
	b.forget(at)
	if err := b.reconsidered(ctx, at); err != nil {
		return sum, err
	}
	// Orders first, to their head: only then can the results that follow complete a request.
	for _, s := range []lims.Source{lims.Orders, lims.Results} {
		if err := b.read(ctx, s, at, sum); err != nil {
			return sum, err
		}
	}
	if b.lookFurther(at) {
		b.hourly = at
	}
	if err := b.ledger.Flush(); err != nil {
		return sum, err
	}
	if err := b.work(ctx, at, sum); err != nil {
		return sum, err
	}
	if err := b.watch(ctx, at); err != nil {
		return sum, err
	}
	return sum, b.ledger.Flush()
}

// strangers is how many foreign calls stop all sending. The count is certain, so one would do;
// a person who tries the credentials by hand once or twice is no second installation.
const strangers = 5

// watch stops all sending where somebody else uses these credentials: a second installation would
// report the same results.
func (b *Bridge) watch(ctx context.Context, at time.Time) error {
	n := b.api.ForeignCalls()
	if n-b.foreign < strangers {
		return nil
	}
	b.log.Error("somebody else calls WHOOP with these credentials; all sending stops until `limsbridge resume`", "calls", n-b.foreign)
	b.foreign = n
	_, err := b.ledger.Commit(ctx, Event{At: at, Kind: StopEvent, Detail: ForeignStop, Count: n})
	return err
}

// effort is what the workers of one pass share: whether it makes sense to go on.
type effort struct {
	silent atomic.Int32 // calls in a row without a usable answer
	halt   atomic.Bool
	unkept atomic.Bool // the archive failed
	// refuted are the kinds of call whose open breaker let one call try in this pass, in vain;
	// guarded by the bridge's mu.
	refuted map[ActionKind]bool
	// untouched is how many service requests that nothing was ever sent for may still begin.
	untouched atomic.Int64
}

func (e *effort) answered() { e.silent.Store(0) }

func (e *effort) unanswered() {
	if e.silent.Add(1) >= silence {
		e.halt.Store(true)
	}
}

type item struct {
	key  Key
	rows []lims.Row
	read time.Time // when reading them began
}

// work takes the turns of all records that are due, the most urgent first.
func (b *Bridge) work(ctx context.Context, at time.Time, sum *Summary) error {
	var stopped string
	b.ledger.View(func(s *State) { stopped = s.Stopped() })
	eff := &effort{}
	if stopped == "" {
		allowed, err := b.firstPass(ctx, at)
		if err != nil {
			return err
		}
		if allowed == 0 {
			stopped = FirstPassBrake
		}
		eff.untouched.Store(allowed)
	}
	if stopped != "" {
		sum.waits(stopped)
		return nil
	}
	items := make(chan item, batch)
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error {
		defer close(items)
		return b.feed(ctx, at, eff, items)
	})
	for range b.settings.Parallel {
		g.Go(func() error {
			for it := range items {
				if eff.halt.Load() || ctx.Err() != nil || time.Since(it.read) > rowsFor {
					continue // it stays due
				}
				if err := b.turn(ctx, it, at, eff, sum); err != nil {
					return err
				}
			}
			return nil
		})
	}
	err := g.Wait()
	if ctx.Err() != nil && errors.Is(err, context.Canceled) {
		return context.Cause(ctx)
	}
	return err
}

// firstPass brakes a first sending that is larger than plausible: it returns how many service
// requests that nothing was ever sent for may begin in this pass. Until the backlog of the
// beginning is gone, a person lets it go by count.
func (b *Bridge) firstPass(ctx context.Context, at time.Time) (int64, error) {
	limit := b.settings.Brake.FirstPass
	first, left := false, 0
	b.ledger.View(func(s *State) {
		first = s.Intents == 0
		for _, r := range s.Releases {
			if r.Kind == FirstPassBrake {
				first = true
				if at.Before(r.Until) {
					left = max(0, r.Left)
				}
			}
		}
	})
	if !b.settings.Send || limit <= 0 || !first {
		return math.MaxInt64, nil
	}
	untouched, err := b.untouched(at.Add(blockedFor))
	switch {
	case err != nil:
		return 0, err
	case untouched <= limit:
		return math.MaxInt64, nil
	case left > 0:
		return int64(left), nil
	}
	b.log.Error("the first sending pass is larger than plausible; nothing is sent until `limsbridge resume --brake first_pass --count N`", "tests", untouched, "plausible", limit)
	_, err = b.ledger.Commit(ctx, Event{At: at, Kind: StopEvent, Detail: FirstPassBrake, Count: untouched})
	return 0, err
}

// untouched counts the LIMS tests of records that are due until then and that nothing was ever
// sent for.
func (b *Bridge) untouched(until time.Time) (int, error) {
	n := 0
	for mark, more := "", true; more; more = mark != "" {
		keys, next, err := b.ledger.Due(until, mark, batch)
		if err != nil {
			return 0, err
		}
		mark = next
		for _, k := range keys {
			r, _, err := b.ledger.Load(k)
			if err != nil {
				return 0, err
			}
			if !slices.ContainsFunc(r.Requests, func(q Request) bool { return q.Status != "" || len(q.Sent) > 0 }) {
				n += max(1, r.ordered())
			}
		}
	}
	return n, nil
}

// ordered is how many LIMS tests of the record the orders source has shown.
func (r Record) ordered() int {
	n := 0
	for _, m := range r.Rows {
		if m.Source == lims.Orders {
			n++
		}
	}
	return n
}

// feed reads the present rows of the records that are due, in batches, and hands them out.
func (b *Bridge) feed(ctx context.Context, at time.Time, eff *effort, items chan<- item) error {
	for mark, more := "", true; more && !eff.halt.Load(); more = mark != "" {
		keys, next, err := b.ledger.Due(at, mark, batch)
		if err != nil || len(keys) == 0 {
			return err
		}
		mark = next
		batch, err := b.fetch(ctx, keys)
		if err != nil {
			return err
		}
		for _, it := range batch {
			select {
			case items <- it:
			case <-ctx.Done():
				return ctx.Err()
			}
		}
	}
	return nil
}

// fetch reads the rows of the records as they are now: the orders before the results.
func (b *Bridge) fetch(ctx context.Context, keys []Key) ([]item, error) {
	records := make([]Record, len(keys))
	ids := map[lims.Source][]string{}
	for i, k := range keys {
		r, _, err := b.ledger.Load(k)
		if err != nil {
			return nil, err
		}
		r.Key = k
		records[i] = r
		for _, m := range r.Rows {
			ids[m.Source] = append(ids[m.Source], m.ID)
		}
	}
	now, read := map[rowRef]lims.Row{}, time.Now()
	for _, s := range []lims.Source{lims.Orders, lims.Results} {
		if len(ids[s]) == 0 {
			continue
		}
		rows, err := b.lims.Fetch(ctx, s, ids[s])
		if err != nil {
			return nil, fmt.Errorf("reading %s again by row id: %w", s, err)
		}
		for _, r := range rows {
			now[rowRef{r.Source, r.ID}] = r
		}
	}
	items := make([]item, len(keys))
	for i, r := range records {
		items[i].key, items[i].read = keys[i], read
		for _, m := range r.Rows {
			// A row that moved to another requisition is gone from this one.
			if row, ok := now[rowRef{m.Source, m.ID}]; ok && (keyOf(row) == r.Key || r.Key.Kind == RowKey) {
				items[i].rows = append(items[i].rows, row)
			}
		}
	}
	return items, nil
}
