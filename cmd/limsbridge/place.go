package main

import (
	"time"

	"github.com/spf13/cobra"

	"limsbridge/bridge"
	"limsbridge/bridge/control"
	"limsbridge/config"
)

// place is what a command needs of the configuration that asks the running service, or the ledger
// where none runs: where that is, and the lab's time. Where a service answers, what is wrong with
// the file does not matter: it has one in force, and secrets that only it may see.
type place struct {
	*config.Config
	problems config.Problems
}

// placeOf is the place of the configuration that the flags name.
func placeOf(cmd *cobra.Command) place {
	cfg, problems := loadOrBlank(configPath(cmd))
	if cfg.TimeZone == nil {
		cfg.TimeZone = time.Local
	}
	return place{cfg, problems}
}

// usable refuses a file that does not tell where the ledger is: nobody answered, so the ledger itself
// is to be opened.
func (p place) usable(cmd *cobra.Command) error {
	if wrong := append(p.problems.About(""), p.problems.About("state")...); len(wrong) > 0 {
		return showProblems(cmd.ErrOrStderr(), wrong)
	}
	return nil
}

// names checks the codes of an act against the file.
func (p place) names(cmd *cobra.Command, act control.Act) error {
	if len(act.Tests) == 0 || act.Act != bridge.PauseAct {
		return nil
	}
	mapping, err := p.Mapping()
	if err != nil {
		return err
	}
	err = known(act, mapping)
	// A test that is not there may be one of those that are written wrongly.
	if wrong := p.problems.Without(config.NoSecret, "").Without(config.Unfilled, ""); err != nil && len(wrong) > 0 {
		return showProblems(cmd.ErrOrStderr(), wrong)
	}
	return err
}
