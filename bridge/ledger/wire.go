package ledger

import (
	"encoding/binary"
	"math"
	"strconv"
	"time"

	"limsbridge/bridge"
)

// Forms of a time.
const (
	timeZero  = 0 // the zero time
	timeSame  = 1 // the time before it
	timeWhole = 2 // seconds since the time before it, no nanoseconds
	timeFull  = 3 // seconds since the time before it, then nanoseconds
)

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
