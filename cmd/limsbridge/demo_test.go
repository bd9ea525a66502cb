package main

import (
	"bytes"
	"errors"
	"path/filepath"
	"strings"
	"testing"
)

// TestDemoCommand makes a small demonstration as the command line does, with the bridge that run
// starts.
func TestDemoCommand(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	c := root()
	c.SetOut(&out)
	c.SetArgs([]string{"demo", "--orders", "10", "--for", "1s", "--seed", "11", "--keep", filepath.Join(t.TempDir(), "demo")})
	if err := c.ExecuteContext(t.Context()); err != nil {
		t.Fatalf("%v\n%s", err, out.String())
	}
	if text := out.String(); !strings.Contains(text, "It adds up") || !strings.Contains(text, "(seed 11)") {
		t.Error(text)
	}
}

func TestDemoFlags(t *testing.T) {
	for _, args := range [][]string{{"--orders", "0"}, {"--orders", "10001"}, {"--for", "10ms"}, {"--for", "25h"}, {"--seed", "x"}} {
		c := root()
		c.SetArgs(append([]string{"demo"}, args...))
		var exit *exitError
		if err := c.ExecuteContext(t.Context()); !errors.As(err, &exit) || exit.status != exitConfig {
			t.Errorf("%v: %v", args, err)
		}
	}
}
