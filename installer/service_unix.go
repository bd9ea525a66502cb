//go:build !windows

package installer

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"github.com/kardianos/service"
)

// supported refuses service managers that nobody tried this with.
func supported() error {
	if p := service.Platform(); p != "linux-systemd" {
		return fmt.Errorf("this machine's services are not run by systemd (%s): run `limsbridge run` under what does", p)
	}
	return nil
}

// failed tells a unit that failed from a manager that cannot be asked.
func failed(err error) bool { return strings.Contains(err.Error(), "failed state") }

// rights adds what is to be done where the manager refuses.
func rights(error) string {
	if os.Geteuid() != 0 {
		return "; run this as root (sudo)"
	}
	return ""
}

// systemFolders are patterns of folders that are never one program's own (hier(7)), and of people's.
func systemFolders() []string {
	return []string{
		"/", "/bin", "/boot", "/dev", "/etc", "/home", "/home/*", "/lib*", "/media", "/mnt", "/opt", "/proc", "/root", "/run", "/run/user", "/run/user/*",
		"/sbin", "/srv", "/sys", "/tmp", "/usr", "/usr/*", "/usr/local/*", "/var", "/var/*",
	}
}

// fold leaves paths as they are: their case counts here.
func fold(path string) string { return path }

func (s Service) options() service.KeyValue {
	text, err := s.Unit()
	if err != nil {
		return nil
	}
	return service.KeyValue{"SystemdScript": text}
}

// unitFolder is where units belong that no package brought.
const unitFolder = "/etc/systemd/system"

// commandLine is what the installed service is called with, as far as the unit is one of ours.
func (s Service) commandLine() ([]string, error) {
	text, err := os.ReadFile(filepath.Join(unitFolder, s.Name()+".service"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil // a package's, which names no file
	}
	return execStart(string(text)), err
}

func (s Service) install(known bool) (warnings []string, err error) {
	if os.Geteuid() != 0 {
		return nil, errors.New("only root installs services: sudo limsbridge service install")
	}
	if known && s.packaged(unitFolder) {
		return nil, errors.New("a package brought this service, and keeps it up to date")
	}
	if s.Account == "" {
		s.Account = base
		if err := ensureUser(s.Account); err != nil {
			return nil, err
		}
	}
	if _, err := user.Lookup(s.Account); err != nil {
		return nil, fmt.Errorf("there is no user %s on this machine", s.Account)
	}
	if _, err := s.Unit(); err != nil {
		return nil, err
	}
	if err := s.reachable(); err != nil {
		return nil, err
	}
	if err := s.share(); err != nil {
		warnings = append(warnings, err.Error())
	}
	if known {
		if err := os.Remove(filepath.Join(unitFolder, s.Name()+".service")); err != nil {
			return warnings, err
		}
	}
	return warnings, s.manage("install", service.Service.Install)
}

// packaged reports whether the unit of an installed service is none of our own.
func (s Service) packaged(units string) bool {
	_, err := os.Stat(filepath.Join(units, s.Name()+".service"))
	return err != nil
}

// removable refuses to remove what a package brought, before it is stopped for that.
func (s Service) removable() error {
	if s.packaged(unitFolder) {
		return errors.New("a package brought this service, which was left as it is: apt remove limsbridge (or: dnf remove limsbridge)")
	}
	return nil
}

// shared are the folders below which those of all instances lie, where nothing else is said. They are
// the first service's, and shut to everybody else.
var shared = []string{"/etc/" + base, "/var/lib/" + base, "/var/log/" + base}

// reachable refuses an account of its own for an instance whose folders it could not enter.
func (s Service) reachable() error {
	if s.Instance == "" || s.Account == base {
		return nil
	}
	for _, folder := range slices.Concat(s.Reads, s.Writes) {
		for _, parent := range shared {
			if within(parent, folder) && !s.enters(parent) {
				return fmt.Errorf(`%s lies in %s, which %s may not enter: it is the first service's
Give this one a folder of its own: a configuration there, with state: and log.folder: outside of %s, and then:
  limsbridge --name %s service install --account %s --config FOLDER/limsbridge.yaml`,
					folder, parent, s.Account, strings.Join(shared, ", "), s.Instance, s.Account)
			}
		}
	}
	return nil
}

// enters reports whether the account may enter a folder, by its mode. One that is not there yet would
// be root's.
func (s Service) enters(folder string) bool {
	u, err := user.Lookup(s.Account)
	if err != nil {
		return false
	}
	groups, err := u.GroupIds()
	if err != nil {
		groups = []string{u.Gid}
	}
	info, err := os.Stat(folder)
	if err != nil {
		return false
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return false
	}
	x := info.Mode().Perm()
	switch {
	case u.Uid == strconv.FormatUint(uint64(stat.Uid), 10):
		x >>= 6
	case slices.Contains(groups, strconv.FormatUint(uint64(stat.Gid), 10)):
		x >>= 3
	}
	return x&1 != 0
}

// ensureUser makes the system user that the service runs as, as the packages do.
func ensureUser(name string) error {
	if _, err := user.Lookup(name); err == nil {
		return nil
	}
	out, err := exec.CommandContext(context.Background(), "useradd", "--system", "--user-group", //nolint:gosec // the name is ours
		"--home-dir", "/var/lib/"+base, "--no-create-home", "--shell", "/usr/sbin/nologin", name).CombinedOutput()
	if err != nil {
		return fmt.Errorf("making the user %s: %w: %s", name, err, strings.TrimSpace(string(out)))
	}
	return nil
}

// share gives the account its folders: the configuration to read, through the group, the others as
// its own.
func (s Service) share() error {
	u, err := user.Lookup(s.Account)
	if err != nil {
		return err
	}
	uid, err := strconv.Atoi(u.Uid)
	if err != nil {
		return err
	}
	gid, err := strconv.Atoi(u.Gid)
	if err != nil {
		return err
	}
	var errs []error
	for _, folder := range s.Reads {
		if err := ownFolder(folder); err != nil {
			errs = append(errs, err)
			continue
		}
		errs = append(errs, os.MkdirAll(folder, 0o750), os.Chown(folder, -1, gid), os.Chmod(folder, 0o2750)) //nolint:gosec // the group reads it: that is the service
		files, err := os.ReadDir(folder)
		errs = append(errs, err)
		for _, f := range files {
			if f.Type().IsRegular() {
				errs = append(errs, os.Lchown(filepath.Join(folder, f.Name()), -1, gid))
			}
		}
	}
	for _, folder := range s.Writes {
		if err := ownFolder(folder); err != nil {
			errs = append(errs, err)
			continue
		}
		errs = append(errs, os.MkdirAll(folder, 0o700), HandOver(folder, uid, gid))
	}
	return errors.Join(errs...)
}

// HandOver gives the folder, and what root left in it, to a user. Links and files with several
// names are left alone: what they point to may be something else.
func HandOver(folder string, uid, gid int) error {
	root, err := os.OpenRoot(folder)
	if err != nil {
		return err
	}
	defer root.Close()
	return fs.WalkDir(root.FS(), ".", func(path string, d fs.DirEntry, err error) error {
		var info fs.FileInfo
		if err == nil {
			info, err = d.Info()
		}
		if path != "." && errors.Is(err, fs.ErrNotExist) {
			return nil // the service, which runs meanwhile, removed it
		}
		if err != nil {
			return err
		}
		stat, ok := info.Sys().(*syscall.Stat_t)
		if !ok || stat.Uid != 0 || !d.IsDir() && (!d.Type().IsRegular() || stat.Nlink > 1) {
			return nil
		}
		if err := root.Lchown(path, uid, gid); !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		return nil
	})
}
