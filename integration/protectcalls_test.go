//go:build linux

package integration

import (
	"encoding/json"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/hardrun/hardrun/seccomp"
)

// callsSource is a program that makes the calls on its command line, each
// WAY:NUMBER:A:B:C, and prints the kernel's bare answer to each. The ways are 64
// and x32, by syscall, and 32, by int $0x80.
const callsSource = `
#include <stdio.h>
#include <string.h>

int main(int argc, char **argv)
{
	for (int i = 1; i < argc; i++) {
		char way[4];
		long nr, a, b, c, r;
		if (sscanf(argv[i], "%3[^:]:%ld:%ld:%ld:%ld", way, &nr, &a, &b, &c) != 5)
			return 64;
		if (!strcmp(way, "32")) {
			int low;
			__asm__ volatile("int $0x80" : "=a"(low) : "a"((int)nr), "b"(a), "c"(b), "d"(c), "S"(0L), "D"(0L)
				: "memory", "r8", "r9", "r10", "r11");
			r = low;
		} else {
			if (!strcmp(way, "x32"))
				nr |= 0x40000000;
			register long r10 __asm__("r10") = 0;
			__asm__ volatile("syscall" : "=a"(r) : "a"(nr), "D"(a), "S"(b), "d"(c), "r"(r10) : "memory", "rcx", "r11");
		}
		printf("%ld\n", r);
		fflush(stdout);
	}
	return 0;
}
`

// bareSource is a program without a C library: it makes no call but exit_group,
// with status 7; given an argument, settimeofday of an address that is nowhere
// before it, and its errno is the status.
const bareSource = `
	.globl _start
_start:	mov $7, %edi
	cmpq $1, (%rsp)
	je 1f
	mov $164, %eax
	mov $1, %edi
	xor %esi, %esi
	syscall
	neg %eax
	mov %eax, %edi
1:	mov $231, %eax
	syscall
`

func requireX86(t *testing.T) {
	t.Helper()
	if runtime.GOARCH != "amd64" {
		t.Skip("needs an x86-64 machine: the calls are made in its registers")
	}
}

// compiled is a static program, for every user to run.
func compiled(t *testing.T, name, source string, flags ...string) string {
	t.Helper()
	dir := directory(t, 0o755)
	out := filepath.Join(dir, strings.TrimSuffix(name, filepath.Ext(name)))
	file := write(t, filepath.Join(dir, name), source, 0o644)
	gcc := requireProgram(t, "gcc", "gcc")
	if text, err := exec.Command(gcc, slices.Concat([]string{"-static", "-O1", "-Wall", "-Wextra", "-o", out, file}, flags)...).CombinedOutput(); err != nil {
		t.Fatalf("gcc %s: %v\n%s", name, err, text)
	}
	return out
}

// protectedCall is a system call with harmless arguments.
type protectedCall struct{ name, words string }

func callWords(calls []protectedCall) []string {
	var list []string
	for _, c := range calls {
		list = append(list, c.words)
	}
	return list
}

const (
	protectClock    = "--protect-clock"
	protectHostname = "--protect-hostname"
	protectModules  = "--protect-kernel-modules"
	protectLogs     = "--protect-kernel-logs"
	protectTunables = "--protect-kernel-tunables"
	privateDevices  = "--private-devices"
)

