package dirs

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"
)

// inOwnIPC runs a function on a thread with IPC objects and a /dev of its own, in which there
// are the places of files of IPC, and message queues where they are mounted.
func inOwnIPC(t *testing.T, mounted bool, f func() error, calls ...call) error {
	t.Helper()
	requireRoot(t)
	return with(t, func() error {
		if err := unix.Unshare(unix.CLONE_NEWIPC | unix.CLONE_NEWNS); err != nil {
			return os.NewSyscallError("unshare", err)
		}
		if err := errors.Join(unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""), unix.Mount("none", "/dev", "tmpfs", 0, ""),
			unix.Mkdir("/dev/shm", 0o777), unix.Mkdir("/dev/mqueue", 0o777)); err != nil {
			return err
		}
		if mounted {
			if err := unix.Mount("none", "/dev/mqueue", "mqueue", 0, ""); err != nil {
				return os.NewSyscallError("mount", err)
			}
		}
		return f()
	}, calls...)
}

// queue makes a message queue of POSIX, or with a uid below 0 looks whether it is there.
func queue(name string, uid int) error {
	text, err := unix.BytePtrFromString(name)
	if err != nil {
		return err
	}
	flags := unix.O_CLOEXEC
	if uid >= 0 {
		flags |= unix.O_CREAT | unix.O_EXCL
	}
	small := mqAttr{maxMessages: 1, messageSize: 16} // what all have together is limited
	fd, _, e := unix.Syscall6(unix.SYS_MQ_OPEN, uintptr(unsafe.Pointer(text)), uintptr(flags), 0o600, uintptr(unsafe.Pointer(&small)), 0, 0)
	if e != 0 {
		return e
	}
	if uid >= 0 {
		err = unix.Fchown(int(fd), uid, uid)
	}
	return errors.Join(err, unix.Close(int(fd)))
}

// Message queues are removed where nobody has mounted them, and only there: where they are
// mounted, they are files as others.
func TestRemoveQueues(t *testing.T) {
	requireRoot(t)
	mine := objects{61300, -1}
	ok(t, inOwnIPC(t, false, func() error { // as a part of all
		if err := queue("mine", 61300); err != nil {
			return err
		}
		err := errors.Join(RemoveIPC(Root{}, 61300, -1)...)
		if left := queue("mine", -1); left != unix.ENOENT {
			err = errors.Join(err, fmt.Errorf("the queue is left: %w", left))
		}
		return err
	}))
	for _, tt := range []struct {
		name    string
		mounted bool
		root    Root
		calls   []call
		want    string
		removed bool
	}{
		{"not mounted", false, Root{}, nil, "", true},
		{"mounted", true, Root{}, nil, "", false},
		{"another root", false, Root{"/srv"}, nil, "", false},
		{"no queues", false, Root{}, []call{{number: unix.SYS_FSOPEN, e: unix.ENODEV}}, "", false},
		{"no configuration", false, Root{}, []call{{number: unix.SYS_FSCONFIG, e: unix.EPERM}}, "mount the message queues: operation not permitted", false},
		{"no mount", false, Root{}, []call{{number: unix.SYS_FSMOUNT, e: unix.EPERM}}, "mount the message queues: operation not permitted", false},
		{"not opened", false, Root{}, []call{{number: unix.SYS_OPENAT, e: unix.EMFILE}}, "open the message queues: too many open files", false},
		{"not read", false, Root{}, []call{{number: unix.SYS_GETDENTS64, e: unix.EIO}}, "getdents64: input/output error", false},
	} {
		same(t, tt.name, func() {
			ok(t, inOwnIPC(t, tt.mounted, func() error {
				if err := errors.Join(queue("mine", 61300), queue("other", 61301)); err != nil {
					return err
				}
				var err error
				if got := mine.removeQueues(tt.root); (got == nil) != (tt.want == "") || got != nil && got.Error() != tt.want {
					err = fmt.Errorf("%s: %w, want %q", tt.name, got, tt.want)
				}
				if gone := queue("mine", -1) == unix.ENOENT; gone != tt.removed {
					err = errors.Join(err, fmt.Errorf("removed: %v", gone))
				}
				return errors.Join(err, queue("other", -1))
			}, tt.calls...))
		})
	}
}

