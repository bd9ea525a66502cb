package lims

import (
	"context"
	"errors"
	"time"
)

const stallAfter = 15 * time.Minute

var errNotYet = errors.New("not written yet")

// Reader reads the two sources of one LIMS database. Its methods may be called from several
// goroutines and from within a page function; they take turns at the one connection.
type Reader struct{}

// Open checks the options and the two queries without touching the network.
func Open(o Options) (*Reader, error) { return &Reader{}, nil }

// Close gives the connection back.
func (r *Reader) Close() error { return nil }

// Poll reads the source from the cursor, less the look-back, to its head.
func (r *Reader) Poll(ctx context.Context, s Source, from Cursor, back time.Duration, page func([]Row, Cursor) error) error {
	return errNotYet
}

// Fetch reads the rows with these ids as they are now, in no particular order.
func (r *Reader) Fetch(ctx context.Context, s Source, ids []string) ([]Row, error) {
	return nil, errNotYet
}

// Start returns the cursor that stands for an instant.
func (r *Reader) Start(ctx context.Context, s Source, at time.Time) (Cursor, error) {
	return Cursor{}, errNotYet
}

// Since reads all rows whose change stamp lies at or after the instant.
func (r *Reader) Since(ctx context.Context, s Source, since time.Time, page func([]Row) error) error {
	return errNotYet
}

// Unstamped reads all rows whose changed_at is NULL.
func (r *Reader) Unstamped(ctx context.Context, s Source, page func([]Row) error) error {
	return errNotYet
}

// Now returns the database server's clock.
func (r *Reader) Now(ctx context.Context) (time.Time, error) { return time.Time{}, errNotYet }

// Column is one column of a source.
type Column struct {
	Name string // as the source spells it
	Type string // the database's name of its type, in capitals; "" where it tells none
	Role string // the column of the view contract that it is, or "" for an extra one
}

// Description is what a source consists of and how it fits the view contract.
type Description struct {
	Columns  []Column
	Problems []string // what keeps rows from being read or reported
	Warnings []string // what works but is not wished
}

// Describe compares the columns of the source with the view contract.
func (r *Reader) Describe(ctx context.Context, s Source) (Description, error) {
	return Description{}, errNotYet
}

// Statements returns every statement that the reader can ever run.
func (r *Reader) Statements() []string { return nil }

// Identity is who and where the reader is, as the database sees it.
type Identity struct {
	User     string // the login's name
	Database string
	Version  string // of the server, one line
}

// Identity asks the database who this is.
func (r *Reader) Identity(ctx context.Context) (Identity, error) { return Identity{}, errNotYet }
