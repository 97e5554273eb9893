//go:build linux

package integration

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/hardrun/hardrun/seccomp"
	"golang.org/x/sys/unix"
)

// forbids is a filter as it is often written: it answers these calls of x86-64 by
// EXFULL, and asks for no architecture.
func forbids(t *testing.T, calls ...string) []string {
	t.Helper()
	var numbers []uint32
	for _, name := range calls {
		numbers = append(numbers, uint32(callNumbers[name][0]))
	}
	return []string{hardrun, "--seccomp-bpf=" + loaded(t, errnoFilter(uint32(unix.EXFULL), numbers...)), "--"}
}

// under is the start of a command under options.
func under(options ...string) []string {
	return slices.Concat([]string{hardrun}, options, []string{"--"})
}

// helped is a helper of these tests.
func helped(t *testing.T, name, source string) string {
	t.Helper()
	requireX86(t)
	return compiled(t, name+".c", source, "-pthread")
}

// alone is what a program prints, as "ok" or the name of an error.
func alone(t *testing.T, argv ...string) string {
	t.Helper()
	r := runs(t, argv...)
	if r.signal != 0 {
		return unix.SignalName(r.signal)
	}
	if r.code != 0 {
		t.Fatalf("%q: status %d, %q %q", argv, r.code, r.stdout, r.stderr)
	}
	return answerName(strings.TrimSpace(r.stdout))
}

// A terminal that is shared with who started hardrun is not typed into, and nothing is
// pasted there (CVE-2023-1523, CVE-2023-28100), once there is a filter: not even by a
// command with something in the upper half, which the kernel does not look at
// (CVE-2019-7303, CVE-2019-10063).
func TestA30TerminalUnderAFilter(t *testing.T) {
	requireRoot(t)
	if live := read(t, "/proc/sys/dev/tty/legacy_tiocsti"); strings.TrimSpace(live) != "1" {
		t.Skip("needs sysctl dev.tty.legacy_tiocsti=1: the kernel forbids it by itself")
	}
	x8664, i386 := requireVictims(t)
	keep := opt("--user=nobody", "--keep-tty")
	if keys, _ := typed(t, append(under(keep...), probe)...); !strings.HasPrefix(keys, "###") {
		t.Fatalf("without a filter nothing was typed: %q", keys)
	}
	filtered := append(slices.Clone(keep), "--system-call-filter=~@clock")
	keys, answers := typed(t, append(under(filtered...), probe)...)
	equal(t, "what the shell read", keys, "")
	for _, a := range answers {
		equal(t, "TIOCSTI", a.Errno, "EPERM")
	}

	acts := []act{
		{"ioctl 0 0x5412 &1", ok, "EPERM", ""}, // TIOCSTI
		{"ioctl 0 0x100005412 &1", ok, "EPERM", ways64},
		{"ioctl 0 0xffffffff00005412 &1", ok, "EPERM", ways64},
		{"ioctl 0 0x541c *4:6", "ENOTTY", "EPERM", ""}, // TIOCLINUX, which a virtual console has alone
		{"ioctl 0 0x10000541c *4:6", "ENOTTY", "EPERM", ways64},
		{"ioctl 0 0x5413 &8", ok, ok, ""}, // TIOCGWINSZ
	}
	for victim, ways := range map[string][]string{x8664: {by64, by32, byX32}, i386: {byELF}} {
		if victim == "" {
			continue
		}
		var words []string
		var names, free, want []string
		for _, a := range acts {
			for _, way := range ways {
				if a.ways != "" && a.ways != way || way == by32 && i386 == "" {
					continue
				}
				words, names = append(words, chainOf(t, way, a.chain)), append(names, way+": "+a.chain)
				f, w := a.free, a.want
				if way == byX32 {
					f = "ENOSYS"
					if w == ok {
						w = f
					}
				}
				free, want = append(free, f), append(want, w)
			}
		}
		for _, x := range []struct {
			options []string
			want    []string
		}{{keep, free}, {filtered, want}} {
			dir := directory(t, 0o777)
			_, wait := onTerminal(t, `dir=$1; shift; "$@" >$dir/answers`, slices.Concat([]string{dir}, under(x.options...), []string{victim}, words)...)
			wait()
			lines := strings.Fields(read(t, dir+"/answers"))
			if len(lines) != len(words) {
				t.Fatalf("%d answers to %d chains: %q", len(lines), len(words), lines)
			}
			for i, l := range lines {
				if strings.HasPrefix(names[i], byX32) && x.want[i] == "ENOSYS" {
					continue // where the kernel has x32 it is another answer
				}
				equal(t, fmt.Sprintf("%v, %s", x.options, names[i]), answerName(l), x.want[i])
			}
		}
	}
}

