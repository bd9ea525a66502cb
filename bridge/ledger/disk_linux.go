package ledger

import (
	"errors"
	"os"
	"syscall"
)

// syncData makes a file's bytes and length durable, without its times: half the work of fsync.
func syncData(f *os.File) error {
	for {
		err := syscall.Fdatasync(int(f.Fd()))
		if errors.Is(err, syscall.EINTR) {
			continue
		}
		if err == nil {
			err = stillWritten(f)
		}
		return os.NewSyscallError("fdatasync "+f.Name(), err)
	}
}

// keepSize is FALLOC_FL_KEEP_SIZE of fallocate(2).
const keepSize = 1

// stillWritten asks whether the file system still writes. ext4 that gives up after an error of its disk
// drops what it has not committed, and until it has marked itself read-only, some milliseconds later, it
// answers a sync of that with success (seen with Linux 6.18: jbd2_complete_transaction of an aborted
// transaction). What needs its journal it refuses at once: to have room for the first byte, which is
// there. Other answers than that of a failed disk are no matter: many file systems cannot do this.
func stillWritten(f *os.File) error {
	err := syscall.Fallocate(int(f.Fd()), keepSize, 0, 1)
	if errors.Is(err, syscall.EROFS) || errors.Is(err, syscall.EIO) {
		return err
	}
	return nil
}
