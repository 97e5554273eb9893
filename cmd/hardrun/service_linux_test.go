//go:build linux && cgo

package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/hardrun/hardrun/caps"
	"github.com/hardrun/hardrun/dirs"
	"github.com/hardrun/hardrun/launcher"
	"github.com/hardrun/hardrun/policy"
	"github.com/hardrun/hardrun/supervise"
	"golang.org/x/sys/unix"
)

// serviceOf is a service as serve makes it.
func serviceOf(in *invocation) *service {
	return &service{in: in, p: &in.policy, t: newThread(), name: "demo.service", given: launcher.Given{Net: -1, IPC: -1, Tmp: -1, VarTmp: -1}}
}

// demo is a service of a unit with these lines.
func demo(t *testing.T, unit string, words ...string) *service {
	t.Helper()
	return serviceOf(starting(t, unit, words...))
}

// says runs a function that answers a status: what it says, and the status.
func says(t *testing.T, f func() int) (string, int) {
	t.Helper()
	_, said, status := ran(t, func([]string) int { return f() })
	return said, status
}

// partsOf are what a child does with a part of a service: it changes what belongs to the whole
// process, or has to be another user.
var partsOf = map[string]func(dir string){
	"notify":       partNotify,
	"inherited":    partInherited,
	"shared":       partShared,
	"directories":  partDirectories,
	"identity":     partIdentity,
	"no proc":      partNoProc,
	"no shares":    partNoShares,
	"no poll":      partNoPoll,
	"no wait":      partNoWait,
	"booted":       partBooted,
	"found":        partFound,
	"main PID":     partMainPID,
	"waits":        partWaits,
	"is hardrun":   partIsHardrun,
	"hardrun":      partHardrun,
	"dynamic main": partDynamicMain,
	"group":        partGroup,
	"delegate":     partDelegate,
	"no memfd":     partNoMemfd,
	"no group":     partNoGroup,
	"ready":        partReady,
	"between":      partBetween,
	"catch":        partCatch,
	"settle":       partSettle,
	"main":         partMain,
	"limit":        partLimit,
	"linked proc":  partLinkedProc,
}

// part runs one of them, by default as the user of this test, and compares what it writes.
func part(t *testing.T, name string, uid uint32, want string, files ...*os.File) {
	t.Helper()
	dir, err := os.MkdirTemp(filepath.Dir(binary(t)), "part-")
	if err == nil && os.Getuid() == 0 {
		err = os.Chown(dir, int(uid), int(uid))
	}
	if err != nil {
		t.Fatal(err)
	}
	cmd := as(exec.Command(binary(t), partWord, name, dir), uid)
	cmd.ExtraFiles = files
	r := runs(t, cmd)
	want = strings.TrimLeft(want, "\n")
	if got := r.said + r.out; r.code != 0 || got != want {
		t.Errorf("%s, as %d: status %d:\n%swant\n%s", name, uid, r.code, got, want)
	}
}

// tell writes a line of a child.
func tell(words ...any) { must(fmt.Println(words...)) }

// ownRun gives a child of root's a /run of its own.
func ownRun() {
	must(0, unix.Unshare(unix.CLONE_NEWNS))
	must(0, unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""))
	must(0, unix.Mount("tmpfs", "/run", "tmpfs", 0, "mode=755"))
}

// lines are a service of a child, of options alone.
func lines(list ...string) *service {
	in := &invocation{}
	for _, l := range list {
		name, value, _ := strings.Cut(l, "=")
		must(0, in.policy.Set(name, value, policy.Origin{File: "demo.service", Line: 1}))
	}
	return serviceOf(in)
}

