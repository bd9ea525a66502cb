package control

import (
	"fmt"
	"io/fs"
	"net"
	"os"
	"testing"

	"golang.org/x/sys/windows"
)

// Windows has two words for what this account may not do.
func TestDenied(t *testing.T) {
	for err, want := range map[error]bool{
		windows.WSAEACCES: true, fs.ErrPermission: true, windows.ERROR_ACCESS_DENIED: true, windows.WSAECONNREFUSED: false,
	} {
		asked := fmt.Errorf("asking: %w", &net.OpError{Op: "dial", Net: "unix", Err: os.NewSyscallError("connect", err)})
		if denied(asked) != want {
			t.Errorf("%v: %v", err, !want)
		}
	}
}
