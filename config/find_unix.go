//go:build !windows

package config

import (
	"path/filepath"
	"strings"
)

// machineFolder is where a machine's own configuration lives (Filesystem Hierarchy Standard, 3.7).
func machineFolder() string { return "/etc/limsbridge" }

// folders are where ledger and archive are kept where the file does not say: beside it, but for a
// file in the machine's own folder, where programs do not write (Filesystem Hierarchy Standard, 5.8).
func folders(file string) map[string]string {
	rel, err := filepath.Rel(machineFolder(), filepath.Dir(file))
	if err != nil || rel == ".." || strings.HasPrefix(rel, "../") {
		return nil
	}
	state := filepath.Join(string(filepath.Separator), "var", "lib", "limsbridge", rel)
	return map[string]string{
		"state": state, "archive.folder": filepath.Join(state, "archive"),
		"log.folder": filepath.Join(string(filepath.Separator), "var", "log", "limsbridge", rel),
	}
}
