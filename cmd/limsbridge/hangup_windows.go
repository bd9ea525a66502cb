package main

import "context"

// withReload is for systems with SIGHUP.
func withReload(ctx context.Context, _ *daemon) context.Context { return ctx }
