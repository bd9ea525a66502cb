package main

import (
	"fmt"
	"io"
	"log/slog"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"limsbridge/config"
	"limsbridge/lims"
)

func codesCommand() *cobra.Command {
	last := "30d"
	c := &cobra.Command{
		Use: "codes", Short: "Print a tests: block of the LIMS codes that were seen", Args: cobra.NoArgs,
		Long: `Reads the rows of the last days and prints the tests:, results, units and status
words that stand in them, with counts, as YAML to fill in. WHOOP's codes are left
empty. Values are not read out.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, problems := config.Load(configPath(cmd))
			if cfg == nil {
				return showProblems(cmd.ErrOrStderr(), problems)
			}
			span, err := config.ParseSpan(last)
			if err != nil {
				return &exitError{exitConfig, fmt.Errorf("--last: %w", err)}
			}
			reader, err := openLIMS(cfg, slog.New(slog.DiscardHandler))
			if err != nil {
				return &exitError{exitConfig, err}
			}
			defer reader.Close()
			seen := newSeen()
			for _, s := range []lims.Source{lims.Orders, lims.Results} {
				if err := reader.Since(cmd.Context(), s, time.Now().Add(-span), seen.add); err != nil {
					return err
				}
			}
			return seen.print(cmd.OutOrStdout(), last)
		},
	}
	c.Flags().StringVar(&last, "last", last, "how far back, e.g. 30d")
	return c
}

// seen counts codes and words; no value is kept.
type seen struct {
	orders, orderWords, resultWords map[string]int
	results                         map[string]map[string]map[string]int // order code, result code, unit
}

func newSeen() *seen {
	return &seen{orders: map[string]int{}, orderWords: map[string]int{}, resultWords: map[string]int{}, results: map[string]map[string]map[string]int{}}
}

func (s *seen) add(rows []lims.Row) error {
	for _, r := range rows {
		if r.Source == lims.Orders {
			s.orders[r.OrderCode]++
			s.orderWords[r.Status]++
			continue
		}
		s.resultWords[r.Status]++
		if s.results[r.OrderCode] == nil {
			s.results[r.OrderCode] = map[string]map[string]int{}
		}
		if s.results[r.OrderCode][r.ResultCode] == nil {
			s.results[r.OrderCode][r.ResultCode] = map[string]int{}
		}
		s.results[r.OrderCode][r.ResultCode][r.Unit]++
	}
	return nil
}

func (s *seen) print(w io.Writer, last string) error {
	if len(s.orders)+len(s.results) == 0 {
		_, err := fmt.Fprintf(w, "# no rows changed in the last %s\n", last)
		return err
	}
	p := func(format string, args ...any) { fmt.Fprintf(w, format, args...) }
	p("# seen in the last %s; the numbers are rows\nstatus:\n", last)
	for _, block := range []struct {
		name  string
		words map[string]int
	}{{"orders", s.orderWords}, {"results", s.resultWords}} {
		p("  %s:\n", block.name)
		for _, word := range slices.Sorted(maps.Keys(block.words)) {
			p("    %s:   # %d; write a bridge word\n", quoted(word), block.words[word])
		}
	}
	p("tests:\n")
	codes := maps.Clone(s.orders)
	for c := range s.results {
		codes[c] += 0
	}
	for _, c := range slices.Sorted(maps.Keys(codes)) {
		p("  WHOOP_CODE:   # %d orders; write WHOOP's code of what is ordered\n    lims: [%s]\n    results:\n", codes[c], quoted(c))
		for _, r := range slices.Sorted(maps.Keys(s.results[c])) {
			units := s.results[c][r]
			for i, u := range slices.SortedFunc(maps.Keys(units), func(a, b string) int { return units[b] - units[a] }) {
				if i == 0 {
					p("      %s: {code: , unit: %s}   # %d", quoted(r), quoted(u), units[u])
				} else {
					p("; also %d in %s", units[u], quoted(u))
				}
			}
			p("\n")
		}
	}
	return nil
}

// quoted writes a code as YAML text; codes are kept as they are, but emptiness must show.
func quoted(s string) string {
	for _, r := range s {
		if !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '_') {
			return strconv.Quote(s)
		}
	}
	if s == "" {
		return `""`
	}
	return s
}
