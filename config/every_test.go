package config

import (
	"strings"
	"testing"
	"time"
)

// TestEvery: an interval for demonstrations is accepted and warned of, a senseless one refused.
func TestEvery(t *testing.T) {
	for _, x := range []struct {
		every        string
		is           time.Duration // 0: refused
		demonstrates bool
	}{
		{"5m", 5 * time.Minute, false}, {"10s", 10 * time.Second, false},
		{"9s", 9 * time.Second, true}, {"250ms", 250 * time.Millisecond, true}, {"100ms", 100 * time.Millisecond, true},
		{"99ms", 0, false}, {"0", 0, false}, {"2 days", 0, false},
	} {
		c, problems := load(t, strings.Replace(base, "results: r}", "results: r, every: "+x.every+"}", 1))
		if refused := len(problems) > 0; refused != (x.is == 0) {
			t.Errorf("every: %s gives %v", x.every, problems)
			continue
		}
		if x.is == 0 {
			continue
		}
		if warned := strings.Contains(strings.Join(c.Warnings, "\n"), "lims.every "); c.Database.Every != x.is || warned != x.demonstrates {
			t.Errorf("every: %s is read as %s, warnings %q", x.every, c.Database.Every, c.Warnings)
		}
	}
}
