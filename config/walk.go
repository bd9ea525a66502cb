package config

import (
	"fmt"
	"slices"
	"strings"

	"github.com/goccy/go-yaml/ast"
)

// join makes the path of a member. Names with dots or spaces are quoted.
func join(path, name string) string {
	if name == "" || strings.ContainsAny(name, ". \t\"':") {
		name = `"` + name + `"`
	}
	if path == "" {
		return name
	}
	return path + "." + name
}

// members calls f for each member of a map whose name can be read and does not stand twice.
func (d *decoder) members(n ast.Node, path string, f func(v value)) {
	list, ok := pairs(n)
	if !ok {
		d.hide(n)
		d.addAt(n, path, "a section belongs here: its settings one below the other, each indented with spaces", "")
		return
	}
	first := map[string]place{}
	for _, m := range list {
		name, ok := d.scalar(m.Key, path, !codes(path))
		if !ok {
			d.hide(m.Value)
			continue
		}
		v := value{path: join(path, name), name: name, key: m.Key, node: m.Value}
		if before, twice := first[name]; twice {
			if smells.MatchString(name) {
				d.hide(m.Value)
			}
			d.addAt(m.Key, v.path, fmt.Sprintf("stands twice, first in line %d", before.line), "keep one of the two")
			continue
		}
		first[name] = start(m.Key)
		if name == "" {
			d.hide(m.Value)
			d.addAt(m.Key, path, "a name is missing before the colon", "")
			continue
		}
		f(v)
	}
}

// section reads a map whose members are settings.
func (d *decoder) section(n ast.Node, path string, settings []setting) {
	d.members(n, path, func(v value) {
		i := slices.IndexFunc(settings, func(s setting) bool { return s.name == v.name })
		if i < 0 {
			d.unknown(v, path, settings)
			return
		}
		d.take(v, settings[i])
	})
}

// take reads one known setting.
func (d *decoder) take(v value, s setting) {
	d.at[v.path] = v
	switch {
	case s.sub != nil:
		if !empty(v.node) {
			d.section(v.node, v.path, s.sub)
		}
		return
	case s.tree:
		if !empty(v.node) {
			s.read(d, v)
		}
		return
	}
	if s.secret {
		d.hideSecret(v.node)
	}
	text, ok := d.scalar(v.node, v.path, s.secret)
	if !ok {
		return
	}
	if v.text = text; text != "" {
		d.at[v.path] = v
		s.read(d, v)
		return
	}
	v.node = nil
	d.at[v.path] = v
	if def, ok := defaultOf(v.path); ok && def != "" {
		d.add(v, "nothing is written here", "write a value, or remove the line: the default is "+def)
	}
}

// hideSecret hides a value unless it is a mere reference to a secret.
func (d *decoder) hideSecret(n ast.Node) {
	if s, ok := text(n); ok && reference.MatchString(s) {
		return
	}
	d.hide(n)
}

// unknown explains a name that is no setting. Its value is never shown: it may be a misspelt
// password.
func (d *decoder) unknown(v value, path string, settings []setting) {
	name := v.name
	d.hide(v.node)
	var known []string
	for _, s := range settings {
		known = append(known, s.name)
	}
	var elsewhere, all []string
	full := map[string]string{}
	each(d.top, "", func(p string, s setting) {
		all = append(all, s.name)
		full[s.name] = p
		if p == name || strings.HasSuffix(p, "."+name) {
			elsewhere = append(elsewhere, p)
		}
	})
	if !plainName.MatchString(name) || !d.src.colon(v.key) || smells.MatchString(name) && nearest(name, all) == "" {
		d.hide(v.key)
		d.addAt(v.key, path, "this is not the name of a setting", "known here: "+names(settings))
		return
	}
	guess := nearest(name, known)
	if other := synonyms[plain(name)]; guess == "" && slices.Contains(known, other) {
		guess = other
	}
	instead := "known here: " + names(settings)
	switch {
	case strings.Trim(name, "0123456789") == "":
		instead = "a number is written without commas: 1000"
	case guess != "":
		instead = "did you mean " + guess + "?"
	case len(elsewhere) == 1 && strings.Contains(elsewhere[0], "."):
		instead = fmt.Sprintf("it belongs under %s:", elsewhere[0][:strings.LastIndex(elsewhere[0], ".")])
	case len(elsewhere) == 1:
		instead = "it belongs at the top level, not indented"
	case len(elsewhere) > 1:
		instead = "it belongs to " + strings.Join(elsewhere, " or ")
	case full[nearest(name, all)] != "":
		instead = "did you mean " + full[nearest(name, all)] + "?"
	}
	d.addAt(v.key, v.path, "unknown setting", instead)
}

// codes reports whether the members at a path are the lab's own codes and words.
func codes(path string) bool {
	top, _, _ := strings.Cut(path, ".")
	return slices.Contains(codeSections, top)
}

// codeSections hold codes and words of the lab, which are no secrets.
var codeSections = []string{"tests", "status", "ignore", "no_value"}

// colon reports whether a name is followed by its colon. What is not may be a value that slipped.
func (s *source) colon(key ast.Node) bool {
	p := start(key)
	line := s.lines[min(p.line, len(s.lines))-1]
	rest := strings.TrimLeft(string(line[min(p.column-1+s.width(key), len(line)):]), " \t")
	return strings.HasPrefix(rest, ":")
}

// names lists settings for a message.
func names(settings []setting) string {
	var n []string
	for _, s := range settings {
		n = append(n, s.name)
	}
	slices.Sort(n)
	return folded(n, 84)
}

// folded lists words in lines of about that width.
func folded(words []string, width int) string {
	var b strings.Builder
	used := 0
	for i, w := range words {
		if i > 0 {
			b.WriteString(",")
			if used += len(w) + 2; used > width {
				b.WriteString("\n")
				used = len(w)
			} else {
				b.WriteString(" ")
			}
		} else {
			used = len(w) + 12
		}
		b.WriteString(w)
	}
	return b.String()
}

// each visits every setting with its path.
func each(settings []setting, path string, f func(path string, s setting)) {
	for _, s := range settings {
		p := join(path, s.name)
		f(p, s)
		each(s.sub, p, f)
	}
}
