package dirs

import (
	"errors"
	"os"
	"runtime"
	"strconv"
	"strings"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Reserve opens /run/hardrun, which is hardrun's own, and makes it where it is missing: a directory of
// root with mode 0755. What else is there is an error.
func (r Root) Reserve() (fd int, err error) {
	const path = "/run/hardrun"
	run, err := r.openBase("/run", true)
	if err != nil {
		return -1, err
	}
	m := Made{root: r}
	fd, _, err = m.one(run, "/run", "hardrun", unix.O_RDONLY)
	if err := errors.Join(err, closed(run)); err != nil {
		if fd >= 0 {
			err = errors.Join(err, closed(fd))
		}
		return -1, err
	}
	var st unix.Stat_t
	err = os.NewSyscallError("fstat", unix.Fstat(fd, &st))
	if err == nil && (int(st.Uid) != unix.Geteuid() || st.Mode&0o022 != 0) {
		err = named(path, errors.New("belongs to "+ids(&st)+" and has the mode "+octal(st.Mode)+": it must be root's, and nobody else's to write"))
	}
	if err == nil {
		err = chmod(fd, 0o755, path) // another start, too, may be about to do it
	}
	if err != nil {
		return -1, errors.Join(err, closed(fd))
	}
	return fd, nil
}

// Lock is held by who has chosen a dynamic uid, from the choice until a process has the uid: no other
// start chooses meanwhile.
//
// It is a descriptor, closed at execve(2). The rule that there is no moment at which a uid is neither
// locked nor seen: the process which executes the daemon, or a parent that lives until then, has the
// descriptor open, and it becomes the uid before execve. At execve the kernel first makes the
// calling thread the one that /proc/PID/status tells of (with the uid that it has had since
// setresuid(2)), and then closes the descriptor.
//
// Two cases need more. A hardrun that executes itself passes the descriptor on (FD). And
// a service with commands before and after the main one has moments without a process: who starts
// them holds the uid by Claim, and releases the lock, so that other services start meanwhile. A
// claim ends at execve: who claimed, and now executes hardrun or the daemon in place of itself,
// takes the lock again by Root.Lock before.
type Lock struct{ fd int }

// Claim makes the process, which must be root and stay so, hold the uid, which it has chosen: the saved
// gid of the calling thread, to which the goroutine is locked from then on, becomes that number, and
// Choose sees it. Children have it until they execute something. 0 ends the claim.
func Claim(uid int) error {
	runtime.LockOSThread()
	const keep = ^uintptr(0)
	// Not that of the C library, which interrupts all threads, and kills the process where one of them fails.
	if _, _, e := unix.RawSyscall(unix.SYS_SETRESGID, keep, keep, uintptr(uid)); e != 0 {
		return os.NewSyscallError("setresgid", e)
	}
	id := [3]uint32{^uint32(0), ^uint32(0), ^uint32(0)}
	if _, _, e := unix.RawSyscall(unix.SYS_GETRESGID, uintptr(unsafe.Pointer(&id[0])), uintptr(unsafe.Pointer(&id[1])), uintptr(unsafe.Pointer(&id[2]))); e != 0 {
		return os.NewSyscallError("getresgid", e)
	}
	if id[2] != uint32(uid) {
		return named("getresgid", errors.New("read back the saved gid "+strconv.Itoa(int(id[2]))+", want "+strconv.Itoa(uid)))
	}
	return nil
}

// FD is the descriptor.
func (l *Lock) FD() int { return l.fd }

// Release closes the descriptor. The lock of a nil Lock, and one that was released, is none.
func (l *Lock) Release() error {
	if l == nil || l.fd < 0 {
		return nil
	}
	fd := l.fd
	l.fd = -1
	return closed(fd)
}

const lockName = "dynamic-uid"

// lockTime is how long another start may take to get from its choice to its execve, in seconds.
const lockTime = 60

// Lock takes the lock without a choice. It waits for others, a minute at most.
func (r Root) Lock() (*Lock, error) {
	const path = "/run/hardrun/" + lockName
	dir, err := r.Reserve()
	if err != nil {
		return nil, err
	}
	fd, err := realFD(unix.Openat(dir, lockName, unix.O_RDWR|unix.O_CREAT|unix.O_NOFOLLOW|unix.O_CLOEXEC|unix.O_NONBLOCK, 0o600))
	if err != nil {
		err = &os.PathError{Op: "open", Path: path, Err: err}
	}
	if err := errors.Join(err, closed(dir)); err != nil {
		if fd >= 0 {
			err = errors.Join(err, closed(fd))
		}
		return nil, err
	}
	var st unix.Stat_t
	err = os.NewSyscallError("fstat", unix.Fstat(fd, &st))
	if err == nil && (st.Mode&unix.S_IFMT != unix.S_IFREG || int(st.Uid) != unix.Geteuid() || st.Mode&0o077 != 0) {
		err = named(path, errors.New("is not root's own file"))
	}
	if err == nil {
		err = waitLock(fd, unix.LOCK_EX, path, "another start with DynamicUser=yes")
	}
	if err != nil {
		return nil, errors.Join(err, closed(fd))
	}
	return &Lock{fd}, nil
}

// waitLock waits for the lock, but not forever; who says who may have it.
func waitLock(fd, how int, path, who string) error {
	var begin, now unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &begin); err != nil {
		return os.NewSyscallError("clock_gettime", err)
	}
	for pause := int64(500_000); ; pause = min(pause*2, 8_000_000) {
		err := unix.Flock(fd, how|unix.LOCK_NB)
		if err != unix.EWOULDBLOCK && err != unix.EINTR {
			if err != nil {
				return &os.PathError{Op: "flock", Path: path, Err: err}
			}
			return nil
		}
		if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &now); err != nil {
			return os.NewSyscallError("clock_gettime", err)
		}
		if now.Sec-begin.Sec > lockTime {
			return named(path, errors.New(who+" has held it for "+strconv.Itoa(lockTime)+" s"))
		}
		wait := unix.NsecToTimespec(pause)
		if err := unix.Nanosleep(&wait, nil); err != nil && err != unix.EINTR {
			return os.NewSyscallError("nanosleep", err)
		}
	}
}

