package access

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"unsafe"

	"golang.org/x/sys/windows"
)

const asked = windows.OWNER_SECURITY_INFORMATION | windows.DACL_SECURITY_INFORMATION

// Of returns the list of an open file, so that what was judged is what is read.
func Of(f *os.File) (List, error) {
	sd, err := windows.GetSecurityInfo(windows.Handle(f.Fd()), windows.SE_FILE_OBJECT, asked)
	if err != nil {
		return List{}, err
	}
	return list(sd)
}

// At returns the list of the file or folder of this name.
func At(path string) (List, error) {
	sd, err := windows.GetNamedSecurityInfo(path, windows.SE_FILE_OBJECT, asked)
	if err != nil {
		return List{}, err
	}
	return list(sd)
}

// Types of entries that let an account in, and their like that keep it out ([MS-DTYP] 2.4.4.1). Those with a
// condition are taken for entries without one.
const (
	allowed            = windows.ACCESS_ALLOWED_ACE_TYPE
	denied             = windows.ACCESS_DENIED_ACE_TYPE
	allowedConditional = 0x9
)

func list(sd *windows.SECURITY_DESCRIPTOR) (List, error) {
	if sd == nil {
		return List{}, errors.New("there is no access list")
	}
	owner, _, err := sd.Owner()
	if err != nil {
		return List{}, err
	}
	control, _, err := sd.Control()
	if err != nil {
		return List{}, err
	}
	l := List{Owner: owner.String(), Alone: control&windows.SE_DACL_PROTECTED != 0}
	dacl, _, err := sd.DACL()
	if errors.Is(err, windows.ERROR_OBJECT_NOT_FOUND) || err == nil && dacl == nil {
		l.Open = true
		return l, nil
	}
	if err != nil {
		return List{}, err
	}
	for i := range uint32(dacl.AceCount) {
		var ace *windows.ACCESS_ALLOWED_ACE
		if err := windows.GetAce(dacl, i, &ace); err != nil {
			return List{}, err
		}
		e := Entry{
			Rights:      uint32(ace.Mask),
			InheritOnly: ace.Header.AceFlags&windows.INHERIT_ONLY_ACE != 0,
			Inherited:   ace.Header.AceFlags&windows.INHERITED_ACE != 0,
		}
		switch ace.Header.AceType {
		case allowed, allowedConditional:
		case denied:
			e.Kind = Denies
		default:
			continue // of objects of a directory service, or no rule of access at all
		}
		e.Who = (*windows.SID)(unsafe.Pointer(&ace.SidStart)).String()
		l.Entries = append(l.Entries, e)
	}
	return l, nil
}

// Shut gives a file, or a folder and what is made in it, to administrators, the system and these
// accounts, and to nobody else.
func Shut(path string, grants ...Grant) error {
	info, err := os.Lstat(path)
	if err != nil {
		return err
	}
	inherit := ""
	if info.IsDir() {
		inherit = "OICI"
	}
	text := "D:PAI"
	for _, g := range withRulers(grants) {
		text += fmt.Sprintf("(A;%s;0x%x;;;%s)", inherit, g.Right.mask, g.Who)
	}
	return Set(path, text)
}

// Set writes an access list in Windows' own form (SDDL). One that begins with D:P inherits nothing from
// the folder above, another one takes what that has for it.
func Set(path, text string) error {
	sd, err := windows.SecurityDescriptorFromString(text)
	if err != nil {
		return err
	}
	dacl, _, err := sd.DACL()
	if err != nil {
		return err
	}
	inherit := windows.SECURITY_INFORMATION(windows.UNPROTECTED_DACL_SECURITY_INFORMATION)
	if strings.HasPrefix(text, "D:P") {
		inherit = windows.PROTECTED_DACL_SECURITY_INFORMATION
	}
	return windows.SetNamedSecurityInfo(path, windows.SE_FILE_OBJECT, windows.DACL_SECURITY_INFORMATION|inherit, nil, nil, dacl, nil)
}
