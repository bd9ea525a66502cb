package main

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"limsbridge/bridge"
	"limsbridge/bridge/control"
	"limsbridge/bridge/ledger"
	"limsbridge/config"
)

// exitAttention is the exit status of status where the bridge works and a person must decide or
// mend something.
const exitAttention = 3

func statusCommand() *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use: "status", Short: "Show at a glance how the bridge stands", Args: cobra.NoArgs,
		Long: `Asks the running service, or reads the ledger where none runs.

Exit status, for monitoring: 0 it runs, passes succeed and nothing waits for a person;
3 it runs, and a person must decide or mend something; 1 it does not run, or is not
ready: nothing is read or sent.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, problems := config.Load(configPath(cmd))
			if cfg == nil {
				cfg = config.Blank(configPath(cmd))
			}
			s, err := control.ReadStatus(cmd.Context(), cfg.State)
			if errors.Is(err, control.ErrNotRunning) {
				s, err = stoppedStatus(cfg, problems)
			}
			if err != nil {
				return err
			}
			s.Changed = s.ConfigHash != "" && cfg.Hash() != s.ConfigHash
			if asJSON {
				if err := json.NewEncoder(cmd.OutOrStdout()).Encode(s); err != nil {
					return err
				}
			} else {
				printStatus(cmd.OutOrStdout(), s, cfg.TimeZone, time.Now())
			}
			if status := exitOf(s); status != 0 {
				return &exitError{status, errShown}
			}
			return nil
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, "as JSON")
	return c
}

func exitOf(s control.Status) int {
	switch {
	case !s.Running || !s.Ready:
		return exitFailed
	case len(s.Holds)+len(s.Stops)+len(s.Notices) > 0 || s.Changed:
		return exitAttention
	}
	return 0
}

// status is how the daemon stands.
func (d *daemon) status() (control.Status, error) {
	d.mu.Lock()
	cfg, live, why := d.cfg, d.live, d.why
	d.mu.Unlock()
	s := control.Status{Running: true, Version: version, PID: os.Getpid(), User: osUser(), Since: &d.began}
	if why == nil {
		why = d.seen.failure()
	}
	if why != nil {
		s.NotReady = why.Error()
	}
	s.Ready = why == nil && live != nil
	s.Config, s.State = d.file, config.Blank(d.file).State
	if cfg != nil {
		s.Config, s.ConfigHash, s.State, s.Mode = cfg.Path, cfg.Hash(), cfg.State, string(cfg.Mode)
	}
	d.seen.mu.Lock()
	if d.seen.last != nil {
		last := *d.seen.last
		s.LastPass = &last
	}
	s.LastGood, s.NextPass = instantOrNil(d.seen.good), instantOrNil(d.seen.next)
	s.Waiting, s.LastError = d.seen.waiting, d.seen.lastError
	d.seen.mu.Unlock()
	s.Notices = d.notices.all()
	if live == nil {
		s.NextPass = nil
		return s, nil
	}
	err := standing(&s, live.ledger, live.ledger.State())
	return s, err
}

// stoppedStatus is what the ledger tells where no bridge runs.
func stoppedStatus(cfg *config.Config, problems config.Problems) (control.Status, error) {
	s := control.Status{Version: version, Config: cfg.Path, State: cfg.State, Mode: string(cfg.Mode), NotReady: "limsbridge is not running"}
	if len(problems) > 0 {
		s.NotReady += ", and the configuration has problems: limsbridge check"
	}
	l, err := ledger.Open(cfg.State, ledger.Options{ReadOnly: true})
	if err != nil {
		s.NotReady += "; " + err.Error()
		return s, nil //nolint:nilerr // it is what the status has to say
	}
	err = standing(&s, l, l.State())
	return s, errors.Join(err, l.Close())
}

// standing fills in what the ledger knows: holds, and what keeps things from being sent.
func standing(s *control.Status, l bridge.Ledger, state bridge.State) error {
	counts, err := held(l)
	if err != nil {
		return err
	}
	if len(counts) > 0 {
		s.Holds = map[string]int{}
		for kind, n := range counts {
			s.Holds[string(kind)] = n
		}
	}
	s.Stops = stops(state)
	return nil
}

// stops lists what keeps things from being sent, and what ends it.
func stops(state bridge.State) []control.Stop {
	var out []control.Stop
	for _, x := range state.Stops {
		stop := control.Stop{Kind: x.Kind, What: "everything", Since: &x.Since, Ends: x.End()}
		switch x.Kind {
		case bridge.ForbiddenStop:
			stop.Why = "WHOOP answered 403"
		case bridge.ForeignStop:
			stop.Why = "somebody else uses these credentials"
		case bridge.LedgerStop:
			stop.Why = "ledger and journal do not agree"
		case bridge.CorrectionsBrake:
			stop.What, stop.Why = "corrected reports", fmt.Sprintf("%d in a day are more than plausible", x.Count)
		case bridge.FirstPassBrake:
			stop.Why = fmt.Sprintf("%d tests in the first sending pass are more than plausible", x.Count)
		}
		out = append(out, stop)
	}
	for _, p := range state.Pauses {
		out = append(out, control.Stop{Kind: "pause", What: cmp.Or(p.Test, "everything"), Since: &p.Since, By: p.By, Why: p.Why, Ends: p.End()})
	}
	for _, kind := range []bridge.ActionKind{bridge.SubmitReport, bridge.SetStatus} {
		if b := state.Breakers[kind]; b.Open() {
			what := "reports"
			if kind == bridge.SetStatus {
				what = "statuses"
			}
			out = append(out, control.Stop{Kind: "breaker", What: what, Why: fmt.Sprintf("%d outcomes in a row are in doubt", b.Doubts), Ends: "by itself, once WHOOP answers"})
		}
	}
	return out
}

func instantOrNil(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

func printStatus(w io.Writer, s control.Status, zone *time.Location, now time.Time) {
	if zone == nil {
		zone = time.Local
	}
	p := func(name, format string, args ...any) {
		fmt.Fprintf(w, "%-10s %s\n", name, strings.ReplaceAll(strings.TrimRight(fmt.Sprintf(format, args...), "\n"), "\n", "\n           "))
	}
	at := func(t time.Time) string {
		return fmt.Sprintf("%s (%s)", t.In(zone).Format("2006-01-02 15:04:05"), ago(t, now))
	}
	switch {
	case s.Ready:
		p("state", "running, ready")
	case s.Running:
		p("state", "running, NOT READY")
	default:
		p("state", "NOT RUNNING")
	}
	if s.NotReady != "" {
		p("why", "%s", s.NotReady)
	}
	if s.Mode != "" {
		p("mode", "%s", map[string]string{"send": "send", "observe": "observe: nothing is sent"}[s.Mode])
	}
	if s.Since != nil {
		p("since", "%s, process %d as %s", at(*s.Since), s.PID, s.User)
	}
	if l := s.LastPass; l != nil {
		what := fmt.Sprintf("%d rows, %d looks, %d statuses, %d reports in %s", l.Rows, l.Looks, l.Updates, l.Reports, l.Took.Round(time.Millisecond))
		if l.Doubts > 0 {
			what += fmt.Sprintf(", %d in doubt", l.Doubts)
		}
		if l.Error != "" {
			what = "ended early"
		}
		p("last pass", "%s: %s", at(l.At), what)
		if l.Error != "" && s.LastGood != nil {
			p("last good", "%s", at(*s.LastGood))
		}
	}
	if s.NextPass != nil {
		p("next pass", "%s", at(*s.NextPass))
	}
	for _, x := range s.Stops {
		since, by := "", ""
		if x.Since != nil {
			since = " since " + at(*x.Since)
		}
		if x.By != "" {
			by = " by " + x.By
		}
		p("STOPPED", "%s%s%s: %s (%s)\nends with: %s", x.What, since, by, x.Why, x.Kind, x.Ends)
	}
	printCounts(w, "waiting", s.Waiting)
	printCounts(w, "held", s.Holds)
	for _, n := range s.Notices {
		p("notice", "%s", n.Text)
	}
	if s.LastError != nil {
		p("last error", "%s: %s", at(s.LastError.Since), s.LastError.Text)
	}
	if s.Changed {
		p("notice", "the configuration's file is not the one in force: limsbridge check, then limsbridge reload")
	}
	p("files", "%s, ledger in %s", cmp.Or(s.Config, "no configuration"), s.State)
	p("version", "%s", s.Version)
}

// ago tells how far a time is away.
func ago(t, now time.Time) string {
	d := now.Sub(t).Round(time.Second)
	switch {
	case d == 0:
		return "now"
	case d < 0:
		return "in " + (-d).String()
	case d >= 48*time.Hour:
		return fmt.Sprintf("%d days ago", int(d/(24*time.Hour)))
	}
	return d.String() + " ago"
}
