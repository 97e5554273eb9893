package launcher

import (
	"strconv"
	"strings"
	"testing"

	"github.com/hardrun/hardrun/policy"
	"github.com/hardrun/hardrun/seccomp"
)

// A call is one that a process makes, by the kernel's number, and the verdict on it.
type call struct {
	arch uint32
	nr   uint32
	args []uint64
	want string
}

// The ways into the kernel of a 64-bit PC, and one that is foreign to it, by their
// AUDIT_ARCH_ of linux/audit.h.
func x64(nr uint32, want string, args ...uint64) call { return call{0xc000003e, nr, args, want} }

func x32(nr uint32, want string, args ...uint64) call {
	return call{0xc000003e, nr | 0x40000000, args, want}
}
func int80(nr uint32, want string, args ...uint64) call { return call{0x40000003, nr, args, want} }
func aarch64(nr uint32, want string) call               { return call{0xc00000b7, nr, nil, want} }

// each is the same verdict on several calls.
func each(make func(uint32, string, ...uint64) call, want string, numbers ...uint32) []call {
	var list []call
	for _, nr := range numbers {
		list = append(list, make(nr, want))
	}
	return list
}

func all(lists ...[]call) []call {
	var list []call
	for _, l := range lists {
		list = append(list, l...)
	}
	return list
}

// verdict reads "allow", "log", "kill process" and "errno EPERM": the values of
// linux/seccomp.h and errno(3).
func verdict(t *testing.T, s string) uint32 {
	t.Helper()
	switch s {
	case "allow":
		return 0x7fff0000
	case "log":
		return 0x7ffc0000
	case "kill process":
		return 0x80000000
	}
	name, ok := strings.CutPrefix(s, "errno ")
	n, known := map[string]uint32{
		"EPERM": 1, "EAGAIN": 11, "EACCES": 13, "EINVAL": 22, "ENOSYS": 38, "EILSEQ": 84, "EAFNOSUPPORT": 97, "EUCLEAN": 117,
	}[name]
	if !known {
		number, err := strconv.ParseUint(name, 10, 12)
		if err != nil || !ok {
			t.Fatalf("%q is no verdict", s)
		}
		n = uint32(number)
	}
	return 0x00050000 | n
}

const (
	allow  = "allow"
	logs   = "log"
	kill   = "kill process"
	eperm  = "errno EPERM"
	eacces = "errno EACCES"
	enosys = "errno ENOSYS"
	eafno  = "errno EAFNOSUPPORT"

	high = 1 << 32 // a bit that the kernel does not look at
)

