package main

import (
	"slices"
	"strings"
	"testing"
	"time"

	"limsbridge/bridge"
	"limsbridge/bridge/control"
)

// What status says ends a stop, a brake or a pause does end it, and that one alone.
func TestWhatStatusSaysEndsIt(t *testing.T) {
	at := time.Date(2026, 12, 1, 12, 0, 0, 0, time.UTC)
	begin := []bridge.Event{
		{At: at, Kind: bridge.StopEvent, Detail: bridge.ForbiddenStop},
		{At: at, Kind: bridge.StopEvent, Detail: bridge.CorrectionsBrake, Count: 21},
		{At: at, Kind: bridge.ActEvent, Act: bridge.PauseAct, Tests: []string{"CBC"}, By: "A. Lab", Why: "reagent"},
	}
	for i := range begin {
		var s bridge.State
		for _, e := range begin {
			s.Apply(e)
		}
		told := stops(s)
		if len(told) != len(begin) {
			t.Fatalf("status tells %+v", told)
		}
		end := bridge.Event{At: at, Kind: bridge.ActEvent, Act: bridge.ResumeAct}
		words := strings.Fields(told[i].Ends)
		if n := slices.Index(words, "--test"); n > 0 {
			end.Tests = words[n+1:]
		}
		if n := slices.Index(words, "--brake"); n > 0 {
			end.Act, end.Detail, end.Count = bridge.ReleaseAct, words[n+1], 1
		}
		s.Apply(end)
		left := stops(s)
		if len(left) != len(begin)-1 || slices.ContainsFunc(left, func(x control.Stop) bool { return x.Kind == told[i].Kind }) {
			t.Errorf("%q leaves %+v", told[i].Ends, left)
		}
	}
}
