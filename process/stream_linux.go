package process

import (
	"errors"
	"os"
	"strconv"
	"strings"
	"syscall"
	"unsafe"

	"github.com/hardrun/hardrun/row"
	"golang.org/x/sys/unix"
)

// high is where hardrun's own descriptors are kept, above those of LISTEN_FDS.
const high = 10

func raise(fd int) (int, error) {
	n, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, high)
	switch {
	case err != nil:
		return -1, os.NewSyscallError("fcntl(F_DUPFD_CLOEXEC)", err)
	case n < high || fd < 3:
		return -1, errors.New("fcntl(F_DUPFD_CLOEXEC) answered " + strconv.Itoa(n))
	}
	return n, os.NewSyscallError("close", unix.Close(fd))
}

// Prepare opens what the stream will be.
func (s *OpenStream) Prepare(int) error {
	var fd int
	var err error
	switch {
	case s.Data != nil:
		fd, err = sealed("hardrun-stdin", s.Data)
	case s.Dup >= 0:
		s.opened = s.Dup
		return nil
	default:
		fd, err = OpenTrusted(s.Path, s.Flags, s.Mode)
		if err == nil && s.Null {
			err = isNull(fd)
		}
	}
	if err != nil {
		return err
	}
	if err := unix.Fstat(fd, &s.file); err != nil {
		return os.NewSyscallError("fstat", err)
	}
	s.opened, err = raise(fd)
	return err
}

func isNull(fd int) error {
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return os.NewSyscallError("fstat", err)
	}
	if st.Mode&unix.S_IFMT != unix.S_IFCHR || st.Rdev != unix.Mkdev(1, 3) {
		return errors.New("/dev/null is not the null device")
	}
	return nil
}

// sealed makes an anonymous file that can be read, and not changed.
func sealed(name string, data []byte) (int, error) {
	fd, err := unix.MemfdCreate(name, unix.MFD_CLOEXEC|unix.MFD_ALLOW_SEALING)
	if err != nil {
		return -1, os.NewSyscallError("memfd_create", err)
	}
	for rest := data; len(rest) > 0; {
		n, err := unix.Write(fd, rest)
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return -1, os.NewSyscallError("write", err)
		}
		rest = rest[n:]
	}
	if _, err := unix.Seek(fd, 0, unix.SEEK_SET); err != nil {
		return -1, os.NewSyscallError("lseek", err)
	}
	const seals = unix.F_SEAL_SEAL | unix.F_SEAL_SHRINK | unix.F_SEAL_GROW | unix.F_SEAL_WRITE
	if _, err := unix.FcntlInt(uintptr(fd), unix.F_ADD_SEALS, seals); err != nil {
		return -1, os.NewSyscallError("fcntl(F_ADD_SEALS)", err)
	}
	if got, err := unix.FcntlInt(uintptr(fd), unix.F_GET_SEALS, 0); err != nil || got != seals {
		return -1, errors.New("fcntl(F_GET_SEALS): the data could be changed")
	}
	return fd, nil
}

// Apply puts the descriptor in place.
func (s *OpenStream) Apply(int) error {
	if err := unix.Dup3(s.opened, s.FD, 0); err != nil {
		return os.NewSyscallError("dup3", err)
	}
	return nil
}

// Verify shows that the descriptor is what was opened, and stays open.
func (s *OpenStream) Verify() error {
	if s.Dup >= 0 {
		if err := unix.Fstat(s.Dup, &s.file); err != nil {
			return os.NewSyscallError("fstat", err)
		}
	}
	if s.opened == s.FD {
		return nil
	}
	want := s.file
	got := unix.Stat_t{Dev: ^want.Dev}
	if err := unix.Fstat(s.FD, &got); err != nil {
		return os.NewSyscallError("fstat", err)
	}
	flags, err := unix.FcntlInt(uintptr(s.FD), unix.F_GETFD, 0)
	if err != nil {
		return os.NewSyscallError("fcntl(F_GETFD)", err)
	}
	if got.Dev != want.Dev || got.Ino != want.Ino || got.Rdev != want.Rdev || flags&unix.FD_CLOEXEC != 0 {
		return errors.New("read back another file than the one that was opened")
	}
	return nil
}

// Check adds the same to the rows: what came after it could have closed it.
func (s *OpenStream) Check(p *row.Program) {
	KeepStandard{FD: s.FD, Dev: uint64(s.file.Dev), Ino: s.file.Ino}.Check(p)
	p.Call(unix.SYS_FCNTL, 0, row.Int(s.FD), row.Int(unix.F_GETFD))
}

