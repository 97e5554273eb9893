//go:build linux && cgo

package main

import (
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/hardrun/hardrun/launcher"
	"github.com/hardrun/hardrun/policy"
	"golang.org/x/sys/unix"
)

// launches runs hardrun with these words, and a unit demo.service where it has lines.
func launches(t *testing.T, unit string, words ...string) ended {
	t.Helper()
	file := ""
	if unit != "" {
		file = unitFile(t, "demo.service", "[Service]\nStandardOutput=inherit\n"+strings.ReplaceAll(unit, "; ", "\n")+"\n")
		words = append([]string{"--unit=" + file}, words...)
	}
	cmd := exec.Command(binary(t), append([]string{launchWord}, words...)...)
	cmd.Env = []string{"PATH=/usr/bin:/bin"}
	r := runs(t, cmd)
	if file != "" {
		r.said = strings.ReplaceAll(r.said, file, "demo.service")
	}
	return r
}

// The commands before the main one decide whether it starts, systemd.service(5).
func TestCommandsBefore(t *testing.T) {
	requireRoot(t)
	sh := func(text string) string { return "/bin/sh -c '" + text + "'" }
	for _, tt := range []struct {
		unit, words string
		code        int
		out, said   string
	}{
		{"ExecCondition=/bin/true; ExecStartPre=/bin/echo pre; ExecStart=/bin/echo main", "", 0, "pre\nmain\n", ""},
		{"ExecStartPre=/bin/echo pre; ExecStart=/bin/echo main", "--init", 0, "pre\nmain\n", ""},         // the main one starts again
		{"ExecStartPre=/bin/echo pre; ExecStart=/bin/echo main", "--private-pids", 0, "pre\nmain\n", ""}, // as process 1
		{"ExecCondition=" + sh("exit 3") + "; ExecStart=/bin/echo main", "", 0, "", "hardrun: ExecCondition= demo.service:3: exit status 3, nothing is started\n"},
		{"ExecCondition=" + sh("exit 3") + "; ExecStart=/bin/echo main", "--skip-status=9", 9, "", "hardrun: ExecCondition= demo.service:3: exit status 3, nothing is started\n"},
		{"ExecCondition=" + sh("exit 255") + "; ExecStart=/bin/echo main", "", 255, "", "hardrun: ExecCondition= demo.service:3: exit status 255\n"},
		{"ExecStartPre=" + sh("exit 3") + "; ExecStart=/bin/echo main", "--skip-status=9", 3, "", "hardrun: ExecStartPre= demo.service:3: exit status 3\n"},
		{"ExecStartPre=-/bin/false; ExecStart=/bin/echo main", "", 0, "main\n", ""},
		{"ExecStartPre=" + sh("kill -9 $$$$") + "; ExecStart=/bin/echo main", "", 255, "", "hardrun: ExecStartPre= demo.service:3: exit status 255\n"},
	} {
		r := launches(t, tt.unit, strings.Fields(tt.words)...)
		if want := (ended{tt.code, r.pid, tt.out, tt.said}); r != want {
			t.Errorf("%s:\n%+v, want\n%+v", tt.unit, r, want)
		}
	}
}

