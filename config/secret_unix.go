//go:build !windows

package config

import (
	"fmt"
	"io"
	"os"
	"os/user"
	"strconv"
	"syscall"
)

// openToOthers is a secret's file that others can read.
type openToOthers struct {
	path  string
	mode  os.FileMode
	owner int
}

func (e *openToOthers) Error() string {
	return fmt.Sprintf("others can read %s (mode %04o)", e.path, e.mode.Perm())
}

// cure keeps the file readable for this account, which may not be its owner's; root may read it anyway.
func (e *openToOthers) cure() string {
	me := os.Geteuid()
	if me == 0 || me == e.owner {
		return "type: chmod 600 " + e.path
	}
	name := strconv.Itoa(me)
	if u, err := user.Current(); err == nil {
		name = u.Username
	}
	return fmt.Sprintf("type: chown %s %s && chmod 600 %s", name, e.path, e.path)
}

// readPrivate reads a file that only its owner may read. The mode is asked of the opened file,
// so that what was checked is what is read.
func readPrivate(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if info.Mode().Perm()&0o077 != 0 {
		owner := os.Geteuid()
		if s, ok := info.Sys().(*syscall.Stat_t); ok {
			owner = int(s.Uid)
		}
		return nil, &openToOthers{path, info.Mode(), owner}
	}
	return io.ReadAll(io.LimitReader(f, 64<<10))
}

func readStored(path, instead string) (Secret, *secretError) { return readProtected(path, instead) }

// keepPrivate has nothing to do: the file was made with mode 0600.
func keepPrivate(string, *os.File) error { return nil }

// seal leaves the text as it is: the file's mode protects it.
func seal(text []byte) ([]byte, error) { return text, nil }
