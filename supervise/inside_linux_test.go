package supervise

import (
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/hardrun/hardrun/policy"
)

// inside is a service that Run runs in this process, which is faster than one of its own, and lets
// calls fail.
type inside struct {
	t      *testing.T
	spec   Spec
	host   Host
	before func(t *testing.T) // on the thread of Run, before it
	wake   func()             // is as if a signal had come

	dir     string
	mu      sync.Mutex
	said    []string
	trace   []string
	sent    uint64
	typed   uint64
	thread  int
	pids    []int
	done    chan struct{}
	outcome int
}

// within makes one, of the commands as spec has them.
func within(t *testing.T, kind string, commands map[string]string) *inside {
	t.Helper()
	s := spec(kind, commands).Spec
	s.NotifyFD, s.ReadyFD = -1, -1
	v := &inside{t: t, spec: s, dir: t.TempDir(), done: make(chan struct{})}
	fd, err := unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
	ok(t, err)
	v.host = Host{
		Signals: fd,
		Taken: func() (sent, typed uint64) {
			v.mu.Lock()
			defer v.mu.Unlock()
			sent, typed, v.sent, v.typed = v.sent, v.typed, 0, 0
			return sent, typed
		},
		Say: func(text string) {
			v.mu.Lock()
			defer v.mu.Unlock()
			v.said = append(v.said, text)
		},
		Start: v.start,
		Clean: func() []error {
			v.note("clean")
			v.thread = unix.Gettid()
			return nil
		},
	}
	v.wake = func() { _, _ = unix.Write(fd, []byte{1, 0, 0, 0, 0, 0, 0, 0}) }
	ends := make(chan os.Signal, 1)
	signal.Notify(ends, unix.SIGCHLD)
	go func() {
		for range ends {
			v.wake()
		}
	}()
	t.Cleanup(func() {
		signal.Stop(ends)
		close(ends)
		for _, pid := range v.pids {
			_ = syscall.Kill(pid, syscall.SIGKILL)
			_, _ = syscall.Wait4(pid, nil, 0, nil)
		}
		_ = unix.Close(fd)
		ok(t, unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0))
	})
	return v
}

func (v *inside) note(text string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.trace = append(v.trace, text)
}

func (v *inside) start(c Command) (int, error) {
	v.note(policy.ExecNames[c.List])
	attr := &syscall.ProcAttr{Env: slices.Concat(os.Environ(), c.Environ), Files: []uintptr{0, 1, 2}, Dir: v.dir}
	if c.Exec >= 0 {
		attr.Files = append(attr.Files, uintptr(c.Exec))
	}
	pid, err := syscall.ForkExec("/bin/sh", append([]string{"sh", "-c"}, v.spec.Commands[c.List][c.Index].Args...), attr)
	if err == nil {
		v.pids = append(v.pids, pid)
	}
	return pid, err
}

// begin lets it run.
func (v *inside) begin() *inside {
	go func() {
		defer close(v.done)
		if v.before != nil {
			v.before(v.t)
		}
		v.outcome = Run(&v.spec, &v.host)
	}()
	return v
}

// send tells of signals, as a handler does.
func (v *inside) send(sent, typed uint64) {
	v.mu.Lock()
	v.sent, v.typed = v.sent|sent, v.typed|typed
	v.mu.Unlock()
	v.wake()
}

func (v *inside) there(name string) string {
	v.t.Helper()
	text := ""
	soon(v.t, name, func() bool {
		b, _ := os.ReadFile(v.dir + "/" + name)
		text = strings.TrimSpace(string(b))
		return text != ""
	})
	return text
}

// ends shows the status that it ends with, what was started, and what was said.
func (v *inside) ends(status int, trace string, said ...string) {
	v.t.Helper()
	select {
	case <-v.done:
	case <-time.After(5 * time.Second):
		v.t.Fatalf("it does not end: %q, %q", v.trace, v.said)
	}
	if v.outcome != status {
		v.t.Errorf("status %d, want %d", v.outcome, status)
	}
	if got := strings.Join(v.trace, " "); got != trace {
		v.t.Errorf("it did %q, want %q", got, trace)
	}
	if strings.Join(v.said, "\n") != strings.Join(said, "\n") {
		v.t.Errorf("it said %q, want %q", v.said, said)
	}
}

