//go:build !windows

package main

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"limsbridge/config"
)

// What root makes beside the configuration can be read by the service's group, whatever root's umask
// is, where the folder has such a group.
func TestInitLetsTheServiceRead(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root gives a folder another group")
	}
	const service = 65534
	defer syscall.Umask(syscall.Umask(0o077))
	for _, tt := range []struct {
		parent, folder, file os.FileMode
	}{{0o750 | os.ModeSetgid, 0o750 | os.ModeDir | os.ModeSetgid, 0o640}, {0o750, 0o700 | os.ModeDir, 0o600}} {
		parent := t.TempDir()
		if err := errors.Join(os.Chown(parent, 0, service), os.Chmod(parent, tt.parent)); err != nil {
			t.Fatal(err)
		}
		folder := filepath.Join(parent, "west")
		if out, status := command(t, "init", "--lims", "generic", "--db", "sqlite", "--dir", folder); status != 0 {
			t.Fatal(out)
		}
		for path, want := range map[string]os.FileMode{folder: tt.folder, filepath.Join(folder, config.FileName): tt.file, filepath.Join(folder, viewsName): tt.file} {
			info, err := os.Stat(path)
			if err != nil {
				t.Fatal(err)
			}
			stat, ok := info.Sys().(*syscall.Stat_t)
			if info.Mode() != want || !ok || tt.parent&os.ModeSetgid != 0 && stat.Gid != service {
				t.Errorf("in %v: %s is %v of group %d, want %v", tt.parent, path, info.Mode(), stat.Gid, want)
			}
		}
	}
}

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