// TIOCLINUX is there on a virtual console alone. To one that is not its own terminal a
// daemon comes by CAP_SYS_ADMIN; 6 asks for the shift keys, and changes nothing.
func TestA30VirtualConsole(t *testing.T) {
	t.Parallel()
	requireRoot(t)
	const console = "/dev/tty1"
	victim, _ := requireVictims(t)
	word := chainOf(t, by64, "ioctl 0 0x541c *4:6")
	ask := func(prefix ...string) string {
		dir := directory(t, 0o777)
		_, wait := onTerminal(t, `dir=$1; shift; "$@" <`+console+` >$dir/answer`, slices.Concat([]string{dir}, prefix, []string{victim, word})...)
		wait()
		return answerName(strings.TrimSpace(read(t, dir+"/answer")))
	}
	if !exists(console) || ask() != ok {
		t.Skip("needs a virtual console (CONFIG_VT)")
	}
	user := opt("--user=nobody", "--caps=sys_admin", "--keep-tty")
	equal(t, "without a filter", ask(under(user...)...), ok)
	equal(t, "with one", ask(under(append(user, "--system-call-filter=~@clock")...)...), "EPERM")
}

// An argument whose upper half the kernel does not look at is compared by its lower
// half. A filter that compares all of it is passed: here a filter of the test's own is.
func TestA31UpperHalfOfArguments(t *testing.T) {
	t.Parallel()
	victim, _ := requireVictims(t)
	// Answers socket(2) of AF_UNIX by EXFULL, if the upper half is 0.
	wide := seccomp.Program{
		{Code: 0x20, K: 0},
		{Code: 0x15, K: 41, JF: 5},
		{Code: 0x20, K: 20}, // the upper half of the first argument
		{Code: 0x15, K: 0, JF: 3},
		{Code: 0x20, K: 16},
		{Code: 0x15, K: 1, JF: 1},
		{Code: 6, K: errnoAction(unix.EXFULL)},
		{Code: 6, K: uint32(seccomp.Allow)},
	}
	words := []string{chainOf(t, by64, "socket 1 1 0"), chainOf(t, by64, "socket 0x100000001 1 0"), chainOf(t, by64, "socket 0x8000000000000001 1 0")}
	equals(t, "a filter of 64 bits", chains(t, under("--seccomp-bpf="+loaded(t, wide)), victim, words), []string{"EXFULL", ok, ok})
	equals(t, "RestrictAddressFamilies=", chains(t, under("--restrict-address-families=AF_INET"), victim, words), slices.Repeat([]string{"EAFNOSUPPORT"}, 3))
	// Of the number of a call itself the kernel takes 32 bits as well.
	words = []string{"64 110", "64 0x10000006e", "64 0xffffffff0000006e"}
	equals(t, "numbers, without", chains(t, nil, victim, words), []string{ok, ok, ok})
	equals(t, "numbers", chains(t, under("--system-call-filter=~getppid:EXFULL"), victim, words), slices.Repeat([]string{"EXFULL"}, 3))
}

// sweep are all numbers of a way, with arguments that are nowhere.
func sweep(way string, without ...int) []string {
	var words []string
	for nr := range 1100 {
		if !slices.Contains(without, nr) {
			words = append(words, way+" "+itoa(nr)+" -1 -1 -1 -1 -1 -1")
		}
	}
	return words
}

