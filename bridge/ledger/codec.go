package ledger

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"math"
	"strconv"
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
	flagWhole     = 1 << 0 // of an attempt
)

// Forms of a time.
const (
	timeZero  = 0 // the zero time
	timeSame  = 1 // the time before it
	timeWhole = 2 // seconds since the time before it, no nanoseconds
	timeFull  = 3 // seconds since the time before it, then nanoseconds
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
		e.flags(m.Released, m.Source == lims.Results)
		if m.Source != lims.Results {
			e.word(string(m.Source))
		}
		e.id(m.ID)
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
	r.Rows = list[bridge.RowMark](&d, 20)
	for i := range r.Rows {
		m := &r.Rows[i]
		f := d.byte()
		m.Released, m.Source = f&flagReleased != 0, lims.Results
		if f&flagResults == 0 {
			m.Source = lims.Source(d.word())
		}
		m.ID = d.id()
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

// encoder appends to b.
type encoder struct {
	b     []byte
	words *words
	last  time.Time // the time before; zero: none yet

	lastID int64 // the numeric row id before
}

func (e *encoder) number(n uint64) { e.b = binary.AppendUvarint(e.b, n) }

func (e *encoder) text(s string) {
	e.number(uint64(len(s)))
	e.b = append(e.b, s...)
}

func (e *encoder) word(s string) {
	id := e.words.id(s)
	e.number(id)
	if id == 0 {
		e.text(s)
	}
}

// flags writes a byte with one bit for each, the lowest first.
func (e *encoder) flags(bits ...bool) {
	var f byte
	for i, set := range bits {
		if set {
			f |= 1 << i
		}
	}
	e.b = append(e.b, f)
}

func (e *encoder) time(t time.Time) {
	switch {
	case t.IsZero():
		e.b = append(e.b, timeZero)
		return
	case !e.last.IsZero() && t.Equal(e.last):
		e.b = append(e.b, timeSame)
		return
	}
	form := byte(timeFull)
	if t.Nanosecond() == 0 {
		form = timeWhole
	}
	e.b = append(e.b, form)
	e.b = binary.AppendVarint(e.b, t.Unix()-seconds(e.last))
	if form == timeFull {
		e.number(uint64(t.Nanosecond()))
	}
	e.last = t
}

// seconds is t.Unix, and 0 for the zero time.
func seconds(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.Unix()
}

func (e *encoder) sent(sent []bridge.Sent, rows []bridge.RowMark) {
	e.number(uint64(len(sent)))
	for i := range sent {
		s := &sent[i]
		e.flags(s.Withdrawn)
		e.word(s.Code)
		e.row(s.Row, rows)
		e.b = append(e.b, s.Print[:]...)
		e.time(s.At)
	}
}

// row writes the place of the row mark with this id, counted from 1, or 0 and the id.
func (e *encoder) row(id string, rows []bridge.RowMark) {
	for i := range rows {
		if rows[i].ID == id {
			e.number(uint64(i) + 1)
			return
		}
	}
	e.number(0)
	e.id(id)
}

// id writes a row id: those of a record are often numbers that are near to each other.
func (e *encoder) id(s string) {
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil || n < 0 || strconv.FormatInt(n, 10) != s {
		e.number(uint64(len(s)) + 1)
		e.b = append(e.b, s...)
		return
	}
	e.number(0)
	e.b = binary.AppendVarint(e.b, n-e.lastID)
	e.lastID = n
}

// decoder reads from b. After the first thing that cannot be, bad says why, and everything read
// is zero.
type decoder struct {
	b     []byte
	s     string // b as text, made when the first text is read: one allocation for all of them
	at    int
	words *words
	last  time.Time
	bad   string

	lastID int64
}

// take returns where the next n bytes are.
func (d *decoder) take(n uint64) (from, to int) {
	if d.bad != "" || n > uint64(len(d.b)-d.at) {
		d.spoil("it ends too early")
		return 0, 0
	}
	from, d.at = d.at, d.at+int(n)
	return from, d.at
}

func (d *decoder) spoil(why string) {
	if d.bad == "" {
		d.bad = why
	}
}

func (d *decoder) byte() byte {
	if from, to := d.take(1); to > from {
		return d.b[from]
	}
	return 0
}

func (d *decoder) bytes(into []byte) {
	from, to := d.take(uint64(len(into)))
	copy(into, d.b[from:to])
}

func (d *decoder) fixed() uint64 {
	if from, to := d.take(8); to > from {
		return binary.LittleEndian.Uint64(d.b[from:])
	}
	return 0
}

func (d *decoder) number() uint64 {
	if d.bad != "" {
		return 0
	}
	n, size := binary.Uvarint(d.b[d.at:])
	if size <= 0 {
		d.spoil("a number does not end")
		return 0
	}
	d.at += size
	return n
}

// signed reads what binary.AppendVarint wrote.
func (d *decoder) signed() int64 {
	n := d.number()
	return int64(n>>1) ^ -int64(n&1)
}

func (d *decoder) text() string { return d.cut(d.number()) }

func (d *decoder) id() string {
	if n := d.number(); n > 0 {
		return d.cut(n - 1)
	}
	d.lastID += d.signed()
	if d.lastID < 0 {
		d.spoil("a row id is out of range")
	}
	if d.bad != "" {
		return ""
	}
	return strconv.FormatInt(d.lastID, 10)
}

// cut returns the next n bytes as text.
func (d *decoder) cut(n uint64) string {
	from, to := d.take(n)
	if from == to {
		return ""
	}
	if d.s == "" {
		d.s = string(d.b)
	}
	return d.s[from:to]
}

func (d *decoder) word() string {
	id := d.number()
	if id == 0 {
		return d.text()
	}
	s, ok := d.words.text(id)
	if !ok {
		d.spoil("it uses an unknown word")
	}
	return s
}

func (d *decoder) time() time.Time {
	form := d.byte()
	var nanos uint64
	switch form {
	case timeZero:
		return time.Time{}
	case timeSame:
		return d.last
	case timeWhole, timeFull:
	default:
		d.spoil("a time has an unknown form")
		return time.Time{}
	}
	sec := d.signed() + seconds(d.last)
	if form == timeFull {
		nanos = d.number()
	}
	if nanos >= 1e9 || sec > math.MaxInt64/2 || sec < math.MinInt64/2 {
		d.spoil("a time is out of range")
	}
	if d.bad != "" {
		return time.Time{}
	}
	d.last = time.Unix(sec, int64(nanos)).UTC()
	return d.last
}

func (d *decoder) sent(rows []bridge.RowMark) []bridge.Sent {
	sent := list[bridge.Sent](d, 20)
	for i := range sent {
		s := &sent[i]
		s.Withdrawn = d.byte()&flagWithdrawn != 0
		s.Code = d.word()
		s.Row = d.row(rows)
		d.bytes(s.Print[:])
		s.At = d.time()
	}
	return sent
}

func (d *decoder) row(rows []bridge.RowMark) string {
	n := d.number()
	switch {
	case n == 0:
		return d.id()
	case n > uint64(len(rows)):
		d.spoil("it refers to an unknown row")
		return ""
	}
	return rows[n-1].ID
}

// list reads the length of a list and makes it; an element takes at least size bytes, so that
// garbage cannot ask for more memory than it has bytes. An empty list is nil.
func list[T any](d *decoder, size int) []T {
	n := d.number()
	if n > uint64(len(d.b)-d.at)/uint64(size) {
		d.spoil("a list is longer than it can be")
		return nil
	}
	if n == 0 {
		return nil
	}
	return make([]T, n)
}
