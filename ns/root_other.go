//go:build !linux

package ns

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// rootState is the directory that was opened, and which it is.
type rootState struct {
	dir      int
	dev, ino uint64
}

// Open opens the directory, before anything changes.
func (r *RootState) Open(int) error {
	fd, err := unix.Open(r.Dir, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return &os.PathError{Op: "open", Path: r.Dir, Err: err}
	}
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return os.NewSyscallError("fstat", errors.Join(err, unix.Close(fd)))
	}
	r.state = rootState{fd, uint64(st.Dev), uint64(st.Ino)}
	return nil
}

// Apply changes the root to the directory that was opened, and the working
// directory with it. The descriptor is closed first: a directory of outside would
// be a way back, and FreeBSD refuses a second chroot(2) while there is one.
func (s ChangeRoot) Apply(int) error {
	if s.Pivot {
		return errors.New("internal error: pivot_root(2) is Linux only")
	}
	if err := unix.Fchdir(s.Root.state.dir); err != nil {
		return os.NewSyscallError("fchdir", err)
	}
	if err := unix.Close(s.Root.state.dir); err != nil {
		return os.NewSyscallError("close", err)
	}
	if err := unix.Chroot("."); err != nil {
		return os.NewSyscallError("chroot", err)
	}
	return os.NewSyscallError("chdir", unix.Chdir("/"))
}

// Verify shows that the root is the directory that was opened, and that nothing
// is above it.
func (s ChangeRoot) Verify() error {
	for _, path := range [...]string{"/", "/.."} {
		var st unix.Stat_t
		if err := unix.Stat(path, &st); err != nil {
			return &os.PathError{Op: "stat", Path: path, Err: err}
		}
		if r := &s.Root.state; uint64(st.Dev) != r.dev || uint64(st.Ino) != r.ino {
			return errors.New("read back another directory at " + path)
		}
	}
	return nil
}
