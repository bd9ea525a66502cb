package main

import (
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"limsbridge/bridge/ledger"
)

func ledgerVerifyCommand() *cobra.Command {
	var scratch string
	c := &cobra.Command{
		Use: "verify", Short: "Check the whole journal, and the ledger against it; changes nothing", Args: cobra.NoArgs,
		Long: `Reads every line of the journal and checks its chain of sums; replays it from the
beginning and compares what comes out with what the ledger holds: each service
request, each fingerprint sent, each attempt, hold and decision, and the state of the
bridge as a whole; and checks the database file itself. Exit status 1 if anything is
not as it should be. Beside a running limsbridge only the journal is checked.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			state, zone, err := ledgerPlace(cmd)
			if err != nil {
				return err
			}
			v, err := ledger.Verify(state, scratch)
			if err != nil {
				return err
			}
			printVerification(cmd.OutOrStdout(), v, zone)
			if !v.Sound() {
				return errShown
			}
			return nil
		},
	}
	c.Flags().StringVar(&scratch, "scratch", "", "a folder with as much room as the ledger's file has (default: the system's for temporary files)")
	return c
}

func printVerification(w io.Writer, v *ledger.Verification, zone *time.Location) {
	p := func(format string, args ...any) { fmt.Fprintf(w, format+"\n", args...) }
	if v.Damage == nil {
		p("ok       journal   %s in %s, from %s to %s: every line is as it was written", counted(v.Events, "event"), counted(v.Files, "file"), day(v.From, zone), day(v.Until, zone))
	} else {
		p("FAILURE  journal   %v\n                   %s could be read. Keep the damaged file; a backup may hold it whole", v.Damage, counted(v.Events, "event"))
	}
	if v.Earlier > 0 {
		p("left out journal   events 1 to %d: their files are not there, they may have been archived", v.Earlier)
	}
	switch {
	case errors.Is(v.Skipped, ledger.ErrLocked):
		p("left out ledger    a running limsbridge holds it; stop it to compare the ledger with its journal")
	case v.Skipped != nil:
		p("left out ledger    %v", v.Skipped)
	case v.Broken != nil:
		p("FAILURE  ledger    %v\n                   move ledger.db away and restore a backup: the journal brings it up to date", v.Broken)
	default:
		p("ok       ledger    %s; every entry can be read, the lists fit, the file is consistent", counted(v.Records, "record"))
	}
	if v.Tail > 0 {
		p("ok       ledger    %s of the journal not yet in it, as after a crash; the next start applies them", counted(v.Tail, "event"))
	}
	switch {
	case v.Differences > 0:
		p("FAILURE  compared  %s between the ledger and what its journal makes:", counted(v.Differences, "difference"))
		for _, d := range v.First {
			p("                   %s", d)
		}
		if more := v.Differences - len(v.First); more > 0 {
			p("                   and %d more", more)
		}
	case v.Replayed:
		p("ok       compared  the journal, replayed from its beginning, makes the same service requests, fingerprints,\n" +
			"                   attempts, holds, decisions and state; rows, due times and cursors are in no journal")
	case v.Skipped == nil && v.Broken == nil:
		p("left out compared  the journal does not go back to the beginning: put the archived files back to compare")
	}
}

func day(t time.Time, zone *time.Location) string {
	if t.IsZero() {
		return "never"
	}
	return t.In(zone).Format("2006-01-02 15:04 MST")
}
