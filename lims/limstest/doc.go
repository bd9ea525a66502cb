// Package limstest is a synthetic clinical lab: a LIMS database of its own on a SQLite file, the
// people and instruments that move it along, and the truth about what a bridge beside it must
// have sent at the end.
//
// What it promises:
//
//   - The same seed gives the same lab: the same requisitions, the same rows, the same values, the
//     same truth. Everything is decided when the lab is made; only the stamps are the wall clock's.
//   - The tables are a small LabWare (sample, test, result, one-letter words), and the two views
//     whoop_orders and whoop_results fulfil the view contract of the bridge's configuration.
//   - The lab writes as labs do: small transactions, several changes under one stamp, row ids that
//     are not in the order of time, results rows that appear as pending before they are verified.
//   - Two versions of one value are at least Options.CorrectionGap apart, whatever the machine does.
//     With Options.Arrived the lab also waits, within its patience, until the version before has
//     arrived at the far side, as people correct what they have seen reported. Then the truth is
//     exact, also on a slow machine.
//
// What it does not do: it knows nothing of the bridge, of WHOOP's API or of the reader, so that it
// can contradict them. It never deletes a row, never leaves a stamp NULL and never commits late;
// those are cases for tests of the reader.
//
// # Types of the views' columns
//
// changed_at is declared DATETIME and holds text such as "2026-11-22 13:05:07.123" (milliseconds,
// in Options.Zone, no offset); it sorts as text within one zone, and both base columns are indexed
// together with the row id. row_id is an INTEGER, birth_date is declared DATE and holds
// "1961-04-07". Every other column is TEXT. The file is in WAL mode: a reader that opens it with
// mode=ro runs beside the lab without blocking it.
package limstest
