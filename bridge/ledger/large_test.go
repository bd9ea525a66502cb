package ledger

import (
	"encoding/binary"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"limsbridge/bridge"
)

// few is the size with which a large ledger is compared.
const few = 100_000

// BenchmarkTenMillion grows a ledger of finished service requests as a lab does, in the random order
// of WHOOP's ids and over ten years, and compares it with one of 100,000. It grows to
// LIMSBRIDGE_BENCH_RECORDS of them, by default 300,000, which takes half a minute; ten million take
// about twenty minutes and 10 GB in TMPDIR:
//
//	LIMSBRIDGE_BENCH_RECORDS=10000000 go test ./bridge/ledger -run '^$' -bench TenMillion -benchtime 1x -timeout 2h
//
// Reported, journal apart: the file as it grew, compacted, and compacted without the detail of all
// that is older than six years, in GiB; how long Open takes; a look-up of a random record, and how
// many times as long that is as in the small one.
func BenchmarkTenMillion(b *testing.B) {
	n := 300_000
	if text := os.Getenv("LIMSBRIDGE_BENCH_RECORDS"); text != "" {
		var err error
		if n, err = strconv.Atoi(text); err != nil || n < few {
			b.Fatalf("LIMSBRIDGE_BENCH_RECORDS=%s: write a number from %d", text, few)
		}
	}
	for range b.N {
		small := lookUp(b, grow(b, few), few)
		b.ReportMetric(float64(small.Nanoseconds())/1e3, "lookup-100k-µs")
		dir := grow(b, n)
		path := filepath.Join(dir, storeName)
		gib := func() float64 {
			size, err := sizeOf(path)
			if err != nil {
				b.Fatal(err)
			}
			return float64(size) / (1 << 30)
		}
		b.ReportMetric(gib(), "grown-GiB")
		began := time.Now()
		if err := open(b, dir, Options{}).Close(); err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(float64(time.Since(began).Milliseconds()), "open-ms")
		large := lookUp(b, dir, n)
		b.ReportMetric(float64(large.Nanoseconds())/1e3, "lookup-µs")
		b.ReportMetric(float64(large)/float64(small), "times-100k")
		if _, err := Compact(dir, time.Time{}); err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(gib(), "compact-GiB")
		c, err := Compact(dir, start.AddDate(4, 0, 0))
		if err != nil {
			b.Fatal(err)
		}
		if c.Records != n {
			b.Fatalf("%+v", c)
		}
		b.ReportMetric(gib(), "tombstones-GiB")
		b.ReportMetric(float64(lookUp(b, dir, n))/float64(small), "compact-times-100k")
	}
}

// nth is the key of the n-th record of a large ledger.
func nth(n int) bridge.Key {
	random := from(uint64(n))
	var id uuid.UUID
	binary.LittleEndian.PutUint64(id[:], random.Uint64())
	binary.LittleEndian.PutUint64(id[8:], random.Uint64())
	return bridge.Key{Kind: bridge.RequisitionKey, ID: id}
}

// grow makes a ledger of n finished records, over ten years.
func grow(b *testing.B, n int) (dir string) {
	dir = create(b)
	var clock atomic.Int64 // seconds
	clock.Store(start.Unix())
	l := open(b, dir, Options{checkpoint: overlayLimit, Now: func() time.Time { return time.Unix(clock.Load(), 0) }})
	l.store.NoSync = true // what is measured is what comes out
	for i := range n {
		r := reported(i)
		r.Key = nth(i)
		at := start.Add(time.Duration(float64(i) / float64(n) * float64(10*365*24*time.Hour))).Truncate(time.Second)
		clock.Store(at.Unix())
		r.Looked = at.Add(123456789)
		for j := range r.Rows {
			r.Rows[j].Noticed = at
		}
		for j := range r.Requests[0].Sent {
			r.Requests[0].Sent[j].At = at.Add(time.Second + 987654321)
		}
		l.mu.Lock()
		l.waitForRoom()
		l.replace(&r)
		l.mu.Unlock()
	}
	if err := l.Close(); err != nil {
		b.Fatal(err)
	}
	return dir
}

// lookUp returns how long a look-up of a random record takes: the median of batches, as
// other processes take their share of the machine.
func lookUp(b *testing.B, dir string, n int) time.Duration {
	l := open(b, dir, Options{})
	const batches, times = 6, 50_000
	random := rand.New(rand.NewPCG(1, 2))
	var took []time.Duration
	for range batches {
		keys := make([]bridge.Key, times)
		for i := range keys {
			keys[i] = nth(random.IntN(n))
		}
		began := time.Now()
		for _, k := range keys {
			if _, ok, err := l.Load(k); !ok || err != nil {
				b.Fatal(ok, err)
			}
		}
		took = append(took, time.Since(began)/times)
	}
	slices.Sort(took)
	if err := l.Close(); err != nil {
		b.Fatal(err)
	}
	return took[batches/2]
}
