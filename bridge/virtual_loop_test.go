package bridge_test

import (
	"context"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"limsbridge/bridge"
	"limsbridge/lims"
	"limsbridge/whoop/sandbox"
)

// watchedLIMS tells when passes and sweeps begin, and may keep one of them waiting.
type watchedLIMS struct {
	bridge.LIMS
	mu     sync.Mutex
	offset time.Duration // of the clock on the wall
	asleep time.Duration // of the next pass
	passes []time.Time
	nights []time.Time
}

// now is the clock on the wall.
func (w *watchedLIMS) now() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return time.Now().Add(w.offset)
}

// with looks at w, or changes it.
func (w *watchedLIMS) with(do func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	do()
}

func (w *watchedLIMS) Poll(ctx context.Context, s lims.Source, from lims.Cursor, back time.Duration, page func([]lims.Row, lims.Cursor) error) error {
	if s == lims.Orders {
		at, long := w.now(), time.Duration(0)
		w.with(func() {
			w.passes = append(w.passes, at)
			long, w.asleep = w.asleep, 0
		})
		<-time.After(long)
	}
	return w.LIMS.Poll(ctx, s, from, back, page)
}

func (w *watchedLIMS) Since(ctx context.Context, s lims.Source, since time.Time, page func([]lims.Row) error) error {
	if s == lims.Orders {
		at := w.now()
		w.with(func() { w.nights = append(w.nights, at) })
	}
	return w.LIMS.Since(ctx, s, since, page)
}

// The loop's clock is the one on the wall: it stands still while the machine sleeps, and somebody
// may set it.
func TestLoopAndItsClock(t *testing.T) {
	for _, tt := range []struct {
		name  string
		after func(w *watchedLIMS) // an hour from the start
		want  []time.Duration      // of the passes after that, on the wall, for an hour
	}{
		{"nothing happens: every five minutes", func(*watchedLIMS) {}, []time.Duration{
			0, 5 * time.Minute, 10 * time.Minute,
		}},
		{"after a sleep of three hours one pass catches up, not thirty-six", func(w *watchedLIMS) {
			w.asleep = 3 * time.Hour
		}, []time.Duration{0, 180 * time.Minute, 185 * time.Minute}},
		{"set forward by six hours: one pass at once", func(w *watchedLIMS) {
			w.offset = 6 * time.Hour
		}, []time.Duration{360 * time.Minute, 365 * time.Minute, 370 * time.Minute}},
		{"set back by two days: the next pass does not wait for two days", func(w *watchedLIMS) {
			w.offset = -48 * time.Hour
		}, []time.Duration{-48 * time.Hour, -48*time.Hour + 5*time.Minute, -48*time.Hour + 10*time.Minute}},
		{"set back by a minute: the next pass comes a minute late", func(w *watchedLIMS) {
			w.offset = -time.Minute
		}, []time.Duration{0, 5 * time.Minute, 10 * time.Minute}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w, stop := runLoop(t, time.UTC)
				<-time.After(time.Hour - time.Second)
				w.with(func() {
					tt.after(w)
					w.passes = nil
				})
				<-time.After(4 * time.Hour)
				stop()
				begin := time.Date(2000, 1, 1, 1, 0, 0, 0, time.UTC)
				for i, want := range tt.want {
					if i >= len(w.passes) {
						t.Fatalf("only %d passes: %v", len(w.passes), w.passes)
					}
					if late := w.passes[i].Sub(begin.Add(want)); late < 0 || late > 15*time.Second {
						t.Errorf("pass %d at %s, want %s", i, w.passes[i], begin.Add(want))
					}
				}
			})
		})
	}
}

// The nightly sweep comes once a night, also when the clocks change.
func TestLoopSweepsEveryNight(t *testing.T) {
	zone, err := time.LoadLocation("America/New_York")
	if err != nil {
		t.Fatal(err)
	}
	for _, day := range []time.Time{
		time.Date(2000, 4, 1, 12, 0, 0, 0, zone),   // the next night has no hour from two to three
		time.Date(2000, 10, 28, 12, 0, 0, 0, zone), // the next night has two hours from one to two
	} {
		synctest.Test(t, func(t *testing.T) {
			<-time.After(time.Until(day))
			w, stop := runLoop(t, zone)
			<-time.After(72 * time.Hour)
			stop()
			var got []string
			for _, n := range w.nights {
				got = append(got, n.In(zone).Format("Jan 2 15:04"))
			}
			var want []string
			for i := 1; i <= 3; i++ {
				want = append(want, day.AddDate(0, 0, i).Format("Jan 2")+" 03:30")
			}
			if !slices.Equal(got, want) {
				t.Errorf("sweeps at %v, want %v", got, want)
			}
		})
	}
}

// runLoop runs a bridge's loop with the clock of w until stop is called.
func runLoop(t *testing.T, zone *time.Location) (w *watchedLIMS, stop func()) {
	t.Helper()
	r := newRig(t, sandbox.Options{})
	w = &watchedLIMS{LIMS: r.reader}
	b := bridge.New(w, r.caller, r.ledger, r.mapping, r.settings, slog.New(slog.DiscardHandler))
	loop := bridge.Loop{Bridge: b, Zone: zone, Now: w.now}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		if err := loop.Run(ctx); err != nil {
			t.Error(err)
		}
	}()
	return w, func() {
		cancel()
		<-ended
	}
}
