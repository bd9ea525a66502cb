package ledger

import (
	"errors"
	"fmt"
	"reflect"
	"testing"
	"time"

	"limsbridge/bridge"
)

// filler sets every field of a value to something of its own, so that a field that is forgotten,
// or mixed up with another, shows.
type filler struct{ n int }

func fill[T any]() T {
	var v T
	(&filler{}).fill(reflect.ValueOf(&v).Elem())
	return v
}

func (f *filler) fill(v reflect.Value) {
	f.n++
	if v.Type() == reflect.TypeFor[time.Time]() {
		at := start.Add(time.Duration(f.n) * (time.Hour + 1))
		v.Set(reflect.ValueOf(at))
		return
	}
	if v.Type() == reflect.TypeFor[bridge.KeyKind]() {
		v.Set(reflect.ValueOf(bridge.RequestKey))
		return
	}
	switch v.Kind() {
	case reflect.Bool:
		v.SetBool(true)
	case reflect.String:
		v.SetString(fmt.Sprintf("text %d", f.n))
	case reflect.Int, reflect.Int64:
		v.SetInt(int64(f.n))
	case reflect.Uint8, reflect.Uint64:
		v.SetUint(uint64(f.n) % 200)
	case reflect.Array:
		for i := range v.Len() {
			f.fill(v.Index(i))
		}
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 2, 2))
		for i := range v.Len() {
			f.fill(v.Index(i))
		}
	case reflect.Map:
		v.Set(reflect.MakeMap(v.Type()))
		for range 2 {
			key, value := reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem()
			f.fill(key)
			f.fill(value)
			v.SetMapIndex(key, value)
		}
	case reflect.Struct:
		for _, field := range v.Fields() {
			f.fill(field)
		}
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		f.fill(v.Elem())
	default:
		panic("the filler does not know " + v.Type().String())
	}
}

func TestEveryFieldOfARecordSurvives(t *testing.T) {
	full := fill[bridge.Record]()
	numeric := fill[bridge.Record]()
	numeric.Rows[0].ID, numeric.Rows[1].ID = "9000001", "9000000"
	numeric.Rows[0].Source = "results"
	numeric.Requests[0].Sent[0].Row, numeric.Requests[0].Sent[1].Row = "9000000", "17"
	odd := fill[bridge.Record]()
	for i, id := range []string{"", "-5"} {
		odd.Rows[i].ID = id
	}
	for i, id := range []string{"007", "99999999999999999999"} {
		odd.Requests[0].Sent[i].Row = id
	}
	odd.Requests[1].Code = fmt.Sprintf("%0100d", 7) // too long for a word
	odd.Due = time.Time{}.Add(-time.Hour)
	odd.Requests[0].Sent = nil
	same := fill[bridge.Record]()
	same.Due, same.Looked = start, start
	same.Attempts[0].Ended = time.Time{}

	for name, r := range map[string]bridge.Record{"full": full, "empty": {Key: full.Key}, "numeric rows": numeric, "odd": odd, "equal times": same} {
		t.Run(name, func(t *testing.T) {
			var w words
			b := w.encode(nil, &r)
			got, err := w.decode(r.Key, b)
			if err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(*got, r) {
				t.Errorf("got  %+v\nwant %+v", *got, r)
			}
			h, ok := peek(b)
			if want := (head{byte(r.Urgency), r.Due, len(r.Attempts) > 0}); !ok || h != want {
				t.Errorf("peek: got %+v %v, want %+v", h, ok, want)
			}
		})
	}
}

// Each field alone must change the stored form: otherwise the test above could not see it either.
func TestTheFillerReachesEveryField(t *testing.T) {
	var empty func(path string, v reflect.Value)
	empty = func(path string, v reflect.Value) {
		if v.IsZero() && v.Kind() != reflect.Uint8 {
			t.Errorf("%s is zero", path)
		}
		switch v.Kind() { //nolint:exhaustive // the others hold nothing
		case reflect.Struct:
			if v.Type() == reflect.TypeFor[time.Time]() {
				return
			}
			for i := range v.NumField() {
				empty(path+"."+v.Type().Field(i).Name, v.Field(i))
			}
		case reflect.Slice:
			for i := range v.Len() {
				empty(fmt.Sprintf("%s[%d]", path, i), v.Index(i))
			}
		}
	}
	empty("Record", reflect.ValueOf(fill[bridge.Record]()))
	empty("Event", reflect.ValueOf(fill[bridge.Event]()))
	empty("State", reflect.ValueOf(fill[bridge.State]()))
}

func TestADamagedRecordIsNeverTaken(t *testing.T) {
	r := fill[bridge.Record]()
	var w words
	b := w.encode(nil, &r)
	for i := range b {
		for bit := range 8 {
			bad := append([]byte(nil), b...)
			bad[i] ^= 1 << bit
			if _, err := w.decode(r.Key, bad); !errors.Is(err, ErrDamaged) {
				t.Fatalf("byte %d, bit %d flipped: %v", i, bit, err)
			}
		}
	}
	for n := range b {
		if _, err := w.decode(r.Key, b[:n]); !errors.Is(err, ErrDamaged) {
			t.Fatalf("cut to %d bytes: %v", n, err)
		}
	}
	other := r.Key
	other.ID[3]++
	if _, err := w.decode(other, b); !errors.Is(err, ErrDamaged) {
		t.Errorf("under another key: %v", err)
	}
}

// sealed gives garbage a sound checksum, so that the fields behind it are read.
func sealed(k bridge.Key, b []byte) []byte {
	c := checksum(k, b)
	return append(append([]byte(nil), b...), byte(c), byte(c>>8), byte(c>>16), byte(c>>24))
}

func TestGarbageIsAnErrorNeverAPanic(t *testing.T) {
	random := chance(t)
	r := fill[bridge.Record]()
	var w words
	b := w.encode(nil, &r)
	b = b[:len(b)-4]
	for range 20_000 {
		bad := append([]byte(nil), b...)
		for range 1 + random.IntN(4) {
			bad[random.IntN(len(bad))] = byte(random.Uint32())
		}
		bad = bad[:random.IntN(len(bad)+1)]
		func() {
			defer func() {
				if p := recover(); p != nil {
					t.Fatalf("%x: %v", bad, p)
				}
			}()
			_, _ = w.decode(r.Key, sealed(r.Key, bad))
			_, _ = peek(bad)
		}()
	}
}

func FuzzRecord(f *testing.F) {
	r := fill[bridge.Record]()
	var w words
	b := w.encode(nil, &r)
	f.Add(b[:len(b)-4])
	f.Add([]byte{recordVersion, 0, 0, 0, 0, 0, 0, 0, 0})
	f.Fuzz(func(t *testing.T, b []byte) {
		_, _ = peek(b)
		got, err := w.decode(r.Key, sealed(r.Key, b))
		if err != nil {
			return
		}
		again, err := w.decode(r.Key, w.encode(nil, got))
		if err != nil || !reflect.DeepEqual(got, again) {
			t.Errorf("%x: %v\n%+v\n%+v", b, err, got, again)
		}
	})
}