// TestRunOrder runs what is written, and ends as the service does.
func TestRunOrder(t *testing.T) {
	const all = "ExecStartPre ExecStart ExecStartPost ExecStop ExecStopPost clean"
	for _, c := range []struct {
		kind, main string
		status     int
		trace      string
		said       []string
	}{
		{"simple", "read x <up", 0, all, nil},
		{"simple", "read x <up; exit 3", 3, "ExecStartPre ExecStart ExecStartPost ExecStopPost clean", []string{"the main process ended with status 3"}},
		{"exec", "exec 3<&-; read x <up", 0, all, nil},
		{"exec", "exit 203", 203, "ExecStartPre ExecStart ExecStopPost clean", []string{"the main process ended with status 203"}},
		{"oneshot", ":", 0, all, nil},
	} {
		v := within(t, c.kind, map[string]string{pre: ":", main: c.main, post: "echo 1 >>up", stopCmd: ":", stopPostCmd: ":"})
		if c.kind != "oneshot" {
			ok(t, unix.Mkfifo(v.dir+"/up", 0o600))
		}
		v.begin().ends(c.status, c.trace, c.said...)
	}
}

// TestRunFails ends, with nothing left, when the parent cannot do what it must.
func TestRunFails(t *testing.T) {
	fd, address := listens(t)
	prctl := func(op uintptr, e unix.Errno) func(*testing.T) {
		return func(t *testing.T) { answers(t, unix.SYS_PRCTL, 0, op, e) }
	}
	call := func(nr uintptr, e unix.Errno) func(*testing.T) {
		return func(t *testing.T) { answers(t, nr, every, 0, e) }
	}
	for _, c := range []struct {
		name   string
		before func(*testing.T)
		change func(v *inside)
		starts bool
		said   string
	}{
		{"no /proc", call(unix.SYS_FSTATFS, unix.EIO), nil, false, "fstatfs: input/output error"},
		{"no list", call(unix.SYS_GETDENTS64, unix.EIO), nil, false, "getdents /proc/.: input/output error\ngetdents /proc/.: input/output error"},
		{"no subreaper", prctl(unix.PR_SET_CHILD_SUBREAPER, unix.EINVAL), nil, false, "prctl(PR_SET_CHILD_SUBREAPER): invalid argument"},
		{"whether it is one", prctl(unix.PR_GET_CHILD_SUBREAPER, unix.EINVAL), nil, false, "prctl(PR_GET_CHILD_SUBREAPER): invalid argument"},
		{"which is none", prctl(unix.PR_SET_CHILD_SUBREAPER, 0), nil, false, "prctl(PR_GET_CHILD_SUBREAPER): this process is no subreaper"},
		{"no timer", call(unix.SYS_TIMER_CREATE, unix.EAGAIN), func(v *inside) { v.spec.NotifyFD, v.spec.NotifyPath = fd, "@" }, false, "timer_create: resource temporarily unavailable"},
		{"no wait", call(unix.SYS_PPOLL, unix.EINVAL), nil, true, "ppoll: invalid argument"},
		{"no signals", nil, func(v *inside) { v.host.Signals = 1 << 20 }, true, "read(eventfd): bad file descriptor"},
		{"no statuses", call(unix.SYS_WAITID, unix.EINVAL), nil, true, "waitid: invalid argument"},
		{"no messages", call(unix.SYS_RECVMSG, unix.EIO), func(v *inside) { v.spec.NotifyFD, v.spec.NotifyPath = fd, "@" }, true, "recvmsg(NOTIFY_SOCKET): input/output error"},
		{"privileges stay", nil, func(v *inside) { v.host.Shed = func(uint64) error { return errSome } }, true, errSome.Error()},
	} {
		t.Run(c.name, func(t *testing.T) {
			v := within(t, "simple", map[string]string{main: "sleep 1000 & sleep 1000"})
			if v.before = c.before; c.change != nil {
				c.change(v)
			}
			if v.spec.NotifyFD >= 0 && !readable(fd) {
				ok(t, sendOn(address, "READY=1"))
			}
			v.begin().wake()
			if c.starts {
				v.ends(71, "ExecStart clean", c.said)
			} else {
				v.ends(71, "clean", c.said)
			}
			if _, err := ended(); err != unix.ECHILD {
				t.Errorf("a child is left: %v", err)
			}
		})
	}
}

