package conform_test

import (
	"cmp"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"limsbridge/lims"
)

// lateWriters are as many as a LIMS has programs that write results at the same time.
const lateWriters = 8

// lookBack is the bridge's default.
const lookBack = 10 * time.Minute

// Transactions commit out of order, long after their rows were stamped, while the reader polls each
// second: none of what was committed is missed, and nothing of what was rolled back is seen. A second reader
// that does not look back shows that there was something to miss.
//
// LIMSBRIDGE_LATE=60s lets transactions last up to 30 s for a minute, and write more than 50,000 rows
// (`make late-commits`); every run takes a share of four seconds.
func TestTransactionsCommitOutOfOrder(t *testing.T) {
	lasting := 4 * time.Second
	if testing.Short() {
		lasting = 2 * time.Second
	}
	if text := os.Getenv("LIMSBRIDGE_LATE"); text != "" {
		var err error
		if lasting, err = time.ParseDuration(text); err != nil {
			t.Fatal("LIMSBRIDGE_LATE is no duration such as 60s")
		}
	}
	clock := map[string]string{lims.Postgres: "clock_timestamp()::timestamp", lims.MySQL: "SYSDATE(6)"}
	for _, kind := range []string{lims.Postgres, lims.MySQL} {
		t.Run(kind, func(t *testing.T) {
			l := openServer(t, kind).(*sqlLab)
			d := database{lab: l}
			d.results(t, "id", "stamp")
			rnd := seeded(t)
			w := &writers{l: l, clock: clock[kind], until: time.Now().Add(lasting), longest: lasting / 2}
			for range lateWriters {
				seed := rnd.Uint64()
				w.running.Go(func() { w.write(t.Context(), rand.New(rand.NewPCG(seed, 0))) })
			}
			ended := make(chan struct{})
			go func() { w.running.Wait(); close(ended) }()

			patient, hasty := follower{r: d.reader(t, nil), back: lookBack}, follower{r: d.reader(t, nil)}
			polls := 0
			for done := false; !done; polls++ {
				select {
				case <-ended:
					done = true // and one last poll
				case <-time.After(time.Second):
				}
				if err := cmp.Or(patient.follow(t), hasty.follow(t)); err != nil {
					t.Fatal(err)
				}
			}
			if err := w.failed.Load(); err != nil {
				t.Fatal(*err)
			}
			missed, hastily := 0, 0
			for id := range w.committed {
				if !patient.seen[id] {
					missed++
				}
				if !hasty.seen[id] {
					hastily++
				}
			}
			t.Logf("%d rows committed by %d writers in %d transactions of up to %s within %s, %d polls: %d missed; without looking back %d",
				len(w.committed), lateWriters, w.transactions, w.longest, lasting, polls, missed, hastily)
			if missed > 0 || len(patient.seen) != len(w.committed) {
				t.Errorf("%d of %d committed rows were missed, %d were seen", missed, len(w.committed), len(patient.seen))
			}
			if hastily == 0 && lasting >= time.Minute { // in a share of that a slow machine may poll too seldom
				t.Error("a reader that does not look back misses nothing: nothing was committed out of order")
			}
			if lasting >= time.Minute && len(w.committed) < 50_000 {
				t.Errorf("%d rows are too few: this machine is too slow, or too busy", len(w.committed))
			}
		})
	}
}

// follower polls and remembers what it saw.
type follower struct {
	r      *lims.Reader
	back   time.Duration
	cursor lims.Cursor
	seen   map[string]bool
}

func (f *follower) follow(t *testing.T) error {
	ids, cursor, err := read(t, f.r, f.cursor, f.back)
	f.cursor = cursor
	if f.seen == nil {
		f.seen = map[string]bool{}
	}
	for _, id := range ids {
		f.seen[id] = true
	}
	return err
}

// writers are the LIMS's own programs.
type writers struct {
	l       *sqlLab
	clock   string // of the server, at the moment of the statement
	until   time.Time
	longest time.Duration // of a transaction

	running sync.WaitGroup
	ids     atomic.Int64
	failed  atomic.Pointer[error]

	mu           sync.Mutex
	committed    map[string]bool
	transactions int
}

// write runs one transaction after the other; one in ten is rolled back.
func (w *writers) write(ctx context.Context, rnd *rand.Rand) {
	for time.Now().Before(w.until) {
		if err := w.transaction(ctx, rnd); err != nil {
			w.failed.Store(&err)
			return
		}
	}
}

func (w *writers) transaction(ctx context.Context, rnd *rand.Rand) error {
	tx, err := w.l.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	end := time.Now().Add(time.Duration(rnd.Int64N(int64(w.longest))))
	var ids []string
	for {
		var rows []string
		for range 1 + rnd.IntN(60) {
			id := w.ids.Add(1)
			ids = append(ids, fmt.Sprint(id))
			rows = append(rows, fmt.Sprintf("(%d, %s, 'GLU', 'GLU', '5.40', 'A')", id, w.clock))
		}
		if _, err := tx.ExecContext(ctx, "INSERT INTO base_results ("+strings.Join(resultKeys, ", ")+") VALUES "+strings.Join(rows, ", ")); err != nil {
			return err
		}
		if !time.Now().Before(end) {
			break
		}
		<-time.After(time.Duration(rnd.IntN(200)) * time.Millisecond)
	}
	if rnd.IntN(10) == 0 {
		return tx.Rollback()
	}
	if err := tx.Commit(); err != nil {
		return err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.committed == nil {
		w.committed = map[string]bool{}
	}
	for _, id := range ids {
		w.committed[id] = true
	}
	w.transactions++
	return nil
}