// Lines of a unit, and the verdicts on calls that systemd.exec(5) of systemd 262 gives
// for them, section SYSTEM CALL FILTERING and the directives that need a filter. The
// numbers are those of asm/unistd_64.h, unistd_x32.h and unistd_32.h, 600 is no call
// yet. Where hardrun is stricter than systemd, "hardrun directives" says so.
var filterLines = []struct {
	name  string
	lines []string
	calls []call
}{
	// SystemCallFilter= as an allow list.
	{"an allow list kills what is not listed", []string{"SystemCallFilter=read write"}, all(
		each(x64, allow, 0, 1), each(x64, kill, 2, 41, 56, 165, 257, 400, 600, 0xffffffff),
		each(x32, allow, 0, 1), each(x32, kill, 2, 257, 600),
		each(int80, allow, 3, 4), each(int80, kill, 5, 102, 117, 600, 0xffffffff),
		[]call{aarch64(63, kill)},
	)},
	{"what is implicitly allowed", []string{"SystemCallFilter=read"}, all(
		// execve exit exit_group getrlimit rt_sigreturn
		each(x64, allow, 59, 60, 231, 97, 15),
		// nanosleep gettimeofday time clock_gettime clock_getres clock_nanosleep
		each(x64, allow, 35, 96, 201, 228, 229, 230),
		// x32 has execve and rt_sigreturn of its own.
		each(x32, allow, 520, 513), each(x32, kill, 59, 15),
		// execve exit sigreturn rt_sigreturn time nanosleep clock_gettime64
		each(int80, allow, 11, 1, 119, 173, 13, 162, 403),
		// Setting the clock is no query.
		each(x64, kill, 164, 227, 159), each(int80, kill, 79, 264, 404),
	)},
	{"an allow list with an error", []string{"SystemCallFilter=read write", "SystemCallErrorNumber=EPERM"}, all(
		each(x64, allow, 0, 1, 59), each(x64, eperm, 2, 165, 600), each(int80, eperm, 5, 600), each(x32, eperm, 2, 600), []call{aarch64(63, kill)},
	)},
	{"the error stands before the list", []string{"SystemCallErrorNumber=EACCES", "SystemCallFilter=read"}, each(x64, eacces, 2, 165)},
	{"an error by its number", []string{"SystemCallFilter=read", "SystemCallErrorNumber=117"}, each(x64, "errno EUCLEAN", 2, 165)},
	{"an error by a rare name", []string{"SystemCallFilter=read", "SystemCallErrorNumber=EUCLEAN"}, each(x64, "errno EUCLEAN", 2, 165)},
	{"the highest error", []string{"SystemCallFilter=read", "SystemCallErrorNumber=4095"}, each(x64, "errno 4095", 2, 165)},
	{"kill as an error", []string{"SystemCallFilter=read", "SystemCallErrorNumber=EPERM", "SystemCallErrorNumber=kill"}, each(x64, kill, 2, 165)},
	{"the error is reset", []string{"SystemCallFilter=read", "SystemCallErrorNumber=EPERM", "SystemCallErrorNumber="}, each(x64, kill, 2, 165)},
	{"the last error holds", []string{"SystemCallFilter=read", "SystemCallErrorNumber=EPERM", "SystemCallErrorNumber=EINVAL"}, each(x64, "errno EINVAL", 2)},
	{"lines are merged", []string{"SystemCallFilter=read", "SystemCallFilter=write openat"}, all(each(x64, allow, 0, 1, 257), each(x64, kill, 2, 3))},
	{"the recommended group", []string{"SystemCallFilter=@system-service"}, all(
		// read open openat socket clone setuid personality prctl seccomp io_uring_setup openat2
		each(x64, allow, 0, 2, 257, 41, 56, 105, 135, 157, 317, 425, 437),
		// mount chroot settimeofday swapon reboot ptrace bpf init_module iopl
		each(x64, kill, 165, 161, 164, 167, 169, 101, 321, 175, 172, 600),
		each(int80, allow, 3, 5, 102, 117, 192), each(int80, kill, 21, 61, 25, 88, 26),
	)},
	{"the recommended lines", []string{"SystemCallFilter=@system-service", "SystemCallErrorNumber=EPERM", "SystemCallArchitectures=native"}, all(
		each(x64, allow, 0, 59), each(x64, eperm, 165, 600), each(int80, kill, 3, 21), each(x32, kill, 0, 165),
	)},
	{"all that the kernel has", []string{"SystemCallFilter=@known"}, all(
		each(x64, allow, 0, 165, 169, 156, 101, 425), each(x64, kill, 180 /* nfsservctl is not in it */, 600),
	)},
	{"an unknown name makes an allow list stricter", []string{"SystemCallFilter=read nosuchcall @nosuchgroup"}, all(each(x64, allow, 0, 59), each(x64, kill, 1, 2))},
	{"a list of nothing but unknown names has the default", []string{"SystemCallFilter=nosuchcall"}, all(each(x64, allow, 59, 60, 228), each(x64, kill, 0, 1))},

	// SystemCallFilter= as a deny list.
	{"a deny list lets all else pass", []string{"SystemCallFilter=~acct reboot"}, all(
		each(x64, kill, 163, 169), each(x64, allow, 0, 165, 400, 600, 0xffffffff),
		each(x32, kill, 163, 169), each(x32, allow, 0, 600),
		each(int80, kill, 51, 88), each(int80, allow, 163 /* mremap */, 169 /* nfsservctl */, 600, 0xffffffff),
		[]call{aarch64(63, kill)},
	)},
	{"a deny list with an error", []string{"SystemCallFilter=~acct", "SystemCallErrorNumber=EACCES"}, all(each(x64, eacces, 163), each(x64, allow, 0), each(int80, eacces, 51))},
	{"deny lists are merged", []string{"SystemCallFilter=~acct", "SystemCallFilter=~reboot"}, all(each(x64, kill, 163, 169), each(x64, allow, 0))},
	{"a group that is forbidden", []string{"SystemCallFilter=~@clock"}, all(
		each(x64, kill, 159, 164, 227, 305), each(x64, allow, 96, 201, 228, 230),
		each(int80, kill, 79, 124, 264, 343, 404, 405), each(int80, allow, 25 /* stime is not in it */, 265, 403),
	)},
	{"newer calls are not there where a group is forbidden", []string{"SystemCallFilter=~@clock"}, all(
		each(x64, enosys, 600, 1000, 0x3fffffff), each(x32, enosys, 600), each(int80, enosys, 600, 0x40000000),
		each(x64, allow, 400, 0xffffffff), each(int80, allow, 0xffffffff), // a gap, and what a tracer gives up
	)},
	{"newer calls pass where none is", []string{"SystemCallFilter=~settimeofday"}, all(each(x64, kill, 164), each(x64, allow, 600), each(int80, allow, 600), each(x32, allow, 600))},
	{"newer calls pass by --allow-new-calls", []string{"SystemCallFilter=~@clock", "X-Hardrun-AllowNewCalls=yes"}, all(
		each(x64, kill, 164), each(x64, allow, 600), each(int80, allow, 600), each(x32, allow, 600),
	)},
	{"newer calls are no affair of --allow-new-calls in an allow list", []string{"SystemCallFilter=@system-service", "X-Hardrun-AllowNewCalls=yes"}, each(x64, kill, 600)},
	{"newer calls of an allow list, with an error", []string{"SystemCallFilter=@system-service", "SystemCallFilter=~@mount", "SystemCallErrorNumber=EUCLEAN"}, each(x64, "errno EUCLEAN", 165, 600)},
	{"a group that is let pass again forbids no newer ones", []string{"SystemCallFilter=~acct reboot", "SystemCallFilter=@reboot"}, all(each(x64, kill, 163), each(x64, allow, 169, 600))},
	{"newer calls, with an error", []string{"SystemCallFilter=~@clock", "SystemCallErrorNumber=EPERM"}, all(each(x64, eperm, 164), each(x64, enosys, 600))},
	{"groups in a group", []string{"SystemCallFilter=~@privileged"}, all(
		// @reboot @swap @raw-io @module @clock @chown, and members
		each(x64, kill, 169, 246, 167, 168, 172, 173, 175, 313, 159, 164, 92, 93, 260, 161, 163, 180),
		each(x64, allow, 165 /* mount */, 106 /* setgid */, 101),
		each(int80, kill, 212 /* chown32 */, 182 /* chown */, 23 /* setuid */, 213 /* setuid32 */),
	)},
	{"a group in a group in a group", []string{"SystemCallFilter=~@system-service", "SystemCallFilter=@default"}, all(
		each(x64, allow, 59, 317 /* seccomp, by @sandbox */, 444, 165), each(x64, kill, 0, 41, 425),
	)},
	{"everything but execve", []string{"SystemCallFilter=~@known", "SystemCallFilter=execve"}, all(
		each(x64, allow, 59, 180), each(x64, kill, 0, 39, 60, 157, 317), each(x32, allow, 520), each(x32, kill, 0), each(int80, allow, 11), each(int80, kill, 3, 102, 117), each(x64, enosys, 600),
	)},
	{"a number of another architecture", []string{"SystemCallFilter=~getuid"}, all(
		each(x64, kill, 102), []call{int80(102, allow, 2), int80(102, allow, 1)}, each(int80, kill, 24), each(int80, allow, 199 /* getuid32 */), each(x32, kill, 102),
	)},

	// Both signs.
	{"the manual's example: an allow list loses what is denied", []string{"SystemCallFilter=read write", "SystemCallFilter=~write"}, all(each(x64, allow, 0), each(x64, kill, 1, 2))},
	{"a deny list loses what is allowed", []string{"SystemCallFilter=~acct reboot", "SystemCallFilter=reboot"}, all(each(x64, kill, 163), each(x64, allow, 169, 0))},
	{"the first line decides", []string{"SystemCallFilter=~acct", "SystemCallFilter=read"}, all(each(x64, kill, 163), each(x64, allow, 0, 1, 2))},
	{"the last line decides on a call", []string{"SystemCallFilter=read write", "SystemCallFilter=~write", "SystemCallFilter=write"}, all(each(x64, allow, 0, 1), each(x64, kill, 2))},
	{"a group without another", []string{"SystemCallFilter=@system-service", "SystemCallFilter=~@privileged @resources"}, all(
		each(x64, allow, 0, 106 /* setgid */, 302 /* prlimit64 */), each(x64, kill, 105, 92, 126, 144, 160, 165),
	)},
	{"a group without another, but for a third", []string{"SystemCallFilter=@system-service", "SystemCallFilter=~@privileged", "SystemCallFilter=@chown"}, all(
		each(x64, allow, 0, 92, 260), each(x64, kill, 105, 126),
	)},
	{"what was not listed cannot be taken away", []string{"SystemCallFilter=read", "SystemCallFilter=~mount"}, all(each(x64, allow, 0), each(x64, kill, 165))},
	{"the default can be taken away", []string{"SystemCallFilter=read", "SystemCallFilter=~getrandom gettimeofday"}, all(each(x64, allow, 0, 59), each(x64, kill, 318, 96))},
	{"a deny list of a group, but for one call", []string{"SystemCallFilter=~@mount", "SystemCallFilter=umount2"}, all(each(x64, kill, 165, 161, 442), each(x64, allow, 166))},

	// Resets.
	{"reset to an allow list", []string{"SystemCallFilter=~acct", "SystemCallFilter=", "SystemCallFilter=read"}, all(each(x64, allow, 0), each(x64, kill, 163, 1))},
	{"reset to a deny list", []string{"SystemCallFilter=@system-service", "SystemCallFilter=", "SystemCallFilter=~acct"}, all(each(x64, kill, 163), each(x64, allow, 0, 165, 600))},
	{"reset to nothing", []string{"SystemCallFilter=read", "SystemCallFilter="}, nil},
	{"a deny list of nothing", []string{"SystemCallFilter=~"}, nil},
	{"a deny list of which nothing is left", []string{"SystemCallFilter=~write", "SystemCallFilter=read write"}, nil},
	{"an error without a filter", []string{"SystemCallErrorNumber=EPERM"}, nil},

	// An action behind a colon.
	{"an error for one call", []string{"SystemCallFilter=~uname:EPERM acct", "SystemCallErrorNumber=EACCES"}, all(each(x64, eperm, 63), each(x64, eacces, 163), each(int80, eperm, 122))},
	{"an error for one call, else kill", []string{"SystemCallFilter=~uname:EILSEQ acct"}, all(each(x64, "errno EILSEQ", 63), each(x64, kill, 163))},
	{"a number for one call", []string{"SystemCallFilter=~uname:84 acct:255"}, all(each(x64, "errno EILSEQ", 63), each(x64, "errno 255", 163))},
	{"a second name of an error", []string{"SystemCallFilter=~uname:EWOULDBLOCK"}, each(x64, "errno EAGAIN", 63)},
	{"kill for one call", []string{"SystemCallFilter=~uname:kill acct", "SystemCallErrorNumber=EPERM"}, all(each(x64, kill, 63), each(x64, eperm, 163))},
	{"log for one call", []string{"SystemCallFilter=~uname:log acct"}, all(each(x64, logs, 63), each(x64, kill, 163), each(x64, allow, 0))},
	{"an error for a group", []string{"SystemCallFilter=~@clock:EPERM acct"}, all(each(x64, eperm, 159, 164, 305), each(x64, kill, 163), each(x64, enosys, 600))},
	{"an error in an allow list", []string{"SystemCallFilter=@system-service", "SystemCallFilter=~uname:EILSEQ"}, all(each(x64, "errno EILSEQ", 63), each(x64, kill, 165), each(x64, allow, 0))},
	{"an error in an allow list that has one", []string{"SystemCallFilter=@system-service", "SystemCallErrorNumber=EPERM", "SystemCallFilter=~uname:EILSEQ"}, all(
		each(x64, "errno EILSEQ", 63), each(x64, eperm, 165), each(x64, allow, 0),
	)},
	{"log in an allow list", []string{"SystemCallFilter=@system-service", "SystemCallFilter=~uname:log"}, all(each(x64, logs, 63), each(x64, kill, 165), each(x64, allow, 0))},
	{"kill in an allow list", []string{"SystemCallFilter=@system-service", "SystemCallErrorNumber=EPERM", "SystemCallFilter=~uname:kill"}, all(each(x64, kill, 63), each(x64, eperm, 165))},
	{"an error for what the allow list did not have", []string{"SystemCallFilter=read", "SystemCallFilter=~@mount:EACCES"}, all(each(x64, eacces, 165, 166, 442), each(x64, kill, 1, 167))},
	{"the later action holds", []string{"SystemCallFilter=~uname:EPERM", "SystemCallFilter=~uname:EILSEQ"}, each(x64, "errno EILSEQ", 63)},
	{"the later action holds in a line", []string{"SystemCallFilter=~uname:EPERM uname:EILSEQ"}, each(x64, "errno EILSEQ", 63)},
	{"the later word without an action holds", []string{"SystemCallFilter=~uname:EPERM", "SystemCallFilter=~uname", "SystemCallErrorNumber=EACCES"}, each(x64, eacces, 63)},
	{"a call after its group", []string{"SystemCallFilter=~@mount:EACCES", "SystemCallFilter=~umount2:EPERM"}, all(each(x64, eacces, 165), each(x64, eperm, 166))},
	{"a group after its call", []string{"SystemCallFilter=~umount2:EPERM", "SystemCallFilter=~@mount:EACCES"}, each(x64, eacces, 165, 166)},
	{"an action is taken back", []string{"SystemCallFilter=uname", "SystemCallFilter=~uname:EPERM", "SystemCallFilter=uname"}, all(each(x64, allow, 63), each(x64, kill, 0))},
	{"an action is taken back in a deny list", []string{"SystemCallFilter=~uname:EPERM acct", "SystemCallFilter=uname"}, all(each(x64, allow, 63), each(x64, kill, 163))},
	{"an action, then taken away", []string{"SystemCallFilter=@system-service", "SystemCallFilter=~uname:EPERM", "SystemCallFilter=~uname"}, each(x64, kill, 63)},

	// SystemCallLog=.
	{"calls that are logged", []string{"SystemCallLog=mount @clock"}, all(each(x64, logs, 165, 164), each(x64, allow, 0, 600), each(int80, logs, 21, 79), each(int80, allow, 3), each(x32, logs, 165))},
	{"calls that are not logged", []string{"SystemCallLog=~read write"}, all(each(x64, allow, 0, 1), each(x64, logs, 2, 59, 165, 600), each(int80, allow, 3, 4), each(int80, logs, 5))},
	{"lines of a log are merged", []string{"SystemCallLog=mount", "SystemCallLog=reboot"}, all(each(x64, logs, 165, 169), each(x64, allow, 0))},
	{"a log of all but a group knows no newer calls", []string{"SystemCallLog=~@mount"}, all(each(x64, allow, 165), each(x64, logs, 0, 600), each(int80, logs, 600))},
	{"a log loses what is not logged", []string{"SystemCallLog=@mount", "SystemCallLog=~umount2"}, all(each(x64, logs, 165, 161), each(x64, allow, 166, 0))},
	{"a log of all but has what is logged", []string{"SystemCallLog=~@default read", "SystemCallLog=execve"}, all(each(x64, logs, 59, 1), each(x64, allow, 60, 0))},
	{"a log is reset", []string{"SystemCallLog=mount", "SystemCallLog=", "SystemCallLog=reboot"}, all(each(x64, allow, 165), each(x64, logs, 169))},
	{"no log is left", []string{"SystemCallLog=mount", "SystemCallLog="}, nil},
	{"what is forbidden is not logged", []string{"SystemCallLog=uname acct mount", "SystemCallFilter=~uname:EPERM acct"}, all(each(x64, eperm, 63), each(x64, kill, 163), each(x64, logs, 165), each(x64, allow, 0))},
	{"what is allowed is logged", []string{"SystemCallFilter=@system-service", "SystemCallLog=uname mount", "SystemCallErrorNumber=EPERM"}, all(each(x64, logs, 63), each(x64, eperm, 165), each(x64, allow, 0))},
	{"a log of all but, and a deny list", []string{"SystemCallLog=~read", "SystemCallFilter=~acct read:EPERM"}, all(each(x64, logs, 1, 600, 400), each(x64, kill, 163), each(x64, eperm, 0), each(int80, logs, 600))},
	{"the error is none of a log", []string{"SystemCallLog=mount", "SystemCallErrorNumber=EPERM"}, each(x64, logs, 165)},

	// SystemCallArchitectures=.
	{"native alone", []string{"SystemCallArchitectures=native"}, all(
		each(x64, allow, 0, 59, 600), each(int80, kill, 1, 3, 600), each(x32, kill, 0, 520, 600), each(x64, allow, 0xffffffff), []call{aarch64(63, kill)},
	)},
	{"the machine's own by name", []string{"SystemCallArchitectures=x86-64"}, all(each(x64, allow, 0), each(int80, kill, 3), each(x32, kill, 0))},
	{"x86 beside it", []string{"SystemCallArchitectures=x86"}, all(each(x64, allow, 0), each(int80, allow, 3), each(x32, kill, 0), []call{aarch64(63, kill)})},
	{"x32 beside it", []string{"SystemCallArchitectures=x32"}, all(each(x64, allow, 0), each(int80, kill, 3), each(x32, allow, 0, 520), []call{aarch64(63, kill)})},
	{"architectures are merged", []string{"SystemCallArchitectures=native x86", "SystemCallArchitectures=x32"}, all(each(x64, allow, 0), each(int80, allow, 3), each(x32, allow, 0), []call{aarch64(63, kill)})},
	{"a foreign one alone", []string{"SystemCallArchitectures=arm64 s390x"}, all(each(x64, allow, 0), each(int80, kill, 3), each(x32, kill, 0), []call{aarch64(63, kill)})},
	{"architectures are reset", []string{"SystemCallArchitectures=native", "SystemCallArchitectures="}, nil},
	{"an architecture and a list", []string{"SystemCallArchitectures=x86", "SystemCallFilter=~uname:EPERM"}, all(
		each(x64, eperm, 63), each(x64, allow, 0), each(int80, eperm, 122), each(int80, allow, 3), each(x32, kill, 63, 0),
	)},

	// RestrictAddressFamilies=.
	{"families that are open", []string{"RestrictAddressFamilies=AF_UNIX AF_INET"}, []call{
		x64(41, allow, 1), x64(41, allow, 2), x64(41, eafno, 10), x64(41, eafno, 16), x64(41, eafno, 17), x64(41, eafno, 0), x64(41, eafno, 99),
		x64(41, allow, high|1), x64(41, eafno, high|10), x64(41, eafno, 1<<63|17), x64(41, eafno, 0xffffffff),
		x32(41, allow, 2), x32(41, eafno, 17),
		int80(359, allow, 2), int80(359, eafno, 17),
		int80(102, eafno, 1), int80(102, eafno, high|1), // stricter: the family of socketcall(SYS_SOCKET) cannot be seen
		int80(102, allow, 2), int80(102, allow, 3), int80(102, allow, 8),
		x64(53, allow, 1), x64(53, allow, 17), int80(360, allow, 1), x64(42, allow, 17), // socketpair and connect are not affected
		x64(425, enosys), x64(426, enosys), x64(427, enosys), int80(425, enosys), // stricter: io_uring opens sockets without the call
		x64(600, allow),
	}},
	{"families that are closed", []string{"RestrictAddressFamilies=~AF_PACKET AF_NETLINK"}, []call{
		x64(41, eafno, 17), x64(41, eafno, 16), x64(41, eafno, high|17), x64(41, allow, 1), x64(41, allow, 2), x64(41, allow, 99), x64(41, allow, high|2), int80(359, eafno, 16), int80(359, allow, 1),
	}},
	{"no family", []string{"RestrictAddressFamilies=none"}, []call{x64(41, eafno, 0), x64(41, eafno, 1), x64(41, eafno, 2), x64(41, eafno, 17), int80(359, eafno, 1), int80(102, eafno, 1), x64(53, allow, 1)}},
	{"families are merged", []string{"RestrictAddressFamilies=AF_UNIX", "RestrictAddressFamilies=AF_INET6"}, []call{x64(41, allow, 1), x64(41, allow, 10), x64(41, eafno, 2)}},
	{"an open family is closed", []string{"RestrictAddressFamilies=AF_UNIX AF_INET", "RestrictAddressFamilies=~AF_INET"}, []call{x64(41, allow, 1), x64(41, eafno, 2), x64(41, eafno, 10)}},
	{"the last open family is closed", []string{"RestrictAddressFamilies=AF_INET", "RestrictAddressFamilies=~AF_INET"}, []call{x64(41, eafno, 1), x64(41, eafno, 2)}},
	{"a closed family is opened", []string{"RestrictAddressFamilies=~AF_INET AF_INET6", "RestrictAddressFamilies=AF_INET6"}, []call{x64(41, eafno, 2), x64(41, allow, 10), x64(41, allow, 1)}},
	{"the last closed family is opened", []string{"RestrictAddressFamilies=~AF_INET", "RestrictAddressFamilies=AF_INET"}, nil},
	{"families are reset", []string{"RestrictAddressFamilies=none", "RestrictAddressFamilies="}, nil},
	{"families are reset and closed", []string{"RestrictAddressFamilies=AF_INET", "RestrictAddressFamilies=", "RestrictAddressFamilies=~AF_INET"}, []call{x64(41, eafno, 2), x64(41, allow, 1)}},
	{"none after a family", []string{"RestrictAddressFamilies=AF_INET", "RestrictAddressFamilies=none"}, []call{x64(41, eafno, 1), x64(41, eafno, 2)}},
	{"a family after none", []string{"RestrictAddressFamilies=none", "RestrictAddressFamilies=AF_INET"}, []call{x64(41, eafno, 1), x64(41, allow, 2)}},
	{"second names of families", []string{"RestrictAddressFamilies=AF_LOCAL AF_ROUTE"}, []call{x64(41, allow, 1), x64(41, allow, 16), x64(41, eafno, 2)}},

	// RestrictNamespaces=.
	{"no namespaces", []string{"RestrictNamespaces=yes"}, []call{
		x64(272, eperm, 0x80), x64(272, eperm, 0x20000), x64(272, eperm, 0x2000000), x64(272, eperm, 0x4000000),
		x64(272, eperm, 0x8000000), x64(272, eperm, 0x10000000), x64(272, eperm, 0x20000000), x64(272, eperm, 0x40000000),
		x64(272, eperm, high|0x10000000), x64(272, eperm, 0x10000400), x64(272, allow, 0x400), x64(272, allow, 0), x64(272, allow, high),
		x64(56, allow, 17), x64(56, eperm, 0x10000011), x64(56, eperm, high|0x20011), x64(56, allow, high|17), x64(56, allow, 0x3d0f00), // a thread
		x64(56, eperm, 0x91), // in clone(2) it is a part of a signal's number, and of none that there is
		x64(57, allow), x64(58, allow),
		x64(435, enosys), int80(435, enosys), x32(435, enosys),
		x64(308, eperm, 3, 0), x64(308, eperm, 3, 0x40000000), x64(308, eperm, 3, 0x80), x64(308, eperm, 3, high), x64(308, eperm, 3, 0x1000),
		x32(272, eperm, 0x10000000), x32(56, eperm, 0x10000011), x32(308, eperm, 3, 0),
		int80(310, eperm, 0x10000000), int80(310, allow, 0x400), int80(120, eperm, 0x10000011), int80(120, allow, 17), int80(346, eperm, 3, 0),
	}},
	{"all namespaces", []string{"RestrictNamespaces=no"}, nil},
	{"namespaces are reset", []string{"RestrictNamespaces=yes", "RestrictNamespaces="}, nil},
	{"no after a list", []string{"RestrictNamespaces=~net", "RestrictNamespaces=no"}, nil},
	{"a namespace that stays", []string{"RestrictNamespaces=net"}, []call{
		x64(272, allow, 0x40000000), x64(272, eperm, 0x20000), x64(272, eperm, 0x40020000), x64(272, allow, 0x400),
		x64(56, allow, 0x40000011), x64(56, eperm, 0x60000011),
		x64(308, allow, 3, 0x40000000), x64(308, allow, 3, high|0x40000000), x64(308, eperm, 3, 0x20000), x64(308, eperm, 3, 0), x64(308, eperm, 3, high),
		x64(435, enosys), int80(310, allow, 0x40000000), int80(310, eperm, 0x20000), int80(346, eperm, 3, 0),
	}},
	{"a namespace that is closed", []string{"RestrictNamespaces=~user"}, []call{
		x64(272, eperm, 0x10000000), x64(272, allow, 0x20000), x64(272, eperm, 0x10020000), x64(56, eperm, 0x10000011), x64(56, allow, 0x20000011),
		x64(308, eperm, 3, 0), x64(308, eperm, 3, 0x10000000), x64(308, allow, 3, 0x20000), x64(435, enosys),
	}},
	{"the manual's example: united", []string{"RestrictNamespaces=cgroup ipc", "RestrictNamespaces=cgroup net"}, []call{
		x64(272, allow, 0x2000000), x64(272, allow, 0x8000000), x64(272, allow, 0x40000000), x64(272, allow, 0x4a000000), x64(272, eperm, 0x20000), x64(272, eperm, 0x20000000),
	}},
	{"the manual's example: only ipc is left", []string{"RestrictNamespaces=cgroup ipc", "RestrictNamespaces=~cgroup net"}, []call{
		x64(272, allow, 0x8000000), x64(272, eperm, 0x2000000), x64(272, eperm, 0x40000000), x64(272, eperm, 0x20000),
	}},
	{"a namespace after yes", []string{"RestrictNamespaces=yes", "RestrictNamespaces=net"}, []call{x64(272, allow, 0x40000000), x64(272, eperm, 0x20000)}},
	{"yes after a namespace", []string{"RestrictNamespaces=net", "RestrictNamespaces=yes"}, []call{x64(272, eperm, 0x40000000), x64(308, eperm, 3, 0x40000000)}},
	{"closed namespaces add up", []string{"RestrictNamespaces=~user", "RestrictNamespaces=~net"}, []call{x64(272, eperm, 0x10000000), x64(272, eperm, 0x40000000), x64(272, allow, 0x20000)}},
	{"a reset before a list", []string{"RestrictNamespaces=net", "RestrictNamespaces=", "RestrictNamespaces=uts"}, []call{x64(272, eperm, 0x40000000), x64(272, allow, 0x4000000)}},
	{"time stays", []string{"RestrictNamespaces=time"}, []call{x64(272, allow, 0x80), x64(272, eperm, 0x20000), x64(308, allow, 3, 0x80), x64(308, eperm, 3, 0x20000), x64(56, eperm, 0x20011)}},
	{"time is closed", []string{"RestrictNamespaces=~time"}, []call{
		x64(272, eperm, 0x80), x64(272, allow, 0x20000), x64(308, eperm, 3, 0x80), x64(308, eperm, 3, 0), x64(308, allow, 3, 0x20000),
		x64(56, eperm, 0x91), x64(56, allow, 0x20011), x64(435, enosys),
	}},

	// RestrictRealtime=.
	{"no realtime policy", []string{"RestrictRealtime=yes"}, []call{
		x64(144, allow, 0, 0), x64(144, allow, 0, 3), x64(144, allow, 0, 5), // SCHED_OTHER, SCHED_BATCH, SCHED_IDLE
		x64(144, eperm, 0, 1), x64(144, eperm, 0, 2), x64(144, eperm, 0, 6), // SCHED_FIFO, SCHED_RR, SCHED_DEADLINE
		x64(144, eperm, 0, 0x40000001), x64(144, eperm, 0, 0x40000002), // with SCHED_RESET_ON_FORK
		x64(144, eperm, 0, high|1), x64(144, allow, 0, high), x64(144, eperm, 99, 1),
		x64(314, enosys), int80(351, enosys), x32(314, enosys),
		x64(142, allow), int80(156, eperm, 0, 1), int80(156, allow, 0, 0), x32(144, eperm, 0, 2),
	}},
	{"realtime policies", []string{"RestrictRealtime=yes", "RestrictRealtime=no"}, nil},

	// RestrictSUIDSGID=.
	{"no set-user-ID", []string{"RestrictSUIDSGID=yes"}, []call{
		x64(90, eperm, 0, 0o4755), x64(90, eperm, 0, 0o2755), x64(90, eperm, 0, 0o6755), x64(90, allow, 0, 0o755), x64(90, allow, 0, 0o1777), x64(90, allow, 0o4755, 0o644),
		x64(90, eperm, 0, high|0o4755), x64(90, allow, 0, high|0o755), x64(90, allow, 0, 0o4000<<32|0o755),
		x64(91, eperm, 3, 0o4755), x64(91, allow, 3, 0o755),
		x64(268, eperm, 3, 0, 0o2755), x64(268, allow, 3, 0, 0o755), x64(452, eperm, 3, 0, 0o4755, 0), x64(452, allow, 3, 0, 0o755, 0),
		x64(85, eperm, 0, 0o4755), x64(85, allow, 0, 0o755),
		x64(83, eperm, 0, 0o2755), x64(83, allow, 0, 0o1777), x64(258, eperm, 3, 0, 0o2755), x64(258, allow, 3, 0, 0o755),
		x64(133, eperm, 0, 0o104755), x64(133, allow, 0, 0o100755), x64(259, eperm, 3, 0, 0o102755), x64(259, allow, 3, 0, 0o100755),
		// open(2): O_CREAT, O_TMPFILE with O_RDWR, then neither, and O_DIRECTORY, a part of O_TMPFILE.
		x64(2, eperm, 0, 0o101, 0o4755), x64(2, eperm, 0, 0o20200002, 0o4755), x64(2, allow, 0, 0, 0o4755), x64(2, allow, 0, 0o200000, 0o4755), x64(2, allow, 0, 0o101, 0o755),
		x64(257, eperm, 3, 0, 0o101, 0o2755), x64(257, eperm, 3, 0, 0o20200002, 0o4600), x64(257, allow, 3, 0, 2, 0o4755), x64(257, allow, 3, 0, 0o101, 0o644),
		x64(257, eperm, 3, 0, high|0o101, high|0o4755), x64(257, allow, 3, 0, 0o100<<32, 0o4755),
		x64(437, enosys), int80(437, enosys), x32(437, enosys),
		x64(425, enosys), x64(426, enosys), // stricter: io_uring opens files without the call
		int80(15, eperm, 0, 0o4755), int80(15, allow, 0, 0o755), int80(5, eperm, 0, 0o101, 0o4755), int80(295, eperm, 3, 0, 0o101, 0o4755), int80(39, eperm, 0, 0o2755),
		x32(90, eperm, 0, 0o4755), x32(257, eperm, 3, 0, 0o101, 0o4755),
		x64(92, allow), x64(95, allow, 0o4000), // chown clears the bits, umask has none
	}},

	// LockPersonality=, MemoryDenyWriteExecute= without the kernel's own.
	{"one personality", []string{"LockPersonality=yes"}, []call{
		x64(135, allow, 0), x64(135, allow, high), x64(135, eperm, 8), x64(135, eperm, 0x40000), x64(135, eperm, 0xffffffff), x64(135, eperm, high|8), x64(135, eperm, ^uint64(0)),
		int80(136, allow, 0), int80(136, eperm, 8), x32(135, eperm, 8),
	}},
	{"no memory to write and execute", []string{"MemoryDenyWriteExecute=yes"}, []call{
		x64(9, eperm, 0, 4096, 7), x64(9, eperm, 0, 4096, 6), x64(9, allow, 0, 4096, 5), x64(9, allow, 0, 4096, 3), x64(9, eperm, 0, 4096, high|7), x64(9, allow, 0, 4096, 4<<32|3),
		x64(10, eperm, 0, 4096, 5), x64(10, eperm, 0, 4096, 4), x64(10, allow, 0, 4096, 3), x64(10, eperm, 0, 4096, high|4),
		x64(329, eperm, 0, 4096, 5), x64(329, allow, 0, 4096, 1),
		x64(30, eperm, 1, 0, 0o100000), x64(30, eperm, 1, 0, 0o110000), x64(30, allow, 1, 0, 0o10000), x64(30, eperm, 1, 0, high|0o100000),
		int80(192, eperm, 0, 4096, 7), int80(192, allow, 0, 4096, 5), int80(125, eperm, 0, 4096, 4), int80(90, eperm, 0), // the old call's arguments cannot be seen
		int80(397, eperm, 1, 0, 0o100000), int80(117, eperm, 21, 1, 0o100000), int80(117, eperm, 0x10015, 1, 0o100000), int80(117, allow, 21, 1, 0), int80(117, allow, 23, 1, 0o100000),
		x32(9, eperm, 0, 4096, 7), x32(10, eperm, 0, 4096, 4),
	}},

	// ProtectClock= and the others that deny calls.
	{"ProtectClock", []string{"ProtectClock=yes"}, all(
		each(x64, eperm, 159, 164, 227, 305), each(x64, allow, 96, 228, 600), each(x32, eperm, 159, 164, 227, 305),
		each(int80, eperm, 25 /* stime sets it, too */, 79, 124, 264, 343, 404, 405), each(int80, allow, 13, 265, 164, 159), []call{aarch64(63, kill)},
	)},
	{"ProtectHostname", []string{"ProtectHostname=yes"}, all(each(x64, eperm, 170, 171), each(int80, eperm, 74, 121), each(x64, allow, 63))},
	{"ProtectKernelModules", []string{"ProtectKernelModules=yes"}, all(each(x64, eperm, 175, 176, 313), each(int80, eperm, 128, 129, 350), each(x64, allow, 246))},
	{"ProtectKernelLogs", []string{"ProtectKernelLogs=yes"}, all(each(x64, eperm, 103), each(int80, eperm, 103), each(x64, allow, 102))},
	{"ProtectKernelTunables", []string{"ProtectKernelTunables=yes"}, all(each(x64, eperm, 156), each(int80, eperm, 149), each(x32, eperm, 156), each(x64, allow, 157))},
	{"PrivateDevices", []string{"PrivateDevices=yes"}, all(each(x64, eperm, 172, 173), each(int80, eperm, 110, 101), each(x64, allow, 16))},

	// Several directives: the stricter verdict, and of two errors that of the filter
	// which systemd loads later.
	{"an error and a kill", []string{"SystemCallFilter=@system-service", "ProtectClock=yes"}, each(x64, kill, 164, 159)},
	{"an error and a later error", []string{"SystemCallFilter=~@clock:EACCES", "ProtectClock=yes"}, all(each(x64, eacces, 164), each(int80, eacces, 79), each(int80, eperm, 25))},
	{"an error under conditions and a later error", []string{"RestrictNamespaces=yes", "SystemCallFilter=~unshare:EACCES"}, []call{x64(272, eacces, 0x20000), x64(272, eacces, 0), x64(308, eperm, 3, 0)}},
	{"an error under conditions, and a log", []string{"RestrictNamespaces=yes", "SystemCallLog=unshare"}, []call{x64(272, eperm, 0x20000), x64(272, logs, 0)}},
	{"an error under conditions, and a kill", []string{"RestrictAddressFamilies=AF_UNIX", "SystemCallFilter=~socket"}, []call{x64(41, kill, 1), x64(41, kill, 2), int80(102, kill, 1), int80(359, kill, 1)}},
	{"an allow list, and families", []string{"SystemCallFilter=@system-service", "RestrictAddressFamilies=AF_UNIX"}, []call{x64(41, allow, 1), x64(41, eafno, 2), x64(165, kill)}},
	{"an allow list, and no calls of its own pass by a directive", []string{"SystemCallFilter=read", "RestrictNamespaces=net"}, []call{x64(272, kill, 0x40000000), x64(0, allow)}},
	{"an architecture that is closed, and all else", []string{"SystemCallArchitectures=native", "ProtectClock=yes", "SystemCallFilter=~@clock:EACCES"}, all(each(int80, kill, 79, 3), each(x64, eacces, 164), each(x32, kill, 164))},

	// The old multiplexers of 32-bit x86: socketcall(2), net.h, and ipc(2), ipc.h.
	{"socketcall, one call denied", []string{"SystemCallFilter=~connect"}, []call{
		x64(42, kill), int80(362, kill), int80(102, kill, 3), int80(102, kill, high|3), int80(102, allow, 1), int80(102, allow, 2), int80(102, allow, 99),
	}},
	{"socketcall, one call with an error", []string{"SystemCallFilter=~connect:EPERM socket"}, []call{int80(102, eperm, 3), int80(102, kill, 1), int80(102, allow, 2)}},
	{"socketcall, one call allowed", []string{"SystemCallFilter=socket bind"}, []call{x64(41, allow), int80(102, allow, 1), int80(102, allow, 2), int80(102, kill, 3), int80(102, kill, 99), int80(102, kill, 0)}},
	{"socketcall itself denied", []string{"SystemCallFilter=~socketcall"}, []call{int80(102, kill, 1), int80(102, kill, 3), int80(102, kill, 99), int80(359, allow), x64(41, allow)}},
	{"socketcall itself allowed", []string{"SystemCallFilter=socketcall"}, []call{int80(102, allow, 1), int80(102, allow, 3), int80(359, kill)}},
	{"socketcall, the group", []string{"SystemCallFilter=@network-io"}, []call{int80(102, allow, 1), int80(102, allow, 20), int80(117, kill, 21)}},
	{"socketcall, the group without one call", []string{"SystemCallFilter=@network-io", "SystemCallFilter=~connect"}, []call{int80(102, allow, 1), int80(102, kill, 3), int80(362, kill), x64(42, kill)}},
	{"socketcall, the group with an error for one", []string{"SystemCallFilter=@network-io", "SystemCallFilter=~connect:EACCES"}, []call{int80(362, eacces), x64(42, eacces), x64(41, allow), int80(102, allow, 1), int80(102, eacces, 3)}},
	{"socketcall, the group without itself", []string{"SystemCallFilter=@network-io", "SystemCallFilter=~socketcall"}, []call{int80(102, allow, 1), int80(102, allow, 3), int80(102, kill, 99), int80(359, allow)}},
	{"ipc, one call denied", []string{"SystemCallFilter=~shmat"}, []call{x64(30, kill), int80(397, kill), int80(117, kill, 21), int80(117, kill, 0x10015), int80(117, kill, high|21), int80(117, allow, 23), int80(117, allow, 1)}},
	{"ipc, one call allowed", []string{"SystemCallFilter=semget"}, []call{x64(64, allow), int80(393, allow), int80(117, allow, 2), int80(117, allow, 0x10002), int80(117, kill, 1), int80(117, kill, 21)}},
	{"ipc is logged", []string{"SystemCallLog=msgsnd"}, []call{x64(69, logs), int80(117, logs, 11), int80(117, allow, 12)}},

	// x32 has x86-64's AUDIT_ARCH_, and a bit in its numbers.
	{"x32 by a number of its own", []string{"SystemCallFilter=~ptrace"}, []call{x64(101, kill), x32(521, kill), x32(101, kill) /* kernels before 5.4 */, x64(521, allow), x32(520, allow)}},
	{"x32, allowed by its own number alone", []string{"SystemCallFilter=ioctl"}, []call{x64(16, allow), x32(514, allow), x32(16, kill), int80(54, allow)}},

	// io_uring does what a filter cannot see (stricter than systemd).
	{"io_uring does what is denied", []string{"SystemCallFilter=~connect"}, all(each(x64, enosys, 425, 426, 427), each(int80, enosys, 425), each(x32, enosys, 425), each(x64, allow, 206))},
	{"io_uring, an error for the other", []string{"SystemCallFilter=~openat:EACCES", "SystemCallErrorNumber=EPERM"}, all(each(x64, eacces, 257), each(x64, enosys, 425, 426, 427))},
	{"io_uring does not do what is denied", []string{"SystemCallFilter=~mount ptrace"}, each(x64, allow, 425, 426, 427)},
	{"io_uring, and what is logged only", []string{"SystemCallFilter=~openat:log"}, all(each(x64, logs, 257), each(x64, allow, 425, 0))},
	{"io_uring does what a group has", []string{"SystemCallFilter=~@network-io"}, each(x64, enosys, 425, 426, 427)},
	{"io_uring is denied by name", []string{"SystemCallFilter=~connect io_uring_setup:EPERM"}, all(each(x64, eperm, 425), each(x64, allow, 426, 427))},
	{"io_uring is denied by a group", []string{"SystemCallFilter=~@aio openat", "SystemCallErrorNumber=EPERM"}, each(x64, eperm, 425, 426, 427, 206)},
	{"io_uring is allowed by name in a deny list", []string{"SystemCallFilter=~openat connect", "SystemCallFilter=@io-uring"}, all(each(x64, kill, 257), each(x64, allow, 425, 426, 427))},
	{"io_uring in an allow list's group", []string{"SystemCallFilter=@system-service"}, each(x64, allow, 425, 426, 427)},
	{"io_uring in an allow list's group, and families", []string{"SystemCallFilter=@system-service", "RestrictAddressFamilies=AF_UNIX"}, each(x64, enosys, 425, 426, 427)},
	{"io_uring by name in an allow list, and families", []string{"SystemCallFilter=@system-service @io-uring", "RestrictAddressFamilies=AF_UNIX"}, each(x64, allow, 425, 426, 427)},
	{"io_uring by the name of its call, and modes", []string{"SystemCallFilter=@system-service io_uring_setup", "RestrictSUIDSGID=yes"}, each(x64, allow, 425)},
	{"io_uring by name, and taken away", []string{"SystemCallFilter=@system-service @io-uring", "SystemCallFilter=~@io-uring"}, each(x64, kill, 425, 426, 427)},
	{"io_uring where it is not in the list", []string{"SystemCallFilter=read", "RestrictAddressFamilies=AF_UNIX"}, each(x64, kill, 425, 426, 427)},
	{"io_uring is let be by what denies other calls", []string{"ProtectClock=yes", "RestrictNamespaces=yes", "RestrictRealtime=yes"}, each(x64, allow, 425)},
}

