// Package control is the local way to a running limsbridge: a socket in the state folder that
// only its owner and administrators can open. The command line uses it while the service runs.
//
// It carries acts of people and questions about where things stand; no values, no secrets. It is
// not reachable from the network.
package control

import (
	"bytes"
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
	"syscall"
	"time"
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

// ErrNotRunning says that nobody listens on the socket.
var ErrNotRunning = errors.New("limsbridge is not running here")

const socketName = "control.sock"

// timeout bounds one question and its answer; acts wait for the disk, not for WHOOP.
const timeout = 10 * time.Second

// Serve answers on the socket in the state folder until ctx ends. do is called for each act.
func Serve(ctx context.Context, state string, do func(context.Context, Act) error) error {
	path := filepath.Join(state, socketName)
	// A socket file that a killed process left behind is in the way. Only the holder of the
	// ledger's lock gets here, so it belongs to nobody.
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	l, err := (&net.ListenConfig{}).Listen(ctx, "unix", path)
	if err != nil {
		return fmt.Errorf("the control socket %s: %w", path, err)
	}
	if err := os.Chmod(path, 0o600); err != nil {
		return errors.Join(err, l.Close())
	}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /act", func(w http.ResponseWriter, r *http.Request) {
		var a Act
		d := json.NewDecoder(io.LimitReader(r.Body, 1<<16))
		d.DisallowUnknownFields()
		if err := d.Decode(&a); err != nil {
			http.Error(w, "not an act", http.StatusBadRequest)
			return
		}
		if user := peer(r.Context()); user != "" {
			a.User = user
		}
		if err := do(r.Context(), a); err != nil {
			http.Error(w, err.Error(), http.StatusConflict)
			return
		}
		w.WriteHeader(http.StatusNoContent)
	})
	s := &http.Server{Handler: mux, ReadTimeout: timeout, ConnContext: withPeer}
	done := make(chan error, 1)
	go func() { done <- s.Serve(l) }()
	select {
	case err = <-done:
	case <-ctx.Done():
		err = s.Close()
		_ = <-done // it was closed just now
	}
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return err
}

// Do asks the running bridge to do a. It returns ErrNotRunning where nobody listens; any other
// error is the bridge's own.
func Do(ctx context.Context, state string, a Act) error {
	path := filepath.Join(state, socketName)
	c := &http.Client{Timeout: timeout, Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "unix", path)
		},
	}}
	body, err := json.Marshal(a)
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://limsbridge/act", bytes.NewReader(body))
	if err != nil {
		return err
	}
	resp, err := c.Do(req)
	switch {
	case errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ECONNREFUSED):
		return ErrNotRunning
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("the control socket %s is for its owner and administrators: run this command as one of them", path)
	case err != nil:
		return fmt.Errorf("asking the running limsbridge: %w", err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusNoContent {
		text, _ := io.ReadAll(io.LimitReader(resp.Body, 1<<12))
		return errors.New(string(bytes.TrimSpace(text)))
	}
	return nil
}

type peerKey struct{}

func withPeer(ctx context.Context, c net.Conn) context.Context {
	return context.WithValue(ctx, peerKey{}, peerUser(c))
}

func peer(ctx context.Context) string {
	user, _ := ctx.Value(peerKey{}).(string)
	return user
}
