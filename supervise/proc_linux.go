package supervise

import (
	"bytes"
	"errors"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// proc is a verified /proc, and what is to be known of processes by it.
type proc struct {
	dir   int
	self  int   // the own PID
	prior []int // children that are none of the service's: they were there before
	buf   []byte
}

// someone is a process.
type someone struct {
	pid, parent int
	start       uint64 // when it was started, in ticks of the clock: with the PID it names a process for good
	gone        bool   // it has ended, or is about to
}

// openProc opens /proc and shows that it is that of this process.
func openProc() (*proc, error) {
	dir, err := unix.Open("/proc", unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, &os.PathError{Op: "open", Path: "/proc", Err: err}
	}
	var fs unix.Statfs_t
	if err := unix.Fstatfs(dir, &fs); err != nil {
		return nil, os.NewSyscallError("fstatfs", err)
	}
	if uint32(fs.Type) != unix.PROC_SUPER_MAGIC {
		return nil, errors.New("fstatfs: /proc is no proc file system")
	}
	p := &proc{dir: dir, self: os.Getpid(), buf: make([]byte, 4096)}
	n, err := unix.Readlinkat(dir, "self", p.buf)
	if err != nil {
		return nil, &os.PathError{Op: "readlink", Path: "/proc/self", Err: err}
	}
	if string(p.buf[:n]) != strconv.Itoa(p.self) {
		return nil, errors.New("readlink /proc/self: /proc is that of another PID namespace")
	}
	return p, nil
}

// read reads the first 4 KiB of a file below /proc. It is overwritten by the next read.
func (p *proc) read(path string) ([]byte, error) {
	fd, err := unix.Openat(p.dir, path, unix.O_RDONLY|unix.O_CLOEXEC|unix.O_NOFOLLOW, 0)
	if err != nil {
		return nil, err
	}
	n, err := unix.Read(fd, p.buf)
	if closed := unix.Close(fd); err == nil {
		err = closed
	}
	return p.buf[:max(n, 0)], err
}

// look reads /proc/PID/stat.
func (p *proc) look(pid int) (s someone, err error) {
	b, err := p.read(strconv.Itoa(pid) + "/stat")
	if err != nil {
		return s, err
	}
	// "1 (name) S 0 …": the name may hold anything.
	const state, parent, start, size = 0, 1, 19, 20
	var f [size + 1][]byte
	n := 0
	for word := range bytes.FieldsSeq(b[bytes.LastIndexByte(b, ')')+1:]) {
		if n < len(f) {
			f[n] = word
			n++
		}
	}
	if n <= size {
		return s, unix.ESRCH
	}
	s.pid = pid
	if s.parent, err = strconv.Atoi(string(f[parent])); err == nil {
		s.start, err = strconv.ParseUint(string(f[start]), 10, 64)
	}
	s.gone = f[state][0] == 'Z' || f[state][0] == 'X' || string(f[size]) == "0" // memory is given back before descriptors are closed
	return s, err
}

// all lists all processes. What has ended meanwhile is not among them.
func (p *proc) all() ([]someone, error) {
	pids, err := p.numbers(".")
	if err != nil {
		return nil, err
	}
	list := make([]someone, 0, len(pids))
	for _, pid := range pids {
		s, err := p.look(pid)
		switch err {
		case nil:
			list = append(list, s)
		case unix.ENOENT, unix.ESRCH: // it has ended
		default:
			return nil, &os.PathError{Op: "open, read, close", Path: "/proc/" + strconv.Itoa(pid) + "/stat", Err: err}
		}
	}
	return list, nil
}

// numbers are the names in a directory below /proc that are numbers: processes, or threads.
func (p *proc) numbers(path string) ([]int, error) {
	fd, err := unix.Openat(p.dir, path, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, &os.PathError{Op: "open", Path: "/proc/" + path, Err: err}
	}
	var list []int
	var names []string
	buf := make([]byte, 8<<10)
	for {
		n, err := unix.Getdents(fd, buf)
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			_ = unix.Close(fd) // the listing has failed already
			return nil, &os.PathError{Op: "getdents", Path: "/proc/" + path, Err: err}
		}
		if n == 0 {
			return list, os.NewSyscallError("close", unix.Close(fd))
		}
		_, _, names = unix.ParseDirent(buf[:n], -1, names[:0])
		for _, name := range names {
			if number, err := strconv.Atoi(name); err == nil {
				list = append(list, number)
			}
		}
	}
}

// notePrior takes the children of this process for strangers.
func (p *proc) notePrior() error {
	list, err := p.all()
	for _, s := range list {
		if s.parent == p.self {
			p.prior = append(p.prior, s.pid)
		}
	}
	return err
}

// forget takes a PID that was reaped from the strangers.
func (p *proc) forget(pid int) {
	for i, other := range p.prior {
		if other == pid {
			p.prior = append(p.prior[:i], p.prior[i+1:]...)
			return
		}
	}
}

func (p *proc) isPrior(pid int) bool {
	for _, other := range p.prior {
		if other == pid {
			return true
		}
	}
	return false
}

// descendants lists the living processes of the service: those whose line of parents leads
// to this process. A parent that has ended while the list was read makes it be read again:
// its children are this process's own then.
func (p *proc) descendants() ([]someone, error) {
	const unknown, ours, theirs = 0, 1, 2
	for try := 0; ; try++ {
		list, err := p.all()
		if err != nil {
			return nil, err
		}
		at := make(map[int]int, len(list))
		for i, s := range list {
			at[s.pid] = i
		}
		verdict := make([]uint8, len(list))
		torn := false
		var line []int
		for i := range list {
			line = line[:0]
			v := uint8(unknown)
			for j := i; v == unknown && len(line) <= len(list); {
				line = append(line, j)
				s := &list[j]
				next, there := at[s.parent]
				switch {
				case verdict[j] != unknown:
					v = verdict[j]
				case s.pid == p.self || s.parent == 0:
					v = theirs
				case s.parent == p.self && p.isPrior(s.pid):
					v = theirs
				case s.parent == p.self:
					v = ours
				case !there:
					v, torn = theirs, true
				default:
					j = next
				}
			}
			if v == unknown { // a circle, of PIDs that were used again
				torn = true
				continue
			}
			for _, j := range line {
				verdict[j] = v
			}
		}
		if torn && try < 20 {
			continue
		}
		found := list[:0]
		for i, s := range list {
			if verdict[i] == ours && !s.gone {
				found = append(found, s)
			}
		}
		return found, nil
	}
}

// descends tells whether a process is one of the service's.
func (p *proc) descends(pid int) bool {
	for range 1 << 12 {
		s, err := p.look(pid)
		if err != nil || s.pid == p.self || s.parent == 0 {
			return false
		}
		if s.parent == p.self {
			return !p.isPrior(pid)
		}
		pid = s.parent
	}
	return false
}

// line is the value of a line in /proc/PID/status, "" for none.
func (p *proc) line(path, name string) string {
	b, err := p.read(path)
	if err != nil {
		return ""
	}
	return lineOf(string(b), name)
}

func lineOf(text, name string) string {
	_, rest, _ := strings.Cut("\n"+text, "\n"+name+":\t")
	rest, _, _ = strings.Cut(rest, "\n")
	return rest
}

// mask is a line of /proc/PID/status that is a set of signals: bit n-1 is signal n.
func (p *proc) mask(path, name string) (uint64, error) {
	text := p.line(path, name)
	m, err := strconv.ParseUint(text, 16, 64)
	if err != nil {
		return 0, errors.New("/proc/" + path + ": no line " + name)
	}
	return m, nil
}