func TestFilterLines(t *testing.T) {
	sets := map[string]string{}
	for _, tt := range filterLines {
		t.Run(tt.name, func(t *testing.T) {
			sets[strings.Join(tt.lines, "\n")] = tt.name
			p := &policy.Policy{}
			for i, l := range tt.lines {
				name, value, _ := strings.Cut(l, "=")
				if err := p.Set(name, value, policy.Origin{File: "test.service", Line: i + 1}); err != nil {
					t.Fatal(err)
				}
			}
			pl := Compile(p, aRoot())
			if len(pl.Refused) > 0 {
				t.Fatalf("refused: %q", refusalLines(pl))
			}
			if (pl.Program == nil) != (len(tt.calls) == 0) {
				t.Fatalf("a program of %d instructions for %d calls", len(pl.Program), len(tt.calls))
			}
			for _, c := range tt.calls {
				d := seccomp.Data{NR: c.nr, Arch: c.arch}
				copy(d.Args[:], c.args)
				got, err := pl.Program.Eval(d)
				if want := verdict(t, c.want); err != nil || uint32(got) != want {
					t.Errorf("arch %#x, number %#x, arguments %#x: got %v (%v), want %s", c.arch, c.nr, c.args, got, err, c.want)
				}
				if v := pl.Filter.Decide(d); v.Action != got {
					t.Errorf("arch %#x, number %#x, arguments %#x: the filter says %v, its program %v", c.arch, c.nr, c.args, v.Action, got)
				}
			}
		})
	}
	if len(sets) < 60 {
		t.Errorf("only %d sets of lines", len(sets))
	}
}

