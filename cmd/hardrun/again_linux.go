//go:build linux && cgo

package main

// #include "hardrun.h"
import "C"

import (
	"errors"
	"os"
	"slices"
	"strconv"
	"unsafe"

	"github.com/hardrun/hardrun/launcher"
	"github.com/hardrun/hardrun/ns"
	"github.com/hardrun/hardrun/process"
	"github.com/hardrun/hardrun/row"
	"golang.org/x/sys/unix"
)

// A user namespace can be made and joined only by a process of one thread,
// unshare(2), setns(2), and the Go runtime has several. So hardrun executes itself,
// with the same PID, and its constructor does it. What the constructor needs to know
// lies in a sealed memfd (memfd_create(2)): nobody can change it on the way, and by
// its seals and the PID in it the constructor knows that it is hardrun's own.

// againHead is the size of what stands before the rows.
const againHead = C.sizeof_struct_hr_again

// againVariable names the descriptor of the memfd. It never reaches the daemon.
const againVariable = "HARDRUN_AGAIN="

// startAgain starts hardrun from its beginning, with the words, the environment and
// the state of this start, after the constructor has made what plan.Start asks for.
// It returns only when that failed.
func startAgain(t *launcher.Thread, plan *launcher.Plan) int {
	if err := plan.ApplyBefore(t); err != nil {
		return failed(err)
	}
	if toldAgain == 0 && toldErrand != nil {
		fd, err := handOverCommand(toldErrand.tell())
		if err != nil {
			return notAgain(err, launcher.ExitExec)
		}
		toldAgain = fd
	}
	return start(t, plan.Start, toldAgain)
}

// toldAgain is the memfd that a second start needs to know which command of a service it
// runs, 0 where it is none; toldKeep are the descriptors that were given to the command, and
// toldLock is the one which is held until the command is executed, below 3 where none is.
var (
	toldAgain  int
	toldErrand *errand // what is to be in it, where it is made only for that
	toldKeep   []int
	toldLock   int
)

// start is startAgain behind what belongs to this start.
func start(t *launcher.Thread, spec *launcher.Start, command int) int {
	exit := launcher.ExitNamespace
	if spec.UserNS == nil && !spec.PIDNS {
		exit = launcher.ExitExec
	}
	proc, err := openProc()
	if err != nil {
		return notAgain(err, exit)
	}
	exe, err := openExe(proc, "self/exe")
	if err != nil {
		return notAgain(err, exit)
	}
	head := C.struct_hr_again{form: C.HR_AGAIN_START, proc_fd: C.int32_t(proc), denied: C.int32_t(spec.Denied), lacked: C.uint64_t(spec.Lacked), command_fd: C.int32_t(command)}
	if command > 0 {
		for _, fd := range append([]int{command}, toldKeep...) {
			if _, err := unix.FcntlInt(uintptr(fd), unix.F_SETFD, 0); err != nil {
				return notAgain(os.NewSyscallError("fcntl(F_SETFD)", err), exit)
			}
		}
	}
	var uid, gid []byte
	if m := spec.UserNS; m != nil {
		uid, gid = []byte(ns.MapText(m.UID)+"\x00"), []byte(ns.MapText(m.GID)+"\x00")
		head.nuid, head.ngid = C.uint32_t(len(uid)), C.uint32_t(len(gid))
		head.flags |= C.HR_AGAIN_USERNS
		if m.DenySetgroups {
			head.flags |= C.HR_AGAIN_DENY
		}
	}
	for flag, on := range map[C.uint32_t]bool{C.HR_AGAIN_PIDNS: spec.PIDNS, C.HR_AGAIN_PIDFIRST: spec.PIDFirst, C.HR_AGAIN_INIT: spec.Init, C.HR_AGAIN_OUTER: spec.Outer, C.HR_AGAIN_EXPLAIN: spec.Explain} {
		if on {
			head.flags |= flag
		}
	}
	why := []byte(spec.Why() + "\x00")
	head.nwhy = C.uint32_t(len(why))
	names, err := groupsOver(&head, spec)
	if err != nil {
		return notAgain(err, launcher.ExitCGroup)
	}
	fd, err := handOver(&head, uid, gid, why, names)
	if err != nil {
		return notAgain(err, exit)
	}
	p := &row.Program{}
	p.Reserve(64, 8<<10)
	spec.Rows(p)
	giveBack(p, &t.Snapshot, exit)
	p.Step(&row.Step{Text: "start again", Exit: uint8(exit)})
	environ := append(slices.Clone(t.Snapshot.Environ), againVariable+strconv.Itoa(fd))
	p.Exec(unix.SYS_EXECVEAT, row.Int(exe), p.String("").Arg(), p.Vector(os.Args).Arg(), p.Vector(environ).Arg(), row.Int(unix.AT_EMPTY_PATH))
	execute(p, -1)
	return exit
}

