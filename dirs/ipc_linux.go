package dirs

import (
	"errors"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// RemoveIPC removes the objects of System V and POSIX IPC that belong to the user or to the group, in
// the own IPC namespace and below /dev/shm and /dev/mqueue, as RemoveIPC= asks for at the end of a
// service. Root's are never removed; -1 is no user or group. Nothing is removed while a process has
// the user as its real one, and what belongs to the group alone stays while another process than this has
// the group, as another service may have it, too: systemd.exec(5) "RemoveIPC=". A shared
// memory segment that somebody has attached stays. Each object that cannot be removed is an
// error, which names it.
func RemoveIPC(root Root, uid, gid int) []error {
	mine := objects{uid, gid}
	if uid <= 0 && gid <= 0 || uid > 0 && Running(uid) {
		return nil
	}
	var errs []error
	if gid > 0 {
		used, err := groupUsed(gid)
		if err != nil {
			errs = append(errs, err)
		}
		if used || err != nil {
			mine.gid = -1
		}
	}
	for _, kind := range [...]struct {
		name, id, what string
		remove         func(id int) error
	}{
		{"shm", "shmid", "shared memory ", func(id int) error {
			_, err := unix.SysvShmCtl(id, unix.IPC_RMID, nil)
			return err
		}},
		{"sem", "semid", "semaphores ", func(id int) error { return control(unix.SYS_SEMCTL, id, 0, unix.IPC_RMID) }},
		{"msg", "msqid", "message queue ", func(id int) error { return control(unix.SYS_MSGCTL, id, unix.IPC_RMID, 0) }},
	} {
		text, err := readProc(unix.AT_FDCWD, "/proc/sysvipc/"+kind.name)
		if errors.Is(err, unix.ENOENT) { // a kernel without them
			continue
		}
		if err != nil {
			errs = append(errs, err)
			continue
		}
		eachObject(text, func(field func(string) string) {
			if n := field("nattch"); n != "" && n != "0" || !mine.have(field("uid"), field("gid")) {
				return
			}
			id, err := strconv.Atoi(field(kind.id))
			if err == nil {
				err = kind.remove(id)
			}
			if err != nil && err != unix.EIDRM && err != unix.EINVAL { // removed meanwhile
				errs = append(errs, named("remove "+kind.what+field(kind.id), err))
			}
		})
	}
	for _, path := range [...]string{"/dev/shm", "/dev/mqueue"} {
		if err := mine.removeFiles(root, path); err != nil {
			errs = append(errs, err)
		}
	}
	if err := mine.removeQueues(root); err != nil {
		errs = append(errs, err)
	}
	return errs
}

// groupUsed tells whether a process other than this one has the group, as one of its four gids.
func groupUsed(gid int) (used bool, err error) {
	proc, err := realFD(unix.Open("/proc", unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0))
	if err != nil {
		return false, &os.PathError{Op: "open", Path: "/proc", Err: err}
	}
	if err = notHidden(proc); err == nil {
		self, want := strconv.Itoa(unix.Getpid()), strconv.Itoa(gid)
		err = each(proc, func(name string) error {
			if name[0] < '0' || name[0] > '9' || name == self {
				return nil
			}
			text, err := readProc(proc, name+"/status")
			if errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ESRCH) {
				return nil
			}
			eachLine(text, func(line string) {
				if column(line, ':', 0) != "Gid" {
					return
				}
				for n, rest := cutWord(line[len("Gid:"):]); n != ""; n, rest = cutWord(rest) {
					used = used || n == want
				}
			})
			return err
		})
	}
	return used, named("whether another process has the group "+strconv.Itoa(gid), errors.Join(err, closed(proc)))
}

// removeQueues removes their message queues where nobody has mounted these: they are there
// without it. Where they cannot be mounted, there is nothing to be done.
func (o objects) removeQueues(root Root) error {
	const path, magic = "/dev/mqueue", 0x19800202 // linux/magic.h
	var fs unix.Statfs_t
	if err := unix.Statfs(path, &fs); root.Dir != "" || err == nil && fs.Type == magic {
		return nil
	}
	context, err := unix.Fsopen("mqueue", unix.FSOPEN_CLOEXEC)
	if err != nil { // no queues, no such call, or no right to
		return nil
	}
	err = unix.FsconfigCreate(context)
	fd := -1
	if err == nil {
		fd, err = unix.Fsmount(context, unix.FSMOUNT_CLOEXEC, 0)
	}
	err = errors.Join(os.NewSyscallError("mount the message queues", err), closed(context))
	if fd < 0 {
		return err
	}
	// The mount itself is no directory that can be read.
	dir, openErr := realFD(unix.Openat(fd, ".", unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0))
	err = errors.Join(err, os.NewSyscallError("open the message queues", openErr), closed(fd))
	if dir < 0 {
		return err
	}
	return errors.Join(err, o.removeBelow(dir, path), closed(dir))
}

func control(nr uintptr, a, b, c int) error {
	if _, _, e := unix.Syscall6(nr, uintptr(a), uintptr(b), uintptr(c), 0, 0, 0); e != 0 {
		return e
	}
	return nil
}

// objects are those of a user or a group.
type objects struct{ uid, gid int }

func (o objects) have(uid, gid string) bool {
	return o.uid > 0 && uid == strconv.Itoa(o.uid) || o.gid > 0 && gid == strconv.Itoa(o.gid)
}

func (o objects) haveFile(st *unix.Stat_t) bool {
	return o.uid > 0 && int(st.Uid) == o.uid || o.gid > 0 && int(st.Gid) == o.gid
}

// removeFiles removes their files and directories in a directory and all below it.
func (o objects) removeFiles(root Root, path string) error {
	fd, err := realFD(unix.Open(strings.TrimSuffix(root.Dir, "/")+path, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0))
	if err == unix.ENOENT || err == unix.ENOTDIR {
		return nil
	}
	if err != nil {
		return &os.PathError{Op: "open", Path: path, Err: err}
	}
	return errors.Join(o.removeBelow(fd, path), closed(fd))
}

// removeBelow is removeFiles of an open directory.
func (o objects) removeBelow(fd int, path string) error {
	t := tree{path: path, goOn: true}
	t.entry = func(dir int, name string) (enter bool, err error) { return o.removeFile(&t, dir, name, 0) }
	t.after = func(dir int, name string) (again bool, err error) {
		_, err = o.removeFile(&t, dir, name, unix.AT_REMOVEDIR)
		return false, err
	}
	return t.walk(fd)
}

// removeFile removes a file that is theirs; with flags a directory.
func (o objects) removeFile(t *tree, dir int, name string, flags int) (isDir bool, err error) {
	fd, err := openBelow(dir, name, unix.O_PATH)
	if err == unix.ENOENT || err == unix.EXDEV {
		return false, nil
	}
	if err != nil {
		return false, &os.PathError{Op: "open", Path: t.at(name), Err: err}
	}
	var st unix.Stat_t
	if err := errors.Join(os.NewSyscallError("fstat", unix.Fstat(fd, &st)), closed(fd)); err != nil {
		return false, named(t.at(name), err)
	}
	isDir = st.Mode&unix.S_IFMT == unix.S_IFDIR
	if isDir && flags == 0 || !o.haveFile(&st) {
		return isDir, nil
	}
	if err := unix.Unlinkat(dir, name, flags); err != nil && err != unix.ENOENT {
		return isDir, &os.PathError{Op: "unlink", Path: t.at(name), Err: err}
	}
	return isDir, nil
}
