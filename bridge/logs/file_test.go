package logs

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"
)

// rig is a log whose clock and disk the test has in its hands.
type rig struct {
	*testing.T
	*File
	at   time.Time
	fail error
	room *int // bytes that the disk still takes; nil: as many as there are
	stay bool // what was written of them cannot be taken back
}

// tight is a file on a disk that may be full.
type tight struct {
	logDisk
	rig *rig
}

func (d *tight) Write(b []byte) (int, error) {
	if d.rig.room == nil || *d.rig.room >= len(b) {
		return d.logDisk.Write(b)
	}
	n, err := d.logDisk.Write(b[:*d.rig.room])
	return n, errors.Join(errors.New("no space left"), err)
}

func (d *tight) Truncate(size int64) error {
	if d.rig.stay {
		return errors.New("read only")
	}
	return d.logDisk.Truncate(size)
}

func newRig(t *testing.T, size int64, days int) *rig {
	r := &rig{T: t, at: time.Date(2026, 11, 27, 12, 0, 0, 0, time.Local)}
	r.File = Open(filepath.Join(t.TempDir(), "log"), size, time.Duration(days)*24*time.Hour)
	r.now = func() time.Time { return r.at }
	open := r.open
	r.open = func(path string) (logDisk, error) {
		if r.fail != nil {
			return nil, r.fail
		}
		disk, err := open(path)
		return &tight{disk, r}, err
	}
	t.Cleanup(func() { r.Close() })
	return r
}

func (r *rig) line(text string) {
	r.Helper()
	if n, err := r.Write([]byte(text + "\n")); n != len(text)+1 || err != nil {
		r.Errorf("a log must not fail: %d %v", n, err)
	}
}

func (r *rig) holds(want ...string) {
	r.Helper()
	entries, err := os.ReadDir(r.folder)
	if err != nil {
		r.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	if !slices.Equal(names, want) {
		r.Errorf("the folder holds %q, want %q", names, want)
	}
}

func (r *rig) text(name string) string {
	r.Helper()
	b, err := os.ReadFile(filepath.Join(r.folder, name))
	if err != nil {
		r.Error(err)
	}
	return string(b)
}

// A day has a file, a full one is followed by another, and a new process goes on in the newest.
func TestDatedFiles(t *testing.T) {
	r := newRig(t, 1000, 30) // 100 bytes a file
	r.line("one")
	r.line("two")
	r.at = r.at.Add(24 * time.Hour)
	r.line("three")
	r.line(strings.Repeat("x", 98)) // does not fit behind it
	r.line("four")
	r.holds("limsbridge-2026-11-27.jsonl", "limsbridge-2026-11-28.1.jsonl", "limsbridge-2026-11-28.2.jsonl", "limsbridge-2026-11-28.jsonl")
	if got := r.text("limsbridge-2026-11-27.jsonl"); got != "one\ntwo\n" {
		t.Errorf("%q", got)
	}
	next := &rig{T: t, File: Open(r.folder, 1000, 0), at: r.at}
	next.now = func() time.Time { return next.at }
	defer next.Close()
	next.line("five")
	if got := r.text("limsbridge-2026-11-28.2.jsonl"); got != "four\nfive\n" {
		t.Errorf("%q", got)
	}
	if r.Problem() != nil {
		t.Error(r.Problem())
	}
}

// The oldest go by age and by size, and nothing goes that is not the log's.
func TestTidy(t *testing.T) {
	r := newRig(t, 1000, 30)
	if err := os.MkdirAll(r.folder, 0o700); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"limsbridge-2026-10-01.jsonl", "limsbridge-2026-10-28.jsonl", "limsbridge-2026-10-01.jsonl.gz", "notes.txt", "limsbridge-old.jsonl"} {
		if err := os.WriteFile(filepath.Join(r.folder, name), []byte("kept\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	r.line("today")
	r.holds("limsbridge-2026-10-01.jsonl.gz", "limsbridge-2026-10-28.jsonl", "limsbridge-2026-11-27.jsonl", "limsbridge-old.jsonl", "notes.txt")
	for i := range 40 {
		r.line(fmt.Sprintf("%090d", i))
	}
	var sum int64
	files, err := r.files()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		sum += f.size
	}
	if sum > 1000 || sum < 700 {
		t.Errorf("%d bytes of at most 1000: %+v", sum, files)
	}
}

// A file that cannot be opened stops nobody: lines wait, the file is named, and all come in order.
func TestLockedFile(t *testing.T) {
	r := newRig(t, 0, 0)
	r.fail = &fs.PathError{Op: "open", Path: "x", Err: errors.New("used by another process")}
	r.line("one")
	r.fail = nil
	r.line("two") // not tried again so soon
	if err := r.Problem(); err == nil || !strings.Contains(err.Error(), filepath.Join(r.folder, "limsbridge-2026-11-27.jsonl")) || !strings.Contains(err.Error(), "used by another") {
		t.Errorf("which file, and why: %v", err)
	}
	r.at = r.at.Add(again)
	r.line("three")
	if got := r.text("limsbridge-2026-11-27.jsonl"); got != "one\ntwo\nthree\n" || r.Problem() != nil {
		t.Errorf("%q %v", got, r.Problem())
	}
	r.at = r.at.Add(24 * time.Hour)
	r.fail = errors.New("locked")
	for range 3 {
		r.line(strings.Repeat("y", backlog/2-1))
	}
	r.at = r.at.Add(again)
	r.fail = nil
	r.line("last")
	if got := r.text("limsbridge-2026-11-28.jsonl"); !strings.Contains(got, `"lines":1}`) || !strings.Contains(got, "last\n") {
		t.Errorf("what was lost is not told of: %d bytes", len(got))
	}
}

// What a full disk took of a line is taken back, or stands on a line of its own; no line comes twice.
func TestFullDisk(t *testing.T) {
	for _, stay := range []bool{false, true} {
		r := newRig(t, 0, 0)
		r.line("one")
		room := 5
		r.room, r.stay = &room, stay
		r.line("two and more")
		if err := r.Problem(); err == nil || !strings.Contains(err.Error(), "no space left") {
			t.Error(err)
		}
		r.line("three")
		r.room, r.at = nil, r.at.Add(again)
		r.line("four")
		want := "one\ntwo and more\nthree\nfour\n"
		if stay || runtime.GOOS == "windows" { // a file that is only added to cannot be cut there
			want = "one\ntwo a\ntwo and more\nthree\nfour\n"
		}
		if got := r.text("limsbridge-2026-11-27.jsonl"); got != want || r.Problem() != nil {
			t.Errorf("%q %v", got, r.Problem())
		}
	}
}

// What is written is what slog makes, line by line.
func TestJSONLines(t *testing.T) {
	r := newRig(t, 0, 0)
	log := slog.New(slog.NewJSONHandler(r.File, nil))
	log.Info("pass", "rows", 7)
	var got struct {
		Msg  string
		Rows int
	}
	if err := json.Unmarshal([]byte(r.text("limsbridge-2026-11-27.jsonl")), &got); err != nil || got.Msg != "pass" || got.Rows != 7 {
		t.Errorf("%+v %v", got, err)
	}
}

func TestPlain(t *testing.T) {
	var got []string
	log := slog.New(Plain(slog.LevelWarn, func(level slog.Level, text string) { got = append(got, level.String()+" "+text) }))
	log.Info("not for the system's log")
	log.With("source", "orders").Warn("the LIMS database", "notice", "it went back")
	log.Error("the ledger failed")
	want := []string{`WARN msg="the LIMS database" source=orders notice="it went back"`, `ERROR msg="the ledger failed"`}
	if !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
}
