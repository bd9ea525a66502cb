package oratest

import (
	"errors"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// Result is an answer: nil Columns are no rows, but done.
type Result struct {
	Columns []Column
	Rows    [][]any // values as tables keep them: nil, string, []byte, float64
}

// answer is an answer that a test gave the server.
type answer struct {
	text string
	res  Result
}

// Answer has the server answer every statement that holds the text with the result, from now on.
func (s *Server) Answer(text string, res Result) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.answers = append(s.answers, answer{text, res})
}

func (s *Server) answer(text string) (Result, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, a := range s.answers {
		if strings.Contains(text, a.text) {
			return a.res, true
		}
	}
	return Result{}, false
}

// run answers a statement of a reader.
func (c *session) run(st Statement) (Result, error) {
	if res, ok := c.server.answer(st.Text); ok {
		return res, nil
	}
	res, err := c.understand(st)
	var told Error
	if err != nil && !errors.As(err, &told) {
		c.server.t.Errorf("oratest: the reader sent %v:\n%s", err, st.Text)
		return res, Error{Code: 900, Message: "invalid SQL statement"}
	}
	return res, err
}

func (c *session) understand(st Statement) (Result, error) {
	if strings.HasPrefix(st.Text, "ALTER SESSION ") {
		return Result{}, c.alter(st.Text)
	}
	if row, ok := c.dual(st.Text); ok {
		res := Result{Rows: [][]any{row}}
		for range row {
			res.Columns = append(res.Columns, Column{"EXPRESSION", text4000})
		}
		return res, nil
	}
	q, err := parseQuery(st.Text)
	if err != nil {
		return Result{}, err
	}
	for _, name := range needed {
		if !c.asked[name] {
			return Result{}, errors.New("a query before its session was set up: " + name)
		}
	}
	t, err := c.server.look(q.table)
	if err != nil {
		return Result{}, err
	}
	return q.run(t, c, st.Params)
}

var missingRight = regexp.MustCompile(`^SELECT 'GRANT READ ON ' \|\| '((?:[^']|'')*)' \|\| ' TO "' \|\| USER \|\| '";' FROM DUAL$`)

// dual answers what is asked about session and server.
func (c *session) dual(text string) (row []any, ok bool) {
	user := strings.ToUpper(c.login.User)
	if m := missingRight.FindStringSubmatch(text); m != nil {
		return []any{"GRANT READ ON " + strings.ReplaceAll(m[1], "''", "'") + ` TO "` + user + `";`}, true
	}
	switch text {
	case `SELECT TO_CHAR(SYS_EXTRACT_UTC(SYSTIMESTAMP), 'YYYY-MM-DD HH24:MI:SS.FF9"Z"') FROM DUAL`:
		list, _ := model(`YYYY-MM-DD HH24:MI:SS.FF9"Z"`, Type{Name: "TIMESTAMP"})
		return []any{write(list, c.server.now().Truncate(time.Microsecond))}, true
	case "SELECT USER, SYS_CONTEXT('USERENV', 'SERVICE_NAME'), (SELECT MAX(PRODUCT || ' ' || VERSION) FROM PRODUCT_COMPONENT_VERSION WHERE PRODUCT LIKE 'Oracle%') FROM DUAL":
		return []any{user, c.login.Service, "Oracle Database 19c Enterprise Edition 19.0.0.0.0"}, true
	case `SELECT '"' || USER || '"' FROM DUAL`:
		return []any{`"` + user + `"`}, true
	case "SELECT CASE LOWER(SYS_CONTEXT('USERENV', 'NETWORK_PROTOCOL')) WHEN 'tcps' THEN 'TLS' END FROM DUAL":
		if c.login.TLS == 0 {
			return []any{nil}, true
		}
		return []any{"TLS"}, true
	}
	return nil, false
}

// needed are the settings without which a query's texts and order would hang on how a client's machine or
// the server is set.
var needed = []string{"TIME_ZONE", "NLS_NUMERIC_CHARACTERS", "NLS_CALENDAR", "NLS_SORT", "NLS_COMP", "PARALLEL QUERY"}

// played are settings of which this server plays no other: with another calendar years would be others, with another
// order or comparison texts would be.
var played = map[string]string{"NLS_CALENDAR": "GREGORIAN", "NLS_SORT": "BINARY", "NLS_COMP": "BINARY"}

var (
	alterSet  = regexp.MustCompile(`^ALTER SESSION SET((?: +[A-Z_]+ ?= ?(?:'[^']*'|[A-Z]+))+)$`)
	alterPair = regexp.MustCompile(`([A-Z_]+) ?= ?(?:'([^']*)'|([A-Z]+))`)
	alterable = regexp.MustCompile(`^(TIME_ZONE|NLS_(NUMERIC_CHARACTERS|CALENDAR|SORT|COMP|LANGUAGE|TERRITORY|DATE_FORMAT|TIMESTAMP_FORMAT|TIMESTAMP_TZ_FORMAT))$`)
)

// alter changes the session, [SQLREF] ALTER SESSION.
func (c *session) alter(text string) error {
	if text == "ALTER SESSION DISABLE PARALLEL QUERY" {
		c.asked["PARALLEL QUERY"] = true
		return nil
	}
	m := alterSet.FindStringSubmatch(text)
	if m == nil {
		return errShape
	}
	for _, pair := range alterPair.FindAllStringSubmatch(m[1], -1) {
		if want := played[pair[1]]; !alterable.MatchString(pair[1]) || want != "" && want != pair[2]+pair[3] {
			return errShape
		}
		c.settings[pair[1]], c.asked[pair[1]] = pair[2]+pair[3], true
	}
	_, err := sessionZone(c.settings)
	return err
}

var zoneOffset = regexp.MustCompile(`^([+-]?)(\d\d?):(\d\d?)$`)

// sessionZone is the zone in which TIMESTAMP WITH LOCAL TIME ZONE is shown and read; names of regions are not known.
func sessionZone(settings map[string]string) (*time.Location, error) {
	text := settings["TIME_ZONE"]
	if text == "" {
		return time.UTC, nil
	}
	m := zoneOffset.FindStringSubmatch(text)
	if m == nil {
		return nil, Error{Code: 1882, Message: "timezone region not found"}
	}
	hours, _ := strconv.Atoi(m[2])
	minutes, _ := strconv.Atoi(m[3])
	offset := 3600*hours + 60*minutes
	if m[1] == "-" {
		offset = -offset
	}
	return time.FixedZone(text, offset), nil
}

// decimal is the session's decimal character.
func decimal(settings map[string]string) string {
	if c := settings["NLS_NUMERIC_CHARACTERS"]; c != "" {
		return c[:1]
	}
	return "."
}
