package config

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"unsafe"

	"golang.org/x/sys/windows"

	"limsbridge/config/access"
)

// openToOthers is a secret's file that others can read, or may for all that is known.
type openToOthers struct {
	path   string
	list   access.List
	others []string
	// unknown is why the list cannot be read; nil: it was.
	unknown error
}

func (e *openToOthers) Error() string {
	if e.unknown != nil {
		return fmt.Sprintf("who can read %s cannot be told (%v)", e.path, e.unknown)
	}
	var names []string
	for _, who := range e.others {
		names = append(names, access.Name(who))
	}
	return fmt.Sprintf("others can read %s (%s)", e.path, strings.Join(names, ", "))
}

func (e *openToOthers) cure() string {
	if e.unknown != nil {
		return "put it on a disk with access lists (NTFS)"
	}
	grants, err := access.Grants()
	if err != nil {
		return "leave rights on it to the service, administrators and the system only"
	}
	return e.list.Cure(e.path, grants, e.others)
}

// private judges the access list of an opened file, so that what was checked is what is read. DPAPI alone
// would not do for a stored secret: it is sealed for the machine, so that everybody who logs on to it could
// unseal what he can read.
func private(f *os.File) error {
	l, err := access.Of(f)
	if err != nil {
		return &openToOthers{path: f.Name(), unknown: err}
	}
	if others := l.Strangers(); len(others) > 0 {
		return &openToOthers{path: f.Name(), list: l, others: others}
	}
	return nil
}

// readPrivate reads a file that nobody but its owner, the service and administrators may read.
func readPrivate(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if err := private(f); err != nil {
		return nil, err
	}
	return io.ReadAll(io.LimitReader(f, 64<<10))
}

func readStored(path, instead string) (Secret, *secretError) {
	b, err := readPrivate(path)
	if err == nil {
		if b, err = unseal(b); err != nil {
			return Secret{}, &secretError{path + " was not written on this machine", instead}
		}
	}
	return secretText(b, err, path, instead)
}

// keepPrivate shuts others out of a new file of a folder, and of the folder. Where `service install` made the
// folder there is nothing to do: what it has for the service, and may have for another account tomorrow,
// is inherited.
func keepPrivate(folder string, f *os.File) error {
	for _, path := range []string{folder, f.Name()} {
		var open *openToOthers
		if err := private(f); !errors.As(err, &open) || open.unknown != nil {
			return err
		}
		open.path = folder // the file is about to go
		grants, err := access.Grants()
		if err == nil {
			err = access.Shut(path, grants...)
		}
		if err != nil {
			return fmt.Errorf("%w, and that could not be changed (%w); run this from an administrator's prompt", open, err)
		}
	}
	return private(f)
}

// seal encrypts for this machine (CryptProtectData with CRYPTPROTECT_LOCAL_MACHINE): an
// administrator types the secret, the service's account reads it.
func seal(text []byte) ([]byte, error) {
	var out windows.DataBlob
	err := windows.CryptProtectData(blob(text), nil, nil, 0, nil,
		windows.CRYPTPROTECT_LOCAL_MACHINE|windows.CRYPTPROTECT_UI_FORBIDDEN, &out)
	return taken(out, err)
}

func unseal(sealed []byte) ([]byte, error) {
	var out windows.DataBlob
	err := windows.CryptUnprotectData(blob(sealed), nil, nil, 0, nil, windows.CRYPTPROTECT_UI_FORBIDDEN, &out)
	return taken(out, err)
}

func blob(b []byte) *windows.DataBlob {
	if len(b) == 0 {
		return &windows.DataBlob{}
	}
	return &windows.DataBlob{Size: uint32(len(b)), Data: &b[0]}
}

// taken copies what Windows allocated, and gives it back.
func taken(out windows.DataBlob, err error) ([]byte, error) {
	if err != nil {
		return nil, err
	}
	b := append([]byte(nil), unsafe.Slice(out.Data, out.Size)...)
	_, err = windows.LocalFree(windows.Handle(unsafe.Pointer(out.Data)))
	return b, err
}
