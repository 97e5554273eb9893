package ns

import (
	"errors"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// openStraight opens a path without links inside of a root; a link anywhere in it is an
// error, be it that somebody put it there just now.
func openStraight(root int, path string, flags uint64) (int, error) {
	return openat2(root, path, flags, unix.RESOLVE_IN_ROOT|unix.RESOLVE_NO_SYMLINKS)
}

// findIn opens a path of a root, and answers where its links lead. Links are followed
// inside of the root, and only those which nobody but root, who runs this, or the
// owner of the root directory could have put there: what the daemon's user left in a
// directory of its own must not decide about other files (CVE-2018-6954 is the like).
func (v *View) findIn(root int, path string) (fd int, real string, err error) {
	fd, err = openStraight(root, path, unix.O_PATH)
	if !errors.Is(err, unix.ELOOP) {
		return fd, path, err
	}
	if real, err = v.walk(root, path); err != nil {
		return -1, "", err
	}
	fd, err = openStraight(root, real, unix.O_PATH)
	return fd, real, err
}

// find is findIn of the daemon's root.
func (v *View) find(path string) (fd int, real string, err error) {
	return v.findIn(v.state.root, path)
}

// step is a directory on the way.
type step struct {
	fd   int
	name string
	stat unix.Stat_t
}

// walk follows the links of a path, name by name.
func (v *View) walk(root int, path string) (real string, err error) {
	top := step{fd: root}
	if err := unix.Fstat(root, &top.stat); err != nil {
		return "", os.NewSyscallError("fstat", err)
	}
	way := []step{top}
	leave := func(n int) {
		for _, s := range way[n:] {
			err = errors.Join(err, closeFD(s.fd))
		}
		way = way[:n]
	}
	defer func() { leave(1) }()
	trusted := func(uid uint32) bool {
		return v.Private || uid == 0 || uid == uint32(unix.Geteuid()) || uid == top.stat.Uid
	}
	todo := strings.Split(path, "/")
	for links := 0; len(todo) > 0; {
		name := todo[0]
		todo = todo[1:]
		switch name {
		case "", ".":
			continue
		case "..":
			leave(max(len(way)-1, 1))
			continue
		}
		dir := &way[len(way)-1]
		next := step{name: name}
		next.fd, err = unix.Openat(dir.fd, name, unix.O_PATH|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
		if err != nil {
			return "", &os.PathError{Op: "openat", Path: path, Err: err}
		}
		if err := unix.Fstat(next.fd, &next.stat); err != nil {
			return "", errors.Join(os.NewSyscallError("fstat", err), closeFD(next.fd))
		}
		if next.stat.Mode&unix.S_IFMT != unix.S_IFLNK {
			way = append(way, next)
			continue
		}
		writable := dir.stat.Mode&0o022 != 0 && dir.stat.Mode&unix.S_ISVTX == 0
		if !trusted(next.stat.Uid) || !trusted(dir.stat.Uid) || writable && !v.Private {
			owner := next.stat.Uid
			if trusted(owner) {
				owner = dir.stat.Uid
			}
			why := "uid " + strconv.FormatUint(uint64(owner), 10)
			if trusted(owner) {
				why = "others than root"
			}
			return "", errors.Join(errors.New(path+": the link "+name+" could be led elsewhere by "+why+", and is not followed"), closeFD(next.fd))
		}
		// A magic link (/proc/PID/root) is not what it reads: the kernel knows which it is.
		probe, err := unix.Openat2(dir.fd, name, &unix.OpenHow{Flags: unix.O_PATH | unix.O_CLOEXEC, Resolve: unix.RESOLVE_NO_MAGICLINKS})
		if err == nil {
			err = closeFD(probe)
		} else if err != unix.ELOOP {
			err = nil // where it leads is seen below
		}
		if err != nil {
			return "", errors.Join(&os.PathError{Op: "openat2", Path: path, Err: err}, closeFD(next.fd))
		}
		buf := make([]byte, unix.PathMax)
		n, err := unix.Readlinkat(next.fd, "", buf)
		if err == nil && (n <= 0 || n >= len(buf)) {
			err = unix.ENAMETOOLONG
		}
		if err := errors.Join(err, closeFD(next.fd)); err != nil {
			return "", &os.PathError{Op: "readlinkat", Path: path, Err: err}
		}
		if links++; links > 40 { // MAXSYMLINKS of the kernel
			return "", &os.PathError{Op: "readlinkat", Path: path, Err: unix.ELOOP}
		}
		text := string(buf[:n])
		if text[0] == '/' {
			leave(1)
		}
		todo = append(strings.Split(text, "/"), todo...)
	}
	for _, s := range way[1:] {
		real += "/" + s.name
	}
	if real == "" {
		real = "/"
	}
	return real, err
}
