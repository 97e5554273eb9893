// Package inherited takes back what a test was started with and the programs
// that it starts must not inherit.
package inherited

import (
	"os"
	"unsafe"

	"golang.org/x/sys/unix"
)

// ResetSignals makes signals 32 and 33 default. posix_spawn(3) of glibc leaves
// these two of its own ignored, and so does make, which uses it; what a launch
// passes on faithfully would differ between `make test` and `go test`.
func ResetSignals() error {
	var standard [4]uint64 // struct kernel_sigaction: SIG_DFL is 0
	for sig := uintptr(32); sig <= 33; sig++ {
		if _, _, errno := unix.RawSyscall6(unix.SYS_RT_SIGACTION, sig, uintptr(unsafe.Pointer(&standard)), 0, 8, 0, 0); errno != 0 {
			return os.NewSyscallError("rt_sigaction", errno)
		}
	}
	return nil
}
