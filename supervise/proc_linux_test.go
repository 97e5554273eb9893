package supervise

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"testing"

	"golang.org/x/sys/unix"
)

// TestOpenProc opens /proc as it is, and not as something else.
func TestOpenProc(t *testing.T) {
	p, err := openProc()
	ok(t, err)
	if s, err := p.look(p.self); err != nil || s.pid != os.Getpid() || s.parent != os.Getppid() || s.gone || s.start == 0 {
		t.Errorf("this process: %+v, %v", s, err)
	}
	ok(t, unix.Close(p.dir))
	for _, c := range []struct {
		call uintptr
		e    unix.Errno
		want string
	}{
		{unix.SYS_OPENAT, unix.EACCES, "open /proc: permission denied"},
		{unix.SYS_FSTATFS, unix.EIO, "fstatfs: input/output error"},
		{unix.SYS_FSTATFS, 0, "fstatfs: /proc is no proc file system"},
		{unix.SYS_READLINKAT, unix.EIO, "readlink /proc/self: input/output error"},
		{unix.SYS_READLINKAT, 0, "readlink /proc/self: /proc is that of another PID namespace"},
	} {
		t.Run(c.want, func(t *testing.T) {
			answers(t, c.call, every, 0, c.e)
			_, err := openProc()
			tells(t, err, c.want)
		})
	}
}

// TestProcRead reads what is a file, and tells what failed.
func TestProcRead(t *testing.T) {
	keepsDescriptors(t)
	p := procOf(t, 1, map[string]string{"f": "text", "d/f": ""})
	ok(t, unix.Symlinkat("f", p.dir, "link"))
	for name, want := range map[string]error{"f": nil, "none": unix.ENOENT, "link": unix.ELOOP, "d": unix.EISDIR} {
		b, err := p.read(name)
		if err != want || err == nil && string(b) != "text" || err != nil && len(b) != 0 {
			t.Errorf("%s: %q, %v", name, b, err)
		}
	}
}

// TestProcClose tells when a file cannot be closed. It stays open.
func TestProcClose(t *testing.T) {
	p := procOf(t, 1, map[string]string{"f": "text"})
	answers(t, unix.SYS_CLOSE, every, 0, unix.EIO)
	if _, err := p.read("f"); err != unix.EIO {
		t.Error(err)
	}
	_, err := p.numbers(".")
	tells(t, err, "close: input/output error")
}

// TestLook reads /proc/PID/stat, of which the name may hold anything.
func TestLook(t *testing.T) {
	p := procOf(t, 1, map[string]string{
		"2/stat": statOf("S", 5, 77), "3/stat": statOf("Z", 5, 77), "4/stat": statOf("X", 5, 77), "5/stat": statOf("E", 5, 77),
		"6/stat": "6 (a) S 1 2 3\n", "7/stat": "", "8/stat": statOf("S y", 5, 77), "9/stat": "9 (a) S 1" + fmt.Sprintf("%0100d", 0) + "\n",
	})
	for pid, gone := range map[int]bool{2: false, 3: true, 4: true, 5: true} {
		if s, err := p.look(pid); err != nil || s != (someone{pid, 5, 77, gone}) {
			t.Errorf("%d: %+v, %v", pid, s, err)
		}
	}
	for _, pid := range []int{6, 7, 9} {
		if s, err := p.look(pid); err != unix.ESRCH {
			t.Errorf("%d, which is cut off: %+v, %v", pid, s, err)
		}
	}
	if s, err := p.look(8); err == nil {
		t.Errorf("a parent that is no number: %+v", s)
	}
	if _, err := p.look(1); err != unix.ENOENT {
		t.Errorf("nobody: %v", err)
	}
}

// TestAll lists who is there, and fails where it cannot be known.
func TestAll(t *testing.T) {
	keepsDescriptors(t)
	p := procOf(t, 1, map[string]string{"2/stat": statOf("S", 1, 1), "3/other": "", "4/stat": "4 (a)", "5x/stat": "", "self": ""})
	list, err := p.all()
	if err != nil || len(list) != 1 || list[0].pid != 2 {
		t.Errorf("%+v, %v", list, err)
	}
	ok(t, unix.Symlinkat("../2/stat", p.dir, "3/stat"))
	_, err = p.all()
	tells(t, err, "open, read, close /proc/3/stat: too many levels of symbolic links")
	_, err = p.descendants()
	tells(t, err, "/proc/3/stat")
	tells(t, p.notePrior(), "/proc/3/stat")
	_, err = p.numbers("none")
	tells(t, err, "open /proc/none: no such file or directory")
	t.Run("getdents fails", func(t *testing.T) {
		answers(t, unix.SYS_GETDENTS64, every, 0, unix.EIO)
		_, err := p.all()
		tells(t, err, "getdents /proc/.: input/output error")
	})
}

