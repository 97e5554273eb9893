package supervise

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/hardrun/hardrun/policy"
)

// heard is a loop that keeps what it says.
type heard struct {
	*loop
	said []string
}

// loopOf is the loop of a service that has no process yet, with a real /proc.
func loopOf(t *testing.T, s *Spec) *heard {
	t.Helper()
	p, err := openProc()
	ok(t, err)
	t.Cleanup(func() { _ = unix.Close(p.dir) })
	h := &heard{}
	h.loop = &loop{host: &Host{Signals: -1, Say: func(text string) { h.said = append(h.said, text) }}, proc: p, exec: -1, mainFD: -1}
	s.NotifyFD, s.ReadyFD = max(s.NotifyFD, -1), -1
	h.machine = machine{Spec: s, effects: h.loop, deadline: never, runtimeEnd: never}
	return h
}

// quietSpec is a service without commands and times.
func quietSpec(kind string) *Spec {
	return &Spec{
		Type: kind, KillMode: "process", NotifyAccess: "none", KillSignal: int(unix.SIGTERM), FinalKillSignal: int(unix.SIGKILL), ReloadSignal: int(unix.SIGHUP),
		TimeoutStart: never, TimeoutStop: never, TimeoutAbort: never, RuntimeMax: never, SendSIGKILL: true, NotifyFD: -1, ReadyFD: -1,
	}
}

// says shows that exactly these lines were said.
func (h *heard) says(t *testing.T, want ...string) {
	t.Helper()
	if strings.Join(h.said, "\n") != strings.Join(want, "\n") {
		t.Errorf("it said %q, want %q", h.said, want)
	}
	h.said = nil
}

// blocked starts a process that has all signals blocked: what is sent to it stays pending.
func blocked(t *testing.T, attr *syscall.SysProcAttr) int {
	t.Helper()
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var all, old unix.Sigset_t
	for i := range all.Val {
		all.Val[i] = ^all.Val[i]
	}
	ok(t, unix.PthreadSigmask(unix.SIG_SETMASK, &all, &old))
	pid, err := syscall.ForkExec("/bin/sleep", []string{"sleep", "1000"}, &syscall.ProcAttr{Files: []uintptr{0, 1, 2}, Sys: attr})
	ok(t, errors.Join(err, unix.PthreadSigmask(unix.SIG_SETMASK, &old, nil)))
	t.Cleanup(func() {
		_ = syscall.Kill(pid, syscall.SIGKILL)
		_, _ = syscall.Wait4(pid, nil, 0, nil)
	})
	return pid
}

// statusLine is a line of /proc/PID/status.
func statusLine(t *testing.T, pid int, name string) string {
	t.Helper()
	text, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/status")
	ok(t, err)
	return lineOf(string(text), name)
}

// pending are the signals that were sent to a process, bit n-1 for signal n.
func pending(t *testing.T, pid int) uint64 {
	t.Helper()
	mask, err := strconv.ParseUint(statusLine(t, pid, "ShdPnd"), 16, 64)
	ok(t, err)
	return mask
}

func setOf(signals ...syscall.Signal) (set uint64) {
	for _, n := range signals {
		set |= 1 << (n - 1)
	}
	return set
}

