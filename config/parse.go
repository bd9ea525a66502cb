package config

import (
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
)

// place is a character of the file, both from 1.
type place struct{ line, column int }

// mends are the characters that were replaced, each by one other, so that parsing could go on
// and the other problems could be told in the same go. The settings that hold them are problems.
type mends map[place]rune

// mostMends bounds how often parsing is begun again.
const mostMends = 500

// parse returns the tree of the file. What YAML refuses but a person obviously meant as text (a
// value that begins with %, a backslash in double quotes) is mended for the moment.
func (s *source) parse() (ast.Node, mends, Problems) {
	mended := mends{}
	lines := make([][]rune, len(s.lines))
	for i, l := range s.lines {
		lines[i] = append([]rune(nil), l...)
		if rest := strings.TrimSpace(string(l)); rest == "" || rest[0] == '#' {
			// Tabs before a comment are good YAML; the parser does not think so.
			lines[i] = []rune(strings.ReplaceAll(string(l), "\t", " "))
		}
	}
	for {
		var text strings.Builder
		for i, l := range lines {
			if i > 0 {
				text.WriteByte('\n')
			}
			text.WriteString(string(l))
		}
		file, at, message := tryParse(text.String())
		if file != nil {
			node, problems := s.single(file)
			return node, mended, problems
		}
		if len(mended) < mostMends && mend(lines, at, mended) {
			continue
		}
		s.unread = true
		return nil, mended, Problems{s.syntax(at, message)}
	}
}

// tryParse returns the tree, or where and why there is none. A parser that breaks down is a file
// that cannot be read.
func tryParse(text string) (file *ast.File, at place, message string) {
	at = place{1, 1}
	defer func() {
		if recover() != nil {
			file, message = nil, "it is not YAML"
		}
	}()
	file, err := parser.ParseBytes([]byte(text), 0, parser.AllowDuplicateMapKey())
	if err == nil {
		return file, at, ""
	}
	message = "it is not YAML"
	if syntax, ok := errors.AsType[yaml.Error](err); ok {
		message = syntax.GetMessage()
		if t := syntax.GetToken(); t != nil && t.Position != nil {
			at = place{max(t.Position.Line, 1), max(t.Position.Column, 1)}
		}
	}
	return nil, at, message
}

// mend replaces one character at or just before the place of an error, if a person obviously
// meant it as text.
func mend(lines [][]rune, at place, mended mends) bool {
	if at.line > len(lines) {
		return false
	}
	line := lines[at.line-1]
	replace := func(column int, by rune) bool {
		mended[place{at.line, column}] = line[column-1]
		line[column-1] = by
		return true
	}
	for _, c := range []int{at.column - 1, at.column} {
		if c >= 1 && c <= len(line) && line[c-1] == '\\' {
			return replace(c, '/')
		}
	}
	c := at.column
	if c <= len(line) && strings.ContainsRune("%@`*&!", line[c-1]) &&
		c > 1 && strings.ContainsRune(" \t{[,:-", line[c-2]) {
		return replace(c, 'x')
	}
	return false
}

// single returns the one document of the file; nil for an empty one.
func (s *source) single(file *ast.File) (ast.Node, Problems) {
	var root ast.Node
	for _, doc := range file.Docs {
		if doc.Body == nil {
			continue
		}
		if root != nil {
			at := start(doc.Body)
			return root, Problems{s.problem(at.line, at.column, "a second document begins here, after ---; only one is read",
				"remove the line --- and what follows it, or merge it into the first")}
		}
		root = doc.Body
	}
	return root, nil
}

var (
	noSpace  = regexp.MustCompile(`^(\s*(?:- )?[\w-]+):([^\s/\\].*)$`)
	twoColon = regexp.MustCompile(`^(\s*(?:- )?[\w-]+:\s+)([^'"{\[|>#\s][^#]*:\s.*?)\s*$`)
)

// syntax explains an error of YAML itself, as far as the line tells what was meant.
func (s *source) syntax(at place, message string) Problem {
	what := "this cannot be read as YAML"
	line := ""
	if at.line <= len(s.lines) {
		line = string(s.lines[at.line-1])
	}
	next := ""
	if at.line < len(s.lines) {
		next = string(s.lines[at.line])
	}
	rest := ""
	if r := []rune(line); at.column <= len(r) {
		rest = string(r[at.column-1:])
	}
	instead := ""
	switch {
	case strings.HasPrefix(rest, "'") || strings.HasPrefix(rest, `"`):
		what = "this quote is not closed"
		instead = "close it on the same line; inside single quotes a quote is written twice: 'it''s'"
	case noSpace.MatchString(line):
		instead = "write a space after the colon: " + strings.TrimSpace(noSpace.FindStringSubmatch(line)[1]) + ": …"
	case noSpace.MatchString(next):
		instead = fmt.Sprintf("line %d: write a space after the colon: %s: …", at.line+1, strings.TrimSpace(noSpace.FindStringSubmatch(next)[1]))
	case twoColon.MatchString(line):
		instead = "a value with a colon and a space in it must be in single quotes: '…: …'"
	case strings.ContainsAny(message, "]}"):
		instead = "a bracket is opened and not closed in this line or above it: { needs }, [ needs ]"
	case indent(next) > indent(line) && strings.Contains(next, ":"):
		instead = fmt.Sprintf("line %d is indented deeper than the setting before it, which has a value already: begin both in the same column", at.line+1)
	default:
		what += ": " + cleaned(message)
		instead = "begin all settings of one section in the same column, with spaces, and put odd characters in single quotes"
	}
	return s.problem(at.line, at.column, what, instead)
}

var quotedPart = regexp.MustCompile(`(?s)["'].{2,}["']|:.*`)

// cleaned is the parser's message without what it may have copied from the file.
func cleaned(message string) string {
	return strings.TrimSpace(quotedPart.ReplaceAllString(message, ""))
}

func indent(line string) int { return len(line) - len(strings.TrimLeft(line, " ")) }
