package sandbox

import (
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// Fault is one way in which a call can fail.
type Fault string

// Faults before the call is processed.
const (
	Expired     Fault = "401"          // the token used is invalid from now on
	RateLimited Fault = "429"          // without Retry-After and headers
	Throttled   Fault = "429-retry"    // with Retry-After: 1
	ErrorBefore Fault = "500-before"   // JSON
	Unavailable Fault = "503-before"   // an HTML page with Retry-After
	CloseBefore Fault = "close-before" // the connection is closed without reading the body
	ResetBefore Fault = "reset-before" // the connection is reset without reading the body
	HangBefore  Fault = "hang-before"  // no answer, never processed
	Redirect    Fault = "307"          // to another path
	BadRequest  Fault = "400"          // these six echo the request and the patient in their bodies
	Forbidden   Fault = "403"
	Missing     Fault = "404"
	TimedOut    Fault = "408"
	Conflict    Fault = "409"
	Unprocessed Fault = "422"
)

// Faults after, or while, the call is processed.
const (
	ErrorAfter   Fault = "500-after"  // JSON
	GatewayAfter Fault = "502-after"  // an HTML page
	CutAfter     Fault = "cut-after"  // the connection is closed before the answer
	CutWithin    Fault = "cut-within" // in the middle of the answer's head
	CutBody      Fault = "cut-body"   // in the middle of the answer's body
	HangAfter    Fault = "hang-after" // no answer
	Late         Fault = "late"       // processed when the caller has given up
	Page         Fault = "html-200"   // a proxy's HTML page with 200
	Accepted202  Fault = "202-after"  // 202 instead of the success
)

// AllFaults lists every fault.
var AllFaults = []Fault{
	Expired, RateLimited, Throttled, ErrorBefore, Unavailable, CloseBefore, ResetBefore, HangBefore, Redirect,
	BadRequest, Forbidden, Missing, TimedOut, Conflict, Unprocessed,
	ErrorAfter, GatewayAfter, CutAfter, CutWithin, CutBody, HangAfter, Late, Page, Accepted202,
}

// faults decides which calls fail.
type faults struct {
	seed   uint64
	names  []Fault // in order, so that the draw is the same in every run
	odds   map[Fault]float64
	calls  map[string]uint32 // by method and path
	script []scripted
}

type scripted struct {
	endpoint Endpoint
	fault    Fault
}

func newFaults(seed uint64, odds map[Fault]float64) faults {
	f := faults{seed: seed, odds: odds, calls: map[string]uint32{}}
	for name, p := range odds {
		if p > 0 {
			f.names = append(f.names, name)
		}
	}
	slices.Sort(f.names)
	return f
}

// Fail makes the next calls of an endpoint ("" is any but the token's) fail, one fault each, in
// this order; "" lets one call pass. An unknown fault is an error.
func (s *Server) Fail(e Endpoint, next ...Fault) error {
	for _, f := range next {
		if f != "" && !slices.Contains(AllFaults, f) {
			return fmt.Errorf("%q is no fault; they are %v", f, AllFaults)
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, f := range next {
		s.faults.script = append(s.faults.script, scripted{e, f})
	}
	return nil
}

// draw returns the fault of one call, or "".
func (f *faults) draw(e Endpoint, method, path string) Fault {
	for i, s := range f.script {
		if s.endpoint == e || s.endpoint == "" && e != Token {
			f.script = slices.Delete(f.script, i, i+1)
			return s.fault
		}
	}
	if len(f.names) == 0 || e == Token {
		return ""
	}
	key := method + path
	f.calls[key]++
	h := fnv.New64a()
	_, _ = h.Write([]byte(key))
	x := rand.New(rand.NewPCG(f.seed, h.Sum64()+uint64(f.calls[key])*0x9e3779b97f4a7c15)).Float64()
	for _, name := range f.names {
		if x -= f.odds[name]; x < 0 {
			return name
		}
	}
	return ""
}

// failBefore answers with a fault before processing; false: the call goes on.
func (c *call) failBefore() bool {
	switch c.fault {
	case Expired:
		token, _ := strings.CutPrefix(c.r.Header.Get("Authorization"), "Bearer ")
		c.mu.Lock()
		delete(c.tokens, token)
		c.mu.Unlock()
		c.refuse(http.StatusUnauthorized, "invalid_token", "the access token is expired")
	case Throttled:
		c.w.Header().Set("Retry-After", "1")
		c.refuse(http.StatusTooManyRequests, "rate_limit_exceeded", "too many requests")
	case RateLimited:
		c.refuse(http.StatusTooManyRequests, "rate_limit_exceeded", "too many requests")
	case ErrorBefore:
		c.refuse(http.StatusInternalServerError, "internal_error", "internal server error")
	case Unavailable:
		c.w.Header().Set("Retry-After", "1")
		c.page(http.StatusServiceUnavailable)
	case HangBefore:
		c.hang()
	case Redirect:
		c.w.Header().Set("Location", c.r.URL.Path+"?redirected")
		c.w.WriteHeader(http.StatusTemporaryRedirect)
	case BadRequest, Forbidden, Missing, TimedOut, Conflict, Unprocessed:
		code, _ := strconv.Atoi(string(c.fault))
		c.write(answer{code, c.echo()})
	case Late:
		// Nobody listens any more, but the call still lands.
		c.waitForEnd()
		c.mu.Lock()
		if a := c.admit(); a.code == 0 {
			c.process()
		}
		c.mu.Unlock()
		panic(http.ErrAbortHandler)
	default:
		return false
	}
	return true
}

// deliver sends the answer of a processed call, or what a fault makes of it.
func (c *call) deliver(a answer) {
	switch c.fault {
	case ErrorAfter:
		c.refuse(http.StatusInternalServerError, "internal_error", "internal server error")
	case GatewayAfter:
		c.page(http.StatusBadGateway)
	case CutAfter:
		c.cut(false, "")
	case CutWithin:
		c.cut(false, fmt.Sprintf("HTTP/1.1 %d %s\r\nContent-Le", a.code, http.StatusText(a.code)))
	case CutBody:
		half := a.body[:len(a.body)/2]
		c.cut(false, fmt.Sprintf("HTTP/1.1 %d %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s",
			a.code, http.StatusText(a.code), len(a.body)+1, half))
	case HangAfter:
		c.hang()
	case Page:
		c.page(http.StatusOK)
	case Accepted202:
		c.write(answer{http.StatusAccepted, a.body})
	default:
		c.write(a)
	}
}

// echo is an error body that repeats what a careful API would not: the request and the patient.
func (c *call) echo() []byte {
	c.mu.Lock()
	defer c.mu.Unlock()
	q := c.requisitions[c.id]
	if t := c.requests[c.id]; t != nil {
		q = t.requisition
	}
	body := map[string]any{"error": "invalid_request", "message": "invalid value in request " + string(c.body)}
	if q != nil {
		body["patient"] = q.patient
	}
	return encode(body)
}

// page answers with a page made for people.
func (c *call) page(code int) {
	c.w.Header().Set("Content-Type", "text/html; charset=utf-8")
	c.w.WriteHeader(code)
	_, _ = fmt.Fprintf(c.w, "<html><head><title>%d</title></head><body><h1>%s</h1></body></html>", code, http.StatusText(code))
}

// waitForEnd returns when the caller is gone or the sandbox is closed.
func (c *call) waitForEnd() {
	select {
	case <-c.r.Context().Done():
	case <-c.closed:
	}
}

// hang never answers.
func (c *call) hang() {
	c.waitForEnd()
	panic(http.ErrAbortHandler)
}

// cut closes or resets the connection after writing some raw text.
func (c *call) cut(reset bool, text string) {
	hijacker, ok := c.w.(http.Hijacker)
	if !ok {
		panic(http.ErrAbortHandler)
	}
	conn, _, err := hijacker.Hijack()
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	_, _ = conn.Write([]byte(text))
	under := conn
	if t, ok := conn.(interface{ NetConn() net.Conn }); ok {
		under = t.NetConn()
	}
	if tcp, ok := under.(*net.TCPConn); ok && reset {
		_ = tcp.SetLinger(0)
		_ = tcp.Close()
	}
	_ = conn.Close()
}
