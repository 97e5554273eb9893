package dirs

import (
	"errors"
	"os"
	"strconv"
	"strings"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// connectTimeout is how long a connection may wait for who listens, and a credential for
// its data.
const connectTimeout = 30 * time.Second

// OpenFiles opens the files, and connects to those that are AF_UNIX sockets. Nothing is
// created. Links are followed where nobody but root and who runs this could have put them
// there. After an error nothing is open.
func OpenFiles(files []File) ([]Passed, error) {
	var list []Passed
	for i := range files {
		f := &files[i]
		fd, err := openFile(f)
		if f.Graceful && missing(err) {
			continue
		}
		name := ""
		if err == nil {
			name, err = passedName(f.Name, f.Path[strings.LastIndexByte(f.Path, '/')+1:])
			list = append(list, Passed{FD: fd, Name: name})
			if err == nil && fd < 3 {
				err = list[len(list)-1].raise()
			}
		}
		if err != nil {
			return nil, errors.Join(named("OpenFile="+f.Path, err), Close(list))
		}
	}
	return list, nil
}

// missing tells whether there is nothing that could be opened: no file, no device behind a
// node, nobody who listens.
func missing(err error) bool {
	for _, e := range [...]unix.Errno{unix.ENOENT, unix.ENOTDIR, unix.ENXIO, unix.ENODEV, unix.ECONNREFUSED} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

func openFile(f *File) (int, error) {
	path, err := normalPath(f.Path)
	if err != nil {
		return -1, err
	}
	flags, options := unix.O_RDWR, 0
	for _, o := range [...]struct {
		on    bool
		flags int
	}{{f.ReadOnly, unix.O_RDONLY}, {f.Append, unix.O_RDWR | unix.O_APPEND}, {f.Truncate, unix.O_RDWR}} {
		if o.on {
			flags = o.flags
			options++
		}
	}
	if options > 1 {
		return -1, errors.New("read-only, append and truncate exclude each other")
	}
	fd, at, err := openTrusted(path, flags)
	if err != nil {
		return -1, err
	}
	var st unix.Stat_t
	err = os.NewSyscallError("fstat", unix.Fstat(fd, &st))
	switch format := st.Mode & unix.S_IFMT; {
	case err != nil:
	case format == unix.S_IFSOCK && options > 0:
		err = errors.New("a socket has no read-only, append and truncate")
	case format == unix.S_IFSOCK:
		var socket int
		socket, err = connect(unixAddress(at.connectAddress(path, fd)), nil, time.Now().Add(connectTimeout),
			unix.SOCK_STREAM, unix.SOCK_DGRAM, unix.SOCK_SEQPACKET)
		if err == nil {
			fd, err = socket, closed(fd)
		}
	case f.Truncate && format == unix.S_IFREG: // not by open(2), before what was opened was looked at
		err = os.NewSyscallError("ftruncate", unix.Ftruncate(fd, 0))
	}
	if err == nil {
		err = blocking(fd)
	}
	if err = errors.Join(err, at.close()); err != nil {
		return -1, errors.Join(err, closed(fd))
	}
	return fd, nil
}

// blocking takes O_NONBLOCK away, with which things are opened so that nothing waits.
func blocking(fd int) error {
	flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFL, 0)
	if err == nil {
		_, err = unix.FcntlInt(uintptr(fd), unix.F_SETFL, flags&^unix.O_NONBLOCK)
	}
	return os.NewSyscallError("fcntl(F_SETFL)", err)
}

func unixAddress(path string) []byte {
	a := Address{Text: path}
	return a.sockaddr(0)
}

// connect connects a socket of the first type that is the listener's, without waiting longer
// than to the deadline. local is the address to which it is bound, nil for none. The socket
// has O_NONBLOCK.
func connect(sockaddr, local []byte, deadline time.Time, types ...int) (int, error) {
	if len(sockaddr) > 3+maxPath {
		return -1, os.NewSyscallError("connect", unix.ENAMETOOLONG)
	}
	for i, kind := range types {
		fd, err := unix.Socket(unix.AF_UNIX, kind|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
		if err != nil {
			return -1, os.NewSyscallError("socket", err)
		}
		if local != nil {
			if err := bind(fd, local); err != nil {
				return -1, errors.Join(err, closed(fd))
			}
		}
		for {
			_, _, e := unix.Syscall(unix.SYS_CONNECT, uintptr(fd), uintptr(unsafe.Pointer(&sockaddr[0])), uintptr(len(sockaddr)))
			if e == 0 {
				return fd, nil
			}
			// AF_UNIX connects at once, or its queue is full, of which poll(2) says nothing.
			if (e == unix.EAGAIN || e == unix.EINTR) && time.Now().Before(deadline) {
				time.Sleep(10 * time.Millisecond)
				continue
			}
			if e == unix.EAGAIN {
				e = unix.ETIMEDOUT
			}
			err = os.NewSyscallError("connect", e)
			break
		}
		if err := errors.Join(err, closed(fd)); i == len(types)-1 || !errors.Is(err, unix.EPROTOTYPE) {
			return -1, err
		}
	}
	return -1, os.NewSyscallError("connect", unix.EPROTOTYPE)
}

// readLimited reads to the end, at most a number of bytes, and not beyond the deadline.
func readLimited(fd, most int, deadline time.Time) ([]byte, error) {
	var data []byte
	buf := make([]byte, 16384)
	for {
		n, err := unix.Read(fd, buf)
		switch {
		case err == unix.EINTR:
			continue
		case err == unix.EAGAIN:
			left := time.Until(deadline)
			if left <= 0 {
				return nil, os.NewSyscallError("read", unix.ETIMEDOUT)
			}
			if _, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, int(left.Milliseconds())+1); err != nil && err != unix.EINTR {
				return nil, os.NewSyscallError("poll", err)
			}
			continue
		case err != nil:
			return nil, os.NewSyscallError("read", err)
		case n <= 0:
			return data, nil
		case len(data)+n > most:
			return nil, errors.New("more than " + strconv.Itoa(most) + " bytes")
		case time.Now().After(deadline):
			return nil, os.NewSyscallError("read", unix.ETIMEDOUT)
		}
		data = append(data, buf[:n]...)
	}
}
