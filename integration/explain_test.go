//go:build linux

package integration

import (
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// numberOf is that of a process in a line.
var numberOf = regexp.MustCompile(`\[[0-9]+\]`)

// explained are the lines that say what was denied, with N for each process.
func explained(stderr string) []string {
	var list []string
	for line := range strings.Lines(stderr) {
		if line = strings.TrimSuffix(line, "\n"); strings.Contains(line, " → ") {
			list = append(list, numberOf.ReplaceAllString(strings.TrimPrefix(line, "hardrun: "), "[N]"))
		}
	}
	return list
}

// Each denial is told with the call, the verdict and who asked for it, by every way
// into the kernel; and the verdict is what it is without the telling.
func TestExplainDenials(t *testing.T) {
	t.Parallel()
	requireRoot(t)
	requireX86(t)
	calls := compiled(t, "calls.c", callsSource)
	options := []string{
		"--system-call-filter=~@clock:EACCES chroot:kill ptrace:200 uname:log", "--system-call-filter=~@swap:ENOTTY", "--system-call-error-number=EBUSY",
		"--system-call-filter=~acct", "--restrict-namespaces=net", "--restrict-address-families=AF_UNIX", "--restrict-suidsgid", "--protect-hostname", "--lock-personality",
	}
	for _, tt := range []struct {
		call, line string
	}{
		{"64:159:1:0:0", "adjtimex → EACCES by SystemCallFilter= --system-call-filter"},
		{"64:101:0:0:0", "ptrace → 200 by SystemCallFilter= --system-call-filter"},
		{"64:167:1:0:0", "swapon → ENOTTY by SystemCallFilter= --system-call-filter"},
		{"64:163:1:0:0", "acct → EBUSY by SystemCallFilter= --system-call-filter"},
		{"64:272:67108864:0:0", "unshare → EPERM by RestrictNamespaces= --restrict-namespaces"},
		{"64:435:0:0:0", "clone3 → ENOSYS by RestrictNamespaces= --restrict-namespaces"},
		{"64:41:16:3:0", "socket → EAFNOSUPPORT by RestrictAddressFamilies= --restrict-address-families"},
		{"64:91:-1:2541:0", "fchmod → EPERM by RestrictSUIDSGID= --restrict-suidsgid"},
		{"64:425:1:0:0", "io_uring_setup → ENOSYS by RestrictAddressFamilies= --restrict-address-families"},
		{"64:170:0:0:0", "sethostname → EPERM by ProtectHostname= --protect-hostname"},
		{"64:135:4294967295:0:0", "personality → EPERM by LockPersonality= --lock-personality"},
		{"64:600:0:0:0", "call 600 → ENOSYS by SystemCallFilter= --system-call-filter"},
		{"64:161:1:0:0", "chroot → killed (SIGSYS) by SystemCallFilter= --system-call-filter"},
		{"32:61:1:0:0", "chroot (x86) → killed (SIGSYS) by SystemCallFilter= --system-call-filter"},
		{"32:124:1:0:0", "adjtimex (x86) → EACCES by SystemCallFilter= --system-call-filter"},
		{"32:102:1:0:0", "socketcall (x86) → EAFNOSUPPORT by RestrictAddressFamilies= --restrict-address-families"},
		{"x32:159:1:0:0", "adjtimex (x32) → EACCES by SystemCallFilter= --system-call-filter"},
		{"64:63:1:0:0", ""}, // uname is logged, and made
		{"64:102:0:0:0", ""},
		{"64:41:1:1:0", ""},
	} {
		t.Run(tt.call, func(t *testing.T) {
			t.Parallel()
			plain := run(t, slices.Concat(options, []string{"--", calls, tt.call})...)
			told := run(t, slices.Concat(options, []string{"--explain-denials", "--", calls, tt.call})...)
			var want []string
			if tt.line != "" {
				want = []string{"calls[N]: " + tt.line}
			}
			equals(t, "told", explained(told.stderr), want)
			equals(t, "without being asked to", explained(plain.stderr), nil)
			equal(t, "answer", told.stdout, plain.stdout)
			code := plain.code
			if plain.signal != 0 {
				equal(t, "killed by", plain.signal, syscall.SIGSYS)
			}
			equal(t, "status", told.code, code)
		})
	}
}

// The same as who has no privilege, and in namespaces, where processes have other
// numbers. The status of the daemon is passed on.
func TestExplainWhere(t *testing.T) {
	t.Parallel()
	requireRoot(t)
	chroot := []string{"--system-call-filter=~chroot:EACCES", "--", "sh", "-c", "chroot / true; exit 7"}
	starts := map[string][]string{
		"root":           {hardrun},
		"another user":   {hardrun, "--user=nobody", "--caps=none"},
		"PID namespace":  {hardrun, "--private-pids"},
		"user namespace": {hardrun, "--private-users"},
		"both":           {hardrun, "--private-pids", "--private-users", "--user=nobody"},
		"init":           {hardrun, "--init"},
		"nobody":         unprivileged(t, hardrun),
	}
	for name, start := range starts {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := runs(t, slices.Concat(start, []string{"--explain-denials"}, chroot)...)
			equals(t, "told", explained(r.stderr), []string{"chroot[N]: chroot → EACCES by SystemCallFilter= --system-call-filter"})
			equal(t, "status", r.code, 7)
		})
	}
}

