package supervise

import (
	"errors"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// TestParseNotice reads the fields that matter, and passes all on but those of this sender.
func TestParseNotice(t *testing.T) {
	for text, want := range map[string]notice{
		"":        {},
		"READY=1": {ready: true, outer: "READY=1\n"},
		"READY=1\nREADY=0\nSTOPPING=1\nSTOPPING=0\nRELOADING=1\nRELOADING=0\n": {ready: true, stopping: true, reloading: true, outer: "READY=1\nREADY=0\nSTOPPING=1\nSTOPPING=0\nRELOADING=1\nRELOADING=0\n"},
		"READY=0\nREADY=1":             {ready: true, outer: "READY=0\nREADY=1\n"},
		"READY\nSTOPPING\nX\nY=\n\n=z": {outer: "Y=\n=z\n"},
		"MAINPID=7\nMAINPID=x\nMAINPID=2147483648\nEXTEND_TIMEOUT_USEC=8\nMONOTONIC_USEC=9": {mainPID: 7, extend: 8, since: 9, outer: "EXTEND_TIMEOUT_USEC=8\nMONOTONIC_USEC=9\n"},
		"EXTEND_TIMEOUT_USEC=x\nMONOTONIC_USEC=-1":                                          {outer: "EXTEND_TIMEOUT_USEC=x\nMONOTONIC_USEC=-1\n"},
		"STATUS=a=b\nERRNO=2":                     {status: "a=b", errno: "2", outer: "STATUS=a=b\nERRNO=2\n"},
		"STATUS=\x1f \x7e\x7f\u0080\u009f\u00a0é": {status: "? ~???\u00a0é", outer: "STATUS=\x1f \x7e\x7f\u0080\u009f\u00a0é\n"},
		"MAINPIDFD=1\nMAINPIDFDID=1\nBARRIER=1\nNOTIFYACCESS=all\nFDSTORE=1\nFDSTOREREMOVE=1\nFDNAME=x\nFDPOLL=0\nX_FD=1": {outer: "X_FD=1\n"},
	} {
		if n, ok := parseNotice(text); !ok || n != want {
			t.Errorf("%q: %+v %v, want %+v", text, n, ok, want)
		}
	}
	if n, _ := parseNotice("STATUS=" + strings.Repeat("x", 300)); len(n.status) != 200 {
		t.Errorf("a status of %d bytes is told", len(n.status))
	}
	if _, ok := parseNotice("READY=1\x00"); ok {
		t.Error("a zero byte is in a message")
	}
}

// TestListenFails says what could not be done, and leaves no descriptor.
func TestListenFails(t *testing.T) {
	keepsDescriptors(t)
	dir := t.TempDir()
	ok(t, os.WriteFile(dir+"/file", nil, 0o644))
	ok(t, os.MkdirAll(dir+"/d/directory", 0o755))
	for path, want := range map[string]string{
		"n/s":                                  "NOTIFY_SOCKET: n/s is no path of a socket",
		"/s":                                   "NOTIFY_SOCKET: /s is no path of a socket",
		dir + "/n/":                            "/n/ is no path of a socket",
		"":                                     "NOTIFY_SOCKET:  is no path of a socket",
		dir + "/none/n/s":                      "mkdir " + dir + "/none/n: no such file or directory",
		dir + "/file/s":                        dir + "/file: not a directory of this user that nobody else can write to",
		dir + "/d/directory":                   "unlink " + dir + "/d/directory: is a directory",
		dir + "/d/directory/none":              "",
		dir + "/d/" + strings.Repeat("x", 108): "bind " + dir + "/d/xxx",
	} {
		fd, err := Listen(path)
		tells(t, err, want)
		if (err == nil) != (fd >= 0) {
			t.Errorf("%s: descriptor %d", path, fd)
		}
		if err == nil {
			ok(t, unix.Close(fd))
		}
	}
	for _, c := range []struct {
		call uintptr
		e    unix.Errno
		path string
		want string
	}{
		{unix.SYS_SOCKET, unix.EMFILE, "/n/s", "socket: too many open files"},
		{unix.SYS_FCHMODAT, unix.EPERM, "/n/s", "chmod " + dir + "/n/s: operation not permitted"},
		{unix.SYS_SETSOCKOPT, unix.EINVAL, "/n/s", "setsockopt(SO_PASSCRED): invalid argument"},
		{unix.SYS_MKDIRAT, 0, "/n/m/s", "lstat " + dir + "/n/m: no such file or directory"},
		{unix.SYS_UNLINKAT, unix.EIO, "/n/s", "unlink " + dir + "/n/s: input/output error"},
		{unix.SYS_MKDIRAT, unix.EIO, "/n/s", "mkdir " + dir + "/n: input/output error"},
	} {
		t.Run(c.want, func(t *testing.T) {
			answers(t, c.call, every, 0, c.e)
			_, err := Listen(dir + c.path)
			tells(t, err, c.want)
		})
	}
}

// TestListenOwner makes no socket where another user, or everybody, can write.
func TestListenOwner(t *testing.T) {
	asRoot(t)
	dir := t.TempDir()
	for name, c := range map[string]struct {
		owner int
		mode  uint32
	}{"other": {1234, 0o755}, "group": {0, 0o775}, "all": {0, 0o757}} {
		ok(t, errors.Join(unix.Mkdir(dir+"/"+name, 0o755), unix.Chmod(dir+"/"+name, c.mode), unix.Chown(dir+"/"+name, c.owner, 0)))
		_, err := Listen(dir + "/" + name + "/s")
		tells(t, err, dir+"/"+name+": not a directory of this user")
	}
}

// listens is a socket that Listen makes, and its address.
func listens(t *testing.T) (fd int, address string) {
	t.Helper()
	address = t.TempDir() + "/n/s"
	fd, err := Listen(address)
	ok(t, err)
	t.Cleanup(func() { _ = unix.Close(fd) })
	return fd, address
}

// TestReceive takes whole messages, and lets go of what comes with them.
func TestReceive(t *testing.T) {
	keepsDescriptors(t)
	fd, address := listens(t)
	buf := make([]byte, 32)
	if _, _, err := receive(fd, buf); err != unix.EAGAIN || readable(fd) {
		t.Errorf("no message: %v", err)
	}
	from, err := unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	ok(t, err)
	defer func() { _ = unix.Close(from) }()
	for _, c := range []struct {
		text, want string
		rights     []byte
		pid        int
	}{
		{"READY=1", "READY=1", nil, os.Getpid()},
		{"", "", nil, os.Getpid()},
		{strings.Repeat("x", 32), strings.Repeat("x", 32), nil, os.Getpid()},
		{strings.Repeat("x", 33), "", nil, 0},
		{"READY=1", "READY=1", unix.UnixRights(0, 1, 2), os.Getpid()},
	} {
		ok(t, unix.Sendmsg(from, []byte(c.text), c.rights, &unix.SockaddrUnix{Name: address}, 0))
		if !readable(fd) {
			t.Errorf("%q is not there", c.text)
		}
		if text, pid, err := receive(fd, buf); err != nil || text != c.want || pid != c.pid {
			t.Errorf("%q: %q of %d, %v", c.text, text, pid, err)
		}
	}
	// Where the kernel does not say who has sent it, it is nobody.
	ok(t, sendOn(address, "READY=1"))
	ok(t, unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_PASSCRED, 0))
	if _, pid, err := receive(fd, buf); err != nil || pid != 0 {
		t.Errorf("%d, %v", pid, err)
	}
	t.Run("poll fails", func(t *testing.T) {
		answers(t, unix.SYS_PPOLL, every, 0, unix.EINTR)
		if !readable(fd) {
			t.Error("who reads would not see why")
		}
	})
}

