package installer

import (
	"crypto/sha1" //nolint:gosec // Windows derives a service's id with it
	"encoding/binary"
	"strconv"
	"strings"
	"unicode/utf16"
	"unsafe"

	"golang.org/x/sys/windows"
)

// accountSID is the security identifier of an account. That of a service is derived from its name,
// so that it is known before the service exists.
func accountSID(account string) (*windows.SID, error) {
	if strings.EqualFold(account, "LocalSystem") { // what the manager calls it, and nobody else
		return windows.CreateWellKnownSid(windows.WinLocalSystemSid)
	}
	if domain, name, ok := strings.Cut(account, `\`); ok {
		switch {
		case strings.EqualFold(domain, "NT SERVICE"):
			return windows.StringToSid(serviceSID(name))
		case domain == ".":
			account = name
		}
	}
	sid, _, _, err := windows.LookupSID("", account)
	return sid, err
}

// serviceSID is S-1-5-80 and the SHA-1 of the name in capitals, as UTF-16 ([MS-DTYP] 2.4.2.4 names
// the form; `sc showsid` prints the same).
func serviceSID(name string) string {
	var text []byte
	for _, u := range utf16.Encode([]rune(strings.ToUpper(name))) {
		text = binary.LittleEndian.AppendUint16(text, u)
	}
	sum := sha1.Sum(text) //nolint:gosec // see above
	sid := "S-1-5-80"
	for i := 0; i < len(sum); i += 4 {
		sid += "-" + strconv.FormatUint(uint64(binary.LittleEndian.Uint32(sum[i:])), 10)
	}
	return sid
}

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
