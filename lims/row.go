package lims

import "time"

// Source names one of the two things that the lab's IT provides (usually a view).
type Source string

// The two sources of the view contract.
const (
	Orders  Source = "orders"  // one row per ordered LIMS test
	Results Source = "results" // one row per observation
)

// Row is one row of a source as the LIMS showed it at one instant. All text is exactly as the
// LIMS holds it, except that the padding of fixed-length character columns is gone; NULL is "".
//
// A row that could not be decoded is still a Row: Problem says which column breaks which rule
// (never its value), and every column that could be decoded is filled in.
type Row struct {
	Source Source
	ID     string // row_id as text; unique within the source
	// Stamp is changed_at without loss, in the text form that the reader's cursor uses; "" is NULL.
	Stamp string
	// Changed is changed_at as an instant. Zero where the column is NULL or no date-time
	// (rowversion, integer).
	Changed time.Time

	Requisition    string // requisition_id
	ServiceRequest string // service_request_id, optional
	OrderCode      string // order_code
	Status         string // status

	Reason    string // orders: reason, optional
	BirthDate string // orders: birth_date as YYYY-MM-DD, optional

	ResultCode string // results: result_code
	Value      string // results: value; decimals as their exact text
	Unit       string // results: unit, optional

	Problem string // "" for a sound row; otherwise e.g. "value is FLOAT, which loses digits"
}

// Cursor is how far a source has been read. It is an optimisation, never the truth: losing it
// costs reading again. Its fields are plain text so that it can be stored as JSON.
type Cursor struct {
	// Stamp is the greatest change stamp read so far that was not in the future by the server's
	// own clock; "" is a source never read.
	Stamp string `json:"stamp,omitempty"`
	// Seen says that Stamp was read from a row and not set by Start: only then can a source whose
	// newest stamp lies before it have gone back.
	Seen bool `json:"seen,omitempty"`
	// Trail remembers which stamp was the newest at which time, for change columns that are not
	// date-times (integer, rowversion): looking back ten minutes needs to know where that was.
	// Oldest first, at most a few dozen entries.
	Trail []TrailMark `json:"trail,omitempty"`
	// Origin is where reading began; reading carries it along.
	Origin Origin `json:"origin,omitzero"`
}

// TrailMark is one entry of Cursor.Trail.
type TrailMark struct {
	At    time.Time `json:"at"`
	Stamp string    `json:"stamp"`
}

// Origin is from where a source is read: what changed before is none of the bridge's business.
type Origin struct {
	At    time.Time `json:"at,omitzero"`
	Stamp string    `json:"stamp,omitempty"` // of a change column that is no date-time: the head at that time
	// Counts says that the change column is no date-time: nothing tells where another time would be.
	Counts bool `json:"counts,omitempty"`
}

// Before reports whether the row changed before the origin, as far as its stamp can tell. A row
// without a stamp does not.
func (o Origin) Before(r Row) bool {
	switch {
	case r.Stamp == "":
		return false
	case !r.Changed.IsZero():
		return r.Changed.Before(o.At)
	case o.Stamp == "":
		return false
	}
	// Integers and rowversions grow: the longer text is the greater number.
	return len(r.Stamp) < len(o.Stamp) || len(r.Stamp) == len(o.Stamp) && r.Stamp <= o.Stamp
}
