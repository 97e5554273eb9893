package ns

import (
	"errors"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// What is mounted of what a service was given: a file system that its commands share,
// files for its user, a line in passwd(5).

// cloneShared copies the file system that SharedTmp has made. It can be copied only where
// it is mounted: in its own mount namespace, which is entered for that, and left again.
func (v *View) cloneShared(from int) (tree int, err error) {
	st := &v.state
	was, err := mountNamespace(st.self)
	if err != nil {
		return -1, err
	}
	own, err := unix.Openat(st.self, "ns/mnt", unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return -1, &os.PathError{Op: "openat", Path: "/proc/self/ns/mnt", Err: err}
	}
	if _, _, e := unix.RawSyscall(unix.SYS_SETNS, uintptr(from), unix.CLONE_NEWNS, 0); e != 0 {
		return -1, errors.Join(os.NewSyscallError("setns(CLONE_NEWNS)", e), closeFD(own))
	}
	tree, err = cloneRoot()
	if _, _, e := unix.RawSyscall(unix.SYS_SETNS, uintptr(own), unix.CLONE_NEWNS, 0); e != 0 {
		return -1, errors.Join(err, os.NewSyscallError("setns(CLONE_NEWNS)", e))
	}
	if !v.Chrooted {
		// setns(2) leads to the root of the namespace, where that of the start need not be.
		if e := unix.Fchdir(st.root); e != nil {
			return -1, errors.Join(err, os.NewSyscallError("fchdir", e))
		}
		if e := unix.Chroot("."); e != nil {
			return -1, errors.Join(err, os.NewSyscallError("chroot", e))
		}
	}
	now, e := mountNamespace(st.self)
	if e == nil && now != was {
		e = errors.New("setns(CLONE_NEWNS): read back another mount namespace than the own")
	}
	return tree, errors.Join(err, e, closeFD(own))
}

// cloneRoot copies the root, which must be a file system in memory.
func cloneRoot() (int, error) {
	top, err := unix.Open("/", unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return -1, &os.PathError{Op: "open", Path: "/", Err: err}
	}
	var fs unix.Statfs_t
	if err := unix.Fstatfs(top, &fs); err != nil {
		return -1, errors.Join(os.NewSyscallError("fstatfs", err), closeFD(top))
	}
	if fs.Type != unix.TMPFS_MAGIC {
		return -1, errors.Join(errors.New("the root of the mount namespace is no tmpfs"), closeFD(top))
	}
	tree, err := cloneTree(top, false)
	return tree, errors.Join(err, closeFD(top))
}

// maxLines is how much of a file LayerLines copies.
const maxLines = 4 << 20

// addLines shows a file of the view with lines behind its own. A file that is missing, or
// none, stays as it is.
func (v *View) addLines(l *Layer) error {
	st := &l.state
	at, real, err := v.find(l.Path)
	if absent(err) {
		return nil
	}
	if err != nil {
		return err
	}
	st.real = real
	a, err := look(at)
	if err != nil {
		return err
	}
	if a.mode&unix.S_IFMT != unix.S_IFREG {
		return closeFD(at)
	}
	text, err := v.readFile(real, a)
	if err != nil {
		return err
	}
	if len(text) > 0 && text[len(text)-1] != '\n' {
		text = append(text, '\n')
	}
	text = append(text, l.Text...)
	if err := v.makeStage(); err != nil {
		return err
	}
	v.state.parked++
	name := "lines" + decimal(v.state.parked)
	if err := writeFile(v.state.stage, name, text, 0o444); err != nil {
		return err
	}
	fd, err := openStraight(v.state.stage, name, unix.O_PATH)
	if err != nil {
		return err
	}
	tree, err := v.cloneStaged(fd)
	if err == nil {
		err = v.setAttr(tree, ReadOnly, false)
	}
	if err == nil {
		err = attach(tree, at)
	}
	if err != nil {
		return err
	}
	if a, err = look(tree); err != nil {
		return err
	}
	st.id = a.mount
	return errors.Join(closeFD(fd), closeFD(tree), closeFD(at))
}

// readFile reads a file of the view, which must be the one that was looked at.
func (v *View) readFile(real string, was about) ([]byte, error) {
	fd, err := openStraight(v.state.root, real, unix.O_RDONLY|unix.O_NONBLOCK|unix.O_NOCTTY)
	if err != nil {
		return nil, err
	}
	a, err := look(fd)
	if err == nil && a != was {
		err = errors.New(real + " became another file while it was looked at")
	}
	var st unix.Stat_t
	if err == nil {
		err = os.NewSyscallError("fstat", unix.Fstat(fd, &st))
	}
	var text []byte
	buf := make([]byte, 64<<10)
	for err == nil {
		var n int
		n, err = unix.Read(fd, buf)
		switch {
		case err == unix.EINTR:
			err = nil
		case err != nil:
			err = &os.PathError{Op: "read", Path: real, Err: err}
		case n <= 0 && st.Blocks > 0 && int64(len(text)) < st.Size:
			err = errors.New(real + " ended before its end")
		case n <= 0:
			return text, closeFD(fd)
		default:
			if text = append(text, buf[:n]...); len(text) > maxLines {
				err = errors.New(real + " is larger than 4 MiB")
			}
		}
	}
	return nil, errors.Join(err, closeFD(fd))
}

// writeFile makes a file with a content, and shows that it has its size.
func writeFile(dir int, name string, data []byte, mode uint32) error {
	fd, err := unix.Openat(dir, name, unix.O_RDWR|unix.O_CREAT|unix.O_EXCL|unix.O_NOFOLLOW|unix.O_CLOEXEC, mode)
	if err != nil {
		return &os.PathError{Op: "openat", Path: name, Err: err}
	}
	for rest := data; len(rest) > 0 && err == nil; {
		var n int
		if n, err = unix.Write(fd, rest); err == unix.EINTR {
			err = nil
			continue
		}
		if err == nil && (n <= 0 || n > len(rest)) {
			err = unix.EIO
		}
		if err == nil {
			rest = rest[n:]
		}
	}
	if err == nil {
		var st unix.Stat_t
		if err = os.NewSyscallError("fstat", unix.Fstat(fd, &st)); err == nil && st.Size != int64(len(data)) {
			err = unix.EIO
		}
	}
	if err != nil {
		err = &os.PathError{Op: "write", Path: name, Err: err}
	}
	return errors.Join(err, closeFD(fd))
}

// makeLink makes a symbolic link in the view. One that is there is the host's, or of the
// root's owner, and stays.
func (v *View) makeLink(l *Layer) error {
	i := strings.LastIndexByte(l.Path, '/')
	parent, err := v.place(l.Path[:max(i, 1)])
	if err != nil {
		return err
	}
	dir, err := v.target(parent, true)
	if err != nil {
		return err
	}
	err = unix.Symlinkat(l.Text, dir, l.Path[i+1:])
	if err == unix.EEXIST {
		err = nil
	}
	if err != nil {
		return errors.Join(&os.PathError{Op: "symlinkat", Path: l.Path, Err: err}, closeFD(dir))
	}
	var buf [2]byte
	if _, err := unix.Readlinkat(dir, l.Path[i+1:], buf[:]); err != nil {
		return errors.Join(&os.PathError{Op: "readlinkat", Path: l.Path, Err: err}, closeFD(dir))
	}
	return closeFD(dir)
}

// mountBooted shows a directory as it is, with an empty "system" in it besides, which the
// host does not have. Where there is one, nothing is done.
func (v *View) mountBooted(l *Layer, at int) error {
	st := &l.state
	if fd, err := openStraight(at, "system", unix.O_PATH); err == nil {
		return errors.Join(closeFD(fd), closeFD(at))
	} else if !absent(err) {
		return err
	}
	names, err := namesIn(at)
	if err != nil {
		return err
	}
	data := []string{"mode=0755", "size=256k", "nr_inodes=1k"}
	tree, err := newFS("tmpfs", data, NoSUID|NoDev|NoExec)
	if err == nil {
		err = checkTmpfs(tree, data)
	}
	if err == nil {
		err = os.NewSyscallError("mkdirat", unix.Mkdirat(tree, "system", 0o555))
	}
	if err != nil {
		return err
	}
	type copied struct {
		name string
		tree int
	}
	var copies []copied
	for _, name := range names {
		fd, err := unix.Openat(at, name, unix.O_PATH|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
		if err == unix.ENOENT {
			continue // it is gone already
		}
		if err != nil {
			return &os.PathError{Op: "openat", Path: l.Path + "/" + name, Err: err}
		}
		a, err := look(fd)
		if err != nil {
			return err
		}
		switch a.mode & unix.S_IFMT {
		case unix.S_IFLNK:
			err = copyLink(fd, tree, name)
		case unix.S_IFDIR:
			err = makeDir(tree, name)
		default:
			err = makeFile(tree, name, 0o444)
		}
		if err == nil && a.mode&unix.S_IFMT != unix.S_IFLNK {
			var clone int
			clone, err = cloneTree(fd, true)
			copies = append(copies, copied{name, clone})
		}
		if err := errors.Join(err, closeFD(fd)); err != nil {
			return errors.New(l.Path + "/" + name + ": " + err.Error())
		}
	}
	if err := attach(tree, at); err != nil {
		return err
	}
	for _, c := range copies {
		on, err := openStraight(tree, c.name, unix.O_PATH)
		if err != nil {
			return err
		}
		if err := errors.Join(attach(c.tree, on), closeFD(on), closeFD(c.tree)); err != nil {
			return errors.New(l.Path + "/" + c.name + ": " + err.Error())
		}
	}
	a, err := look(tree)
	if err != nil {
		return err
	}
	st.id, st.tree = a.mount, tree
	return closeFD(at)
}

// copyLink makes the link that fd is under a name in another directory.
func copyLink(fd, dir int, name string) error {
	buf := make([]byte, unix.PathMax)
	n, err := unix.Readlinkat(fd, "", buf)
	if err == nil && (n <= 0 || n >= len(buf)) {
		err = unix.ENAMETOOLONG
	}
	if err != nil {
		return os.NewSyscallError("readlinkat", err)
	}
	return os.NewSyscallError("symlinkat", unix.Symlinkat(string(buf[:n]), dir, name))
}

// namesIn are the names in a directory.
func namesIn(at int) ([]string, error) {
	dir, err := openStraight(at, ".", unix.O_RDONLY|unix.O_DIRECTORY)
	if err != nil {
		return nil, err
	}
	var names []string
	buf := make([]byte, 8192)
	for {
		n, err := unix.ReadDirent(dir, buf)
		if err != nil {
			return nil, errors.Join(os.NewSyscallError("getdents64", err), closeFD(dir))
		}
		if n <= 0 {
			return names, closeFD(dir)
		}
		_, _, names = unix.ParseDirent(buf[:n], -1, names)
	}
}

const ramfsMagic = 0x858458f6

// makeSecrets makes the file system of secrets, tmpfs(5) without swap (Linux 6.4), else a
// ramfs, which is never swapped. In a user namespace there is neither.
func (v *View) makeSecrets(l *Layer) (int, error) {
	tree, err := newFS("tmpfs", append([]string{"noswap"}, l.Data...), l.Attr)
	if errors.Is(err, unix.EINVAL) || errors.Is(err, unix.EPERM) {
		tree, err = newFS("ramfs", []string{"mode=0755"}, l.Attr)
	}
	if v.UserNS && errors.Is(err, unix.EPERM) {
		tree, err = newFS("tmpfs", l.Data, l.Attr)
	}
	if err != nil {
		return -1, err
	}
	s := l.Secrets
	if err := unix.Mkdirat(tree, s.Name, 0o700); err != nil {
		return -1, &os.PathError{Op: "mkdirat", Path: s.Name, Err: err}
	}
	dir, err := openStraight(tree, s.Name, unix.O_RDONLY|unix.O_DIRECTORY)
	if err != nil {
		return -1, err
	}
	for _, f := range s.Files {
		if err := writeFile(dir, f.Name, f.Data, 0o400); err != nil {
			return -1, err
		}
		if err := unix.Fchownat(dir, f.Name, int(s.UID), -1, unix.AT_SYMLINK_NOFOLLOW); err != nil {
			return -1, &os.PathError{Op: "fchownat", Path: f.Name, Err: err}
		}
		if err := ownedBy(dir, f.Name, s.UID, unix.S_IFREG|0o400); err != nil {
			return -1, err
		}
	}
	if err = unix.Fchmod(dir, 0o500); err != nil {
		return -1, os.NewSyscallError("fchmod", err)
	}
	if err = unix.Fchown(dir, int(s.UID), -1); err != nil {
		return -1, os.NewSyscallError("fchown", err)
	}
	if err := errors.Join(ownedBy(tree, s.Name, s.UID, unix.S_IFDIR|0o500), closeFD(dir)); err != nil {
		return -1, err
	}
	return tree, v.setAttr(tree, ReadOnly, false)
}

// ownedBy shows that a file belongs to a user, and has a mode.
func ownedBy(dir int, name string, uid, mode uint32) error {
	st := unix.Stat_t{Uid: ^uid}
	if err := unix.Fstatat(dir, name, &st, unix.AT_SYMLINK_NOFOLLOW); err != nil {
		return &os.PathError{Op: "fstatat", Path: name, Err: err}
	}
	if st.Uid != uid || st.Mode != mode {
		return errors.New("fchownat: read back another owner or mode of " + name)
	}
	return nil
}

// checkSecrets shows that the files are on a mount that is read-only, and in memory that
// is not swapped.
func (v *View) checkSecrets(l *Layer) error {
	fd, err := openStraight(v.state.root, l.state.real, unix.O_PATH)
	if err != nil {
		return err
	}
	var fs unix.Statfs_t
	if err := errors.Join(os.NewSyscallError("fstatfs", unix.Fstatfs(fd, &fs)), closeFD(fd)); err != nil {
		return err
	}
	if fs.Flags&unix.ST_RDONLY == 0 {
		return errors.New("mount_setattr: read back a mount at " + l.Path + " that is not read-only")
	}
	if uint32(fs.Type) == ramfsMagic || v.UserNS {
		return nil
	}
	found := false
	err = eachMount(v.state.self, func(m *mountLine) error {
		found = found || m.id == l.state.id && m.superHas("noswap")
		return nil
	})
	if err == nil && !found {
		err = errors.New("fsconfig(noswap): read back a tmpfs at " + l.Path + " without it")
	}
	return err
}
