package lims

import (
	"errors"
	"fmt"
	"io"
	"net"
	"reflect"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	ora "github.com/sijms/go-ora/v2"
	"github.com/sijms/go-ora/v2/configurations"
	"github.com/sijms/go-ora/v2/network"
)

// oracleSource is a results source of Oracle with key columns of these types.
func oracleSource(t *testing.T, id, changed string) *source {
	t.Helper()
	found := []columnType{{name: "ROW_ID", typ: id}, {name: "CHANGED_AT", typ: changed}, {name: "REQUISITION_ID", typ: "RAW"}, {name: "ORDER_CODE", typ: "VARCHAR2"},
		{name: "RESULT_CODE", typ: "CHAR"}, {name: "VALUE", typ: "NUMBER"}, {name: "STATUS", typ: "VARCHAR2"}}
	columns, _, fatal := describe(Results, oracle{}, found, 0)
	if fatal != nil {
		t.Fatal(fatal)
	}
	from, _, err := wrap(Results, oracle{}.syntax(), "whoop.results", true)
	if err != nil {
		t.Fatal(err)
	}
	return newSource(Results, &Reader{o: Options{Location: time.UTC}, d: oracle{}, from: map[Source]wrapped{Results: {from: from}}}, columns)
}

func TestOracleStatements(t *testing.T) {
	const rest = `lb."REQUISITION_ID", lb."ORDER_CODE", lb."RESULT_CODE", TO_CHAR(lb."VALUE", 'TM9') AS "VALUE", lb."STATUS"` +
		"\nFROM (\nSELECT * FROM whoop.results\n) lb\nWHERE "
	const tail = "\nFETCH FIRST 1000 ROWS ONLY"
	check := func(name string, st statement, err error, want string, args ...any) {
		t.Helper()
		if err != nil || st.text != want || !(len(args) == 0 && len(st.args) == 0 || reflect.DeepEqual(st.args, args)) {
			t.Errorf("%s: %v\ngot  %s\n     %#v\nwant %s\n     %#v", name, err, st.text, st.args, want, args)
		}
	}

	src := oracleSource(t, "NUMBER", "DATE")
	const head = `SELECT TO_CHAR(lb."ROW_ID", 'TM9') AS "ROW_ID", TO_CHAR(lb."CHANGED_AT", 'YYYY-MM-DD HH24:MI:SS') AS "CHANGED_AT", ` + rest
	const at = "2026-12-01 06:00:31"
	after := &position{stamp: at, id: "7"}
	st, err := src.stampedPage("", nil, 1000)
	check("from the beginning", st, err, head+`lb."CHANGED_AT" IS NOT NULL AND lb."ROW_ID" IS NOT NULL`+"\n"+`ORDER BY lb."CHANGED_AT", lb."ROW_ID"`+tail)
	st, err = src.stampedPage(at, nil, 1000)
	check("from a stamp", st, err, head+`lb."CHANGED_AT" >= TO_DATE(:1, 'YYYY-MM-DD HH24:MI:SS') AND lb."ROW_ID" IS NOT NULL`+"\n"+`ORDER BY lb."CHANGED_AT", lb."ROW_ID"`+tail, at)
	st, err = src.stampedPage("", after, 1000)
	check("behind a row", st, err, head+`lb."CHANGED_AT" >= TO_DATE(:1, 'YYYY-MM-DD HH24:MI:SS') AND (lb."CHANGED_AT" > TO_DATE(:2, 'YYYY-MM-DD HH24:MI:SS') OR lb."ROW_ID" > TO_NUMBER(:3))`+
		` AND lb."ROW_ID" IS NOT NULL`+"\n"+`ORDER BY lb."CHANGED_AT", lb."ROW_ID"`+tail, at, at, "7")
	st, err = src.unstampedPage(after, 1000)
	check("without a stamp", st, err, head+`lb."CHANGED_AT" IS NULL AND lb."ROW_ID" IS NOT NULL AND lb."ROW_ID" > TO_NUMBER(:1)`+"\n"+`ORDER BY lb."ROW_ID"`+tail, "7")
	st, err = src.head("")
	check("the head", st, err, `SELECT TO_CHAR(lb."CHANGED_AT", 'YYYY-MM-DD HH24:MI:SS') AS "CHANGED_AT"`+"\nFROM (\nSELECT * FROM whoop.results\n) lb\n"+
		`WHERE lb."CHANGED_AT" IS NOT NULL`+"\n"+`ORDER BY lb."CHANGED_AT" DESC`+"\nFETCH FIRST 1 ROWS ONLY")
	check("by ids", src.fetch([]any{"1"}), nil, head+`lb."ROW_ID" IN (TO_NUMBER(:1))`, "1")
	for n, want := range map[int]int{2: 25, 25: 25, 26: 500, 500: 500} { // a list may have 1,000
		if st := src.fetch(slices.Repeat([]any{"1"}, n)); len(st.args) != want || strings.Count(st.text, "TO_NUMBER(:") != want {
			t.Errorf("%d ids: %d parameters, want %d", n, len(st.args), want)
		}
	}

	src = oracleSource(t, "VARCHAR2", "TIMESTAMP")
	st, err = src.stampedPage("", &position{stamp: "2026-12-01 06:00:31.857000000", id: "S-1"}, 1000)
	const id = `NLSSORT(TO_NCHAR(lb."ROW_ID"), 'NLS_SORT=BINARY')`
	const stamp = "'YYYY-MM-DD HH24:MI:SS.FF9')"
	check("timestamps and text ids", st, err, `SELECT lb."ROW_ID", TO_CHAR(lb."CHANGED_AT", `+stamp+` AS "CHANGED_AT", `+rest+`lb."CHANGED_AT" >= TO_TIMESTAMP(:1, `+stamp+
		` AND (lb."CHANGED_AT" > TO_TIMESTAMP(:2, `+stamp+` OR `+id+` > NLSSORT(TO_NCHAR(:3), 'NLS_SORT=BINARY')) AND lb."ROW_ID" IS NOT NULL`+"\n"+
		`ORDER BY lb."CHANGED_AT", `+id+tail, "2026-12-01 06:00:31.857000000", "2026-12-01 06:00:31.857000000", "S-1")

	src = oracleSource(t, "CHAR", oracleZoned)
	if st := src.fetch([]any{"S-1"}); !strings.HasSuffix(st.text, `WHERE lb."ROW_ID" IN (CAST(:1 AS CHAR(255)))`) {
		t.Errorf("CHAR ids: %s", st.text)
	}
	st, err = src.unstampedPage(after, 1000)
	if err != nil || !strings.Contains(st.text, `NLSSORT(TO_NCHAR(RTRIM(lb."ROW_ID")), 'NLS_SORT=BINARY') > NLSSORT(TO_NCHAR(:1), 'NLS_SORT=BINARY')`) {
		t.Errorf("CHAR ids: %v %s", err, st.text)
	}
}