// The calls of x32 come by the same architecture with a bit in their number: a list of
// what is forbidden that does not know it is passed (firejail #87, kafel #19,
// go-seccomp-bpf #7). Where the kernel has no x32, another process plays it.
func TestA59X32(t *testing.T) {
	t.Parallel()
	requireRoot(t)
	victim, _ := requireVictims(t)
	kernel := []string{helped(t, "newkernel", newKernelSource), "0x40000000", "0x400007ff", "0"}
	words := []string{chainOf(t, by64, "getppid"), chainOf(t, byX32, "getppid")}
	equals(t, "without", chains(t, kernel, victim, words), []string{ok, ok})
	equals(t, "a filter of x86-64", chains(t, slices.Concat(kernel, forbids(t, "getppid")), victim, words), []string{"EXFULL", ok})
	for option, want := range map[string]string{"--system-call-filter=~getppid:EXFULL": "EXFULL", "--system-call-filter=~getppid": sigsys} {
		equals(t, option, chains(t, slices.Concat(kernel, under(option)), victim, words), []string{want, want})
	}
	// 514 is the ioctl of x32, and 16 that of x86-64, which kernels before 5.4 took with
	// the bit as well.
	ioctls := []string{"64 16 -1 0x5413 0", "x32 514 -1 0x5413 0", "x32 16 -1 0x5413 0"}
	equals(t, "ioctl, without", chains(t, kernel, victim, ioctls), []string{"EBADF", ok, ok})
	equals(t, "ioctl", chains(t, slices.Concat(kernel, under("--system-call-filter=~ioctl:EXFULL")), victim, ioctls), slices.Repeat([]string{"EXFULL"}, 3))
	// Every number: 57, 61, 1 and 231 are allowed, and 520, which is the execve of x32.
	for nr, got := range chains(t, slices.Concat(kernel, onlyVictims()), victim, sweep(byX32)) {
		want := "EXFULL"
		if slices.Contains([]int{1, 57, 61, 231, 520}, nr) {
			want = ok
		}
		equal(t, "x32, number "+itoa(nr), got, want)
	}
}

// onlyVictims allows what a victim needs, and nothing else.
func onlyVictims() []string {
	return under("--system-call-filter=fork wait4 write", "--system-call-filter=~@default", "--system-call-filter=execve exit_group", "--system-call-error-number=EXFULL")
}

// A program of 64 bits makes calls of 32 by int $0x80, with numbers of their own: 102
// is getuid here, and socketcall there (elastic/ml-cpp #3080, morok #45).
func TestA60I386(t *testing.T) {
	t.Parallel()
	x8664, i386 := requireVictims(t)
	if i386 == "" {
		t.Skip("needs a kernel that runs i386 programs (CONFIG_IA32_EMULATION)")
	}
	// getppid, and the calls that have its number on the other side: semget, and iopl,
	// to which this kernel may not answer "ok".
	words := []string{chainOf(t, by64, "getppid"), chainOf(t, by64, "semget 0 0 0"), chainOf(t, by32, "getppid"), chainOf(t, by32, "iopl 0")}
	free := chains(t, nil, x8664, words)
	equals(t, "without", free[:3], []string{ok, "EINVAL", ok})
	equals(t, "a filter of x86-64", chains(t, forbids(t, "getppid"), x8664, words), []string{"EXFULL", "EINVAL", ok, "EXFULL"})
	equals(t, "~getppid", chains(t, under("--system-call-filter=~getppid:EXFULL"), x8664, words), []string{"EXFULL", "EINVAL", "EXFULL", free[3]})
	equals(t, "~getppid, killed", chains(t, under("--system-call-filter=~getppid"), x8664, words), []string{sigsys, "EINVAL", sigsys, free[3]})
	equals(t, "native", chains(t, under("--system-call-architectures=native"), x8664, words), []string{ok, "EINVAL", sigsys, sigsys})

	// The same by a program that is i386 through and through.
	elf := []string{chainOf(t, byELF, "getppid"), chainOf(t, byELF, "iopl 0")}
	equals(t, "i386, without", chains(t, nil, i386, elf), []string{ok, free[3]})
	equals(t, "i386, a filter of x86-64", chains(t, forbids(t, "getppid"), i386, elf), []string{ok, "EXFULL"})
	equals(t, "i386, ~getppid", chains(t, under("--system-call-filter=~getppid:EXFULL"), i386, elf), []string{"EXFULL", free[3]})
	if r := run(t, "--system-call-architectures=native", "--", i386); r.signal != syscall.SIGSYS {
		t.Errorf("native, i386: status %d, %q", r.code, r.stderr)
	}
	equals(t, "i386, open", chains(t, under("--system-call-architectures=x86", "--system-call-filter=~getppid:EXFULL"), i386, elf), []string{"EXFULL", free[3]})

	// 335 and 336 are uretprobe and uprobe, which the kernel itself makes, and asks no
	// filter about: seccomp_is_const_allow of its kernel/seccomp.c.
	for way, allowed := range map[string][]int{by64: {57, 61, 1, 231, 59, 335, 336}, by32: {2, 114, 4, 252, 11}} {
		for i, got := range chains(t, onlyVictims(), x8664, sweep(way, allowed...)) {
			if got != "EXFULL" {
				t.Errorf("way %s, %s: %s, want EXFULL", way, sweep(way, allowed...)[i], got)
			}
		}
	}
}

