//go:build linux && cgo

package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/hardrun/hardrun/launcher"
	"github.com/hardrun/hardrun/policy"
	"github.com/hardrun/hardrun/process"
	"golang.org/x/sys/unix"
)

// child starts a program, with its standard output.
func child(t *testing.T, words ...string) (*exec.Cmd, *os.File) {
	t.Helper()
	cmd := exec.Command(words[0], words[1:]...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	out, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stdout = w
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = unix.Kill(-cmd.Process.Pid, unix.SIGKILL)
		_ = cmd.Wait()
		_ = out.Close()
	})
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return cmd, out
}

// lineOf reads a line, which is a number.
func lineOf(t *testing.T, f *os.File) int {
	t.Helper()
	var n int
	if _, err := fmt.Fscanln(f, &n); err != nil {
		t.Fatal(err)
	}
	return n
}

// goneChild is the PID of a child that has ended and was waited for.
func goneChild(t *testing.T) int {
	t.Helper()
	cmd := exec.Command("true")
	if err := cmd.Run(); err != nil {
		t.Fatal(err)
	}
	return cmd.Process.Pid
}

// The number of the main process is that of --pid, or stands in a file that nobody but root, or
// who runs this, can have written.
func TestMainPID(t *testing.T) {
	requireRoot(t)
	dir := t.TempDir()
	file := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		return path
	}
	fifo := filepath.Join(dir, "fifo")
	if err := unix.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	theirs := file("theirs", "42\n")
	if err := os.Chown(theirs, nobody, nobody); err != nil {
		t.Fatal(err)
	}
	before := openFiles()
	const irregular, none = "not a regular file of root's; --pid=N says which process it is", "there is no process ID in it"
	for _, tt := range []struct {
		path string
		pid  int
		said string // behind the path
	}{
		{file("good", "42\n"), 42, ""},
		{file("blanks", " 42 "), 42, ""},
		{file("empty", ""), 0, none},
		{file("word", "42x"), 0, none},
		{file("init", "1"), 0, none},
		{file("negative", "-42"), 0, none},
		{file("long", "99999999999999999999"), 0, none},
		{fifo, 0, irregular},
		{dir, 0, irregular},
		{theirs, 0, irregular},
		{"/proc/" + strconv.Itoa(os.Getpid()) + "/mem", 0, "input/output error"}, // a read at 0
		{dir + "/none", 0, "no such file or directory"},
	} {
		s := lines("PIDFile=" + tt.path)
		pid, err := s.mainPID()
		if pid != tt.pid || (err == nil) != (tt.said == "") || err != nil && !strings.HasSuffix(err.Error(), tt.path+": "+tt.said) {
			t.Errorf("%s: %d, %v", tt.path, pid, err)
		}
		s.p.PID = policy.Opt[int]{V: 7, Set: true}
		if pid, err := s.mainPID(); pid != 7 || err != nil {
			t.Errorf("--pid=7: %d, %v", pid, err)
		}
	}
	if pid, err := lines().mainPID(); pid != 0 || err == nil {
		t.Errorf("nothing says which process it is: %d, %v", pid, err)
	}
	if after := openFiles(); after != before {
		t.Errorf("%d descriptors are open, and were %d", after, before)
	}
	part(t, "main PID", nobody, "65536 <nil>\n")
}

// openFiles is how many descriptors are open.
func openFiles() int { return len(must(os.ReadDir("/proc/self/fd"))) }

func partMainPID(string) {
	tell(lines("PIDFile=/proc/sys/kernel/ngroups_max").mainPID()) // a file of root's
}

// A number that no process has, or that is none of a process, is no service.
func TestDoRefuses(t *testing.T) {
	thread := 0
	tasks, err := os.ReadDir("/proc/self/task")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range tasks {
		if n, _ := strconv.Atoi(e.Name()); n != os.Getpid() {
			thread = n
		}
	}
	gone := goneChild(t)
	for pid, want := range map[int]ended{
		gone:   {code: 1, said: "hardrun: --do=stop: there is no process " + strconv.Itoa(gone) + "\n"},
		thread: {code: launcher.ExitExec, said: "hardrun: pidfd_open: "},
	} {
		s := lines()
		s.p.Do.V, s.p.PID = "stop", policy.Opt[int]{V: pid, Set: true}
		if said, status := says(t, s.do); status != want.code || !strings.HasPrefix(said, want.said) {
			t.Errorf("%d: status %d, %q", pid, status, said)
		}
	}
}

