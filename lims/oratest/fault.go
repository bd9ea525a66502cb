package oratest

import (
	"fmt"
	"strings"
)

// Step is where in the life of a connection something goes wrong.
type Step int

// The steps, in their order.
const (
	AtAccept    Step = iota + 1 // the connection stands, nothing was said
	AtConnect                   // the listener was asked for a service
	AtLogin                     // the password has arrived and is not answered
	AtStatement                 // a statement has arrived; Fault.Statement says which
)

// Do is what goes wrong.
type Do int

// What can go wrong.
const (
	Close    Do = iota + 1 // the connection is closed
	Hang                   // nothing more is said; a break ends it
	HangDeaf               // nothing more is said, not even to a break
	Fail                   // Fault.Error is told
	Warn                   // AtLogin: Fault.Error is told, and the client let in
)

// Error is one of Oracle's errors.
type Error struct {
	Code    int
	Message string // behind ORA-nnnnn:
	Ends    bool   // the session is over
}

func (e Error) Error() string { return fmt.Sprintf("ORA-%05d: %s", e.Code, e.Message) }

// Fault is something that goes wrong.
type Fault struct {
	At        Step
	Do        Do
	Error     Error  // of Fail and Warn; AtConnect the listener's
	Statement string // AtStatement: what the statement's text must hold; "" is any
	Rows      int    // AtStatement: how many rows are sent before, and of the next one a half, where no break is answered; 0 is nothing at all
}

// Inject makes something go wrong from now on; remove ends it.
func (s *Server) Inject(f Fault) (remove func()) {
	p := &f
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = append(s.faults, p)
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		for i := range s.faults {
			if s.faults[i] == p {
				s.faults = append(s.faults[:i:i], s.faults[i+1:]...)
				break
			}
		}
	}
}

// fault returns the fault that is due at a step, or nil.
func (s *Server) fault(at Step, text string) *Fault {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, f := range s.faults {
		if f.At == at && strings.Contains(text, f.Statement) {
			due := *f
			return &due
		}
	}
	return nil
}
