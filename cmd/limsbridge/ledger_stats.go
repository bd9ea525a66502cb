package main

import (
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"limsbridge/bridge"
	"limsbridge/bridge/ledger"
)

func ledgerStatsCommand() *cobra.Command {
	return &cobra.Command{
		Use: "stats", Short: "Count what the ledger and its journal hold", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			state, zone, err := ledgerPlace(cmd)
			if err != nil {
				return err
			}
			out := cmd.OutOrStdout()
			l, err := ledger.Open(state, ledger.Options{ReadOnly: true})
			switch {
			case errors.Is(err, ledger.ErrLocked):
				fmt.Fprintln(out, "ledger   left out: a running limsbridge holds it")
			case err != nil:
				return err
			default:
				s, err := l.Stats(time.Now())
				if err := errors.Join(err, l.Close()); err != nil {
					return err
				}
				printStats(out, s, zone)
			}
			j, err := ledger.ReadJournalStats(state)
			if err != nil {
				return err
			}
			printJournalStats(out, j)
			if j.Damage != nil {
				return fmt.Errorf("%w; see `limsbridge ledger verify`", j.Damage)
			}
			return nil
		},
	}
}

func printStats(w io.Writer, s ledger.Stats, zone *time.Location) {
	p := func(name, format string, args ...any) {
		fmt.Fprintf(w, "  %-22s "+format+"\n", append([]any{name}, args...)...)
	}
	fmt.Fprintf(w, "ledger   %s, since %s\n", bytesText(s.StoreSize), day(s.Created, zone))
	p("records", "%d", s.Records)
	p("finished", "%d (%d of them without the detail that nobody needs again)", s.Finished, s.Bare)
	p("service requests", "%d", s.Requests)
	p("observations sent", "%d", s.Sent)
	p("due now, later", "%d, %d", s.Due, s.Soon)
	p("calls running", "%d", s.Open)
	p("calls in doubt", "%d", s.InDoubt)
	p("decisions that bind", "%d", s.Decisions)
	printCounts(w, "held", s.Holds)
}

func printJournalStats(w io.Writer, j ledger.JournalStats) {
	fmt.Fprintf(w, "journal  %s in %s, %s\n", bytesText(j.Size), counted(j.Files, "file"), counted(j.Events, "event"))
	if j.Archived > 0 {
		fmt.Fprintf(w, "  events 1 to %d are not there: their files may have been archived\n", j.Archived)
	}
	kinds := []bridge.EventKind{bridge.IntentEvent, bridge.OutcomeEvent, bridge.LookEvent, bridge.HoldEvent, bridge.UnholdEvent,
		bridge.DecisionEvent, bridge.ActEvent, bridge.StopEvent, bridge.ConfigEvent, bridge.ClockEvent}
	fmt.Fprintf(w, "  %-8s", "month")
	for _, k := range kinds {
		fmt.Fprintf(w, " %9s", k)
	}
	fmt.Fprintln(w)
	for _, m := range j.Months {
		fmt.Fprintf(w, "  %-8s", m.Month.Format("2006-01"))
		for _, k := range kinds {
			fmt.Fprintf(w, " %9d", m.Events[k])
		}
		fmt.Fprintln(w)
	}
}
