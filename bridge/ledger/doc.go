// Package ledger is the bridge's memory: what was sent, what may have been, and where everything
// stands. It implements bridge.Ledger on two things in one folder:
//
//	journal/2026-11.jsonl   what happened: one line per event, appended, chained by SHA-256, a file per month
//	ledger.db               where things stand: records, cursors, state (bbolt)
//	fingerprint.key         the key of all fingerprints
//	ledger.db.v1-20270304…  a copy from before the format changed, if it ever did
//
// # The promise
//
// When Commit returns numbers, these events are on the disk, and no crash, power cut or older copy
// of ledger.db makes the ledger forget them. If the two do not fit together, nothing is sent until
// a person decides. No value, name or secret is ever stored: events and records have no place for one.
//
// # Why it holds
//
// The journal alone is the durability. One goroutine, the committer, gives numbers, writes the lines
// of all waiting commits at once, syncs, and only then applies them and answers. Everything that an
// event changes, it changes through Record.Apply and State.Apply, so that records and state follow
// from the lines and nothing else.
//
// bbolt is a checkpoint of that: one synced transaction holds the records that changed, the state,
// the cursors and the position of the last line that they stand for, all of one instant. What
// changed since lies in an overlay in memory. So bbolt is always exact for some line, and that line
// was synced before it was applied. A start finds the line, checks it against its sum, and applies
// what follows.
//
// A line that the process did not finish has no newline, and nobody was told of it: it is cut off.
// A line that it finished but did not answer for is kept: an intent more than was meant is in doubt,
// which is safe. An attempt whose call was running when the process ended gets the outcome in doubt.
// Nothing reaches bbolt at a start before the journal's last lines are synced once more, and before
// a stop is in the journal where something is damaged.
//
// A damaged file is never changed: the journal goes on in a new one, whose header says why. Sound
// lines behind the damage are applied all the same, as knowing of an intent is always safer.
//
// # What becomes of it over the years
//
// Records are kept for ever, because corrections come years later. A finished one that nobody
// touched for a year (DetailAge) becomes a tombstone by and by: ids, statuses and fingerprints stay,
// and so do the ids of its rows, by which they are read again; what only served to recognise its rows'
// versions goes (see tombstone). Ten million of them take 3.7 GiB as they grew and 2.7 GiB after
// Compact; the ledger opens as fast as a small one (BenchmarkTenMillion).
//
// Compact, Backup, Restore and a change of the format (migrate) follow one rule: the new file is
// whole and durable before it takes the place of the old one, in one step, and nothing that is in
// place is overwritten by something older. Verify replays the journal from its beginning, by the
// same code, and compares what comes out with what the ledger holds.
//
// # After a failure
//
// After a failed write or sync nobody knows what is on the disk, and asking again would not tell
// (the system may have dropped the pages): the ledger takes nothing more until it is opened again.
//
// # What it does not promise
//
// The chain shows what was changed by accident or by hand in one place; whoever rewrites all that
// follows is not noticed, nor is a folder put back as a whole to an earlier day. Before the position
// of ledger.db a start does not read the journal again; ReadJournal and Verify check all of it. What was noted
// with Note or Advance is durable with the next Flush only: losing it costs reading rows again.
package ledger

import "limsbridge/bridge"

var _ bridge.Ledger = (*Ledger)(nil)
