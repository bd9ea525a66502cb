package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"limsbridge/bridge"
	"limsbridge/bridge/ledger"
	"limsbridge/config"
)

func previewCommand() *cobra.Command {
	since := "7d"
	var values bool
	c := inside(&cobra.Command{
		Use: "preview", Short: "Show what would be sent; sends nothing", Args: cobra.NoArgs,
		Long: `Plans everything that changed since then with the same rules as a pass, and prints
the plan. start_from and settle times are ignored, so that it shows what is going to
happen. Without WHOOP's credentials it says what was not compared. Values are shown
only with --values, and only on a terminal.`,
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			cfg, problems := config.Load(configPath(cmd))
			left := problems.Without(config.NoSecret, "whoop").Without(config.Unfilled, "whoop").Without(config.Unfilled, "start_from")
			if cfg == nil || len(left) > 0 {
				return showProblems(cmd.ErrOrStderr(), problems)
			}
			if values && !toTerminal(cmd) {
				return &exitError{exitConfig, errors.New("--values prints results and works on a terminal only, so that they land in no file")}
			}
			span, err := config.ParseSpan(since)
			if err != nil {
				return &exitError{exitConfig, fmt.Errorf("--since: %w", err)}
			}
			mapping, err := cfg.Mapping()
			if err != nil {
				return err
			}
			reader, closeReader, err := readerFor(cmd.Context(), cfg)
			if err != nil {
				return &exitError{exitConfig, err}
			}
			defer func() { err = errors.Join(err, closeReader()) }()
			r := &bridge.Rehearsal{LIMS: reader, Mapping: mapping, Settings: cfg.Bridge(), Waits: func(until time.Time, left int) {
				fmt.Fprintf(cmd.ErrOrStderr(), "(%s)\n", waiting(until, left, cfg.WHOOP().PerMinute))
			}}
			p := &previewer{out: cmd.OutOrStdout(), values: values, mapping: mapping}
			if s := served(cmd.Context()); s != nil && s.rehearse(r, len(problems) == 0) {
				return p.run(cmd.Context(), r, span)
			}
			asks := len(problems) == 0
			l, err := rehearsed(cfg.State, asks)
			switch {
			case err == nil:
				r.Ledger = l
				defer func() { err = errors.Join(err, l.Close()) }()
			case errors.Is(err, ledger.ErrMissing):
				fmt.Fprintln(p.out, "Without the ledger, as if nothing had ever been sent:", err)
			case errors.Is(err, ledger.ErrLocked):
				// Calls beside those of the service would look to it like somebody else's.
				fmt.Fprintln(p.out, "Another process has the ledger: without it, as if nothing had ever been sent, and without WHOOP.")
				asks = false
			default:
				return err
			}
			if asks {
				client, err := openWHOOP(cfg, nil)
				if err != nil {
					return err
				}
				defer client.Close()
				if l != nil {
					spent(client, l)
				}
				r.API = client
			}
			return p.run(cmd.Context(), r, span)
		},
	})
	c.Flags().StringVar(&since, "since", since, "how far back, e.g. 7d or 12h")
	c.Flags().BoolVar(&values, "values", false, "print the values too (on a terminal only)")
	return c
}

// waiting says how long a preview still takes, which looks at each requisition once.
func waiting(until time.Time, left, perMinute int) string {
	text := fmt.Sprintf("the quota is used up for this minute: going on at %s, %d requisitions are left", until.Format(time.TimeOnly), left)
	if perMinute > 0 {
		text += fmt.Sprintf(", about %d min", (left+perMinute-1)/perMinute)
	}
	return text
}

// rehearsed opens the ledger for a preview. Where WHOOP is asked the calls are counted in it, and only
// where it can be read as it is: a preview brings no ledger to a newer format.
func rehearsed(state string, asks bool) (*ledger.Ledger, error) {
	l, err := ledger.Open(state, ledger.Options{ReadOnly: true})
	if err != nil || !asks {
		return l, err
	}
	if err := l.Close(); err != nil {
		return nil, err
	}
	return ledger.Open(state, ledger.Options{})
}

// previewer prints plans.
type previewer struct {
	out                                   io.Writer
	values                                bool
	mapping                               *bridge.Mapping
	records, statuses, reports, obs, held int
	uncompared                            bool
}

func (p *previewer) run(ctx context.Context, r *bridge.Rehearsal, span time.Duration) error {
	now := time.Now()
	err := r.Run(ctx, now.Add(-span), now, p.show)
	if err == nil || p.records > 0 {
		p.end(err == nil)
	}
	return err
}

func (p *previewer) show(r bridge.Rehearsed) error {
	p.records++
	p.uncompared = p.uncompared || !r.Compared
	if len(r.Plan.Actions)+len(r.Plan.Holds) == 0 {
		return nil
	}
	fmt.Fprintln(p.out, r.Key)
	for _, a := range r.Plan.Actions {
		if a.Kind == bridge.SubmitReport {
			p.reports++
			p.obs += len(a.Report.Observations)
			fmt.Fprintf(p.out, "  report %-10s %s: %s\n", a.Report.Status, strings.Join(a.Tests, " "), p.observations(a))
			continue
		}
		p.statuses++
		fmt.Fprintf(p.out, "  status %-10s %s\n", "", string(a.Status)+" "+strings.Join(a.Tests, " "))
	}
	for _, h := range r.Plan.Holds {
		p.held++
		row := ""
		if h.Row != "" {
			row = fmt.Sprintf("%s row %s ", h.Source, h.Row)
		}
		fmt.Fprintf(p.out, "  HELD   %s%s %s\n", row, h.Kind, h.Detail)
	}
	return nil
}

func (p *previewer) observations(a bridge.Action) string {
	var out []string
	for _, o := range a.Report.Observations {
		text := o.Code
		if p.values {
			text += " = " + o.Numeric.String() + o.Text
		}
		if o.Unit != "" {
			text += " " + o.Unit
		}
		text += p.converted(a.Tests, o.Code)
		out = append(out, text)
	}
	return strings.Join(out, ", ")
}

// converted tells how an observation is converted, where it is.
func (p *previewer) converted(tests []string, code string) string {
	for _, t := range tests {
		if c := p.mapping.Conversion(t, code); c != nil {
			return " (from " + c.String() + ")"
		}
	}
	return ""
}

func (p *previewer) end(all bool) {
	first := ""
	if !all {
		first = "the first "
	}
	fmt.Fprintf(p.out, "\n%s%d requisitions: %d statuses, %d reports with %d observations, %d held. Nothing was sent.\n",
		first, p.records, p.statuses, p.reports, p.obs, p.held)
	if p.uncompared {
		fmt.Fprintln(p.out, "Not compared with WHOOP: whether each test was ordered or cancelled, the birth date, and what others reported.")
	}
}