// Choose chooses a uid (and gid) for DynamicUser=, which nobody has: no process in any of its four
// uids, four gids or other groups, no line of /etc/passwd or /etc/group, no object of
// IPC, and nothing in the places that outlive a service: Base/private of State, Cache, Logs and
// Runtime directories, /run, /tmp, /var/tmp, /dev/shm and /dev/mqueue. The name decides
// where the search begins, so that it is mostly the same uid at each start. own are the
// directories on the host that the service had and will have (Directory.Host): the owner of the first that
// is there is tried before, and so nothing in them need be given to another owner.
//
// A name that a service has already, of which a process is there, keeps its uid: starts by the same name
// are one user, as in systemd, and do not take their directories from each other. Which name has which
// uid stands in the file of the lock, "UID NAME". All other calls answer different uids.
//
// The lock is to be released when a process has the uid, see Lock. Where the database has the user of User=, the caller takes that
// one and does not ask here, systemd.exec(5) "DynamicUser=".
//
// What other PID namespaces hold beside this one is seen by their directories alone. A /proc
// that does not show all processes is an error.
func (r Root) Choose(name string, own []string) (uid int, lock *Lock, err error) {
	lock, err = r.Lock()
	if err != nil {
		return -1, nil, err
	}
	uid, err = r.choose(lock.fd, name, own)
	if err != nil {
		return -1, nil, errors.Join(err, lock.Release())
	}
	return uid, lock, nil
}

