package lims

import (
	"context"
	"encoding/json"
	"errors"
	"regexp"
	"strings"
	"time"
)

// Step is how a query reaches one table.
type Step struct {
	Table string // as the plan names it
	Index string // through which; "" where through none
	Whole bool   // all of the table (or index) is gone through
	Rows  string // of the table, where the plan tells; "" where not
	// MakeIndex is the statement with which a DBA would make the index that is missing, where the
	// plan compares one bare column of the table with the cursor; "" where none would help.
	MakeIndex string
}

// Plan asks the database how a poll from an instant on would run, without running it.
func (r *Reader) Plan(ctx context.Context, s Source, since time.Time) ([]Step, error) {
	src, st, err := r.since(ctx, s, since)
	if err != nil {
		return nil, err
	}
	a, err := r.inspect(ctx, s, r.d.explained(st, src.changed)...)
	var left *LeftOut
	if needs := r.d.needs(); errors.As(err, &left) && needs.Reason != "" {
		return nil, &needs
	}
	if err != nil {
		return nil, err
	}
	return r.d.steps(a), nil
}

// compared finds the bare column that a condition compares with the cursor, as in
// (t.changed_on >= '…'). It matches no expression, whose comparison follows a bracket.
var compared = regexp.MustCompile("(?:^|\\(|AND |and )(?:[\"`\\[]?[\\w$ ]+[\"`\\]]?\\.)*[\"`\\[]?([\\w$]+)[\"`\\]]?(?: as (?:\\[[\\w$ ]+\\]\\.)*\\[[\\w$ ]+\\])? ?>= ?")

// computed are the names that SQL Server's plans give what they compute, which is no column of a table.
var computed = regexp.MustCompile(`^(?:Union|Expr|ConstExpr|Bmk|Chk|globalagg|partialagg)[0-9]+$`)

// comparedColumn returns that column, or "".
func comparedColumn(condition string) string {
	m := compared.FindStringSubmatch(condition)
	if len(m) < 2 || computed.MatchString(m[1]) {
		return ""
	}
	return m[1]
}

// eachObject calls f with the texts and numbers of every object of a plan in JSON, inner ones first.
// MariaDB writes several members of one name into an object, so that it is read by its tokens.
func eachObject(a answer, f func(map[string]string)) {
	for _, plan := range a.last() {
		d := json.NewDecoder(strings.NewReader(plan))
		d.UseNumber()
		if t, err := d.Token(); err == nil {
			walkJSON(d, t, f)
		}
	}
}

// walkJSON reads the value that a token begins, and returns it if it is a text or a number.
func walkJSON(d *json.Decoder, t json.Token, f func(map[string]string)) string {
	switch t := t.(type) {
	case string:
		return t
	case json.Number:
		return t.String()
	case json.Delim:
		members := map[string]string{}
		for d.More() {
			name := ""
			next, err := d.Token()
			if err == nil && t == '{' {
				name, _ = next.(string)
				next, err = d.Token()
			}
			if err != nil {
				return ""
			}
			if v := walkJSON(d, next, f); name != "" {
				members[name] = v
			}
		}
		if _, err := d.Token(); err == nil && t == '{' {
			f(members)
		}
	}
	return ""
}