// What such a command leaves running is killed before the next, unless KillMode= says otherwise.
func TestCommandLeaves(t *testing.T) {
	requireRoot(t)
	dir := t.TempDir()
	pre, start := filepath.Join(dir, "pre"), filepath.Join(dir, "start")
	for file, text := range map[string]string{
		pre:   "sleep 60 >/dev/null 2>&1 &\necho $! >" + dir + "/pid\n",
		start: "read p <" + dir + "/pid\nif kill -9 $p 2>/dev/null; then echo alive; else echo gone; fi\n",
	} {
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for _, tt := range []struct{ unit, words, out string }{
		{"ExecStartPre=/bin/sh " + pre + "; ExecStart=/bin/sh " + start, "", "gone\n"},
		{"ExecStartPre=/bin/sh " + pre + "; ExecStart=/bin/sh " + start + "; KillMode=process", "", "alive\n"},
		{"", "-p KillMode=mixed /bin/sh " + start, "gone\n"},
	} {
		words := strings.Fields(tt.words)
		if tt.unit == "" {
			words = append([]string{"-p", "ExecStartPre=/bin/sh " + pre}, words...)
		}
		r := launches(t, tt.unit, words...)
		if want := (ended{0, r.pid, tt.out, ""}); r != want {
			t.Errorf("%s %s:\n%+v, want\n%+v", tt.unit, tt.words, r, want)
		}
	}
}

// A start that is refused says why, and starts nothing.
func TestLaunch(t *testing.T) {
	requireRoot(t)
	dropIn := unitFile(t, "demo.conf", "[Service]\nType=dbus\n")
	sock, first := filepath.Join(t.TempDir(), "demo.sock"), filepath.Join(t.TempDir(), "first.sock")
	units := t.TempDir()
	if err := os.WriteFile(filepath.Join(units, "some.socket"), []byte("[Socket]\nListenFIFO="+units+"/fifo\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	noLog := launcher.ExitFDs
	if _, err := os.Stat("/dev/log"); err == nil {
		noLog = -1 // it can be had
	}
	for _, tt := range []struct {
		unit, words string
		code        int    // -1 leaves the case out
		out, said   string // the beginning of each
	}{
		{"", "/bin/echo main", 0, "main\n", ""},
		{"", "--help", 0, "hardrun: systemd's sandbox", ""},
		{"", "version", 0, "hardrun", ""},
		{"", "--nice=1", 64, "", "hardrun: a command is missing\nhardrun: hint: "},
		{"", "--drop-in=@read-only", 64, "", "hardrun: a command is missing\nhardrun: hint: "},
		{"", "--unit-path=" + units + " --socket=some.socket --ready-fd=99 /bin/echo main", launcher.ExitFDs, "", "hardrun: X-Hardrun-ReadyFD=: "},
		{"", "--filter-out=/no/such /bin/echo main", 64, "", "hardrun: --filter-out: only plan writes the filter\nhardrun: hint: hardrun plan --filter-out=FILE …\n"},
		{"", "--nicee=1 /bin/echo main", 64, "", "hardrun: unknown option --nicee\nhardrun: hint: did you mean --nice?\n"},
		{"", "-p Usr=x /bin/echo main", 64, "", "hardrun: -p Usr=: unknown directive\nhardrun: hint: did you mean User=?\n"},
		{"", "--log=syslog /bin/echo main", noLog, "", "hardrun: --log: "},
		{"SystemCallFilter=@known no_such_call; ExecStart=/bin/echo main", "", 0, "main\n", "hardrun: note: SystemCallFilter= demo.service:3: \"no_such_call\" is no system call that is known"},
		{"ExecStart=/bin/echo main $NO_SUCH", "", 0, "main\n", "hardrun: note: not set, and so empty in the command: $NO_SUCH\n"},
		{"ExecStart=/bin/echo main; SystemCallFilter=@system-service", "", 0, "main\n", ""}, // other notes are for plan
		{"", "--drop-in=" + dropIn + " /bin/echo main", launcher.ExitBadUnit, "", "hardrun: " + dropIn + ":2: Type=: dbus wants BusName="},
		{"Type=forking; ExecStart=/bin/echo main", "--parent=never", launcher.ExitUsage, "", "hardrun: Type=: needs a parent: a daemon that forks"},
		{"ExecStart=/bin/echo main; OpenFile=/no/such", "", launcher.ExitFDs, "", "hardrun: OpenFile=: open /no/such: "},
		{"ExecStart=/bin/echo main; ExecStartPre=/bin/echo pre; RootDirectory=/no/such", "--listen=unix:" + sock, launcher.ExitChroot, "", "hardrun: "},
		{"ExecStart=/bin/echo main; RootDirectory=/no/such", "--listen=unix:" + first, launcher.ExitChroot, "", "hardrun: "},
		{"Type=oneshot; [Unit]; SuccessAction=exit", "", 0, "", ""},
	} {
		if tt.code < 0 {
			continue
		}
		r := launches(t, tt.unit, strings.Fields(tt.words)...)
		if r.code != tt.code || !strings.HasPrefix(r.out, tt.out) || !strings.HasPrefix(r.said, tt.said) || (tt.said == "") != (r.said == "") || (tt.out == "") != (r.out == "") {
			t.Errorf("%s %s:\n%+v, want\n%+v", tt.unit, tt.words, r, ended{tt.code, r.pid, tt.out, tt.said})
		}
	}
	for _, s := range []string{sock, first} {
		if _, err := os.Lstat(s); err == nil {
			t.Errorf("a start that was refused has left %s", s)
		}
	}
}

// Where no parent stays the launcher takes over what was passed: it says so, and nobody before it.
func TestInheritedAlone(t *testing.T) {
	requireRoot(t)
	file := unitFile(t, "demo.service", "[Service]\nExecStart=/bin/echo main\n")
	r := runs(t, exec.Command("/bin/sh", "-c", `LISTEN_PID=$$ LISTEN_FDS=900 exec "$@"`, "sh", binary(t), launchWord, "--unit="+file))
	if r.code != launcher.ExitFDs || r.out != "" || !strings.HasSuffix(r.said, " was not passed\n") {
		t.Errorf("%+v", r)
	}
}

// A command with "+" or "!" is told of the user that it has not; what comes with one start of it
// comes behind what all commands have.
func TestErrandOfCommand(t *testing.T) {
	accounts(t, "ann:x:1000:1000::/home/ann:/bin/sh\n", "")
	s := demo(t, "User=ann; ExecStart=/bin/x; ExecStartPre=/bin/x; ExecStartPre=!/bin/x; ExecStartPre=+/bin/x")
	s.given.Environ = []string{"A=b"}
	for i, login := range []bool{false, true, true} {
		o := s.errand(policy.ExecStartPre, i, []string{"C=d"})
		want := "A=b C=d"
		if login {
			want += " HOME=/home/ann LOGNAME=ann USER=ann SHELL=/bin/sh"
		}
		if got := strings.Join(o.given.Environ, " "); got != want || o.unit != s.in.unit || o.list != policy.ExecStartPre || o.index != i || o.exec != -1 || o.lock != -1 {
			t.Errorf("%d: %q, want %q; %+v", i, got, want, o)
		}
	}
}

// A process that is told of a command which is not there runs none.
func TestCommandMissing(t *testing.T) {
	s := demo(t, "ExecStart=/bin/x")
	s.in.errand = &errand{list: policy.ExecStop}
	if said, status := says(t, s.command); status != launcher.ExitExec || said != "hardrun: "+errTold.Error()+"\n" {
		t.Errorf("status %d, %q", status, said)
	}
}

func partDynamicMain(string) {
	ownRun()
	s := lines("DynamicUser=yes", "RootDirectory=/no/such", "ExecStart=/bin/true")
	tell(s.identity())
	status := s.main()
	tell(status, "the lock is held:", toldErrand.lock >= 3 && toldErrand.lock == toldLock)
	fd := must(unix.Open("/run/hardrun/dynamic-uid", unix.O_RDWR, 0))
	tell(unix.Flock(fd, unix.LOCK_EX|unix.LOCK_NB))
}

// The claim of a dynamic uid ends with execve(2), before which the lock is taken again.
func TestDynamicMain(t *testing.T) {
	requireRoot(t)
	part(t, "dynamic main", 0, `
hardrun: RootDirectory=: open /no/such: no such file or directory (demo.service:1)
0
210 the lock is held: true
resource temporarily unavailable
`)
}

// ownGroup is the mount of cgroup2, and the group of this process in it; empty without.
func ownGroup() (base, group string) {
	for _, dir := range []string{"/sys/fs/cgroup", "/sys/fs/cgroup/unified"} {
		var fs unix.Statfs_t
		if unix.Statfs(dir, &fs) == nil && fs.Type == unix.CGROUP2_SUPER_MAGIC {
			base = dir
		}
	}
	_, group, _ = strings.Cut("\n"+string(must(os.ReadFile("/proc/self/cgroup"))), "\n0::")
	group, _, _ = strings.Cut(group, "\n")
	return base, strings.TrimSuffix(group, "/")
}

// enterGroup moves a child to a group of its own. leave removes that, and what is left in it.
func enterGroup() (base string, leave func()) {
	base, above := ownGroup()
	own := base + above + "/hardrun-test." + strconv.Itoa(os.Getpid())
	must(0, os.Mkdir(own, 0o755))
	enter := func(dir string) { must(0, os.WriteFile(dir+"/cgroup.procs", []byte("0"), 0)) }
	enter(own)
	return base, func() {
		enter(base + above)
		for _, e := range must(os.ReadDir(own)) {
			if e.IsDir() {
				must(0, unix.Rmdir(own+"/"+e.Name()))
			}
		}
		must(0, unix.Rmdir(own))
	}
}

// requireGroup skips where a child cannot enter a group of its own.
func requireGroup(t *testing.T) {
	t.Helper()
	requireRoot(t)
	if base, group := ownGroup(); base == "" || unix.Access(base+group, unix.W_OK) != nil {
		t.Skip("needs a cgroup2 that can be written to")
	}
}

func partGroup(string) {
	base, leave := enterGroup()
	defer leave()
	for _, undo := range []bool{true, false} {
		s := lines("TasksMax=5")
		status := s.groupOf()
		exists := func() bool { return unix.Access(base+s.group.Path, unix.F_OK) == nil }
		tell(status, exists(), s.given.Group == s.group.Path, filepath.Base(s.group.Path))
		acts := s.clean
		if undo {
			acts = s.undo
		}
		tell(s.end(acts), exists())
	}
	s := lines()
	tell("no group:", s.groupOf(), s.group, len(s.undo), len(s.clean))
}

// The group of a service is removed where the start is refused, and when the service has ended.
func TestGroupOf(t *testing.T) {
	requireGroup(t)
	part(t, "group", 0, `
0 true true hardrun-demo.service
0 false
0 true true hardrun-demo.service
0 false
no group: 0 <nil> 0 0
`)
}

func partDelegate(string) {
	_, leave := enterGroup()
	defer leave()
	for _, delegate := range []string{"no", "yes"} {
		cmd := exec.Command("/proc/self/exe", launchWord, "--init", "--cgroup=demo", "-p", "Delegate="+delegate, "/bin/sh", "-c", "grep CapPrm: /proc/$PPID/status")
		cmd.Stderr = os.Stderr
		out, err := cmd.Output()
		tell(delegate, strings.Fields(string(out)), err)
	}
}

// Who waits for the daemon keeps CAP_KILL, and CAP_DAC_OVERRIDE where that takes to remove groups
// which the daemon has made: these may be those of another user.
func TestDelegateKeeps(t *testing.T) {
	requireGroup(t)
	part(t, "delegate", 0, `
no [CapPrm: 0000000000000020] <nil>
yes [CapPrm: 0000000000000022] <nil>
`)
}

func partNoGroup(string) {
	_, leave := enterGroup()
	defer leave()
	(&lie{unix.SYS_FCNTL, 1, unix.F_SETFD, uint32(unix.EPERM)}).install()
	tell(run([]string{"--init", "--cgroup=demo", "/bin/true"}))
}

// A group that cannot be handed over to who is to remove it ends the start.
func TestNoGroup(t *testing.T) {
	requireGroup(t)
	part(t, "no group", 0, `
hardrun: start again: fcntl(F_SETFD): operation not permitted
219
`)
}

func partNoMemfd(string) {
	(&lie{unix.SYS_MEMFD_CREATE, every, 0, uint32(unix.EPERM)}).install()
	tell(run([]string{"--private-pids", "-p", "OpenFile=/dev/null", "/bin/true"}))
}

// A start that cannot be told which command it is for is none.
func TestNoMemfd(t *testing.T) {
	requireRoot(t)
	part(t, "no memfd", 0, `
hardrun: start again: memfd_create: operation not permitted
203
`)
}

// partReady tells that it is ready. A main process stays until it is sent SIGTERM; one that is told
// "child" is none.
func partReady(who string) {
	end := make(chan os.Signal, 1)
	signal.Notify(end, unix.SIGTERM)
	fd := must(unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0))
	must(0, unix.Sendto(fd, []byte("READY=1"), 0, &unix.SockaddrUnix{Name: os.Getenv("NOTIFY_SOCKET")}))
	if who != "child" {
		<-end
	}
}

func partBetween(dir string) {
	ownRun()
	unit, ready := dir+"/demo.service", must(os.Executable())+" "+partWord+" ready "
	must(0, os.WriteFile(dir+"/script", []byte(ready+"child; exit 3"), 0o644))
	for _, tt := range []struct{ name, start, option string }{
		{"the main process:", ready + "main", "--parent=auto"},
		{"behind a process that waits:", ready + "main", "--init"},
		{"in a PID namespace:", ready + "main", "--private-pids"},
		{"a child of it:", "/bin/sh " + dir + "/script", "--parent=auto"},
		{"a child of it, with --init:", "/bin/sh " + dir + "/script", "--init"},
	} {
		text := "[Service]\nStandardOutput=inherit\nType=notify\nExecStart=" + tt.start + "\nExecStartPost=/bin/sh -c 'echo up; kill $MAINPID'\n"
		must(0, os.WriteFile(unit, []byte(text), 0o644))
		cmd := exec.Command("/proc/self/exe", launchWord, "--unit="+unit, tt.option)
		cmd.Stderr = os.Stderr
		out, err := cmd.Output()
		tell(tt.name, strings.TrimSpace(string(out)), err)
	}
}

// With NotifyAccess=main the daemon is heard, also where it is the child of who waits for it, and
// no other child is.
func TestBetween(t *testing.T) {
	requireRoot(t)
	part(t, "between", 0, `
hardrun: the main process ended with status 3
hardrun: the main process ended with status 3
the main process: up <nil>
behind a process that waits: up <nil>
in a PID namespace: up <nil>
a child of it:  exit status 3
a child of it, with --init:  exit status 3
`)
}
