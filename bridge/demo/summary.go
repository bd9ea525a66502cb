package demo

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"time"

	"limsbridge/whoop/sandbox"
)

// shownDifferences is how many differences are listed; the rest is counted.
const shownDifferences = 40

// meanings tells the reasons of holds to the people in the lab.
var meanings = map[string]string{
	"unknown_order_code":  "a test that the configuration does not know",
	"unknown_result_code": "a result that the configuration does not know",
	"unknown_status":      "a status that the configuration does not know",
	"unknown_unit":        "another unit than the configured one",
	"bad_value":           "released, but neither a number nor a known text",
	"bad_id":              "WHOOP's requisition id is mangled in the LIMS",
	"not_found":           "WHOOP does not know the requisition",
	"not_ordered":         "a test that WHOOP did not order",
	"two_requests":        "ordered twice at WHOOP: which one is meant?",
	"two_rows":            "two different results for one observation",
	"no_order":            "results of a test that the orders do not show",
	"other_patient":       "another birth date at WHOOP than in the LIMS",
	"not_measurable":      "a required result cannot be measured",
	"contradiction":       "a rejected sample whose results were reported",
	"released_after_end":  "results after the order was at its end",
	"reported_elsewhere":  "WHOOP shows a status that this bridge did not set",
}

// announce says what is about to be seen.
func announce(o Options, s *stage) {
	fmt.Fprintf(o.Out, `limsbridge demo: a made-up lab, the real bridge, a simulated WHOOP

  lab     %s orders in a day of %s (seed %d), in a SQLite file
  bridge  started from %s
  WHOOP   simulated on this machine, with tokens that expire and limits that are hit

`, number(o.Orders), o.For, o.Seed, s.config)
}

// summarize prints how it went.
func summarize(o Options, s *stage, c Comparison, took time.Duration) {
	w, n := o.Out, s.api.Counts()
	fmt.Fprintf(w, "\n  %-38s %9s  %9s\n", "", "the lab", "WHOOP")
	for _, r := range []struct {
		name  string
		tally Tally
		note  string
	}{
		{"orders of which something is reported", c.Orders, fmt.Sprintf("of %s", number(c.Requisitions))},
		{"tests at their status", c.Statuses, fmt.Sprintf("of %s", number(c.Requests))},
		{"observations, every version", c.Observations, "byte for byte"},
		{"  of them corrected or withdrawn", c.Corrections, ""},
		{"matters held for a person", c.Holds, fmt.Sprintf("in %s holds of the ledger", number(c.LedgerHolds))},
	} {
		fmt.Fprintf(w, "  %-38s %9s  %9s  %s  %s\n", r.name, number(r.tally.Expected), number(r.tally.Right), tick(r.tally), r.note)
	}
	fmt.Fprintf(w, "\n  missing %d · wrong %d · too much %d · twice %d · out of order %d\n",
		c.Count(Missing, HoldMissing), c.Count(Wrong), c.Count(Extra, HoldExtra), c.Count(Duplicate), c.Count(OutOfOrder, Violation))
	holds(w, c)
	fmt.Fprintf(w, "\n  It took %s statuses and %s reports in %s calls, %d of them for tokens;\n"+
		"  %d tokens were refused before their time (401), %d limits were hit (429).\n",
		number(n.Statuses), number(n.Reports), number(calls(n)), n.Calls[sandbox.Token], n.Faults[sandbox.Expired], n.Faults[sandbox.Throttled]+n.Faults[sandbox.RateLimited])
	for i, d := range c.Differences {
		switch i {
		case 0:
			fmt.Fprintf(w, "\n  %s differences:\n", number(len(c.Differences)))
		case shownDifferences:
			fmt.Fprintf(w, "  and %s more\n", number(len(c.Differences)-i))
		}
		if i < shownDifferences {
			fmt.Fprintln(w, "  "+d.String())
		}
	}
	if o.Keep != "" {
		kept(w, s)
	}
	verdict := "It adds up: everything arrived once, as the lab wrote it, and what did not go is held."
	if len(c.Differences) > 0 {
		verdict = "IT DOES NOT ADD UP."
		if o.Keep == "" {
			verdict += fmt.Sprintf(" To look into it: limsbridge demo --seed %d --orders %d --for %s --keep DIR", o.Seed, o.Orders, o.For)
		}
	}
	fmt.Fprintf(w, "\n  %s  (%.1f s)\n", verdict, took.Seconds())
}

func tick(t Tally) string {
	if t.Expected == t.Right {
		return "✓"
	}
	return "✗"
}

func calls(n sandbox.Counts) int {
	sum := 0
	for _, x := range n.Calls {
		sum += x
	}
	return sum
}

// holds lists the reasons, the most frequent first.
func holds(w io.Writer, c Comparison) {
	kinds := slices.SortedFunc(maps.Keys(c.HoldsByKind), func(a, b string) int {
		if d := c.HoldsByKind[b].Expected - c.HoldsByKind[a].Expected; d != 0 {
			return d
		}
		return slices.Compare([]byte(a), []byte(b))
	})
	if len(kinds) > 0 {
		fmt.Fprintf(w, "\n  held for a person, by reason:\n")
	}
	for _, k := range kinds {
		t := c.HoldsByKind[k]
		short := ""
		if t.Right < t.Expected {
			short = fmt.Sprintf("  (only %d told)", t.Right)
		}
		fmt.Fprintf(w, "  %5d  %s  %-20s %s%s\n", t.Expected, tick(t), k, meanings[k], short)
	}
}

// kept says where everything is and how to look around.
func kept(w io.Writer, s *stage) {
	fmt.Fprintf(w, `
  Kept in %s
    limsbridge.yaml   what the bridge was started from
    limsbridge.log    what it said
    state/journal     every intent, outcome and hold, line by line
    lims.db           the lab's database, with the views whoop_orders and whoop_results
  To look around:  limsbridge preview --config %s
  It shows what is held, and what only start_from keeps back. The simulated API is gone.
`, s.folder, s.config)
}
