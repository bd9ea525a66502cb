package bridge

import (
	"time"

	"github.com/google/uuid"

	"limsbridge/lims"
	"limsbridge/whoop"
)

// EventKind is a kind of journal line.
type EventKind string

// The kinds of event.
const (
	IntentEvent  EventKind = "intent"  // a call is about to be written
	OutcomeEvent EventKind = "outcome" // what is known of it afterwards
	LookEvent    EventKind = "look"    // what WHOOP showed; without a key only that it was asked
	HoldEvent    EventKind = "hold"    // something needs a person, or a mended mapping
	UnholdEvent  EventKind = "unhold"  // and no longer does
	ActEvent     EventKind = "act"     // a person's act, by name and reason
	ConfigEvent  EventKind = "config"  // the configuration in force, by its hash
	StopEvent    EventKind = "stop"    // sending stopped by itself (403, foreign writer, brake)

	DecisionEvent EventKind = "decision" // what a person decided of a hold
	// ClockEvent: the clock was set back, and what was noted with a later time counts as noted now;
	// of a record, or of the bridge as a whole with the latest time there was as Detail.
	ClockEvent EventKind = "clock"
)

// Event is one line of the journal. Which fields are set depends on the kind; none ever holds a
// value, a name of a patient or a secret.
type Event struct {
	Seq  uint64    `json:"seq"` // given by the journal, from 1, without gaps
	At   time.Time `json:"at"`
	Kind EventKind `json:"event"`
	Key  *Key      `json:"key,omitempty"` // the record it belongs to; nil for the bridge as a whole

	// IntentEvent, and repeated in OutcomeEvent where a reader of the journal wants it.
	Action   ActionKind           `json:"action,omitempty"`
	Whole    bool                 `json:"whole,omitempty"`
	Requests []uuid.UUID          `json:"requests,omitempty"`
	Status   whoop.BusinessStatus `json:"status,omitempty"`
	Report   whoop.ReportStatus   `json:"report,omitempty"`
	Prints   []Sent               `json:"observations,omitempty"`

	// OutcomeEvent, LookEvent.
	Intent    uint64        `json:"intent,omitempty"` // outcome: the intent's Seq
	Outcome   whoop.Outcome `json:"outcome,omitempty"`
	Code      int           `json:"code,omitempty"` // HTTP status
	RequestID string        `json:"request_id,omitempty"`
	Text      string        `json:"text,omitempty"`

	Shown []Request `json:"shown,omitempty"` // LookEvent: what WHOOP showed (ID, Code, Revoked, Status)

	// HoldEvent and UnholdEvent.
	Hold    HoldKind    `json:"hold,omitempty"`
	Source  lims.Source `json:"source,omitempty"`
	Row     string      `json:"row,omitempty"`
	Detail  string      `json:"detail,omitempty"`
	Attempt uint64      `json:"attempt,omitempty"` // of a hold in doubt: its intent's Seq

	// DecisionEvent, with the hold's fields, its Seq in Intent, and By, User and Why.
	Verdict Verdict `json:"verdict,omitempty"`
	Version uint64  `json:"version,omitempty"` // of the rows that it binds to

	// ActEvent, ConfigEvent, StopEvent.
	Act    string   `json:"act,omitempty"`
	By     string   `json:"by,omitempty"`   // the name that the person gave
	User   string   `json:"user,omitempty"` // the operating system's user
	Why    string   `json:"why,omitempty"`
	Tests  []string `json:"tests,omitempty"`
	Count  int      `json:"count,omitempty"`
	Config string   `json:"config,omitempty"` // SHA-256 of the configuration file, and the program's version
}
