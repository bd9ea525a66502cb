package config

import (
	"path/filepath"

	"golang.org/x/sys/windows"
)

// machineFolder is ProgramData, asked of Windows: it need not be on drive C.
func machineFolder() string {
	dir, err := windows.KnownFolderPath(windows.FOLDERID_ProgramData, 0)
	if err != nil {
		dir = `C:\ProgramData`
	}
	return filepath.Join(dir, "limsbridge")
}

// folders: everything lies beside the file.
func folders(string) map[string]string { return nil }
