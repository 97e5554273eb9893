//go:build !linux

package process

import (
	"errors"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// identity tells one file from all others.
type identity struct{ dev, ino uint64 }

func identify(st *unix.Stat_t) identity { return identity{uint64(st.Dev), uint64(st.Ino)} }

// Apply opens the directory, remembers which it is, and changes to it. What may
// be searched but not read is changed to by its path.
func (s *ChangeDir) Apply(int) error {
	var st unix.Stat_t
	fd, err := unix.Open(s.Path, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	switch {
	case err == unix.ENOENT && s.Tolerate:
		s.missing = true
		return nil
	case err == unix.EACCES:
		if err := unix.Stat(s.Path, &st); err != nil {
			return &os.PathError{Op: "stat", Path: s.Path, Err: err}
		}
		s.identity = identify(&st)
		if err := unix.Chdir(s.Path); err != nil {
			return &os.PathError{Op: "chdir", Path: s.Path, Err: err}
		}
		return nil
	case err != nil:
		return &os.PathError{Op: "open", Path: s.Path, Err: err}
	}
	if err = unix.Fstat(fd, &st); err == nil {
		s.identity = identify(&st)
		err = unix.Fchdir(fd)
	}
	if err := errors.Join(err, unix.Close(fd)); err != nil {
		return &os.PathError{Op: "fchdir", Path: s.Path, Err: err}
	}
	return nil
}

// Verify shows that the working directory is the one that was opened, and has a
// path: a directory of the host that a descriptor led to (fdescfs; CVE-2024-21626)
// has none inside of a new root.
func (s *ChangeDir) Verify() error {
	if s.missing {
		return nil
	}
	var st unix.Stat_t
	if err := unix.Stat(".", &st); err != nil {
		return &os.PathError{Op: "stat", Path: ".", Err: err}
	}
	if identify(&st) != s.identity {
		return errors.New("read back another directory")
	}
	path, err := unix.Getwd()
	if err == unix.EACCES { // a directory above it may not be read; that is no sign of another root
		return nil
	}
	if err != nil {
		return os.NewSyscallError("getcwd", err)
	}
	if !strings.HasPrefix(path, "/") {
		return errors.New("read back a working directory outside of the root")
	}
	return nil
}
