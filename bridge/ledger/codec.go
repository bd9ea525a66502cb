package ledger

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"time"

	"github.com/google/uuid"

	"limsbridge/bridge"
	"limsbridge/lims"
	"limsbridge/whoop"
)

// A record in bbolt, so small that ten million finished ones fit into 4 GiB, and read in about a
// microsecond, because a pass with nothing new looks at every record of the look-back:
//
//	version byte, flags byte, urgency byte, due, looked,
//	rows, requests with their sent versions, attempts, holds, decisions (each list with its length before it),
//	CRC-32C of the record's key and everything before
//
// Numbers are varints, texts have their length before them, codes and kinds are words (see words),
// and a time is told from the one before it, as is a row id that is a number. A row id that a row
// mark already has is a reference.
// The checksum is there because a flipped bit in a fingerprint would go out as a correction.
const recordVersion = 1

// Flags of the second byte.
const flagAttempts = 1 << 0

// Flags of single things.
const (
	flagRevoked   = 1 << 0 // of a request
	flagFinal     = 1 << 1
	flagWithdrawn = 1 << 0 // of a sent version
	flagReleased  = 1 << 0 // of a row mark
	flagResults   = 1 << 1 // its source is results; otherwise its name follows
	flagBare      = 1 << 2 // of its version nothing is known any more, see tombstone
	flagWhole     = 1 << 0 // of an attempt
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// checksum covers the key as well, so that a record under a wrong key is noticed.
func checksum(k bridge.Key, b []byte) uint32 {
	key := recordKey(k)
	return crc32.Update(crc32.Update(0, castagnoli, key[:]), castagnoli, b)
}

// encode appends the record's stored form, without its key, to b.
func (w *words) encode(b []byte, r *bridge.Record) []byte {
	e := encoder{b: b, words: w}
	start := len(b)
	var flags byte
	if len(r.Attempts) > 0 {
		flags |= flagAttempts
	}
	e.b = append(e.b, recordVersion, flags, byte(r.Urgency))
	e.time(r.Due)
	e.time(r.Looked)
	e.number(uint64(len(r.Rows)))
	for i := range r.Rows {
		m := &r.Rows[i]
		bare := m.Stamp == 0 && m.Version == 0 && m.Noticed.IsZero()
		e.flags(m.Released, m.Source == lims.Results, bare)
		if m.Source != lims.Results {
			e.word(string(m.Source))
		}
		e.id(m.ID)
		if bare {
			continue
		}
		e.b = binary.LittleEndian.AppendUint64(e.b, m.Stamp)
		e.b = binary.LittleEndian.AppendUint64(e.b, m.Version)
		e.time(m.Noticed)
	}
	e.number(uint64(len(r.Requests)))
	for i := range r.Requests {
		q := &r.Requests[i]
		e.b = append(e.b, q.ID[:]...)
		e.flags(q.Revoked, q.Final)
		e.word(q.Code)
		e.word(string(q.Status))
		e.sent(q.Sent, r.Rows)
		e.sent(q.Never, r.Rows)
	}
	e.number(uint64(len(r.Attempts)))
	for i := range r.Attempts {
		a := &r.Attempts[i]
		e.number(a.Seq)
		e.flags(a.Whole)
		e.word(string(a.Action))
		e.word(string(a.Status))
		e.word(string(a.Report))
		e.time(a.Begun)
		e.time(a.Ended)
		e.number(uint64(len(a.Requests)))
		for _, id := range a.Requests {
			e.b = append(e.b, id[:]...)
		}
		e.sent(a.Prints, r.Rows)
	}
	e.number(uint64(len(r.Holds)))
	for i := range r.Holds {
		e.hold(&r.Holds[i])
	}
	e.number(uint64(len(r.Decisions)))
	for i := range r.Decisions {
		c := &r.Decisions[i]
		e.hold(&c.Hold)
		e.word(string(c.Verdict))
		e.b = binary.LittleEndian.AppendUint64(e.b, c.Version)
	}
	return binary.LittleEndian.AppendUint32(e.b, checksum(r.Key, e.b[start:]))
}

// decode reads what encode wrote. Anything else is an error that wraps ErrDamaged.
func (w *words) decode(k bridge.Key, b []byte) (*bridge.Record, error) {
	const frame = 3 + 4
	if len(b) < frame {
		return nil, damagedRecord(k, "it is too short")
	}
	if b[0] != recordVersion {
		return nil, damagedRecord(k, fmt.Sprintf("its version is %d, not %d", b[0], recordVersion))
	}
	body := b[:len(b)-4]
	if checksum(k, body) != binary.LittleEndian.Uint32(b[len(b)-4:]) {
		return nil, damagedRecord(k, "its checksum is wrong")
	}
	d := decoder{b: body, at: 3, words: w}
	r := &bridge.Record{Key: k, Urgency: whoop.Class(body[2])}
	r.Due = d.time()
	r.Looked = d.time()
	r.Rows = list[bridge.RowMark](&d, 3)
	for i := range r.Rows {
		m := &r.Rows[i]
		f := d.byte()
		m.Released, m.Source = f&flagReleased != 0, lims.Results
		if f&flagResults == 0 {
			m.Source = lims.Source(d.word())
		}
		m.ID = d.id()
		if f&flagBare != 0 {
			continue
		}
		m.Stamp = d.fixed()
		m.Version = d.fixed()
		m.Noticed = d.time()
	}
	r.Requests = list[bridge.Request](&d, 20)
	for i := range r.Requests {
		q := &r.Requests[i]
		d.bytes(q.ID[:])
		f := d.byte()
		q.Revoked, q.Final = f&flagRevoked != 0, f&flagFinal != 0
		q.Code = d.word()
		q.Status = whoop.BusinessStatus(d.word())
		q.Sent = d.sent(r.Rows)
		q.Never = d.sent(r.Rows)
	}
	r.Attempts = list[bridge.Attempt](&d, 9)
	for i := range r.Attempts {
		a := &r.Attempts[i]
		a.Seq = d.number()
		a.Whole = d.byte()&flagWhole != 0
		a.Action = bridge.ActionKind(d.word())
		a.Status = whoop.BusinessStatus(d.word())
		a.Report = whoop.ReportStatus(d.word())
		a.Begun = d.time()
		a.Ended = d.time()
		a.Requests = list[uuid.UUID](&d, 16)
		for j := range a.Requests {
			d.bytes(a.Requests[j][:])
		}
		a.Prints = d.sent(r.Rows)
	}
	r.Holds = list[bridge.Hold](&d, holdSize)
	for i := range r.Holds {
		d.hold(&r.Holds[i])
	}
	r.Decisions = list[bridge.Decision](&d, holdSize+9)
	for i := range r.Decisions {
		c := &r.Decisions[i]
		d.hold(&c.Hold)
		c.Verdict = bridge.Verdict(d.word())
		c.Version = d.fixed()
	}
	if d.bad == "" && d.at != len(body) {
		d.bad = "something follows its end"
	}
	if d.bad != "" {
		return nil, damagedRecord(k, d.bad)
	}
	return r, nil
}

// holdSize is the least that a hold takes.
const holdSize = 23

func (e *encoder) hold(h *bridge.Hold) {
	e.number(h.Seq)
	e.word(string(h.Kind))
	e.b = append(e.b, h.Request[:]...)
	e.word(string(h.Source))
	e.text(h.Row)
	e.text(h.Detail)
	e.number(h.Attempt)
	e.time(h.Since)
}

func (d *decoder) hold(h *bridge.Hold) {
	h.Seq = d.number()
	h.Kind = bridge.HoldKind(d.word())
	d.bytes(h.Request[:])
	h.Source = lims.Source(d.word())
	h.Row = d.text()
	h.Detail = d.text()
	h.Attempt = d.number()
	h.Since = d.time()
}

// head is what the indexes are made of.
type head struct {
	urgency  byte
	due      time.Time
	attempts bool
}

// peek reads the head of a stored record that need not be read whole.
func peek(b []byte) (h head, ok bool) {
	if len(b) < 3 || b[0] != recordVersion {
		return h, false
	}
	d := decoder{b: b, at: 3}
	h = head{urgency: b[2], due: d.time(), attempts: b[1]&flagAttempts != 0}
	return h, d.bad == ""
}

func damagedRecord(k bridge.Key, why string) error {
	return fmt.Errorf("record %c %v: %w: %s; restore the ledger from a backup, the journal brings it up to date", k.Kind, k.ID, ErrDamaged, why)
}