// TestRunThread lives on the thread of Run, which ends with it: it is nobody else's.
func TestRunThread(t *testing.T) {
	v := within(t, "oneshot", map[string]string{main: ":"}).begin()
	v.ends(0, "ExecStart clean")
	soon(t, "the end of the thread", func() bool {
		_, err := os.Stat("/proc/self/task/" + strconv.Itoa(v.thread))
		return os.IsNotExist(err)
	})
}

// TestRunCleans removes PIDFile= and the socket, and says what stays.
func TestRunCleans(t *testing.T) {
	gone := func(v *inside, name string, want bool) {
		t.Helper()
		if _, err := os.Lstat(v.dir + "/" + name); os.IsNotExist(err) != want {
			t.Errorf("%s is gone: %v", name, !want)
		}
	}
	forks := map[string]string{main: "exec 3<&-; sleep 1000 & echo $! >real/pid"}
	for _, through := range []string{"real", "link"} {
		v := within(t, "forking", forks)
		ok(t, os.Mkdir(v.dir+"/real", 0o755))
		ok(t, os.Symlink("real", v.dir+"/link"))
		v.spec.PIDFile = v.dir + "/" + through + "/pid"
		var ready [2]int
		ok(t, unix.Pipe2(ready[:], unix.O_CLOEXEC))
		v.spec.ReadyFD = ready[1]
		v.begin()
		_, err := unix.Read(ready[0], make([]byte, 1))
		ok(t, errors.Join(err, unix.Close(ready[0])))
		v.send(setOf(unix.SIGTERM), 0)
		if through == "real" {
			v.ends(0, "ExecStart clean")
			gone(v, "real/pid", true)
		} else {
			v.ends(0, "ExecStart clean", "PIDFile="+v.spec.PIDFile+": it stays: openat2: too many levels of symbolic links")
			gone(v, "real/pid", false)
		}
	}
	// The file of another service, perhaps: this one never had a main process.
	v := within(t, "forking", map[string]string{pre: "exit 5", main: ":"})
	v.spec.PIDFile = v.dir + "/pid"
	ok(t, os.WriteFile(v.spec.PIDFile, nil, 0o644))
	v.begin().ends(5, "ExecStartPre clean", "ExecStartPre= ended with status 5")
	gone(v, "pid", false)

	for _, c := range []struct {
		name string
		make func(path string) error
		said string
	}{
		{"the socket", func(string) error { return nil }, ""},
		{"nothing", os.Remove, ""},
		{"a directory", func(path string) error { return errorsJoin(os.Remove(path), os.Mkdir(path, 0o755)) }, "unlink %s: is a directory"},
	} {
		v := within(t, "oneshot", map[string]string{main: ":"})
		v.spec.NotifyPath = v.dir + "/n/s"
		fd, err := Listen(v.spec.NotifyPath)
		ok(t, err)
		ok(t, c.make(v.spec.NotifyPath))
		v.spec.NotifyFD = fd
		var said []string
		if c.said != "" {
			said = []string{fmt.Sprintf(c.said, v.spec.NotifyPath)}
		}
		v.begin().ends(0, "ExecStart clean", said...)
		gone(v, "n/s", c.said == "")
		ok(t, unix.Close(fd))
	}
	// An abstract name is no path.
	v = within(t, "oneshot", map[string]string{main: ":"})
	t.Chdir(v.dir)
	ok(t, os.WriteFile("@hardrun-test-run", nil, 0o644))
	v.spec.NotifyPath = "@hardrun-test-run"
	fd, err := Listen(v.spec.NotifyPath)
	ok(t, err)
	v.spec.NotifyFD = fd
	v.begin().ends(0, "ExecStart clean")
	gone(v, "@hardrun-test-run", false)
	ok(t, unix.Close(fd))

	v = within(t, "oneshot", map[string]string{main: ":"})
	v.host.Clean = func() []error { return []error{errSome, errSome} }
	v.begin().ends(0, "ExecStart", errSome.Error(), errSome.Error())
}

