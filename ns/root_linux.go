package ns

import (
	"errors"
	"os"

	"github.com/hardrun/hardrun/row"
	"golang.org/x/sys/unix"
)

type rootState struct {
	dir      int           // the directory, opened before anything changed
	identity *row.Identity // of the root that must be there in the end
	mounts   string        // the mount namespace at the start, "mnt:[4026531841]"
	tree     int           // the bound tree
	fallback error         // why chroot(2) has to do
}

// Open opens the directory, while the view is still the host's. Magic links are
// not followed: what is behind /proc/PID/root is not a directory of the host.
func (r *RootState) Open(self int) error {
	r.state.tree = -1
	fd, err := unix.Openat2(unix.AT_FDCWD, r.Dir, &unix.OpenHow{
		Flags:   unix.O_PATH | unix.O_DIRECTORY | unix.O_CLOEXEC,
		Resolve: unix.RESOLVE_NO_MAGICLINKS,
	})
	if err == unix.ENOSYS { // Linux before 5.6
		fd, err = unix.Open(r.Dir, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	}
	if err != nil {
		return &os.PathError{Op: "open", Path: r.Dir, Err: err}
	}
	r.state.dir = fd
	if r.state.identity, err = row.Identify(fd); err != nil {
		return err
	}
	if self >= 0 {
		r.state.mounts, err = mountNamespace(self)
	}
	return err
}

// Dirfd is the descriptor of the new root, for looking things up inside it.
func (r *RootState) Dirfd() int { return r.state.dir }

// Fallback is why chroot(2) was used in place of pivot_root(2), or nil.
func (r *RootState) Fallback() error { return r.state.fallback }

// mountNamespace is the name of the own mount namespace, "mnt:[4026531841]". self
// is the own directory of a verified /proc.
func mountNamespace(self int) (string, error) {
	var buf [64]byte
	n, err := unix.Readlinkat(self, "ns/mnt", buf[:])
	if err == nil && n <= 0 {
		err = unix.EIO
	}
	if err != nil {
		return "", &os.PathError{Op: "readlinkat", Path: "/proc/self/ns/mnt", Err: err}
	}
	return string(buf[:n]), nil
}

// giveUp notes why the mounts cannot be had, when the reason is one of the
// environment: then chroot(2) keeps the same promise.
func (r *RootState) giveUp(call string, err error) error {
	err = os.NewSyscallError(call, err)
	switch {
	case errors.Is(err, unix.EPERM), errors.Is(err, unix.EACCES), errors.Is(err, unix.ENOSYS), errors.Is(err, unix.ENOSPC), errors.Is(err, unix.EINVAL):
		r.state.fallback = err
		return nil
	}
	return err
}

// Apply unshares, and shows at once that it was done: what follows would
// change the host's mounts otherwise.
func (s UnshareMounts) Apply(self int) error {
	if s.Root.state.mounts == "" {
		return s.Root.giveUp("readlinkat(/proc/self/ns/mnt)", unix.ENOSYS)
	}
	if _, _, e := unix.RawSyscall(unix.SYS_UNSHARE, unix.CLONE_NEWNS, 0, 0); e != 0 {
		return s.Root.giveUp("unshare", e)
	}
	now, err := mountNamespace(self)
	if err != nil {
		return err
	}
	if now == s.Root.state.mounts {
		return errors.New("unshare: read back the same mount namespace as before")
	}
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_SLAVE, ""); err != nil {
		return s.Root.giveUp("mount(MS_SLAVE)", err)
	}
	return noneShared(self)
}

// noneShared shows that no mount is shared with another namespace any more:
// what is mounted from here on would arrive there as well.
func noneShared(self int) error {
	return eachMount(self, func(m *mountLine) error {
		if m.shared {
			return errors.New("mount(MS_SLAVE): read back a mount that is still shared with the host")
		}
		return nil
	})
}

// Verify was done by Apply, before anything was mounted.
func (s UnshareMounts) Verify() error { return nil }

// Apply clones the tree, and attaches it over itself.
func (s BindRoot) Apply(int) error {
	r := &s.Root.state
	if r.fallback != nil {
		return nil
	}
	// The directory was opened in the namespace of the host, whose mounts cannot be
	// cloned here: its twin is looked up by its path, and Verify shows that it is
	// the same directory.
	tree, err := unix.OpenTree(unix.AT_FDCWD, s.Root.Dir, unix.OPEN_TREE_CLONE|unix.OPEN_TREE_CLOEXEC|unix.AT_RECURSIVE)
	if err != nil {
		return s.Root.giveUp("open_tree", err)
	}
	if err := unix.MoveMount(tree, "", unix.AT_FDCWD, s.Root.Dir, unix.MOVE_MOUNT_F_EMPTY_PATH|unix.MOVE_MOUNT_T_SYMLINKS); err != nil {
		return s.Root.giveUp("move_mount", err)
	}
	r.tree = tree
	return nil
}

// Verify shows that the tree is the directory that was opened.
func (s BindRoot) Verify() error {
	r := &s.Root.state
	if r.fallback != nil {
		return nil
	}
	got, err := row.Identify(r.tree)
	if err != nil {
		return err
	}
	if got.Ino != r.identity.Ino || got.Major != r.identity.Major || got.Minor != r.identity.Minor {
		return errors.New("open_tree: read back another directory than " + s.Root.Dir)
	}
	if got.Mount != 0 && got.Mount == r.identity.Mount {
		return errors.New("open_tree: read back the mount of the host")
	}
	r.identity = got
	return nil
}

// Apply changes the root, and the working directory with it.
func (s ChangeRoot) Apply(int) error {
	r := &s.Root.state
	if s.Pivot && r.fallback == nil {
		if err := unix.Fchdir(r.tree); err != nil {
			return os.NewSyscallError("fchdir", err)
		}
		err := unix.PivotRoot(".", ".")
		if err == nil {
			if err := unix.Unmount(".", unix.MNT_DETACH); err != nil {
				return os.NewSyscallError("umount2", err)
			}
			return os.NewSyscallError("chdir", unix.Chdir("/"))
		}
		// On a root that cannot be pivoted from (rootfs) the tree is there, in a
		// namespace that was shown to be the own one: chroot(2) into it does.
		if err := s.Root.giveUp("pivot_root", err); err != nil {
			return err
		}
	}
	at := r.dir
	if r.tree >= 0 {
		at = r.tree
	}
	if err := unix.Fchdir(at); err != nil {
		return os.NewSyscallError("fchdir", err)
	}
	if err := unix.Chroot("."); err != nil {
		return os.NewSyscallError("chroot", err)
	}
	return os.NewSyscallError("chdir", unix.Chdir("/"))
}

// Verify shows that the root and the working directory are the directory that
// was opened, by the mount that was made for it.
func (s ChangeRoot) Verify() error {
	for _, path := range []string{"/", ".", "/.."} {
		fd, err := unix.Open(path, unix.O_PATH|unix.O_CLOEXEC|unix.O_DIRECTORY, 0)
		if err != nil {
			return &os.PathError{Op: "open", Path: path, Err: err}
		}
		got, err := row.Identify(fd)
		if err != nil {
			return err
		}
		if err := unix.Close(fd); err != nil {
			return os.NewSyscallError("close", err)
		}
		if !got.Equal(s.Root.state.identity) {
			return errors.New("read back another directory at " + path)
		}
	}
	return nil
}

// Check adds the read-back of the root.
func (s ChangeRoot) Check(p *row.Program) { s.Root.state.identity.Check(p, "/") }