// Objects that cannot be removed are errors, and those that have gone meanwhile are none.
func TestRemoveIPCCalls(t *testing.T) {
	requireRoot(t)
	for _, tt := range []struct {
		name     string
		uid, gid int
		calls    []call
		want     []string
	}{
		{"all", 61300, -1, nil, nil},
		{"nobody", -1, -1, []call{{number: unix.SYS_OPENAT, e: unix.EMFILE}}, nil},
		{"no files", 61300, -1, []call{{number: unix.SYS_OPENAT, e: unix.ENOENT}}, nil},
		{"files are not opened", 61300, -1, []call{{number: unix.SYS_OPENAT, e: unix.EMFILE}}, []string{
			"open /proc/sysvipc/shm: too many open files", "/proc/sysvipc/sem: too many open files", "/proc/sysvipc/msg: too many open files",
			"open /dev/shm: too many open files", "open /dev/mqueue: too many open files",
		}},
		{"segments", 61300, -1, []call{{number: unix.SYS_SHMCTL, e: unix.EPERM}}, []string{"remove shared memory 0: operation not permitted"}},
		{"semaphores", 61300, -1, []call{{number: unix.SYS_SEMCTL, e: unix.EPERM}}, []string{"remove semaphores 0: operation not permitted"}},
		{"queues", 61300, -1, []call{{number: unix.SYS_MSGCTL, e: unix.EPERM}}, []string{"remove message queue 0: operation not permitted"}},
		{"removed meanwhile", 61300, -1, []call{{number: unix.SYS_SHMCTL, e: unix.EIDRM}, {number: unix.SYS_SEMCTL, e: unix.EINVAL}, {number: unix.SYS_MSGCTL, e: unix.EIDRM}}, nil},
		{"not known who has the group", -1, 61300, []call{{number: unix.SYS_STATX, e: unix.EIO}}, []string{"whether another process has the group 61300: statx: input/output error"}},
	} {
		err := inOwnIPC(t, true, func() error {
			// Objects belong to who makes them: this thread, for a moment.
			const keep = ^uintptr(0)
			_, _, e1 := unix.RawSyscall(unix.SYS_SETRESGID, keep, 61300, keep)
			_, _, e2 := unix.RawSyscall(unix.SYS_SETRESUID, keep, 61300, keep)
			for _, call := range [][4]uintptr{{unix.SYS_SHMGET, 0, 4096, 0o1600}, {unix.SYS_SEMGET, 0, 1, 0o1600}, {unix.SYS_MSGGET, 0, 0o1600}} {
				if _, _, e := unix.RawSyscall(call[0], call[1], call[2], call[3]); e != 0 {
					return e
				}
			}
			_, _, e3 := unix.RawSyscall(unix.SYS_SETRESUID, keep, 0, keep)
			_, _, e4 := unix.RawSyscall(unix.SYS_SETRESGID, keep, 0, keep)
			for _, e := range []unix.Errno{e1, e2, e3, e4} {
				if e != 0 {
					return e
				}
			}
			errs := RemoveIPC(Root{}, tt.uid, tt.gid)
			if tt.gid > 0 { // what may be another service's stays
				text, err := os.ReadFile("/proc/sysvipc/msg")
				if err != nil || strings.Count(string(text), "\n") != 2 {
					return fmt.Errorf("left are %s, %w", text, err)
				}
			}
			if len(errs) != len(tt.want) {
				return fmt.Errorf("%q, want %q", errs, tt.want)
			}
			for i := range errs {
				result(t, tt.name, errs[i], tt.want[i])
			}
			return nil
		}, tt.calls...)
		result(t, tt.name, err, "")
	}
}

// A group is used by any one of all processes.
func TestGroupUsed(t *testing.T) {
	requireRoot(t)
	first, then := begin(t, 61310, "stay", "61310"), begin(t, 61311, "stay", "61311")
	first.line()
	then.line()
	for gid, want := range map[int]bool{61310: true, 61311: true, 61312: false} {
		if got, err := groupUsed(gid); err != nil || got != want {
			t.Errorf("%d: %v, %v", gid, got, err)
		}
	}
	first.end()
	then.end()
}

// A file that somebody else removes meanwhile is no error.
func TestRemoveFilesCalls(t *testing.T) {
	root := directoryRoot(t)
	files(t, root+"/run/f", "")
	mine := objects{os.Geteuid(), os.Getegid()}
	if mine.uid == 0 { // whose files are never removed
		mine = objects{61300, -1}
		tryAll(t, os.Chown(root+"/run/f", 61300, 0))
	}
	for e, want := range map[unix.Errno]string{unix.ENOENT: "", unix.EROFS: "unlink /run/f: read-only file system"} {
		result(t, "files", with(t, func() error { return mine.removeFiles(Root{root}, "/run") }, call{number: unix.SYS_UNLINKAT, e: e}), want)
	}
}
