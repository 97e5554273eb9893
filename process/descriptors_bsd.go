//go:build freebsd || openbsd

package process

import (
	"os"
	"runtime"

	"golang.org/x/sys/unix"
)

// descriptorEnd is above every open descriptor: what the system allows any
// process, or the limit of this one where that is more. The limit alone would
// not do, as it may have been lowered below a descriptor that is open.
func descriptorEnd() (int, error) {
	name := "kern.maxfilesperproc"
	if runtime.GOOS == "openbsd" {
		name = "kern.maxfiles"
	}
	n, err := unix.SysctlUint32(name)
	if err != nil {
		return 0, os.NewSyscallError("sysctl("+name+")", err)
	}
	var r unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &r); err != nil {
		return 0, os.NewSyscallError("getrlimit", err)
	}
	const most = 1 << 24 // no limit at all: the value of above holds
	if m := uint64(r.Cur); m > uint64(n) && m < most {
		return int(m), nil
	}
	return int(n), nil
}
