//go:build !windows

package config

// machineFolder is where a machine's own configuration lives (Filesystem Hierarchy Standard, 3.7).
func machineFolder() string { return "/etc/limsbridge" }
