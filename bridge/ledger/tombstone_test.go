package ledger

import (
	"reflect"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	"limsbridge/bridge"
	"limsbridge/whoop"
)

// long is an instant at which what the tests' ledgers hold is old.
var long = start.AddDate(30, 0, 0)

// What is finished, and old enough, loses what its rows were recognised by; nothing else does.
func TestWhatBecomesATombstone(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*bridge.Record)
		is     bool
	}{
		"fully reported":                    {func(*bridge.Record) {}, true},
		"at an issue":                       {func(r *bridge.Record) { r.Requests[0].Status = whoop.ResultsIssue }, true},
		"revoked":                           {func(r *bridge.Record) { r.Requests[0].Status, r.Requests[0].Revoked = "", true }, true},
		"partly reported":                   {func(r *bridge.Record) { r.Requests[0].Status = whoop.PartialResultsReady }, false},
		"one of two is not at its end":      {func(r *bridge.Record) { r.Requests = append(r.Requests, bridge.Request{ID: id(9)}) }, false},
		"without a service request":         {func(r *bridge.Record) { r.Requests = nil }, false},
		"held":                              {func(r *bridge.Record) { r.Holds = []bridge.Hold{{Kind: bridge.Gone}} }, false},
		"a call is in doubt":                {func(r *bridge.Record) { r.Attempts = []bridge.Attempt{{Seq: 1}} }, false},
		"a person decided, and it may bind": {func(r *bridge.Record) { r.Decisions = []bridge.Decision{{Verdict: bridge.NeverSend}} }, false},
		"its turn will come":                {func(r *bridge.Record) { r.Due = long }, false},
		"looked at lately":                  {func(r *bridge.Record) { r.Looked = long }, false},
		"a row changed lately":              {func(r *bridge.Record) { r.Rows[2].Noticed = long }, false},
		"corrected lately":                  {func(r *bridge.Record) { r.Requests[0].Sent[1].At = long }, false},
		"it is one already":                 {func(r *bridge.Record) { *r = *tombstone(r, long) }, false},
		"nothing is left of it in the LIMS": {func(r *bridge.Record) { r.Rows = nil }, false},
	} {
		t.Run(name, func(t *testing.T) {
			r := reported(7)
			c.change(&r)
			before := r.Clone()
			got := tombstone(&r, long)
			if (got != nil) != c.is {
				t.Fatalf("got %+v", got)
			}
			if !reflect.DeepEqual(r, before) {
				t.Error("the record itself was changed")
			}
			if got == nil {
				return
			}
			// What the journal knows, and what a correction reads the rows by, is there for ever.
			want := before.Clone()
			for i := range want.Rows {
				m := &want.Rows[i]
				m.Stamp, m.Version, m.Noticed = 0, 0, time.Time{}
			}
			if !reflect.DeepEqual(*got, want) {
				t.Errorf("got  %+v\nwant %+v", *got, want)
			}
			var w words
			b := w.encode(nil, got)
			if back, err := w.decode(r.Key, b); err != nil || !reflect.DeepEqual(*back, want) {
				t.Errorf("stored and read: %v\n%+v", err, back)
			}
			if whole := w.encode(nil, &before); len(b) > len(whole)*3/4 {
				t.Errorf("%d bytes of %d: hardly worth it", len(b), len(whole))
			}
		})
	}
}

// Finished records lose their detail when a neighbour is written, after a year; and what was
// changed meanwhile, or is changed in the same step, does not.
func TestTombstonesAtACheckpoint(t *testing.T) {
	now := start.AddDate(2, 0, 0)
	l := open(t, create(t), Options{Now: func() time.Time { return now }})
	put := func(key byte, at time.Time) {
		r := reported(0)
		r.Key = requisition(key)
		r.Looked = at
		for i := range r.Rows {
			r.Rows[i].Noticed = at
		}
		for i := range r.Requests[0].Sent {
			r.Requests[0].Sent[i].At = at
		}
		l.mu.Lock()
		defer l.mu.Unlock()
		l.replace(&r)
	}
	put(10, now.Add(-DetailAge-time.Hour))
	put(11, now.Add(-DetailAge+time.Hour))
	put(12, now.Add(-DetailAge-time.Hour))
	put(13, now.Add(-DetailAge-time.Hour))
	if err := l.Flush(); err != nil {
		t.Fatal(err)
	}
	bare := func(key byte) bool { return load(t, l, key).Rows[0].Noticed.IsZero() }
	// The records of one checkpoint are neighbours of each other, and each was written whole.
	for key := range byte(4) {
		if bare(10 + key) {
			t.Errorf("%d lost its detail when it was written", 10+key)
		}
	}
	put(9, now)
	put(13, now) // changed in the same step
	if err := l.Flush(); err != nil {
		t.Fatal(err)
	}
	for key, want := range map[byte]bool{9: false, 10: true, 11: false, 12: true, 13: false} {
		if bare(key) != want {
			t.Errorf("%d is a tombstone: %v", key, !want)
		}
	}
	// A damaged neighbour stops nobody.
	err := l.store.Update(func(tx *bbolt.Tx) error {
		k := recordKey(requisition(11))
		return tx.Bucket(recordBucket).Put(k[:], []byte{recordVersion, 0, 0, 0, 0, 0, 0})
	})
	if err != nil {
		t.Fatal(err)
	}
	put(9, now)
	if err := l.Flush(); err != nil {
		t.Error(err)
	}
}
