package ledger

import (
	"errors"
	"os"
	"path/filepath"
	"sync"
	"testing"
)

var errDisk = errors.New("the disk says no")

// flaky is a disk that remembers what was synced, and fails when told to.
type flaky struct {
	mu        sync.Mutex
	synced    map[string]int64 // by path: how many bytes survive a power cut
	unnamed   map[string]bool  // new files whose folder was not synced: gone after a power cut
	failWrite bool             // the next writes write half and fail
	failSync  bool             // the next syncs fail
}

type flakyFile struct {
	*flaky
	f *os.File
}

func (d *flaky) Append(path string) (appender, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if _, err := os.Stat(path); errors.Is(err, os.ErrNotExist) {
		if d.unnamed == nil {
			d.unnamed = map[string]bool{}
		}
		d.unnamed[path] = true
	}
	f, err := systemDisk{}.Append(path)
	if err != nil {
		return nil, err
	}
	return flakyFile{d, f.(systemFile).File}, nil
}

func (d *flaky) SyncFolder(folder string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	for path := range d.unnamed {
		if filepath.Dir(path) == folder {
			delete(d.unnamed, path)
		}
	}
	return nil
}

func (f flakyFile) Write(b []byte) (int, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.failWrite {
		n, _ := f.f.Write(b[:len(b)/2])
		return n, errDisk
	}
	return f.f.Write(b)
}

func (f flakyFile) Sync() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.failSync {
		return errDisk
	}
	info, err := f.f.Stat()
	if err != nil {
		return err
	}
	if f.synced == nil {
		f.synced = map[string]int64{}
	}
	f.synced[f.f.Name()] = info.Size()
	return nil // the bytes need not be on a real disk for a simulated power cut
}

func (f flakyFile) Close() error { return f.f.Close() }

// powerCut copies the ledger in dir as a machine would find it after losing power now: of the
// journal what was synced, and of what was not the first bytes, as keep chooses; no file whose name
// was not. It holds up writers meanwhile.
func (d *flaky) powerCut(t testing.TB, dir string, keep func(unsynced int64) int64) string {
	d.mu.Lock()
	defer d.mu.Unlock()
	to := clone(t, dir)
	files, err := journalFiles(filepath.Join(to, journalName))
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range files {
		path := filepath.Join(journalName, n.String())
		if d.unnamed[filepath.Join(dir, path)] {
			if err := os.Remove(filepath.Join(to, path)); err != nil {
				t.Fatal(err)
			}
			continue
		}
		info, err := os.Stat(filepath.Join(to, path))
		if err != nil {
			t.Fatal(err)
		}
		size, ok := d.synced[filepath.Join(dir, path)]
		if !ok {
			continue
		}
		if err := os.Truncate(filepath.Join(to, path), size+keep(info.Size()-size)); err != nil {
			t.Fatal(err)
		}
	}
	return to
}
