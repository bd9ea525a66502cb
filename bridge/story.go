package bridge

import (
	"fmt"
	"strings"
)

// Consequence says in words what a verdict on a hold of this kind does.
func Consequence(k HoldKind, v Verdict) string {
	switch {
	case k == Doubt && v == WasReceived:
		return "it counts as sent; statuses and later corrections go on"
	case k == Doubt && v == SendAgain:
		return "it is sent again; if WHOOP has it, it then exists twice"
	case k == Doubt && v == NeverSend:
		return "these versions are never sent; a later version goes out as if it were the first"
	case k == Elsewhere && v == WasReceived:
		return "WHOOP's status is taken over, and what is released now counts as sent"
	case k == Elsewhere && v == SendAgain:
		return "WHOOP's status is taken over, and what is released is sent; what WHOOP has then exists twice"
	case k == Elsewhere:
		return "nothing more is ever sent for this service request"
	case k == OtherPatient && v == SendAgain:
		return "it is the same patient; the results go out"
	case k == NotMeasurable:
		return "the observation is given up and counts as in"
	case k == NotFound && v == SendAgain:
		return "WHOOP is asked again at once"
	case v == SendAgain:
		return "it goes out as the LIMS shows it"
	case v == WasReceived:
		return "it counts as sent"
	}
	return "this version is never sent; what was sent stays, and a later change asks again"
}

// Story tells the event in one line, for an inspector.
func (e Event) Story() string {
	var w []string
	add := func(format string, args ...any) { w = append(w, fmt.Sprintf(format, args...)) }
	switch e.Kind {
	case IntentEvent:
		add("about to send %s", e.what())
	case OutcomeEvent:
		add("%s: %s", e.what(), e.Outcome)
	case LookEvent:
		if e.Key == nil {
			add("looked at WHOOP, and kept nothing of it")
		} else {
			add("looked at WHOOP: %d service requests", len(e.Shown))
		}
	case HoldEvent:
		add("held: %s %s", e.Hold, e.Detail)
	case UnholdEvent:
		add("no longer held: %s %s", e.Hold, e.Detail)
	case DecisionEvent:
		add("decided: %s %s is %s", e.Hold, e.Detail, e.Verdict)
	case StopEvent:
		add("sending stopped: %s", e.Detail)
	case ActEvent:
		add("%s %s", e.Act, strings.Join(append(e.Tests, e.Detail), " "))
	case ConfigEvent:
		add("configuration %.12s in force", e.Config)
	case ClockEvent:
		if e.Key != nil {
			add("the clock was set back: what was noted with a later time counts as noted now")
		} else {
			add("the clock was set back, after it had shown %s", e.Detail)
		}
	default:
		add("%s", e.Kind)
	}
	if e.Row != "" {
		add("%s row %s", e.Source, e.Row)
	}
	if e.Code != 0 {
		add("HTTP %d", e.Code)
	}
	if e.RequestID != "" {
		add("request id %s", e.RequestID)
	}
	if e.Text != "" {
		add("%s", e.Text)
	}
	if e.By != "" {
		add("by %s (%s): %s", e.By, e.User, e.Why)
	}
	return strings.Join(w, ", ")
}

func (e Event) what() string {
	if e.Action == SubmitReport {
		var codes []string
		for _, s := range e.Prints {
			codes = append(codes, s.Code)
		}
		return strings.TrimSpace(fmt.Sprintf("%s report %s", e.Report, strings.Join(codes, " ")))
	}
	return string(e.Status)
}
