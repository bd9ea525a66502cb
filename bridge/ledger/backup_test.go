package ledger

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"limsbridge/bridge"
	"limsbridge/whoop"
)

// saved is a ledger in which a report was sent, a backup of it, and then another report.
func saved(t testing.TB, withoutKey bool) (dir, backup string) {
	dir = create(t)
	l := open(t, dir, Options{})
	commitTo(t, l, lookEvent(1), lookEvent(2))
	commitTo(t, l, outcomeEvent(1, commitTo(t, l, intentEvent(1, bridge.SubmitReport)), whoop.Sent))
	backup = filepath.Join(t.TempDir(), "backup")
	m, err := l.Backup(backup, withoutKey, start.Add(2*time.Hour))
	if err != nil || m.Event != 5 || m.Key() == withoutKey {
		t.Fatalf("%+v %v", m, err)
	}
	commitTo(t, l, outcomeEvent(2, commitTo(t, l, intentEvent(2, bridge.SubmitReport)), whoop.Sent))
	commitTo(t, l, intentEvent(3, bridge.SetStatus)) // whose call is running
	return clone(t, dir), backup
}

func sent(t testing.TB, l *Ledger, n byte) bool {
	t.Helper()
	r := load(t, l, n)
	return len(r.Requests) == 1 && len(r.Requests[0].Sent) == 1
}

func restore(dir, backup string) (*Restored, error) {
	return Restore(dir, backup, "A. Smith", "root", "the disk failed", start.Add(3*time.Hour))
}

func TestRestore(t *testing.T) {
	gone := func(names ...string) func(*testing.T, string) {
		return func(t *testing.T, dir string) {
			for _, n := range names {
				remove(t, filepath.Join(dir, n))
			}
		}
	}
	for name, c := range map[string]struct {
		lose func(t *testing.T, dir string)
		held bool // everything starts held
		own  bool // the journal in place was used
		sent bool // the report after the backup is known
	}{
		"the bbolt file is lost":        {gone(storeName), false, true, true},
		"and the key":                   {gone(storeName, keyName), false, true, true},
		"all is lost":                   {func(t *testing.T, dir string) { remove(t, dir) }, true, false, false},
		"the journal is lost too":       {gone(storeName, journalName), true, false, false},
		"the journal's folder is empty": {func(t *testing.T, dir string) { remove(t, filepath.Join(dir, storeName)); remove(t, newest(t, dir)) }, true, false, false},
		"the journal has nothing newer": {func(t *testing.T, dir string) { remove(t, filepath.Join(dir, storeName)); cut(t, newest(t, dir), 3) }, true, true, false},
		"the journal is damaged": {func(t *testing.T, dir string) {
			remove(t, filepath.Join(dir, storeName))
			swap(t, newest(t, dir), `"seq":8,`, `"seq":8, `)
		}, true, true, true},
		"the journal's last line is not whole": {func(t *testing.T, dir string) {
			remove(t, filepath.Join(dir, storeName))
			appendTo(t, newest(t, dir), `{"seq":9`)
		}, false, true, true},
	} {
		t.Run(name, func(t *testing.T) {
			dir, backup := saved(t, false)
			c.lose(t, dir)
			r, err := restore(dir, backup)
			if err != nil {
				t.Fatal(err)
			}
			if r.Held != c.held || r.Own != c.own {
				t.Errorf("%+v", r)
			}
			if names := leftovers(t, dir); len(names) > 0 {
				t.Errorf("left behind: %v", names)
			}
			l := open(t, dir, Options{})
			if rec := l.Recovery(); rec != (Recovery{}) {
				t.Errorf("the start afterwards: %+v", rec)
			}
			if stopped(l) != c.held {
				t.Errorf("stopped: %v", stopped(l))
			}
			if !sent(t, l, 1) || sent(t, l, 2) != c.sent {
				t.Errorf("the report before the backup is known: %v, the one after it: %v", sent(t, l, 1), sent(t, l, 2))
			}
			if c.sent && name != "the journal is damaged" {
				if a := load(t, l, 3).Attempts; len(a) != 1 || a[0].Open() {
					t.Errorf("the status, whose call was running, is not in doubt: %+v", a)
				}
			}
			acts := 0
			if err := ReadJournal(dir, func(e bridge.Event) error {
				if e.Act == RestoreAct && e.By == "A. Smith" && e.User == "root" && e.Why == "the disk failed" && e.Detail == "2026-11-20T10:00:00Z" {
					acts++
				}
				return nil
			}); err != nil && !c.held || acts != 1 {
				t.Errorf("%d acts in the journal, %v", acts, err)
			}
			if err := l.Close(); err != nil {
				t.Fatal(err)
			}
			if _, err := restore(dir, backup); !errors.Is(err, ErrWouldOverwrite) {
				t.Errorf("a second time: %v", err)
			}
		})
	}
}