// TestHeed forwards what came, and stops and reloads the service by it.
func TestHeed(t *testing.T) {
	const term, intr, hup, chld, quit, cont, usr1 = unix.SIGTERM, unix.SIGINT, unix.SIGHUP, unix.SIGCHLD, unix.SIGQUIT, unix.SIGCONT, unix.SIGUSR1
	stopping := setOf(unix.SIGTSTP, unix.SIGTTIN, unix.SIGTTOU) // CONT takes them back
	others := Caught &^ setOf(term, intr, chld) &^ stopping
	for _, c := range []struct {
		name        string
		sent, typed uint64
		reloads     bool
		own         bool // the main process has a process group of its own
		want        uint64
		state       state
		wantReload  bool
	}{
		{"nothing", 0, 0, false, false, 0, running, false},
		{"everything but a stop", others | setOf(chld), 0, false, false, others, running, false},
		{"a stop of the process", stopping, 0, false, false, stopping, running, false},
		{"one", setOf(usr1), 0, false, false, setOf(usr1), running, false},
		{"the last", 1 << 63, 0, false, false, 1 << 63, running, false},
		{"typed", 0, setOf(quit, hup), false, false, 0, running, false},
		{"typed, in another process group", 0, setOf(quit), false, true, setOf(quit), running, false},
		{"typed and sent", setOf(quit), setOf(quit), false, false, setOf(quit), running, false},
		{"what is not for it", ^Caught, ^Caught, false, true, 0, running, false},
		{"TERM", setOf(term), 0, false, false, setOf(term, cont), stopTerm, false},
		{"INT", setOf(intr), 0, false, false, setOf(term, cont), stopTerm, false},
		{"INT by a terminal", 0, setOf(intr), false, false, setOf(term, cont), stopTerm, false},
		{"CONT", setOf(cont), 0, false, false, setOf(cont), running, false},
		{"HUP reloads", setOf(hup), 0, true, false, 0, reload, false},
		{"USR1 does not reload", setOf(usr1), 0, true, false, setOf(usr1), running, false},
		{"HUP by a terminal reloads", 0, setOf(hup), true, false, 0, reload, false},
	} {
		s := quietSpec("simple")
		if c.reloads {
			s.Commands[policy.ExecReload] = []policy.Command{{}}
		}
		l := loopOf(t, s)
		l.host.Start = func(Command) (int, error) { return os.Getpid(), nil }
		l.main, l.known, l.started, l.state = blocked(t, &syscall.SysProcAttr{Setpgid: c.own}), true, true, running
		l.heed(c.sent, c.typed)
		if got := pending(t, l.main); got != c.want {
			t.Errorf("%s: %#x was sent, want %#x", c.name, got, c.want)
		}
		if l.state != c.state {
			t.Errorf("%s: state %d, want %d", c.name, l.state, c.state)
		}
		l.says(t)
	}
	// Without a main process they are nobody's.
	l := loopOf(t, quietSpec("simple"))
	l.state = exited
	l.heed(others, 0)
	l.says(t)
	if l.sameGroup(1 << 22) {
		t.Error("nobody is in the same process group")
	}
	for kind, want := range map[string]bool{"simple": false, "notify": false, "notify-reload": true} {
		if s := quietSpec(kind); s.reloads() != want {
			t.Errorf("%s reloads: %v", kind, !want)
		}
	}
}

// TestSignal sends, and lets a stopped process go on.
func TestSignal(t *testing.T) {
	const term, cont = unix.SIGTERM, unix.SIGCONT
	for n, want := range map[syscall.Signal]uint64{term: setOf(term, cont), cont: setOf(cont)} {
		l := loopOf(t, quietSpec("simple"))
		pid := blocked(t, nil)
		l.signal(pid, int(n))
		if got := pending(t, pid); got != want {
			t.Errorf("%v: %#x was sent, want %#x", n, got, want)
		}
	}
	t.Run("KILL alone", func(t *testing.T) {
		l := loopOf(t, quietSpec("simple"))
		pid := blocked(t, nil)
		answers(t, unix.SYS_KILL, 1, uintptr(cont), unix.EPERM)
		l.signal(pid, int(unix.SIGKILL))
		l.says(t)
		soon(t, "its end", func() bool { return isZombie(pid) })
	})
	t.Run("CONT once", func(t *testing.T) {
		l := loopOf(t, quietSpec("simple"))
		sent := 0
		l.host.Say = func(string) { sent, l.complained = sent+1, false }
		answers(t, unix.SYS_KILL, 1, uintptr(cont), unix.EPERM)
		if l.signal(1<<22, int(cont)); sent != 1 {
			t.Errorf("it was sent %d times", sent)
		}
	})
}

// TestSend uses a pidfd where the main process has one, and tells of the first failure.
func TestSend(t *testing.T) {
	keepsDescriptors(t)
	const usr1, usr2 = unix.SIGUSR1, unix.SIGUSR2
	l := loopOf(t, quietSpec("simple"))
	first, second, third := blocked(t, nil), blocked(t, nil), blocked(t, nil)
	fd, err := unix.PidfdOpen(second, 0)
	ok(t, err)
	l.main, l.mainFD = first, fd
	l.send(first, int(usr1)) // goes by the pidfd, and to whom that is
	l.send(third, int(usr2))
	l.closeMain()
	if l.mainFD != -1 {
		t.Errorf("descriptor %d", l.mainFD)
	}
	if a, b, c := pending(t, first), pending(t, second), pending(t, third); a != 0 || b != setOf(usr1) || c != setOf(usr2) {
		t.Errorf("%#x, %#x and %#x were sent", a, b, c)
	}
	l.closeMain()
	l.send(first, int(usr2))
	if a := pending(t, first); a != setOf(usr2) {
		t.Errorf("%#x was sent", a)
	}
	l.send(1<<22, int(usr1)) // nobody, and no failure
	l.says(t)
	l.send(first, 65)
	l.send(first, 65)
	l.says(t, "kill("+strconv.Itoa(first)+", SIGRTMIN+31): invalid argument")
}

