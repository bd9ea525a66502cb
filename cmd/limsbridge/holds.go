package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/google/uuid"
	"github.com/spf13/cobra"
	"golang.org/x/term"

	"limsbridge/bridge"
	"limsbridge/bridge/control"
	"limsbridge/bridge/ledger"
	"limsbridge/config"
)

func holdsCommand() *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use: "holds", Short: "List what waits for a person, or for a mended mapping", Args: cobra.NoArgs,
		Long: `Lists everything that does not go out by itself, with its reason: first what keeps all
sending or one kind of it (stops, brakes, pauses), then what is held of single orders.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			p := placeOf(cmd)
			holds, err := readHolds(cmd, p)
			if err != nil {
				return explain(err)
			}
			if asJSON {
				return json.NewEncoder(cmd.OutOrStdout()).Encode(holds)
			}
			return listHolds(cmd.OutOrStdout(), holds, p.TimeZone)
		},
	}
	c.PersistentFlags().BoolVar(&asJSON, "json", false, "as JSON")
	c.AddCommand(holdsShowCommand(&asJSON), holdsResolveCommand())
	return c
}

// readHolds asks the running bridge, or reads the ledger where none runs.
func readHolds(cmd *cobra.Command, p place) (holds []bridge.Held, err error) {
	holds, err = control.Holds(cmd.Context(), p.State)
	if !errors.Is(err, control.ErrNotRunning) {
		return holds, headed(cmd, p.State, err)
	}
	if err := p.usable(cmd); err != nil {
		return nil, err
	}
	l, err := ledger.Open(p.State, ledger.Options{ReadOnly: true})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, l.Close()) }()
	return everyHold(l)
}

// everyHold is what stands still as a whole, and what is held of single orders.
func everyHold(l bridge.Ledger) ([]bridge.Held, error) {
	holds, err := bridge.Holds(l)
	return append(bridge.Standing(l), holds...), err
}

func listHolds(out io.Writer, holds []bridge.Held, zone *time.Location) error {
	if len(holds) == 0 {
		_, err := fmt.Fprintln(out, "Nothing is held.")
		return err
	}
	w := tabwriter.NewWriter(out, 0, 4, 2, ' ', 0)
	fmt.Fprintln(w, "ID\tSINCE\tWHY\tTEST\tWHERE\tDETAIL")
	single := 0
	for _, h := range holds {
		if h.End != "" {
			fmt.Fprintf(w, "-\t%s\t%s\t%s\t%s\t%s\n", h.Since.In(zone).Format("2006-01-02 15:04"), h.Kind, h.Test, standsStill(h), h.End)
			continue
		}
		single++
		fmt.Fprintf(w, "%d\t%s\t%s\t%s\t%s\t%s\n", h.ID, h.Since.In(zone).Format("2006-01-02 15:04"), h.Kind, h.Test, where(h), h.Detail)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	_, err := fmt.Fprintf(out, "\n%d held. `limsbridge holds show ID` tells what is known and what can be done.\n", single)
	return err
}

// standsStill says what of the sending stands still.
func standsStill(h bridge.Held) string {
	switch {
	case h.Kind == bridge.CorrectionsBrake:
		return fmt.Sprintf("corrections, after %d in a day", h.Count)
	case h.Kind == bridge.FirstPassBrake:
		return fmt.Sprintf("all sending, at %d tests", h.Count)
	case h.Test != "":
		return "this test"
	}
	return "all sending"
}

func where(h bridge.Held) string {
	if h.Row != "" {
		return h.Source + " row " + h.Row
	}
	if h.Request != uuid.Nil {
		return "service request " + h.Request.String()
	}
	return h.Key.String()
}

func holdsShowCommand(asJSON *bool) *cobra.Command {
	return &cobra.Command{
		Use: "show ID", Short: "Show what is known of one hold, and what can be done", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			p := placeOf(cmd)
			ids, err := parseIDs(args)
			if err != nil {
				return err
			}
			holds, err := readHolds(cmd, p)
			if err != nil {
				return explain(err)
			}
			i := slices.IndexFunc(holds, func(h bridge.Held) bool { return h.ID == ids[0] && h.End == "" })
			if i < 0 {
				return fmt.Errorf("there is no hold %d (any more): see `limsbridge holds`", ids[0])
			}
			var story []bridge.Event
			err = ledger.ReadJournal(p.State, func(e bridge.Event) error {
				if e.Key != nil && *e.Key == holds[i].Key {
					story = append(story, e)
				}
				return nil
			})
			var damage *ledger.DamageError
			if err != nil && !errors.As(err, &damage) {
				return err
			}
			if damage != nil { // what is sound of it is worth showing
				fmt.Fprintf(cmd.ErrOrStderr(), "The history may lack events: %v\n", damage)
			}
			if *asJSON {
				return json.NewEncoder(cmd.OutOrStdout()).Encode(map[string]any{"hold": holds[i], "journal": story})
			}
			return showHold(cmd.OutOrStdout(), holds[i], story, p.TimeZone)
		},
	}
}

func showHold(out io.Writer, h bridge.Held, story []bridge.Event, zone *time.Location) error {
	p := func(format string, args ...any) { fmt.Fprintf(out, format, args...) }
	p("hold %d: %s %s\n  since            %s\n  record           %s\n", h.ID, h.Kind, h.Detail, h.Since.In(zone).Format(time.RFC3339), h.Key)
	if h.Request != uuid.Nil {
		p("  service request  %s %s\n", h.Request, h.Test)
	}
	if h.Row != "" {
		p("  row              %s in %s\n", h.Row, h.Source)
	}
	if h.Kind == bridge.Doubt {
		p("\nThe question for WHOOP's support:\n\n%s\n", question(h, story))
	}
	p("\nWhat can be decided, with --by NAME --why TEXT:\n")
	for _, v := range h.Choices {
		p("  limsbridge holds resolve %d --%s\n      %s\n", h.ID, strings.ReplaceAll(string(v), "_", "-"), bridge.Consequence(h.Kind, v))
	}
	if len(h.Choices) == 0 {
		p("  nothing: it ends with the report in doubt that it is about\n")
	}
	if h.Kind != bridge.Doubt && h.Kind != bridge.ChangedInDoubt {
		p("Where the row, the configuration or WHOOP is mended instead, it ends by itself.\n")
	}
	p("\nIts history:\n")
	for _, e := range story {
		p("  %s  %s\n", e.At.In(zone).Format("2006-01-02 15:04:05"), e.Story())
	}
	return nil
}

// question is what a person asks WHOOP's support about a report in doubt.
func question(h bridge.Held, story []bridge.Event) string {
	request, code := "none", 0
	for _, e := range story {
		if e.Kind == bridge.OutcomeEvent && e.Intent == h.Attempt {
			code = e.Code
			if e.RequestID != "" {
				request = e.RequestID
			}
		}
	}
	answer := "without an answer"
	if code != 0 {
		answer = fmt.Sprintf("answered with HTTP %d", code)
	}
	if len(h.Observations) == 0 {
		return fmt.Sprintf(`  Is service request %s still part of its requisition?
  Between %s and %s (UTC) its business status was to become %s.
  The call was %s; its request id: %s.`,
			h.Request, h.Begun.UTC().Format("2006-01-02 15:04:05"), h.Ended.UTC().Format("2006-01-02 15:04:05"), h.Detail, answer, request)
	}
	return fmt.Sprintf(`  Did you accept a diagnostic report (status %s) for service request %s,
  sent between %s and %s (UTC), with %d observations (%s)?
  The call was %s; its request id: %s.`,
		h.Detail, h.Request, h.Begun.UTC().Format("2006-01-02 15:04:05"), h.Ended.UTC().Format("2006-01-02 15:04:05"),
		len(h.Observations), strings.Join(h.Observations, ", "), answer, request)
}

func parseIDs(args []string) ([]uint64, error) {
	var ids []uint64
	for _, a := range args {
		id, err := strconv.ParseUint(a, 10, 64)
		if err != nil {
			return nil, &exitError{exitConfig, fmt.Errorf("%q is not the number of a hold: see `limsbridge holds`", a)}
		}
		ids = append(ids, id)
	}
	return ids, nil
}

// selection names holds by number, or by what they have in common.
type selection struct {
	kind, test, since string
}

func (s selection) pick(holds []bridge.Held, ids []uint64, now time.Time) ([]bridge.Held, error) {
	if len(ids) == 0 && s.kind == "" {
		return nil, &exitError{exitConfig, errors.New("which ones? write their numbers, or --kind KIND (see `limsbridge holds`)")}
	}
	var from time.Time
	if s.since != "" {
		span, err := config.ParseSpan(s.since)
		if err != nil {
			return nil, &exitError{exitConfig, fmt.Errorf("--since: %w", err)}
		}
		from = now.Add(-span)
	}
	var out []bridge.Held
	for _, h := range holds {
		named := len(ids) == 0 || slices.Contains(ids, h.ID)
		if named && (s.kind == "" || string(h.Kind) == s.kind) && (s.test == "" || h.Test == s.test) && !h.Since.Before(from) {
			if h.End != "" {
				return nil, fmt.Errorf("%s is about no single order: end it with `%s --by NAME --why TEXT`", h.Kind, h.End)
			}
			out = append(out, h)
		}
	}
	if len(out) == 0 || len(ids) > 0 && len(out) != len(ids) {
		return nil, errors.New("not all of these are held (any more): see `limsbridge holds`")
	}
	return out, nil
}

func holdsResolveCommand() *cobra.Command {
	var s selection
	var r bridge.Resolution
	var received, again, never, yes bool
	c := &cobra.Command{
		Use: "resolve [ID…]", Short: "Decide holds, by name and reason",
		Example: `  limsbridge holds resolve 4711 --was-received --by "A. Lab" --why "WHOOP support, case 123"
  limsbridge holds resolve --kind gone --test CBC --never-send --by "A. Lab" --why "test rows removed"`,
		RunE: func(cmd *cobra.Command, args []string) error {
			for v, set := range map[bridge.Verdict]bool{bridge.WasReceived: received, bridge.SendAgain: again, bridge.NeverSend: never} {
				if set {
					r.Verdict = v
				}
			}
			p := placeOf(cmd)
			ids, err := parseIDs(args)
			if err != nil {
				return err
			}
			holds, err := readHolds(cmd, p)
			if err != nil {
				return explain(err)
			}
			chosen, err := s.pick(holds, ids, time.Now())
			if err != nil {
				return err
			}
			if err := listHolds(cmd.OutOrStdout(), chosen, p.TimeZone); err != nil {
				return err
			}
			if r.Verdict == bridge.SendAgain {
				fmt.Fprintln(cmd.ErrOrStderr(), "WARNING: what WHOOP has already will exist there twice. A report cannot be taken back.")
			}
			if !yes {
				if err := confirm(cmd, len(chosen), r.Verdict); err != nil {
					return err
				}
			}
			for _, h := range chosen {
				r.IDs = append(r.IDs, h.ID)
			}
			r.User = osUser()
			if err := resolve(cmd.Context(), p.State, r); err != nil {
				return explain(err)
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "%d decided as %s\n", len(chosen), r.Verdict)
			return err
		},
	}
	f := c.Flags()
	f.StringVar(&s.kind, "kind", "", "all holds of this kind")
	f.StringVar(&s.test, "test", "", "of them those of this test, by WHOOP's code")
	f.StringVar(&s.since, "since", "", "of them those that began within this time, e.g. 2d")
	f.BoolVar(&received, "was-received", false, "WHOOP has it: it counts as sent")
	f.BoolVar(&again, "send-again", false, "send it; what is in doubt may then exist twice at WHOOP")
	f.BoolVar(&never, "never-send", false, "never send these versions; a later change asks again")
	f.BoolVar(&yes, "yes", false, "do not ask")
	f.StringVar(&r.By, "by", "", "who decides this (goes into the journal)")
	f.StringVar(&r.Why, "why", "", "why (goes into the journal; no values, no names of patients)")
	c.MarkFlagsOneRequired("was-received", "send-again", "never-send")
	c.MarkFlagsMutuallyExclusive("was-received", "send-again", "never-send")
	require(c, "by", "why")
	return c
}

// confirm asks at a terminal; elsewhere --yes must have been written.
func confirm(cmd *cobra.Command, n int, v bridge.Verdict) error {
	out := cmd.ErrOrStderr()
	if cmd.InOrStdin() == os.Stdin && !term.IsTerminal(int(os.Stdin.Fd())) {
		return &exitError{exitConfig, errors.New("nobody can be asked here; write --yes to decide without a question")}
	}
	fmt.Fprintf(out, "Decide %d as %s? Type the number to go on: ", n, v)
	line, err := bufio.NewReader(cmd.InOrStdin()).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	if strings.TrimSpace(line) != strconv.Itoa(n) {
		return errors.New("nothing was decided")
	}
	return nil
}

// resolve asks the running bridge, or decides on the ledger itself where none runs.
func resolve(ctx context.Context, state string, r bridge.Resolution) (err error) {
	if err = control.Resolve(ctx, state, r); !errors.Is(err, control.ErrNotRunning) {
		return err
	}
	l, err := ledger.Open(state, ledger.Options{})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, l.Close()) }()
	return bridge.Resolve(ctx, l, r, time.Now())
}
