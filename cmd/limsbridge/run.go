package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"limsbridge/bridge"
	"limsbridge/bridge/control"
	"limsbridge/bridge/ledger"
	"limsbridge/config"
)

func runCommand() *cobra.Command {
	return &cobra.Command{
		Use: "run", Short: "Run until stopped: the way the service works", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := load(cmd)
			if err != nil {
				return err
			}
			return explain(run(cmd.Context(), cfg, newLog(cmd.ErrOrStderr(), slog.LevelInfo), nil))
		},
	}
}

// reopenAfter is how long run rests before it opens a failed ledger again: a full disk or an
// eager virus scanner is seldom gone within a second.
const reopenAfter = 10 * time.Second

// run keeps a bridge going until ctx ends. Neither an unreachable database nor an unreachable
// WHOOP ends it; a ledger that failed is closed, opened again and checked before anything more is
// sent. after, if any, is called after every pass.
func run(ctx context.Context, cfg *config.Config, log *slog.Logger, after func(*bridge.Summary)) error {
	for _, w := range cfg.Warnings {
		log.Warn("configuration", "warning", w)
	}
	for first := true; ; first = false {
		err := runOnce(ctx, cfg, log, after)
		var failed *ledger.FailedError
		if ctx.Err() != nil && err == nil || !errors.As(err, &failed) && (first || err == nil) {
			return err
		}
		log.Error("the ledger failed; it is opened again and checked before anything more is sent", "reason", err.Error(), "after", reopenAfter.String())
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(reopenAfter):
		}
	}
}

// runOnce is one life of the assembly.
func runOnce(ctx context.Context, cfg *config.Config, log *slog.Logger, after func(*bridge.Summary)) (err error) {
	a, err := assemble(ctx, cfg, log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, a.Close()) }()
	log.Info("running", "version", version, "mode", string(cfg.Mode), "every", cfg.Database.Every.String())
	g, ctx := errgroup.WithContext(ctx)
	ctx, stop := context.WithCancel(ctx)
	g.Go(func() error {
		return control.Serve(ctx, cfg.State, control.Bridge{
			Act:     func(ctx context.Context, act control.Act) error { return a.bridge.Act(ctx, event(act)) },
			Resolve: func(ctx context.Context, s bridge.Resolution) error { return a.bridge.Resolve(ctx, s, time.Now()) },
			Holds:   func() ([]bridge.Held, error) { return everyHold(a.ledger) },

			Outstanding: func() ([]bridge.Outstanding, error) { return bridge.FindOutstanding(a.ledger) },
			Verify:      verification(a.reader, a.ledger, a.mapping, cfg),
		})
	})
	loop := &bridge.Loop{Bridge: a.bridge, Zone: cfg.TimeZone, After: func(sum *bridge.Summary, err error) error {
		var failed *ledger.FailedError
		switch {
		case errors.As(err, &failed):
			return err
		case err != nil:
			log.Warn("pass ended early; it is tried again", "reason", err.Error())
		default:
			log.Info("pass", "pass", sum)
		}
		if after != nil {
			after(sum)
		}
		return nil
	}}
	g.Go(func() error {
		defer stop()
		return loop.Run(ctx)
	})
	return g.Wait()
}

func onceCommand() *cobra.Command {
	return &cobra.Command{
		Use: "once", Short: "Make one pass and end", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			cfg, err := load(cmd)
			if err != nil {
				return err
			}
			a, err := assemble(cmd.Context(), cfg, newLog(cmd.ErrOrStderr(), slog.LevelWarn))
			if err != nil {
				return explain(err)
			}
			defer func() { err = errors.Join(err, a.Close()) }()
			sum, err := a.bridge.Pass(cmd.Context(), time.Now())
			if err != nil {
				return err
			}
			holds, err := held(a.ledger)
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
	}
}