// What stands behind a pointer is not seen by a filter: the flags of clone3, the mode
// of openat2 (systemd #38711).
func TestA61ArgumentsBehindPointers(t *testing.T) {
	t.Parallel()
	requireRoot(t)
	x8664, i386 := requireVictims(t)
	dir := directory(t, 0o755)
	for name, c := range map[string]struct {
		option, plain, want, behind string
		naive                       []string
	}{
		"clone3": {
			"--restrict-namespaces", "+clone 0x10000011", "EPERM", "+clone3 *8:0x10000000,0,0,0,17,0,0,0 64",
			forbids(t, "clone", "unshare"),
		},
		"openat2": {
			"--restrict-suidsgid", "openat -100 \"" + dir + "/a# 0x41 0x9ed", "EPERM", "openat2 -100 \"" + dir + "/b# *8:0x41,0x9ed,0 24",
			forbids(t, "openat", "open", "creat"),
		},
	} {
		t.Run(name, func(t *testing.T) {
			for victim, way := range map[string]string{x8664: by64, i386: byELF} {
				if victim == "" {
					continue
				}
				words := []string{chainOf(t, way, c.plain), chainOf(t, way, c.behind)}
				equals(t, way+", without", chains(t, nil, victim, words), []string{ok, ok})
				if way == by64 {
					equals(t, way+", a filter without it", chains(t, c.naive, victim, words), []string{"EXFULL", ok})
				}
				equals(t, way, chains(t, under(c.option), victim, words), []string{c.want, "ENOSYS"})
			}
		})
	}
}

// A filter that one thread has loaded does not bind the others (morok #45). hardrun's
// is loaded when there is one, and each later thread has it.
func TestA62EveryThread(t *testing.T) {
	t.Parallel()
	requireRoot(t)
	threads := helped(t, "threads", threadsSource)
	for name, c := range map[string]struct {
		argv []string
		want string
	}{
		"without":        {[]string{threads}, "0\n0\n0\n"},
		"one's own":      {[]string{threads, "loads"}, "-54\n0\n0\n"}, // EXFULL
		"hardrun":        {append(under("--system-call-filter=~getppid:EXFULL"), threads), "-54\n-54\n-54\n"},
		"hardrun, user":  {append(under("--system-call-filter=~getppid:EXFULL", "--user=nobody"), threads), "-54\n-54\n-54\n"},
		"hardrun, --pid": {append(under("--system-call-filter=~getppid:EXFULL", "--private-pids"), threads), "-54\n-54\n-54\n"},
	} {
		r := runs(t, c.argv...)
		equal(t, name, r.stdout, c.want)
	}
	// Killed is the whole process, not the thread that asked.
	equal(t, "alive", runs(t, append(under(), threads, "main", "lives")...).stdout, "0\n0\nalive\n")
	for _, option := range []string{"--system-call-filter=~getppid", "--system-call-filter=~getppid:kill", "--system-call-filter=@system-service", "--system-call-architectures=native"} {
		r := runs(t, append(under(option), threads, "main", "lives")...)
		if strings.Contains(option, "getppid") {
			equal(t, option, r.signal, syscall.SIGSYS)
			equal(t, option, r.stdout, "")
			continue
		}
		equal(t, option, r.stdout, "0\n0\nalive\n")
	}
	for _, options := range [][]string{nil, {"--user=nobody"}, {"--no-new-privileges"}, {"--private-pids"}, {"--init"}} {
		s := runs(t, append(under(append(options, "--system-call-filter=~getppid:EXFULL")...), probe)...).state(t)
		equal(t, "threads", len(s.Threads), 1)
		equal(t, "seccomp of the thread", s.Seccomp, 2)
	}
}

