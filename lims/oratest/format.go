package oratest

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// element is one element of a date-time format model, [SQLREF] Format Models.
type element struct {
	name string // "": text as it is
	text string
}

var elements = []string{"YYYY", "MM", "DD", "HH24", "MI", "SS", "FF9", "TZH", "TZM"}

var badModel = Error{Code: 1821, Message: "date format not recognized"}

// model takes a format model apart; of one for a type without fractions of a second, or without a zone, they are no part.
func model(text string, t Type) (list []element, err error) {
next:
	for text != "" {
		if strings.HasPrefix(text, `"`) {
			literal, rest, ok := strings.Cut(text[1:], `"`)
			if !ok {
				return nil, badModel
			}
			list, text = append(list, element{text: literal}), rest
			continue
		}
		for _, name := range elements {
			if strings.HasPrefix(text, name) {
				if name == "FF9" && t.Name == "DATE" || strings.HasPrefix(name, "TZ") && t.Name != zoned {
					return nil, badModel
				}
				list, text = append(list, element{name: name}), text[len(name):]
				continue next
			}
		}
		if !strings.ContainsRune("-/,.;: ", rune(text[0])) {
			return nil, badModel
		}
		list, text = append(list, element{text: text[:1]}), text[1:]
	}
	return list, nil
}

// write is TO_CHAR of a time in the zone in which it is to be shown.
func write(list []element, at time.Time) string {
	var b strings.Builder
	_, offset := at.Zone()
	for _, e := range list {
		switch e.name {
		case "":
			b.WriteString(e.text)
		case "YYYY":
			fmt.Fprintf(&b, "%04d", at.Year())
		case "MM":
			fmt.Fprintf(&b, "%02d", at.Month())
		case "DD":
			fmt.Fprintf(&b, "%02d", at.Day())
		case "HH24":
			fmt.Fprintf(&b, "%02d", at.Hour())
		case "MI":
			fmt.Fprintf(&b, "%02d", at.Minute())
		case "SS":
			fmt.Fprintf(&b, "%02d", at.Second())
		case "FF9":
			fmt.Fprintf(&b, "%09d", at.Nanosecond())
		case "TZH":
			fmt.Fprintf(&b, "%+03d", offset/3600)
		case "TZM":
			fmt.Fprintf(&b, "%02d", (offset%3600+3600)%3600/60)
		}
	}
	return b.String()
}

// read is TO_DATE and the like: a time, in UTC where the model has no zone. What is missing at the end is zero;
// more than the model is an error.
func read(list []element, text string) (time.Time, error) {
	n := map[string]int{"YYYY": 1, "MM": 1, "DD": 1}
	sign := 1
	for _, e := range list {
		width := map[string]int{"YYYY": 4, "FF9": 9}[e.name]
		switch {
		case text == "":
			continue
		case e.name == "":
			if !strings.HasPrefix(text, e.text) {
				return time.Time{}, Error{Code: 1861, Message: "literal does not match format string"}
			}
			text = text[len(e.text):]
			continue
		case e.name == "TZH":
			if sign = 1; text[0] == '-' {
				sign = -1
			}
			text = strings.TrimLeft(text, "+-")
		}
		if width == 0 {
			width = 2
		}
		digits := 0
		for digits < min(width, len(text)) && text[digits] >= '0' && text[digits] <= '9' {
			digits++
		}
		v, err := strconv.Atoi(text[:digits])
		if err != nil {
			return time.Time{}, Error{Code: 1858, Message: "a non-numeric character was found where a numeric was expected"}
		}
		for e.name == "FF9" && digits < width {
			v, width = 10*v, width-1
		}
		n[e.name], text = v, text[digits:]
	}
	if text != "" {
		return time.Time{}, Error{Code: 1830, Message: "date format picture ends before converting entire input string"}
	}
	zone := time.UTC
	if offset := sign * (n["TZH"]*3600 + n["TZM"]*60); offset != 0 {
		zone = time.FixedZone("", offset)
	}
	at := time.Date(n["YYYY"], time.Month(n["MM"]), n["DD"], n["HH24"], n["MI"], n["SS"], n["FF9"], zone)
	switch {
	case n["MM"] < 1 || n["MM"] > 12:
		return at, Error{Code: 1843, Message: "not a valid month"}
	case n["DD"] < 1 || at.Day() != n["DD"]:
		return at, Error{Code: 1847, Message: "day of month must be between 1 and last day of month"}
	case n["HH24"] > 23 || n["MI"] > 59 || n["SS"] > 59:
		return at, Error{Code: 1850, Message: "hour must be between 0 and 23"}
	}
	return at, nil
}
