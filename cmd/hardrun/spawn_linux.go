//go:build linux && cgo

package main

// #include "hardrun.h"
import "C"

import (
	"os"
	"slices"
	"strconv"
	"unsafe"

	"github.com/hardrun/hardrun/launcher"
	"github.com/hardrun/hardrun/row"
	"golang.org/x/sys/unix"
)

// commandFD is the memfd by which this process is told which command of a service it is to
// run; 0 where it is none.
func commandFD() int { return int(C.hr_snapshot.command_fd) }

// catch notes these signals from now on, whichever thread they hit. fd can be read when
// there is one, and taken answers which came since it was last asked: typed at a terminal,
// or sent otherwise.
func catch(signals uint64) (fd int, taken func() (sent, typed uint64), err error) {
	fd, err = unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
	if err == nil && fd < 3 { // these are taken
		err = unix.EIO
	}
	if err != nil {
		return -1, nil, os.NewSyscallError("eventfd2", err)
	}
	if r := C.hr_catch(C.uint64_t(signals), C.int(fd)); r != 0 {
		return -1, nil, os.NewSyscallError("rt_sigaction, rt_sigprocmask", unix.Errno(-r))
	}
	return fd, func() (sent, typed uint64) {
		var s, t C.uint64_t
		C.hr_taken(&s, &t)
		return uint64(s), uint64(t)
	}, nil
}

// spawn starts hardrun anew in a child, with its words and the state of its own start, as
// one command of a service. told is what it is told; the descriptors of keep stay open in it,
// by their numbers, and no others but 0 to 2. It is the PID.
func spawn(t *launcher.Thread, told []byte, keep []int) (int, error) {
	proc, err := openProc()
	if err != nil {
		return 0, err
	}
	exe, err := openExe(proc, "self/exe")
	if err == nil {
		err = os.NewSyscallError("close", unix.Close(proc))
	}
	if err != nil {
		return 0, err
	}
	defer func() { _ = unix.Close(exe) }() // the child has its own
	fd, err := handOverCommand(told)
	if err != nil {
		return 0, err
	}
	defer func() { _ = unix.Close(fd) }()
	p := &row.Program{}
	p.Reserve(64, 8<<10)
	p.Step(&row.Step{Text: "start a command", Exit: launcher.ExitExec})
	for _, k := range append([]int{fd}, keep...) {
		p.Call(unix.SYS_FCNTL, 0, row.Int(k), row.Int(unix.F_SETFD), row.Int(0))
	}
	// What a command sends to its own group is for that, systemd.exec(5).
	p.CallAtLeast(unix.SYS_SETSID, 1)
	// Who kills the parent means the service.
	p.Call(unix.SYS_PRCTL, 0, row.Int(unix.PR_SET_PDEATHSIG), row.Int(int(unix.SIGKILL)))
	giveBack(p, &t.Snapshot, launcher.ExitExec)
	p.Step(&row.Step{Text: "start a command", Exit: launcher.ExitExec})
	environ := append(slices.Clone(t.Snapshot.Environ), againVariable+strconv.Itoa(fd))
	p.Exec(unix.SYS_EXECVEAT, row.Int(exe), p.String("").Arg(), p.Vector(os.Args).Arg(), p.Vector(environ).Arg(), row.Int(unix.AT_EMPTY_PATH))
	head := row.Ptr(0)
	if log.syslog >= 0 {
		head = p.String(syslogHead())
	}
	var relocs *C.uint32_t
	if len(p.Relocs) > 0 {
		relocs = (*C.uint32_t)(unsafe.Pointer(&p.Relocs[0]))
	}
	pid := C.hr_spawn((*C.struct_hr_row)(unsafe.Pointer(&p.Rows[0])), C.uint32_t(len(p.Rows)),
		(*C.char)(unsafe.Pointer(&p.Blob[0])), relocs, C.uint32_t(len(p.Relocs)), C.int32_t(log.fd), C.int32_t(log.syslog), C.uint32_t(head))
	if pid <= 0 {
		return 0, os.NewSyscallError("fork", unix.Errno(-pid))
	}
	return int(pid), nil
}

// handOverCommand makes the memfd of a command of a service.
func handOverCommand(told []byte) (int, error) {
	head := C.struct_hr_again{form: C.HR_AGAIN_COMMAND}
	return handOver(&head, told)
}

// told reads what this command of a service is told.
func told() ([]byte, error) {
	fd := commandFD()
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return nil, os.NewSyscallError("fstat", err)
	}
	if st.Size < againHead {
		return nil, os.NewSyscallError("fstat", unix.EIO)
	}
	b := make([]byte, st.Size-againHead)
	for n := 0; n < len(b); {
		k, err := unix.Pread(fd, b[n:], againHead+int64(n))
		if err == nil && k <= 0 {
			err = unix.EIO
		}
		if err != nil && err != unix.EINTR {
			return nil, os.NewSyscallError("pread", err)
		}
		n += max(k, 0)
	}
	return b, nil
}
