package tdstest

import (
	"encoding/hex"
	"fmt"
	"math"
	"math/big"
	"slices"
	"strconv"
	"strings"
	"time"
)

// A value is nil for NULL, an int64 (integers, bit), a float64 (float, real), []byte (binaries), and a
// string for everything else, in one form per type, so that values of a type compare as their strings
// do (or by the type's collation):
//
//   - date 2026-12-01; datetime, smalldatetime, datetime2 2026-12-01 06:00:31.8566667, always seven digits;
//     datetimeoffset the same with its offset, +01:00, behind it; time 06:00:31.8566667
//   - decimal, money with as many digits behind the point as the type has
//   - uniqueidentifier in capitals
//   - char and nchar with their padding

const (
	clockForm = "2006-01-02 15:04:05.0000000"
	timeForm  = "15:04:05.0000000"
)

// conversion is the error of a value that a type cannot hold.
func (t Type) conversion() error {
	if t.isClock() {
		return Error{Number: 241, Class: 16, Message: "Conversion failed when converting date and/or time from character string."}
	}
	return Error{Number: 245, Class: 16, Message: "Conversion failed when converting a value to data type " + t.Name + "."}
}

// convert gives a value the form of the type, rounded, cut and padded as SQL Server does.
func (t Type) convert(v any) (any, error) {
	switch x := v.(type) {
	case nil:
		return nil, nil
	case bool:
		v = int64(0)
		if x {
			v = int64(1)
		}
	case time.Time:
		v = x.Format(clockForm + " -07:00")
	}
	switch t.Name {
	case "tinyint", "smallint", "int", "bigint", "bit":
		return t.integer(v)
	case "float", "real":
		f, err := strconv.ParseFloat(fmt.Sprint(plain(v)), 64)
		if err != nil {
			return nil, t.conversion()
		}
		if t.Name == "real" {
			f = float64(float32(f))
		}
		return f, nil
	case "decimal", "numeric":
		return t.decimal(v, t.Scale, t.Precision)
	case "money":
		return t.decimal(v, 4, 19)
	case "smallmoney":
		return t.decimal(v, 4, 10)
	case "uniqueidentifier":
		s := strings.ToUpper(strings.Trim(fmt.Sprint(plain(v)), "{} "))
		if b, err := hex.DecodeString(strings.ReplaceAll(s, "-", "")); err != nil || len(b) != 16 || len(s) != 36 {
			return nil, Error{Number: 8169, Class: 16, Message: "Conversion failed when converting from a character string to uniqueidentifier."}
		}
		return s, nil
	case "binary", "varbinary", "rowversion":
		return t.binary(v)
	case "datetime", "smalldatetime", "datetime2", "datetimeoffset", "date", "time":
		at, err := parseClock(fmt.Sprint(plain(v)))
		if err != nil {
			return nil, t.conversion()
		}
		return t.clockText(at), nil
	}
	return t.text(fmt.Sprint(plain(v)))
}

// plain shows bytes as the text that they are.
func plain(v any) any {
	if b, ok := v.([]byte); ok {
		return string(b)
	}
	return v
}

func (t Type) integer(v any) (any, error) {
	n, ok := v.(int64)
	if !ok {
		f, err := strconv.ParseFloat(strings.TrimSpace(fmt.Sprint(plain(v))), 64)
		if n, _ = strconv.ParseInt(strings.TrimSpace(fmt.Sprint(plain(v))), 10, 64); err != nil {
			return nil, t.conversion()
		} else if n == 0 {
			n = int64(f)
		}
	}
	lowest, highest := int64(math.MinInt64), int64(math.MaxInt64)
	switch t.Name {
	case "bit":
		if n != 0 {
			n = 1
		}
	case "tinyint":
		lowest, highest = 0, math.MaxUint8
	case "smallint":
		lowest, highest = math.MinInt16, math.MaxInt16
	case "int":
		lowest, highest = math.MinInt32, math.MaxInt32
	}
	if n < lowest || n > highest {
		return nil, Error{Number: 8115, Class: 16, Message: "Arithmetic overflow error converting expression to data type " + t.Name + "."}
	}
	return n, nil
}

