//go:build !windows

package main

import (
	"errors"
	"os"
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
