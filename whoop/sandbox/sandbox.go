// Package sandbox is a simulation of WHOOP's Healthcare Partner API for tests, demonstrations and
// rehearsals: stateful, seeded, and strict about the contract.
//
// It decodes every body with types of its own and shares no code with the client, so that a wrong
// model cannot agree with itself. It remembers what it accepted to the digit, counts what a
// correct partner never does (duplicates, violations of the order of statuses), and can fail in
// every way that the contract leaves open, before or after a call was processed.
//
// It is not WHOOP: where the published contract is silent it takes one plausible way, and where it
// is stricter than WHOOP may be, it is so to catch mistakes. It listens on loopback addresses only
// and keeps everything in memory.
package sandbox

import (
	"context"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"
)

// Defaults of Options, also for the command that serves a sandbox.
const (
	DefaultClientID     = "sandbox-client"
	DefaultClientSecret = "sandbox-secret-for-rehearsals"
	defaultTokenLife    = time.Hour
)

// Prefix is the path before /v2, as in WHOOP's production address. Requests without it are
// served as well.
const Prefix = "/developer"

// maxRequest is the longest body that is read.
const maxRequest = 1 << 20

// Options are the settings of a Server; the zero value is a well-behaved API.
type Options struct {
	ClientID, ClientSecret string
	TokenLife              time.Duration // 0 is an hour
	// PerMinute and PerDay are fixed windows aligned to the clock; 0 is no limit and no headers.
	PerMinute, PerDay int
	// Seed makes ids, tokens and faults repeatable.
	Seed uint64
	// Faults gives each fault its probability per call (not for token calls). Whether a call
	// fails depends on the seed, the call's method and path, and how often that was called
	// before, and not on the order in which parallel calls arrive.
	Faults map[Fault]float64
	// Lenient accepts violations of the order and counts them; otherwise they are refused with
	// 422 and counted.
	Lenient bool
	// CompleteOnFull turns a service request's status to completed with FULL_RESULTS_READY,
	// about which the contract says nothing.
	CompleteOnFull bool
	// DropReports keeps of each report only what finding duplicates needs.
	DropReports bool
	// Now is the clock; nil is time.Now.
	Now func() time.Time
}

// Server is one simulated API. It is an http.Handler.
type Server struct {
	o Options

	mu           sync.Mutex
	requisitions map[uuid.UUID]*requisition
	requests     map[uuid.UUID]*request
	added        []*requisition
	tokens       map[string]time.Time // until when
	ids          uint64               // made up so far
	interned     map[string]string
	counts       Counts
	faults       faults
	minute, day  fixedWindow
	pace         pace

	server *http.Server
	closed chan struct{}
	once   sync.Once
}

// New returns a sandbox without orders.
func New(o Options) *Server {
	if o.ClientID == "" {
		o.ClientID = DefaultClientID
	}
	if o.ClientSecret == "" {
		o.ClientSecret = DefaultClientSecret
	}
	if o.TokenLife == 0 {
		o.TokenLife = defaultTokenLife
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	return &Server{
		o:            o,
		requisitions: map[uuid.UUID]*requisition{},
		requests:     map[uuid.UUID]*request{},
		tokens:       map[string]time.Time{},
		interned:     map[string]string{},
		counts:       newCounts(),
		faults:       newFaults(o.Seed, o.Faults),
		minute:       fixedWindow{length: time.Minute, limit: o.PerMinute},
		day:          fixedWindow{length: 24 * time.Hour, limit: o.PerDay},
		closed:       make(chan struct{}),
	}
}

// Start serves on a loopback address such as 127.0.0.1:0 and returns the base URL for a client.
func (s *Server) Start(addr string) (string, error) {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return "", err
	}
	if ip := net.ParseIP(host); host != "localhost" && (ip == nil || !ip.IsLoopback()) {
		return "", errors.New("the sandbox listens on loopback addresses only, e.g. 127.0.0.1:8088")
	}
	l, err := net.Listen("tcp", addr) //nolint:noctx // a loopback address: nothing is looked up
	if err != nil {
		return "", err
	}
	server := &http.Server{Handler: s, ReadHeaderTimeout: 10 * time.Second, ErrorLog: log.New(io.Discard, "", 0)}
	s.mu.Lock()
	s.server = server
	s.mu.Unlock()
	go func() { _ = server.Serve(l) }()
	return "http://" + l.Addr().String() + Prefix, nil
}

// Close ends the service and lets go of calls that hang.
func (s *Server) Close() error {
	s.once.Do(func() { close(s.closed) })
	s.mu.Lock()
	server := s.server
	s.mu.Unlock()
	if server == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	if server.Shutdown(ctx) != nil {
		return server.Close()
	}
	return nil
}

// ServeHTTP answers one call.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	path := strings.TrimPrefix(r.URL.Path, Prefix)
	if rest, ok := strings.CutPrefix(path, "/_sandbox/"); ok {
		s.control(w, r, rest)
		return
	}
	c := call{Server: s, w: w, r: r, now: s.o.Now()}
	var known bool
	if c.endpoint, c.id, known = route(r.Method, path); !known {
		c.refuse(http.StatusNotFound, "not_found", "no such resource")
		return
	}
	c.serve(path)
}

// intern returns the one copy of a text that repeats often, such as a code. s.mu is held.
func (s *Server) intern(text string) string {
	if kept, ok := s.interned[text]; ok {
		return kept
	}
	kept := strings.Clone(text)
	s.interned[kept] = kept
	return kept
}
