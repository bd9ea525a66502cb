package config

import (
	"bytes"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"
)

// source is the text of the file, and which parts of it are never shown.
type source struct {
	name    string
	text    []byte // as it is parsed
	lines   [][]rune
	private map[int][]span // by line, from 1
	// unread says that the text could not be parsed, so that only what is known to be harmless is shown.
	unread bool
}

// span is a part of a line: from its first character (from 0) up to, not including, to.
type span struct{ from, to int }

const toEnd = 1 << 20

func newSource(name string, text []byte) *source {
	s := &source{name: name, text: text, private: map[int][]span{}}
	for line := range strings.SplitSeq(string(text), "\n") {
		s.lines = append(s.lines, []rune(strings.TrimSuffix(line, "\r")))
	}
	return s
}

// hide keeps a part of the file out of everything that is shown. A text of several lines hides
// them whole.
func (s *source) hide(line, column, width, lines int) {
	if lines <= 1 {
		s.private[line] = append(s.private[line], span{column - 1, column - 1 + width})
		return
	}
	s.private[line] = append(s.private[line], span{column - 1, toEnd})
	for l := line + 1; l < line+lines; l++ {
		s.private[l] = append(s.private[l], span{0, toEnd})
	}
}

// problem makes a problem that shows its line with a mark of one character.
func (s *source) problem(line, column int, what, instead string) Problem {
	p := Problem{File: s.name, Line: line, Column: column, What: what, Instead: instead, width: 1}
	p.show(s)
	return p
}

// show fills in the line as it may be shown: hidden parts are one ellipsis each, tabs are arrows,
// and a long line is cut around the mark.
func (p *Problem) show(s *source) {
	if p.Line < 1 || p.Line > len(s.lines) {
		return
	}
	line := s.lines[p.Line-1]
	for i, r := range line {
		if r == '#' && i >= p.Column && (i == 0 || line[i-1] == ' ' || line[i-1] == '\t') {
			line = line[:i] // comments are not shown: they hold yesterday's passwords
			break
		}
	}
	hidden := slices.Concat(s.private[p.Line], s.guessed(p.Line))
	var out []rune
	from, to := p.Column-1, p.Column-1+max(p.width, 1)
	mark := span{-1, -1}
	for i, r := range line {
		in := slices.IndexFunc(hidden, func(h span) bool { return h.from <= i && i < h.to })
		first := in >= 0 && (i == 0 || !slices.ContainsFunc(hidden, func(h span) bool { return h.from <= i-1 && i-1 < h.to }))
		if in < 0 || first {
			if i >= from && mark.from < 0 {
				mark.from = len(out)
			}
			switch {
			case first:
				out = append(out, '…')
			case r == '\t':
				out = append(out, '→')
			case r < ' ' || r == 0x7f || r >= 0x80 && r < 0xa0 || r == '\u2028' || r == '\u2029' || r >= '\u202a' && r <= '\u202e':
				out = append(out, '·')
			default:
				out = append(out, r)
			}
		}
		if i >= from && i < to {
			if mark.from < 0 {
				mark.from = max(len(out)-1, 0)
			}
			mark.to = len(out)
		}
	}
	if mark.from < 0 {
		mark.from = len(out)
	}
	p.from, p.width = mark.from, max(mark.to-mark.from, 1)
	p.shown = strings.TrimRight(string(p.cut(out)), " ")
}

const shownAtMost = 100

// cut shortens a line that would not fit, around the mark.
func (p *Problem) cut(line []rune) []rune {
	p.width = min(p.width, shownAtMost/2)
	if len(line) <= shownAtMost {
		return line
	}
	begin := max(0, min(p.from-shownAtMost/3, len(line)-shownAtMost))
	end := min(len(line), begin+shownAtMost)
	out := slices.Clone(line[begin:end])
	p.from -= begin
	if begin > 0 {
		out[0] = '…'
	}
	if end < len(line) {
		out[len(out)-1] = '…'
	}
	return out
}

var (
	// smells finds what may come before a secret: a key or word that sounds like one.
	smells    = regexp.MustCompile(`(?i)pas*w|pwd|pass|secret|token|credential|private|api.?key`)
	reference = regexp.MustCompile(`^(["']?(?:secret|file|env):[\w./\\-]+["']?)\s*(?:[,}#].*)?$`)
	userinfo  = regexp.MustCompile(`://[^\s]*@`)
	// named finds the names of settings in a line; oneSetting the one that a line begins with.
	named      = regexp.MustCompile(`([\pL\pN_.-]+)["']?\s*:(?:\s|$)`)
	oneSetting = regexp.MustCompile(`^\s*(?:- )?([a-z_]+):`)
)

// guessed returns the parts of a line that may be private whatever the tree says: the password of
// a URL, what follows a word that sounds like a secret, and what follows a name that is no setting
// (it may be a misspelt one). References to secrets may be shown.
func (s *source) guessed(line int) []span {
	text := string(s.lines[line-1])
	at := func(b int) int { return utf8.RuneCountInString(text[:b]) }
	var spans []span
	for _, m := range userinfo.FindAllStringIndex(text, -1) {
		spans = append(spans, span{at(m[0]) + 3, at(m[1]) - 1})
	}
	upTo := 0 // what is checked already
	for _, m := range smells.FindAllStringIndex(text, -1) {
		begin, end := m[0], m[1]
		if begin < upTo {
			continue
		}
		for begin > 0 && wordly(text[begin-1]) {
			begin--
		}
		for end < len(text) && wordly(text[end]) {
			end++
		}
		name := text[begin:end]
		if openKeys()[name] {
			continue
		}
		if r := reference.FindStringSubmatchIndex(text[begin:]); r != nil {
			upTo = begin + r[3]
			continue
		}
		if !secretKeys()[name] {
			spans = append(spans, span{at(m[1]), toEnd})
			break
		}
		rest := strings.TrimLeft(text[end:], `"': `)
		r := reference.FindStringSubmatchIndex(rest)
		if r == nil {
			spans = append(spans, span{at(len(text) - len(rest)), toEnd})
			break
		}
		upTo = len(text) - len(rest) + r[3]
	}
	if !s.codes(line) {
		if from, harmless := s.harmless(text); !harmless {
			spans = append(spans, span{at(from), toEnd})
		}
	}
	return spans
}