func (r Root) choose(file int, name string, own []string) (int, error) {
	// Processes come first: one that ends meanwhile was seen, and one that had ended has left what it left.
	var t taken
	processes, unmapped, err := scanProcesses()
	if err != nil {
		return -1, err
	}
	text, err := readNames(file)
	if err != nil {
		return -1, err
	}
	uid, others := processes.named(text, name)
	if uid >= 0 {
		return uid, nil
	}
	for i := range t {
		t[i] |= unmapped[i]
	}
	if uid, err = r.free(&t, processes, name, own); err != nil {
		return -1, err
	}
	return uid, writeNames(file, withName(others, uid, name))
}

const namesPath = "/run/hardrun/" + lockName

// readNames is what stands in the file of the lock.
func readNames(fd int) (string, error) {
	if _, err := unix.Seek(fd, 0, unix.SEEK_SET); err != nil {
		return "", &os.PathError{Op: "lseek", Path: namesPath, Err: err}
	}
	text, err := readWhole(fd)
	if err != nil {
		err = &os.PathError{Op: "read", Path: namesPath, Err: err}
	}
	return text, err
}

// writeNames writes it anew. Who ends in between leaves less, and a line without its end counts
// for nothing.
func writeNames(fd int, text string) error {
	if err := unix.Ftruncate(fd, 0); err != nil {
		return &os.PathError{Op: "ftruncate", Path: namesPath, Err: err}
	}
	var err error
	n := len(text)
	if n > 0 {
		n, err = unix.Pwrite(fd, []byte(text), 0)
	}
	if err == nil && n != len(text) {
		err = unix.ENOSPC
	}
	if err != nil {
		return &os.PathError{Op: "write", Path: namesPath, Err: err}
	}
	return nil
}

// free is a uid that nobody has.
func (r Root) free(t, processes *taken, name string, own []string) (int, error) {
	if err := r.scanFiles(t, own); err != nil {
		return -1, err
	}
	for i := range t {
		t[i] |= processes[i]
	}
	for _, o := range own {
		var st unix.Stat_t
		err := unix.Lstat(strings.TrimSuffix(r.Dir, "/")+o, &st)
		if err == unix.ENOENT || err == unix.ENOTDIR {
			continue
		}
		if err != nil {
			return -1, &os.PathError{Op: "lstat", Path: o, Err: err}
		}
		uid := int(st.Uid)
		if st.Mode&unix.S_IFMT == unix.S_IFDIR && IsDynamic(uid) && !t.has(uid) && !Running(uid) {
			return uid, nil
		}
		break
	}
	from := first(name)
	for i := range dynamicCount {
		uid := FirstDynamic + (from-FirstDynamic+i)%dynamicCount
		if !t.has(uid) && !Running(uid) {
			return uid, nil
		}
	}
	return -1, errors.New("no uid of " + strconv.Itoa(FirstDynamic) + " to " + strconv.Itoa(LastDynamic) + " is free, or mapped in this user namespace")
}

// Running tells whether a process, or a thread of one, has the real uid. It sees, by one call, a process that forks and ends
// all the time, and so would evade a reader of /proc: new processes come at the end of the list through
// which the kernel goes.
func Running(uid int) bool {
	n, err := unix.Getpriority(unix.PRIO_USER, uid)
	return err != unix.ESRCH && !(err == nil && n == 0) // 0 is no answer of Linux: gVisor does not look
}

// scanProcesses are the ids of all processes, and of all threads of those that may become others. (A
// thread that is another in spite of that is seen by Running, if it is so in its real uid.)
// unmapped are the ids that nobody can have.
func scanProcesses() (processes, unmapped *taken, err error) {
	var t, none taken
	proc, err := realFD(unix.Open("/proc", unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0))
	if err != nil {
		return nil, nil, named("DynamicUser=: it must be seen which uids are in use", &os.PathError{Op: "open", Path: "/proc", Err: err})
	}
	err = t.addProcesses(proc, &none)
	if err := errors.Join(err, closed(proc)); err != nil {
		return nil, nil, named("DynamicUser=: it must be seen which uids are in use", err)
	}
	return &t, &none, nil
}

