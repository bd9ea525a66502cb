package bridge

import (
	"maps"
	"slices"
	"time"

	"limsbridge/whoop"
)

// State is where the bridge as a whole stands. Like Record it changes only by Apply.
type State struct {
	Created time.Time `json:"created"` // of the ledger
	// Starts are the instants before Created that a person confirmed as start_from.
	Starts []time.Time `json:"starts,omitempty"`
	// Config is the hash of the configuration that was in force last.
	Config string `json:"config,omitempty"`
	// Intents counts all intents ever; zero means that nothing was ever sent.
	Intents uint64 `json:"intents"`
	// Breakers count what went wrong in a row, for reports and for statuses.
	Breakers map[ActionKind]Breaker `json:"breakers,omitempty"`
	// Minutes counts the calls of the last day by minute (the quota), oldest first.
	Minutes []MinuteCount `json:"minutes,omitempty"`
	// Hours counts the reports of the last day by hour (the brake), oldest first.
	Hours []HourCount `json:"hours,omitempty"`
	// Stops are the reasons for which all sending, or one kind of it, stands still.
	Stops []Stop `json:"stops,omitempty"`
	// Releases are the brakes that a person released for a while.
	Releases []Release `json:"releases,omitempty"`
	// Pauses were asked for by a person.
	Pauses []Pause `json:"pauses,omitempty"`
	// Resumed is when a person last let something go on.
	Resumed time.Time `json:"resumed,omitzero"`
	// Latest is the latest time of an event since the clock was last set back.
	Latest time.Time `json:"latest,omitzero"`
}

// MinuteCount is the number of calls in one minute.
type MinuteCount struct {
	Start time.Time `json:"start"`
	Calls int       `json:"calls"`
}

// HourCount is the number of reports that were accepted in one hour, and of those that were begun
// to correct or amend something.
type HourCount struct {
	Start       time.Time `json:"start"`
	Reports     int       `json:"reports"`
	Corrections int       `json:"corrections"`
}

// Pause is a person's wish that nothing, or nothing of one test, is sent.
type Pause struct {
	Test  string    `json:"test,omitempty"` // WHOOP's order code; "" is everything
	By    string    `json:"by"`
	Why   string    `json:"why"`
	Since time.Time `json:"since"`
}

// releaseFor is how long a released brake stays released.
const releaseFor = time.Hour

// End is the command that ends the pause.
func (p Pause) End() string {
	if p.Test != "" {
		return "limsbridge resume --test " + p.Test
	}
	return "limsbridge resume"
}

// Acts of a person, as ActEvent.Act names them.
const (
	PauseAct   = "pause"   // Tests, or everything
	ResumeAct  = "resume"  // Tests, or the pause of everything; that also ends stops that are no brakes
	ReleaseAct = "release" // Detail: the brake's kind; Count

	ConfirmStartAct = "confirm_start" // Detail: the start_from that is confirmed, as RFC 3339
)

// Apply changes s to how it stands after e: the one place where a journal line changes it.
func (s *State) Apply(e Event) {
	s.Latest = later(s.Latest, e.At)
	switch e.Kind {
	case ClockEvent:
		if e.Key == nil {
			s.setBack(e.At)
		}
	case IntentEvent:
		s.Intents++
		s.call(e.At)
		s.intent(e)
	case LookEvent:
		s.call(e.At)
		for kind, b := range s.Breakers {
			b.Probe = b.Probe || e.Outcome == whoop.Sent
			s.Breakers[kind] = b
		}
	case OutcomeEvent:
		s.outcome(e)
	case ConfigEvent:
		s.Config = e.Config
	case StopEvent:
		if !slices.ContainsFunc(s.Stops, func(x Stop) bool { return x.Kind == e.Detail }) {
			s.Stops = append(s.Stops, Stop{Kind: e.Detail, Since: e.At, Count: e.Count})
		}
	case ActEvent:
		s.act(e)
	}
}

func (s *State) call(at time.Time) {
	start := at.UTC().Truncate(time.Minute)
	if n := len(s.Minutes); n > 0 && !start.After(s.Minutes[n-1].Start) {
		s.Minutes[n-1].Calls++
		return
	}
	s.Minutes = append(s.Minutes, MinuteCount{Start: start, Calls: 1})
	old := at.Add(-25 * time.Hour)
	s.Minutes = slices.DeleteFunc(s.Minutes, func(m MinuteCount) bool { return m.Start.Before(old) })
}

func (s *State) outcome(e Event) {
	if e.Action != SetStatus && e.Action != SubmitReport {
		return
	}
	b, ok := s.Breakers[e.Action]
	switch e.Outcome {
	case whoop.InDoubt:
		if s.Breakers == nil {
			s.Breakers = map[ActionKind]Breaker{}
		}
		s.Breakers[e.Action] = Breaker{Doubts: b.Doubts + 1}
	case whoop.Sent, whoop.Rejected:
		if ok {
			delete(s.Breakers, e.Action)
		}
	case whoop.Released:
		s.unsent(e)
	}
	if e.Action == SubmitReport && e.Outcome == whoop.Sent {
		s.hour(e.At).Reports++
	}
}