// TestRunWatches follows a main process that is no child, and forwards to it.
func TestRunWatches(t *testing.T) {
	v := within(t, "forking", map[string]string{main: "(sleep 1000 & echo $! >pid; exec sleep 1000) & until test -s pid; do :; done", reloadCmd: "echo $MAINPID >asked", "ExecReloadPost": "echo 1 >reloaded"})
	v.spec.PIDFile, v.spec.KillMode = v.dir+"/pid", "control-group"
	v.begin()
	pid := v.there("pid")
	v.send(setOf(unix.SIGHUP), 0)
	if got := v.there("asked"); got != pid {
		t.Errorf("MAINPID is %s, want %s", got, pid)
	}
	v.there("reloaded")
	v.send(setOf(unix.SIGUSR1), 0)
	v.ends(0, "ExecStart ExecReload ExecReloadPost clean", "the main process has ended, and its status is its parent's")
	if left, _ := filepath.Glob("/proc/" + pid); left != nil {
		t.Errorf("%v is left", left)
	}
}

// TestRunTimes ends what takes too long.
func TestRunTimes(t *testing.T) {
	v := within(t, "oneshot", map[string]string{main: "exec sleep 1000", stopPostCmd: ":"})
	v.spec.TimeoutStart = 10e3
	v.begin().ends(124, "ExecStart ExecStopPost clean", "the start: the time is over", "the main process was ended by SIGTERM")
	v = within(t, "simple", map[string]string{main: "exec sleep 1000"})
	v.spec.RuntimeMax, v.spec.RuntimeExtra = 5e3, 5e3
	v.begin().ends(124, "ExecStart clean", "running: the time is over")
}

// TestPrepare adds a random time to RuntimeMaxSec=, no longer than it may be.
func TestPrepare(t *testing.T) {
	defer func() { ok(t, unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0)) }()
	for _, c := range []struct{ most, extra, least, want uint64 }{
		{5, 0, 0, 0}, {never, 5, 0, 0}, {5, 1, 0, 1}, {5, 1 << 62, 1 << 32, 1 << 62}, {5, never, never, never},
	} {
		seen := map[uint64]bool{}
		for range 20 {
			s := quietSpec("simple")
			s.RuntimeMax, s.RuntimeExtra = c.most, c.extra
			l := &loop{machine: machine{Spec: s}}
			ok(t, l.prepare())
			ok(t, unix.Close(l.proc.dir))
			if l.rouser != nil || l.RuntimeExtra < c.least || l.RuntimeExtra > c.want {
				t.Errorf("%+v: %d", c, l.RuntimeExtra)
			}
			seen[l.RuntimeExtra] = true
		}
		if len(seen) == 1 != (c.want == c.least) {
			t.Errorf("%+v: %v", c, seen)
		}
	}
}

// turns is a loop that can take a turn, with a deadline that ends the wait of it.
func turns(t *testing.T, s *Spec, state state) *heard {
	t.Helper()
	l := loopOf(t, s)
	fd, err := unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
	ok(t, err)
	t.Cleanup(func() { _ = unix.Close(fd) })
	l.host.Signals, l.host.Taken = fd, func() (uint64, uint64) { return 0, 0 }
	l.state, l.deadline = state, l.now()+10e6
	return l
}

