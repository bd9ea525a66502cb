package lims

import (
	"slices"
	"strings"
	"testing"
)

// The bare column of a condition is found as each database writes it, and none where what is
// compared is an expression, which no index on a column serves.
func TestComparedColumn(t *testing.T) {
	for condition, want := range map[string]string{
		"(base_results.changed_at >= '2026-11-01 10:00:00'::timestamp without time zone)":                    "changed_at", // PostgreSQL
		"((t.changed_on >= '2026-11-01'::timestamp) AND (t.id IS NOT NULL))":                                 "changed_on",
		"((customer = 'WHOOP'::text) AND (r.changed_on >= '2026-11-01'::timestamp))":                         "changed_on",
		"(GREATEST(a.lastupdated, s.lastupdated) >= '2026-11-01'::timestamp)":                                "",
		"(`lab`.`base_results`.`changed_at` >= <cache>(cast(? as datetime(6))))":                             "changed_at", // MySQL
		"base_orders.changed_at >= <cache>(cast('2026-11-01' as datetime(6)))":                               "changed_at", // MariaDB
		"greatest(t.changed_at,s.changed_at) >= <cache>(cast('2026-11-01' as datetime(6)))":                  "",
		"[LAB].[dbo].[TEST].[CHANGED_ON] as [t].[CHANGED_ON]>=CONVERT(datetime,dateadd(minute,(-15)),0)":     "CHANGED_ON", // SQL Server
		"[Union1006]>=[ConstExpr1008] AND isnull([LAB].[dbo].[SAMPLE].[CHANGED_ON] as [s].[CHANGED_ON],0)=0": "",
		"[Expr1002]>=[@p1]": "",
		"CASE WHEN [a].[x]>=[b].[y] THEN [a].[x] ELSE [b].[y] END>=[@p1]": "",
		"": "",
	} {
		if got := comparedColumn(condition); got != want {
			t.Errorf("%s: %q, want %q", condition, got, want)
		}
	}
}

// What a plan says of one table, as each database writes it.
func TestSteps(t *testing.T) {
	plan := func(text string) answer { return answer{columns: []string{"plan"}, rows: [][]string{{text}}} }
	for name, tt := range map[string]struct {
		got  []Step
		want []Step
	}{
		"MariaDB, several tables of one name in an object": {mySQL{}.steps(plan(`{"query_block": {"select_id": 1,
			"table": {"table_name": "s", "access_type": "ALL", "rows": 900, "attached_condition": "s.customer = 'WHOOP'"},
			"table": {"table_name": "t", "access_type": "ref", "key": "t_sample", "rows": 2},
			"table": {"table_name": "<derived2>", "access_type": "ALL", "rows": 5}}}`)),
			[]Step{{Table: "s", Whole: true, Rows: "900"}, {Table: "t", Index: "t_sample", Rows: "2"}}},
		"MySQL": {mySQL{}.steps(plan(`{"query_block": {"ordering_operation": {"table": {"table_name": "base", "access_type": "ALL",
			"rows_examined_per_scan": 120000, "attached_condition": "(` + "`lab`.`base`.`changed_on`" + ` >= <cache>(…))"}}}}`)),
			[]Step{{Table: "base", Whole: true, Rows: "120000", MakeIndex: "CREATE INDEX limsbridge_changed_on ON base (changed_on);"}}},
		"PostgreSQL, through a bitmap": {postgres{}.steps(plan(`[{"Plan": {"Node Type": "Sort", "Plans": [{"Node Type": "Bitmap Heap Scan", "Relation Name": "result", "Schema": "lims",
			"Recheck Cond": "…", "Plans": [{"Node Type": "Bitmap Index Scan", "Index Name": "result_changed", "Index Cond": "…"}]}]}}]`)),
			[]Step{{Table: "lims.result", Index: "result_changed"}}},
		"PostgreSQL, through an index for its order only": {postgres{}.steps(plan(`[{"Plan": {"Node Type": "Index Scan", "Relation Name": "result", "Schema": "lims",
			"Index Name": "result_pkey", "Filter": "(result.changed_on >= '…'::timestamp)"}}]`)),
			[]Step{{Table: "lims.result", Index: "result_pkey", Whole: true, MakeIndex: "CREATE INDEX CONCURRENTLY ON lims.result (changed_on);"}}},
		"SQL Server": {sqlServer{}.steps(plan(`<ShowPlanXML xmlns="http://schemas.microsoft.com/sqlserver/2004/07/showplan"><BatchSequence><Batch><Statements><StmtSimple><QueryPlan>
			<RelOp PhysicalOp="Nested Loops"><NestedLoops>
				<RelOp PhysicalOp="Clustered Index Scan" TableCardinality="120000"><IndexScan>
					<Object Database="[LAB]" Schema="[dbo]" Table="[TEST]" Index="[PK_TEST]" Alias="[t]"/>
					<Predicate><ScalarOperator ScalarString="[LAB].[dbo].[TEST].[CHANGED_ON] as [t].[CHANGED_ON]&gt;=CONVERT(datetime,dateadd(minute,(-15),sysdatetime()),0)"/></Predicate></IndexScan></RelOp>
				<RelOp PhysicalOp="Clustered Index Seek" TableCardinality="40000"><IndexScan>
					<Object Database="[LAB]" Schema="[dbo]" Table="[SAMPLE]" Index="[PK_SAMPLE]" Alias="[s]"/></IndexScan></RelOp>
			</NestedLoops></RelOp></QueryPlan></StmtSimple></Statements></Batch></BatchSequence></ShowPlanXML>`)),
			[]Step{{Table: "[dbo].[TEST]", Index: "[PK_TEST]", Whole: true, Rows: "120000", MakeIndex: "CREATE INDEX IX_limsbridge_CHANGED_ON ON [dbo].[TEST] (CHANGED_ON);"},
				{Table: "[dbo].[SAMPLE]", Index: "[PK_SAMPLE]", Rows: "40000"}}},
		"SQLite": {sqliteDialect{}.steps(answer{columns: []string{"id", "detail"}, rows: [][]string{{"1", "SCAN t USING COVERING INDEX t_code"},
			{"2", "SEARCH s USING INTEGER PRIMARY KEY (rowid=?)"}, {"3", "USE TEMP B-TREE FOR ORDER BY"}, {"4", "SCAN r"}}}),
			[]Step{{Table: "t", Index: "t_code", Whole: true}, {Table: "s", Index: "INTEGER PRIMARY KEY"}, {Table: "r", Whole: true}}},
		"no plan at all": {mySQL{}.steps(plan("EXPLAIN is not supported")), nil},
	} {
		if !slices.Equal(tt.got, tt.want) {
			t.Errorf("%s:\n%+v, want\n%+v", name, tt.got, tt.want)
		}
	}
}

