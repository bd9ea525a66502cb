package tdstest

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// Type is a column's or parameter's type as T-SQL names it.
type Type struct {
	Name      string // in small letters, without its length
	Length    int    // of texts in characters, of binaries in bytes; Max for (max)
	Precision int    // of decimal and numeric
	Scale     int    // of decimal and numeric, and the digits of a second of datetime2, datetimeoffset, time
	NotNull   bool
}

// Max is the length of varchar(max), nvarchar(max) and varbinary(max).
const Max = -1

var typePattern = regexp.MustCompile(`(?i)^\s*\[?([a-z0-9_]+(?: precision)?)\]?\s*(?:\(\s*(max|\d+)\s*(?:,\s*(\d+)\s*)?\))?\s*$`)

// otherNames are names of the same types.
var otherNames = map[string]string{"timestamp": "rowversion", "integer": "int", "dec": "decimal", "double precision": "float", "character": "char", "sysname": "nvarchar"}

// ParseType reads a type as it is written in CREATE TABLE or in a parameter's declaration.
func ParseType(text string) (Type, error) {
	m := typePattern.FindStringSubmatch(text)
	if m == nil {
		return Type{}, fmt.Errorf("%q is no type", text)
	}
	t := Type{Name: strings.ToLower(m[1])}
	if name, ok := otherNames[t.Name]; ok {
		t.Name = name
	}
	first, given := -1, m[2] != ""
	if given && !strings.EqualFold(m[2], "max") {
		first, _ = strconv.Atoi(m[2])
	}
	switch t.Name {
	case "varchar", "nvarchar", "varbinary", "char", "nchar", "binary":
		t.Length = 1
		if given {
			t.Length = first
		}
	case "decimal", "numeric":
		t.Precision = 18
		if given {
			t.Precision = first
			t.Scale, _ = strconv.Atoi(m[3])
		}
	case "datetime2", "datetimeoffset", "time":
		t.Scale = 7
		if given {
			t.Scale = first
		}
	case "float":
		if given && first <= 24 {
			t.Name = "real"
		}
	case "tinyint", "smallint", "int", "bigint", "bit", "real", "money", "smallmoney", "datetime", "smalldatetime", "date",
		"uniqueidentifier", "rowversion", "text", "ntext", "xml":
	default:
		return t, fmt.Errorf("%q is no type that this server knows", text)
	}
	return t, nil
}

// String writes the type as T-SQL does.
func (t Type) String() string {
	switch t.Name {
	case "varchar", "nvarchar", "varbinary", "char", "nchar", "binary":
		if t.Length == Max {
			return t.Name + "(max)"
		}
		return fmt.Sprintf("%s(%d)", t.Name, t.Length)
	case "decimal", "numeric":
		return fmt.Sprintf("%s(%d,%d)", t.Name, t.Precision, t.Scale)
	case "datetime2", "datetimeoffset", "time":
		return fmt.Sprintf("%s(%d)", t.Name, t.Scale)
	}
	return t.Name
}

// isText says that values are text of the lab's own.
func (t Type) isText() bool {
	switch t.Name {
	case "varchar", "nvarchar", "char", "nchar", "text", "ntext", "xml":
		return true
	}
	return false
}

// isClock says that values are points in time, with or without a zone.
func (t Type) isClock() bool {
	switch t.Name {
	case "datetime", "smalldatetime", "datetime2", "datetimeoffset", "date":
		return true
	}
	return false
}

// isBinary says that values are bytes.
func (t Type) isBinary() bool {
	switch t.Name {
	case "binary", "varbinary", "rowversion":
		return true
	}
	return false
}
