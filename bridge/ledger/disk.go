package ledger

import (
	"io"
	"os"
	"runtime"
)

// disk is what the journal needs of a file system; tests put a failing one in its place.
type disk interface {
	// Append opens a file for writing at its end, and creates it if it is missing.
	Append(path string) (appender, error)
	// SyncFolder makes the names of new files durable.
	SyncFolder(path string) error
}

// appender is a file that only grows.
type appender interface {
	io.WriteCloser
	// Sync returns when everything written is on the disk. After an error it must not be tried
	// again: the system may have dropped what it could not write, and report success then.
	Sync() error
}

// systemDisk is the operating system's.
type systemDisk struct{}

type systemFile struct{ *os.File }

func (f systemFile) Sync() error { return syncData(f.File) }

func (systemDisk) Append(path string) (appender, error) {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return nil, err
	}
	return systemFile{f}, nil
}

// SyncFolder does nothing on Windows, where folders cannot be synced and NTFS journals names itself.
func (systemDisk) SyncFolder(path string) error {
	if runtime.GOOS == "windows" {
		return nil
	}
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	err = f.Sync()
	if e := f.Close(); err == nil {
		err = e
	}
	return err
}
