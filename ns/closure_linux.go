package ns

import (
	"errors"

	"golang.org/x/sys/unix"
)

// openBeneath opens a relative name below a directory. Not one of its
// components may be a symbolic link, with oneFS none may be a mount point,
// bind mounts included (openat2(2): ELOOP, EXDEV). The descriptor is closed on
// exec. On a kernel without openat2 (before 5.6, or a filter of that age, which
// answers EPERM) it is opened component by component.
func openBeneath(dir int, name string, flags int, oneFS bool) (int, error) {
	how := unix.OpenHow{
		Flags:   uint64(flags | unix.O_CLOEXEC | unix.O_NOFOLLOW),
		Resolve: unix.RESOLVE_BENEATH | unix.RESOLVE_NO_SYMLINKS | unix.RESOLVE_NO_MAGICLINKS,
	}
	if oneFS {
		how.Resolve |= unix.RESOLVE_NO_XDEV
	}
	for {
		fd, err := unix.Openat2(dir, name, &how)
		switch {
		case errors.Is(err, unix.EINTR), errors.Is(err, unix.EAGAIN):
			continue
		case errors.Is(err, unix.ENOSYS), errors.Is(err, unix.EPERM):
			return openByStep(dir, name, flags, oneFS)
		}
		return fd, err
	}
}
