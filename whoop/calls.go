package whoop

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"

	"github.com/google/uuid"
)

// The paths of the Healthcare Partner API, before and after an id.
const (
	requisitionPath    = "/v2/partner/requisition/"
	serviceRequestPath = "/v2/partner/service-request/"
	statusPath         = "/status"
	resultsPath        = "/results"
	testDataPath       = "/v2/partner/development/add-test-data"
)

// A call's context should not end before the call: giving up after the request was written
// leaves a doubt.

// Requisition reads a lab order. Only an Answer that is Sent comes with a requisition, whose id is the one
// asked for.
func (c *Client) Requisition(ctx context.Context, p Permit, id uuid.UUID) (LabRequisition, Answer) {
	r := c.exchange(ctx, p, http.MethodGet, requisitionPath+id.String(), nil)
	a := r.answer(http.StatusOK)
	var got LabRequisition
	if a.Outcome == Sent && (!r.decode(&got) || got.ID != id) {
		return LabRequisition{}, a.doubt(r, "the answer is not the requisition asked for")
	}
	return got, a
}

// ServiceRequest reads one ordered test. Only an Answer that is Sent comes with a service
// request, whose id is the one asked for.
func (c *Client) ServiceRequest(ctx context.Context, p Permit, id uuid.UUID) (ServiceRequest, Answer) {
	r := c.exchange(ctx, p, http.MethodGet, serviceRequestPath+id.String(), nil)
	a := r.answer(http.StatusOK)
	var got ServiceRequest
	if a.Outcome == Sent && (!r.decode(&got) || got.ID != id) {
		return ServiceRequest{}, a.doubt(r, "the answer is not the service request asked for")
	}
	return got, a
}

// SetRequisitionStatus sets the business status of all service requests of a requisition.
func (c *Client) SetRequisitionStatus(ctx context.Context, p Permit, id uuid.UUID, u StatusUpdate) Answer {
	return c.exchange(ctx, p, http.MethodPatch, requisitionPath+id.String()+statusPath, encode(u)).answer(http.StatusNoContent)
}

// SetStatus sets the business status of one service request. It is Sent only if the answer
// shows that service request with that status.
func (c *Client) SetStatus(ctx context.Context, p Permit, id uuid.UUID, u StatusUpdate) Answer {
	r := c.exchange(ctx, p, http.MethodPatch, serviceRequestPath+id.String()+statusPath, encode(u))
	a := r.answer(http.StatusOK)
	var got ServiceRequest
	if a.Outcome == Sent && (!r.decode(&got) || got.ID != id || got.BusinessStatus != u.BusinessStatus) {
		return a.doubt(r, "the answer does not show the service request with this status")
	}
	return a
}

// SubmitReport creates one diagnostic report. A report that Report.Check refuses is Rejected with
// code 0 and nothing is sent.
func (c *Client) SubmitReport(ctx context.Context, p Permit, id uuid.UUID, report Report) Answer {
	if err := report.Check(); err != nil {
		c.Return(p)
		return Answer{Outcome: Rejected, Text: err.Error()}
	}
	return c.exchange(ctx, p, http.MethodPost, serviceRequestPath+id.String()+resultsPath, encode(report)).answer(http.StatusCreated)
}

// AddTestData asks a non-production environment for test orders; production answers 404, which
// is Rejected.
func (c *Client) AddTestData(ctx context.Context, p Permit) Answer {
	return c.exchange(ctx, p, http.MethodPost, testDataPath, []byte("{}")).answer(http.StatusNoContent)
}

// encode writes a body as plain as it was given: "<0.5" stays "<0.5".
func encode(v any) []byte {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		// The only bodies are ours, of checked text and numbers.
		panic("whoop: a body that cannot be encoded")
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n"))
}

// decode reads the whole body into v.
func (r reply) decode(v any) bool { return r.whole && json.Unmarshal(r.body, v) == nil }