// What is passed for --ready-fd is kept from the commands; what hardrun has opened itself is not
// taken for it.
func TestReadyFD(t *testing.T) {
	open := func(cmd int) int {
		fd, err := unix.FcntlInt(0, cmd, 40)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = unix.Close(fd) })
		return fd
	}
	passed, own := open(unix.F_DUPFD), open(unix.F_DUPFD_CLOEXEC)
	for _, tt := range []struct {
		fd     int
		status int
		said   string
	}{
		{passed, 0, ""},
		{own, launcher.ExitFDs, "descriptor " + strconv.Itoa(own) + " was not passed"},
		{900, launcher.ExitFDs, "descriptor 900 was not passed"},
	} {
		s := &service{p: &policy.Policy{ReadyFD: policy.Opt[int]{V: tt.fd, Set: true}}}
		said, status := says(t, s.readyFD)
		if status != tt.status || !strings.Contains(said, tt.said) || (said == "") != (status == 0) {
			t.Errorf("%d: status %d, %q", tt.fd, status, said)
		}
	}
	flags := func(fd int) int {
		n, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0)
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	if flags(passed)&unix.FD_CLOEXEC == 0 {
		t.Error("the commands would get what was passed")
	}
	before := flags(0)
	if status := (&service{p: &policy.Policy{}}).readyFD(); status != 0 || flags(0) != before {
		t.Errorf("without --ready-fd: status %d", status)
	}
}

// A condition that does not hold is no failure, and an assertion that does not is one. What
// cannot be told without systemd counts as held, and is told of.
func TestConditions(t *testing.T) {
	for _, tt := range []struct {
		lines  string
		held   bool
		status int
		said   string
	}{
		{"ConditionPathExists=/", true, 0, ""},
		{"ConditionPathExists=/no/such", false, 0, "demo.service: ConditionPathExists=/no/such does not hold, nothing is started"},
		{"ConditionPathExists=/no/such; X-Hardrun-SkipStatus=7", false, 7, "demo.service: ConditionPathExists=/no/such does not hold, nothing is started"},
		{"AssertPathExists=/no/such", false, 1, "demo.service: AssertPathExists=/no/such does not hold"},
		{"ConditionVersion=glibc>=2", true, 0, "note: demo.service: ConditionVersion=glibc>=2 is not evaluated: "},
	} {
		s := lines(strings.Split(tt.lines, "; ")...)
		held := false
		said, status := says(t, func() (status int) { held, status = s.conditions(); return status })
		if held != tt.held || status != tt.status || !strings.HasPrefix(said, strings.TrimSuffix("hardrun: "+tt.said, "hardrun: ")) || (said == "") != (tt.said == "") {
			t.Errorf("%s: %v, status %d, %q", tt.lines, held, status, said)
		}
	}
}

const (
	somePasswd = "www:x:33:34::/var/www:/bin/sh\n"
	someGroup  = "log:x:77:\n"
)

// What is made for a service belongs to its user, and to the group of that one where Group=
// names none.
func TestWho(t *testing.T) {
	accounts(t, somePasswd, someGroup)
	uid, gid := os.Geteuid(), os.Getegid()
	for _, tt := range []struct {
		lines    []string
		who      *caps.User
		uid, gid int
		bad      bool
	}{
		{nil, nil, uid, gid, false},
		{[]string{"User=www"}, nil, 33, 34, false},
		{[]string{"User=www", "Group=log"}, nil, 33, 77, false},
		{[]string{"Group=log"}, nil, uid, 77, false},
		{[]string{"User=1234"}, nil, 1234, gid, false}, // an id that nobody has
		{[]string{"User=www"}, &caps.User{UID: 61200, GID: 61201}, 61200, 61201, false},
		{[]string{"User=none"}, nil, 0, 0, true},
		{[]string{"Group=none"}, nil, 0, 0, true},
	} {
		s := lines(tt.lines...)
		s.given.Who = tt.who
		uid, gid, err := s.who()
		if uid != tt.uid || gid != tt.gid || (err != nil) != tt.bad {
			t.Errorf("%q: %d:%d, %v", tt.lines, uid, gid, err)
		}
	}
}

