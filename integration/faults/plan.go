// Package faults makes every system call of a launch fail, and lie, one at a
// time, and looks whether the daemon ever ran with less than was asked for.
//
//	go test ./integration/faults                          a sample, its seed printed
//	sh integration/faults.sh                              every point (-full), an hour and more
//	go test ./integration/faults -run Matrix -only '^user setresuid lie once 1' -v
//
// A point is a plan, a system call, a fault, and which of the calls of that name
// it hits. tracer.c hits: the call is not made, and answers what the fault
// says. The daemon is that of package shapes, which prints its state and tries what it
// is forbidden; what it prints must be what it prints without a fault, or it must not have been
// started at all. Which calls there are, strace(1) tells.
package faults

import (
	"maps"
	"slices"
	"strings"

	"github.com/hardrun/hardrun/integration/shapes"
)

// Plan is a launch to be disturbed.
type Plan struct {
	shapes.Shape
	Append bool // what the daemon prints is in /srv/out
	Group  bool // it is in a control group
	Parent bool // a parent stays: found by a start without a fault
	Parts  int  // how many commands print their state; 0 stands for one
}

// Plans are the shapes, and what none of them has.
var Plans = plans()

func plans() (list []Plan) {
	for _, s := range shapes.List {
		// As with limits, the default of systemd is left out where it cannot be had.
		if text, ok := s.Files[s.Unit]; ok && !strings.Contains(text, "KeyringMode=") {
			s.Files = maps.Clone(s.Files)
			s.Files[s.Unit] = text + "KeyringMode=private\n"
		}
		list = append(list, Plan{Shape: s})
	}
	return append(list,
		Plan{Shape: shapes.Shape{
			Name: "cage",
			Options: []string{
				"--chroot=/srv/root", "--user=nobody", "--caps=net_bind_service", "--umask=0077",
				"--limit-nofile=128:256", "--limit-core=0", "--limit-nproc=33", "--limit-fsize=1M",
			},
			Daemon:    "/probe",
			Has:       []string{"root: other", "cwd: /", "cap_prm: 0000000000000400", "umask: 0077", "limit 7: 128 256"},
			Forbidden: []string{"stat:/etc/passwd", "stat:/srv/data", "setuid0", "chroot-escape:/etc/passwd"},
			Allowed:   []string{"bind:53"},
		}},
		Plan{Append: true, Shape: shapes.Shape{
			Name: "options",
			Options: []string{
				"--user=nobody", "--supplementary-groups=daemon adm", "--caps=net_bind_service sys_chroot",
				"--secure-bits=noroot noroot-locked no-setuid-fixup", "--no-new-privs",
				"--nice=5", "--oom-score-adjust=500", "--cpu-scheduling-policy=batch", "--cpu-scheduling-reset-on-fork", "--cpu-affinity=0",
				"--io-scheduling-class=best-effort", "--io-scheduling-priority=6", "--timer-slack-nsec=123456",
				"--personality=x86", "--memory-ksm", "--memory-thp=disable", "--coredump-filter=0x21", "--keyring-mode=private",
				"--working-directory=/srv/data", "--umask=0077", "--ignore-sigpipe",
				"--limit-nofile=512:1024", "--limit-core=0", "--limit-nproc=77", "--limit-fsize=1M", "--limit-stack=4M",
				"--limit-as=1G", "--limit-cpu=100", "--limit-memlock=64K",
				"--environment=MODE=tested", "--unset-environment=SECRET",
				"--standard-input=null", "--standard-output=append:/srv/out", "--seccomp-bpf=/srv/filter",
				"--protect-home=tmpfs", "--protect-control-groups=strict", "--tmpfs=/opt:size=1m,mode=0700", "--bind-paths=/srv/data:/media",
				"--no-exec-paths=/media", "--mount-flags=private", "--system-call-log=kexec_load", "--system-call-filter=~chroot:EACCES",
			},
			Has: []string{
				"groups: [1,4,65534]", "cap_prm: 0000000000040400", "no_new_privs: 1", "seccomp: 2", "filters: 2", "personality: 0000000000000008",
				"timer_slack: 123456", "env MODE: tested", "thp: 1", "ksm: 1", "cwd: /srv/data", "namespace mnt: own", "mount: / /home ro,...", "mount: / /opt rw,...",
			},
			Forbidden: []string{"setuid0", "raise:21", "chroot:/", "stat:/home/marker", "run:/media/probe:exit:0", "open:/opt:r"},
			Allowed:   []string{"bind:53", "open:/media/file:r"},
		}},
		Plan{Group: true, Shape: shapes.Shape{
			Name: "group",
			Options: []string{
				"--user=nobody", "--private-network", "--private-mounts=no", "--device-allow=/dev/null rw", "--ip-address-deny=localhost",
				"--ip-address-allow=127.0.0.9", "--restrict-network-interfaces=lo", "--socket-bind-deny=any", "--socket-bind-allow=udp:53053",
			},
			Has:       []string{"namespace net: own", "cap_prm: 0000000000000000"},
			Forbidden: []string{"open:/dev/zero:r", "open:/dev/urandom:r", "sock-bind:tcp:127.0.0.1:53053", "sock-bind:udp:127.0.0.1:53054", "sock-send:127.0.0.8:9:x", "sock-send:127.0.0.10:9:x"},
			Allowed:   []string{"open:/dev/null:r", "sock-bind:udp:127.0.0.1:53053", "sock-send:127.0.0.9:9:x"},
		}},
		Plan{Parts: 2, Shape: shapes.Shape{
			Name: "before",
			Files: map[string]string{"before.service": service + `RuntimeDirectoryPreserve=yes
ExecStartPre=/srv/probe
ExecStart=PROBE
`},
			Unit:      "before.service",
			Has:       []string{"uids: [65534,65534,65534,65534]", "env: RUNTIME_DIRECTORY", "mount: / / ro,..."},
			Forbidden: []string{"setuid0", "open:/srv/other:w", "stat:/tmp/marker"},
			Allowed:   []string{"create:/run/faults/mine", "create:/tmp/mine"},
		}},
		Plan{Parts: 2, Shape: shapes.Shape{
			Name: "parent",
			Files: map[string]string{"parent.service": service + `UnsetEnvironment=SERVICE_RESULT EXIT_CODE EXIT_STATUS
Type=exec
ExecStart=PROBE
ExecStopPost=/srv/probe
`},
			Unit:      "parent.service",
			Has:       []string{"uids: [65534,65534,65534,65534]", "env: RUNTIME_DIRECTORY", "mount: / / ro,..."},
			Forbidden: []string{"setuid0", "open:/srv/other:w", "stat:/tmp/marker"},
			Allowed:   []string{"create:/run/faults/mine", "create:/tmp/mine"},
		}})
}

