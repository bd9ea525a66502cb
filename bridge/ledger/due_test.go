package ledger

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"limsbridge/bridge"
	"limsbridge/whoop"
)

func TestDue(t *testing.T) {
	note := func(t *testing.T, l *Ledger, n byte, u whoop.Class, due time.Time) {
		t.Helper()
		if err := l.Note(requisition(n), func(r *bridge.Record) { r.Due, r.Urgency = due, u }); err != nil {
			t.Fatal(err)
		}
	}
	at := start
	setup := func(t *testing.T, l *Ledger) {
		note(t, l, 1, whoop.Progress, at.Add(-3*time.Hour))
		note(t, l, 2, whoop.Finals, at.Add(-time.Hour))
		note(t, l, 3, whoop.Finals, at.Add(-2*time.Hour))
		note(t, l, 4, whoop.Corrections, at)
		note(t, l, 5, whoop.Corrections, at.Add(1)) // a nanosecond later
		note(t, l, 6, whoop.Finals, at.Add(-time.Minute))
		note(t, l, 7, whoop.Issues, time.Time{})                                   // nothing to do
		note(t, l, 8, whoop.Progress, time.Date(1950, 1, 1, 0, 0, 0, 0, time.UTC)) // before the epoch
	}
	change := func(t *testing.T, l *Ledger) {
		note(t, l, 2, whoop.Progress, at.Add(-2*time.Hour)) // moves
		note(t, l, 6, whoop.Finals, time.Time{})            // leaves
	}
	all := func(t *testing.T, l *Ledger, limit int) (got []byte) {
		t.Helper()
		mark := ""
		for range 20 {
			keys, next, err := l.Due(at, mark, limit)
			if err != nil || len(keys) > limit {
				t.Fatal(keys, err)
			}
			for _, k := range keys {
				got = append(got, k.ID[15])
			}
			if mark = next; mark == "" {
				return got
			}
		}
		t.Fatal("it does not end")
		return nil
	}
	for limit := 1; limit <= 9; limit++ {
		t.Run(fmt.Sprintf("%d at a time", limit), func(t *testing.T) {
			dir := create(t)
			l := open(t, dir, Options{})
			setup(t, l)
			if got := all(t, l, limit); len(got) != 0 {
				t.Errorf("before the flush: %v", got)
			}
			if err := l.Flush(); err != nil {
				t.Fatal(err)
			}
			if got, want := all(t, l, limit), []byte{4, 3, 2, 6, 8, 1}; !slices.Equal(got, want) {
				t.Errorf("got %v, want %v", got, want)
			}
			change(t, l)
			if err := l.Close(); err != nil {
				t.Fatal(err)
			}
			ro := open(t, dir, Options{ReadOnly: true})
			if got, want := all(t, ro, limit), []byte{4, 3, 8, 1, 2}; !slices.Equal(got, want) {
				t.Errorf("after the change: got %v, want %v", got, want)
			}
			note(t, ro, 8, whoop.Corrections, at.Add(-1))
			note(t, ro, 1, whoop.Progress, time.Time{})
			note(t, ro, 9, whoop.Issues, at)
			if got, want := all(t, ro, limit), []byte{8, 4, 3, 9, 2}; !slices.Equal(got, want) {
				t.Errorf("read-only, which sees what is not flushed: got %v, want %v", got, want)
			}
		})
	}
	l := open(t, create(t), Options{})
	for _, mark := range []string{"x", "00", strings.Repeat("0", 2*dueSize+2)} {
		if _, _, err := l.Due(at, mark, 1); err == nil {
			t.Errorf("the mark %q was taken", mark)
		}
	}
}
