package lims

// What PostgreSQL tells: pg_class and its functions for rights are open to everybody.

func (postgres) account() string { return "SELECT quote_ident(current_user)" }

// missing looks the name up as the server would, but without the error that a schema without USAGE
// would be.
func (postgres) missing(object string) string {
	return "WITH named AS (SELECT parse_ident(" + literal(object) + ") AS part),\n" +
		"found AS (SELECT c.oid, c.relname, n.oid AS schema, n.nspname FROM named, pg_catalog.pg_class AS c JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace\n" +
		"WHERE c.relname = part[cardinality(part)] AND CASE WHEN cardinality(part) > 1 THEN n.nspname = part[cardinality(part) - 1] ELSE n.nspname = ANY(current_schemas(true)) OR n.nspname = 'public' END)\n" +
		"SELECT format('GRANT USAGE ON SCHEMA %I TO %I;', nspname, current_user) FROM found WHERE NOT has_schema_privilege(schema, 'USAGE')\n" +
		"UNION ALL SELECT format('GRANT SELECT ON %I.%I TO %I;', nspname, relname, current_user) FROM found WHERE NOT has_table_privilege(oid, 'SELECT')"
}

// writable looks at columns, too: a right on one of them is none on the table.
func (postgres) writable() string {
	return "SELECT 'everything, since it is a superuser' FROM pg_catalog.pg_roles WHERE rolname = current_user AND rolsuper\n" +
		"UNION ALL (SELECT format('%I.%I', n.nspname, c.relname) FROM pg_catalog.pg_class AS c JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace\n" +
		"WHERE c.relkind IN ('r', 'p', 'v', 'f') AND n.nspname <> 'information_schema' AND n.nspname NOT LIKE 'pg\\_%'\n" +
		"AND has_schema_privilege(n.oid, 'USAGE') AND\n" +
		"(has_table_privilege(c.oid, 'INSERT, UPDATE, DELETE, TRUNCATE') OR has_any_column_privilege(c.oid, 'INSERT, UPDATE')) ORDER BY 1 LIMIT 5)"
}

func (postgres) writes(a answer) []string { return untilEverything(a.last()) }

func (postgres) encrypted() string {
	return "SELECT CASE WHEN ssl THEN version || ', ' || cipher END FROM pg_catalog.pg_stat_ssl WHERE pid = pg_backend_pid()"
}

func (postgres) dirty(string) string { return "" } // PostgreSQL shows nothing that may be rolled back

func (postgres) explained(st statement, _ column) []statement {
	return []statement{{text: "EXPLAIN (FORMAT JSON, VERBOSE) " + st.text, args: st.args}}
}

// steps reads EXPLAIN (FORMAT JSON, VERBOSE).
func (d postgres) steps(a answer) (steps []Step) {
	bitmap := ""
	eachObject(a, func(o map[string]string) {
		node, index := o["Node Type"], o["Index Name"]
		if node == "Bitmap Index Scan" { // its table is that of the node around it
			bitmap = index
			return
		}
		s := Step{Table: o["Relation Name"], Index: index}
		if s.Table == "" {
			return
		}
		if o["Schema"] != "" {
			s.Table = o["Schema"] + "." + s.Table
		}
		switch {
		case node == "Bitmap Heap Scan":
			s.Index = bitmap
		case node == "Seq Scan" || index != "" && o["Index Cond"] == "":
			s.Whole = true
			if c := comparedColumn(o["Filter"]); c != "" {
				s.MakeIndex = d.index(s.Table, c)
			}
		}
		steps = append(steps, s)
	})
	return steps
}

func (postgres) needs() LeftOut { return LeftOut{} }

func (postgres) index(table, column string) string {
	return "CREATE INDEX CONCURRENTLY ON " + table + " (" + column + ");"
}