// TestSendOn sends to another manager, and does not wait for it.
func TestSendOn(t *testing.T) {
	keepsDescriptors(t)
	fd, address := listens(t)
	ok(t, sendOn("", "READY=1"))
	ok(t, sendOn(address, ""))
	if readable(fd) {
		t.Error("an empty message was sent")
	}
	tells(t, sendOn(address+"x", "READY=1"), "sendto: no such file or directory")
	full := func() error {
		var err error
		for range 10000 {
			if err = sendOn(address, "READY=1"); err != nil {
				break
			}
		}
		return err
	}
	sent := make(chan error, 1)
	go func() { sent <- full() }()
	select {
	case err := <-sent:
		tells(t, err, "sendto: resource temporarily unavailable")
	case <-time.After(5 * time.Second):
		t.Fatal("it waits for who does not read")
	}
	t.Run("no descriptor", func(t *testing.T) {
		answers(t, unix.SYS_SOCKET, every, 0, unix.EMFILE)
		tells(t, sendOn(address, "READY=1"), "socket: too many open files")
	})
}

// TestRouser interrupts what its thread waits for, while it is on.
func TestRouser(t *testing.T) {
	done := make(chan struct{})
	go func() { // on a thread of its own
		defer close(done)
		runtime.LockOSThread()
		r, err := newRouser()
		if err != nil {
			t.Error(err)
			return
		}
		for _, on := range []bool{true, true, false} {
			if err := r.set(on); err != nil {
				t.Error(err)
			}
			began := time.Now()
			_, err := unix.Poll(nil, 60)
			if (err == unix.EINTR) != on {
				t.Errorf("on %v: %v after %v", on, err, time.Since(began))
			}
		}
		if err := (&rouser{id: -1}).set(true); err == nil || !strings.Contains(err.Error(), "timer_settime: invalid argument") {
			t.Error(err)
		}
		_, _, _ = unix.RawSyscall(unix.SYS_TIMER_DELETE, uintptr(r.id), 0, 0)
	}()
	<-done
	t.Run("no mask", func(t *testing.T) {
		answers(t, unix.SYS_RT_SIGPROCMASK, 0, unix.SIG_UNBLOCK, unix.EIO) // the Go runtime sets it
		_, err := newRouser()
		tells(t, err, "rt_sigprocmask: input/output error")
	})
	t.Run("no timer", func(t *testing.T) {
		answers(t, unix.SYS_TIMER_CREATE, every, 0, unix.EAGAIN)
		_, err := newRouser()
		tells(t, err, "timer_create: resource temporarily unavailable")
	})
}
