// Package faults makes every system call of a launch fail, and lie, one at a
// time, and looks whether the daemon ever ran with less than was asked for.
//
//	go test ./integration/faults                          a sample, its seed printed
//	sh integration/faults.sh                              every point (-full), half an hour and more
//	go test ./integration/faults -run Matrix -only 'identity setresuid lie once 1' -v
//
// A point is a plan, a system call, a fault, and which of the calls of that name
// it hits. strace(1) injects: the call is not made, and answers what the fault
// says. The daemon is probe.c, which prints its state; what it prints must be
// what it prints without a fault, or it must not have been started at all.
package faults

import "slices"

// Plan is a launch to be disturbed.
type Plan struct {
	Name string
	// Options are those of hardrun; CAGE, OUT, DIR and FILTER stand for the root, the file
	// that stdout is appended to, and the working directory of the test.
	Options []string
	Cage    bool // the probe stands in the new root
	Append  bool // what the probe prints is in OUT
	Acts    bool // the probe tries what a control group forbids
	// Unit is the text of a unit, whose commands are the probe: PROBE, and copies of it that
	// run before, BEFORE, and after it, AFTER. Each prints all, and what it prints must be right.
	Unit   string
	Parent bool // a parent stays: what is disturbed are its calls to the end, and those of the commands
}

// Plans are the eight of the matrix.
var Plans = []Plan{
	{
		Name:    "identity",
		Options: []string{"--user=nobody", "--supplementary-groups=daemon adm", "--caps=none", "--no-new-privs"},
	},
	{
		Name: "cage",
		Options: []string{
			"--chroot=CAGE", "--user=nobody", "--caps=net_bind_service", "--umask=0077",
			"--limit-nofile=128:256", "--limit-core=0", "--limit-nproc=33", "--limit-fsize=1M",
		},
		Cage: true,
	},
	{
		Name: "everything",
		Options: []string{
			"--user=nobody", "--supplementary-groups=daemon adm", "--caps=net_bind_service sys_chroot",
			"--secure-bits=noroot noroot-locked no-setuid-fixup", "--no-new-privs",
			"--nice=5", "--oom-score-adjust=500", "--cpu-scheduling-policy=batch", "--cpu-scheduling-reset-on-fork", "--cpu-affinity=0",
			"--io-scheduling-class=best-effort", "--io-scheduling-priority=6", "--timer-slack-nsec=123456",
			"--personality=x86", "--memory-ksm", "--memory-thp=disable", "--coredump-filter=0x21", "--keyring-mode=private",
			"--working-directory=DIR", "--umask=0077", "--ignore-sigpipe",
			"--limit-nofile=512:1024", "--limit-core=0", "--limit-nproc=77", "--limit-fsize=1M", "--limit-stack=4M",
			"--limit-as=1G", "--limit-cpu=100", "--limit-memlock=64K",
			"--environment=MODE=tested", "--unset-environment=SECRET",
			"--standard-input=null", "--standard-output=append:OUT", "--seccomp-bpf=FILTER",
		},
		Append: true,
	},
	{
		Name: "view",
		Options: []string{
			"--protect-system=strict", "--protect-home=tmpfs", "--protect-kernel-tunables", "--protect-kernel-logs", "--protect-control-groups=strict",
			"--protect-proc=invisible", "--proc-subset=pid", "--private-devices", "--private-network", "--private-ipc", "--protect-hostname=private:box",
			"--tmpfs=/srv:size=1m,mode=0700", "--bind-read-only-paths=/etc:/mnt", "--bind-paths=DIR:/media", "--read-write-paths=/var", "--inaccessible-paths=/opt",
			"--no-exec-paths=/var", "--exec-paths=-/var/lib", "--mount-flags=private", "--no-new-privs", "--user=nobody",
		},
	},
	{
		Name: "filter",
		Options: []string{
			"--user=nobody", "--caps=none", "--system-call-filter=@system-service", "--system-call-filter=~@resources chroot:EACCES", "--system-call-error-number=EPERM",
			"--system-call-log=kexec_load", "--system-call-architectures=native", "--restrict-address-families=AF_UNIX AF_INET",
			"--restrict-namespaces", "--restrict-realtime", "--restrict-suidsgid", "--lock-personality", "--memory-deny-write-execute",
			"--protect-clock", "--protect-hostname",
		},
	},
	{
		Name: "group",
		Options: []string{
			"--user=nobody", "--private-network", "--private-mounts=no", "--device-allow=/dev/null rw", "--ip-address-deny=localhost",
			"--ip-address-allow=127.0.0.9", "--restrict-network-interfaces=lo", "--socket-bind-deny=any", "--socket-bind-allow=udp:1053",
		},
		Acts: true,
	},
	{
		Name: "service",
		Unit: serviceUnit + `RuntimeDirectoryPreserve=yes
ExecStartPre=BEFORE one ""
ExecStart=PROBE one ""
`,
	},
}

// serviceUnit has what is made for a service. Two of its variables are others at each start;
// limits and the keyring are written out, as systemd's defaults are left out where they cannot be had.
const serviceUnit = `[Service]
User=nobody
RuntimeDirectory=faults
StateDirectory=faults
ProtectSystem=strict
PrivateTmp=yes
BindReadOnlyPaths=PROBE BEFORE AFTER
SetCredential=key:the credential
UnsetEnvironment=INVOCATION_ID SYSTEMD_EXEC_PID
KeyringMode=private
LimitNOFILE=512:1024
`

// Errors are what a failing call answers.
var Errors = []string{"EPERM", "EINVAL", "ENOSYS", "EAGAIN"}

// Lie is the fault of a call that is not made and answers 0.
const Lie = "lie"

// Mode is which of the calls of one name a fault hits.
type Mode string

const (
	Once   Mode = "once"   // call number N of the main thread, no other
	Always Mode = "always" // all calls of that name, in all threads, up to the execve of the daemon
	Since  Mode = "since"  // call number N and all after it: a setter that lies together with its getter
	Each   Mode = "each"   // call number N of every process, up to the execve of a command: of a plan with a parent
)

// Point is one start with one fault.
type Point struct {
	Plan  string
	Call  string
	Fault string // an errno, or Lie
	Mode  Mode
	N     int // the first call that is hit, counted from 1
	Last  int // how many calls of that name the main thread makes without a fault
	Read  bool
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
