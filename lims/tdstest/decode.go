package tdstest

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"io"
	"math"
	"math/big"
	"strings"
	"time"
)

// input reads what a client wrote. After its end it reads zeros, and tells so in err.
type input struct {
	b   []byte
	err error
}

func (in *input) take(n int) []byte {
	if n < 0 || n > len(in.b) {
		in.b, in.err = nil, io.ErrUnexpectedEOF
		return make([]byte, min(max(n, 0), 1<<16))
	}
	out := in.b[:n]
	in.b = in.b[n:]
	return out
}

func (in *input) u8() byte    { return in.take(1)[0] }
func (in *input) u16() uint16 { return binary.LittleEndian.Uint16(in.take(2)) }
func (in *input) u32() uint32 { return binary.LittleEndian.Uint32(in.take(4)) }
func (in *input) u64() uint64 { return binary.LittleEndian.Uint64(in.take(8)) }

// shortText reads a B_VARCHAR, [MS-TDS] 2.2.5.1.2.
func (in *input) shortText() string { return fromUTF16(in.take(2 * int(in.u8()))) }

// readWire reads a TYPE_INFO.
func (in *input) readWire() wire {
	w := wire{id: in.u8()}
	switch w.id {
	case wireNull:
	case wireDate:
		w.size = 3
	case wireTime, wireDatetime2, wireOffset:
		w.scale = in.u8()
		w.size = clockSize(int(w.scale)) + map[byte]int{wireDatetime2: 3, wireOffset: 5}[w.id]
	case wireDecimal, wireNumeric:
		w.size, w.precision, w.scale = int(in.u8()), in.u8(), in.u8()
	case wireVarBinary, wireBinary:
		w.size = int(in.u16())
	case wireVarChar, wireChar, wireNVarChar, wireNChar:
		w.size = int(in.u16())
		in.take(len(collation))
	default:
		if w.size = fixed[w.id]; w.size == 0 {
			w.size = int(in.u8())
		}
	}
	return w
}

// readValue reads a parameter's value of that type.
func (in *input) readValue(w wire) (any, error) {
	var data []byte
	null := false
	switch {
	case w.id == wireNull:
		return nil, nil
	case fixed[w.id] > 0:
		data = in.take(w.size)
	case w.size == partlyLong:
		data, null = in.readLong()
	case w.id >= wireVarBinary:
		n := in.u16()
		if null = n == nullShort; !null {
			data = in.take(int(n))
		}
	default:
		data = in.take(int(in.u8()))
		null = len(data) == 0
	}
	if null || in.err != nil {
		return nil, in.err
	}
	return w.decode(data)
}

// readLong reads a value that comes in chunks, [MS-TDS] 2.2.5.2.3.
func (in *input) readLong() (data []byte, null bool) {
	if in.u64() == nullPartlyLong {
		return nil, true
	}
	data = []byte{}
	for n := in.u32(); n > 0 && in.err == nil; n = in.u32() {
		data = append(data, in.take(int(n))...)
	}
	return data, false
}

// decode gives the bytes of a value the form that value.go describes.
func (w wire) decode(b []byte) (any, error) {
	t := w.named()
	number := func() int64 {
		var n uint64
		for i := range b {
			n |= uint64(b[i]) << (8 * i)
		}
		return int64(n)
	}
	switch t.Name {
	case "tinyint", "bit":
		return number(), nil
	case "smallint":
		return int64(int16(number())), nil
	case "int":
		return int64(int32(number())), nil
	case "bigint":
		return number(), nil
	case "real":
		return float64(math.Float32frombits(uint32(number()))), nil
	case "float":
		return math.Float64frombits(uint64(number())), nil
	case "money", "smallmoney":
		n := int64(int32(number()))
		if len(b) == 8 {
			n = number()<<32 | int64(uint64(number())>>32)
		}
		return new(big.Rat).SetFrac64(n, 10_000).FloatString(4), nil
	case "decimal", "numeric":
		digits := make([]byte, len(b)-1)
		for i := range digits {
			digits[i] = b[len(b)-1-i]
		}
		n := new(big.Int).SetBytes(digits)
		if b[0] == 0 {
			n.Neg(n)
		}
		return new(big.Rat).SetFrac(n, new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(w.scale)), nil)).FloatString(int(w.scale)), nil
	case "uniqueidentifier":
		s := strings.ToUpper(hex.EncodeToString(swapGUID(b)))
		return s[:8] + "-" + s[8:12] + "-" + s[12:16] + "-" + s[16:20] + "-" + s[20:], nil
	case "binary", "varbinary":
		return append([]byte{}, b...), nil
	case "varchar", "char":
		return fromCodePage(b), nil
	case "nvarchar", "nchar":
		return fromUTF16(b), nil
	}
	at, err := w.decodeClock(b)
	if err != nil {
		return nil, err
	}
	return t.clockText(at), nil
}

func (w wire) decodeClock(b []byte) (time.Time, error) {
	le := binary.LittleEndian
	if len(b) != w.size {
		return time.Time{}, fmt.Errorf("a point in time has %d bytes instead of %d", len(b), w.size)
	}
	switch {
	case w.id == wireSmallDT || w.id == wireDatetimeN && w.size == 4:
		return datetimeZero.AddDate(0, 0, int(le.Uint16(b))).Add(time.Duration(le.Uint16(b[2:])) * time.Minute), nil
	case w.id == wireDatetime || w.id == wireDatetimeN:
		return fromDatetime(int64(int32(le.Uint32(b))), int64(le.Uint32(b[4:]))), nil
	case w.id == wireDate:
		return yearOne.AddDate(0, 0, int(le.Uint32(append(b[:3:3], 0)))), nil
	}
	n := clockSize(int(w.scale))
	steps := le.Uint64(append(b[:n:n], make([]byte, 8-n)...))
	at := time.Duration(steps) * unit(int(w.scale))
	if w.id == wireTime {
		return yearOne.Add(at), nil
	}
	day := yearOne.AddDate(0, 0, int(le.Uint32(append(b[n:n+3:n+3], 0))))
	if w.id == wireOffset {
		offset := int(int16(le.Uint16(b[n+3:]))) * 60
		return day.Add(at).In(time.FixedZone("", offset)), nil
	}
	return day.Add(at), nil
}
