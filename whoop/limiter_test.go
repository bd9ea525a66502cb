package whoop

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

const testHold = permitLife + defaultTimeout

// Under a random schedule of callers, slow calls, dropped permits and restarts, no span of a
// minute and none of a day holds more arrivals than the quota, wherever it begins.
func TestQuotaInAnyWindow(t *testing.T) {
	for _, seed := range []uint64{1, 2, 3, rand.Uint64()} {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { anyWindow(t, seed) })
		})
	}
}

func anyWindow(t *testing.T, seed uint64) {
	rng := rand.New(rand.NewPCG(seed, 0))
	const perMinute, perDay = 30, 400
	end := time.Now().Add(60 * time.Hour)
	l := newLimiter(perMinute, perDay, testHold, 5*time.Second)
	var mu sync.Mutex
	var arrivals []time.Time
	var callers sync.WaitGroup
	for time.Now().Before(end) {
		burst := 1 + rng.IntN(60)
		for range burst {
			class, before, after := Class(rng.IntN(4)), slow(rng), slow(rng)
			dropped, answered := rng.IntN(20) == 0, rng.IntN(10) > 0
			callers.Go(func() {
				s, err := l.take(context.Background(), class)
				if err != nil {
					var q *QuotaError
					if !errors.As(err, &q) || !q.Until.After(time.Now()) {
						t.Errorf("%v at %v", err, time.Now())
					}
					return
				}
				if dropped {
					return
				}
				time.Sleep(before)
				mu.Lock()
				arrivals = append(arrivals, time.Now())
				mu.Unlock()
				time.Sleep(after)
				var h http.Header
				if answered {
					h = http.Header{}
				}
				l.ended(s, 1, 200, h)
			})
		}
		time.Sleep(time.Duration(rng.ExpFloat64() * float64(10*time.Minute)))
		if rng.IntN(40) == 0 { // a restart: the calls are remembered by the minute
			callers.Wait()
			l.close()
			l = newLimiter(perMinute, perDay, testHold, 5*time.Second)
			for _, at := range arrivals {
				l.spent(at.Truncate(time.Minute).Add(time.Minute), 1)
			}
		}
	}
	callers.Wait()
	l.close()
	slices.SortFunc(arrivals, time.Time.Compare)
	for span, limit := range map[time.Duration]int{minute: perMinute, day: perDay} {
		most := 0
		for i, j := 0, 0; i < len(arrivals); i++ {
			for arrivals[i].Sub(arrivals[j]) >= span {
				j++
			}
			most = max(most, i-j+1)
		}
		if most > limit {
			t.Errorf("%d calls within %v, the quota is %d", most, span, limit)
		}
		if most < limit*9/10 {
			t.Errorf("only %d calls within %v were let through, the quota is %d", most, span, limit)
		}
	}
}

// slow is how long something takes: mostly nothing, at times up to the time limits.
func slow(rng *rand.Rand) time.Duration {
	if rng.IntN(3) > 0 {
		return time.Duration(rng.IntN(50)) * time.Millisecond
	}
	return time.Duration(rng.Int64N(int64(29 * time.Second)))
}

// The lower class goes first, and within a class who asked first.
func TestClassesInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLimiter(1, 0, testHold, time.Hour)
		defer l.close()
		s, _ := l.take(context.Background(), Progress)
		l.ended(s, 1, 200, http.Header{})
		var order []string
		var all sync.WaitGroup
		for i, class := range []Class{Progress, Finals, Issues, Progress, Corrections, Finals, Corrections} {
			all.Go(func() {
				s, err := l.take(context.Background(), class)
				if err != nil {
					t.Error(err)
					return
				}
				order = append(order, strconv.Itoa(int(class))+"/"+strconv.Itoa(i))
				l.ended(s, 1, 200, http.Header{})
			})
			synctest.Wait()
		}
		all.Wait()
		if want := []string{"0/4", "0/6", "1/1", "1/5", "2/2", "3/0", "3/3"}; !slices.Equal(order, want) {
			t.Errorf("order is %v, want %v", order, want)
		}
	})
}

