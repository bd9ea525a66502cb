package limstest

import (
	"fmt"
	"math/rand/v2"
	"strings"

	"github.com/google/uuid"
)

// reading is the text of one result, as the LIMS holds it.
type reading struct {
	entry string
	text  bool // leaves as text, not as a number
}

// literal returns the value as it must leave: Oracle's .5 becomes the JSON number 0.5, and
// nothing else is ever rewritten.
func (r reading) literal() string {
	if !r.text && strings.HasPrefix(r.entry, ".") {
		return "0" + r.entry
	}
	return r.entry
}

// junk are texts that must be held although their result is released: ambiguous, not a JSON
// number, or no result at all.
var junk = []string{
	"1,234", "See note", "5.", "NaN", "007", "+5", "#N/A", "1.#QNAN", "OVER", "*", "5.4E+", "", "0x1F", "1.2.3",
}

// noValue are texts by which labs say that there is no value.
var noValue = []string{"QNS", "HEMOLYZED", "TNP", "CLOTTED"}

// dice makes everything that is random, and remembers what must never be found elsewhere.
type dice struct {
	*rand.Rand
	sentinels []string
}

func newDice(seed uint64) *dice {
	return &dice{Rand: rand.New(rand.NewPCG(seed, 0x11b5b21d6e))} // the second word is arbitrary, but fixed
}

// uuid returns a random UUID of version 4 (RFC 9562, section 5.4).
func (d *dice) uuid() uuid.UUID {
	var id uuid.UUID
	for i := range id {
		id[i] = byte(d.Uint32())
	}
	id[6] = id[6]&0x0f | 0x40
	id[8] = id[8]&0x3f | 0x80
	return id
}

// digits returns ten digits that begin and end with another one than 0, and remembers them.
func (d *dice) digits() string {
	s := fmt.Sprintf("%d%08d%d", 1+d.IntN(9), d.IntN(1e8), 1+d.IntN(9))
	d.sentinels = append(d.sentinels, s)
	return s
}

// mark returns a text that is recognisable wherever it turns up.
func (d *dice) mark(what string) string {
	s := fmt.Sprintf("SENTINEL-%s-%06x", what, d.IntN(1<<24))
	d.sentinels = append(d.sentinels, s)
	return s
}

// reading invents a result.
func (d *dice) reading(r Result) reading {
	if r.high == 0 || len(r.texts) > 0 && d.IntN(5) == 0 {
		return reading{r.texts[d.IntN(len(r.texts))], true}
	}
	whole := r.low + d.IntN(r.high-r.low+1)
	switch n := d.IntN(20); {
	case n < 2 && len(r.texts) > 0:
		return reading{fmt.Sprintf("<%d.%s", whole, d.digits()), true}
	case n < 4:
		return reading{fmt.Sprintf("%d.%d0", whole, 1+d.IntN(9)), false} // the trailing zero is information
	case n < 6 && whole > 0:
		return reading{fmt.Sprint(whole), false}
	case n < 14 && r.low == 0: // Oracle prints numbers below one without their zero
		if n < 8 {
			return reading{fmt.Sprintf(".%d", 1+d.IntN(9)), false}
		}
		return reading{"." + d.digits(), false}
	default:
		return reading{fmt.Sprintf("%d.%s", whole, d.digits()), false}
	}
}

// other invents a result that differs from what was.
func (d *dice) other(r Result, was reading) reading {
	for {
		if n := d.reading(r); n.literal() != was.literal() {
			return n
		}
	}
}

func (d *dice) spelling(r Result) string {
	if len(r.spellings) == 0 {
		return ""
	}
	return r.spellings[d.IntN(len(r.spellings))]
}

// patient invents a patient. The birth date is a sentinel as well: no stamp of our days looks like it.
func (d *dice) patient() Patient {
	p := Patient{
		ID: d.uuid(), FirstName: d.mark("first"), LastName: d.mark("last"),
		Email: d.mark("mail") + "@example.org", Phone: "+1555" + d.digits(), BirthDate: d.birthDate(),
	}
	return p
}

func (d *dice) birthDate() string {
	s := fmt.Sprintf("%d-%02d-%02d", 1930+d.IntN(75), 1+d.IntN(12), 1+d.IntN(28))
	d.sentinels = append(d.sentinels, s)
	return s
}

// pick returns n different tests of the catalogue.
func (d *dice) tests(all []Test, n int) []Test {
	d.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	return all[:n]
}
