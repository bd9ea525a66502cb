package control_test

import (
	"context"
	"errors"
	"os"
	"os/user"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"limsbridge/bridge"
	"limsbridge/bridge/control"
)

func TestActs(t *testing.T) {
	state := t.TempDir()
	if err := control.Do(t.Context(), state, control.Act{Act: "pause"}); !errors.Is(err, control.ErrNotRunning) {
		t.Fatalf("without a bridge: %v", err)
	}
	// A socket that a killed process left behind answers nobody and is replaced.
	if err := os.WriteFile(filepath.Join(state, "control.sock"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	acts := make(chan control.Act, 1)
	resolved := make(chan bridge.Resolution, 1)
	ended := make(chan error, 1)
	go func() {
		ended <- control.Serve(ctx, state, control.Bridge{
			Act: func(_ context.Context, a control.Act) error {
				if a.By == "" {
					return errors.New("who asks?")
				}
				acts <- a
				return nil
			},
			Resolve: func(_ context.Context, s bridge.Resolution) error { resolved <- s; return nil },
			Holds: func() ([]bridge.Held, error) {
				return []bridge.Held{{ID: 7, Kind: bridge.Doubt, Key: bridge.Key{Kind: bridge.RequisitionKey}}}, nil
			},
		})
	}()
	ask := control.Act{Act: "pause", Tests: []string{"CBC"}, By: "A. Lab", Why: "reagent recall", User: "somebody"}
	deadline := time.Now().Add(10 * time.Second)
	for {
		err := control.Do(t.Context(), state, ask)
		if err == nil {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal(err)
		}
		runtime.Gosched() // until it listens
	}
	got := <-acts
	if got.Act != "pause" || got.Tests[0] != "CBC" || got.By != "A. Lab" || got.Why != "reagent recall" {
		t.Errorf("the bridge was asked %+v", got)
	}
	if me, err := user.Current(); runtime.GOOS == "linux" && err == nil && got.User != me.Username {
		t.Errorf("the user is %q, as the caller said; the kernel says %q", got.User, me.Username)
	}
	if info, err := os.Stat(filepath.Join(state, "control.sock")); err != nil || runtime.GOOS != "windows" && info.Mode().Perm() != 0o600 {
		t.Errorf("the socket is open to others: %v %v", info.Mode(), err)
	}
	if err := control.Do(t.Context(), state, control.Act{Act: "pause"}); err == nil || err.Error() != "who asks?" {
		t.Errorf("the bridge's own word is lost: %v", err)
	}
	if holds, err := control.Holds(t.Context(), state); err != nil || len(holds) != 1 || holds[0].ID != 7 {
		t.Errorf("holds: %v %v", holds, err)
	}
	if err := control.Resolve(t.Context(), state, bridge.Resolution{IDs: []uint64{7}, Verdict: bridge.WasReceived}); err != nil {
		t.Error(err)
	} else if s := <-resolved; s.IDs[0] != 7 || s.Verdict != bridge.WasReceived || s.User == "" && runtime.GOOS == "linux" {
		t.Errorf("resolved %+v", s)
	}
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}
