package archive_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"limsbridge/bridge"
	"limsbridge/bridge/archive"
	"limsbridge/whoop"
)

var (
	noon    = time.Date(2026, 11, 30, 23, 59, 59, 123456789, time.UTC)
	request = uuid.MustParse("22222222-2222-4222-8222-222222222222")
	prints  = bridge.NewFingerprints([]byte("key"))
)

// report is one of glucose with a value that must never be seen.
func report(status whoop.ReportStatus, value string) whoop.Report {
	return whoop.Report{Status: status, Observations: []whoop.Observation{{Code: "GLUCOSE", Text: value, Unit: "mg/dL", Status: whoop.ObservationFinal}}}
}

// lab is an archive with its keys, and a journal.
type lab struct {
	*archive.Archive
	t      *testing.T
	folder string
	key    string // the private key's file
	events []bridge.Event
}

func newLab(t *testing.T) *lab {
	dir := t.TempDir()
	l := &lab{t: t, folder: filepath.Join(dir, "archive"), key: filepath.Join(dir, "key.txt")}
	public, err := archive.NewKey(l.key, noon)
	if err == nil {
		l.Archive, err = archive.New(l.folder, []string{public})
	}
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func (l *lab) journal(yield func(bridge.Event) error) error {
	for i, e := range l.events {
		e.Seq = uint64(i + 1)
		if err := yield(e); err != nil {
			return err
		}
	}
	return nil
}

// send keeps a copy and writes the intent, and the outcome unless it is "".
func (l *lab) send(at time.Time, r whoop.Report, o whoop.Outcome) {
	l.t.Helper()
	if err := l.Keep(bridge.Copy{At: at, Request: request, Report: r}); err != nil {
		l.t.Fatal(err)
	}
	ob := r.Observations[0]
	l.events = append(l.events, bridge.Event{
		At: at, Kind: bridge.IntentEvent, Action: bridge.SubmitReport, Requests: []uuid.UUID{request}, Report: r.Status,
		Prints: []bridge.Sent{{Code: ob.Code, Row: "r1", Print: prints.Observation(request, ob.Code, ob.Text, ob.Unit, false)}},
	})
	if o != "" {
		l.events = append(l.events, bridge.Event{At: at, Kind: bridge.OutcomeEvent, Action: bridge.SubmitReport, Intent: uint64(len(l.events)), Outcome: o})
	}
}

func (l *lab) reports() []archive.Report {
	l.t.Helper()
	out, err := archive.Reports(l.folder, l.journal, request)
	if err != nil {
		l.t.Fatal(err)
	}
	return out
}

func (l *lab) keys() archive.Keys {
	l.t.Helper()
	k, err := archive.ReadKeys(l.key)
	if err != nil {
		l.t.Fatal(err)
	}
	return k
}

// files returns all files of the archive.
func (l *lab) files() []string {
	l.t.Helper()
	out, err := filepath.Glob(filepath.Join(l.folder, "*", "*"))
	if err != nil {
		l.t.Fatal(err)
	}
	return out
}

func TestOriginalAndCorrected(t *testing.T) {
	l := newLab(t)
	l.send(noon, report(whoop.ReportFinal, "<0.5"), whoop.Sent)
	l.send(noon.Add(time.Hour), report(whoop.ReportCorrected, "7.10"), whoop.InDoubt)
	l.events = append(l.events, bridge.Event{Kind: bridge.DecisionEvent, Hold: bridge.Doubt, Attempt: 3, Verdict: bridge.WasReceived})
	if err := l.Keep(bridge.Copy{At: noon.Add(2 * time.Hour), Request: request, Report: report(whoop.ReportCorrected, "8")}); err != nil {
		t.Fatal(err) // and then the process ended
	}
	if err := l.Keep(bridge.Copy{At: noon, Request: uuid.New(), Report: report(whoop.ReportFinal, "9")}); err != nil {
		t.Fatal(err)
	}
	got := l.reports()
	if len(got) != 3 {
		t.Fatalf("%d reports, want 3: %+v", len(got), got)
	}
	for i, want := range []struct {
		intent  uint64
		outcome whoop.Outcome
		verdict bridge.Verdict
		value   string
		agrees  bool
	}{
		{1, whoop.Sent, "", "<0.5", true},
		{3, whoop.InDoubt, bridge.WasReceived, "7.10", true},
		{0, "", "", "8", false},
	} {
		r := got[i]
		if r.Intent != want.intent || r.Outcome != want.outcome || r.Verdict != want.verdict || !r.Kept {
			t.Errorf("report %d: %+v", i, r)
		}
		b, err := r.Body(l.keys())
		if err != nil {
			t.Fatal(err)
		}
		if b.Report.Observations[0].Text != want.value || r.Agrees(b, prints) != want.agrees {
			t.Errorf("report %d holds %v, agrees %t", i, b.Report.Observations, r.Agrees(b, prints))
		}
		b.Report.Observations[0].Text += "0"
		if r.Agrees(b, prints) {
			t.Errorf("report %d: another value agrees", i)
		}
	}
	if id, err := archive.RequestOf(l.journal, 3); id != request || err != nil {
		t.Errorf("intent 3 is of %s: %v", id, err)
	}
	if _, err := archive.RequestOf(l.journal, 2); err == nil {
		t.Error("an outcome is taken for an intent")
	}
}

// On a machine with a coarse clock, or in virtual time, two reports of one service request can
// have the same instant; then their order joins them.
func TestSameInstant(t *testing.T) {
	l := newLab(t)
	for _, v := range []string{"1", "2", "3"} {
		l.send(noon, report(whoop.ReportPartial, v), whoop.Sent)
	}
	for i, r := range l.reports() {
		b, err := r.Body(l.keys())
		if err != nil || !r.Agrees(b, prints) || r.Intent != uint64(2*i+1) {
			t.Errorf("report %d: intent %d, %v %v", i, r.Intent, b, err)
		}
	}
}

func TestBeforeTheArchive(t *testing.T) {
	l := newLab(t)
	l.send(noon, report(whoop.ReportFinal, "1"), whoop.Sent)
	if err := os.RemoveAll(l.folder); err != nil {
		t.Fatal(err)
	}
	if got := l.reports(); len(got) != 1 || got[0].Kept || got[0].Intent != 1 {
		t.Errorf("%+v", got)
	}
}

// A journal that is damaged still tells what can be read of it.
func TestDamagedJournal(t *testing.T) {
	l := newLab(t)
	l.send(noon, report(whoop.ReportFinal, "1"), whoop.Sent)
	damage := errors.New("damage")
	got, err := archive.Reports(l.folder, func(yield func(bridge.Event) error) error {
		return errors.Join(l.journal(yield), damage)
	}, request)
	if !errors.Is(err, damage) || len(got) != 1 || !got[0].Kept {
		t.Errorf("%+v %v", got, err)
	}
}

// What lies in the folder shows no value, and is for the owner alone.
func TestNothingToRead(t *testing.T) {
	l := newLab(t)
	l.send(noon, report(whoop.ReportFinal, "SENTINEL"), whoop.Sent)
	files := l.files()
	if len(files) != 1 || !strings.Contains(files[0], filepath.FromSlash("/2026-11/20261130T235959.123456789Z_"+request.String()+".age")) {
		t.Fatalf("files: %v", files)
	}
	text, err := os.ReadFile(files[0])
	if err != nil || bytes.Contains(text, []byte("SENTINEL")) || bytes.Contains(text, []byte("GLUCOSE")) || !bytes.HasPrefix(text, []byte("age-encryption.org/v1\n")) {
		t.Errorf("the file can be read: %.40q %v", text, err)
	}
	for _, p := range []string{files[0], filepath.Dir(files[0])} {
		if info, err := os.Stat(p); err != nil || os.PathSeparator == '/' && info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s is open to others: %v", p, info.Mode())
		}
	}
}