// The daemon behind a process that only waits is its one child.
func TestOnlyChild(t *testing.T) {
	cmd, out := child(t, "/bin/sh", "-c", "sleep 60 & echo $!; kill -STOP $$; sleep 60 & echo $!; wait")
	sleep := lineOf(t, out)
	if got, err := onlyChild(cmd.Process.Pid); got != sleep || err != nil {
		t.Errorf("%d, %v; want %d", got, err, sleep)
	}
	if got, err := onlyChild(sleep); got != 0 || err == nil || !strings.HasSuffix(err.Error(), `has not one child, the daemon: ""`) {
		t.Errorf("without a child: %d, %v", got, err)
	}
	var ws unix.WaitStatus
	if _, err := unix.Wait4(cmd.Process.Pid, &ws, unix.WUNTRACED, nil); err != nil || !ws.Stopped() {
		t.Fatal(ws, err)
	}
	if err := cmd.Process.Signal(unix.SIGCONT); err != nil {
		t.Fatal(err)
	}
	second := lineOf(t, out)
	if got, err := onlyChild(cmd.Process.Pid); got != 0 || err == nil || !strings.Contains(err.Error(), strconv.Itoa(second)) {
		t.Errorf("with two: %d, %v", got, err)
	}
	if got, err := onlyChild(goneChild(t)); got != 0 || !errors.Is(err, os.ErrNotExist) {
		t.Errorf("of no process: %d, %v", got, err)
	}
}

// A process is the service's where it has the user of User=; of a command with "+" or "!" that is
// not known. The commands of --do get the directories.
func TestFound(t *testing.T) {
	me := strconv.Itoa(os.Getuid())
	accounts(t, "demo:x:"+me+":1::/:/bin/sh\nother:x:12345:1::/:/bin/sh\n", "")
	for _, tt := range []struct {
		lines string
		user  string
		said  string
	}{
		{"ExecStart=/bin/x", "", ""},
		{"User=demo; ExecStart=/bin/x", "demo", ""},
		{"User=other; ExecStart=/bin/x", "other", " has uid " + me + ", and is not the service's: User=other"},
		{"User=other; ExecStart=+/bin/x", "other", ""},
		{"User=other; ExecStart=!/bin/x", "other", ""},
		{"User=none; ExecStart=/bin/x", "none", "none"},
		{"DynamicUser=yes; ExecStart=/bin/x", "demo", ""},
		{"DynamicUser=yes; User=none; ExecStart=/bin/x", "none", " has not the user of a DynamicUser="},
		{"DynamicUser=yes; User=1234; ExecStart=/bin/x", "1234", " has not the user of a DynamicUser="}, // an id that nobody has
		{"StateDirectory=a; ExecStart=/bin/x", "", ""},
	} {
		s := lines(strings.Split(tt.lines, "; ")...)
		err := s.found(os.Getpid())
		if (err == nil) != (tt.said == "") || err != nil && !strings.Contains(err.Error(), tt.said) || s.p.User.V != tt.user || s.given.Who != nil {
			t.Errorf("%s: %v, User=%s", tt.lines, err, s.p.User.V)
		}
		var environ []string
		if strings.HasPrefix(tt.lines, "State") {
			environ = []string{"STATE_DIRECTORY=/var/lib/a"}
		}
		if !slices.Equal(s.given.Environ, environ) {
			t.Errorf("%s: %q", tt.lines, s.given.Environ)
		}
	}
	if err := lines().found(goneChild(t)); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a process that is not there: %v", err)
	}
	// Of the processes 1 that of the machine is none.
	var st unix.Stat_t
	if err := unix.Stat("/proc/self/ns/pid", &st); err != nil {
		t.Fatal(err)
	}
	const first = 0xeffffffc // PROC_PID_INIT_INO
	if err := lines().found(1); (err != nil) != (st.Ino == first) {
		t.Errorf("process 1 in the PID namespace %#x: %v", st.Ino, err)
	}
	if os.Getuid() == 0 {
		part(t, "found", 61300, "<nil> &{dyn 61300 61300 / /usr/sbin/nologin false} STATE_DIRECTORY=/var/lib/a\n")
	}
}

func partFound(string) {
	s := lines("DynamicUser=yes", "User=dyn", "StateDirectory=a")
	err := s.found(os.Getpid())
	tell(err, s.given.Who, strings.Join(s.given.Environ, " "))
}

