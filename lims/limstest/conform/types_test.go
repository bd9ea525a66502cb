package conform_test

import (
	"strings"
	"testing"
	"time"

	"limsbridge/lims"
)

// What the database holds is what the row says, digit by digit. What has no text of the lab's own is the
// problem of its row, which never shows the value.
func TestTypes(t *testing.T) {
	const id = "0b8f6a1e-9d0c-4b52-8a1f-00112233aabb"
	tests := []struct {
		name, column, typ string
		in                any
		get               func(lims.Row) string
		want, problem     string
	}{
		{"decimal keeps its digits", "value", "decimal", "5.4000", valueOf, "5.4000", ""},
		{"negative decimal", "value", "decimal", "-12345678.0001", valueOf, "-12345678.0001", ""},
		{"text as it is written", "value", "text", " <0.50 ", valueOf, " <0.50 ", ""},
		{"text beyond ASCII", "value", "text", "µmol/L ≥ 5 · 陽性", valueOf, "µmol/L ≥ 5 · 陽性", ""},
		{"quotation marks", "value", "text", `it's "5.4"`, valueOf, `it's "5.4"`, ""},
		{"NULL is empty", "value", "decimal", nil, valueOf, "", ""},
		{"NULL text is empty", "value", "text", nil, valueOf, "", ""},
		{"float is refused", "value", "float", "5.4", valueOf, "", "value is "},
		{"bit is refused", "value", "bool", true, valueOf, "", "value is "},
		{"date is refused as a value", "value", "date", "2026-11-01", valueOf, "", "value is DATE, and must be text"},
		{"integer", "value", "id", -12, valueOf, "-12", ""},
		{"UUID", "requisition_id", "uuid", id, func(r lims.Row) string { return r.Requisition }, id, ""},
		{"UUID as text keeps its letters", "requisition_id", "text", strings.ToUpper(id), func(r lims.Row) string { return r.Requisition }, strings.ToUpper(id), ""},
		{"fixed length loses its padding", "order_code", "fixed", "GLU", codeOf, "GLU", ""},
		{"variable length keeps its blanks", "order_code", "text", "GLU ", codeOf, "GLU ", ""},
		{"number as code", "order_code", "id", 7, codeOf, "7", ""},
		{"64 characters", "order_code", "text", strings.Repeat("ä", 64), codeOf, strings.Repeat("ä", 64), ""},
		{"65 characters", "order_code", "text", strings.Repeat("ä", 65), codeOf, "", "order_code is longer than 64 characters"},
		{"33 characters of unit", "unit", "text", strings.Repeat("m", 33), func(r lims.Row) string { return r.Unit }, "", "unit is longer than 32 characters"},
		{"date", "birth_date", "date", "1980-02-29", birthOf, "1980-02-29", ""},
		{"date-time as date", "birth_date", "stamp", "1980-02-29 00:00:00", birthOf, "1980-02-29", ""},
		{"text as date", "birth_date", "text", "1980-02-29", birthOf, "1980-02-29", ""},
		{"text that is no date", "birth_date", "text", "29.02.1980", birthOf, "", "birth_date is no date"},
		{"no date of this world", "birth_date", "text", "1981-02-29", birthOf, "", "birth_date is no date"},
	}
	databases(t, func(t *testing.T, d database) {
		for _, test := range tests {
			if test.typ == "bool" && d.kind() == lims.SQLite {
				test.want, test.problem = "1", "" // it has no such type: what it holds is a number
			}
			if test.typ == "decimal" && test.want != "" {
				test.want = d.decimal(test.want)
			}
			t.Run(test.name, func(t *testing.T) {
				source, columns := lims.Results, resultColumns("id", "stamp")
				if test.column == "birth_date" {
					source = lims.Orders
					columns = []column{{"row_id", "id"}, {"changed_at", "stamp"}, {"requisition_id", "uuid"}, {"order_code", "text"}, {"status", "short"}, {"birth_date", "date"}}
				}
				for i := range columns {
					if columns[i].name == test.column {
						columns[i].typ = test.typ
					}
				}
				table := "types_" + strings.ToLower(strings.Trim(strings.Map(func(c rune) rune {
					if c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' {
						return c
					}
					return '_'
				}, test.name), "_"))
				d.create(t, table, columns...)
				d.insert(t, table, []string{"row_id", "changed_at", test.column}, []any{1, "2026-11-01 10:00:00.123", test.in})
				q := lims.Query{View: table}
				row := first(t, d.reader(t, func(o *lims.Options) { o.Orders, o.Results = q, q }), source)
				if got := test.get(row); got != test.want {
					t.Errorf("got %q, want %q", got, test.want)
				}
				if !strings.HasPrefix(row.Problem, test.problem) || (test.problem == "") != (row.Problem == "") {
					t.Errorf("problem %q, want %q", row.Problem, test.problem)
				}
				if in, ok := test.in.(string); ok && row.Problem != "" && strings.Contains(row.Problem, in) {
					t.Errorf("the problem %q shows the value", row.Problem)
				}
				if !row.Changed.Equal(time.Date(2026, 11, 1, 10, 0, 0, 123e6, time.UTC)) {
					t.Errorf("changed at %v (stamp %q)", row.Changed, row.Stamp)
				}
			})
		}
	})
}

