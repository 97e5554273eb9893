package supervise

import (
	"errors"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// Listen makes the socket of sd_notify(3) at an absolute path, for everyone to send to: who
// may speak is decided by the sender's PID. The directory above is made, with mode 0755, where
// it is missing, and must belong to this process's user and be writable for nobody else. What
// lies at the path is removed. The descriptor is close-on-exec.
func Listen(path string) (fd int, err error) {
	slash := strings.LastIndexByte(path, '/')
	if slash < 1 || slash == len(path)-1 {
		return -1, errors.New("NOTIFY_SOCKET: " + path + " is no path of a socket")
	}
	dir := path[:slash]
	if err := unix.Mkdir(dir, 0o755); err != nil && err != unix.EEXIST {
		return -1, &os.PathError{Op: "mkdir", Path: dir, Err: err}
	}
	var st unix.Stat_t
	if err := unix.Lstat(dir, &st); err != nil {
		return -1, &os.PathError{Op: "lstat", Path: dir, Err: err}
	}
	if st.Mode&unix.S_IFMT != unix.S_IFDIR || int(st.Uid) != os.Geteuid() || st.Mode&0o022 != 0 {
		return -1, errors.New(dir + ": not a directory of this user that nobody else can write to")
	}
	if err := unix.Unlink(path); err != nil && err != unix.ENOENT {
		return -1, &os.PathError{Op: "unlink", Path: path, Err: err}
	}
	fd, err = unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return -1, os.NewSyscallError("socket", err)
	}
	if err = unix.Bind(fd, &unix.SockaddrUnix{Name: path}); err != nil {
		err = &os.PathError{Op: "bind", Path: path, Err: err}
	} else if err = unix.Chmod(path, 0o666); err != nil {
		err = &os.PathError{Op: "chmod", Path: path, Err: err}
	} else if err = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_PASSCRED, 1); err != nil {
		err = os.NewSyscallError("setsockopt(SO_PASSCRED)", err)
	}
	if err != nil {
		return -1, errors.Join(err, unix.Close(fd))
	}
	return fd, nil
}

// receive takes one message from the socket: its text, and the PID of its sender, 0 where the
// kernel did not say. Descriptors that came with it are closed by done, when the message was
// acted upon: that is what a sender with BARRIER=1 waits for.
func receive(fd int, buf []byte) (text string, pid int, done func(), err error) {
	control := make([]byte, unix.CmsgSpace(unix.SizeofUcred)+unix.CmsgSpace(4*253)) // SCM_MAX_FD
	n, nc, flags, _, err := unix.Recvmsg(fd, buf, control, unix.MSG_DONTWAIT|unix.MSG_CMSG_CLOEXEC)
	if err != nil {
		return "", 0, nil, err
	}
	var passed []int
	done = func() {
		for _, fd := range passed {
			_ = unix.Close(fd) // they are the sender's, and nothing is written to them
		}
	}
	messages, err := unix.ParseSocketControlMessage(control[:nc])
	if err != nil {
		return "", 0, done, nil
	}
	for i := range messages {
		if messages[i].Header.Level != unix.SOL_SOCKET {
			continue
		}
		switch messages[i].Header.Type {
		case unix.SCM_RIGHTS:
			fds, err := unix.ParseUnixRights(&messages[i])
			if err == nil {
				passed = append(passed, fds...)
			}
		case unix.SCM_CREDENTIALS:
			if c, err := unix.ParseUnixCredentials(&messages[i]); err == nil {
				pid = int(c.Pid)
			}
		}
	}
	if flags&(unix.MSG_TRUNC|unix.MSG_CTRUNC) != 0 {
		pid = 0 // half a message is none
	}
	return string(buf[:n]), pid, done, nil
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