// Of SHOW GRANTS only rights that write and what they are on is kept: never a password's hash.
func TestMySQLWrites(t *testing.T) {
	a := answer{columns: []string{"Grants for x@%"}, rows: [][]string{
		{"GRANT USAGE ON *.* TO `x`@`%` IDENTIFIED BY PASSWORD '*6BB4837EB74329105EE4568DDA7DC67ED2CA2AD9'"},
		{"GRANT SELECT, SHOW VIEW ON `whoop`.* TO `x`@`%`"},
		{"GRANT SELECT (a), INSERT (a, b), UPDATE ON `lims`.`result` TO `x`@`%`"},
		{"GRANT ALL PRIVILEGES ON `test`.* TO `x`@`%` WITH GRANT OPTION"},
		{"GRANT CREATE ROUTINE, INSERTED ON `odd`.* TO `x`@`%`"},
		{"GRANT `reader` TO `x`@`%`"},
		{"GRANT DELETE ON `my lab`.* TO `x`@`%`"},
	}}
	want := []string{"`lims`.`result` (INSERT, UPDATE)", "`test`.* (ALL PRIVILEGES)", "`my lab`.* (DELETE)"}
	if got := (mySQL{}).writes(a); !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}

// SQL Server plans a statement without parameters, whose cursor is an expression of the column's own
// type, in a session that does nothing else.
func TestSQLServerExplained(t *testing.T) {
	for typ, want := range map[string]string{
		"DATETIME":      "lb.[changed_at] >= CAST(DATEADD(minute, -15, SYSDATETIME()) AS datetime)",
		"SMALLDATETIME": "lb.[changed_at] >= CAST(DATEADD(minute, -15, SYSDATETIME()) AS smalldatetime)",
		"DATETIME2":     "lb.[changed_at] >= CAST(DATEADD(minute, -15, SYSDATETIME()) AS datetime2)",
		"BINARY":        "lb.[changed_at] >= CAST(@@DBTS AS binary(8))",
		"BIGINT":        "lb.[changed_at] >= CAST(9000000000000000000 AS bigint)",
	} {
		changed := column{role: changedAt, name: "changed_at", typ: typ}
		changed.kind, _ = sqlServer{}.kind(columnType{name: "changed_at", typ: typ, length: 8})
		src := &source{d: sqlServer{}, from: syntax{}.derived("whoop.orders", true), changed: changed, id: column{role: rowID, name: "row_id", typ: "INT", kind: kindInteger}, columns: []column{changed}}
		st, err := src.stampedPage(sample(changed), nil, 10)
		if err != nil {
			t.Fatal(err)
		}
		e := sqlServer{}.explained(st, changed)
		own := &source{d: sqlServer{}, from: syntax{}.derived("SELECT * FROM t\nWHERE mail LIKE '%@p1%'", false), changed: changed, id: src.id, columns: src.columns}
		if st, err := own.stampedPage(sample(changed), nil, 10); err != nil || !strings.Contains(sqlServer{}.explained(st, changed)[1].text, "'%@p1%'\n) AS lb\nWHERE "+want) {
			t.Errorf("%s: the lab's own SELECT: %v %+v", typ, err, sqlServer{}.explained(st, changed))
		}
		if len(e) != 2 || e[0].text != "SET SHOWPLAN_XML ON" || !strings.Contains(e[1].text, want) || strings.Contains(e[1].text, "@p") || len(e[1].args) > 0 {
			t.Errorf("%s: %+v", typ, e)
		}
	}
}
