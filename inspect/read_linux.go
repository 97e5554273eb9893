package inspect

import (
	"errors"
	"os"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// Reader reads processes from one /proc, which it holds open. It is for one goroutine at a time.
type Reader struct {
	proc    int
	lastCap int
	host    map[string]uint64 // the namespaces of process 1; nil where they cannot be seen
	own     map[string]uint64 // those of the caller
	root    identity          // the root directory of process 1; zero where it cannot be seen
	ownRoot identity          // that of the caller
	memory  identity          // of a file in memory: its device is that of all of them
	mounts  []cachedMounts
	sockets []cachedTable
	groups  string   // the lines of the own mountinfo that mount cgroup2
	labels  []string // those of labelFiles that this kernel has
	buf     []byte
}

// identity is which file it is.
type identity struct {
	major, minor uint32
	inode        uint64
	mount        uint64 // 0 where the kernel does not say, before Linux 5.8
}

// Open opens /proc, shows that it is one, and reads what processes are compared with: the
// namespaces and the root of process 1 and the own namespaces.
func Open() (*Reader, error) {
	const path = "/proc"
	fd, err := unix.Open(path, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC|unix.O_NOFOLLOW, 0)
	if err != nil {
		return nil, &os.PathError{Op: "open", Path: path, Err: err}
	}
	r := &Reader{proc: fd, buf: make([]byte, 32<<10)}
	if err := r.prepare(); err != nil {
		return nil, errors.Join(err, r.Close())
	}
	return r, nil
}

func (r *Reader) prepare() error {
	var fs unix.Statfs_t
	if err := unix.Fstatfs(r.proc, &fs); err != nil {
		return &os.PathError{Op: "fstatfs", Path: "/proc", Err: err}
	}
	const procRoot = 1 // PROC_ROOT_INO
	var st unix.Stat_t
	if err := unix.Fstat(r.proc, &st); err != nil {
		return &os.PathError{Op: "fstat", Path: "/proc", Err: err}
	}
	if uint32(fs.Type) != unix.PROC_SUPER_MAGIC || st.Ino != procRoot {
		return errors.New("/proc is no proc file system")
	}
	self, err := r.link(r.proc, "self")
	if err != nil {
		return &os.PathError{Op: "readlink", Path: "/proc/self", Err: err}
	}
	own, err := r.open(r.proc, self, unix.O_PATH|unix.O_DIRECTORY)
	if err != nil {
		return &os.PathError{Op: "open", Path: "/proc/" + self, Err: err}
	}
	list, err := r.spaces(own)
	r.own = spaceMap(list)
	if err == nil {
		r.ownRoot, err = identify(own, "root")
	}
	for _, path := range labelFiles {
		if _, err := r.read(own, path, small); err != unix.ENOENT && err != unix.EINVAL {
			r.labels = append(r.labels, path)
		}
	}
	if err := errors.Join(err, unix.Close(own)); err != nil {
		return err
	}
	// That process 1 may not be looked at, or is not in sight, leaves these unknown.
	if first, err := r.open(r.proc, "1", unix.O_PATH|unix.O_DIRECTORY); err == nil {
		if list, err := r.spaces(first); err == nil {
			r.host = spaceMap(list)
		}
		r.root, _ = identify(first, "root")
		if err := unix.Close(first); err != nil {
			return os.NewSyscallError("close", err)
		}
	}
	// The namespaces of the kernel's own threads are those that process 1 was started in.
	if kernel := r.kernelSpaces(); r.host == nil && len(kernel) > 0 {
		r.host = kernel
	}
	for r.lastCap = -1; r.lastCap < 63; r.lastCap++ {
		if e := unix.Prctl(unix.PR_CAPBSET_READ, uintptr(r.lastCap+1), 0, 0, 0); e != nil {
			break
		}
	}
	// Without memfd_create(2), files in memory are taken for files of somebody else's mounts.
	if memory, err := unix.MemfdCreate("", unix.MFD_CLOEXEC); err == nil {
		r.memory, err = identify(memory, "")
		return errors.Join(err, os.NewSyscallError("close", unix.Close(memory)))
	}
	return nil
}

// Close gives back what Open took.
func (r *Reader) Close() error { return os.NewSyscallError("close", unix.Close(r.proc)) }

// LastCap is the highest capability that the kernel has; -1 where it has none.
func (r *Reader) LastCap() int { return r.lastCap }

// PIDs are the processes that can be seen, ascending.
func (r *Reader) PIDs() ([]int, error) {
	list, err := r.numbers(r.proc, ".")
	if err != nil {
		return nil, &os.PathError{Op: "read", Path: "/proc", Err: err}
	}
	return list, nil
}

// again is how often a process is read anew that changes meanwhile.
const again = 3

// Read reads a process. That there is none, or none anymore, is ErrGone. What may not be seen,
// or is not told by this kernel, is in Process.Unknown; other errors are of a /proc that is
// none.
//
// All is read below one descriptor of /proc/PID, which stands for that process alone whoever
// has the number later. A process that changes its credentials or executes another program
// meanwhile is read again.
func (r *Reader) Read(pid int) (*Process, error) {
	dir, start, err := r.directory(pid)
	if err != nil {
		return nil, err
	}
	var p *Process
	for try := 0; ; try++ {
		var was, is string
		if was, err = r.leader(dir); err != nil {
			break
		}
		if p, err = r.process(dir, pid, start); err != nil {
			break
		}
		if is, err = r.leader(dir); err != nil {
			break
		}
		if was == is {
			break
		}
		if try == again {
			p.lacks("Threads", "it changes all the time")
			break
		}
	}
	if gone(err) {
		err = ErrGone
	}
	if err = errors.Join(err, os.NewSyscallError("close", unix.Close(dir))); err != nil {
		if errors.Is(err, ErrGone) {
			return nil, ErrGone
		}
		return nil, errors.New("process " + strconv.Itoa(pid) + ": " + err.Error())
	}
	return p, nil
}

// directory opens /proc/PID, and tells when its process was started.
func (r *Reader) directory(pid int) (dir int, start uint64, err error) {
	if pid < 1 {
		return -1, 0, ErrGone
	}
	dir, err = r.open(r.proc, strconv.Itoa(pid), unix.O_PATH|unix.O_DIRECTORY)
	if gone(err) {
		return -1, 0, ErrGone
	}
	if err != nil {
		return -1, 0, &os.PathError{Op: "open", Path: "/proc/" + strconv.Itoa(pid), Err: err}
	}
	text, err := r.read(dir, "stat", small)
	var s stat
	if err == nil {
		s, err = parseStat(text)
	}
	if gone(err) {
		err = ErrGone
	}
	if err != nil {
		return -1, 0, errors.Join(err, unix.Close(dir))
	}
	return dir, s.start, nil
}

// leader is a text that changes with the leader's credentials and program.
func (r *Reader) leader(dir int) (string, error) {
	text, err := r.read(dir, "status", large)
	if err != nil {
		return "", err
	}
	s, err := parseStatus(text)
	if err != nil {
		return "", err
	}
	exe, _ := r.link(dir, "exe") // unreadable before and behind is the same
	return s.name + "\n" + s.state.key() + "\n" + exe, nil
}

// process reads all of it, once. An error is of what every process has.
func (r *Reader) process(dir, pid int, start uint64) (*Process, error) {
	p := &Process{PID: pid, Start: start}
	text, err := r.read(dir, "stat", small)
	if err != nil {
		return nil, err
	}
	st, err := parseStat(text)
	if err != nil {
		return nil, err
	}
	if text, err = r.read(dir, "status", large); err != nil {
		return nil, err
	}
	s, err := parseStatus(text)
	if err != nil {
		return nil, err
	}
	p.PPID, p.Kernel, p.Nice = st.parent, st.kernel, st.nice
	p.Name, p.Tracer, p.PIDs = s.name, s.tracer, s.pids
	if p.PIDs == nil {
		p.PIDs = []int{pid}
	}
	tids, err := r.numbers(dir, "task")
	if err != nil {
		return nil, err
	}
	// A leader that has ended before its threads has nothing to be seen; they have.
	v, vtid := dir, pid
	if st.state == 'Z' || st.state == 'X' {
		p.Zombie = true
		for _, tid := range tids {
			if tid == pid {
				continue
			}
			other, err := r.open(dir, "task/"+strconv.Itoa(tid), unix.O_PATH|unix.O_DIRECTORY)
			if err != nil {
				continue // it has ended as well
			}
			t, err := r.status(other)
			if err == nil && !t.dead() {
				v, vtid, s, p.Zombie = other, tid, t, false
				break
			}
			if err := unix.Close(other); err != nil {
				return nil, os.NewSyscallError("close", err)
			}
		}
	}
	if err = r.threads(dir, v, vtid, p); err == nil {
		err = r.view(dir, v, &s, p)
	}
	if v != dir {
		err = errors.Join(err, os.NewSyscallError("close", unix.Close(v)))
	}
	return p, err
}

// view reads what all threads share, of a directory of the process or of one of its threads.
func (r *Reader) view(dir, v int, s *status, p *Process) error {
	if p.UMask = s.umask; !s.masked && !p.Kernel && !p.Zombie {
		p.lacks("UMask", notTold)
	}
	if err := r.limits(dir, p); err != nil {
		return err
	}
	text, err := r.read(v, "cgroup", large)
	if err == nil {
		p.Groups, err = parseGroups(text)
	}
	p.noted("Groups", err)
	if p.Label, err = r.label(v); err != nil {
		p.noted("Label", err)
	}
	if p.Kernel || p.Zombie {
		return nil
	}
	text, err = r.read(v, "cmdline", 1<<20)
	p.Args = parseArgs(text)
	p.noted("Args", err)
	p.Exe, err = r.link(v, "exe")
	p.noted("Exe", err)
	p.Spaces, err = r.spaces(v)
	p.noted("Spaces", err)
	for i := range p.Spaces {
		s := &p.Spaces[i]
		s.Known = r.host != nil
		s.Host = s.Known && s.Inode != 0 && r.host[s.Kind] == s.Inode
		s.Own = s.Inode != 0 && r.own[s.Kind] == s.Inode
	}
	p.Root, err = r.link(v, "root")
	p.noted("Root", err)
	p.Cwd, err = r.link(v, "cwd")
	p.noted("Cwd", err)
	root, err := identify(v, "root")
	p.noted("NewRoot", err)
	if err == nil && r.root.inode == 0 {
		p.lacks("NewRoot", "the root of process 1 cannot be seen: "+denied())
	}
	mnt := p.space("mnt")
	p.NewRoot = err == nil && r.root.inode != 0 && !root.same(r.root, mnt.Host)
	p.OwnRoot = err == nil && root.same(r.ownRoot, mnt.Own)
	m, err := r.mountsOf(v, root, mnt.Inode)
	p.noted("Mounts", err)
	if m != nil {
		p.Mounts = m.mounts
	}
	r.programs(p)
	return r.files(v, m, p)
}

// space is a namespace of the process by its kind; zero where it is not known.
func (p *Process) space(kind string) Space {
	for i := range p.Spaces {
		if p.Spaces[i].Kind == kind {
			return p.Spaces[i]
		}
	}
	return Space{}
}

// same tells whether it is the same directory. Within one namespace of mounts it is on the
// same mount, too; each namespace has mounts of its own.
func (i identity) same(o identity, within bool) bool {
	return i.major == o.major && i.minor == o.minor && i.inode == o.inode && (!within || i.mount == o.mount)
}

// notTold is the reason why something is unknown that other kernels say.
const notTold = "this kernel does not say"

// denied is the reason why something is unknown that the caller may not see.
func denied() string {
	if unix.Geteuid() != 0 {
		return "needs root (permission denied)"
	}
	return "permission denied, for root too"
}

// noted notes that a field could not be read, if so.
func (p *Process) noted(what string, err error) {
	switch {
	case err == nil:
	case errors.Is(err, unix.EACCES), errors.Is(err, unix.EPERM):
		p.lacks(what, denied())
	case errors.Is(err, unix.ENOENT):
		p.lacks(what, notTold)
	default:
		p.lacks(what, err.Error())
	}
}

// limits reads what the process shares with nobody, also when its leader has ended.
func (r *Reader) limits(dir int, p *Process) error {
	text, err := r.read(dir, "limits", large)
	if gone(err) && err != unix.ENOENT {
		return err
	}
	if err == nil && text != "" {
		p.Limits, err = parseLimits(text)
	}
	if p.Limits == nil && err == nil && !p.Zombie {
		p.lacks("Limits", notTold)
	}
	p.noted("Limits", err)
	text, err = r.read(dir, "oom_score_adj", small)
	if err == nil {
		p.OOMAdjust, err = strconv.Atoi(strings.TrimSpace(text))
	}
	p.noted("OOMAdjust", err)
	return nil
}

// labelFiles are where security modules say how they call a process: the first one, and each
// by its name.
var labelFiles = [...]string{"attr/current", "attr/apparmor/current", "attr/selinux/current", "attr/smack/current"}

// label is what a security module calls the process; empty where there is none. It is not
// said which one it is.
func (r *Reader) label(dir int) (string, error) {
	var last error
	for _, path := range r.labels {
		text, err := r.read(dir, path, small)
		text = strings.TrimRight(text, "\x00\n")
		switch {
		case err == nil && text != "":
			return text, nil
		case err == unix.EACCES, err == unix.EPERM:
			last = err
		case err != nil && err != unix.EINVAL && err != unix.ENOENT && err != unix.ESRCH:
			return "", err
		}
	}
	return "", last
}

// spaces are the namespaces of a process or a thread, in the kernel's order.
func (r *Reader) spaces(dir int) ([]Space, error) {
	fd, err := r.open(dir, "ns", unix.O_RDONLY|unix.O_DIRECTORY)
	if err != nil {
		return nil, err
	}
	var list []Space
	err = r.entries(fd, func(name string) error {
		link, err := r.link(fd, name)
		if err == unix.ENOENT { // none yet
			list = append(list, Space{Kind: name})
			return nil
		}
		if err != nil {
			return err
		}
		_, inode, ok := parseSpace(link)
		if !ok {
			return errors.New("a namespace reads " + strconv.Quote(link))
		}
		list = append(list, Space{Kind: name, Inode: inode})
		return nil
	})
	if err = errors.Join(err, os.NewSyscallError("close", unix.Close(fd))); err != nil {
		return nil, err
	}
	return list, nil
}

func spaceMap(list []Space) map[string]uint64 {
	m := make(map[string]uint64, len(list))
	for _, s := range list {
		m[s.Kind] = s.Inode
	}
	return m
}

// How much of a file is read. No file of these is longer, but by somebody else's doing.
const (
	small = 4 << 10
	large = 1 << 20
)

// gone tells whether a file is not there anymore as the process is not.
func gone(err error) bool { return errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ESRCH) }