// What io_uring does, no filter sees: it opens files and sockets (moby #46762,
// containerd #9048). It is not implemented where it would be a way around a list.
func TestA63IOUring(t *testing.T) {
	t.Parallel()
	uring := helped(t, "uring", uringSource)
	if got := alone(t, uring, "file", "/etc/hostname"); got != ok {
		t.Skipf("needs io_uring (CONFIG_IO_URING, sysctl kernel.io_uring_disabled=0): %s", got)
	}
	// AF_UNIX, which the filters below forbid.
	equal(t, "socket, without", alone(t, uring, "socket", "1"), ok)
	naive := forbids(t, "open", "openat", "openat2", "socket")
	equal(t, "file, a filter of calls", alone(t, append(naive, uring, "file", "/etc/hostname")...), ok)
	equal(t, "socket, a filter of calls", alone(t, append(naive, uring, "socket", "1")...), ok)
	for _, c := range []struct {
		options []string
		want    string
	}{
		{opt("--system-call-filter=~socket"), "ENOSYS"},
		{opt("--system-call-filter=~open openat openat2"), "ENOSYS"},
		{opt("--system-call-filter=~connect:EACCES"), "ENOSYS"},
		{opt("--system-call-filter=~@network-io"), "ENOSYS"},
		{opt("--system-call-filter=~unlinkat", "--system-call-error-number=EPERM"), "ENOSYS"},
		{opt("--restrict-address-families=AF_INET"), "ENOSYS"},
		{opt("--restrict-address-families=~AF_UNIX"), "ENOSYS"},
		{opt("--restrict-address-families=none"), "ENOSYS"},
		{opt("--restrict-suidsgid"), "ENOSYS"},
		{opt("--system-call-filter=~socket io_uring_setup:EXFULL"), "EXFULL"}, // as it is asked for
		{opt("--system-call-filter=~@io-uring"), sigsys},
		{opt("--system-call-filter=@system-service"), ok}, // it has @aio, and socket as well
		{opt("--system-call-filter=@system-service", "--restrict-address-families=AF_INET"), "ENOSYS"},
		{opt("--system-call-filter=@system-service @io-uring", "--restrict-address-families=AF_INET"), ok},
		{opt("--system-call-filter=@basic-io @file-system mmap"), sigsys},
		{opt("--system-call-filter=~socket", "--system-call-filter=@io-uring"), ok}, // it is named: the plan says what that opens
		{opt("--system-call-filter=~getppid"), ok},                                  // which io_uring does not do
		{opt("--system-call-filter=~socket:log"), ok},
		{opt("--restrict-realtime"), ok},
	} {
		for _, what := range [][]string{{"file", "/etc/hostname"}, {"socket", "1"}} {
			equal(t, fmt.Sprintf("%v, %s", c.options, what[0]), alone(t, slices.Concat(under(c.options...), []string{uring}, what)...), c.want)
		}
	}
	r := run(t, "plan", "--json", "--system-call-filter=~socket", "--system-call-filter=@io-uring", "--", uring)
	if pl := decode[planned](t, r.stdout); !slices.ContainsFunc(pl.Notes, func(n struct{ ID, Text string }) bool {
		return n.ID == "io-uring" && strings.Contains(n.Text, "socket")
	}) {
		t.Errorf("the plan does not tell of io_uring: %+v", pl.Notes)
	}
}