func partNotify(dir string) {
	must(0, os.Chdir(dir))
	for _, name := range []string{"good", "blocked", strings.Repeat("l", 100)} {
		must(0, os.Mkdir(name, 0o700))
	}
	must(0, os.Mkdir("open", 0o755))
	must(0, os.WriteFile("file", nil, 0o700))
	must(0, os.WriteFile("blocked/hardrun", nil, 0o600))
	random := regexp.MustCompile("^@hardrun-[0-9a-f]{32}$")
	text := func(path string, err error) string {
		path = random.ReplaceAllString(path, "random")
		path = strings.ReplaceAll(path, strconv.Itoa(os.Getpid()), "PID")
		path = strings.TrimPrefix(path, dir)
		if err != nil {
			path += " " + strings.ReplaceAll(launcher.Reason(err), dir, "")
		}
		return path
	}
	for _, tt := range []struct{ xdg, home string }{
		{dir + "/good", ""},
		{dir + "/good", "tmpfs"},
		{dir + "/good", "yes"},
		{dir + "/open", ""},
		{dir + "/file", ""},
		{dir + "/none", ""},
		{dir + "/" + strings.Repeat("l", 100), ""},
		{"good", ""},
		{"/root", ""},
		{"", ""},
	} {
		s := lines()
		s.p.ProtectHome.V = tt.home
		s.t.Snapshot.Environ = []string{"XDG_RUNTIME_DIR=" + tt.xdg}
		tell(strings.TrimPrefix(tt.xdg, dir), tt.home, "→", text(s.notifyPath()))
	}
	for _, tt := range []struct{ kind, access, outer, xdg string }{
		{"simple", "none", "", "good"},
		{"notify", "none", "", "good"},
		{"notify-reload", "none", "", "good"},
		{"simple", "main", "", "good"},
		{"simple", "none", "NOTIFY_SOCKET=/o", "good"},
		{"notify", "main", "", "blocked"},
	} {
		s := lines()
		s.t.Snapshot.Environ = []string{"XDG_RUNTIME_DIR=" + dir + "/" + tt.xdg, tt.outer}
		spec := &supervise.Spec{Type: tt.kind, NotifyAccess: tt.access, NotifyFD: -1}
		err := s.notify(spec)
		tell(tt.kind, tt.access, spec.Outer, "→", text(spec.NotifyPath, err), spec.NotifyFD >= 0, s.given.Notify == spec.NotifyPath)
		if spec.NotifyFD >= 0 {
			must(0, unix.Unlink(spec.NotifyPath))
		}
	}
}

// A user's NOTIFY_SOCKET is in a runtime directory that is that one's alone, where the daemon
// will see it, and has a name that nobody can guess otherwise.
func TestNotifyPath(t *testing.T) {
	requireRoot(t)
	part(t, "notify", nobody, strings.ReplaceAll(`
/good  → /good/hardrun/notify-PID
/good tmpfs → /good/hardrun/notify-PID
/good yes → random
/open  → random
/file  → random
/none  → random
/LONG  → random
good  → random
/root  → random
  → random
simple none  →  false true
notify none  → /good/hardrun/notify-PID true true
notify-reload none  → /good/hardrun/notify-PID true true
simple main  → /good/hardrun/notify-PID true true
simple none /o → /good/hardrun/notify-PID true true
notify main  →  /blocked/hardrun: not a directory of this user that nobody else can write to false true
`, "LONG", strings.Repeat("l", 100)))
}

// What is hardrun's own moves out of the way of the descriptors that are passed, by the service
// and by who has started hardrun, and of nothing else.
func TestMakeWay(t *testing.T) {
	saved := log
	defer func() { log = saved }()
	log = logger{-1, -1}
	for _, tt := range []struct {
		environ string
		sockets int
		moves   bool
	}{
		{"LISTEN_FDS=60", 0, false}, // the launcher takes those over itself
		{"A=b", 1, false},
		{"A=b", 60, true},
		{"LISTEN_FDS=60", 1, true},
		{"LISTEN_FDS=46", 1, false},
		{"LISTEN_FDS=47", 1, true},
		{"LISTEN_FDS=-60", 60, true},
	} {
		fd, err := unix.FcntlInt(0, unix.F_DUPFD_CLOEXEC, 50)
		if err != nil {
			t.Fatal(err)
		}
		if fd != 50 {
			t.Fatalf("descriptor 50 is taken: %d", fd)
		}
		s := &service{t: &launcher.Thread{}}
		s.t.Snapshot.Environ = []string{tt.environ}
		own, none := fd, -1
		if err := s.makeWay(&launcher.Given{Sockets: make([]launcher.GivenSocket, tt.sockets)}, &own, &none); err != nil {
			t.Fatal(err)
		}
		if own != 50 != tt.moves || none != -1 {
			t.Errorf("%s, %d sockets: 50 is %d now", tt.environ, tt.sockets, own)
		}
		if flags, err := unix.FcntlInt(uintptr(own), unix.F_GETFD, 0); err != nil || flags&unix.FD_CLOEXEC == 0 {
			t.Errorf("%s, %d sockets: %d, %v", tt.environ, tt.sockets, flags, err)
		}
		if err := unix.Close(own); err != nil {
			t.Error(err)
		}
	}
}

