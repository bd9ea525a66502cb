package bridge

import "time"

// Kinds of Stop. The brakes are released by count, by `limsbridge resume --brake`; the others end
// with `limsbridge resume`.
const (
	ForbiddenStop    = "forbidden"   // WHOOP answered 403
	ForeignStop      = "foreign"     // somebody else uses these credentials
	LedgerStop       = "ledger"      // ledger and journal do not agree
	CorrectionsBrake = "corrections" // more corrections than plausible
	FirstPassBrake   = "first_pass"  // a first pass larger than plausible
)

// Stop is one standing reason not to send.
type Stop struct {
	Kind  string    `json:"kind"`
	Since time.Time `json:"since"`
	Count int       `json:"count,omitempty"` // of a brake: how many were counted
}

// Brake reports whether the stop is released by count.
func (s Stop) Brake() bool { return s.Kind == CorrectionsBrake || s.Kind == FirstPassBrake }

// End is the command that ends the stop.
func (s Stop) End() string {
	if s.Brake() {
		return "limsbridge resume --brake " + s.Kind + " --count N"
	}
	return "limsbridge resume"
}

// Release lets a braked kind go on, by count and for an hour.
type Release struct {
	Kind  string    `json:"kind"`
	Left  int       `json:"left"`
	Until time.Time `json:"until"`
}

// Stopped returns the reason for which nothing at all may be sent, or "".
func (s State) Stopped() string {
	for _, x := range s.Stops {
		if x.Kind != CorrectionsBrake {
			return x.Kind
		}
	}
	return ""
}

// released reports whether a person let this kind go on.
func (s State) released(kind string, at time.Time) bool {
	for _, r := range s.Releases {
		if r.Kind == kind && r.Left > 0 && at.Before(r.Until) {
			return true
		}
	}
	return false
}

// CorrectionsBraked reports whether one more correction would be implausible: the rolling day
// already holds more than b.Corrections of them and they are more than b.Percent of its reports.
// The second result is the day's count, for the Stop that begins then.
func (s State) CorrectionsBraked(b Brake, at time.Time) (bool, int) {
	if s.released(CorrectionsBrake, at) {
		return false, 0
	}
	for _, x := range s.Stops {
		if x.Kind == CorrectionsBrake {
			return true, x.Count
		}
	}
	reports, corrections := 1, 1 // with the one that is about to go
	for _, h := range s.Hours {
		if h.Start.Add(25 * time.Hour).After(at) {
			reports += h.Reports
			corrections += h.Corrections
		}
	}
	return corrections > b.Corrections && float64(corrections)*100 > b.Percent*float64(reports), corrections
}
