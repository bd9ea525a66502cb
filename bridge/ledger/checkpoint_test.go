package ledger

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"go.etcd.io/bbolt"

	"limsbridge/bridge"
	"limsbridge/lims"
	"limsbridge/whoop"
)

// Writers wait while the overlay is full, so that memory stays bounded however slow the disk is.
func TestTheOverlayIsBounded(t *testing.T) {
	l := open(t, create(t), Options{})
	slow, err := l.store.Begin(true) // holds up the checkpoint
	if err != nil {
		t.Fatal(err)
	}
	full := make(chan struct{})
	go func() {
		<-full
		if err := slow.Rollback(); err != nil {
			t.Error(err)
		}
	}()
	largest, filled := 0, false
	for range 3 * overlayLimit {
		if err := l.Note(bridge.Key{Kind: bridge.RequisitionKey, ID: uuid.New()}, func(*bridge.Record) {}); err != nil {
			t.Fatal(err)
		}
		l.mu.RLock()
		largest = max(largest, len(l.dirty))
		l.mu.RUnlock()
		if largest >= overlayLimit && !filled {
			close(full)
			filled = true
		}
	}
	if !filled {
		t.Fatal("the overlay never filled up: the test shows nothing")
	}
	if largest > overlayLimit {
		t.Errorf("%d records, more than %d", largest, overlayLimit)
	}
}

// Many writers, readers and checkpoints at once, for the race detector; in the end everything is there.
func TestAllAtOnce(t *testing.T) {
	chance := chance(t)
	dir := create(t)
	l := open(t, dir, Options{checkpoint: 20})
	var wg sync.WaitGroup
	for range 8 {
		random := from(chance.Uint64())
		wg.Go(func() {
			for i := range 150 {
				n := byte(random.IntN(100))
				var err error
				switch random.IntN(8) {
				case 0, 1, 2:
					_, err = l.Commit(t.Context(), lookEvent(n))
				case 3, 4:
					err = l.Note(requisition(n), func(r *bridge.Record) { r.Due = start.Add(time.Duration(i)) })
				case 5:
					_, _, err = l.Load(requisition(n))
				case 6:
					_, _, err = l.Due(start.Add(time.Hour), "", 10)
					l.Advance(lims.Orders, lims.Cursor{Stamp: fmt.Sprint(i)})
					_, _ = l.State(), l.Cursor(lims.Orders)
				case 7:
					err = l.Flush()
				}
				if err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	want := everything(t, l)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	again := open(t, dir, Options{})
	if got := everything(t, again); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if err := again.Close(); err != nil {
		t.Fatal(err)
	}
	checkIndexes(t, dir, "at the end")
}

// checkIndexes compares both indexes with the records.
func checkIndexes(t testing.TB, dir, what string) {
	t.Helper()
	l := open(t, dir, Options{ReadOnly: true})
	due, attempts := map[string]bool{}, map[string]bool{}
	err := l.eachStored(func(r *bridge.Record) error {
		k := recordKey(r.Key)
		if !r.Due.IsZero() {
			due[string(dueKey(byte(r.Urgency), r.Due, k))] = true
		}
		if len(r.Attempts) > 0 {
			attempts[string(k[:])] = true
		}
		return nil
	})
	if err != nil {
		t.Fatal(what, err)
	}
	err = l.read(func(tx *bbolt.Tx) error {
		for name, want := range map[string]map[string]bool{string(dueBucket): due, string(attemptBucket): attempts} {
			n := 0
			err := tx.Bucket([]byte(name)).ForEach(func(k, _ []byte) error {
				n++
				if !want[string(k)] {
					t.Errorf("%s: index %s has %x too much", what, name, k)
				}
				return nil
			})
			if err != nil || n != len(want) {
				t.Errorf("%s: index %s has %d entries, not %d; %v", what, name, n, len(want), err)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(what, err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(what, err)
	}
}

// A cursor must never be durable before what was noted ahead of it.
func TestACursorNeverOvertakesItsRows(t *testing.T) {
	l := open(t, create(t), Options{checkpoint: 7})
	const rows = 100
	for i := range byte(rows) {
		if err := l.Note(requisition(i), func(r *bridge.Record) { r.Due = start }); err != nil {
			t.Fatal(err)
		}
		l.Advance(lims.Results, lims.Cursor{Stamp: fmt.Sprintf("%03d", i)})
		if i%9 != 0 {
			continue
		}
		l.checkpointing.Lock()
		dir := crash(t, l)
		l.checkpointing.Unlock()
		again := open(t, dir, Options{ReadOnly: true})
		var upTo int
		if stamp := again.Cursor(lims.Results).Stamp; stamp != "" {
			if _, err := fmt.Sscan(strings.TrimLeft(stamp[:2], "0")+stamp[2:], &upTo); err != nil {
				t.Fatal(err)
			}
			for n := range byte(upTo + 1) {
				load(t, again, n)
			}
		}
		if err := again.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// Whatever is written takes the old detail of its neighbours along, and leaves that of younger and
// unfinished ones.
func TestOldDetailIsShedOnTheWay(t *testing.T) {
	dir := create(t)
	l := open(t, dir, Options{})
	mark := bridge.RowMark{Source: "results", ID: "4711", Stamp: 1, Version: 2, Noticed: start, Released: true}
	for n, status := range map[byte]whoop.BusinessStatus{2: whoop.FullResultsReady, 3: whoop.PartialResultsReady} {
		look := lookEvent(n)
		look.Shown[0].Status = status
		commitTo(t, l, look)
		if err := l.Note(requisition(n), func(r *bridge.Record) { r.Rows = []bridge.RowMark{mark} }); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		name string
		at   time.Time
		want bridge.RowMark
	}{
		{"just before that age", start.Add(DetailAge - time.Second), mark},
		{"of that age", start.Add(DetailAge + time.Hour), bridge.RowMark{Source: "results", ID: "4711", Released: true}},
	} {
		if err := l.Flush(); err != nil {
			t.Fatal(err)
		}
		l.now = func() time.Time { return c.at }
		commitTo(t, l, lookEvent(1))
		if err := l.Flush(); err != nil {
			t.Fatal(err)
		}
		if got := load(t, l, 2).Rows; !slices.Equal(got, []bridge.RowMark{c.want}) {
			t.Errorf("%s: %+v", c.name, got)
		}
		if got := load(t, l, 3).Rows; !slices.Equal(got, []bridge.RowMark{mark}) {
			t.Errorf("%s, not finished: %+v", c.name, got)
		}
	}
}
