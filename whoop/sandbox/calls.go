package sandbox

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
)

// Endpoint names one call of the API.
type Endpoint string

// The calls.
const (
	Token                Endpoint = "token"
	GetRequisition       Endpoint = "requisition"
	SetRequisitionStatus Endpoint = "requisition_status"
	GetServiceRequest    Endpoint = "service_request"
	SetStatus            Endpoint = "service_request_status"
	Results              Endpoint = "results"
	TestData             Endpoint = "test_data"
)

// route finds the endpoint of a request; false: there is none.
func route(method, path string) (Endpoint, uuid.UUID, bool) {
	rest, ok := strings.CutPrefix(path, "/v2/partner/")
	if !ok {
		return "", uuid.Nil, false
	}
	switch method + " " + rest {
	case "POST token":
		return Token, uuid.Nil, true
	case "POST development/add-test-data":
		return TestData, uuid.Nil, true
	}
	kind, rest, _ := strings.Cut(rest, "/")
	text, tail, _ := strings.Cut(rest, "/")
	id, err := uuid.Parse(text)
	if err != nil || len(text) != 36 {
		return "", uuid.Nil, false
	}
	e, ok := byShape[method+" "+kind+" "+tail]
	return e, id, ok
}

// byShape names the calls with an id by method and the path around it.
var byShape = map[string]Endpoint{
	"GET requisition ":             GetRequisition,
	"PATCH requisition status":     SetRequisitionStatus,
	"GET service-request ":         GetServiceRequest,
	"PATCH service-request status": SetStatus,
	"POST service-request results": Results,
}

// call is one request on its way.
type call struct {
	*Server
	w        http.ResponseWriter
	r        *http.Request
	now      time.Time
	endpoint Endpoint
	id       uuid.UUID
	body     []byte
	fault    Fault // the one that was drawn for it, or ""
}

// answer is what a processed call would answer.
type answer struct {
	code int
	body []byte // JSON, or nil
}

// serve lets one call pass the faults, the token, the quota and the contract.
func (c *call) serve(path string) {
	c.mu.Lock()
	c.counts.Calls[c.endpoint]++
	c.fault = c.faults.draw(c.endpoint, c.r.Method, path)
	if c.fault != "" {
		c.counts.Faults[c.fault]++
	}
	c.mu.Unlock()
	if c.fault == CloseBefore || c.fault == ResetBefore {
		c.cut(c.fault == ResetBefore, "")
		return
	}
	var err error
	if c.body, err = io.ReadAll(http.MaxBytesReader(c.w, c.r.Body, maxRequest)); err != nil {
		c.refuse(http.StatusRequestEntityTooLarge, "too_large", "the body is too long")
		return
	}
	if c.failBefore() {
		return
	}
	c.mu.Lock()
	a := c.admit()
	if a.code == 0 {
		a = c.process()
	}
	c.mu.Unlock()
	c.deliver(a)
}

// admit checks token and quota; a zero answer admits. c.mu is held.
func (c *call) admit() answer {
	if c.endpoint == Token {
		return answer{}
	}
	token, ok := strings.CutPrefix(c.r.Header.Get("Authorization"), "Bearer ")
	if !ok || !c.now.Before(c.tokens[token]) {
		return refusal(http.StatusUnauthorized, "unauthorized", "the access token is missing, invalid or expired")
	}
	c.minute.advance(c.now)
	c.day.advance(c.now)
	over := c.minute.full() || c.day.full()
	if !over {
		c.minute.used++
		c.day.used++
		c.pace.count(c.now)
	}
	c.rateHeaders()
	if over {
		c.counts.RateLimited++
		return refusal(http.StatusTooManyRequests, "rate_limit_exceeded", "too many requests")
	}
	return answer{}
}

