package supervise

import (
	"errors"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// readPIDFile reads the first line of PIDFile=. The file is none that a link leads to, and
// belongs to root, to this process's user, or to that of the process it names; that this is
// one of the service's is adopt's to say.
func (l *loop) readPIDFile() (int, error) {
	fd, err := unix.Open(l.PIDFile, unix.O_RDONLY|unix.O_CLOEXEC|unix.O_NOFOLLOW|unix.O_NONBLOCK|unix.O_NOCTTY, 0)
	if err != nil {
		if err == unix.ELOOP {
			return 0, errors.New("it is a symbolic link")
		}
		return 0, os.NewSyscallError("open", err)
	}
	var st unix.Stat_t
	err = os.NewSyscallError("fstat", unix.Fstat(fd, &st))
	buf := make([]byte, 64)
	n := 0
	if err == nil && st.Mode&unix.S_IFMT != unix.S_IFREG {
		err = errors.New("it is no file")
	}
	if err == nil {
		n, err = unix.Read(fd, buf)
		err = os.NewSyscallError("read", err)
	}
	if err := errors.Join(err, os.NewSyscallError("close", unix.Close(fd))); err != nil {
		return 0, err
	}
	line, _, ends := strings.Cut(string(buf[:n]), "\n")
	if !ends && n == len(buf) { // there is more of it
		return 0, errors.New("it holds no process ID")
	}
	line = strings.Trim(line, " \t\r")
	pid, err := strconv.ParseUint(line, 10, 31)
	if err != nil || pid == 0 {
		return 0, errors.New("it holds no process ID")
	}
	if owner := int(st.Uid); owner != 0 && owner != os.Geteuid() {
		uids := strings.Fields(l.proc.line(strconv.FormatUint(pid, 10)+"/status", "Uid"))
		if len(uids) < 2 || uids[1] != strconv.Itoa(owner) {
			return 0, errors.New("it belongs to uid " + strconv.Itoa(owner) + ", which is neither root nor the process's user")
		}
	}
	return int(pid), nil
}

// removePIDFile removes PIDFile= when the service has ended. Its directory may belong to the
// daemon: it is reached through no link, but for /var/run, which is a link to /run.
func removePIDFile(path string) error {
	if rest, ok := strings.CutPrefix(path, "/var/run/"); ok {
		path = "/run/" + rest
	}
	slash := strings.LastIndexByte(path, '/')
	how := unix.OpenHow{Flags: unix.O_PATH | unix.O_DIRECTORY | unix.O_CLOEXEC, Resolve: unix.RESOLVE_NO_SYMLINKS}
	dir, err := unix.Openat2(unix.AT_FDCWD, path[:slash+1], &how)
	if err == unix.ENOENT {
		return nil
	}
	if err != nil {
		return os.NewSyscallError("openat2", err)
	}
	err = unix.Unlinkat(dir, path[slash+1:], 0)
	if err == unix.ENOENT {
		err = nil
	}
	return errors.Join(os.NewSyscallError("unlinkat", err), unix.Close(dir))
}
