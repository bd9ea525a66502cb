package main

import (
	"fmt"
	"time"

	"limsbridge/bridge"
)

const (
	// tokenPatience and answerPatience are how long WHOOP may give no access token, or no usable answer,
	// before a person is told: refused credentials last until somebody mends them, and outages pass.
	tokenPatience  = 15 * time.Minute
	answerPatience = time.Hour
)

// unanswered tells people of passes that go well and send nothing, because WHOOP does not answer.
type unanswered struct {
	notices *notices
	since   map[string]time.Time // by why records wait
}

// pass notes what a pass came to.
func (u *unanswered) pass(sum *bridge.Summary, now time.Time) {
	if u.since == nil {
		u.since = map[string]time.Time{}
	}
	for _, why := range []struct {
		waits, notice string
		patience      time.Duration
	}{
		{"token", "WHOOP gives no access token since %s, and %d orders wait: see the log for its answer, and try `limsbridge check`", tokenPatience},
		{"silent", "WHOOP gives no usable answer since %s, and %d orders wait: see the log, and try `limsbridge check`", answerPatience},
	} {
		n := sum.Waiting[why.waits]
		switch {
		case sum.Statuses+sum.Reports > 0, n == 0 && sum.Looks > 0: // WHOOP answers
			delete(u.since, why.waits)
			u.notices.set("whoop_"+why.waits, "", now)
			continue
		case n == 0: // nobody's turn came
			continue
		}
		since, known := u.since[why.waits]
		if !known {
			since = now
			u.since[why.waits] = now
		}
		if now.Sub(since) >= why.patience {
			u.notices.set("whoop_"+why.waits, fmt.Sprintf(why.notice, since.Format("2006-01-02 15:04"), n), now)
		}
	}
}