func valueOf(r lims.Row) string { return r.Value }
func codeOf(r lims.Row) string  { return r.OrderCode }
func birthOf(r lims.Row) string { return r.BirthDate }

// With float_digits a binary number is written out with as many places.
func TestFloatDigits(t *testing.T) {
	databases(t, func(t *testing.T, d database) {
		columns := resultColumns("id", "stamp")
		columns[5].typ = "float"
		d.create(t, "results", columns...)
		d.insert(t, "results", []string{"row_id", "changed_at", "value"}, []any{1, "2026-11-01 10:00:00", "5.4"})
		r := d.reader(t, func(o *lims.Options) { o.FloatDigits = 2 })
		if row := first(t, r, lims.Results); row.Value != "5.40" || row.Problem != "" {
			t.Errorf("got %+v", row)
		}
	})
}

// Describe tells the columns and what is wrong with them, also of a source that cannot be read.
func TestDescribe(t *testing.T) {
	databases(t, func(t *testing.T, d database) {
		d.create(t, "lab", column{"Row_Id", "id"}, column{"CHANGED_AT", "stamp"}, column{"service_request_id", "uuid"}, column{"order_code", "text"},
			column{"result_code", "text"}, column{"value", "float"}, column{"status", "short"}, column{"extra", "short"})
		d.create(t, "half", column{"order_code", "text"})
		r := d.reader(t, func(o *lims.Options) { o.Orders, o.Results = lims.Query{View: "half"}, lims.Query{View: "lab"} })
		desc, err := r.Describe(t.Context(), lims.Results)
		if err != nil || len(desc.Columns) != 8 || len(desc.Problems) != 1 || !strings.Contains(desc.Problems[0], "value is ") || !strings.Contains(desc.Problems[0], "loses digits") {
			t.Errorf("results: %+v, %v", desc, err)
		}
		roles := map[string]string{}
		for _, c := range desc.Columns {
			roles[c.Role] = c.Name
			if c.Type == "" {
				t.Errorf("%s has no type", c.Name)
			}
		}
		if !strings.EqualFold(roles["row_id"], "Row_Id") || !strings.EqualFold(roles[""], "extra") || roles["requisition_id"] != "" { // Oracle has names in capitals
			t.Errorf("roles: %v", roles)
		}
		desc, err = r.Describe(t.Context(), lims.Orders)
		if err != nil || len(desc.Problems) != 1 || !strings.Contains(strings.ToLower(desc.Problems[0]), "missing columns row_id, changed_at, requisition_id, status; the source has order_code") {
			t.Errorf("orders: %+v, %v", desc, err)
		}
	})
}
