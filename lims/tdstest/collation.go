package tdstest

import (
	"bytes"
	"cmp"
	"database/sql/driver"
	"encoding/hex"
	"errors"
	"fmt"
	"math/big"
	"strings"
	"sync"
	"testing"

	"modernc.org/sqlite"
)

// The order of values. SQLite compares their texts (value.go) with these.
const (
	byNumber  = "tdstest_number"  // decimal, money
	byInstant = "tdstest_instant" // datetimeoffset: 12:00+01:00 is 11:00+00:00
	byGUID    = "tdstest_guid"    // uniqueidentifier: the last six bytes count first
	convertTo = "tdstest_convert" // the function that gives a value the form of a type
)

// textCollations are the ones of texts by their name in T-SQL. All of them take 'a' and 'a ' for the same.
var textCollations = map[string]func(a, b string) int{
	"SQL_Latin1_General_CP1_CI_AS": caseless,
	"Latin1_General_CI_AS":         caseless,
	"Latin1_General_CS_AS":         dictionary,
	"Latin1_General_BIN2":          padded,
}

const usualCollation = "SQL_Latin1_General_CP1_CI_AS"

// padded compares code points, the shorter text padded with blanks.
func padded(a, b string) int {
	n := max(len(a), len(b))
	return strings.Compare(a+strings.Repeat(" ", n-len(a)), b+strings.Repeat(" ", n-len(b)))
}

func caseless(a, b string) int { return padded(strings.ToLower(a), strings.ToLower(b)) }

// dictionary puts small letters before capital ones, where nothing else differs.
func dictionary(a, b string) int {
	return cmp.Or(caseless(a, b), -padded(a, b))
}

func numbers(a, b string) int {
	x, ok1 := new(big.Rat).SetString(a)
	y, ok2 := new(big.Rat).SetString(b)
	if !ok1 || !ok2 {
		return strings.Compare(a, b)
	}
	return x.Cmp(y)
}

func instants(a, b string) int {
	x, err1 := parseClock(a)
	y, err2 := parseClock(b)
	if err1 != nil || err2 != nil {
		return strings.Compare(a, b)
	}
	return x.Compare(y)
}

// guids compares as SQL Server does: the last group, then the others from right to left, the bytes of the first
// three as they travel.
func guids(a, b string) int {
	key := func(s string) []byte {
		u, err := hex.DecodeString(strings.ReplaceAll(s, "-", ""))
		if u = swapGUID(u); err != nil || len(u) != 16 {
			return []byte(s)
		}
		var k []byte
		for _, group := range [][]byte{u[10:16], u[8:10], u[6:8], u[4:6], u[0:4]} {
			k = append(k, group...)
		}
		return k
	}
	return bytes.Compare(key(a), key(b))
}

var types sync.Map // the types that were read, by their texts: each value of a column asks for its type

// parsed is ParseType, of which most texts are asked for again and again.
func parsed(text string) (Type, error) {
	if t, ok := types.Load(text); ok {
		return t.(Type), nil
	}
	t, err := ParseType(text)
	if err == nil {
		types.Store(text, t)
	}
	return t, err
}

var registered sync.Once

// register tells SQLite of all that.
func register(t testing.TB) {
	var err error
	registered.Do(func() {
		for name, compare := range textCollations {
			err = errors.Join(err, sqlite.RegisterCollationUtf8(name, compare))
		}
		err = errors.Join(err,
			sqlite.RegisterCollationUtf8(byNumber, numbers),
			sqlite.RegisterCollationUtf8(byInstant, instants),
			sqlite.RegisterCollationUtf8(byGUID, guids),
			sqlite.RegisterDeterministicScalarFunction(convertTo, 2, func(_ *sqlite.FunctionContext, args []driver.Value) (driver.Value, error) {
				to, err := parsed(args[0].(string))
				if err != nil {
					return nil, err
				}
				v, err := to.convert(args[1])
				if e, ok := errors.AsType[Error](err); ok {
					return nil, fmt.Errorf("tdstest error %d: %s", e.Number, e.Message) // errors travel through SQLite as text
				}
				return v, err
			}))
	})
	if err != nil {
		t.Fatal(err)
	}
}
