// Package demo shows the bridge at work on a machine that has nothing but this program: a
// synthetic lab in SQLite on one side, a simulated Partner API on the other, and between them the
// real bridge, started from a real limsbridge.yaml on disk exactly as `limsbridge run` starts.
//
// It promises to tell the truth about it. The lab knows beforehand what must have arrived; at the
// end every accepted order, status, report and observation is compared with that, byte for byte,
// and so is every hold. One difference, one duplicate, one thing missing, and Run says so.
//
// What it prints holds ids, codes and numbers, never a value or a name: a made-up patient's are
// nobody's business either. It is no test of a lab's own configuration (that is `limsbridge
// preview`), and does not show what only time does: a nightly sweep, a doubt that is settled
// after five minutes.
package demo

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"limsbridge/lims/limstest"
	"limsbridge/whoop/sandbox"
)

// Start runs a bridge from the configuration at that path until ctx ends, and logs to log: what
// `limsbridge run` does.
type Start func(ctx context.Context, config string, log io.Writer) error

// Options are the choices of a demonstration. Start and Out have no default.
type Options struct {
	Start Start
	// Out gets progress and summary. Width is its width in characters where it is a terminal, on
	// which the progress is redrawn in place; 0 is none, and gets a line each second.
	Out   io.Writer
	Width int

	Seed   uint64        // the same seed is the same lab
	Orders int           // requisitions; 0 is limstest.DefaultOrders
	For    time.Duration // the length of the lab's day; 0 is limstest.DefaultFor
	// Keep is a folder, new or empty, in which everything stays to be looked at. "" is a temporary
	// one that is removed at the end.
	Keep string

	// For tests: prepare changes the sandbox before anything runs, meanwhile runs beside the
	// bridge until its context ends, and finished sees everything before the folder is removed.
	prepare   func(*sandbox.Server) error
	meanwhile func(context.Context, *stage)
	finished  func(*stage, Comparison)
}

// ErrDifferent is returned where the lab's truth and what the API accepted do not agree.
var ErrDifferent = errors.New("the demo does not add up; each difference is listed above")

const (
	// glance is how often the sandbox is looked at; the journal, which is read from its
	// beginning, every fourth time.
	glance        = 250 * time.Millisecond
	journalGlance = 4
	// rest is how long nothing may move before the bridge counts as at rest: several times its
	// interval and its settle times, and the second that a throttled API asks for.
	rest = 1500 * time.Millisecond
	// giveUp is how long nothing may move while something is still missing; longer than the lab
	// waits for what its next step builds on.
	giveUp = patience + 5*time.Second
	// overtime is how much longer than the lab's day everything may take, on the slowest machine.
	overtime = 2 * time.Minute
)

// Run makes the demonstration and prints it. It returns ErrDifferent if it does not add up, and
// another error if it could not be made or was interrupted.
func Run(ctx context.Context, o Options) (err error) {
	o.Orders = cmp.Or(o.Orders, limstest.DefaultOrders)
	o.For = cmp.Or(o.For, limstest.DefaultFor)
	began := time.Now()
	s, err := newStage(o)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	announce(o, s)
	if err := s.play(ctx); err != nil {
		return err
	}
	c, err := s.compare()
	if err != nil {
		return err
	}
	if o.finished != nil {
		o.finished(s, c)
	}
	summarize(o, s, c, time.Since(began))
	if len(c.Differences) > 0 {
		return ErrDifferent
	}
	return nil
}

// play lets lab and bridge run side by side until there is nothing left to do, and stops them.
func (s *stage) play(ctx context.Context) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	lab, bridge, other := make(chan error, 1), make(chan error, 1), make(chan struct{})
	go func() { bridge <- s.options.Start(ctx, s.config, s.log) }()
	go func() { lab <- s.lab.Run(ctx) }()
	go func() {
		defer close(other)
		if s.options.meanwhile != nil {
			s.options.meanwhile(ctx, s)
		}
	}()
	ended, err := s.watch(ctx, lab, bridge)
	stop()
	<-other
	if !ended { // the bridge must have let go of its ledger before that is read
		err = errors.Join(err, <-bridge)
	}
	return err
}

// watch shows the progress until nothing is left to do, or ctx ends, or lab or bridge fail.
// ended reports that the bridge ended by itself.
func (s *stage) watch(ctx context.Context, lab, bridge <-chan error) (ended bool, err error) {
	p := newProgress(s.options)
	defer p.end()
	tick := time.NewTicker(glance)
	defer tick.Stop()
	var at glimpse
	moved, done := time.Now(), false
	end := time.Now().Add(s.options.For + overtime)
	for n := 0; ; n++ {
		select {
		case <-ctx.Done():
			return false, fmt.Errorf("the demo was interrupted: %w", ctx.Err())
		case err := <-bridge:
			return true, errors.Join(errors.New("the bridge ended by itself"), err, s.lastWords())
		case err := <-lab:
			if err != nil {
				return false, err
			}
			lab, done = nil, true
		case <-tick.C:
		}
		before := at.pulse()
		if err := s.glance(&at, n%journalGlance == 0); err != nil {
			return false, err
		}
		now := time.Now()
		if at.pulse() != before {
			moved = now
		}
		p.show(at, now)
		switch quiet := now.Sub(moved); {
		case now.After(end), done && quiet > giveUp:
			return false, nil // the comparison tells what is missing
		case done && quiet > rest && n%journalGlance == 0 && s.agrees(at):
			return false, nil
		}
	}
}
