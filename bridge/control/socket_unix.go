//go:build !windows

package control

import (
	"errors"
	"io/fs"
	"os"
	"syscall"
)

// protect leaves the socket to its owner and to root.
func protect(path string) error { return os.Chmod(path, 0o600) }

// refused reports whether nobody listens on a socket that is there.
func refused(err error) bool { return errors.Is(err, syscall.ECONNREFUSED) }

// denied reports whether this account may not speak with it.
func denied(err error) bool { return errors.Is(err, fs.ErrPermission) }
