package oratest

import "encoding/binary"

// Lengths of the CLR form, in which bytes travel with their length ([thin] TNS_MAX_SHORT_LENGTH and
// TNS_LONG_LENGTH_INDICATOR; the capability BIG_CHUNK_CLR makes the chunks' lengths numbers).
const (
	clrShort = 252
	clrLong  = 0xfe
	clrChunk = 32767
)

// output collects a message.
type output struct{ b []byte }

func (o *output) bytes(b ...byte) { o.b = append(o.b, b...) }

// num writes a number with its length before it; 0 is its length alone ([thin] write_ub4 and its like).
func (o *output) num(v int) {
	sign := byte(0)
	if v < 0 {
		sign, v = 0x80, -v
	}
	b := binary.BigEndian.AppendUint64(nil, uint64(v))
	for len(b) > 0 && b[0] == 0 {
		b = b[1:]
	}
	o.bytes(sign | byte(len(b)))
	o.bytes(b...)
}

// nums writes numbers.
func (o *output) nums(v ...int) {
	for _, n := range v {
		o.num(n)
	}
}

// clr writes bytes with their length, the longer ones in chunks. No bytes are NULL.
func (o *output) clr(b []byte) {
	if len(b) <= clrShort {
		o.bytes(byte(len(b)))
		o.bytes(b...)
		return
	}
	o.bytes(clrLong)
	for len(b) > 0 {
		n := min(len(b), clrChunk)
		o.num(n)
		o.bytes(b[:n]...)
		b = b[n:]
	}
	o.num(0)
}

// dlc writes bytes with two lengths ([thin] write_bytes_with_two_lengths).
func (o *output) dlc(b []byte) {
	o.num(len(b))
	if len(b) > 0 {
		o.clr(b)
	}
}

// pair writes a key with its value ([thin] _write_key_value).
func (o *output) pair(key, value string, flag int) {
	o.dlc([]byte(key))
	o.dlc([]byte(value))
	o.num(flag)
}

// input reads messages, which end where they end: no length stands before them. more has the next packet's
// content. After an error everything is zero.
type input struct {
	b    []byte
	more func() ([]byte, error)
	err  error
}

func (in *input) take(n int) []byte {
	for in.err == nil && len(in.b) < n {
		var b []byte
		if b, in.err = in.more(); in.err == nil {
			in.b = append(in.b, b...)
		}
	}
	if in.err != nil {
		return make([]byte, n)
	}
	b := in.b[:n:n]
	in.b = in.b[n:]
	return b
}

func (in *input) u8() byte    { return in.take(1)[0] }
func (in *input) u16() uint16 { return binary.BigEndian.Uint16(in.take(2)) }

// num reads what output.num writes.
func (in *input) num() int {
	head := in.u8()
	n := head &^ 0x80
	if n > 8 {
		in.fail()
		return 0
	}
	v := 0
	for _, b := range in.take(int(n)) {
		v = v<<8 | int(b)
	}
	if head&0x80 != 0 {
		v = -v
	}
	return v
}

// clr reads what output.clr writes.
func (in *input) clr() []byte {
	n := int(in.u8())
	switch n {
	case 0, 0xff:
		return nil
	case clrLong:
		var all []byte
		for n = in.num(); n > 0 && in.err == nil; n = in.num() {
			all = append(all, in.take(n)...)
		}
		return all
	}
	return in.take(n)
}

// dlc reads what output.dlc writes.
func (in *input) dlc() []byte {
	if in.num() == 0 {
		return nil
	}
	return in.clr()
}

// pairs reads n keys with their values.
func (in *input) pairs(n int) map[string]string {
	m := map[string]string{}
	for range n {
		key, value := in.dlc(), in.dlc()
		in.num() // flags
		m[string(key)] = string(value)
	}
	return m
}

func (in *input) fail() {
	if in.err == nil {
		in.err = errMessage
	}
}