// Verdicts that depend on what is around the daemon, too.
func TestFilterLinesAround(t *testing.T) {
	for _, tt := range []struct {
		name  string
		set   []string
		env   func(*Env)
		calls []call
	}{
		{"the personality that Personality= selects", []string{"LockPersonality=yes"}, func(e *Env) { e.Personality = 8 }, []call{
			x64(135, allow, 8), x64(135, eperm, 0), x64(135, eperm, 0xffffffff), x64(135, allow, high|8),
		}},
		{"MemoryDenyWriteExecute by the kernel needs no filter", []string{"MemoryDenyWriteExecute=yes", "SystemCallFilter=~acct"}, func(e *Env) { e.MDWE = true }, []call{
			x64(9, allow, 0, 4096, 7), x64(10, allow, 0, 4096, 4), x64(163, kill),
		}},
		// CVE-2016-2568, CVE-2023-1523, and by the upper half CVE-2019-7303.
		{"a terminal that is shared", []string{"User=www", "SystemCallFilter=~acct"}, func(e *Env) { e.Shared = true }, []call{
			x64(16, eperm, 0, 0x5412), x64(16, eperm, 0, 0x541c), x64(16, allow, 0, 0x5401), x64(16, eperm, 0, high|0x5412), int80(54, eperm, 0, 0x5412), x32(514, eperm, 0, 0x5412),
		}},
		{"a terminal that is not", []string{"User=www", "SystemCallFilter=~acct"}, nil, []call{x64(16, allow, 0, 0x5412)}},
		{"a terminal, and the same user", []string{"SystemCallFilter=~acct"}, func(e *Env) { e.Shared = true }, []call{x64(16, allow, 0, 0x5412)}},
	} {
		env := aRoot()
		if tt.env != nil {
			tt.env(env)
		}
		pl := Compile(aPolicy(t, tt.set...), env)
		if len(pl.Refused) > 0 || pl.Program == nil {
			t.Errorf("%s: refused: %q, or no program", tt.name, refusalLines(pl))
			continue
		}
		for _, c := range tt.calls {
			d := seccomp.Data{NR: c.nr, Arch: c.arch}
			copy(d.Args[:], c.args)
			if got, err := pl.Program.Eval(d); err != nil || uint32(got) != verdict(t, c.want) {
				t.Errorf("%s: number %#x, arguments %#x: got %v (%v), want %s", tt.name, c.nr, c.args, got, err, c.want)
			}
		}
	}
}
