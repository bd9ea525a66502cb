package sandbox

import (
	"encoding/json"
	"hash/maphash"
	"net/http"
	"time"
)

const (
	active    = "active"
	completed = "completed"
	revoked   = "revoked"
)

// The happy path; its order is the index.
var happyPath = []string{"", "ORDER_CONFIRMED", "APPOINTMENT_ATTENDED", "PARTIAL_RESULTS_READY", "FULL_RESULTS_READY"}

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

var reportStatuses = map[string]bool{
	"final": true, "partial": true, "preliminary": true, "amended": true, "corrected": true, "cancelled": true,
}

var observationStatuses = map[string]bool{
	"registered": true, "preliminary": true, "final": true, "amended": true, "corrected": true, "cancelled": true,
	"entered-in-error": true, "unknown": true,
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

// Violation is something that a partner who follows the published process never does.
type Violation string

// The violations of the order of things.
const (
	Backwards      Violation = "status_backwards"          // to an earlier status
	Repeated       Violation = "status_repeated"           // to the status it has
	Skipped        Violation = "status_skipped"            // past ORDER_CONFIRMED or APPOINTMENT_ATTENDED
	NothingReady   Violation = "ready_without_report"      // *_RESULTS_READY before any report
	AfterIssue     Violation = "after_issue"               // anything after a terminal status
	IssueAfterAll  Violation = "issue_after_results"       // an issue that contradicts what was reported
	ToRevoked      Violation = "to_revoked"                // anything to a request that WHOOP cancelled
	EarlyReport    Violation = "report_before_collection"  // before APPOINTMENT_ATTENDED
	AfterFinal     Violation = "report_after_final"        // neither amended nor corrected, after a final one
	NothingToAmend Violation = "correction_of_nothing"     // corrected or withdrawn what was never sent
	SilentChange   Violation = "change_without_correction" // another value without saying so
	TwiceInOne     Violation = "code_twice_in_report"      // one code twice in one report
)

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
		if c.o.CompleteOnFull && place(status) == full {
			t.status = completed
		}
		c.counts.Statuses++
	}
	return success
}

// judgeStatus says which rule a new status breaks.
func (t *request) judgeStatus(status string) Violation {
	was, will := place(t.business), place(status)
	switch {
	case t.status == revoked:
		return ToRevoked
	case was == issue:
		return AfterIssue
	case status == t.business:
		return Repeated
	case will == issue && (was == full || t.reported > 0 && status != "RESULTS_ISSUE"):
		return IssueAfterAll
	case will == issue:
		return ""
	case will < was:
		return Backwards
	case will > was+1 && was < attended:
		return Skipped
	case will >= partial && t.reported == 0:
		return NothingReady
	}
	return ""
}

// Status is one change of a business status that was accepted.
type Status struct {
	At      time.Time `json:"at"`
	Status  string    `json:"status"`
	Reason  string    `json:"reason,omitempty"`
	Foreign bool      `json:"foreign,omitempty"` // set by SetForeignStatus
	Fault   Fault     `json:"fault,omitempty"`   // what hid the acceptance from the partner
}

// Report is one diagnostic report that was accepted.
type Report struct {
	At           time.Time     `json:"at"`
	Status       string        `json:"status"`
	Observations []Observation `json:"observations"`
	Fault        Fault         `json:"fault,omitempty"` // what hid the acceptance from the partner
}

// Observation is one accepted value. Numeric is the literal of value_numeric exactly as it was
// received, byte for byte; "" where there was none.
type Observation struct {
	Code    string `json:"code"`
	Numeric string `json:"value_numeric,omitempty"`
	Text    string `json:"value_text,omitempty"`
	Unit    string `json:"unit,omitempty"`
	Status  string `json:"status"`
}

// version is the last accepted content of one observation code.
type version struct {
	code      string
	content   uint64 // hash of value and unit
	withdrawn bool
}

var hashSeed = maphash.MakeSeed()