func TestBodiesThatCannotBeShown(t *testing.T) {
	for _, tt := range []struct {
		name, says string
		spoil      func(l *lab)
	}{
		{"other key", "other keys", func(l *lab) {
			l.key += "2"
			if _, err := archive.NewKey(l.key, noon); err != nil {
				l.t.Fatal(err)
			}
		}},
		{"cut off", "damaged", func(l *lab) { l.rewrite(func(b []byte) []byte { return b[:len(b)-20] }) }},
		{"empty", "damaged", func(l *lab) { l.rewrite(func([]byte) []byte { return nil }) }},
		{"one bit", "damaged", func(l *lab) { l.rewrite(func(b []byte) []byte { b[len(b)-9] ^= 4; return b }) }},
		{"renamed", "another report", func(l *lab) {
			from := l.files()[0]
			to := strings.Replace(from, "T235959", "T235958", 1)
			l.events[0].At = l.events[0].At.Add(-time.Second)
			if err := os.Rename(from, to); err != nil {
				l.t.Fatal(err)
			}
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			l := newLab(t)
			l.send(noon, report(whoop.ReportFinal, "SENTINEL"), whoop.Sent)
			tt.spoil(l)
			_, err := l.reports()[0].Body(l.keys())
			if err == nil || !strings.Contains(err.Error(), tt.says) || strings.Contains(err.Error(), "SENTINEL") {
				t.Errorf("got %v, want %q", err, tt.says)
			}
		})
	}
}