// family is a /proc of process 10.
//
//	1 ─┬─ 10 ─┬─ 11 ─── 12 ─── 13
//	   │      ├─ 14 (was there before) ─── 15
//	   │      └─ 16 (has ended) ─── 17
//	   └─ 20 ─── 21
//
// 30 and 31 are a circle, the parent of 40 is not there, and 50 comes of the kernel.
func family(t *testing.T) *proc {
	files := map[string]string{}
	for pid, parent := range map[int]int{1: 0, 10: 1, 11: 10, 12: 11, 13: 12, 14: 10, 15: 14, 16: 10, 17: 16, 20: 1, 21: 20, 30: 31, 31: 30, 40: 99, 50: 0} {
		state := "S"
		if pid == 16 {
			state = "Z"
		}
		files[strconv.Itoa(pid)+"/stat"] = statOf(state, parent, pid)
	}
	p := procOf(t, 10, files)
	p.prior = []int{5, 14}
	return p
}

// TestDescendants finds the service's, and nobody else.
func TestDescendants(t *testing.T) {
	p := family(t)
	list, err := p.descendants()
	ok(t, err)
	var pids []int
	for _, s := range list {
		pids = append(pids, s.pid)
	}
	slices.Sort(pids)
	if want := []int{11, 12, 13, 17}; !slices.Equal(pids, want) {
		t.Errorf("%v, want %v", pids, want)
	}
	for _, pid := range []int{1, 5, 10, 11, 12, 13, 14, 15, 16, 17, 20, 21, 30, 40, 50, 60} {
		want := slices.Contains(pids, pid) || pid == 16
		if got := p.descends(pid); got != want {
			t.Errorf("%d descends: %v", pid, got)
		}
	}
}

// TestNotePrior notes the children that are there, until they are waited for.
func TestNotePrior(t *testing.T) {
	p := family(t)
	p.prior = nil
	ok(t, p.notePrior())
	slices.Sort(p.prior)
	if want := []int{11, 14, 16}; !slices.Equal(p.prior, want) {
		t.Fatalf("%v, want %v", p.prior, want)
	}
	p.forget(12)
	p.forget(14)
	if !p.isPrior(11) || p.isPrior(14) || !p.isPrior(16) || p.isPrior(12) {
		t.Errorf("%v are left", p.prior)
	}
}

// TestTorn reads the list again where a parent was missing: it may have ended meanwhile, and its
// child be this process's own.
func TestTorn(t *testing.T) {
	for name, first := range map[string]string{"the parent is not there": statOf("S", 99, 1), "a circle": statOf("S", 20, 1)} {
		t.Run(name, func(t *testing.T) {
			p := procOf(t, 10, map[string]string{"1/stat": statOf("S", 0, 1), "10/stat": statOf("S", 1, 1), "20/then": statOf("S", 10, 1)})
			ok(t, unix.Mkfifoat(p.dir, "20/stat", 0o600))
			fed := make(chan error)
			go func() {
				fd, err := unix.Openat(p.dir, "20/stat", unix.O_WRONLY|unix.O_CLOEXEC, 0) // who reads waits for it
				if err == nil {
					err = unix.Renameat(p.dir, "20/then", p.dir, "20/stat")
					_, failed := unix.Write(fd, []byte(first))
					err = errors.Join(err, failed, unix.Close(fd))
				}
				fed <- err
			}()
			list, err := p.descendants()
			ok(t, errors.Join(err, <-fed))
			if len(list) != 1 || list[0].pid != 20 {
				t.Errorf("it was not read again: %v", list)
			}
		})
	}
}

// TestLines finds a line of /proc/PID/status by its name.
func TestLines(t *testing.T) {
	p := procOf(t, 1, map[string]string{"2/status": "Name:\tx\nUid:\t1\t2\t3\t4\nSigBlk:\t00000000000000a0\nSigCgt:\tx\n"})
	for name, want := range map[string]string{"Name": "x", "Uid": "1\t2\t3\t4", "SigBlk": "00000000000000a0", "id": "", "Nam": ""} {
		if got := p.line("2/status", name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	if got := p.line("3/status", "Name"); got != "" {
		t.Errorf("of nobody: %q", got)
	}
	if m, err := p.mask("2/status", "SigBlk"); err != nil || m != 0xa0 {
		t.Errorf("%#x, %v", m, err)
	}
	for _, name := range []string{"SigCgt", "SigIgn"} {
		_, err := p.mask("2/status", name)
		tells(t, err, "/proc/2/status: no line "+name)
	}
	l := &loop{proc: p}
	for n, want := range map[int]bool{6: true, 8: true, 1: false, 7: false} {
		if l.catches(2, n) != want {
			t.Errorf("signal %d is caught: %v", n, !want)
		}
	}
	if l.catches(3, 6) {
		t.Error("nobody catches a signal")
	}
}
