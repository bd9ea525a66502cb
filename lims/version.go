package lims

import (
	"context"
	"time"
)

// stallAfter is how long one open transaction may hold up reading by rowversion before a person is told.
const stallAfter = 15 * time.Minute

// stall remembers how long a source's MIN_ACTIVE_ROWVERSION() stands still.
type stall struct {
	lowest string
	since  time.Time
	told   bool
}

// next returns the stall after another look: lowest is MIN_ACTIVE_ROWVERSION(), newest the last
// rowversion given out; an open transaction is what lies between them. tell says that it is time to.
func (s stall) next(lowest, newest string, now time.Time) (after stall, tell bool) {
	switch {
	case lowest > newest: // none is open; one that begins now may still have this number as its lowest
		return stall{}, false
	case lowest != s.lowest:
		return stall{lowest: lowest, since: now}, false
	}
	if !s.told && now.Sub(s.since) >= stallAfter {
		s.told = true
		return s, true
	}
	return s, false
}

// version looks at SQL Server's rowversion counter before a poll. A counter at or below the cursor
// has gone back: it only ever grows within the life of a database.
func (r *Reader) version(ctx context.Context, src *source, from Cursor) (wentBack bool, err error) {
	c := column{kind: kindVersion, typ: "BINARY"}
	t, err := r.texts(ctx, "", versionState, c, c)
	if err != nil {
		return false, err
	}
	lowest, newest := t[0], t[1]
	r.mu.Lock()
	after, tell := r.stalls[src.name].next(lowest, newest, src.now())
	r.stalls[src.name] = after
	r.mu.Unlock()
	if tell {
		r.notice(Notice{Kind: Stalled, Source: src.name})
	}
	return from.Stamp != "" && lowest <= from.Stamp, nil
}
