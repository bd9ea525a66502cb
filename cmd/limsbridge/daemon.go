package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"limsbridge/bridge"
	"limsbridge/bridge/control"
	"limsbridge/bridge/ledger"
	"limsbridge/config"
)

const (
	// reopenAfter is how long the daemon rests before it tries again what was in its way: a full disk
	// or an eager virus scanner is seldom gone within a second, and a person who mends a file wants
	// to see it work.
	reopenAfter = 10 * time.Second
)

// daemon keeps a bridge going until its context ends, and answers on the control socket all the
// while. Neither a wrong configuration nor a missing ledger ends it, nor an unreachable database:
// it says that it is not ready, and why, and tries again.
type daemon struct {
	file  string // of the configuration
	load  func() (*config.Config, config.Problems)
	log   *slog.Logger
	told  func(status string)   // how it stands now, for the service manager; nil: nobody
	after func(*bridge.Summary) // called after every pass; nil: nobody
	// strict lets the first thing that is in the way end it: at a terminal somebody sees that.
	strict bool

	began   time.Time
	notices notices
	silence unanswered
	watch   *watch
	retry   chan struct{} // somebody mended something, or put a configuration in force
	changed *bell         // a life began or ended

	mu     sync.Mutex
	cfg    *config.Config // in force; nil: none yet
	next   *config.Config // to be put in force
	live   *assembly      // nil: not ready
	why    error          // what is in the way
	said   string         // what was in the way when that was last logged; "": a pass was made since
	saidAt time.Time      // when that was
	lives  int
	seen   progress
	stop   context.CancelFunc // ends the present life
}

func newDaemon(file string, load func() (*config.Config, config.Problems), log *slog.Logger) *daemon {
	d := &daemon{file: file, load: load, began: time.Now(), retry: make(chan struct{}, 1), changed: newBell(), stop: func() {}}
	d.log = slog.New(&errorKeeper{Handler: log.Handler(), seen: &d.seen})
	d.notices.log = d.log
	d.silence.notices = &d.notices
	d.watch = &watch{notices: &d.notices, config: d.known}
	return d
}

// problemsError is a configuration that cannot be put in force.
type problemsError struct{ problems config.Problems }

func (e *problemsError) Error() string { return strings.TrimRight(e.problems.Error(), "\n") }

// run keeps the bridge going until ctx ends, and then returns nil.
func (d *daemon) run(ctx context.Context) error {
	socket := &socket{daemon: d}
	defer socket.close()
	watching, unwatch := context.WithCancel(ctx)
	var watcher sync.WaitGroup
	watcher.Go(func() { d.watch.run(watching) })
	defer watcher.Wait()
	defer unwatch()
	for first := true; ; first = false {
		cfg, problems := d.configuration()
		socket.open(ctx, cfg.State)
		var err error = &problemsError{problems}
		if len(problems) == 0 {
			err = d.life(ctx, cfg)
		}
		var failed *ledger.FailedError
		switch {
		case ctx.Err() != nil:
			if _, wrong := errors.AsType[*problemsError](err); wrong || errors.Is(err, context.Canceled) {
				return nil // it was stopped while something was in the way
			}
			return err
		case err == nil:
			continue // another configuration
		case d.strict && first && !errors.As(err, &failed):
			return err
		case errors.As(err, &failed):
			err = fmt.Errorf("the ledger failed, and is opened again and checked before anything more is sent: %w", failed.Cause)
		}
		d.notReady(err)
		select {
		case <-ctx.Done():
			return nil
		case <-d.retry:
		case <-time.After(reopenAfter):
		}
	}
}

// configuration is the one that waits to be put in force, the one that is, or what the file says.
func (d *daemon) configuration() (*config.Config, config.Problems) {
	d.mu.Lock()
	if d.next != nil {
		d.cfg, d.next, d.why = d.next, nil, nil
	}
	inForce, why := d.cfg, d.why
	d.mu.Unlock()
	if inForce != nil && why == nil {
		return inForce, nil
	}
	// Something was in the way: perhaps the file was mended. One that is wrong now, and was not when
	// it was put in force, changes nothing.
	cfg, problems := d.load()
	if inForce != nil && len(problems) > 0 {
		return inForce, nil
	}
	return cfg, problems
}

// known is the configuration in force, or as much of the file as can be read.
func (d *daemon) known() *config.Config {
	d.mu.Lock()
	cfg := d.cfg
	d.mu.Unlock()
	if cfg == nil {
		cfg, _ = d.load()
	}
	return cfg
}

// notReadyLine is logged once a day for whatever is in the way.
const notReadyLine = "not ready; it is tried again"

