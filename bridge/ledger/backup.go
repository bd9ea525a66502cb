package ledger

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"strings"
	"time"

	"go.etcd.io/bbolt"
)

// manifestName is the file of a backup that is written last: without it a backup is not whole.
const manifestName = "manifest.json"

// manifestVersion is the version of a backup's form.
const manifestVersion = 1

// Manifest says what a backup holds.
type Manifest struct {
	Version int       `json:"limsbridge_backup"` // manifestVersion
	At      time.Time `json:"at"`
	Event   uint64    `json:"event"` // the last one in its journal
	Sum     sum       `json:"sum"`   // of that line
	Files   []File    `json:"files"`
}

// File is one file of a backup.
type File struct {
	Path   string `json:"path"` // within the backup, with slashes
	Size   int64  `json:"size"`
	SHA256 string `json:"sha256"`
}

// Key reports whether the backup holds the fingerprint key.
func (m *Manifest) Key() bool { return m.has(keyName) }

func (m *Manifest) has(name string) bool {
	for _, f := range m.Files {
		if f.Path == name {
			return true
		}
	}
	return false
}

// Backup writes a copy of the ledger into the folder to, which must be new or empty: the bbolt file as
// of one instant, the journal up to at least that instant, the fingerprint key unless withoutKey, and
// at last a manifest with the SHA-256 of each. The ledger may be in use, and may be read-only. Who
// has the key can try out which values the fingerprints stand for; without it the backup cannot be
// used unless the key was kept elsewhere.
func (l *Ledger) Backup(to string, withoutKey bool, at time.Time) (m *Manifest, err error) {
	if err := emptyFolder(to); err != nil {
		return nil, err
	}
	if err := l.Flush(); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(journalFolder(to), 0o700); err != nil {
		return nil, err
	}
	m = &Manifest{Version: manifestVersion, At: instant(at)}
	if !withoutKey {
		if err := m.add(to, keyName, filepath.Join(l.dir, keyName)); err != nil {
			return nil, err
		}
	}
	if err := copyFile(l.store, filepath.Join(to, storeName)); err != nil {
		return nil, err
	}
	if err := m.note(to, storeName); err != nil {
		return nil, err
	}
	// The journal after it: it may be ahead of the bbolt file, never behind.
	files, err := journalFiles(journalFolder(l.dir))
	if err != nil {
		return nil, err
	}
	for _, n := range files {
		if err := m.add(to, path.Join(journalName, n.String()), filepath.Join(journalFolder(l.dir), n.String())); err != nil {
			return nil, err
		}
	}
	at2, err := storePosition(filepath.Join(to, storeName))
	if err != nil {
		return nil, err
	}
	end, err := follow(journalFolder(to), at2, nil)
	if err != nil {
		return nil, fmt.Errorf("the copy is of no use: %w; see `limsbridge ledger verify`", err)
	}
	m.Event, m.Sum = end.Seq, end.Sum
	b, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		return nil, err
	}
	d := systemDisk{}
	if err := errors.Join(d.SyncFolder(journalFolder(to)), d.SyncFolder(to)); err != nil {
		return nil, err
	}
	if err := writeFile(filepath.Join(to, manifestName), bytes.NewReader(append(b, '\n'))); err != nil {
		return nil, err
	}
	return m, d.SyncFolder(to)
}

// emptyFolder makes a folder, or finds it empty.
func emptyFolder(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	entries, err := os.ReadDir(dir)
	if err == nil && len(entries) > 0 {
		return fmt.Errorf("%s is not empty: a backup goes into a folder of its own, and never overwrites anything; name a new one", dir)
	}
	return err
}

// add copies a file into the backup. Of a journal file it takes the whole lines: another may be
// being written.
func (m *Manifest) add(to, name, from string) error {
	f, err := os.Open(from)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	size := info.Size()
	if strings.HasSuffix(name, fileSuffix) {
		if size, err = wholeLines(f, size); err != nil {
			return err
		}
	}
	if err := writeFile(filepath.Join(to, filepath.FromSlash(name)), io.NewSectionReader(f, 0, size)); err != nil {
		return err
	}
	return m.note(to, name)
}

