//go:build freebsd || netbsd || openbsd

package process

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// high is where hardrun's own descriptors are kept, low enough for a small
// RLIMIT_NOFILE. What LISTEN_FDS passes is open, and so not taken.
const high = 10

func raise(fd int) (int, error) {
	n, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, high)
	if err != nil {
		return -1, os.NewSyscallError("fcntl(F_DUPFD_CLOEXEC)", err)
	}
	return n, unix.Close(fd)
}

// openFlags translates the flags of OpenStream, which are those of Linux.
func openFlags(linux int) int {
	const create, trunc, appending = 0o100, 0o1000, 0o2000
	flags := linux & unix.O_ACCMODE
	for _, f := range [...][2]int{{create, unix.O_CREAT}, {trunc, unix.O_TRUNC}, {appending, unix.O_APPEND}} {
		if linux&f[0] != 0 {
			flags |= f[1]
		}
	}
	return flags
}

// Prepare opens what the stream will be.
func (s *OpenStream) Prepare(int) error {
	switch {
	case s.Data != nil:
		return errors.New("this system has no anonymous files for data")
	case s.Dup >= 0:
		s.opened = s.Dup
		return nil
	}
	fd, err := OpenTrusted(s.Path, openFlags(s.Flags), s.Mode)
	if err == nil && s.Null {
		err = isNull(fd, s.Path)
	}
	if err != nil {
		return err
	}
	s.opened, err = raise(fd)
	return err
}

// OpenTrusted opens a file. One is created below a directory that others can
// write only if nobody's link stands there. The descriptor is close-on-exec. Errors are
// *os.PathError.
func OpenTrusted(path string, flags int, mode uint32) (int, error) {
	flags |= unix.O_CLOEXEC | unix.O_NOCTTY
	if flags&unix.O_CREAT != 0 && writableByOthers(path) {
		flags |= unix.O_NOFOLLOW
	}
	fd, err := unix.Open(path, flags, mode)
	if err != nil {
		return -1, &os.PathError{Op: "open", Path: path, Err: err}
	}
	return fd, nil
}

func writableByOthers(path string) bool {
	dir := path
	for len(dir) > 1 && dir[len(dir)-1] != '/' {
		dir = dir[:len(dir)-1]
	}
	var st unix.Stat_t
	if err := unix.Stat(dir, &st); err != nil {
		return true // the open will say what is wrong
	}
	return st.Uid != 0 || st.Mode&0o022 != 0
}

// isNull shows that a descriptor is the null device: a character device from
// which nothing can be read, and at once. Its number differs by system and port.
func isNull(fd int, path string) error {
	fake := errors.New(path + " is not the null device")
	reader, err := unix.Open(path, unix.O_RDONLY|unix.O_NONBLOCK|unix.O_NOCTTY|unix.O_CLOEXEC, 0)
	if err != nil {
		return &os.PathError{Op: "open", Path: path, Err: err}
	}
	var a, b unix.Stat_t
	err = errors.Join(unix.Fstat(fd, &a), unix.Fstat(reader, &b))
	if err == nil && (a.Mode&unix.S_IFMT != unix.S_IFCHR || b.Mode&unix.S_IFMT != unix.S_IFCHR || a.Rdev != b.Rdev) {
		err = fake
	}
	if err == nil {
		var buf [1]byte
		if n, rerr := unix.Read(reader, buf[:]); n != 0 || rerr != nil {
			err = fake
		}
	}
	return errors.Join(err, unix.Close(reader))
}

// Apply puts the descriptor in place.
func (s *OpenStream) Apply(int) error {
	return os.NewSyscallError("dup2", unix.Dup2(s.opened, s.FD))
}

// Verify shows that the descriptor is what was opened, and stays open.
func (s *OpenStream) Verify() error {
	if s.opened == s.FD {
		return nil
	}
	var want, got unix.Stat_t
	if err := errors.Join(unix.Fstat(s.opened, &want), unix.Fstat(s.FD, &got)); err != nil {
		return os.NewSyscallError("fstat", err)
	}
	flags, err := unix.FcntlInt(uintptr(s.FD), unix.F_GETFD, 0)
	if err != nil {
		return os.NewSyscallError("fcntl(F_GETFD)", err)
	}
	if got.Ino == 0 && got.Mode == 0 || identify(&got) != identify(&want) || got.Rdev != want.Rdev || flags&unix.FD_CLOEXEC != 0 {
		return errors.New("read back another file than the one that was opened")
	}
	return nil
}

// Apply gives the terminal up: by TIOCNOTTY where that exists, else by a session
// of its own.
func (GiveUpTerminal) Apply(int) error {
	if fd, err := unix.Open("/dev/tty", unix.O_RDWR|unix.O_CLOEXEC|unix.O_NOCTTY, 0); err == nil {
		err = unix.IoctlSetInt(fd, unix.TIOCNOTTY, 0)
		if cerr := unix.Close(fd); cerr != nil {
			return os.NewSyscallError("close", cerr)
		}
		if err == nil && !hasTerminal() {
			return nil
		}
	}
	if _, err := unix.Setsid(); err != nil {
		return errors.New("neither ioctl(TIOCNOTTY) nor setsid(2) gives it up here; start hardrun without a terminal, or keep it by --keep-tty")
	}
	return nil
}

// Verify shows that there is no controlling terminal.
func (GiveUpTerminal) Verify() error {
	if hasTerminal() {
		return errors.New("read back: there is still a controlling terminal")
	}
	return nil
}

// hasTerminal tells whether the process has a controlling terminal: /dev/tty
// opens then, and TIOCGSID answers on a descriptor of it.
func hasTerminal() bool {
	fd, err := unix.Open("/dev/tty", unix.O_RDWR|unix.O_CLOEXEC|unix.O_NOCTTY, 0)
	if err == nil {
		_ = unix.Close(fd)
		return true
	}
	for fd := range 3 {
		if _, err := unix.IoctlGetInt(fd, unix.TIOCGSID); err == nil {
			return true
		}
	}
	return false
}

// ControllingTerminal tells whether the process has a controlling terminal that
// it shares with who started it, and through which it could type there. There is no text
// of /proc/self/stat here.
func ControllingTerminal(func() (string, error)) (shared bool) {
	if !hasTerminal() {
		return false
	}
	sid, err := unix.Getsid(0)
	return err != nil || sid != unix.Getpid()
}
