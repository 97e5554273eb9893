//go:build linux

package integration

import (
	"fmt"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/hardrun/hardrun/seccomp"
)

// act is a chain of calls, what it is answered without hardrun, and what under it.
type act struct {
	chain, free, want string
	ways              string // by which it is made; all four where it is empty
}

const (
	ways64 = by64                // what a 64-bit register alone can hold, or a path of 64 bits
	ways32 = by32 + " " + byELF  // calls that i386 alone has
	all3   = by64 + " " + ways32 // chains whose last call needs what a call without x32 gives
)

const (
	ok     = "ok"
	sigsys = "SIGSYS"
)

// confinedActs are options of hardrun with the acts that tell what they do. In a chain
// DIR is a directory.
type confinedActs struct {
	name    string
	options []string
	outer   seccomp.Program // a filter around all of it
	acts    []act
}

func opt(options ...string) []string { return options }

// flagsOfNamespaces are the CLONE_ flags of linux/sched.h.
var flagsOfNamespaces = map[string]uint32{
	"cgroup": 0x02000000, "ipc": 0x08000000, "net": 0x40000000, "mnt": 0x00020000, "pid": 0x20000000, "user": 0x10000000, "uts": 0x04000000, "time": 0x80,
}

// namespaceActs make each kind of namespace, by unshare(2) and clone(2); what is not
// in allowed is EPERM.
func namespaceActs(allowed ...string) []act {
	var list []act
	for kind, flag := range flagsOfNamespaces {
		want := "EPERM"
		if slices.Contains(allowed, kind) {
			want = ok
		}
		list = append(list, act{fmt.Sprintf("unshare %#x", flag), ok, want, ""})
		if kind != "time" { // there it is a part of the signal's number
			list = append(
				list,
				act{fmt.Sprintf("+clone %#x", flag|uint32(syscall.SIGCHLD)), ok, want, ""},
				// Of clone(2) the kernel takes the lower half, of unshare(2) all of it.
				act{fmt.Sprintf("+clone 0x1%08x", flag|uint32(syscall.SIGCHLD)), ok, want, ways64},
			)
		}
		if want != ok {
			list = append(list, act{fmt.Sprintf("unshare 0x1%08x", flag), "EINVAL", want, ways64})
		}
	}
	return append(
		list,
		act{"unshare 0x200", ok, ok, ""}, // CLONE_FS
		act{"+clone 17", ok, ok, ""},
	)
}