// protectedCalls are the calls that each directive denies. Their arguments are
// such that root with every capability is answered something else than EPERM,
// and nothing changes: addresses and descriptors that are nowhere.
var protectedCalls = []struct {
	option string
	calls  []protectedCall
}{
	{protectClock, []protectedCall{
		{"adjtimex", "64:159:1:0:0"},
		{"settimeofday", "64:164:1:0:0"},
		{"clock_settime", "64:227:0:1:0"},
		{"clock_adjtime", "64:305:0:1:0"},
		{"adjtimex, x32", "x32:159:1:0:0"},
		{"settimeofday, x32", "x32:164:1:0:0"},
		{"clock_settime, x32", "x32:227:0:1:0"},
		{"clock_adjtime, x32", "x32:305:0:1:0"},
		{"stime, i386", "32:25:1:0:0"},
		{"settimeofday, i386", "32:79:1:0:0"},
		{"adjtimex, i386", "32:124:1:0:0"},
		{"clock_settime, i386", "32:264:0:1:0"},
		{"clock_adjtime, i386", "32:343:0:1:0"},
		{"clock_settime64, i386", "32:404:0:1:0"},
		{"clock_adjtime64, i386", "32:405:0:1:0"},
	}},
	{protectHostname, []protectedCall{
		{"sethostname", "64:170:1:1:0"},
		{"setdomainname", "64:171:1:1:0"},
		{"sethostname, x32", "x32:170:1:1:0"},
		{"setdomainname, x32", "x32:171:1:1:0"},
		{"sethostname, i386", "32:74:1:1:0"},
		{"setdomainname, i386", "32:121:1:1:0"},
	}},
	{protectModules, []protectedCall{
		{"init_module", "64:175:0:0:0"},
		{"finit_module", "64:313:-1:0:0"},
		{"delete_module", "64:176:1:0:0"},
		{"init_module, x32", "x32:175:0:0:0"},
		{"finit_module, x32", "x32:313:-1:0:0"},
		{"delete_module, x32", "x32:176:1:0:0"},
		{"init_module, i386", "32:128:0:0:0"},
		{"finit_module, i386", "32:350:-1:0:0"},
		{"delete_module, i386", "32:129:1:0:0"},
	}},
	{protectLogs, []protectedCall{
		{"syslog", "64:103:10:0:0"}, // the size of the buffer
		{"syslog, x32", "x32:103:10:0:0"},
		{"syslog, i386", "32:103:10:0:0"},
	}},
	{protectTunables, []protectedCall{
		{"_sysctl", "64:156:1:0:0"},
		{"_sysctl, x32", "x32:156:1:0:0"},
		{"_sysctl, i386", "32:149:1:0:0"},
	}},
	{privateDevices, []protectedCall{
		{"iopl", "64:172:0:0:0"},
		{"ioperm", "64:173:128:1:0"},
		{"iopl, x32", "x32:172:0:0:0"},
		{"ioperm, x32", "x32:173:128:1:0"},
		{"iopl, i386", "32:110:0:0:0"},
		{"ioperm, i386", "32:101:128:1:0"},
	}},
}

// neighbours are calls beside them, and calls of one architecture that have the
// number of a denied call on the other. None of them is denied by anything here.
var neighbours = []protectedCall{
	{"gettimeofday", "64:96:1:0:0"},
	{"clock_gettime", "64:228:0:1:0"},
	{"uname", "64:63:1:0:0"},
	{"arch_prctl", "64:158:0:1:0"},
	{"acct's neighbour, sync_file_range of no descriptor", "64:277:-1:0:0"},
	{"create_module", "64:174:0:0:0"},
	{"getcwd, settimeofday of i386", "64:79:1:0:0"},
	{"getsid, adjtimex of i386", "64:124:-1:0:0"},
	{"sethostname of i386, fsync of no descriptor", "64:74:-1:0:0"},
	{"getuid", "64:102:0:0:0"},
	{"gettimeofday, x32", "x32:96:1:0:0"},
	{"time, i386", "32:13:1:0:0"},
	{"gettimeofday, i386", "32:78:1:0:0"},
	{"clock_gettime, i386", "32:265:0:1:0"},
	{"clock_gettime64, i386", "32:403:0:1:0"},
	{"uname, i386", "32:122:1:0:0"},
	{"sched_get_priority_max, adjtimex of x86-64", "32:159:1:0:0"},
	{"setresuid to what it is, settimeofday of x86-64", "32:164:-1:-1:-1"},
	{"getresgid of nowhere, setdomainname of x86-64", "32:171:1:1:1"},
}

const (
	answerEPERM = "-1"
	answerFault = "-14"
)

// answers runs the program, and is its answers, one for each call.
func answers(t *testing.T, prefix []string, program string, calls []protectedCall) []string {
	t.Helper()
	r := runs(t, slices.Concat(prefix, []string{program}, callWords(calls))...)
	lines := strings.Fields(r.stdout)
	if r.code != 0 || len(lines) != len(calls) {
		t.Fatalf("%q: status %d, %d answers of %d, stderr %q", r.argv, r.code, len(lines), len(calls), r.stderr)
	}
	return lines
}

// withoutI386 leaves the calls of i386 out where the kernel does not run them.
func withoutI386(t *testing.T, program string, calls []protectedCall) []protectedCall {
	t.Helper()
	if r := runs(t, program, "32:20:0:0:0"); r.code == 0 {
		return calls
	}
	t.Log("int $0x80 is not there (CONFIG_IA32_EMULATION): its calls are left out")
	return slices.DeleteFunc(slices.Clone(calls), func(c protectedCall) bool { return strings.HasPrefix(c.words, "32:") })
}

