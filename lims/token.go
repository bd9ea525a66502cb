package lims

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// syntax is how a database's SQL differs from others' in what surrounds words.
type syntax struct {
	quotes            string // quotation marks of identifiers (or strings) besides '
	brackets          bool   // [name]
	backticks         bool   // `name`
	backslashes       bool   // escape within strings
	dollarQuotes      bool   // $tag$text$tag$
	alternativeQuotes bool   // q'[text]'
	hashComments      bool   // # to the line's end
	nestedComments    bool   // /* /* */ */
	versionComments   bool   // /*! is code
	placeholder       bool   // ? is a parameter
	binds             bool   // :name is a parameter
	bareAlias         bool   // a derived table's name stands without AS
	named             bool   // each column of a derived table must have a name
}

// token is a word, a quoted name, a literal or a sign of a SELECT.
type token struct {
	text  string // as written; words in capitals
	kind  tokenKind
	depth int // of brackets around it
	at    int // its first byte
	name  string
}

type tokenKind byte

const (
	word      tokenKind = iota // unquoted; name is as written
	quoted                     // an identifier in quotation marks; name is what is within
	literally                  // a string or a number
	sign                       // anything else, one byte
)

// tokens takes a SELECT apart, leaving out comments and blanks. problem is what cannot be taken apart.
func (x syntax) tokens(text string) (out []token, problem string) {
	depth := 0
	for i := 0; i < len(text); {
		c := text[i]
		rest := text[i:]
		t := token{at: i, depth: depth}
		n := 1
		switch {
		case c == ' ' || c == '\t' || c == '\r' || c == '\n' || c == '\f':
			i++
			continue
		case strings.HasPrefix(rest, "--") && (!x.hashComments || len(rest) == 2 || rest[2] <= ' '), c == '#' && x.hashComments:
			if n = strings.IndexByte(rest, '\n'); n < 0 {
				n = len(rest)
			}
			i += n
			continue
		case strings.HasPrefix(rest, "/*"):
			if x.versionComments && (strings.HasPrefix(rest, "/*!") || strings.HasPrefix(rest, "/*M!")) {
				return nil, "/*! … */ hides code in a comment: write it out"
			}
			if n = x.comment(rest); n < 0 {
				return nil, "a comment /* is not ended"
			}
			i += n
			continue
		case c == '\'':
			if n = quotedLength(rest, '\'', x.backslashes || escapes(text, i)); n < 0 {
				return nil, "a string ' is not ended"
			}
			t.kind = literally
		case strings.IndexByte(x.quotes, c) >= 0, c == '`' && x.backticks, c == '[' && x.brackets:
			end := c
			if c == '[' {
				end = ']'
			}
			if n = quotedLength(rest, end, false); n < 0 {
				return nil, "a name in " + string(c) + " is not ended"
			}
			t.kind = quoted
			t.name = strings.ReplaceAll(rest[1:n-1], string(end)+string(end), string(end))
		case x.alternativeQuotes && alternativeQuote(rest) > 0:
			open := alternativeQuote(rest)
			end := strings.Index(rest[open:], closing(rest[open-1])+"'")
			if end < 0 {
				return nil, "a string " + rest[:open] + " is not ended"
			}
			n = open + end + 2
			t.kind = literally
		case c == '$' && x.dollarQuotes && dollarTag(rest) != "":
			tag := dollarTag(rest)
			end := strings.Index(rest[len(tag):], tag)
			if end < 0 {
				return nil, "a string " + tag + " is not ended"
			}
			n = end + 2*len(tag)
			t.kind = literally
		case c >= '0' && c <= '9':
			for n < len(rest) && (rest[n] == '.' || rest[n] == '_' || rest[n] >= '0' && rest[n] <= '9' || rest[n]|0x20 >= 'a' && rest[n]|0x20 <= 'z') {
				n++
			}
			t.kind = literally
		case wordRune(rest, true) > 0:
			for n = 0; n < len(rest); {
				w := wordRune(rest[n:], false)
				if w == 0 {
					break
				}
				n += w
			}
			t.kind = word
			t.name = rest[:n]
		default:
			t.kind = sign
			switch c {
			case '(':
				depth++
			case ')':
				if depth--; depth < 0 {
					return nil, "a closing bracket has no opening one"
				}
				t.depth = depth
			}
		}
		t.text = rest[:n]
		if t.kind == word {
			t.text = strings.ToUpper(t.text)
		}
		out = append(out, t)
		i += n
	}
	if depth > 0 {
		return nil, "an opening bracket is not closed"
	}
	return out, ""
}

// comment returns the length of the comment that text begins with, or -1.
func (x syntax) comment(text string) int {
	depth := 0
	for i := 0; i+1 < len(text); i++ {
		switch {
		case text[i] == '/' && text[i+1] == '*' && (depth == 0 || x.nestedComments):
			depth++
			i++
		case text[i] == '*' && text[i+1] == '/':
			depth--
			i++
			if depth == 0 {
				return i + 1
			}
		}
	}
	return -1
}

// quotedLength returns the length of what is quoted by end at the beginning of text, or -1. A doubled
// mark stands for itself.
func quotedLength(text string, end byte, backslashes bool) int {
	for i := 1; i < len(text); i++ {
		switch {
		case backslashes && text[i] == '\\':
			i++
		case text[i] == end && i+1 < len(text) && text[i+1] == end:
			i++
		case text[i] == end:
			return i + 1
		}
	}
	return -1
}

// escapes reports whether the string that begins at i is written E'…' (PostgreSQL), in which
// backslashes escape.
func escapes(text string, i int) bool {
	return i > 0 && text[i-1]|0x20 == 'e' && (i == 1 || wordRune(text[i-2:], false) == 0)
}

// alternativeQuote returns the length of q'[ or nq'[ at the beginning of text, with any mark for [, or 0.
func alternativeQuote(text string) int {
	n := 0
	if text[0]|0x20 == 'n' {
		n = 1
	}
	if len(text) > n+2 && text[n]|0x20 == 'q' && text[n+1] == '\'' {
		return n + 3
	}
	return 0
}

// closing returns the mark that ends a string which this one began.
func closing(open byte) string {
	if i := strings.IndexByte("[{(<", open); i >= 0 {
		return "]})>"[i : i+1]
	}
	return string(open)
}

// dollarTag returns $tag$ at the beginning of text, or "".
func dollarTag(text string) string {
	for i := 1; i < len(text); i++ {
		if text[i] == '$' {
			return text[:i+1]
		}
		if wordRune(text[i:], i == 1) == 0 {
			return ""
		}
	}
	return ""
}

// wordRune returns the length of the rune that begins text if it may be part of a word, else 0.
func wordRune(text string, first bool) int {
	r, n := utf8.DecodeRuneInString(text)
	switch {
	case unicode.IsLetter(r) || r == '_' || r == '@' || r == '#':
		return n
	case !first && (unicode.IsDigit(r) || r == '$'):
		return n
	}
	return 0
}
