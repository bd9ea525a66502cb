package main

import (
	"bytes"
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"

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
		tries := 0
		ctx, stop := context.WithCancel(t.Context())
		d := newDaemon(cfg.Path, func() (*config.Config, config.Problems) {
			if tries++; tries == 50 {
				stop() // in the middle of reading the file
			}
			return cfg, config.Problems{{File: cfg.Path, What: "it is wrong"}}
		}, slog.New(slog.NewTextHandler(&log, nil)))
		if err := d.run(ctx); err != nil {
			t.Errorf("stopped, it ended with %v", err)
		}
		for _, text := range []string{"cannot reach", notReadyLine} {
			if n := strings.Count(log.String(), text); n != 1 {
				t.Errorf("told %d times in %d tries: %s", n, tries, text)
			}
		}
	})
}
