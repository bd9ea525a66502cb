package whoop

import (
	"context"
	"net/http"
	"slices"
	"sync"
	"time"
)

const (
	minute = time.Minute
	day    = 24 * time.Hour

	// permitLife is how long a permit may lie before its call begins: long enough for an intent
	// to reach a slow disk.
	permitLife = 30 * time.Second
	// pauseDefault follows a 429 that says nothing about when to come back.
	pauseDefault = time.Minute
	// pauseMax is the longest pause that is believed: the day's window is the longest there is.
	pauseMax = day
	// ghostLife is how long a call without an answer may still land.
	ghostLife = 10 * time.Minute
)

// limiter keeps the partner's quota.
//
// WHOOP counts in fixed windows of a minute and of a day whose beginnings nobody outside knows.
// To be right under every alignment, no span of 60 s and none of 24 h may hold more calls than
// the limit. The token bucket of golang.org/x/time/rate does not promise that: a full bucket lets
// a burst of its whole size go and refills meanwhile, so that up to twice the limit falls into
// one minute. And a call is counted by the server when it arrives, somewhere between our permit
// and the end of the call; so a call stays in the window until the window's length after its end.
type limiter struct {
	start time.Time // of the monotonic clock
	hold  time.Duration
	wait  time.Duration // the longest wait

	mu          sync.Mutex
	minute, day *window
	own         struct{ minute, day int } // limits of the configuration
	paused      time.Duration             // until then, after a 429
	left        serverLeft
	queues      [Progress + 1][]*waiter
	timer       *time.Timer
	open        *window // granted and not ended; a permit that was dropped leaves by itself
	foreign     foreign
}

// waiter is a call that waits for its turn.
type waiter struct {
	ready   chan struct{}
	granted bool
	slot    slot
}

// slot is one call's place in the quota.
type slot struct {
	until   time.Duration // where the windows hold it until its end is known
	granted int64         // how many calls were granted up to and with this one
	open    int64         // how many others were open then
}

func newLimiter(perMinute, perDay int, hold, wait time.Duration) *limiter {
	l := &limiter{start: time.Now(), hold: hold, wait: wait}
	l.own.minute, l.own.day = perMinute, perDay
	l.minute = newWindow(minute, minute/240, hold, perMinute)
	l.day = newWindow(day, minute, hold, perDay)
	l.open = newWindow(0, time.Second, hold, 0)
	l.foreign.ghosts = newWindow(ghostLife, ghostLife/60, 0, 0)
	return l
}

func (l *limiter) now() time.Duration { return time.Since(l.start) }

// take waits for one call's place in the quota. It returns a *QuotaError where that would take
// longer than the limiter's patience, or ctx's error.
func (l *limiter) take(ctx context.Context, class Class) (slot, error) {
	class = min(class, Progress)
	l.mu.Lock()
	now := l.now()
	l.advance(now)
	ahead := 0
	for _, q := range l.queues[:class+1] {
		ahead += len(q)
	}
	at := l.opens(now, ahead+1)
	if at <= now {
		defer l.mu.Unlock()
		return l.grant(now), nil
	}
	if at-now > l.wait {
		l.mu.Unlock()
		return slot{}, &QuotaError{Until: l.start.Add(at)}
	}
	w := &waiter{ready: make(chan struct{})}
	l.queues[class] = append(l.queues[class], w)
	l.arm(now)
	l.mu.Unlock()

	patience := time.NewTimer(l.wait)
	defer patience.Stop()
	var err error
	select {
	case <-w.ready:
		return w.slot, nil
	case <-ctx.Done():
		err = ctx.Err()
	case <-patience.C:
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	now = l.now()
	switch {
	case w.granted && err == nil:
		return w.slot, nil
	case w.granted:
		l.free(w.slot)
		l.serve(now)
	default:
		i := slices.Index(l.queues[class], w)
		l.queues[class] = slices.Delete(l.queues[class], i, i+1)
		l.arm(now)
	}
	if err == nil {
		err = &QuotaError{Until: l.start.Add(max(l.opens(now, 1), now+l.wait))}
	}
	return slot{}, err
}

// grant counts a call as if it ended as late as it may.
func (l *limiter) grant(now time.Duration) slot {
	l.foreign.granted++
	s := slot{until: now + l.hold, open: int64(l.open.total), granted: l.foreign.granted}
	l.open.add(s.until, 1)
	l.minute.add(s.until, 1)
	l.day.add(s.until, 1)
	return s
}

// giveBack takes a grant back that was never used.
func (l *limiter) giveBack(s slot) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.now()
	l.advance(now)
	l.free(s)
	l.serve(now)
}

// free takes a grant out of the books.
func (l *limiter) free(s slot) {
	l.open.add(s.until, -1)
	l.minute.add(s.until, -1)
	l.day.add(s.until, -1)
}

// ended counts the call at its end, calls times where it was repeated, and follows what the
// answer says of the quota. h is nil where no answer came.
func (l *limiter) ended(s slot, calls int, code int, h http.Header) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.now()
	l.advance(now)
	l.free(s)
	l.minute.add(now, calls)
	l.day.add(now, calls)
	l.foreign.granted += int64(max(calls-1, 0))
	if h == nil {
		l.foreign.ghosts.add(now, calls)
	} else {
		l.follow(now, s, code, h)
	}
	l.serve(now)
}

// spent counts calls that no permit was asked for.
func (l *limiter) spent(at time.Time, calls int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.now()
	l.advance(now)
	when := min(at.Sub(l.start), now)
	l.minute.add(when, calls)
	l.day.add(when, calls)
	l.foreign.granted += int64(calls)
}

func (l *limiter) advance(now time.Duration) {
	l.minute.advance(now)
	l.day.advance(now)
	l.open.advance(now)
	l.foreign.ghosts.advance(now)
	l.left.advance(now)
}

// opens returns when n more calls fit, as far as can be said now.
func (l *limiter) opens(now time.Duration, n int) time.Duration {
	return max(now, l.paused, l.left.opens(now, n, l.open.total), l.minute.opens(now, n), l.day.opens(now, n))
}

// serve lets go who has room, the lower class first.
func (l *limiter) serve(now time.Duration) {
	l.advance(now)
	for class := range l.queues {
		for len(l.queues[class]) > 0 {
			if l.opens(now, 1) > now {
				l.arm(now)
				return
			}
			w := l.queues[class][0]
			l.queues[class] = l.queues[class][1:]
			w.granted, w.slot = true, l.grant(now)
			close(w.ready)
		}
	}
}

// arm sets the alarm for the first who waits.
func (l *limiter) arm(now time.Duration) {
	waiting := slices.ContainsFunc(l.queues[:], func(q []*waiter) bool { return len(q) > 0 })
	if !waiting {
		return
	}
	in := max(l.opens(now, 1)-now, time.Millisecond)
	if l.timer != nil {
		l.timer.Reset(in)
		return
	}
	l.timer = time.AfterFunc(in, func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.serve(l.now())
	})
}

// close stops the alarm.
func (l *limiter) close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.timer != nil {
		l.timer.Stop()
	}
}