func ioctl(fd int, request uint, arg uintptr) error {
	for {
		_, _, e := unix.RawSyscall(unix.SYS_IOCTL, uintptr(fd), uintptr(request), arg)
		if e == unix.EINTR {
			continue
		}
		if e != 0 {
			return e
		}
		return nil
	}
}

const (
	tiocVHangup   = 0x5437 // TIOCVHANGUP
	vtDisallocate = 0x5608 // VT_DISALLOCATE
)

// Prepare opens the terminal, and leaves it as the daemon shall find it.
func (s *Terminal) Prepare(int) error {
	fd, err := OpenTrusted(s.Path, unix.O_RDWR, 0)
	if err != nil {
		return err
	}
	if s.fd, err = raise(fd); err != nil {
		return err
	}
	if _, err := unix.IoctlGetTermios(s.fd, unix.TCGETS); err != nil {
		return &os.PathError{Op: "ioctl(TCGETS)", Path: s.Path, Err: err}
	}
	return nil
}

// Apply resets, hangs up, sizes and acquires, in this order.
func (s *Terminal) Apply(int) error {
	if s.Reset {
		if err := s.reset(); err != nil {
			return err
		}
	}
	if s.Hangup {
		if err := ioctl(s.fd, tiocVHangup, 0); err != nil {
			return os.NewSyscallError("ioctl(TIOCVHANGUP)", err)
		}
		// The descriptor is dead by that: the terminal is opened anew.
		if err := unix.Close(s.fd); err != nil {
			return os.NewSyscallError("close", err)
		}
		if err := s.Prepare(-1); err != nil {
			return err
		}
	}
	if s.Disallocate {
		if err := s.disallocate(); err != nil {
			return err
		}
	}
	if s.Rows != 0 || s.Columns != 0 {
		size, err := unix.IoctlGetWinsize(s.fd, unix.TIOCGWINSZ)
		if err != nil {
			return os.NewSyscallError("ioctl(TIOCGWINSZ)", err)
		}
		if s.Rows != 0 {
			size.Row = s.Rows
		}
		if s.Columns != 0 {
			size.Col = s.Columns
		}
		if err := unix.IoctlSetWinsize(s.fd, unix.TIOCSWINSZ, size); err != nil {
			return os.NewSyscallError("ioctl(TIOCSWINSZ)", err)
		}
	}
	if s.Acquire {
		return s.acquire()
	}
	return nil
}

func (s *Terminal) acquire() error {
	if sid, err := unix.Getsid(0); err != nil || sid != unix.Getpid() {
		if _, err := unix.Setsid(); err != nil {
			return errors.New("setsid: the process leads a process group of another session, and so cannot have a terminal of its own")
		}
	}
	force := uintptr(0)
	if s.Force {
		force = 1
	}
	if err := ioctl(s.fd, unix.TIOCSCTTY, force); err != nil {
		return os.NewSyscallError("ioctl(TIOCSCTTY)", err)
	}
	return nil
}

func (s *Terminal) reset() error {
	t, err := unix.IoctlGetTermios(s.fd, unix.TCGETS)
	if err != nil {
		return os.NewSyscallError("ioctl(TCGETS)", err)
	}
	t.Iflag &^= unix.IGNBRK | unix.BRKINT | unix.ISTRIP | unix.INLCR | unix.IGNCR | unix.IUCLC
	t.Iflag |= unix.ICRNL | unix.IMAXBEL | unix.IUTF8
	t.Oflag |= unix.ONLCR | unix.OPOST
	t.Cflag |= unix.CREAD
	t.Lflag = unix.ISIG | unix.ICANON | unix.IEXTEN | unix.ECHO | unix.ECHOE | unix.ECHOK | unix.ECHOCTL | unix.ECHOKE
	if err := unix.IoctlSetTermios(s.fd, unix.TCSETSF, t); err != nil {
		return os.NewSyscallError("ioctl(TCSETSF)", err)
	}
	return nil
}

// disallocate frees the memory of a virtual console, or clears its screen.
func (s *Terminal) disallocate() error {
	var st unix.Stat_t
	if err := unix.Fstat(s.fd, &st); err != nil {
		return os.NewSyscallError("fstat", err)
	}
	if unix.Major(st.Rdev) == 4 && unix.Minor(st.Rdev) > 0 && unix.Minor(st.Rdev) < 64 {
		// EBUSY: it is open, by us if by nobody else. The screen is cleared then.
		if err := ioctl(s.fd, vtDisallocate, uintptr(unix.Minor(st.Rdev))); err == nil {
			return nil
		}
	}
	if _, err := unix.Write(s.fd, []byte("\033[r\033[H\033[3J\033[2J")); err != nil {
		return os.NewSyscallError("write", err)
	}
	return nil
}

