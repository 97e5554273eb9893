package ns

import (
	"errors"
	"os"
	"slices"
	"strings"

	"github.com/hardrun/hardrun/row"
	"golang.org/x/sys/unix"
)

// fileID tells a file from others, whatever mount or name leads to it.
type fileID struct {
	major, minor uint32
	ino          uint64
}

// opened is a file opened as a place only.
type opened struct {
	fd   int
	id   fileID
	mode uint32
	uid  uint32
	gid  uint32
	rdev uint64
}

func (o *opened) close() error { return os.NewSyscallError("close", unix.Close(o.fd)) }

// openReal opens a path without links. A link that it has become since is opened
// itself where it is the last part, and an error elsewhere.
func openReal(path string) (*opened, error) {
	fd, err := openat2(unix.AT_FDCWD, path, unix.O_PATH|unix.O_NOFOLLOW, unix.RESOLVE_NO_SYMLINKS)
	if err != nil {
		return nil, err
	}
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return nil, errors.Join(os.NewSyscallError("fstat", err), os.NewSyscallError("close", unix.Close(fd)))
	}
	dev := uint64(st.Dev)
	id := fileID{unix.Major(dev), unix.Minor(dev), st.Ino}
	return &opened{fd: fd, id: id, mode: st.Mode, uid: st.Uid, gid: st.Gid, rdev: uint64(st.Rdev)}, nil
}

func (o *opened) dir() bool { return o.mode&unix.S_IFMT == unix.S_IFDIR }

// outOfReach are the errors of something that was listed and cannot be opened: the
// daemon gets no right to it.
func outOfReach(err error) bool {
	for _, e := range []unix.Errno{unix.ENOENT, unix.ENOTDIR, unix.EACCES, unix.ELOOP, unix.ESTALE, unix.ENOTCONN, unix.EIO} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

// listAll names what is in a directory, in the order of the alphabet.
func listAll(dir string) ([]string, error) {
	fd, err := openat2(unix.AT_FDCWD, dir, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW, unix.RESOLVE_NO_SYMLINKS)
	if err != nil {
		return nil, err
	}
	var names []string
	buf := make([]byte, 32<<10)
	for {
		n, err := unix.Getdents(fd, buf)
		if err != nil {
			return nil, errors.Join(&os.PathError{Op: "getdents64", Path: dir, Err: err}, os.NewSyscallError("close", unix.Close(fd)))
		}
		if n <= 0 {
			break
		}
		_, _, names = unix.ParseDirent(buf[:n], -1, names)
	}
	slices.Sort(names)
	return names, os.NewSyscallError("close", unix.Close(fd))
}

// someNames are the first names of a directory, in the order of the alphabet; none
// where it cannot be read.
func someNames(dir string) []string {
	fd, err := openat2(unix.AT_FDCWD, dir, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW, unix.RESOLVE_NO_SYMLINKS)
	if err != nil {
		return nil
	}
	var names []string
	buf := make([]byte, 8<<10)
	if n, err := unix.Getdents(fd, buf); err == nil && n > 0 {
		_, _, names = unix.ParseDirent(buf[:n], -1, names)
	}
	if unix.Close(fd) != nil {
		return nil
	}
	slices.Sort(names)
	return names
}

// realPathOf is a path without links, for one of the present root. Links are
// followed by hand, name by name; that the kernel comes to the same file, and by no
// magic link (/proc/PID/root), is looked at in the end.
func realPathOf(path string) (string, error) {
	want, err := openat2(unix.AT_FDCWD, path, unix.O_PATH, 0)
	if err != nil {
		return "", err
	}
	target, err := row.Identify(want)
	if err := errors.Join(err, os.NewSyscallError("close", unix.Close(want))); err != nil {
		return "", err
	}
	real, links := "/", 0
	todo := strings.Split(path, "/")
	for len(todo) > 0 {
		part := todo[0]
		todo = todo[1:]
		switch part {
		case "", ".":
			continue
		case "..":
			real = parent(real)
			continue
		}
		f, err := openReal(join(real, part))
		if err != nil {
			return "", err
		}
		if f.mode&unix.S_IFMT != unix.S_IFLNK {
			real = join(real, part)
			if err := f.close(); err != nil {
				return "", err
			}
			continue
		}
		buf := make([]byte, unix.PathMax)
		n, err := unix.Readlinkat(f.fd, "", buf)
		if err := errors.Join(err, f.close()); err != nil {
			return "", &os.PathError{Op: "readlinkat", Path: join(real, part), Err: err}
		}
		if links++; links > 40 {
			return "", &os.PathError{Op: "readlinkat", Path: path, Err: unix.ELOOP}
		}
		text := string(buf[:n])
		if strings.HasPrefix(text, "/") {
			real = "/"
		}
		todo = append(strings.Split(text, "/"), todo...)
	}
	f, err := openReal(real)
	if err != nil {
		return "", err
	}
	is, err := row.Identify(f.fd)
	if err := errors.Join(err, f.close()); err != nil {
		return "", err
	}
	if !is.Equal(target) {
		return "", errors.New(path + " became another file while it was looked up")
	}
	return real, nil
}
