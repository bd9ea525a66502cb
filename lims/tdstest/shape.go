package tdstest

import (
	"cmp"
	"errors"
	"regexp"
	"strings"
)

// What limsbridge sends as a reader, and nothing else: statements about the session and the server, and
// SELECTs from a derived table in a few shapes.
var (
	setup = regexp.MustCompile(`^SET LOCK_TIMEOUT \d+; SET DEADLOCK_PRIORITY LOW; SET TRANSACTION ISOLATION LEVEL READ COMMITTED$`)

	learning = regexp.MustCompile(`(?s)^SELECT \* FROM \(\n.*\n\) AS lb WHERE 1 = 0$`)
	reading  = regexp.MustCompile(`(?s)^SELECT (?:TOP \(\d+\) )?` + columnText + `(?:, ` + columnText + `)*\nFROM \(\n.*\n\) AS lb\nWHERE (.*?)(?:\nORDER BY ` + orderText + `(?:, ` + orderText + `)*)?\nOPTION \(MAXDOP 1\)$`)
	where    = regexp.MustCompile(`^` + conditionText + `(?: AND ` + conditionText + `)*$`)
)

const (
	columnText    = `lb\.\[[^\]]+\]`
	keyText       = `(?:` + columnText + `|CONVERT\(nvarchar\(4000\), ` + columnText + `\))(?: COLLATE Latin1_General_BIN2)?`
	orderText     = keyText + `(?: DESC)?`
	paramText     = `(?:@p\d+|CAST\(@p\d+ AS smalldatetime\))`
	conditionText = `(?:` + columnText + ` IS (?:NOT )?NULL` +
		`|` + keyText + ` (?:>=|>|<) ` + paramText +
		`|` + columnText + ` < MIN_ACTIVE_ROWVERSION\(\)` +
		`|\(` + keyText + ` > ` + paramText + ` OR ` + keyText + ` > ` + paramText + `\)` +
		`|` + columnText + ` IN \(` + paramText + `(?:, ` + paramText + `)*\))`
)

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

// database is the one of the session.
func (c *session) database() *database {
	c.server.mu.Lock()
	defer c.server.mu.Unlock()
	return c.server.databases[cmp.Or(c.login.Database, "master")]
}

// run answers a statement.
func (c *session) run(st Statement, r *reply) (Result, error) {
	if res, ok := c.server.answer(st.Text); ok {
		return res, nil
	}
	d := c.database()
	if d == nil {
		return Result{}, Error{Number: 911, Class: 20, Message: "The database does not exist any more."}
	}
	if res, ok := c.about(d, st.Text); ok {
		return res, nil
	}
	if c.writer {
		return c.write(d, st, r)
	}
	isLearning := learning.MatchString(st.Text)
	if m := reading.FindStringSubmatch(st.Text); !isLearning && (len(m) == 0 || !where.MatchString(m[1])) {
		c.server.t.Errorf("tdstest: the reader sent a statement of an unknown shape:\n%s", st.Text)
		return Result{}, errors.New("a statement of an unknown shape")
	}
	if err := c.denied(d, st.Text); err != nil {
		return Result{}, err
	}
	if d.locked() {
		return Result{}, Error{Number: 1222, Class: 16, State: 51, Message: "Lock request time out period exceeded."}
	}
	res, err := d.run(c.server.closing, nil, st)
	if err == nil && isLearning {
		err = doubled(res.Columns)
	}
	return res, err
}

// about answers what is asked about session and server.
func (c *session) about(d *database, text string) (Result, bool) {
	n := func(characters int) Type { return Type{Name: "nvarchar", Length: characters} }
	switch {
	case setup.MatchString(text), strings.HasPrefix(text, "SET ") && c.writer:
		return Result{}, true
	case text == "SELECT SYSDATETIMEOFFSET()":
		t := Type{Name: "datetimeoffset", Scale: 7, NotNull: true}
		return Result{Columns: []Column{{"", t}}, Rows: [][]any{{t.clockText(c.server.now())}}}, true
	case text == "SELECT SUSER_SNAME(), DB_NAME(), CONVERT(nvarchar(300), @@VERSION)":
		return Result{Columns: []Column{{"", n(128)}, {"", n(128)}, {"", n(300)}},
			Rows: [][]any{{c.login.User, d.name, "Microsoft SQL Server 2022 (scripted)\n\tfor tests"}}}, true
	case text == "SELECT MIN_ACTIVE_ROWVERSION(), @@DBTS":
		d.mu.Lock()
		defer d.mu.Unlock()
		return Result{Columns: []Column{{"", Type{Name: "binary", Length: 8}}, {"", Type{Name: "varbinary", Length: 8}}},
			Rows: [][]any{{rowversion(d.settled()), rowversion(d.version)}}}, true
	}
	return Result{}, false
}

// write runs a batch of the writer's. What it answers is its last statement's answer.
func (c *session) write(d *database, batch Statement, r *reply) (res Result, err error) {
	for _, text := range statements(batch.Text) {
		st := batch
		st.Text = text
		if res, err = c.writeOne(d, st, r); err != nil {
			break
		}
	}
	return res, err
}

func (c *session) writeOne(d *database, st Statement, r *reply) (Result, error) {
	words := meaningful(scan(st.Text))
	switch {
	case len(words) <= 2 && words[0].is("BEGIN"):
		c.begin(r)
		return Result{}, nil
	case len(words) <= 2 && words[0].is("COMMIT"):
		return Result{}, c.finish(r, true)
	case len(words) <= 2 && words[0].is("ROLLBACK"):
		return Result{}, c.finish(r, false)
	}
	if len(words) >= 3 && words[1].is("DATABASE") {
		name := words[len(words)-1].identifier()
		switch {
		case words[0].is("CREATE"):
			return Result{}, c.server.create(name)
		case words[0].is("DROP"):
			c.server.mu.Lock()
			defer c.server.mu.Unlock()
			if gone := c.server.databases[name]; gone != nil {
				gone.db.Close()
			}
			delete(c.server.databases, name)
			return Result{}, nil
		case words[0].is("ALTER"): // SET SINGLE_USER, which throws others out
			return Result{}, nil
		}
	}
	return d.run(c.server.closing, c.tx, st)
}

// denied says that the reader may not read something that the statement names.
func (c *session) denied(d *database, text string) error {
	c.server.mu.Lock()
	defer c.server.mu.Unlock()
	for _, l := range scan(text) {
		if name := l.identifier(); c.server.denied[name] {
			return Error{Number: 229, Class: 14, Message: "The SELECT permission was denied on the object '" + name + "', database '" + d.name + "', schema 'dbo'."}
		}
	}
	return nil
}

var numberedName = regexp.MustCompile(`^(.*):\d+$`) // as SQLite calls the second column of one name

// doubled refuses a derived table with two columns of one name.
func doubled(columns []Column) error {
	for _, c := range columns {
		if m := numberedName.FindStringSubmatch(c.Name); m != nil {
			return Error{Number: 8156, Class: 16, Message: "The column '" + m[1] + "' was specified multiple times for 'lb'."}
		}
	}
	return nil
}
