package control

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"limsbridge/bridge"
)

// verifying asks for a verification. Reading the LIMS in its peace may take many minutes, so that
// the answer comes line by line.
type verifying struct {
	Last time.Duration `json:"last"`
}

// told is one line of the answer: a difference, or the end.
type told struct {
	Difference *bridge.Difference `json:"difference,omitempty"`
	Verified   *bridge.Verified   `json:"verified,omitempty"`
	Error      string             `json:"error,omitempty"`
	NotReady   bool               `json:"not_ready,omitempty"`
}

func (b Bridge) verify(w http.ResponseWriter, r *http.Request) {
	var asked verifying
	if err := json.NewDecoder(io.LimitReader(r.Body, 1<<12)).Decode(&asked); err != nil || asked.Last <= 0 {
		http.Error(w, "that is nothing that can be asked", http.StatusBadRequest)
		return
	}
	c := http.NewResponseController(w)
	// The question was read: what the connection says from now on is that the caller left.
	if err := c.SetReadDeadline(time.Time{}); err != nil {
		http.Error(w, err.Error(), http.StatusConflict)
		return
	}
	e := json.NewEncoder(w)
	say := func(t told) error { return errors.Join(e.Encode(t), c.Flush()) }
	v, err := b.Verify(r.Context(), asked.Last, func(d bridge.Difference) error { return say(told{Difference: &d}) })
	end := told{Verified: &v}
	if err != nil {
		end = told{Error: err.Error(), NotReady: errors.Is(err, ErrNotReady)}
	}
	_ = say(end) // who left does not hear it
}

// Verify asks the running bridge to verify what was accepted for so long until now, and calls yield
// with every difference.
func Verify(ctx context.Context, state string, last time.Duration, yield func(bridge.Difference) error) (bridge.Verified, error) {
	resp, err := send(ctx, state, http.MethodPost, "/verify", verifying{last}, 0)
	if err != nil {
		return bridge.Verified{}, err
	}
	defer resp.Body.Close()
	for d := json.NewDecoder(resp.Body); ; {
		var t told
		if err := d.Decode(&t); err != nil {
			return bridge.Verified{}, fmt.Errorf("limsbridge ended before the verification did: %w", err)
		}
		switch {
		case t.Difference != nil:
			if err := yield(*t.Difference); err != nil {
				return bridge.Verified{}, err
			}
		case t.Verified != nil:
			return *t.Verified, nil
		case t.NotReady:
			return bridge.Verified{}, ErrNotReady
		default:
			return bridge.Verified{}, errors.New(t.Error)
		}
	}
}