// open opens a file below a directory of /proc, on the same mount and through no link. Errors
// are bare numbers.
func (r *Reader) open(dir int, path string, flags int) (int, error) {
	fd, err := unix.Openat2(dir, path, &unix.OpenHow{
		Flags:   uint64(flags | unix.O_CLOEXEC),
		Resolve: unix.RESOLVE_NO_XDEV | unix.RESOLVE_NO_SYMLINKS,
	})
	if err == unix.ENOSYS || err == unix.EPERM { // Linux before 5.6; a filter
		fd, err = unix.Openat(dir, path, flags|unix.O_CLOEXEC|unix.O_NOFOLLOW, 0)
	}
	return fd, err
}

// read reads the first limit bytes of a file below a directory of /proc. Errors are bare
// numbers.
func (r *Reader) read(dir int, path string, limit int) (string, error) {
	fd, err := r.open(dir, path, unix.O_RDONLY)
	if err != nil {
		return "", err
	}
	have := 0
	for have < limit {
		if have == len(r.buf) {
			r.buf = append(r.buf, make([]byte, len(r.buf))...)
		}
		n, err := unix.Read(fd, r.buf[have:min(len(r.buf), limit)])
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			_ = unix.Close(fd) // the reading has failed already
			return "", err
		}
		if n == 0 {
			break
		}
		have += n
	}
	return string(r.buf[:have]), unix.Close(fd)
}

