//go:build freebsd || netbsd || openbsd

package launcher

import (
	"errors"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// identity tells one file from all others.
type identity struct{ dev, ino uint64 }

// view is a root directory to look things up in, as the daemon will see it. No
// call of these systems resolves a path inside of a directory as if it were the
// root, so links are followed here, by hand. It is a look ahead: what decides is
// the lookup after chroot(2).
type view struct {
	root string // empty for the present root, else without a slash at its end
}

// host is the present root.
var host = view{}

// enter is the view from inside of a directory of the host.
func enter(dir string) (view, error) {
	v := view{strings.TrimRight(dir, "/")}
	if v == host {
		return v, nil
	}
	return v, host.directory(dir)
}

// leave has nothing to close.
func (v view) leave() error { return nil }

// maxLinks is MAXSYMLINKS of sys/param.h.
const maxLinks = 32

// resolve is the path of the host that stands for a path of the view. Neither a
// link nor ".." leads above the root.
func (v view) resolve(path string) (string, error) {
	if v == host {
		return path, nil
	}
	at, rest := "", path // at is below the root, and without links
	for links := 0; rest != ""; {
		part, more, _ := strings.Cut(rest, "/")
		rest = more
		switch part {
		case "", ".":
			continue
		case "..":
			at = at[:max(0, strings.LastIndexByte(at, '/'))]
			continue
		}
		target, err := os.Readlink(v.root + at + "/" + part)
		if errors.Is(err, unix.EINVAL) { // no link
			at += "/" + part
			continue
		}
		if err == nil && target == "" {
			err = unix.ENOENT
		}
		if links++; links > maxLinks {
			err = unix.ELOOP
		}
		if err != nil {
			return "", &os.PathError{Op: "open", Path: path, Err: errno(err)}
		}
		if target[0] == '/' {
			at = ""
		}
		rest = target + "/" + rest
	}
	if at == "" {
		return v.root + "/", nil
	}
	return v.root + at, nil
}

func errno(err error) error {
	var e unix.Errno
	if errors.As(err, &e) {
		return e
	}
	return err
}

func (v view) stat(path string) (unix.Stat_t, string, error) {
	var st unix.Stat_t
	real, err := v.resolve(path)
	if err != nil {
		return st, "", err
	}
	if err := unix.Stat(real, &st); err != nil {
		return st, "", &os.PathError{Op: "open", Path: path, Err: err}
	}
	return st, real, nil
}

// open opens a path as it is inside of the root.
func (v view) open(path string, flags int) (int, error) {
	_, real, err := v.stat(path)
	if err != nil {
		return -1, err
	}
	fd, err := unix.Open(real, flags|unix.O_CLOEXEC|unix.O_NONBLOCK|unix.O_NOCTTY, 0)
	if err != nil {
		return -1, &os.PathError{Op: "open", Path: path, Err: err}
	}
	return fd, nil
}

// directory tells whether the path is a directory.
func (v view) directory(path string) error {
	st, _, err := v.stat(path)
	if err == nil && st.Mode&unix.S_IFMT != unix.S_IFDIR {
		err = &os.PathError{Op: "open", Path: path, Err: unix.ENOTDIR}
	}
	return err
}

// examine is the mode of a file, and whether nothing can be executed where it is.
func (v view) examine(path string) (mode uint32, noexec bool, err error) {
	st, real, err := v.stat(path)
	if err != nil {
		return 0, false, err
	}
	if noexec, err = mountedNoexec(real); err != nil {
		return 0, false, &os.PathError{Op: "statfs", Path: path, Err: err}
	}
	return uint32(st.Mode), noexec, nil
}

// Apply looks the command up inside of the new root, and remembers which file
// it is.
func (s *openCommand) Apply(int) error {
	var st unix.Stat_t
	if err := unix.Stat(s.at, &st); err != nil {
		return &os.PathError{Op: "stat", Path: s.at, Err: err}
	}
	if st.Mode&unix.S_IFMT != unix.S_IFREG {
		return errors.New("not a regular file")
	}
	s.identity = identity{uint64(st.Dev), uint64(st.Ino)}
	return nil
}

// Verify is same, at the end.
func (s *openCommand) Verify() error { return nil }

// same shows that a path is still the file that was looked up.
func (s *openCommand) same(path string) error {
	var st unix.Stat_t
	if err := unix.Stat(path, &st); err != nil {
		return &os.PathError{Op: "stat", Path: path, Err: err}
	}
	if s.identity != (identity{uint64(st.Dev), uint64(st.Ino)}) {
		return errors.New("read back another file than the one that was looked up")
	}
	return nil
}
