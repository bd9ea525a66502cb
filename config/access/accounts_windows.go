package access

import (
	"crypto/sha1" //nolint:gosec // Windows derives a service's id with it
	"encoding/binary"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf16"
	"unsafe"

	"golang.org/x/sys/windows"
	"golang.org/x/sys/windows/registry"
)

// Account is the security identifier of an account. That of a service is derived from its name, so
// that it is known before the service exists.
func Account(name string) (*windows.SID, error) {
	if strings.EqualFold(name, "LocalSystem") { // what the manager calls it, and nobody else
		return windows.CreateWellKnownSid(windows.WinLocalSystemSid)
	}
	if domain, rest, ok := strings.Cut(name, `\`); ok {
		switch {
		case strings.EqualFold(domain, "NT SERVICE"):
			return windows.StringToSid(serviceSID(rest))
		case domain == ".":
			name = rest
		}
	}
	sid, _, _, err := windows.LookupSID("", name)
	return sid, err
}

// services begins the identifiers of services.
const services = "S-1-5-80-"

// serviceSID is S-1-5-80 and the SHA-1 of the name in capitals, as UTF-16 ([MS-DTYP] 2.4.2.4 names
// the form; `sc showsid` prints the same).
func serviceSID(name string) string {
	var text []byte
	for _, u := range utf16.Encode([]rune(strings.ToUpper(name))) {
		text = binary.LittleEndian.AppendUint16(text, u)
	}
	sum := sha1.Sum(text) //nolint:gosec // see above
	sid := strings.TrimSuffix(services, "-")
	for i := 0; i < len(sum); i += 4 {
		sid += "-" + strconv.FormatUint(uint64(binary.LittleEndian.Uint32(sum[i:])), 10)
	}
	return sid
}

// Name is what people call an account: DOMAIN\name, or its security identifier where it has no name.
func Name(who string) string {
	sid, err := windows.StringToSid(who)
	if err != nil {
		return who
	}
	name, domain, _, err := sid.LookupAccount("")
	switch {
	case err != nil || name == "":
		return who
	case domain == "":
		return name
	}
	return domain + `\` + name
}

// Strangers returns who else than the bridge and administrators can read a file with this list: not
// this process's account, nor those of limsbridge's services on this machine. Whom else the list names
// is looked up only where it names somebody: of the folders that `service install` made it does not.
func (l List) Strangers() []string {
	me, err := reader()
	if err != nil {
		me = Administrators
	}
	known := []string{System, Administrators, me}
	others := l.Others(known...)
	if len(others) == 0 {
		return nil
	}
	var out []string
	known = append(append(known, administrators()...), serviceSID(service))
	for _, s := range serviceAccounts() {
		known = append(known, s.own, s.account)
	}
	for _, who := range l.Others(known...) {
		if !gone(who) {
			out = append(out, who)
		}
	}
	return out
}

// Grants are the rights on a secret's file that the bridge needs: those of the accounts of its services on this
// machine, and of this process's account, unless that may read as an administrator.
func Grants() ([]Grant, error) {
	var grants []Grant
	for _, s := range serviceAccounts() {
		if s.account == "" { // without it the service would be shut out
			return nil, fmt.Errorf("the account of the service %s cannot be found out", s.name)
		}
		grants = append(grants, Grant{s.account, Change})
	}
	group, err := windows.StringToSid(Administrators)
	if err != nil {
		return nil, err
	}
	if member, err := windows.Token(0).IsMember(group); err == nil && member {
		return grants, nil
	}
	me, err := reader()
	if err != nil {
		return nil, err
	}
	return append(grants, Grant{me, Full}), nil
}

// reader is the account of this process.
func reader() (string, error) {
	user, err := windows.GetCurrentProcessToken().GetTokenUser()
	if err != nil {
		return "", err
	}
	return user.User.Sid.String(), nil
}

// service is what limsbridge's first service is called; those of instances are called service-NAME.
const service = "limsbridge"

// running is a service with its identifiers: its own, and that of the account that it runs as, "" where that
// cannot be found out, as while the domain is out of reach.
type running struct{ name, own, account string }

// serviceAccounts are those of limsbridge's services on this machine. Everybody may read them in the
// registry; the service manager tells them to administrators only.
func serviceAccounts() (all []running) {
	const services = `SYSTEM\CurrentControlSet\Services`
	root, err := registry.OpenKey(registry.LOCAL_MACHINE, services, registry.ENUMERATE_SUB_KEYS)
	if err != nil {
		return nil
	}
	defer root.Close()
	names, err := root.ReadSubKeyNames(-1)
	if err != nil {
		return nil
	}
	for _, name := range names {
		if lower := strings.ToLower(name); lower != service && !strings.HasPrefix(lower, service+"-") {
			continue
		}
		r := running{name: name, own: serviceSID(name)}
		if k, err := registry.OpenKey(root, name, registry.QUERY_VALUE); err == nil {
			account, _, err := k.GetStringValue("ObjectName")
			_ = k.Close() // read only
			if err == nil {
				if sid, err := Account(account); err == nil {
					r.account = sid.String()
				}
			}
		}
		all = append(all, r)
	}
	return all
}

var netLocalGroupGetMembers = windows.NewLazySystemDLL("netapi32.dll").NewProc("NetLocalGroupGetMembers")

// administrators are the members of the group: an entry for the domain's administrators lets nobody in
// who may not in anyway. None where they cannot be asked for.
func administrators() (members []string) {
	group, err := windows.StringToSid(Administrators)
	if err != nil {
		return nil
	}
	name, _, _, err := group.LookupAccount("") // in the language of this Windows
	if err != nil {
		return nil
	}
	text, err := windows.UTF16PtrFromString(name)
	if err != nil || netLocalGroupGetMembers.Find() != nil {
		return nil
	}
	var buffer *byte // of LOCALGROUP_MEMBERS_INFO_0, which is a pointer to an identifier
	var read, total uint32
	const sids, asManyAsThereAre = 0, 0xffffffff
	status, _, _ := netLocalGroupGetMembers.Call(0, uintptr(unsafe.Pointer(text)), sids,
		uintptr(unsafe.Pointer(&buffer)), asManyAsThereAre, uintptr(unsafe.Pointer(&read)), uintptr(unsafe.Pointer(&total)), 0)
	if status != 0 || buffer == nil {
		return nil
	}
	defer windows.NetApiBufferFree(buffer) //nolint:errcheck // there is nothing to do about it
	for _, sid := range unsafe.Slice((**windows.SID)(unsafe.Pointer(buffer)), read) {
		members = append(members, sid.String())
	}
	return members
}

// gone reports whether an identifier is of a service that is not on this machine any more, such as an instance
// that was uninstalled: nobody runs under it.
func gone(who string) bool {
	if !strings.HasPrefix(who, services) {
		return false
	}
	sid, err := windows.StringToSid(who)
	if err != nil {
		return false
	}
	_, _, _, err = sid.LookupAccount("")
	return errors.Is(err, windows.ERROR_NONE_MAPPED)
}
