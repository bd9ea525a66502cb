package ledger

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"limsbridge/bridge"
)

// journalVersion is the version of the journal's lines.
const journalVersion = 1

// sum is a link of the chain: SHA-256 of the previous line's sum and this line's JSON.
type sum [sha256.Size]byte

func (s sum) MarshalText() ([]byte, error) { return hex.AppendEncode(nil, s[:]), nil }

func (s *sum) UnmarshalText(b []byte) error {
	if len(b) != hex.EncodedLen(len(s)) {
		return errors.New("a sum has 64 hexadecimal digits")
	}
	if _, err := hex.Decode(s[:], b); err != nil {
		return err
	}
	if again, _ := s.MarshalText(); !bytes.Equal(again, b) {
		return errors.New("a sum is written in small letters")
	}
	return nil
}

// position is a line of the journal, with enough to find it again and to know it.
type position struct {
	Seq   uint64 `json:"seq"` // of the event in it; of the last event before it, if it is a header
	Sum   sum    `json:"sum"`
	Prev  sum    `json:"prev"` // the sum of the line before
	File  string `json:"file"`
	Start int64  `json:"start"` // where the line begins, in bytes
	End   int64  `json:"end"`   // behind its newline
}

// header is the first line of every file. It continues the chain of the file before, and says
// where from, so that a file can also be checked alone.
type header struct {
	Journal int    `json:"journal"` // journalVersion
	After   uint64 `json:"after"`   // the last event's number before this file
	Prev    sum    `json:"prev"`    // the last sum before this file
	// Restart says why this file does not continue the one before: that one is damaged, and
	// stays as it is.
	Restart string `json:"restart,omitempty"`
}

// fileName is the name of a journal file: the month of its first event, and a part from 1; parts
// above 1 begin where the part before is damaged. 2026-11.jsonl, 2026-11_2.jsonl.
type fileName struct {
	month time.Time // its first instant, UTC
	part  int
}

const fileSuffix = ".jsonl"

func month(t time.Time) time.Time {
	t = t.UTC()
	return time.Date(t.Year(), t.Month(), 1, 0, 0, 0, 0, time.UTC)
}

func (n fileName) String() string {
	if n.part > 1 {
		return fmt.Sprintf("%s_%d%s", n.month.Format("2006-01"), n.part, fileSuffix)
	}
	return n.month.Format("2006-01") + fileSuffix
}

func (n fileName) compare(o fileName) int {
	return cmp.Or(n.month.Compare(o.month), cmp.Compare(n.part, o.part))
}

func parseFileName(s string) (n fileName, ok bool) {
	text, part, numbered := strings.Cut(strings.TrimSuffix(s, fileSuffix), "_")
	var err error
	if n.month, err = time.Parse("2006-01", text); err != nil {
		return n, false
	}
	n.part = 1
	if numbered {
		n.part, err = strconv.Atoi(part)
	}
	return n, err == nil && n.String() == s
}

// journalFolder is the journal's folder in the ledger's.
func journalFolder(dir string) string { return filepath.Join(dir, journalName) }

// journalFiles lists the files of a journal folder, oldest first. Files with other names are none
// of ours.
func journalFiles(folder string) (files []fileName, err error) {
	entries, err := os.ReadDir(folder)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	for _, e := range entries {
		if n, ok := parseFileName(e.Name()); ok {
			files = append(files, n)
		}
	}
	slices.SortFunc(files, fileName.compare)
	return files, err
}

// journal is the writing end: it appends to the newest file. Only the committer uses it.
type journal struct {
	disk     disk // nil: a read-only ledger, nothing is written
	folder   string
	newest   fileName // its part is 0 if there is none yet
	size     int64    // of that file
	file     appender // it; nil if there is none yet
	restart  string   // why it must not be continued, but the chain restarts in a new one; "": it may
	last     position
	encoding bytes.Buffer
	encoder  *json.Encoder // into encoding
	hash     hash.Hash
}

