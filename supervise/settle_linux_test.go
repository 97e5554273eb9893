package supervise

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/hardrun/hardrun/policy"
)

const allCaps = 1<<41 - 1

// capsOf is /proc/PID/status of a thread with these capabilities.
func capsOf(inheritable, permitted, effective uint64, noNewPrivs string) string {
	return fmt.Sprintf("CapInh:\t%016x\nCapPrm:\t%016x\nCapEff:\t%016x\nCapBnd:\t%016x\nNoNewPrivs:\t%s\n", inheritable, permitted, effective, uint64(allCaps), noNewPrivs)
}

// TestHasOnly reads what capabilities a thread has, and whether it could get any.
func TestHasOnly(t *testing.T) {
	const keep = 1<<unix.CAP_CHOWN | 1<<unix.CAP_SYS_ADMIN
	p := procOf(t, 1, map[string]string{
		"none": capsOf(0, 0, 0, "1"), "kept": capsOf(keep, keep, keep, "1"), "gvisor": "CapInh:\t0\nCapPrm:\t0\nCapEff:\t0\n",
		"inheritable": capsOf(2, 0, 0, "1"), "permitted": capsOf(0, 2, 0, "1"), "effective": capsOf(0, 0, 2, "1"), "execve": capsOf(keep, keep, keep, "0"),
		"no line": "CapInh:\t0\nCapPrm:\t0\n", "no number": "CapInh:\tx\n",
	})
	ok(t, unix.Symlinkat("none", p.dir, "link"))
	for name, want := range map[string]bool{"none": true, "kept": true, "gvisor": true, "inheritable": false, "permitted": false, "effective": false, "execve": false} {
		if got, err := p.hasOnly(name, keep); err != nil || got != want {
			t.Errorf("%s: %v, %v", name, got, err)
		}
	}
	for name, want := range map[string]string{"no line": "/proc/no line: no line CapEff", "no number": "/proc/no number: no line CapInh", "link": "open, read, close /proc/link: too many levels"} {
		got, err := p.hasOnly(name, keep)
		tells(t, err, want)
		if got {
			t.Errorf("%s: it has only these", name)
		}
	}
	if got, err := p.hasOnly("ended", keep); err != unix.ENOENT || got {
		t.Errorf("a thread that has ended: %v, %v", got, err)
	}
	t.Run("it ends meanwhile", func(t *testing.T) {
		answers(t, unix.SYS_READ, every, 0, unix.ESRCH)
		if got, err := p.hasOnly("none", keep); err != unix.ESRCH || got {
			t.Errorf("%v, %v", got, err)
		}
	})
}