// filterActs are the acts under each directive.
var filterActs = []confinedActs{
	{"RestrictAddressFamilies", opt("--restrict-address-families=AF_INET AF_NETLINK"), nil, []act{
		{"socket 1 1 0", ok, "EAFNOSUPPORT", ""},
		{"socket 17 3 0", ok, "EAFNOSUPPORT", ""}, // AF_PACKET
		{"socket 2 1 0", ok, ok, ""},
		{"socket 16 3 0", ok, ok, ""}, // AF_NETLINK
		{"socket 0x100000001 1 0", ok, "EAFNOSUPPORT", ways64},
		{"socket 0x7fffffff00000001 1 0", ok, "EAFNOSUPPORT", ways64},
		{"socket 0x100000002 1 0", ok, ok, ways64},
		{"socketcall 1 *4:1,1,0", ok, "EAFNOSUPPORT", ways32},
		{"socketcall 1 *4:2,1,0", ok, "EAFNOSUPPORT", ways32}, // its arguments are in memory
		{"socketcall 8 *4:1,1,0,0", "EFAULT", "EFAULT", ways32},
		{"socketpair 1 1 0 &8", ok, ok, ""}, // is not restricted, systemd.exec(5)
		{"io_uring_setup 1 &256", ok, "ENOSYS", ""},
	}},
	{"RestrictAddressFamilies, but for", opt("--restrict-address-families=~AF_PACKET AF_NETLINK"), nil, []act{
		{"socket 17 3 0", ok, "EAFNOSUPPORT", ""},
		{"socket 16 3 0", ok, "EAFNOSUPPORT", ""},
		{"socket 0x100000010 3 0", ok, "EAFNOSUPPORT", ways64},
		{"socket 1 1 0", ok, ok, ""},
		{"socket 2 1 0", ok, ok, ""},
		{"socketcall 1 *4:16,3,0", ok, "EAFNOSUPPORT", ways32},
		{"io_uring_setup 1 &256", ok, "ENOSYS", ""},
	}},
	{"RestrictAddressFamilies, none", opt("--restrict-address-families=none"), nil, []act{
		{"socket 1 1 0", ok, "EAFNOSUPPORT", ""},
		{"socket 2 1 0", ok, "EAFNOSUPPORT", ""},
		{"socket 16 3 0", ok, "EAFNOSUPPORT", ""},
		{"socket 0x100000002 1 0", ok, "EAFNOSUPPORT", ways64},
		{"socketpair 1 1 0 &8", ok, ok, ""},
		{"getpid", ok, ok, ""},
	}},
	{"RestrictNamespaces", opt("--restrict-namespaces"), nil, append(
		namespaceActs(),
		act{"+clone3 *8:0x20000,0,0,0,17,0,0,0 64", ok, "ENOSYS", ""},
		act{"+clone3 *8:0,0,0,0,17,0,0,0 64", ok, "ENOSYS", ""},
		act{"openat -100 \"/proc/self/ns/uts 0 ; setns _ 0x4000000", ok, "EPERM", all3},
		act{"openat -100 \"/proc/self/ns/uts 0 ; setns _ 0", ok, "EPERM", all3},
		act{"openat -100 \"/proc/self/ns/uts 0 ; setns _ 0x104000000", ok, "EPERM", ways64},
		act{"openat -100 \"/proc/self/ns/uts 0 ; setns _ 0x100000000", ok, "EPERM", ways64},
	)},
	{"RestrictNamespaces, a list", opt("--restrict-namespaces=net uts"), nil, append(
		namespaceActs("net", "uts"),
		act{"unshare 0x40020000", ok, "EPERM", ""}, // one of both kinds
		act{"+clone3 *8:0,0,0,0,17,0,0,0 64", ok, "ENOSYS", ""},
		act{"openat -100 \"/proc/self/ns/uts 0 ; setns _ 0x4000000", ok, ok, all3},
		act{"openat -100 \"/proc/self/ns/mnt 0 ; setns _ 0x20000", ok, "EPERM", all3},
		act{"openat -100 \"/proc/self/ns/uts 0 ; setns _ 0", ok, "EPERM", all3},
		act{"openat -100 \"/proc/self/ns/uts 0 ; setns _ 0x100000000", ok, "EPERM", ways64},
	)},
	{"RestrictNamespaces, but for", opt("--restrict-namespaces=~user pid"), nil, append(
		namespaceActs("cgroup", "ipc", "net", "mnt", "uts", "time"),
		act{"openat -100 \"/proc/self/ns/uts 0 ; setns _ 0", ok, "EPERM", all3},
	)},
	{"RestrictNamespaces, no", opt("--restrict-namespaces=no"), nil, []act{
		{"unshare 0x20000", ok, ok, ""},
		{"+clone3 *8:0x20000,0,0,0,17,0,0,0 64", ok, ok, ""},
	}},
	{"RestrictRealtime", opt("--restrict-realtime"), nil, []act{
		{"sched_setscheduler 0 1 *4:1", ok, "EPERM", ""},           // SCHED_FIFO
		{"sched_setscheduler 0 2 *4:1", ok, "EPERM", ""},           // SCHED_RR
		{"sched_setscheduler 0 6 *4:0", "EINVAL", "EPERM", ""},     // SCHED_DEADLINE
		{"sched_setscheduler 0 0x40000001 *4:1", ok, "EPERM", ""},  // SCHED_RESET_ON_FORK
		{"sched_setscheduler 0 0x100000001 *4:1", ok, "EPERM", ""}, // by 32 bits it is the first one
		{"sched_setscheduler 0 0x100000003 *4:0", ok, ok, ways64},
		{"sched_setscheduler 0 0 *4:0", ok, ok, ""},
		{"sched_setscheduler 0 3 *4:0", ok, ok, ""},
		{"sched_setscheduler 0 5 *4:0", ok, ok, ""},
		{"sched_setattr 0 *4:48,1,0,0,0,1,0,0,0,0,0,0 0", ok, "ENOSYS", ""},
		{"sched_setattr 0 *4:48,0,0,0,0,0,0,0,0,0,0,0 0", ok, "ENOSYS", ""},
		{"sched_setparam 0 *4:0", ok, ok, ""},
		{"sched_getscheduler 0", ok, ok, ""},
	}},
	{"RestrictSUIDSGID", opt("--restrict-suidsgid"), nil, []act{
		{"chmod \"DIR/file 0x9ed", ok, "EPERM", ""}, // 04755
		{"chmod \"DIR/file 0x5ed", ok, "EPERM", ""}, // 02755
		{"chmod \"DIR/file 0xfff", ok, "EPERM", ""},
		{"chmod \"DIR/file 0x1000009ed", ok, "EPERM", ways64},
		{"chmod \"DIR/file 0x109ed", ok, "EPERM", ""}, // a mode has 16 bits
		{"chmod \"DIR/file 0x3ed", ok, ok, ""},        // 01755
		{"chmod \"DIR/file 0x1ed", ok, ok, ""},
		{"open \"DIR/file 0 ; fchmod _ 0x9ed", ok, "EPERM", all3},
		{"open \"DIR/file 0 ; fchmod _ 0x1000009ed", ok, "EPERM", ways64},
		{"open \"DIR/file 0 ; fchmod _ 0x1ed", ok, ok, all3},
		{"fchmodat -100 \"DIR/file 0x5ed", ok, "EPERM", ""},
		{"fchmodat -100 \"DIR/file 0x1ed", ok, ok, ""},
		{"fchmodat2 -100 \"DIR/file 0x9ed 0", ok, "EPERM", ""},
		{"fchmodat2 -100 \"DIR/file 0x1ed 0", ok, ok, ""},
		{"creat \"DIR/creat# 0x9ed", ok, "EPERM", ""},
		{"creat \"DIR/creat# 0x1ed", ok, ok, ""},
		{"open \"DIR/open# 0x41 0x9ed", ok, "EPERM", ""},
		{"open \"DIR/open# 0x100000041 0x1000009ed", ok, "EPERM", ways64},
		{"open \"DIR/open# 0x41 0x1ed", ok, ok, ""},
		{"open \"DIR/file 0 0x9ed", ok, ok, ""}, // there is no mode without O_CREAT
		{"openat -100 \"DIR/openat# 0x41 0x5ed", ok, "EPERM", ""},
		{"openat -100 \"DIR 0x410002 0x9ed", ok, "EPERM", by64}, // O_TMPFILE
		{"openat -100 \"DIR 0x410002 0x1ed", ok, ok, by64},
		{"openat2 -100 \"DIR/openat2# *8:0x41,0x9ed,0 24", ok, "ENOSYS", ""},
		{"openat2 -100 \"DIR/file *8:0,0,0 24", ok, "ENOSYS", ""},
		{"mkdir \"DIR/mkdir# 0x9ed", ok, "EPERM", ""},
		{"mkdir \"DIR/mkdir# 0x1ed", ok, ok, ""},
		{"mkdirat -100 \"DIR/mkdirat# 0x5ed", ok, "EPERM", ""},
		{"mknod \"DIR/mknod# 0x89ed 0", ok, "EPERM", ""},
		{"mknod \"DIR/mknod# 0x81ed 0", ok, ok, ""},
		{"mknodat -100 \"DIR/mknodat# 0x89ed 0", ok, "EPERM", ""},
		{"io_uring_setup 1 &256", ok, "ENOSYS", ""},
	}},
	{"LockPersonality", opt("--lock-personality"), nil, []act{
		{"personality 8", ok, "EPERM", ""}, // PER_LINUX32
		{"personality 0x40000", ok, "EPERM", ""},
		{"personality 0xffffffff", ok, "EPERM", ""},
		{"personality 0x100000008", ok, "EPERM", ways64},
		{"personality 0", ok, ok, ""},
		{"personality 0x100000000", ok, ok, ways64},
		{"getpid", ok, ok, ""},
	}},
	{"LockPersonality of another", opt("--lock-personality", "--personality=x86"), nil, []act{
		{"personality 8", ok, ok, ""},
		{"personality 0", ok, "EPERM", ""},
		{"personality 0x100000000", ok, "EPERM", ways64},
	}},
	{"MemoryDenyWriteExecute", opt("--memory-deny-write-execute"), nil, memoryActs("EACCES", "EACCES", ok)},
	// A kernel before 6.3 has no PR_SET_MDWE: EINVAL.
	{"MemoryDenyWriteExecute, by the filter", opt("--memory-deny-write-execute"), prctlAnswers(errnoAction(syscall.EINVAL), prSetMDWE, prGetMDWE), memoryActs("EPERM", "EPERM", "EPERM")},
	{"SystemCallArchitectures", opt("--system-call-architectures=native"), nil, []act{
		{"getppid", ok, ok, by64},
		{"getppid", ok, sigsys, by32},
		{"getppid", ok, sigsys, byELF},
		{"getppid", "ENOSYS", sigsys, byX32},
	}},
	{"SystemCallArchitectures, i386", opt("--system-call-architectures=x86"), nil, []act{
		{"getppid", ok, ok, by64},
		{"getppid", ok, ok, ways32},
		{"getppid", "ENOSYS", sigsys, byX32},
	}},
	{"SystemCallArchitectures, x32", opt("--system-call-architectures=x86-64 x32"), nil, []act{
		{"getppid", ok, ok, by64},
		{"getppid", ok, sigsys, by32},
		{"getppid", ok, sigsys, byELF},
		{"getppid", "ENOSYS", "ENOSYS", byX32},
	}},
	{"SystemCallFilter", opt("--system-call-filter=~getppid"), nil, callActs(sigsys)},
	{"SystemCallFilter, kill", opt("--system-call-filter=~getppid:kill", "--system-call-error-number=EXFULL"), nil, callActs(sigsys)},
	{"SystemCallFilter, errno", opt("--system-call-filter=~getppid:ENOTNAM"), nil, callActs("ENOTNAM")},
	{"SystemCallFilter, number", opt("--system-call-filter=~getppid:7"), nil, callActs("E2BIG")},
	{"SystemCallFilter, log", opt("--system-call-filter=~getppid:log"), nil, callActs(ok)},
	{"SystemCallErrorNumber", opt("--system-call-filter=~getppid", "--system-call-error-number=EXFULL"), nil, callActs("EXFULL")},
	{"SystemCallErrorNumber, the last", opt("--system-call-filter=~getppid", "--system-call-error-number=4095"), nil, callActs("-4095")},
	{"SystemCallErrorNumber, kill", opt("--system-call-filter=~getppid", "--system-call-error-number=kill"), nil, callActs(sigsys)},
	{"SystemCallErrorNumber, but for one", opt("--system-call-filter=~getppid:ENOTNAM umask", "--system-call-error-number=EXFULL"), nil, append(
		callActs("ENOTNAM"), act{"umask 18", ok, "EXFULL", ""})},
	{"SystemCallFilter, allow", opt("--system-call-filter=" + victimCalls), nil, append(
		callActs(ok), act{"umask 18", ok, sigsys, ""})},
	{"SystemCallFilter, allow, errno", opt("--system-call-filter="+victimCalls, "--system-call-error-number=EXFULL"), nil, append(
		callActs(ok), act{"umask 18", ok, "EXFULL", ""})},
	{"SystemCallFilter, allow but for", opt("--system-call-filter=@system-service", "--system-call-filter=~getppid:ENOTNAM"), nil, append(
		callActs("ENOTNAM"), act{"umask 18", ok, ok, ""}, act{"chroot \"/", ok, sigsys, ""})},
	{"SystemCallLog", opt("--system-call-log=getppid"), nil, callActs(ok)},
	{"SystemCallLog, but for", opt("--system-call-log=~getppid write wait4"), nil, callActs(ok)},
}

