package tdstest_test

import (
	"context"
	"database/sql"
	"strings"
	"testing"
	"time"

	"github.com/golang-sql/civil"
	mssql "github.com/microsoft/go-mssqldb"

	"limsbridge/lims/tdstest"
)

// What a table of the server holds is what the real driver hands out, of each type.
func TestTypesThroughTheDriver(t *testing.T) {
	at := func(text string) time.Time {
		v, err := time.Parse(time.RFC3339Nano, text)
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	tests := []struct {
		typ  string
		in   string // as a literal of T-SQL
		want any
		name string // as the driver calls the type
	}{
		{"tinyint", "255", int64(255), "TINYINT"},
		{"smallint", "-32768", int64(-32768), "SMALLINT"},
		{"int", "-2147483648", int64(-2147483648), "INT"},
		{"bigint", "9007199254740993", int64(9007199254740993), "BIGINT"},
		{"bit", "1", true, "BIT"},
		{"bit", "0", false, "BIT"},
		{"float", "5.4", 5.4, "FLOAT"},
		{"real", "5.4", float64(float32(5.4)), "REAL"},
		{"decimal(12,4)", "'5.4'", []byte("5.4000"), "DECIMAL"},
		{"decimal(38,10)", "'-1234567890123456789012345678.0123456789'", []byte("-1234567890123456789012345678.0123456789"), "DECIMAL"},
		{"numeric(5,2)", "'0.005'", []byte("0.01"), "DECIMAL"},
		{"numeric(5,0)", "'-7'", []byte("-7"), "DECIMAL"},
		{"money", "'-922337203685477.5808'", []byte("-922337203685477.5808"), "MONEY"},
		{"smallmoney", "'214748.3647'", []byte("214748.3647"), "SMALLMONEY"},
		{"datetime", "'2026-12-01 06:00:31.857'", at("2026-12-01T06:00:31.857Z"), "DATETIME"},
		{"datetime", "'2026-12-01 06:00:31.855'", at("2026-12-01T06:00:31.857Z"), "DATETIME"}, // to the next tick of 1/300 s
		{"datetime", "'1753-01-01 23:59:59.999'", at("1753-01-02T00:00:00Z"), "DATETIME"},
		{"smalldatetime", "'2026-12-01 06:00:29.998'", at("2026-12-01T06:00:00Z"), "SMALLDATETIME"},
		{"smalldatetime", "'2026-12-01 06:00:29.999'", at("2026-12-01T06:01:00Z"), "SMALLDATETIME"},
		{"datetime2(7)", "'2026-12-01 06:00:31.1234567'", at("2026-12-01T06:00:31.1234567Z"), "DATETIME2"},
		{"datetime2(3)", "'2026-12-01 06:00:31.1235'", at("2026-12-01T06:00:31.124Z"), "DATETIME2"},
		{"datetime2(0)", "'9999-12-31 23:59:59'", at("9999-12-31T23:59:59Z"), "DATETIME2"},
		{"datetimeoffset(7)", "'2026-12-01 06:00:31.1234567 +05:30'", at("2026-12-01T06:00:31.1234567+05:30"), "DATETIMEOFFSET"},
		{"datetimeoffset(2)", "'2026-12-01 23:30:00 -06:00'", at("2026-12-01T23:30:00-06:00"), "DATETIMEOFFSET"},
		{"date", "'1980-02-29'", at("1980-02-29T00:00:00Z"), "DATE"},
		{"time(7)", "'23:59:59.9999999'", at("0001-01-01T23:59:59.9999999Z"), "TIME"},
		{"uniqueidentifier", "'0b8f6a1e-9d0c-4b52-8a1f-00112233aabb'", []byte{0x1e, 0x6a, 0x8f, 0x0b, 0x0c, 0x9d, 0x52, 0x4b, 0x8a, 0x1f, 0, 0x11, 0x22, 0x33, 0xaa, 0xbb}, "UNIQUEIDENTIFIER"},
		{"binary(8)", "x'07D1'", []byte{7, 0xd1, 0, 0, 0, 0, 0, 0}, "BINARY"},
		{"varbinary(8)", "x'07D1'", []byte{7, 0xd1}, "VARBINARY"},
		{"varbinary(max)", "x'07D1'", []byte{7, 0xd1}, "VARBINARY"},
		{"varchar(20)", "'5,4 µg€ '", "5,4 µg€ ", "VARCHAR"},
		{"varchar(20)", "N'Ω'", "?", "VARCHAR"}, // the code page has none
		{"varchar(max)", "'Müller'", "Müller", "VARCHAR"},
		{"varchar(max)", "''", "", "VARCHAR"},
		{"nvarchar(20)", "N'Ω 𝛺'", "Ω 𝛺", "NVARCHAR"},
		{"nvarchar(max)", "N'Ω'", "Ω", "NVARCHAR"},
		{"char(6)", "'GLU'", "GLU   ", "CHAR"},
		{"nchar(6)", "N'GLU'", "GLU   ", "NCHAR"},
		{"text", "'long'", "long", "TEXT"},
		{"ntext", "N'long'", "long", "NTEXT"},
		{"xml", "N'<a/>'", "<a/>", "XML"},
	}
	s := tdstest.Start(t, tdstest.Options{})
	db := s.Open(t, "master")
	for _, test := range tests {
		t.Run(test.typ+" "+test.in, func(t *testing.T) {
			for i, null := range []string{"NULL", "NOT NULL", "NULL", "NOT NULL"} {
				i /= 2
				exec(t, db, "CREATE TABLE v (id int NOT NULL, a "+test.typ+" "+null+", b "+test.typ+" NULL)")
				exec(t, db, "INSERT INTO v (id, a, b) VALUES (1, "+test.in+", "+test.in+"), (2, "+test.in+", NULL)")
				// With so many columns the bits of NBCROW take more than one NULL does: both kinds of row are sent.
				columns := "a, b" + strings.Repeat(", id", 80*(i%2))
				rows, err := db.QueryContext(t.Context(), "SELECT "+columns+" FROM v ORDER BY id")
				if err != nil {
					t.Fatal(err)
				}
				types, err := rows.ColumnTypes()
				if err != nil {
					t.Fatal(err)
				}
				nullable, _ := types[0].Nullable()
				if types[0].DatabaseTypeName() != test.name || nullable != (null == "NULL") {
					t.Errorf("type %s, nullable %v", types[0].DatabaseTypeName(), nullable)
				}
				for _, wantB := range []any{test.want, nil} {
					var a, b any
					if !rows.Next() {
						t.Fatal("a row is missing", rows.Err())
					}
					into := []any{&a, &b}
					for len(into) < len(types) {
						into = append(into, new(int))
					}
					if err := rows.Scan(into...); err != nil {
						t.Fatal(err)
					}
					if !same(a, test.want) || !same(b, wantB) {
						t.Errorf("%s: got %#v and %#v, want %#v and %#v", null, a, b, test.want, wantB)
					}
				}
				if rows.Next() || rows.Err() != nil {
					t.Error("more rows", rows.Err())
				}
				exec(t, db, "DROP TABLE v")
			}
		})
	}
}

func same(got, want any) bool {
	switch want := want.(type) {
	case []byte:
		b, ok := got.([]byte)
		return ok && string(b) == string(want)
	case time.Time:
		at, ok := got.(time.Time)
		_, x := at.Zone()
		_, y := want.Zone()
		return ok && at.Equal(want) && x == y
	}
	return got == want
}

// Each parameter is recorded with the type that the driver declared, and arrives as it was sent.
func TestParametersAreRecorded(t *testing.T) {
	wall := time.Date(2026, 12, 1, 6, 0, 31, 857e6, time.UTC)
	tests := []struct {
		in       any
		declared string
		typ      string
		want     any
	}{
		{int64(-7), "bigint", "bigint", int64(-7)},
		{int32(-7), "int", "int", int64(-7)},
		{true, "bit", "bit", int64(1)},
		{5.4, "float", "float", 5.4},
		{"Ω", "nvarchar(1)", "nvarchar(1)", "Ω"},
		{mssql.VarChar("S-1"), "varchar(3)", "varchar(3)", "S-1"},
		{mssql.NVarCharMax("long"), "nvarchar(max)", "nvarchar(max)", "long"},
		{[]byte{7, 0xd1}, "varbinary(2)", "varbinary(2)", []byte{7, 0xd1}},
		{mssql.DateTime1(wall), "datetime", "datetime", "2026-12-01 06:00:31.8566667"},
		{civil.DateTimeOf(wall), "datetime2(7)", "datetime2(7)", "2026-12-01 06:00:31.8570000"},
		{civil.DateOf(wall), "date", "date", "2026-12-01"},
		{mssql.DateTimeOffset(wall.In(time.FixedZone("", 3600))), "datetimeoffset(7)", "datetimeoffset(7)", "2026-12-01 07:00:31.8570000+01:00"},
		{mssql.UniqueIdentifier{0x0b, 0x8f, 0x6a, 0x1e, 0x9d, 0x0c, 0x4b, 0x52, 0x8a, 0x1f, 0, 0x11, 0x22, 0x33, 0xaa, 0xbb}, "uniqueidentifier", "uniqueidentifier", "0B8F6A1E-9D0C-4B52-8A1F-00112233AABB"},
		{nil, "nvarchar(1)", "nvarchar(1)", nil},
	}
	s := tdstest.Start(t, tdstest.Options{})
	db := s.Open(t, "master")
	for _, test := range tests {
		s.Forget()
		var first int
		if err := db.QueryRowContext(t.Context(), "SELECT 1 WHERE @p1 IS NOT NULL OR @p2 = 8", test.in, 8).Scan(&first); err != nil {
			t.Fatalf("%T: %v", test.in, err)
		}
		st := s.Statements()
		p := st[len(st)-1].Params
		if len(p) != 2 || p[0].Declared != test.declared || p[0].Type.String() != test.typ || !same(p[0].Value, test.want) || p[1].Declared != "bigint" {
			t.Errorf("%T: got %+v", test.in, p)
		}
	}
}

func exec(t *testing.T, db *sql.DB, text string, args ...any) {
	t.Helper()
	if _, err := db.ExecContext(context.Background(), text, args...); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
}
