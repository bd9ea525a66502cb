// Package tdstest is a small SQL Server for tests: it speaks enough of MS-TDS over TCP for the real
// driver, keeps tables in memory, and fails in the ways in which SQL Servers fail.
//
// It does: the pre-login negotiation with TLS inside (and without, and with certificates that are
// wrong in each usual way), LOGIN7, SQL batches, sp_executesql with typed parameters, transactions,
// attention, and rows of the types that laboratory systems use, with SQL Server's own rounding,
// padding and order. It records every statement with the types of its parameters. What it is told
// to do wrong (Fault) happens at the step where it is told to happen.
//
// It understands two kinds of login. The writer (Options.Writer) is the test itself: its T-SQL is
// translated for the SQLite that keeps the rows, as far as tests need. Everybody else is a reader,
// of whom only the few shapes of statement that limsbridge sends are understood: any other fails the
// test, so that a new statement is noticed.
//
// It does not promise to be SQL Server: it plans nothing, locks nothing but what is held with TABLOCKX,
// knows no rights but those that are denied, and tells the type of an expression only where it is a CAST
// with a name. Passwords are compared and forgotten.
//
// The protocol is that of [MS-TDS] (Tabular Data Stream Protocol), whose sections are named where
// they are implemented.
package tdstest