// A stop takes the main process that has ended for what it is, and says why one has not.
func TestStop(t *testing.T) {
	cmd, _ := child(t, "sleep", "60")
	fd, err := unix.PidfdOpen(cmd.Process.Pid, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = unix.Close(fd) }()
	stop := func(s *service) func() int { return func() int { return s.stop(fd, nil) } }
	if said, status := says(t, stop(lines("KillMode=none"))); status != 1 || said != "hardrun: --do=stop: the main process has not ended, and KillMode=none\n" {
		t.Errorf("status %d, %q", status, said)
	}
	if said, status := says(t, stop(lines())); status != 0 || said != "" {
		t.Errorf("status %d, %q", status, said)
	}
	if _, err := cmd.Process.Wait(); err != nil {
		t.Fatal(err)
	}
	if said, status := says(t, stop(lines("KillMode=none"))); status != 0 || said != "" {
		t.Errorf("it has ended: status %d, %q", status, said)
	}
	s := lines()
	s.clean = append(s.clean, func() []error { return []error{unix.EBUSY} })
	if said, status := says(t, stop(s)); status != 1 || said != "hardrun: device or resource busy\n" {
		t.Errorf("what is to be done at the end fails: status %d, %q", status, said)
	}
	for _, do := range []string{"reload", "stop"} {
		s := lines()
		s.p.Do.V = do
		if said, status := says(t, func() int { return s.ask(fd) }); status != 1 || said != "hardrun: pidfd_send_signal: no such process\n" {
			t.Errorf("a parent that has ended: status %d, %q", status, said)
		}
	}
	s = lines("Type=notify-reload")
	if said, status := says(t, func() int { return s.reload(fd, nil) }); status != 1 || said != "hardrun: pidfd_send_signal: no such process\n" {
		t.Errorf("a reload of what has ended: status %d, %q", status, said)
	}
}

// A parent is asked by signals, and the end of a stop is waited for.
func TestAsk(t *testing.T) {
	for do, signal := range map[string]unix.Signal{"reload": unix.SIGHUP, "stop": unix.SIGTERM} {
		cmd, _ := child(t, "sleep", "60")
		fd, err := unix.PidfdOpen(cmd.Process.Pid, 0)
		if err != nil {
			t.Fatal(err)
		}
		s := lines()
		s.p.Do.V = do
		said, status := says(t, func() int { return s.ask(fd) })
		state, err := cmd.Process.Wait()
		if err != nil {
			t.Fatal(err)
		}
		if ws := state.Sys().(syscall.WaitStatus); status != 0 || said != "" || unix.Signal(ws.Signal()) != signal {
			t.Errorf("--do=%s: status %d, %q, ended by %v", do, status, said, ws.Signal())
		}
		if err := unix.Close(fd); err != nil {
			t.Error(err)
		}
	}
}

// ExecReloadPost= comes after an ExecReload= that has not failed.
func TestReload(t *testing.T) {
	requireRoot(t)
	cmd, _ := child(t, "sleep", "60")
	for _, tt := range []struct {
		unit      string
		code      int
		out, said string
	}{
		{"ExecReload=/bin/echo a; ExecReloadPost=/bin/echo b", 0, "a\nb\n", ""},
		{"ExecReload=/bin/false; ExecReloadPost=/bin/echo b", 1, "", "hardrun: ExecReload= demo.service:4: exit status 1\n"},
		{"ExecReload=-/bin/false; ExecReloadPost=/bin/echo b", 0, "b\n", ""},
		{"ExecReloadPost=/bin/echo b", 1, "", "hardrun: --do=reload: the unit has no ExecReload=\n"},
	} {
		r := launches(t, "ExecStart=/bin/x; "+tt.unit, "--do=reload", "--pid="+strconv.Itoa(cmd.Process.Pid))
		if want := (ended{tt.code, r.pid, tt.out, tt.said}); r != want {
			t.Errorf("%s:\n%+v, want\n%+v", tt.unit, r, want)
		}
	}
}

