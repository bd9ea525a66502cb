package ledger

import (
	"errors"
	"os"
	"path/filepath"
	"time"

	"limsbridge/bridge"
)

// Stats count what a ledger holds.
type Stats struct {
	Created   time.Time
	Records   int
	Requests  int // service requests of all records
	Finished  int // records of which nothing more is expected
	Bare      int // those of them without the detail that nobody needs again
	Sent      int // observations of which a version was sent
	Due, Soon int // records whose turn has come, and those whose turn comes later
	Open      int // attempts whose call may be running
	InDoubt   int // attempts whose outcome nobody knows
	Decisions int
	Holds     map[bridge.HoldKind]int
	StoreSize int64 // of the bbolt file, in bytes
}

// Stats counts everything, at that time. It reads every record.
func (l *Ledger) Stats(at time.Time) (s Stats, err error) {
	s.Holds = map[bridge.HoldKind]int{}
	l.View(func(state *bridge.State) { s.Created = state.Created })
	err = l.Each(func(r bridge.Record) error {
		s.Records++
		s.Requests += len(r.Requests)
		for _, q := range r.Requests {
			s.Sent += len(q.Sent)
		}
		if finished(&r) {
			s.Finished++
			if len(r.Rows) > 0 && r.Rows[0].Noticed.IsZero() {
				s.Bare++
			}
		}
		switch {
		case r.Due.IsZero():
		case r.Due.After(at):
			s.Soon++
		default:
			s.Due++
		}
		for _, a := range r.Attempts {
			if a.Open() {
				s.Open++
			} else {
				s.InDoubt++
			}
		}
		for _, h := range r.Holds {
			s.Holds[h.Kind]++
		}
		s.Decisions += len(r.Decisions)
		return nil
	})
	if err == nil {
		s.StoreSize, err = sizeOf(filepath.Join(l.dir, storeName))
	}
	return s, err
}

// JournalStats count what a journal holds.
type JournalStats struct {
	Files    int
	Size     int64 // in bytes
	Events   int
	Archived uint64 // events before the first file that is there
	Months   []Month
	Damage   *DamageError
}

// Month counts the events of one month, in UTC.
type Month struct {
	Month  time.Time // its first instant
	Events map[bridge.EventKind]int
}

// ReadJournalStats counts the journal of the ledger in dir. It may run beside a daemon.
func ReadJournalStats(dir string) (s JournalStats, err error) {
	files, err := journalFiles(journalFolder(dir))
	if err != nil {
		return s, err
	}
	for _, n := range files {
		info, err := os.Stat(filepath.Join(journalFolder(dir), n.String()))
		if err != nil {
			return s, err
		}
		s.Files++
		s.Size += info.Size()
	}
	if s.Archived, err = Archived(dir); err != nil {
		return s, err
	}
	err = ReadJournal(dir, func(e bridge.Event) error {
		s.Events++
		m := month(e.At)
		if n := len(s.Months); n == 0 || m.After(s.Months[n-1].Month) { // a clock that went back counts where it was
			s.Months = append(s.Months, Month{Month: m, Events: map[bridge.EventKind]int{}})
		}
		s.Months[len(s.Months)-1].Events[e.Kind]++
		return nil
	})
	if errors.As(err, &s.Damage) {
		err = nil
	}
	return s, err
}
