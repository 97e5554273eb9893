package launcher

import (
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// inherited tells whether a descriptor came over execve(2). It asks two sources:
// fcntl(2), and fdinfo in /proc where there is one.
func (e *Env) inherited(fd int) bool {
	flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0)
	if err != nil || flags&unix.FD_CLOEXEC != 0 {
		return false
	}
	if e.self < 0 {
		return true
	}
	info, err := readBelow(e.self, "fdinfo/"+strconv.Itoa(fd))
	if err != nil {
		return false
	}
	for line := range strings.Lines(info) {
		if text, ok := strings.CutPrefix(line, "flags:"); ok {
			mode, err := strconv.ParseUint(strings.TrimSpace(text), 8, 64)
			return err == nil && mode&unix.O_CLOEXEC == 0
		}
	}
	return false
}
