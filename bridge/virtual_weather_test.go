package bridge_test

import (
	"bytes"
	"context"
	"hash/fnv"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"

	"limsbridge/lims"
	"limsbridge/whoop/sandbox"
)

// weather stands before the simulated API and decides which calls fail, and how. It knows which
// reports nobody can know the outcome of: only those may end in doubt.
type weather struct {
	api  *sandbox.Server
	seed uint64

	mu      sync.Mutex
	odds    map[sandbox.Fault]float64 // in percent of all calls
	storm   []sandbox.Fault           // while an outage lasts: every call fails, in one of these ways
	calls   map[string]uint64         // so far, by method and path
	unclear map[uuid.UUID]int         // reports whose outcome nobody can know, by service request
	refused map[uuid.UUID]int         // calls that were refused without reason, by resource
	landed  int                       // calls that landed minutes after the caller gave up
}

// landsLater is processed minutes after the caller gave up.
const landsLater sandbox.Fault = "lands-later"

// certain are the faults after which everybody knows that nothing happened, or that all did: a
// report's success has no body that could be cut.
var certain = []sandbox.Fault{
	"", sandbox.Expired, sandbox.RateLimited, sandbox.Throttled,
	sandbox.BadRequest, sandbox.Missing, sandbox.Unprocessed, sandbox.CutBody,
}

// hostile are the odds of a bad API: some four calls in a hundred fail.
var hostile = map[sandbox.Fault]float64{
	sandbox.Expired: .4, sandbox.RateLimited: .2, sandbox.Throttled: .2,
	sandbox.ErrorBefore: .3, sandbox.Unavailable: .3, sandbox.CloseBefore: .2, sandbox.HangBefore: .2, sandbox.Redirect: .1,
	sandbox.BadRequest: .1, sandbox.Forbidden: .05, sandbox.Missing: .1, sandbox.TimedOut: .1, sandbox.Conflict: .1, sandbox.Unprocessed: .1,
	sandbox.ErrorAfter: .3, sandbox.GatewayAfter: .3, sandbox.CutAfter: .3, sandbox.CutWithin: .1, sandbox.CutBody: .1,
	sandbox.HangAfter: .2, sandbox.Late: .2, sandbox.Page: .1, sandbox.Accepted202: .1, landsLater: .4,
}

// storms are the ways in which an API is out of order for an hour.
var storms = [][]sandbox.Fault{
	{sandbox.Unavailable},
	{sandbox.ErrorAfter},
	{sandbox.ErrorBefore, sandbox.GatewayAfter, sandbox.Unavailable},
	{sandbox.HangBefore, sandbox.HangAfter, sandbox.CloseBefore},
	{sandbox.RateLimited},
}

// endpoint names the call for the sandbox, and the resource that it is about.
func endpoint(r *http.Request) (sandbox.Endpoint, uuid.UUID) {
	path := strings.TrimPrefix(r.URL.Path, sandbox.Prefix+"/v2/partner/")
	kind, rest, _ := strings.Cut(path, "/")
	text, tail, _ := strings.Cut(rest, "/")
	id, _ := uuid.Parse(text)
	switch {
	case kind == "token":
		return sandbox.Token, id
	case tail == "results":
		return sandbox.Results, id
	case kind == "requisition" && tail == "":
		return sandbox.GetRequisition, id
	case kind == "requisition":
		return sandbox.SetRequisitionStatus, id
	case tail == "":
		return sandbox.GetServiceRequest, id
	}
	return sandbox.SetStatus, id
}

// draw decides a call's fault: by the seed, the call and how often it was made, not by the order
// in which parallel calls arrive.
func (w *weather) draw(e sandbox.Endpoint, id uuid.UUID, key string) (sandbox.Fault, time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	h := fnv.New64a()
	_, _ = io.WriteString(h, key)
	d := newDice(w.seed, h.Sum64()+w.calls[key]*0x9e3779b97f4a7c15)
	w.calls[key]++
	var f sandbox.Fault
	switch {
	case len(w.storm) > 0:
		if f = w.storm[d.IntN(len(w.storm))]; e == sandbox.Token {
			f = sandbox.Unavailable
		}
	case e != sandbox.Token:
		x := d.Float64() * 100
		for _, name := range slices.Sorted(maps.Keys(w.odds)) {
			if x -= w.odds[name]; x < 0 {
				f = name
				break
			}
		}
	}
	change := e != sandbox.Token && e != sandbox.GetRequisition && e != sandbox.GetServiceRequest
	if f == landsLater && !change {
		f = sandbox.HangBefore
	}
	switch {
	case e == sandbox.Results && !slices.Contains(certain, f):
		w.unclear[id]++
	case f == sandbox.BadRequest || f == sandbox.Missing || f == sandbox.Unprocessed:
		w.refused[id]++
	}
	return f, d.between(time.Second, 270*time.Second)
}

func (w *weather) ServeHTTP(out http.ResponseWriter, r *http.Request) {
	e, id := endpoint(r)
	f, delay := w.draw(e, id, r.Method+r.URL.Path)
	if f == landsLater {
		w.landLater(r, delay)
	}
	if err := w.api.Fail(e, f); err != nil {
		panic(err)
	}
	w.api.ServeHTTP(out, r)
}

// landLater lets the caller wait in vain, and then some time pass, before the call arrives.
func (w *weather) landLater(r *http.Request, delay time.Duration) {
	body, _ := io.ReadAll(r.Body)
	<-r.Context().Done()
	again := r.Clone(context.WithoutCancel(r.Context()))
	again.Body = io.NopCloser(bytes.NewReader(body))
	<-time.After(delay)
	w.mu.Lock()
	w.landed++
	w.mu.Unlock()
	w.api.ServeHTTP(httptest.NewRecorder(), again)
	panic(http.ErrAbortHandler)
}

func (w *weather) set(odds map[sandbox.Fault]float64, storm []sandbox.Fault) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.odds, w.storm = odds, storm
}

// errLIMS is how a LIMS database that is out of order answers.
var errLIMS = &lims.Unavailable{Reason: "the database is out of order"}
