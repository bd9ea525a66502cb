package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"limsbridge/bridge/demo"
	"limsbridge/config"
	"limsbridge/lims/limstest"
)

func demoCommand() *cobra.Command {
	var o demo.Options
	c := &cobra.Command{
		Use: "demo", Short: "Show the bridge at work between a made-up lab and a simulated API", Args: cobra.NoArgs,
		Long: `Runs a synthetic lab in SQLite, the real bridge, and a simulation of WHOOP's API on
this machine, and compares at the end what the lab reported with what the API
accepted, byte for byte. Needs nothing and leaves nothing behind. Ends with status 0
only if everything adds up.`,
		Example: `  limsbridge demo
  limsbridge demo --seed 7 --keep ./demo`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			switch {
			case o.Orders < 1 || o.Orders > 10_000:
				return &exitError{exitConfig, errors.New("--orders: write 1 to 10000")}
			case o.For < time.Second || o.For > time.Hour:
				return &exitError{exitConfig, errors.New("--for: write 1s to 1h")}
			}
			o.Out, o.Width, o.Start = cmd.OutOrStdout(), width(cmd.OutOrStdout()), startBridge
			return demo.Run(cmd.Context(), o)
		},
	}
	c.Flags().DurationVar(&o.For, "for", limstest.DefaultFor, "how long the lab's day lasts")
	c.Flags().StringVar(&o.Keep, "keep", "", "a new folder in which everything stays, to be looked at")
	c.Flags().Uint64Var(&o.Seed, "seed", 1, "another lab")
	c.Flags().IntVar(&o.Orders, "orders", limstest.DefaultOrders, "how many orders the lab has; below 110 not every case occurs")
	return c
}

// startBridge is `limsbridge run` with that configuration.
func startBridge(ctx context.Context, path string, log io.Writer) error {
	cfg, problems := config.Load(path)
	if len(problems) > 0 {
		return fmt.Errorf("the configuration: %w", problems)
	}
	return run(ctx, cfg, newLog(log, slog.LevelInfo), nil)
}

// width is that of a terminal that can redraw, and 0 of anything else.
func width(w io.Writer) int {
	f, ok := w.(*os.File)
	if !ok || os.Getenv("TERM") == "dumb" || !redraws(f) {
		return 0
	}
	n, _, err := term.GetSize(int(f.Fd()))
	if err != nil {
		return 0
	}
	return n
}
