package main

import (
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strconv"
	"text/tabwriter"
	"time"

	"github.com/google/uuid"
	"github.com/spf13/cobra"

	"limsbridge/bridge"
	"limsbridge/bridge/ledger"
	"limsbridge/config"
)

func verifyCommand() *cobra.Command {
	last := "7d"
	var asJSON, asCSV bool
	c := inside(&cobra.Command{
		Use: "verify", Short: "Compare what was submitted with the LIMS as it is now; sends nothing", Args: cobra.NoArgs,
		Long: `Reads the LIMS again and compares it with what was submitted, as an inspector asks.

Accuracy: each observation that was accepted within the time, in its newest version,
is as the LIMS shows it now (equal); or the LIMS shows something else (differs), or
its row is gone (row_gone), or the row is as it was and the configuration reads it
differently now (remapped).
Completeness: each released row that changed within the time was sent, waits, is held,
or was decided by a person; what is none of these is missing.

Values are compared by their fingerprints; none is printed. "known" is what the bridge
makes of a difference already. The exit status is 1 if there is any difference.
It reads the LIMS by row id and change stamp, in its peace: a week may take minutes.`,
		Example: "  limsbridge verify --last 7d\n  limsbridge verify --last 30d --csv > verify.csv",
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := load(cmd)
			if err != nil {
				return err
			}
			span, err := config.ParseSpan(last)
			if err != nil {
				return &exitError{exitConfig, fmt.Errorf("--last: %w", err)}
			}
			var out verifyWriter = &verifyTable{w: cmd.OutOrStdout(), zone: cfg.TimeZone}
			switch {
			case asJSON:
				out = verifyJSON{json.NewEncoder(cmd.OutOrStdout())}
			case asCSV:
				out = &verifyCSV{w: csv.NewWriter(cmd.OutOrStdout())}
			}
			v, err := verify(cmd.Context(), cfg, span, out.difference)
			if err != nil {
				return explain(err)
			}
			if err := out.end(v); err != nil {
				return err
			}
			if v.Differences() > 0 {
				return errShown
			}
			return nil
		},
	})
	c.Flags().StringVar(&last, "last", last, "what was accepted within this time, e.g. 7d or 12h")
	c.Flags().BoolVar(&asJSON, "json", false, "as JSON: a line per difference, the numbers in the last")
	c.Flags().BoolVar(&asCSV, "csv", false, "the differences as CSV")
	c.MarkFlagsMutuallyExclusive("json", "csv")
	return c
}

// verify verifies with what the service has open, whose connection to the LIMS stays the only one,
// where it runs inside it, and otherwise by itself.
func verify(ctx context.Context, cfg *config.Config, last time.Duration, yield func(bridge.Difference) error) (v bridge.Verified, err error) {
	if s := served(ctx); s != nil {
		if a, inForce, err := s.daemon.running(); err == nil {
			return verification(a.reader, a.ledger, a.mapping, inForce)(ctx, last, yield)
		}
	}
	l, err := ledger.Open(cfg.State, ledger.Options{ReadOnly: true})
	if err != nil {
		return v, err
	}
	defer func() { err = errors.Join(err, l.Close()) }()
	mapping, err := cfg.Mapping()
	if err != nil {
		return v, err
	}
	reader, err := openLIMS(cfg, slog.New(slog.DiscardHandler))
	if err != nil {
		return v, &exitError{exitConfig, err}
	}
	defer func() { err = errors.Join(err, reader.Close()) }()
	return verification(reader, l, mapping, cfg)(ctx, last, yield)
}

// verification returns the verification of the time up to now.
func verification(l bridge.LIMS, led bridge.Ledger, m *bridge.Mapping, cfg *config.Config) func(context.Context, time.Duration, func(bridge.Difference) error) (bridge.Verified, error) {
	v := &bridge.Verification{LIMS: l, Ledger: led, Mapping: m, Settings: cfg.Bridge()}
	return func(ctx context.Context, last time.Duration, yield func(bridge.Difference) error) (bridge.Verified, error) {
		now := time.Now()
		return v.Run(ctx, now.Add(-last), now, yield)
	}
}

// verifyWriter writes a verification as it comes.
type verifyWriter interface {
	difference(d bridge.Difference) error
	end(v bridge.Verified) error
}

