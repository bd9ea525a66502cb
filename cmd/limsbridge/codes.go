package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"limsbridge/bridge"
	"limsbridge/config"
	"limsbridge/lims"
)

func codesCommand() *cobra.Command {
	last := "30d"
	c := inside(&cobra.Command{
		Use: "codes", Short: "Print the LIMS's codes and words that the configuration does not know", Args: cobra.NoArgs,
		Long: `Reads the rows of the last days and prints the status words, tests, results and
units that stand in them, with counts, as YAML to copy into limsbridge.yaml and to
fill in where it is marked "<-". What the configuration knows already is a comment.
Values are not read out.`,
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			cfg, problems := config.Load(configPath(cmd))
			if cfg == nil {
				return showProblems(cmd.ErrOrStderr(), problems)
			}
			span, err := config.ParseSpan(last)
			if err != nil {
				return &exitError{exitConfig, fmt.Errorf("--last: %w", err)}
			}
			// Only what is needed to read must be filled in already.
			if about := problems.About("lims"); len(about) > 0 {
				return showProblems(cmd.ErrOrStderr(), about)
			}
			mapping, err := cfg.Mapping()
			if err != nil {
				return &exitError{exitConfig, err}
			}
			reader, closeReader, err := readerFor(cmd.Context(), cfg)
			if err != nil {
				return &exitError{exitConfig, err}
			}
			defer func() { err = errors.Join(err, closeReader()) }()
			seen := &seen{cfg: cfg, mapping: mapping, words: map[lims.Source]map[string]int{lims.Orders: {}, lims.Results: {}}, tests: map[string]*seenTest{}, ignored: map[string]int{}}
			out := cmd.OutOrStdout()
			fmt.Fprintf(out, "# What the LIMS shows of the last %s; the numbers are rows.\n", config.Span(span))
			for _, s := range []lims.Source{lims.Orders, lims.Results} {
				desc, err := reader.Describe(cmd.Context(), s)
				if err != nil {
					return err
				}
				if desc.Untimed {
					fmt.Fprintf(out, "# The changed_at of %s is no time: its rows are those of the whole source, whatever --last says.\n", s)
				}
				more, err := since(cmd.Context(), reader, s, span, seen.add)
				if err != nil {
					return err
				}
				if more {
					fmt.Fprintf(out, "# Of %s %s.\n", s, onlyOldest(span, desc.Untimed))
				}
			}
			seen.print(out)
			return nil
		},
	})
	c.Flags().StringVar(&last, "last", last, "how far back, e.g. 30d")
	return c
}

// mostRows is how many rows of a source are looked at: many days of a large lab, in a minute or so.
var mostRows = 200_000

// onlyOldest says that there were more than mostRows, and how the newest are seen.
func onlyOldest(span time.Duration, untimed bool) string {
	if untimed {
		return fmt.Sprintf("only the oldest %d rows of the whole source were looked at", mostRows)
	}
	return fmt.Sprintf("only the oldest %d rows of the last %s were looked at: a shorter --last looks at the newest", mostRows, config.Span(span))
}

var errEnough = errors.New("enough rows")

// since hands out the rows that changed within the last span, or those of a whole source whose changed_at is no time,
// oldest first; more says that there were more than mostRows.
func since(ctx context.Context, reader *lims.Reader, s lims.Source, span time.Duration, each func([]lims.Row)) (more bool, err error) {
	n := 0
	err = reader.Since(ctx, s, time.Now().Add(-span), func(rows []lims.Row) error {
		room := mostRows - n
		n += len(rows)
		each(rows[:min(len(rows), room)])
		if n > mostRows {
			return errEnough
		}
		return nil
	})
	if errors.Is(err, errEnough) {
		return true, nil
	}
	return false, err
}

// seen counts codes and words; no value is kept.
type seen struct {
	cfg     *config.Config
	mapping *bridge.Mapping
	words   map[lims.Source]map[string]int
	tests   map[string]*seenTest // by the LIMS's order code
	ignored map[string]int
	bad     int // rows that could not be read, and may not say what the LIMS says
}

