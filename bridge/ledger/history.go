package ledger

import (
	"errors"
	"slices"

	"github.com/google/uuid"

	"limsbridge/bridge"
)

// History is what the journal says of one requisition or service request.
type History struct {
	// Key is the record that tells of it.
	Key bridge.Key
	// Request is the service request that was asked for; uuid.Nil: the whole record was.
	Request uuid.UUID
	Code    string // WHOOP's code of the request's test, "" if no look showed it
	Events  []bridge.Event
	// Damage says where the journal is not as it was written; something may be missing then.
	Damage *DamageError
}

// ReadHistory returns every event in the journal of the ledger in dir that concerns the requisition
// or service request with this id, in order, or nil if there is none. An event of a requisition
// concerns its service request if it names it, or none of them; the outcome of a call concerns whom
// its intent did. It changes nothing and may run beside a daemon. The journal is read twice, as which
// requisition a service request belongs to is known only from its first look on.
func ReadHistory(dir string, id uuid.UUID) (*History, error) {
	var h *History
	err := ReadJournal(dir, func(e bridge.Event) error {
		switch {
		case e.Key == nil || h != nil && h.Request == uuid.Nil:
		case e.Key.ID == id:
			h = &History{Key: *e.Key}
		case h == nil && names(e, id):
			h = &History{Key: *e.Key, Request: id}
		}
		return nil
	})
	if h == nil {
		return nil, err
	}
	about := map[uint64]bool{} // intents and holds that concern it
	err = ReadJournal(dir, func(e bridge.Event) error {
		if e.Key == nil || *e.Key != h.Key {
			return nil
		}
		if h.Request != uuid.Nil && !h.concerns(e, about) {
			return nil
		}
		about[e.Seq] = true
		h.Events = append(h.Events, e)
		for _, q := range e.Shown {
			if q.ID == h.Request {
				h.Code = q.Code
			}
		}
		return nil
	})
	if errors.As(err, &h.Damage) {
		err = nil
	}
	return h, err
}

// concerns reports whether an event of the record is about the service request.
func (h *History) concerns(e bridge.Event, about map[uint64]bool) bool {
	switch {
	case names(e, h.Request):
		return true
	case len(e.Requests)+len(e.Shown) > 0:
		return false
	case e.Intent != 0:
		return about[e.Intent]
	}
	return true
}

// names reports whether an event names this service request.
func names(e bridge.Event, id uuid.UUID) bool {
	return slices.Contains(e.Requests, id) ||
		slices.ContainsFunc(e.Shown, func(q bridge.Request) bool { return q.ID == id })
}
