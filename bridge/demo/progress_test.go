package demo

import (
	"bytes"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

// TestProgress: on a terminal a block is redrawn in place and no line wraps; elsewhere there is
// one line each second and no control sequence.
func TestProgress(t *testing.T) {
	began := time.Now()
	glimpses := []glimpse{{steps: 10}, {steps: 10, taken: 4, calls: 1500, observations: 12345}, {steps: 10, taken: 10, calls: 2000}}
	for _, x := range []struct{ width, up, lines int }{
		{width: 200, up: 8, lines: 5 * 9}, {width: narrow, up: 8, lines: 5 * 9}, {width: narrow - 1, lines: 2}, {width: 0, lines: 2},
	} {
		var out bytes.Buffer
		p := newProgress(Options{Out: &out, Width: x.width})
		p.began, p.since, p.next = began, began, began.Add(time.Second)
		for i := range 9 {
			p.show(glimpses[i/3], began.Add(time.Duration(i)*glance))
		}
		p.end()
		text := out.String()
		if n := strings.Count(text, "\x1b[5A"); n != x.up || strings.Count(text, "\n") != x.lines {
			t.Errorf("width %d: %d times up, %d lines", x.width, n, strings.Count(text, "\n"))
		}
		if x.up == 0 && strings.Contains(text, "\x1b") {
			t.Errorf("width %d: control sequences: %q", x.width, text)
		}
		for line := range strings.Lines(strings.NewReplacer("\x1b[5A", "", "\x1b[K", "", "\r", "").Replace(text)) {
			if x.up > 0 && utf8.RuneCountInString(strings.TrimSuffix(line, "\n")) >= x.width {
				t.Errorf("width %d: this line wraps: %q", x.width, line)
			}
		}
		if want := map[bool]string{true: "12,345 observations", false: "observations 12345"}[x.up > 0]; !strings.Contains(text, want) {
			t.Errorf("width %d: no %q in %q", x.width, want, text)
		}
	}
}

func TestNumber(t *testing.T) {
	for n, want := range map[int]string{0: "0", 999: "999", 1000: "1,000", 12345: "12,345", 1234567: "1,234,567"} {
		if got := number(n); got != want {
			t.Errorf("%d is written %s", n, got)
		}
	}
}
