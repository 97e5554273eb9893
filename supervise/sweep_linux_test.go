package supervise

import (
	"os"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"
)

// subreaper tells whether this process gets the orphans below it.
func subreaper(t *testing.T) bool {
	t.Helper()
	var is int32
	ok(t, unix.Prctl(unix.PR_GET_CHILD_SUBREAPER, uintptr(unsafe.Pointer(&is)), 0, 0, 0))
	return is == 1
}

// runs starts a shell and waits for its end, but not for that of what it leaves.
func runs(t *testing.T, script string) {
	t.Helper()
	pid, err := syscall.ForkExec("/bin/sh", []string{"sh", "-c", script}, &syscall.ProcAttr{Env: os.Environ(), Files: []uintptr{0, 1, 2}})
	ok(t, err)
	if is, err := syscall.Wait4(pid, nil, 0, nil); is != pid {
		t.Fatal(err)
	}
}

// TestSweep ends what commands leave, and leaves alone who was there before.
func TestSweep(t *testing.T) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	dir := t.TempDir()
	for _, prior := range []bool{false, true} {
		var before int
		if prior {
			before = child(t, "exec sleep 1000")
		}
		s, err := NewSweeper(func(text string) { t.Error(text) })
		ok(t, err)
		if !subreaper(t) {
			t.Error("orphans go elsewhere")
		}
		ok(t, s.Sweep()) // nobody is left
		runs(t, `trap '' TERM; sleep 1000 & echo $! >`+dir+`/1; (sleep 1000 & echo $! >`+dir+`/2) & wait $!; true & exit 0`)
		ok(t, s.Sweep())
		for _, name := range []string{"1", "2"} {
			text, err := os.ReadFile(dir + "/" + name)
			ok(t, err)
			if _, err := os.Stat("/proc/" + strings.TrimSpace(string(text))); !os.IsNotExist(err) {
				t.Errorf("process %s is left: %v", text, err)
			}
		}
		if prior {
			if err := syscall.Kill(before, 0); err != nil || isZombie(before) {
				t.Error("who was there before was ended")
			}
		} else if _, err := ended(); err != unix.ECHILD {
			t.Errorf("a child is left: %v", err)
		}
		ok(t, s.End())
		if subreaper(t) {
			t.Error("orphans go on coming")
		}
	}
	// Who was a subreaper stays one.
	ok(t, unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0))
	s, err := NewSweeper(nil)
	ok(t, err)
	ok(t, s.End())
	if !subreaper(t) {
		t.Error("it is none any more")
	}
	ok(t, unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0))
}

// TestSweepFails says what could not be done.
func TestSweepFails(t *testing.T) {
	defer func() { ok(t, unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0)) }()
	for _, c := range []struct {
		call uintptr
		arg0 uintptr
		e    unix.Errno
		want string
	}{
		{unix.SYS_PRCTL, unix.PR_GET_CHILD_SUBREAPER, unix.EINVAL, "prctl(PR_GET_CHILD_SUBREAPER): invalid argument"},
		{unix.SYS_PRCTL, unix.PR_SET_CHILD_SUBREAPER, unix.EINVAL, "prctl(PR_SET_CHILD_SUBREAPER): invalid argument"},
		{unix.SYS_PRCTL, unix.PR_SET_CHILD_SUBREAPER, 0, "prctl(PR_SET_CHILD_SUBREAPER): input/output error"},
	} {
		t.Run(c.want, func(t *testing.T) {
			answers(t, c.call, 0, c.arg0, c.e)
			_, err := NewSweeper(nil)
			tells(t, err, c.want)
		})
	}
	before := child(t, "exec sleep 1000")
	for call, want := range map[uintptr]string{unix.SYS_FSTATFS: "fstatfs: input/output error", unix.SYS_GETDENTS64: "getdents /proc/.: input/output error"} {
		t.Run("with a child before: "+want, func(t *testing.T) {
			answers(t, call, every, 0, unix.EIO)
			_, err := NewSweeper(nil)
			tells(t, err, want)
		})
	}
	ok(t, syscall.Kill(before, syscall.SIGKILL))
	soon(t, "its end", func() bool { return isZombie(before) })
	_, err := syscall.Wait4(before, nil, 0, nil)
	ok(t, err)
	s, err := NewSweeper(func(string) {})
	ok(t, err)
	t.Run("nobody is left, and there is no /proc", func(t *testing.T) {
		answers(t, unix.SYS_FSTATFS, every, 0, unix.EIO)
		ok(t, s.Sweep())
	})
	t.Run("it stays a subreaper", func(t *testing.T) {
		answers(t, unix.SYS_PRCTL, 0, unix.PR_SET_CHILD_SUBREAPER, unix.EINVAL)
		tells(t, s.End(), "prctl(PR_SET_CHILD_SUBREAPER): invalid argument")
	})
	child(t, "exec sleep 1000")
	for _, c := range []struct {
		what string
		call uintptr
		e    unix.Errno
		want string
	}{
		{"no /proc", unix.SYS_FSTATFS, unix.EIO, "fstatfs: input/output error"},
		{"no list", unix.SYS_GETDENTS64, unix.EIO, "getdents /proc/.: input/output error"},
		{"no wait", unix.SYS_WAIT4, unix.EINVAL, "wait4: invalid argument"},
	} {
		t.Run(c.what, func(t *testing.T) {
			answers(t, c.call, every, 0, c.e)
			tells(t, s.Sweep(), c.want)
		})
	}
}
