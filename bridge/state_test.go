package bridge

import (
	"testing"
	"time"

	"limsbridge/whoop"
)

func TestCorrectionsBrake(t *testing.T) {
	at := time.Date(2026, 12, 1, 12, 0, 0, 0, time.UTC)
	brake := Brake{Corrections: 20, Percent: 5}
	for _, tt := range []struct {
		reports, corrections int
		brakes               bool
	}{
		{0, 19, false},    // the 20th is still allowed
		{0, 20, true},     // the 21st of 21 reports
		{1000, 20, false}, // many, but few of the day's reports
		{1000, 53, true},
	} {
		var s State
		for i := range tt.reports + tt.corrections {
			e := Event{Kind: OutcomeEvent, At: at.Add(-time.Duration(i%20) * time.Hour), Action: SubmitReport, Report: whoop.ReportFinal, Outcome: whoop.Sent}
			if i >= tt.reports {
				e.Kind, e.Report = IntentEvent, whoop.ReportCorrected
			}
			s.Apply(e)
		}
		if got, n := s.CorrectionsBraked(brake, at); got != tt.brakes {
			t.Errorf("%d reports, %d corrections: braked %v (%d)", tt.reports, tt.corrections, got, n)
		}
	}
	var s State
	for range 20 {
		s.Apply(Event{Kind: IntentEvent, At: at, Action: SubmitReport, Report: whoop.ReportCorrected})
	}
	s.Apply(Event{Kind: StopEvent, At: at, Detail: CorrectionsBrake, Count: 21})
	if s.Stopped() != "" {
		t.Error("the brake on corrections stops everything")
	}
	s.Apply(Event{Kind: ActEvent, At: at, Act: ReleaseAct, Detail: CorrectionsBrake, Count: 2})
	for i, want := range []bool{false, false, true} {
		if got, _ := s.CorrectionsBraked(brake, at.Add(time.Minute)); got != want {
			t.Errorf("correction %d after a release of two: braked %v", i+1, got)
		}
		s.Apply(Event{Kind: IntentEvent, At: at, Action: SubmitReport, Report: whoop.ReportCorrected})
	}
	s.Apply(Event{Kind: ActEvent, At: at, Act: ReleaseAct, Detail: CorrectionsBrake, Count: 2})
	if got, _ := s.CorrectionsBraked(brake, at.Add(time.Hour)); !got {
		t.Error("a release lasts longer than an hour")
	}
}

func TestBreaker(t *testing.T) {
	var s State
	out := func(k ActionKind, o whoop.Outcome) { s.Apply(Event{Kind: OutcomeEvent, Action: k, Outcome: o}) }
	out(SubmitReport, whoop.InDoubt)
	out(SetStatus, whoop.Sent)
	if s.Breakers[SubmitReport].Open() {
		t.Error("one doubt opens it")
	}
	out(SubmitReport, whoop.InDoubt)
	if !s.Breakers[SubmitReport].Open() {
		t.Error("two doubts in a row do not open it, with a status that went well between them")
	}
	s.Apply(Event{Kind: LookEvent, Outcome: whoop.InDoubt})
	if s.Breakers[SubmitReport].Probe {
		t.Error("a look without an answer lets a report try")
	}
	s.Apply(Event{Kind: LookEvent, Outcome: whoop.Sent})
	if b := s.Breakers[SubmitReport]; !b.Open() || !b.Probe {
		t.Errorf("a successful look lets one report try, and closes nothing yet: %+v", b)
	}
	out(SubmitReport, whoop.Released)
	if !s.Breakers[SubmitReport].Open() {
		t.Error("a released call closes it, which says nothing of WHOOP's answers")
	}
	out(SubmitReport, whoop.InDoubt)
	if b := s.Breakers[SubmitReport]; b.Probe {
		t.Error("another doubt leaves the right to try")
	}
	s.Apply(Event{Kind: LookEvent, Outcome: whoop.Sent})
	out(SubmitReport, whoop.Sent)
	if s.Breakers[SubmitReport].Open() {
		t.Error("a certain outcome does not close it")
	}
}

func TestPauses(t *testing.T) {
	var s State
	act := func(a string, tests ...string) { s.Apply(Event{Kind: ActEvent, Act: a, Tests: tests, By: "A. Lab"}) }
	act(PauseAct, "CBC")
	if !s.Paused("CBC") || s.Paused("LIPID_PANEL") {
		t.Error("a paused test pauses itself and nothing else")
	}
	act(PauseAct)
	act(ResumeAct, "CBC")
	if !s.Paused("CBC") {
		t.Error("resuming one test ends the pause of everything")
	}
	act(ResumeAct)
	if s.Paused("CBC") {
		t.Error("resume leaves a pause")
	}
	act(PauseAct, "CBC")
	act(PauseAct)
	act(ResumeAct)
	if !s.Paused("CBC") || s.Paused("LIPID_PANEL") {
		t.Error("resuming everything ends the pause of a single test, or not that of everything")
	}
	act(ResumeAct, "CBC")
	s.Apply(Event{Kind: StopEvent, Detail: ForbiddenStop})
	s.Apply(Event{Kind: StopEvent, Detail: FirstPassBrake, Count: 900})
	act(ResumeAct)
	if s.Stopped() != FirstPassBrake {
		t.Errorf("resume ends a 403 and no brake; stopped: %q", s.Stopped())
	}
}

// Sending from before the ledger began needs a person's word for that very instant.
func TestStarted(t *testing.T) {
	created := time.Date(2026, 12, 1, 12, 0, 0, 0, time.UTC)
	chicago := time.FixedZone("CST", -6*60*60)
	from := created.Add(-90 * time.Minute).Add(time.Nanosecond).In(chicago)
	s := State{Created: created}
	act := ConfirmStart(from, created.Add(time.Hour), "A. Lab", "root", "nothing was reported")
	for i, tt := range []struct {
		from             time.Time
		before, afterAct bool
	}{
		{created, true, true},
		{created.Add(time.Second), true, true},
		{from, false, true},
		{from.UTC(), false, true},
		{from.Add(time.Nanosecond), false, false},
		{from.Add(-time.Hour), false, false},
	} {
		after := s.Clone()
		after.Apply(act)
		after.Apply(act)
		if s.Started(tt.from) != tt.before || after.Started(tt.from) != tt.afterAct || len(after.Starts) != 1 {
			t.Errorf("case %d: %v, then %v; %v", i, s.Started(tt.from), after.Started(tt.from), after.Starts)
		}
	}
	bad := act
	bad.Detail = "long ago"
	if s.Apply(bad); len(s.Starts) != 0 {
		t.Errorf("%v", s.Starts)
	}
}
