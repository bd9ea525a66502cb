//go:build !windows

package main

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"limsbridge/config"
)

// TestHandBack: what root makes in the service's folder belongs to the service afterwards, what is
// not root's stays whose it is.
func TestHandBack(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root makes files that are somebody else's")
	}
	const service, other = 65534, 65533
	dir := t.TempDir()
	state := filepath.Join(dir, "state")
	theirs := filepath.Join(state, "theirs")
	for _, err := range []error{
		os.WriteFile(filepath.Join(dir, config.FileName), []byte("mode: observe\n"), 0o600),
		os.Mkdir(state, 0o700), os.Chown(state, service, service),
		os.WriteFile(theirs, nil, 0o600), os.Chown(theirs, other, other),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, args := range [][]string{{"init", "--lims", "generic", "--db", "sqlite"}, {"secret", "set", "lims-password"}} {
		c := root()
		c.SetArgs(append(args, "--config", filepath.Join(dir, config.FileName)))
		c.SetIn(strings.NewReader("typed\n"))
		var said strings.Builder
		c.SetOut(&said)
		c.SetErr(&said)
		if status := execute(t.Context(), c); status != 0 {
			t.Fatalf("%s: %s", args, said.String())
		}
	}
	seen := 0
	err := filepath.WalkDir(state, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		seen++
		want := uint32(service)
		if path == theirs {
			want = other
		}
		if stat, ok := info.Sys().(*syscall.Stat_t); !ok || stat.Uid != want || stat.Gid != want {
			t.Errorf("%s belongs to %d", path, stat.Uid)
		}
		return nil
	})
	if err != nil || seen < 6 {
		t.Errorf("%d files, %v", seen, err)
	}
}
