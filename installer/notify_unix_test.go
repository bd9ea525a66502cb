//go:build !windows

package installer

import (
	"net"
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// What systemd hears, each state once; what the service starts does not find the socket.
func TestNotifier(t *testing.T) {
	path := filepath.Join(t.TempDir(), "n")
	l, err := (&net.ListenConfig{}).ListenPacket(t.Context(), "unixgram", path)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	t.Setenv("NOTIFY_SOCKET", path)
	if !Managed() {
		t.Error("a manager's process does not know it")
	}
	n := NewNotifier()
	if os.Getenv("NOTIFY_SOCKET") != "" {
		t.Error("it is handed on")
	}
	n.Ready("not ready: two\nlines")
	n.Ready("not ready: two\nlines")
	n.Stopping()
	for _, want := range []string{"READY=1\nSTATUS=not ready: two; lines", "STOPPING=1\nSTATUS=finishing what is under way"} {
		b := make([]byte, 1000)
		k, _, err := l.ReadFrom(b)
		if err != nil || string(b[:k]) != want {
			t.Errorf("%q %v, want %q", b[:k], err, want)
		}
	}
	NewNotifier().Ready("nobody hears it")
	if Managed() {
		t.Error("a process of nobody takes itself for managed")
	}
}

// What root leaves in a folder goes to its user; links and files with a second name stay.
func TestHandOver(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root gives files away")
	}
	dir := t.TempDir()
	outside := filepath.Join(t.TempDir(), "outside")
	for _, p := range []string{outside, filepath.Join(dir, "secret")} {
		if err := os.WriteFile(p, nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink(outside, filepath.Join(dir, "link")); err != nil {
		t.Fatal(err)
	}
	if err := os.Link(outside, filepath.Join(dir, "name")); err != nil {
		t.Skip("the temporary folders are not on one volume")
	}
	if err := HandOver(dir, 12345, 12346); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]uint32{dir: 12345, filepath.Join(dir, "secret"): 12345, outside: 0} {
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		if got := info.Sys().(*syscall.Stat_t); got.Uid != want {
			t.Errorf("%s belongs to %d, want %d", path, got.Uid, want)
		}
	}
}
