package main

import (
	"context"
	"log/slog"
	"maps"
	"sync"
	"time"

	"limsbridge/bridge"
	"limsbridge/bridge/control"
)

// progress is what the passes of this process came to, for its status.
type progress struct {
	mu        sync.Mutex
	last      *control.Pass
	good      time.Time // begin of the last pass that succeeded
	next      time.Time
	failed    error     // of the last pass
	warned    time.Time // when that was last told
	waiting   map[string]int
	lastError *control.Notice
	waiters   []waiter
}

// waiter waits for a pass that begins after it asked.
type waiter struct {
	asked time.Time
	done  chan passed
}

// passed is a pass with what came of it.
type passed struct {
	sum *bridge.Summary
	err error
}

// repeatAfter is how long the same failure of passes is told of in a whisper only.
const repeatAfter = time.Hour

// pass notes a pass, and reports whether it failed as the one before did.
func (p *progress) pass(sum *bridge.Summary, err error) (repeated bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := time.Now()
	if err != nil {
		repeated = p.failed != nil && p.failed.Error() == err.Error() && now.Sub(p.warned) < repeatAfter
		if !repeated {
			p.warned = now
		}
	}
	p.failed = err
	if sum == nil {
		return repeated
	}
	p.last = &control.Pass{At: sum.Began, Took: sum.Took, Rows: sum.Rows, Looks: sum.Looks, Updates: sum.Statuses, Reports: sum.Reports, Doubts: sum.Doubts}
	if err == nil {
		p.good = sum.Began
		p.waiting = maps.Clone(sum.Waiting)
	} else {
		p.last.Error = err.Error()
	}
	var later []waiter
	for _, w := range p.waiters {
		if sum.Began.Before(w.asked) {
			later = append(later, w)
		} else {
			w.done <- passed{sum, err}
		}
	}
	p.waiters = later
	return repeated
}

func (p *progress) planned(next time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.next = next
}

// failure is how the last pass failed; nil: it did not.
func (p *progress) failure() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.failed
}

// wait returns where the next pass that begins from now on will be told.
func (p *progress) wait() <-chan passed {
	p.mu.Lock()
	defer p.mu.Unlock()
	w := waiter{time.Now().Round(0), make(chan passed, 1)}
	p.waiters = append(p.waiters, w)
	return w.done
}

// errorKeeper is a log that remembers the last error, for the status.
type errorKeeper struct {
	slog.Handler
	seen *progress
}

// Handle hands the record on.
func (k *errorKeeper) Handle(ctx context.Context, r slog.Record) error {
	if r.Level >= slog.LevelError && r.Message != notReadyLine { // that is the status itself
		text := r.Message
		r.Attrs(func(a slog.Attr) bool {
			text += "; " + a.Key + ": " + a.Value.Resolve().String()
			return true
		})
		k.seen.mu.Lock()
		k.seen.lastError = &control.Notice{Kind: "error", Text: text, Since: r.Time}
		k.seen.mu.Unlock()
	}
	return k.Handler.Handle(ctx, r)
}

// WithAttrs keeps the memory.
func (k *errorKeeper) WithAttrs(attrs []slog.Attr) slog.Handler {
	return &errorKeeper{k.Handler.WithAttrs(attrs), k.seen}
}

// WithGroup keeps the memory.
func (k *errorKeeper) WithGroup(name string) slog.Handler {
	return &errorKeeper{k.Handler.WithGroup(name), k.seen}
}
