package ledger

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync/atomic"
	"syscall"
	"testing"
)

// What was synced is there after a file system gave up in the middle of work, was repaired and mounted again:
// also what was synced just before it said that it had given up. The instant is a matter of luck, so that each
// run tries some.
func TestSyncedIsThereAfterTheFileSystemGaveUp(t *testing.T) {
	if os.Geteuid() != 0 {
		if os.Getenv("CI") == "true" {
			t.Fatal("only root may mount a disk of a test's own, and CI=true")
		}
		t.Skip("left out: only root may mount a disk of a test's own")
	}
	for name, features := range map[string]string{"extents": "extents", "block maps, as of ext3": "^extents,^64bit"} {
		t.Run(name, func(t *testing.T) {
			for range 20 {
				giveUp(t, features)
			}
		})
	}
}

// giveUp lives through one such failure.
func giveUp(t *testing.T, features string) {
	t.Helper()
	run := func(name string, args ...string) {
		t.Helper()
		var mended *exec.ExitError // of e2fsck; 1: errors were corrected
		if out, err := exec.CommandContext(t.Context(), name, args...).CombinedOutput(); err != nil && (name != "e2fsck" || !errors.As(err, &mended) || mended.ExitCode() > 1) {
			t.Fatalf("%s %v: %v\n%s", name, args, err, out)
		}
	}
	dir := t.TempDir()
	image, folder := filepath.Join(dir, "image"), filepath.Join(dir, "disk")
	if err := errors.Join(os.Mkdir(folder, 0o700), os.WriteFile(image, nil, 0o600), os.Truncate(image, 8<<20)); err != nil {
		t.Fatal(err)
	}
	run("mkfs.ext4", "-q", "-O", features, image)
	run("mount", "-o", "loop,errors=remount-ro", image, folder)
	unmount := func() {
		if err := syscall.Unmount(folder, syscall.MNT_DETACH); err != nil {
			t.Fatal(err)
		}
	}
	path := filepath.Join(folder, "journal")
	f, err := systemDisk{}.Append(path)
	if err == nil {
		err = systemDisk{}.SyncFolder(folder)
	}
	if err != nil {
		t.Fatal(err)
	}
	var synced atomic.Int64
	failed, busy := make(chan error, 1), make(chan struct{})
	go func() {
		for n := int64(1); ; n++ {
			if _, err := fmt.Fprintf(f, "%300d\n", n); err != nil {
				failed <- err
				return
			}
			if err := f.Sync(); err != nil {
				failed <- err
				return
			}
			if synced.Store(n); n == 20 {
				close(busy)
			}
		}
	}()
	<-busy
	run("mount", "-o", "remount,abort", folder)
	t.Logf("%d lines were synced, then: %v", synced.Load(), <-failed)
	unmount()
	_ = f.Close() // of a disk that is gone
	run("e2fsck", "-fy", image)
	run("mount", "-o", "loop", image, folder)
	defer unmount()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if there := int64(bytes.Count(b, []byte("\n"))); there < synced.Load() {
		t.Errorf("%d lines were synced, and %d are there", synced.Load(), there)
	}
}
