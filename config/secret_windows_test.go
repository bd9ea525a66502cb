package config

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/windows"

	"limsbridge/config/access"
)

// forUs leaves a file to us, whatever the folder of the test has for others.
func forUs(t *testing.T, path string) {
	t.Helper()
	grants, err := access.Grants()
	if err != nil {
		t.Fatal(err)
	}
	if err := access.Shut(path, grants...); err != nil {
		t.Fatal(err)
	}
}

// forOthers lets everybody read a file, as an entry of its own.
func forOthers(t *testing.T, path string) {
	t.Helper()
	setList(t, path, "D:P(A;;FA;;;SY)(A;;FA;;;BA)(A;;FA;;;"+me(t)+")(A;;FR;;;WD)")
}

// closedFolder is a folder that others have no rights on, nor on the one above.
func closedFolder(t *testing.T) string {
	t.Helper()
	folder := t.TempDir()
	forUs(t, filepath.Dir(folder))
	forUs(t, folder)
	return folder
}

func setList(t *testing.T, path, text string) {
	t.Helper()
	if err := access.Set(path, text); err != nil {
		t.Fatal(err)
	}
}

func me(t *testing.T) string {
	t.Helper()
	user, err := windows.GetCurrentProcessToken().GetTokenUser()
	if err != nil {
		t.Fatal(err)
	}
	return user.User.Sid.String()
}

// inWine reports whether this is Wine, which keeps of an access list what the modes of Unix hold: the owner, and
// everybody. What is made in a folder inherits nothing, a list that is written takes from the folder above
// what that has for everybody, protected or not, and icacls does nothing. So these tests need a folder for
// temporary files there that is closed to others, mode 0700.
func inWine() bool {
	return windows.NewLazySystemDLL("ntdll.dll").NewProc("wine_get_version").Find() == nil
}

// obey types what a person was told to type, as cmd takes it.
func obey(t *testing.T, told string) {
	t.Helper()
	commands, ok := strings.CutPrefix(told, "type: ")
	if !ok {
		commands, ok = strings.CutPrefix(told, "type one after the other:\n")
	}
	if !ok || !strings.Contains(commands, `/inheritance:r /grant:r "*S-1-5-32-544:F" "*S-1-5-18:F"`) {
		t.Fatalf("told: %s", told)
	}
	if inWine() {
		_, quoted, _ := strings.Cut(commands, `"`)
		path, _, _ := strings.Cut(quoted, `"`)
		forUs(t, path)
		return
	}
	for command := range strings.Lines(commands) {
		cmd := exec.CommandContext(t.Context(), "cmd")
		cmd.SysProcAttr = &syscall.SysProcAttr{CmdLine: `cmd /s /c "` + strings.TrimSpace(command) + `"`}
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%s: %v: %s", command, err, out)
		}
	}
}

// TestAccessLists: which lists of a secret's file are refused, as Windows keeps them.
func TestAccessLists(t *testing.T) {
	path := filepath.Join(closedFolder(t), "p")
	if err := os.WriteFile(path, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	ours := "(A;;FA;;;SY)(A;;FA;;;BA)(A;;FA;;;" + me(t) + ")"
	service, err := access.Account(`NT SERVICE\limsbridge`)
	if err != nil {
		t.Fatal(err)
	}
	for _, x := range []struct {
		name, list string
		others     bool
		wine       bool // Wine keeps the difference
	}{
		{"ours", "D:P" + ours, false, true},
		{"and the service's", "D:P" + ours + "(A;;0x1301bf;;;" + service.String() + ")", false, false},
		{"everybody reads", "D:P" + ours + "(A;;FR;;;WD)", true, true},
		{"everybody reads, generic", "D:P" + ours + "(A;;GR;;;WD)", true, true},
		{"users read", "D:P" + ours + "(A;;FR;;;BU)", true, false},
		{"users may change the list", "D:P" + ours + "(A;;WD;;;BU)", true, false},
		{"users are kept out", "D:P(D;;FA;;;BG)" + ours, false, false},
		{"users of apps", "D:P" + ours + "(A;;FR;;;AC)", false, false},
		{"another service", "D:P" + ours + "(A;;FR;;;S-1-5-80-956008885-3418522649-1831038044-1853292631-2271478464)", true, false}, // TrustedInstaller
		{"a service that is gone", "D:P" + ours + "(A;;FR;;;S-1-5-80-1-2-3-4-5)", false, false},
	} {
		if inWine() && !x.wine {
			continue
		}
		setList(t, path, x.list)
		_, err := readPrivate(path)
		if open := (*openToOthers)(nil); errors.As(err, &open) != x.others || err != nil && !x.others {
			t.Errorf("%s: %v", x.name, err)
		}
	}
}

// TestStoredInAnOpenFolder: in a folder whose list lets everybody read what is made in it, a stored secret is
// still the bridge's alone, and so are those that were stored before.
func TestStoredInAnOpenFolder(t *testing.T) {
	state := closedFolder(t)
	folder := filepath.Join(state, "secrets")
	if err := os.Mkdir(folder, 0o700); err != nil {
		t.Fatal(err)
	}
	setList(t, folder, "D:P(A;OICI;FA;;;SY)(A;OICI;FA;;;BA)(A;OICI;FA;;;"+me(t)+")(A;OICI;FR;;;WD)")
	older := filepath.Join(folder, "older")
	sealed, err := seal([]byte(sentinel))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(older, sealed, 0o600); err != nil {
		t.Fatal(err)
	}
	if inWine() {
		forOthers(t, older)
	}
	if s, wrong := readStored(older, ""); wrong == nil {
		t.Fatalf("what everybody can read was read: %s", s)
	}
	if err := StoreSecret(state, "p", sentinel); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{filepath.Join(folder, "p"), older} {
		if path == older && inWine() {
			continue
		}
		if s, wrong := readStored(path, ""); wrong != nil || s.Reveal() != sentinel {
			t.Errorf("%s: %v", path, wrong)
		}
	}
	l, err := access.At(folder)
	if err != nil || len(l.Strangers()) > 0 && !inWine() {
		t.Errorf("the folder: %+v, %v", l, err)
	}
}

// TestStoredInTheServicesFolder: where the folder is closed to others already, a stored secret inherits what the folder has
// for the service, and goes on doing so.
func TestStoredInTheServicesFolder(t *testing.T) {
	if inWine() {
		t.Skip("Wine inherits nothing")
	}
	state := t.TempDir()
	const account = "S-1-5-80-1-2-3-4-5"
	setList(t, state, "D:PAI(A;OICI;FA;;;SY)(A;OICI;FA;;;BA)(A;OICI;FA;;;"+me(t)+")(A;OICI;0x1301bf;;;"+account+")")
	if err := StoreSecret(state, "p", sentinel); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(state, "secrets", "p")
	l, err := access.At(path)
	if err != nil || l.Alone || !l.Lets(account) {
		t.Errorf("%+v, %v", l, err)
	}
	if s, wrong := readStored(path, ""); wrong != nil || s.Reveal() != sentinel {
		t.Errorf("%v", wrong)
	}
}