func TestRestoreRefuses(t *testing.T) {
	withoutStore := func(dir string) error { return os.Remove(filepath.Join(dir, storeName)) }
	for name, c := range map[string]struct {
		withoutKey bool
		do         func(t *testing.T, dir, backup string)
		want       error
		says       string
	}{
		"where a ledger is":                       {false, func(*testing.T, string, string) {}, ErrWouldOverwrite, "move that one file away"},
		"a journal that is older than the backup": {false, func(t *testing.T, dir, _ string) { cut(t, newest(t, dir), 4) }, ErrWouldOverwrite, "keep it"},
		"a journal that went another way": {false, func(t *testing.T, dir, _ string) {
			other := create(t) // the same beginning
			l := open(t, other, Options{})
			for n := range byte(9) {
				commitTo(t, l, lookEvent(50+n))
			}
			copyTo(t, newest(t, other), newest(t, dir))
		}, ErrWouldOverwrite, "not there as it was"},
		"the journal of another ledger": {false, func(t *testing.T, dir, _ string) {
			other := filepath.Join(t.TempDir(), "other")
			must(t, Create(other, start.Add(time.Minute), "B. Jones", "root"))
			copyTo(t, newest(t, other), newest(t, dir))
		}, ErrWouldOverwrite, "another ledger"},
		"another key": {false, func(t *testing.T, dir, _ string) {
			write(t, filepath.Join(dir, keyName), strings.Repeat("ab", keyBytes))
		}, ErrWrongKey, "another ledger"},
		"no key anywhere": {true, func(t *testing.T, dir, _ string) { remove(t, filepath.Join(dir, keyName)) }, nil, "put the key"},
		"no manifest":     {false, func(t *testing.T, _, backup string) { remove(t, filepath.Join(backup, manifestName)) }, nil, "did not finish"},
		"a bad manifest":  {false, func(t *testing.T, _, backup string) { write(t, filepath.Join(backup, manifestName), "{") }, nil, "cannot be read"},
		"a newer manifest": {false, func(t *testing.T, _, backup string) {
			swap(t, filepath.Join(backup, manifestName), `backup": 1`, `backup": 2`)
		}, ErrNewer, "this one knows 1"},
		"a strange file": {false, func(t *testing.T, _, backup string) {
			swap(t, filepath.Join(backup, manifestName), `"fingerprint.key"`, `"../outside"`)
		}, nil, "no file of a backup"},
		"a file too few": {false, func(t *testing.T, _, backup string) { remove(t, newest(t, backup)) }, os.ErrNotExist, "not whole"},
		"a damaged file": {false, func(t *testing.T, _, backup string) { replaceLast(t, filepath.Join(backup, storeName), "x") }, nil, "SHA-256 differs"},
		"a changed line": {false, func(t *testing.T, _, backup string) { swap(t, newest(t, backup), `"CBC"`, `"CBD"`) }, nil, "SHA-256 differs"},
	} {
		t.Run(name, func(t *testing.T) {
			dir, backup := saved(t, c.withoutKey)
			if name != "where a ledger is" {
				must(t, withoutStore(dir))
			}
			c.do(t, dir, backup)
			before := files(t, journalFolder(dir))
			_, err := restore(dir, backup)
			if err == nil || c.want != nil && !errors.Is(err, c.want) || !strings.Contains(err.Error(), c.says) {
				t.Errorf("got %v, want %v and %q", err, c.want, c.says)
			}
			for name, text := range files(t, journalFolder(dir)) {
				if before[name] != text {
					t.Errorf("%s was changed", name)
				}
			}
			if names := leftovers(t, dir); len(names) > 0 {
				t.Errorf("left behind: %v", names)
			}
		})
	}
}

