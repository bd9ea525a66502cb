package oratest

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"
	"time"
	"unicode/utf16"
	"unicode/utf8"
)

// What the lab writes date-times as. Its session's formats, if it had one.
const (
	labDate  = "YYYY-MM-DD HH24:MI:SS"
	labStamp = labDate + ".FF9"
	labZoned = labStamp + "TZH:TZM"
)

// stored is a value of the lab as a column of a table keeps it: nil, number, string, []byte, time.Time,
// float64 or time.Duration. The empty text is NULL, [SQLREF] Nulls.
func (t Type) stored(v any) (any, error) {
	text := fmt.Sprint(v)
	if v == nil || text == "" {
		return nil, nil
	}
	switch t.Name {
	case "NUMBER":
		n, err := parseNumber(text, ".")
		if err == nil {
			n, err = n.stored(t)
		}
		return n, err
	case "BINARY_FLOAT":
		f, err := strconv.ParseFloat(text, 32)
		return f, err
	case "BINARY_DOUBLE":
		f, err := strconv.ParseFloat(text, 64)
		return f, err
	case "RAW":
		b, err := hex.DecodeString(text)
		if err == nil && len(b) > t.Length {
			err = t.tooLong(len(b))
		}
		return b, err
	case "DATE", "TIMESTAMP", zoned, local:
		return t.storedTime(text)
	case "INTERVAL DAY TO SECOND":
		return parseInterval(text)
	}
	n := len(text)
	if t.Chars {
		n = utf8.RuneCountInString(text)
	}
	switch {
	case t.Name == "CLOB":
	case n > t.Length:
		return nil, t.tooLong(n)
	case t.padded():
		text += strings.Repeat(" ", t.Length-n)
	}
	return text, nil
}

func (t Type) tooLong(n int) error {
	return Error{Code: 12899, Message: fmt.Sprintf("value too large for column (actual: %d, maximum: %d)", n, t.Length)}
}

// storedTime rounds to the column's digits of a second. A time without zone in a column with one is the lab's,
// whose session is in UTC.
func (t Type) storedTime(text string) (any, error) {
	format := labStamp
	switch t.Name {
	case "DATE":
		format = labDate
	case zoned, local:
		format = labZoned
	}
	as := t
	if t.Name == local {
		as.Name = zoned // as which it is read
	}
	list, err := model(format, as)
	if err != nil {
		return nil, err
	}
	at, err := read(list, text)
	if err != nil {
		return nil, err
	}
	unit := time.Second
	for range t.Scale {
		unit /= 10
	}
	if at = at.Round(unit); t.Name == local {
		at = at.UTC()
	}
	return at, nil
}

var interval = regexp.MustCompile(`^(\d+) (\d\d):(\d\d):(\d\d)$`)

func parseInterval(text string) (any, error) {
	m := interval.FindStringSubmatch(text)
	if m == nil {
		return nil, Error{Code: 1867, Message: "the interval is invalid"}
	}
	var d time.Duration
	for i, unit := range []time.Duration{24 * time.Hour, time.Hour, time.Minute, time.Second} {
		n, _ := strconv.Atoi(m[i+1])
		d += time.Duration(n) * unit
	}
	return d, nil
}

// same says that two values are written alike, so that the second need not be sent again.
func same(a, b any) bool {
	x, ok := a.([]byte)
	if y, also := b.([]byte); ok && also {
		return bytes.Equal(x, y)
	}
	if x, ok := a.(number); ok {
		y, also := b.(number)
		return also && x.text == y.text
	}
	return !ok && a == b
}

// value writes a value of an answer. NULL is a length of 0, and nothing at all where the column is always NULL.
func (o *output) value(t Type, v any) {
	switch v := v.(type) {
	case nil:
		if t.wire().bytes > 0 {
			o.clr(nil)
		}
	case number:
		o.clr(v.wire())
	case string:
		if t.national() {
			o.clr(utf16BE(v))
		} else {
			o.clr([]byte(v))
		}
	case []byte:
		o.clr(v)
	case float64:
		if t.Name == "BINARY_FLOAT" {
			o.clr(ordered(binary.BigEndian.AppendUint32(nil, math.Float32bits(float32(v)))))
		} else {
			o.clr(ordered(binary.BigEndian.AppendUint64(nil, math.Float64bits(v))))
		}
	}
}

// ordered turns the bytes of a binary number so that their order is that of the numbers, [thin]
// write_binary_double.
func ordered(b []byte) []byte {
	if b[0]&0x80 == 0 {
		b[0] |= 0x80
		return b
	}
	for i := range b {
		b[i] = ^b[i]
	}
	return b
}

func utf16BE(s string) (b []byte) {
	for _, u := range utf16.Encode([]rune(s)) {
		b = binary.BigEndian.AppendUint16(b, u)
	}
	return b
}
