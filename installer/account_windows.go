package installer

import (
	"unsafe"

	"golang.org/x/sys/windows"
)

var (
	advapi32             = windows.NewLazySystemDLL("advapi32.dll")
	lsaOpenPolicy        = advapi32.NewProc("LsaOpenPolicy")
	lsaAddAccountRights  = advapi32.NewProc("LsaAddAccountRights")
	lsaClose             = advapi32.NewProc("LsaClose")
	lsaNtStatusToWinErr  = advapi32.NewProc("LsaNtStatusToWinError")
	policyCreateAndNames = uintptr(0x810) // POLICY_CREATE_ACCOUNT | POLICY_LOOKUP_NAMES
)

// allowServiceLogon gives an account the right to run services (SeServiceLogonRight), as the
// Services console does when an account is chosen there.
func allowServiceLogon(sid *windows.SID) error {
	var attributes windows.OBJECT_ATTRIBUTES
	attributes.Length = uint32(unsafe.Sizeof(attributes))
	var policy windows.Handle
	if status, _, _ := lsaOpenPolicy.Call(0, uintptr(unsafe.Pointer(&attributes)), policyCreateAndNames, uintptr(unsafe.Pointer(&policy))); status != 0 {
		return ntError(status)
	}
	defer lsaClose.Call(uintptr(policy)) //nolint:errcheck // there is nothing to do about it
	right, err := windows.NewNTUnicodeString("SeServiceLogonRight")
	if err != nil {
		return err
	}
	if status, _, _ := lsaAddAccountRights.Call(uintptr(policy), uintptr(unsafe.Pointer(sid)), uintptr(unsafe.Pointer(right)), 1); status != 0 {
		return ntError(status)
	}
	return nil
}

func ntError(status uintptr) error {
	code, _, _ := lsaNtStatusToWinErr.Call(status)
	return windows.Errno(code)
}
