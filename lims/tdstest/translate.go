package tdstest

import (
	"strings"
	"time"
)

// translate turns a T-SQL statement into one of SQLite's, as far as tests need it. typed is told the type
// of each column that is a CAST with a name.
func translate(text string, typed func(column string, t Type)) string {
	return strings.TrimRight(join(translateAll(scan(text), typed)), "; \n")
}

// clocks are the functions that tell the time.
var clocks = map[string]Type{
	"GETDATE": {Name: "datetime"}, "GETUTCDATE": {Name: "datetime"}, "SYSDATETIME": {Name: "datetime2", Scale: 7}, "SYSUTCDATETIME": {Name: "datetime2", Scale: 7},
	"SYSDATETIMEOFFSET": {Name: "datetimeoffset", Scale: 7},
}

// otherFunctions are SQLite's names of T-SQL's functions.
var otherFunctions = map[string]string{"ISNULL": "ifnull", "LEN": "length", "SUBSTRING": "substr"}

func translateAll(in []lexeme, typed func(string, Type)) []lexeme {
	var out []lexeme
	limit := ""
	raw := func(text string) { out = append(out, lexeme{blank, text}) }
	for i := 0; i < len(in); i++ {
		l := in[i]
		next := func(n int) lexeme { // the nth meaningful piece from here
			rest := meaningful(in[i+1 : min(len(in), i+40)])
			if n < len(rest) {
				return rest[n]
			}
			return lexeme{}
		}
		upper := strings.ToUpper(l.text)
		clock, isClock := clocks[upper]
		switch {
		case l.kind == quoted:
			raw(strings.TrimPrefix(l.text, "N"))
		case strings.EqualFold(l.identifier(), "dbo") && next(0).is("."):
			for !in[i].is(".") {
				i++
			}
		case l.is("TOP") && next(0).is("("):
			from := i
			for !in[from].is("(") {
				from++
			}
			to := closing(in, from)
			limit = "\nLIMIT " + join(in[from+1:to])
			i = to
		case l.is("OPTION") && next(0).is("("):
			for !in[i].is("(") {
				i++
			}
			i = closing(in, i)
		case l.is("WITH") && next(0).is("(") && next(1).is("TABLOCKX", "NOLOCK", "UPDLOCK"):
			for !in[i].is(")") {
				i++
			}
		case l.is("CAST", "CONVERT") && next(0).is("("):
			from := i
			for !in[from].is("(") {
				from++
			}
			to := closing(in, from)
			value, t, ok := cast(in[from+1:to], l.is("CONVERT"))
			if !ok {
				out = append(out, l)
				continue
			}
			raw(convertTo + "('" + t.String() + "', ")
			out = append(out, translateAll(value, typed)...)
			raw(")")
			i = to
			if next(0).is("AS") {
				typed(next(1).identifier(), t)
			}
		case isClock && next(0).is("("):
			raw("'" + clock.clockText(time.Now().UTC()) + "'")
			for !in[i].is(")") {
				i++
			}
		case otherFunctions[upper] != "" && next(0).is("("):
			raw(otherFunctions[upper])
		default:
			out = append(out, l)
		}
	}
	return append(out, lexeme{blank, limit})
}

// cast takes apart what stands between the brackets of CAST(value AS type) or CONVERT(type, value).
func cast(in []lexeme, convert bool) (value []lexeme, t Type, ok bool) {
	depth, at := 0, -1
	for i, l := range in {
		switch {
		case l.is("("):
			depth++
		case l.is(")"):
			depth--
		case depth > 0:
		case l.is("AS") && !convert, l.is(",") && convert && at < 0:
			at = i
		}
	}
	if at < 0 {
		return nil, t, false
	}
	value, typ := in[:at], join(in[at+1:])
	if convert {
		value, typ = in[at+1:], join(in[:at])
	}
	t, err := ParseType(typ)
	if (t.Name == "varchar" || t.Name == "nvarchar") && !strings.Contains(typ, "(") {
		t.Length = 30 // here; of a column it is 1
	}
	return value, t, err == nil
}