// errLong is a text that no kernel writes by itself.
var errLong = errors.New("it is too long")

// lines hands out every line of a file below a directory of /proc, without its line feed, up
// to most bytes in all. A last one without line feed is handed out as well.
func (r *Reader) lines(dir int, path string, most int, each func(line string) error) error {
	fd, err := r.open(dir, path, unix.O_RDONLY)
	if err != nil {
		return err
	}
	have, all := 0, 0
	for err == nil {
		if have == len(r.buf) {
			if have >= large {
				err = errLong
				break
			}
			r.buf = append(r.buf, make([]byte, len(r.buf))...)
		}
		var n int
		n, err = unix.Read(fd, r.buf[have:])
		if err == unix.EINTR {
			err = nil
			continue
		}
		if err != nil {
			break
		}
		if n == 0 {
			if have > 0 {
				err = each(string(r.buf[:have]))
			}
			break
		}
		if all += n; all > most {
			err = errLong
			break
		}
		have += n
		at := 0
		for err == nil {
			end := slices.Index(r.buf[at:have], '\n')
			if end < 0 {
				break
			}
			err = each(string(r.buf[at : at+end]))
			at += end + 1
		}
		have = copy(r.buf, r.buf[at:have])
	}
	if closed := unix.Close(fd); err == nil {
		err = closed
	}
	return err
}

