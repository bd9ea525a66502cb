package lims

import (
	"crypto/tls"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/golang-sql/civil"
	mssql "github.com/microsoft/go-mssqldb"
	"github.com/microsoft/go-mssqldb/msdsn"
)

func contains(err error, text string) bool { return err != nil && strings.Contains(err.Error(), text) }

// serverSource is a results source of SQL Server with key columns of these types.
func serverSource(t *testing.T, id, changed columnType) *source {
	t.Helper()
	id.name, changed.name = "Row_ID", "CHANGED_AT"
	found := []columnType{id, changed, {name: "requisition_id", typ: "UNIQUEIDENTIFIER"}, {name: "order]code", typ: "VARCHAR"}, {name: "order_code", typ: "VARCHAR"},
		{name: "result_code", typ: "NVARCHAR"}, {name: "value", typ: "DECIMAL"}, {name: "status", typ: "CHAR"}}
	columns, _, fatal := describe(Results, sqlServer{}, found, 0)
	if fatal != nil {
		t.Fatal(fatal)
	}
	from, _, err := wrap(Results, sqlServer{}.syntax(), "whoop.results", true)
	if err != nil {
		t.Fatal(err)
	}
	return newSource(Results, &Reader{o: Options{Location: time.UTC}, d: sqlServer{}, from: map[Source]wrapped{Results: {from: from}}}, columns)
}

func TestSQLServerStatements(t *testing.T) {
	const head = "SELECT TOP (1000) lb.[Row_ID], lb.[CHANGED_AT], lb.[requisition_id], lb.[order_code], lb.[result_code], lb.[value], lb.[status]\n" +
		"FROM (\nSELECT * FROM whoop.results\n) AS lb\nWHERE "
	const tail = "\nOPTION (MAXDOP 1)"
	src := serverSource(t, columnType{typ: "INT"}, columnType{typ: "DATETIME"})
	after := &position{stamp: "2026-12-01T06:00:00.857", id: "7"}
	at := mssql.DateTime1(time.Date(2026, 12, 1, 6, 0, 0, 857e6, time.UTC))
	check := func(name string, st statement, err error, want string, args ...any) {
		t.Helper()
		if err != nil || st.text != want || !(len(args) == 0 && len(st.args) == 0 || reflect.DeepEqual(st.args, args)) {
			t.Errorf("%s: %v\ngot  %s\n     %#v\nwant %s\n     %#v", name, err, st.text, st.args, want, args)
		}
	}
	st, err := src.stampedPage("", nil, 1000)
	check("from the beginning", st, err, head+"lb.[CHANGED_AT] IS NOT NULL AND lb.[Row_ID] IS NOT NULL\nORDER BY lb.[CHANGED_AT], lb.[Row_ID]"+tail)
	st, err = src.stampedPage(after.stamp, nil, 1000)
	check("from a stamp", st, err, head+"lb.[CHANGED_AT] >= @p1 AND lb.[Row_ID] IS NOT NULL\nORDER BY lb.[CHANGED_AT], lb.[Row_ID]"+tail, at)
	st, err = src.stampedPage("", after, 1000)
	check("behind a row", st, err, head+"lb.[CHANGED_AT] >= @p1 AND (lb.[CHANGED_AT] > @p2 OR lb.[Row_ID] > @p3) AND lb.[Row_ID] IS NOT NULL\nORDER BY lb.[CHANGED_AT], lb.[Row_ID]"+tail, at, at, int64(7))
	st, err = src.unstampedPage(after, 1000)
	check("without a stamp", st, err, head+"lb.[CHANGED_AT] IS NULL AND lb.[Row_ID] IS NOT NULL AND lb.[Row_ID] > @p1\nORDER BY lb.[Row_ID]"+tail, int64(7))
	st, err = src.head("")
	check("the head", st, err, "SELECT TOP (1) lb.[CHANGED_AT]\nFROM (\nSELECT * FROM whoop.results\n) AS lb\nWHERE lb.[CHANGED_AT] IS NOT NULL\nORDER BY lb.[CHANGED_AT] DESC"+tail)
	check("by ids", src.fetch([]any{int64(1)}), nil, strings.Replace(head, "TOP (1000) ", "", 1)+"lb.[Row_ID] IN (@p1)"+tail, int64(1))
	for n, want := range map[int]int{2: 25, 25: 25, 26: 500, 500: 500} {
		ids := make([]any, n)
		for i := range ids {
			ids[i] = int64(i)
		}
		st := src.fetch(ids)
		if len(st.args) != want || st.args[want-1] != int64(n-1) || strings.Count(st.text, "@p") != want {
			t.Errorf("%d ids: %d parameters, want %d, filled up with the last one", n, len(st.args), want)
		}
	}

	text := serverSource(t, columnType{typ: "VARCHAR"}, columnType{typ: "BINARY", length: 8})
	st, err = text.stampedPage("", &position{stamp: "0x00000000000007D1", id: "S-1"}, 1000)
	const id = "CONVERT(nvarchar(4000), lb.[Row_ID]) COLLATE Latin1_General_BIN2"
	v := []byte{0, 0, 0, 0, 0, 0, 7, 0xD1}
	check("rowversion and text ids", st, err, head+"lb.[CHANGED_AT] >= @p1 AND (lb.[CHANGED_AT] > @p2 OR "+id+" > @p3) AND lb.[Row_ID] IS NOT NULL AND "+
		"lb.[CHANGED_AT] < MIN_ACTIVE_ROWVERSION()\nORDER BY lb.[CHANGED_AT], "+id+tail, v, v, mssql.VarChar("S-1"))

	for typ, want := range map[string]string{"VARCHAR": id, "CHAR": id, "NVARCHAR": "lb.[Row_ID] COLLATE Latin1_General_BIN2", "NCHAR": "lb.[Row_ID] COLLATE Latin1_General_BIN2", "INT": "lb.[Row_ID]", "UNIQUEIDENTIFIER": "lb.[Row_ID]"} {
		if got := serverSource(t, columnType{typ: typ}, columnType{typ: "DATETIME"}).ids(); got != want {
			t.Errorf("%s ids are ordered by %s, want %s", typ, got, want)
		}
	}
}

