// Package control is the local way to a running limsbridge: a socket in the state folder that
// only its owner and administrators can open. The command line uses it while the service runs.
//
// It carries acts of people and questions about where things stand; no values, no secrets. It is
// not reachable from the network.
package control

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"limsbridge/bridge"
)

// Act is what a person asks of the running bridge.
type Act struct {
	Act   string   `json:"act"` // pause, resume, release
	Tests []string `json:"tests,omitempty"`
	Brake string   `json:"brake,omitempty"` // release: which one
	Count int      `json:"count,omitempty"` // release: how many
	By    string   `json:"by"`
	Why   string   `json:"why"`
	// User is the operating system's user as the caller says; the server prefers what the
	// socket says.
	User string `json:"user,omitempty"`
}

// Bridge is what the socket speaks for: the running bridge.
type Bridge struct {
	Act     func(context.Context, Act) error
	Resolve func(context.Context, bridge.Resolution) error
	Holds   func() ([]bridge.Held, error)
	// Outstanding is bridge.FindOutstanding.
	Outstanding func() ([]bridge.Outstanding, error)
	// Status tells how it stands.
	Status func() (Status, error)
	// Reload puts the configuration's file in force, and returns the problems of one that cannot be;
	// then nothing changes.
	Reload func(context.Context) error
	// Command runs a command line and returns its exit status. Which ones it runs at all is its own
	// business.
	Command func(ctx context.Context, call Call, out, errs io.Writer) int
}

// ErrNotRunning says that nobody listens on the socket.
var ErrNotRunning = errors.New("limsbridge is not running here")

// ErrNotReady says that somebody listens who has no ledger open: whoever asks may open it.
var ErrNotReady = fmt.Errorf("the service is not ready, see `limsbridge status`: %w", ErrNotRunning)

// ErrTaken says that another process answers on the socket.
var ErrTaken = errors.New("another limsbridge answers for this ledger")

// WordsError says that what was asked cannot be meant: nothing was done.
type WordsError struct{ Text string }

func (e *WordsError) Error() string { return e.Text }

const socketName = "control.sock"

// timeout bounds one question and its answer; acts wait for the disk, not for WHOOP.
const timeout = 10 * time.Second

// Serve answers on the socket in the state folder until ctx ends.
func Serve(ctx context.Context, state string, b Bridge) error {
	path := filepath.Join(state, socketName)
	if c, err := (&net.Dialer{}).DialContext(ctx, "unix", path); err == nil {
		return errors.Join(ErrTaken, c.Close())
	}
	// A socket file that a killed process left behind is in the way: nobody answers there.
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	l, err := (&net.ListenConfig{}).Listen(ctx, "unix", path)
	if err != nil {
		return fmt.Errorf("the control socket %s: %w", path, err)
	}
	if err := protect(path); err != nil {
		return errors.Join(fmt.Errorf("protecting the control socket %s: %w", path, err), l.Close())
	}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /act", func(w http.ResponseWriter, r *http.Request) {
		answer(w, r, func(a Act) error {
			a.User = cmp.Or(peer(r.Context()), a.User)
			return b.Act(r.Context(), a)
		})
	})
	mux.HandleFunc("POST /resolve", func(w http.ResponseWriter, r *http.Request) {
		answer(w, r, func(s bridge.Resolution) error {
			s.User = cmp.Or(peer(r.Context()), s.User)
			return b.Resolve(r.Context(), s)
		})
	})
	mux.HandleFunc("GET /holds", func(w http.ResponseWriter, _ *http.Request) { tell(w, b.Holds) })
	mux.HandleFunc("GET /outstanding", func(w http.ResponseWriter, _ *http.Request) { tell(w, b.Outstanding) })
	mux.HandleFunc("GET /status", func(w http.ResponseWriter, _ *http.Request) { tell(w, b.Status) })
	mux.HandleFunc("POST /reload", func(w http.ResponseWriter, r *http.Request) {
		answer(w, r, func(struct{}) error { return b.Reload(r.Context()) })
	})
	mux.HandleFunc("POST /command", b.command)
	s := &http.Server{Handler: mux, ReadTimeout: timeout, ConnContext: withPeer}
	done := make(chan error, 1)
	go func() { done <- s.Serve(l) }()
	select {
	case err = <-done:
	case <-ctx.Done():
		err = s.Close()
		<-done //nolint:errcheck // it was closed just now
	}
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return err
}

