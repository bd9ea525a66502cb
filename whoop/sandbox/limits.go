package sandbox

import (
	"math"
	"strconv"
	"time"
)

// fixedWindow counts calls in windows that begin at multiples of their length.
type fixedWindow struct {
	length time.Duration
	limit  int // 0: none
	start  time.Time
	used   int
}

func (f *fixedWindow) advance(now time.Time) {
	if start := now.Truncate(f.length); !start.Equal(f.start) {
		f.start, f.used = start, 0
	}
}

func (f *fixedWindow) full() bool { return f.limit > 0 && f.used >= f.limit }

// rateHeaders tells of the nearest window, or of the one that is full. c.mu is held.
func (c *call) rateHeaders() {
	f := &c.minute
	switch {
	case c.o.PerMinute == 0 && c.o.PerDay == 0:
		return
	case c.o.PerMinute == 0, c.day.full() && !c.minute.full():
		f = &c.day
	}
	left := f.start.Add(f.length).Sub(c.now)
	h := c.w.Header()
	h["X-Ratelimit-Limit"] = []string{strconv.Itoa(f.limit) + ";window=" + strconv.Itoa(int(f.length.Seconds()))}
	h["X-Ratelimit-Remaining"] = []string{strconv.Itoa(max(f.limit-f.used, 0))}
	h["X-Ratelimit-Reset"] = []string{strconv.Itoa(int(math.Ceil(left.Seconds())))}
}

// CountForeign takes calls of the quota as someone else with the same credentials would.
func (s *Server) CountForeign(calls int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.o.Now()
	s.minute.advance(now)
	s.day.advance(now)
	s.minute.used += calls
	s.day.used += calls
}

// pace finds the greatest number of calls in any 60 consecutive seconds of the clock.
type pace struct {
	second  int64
	seconds [60]int
	sum     int
	most    int
}

func (p *pace) count(now time.Time) {
	for s := now.Unix(); p.second < s; {
		if s-p.second > int64(len(p.seconds)) {
			p.second, p.sum, p.seconds = s, 0, [60]int{}
			break
		}
		p.second++
		slot := &p.seconds[p.second%60]
		p.sum -= *slot
		*slot = 0
	}
	p.seconds[p.second%60]++
	p.sum++
	p.most = max(p.most, p.sum)
}