// Each parameter has its column's own type.
func TestSQLServerParameters(t *testing.T) {
	wall := time.Date(2026, 12, 1, 6, 0, 31, 123456700, time.UTC)
	const id = "0b8f6a1e-9d0c-4b52-8a1f-00112233aabb"
	tests := []struct {
		typ    string
		length int64
		text   string
		want   any
		param  string
	}{
		{"DATETIME", 0, "2026-12-01T06:00:31.1234567", mssql.DateTime1(wall), "@p1"},
		{"DATETIME2", 0, "2026-12-01T06:00:31.1234567", civil.DateTimeOf(wall), "@p1"},
		{"SMALLDATETIME", 0, "2026-12-01T06:00:31", mssql.VarChar("2026-12-01T06:00:00"), "CAST(@p1 AS smalldatetime)"},
		{"DATETIMEOFFSET", 0, "2026-12-01T06:00:31.1234567Z", mssql.DateTimeOffset(wall), "@p1"},
		{"BINARY", 8, "0x00000000000007D1", []byte{0, 0, 0, 0, 0, 0, 7, 0xD1}, "@p1"},
		{"BIGINT", 0, "42", int64(42), "@p1"},
		{"DECIMAL", 0, "42", int64(42), "@p1"},
		{"VARCHAR", 20, "S-1", mssql.VarChar("S-1"), "@p1"},
		{"CHAR", 20, "S-1", mssql.VarChar("S-1"), "@p1"},
		{"VARCHAR", 20, "Ä-1", "Ä-1", "@p1"},
		{"NVARCHAR", 20, "S-1", "S-1", "@p1"},
		{"UNIQUEIDENTIFIER", 0, id, mssql.UniqueIdentifier{0x0b, 0x8f, 0x6a, 0x1e, 0x9d, 0x0c, 0x4b, 0x52, 0x8a, 0x1f, 0, 0x11, 0x22, 0x33, 0xaa, 0xbb}, "@p1"},
	}
	for _, test := range tests {
		c := column{typ: test.typ}
		c.kind, c.zoned = sqlServer{}.kind(columnType{typ: test.typ, length: test.length})
		got, err := sqlServer{}.bind(c, test.text)
		if err != nil || !reflect.DeepEqual(got, test.want) || (sqlServer{}).param(c, 1) != test.param {
			t.Errorf("%s: got %#v, %v as %s, want %#v as %s", test.typ, got, err, sqlServer{}.param(c, 1), test.want, test.param)
		}
	}
	for typ, text := range map[string]string{"DATETIME": "7", "INT": "S-1", "UNIQUEIDENTIFIER": "S-1", "BINARY": "0x07"} {
		c := column{typ: typ}
		c.kind, _ = sqlServer{}.kind(columnType{typ: typ, length: 8})
		if got, err := (sqlServer{}).bind(c, text); err == nil {
			t.Errorf("%s: %s was bound as %#v", typ, text, got)
		}
	}
}