// victimCalls are what the victim needs, beside @default, which has getppid.
const victimCalls = "fork wait4 write"

// callActs are getppid, which is answered want, and its neighbour.
func callActs(want string) []act {
	return []act{{"getppid", ok, want, ""}, {"getpid", ok, ok, ""}}
}

// prSetMDWE and prGetMDWE are of linux/prctl.h.
const (
	prSetMDWE = 65
	prGetMDWE = 66
)

// memoryActs are attempts to have memory that is writable and executable, which are
// answered want; grown is the answer where memory that was not writable becomes
// executable, and again that where it is so already.
func memoryActs(want, grown, again string) []act {
	shm := "unshare 0x8000000 ; " // a segment goes with its namespace
	return []act{
		{"mmap 0 4096 7 0x22 -1 0", ok, want, all3},
		{"mmap 0 4096 0x100000007 0x22 -1 0", ok, want, ways64},
		{"mmap 0 4096 3 0x22 -1 0", ok, ok, ""},
		{"mmap 0 4096 5 0x22 -1 0", ok, ok, ""},
		{"mmap 0 4096 3 0x22 -1 0 ; mprotect _ 4096 5", ok, want, all3},
		{"mmap 0 4096 3 0x22 -1 0 ; mprotect _ 4096 7", ok, want, all3},
		{"mmap 0 4096 1 0x22 -1 0 ; mprotect _ 4096 5", ok, grown, all3},
		{"mmap 0 4096 5 0x22 -1 0 ; mprotect _ 4096 5", ok, again, all3},
		{"mmap 0 4096 5 0x22 -1 0 ; mprotect _ 4096 1", ok, ok, all3},
		{"mmap 0 4096 1 0x22 -1 0 ; mprotect _ 4096 3", ok, ok, all3},
		{"mmap 0 4096 3 0x22 -1 0 ; pkey_mprotect _ 4096 5 -1", ok, want, all3},
		{shm + "shmget 0 4096 0x3c0 ; shmat _ 0 0x8000", ok, want, all3},
		{shm + "shmget 0 4096 0x3c0 ; shmat _ 0 0x100008000", ok, want, ways64},
		{shm + "shmget 0 4096 0x3c0 ; shmat _ 0 0", ok, ok, all3},
		{shm + "shmget 0 4096 0x3c0 ; ipc 21 _ 0x8000 &8 0", ok, want, ways32},
		{"oldmmap *4:0,4096,7,0x22,-1,0", ok, want, ways32},
	}
}

