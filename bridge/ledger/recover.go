package ledger

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"limsbridge/bridge"
)

// recover finds bbolt's position in the journal and applies what follows it. Where the two do not
// fit together, everything that is sound is applied nevertheless (to know of an intent is always
// safer), the damaged file stays as it is, and the journal goes on in a new one.
func (l *Ledger) recover(d disk) error {
	if d == nil {
		d = systemDisk{}
	}
	if l.readOnly {
		d = nil
	}
	folder := filepath.Join(l.dir, journalName)
	l.journal = newJournal(d, folder)
	if err := l.journal.open(); err != nil {
		return err
	}
	w := walker{folder: folder, at: l.applied, linked: true, visit: l.replay}
	there, err := w.verify()
	if err != nil {
		return err
	}
	if there {
		if err := w.walk(); err != nil {
			return err
		}
	}
	l.applied, l.journal.last = w.at, w.at
	if w.damage != nil {
		l.recovery.Doubt = w.damage
		l.journal.restart = w.damage.Error()
		if d == nil {
			return nil
		}
		return errors.Join(os.MkdirAll(folder, 0o700), d.SyncFolder(l.dir))
	}
	if w.at.File == l.journal.newest.String() { // otherwise there is not even a header in the newest
		l.journal.size = w.at.End
	}
	l.recovery.Torn = w.torn
	if w.torn == 0 || d == nil {
		return nil
	}
	return truncate(filepath.Join(folder, l.journal.newest.String()), l.journal.size)
}

// replay applies one event of the journal's tail. A long tail is checkpointed on the way, but only
// while the journal is sound.
func (l *Ledger) replay(e bridge.Event, p position, damaged bool) error {
	l.mu.Lock()
	err := l.apply([]bridge.Event{e}, p)
	full := len(l.dirty) >= l.threshold
	l.mu.Unlock()
	l.recovery.Replayed++
	if err != nil || !full || damaged {
		return err
	}
	return l.Flush()
}

// truncate cuts off an unfinished last line. Nobody was told that it was written.
func truncate(path string, size int64) error {
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	return errors.Join(f.Truncate(size), f.Sync(), f.Close())
}

// verify checks that the line at which bbolt stands is in the journal, and notes a damage if it is
// not what bbolt says. there: its sum is, so that the chain behind it can be followed.
func (w *walker) verify() (there bool, err error) {
	p := w.at
	f, err := os.Open(filepath.Join(w.folder, p.File))
	if errors.Is(err, os.ErrNotExist) {
		w.spoil(p.File, p.Start, "the file is missing")
		return false, nil
	}
	if err != nil {
		return false, err
	}
	defer func() { _ = f.Close() }()
	b := make([]byte, max(0, min(p.End-p.Start, lineLimit)))
	if _, err := f.ReadAt(b, p.Start); err != nil && !errors.Is(err, io.EOF) {
		return false, err
	}
	content, s, ok := cutLine(bytes.TrimSuffix(b, []byte("\n")))
	if !ok || s != p.Sum {
		w.spoil(p.File, p.Start, fmt.Sprintf("event %d, which the ledger has applied, is not there", p.Seq))
		return false, nil
	}
	if link(sha256.New(), p.Prev, content) != s {
		w.spoil(p.File, p.Start, fmt.Sprintf("event %d, which the ledger has applied, is not as it was written", p.Seq))
	}
	return true, nil
}

// lineLimit is far above any line's length, so that a damaged position cannot ask for all memory.
const lineLimit = 64 << 20
