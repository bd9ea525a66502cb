package config

import (
	"os"
	"unsafe"

	"golang.org/x/sys/windows"
)

// openToOthers does not happen on Windows: the folder's access list protects the files, and
// DPAPI what is in them.
type openToOthers struct{}

func (*openToOthers) Error() string { return "" }
func (*openToOthers) cure() string  { return "" }

func readPrivate(path string) ([]byte, error) { return os.ReadFile(path) }

func readStored(path, instead string) (Secret, *secretError) {
	b, err := os.ReadFile(path)
	if err == nil {
		if b, err = unseal(b); err != nil {
			return Secret{}, &secretError{path + " was not written on this machine", instead}
		}
	}
	return secretText(b, err, path, instead)
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