// errnoAction is the action that answers by an errno; 0 is a lie.
func errnoAction(n syscall.Errno) uint32 { return uint32(seccomp.Errno) | uint32(n) }

// prctlAnswers answers prctl(2) of these options by an action.
func prctlAnswers(action uint32, options ...uint32) seccomp.Program {
	p := seccomp.Program{
		{Code: 0x20, K: 0},
		{Code: 0x15, K: syscall.SYS_PRCTL, JF: uint8(1 + 2*len(options))},
		{Code: 0x20, K: 16}, // the lower half of the first argument
	}
	for _, o := range options {
		p = append(p, seccomp.Instruction{Code: 0x15, K: o, JF: 1}, seccomp.Instruction{Code: 6, K: action})
	}
	return append(p, seccomp.Instruction{Code: 6, K: uint32(seccomp.Allow)})
}

// wayAct is an act by one of the ways into the kernel.
type wayAct struct {
	act
	way string
}

func (a wayAct) String() string { return a.way + ": " + a.chain }

// wayActs are the acts by each of the ways that they are made by, and the words of the
// victim for them. DIR in an act is dir.
func wayActs(t *testing.T, acts []act, ways []string, dir, i386 string) (words []string, list []wayAct) {
	t.Helper()
	for _, a := range acts {
		for _, way := range ways {
			if a.ways != "" && !slices.Contains(strings.Fields(a.ways), way) || way == by32 && i386 == "" {
				continue
			}
			words = append(words, strings.ReplaceAll(chainOf(t, way, a.chain), "DIR", dir))
			list = append(list, wayAct{a, way})
		}
	}
	return words, list
}

