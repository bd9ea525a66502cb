package ledger

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"
	"path/filepath"
	"slices"

	"limsbridge/bridge"
)

// Damage is one place where the journal is not as it was written.
type Damage struct {
	File   string // in the journal folder
	Offset int64  // bytes from the file's beginning
	What   string
}

// DamageError is a journal that is not as it was written.
type DamageError struct {
	First Damage
	Count int // of all damages
}

func (e *DamageError) Error() string {
	more := ""
	if e.Count > 1 {
		more = fmt.Sprintf(" (and %d more damages)", e.Count-1)
	}
	return fmt.Sprintf("the journal is not as it was written: %s, byte %d: %s%s", e.First.File, e.First.Offset, e.First.What, more)
}

// ReadJournal checks the whole journal of the ledger in dir and calls yield with every event that
// is as it was written, in order. It returns the first error of yield; a *DamageError, after the
// last event, if anything was damaged; or that a file cannot be read. It changes nothing and may
// run beside a daemon. The oldest files may be missing: they may have been archived.
func ReadJournal(dir string, yield func(bridge.Event) error) error {
	w := walker{folder: journalFolder(dir), visit: func(e bridge.Event, _ position, _ bool) error { return yield(e) }}
	if err := w.walk(); err != nil {
		return err
	}
	if w.damage != nil {
		return w.damage
	}
	return nil
}

// Archived returns how many events were before the first file of the journal in dir: 0 where it goes
// back to the beginning of the ledger.
func Archived(dir string) (uint64, error) {
	files, err := journalFiles(journalFolder(dir))
	if err != nil || len(files) == 0 {
		return 0, err
	}
	f, err := os.Open(filepath.Join(journalFolder(dir), files[0].String()))
	if err != nil {
		return 0, err
	}
	defer func() { _ = f.Close() }()
	line, err := bufio.NewReader(io.LimitReader(f, lineLimit)).ReadBytes('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return 0, err
	}
	var h header
	content, _, ok := cutLine(bytes.TrimSuffix(line, []byte("\n")))
	if !ok || !decodes(content, &h) {
		return 0, nil // a damaged one, which whoever reads the journal is told of
	}
	return h.After, nil
}

// Journal is ReadJournal of this ledger; it sees what was committed.
func (l *Ledger) Journal(yield func(bridge.Event) error) error { return ReadJournal(l.dir, yield) }

// walker reads the journal line by line and checks the chain. A line counts if its sum is that of
// the sum before it, as the file has it, and its own content; so a damaged line does not make those
// behind it worthless.
type walker struct {
	folder string
	visit  func(e bridge.Event, p position, damaged bool) error // damaged: something before it was

	at     position // the last line read; its File "" before the first
	linked bool     // at.Sum is what that line says
	files  []fileName
	hash   hash.Hash
	damage *DamageError // nil: none
	torn   int64        // bytes of an unfinished last line of the newest file
}

// walk reads on from the position at, or from the beginning if that is the zero one.
func (w *walker) walk() (err error) {
	if w.files, err = journalFiles(w.folder); err != nil {
		return err
	}
	w.hash = sha256.New()
	first := 0
	if w.at.File != "" {
		first = slices.IndexFunc(w.files, func(n fileName) bool { return n.String() == w.at.File })
		if first < 0 {
			w.spoil(w.at.File, 0, "the file is missing")
			return nil
		}
	}
	for i := first; i < len(w.files); i++ {
		if err := w.file(w.files[i].String(), i == len(w.files)-1); err != nil {
			return err
		}
	}
	return nil
}

// spoil notes a damage.
func (w *walker) spoil(file string, offset int64, what string) {
	if w.damage == nil {
		w.damage = &DamageError{First: Damage{File: file, Offset: offset, What: what}}
	}
	w.damage.Count++
}

