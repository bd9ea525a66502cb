package sandbox

import (
	"maps"
	"slices"

	"github.com/google/uuid"
)

// Counts is what the sandbox has seen so far.
type Counts struct {
	Requisitions    int              `json:"requisitions"`
	ServiceRequests int              `json:"service_requests"`
	Calls           map[Endpoint]int `json:"calls"`        // that arrived, by endpoint
	Statuses        int              `json:"statuses"`     // accepted, by service request
	Reports         int              `json:"reports"`      // accepted
	Observations    int              `json:"observations"` // accepted
	// Duplicates are observations that were accepted although the last accepted version of the
	// same service request and code has the same value and unit (a withdrawal differs).
	Duplicates int `json:"duplicates"`
	// IdenticalBodies are reports equal, byte for byte, to an earlier one for the same service
	// request. A value that changes to and fro makes some without being a duplicate.
	IdenticalBodies int               `json:"identical_bodies"`
	Violations      map[Violation]int `json:"violations"`
	Refused         int               `json:"refused"`        // 422
	RateLimited     int               `json:"rate_limited"`   // by the quota, not by a fault
	MaxPerMinute    int               `json:"max_per_minute"` // in any 60 consecutive seconds
	Faults          map[Fault]int     `json:"faults"`
}

func newCounts() Counts {
	return Counts{Calls: map[Endpoint]int{}, Violations: map[Violation]int{}, Faults: map[Fault]int{}}
}

// Counts returns what was counted so far.
func (s *Server) Counts() Counts {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.counts
	c.Calls, c.Violations, c.Faults = maps.Clone(c.Calls), maps.Clone(c.Violations), maps.Clone(c.Faults)
	c.Requisitions, c.ServiceRequests, c.MaxPerMinute = len(s.requisitions), len(s.requests), s.pace.most
	return c
}

// Accepted is what was accepted for one service request.
type Accepted struct {
	ID             uuid.UUID `json:"id"`
	Requisition    uuid.UUID `json:"requisition"`
	Code           string    `json:"code"`
	Status         string    `json:"status"`
	BusinessStatus string    `json:"task_business_status"`
	Statuses       []Status  `json:"statuses"` // in the order of acceptance
	Reports        []Report  `json:"reports"`  // likewise
}

// Accepted returns what was accepted, by service request in the order in which they were added.
func (s *Server) Accepted() []Accepted {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := make([]Accepted, 0, len(s.requests))
	for _, q := range s.added {
		for _, t := range q.requests {
			all = append(all, t.accepted())
		}
	}
	return all
}

// AcceptedFor returns what was accepted for one service request; false: there is none with this id.
func (s *Server) AcceptedFor(id uuid.UUID) (Accepted, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	t := s.requests[id]
	if t == nil {
		return Accepted{}, false
	}
	return t.accepted(), true
}

func (t *request) accepted() Accepted {
	return Accepted{
		ID: t.id, Requisition: t.requisition.id, Code: t.code, Status: t.status, BusinessStatus: t.business,
		Statuses: slices.Clone(t.statuses), Reports: slices.Clone(t.reports),
	}
}
