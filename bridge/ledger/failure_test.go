package ledger

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/google/uuid"

	"limsbridge/bridge"
)

func TestAfterAFailureNothingIsAcceptedUntilReopened(t *testing.T) {
	for name, breakIt := range map[string]func(*Ledger, *flaky) error{
		"a write fails": func(l *Ledger, d *flaky) error {
			d.failWrite = true
			_, err := l.Commit(context.Background(), intentEvent(1, bridge.SubmitReport))
			d.failWrite = false
			return err
		},
		"a sync fails": func(l *Ledger, d *flaky) error {
			d.failSync = true
			_, err := l.Commit(context.Background(), intentEvent(1, bridge.SubmitReport))
			d.failSync = false
			return err
		},
		"bbolt fails": func(l *Ledger, _ *flaky) error {
			if err := l.store.Close(); err != nil {
				return err
			}
			return l.Flush()
		},
	} {
		t.Run(name, func(t *testing.T) {
			d := &flaky{}
			dir := create(t)
			l := open(t, dir, Options{disk: d})
			commitTo(t, l, lookEvent(1))
			failed := new(FailedError)
			if err := breakIt(l, d); !errors.As(err, &failed) {
				t.Fatalf("the failure itself: %v", err)
			}
			_, err := l.Commit(t.Context(), lookEvent(2))
			for what, err := range map[string]error{
				"Commit": err, "Note": l.Note(requisition(1), func(*bridge.Record) {}), "Flush": l.Flush(), "Close": l.Close(),
			} {
				if !errors.As(err, &failed) {
					t.Errorf("%s: %v", what, err)
				}
			}
			again := open(t, dir, Options{})
			if r := again.Recovery(); r.Doubt != nil {
				t.Fatal(r.Doubt)
			}
			if got := load(t, again, 1); len(got.Requests) != 1 {
				t.Errorf("what was acknowledged is lost: %+v", got)
			}
			if _, ok, _ := again.Load(requisition(2)); ok {
				t.Error("what was refused is there")
			}
			commitTo(t, again, lookEvent(2))
			journalOf(t, dir)
		})
	}
}

func TestAFileThatShrinksIsAnErrorNotACrash(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("Windows does not let a mapped file shrink")
	}
	dir := create(t)
	l := open(t, dir, Options{})
	var keys []bridge.Key
	for range 500 {
		k := bridge.Key{Kind: bridge.RequisitionKey, ID: uuid.New()}
		keys = append(keys, k)
		if err := l.Note(k, func(r *bridge.Record) { r.Due = start }); err != nil {
			t.Fatal(err)
		}
	}
	if err := l.Flush(); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(filepath.Join(dir, storeName), 3*4096); err != nil {
		t.Fatal(err)
	}
	damaged := 0
	for _, k := range keys {
		if _, _, err := l.Load(k); errors.Is(err, ErrDamaged) {
			damaged++
		}
	}
	if damaged == 0 {
		t.Error("nothing was noticed")
	}
	_ = l.Close()
	remove(t, filepath.Join(dir, storeName)) // nothing there for bbolt to check
}