// Before any command is started it is known whether the main one could be; but a program that is
// missing may be made by the commands before it.
func TestCheck(t *testing.T) {
	requireRoot(t)
	listens := []string{"LISTEN_PID=" + strconv.Itoa(os.Getpid()), "LISTEN_FDS=x"}
	for _, tt := range []struct {
		unit    string
		parent  bool
		environ []string
		status  int
	}{
		{"ExecStart=/no/such", false, nil, 0}, // it is the first, and its start will tell
		{"ExecStart=/no/such", true, nil, launcher.ExitExec},
		{"ExecStart=/no/such; ExecStopPost=/bin/true", true, nil, 0},
		{"ExecStart=/no/such; ExecStartPre=/bin/true", false, nil, 0},
		{"ExecStart=/bin/true; User=no-such; ExecStartPre=/bin/true", false, nil, launcher.ExitUser},
		{"ExecStart=/bin/true; User=no-such; ExecCondition=/bin/true", false, nil, launcher.ExitUser},
		{"ExecStart=/bin/true; User=no-such", false, nil, 0},
		{"ExecStart=/bin/true; User=no-such", true, nil, launcher.ExitUser},
		{"Type=oneshot; RemainAfterExit=yes; ExecStop=/bin/true; User=no-such", true, nil, 0}, // there is no main command
		{"ExecStart=/bin/true; ExecStopPost=/bin/true", true, listens, launcher.ExitFDs},
	} {
		s := demo(t, tt.unit)
		if tt.environ != nil {
			s.t.Snapshot.Environ = tt.environ
		}
		said, status := says(t, func() int { return s.check(tt.parent) })
		if status != tt.status || (said == "") != (status == 0) {
			t.Errorf("%s, parent %v: status %d, %q; want %d", tt.unit, tt.parent, status, said, tt.status)
		}
	}
}

// DynamicUser= is a user that the machine knows, where it knows one of that name.
func TestIdentity(t *testing.T) {
	accounts(t, "demo:x:33:34::/:/bin/sh\n", "")
	s := demo(t, "ExecStart=/bin/x; DynamicUser=yes")
	if said, status := says(t, s.identity); status != 0 || s.given.Who != nil || s.p.User.V != "demo" || !s.p.User.Set {
		t.Errorf("status %d, %q, %+v, %+v", status, said, s.given.Who, s.p.User)
	}
	s = demo(t, "ExecStart=/bin/x")
	if said, status := says(t, s.identity); status != 0 || s.given.Who != nil || s.p.User.Set {
		t.Errorf("without DynamicUser=: status %d, %q", status, said)
	}
	if os.Getuid() == 0 {
		part(t, "identity", 0, "0 true demo / /usr/sbin/nologin\nthe lock is free: true\nthe uid is claimed: true\n")
	}
}

func partIdentity(string) {
	ownRun()
	s := lines("DynamicUser=yes")
	status := s.identity()
	w := s.given.Who
	tell(status, dirs.IsDynamic(int(w.UID)) && w.UID == w.GID, w.Name, w.Home, w.Shell)
	fd := must(unix.Open("/run/hardrun/dynamic-uid", unix.O_RDWR, 0))
	tell("the lock is free:", unix.Flock(fd, unix.LOCK_EX|unix.LOCK_NB) == nil)
	_, _, saved := unix.Getresgid()
	tell("the uid is claimed:", saved == int(w.UID))
}

