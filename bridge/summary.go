package bridge

import (
	"log/slog"
	"sync"
	"time"
)

// Summary is what one pass did, in numbers: the canonical line of its log.
type Summary struct {
	mu sync.Mutex

	Began        time.Time
	Took         time.Duration
	Rows         int // rows read while polling
	Changed      int // of them new or changed
	Unnamed      int // of them without a usable row_id
	Turns        int // records whose turn came
	Looks        int
	Statuses     int
	Reports      int
	Observations int
	Corrections  int // of the reports
	Released     int // calls that certainly did nothing, to be tried again
	Rejected     int
	Doubts       int
	HoldsBegun   int
	HoldsEnded   int
	// Waiting counts the records with something to send that has to wait, by reason.
	Waiting map[string]int
	// Retry is when it makes sense to go on before the next regular pass; zero: no need.
	Retry time.Time
}

func (s *Summary) add(f func(*Summary)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f(s)
}

func (s *Summary) waits(reason string) {
	s.add(func(s *Summary) {
		if s.Waiting == nil {
			s.Waiting = map[string]int{}
		}
		s.Waiting[reason]++
	})
}

// LogValue writes the numbers that are not zero.
func (s *Summary) LogValue() slog.Value {
	s.mu.Lock()
	defer s.mu.Unlock()
	attrs := []slog.Attr{slog.Duration("took", s.Took.Round(time.Millisecond)), slog.Int("rows", s.Rows)}
	for _, n := range []struct {
		name  string
		count int
	}{
		{"changed", s.Changed}, {"unnamed", s.Unnamed}, {"turns", s.Turns}, {"looks", s.Looks}, {"statuses", s.Statuses},
		{"reports", s.Reports}, {"observations", s.Observations}, {"corrections", s.Corrections},
		{"released", s.Released}, {"rejected", s.Rejected}, {"doubts", s.Doubts},
		{"holds_begun", s.HoldsBegun}, {"holds_ended", s.HoldsEnded},
	} {
		if n.count != 0 {
			attrs = append(attrs, slog.Int(n.name, n.count))
		}
	}
	for reason, n := range s.Waiting {
		attrs = append(attrs, slog.Int("waiting_"+reason, n))
	}
	return slog.GroupValue(attrs...)
}
