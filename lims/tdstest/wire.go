package tdstest

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"math"
	"math/big"
	"strings"
	"time"
)

// wire is a type as the protocol describes it, [MS-TDS] 2.2.5.4.
type wire struct {
	id               byte
	size             int // in bytes; of (max) types 0xffff
	precision, scale byte
}

// The types of the protocol.
const (
	wireImageText    = 0x23 // text
	wireGUID         = 0x24
	wireIntN         = 0x26
	wireDate         = 0x28
	wireTime         = 0x29
	wireDatetime2    = 0x2a
	wireOffset       = 0x2b
	wireInt1         = 0x30
	wireBit          = 0x32
	wireInt2         = 0x34
	wireInt4         = 0x38
	wireSmallDT      = 0x3a
	wireReal         = 0x3b
	wireMoney        = 0x3c
	wireDatetime     = 0x3d
	wireFloat        = 0x3e
	wireImageNText   = 0x63 // ntext
	wireBitN         = 0x68
	wireDecimal      = 0x6a
	wireNumeric      = 0x6c
	wireFloatN       = 0x6d
	wireMoneyN       = 0x6e
	wireDatetimeN    = 0x6f
	wireSmallMoney   = 0x7a
	wireInt8         = 0x7f
	wireVarBinary    = 0xa5
	wireVarChar      = 0xa7
	wireBinary       = 0xad
	wireChar         = 0xaf
	wireNVarChar     = 0xe7
	wireNChar        = 0xef
	wireXML          = 0xf1
	wireNull         = 0x1f
	partlyLong       = 0xffff // the size of (max) types, whose values come in chunks
	nullShort        = 0xffff
	nullPartlyLong   = 0xffffffffffffffff
	unknownLong      = 0xfffffffffffffffe
	userTypeRow      = 80 // the user type of a rowversion
	defaultTextWidth = 0x7fffffff
)

// fixed are the types whose values have no length, which columns without NULLs have.
var fixed = map[byte]int{wireInt1: 1, wireBit: 1, wireInt2: 2, wireInt4: 4, wireInt8: 8, wireReal: 4, wireFloat: 8, wireMoney: 8, wireSmallMoney: 4, wireDatetime: 8, wireSmallDT: 4}

// named are the types by their name: the one of columns without NULLs, and the one with.
var named = map[string][2]byte{
	"tinyint": {wireInt1, wireIntN}, "smallint": {wireInt2, wireIntN}, "int": {wireInt4, wireIntN}, "bigint": {wireInt8, wireIntN},
	"bit": {wireBit, wireBitN}, "real": {wireReal, wireFloatN}, "float": {wireFloat, wireFloatN},
	"money": {wireMoney, wireMoneyN}, "smallmoney": {wireSmallMoney, wireMoneyN},
	"datetime": {wireDatetime, wireDatetimeN}, "smalldatetime": {wireSmallDT, wireDatetimeN},
}

// wire returns the type as the protocol describes it.
func (t Type) wire() wire {
	if ids, ok := named[t.Name]; ok {
		size := fixed[ids[0]]
		if t.NotNull {
			return wire{id: ids[0], size: size}
		}
		return wire{id: ids[1], size: size}
	}
	size := func(perCharacter int) int {
		if t.Length == Max {
			return partlyLong
		}
		return t.Length * perCharacter
	}
	switch t.Name {
	case "date":
		return wire{id: wireDate, size: 3}
	case "time":
		return wire{id: wireTime, size: clockSize(t.Scale), scale: byte(t.Scale)}
	case "datetime2":
		return wire{id: wireDatetime2, size: clockSize(t.Scale) + 3, scale: byte(t.Scale)}
	case "datetimeoffset":
		return wire{id: wireOffset, size: clockSize(t.Scale) + 5, scale: byte(t.Scale)}
	case "decimal":
		return wire{id: wireDecimal, size: decimalSize(t.Precision), precision: byte(t.Precision), scale: byte(t.Scale)}
	case "numeric":
		return wire{id: wireNumeric, size: decimalSize(t.Precision), precision: byte(t.Precision), scale: byte(t.Scale)}
	case "uniqueidentifier":
		return wire{id: wireGUID, size: 16}
	case "rowversion":
		return wire{id: wireBinary, size: 8}
	case "binary":
		return wire{id: wireBinary, size: t.Length}
	case "varbinary":
		return wire{id: wireVarBinary, size: size(1)}
	case "char":
		return wire{id: wireChar, size: size(1)}
	case "varchar":
		return wire{id: wireVarChar, size: size(1)}
	case "nchar":
		return wire{id: wireNChar, size: size(2)}
	case "nvarchar":
		return wire{id: wireNVarChar, size: size(2)}
	case "text":
		return wire{id: wireImageText, size: defaultTextWidth}
	case "ntext":
		return wire{id: wireImageNText, size: defaultTextWidth - 1}
	}
	return wire{id: wireXML, size: partlyLong}
}

