package process

import (
	"errors"
	"os"
	"slices"
	"strconv"

	"github.com/hardrun/hardrun/row"
	"golang.org/x/sys/unix"
)

// ReserveDescriptors fills what is free of the numbers 3 and on, n of them, so that nothing
// which is opened from now on is in the way of PassDescriptors. What was opened there before,
// to be closed by execve(2), is an error, but for those that are gone by then.
func ReserveDescriptors(n int, gone ...int) error {
	place := -1 // what fills them: a descriptor by which nothing can be done
	for fd := FirstPassed; fd < FirstPassed+n; fd++ {
		flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0)
		if err != nil && err != unix.EBADF {
			return os.NewSyscallError("fcntl(F_GETFD)", err)
		}
		if err == nil {
			kind, err := unix.FcntlInt(uintptr(fd), unix.F_GETFL, 0)
			if err != nil {
				return os.NewSyscallError("fcntl(F_GETFL)", err)
			}
			if flags&unix.FD_CLOEXEC != 0 && kind&unix.O_PATH == 0 && !slices.Contains(gone, fd) {
				return errors.New("descriptor " + strconv.Itoa(fd) + " is hardrun's own, and in the way of the " + strconv.Itoa(n) + " that are passed")
			}
			continue
		}
		if place < 0 {
			if place, err = unix.Open("/", unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0); err != nil {
				return &os.PathError{Op: "open", Path: "/", Err: err}
			}
			fd-- // it may be the one that was free
			continue
		}
		if err := unix.Dup3(place, fd, unix.O_CLOEXEC); err != nil {
			return os.NewSyscallError("dup3", err)
		}
	}
	if place >= 0 && (place < FirstPassed || place >= FirstPassed+n) {
		return os.NewSyscallError("close", unix.Close(place))
	}
	return nil
}

// Prepare copies the descriptors to where nothing is moved to.
func (s *PassDescriptors) Prepare(int) error {
	s.high, s.files, s.flags = make([]int, len(s.From)), make([]fileState, len(s.From)), make([]int, len(s.From))
	above := max(high, FirstPassed+len(s.From))
	for i, fd := range s.From {
		n, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, above)
		if err == nil && n < above {
			err = unix.EIO
		}
		err = os.NewSyscallError("fcntl(F_DUPFD_CLOEXEC)", err)
		if err == nil {
			err = os.NewSyscallError("fstat", unix.Fstat(n, &s.files[i]))
		}
		if err != nil {
			return errors.New("descriptor " + strconv.Itoa(fd) + ": " + err.Error())
		}
		s.high[i] = n
	}
	return nil
}

// Apply moves them.
func (s *PassDescriptors) Apply(int) error {
	for i, fd := range s.high {
		flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFL, 0)
		if err != nil {
			return os.NewSyscallError("fcntl(F_GETFL)", err)
		}
		want := flags
		switch s.Modes[i] {
		case NonBlocking:
			want |= unix.O_NONBLOCK
		case Blocks:
			want &^= unix.O_NONBLOCK
		}
		if want != flags {
			if _, err := unix.FcntlInt(uintptr(fd), unix.F_SETFL, want); err != nil {
				return os.NewSyscallError("fcntl(F_SETFL)", err)
			}
		}
		s.flags[i] = want
		if err := unix.Dup3(fd, FirstPassed+i, 0); err != nil {
			return os.NewSyscallError("dup3", err)
		}
		if err := unix.Close(fd); err != nil {
			return os.NewSyscallError("close", err)
		}
	}
	return nil
}

// Verify shows that each is what was given, stays open, and has the flags asked for.
func (s *PassDescriptors) Verify() error {
	for i := range s.From {
		fd := FirstPassed + i
		got := unix.Stat_t{Dev: ^s.files[i].Dev}
		if err := unix.Fstat(fd, &got); err != nil {
			return os.NewSyscallError("fstat", err)
		}
		kept, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0)
		if err != nil {
			return os.NewSyscallError("fcntl(F_GETFD)", err)
		}
		flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFL, 0)
		if err != nil {
			return os.NewSyscallError("fcntl(F_GETFL)", err)
		}
		if got.Dev != s.files[i].Dev || got.Ino != s.files[i].Ino || kept != 0 || flags != s.flags[i] {
			return errors.New("descriptor " + strconv.Itoa(fd) + ": read back another than the one that was passed")
		}
	}
	return nil
}

// Check adds the same to the rows.
func (s *PassDescriptors) Check(p *row.Program) {
	for i := range s.From {
		KeepStandard{FD: FirstPassed + i, Dev: s.files[i].Dev, Ino: s.files[i].Ino}.Check(p)
		p.Call(unix.SYS_FCNTL, int64(s.flags[i]), row.Int(FirstPassed+i), row.Int(unix.F_GETFL))
	}
}