// What the driver hands over becomes the text that SQL Server itself would show, and binds back to itself.
func TestSQLServerText(t *testing.T) {
	wall := time.Date(2026, 12, 1, 6, 0, 31, 857e6, time.UTC)
	tests := []struct {
		typ  string
		in   any
		want string
	}{
		{"DATETIME", wall, "2026-12-01T06:00:31.857"},
		{"DATETIME2", wall.Add(100), "2026-12-01T06:00:31.8570001"},
		{"DATETIMEOFFSET", wall.In(time.FixedZone("", -6*3600)), "2026-12-01T06:00:31.857Z"},
		{"DATE", wall, "2026-12-01"},
		{"UNIQUEIDENTIFIER", []byte{0x1e, 0x6a, 0x8f, 0x0b, 0x0c, 0x9d, 0x52, 0x4b, 0x8a, 0x1f, 0, 0x11, 0x22, 0x33, 0xaa, 0xbb}, "0b8f6a1e-9d0c-4b52-8a1f-00112233aabb"},
		{"BINARY", []byte{0, 0, 0, 0, 0, 0, 7, 0xD1}, "0x00000000000007D1"},
		{"DECIMAL", []byte("5.4000"), "5.4000"},
		{"MONEY", []byte("5.4000"), "5.4000"},
		{"CHAR", "GLU   ", "GLU"},
		{"NVARCHAR", "GLU ", "GLU "},
		{"INT", int64(-7), "-7"},
	}
	src := &source{d: sqlServer{}}
	for _, test := range tests {
		c := column{typ: test.typ}
		c.kind, c.zoned = sqlServer{}.kind(columnType{typ: test.typ, length: 8})
		got, problem := src.text(&c, test.in)
		if got != test.want || problem != "" {
			t.Errorf("%s: got %q, %q, want %q", test.typ, got, problem, test.want)
		}
	}
	for typ, in := range map[string]any{"FLOAT": 5.4, "REAL": float64(float32(5.4)), "BIT": true, "VARBINARY": []byte("x"), "TIME": wall} {
		c := column{role: value, typ: typ}
		c.kind, _ = sqlServer{}.kind(columnType{typ: typ})
		if got, problem := src.text(&c, in); got != "" || !strings.HasPrefix(problem, "is "+typ) {
			t.Errorf("%s: got %q, %q", typ, got, problem)
		}
	}
}

func TestSQLServerConfiguration(t *testing.T) {
	base := Options{Type: SQLServer, Server: `LIMSSQL01.example.org\LABWARE`, Database: "LABWARE_PROD", User: "limsbridge_ro",
		Orders: Query{View: "whoop.orders"}, Results: Query{View: "whoop.results"}}
	tests := []struct {
		name   string
		change func(*Options)
		check  func(msdsn.Config) bool
	}{
		{"encrypted and verified by default", func(*Options) {}, func(c msdsn.Config) bool {
			return c.Encryption == msdsn.EncryptionRequired && !c.TLSConfig.InsecureSkipVerify && c.TLSConfig.ServerName == "LIMSSQL01.example.org" && c.TLSConfig.MinVersion == tls.VersionTLS12
		}},
		{"host and instance", func(*Options) {}, func(c msdsn.Config) bool {
			return c.Host == "LIMSSQL01.example.org" && c.Instance == "LABWARE" && c.Port == 0 && c.LogFlags == 0
		}},
		{"host and port", func(o *Options) { o.Server = "db:1499" }, func(c msdsn.Config) bool { return c.Host == "db" && c.Port == 1499 }},
		{"unverified", func(o *Options) { o.Encrypt = EncryptUnverified }, func(c msdsn.Config) bool {
			return c.Encryption == msdsn.EncryptionRequired && c.TLSConfig.InsecureSkipVerify
		}},
		{"off", func(o *Options) { o.Encrypt = EncryptOff }, func(c msdsn.Config) bool { return c.Encryption == msdsn.EncryptionOff }},
		{"loopback", func(o *Options) { o.Server = `localhost\SQLEXPRESS` }, func(c msdsn.Config) bool { return c.Encryption == msdsn.EncryptionOff }},
		{"loopback, but verified", func(o *Options) { o.Server, o.Encrypt = "127.0.0.1", EncryptVerified }, func(c msdsn.Config) bool {
			return c.Encryption == msdsn.EncryptionRequired && !c.TLSConfig.InsecureSkipVerify
		}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			o := base
			test.change(&o)
			o, err := o.withDefaults()
			if err != nil {
				t.Fatal(err)
			}
			c, err := sqlServer{}.config(o, "")
			if err != nil || !test.check(c) {
				t.Errorf("%v: %+v %+v", err, c, c.TLSConfig)
			}
		})
	}
}

