//go:build linux

package integration

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/hardrun/hardrun/seccomp"
	"golang.org/x/sys/unix"
)

// everyFilter is every directive that needs a filter.
var everyFilter = opt(
	"--system-call-filter=@system-service", "--system-call-filter=~@privileged:EPERM", "--system-call-error-number=EXFULL", "--system-call-log=getppid",
	"--system-call-architectures=native", "--restrict-address-families=AF_UNIX AF_INET", "--restrict-namespaces", "--restrict-realtime",
	"--restrict-suidsgid", "--lock-personality", "--memory-deny-write-execute", "--protect-clock", "--protect-hostname",
	"--protect-kernel-logs", "--protect-kernel-modules", "--protect-kernel-tunables", "--private-devices",
)

// All of them are one filter, whatever else there is: a system call costs each one
// that is loaded.
func TestFilterIsOne(t *testing.T) {
	t.Parallel()
	requireRoot(t)
	count := func(words ...string) []string {
		r := runs(t, append(words, "/bin/grep", "^Seccomp", "/proc/self/status")...)
		if r.code != 0 {
			t.Fatalf("%q: status %d, %q", r.argv, r.code, r.stderr)
		}
		return strings.Fields(r.stdout)
	}
	before := number(t, count()[3])
	want := []string{"Seccomp:", "2", "Seccomp_filters:", itoa(before + 1)}
	for _, more := range [][]string{nil, {"--user=nobody"}, {"--no-new-privileges"}, {"--user=nobody", "--no-new-privileges"}} {
		equals(t, fmt.Sprint(more), count(under(append(slices.Clone(everyFilter), more...)...)...), want)
	}
	for _, o := range everyFilter {
		if strings.HasPrefix(o, "--memory-deny") || strings.HasPrefix(o, "--system-call-filter=~") || strings.HasPrefix(o, "--system-call-error") {
			continue // these are none by themselves
		}
		equals(t, o, count(under(o)...), want)
	}
	equals(t, "PR_SET_MDWE", count(under("--memory-deny-write-execute")...), count())
	old := loaded(t, prctlAnswers(errnoAction(syscall.EINVAL), prSetMDWE, prGetMDWE))
	equals(t, "MDWE by a filter", count(append(under("--seccomp-bpf="+old), under("--memory-deny-write-execute")...)...), []string{"Seccomp:", "2", "Seccomp_filters:", itoa(before + 2)})
	equals(t, "nothing", count(under("--restrict-namespaces=no", "--restrict-address-families=~", "--protect-clock=no")...), count())
}

// loadingFilters are the directives whose filter is to be loaded, and the call and the
// directive that a failure names.
var loadingFilters = []struct{ option, names string }{
	{"--system-call-filter=~chroot", "SystemCallFilter="},
	{"--system-call-log=chroot", "SystemCallLog="},
	{"--system-call-architectures=native", "SystemCallArchitectures="},
	{"--restrict-address-families=AF_UNIX", "RestrictAddressFamilies="},
	{"--restrict-namespaces", "RestrictNamespaces="},
	{"--restrict-realtime", "RestrictRealtime="},
	{"--restrict-suidsgid", "RestrictSUIDSGID="},
	{"--lock-personality", "LockPersonality="},
	{"--protect-hostname", "ProtectHostname="},
}

// Where the filter cannot be loaded, or the kernel says that it is and it is not, no
// daemon is started, once or always.
func TestFilterLoadingFails(t *testing.T) {
	t.Parallel()
	strace := requireProgram(t, "strace", "strace")
	inject := func(option, inject string) result {
		return runs(t, append([]string{strace, "-qq", "-o", "/dev/null", "-e", "trace=seccomp", "-e", "inject=seccomp:" + inject, "--"}, append(under(option), probe)...)...)
	}
	// The calls are two: whether filters can be loaded, and the loading.
	tr := traced(t, "-e trace=seccomp,execve", append(under(loadingFilters[0].option), probe)...)
	var calls []string
	for _, c := range tr.calls {
		if c.name == "seccomp" {
			calls = append(calls, c.answer)
		}
	}
	equals(t, "calls", calls, []string{"-1 EFAULT (Bad address)", "0"})

	// Those of seccomp(2), and one that it does not know.
	for name, text := range map[string]string{
		"EACCES": "permission denied", "EBUSY": "device or resource busy", "ECANCELED": "error 125", "EFAULT": "bad address", "EINVAL": "invalid argument",
		"ENOMEM": "cannot allocate memory", "ENOSYS": "function not implemented", "EOPNOTSUPP": "operation not supported", "EPERM": "operation not permitted",
		"ESRCH": "no such process", "EXFULL": "error 54",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, when := range []string{":when=1", ":when=2", ""} {
				r := inject(loadingFilters[0].option, "error="+name+when)
				if name == "EFAULT" && when == ":when=1" { // which is the right answer
					equal(t, "started", r.started(), true)
					continue
				}
				refused(t, r, 228, "seccomp", "SystemCallFilter=")
				if when == ":when=2" && !strings.Contains(r.stderr, text) {
					t.Errorf("%s%s: %q does not say %q", name, when, r.stderr, text)
				}
			}
		})
	}
	for _, f := range loadingFilters {
		t.Run(f.names, func(t *testing.T) {
			t.Parallel()
			refused(t, inject(f.option, "error=EINVAL:when=2"), 228, "seccomp", f.names)
			for _, when := range []string{":when=1", ":when=2", ":when=1+", ""} { // a lie: it is told that it is done
				r := inject(f.option, "retval=0"+when)
				refused(t, r, 228, f.names)
			}
		})
	}
	// An answer that is no error, and none of a filter that is loaded.
	refused(t, inject(loadingFilters[0].option, "retval=3:when=2"), 228, "SystemCallFilter=")
}

