package bridge

import "time"

// waitReason is why something stays unsent although nothing holds it; "" is for nothing. It is
// also what the log counts.
type waitReason string

const (
	// These go by themselves.
	waitQuota    waitReason = "quota"
	waitHalted   waitReason = "halted" // the pass gave up; this record was not tried
	waitSilent   waitReason = "silent" // this record's call stayed without a usable answer
	waitToken    waitReason = "token"
	waitStopping waitReason = "stopping"
	waitBreaker  waitReason = "breaker"
	waitArchive  waitReason = "archive"
	// These end with a decision of a person, or a mended program.
	waitObserve   waitReason = "observe"
	waitPaused    waitReason = "paused"
	waitBrake     waitReason = "brake"
	waitFirstPass waitReason = FirstPassBrake
	waitMistake   waitReason = "mistake" // a plan contradicts the ledger, or does not come to rest

	// lookFirst is the gate's answer where a look must succeed before anything else is tried.
	lookFirst waitReason = "look first"
)

const (
	// blockedFor is how long a record rests that a person's decision (or the mode) holds up. The
	// decision wakes it earlier; until then it is read again once a day, for its holds' sake.
	blockedFor = 24 * time.Hour
	// silentFor is for how many passes a record rests whose call stayed without a usable answer,
	// so that a few that WHOOP cannot serve do not keep the others waiting for ever.
	silentFor = 3
)

// due is when the turn of a record comes again that waits for this reason.
func (w waitReason) due(at time.Time, every time.Duration) time.Time {
	switch w {
	case waitQuota, waitHalted, waitToken, waitStopping, waitBreaker, waitArchive:
		return at
	case waitSilent:
		return at.Add(silentFor * every)
	}
	return at.Add(blockedFor)
}

// own reports whether the reason concerns only the service requests of the call, so that the
// other ones of the requisition may go on.
func (w waitReason) own() bool {
	return w == waitPaused || w == waitBrake || w == waitArchive || w == waitBreaker || w == waitFirstPass
}