// intent counts what brakes look at: when a call is about to be made, so that calls side by side
// do not pass a brake together.
func (s *State) intent(e Event) {
	if e.Action == SubmitReport && correction(e.Report) {
		s.hour(e.At).Corrections++
		s.release(CorrectionsBrake, 1)
	}
	s.release(FirstPassBrake, e.Count)
}

// unsent takes back what intent counted of a call that certainly was not processed: it is made again, and
// brakes look at what is sent, not at how often.
func (s *State) unsent(e Event) {
	if e.Action == SubmitReport && correction(e.Report) {
		for i := len(s.Hours) - 1; i >= 0; i-- {
			if s.Hours[i].Corrections > 0 {
				s.Hours[i].Corrections--
				break
			}
		}
		s.release(CorrectionsBrake, -1)
	}
	s.release(FirstPassBrake, -e.Count)
}

// release uses up n of what a person let go.
func (s *State) release(kind string, n int) {
	for i := range s.Releases {
		if s.Releases[i].Kind == kind {
			s.Releases[i].Left -= n
		}
	}
}

// hour returns the count of the hour of that time.
func (s *State) hour(at time.Time) *HourCount {
	start := at.UTC().Truncate(time.Hour)
	if n := len(s.Hours); n == 0 || start.After(s.Hours[n-1].Start) {
		old := at.Add(-25 * time.Hour)
		s.Hours = slices.DeleteFunc(s.Hours, func(h HourCount) bool { return h.Start.Before(old) })
		s.Hours = append(s.Hours, HourCount{Start: start})
	}
	return &s.Hours[len(s.Hours)-1]
}

func (s *State) act(e Event) {
	if e.Act == ResumeAct || e.Act == ReleaseAct {
		s.Resumed = e.At
	}
	switch e.Act {
	case PauseAct:
		tests := e.Tests
		if len(tests) == 0 {
			tests = []string{""}
		}
		for _, t := range tests {
			s.Pauses = slices.DeleteFunc(s.Pauses, func(p Pause) bool { return p.Test == t })
			s.Pauses = append(s.Pauses, Pause{Test: t, By: e.By, Why: e.Why, Since: e.At})
		}
	case ResumeAct:
		if len(e.Tests) > 0 {
			s.Pauses = slices.DeleteFunc(s.Pauses, func(p Pause) bool { return slices.Contains(e.Tests, p.Test) })
			return
		}
		// Who lets everything go on after a 403 knows nothing of the reagent for which a test waits.
		s.Pauses = slices.DeleteFunc(s.Pauses, func(p Pause) bool { return p.Test == "" })
		s.Stops = slices.DeleteFunc(s.Stops, func(x Stop) bool { return !x.Brake() })
	case ReleaseAct:
		s.Stops = slices.DeleteFunc(s.Stops, func(x Stop) bool { return x.Kind == e.Detail })
		s.Releases = slices.DeleteFunc(s.Releases, func(r Release) bool { return r.Kind == e.Detail })
		s.Releases = append(s.Releases, Release{Kind: e.Detail, Left: e.Count, Until: e.At.Add(releaseFor)})
	case ConfirmStartAct:
		if t, err := time.Parse(time.RFC3339Nano, e.Detail); err == nil && !s.Started(t) {
			s.Starts = append(s.Starts, t.UTC())
		}
	}
}

// Clone returns a copy that shares nothing with s.
func (s State) Clone() State {
	s.Starts = slices.Clone(s.Starts)
	s.Breakers = maps.Clone(s.Breakers)
	s.Minutes = slices.Clone(s.Minutes)
	s.Hours = slices.Clone(s.Hours)
	s.Stops = slices.Clone(s.Stops)
	s.Releases = slices.Clone(s.Releases)
	s.Pauses = slices.Clone(s.Pauses)
	return s
}

// Started reports whether sending may begin with what changed since that instant: not before the
// ledger began, unless a person confirmed it. What was reported before then, it does not know.
func (s State) Started(from time.Time) bool {
	return !from.Before(s.Created) || slices.ContainsFunc(s.Starts, from.Equal)
}

// ConfirmStart is the act by which a person confirms a start_from before the ledger's creation.
func ConfirmStart(from, at time.Time, by, user, why string) Event {
	return Event{At: at, Kind: ActEvent, Act: ConfirmStartAct, Detail: from.UTC().Format(time.RFC3339Nano), By: by, User: user, Why: why}
}

// Paused reports whether a person paused everything, or this test.
func (s State) Paused(test string) bool {
	return slices.ContainsFunc(s.Pauses, func(p Pause) bool { return p.Test == "" || p.Test == test })
}

func correction(r whoop.ReportStatus) bool {
	return r == whoop.ReportCorrected || r == whoop.ReportAmended
}
