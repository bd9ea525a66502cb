package demo

import (
	"fmt"
	"io"
	"strings"
	"time"
)

// narrow is the least width of a terminal on which the block can be redrawn without lines that wrap.
const narrow = 72

// progress shows how things stand: on a terminal as a block that is redrawn in place, elsewhere
// as one line each second.
type progress struct {
	out   io.Writer
	width int // 0: no terminal
	began time.Time
	lines int       // of the block that stands there
	next  time.Time // of the next plain line

	calls   int // when rate was taken last
	since   time.Time
	rate    float64 // calls a second
	fastest float64
}

func newProgress(o Options) *progress {
	p := &progress{out: o.Out, width: o.Width, began: time.Now()}
	if p.width < narrow {
		p.width = 0
	}
	p.since, p.next = p.began, p.began.Add(time.Second)
	return p
}

// show draws a glimpse.
func (p *progress) show(g glimpse, now time.Time) {
	if elapsed := now.Sub(p.since); elapsed >= time.Second {
		p.rate = float64(g.calls-p.calls) / elapsed.Seconds()
		p.calls, p.since, p.fastest = g.calls, now, max(p.fastest, p.rate)
	}
	if p.width > 0 {
		p.redraw(g, now)
		return
	}
	if now.Before(p.next) {
		return
	}
	p.next = now.Add(time.Second)
	fmt.Fprintf(p.out, "%5.1f s  lab %3d %%  orders %d  statuses %d  reports %d  observations %d  corrections %d  held %d  calls/s %.0f\n",
		now.Sub(p.began).Seconds(), percent(g), g.orders, g.statuses, g.reports, g.observations, g.corrections, len(g.journal.open), p.rate)
}

func percent(g glimpse) int {
	if g.steps == 0 {
		return 100
	}
	return 100 * g.taken / g.steps
}

// redraw writes the block over itself.
func (p *progress) redraw(g glimpse, now time.Time) {
	const length = 30
	done := length * percent(g) / 100
	doing := "the lab's day"
	if g.taken == g.steps {
		doing = "the day is over, the rest arrives"
	}
	block := []string{
		fmt.Sprintf("  lab     %s%s %3d %%  %4.1f s  %s", strings.Repeat("█", done), strings.Repeat("░", length-done), percent(g), now.Sub(p.began).Seconds(), doing),
		fmt.Sprintf("  WHOOP   %s orders · %s statuses · %s reports", number(g.orders), number(g.statuses), number(g.reports)),
		fmt.Sprintf("          %s observations · %s corrections", number(g.observations), number(g.corrections)),
		fmt.Sprintf("  held    %s, for a person to look at", number(len(g.journal.open))),
		fmt.Sprintf("  calls   %s · %s a second · %s at the fastest", number(g.calls), number(int(p.rate)), number(int(p.fastest))),
	}
	var b strings.Builder
	if p.lines > 0 {
		fmt.Fprintf(&b, "\x1b[%dA", p.lines) // up, ECMA-48 CUU
	}
	for _, line := range block {
		b.WriteString("\r" + cut(line, p.width-1) + "\x1b[K\n") // and erase the rest of the line, EL
	}
	p.lines = len(block)
	_, _ = io.WriteString(p.out, b.String())
}

// end leaves the last block standing.
func (p *progress) end() { p.lines = 0 }

// cut shortens a line to so many characters.
func cut(line string, most int) string {
	if r := []rune(line); len(r) > most {
		return string(r[:most])
	}
	return line
}

// number writes 12345 as 12,345.
func number(n int) string {
	s := fmt.Sprint(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}