// What an answer says of the quota, and when the next call may go.
func TestFollowingTheServer(t *testing.T) {
	tests := map[string]struct {
		code    int
		headers map[string]string
		wait    time.Duration // until the next call
	}{
		"nothing said":                     {200, nil, 0},
		"room left":                        {200, map[string]string{limitHeader: "100;window=60", remainingHeader: "1", resetHeader: "40"}, 0},
		"no room left":                     {200, map[string]string{limitHeader: "100;window=60", remainingHeader: "0", resetHeader: "40"}, 40 * time.Second},
		"no room left, at once":            {200, map[string]string{remainingHeader: "0", resetHeader: "0"}, 0},
		"no room left, without an end":     {200, map[string]string{remainingHeader: "0"}, 0},
		"a lower limit":                    {200, map[string]string{limitHeader: "1;window=60"}, time.Minute},
		"a lower limit, as a list":         {200, map[string]string{limitHeader: "1, 1;window=60, 50;window=86400"}, time.Minute},
		"a lower limit of the day":         {200, map[string]string{limitHeader: "1;window=86400"}, 24 * time.Hour},
		"a senseless limit":                {200, map[string]string{limitHeader: "0;window=60, x, ;, -5;window=60, 1;window=-1"}, 0},
		"429":                              {429, nil, time.Minute},
		"429 with a reset":                 {429, map[string]string{resetHeader: "17"}, 17 * time.Second},
		"429 with a reset of none":         {429, map[string]string{resetHeader: "0"}, time.Minute},
		"429 with a senseless reset":       {429, map[string]string{resetHeader: "1764000000"}, time.Minute},
		"429 with Retry-After":             {429, map[string]string{retryHeader: "90", resetHeader: "17"}, 90 * time.Second},
		"429 with Retry-After, a time":     {429, map[string]string{retryHeader: "Sat, 01 Jan 2000 00:10:00 GMT"}, 10 * time.Minute},
		"429 with Retry-After in the past": {429, map[string]string{retryHeader: "Fri, 31 Dec 1999 00:00:00 GMT"}, time.Minute},
		"429 with a senseless Retry-After": {429, map[string]string{retryHeader: "soon"}, time.Minute},
		"503 with Retry-After":             {503, map[string]string{retryHeader: "90"}, 0},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := newLimiter(1000, 10000, testHold, 48*time.Hour)
				defer l.close()
				s, _ := l.take(context.Background(), Finals)
				h := http.Header{}
				for k, v := range test.headers {
					h.Set(k, v)
				}
				l.ended(s, 1, test.code, h)
				began := time.Now()
				if _, err := l.take(context.Background(), Finals); err != nil {
					t.Fatal(err)
				}
				// A window's grain is the only thing that may be waited in addition.
				if got := time.Since(began); got < test.wait || got > test.wait+test.wait/200+time.Minute/60 {
					t.Errorf("waited %v, want %v", got, test.wait)
				}
			})
		})
	}
}

func TestPatience(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLimiter(1, 0, testHold, 5*time.Second)
		defer l.close()
		s, _ := l.take(context.Background(), Finals)
		l.ended(s, 1, 200, http.Header{})
		began := time.Now()
		var q *QuotaError
		if _, err := l.take(context.Background(), Finals); !errors.As(err, &q) || time.Since(began) != 0 {
			t.Fatalf("%v after %v", err, time.Since(began))
		}
		if until := q.Until.Sub(began); until < time.Minute || until > time.Minute+time.Second {
			t.Errorf("room in %v", until)
		}
		time.Sleep(time.Until(q.Until) - 4*time.Second)
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		if _, err := l.take(ctx, Finals); !errors.Is(err, context.DeadlineExceeded) {
			t.Error(err)
		}
		if s, err := l.take(context.Background(), Finals); err != nil || time.Now().Before(q.Until) {
			t.Error(err)
		} else {
			l.giveBack(s)
		}
		if _, err := l.take(context.Background(), Finals); err != nil {
			t.Error("a permit that was given back is lost:", err)
		}
	})
}

