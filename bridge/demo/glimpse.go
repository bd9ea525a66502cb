package demo

import (
	"limsbridge/bridge"
	"limsbridge/bridge/ledger"
	"limsbridge/whoop/sandbox"
)

// glimpse is how things stand at one moment, seen from outside: the lab's progress, what the API
// counted, and what the bridge's journal says, which may be read beside a running bridge.
type glimpse struct {
	taken, steps int // of the lab
	calls        int
	statuses     int
	reports      int
	observations int
	corrections  int // corrected and amended reports
	orders       int // requisitions of which something was accepted
	counts       sandbox.Counts
	accepted     []sandbox.Accepted
	journal      journal
}

// pulse changes whenever something happens.
func (g *glimpse) pulse() [4]int {
	return [4]int{g.calls, g.statuses, g.reports, g.journal.events}
}

// glance brings g up to date; the journal only if asked to, since it is read from its beginning.
func (s *stage) glance(g *glimpse, withJournal bool) error {
	g.taken, g.steps = s.lab.Progress()
	g.counts = s.api.Counts()
	g.accepted = s.api.Accepted()
	g.statuses, g.reports, g.observations = g.counts.Statuses, g.counts.Reports, g.counts.Observations
	g.calls, g.corrections = 0, 0
	for _, n := range g.counts.Calls {
		g.calls += n
	}
	orders := map[[16]byte]bool{}
	for _, a := range g.accepted {
		if len(a.Statuses)+len(a.Reports) > 0 {
			orders[a.Requisition] = true
		}
		for _, r := range a.Reports {
			if r.Status == "corrected" || r.Status == "amended" {
				g.corrections++
			}
		}
	}
	g.orders = len(orders)
	if !withJournal {
		return nil
	}
	var err error
	g.journal, err = readJournal(s.state)
	return err
}

// Held is a hold and the record that it belongs to.
type Held struct {
	Key bridge.Key
	bridge.Hold
}

// journal is what the journal tells about holds.
type journal struct {
	events int
	open   map[uint64]Held // by the number of their beginning
	ended  []Held          // began and ended again
}

func (j journal) holds() []Held {
	out := make([]Held, 0, len(j.open))
	for _, h := range j.open {
		out = append(out, h)
	}
	return out
}

// readJournal reads the journal as an auditor would, and checks its chain.
func readJournal(state string) (journal, error) {
	j := journal{open: map[uint64]Held{}}
	err := ledger.ReadJournal(state, func(e bridge.Event) error {
		j.events++
		switch e.Kind {
		case bridge.HoldEvent:
			h := Held{Hold: bridge.Hold{Seq: e.Seq, Kind: e.Hold, Source: e.Source, Row: e.Row, Detail: e.Detail, Since: e.At}}
			if e.Key != nil {
				h.Key = *e.Key
			}
			if len(e.Requests) > 0 {
				h.Request = e.Requests[0]
			}
			j.open[e.Seq] = h
		case bridge.UnholdEvent:
			j.ended = append(j.ended, j.open[e.Intent])
			delete(j.open, e.Intent)
		}
		return nil
	})
	return j, err
}

// ledgerHolds returns the holds that the ledger has, once the bridge let go of it.
func ledgerHolds(state string) (held []Held, err error) {
	l, err := ledger.Open(state, ledger.Options{ReadOnly: true})
	if err != nil {
		return nil, err
	}
	err = l.Each(func(r bridge.Record) error {
		for _, h := range r.Holds {
			held = append(held, Held{r.Key, h})
		}
		return nil
	})
	if cerr := l.Close(); err == nil {
		err = cerr
	}
	return held, err
}
