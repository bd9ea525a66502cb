package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/spf13/cobra"

	"limsbridge/bridge"
	"limsbridge/bridge/ledger"
)

func ledgerHistoryCommand() *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use: "history SERVICE-REQUEST|REQUISITION", Short: "Tell everything that the journal says of one, for an inspector", Args: cobra.ExactArgs(1),
		Long: `Prints each look, intent, outcome, hold and decision, in order, in the lab's time and
in UTC: what was about to be sent, what WHOOP answered and under which request id,
what was held and why, and who decided what. There are no values in the journal.
Works beside a running limsbridge.`,
		RunE: func(cmd *cobra.Command, args []string) error {
			id, err := bridge.ParseID(args[0])
			if err != nil {
				return &exitError{exitConfig, fmt.Errorf("%q is not the id of a service request or requisition: write its UUID", args[0])}
			}
			state, zone, err := ledgerPlace(cmd)
			if err != nil {
				return err
			}
			h, err := ledger.ReadHistory(state, id)
			if err != nil {
				return err
			}
			if h == nil {
				return fmt.Errorf("the journal says nothing of %s", id)
			}
			if asJSON {
				e := json.NewEncoder(cmd.OutOrStdout())
				for i := range h.Events {
					if err := e.Encode(&h.Events[i]); err != nil {
						return err
					}
				}
			} else {
				printHistory(cmd.OutOrStdout(), h, zone)
			}
			if h.Damage != nil {
				return fmt.Errorf("%w; something may be missing above", h.Damage)
			}
			return nil
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, "the journal's own lines, as JSON")
	return c
}

func printHistory(w io.Writer, h *ledger.History, zone *time.Location) {
	if h.Request != uuid.Nil {
		fmt.Fprintf(w, "service request %s", h.Request)
		if h.Code != "" {
			fmt.Fprintf(w, " (%s)", h.Code)
		}
		fmt.Fprintf(w, " of %s\n", h.Key)
	} else {
		fmt.Fprintln(w, h.Key)
	}
	for _, e := range h.Events {
		fmt.Fprintf(w, "\n%s  %s  event %d\n  %s\n", e.At.In(zone).Format("2006-01-02 15:04:05 -07:00"), e.At.UTC().Format("2006-01-02 15:04:05.000Z"), e.Seq, e.Story())
		for _, line := range particulars(e) {
			fmt.Fprintf(w, "  %s\n", line)
		}
	}
}

// particulars tell of an event what its story leaves out.
func particulars(e bridge.Event) (lines []string) {
	if e.Kind == bridge.OutcomeEvent || e.Kind == bridge.UnholdEvent || e.Kind == bridge.DecisionEvent {
		lines = append(lines, fmt.Sprintf("of event %d", e.Intent))
	}
	if e.Attempt != 0 {
		lines = append(lines, fmt.Sprintf("about the call of event %d", e.Attempt))
	}
	for _, id := range e.Requests {
		lines = append(lines, "service request "+id.String())
	}
	if e.Whole {
		lines = append(lines, "in one call for the requisition as a whole")
	}
	for _, q := range e.Shown {
		text := fmt.Sprintf("service request %s %s", q.ID, q.Code)
		if q.Status != "" {
			text += ", taken over at " + string(q.Status)
		}
		if q.Revoked {
			text += ", revoked"
		}
		lines = append(lines, text)
	}
	var rows []string
	for _, s := range e.Prints {
		text := s.Code + " from row " + s.Row
		if s.Withdrawn {
			text += " (withdrawn)"
		}
		rows = append(rows, text)
	}
	if len(rows) > 0 {
		lines = append(lines, strings.Join(rows, "; "))
	}
	return lines
}