func (l *lab) rewrite(f func([]byte) []byte) {
	l.t.Helper()
	path := l.files()[0]
	b, err := os.ReadFile(path)
	if err == nil {
		err = os.WriteFile(path, f(b), 0o600)
	}
	if err != nil {
		l.t.Fatal(err)
	}
}

// Any of the recipients can read, and needs no other.
func TestTwoKeys(t *testing.T) {
	dir := t.TempDir()
	var public []string
	for _, name := range []string{"a", "b"} {
		k, err := archive.NewKey(filepath.Join(dir, name), noon)
		if err != nil {
			t.Fatal(err)
		}
		public = append(public, k)
	}
	l := &lab{t: t, folder: filepath.Join(dir, "archive")}
	var err error
	if l.Archive, err = archive.New(l.folder, public); err != nil {
		t.Fatal(err)
	}
	l.send(noon, report(whoop.ReportFinal, "1"), whoop.Sent)
	for _, name := range []string{"a", "b"} {
		l.key = filepath.Join(dir, name)
		if _, err := l.reports()[0].Body(l.keys()); err != nil {
			t.Errorf("key %s: %v", name, err)
		}
	}
}

// Parallel reports do not disturb each other.
func TestParallel(t *testing.T) {
	l := newLab(t)
	var g sync.WaitGroup
	for range 20 {
		g.Go(func() {
			if err := l.Keep(bridge.Copy{At: noon, Request: request, Report: report(whoop.ReportFinal, "1")}); err != nil {
				t.Error(err)
			}
		})
	}
	g.Wait()
	if n := len(l.files()); n != 20 {
		t.Errorf("%d files", n)
	}
}

func TestFolderThatCannotBe(t *testing.T) {
	l := newLab(t)
	if err := os.WriteFile(l.folder, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	err := l.Keep(bridge.Copy{At: noon, Request: request, Report: report(whoop.ReportFinal, "SENTINEL")})
	if err == nil || strings.Contains(err.Error(), "SENTINEL") {
		t.Errorf("kept in a file: %v", err)
	}
	if _, err := archive.Reports(l.folder, l.journal, request); err == nil {
		t.Error("a file is taken for an empty archive")
	}
}

func TestKeysThatAreNone(t *testing.T) {
	const x25519 = "age12qpf4u2sqk2m9d6kqh8uww2sdjcfyzluqreahs004qkthrc3te4qae7lev"
	for name, keys := range map[string][]string{
		"none": nil, "empty": {""}, "mistyped": {x25519[:len(x25519)-1] + "q"}, "private": {"AGE-SECRET-KEY-1SENTINEL"},
		"two in one": {x25519 + "\n" + x25519}, "comment": {"# nothing"},
	} {
		if _, err := archive.New(t.TempDir(), keys); err == nil || strings.Contains(err.Error(), "SENTINEL") {
			t.Errorf("%s: %v", name, err)
		}
	}
	path := filepath.Join(t.TempDir(), "key.txt")
	for _, text := range []string{"", "AGE-SECRET-KEY-1SENTINEL", "SENTINEL", "age-encryption.org/v1\n"} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := archive.ReadKeys(path); err == nil || strings.Contains(err.Error(), "SENTINEL") {
			t.Errorf("%q: %v", text, err)
		}
	}
	if _, err := archive.NewKey(path, noon); !errors.Is(err, os.ErrExist) {
		t.Errorf("a key was overwritten: %v", err)
	}
}

func TestInside(t *testing.T) {
	dir := t.TempDir()
	for _, tt := range []struct {
		file string
		want bool
	}{
		{"archive/key.txt", true}, {"archive/2026-11/key.txt", true}, {"key.txt", false}, {"archive2/key.txt", false}, {"..archive/key.txt", false},
	} {
		if got := archive.Inside(filepath.Join(dir, "archive"), filepath.Join(dir, filepath.FromSlash(tt.file))); got != tt.want {
			t.Errorf("%s: %t", tt.file, got)
		}
	}
}
