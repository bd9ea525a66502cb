package tdstest

import "strings"

// Step is where in the life of a connection something goes wrong.
type Step int

// The steps, in their order.
const (
	AtAccept    Step = iota + 1 // the connection stands, nothing was said
	AtHandshake                 // after the pre-login, before TLS
	AtLogin                     // the login has arrived and is not answered
	AtStatement                 // a statement has arrived; Fault.Statement says which
)

// Do is what goes wrong.
type Do int

// What can go wrong.
const (
	Close    Do = iota + 1 // the connection is closed
	Hang                   // nothing more is said; an attention is answered
	HangDeaf               // nothing more is said, not even to an attention
	Fail                   // Fault.Error is told; from class 20 on the connection is closed as well
)

// Fault is something that goes wrong.
type Fault struct {
	At        Step
	Do        Do
	Error     Error  // of Fail
	Before    *Error // of Fail: another error, told before that one
	Statement string // AtStatement: what the statement's text must hold; "" is any
	Rows      int    // AtStatement: how many rows are sent before, and of the next one a half, where no attention is answered; 0 is nothing at all
	Times     int    // how often; 0 is until it is removed
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

// fault takes the fault that is due at a step, or nil.
func (s *Server) fault(at Step, text string) *Fault {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, f := range s.faults {
		if f.At != at || !strings.Contains(text, f.Statement) {
			continue
		}
		due := *f
		if f.Times > 0 {
			if f.Times--; f.Times == 0 {
				s.faults = append(s.faults[:i:i], s.faults[i+1:]...)
			}
		}
		return &due
	}
	return nil
}