// What the source's statements can be before it was read uses names as Oracle stores them.
func TestOracleAssumedStatements(t *testing.T) {
	r, err := Open(Options{Type: Oracle, Database: "LIMS", User: "u", Orders: Query{View: "whoop.orders"}, Results: Query{SQL: "SELECT * FROM lab.results -- mine"}})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	all := strings.Join(r.Statements(), ";\n")
	for _, want := range []string{`lb."CHANGED_AT" >= TO_TIMESTAMP(:1,`, "FROM (\nSELECT * FROM lab.results -- mine\n) lb WHERE 1 = 0", "ALTER SESSION SET TIME_ZONE", "FROM DUAL"} {
		if !strings.Contains(all, want) {
			t.Errorf("%s is not in\n%s", want, all)
		}
	}
	for _, wrong := range []string{"AS lb", "LIMIT", `"changed_at"`, "SET TRANSACTION"} {
		if strings.Contains(all, wrong) {
			t.Errorf("%s is in\n%s", wrong, all)
		}
	}
}

// Each parameter becomes a value of its column's own type.
func TestOracleParameters(t *testing.T) {
	for _, test := range []struct {
		typ, text string
		want      any
		param     string
	}{
		{"DATE", "2026-12-01 06:00:31", "2026-12-01 06:00:31", "TO_DATE(:1, 'YYYY-MM-DD HH24:MI:SS')"},
		{"DATE", "2026-12-01T06:00:31.9", "2026-12-01 06:00:31", "TO_DATE(:1, 'YYYY-MM-DD HH24:MI:SS')"}, // too early, never too late
		{"TIMESTAMP", "2026-12-01 06:00:31.123456789", "2026-12-01 06:00:31.123456789", "TO_TIMESTAMP(:1, 'YYYY-MM-DD HH24:MI:SS.FF9')"},
		{"TIMESTAMP", "2026-12-01T06:00:31", "2026-12-01 06:00:31.000000000", "TO_TIMESTAMP(:1, 'YYYY-MM-DD HH24:MI:SS.FF9')"},
		{oracleZoned, "2026-12-01T06:00:31.5Z", "2026-12-01 06:00:31.500000000 +00:00", "TO_TIMESTAMP_TZ(:1, 'YYYY-MM-DD HH24:MI:SS.FF9 TZH:TZM')"},
		{oracleLocal, "2026-12-01 06:00:31.500000000Z", "2026-12-01 06:00:31.500000000", "CAST(TO_TIMESTAMP(:1, 'YYYY-MM-DD HH24:MI:SS.FF9') AS TIMESTAMP(9) WITH LOCAL TIME ZONE)"},
		{"NUMBER", "42", "42", "TO_NUMBER(:1)"},
		{"NUMBER", "1.5", "1.5", "TO_NUMBER(:1)"},
		{"NUMBER", "-.5", "-.5", "TO_NUMBER(:1)"},
		{"NUMBER", "-12345678901234567890123456789012345678", "-12345678901234567890123456789012345678", "TO_NUMBER(:1)"},
		{"VARCHAR2", "Ä-1", "Ä-1", ":1"},
		{"CHAR", "S-1", "S-1", ":1"},
		{"RAW", "0b8f6a1e-9d0c-4b52-8a1f-00112233aabb", []byte{0x0b, 0x8f, 0x6a, 0x1e, 0x9d, 0x0c, 0x4b, 0x52, 0x8a, 0x1f, 0, 0x11, 0x22, 0x33, 0xaa, 0xbb}, ":1"},
	} {
		c := column{typ: test.typ}
		c.kind, c.zoned = oracle{}.kind(columnType{typ: test.typ})
		got, err := oracle{}.bind(c, test.text)
		if err != nil || !reflect.DeepEqual(got, test.want) || (oracle{}).param(c, 1) != test.param {
			t.Errorf("%s: got %#v, %v as %s, want %#v as %s", test.typ, got, err, oracle{}.param(c, 1), test.want, test.param)
		}
	}
	for typ, texts := range map[string][]string{"DATE": {"7"}, "NUMBER": {"S-1", "1.", ".", "1.5.2", "1,5", "", "1E3", "-"}, "RAW": {"S-1", "0b8f6a1e9d0c4b528a1f00112233aabb"}, "VARCHAR2": {"", "a\x00"}} {
		for _, text := range texts {
			c := column{typ: typ}
			c.kind, _ = oracle{}.kind(columnType{typ: typ})
			if got, err := (oracle{}).bind(c, text); err == nil {
				t.Errorf("%s: %q was bound as %#v", typ, text, got)
			}
		}
	}
}