// named returns the type's name in T-SQL.
func (w wire) named() Type {
	for name, ids := range named {
		if w.id == ids[0] || w.id == ids[1] && w.size == fixed[ids[0]] {
			return Type{Name: name, NotNull: w.id == ids[0]}
		}
	}
	length := func(perCharacter int) int {
		if w.size == partlyLong {
			return Max
		}
		return w.size / perCharacter
	}
	switch w.id {
	case wireDate:
		return Type{Name: "date"}
	case wireTime:
		return Type{Name: "time", Scale: int(w.scale)}
	case wireDatetime2:
		return Type{Name: "datetime2", Scale: int(w.scale)}
	case wireOffset:
		return Type{Name: "datetimeoffset", Scale: int(w.scale)}
	case wireDecimal:
		return Type{Name: "decimal", Precision: int(w.precision), Scale: int(w.scale)}
	case wireNumeric:
		return Type{Name: "numeric", Precision: int(w.precision), Scale: int(w.scale)}
	case wireGUID:
		return Type{Name: "uniqueidentifier"}
	case wireBinary:
		return Type{Name: "binary", Length: w.size}
	case wireVarBinary:
		return Type{Name: "varbinary", Length: length(1)}
	case wireChar:
		return Type{Name: "char", Length: length(1)}
	case wireVarChar:
		return Type{Name: "varchar", Length: length(1)}
	case wireNChar:
		return Type{Name: "nchar", Length: length(2)}
	case wireNull:
		return Type{Name: "nvarchar", Length: 1}
	}
	return Type{Name: "nvarchar", Length: length(2)}
}

// clockSize is how many bytes a time of day with so many digits takes.
func clockSize(digits int) int {
	switch {
	case digits <= 2:
		return 3
	case digits <= 4:
		return 4
	}
	return 5
}

// decimalSize is how many bytes a decimal of this precision takes, its sign included.
func decimalSize(precision int) int {
	switch {
	case precision <= 9:
		return 5
	case precision <= 19:
		return 9
	case precision <= 28:
		return 13
	}
	return 17
}

// encode writes a value, with its length where the type has one.
func (w wire) encode(v any) ([]byte, error) {
	var data []byte
	if v != nil {
		var err error
		if data, err = w.bytes(v); err != nil {
			return nil, err
		}
	}
	var out []byte
	switch {
	case fixed[w.id] > 0:
		return data, nil
	case w.id == wireImageText || w.id == wireImageNText:
		if v == nil {
			return []byte{0}, nil
		}
		out = append(out, 16)
		out = append(out, make([]byte, 16+8)...) // text pointer and timestamp
		out = binary.LittleEndian.AppendUint32(out, uint32(len(data)))
	case w.size == partlyLong:
		if v == nil {
			return binary.LittleEndian.AppendUint64(nil, nullPartlyLong), nil
		}
		out = binary.LittleEndian.AppendUint64(out, uint64(len(data)))
		if len(data) > 0 {
			out = binary.LittleEndian.AppendUint32(out, uint32(len(data)))
			out = append(out, data...)
		}
		return append(out, 0, 0, 0, 0), nil
	case w.id >= wireVarBinary:
		if v == nil {
			return binary.LittleEndian.AppendUint16(nil, nullShort), nil
		}
		out = binary.LittleEndian.AppendUint16(out, uint16(len(data)))
	default:
		out = append(out, byte(len(data)))
	}
	return append(out, data...), nil
}