// TestSendTo sends to who it was, and not to another that has the PID now.
func TestSendTo(t *testing.T) {
	keepsDescriptors(t)
	const usr1, usr2 = unix.SIGUSR1, unix.SIGUSR2
	l := loopOf(t, quietSpec("simple"))
	for _, parent := range []int{l.proc.self, 1} {
		pid := blocked(t, nil)
		s, err := l.proc.look(pid)
		ok(t, err)
		s.parent = parent
		l.sendTo(s, int(usr1), int(usr2))
		if got := pending(t, pid); got != setOf(usr1, usr2) {
			t.Errorf("%#x was sent", got)
		}
	}
	pid := blocked(t, nil)
	s, err := l.proc.look(pid)
	ok(t, err)
	s.parent = 1
	other := s
	other.start++
	l.sendTo(other, int(usr1))
	if got := pending(t, pid); got != 0 {
		t.Errorf("%#x was sent to another", got)
	}
	l.sendTo(someone{pid: 1 << 22, parent: 1}, int(usr1)) // has ended
	l.says(t)
	t.Run("no pidfd", func(t *testing.T) {
		answers(t, unix.SYS_PIDFD_OPEN, every, 0, unix.ENOSYS)
		l.sendTo(s, int(usr1))
		l.sendTo(other, int(usr2))
		if got := pending(t, pid); got != setOf(usr1) {
			t.Errorf("%#x was sent", got)
		}
		l.says(t)
	})
	t.Run("it cannot be sent", func(t *testing.T) {
		answers(t, unix.SYS_PIDFD_SEND_SIGNAL, every, 0, unix.EPERM)
		l.sendTo(s, int(usr2))
		l.says(t, "kill("+strconv.Itoa(pid)+", SIGUSR2): operation not permitted")
	})
}

// TestStrike sends a signal to all but some, once to each.
func TestStrike(t *testing.T) {
	const term, hup, cont, realtime = unix.SIGTERM, unix.SIGHUP, unix.SIGCONT, 40
	for _, c := range []struct {
		n    syscall.Signal
		hup  bool
		want uint64
	}{{term, false, setOf(term, cont)}, {term, true, setOf(term, cont, hup)}, {cont, false, setOf(cont)}} {
		l := loopOf(t, quietSpec("simple"))
		l.host.KillGroup = func() error { return errSome }
		one, two, three := blocked(t, nil), blocked(t, nil), blocked(t, nil)
		l.proc.prior = []int{os.Getppid()}
		if !l.strike(int(c.n), c.hup, two, three) {
			t.Error("nobody is left")
		}
		if a, b, d := pending(t, one), pending(t, two), pending(t, three); a != c.want || b != 0 || d != 0 {
			t.Errorf("%v: %#x, %#x, %#x were sent", c.n, a, b, d)
		}
		l.says(t)
		l.proc.prior = append(l.proc.prior, one, two, three)
		if l.strike(int(c.n), c.hup, 0, 0) {
			t.Error("somebody is left of those that were there before")
		}
		for _, pid := range []int{one, two, three} {
			ok(t, syscall.Kill(pid, syscall.SIGKILL))
			_, err := syscall.Wait4(pid, nil, 0, nil)
			ok(t, err)
		}
	}
	l := loopOf(t, quietSpec("simple"))
	l.host.KillGroup = func() error { return errSome }
	if l.strike(int(unix.SIGKILL), false, 0, 0) {
		t.Error("somebody is left")
	}
	l.says(t, errSome.Error())
	l.proc = procOf(t, os.Getpid(), map[string]string{"1/x": ""})
	ok(t, unix.Symlinkat("x", l.proc.dir, "1/stat"))
	if l.strike(int(term), false, 0, 0) {
		t.Error("somebody is left")
	}
	l.says(t, "open, read, close /proc/1/stat: too many levels of symbolic links")
	if os.Geteuid() == 0 {
		// How many signals are queued is counted for each user.
		l := loopOf(t, quietSpec("simple"))
		pid := blocked(t, &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 3141592, Gid: 3141592}})
		l.strike(realtime, false, 0, 0)
		if queued := statusLine(t, pid, "SigQ"); !strings.HasPrefix(queued, "2/") { // it and CONT
			t.Errorf("queued: %s", queued)
		}
	}
}

// TestStrikeAgain looks again, for who was made meanwhile.
func TestStrikeAgain(t *testing.T) {
	l := loopOf(t, quietSpec("simple"))
	self := os.Getpid()
	first, second := strconv.Itoa(blocked(t, nil)), blocked(t, nil)
	hidden := "hidden/" + strconv.Itoa(second)
	l.proc = procOf(t, self, map[string]string{first + "/then": statOf("S", self, 1), hidden + "/stat": statOf("S", self, 1)})
	ok(t, unix.Mkfifoat(l.proc.dir, first+"/stat", 0o600))
	fed := make(chan error)
	go func() {
		fd, err := unix.Openat(l.proc.dir, first+"/stat", unix.O_WRONLY|unix.O_CLOEXEC, 0) // who reads waits for it
		if err == nil {
			err = errors.Join(unix.Renameat(l.proc.dir, first+"/then", l.proc.dir, first+"/stat"), unix.Renameat(l.proc.dir, hidden, l.proc.dir, strconv.Itoa(second)))
			_, failed := unix.Write(fd, []byte(statOf("S", self, 1)))
			err = errors.Join(err, failed, unix.Close(fd))
		}
		fed <- err
	}()
	l.strike(int(unix.SIGUSR1), false, 0, 0)
	ok(t, <-fed)
	if got := pending(t, second); got != setOf(unix.SIGUSR1, unix.SIGCONT) {
		t.Errorf("%#x was sent", got)
	}
}

