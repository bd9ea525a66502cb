package lims_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"limsbridge/lims"
	"limsbridge/lims/tdstest"
)

// What SQL Server tells of the reader's end comes through the real driver, and the session that was
// asked for a plan, which would only plan from then on, reads nothing afterwards.
func TestSQLServerInspection(t *testing.T) {
	w := newWire(t, tdstest.Options{})
	w.results(t, nil)
	w.exec(t, "INSERT INTO base_results (row_id, changed_at, status) VALUES (1, '2026-11-01 10:00:31.857', 'A')")
	answers := func(text, typ string, values ...any) {
		res := tdstest.Result{Columns: []tdstest.Column{{Name: "", Type: tdstest.Type{Name: typ, Length: 4000}}}}
		for _, v := range values {
			res.Rows = append(res.Rows, []any{v})
		}
		w.Answer(text, res)
	}
	answers("N'GRANT SELECT ON '", "nvarchar", "GRANT SELECT ON results TO [limsbridge_ro];")
	answers("SELECT QUOTENAME(USER_NAME())", "nvarchar", "[limsbridge_ro]")
	answers("sys.objects", "nvarchar", "[dbo].[RESULT]", "[dbo].[TEST]")
	answers("sys.dm_exec_connections", "nvarchar", "TLS")
	answers("OBJECT_DEFINITION", "nvarchar", "NOLOCK")
	w.Answer("SELECT COUNT(*)", tdstest.Result{Columns: []tdstest.Column{{Name: "", Type: tdstest.Type{Name: "int"}}}, Rows: [][]any{{int64(3)}}})
	w.Answer("SET SHOWPLAN_XML ON", tdstest.Result{})
	answers("DATEADD(minute, -15", "nvarchar", `<ShowPlanXML><RelOp PhysicalOp="Table Scan" TableCardinality="900"><Object Schema="[dbo]" Table="[base_results]"/>`+
		`<ScalarOperator ScalarString="[LIMS].[dbo].[base_results].[changed_at]&gt;=CONVERT(datetime,dateadd(minute,(-15),sysdatetime()),0)"/></RelOp></ShowPlanXML>`)

	r := w.reader(t, nil)
	ctx := t.Context()
	texts := func(list []string, err error) string {
		if err != nil {
			t.Error(err)
		}
		return strings.Join(list, " ")
	}
	one := func(text string, err error) string { return texts([]string{text}, err) }
	for what, got := range map[string][2]string{
		"account":    {one(r.Account(ctx)), "[limsbridge_ro]"},
		"missing":    {texts(r.Missing(ctx, lims.Results)), "GRANT SELECT ON results TO [limsbridge_ro];"},
		"writable":   {texts(r.Writable(ctx)), "[dbo].[RESULT] [dbo].[TEST]"},
		"encryption": {one(r.Encryption(ctx)), "TLS"},
		"dirty":      {one(r.Dirty(ctx, lims.Results)), "NOLOCK"},
		"unstamped":  {one(r.CountUnstamped(ctx, lims.Results)), "3"},
	} {
		if got[0] != got[1] {
			t.Errorf("%s: %q, want %q", what, got[0], got[1])
		}
	}
	// A right on one column is none on its table, and is asked for, too.
	if all := w.Statements(); !slices.ContainsFunc(all, func(st tdstest.Statement) bool {
		return strings.Contains(st.Text, "FROM sys.columns AS c WHERE c.object_id = o.object_id AND HAS_PERMS_BY_NAME(") && strings.Contains(st.Text, ", N'OBJECT', N'UPDATE', c.name, N'COLUMN') = 1")
	}) {
		t.Error("it is not asked which columns could be written")
	}
	took, n, err := r.Measure(ctx, lims.Results, time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC))
	if err != nil || n != 1 || took <= 0 {
		t.Errorf("%d rows in %s, %v", n, took, err)
	}
	logins := len(w.Logins())
	steps, err := r.Plan(ctx, lims.Results, time.Now())
	want := []lims.Step{{Table: "[dbo].[base_results]", Whole: true, Rows: "900", MakeIndex: "CREATE INDEX IX_limsbridge_changed_at ON [dbo].[base_results] (changed_at);"}}
	if err != nil || !slices.Equal(steps, want) {
		t.Errorf("%+v %v", steps, err)
	}
	if rows, _, err := pollAll(t, r, lims.Cursor{}, 0); err != nil || len(rows) != 1 {
		t.Errorf("after the plan: %d rows, %v", len(rows), err)
	}
	if now := len(w.Logins()); now != logins+1 {
		t.Errorf("%d connections instead of one more than %d: the session that plans is used on", now, logins)
	}
	told := r.Statements()
	for _, st := range w.Statements() {
		if st.Login.User == w.Reader.User && !slices.Contains(told, st.Text) && !strings.Contains(st.Text, "; SET ") {
			t.Errorf("run and not told:\n%s", st.Text)
		}
	}
}

// What SQL Server tells only with a right that the bridge does not need is left out.
func TestSQLServerInspectionWithoutRights(t *testing.T) {
	w := newWire(t, tdstest.Options{})
	w.results(t, nil)
	for text, e := range map[string]tdstest.Error{
		"sys.dm_exec_connections": {Number: 300, Class: 14, Message: "VIEW SERVER STATE permission was denied on object 'server', database 'master'."},
		"SET SHOWPLAN_XML ON":     {Number: 262, Class: 14, Message: "SHOWPLAN permission denied in database 'LIMS'."},
	} {
		w.Inject(tdstest.Fault{At: tdstest.AtStatement, Do: tdstest.Fail, Statement: text, Error: e})
	}
	r := w.reader(t, nil)
	_, encryption := r.Encryption(t.Context())
	_, plan := r.Plan(t.Context(), lims.Results, time.Now())
	for _, err := range []error{encryption, plan} {
		var left *lims.LeftOut
		if !errors.As(err, &left) || strings.Contains(err.Error(), "GRANT") {
			t.Errorf("%T %v", err, err)
		}
	}
	if _, _, err := pollAll(t, r, lims.Cursor{}, 0); err != nil {
		t.Errorf("afterwards: %v", err)
	}
}
