package lims

import (
	"encoding/xml"
	"strings"
)

// What SQL Server tells: HAS_PERMS_BY_NAME asks for one's own rights and needs none. The plan needs
// SHOWPLAN, the connection's encryption VIEW SERVER STATE; without them they are left out.

// nliteral quotes a text of any alphabet.
func nliteral(s string) string { return "N" + literal(s) }

func (sqlServer) account() string { return "SELECT QUOTENAME(USER_NAME())" }

func (sqlServer) missing(object string) string {
	return "SELECT N'GRANT SELECT ON ' + " + nliteral(object) + " + N' TO ' + QUOTENAME(USER_NAME()) + N';'\n" +
		"WHERE ISNULL(HAS_PERMS_BY_NAME(" + nliteral(object) + ", N'OBJECT', N'SELECT'), 0) = 0"
}

// writable looks at columns, too: a right on one of them (of those that write, UPDATE) is none on the table.
func (sqlServer) writable() string {
	may := func(securable, class string) string {
		var or []string
		for _, right := range []string{"INSERT", "UPDATE", "DELETE"} {
			or = append(or, "HAS_PERMS_BY_NAME("+securable+", N'"+class+"', N'"+right+"') = 1")
		}
		return strings.Join(or, " OR ")
	}
	const name = "QUOTENAME(SCHEMA_NAME(o.schema_id)) + N'.' + QUOTENAME(o.name)"
	return "SELECT N'everything, since it is sysadmin' AS what WHERE IS_SRVROLEMEMBER(N'sysadmin') = 1\n" +
		"UNION ALL SELECT N'everything, since it is db_owner' WHERE IS_ROLEMEMBER(N'db_owner') = 1\n" +
		"UNION ALL SELECT N'every table of the database' WHERE " + may("DB_NAME()", "DATABASE") + "\n" +
		"UNION ALL SELECT w.what FROM (SELECT TOP (5) " + name + " AS what FROM sys.objects AS o\n" +
		"WHERE o.type IN (N'U', N'V') AND (" + may(name, "OBJECT") + "\n" +
		"OR EXISTS (SELECT 1 FROM sys.columns AS c WHERE c.object_id = o.object_id AND HAS_PERMS_BY_NAME(" + name + ", N'OBJECT', N'UPDATE', c.name, N'COLUMN') = 1))) AS w"
}

func (sqlServer) writes(a answer) []string { return untilEverything(a.last()) }

// encrypted: SQL Server tells whether a connection is encrypted, not by which version of TLS.
func (sqlServer) encrypted() string {
	return "SELECT CASE encrypt_option WHEN 'TRUE' THEN 'TLS' ELSE '' END FROM sys.dm_exec_connections WHERE session_id = @@SPID"
}

func (sqlServer) dirty(object string) string {
	text := "OBJECT_DEFINITION(OBJECT_ID(" + nliteral(object) + "))"
	return "SELECT N'NOLOCK' WHERE " + text + " LIKE N'%NOLOCK%'\nUNION ALL SELECT N'READUNCOMMITTED' WHERE " + text + " LIKE N'%READUNCOMMITTED%'"
}

// explained asks for the estimated plan; its session is thrown away, since it would only plan from
// then on. A parameter's value would not be looked at, so that an expression stands for the cursor.
func (sqlServer) explained(st statement, changed column) []statement {
	recently := "CAST(DATEADD(minute, -15, SYSDATETIME()) AS " + strings.ToLower(changed.typ) + ")"
	switch changed.kind {
	case kindVersion:
		recently = "CAST(@@DBTS AS binary(8))"
	case kindInteger, kindDecimal:
		recently = "CAST(9000000000000000000 AS bigint)"
	}
	at := strings.LastIndex(st.text, "\nWHERE ") // the lab's own SELECT before it stays as it is
	where := strings.Replace(st.text[at:], "CAST(@p1 AS smalldatetime)", "@p1", 1)
	return []statement{{text: "SET SHOWPLAN_XML ON"}, {text: st.text[:at] + strings.Replace(where, "@p1", recently, 1)}}
}

// operator is what is read of a RelOp in SHOWPLAN_XML (showplanxml.xsd).
type operator struct {
	name, rows string
	tables     []Step
	predicates []string
}

// steps reads SHOWPLAN_XML.
func (d sqlServer) steps(a answer) (steps []Step) {
	for _, plan := range a.last() {
		around := []*operator{{}} // the operators around the present element
		for x := xml.NewDecoder(strings.NewReader(plan)); ; {
			token, err := x.Token()
			if err != nil {
				break
			}
			switch e := token.(type) {
			case xml.StartElement:
				attr := map[string]string{}
				for _, a := range e.Attr {
					attr[a.Name.Local] = a.Value
				}
				switch o := around[len(around)-1]; e.Name.Local {
				case "RelOp":
					around = append(around, &operator{name: attr["PhysicalOp"], rows: attr["TableCardinality"]})
				case "Object":
					o.tables = append(o.tables, Step{Table: strings.TrimPrefix(attr["Schema"]+"."+attr["Table"], "."), Index: attr["Index"]})
				case "ScalarOperator":
					o.predicates = append(o.predicates, attr["ScalarString"])
				}
			case xml.EndElement:
				if e.Name.Local == "RelOp" {
					steps = append(steps, d.reached(around[len(around)-1])...)
					around = around[:len(around)-1]
				}
			}
		}
	}
	return steps
}

// reached completes the tables of an operator.
func (d sqlServer) reached(o *operator) []Step {
	for i := range o.tables {
		s := &o.tables[i]
		s.Rows, s.Whole = o.rows, strings.HasSuffix(o.name, " Scan")
		for _, p := range o.predicates {
			if c := comparedColumn(p); c != "" && s.Whole {
				s.MakeIndex = d.index(s.Table, c)
			}
		}
	}
	return o.tables
}

func (sqlServer) needs() LeftOut {
	return LeftOut{Reason: "it takes a right that the bridge does not need", Right: "SHOWPLAN"}
}

func (sqlServer) index(table, column string) string {
	return "CREATE INDEX IX_limsbridge_" + column + " ON " + table + " (" + column + ");"
}
