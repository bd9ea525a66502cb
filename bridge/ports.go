package bridge

import (
	"context"
	"time"

	"github.com/google/uuid"

	"limsbridge/lims"
	"limsbridge/whoop"
)

// LIMS is what a pass needs of the lab's database; *lims.Reader is it.
type LIMS interface {
	// Poll reads the source from the cursor, less the look-back, to its head, in pages ordered by
	// (change column, row id). After each page it calls page with the rows and the cursor that
	// stands for everything up to them. back is how far before the cursor it begins.
	Poll(ctx context.Context, s lims.Source, from lims.Cursor, back time.Duration, page func([]lims.Row, lims.Cursor) error) error
	// Fetch reads the rows with these ids as they are now, in no particular order; ids that the
	// source does not show any more are missing from the answer.
	Fetch(ctx context.Context, s lims.Source, ids []string) ([]lims.Row, error)
	// Start returns the cursor that stands for an instant; where the change column is no
	// date-time, for the present head.
	Start(ctx context.Context, s lims.Source, at time.Time) (lims.Cursor, error)
	// Since reads what changed since an instant, and Unstamped the rows without a change stamp;
	// both for the sweep.
	Since(ctx context.Context, s lims.Source, since time.Time, page func([]lims.Row) error) error
	Unstamped(ctx context.Context, s lims.Source, page func([]lims.Row) error) error
}

// API is what executing a plan needs of WHOOP; *whoop.Client is it.
type API interface {
	// Permit takes one call's quota and a valid token, waiting for both, the lower class first.
	// It returns a *whoop.QuotaError where the wait would be longer than the client's patience,
	// and another error where no token can be had; in both cases nothing was sent.
	Permit(ctx context.Context, class whoop.Class) (whoop.Permit, error)
	// Return gives back a permit that no call was made with.
	Return(p whoop.Permit)
	Requisition(ctx context.Context, p whoop.Permit, id uuid.UUID) (whoop.LabRequisition, whoop.Answer)
	ServiceRequest(ctx context.Context, p whoop.Permit, id uuid.UUID) (whoop.ServiceRequest, whoop.Answer)
	SetRequisitionStatus(ctx context.Context, p whoop.Permit, id uuid.UUID, u whoop.StatusUpdate) whoop.Answer
	SetStatus(ctx context.Context, p whoop.Permit, id uuid.UUID, u whoop.StatusUpdate) whoop.Answer
	SubmitReport(ctx context.Context, p whoop.Permit, id uuid.UUID, r whoop.Report) whoop.Answer
	// ForeignCalls is how many calls somebody else made with these credentials since the client
	// was created, as far as WHOOP's quota headers show it for certain.
	ForeignCalls() int
}

// Ledger is what the bridge needs of its memory; *ledger.Ledger is it. All methods may be called
// from several goroutines.
type Ledger interface {
	// Load returns the record as of the last Commit or Note; false: unknown.
	Load(k Key) (Record, bool, error)
	// Commit gives the events their numbers, appends them to the journal, returns when they are
	// on disk and applied (Record.Apply, State.Apply), and returns the numbers. After an error
	// nothing more is accepted: the ledger must be closed and opened again.
	Commit(ctx context.Context, events ...Event) ([]uint64, error)
	// Note changes what is not journalled of a record: Due, Urgency and Rows, creating the record
	// if need be. It is durable with the next Flush, in one step with all that came before it.
	Note(k Key, change func(*Record)) error
	// Due returns up to limit keys of records that are due at that time, most urgent first and
	// oldest first within a class, beginning after the given mark ("" for the first); next is the
	// mark to go on from, "" after the last. Only what was flushed is seen.
	Due(at time.Time, after string, limit int) (keys []Key, next string, err error)
	// Cursor and Advance keep the reading position of a source; Advance is durable with the next Flush.
	Cursor(s lims.Source) lims.Cursor
	Advance(s lims.Source, c lims.Cursor)
	// Flush makes everything noted so far durable.
	Flush() error
	// View calls f with what concerns the bridge as a whole; f must not keep or change it.
	View(f func(*State))
	// Key is the key of the fingerprints.
	Key() []byte
	// Each calls f with every record, in no particular order, until f returns an error.
	Each(f func(Record) error) error
}