// service has what is made for a service. Limits and the keyring are written out, as systemd's defaults
// are left out where they cannot be had.
const service = `[Service]
User=nobody
RuntimeDirectory=faults
StateDirectory=faults
ProtectSystem=strict
PrivateTmp=yes
SetCredential=key:the credential
KeyringMode=private
LimitNOFILE=512:1024
LimitMEMLOCK=64K
`

// Errors are what a failing call answers that changes something, and ReadErrors one that only asks.
var (
	Errors     = []string{"EPERM", "EINVAL", "ENOSYS", "ENOMEM", "EAGAIN", "EACCES", "EINTR"}
	ReadErrors = []string{"EPERM", "ENOSYS", "EINTR"}
)

// Lie is the fault of a call that is not made and answers 0.
const Lie = "lie"

// Mode is which of the calls of one name a fault hits.
type Mode string

const (
	Once   Mode = "once"   // call number N of a process, no other
	Always Mode = "always" // all calls of that name, in all threads, up to the execve of a command: it is missing
	Since  Mode = "since"  // call number N and all after it: a setter that lies together with its getter
	Pair   Mode = "pair"   // call number N lies, and those that read it back say what it should have done
)

// Point is one start with one fault.
type Point struct {
	Plan    string
	Call    string
	Fault   string // an errno, or Lie
	Mode    Mode
	N       int    // the first call that is hit, counted from 1
	Process int    // whose: 0 is hardrun's, the others are those that it starts, in their order
	Args    string // of call N without a fault
	With    string // further faults of the tracer, in a Pair
	Read    bool
}