// groupsOver keeps the control groups open over execve(2), and answers their names.
func groupsOver(head *C.struct_hr_again, spec *launcher.Start) (names []byte, err error) {
	if len(spec.Homes) > C.HR_CGROUPS {
		return nil, errors.New("more control groups than one launch can have")
	}
	keep := func(fd int) C.int32_t {
		if _, e := unix.FcntlInt(uintptr(fd), unix.F_SETFD, 0); e != nil && err == nil {
			err = os.NewSyscallError("fcntl(F_SETFD)", e)
		}
		return C.int32_t(fd)
	}
	for i, h := range spec.Homes {
		above, own, name := h.Kept()
		head.above[i], head.cgroups[i] = -1, -1 // it was waived
		if own >= 0 {
			head.above[i], head.cgroups[i] = keep(above), keep(own)
		}
		names = append(append(names, name...), 0)
		head.ncgroups++
	}
	if spec.Delegate {
		head.flags |= C.HR_AGAIN_DELEGATE
	}
	if spec.Kill && len(spec.Homes) > 0 && head.cgroups[0] >= 0 {
		fd, e := spec.Homes[0].Killer()
		if e != nil {
			return nil, e
		}
		head.kill_fd = keep(fd)
		head.flags |= C.HR_AGAIN_KILL
	}
	head.nnames = C.uint32_t(len(names))
	return names, err
}

// executeAgain runs the rows in a process of one thread: this one, after it has
// executed itself. The first of keep is the own directory of a verified /proc. It
// does not return.
func executeAgain(p *row.Program, status int, keep []int) {
	os.Exit(notAgain(rowsAgain(p, status, keep), launcher.ExitNamespace))
}

func rowsAgain(p *row.Program, status int, keep []int) error {
	if len(keep) == 0 || keep[0] < 0 {
		return errors.New("there is no /proc")
	}
	exe, err := openExe(keep[0], "exe")
	if err != nil {
		return err
	}
	kept := make([]int32, 0, 16)
	for _, fd := range descriptors(p, append([]int{status, log.fd, log.syslog, toldLock}, keep...)) {
		_, err := unix.FcntlInt(uintptr(fd), unix.F_SETFD, 0)
		if err == nil {
			var flags int
			if flags, err = unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0); err == nil && flags != 0 {
				err = unix.EIO
			}
		}
		if err != nil {
			return os.NewSyscallError("fcntl(F_SETFD)", err)
		}
		kept = append(kept, int32(fd))
	}
	head := C.struct_hr_again{
		form: C.HR_AGAIN_ROWS, status_fd: C.int32_t(status), log_fd: C.int32_t(log.fd), syslog_fd: C.int32_t(log.syslog),
		nrows: C.uint32_t(len(p.Rows)), nkept: C.uint32_t(len(kept)), nrelocs: C.uint32_t(len(p.Relocs)),
	}
	if log.syslog >= 0 {
		head.syslog_head = C.uint32_t(p.String(syslogHead()))
	}
	head.nblob = C.uint32_t(len(p.Blob))
	var gap []byte // the blob is aligned to eight
	if (len(kept)+len(p.Relocs))%2 == 1 {
		gap = make([]byte, 4)
	}
	for len(p.Blob)%8 != 0 {
		p.Blob = append(p.Blob, 0)
		head.nblob++
	}
	fd, err := handOver(&head, bytesOf(p.Rows), bytesOf(kept), bytesOf(p.Relocs), gap, p.Blob)
	if err != nil {
		return err
	}
	variable, err := unix.BytePtrFromString(againVariable + strconv.Itoa(fd))
	if err != nil {
		return err
	}
	argv, environ, empty := [2]*byte{bytePtr("hardrun\x00")}, [2]*byte{variable}, [1]byte{}
	_, _, errno := unix.RawSyscall6(unix.SYS_EXECVEAT, uintptr(exe), uintptr(unsafe.Pointer(&empty)),
		uintptr(unsafe.Pointer(&argv)), uintptr(unsafe.Pointer(&environ)), unix.AT_EMPTY_PATH, 0)
	return os.NewSyscallError("execveat", errno)
}

// bytePtr is the start of a text that ends in a NUL byte.
func bytePtr(text string) *byte { return unsafe.StringData(text) }

// descriptors are those of list that are there, and those which the rows will show
// to be closed by execve(2): each must be open, and its own again, when they run.
func descriptors(p *row.Program, list []int) []int {
	for i := range p.Rows {
		r := &p.Rows[i]
		if r.Kind == row.Equal && r.NR == unix.SYS_FCNTL && r.A[1] == unix.F_GETFD && r.Want == unix.FD_CLOEXEC {
			list = append(list, int(r.A[0]))
		}
	}
	slices.Sort(list)
	list = slices.Compact(list)
	return slices.DeleteFunc(list, func(fd int) bool { return fd < 3 })
}

