package main

import (
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/spf13/cobra"

	"limsbridge/bridge"
	"limsbridge/bridge/ledger"
	"limsbridge/config"
)

func ledgerExportCommand() *cobra.Command {
	var since, until string
	var asCSV bool
	c := &cobra.Command{
		Use: "export", Short: "Print the journal as JSON lines, or as a table", Args: cobra.NoArgs,
		Long: `Prints the events of a span of time, one line each: JSON with everything that the
journal says, or with --csv a table with a heading, times in UTC and in the lab's.
Works beside a running limsbridge.`,
		Example: `  limsbridge ledger export --since 2026-11-01 --until 2026-12-01 --csv > november.csv
  limsbridge ledger export --since 7d`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			state, zone, err := ledgerPlace(cmd)
			if err != nil {
				return err
			}
			now := time.Now()
			from, err := instant(since, zone, now)
			if err != nil {
				return &exitError{exitConfig, fmt.Errorf("--since: %w", err)}
			}
			to, err := instant(until, zone, now)
			if err != nil {
				return &exitError{exitConfig, fmt.Errorf("--until: %w", err)}
			}
			write, finish := exporter(cmd.OutOrStdout(), asCSV, zone)
			err = ledger.ReadJournal(state, func(e bridge.Event) error {
				if !from.IsZero() && e.At.Before(from) || !to.IsZero() && !e.At.Before(to) {
					return nil
				}
				return write(e)
			})
			return errors.Join(err, finish())
		},
	}
	c.Flags().StringVar(&since, "since", "", "from when on: 2026-11-01, 2026-11-01T06:00 (the lab's time), or 7d")
	c.Flags().StringVar(&until, "until", "", "until before when, in the same forms")
	c.Flags().BoolVar(&asCSV, "csv", false, "a table instead of JSON lines")
	return c
}

// instant reads a point in time as a person types it: a day, a time in the lab's zone, one with its
// offset, or how long ago. "" is the zero time.
func instant(text string, zone *time.Location, now time.Time) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	for _, layout := range []string{"2006-01-02", "2006-01-02T15:04", "2006-01-02T15:04:05", time.RFC3339} {
		if t, err := time.ParseInLocation(layout, text, zone); err == nil {
			return t, nil
		}
	}
	if span, err := config.ParseSpan(text); err == nil {
		return now.Add(-span), nil
	}
	return time.Time{}, fmt.Errorf("%q is no time: write 2026-11-01, 2026-11-01T06:00, or how long ago, like 7d", text)
}

// exporter returns what writes one event, and what ends the output.
func exporter(out io.Writer, asCSV bool, zone *time.Location) (write func(bridge.Event) error, finish func() error) {
	if !asCSV {
		e := json.NewEncoder(out)
		e.SetEscapeHTML(false)
		return func(ev bridge.Event) error { return e.Encode(&ev) }, func() error { return nil }
	}
	w := csv.NewWriter(out)
	heading := false
	head := func() error {
		if heading {
			return nil
		}
		heading = true
		return w.Write([]string{"event", "utc", "lab_time", "kind", "record", "service_requests", "action", "status", "report", "observations",
			"of_event", "outcome", "http", "request_id", "hold", "source", "row", "detail", "verdict", "act", "tests", "count", "by", "user", "why", "text", "configuration"})
	}
	write = func(e bridge.Event) error {
		if err := head(); err != nil {
			return err
		}
		key := ""
		if e.Key != nil {
			key = e.Key.String()
		}
		var codes []string
		for _, s := range e.Prints {
			codes = append(codes, s.Code)
		}
		return w.Write([]string{
			strconv.FormatUint(e.Seq, 10), e.At.UTC().Format(time.RFC3339Nano), e.At.In(zone).Format("2006-01-02T15:04:05.000-07:00"), string(e.Kind), key,
			requests(e), string(e.Action), string(e.Status), string(e.Report), strings.Join(codes, " "),
			number(e.Intent), string(e.Outcome), number(uint64(max(0, e.Code))), cell(e.RequestID), string(e.Hold), string(e.Source), cell(e.Row), cell(e.Detail), string(e.Verdict),
			e.Act, strings.Join(e.Tests, " "), number(uint64(max(0, e.Count))), cell(e.By), cell(e.User), cell(e.Why), cell(e.Text), e.Config,
		})
	}
	finish = func() error {
		err := head()
		w.Flush()
		return errors.Join(err, w.Error())
	}
	return write, finish
}

// requests are the service requests that an event names.
func requests(e bridge.Event) string {
	ids := e.Requests
	for _, q := range e.Shown {
		ids = append(ids, q.ID)
	}
	return joined(ids)
}

func joined(ids []uuid.UUID) string {
	var text []string
	for _, id := range ids {
		text = append(text, id.String())
	}
	return strings.Join(text, " ")
}

func number(n uint64) string {
	if n == 0 {
		return ""
	}
	return strconv.FormatUint(n, 10)
}

// cell keeps a spreadsheet from taking a text for a formula.
func cell(text string) string {
	if text != "" && strings.ContainsRune("=+-@\t\r", rune(text[0])) {
		return "'" + text
	}
	return text
}