// TestShed sends the signal to the threads that have more, and to no other, until none has.
func TestShed(t *testing.T) {
	dir := t.TempDir()
	fd, err := unix.Open(dir, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	ok(t, err)
	defer func() { _ = unix.Close(fd) }()
	ok(t, errors.Join(os.WriteFile(dir+"/less", []byte(capsOf(1, 1, 1, "1")), 0o644), unix.Mkfifo(dir+"/wait", 0o600)))
	for before, takes := range map[string]bool{capsOf(0, allCaps, allCaps, "1"): true, capsOf(0, 1, 1, "0"): true, capsOf(0, 1, 1, "1"): false} {
		// A shell is a process with one thread, which gives up its capabilities by the signal.
		pid := child(t, `cd `+dir+` && mkdir -p $$/task/$$ && cp less $$ && trap 'mv -f $$/less $$/task/$$/status 2>/dev/null' PROF && echo >$$/up && exec 3<>wait && while :; do read x <&3; done`)
		name := strconv.Itoa(pid)
		soon(t, "a shell with a trap", func() bool { _, err := os.Stat(dir + "/" + name + "/up"); return err == nil })
		ok(t, os.WriteFile(dir+"/"+name+"/task/"+name+"/status", []byte(before), 0o644))
		p := &proc{dir: fd, self: pid, buf: make([]byte, 4096)}
		ok(t, p.shed(1))
		if _, err := os.Stat(dir + "/" + name + "/less"); takes != os.IsNotExist(err) {
			t.Errorf("%q: whether it has taken the signal: %v", before, err)
		}
	}
}

// TestShedFails gives up after a while, and tells of what cannot be read.
func TestShedFails(t *testing.T) {
	self := os.Getpid()
	name := strconv.Itoa(self)
	for _, c := range []struct {
		what, status string
		call         uintptr
		e            unix.Errno
		want         string
	}{
		{"it stays", capsOf(0, 2, 2, "1"), unix.SYS_TGKILL, 0, "give up privileges: thread " + name + " still has them"},
		{"no signal", capsOf(0, 2, 2, "1"), unix.SYS_TGKILL, unix.EPERM, "tgkill: operation not permitted"},
		{"nobody to signal", capsOf(0, 2, 2, "1"), unix.SYS_TGKILL, unix.ESRCH, "give up privileges: thread " + name + " still has them"},
		{"no line", "Name:\tx\n", unix.SYS_TGKILL, 0, "no line CapInh"},
		{"no list", "", unix.SYS_GETDENTS64, unix.EIO, "getdents /proc/" + name + "/task/: input/output error"},
	} {
		p := procOf(t, self, map[string]string{name + "/task/" + name + "/status": c.status})
		t.Run(c.what, func(t *testing.T) {
			answers(t, unix.SYS_NANOSLEEP, every, 0, 0)
			answers(t, c.call, every, 0, c.e)
			tells(t, p.shed(1), c.want)
		})
	}
	for _, gone := range []unix.Errno{unix.ENOENT, unix.ESRCH} {
		t.Run("it ends: "+gone.Error(), func(t *testing.T) {
			p := procOf(t, self, map[string]string{name + "/task/" + name + "/status": capsOf(0, 2, 2, "1")})
			ok(t, unix.Mkdirat(p.dir, name+"/task/1", 0o755)) // without a file: it has ended
			answers(t, unix.SYS_NANOSLEEP, every, 0, 0)
			answers(t, unix.SYS_READ, every, 0, gone)
			ok(t, p.shed(1))
		})
	}
}

// TestShedTwice looks twice: a thread may get more by the one that makes it.
func TestShedTwice(t *testing.T) {
	self := os.Getpid()
	task := strconv.Itoa(self) + "/task/" + strconv.Itoa(self)
	p := procOf(t, self, map[string]string{task + "/more": capsOf(0, 2, 2, "1")})
	ok(t, unix.Mkfifoat(p.dir, task+"/status", 0o600))
	fed := make(chan error)
	go func() {
		fd, err := unix.Openat(p.dir, task+"/status", unix.O_WRONLY|unix.O_CLOEXEC, 0) // who reads waits for it
		if err == nil {
			err = unix.Renameat(p.dir, task+"/more", p.dir, task+"/status")
			_, failed := unix.Write(fd, []byte(capsOf(0, 0, 0, "1")))
			err = errors.Join(err, failed, unix.Close(fd))
		}
		fed <- err
	}()
	t.Run("late", func(t *testing.T) {
		answers(t, unix.SYS_NANOSLEEP, every, 0, 0)
		answers(t, unix.SYS_TGKILL, every, 0, 0)
		tells(t, p.shed(0), "still has them")
	})
	ok(t, <-fed)
}

// TestSettle gives up what only a start needs: once, when the service runs, and where no command
// is left to be started.
func TestSettle(t *testing.T) {
	self := os.Getpid()
	name := strconv.Itoa(self)
	less := map[string]string{name + "/task/" + name + "/status": capsOf(8, 8, 8, "1")}
	shed := func(err error) (*loop, *[]uint64) {
		var got []uint64
		l := &loop{host: &Host{Shed: func(keep uint64) error { got = append(got, keep); return err }}, proc: procOf(t, self, less)}
		l.machine = machine{Spec: &Spec{Keep: 8}, started: true}
		return l, &got
	}
	l, got := shed(nil)
	l.started = false
	ok(t, l.settle())
	if len(*got) != 0 || l.settled {
		t.Errorf("before the start: %v", *got)
	}
	l.started = true
	ok(t, l.settle())
	ok(t, l.settle())
	if len(*got) != 1 || (*got)[0] != 8 {
		t.Errorf("kept: %v, want 8, once", *got)
	}
	for _, list := range []int{policy.ExecReload, policy.ExecReloadPost, policy.ExecStop, policy.ExecStopPost} {
		l, got := shed(nil)
		l.Commands[list] = []policy.Command{{}}
		ok(t, l.settle())
		if len(*got) != 0 || !l.settled {
			t.Errorf("with %s=: %v", policy.ExecNames[list], *got)
		}
	}
	for list := range policy.ExecStartPost + 1 {
		l, got := shed(nil)
		l.Commands[list] = []policy.Command{{}}
		if ok(t, l.settle()); len(*got) != 1 {
			t.Errorf("with %s=: %v", policy.ExecNames[list], *got)
		}
	}
	l, _ = shed(errSome)
	tells(t, l.settle(), errSome.Error())
	l, got = shed(nil)
	l.host.Shed = nil
	ok(t, l.settle())
	if l.settled || len(*got) != 0 {
		t.Error("without a way to give anything up")
	}
	l, _ = shed(nil)
	l.proc = procOf(t, self, map[string]string{name + "/task/" + name + "/status": "Name:\tx\n"})
	tells(t, l.settle(), "no line CapInh")
}

// TestSeesWith keeps what it takes to see the service's processes.
func TestSeesWith(t *testing.T) {
	asRoot(t)
	self := os.Getpid()
	name := strconv.Itoa(self)
	kept := capsOf(0, 8, 8, "1")
	files := map[string]string{name + "/task/" + name + "/status": kept, "1/stat": statOf("S", 0, 1), name + "/stat": statOf("S", 1, 1), "4194300/stat": statOf("S", self, 1)}
	for _, hidden := range []bool{false, true} {
		var got uint64
		l := &loop{host: &Host{Shed: func(keep uint64) error { got = keep; return nil }}, proc: procOf(t, self, files)}
		l.machine = machine{Spec: &Spec{Keep: 8}, started: true}
		want := uint64(8)
		if hidden {
			// As with hidepid=, it takes a privilege to read it.
			ok(t, unix.Fchmodat(l.proc.dir, "4194300/stat", 0, 0))
			ok(t, unix.Fchownat(l.proc.dir, "4194300/stat", 1234, 1234, 0))
			want |= 1 << unix.CAP_SYS_PTRACE
		}
		ok(t, l.settle())
		if got != want {
			t.Errorf("hidden %v: %#x is kept, want %#x", hidden, got, want)
		}
	}
	head := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	for _, c := range []struct {
		call uintptr
		want string
	}{{unix.SYS_CAPGET, "capget: input/output error"}, {unix.SYS_CAPSET, "capset: input/output error"}, {unix.SYS_GETDENTS64, "getdents"}} {
		p := procOf(t, self, files)
		t.Run(c.want, func(t *testing.T) {
			l := &loop{host: &Host{Shed: func(uint64) error { t.Error("it was given up"); return nil }}, proc: p}
			l.machine = machine{Spec: &Spec{}, started: true}
			answers(t, c.call, every, 0, unix.EIO)
			tells(t, l.settle(), c.want)
		})
	}
	// All are in force again afterwards, and where they cannot be it is told.
	var before, after [2]unix.CapUserData
	l := &loop{proc: procOf(t, self, files)}
	asUser(t, 0, func() {
		ok(t, unix.Capget(&head, &before[0]))
		_, err := l.seesWith(8)
		ok(t, errors.Join(err, unix.Capget(&head, &after[0])))
	})
	if before != after {
		t.Errorf("%+v, before %+v", after, before)
	}
}