// inLines is an error for a log: problems of a configuration take a line each.
func inLines(err error) string {
	p, ok := errors.AsType[*problemsError](err)
	if !ok {
		return err.Error()
	}
	var lines []string
	for _, q := range p.problems {
		lines = append(lines, q.String())
	}
	return strings.Join(lines, "\n")
}

// notReady notes and tells what is in the way: once a day, also where what is in the way lets everything
// be opened each time, as a full disk does. Older files of the log go one day, and with them what was told.
func (d *daemon) notReady(why error) {
	d.mu.Lock()
	now := time.Now()
	known := d.said == why.Error() && now.Sub(d.saidAt) < sayAgain
	if !known {
		d.saidAt = now
	}
	d.why, d.live, d.said = why, nil, why.Error()
	d.lives++
	d.mu.Unlock()
	d.changed.ring()
	if !known {
		d.log.Error(notReadyLine, "reason", inLines(why))
	}
	d.tell()
}

// life is one life of the assembly: from opening everything that a configuration describes to
// closing it. It returns nil where another configuration is to be put in force, or ctx ended.
func (d *daemon) life(ctx context.Context, cfg *config.Config) (err error) {
	a, err := assemble(ctx, cfg, d.log, d.watch.shown)
	if err != nil {
		return explain(err)
	}
	for _, w := range cfg.Warnings {
		d.log.Warn("configuration", "warning", w)
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	d.mu.Lock()
	d.cfg, d.live, d.why, d.stop = cfg, a, nil, stop
	if d.next != nil {
		stop() // asked for while this one was opened
	}
	d.lives++
	d.mu.Unlock()
	d.changed.ring()
	defer func() {
		d.mu.Lock()
		d.live = nil
		d.mu.Unlock()
		d.changed.ring() // before what others may be reading is closed below them
		err = errors.Join(err, a.Close())
	}()
	if !d.saidNotReady() { // else the first pass tells
		d.runs(cfg)
	}
	d.tell()
	g, ctx := errgroup.WithContext(ctx)
	loop := &bridge.Loop{Bridge: a.bridge, Zone: cfg.TimeZone, Planned: d.seen.planned, After: func(sum *bridge.Summary, err error) error {
		if _, failed := errors.AsType[*ledger.FailedError](err); failed {
			return err
		}
		d.passed(sum, err)
		if d.after != nil {
			d.after(sum)
		}
		return nil
	}}
	g.Go(func() error { return loop.Run(ctx) })
	return g.Wait()
}

// runs logs that it runs.
func (d *daemon) runs(cfg *config.Config) {
	d.log.Info("running", "version", version, "mode", string(cfg.Mode), "every", cfg.Database.Every.String())
}

// saidNotReady reports whether the log says last that something is in the way.
func (d *daemon) saidNotReady() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.said != ""
}

// passed logs a pass: one line, whatever came of it.
func (d *daemon) passed(sum *bridge.Summary, err error) {
	repeated := d.seen.pass(sum, err)
	if sum != nil && err == nil {
		d.silence.pass(sum, time.Now())
	}
	switch {
	case err == nil:
		d.mu.Lock()
		back, cfg := d.said != "", d.cfg
		d.said = ""
		d.mu.Unlock()
		if back {
			d.runs(cfg)
		}
		d.log.Info("pass", "pass", sum)
	case repeated:
		d.log.Info("pass ended early again", "reason", err.Error())
	default:
		d.log.Warn("pass ended early; it is tried again", "reason", err.Error())
	}
	d.tell()
}

// tell tells the service manager how it stands.
func (d *daemon) tell() {
	if d.told != nil {
		d.told(d.brief())
	}
}

// brief is how it stands, in a line.
func (d *daemon) brief() string {
	d.mu.Lock()
	why, cfg, live := d.why, d.cfg, d.live
	d.mu.Unlock()
	if why == nil {
		why = d.seen.failure()
	}
	switch {
	case why != nil:
		line, _, _ := strings.Cut(why.Error(), "\n")
		return "not ready: " + line
	case live == nil || cfg == nil:
		return "starting"
	}
	return "ready, mode " + string(cfg.Mode)
}

