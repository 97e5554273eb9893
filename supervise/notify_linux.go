package supervise

import (
	"errors"
	"os"
	"strings"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Listen makes the socket of sd_notify(3), for everyone to send to: who may speak is decided by
// the sender's PID. address is an absolute path, or "@" and an abstract name, unix(7). The
// directory above a path is made, with mode 0755, where it is missing, and must belong to this
// process's user and be writable for nobody else. What lies at the path is removed. The
// descriptor is close-on-exec.
func Listen(address string) (fd int, err error) {
	abstract := strings.HasPrefix(address, "@")
	if !abstract {
		if err := makeWay(address); err != nil {
			return -1, err
		}
	}
	fd, err = unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return -1, os.NewSyscallError("socket", err)
	}
	if err = unix.Bind(fd, &unix.SockaddrUnix{Name: address}); err != nil {
		err = &os.PathError{Op: "bind", Path: address, Err: err}
	} else if !abstract {
		if err = unix.Chmod(address, 0o666); err != nil {
			err = &os.PathError{Op: "chmod", Path: address, Err: err}
		}
	}
	if err == nil {
		err = os.NewSyscallError("setsockopt(SO_PASSCRED)", unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_PASSCRED, 1))
	}
	if err != nil {
		return -1, errors.Join(err, unix.Close(fd))
	}
	return fd, nil
}

// makeWay makes room for a socket at an absolute path, in a directory that is this user's alone.
func makeWay(path string) error {
	slash := strings.LastIndexByte(path, '/')
	if slash < 1 || slash == len(path)-1 || path[0] != '/' {
		return errors.New("NOTIFY_SOCKET: " + path + " is no path of a socket")
	}
	dir := path[:slash]
	if err := unix.Mkdir(dir, 0o755); err != nil && err != unix.EEXIST {
		return &os.PathError{Op: "mkdir", Path: dir, Err: err}
	}
	var st unix.Stat_t
	if err := unix.Lstat(dir, &st); err != nil {
		return &os.PathError{Op: "lstat", Path: dir, Err: err}
	}
	if st.Mode&unix.S_IFMT != unix.S_IFDIR || int(st.Uid) != os.Geteuid() || st.Mode&0o022 != 0 {
		return errors.New(dir + ": not a directory of this user that nobody else can write to")
	}
	if err := unix.Unlink(path); err != nil && err != unix.ENOENT {
		return &os.PathError{Op: "unlink", Path: path, Err: err}
	}
	return nil
}

// receive takes one message from the socket: its text, and the PID of its sender, 0 where the
// kernel did not say. Descriptors that came with it are never this process's: there is no room
// for them, and the kernel lets go of them. That is what a sender with BARRIER=1 waits for, which
// has sent all else before.
func receive(fd int, buf []byte) (text string, pid int, err error) {
	var control [32]byte
	n, nc, flags, _, err := unix.Recvmsg(fd, buf, control[:unix.CmsgSpace(unix.SizeofUcred)], unix.MSG_DONTWAIT|unix.MSG_CMSG_CLOEXEC)
	if err != nil {
		return "", 0, err
	}
	messages, err := unix.ParseSocketControlMessage(control[:nc])
	if err != nil || flags&unix.MSG_TRUNC != 0 { // half a message is none
		return "", 0, nil
	}
	for i := range messages {
		if h := &messages[i].Header; h.Level == unix.SOL_SOCKET && h.Type == unix.SCM_CREDENTIALS {
			if c, err := unix.ParseUnixCredentials(&messages[i]); err == nil {
				pid = int(c.Pid)
			}
		}
	}
	return string(buf[:n]), pid, nil
}

// readable tells whether there is a message.
func readable(fd int) bool {
	fds := [...]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
	n, err := unix.Poll(fds[:], 0)
	return n > 0 || err != nil // who reads will see
}

// rouser is a timer that interrupts what the thread waits for, again and again while it is on.
// Everybody may send to the socket, and the kernel closes what comes with a message when it is
// taken: for a socket with SO_LINGER, socket(7), it waits as long as the sender says.
type rouser struct{ id int32 }

// rouserPause is how long the thread can be made to wait, in nanoseconds.
const rouserPause = 20e6

// newRouser makes one for this thread, off. Its signal is URG, which the Go runtime handles and
// does nothing by.
func newRouser() (*rouser, error) {
	var urgent unix.Sigset_t
	bits := unsafe.Sizeof(urgent.Val[0]) * 8
	urgent.Val[uintptr(unix.SIGURG-1)/bits] = 1 << (uintptr(unix.SIGURG-1) % bits)
	if err := unix.PthreadSigmask(unix.SIG_UNBLOCK, &urgent, nil); err != nil {
		return nil, os.NewSyscallError("rt_sigprocmask", err)
	}
	const threadID = 4 // SIGEV_THREAD_ID
	event := struct {
		value               uintptr
		signal, notify, tid int32
		_                   [64]byte
	}{signal: int32(unix.SIGURG), notify: threadID, tid: int32(unix.Gettid())}
	r := &rouser{}
	_, _, err := unix.RawSyscall(unix.SYS_TIMER_CREATE, unix.CLOCK_MONOTONIC, uintptr(unsafe.Pointer(&event)), uintptr(unsafe.Pointer(&r.id)))
	if err != 0 {
		return nil, os.NewSyscallError("timer_create", err)
	}
	return r, nil
}

// set switches it on or off.
func (r *rouser) set(on bool) error {
	var when unix.ItimerSpec
	if on {
		when.Value = unix.NsecToTimespec(rouserPause)
		when.Interval = when.Value
	}
	if _, _, err := unix.RawSyscall6(unix.SYS_TIMER_SETTIME, uintptr(r.id), 0, uintptr(unsafe.Pointer(&when)), 0, 0, 0); err != 0 {
		return os.NewSyscallError("timer_settime", err)
	}
	return nil
}

// sendOn sends a message to another manager, NOTIFY_SOCKET of sd_notify(3).
func sendOn(address, text string) error {
	if address == "" || text == "" {
		return nil
	}
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return os.NewSyscallError("socket", err)
	}
	err = os.NewSyscallError("sendto", unix.Sendto(fd, []byte(text), unix.MSG_NOSIGNAL|unix.MSG_DONTWAIT, &unix.SockaddrUnix{Name: address}))
	return errors.Join(err, os.NewSyscallError("close", unix.Close(fd)))
}
