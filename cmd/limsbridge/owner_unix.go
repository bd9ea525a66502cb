//go:build !windows

package main

import (
	"os"
	"syscall"

	"github.com/spf13/cobra"

	"limsbridge/config"
	"limsbridge/installer"
)

// handBack gives what root made in the state folder to the folder's owner: an administrator types a
// secret or restores a ledger, and the service, which is somebody else, must read and write it.
func handBack(cmd *cobra.Command) error {
	if os.Geteuid() != 0 {
		return nil
	}
	cfg, _ := config.Load(configPath(cmd))
	if cfg == nil {
		cfg = config.Blank(configPath(cmd))
	}
	info, err := os.Stat(cfg.State)
	if err != nil {
		return nil //nolint:nilerr // nothing was made there
	}
	owner, ok := info.Sys().(*syscall.Stat_t)
	if !ok || owner.Uid == 0 {
		return nil
	}
	return installer.HandOver(cfg.State, int(owner.Uid), int(owner.Gid))
}
