// Package inherited takes back what a test was started with and the programs
// that it starts must not inherit.
package inherited

import (
	"os"
	"unsafe"

	"golang.org/x/sys/unix"
)

// ResetSignals makes signals default that are not so by what the tests were started with:
// nohup(1) leaves HUP ignored, a shell INT and QUIT of what it starts with "&", and glibc's
// posix_spawn(3), which make uses, 32 and 33 of its own. What a launch passes on faithfully
// would differ between these and a plain `go test`. A signal that has a handler keeps it.
func ResetSignals() error {
	const ignored = 1          // SIG_IGN
	var is, standard [4]uint64 // struct kernel_sigaction: SIG_DFL is 0
	for _, sig := range [...]uintptr{uintptr(unix.SIGHUP), uintptr(unix.SIGINT), uintptr(unix.SIGQUIT), 32, 33} {
		if _, _, errno := unix.RawSyscall6(unix.SYS_RT_SIGACTION, sig, 0, uintptr(unsafe.Pointer(&is)), 8, 0, 0); errno != 0 {
			return os.NewSyscallError("rt_sigaction", errno)
		}
		if is[0] != ignored {
			continue
		}
		if _, _, errno := unix.RawSyscall6(unix.SYS_RT_SIGACTION, sig, uintptr(unsafe.Pointer(&standard)), 0, 8, 0, 0); errno != 0 {
			return os.NewSyscallError("rt_sigaction", errno)
		}
	}
	return nil
}
