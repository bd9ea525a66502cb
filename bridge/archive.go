package bridge

import (
	"time"

	"github.com/google/uuid"

	"limsbridge/whoop"
)

// Archive keeps a copy of every report that leaves, where the lab chose to have one;
// *archive.Archive is it.
//
// The copy comes before the intent, because an intent says that bytes may have left: what may
// have left must be there to be shown, and whatever goes wrong before the intent leaves no doubt
// behind. So a report whose copy fails waits, certainly unsent, and goes by itself once the
// archive works again; statuses, which hold no values, go on meanwhile. A copy without an intent
// that is certainly sent is one of a report that was refused, let go or never attempted: the
// journal tells which.
type Archive interface {
	// Keep returns nil when the copy is on disk. It may be called from several goroutines; its
	// errors hold no value.
	Keep(c Copy) error
}

// Copy is one report right before it leaves. It holds values.
type Copy struct {
	At      time.Time // of its intent in the journal, exactly: by it and Request the two join
	Request uuid.UUID // the service request
	Report  whoop.Report
}

// KeepIn makes the bridge keep a copy of every report. It is called before the first pass.
func (b *Bridge) KeepIn(a Archive) { b.archive = a }

// keep keeps a copy of a report that is about to leave at that time. It returns false if the
// report must wait.
func (t *turn) keep(a Action, at time.Time) bool {
	if t.archive == nil || a.Kind != SubmitReport {
		return true
	}
	err := t.archive.Keep(Copy{At: at, Request: a.Requests[0], Report: a.Report})
	if err == nil {
		return true
	}
	t.wait = waitArchive
	if !t.eff.unkept.Swap(true) { // once per pass: one cause, one line
		t.log.Error("the archive cannot be written; reports wait until it can", "reason", err.Error())
	}
	return false
}
