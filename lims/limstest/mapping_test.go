package limstest_test

import (
	"fmt"
	"testing"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"

	"limsbridge/lims/limstest"
)

// written returns a YAML node as maps, lists and texts, the texts exactly as written: 001 is not 1.
func written(n ast.Node) any {
	switch n := n.(type) {
	case *ast.MappingNode:
		m := map[string]any{}
		for _, v := range n.Values {
			m[v.Key.GetToken().Value] = written(v.Value)
		}
		return m
	case *ast.MappingValueNode:
		return map[string]any{n.Key.GetToken().Value: written(n.Value)}
	case *ast.SequenceNode:
		var l []any
		for _, v := range n.Values {
			l = append(l, written(v))
		}
		return l
	}
	return n.GetToken().Value
}

// TestYAML: the fragment says what the values say.
func TestYAML(t *testing.T) {
	c := limstest.Mapping()
	f, err := parser.ParseBytes([]byte(c.YAML()), 0)
	if err != nil {
		t.Fatal(err)
	}
	tests := map[string]any{}
	for _, x := range c.Tests {
		results := map[string]any{}
		for _, r := range x.Results {
			m := map[string]any{"code": r.Code}
			if r.Unit != "" {
				m["unit"] = r.Unit
			}
			if r.Optional {
				m["optional"] = "true"
			}
			results[r.LIMS] = m
		}
		tests[x.Code] = map[string]any{"lims": x.LIMS, "results": results}
	}
	want := map[string]any{"status": map[string]any{"orders": c.Orders, "results": c.Results}, "tests": tests, "ignore": c.Ignore}
	if got := asJSON(t, written(f.Docs[0].Body)); got != asJSON(t, want) {
		t.Errorf("the YAML says\n%s\nthe values say\n%s", got, asJSON(t, want))
	}
}

// TestCodesAreUnambiguous: a LIMS test belongs to one WHOOP code, a result code to one observation
// of its test.
func TestCodesAreUnambiguous(t *testing.T) {
	seen := map[string]bool{}
	once := func(words ...any) {
		if k := fmt.Sprint(words...); seen[k] {
			t.Errorf("%s occurs twice", k)
		} else {
			seen[k] = true
		}
	}
	for _, x := range limstest.Mapping().Tests {
		once("test ", x.Code)
		for _, l := range x.LIMS {
			once("LIMS test ", l)
		}
		for _, r := range x.Results {
			once(x.Code, " LIMS result ", r.LIMS)
			once(x.Code, " observation ", r.Code)
		}
	}
}
