//go:build wine

package installer

import (
	"os"
	"strings"
	"unsafe"

	"golang.org/x/sys/windows"
)

// Managed reports whether the service control manager started this process. Wine starts services in
// session 1 instead of 0, by which Windows' own answer goes; so this asks who the parent is. The
// tests under Wine are built with this file, and differ by it alone from what is handed out; they run
// with GODEBUG=asyncpreemptoff=1, as in Wine a thread may not come back from being preempted.
func Managed() bool {
	all, err := windows.CreateToolhelp32Snapshot(windows.TH32CS_SNAPPROCESS, 0)
	if err != nil {
		return false
	}
	defer windows.CloseHandle(all) //nolint:errcheck // read only
	p := windows.ProcessEntry32{Size: uint32(unsafe.Sizeof(windows.ProcessEntry32{}))}
	for err := windows.Process32First(all, &p); err == nil; err = windows.Process32Next(all, &p) {
		if int(p.ProcessID) == os.Getppid() {
			return strings.EqualFold(windows.UTF16ToString(p.ExeFile[:]), "services.exe")
		}
	}
	return false
}