// loaded is a file with a filter, for --seccomp-bpf.
func loaded(t *testing.T, p seccomp.Program) string {
	t.Helper()
	return write(t, filepath.Join(directory(t, 0o755), "filter"), string(p.Bytes()), 0o644)
}

// only is a filter which lets these calls of x86-64 pass and kills at any other.
func only(numbers ...uint32) seccomp.Program {
	p := seccomp.Program{{Code: 0x20, K: 0}}
	for i, nr := range numbers {
		p = append(p, seccomp.Instruction{Code: 0x15, K: nr, JT: uint8(len(numbers) - i)})
	}
	return append(p, seccomp.Instruction{Code: 6, K: uint32(seccomp.KillProcess)}, seccomp.Instruction{Code: 6, K: uint32(seccomp.Allow)})
}

// The calls work without the filter and are EPERM with it, though root has every
// capability. Their neighbours, and what the other groups deny, are answered as
// without.
func TestProtectedCalls(t *testing.T) {
	requireRoot(t)
	requireX86(t)
	program := compiled(t, "calls.c", callsSource)
	for _, d := range protectedCalls {
		t.Run(strings.TrimPrefix(d.option, "--"), func(t *testing.T) {
			denied := withoutI386(t, program, d.calls)
			others := withoutI386(t, program, neighbours)
			for _, o := range protectedCalls {
				if o.option != d.option {
					others = append(others, withoutI386(t, program, o.calls)...)
				}
			}
			free := answers(t, nil, program, denied)
			for i, c := range denied {
				if free[i] == answerEPERM {
					t.Skipf("needs a start in which %s is not EPERM: here it is without hardrun", c.name)
				}
			}
			freeOthers := answers(t, nil, program, others)
			for _, prefix := range [][]string{
				{hardrun, d.option, "--"},
				{hardrun, d.option, "--user=nobody", "--caps=all", "--"},
				{hardrun, d.option, "--no-new-privileges", "--"},
			} {
				for i, got := range answers(t, prefix, program, denied) {
					if got != answerEPERM {
						t.Errorf("%q: %s answered %s, want EPERM; without hardrun it is %s", prefix, denied[i].name, got, free[i])
					}
				}
				if slices.Contains(prefix, "--user=nobody") {
					continue // another user's rights, other answers
				}
				for i, got := range answers(t, prefix, program, others) {
					if got != freeOthers[i] {
						t.Errorf("%q: %s answered %s, and %s without hardrun", prefix, others[i].name, got, freeOthers[i])
					}
				}
			}
		})
	}
}

// All of them together are one filter, and each denies its own.
func TestProtectedCallsTogether(t *testing.T) {
	requireRoot(t)
	requireX86(t)
	program := compiled(t, "calls.c", callsSource)
	var all []protectedCall
	options := []string{hardrun}
	for _, d := range protectedCalls {
		all = append(all, d.calls...)
		options = append(options, d.option)
	}
	all = withoutI386(t, program, all)
	for i, got := range answers(t, append(options, "--"), program, all) {
		if got != answerEPERM {
			t.Errorf("%s answered %s, want EPERM", all[i].name, got)
		}
	}
	r := run(t, append(options[1:], "--", "/bin/grep", "Seccomp", "/proc/self/status")...)
	if want := "Seccomp:\t2\nSeccomp_filters:\t1\n"; r.stdout != want {
		t.Errorf("status %d, %q (%s), want %q", r.code, r.stdout, r.stderr, want)
	}
}

// ProtectHostname=private and every "no" take no call away.
func TestUnprotectedCalls(t *testing.T) {
	requireRoot(t)
	requireX86(t)
	program := compiled(t, "calls.c", callsSource)
	calls := withoutI386(t, program, protectedCalls[1].calls)
	if got := answers(t, []string{hardrun, "--protect-hostname=private", "--"}, program, calls); got[0] != answerFault {
		t.Errorf("private: sethostname answered %s, want EFAULT", got[0])
	}
	for _, d := range protectedCalls {
		calls := withoutI386(t, program, d.calls)
		free := answers(t, nil, program, calls)
		if got := answers(t, []string{hardrun, d.option + "=no", "--"}, program, calls); !slices.Equal(got, free) {
			t.Errorf("%s=no: answered %v, and %v without hardrun", d.option, got, free)
		}
	}
}

