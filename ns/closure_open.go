package ns

import (
	"strings"

	"golang.org/x/sys/unix"
)

// openByStep is openBeneath with openat(2) alone: each component from the one
// before, O_NOFOLLOW (CVE-2024-45310). A bind mount of the same file system is
// not told from a directory by its device number; no call of these systems
// tells it.
func openByStep(dir int, name string, flags int, oneFS bool) (int, error) {
	var top unix.Stat_t
	if oneFS {
		if err := unix.Fstat(dir, &top); err != nil {
			return -1, err
		}
	}
	at := dir
	for {
		part, rest, more := strings.Cut(name, "/")
		if part == "" || part == ".." || (part == "." && more) {
			closeBelow(at, dir)
			return -1, unix.EINVAL
		}
		want := flags
		if more {
			want = unix.O_RDONLY | unix.O_DIRECTORY
		}
		fd, err := openRetry(at, part, want|unix.O_NOFOLLOW|unix.O_CLOEXEC)
		closeBelow(at, dir)
		if err != nil {
			return -1, err
		}
		if oneFS {
			var st unix.Stat_t
			err := unix.Fstat(fd, &st)
			if err == nil && st.Dev != top.Dev {
				err = unix.EXDEV
			}
			if err != nil {
				_ = unix.Close(fd)
				return -1, err
			}
		}
		if !more {
			return fd, nil
		}
		at, name = fd, rest
	}
}

func closeBelow(fd, dir int) {
	if fd != dir {
		_ = unix.Close(fd)
	}
}
