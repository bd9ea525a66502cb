package config

import (
	"fmt"
	"strings"
	"unicode"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/token"
)

// value is one setting as the file has it, or as a default has it.
type value struct {
	path string
	name string   // the last part of the path, exactly as written
	key  ast.Node // nil: a member of a list, or a default
	node ast.Node // nil: a default
	text string   // of a scalar, exactly as written; "" also where nothing is written
}

// read takes a value into the configuration, or adds problems.
type read func(d *decoder, v value)

// setting is one name that the file may have: either a value, or a section of settings.
type setting struct {
	name string
	read read
	sub  []setting
	// secret values are never shown.
	secret bool
	// tree says that the value is a list or map, which read takes apart by itself.
	tree bool
}

// decoder walks the tree and collects problems.
type decoder struct {
	c        *Config
	src      *source
	mended   mends
	problems Problems
	at       map[string]value // every setting that the file has, by path
	bad      map[string]bool  // those that have a problem of their own
	top      []setting
	secrets  []pending
}

// start is where a node begins.
func start(n ast.Node) place {
	switch n := n.(type) {
	case *ast.MappingNode:
		if !n.IsFlowStyle && len(n.Values) > 0 {
			return start(n.Values[0])
		}
	case *ast.MappingValueNode:
		return start(n.Key)
	}
	if n == nil || n.GetToken() == nil || n.GetToken().Position == nil {
		return place{1, 1}
	}
	p := n.GetToken().Position
	return place{max(p.Line, 1), max(p.Column, 1)}
}

// width is how many characters of its line a node takes.
func (s *source) width(n ast.Node) int {
	switch n.(type) {
	case *ast.MappingNode, *ast.SequenceNode, *ast.MappingValueNode:
		return 1
	}
	t := n.GetToken()
	if t == nil {
		return 1
	}
	p := start(n)
	if t.Type == token.DoubleQuoteType || t.Type == token.SingleQuoteType {
		return s.quoted(p)
	}
	first, _, _ := strings.Cut(strings.TrimSpace(t.Origin), "\n")
	return max(len([]rune(strings.TrimSpace(first))), 1)
}

// quoted is how many characters a quoted text takes with its quotes, as the file has it; the rest
// of the line where it is not closed there.
func (s *source) quoted(p place) int {
	line := s.lines[min(p.line, len(s.lines))-1]
	if p.column > len(line) {
		return 1
	}
	quote := line[p.column-1]
	for i := p.column; i < len(line); i++ {
		switch {
		case line[i] == '\\' && quote == '"':
			i++
		case line[i] == quote && quote == '\'' && i+1 < len(line) && line[i+1] == quote:
			i++
		case line[i] == quote:
			return i + 2 - p.column
		}
	}
	return len(line) + 1 - p.column
}

// pairs returns the members of a map, also of one with a single member.
func pairs(n ast.Node) ([]*ast.MappingValueNode, bool) {
	switch n := n.(type) {
	case *ast.MappingNode:
		return n.Values, true
	case *ast.MappingValueNode:
		return []*ast.MappingValueNode{n}, true
	}
	return nil, false
}

// empty reports whether nothing at all is written.
func empty(n ast.Node) bool {
	if n == nil {
		return true
	}
	null, ok := n.(*ast.NullNode)
	return ok && null.GetToken() != nil && null.GetToken().Type == token.ImplicitNullType
}

// text returns a scalar exactly as written, whatever YAML would make of it: 001, NO, 1E3, ~ and
// on are themselves. Quotes are taken off. False: it is no scalar.
func text(n ast.Node) (string, bool) {
	switch n := n.(type) {
	case *ast.StringNode:
		return n.Value, true
	case *ast.LiteralNode:
		return n.Value.Value, true
	case *ast.NullNode:
		if empty(n) {
			return "", true
		}
	case *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode, *ast.InfinityNode, *ast.NanNode, *ast.MergeKeyNode:
	default:
		return "", false
	}
	t := n.GetToken()
	if origin := strings.TrimSpace(t.Origin); origin != "" {
		return origin, true
	}
	return t.Value, true
}

// add notes a problem at a value; at its key where there is no value.
func (d *decoder) add(v value, what, instead string) *Problem {
	n := v.node
	if empty(n) {
		n = v.key
	}
	return d.addAt(n, v.path, what, instead)
}

func (d *decoder) addAt(n ast.Node, path, what, instead string) *Problem {
	d.bad[path] = true
	if n == nil {
		d.problems = append(d.problems, Problem{File: d.src.name, Path: path, What: what, Instead: instead})
	} else {
		p := start(n)
		d.problems = append(d.problems, Problem{File: d.src.name, Line: p.line, Column: p.column, width: d.src.width(n), Path: path, What: what, Instead: instead})
	}
	return &d.problems[len(d.problems)-1]
}

