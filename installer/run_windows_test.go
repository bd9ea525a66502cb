package installer

import (
	"context"
	"errors"
	"testing"

	"golang.org/x/sys/windows/svc"
)

// A service that ends by itself failed, whatever it says; one that was stopped did not.
func TestExecute(t *testing.T) {
	for _, said := range []error{nil, errors.New("broken")} {
		h := &handler{ctx: t.Context(), serve: func(context.Context, <-chan struct{}) error { return said }}
		changes := make(chan svc.Status, 100)
		if _, code := h.Execute(nil, make(chan svc.ChangeRequest), changes); code != failedCode {
			t.Errorf("ended with %v: code %d", said, code)
		}
	}
	h := &handler{ctx: t.Context(), serve: func(ctx context.Context, _ <-chan struct{}) error { <-ctx.Done(); return nil }}
	requests, changes := make(chan svc.ChangeRequest, 1), make(chan svc.Status, 100)
	requests <- svc.ChangeRequest{Cmd: svc.Stop}
	if _, code := h.Execute(nil, requests, changes); code != 0 {
		t.Errorf("stopped: code %d", code)
	}
	if first, second := <-changes, <-changes; first.State != svc.Running || second.State != svc.StopPending {
		t.Errorf("%+v %+v", first, second)
	}
}
