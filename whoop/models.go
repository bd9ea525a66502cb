package whoop

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"
	"unicode/utf8"

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

// LabRequisition is one lab order with all its service requests. Unknown fields are tolerated, and
// so are strange contents of the fields that the bridge can do without (the times, intent, the
// patient's other fields); of the patient only what the patient check needs is decoded.
type LabRequisition struct {
	ID              uuid.UUID
	CreatedAt       time.Time
	UpdatedAt       time.Time
	Patient         Patient
	ServiceRequests []ServiceRequest
}

// UnmarshalJSON decodes the body of the requisition call.
func (r *LabRequisition) UnmarshalJSON(text []byte) error {
	var got struct {
		ID              uuid.UUID        `json:"id"`
		CreatedAt       lax[time.Time]   `json:"created_at"`
		UpdatedAt       lax[time.Time]   `json:"updated_at"`
		Patient         lax[Patient]     `json:"patient"`
		ServiceRequests []ServiceRequest `json:"service_requests"`
	}
	if err := json.Unmarshal(text, &got); err != nil {
		return errors.New("not a requisition") // json's errors repeat the input
	}
	*r = LabRequisition{got.ID, got.CreatedAt.Value, got.UpdatedAt.Value, got.Patient.Value, got.ServiceRequests}
	return nil
}

// Patient is the part of a requisition's patient that the bridge looks at. It lives in memory
// only and prints as nothing.
type Patient struct {
	// BirthDate is YYYY-MM-DD, or "" where this partner's requisitions do not carry it. What is
	// no date stands here as it came (not a text: "unreadable"), so that it equals no date.
	BirthDate string
}

// UnmarshalJSON decodes a patient; a time after the birth date is left out.
func (p *Patient) UnmarshalJSON(text []byte) error {
	var got struct {
		BirthDate any `json:"birth_date"`
	}
	if json.Unmarshal(text, &got) != nil {
		return errors.New("not a patient")
	}
	switch date := got.BirthDate.(type) {
	case nil:
		p.BirthDate = ""
	case string:
		p.BirthDate = dateOf(date)
	default:
		p.BirthDate = "unreadable"
	}
	return nil
}

// dateOf cuts the time off a date-time.
func dateOf(text string) string {
	text = strings.TrimSpace(text)
	if len(text) > len(time.DateOnly) && strings.ContainsRune("Tt ", rune(text[len(time.DateOnly)])) {
		if day := text[:len(time.DateOnly)]; isDate(day) {
			return day
		}
	}
	return text
}

func isDate(text string) bool {
	_, err := time.Parse(time.DateOnly, text)
	return err == nil
}

// Format prints nothing of the patient under any verb.
func (Patient) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, "patient") }

// MarshalText keeps the patient out of JSON and of structured logs.
func (Patient) MarshalText() ([]byte, error) { return []byte("patient"), nil }

// ServiceRequest is one ordered test or panel.
type ServiceRequest struct {
	ID             uuid.UUID
	Status         string
	Intent         string
	Code           string
	BusinessStatus BusinessStatus // "" for null
}

// UnmarshalJSON decodes a service request; without its id it is none.
func (s *ServiceRequest) UnmarshalJSON(text []byte) error {
	var got struct {
		ID             uuid.UUID      `json:"id"`
		Status         string         `json:"status"`
		Intent         lax[string]    `json:"intent"`
		Code           string         `json:"code"`
		BusinessStatus BusinessStatus `json:"task_business_status"`
	}
	if json.Unmarshal(text, &got) != nil || got.ID == uuid.Nil {
		return errors.New("not a service request")
	}
	*s = ServiceRequest{got.ID, got.Status, got.Intent.Value, got.Code, got.BusinessStatus}
	return nil
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

// Check says what keeps the report from being written as the contract wants it, without telling
// any value; nil if nothing does.
func (r Report) Check() error {
	if len(r.Observations) == 0 {
		return errors.New("the report has no observation")
	}
	for i, o := range r.Observations {
		what := ""
		switch {
		case o.Code == "":
			what = "has no code"
		case o.Numeric == "" && o.Text == "":
			what = "has no value"
		case o.Numeric != "" && !isNumber(string(o.Numeric)):
			what = "has a value_numeric that is not a JSON number"
		case !utf8.ValidString(o.Code + o.Text + o.Unit):
			what = "holds text that is not UTF-8"
		default:
			continue
		}
		return fmt.Errorf("observation %d of the report %s", i+1, what)
	}
	return nil
}

// isNumber reports whether text is exactly a JSON number (RFC 8259, 6).
func isNumber(text string) bool {
	return text != "" && (text[0] == '-' || '0' <= text[0] && text[0] <= '9') &&
		text[len(text)-1] > ' ' && json.Valid([]byte(text))
}
