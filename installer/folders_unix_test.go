//go:build !windows

package installer

import (
	"os"
	"os/user"
	"path/filepath"
	"strings"
	"testing"
)

// Rights on a folder of the system or of a person are never given to the service, however it is written.
func TestOwnFolder(t *testing.T) {
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink("/etc", link); err != nil {
		t.Fatal(err)
	}
	for folder, own := range map[string]bool{
		"/": false, "/etc": false, "/etc/": false, "/var/log": false, "/var/lib/../log": false, "/home/lab": false, "/root": false, "/tmp": false, "/usr/local/etc": false, link: false,
		"/etc/limsbridge": true, "/etc/limsbridge/west": true, "/var/lib/limsbridge": true, "/home/lab/limsbridge": true, "/opt/limsbridge": true, "/data": true,
	} {
		if err := ownFolder(folder); (err == nil) != own {
			t.Errorf("%s: %v", folder, err)
		}
	}
}

// A unit that is not among our own is a package's, and is not removed.
func TestPackaged(t *testing.T) {
	units := t.TempDir()
	s := Service{Instance: "west"}
	if !s.packaged(units) {
		t.Error("the package's own is taken for ours")
	}
	if err := os.WriteFile(filepath.Join(units, "limsbridge-west.service"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if s.packaged(units) {
		t.Error("ours is taken for the package's")
	}
	if _, err := os.Stat(filepath.Join(unitFolder, "limsbridge.service")); err != nil {
		if err := (Service{}).removable(); err == nil || !strings.Contains(err.Error(), "apt remove limsbridge") {
			t.Errorf("what a package brought: %v", err)
		}
	}
}

// An instance with an account of its own needs folders that this account can enter.
func TestReachable(t *testing.T) {
	me, err := user.Current()
	if err != nil {
		t.Fatal(err)
	}
	parent := t.TempDir()
	defer func(was []string) { shared = was }(shared)
	shared = []string{parent}
	inside := []string{filepath.Join(parent, "west")}
	for _, tt := range []struct {
		name  string
		mode  os.FileMode
		s     Service
		ready bool
	}{
		{"the shared user's", 0, Service{Instance: "west", Account: base, Writes: inside}, true},
		{"the first service's", 0, Service{Account: me.Username, Writes: inside}, true},
		{"shut", 0o600, Service{Instance: "west", Account: me.Username, Reads: inside}, false},
		{"its own", 0o700, Service{Instance: "west", Account: me.Username, Reads: inside}, true},
		{"elsewhere", 0o600, Service{Instance: "west", Account: me.Username, Reads: []string{parent + "-west"}}, true},
		{"of nobody", 0o700, Service{Instance: "west", Account: "no such user", Reads: inside}, false},
	} {
		if err := os.Chmod(parent, tt.mode); err != nil {
			t.Fatal(err)
		}
		if err := tt.s.reachable(); (err == nil) != tt.ready || err != nil && !strings.Contains(err.Error(), "--config") {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
	if err := os.Chmod(parent, 0o700); err != nil {
		t.Fatal(err)
	}
}

func TestShareLeavesTheSystemAlone(t *testing.T) {
	if os.Geteuid() == 0 {
		t.Skip("where it failed it would change the machine's /etc")
	}
	me, err := user.Current()
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range []Service{{Account: me.Username, Reads: []string{"/etc"}}, {Account: me.Username, Writes: []string{"/etc"}}} {
		if err := s.share(); err == nil || !strings.Contains(err.Error(), "not limsbridge's alone") {
			t.Errorf("%+v: %v", s, err)
		}
	}
}