// A filter that lies in a file is changed by who can write there (CVE-2019-12589).
// hardrun's own is in memory alone: nothing is written, and nothing of it stays open.
func TestA64NoFilterInAFile(t *testing.T) {
	t.Parallel()
	requireRoot(t)
	victim, _ := requireVictims(t)
	words := []string{chainOf(t, by64, "getppid")}
	file := loaded(t, errnoFilter(uint32(unix.EXFULL), 110))
	start := under("--user=nobody", "--seccomp-bpf="+file)
	equals(t, "from a file", chains(t, start, victim, words), []string{"EXFULL"})
	if err := syscall.Chmod(file, 0o666); err != nil {
		t.Fatal(err)
	}
	weaker := seccomp.Program{{Code: 6, K: uint32(seccomp.Allow)}}
	r := program{argv: append(start, "/bin/sh", "-c", "cat >"+file), stdin: string(weaker.Bytes())}.run(t)
	equal(t, "the attack", r.code, 0)
	equals(t, "from a file that the daemon has changed", chains(t, start, victim, words), []string{ok})

	tr := traced(t, "-y", append(under("--user=nobody", "--system-call-filter=~getppid:EXFULL", "--restrict-namespaces", "--lock-personality"), probe)...)
	s := tr.state(t)
	equals(t, "open", s.openFDs(), []int{0, 1, 2})
	if len(tr.calls) < 50 || !slices.ContainsFunc(tr.calls, func(c call) bool { return c.name == "seccomp" && c.answer == "0" }) {
		t.Fatalf("%d calls, and no filter", len(tr.calls))
	}
	for _, c := range tr.calls {
		writes := strings.HasPrefix(c.name, "open") && (strings.Contains(c.args, "O_WRONLY") || strings.Contains(c.args, "O_RDWR") || strings.Contains(c.args, "O_CREAT"))
		if writes && !strings.Contains(c.args, `"/dev/null"`) && !strings.Contains(c.args, `"/dev/tty"`) || c.name == "memfd_create" || slices.Contains(making, c.name) {
			t.Errorf("%s(%s)", c.name, c.args)
		}
	}
}

// A tracer makes another call of one that a filter has let pass: kernels before 4.8
// asked the filter first (CVE-2017-5206). hardrun needs 5.8, which asks it again.
func TestA65TracerChangesTheCall(t *testing.T) {
	t.Parallel()
	requireRoot(t)
	tracer := helped(t, "tracer", tracerSource)
	const getpid, getppid = "39", "110"
	equal(t, "without", alone(t, tracer, getpid, getppid), ok)
	equal(t, "~getppid", alone(t, append(under("--system-call-filter=~getppid:EXFULL"), tracer, getpid, getppid)...), "EXFULL")
	equal(t, "~getppid, user", alone(t, append(under("--user=nobody", "--system-call-filter=~getppid:EXFULL"), tracer, getpid, getppid)...), "EXFULL")
	// Where tracing is forbidden there is nothing to change.
	if r := run(t, "--system-call-filter=~@debug:EPERM", "--", tracer, getpid, getppid); r.code == 0 {
		t.Errorf("~@debug: status %d, %q", r.code, r.stdout)
	}
}

// A name that nobody knows is refused where passing over it would forbid less.
func TestA66UnknownNames(t *testing.T) {
	t.Parallel()
	victim, _ := requireVictims(t)
	words := []string{chainOf(t, by64, "getppid"), chainOf(t, by64, "umask 18")}
	// Left out, as systemd leaves it, the line would be this one.
	equals(t, "without it", chains(t, under("--system-call-filter=~umask:EXFULL"), victim, words), []string{ok, "EXFULL"})
	for _, c := range []struct{ option, says string }{
		{"--system-call-filter=~umask getpppid", "getpppid"},
		{"--system-call-filter=~umask @no-such-group", "@no-such-group"},
		{"--system-call-filter=~umask Getppid", "Getppid"},
		{"--system-call-filter=~umask 110", "110"},
		{"--system-call-filter=~umask,getppid", "umask,getppid"},
		{"--system-call-filter=umask ~getppid", "~getppid"},
		{"--system-call-log=umask getpppid", "getpppid"},
		{"--system-call-log=~getpppid", "getpppid"},
		{"--restrict-address-families=~AF_UNIX AF_NONE", "AF_NONE"},
		{"--restrict-address-families=AF_UNIX AF_NONE", "AF_NONE"},
		{"--restrict-namespaces=~net network", "network"},
		{"--restrict-namespaces=net network", "network"},
		{"--system-call-architectures=native x86_64", "x86_64"},
	} {
		r := run(t, c.option, "--", probe)
		refused(t, r, 64, c.says)
	}
	// In a list of what is allowed it is stricter without: it is told, and starts.
	r := run(t, append(under("--system-call-filter=" + victimCalls + " getpppid")[1:], append([]string{victim}, words...)...)...)
	equal(t, "allowed", r.code, 0)
	if !strings.Contains(r.stderr, `"getpppid"`) || !strings.HasSuffix(r.stdout, "SIG 31\n") {
		t.Errorf("stdout %q, stderr %q", r.stdout, r.stderr)
	}
}

