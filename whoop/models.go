package whoop

import (
	"encoding/json"
	"time"

	"github.com/google/uuid"
)

// BusinessStatus is a task_business_status of the Healthcare Partner API.
type BusinessStatus string

// The published business statuses: the happy path in its order, then the issues, which are
// terminal.
const (
	OrderConfirmed      BusinessStatus = "ORDER_CONFIRMED"
	AppointmentAttended BusinessStatus = "APPOINTMENT_ATTENDED"
	PartialResultsReady BusinessStatus = "PARTIAL_RESULTS_READY"
	FullResultsReady    BusinessStatus = "FULL_RESULTS_READY"
	AppointmentIssue    BusinessStatus = "APPOINTMENT_ISSUE"
	ResultsIssue        BusinessStatus = "RESULTS_ISSUE"
	OrderIssue          BusinessStatus = "ORDER_ISSUE"
)

// Rank is the place of s on the happy path, 1 to 4; 0 for the empty status, -1 for an issue or
// a status that is not published.
func (s BusinessStatus) Rank() int {
	switch s {
	case "":
		return 0
	case OrderConfirmed:
		return 1
	case AppointmentAttended:
		return 2
	case PartialResultsReady:
		return 3
	case FullResultsReady:
		return 4
	}
	return -1
}

// Issue reports whether s is one of the terminal issue statuses.
func (s BusinessStatus) Issue() bool {
	return s == AppointmentIssue || s == ResultsIssue || s == OrderIssue
}

// ReportStatus is the status of a diagnostic report.
type ReportStatus string

// The report statuses that the bridge uses.
const (
	ReportFinal     ReportStatus = "final"
	ReportPartial   ReportStatus = "partial"
	ReportAmended   ReportStatus = "amended"
	ReportCorrected ReportStatus = "corrected"
)

// ObservationStatus is a FHIR ObservationStatus.
type ObservationStatus string

// The observation statuses that the bridge uses.
const (
	ObservationFinal          ObservationStatus = "final"
	ObservationCorrected      ObservationStatus = "corrected"
	ObservationEnteredInError ObservationStatus = "entered-in-error"
)

// Service request statuses (FHIR RequestStatus) that are published.
const (
	RequestActive    = "active"
	RequestCompleted = "completed"
	RequestRevoked   = "revoked" // cancelled by WHOOP
)

// LabRequisition is one lab order with all its service requests. Unknown fields are tolerated;
// of the patient only what the patient check needs is decoded.
type LabRequisition struct {
	ID              uuid.UUID        `json:"id"`
	CreatedAt       time.Time        `json:"created_at"`
	UpdatedAt       time.Time        `json:"updated_at"`
	Patient         Patient          `json:"patient"`
	ServiceRequests []ServiceRequest `json:"service_requests"`
}

// Patient is the part of a requisition's patient that the bridge looks at. It lives in memory
// only and prints as nothing.
type Patient struct {
	// BirthDate is YYYY-MM-DD, or "" where this partner's requisitions do not carry it.
	BirthDate string `json:"birth_date"`
}

// String keeps the patient out of every log and error.
func (Patient) String() string { return "patient" }

// GoString keeps the patient out of %#v as well.
func (Patient) GoString() string { return "patient" }

// ServiceRequest is one ordered test or panel.
type ServiceRequest struct {
	ID             uuid.UUID      `json:"id"`
	Status         string         `json:"status"`
	Intent         string         `json:"intent"`
	Code           string         `json:"code"`
	BusinessStatus BusinessStatus `json:"task_business_status"` // "" for null
}

// StatusUpdate is the body of both status calls.
type StatusUpdate struct {
	BusinessStatus BusinessStatus `json:"task_business_status"`
	Reason         string         `json:"reason,omitempty"`
}

// Report is the body of the results call: one diagnostic report.
type Report struct {
	Status       ReportStatus  `json:"status"`
	Observations []Observation `json:"observations"`
}

// Observation is one measured value of a report. Exactly one of Numeric and Text is set by the
// bridge; Numeric is the JSON number literal with the lab's own digits.
type Observation struct {
	Code    string            `json:"code"`
	Numeric json.Number       `json:"value_numeric,omitempty"`
	Text    string            `json:"value_text,omitempty"`
	Unit    string            `json:"unit,omitempty"`
	Status  ObservationStatus `json:"status"`
}
