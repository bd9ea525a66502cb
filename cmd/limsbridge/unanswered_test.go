package main

import (
	"log/slog"
	"testing"
	"time"

	"limsbridge/bridge"
)

// Credentials that WHOOP refuses, and a WHOOP that does not answer, are a person's business after a
// while, although every pass goes well.
func TestUnanswered(t *testing.T) {
	for waits, patience := range map[string]time.Duration{"token": tokenPatience, "silent": answerPatience} {
		n := &notices{log: slog.New(slog.DiscardHandler)}
		u, now := &unanswered{notices: n}, time.Now()
		pass := func(after time.Duration, sum *bridge.Summary) int {
			now = now.Add(after)
			u.pass(sum, now)
			return len(n.all())
		}
		waiting := &bridge.Summary{Waiting: map[string]int{waits: 3}}
		if pass(0, waiting) != 0 || pass(patience-time.Second, waiting) != 0 {
			t.Errorf("%s: told of before its time", waits)
		}
		if pass(0, &bridge.Summary{}) != 0 || pass(time.Second, waiting) != 1 {
			t.Errorf("%s: not told of", waits)
		}
		if pass(time.Minute, &bridge.Summary{Waiting: map[string]int{waits: 2}, Reports: 1}) != 0 {
			t.Errorf("%s: told of although reports go out", waits)
		}
		if pass(time.Minute, waiting) != 0 {
			t.Errorf("%s: an answer in between is forgotten", waits)
		}
	}
}
