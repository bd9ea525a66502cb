//go:build !windows

package config

import "testing"

// Beside a file, but for one in the machine's own folder and those of its instances.
func TestFolders(t *testing.T) {
	for _, tt := range []struct{ file, state, archive, log string }{
		{"/home/lab/limsbridge.yaml", "/home/lab/state", "/home/lab/archive", "/home/lab/log"},
		{"/etc/limsbridge/limsbridge.yaml", "/var/lib/limsbridge", "/var/lib/limsbridge/archive", "/var/log/limsbridge"},
		{"/etc/limsbridge/west/limsbridge.yaml", "/var/lib/limsbridge/west", "/var/lib/limsbridge/west/archive", "/var/log/limsbridge/west"},
		{"/etc/limsbridge.old/limsbridge.yaml", "/etc/limsbridge.old/state", "/etc/limsbridge.old/archive", "/etc/limsbridge.old/log"},
	} {
		c := Blank(tt.file)
		if c.State != tt.state || c.Archive.Folder != tt.archive || c.Log.Folder != tt.log {
			t.Errorf("%s: %s %s %s", tt.file, c.State, c.Archive.Folder, c.Log.Folder)
		}
	}
}
