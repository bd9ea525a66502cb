package tdstest

import (
	"fmt"
	"strings"
)

// A column's type is kept in SQLite as the type's name there, which may be any words: NOTNULLS for a column
// without NULLs, then TEXT or BLOB so that values stay as they are written, then the type itself with
// (max) as _MAX. SQLite tells it for every column of an answer that is a column of a table, also
// through views.

// declared is the name of the type in SQLite.
func (t Type) declared() string {
	var words []string
	if t.NotNull {
		words = append(words, "NOTNULLS")
	}
	switch {
	case t.isBinary():
		words = append(words, "BLOB")
	case t.isText() || t.isClock() || t.Name == "time" || t.Name == "decimal" || t.Name == "numeric" || strings.HasSuffix(t.Name, "money") || t.Name == "uniqueidentifier":
		words = append(words, "TEXT")
	}
	return strings.Join(append(words, strings.ToUpper(strings.Replace(t.String(), "(max)", "_MAX", 1))), " ")
}

// fromDeclared is the other way; ok is false for what is no column of a table.
func fromDeclared(text string) (t Type, ok bool) {
	text, notNull := strings.CutPrefix(text, "NOTNULLS ")
	if first, rest, two := strings.Cut(text, " "); two && (first == "TEXT" || first == "BLOB") {
		text = rest
	}
	t, err := ParseType(strings.Replace(text, "_MAX", "(max)", 1))
	t.NotNull = notNull
	return t, err == nil
}

// collated is the collation of the type's values in SQLite, or "".
func (t Type) collated() string {
	switch {
	case t.isText():
		return usualCollation
	case t.Name == "decimal" || t.Name == "numeric" || strings.HasSuffix(t.Name, "money"):
		return byNumber
	case t.Name == "uniqueidentifier":
		return byGUID
	case t.Name == "datetimeoffset":
		return byInstant
	}
	return ""
}

// tableColumn translates the definition of a column: name, type, and what follows. A constraint of
// the table stays as it is.
func tableColumn(in []lexeme) (string, error) {
	all := meaningful(in)
	if len(all) < 2 || all[0].is("PRIMARY", "UNIQUE", "CONSTRAINT", "CHECK", "FOREIGN", "INDEX") {
		return spaced(all), nil
	}
	end := 2
	if end < len(all) && all[1].is("double") {
		end++
	}
	if end < len(all) && all[end].is("(") {
		end = closing(all, end) + 1
	}
	t, err := ParseType(spaced(all[1:end]))
	if err != nil {
		return "", Error{Number: 2715, Class: 16, Message: fmt.Sprintf("Cannot find data type %s.", all[1].text)}
	}
	rest, collated := "", t.collated()
	for i := end; i < len(all); i++ {
		switch {
		case all[i].is("COLLATE") && i+1 < len(all):
			i++
			if collated = all[i].text; textCollations[collated] == nil {
				return "", Error{Number: 448, Class: 16, Message: "Invalid collation '" + collated + "'."}
			}
		case all[i].is("NOT") && i+1 < len(all) && all[i+1].is("NULL"):
			t.NotNull = true
		case all[i].is("PRIMARY"):
			t.NotNull = true
		}
		if t.Name == "rowversion" && all[i].is("NOT", "NULL") {
			continue // it comes after the row
		}
		if !all[i].is("COLLATE") && all[i].text != collated {
			rest += " " + all[i].text
		}
	}
	if collated != "" {
		rest += " COLLATE " + collated
	}
	return all[0].text + " " + t.declared() + rest, nil
}

// spaced joins pieces with blanks.
func spaced(all []lexeme) string {
	var words []string
	for _, l := range all {
		words = append(words, l.text)
	}
	return strings.Join(words, " ")
}

// createTable translates CREATE TABLE name (…).
func createTable(in []lexeme) (table, text string, err error) {
	from := 0
	for from < len(in) && !in[from].is("(") {
		from++
	}
	head := meaningful(in[:from])
	if len(head) < 3 || from == len(in) {
		return "", "", Error{Number: 102, Class: 15, Message: "Incorrect syntax near 'TABLE'."}
	}
	table = head[len(head)-1].identifier()
	to := closing(in, from)
	var columns []string
	start, depth := from+1, 0
	for i := from + 1; i <= to; i++ {
		switch {
		case in[i].is("("):
			depth++
		case in[i].is(")") && i < to:
			depth--
		case i == to || in[i].is(",") && depth == 0:
			c, err := tableColumn(in[start:i])
			if err != nil {
				return "", "", err
			}
			columns = append(columns, c)
			start = i + 1
		}
	}
	return table, "CREATE TABLE [" + table + "] (" + strings.Join(columns, ", ") + ")", nil
}
