package launcher

import (
	"encoding/binary"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"unsafe"

	"github.com/hardrun/hardrun/caps"
	"github.com/hardrun/hardrun/integration/testrow"
	"golang.org/x/sys/unix"
)

// A tree is what lies in a directory of a test, by its paths. A text is a file that may be executed,
// or one of another mode where "=0644" stands behind the path; "-> " begins a symbolic link, and "/" is
// a directory. "@" in a text is the directory of the test.
type tree map[string]string

// make makes the tree in a directory that everybody may search.
func (tr tree) make(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.Chmod(filepath.Dir(dir), 0o755); err != nil {
		t.Error(err)
	}
	for name, text := range tr {
		mode := os.FileMode(0o755)
		if path, number, given := strings.Cut(name, "="); given {
			n, err := strconv.ParseUint(number, 8, 12)
			if err != nil {
				t.Error(err)
			}
			name, mode = path, os.FileMode(n)
		}
		name = filepath.Join(dir, name)
		if !strings.HasPrefix(text, "\x7fELF") {
			text = strings.ReplaceAll(text, "@", dir)
		}
		err := os.MkdirAll(filepath.Dir(name), 0o755)
		if err == nil {
			switch to, link := strings.CutPrefix(text, "-> "); {
			case link:
				err = os.Symlink(to, name)
			case text == "/":
				err = os.MkdirAll(name, 0o755)
			default:
				err = os.WriteFile(name, []byte(text), mode)
			}
		}
		if err != nil {
			t.Error(err)
		}
	}
	return dir
}

// asNobody runs act on a thread which the kernel holds for nobody's where files are concerned:
// setfsuid(2) takes the capabilities over files as well. A directory is what nobody must be able
// to search for that.
func asNobody(t *testing.T, dir string, act func()) {
	t.Helper()
	err := testrow.OnThread(func() error {
		if os.Geteuid() == 0 {
			if err := unix.Setfsuid(65534); err != nil {
				return err
			}
		}
		if err := unix.Faccessat(unix.AT_FDCWD, dir, unix.X_OK, unix.AT_EACCESS); err != nil {
			t.Logf("%s: %v", dir, err)
			return nil
		}
		act()
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

// inOwnMounts runs act on a thread with mounts of its own, which end with it. Like all that runs
// on such a thread, act does not end the test.
func inOwnMounts(t *testing.T, act func()) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root: mounts")
	}
	err := testrow.OnThread(func() error {
		if err := unix.Unshare(unix.CLONE_NEWNS); err != nil {
			return err
		}
		if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
			return err
		}
		act()
		return nil
	})
	if errors.Is(err, unix.EPERM) {
		t.Skipf("needs the right to mount: %v", err)
	} else if err != nil {
		t.Error(err)
	}
}

