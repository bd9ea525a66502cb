//go:build !windows

package config

import (
	"fmt"
	"os"
	"os/exec"
	"testing"
)

// forUs leaves a file to its owner, forOthers lets others read it.
func forUs(t *testing.T, path string) { chmod(t, path, 0o600) }

func forOthers(t *testing.T, path string) { chmod(t, path, 0o644) }

func chmod(t *testing.T, path string, mode os.FileMode) {
	t.Helper()
	if err := os.Chmod(path, mode); err != nil {
		t.Fatal(err)
	}
}

// obey types what a person was told to type.
func obey(t *testing.T, told string) {
	t.Helper()
	var path string
	if _, err := fmt.Sscanf(told, "type: chmod 600 %s", &path); err != nil {
		t.Fatalf("told: %s", told)
	}
	if out, err := exec.CommandContext(t.Context(), "chmod", "600", path).CombinedOutput(); err != nil {
		t.Fatalf("%s: %v: %s", told, err, out)
	}
}
