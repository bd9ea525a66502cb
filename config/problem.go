package config

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
)

// Kind says what a problem prevents.
type Kind int

// The kinds of problem.
const (
	Wrong    Kind = iota // nothing can begin with this file
	Unfilled             // a setting that must be there is not, or is empty
	NoSecret             // a secret cannot be had here
)

// Problem is one thing that is wrong with the file: where, what, and what to write instead. It
// never holds a secret: shown lines are cleared of them.
type Problem struct {
	Kind   Kind
	File   string // as it was asked for
	Line   int    // from 1; 0: the file as a whole
	Column int    // from 1, in characters
	Path   string // of the setting, e.g. tests.LIPID_PANEL.results.CHOL.unit; "" for the file
	What   string
	// Instead is what to write or type; may be empty, may have several lines.
	Instead string

	shown string // the line, cleared of secrets
	from  int    // where in shown the mark begins, in characters
	width int
}

// Problems is everything that is wrong, in the order of the file. As an error it prints them all.
type Problems []Problem

// Err returns the problems as an error, or nil where there are none.
func (p Problems) Err() error {
	if len(p) == 0 {
		return nil
	}
	return p
}

// Error prints all problems, as Write does without colour.
func (p Problems) Error() string {
	var b strings.Builder
	_ = p.Write(&b, false)
	return strings.TrimRight(b.String(), "\n")
}

// Without returns the problems that are not of this kind in this section ("" for every section):
// a command that does not need WHOOP's credentials goes on without them.
func (p Problems) Without(kind Kind, section string) Problems {
	return slices.DeleteFunc(slices.Clone(p), func(q Problem) bool {
		return q.Kind == kind && (section == "" || q.Path == section || strings.HasPrefix(q.Path, section+"."))
	})
}

// About returns the problems of one section.
func (p Problems) About(section string) Problems {
	return slices.DeleteFunc(slices.Clone(p), func(q Problem) bool { return q.Path != section && !strings.HasPrefix(q.Path, section+".") })
}

func (p Problems) sort() {
	slices.SortStableFunc(p, func(a, b Problem) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
}

// Write prints the problems for people, the way a compiler does, and ends with their number.
// With colour it uses ANSI sequences (ECMA-48, 8.3.117).
func (p Problems) Write(w io.Writer, colour bool) error {
	paint := func(code, text string) string {
		if !colour || text == "" {
			return text
		}
		return "\x1b[" + code + "m" + text + "\x1b[0m"
	}
	var b strings.Builder
	gutter := 0
	for _, q := range p {
		gutter = max(gutter, len(fmt.Sprint(q.Line)))
	}
	margin := strings.Repeat(" ", gutter+2)
	for _, q := range p {
		b.WriteString(paint("1", q.place()) + ": ")
		if q.Path != "" {
			b.WriteString(paint("1", q.Path) + ": ")
		}
		b.WriteString(paint("31", q.What) + "\n")
		if q.shown != "" {
			fmt.Fprintf(&b, "%s %*d | %s\n", "", gutter, q.Line, q.shown)
			mark := strings.Repeat(" ", q.from) + strings.Repeat("^", max(q.width, 1))
			b.WriteString(margin + "| " + paint("31", mark) + "\n")
		}
		if q.Instead != "" {
			for i, line := range strings.Split(q.Instead, "\n") {
				lead := "= "
				if i > 0 {
					lead = "  "
				}
				b.WriteString(margin + lead + paint("36", line) + "\n")
			}
		}
		b.WriteString("\n")
	}
	switch len(p) {
	case 0:
	case 1:
		fmt.Fprintf(&b, "1 problem in %s\n", p[0].File)
	default:
		fmt.Fprintf(&b, "%d problems in %s\n", len(p), p[0].File)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// place is file:line:column, as editors and terminals make it a link.
func (q Problem) place() string {
	if q.Line == 0 {
		return q.File
	}
	return fmt.Sprintf("%s:%d:%d", q.File, q.Line, q.Column)
}

// String is the problem in one line, without the shown line.
func (q Problem) String() string {
	s := q.place() + ": "
	if q.Path != "" {
		s += q.Path + ": "
	}
	s += q.What
	if q.Instead != "" {
		s += "; " + strings.ReplaceAll(q.Instead, "\n", "; ")
	}
	return s
}
