//go:build !windows

package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
)

// withReload reloads the configuration at SIGHUP, as daemons do, until ctx ends.
func withReload(ctx context.Context, d *daemon) context.Context {
	hangup := make(chan os.Signal, 1)
	signal.Notify(hangup, syscall.SIGHUP)
	go func() {
		defer signal.Stop(hangup)
		for {
			select {
			case <-ctx.Done():
				return
			case <-hangup:
				d.reloadAndSay(ctx)
			}
		}
	}()
	return ctx
}
