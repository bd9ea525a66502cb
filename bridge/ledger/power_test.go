package ledger

import (
	"fmt"
	"maps"
	"path/filepath"
	"sync"
	"testing"

	"limsbridge/bridge"
	"limsbridge/whoop"
)

// Random work, cut off at random instants: the journal as far as it was synced and a little of what
// was not, with a bbolt file of some earlier instant. What was acknowledged is always there, and
// everything equals what replaying the journal makes.
func TestPowerCuts(t *testing.T) {
	chance := chance(t)
	for round := range 25 {
		d := &flaky{}
		dir := create(t)
		l := open(t, dir, Options{disk: d, checkpoint: 1 + chance.IntN(40)})
		var mu sync.Mutex
		acknowledged := map[uint64]bridge.Event{}
		var stores []string // bbolt files of earlier instants
		var cuts []struct {
			dir          string
			acknowledged map[uint64]bridge.Event
		}
		var wg sync.WaitGroup
		for g := range byte(4) {
			random := from(chance.Uint64())
			wg.Go(func() {
				open := map[byte]uint64{}
				for range 40 {
					n := g*10 + byte(random.IntN(10))
					e := lookEvent(n)
					if seq, ok := open[n]; ok {
						e = outcomeEvent(n, seq, []whoop.Outcome{whoop.Sent, whoop.Released, whoop.InDoubt}[random.IntN(3)])
						delete(open, n)
					} else if random.IntN(2) == 0 {
						e = intentEvent(n, bridge.SubmitReport)
					}
					if random.IntN(40) == 0 {
						e.At = e.At.AddDate(0, random.IntN(12), 0) // a new month, and file
					}
					seqs, err := l.Commit(t.Context(), e)
					if err != nil {
						t.Error(err)
						return
					}
					if e.Kind == bridge.IntentEvent {
						open[n] = seqs[0]
					}
					mu.Lock()
					acknowledged[seqs[0]] = e
					if random.IntN(30) == 0 {
						l.checkpointing.Lock() // a running transaction is bbolt's own matter
						to := filepath.Join(t.TempDir(), "store")
						copyTo(t, filepath.Join(dir, storeName), to)
						stores = append(stores, to)
						l.checkpointing.Unlock()
					}
					if random.IntN(40) == 0 {
						l.checkpointing.Lock()
						cut := d.powerCut(t, dir, func(n int64) int64 { return random.Int64N(n + 1) })
						l.checkpointing.Unlock()
						if len(stores) > 0 && random.IntN(2) == 0 {
							copyTo(t, stores[random.IntN(len(stores))], filepath.Join(cut, storeName))
						}
						cuts = append(cuts, struct {
							dir          string
							acknowledged map[uint64]bridge.Event
						}{cut, maps.Clone(acknowledged)})
					}
					mu.Unlock()
				}
			})
		}
		wg.Wait()
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		for i, cut := range cuts {
			survives(t, cut.dir, cut.acknowledged, fmt.Sprintf("round %d, cut %d", round, i))
		}
	}
}

// survives opens what a power cut left.
func survives(t *testing.T, dir string, acknowledged map[uint64]bridge.Event, what string) {
	t.Helper()
	l := open(t, dir, Options{})
	if err := l.Recovery().Doubt; err != nil {
		t.Fatalf("%s: %v", what, err)
	}
	records, state := map[bridge.Key]bridge.Record{}, bridge.State{Created: start}
	found := 0
	for _, e := range journalOf(t, dir) {
		if want, ok := acknowledged[e.Seq]; ok {
			found++
			if e.Kind != want.Kind || *e.Key != *want.Key {
				t.Fatalf("%s: event %d is another", what, e.Seq)
			}
		}
		state.Apply(e)
		if e.Key != nil {
			records[*e.Key] = records[*e.Key].Apply(e)
		}
	}
	if found != len(acknowledged) {
		t.Fatalf("%s: %d of %d acknowledged events are there", what, found, len(acknowledged))
	}
	model := &Ledger{dirty: overlay{}, state: state, readOnly: true, store: l.store}
	for k, r := range records {
		for _, a := range r.Attempts {
			if a.Open() {
				t.Fatalf("%s: attempt %d is open", what, a.Seq)
			}
		}
		model.dirty[k] = &r
	}
	model.words.list.Store(l.words.list.Load())
	if got, want := everything(t, l), everything(t, model); got != want {
		t.Fatalf("%s: got\n%s\nwant\n%s", what, got, want)
	}
	if err := l.Close(); err != nil {
		t.Fatal(what, err)
	}
	checkIndexes(t, dir, what)
}