// A filter of the user's may forbid everything but execve and exit_group: the
// directives' filter is loaded before it, and both hold.
func TestProtectedCallsUnderAnotherFilter(t *testing.T) {
	requireRoot(t)
	requireX86(t)
	bare := compiled(t, "bare.S", bareSource, "-nostdlib")
	const execve, settimeofday, exitGroup = 59, 164, 231
	strict, laxer := "--seccomp-bpf="+loaded(t, only(execve, exitGroup)), "--seccomp-bpf="+loaded(t, only(execve, settimeofday, exitGroup))
	for _, x := range []struct {
		words []string
		call  bool
		want  int
	}{
		{[]string{strict}, false, 7},
		{[]string{strict}, true, 128 + 31},
		{[]string{laxer}, true, 14},
		{[]string{protectClock}, true, 1},
		{[]string{protectClock, strict}, false, 7},
		{[]string{strict, protectClock}, false, 7},
		{[]string{protectClock, strict}, true, 128 + 31}, // the stricter verdict holds
		{[]string{protectClock, laxer}, true, 1},
		{[]string{protectLogs, laxer}, true, 14},
		{[]string{protectClock, strict, "--user=nobody"}, false, 7},
		{[]string{protectClock, laxer, "--user=nobody"}, true, 1},
		{[]string{protectClock, strict, "--user=nobody", "--no-new-privileges"}, false, 7},
	} {
		line := append(slices.Clone(x.words), "--", bare)
		if x.call {
			line = append(line, "settimeofday")
		}
		if r := run(t, line...); r.code != x.want || r.stderr != "" {
			t.Errorf("%v: status %d, stderr %q, want %d", line, r.code, r.stderr, x.want)
		}
	}
}

// no_new_privs is implied only where CAP_SYS_ADMIN is not there to load the
// filter, even over a "no". Where it is, it is kept until then and not longer.
func TestProtectedCallsPrivileges(t *testing.T) {
	requireRoot(t)
	const sysAdmin = 21
	for _, x := range []struct {
		without bool
		words   []string
		nnp     int
	}{
		{false, []string{protectClock}, 0},
		{false, []string{protectClock, "--user=nobody"}, 0},
		{false, []string{protectClock, "--user=nobody", "--no-new-privileges=no"}, 0},
		{false, []string{protectClock, "--caps=none"}, 0},
		{false, []string{protectClock, "--user=nobody", "--caps=net_bind_service"}, 0},
		{false, []string{protectClock, "--no-new-privileges"}, 1},
		{false, []string{protectHostname}, 0},
		{true, []string{protectClock}, 1},
		{true, []string{protectClock, "--user=nobody"}, 1},
		{true, []string{protectClock, "--user=nobody", "--no-new-privileges=no"}, 1},
		{true, []string{"--protect-clock=no", "--user=nobody"}, 0},
	} {
		line := slices.Concat([]string{hardrun}, x.words, []string{"--", probe})
		if x.without {
			line = with("without="+itoa(sysAdmin), line...)
		}
		s := runs(t, line...).state(t)
		filter := 2
		if slices.Contains(x.words, "--protect-clock=no") {
			filter = 0
		}
		equal(t, strings.Join(line, " ")+": no_new_privs", s.NNP, x.nnp)
		equal(t, strings.Join(line, " ")+": seccomp", s.Seccomp, filter)
		if slices.Contains(x.words, "--user=nobody") {
			caps := "0000000000000000"
			if slices.Contains(x.words, "--caps=net_bind_service") {
				caps = "0000000000000400"
			}
			equals(t, strings.Join(line, " ")+": capabilities", []string{s.Inh, s.Prm, s.Eff, s.Amb}, []string{caps, caps, caps, caps})
		}
		if slices.Contains(x.words, "--caps=none") {
			equals(t, strings.Join(line, " ")+": capabilities", []string{s.Inh, s.Prm, s.Eff, s.Amb, s.Bnd}, slices.Repeat([]string{"0000000000000000"}, 5))
		}
	}
}