// TestReap kills all but the main and the control process.
func TestReap(t *testing.T) {
	l := loopOf(t, quietSpec("simple"))
	one, two := blocked(t, nil), blocked(t, nil)
	l.main, l.control = one, two
	three := blocked(t, nil)
	l.reap()
	soon(t, "the end of the third", func() bool { return isZombie(three) })
	if isZombie(one) || isZombie(two) {
		t.Error("the main or the control process was killed")
	}
}

// TestEmpty is a service without a process, those that were there before apart.
func TestEmpty(t *testing.T) {
	l := loopOf(t, quietSpec("simple"))
	if !l.empty() {
		t.Error("somebody is there")
	}
	pid := child(t, "exit 3")
	soon(t, "its end", func() bool { return isZombie(pid) })
	if l.empty() {
		t.Error("who was not waited for is not there")
	}
	l.proc = family(t)
	if l.empty() {
		t.Error("the family is not there")
	}
	l.proc.prior = []int{11, 14, 16}
	if !l.empty() {
		t.Error("all were there before")
	}
	ok(t, unix.Symlinkat("x", l.proc.dir, "1/other"))
	ok(t, unix.Renameat(l.proc.dir, "1/other", l.proc.dir, "1/stat"))
	if l.empty() || l.guess() != 0 {
		t.Error("what cannot be known is taken for known")
	}
	l.says(t, slices.Repeat([]string{"open, read, close /proc/1/stat: too many levels of symbolic links"}, 2)...)
}

// TestAdopt takes a process of the service, and watches one that is no child.
func TestAdopt(t *testing.T) {
	keepsDescriptors(t)
	l := loopOf(t, quietSpec("forking"))
	self := l.proc.self
	pid := blocked(t, nil)
	name := strconv.Itoa(pid)
	tree := func(stat string) *proc {
		return procOf(t, self, map[string]string{"1/stat": statOf("S", 0, 1), strconv.Itoa(self) + "/stat": statOf("S", 1, 1), "4194301/stat": statOf("S", self, 1), name + "/stat": stat})
	}
	l.control = 7
	tells(t, l.adopt(7), "process 7 is the command that runs")
	l.control, l.main = 0, 8
	ok(t, l.adopt(8))
	for stat, want := range map[string]string{
		statOf("Z", self, 1):                       "process " + name + " is not there",
		statOf("S", 1, 1):                          "process " + name + " is not the service's",
		strings.Repeat(statOf("S", 4194301, 1), 1): "",
		statOf("S", self, 1):                       "",
	} {
		l.proc, l.mainFD = tree(stat), -1
		tells(t, l.adopt(pid), want)
		watched := want == "" && strings.Contains(stat, "4194301")
		if watched != (l.mainFD >= 0) {
			t.Errorf("%q: descriptor %d", stat, l.mainFD)
		}
		if watched && over(l.mainFD) {
			t.Error("it has ended")
		}
		l.closeMain()
	}
	tells(t, l.adopt(1<<22), "process 4194304 is not there")
	// Another one takes its place.
	l.proc = tree(statOf("S", 4194301, 1))
	ok(t, l.adopt(pid))
	l.proc = tree(statOf("S", self, 1))
	ok(t, l.adopt(pid))
	if l.mainFD != -1 {
		t.Error("a child is watched")
	}
	grandchild := tree(statOf("S", 4194301, 1))
	t.Run("no pidfd", func(t *testing.T) {
		answers(t, unix.SYS_PIDFD_OPEN, every, 0, unix.ENOSYS)
		ok(t, l.adopt(pid)) // a child
		l.proc = grandchild
		tells(t, l.adopt(pid), "process "+name+" is no child of the parent, and cannot be watched")
	})
}

// TestOver is a process that has ended.
func TestOver(t *testing.T) {
	keepsDescriptors(t)
	pid := child(t, "exit 0")
	fd, err := unix.PidfdOpen(pid, 0)
	ok(t, err)
	defer func() { _ = unix.Close(fd) }()
	soon(t, "its end", func() bool { return isZombie(pid) })
	if !over(fd) {
		t.Error("it is there")
	}
	t.Run("poll fails", func(t *testing.T) {
		answers(t, unix.SYS_PPOLL, every, 0, unix.EINTR)
		if over(fd) {
			t.Error("it is over, and nobody has seen it")
		}
	})
}

