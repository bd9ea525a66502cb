package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/spf13/cobra"

	"limsbridge/bridge"
	"limsbridge/config"
	"limsbridge/installer"
)

func runCommand() *cobra.Command {
	return &cobra.Command{
		Use: "run", Short: "Run until stopped: the way the service works", Args: cobra.NoArgs,
		Long: `Makes a pass at once and then every lims.every, until stopped.

Started by a service manager it stays up whatever is wrong: it is then not ready, says why
(limsbridge status), and tries again. At a terminal it ends with what is wrong.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			path := configPath(cmd)
			load := func() (*config.Config, config.Problems) { return loadOrBlank(path) }
			if !installer.Managed() {
				d := newDaemon(path, load, newLog(cmd.ErrOrStderr(), slog.LevelInfo))
				d.strict = true
				err := d.run(withReload(cmd.Context(), d))
				if p, ok := errors.AsType[*problemsError](err); ok {
					return showProblems(cmd.ErrOrStderr(), p.problems)
				}
				return err
			}
			s, err := serviceOf(cmd)
			if err != nil {
				return err
			}
			return installer.Run(cmd.Context(), s, func(ctx context.Context, reload <-chan struct{}) error {
				return runManaged(ctx, s, path, load, reload)
			})
		},
	}
}

// runManaged is what the service does, from the moment at which its manager takes it for running.
func runManaged(ctx context.Context, s installer.Service, path string, load func() (*config.Config, config.Problems), reload <-chan struct{}) error {
	manager := installer.NewNotifier()
	cfg, _ := load()
	log, file := serviceLog(cfg, s)
	defer file.Close()
	keepCrash(cfg.Log.Folder, log)
	d := newDaemon(path, load, log)
	d.watch.logging = file.Problem
	d.told = manager.Ready   // running is ready for the manager: what is in the way stands in the status
	ctx = withReload(ctx, d) // before anybody is told that it runs
	manager.Ready("starting")
	stopped := context.AfterFunc(ctx, func() {
		manager.Stopping()
		log.Info("stopping: what is under way is finished")
	})
	defer stopped()
	go func() {
		for {
			select {
			case <-ctx.Done():
				return
			case <-reload:
				d.reloadAndSay(ctx)
			}
		}
	}()
	return d.run(ctx)
}

// loadOrBlank loads the configuration; where the file cannot be read, it returns the defaults.
func loadOrBlank(path string) (*config.Config, config.Problems) {
	cfg, problems := config.Load(path)
	if cfg == nil {
		cfg = config.Blank(path)
	}
	return cfg, problems
}

// run keeps a bridge of one configuration going until ctx ends. after, if any, is called after
// every pass.
func run(ctx context.Context, cfg *config.Config, log *slog.Logger, after func(*bridge.Summary)) error {
	d := newDaemon(cfg.Path, func() (*config.Config, config.Problems) { return cfg, nil }, log)
	d.strict, d.after = true, after
	return d.run(ctx)
}

func onceCommand() *cobra.Command {
	return inside(&cobra.Command{
		Use: "once", Short: "Make one pass and end", Args: cobra.NoArgs,
		Long: `Makes one pass. Where the service runs, it makes it: at once, or right after the pass that
is running.`,
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			cfg, err := load(cmd)
			if err != nil {
				return err
			}
			var l bridge.Ledger
			var sum *bridge.Summary
			if s := served(cmd.Context()); s != nil {
				l, sum, err = s.daemon.passNow(cmd.Context())
			} else {
				var a *assembly
				if a, err = assemble(cmd.Context(), cfg, newLog(cmd.ErrOrStderr(), slog.LevelWarn), nil); err != nil {
					return explain(err)
				}
				defer func() { err = errors.Join(err, a.Close()) }()
				l = a.ledger
				sum, err = a.bridge.Pass(cmd.Context(), time.Now())
			}
			if err != nil {
				return err
			}
			holds, err := held(l)
			if err != nil {
				return err
			}
			out := cmd.OutOrStdout()
			fmt.Fprintf(out, "%d rows read, %d changed; %d looks, %d statuses, %d reports with %d observations in %s\n",
				sum.Rows, sum.Changed, sum.Looks, sum.Statuses, sum.Reports, sum.Observations, sum.Took.Round(time.Millisecond))
			printCounts(out, "waiting", sum.Waiting)
			printCounts(out, "held", holds)
			return nil
		},
	})
}

// passNow asks the loop for a pass, and returns what it came to. Who does not wait for it any more
// does not stop it.
func (d *daemon) passNow(ctx context.Context) (bridge.Ledger, *bridge.Summary, error) {
	changed := d.changed.next()
	a, _, err := d.running()
	if err != nil {
		d.mu.Lock()
		defer d.mu.Unlock()
		if d.why != nil {
			return nil, nil, fmt.Errorf("not ready: %w", d.why)
		}
		return nil, nil, err
	}
	done := d.seen.wait()
	a.bridge.PassNow()
	select {
	case p := <-done:
		return a.ledger, p.sum, p.err
	case <-changed:
		return nil, nil, errors.New(meanwhile)
	case <-ctx.Done():
		return nil, nil, ctx.Err()
	}
}