// A call that the kernel learnt after the tables were made is in no group yet:
// "~@mount" of a table without mount_setattr lets that pass. It is not implemented.
func TestA67NewerCalls(t *testing.T) {
	t.Parallel()
	requireRoot(t)
	victim, i386 := requireVictims(t)
	// Another process plays the newer kernel, for x86-64.
	kernel := []string{helped(t, "newkernel", newKernelSource), "600", "1000", "0"}
	words := []string{"64 599 0", "64 600 0", "64 1000 0"}
	equals(t, "a newer kernel", chains(t, kernel, victim, words), []string{"ENOSYS", ok, ok})
	for _, c := range []struct {
		options []string
		want    string
	}{
		{opt("--system-call-filter=~mount umount2 open_tree:EPERM"), ok}, // just these
		{opt("--system-call-filter=~@mount"), "ENOSYS"},
		{opt("--system-call-filter=~@mount", "--system-call-error-number=EXFULL"), "ENOSYS"},
		{opt("--system-call-filter=~@mount:log"), "ENOSYS"},
		{opt("--system-call-filter=~@mount", "--allow-new-calls"), ok},
		{opt("--system-call-filter=@system-service"), sigsys},
		{opt("--system-call-filter=@system-service", "--system-call-error-number=EXFULL"), "EXFULL"},
		{opt("--system-call-filter=@system-service", "--system-call-filter=~@resources"), sigsys},
		{opt("--system-call-log=@default"), ok},
		{opt("--restrict-realtime"), ok},
	} {
		got := chains(t, slices.Concat(kernel, under(c.options...)), victim, words)
		equals(t, fmt.Sprint(c.options), got[1:], []string{c.want, c.want})
		if i386 != "" { // which nobody plays: it is not there either way
			want := c.want
			if want == ok {
				want = "ENOSYS"
			}
			equals(t, fmt.Sprint(c.options, " by int $0x80"), chains(t, under(c.options...), victim, []string{"32 1000 0"}), []string{want})
		}
	}
	for options, note := range map[string]bool{"--system-call-filter=~@mount --allow-new-calls": true, "--system-call-filter=~@mount": false} {
		r := run(t, append(append([]string{"plan", "--json"}, strings.Fields(options)...), "--", probe)...)
		var pl planned
		if err := json.Unmarshal([]byte(r.stdout), &pl); err != nil {
			t.Fatal(err)
		}
		has := slices.ContainsFunc(pl.Notes, func(n struct{ ID, Text string }) bool { return n.ID == "calls-new" })
		equal(t, options+": the plan tells of it", has, note)
	}
}

