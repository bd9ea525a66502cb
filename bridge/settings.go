package bridge

import "time"

// Settings are the choices of the lab that are not about codes. Their defaults and reasons stand
// in package config.
type Settings struct {
	// Send is mode: send. Without it everything is done but sending: looks are made, nothing else.
	Send bool
	// StartFrom: what changed in the LIMS before is never sent. Zero only without Send.
	StartFrom time.Time

	Every          time.Duration // between two passes
	LookBack       time.Duration // of each pass, for late commits
	HourlyLookBack time.Duration // once an hour: local time repeats an hour in autumn
	Sweep          time.Duration // how far the nightly sweep reads back

	Settle      time.Duration // a service request's results rest this long before a report
	IssueSettle time.Duration // an issue status rests this long
	// UnmeasurableSettle is how long a required observation must stay unmeasurable before
	// RESULTS_ISSUE, with ReportUnmeasurable.
	UnmeasurableSettle time.Duration
	// ReportUnmeasurable is on_not_measurable: issue. Without it such a request is held.
	ReportUnmeasurable bool
	// HoldCorrections is corrections: hold.
	HoldCorrections bool
	// WithdrawnValue is the text that stands for a withdrawn result whose row shows no value any more.
	WithdrawnValue string
	// AdoptProgress takes over ORDER_CONFIRMED and APPOINTMENT_ATTENDED that somebody else set.
	AdoptProgress bool
	// PatientCheck compares the birth date where both sides carry it.
	PatientCheck bool

	DoubtAfter time.Duration // a status in doubt is looked at this long after its attempt ended
	LookFor    time.Duration // a look is fresh for this long
	// LookForReport is for how long it is fresh enough for the first report of a service request: so long may
	// a report that somebody entered by hand, or a cancellation, stay unseen.
	LookForReport time.Duration
	Gap           time.Duration // a gap in passes that makes every look stale
	PendingAfter  time.Duration // sent, then pending again: held after this long

	Brake    Brake
	Parallel int // requisitions that are worked on at the same time
}

// Brake says how much at once is implausible.
type Brake struct {
	Corrections int     // in a rolling day, and
	Percent     float64 // of the day's reports
	FirstPass   int     // service requests in the first pass that sends
}

// Fixed says which settings are not for the lab to choose; config starts from them.
func Fixed() Settings {
	return Settings{
		UnmeasurableSettle: 24 * time.Hour,
		LookFor:            24 * time.Hour,
		LookForReport:      10 * time.Minute,
		Gap:                time.Hour,
		PendingAfter:       72 * time.Hour,
	}
}
