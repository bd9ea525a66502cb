package main

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"limsbridge/lims/tdstest"
)

// On SQL Server check says to whom to grant what, what is too much, and what it could not see; and
// --show-sql tells every statement that was sent.
func TestCheckSQLServer(t *testing.T) {
	s := tdstest.Start(t, tdstest.Options{})
	exec := func(database, text string) {
		t.Helper()
		if _, err := s.Open(t, database).ExecContext(t.Context(), text); err != nil {
			t.Fatalf("%s: %v", text, err)
		}
	}
	exec("master", "CREATE DATABASE LIMS")
	exec("LIMS", "CREATE TABLE base_orders (row_id bigint NOT NULL, changed_at datetime NULL, requisition_id uniqueidentifier NULL, order_code varchar(64) NULL, status varchar(64) NULL)")
	exec("LIMS", "CREATE VIEW orders AS SELECT row_id, changed_at, requisition_id, order_code, status FROM base_orders")
	exec("LIMS", "CREATE TABLE base_results (row_id bigint NOT NULL, changed_at datetime NULL, requisition_id uniqueidentifier NULL, order_code varchar(64) NULL, result_code varchar(64) NULL, value float NULL, status varchar(64) NULL)")
	exec("LIMS", "CREATE VIEW results AS SELECT row_id, changed_at, requisition_id, order_code, result_code, value, status FROM base_results")
	text := func(part string, values ...any) {
		res := tdstest.Result{Columns: []tdstest.Column{{Type: tdstest.Type{Name: "nvarchar", Length: 400}}}}
		for _, v := range values {
			res.Rows = append(res.Rows, []any{v})
		}
		s.Answer(part, res)
	}
	text("SELECT N'GRANT SELECT ON ' + N'orders'", "GRANT SELECT ON orders TO [limsbridge_ro];")
	text("SELECT QUOTENAME(USER_NAME())", "[limsbridge_ro]")
	text("sys.objects", "[dbo].[RESULT]")
	text("OBJECT_DEFINITION", "NOLOCK")
	s.Answer("SELECT COUNT(*)", tdstest.Result{Columns: []tdstest.Column{{Type: tdstest.Type{Name: "int"}}}, Rows: [][]any{{int64(0)}}})
	for part, e := range map[string]tdstest.Error{
		"sys.dm_exec_connections": {Number: 300, Class: 14, Message: "VIEW SERVER STATE permission was denied on object 'server', database 'master'."},
		"SET SHOWPLAN_XML ON":     {Number: 262, Class: 14, Message: "SHOWPLAN permission denied in database 'LIMS'."},
	} {
		s.Inject(tdstest.Fault{At: tdstest.AtStatement, Do: tdstest.Fail, Statement: part, Error: e})
	}
	path := file(t, t.TempDir(), "limsbridge.yaml", fmt.Sprintf(`mode: observe
time_zone: UTC
lims: {type: sqlserver, host: %s, port: %d, database: LIMS, login: sql, user: %s, password: '%s', encrypt: verified, ca_file: '%s', orders: orders, results: results, read_only_intent: true}
whoop: {client_id: x, client_secret: plain, url: 'http://127.0.0.1:1'}
`, s.Host, s.Port, s.Reader.User, s.Reader.Password, s.CAFile))
	s.Deny("orders")
	out, status := command(t, "check", "--config", path, "--show-sql")
	tellsAll(t, out,
		"warning configuration", "lims.read_only_intent lets a secondary",
		"ok lims connected as limsbridge_ro to LIMS (Microsoft SQL Server",
		"ok lims TLS TLS 1.", ", as this end negotiated it",
		"ok lims account a DBA grants rights to [limsbridge_ro]",
		"warning lims rights could write [dbo].[RESULT], and never does: REVOKE INSERT, UPDATE, DELETE ON [dbo].[RESULT] FROM [limsbridge_ro];",
		"failure orders the DBA runs: GRANT SELECT ON orders TO [limsbridge_ro];",
		"failure results value is FLOAT, which loses digits",
		"warning results the view reads with NOLOCK",
	)
	if status != exitConfig || strings.Contains(out, s.Reader.Password) {
		t.Errorf("status %d, or it shows the password", status)
	}
	logins := len(s.Logins())
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	without := file(t, t.TempDir(), "limsbridge.yaml", strings.Replace(string(whole), "'"+s.Reader.Password+"'", "secret:never-stored", 1))
	if told, status := command(t, "check", "--config", without); status != exitConfig || len(s.Logins()) != logins {
		t.Errorf("without its password: status %d, %d more logins\n%s", status, len(s.Logins())-logins, told)
	} else {
		tellsAll(t, told, "left out lims not tried: lims.password cannot be had, see above")
	}
	s.Grant("orders")
	second, _ := command(t, "check", "--config", path, "--show-sql") // now that the columns of orders are known
	tellsAll(t, second, "ok orders 5 columns fit the view contract", "left out orders plan it takes a right that the bridge does not need; for one look the DBA runs: GRANT SHOWPLAN TO [limsbridge_ro];", "ok orders stamps every row has a changed_at",
		"warning orders rows none changed in the last 30 days")
	for _, st := range s.Statements() {
		if st.Login.User == s.Reader.User && !strings.Contains(out+second, st.Text) && !strings.HasPrefix(st.Text, "SET LOCK_TIMEOUT") {
			t.Errorf("it was sent and not told:\n%s", st.Text)
		}
	}
}
