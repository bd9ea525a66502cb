package control

import (
	"net"
	"os/user"
	"strconv"

	"golang.org/x/sys/unix"
)

// peerUser is the user at the other end, as the kernel says (unix(7), SO_PEERCRED).
func peerUser(c net.Conn) string {
	u, ok := c.(*net.UnixConn)
	if !ok {
		return ""
	}
	raw, err := u.SyscallConn()
	if err != nil {
		return ""
	}
	id := ""
	err = raw.Control(func(fd uintptr) {
		if cred, err := unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED); err == nil {
			id = strconv.FormatUint(uint64(cred.Uid), 10)
		}
	})
	if err != nil || id == "" {
		return ""
	}
	if known, err := user.LookupId(id); err == nil {
		return known.Username
	}
	return "uid " + id
}
