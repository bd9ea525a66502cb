package oratest

import (
	"bytes"
	"testing"
)

// Numbers keep 40 digits, round halves away from zero, and travel in the form that the manual shows (Oracle Call
// Interface Developer's Guide, NUMBER).
func TestNumbers(t *testing.T) {
	for _, test := range []struct {
		in   string
		typ  string
		want string
		wire []byte // nil: not looked at
	}{
		{"0", "NUMBER", "0", []byte{128}},
		{"-0.00", "NUMBER", "0", []byte{128}},
		{"5", "NUMBER", "5", []byte{193, 6}},
		{"-5", "NUMBER", "-5", []byte{62, 96, 102}},
		{"2767", "NUMBER", "2767", []byte{194, 28, 68}},
		{"-2767", "NUMBER", "-2767", []byte{61, 74, 34, 102}},
		{"100000", "NUMBER", "100000", []byte{195, 11}},
		{"1234567", "NUMBER", "1234567", []byte{196, 2, 24, 46, 68}},
		{"0.5", "NUMBER", ".5", []byte{192, 51}},
		{"0.0005", "NUMBER", ".0005", []byte{191, 6}},
		{"+5.400", "NUMBER", "5.4", []byte{193, 6, 41}},
		{"-12345678.0001", "NUMBER(12,4)", "-12345678.0001", nil},
		{"2.345", "NUMBER(5,2)", "2.35", nil},
		{"-2.345", "NUMBER(5,2)", "-2.35", nil},
		{"999.994", "NUMBER(5,2)", "999.99", nil},
		{"999.995", "NUMBER(5,2)", "ORA-01438: value larger than specified precision allowed for this column", nil},
		{"1E3", "NUMBER", "ORA-01722: invalid number", nil},
		{"1,5", "NUMBER", "ORA-01722: invalid number", nil},
	} {
		typ, err := ParseType(test.typ)
		if err != nil {
			t.Fatal(err)
		}
		v, err := typ.stored(test.in)
		if err != nil {
			if err.Error() != test.want {
				t.Errorf("%s as %s: %v, want %s", test.in, test.typ, err, test.want)
			}
			continue
		}
		if n := v.(number); n.text != test.want || test.wire != nil && !bytes.Equal(n.wire(), test.wire) {
			t.Errorf("%s as %s: %s, %v, want %s, %v", test.in, test.typ, n.text, n.wire(), test.want, test.wire)
		}
	}
}