// plan says which directives a filter is for, and why no_new_privs is set.
func TestProtectedCallsPlan(t *testing.T) {
	requireRoot(t)
	unit := func(lines ...string) []string {
		var list []string
		for _, l := range lines {
			list = append(list, "-p", l)
		}
		return list
	}
	const sysAdmin = 21
	line := slices.Concat([]string{hardrun, "plan", "--json", "--for=self"}, unit("PrivateDevices=yes", "ProtectClock=yes", "NoNewPrivileges=no"), []string{"--", "/bin/true"})
	for _, without := range []bool{false, true} {
		argv := line
		if without {
			argv = with("without="+itoa(sysAdmin), slices.Concat([]string{hardrun, "plan", "--json", "--for=self"}, unit("ProtectKernelLogs=no", "ProtectClock=yes", "NoNewPrivileges=no"), []string{"--", "/bin/true"})...)
		}
		r := runs(t, argv...)
		var pl planned
		if err := json.Unmarshal([]byte(r.stdout), &pl); err != nil {
			t.Fatalf("%q: %v: %.500s %s", r.argv, err, r.stdout, r.stderr)
		}
		var filters, implied []string
		for _, s := range pl.Steps {
			switch s.Stage {
			case "seccomp":
				filters = append(filters, s.Step[strings.Index(s.Step, " instructions"):]+" "+s.Directive)
			case "no_new_privs":
				implied = append(implied, s.Because)
			}
		}
		var notes []string
		for _, n := range pl.Notes {
			if strings.HasPrefix(n.ID, "nnp-") {
				notes = append(notes, n.ID)
			}
		}
		if without {
			equals(t, "filters", filters, []string{" instructions: ProtectClock= ProtectClock="})
			equals(t, "because", implied, []string{"ProtectClock= needs a filter, which is loaded without CAP_SYS_ADMIN"})
			equals(t, "notes", notes, []string{"nnp-implied"})
			continue
		}
		equals(t, "filters", filters, []string{" instructions: ProtectClock=, PrivateDevices= ProtectClock="})
		equals(t, "because", implied, nil)
		equals(t, "notes", notes, []string{"nnp-advised"})
	}
}

// Where a filter around hardrun forbids to load one, no daemon is started,
// whatever finds it. A waiver counts for its own directive alone: the filter of
// two is given up only where both are waived.
func TestProtectedCallsRefused(t *testing.T) {
	requireRoot(t)
	requireX86(t)
	const nrSeccomp = 317
	errno := uint32(seccomp.Errno) | 1
	none := seccomp.Program{{Code: 0x20, K: 0}, {Code: 0x15, K: nrSeccomp, JF: 1}, {Code: 6, K: errno}, {Code: 6, K: uint32(seccomp.Allow)}}
	// It answers a program that is nowhere as without it, and so only the loading fails.
	late := seccomp.Program{
		{Code: 0x20, K: 0},
		{Code: 0x15, K: nrSeccomp, JF: 3},
		{Code: 0x20, K: 32}, // the lower half of the third argument
		{Code: 0x15, K: 0, JT: 1},
		{Code: 6, K: errno},
		{Code: 6, K: uint32(seccomp.Allow)},
	}
	for name, p := range map[string]seccomp.Program{"none": none, "late": late} {
		outer := []string{hardrun, "--seccomp-bpf=" + loaded(t, p), "--", hardrun}
		under := func(words ...string) result {
			return runs(t, slices.Concat(outer, words, []string{"--", probe})...)
		}
		if r := under(); r.code != 0 || !r.started() {
			t.Errorf("%s: without a filter of its own: status %d, %q", name, r.code, r.stderr)
		}
		refused(t, under(protectClock), 228, "ProtectClock=", "seccomp", "operation not permitted")
		// A waiver of one is none for the other.
		refused(t, under(protectLogs, protectClock, "--waive=ProtectKernelLogs"), 228, "ProtectClock=")
		refused(t, under(protectLogs, protectClock, "--waive=ProtectClock"), 228, "ProtectKernelLogs=")
		r := under(protectLogs, protectClock, "--waive=ProtectClock,ProtectKernelLogs")
		equal(t, name+": seccomp", r.state(t).Seccomp, 2) // the outer one
		if !strings.Contains(r.stderr, "waived") || !strings.Contains(r.stderr, "ProtectClock=") || !strings.Contains(r.stderr, "ProtectKernelLogs=") {
			t.Errorf("%s: waived, and stderr is %q", name, r.stderr)
		}
		// What can be had is had, waiver or not.
		s := run(t, protectClock, "--waive=ProtectClock", "--", probe).state(t)
		equal(t, "seccomp of a waiver that was not needed", s.Seccomp, 2)
	}
}
