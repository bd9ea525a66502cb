package installer

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"
	"unsafe"

	"github.com/kardianos/service"
	"golang.org/x/sys/windows"
	"golang.org/x/sys/windows/svc/mgr"

	"limsbridge/config/access"
)

func supported() error { return nil }

func failed(error) bool { return false }

// rights adds what is to be done where Windows refuses.
func rights(err error) string {
	if errors.Is(err, windows.ERROR_ACCESS_DENIED) {
		return "; run this from an administrator's prompt"
	}
	return ""
}

// systemFolders are patterns of folders that are never one program's own, and of people's.
func systemFolders() []string {
	all := []string{`?:\`, `\\*\*`, `\\*\*\`}
	for _, name := range []string{"ProgramFiles", "ProgramFiles(x86)", "ProgramW6432", "ProgramData", "PUBLIC", "USERPROFILE"} {
		if folder := os.Getenv(name); folder != "" {
			all = append(all, filepath.Clean(folder))
		}
	}
	if windows := os.Getenv("SystemRoot"); windows != "" {
		all = append(all, windows, filepath.Join(windows, "*"), filepath.Join(windows, "System32", "*"))
	}
	if profile := os.Getenv("USERPROFILE"); profile != "" {
		all = append(all, filepath.Dir(profile), filepath.Join(profile, "Desktop"), filepath.Join(profile, "Documents"), filepath.Join(profile, "Downloads"))
	}
	return all
}

// fold makes paths that differ by case alone the same.
func fold(path string) string { return strings.ToLower(path) }

func (s Service) options() service.KeyValue {
	return service.KeyValue{
		"StartType": "automatic", "DelayedAutoStart": true, "Password": s.Password,
		"OnFailure": "restart", "OnFailureDelayDuration": "10s", "OnFailureResetPeriod": 3600,
	}
}

// removable: every service of Windows can be removed by itself.
func (Service) removable() error { return nil }

// VirtualAccount is the account that Windows keeps for a service of this name alone.
func VirtualAccount(name string) string { return `NT SERVICE\` + name }

func (s Service) install(known bool) (warnings []string, err error) {
	if s.Account != "" && !strings.ContainsAny(s.Account, `\@`) {
		return nil, fmt.Errorf(`the account is written DOMAIN\name, .\name for one of this machine, or DOMAIN\name$ for a group managed service account; not %s`, s.Account)
	}
	if known {
		err = s.update()
	} else {
		if s.Account == "" {
			s.Account = VirtualAccount(s.Name())
		}
		err = s.manage("install", service.Service.Install)
	}
	if err != nil {
		return nil, err
	}
	if err := restartRising(s.Name()); err != nil {
		warnings = append(warnings, fmt.Sprintf("the pauses before a restart could not be set: %v", err))
	}
	if err := timeToEnd(s.Name()); err != nil {
		warnings = append(warnings, fmt.Sprintf("the time to end in at a shutdown could not be set: %v", err))
	}
	sid, err := access.Account(s.Account)
	if err != nil {
		err = fmt.Errorf("the rights of %s on its folders could not be set: %w", s.Account, err)
		if known { // they were when it was installed; a domain may be out of reach at an upgrade
			return append(warnings, err.Error()), nil
		}
		return warnings, fmt.Errorf("%w\nThe service is installed; mend that, then: limsbridge service install --again --account NAME", err)
	}
	if !strings.HasPrefix(strings.ToUpper(s.Account), `NT SERVICE\`) {
		if err := allowServiceLogon(sid); err != nil {
			warnings = append(warnings, fmt.Sprintf("the right to log on as a service could not be given to %s (%v): give it in secpol.msc, Local Policies, User Rights Assignment", s.Account, err))
		}
	}
	open := false
	give := func(folder string, right access.Right) {
		if err := ownFolder(folder); err != nil {
			warnings = append(warnings, err.Error())
			return
		}
		if err := protect(folder, sid, right); err != nil {
			open = true
			warnings = append(warnings, fmt.Sprintf("others may get at the folder %s, as its access list could not be set: %v%s", folder, err, rights(err)))
		}
	}
	for _, f := range s.Reads {
		give(f, access.Read)
	}
	for _, f := range s.Writes {
		give(f, access.Change)
	}
	if open {
		return warnings, errors.New("the folders of the service are not its own; mend that, then: limsbridge service install --again")
	}
	return warnings, nil
}

// update brings a service that Windows knows up to date, and finds out its account.
func (s *Service) update() error { return opened(s.Name(), s.change) }

func (s *Service) change(w *mgr.Service) error {
	words := []string{syscall.EscapeArg(s.Program)}
	for _, a := range s.Arguments {
		words = append(words, syscall.EscapeArg(a))
	}
	path, err := windows.UTF16PtrFromString(strings.Join(words, " "))
	if err != nil {
		return err
	}
	var account, password *uint16 // nil: as it is
	if s.Account == "" {
		s.Account, _, err = registered(w.Handle)
	} else {
		account, err = windows.UTF16PtrFromString(s.Account)
		if err == nil && s.Password != "" { // an account that Windows keeps must come without one
			password, err = windows.UTF16PtrFromString(s.Password)
		}
	}
	if err != nil {
		return err
	}
	const same = windows.SERVICE_NO_CHANGE
	return windows.ChangeServiceConfig(w.Handle, same, same, same, path, nil, nil, nil, account, password, nil)
}

// commandLine is what the installed service is called with.
func (s Service) commandLine() (words []string, err error) {
	err = opened(s.Name(), func(w *mgr.Service) error {
		_, line, err := registered(w.Handle)
		if err == nil {
			words, err = windows.DecomposeCommandLine(line)
		}
		return err
	})
	return words, err
}

// registered returns the account that a service runs as, and its command line.
func registered(service windows.Handle) (account, line string, err error) {
	const most = 8 << 10 // bytes, what QueryServiceConfig writes at most
	buffer := make([]byte, most)
	config := (*windows.QUERY_SERVICE_CONFIG)(unsafe.Pointer(&buffer[0]))
	var needed uint32
	if err := windows.QueryServiceConfig(service, config, most, &needed); err != nil {
		return "", "", err
	}
	return windows.UTF16PtrToString(config.ServiceStartName), windows.UTF16PtrToString(config.BinaryPathName), nil
}

// opened does something with a service that Windows knows.
func opened(name string, do func(*mgr.Service) error) (err error) {
	m, err := mgr.Connect()
	if err != nil {
		return fmt.Errorf("%w%s", err, rights(err))
	}
	defer func() { err = errors.Join(err, m.Disconnect()) }()
	s, err := m.OpenService(name)
	if err != nil {
		return err
	}
	defer s.Close()
	return do(s)
}

// timeToEnd gives a service the time at a shutdown that a stop may take; Windows gives 10 seconds by
// itself (SERVICE_PRESHUTDOWN_INFO).
func timeToEnd(name string) error {
	return opened(name, func(s *mgr.Service) error {
		info := struct{ milliseconds uint32 }{uint32(StopLimit.Milliseconds())}
		return windows.ChangeServiceConfig2(s.Handle, windows.SERVICE_CONFIG_PRESHUTDOWN_INFO, (*byte)(unsafe.Pointer(&info)))
	})
}

// restartRising lets the manager start a service that ended again, after pauses that grow, also
// where it ended with an error instead of a crash.
func restartRising(name string) error {
	var actions []mgr.RecoveryAction
	for _, pause := range []time.Duration{10 * time.Second, time.Minute, 5 * time.Minute} { // the last one repeats
		actions = append(actions, mgr.RecoveryAction{Type: mgr.ServiceRestart, Delay: pause})
	}
	const forgiven = 3600 // seconds without a failure after which the first pause comes again
	return opened(name, func(s *mgr.Service) error {
		return errors.Join(s.SetRecoveryActions(actions, forgiven), s.SetRecoveryActionsOnNonCrashFailures(true))
	})
}

// protect makes a folder, and what is in it, one of the system, of administrators and of this account;
// nobody else sees what is in it. A folder may have been there before, made by whoever may make one in
// ProgramData: its owner could give himself the rights again that its access list does not name.
func protect(folder string, sid *windows.SID, right access.Right) error {
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return err
	}
	owners, err := trusted(sid)
	if err != nil {
		return err
	}
	mayTakeOwnership()
	if err := own(folder, owners[0]); err != nil {
		return err
	}
	if err := access.Shut(folder, access.Grant{Who: sid.String(), Right: right}); err != nil {
		return err
	}
	return filepath.WalkDir(folder, func(path string, d fs.DirEntry, err error) error {
		switch {
		case errors.Is(err, fs.ErrNotExist): // removed meanwhile
			return nil
		case err != nil:
			return err
		case path == folder || !d.IsDir() && !d.Type().IsRegular(): // what a link leads to may be something else
			return nil
		}
		return disown(path, owners)
	})
}

// trusted are the owners that a file of the service may have: administrators, the system, and the
// account itself.
func trusted(account *windows.SID) ([]*windows.SID, error) {
	administrators, err := windows.CreateWellKnownSid(windows.WinBuiltinAdministratorsSid)
	if err != nil {
		return nil, err
	}
	system, err := windows.CreateWellKnownSid(windows.WinLocalSystemSid)
	return []*windows.SID{administrators, system, account}, err
}

// disown takes a file from anybody else who owns it, with the rights that he gave on it: what remains
// are those of its folder. So it does with a file or folder that inherits none and has none for the account, as
// one whose secrets were stored before the service was installed.
func disown(path string, owners []*windows.SID) error {
	account := owners[len(owners)-1].String()
	l, err := access.At(path)
	ours := err == nil && slices.ContainsFunc(owners, func(sid *windows.SID) bool { return sid.String() == l.Owner })
	if ours && (!l.Alone || l.Lets(account)) {
		return nil
	}
	if !ours {
		if err := own(path, owners[0]); err != nil {
			return err
		}
	}
	return access.Set(path, "D:")
}

func own(path string, owner *windows.SID) error {
	return windows.SetNamedSecurityInfo(path, windows.SE_FILE_OBJECT, windows.OWNER_SECURITY_INFORMATION, owner, nil, nil, nil)
}

// mayTakeOwnership switches on the right to take what belongs to others, which an administrator's process has
// and does not use by itself. Without it a folder whose owner shut it to administrators stays his,
// which the next call says.
func mayTakeOwnership() {
	var token windows.Token
	if windows.OpenProcessToken(windows.CurrentProcess(), windows.TOKEN_ADJUST_PRIVILEGES|windows.TOKEN_QUERY, &token) != nil {
		return
	}
	defer token.Close()
	for _, name := range []string{"SeTakeOwnershipPrivilege", "SeRestorePrivilege"} {
		one := windows.Tokenprivileges{PrivilegeCount: 1}
		one.Privileges[0].Attributes = windows.SE_PRIVILEGE_ENABLED
		text, err := windows.UTF16PtrFromString(name)
		if err == nil && windows.LookupPrivilegeValue(nil, text, &one.Privileges[0].Luid) == nil {
			_ = windows.AdjustTokenPrivileges(token, false, &one, 0, nil, nil)
		}
	}
}
