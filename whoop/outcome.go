package whoop

// Outcome is what is known of a call once it is over. There is nothing between these: whatever
// is not certain is InDoubt.
type Outcome string

// The outcomes, by the rule of certainty.
const (
	// Sent: exactly the contract's success (201; 204; 200 whose body decodes to the asked id and status).
	Sent Outcome = "sent"
	// Released: certainly not processed, may be tried again: no connection was obtained, or no
	// byte was written to it, or 401, or 429. Nothing else.
	Released Outcome = "released"
	// Rejected: any other 4xx but 403, 408 and 409; or, with code 0, a report that cannot be written
	// as the contract wants it and was not sent.
	Rejected Outcome = "rejected"
	// InDoubt: everything else: other 2xx, 3xx, 403, 408, 409, every 5xx, a connection without an answer.
	InDoubt Outcome = "in doubt"
)

// Answer is everything that may be told of a finished call: it holds no value, no name and no
// secret, and may be written to the journal and to logs.
type Answer struct {
	Outcome Outcome
	// Code is the HTTP status; 0 where no answer came.
	Code int
	// RequestID is the answer's request id header, sanitised (at most 64 characters of [A-Za-z0-9_.:-]); for questions to WHOOP's support.
	RequestID string
	// Text is the answer's error text with every word left out that is not in a fixed
	// vocabulary of the API's own words, or our own words for a failure of the transport
	// (e.g. "connection reset after the request was written").
	Text string
}

// Class orders the calls that wait for quota: a lower class goes first.
type Class byte

// The classes, most urgent first.
const (
	Corrections Class = iota // corrected and amended reports
	Finals                   // final and partial reports, and the looks before them
	Issues                   // issue statuses
	Progress                 // everything else
)
