package tdstest

import "strings"

// lexeme is a piece of T-SQL. Blanks and comments are pieces of their own, so that all together are the text.
type lexeme struct {
	kind lexemeKind
	text string
}

type lexemeKind byte

const (
	blank  lexemeKind = iota // and comments
	word                     // also @p1, @@DBTS and numbers
	name                     // [x] and "x"
	quoted                   // 'x' and N'x'
	sign
)

// scan takes T-SQL apart.
func scan(text string) []lexeme {
	var out []lexeme
	for text != "" {
		kind, n := first(text)
		out = append(out, lexeme{kind, text[:n]})
		text = text[n:]
	}
	return out
}

// first returns the kind and length of the first piece.
func first(text string) (lexemeKind, int) {
	until := func(from int, end string) int {
		if i := strings.Index(text[from:], end); i >= 0 {
			return from + i + len(end)
		}
		return len(text)
	}
	quote := func(from int, end string) int { // a doubled end does not end it
		for {
			n := until(from, end)
			if !strings.HasPrefix(text[n:], end) || n == len(text) {
				return n
			}
			from = n + len(end)
		}
	}
	isWord := func(c byte) bool {
		return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '_' || c == '@' || c == '#' || c >= 0x80
	}
	switch c := text[0]; {
	case strings.HasPrefix(text, "--"):
		return blank, until(2, "\n")
	case strings.HasPrefix(text, "/*"):
		return blank, until(2, "*/")
	case strings.HasPrefix(text, "N'"):
		return quoted, quote(2, "'")
	case c == '\'':
		return quoted, quote(1, "'")
	case c == '"':
		return name, quote(1, `"`)
	case c == '[':
		return name, quote(1, "]")
	case c == ' ' || c == '\t' || c == '\r' || c == '\n':
		n := 1
		for n < len(text) && strings.IndexByte(" \t\r\n", text[n]) >= 0 {
			n++
		}
		return blank, n
	case isWord(c):
		n := 1
		for n < len(text) && isWord(text[n]) {
			n++
		}
		return word, n
	}
	return sign, 1
}

// is reports whether the piece is one of these words or signs.
func (l lexeme) is(words ...string) bool {
	if l.kind != word && l.kind != sign {
		return false
	}
	for _, w := range words {
		if strings.EqualFold(l.text, w) {
			return true
		}
	}
	return false
}

// identifier returns the name that the piece is, or "".
func (l lexeme) identifier() string {
	switch l.kind {
	case word:
		return l.text
	case name:
		return l.text[1 : len(l.text)-1]
	}
	return ""
}

// meaningful leaves out blanks and comments.
func meaningful(all []lexeme) []lexeme {
	var out []lexeme
	for _, l := range all {
		if l.kind != blank {
			out = append(out, l)
		}
	}
	return out
}

// closing returns the index of the bracket that closes the one at i.
func closing(all []lexeme, i int) int {
	depth := 0
	for ; i < len(all); i++ {
		switch {
		case all[i].is("("):
			depth++
		case all[i].is(")"):
			if depth--; depth == 0 {
				return i
			}
		}
	}
	return len(all) - 1
}

// statements cuts a batch at its semicolons.
func statements(text string) (out []string) {
	var one []lexeme
	for _, l := range append(scan(text), lexeme{sign, ";"}) {
		if !l.is(";") {
			one = append(one, l)
			continue
		}
		if len(meaningful(one)) > 0 {
			out = append(out, join(one))
		}
		one = nil
	}
	return out
}

// join puts pieces together again.
func join(all []lexeme) string {
	var b strings.Builder
	for _, l := range all {
		b.WriteString(l.text)
	}
	return b.String()
}
