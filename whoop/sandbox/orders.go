package sandbox

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/google/uuid"
)

// Requisition is a lab order to put into the sandbox.
type Requisition struct {
	ID              uuid.UUID `json:"id"` // zero: made up
	Patient         Patient   `json:"patient"`
	ServiceRequests []Order   `json:"service_requests"`
}

// Patient is a patient with the fields that some partners get.
type Patient struct {
	ID         string `json:"id"`
	FirstName  string `json:"first_name,omitempty"`
	LastName   string `json:"last_name,omitempty"`
	BirthDate  string `json:"birth_date,omitempty"`
	Gender     string `json:"gender,omitempty"`
	Email      string `json:"email,omitempty"`
	Phone      string `json:"phone,omitempty"`
	NationalID string `json:"national_id,omitempty"`
}

// Order is one service request of a requisition.
type Order struct {
	ID             uuid.UUID `json:"id"` // zero: made up
	Code           string    `json:"code"`
	Status         string    `json:"status,omitempty"`               // "": active
	BusinessStatus string    `json:"task_business_status,omitempty"` // "": null
}

type requisition struct {
	id               uuid.UUID
	patient          Patient
	created, updated time.Time
	requests         []*request
}

type request struct {
	id          uuid.UUID
	requisition *requisition
	code        string
	status      string
	business    string
	statuses    []Status
	reports     []Report
	reported    int // reports accepted
	final       bool
	last        []version
	bodies      []uint64
}

// AddRequisition puts an order in and returns its id. The ids of its service requests are filled
// into r.ServiceRequests where they were zero.
func (s *Server) AddRequisition(r Requisition) (uuid.UUID, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.add(r)
}

// add is AddRequisition while s.mu is held.
func (s *Server) add(r Requisition) (uuid.UUID, error) {
	now := s.o.Now()
	if r.ID == uuid.Nil {
		r.ID = s.newID()
	}
	if s.requisitions[r.ID] != nil {
		return r.ID, fmt.Errorf("requisition %s exists", r.ID)
	}
	if len(r.ServiceRequests) == 0 {
		return r.ID, errors.New("a requisition needs at least one service request")
	}
	q := &requisition{id: r.ID, patient: r.Patient, created: now, updated: now}
	for i := range r.ServiceRequests {
		o := &r.ServiceRequests[i]
		if o.ID == uuid.Nil {
			o.ID = s.newID()
		}
		if o.Status == "" {
			o.Status = active
		}
		if s.requests[o.ID] != nil || o.Code == "" || o.BusinessStatus != "" && !businessStatuses[o.BusinessStatus] {
			return r.ID, fmt.Errorf("service request %s exists, has no code or an unknown status", o.ID)
		}
		q.requests = append(q.requests, &request{
			id: o.ID, requisition: q, code: s.intern(o.Code), status: s.intern(o.Status), business: s.intern(o.BusinessStatus),
		})
	}
	for _, t := range q.requests {
		s.requests[t.id] = t
	}
	s.requisitions[q.id] = q
	s.added = append(s.added, q)
	return q.id, nil
}

// newID makes up a version 4 UUID from the seed. s.mu is held.
func (s *Server) newID() uuid.UUID {
	rng := rand.New(rand.NewPCG(s.o.Seed, s.ids))
	s.ids++
	var id uuid.UUID
	for i := range id {
		id[i] = byte(rng.Uint32())
	}
	id[6], id[8] = id[6]&0x0f|0x40, id[8]&0x3f|0x80
	return id
}

// Revoke cancels a service request, or all of a requisition, as WHOOP would.
func (s *Server) Revoke(id uuid.UUID) error {
	return s.change(id, func(t *request) { t.status = revoked })
}

// SetForeignStatus sets a business status as someone else with the same credentials would: of a
// service request, or of a whole requisition. "" is null.
func (s *Server) SetForeignStatus(id uuid.UUID, status string) error {
	if status != "" && !businessStatuses[status] {
		return fmt.Errorf("%q is no business status", status)
	}
	return s.change(id, func(t *request) {
		t.business = status
		t.statuses = append(t.statuses, Status{At: s.o.Now(), Status: status, Foreign: true})
	})
}

func (s *Server) change(id uuid.UUID, f func(*request)) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []*request
	if t := s.requests[id]; t != nil {
		all = []*request{t}
	} else if q := s.requisitions[id]; q != nil {
		all = q.requests
	} else {
		return fmt.Errorf("%s is neither a requisition nor a service request", id)
	}
	for _, t := range all {
		f(t)
		t.requisition.updated = s.o.Now()
	}
	return nil
}

// shownRequest is a service request as the API shows it.
type shownRequest struct {
	ID             uuid.UUID `json:"id"`
	Status         string    `json:"status"`
	Intent         string    `json:"intent"`
	Code           string    `json:"code"`
	BusinessStatus *string   `json:"task_business_status"`
	Description    string    `json:"task_description"`
	Version        int       `json:"meta_version"` // not published: a client must tolerate it
}

func (t *request) show() shownRequest {
	shown := shownRequest{ID: t.id, Status: t.status, Intent: "order", Code: t.code, Description: "", Version: len(t.statuses) + 1}
	if t.business != "" {
		b := t.business
		shown.BusinessStatus = &b
	}
	return shown
}

// shownRequisition is a requisition as the API shows it.
type shownRequisition struct {
	ID              uuid.UUID      `json:"id"`
	CreatedAt       time.Time      `json:"created_at"`
	UpdatedAt       time.Time      `json:"updated_at"`
	Patient         Patient        `json:"patient"`
	ServiceRequests []shownRequest `json:"service_requests"`
	Appointments    []appointment  `json:"appointments"`
}

type appointment struct {
	ServiceRequestIDs []uuid.UUID `json:"service_request_ids"`
	StartTime         time.Time   `json:"start_time"`
	SlotID            *string     `json:"slot_id"`
}

func (q *requisition) show() []byte {
	shown := shownRequisition{ID: q.id, CreatedAt: q.created, UpdatedAt: q.updated, Patient: q.patient}
	visit := appointment{StartTime: q.created.Add(24 * time.Hour)}
	for _, t := range q.requests {
		shown.ServiceRequests = append(shown.ServiceRequests, t.show())
		visit.ServiceRequestIDs = append(visit.ServiceRequestIDs, t.id)
	}
	shown.Appointments = []appointment{visit}
	return encode(shown)
}

func encode(v any) []byte {
	text, err := json.Marshal(v)
	if err != nil {
		panic(err) // only types of this package
	}
	return text
}
