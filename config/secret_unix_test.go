//go:build !windows

package config

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
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

// The command that mends a file leaves it readable for the account that needs it.
func TestOpenSecretStaysReadable(t *testing.T) {
	me := os.Geteuid()
	if got := (&openToOthers{path: "/a", owner: me}).cure(); got != "type: chmod 600 /a" {
		t.Errorf("one's own: %s", got)
	}
	got := (&openToOthers{path: "/a", owner: me + 1}).cure()
	if chown := strings.Contains(got, "chown "); chown == (me == 0) || !strings.HasSuffix(got, "chmod 600 /a") {
		t.Errorf("another one's, as uid %d: %s", me, got)
	}
}
