package whoop

import (
	"net/http"
	"strconv"
	"strings"
	"time"
)

// WHOOP's rate limit headers, in net/http's spelling.
const (
	limitHeader     = "X-Ratelimit-Limit"     // e.g. 100;window=60
	remainingHeader = "X-Ratelimit-Remaining" // calls left in the nearest window
	resetHeader     = "X-Ratelimit-Reset"     // seconds until the nearest window ends
	retryHeader     = "Retry-After"           // not promised
)

// follow adapts to what an answer says of the quota.
func (l *limiter) follow(now time.Duration, s slot, code int, h http.Header) {
	limit := header(h, limitHeader)
	for window, n := range limits(limit) {
		// A lower limit of the configuration stays.
		switch window {
		case minute:
			l.minute.limit = lower(l.own.minute, n)
		case day:
			l.day.limit = lower(l.own.day, n)
		}
	}
	reset, hasReset := seconds(header(h, resetHeader))
	if remaining, err := strconv.Atoi(strings.TrimSpace(header(h, remainingHeader))); err == nil && remaining >= 0 && hasReset {
		l.left.follow(now, now+reset, remaining)
		l.foreign.follow(s, limit, now+reset, remaining)
	}
	if code != http.StatusTooManyRequests {
		return
	}
	pause := pauseDefault
	if after, ok := retryAfter(header(h, retryHeader)); ok {
		pause = after
	} else if hasReset && reset > 0 {
		pause = reset
	}
	l.paused = max(l.paused, now+pause)
}

// header is the first value of a header whose key is in canonical form.
func header(h http.Header, key string) string {
	if v := h[key]; len(v) > 0 {
		return v[0]
	}
	return ""
}

// limits reads the limits of a minute and of a day: "100;window=60", also several with commas.
func limits(text string) map[time.Duration]int {
	var found map[time.Duration]int
	for part := range strings.SplitSeq(text, ",") {
		number, parameter, ok := strings.Cut(part, ";")
		if !ok {
			continue
		}
		n, err := strconv.Atoi(strings.TrimSpace(number))
		name, value, _ := strings.Cut(strings.TrimSpace(parameter), "=")
		window, valid := seconds(value)
		if err != nil || n <= 0 || name != "window" || !valid {
			continue
		}
		if found == nil {
			found = make(map[time.Duration]int, 2)
		}
		found[window] = n
	}
	return found
}

// lower is the smaller of two limits of which 0 is none.
func lower(a, b int) int {
	if a == 0 {
		return b
	}
	return min(a, b)
}

// seconds reads a sane number of seconds.
func seconds(text string) (time.Duration, bool) {
	n, err := strconv.Atoi(strings.TrimSpace(text))
	if err != nil || n < 0 || n > int(pauseMax/time.Second) {
		return 0, false
	}
	return time.Duration(n) * time.Second, true
}

// retryAfter reads a sane Retry-After (RFC 9110, 10.2.3).
func retryAfter(text string) (time.Duration, bool) {
	if d, ok := seconds(text); ok {
		return d, d > 0
	}
	at, err := http.ParseTime(text)
	if err != nil {
		return 0, false
	}
	d := time.Until(at)
	return d, d > 0 && d <= pauseMax
}

// sameWindow is how far two readings of one window's end may differ: whole seconds, and the way.
const sameWindow = 2 * time.Second

// serverLeft is how many calls the server still lets us make in its present window.
type serverLeft struct {
	known  bool
	lowest int           // the lowest reading of the window
	until  time.Duration // the window's end
}

// follow takes a reading. Answers may arrive in another order than the server counted in, but
// within a window it only counts down: the lowest reading is the newest.
func (s *serverLeft) follow(now, until time.Duration, reading int) {
	if s.known && until-s.until < sameWindow && s.until-until < sameWindow {
		s.lowest, s.until = min(s.lowest, reading), max(s.until, until)
		return
	}
	*s = serverLeft{known: until > now, lowest: reading, until: until}
}

func (s *serverLeft) advance(now time.Duration) { s.known = s.known && now < s.until }

// opens returns when n more calls fit. Each open call may not have been counted yet; each ended
// one has, by the lowest reading at the latest.
func (s *serverLeft) opens(now time.Duration, n, open int) time.Duration {
	if !s.known || s.lowest-open >= n {
		return now
	}
	return s.until
}

// foreign finds calls that someone else makes with our credentials: within one window of the
// server the calls left must not fall faster than we call. Everything of ours that could explain
// a fall is allowed for, so that a number above zero is certain as far as the server counts right.
type foreign struct {
	granted int64   // calls granted ever, and token calls
	ghosts  *window // calls without an answer, which may have landed or may land yet

	known     bool
	limit     string // the limit that the readings are about
	until     time.Duration
	remaining int // the highest reading of the window
	at        slot
	found     int // in this window
	before    int // in earlier windows
}

func (f *foreign) follow(s slot, limit string, until time.Duration, remaining int) {
	same := f.known && limit == f.limit && until-f.until < sameWindow && f.until-until < sameWindow
	if !same || remaining > f.remaining {
		if !same {
			f.before, f.found = f.before+f.found, 0
		}
		f.known, f.limit, f.until, f.remaining, f.at = true, limit, until, remaining, s
		return
	}
	fall := int64(f.remaining - remaining)
	ours := f.granted - f.at.granted + f.at.open + int64(f.ghosts.total)
	f.found = max(f.found, int(fall-ours))
}
