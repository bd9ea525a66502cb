package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"time"

	"github.com/spf13/cobra"

	"limsbridge/bridge/ledger"
	"limsbridge/config"
	"limsbridge/lims"
	"limsbridge/whoop"
)

func checkCommand() *cobra.Command {
	var showSQL, defaults bool
	last := "30d"
	c := inside(&cobra.Command{
		Use: "check", Short: "Check the configuration and try both ends; sends nothing", Args: cobra.NoArgs,
		Long: `One line for each thing that is looked at: ok, a warning, a failure and what to do,
or left out, where the database does not tell without a right that the bridge does
not need. Nothing is written and nothing is sent. The rows of the last days are
counted against status:, tests: and ignore:; no value is shown.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			span, err := config.ParseSpan(last)
			if err != nil {
				return &exitError{exitConfig, fmt.Errorf("--last: %w", err)}
			}
			cfg, problems := config.Load(configPath(cmd))
			out := cmd.OutOrStdout()
			if len(problems) > 0 {
				if err := problems.Write(out, isTerminal(out)); err != nil {
					return err
				}
			}
			if defaults {
				for _, d := range config.Defaults() {
					fmt.Fprintf(out, "%-24s %-10s %s\n", d.Name, d.Value, d.Reason)
				}
			}
			k := &checker{out: out, failures: len(problems)}
			if cfg != nil {
				for _, w := range cfg.Warnings {
					k.warn("configuration", w)
				}
				k.database(cmd.Context(), cfg, problems, span, showSQL)
				k.partner(cmd.Context(), cfg)
				k.state(cmd.Context(), cfg)
				k.archive(cfg)
			}
			fmt.Fprintf(out, "\n%s\n", k.verdict())
			if k.failures > 0 {
				return &exitError{exitConfig, errShown}
			}
			return nil
		},
	})
	c.Flags().BoolVar(&showSQL, "show-sql", false, "print every statement that the bridge can ever run on the LIMS")
	c.Flags().StringVar(&last, "last", last, "how far back rows are counted against the mapping, e.g. 30d")
	c.Flags().BoolVar(&defaults, "defaults", false, "print the defaults with their reasons")
	return c
}

// patience is how long check waits for an end that does not answer.
const patience = 20 * time.Second

// checker prints one line per thing checked: ok, warning or failure, and what to do.
type checker struct {
	out                io.Writer
	warnings, failures int
}

func (k *checker) ok(what, text string) { fmt.Fprintf(k.out, "ok       %-14s %s\n", what, text) }

func (k *checker) warn(what, text string) {
	k.warnings++
	fmt.Fprintf(k.out, "warning  %-14s %s\n", what, text)
}

func (k *checker) fail(what, text string) {
	k.failures++
	fmt.Fprintf(k.out, "failure  %-14s %s\n", what, text)
}

// leftOut says what cannot be told, and why. Nothing is wrong.
func (k *checker) leftOut(what, why string) { fmt.Fprintf(k.out, "left out %-14s %s\n", what, why) }

func (k *checker) verdict() string {
	switch {
	case k.failures > 0:
		return fmt.Sprintf("%d to mend, %d to consider. Nothing was sent.", k.failures, k.warnings)
	case k.warnings > 0:
		return fmt.Sprintf("All well, %d to consider. Nothing was sent.", k.warnings)
	}
	return "All well. Nothing was sent."
}

// broken shows each problem of a misfit on a line of its own.
func (k *checker) broken(what string, err error) {
	var misfit *lims.Misfit
	if !errors.As(err, &misfit) {
		k.fail(what, err.Error())
		return
	}
	if misfit.Source != "" {
		what = string(misfit.Source)
	}
	for _, p := range misfit.Problems {
		k.fail(what, p)
	}
}

func (k *checker) partner(ctx context.Context, cfg *config.Config) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	if !cfg.Partner.ClientSecret.Set() || cfg.Partner.ClientID == "" {
		return // said with file and line already
	}
	client, err := openWHOOP(cfg, nil)
	if err != nil {
		k.fail("whoop", err.Error())
		return
	}
	defer client.Close()
	p, err := client.Permit(ctx, whoop.Progress)
	if err != nil {
		k.fail("whoop", err.Error())
		return
	}
	client.Return(p)
	k.ok("whoop", "the credentials are accepted at "+cfg.Partner.URL)
}

func (k *checker) state(ctx context.Context, cfg *config.Config) {
	if s := served(ctx); s != nil {
		if a, inForce, err := s.daemon.running(); err == nil && inForce.State == cfg.State {
			if !k.begins(cfg, a.ledger) {
				return
			}
			k.ok("ledger", cfg.State+", open in the service")
			return
		}
	}
	l, err := ledger.Open(cfg.State, ledger.Options{ReadOnly: true})
	switch {
	case errors.Is(err, ledger.ErrLocked):
		k.ok("ledger", cfg.State+" is in use by a running limsbridge")
	case err != nil:
		k.fail("ledger", err.Error())
	default:
		if k.begins(cfg, l) {
			k.ok("ledger", cfg.State)
		}
		if err := l.Close(); err != nil {
			k.warn("ledger", err.Error())
		}
	}
}

// begins tells of a start_from that sending refuses, and reports whether the ledger can be used now.
func (k *checker) begins(cfg *config.Config, l *ledger.Ledger) bool {
	err := early(cfg, l)
	switch {
	case err != nil && cfg.Mode == config.Send:
		k.fail("start_from", err.Error())
		return false
	case err != nil:
		k.warn("start_from", "mode: send will refuse it: "+err.Error())
	}
	return true
}

// archive tries whether copies can be kept, where the folder is there already: made here, it might
// belong to another account than the service's.
func (k *checker) archive(cfg *config.Config) {
	if !cfg.Archive.On() {
		return
	}
	folder := cfg.Archive.Folder
	f, err := os.CreateTemp(folder, "check-*")
	switch {
	case errors.Is(err, fs.ErrNotExist):
		k.ok("archive", folder+" is made with the first report")
		return
	case err != nil:
		k.fail("archive", err.Error())
		return
	}
	if err := errors.Join(f.Close(), os.Remove(f.Name())); err != nil {
		k.fail("archive", err.Error())
		return
	}
	k.ok("archive", fmt.Sprintf("%s, for %s", folder, counted(len(cfg.Archive.Recipients), "key")))
}
