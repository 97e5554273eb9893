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
	if n := started(got, "/probe"); n != 5 {
		t.Errorf("started: got %d, want 5", n)
	}
	if n := started(got, "/other"); n != -1 {
		t.Errorf("started /other: got %d, want -1", n)
	}
	if _, err := parse(strings.NewReader("10 <... prctl resumed>) = 0\n")); err == nil {
		t.Error("a call that was not begun is resumed: got no error")
	}
}

// An execve that only claims to have succeeded started nothing.
func TestStartedByALie(t *testing.T) {
	calls, err := parse(strings.NewReader("execve(\"/probe\", [\"/probe\"], 0x1 /* 3 vars */) = 0 (INJECTED)\n"))
	if err != nil {
		t.Fatal(err)
	}
	if n := started(calls, "/probe"); n != -1 {
		t.Errorf("got %d, want -1", n)
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

func TestPoints(t *testing.T) {
	var got []string
	for _, p := range Points("p", []*Call{
		{Name: "execve", Args: `"./hardrun"`},
		{Name: "mmap"},
		{Name: "umask", Args: "077"},
		{Name: "umask", Args: "077"},
		{Name: "umask", Args: "077"},
		{Name: "getpid"},
		{Name: "execve", Args: `"/probe"`},
	}) {
		if p.Fault == Lie || p.Fault == "EPERM" && p.Mode == Always {
			got = append(got, p.inject())
		}
		if p.Read != (p.Call == "getpid") {
			t.Errorf("%v: read is %v", p, p.Read)
		}
	}
	want := []string{
		"inject=umask:retval=0:when=1..3", "inject=umask:error=EPERM:when=1..3",
		"inject=umask:retval=0:when=1", "inject=umask:retval=0:when=2", "inject=umask:retval=0:when=2..3", "inject=umask:retval=0:when=3",
		"inject=getpid:retval=0:when=1", "inject=getpid:error=EPERM:when=1", "inject=getpid:retval=0:when=1",
		"inject=execve:retval=0:when=1", "inject=execve:error=EPERM:when=1", "inject=execve:retval=0:when=1",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func TestJudge(t *testing.T) {
	hit := &Call{Name: "umask", Args: "077", Answer: "0", Injected: true}
	exec := &Call{Name: "execve", Args: `"/probe", []`, Answer: "0"}
	lost := &Call{Name: "write", Args: `64, "hardrun: umask: …"..., 40`, Answer: "-1 EPERM", Injected: true}
	for _, c := range []struct {
		name    string
		calls   []*Call
		out     string
		errs    string
		status  int
		signal  string
		timeout bool
		want    Class
	}{
		{"refused", []*Call{hit}, "", "hardrun: umask: no\n", 205, "", false, Refused},
		{"the message was hit itself", []*Call{lost}, "", "", 205, "", false, Refused},
		{"no message", []*Call{hit}, "", "", 205, "", false, Silent},
		{"a message of another", []*Call{hit}, "", "strace: no\n", 205, "", false, Silent},
		{"status 0", []*Call{hit}, "", "hardrun: umask: no\n", 0, "", false, Zero},
		{"status 1", []*Call{hit}, "", "hardrun: umask: no\n", 1, "", false, Status},
		{"signal", []*Call{hit}, "", "", -1, "segmentation fault", false, Crash},
		{"trace", []*Call{hit}, "", "runtime: unexpected\nfatal error: no\n", 2, "", false, Crash},
		{"ran as asked", []*Call{hit, exec}, "a\n", "", 0, "", false, Same},
		{"ran otherwise", []*Call{hit, exec}, "b\n", "", 0, "", false, FailOpen},
		{"ran and said nothing", []*Call{hit, exec}, "", "", 0, "", false, FailOpen},
		{"ran, as asked, and failed", []*Call{hit, exec}, "a\n", "", 9, "", false, FailOpen},
		{"hit after it ran", []*Call{exec, hit}, "b\n", "", 0, "", false, NotReached},
		{"hit nothing", []*Call{exec}, "a\n", "", 0, "", false, NotReached},
		{"no end", []*Call{hit}, "", "", -1, "killed", true, Hang},
	} {
		o := Outcome{Status: c.status, Signal: c.signal}
		o.judge(&Plan{}, c.calls, []string{"/probe"}, c.out, "a\n", c.errs, c.timeout)
		if o.Class != c.want {
			t.Errorf("%s: got %s, want %s", c.name, o.Class, c.want)
		}
	}
}

func TestDiff(t *testing.T) {
	if got, want := diff("a\nb\nb\nc\n", "a\nb\nd\nc\n"), []string{"+d", "-b"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}
