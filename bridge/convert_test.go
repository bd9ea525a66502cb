package bridge

import (
	"fmt"
	"math/big"
	"math/rand/v2"
	"strings"
	"testing"

	"limsbridge/lims"
)

func rat(s string) *big.Rat {
	r, ok := new(big.Rat).SetString(s)
	if !ok {
		panic(s)
	}
	return r
}

// Factors: cholesterol 38.67 and glucose 18.0182 mg/dL for 1 mmol/L (their molar masses, 386.65 and
// 180.156 g/mol); HbA1c by the NGSP-IFCC master equation, % = 0.09148 × mmol/mol + 2.152.
func TestConversion(t *testing.T) {
	m, err := NewMapping(nil, Words{}, nil, ValueRules{})
	if err != nil {
		t.Fatal(err)
	}
	chol := ObservationRule{Code: "C", Unit: "mg/dL", Convert: &Conversion{From: "mmol/L", Factor: rat("38.67")}, Words: []string{"1+2"}}
	back := ObservationRule{Code: "C", Unit: "mmol/L", Convert: &Conversion{From: "mg/dL", Factor: new(big.Rat).Inv(rat("38.67")), Decimals: 2}}
	a1c := ObservationRule{Code: "A", Unit: "%", Convert: &Conversion{From: "mmol/mol", Factor: rat("0.09148"), Add: rat("2.152"), Decimals: 1}}
	count := ObservationRule{Code: "W", Unit: "10*3/uL", Convert: &Conversion{From: "/uL", Factor: rat("0.001"), Decimals: 2}}
	bare := ObservationRule{Code: "W", Unit: "g/dL", Convert: &Conversion{Factor: rat("0.1"), Decimals: 1}}
	celsius := ObservationRule{Code: "T", Unit: "Cel", Convert: &Conversion{From: "[degF]", Factor: rat("5/9"), Add: rat("-160/9"), Decimals: 0}}
	for _, tt := range []struct {
		rule        ObservationRule
		value, unit string
		kind        ValueKind
		leaves      string
		same        bool
		why         string
	}{
		{chol, "5.40", "mmol/L", Numeric, "209", true, "208.818"},
		{chol, "5.40", "MMOL/L", Numeric, "209", true, "another spelling of the unit"},
		{chol, "209.0", "mg/dL", Numeric, "209.0", true, "in the unit already: the lab's own digits"},
		{chol, "209", "mg%", Numeric, "209", true, "in the unit already"},
		{chol, "5.40", "", Numeric, "5.40", false, "in which unit? held"},
		{chol, "5.40", "g/L", Numeric, "5.40", false, "a third unit: held"},
		{back, "209", "mg/dL", Numeric, "5.40", true, "5.40470…, with the decimals configured"},
		{back, "0.1", "mg/dL", Numeric, "0.00", true, "0.00258…"},
		{a1c, "53", "mmol/mol", Numeric, "7.0", true, "7.00044"},
		{a1c, "42", "mmol/mol", Numeric, "6.0", true, "5.99416"},
		{count, "5405", "/uL", Numeric, "5.41", true, "5.405: halves go away from zero, which binary numbers get wrong"},
		{count, "1005", "cells/uL", Numeric, "1.01", true, "1.005, of which a float makes 1.00"},
		{count, "5.405E3", "/uL", Numeric, "5.41", true, "an exponent"},
		{count, "1E100", "/uL", BadValue, "", true, "out of all proportion"},
		{count, "1E999999999", "/uL", BadValue, "", true, "out of all proportion, and quickly"},
		{bare, "134", "", Numeric, "13.4", true, "the view has no unit"},
		{bare, "134", "g/L", Numeric, "134", false, "the view has one after all: held"},
		{celsius, "32", "[degF]", Numeric, "0", true, "no negative zero"},
		{celsius, "31.9", "[degF]", Numeric, "0", true, "no negative zero"},
		{count, "<1500", "/uL", Textual, "<1.50", true, "a limit, exactly"},
		{count, "1500-2000", "/uL", Textual, "1.50-2.00", true, "a range, exactly"},
		{count, "<1505", "/uL", BadValue, "", true, "a limit that would have to be rounded is held"},
		{chol, "<0.5", "mmol/L", BadValue, "", true, "19.335 is not <19"},
		{chol, "NEG", "mmol/L", Textual, "NEG", true, "a word has no unit"},
		{chol, "1+2", "mmol/L", Textual, "1+2", true, "a configured word"},
		{chol, "1:40", "mmol/L", BadValue, "", true, "a titre has no unit to convert"},
		{chol, "2+", "mmol/L", BadValue, "", true, "nor has a grade"},
		{chol, "QNS", "mmol/L", Unmeasurable, "", true, "no value"},
		{chol, "see note", "mmol/L", BadValue, "", true, "no value"},
	} {
		kind, leaves, unit, same := m.leaves(lims.Row{Value: tt.value, Unit: tt.unit}, tt.rule)
		if kind != tt.kind || leaves != tt.leaves || same != tt.same || same && unit != tt.rule.Unit {
			t.Errorf("%s %s (%s): %v %q %q %v, want %v %q %v", tt.value, tt.unit, tt.why, kind, leaves, unit, same, tt.kind, tt.leaves, tt.same)
		}
	}
	for want, c := range map[string]*Conversion{
		"mmol/L × 38.67, 0 decimals": chol.Convert, "mg/dL / 38.67, 2 decimals": back.Convert,
		"mmol/mol × 0.09148 + 2.152, 1 decimal": a1c.Convert, "no unit × 0.1, 1 decimal": bare.Convert, "[degF] / 1.8 - 160/9, 0 decimals": celsius.Convert,
	} {
		if got := c.String(); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

// Whatever the number and the factor, what leaves is the one decimal that lies nearest to the exact
// result, with as many digits as configured; of two, the one further from zero.
func TestConversionIsExact(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rnd := rand.New(rand.NewPCG(seed, 0))
	decimal := func() string {
		text := fmt.Sprintf("%d.%0*d", rnd.IntN(1000), 1+rnd.IntN(4), rnd.IntN(10))
		if rnd.IntN(4) == 0 {
			text = "-" + text
		}
		return text
	}
	ties := 0
	for range 5000 {
		c := &Conversion{Factor: rat(fmt.Sprintf("%d.%03d5", rnd.IntN(50), rnd.IntN(1000))), Decimals: rnd.IntN(5)}
		if rnd.IntN(2) == 0 {
			c.Add = rat(decimal())
		}
		if rnd.IntN(3) == 0 {
			c.Factor.Inv(c.Factor)
		}
		text := decimal()
		exact := new(big.Rat).Mul(rat(text), c.Factor)
		if c.Add != nil {
			exact.Add(exact, c.Add)
		}
		leaves, ok := c.number(text)
		if !ok || !jsonNumber.MatchString(leaves) {
			t.Fatalf("%s leaves as %q", text, leaves)
		}
		_, digits, _ := strings.Cut(leaves, ".")
		unit := new(big.Rat).SetFrac(big.NewInt(1), new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(c.Decimals)), nil))
		off := new(big.Rat).Sub(rat(leaves), exact)
		half := new(big.Rat).Mul(unit, big.NewRat(1, 2))
		switch far := new(big.Rat).Abs(off).Cmp(half); {
		case far > 0, len(digits) != c.Decimals:
			t.Errorf("%s × %s + %v, %d decimals: %s", text, c.Factor.RatString(), c.Add, c.Decimals, leaves)
		case far == 0:
			ties++
			if off.Sign() != exact.Sign() {
				t.Errorf("%s lies half way and leaves as %s", exact.RatString(), leaves)
			}
		}
	}
	if ties == 0 {
		t.Error("no number lay half way")
	}
}
