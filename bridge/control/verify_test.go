package control_test

import (
	"context"
	"errors"
	"runtime"
	"strings"
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

func TestVerify(t *testing.T) {
	heard, left := make(chan struct{}), make(chan struct{})
	failure := errors.New("the LIMS cannot be reached")
	state := serve(t, control.Bridge{Act: noAct, Verify: func(ctx context.Context, last time.Duration, yield func(bridge.Difference) error) (bridge.Verified, error) {
		if err := yield(bridge.Difference{Finding: bridge.Differs, Row: "r1", Key: bridge.Key{Kind: bridge.RequisitionKey}}); err != nil {
			return bridge.Verified{}, err
		}
		switch last {
		case time.Hour:
			<-heard // the first difference is heard before the end is known
			return bridge.Verified{Tests: []bridge.Tally{{Test: "CBC", Submitted: 1, Differ: 1}}}, nil
		case 2 * time.Hour:
			return bridge.Verified{}, failure
		}
		<-ctx.Done()
		close(left)
		return bridge.Verified{}, ctx.Err()
	}})

	var got []bridge.Difference
	v, err := control.Verify(t.Context(), state, time.Hour, func(d bridge.Difference) error {
		got = append(got, d)
		close(heard)
		return nil
	})
	if err != nil || v.Differences() != 1 || len(got) != 1 || got[0].Row != "r1" || got[0].Finding != bridge.Differs {
		t.Errorf("%+v %+v %v", v, got, err)
	}
	pass := func(bridge.Difference) error { return nil }
	if _, err := control.Verify(t.Context(), state, 2*time.Hour, pass); err == nil || err.Error() != failure.Error() {
		t.Errorf("the bridge's own word is lost: %v", err)
	}
	enough := errors.New("enough")
	if _, err := control.Verify(t.Context(), state, 3*time.Hour, func(bridge.Difference) error { return enough }); !errors.Is(err, enough) {
		t.Error(err)
	}
	<-left // who does not listen any more is not read for
	if _, err := control.Verify(t.Context(), state, 0, pass); err == nil || !strings.Contains(err.Error(), "nothing that can be asked") {
		t.Error(err)
	}
	if _, err := control.Verify(t.Context(), t.TempDir(), time.Hour, pass); !errors.Is(err, control.ErrNotRunning) {
		t.Error(err)
	}
}

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
