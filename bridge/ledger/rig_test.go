package ledger

import (
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"go.etcd.io/bbolt"

	"limsbridge/bridge"
	"limsbridge/lims"
	"limsbridge/whoop"
)

// start is when the tests' ledgers were created.
var start = time.Date(2026, 11, 20, 8, 0, 0, 0, time.UTC)

// create makes a ledger in a folder of the test.
func create(t testing.TB) string {
	dir := filepath.Join(t.TempDir(), "ledger")
	if err := Create(dir, start, "A. Smith", "root"); err != nil {
		t.Fatal(err)
	}
	return dir
}

// open opens a ledger, and closes it at the end of the test if the test did not.
func open(t testing.TB, dir string, o Options) *Ledger {
	if o.Now == nil {
		o.Now = func() time.Time { return start.Add(time.Hour) }
	}
	l, err := Open(dir, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Close(); err != nil && !errors.Is(err, ErrClosed) && l.failed == nil {
			t.Error(err)
		}
		check(t, dir)
	})
	return l
}

// chance returns a source of chance, whose seed is told if the test fails.
func chance(t testing.TB) *rand.Rand {
	seed := rand.Uint64()
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("seed %d", seed)
		}
	})
	return from(seed)
}

// from returns the source of chance with that seed.
func from(seed uint64) *rand.Rand {
	return rand.New(rand.NewPCG(seed, 1))
}

// check lets bbolt check its file.
func check(t testing.TB, dir string) {
	db, err := bbolt.Open(filepath.Join(dir, storeName), 0, &bbolt.Options{ReadOnly: true, Timeout: time.Second})
	if errors.Is(err, fs.ErrNotExist) {
		return
	}
	if err != nil {
		t.Error(err)
		return
	}
	defer func() { _ = db.Close() }()
	err = db.View(func(tx *bbolt.Tx) error {
		for err := range tx.Check() {
			t.Error(err)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

// clone copies a ledger's folder as a machine that loses power now would keep it.
func clone(t testing.TB, dir string) string {
	to := filepath.Join(t.TempDir(), "copy")
	if err := os.CopyFS(to, os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}
	return to
}

func remove(t testing.TB, path string) {
	t.Helper()
	if err := os.RemoveAll(path); err != nil {
		t.Fatal(err)
	}
}

func write(t testing.TB, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func appendTo(t testing.TB, path, text string) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		t.Fatal(err)
	}
	_, err = f.WriteString(text)
	if err := errors.Join(err, f.Close()); err != nil {
		t.Fatal(err)
	}
}

// newest is the path of the newest journal file.
func newest(t testing.TB, dir string) string {
	t.Helper()
	files, err := journalFiles(filepath.Join(dir, journalName))
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	return filepath.Join(dir, journalName, files[len(files)-1].String())
}

// meta changes what bbolt's meta bucket holds.
func meta(t testing.TB, dir string, key []byte, value string) {
	t.Helper()
	db, err := bbolt.Open(filepath.Join(dir, storeName), 0o600, nil)
	if err != nil {
		t.Fatal(err)
	}
	err = db.Update(func(tx *bbolt.Tx) error { return tx.Bucket(metaBucket).Put(key, []byte(value)) })
	if err := errors.Join(err, db.Close()); err != nil {
		t.Fatal(err)
	}
}

// id is a readable id: id(7) ends in …07.
func id(n byte) uuid.UUID { return uuid.UUID{0: 0xa0, 15: n} }

// requisition is the key of requisition n.
func requisition(n byte) bridge.Key { return bridge.Key{Kind: bridge.RequisitionKey, ID: id(n)} }

// lookEvent, intentEvent and outcomeEvent are about requisition n, whose one service request is id(n+100).
func lookEvent(n byte) bridge.Event {
	k := requisition(n)
	return bridge.Event{At: start, Kind: bridge.LookEvent, Key: &k, Shown: []bridge.Request{{ID: id(n + 100), Code: "CBC", Status: whoop.OrderConfirmed}}}
}

func intentEvent(n byte, a bridge.ActionKind) bridge.Event {
	k := requisition(n)
	e := bridge.Event{At: start, Kind: bridge.IntentEvent, Key: &k, Action: a, Requests: []uuid.UUID{id(n + 100)}}
	switch a {
	case bridge.SetStatus:
		e.Status = whoop.AppointmentAttended
	case bridge.Look:
	case bridge.SubmitReport:
		e.Report = whoop.ReportFinal
		e.Prints = []bridge.Sent{{Code: "WBC", Row: "4711", Print: bridge.Print{n, 1, 2}}}
	}
	return e
}

func outcomeEvent(n byte, intent uint64, o whoop.Outcome) bridge.Event {
	k := requisition(n)
	return bridge.Event{At: start.Add(time.Second), Kind: bridge.OutcomeEvent, Key: &k, Intent: intent, Action: bridge.SubmitReport, Outcome: o, Report: whoop.ReportFinal}
}

// commitTo commits and returns the number of the last event.
func commitTo(t testing.TB, l *Ledger, events ...bridge.Event) uint64 {
	t.Helper()
	seqs, err := l.Commit(context.Background(), events...)
	if err != nil {
		t.Fatal(err)
	}
	return seqs[len(seqs)-1]
}

func load(t testing.TB, l *Ledger, n byte) bridge.Record {
	t.Helper()
	r, ok, err := l.Load(requisition(n))
	if err != nil || !ok {
		t.Fatalf("load %d: %v %v", n, ok, err)
	}
	return r
}

func journalOf(t testing.TB, dir string) (events []bridge.Event) {
	t.Helper()
	if err := ReadJournal(dir, func(e bridge.Event) error { events = append(events, e); return nil }); err != nil {
		t.Fatal(err)
	}
	return events
}

// everything is all that a ledger says, for comparison.
func everything(t testing.TB, l *Ledger) string {
	t.Helper()
	var records []string
	err := l.Each(func(r bridge.Record) error {
		b, err := json.Marshal(r)
		records = append(records, string(b))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(records)
	b, err := json.Marshal([]any{l.State(), l.Cursor(lims.Orders), l.Cursor(lims.Results)})
	if err != nil {
		t.Fatal(err)
	}
	text := strings.Join(records, "\n") + "\n" + string(b)
	return strings.ReplaceAll(text, ":[]", ":null") // no difference to anybody
}

func files(t testing.TB, folder string) map[string]string {
	t.Helper()
	m := map[string]string{}
	entries, err := os.ReadDir(folder)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
	for _, e := range entries {
		b, err := os.ReadFile(filepath.Join(folder, e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		m[e.Name()] = string(b)
	}
	return m
}

func copyTo(t testing.TB, from, to string) {
	t.Helper()
	b, err := os.ReadFile(from)
	if err != nil {
		t.Fatal(err)
	}
	write(t, to, string(b))
}

// replaceLast puts a text in the place of a file's last byte.
func replaceLast(t testing.TB, path, text string) {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	write(t, path, string(b[:len(b)-1])+text)
}
