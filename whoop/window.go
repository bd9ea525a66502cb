package whoop

import "time"

// window counts calls so that no span of its length, wherever it begins, holds more than limit.
// Calls are kept in grains; a grain leaves the window only when its end has left it, so the
// count is never too low, and at most one grain's calls too high.
//
// Times are durations on the limiter's monotonic clock; restored calls may be negative.
type window struct {
	span, grain time.Duration
	limit       int     // 0: none
	calls       []int32 // by grain, as a ring
	base        int64   // the oldest grain still in the window
	total       int
}

// newWindow makes a window that also has room for calls that end up to ahead in the future.
func newWindow(span, grain, ahead time.Duration, limit int) *window {
	n := int64((span+ahead)/grain) + 3
	w := &window{span: span, grain: grain, limit: limit, calls: make([]int32, n)}
	w.base = floorDiv(int64(-span), int64(grain))
	return w
}

func floorDiv(a, b int64) int64 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}

func (w *window) slot(grain int64) *int32 {
	n := int64(len(w.calls))
	return &w.calls[((grain%n)+n)%n]
}

// advance drops what has left the window.
func (w *window) advance(now time.Duration) {
	// The grain g ends at (g+1)*grain and leaves at (g+1)*grain + span.
	base := floorDiv(int64(now-w.span), int64(w.grain))
	for steps := 0; w.base < base && steps < len(w.calls); steps++ {
		c := w.slot(w.base)
		w.total -= int(*c)
		*c = 0
		w.base++
	}
	w.base = max(w.base, base)
}

// add counts n calls at that time, or takes them back where n is negative; what lies outside the
// window does not count any more.
func (w *window) add(at time.Duration, n int) {
	g := floorDiv(int64(at), int64(w.grain))
	if g < w.base {
		return
	}
	g = min(g, w.base+int64(len(w.calls))-1)
	c := w.slot(g)
	if int(*c)+n < 0 {
		n = -int(*c)
	}
	*c += int32(n)
	w.total += n
}

// room is how many more calls fit now.
func (w *window) room() int {
	if w.limit == 0 {
		return 1 << 30
	}
	return w.limit - w.total
}

// opens returns when n more calls will fit if nothing else is added; now if they do already.
func (w *window) opens(now time.Duration, n int) time.Duration {
	if w.limit == 0 {
		return now
	}
	excess := w.total + min(n, w.limit) - w.limit
	if excess <= 0 {
		return now
	}
	for g := w.base; g < w.base+int64(len(w.calls)); g++ {
		if excess -= int(*w.slot(g)); excess <= 0 {
			return time.Duration(g+1)*w.grain + w.span
		}
	}
	return now + w.span
}
