package inspect

import (
	"errors"
	"os"
	"strconv"
	"strings"
	"unsafe"

	"github.com/hardrun/hardrun/process"
	"golang.org/x/sys/unix"
)

// sight is how a process sees the file system: its directory in /proc, and its root.
type sight struct {
	r      *Reader
	dir    int
	root   int
	prefix string // what stands before paths below its root where the kernel tells them
	top    place  // the root
}

// look opens the eyes of a process. An error says why it cannot be looked at.
func (r *Reader) look(p *Process) (*sight, error) {
	dir, start, err := r.directory(p.PID)
	if err != nil {
		return nil, err
	}
	s := &sight{r: r, dir: dir, root: -1}
	if start != p.Start {
		s.close()
		return nil, ErrGone
	}
	if s.root, err = unix.Openat(dir, "root", unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0); err == nil {
		s.prefix, err = r.link(r.proc, "self/fd/"+strconv.Itoa(s.root))
	}
	if err == nil {
		s.prefix = strings.TrimSuffix(s.prefix, "/")
		s.top, err = s.about(s.root)
	}
	if err != nil {
		s.close()
		return nil, s.why("its root directory", err)
	}
	return s, nil
}

func (s *sight) close() {
	if s.root >= 0 {
		_ = unix.Close(s.root) // it was only looked through
	}
	_ = unix.Close(s.dir)
}

// why is an error for people.
func (s *sight) why(what string, err error) error {
	switch {
	case gone(err):
		return errors.New(what + ": it is not there")
	case err == unix.EACCES || err == unix.EPERM:
		return errors.New(what + " cannot be seen: needs root")
	}
	return errors.New(what + ": " + err.Error())
}

// maxText is how much of a text is read.
const maxText = 8 << 20

func (s *sight) text(name string) (string, error) {
	text, err := s.r.read(s.dir, name, maxText)
	if err != nil {
		return "", s.why("/proc/PID/"+name, err)
	}
	return text, nil
}

// about is what an open descriptor is.
func (s *sight) about(fd int) (place, error) {
	at, err := statOf(fd, "")
	if err != nil {
		return place{}, err
	}
	if at.mount == 0 {
		return place{}, errors.New("the kernel does not tell mounts: needs Linux 5.8")
	}
	real, err := s.r.link(s.r.proc, "self/fd/"+strconv.Itoa(fd))
	if err != nil {
		return place{}, err
	}
	if at.real = strings.TrimPrefix(real, s.prefix); at.real == "" {
		at.real = "/"
	}
	return at, nil
}

// statOf reads what a file is without asking who serves it.
func statOf(dir int, path string) (place, error) {
	flags := unix.AT_STATX_DONT_SYNC | unix.AT_NO_AUTOMOUNT
	if path == "" {
		flags |= unix.AT_EMPTY_PATH
	}
	var st unix.Statx_t
	if err := unix.Statx(dir, path, flags, unix.STATX_BASIC_STATS|unix.STATX_MNT_ID, &st); err != nil {
		return place{}, err
	}
	at := place{
		mode: uint32(st.Mode), uid: st.Uid, gid: st.Gid, ino: st.Ino,
		dev: unix.Mkdev(st.Dev_major, st.Dev_minor), major: st.Rdev_major, minor: st.Rdev_minor,
	}
	if st.Mask&unix.STATX_MNT_ID != 0 {
		at.mount = int(st.Mnt_id)
	}
	return at, nil
}

// open opens a path as the process would, without leaving its root.
func (s *sight) open(path string, flags int) (int, error) {
	for try := 0; ; try++ {
		fd, err := unix.Openat2(s.root, path, &unix.OpenHow{
			Flags:   uint64(flags | unix.O_CLOEXEC),
			Resolve: unix.RESOLVE_IN_ROOT | unix.RESOLVE_NO_MAGICLINKS,
		})
		if (err == unix.EAGAIN || err == unix.EINTR) && try < 100 { // something was renamed meanwhile
			continue
		}
		switch err {
		case nil:
			return fd, nil
		case unix.ENOENT, unix.ENOTDIR:
			return -1, errAbsent
		}
		return -1, s.why(path, err)
	}
}

// look is what a path leads to; errAbsent where there is nothing.
func (s *sight) look(path string) (place, error) { return s.opened(path, unix.O_PATH) }

// node is look without following a link in the last place.
func (s *sight) node(path string) (place, error) {
	return s.opened(path, unix.O_PATH|unix.O_NOFOLLOW)
}

func (s *sight) opened(path string, flags int) (place, error) {
	fd, err := s.open(path, flags)
	if err != nil {
		return place{}, err
	}
	at, err := s.about(fd)
	if err != nil {
		err = s.why(path, err)
	}
	return at, errors.Join(err, os.NewSyscallError("close", unix.Close(fd)))
}