// Whenever a restore ends in the middle, it can be repeated, and nothing is sent before a person
// compared: each instant is a folder as the steps of Restore leave it.
func TestARestoreThatEndsInTheMiddle(t *testing.T) {
	_, backup := saved(t, false)
	whole := t.TempDir()
	if _, err := restore(whole, backup); err != nil {
		t.Fatal(err)
	}
	for name, prepare := range map[string]func(t *testing.T, dir string){
		"after the key": func(t *testing.T, dir string) { copyTo(t, filepath.Join(backup, keyName), filepath.Join(dir, keyName)) },
		"after the journal": func(t *testing.T, dir string) {
			must(t, os.CopyFS(journalFolder(dir), os.DirFS(journalFolder(backup))))
		},
		"after the stop": func(t *testing.T, dir string) { must(t, os.CopyFS(journalFolder(dir), os.DirFS(journalFolder(whole)))) },
		"before the swap": func(t *testing.T, dir string) {
			must(t, os.CopyFS(dir, os.DirFS(whole)))
			remove(t, filepath.Join(dir, storeName))
		},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			prepare(t, dir)
			if _, err := Open(dir, Options{}); !errors.Is(err, ErrMissing) {
				t.Errorf("it can be opened: %v", err)
			}
			r, err := restore(dir, backup)
			if err != nil || !r.Held && !r.Before {
				t.Fatalf("%+v %v", r, err)
			}
			if l := open(t, dir, Options{}); !stopped(l) || !sent(t, l, 1) {
				t.Error("it goes on as if nothing had happened")
			}
		})
	}
}

func TestBackup(t *testing.T) {
	t.Run("never overwrites", func(t *testing.T) {
		l := open(t, create(t), Options{})
		to := t.TempDir()
		write(t, filepath.Join(to, "mine"), "precious")
		if _, err := l.Backup(to, false, start); err == nil || !strings.Contains(err.Error(), "not empty") {
			t.Error(err)
		}
		if left := files(t, to); len(left) != 1 || left["mine"] != "precious" {
			t.Errorf("%v", left)
		}
	})
	t.Run("of a ledger that is read only, behind its journal and cut off", func(t *testing.T) {
		dir := crashed(t)
		appendTo(t, newest(t, dir), `{"seq":9,"torn`)
		before := folder(t, dir)
		l := open(t, dir, Options{ReadOnly: true})
		backup := filepath.Join(t.TempDir(), "backup")
		if m, err := l.Backup(backup, false, start); err != nil || m.Event != 8 {
			t.Fatalf("%+v %v", m, err)
		}
		if string(folder(t, dir)) != string(before) {
			t.Error("the ledger was changed")
		}
		again := filepath.Join(t.TempDir(), "restored")
		if _, err := restore(again, backup); err != nil {
			t.Fatal(err)
		}
		known(t, open(t, again, Options{}))
	})
	t.Run("whose journal goes further than its bbolt file, and than the journal in place", func(t *testing.T) {
		dir := crashed(t)
		l := open(t, dir, Options{ReadOnly: true})
		backup := filepath.Join(t.TempDir(), "backup")
		_, err := l.Backup(backup, false, start)
		must(t, errors.Join(err, l.Close(), os.Remove(filepath.Join(dir, storeName))))
		cut(t, newest(t, dir), 2)
		if _, err := restore(dir, backup); !errors.Is(err, ErrWouldOverwrite) || !strings.Contains(err.Error(), "event 8: it is not there") {
			t.Error(err)
		}
	})
	t.Run("while it is in use", func(t *testing.T) {
		l := open(t, create(t), Options{checkpoint: 5})
		done := make(chan struct{})
		go func() {
			defer close(done)
			for i := range 400 {
				if _, err := l.Commit(t.Context(), lookEvent(byte(i%100))); err != nil {
					t.Error(err)
					return
				}
			}
		}()
		for range 5 {
			backup := filepath.Join(t.TempDir(), "backup")
			m, err := l.Backup(backup, false, start)
			if err != nil {
				t.Fatal(err)
			}
			dir := filepath.Join(t.TempDir(), "restored")
			if _, err := restore(dir, backup); err != nil {
				t.Fatal(err)
			}
			if v, err := Verify(dir, t.TempDir()); err != nil || !v.Sound() || uint64(v.Events) != m.Event+2 { // the act and the stop
				t.Errorf("%+v %v; %+v", v, err, m)
			}
		}
		<-done
	})
	t.Run("without its journal", func(t *testing.T) {
		dir := create(t)
		l := open(t, dir, Options{})
		remove(t, newest(t, dir))
		if _, err := l.Backup(filepath.Join(t.TempDir(), "backup"), false, start); err == nil || !strings.Contains(err.Error(), "of no use") {
			t.Error(err)
		}
	})
}