// A filter around hardrun that takes each filter and loads none is found out by the
// canary. One that answers the canary itself does not hide a filter that is there: of
// two errors that of the filter which was loaded last counts (seccomp(2)).
func TestFilterLies(t *testing.T) {
	t.Parallel()
	requireRoot(t)
	requireX86(t)
	const nrSeccomp = 317
	start := func(p seccomp.Program, options ...string) result {
		return runs(t, slices.Concat(under("--seccomp-bpf="+loaded(t, p)), under(options...), []string{probe})...)
	}
	nothing := errnoFilter(0, nrSeccomp)
	equal(t, "without a filter of its own", start(nothing).state(t).Seccomp, 2) // the outer one
	refused(t, start(nothing, "--system-call-filter=~chroot"), 228, "SystemCallFilter=", "seccomp")
	// It tells as the kernel does that a filter can be loaded, and then takes it.
	lie := seccomp.Program{
		{Code: 0x20, K: 0},
		{Code: 0x15, K: nrSeccomp, JF: 3},
		{Code: 0x20, K: 32}, // the lower half of the third argument
		{Code: 0x15, K: 0, JT: 1},
		{Code: 6, K: errnoAction(0)},
		{Code: 6, K: uint32(seccomp.Allow)},
	}
	refused(t, start(lie, "--system-call-filter=~chroot"), 228, "SystemCallFilter=", "prctl")
	for _, errno := range []syscall.Errno{0, unix.EINVAL, seccomp.CanaryErrno - 1} {
		p := prctlAnswers(errnoAction(errno), seccomp.CanaryOption)
		r := runs(t, slices.Concat(under("--seccomp-bpf="+loaded(t, p)), under("--system-call-filter=~chroot:EPERM"), []string{probe, "try", "chroot", "/"})...)
		equal(t, "chroot", r.act(t).Errno, "EPERM")
	}
}

// PR_SET_MDWE that fails, or lies, is a refusal. Just a kernel which does not have it
// (EINVAL) is not: there is the filter.
func TestFilterWriteExecuteFails(t *testing.T) {
	t.Parallel()
	requireRoot(t)
	victim, _ := requireVictims(t)
	start := func(p seccomp.Program) []string {
		return append(under("--seccomp-bpf="+loaded(t, p)), under("--memory-deny-write-execute")...)
	}
	for _, errno := range []syscall.Errno{unix.EPERM, unix.EINVAL, unix.ENOSYS, unix.EACCES, unix.ENOMEM} {
		r := runs(t, append(start(prctlAnswers(errnoAction(errno), prSetMDWE)), probe)...)
		refused(t, r, 228, "prctl", "MemoryDenyWriteExecute=", errno.Error())
	}
	refused(t, runs(t, append(start(prctlAnswers(errnoAction(0), prSetMDWE)), probe)...), 228, "MemoryDenyWriteExecute=") // it lies
	refused(t, runs(t, append(start(prctlAnswers(errnoAction(0), prSetMDWE, prGetMDWE)), probe)...), 228, "MemoryDenyWriteExecute=")
	refused(t, runs(t, append(start(prctlAnswers(errnoAction(0), prGetMDWE)), probe)...), 228, "MemoryDenyWriteExecute=")

	// One answer alone does not decide that the kernel lacks it: two do.
	for _, errno := range []syscall.Errno{unix.EINVAL, unix.ENOSYS, unix.EPERM} {
		refused(t, runs(t, append(start(prctlAnswers(errnoAction(errno), prGetMDWE)), probe)...), 228, "prctl", "MemoryDenyWriteExecute=")
	}
	words := []string{chainOf(t, by64, "mmap 0 4096 7 0x22 -1 0"), chainOf(t, by64, "mmap 0 4096 5 0x22 -1 0")}
	equals(t, "an old kernel", chains(t, start(prctlAnswers(errnoAction(unix.EINVAL), prSetMDWE, prGetMDWE)), victim, words), []string{"EPERM", ok})
	// And if that cannot be loaded either there is no daemon.
	p := slices.Concat(prctlAnswers(errnoAction(unix.EINVAL), prSetMDWE, prGetMDWE)[:7], seccomp.Program{
		{Code: 0x20, K: 0}, {Code: 0x15, K: 317, JF: 1}, {Code: 6, K: errnoAction(unix.EPERM)}, {Code: 6, K: uint32(seccomp.Allow)},
	})
	p[1].JF = 5 // to what follows in place of the end
	refused(t, runs(t, append(start(p), probe)...), 228, "MemoryDenyWriteExecute=", "seccomp", unix.EPERM.Error())
}

// The plan says the length of the program that is loaded, but for its canary.
func TestFilterIsThePlanned(t *testing.T) {
	t.Parallel()
	requireRoot(t)
	r := run(t, append(append([]string{"plan", "--json"}, everyFilter...), "--", probe)...)
	pl := decode[planned](t, r.stdout)
	said := 0
	for _, s := range pl.Steps {
		if m := regexp.MustCompile(`^filter of (\d+) instructions: `).FindStringSubmatch(s.Step); m != nil {
			said = number(t, m[1])
		}
	}
	tr := traced(t, "-e trace=seccomp,execve", append(under(everyFilter...), probe)...)
	for _, c := range tr.calls {
		if m := regexp.MustCompile(`\{len=(\d+),`).FindStringSubmatch(c.args); c.name == "seccomp" && m != nil {
			equal(t, "instructions beside the canary", number(t, m[1])-said, 9)
			return
		}
	}
	t.Errorf("no filter of %d instructions was loaded: %.2000s", said, tr.text)
}
