//go:build freebsd || netbsd || openbsd

package main

import (
	"os"
	"runtime"
	"strconv"

	"golang.org/x/sys/unix"
)

func (l logger) write(text string) {
	if l.fd >= 0 {
		for b := []byte(text + "\n"); len(b) > 0; {
			n, err := unix.Write(l.fd, b)
			if err == unix.EINTR {
				continue
			}
			if err != nil {
				break // nobody listens; the exit status tells the same
			}
			b = b[n:]
		}
	}
	if l.syslog >= 0 {
		head := "<27>hardrun[" + strconv.Itoa(os.Getpid()) + "]: " // facility daemon, severity err
		if _, err := unix.Write(l.syslog, []byte(head+text[len("hardrun: "):])); err != nil && l.fd < 0 {
			_, _ = os.Stderr.WriteString(text + "\n") // the last place to say it
		}
	}
}

// openLog keeps the stderr of the start at a number that the daemon's streams
// do not reach, and connects to the log socket of the host where that is asked
// for.
func openLog(where string, _ uint8) error {
	log.fd = -1
	if where != "syslog" {
		fd, err := unix.FcntlInt(2, unix.F_DUPFD_CLOEXEC, 10)
		if err != nil {
			return os.NewSyscallError("fcntl(F_DUPFD_CLOEXEC)", err)
		}
		log.fd = fd
	}
	if where != "syslog" && where != "both" {
		return nil
	}
	socket := "/var/run/log" // syslogd(8); its -p names another
	if runtime.GOOS == "openbsd" {
		socket = "/dev/log"
	}
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return os.NewSyscallError("socket", err)
	}
	if err := unix.Connect(fd, &unix.SockaddrUnix{Name: socket}); err != nil {
		return &os.PathError{Op: "connect", Path: socket, Err: err}
	}
	log.syslog = fd
	return nil
}
