package main

import (
	"errors"
	"fmt"
	"os"
	"os/user"
	"time"

	"github.com/spf13/cobra"

	"limsbridge/config"
)

func ledgerCommand() *cobra.Command {
	c := &cobra.Command{
		Use: "ledger", Short: "Check, read, copy, restore and compact the ledger",
		Long: `The ledger is the folder of what was sent, what may have been, and where everything
stands: a journal of what happened, and a database beside it. It holds ids, codes,
statuses, times and keyed fingerprints, no values and no names.

verify, history, export and stats work beside a running limsbridge as far as the
journal goes. The others need it stopped.`,
	}
	c.PersistentFlags().String("state", "", "the ledger's folder (default: the configuration's)")
	c.AddCommand(ledgerVerifyCommand(), ledgerHistoryCommand(), ledgerExportCommand(), ledgerStatsCommand(),
		ledgerBackupCommand(), ledgerRestoreCommand(), ledgerCompactCommand(), ledgerConfirmStartCommand())
	return c
}

// ledgerPlace returns the ledger's folder and the lab's time zone. Whatever else is wrong with the
// configuration does not matter here; --state goes without one, in this machine's zone.
func ledgerPlace(cmd *cobra.Command) (state string, zone *time.Location, err error) {
	state, _ = cmd.Flags().GetString("state")
	cfg, problems := config.Load(configPath(cmd))
	zone = time.Local
	if cfg != nil && cfg.TimeZone != nil {
		zone = cfg.TimeZone
	}
	switch {
	case state != "":
		return state, zone, nil
	case cfg != nil && cfg.State != "":
		return cfg.State, zone, nil
	case len(problems) > 0:
		return "", nil, showProblems(cmd.ErrOrStderr(), problems)
	}
	return "", nil, &exitError{exitConfig, errors.New("where is the ledger? name the configuration (--config) or the ledger's folder (--state)")}
}

// decider adds the flags of who decides something, and why.
func decider(c *cobra.Command, by, why *string) {
	c.Flags().StringVar(by, "by", "", "who decides this (goes into the journal)")
	c.Flags().StringVar(why, "why", "", "why (goes into the journal; no values, no names of patients)")
	require(c, "by", "why")
}

// osUser is the operating system's user, by number where it has no name.
func osUser() string {
	u, err := user.Current()
	if err != nil {
		return fmt.Sprintf("uid %d", os.Getuid())
	}
	return u.Username
}

// bytesText tells a size for people.
func bytesText(n int64) string {
	switch {
	case n >= 1<<30:
		return fmt.Sprintf("%.2f GiB", float64(n)/(1<<30))
	case n >= 1<<20:
		return fmt.Sprintf("%.1f MiB", float64(n)/(1<<20))
	}
	return fmt.Sprintf("%.1f KiB", float64(n)/(1<<10))
}

// counted is n with its noun, e.g. "1 event" or "2 events".
func counted(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
