package dirs

import (
	"errors"
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// Use is a share in something that several services may have at once, and that the last of them
// is to remove: a lock of a file below /run/hardrun/use, which is closed at execve(2), and ends with the
// process, however that ends.
type Use struct {
	fd         int
	path, name string
	root       Root
}

// mostUses is how often a file may be removed before its lock is had.
const mostUses = 1000

// Use takes a share in what the key names: a path, or any other text. It waits while the last one of
// others removes it, a minute at most, so that what is there afterwards stays.
func (r Root) Use(key string) (*Use, error) {
	u := &Use{fd: -1, name: strconv.FormatUint(hash(key), 16), root: r}
	u.path = "/run/hardrun/use/" + u.name
	for range mostUses {
		dir, err := r.uses()
		if err != nil {
			return nil, err
		}
		u.fd, err = realFD(unix.Openat(dir, u.name, unix.O_RDWR|unix.O_CREAT|unix.O_NOFOLLOW|unix.O_CLOEXEC|unix.O_NONBLOCK, 0o600))
		if err != nil {
			return nil, errors.Join(&os.PathError{Op: "open", Path: u.path, Err: err}, closed(dir))
		}
		var a, b unix.Stat_t
		err = os.NewSyscallError("fstat", unix.Fstat(u.fd, &a))
		if err == nil && (a.Mode&unix.S_IFMT != unix.S_IFREG || int(a.Uid) != unix.Geteuid() || a.Mode&0o077 != 0) {
			err = named(u.path, errors.New("is not root's own file"))
		}
		if err == nil {
			err = waitLock(u.fd, unix.LOCK_SH, u.path, "the end of another start")
		}
		// Who was last has removed the file, of which this may be what is left.
		gone := err == nil && unix.Fstatat(dir, u.name, &b, unix.AT_SYMLINK_NOFOLLOW) != nil || identOf(&a) != identOf(&b)
		err = errors.Join(err, closed(dir))
		if err == nil && !gone {
			if err = u.aside(); err == nil {
				return u, nil
			}
		}
		if err = errors.Join(err, closed(u.fd)); err != nil {
			return nil, err
		}
	}
	return nil, named(u.path, errors.New("is made and removed all the time"))
}

// aside moves the descriptor out of the way of those that are passed to the daemon, which are 3
// and on, as far as the limit lets it.
func (u *Use) aside() error {
	for least := 512; least > 3; least /= 2 {
		fd, err := unix.FcntlInt(uintptr(u.fd), unix.F_DUPFD_CLOEXEC, least)
		if err == unix.EINVAL || err == unix.EMFILE {
			continue
		}
		if err != nil {
			return os.NewSyscallError("fcntl(F_DUPFD_CLOEXEC)", err)
		}
		err = closed(u.fd)
		u.fd = fd
		return err
	}
	return nil
}

// uses opens the directory of the locks.
func (r Root) uses() (int, error) {
	run, err := r.Reserve()
	if err != nil {
		return -1, err
	}
	m := Made{root: r}
	fd, _, err := m.one(run, "/run/hardrun", "use", unix.O_RDONLY)
	if err == nil {
		err = chmod(fd, 0o700, "/run/hardrun/use") // whatever the umask is
	}
	if err := errors.Join(err, closed(run)); err != nil {
		if fd >= 0 {
			err = errors.Join(err, closed(fd))
		}
		return -1, err
	}
	return fd, nil
}

// Last gives the share up, and tells whether nobody else has one. If so, nobody gets one until
// Release, and what was shared can be removed.
func (u *Use) Last() (bool, error) {
	// The old lock ends first, flock(2): of two that do this at once one is the last.
	switch err := unix.Flock(u.fd, unix.LOCK_EX|unix.LOCK_NB); err {
	case nil:
		return true, nil
	case unix.EWOULDBLOCK:
		return false, nil
	default:
		return false, &os.PathError{Op: "flock", Path: u.path, Err: err}
	}
}

// Release ends it. last is what Last said.
func (u *Use) Release(last bool) error {
	var err error
	if last {
		var dir int
		if dir, err = u.root.uses(); err == nil {
			if err = unix.Unlinkat(dir, u.name, 0); err != nil {
				err = &os.PathError{Op: "unlink", Path: u.path, Err: err}
			}
			err = errors.Join(err, closed(dir))
		}
	}
	return errors.Join(err, closed(u.fd))
}