// TestGuess finds the only child that there is besides the known ones.
func TestGuess(t *testing.T) {
	l := loopOf(t, quietSpec("forking"))
	l.proc = family(t) // 11, and 17 below one that has ended
	for _, c := range []struct{ main, control, want int }{{0, 0, 11}, {11, 0, 0}, {0, 11, 0}, {12, 13, 11}} {
		l.main, l.control = c.main, c.control
		if got := l.guess(); got != c.want {
			t.Errorf("%+v: %d", c, got)
		}
	}
	l.main, l.control = 0, 0
	l.proc.prior = nil // two of them
	if got := l.guess(); got != 0 {
		t.Errorf("%d of two", got)
	}
	l.says(t)
}

// TestEnded finds children that have ended, and leaves them.
func TestEnded(t *testing.T) {
	if pid, err := ended(); pid != 0 || err != unix.ECHILD {
		t.Errorf("no child: %d, %v", pid, err)
	}
	alive := blocked(t, nil)
	if pid, err := ended(); pid != 0 || err != nil {
		t.Errorf("one that lives: %d, %v", pid, err)
	}
	pid := child(t, "exit 0")
	soon(t, "its end", func() bool { return isZombie(pid) })
	for range 2 {
		if got, err := ended(); got != pid || err != nil {
			t.Errorf("%d, %v, want %d, not %d", got, err, pid, alive)
		}
	}
	for _, e := range []unix.Errno{0, unix.EINVAL} {
		t.Run(fmt.Sprint("waitid answers ", int(e)), func(t *testing.T) {
			answers(t, unix.SYS_WAITID, every, 0, e)
			want := e
			if e == 0 {
				want = unix.EIO
			}
			if pid, err := ended(); pid != 0 || err != want {
				t.Errorf("%d, %v", pid, err)
			}
		})
	}
}

// TestReapAll takes the statuses of all that have ended, and tells the machine.
func TestReapAll(t *testing.T) {
	keepsDescriptors(t)
	for script, want := range map[string]end{"exit 3": {n: 3}, "kill -USR1 $$": {signal: true, n: int(unix.SIGUSR1)}} {
		l := loopOf(t, quietSpec("simple"))
		var p [2]int
		ok(t, unix.Pipe2(p[:], unix.O_CLOEXEC))
		l.main, l.known, l.started, l.state, l.exec = child(t, script), true, true, running, p[0]
		fd, err := unix.PidfdOpen(l.main, 0)
		ok(t, err)
		l.mainFD = fd
		other := child(t, "exit 0")
		l.proc.prior = []int{other, 1}
		for _, pid := range []int{l.main, other} {
			soon(t, "its end", func() bool { return isZombie(pid) })
		}
		ok(t, l.reapAll())
		if l.mainEnd != want || l.main != 0 || l.exec != -1 || l.mainFD != -1 {
			t.Errorf("%s: %+v, main %d, descriptors %d %d", script, l.mainEnd, l.main, l.exec, l.mainFD)
		}
		if l.state != dead {
			t.Errorf("%s: state %d", script, l.state)
		}
		if l.state = running; !slices.Equal(l.proc.prior, []int{1}) {
			ok(t, l.reapAll()) // it was not told of the second: the service had ended
		}
		if _, err := ended(); err != unix.ECHILD || !slices.Equal(l.proc.prior, []int{1}) {
			t.Errorf("%s: a child is left: %v, %v", script, err, l.proc.prior)
		}
		ok(t, unix.Close(p[1]))
	}
	l := loopOf(t, quietSpec("simple"))
	l.main = blocked(t, nil)
	if ok(t, l.reapAll()); l.main == 0 {
		t.Error("who lives was waited for")
	}
	ok(t, syscall.Kill(l.main, syscall.SIGKILL))
	_, err := syscall.Wait4(l.main, nil, 0, nil)
	ok(t, err)
	// What it has said before its end is heard first, or it is told why not.
	fd, address := listens(t)
	l = loopOf(t, quietSpec("notify"))
	l.NotifyFD, l.rouser = fd, &rouser{id: -1}
	pid := child(t, "exit 0")
	soon(t, "its end", func() bool { return isZombie(pid) })
	ok(t, sendOn(address, "READY=1"))
	tells(t, l.reapAll(), "timer_settime: invalid argument")
	_, err = syscall.Wait4(pid, nil, 0, nil)
	ok(t, err)
	for _, c := range []struct {
		call uintptr
		e    unix.Errno
		want string
	}{{unix.SYS_WAITID, unix.EINVAL, "waitid: invalid argument"}, {unix.SYS_WAIT4, unix.EINVAL, "wait4: invalid argument"}, {unix.SYS_WAIT4, 0, "wait4: input/output error"}} {
		l := loopOf(t, quietSpec("simple"))
		pid := child(t, "exit 0")
		soon(t, "its end", func() bool { return isZombie(pid) })
		t.Run(c.want, func(t *testing.T) {
			answers(t, c.call, every, 0, c.e)
			tells(t, l.reapAll(), c.want)
		})
		_, err := syscall.Wait4(pid, nil, 0, nil)
		ok(t, err)
	}
}

