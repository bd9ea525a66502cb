package installer

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/windows"
)

// A folder that was there before, with a file in it, is administrators' and the account's afterwards,
// and nobody else's.
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
	if err := setAccess(file, "D:P(A;;FA;;;WD)", windows.PROTECTED_DACL_SECURITY_INFORMATION); err != nil {
		t.Fatal(err)
	}
	me, err := windows.GetCurrentProcessToken().GetTokenUser()
	if err != nil {
		t.Fatal(err)
	}
	if err := own(file, me.User.Sid); err != nil {
		t.Fatal(err)
	}
	if err := protect(folder, sid, changeRights); err != nil {
		t.Fatal(err)
	}
	owners, err := trusted(sid)
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{folder, file} {
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
