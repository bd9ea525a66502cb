package ledger

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"limsbridge/bridge"
	"limsbridge/lims"
	"limsbridge/whoop"
)

// reported is a record as most are in the end: one panel of four observations, fully reported.
func reported(i int) bridge.Record {
	at := start.Add(time.Duration(i) * 137 * time.Second)
	q := bridge.Request{ID: uuid.New(), Code: "LIPID_PANEL", Status: whoop.FullResultsReady, Final: true}
	r := bridge.Record{Key: bridge.Key{Kind: bridge.RequisitionKey, ID: uuid.New()}, Looked: at.Add(-time.Second + 123456789)}
	r.Rows = append(r.Rows, bridge.RowMark{Source: lims.Orders, ID: fmt.Sprint(400000 + i), Stamp: uint64(i) << 40, Version: uint64(i) * 0x9e3779b97f4a7c15, Noticed: at, Released: true})
	for j, code := range []string{"TOTAL_CHOLESTEROL", "HDL", "LDL", "TRIGLYCERIDES"} {
		id := fmt.Sprint(9000000 + 4*i + j)
		r.Rows = append(r.Rows, bridge.RowMark{Source: lims.Results, ID: id, Stamp: uint64(i+j) << 40, Version: uint64(i+j) * 0x9e3779b97f4a7c15, Noticed: at, Released: true})
		s := bridge.Sent{Code: code, Row: id, At: at.Add(987654321)}
		copy(s.Print[:], q.ID[:])
		q.Sent = append(q.Sent, s)
	}
	r.Requests = []bridge.Request{q}
	return r
}

// intent is the intent of a report with four observations.
func intent(k bridge.Key) bridge.Event {
	e := bridge.Event{At: start, Kind: bridge.IntentEvent, Key: &k, Action: bridge.SubmitReport, Report: whoop.ReportFinal, Requests: []uuid.UUID{k.ID}}
	for i, code := range []string{"TOTAL_CHOLESTEROL", "HDL", "LDL", "TRIGLYCERIDES"} {
		e.Prints = append(e.Prints, bridge.Sent{Code: code, Row: fmt.Sprint(9000000 + i), Print: bridge.Print(k.ID)})
	}
	return e
}

// BenchmarkCommit16 commits intent and outcome of a report in turn, from 16 goroutines.
func BenchmarkCommit16(b *testing.B) {
	l := open(b, create(b), Options{})
	b.SetParallelism(16 / runtime.GOMAXPROCS(0))
	var commits atomic.Int64
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			k := bridge.Key{Kind: bridge.RequisitionKey, ID: uuid.New()}
			seqs, err := l.Commit(context.Background(), intent(k))
			if err == nil {
				_, err = l.Commit(context.Background(), bridge.Event{At: start, Kind: bridge.OutcomeEvent, Key: &k, Intent: seqs[0], Action: bridge.SubmitReport, Report: whoop.ReportFinal, Outcome: whoop.Sent, Code: 201})
			}
			if err != nil {
				b.Fatal(err)
			}
			commits.Add(2)
		}
	})
	b.ReportMetric(float64(commits.Load())/b.Elapsed().Seconds(), "commits/s")
}

// BenchmarkLoad loads finished records that lie in bbolt.
func BenchmarkLoad(b *testing.B) {
	l := open(b, create(b), Options{})
	keys := store(b, l, 10_000)
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		if _, ok, err := l.Load(keys[i%len(keys)]); !ok || err != nil {
			b.Fatal(ok, err)
		}
	}
}

// BenchmarkCheckpoint writes a thousand finished records into a ledger that has thirty thousand.
func BenchmarkCheckpoint(b *testing.B) {
	l := open(b, create(b), Options{})
	store(b, l, 30_000)
	var n int
	for b.Loop() {
		store(b, l, 1000)
		n += 1000
	}
	b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "records/s")
	info, err := os.Stat(filepath.Join(l.dir, storeName))
	if err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(float64(info.Size())/float64(n+30_000), "B/record")
}

// store puts n finished records into the ledger and flushes.
func store(b *testing.B, l *Ledger, n int) (keys []bridge.Key) {
	for i := range n {
		r := reported(i)
		l.mu.Lock()
		l.waitForRoom()
		l.replace(&r)
		l.mu.Unlock()
		keys = append(keys, r.Key)
	}
	if err := l.Flush(); err != nil {
		b.Fatal(err)
	}
	return keys
}
