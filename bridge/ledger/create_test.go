package ledger

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"limsbridge/bridge"
)

// Files and folders are for their owner alone.
func TestPermissions(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("Windows has access lists instead; the installer sets them")
	}
	dir := create(t)
	commitTo(t, open(t, dir, Options{}), lookEvent(1))
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		want := fs.FileMode(0o600)
		if d.IsDir() {
			want = 0o700
		}
		if err == nil && info.Mode().Perm() != want {
			t.Errorf("%s: %v", path, info.Mode())
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestCreateNeverOverwrites(t *testing.T) {
	for _, name := range []string{storeName, keyName, journalName} {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, name), []byte("precious"), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := Create(dir, start, "", ""); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
		if entries, _ := os.ReadDir(dir); len(entries) != 1 {
			t.Errorf("%s: it began nevertheless: %v", name, entries)
		}
	}
	dir := create(t)
	if err := Create(dir, start, "", ""); err == nil {
		t.Error("a second time")
	}
	e := journalOf(t, dir)
	if len(e) != 1 || e[0].Kind != bridge.ActEvent || e[0].Act != CreateAct || e[0].By != "A. Smith" || e[0].User != "root" {
		t.Errorf("%+v", e)
	}
}

func TestOpenRefuses(t *testing.T) {
	for name, c := range map[string]struct {
		prepare func(t *testing.T, dir string)
		want    error
		says    string
	}{
		"nothing there": {func(t *testing.T, dir string) { remove(t, dir) }, ErrMissing, "limsbridge init"},
		"no bbolt file": {func(t *testing.T, dir string) { remove(t, filepath.Join(dir, storeName)) }, ErrMissing, "limsbridge init"},
		"no key":        {func(t *testing.T, dir string) { remove(t, filepath.Join(dir, keyName)) }, ErrMissing, keyName},
		"another key": {func(t *testing.T, dir string) {
			write(t, filepath.Join(dir, keyName), strings.Repeat("ab", keyBytes))
		}, ErrWrongKey, keyName},
		"no key in the key file": {func(t *testing.T, dir string) { write(t, filepath.Join(dir, keyName), "hello") }, ErrWrongKey, keyName},
		"a newer schema": {func(t *testing.T, dir string) {
			meta(t, dir, schemaKey, "2")
		}, ErrNewer, "its format is 2"},
		"no schema": {func(t *testing.T, dir string) { meta(t, dir, schemaKey, "") }, ErrDamaged, "backup"},
		"bad state": {func(t *testing.T, dir string) { meta(t, dir, stateKey, "{") }, ErrDamaged, "backup"},
		"bbolt is no bbolt": {func(t *testing.T, dir string) {
			write(t, filepath.Join(dir, storeName), strings.Repeat("garbage ", 9000))
		}, ErrDamaged, "backup"},
		"bbolt is cut off": {func(t *testing.T, dir string) {
			if err := os.Truncate(filepath.Join(dir, storeName), 2*4096); err != nil {
				t.Fatal(err)
			}
		}, ErrDamaged, "backup"},
		"bbolt is empty": {func(t *testing.T, dir string) {
			write(t, filepath.Join(dir, storeName), "")
		}, ErrMissing, "move the folder away"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := create(t)
			key, err := os.ReadFile(filepath.Join(dir, keyName))
			if err != nil {
				t.Fatal(err)
			}
			c.prepare(t, dir)
			l, err := Open(dir, Options{})
			if err == nil {
				_ = l.Close()
			}
			if !errors.Is(err, c.want) || !strings.Contains(err.Error(), c.says) {
				t.Errorf("got %v, want %v and %q", err, c.want, c.says)
			}
			if err != nil && strings.Contains(err.Error(), string(key[:16])) {
				t.Error("the error shows the key")
			}
		})
	}
	t.Run("another process holds it", func(t *testing.T) {
		dir := create(t)
		open(t, dir, Options{})
		for _, readOnly := range []bool{false, true} {
			if _, err := Open(dir, Options{ReadOnly: readOnly, patience: 1}); !errors.Is(err, ErrLocked) || !strings.Contains(err.Error(), storeName) {
				t.Errorf("read-only %v: %v", readOnly, err)
			}
		}
	})
}
