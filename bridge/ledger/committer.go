package ledger

import (
	"context"
	"slices"
	"sync"

	"limsbridge/bridge"
)

// commit is one call of Commit on its way through the committer.
type commit struct {
	events []bridge.Event
	done   chan error // capacity 1
}

// queue holds the commits that wait. While the committer waits for the disk, more gather, and the
// next sync carries all of them.
type queue struct {
	mu      sync.Mutex
	waiting []*commit
	closed  bool
	wake    chan struct{} // capacity 1
}

// add reports false when the queue is closed.
func (q *queue) add(c *commit) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed {
		return false
	}
	q.waiting = append(q.waiting, c)
	q.signal()
	return true
}

// close reports false when the queue was closed before.
func (q *queue) close() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed {
		return false
	}
	q.closed = true
	q.signal()
	return true
}

func (q *queue) signal() {
	select {
	case q.wake <- struct{}{}:
	default:
	}
}

// take waits for commits and returns all of them; none: the queue is closed and empty. It hands
// back the slice it got before, for reuse.
func (q *queue) take(used []*commit) []*commit {
	clear(used)
	for {
		q.mu.Lock()
		waiting, closed := q.waiting, q.closed
		if len(waiting) > 0 {
			q.waiting = used[:0]
		}
		q.mu.Unlock()
		if len(waiting) > 0 || closed {
			return waiting
		}
		<-q.wake
	}
}

// Commit gives the events their numbers, appends them to the journal, and returns when they are on
// disk and applied. The events of one call follow each other in the journal. Their times are kept
// as UTC.
//
// ctx is not looked at: a commit takes as long as one sync of the disk, and whoever asks must know
// how it ended. After an error (*FailedError or ErrClosed) nothing more is accepted: the ledger
// must be closed and opened again, which finds out what reached the disk.
func (l *Ledger) Commit(_ context.Context, events ...bridge.Event) ([]uint64, error) {
	if len(events) == 0 {
		return nil, nil
	}
	c := &commit{events: slices.Clone(events), done: make(chan error, 1)}
	for i := range c.events {
		c.events[i].At = instant(c.events[i].At)
	}
	point("commit", c.events)
	if !l.queue.add(c) {
		return nil, ErrClosed
	}
	if err := <-c.done; err != nil {
		return nil, err
	}
	point("committed", c.events)
	seqs := make([]uint64, len(c.events))
	for i := range c.events {
		seqs[i] = c.events[i].Seq
	}
	return seqs, nil
}

// commits is the committer: the one goroutine that writes the journal.
func (l *Ledger) commits() {
	var batch []*commit
	var events []bridge.Event
	for {
		if batch = l.queue.take(batch); len(batch) == 0 {
			return
		}
		clear(events)
		events = events[:0]
		seq := l.journal.last.Seq
		for _, c := range batch {
			for i := range c.events {
				seq++
				c.events[i].Seq = seq
			}
			events = append(events, c.events...)
		}
		err := l.commit(events)
		for _, c := range batch {
			c.done <- err
		}
	}
}

// commit writes the events, and applies them once they are durable.
func (l *Ledger) commit(events []bridge.Event) error {
	l.mu.RLock()
	failed := l.failed
	l.mu.RUnlock()
	if failed != nil {
		return failed
	}
	err := l.journal.append(events)
	l.mu.Lock()
	defer l.mu.Unlock()
	if err == nil {
		l.waitForRoom()
		err = l.apply(events, l.journal.last)
	}
	if err != nil {
		l.fail(err)
		return l.failed
	}
	return nil
}

// apply changes records and state by events that are in the journal up to p. The caller holds mu.
func (l *Ledger) apply(events []bridge.Event, p position) error {
	for _, e := range events {
		if e.Key != nil {
			r, _, err := l.current(*e.Key)
			if err != nil {
				return err
			}
			next := r.Apply(e)
			l.replace(&next)
		}
		l.state.Apply(e)
	}
	l.applied, l.changed = p, true
	return nil
}