// RemoveIPC= is about the IPC objects of a user or a group that the service has for itself.
func TestObjects(t *testing.T) {
	accounts(t, somePasswd, someGroup)
	for _, tt := range []struct {
		lines  string
		cleans int
		status int
	}{
		{"User=www", 0, 0},
		{"RemoveIPC=yes", 0, 0},
		{"RemoveIPC=yes; User=www", 1, 0},
		{"RemoveIPC=yes; Group=log", 1, 0},
		{"DynamicUser=yes; User=www", 1, 0},
		{"RemoveIPC=yes; User=none", 0, launcher.ExitUser},
	} {
		s := lines(strings.Split(tt.lines, "; ")...)
		if said, status := says(t, s.objects); status != tt.status || len(s.clean) != tt.cleans {
			t.Errorf("%s: status %d, %q, %d to be done at the end", tt.lines, status, said, len(s.clean))
		}
	}
}

// A socket of --listen that was made goes where the start is refused, and with RemoveOnStop= at
// the end of the service.
func TestSockets(t *testing.T) {
	for _, removes := range []string{"no", "yes"} {
		for _, undo := range []bool{true, false} {
			path := filepath.Join(t.TempDir(), "demo.sock")
			s := demo(t, "ExecStart=/bin/x", "--listen=unix:"+path, "-p", "RemoveOnStop="+removes, "-p", "OpenFile=/dev/null:null:read-only")
			if said, status := says(t, s.sockets); status != 0 {
				t.Fatalf("status %d, %q", status, said)
			}
			var names []string
			for _, p := range s.given.Sockets {
				names = append(names, p.Name)
			}
			if _, err := os.Lstat(path); err != nil || len(names) != 2 || names[1] != "null" {
				t.Errorf("%v, %q", err, names)
			}
			acts := s.clean
			if undo {
				acts = s.undo
			}
			said, status := says(t, func() int { return s.end(acts) })
			_, err := os.Lstat(path)
			if gone := err != nil; status != 0 || said != "" || gone != (undo || removes == "yes") {
				t.Errorf("RemoveOnStop=%s, undone %v: it is gone: %v, %q", removes, undo, gone, said)
			}
			for _, p := range s.given.Sockets {
				_ = unix.Close(p.FD) // it may have been closed
			}
		}
	}
}

// A socket belongs to the user of its unit, and to the group of that one where SocketGroup=
// names none.
func TestListens(t *testing.T) {
	accounts(t, somePasswd, someGroup)
	for _, tt := range []struct {
		lines    []string
		uid, gid int
		bad      bool
	}{
		{nil, -1, -1, false},
		{[]string{"SocketUser=www"}, 33, 34, false},
		{[]string{"SocketUser=1234"}, 1234, -1, false},
		{[]string{"SocketUser=www", "SocketGroup=log"}, 33, 77, false},
		{[]string{"SocketGroup=log"}, -1, 77, false},
		{[]string{"SocketUser=none"}, 0, 0, true},
		{[]string{"SocketGroup=none"}, 0, 0, true},
	} {
		s := lines(append([]string{"ListenStream=/run/demo.sock"}, tt.lines...)...)
		list, _, err := listens(&s.p.Socket, "")
		if (err != nil) != tt.bad || err == nil && (list[0].UID != tt.uid || list[0].GID != tt.gid) {
			t.Errorf("%q: %+v, %v", tt.lines, list, err)
		}
	}
}

func partInherited(string) {
	pid := "LISTEN_PID=" + strconv.Itoa(os.Getpid())
	must(0, unix.SetNonblock(4, true))
	for _, environ := range [][]string{
		{"A=b"},
		{"LISTEN_PID=1", "LISTEN_FDS=2"},
		{pid, "LISTEN_FDS=-1"},
		{pid, "LISTEN_FDS=4097"},
		{pid, "LISTEN_FDS=x"},
		{pid, "LISTEN_FDS=2", "A=b"},
		{pid, "LISTEN_FDS=2", "LISTEN_FDNAMES=a"},
		{pid, "LISTEN_FDS=2", "LISTEN_FDNAMES=:b:c"},
	} {
		for fd := 3; fd < 5; fd++ {
			must(unix.FcntlInt(uintptr(fd), unix.F_SETFD, 0))
		}
		s := lines()
		s.t.Snapshot.Environ = environ
		status := s.inherited()
		text := fmt.Sprint(environ, " → ", status, " ", s.given.Sockets, " ", s.t.Snapshot.Environ)
		tell(strings.ReplaceAll(text, pid, "PID"), must(unix.FcntlInt(3, unix.F_GETFD, 0)), must(unix.FcntlInt(4, unix.F_GETFD, 0)))
	}
	must(0, unix.Close(4))
	s := lines()
	s.t.Snapshot.Environ = []string{pid, "LISTEN_FDS=2"}
	tell("closed:", s.inherited())
}