// The daemon inherits no child. Who explains is a child of the parent that waits, in a
// session of its own, can do nothing but signal, and cannot be taken hold of.
func TestExplainProcess(t *testing.T) {
	t.Parallel()
	requireRoot(t)
	file := directory(t, 0o777) + "/notes"
	d := program{argv: []string{hardrun, "--explain-denials", "--user=nobody", "--caps=none", "--system-call-filter=~chroot", "--", probe, "serve", file, "42"}}.start(t)
	pid, err := strconv.Atoi(strings.Fields(awaited(t, file, "ready"))[1])
	if err != nil {
		t.Fatal(err)
	}
	parent := d.cmd.Process.Pid
	equals(t, "children of the daemon", children(t, pid), nil)
	equal(t, "filters", status(t, pid, "Seccomp_filters"), itoa(1+filtersOfOwn(t)))
	var who int
	for _, child := range children(t, parent) {
		if child != pid {
			who = child
		}
	}
	equal(t, "children of the parent", len(children(t, parent)), 2)
	for _, set := range []string{"CapInh", "CapAmb"} {
		equal(t, set, status(t, who, set), none)
	}
	for _, set := range []string{"CapPrm", "CapEff"} {
		equal(t, set, status(t, who, set), "0000000000000020")
	}
	for fd, want := range map[string]string{"0": "/dev/null", "1": "/dev/null"} {
		got, err := os.Readlink("/proc/" + itoa(who) + "/fd/" + fd)
		equal(t, "its descriptor "+fd, got, want)
		if err != nil {
			t.Error(err)
		}
	}
	got, err := os.Readlink("/proc/" + itoa(who) + "/cwd")
	equal(t, "its directory", got, "/")
	if err != nil {
		t.Error(err)
	}
	denied(t, runs(t, with("gid=65534 uid=65534", probe, "try", "ptrace", itoa(who))...), "EPERM")
	d.signal(t, syscall.SIGTERM)
	equal(t, "status", d.end(t), 42)
	eventually(t, "who explained is gone", func() bool { return ended(who) })
}