// names are those in a directory, a few more than maxNames at most.
func (s *sight) names(path string) ([]string, error) {
	fd, err := s.open(path, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NONBLOCK)
	if err != nil {
		return nil, err
	}
	enough := errors.New("")
	var list []string
	err = s.r.entries(fd, func(name string) error {
		if list = append(list, name); len(list) > maxNames {
			return enough
		}
		return nil
	})
	if err == enough {
		err = nil
	}
	return list, errors.Join(err, os.NewSyscallError("close", unix.Close(fd)))
}

// target is what a link of /proc/PID leads to: "exe", "fd/0".
func (s *sight) target(name string) (place, error) {
	at, err := statOf(s.dir, name)
	if err != nil {
		return place{}, s.why("/proc/PID/"+name, err)
	}
	return at, nil
}

// owner is the user namespace that owns a namespace of the process, ioctl_ns(2).
func (s *sight) owner(kind string) (uint64, error) {
	fd, err := unix.Openat(s.dir, "ns/"+kind, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return 0, s.why("its "+kind+" namespace", err)
	}
	const getUserNS = 0xb701 // NS_GET_USERNS of linux/nsfs.h
	user, err := unix.IoctlRetInt(fd, getUserNS)
	if err = errors.Join(err, unix.Close(fd)); err != nil {
		return 0, errors.New("who owns its " + kind + " namespace: " + err.Error())
	}
	at, err := statOf(user, "")
	return at.ino, errors.Join(err, unix.Close(user))
}

// hostPlace is what a path leads to for the caller.
func hostPlace(path string) (place, error) {
	at, err := statOf(unix.AT_FDCWD, path)
	switch err {
	case nil:
		return at, nil
	case unix.ENOENT, unix.ENOTDIR:
		return at, errAbsent
	}
	return at, &os.PathError{Op: "statx", Path: path, Err: err}
}

// hostText is a regular file, as the caller sees it.
func hostText(path string) (string, error) {
	fd, err := unix.Open(path, unix.O_RDONLY|unix.O_NONBLOCK|unix.O_NOCTTY|unix.O_CLOEXEC, 0)
	if err != nil {
		return "", &os.PathError{Op: "open", Path: path, Err: err}
	}
	at, err := statOf(fd, "")
	if err == nil && at.mode&typeMask != 0o100000 {
		err = errors.New(path + " is no file")
	}
	var b []byte
	for err == nil && len(b) < maxText {
		if len(b) == cap(b) {
			b = append(b, make([]byte, max(4096, len(b)))...)[:len(b)]
		}
		n := 0
		n, err = unix.Read(fd, b[len(b):cap(b)])
		if err == unix.EINTR {
			n, err = 0, nil
			continue
		}
		if n <= 0 {
			break
		}
		b = b[:len(b)+n]
	}
	return string(b), errors.Join(err, os.NewSyscallError("close", unix.Close(fd)))
}

// scheduling is how a thread is scheduled.
func scheduling(tid int) (schedule, error) {
	a, err := unix.SchedGetAttr(tid, 0)
	if err != nil {
		return schedule{}, os.NewSyscallError("sched_getattr", err)
	}
	const who = 1 // IOPRIO_WHO_PROCESS
	io, _, e := unix.RawSyscall(unix.SYS_IOPRIO_GET, who, uintptr(tid), 0)
	if e != 0 {
		return schedule{}, os.NewSyscallError("ioprio_get", e)
	}
	const resetOnFork = 1 // SCHED_FLAG_RESET_ON_FORK
	return schedule{policy: a.Policy, priority: a.Priority, nice: int(a.Nice), reset: a.Flags&resetOnFork != 0, io: uint32(io)}, nil
}

// affinity are the CPUs that a process may run on.
func affinity(pid int) (process.CPUSet, error) {
	var words [8192 / 64]uint64 // as many as Linux is built for at most
	n, _, e := unix.RawSyscall(unix.SYS_SCHED_GETAFFINITY, uintptr(pid), unsafe.Sizeof(words), uintptr(unsafe.Pointer(&words)))
	if e != 0 {
		return nil, os.NewSyscallError("sched_getaffinity", e)
	}
	return process.CPUSet(words[:n/8]), nil
}

// kernelDeniesWriteExecute tells whether the kernel has PR_SET_MDWE, which is not to be seen on
// others.
func kernelDeniesWriteExecute() bool {
	const getMDWE = 66 // PR_GET_MDWE of linux/prctl.h
	_, err := unix.PrctlRetInt(getMDWE, 0, 0, 0, 0)
	return err == nil
}

// kernelSpaces are the namespaces in which the kernel itself is, those of kthreadd; none where
// it is not in sight.
func (r *Reader) kernelSpaces() map[string]uint64 {
	none := map[string]uint64{}
	dir, _, err := r.directory(2)
	if err != nil {
		return none
	}
	text, err := r.read(dir, "stat", small)
	var st stat
	if err == nil {
		st, err = parseStat(text)
	}
	var list []Space
	if err == nil && st.kernel {
		list, err = r.spaces(dir)
	}
	if unix.Close(dir) != nil || err != nil || !st.kernel {
		return none
	}
	return spaceMap(list)
}