// answer decodes what is asked, does it, and answers with what came of it.
func answer[T any](w http.ResponseWriter, r *http.Request, do func(T) error) {
	var asked T
	d := json.NewDecoder(io.LimitReader(r.Body, 1<<20))
	d.DisallowUnknownFields()
	if err := d.Decode(&asked); err != nil {
		http.Error(w, "that is nothing that can be asked", http.StatusBadRequest)
		return
	}
	if err := do(asked); err != nil {
		refuse(w, err)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

// tell answers with what is known.
func tell[T any](w http.ResponseWriter, known func() (T, error)) {
	is, err := known()
	var text []byte
	if err == nil {
		text, err = json.Marshal(is)
	}
	if err != nil {
		refuse(w, err)
		return
	}
	_, _ = w.Write(text)
}

// refuse answers with an error.
func refuse(w http.ResponseWriter, err error) {
	status := http.StatusConflict
	if errors.Is(err, ErrNotReady) {
		status = http.StatusServiceUnavailable
	}
	if _, ok := errors.AsType[*WordsError](err); ok {
		status = http.StatusUnprocessableEntity
	}
	http.Error(w, err.Error(), status)
}

// Listens reports whether somebody answers on the socket in the state folder.
func Listens(ctx context.Context, state string) bool {
	c, err := (&net.Dialer{Timeout: timeout}).DialContext(ctx, "unix", filepath.Join(state, socketName))
	if err != nil {
		return false
	}
	_ = c.Close()
	return true
}

// Do asks the running bridge to do a. Like all calls here it returns ErrNotRunning where nobody
// listens; any other error is the bridge's own.
func Do(ctx context.Context, state string, a Act) error {
	return ask(ctx, state, http.MethodPost, "/act", a, nil)
}

// Resolve asks the running bridge to record a decision.
func Resolve(ctx context.Context, state string, s bridge.Resolution) error {
	return ask(ctx, state, http.MethodPost, "/resolve", s, nil)
}

// Holds asks the running bridge for what is held.
func Holds(ctx context.Context, state string) (holds []bridge.Held, err error) {
	err = ask(ctx, state, http.MethodGet, "/holds", nil, &holds)
	return holds, err
}

// FindOutstanding asks the running bridge for what is outstanding. A large ledger takes its time;
// ctx ends the wait.
func FindOutstanding(ctx context.Context, state string) (all []bridge.Outstanding, err error) {
	resp, err := send(ctx, state, http.MethodGet, "/outstanding", nil, 0)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	err = json.NewDecoder(resp.Body).Decode(&all)
	return all, err
}

// Reload asks the running bridge to put its configuration's file in force. The error of a file that
// cannot be lists its problems.
func Reload(ctx context.Context, state string) error {
	resp, err := send(ctx, state, http.MethodPost, "/reload", struct{}{}, 0)
	if err != nil {
		return err
	}
	return resp.Body.Close()
}

// ask asks for something that is answered at once.
func ask(ctx context.Context, state, method, what string, body, result any) error {
	resp, err := send(ctx, state, method, what, body, timeout)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode == http.StatusNoContent {
		return nil
	}
	return json.NewDecoder(resp.Body).Decode(result)
}

// send sends a question and returns its answer, which is a success and must be closed. It waits no
// longer than patience; 0: as long as ctx.
func send(ctx context.Context, state, method, what string, body any, patience time.Duration) (*http.Response, error) {
	path := filepath.Join(state, socketName)
	c := &http.Client{Timeout: patience, Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "unix", path)
		},
	}}
	text, err := json.Marshal(body)
	if err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(ctx, method, "http://limsbridge"+what, bytes.NewReader(text))
	if err != nil {
		return nil, err
	}
	resp, err := c.Do(req)
	_, missing := os.Lstat(path)
	switch {
	case err != nil && (errors.Is(missing, fs.ErrNotExist) || refused(err)):
		return nil, ErrNotRunning
	case err != nil && denied(err):
		return nil, fmt.Errorf("the control socket %s is for its owner and administrators: run this command as one of them", path)
	case err != nil:
		return nil, fmt.Errorf("asking the running limsbridge: %w", err)
	}
	if resp.StatusCode == http.StatusNoContent || resp.StatusCode == http.StatusOK {
		return resp, nil
	}
	defer resp.Body.Close()
	if resp.StatusCode == http.StatusServiceUnavailable {
		return nil, ErrNotReady
	}
	told, _ := io.ReadAll(io.LimitReader(resp.Body, 1<<18))
	said := string(bytes.TrimSpace(told))
	if resp.StatusCode == http.StatusUnprocessableEntity {
		return nil, &WordsError{said}
	}
	return nil, errors.New(said)
}

type peerKey struct{}

func withPeer(ctx context.Context, c net.Conn) context.Context {
	return context.WithValue(ctx, peerKey{}, peerUser(c))
}

func peer(ctx context.Context) string {
	user, _ := ctx.Value(peerKey{}).(string)
	return user
}
