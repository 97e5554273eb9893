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

// remaining are the capabilities that the end of a service takes: to send signals, to remove
// what lies in directories of the daemon's, and IPC objects of its user.
func (s *service) remaining() uint64 {
	keep := uint64(1) << unix.CAP_KILL
	if len(s.clean) > 0 || s.p.Service.PIDFile.Set {
		keep |= 1<<unix.CAP_DAC_OVERRIDE | 1<<unix.CAP_FOWNER
	}
	if s.p.DynamicUser.V || s.p.RemoveIPC.V {
		keep |= 1 << unix.CAP_SYS_ADMIN
	}
	return keep
}

// shed is supervise.Host.Shed. What the commands were made of, and were passed, is given up as
// well.
func (s *service) shed(keep uint64) error {
	for _, fd := range s.keep {
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
