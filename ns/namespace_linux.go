package ns

import (
	"errors"
	"os"
	"strconv"
	"unsafe"

	"golang.org/x/sys/unix"
)

// current is the name of a namespace that the process is in, "net:[4026531840]".
func current(self int, k Kinds) (string, error) {
	var buf [64]byte
	path := "ns/" + k.Name()
	n, err := unix.Readlinkat(self, path, buf[:])
	if err == nil && n <= 0 {
		err = unix.EIO
	}
	if err != nil {
		return "", &os.PathError{Op: "readlinkat", Path: "/proc/self/" + path, Err: err}
	}
	return string(buf[:n]), nil
}

var errNoProc = errors.New("a namespace is read back from /proc, and there is none")

// Prepare notes the namespace of the start.
func (s *Unshare) Prepare(self int) error {
	if self < 0 {
		return errNoProc
	}
	var err error
	s.before, err = current(self, s.Kind)
	return err
}

// Apply unshares and reads back at once: what follows would change the host.
func (s *Unshare) Apply(self int) error {
	if _, _, e := unix.RawSyscall(unix.SYS_UNSHARE, uintptr(s.Kind), 0, 0); e != 0 {
		return os.NewSyscallError("unshare("+s.Kind.flag()+")", e)
	}
	now, err := current(self, s.Kind)
	if err == nil && now == s.before {
		err = errors.New("unshare(" + s.Kind.flag() + "): read back the same namespace as before")
	}
	return err
}

// Verify was done by Apply.
func (s *Unshare) Verify() error { return nil }

const nsGetNSType = 0xb703 // NS_GET_NSTYPE, ioctl_nsfs(2)

// Prepare opens the namespace, in the host's view, and asks of which kind it is.
func (s *Join) Prepare(self int) error {
	if self < 0 {
		return errNoProc
	}
	name := s.Path
	var err error
	if s.Open > 0 {
		name = "descriptor " + strconv.Itoa(s.Open)
		if s.fd, err = unix.FcntlInt(uintptr(s.Open), unix.F_DUPFD_CLOEXEC, 3); err != nil {
			return errors.New(name + ": fcntl(F_DUPFD_CLOEXEC): " + err.Error())
		}
	} else if s.fd, err = unix.Open(s.Path, unix.O_RDONLY|unix.O_CLOEXEC|unix.O_NONBLOCK|unix.O_NOCTTY, 0); err != nil {
		return &os.PathError{Op: "open", Path: s.Path, Err: err}
	}
	ino, err := namespaceOf(s.fd, s.Kind, name)
	s.want = s.Kind.Name() + ":[" + strconv.FormatUint(ino, 10) + "]"
	return err
}

// namespaceOf is the inode of an open namespace, which must be of that kind.
func namespaceOf(fd int, k Kinds, name string) (uint64, error) {
	var fs unix.Statfs_t
	if err := unix.Fstatfs(fd, &fs); err != nil {
		return 0, os.NewSyscallError("fstatfs", err)
	}
	kind, _, e := unix.RawSyscall(unix.SYS_IOCTL, uintptr(fd), nsGetNSType, 0)
	if fs.Type != unix.NSFS_MAGIC || e != 0 || Kinds(kind) != k {
		return 0, errors.New(name + " is no " + k.long() + " namespace")
	}
	st := unix.Stat_t{}
	if err := unix.Fstat(fd, &st); err != nil {
		return 0, os.NewSyscallError("fstat", err)
	}
	if st.Ino == 0 {
		return 0, errors.New("fstat: answered without an answer")
	}
	return st.Ino, nil
}

// Apply joins, and reads back which namespace it is.
func (s *Join) Apply(self int) error {
	if _, _, e := unix.RawSyscall(unix.SYS_SETNS, uintptr(s.fd), uintptr(s.Kind), 0); e != 0 {
		return os.NewSyscallError("setns("+s.Kind.flag()+")", e)
	}
	now, err := current(self, s.Kind)
	if err == nil && now != s.want {
		err = errors.New("setns(" + s.Kind.flag() + "): read back " + now + ", want " + s.want)
	}
	return errors.Join(err, closeFD(s.fd))
}

// Verify was done by Apply.
func (s *Join) Verify() error { return nil }

// FD is the open namespace, between Prepare and Apply.
func (s *Join) FD() int { return s.fd }

type ifreqFlags struct {
	name  [16]byte
	flags uint16
	_     [22]byte
}

// Apply turns the interface on.
func (s LoopbackUp) Apply(int) error { return loopback(true) }

// Verify reads the state of the interface back.
func (s LoopbackUp) Verify() error { return loopback(false) }

func loopback(up bool) error {
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return os.NewSyscallError("socket", err)
	}
	req := ifreqFlags{flags: 0xa5a5}
	copy(req.name[:], "lo")
	call := func(name string, nr uintptr) error {
		if _, _, e := unix.RawSyscall(unix.SYS_IOCTL, uintptr(fd), nr, uintptr(unsafe.Pointer(&req))); e != 0 {
			return os.NewSyscallError("ioctl("+name+", lo)", e)
		}
		return nil
	}
	err = call("SIOCGIFFLAGS", unix.SIOCGIFFLAGS)
	switch {
	case err == nil && req.flags == 0xa5a5:
		err = errors.New("ioctl(SIOCGIFFLAGS, lo): answered without an answer")
	case err == nil && up:
		req.flags |= unix.IFF_UP
		err = call("SIOCSIFFLAGS", unix.SIOCSIFFLAGS)
	case err == nil && req.flags&(unix.IFF_UP|unix.IFF_LOOPBACK) != unix.IFF_UP|unix.IFF_LOOPBACK:
		err = errors.New("ioctl(SIOCSIFFLAGS, lo): read back that it is not up")
	}
	return errors.Join(err, closeFD(fd))
}

// Apply sets the name.
func (s SetHostname) Apply(int) error {
	return os.NewSyscallError("sethostname", unix.Sethostname([]byte(s.Name)))
}

// Verify reads the name back.
func (s SetHostname) Verify() error {
	var u unix.Utsname
	if err := unix.Uname(&u); err != nil {
		return os.NewSyscallError("uname", err)
	}
	if got := unix.ByteSliceToString(u.Nodename[:]); got != s.Name {
		return errors.New("sethostname: read back " + strconv.Quote(got))
	}
	return nil
}
