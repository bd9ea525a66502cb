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