// TestTurnPIDFile looks for PIDFile= from time to time.
func TestTurnPIDFile(t *testing.T) {
	s := quietSpec("simple")
	s.PIDFile = t.TempDir() + "/pid"
	l := turns(t, s, startPost)
	l.main, l.known, l.started, l.wantPIDFile, l.looked = blocked(t, nil), true, true, true, l.now()
	ok(t, os.WriteFile(s.PIDFile, []byte(strconv.Itoa(l.main)), 0o644))
	l.deadline = l.now() + 1e3
	l.TimeoutStop = 10e6
	began := l.now()
	l.deadline = began + 10e6
	ok(t, l.turn()) // which waits for that time
	if waited := l.now() - began; l.state != running || l.wantPIDFile || waited < pidFilePause/2 || waited > 5e6 {
		t.Errorf("state %d after %d µs", l.state, waited)
	}
	l = turns(t, s, startPost)
	l.main, l.known, l.wantPIDFile, l.looked = blocked(t, nil), true, true, l.now()+1e9
	_, err := unix.Write(l.host.Signals, []byte{1, 0, 0, 0, 0, 0, 0, 0})
	ok(t, err)
	ok(t, l.turn())
	if l.state != startPost {
		t.Error("it was looked for too soon")
	}
}

// TestTurnStrikes kills again what a first time was not enough for.
func TestTurnStrikes(t *testing.T) {
	s := quietSpec("simple")
	s.KillMode = "control-group"
	l := turns(t, s, stopKill)
	pid := blocked(t, nil)
	began := l.now()
	ok(t, l.turn())
	soon(t, "its end", func() bool { return isZombie(pid) })
	if waited := l.now() - began; l.pause != 40e3 || waited > 5e6 {
		t.Errorf("the next pause is %d µs, after %d", l.pause, waited)
	}
	_, err := syscall.Wait4(pid, nil, 0, nil)
	ok(t, err)
	pid = blocked(t, nil)
	l.struck, l.pause = l.now(), 1e9
	_, err = unix.Write(l.host.Signals, []byte{1, 0, 0, 0, 0, 0, 0, 0})
	ok(t, err)
	ok(t, l.turn())
	if isZombie(pid) || l.pause != 1e9 {
		t.Error("it was killed again too soon")
	}
}

// TestTurnEmpty goes on when nobody is left.
func TestTurnEmpty(t *testing.T) {
	for _, there := range []bool{false, true} {
		l := turns(t, quietSpec("simple"), stopTerm)
		if there {
			blocked(t, nil)
		}
		_, err := unix.Write(l.host.Signals, []byte{1, 0, 0, 0, 0, 0, 0, 0})
		ok(t, err)
		ok(t, l.turn())
		if (l.state == dead) != !there {
			t.Errorf("somebody is there: %v, state %d", there, l.state)
		}
		l.says(t)
	}
}

// TestTurnExec takes the end of the pipe for the start, once, unless the process has ended.
func TestTurnExec(t *testing.T) {
	keepsDescriptors(t)
	for _, c := range []struct {
		name         string
		open, ended  bool
		want         state
		postsStarted int
	}{{"executed", false, false, startPost, 1}, {"not yet", true, false, start, 0}, {"ended", false, true, dead, 0}} {
		s := quietSpec("exec")
		s.Commands[policy.ExecStart] = []policy.Command{{}}
		s.Commands[policy.ExecStartPost] = []policy.Command{{}}
		l := turns(t, s, start)
		posts := 0
		l.host.Start = func(Command) (int, error) { posts++; return 1 << 22, nil }
		if l.main, l.known = blocked(t, nil), true; c.ended {
			ok(t, syscall.Kill(l.main, syscall.SIGKILL))
			soon(t, "its end", func() bool { return isZombie(l.main) })
		}
		var p [2]int
		ok(t, unix.Pipe2(p[:], unix.O_CLOEXEC))
		if l.exec = p[0]; c.open {
			_, err := unix.Write(l.host.Signals, []byte{1, 0, 0, 0, 0, 0, 0, 0})
			ok(t, err)
		} else {
			ok(t, unix.Close(p[1]))
		}
		ok(t, l.turn())
		if l.state != c.want || posts != c.postsStarted || (l.exec >= 0) != c.open {
			t.Errorf("%s: state %d, %d commands, descriptor %d", c.name, l.state, posts, l.exec)
		}
		if c.open {
			l.closeExec()
			ok(t, unix.Close(p[1]))
		}
		if l.main != 0 {
			ok(t, syscall.Kill(l.main, syscall.SIGKILL))
			_, err := syscall.Wait4(l.main, nil, 0, nil)
			ok(t, err)
		}
	}
}