// A signal to who waits for the end of a process is not that end.
func TestHasEndedInterrupted(t *testing.T) {
	cmd, _ := child(t, "sleep", "60")
	fd, err := unix.PidfdOpen(cmd.Process.Pid, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = unix.Close(fd) }()
	if gone, err := hasEnded(fd, 0); gone || err != nil {
		t.Errorf("%v, %v, and it runs", gone, err)
	}
	tid := make(chan int)
	done := make(chan error)
	go func() {
		runtime.LockOSThread()
		tid <- unix.Gettid()
		gone, err := hasEnded(fd, process.Infinity)
		if err == nil && !gone {
			err = unix.EIO
		}
		done <- err
	}()
	thread := <-tid
	for range 3 {
		for sleeps := false; !sleeps; {
			text, err := os.ReadFile("/proc/self/task/" + strconv.Itoa(thread) + "/stat")
			if err != nil {
				t.Fatal(err)
			}
			sleeps = strings.Contains(string(text), ") S ")
		}
		if err := unix.Tgkill(os.Getpid(), thread, unix.SIGURG); err != nil {
			t.Fatal(err)
		}
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// The status of a child is its own, or 255 where a signal ended it.
func TestWaitFor(t *testing.T) {
	for text, want := range map[string]int{"exit 0": 0, "exit 7": 7, "kill -9 $$": 255} {
		cmd := exec.Command("/bin/sh", "-c", text)
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		if status, err := waitFor(cmd.Process.Pid); status != want || err != nil {
			t.Errorf("%s: %d, %v", text, status, err)
		}
		_ = cmd.Process.Release()
	}
	if status, err := waitFor(goneChild(t)); status != 0 || err == nil || err.Error() != "wait4: no child processes" {
		t.Errorf("no child: %d, %v", status, err)
	}
}

// sleeper is a child of a child.
func sleeper() (pid, pidfd int) {
	cmd := exec.Command("sleep", "60")
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: unix.SIGKILL}
	must(0, cmd.Start())
	return cmd.Process.Pid, must(unix.PidfdOpen(cmd.Process.Pid, 0))
}

func partNoPoll(string) {
	_, fd := sleeper()
	must(0, unix.Setrlimit(unix.RLIMIT_NOFILE, &unix.Rlimit{})) // poll(2): EINVAL
	gone, err := hasEnded(fd, 0)
	tell("poll:", gone, err)
	tell("stop:", lines().stop(fd, nil))
	s := lines()
	s.p.Do.V = "stop"
	var fds unix.FdSet
	fds.Set(fd)
	n := must(unix.Select(fd+1, &fds, nil, nil, &unix.Timeval{}))
	tell("it was sent a signal:", n != 0)
	tell("ask:", s.ask(fd))
}

// Where it cannot be waited for the end of a process, nothing is done to it any more.
func TestNoPoll(t *testing.T) {
	part(t, "no poll", uint32(os.Getuid()), `
hardrun: --do=stop: poll: invalid argument
hardrun: poll: invalid argument
poll: false poll: invalid argument
stop: 1
it was sent a signal: false
ask: 1
`)
}

func partNoWait(string) {
	pid, fd := sleeper()
	(&lie{unix.SYS_WAIT4, every, 0, 0}).install()
	status, err := waitFor(pid)
	tell("a wait4(2) that lies:", status, err)
	gone, err := hasEnded(fd, process.Infinity)
	tell("it was killed:", gone, err)
}

// A child that cannot be waited for is killed.
func TestNoWait(t *testing.T) {
	part(t, "no wait", uint32(os.Getuid()), `
a wait4(2) that lies: 0 wait4: input/output error
it was killed: true <nil>
`)
}

func partNoProc(string) {
	ownRun()
	must(0, unix.Mount("tmpfs", "/proc", "tmpfs", 0, ""))
	must(0, os.Mkdir("/proc/5", 0o755))
	must(0, os.WriteFile("/proc/5/status", []byte("Name:\tx\nGid:\t0\t0\t0\t0\n"), 0o644))
	uid, err := userOf(5)
	tell("no line:", uid, err)
	must(0, os.WriteFile("/proc/5/status", []byte("Name:\tx\nUid:\t7\t8\t9\t10\n"), 0o644))
	uid, err = userOf(5)
	tell("a line:", uid, err)
	tell("process 1:", lines().found(1))
	tell("process 5:", lines().found(5))
	s := lines("ExecReload=/bin/true", "ExecStartPre=/bin/true")
	tell("reload:", s.commands(policy.ExecReload, nil))
	before := func() {
		status, on := s.before()
		tell("before:", status, on)
	}
	before()
	pid, _ := sleeper() // what is there already must be known
	before()
	must(0, unix.Kill(pid, unix.SIGKILL))
	must(unix.Wait4(pid, nil, 0, nil))
	(&lie{unix.SYS_PRCTL, 1, 0, uint32(unix.EPERM)}).install()
	status, on := lines("ExecStart=/bin/true").before()
	tell("nothing before:", status, on)
	before()
}

// Without a /proc no command is started, and no process is taken for the service's.
func TestNoProc(t *testing.T) {
	requireRoot(t)
	part(t, "no proc", 0, `
hardrun: ExecReload= demo.service:1: there is no /proc
hardrun: ExecStartPre= demo.service:1: there is no /proc
hardrun: fstatfs: /proc is no proc file system
hardrun: ExecStartPre= demo.service:1: there is no /proc
hardrun: prctl(PR_SET_CHILD_SUBREAPER): operation not permitted
no line: 0 /proc/5/status: there is no line Uid
a line: 7 <nil>
process 1: stat /proc/self/ns/pid: no such file or directory
process 5: <nil>
reload: 203
before: 203 false
before: 203 false
nothing before: 0 true
before: 203 false
`)
}

func partNoShares(string) {
	ownRun()
	must(0, os.WriteFile("/run/hardrun", nil, 0o600))
	pid, fd := sleeper()
	must(0, unix.Kill(pid, unix.SIGKILL))
	must(unix.Wait4(pid, nil, 0, nil))
	tell("status", lines("RuntimeDirectory=a").stop(fd, nil))
}

// Where it cannot be told who else uses a directory, a stop says so, and goes on to its end.
func TestStopWithoutShares(t *testing.T) {
	requireRoot(t)
	part(t, "no shares", 0, `
hardrun: --do=stop: /run/hardrun: is there, and no directory
status 1
`)
}

// partWaits is a program that does nothing, with the threads of Go.
func partWaits(string) {
	tell(os.Getpid())
	must(os.Stdin.Read(make([]byte, 1)))
}

// partIsHardrun makes two files that differ in nothing but their file system, and goes on as one
// of them. Before Linux 5.9 they have different numbers as well.
func partIsHardrun(string) {
	ownRun()
	for _, dir := range []string{"/run/a", "/run/b"} {
		must(0, os.Mkdir(dir, 0o755))
		must(0, unix.Mount("tmpfs", dir, "tmpfs", 0, ""))
		must(0, os.WriteFile(dir+"/test", must(os.ReadFile("/proc/self/exe")), 0o755))
	}
	must(0, os.WriteFile("/run/a/other", must(os.ReadFile("/proc/self/exe")), 0o755))
	must(0, unix.Exec("/run/a/test", []string{"test", partWord, "hardrun", ""}, nil))
}

func partHardrun(string) {
	start := func(words ...string) int {
		cmd := exec.Command(words[0], words[1:]...)
		cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: unix.SIGKILL}
		must(cmd.StdinPipe())
		out := must(cmd.StdoutPipe())
		must(0, cmd.Start())
		must(out.Read(make([]byte, 32))) // it runs
		return cmd.Process.Pid
	}
	kind := func(name string, pid int) {
		parent, waits, err := isHardrun(pid)
		tell(name, parent, waits, err)
	}
	kind("the same, with threads:", start("/run/a/test", partWord, "waits", ""))
	kind("the same, with one thread:", start("/run/a/test", launchWord, "--init", "/bin/sh", "-c", "echo; exec sleep 60"))
	kind("the same number elsewhere:", start("/run/b/test", partWord, "waits", ""))
	kind("another file:", start("/run/a/other", partWord, "waits", ""))
	kind("one thread of another file:", start("/bin/sh", "-c", "echo; exec sleep 60"))
	_, _, err := isHardrun(1 << 30)
	tell("none:", err)
}

