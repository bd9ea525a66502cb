package limstest

import (
	"math/rand/v2"
)

// Kind is what happens to a requisition. Where it has several service requests, the peculiar
// thing happens to one of them and the others go their plain way, unless said otherwise.
type Kind string

// The kinds of requisition.
const (
	// Plain is accepted, collected, entered and verified, in one or two batches per LIMS test.
	Plain Kind = "plain"
	// ParentRelease verifies the test alone: its results rows show as released under an old stamp.
	ParentRelease Kind = "parent_release"
	// Unverified has its results entered and never verified: they must not leave.
	Unverified Kind = "unverified"
	// BeforeStart was finished before Options.Start: nothing of it may leave.
	BeforeStart Kind = "before_start"
	// IgnoredRows has rows with result codes that are on the ignore list.
	IgnoredRows Kind = "ignored_rows"
	// HiddenRows has a second row for an observation that is not reportable.
	HiddenRows Kind = "hidden_rows"

	// Corrected has one value changed after it was reported.
	Corrected Kind = "corrected"
	// BackAndForth has one value changed from A to B and back to A: two corrections.
	BackAndForth Kind = "back_and_forth"
	// ReopenedSame takes a reported result back to pending and releases it unchanged.
	ReopenedSame Kind = "reopened_same"
	// ReopenedChanged takes a reported result back to pending and releases another value.
	ReopenedChanged Kind = "reopened_changed"
	// ReplacedSame withdraws a reported row and puts a new one with the same content in its place.
	ReplacedSame Kind = "replaced_same"
	// ReplacedChanged withdraws a reported row and puts a new one with another value in its place.
	ReplacedChanged Kind = "replaced_changed"
	// Rerun withdraws a row before it was released and repeats the measurement.
	Rerun Kind = "rerun"
	// WithdrawnAfter withdraws a reported result for good: entered-in-error.
	WithdrawnAfter Kind = "withdrawn"
	// Amended measures an optional observation after the final report.
	Amended Kind = "amended"

	// OptionalNotMeasurable lacks an optional observation: the rest is complete.
	OptionalNotMeasurable Kind = "optional_not_measurable"
	// RequiredNotMeasurable lacks a required observation: held.
	RequiredNotMeasurable Kind = "required_not_measurable"
	// SampleNotMeasurable has a sample that is no good at all: held.
	SampleNotMeasurable Kind = "sample_not_measurable"
	// NoShow never had its sample collected.
	NoShow Kind = "no_show"
	// OrderRejected was rejected by the lab.
	OrderRejected Kind = "order_rejected"
	// ReleasedAfterNoShow releases results after APPOINTMENT_ISSUE: held.
	ReleasedAfterNoShow Kind = "released_after_no_show"
	// Contradiction rejects a sample of which results were reported: held.
	Contradiction Kind = "contradiction"
	// Revoked was cancelled by WHOOP, and the lab stops.
	Revoked Kind = "revoked"
	// RevokedReleased was cancelled by WHOOP, and the lab goes on and releases: held.
	RevokedReleased Kind = "revoked_released"

	// UnknownOrderCode has an additional LIMS test that no mapping knows.
	UnknownOrderCode Kind = "unknown_order_code"
	// UnknownResultCode has a result that no mapping knows.
	UnknownResultCode Kind = "unknown_result_code"
	// UnknownOrderStatus has a LIMS test whose status no mapping knows.
	UnknownOrderStatus Kind = "unknown_order_status"
	// UnknownResultStatus has a result whose status no mapping knows.
	UnknownResultStatus Kind = "unknown_result_status"
	// UnknownUnit has a result in a unit that is not the configured one.
	UnknownUnit Kind = "unknown_unit"
	// BadValue has a released result whose text is neither a number nor a known text.
	BadValue Kind = "bad_value"
	// BadID has a requisition id that is no UUID on all its rows.
	BadID Kind = "bad_id"
	// NotFound has a requisition id that WHOOP does not know.
	NotFound Kind = "not_found"
	// NotOrdered has an additional LIMS test that WHOOP did not order.
	NotOrdered Kind = "not_ordered"
	// TwoRequests has two service requests with one code: nobody can tell which is meant.
	TwoRequests Kind = "two_requests"
	// TwoRows has two released rows with different values for one observation.
	TwoRows Kind = "two_rows"
	// NoOrder has results of a test that the orders view does not show.
	NoOrder Kind = "no_order"
	// OtherPatient has another birth date in the LIMS than at WHOOP, for the whole requisition.
	OtherPatient Kind = "other_patient"
	// ReportedElsewhere has a business status at WHOOP that this bridge did not set.
	ReportedElsewhere Kind = "reported_elsewhere"
)

// shares says how many of 220 requisitions are of each kind; the others are Plain. The kinds that
// make corrections add up to 19 corrected and amended reports, below the 20 a day at which a
// careful bridge asks a person.
var shares = []struct {
	kind  Kind
	count int
}{
	{ParentRelease, 6}, {Unverified, 4}, {BeforeStart, 4}, {IgnoredRows, 4}, {HiddenRows, 4},
	{Corrected, 5}, {BackAndForth, 2}, {ReopenedSame, 2}, {ReopenedChanged, 2},
	{ReplacedSame, 2}, {ReplacedChanged, 2}, {Rerun, 4}, {WithdrawnAfter, 3}, {Amended, 3},
	{OptionalNotMeasurable, 6}, {RequiredNotMeasurable, 3}, {SampleNotMeasurable, 2},
	{NoShow, 6}, {OrderRejected, 4}, {ReleasedAfterNoShow, 2}, {Contradiction, 2},
	{Revoked, 2}, {RevokedReleased, 2},
	{UnknownOrderCode, 2}, {UnknownResultCode, 2}, {UnknownOrderStatus, 1}, {UnknownResultStatus, 2},
	{UnknownUnit, 2}, {BadValue, 12}, {BadID, 2}, {NotFound, 2}, {NotOrdered, 2}, {TwoRequests, 1},
	{TwoRows, 2}, {NoOrder, 1}, {OtherPatient, 2}, {ReportedElsewhere, 1},
}

// Kinds returns all kinds, Plain first.
func Kinds() []Kind {
	out := []Kind{Plain}
	for _, s := range shares {
		out = append(out, s.kind)
	}
	return out
}

// cast decides the kinds of n requisitions. From about 110 on every kind is among them.
func cast(n int, only []Kind, rng *rand.Rand) []Kind {
	out := make([]Kind, 0, n)
	if len(only) > 0 {
		for i := range n {
			out = append(out, only[i%len(only)])
		}
		return out
	}
	for _, s := range shares {
		for range max(1, (s.count*n+110)/220) {
			out = append(out, s.kind)
		}
	}
	for len(out) < n {
		out = append(out, Plain)
	}
	rng.Shuffle(len(out), func(i, j int) { out[i], out[j] = out[j], out[i] })
	return out[:n]
}