// verifyJSON writes a line per difference, and the numbers at the end.
type verifyJSON struct{ e *json.Encoder }

func (v verifyJSON) difference(d bridge.Difference) error { return v.e.Encode(d) }
func (v verifyJSON) end(r bridge.Verified) error          { return v.e.Encode(r) }

// verifyCSV writes the differences for spreadsheets (RFC 4180), with a header also where there are none.
type verifyCSV struct {
	w     *csv.Writer
	begun bool
}

func (v *verifyCSV) difference(d bridge.Difference) error {
	if err := v.header(); err != nil {
		return err
	}
	return v.w.Write([]string{
		string(d.Finding), idText(d.Request), d.Key.String(), d.Test, d.Code, plain(d.Row), utc(d.Sent), d.Detail, d.Known,
	})
}

func (v *verifyCSV) header() error {
	if v.begun {
		return nil
	}
	v.begun = true
	return v.w.Write([]string{"finding", "service_request", "record", "test", "observation", "row_id", "sent", "detail", "known"})
}

func (v *verifyCSV) end(bridge.Verified) error {
	if err := v.header(); err != nil {
		return err
	}
	v.w.Flush()
	return v.w.Error()
}

// plain keeps a spreadsheet from taking the lab's text for a formula.
func plain(s string) string {
	if s != "" && (s[0] == '=' || s[0] == '+' || s[0] == '-' || s[0] == '@' || s[0] == '\t' || s[0] == '\r') {
		return "'" + s
	}
	return s
}

func utc(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339)
}

func idText(id uuid.UUID) string {
	if id == uuid.Nil {
		return ""
	}
	return id.String()
}

// verifyTable writes for people.
type verifyTable struct {
	w     io.Writer
	zone  *time.Location
	begun bool
}

func (v *verifyTable) difference(d bridge.Difference) error {
	if !v.begun {
		v.begun = true
		fmt.Fprintln(v.w, "Differences:")
	}
	where := "service request " + d.Request.String()
	if d.Request == uuid.Nil {
		where = d.Key.String()
	}
	sent := "never sent"
	if !d.Sent.IsZero() {
		sent = "sent " + d.Sent.In(v.zone).Format("2006-01-02 15:04")
	}
	known := "nothing is known of it"
	if d.Known != "" {
		known = d.Known
	}
	_, err := fmt.Fprintf(v.w, "  %-8s  %s %s, row %s, %s\n            %s; %s; %s\n", d.Finding, named(d.Test), d.Code, d.Row, where, sent, orDash(d.Detail), known)
	return err
}

func named(test string) string {
	if test == "" {
		return "(not mapped)"
	}
	return test
}

func orDash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

func (v *verifyTable) end(r bridge.Verified) error {
	if v.begun {
		fmt.Fprintln(v.w)
	}
	fmt.Fprintf(v.w, "From %s to %s\n\n", r.Since.In(v.zone).Format(time.RFC3339), r.Until.In(v.zone).Format(time.RFC3339))
	if len(r.Tests) == 0 {
		fmt.Fprintln(v.w, "Nothing was submitted in that time, and nothing was released.")
		return nil
	}
	w := tabwriter.NewWriter(v.w, 0, 4, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "TEST\tSUBMITTED\tEQUAL\tDIFFER\tROW GONE\tREMAPPED\t|\tRELEASED\tSENT\tWAITING\tHELD\tDECIDED\tMISSING\t")
	for _, t := range r.Tests {
		fmt.Fprint(w, named(t.Test), "\t")
		for _, n := range []int{t.Submitted, t.Equal, t.Differ, t.Gone, t.Remapped} {
			fmt.Fprint(w, strconv.Itoa(n), "\t")
		}
		fmt.Fprint(w, "|\t")
		for _, n := range []int{t.Released, t.Sent, t.Waiting, t.Held, t.Decided, t.Missing} {
			fmt.Fprint(w, strconv.Itoa(n), "\t")
		}
		fmt.Fprintln(w)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	verdict := "No difference."
	if n := r.Differences(); n > 0 {
		verdict = counted(n, "difference") + "."
	}
	_, err := fmt.Fprintln(v.w, "\n"+verdict)
	return err
}