// TestTakeSignals asks which signals have come, whether or not it was told of any.
func TestTakeSignals(t *testing.T) {
	keepsDescriptors(t)
	l := loopOf(t, quietSpec("simple"))
	fd, err := unix.Eventfd(1, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
	ok(t, err)
	defer func() { _ = unix.Close(fd) }()
	l.host.Signals, l.host.Taken = fd, func() (uint64, uint64) { return 2, 3 }
	for range 2 { // the second time there is nothing to read
		if sent, typed, err := l.takeSignals(); sent != 2 || typed != 3 || err != nil {
			t.Errorf("%d %d %v", sent, typed, err)
		}
		if readable(fd) {
			t.Error("it was not read")
		}
	}
	l.host.Signals = -1
	_, _, err = l.takeSignals()
	tells(t, err, "read(eventfd): bad file descriptor")
}

// TestTellStatus tells what is new, once in a second.
func TestTellStatus(t *testing.T) {
	l := loopOf(t, quietSpec("notify"))
	l.toldAt = l.now() // nothing was told, whenever
	l.tellStatus("a")
	l.tellStatus("b") // too soon
	l.says(t, "status: a")
	l.toldAt -= statusPause
	l.tellStatus("a") // is known
	l.says(t)
	l.tellStatus("b")
	l.says(t, "status: b")
}

// TestHear takes messages of who may speak.
func TestHear(t *testing.T) {
	keepsDescriptors(t)
	fd, address := listens(t)
	outer, outerAddress := listens(t)
	fresh := func(access string) *heard {
		l := loopOf(t, quietSpec("notify"))
		l.NotifyFD, l.NotifyAccess, l.Outer = fd, access, outerAddress
		l.main, l.known, l.state, l.rouser = os.Getpid(), true, start, &rouser{}
		return l
	}
	onThread := func(what func()) {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		what()
	}
	onThread(func() {
		var err error
		l := fresh("main")
		l.NotifyFD = -1
		ok(t, l.hear()) // without a socket, and without a timer
		l.NotifyFD, l.rouser = fd, nil
		ok(t, l.hear()) // without a message
		l.rouser, err = newRouser()
		ok(t, err)
		for _, text := range []string{"READY=1\x00", "STATUS=s\nERRNO=5", "READY=1"} {
			ok(t, sendOn(address, text))
		}
		ok(t, l.hear())
		l.says(t, "status: s", "the daemon says that it has failed with error 5")
		if l.state != running || readable(fd) {
			t.Errorf("state %d", l.state)
		}
		for _, want := range []string{"STATUS=s\nERRNO=5\n", "READY=1\n"} {
			if text, _, err := receive(outer, make([]byte, 64)); text != want {
				t.Errorf("%q was passed on, want %q: %v", text, want, err)
			}
		}
		l.Outer = outerAddress + "x"
		ok(t, sendOn(address, "X=1"))
		ok(t, l.hear())
		l.says(t, "NOTIFY_SOCKET="+l.Outer+": sendto: no such file or directory")
		// It is off again, and cannot be switched on without one.
		if _, err := unix.Poll(nil, 40); err != nil {
			t.Errorf("it goes on interrupting: %v", err)
		}
		ok(t, sendOn(address, "READY=1"))
		l.rouser.id += 1000
		if err := l.hear(); err == nil || err.Error() != "timer_settime: invalid argument" || !readable(fd) {
			t.Errorf("without a timer nothing is heard: %v", err)
		}
		l.rouser.id -= 1000
		ok(t, l.hear())
		l.says(t, "NOTIFY_SOCKET="+l.Outer+": sendto: no such file or directory")
		// Who may not speak is not heard.
		nobody := fresh("none")
		nobody.rouser = l.rouser
		ok(t, sendOn(address, "READY=1\nSTATUS=s"))
		ok(t, nobody.hear())
		nobody.says(t)
		if nobody.state != start {
			t.Error("nobody was heard")
		}
		// Where the kernel does not say who it was, it is nobody, even without a main process.
		nobody = fresh("main")
		nobody.rouser, nobody.main = l.rouser, 0
		ok(t, sendOn(address, "READY=1\nSTATUS=s"))
		ok(t, unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_PASSCRED, 0))
		ok(t, nobody.hear())
		ok(t, unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_PASSCRED, 1))
		nobody.says(t)
		_, _, _ = unix.RawSyscall(unix.SYS_TIMER_DELETE, uintptr(l.rouser.id), 0, 0)
	})
	for e, want := range map[unix.Errno]string{unix.EIO: "recvmsg(NOTIFY_SOCKET): input/output error", unix.EINTR: ""} {
		t.Run(fmt.Sprint("recvmsg answers ", int(e)), func(t *testing.T) {
			runtime.LockOSThread() // and the thread ends
			l := fresh("main")
			r, err := newRouser()
			ok(t, err)
			l.rouser = r
			ok(t, sendOn(address, "READY=1"))
			answers(t, unix.SYS_RECVMSG, every, 0, e)
			tells(t, l.hear(), want)
		})
	}
}

