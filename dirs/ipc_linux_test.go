package dirs

import (
	"os"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// TestRemoveIPC runs itself once more in an IPC namespace, in which all of System V is its own.
func TestRemoveIPC(t *testing.T) {
	requireRoot(t)
	if os.Getenv("HARDRUN_DIRS_IPC") == "" {
		cmd := asHelper(0, []string{"unshare", "--ipc", "--mount", "--propagation=private", "--", "sh", "-euc", `exec "$0" -test.run='^TestRemoveIPC$' -test.v`})
		cmd.Env = append(os.Environ(), "HARDRUN_DIRS_IPC=1")
		out, err := cmd.CombinedOutput()
		if err != nil || !strings.Contains(string(out), "--- PASS: TestRemoveIPC") {
			t.Errorf("%v: %s", err, out)
		}
		return
	}
	owners := [][2]int{{0, 0}, {0, 61300}, {61300, 0}, {61300, 61300}, {61301, 61301}, {0, 7}}
	make3 := func(uid, gid int) {
		// Objects belong to who makes them: this thread, for a moment.
		tryAll(t, withIDs(uid, gid, func() {
			for _, call := range [][4]uintptr{{unix.SYS_SHMGET, 0, 4096, 0o1600}, {unix.SYS_SEMGET, 0, 1, 0o1600}, {unix.SYS_MSGGET, 0, 0o1600}} {
				if _, _, e := unix.RawSyscall(call[0], call[1], call[2], call[3]); e != 0 {
					t.Error(e)
				}
			}
		}))
	}
	count := func(kind string) int {
		text, err := os.ReadFile("/proc/sysvipc/" + kind)
		tryAll(t, err)
		return strings.Count(string(text), "\n") - 1
	}
	root := directoryRoot(t)
	shm := root + "/dev/shm"
	fill := func() {
		for _, o := range owners {
			make3(o[0], o[1])
		}
		tryAll(t, os.RemoveAll(root+"/dev"), os.MkdirAll(shm, 0o755))
		put(t, root+"/etc/keep", 0o600, 61300, 61300)
		for i, o := range owners {
			put(t, shm+"/f"+itoa(i), 0o600, o[0], o[1])
			putDir(t, shm+"/d"+itoa(i), 0o755, o[0], o[1])
			put(t, shm+"/in/f"+itoa(i), 0o600, o[0], o[1])
			put(t, root+"/dev/mqueue/q"+itoa(i), 0o600, o[0], o[1])
		}
		tryAll(t, os.Symlink(root+"/etc", shm+"/link"), os.Lchown(shm+"/link", 61300, 61300), os.Symlink(root+"/etc", shm+"/roots"), os.Chmod(shm, 0o777))
	}
	clear := func() {
		for _, kind := range []string{"shm", "sem", "msg"} {
			for _, o := range owners {
				_ = RemoveIPC(Root{root}, o[0], o[1])
			}
			// Those of root, by its number.
			text, err := os.ReadFile("/proc/sysvipc/" + kind)
			tryAll(t, err)
			eachObject(string(text), func(field func(string) string) {
				switch kind {
				case "shm":
					_, err = unix.SysvShmCtl(number(field("shmid")), unix.IPC_RMID, nil)
				case "sem":
					err = control(unix.SYS_SEMCTL, number(field("semid")), 0, unix.IPC_RMID)
				default:
					err = control(unix.SYS_MSGCTL, number(field("msqid")), unix.IPC_RMID, 0)
				}
				tryAll(t, err)
			})
		}
	}
	for _, x := range []struct {
		uid, gid int
		left     string // by their places in owners
	}{
		{61300, 61300, "0 4 5"},
		{61300, -1, "0 1 4 5"},
		{61300, 0, "0 1 4 5"},
		{-1, 61300, "0 2 4 5"},
		{61301, 7, "0 1 2 3"},
		{0, 0, "0 1 2 3 4 5"},
		{-1, -1, "0 1 2 3 4 5"},
		{0, 61300, "0 2 4 5"},
	} {
		clear()
		fill()
		tryAll(t, RemoveIPC(Root{root}, x.uid, x.gid)...)
		left := strings.Fields(x.left)
		for _, kind := range []string{"shm", "sem", "msg"} {
			if got := count(kind); got != len(left) {
				t.Errorf("%d:%d: %d of %s are left, want %d", x.uid, x.gid, got, kind, len(left))
			}
		}
		got := picture(t, root+"/dev")
		for i := range owners {
			want := strings.Contains(x.left, itoa(i))
			for _, f := range []string{"shm/f", "shm/d", "shm/in/f", "mqueue/q"} {
				if strings.Contains(got, f+itoa(i)+" ") != want {
					t.Errorf("%d:%d: %s%d is left: %v, want %v", x.uid, x.gid, f, i, !want, want)
				}
			}
		}
		if _, err := os.Lstat(root + "/etc/keep"); err != nil {
			t.Error(err)
		}
		if !strings.Contains(got, "shm/roots l") {
			t.Error("root's link has gone")
		}
	}
	clear()

	// A segment that is attached stays; and all of it, as long as somebody runs as the user.
	fill()
	p := begin(t, 61300, "stay", "61300")
	p.line()
	tryAll(t, RemoveIPC(Root{root}, 61300, 61300)...)
	if count("shm") != 6 || count("sem") != 6 || strings.Count(picture(t, shm), " 61300:") != 7 {
		t.Error("removed while a process is there")
	}
	p.end()
	text, err := os.ReadFile("/proc/sysvipc/shm")
	tryAll(t, err)
	var mem []byte
	eachObject(string(text), func(field func(string) string) {
		if mem == nil && field("uid") == "61300" {
			mem, err = unix.SysvShmAttach(number(field("shmid")), 0, 0)
			tryAll(t, err)
		}
	})
	tryAll(t, RemoveIPC(Root{root}, 61300, 61300)...)
	if count("shm") != 4 || count("sem") != 3 {
		t.Errorf("shm %d, sem %d", count("shm"), count("sem"))
	}
	text, err = os.ReadFile("/proc/sysvipc/shm")
	tryAll(t, err)
	eachObject(string(text), func(field func(string) string) {
		if got := field("perms"); got != "600" { // 1600: to be destroyed
			t.Errorf("a segment has %s", got)
		}
	})
	tryAll(t, unix.SysvShmDetach(mem))
	tryAll(t, RemoveIPC(Root{root}, 61300, 61300)...)
	if count("shm") != 3 {
		t.Error("left")
	}

	// What belongs to the group of a process stays, but for what the user has.
	clear()
	fill()
	p = begin(t, 61301, "stay", "61301")
	p.line()
	tryAll(t, RemoveIPC(Root{root}, 61300, 61301)...)
	if got := picture(t, shm); count("shm") != 4 || count("sem") != 4 || strings.Contains(got, " 61300:") || !strings.Contains(got, " 61301:61301") {
		t.Errorf("removed while a process has the group: %d, %d, %s", count("shm"), count("sem"), got)
	}
	p.end()
	tryAll(t, RemoveIPC(Root{root}, 61300, 61301)...)
	if got := picture(t, shm); count("shm") != 3 || strings.Contains(got, ":61301") {
		t.Errorf("left: %d, %s", count("shm"), got)
	}

	// A directory of the user with somebody else's file in it cannot go, and that is said; nor is a mount looked at.
	put(t, shm+"/mine/not", 0o600, 0, 0)
	tryAll(t, os.Chown(shm+"/mine", 61300, 61300))
	putDir(t, shm+"/mount", 0o755, 61300, 61300)
	tryAll(t, unix.Mount(root+"/etc", shm+"/mount", "", unix.MS_BIND, ""))
	errs := RemoveIPC(Root{root}, 61300, 61300)
	if len(errs) != 1 {
		t.Errorf("%v", errs)
	} else {
		fails(t, errs[0], "unlink /dev/shm/mine: directory not empty")
	}
	if _, err := os.Lstat(root + "/etc/keep"); err != nil {
		t.Error(err)
	}
	tryAll(t, unix.Unmount(shm+"/mount", 0))

	tryAll(t, os.RemoveAll(shm+"/mine"))

	// Real message queues.
	tryAll(t, unix.Mount("none", root+"/dev/mqueue", "mqueue", 0, ""))
	for _, name := range []string{"a", "b"} {
		f, err := os.OpenFile(root+"/dev/mqueue/"+name, os.O_CREATE|os.O_RDWR, 0o600)
		tryAll(t, err, f.Close())
	}
	tryAll(t, os.Chown(root+"/dev/mqueue/a", 61300, 61300))
	tryAll(t, RemoveIPC(Root{root}, 61300, -1)...)
	looks(t, root+"/dev/mqueue", "b f 0600 0:0")
	tryAll(t, unix.Unmount(root+"/dev/mqueue", 0))
}

// withIDs does something on a thread with other effective ids, which ends then.
func withIDs(uid, gid int, do func()) error {
	done := make(chan error)
	go func() {
		runtime.LockOSThread()
		_, _, e := unix.RawSyscall(unix.SYS_SETRESGID, ^uintptr(0), uintptr(gid), ^uintptr(0))
		if e == 0 {
			_, _, e = unix.RawSyscall(unix.SYS_SETRESUID, ^uintptr(0), uintptr(uid), ^uintptr(0))
		}
		if e == 0 {
			do()
			_, _, e = unix.RawSyscall(unix.SYS_SETRESUID, ^uintptr(0), 0, ^uintptr(0))
		}
		if e == 0 {
			_, _, e = unix.RawSyscall(unix.SYS_SETRESGID, ^uintptr(0), 0, ^uintptr(0))
		}
		if e != 0 {
			done <- e
			return
		}
		done <- nil
	}()
	return <-done
}