func (t *taken) addProcesses(proc int, unmapped *taken) error {
	var fs unix.Statfs_t
	if err := unix.Fstatfs(proc, &fs); err != nil {
		return os.NewSyscallError("fstatfs", err)
	}
	if int64(fs.Type) != unix.PROC_SUPER_MAGIC {
		return errors.New("/proc is no file system of processes")
	}
	if err := notHidden(proc); err != nil {
		return err
	}
	for _, file := range [...]string{"self/uid_map", "self/gid_map"} {
		text, err := readProc(proc, file)
		if errors.Is(err, unix.ENOENT) { // a kernel without user namespaces
			continue
		}
		if err != nil {
			return err
		}
		unmapped.addUnmapped(text)
	}
	seen := false
	err := each(proc, func(name string) error {
		if name[0] < '0' || name[0] > '9' {
			return nil
		}
		threads, err := t.addProcess(proc, name+"/status")
		if err != nil {
			return err
		}
		seen = true
		if !threads {
			return nil
		}
		task, err := realFD(unix.Openat(proc, name+"/task", unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0))
		if err == unix.ENOENT {
			return nil
		}
		if err != nil {
			return &os.PathError{Op: "open", Path: "/proc/" + name + "/task", Err: err}
		}
		err = each(task, func(name string) error {
			if name[0] == '.' {
				return nil
			}
			_, err := t.addProcess(task, name+"/status")
			return err
		})
		return errors.Join(err, closed(task))
	})
	if err == nil && !seen {
		err = errors.New("/proc shows no process")
	}
	return err
}

// addProcess adds one, if it is still there, and tells whether its threads must be looked at.
func (t *taken) addProcess(dir int, file string) (threads bool, err error) {
	text, err := readProc(dir, file)
	if errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ESRCH) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	threads, ok := t.addStatus(text)
	if !ok {
		return false, errors.New("/proc/" + file + " has no lines Uid:, Gid:, Groups:, Threads: and CapPrm:")
	}
	return threads, nil
}

// readProc reads a file of /proc: "self" is a link there.
func readProc(proc int, file string) (string, error) {
	name := "/proc/" + strings.TrimPrefix(file, "/proc/")
	fd, err := realFD(unix.Openat(proc, file, unix.O_RDONLY|unix.O_CLOEXEC, 0))
	if err != nil {
		return "", &os.PathError{Op: "open", Path: name, Err: err}
	}
	text, err := readWhole(fd)
	if err != nil {
		err = &os.PathError{Op: "read", Path: name, Err: err}
	}
	return text, errors.Join(err, closed(fd))
}

// notHidden shows that /proc was not mounted with hidepid=, or does not hide by it from this process, as
// it has CAP_SYS_PTRACE.
func notHidden(proc int) error {
	var st unix.Statx_t
	if err := unix.Statx(proc, "", unix.AT_EMPTY_PATH, unix.STATX_MNT_ID, &st); err != nil && err != unix.ENOSYS {
		return os.NewSyscallError("statx", err)
	}
	text, err := readProc(proc, "self/mountinfo")
	if err != nil {
		return err
	}
	hidden := false
	eachLine(text, func(line string) {
		// Of another mount than this only where the kernel does not tell which this is.
		if st.Mask&unix.STATX_MNT_ID != 0 && column(line, ' ', 0) != strconv.FormatUint(st.Mnt_id, 10) {
			return
		}
		_, last, _ := strings.Cut(line, " - ")
		if column(last, ' ', 0) != "proc" {
			return
		}
		for i := 0; ; i++ {
			option := column(column(last, ' ', 2), ',', i)
			if option == "" {
				return
			}
			if value, ok := strings.CutPrefix(option, "hidepid="); ok && value != "0" && value != "off" {
				hidden = true
			}
		}
	})
	if !hidden {
		return nil
	}
	status, err := readProc(proc, "self/status")
	if err != nil {
		return err
	}
	var caps uint64
	eachLine(status, func(line string) {
		if column(line, ':', 0) == "CapEff" {
			caps, err = strconv.ParseUint(trim(line[len("CapEff:"):]), 16, 64)
		}
	})
	if err != nil || caps>>unix.CAP_SYS_PTRACE&1 == 0 {
		return errors.New("/proc is mounted with hidepid=, and without CAP_SYS_PTRACE it does not show all processes")
	}
	return nil
}

