package ledger

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"limsbridge/bridge"
)

// Verification is what Verify compared and found.
type Verification struct {
	// The journal.
	Events      int       // sound ones
	From, Until time.Time // of the first and the last of them
	Files       int
	Earlier     uint64       // events before the first file that is there: archived
	Damage      *DamageError // nil: all of it is as it was written

	// The bbolt file, and whether it is what replaying the journal makes.
	Skipped     error // why the file was not looked at: ErrLocked beside a daemon
	Replayed    bool  // the journal goes back to the beginning, so that both were compared
	Records     int   // that the file holds
	Tail        int   // events that the file did not hold yet; the next start replays them
	Differences int
	First       []string // the first few differences, for people
	Broken      error    // what bbolt's own check found
}

// Sound reports whether all that was compared is as it should be.
func (v *Verification) Sound() bool {
	return v.Damage == nil && v.Differences == 0 && v.Broken == nil
}

// shownDifferences is how many differences are told one by one.
const shownDifferences = 20

// Verify checks the ledger in dir, changing nothing: the chain of the whole journal; that replaying
// it from its beginning gives the records and the state that the ledger holds (Looked, Requests,
// Attempts, Holds and Decisions of each record, and all of State; rows, due times, urgencies and
// cursors are in no journal); that each entry of the bbolt file can be read and its indexes fit; and
// bbolt's own check. The replay takes about as much room in scratch ("" is the system's folder for
// temporary files) as the ledger's file, for a while.
//
// Beside a daemon only the journal can be checked; Skipped says so. An error means that it could
// not be tried.
func Verify(dir, scratch string) (v *Verification, err error) {
	v = &Verification{}
	// The ledger first: while it is open nobody writes, so that the journal does not move on.
	l, err := Open(dir, Options{ReadOnly: true, unsettled: true})
	switch {
	case err == nil:
		defer func() { err = errors.Join(err, l.Close()) }()
	case errors.Is(err, ErrLocked), errors.Is(err, ErrMissing):
		v.Skipped = err
	case errors.Is(err, ErrDamaged):
		v.Broken = err
	default:
		return v, err
	}
	r, err := newReplayed(scratch)
	if err != nil {
		return v, err
	}
	defer func() { err = errors.Join(err, r.discard()) }()
	if err := v.journal(dir, func(e bridge.Event) error {
		if l == nil || v.Earlier > 0 {
			return nil
		}
		return r.add(e)
	}); err != nil {
		return v, err
	}
	if l == nil {
		return v, nil
	}
	v.Tail = l.Recovery().Replayed
	if doubt := l.Recovery().Doubt; doubt != nil && v.Damage == nil {
		v.differs("%v", doubt)
	}
	if v.Broken = l.checkStore(&v.Records); v.Broken != nil {
		return v, nil
	}
	if v.Earlier > 0 || v.Events == 0 {
		return v, nil
	}
	v.Replayed = true
	err = v.compare(l, r)
	return v, err
}

// journal walks the whole journal.
func (v *Verification) journal(dir string, visit func(bridge.Event) error) error {
	files, err := journalFiles(journalFolder(dir))
	if err != nil {
		return err
	}
	if v.Files = len(files); v.Files == 0 {
		return fmt.Errorf("%s: %w: no file of the journal is there; restore it from a backup", journalFolder(dir), ErrMissing)
	}
	if v.Earlier, err = Archived(dir); err != nil {
		return err
	}
	err = ReadJournal(dir, func(e bridge.Event) error {
		if v.Events++; v.Events == 1 {
			v.From = e.At
		}
		v.Until = e.At
		return visit(e)
	})
	if errors.As(err, &v.Damage) {
		return nil
	}
	return err
}

// differs notes a difference.
func (v *Verification) differs(format string, args ...any) {
	if v.Differences++; len(v.First) < shownDifferences {
		v.First = append(v.First, fmt.Sprintf(format, args...))
	}
}

// compare compares all records and the state of the ledger with what the journal makes.
func (v *Verification) compare(l *Ledger, r *replayed) error {
	if err := r.Flush(); err != nil {
		return err
	}
	var w words
	found := 0
	err := l.Each(func(have bridge.Record) error {
		want, known, err := r.Load(have.Key)
		if err != nil {
			return err
		}
		if known {
			found++
		}
		want.Key = have.Key
		have, want = journalled(have), journalled(want)
		if !bytes.Equal(w.encode(nil, &have), w.encode(nil, &want)) {
			v.differs("%s: the ledger's %s", have.Key, different(have, want))
		}
		return nil
	})
	if err != nil {
		return err
	}
	made := 0
	if err := r.Each(func(bridge.Record) error { made++; return nil }); err != nil {
		return err
	}
	if made > found {
		err := r.Each(func(want bridge.Record) error {
			if _, ok, err := l.Load(want.Key); ok || err != nil {
				return err
			}
			v.differs("%s: the journal tells of it, the ledger does not know it", want.Key)
			return nil
		})
		if err != nil {
			return err
		}
	}
	have, err := json.Marshal(l.State())
	if err != nil {
		return err
	}
	want, err := json.Marshal(r.State())
	if err == nil && !bytes.Equal(have, want) {
		v.differs("the bridge as a whole (stops, pauses, breakers, counts): the ledger's state is not the journal's")
	}
	return err
}

// journalled returns what the journal knows of a record.
func journalled(r bridge.Record) bridge.Record {
	r.Rows, r.Due, r.Urgency = nil, time.Time{}, 0
	return r
}

// different says which parts of two records differ.
func different(have, want bridge.Record) string {
	var w words
	parts := ""
	for _, part := range []struct {
		name string
		of   func(r bridge.Record) bridge.Record
	}{
		{"looks", func(r bridge.Record) bridge.Record { return bridge.Record{Looked: r.Looked} }},
		{"service requests", func(r bridge.Record) bridge.Record { return bridge.Record{Requests: r.Requests} }},
		{"attempts", func(r bridge.Record) bridge.Record { return bridge.Record{Attempts: r.Attempts} }},
		{"holds", func(r bridge.Record) bridge.Record { return bridge.Record{Holds: r.Holds} }},
		{"decisions", func(r bridge.Record) bridge.Record { return bridge.Record{Decisions: r.Decisions} }},
	} {
		a, b := part.of(have), part.of(want)
		if bytes.Equal(w.encode(nil, &a), w.encode(nil, &b)) {
			continue
		}
		if parts != "" {
			parts += " and "
		}
		parts += part.name
	}
	return parts + " are not the journal's"
}
