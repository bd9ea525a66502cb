package bridge

// The kinds of hold. Those about words, codes, units and values end by themselves when the
// mapping or the row is mended.
const (
	BadRow            HoldKind = "bad_row"             // a column does not decode
	BadID             HoldKind = "bad_id"              // an id does not parse as a UUID (RFC 9562)
	UnknownOrderCode  HoldKind = "unknown_order_code"  // not in tests:
	UnknownResultCode HoldKind = "unknown_result_code" // not in the test's results:
	UnknownStatus     HoldKind = "unknown_status"      // not in status:
	UnknownUnit       HoldKind = "unknown_unit"        // not the configured unit
	InvalidValue      HoldKind = "bad_value"           // not a number, and no text that is known
	NotFound          HoldKind = "not_found"           // WHOOP does not know the requisition, or it is not ours
	NotOrdered        HoldKind = "not_ordered"         // WHOOP's requisition does not order this test
	TwoRequests       HoldKind = "two_requests"        // two service requests with one order code
	TwoRows           HoldKind = "two_rows"            // two live rows for one observation
	NoOrder           HoldKind = "no_order"            // results without a row in the orders source
	OtherPatient      HoldKind = "other_patient"       // the birth dates differ
	NotMeasurable     HoldKind = "not_measurable"      // a required observation cannot be measured
	BeforeStart       HoldKind = "before_start"        // released before start_from, the rest after
	Contradiction     HoldKind = "contradiction"       // an issue and results together
	AfterEnd          HoldKind = "released_after_end"  // results after a terminal status, or revoked
	CorrectionHeld    HoldKind = "correction"          // corrections: hold
	NoValue           HoldKind = "withdrawn"           // withdrawn, and no text to send for it
	PendingAgain      HoldKind = "pending_again"       // sent, and pending for days
	Gone              HoldKind = "gone"                // sent, and its row left the view, or is ignored
	Recoded           HoldKind = "recoded"             // sent under another code
	Doubt             HoldKind = "in_doubt"            // a report whose outcome nobody knows
	ChangedInDoubt    HoldKind = "changed_in_doubt"    // and the value changed since
	Refused           HoldKind = "rejected"            // WHOOP answered 4xx
	Elsewhere         HoldKind = "reported_elsewhere"  // WHOOP shows a status that this ledger did not set
)

// same reports whether two holds are about the same thing.
func (h Hold) same(o Hold) bool {
	return h.Kind == o.Kind && h.Request == o.Request && h.Source == o.Source && h.Row == o.Row && h.Detail == o.Detail &&
		h.Attempt == o.Attempt
}

// lasting holds are not derived from the rows: a look began them, and another one ends them.
func (h Hold) lasting() bool { return h.Kind == NotFound || h.Kind == Elsewhere }
