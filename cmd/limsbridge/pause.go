package main

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"limsbridge/bridge"
	"limsbridge/bridge/control"
	"limsbridge/bridge/ledger"
)

func pauseCommand() *cobra.Command {
	var act control.Act
	c := &cobra.Command{
		Use: "pause", Short: "Send nothing, or nothing of one test, until resume", Args: cobra.NoArgs,
		Long: `Stops all sending, or that of single tests (WHOOP's codes), also across restarts.
What is released meanwhile waits. Reading goes on.`,
		Example: `  limsbridge pause --by "A. Lab" --why "reagent recall" --test CBC`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			act.Act = bridge.PauseAct
			return do(cmd, act, "paused")
		},
	}
	c.Flags().StringSliceVar(&act.Tests, "test", nil, "only this test, by WHOOP's code (may be repeated)")
	who(c, &act)
	return c
}

// known refuses a code that is none of the configuration's: a pause of it would stop nothing.
func known(act control.Act, mapping *bridge.Mapping) error {
	if act.Act != bridge.PauseAct {
		return nil
	}
	for _, t := range act.Tests {
		if !slices.Contains(mapping.Codes(), t) {
			return &control.WordsError{Text: fmt.Sprintf("nothing was paused: the configuration has no test %q; its tests are %s", t, strings.Join(mapping.Codes(), ", "))}
		}
	}
	return nil
}

func resumeCommand() *cobra.Command {
	var act control.Act
	c := &cobra.Command{
		Use: "resume", Short: "End a pause, a stop or a brake", Args: cobra.NoArgs,
		Long: `Ends a pause of everything, and the stop after a 403, a foreign report or a damaged ledger.
The pause of a single test ends with its --test. A brake is released by its name and by count, for an hour.`,
		Example: `  limsbridge resume --by "A. Lab" --why "reagents replaced"
  limsbridge resume --brake corrections --count 40 --by "A. Lab" --why "recalibrated; checked 40 results"`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			act.Act = bridge.ResumeAct
			if act.Brake != "" {
				act.Act = bridge.ReleaseAct
				brakes := []string{bridge.CorrectionsBrake, bridge.FirstPassBrake}
				if !slices.Contains(brakes, act.Brake) {
					return &exitError{exitConfig, fmt.Errorf("--brake is one of %v", brakes)}
				}
				if act.Count <= 0 {
					return &exitError{exitConfig, errors.New("a brake is released by count: --count N, how many may go within an hour")}
				}
			}
			return do(cmd, act, "resumed")
		},
	}
	c.Flags().StringSliceVar(&act.Tests, "test", nil, "only this test, by WHOOP's code (may be repeated)")
	c.Flags().StringVar(&act.Brake, "brake", "", "release this brake: corrections or first_pass")
	c.Flags().IntVar(&act.Count, "count", 0, "how many the brake lets go, within an hour")
	who(c, &act)
	return c
}

func who(c *cobra.Command, act *control.Act) {
	c.Flags().StringVar(&act.By, "by", "", "who decides this (goes into the journal)")
	c.Flags().StringVar(&act.Why, "why", "", "why (goes into the journal; no values, no names of patients)")
	require(c, "by", "why")
}

func require(c *cobra.Command, flags ...string) {
	for _, f := range flags {
		if err := c.MarkFlagRequired(f); err != nil {
			panic(err) // the flag was just defined
		}
	}
}

// do asks the running bridge, or acts on the ledger itself where none runs.
func do(cmd *cobra.Command, act control.Act, done string) error {
	p := placeOf(cmd)
	act.User = osUser()
	err := headed(cmd, p.State, control.Do(cmd.Context(), p.State, act))
	where := "the running bridge"
	if errors.Is(err, control.ErrNotRunning) {
		where = "the ledger; no bridge is running"
		err = doOffline(cmd, p, act)
	}
	if words, ok := errors.AsType[*control.WordsError](err); ok {
		return &exitError{exitConfig, words}
	}
	if err != nil {
		return explain(err)
	}
	_, err = fmt.Fprintf(cmd.OutOrStdout(), "%s (%s)\n", done, where)
	return err
}

func doOffline(cmd *cobra.Command, p place, act control.Act) (err error) {
	if err := p.usable(cmd); err != nil {
		return err
	}
	if err := p.names(cmd, act); err != nil {
		return err
	}
	l, err := ledger.Open(p.State, ledger.Options{})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, l.Close()) }()
	return bridge.Act(cmd.Context(), l, event(act))
}

// event is the journal's form of an act.
func event(a control.Act) bridge.Event {
	return bridge.Event{At: time.Now(), Act: a.Act, Tests: a.Tests, Detail: a.Brake, Count: a.Count, By: a.By, Why: a.Why, User: a.User}
}

// printCounts prints counts by name in a fixed order, or nothing where there are none.
func printCounts[K ~string](w io.Writer, title string, counts map[K]int) {
	for _, k := range slices.Sorted(maps.Keys(counts)) {
		fmt.Fprintf(w, "  %s %-22s %d\n", title, k, counts[k])
	}
}
