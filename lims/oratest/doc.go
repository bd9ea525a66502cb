// Package oratest is a small Oracle Database for tests: it speaks enough of Oracle's protocol over TCP, in
// TLS (TCPS) where a test wishes, for the real driver, keeps tables in memory, and fails in the ways in
// which Oracle Databases fail.
//
// It does: what a listener says (ACCEPT, REFUSE), the negotiation of protocol and types, the login with a
// 12c verifier, in which a wrong password is found out as on a server, queries with parameters, the
// description of their columns, rows in several answers, cursors that are closed, a break that ends a
// statement, and values of the types that laboratory systems use, with Oracle's own rounding, padding, order
// and NULLs. It records every statement with the types of its parameters. What it is told to do wrong (Fault)
// happens at the step where it is told to happen.
//
// The lab's side does not pass through the wire: a test makes, fills and changes tables with the methods of
// Server. Whoever logs in is a reader, of whom only the few shapes of statement that limsbridge sends are
// understood: any other fails the test, so that a new statement is noticed. So does one that compares a
// column with a value of another type, which Oracle would convert, without its index.
//
// It does not promise to be Oracle: it plans nothing, locks nothing, has no SQL of its own beyond those
// shapes, no rights but those that are denied, and no native encryption. Passwords are compared and forgotten.
//
// Oracle publishes no description of its protocol, TNS with TTC inside. What is public is the source of
// drivers: Oracle's own python-oracledb (https://github.com/oracle/python-oracledb, src/oracledb/impl/thin),
// after which packets, messages and fields are named here ([thin] in comments), its sister node-oracledb, and
// go-ora, the driver that reads what this package writes ("as the driver reads it"). What SQL does is that of Oracle's manual "SQL
// Language Reference" ([SQLREF]), errors are those of "Database Error Messages".
package oratest
