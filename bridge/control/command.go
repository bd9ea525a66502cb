package control

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"sync"
	"time"
)

// Call is a command line that is to run inside the running bridge, with its rights.
type Call struct {
	Args     []string `json:"args"`
	Config   string   `json:"config,omitempty"`   // the configuration's file that the caller means; "": the service's own
	Version  string   `json:"version"`            // the caller's
	Terminal bool     `json:"terminal,omitempty"` // the caller's output is a terminal, and no file
	// User is the operating system's user as the caller says; the server prefers what the
	// socket says.
	User string `json:"user,omitempty"`
}

// piece is one line of the answer: some output, or the end.
type piece struct {
	Out  []byte `json:"out,omitempty"`
	Err  []byte `json:"err,omitempty"`
	Exit *int   `json:"exit,omitempty"`
}

// command runs a command line and streams what it prints. It ends when the caller leaves.
func (b Bridge) command(w http.ResponseWriter, r *http.Request) {
	var call Call
	d := json.NewDecoder(io.LimitReader(r.Body, 1<<16))
	if err := d.Decode(&call); err != nil || len(call.Args) == 0 {
		http.Error(w, "that is nothing that can be asked", http.StatusBadRequest)
		return
	}
	call.User = cmp.Or(peer(r.Context()), call.User)
	c := http.NewResponseController(w)
	// The question was read: what the connection says from now on is that the caller left.
	if err := c.SetReadDeadline(time.Time{}); err != nil {
		http.Error(w, err.Error(), http.StatusConflict)
		return
	}
	s := &stream{e: json.NewEncoder(w), flush: c.Flush}
	exit := b.Command(r.Context(), call, writer(func(p []byte) error { return s.say(piece{Out: p}) }), writer(func(p []byte) error { return s.say(piece{Err: p}) }))
	_ = s.say(piece{Exit: &exit}) // who left does not hear it
}

// stream writes pieces, one at a time.
type stream struct {
	mu    sync.Mutex
	e     *json.Encoder
	flush func() error
}

func (s *stream) say(p piece) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.e.Encode(p); err != nil {
		return err
	}
	return s.flush()
}

type writer func([]byte) error

func (w writer) Write(p []byte) (int, error) {
	if err := w(p); err != nil {
		return 0, err
	}
	return len(p), nil
}

// Run runs a command line inside the running bridge, writes what it prints, and returns its exit
// status. When ctx ends, so does the command.
func Run(ctx context.Context, state string, call Call, out, errs io.Writer) (exit int, err error) {
	resp, err := send(ctx, state, http.MethodPost, "/command", call, 0)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	for d := json.NewDecoder(resp.Body); ; {
		var p piece
		if err := d.Decode(&p); err != nil {
			if ctx.Err() != nil {
				return 0, ctx.Err()
			}
			return 0, fmt.Errorf("limsbridge ended before the command did: %w", err)
		}
		if p.Exit != nil {
			return *p.Exit, nil
		}
		if _, err := out.Write(p.Out); err != nil {
			return 0, err
		}
		if _, err := errs.Write(p.Err); err != nil {
			return 0, err
		}
	}
}