// answering runs act on a thread on which a call answers an error, or 0 without being made.
func answering(t *testing.T, call uintptr, e unix.Errno, act func()) {
	t.Helper()
	err := testrow.OnThread(func() error {
		if err := testrow.Answer(call, e); err != nil {
			return err
		}
		act()
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

// memory mounts a file system in memory with the files of a tree, on a thread of inOwnMounts.
func memory(t *testing.T, at string, flags uintptr, files map[string]string) bool {
	t.Helper()
	err := unix.Mount("tmpfs", at, "tmpfs", 0, "mode=755")
	for name, text := range files {
		if err == nil {
			err = os.MkdirAll(filepath.Dir(filepath.Join(at, name)), 0o755)
		}
		if err == nil {
			err = os.WriteFile(filepath.Join(at, name), []byte(text), 0o755)
		}
	}
	if err == nil && flags != 0 {
		err = unix.Mount("", at, "", unix.MS_REMOUNT|unix.MS_BIND|flags, "")
	}
	if err != nil {
		t.Errorf("%s: %v", at, err)
	}
	return err == nil
}

// fails is the text of an error, "" for none.
func fails(err error) string {
	if err == nil {
		return ""
	}
	return reason(err)
}

// open makes the tree, and answers it with a descriptor, as one of /proc is held.
func (tr tree) open(t *testing.T) (dir string, fd int) {
	t.Helper()
	dir = tr.make(t)
	fd, err := unix.Open(dir, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Error(err)
		return dir, -1
	}
	t.Cleanup(func() {
		if err := unix.Close(fd); err != nil {
			t.Error(err)
		}
	})
	return dir, fd
}

// groups mounts a hierarchy of control groups, to be looked at, on a thread of inOwnMounts, and answers the number of the
// mount; 0 where there is none.
func groups(t *testing.T, at, kind, options string) uint64 {
	t.Helper()
	if err := unix.Mount(kind, at, kind, 0, options); err != nil {
		t.Logf("no %s: %v", kind, err)
		return 0
	}
	var st unix.Statx_t
	if err := unix.Statx(unix.AT_FDCWD, at, 0, unix.STATX_MNT_ID, &st); err != nil {
		t.Error(err)
	}
	return st.Mnt_id
}

// inRoot runs act on a thread whose root is a directory that is no mount.
func inRoot(t *testing.T, dir string, act func()) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root: chroot")
	}
	err := testrow.OnThread(func() error {
		if err := unix.Chroot(dir); err != nil {
			return err
		}
		if err := unix.Chdir("/"); err != nil {
			return err
		}
		act()
		return nil
	})
	if errors.Is(err, unix.EPERM) {
		t.Skipf("needs CAP_SYS_CHROOT: %v", err)
	} else if err != nil {
		t.Error(err)
	}
}

// useNames lets the users and groups of the host be those of two texts.
func useNames(t *testing.T, passwd, group string) {
	t.Helper()
	dir := tree{"passwd=0644": passwd, "group=0644": group}.make(t)
	was := caps.Host
	caps.Host = caps.Database{Passwd: dir + "/passwd", Group: dir + "/group"}
	t.Cleanup(func() { caps.Host = was })
}

// answerIf lets the kernel answer a call with an error on this thread, one of testrow.OnThread, where the
// low half of an argument is as said. Flags are those of seccomp(2).
func answerIf(call uintptr, arg int, value uint32, e unix.Errno, flags ...uintptr) error {
	at := uint32(16 + 8*arg) // in struct seccomp_data
	if binary.NativeEndian.Uint16([]byte{0, 1}) == 1 {
		at += 4
	}
	code := []unix.SockFilter{
		{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: 0},
		{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: uint32(call), Jf: 3},
		{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: at},
		{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: value, Jf: 1},
		{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ERRNO | uint32(e)},
		{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ALLOW},
	}
	prog := unix.SockFprog{Len: uint16(len(code)), Filter: &code[0]}
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return err
	}
	how := uintptr(0)
	for _, f := range flags {
		how |= f
	}
	if _, _, errno := unix.RawSyscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, how, uintptr(unsafe.Pointer(&prog))); errno != 0 {
		return errno
	}
	return nil
}

// childWord is the variable that tells a test that it runs in the process which it started.
const childWord = "HARDRUN_TEST_CHILD"

// again runs the test once more, in a process of its own that is started as said.
func again(t *testing.T, word string, how *syscall.SysProcAttr) {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^"+t.Name()+"$")
	cmd.Env, cmd.SysProcAttr = append(os.Environ(), childWord+"="+word), how
	out, err := cmd.CombinedOutput()
	switch {
	case errors.Is(err, unix.EPERM), errors.Is(err, unix.EACCES), errors.Is(err, unix.ENOSPC), errors.Is(err, unix.EUSERS), errors.Is(err, unix.EINVAL):
		t.Skipf("needs a process of that kind: %v", err)
	case err != nil:
		t.Errorf("%v: %s", err, out)
	}
}

// asOwnRoot is a process that is root in a user namespace of its own.
func asOwnRoot() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{
		Cloneflags:  syscall.CLONE_NEWUSER,
		UidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Geteuid(), Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getegid(), Size: 1}},
	}
}