// bytes writes a value that is not NULL, in the form that value.go describes.
func (w wire) bytes(v any) ([]byte, error) {
	le := binary.LittleEndian
	switch v := v.(type) {
	case int64:
		return le.AppendUint64(nil, uint64(v))[:w.size], nil
	case float64:
		if w.size == 4 {
			return le.AppendUint32(nil, math.Float32bits(float32(v))), nil
		}
		return le.AppendUint64(nil, math.Float64bits(v)), nil
	case []byte:
		return v, nil
	case string:
		return w.textBytes(v)
	}
	return nil, fmt.Errorf("a value of type %T cannot be sent", v)
}

func (w wire) textBytes(s string) ([]byte, error) {
	le := binary.LittleEndian
	switch w.id {
	case wireVarChar, wireChar, wireImageText:
		return toCodePage(s), nil
	case wireGUID:
		b, err := hex.DecodeString(strings.ReplaceAll(s, "-", ""))
		return swapGUID(b), err
	case wireDecimal, wireNumeric:
		n, _ := new(big.Int).SetString(strings.ReplaceAll(s, ".", ""), 10)
		sign := byte(1)
		if n.Sign() < 0 {
			sign = 0
		}
		digits := n.Abs(n).FillBytes(make([]byte, w.size-1))
		out := []byte{sign}
		for i := range digits {
			out = append(out, digits[len(digits)-1-i])
		}
		return out, nil
	case wireMoney, wireMoneyN, wireSmallMoney:
		n, _ := new(big.Int).SetString(strings.ReplaceAll(s, ".", ""), 10)
		if w.size == 4 {
			return le.AppendUint32(nil, uint32(n.Int64())), nil
		}
		return le.AppendUint32(le.AppendUint32(nil, uint32(n.Int64()>>32)), uint32(n.Int64())), nil
	case wireDatetime, wireDatetimeN, wireSmallDT, wireDate, wireTime, wireDatetime2, wireOffset:
		at, err := parseClock(s)
		return w.clockBytes(at), err
	}
	return utf16le(s), nil
}

var yearOne = time.Date(1, 1, 1, 0, 0, 0, 0, time.UTC)

// daysSinceYearOne counts days without a time.Duration, which ends after 292 years.
func daysSinceYearOne(at time.Time) int64 { return (at.Unix() - yearOne.Unix()) / (24 * 3600) }

func (w wire) clockBytes(at time.Time) []byte {
	le := binary.LittleEndian
	_, offset := at.Zone()
	if w.id == wireOffset {
		at = at.UTC()
	}
	date := le.AppendUint32(nil, uint32(daysSinceYearOne(at)))[:3]
	switch {
	case w.id == wireDate:
		return date
	case w.id == wireTime:
		return w.timeOfDay(at)
	case w.id == wireDatetime2:
		return append(w.timeOfDay(at), date...)
	case w.id == wireOffset:
		return le.AppendUint16(append(w.timeOfDay(at), date...), uint16(int16(offset/60)))
	case w.size == 4:
		days := daysSinceYearOne(at) - daysSinceYearOne(datetimeZero)
		return le.AppendUint16(le.AppendUint16(nil, uint16(days)), uint16(at.Hour()*60+at.Minute()))
	}
	days, ticks := datetimeTicks(at)
	return le.AppendUint32(le.AppendUint32(nil, uint32(int32(days))), uint32(ticks))
}

// timeOfDay counts the type's smallest steps since midnight.
func (w wire) timeOfDay(at time.Time) []byte {
	steps := at.Sub(at.Truncate(24*time.Hour)) / unit(int(w.scale))
	return binary.LittleEndian.AppendUint64(nil, uint64(steps))[:clockSize(int(w.scale))]
}

// swapGUID turns the first three groups of a uniqueidentifier around: they travel as little-endian numbers.
func swapGUID(b []byte) []byte {
	if len(b) != 16 {
		return b
	}
	return []byte{b[3], b[2], b[1], b[0], b[5], b[4], b[7], b[6], b[8], b[9], b[10], b[11], b[12], b[13], b[14], b[15]}
}