// SQL Server's errors by number; its words are shown only where they name objects.
func TestSQLServerErrors(t *testing.T) {
	const words = "Conversion failed when converting the varchar value 'SENTINEL-5.40' to data type int."
	ss := newSession(Options{Type: SQLServer, Server: "db", QueryTimeout: time.Minute}, sqlServer{})
	for _, test := range []struct {
		number int32
		class  uint8
		want   any
		text   string
	}{
		{1222, 16, new(*Busy), "lock"},
		{1205, 13, new(*Busy), "deadlock"},
		{18456, 14, new(*Misfit), "login failed"},
		{4060, 11, new(*Unavailable), "database"},
		{208, 16, new(*Misfit), "SENTINEL"}, // names an object
		{229, 14, new(*Misfit), "GRANT SELECT"},
		{8155, 16, new(*Misfit), "AS"},
		{245, 16, new(*Misfit), "not shown"},
		{8114, 16, new(*Misfit), "not shown"},
		{911, 16, new(*Misfit), "SENTINEL"}, // names a database
		{927, 14, new(*Unavailable), "restored"},
		{976, 14, new(*Unavailable), "failing over"},
		{18401, 14, new(*Unavailable), "starting"},
		{978, 14, new(*Misfit), "read_only_intent"},
		{824, 24, new(*Unavailable), "824"},
	} {
		err := ss.explain(t.Context(), Results, fmt.Errorf("driver: %w", mssql.Error{Number: test.number, Class: test.class, Message: words}))
		if !errors.As(err, test.want) || !contains(err, test.text) || (!slices.Contains([]string{"SENTINEL", "GRANT SELECT", "AS", "login failed"}, test.text) && contains(err, "SENTINEL")) {
			t.Errorf("%d: got %T %v", test.number, err, err)
		}
	}
	for message, want := range map[string]string{
		"Login failed for user 'LAB\\SRV$'.":                     `login failed for user "LAB\\SRV$" (`,
		"Login failed for user ''.":                              `login failed for user "" (`,
		"Login failed. The login is from an untrusted domain":    "login failed (",
		"Échec de l'ouverture de session de l'utilisateur 'sa'.": "login failed (",
	} {
		if err := ss.explain(t.Context(), Results, mssql.Error{Number: 18456, Class: 14, Message: message}); !contains(err, want) {
			t.Errorf("%s: got %v, want %s", message, err, want)
		}
	}
	err := ss.explain(t.Context(), "", mssql.Error{Number: 12345, Class: 16, Message: words})
	if _, ok := errors.AsType[*Unavailable](err); !ok || contains(err, "SELECT") || contains(err, "SENTINEL") {
		t.Errorf("an error that is about no source: got %T %v", err, err)
	}
	if err := ss.explain(t.Context(), Results, errors.New("driver: password=SENTINEL")); contains(err, "SENTINEL") {
		t.Errorf("an unknown error is shown: %v", err)
	}
	if err := ss.explain(t.Context(), "", errors.New("TLS Handshake failed: tls: failed to parse certificate from server: x509: negative serial number")); !contains(err, "negative serial number") {
		t.Errorf("got %v", err)
	}
}
