package launcher

import (
	"errors"
	"os"
	"strconv"
	"strings"

	"github.com/hardrun/hardrun/caps"
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

// What a status text must tell for it to be the second source of everything.
const (
	seenInh = 1 << iota
	seenPrm
	seenEff
	seenBnd
	seenAmb
	seenUid
	seenGid
	seenGroups
	seenNoNewPrivs
	seenSigBlk
	seenSigIgn
	seenSigCgt
	seenUmask

	seenAll  = 1<<iota - 1
	seenCaps = seenInh | seenPrm | seenEff | seenBnd | seenAmb
)

// status is what hardrun takes from /proc/PID/status, proc_pid_status(5).
type status struct {
	pid    int    // the own number in the innermost PID namespace
	parent string // the number of the parent, as it is written
	fdSize int    // how many descriptors the table has room for; 0 when that is not told
	caps   CapState
	seen   int // which lines are there
}

// parseStatus reads a status text in one pass.
func parseStatus(text string) (s status, err error) {
	for text != "" {
		line, rest, _ := strings.Cut(text, "\n")
		text = rest
		key, value, _ := strings.Cut(line, ":")
		value = strings.TrimSpace(value)
		mask := func(set *caps.Set, bit int) {
			n, e := strconv.ParseUint(value, 16, 64)
			if e != nil {
				err = errors.New(key + " reads " + strconv.Quote(value))
			}
			*set = caps.Set(n)
			s.seen |= bit
		}
		switch key {
		case "Pid", "NSpid": // NSpid comes later, and has a number for each namespace
			s.pid, _ = strconv.Atoi(value[strings.LastIndexAny(value, " \t")+1:]) // what is no number is no pid of ours
		case "PPid":
			s.parent = value
		case "FDSize":
			s.fdSize, _ = strconv.Atoi(value) // 0, not known: the table is listed then
		case "CapInh":
			mask(&s.caps.Inheritable, seenInh)
		case "CapPrm":
			mask(&s.caps.Permitted, seenPrm)
		case "CapEff":
			mask(&s.caps.Effective, seenEff)
		case "CapBnd":
			mask(&s.caps.Bounding, seenBnd)
		case "CapAmb":
			mask(&s.caps.Ambient, seenAmb)
		case "Uid":
			s.seen |= seenUid
		case "Gid":
			s.seen |= seenGid
		case "Groups":
			s.seen |= seenGroups
		case "NoNewPrivs":
			s.seen |= seenNoNewPrivs
		case "SigBlk":
			s.seen |= seenSigBlk
		case "SigIgn":
			s.seen |= seenSigIgn
		case "SigCgt":
			s.seen |= seenSigCgt
		case "Umask":
			s.seen |= seenUmask
		}
	}
	return s, err
}
