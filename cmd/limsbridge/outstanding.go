package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"limsbridge/bridge"
	"limsbridge/bridge/control"
	"limsbridge/bridge/ledger"
	"limsbridge/config"
)

func outstandingCommand() *cobra.Command {
	var older string
	var asJSON bool
	c := &cobra.Command{
		Use: "outstanding", Short: "List what was accepted long ago and is not complete, by age", Args: cobra.NoArgs,
		Long: `Lists the service requests whose ORDER_CONFIRMED went out so long ago and whose results
are not complete, the oldest first, with what they wait for. The journal tells since
when; "≥" marks those that it does not tell of any more. Rows are those of the whole requisition.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			p := placeOf(cmd)
			age := p.Overdue
			if older != "" {
				var err error
				if age, err = config.ParseSpan(older); err != nil {
					return &exitError{exitConfig, fmt.Errorf("--older: %w", err)}
				}
			}
			all, err := findOutstanding(cmd, p)
			if err != nil {
				return explain(err)
			}
			err = bridge.Date(all, func(yield func(bridge.Event) error) error { return ledger.ReadJournal(p.State, yield) })
			if damage, ok := errors.AsType[*ledger.DamageError](err); ok {
				fmt.Fprintln(cmd.ErrOrStderr(), "warning: ages may be too short:", damage)
			} else if err != nil {
				return err
			}
			now := time.Now()
			late := bridge.Older(all, now, age)
			if asJSON {
				return json.NewEncoder(cmd.OutOrStdout()).Encode(late)
			}
			return listOutstanding(cmd.OutOrStdout(), late, len(all), age, now, p.TimeZone)
		},
	}
	c.Flags().StringVar(&older, "older", "", "accepted at least so long ago, e.g. 7d (default: the configuration's overdue)")
	c.Flags().BoolVar(&asJSON, "json", false, "as JSON")
	return c
}

// findOutstanding asks the running bridge, or reads the ledger where none runs.
func findOutstanding(cmd *cobra.Command, p place) (all []bridge.Outstanding, err error) {
	all, err = control.FindOutstanding(cmd.Context(), p.State)
	if !errors.Is(err, control.ErrNotRunning) {
		return all, headed(cmd, p.State, err)
	}
	if err := p.usable(cmd); err != nil {
		return nil, err
	}
	l, err := ledger.Open(p.State, ledger.Options{ReadOnly: true})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, l.Close()) }()
	return bridge.FindOutstanding(l)
}

func listOutstanding(out io.Writer, late []bridge.Outstanding, all int, age time.Duration, now time.Time, zone *time.Location) error {
	if len(late) == 0 {
		_, err := fmt.Fprintf(out, "None is outstanding for %s or longer; %d younger.\n", config.Span(age), all)
		return err
	}
	w := tabwriter.NewWriter(out, 0, 4, 2, ' ', 0)
	fmt.Fprintln(w, "AGE\tSINCE\tTEST\tSTATUS\tSERVICE REQUEST\tREQUISITION\tWAITS FOR")
	for _, o := range late {
		days, since := "?", "?"
		if !o.Since.IsZero() {
			days, since = fmt.Sprintf("%dd", int(now.Sub(o.Since)/(24*time.Hour))), o.Since.In(zone).Format("2006-01-02 15:04")
		}
		if o.AtLeast {
			days = "≥" + days
		}
		requisition := "-"
		if id := idText(o.Requisition); id != "" {
			requisition = id
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n", days, since, o.Test, o.Status, o.Request, requisition, waitsFor(o, zone))
	}
	if err := w.Flush(); err != nil {
		return err
	}
	_, err := fmt.Fprintf(out, "\n%d outstanding for %s or longer, %d younger.\n", len(late), config.Span(age), all-len(late))
	return err
}

// waitsFor says what has to happen before a service request can be complete.
func waitsFor(o bridge.Outstanding, zone *time.Location) string {
	var w []string
	if o.Doubts > 0 {
		w = append(w, "a call in doubt")
	}
	for _, k := range o.Holds {
		w = append(w, "hold "+string(k))
	}
	switch {
	case o.Rows == 0:
		w = append(w, "results: no row in the LIMS yet")
	case o.Pending > 0:
		w = append(w, fmt.Sprintf("results: %d of %d rows never released", o.Pending, o.Rows))
	case len(w) == 0 && o.Due.IsZero():
		w = append(w, "further rows, or the order to be complete")
	}
	if !o.Due.IsZero() {
		w = append(w, "next turn "+o.Due.In(zone).Format("2006-01-02 15:04"))
	}
	return strings.Join(w, "; ")
}
