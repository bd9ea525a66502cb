package main

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"limsbridge/bridge"
	"limsbridge/bridge/archive"
	"limsbridge/bridge/ledger"
	"limsbridge/config"
	"limsbridge/installer"
	"limsbridge/lims"
	"limsbridge/whoop"
)

// configPath is the file that the flag names, that of the named instance, or the one that is found.
func configPath(cmd *cobra.Command) string {
	if path, _ := cmd.Flags().GetString("config"); path != "" {
		return path
	}
	if name, _ := cmd.Flags().GetString("name"); name != "" && installer.ValidInstance(name) {
		return instancePath(name)
	}
	path, _ := config.Find()
	return path
}

// load reads the configuration. Where it is wrong, all problems are shown at once and the
// program ends with status 2.
func load(cmd *cobra.Command) (*config.Config, error) {
	cfg, problems := config.Load(configPath(cmd))
	if len(problems) > 0 {
		return nil, showProblems(cmd.ErrOrStderr(), problems)
	}
	return cfg, nil
}

func showProblems(w io.Writer, problems config.Problems) error {
	if err := problems.Write(w, isTerminal(w)); err != nil {
		return err
	}
	return &exitError{exitConfig, errShown}
}

func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// chains is shown the certificates that each end shows; nil: nobody looks.
type chains func(whose string) func([]*x509.Certificate)

func (c chains) of(whose string) func([]*x509.Certificate) {
	if c == nil {
		return nil
	}
	return c(whose)
}

// openLIMS returns the reader that the configuration describes. It does not connect yet.
func openLIMS(cfg *config.Config, log *slog.Logger) (*lims.Reader, error) {
	return watchedLIMS(cfg, log, nil)
}

func watchedLIMS(cfg *config.Config, log *slog.Logger, seen chains) (*lims.Reader, error) {
	o := cfg.LIMS()
	o.Certificates = seen.of(limsEnd)
	o.AppName = "limsbridge"
	o.Notice = func(n lims.Notice) { log.Warn("the LIMS database", "source", string(n.Source), "notice", n.String()) }
	return lims.Open(o)
}

// openWHOOP returns the client that the configuration describes. It does not connect yet.
func openWHOOP(cfg *config.Config, log *slog.Logger) (*whoop.Client, error) {
	return watchedWHOOP(cfg, log, nil)
}

func watchedWHOOP(cfg *config.Config, log *slog.Logger, seen chains) (*whoop.Client, error) {
	o := cfg.WHOOP()
	o.Certificates = seen.of(whoopEnd)
	o.Version, o.Log = version, log
	return whoop.New(o)
}

// assembly is a whole bridge with what it stands on.
type assembly struct {
	mapping *bridge.Mapping
	reader  *lims.Reader
	client  *whoop.Client
	ledger  *ledger.Ledger
	bridge  *bridge.Bridge
}

// assemble opens everything that the configuration describes: the way of demo, once and run.
func assemble(ctx context.Context, cfg *config.Config, log *slog.Logger, seen chains) (_ *assembly, err error) {
	a := &assembly{}
	defer func() {
		if err != nil {
			err = errors.Join(err, a.Close())
		}
	}()
	if a.mapping, err = cfg.Mapping(); err != nil {
		return nil, err
	}
	if a.ledger, err = ledger.Open(cfg.State, ledger.Options{}); err != nil {
		return nil, err
	}
	if err := unconfirmed(cfg, a.ledger); err != nil {
		return nil, &exitError{exitConfig, err}
	}
	if a.reader, err = watchedLIMS(cfg, log, seen); err != nil {
		return nil, err
	}
	if a.client, err = watchedWHOOP(cfg, log, seen); err != nil {
		return nil, err
	}
	if r := a.ledger.Recovery(); r != (ledger.Recovery{}) {
		log.Warn("the ledger was brought up to its journal", "replayed", r.Replayed, "torn_bytes", r.Torn, "in_doubt", r.InDoubt)
		if r.Doubt != nil {
			log.Error("ledger and journal do not agree: nothing is sent until `limsbridge resume`", "reason", r.Doubt.Error())
		}
	}
	spent(a.client, a.ledger)
	// Another version of the program may know what this one did not: it counts like another file.
	if err := bridge.Configured(ctx, a.ledger, cfg.Hash()+" "+version, time.Now()); err != nil {
		return nil, err
	}
	a.bridge = bridge.New(a.reader, a.client, a.ledger, a.mapping, cfg.Bridge(), log)
	if cfg.Archive.On() {
		kept, err := archive.New(cfg.Archive.Folder, cfg.Archive.Recipients)
		if err != nil {
			return nil, &exitError{exitConfig, err}
		}
		a.bridge.KeepIn(kept)
	}
	return a, nil
}

// spent tells the client of the calls that the ledger counted: the quota is one for every process.
func spent(c *whoop.Client, l bridge.Ledger) {
	l.View(func(s *bridge.State) {
		for _, m := range s.Minutes {
			c.Spent(m.Start, m.Calls)
		}
	})
}

// Close closes what was opened, the ledger last.
func (a *assembly) Close() error {
	var errs []error
	if a.reader != nil {
		errs = append(errs, a.reader.Close())
	}
	if a.client != nil {
		a.client.Close()
	}
	if a.ledger != nil {
		errs = append(errs, a.ledger.Close())
	}
	return errors.Join(errs...)
}

// held counts what waits for a person, for the end of a command.
func held(l bridge.Ledger) (map[bridge.HoldKind]int, error) {
	n := map[bridge.HoldKind]int{}
	err := l.Each(func(r bridge.Record) error {
		for _, h := range r.Holds {
			n[h.Kind]++
		}
		return nil
	})
	return n, err
}

// explain adds to an error of the ledger what a person may do, where the command line can tell.
func explain(err error) error {
	if errors.Is(err, ledger.ErrLocked) {
		return fmt.Errorf("%w\nWhile the service runs, use `limsbridge pause` and `resume`, which speak with it, or stop it first", err)
	}
	return err
}
