package installer

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/windows"

	"limsbridge/config/access"
)

// A folder that was there before, with a file in it, is administrators' and the account's afterwards,
// and nobody else's; also where the file is somebody's own, or was stored for administrators alone before there was
// a service.
func TestProtect(t *testing.T) {
	if !windows.GetCurrentProcessToken().IsElevated() {
		t.Skip("only an administrator gives folders away")
	}
	const account = "S-1-5-80-1-2-3-4-5"
	sid, err := windows.StringToSid(account)
	if err != nil {
		t.Fatal(err)
	}
	folder := t.TempDir()
	file := filepath.Join(folder, "secrets", "lims-password")
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := access.Set(file, "D:P(A;;FA;;;WD)"); err != nil {
		t.Fatal(err)
	}
	me, err := windows.GetCurrentProcessToken().GetTokenUser()
	if err != nil {
		t.Fatal(err)
	}
	if err := own(file, me.User.Sid); err != nil {
		t.Fatal(err)
	}
	owners, err := trusted(sid)
	if err != nil {
		t.Fatal(err)
	}
	stored := filepath.Join(folder, "state", "secrets", "lims-password")
	if err := os.MkdirAll(filepath.Dir(stored), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(stored, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{filepath.Dir(stored), stored} {
		if err := errors.Join(own(path, owners[0]), access.Shut(path)); err != nil {
			t.Fatal(err)
		}
	}
	if err := protect(folder, sid, access.Change); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{folder, file, filepath.Dir(stored), stored} {
		sd, err := windows.GetNamedSecurityInfo(path, windows.SE_FILE_OBJECT, windows.OWNER_SECURITY_INFORMATION|windows.DACL_SECURITY_INFORMATION)
		if err != nil {
			t.Fatal(err)
		}
		owner, _, err := sd.Owner()
		if err != nil || !slices.ContainsFunc(owners, owner.Equals) {
			t.Errorf("%s belongs to %s: %v", path, owner, err)
		}
		if text := sd.String(); strings.Contains(text, ";;;WD)") || !strings.Contains(text, account) {
			t.Errorf("%s: %s", path, text)
		}
	}
}
