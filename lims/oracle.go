package lims

import (
	"encoding/hex"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// oracle reads Oracle Database. Date-times and numbers are selected as the server's own text in
// formats that are written into each statement: neither the session's settings nor the driver, which
// takes DATE and TIMESTAMP for instants, come between.
type oracle struct{}

func (oracle) syntax() syntax {
	return syntax{quotes: `"`, alternativeQuotes: true, binds: true, bareAlias: true}
}

// setup makes the session's own settings harmless. There is no SET TRANSACTION READ ONLY: it would show
// the LIMS as it was at its beginning until somebody ends it. A SELECT writes only where a function in
// it does, in a transaction of its own; that the account may read two views and nothing else is what
// protects the LIMS.
// Nor is there a lock timeout: Oracle's readers wait for no writer.
func (oracle) setup(Options) []string {
	return []string{
		"ALTER SESSION SET TIME_ZONE = '+00:00'",
		"ALTER SESSION SET NLS_NUMERIC_CHARACTERS = '.,' NLS_CALENDAR = GREGORIAN NLS_SORT = BINARY NLS_COMP = BINARY NLS_LANGUAGE = AMERICAN " +
			"NLS_DATE_FORMAT = '" + oracleDate + "' NLS_TIMESTAMP_FORMAT = '" + oracleTimestamp + "' NLS_TIMESTAMP_TZ_FORMAT = '" + oracleInstant + "'",
		"ALTER SESSION DISABLE PARALLEL QUERY",
	}
}

// Oracle's format models for what Go's layouts below write.
const (
	oracleDate      = "YYYY-MM-DD HH24:MI:SS"
	oracleTimestamp = oracleDate + ".FF9"
	oracleInstant   = oracleTimestamp + " TZH:TZM"

	oracleDateLayout      = "2006-01-02 15:04:05"
	oracleTimestampLayout = oracleDateLayout + ".000000000"
)

// The names of Oracle's date-time types with their zone.
const (
	oracleZoned = "TIMESTAMP WITH TIME ZONE"
	oracleLocal = "TIMESTAMP WITH LOCAL TIME ZONE"
)

func (oracle) kind(t columnType) (kind, bool) {
	switch t.typ {
	case "CHAR":
		return kindFixed, false
	case "VARCHAR2":
		return kindText, false
	case "NUMBER":
		return kindDecimal, false
	case "BINARY_FLOAT", "BINARY_DOUBLE":
		return kindFloat, false
	case "DATE", "TIMESTAMP": // a DATE has hours, minutes and seconds
		return kindClock, false
	case oracleZoned, oracleLocal:
		return kindClock, true
	case "RAW": // a UUID where it has 16 bytes, which only its values tell
		return kindUUID, false
	}
	return kindOther, false
}

func (oracle) quote(name string) string {
	return `"` + strings.ReplaceAll(name, `"`, `""`) + `"`
}

// output names each expression: FETCH FIRST makes a query of its own of the list. Of what has no text of the lab's
// own it asks only whether it is there: no CLOB is brought for nothing, and the driver cannot read every type.
func (d oracle) output(c column, expr string) string {
	as := " AS " + d.quote(c.name)
	switch c.typ {
	case "NUMBER":
		return "TO_CHAR(" + expr + ", 'TM9')" + as // all digits, 0.5 as .5
	case "DATE":
		return "TO_CHAR(" + expr + ", '" + oracleDate + "')" + as
	case "TIMESTAMP":
		return "TO_CHAR(" + expr + ", '" + oracleTimestamp + "')" + as
	case oracleZoned:
		return "TO_CHAR(SYS_EXTRACT_UTC(" + expr + "), '" + oracleTimestamp + `"Z"')` + as
	case oracleLocal: // the session's zone is UTC
		return "TO_CHAR(" + expr + ", '" + oracleTimestamp + `"Z"')` + as
	}
	if strings.HasPrefix(c.typ, "LONG") { // of which no expression may be made, nor may it stand in every query
		return "'x'" + as
	}
	if c.kind == kindOther {
		return "CASE WHEN " + expr + " IS NOT NULL THEN 'x' END" + as
	}
	return expr
}

// idOrder compares text by its bytes also where a column has a collation of its own.
func (oracle) idOrder(c column, expr string) string {
	switch c.kind {
	case kindFixed:
		return byBytes("RTRIM(" + expr + ")")
	case kindText:
		return byBytes(expr)
	}
	return expr
}

func (d oracle) greater(c column, expr, placeholder string) (left, right string) {
	if c.kind == kindFixed || c.kind == kindText {
		placeholder = byBytes(placeholder)
	}
	return d.idOrder(c, expr), placeholder
}

// byBytes is a text's bytes. NLSSORT takes them as they are, and those of NCHAR and NVARCHAR2, which the driver does
// not tell from CHAR and VARCHAR2, are of another character set than the parameter's: both sides go through one.
func byBytes(text string) string { return "NLSSORT(TO_NCHAR(" + text + "), 'NLS_SORT=BINARY')" }

// param makes a value of the column's own type of the text that is bound: one of another type would
// have the column converted, without its index.
func (oracle) param(c column, n int) string {
	p := ":" + strconv.Itoa(n)
	switch c.typ {
	case "NUMBER":
		return "TO_NUMBER(" + p + ")"
	case "DATE":
		return "TO_DATE(" + p + ", '" + oracleDate + "')"
	case "TIMESTAMP":
		return "TO_TIMESTAMP(" + p + ", '" + oracleTimestamp + "')"
	case oracleZoned:
		return "TO_TIMESTAMP_TZ(" + p + ", '" + oracleInstant + "')"
	case oracleLocal:
		return "CAST(TO_TIMESTAMP(" + p + ", '" + oracleTimestamp + "') AS TIMESTAMP(9) WITH LOCAL TIME ZONE)"
	}
	return p
}

// oracleNumber is a number as TM9 writes it: .5 is half of one.
var oracleNumber = regexp.MustCompile(`^-?([0-9]+|[0-9]*\.[0-9]+)$`)

func (oracle) bind(c column, text string) (any, error) {
	switch c.kind {
	case kindDecimal:
		if len(text) > 65 || !oracleNumber.MatchString(text) || c.role == changedAt && strings.Contains(text, ".") {
			return nil, errors.New("no number as this database writes it, or no whole one") // a change stamp counts in whole numbers
		}
	case kindUUID:
		b, err := hex.DecodeString(strings.ReplaceAll(text, "-", ""))
		if err == nil && (len(b) != 16 || len(text) != 36) {
			err = errors.New("no UUID")
		}
		return b, err
	case kindClock:
		r, ok := parseReading(text)
		if !ok {
			return nil, errors.New("no date-time")
		}
		switch c.typ {
		case "DATE":
			return r.wall.Format(oracleDateLayout), nil
		case oracleZoned:
			return r.instant(&zone{loc: time.UTC}).UTC().Format(oracleTimestampLayout) + " +00:00", nil
		case oracleLocal:
			return r.instant(&zone{loc: time.UTC}).UTC().Format(oracleTimestampLayout), nil
		}
		return r.wall.Format(oracleTimestampLayout), nil
	}
	if text == "" || strings.ContainsRune(text, 0) {
		return nil, errors.New("no text of this database") // '' is NULL
	}
	return text, nil
}

func (oracle) unstamped(_ column, expr string) string { return expr + " IS NULL" }

func (oracle) stamped(_ column, expr string) string { return expr + " IS NOT NULL" }

func (oracle) rowValues() bool { return false } // Oracle has no (a, b) > (x, y)

// limit needs Oracle 12.1.
func (oracle) limit(n int) (head, tail string) {
	if n == 0 {
		return "", ""
	}
	return "", "\nFETCH FIRST " + strconv.Itoa(n) + " ROWS ONLY"
}

// in pads what is compared with a CHAR column, as Oracle pads what is stored in it. The server
// allows 1,000 elements of a list.
func (d oracle) in(c column, expr string, n int) string {
	if c.kind != kindFixed {
		return inList(d, c, expr, n)
	}
	var list []string
	for i := range n {
		list = append(list, "CAST("+d.param(c, i+1)+" AS CHAR(255))")
	}
	return expr + " IN (" + strings.Join(list, ", ") + ")"
}

func (oracle) list(_ column, ids []any) []any { return ids }

func (oracle) sizes() []int { return []int{1, 25, 500} }

func (oracle) now() string {
	return "SELECT TO_CHAR(SYS_EXTRACT_UTC(SYSTIMESTAMP), '" + oracleTimestamp + `"Z"') FROM DUAL`
}

// identity asks nothing that is not everybody's right.
func (oracle) identity() string {
	return "SELECT USER, SYS_CONTEXT('USERENV', 'SERVICE_NAME'), (SELECT MAX(PRODUCT || ' ' || VERSION) FROM PRODUCT_COMPONENT_VERSION WHERE PRODUCT LIKE 'Oracle%') FROM DUAL"
}

func (oracle) text(c column, v any) (string, bool) {
	if b, ok := v.([]byte); ok && c.kind == kindUUID && len(b) == 16 {
		return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:]), true
	}
	return "", false
}
