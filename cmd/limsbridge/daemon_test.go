package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"limsbridge/bridge"
	"limsbridge/bridge/control"
	"limsbridge/config"
)

// What keeps a service from being ready, and the command line from reaching it, is told once, however
// often it is tried; and to be stopped meanwhile is no failure.
func TestToldOnce(t *testing.T) {
	dir := t.TempDir()
	blocked := filepath.Join(dir, "file")
	if err := os.WriteFile(blocked, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		cfg := config.Blank(filepath.Join(dir, "limsbridge.yaml"))
		cfg.State = filepath.Join(blocked, "state") // no folder can be made there
		var log bytes.Buffer
		var tries atomic.Int32
		ctx, stop := context.WithCancel(t.Context())
		d := newDaemon(cfg.Path, func() (*config.Config, config.Problems) {
			if tries.Add(1) == 50 {
				stop() // in the middle of reading the file
			}
			return cfg, config.Problems{{File: cfg.Path, What: "it is wrong"}}
		}, slog.New(slog.NewTextHandler(&log, nil)))
		if err := d.run(ctx); err != nil {
			t.Errorf("stopped, it ended with %v", err)
		}
		for _, text := range []string{"cannot reach", notReadyLine} {
			if n := strings.Count(log.String(), text); n != 1 {
				t.Errorf("told %d times in %d tries: %s", n, tries.Load(), text)
			}
		}
	})
}

// What is in the way for days is told once a day.
func TestToldDaily(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		d := newDaemon("limsbridge.yaml", nil, slog.New(slog.NewTextHandler(&log, nil)))
		for range 3 * 24 {
			d.notReady(errors.New("no ledger"))
			time.Sleep(time.Hour)
		}
		if n := strings.Count(log.String(), notReadyLine); n != 3 {
			t.Errorf("told %d times in 3 days", n)
		}
	})
}

// A full disk lets everything be opened, and fails the first write: that it runs is only said again once a
// pass was made.
func TestRunningIsSaidAfterAPass(t *testing.T) {
	var log bytes.Buffer
	d := newDaemon("limsbridge.yaml", nil, slog.New(slog.NewTextHandler(&log, nil)))
	d.cfg = config.Blank("limsbridge.yaml")
	full := errors.New("the ledger failed: no space left on device")
	for range 3 {
		if !d.saidNotReady() {
			d.runs(d.cfg)
		}
		d.notReady(full)
	}
	d.passed(&bridge.Summary{}, nil)
	d.passed(&bridge.Summary{}, nil)
	d.notReady(full)
	var said []string
	for line := range strings.SplitSeq(log.String(), "\n") {
		for _, word := range []string{"msg=running", "msg=pass", "not ready"} {
			if strings.Contains(line, word) {
				said = append(said, word)
			}
		}
	}
	want := []string{"msg=running", "not ready", "msg=running", "msg=pass", "msg=pass", "not ready"}
	if !slices.Equal(said, want) {
		t.Errorf("the log says %q, want %q", said, want)
	}
}

// Reloads, passes, questions and commands at once: each is answered, the last configuration is the one
// in force, and the ledger is closed in order. It is for the race detector above all.
func TestReloadStorm(t *testing.T) {
	dir := t.TempDir()
	lab(t, dir, "value TEXT, unit TEXT, status TEXT")
	path := file(t, dir, "limsbridge.yaml", `mode: observe
time_zone: UTC
patient_check: off
lims: {type: sqlite, file: lab.db, orders: whoop_orders, results: whoop_results, pace: 0, every: 1h}
whoop: {url: "http://127.0.0.1:9", client_id: a, client_secret: b}
status:
  orders: {U: accepted, A: complete}
  results: {A: released}
tests:
  CBC: {results: {WBC: {code: WBC}}}
`)
	c := root()
	c.SetArgs([]string{"init", "--lims", "generic", "--db", "sqlite", "--dir", dir})
	c.SetOut(new(bytes.Buffer))
	if status := execute(t.Context(), c); status != 0 {
		t.Fatal("no ledger")
	}
	d := newDaemon(path, func() (*config.Config, config.Problems) { return config.Load(path) }, slog.New(slog.DiscardHandler))
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- d.run(ctx) }()
	if err := d.reload(t.Context()); err != nil { // also while it begins
		t.Fatal(err)
	}
	var all sync.WaitGroup
	each := func(n int, do func() error) {
		for range n {
			all.Go(func() {
				for range 20 {
					if err := do(); err != nil {
						t.Error(err)
					}
				}
			})
		}
	}
	a := d.answers()
	each(2, func() error { return a.Reload(t.Context()) })
	each(1, func() error { // of these a reload may end one
		_, _ = a.Status()
		_, _ = a.Holds()
		_, _, _ = d.passNow(t.Context())
		return nil
	})
	each(1, func() error {
		var errs bytes.Buffer
		if status := a.Command(t.Context(), control.Call{Args: []string{"codes", "--"}, Version: version}, new(bytes.Buffer), &errs); status != 0 && !strings.Contains(errs.String(), meanwhile) {
			return fmt.Errorf("status %d: %s", status, errs.String())
		}
		return nil
	})
	all.Wait()
	if err := d.reload(t.Context()); err != nil {
		t.Error(err)
	}
	if s, err := d.status(); err != nil || s.Changed || s.ConfigHash == "" {
		t.Errorf("%+v %v", s, err)
	}
	stop()
	select {
	case err := <-ended:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(time.Minute):
		t.Fatal("it does not end")
	}
}
