package dirs

import (
	"errors"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// place is where a path leads to: a directory, and a name in it that need not be there.
type place struct {
	dir  int // O_PATH
	name string
	// straight says that the text of the path leads there, too, as nobody but root and who
	// runs this can change a directory on the way. What is in dir itself is another matter.
	straight bool
	foreign  bool // others can change dir
	owner    int  // of dir, where it alone can; -1: many
	made     []string
}

func (p *place) close() error { return os.NewSyscallError("close", unix.Close(p.dir)) }

// trusted tells whether the user may decide about where links lead.
func trusted(uid uint32) bool { return uid == 0 || uid == uint32(unix.Geteuid()) }

// open opens the name.
func (p *place) open(flags int) (int, error) {
	fd, err := unix.Openat(p.dir, p.name, flags|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	for err == unix.EINTR {
		fd, err = unix.Openat(p.dir, p.name, flags|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	}
	if err == nil && fd <= 2 { // most likely one that was open all along
		var is unix.Stat_t
		named, lost := p.stat()
		if errors.Join(lost, unix.Fstat(fd, &is)) != nil || is.Dev != named.Dev || is.Ino != named.Ino {
			fd, err = -1, unix.EIO
		}
	}
	return fd, os.NewSyscallError("open", err)
}

// stat is lstat(2) of the name.
func (p *place) stat() (st unix.Stat_t, err error) {
	err = os.NewSyscallError("stat", unix.Fstatat(p.dir, p.name, &st, unix.AT_SYMLINK_NOFOLLOW))
	return st, err
}

// names are the names of a path, without empty ones and ".".
func names(path string) (out []string) {
	for name := range strings.SplitSeq(path, "/") {
		if name != "" && name != "." {
			out = append(out, name)
		}
	}
	return out
}

// find walks along an absolute path, name by name. Links are followed only where nobody but
// root and who runs this could have put them there: what the daemon's user left in a
// directory of its own must not decide about other files. With follow, the last name is one
// more of them. Missing directories are made with a mode that is not negative, less the
// umask.
func find(path string, mode int, follow bool) (*place, error) {
	p := &place{straight: true}
	var err error
	if p.dir, err = unix.Open("/", unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0); err != nil {
		return nil, &os.PathError{Op: "open", Path: "/", Err: err}
	}
	links, real := 0, ""
	for todo := names(path); ; {
		last, err := p.step(path, &todo, &real, &links, mode, follow)
		if err != nil {
			return nil, errors.Join(err, p.close(), removeDirs(p.made))
		}
		if last {
			return p, nil
		}
	}
}

// step goes on by one name. real is the path of the directory, without links.
func (p *place) step(path string, todo *[]string, real *string, links *int, mode int, follow bool) (last bool, err error) {
	if len(*todo) == 0 {
		return false, &os.PathError{Op: "open", Path: path, Err: unix.EISDIR}
	}
	p.name, *todo = (*todo)[0], (*todo)[1:]
	last = len(*todo) == 0
	var dir, st unix.Stat_t
	if err := unix.Fstat(p.dir, &dir); err != nil {
		return false, os.NewSyscallError("fstat", err)
	}
	shared := dir.Mode&0o022 != 0
	p.foreign, p.owner = shared || !trusted(dir.Uid), int(dir.Uid)
	if shared {
		p.owner = -1
	}
	if last && !follow {
		return true, nil
	}
	next, err := p.open(unix.O_PATH)
	if errors.Is(err, unix.ENOENT) && last {
		return true, nil
	}
	if errors.Is(err, unix.ENOENT) && mode >= 0 {
		made := *real + "/" + p.name
		switch err := unix.Mkdirat(p.dir, p.name, uint32(mode)); err {
		case nil:
			p.made = append(p.made, made)
		case unix.EEXIST:
		default:
			return false, &os.PathError{Op: "mkdir", Path: made, Err: err}
		}
		next, err = p.open(unix.O_PATH)
	}
	if err != nil {
		return false, &os.PathError{Op: "open", Path: path, Err: errors.Unwrap(err)}
	}
	defer func() {
		if next >= 0 {
			err = errors.Join(err, os.NewSyscallError("close", unix.Close(next)))
		}
	}()
	if err := unix.Fstat(next, &st); err != nil {
		return false, os.NewSyscallError("fstat", err)
	}
	// A sticky directory lets only the owner of a name change it.
	firm := trusted(dir.Uid) && (!shared || dir.Mode&unix.S_ISVTX != 0 && trusted(st.Uid))
	switch {
	case st.Mode&unix.S_IFMT == unix.S_IFLNK:
		if !firm || !trusted(st.Uid) {
			return false, errors.New(path + ": others than root could lead the link " + p.name + " elsewhere: it is not followed")
		}
		if *links++; *links > 40 { // MAXSYMLINKS of the kernel
			return false, &os.PathError{Op: "open", Path: path, Err: unix.ELOOP}
		}
		text, err := p.readLink(next)
		if err != nil {
			return false, &os.PathError{Op: "readlink", Path: path, Err: err}
		}
		*todo = append(names(text), *todo...)
		if text[0] == '/' {
			root, err := unix.Open("/", unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
			if err != nil {
				return false, &os.PathError{Op: "open", Path: "/", Err: err}
			}
			p.dir, next, *real = root, p.dir, ""
		}
		return false, nil
	case last:
		return true, nil
	case st.Mode&unix.S_IFMT != unix.S_IFDIR:
		return false, &os.PathError{Op: "open", Path: path, Err: unix.ENOTDIR}
	case p.name == "..":
		*real = (*real)[:max(strings.LastIndexByte(*real, '/'), 0)]
	default:
		*real += "/" + p.name
	}
	p.straight = p.straight && firm
	p.dir, next = next, p.dir
	return false, nil
}

// readLink is where a link leads. A magic link of /proc is not what it reads, and refused.
func (p *place) readLink(fd int) (string, error) {
	probe, err := unix.Openat2(p.dir, p.name, &unix.OpenHow{Flags: unix.O_PATH | unix.O_CLOEXEC, Resolve: unix.RESOLVE_NO_MAGICLINKS})
	if err == nil {
		err = unix.Close(probe)
	}
	if err == unix.ELOOP {
		return "", err
	}
	buf := make([]byte, unix.PathMax)
	n, err := unix.Readlinkat(fd, "", buf)
	if err == nil && (n <= 0 || n >= len(buf)) {
		err = unix.ENAMETOOLONG
	}
	if err != nil {
		return "", err
	}
	return string(buf[:n]), nil
}

// removeDirs removes directories that were made and are empty, the last first.
func removeDirs(made []string) (err error) {
	for i := len(made) - 1; i >= 0; i-- {
		p, e := find(made[i], -1, false)
		if e == nil {
			e = unix.Unlinkat(p.dir, p.name, unix.AT_REMOVEDIR)
			if e != nil {
				e = &os.PathError{Op: "rmdir", Path: made[i], Err: e}
			}
			e = errors.Join(e, p.close())
		}
		err = errors.Join(err, e)
	}
	return err
}

// openTrusted opens a file by a path whose links are trusted, without waiting for anything.
// A file of another owner that has more names is refused in a directory that its own owner,
// or many, can change: who could not open it may have linked it there.
func openTrusted(path string, flags int) (fd int, p *place, err error) {
	if p, err = find(path, -1, true); err != nil {
		return -1, nil, err
	}
	fd, err = p.openNode(path, flags)
	if err != nil {
		return -1, nil, errors.Join(err, p.close())
	}
	return fd, p, nil
}

// openNode opens what has the name. A socket, which cannot be opened, is opened by O_PATH.
func (p *place) openNode(path string, flags int) (int, error) {
	fd, err := p.open(flags | unix.O_NONBLOCK | unix.O_NOCTTY)
	if errors.Is(err, unix.ENXIO) {
		fd, err = p.open(unix.O_PATH)
	}
	if err != nil {
		return -1, &os.PathError{Op: "open", Path: path, Err: errors.Unwrap(err)}
	}
	var st unix.Stat_t
	switch err = unix.Fstat(fd, &st); {
	case err != nil:
		err = os.NewSyscallError("fstat", err)
	case p.foreign && st.Mode&unix.S_IFMT == unix.S_IFREG && st.Nlink > 1 && int(st.Uid) != p.owner:
		err = errors.New(path + ": the file of uid " + strconv.FormatUint(uint64(st.Uid), 10) + " has more names, and others could have put this one there")
	}
	if err != nil {
		return -1, errors.Join(err, unix.Close(fd))
	}
	return fd, nil
}

// bindAddress is a path for bind(2), which follows no link at its end: the one that was
// written where nobody can lead it elsewhere, as getsockname(2) shows it.
func (p *place) bindAddress(path string) string {
	if p.straight {
		return path
	}
	return "/proc/self/fd/" + strconv.Itoa(p.dir) + "/" + p.name
}

// connectAddress is a path for connect(2) to the socket that was opened by O_PATH.
func (p *place) connectAddress(path string, fd int) string {
	if p.straight && !p.foreign && len(path) <= maxPath {
		return path
	}
	return "/proc/self/fd/" + strconv.Itoa(fd)
}

func kindOf(mode uint32) string {
	switch mode & unix.S_IFMT {
	case unix.S_IFREG:
		return "a regular file"
	case unix.S_IFDIR:
		return "a directory"
	case unix.S_IFLNK:
		return "a symbolic link"
	case unix.S_IFIFO:
		return "a FIFO"
	case unix.S_IFSOCK:
		return "a socket"
	}
	return "a device"
}

// fileID tells one file from all others: its device and inode.
func fileID(st *unix.Stat_t) [2]uint64 { return [2]uint64{uint64(st.Dev), st.Ino} }