// places are where files stay behind when a service has ended, and how deep root's own directories
// in them are looked through.
var places = [...]struct {
	path  string
	depth int
}{
	{"/var/lib/private", 16},
	{"/var/cache/private", 16},
	{"/var/log/private", 16},
	{"/run/private", 16},
	{"/run", 4},
	{"/tmp", 1},
	{"/var/tmp", 1},
	{"/dev/shm", 2},
	{"/dev/mqueue", 1},
}

// scanFiles adds who is in the databases, who has objects of IPC, and who owns something in one of
// the places, but for the service's own directories.
func (r Root) scanFiles(t *taken, own []string) error {
	prefix := strings.TrimSuffix(r.Dir, "/")
	for _, db := range [...]struct {
		path    string
		columns []int
	}{{"/etc/passwd", []int{2, 3}}, {"/etc/group", []int{2}}} {
		fd, err := realFD(unix.Open(prefix+db.path, unix.O_RDONLY|unix.O_CLOEXEC|unix.O_NONBLOCK, 0))
		if err == unix.ENOENT {
			continue
		}
		if err != nil {
			return &os.PathError{Op: "open", Path: db.path, Err: err}
		}
		text, err := readWhole(fd)
		if err := errors.Join(err, closed(fd)); err != nil {
			return &os.PathError{Op: "read", Path: db.path, Err: err}
		}
		t.addDatabase(text, db.columns...)
	}
	for _, kind := range [...]string{"shm", "sem", "msg"} {
		text, err := readProc(unix.AT_FDCWD, "/proc/sysvipc/"+kind)
		if errors.Is(err, unix.ENOENT) { // a kernel without them
			continue
		}
		if err != nil {
			return err
		}
		t.addObjects(text)
	}
	for i := range places {
		p := &places[i]
		fd, err := realFD(unix.Open(prefix+p.path, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0))
		if err == unix.ENOENT || err == unix.ENOTDIR {
			continue
		}
		if err != nil {
			return &os.PathError{Op: "open", Path: p.path, Err: err}
		}
		err = t.addTree(fd, p.path, p.depth, own)
		if err := errors.Join(err, closed(fd)); err != nil {
			return err
		}
	}
	return nil
}

// addTree adds who owns what is in a directory, and in those below it that are root's, so deep.
func (t *taken) addTree(fd int, path string, depth int, own []string) error {
	w := tree{path: path}
	w.entry = func(dir int, name string) (bool, error) {
		at := w.at(name)
		for _, o := range own {
			if at == o || below(at, o) {
				return false, nil
			}
		}
		// Not by stat(2), which would ask what somebody has mounted there, and may not answer.
		fd, err := openBelow(dir, name, unix.O_PATH)
		if err == unix.ENOENT || err == unix.EXDEV {
			return false, nil
		}
		if err != nil {
			return false, &os.PathError{Op: "open", Path: at, Err: err}
		}
		var st unix.Stat_t
		if err := errors.Join(os.NewSyscallError("fstat", unix.Fstat(fd, &st)), closed(fd)); err != nil {
			return false, named(at, err)
		}
		t.add(uint64(st.Uid))
		t.add(uint64(st.Gid))
		return st.Mode&unix.S_IFMT == unix.S_IFDIR && st.Uid == 0 && len(w.way) < depth, nil
	}
	return w.walk(fd)
}
