package lims

import (
	"fmt"
	"slices"
	"strings"
)

// wrap makes a derived table of the user's query, or says by name what cannot be one and how to
// rewrite it. What it refuses is what at least one of the databases refuses, or what would not be
// one plain SELECT: the check is there to tell people early and alike, not to stop an attacker, who
// would have to be the lab's own IT.
func wrap(s Source, x syntax, text string, view bool) (from string, warnings []string, err error) {
	tokens, problem := x.tokens(text)
	if problem == "" && len(tokens) == 0 {
		problem = "is empty: write one SELECT"
	}
	if problem == "" && view {
		problem = viewProblem(tokens)
	}
	if problem == "" && !view {
		text, problem = selectProblem(x, text, tokens)
	}
	if problem != "" {
		what := "the SELECT"
		if view {
			what = "the view's name"
		}
		return "", nil, misfit(s, "%s: %s", what, problem)
	}
	for _, t := range tokens {
		if t.kind == word && (t.text == "NOLOCK" || t.text == "READUNCOMMITTED") {
			warnings = append(warnings, "the SELECT reads with "+t.text+": it may show results that are rolled back later: leave it out")
			break
		}
	}
	return x.derived(strings.TrimSpace(text), view), warnings, nil
}

// viewProblem says why the tokens are no name such as schema.view, or "".
func viewProblem(tokens []token) string {
	for i, t := range tokens {
		name := t.kind == word || t.kind == quoted
		if (i%2 == 0) != name || (i%2 == 1 && t.text != ".") {
			return "is no name such as schema.view: a SELECT belongs into a file (orders_sql, results_sql), and a name with blanks into the database's quotation marks"
		}
	}
	if len(tokens)%2 == 0 || len(tokens) > 7 {
		return "is no name such as schema.view"
	}
	return ""
}

// selectProblem says why the tokens are no plain SELECT; it returns the text without its last semicolon.
func selectProblem(x syntax, text string, tokens []token) (string, string) {
	if last := tokens[len(tokens)-1]; last.text == ";" && last.kind == sign {
		text = text[:last.at]
		if tokens = tokens[:len(tokens)-1]; len(tokens) == 0 {
			return "", "is empty: write one SELECT"
		}
	}
	first := slices.IndexFunc(tokens, func(t token) bool { return t.text != "(" })
	switch {
	case first < 0 || tokens[first].kind != word:
		return "", "does not begin with SELECT"
	case tokens[first].text == "WITH":
		return "", "begins with WITH, which cannot stand inside another query everywhere: put it into a view, or write each WITH query as (SELECT …) AS name behind FROM"
	case tokens[first].text != "SELECT":
		return "", "begins with " + tokens[first].text + ": write one SELECT"
	}
	top := func(w string) bool { // is there such a word outside of all brackets?
		return slices.ContainsFunc(tokens, func(t token) bool { return t.kind == word && t.depth == 0 && t.text == w })
	}
	for i, t := range tokens {
		next := ""
		if i+1 < len(tokens) {
			next = tokens[i+1].text
		}
		switch {
		case t.kind == sign && t.text == ";":
			return "", "holds a ; before its end: write one SELECT only"
		case t.kind == sign && t.text == "?" && x.placeholder:
			return "", "holds a ?, which would be a parameter: write the value itself"
		case t.kind == sign && t.text == ":" && x.binds && i+1 < len(tokens) && tokens[i+1].at == t.at+1 && tokens[i+1].kind != sign:
			return "", "holds :" + tokens[i+1].text + ", which would be a parameter: write the value itself"
		case t.kind != word || t.depth > 0:
		case t.text == "INTO":
			return "", "holds INTO, which writes: leave it out"
		case t.text == "OPTION" && next == "(":
			return "", "ends with OPTION (…), which belongs to the outermost query: leave it out"
		case t.text == "FOR" && slices.Contains([]string{"UPDATE", "SHARE", "NO", "KEY", "XML", "JSON", "BROWSE"}, next):
			return "", "holds FOR " + next + ": leave it out, the bridge reads rows and locks none"
		case t.text == "LOCK" && next == "IN":
			return "", "holds LOCK IN SHARE MODE: leave it out, the bridge locks no rows"
		case t.text == "ORDER" && next == "BY" && !top("TOP") && !top("OFFSET") && !top("LIMIT") && !top("FETCH"):
			return "", "holds ORDER BY, which cannot stand inside another query: leave it out, the bridge orders by changed_at and row_id"
		}
	}
	return text, namesProblem(x, tokens[first:])
}