// link reads a link of /proc. Errors are bare numbers.
func (r *Reader) link(dir int, path string) (string, error) {
	n, err := unix.Readlinkat(dir, path, r.buf)
	if err != nil {
		return "", err
	}
	return string(r.buf[:max(n, 0)]), nil
}

// entries hands out the names in an open directory, without "." and "..".
func (r *Reader) entries(fd int, each func(name string) error) error {
	buf := make([]byte, 8<<10)
	var names []string
	for {
		n, err := unix.Getdents(fd, buf)
		if err != nil {
			return err
		}
		if n <= 0 {
			return nil
		}
		_, _, names = unix.ParseDirent(buf[:n], -1, names[:0])
		for _, name := range names {
			if err := each(name); err != nil {
				return err
			}
		}
	}
}

// numbers are the names in a directory that are numbers, ascending. Errors are bare numbers.
func (r *Reader) numbers(dir int, path string) ([]int, error) {
	fd, err := r.open(dir, path, unix.O_RDONLY|unix.O_DIRECTORY)
	if err != nil {
		return nil, err
	}
	var list []int
	err = r.entries(fd, func(name string) error {
		if n, err := strconv.Atoi(name); err == nil {
			list = append(list, n)
		}
		return nil
	})
	if closed := unix.Close(fd); err == nil {
		err = closed
	}
	slices.Sort(list)
	return list, err
}

// identify tells which file it is, following the last link. The file system behind it is not
// asked for anything: it may be one that does not answer. An empty path is the descriptor.
func identify(dir int, path string) (identity, error) {
	var st unix.Statx_t
	flags := unix.AT_STATX_DONT_SYNC | unix.AT_NO_AUTOMOUNT
	if path == "" {
		flags |= unix.AT_EMPTY_PATH
	}
	if err := unix.Statx(dir, path, flags, unix.STATX_INO|unix.STATX_MNT_ID, &st); err != nil {
		return identity{}, err
	}
	id := identity{major: st.Dev_major, minor: st.Dev_minor, inode: st.Ino}
	if st.Mask&unix.STATX_MNT_ID != 0 {
		id.mount = st.Mnt_id
	}
	return id, nil
}