func bytesOf[T any](list []T) []byte {
	if len(list) == 0 {
		return nil
	}
	return unsafe.Slice((*byte)(unsafe.Pointer(&list[0])), len(list)*int(unsafe.Sizeof(list[0])))
}

// handOver makes the memfd: the head, and the parts behind it. It stays open over
// execve(2).
func handOver(head *C.struct_hr_again, parts ...[]byte) (int, error) {
	head.magic = C.HR_AGAIN_MAGIC
	head.pid = C.int32_t(unix.Getpid())
	parts = append([][]byte{bytesOf(unsafe.Slice(head, 1))}, parts...)
	for _, b := range parts {
		head.size += C.uint32_t(len(b))
	}
	fd, err := unix.MemfdCreate("hardrun", unix.MFD_ALLOW_SEALING|unix.MFD_NOEXEC_SEAL)
	if err == unix.EINVAL { // Linux before 6.3
		fd, err = unix.MemfdCreate("hardrun", unix.MFD_ALLOW_SEALING)
	}
	if err != nil {
		return -1, os.NewSyscallError("memfd_create", err)
	}
	if err := writeAll(fd, slices.Concat(parts...)); err != nil {
		return -1, err
	}
	const seals = unix.F_SEAL_SEAL | unix.F_SEAL_SHRINK | unix.F_SEAL_GROW | unix.F_SEAL_WRITE
	if _, err := unix.FcntlInt(uintptr(fd), unix.F_ADD_SEALS, seals); err != nil {
		return -1, os.NewSyscallError("fcntl(F_ADD_SEALS)", err)
	}
	return fd, nil
}

// writeAll writes to a file in memory. RLIMIT_FSIZE counts for that, too, and is the
// daemon's: it is raised meanwhile.
func writeAll(fd int, b []byte) (err error) {
	var limit unix.Rlimit
	if err := unix.Prlimit(0, unix.RLIMIT_FSIZE, nil, &limit); err != nil {
		return os.NewSyscallError("prlimit", err)
	}
	if limit.Cur != limit.Max {
		if err := unix.Prlimit(0, unix.RLIMIT_FSIZE, &unix.Rlimit{Cur: limit.Max, Max: limit.Max}, nil); err != nil {
			return os.NewSyscallError("prlimit", err)
		}
		defer func() {
			if e := unix.Prlimit(0, unix.RLIMIT_FSIZE, &limit, nil); err == nil {
				err = os.NewSyscallError("prlimit", e)
			}
		}()
	}
	for len(b) > 0 {
		n, err := unix.Write(fd, b)
		if err == nil && n <= 0 {
			err = unix.EIO
		}
		if err != nil && err != unix.EINTR {
			return os.NewSyscallError("write", err)
		}
		b = b[max(n, 0):]
	}
	return nil
}

// openProc opens /proc, and shows that it is one. It stays open over execve(2).
func openProc() (int, error) {
	const path = "/proc"
	fd, err := unix.Open(path, unix.O_PATH|unix.O_DIRECTORY|unix.O_NOFOLLOW, 0)
	if err != nil {
		return -1, &os.PathError{Op: "open", Path: path, Err: err}
	}
	var fs unix.Statfs_t
	if err := unix.Fstatfs(fd, &fs); err != nil {
		return -1, &os.PathError{Op: "fstatfs", Path: path, Err: err}
	}
	if fs.Type != unix.PROC_SUPER_MAGIC {
		return -1, errors.New("there is no /proc")
	}
	return fd, nil
}

// openExe opens the file that this process executes, by a descriptor of /proc.
func openExe(dir int, path string) (int, error) {
	fd, err := unix.Openat(dir, path, unix.O_PATH|unix.O_CLOEXEC, 0)
	if err != nil {
		return -1, &os.PathError{Op: "open", Path: "/proc/self/exe", Err: err}
	}
	return fd, nil
}

func notAgain(err error, exit int) int {
	say("start again: " + launcher.Reason(err))
	return exit
}

// giveBack restores what the constructor and the Go runtime changed.
func giveBack(p *row.Program, s *launcher.Snapshot, exit int) {
	p.Step(&row.Step{Text: "start again: give the state back", Exit: uint8(exit)})
	for n, l := range s.Limits {
		step := process.SetLimit{N: n, Limit: l}
		step.Do(p)
		step.Check(p)
	}
	affinity := process.SetAffinity{CPUs: s.Affinity, Bytes: s.AffinityBytes}
	affinity.Do(p)
	affinity.Check(p)
	if slack := (process.SetTimerSlack{NSec: s.TimerSlack}); slack.NSec != 0 {
		slack.Do(p)
		slack.Check(p)
	}
	for fd := range 3 {
		if s.Closed>>fd&1 == 1 {
			process.CloseStandard{FD: fd}.Do(p)
		}
	}
	signals := process.SetSignals{Ignored: s.Ignored, Blocked: s.Blocked}
	signals.Do(p)
	signals.Check(p)
}