// Of two verdicts that are on one call the kernel's order holds: killing is over an
// error, and of two errors it is that of the filter which was loaded last. Two filters,
// one in the other, are what the one is compared to.
func TestA68Precedence(t *testing.T) {
	t.Parallel()
	requireRoot(t)
	victim, _ := requireVictims(t)
	words := []string{
		chainOf(t, by64, "unshare 0x20000"), chainOf(t, by64, "unshare 0x200"), chainOf(t, by64, "+clone 0x20011"), chainOf(t, by64, "+clone3 *8:0,0,0,0,17,0,0,0 64"),
		chainOf(t, by64, "personality 8"), chainOf(t, by64, "personality 0"), chainOf(t, by64, "sched_setattr 0 0 0"), chainOf(t, by64, "getpid"),
	}
	// In the order in which systemd loads them, each one's own.
	const restrict = "--restrict-namespaces"
	for _, c := range []struct {
		first, second string
		want          []string // of the first two words, by seccomp(2)
	}{
		{restrict, "--system-call-filter=~unshare", []string{sigsys, sigsys}},
		{restrict, "--system-call-filter=~unshare:EXFULL", []string{"EXFULL", "EXFULL"}},
		{restrict, "--system-call-filter=~unshare:log", []string{"EPERM", ok}},
		{restrict, "--system-call-filter=~clone3 unshare:EPERM", []string{"EPERM", "EPERM"}},
		{restrict, "--system-call-filter=~clone:ENOTNAM clone3:ENOTNAM", []string{"EPERM", ok}},
		{restrict, "--system-call-filter=@system-service chroot", []string{"EPERM", ok}},
		{restrict, "--lock-personality", []string{"EPERM", ok}},
		{"--restrict-realtime", "--system-call-filter=~sched_setattr:EXFULL", []string{ok, ok}},
		{"--lock-personality", "--system-call-filter=~personality:EXFULL", []string{ok, ok}},
		{"--lock-personality", "--system-call-filter=~personality", []string{ok, ok}},
		{"--lock-personality", "--system-call-log=personality unshare clone3", []string{ok, ok}},
		{"--system-call-log=unshare", "--system-call-filter=~unshare:EXFULL", []string{"EXFULL", "EXFULL"}},
	} {
		name := c.first + " " + c.second
		one := chains(t, under(c.first, c.second), victim, words)
		equals(t, name, one[:2], c.want)
		// The outer one must let the inner one start: it is the laxer part.
		two := chains(t, append(under(c.first), under(c.second)...), victim, words)
		equals(t, name+", as one and as two", one, two)
	}
	for _, bad := range []string{"0", "00", "4096", "5000", "65536", "4294967297", "-1", "EFOO", "eperm", "EPERM:kill", "log"} {
		refused(t, run(t, "--system-call-filter=~getppid", "--system-call-error-number="+bad, "--", probe), 64, "--system-call-error-number")
		refused(t, run(t, "--system-call-filter=~getppid:"+cmpOr(strings.TrimPrefix(bad, "log"), "none"), "--", probe), 64, "--system-call-filter")
	}
}

// A user who is nobody has every capability in a user namespace of its own, and so
// reaches what only root reaches else: here mount(2).
func TestA71UserNamespaceOfTheDaemon(t *testing.T) {
	t.Parallel()
	requireRoot(t)
	x8664, i386 := requireVictims(t)
	chain := "unshare 0x10020000 ; mount 0 \"/ 0 0x44000 0" // MS_REC | MS_PRIVATE
	for victim, ways := range map[string][]string{x8664: {by64, by32}, i386: {byELF}} {
		for _, way := range ways {
			if victim == "" || way == by32 && i386 == "" {
				continue
			}
			words := []string{
				chainOf(t, way, chain), chainOf(t, way, "+clone 0x10000011"), chainOf(t, way, "+clone3 *8:0x10000000,0,0,0,17,0,0,0 64"), chainOf(t, way, "openat -100 \"/proc/self/ns/user 0 ; setns _ 0x10000000"),
				chainOf(t, way, "mount 0 \"/ 0 0x44000 0"),
			}
			free := chains(t, asUser(attackerID), victim, words)
			if free[0] != ok {
				t.Skipf("needs user namespaces for users: %s", free[0])
			}
			// setns(2) to the own user namespace is always EINVAL, user_namespaces(7).
			equals(t, way+", without", free, []string{ok, ok, ok, "EINVAL", "EPERM"})
			user := opt("--user=nobody", "--caps=none")
			equals(t, way+", without the option", chains(t, under(user...), victim, words), free)
			for _, more := range [][]string{{"--restrict-namespaces"}, {"--restrict-namespaces=~user"}, {"--restrict-namespaces=mnt net"}, {"--restrict-namespaces", "--private-users"}} {
				got := chains(t, under(append(user, more...)...), victim, words)
				want := []string{"call 1: EPERM", "EPERM", "ENOSYS", "EPERM", "EPERM"}
				equals(t, fmt.Sprint(way, more), got, want)
			}
		}
	}
	// With PrivateUsers= the daemon has in its namespace what was asked for, not all.
	for words, want := range map[string]string{"--caps=none": none, "--caps=net_bind_service": netBind} {
		s := run(t, "--private-users", "--user=nobody", words, "--restrict-namespaces", "--", probe).state(t)
		equals(t, "capabilities of "+words, []string{s.Inh, s.Prm, s.Eff, s.Bnd, s.Amb}, slices.Repeat([]string{want}, 5))
	}
}
