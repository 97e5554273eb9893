package ns

import (
	"errors"
	"os"
	"runtime"

	"golang.org/x/sys/unix"
)

// openedBy answers the descriptor that f opens on a thread of its own, and closes it after an
// error: a namespace that nobody wants would keep all that is in it.
func openedBy(f func() (int, error)) (fd int, err error) {
	err = onThread(func() error {
		var err error
		fd, err = f()
		return err
	})
	if err != nil && fd >= 0 {
		return -1, errors.Join(err, closeFD(fd))
	}
	return fd, err
}

// onThread calls f on a thread of its own, which ends with it: what f does to the
// namespaces of the thread, nobody else has.
func onThread(f func() error) error {
	done := make(chan error)
	go func() {
		runtime.LockOSThread()
		if unix.Gettid() == unix.Getpid() { // the first thread does not end, and stands for the process
			done <- onThread(f)
			runtime.UnlockOSThread()
			return
		}
		done <- f() // never unlocked: the runtime ends the thread
	}()
	return <-done
}

// openOwn opens a namespace of the calling thread. proc is a verified /proc.
func openOwn(proc int, k Kinds) (fd int, ino uint64, err error) {
	path := "thread-self/ns/" + k.Name()
	fd, err = unix.Openat(proc, path, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return -1, 0, &os.PathError{Op: "openat", Path: "/proc/" + path, Err: err}
	}
	if ino, err = namespaceOf(fd, k, "/proc/"+path); err != nil {
		return -1, 0, errors.Join(err, closeFD(fd))
	}
	return fd, ino, nil
}

// unshared unshares one namespace of the calling thread, and opens the new one.
func unshared(proc int, k Kinds) (int, error) {
	old, before, err := openOwn(proc, k)
	if err == nil {
		err = closeFD(old)
	}
	if err != nil {
		return -1, err
	}
	if _, _, e := unix.RawSyscall(unix.SYS_UNSHARE, uintptr(k), 0, 0); e != 0 {
		return -1, os.NewSyscallError("unshare("+k.flag()+")", e)
	}
	fd, now, err := openOwn(proc, k)
	if err != nil {
		return -1, err
	}
	if now == before {
		return -1, errors.Join(errors.New("unshare("+k.flag()+"): read back the same namespace as before"), closeFD(fd))
	}
	return fd, nil
}

// Shared makes a network or an IPC namespace that several processes are to join (Join), and
// answers a descriptor of it, which is closed by execve(2). The caller stays in its own. In
// a network namespace lo is up. proc is a verified /proc; CAP_SYS_ADMIN is needed.
func Shared(proc int, k Kinds) (fd int, err error) {
	return openedBy(func() (int, error) {
		fd, err := unshared(proc, k)
		if err == nil && k == NewNet {
			if err = (LoopbackUp{}).Apply(-1); err == nil {
				err = LoopbackUp{}.Verify()
			}
		}
		return fd, err
	})
}

// SharedTmp makes a file system in memory that several views are to show (Layer.From), and
// answers a descriptor of it, which is closed by execve(2): of a mount namespace of which it
// is the root. Before Linux 6.15 only what is mounted in a namespace can be copied. proc is a
// verified /proc; CAP_SYS_ADMIN and CAP_SYS_CHROOT are needed, and Linux 5.2.
func SharedTmp(proc int, data []string, attr Attr) (fd int, err error) {
	return openedBy(func() (int, error) {
		fd, err := unshared(proc, NewNS)
		if err == nil {
			err = rootInMemory(proc, fd, data, attr)
		}
		return fd, err
	})
}

// unsharedMounts shows that no mount of the thread's is shared with another namespace: what is
// mounted here would be mounted there, too.
func unsharedMounts(proc int) error {
	self, err := unix.Openat(proc, "thread-self", unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return &os.PathError{Op: "openat", Path: "/proc/thread-self", Err: err}
	}
	err = eachMount(self, func(m *mountLine) error {
		if m.shared || m.slave {
			return errors.New("mount(MS_PRIVATE): read back a mount that is not private")
		}
		return nil
	})
	return errors.Join(err, closeFD(self))
}

// rootInMemory makes a new file system in memory the root of the own mount namespace.
func rootInMemory(proc, own int, data []string, attr Attr) error {
	// From a chroot(2) this leads to the root of the namespace.
	if _, _, e := unix.RawSyscall(unix.SYS_SETNS, uintptr(own), unix.CLONE_NEWNS, 0); e != 0 {
		return os.NewSyscallError("setns(CLONE_NEWNS)", e)
	}
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return os.NewSyscallError("mount(MS_PRIVATE)", err)
	}
	if err := unsharedMounts(proc); err != nil {
		return err
	}
	tree, err := newFS("tmpfs", data, attr)
	if err == nil {
		err = checkTmpfs(tree, data)
	}
	if err != nil {
		return err
	}
	top, err := unix.Open("/", unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return &os.PathError{Op: "open", Path: "/", Err: err}
	}
	if err := errors.Join(attach(tree, top), closeFD(top)); err != nil {
		return err
	}
	if err := unix.Fchdir(tree); err != nil {
		return os.NewSyscallError("fchdir", err)
	}
	// A rootfs cannot be pivoted from: it is covered then, and who enters the namespace
	// comes to what covers it.
	if err := unix.PivotRoot(".", "."); err == nil {
		if err := unix.Unmount(".", unix.MNT_DETACH); err != nil {
			return os.NewSyscallError("umount2", err)
		}
	}
	if _, _, e := unix.RawSyscall(unix.SYS_SETNS, uintptr(own), unix.CLONE_NEWNS, 0); e != 0 {
		return os.NewSyscallError("setns(CLONE_NEWNS)", e)
	}
	want, err := look(tree)
	if err != nil {
		return err
	}
	if top, err = unix.Open("/", unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0); err != nil {
		return &os.PathError{Op: "open", Path: "/", Err: err}
	}
	got, err := look(top)
	if err == nil && got.mount != want.mount {
		err = errors.New("pivot_root: read back another root of the mount namespace")
	}
	return errors.Join(err, closeFD(top), closeFD(tree))
}
