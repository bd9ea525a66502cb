//go:build !windows

package health

import "golang.org/x/sys/unix"

// available is what is free on the volume for this account, in bytes (statvfs(3), f_bavail).
func available(folder string) (uint64, error) {
	var s unix.Statfs_t
	if err := unix.Statfs(folder, &s); err != nil {
		return 0, err
	}
	return uint64(s.Bavail) * uint64(s.Bsize), nil //nolint:unconvert,nolintlint // the types differ between systems
}