// namesProblem says which columns of a SELECT list have no name or the same one, or "".
func namesProblem(x syntax, tokens []token) string {
	depth := tokens[0].depth
	var names []string
	var item []token
	number := 1
	check := func() string {
		name, ok := columnName(item)
		switch {
		case !ok && x.named:
			return fmt.Sprintf("column %d has no name: write AS and a name behind it", number)
		case ok && name != "" && slices.ContainsFunc(names, func(n string) bool { return strings.EqualFold(n, name) }):
			return fmt.Sprintf("two columns are named %s: leave one out, or give it another name with AS", name)
		}
		if ok {
			names = append(names, name)
		}
		number++
		item = nil
		return ""
	}
	for _, t := range skipHead(tokens[1:]) {
		switch {
		case t.depth == depth && t.kind == word && slices.Contains([]string{"FROM", "UNION", "EXCEPT", "INTERSECT", "WHERE", "INTO"}, t.text),
			t.depth < depth:
			return check()
		case t.depth == depth && t.kind == sign && t.text == ",":
			if p := check(); p != "" {
				return p
			}
		default:
			item = append(item, t)
		}
	}
	return check()
}

// skipHead leaves out DISTINCT, ALL and TOP (n) PERCENT WITH TIES at the beginning of a list.
func skipHead(tokens []token) []token {
	for len(tokens) > 0 {
		switch t := tokens[0]; {
		case t.kind == word && (t.text == "DISTINCT" || t.text == "ALL" || t.text == "PERCENT"):
			tokens = tokens[1:]
		case t.kind == word && t.text == "WITH" && len(tokens) > 1 && tokens[1].text == "TIES":
			tokens = tokens[2:]
		case t.kind == word && t.text == "TOP" && len(tokens) > 1:
			tokens = tokens[1:]
			if tokens[0].text != "(" {
				tokens = tokens[1:]
				break
			}
			end := slices.IndexFunc(tokens[1:], func(u token) bool { return u.text == ")" && u.depth == tokens[0].depth })
			tokens = tokens[end+2:]
		default:
			return tokens
		}
	}
	return tokens
}

// columnName returns the name under which one item of a SELECT list appears: "" for *, false for none.
func columnName(item []token) (name string, ok bool) {
	n := len(item)
	if n == 0 {
		return "", false
	}
	last := item[n-1]
	switch {
	case last.text == "*" && (n == 1 || item[n-2].text == "."):
		return "", true
	case n >= 2 && item[1].text == "=" && item[0].kind != sign && item[0].kind != literally: // SQL Server: name = value
		return item[0].name, true
	case n >= 2 && item[n-2].kind == word && item[n-2].text == "AS":
		if last.kind == literally {
			return strings.Trim(last.text, "'"), true
		}
		return last.name, last.name != ""
	case last.kind == sign || last.kind == literally:
		return "", false
	case n == 1 || item[n-2].text == ".": // a column, by its own name
		return last.name, isPath(item)
	case last.kind == word && slices.Contains([]string{"END", "NULL", "TRUE", "FALSE"}, last.text):
		return "", false // CASE … END is no name
	}
	// value name: what stands before the name ends a value
	before := item[n-2]
	if before.kind != sign || before.text == ")" {
		return last.name, !slices.Contains(operators, before.text)
	}
	return "", false
}

var operators = []string{"AND", "OR", "NOT", "LIKE", "IS", "IN", "BETWEEN", "THEN", "ELSE", "WHEN", "COLLATE", "DIV", "MOD", "ZONE"}

// isPath reports whether the tokens are names joined by points.
func isPath(item []token) bool {
	for i, t := range item {
		if (i%2 == 1) != (t.text == "." && t.kind == sign) {
			return false
		}
	}
	return len(item)%2 == 1
}
