package ledger

import (
	"time"

	"go.etcd.io/bbolt"

	"limsbridge/bridge"
	"limsbridge/whoop"
)

// DetailAge is the age at which detail of finished records is dropped by and by: far above what is
// ever read again without having changed, and low enough that ten million records stay below 4 GiB
// without anybody compacting them. Who asks what happened asks the journal, which keeps everything.
const DetailAge = 365 * 24 * time.Hour

// ShortestDetail is the least age at which detail may be dropped: well above the 30 days that the
// nightly sweep reads again, so that what it reads is recognised and not planned anew.
const ShortestDetail = 60 * 24 * time.Hour

// finished reports whether nothing more is expected of a record: each of its service requests is at
// its end, and nothing of it is open, held, decided by a person or due.
func finished(r *bridge.Record) bool {
	if len(r.Requests) == 0 || len(r.Attempts)+len(r.Holds)+len(r.Decisions) > 0 || !r.Due.IsZero() {
		return false
	}
	for i := range r.Requests {
		if q := &r.Requests[i]; !q.Revoked && !q.Status.Issue() && q.Status != whoop.FullResultsReady {
			return false
		}
	}
	return true
}

// touched is when something of a record happened last.
func touched(r *bridge.Record) (last time.Time) {
	later := func(t time.Time) {
		if t.After(last) {
			last = t
		}
	}
	later(r.Looked)
	for i := range r.Rows {
		later(r.Rows[i].Noticed)
	}
	for i := range r.Requests {
		for _, s := range r.Requests[i].Sent {
			later(s.At)
		}
	}
	return last
}

// tombstone returns r without the detail that a finished record, untouched since before, can do
// without; nil: nothing is to be dropped.
//
// It keeps, for ever, all that comes from the journal: ids, statuses, the fingerprints last sent
// and when, so that replaying the journal gives the same record. It keeps of each row its source,
// its id and whether it was released, because a correction years later reads all rows of the
// record again by their ids: a row that it did not know would look gone. It drops the hashes of
// the rows' versions and when they were noticed. A row that is read again then counts as changed;
// its record gets a turn, and the fingerprints tell whether there is anything to report.
func tombstone(r *bridge.Record, before time.Time) *bridge.Record {
	if !finished(r) || !touched(r).Before(before) {
		return nil
	}
	bare := make([]bridge.RowMark, len(r.Rows))
	dropped := false
	for i, m := range r.Rows {
		bare[i] = bridge.RowMark{Source: m.Source, ID: m.ID, Released: m.Released}
		dropped = dropped || bare[i] != m
	}
	if !dropped {
		return nil
	}
	t := *r
	t.Rows = bare
	return &t
}

// neighbours is how many records behind a written one are looked at: about those of its page, half
// of which is behind it.
const neighbours = 4

// bury drops the detail of finished records that lie behind a key that was just written. Their page
// is written anyway, so that it costs no write; and as keys are random, every page has its turn. A
// record of which a newer version waits in the overlay is written over later.
func (w *words) bury(records *bbolt.Bucket, key []byte, before time.Time) error {
	var keys, values [][]byte
	c := records.Cursor()
	c.Seek(key)
	for range neighbours {
		k, v := c.Next()
		if k == nil {
			break
		}
		id, err := parseRecordKey(k)
		if err != nil {
			continue
		}
		r, err := w.decode(id, v)
		if err != nil {
			continue // a damaged one is told of when it is needed; this write is none of its business
		}
		if t := tombstone(r, before); t != nil {
			keys, values = append(keys, k), append(values, w.encode(nil, t))
		}
	}
	for i := range keys { // afterwards: a cursor does not survive a change
		if err := records.Put(keys[i], values[i]); err != nil {
			return err
		}
	}
	return nil
}