// file reads one file, from behind the position at if that lies in it.
func (w *walker) file(name string, newest bool) error {
	f, err := os.Open(filepath.Join(w.folder, name))
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }()
	var offset int64
	if w.at.File == name {
		offset = w.at.End
	}
	if _, err := f.Seek(offset, io.SeekStart); err != nil {
		return err
	}
	r := bufio.NewReaderSize(f, 64<<10)
	for {
		b, err := r.ReadBytes('\n')
		if errors.Is(err, io.EOF) {
			return w.end(name, offset, b, newest)
		}
		if err != nil {
			return err
		}
		p := position{File: name, Start: offset, End: offset + int64(len(b))}
		offset = p.End
		if err := w.line(p, b[:len(b)-1]); err != nil {
			return err
		}
	}
}

// end judges the bytes behind the last newline of a file. In the newest one they are a line that
// was being written, of which nobody was told, unless it is whole and something else stands in the
// place of its newline: then it was written, told of, and changed.
func (w *walker) end(name string, offset int64, b []byte, newest bool) error {
	if len(b) == 0 {
		return nil
	}
	line := b[:len(b)-1]
	content, s, ok := cutLine(line)
	if ok && link(w.hash, w.at.Sum, content) == s {
		w.spoil(name, offset, "the line has lost its newline")
		return w.line(position{File: name, Start: offset, End: offset + int64(len(b))}, line)
	}
	if newest {
		w.torn = int64(len(b))
	} else {
		w.spoil(name, offset, "the file ends in the middle of a line")
	}
	return nil
}

// line checks one line and visits its event.
func (w *walker) line(p position, b []byte) error {
	content, s, ok := cutLine(b)
	if !ok {
		w.skip(p, "the line has no sum")
		w.linked = false
		return nil
	}
	before, linked := w.at, w.linked
	p.Seq, p.Sum, p.Prev, w.linked = before.Seq, s, before.Sum, true
	if p.Start == 0 {
		return w.header(p, content, before)
	}
	if !linked || link(w.hash, p.Prev, content) != p.Sum {
		w.skip(p, "the line does not fit its sum")
		return nil
	}
	var e bridge.Event
	if !decodes(content, &e) {
		w.skip(p, "the line is no event")
		return nil
	}
	if e.Seq != before.Seq+1 {
		w.spoil(p.File, p.Start, fmt.Sprintf("event %d follows event %d", e.Seq, before.Seq))
		if e.Seq <= before.Seq {
			w.at = p
			return nil
		}
	}
	p.Seq = e.Seq
	w.at = p
	return w.visit(e, p, w.damage != nil)
}

// header checks the first line of a file. Its own sum comes from the sum that it names itself.
func (w *walker) header(p position, content []byte, before position) error {
	var h header
	switch {
	case !decodes(content, &h) || h.Journal < 1:
		w.skip(p, "the file does not begin with a header")
		return nil
	case h.Journal > journalVersion:
		return fmt.Errorf("%s: %w (its format is %d, this one knows %d); install that version again", filepath.Join(w.folder, p.File), ErrNewer, h.Journal, journalVersion)
	case link(w.hash, h.Prev, content) != p.Sum:
		w.spoil(p.File, p.Start, "the header does not fit its sum")
	case before.File != "" && h.Restart == "" && (h.Prev != before.Sum || h.After != before.Seq):
		w.spoil(p.File, p.Start, "the file does not continue the one before")
	}
	p.Prev, p.Seq = h.Prev, h.After
	if h.Restart == "" {
		p.Seq = max(h.After, before.Seq) // one of them is wrong if they differ
	}
	w.at = p
	return nil
}

// skip passes over a line that cannot be used, in whose place one event is missing.
func (w *walker) skip(p position, what string) {
	w.spoil(p.File, p.Start, what)
	p.Seq = w.at.Seq
	if p.Start > 0 {
		p.Seq++
	}
	w.at = p
}

// cutLine cuts a line, without its newline, into its content and its sum.
func cutLine(b []byte) (content []byte, s sum, ok bool) {
	i := len(b) - hex.EncodedLen(len(s)) - 1
	if i < 0 || b[i] != '\t' || bytes.IndexByte(b[:i], '\t') >= 0 {
		return nil, s, false
	}
	return b[:i], s, s.UnmarshalText(b[i+1:]) == nil
}

// decodes reads JSON and reports whether it could: why not does not matter to a damaged line.
func decodes(b []byte, into any) bool { return json.Unmarshal(b, into) == nil }