// What the driver hands over is the text that Oracle wrote, and binds back to itself.
func TestOracleText(t *testing.T) {
	src := &source{d: oracle{}}
	for _, test := range []struct {
		typ  string
		in   any // what the statement's output is, by the driver
		want string
	}{
		{"NUMBER", ".5", ".5"}, // what leaves is 0.5: the rule of values
		{"NUMBER", "-123456789012345678901234567890.12345678", "-123456789012345678901234567890.12345678"},
		{"DATE", "2026-12-01 06:00:31", "2026-12-01 06:00:31"},
		{"TIMESTAMP", "2026-12-01 06:00:31.857000000", "2026-12-01 06:00:31.857000000"},
		{oracleZoned, "2026-12-01 12:00:31.857000000Z", "2026-12-01 12:00:31.857000000Z"},
		{"CHAR", "GLU     ", "GLU"},
		{"VARCHAR2", "5.40 ", "5.40 "},
		{"VARCHAR2", nil, ""}, // Oracle's empty text
		{"RAW", []byte{0x0b, 0x8f, 0x6a, 0x1e, 0x9d, 0x0c, 0x4b, 0x52, 0x8a, 0x1f, 0, 0x11, 0x22, 0x33, 0xaa, 0xbb}, "0b8f6a1e-9d0c-4b52-8a1f-00112233aabb"},
	} {
		c := column{typ: test.typ}
		c.kind, c.zoned = oracle{}.kind(columnType{typ: test.typ})
		if got, problem := src.text(&c, test.in); got != test.want || problem != "" {
			t.Errorf("%s: got %q, %q, want %q", test.typ, got, problem, test.want)
		}
		if r, ok := parseReading(test.want); c.kind == kindClock && (!ok || r.String() != test.want) {
			t.Errorf("%s: %q is not the stamp that it was", test.typ, test.want)
		}
	}
	for typ, in := range map[string]any{"BINARY_DOUBLE": 5.4, "BINARY_FLOAT": float32(5.4), "RAW": []byte("x"), "CLOB": "x", "BOOLEAN": true, "INTERVAL DAY TO SECOND": "x", "ROWID": "x", "LONG": "x"} {
		c := column{role: value, typ: typ}
		c.kind, _ = oracle{}.kind(columnType{typ: typ})
		if got, problem := src.text(&c, in); got != "" || !strings.HasPrefix(problem, "is "+typ) {
			t.Errorf("%s: got %q, %q", typ, got, problem)
		}
	}
	src.floats = 2
	c := column{role: value, typ: "BINARY_DOUBLE", kind: kindFloat}
	if got, problem := src.text(&c, 5.4); got != "5.40" || problem != "" {
		t.Errorf("with float_digits: got %q, %q", got, problem)
	}
	for typ, want := range map[string]string{"BINARY_DOUBLE": "lb.v", "LONG": `'x' AS "VALUE"`, "CLOB": `CASE WHEN lb.v IS NOT NULL THEN 'x' END AS "VALUE"`, "XMLTYPE": `CASE WHEN lb.v IS NOT NULL THEN 'x' END AS "VALUE"`} {
		c := column{typ: typ, name: "VALUE"}
		c.kind, _ = oracle{}.kind(columnType{typ: typ})
		if got := (oracle{}).output(c, "lb.v"); got != want {
			t.Errorf("%s is selected as %s, want %s", typ, got, want)
		}
	}
}