func newJournal(d disk, folder string) *journal {
	j := &journal{disk: d, folder: folder, hash: sha256.New()}
	j.encoder = json.NewEncoder(&j.encoding)
	j.encoder.SetEscapeHTML(false)
	return j
}

// open opens the newest file, if there is one, and makes durable what is in it: the process that
// wrote it may have ended before its sync, and nothing may build on lines that can still vanish.
func (j *journal) open() error {
	files, err := journalFiles(j.folder)
	if err != nil || len(files) == 0 {
		return err
	}
	j.newest = files[len(files)-1]
	if j.disk == nil {
		return nil
	}
	if j.file, err = j.disk.Append(filepath.Join(j.folder, j.newest.String())); err != nil {
		return err
	}
	if err := j.disk.SyncFolder(j.folder); err != nil {
		return err
	}
	return j.file.Sync()
}

// append numbers nothing: the events have their numbers. It returns when they are durable; after an
// error nobody knows what is, and the journal must not be used again.
func (j *journal) append(events []bridge.Event) error {
	if j.disk == nil {
		j.last.Seq = events[len(events)-1].Seq
		return nil
	}
	begun, err := j.turn(month(events[0].At))
	if err != nil {
		return err
	}
	j.encoding.Reset()
	at := j.last
	if j.size == 0 {
		h := header{Journal: journalVersion, After: at.Seq, Prev: at.Sum, Restart: j.restart}
		if at, err = j.line(at, at.Seq, h); err != nil {
			return err
		}
	}
	for i := range events {
		if at, err = j.line(at, events[i].Seq, &events[i]); err != nil {
			return err
		}
	}
	point("write", events)
	if _, err := j.file.Write(j.encoding.Bytes()); err != nil {
		return err
	}
	point("written", events)
	if begun {
		if err := j.disk.SyncFolder(j.folder); err != nil {
			return err
		}
	}
	if err := j.file.Sync(); err != nil { // last, since it alone tells whether the disk still writes
		return err
	}
	point("synced", events)
	j.size, j.last, j.restart = at.End, at, ""
	return nil
}

// line encodes one line behind what is encoded already, and returns its position.
func (j *journal) line(before position, seq uint64, content any) (position, error) {
	from := j.encoding.Len()
	if err := j.encoder.Encode(content); err != nil {
		return before, fmt.Errorf("event %d cannot be written: %w", seq, err)
	}
	j.encoding.Truncate(j.encoding.Len() - 1) // Encode's newline
	p := position{Seq: seq, Prev: before.Sum, File: j.newest.String(), Start: j.size + int64(from)}
	p.Sum = link(j.hash, before.Sum, j.encoding.Bytes()[from:])
	j.encoding.WriteByte('\t')
	j.encoding.Write(hex.AppendEncode(j.encoding.AvailableBuffer(), p.Sum[:]))
	j.encoding.WriteByte('\n')
	p.End = j.size + int64(j.encoding.Len())
	return p, nil
}

// link is the sum of a line.
func link(h hash.Hash, prev sum, content []byte) (s sum) {
	h.Reset()
	h.Write(prev[:])
	h.Write(content)
	h.Sum(s[:0])
	return s
}

// turn opens the file for an event of that month: the newest, or a new one if that is of an
// earlier month or may not be continued. It never goes back, whatever the clock says. begun: the
// file is new.
func (j *journal) turn(m time.Time) (begun bool, err error) {
	next := j.newest
	switch {
	case m.After(j.newest.month) || j.newest.part == 0:
		next = fileName{month: m, part: 1}
	case j.restart != "":
		next.part++
	default:
		return false, nil
	}
	if err := j.close(); err != nil {
		return false, err
	}
	j.newest, j.size = next, 0
	j.file, err = j.disk.Append(filepath.Join(j.folder, next.String()))
	return true, err
}

// close closes the open file. Every append was synced.
func (j *journal) close() error {
	if j.file == nil {
		return nil
	}
	err := j.file.Close()
	j.file = nil
	return err
}
