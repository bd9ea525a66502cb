//go:build !windows

package installer

import (
	"context"
	"os"
	"strconv"
)

// Managed reports whether a service manager started this process. The process of a shell below a
// service inherits the manager's variables, but not its number.
func Managed() bool {
	return os.Getenv("NOTIFY_SOCKET") != "" || os.Getenv("SYSTEMD_EXEC_PID") == strconv.Itoa(os.Getpid())
}

// Run runs the service until it ends. ctx ends when the manager wants it to (SIGTERM); reload
// never comes: systemd runs `limsbridge reload`.
func Run(ctx context.Context, _ Service, serve func(ctx context.Context, reload <-chan struct{}) error) error {
	return serve(ctx, nil)
}
