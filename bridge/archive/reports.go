package archive

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"time"

	"filippo.io/age"
	"github.com/google/uuid"

	"limsbridge/bridge"
	"limsbridge/whoop"
)

// Report is one report of a service request: what the journal says of it, and what the archive
// holds.
type Report struct {
	Intent  uint64 // its number in the journal; 0: the journal knows of none, it never left
	At      time.Time
	Request uuid.UUID
	Status  whoop.ReportStatus
	Prints  []bridge.Sent
	// Outcome is "" where none is known. What a person decided of a doubt is Verdict.
	Outcome   whoop.Outcome
	Code      int
	RequestID string
	Verdict   bridge.Verdict
	Kept      bool // there is a copy

	copy kept
}

// Journal calls yield with every event, in order; ledger.ReadJournal is one.
type Journal func(yield func(bridge.Event) error) error

// RequestOf returns the service request of a report's intent, by its number in the journal.
func RequestOf(journal Journal, intent uint64) (uuid.UUID, error) {
	var request uuid.UUID
	err := journal(func(e bridge.Event) error {
		if e.Seq == intent && e.Kind == bridge.IntentEvent && e.Action == bridge.SubmitReport && len(e.Requests) > 0 {
			request = e.Requests[0]
		}
		return nil
	})
	if request == uuid.Nil && err == nil {
		err = fmt.Errorf("line %d of the journal is not the intent of a report; `limsbridge ledger history SERVICE-REQUEST` shows their numbers", intent)
	}
	return request, err
}

// Reports returns all reports of a service request that the journal or the archive know, oldest
// first. With an error of the journal it returns what could be read too.
func Reports(folder string, journal Journal, request uuid.UUID) ([]Report, error) {
	copies, err := list(folder, request)
	if err != nil {
		return nil, err
	}
	var out []Report
	at := map[uint64]int{} // by intent
	err = journal(func(e bridge.Event) error {
		switch {
		case e.Kind == bridge.IntentEvent && e.Action == bridge.SubmitReport && slices.Contains(e.Requests, request):
			at[e.Seq] = len(out)
			out = append(out, Report{Intent: e.Seq, At: e.At, Request: request, Status: e.Report, Prints: e.Prints})
		case e.Kind == bridge.OutcomeEvent:
			if i, ok := at[e.Intent]; ok {
				out[i].Outcome, out[i].Code, out[i].RequestID = e.Outcome, e.Code, e.RequestID
			}
		case e.Kind == bridge.DecisionEvent && e.Hold == bridge.Doubt:
			if i, ok := at[e.Attempt]; ok {
				out[i].Verdict = e.Verdict
			}
		}
		return nil
	})
	for _, c := range copies {
		i := slices.IndexFunc(out, func(r Report) bool { return r.At.Equal(c.at) && !r.Kept })
		if i < 0 {
			out = append(out, Report{At: c.at, Request: request})
			i = len(out) - 1
		}
		out[i].Kept, out[i].copy = true, c
	}
	slices.SortStableFunc(out, func(a, b Report) int { return cmp.Or(a.At.Compare(b.At), cmp.Compare(a.Intent, b.Intent)) })
	return out, err
}

// File is the path of the copy; "" where there is none.
func (r Report) File() string { return r.copy.path }

// Body decrypts the copy. Its errors show nothing of it.
func (r Report) Body(keys Keys) (Body, error) {
	f, err := os.Open(r.copy.path)
	if err != nil {
		return Body{}, err
	}
	defer f.Close()
	plain, err := age.Decrypt(f, keys...)
	if _, other := errors.AsType[*age.NoIdentityMatchError](err); other {
		return Body{}, fmt.Errorf("%s was encrypted for other keys", r.copy.path)
	}
	var text []byte
	if err == nil {
		text, err = io.ReadAll(plain)
	}
	var b Body
	if err != nil || json.Unmarshal(text, &b) != nil {
		return Body{}, fmt.Errorf("%s is damaged", r.copy.path)
	}
	if b.Request != r.Request || !b.At.Equal(r.At) {
		return Body{}, fmt.Errorf("%s holds another report than its name says", r.copy.path)
	}
	return b, nil
}

// Agrees reports whether the body is the one whose fingerprints the intent in the journal holds:
// the same observations, values, units and withdrawals, and no others.
func (r Report) Agrees(b Body, prints *bridge.Fingerprints) bool {
	if b.Report.Status != r.Status || len(b.Report.Observations) != len(r.Prints) {
		return false
	}
	for i, o := range b.Report.Observations {
		withdrawn := o.Status == whoop.ObservationEnteredInError
		is := prints.Observation(r.Request, o.Code, o.Numeric.String()+o.Text, o.Unit, withdrawn)
		if s := r.Prints[i]; s.Code != o.Code || s.Print != is || s.Withdrawn != withdrawn {
			return false
		}
	}
	return true
}
