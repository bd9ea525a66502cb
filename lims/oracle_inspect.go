package lims

// What Oracle tells: the dictionary's ALL_ and SESSION_ views show everybody their own rights (Oracle
// Database Reference, static data dictionary views).

func (d oracle) account() string { return `SELECT '"' || USER || '"' FROM DUAL` }

// missing takes it that the right is missing: Oracle shows nothing of what one may not read.
func (oracle) missing(object string) string {
	return "SELECT 'GRANT READ ON ' || " + literal(object) + ` || ' TO "' || USER || '";' FROM DUAL`
}

// writable leaves out what belongs to Oracle itself, of which everybody may write some. A user may do
// anything to its own tables. A right on single columns stands among those on columns only.
func (oracle) writable() string {
	const own = " IN (SELECT USERNAME FROM ALL_USERS WHERE ORACLE_MAINTAINED = 'N')"
	return "SELECT WHAT FROM (SELECT 'every table, since it has ' || PRIVILEGE AS WHAT FROM SESSION_PRIVS WHERE PRIVILEGE IN ('INSERT ANY TABLE', 'UPDATE ANY TABLE', 'DELETE ANY TABLE')\n" +
		`UNION ALL SELECT DISTINCT '"' || TABLE_SCHEMA || '"."' || TABLE_NAME || '"' FROM (` + "\n" +
		"SELECT GRANTEE, TABLE_SCHEMA, TABLE_NAME, PRIVILEGE FROM ALL_TAB_PRIVS UNION ALL SELECT GRANTEE, TABLE_SCHEMA, TABLE_NAME, PRIVILEGE FROM ALL_COL_PRIVS)\n" +
		"WHERE PRIVILEGE IN ('INSERT', 'UPDATE', 'DELETE') AND TABLE_SCHEMA" + own + "\n" +
		"AND (GRANTEE IN (USER, 'PUBLIC') OR GRANTEE IN (SELECT ROLE FROM SESSION_ROLES))\n" +
		`UNION ALL SELECT '"' || OWNER || '"."' || TABLE_NAME || '"' FROM ALL_TABLES WHERE OWNER = USER AND OWNER` + own + ")\n" +
		"WHERE ROWNUM <= 5"
}

func (oracle) writes(a answer) []string { return untilEverything(a.last()) }

// encrypted tells of TLS; Oracle's own encryption is shown only to who may read V$SESSION_CONNECT_INFO.
func (oracle) encrypted() string {
	return "SELECT CASE LOWER(SYS_CONTEXT('USERENV', 'NETWORK_PROTOCOL')) WHEN 'tcps' THEN 'TLS' END FROM DUAL"
}

func (oracle) dirty(string) string { return "" } // Oracle shows nothing that may be rolled back

// explained is nothing: EXPLAIN PLAN writes its answer into a table.
func (oracle) explained(statement, column) []statement { return nil }

func (oracle) steps(answer) []Step { return nil }

func (oracle) needs() LeftOut { return LeftOut{} }

func (d oracle) index(table, column string) string {
	return "CREATE INDEX limsbridge_" + column + " ON " + table + " (" + column + ");"
}
