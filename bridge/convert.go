package bridge

import (
	"fmt"
	"math/big"
	"regexp"
	"strconv"
	"strings"
)

// Conversion turns the numbers of one result from the LIMS's unit into the one that leaves:
// number × Factor + Add, calculated exactly and rounded once. What leaves is what is fingerprinted,
// so that another conversion is a correction of everything that was sent.
type Conversion struct {
	// From is the LIMS's unit. "": its rows carry none, and one that does is held.
	From   string
	Factor *big.Rat // above zero
	Add    *big.Rat // in the unit that leaves; nil: nothing
	// Decimals is how many digits leave behind the point; halves are rounded away from zero.
	Decimals int
}

// longestNumber is far more than a measured number has; a longer one, or a greater exponent, is
// held instead of calculated with.
const (
	longestNumber   = 64
	largestExponent = 99
)

var plainNumbers = regexp.MustCompile(`[0-9]+(\.[0-9]+)?`)

// value converts what Value made of a row. Words have no unit and leave as they are; what has one
// and cannot be converted is held.
func (c *Conversion) value(kind ValueKind, text string, word bool) (ValueKind, string) {
	ok := true
	switch {
	case kind == Numeric:
		text, ok = c.number(text)
	case kind != Textual || word || qualitative[strings.ToUpper(text)]:
	case comparator.MatchString(text), interval.MatchString(text):
		text, ok = c.limits(text)
	default: // a titre, a grade
		ok = false
	}
	if !ok {
		return BadValue, ""
	}
	return kind, text
}

// number converts a JSON number.
func (c *Conversion) number(text string) (string, bool) {
	n, ok := c.exactly(text)
	if !ok {
		return "", false
	}
	return c.rounded(n), true
}

// limits converts the numbers within a comparator or a range. A limit that would have to be
// rounded would claim more than was measured, or less: ok is false.
func (c *Conversion) limits(text string) (string, bool) {
	sound := true
	out := plainNumbers.ReplaceAllStringFunc(text, func(s string) string {
		n, ok := c.exactly(s)
		r := c.rounded(n)
		back, _ := new(big.Rat).SetString(r)
		sound = sound && ok && n.Cmp(back) == 0
		return r
	})
	return out, sound
}

// exactly calculates without rounding; 0 and false where the number is out of all proportion.
func (c *Conversion) exactly(text string) (*big.Rat, bool) {
	if _, exponent, has := strings.Cut(strings.ToLower(text), "e"); has {
		if n, err := strconv.Atoi(exponent); err != nil || n > largestExponent || n < -largestExponent {
			return new(big.Rat), false
		}
	}
	n, ok := new(big.Rat).SetString(text)
	if !ok || len(text) > longestNumber {
		return new(big.Rat), false
	}
	n.Mul(n, c.Factor)
	if c.Add != nil {
		n.Add(n, c.Add)
	}
	return n, true
}

// rounded writes the number with its decimals; there is no negative zero.
func (c *Conversion) rounded(n *big.Rat) string {
	text := n.FloatString(c.Decimals)
	if strings.Trim(text, "-0.") == "" {
		text = strings.TrimPrefix(text, "-")
	}
	return text
}

// String tells the conversion to a person: mmol/L × 38.67, 0 decimals.
func (c *Conversion) String() string {
	var b strings.Builder
	b.WriteString(c.From)
	if c.From == "" {
		b.WriteString("no unit")
	}
	_, exact := c.Factor.FloatPrec()
	if inverse := new(big.Rat).Inv(c.Factor); exact {
		b.WriteString(" × " + written(c.Factor))
	} else {
		b.WriteString(" / " + written(inverse))
	}
	if c.Add != nil && c.Add.Sign() != 0 {
		b.WriteString(strings.Replace(" + "+written(c.Add), "+ -", "- ", 1))
	}
	if c.Decimals == 1 {
		b.WriteString(", 1 decimal")
	} else {
		fmt.Fprintf(&b, ", %d decimals", c.Decimals)
	}
	return b.String()
}

// written is a decimal where the number has one, else a fraction.
func written(r *big.Rat) string {
	if n, exact := r.FloatPrec(); exact {
		return r.FloatString(n)
	}
	return r.RatString()
}
