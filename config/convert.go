package config

import (
	"math/big"
	"regexp"

	"github.com/goccy/go-yaml/ast"

	"limsbridge/bridge"
)

// mostDecimals is more than any result is reported with.
const mostDecimals = 12

// conversion is convert: as it is written.
type conversion struct {
	from                  string
	multiply, divide, add *big.Rat
	decimals              int
}

func (c *conversion) settings() []setting {
	c.decimals = -1
	return []setting{
		{name: "from", read: unit(&c.from)},
		{name: "multiply", read: exact(&c.multiply, true)},
		{name: "divide", read: exact(&c.divide, true)},
		{name: "add", read: exact(&c.add, false)},
		{name: "decimals", read: count(&c.decimals, 0, mostDecimals)},
	}
}

var decimalForm = regexp.MustCompile(`^-?[0-9]{1,20}(\.[0-9]{1,20})?$`)

// exact reads a decimal number without losing a digit.
func exact(dst **big.Rat, positive bool) read {
	return func(d *decoder, v value) {
		n, ok := new(big.Rat).SetString(v.text)
		switch {
		case !ok || !decimalForm.MatchString(v.text):
			d.add(v, shown(v.text)+" is not a decimal number", "write its digits, with a point: 38.67")
		case positive && n.Sign() <= 0:
			d.add(v, "must be greater than zero", "")
		default:
			*dst = n
		}
	}
}

// conversionOf completes the rule of one result with its conversion, if it has one.
func conversionOf(d *decoder, c conversion, path string, key ast.Node, rule *bridge.ObservationRule) {
	at, has := d.at[path+".convert"]
	for _, name := range []string{"", ".from", ".multiply", ".divide", ".add", ".decimals"} {
		if d.bad[path+".convert"+name] {
			return
		}
	}
	const example = "write for example convert: {from: mmol/L, multiply: 38.67, decimals: 0}"
	switch same := false; {
	case !has:
		return
	case empty(at.node) || c.multiply == nil && c.divide == nil && c.add == nil:
		d.addAt(key, at.path, "how to convert is missing", example)
		return
	case c.decimals < 0:
		d.addAt(key, at.path, "the number of decimals is missing", "write decimals: 1, or as many as WHOOP shall see")
		return
	case rule.Unit == "":
		d.addAt(key, at.path, "the unit that leaves is missing", "write unit: beside code:, for example mg/dL")
		return
	default:
		if _, same = bridge.Unit(c.from, rule.Unit); same && c.from != "" {
			d.addAt(key, at.path, "both units are the same", "remove convert:, or mend from: or unit:")
			return
		}
	}
	rule.Convert = &bridge.Conversion{From: c.from, Factor: big.NewRat(1, 1), Add: c.add, Decimals: c.decimals}
	if c.multiply != nil {
		rule.Convert.Factor.Mul(rule.Convert.Factor, c.multiply)
	}
	if c.divide != nil {
		rule.Convert.Factor.Quo(rule.Convert.Factor, c.divide)
	}
}