// process does what the call asks. c.mu is held.
func (c *call) process() answer {
	if c.endpoint != GetRequisition && c.endpoint != GetServiceRequest {
		kind, _, err := mime.ParseMediaType(c.r.Header.Get("Content-Type"))
		if err != nil || kind != "application/json" {
			return refusal(http.StatusBadRequest, "invalid_request", "the content type must be application/json")
		}
	} else if len(c.body) > 0 {
		return refusal(http.StatusBadRequest, "invalid_request", "a body was not expected")
	}
	switch c.endpoint {
	case Token:
		return c.token()
	case TestData:
		return c.testData()
	case GetRequisition, SetRequisitionStatus:
		q := c.requisitions[c.id]
		if q == nil {
			return refusal(http.StatusNotFound, "not_found", "requisition not found")
		}
		if c.endpoint == GetRequisition {
			return answer{http.StatusOK, q.show()}
		}
		return c.setStatus(q.requests, answer{code: http.StatusNoContent})
	}
	t := c.requests[c.id]
	if t == nil {
		return refusal(http.StatusNotFound, "not_found", "service request not found")
	}
	switch c.endpoint {
	case SetStatus:
		a := c.setStatus([]*request{t}, answer{code: http.StatusOK})
		if a.code == http.StatusOK {
			a.body = encode(t.show())
		}
		return a
	case Results:
		return c.report(t)
	}
	return answer{http.StatusOK, encode(t.show())}
}

// token answers the one call whose body is JSON where OAuth 2.0 has a form.
func (c *call) token() answer {
	var asked struct {
		GrantType    *string `json:"grant_type"`
		ClientID     *string `json:"client_id"`
		ClientSecret *string `json:"client_secret"`
		Scope        *string `json:"scope"`
	}
	if err := decode(c.body, &asked); err != nil {
		return refusal(http.StatusBadRequest, "invalid_request", err.Error())
	}
	is := func(got *string, want string) bool { return got != nil && *got == want }
	switch {
	case !is(asked.GrantType, "client_credentials"):
		return refusal(http.StatusBadRequest, "unsupported_grant_type", "grant_type must be client_credentials")
	case !is(asked.Scope, "whoop-partner/token"):
		return refusal(http.StatusBadRequest, "invalid_scope", "scope must be whoop-partner/token")
	case !is(asked.ClientID, c.o.ClientID) || !is(asked.ClientSecret, c.o.ClientSecret):
		return refusal(http.StatusUnauthorized, "invalid_client", "bad credentials")
	}
	token := "sbx." + strings.ReplaceAll(c.newID().String(), "-", "")
	for old, until := range c.tokens {
		if !c.now.Before(until) {
			delete(c.tokens, old)
		}
	}
	c.tokens[token] = c.now.Add(c.o.TokenLife)
	return answer{http.StatusOK, encode(map[string]any{
		"access_token": token, "token_type": "bearer", "expires_in": int(c.o.TokenLife.Seconds()),
	})}
}

// ExpireTokens makes every token that was issued so far invalid.
func (s *Server) ExpireTokens() {
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.tokens)
}

// testData adds an order of two tests.
func (c *call) testData() answer {
	if len(bytes.TrimSpace(c.body)) > 0 {
		var none struct{}
		if err := decode(c.body, &none); err != nil {
			return refusal(http.StatusUnprocessableEntity, "invalid_request", err.Error())
		}
	}
	_, err := c.add(Requisition{
		Patient:         Patient{ID: "test", FirstName: "Test", LastName: "Patient", BirthDate: "1980-01-31"},
		ServiceRequests: []Order{{Code: "LIPID_PANEL"}, {Code: "CBC"}},
	})
	if err != nil {
		return refusal(http.StatusInternalServerError, "internal", "test data failed")
	}
	return answer{code: http.StatusNoContent}
}

// decode reads exactly one JSON value without unknown fields. Its errors are for the answer.
func decode(text []byte, v any) error {
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		return errors.New("the body is malformed or has an unknown field")
	}
	if _, err := d.Token(); err != io.EOF {
		return errors.New("there is something after the body")
	}
	return nil
}

// refusal is an error answer.
func refusal(code int, name, message string) answer {
	return answer{code, encode(map[string]string{"error": name, "message": message})}
}

func (c *call) refuse(code int, name, message string) { c.write(refusal(code, name, message)) }

// write sends an answer.
func (c *call) write(a answer) {
	h := c.w.Header()
	h["X-Request-Id"] = []string{"sbx-" + strconv.FormatInt(c.now.UnixNano(), 36)}
	if a.body != nil {
		h["Content-Type"] = []string{"application/json"}
		h["Content-Length"] = []string{strconv.Itoa(len(a.body))}
	}
	c.w.WriteHeader(a.code)
	if a.body != nil {
		_, _ = c.w.Write(a.body)
	}
}