// TestMaySpeak is NotifyAccess=.
func TestMaySpeak(t *testing.T) {
	for _, c := range []struct {
		kind, access  string
		main, control int
		between       bool
		speak         []int // of the family
	}{
		{"notify", "none", 11, 20, false, nil},
		{"notify", "main", 11, 12, false, []int{11}},
		{"notify", "exec", 11, 20, false, []int{11, 20}},
		{"notify", "all", 11, 20, false, []int{11, 12, 13, 16, 17}},
		{"notify", "main", 11, 20, true, []int{11, 12}},
		{"notify", "exec", 11, 20, true, []int{11, 12, 20}},
		{"notify", "main", 0, 20, true, nil},
		{"notify", "main", 0, 20, false, nil},
		{"forking", "main", 0, 11, false, []int{11}},
		{"forking", "main", 12, 11, false, []int{12}},
		{"forking", "main", 0, 11, true, []int{11, 12}},
	} {
		s := quietSpec(c.kind)
		s.NotifyAccess, s.Between = c.access, c.between
		l := loopOf(t, s)
		l.proc, l.main, l.control = family(t), c.main, c.control
		for _, pid := range []int{1, 10, 11, 12, 13, 14, 15, 16, 17, 20, 21, 30, 50, 60} {
			if got, want := l.maySpeak(pid), slices.Contains(c.speak, pid); got != want {
				t.Errorf("%+v: %d may speak: %v", c, pid, got)
			}
		}
	}
}

// TestStart starts a command, with a pipe that tells when it was executed.
func TestStart(t *testing.T) {
	keepsDescriptors(t)
	for _, c := range []struct {
		kind string
		main bool
		pid  int
		err  error
		want string
		pipe bool
	}{
		{"exec", true, 12, nil, "", true},
		{"exec", false, 12, nil, "", false},
		{"simple", true, 12, nil, "", false},
		{"exec", true, 12, errSome, errSome.Error(), false},
		{"exec", true, 0, errSome, errSome.Error(), false},
		{"exec", true, 0, nil, "no process was started", false},
		{"exec", true, -1, nil, "no process was started", false},
	} {
		l := loopOf(t, quietSpec(c.kind))
		var got Command
		l.host.Start = func(is Command) (int, error) { got = is; return c.pid, c.err }
		pid, err := l.start(Command{List: policy.ExecStart, Main: c.main, Exec: -1})
		tells(t, err, c.want)
		if (err == nil) != (pid == 12) {
			t.Errorf("%+v: %d", c, pid)
		}
		if (got.Exec >= 0) != (c.kind == "exec" && c.main) || got.Main != c.main || (l.exec >= 0) != c.pipe {
			t.Errorf("%+v: %+v, descriptor %d", c, got, l.exec)
		}
		if c.pipe { // the other end is closed by now
			if n, err := unix.Read(l.exec, make([]byte, 1)); n != 0 || err != nil {
				t.Errorf("%d, %v", n, err)
			}
		}
		l.closeExec()
		if l.exec != -1 {
			t.Errorf("descriptor %d", l.exec)
		}
	}
	t.Run("no pipe", func(t *testing.T) {
		l := loopOf(t, quietSpec("exec"))
		l.host.Start = func(Command) (int, error) { t.Error("it was started"); return 1, nil }
		answers(t, unix.SYS_PIPE2, every, 0, unix.EMFILE)
		_, err := l.start(Command{Main: true})
		tells(t, err, "pipe2: too many open files")
	})
}

