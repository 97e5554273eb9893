package faults

import (
	"slices"
	"strings"
	"testing"
)

// A log as strace -f -o writes it, with what makes it hard to read: threads that
// interrupt each other, a call that ends without an answer, signals, and commas,
// parentheses and equal signs in texts.
const sampleLog = `10    execve("./hardrun", ["./hardrun", "--user=x"], 0x7ffe /* 9 vars */) = 0
10    openat(AT_FDCWD, "/a (b) = c, d", O_RDONLY) = 3
10    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0 <unfinished ...>
11    nanosleep({tv_sec=0, tv_nsec=20000},  <unfinished ...>
10    <... prctl resumed>)              = -1 EPERM (Operation not permitted) (INJECTED)
11    <... nanosleep resumed>NULL)      = 0
10    --- SIGURG {si_signo=SIGURG, si_code=SI_TKILL, si_pid=10, si_uid=0} ---
10    setresuid(33, 33, 33)             = 0 (INJECTED)
10    execve("/probe", ["/probe"], 0xc000 /* 3 vars */ <unfinished ...>
11    +++ exited with 0 +++
10    <... execve resumed>)             = 0
10    exit_group(0)                     = ?
10    +++ exited with 0 +++
`

func TestParse(t *testing.T) {
	got, err := parse(strings.NewReader(sampleLog))
	if err != nil {
		t.Fatal(err)
	}
	want := []Call{
		{"10", "execve", `"./hardrun", ["./hardrun", "--user=x"], 0x7ffe /* 9 vars */`, "0", false, true},
		{"10", "openat", `AT_FDCWD, "/a (b) = c, d", O_RDONLY`, "3", false, true},
		{"10", "prctl", `PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0`, "-1 EPERM (Operation not permitted)", true, true},
		{"11", "nanosleep", `{tv_sec=0, tv_nsec=20000}, NULL`, "0", false, true},
		{"10", "setresuid", "33, 33, 33", "0", true, true},
		{"10", "execve", `"/probe", ["/probe"], 0xc000 /* 3 vars */`, "0", false, true},
		{"10", "exit_group", "0", "?", false, true},
	}
	if len(got) != len(want) {
		t.Fatalf("got %d calls, want %d", len(got), len(want))
	}
	for i := range want {
		if *got[i] != want[i] {
			t.Errorf("call %d: got %+v, want %+v", i, *got[i], want[i])
		}
	}
	if _, err := parse(strings.NewReader("10 <... prctl resumed>) = 0\n")); err == nil {
		t.Error("a call that was not begun is resumed: got no error")
	}
}

func TestReads(t *testing.T) {
	for _, c := range []struct {
		name, args string
		want       bool
	}{
		{"prctl", "PR_CAPBSET_READ, CAP_CHOWN", true},
		{"prctl", "PR_CAPBSET_DROP, CAP_CHOWN", false},
		{"prctl", "PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, CAP_KILL, 0, 0", true},
		{"prctl", "PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_KILL, 0, 0", false},
		{"prctl", "0x43 /* PR_??? */, 0x1, 0, 0, 0", false},
		{"prctl", "0x44 /* PR_??? */, 0, 0, 0, 0", true},
		{"fcntl", "3, F_GETFD", true},
		{"fcntl", "3, F_SETFD, FD_CLOEXEC", false},
		{"fcntl", "2, F_DUPFD_CLOEXEC, 64", false},
		{"rt_sigaction", "SIGHUP, NULL, 0x7fff, 8", true},
		{"rt_sigaction", "SIGHUP, {sa_handler=SIG_DFL, sa_mask=[], sa_flags=0}, NULL, 8", false},
		{"rt_sigprocmask", "SIG_BLOCK, NULL, [], 8", true},
		{"rt_sigprocmask", "SIG_SETMASK, ~[], NULL, 8", false},
		{"prlimit64", "0, RLIMIT_CPU, NULL, {rlim_cur=1, rlim_max=1}", true},
		{"prlimit64", "0, RLIMIT_CPU, {rlim_cur=1, rlim_max=1}, NULL", false},
		{"personality", "0xffffffff", true},
		{"personality", "PER_LINUX32", false},
		{"setfsuid", "-1", true},
		{"umask", "077", false},
		{"openat", `AT_FDCWD, "/proc", O_RDONLY`, false},
		{"keyctl", "KEYCTL_JOIN_SESSION_KEYRING, NULL", false},
		{"keyctl", "KEYCTL_DESCRIBE, KEY_SPEC_SESSION_KEYRING, 0x1, 256", true},
		{"getgroups", "0, NULL", true},
	} {
		if got := reads(c.name, c.args); got != c.want {
			t.Errorf("%s(%s): got %v, want %v", c.name, c.args, got, c.want)
		}
	}
}

