package supervise

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// asRoot skips what only root can do.
func asRoot(t *testing.T) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("only for root")
	}
}

// ok is for what must not fail.
func ok(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// tells shows that an error has a text in it; "" for no error.
func tells(t *testing.T, err error, text string) {
	t.Helper()
	switch {
	case text == "":
		ok(t, err)
	case err == nil:
		t.Fatalf("no error, want %q", text)
	case !strings.Contains(err.Error(), text):
		t.Fatalf("%v, want %q", err, text)
	}
}

const every = -1

// answers lets a call of the test's thread, which ends with it, answer an error, or 0 without
// having done anything. Where arg is not every, only calls with this value of that argument do.
func answers(t *testing.T, call uintptr, arg int, value uintptr, e unix.Errno) {
	t.Helper()
	runtime.LockOSThread()
	low := uint32(16) // of the first argument in struct seccomp_data
	if binary.NativeEndian.Uint16([]byte{0, 1}) == 1 {
		low = 20
	}
	filter := []unix.SockFilter{
		{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: 0},
		{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: uint32(call), Jf: 3},
		{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: low + 8*uint32(max(arg, 0))},
		{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: uint32(value), Jf: 1},
		{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ERRNO | uint32(e)},
		{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ALLOW},
	}
	if arg == every {
		filter[3] = unix.SockFilter{Code: unix.BPF_JMP | unix.BPF_JA}
	}
	program := unix.SockFprog{Len: uint16(len(filter)), Filter: &filter[0]}
	ok(t, unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
	ok(t, unix.Prctl(unix.PR_SET_SECCOMP, unix.SECCOMP_MODE_FILTER, uintptr(unsafe.Pointer(&program)), 0, 0))
}

// procOf is a /proc, of a process self, in which these files are.
func procOf(t *testing.T, self int, files map[string]string) *proc {
	t.Helper()
	top := t.TempDir()
	for name, text := range files {
		path := top + "/" + name
		ok(t, os.MkdirAll(path[:strings.LastIndexByte(path, '/')], 0o755))
		ok(t, os.WriteFile(path, []byte(text), 0o644))
	}
	dir, err := unix.Open(top, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	ok(t, err)
	t.Cleanup(func() { _ = unix.Close(dir) })
	return &proc{dir: dir, self: self, buf: make([]byte, 4096)}
}

// statOf is /proc/PID/stat of a process in a state, with a parent and a time at which it was
// started.
func statOf(state string, parent, start int) string {
	size := 4096
	if state == "E" { // it ends, and has given back its memory
		state, size = "R", 0
	}
	return fmt.Sprintf("7 (a) b) %s %d%s %d %d 0 0\n", state, parent, strings.Repeat(" 1", 17), start, size)
}

// child starts a shell, which is killed with the test, and with it all that it has started.
func child(t *testing.T, script string) int {
	t.Helper()
	pid, err := syscall.ForkExec("/bin/sh", []string{"sh", "-c", script}, &syscall.ProcAttr{Env: os.Environ(), Files: []uintptr{0, 1, 2}})
	ok(t, err)
	t.Cleanup(func() {
		_ = syscall.Kill(pid, syscall.SIGKILL)
		_, _ = syscall.Wait4(pid, nil, 0, nil)
	})
	return pid
}

// soon waits until something is so.
func soon(t *testing.T, what string, is func() bool) {
	t.Helper()
	for end := time.Now().Add(5 * time.Second); !is(); time.Sleep(200 * time.Microsecond) {
		if time.Now().After(end) {
			t.Fatalf("it never came to: %s", what)
		}
	}
}

// isZombie tells whether a child has ended and nobody has waited for it.
func isZombie(pid int) bool {
	text, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	return err == nil && strings.Contains(string(text), ") Z ")
}

// keepsDescriptors shows that as many descriptors are open at the end of the test as now.
func keepsDescriptors(t *testing.T) {
	t.Helper()
	count := func() int {
		list, err := os.ReadDir("/proc/self/fd")
		ok(t, err)
		return len(list)
	}
	before := count()
	t.Cleanup(func() {
		if after := count(); after != before {
			t.Errorf("%d descriptors are open, there were %d", after, before)
		}
	})
}

var errSome = errors.New("some error")

// asUser does something as another user, with the capabilities of none.
func asUser(t *testing.T, uid int, what func()) {
	t.Helper()
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	set := func(uid int) {
		if _, _, err := unix.RawSyscall(unix.SYS_SETRESUID, ^uintptr(0), uintptr(uid), ^uintptr(0)); err != 0 {
			panic(err)
		}
		// A change of user takes this from the whole process.
		if err := unix.Prctl(unix.PR_SET_DUMPABLE, 1, 0, 0, 0); err != nil {
			panic(err)
		}
	}
	set(uid)
	defer set(0)
	what()
}