// decimal rounds half away from zero, as SQL Server does.
func (t Type) decimal(v any, scale, precision int) (any, error) {
	r, ok := new(big.Rat).SetString(strings.TrimSpace(fmt.Sprint(plain(v))))
	if !ok {
		return nil, t.conversion()
	}
	text := r.FloatString(scale)
	if digits := len(strings.TrimLeft(strings.NewReplacer("-", "", ".", "").Replace(text), "0")); digits > precision {
		return nil, Error{Number: 8115, Class: 16, Message: "Arithmetic overflow error converting expression to data type " + t.Name + "."}
	}
	return text, nil
}

func (t Type) binary(v any) (any, error) {
	var b []byte
	switch v := v.(type) {
	case []byte:
		b = v
	case string:
		var err error
		if b, err = hex.DecodeString(strings.TrimPrefix(v, "0x")); err != nil {
			return nil, t.conversion()
		}
	default:
		return nil, t.conversion()
	}
	length := t.Length
	if t.Name == "rowversion" {
		length = 8
	}
	if length != Max && len(b) > length {
		return nil, truncated
	}
	if t.Name == "binary" {
		b = append(slices.Clip(b), make([]byte, length-len(b))...)
	}
	return b, nil
}

var truncated = Error{Number: 8152, Class: 16, Message: "String or binary data would be truncated."}

func (t Type) text(s string) (any, error) {
	if t.Length > 0 {
		n := len([]rune(s))
		if over := n - t.Length; over > 0 {
			if strings.TrimRight(s, " ") == s || len([]rune(strings.TrimRight(s, " "))) > t.Length {
				return nil, truncated
			}
			s, n = string([]rune(s)[:t.Length]), t.Length
		}
		if t.Name == "char" || t.Name == "nchar" {
			s += strings.Repeat(" ", t.Length-n)
		}
	}
	if t.Name == "varchar" || t.Name == "char" || t.Name == "text" {
		s = fromCodePage(toCodePage(s)) // what the code page lacks is lost at once
	}
	return s, nil
}

// parseClock reads a point in time as people, SQLite and this package write it. Without a zone it is in UTC.
func parseClock(s string) (time.Time, error) {
	s = strings.TrimSpace(s)
	for _, form := range []string{"2006-01-02 15:04:05", "2006-01-02T15:04:05", "2006-01-02", "15:04:05", "2006-01-02 15:04:05Z07:00", "2006-01-02T15:04:05Z07:00",
		"2006-01-02 15:04:05 -07:00", "2006-01-02 15:04:05-07"} {
		if at, err := time.Parse(form, s); err == nil {
			return at, nil
		}
	}
	return time.Time{}, fmt.Errorf("%q is no point in time", s)
}

// clockText writes a point in time as the type holds it.
func (t Type) clockText(at time.Time) string {
	_, zone := at.Zone()
	wall := at.UTC().Add(time.Duration(zone) * time.Second) // what the clock shows
	switch t.Name {
	case "date":
		return wall.Format(time.DateOnly)
	case "time":
		return wall.Round(unit(t.Scale)).Format(timeForm)
	case "datetime":
		days, ticks := datetimeTicks(wall)
		return fromDatetime(days, ticks).Format(clockForm)
	case "smalldatetime": // 29.998 seconds and less are rounded down
		return wall.Add(time.Millisecond).Round(time.Minute).Format(clockForm)
	case "datetimeoffset":
		return at.Round(unit(t.Scale)).Format(clockForm + "-07:00")
	}
	return wall.Round(unit(t.Scale)).Format(clockForm)
}

// unit is the smallest step of a clock with so many digits.
func unit(digits int) time.Duration {
	d := time.Second
	for range digits {
		d /= 10
	}
	return d
}

var datetimeZero = time.Date(1900, 1, 1, 0, 0, 0, 0, time.UTC)

// datetimeTicks are the days since 1900 and the ticks of 1/300 s since midnight of a datetime, rounded.
func datetimeTicks(wall time.Time) (days, ticks int64) {
	midnight := wall.Truncate(24 * time.Hour)
	days = int64(midnight.Sub(datetimeZero) / (24 * time.Hour))
	ticks = (int64(wall.Sub(midnight))*3 + 5e6) / 1e7
	if ticks == 24*3600*300 {
		return days + 1, 0
	}
	return days, ticks
}

// fromDatetime is the other way: since SQL Server 2016 a datetime is compared as the nearest datetime2(7).
func fromDatetime(days, ticks int64) time.Time {
	return datetimeZero.AddDate(0, 0, int(days)).Add(time.Duration((ticks*1e7/3 + 50) / 100 * 100))
}
