package ledger

import (
	"errors"
	"os"
	"syscall"
)

// syncData makes a file's bytes and length durable, without its times: half the work of fsync.
func syncData(f *os.File) error {
	err := again(func() error { return syscall.Fdatasync(int(f.Fd())) })
	if err == nil {
		err = stillWritten(f)
	}
	return os.NewSyscallError("fdatasync "+f.Name(), err)
}

// What statfs(2) calls the file systems that stillWritten is about: ext2 to ext4, and what may lie over them.
const (
	extMagic     = 0xEF53
	overlayMagic = 0x794C7630
)

// keepSize is FALLOC_FL_KEEP_SIZE of fallocate(2).
const keepSize = 1

// stillWritten asks whether the file system still writes. ext4 that gives up after an error of its disk
// drops what it has not committed, and until it has marked itself read-only, some milliseconds later, it
// answers a sync of that with success (seen with Linux 6.18: jbd2_complete_transaction of an aborted
// transaction). What needs its journal it refuses at once: to have room for the first byte, which is
// there, or where files are not made of extents, to have the length that they have. Other file systems
// are not asked: some would keep room for more.
func stillWritten(f *os.File) error {
	var fs syscall.Statfs_t
	if err := syscall.Fstatfs(int(f.Fd()), &fs); err != nil || fs.Type != extMagic && fs.Type != overlayMagic {
		return nil //nolint:nilerr // whether it is such a file system is not known
	}
	err := again(func() error { return syscall.Fallocate(int(f.Fd()), keepSize, 0, 1) })
	if errors.Is(err, syscall.EOPNOTSUPP) {
		info, e := f.Stat()
		if e != nil {
			return nil //nolint:nilerr // its length cannot be kept
		}
		err = again(func() error { return syscall.Ftruncate(int(f.Fd()), info.Size()) })
	}
	if errors.Is(err, syscall.EROFS) || errors.Is(err, syscall.EIO) {
		return err
	}
	return nil // it cannot do this, or it has no room: no matter
}

// again calls until no signal came in between.
func again(call func() error) error {
	for {
		if err := call(); !errors.Is(err, syscall.EINTR) {
			return err
		}
	}
}