// What was passed to hardrun is passed on by a parent, with its names, and as it was: 4 is
// nonblocking. No command gets it but by that; behind the sockets are the variables that are left,
// and FD_CLOEXEC of 3 and 4.
func TestInherited(t *testing.T) {
	null, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = null.Close() }()
	other, err := os.Open("/") // a description of its own
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = other.Close() }()
	part(t, "inherited", uint32(os.Getuid()), `
hardrun: LISTEN_FDS="-1" is no count of descriptors
hardrun: LISTEN_FDS="4097" is no count of descriptors
hardrun: LISTEN_FDS="x" is no count of descriptors
hardrun: LISTEN_FDS=2: descriptor 4: bad file descriptor
[A=b] → 0 [] [A=b] 0 0
[LISTEN_PID=1 LISTEN_FDS=2] → 0 [] [LISTEN_PID=1 LISTEN_FDS=2] 0 0
[PID LISTEN_FDS=-1] → 202 [] [PID LISTEN_FDS=-1] 0 0
[PID LISTEN_FDS=4097] → 202 [] [PID LISTEN_FDS=4097] 0 0
[PID LISTEN_FDS=x] → 202 [] [PID LISTEN_FDS=x] 0 0
[PID LISTEN_FDS=2 A=b] → 0 [{3 unknown false} {4 unknown true}] [A=b] 1 1
[PID LISTEN_FDS=2 LISTEN_FDNAMES=a] → 0 [{3 a false} {4 unknown true}] [] 1 1
[PID LISTEN_FDS=2 LISTEN_FDNAMES=:b:c] → 0 [{3 unknown false} {4 b true}] [] 1 1
closed: 202
`, null, other)
}

// Credentials are shown at a path with the name of the service, which a command alone has for
// that.
func TestCredentials(t *testing.T) {
	for _, tt := range []struct{ line, unit, want string }{
		{"User=www", "", ""},
		{"SetCredential=a:b", "", "demo.service"},
		{"SetCredential=a:b", "other.service", "other.service"},
	} {
		s := lines(tt.line)
		s.given.Unit = tt.unit
		if said, status := says(t, s.credentials); status != 0 || s.given.Unit != tt.want || (len(s.given.Credentials) == 1) != (tt.want != "") {
			t.Errorf("%s: status %d, %q, %q, %v", tt.line, status, said, s.given.Unit, s.given.Credentials)
		}
	}
}

func partShared(string) {
	for _, l := range [][]string{
		{"PrivateTmp=yes", "PrivateNetwork=yes", "PrivateIPC=yes"},
		{"PrivateTmp=yes", "PrivateNetwork=yes", "PrivateIPC=yes", "ExecStop=/bin/y"},
		{"PrivateTmp=disconnected", "ExecStop=/bin/y"},
		{"DefaultDependencies=no", "PrivateTmp=yes", "ExecStop=/bin/y"},
		{"PrivateTmp=no", "ExecStop=/bin/y"},
		{"PrivateIPC=yes", "ExecStop=/bin/y"},
	} {
		s := lines(append(l, "ExecStart=/bin/x")...)
		tell(strings.Join(l, " "), "→", s.shared(), s.given.Net >= 0, s.given.IPC >= 0, s.given.Tmp >= 0, s.given.VarTmp >= 0)
	}
}