func wordly(b byte) bool {
	return b == '_' || b == '-' || b == '.' || b >= '0' && b <= '9' || b|0x20 >= 'a' && b|0x20 <= 'z' || b >= 0x80
}

// codes reports whether a line is one of those that hold codes and words of the lab: what a name
// in the first column begins, up to the next.
func (s *source) codes(line int) bool {
	for l := line; l > 0; l-- {
		text := string(s.lines[l-1])
		if text == "" || strings.ContainsRune(" \t#-]}", rune(text[0])) {
			continue
		}
		name, _, ok := strings.Cut(text, ":")
		return ok && slices.Contains(codeSections, name)
	}
	return false
}

// harmless says whether a line may be shown whole, because all that it sets are settings that are
// known and not secret; else from where it may not. Of a file that could not be parsed only lines
// with one known setting and a plain value are shown whole.
func (s *source) harmless(text string) (int, bool) {
	if s.unread {
		m := oneSetting.FindStringSubmatchIndex(text)
		switch {
		case m == nil:
			return len(text) - len(strings.TrimLeft(text, " \t")), strings.TrimSpace(text) == ""
		case !openKeys()[text[m[2]:m[3]]] || strings.ContainsAny(text[m[3]+1:], ":{}[],|>&*?"):
			return m[3] + 1, false
		}
		return 0, true
	}
	for _, k := range named.FindAllStringSubmatchIndex(text, -1) {
		name := text[k[2]:k[3]]
		// What follows a secret setting is not all its value where a character breaks the line for YAML.
		plain := !secretKeys()[name] || reference.MatchString(strings.TrimSpace(text[k[1]:]))
		if !plain || !openKeys()[name] && !secretKeys()[name] {
			return k[1], false
		}
	}
	return 0, true
}

// prepare makes what people save into what can be parsed: it takes off a byte order mark, and
// names every other encoding with its cure. The text keeps its length in characters, so that
// places stay right.
func prepare(name string, raw []byte) (*source, Problems) {
	whole := func(what, instead string) (*source, Problems) {
		return nil, Problems{{File: name, What: what, Instead: instead}}
	}
	const saveAs = "save it as UTF-8 (Notepad: File, Save as, Encoding: UTF-8)"
	switch {
	case bytes.HasPrefix(raw, []byte{0xff, 0xfe}), bytes.HasPrefix(raw, []byte{0xfe, 0xff}):
		return whole("the file is UTF-16, which is not read", saveAs)
	case bytes.IndexByte(raw, 0) >= 0:
		return whole("the file holds zero bytes: it is UTF-16 without its mark, or no text at all", saveAs)
	}
	raw = bytes.TrimPrefix(raw, []byte("\xef\xbb\xbf"))
	text := bytes.ToValidUTF8(raw, []byte("?"))
	s := newSource(name, text)
	var problems Problems
	if !utf8.Valid(raw) {
		line, column := firstInvalid(raw)
		problems = append(problems, s.problem(line, column,
			"a character that is not UTF-8: the file was saved in an older Windows encoding", saveAs))
	}
	return s, problems
}

func firstInvalid(raw []byte) (line, column int) {
	line, column = 1, 1
	for len(raw) > 0 {
		r, size := utf8.DecodeRune(raw)
		if r == utf8.RuneError && size == 1 {
			return line, column
		}
		if column++; r == '\n' {
			line, column = line+1, 1
		}
		raw = raw[size:]
	}
	return line, column
}

// tabs finds the lines that are indented with tabs, which YAML forbids.
func (s *source) tabs() Problems {
	var found []int
	for i, l := range s.lines {
		indent := strings.TrimLeft(string(l), " ")
		if strings.HasPrefix(indent, "\t") && strings.TrimSpace(indent) != "" && !strings.HasPrefix(strings.TrimSpace(indent), "#") {
			found = append(found, i+1)
		}
	}
	if len(found) == 0 {
		return nil
	}
	column := len(string(s.lines[found[0]-1])) - len(strings.TrimLeft(string(s.lines[found[0]-1]), " ")) + 1
	what := "this line is indented with a tab, which YAML does not allow"
	if n := len(found) - 1; n > 0 {
		what += fmt.Sprintf(" (and %d more: %s)", n, numbers(found[1:]))
	}
	return Problems{s.problem(found[0], column, what, "indent with spaces; most editors can convert tabs to spaces")}
}

// numbers lists line numbers, at most a dozen.
func numbers(lines []int) string {
	var b strings.Builder
	word := "line "
	if len(lines) > 1 {
		word = "lines "
	}
	b.WriteString(word)
	for i, l := range lines {
		if i == 12 {
			b.WriteString(", …")
			break
		}
		if i > 0 {
			b.WriteString(", ")
		}
		fmt.Fprint(&b, l)
	}
	return b.String()
}