// Types are called what Oracle's manual calls them, whatever the driver calls them.
func TestOracleTypeNames(t *testing.T) {
	for typ, want := range map[ora.TNSType]string{ora.NCHAR: "VARCHAR2", ora.CHAR: "CHAR", ora.NUMBER: "NUMBER", ora.DATE: "DATE", ora.TimeStampDTY: "TIMESTAMP",
		ora.TimeStampTZ_DTY: oracleZoned, ora.TimeStampLTZ_DTY: oracleLocal, ora.RAW: "RAW", ora.IBDouble: "BINARY_DOUBLE", ora.OCIClobLocator: "CLOB", ora.LONG: "LONG"} {
		name := typ.String()
		if renamed, ok := oracleTypes[name]; ok {
			name = renamed
		}
		if name != want {
			t.Errorf("%v is called %s, want %s", typ, name, want)
		}
	}
}

// What a person may write as a SELECT for Oracle, and what not.
func TestOracleSelects(t *testing.T) {
	for text, says := range map[string]string{
		"SELECT a AS row_id FROM t WHERE b = q'[it's; fine :x]'":           "",
		"SELECT a AS row_id FROM t WHERE b = Nq'!ORDER BY (!' AND c = 'x'": "",
		"SELECT a AS row_id FROM t WHERE b LIKE '%:x%'":                    "",
		"SELECT a AS row_id FROM t WHERE b = :x":                           "holds :X",
		"SELECT a AS row_id FROM t WHERE b = :1":                           "holds :1",
		"SELECT a AS row_id FROM t WHERE b = q'[open":                      "is not ended",
		"SELECT a AS row_id FROM t FOR UPDATE":                             "FOR UPDATE",
		"BEGIN lab.touch; END":                                             "begins with BEGIN",
		"SELECT a AS row_id FROM t; DROP TABLE t":                          "holds a ;",
	} {
		from, _, err := wrap(Orders, oracle{}.syntax(), text, false)
		if (says == "") != (err == nil) || !contains(err, says) && says != "" {
			t.Errorf("%s: got %v, want %q", text, err, says)
		}
		if err == nil && from != "(\n"+text+"\n) lb" {
			t.Errorf("got %s", from)
		}
	}
}