// Of a parent and two commands, one of which starts hardrun again in a PID namespace, and starts something itself.
const parentLog = `5     execve("/srv/hardrun", ["/srv/hardrun", "--unit=x"], 0x1 /* 9 vars */) = 0
5     clone(child_stack=0x7f, flags=CLONE_VM|CLONE_THREAD, child_tidptr=0x1) = 6
5     vfork( <unfinished ...>
7     umask(077) = 022
6     gettid() = 6
7     execveat(12, "", ["/srv/hardrun", "--unit=x"], 0x1 /* 9 vars */, AT_EMPTY_PATH) = 0
5     <... vfork resumed>) = 7
7     fork() = 2 /* 9 in strace's PID NS */
9     getpid() = 2
9     execve("/srv/probe", ["/srv/probe"], 0x1 /* 3 vars */ <unfinished ...>
8     <... ??? resumed>) = ?
9     <... execve resumed>) = 0
9     fork() = 3 /* 11 in strace's PID NS */
11    getpid() = 3
5     wait4(-1, NULL, 0, NULL) = 7
`

func TestLives(t *testing.T) {
	calls, err := parse(strings.NewReader(parentLog))
	if err != nil {
		t.Fatal(err)
	}
	list, parent := lives(calls)
	var got []string
	for _, l := range list {
		names := ""
		for _, c := range l {
			names += c.Name + " "
		}
		got = append(got, names)
	}
	if want := []string{"execve clone vfork wait4 ", "umask execveat fork ", "getpid execve "}; !parent || !slices.Equal(got, want) {
		t.Errorf("parent %v: got %q, want %q", parent, got, want)
	}
	if _, parent := lives(calls[:1]); !parent {
		t.Error("what executes nothing is no parent")
	}
}

func TestSame(t *testing.T) {
	list := func(text string) (l []*Call) {
		for _, s := range strings.Split(text, " ") {
			name, args, _ := strings.Cut(s, ":")
			l = append(l, &Call{Name: name, Args: args})
		}
		return l
	}
	got := same([][]*Call{
		list("execve:1 umask:0 rt_sigprocmask:1 mmap:2 fstat:3,0x7ffe1234 openat2:3,\"123\" read:a umask:1"),
		list("execve:2 mmap:1 umask:0 fstat:3,0x7ffe9876 openat2:3,\"124\" read:b umask:1"),
	})
	if !slices.Equal(got, []int{6, 5}) {
		t.Errorf("got %v", got)
	}
}

func TestPoints(t *testing.T) {
	own := []*Call{
		{Name: "execve", Args: `"./hardrun"`},
		{Name: "mmap"},
		{Name: "umask", Args: "077"},
		{Name: "umask", Args: "077"},
		{Name: "umask", Args: "077"},
		{Name: "getpid"},
		{Name: "execve", Args: `"/probe"`},
	}
	list := func(process, skip int) (got []string) {
		for _, p := range Points("p", process, own, skip, nil) {
			if p.Fault == Lie || p.Fault == "EPERM" && p.Mode == Always {
				got = append(got, strings.Join(p.faults(), " "))
			}
			if p.Read != (p.Call == "getpid") {
				t.Errorf("%v: read is %v", p, p.Read)
			}
			if p.Fault == "EINTR" && p.Mode != Once || p.Read && p.Fault == "EINVAL" {
				t.Errorf("%v is tried", p)
			}
		}
		return got
	}
	want := []string{
		"*:95:1:0:0", "*:95:1:0:-1", "0:95:1:1:0", "0:95:2:2:0", "0:95:2:0:0", "0:95:3:3:0",
		"*:39:1:0:0", "*:39:1:0:-1", "0:39:1:1:0",
		"*:59:1:0:0", "*:59:1:0:-1", "0:59:1:1:0",
	}
	if got := list(0, 0); !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	// What is the same in all plans, the first three umask(2), is left out, and with it all of that name.
	if got := list(0, 5); !slices.Equal(got, want[6:]) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want[6:], "\n"))
	}
	if got := list(0, 4); !slices.Equal(got, append([]string{"*:95:1:0:0", "*:95:1:0:-1", "0:95:3:3:0"}, want[6:]...)) {
		t.Errorf("got %q", got)
	}
	if got := list(2, 5); !slices.Contains(got, "2:39:1:1:0") || !slices.Contains(got, "2:39:1:0:0") {
		t.Errorf("got %q", got)
	}
}

