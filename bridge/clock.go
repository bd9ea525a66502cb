package bridge

import (
	"context"
	"time"
)

// clockSlack is how far the clock may go back without anything being made of it: time services
// set clocks by less than that all the time.
const clockSlack = time.Minute

// clockSet notices that the clock was set back, also while the program did not run, and brings the
// ledger's times back with it. A machine whose clock was a day ahead (or a year: a dead battery, a
// wrong hand) has noted rows, doubts and turns with times that have not come yet: what rests for
// ten minutes would rest for that day or year.
func (b *Bridge) clockSet(ctx context.Context, at time.Time) error {
	latest := b.lastPass
	b.ledger.View(func(s *State) { latest = later(latest, s.Latest) })
	if latest.Sub(at) <= clockSlack {
		return nil
	}
	b.log.Warn("the clock was set back; what was noted with a later time counts as noted now", "from", latest, "to", at)
	b.mu.Lock()
	clear(b.shown)
	b.hourly = time.Time{}
	b.mu.Unlock()
	var ahead []Event
	err := b.ledger.Each(func(r Record) error {
		if r.ahead(at) {
			k := r.Key
			ahead = append(ahead, Event{At: at, Kind: ClockEvent, Key: &k})
		}
		return nil
	})
	if err != nil {
		return err
	}
	// The bridge's own line comes last: whoever is interrupted before it begins anew.
	ahead = append(ahead, Event{At: at, Kind: ClockEvent, Detail: latest.UTC().Format(time.RFC3339)})
	for len(ahead) > 0 {
		n := min(len(ahead), batch)
		if _, err := b.ledger.Commit(ctx, ahead[:n]...); err != nil {
			return err
		}
		ahead = ahead[n:]
	}
	return nil
}

// times are all times that a record notes of the past, and when its turn comes.
func (r *Record) times() []*time.Time {
	all := []*time.Time{&r.Looked, &r.Due}
	for i := range r.Requests {
		q := &r.Requests[i]
		for j := range q.Sent {
			all = append(all, &q.Sent[j].At)
		}
		for j := range q.Never {
			all = append(all, &q.Never[j].At)
		}
	}
	for i := range r.Rows {
		all = append(all, &r.Rows[i].Noticed)
	}
	for i := range r.Attempts {
		all = append(all, &r.Attempts[i].Begun, &r.Attempts[i].Ended)
	}
	for i := range r.Holds {
		all = append(all, &r.Holds[i].Since)
	}
	for i := range r.Decisions {
		all = append(all, &r.Decisions[i].Since)
	}
	return all
}

// ahead reports whether the record notes a time after at.
func (r Record) ahead(at time.Time) bool {
	for _, t := range r.times() {
		if t.After(at) {
			return true
		}
	}
	return false
}

// setBack makes nothing of the record lie after at.
func (r *Record) setBack(at time.Time) {
	for _, t := range r.times() {
		if t.After(at) {
			*t = at
		}
	}
}

// setBack makes no count and no release of the bridge lie after at.
func (s *State) setBack(at time.Time) {
	s.Latest = at
	s.Resumed = earlier(s.Resumed, at)
	minutes, hours := s.Minutes, s.Hours
	s.Minutes, s.Hours = nil, nil
	for _, m := range minutes {
		m.Start = earlier(m.Start, at.UTC().Truncate(time.Minute))
		if n := len(s.Minutes); n > 0 && s.Minutes[n-1].Start.Equal(m.Start) {
			s.Minutes[n-1].Calls += m.Calls
			continue
		}
		s.Minutes = append(s.Minutes, m)
	}
	for _, h := range hours {
		h.Start = earlier(h.Start, at.UTC().Truncate(time.Hour))
		if n := len(s.Hours); n > 0 && s.Hours[n-1].Start.Equal(h.Start) {
			s.Hours[n-1].Reports += h.Reports
			s.Hours[n-1].Corrections += h.Corrections
			continue
		}
		s.Hours = append(s.Hours, h)
	}
	for i := range s.Releases {
		s.Releases[i].Until = earlier(s.Releases[i].Until, at.Add(releaseFor))
	}
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}