// wholeLines returns where the last newline of the first size bytes ends.
func wholeLines(f io.ReaderAt, size int64) (int64, error) {
	const block = 64 << 10
	for end := size; end > 0; {
		b := make([]byte, min(block, end))
		if _, err := f.ReadAt(b, end-int64(len(b))); err != nil && !errors.Is(err, io.EOF) {
			return 0, err
		}
		if i := bytes.LastIndexByte(b, '\n'); i >= 0 {
			return end - int64(len(b)) + int64(i) + 1, nil
		}
		end -= int64(len(b))
	}
	return 0, nil
}

// note adds a file that is in the backup to the manifest: what is on the disk, not what was meant.
func (m *Manifest) note(to, name string) error {
	f, err := sumFile(to, name)
	if err == nil {
		m.Files = append(m.Files, f)
	}
	return err
}

func sumFile(dir, name string) (File, error) {
	f, err := os.Open(filepath.Join(dir, filepath.FromSlash(name)))
	if err != nil {
		return File{}, err
	}
	defer func() { _ = f.Close() }()
	h := sha256.New()
	n, err := io.Copy(h, f)
	return File{Path: name, Size: n, SHA256: hex.EncodeToString(h.Sum(nil))}, err
}

// writeFile writes a file that must not exist, and makes it durable.
func writeFile(path string, from io.Reader) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(f, from)
	return errors.Join(err, f.Sync(), f.Close())
}

// ReadBackup reads the manifest of a backup and compares every file with it.
func ReadBackup(dir string) (*Manifest, error) {
	b, err := os.ReadFile(filepath.Join(dir, manifestName))
	if errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("%s holds no %s: it is no backup, or one that did not finish", dir, manifestName)
	}
	if err != nil {
		return nil, err
	}
	m := &Manifest{}
	if err := json.Unmarshal(b, m); err != nil || m.Version < 1 {
		return nil, fmt.Errorf("%s cannot be read as the manifest of a backup", filepath.Join(dir, manifestName))
	}
	if m.Version > manifestVersion {
		return nil, fmt.Errorf("the backup in %s: %w (its form is %d, this one knows %d); use that version", dir, ErrNewer, m.Version, manifestVersion)
	}
	journals := 0
	for _, want := range m.Files {
		folder, name := path.Split(want.Path)
		_, journal := parseFileName(name)
		if journal = journal && folder == journalName+"/"; journal {
			journals++
		}
		if !journal && want.Path != storeName && want.Path != keyName {
			return nil, fmt.Errorf("the manifest in %s names %q, which is no file of a backup", dir, want.Path)
		}
		have, err := sumFile(dir, want.Path)
		if err != nil {
			return nil, fmt.Errorf("the backup in %s is not whole: %w", dir, err)
		}
		if have != want {
			return nil, fmt.Errorf("the backup in %s is damaged: %s is not as it was written (its SHA-256 differs); use another one", dir, want.Path)
		}
	}
	if !m.has(storeName) || journals == 0 {
		return nil, fmt.Errorf("the backup in %s holds no %s or no journal: it is of no use", dir, storeName)
	}
	return m, nil
}

// storePosition returns the line of the journal at which a bbolt file stands.
func storePosition(path string) (p position, err error) {
	db, err := openStore(path, true, lockPatience)
	if err != nil {
		return p, err
	}
	err = guard(func() error {
		return db.View(func(tx *bbolt.Tx) error {
			meta := tx.Bucket(metaBucket)
			if meta == nil || !decodes(meta.Get(appliedKey), &p) {
				return fmt.Errorf("%s: %w: it does not say where it stands", path, ErrDamaged)
			}
			return nil
		})
	})
	return p, errors.Join(err, db.Close())
}