// The GRANT names the view as the configuration does, in quotation marks or not.
func TestOracleMissing(t *testing.T) {
	for view, want := range map[string]string{
		"whoop.orders":            `SELECT 'GRANT READ ON ' || 'whoop.orders' || ' TO "' || USER || '";' FROM DUAL`,
		`WHOOP."doctor's orders"`: `SELECT 'GRANT READ ON ' || 'WHOOP."doctor''s orders"' || ' TO "' || USER || '";' FROM DUAL`,
	} {
		if got := (oracle{}).missing(view); got != want {
			t.Errorf("%s: %s, want %s", view, got, want)
		}
	}
}

func TestOracleConfiguration(t *testing.T) {
	base := Options{Type: Oracle, Server: "lims01.example.org", Database: "LIMS.example.org", User: "limsbridge_ro", AppName: "lims(bridge)", Orders: Query{View: "whoop.orders"}, Results: Query{View: "whoop.results"}}
	for _, test := range []struct {
		name   string
		change func(*Options)
		check  func(*configurations.ConnectionConfig) bool
	}{
		{"encrypted and verified by default", func(*Options) {}, func(c *configurations.ConnectionConfig) bool {
			return c.SSL && !c.TLSConfig.InsecureSkipVerify && c.TLSConfig.ServerName == "lims01.example.org" && c.Servers[0].Protocol == "tcps" && c.Servers[0].Port == 2484
		}},
		{"service", func(*Options) {}, func(c *configurations.ConnectionConfig) bool {
			return strings.Contains(c.ConnectionData(), "(SERVICE_NAME=LIMS.example.org)(CID=(PROGRAM=limsbridge)")
		}},
		{"SID and port", func(o *Options) { o.Database, o.SID, o.Port = "", "LIMS", 1599 }, func(c *configurations.ConnectionConfig) bool {
			return strings.Contains(c.ConnectionData(), "(SID=LIMS)") && c.Servers[0].Port == 1599
		}},
		{"unverified", func(o *Options) { o.Encrypt = EncryptUnverified }, func(c *configurations.ConnectionConfig) bool { return c.SSL && c.TLSConfig.InsecureSkipVerify }},
		{"Oracle's own", func(o *Options) { o.Encrypt = EncryptNative }, func(c *configurations.ConnectionConfig) bool {
			return !c.SSL && c.EncServiceLevel == 3 && c.IntServiceLevel == 3 && c.Servers[0].Port == 1521
		}},
		{"off", func(o *Options) { o.Encrypt = EncryptOff }, func(c *configurations.ConnectionConfig) bool {
			return !c.SSL && c.TLSConfig == nil && c.EncServiceLevel == 0 && c.Servers[0].Port == 1521
		}},
		{"the driver's clock is not the shorter one", func(o *Options) { o.QueryTimeout = time.Hour }, func(c *configurations.ConnectionConfig) bool { return c.Timeout > time.Hour }},
		{"no trace", func(*Options) {}, func(c *configurations.ConnectionConfig) bool { return c.TraceFilePath == "" && c.TraceDir == "" }},
	} {
		t.Run(test.name, func(t *testing.T) {
			o := base
			test.change(&o)
			o, err := o.withDefaults()
			if err != nil {
				t.Fatal(err)
			}
			c, err := oracle{}.config(o, "SENTINEL")
			if err != nil || !test.check(c) || strings.Contains(c.ConnectionData(), "SENTINEL") {
				t.Errorf("%v: %s %+v", err, c.ConnectionData(), c.SessionInfo)
			}
		})
	}
	for name, change := range map[string]func(*Options){
		"service with brackets": func(o *Options) { o.Database = "LIMS)(SERVER=DEDICATED" },
		"host in the service":   func(o *Options) { o.Database = "lims01:1521/LIMS" },
		"service and SID":       func(o *Options) { o.SID = "LIMS" },
		"neither":               func(o *Options) { o.Database = "" },
		"SID elsewhere":         func(o *Options) { o.Type, o.SID = Postgres, "LIMS" },
		"native elsewhere":      func(o *Options) { o.Type, o.Encrypt = Postgres, EncryptNative },
	} {
		o := base
		change(&o)
		if _, err := o.withDefaults(); err == nil {
			t.Errorf("%s: no problem", name)
		}
	}
	if _, err := (oracle{}).config(base, ""); !contains(err, "password is empty") {
		t.Errorf("without a password: %v", err)
	}
}