// Several commands share the namespaces and the file systems of a service; without privilege
// each has its own. Behind the status: network, IPC, /tmp and /var/tmp.
func TestShared(t *testing.T) {
	requireRoot(t)
	part(t, "shared", 0, `
PrivateTmp=yes PrivateNetwork=yes PrivateIPC=yes → 0 false false false false
PrivateTmp=yes PrivateNetwork=yes PrivateIPC=yes ExecStop=/bin/y → 0 true true true true
PrivateTmp=disconnected ExecStop=/bin/y → 0 false false true true
DefaultDependencies=no PrivateTmp=yes ExecStop=/bin/y → 0 false false true false
PrivateTmp=no ExecStop=/bin/y → 0 false false false false
PrivateIPC=yes ExecStop=/bin/y → 0 false true false false
`)
	part(t, "shared", nobody, `
PrivateTmp=yes PrivateNetwork=yes PrivateIPC=yes → 0 false false false false
PrivateTmp=yes PrivateNetwork=yes PrivateIPC=yes ExecStop=/bin/y → 0 false false false false
PrivateTmp=disconnected ExecStop=/bin/y → 0 false false false false
DefaultDependencies=no PrivateTmp=yes ExecStop=/bin/y → 0 false false false false
PrivateTmp=no ExecStop=/bin/y → 0 false false false false
PrivateIPC=yes ExecStop=/bin/y → 0 false false false false
`)
}

func partDirectories(string) {
	ownRun()
	is := func(path string) bool { return unix.Access(path, unix.F_OK) == nil }
	first, second := lines("RuntimeDirectory=a"), lines("RuntimeDirectory=a")
	tell("two starts:", first.directories(), second.directories(), is("/run/a"))
	tell("the first is refused:", first.end(first.undo), is("/run/a"))
	tell("the second ends:", second.end(second.clean), is("/run/a"))
	alone := lines("RuntimeDirectory=b")
	tell("one start:", alone.directories(), is("/run/b"))
	tell("it is refused:", alone.end(alone.undo), is("/run/b"))
	must(0, os.MkdirAll("/run/m/mount", 0o755))
	must(0, unix.Mount("tmpfs", "/run/m/mount", "tmpfs", 0, ""))
	tell("a mount:", lines("RuntimeDirectory=m", "User=1234").directories())
	none := lines("User=no-such") // the launcher refuses it
	tell("no directories:", none.directories(), len(none.undo))
}

// A directory that two starts use stays until the last of them is done with it.
func TestRuntimeDirectories(t *testing.T) {
	requireRoot(t)
	part(t, "directories", 0, `
hardrun: note: /run/m/mount keeps its owner: it is a mount, a device, or belongs to others
two starts: 0 0 true
the first is refused: 0 true
the second ends: 0 false
one start: 0 true
it is refused: 0 false
a mount: 0
no directories: 0 0
`)
}

func partBooted(string) {
	ownRun()
	shows := lines("BindReadOnlyPaths=" + booted).p
	state := func(name string) {
		for _, tt := range []struct {
			p       *policy.Policy
			sockets int
		}{{&policy.Policy{}, 0}, {&policy.Policy{}, 1}, {shows, 0}} {
			wants, err := wantsBooted(tt.p, tt.sockets)
			tell(name, tt.sockets, tt.p == shows, "→", wants, err)
		}
	}
	state("absent")
	must(0, os.MkdirAll(booted, 0o755))
	state("systemd")
	must(0, os.Remove(booted))
	must(0, os.WriteFile(booted, nil, 0o644))
	state("a file")
	must(0, os.RemoveAll("/run/systemd"))
	must(0, os.Symlink("systemd", "/run/systemd"))
	state("a loop")
}

// What shows that systemd runs is made for a daemon that is passed sockets, or whose unit shows
// it, where the host has it not.
func TestBooted(t *testing.T) {
	requireRoot(t)
	part(t, "booted", 0, `
absent 0 false → false <nil>
absent 1 false → true <nil>
absent 0 true → true <nil>
systemd 0 false → false <nil>
systemd 1 false → false <nil>
systemd 0 true → false <nil>
a file 0 false → false <nil>
a file 1 false → true <nil>
a file 0 true → true <nil>
a loop 0 false → false <nil>
a loop 1 false → false lstat /run/systemd/system: too many levels of symbolic links
a loop 0 true → false lstat /run/systemd/system: too many levels of symbolic links
`)
}