// reload reads the configuration's file and puts it in force. Where it cannot be, the error says
// why, and the one that is in force stays.
func (d *daemon) reload(ctx context.Context) error {
	cfg, problems := d.load()
	if len(problems) > 0 {
		return &problemsError{problems}
	}
	d.mu.Lock()
	inForce, live := d.cfg, d.live
	d.mu.Unlock()
	if inForce != nil && inForce.State != cfg.State {
		return fmt.Errorf("state: another folder, %s, takes a restart: limsbridge service restart", cfg.State)
	}
	if live != nil {
		if err := try(cfg, live); err != nil {
			return err
		}
	}
	d.mu.Lock()
	d.next = cfg
	lives := d.lives
	d.stop()
	d.mu.Unlock()
	select {
	case d.retry <- struct{}{}:
	default:
	}
	for { // until it is in force, or something is in the way
		changed := d.changed.next()
		d.mu.Lock()
		begun, why := d.lives > lives && d.next == nil, d.why
		d.mu.Unlock()
		if begun {
			return why
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-changed:
		}
	}
}

// reloadAndSay reloads where nobody waits for the answer: it goes into the log.
func (d *daemon) reloadAndSay(ctx context.Context) {
	if err := d.reload(ctx); err != nil {
		d.log.Error("the configuration was not reloaded; the one in force stays", "reason", inLines(err))
		return
	}
	d.log.Info("the configuration was reloaded")
}

// try checks what the file alone does not tell, beside a bridge that runs.
func try(cfg *config.Config, live *assembly) error {
	if _, err := cfg.Mapping(); err != nil {
		return err
	}
	if err := unconfirmed(cfg, live.ledger); err != nil {
		return err
	}
	quiet := slog.New(slog.DiscardHandler)
	reader, err := openLIMS(cfg, quiet)
	if err != nil {
		return err
	}
	client, err := openWHOOP(cfg, quiet)
	if err != nil {
		return errors.Join(err, reader.Close())
	}
	client.Close()
	return reader.Close()
}

// running returns the bridge, or control.ErrNotReady.
func (d *daemon) running() (*assembly, *config.Config, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.live == nil {
		return nil, nil, control.ErrNotReady
	}
	return d.live, d.cfg, nil
}

// bell wakes everybody who waits for it.
type bell struct {
	mu sync.Mutex
	ch chan struct{}
}

func newBell() *bell { return &bell{ch: make(chan struct{})} }

func (b *bell) next() <-chan struct{} {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.ch
}

func (b *bell) ring() {
	b.mu.Lock()
	defer b.mu.Unlock()
	close(b.ch)
	b.ch = make(chan struct{})
}

// socket keeps the control socket in the state folder of the configuration.
type socket struct {
	daemon *daemon
	state  string
	said   string // why it could not be opened, when that was last told; "": it was open
	stop   context.CancelFunc
	done   chan struct{}
}

// open answers in that folder from now on. A socket that cannot be opened takes the command line
// from people, and nothing from the bridge: it is told of and tried again.
func (s *socket) open(ctx context.Context, state string) {
	if s.done != nil {
		select {
		case <-s.done: // it failed; once more
		default:
			if s.state == state && control.Listens(ctx, state) {
				return
			}
			// The folder is another one now, or another disk is mounted there.
		}
		s.close()
	}
	if err := os.MkdirAll(state, 0o700); err != nil {
		s.cannot(err)
		return
	}
	ctx, s.stop = context.WithCancel(context.WithoutCancel(ctx))
	s.state, s.done = state, make(chan struct{})
	go func(done chan struct{}) {
		defer close(done)
		err := control.Serve(ctx, state, s.daemon.answers())
		if err == nil {
			s.said = ""
			return
		}
		s.cannot(err)
	}(s.done)
}

// cannot tells once of what keeps the socket from being opened.
func (s *socket) cannot(err error) {
	if s.said != err.Error() {
		s.said = err.Error()
		s.daemon.log.Warn("the command line cannot reach this service", "reason", s.said)
	}
}

func (s *socket) close() {
	if s.done == nil {
		return
	}
	s.stop()
	<-s.done
	s.done = nil
}

// answers is what the control socket speaks for.
func (d *daemon) answers() control.Bridge {
	return control.Bridge{
		Act: func(ctx context.Context, act control.Act) error {
			a, _, err := d.running()
			if err != nil {
				return err
			}
			if err := known(act, a.mapping); err != nil {
				return err
			}
			return a.bridge.Act(ctx, event(act))
		},
		Resolve: func(ctx context.Context, s bridge.Resolution) error {
			a, _, err := d.running()
			if err != nil {
				return err
			}
			return a.bridge.Resolve(ctx, s, time.Now())
		},
		Holds: func() ([]bridge.Held, error) {
			a, _, err := d.running()
			if err != nil {
				return nil, err
			}
			return everyHold(a.ledger)
		},
		Outstanding: func() ([]bridge.Outstanding, error) {
			a, _, err := d.running()
			if err != nil {
				return nil, err
			}
			return bridge.FindOutstanding(a.ledger)
		},
		Status:  d.status,
		Reload:  d.reload,
		Command: d.command,
	}
}
