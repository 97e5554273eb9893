//go:build freebsd || netbsd || openbsd

package process

import (
	"errors"
	"os"
	"os/signal"
	"runtime"
	"strconv"

	"golang.org/x/sys/unix"
)

// systemLimits are the RLIMIT_ numbers of these systems by those of Limits,
// sys/resource.h; -1 for what there is not.
var systemLimits = [16]int{0, 1, 2, 3, 4, 5, 7, 8, 6, 10, -1, -1, -1, -1, -1, -1}

// systemInfinity is RLIM_INFINITY here. No finite value reaches it.
const systemInfinity = uint64(1<<63 - 1)

const limitAS = 9

func systemLimit(n int) int {
	if n < 0 || n >= len(systemLimits) || n == limitAS && runtime.GOOS == "openbsd" {
		return -1
	}
	return systemLimits[n]
}

// rlimit is what the fields of unix.Rlimit are: signed on FreeBSD.
type rlimit interface{ int64 | uint64 }

func toSystem[T rlimit](to *T, v uint64) bool {
	if v == Infinity {
		*to = T(systemInfinity)
		return true
	}
	*to = T(v & systemInfinity)
	return v < systemInfinity
}

func fromSystem[T rlimit](v T) uint64 {
	if uint64(v) >= systemInfinity {
		return Infinity
	}
	return uint64(v)
}

// ReadLimit is the limit with the number n of Limits; ok is false for one that
// this system does not have.
func ReadLimit(n int) (l Limit, ok bool, err error) {
	number := systemLimit(n)
	if number < 0 {
		return Limit{}, false, nil
	}
	r := unix.Rlimit{Cur: 1, Max: 0} // no limit reads so
	if err := unix.Getrlimit(number, &r); err != nil {
		return Limit{}, false, os.NewSyscallError("getrlimit", err)
	}
	return Limit{fromSystem(r.Cur), fromSystem(r.Max)}, true, nil
}

// Apply sets the limit.
func (s SetLimit) Apply(int) error {
	number := systemLimit(s.N)
	if number < 0 {
		return errors.New("this system has no such limit")
	}
	var r unix.Rlimit
	if !toSystem(&r.Cur, s.Limit.Soft) || !toSystem(&r.Max, s.Limit.Hard) {
		return errors.New("more than this system can count")
	}
	return os.NewSyscallError("setrlimit", unix.Setrlimit(number, &r))
}

// Verify reads it back: a kernel may cut a limit down to its own without a word.
func (s SetLimit) Verify() error {
	got, ok, err := ReadLimit(s.N)
	if err != nil {
		return err
	}
	if !ok || got != s.Limit {
		return errors.New("read back " + got.String(s.N))
	}
	return nil
}

// Apply sets the mask. umask(2) cannot fail.
func (s SetUMask) Apply(int) error {
	unix.Umask(int(s.Mode))
	return nil
}

// Verify reads it back, by the answer of a second call.
func (s SetUMask) Verify() error {
	if got := unix.Umask(int(s.Mode)); got != int(s.Mode) {
		return errors.New("read back " + octal(uint32(got)))
	}
	return nil
}

// Apply sets the level.
func (s SetNice) Apply(int) error {
	return os.NewSyscallError("setpriority", unix.Setpriority(unix.PRIO_PROCESS, 0, s.Level))
}

// Verify reads it back. The answer is an int of C, in which -1 is a level as well
// as the sign of an error (getpriority(2)): what is the level asked for is none.
func (s SetNice) Verify() error {
	n, err := unix.Getpriority(unix.PRIO_PROCESS, 0)
	got := int(int32(n))
	if got == s.Level {
		return nil
	}
	if err != nil {
		return os.NewSyscallError("getpriority", err)
	}
	return errors.New("read back " + strconv.Itoa(got))
}

// Apply sees to SIGPIPE alone. The Go runtime catches the signals that it finds
// ignored, but for SIGHUP and SIGINT, so that execve(2) makes them default
// whatever they were; without C that cannot be prevented, nor the state before
// be known. The mask is left as it was inherited.
func (s SetSignals) Apply(int) error {
	if s.ignoresPipe() {
		signal.Ignore(unix.SIGPIPE)
	}
	return nil
}

// Verify shows that SIGPIPE is ignored. A signal that is not is caught by the
// runtime, and so default after execve(2).
func (s SetSignals) Verify() error {
	if signal.Ignored(unix.SIGPIPE) != s.ignoresPipe() {
		return errors.New("read back another disposition of SIGPIPE")
	}
	return nil
}

func (s SetSignals) ignoresPipe() bool { return s.Ignored>>(uint(unix.SIGPIPE)-1)&1 == 1 }

// Apply marks every descriptor from 3 on to be closed by execve(2), but for the
// kept ones. It must come after the last open.
func (s *CloseDescriptors) Apply(int) error {
	end, err := descriptorEnd()
	if err != nil {
		return err
	}
	s.open = s.open[:0]
	for fd := 3; fd < end; fd++ {
		switch _, err := unix.FcntlInt(uintptr(fd), unix.F_SETFD, s.flags(fd)); err {
		case nil:
			s.open = append(s.open, fd)
		case unix.EBADF:
			if s.keeps(fd) {
				return errors.New("descriptor " + strconv.Itoa(fd) + " is not open")
			}
		default:
			return os.NewSyscallError("fcntl(F_SETFD)", err)
		}
	}
	return nil
}

// Verify reads the flag of each open one back.
func (s *CloseDescriptors) Verify() error {
	for _, fd := range s.open {
		flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0)
		if err == unix.EBADF && !s.keeps(fd) { // hardrun's own, closed since
			continue
		}
		if err != nil {
			return os.NewSyscallError("fcntl(F_GETFD)", err)
		}
		if flags&unix.FD_CLOEXEC != s.flags(fd) {
			return errors.New("read back another flag of descriptor " + strconv.Itoa(fd))
		}
	}
	return nil
}

func (s *CloseDescriptors) flags(fd int) int {
	if s.keeps(fd) {
		return 0
	}
	return unix.FD_CLOEXEC
}

func (s *CloseDescriptors) keeps(fd int) bool {
	for _, k := range s.Keep {
		if k == fd {
			return true
		}
	}
	return false
}

// Apply closes the descriptor.
func (s CloseStandard) Apply(int) error { return os.NewSyscallError("close", unix.Close(s.FD)) }

// Verify shows that there is no such descriptor.
func (s CloseStandard) Verify() error {
	if _, err := unix.FcntlInt(uintptr(s.FD), unix.F_GETFD, 0); err != unix.EBADF {
		return errors.New("read back: still open")
	}
	return nil
}
