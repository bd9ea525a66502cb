//go:build !windows

package main

import (
	"errors"
	"os"
	"path/filepath"
	"syscall"

	"github.com/spf13/cobra"

	"limsbridge/installer"
)

// handBack gives what root made in the service's folders to the folder's owner: an administrator types a
// secret or restores a ledger, and the service, which is somebody else, must read and write it.
func handBack(cmd *cobra.Command) error {
	if os.Geteuid() != 0 {
		return nil
	}
	switch cmd.Name() {
	case "version", "demo", "sandbox", "help": // they make nothing there, and an archive may hold many files
		return nil
	}
	cfg, _ := loadOrBlank(configPath(cmd))
	folders := []string{cfg.State, cfg.Archive.Folder}
	if state, _ := cmd.Flags().GetString("state"); state != "" {
		folders = append(folders, state)
	}
	var errs []error
	for _, f := range folders {
		errs = append(errs, handOver(f))
	}
	return errors.Join(errs...)
}

// letGroupRead lets the group of a folder that has one of its own (setgid) read what root just made
// there, whatever root's umask is: the service reads its configuration through that group.
func letGroupRead(path string) error {
	if os.Geteuid() != 0 {
		return nil
	}
	parent, err := os.Stat(filepath.Dir(path))
	if err != nil || parent.Mode()&os.ModeSetgid == 0 {
		return err
	}
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return err
	case info.IsDir():
		return os.Chmod(path, 0o750|os.ModeSetgid)
	}
	return os.Chmod(path, 0o640) //nolint:gosec // the group is the service
}

// handOver gives what root left in a folder to the folder's owner.
func handOver(folder string) error {
	info, err := os.Stat(folder)
	if err != nil {
		return nil //nolint:nilerr // nothing was made there
	}
	owner, ok := info.Sys().(*syscall.Stat_t)
	if !ok || owner.Uid == 0 {
		return nil
	}
	return installer.HandOver(folder, int(owner.Uid), int(owner.Gid))
}
