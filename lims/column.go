package lims

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// kind is what the reader needs to know of a column's type.
type kind byte

const (
	kindText    kind = iota
	kindFixed        // text of fixed length, padded with blanks
	kindInteger      //
	kindDecimal      // exact, arrives as text
	kindFloat        // binary, has lost digits
	kindClock        // date and time, with or without zone
	kindDate         //
	kindUUID         //
	kindVersion      // SQL Server rowversion
	kindOther        // anything that has no text of the lab's own: bit, binary, xml, time, …
)

// role is a column of the view contract.
type role byte

const (
	rowID role = iota
	changedAt
	requisitionID
	serviceRequestID
	orderCode
	status
	reason
	birthDate
	resultCode
	value
	unit
	roles // how many there are
)

// contractColumn is one line of the view contract.
type contractColumn struct {
	name     string
	of       Source // "" is both
	optional bool
	limit    int // characters; 0 is none
	kinds    []kind
	kindsAre string
}

// contract is the view contract.
var contract = [roles]contractColumn{
	rowID:            {name: "row_id", limit: 64, kinds: []kind{kindText, kindFixed, kindInteger, kindDecimal, kindUUID}, kindsAre: "an integer or text"},
	changedAt:        {name: "changed_at", kinds: []kind{kindClock, kindInteger, kindDecimal, kindVersion}, kindsAre: "a date-time, a rowversion or an integer"},
	requisitionID:    {name: "requisition_id", kinds: texts, kindsAre: "a UUID, or text"},
	serviceRequestID: {name: "service_request_id", optional: true, kinds: texts, kindsAre: "a UUID, or text"},
	orderCode:        {name: "order_code", limit: 64, kinds: codes, kindsAre: "text"},
	status:           {name: "status", limit: 64, kinds: codes, kindsAre: "text"},
	reason:           {name: "reason", of: Orders, optional: true, kinds: codes, kindsAre: "text"},
	birthDate:        {name: "birth_date", of: Orders, optional: true, kinds: []kind{kindDate, kindClock, kindText, kindFixed}, kindsAre: "a date"},
	resultCode:       {name: "result_code", of: Results, limit: 64, kinds: codes, kindsAre: "text"},
	value:            {name: "value", of: Results, kinds: codes, kindsAre: "text or an exact decimal"},
	unit:             {name: "unit", of: Results, optional: true, limit: 32, kinds: codes, kindsAre: "text"},
}

var (
	texts = []kind{kindText, kindFixed, kindUUID}
	codes = []kind{kindText, kindFixed, kindInteger, kindDecimal, kindUUID}
)

func (r role) String() string { return contract[r].name }

// column is one column of a source that the contract knows.
type column struct {
	role role
	name string // as the source spells it
	typ  string // the database's name of its type, in capitals
	kind kind
	// zoned says that date-times of the column are instants; others are readings of a clock in
	// Options.Location.
	zoned bool
	unfit string // what is wrong with the type, where that is the problem of each row; "" is nothing
}

// describe compares the columns that a source has with the contract. fatal are the problems that
// keep the source from being read at all; the others are told again with each row concerned.
func describe(s Source, d dialect, found []columnType, floatDigits int) (columns []column, desc Description, fatal []string) {
	var seen [roles]bool
	var rowwise []string
	for _, f := range found {
		c := Column{Name: f.name, Type: f.typ}
		for r := range roles {
			k := contract[r]
			if (k.of != "" && k.of != s) || !strings.EqualFold(k.name, f.name) {
				continue
			}
			c.Role = k.name
			if seen[r] {
				fatal = append(fatal, fmt.Sprintf("the column %s occurs twice: keep one", k.name))
				break
			}
			seen[r] = true
			col := column{role: r, name: f.name, typ: f.typ}
			col.kind, col.zoned = d.kind(f)
			switch p := col.problem(floatDigits); {
			case p == "":
			case r == rowID || r == changedAt:
				fatal = append(fatal, k.name+" "+p)
			default:
				rowwise = append(rowwise, k.name+" "+p)
				col.unfit = p
			}
			columns = append(columns, col)
		}
		if f.name == "" || f.name == "?column?" {
			fatal = append(fatal, "a column has no name: give it one with AS, or leave it out")
		}
		desc.Columns = append(desc.Columns, c)
	}
	var missing, have []string
	for r := range roles {
		k := contract[r]
		if seen[r] || k.optional || (k.of != "" && k.of != s) || (r == requisitionID && seen[serviceRequestID]) {
			continue
		}
		missing = append(missing, k.name)
	}
	if len(missing) > 0 {
		for _, f := range found {
			have = append(have, f.name)
		}
		fatal = slices.Insert(fatal, 0, fmt.Sprintf("missing %s %s; the source has %s: add what is missing to the view, or rename it with AS",
			plural(len(missing), "column", "columns"), strings.Join(missing, ", "), strings.Join(have, ", ")))
	}
	desc.Problems = append(slices.Clone(fatal), rowwise...)
	return columns, desc, fatal
}

// problem says, behind the column's name, how its type breaks the contract, or "".
func (c column) problem(floatDigits int) string {
	k := contract[c.role]
	if slices.Contains(k.kinds, c.kind) || (c.role == value && c.kind == kindFloat && floatDigits > 0) {
		return ""
	}
	typ := c.typ
	if typ == "" {
		typ = "of no declared type"
	}
	if c.kind == kindFloat {
		text := fmt.Sprintf("is %s, which loses digits: convert it to text or DECIMAL in the view", typ)
		if c.role == value {
			text += ", or set float_digits"
		}
		return text
	}
	return fmt.Sprintf("is %s, and must be %s: convert it in the view", typ, k.kindsAre)
}

var exactNumber = regexp.MustCompile(`^-?[0-9]+(\.[0-9]+)?$`)

// checkDecimal says whether a text can be bound as a value of a decimal column: a row id may have digits
// behind the point, a change stamp counts in whole numbers.
func (c column) checkDecimal(text string) error {
	if c.role == changedAt {
		_, err := strconv.ParseInt(text, 10, 64)
		return err
	}
	if !exactNumber.MatchString(text) {
		return errors.New("no exact number")
	}
	return nil
}

func plural(n int, one, many string) string {
	if n == 1 {
		return one
	}
	return many
}