// A hardrun is known by its file, and by its threads whether it is one that waits alone.
func TestIsHardrun(t *testing.T) {
	requireRoot(t)
	part(t, "is hardrun", 0, `
the same, with threads: true false <nil>
the same, with one thread: false true <nil>
the same number elsewhere: false false <nil>
another file: false false <nil>
one thread of another file: false false <nil>
none: stat /proc/1073741824/exe: no such file or directory
`)
}

// --do acts on the daemon behind a hardrun that only waits for it, or behind two.
func TestDoWaiting(t *testing.T) {
	requireRoot(t)
	cmd, out := child(t, binary(t), launchWord, "--init", binary(t), launchWord, "--init", "/bin/sh", "-c", "echo $$; exec sleep 60")
	daemon := lineOf(t, out)
	for _, tt := range []struct {
		unit, do  string
		code      int
		out, said string
	}{
		{"ExecReload=/bin/sh -c 'echo $$MAINPID'", "reload", 0, strconv.Itoa(cmd.Process.Pid) + "\n", ""},
		{"User=1234", "reload", launcher.ExitExec, "", "hardrun: --do=reload: process " + strconv.Itoa(daemon) + " has uid 0, and is not the service's: User=1234\n"},
		{"KillMode=mixed", "stop", 0, "", ""},
	} {
		r := launches(t, "ExecStart=/bin/x; "+tt.unit, "--do="+tt.do, "--pid="+strconv.Itoa(cmd.Process.Pid))
		if want := (ended{tt.code, r.pid, tt.out, tt.said}); r != want {
			t.Errorf("%s, %s:\n%+v, want\n%+v", tt.unit, tt.do, r, want)
		}
	}
}
