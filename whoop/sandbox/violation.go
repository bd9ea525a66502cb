package sandbox

import "net/http"

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

// invalid refuses a body. c.mu is held.
func (c *call) invalid(message string) answer {
	c.counts.Refused++
	return refusal(http.StatusUnprocessableEntity, "validation_failed", message)
}
