package lims

import (
	"slices"
	"time"
)

// A trail holds a mark for every trailSpacing, and trailLength of them: an hour and a half, which is
// more than the longest look-back that polling uses.
const (
	trailSpacing = 2 * time.Minute
	trailLength  = 48
)

// lookBack returns the stamp from which a poll with this cursor begins; "" is the beginning.
func (src *source) lookBack(c Cursor, back time.Duration) string {
	if src.changed.kind != kindClock {
		return c.lookBackOnTrail(back, src.now())
	}
	if r, ok := parseReading(c.Stamp); ok {
		// A cursor beyond the server's clock is one of a clock that was set back since, or of the second
		// of two equal hours in autumn: what comes has the stamps of that clock.
		if now := r.at(src.now(), &src.zone); now.wall.Before(r.wall) {
			r = now
		}
		return r.minus(back, &src.zone).String()
	}
	return c.Stamp
}

// lookBackOnTrail returns the newest stamp that was known at least back before now. A cursor whose
// trail does not reach that far begins at the trail's beginning: what had the number of an
// earlier time lies after it, or was never asked for.
func (c Cursor) lookBackOnTrail(back time.Duration, now time.Time) string {
	if len(c.Trail) == 0 {
		return c.Stamp
	}
	stamp := c.Trail[0].Stamp
	for _, m := range c.Trail {
		if m.At.After(now.Add(-back)) {
			break
		}
		stamp = m.Stamp
	}
	return stamp
}

// mark adds that stamp was the newest one at that time, and thins the trail out.
func (c *Cursor) mark(at time.Time, stamp string) {
	c.Trail = slices.Clone(c.Trail) // the caller may keep the older cursor
	if n := len(c.Trail); n >= 2 && c.Trail[n-1].At.Sub(c.Trail[n-2].At) < trailSpacing {
		c.Trail = c.Trail[:n-1] // only the newest mark may stand closer to the one before it
	}
	c.Trail = append(c.Trail, TrailMark{At: at, Stamp: stamp})
	if n := len(c.Trail); n > trailLength {
		c.Trail = slices.Delete(c.Trail, 0, n-trailLength)
	}
}

// future reports whether a row lies in the future by the server's clock, so that it must not move
// the cursor. So does a stamp that is no date-time at all (SQLite).
func (src *source) future(row *Row, now time.Time) bool {
	return src.changed.kind == kindClock && (row.Changed.IsZero() || row.Changed.After(now))
}

// advance moves the cursor over the rows of a page, which arrive in the order of their stamps.
func (src *source) advance(c *Cursor, rows []Row, now time.Time) (future, far int) {
	last := -1
	for i := range rows {
		if !src.future(&rows[i], now) {
			last = i
			continue
		}
		future++
		if rows[i].Changed.After(now.Add(clockSlack)) {
			far++
		}
	}
	if last >= 0 {
		if stamp := rows[last].Stamp; c.Stamp == "" || compareStamps(src.changed.kind, stamp, c.Stamp) > 0 {
			c.Stamp = stamp
		}
		c.Seen = true
	}
	if src.changed.kind != kindClock && c.Stamp != "" {
		c.mark(now, c.Stamp)
	}
	return future, far
}

// compareClocks tells a person, once for each difference, that the server's clock is not this machine's.
func (r *Reader) compareClocks(c clock) {
	ahead := c.at.Sub(c.read)
	if ahead.Abs() <= clockSlack {
		ahead = 0
	}
	r.mu.Lock()
	tell := (ahead - r.ahead).Abs() > clockSlack
	if tell || ahead == 0 {
		r.ahead = ahead
	}
	r.mu.Unlock()
	if tell && ahead != 0 {
		r.notice(Notice{Kind: ClockOff, Ahead: ahead})
	}
}

// clockSlack is by how much the clock that stamps rows may be ahead of the database server's
// before a person is told.
const clockSlack = time.Minute
