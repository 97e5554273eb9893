package process

import (
	"os"

	"golang.org/x/sys/unix"
)

// descriptorEnd is one above the highest open descriptor, fcntl(2) F_MAXFD.
func descriptorEnd() (int, error) {
	n, err := unix.FcntlInt(0, unix.F_MAXFD, 0)
	if err != nil {
		return 0, os.NewSyscallError("fcntl(F_MAXFD)", err)
	}
	return n + 1, nil
}
