package sandbox

import "time"

// FHIR statuses of a service request.
const (
	active    = "active"
	completed = "completed"
	revoked   = "revoked"
)

// The happy path; its order is the index.
var happyPath = []string{"", "ORDER_CONFIRMED", "APPOINTMENT_ATTENDED", "PARTIAL_RESULTS_READY", "FULL_RESULTS_READY"}

// Places on the happy path.
const (
	attended = 2
	partial  = 3
	full     = 4
	issue    = -1
)

var businessStatuses = map[string]bool{
	"ORDER_CONFIRMED": true, "APPOINTMENT_ATTENDED": true, "PARTIAL_RESULTS_READY": true, "FULL_RESULTS_READY": true,
	"APPOINTMENT_ISSUE": true, "RESULTS_ISSUE": true, "ORDER_ISSUE": true,
}

// place is where a status stands on the happy path, or issue.
func place(status string) int {
	for i, s := range happyPath {
		if s == status {
			return i
		}
	}
	return issue
}

// setStatus sets the business status of all the requests or of none. c.mu is held.
func (c *call) setStatus(all []*request, success answer) answer {
	var asked struct {
		Status *string `json:"task_business_status"`
		Reason *string `json:"reason"`
	}
	if err := decode(c.body, &asked); err != nil {
		return c.invalid(err.Error())
	}
	if asked.Status == nil || !businessStatuses[*asked.Status] {
		return c.invalid("task_business_status is missing or unknown")
	}
	status := c.intern(*asked.Status)
	for _, t := range all {
		if v := t.judgeStatus(status); v != "" {
			c.counts.Violations[v]++
			if !c.o.Lenient {
				return c.invalid("the status cannot follow: " + string(v))
			}
			break
		}
	}
	for _, t := range all {
		t.business = status
		set := Status{At: c.now, Status: status, Fault: c.fault}
		if asked.Reason != nil {
			set.Reason = *asked.Reason
		}
		t.statuses = append(t.statuses, set)
		t.requisition.updated = c.now
		if c.o.CompleteOnFull && place(status) == full && t.status != revoked { // what was cancelled stays so
			t.status = completed
		}
		c.counts.Statuses++
	}
	return success
}

// Status is one change of a business status that was accepted.
type Status struct {
	At      time.Time `json:"at"`
	Status  string    `json:"status"`
	Reason  string    `json:"reason,omitempty"`
	Foreign bool      `json:"foreign,omitempty"` // set by SetForeignStatus
	Fault   Fault     `json:"fault,omitempty"`   // what hid the acceptance from the partner
}