func TestPair(t *testing.T) {
	own := []*Call{
		{Name: "getresuid", Args: "0x1, 0x2, 0x3", Answer: "0"},
		{Name: "setresuid", Args: "33, 33, 33", Answer: "0"},
		{Name: "getresuid", Args: "0x1, 0x2, 0x3", Answer: "0"},
		{Name: "setfsuid", Args: "-1", Answer: "33"},
		{Name: "prctl", Args: "PR_CAPBSET_DROP, CAP_CHOWN", Answer: "0"},
		{Name: "prctl", Args: "PR_CAPBSET_READ, CAP_CHOWN", Answer: "0"},
		{Name: "prctl", Args: "PR_CAPBSET_READ, CAP_KILL", Answer: "1"},
		{Name: "seccomp", Args: "SECCOMP_SET_MODE_FILTER, 0, {len=9}", Answer: "0"},
		{Name: "prctl", Args: "0x48524e00 /* PR_??? */, 0x90ecf4f7, 0, 0, 0", Answer: "-1 (errno 3999)"},
		{Name: "setgroups", Args: "0, NULL", Answer: "0"},
		{Name: "getgroups", Args: "-1, NULL", Answer: "-1 EINVAL (Invalid argument)"},
		{Name: "prctl", Args: "PR_SET_SECUREBITS, 3", Answer: "0"},
		{Name: "prctl", Args: "PR_GET_SECUREBITS", Answer: "0x3 (SECBIT_NOROOT)"},
	}
	got := map[Getter]string{{1, "getresuid", 2}: ":0=21000000:1=21000000:2=21000000"}
	for i, want := range map[int]string{
		1:  "1:118:2:2:0:0=21000000:1=21000000:2=21000000 1:122:1:1:33",
		4:  "1:157:2:2:0",
		7:  "1:157:4:4:-3999",
		9:  "1:115:1:1:-22",
		11: "",
	} {
		if is := pair(1, own, i, got); is != want {
			t.Errorf("%s(%s): got %q, want %q", own[i].Name, own[i].Args, is, want)
		}
	}
	if a, ok := answered("0x3 (SECBIT_NOROOT)"); a != "3" || !ok {
		t.Errorf("got %q %v", a, ok)
	}
}

func TestJudge(t *testing.T) {
	const hit, lost = "hit 0 95 1 -1: \n", "hit 0 1 1 -1: hardrun: umask: …\n"
	const a, b = "x: 1\nend\n", "x: 2\nend\n"
	const why = "hardrun: umask: umask 0077: umask: operation not permitted (UMask= --umask)\n"
	parent, several := &Plan{Parent: true, Parts: 2}, &Plan{Parts: 2}
	for _, c := range []struct {
		name   string
		plan   *Plan
		log    string
		out    string
		errs   string
		status int
		signal string
		want   Class
	}{
		{"refused", nil, hit, "", why, 205, "", Refused},
		{"the message was hit itself", nil, lost, "", "", 205, "", Refused},
		{"no message", nil, hit, "", "", 205, "", Silent},
		{"a message of another", nil, hit, "", "strace: no\n", 205, "", Silent},
		{"status 0", nil, hit, "", why, 0, "", Zero},
		{"status 1", nil, hit, "", why, 1, "", Status},
		{"signal", nil, hit, "", "", 139, "SIGSEGV", Crash},
		{"trace", nil, hit, "", "runtime: unexpected\nfatal error: no\n", 2, "", Crash},
		{"ran as asked", nil, hit, a + b, "", 0, "", Same},
		{"ran otherwise", nil, hit, b, "", 0, "", FailOpen},
		{"half of it", nil, hit, "half of it: x\n", why, 205, "", FailOpen},
		{"ran, as asked, and failed", nil, hit, a + b, why, 9, "", FailOpen},
		{"hit nothing", nil, "let go 0\n", a + b, "", 0, "", NotReached},
		{"hit nothing, and is otherwise", nil, "", b, "", 0, "", FailOpen},
		{"the first command was refused", several, hit, "", why, 205, "", Refused},
		{"the second was", several, hit, a, why, 205, "", Refused},
		{"the second ran without the first", several, hit, b, why, 205, "", FailOpen},
		{"behind a parent as well", parent, hit, b, why, 205, "", Refused},
		{"another state behind a parent", parent, hit, "x: 3\nend\n", why, 205, "", FailOpen},
		{"killed while it said it", parent, hit, "half of it: x\n", why, 205, "", Refused},
		{"the status of a parent", parent, hit, a, why, 71, "", Refused},
		{"which is none without one", several, hit, a, why, 71, "", Status},
	} {
		plan := c.plan
		if plan == nil {
			plan = &Plan{}
		}
		o := Outcome{Status: c.status, Signal: c.signal, Point: Point{Call: "umask", Fault: "EPERM", N: 1, Args: "077"}}
		o.judge(plan, c.log, c.out, a+b, c.errs)
		if o.Class != c.want {
			t.Errorf("%s: got %s (%s), want %s", c.name, o.Class, o.Why, c.want)
		}
	}
}

