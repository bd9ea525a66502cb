package oratest

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// Type is a column's type as SQL names it.
type Type struct {
	Name      string // as Oracle calls it, without lengths: VARCHAR2, TIMESTAMP WITH TIME ZONE
	Length    int    // of texts in bytes or characters, of RAW in bytes
	Chars     bool   // Length counts characters
	Precision int    // of NUMBER; 0: as many digits as there are
	Scale     int    // of NUMBER behind the point; of TIMESTAMP the digits of a second
}

// Column is a column of a table or of an answer.
type Column struct {
	Name string
	Type Type
}

// The types with a zone.
const (
	zoned = "TIMESTAMP WITH TIME ZONE"
	local = "TIMESTAMP WITH LOCAL TIME ZONE"
)

var typePattern = regexp.MustCompile(`^([A-Z0-9_]+)(?:\((\d+)(?:,(\d+))?(?: (BYTE|CHAR))?\))?((?: [A-Z]+)*)$`)

// ParseType reads a type as it is written in CREATE TABLE, [SQLREF] Data Types.
func ParseType(text string) (Type, error) {
	m := typePattern.FindStringSubmatch(strings.ToUpper(text))
	if m == nil {
		return Type{}, fmt.Errorf("%q is no type", text)
	}
	first, _ := strconv.Atoi(m[2])
	t := Type{Name: m[1] + m[5], Chars: m[4] == "CHAR"}
	if t.Name == "INTERVAL DAY TO SECOND" {
		t.Scale = 6
		return t, nil
	}
	switch t.Name {
	case "VARCHAR2", "RAW": // a VARCHAR2(0) is what an expression is that is always NULL
		t.Length = first
		if m[2] == "" {
			return t, fmt.Errorf("%s needs a length", t.Name)
		}
	case "CHAR":
		t.Length = max(first, 1)
	case "NVARCHAR2", "NCHAR": // always characters
		t.Length, t.Chars = max(first, 1), true
	case "NUMBER":
		t.Precision = first
		t.Scale, _ = strconv.Atoi(m[3])
	case "TIMESTAMP", zoned, local:
		t.Scale = 6
		if m[2] != "" {
			t.Scale = first
		}
	case "DATE", "BINARY_FLOAT", "BINARY_DOUBLE", "CLOB":
	default:
		return t, fmt.Errorf("%q is no type that this server knows", text)
	}
	return t, nil
}

// isText says that values are text of the lab's own.
func (t Type) isText() bool {
	switch t.Name {
	case "VARCHAR2", "CHAR", "NVARCHAR2", "NCHAR", "CLOB":
		return true
	}
	return false
}

// padded says that values are filled up with blanks, and compared as if they were.
func (t Type) padded() bool { return t.Name == "CHAR" || t.Name == "NCHAR" }

// national says that values travel in the national character set.
func (t Type) national() bool { return t.Name == "NVARCHAR2" || t.Name == "NCHAR" }

// The types' numbers on the wire, [thin] ORA_TYPE_NUM_….
const (
	wireVarchar  = 1
	wireNumber   = 2
	wireDate     = 12
	wireRaw      = 23
	wireChar     = 96
	wireFloat    = 100
	wireDouble   = 101
	wireClob     = 112
	wireStamp    = 180
	wireZoned    = 181
	wireInterval = 183
	wireLocal    = 231
)

// travels says that values of the type may be in an answer: limsbridge asks for all others as texts.
func (t Type) travels() bool {
	switch t.Name {
	case "RAW", "BINARY_FLOAT", "BINARY_DOUBLE":
		return true
	}
	return t.isText() && t.Name != "CLOB"
}

var wireTypes = []int{wireVarchar, wireNumber, wireDate, wireRaw, wireChar, wireFloat, wireDouble, wireClob, wireStamp, wireZoned, wireInterval, wireLocal}

// wire is how a column is described to a client.
type wire struct {
	code             byte
	precision, scale int
	scaled           bool // the scale is written with its length
	bytes            int  // longest value
	charset          int
	form             byte // 1: the database's character set, 2: the national one
	characters       int
}

func (t Type) wire() wire {
	w := wire{bytes: t.Length}
	switch t.Name {
	case "NUMBER":
		w.code, w.precision, w.scale, w.scaled, w.bytes = wireNumber, t.Precision, t.Scale, true, 22
		if t.Precision == 0 {
			w.scale = -127 // as many digits as there are
		}
		return w
	case "DATE":
		return wire{code: wireDate, bytes: 7}
	case "TIMESTAMP":
		return wire{code: wireStamp, scale: t.Scale, scaled: true, bytes: 11}
	case zoned:
		return wire{code: wireZoned, scale: t.Scale, scaled: true, bytes: 13}
	case local:
		return wire{code: wireLocal, scale: t.Scale, scaled: true, bytes: 11}
	case "INTERVAL DAY TO SECOND":
		return wire{code: wireInterval, precision: 2, scale: t.Scale, scaled: true, bytes: 11}
	case "BINARY_FLOAT":
		return wire{code: wireFloat, bytes: 4}
	case "BINARY_DOUBLE":
		return wire{code: wireDouble, bytes: 8}
	case "RAW":
		w.code = wireRaw
		return w
	case "CLOB":
		return wire{code: wireClob, bytes: 4000, charset: charset, form: 1}
	}
	w.code, w.charset, w.form, w.characters = wireVarchar, charset, 1, t.Length
	if t.padded() {
		w.code = wireChar
	}
	switch {
	case t.national():
		w.charset, w.form, w.bytes = nationalCharset, 2, 2*t.Length
	case t.Chars:
		w.bytes = min(4*t.Length, 4000)
	}
	return w
}