// Exempt are the calls that are never made to fail, each with the reason. They
// belong to the Go runtime or to the C library, and what they do is undone by
// execve(2), or their failure is no answer but the end of the process.
var Exempt = map[string]string{
	"clone":           "starts the threads of the Go runtime; a failing one is met before the runtime (RLIMIT_NPROC), and a lying one would run two owners on one stack",
	"clone3":          "as clone",
	"fork":            "as clone",
	"vfork":           "as clone",
	"futex":           "the locks of the Go runtime; a lie is a lock that two threads hold, the answer is a hang or a trace, and no state of the daemon",
	"mmap":            "memory of the Go runtime and of musl; execve replaces the address space, a lie is the address 0 and ends in SIGSEGV",
	"munmap":          "gives memory back; execve replaces the address space",
	"mremap":          "as mmap",
	"mprotect":        "protection of own stacks; execve replaces the address space",
	"madvise":         "advice about own memory; execve replaces the address space",
	"brk":             "heap of musl; execve replaces the address space",
	"arch_prctl":      "the thread pointer, before any code of hardrun runs; without it musl ends the process",
	"rt_sigreturn":    "has no answer: what it would return to is in the frame that it did not restore",
	"exit":            "ends a thread of the Go runtime; has no answer",
	"exit_group":      "ends the process; has no answer",
	"nanosleep":       "the Go runtime's background thread waits",
	"clock_nanosleep": "as nanosleep",
	"sched_yield":     "the Go runtime's threads wait for each other",
	"epoll_pwait":     "the Go runtime waits for descriptors",
	"restart_syscall": "made by the kernel, not by a program",
	"tgkill":          "the Go runtime interrupts its own threads",
}

// Crashes are the calls at which the Go runtime ends the process by itself while
// it starts, before any code of hardrun in Go, and why. A crash anywhere else is a
// defect.
var Crashes = map[string]string{
	"fcntl":          "runtime.checkfds asks whether descriptors 0, 1 and 2 are open, and throws at an answer it does not know",
	"rt_sigaction":   "runtime.sysSigaction throws when a handler cannot be read or set (but for signals 32, 33 and 64)",
	"rt_sigprocmask": "runtime.sigprocmask crashes on purpose when the mask of the first thread cannot be read or set (os_linux.go, sys_linux_amd64.s)",
	"sigaltstack":    "runtime.sigaltstack crashes on purpose when the first thread can have no stack for signals (sys_linux_amd64.s)",
}

// Waits are calls of which a lie makes a parent wait: the daemon runs, or has run, as it should, and nothing
// says that it has ended. Flock is in it for EAGAIN, which says that another start has the lock; that
// is waited for, a minute at most.
var Waits = map[string]string{
	"wait4":           "process 1 of a PID namespace is told that no child has ended, and waits for one",
	"rt_sigtimedwait": "process 1 of a PID namespace waits for a signal, and is told that none came",
	"ppoll":           "the parent of a service waits for what happens, and is told that nothing did",
	"flock":           "EAGAIN says that another start has the lock: it is waited for, up to a minute",
}

// readers are calls that change nothing, whatever their arguments are.
var readers = []string{
	"getresuid", "getresgid", "getgroups", "getrlimit", "sched_getaffinity", "sched_getattr", "getpriority", "ioprio_get",
	"capget", "statx", "fstat", "newfstatat", "fstatfs", "statfs", "read", "pread64", "readlinkat", "getdents64", "getcwd",
	"getpid", "gettid", "getcpu", "getuid", "geteuid", "getgid", "getegid", "lseek", "access", "faccessat2", "uname",
	"get_mempolicy", "lsm_list_modules",
}

// reads tells a call that asks from one that changes, by what strace printed of
// its arguments.
func reads(name, args string) bool {
	has := func(list ...string) bool {
		return slices.ContainsFunc(list, func(s string) bool { return containsArg(args, s) })
	}
	switch name {
	case "prctl": // 0x44, 0x42 and 0x2a are PR_GET_MEMORY_MERGE, PR_GET_MDWE and PR_GET_THP_DISABLE, which strace may not know
		return has("PR_GET_", "PR_CAPBSET_READ", "PR_CAP_AMBIENT_IS_SET", "0x44 ", "0x42 ", "0x2a ")
	case "fcntl":
		return has("F_GETFD", "F_GETFL")
	case "rt_sigaction":
		return nthArg(args, 1) == "NULL"
	case "rt_sigprocmask":
		return nthArg(args, 1) == "NULL"
	case "sigaltstack":
		return nthArg(args, 0) == "NULL"
	case "prlimit64":
		return nthArg(args, 2) == "NULL"
	case "personality":
		return args == "0xffffffff"
	case "setfsuid", "setfsgid":
		return args == "-1"
	case "keyctl":
		return has("KEYCTL_GET_KEYRING_ID", "KEYCTL_DESCRIBE")
	}
	return slices.Contains(readers, name)
}
