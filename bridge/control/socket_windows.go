package control

import (
	"errors"
	"fmt"
	"io/fs"

	"golang.org/x/sys/windows"
)

// protect leaves the socket to the system, to administrators and to the account of this process.
// Windows asks the access list of a socket's file when somebody connects. The file is a reparse
// point, which only an open as such reaches.
func protect(path string) error {
	name, err := windows.UTF16PtrFromString(path)
	if err != nil {
		return err
	}
	me, err := windows.GetCurrentProcessToken().GetTokenUser()
	if err != nil {
		return err
	}
	sd, err := windows.SecurityDescriptorFromString(fmt.Sprintf("D:P(A;;FA;;;SY)(A;;FA;;;BA)(A;;FA;;;%s)", me.User.Sid))
	if err != nil {
		return err
	}
	dacl, _, err := sd.DACL()
	if err != nil {
		return err
	}
	h, err := windows.CreateFile(name, windows.READ_CONTROL|windows.WRITE_DAC,
		windows.FILE_SHARE_READ|windows.FILE_SHARE_WRITE|windows.FILE_SHARE_DELETE, nil, windows.OPEN_EXISTING,
		windows.FILE_FLAG_OPEN_REPARSE_POINT|windows.FILE_FLAG_BACKUP_SEMANTICS, 0)
	if err != nil {
		return err
	}
	err = windows.SetSecurityInfo(h, windows.SE_FILE_OBJECT,
		windows.DACL_SECURITY_INFORMATION|windows.PROTECTED_DACL_SECURITY_INFORMATION, nil, nil, dacl, nil)
	return errors.Join(err, windows.CloseHandle(h))
}

// refused reports whether nobody listens on a socket that is there. (Package syscall's ECONNREFUSED
// is not what Windows says.)
func refused(err error) bool { return errors.Is(err, windows.WSAECONNREFUSED) }

// denied reports whether this account may not speak with it. (A socket's own word for it is not among
// those that fs.ErrPermission knows.)
func denied(err error) bool {
	return errors.Is(err, fs.ErrPermission) || errors.Is(err, windows.WSAEACCES)
}
