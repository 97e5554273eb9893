//go:build linux && cgo

package main

// #include "hardrun.h"
import "C"

import (
	"os"

	"golang.org/x/sys/unix"
)

// hide makes this process one that nobody can trace, or look into, who is not allowed to do so
// with all: what a parent knows are the credentials of its service.
func hide() error {
	if err := unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0); err != nil {
		return os.NewSyscallError("prctl(PR_SET_DUMPABLE)", err)
	}
	is, err := unix.PrctlRetInt(unix.PR_GET_DUMPABLE, 0, 0, 0, 0)
	if err == nil && is != 0 {
		err = unix.EIO
	}
	return os.NewSyscallError("prctl(PR_GET_DUMPABLE)", err)
}

// shed is supervise.Host.Shed. What the commands were made of, and were passed, is given up as
// well.
func (s *service) shed(keep uint64) error {
	passed := errand{given: s.given, exec: -1, lock: -1}
	for _, fd := range passed.descriptors() {
		if err := unix.Close(fd); err != nil {
			return os.NewSyscallError("close", err)
		}
	}
	*s.in = invocation{}
	*s = service{clean: s.clean, group: s.group}
	if r := C.hr_shed(C.uint64_t(keep)); r != 0 {
		return os.NewSyscallError("sigaction", unix.Errno(-r))
	}
	return nil
}
