// Package lims reads sample progress and results out of a laboratory's own LIMS database.
//
// It promises: it never writes (read-only sessions, SELECT statements only, see
// Reader.Statements); it uses one connection, short statements with a lock timeout and a time
// limit, filters only on the change column or the row id, and rests in proportion to what the
// last statement cost; it hands out every row whose change stamp lies at or after the cursor less
// the look-back, in the order of (changed_at, row_id); it hands out text exactly as the LIMS holds
// it, decimals with every digit; and a row that it cannot decode is handed out with its problem
// named instead of ending the pass. No error and no notice holds a value of a row, a password or a
// connection string.
//
// It does not promise that a change is handed out only once (it is, again and again, within the
// look-back), nor that changes whose stamp lies before the look-back are seen by polling: that is
// what Since and Unstamped are for. It keeps no state on disk; the cursor belongs to the caller.
//
// README.md tells how each kind of database is read.
package lims