// A refusal names a directive, or what stands for none, with its status, and the call that failed.
func TestRefusalsAreNamed(t *testing.T) {
	for _, c := range []struct {
		call, fault, line string
		status            int
		want              Class
	}{
		{"capset", "EPERM", "hardrun: capabilities: permitted {}: capset: operation not permitted (User= --user)", 218, Refused},
		{"capset", "EPERM", "hardrun: capabilities: permitted {}: capset: operation not permitted (User= --user)", 217, Status},
		{"capset", "EPERM", "hardrun: capabilities: permitted {}: capset: input/output error (User= --user)", 218, Nameless},
		{"capset", "EPERM", "hardrun: capabilities: permitted {}: setpcap: operation not permitted (User= --user)", 218, Nameless},
		{"capset", Lie, "hardrun: capabilities: permitted {}: capget: read back 0, want 1 (User= --user)", 218, Refused},
		{"setresgid", "EPERM", `hardrun: groups: set gid 1: getresgid: read back 0,0,0, want 1,1,1: the change was answered "operation not permitted" (User= x.service:1)`, 216, Refused},
		{"setresgid", "EPERM", `hardrun: groups: set gid 1: getresgid: read back 0,0,0, want 1,1,1 (User= x.service:1)`, 216, Nameless},
		{"mkdirat", "EACCES", "hardrun: RuntimeDirectory=x: mkdir /run/x: permission denied", 233, Refused},
		{"mkdirat", "EACCES", "hardrun: RuntimeDirectory=x: mkdir /run/x: permission denied", 226, Status},
		{"setpriority", "ENOSYS", "hardrun: process: nice 5: setpriority: function not implemented (Nice= --nice)", 201, Refused},
		{"setpriority", "ENOSYS", "hardrun: process: nice 5: setpriority: function not implemented (Nice= --nice)", 203, Status},
		{"close_range", "EINVAL", "hardrun: descriptors: close all from 3 on: close_range: invalid argument", 202, Refused},
		{"waitid", "EINVAL", "hardrun: waitid: invalid argument", 71, Refused},
		{"read", "EPERM", "hardrun: /srv/a.service: cannot be read: operation not permitted", 78, Refused},
		{"fcntl", "EPERM", "hardrun: --log: fcntl(F_DUPFD_CLOEXEC): operation not permitted", 202, Refused},
		{"fcntl", "EPERM", "hardrun: something went wrong", 202, Nameless},
		{"read", "EPERM", "hardrun: hint: User=: read: operation not permitted", 217, Nameless},
		{"read", "EPERM", "hardrun: the main process ended with status 217", 217, Nameless},
	} {
		o := &Outcome{Status: c.status, Lines: []string{c.line}, Point: Point{Call: c.call, Fault: c.fault}}
		if got, why := named(&Plan{Parent: c.status == 71}, o); got != c.want {
			t.Errorf("%s: status %d: got %s (%s), want %s", c.line, c.status, got, why, c.want)
		}
	}
}

func TestDiff(t *testing.T) {
	if got, want := diff("a\nb\nb\nc\n", "a\nb\nd\nc\n"), []string{"+d", "-b"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}