// While the server counts down, its word goes before our own count; open calls may not have been
// counted yet.
func TestOpenCallsCountAgainstTheServersWord(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLimiter(0, 0, testHold, time.Second)
		defer l.close()
		say := func(s slot, left int) {
			l.ended(s, 1, 200, http.Header{remainingHeader: {strconv.Itoa(left)}, resetHeader: {"30"}})
		}
		var open []slot
		for range 3 {
			s, _ := l.take(context.Background(), Finals)
			open = append(open, s)
		}
		say(open[0], 4) // two others are open: two more may go
		for i := range 3 {
			_, err := l.take(context.Background(), Finals)
			if (err == nil) != (i < 2) {
				t.Errorf("call %d: %v", i+1, err)
			}
		}
		say(open[1], 4) // the server had counted it already
		if _, err := l.take(context.Background(), Finals); err != nil {
			t.Error(err)
		}
		say(open[2], 9) // an older answer that comes late tells nothing new
		if s, err := l.take(context.Background(), Finals); err != nil {
			t.Error(err)
		} else if _, err := l.take(context.Background(), Finals); err == nil {
			t.Error("more calls than the server said")
		} else {
			l.giveBack(s)
		}
	})
}

func TestWindow(t *testing.T) {
	w := newWindow(time.Minute, time.Second, time.Minute, 3)
	at := func(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }
	w.add(at(-70), 1) // long gone
	w.add(at(-30.5), 1)
	w.add(at(0.5), 2)
	if w.total != 3 || w.room() != 0 || w.opens(at(1), 1) != at(30) || w.opens(at(1), 2) != at(61) || w.opens(at(1), 99) != at(61) {
		t.Errorf("%d, opens %v, %v, %v", w.total, w.opens(at(1), 1), w.opens(at(1), 2), w.opens(at(1), 99))
	}
	w.advance(at(29.9))
	if w.room() != 0 {
		t.Error("room too early")
	}
	w.advance(at(30))
	if w.room() != 1 {
		t.Error("no room")
	}
	w.add(at(90), 1)
	w.add(at(90), -5) // never below nothing
	if w.total != 2 {
		t.Error(w.total)
	}
	w.advance(at(1e6))
	if w.total != 0 || w.room() != 3 {
		t.Error(w.total)
	}
}

// Calls of an earlier process are known by the minute: they count until that minute's end has left
// the window.
func TestSpent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, err := New(Options{ClientID: "id", ClientSecret: "secret", PerMinute: 1, Patience: time.Hour})
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		time.Sleep(10 * time.Minute) // so that the minute's end is in the past
		began := time.Now()
		c.Spent(began.Add(-90*time.Second), 1)
		if _, err := c.limiter.take(context.Background(), Finals); err != nil {
			t.Fatal(err)
		}
		if waited := time.Since(began); waited < 30*time.Second || waited > 31*time.Second {
			t.Errorf("waited %v", waited)
		}
	})
}

