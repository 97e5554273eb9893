package main

import (
	"errors"
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
			if err != nil || n <= 0 || n > len(b) {
				break // nobody listens; the exit status tells the same
			}
			b = b[n:]
		}
	}
	if l.syslog >= 0 {
		if _, err := unix.Write(l.syslog, []byte(syslogHead()+text[len("hardrun: "):])); err != nil && l.fd < 0 {
			_, _ = os.Stderr.WriteString(text + "\n") // the last place to say it
		}
	}
}

// syslogHead is facility daemon, severity err, as syslog(3) writes it.
func syslogHead() string { return "<27>hardrun[" + strconv.Itoa(os.Getpid()) + "]: " }

// openLog keeps the stderr of the start at a number that the daemon's streams
// do not reach, and connects to the log socket of the host where that is asked
// for.
func openLog(where string, closed uint8) error {
	switch {
	case closed>>2&1 == 1:
		log.fd = -1
	case where != "syslog":
		const above = 10 // the daemon's streams, and what is mostly passed on
		fd, err := unix.FcntlInt(2, unix.F_DUPFD_CLOEXEC, above)
		if err != nil {
			return os.NewSyscallError("fcntl(F_DUPFD_CLOEXEC)", err)
		}
		if fd < above {
			return errors.New("fcntl(F_DUPFD_CLOEXEC) answered " + strconv.Itoa(fd))
		}
		log.fd = fd
	}
	if where != "syslog" && where != "both" {
		return nil
	}
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return os.NewSyscallError("socket", err)
	}
	socket := "/dev/log"
	if runtime.GOOS == "netbsd" || runtime.GOOS == "freebsd" {
		socket = "/var/run/log" // syslogd(8)
	}
	if err := unix.Connect(fd, &unix.SockaddrUnix{Name: socket}); err != nil {
		return &os.PathError{Op: "connect", Path: socket, Err: err}
	}
	log.syslog = fd
	if where == "syslog" {
		log.fd = -1
	}
	return nil
}