type seenTest struct {
	orders  int
	results map[string]*seenResult
}

type seenResult struct {
	rows, odd int // odd: of them, with a value that is no number and no known word
	units     map[string]int
}

func (s *seen) add(rows []lims.Row) {
	for _, r := range rows {
		if slices.Contains(s.cfg.Ignore, r.OrderCode) {
			s.ignored[r.OrderCode]++
			continue
		}
		if r.Problem != "" {
			s.bad++
			continue
		}
		if r.Source == lims.Results && slices.Contains(s.cfg.Ignore, r.ResultCode) {
			s.ignored[r.ResultCode]++
			continue
		}
		s.words[r.Source][r.Status]++
		t := s.tests[r.OrderCode]
		if t == nil {
			t = &seenTest{results: map[string]*seenResult{}}
			s.tests[r.OrderCode] = t
		}
		if r.Source == lims.Orders {
			t.orders++
			continue
		}
		x := t.results[r.ResultCode]
		if x == nil {
			x = &seenResult{units: map[string]int{}}
			t.results[r.ResultCode] = x
		}
		x.rows++
		x.units[r.Unit]++
		if kind, _ := s.mapping.Value(r.Value, s.rule(r)); kind == bridge.BadValue && strings.TrimSpace(r.Value) != "" {
			x.odd++
		}
	}
}

// rule is how a row's result is configured, or the zero rule.
func (s *seen) rule(r lims.Row) bridge.ObservationRule {
	if t := s.mapping.Test(r.OrderCode); t != nil {
		return t.Results[r.ResultCode]
	}
	return bridge.ObservationRule{}
}

func (s *seen) print(w io.Writer) {
	if s.bad > 0 {
		fmt.Fprintf(w, "# %s could not be read, and stand nowhere below: limsbridge check says why.\n", counted(s.bad, "row"))
	}
	if len(s.tests) == 0 {
		fmt.Fprintf(w, "# No row changed: is it the right view, and the right --last?\n")
		return
	}
	s.status(w)
	known, open, unnamed := 0, 0, 0
	p := func(format string, args ...any) {
		if open == 0 {
			fmt.Fprint(w, "tests:\n")
		}
		open++
		fmt.Fprintf(w, format, args...)
	}
	for _, code := range slices.Sorted(maps.Keys(s.tests)) {
		t := s.tests[code]
		test := s.mapping.Test(code)
		missing := slices.DeleteFunc(slices.Sorted(maps.Keys(t.results)), func(r string) bool {
			if test == nil {
				return false
			}
			_, has := test.Results[r]
			return has
		})
		switch {
		case test != nil && len(missing) == 0:
			known++
			continue
		case test != nil:
			p("  %s:   # is there already: add to its results:\n    results:\n", quoted(test.Code))
		default:
			unnamed++
			p("  %s%d:   # <- WHOOP's code of what the LIMS calls %s; %s. Not WHOOP's: put %[3]s under ignore:\n    lims: [%[3]s]\n    results:\n",
				config.Placeholder, unnamed, quoted(code), counted(t.orders, "order"))
		}
		for _, r := range missing {
			p("      %s\n", t.results[r].line(r))
		}
	}
	if open == 0 {
		fmt.Fprintf(w, "# tests: all %d LIMS tests and their results are known.\n", known)
	} else if known > 0 {
		fmt.Fprintf(w, "# %d more LIMS tests are known with all of their results.\n", known)
	}
	for _, code := range slices.Sorted(maps.Keys(s.ignored)) {
		fmt.Fprintf(w, "# ignored: %s, %s\n", quoted(code), counted(s.ignored[code], "row"))
	}
}