// hide keeps everything below a node from being shown.
func (d *decoder) hide(n ast.Node) {
	if members, ok := pairs(n); ok {
		for _, m := range members {
			d.hide(m.Key)
			d.hide(m.Value)
		}
		return
	}
	switch n := n.(type) {
	case nil:
		return
	case *ast.SequenceNode:
		for _, m := range n.Values {
			d.hide(m)
		}
		return
	case *ast.LiteralNode:
		d.hideFrom(n, strings.Count(n.Value.GetToken().Origin, "\n")+2)
		return
	case *ast.AnchorNode:
		d.hideFrom(n, 1)
		d.hide(n.Value)
		return
	case *ast.TagNode:
		d.hideFrom(n, 1)
		d.hide(n.Value)
		return
	}
	if empty(n) || n.GetToken() == nil {
		return
	}
	origin := strings.Trim(n.GetToken().Origin, " \t\r\n")
	if lines := strings.Count(origin, "\n") + 1; lines > 1 {
		d.hideFrom(n, lines)
		return
	}
	p := start(n)
	d.src.hide(p.line, p.column, d.src.width(n), 1)
}

// hideFrom hides the rest of the line, and the lines that follow.
func (d *decoder) hideFrom(n ast.Node, lines int) {
	p := start(n)
	d.src.hide(p.line, p.column, toEnd, lines)
}

// scalar returns the text of a node, or adds the problem that it is none.
func (d *decoder) scalar(n ast.Node, path string, secret bool) (string, bool) {
	p := start(n)
	line := d.src.lines[min(p.line, len(d.src.lines))-1]
	r, mended := d.mended[p]
	delete(d.mended, p)
	if s, ok := text(n); ok && r == '%' {
		// A unit of per cent is so usual, and so clear, that it needs no quotes.
		return "%" + s[1:], true
	}
	if mended && r != '\\' {
		d.odd(n, path, r, line, p, secret)
		return "", false
	}
	switch n := n.(type) {
	case *ast.AliasNode:
		d.odd(n, path, '*', line, p, secret)
		return "", false
	case *ast.AnchorNode:
		d.odd(n, path, '&', line, p, secret)
		return "", false
	case *ast.TagNode:
		d.odd(n, path, '!', line, p, secret)
		return "", false
	case *ast.MappingNode, *ast.MappingValueNode, *ast.SequenceNode:
		d.hide(n)
		kind := "a list"
		if _, ok := pairs(n); ok {
			kind = "a section of its own"
		}
		d.addAt(n, path, "one value belongs here, not "+kind, "write it in the same line, after the colon")
		return "", false
	}
	s, ok := text(n)
	if !ok {
		d.addAt(n, path, "one value belongs here", "")
		return "", false
	}
	if t := n.GetToken(); t.Type == token.DoubleQuoteType && !d.unescaped(n, path, line, p, secret) {
		return "", false
	}
	if !secret && strings.ContainsFunc(s, func(r rune) bool { return unicode.IsControl(r) && r != '\n' }) {
		d.addAt(n, path, "a control character (for example a tab) is inside the value", "write the text without it")
		return "", false
	}
	return s, true
}

// odd explains a value that begins with a character that means something to YAML.
func (d *decoder) odd(n ast.Node, path string, r rune, line []rune, p place, secret bool) {
	instead := "write it in single quotes: '…'"
	if !secret {
		if raw := plainFrom(line, p.column); !strings.Contains(raw, ":") {
			instead = "write it in single quotes: " + cited(raw)
		}
	} else {
		d.src.hide(p.line, p.column, toEnd, 1)
	}
	d.addAt(n, path, fmt.Sprintf("a text that begins with %c means something else in YAML", r), instead)
}

// plainFrom is the unquoted text that begins in a column, up to a comma, bracket or comment.
func plainFrom(line []rune, column int) string {
	if column > len(line) {
		return ""
	}
	s := string(line[column-1:])
	for _, end := range []string{",", "]", "}", ": ", " #"} {
		s, _, _ = strings.Cut(s, end)
	}
	return strings.TrimSpace(s)
}

// cited writes a text in single quotes, the one way in which YAML takes every character as it is.
// What may hold a password stays out.
func cited(s string) string {
	if smells.MatchString(s) || strings.Contains(s, "://") || strings.LastIndexByte(s, '@') > 0 || strings.Contains(s, ";") {
		return "'…'"
	}
	return "'" + strings.ReplaceAll(s, "'", "''") + "'"
}

// unescaped refuses backslashes in double quotes, where "…\L…" silently becomes something else.
// Doubled backslashes, \" and code points (\u00b5) are what they say.
func (d *decoder) unescaped(n ast.Node, path string, line []rune, p place, secret bool) bool {
	var raw []rune
	bad := false
	for i := p.column; i < len(line); i++ { // line[p.column-1] is the opening quote
		delete(d.mended, place{p.line, i + 1})
		if line[i] == '"' {
			break
		}
		if line[i] == '\\' && i+1 < len(line) {
			next := line[i+1]
			switch {
			case strings.ContainsRune(`\"/`, next):
				i++
				raw = append(raw, next)
				continue
			case strings.ContainsRune("xuU", next) && hexes(line[i+2:]) >= map[rune]int{'x': 2, 'u': 4, 'U': 8}[next]:
			default:
				bad = true
			}
		}
		raw = append(raw, line[i])
	}
	if !bad {
		return true
	}
	instead := "write it in single quotes: '…'"
	if !secret {
		instead = "write it in single quotes: " + cited(string(raw))
	}
	d.addAt(n, path, "a backslash in double quotes means something else in YAML", instead)
	return false
}

func hexes(r []rune) int {
	n := 0
	for n < len(r) && strings.ContainsRune("0123456789abcdefABCDEF", r[n]) {
		n++
	}
	return n
}
