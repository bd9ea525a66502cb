package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"limsbridge/bridge"
	"limsbridge/bridge/ledger"
	"limsbridge/config"
)

func ledgerConfirmStartCommand() *cobra.Command {
	var by, why string
	c := &cobra.Command{
		Use: "confirm-start", Short: "Confirm a start_from that lies before the ledger's creation", Args: cobra.NoArgs,
		Long: `A ledger knows what it sent itself. Where start_from lies before its creation, results
that were reported in between, by hand or by an installation whose ledger is lost, would
be reported again, as WHOOP shows no reports. So run and once refuse, in mode: send,
until a person confirms that very start_from, by name and reason.`,
		Example: `  limsbridge ledger confirm-start --by "A. Lab" --why "nothing was reported in November"`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			p := placeOf(cmd)
			var wrong config.Problems
			for _, needed := range []string{"", "state", "time_zone", "start_from"} {
				wrong = append(wrong, p.problems.About(needed)...)
			}
			if len(wrong) > 0 {
				return showProblems(cmd.ErrOrStderr(), wrong)
			}
			cfg := p.Config
			created, needed, err := confirmStart(cmd.Context(), cfg, by, why)
			switch {
			case err != nil:
				return err
			case !needed:
				fmt.Fprintf(cmd.OutOrStdout(), "there is nothing to confirm: the ledger was created %s\n", day(created, cfg.TimeZone))
			default:
				fmt.Fprintf(cmd.OutOrStdout(), "confirmed: what changed since %s is sent, though the ledger knows of nothing before %s\n",
					day(cfg.StartFrom, cfg.TimeZone), day(created, cfg.TimeZone))
			}
			return nil
		},
	}
	decider(c, &by, &why)
	return c
}

// confirmStart writes the confirmation of the configuration's start_from into the journal, where it
// needs one.
func confirmStart(ctx context.Context, cfg *config.Config, by, why string) (created time.Time, needed bool, err error) {
	l, err := ledger.Open(cfg.State, ledger.Options{})
	if err != nil {
		return created, false, err
	}
	defer func() { err = errors.Join(err, l.Close()) }()
	s := l.State()
	if cfg.StartFrom.IsZero() || s.Started(cfg.StartFrom) {
		return s.Created, false, nil
	}
	return s.Created, true, bridge.Act(ctx, l, bridge.ConfirmStart(cfg.StartFrom, time.Now(), by, osUser(), why))
}

// unconfirmed returns why nothing may be sent yet: start_from lies before the ledger's creation, and
// nobody confirmed that; nil otherwise.
func unconfirmed(cfg *config.Config, l *ledger.Ledger) error {
	if cfg.Mode != config.Send {
		return nil
	}
	return early(cfg, l)
}

// early is a start_from that sending will refuse, whatever the mode is now.
func early(cfg *config.Config, l *ledger.Ledger) error {
	s := l.State()
	if cfg.StartFrom.IsZero() || s.Started(cfg.StartFrom) {
		return nil
	}
	return fmt.Errorf(`start_from %s lies before the ledger's creation, %s: what was reported before that, by hand or by an earlier installation, the ledger does not know, and would report again
Write a later start_from, or confirm this one: limsbridge ledger confirm-start --by NAME --why TEXT`,
		day(cfg.StartFrom, cfg.TimeZone), day(s.Created, cfg.TimeZone))
}
