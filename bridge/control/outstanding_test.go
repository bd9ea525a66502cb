package control_test

import (
	"context"
	"errors"
	"runtime"
	"testing"
	"time"

	"limsbridge/bridge"
	"limsbridge/bridge/control"
)

// serve answers on a socket until the test ends, and returns its state folder once it listens.
func serve(t *testing.T, b control.Bridge) string {
	t.Helper()
	state := t.TempDir()
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- control.Serve(ctx, state, b) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	for deadline := time.Now().Add(10 * time.Second); ; runtime.Gosched() {
		if err := control.Do(t.Context(), state, control.Act{}); !errors.Is(err, control.ErrNotRunning) {
			return state
		}
		if time.Now().After(deadline) {
			t.Fatal("it does not listen")
		}
	}
}

func noAct(context.Context, control.Act) error { return nil }

func TestOutstanding(t *testing.T) {
	since := time.Date(2026, 11, 17, 10, 0, 0, 0, time.UTC)
	state := serve(t, control.Bridge{Act: noAct, Outstanding: func() ([]bridge.Outstanding, error) {
		return []bridge.Outstanding{{Test: "CBC", Since: since, Holds: []bridge.HoldKind{bridge.Gone}}}, nil
	}})
	got, err := control.FindOutstanding(t.Context(), state)
	if err != nil || len(got) != 1 || got[0].Test != "CBC" || !got[0].Since.Equal(since) || got[0].Holds[0] != bridge.Gone {
		t.Errorf("%+v %v", got, err)
	}
	if _, err := control.FindOutstanding(t.Context(), t.TempDir()); !errors.Is(err, control.ErrNotRunning) {
		t.Error(err)
	}
}