// line is a result to fill in.
func (x *seenResult) line(code string) string {
	units := slices.SortedFunc(maps.Keys(x.units), func(a, b string) int {
		if (a == "") != (b == "") { // a unit that only some rows carry is still the unit
			return strings.Compare(b, a)
		}
		return cmp.Or(x.units[b]-x.units[a], strings.Compare(a, b))
	})
	unit := ""
	if units[0] != "" {
		unit = ", unit: " + quoted(units[0])
	}
	notes := []string{counted(x.rows, "row")}
	for _, u := range units[1:] {
		if u == "" {
			notes = append(notes, fmt.Sprintf("%d without a unit", x.units[u]))
		} else {
			notes = append(notes, fmt.Sprintf("%d in %s", x.units[u], quoted(u)))
		}
	}
	if x.odd > 0 {
		notes = append(notes, fmt.Sprintf("%d with a value that is no number and no known word: see words:", x.odd))
	}
	return fmt.Sprintf("%s: {code: %s}   # <- %s", quoted(code), unit, strings.Join(notes, "; "))
}

// status prints the two status maps whole, where a word was seen that one of them does not know.
func (s *seen) status(w io.Writer) {
	results, orders := map[string]string{}, map[string]string{}
	for word, means := range s.cfg.Words.Results {
		results[word] = string(means)
	}
	for word, means := range s.cfg.Words.Orders {
		orders[word] = string(means)
	}
	for _, word := range bridge.OrderWords { // a view may deliver the bridge's own words
		if len(s.cfg.Words.Orders) == 0 {
			orders[string(word)] = ""
		}
	}
	for _, word := range bridge.ResultWords {
		if len(s.cfg.Words.Results) == 0 {
			results[string(word)] = ""
		}
	}
	unknown := func(of lims.Source, known map[string]string) bool {
		for word := range s.words[of] {
			if _, ok := known[word]; !ok {
				return true
			}
		}
		return false
	}
	if !unknown(lims.Orders, orders) && !unknown(lims.Results, results) {
		fmt.Fprintln(w, "# status: every word is known.")
		return
	}
	fmt.Fprintln(w, "status:")
	for _, block := range []struct {
		of    lims.Source
		known map[string]string
		means string
	}{{lims.Orders, orders, list(bridge.OrderWords)}, {lims.Results, results, list(bridge.ResultWords) + "; only what is verified is released"}} {
		fmt.Fprintf(w, "  %s:\n", block.of)
		all := maps.Clone(s.words[block.of])
		for word, means := range block.known {
			if means != "" {
				all[word] += 0
			}
		}
		odd := 0 // so many unknown words are another column's, and what it holds is not printed
		for word := range all {
			if _, known := block.known[word]; !known {
				odd++
			}
		}
		if odd > mostWords {
			fmt.Fprintf(w, "    # %d different words that are not known, which are not listed: is it the right column?\n", odd)
		}
		for _, word := range slices.Sorted(maps.Keys(all)) {
			means, known := block.known[word]
			switch {
			case !known && odd > mostWords:
			case word == "":
				fmt.Fprintf(w, "    # %s without a status, which are held\n", counted(all[word], "row"))
			case known && means == "":
				fmt.Fprintf(w, "    %s: %[1]s   # %s\n", quoted(word), counted(all[word], "row"))
			case known && all[word] == 0:
				fmt.Fprintf(w, "    %s: %s\n", quoted(word), means)
			case known:
				fmt.Fprintf(w, "    %s: %s   # %s\n", quoted(word), means, counted(all[word], "row"))
			default:
				fmt.Fprintf(w, "    %s:    # <- %s; one of %s\n", quoted(word), counted(all[word], "row"), block.means)
			}
		}
	}
}

func list[W ~string](words []W) string {
	var out []string
	for _, w := range words {
		out = append(out, string(w))
	}
	return strings.Join(out, " ")
}

var plainYAML = regexp.MustCompile(`^[A-Za-z0-9](?:[A-Za-z0-9_./^*+%()-]| [A-Za-z0-9(])*$`)

// quoted writes a code as YAML text, in quotation marks where it needs them.
func quoted(s string) string {
	switch {
	case plainYAML.MatchString(s):
		return s
	case strings.ContainsFunc(s, func(r rune) bool { return !strconv.IsPrint(r) }):
		return strconv.Quote(s)
	}
	return "'" + strings.ReplaceAll(s, "'", "''") + "'"
}