// Verify shows that the terminal has the size asked for, and is the
// controlling one.
func (s *Terminal) Verify() error {
	if s.Rows != 0 || s.Columns != 0 {
		size, err := unix.IoctlGetWinsize(s.fd, unix.TIOCGWINSZ)
		if err != nil {
			return os.NewSyscallError("ioctl(TIOCGWINSZ)", err)
		}
		if s.Rows != 0 && size.Row != s.Rows || s.Columns != 0 && size.Col != s.Columns {
			return errors.New("read back another size")
		}
	}
	if s.Acquire {
		sid := int32(-1)
		if err := ioctl(s.fd, unix.TIOCGSID, uintptr(unsafe.Pointer(&sid))); err != nil {
			return os.NewSyscallError("ioctl(TIOCGSID)", err)
		}
		if int(sid) != unix.Getpid() {
			return errors.New("read back: it is not the controlling terminal")
		}
	}
	return nil
}

// Apply gives the terminal up. A session leader keeps it: nothing above it
// shares the terminal then, and giving it up would hang up the whole session.
func (GiveUpTerminal) Apply(int) error {
	fd, err := unix.Open("/dev/tty", unix.O_RDWR|unix.O_CLOEXEC|unix.O_NOCTTY, 0)
	if err != nil {
		// No /dev/tty here: a session of its own has no terminal either.
		if _, err := unix.Setsid(); err != nil {
			return errors.New("neither /dev/tty can be opened nor setsid(2) called")
		}
		return nil
	}
	if err := ioctl(fd, unix.TIOCNOTTY, 0); err != nil {
		return os.NewSyscallError("ioctl(TIOCNOTTY)", err)
	}
	return unix.Close(fd)
}

// Verify shows that there is no controlling terminal: TIOCGSID on each standard
// descriptor that is a terminal must be refused, as must opening /dev/tty. Where that has another
// reason than that there is none, the session must be a new one.
func (GiveUpTerminal) Verify() error {
	fd, err := unix.Open("/dev/tty", unix.O_RDWR|unix.O_CLOEXEC|unix.O_NOCTTY, 0)
	if err == nil {
		return errors.Join(errors.New("read back: /dev/tty still opens"), unix.Close(fd))
	}
	if err != unix.ENXIO {
		if sid, lost := unix.Getsid(0); lost != nil || sid != unix.Getpid() {
			return errors.New("read back: open /dev/tty: " + err.Error() + ", and the session is not one of its own")
		}
	}
	for fd := range 3 {
		sid := int32(-1)
		err := ioctl(fd, unix.TIOCGSID, uintptr(unsafe.Pointer(&sid)))
		if err == nil && sid != -1 {
			return errors.New("read back: still the controlling terminal")
		}
		if err == nil {
			return errors.New("read back: ioctl(TIOCGSID) answered nothing")
		}
	}
	return nil
}

// ControllingTerminal tells whether the process has a controlling terminal that
// it shares with who started it, and through which it could type there. Where neither
// /dev/tty nor a standard descriptor tells, stat does: it answers the text of
// /proc/self/stat, or that there is none, which is taken for a terminal.
func ControllingTerminal(stat func() (string, error)) (shared bool) {
	fd, err := unix.Open("/dev/tty", unix.O_RDWR|unix.O_CLOEXEC|unix.O_NOCTTY, 0)
	if err == syscall.ENXIO {
		return false // the kernel's answer where there is none: tty(4)
	}
	if err == nil {
		if unix.Close(fd) != nil {
			return true
		}
	} else {
		held := false
		for fd := range 3 {
			sid := int32(-1)
			held = held || ioctl(fd, unix.TIOCGSID, uintptr(unsafe.Pointer(&sid))) == nil
		}
		if !held {
			if text, err := stat(); err == nil && noTerminal(text) {
				return false
			}
		}
	}
	sid, err := unix.Getsid(0)
	return err != nil || sid != unix.Getpid()
}

// noTerminal tells whether /proc/PID/stat says that there is no controlling terminal: tty_nr,
// the fifth field behind the name, is 0 (proc_pid_stat(5)).
func noTerminal(stat string) bool {
	fields := strings.Fields(stat[strings.LastIndexByte(stat, ')')+1:])
	return len(fields) > 4 && fields[4] == "0"
}