// What may explain a fall is ours: a call that net/http repeated, one that lands late, one
// that is open.
func TestNotForeign(t *testing.T) {
	type step struct {
		take, end string // the name of a call
		calls     int
		reading   int // -1: no answer
	}
	tests := map[string]struct {
		steps []step
		want  int
	}{
		"one by one":      {[]step{{"a", "a", 1, 99}, {"b", "b", 1, 98}, {"c", "c", 1, 97}}, 0},
		"someone else":    {[]step{{"a", "a", 1, 99}, {"b", "b", 1, 97}}, 1},
		"twice":           {[]step{{"a", "a", 1, 99}, {"b", "b", 1, 97}, {"c", "c", 1, 90}}, 7},
		"repeated":        {[]step{{"a", "a", 1, 99}, {"b", "b", 2, 97}}, 0},
		"lands late":      {[]step{{"x", "x", 1, -1}, {"a", "a", 1, 99}, {"b", "b", 1, 97}}, 0},
		"open":            {[]step{{"x", "", 0, 0}, {"a", "a", 1, 99}, {"b", "b", 1, 97}}, 0},
		"out of order":    {[]step{{"a", "", 0, 0}, {"b", "b", 1, 98}, {"", "a", 1, 99}, {"c", "c", 1, 97}}, 0},
		"after the reset": {[]step{{"a", "a", 1, 3}, {"b", "b", 1, 99}, {"c", "c", 1, 98}}, 0},
	}
	for name, test := range tests {
		l := newLimiter(0, 0, testHold, time.Second)
		open := map[string]slot{}
		for _, s := range test.steps {
			if s.take != "" {
				open[s.take], _ = l.take(context.Background(), Finals)
			}
			if s.end == "" {
				continue
			}
			h := http.Header{limitHeader: {"100;window=60"}, remainingHeader: {strconv.Itoa(s.reading)}, resetHeader: {"30"}}
			if s.reading < 0 {
				h = nil
			}
			l.ended(open[s.end], s.calls, 200, h)
		}
		if got := l.foreign.before + l.foreign.found; got != test.want {
			t.Errorf("%s: %d foreign calls, want %d", name, got, test.want)
		}
		l.close()
	}
}

// Only what cannot be ours is foreign.
func TestForeign(t *testing.T) {
	for _, seed := range []uint64{1, 2, rand.Uint64()} {
		for _, others := range []int{0, 25} {
			t.Run(fmt.Sprintf("seed %d, others %d", seed, others), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) { foreignCalls(t, seed, others) })
			})
		}
	}
}

func foreignCalls(t *testing.T, seed uint64, others int) {
	rng := rand.New(rand.NewPCG(seed, 0))
	l := newLimiter(0, 0, testHold, time.Hour)
	defer l.close()
	var mu sync.Mutex
	const limit = 1000
	used, window := 0, time.Time{}
	arrive := func() http.Header { // the server
		mu.Lock()
		defer mu.Unlock()
		if start := time.Now().Truncate(time.Minute); start != window {
			used, window = 0, start
		}
		used++
		left := time.Until(window.Add(time.Minute))
		return http.Header{
			limitHeader:     {"1000;window=60"},
			remainingHeader: {strconv.Itoa(limit - used)},
			resetHeader:     {strconv.Itoa(int((left + time.Second - 1) / time.Second))},
		}
	}
	var all sync.WaitGroup
	for range 2000 {
		before, after, lost, repeated := slow(rng), slow(rng), rng.IntN(30) == 0, rng.IntN(30) == 0
		all.Go(func() {
			s, err := l.take(context.Background(), Finals)
			if err != nil {
				t.Error(err)
				return
			}
			if repeated {
				arrive() // a GET that net/http sent again
			}
			calls := 1
			if repeated {
				calls = 2
			}
			if lost {
				time.Sleep(after)
				l.ended(s, calls, 0, nil)
				time.Sleep(5 * before)
				arrive() // lands late
				return
			}
			time.Sleep(before)
			h := arrive()
			time.Sleep(after)
			l.ended(s, calls, 200, h)
		})
		time.Sleep(time.Duration(rng.IntN(500)) * time.Millisecond)
	}
	all.Wait()
	time.Sleep(20 * time.Minute) // what was lost is forgotten
	for range 20 {
		s, _ := l.take(context.Background(), Finals)
		l.ended(s, 1, 200, arrive())
		if others > 0 {
			mu.Lock()
			used += others
			mu.Unlock()
		}
		time.Sleep(10 * time.Second)
	}
	found := l.foreign.before + l.foreign.found
	if others == 0 && found != 0 {
		t.Errorf("%d calls taken for foreign", found)
	}
	// Of six calls in a window, five see what came between.
	if others > 0 && (found < 10*others || found > 20*others) {
		t.Errorf("found %d foreign calls of %d", found, 20*others)
	}
}
