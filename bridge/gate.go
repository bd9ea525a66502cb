package bridge

import (
	"context"
	"time"
)

// gate says why a call must wait, or "", or lookFirst. It is asked right before every call.
func (t *turn) gate(ctx context.Context, a Action) (waitReason, error) {
	if t.eff.halt.Load() {
		return waitHalted, nil
	}
	if a.Kind == Look {
		return "", nil
	}
	if !t.settings.Send {
		return waitObserve, nil
	}
	reason, probe := waitReason(""), false
	braked, count, begun := false, 0, false
	t.ledger.View(func(s *State) {
		if reason = waitReason(s.Stopped()); reason != "" {
			return
		}
		for _, test := range a.Tests {
			if s.Paused(test) {
				reason = waitPaused
			}
		}
		if b := s.Breakers[a.Kind]; b.Open() && reason == "" {
			reason = waitBreaker
			probe = b.Probe
		}
		if a.Kind == SubmitReport && correction(a.Report.Status) {
			braked, count = s.CorrectionsBraked(t.settings.Brake, t.at)
			for _, x := range s.Stops {
				begun = begun || x.Kind == CorrectionsBrake
			}
		}
	})
	switch {
	case braked:
		if !begun {
			t.log.Error("more corrections than plausible; they stop until `limsbridge resume --brake corrections`", "count", count)
			return waitBrake, t.commit(ctx, Event{At: time.Now(), Kind: StopEvent, Detail: CorrectionsBrake, Count: count})
		}
		return waitBrake, nil
	case reason != waitBreaker:
		return reason, nil
	}
	if !t.takeProbe(a.Kind) {
		return reason, nil
	}
	if probe {
		return "", nil
	}
	// The breaker is open and nothing tells yet that WHOOP answers again: a look finds out.
	return lookFirst, nil
}

// takeProbe takes the right to make the one call that an open breaker allows. A turn keeps it
// until the call's outcome is on disk, or the turn ends.
func (t *turn) takeProbe(k ActionKind) bool {
	if t.probe == k {
		return true
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.probing[k] || t.probe != "" || t.eff.refuted[k] {
		return false
	}
	t.probing[k] = true
	t.probe = k
	return true
}

// refute notes that the one call which an open breaker allowed ended in doubt as well: no other
// turn of this pass tries again, however many looks are answered meanwhile.
func (t *turn) refute() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.eff.refuted == nil {
		t.eff.refuted = map[ActionKind]bool{}
	}
	t.eff.refuted[t.probe] = true
}

// endProbe gives that right back.
func (t *turn) endProbe() {
	if t.probe == "" {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.probing, t.probe)
	t.probe = ""
}
