package launcher

import (
	"errors"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// procRoot is the inode of the root of every procfs (PROC_ROOT_INO).
const procRoot = 1

// openProc opens /proc and shows that it is one: its file system, its root's
// inode. -1 and no error where there is none. All that hardrun reads and writes
// below /proc goes through this descriptor (CVE-2019-19921, CVE-2025-52881).
func openProc() (int, error) {
	const path = "/proc"
	fd, err := unix.Open(path, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC|unix.O_NOFOLLOW, 0)
	if err == unix.ENOENT || err == unix.ENOTDIR || err == unix.ELOOP {
		return -1, nil
	}
	if err != nil {
		return -1, &os.PathError{Op: "open", Path: path, Err: err}
	}
	var fs unix.Statfs_t
	if err := unix.Fstatfs(fd, &fs); err != nil {
		return -1, &os.PathError{Op: "fstatfs", Path: path, Err: err}
	}
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return -1, &os.PathError{Op: "fstat", Path: path, Err: err}
	}
	if fs.Type != unix.PROC_SUPER_MAGIC || st.Ino != procRoot {
		return -1, closed(fd, path) // an empty directory, a tmpfs: no /proc
	}
	return fd, nil
}

// openSelf opens the own directory of a verified /proc, under the number that
// this /proc has for the process: it may be that of another PID namespace, where
// getpid(2) is the number of a stranger. -1 and no error where it has none.
func openSelf(proc int) (int, error) {
	var buf [32]byte
	n, err := unix.Readlinkat(proc, "self", buf[:])
	if err == unix.ENOENT {
		return -1, nil
	}
	if err != nil {
		return -1, &os.PathError{Op: "readlinkat", Path: "/proc/self", Err: err}
	}
	number := string(buf[:max(n, 0)])
	if pid, err := strconv.Atoi(number); err != nil || pid < 1 {
		return -1, errors.New("/proc/self points to " + strconv.Quote(number))
	}
	return openBelow(proc, number, unix.O_PATH|unix.O_DIRECTORY)
}

// own tells whether a status text is that of this process: the last number of
// NSpid, or Pid on a kernel without PID namespaces.
func (s status) own() bool {
	pids := strings.Fields(s.get("NSpid"))
	if len(pids) == 0 {
		pids = []string{s.get("Pid")}
	}
	return pids[len(pids)-1] == strconv.Itoa(unix.Getpid())
}

func closed(fd int, path string) error {
	if err := unix.Close(fd); err != nil {
		return &os.PathError{Op: "close", Path: path, Err: err}
	}
	return nil
}

// openBelow opens a file below a verified directory, on the same mount and
// through no link.
func openBelow(dir int, path string, flags int) (int, error) {
	fd, err := unix.Openat2(dir, path, &unix.OpenHow{
		Flags:   uint64(flags | unix.O_CLOEXEC),
		Resolve: unix.RESOLVE_NO_XDEV | unix.RESOLVE_NO_SYMLINKS,
	})
	if err == unix.ENOSYS { // Linux before 5.6
		fd, err = unix.Openat(dir, path, flags|unix.O_CLOEXEC|unix.O_NOFOLLOW, 0)
	}
	if err != nil {
		return -1, &os.PathError{Op: "open", Path: "/proc/" + path, Err: err}
	}
	return fd, nil
}

// readBelow reads a small file below a verified directory.
func readBelow(dir int, path string) (string, error) {
	fd, err := openBelow(dir, path, unix.O_RDONLY)
	if err != nil {
		return "", err
	}
	b, err := readFD(fd, 1<<20)
	if err != nil {
		return "", errors.Join(&os.PathError{Op: "read", Path: "/proc/" + path, Err: err}, unix.Close(fd))
	}
	return string(b), closed(fd, "/proc/"+path)
}

// status is the text of /proc/PID/status, as lines of a key and a value.
type status string

// get is the value behind a key, "" when there is no such line.
func (s status) get(key string) string {
	for rest := string(s); rest != ""; {
		line, more, _ := strings.Cut(rest, "\n")
		if len(line) > len(key) && line[len(key)] == ':' && line[:len(key)] == key {
			return strings.TrimSpace(line[len(key)+1:])
		}
		rest = more
	}
	return ""
}

// has tells whether there is a line of that key, be its value empty.
func (s status) has(key string) bool { return strings.Contains(string(s), "\n"+key+":") }

// mask is a line of one hexadecimal number; ok is false when there is none.
func (s status) mask(key string) (n uint64, ok bool, err error) {
	t := s.get(key)
	if t == "" {
		return 0, false, nil
	}
	n, err = strconv.ParseUint(t, 16, 64)
	if err != nil {
		return 0, false, errors.New("/proc/self/status: " + key + " reads \"" + t + "\"")
	}
	return n, true, nil
}