// TestReady tells who waits that the service has started, once.
func TestReady(t *testing.T) {
	keepsDescriptors(t)
	fd, address := listens(t)
	for kind, want := range map[string]string{"simple": "READY=1\n", "notify": ""} {
		var p [2]int
		ok(t, unix.Pipe2(p[:], unix.O_CLOEXEC))
		l := loopOf(t, quietSpec(kind))
		l.ReadyFD, l.Outer = p[1], address
		l.ready()
		buf := make([]byte, 10)
		if n, err := unix.Read(p[0], buf); string(buf[:max(n, 0)]) != "\n" {
			t.Errorf("%q, %v", buf[:max(n, 0)], err)
		}
		if n, err := unix.Read(p[0], buf); n != 0 || err != nil || l.ReadyFD != -1 {
			t.Errorf("it is not closed: %d, %v, descriptor %d", n, err, l.ReadyFD)
		}
		ok(t, unix.Close(p[0]))
		text, _, _ := receive(fd, buf)
		if text != want {
			t.Errorf("%s: %q was sent", kind, text)
		}
		l.says(t)
	}
	full, err := unix.Open("/dev/full", unix.O_WRONLY|unix.O_CLOEXEC, 0)
	ok(t, err)
	l := loopOf(t, quietSpec("simple"))
	l.ReadyFD, l.Outer = full, address+"x"
	l.ready()
	l.says(t, "ready: write: no space left on device", "NOTIFY_SOCKET="+address+"x: sendto: no such file or directory")
	l.ReadyFD, l.Outer = 1<<20, ""
	l.ready()
	l.says(t, "ready: write: bad file descriptor", "ready: close: bad file descriptor")
	l.ready() // nobody waits
	l.says(t)
}

// TestOOM asks whether memory was short, where that can be known.
func TestOOM(t *testing.T) {
	l := loopOf(t, quietSpec("simple"))
	if l.oom() {
		t.Error("nobody knows")
	}
	for _, is := range []bool{true, false} {
		l.host.OOMKilled = func() bool { return is }
		if l.oom() != is {
			t.Errorf("%v was answered by %v", is, !is)
		}
	}
	if a, b := l.now(), l.now(); a == 0 || b < a {
		t.Errorf("the clock says %d, and %d then", a, b)
	}
}

// TestStrikes is where everything is killed again and again.
func TestStrikes(t *testing.T) {
	for _, c := range []struct {
		state  state
		signal syscall.Signal
		mode   string
		want   bool
	}{
		{stopKill, unix.SIGKILL, "control-group", true},
		{finalKill, unix.SIGKILL, "control-group", true},
		{stopKill, unix.SIGKILL, "mixed", true},
		{finalKill, unix.SIGKILL, "mixed", true},
		{stopTerm, unix.SIGKILL, "control-group", false},
		{stopPost, unix.SIGKILL, "mixed", false},
		{stopKill, unix.SIGUSR1, "control-group", false},
		{finalKill, unix.SIGUSR1, "mixed", false},
		{stopKill, unix.SIGKILL, "process", false},
		{stopKill, unix.SIGKILL, "none", false},
	} {
		s := quietSpec("simple")
		s.KillMode, s.FinalKillSignal = c.mode, int(c.signal)
		l := loopOf(t, s)
		l.state = c.state
		for _, pause := range []uint64{0, 7} {
			l.struck, l.pause = 1, pause
			want := pause
			if pause == 0 {
				want = 20e3
			}
			if !c.want {
				want = 0
			}
			if got := l.strikes(); got != c.want || l.pause != want || c.want && (l.struck == 1) != (pause == 7) {
				t.Errorf("%+v: %v, pause %d, struck %d", c, got, l.pause, l.struck)
			}
		}
	}
}

// TestAbandon kills what there is, and waits for its end.
func TestAbandon(t *testing.T) {
	began := time.Now()
	for mode, killed := range map[string]bool{"control-group": true, "mixed": true, "process": false, "none": false} {
		l := loopOf(t, quietSpec("simple"))
		l.KillMode = mode
		l.main, l.control = blocked(t, nil), blocked(t, nil)
		other := blocked(t, nil)
		l.abandon()
		for _, pid := range []int{l.main, l.control} {
			if err := syscall.Kill(pid, 0); err != unix.ESRCH {
				t.Errorf("%s: main or control process: %v", mode, err)
			}
		}
		if err := syscall.Kill(other, 0); (err == unix.ESRCH) != killed {
			t.Errorf("%s: another process: %v", mode, err)
		}
		l.says(t)
		_ = syscall.Kill(other, syscall.SIGKILL)
		_, _ = syscall.Wait4(other, nil, 0, nil)
	}
	if waited := time.Since(began); waited > time.Second {
		t.Errorf("it went on waiting for %v", waited)
	}
	// Without /proc there are only the known ones.
	l := loopOf(t, quietSpec("simple"))
	l.KillMode, l.proc = "control-group", nil
	l.main = blocked(t, nil)
	l.abandon()
	if err := syscall.Kill(l.main, 0); err != unix.ESRCH {
		t.Errorf("without /proc: %v", err)
	}
	// What does not end is not waited for without end.
	l = loopOf(t, quietSpec("simple"))
	l.main = blocked(t, nil)
	t.Run("it does not end", func(t *testing.T) {
		answers(t, unix.SYS_NANOSLEEP, every, 0, 0)
		answers(t, unix.SYS_KILL, every, 0, 0)
		l.abandon()
		l.says(t)
	})
}
