//go:build !linux

package launcher

import "golang.org/x/sys/unix"

// inherited tells whether a descriptor came over execve(2).
func (e *Env) inherited(fd int) bool {
	flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0)
	return err == nil && flags&unix.FD_CLOEXEC == 0
}