func filtersOfOwn(t *testing.T) int {
	t.Helper()
	n, err := strconv.Atoi(status(t, os.Getpid(), "Seccomp_filters"))
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// Where nobody answers any more, what was denied stays denied.
func TestExplainKilled(t *testing.T) {
	t.Parallel()
	requireRoot(t)
	dir := directory(t, 0o777)
	d := program{argv: []string{
		hardrun, "--explain-denials", "--system-call-filter=~chroot:EACCES", "--", "sh", "-c",
		`echo $$ > ` + dir + `/ready; until [ -e ` + dir + `/go ]; do sleep 0.01; done; chroot / true 2> ` + dir + `/said; exit 5`,
	}}.start(t)
	eventually(t, "the daemon", func() bool { return exists(dir+"/ready") && read(t, dir+"/ready") != "" })
	pid := strings.TrimSpace(read(t, dir+"/ready"))
	for _, child := range children(t, d.cmd.Process.Pid) {
		if itoa(child) != pid {
			if err := syscall.Kill(child, syscall.SIGKILL); err != nil {
				t.Fatal(err)
			}
			eventually(t, "its end", func() bool { return ended(child) })
		}
	}
	write(t, dir+"/go", "", 0o644)
	equal(t, "status", d.end(t), 5)
	if said := read(t, dir+"/said"); !strings.Contains(said, "Function not implemented") {
		t.Errorf("chroot said %q, want ENOSYS", said)
	}
}

// catchSource catches SIGSYS, or has a thread which does so every other moment, and
// then makes a call that kills. Given "names", it makes a denied call under many names.
const catchSource = `
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

static void caught(int s) { (void)s; }

static void *toggle(void *unused)
{
	for (;;) {
		signal(SIGSYS, caught);
		signal(SIGSYS, SIG_DFL);
	}
	return unused;
}

int main(int argc, char **argv)
{
	pthread_t thread;
	if (argc > 1 && !strcmp(argv[1], "names")) {
		for (int i = 0; i < 1500; i++) {
			char name[32];
			snprintf(name, sizeof name, "\n\033]0;%d", i);
			prctl(PR_SET_NAME, name);
			syscall(SYS_acct, 1);
		}
		return 3;
	}
	if (argc > 1 && !strcmp(argv[1], "catch"))
		signal(SIGSYS, caught);
	if (argc > 1 && !strcmp(argv[1], "ignore"))
		signal(SIGSYS, SIG_IGN);
	if (argc > 1 && !strcmp(argv[1], "toggle"))
		pthread_create(&thread, 0, toggle, 0);
	syscall(SYS_chroot, "/");
	if (argc > 1 && !strcmp(argv[1], "toggle"))
		pause(); // caught or not, it ends
	puts("survived");
	return 0;
}
`

// What kills, kills: also a process that would not die of SIGSYS.
func TestExplainKills(t *testing.T) {
	t.Parallel()
	requireRoot(t)
	program := compiled(t, "catch.c", catchSource, "-pthread")
	for _, tt := range []struct {
		how  string
		want []int
	}{
		{"plain", []int{159}},
		{"catch", []int{137}},
		{"ignore", []int{137}},
		{"toggle", []int{137, 159}},
	} {
		for range 3 {
			r := run(t, "--explain-denials", "--system-call-filter=~chroot", "--", program, tt.how)
			if !slices.Contains(tt.want, r.code) || r.stdout != "" {
				t.Errorf("%s: status %d, %q, want %v", tt.how, r.code, r.stdout, tt.want)
			}
			equals(t, tt.how, explained(r.stderr), []string{"catch[N]: chroot → killed (SIGSYS) by SystemCallFilter= --system-call-filter"})
		}
	}
	// Without the option the kernel does it, which nothing can catch.
	equal(t, "by the kernel", run(t, "--system-call-filter=~chroot", "--", program, "catch").code, 159)
}

// A daemon cannot write what it likes into the log, nor fill it.
func TestExplainFlood(t *testing.T) {
	t.Parallel()
	requireRoot(t)
	program := compiled(t, "catch.c", catchSource, "-pthread")
	r := run(t, "--explain-denials", "--system-call-filter=~acct:EPERM", "--", program, "names")
	equal(t, "status", r.code, 3)
	lines := strings.Split(strings.TrimSuffix(r.stderr, "\n"), "\n")
	equal(t, "lines", len(lines), 1001)
	for _, line := range lines[:1000] {
		if !strings.HasPrefix(line, "hardrun: ??]0;") || strings.ContainsAny(line, "\x1b\r") {
			t.Fatalf("line %q", line)
		}
	}
	equal(t, "the last", lines[1000], "hardrun: explain denials: there are more than 1000 different ones; others are denied without a word")
	// The same again and again is said at the first, second, fourth … time.
	r = run(t, "--explain-denials", "--system-call-filter=~acct:EPERM", "--", "perl", "-e", "syscall(163, 0) for 1..1000")
	equal(t, "lines", len(explained(r.stderr)), 10)
}

// Where it cannot be had, nothing is started; where there is nothing to tell, nobody
// stays.
func TestExplainRefused(t *testing.T) {
	t.Parallel()
	requireRoot(t)
	inner := run(t, "--explain-denials", "--system-call-filter=~acct", "--", hardrun, "--explain-denials", "--system-call-filter=~chroot", "--", probe)
	refused(t, inner, 228, "seccomp", "resource busy", "SystemCallFilter=")
	refused(t, run(t, "--explain-denials", "--parent=never", "--system-call-filter=~acct", "--", probe), 228, "--parent=never", "X-Hardrun-ExplainDenials=")
	refused(t, run(t, "--explain-denials", "--system-call-filter=~execve", "--", probe), 228, "execve")
	refused(t, run(t, "--explain-denials", "--system-call-filter=~acct", "--", "/nosuch"), 203, "/nosuch")
	same := run(t, "--explain-denials", "--", "sh", "-c", "echo $PPID").stdout
	equal(t, "the parent, where nothing is denied", strings.TrimSpace(same), itoa(os.Getpid()))
	for _, lie := range []string{"seccomp:error=EINVAL", "seccomp:retval=0", "sendmsg:error=EPERM"} {
		call, _, _ := strings.Cut(lie, ":")
		strace := requireProgram(t, "strace", "strace")
		r := runs(t, strace, "-f", "-o", "/dev/null", "-e", "trace="+call, "-e", "inject="+lie, hardrun, "--explain-denials", "--system-call-filter=~acct", "--", probe)
		if r.started() || r.code != 228 || !strings.Contains(r.stderr, "seccomp") {
			t.Errorf("%s: status %d, %q, %q", lie, r.code, r.stdout, r.stderr)
		}
	}
}

// Where a standard descriptor is closed, the kernel's own gets its number.
func TestExplainClosed(t *testing.T) {
	t.Parallel()
	requireRoot(t)
	for _, closed := range []string{"<&-", ">&-", "<&- >&-"} {
		r := runs(t, "sh", "-c", `"$@" `+closed, "sh", hardrun, "--explain-denials", "--system-call-filter=~acct:ENOTTY", "--", "perl", "-e", "exit(syscall(163, 0) == -1 && $!{ENOTTY} ? 6 : 7)")
		equal(t, closed+": status", r.code, 6)
		equals(t, closed, explained(r.stderr), []string{"perl[N]: acct → ENOTTY by SystemCallFilter= --system-call-filter"})
	}
}

// Beside a ready filter; where that would have to come first, it is refused.
func TestExplainReady(t *testing.T) {
	t.Parallel()
	requireRoot(t)
	file := directory(t, 0o755) + "/filter.bpf"
	made := func(lines ...string) {
		t.Helper()
		r := run(t, append(append([]string{"plan", "--filter-out=" + file}, lines...), "--", "/bin/true")...)
		equal(t, "plan", r.code, 0)
	}
	act := []string{"--explain-denials", "--seccomp-bpf=" + file, "--system-call-filter=~acct:ENOTTY seccomp", "--", "sh", "-c", "exit 4"}
	made("--system-call-filter=~swapon")
	refused(t, run(t, act...), 228, "--explain-denials", "loaded first")
	act[2] = "--system-call-filter=~acct:ENOTTY"
	act[6] = `perl -e "syscall(163, 0); syscall(167, 0, 0)"; exit 4`
	r := run(t, act...)
	equal(t, "status", r.code, 4)
	equals(t, "told", explained(r.stderr), []string{"perl[N]: acct → ENOTTY by SystemCallFilter= --system-call-filter"})
	if !strings.Contains(r.stderr, "Bad system call") {
		t.Errorf("the ready filter did not kill: %q", r.stderr)
	}
}

// A call that was asked about waits for its answer only, where the kernel has that
// (Linux 5.19): a signal does not start it anew. Without it goes, too.
func TestExplainKillable(t *testing.T) {
	t.Parallel()
	requireRoot(t)
	strace := requireProgram(t, "strace", "strace")
	for _, tt := range []struct {
		name  string
		more  []string
		flags string
	}{
		{"as the kernel is", nil, "0x28"},
		{"an old kernel", []string{"-e", "inject=seccomp:error=EINVAL:when=1"}, "0x8"}, // the first one asks
	} {
		log := directory(t, 0o755) + "/log"
		argv := slices.Concat([]string{strace, "-f", "-X", "raw", "-o", log, "-e", "trace=seccomp"}, tt.more, []string{hardrun, "--explain-denials", "--system-call-filter=~acct:ENOTTY", "--", "perl", "-e", "syscall(163, 0)"})
		r := runs(t, argv...)
		equals(t, tt.name, explained(r.stderr), []string{"perl[N]: acct → ENOTTY by SystemCallFilter= --system-call-filter"})
		if text := read(t, log); !regexp.MustCompile(`seccomp\(0x1, ` + tt.flags + `, .*\) += [0-9]+\n`).MatchString(text) {
			t.Errorf("%s: no filter was loaded with the flags %s:\n%s", tt.name, tt.flags, text)
		}
	}
}

// A terminal's keys and a supervisor's signals reach the daemon as without.
func TestExplainSignals(t *testing.T) {
	t.Parallel()
	requireRoot(t)
	for _, s := range []syscall.Signal{syscall.SIGHUP, syscall.SIGTERM, syscall.SIGUSR1} {
		r := program{argv: []string{hardrun, "--explain-denials", "--system-call-filter=~acct", "--", probe, "die", itoa(int(s))}}.run(t)
		equal(t, "status", r.code, 128+int(s))
	}
}
