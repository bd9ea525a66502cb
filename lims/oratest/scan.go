package oratest

import (
	"errors"
	"strings"
)

// lexeme is a piece of a statement.
type lexeme struct {
	kind byte // 'w' a word, '"' a name in quotation marks, '\'' a text, ':' a parameter's number, '1' a number, else itself
	text string
}

var errShape = errors.New("a statement of an unknown shape")

// scan takes a statement apart.
func scan(text string) (list []lexeme, err error) {
	in := func(c byte, set string) bool { return strings.IndexByte(set, c) >= 0 }
	const digits = "0123456789"
	const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_$#"
	for text != "" {
		c, n := text[0], 1
		while := func(set string) {
			for n < len(text) && in(text[n], set) {
				n++
			}
		}
		switch {
		case in(c, " \n"):
			text = text[1:]
			continue
		case in(c, letters):
			while(letters + digits)
			list = append(list, lexeme{'w', text[:n]})
		case in(c, digits):
			while(digits)
			list = append(list, lexeme{'1', text[:n]})
		case c == ':':
			while(digits)
			list = append(list, lexeme{':', text[1:n]})
		case c == '"', c == '\'':
			var b strings.Builder
			for ; n < len(text); n++ {
				if text[n] == c {
					if n+1 == len(text) || text[n+1] != c {
						break
					}
					n++ // doubled: one of them
				}
				b.WriteByte(text[n])
			}
			if n == len(text) {
				return nil, errShape
			}
			n++
			list = append(list, lexeme{c, b.String()})
		case strings.HasPrefix(text, ">="):
			n = 2
			list = append(list, lexeme{'g', ">="})
		case in(c, "(),.=<>*|"):
			list = append(list, lexeme{c, text[:1]})
		default:
			return nil, errShape
		}
		text = text[n:]
	}
	return list, nil
}

// parser reads a statement of one of the reader's shapes.
type parser struct {
	list []lexeme
	err  error
}

// next takes the next lexeme if it is of this kind, and has this text where one is given.
func (p *parser) next(kind byte, text string) (lexeme, bool) {
	if p.err != nil || len(p.list) == 0 || p.list[0].kind != kind || text != "" && p.list[0].text != text {
		return lexeme{}, false
	}
	l := p.list[0]
	p.list = p.list[1:]
	return l, true
}

// words takes these words, or none.
func (p *parser) words(text string) bool {
	list := strings.Fields(text)
	if p.err != nil || len(p.list) < len(list) {
		return false
	}
	for i, w := range list {
		if p.list[i] != (lexeme{'w', w}) {
			return false
		}
	}
	p.list = p.list[len(list):]
	return true
}

// must takes the next lexeme, which can be no other.
func (p *parser) must(kind byte, text string) string {
	l, ok := p.next(kind, text)
	if !ok && p.err == nil {
		p.err = errShape
	}
	return l.text
}

func (p *parser) mustWords(text string) {
	if !p.words(text) && p.err == nil {
		p.err = errShape
	}
}