// report accepts a diagnostic report. c.mu is held.
func (c *call) report(t *request) answer {
	r, problem := readReport(c.body)
	if problem != "" {
		return c.invalid(problem)
	}
	if v := t.judgeReport(r); v != "" {
		c.counts.Violations[v]++
		if !c.o.Lenient {
			return c.invalid("the report cannot follow: " + string(v))
		}
	}
	whole := maphash.Bytes(hashSeed, c.body)
	for _, b := range t.bodies {
		if b == whole {
			c.counts.IdenticalBodies++
			break
		}
	}
	t.bodies = append(t.bodies, whole)
	for i := range r.Observations {
		o := &r.Observations[i]
		o.Code, o.Unit, o.Status = c.intern(o.Code), c.intern(o.Unit), c.intern(o.Status)
		now := o.version()
		if last := t.version(o.Code); last == nil {
			t.last = append(t.last, now)
		} else {
			if *last == now {
				c.counts.Duplicates++
			}
			*last = now
		}
	}
	t.reported++
	t.final = t.final || r.Status == "final"
	t.requisition.updated = c.now
	c.counts.Reports++
	c.counts.Observations += len(r.Observations)
	if !c.o.DropReports {
		r.At, r.Status, r.Fault = c.now, c.intern(r.Status), c.fault
		t.reports = append(t.reports, r)
	}
	return answer{code: http.StatusCreated}
}

func (o *Observation) version() version {
	return version{
		code:      o.Code,
		content:   maphash.Comparable(hashSeed, [3]string{o.Numeric, o.Text, o.Unit}),
		withdrawn: o.Status == "entered-in-error",
	}
}

func (t *request) version(code string) *version {
	for i := range t.last {
		if t.last[i].code == code {
			return &t.last[i]
		}
	}
	return nil
}

// judgeReport says which rule a report breaks.
func (t *request) judgeReport(r Report) Violation {
	was := place(t.business)
	correction := r.Status == "corrected" || r.Status == "amended"
	switch {
	case t.status == revoked:
		return ToRevoked
	case was == issue:
		return AfterIssue
	case was < attended:
		return EarlyReport
	case t.final && !correction:
		return AfterFinal
	case correction && t.reported == 0:
		return NothingToAmend
	}
	for i := range r.Observations {
		o := &r.Observations[i]
		for _, other := range r.Observations[:i] {
			if other.Code == o.Code {
				return TwiceInOne
			}
		}
		last := t.version(o.Code)
		switch {
		case last == nil && (r.Status == "corrected" || o.Status == "entered-in-error" || o.Status == "corrected"):
			return NothingToAmend
		case last != nil && !correction && *last != o.version():
			return SilentChange
		}
	}
	return ""
}

// readReport decodes a report strictly; the text says what is wrong with it.
func readReport(text []byte) (Report, string) {
	var asked struct {
		Status       *string `json:"status"`
		Observations []struct {
			Code    *string         `json:"code"`
			Numeric json.RawMessage `json:"value_numeric"`
			Text    *string         `json:"value_text"`
			Unit    *string         `json:"unit"`
			Status  *string         `json:"status"`
		} `json:"observations"`
	}
	if err := decode(text, &asked); err != nil {
		return Report{}, err.Error()
	}
	switch {
	case asked.Status == nil || !reportStatuses[*asked.Status]:
		return Report{}, "the report's status is missing or unknown"
	case len(asked.Observations) == 0:
		return Report{}, "observations are missing"
	}
	r := Report{Status: *asked.Status, Observations: make([]Observation, len(asked.Observations))}
	for i, o := range asked.Observations {
		got := &r.Observations[i]
		switch {
		case o.Code == nil || *o.Code == "":
			return Report{}, "the code of an observation is missing"
		case o.Status == nil || !observationStatuses[*o.Status]:
			return Report{}, "the status of an observation is missing or unknown"
		case o.Numeric == nil && o.Text == nil:
			return Report{}, "the value of an observation is missing"
		case o.Text != nil && *o.Text == "":
			return Report{}, "value_text is empty"
		case o.Numeric != nil && o.Numeric[0] != '-' && (o.Numeric[0] < '0' || o.Numeric[0] > '9'):
			return Report{}, "value_numeric must be a number"
		}
		got.Code, got.Status, got.Numeric = *o.Code, *o.Status, string(o.Numeric)
		if o.Text != nil {
			got.Text = *o.Text
		}
		if o.Unit != nil {
			got.Unit = *o.Unit
		}
	}
	return r, ""
}

// invalid refuses a body. c.mu is held.
func (c *call) invalid(message string) answer {
	c.counts.Refused++
	return refusal(http.StatusUnprocessableEntity, "validation_failed", message)
}
