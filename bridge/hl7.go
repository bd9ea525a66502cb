package bridge

// HL7's own status letters, for labs whose LIMS keeps them: a name of these stands in the
// configuration instead of a map. Only what is final, corrected or amended is released. What HL7's own mapping
// to FHIR has no match for is unreleased here; whoever knows better writes the map out.

// ResultTables are the ready maps of result statuses, by name.
var ResultTables = map[string]map[string]ResultWord{
	// HL7 table 0085, OBX-11, observation result status.
	"hl7_0085": {
		"F": Released,            // final
		"C": Released,            // correction of a final result
		"A": Released,            // amended
		"P": Pending,             // preliminary
		"R": Pending,             // entered, not verified
		"S": Pending,             // partial
		"I": Pending,             // specimen in lab, results pending
		"O": Pending,             // order detail only, no result
		"N": Pending,             // not asked
		"B": Pending,             // appended report
		"U": Pending,             // change to final without the result being repeated
		"V": Pending,             // verified, no word on final
		"X": ResultNotMeasurable, // cannot be obtained
		"D": Withdrawn,           // deletes the record
		"W": Withdrawn,           // the original was wrong, for example another patient's
	},
	// HL7 table 0123, OBR-25, result status of the whole order, where results have no other.
	"hl7_0123": {
		"F": Released,  // final
		"C": Released,  // correction
		"P": Pending,   // preliminary
		"R": Pending,   // stored, not yet verified: not "partial"
		"A": Pending,   // some, not all
		"I": Pending,   // specimen received, procedure incomplete
		"S": Pending,   // procedure scheduled
		"O": Pending,   // order received, no specimen yet
		"X": Withdrawn, // order cancelled
	},
}

// OrderTables are the ready maps of order statuses, by name. The letters of table 0123 without a
// match (M N Y Z) are left out, so that they are held.
var OrderTables = map[string]map[string]OrderWord{
	// HL7 table 0123, OBR-25.
	"hl7_0123": {
		"O": Accepted, // order received, no specimen yet
		"S": Accepted, // procedure scheduled
		"I": Collected,
		"A": Collected,
		"P": Collected,
		"R": Collected, // stored, not yet verified
		"F": Complete,
		"C": Complete,
		"X": RejectedOrder,
	},
}
