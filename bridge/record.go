package bridge

import (
	"time"

	"github.com/google/uuid"

	"limsbridge/lims"
	"limsbridge/whoop"
)

// KeyKind says what a record of the ledger is about.
type KeyKind byte

// The kinds of record.
const (
	RequisitionKey KeyKind = 'r' // a requisition, by its WHOOP id: the normal case
	RequestKey     KeyKind = 's' // one service request, where the LIMS carries only service request ids
	RowKey         KeyKind = 'x' // a LIMS row whose ids do not parse, by a hash of source and row id
)

// Key names one record: the unit that is planned and executed serially.
type Key struct {
	Kind KeyKind
	ID   uuid.UUID
}

// Record is where one requisition stands: everything about it that the ledger keeps. It holds
// ids, codes, statuses, times and keyed fingerprints, never a value or a name.
//
// A Record is immutable once it left the ledger; changes go through Ledger.Note and Apply.
type Record struct {
	Key Key
	// Looked is when WHOOP last answered a look; zero: never.
	Looked time.Time
	// Due is when its turn comes; zero: nothing to do until one of its rows changes.
	Due time.Time
	// Urgency orders the records that are due at the same time.
	Urgency  whoop.Class
	Requests []Request
	Rows     []RowMark
	Attempts []Attempt // open or in doubt
	Holds    []Hold
	// Decisions are what people decided of holds that are derived from rows, while they bind.
	Decisions []Decision
}

// Request is one service request of a requisition.
type Request struct {
	ID      uuid.UUID `json:"id"`
	Code    string    `json:"code"`              // WHOOP's code of what was ordered
	Revoked bool      `json:"revoked,omitempty"` // cancelled by WHOOP
	// Status is the furthest business status that this ledger set, or adopted.
	Status whoop.BusinessStatus `json:"status,omitempty"`
	// Final says that a final report was sent.
	Final bool   `json:"final,omitempty"`
	Sent  []Sent `json:"sent,omitempty"` // the newest sent version of each observation
	// Never are versions of which a person decided that they are never sent; with zero times where another
	// version went out since, see never.
	Never []Sent `json:"never,omitempty"`
}

// Print is a keyed fingerprint (HMAC-SHA-256, first 16 bytes) of one version of one observation.
type Print [16]byte

// Sent is one version of one observation as it was sent, or is being sent.
type Sent struct {
	Code      string    `json:"code"` // WHOOP's observation code
	Row       string    `json:"row"`  // row_id in the results source
	Print     Print     `json:"print"`
	Withdrawn bool      `json:"withdrawn,omitempty"` // sent as entered-in-error
	At        time.Time `json:"at,omitzero"`         // when its report was accepted; zero in an attempt
}

// RowMark remembers one LIMS row of a record: enough to know whether it changed, and to read it again.
type RowMark struct {
	Source  lims.Source
	ID      string
	Stamp   uint64 // hash of changed_at
	Version uint64 // keyed hash of every other column
	// Noticed is when the present version was first read (UTC, whole seconds are kept).
	Noticed time.Time
	// Released says that this row was once seen with a released result.
	Released bool
}

// ActionKind is a kind of call.
type ActionKind string

// The three actions.
const (
	Look         ActionKind = "look"
	SetStatus    ActionKind = "status"
	SubmitReport ActionKind = "report"
)

// Attempt is an intent without a certain outcome: open while its call may be running, in doubt
// once the call is over.
type Attempt struct {
	Seq      uint64 // the journal number of the intent
	Action   ActionKind
	Whole    bool // a status set on the requisition as a whole
	Requests []uuid.UUID
	Status   whoop.BusinessStatus // SetStatus
	Report   whoop.ReportStatus   // SubmitReport
	Prints   []Sent               // SubmitReport: what the report holds
	Begun    time.Time
	Ended    time.Time // zero while open
}

// HoldKind is why something needs a person, or a mended mapping.
type HoldKind string

// Hold is one thing that does not go out, with its reason.
type Hold struct {
	Seq     uint64 // the journal number of its beginning; also its name for people
	Kind    HoldKind
	Request uuid.UUID // zero: the row could not be matched to a service request
	Source  lims.Source
	Row     string // row_id, where the hold is about one row
	Detail  string // a code or a word of the configuration or contract, never free text of the LIMS
	// Attempt is the journal number of the intent that a hold in doubt is about.
	Attempt uint64
	Since   time.Time
}

// Verdict is what a person decided of a hold.
type Verdict string

// The verdicts.
const (
	WasReceived Verdict = "was_received" // WHOOP has it: nothing more is to be sent for it
	SendAgain   Verdict = "send_again"   // send it, whatever held it up
	NeverSend   Verdict = "never_send"   // never send these versions
)

// Decision is a verdict on a hold. It binds as long as the rows that the hold is about stay as
// they were.
type Decision struct {
	Hold    // Seq and Since are those of the decision
	Verdict Verdict
	Version uint64 // of the rows, see planner.version
}
