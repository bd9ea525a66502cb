package limstest

import (
	"slices"

	"github.com/google/uuid"
)

// Truth is what must be the case once the lab is done and the bridge beside it has come to rest.
type Truth struct {
	Requisitions []Requisition
}

// Requisition is one lab order: what WHOOP holds of it, and what must have become of it.
type Requisition struct {
	Kind Kind
	ID   uuid.UUID
	// Unknown says that WHOOP does not know the requisition: a look answers 404.
	Unknown bool
	// Written is the requisition id as the LIMS writes it: sometimes in upper case, for BadID mangled.
	Written  string
	Patient  Patient
	Requests []Request
	Holds    []Hold
}

// Patient is the patient as WHOOP knows them. Every text is a sentinel.
type Patient struct {
	ID        uuid.UUID
	FirstName string
	LastName  string
	Email     string
	Phone     string
	BirthDate string // YYYY-MM-DD
}

// Request is one service request.
type Request struct {
	ID   uuid.UUID
	Code string // WHOOP's code of what is ordered
	// Revoked says that WHOOP cancelled it before the lab began.
	Revoked bool
	// Initial is the business status that WHOOP shows before the bridge begins; "" is null.
	Initial string
	// Status is the business status at the end; "" is null.
	Status string
	// Reason is the LIMS's reason of an issue, as the view shows it.
	Reason string
	// Report is the furthest report that must have been accepted: "" (none at all), "partial" or "final".
	Report string
	// Observations are those of which at least one version must have been accepted. No other
	// observation may have been accepted.
	Observations []Observation
}

// Observation is one observation and the versions of it that must have been accepted, in order,
// each exactly once.
type Observation struct {
	Code     string // WHOOP's
	Versions []Version
}

// Version is one version of an observation as it must leave.
type Version struct {
	// Entry is the LIMS's text; Value the literal that must leave, which differs from it only
	// where the LIMS writes .5 for 0.5.
	Entry, Value string
	Numeric      bool
	Unit         string
	Status       string // final, corrected, entered-in-error
	// Report is the kind of report that must carry it: "corrected", "amended", or "" for either
	// of partial and final.
	Report string
	Row    string // row_id in whoop_results
}

// Ref names a row of one of the two views.
type Ref struct {
	Source string // orders, results
	Row    string // row_id
}

// Hold is one thing that a person must be told of.
//
// A bridge fulfils it with at least one hold that it Covers: several rows of one requisition may
// be about the same trouble, and whether a hold names the first of them, each of them or none is
// the bridge's affair. Any hold that no expected one covers is one too many.
type Hold struct {
	Kind        string // in the bridge's words, e.g. unknown_unit
	Requisition uuid.UUID
	Request     uuid.UUID // zero: the rows belong to no service request, or to several
	Rows        []Ref
}

// Covers reports whether an actual hold of that requisition is an instance of h. An empty row
// stands for a hold that names no row.
func (h Hold) Covers(kind, source, row string) bool {
	return h.Kind == kind && (row == "" || slices.Contains(h.Rows, Ref{source, row}))
}

// The kinds of hold that the lab provokes, in the bridge's words.
const (
	holdUnknownOrderCode  = "unknown_order_code"
	holdUnknownResultCode = "unknown_result_code"
	holdUnknownStatus     = "unknown_status"
	holdUnknownUnit       = "unknown_unit"
	holdBadValue          = "bad_value"
	holdBadID             = "bad_id"
	holdNotFound          = "not_found"
	holdNotOrdered        = "not_ordered"
	holdTwoRequests       = "two_requests"
	holdTwoRows           = "two_rows"
	holdNoOrder           = "no_order"
	holdOtherPatient      = "other_patient"
	holdNotMeasurable     = "not_measurable"
	holdContradiction     = "contradiction"
	holdAfterEnd          = "released_after_end"
	holdElsewhere         = "reported_elsewhere"
)

// The business statuses of WHOOP's partner API.
const (
	statusConfirmed = "ORDER_CONFIRMED"
	statusAttended  = "APPOINTMENT_ATTENDED"
	statusPartial   = "PARTIAL_RESULTS_READY"
	statusFull      = "FULL_RESULTS_READY"
	statusNoShow    = "APPOINTMENT_ISSUE"
	statusOrder     = "ORDER_ISSUE"
)

// Counts are the sums over a truth.
type Counts struct {
	Requisitions, Requests int
	Observations           int // accepted versions, corrections among them
	Corrections            int // versions in corrected and amended reports
	Holds                  int
}

// Counts adds up what the truth expects.
func (t Truth) Counts() Counts {
	c := Counts{Requisitions: len(t.Requisitions)}
	for _, q := range t.Requisitions {
		c.Requests += len(q.Requests)
		c.Holds += len(q.Holds)
		for _, s := range q.Requests {
			for _, o := range s.Observations {
				c.Observations += len(o.Versions)
				for _, v := range o.Versions {
					if v.Report != "" {
						c.Corrections++
					}
				}
			}
		}
	}
	return c
}
