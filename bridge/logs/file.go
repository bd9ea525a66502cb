// Package logs writes what happens where the people of a machine look for it: lines of JSON into
// dated files, the worse ones also into the system's own log.
//
// It promises that a log never stops the service: while a file cannot be written, lines wait in
// memory, up to a bound, and are written when it can be. Files are never renamed, so that nothing
// has to be closed by whoever reads them: the next one has the next date or number. The oldest are
// removed by age and by the size of all together. What is logged is the business of the caller.
package logs

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"
)

const (
	// again is how long a file that cannot be written rests: a virus scanner or a backup lets go of
	// it within seconds, a full disk is not pressed.
	again = 10 * time.Second
	// backlog is how many bytes wait in memory meanwhile: a day of a quiet service.
	backlog = 256 << 10
	// parts is in how many files the allowed size is divided, so that the oldest part can go.
	parts = 10
)

// File writes lines into dated files of a folder. The zero value is not usable; see Open.
type File struct {
	folder string
	size   int64 // of all files together
	age    time.Duration
	now    func() time.Time
	open   func(path string) (logDisk, error)

	mu      sync.Mutex
	file    logDisk
	day     string
	number  int
	written int64     // into the present file
	waiting []byte    // lines that could not be written yet
	lost    int       // lines that did not fit there
	torn    bool      // the last line of the file is a part of one
	failed  error     // why the last try failed
	retry   time.Time // when the next one is due
}

// logDisk is the file of a log, as far as it is needed.
type logDisk interface {
	io.WriteCloser
	Name() string
	Stat() (os.FileInfo, error)
	Truncate(size int64) error
}

// Open returns a writer into files limsbridge-DATE.jsonl of that folder, which together take at most
// about size bytes and are at most so old; 0 is no limit. It touches nothing before the first line.
func Open(folder string, size int64, age time.Duration) *File {
	return &File{
		folder: folder, size: size, age: age, now: time.Now,
		open: func(path string) (logDisk, error) {
			return os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o640) //nolint:gosec // the process's umask decides: under the unit (0077) nobody but the service and root reads it
		},
	}
}

// Write writes one line. It never fails: what cannot be written now waits, and what does not fit
// there is counted.
func (f *File) Write(line []byte) (int, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.failed != nil && f.now().Before(f.retry) {
		f.keep(line)
		return len(line), nil
	}
	if err := f.flush(line); err != nil {
		f.failed, f.retry = err, f.now().Add(again)
		f.keep(line)
	}
	return len(line), nil
}

// Problem says why lines wait in memory instead of being written, and which file it is; nil: they
// do not.
func (f *File) Problem() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.failed
}

// Close writes what still waits, if it can, and closes the file.
func (f *File) Close() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	var err error
	if len(f.waiting) > 0 {
		err = f.flush(nil)
	}
	return errors.Join(err, f.shut())
}

func (f *File) keep(line []byte) {
	if len(f.waiting)+len(line) > backlog {
		f.lost++
		return
	}
	f.waiting = append(f.waiting, line...)
}

// flush writes what waits, and then the line.
func (f *File) flush(line []byte) error {
	if err := f.choose(int64(len(f.waiting) + len(line))); err != nil {
		return err
	}
	var begin []byte
	if f.torn {
		begin = []byte("\n")
	}
	text := slices.Concat(begin, f.waiting, line)
	if f.lost > 0 {
		text = fmt.Appendf(text, `{"time":%q,"level":"WARN","msg":"lines of this log were lost while it could not be written","lines":%d}`+"\n", f.now().Format(time.RFC3339Nano), f.lost)
	}
	n, err := f.file.Write(text)
	if err != nil {
		err = fmt.Errorf("the log file %s cannot be written: %w", f.file.Name(), err)
		if n > 0 { // a part is there, and all of it comes again
			f.torn = f.file.Truncate(f.written) != nil
		}
		return errors.Join(err, f.shut())
	}
	f.written += int64(n)
	f.waiting, f.lost, f.failed, f.torn = nil, 0, nil, false
	return nil
}

// choose sees to it that the file of the day is open, and has room.
func (f *File) choose(more int64) error {
	day := f.now().Format(time.DateOnly)
	full := f.size > 0 && f.written > 0 && f.written+more > f.size/parts
	if f.file != nil && f.day == day && !full {
		return nil
	}
	if err := f.shut(); err != nil {
		return err
	}
	if err := os.MkdirAll(f.folder, 0o750); err != nil {
		return fmt.Errorf("the log folder %s: %w", f.folder, err)
	}
	files, err := f.files()
	if err != nil {
		return err
	}
	if f.day != day || full { // a process that starts goes on in the newest file of the day
		f.number = 0
		for _, x := range files {
			if x.day == day {
				f.number = max(f.number, x.number)
			}
		}
		if full {
			f.number++
		}
	}
	f.day = day
	path := filepath.Join(f.folder, fileName(day, f.number))
	if f.file, err = f.open(path); err != nil {
		f.file = nil
		return fmt.Errorf("the log file %s cannot be opened: %w", path, err)
	}
	f.written = 0
	if info, err := f.file.Stat(); err == nil {
		f.written = info.Size()
	}
	f.tidy(append(files, logFile{day: day, number: f.number}))
	return nil
}

func (f *File) shut() error {
	if f.file == nil {
		return nil
	}
	err := f.file.Close()
	f.file = nil
	return err
}

// tidy removes what is too old or too much. What cannot be removed now is tried again with the next
// file.
func (f *File) tidy(files []logFile) {
	oldest := ""
	if f.age > 0 {
		oldest = f.now().Add(-f.age).Format(time.DateOnly)
	}
	slices.SortFunc(files, func(a, b logFile) int { return b.compare(a) }) // newest first
	var sum int64
	for _, x := range files {
		if x.day == f.day && x.number == f.number {
			continue
		}
		path := filepath.Join(f.folder, fileName(x.day, x.number))
		sum += x.size
		if x.day < oldest || f.size > 0 && sum > f.size-f.size/parts {
			_ = os.Remove(path)
		}
	}
}

// logFile is a file of this log.
type logFile struct {
	day    string
	number int
	size   int64
}

func (l logFile) compare(o logFile) int {
	if c := strings.Compare(l.day, o.day); c != 0 {
		return c
	}
	return l.number - o.number
}

var fileForm = regexp.MustCompile(`^limsbridge-(\d{4}-\d{2}-\d{2})(?:\.(\d{1,6}))?\.jsonl$`)

func fileName(day string, number int) string {
	if number == 0 {
		return "limsbridge-" + day + ".jsonl"
	}
	return fmt.Sprintf("limsbridge-%s.%d.jsonl", day, number)
}

// files lists what this log wrote into its folder, and nothing else.
func (f *File) files() ([]logFile, error) {
	entries, err := os.ReadDir(f.folder)
	if err != nil {
		return nil, fmt.Errorf("the log folder %s: %w", f.folder, err)
	}
	var out []logFile
	for _, e := range entries {
		m := fileForm.FindStringSubmatch(e.Name())
		if m == nil || !e.Type().IsRegular() {
			continue
		}
		x := logFile{day: m[1]}
		if m[2] != "" {
			if _, err := fmt.Sscan(m[2], &x.number); err != nil {
				continue
			}
		}
		if info, err := e.Info(); err == nil {
			x.size = info.Size()
		}
		out = append(out, x)
	}
	return out, nil
}