// Oracle's errors by number; its words are shown only where they name objects.
func TestOracleErrors(t *testing.T) {
	ss := newSession(Options{Type: Oracle, Server: "db", QueryTimeout: time.Minute}, oracle{})
	for _, test := range []struct {
		code  int
		want  any
		text  string
		words bool // of the server
	}{
		{1017, new(*Misfit), "check user and password", false},
		{28000, new(*Misfit), "locked", false},
		{28001, new(*Misfit), "expired", false},
		{1045, new(*Misfit), "CREATE SESSION", false},
		{12514, new(*Misfit), "service name", false},
		{12505, new(*Misfit), "SID", false},
		{12541, new(*Unavailable), "no listener", false},
		{12170, new(*Unavailable), "no listener", false},
		{12528, new(*Unavailable), "does not serve now", false},
		{1033, new(*Unavailable), "does not serve now", false},
		{12660, new(*Misfit), "encrypt: native", false},
		{942, new(*Misfit), "GRANT READ", true},
		{904, new(*Misfit), "check the SELECT", true},
		{933, new(*Misfit), "12.1", true},
		{1031, new(*Misfit), "GRANT READ", true},
		{41900, new(*Misfit), "GRANT READ", true},
		{54, new(*Busy), "lock", false},
		{60, new(*Busy), "deadlock", false},
		{1555, new(*Busy), "snapshot too old", false},
		{1013, new(*Busy), "query time limit", false},
		{14551, new(*Misfit), "reads only", false},
		{1722, new(*Misfit), "not shown", false},
		{1840, new(*Misfit), "not shown", false},
	} {
		err := ss.explain(t.Context(), Results, fmt.Errorf("driver: %w", &network.OracleError{ErrCode: test.code, ErrMsg: fmt.Sprintf("ORA-%05d: \"SENTINEL-5.40\": as the server says\nHelp: SENTINEL\n", test.code)}))
		if !errors.As(err, test.want) || !contains(err, test.text) || !contains(err, fmt.Sprintf("ORA-%05d", test.code)) && !slices.Contains([]int{60, 1013}, test.code) {
			t.Errorf("%d: got %T %v", test.code, err, err)
		}
		misfit, _ := errors.AsType[*Misfit](err)
		if right := slices.Contains([]int{942, 1031, 41900}, test.code); (misfit != nil && misfit.Right) != right { // of which check tells the GRANT
			t.Errorf("%d: a right is missing: %v", test.code, !right)
		}
		if contains(err, "SENTINEL") != test.words || contains(err, "Help") {
			t.Errorf("%d: the server's words: %v", test.code, err)
		}
	}
}

// Whether Oracle's own encryption is in force is seen on what is written: no statement may be readable.
func TestOracleSeesWhatCouldBeRead(t *testing.T) {
	for written, readable := range map[string]bool{"\x06\x00ALTER SESSION SET NLS_LANGUAGE='AMERICAN'": true, "\x06\x00\x8f\x12ALTER\x00SESSION": false, "": false} {
		here, there := net.Pipe()
		go func() { _, _ = io.Copy(io.Discard, there) }()
		h := heard{here, new(atomic.Bool)}
		if _, err := h.Write([]byte(written)); err != nil {
			t.Fatal(err)
		}
		here.Close()
		if h.readable.Load() != readable {
			t.Errorf("%q is taken for readable: %t", written, !readable)
		}
	}
}

// What could be written is asked of every place where Oracle keeps a right, and of the roles that the session has.
func TestOracleAsksForEveryRight(t *testing.T) {
	for _, view := range []string{"SESSION_PRIVS", "ALL_TAB_PRIVS", "ALL_COL_PRIVS", "SESSION_ROLES", "'PUBLIC'", "ALL_TABLES"} {
		if !strings.Contains(oracle{}.writable(), view) {
			t.Errorf("%s is not asked", view)
		}
	}
}
