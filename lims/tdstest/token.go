package tdstest

import (
	"encoding/binary"
	"fmt"
)

// The tokens of a reply, [MS-TDS] 2.2.4.
const (
	tokenReturnStatus = 0x79
	tokenColumns      = 0x81
	tokenError        = 0xaa
	tokenInfo         = 0xab
	tokenLoginAck     = 0xad
	tokenRow          = 0xd1
	tokenRowWithNulls = 0xd2
	tokenEnvChange    = 0xe3
	tokenDone         = 0xfd
	tokenDoneProc     = 0xfe
	tokenDoneInProc   = 0xff
)

// The status bits of DONE.
const (
	doneMore   = 0x01
	doneFailed = 0x02
	doneCount  = 0x10
	doneCancel = 0x20 // acknowledges an attention
	doneFatal  = 0x100
)

// The kinds of ENVCHANGE.
const (
	envDatabase   = 1
	envLanguage   = 2
	envPacketSize = 4
	envCollation  = 7
	envBegin      = 8
	envCommit     = 9
	envRollback   = 10
	envReset      = 18
	envRouting    = 20
)

// Column is a column of an answer.
type Column struct {
	Name string
	Type Type
}

// Error is an error of the server, as its ERROR token tells it.
type Error struct {
	Number  int32
	State   byte
	Class   byte // severity; from 20 on the server closes the connection
	Message string
}

// Error tells number and message.
func (e Error) Error() string { return fmt.Sprintf("%s (%d)", e.Message, e.Number) }

// reply collects tokens.
type reply struct{ b []byte }

func (r *reply) u8(v ...byte)   { r.b = append(r.b, v...) }
func (r *reply) u16(v int)      { r.b = binary.LittleEndian.AppendUint16(r.b, uint16(v)) }
func (r *reply) u32(v int)      { r.b = binary.LittleEndian.AppendUint32(r.b, uint32(v)) }
func (r *reply) short(s string) { r.u8(byte(len(utf16le(s)) / 2)); r.u8(utf16le(s)...) }
func (r *reply) long(s string)  { r.u16(len(utf16le(s)) / 2); r.u8(utf16le(s)...) }

// block writes a token whose body has its length before it.
func (r *reply) block(token byte, fill func(*reply)) {
	var body reply
	fill(&body)
	r.u8(token)
	r.u16(len(body.b))
	r.u8(body.b...)
}

func (r *reply) message(token byte, e Error) {
	r.block(token, func(r *reply) {
		r.u32(int(e.Number))
		r.u8(max(e.State, 1), e.Class)
		r.long(e.Message)
		r.short("TDSTEST")
		r.short("") // procedure
		r.u32(1)    // line
	})
}

func (r *reply) fail(e Error) { r.message(tokenError, e) }
func (r *reply) info(number int32, message string) {
	r.message(tokenInfo, Error{Number: number, State: 2, Message: message})
}

// env tells a change of texts, and envBytes one of bytes.
func (r *reply) env(kind byte, after, before string) {
	r.block(tokenEnvChange, func(r *reply) { r.u8(kind); r.short(after); r.short(before) })
}

func (r *reply) envBytes(kind byte, after, before []byte) {
	r.block(tokenEnvChange, func(r *reply) {
		r.u8(kind, byte(len(after)))
		r.u8(after...)
		r.u8(byte(len(before)))
		r.u8(before...)
	})
}

// route sends the client on to another server, [MS-TDS] 2.2.7.9.
func (r *reply) route(host string, port int) {
	r.block(tokenEnvChange, func(r *reply) {
		r.u8(envRouting)
		r.u16(1 + 2 + 2 + len(utf16le(host)))
		r.u8(0) // TCP
		r.u16(port)
		r.long(host)
		r.u16(0)
	})
}

func (r *reply) loginAck() {
	r.block(tokenLoginAck, func(r *reply) {
		r.u8(1, 0x74, 0, 0, 4) // T-SQL, TDS 7.4
		r.short("Microsoft SQL Server")
		r.u8(16, 0, 0x10, 0x86)
	})
}

func (r *reply) done(token byte, status, command int, count int64) {
	r.u8(token)
	r.u16(status)
	r.u16(command)
	r.b = binary.LittleEndian.AppendUint64(r.b, uint64(count))
}

// columns writes COLMETADATA.
func (r *reply) columns(columns []Column) {
	r.u8(tokenColumns)
	r.u16(len(columns))
	for _, c := range columns {
		userType := 0
		if c.Type.Name == "rowversion" {
			userType = userTypeRow
		}
		r.u32(userType)
		flags := 0x08 // read/write unknown
		if !c.Type.NotNull {
			flags |= 0x01
		}
		r.u16(flags)
		r.typeInfo(c.Type.wire())
		r.short(c.Name)
	}
}

// typeInfo writes TYPE_INFO.
func (r *reply) typeInfo(w wire) {
	r.u8(w.id)
	switch w.id {
	case wireDate:
	case wireTime, wireDatetime2, wireOffset:
		r.u8(w.scale)
	case wireDecimal, wireNumeric:
		r.u8(byte(w.size), w.precision, w.scale)
	case wireVarBinary, wireBinary:
		r.u16(w.size)
	case wireVarChar, wireChar, wireNVarChar, wireNChar:
		r.u16(w.size)
		r.u8(collation...)
	case wireImageText, wireImageNText:
		r.u32(w.size)
		r.u8(collation...)
		r.u8(1) // the table's name has one part
		r.long("t")
	case wireXML:
		r.u8(0) // no schema
	default:
		if fixed[w.id] == 0 {
			r.u8(byte(w.size))
		}
	}
}

// row writes a row: as ROW, where each NULL is written as its type writes it, or as NBCROW, which has a bit for each
// NULL, where that is shorter.
func (r *reply) row(columns []Column, values []any) error {
	nulls := make([]byte, (len(columns)+7)/8)
	var all, some []byte // the values with and without NULLs
	must := false
	for i, c := range columns {
		w := c.Type.wire()
		data, err := w.encode(values[i])
		if err != nil {
			return fmt.Errorf("column %s: %w", c.Name, err)
		}
		all = append(all, data...)
		if values[i] == nil {
			nulls[i/8] |= 1 << (i % 8)
			must = must || fixed[w.id] > 0 // whose type has no way to write it
			continue
		}
		some = append(some, data...)
	}
	if must || len(nulls)+len(some) < len(all) {
		r.u8(tokenRowWithNulls)
		r.u8(nulls...)
		r.u8(some...)
		return nil
	}
	r.u8(tokenRow)
	r.u8(all...)
	return nil
}
