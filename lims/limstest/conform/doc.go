// Package conform holds the rules that reading keeps on every kind of database: one suite of tests,
// run against each database of labs_test.go. It has no code of its own besides its tests.
//
// Each file holds the rules about one thing: pages_test.go (every row once and in order, whatever
// happens between two pages), stamps_test.go (late, missing, future, coarse and local stamps),
// clock_test.go (a server's clock that is off), types_test.go (what the database holds is what the row says), release_test.go (what
// changes without a change stamp), drift_test.go (a view that changes while it is read), loss_test.go
// (a connection that breaks, at every step), session_test.go (read-only, short, last in every queue)
// and faults_test.go, tls_test.go and recovery_test.go (what a person is told, and that reading goes on by itself
// once it is mended). late_test.go lets transactions commit out of order, and the
// benchmarks measure a sweep over a million rows and what a LIMS's own writers lose to the bridge.
//
// SQL Server and Oracle are servers that were written for the tests (lims/tdstest and lims/oratest), to which
// the real drivers speak, and real ones only where one is named. Rules that need the lab's own SQL leave Oracle out.
//
// What it does not check: the statements and parameters of each dialect, which are tested beside
// their code, and what the bridge makes of the rows.
package conform
