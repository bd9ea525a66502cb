//go:build !linux

package ledger

import "os"

// syncData makes a file durable: FlushFileBuffers on Windows, F_FULLFSYNC on macOS.
func syncData(f *os.File) error { return f.Sync() }
