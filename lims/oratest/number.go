package oratest

import (
	"math/big"
	"regexp"
	"strings"
)

// number is a NUMBER: 40 digits at most.
type number struct {
	value *big.Rat
	text  string // as TO_CHAR(…, 'TM9') writes it: no zeros at the ends, half is .5
}

var numberText = regexp.MustCompile(`^[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)$`)

// parseNumber reads a number as TO_NUMBER does without a format, with the session's decimal character.
func parseNumber(text, point string) (number, error) {
	text = strings.TrimSpace(text)
	plain := strings.Replace(text, point, ".", 1)
	if point != "." && strings.Contains(text, ".") || !numberText.MatchString(plain) || len(plain) > 42 {
		return number{}, Error{Code: 1722, Message: "invalid number"}
	}
	r, ok := new(big.Rat).SetString(plain)
	if !ok {
		return number{}, Error{Code: 1722, Message: "invalid number"}
	}
	_, behind, _ := strings.Cut(plain, ".")
	return newNumber(r, len(behind)), nil
}

// newNumber rounds to so many digits behind the point, halves away from zero.
func newNumber(r *big.Rat, scale int) number {
	text := r.FloatString(scale)
	rounded, _ := new(big.Rat).SetString(text)
	if strings.Contains(text, ".") {
		text = strings.TrimSuffix(strings.TrimRight(text, "0"), ".")
	}
	sign := ""
	if strings.HasPrefix(text, "-") {
		sign, text = "-", text[1:]
	}
	if text = strings.TrimLeft(text, "0"); text == "" {
		sign, text = "", "0"
	}
	return number{rounded, sign + text}
}

// stored is the number as a NUMBER(precision, scale) keeps it.
func (n number) stored(t Type) (number, error) {
	if t.Precision == 0 {
		return n, nil
	}
	n = newNumber(n.value, t.Scale)
	whole, _, _ := strings.Cut(strings.TrimPrefix(n.text, "-"), ".")
	if len(whole) > t.Precision-t.Scale && whole != "0" {
		return n, Error{Code: 1438, Message: "value larger than specified precision allowed for this column"}
	}
	return n, nil
}

// wire is the number as it is stored and travels, Oracle Call Interface Developer's Guide, NUMBER: an exponent of
// 100 with its sign, and digits of base 100, each and 1. A negative one has them turned, and 102 at its end.
func (n number) wire() []byte {
	whole, behind, _ := strings.Cut(strings.TrimPrefix(n.text, "-"), ".")
	if len(whole)%2 != 0 {
		whole = "0" + whole
	}
	if len(behind)%2 != 0 {
		behind += "0"
	}
	digits, exponent := whole+behind, len(whole)/2-1
	for strings.HasPrefix(digits, "00") {
		digits, exponent = digits[2:], exponent-1
	}
	for strings.HasSuffix(digits, "00") {
		digits = digits[:len(digits)-2]
	}
	if digits == "" {
		return []byte{0x80}
	}
	b := []byte{byte(0xc1 + exponent)}
	for ; digits != ""; digits = digits[2:] {
		b = append(b, 10*(digits[0]-'0')+digits[1]-'0'+1)
	}
	if n.value.Sign() < 0 {
		b[0] = ^b[0]
		for i := range b[1:] {
			b[1+i] = 102 - b[1+i]
		}
		b = append(b, 102)
	}
	return b
}