// Each act works without the option, and is answered as the option says under it, by
// all ways into the kernel; what is beside it still works.
func TestFilterDirectives(t *testing.T) {
	t.Parallel()
	requireRoot(t)
	x8664, i386 := requireVictims(t)
	for _, c := range filterActs {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			var outer []string
			if c.outer != nil {
				outer = []string{hardrun, "--seccomp-bpf=" + loaded(t, c.outer), "--"}
			}
			dir := directory(t, 0o755)
			write(t, dir+"/file", "", 0o644)
			for victim, ways := range map[string][]string{x8664: {by64, by32, byX32}, i386: {byELF}} {
				if victim == "" {
					continue
				}
				words, list := wayActs(t, c.acts, ways, dir, i386)
				for i := range list {
					if a := &list[i]; a.way == byX32 { // which this kernel may not have
						a.free = "ENOSYS"
						if a.want == ok {
							a.want = a.free
						}
					}
				}
				if len(words) == 0 {
					continue
				}
				got := chains(t, outer, victim, words)
				under := chains(t, slices.Concat(outer, []string{hardrun}, c.options, []string{"--"}), victim, words)
				for i := range words {
					a := &list[i]
					if a.way == byX32 && got[i] != "ENOSYS" {
						a.free = got[i]
						if a.want == "ENOSYS" {
							a.want = got[i]
						}
					}
					equal(t, a.String()+", without hardrun", got[i], a.free)
					equal(t, a.String(), under[i], a.want)
				}
			}
		})
	}
}
