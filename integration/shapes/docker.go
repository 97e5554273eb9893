package shapes

import (
	"slices"

	"github.com/hardrun/hardrun/seccomp"
)

// Capabilities are those that may be missing, by their numbers.
var Capabilities = []struct {
	Name   string
	Number int
}{
	{"SETUID", 7},
	{"SETGID", 6},
	{"SETPCAP", 8},
	{"SYS_ADMIN", 21},
	{"SYS_CHROOT", 18},
	{"NET_ADMIN", 12},
	{"MKNOD", 27},
	{"SETFCAP", 31},
}

// Subset is a set of Capabilities, a bit for each index.
type Subset uint8

// Mask is the set by the kernel's numbers.
func (s Subset) Mask() (m uint64) {
	for i, c := range Capabilities {
		if s>>i&1 == 1 {
			m |= 1 << c.Number
		}
	}
	return m
}

// Has tells whether a capability, "SYS_ADMIN", is in the set.
func (s Subset) Has(name string) bool {
	return slices.ContainsFunc(s.names(), func(n string) bool { return n == name })
}

func (s Subset) names() (list []string) {
	for i, c := range Capabilities {
		if s>>i&1 == 1 {
			list = append(list, c.Name)
		}
	}
	return list
}

// String is "SETUID,MKNOD", or "none".
func (s Subset) String() string {
	text := ""
	for _, n := range s.names() {
		if text != "" {
			text += ","
		}
		text += n
	}
	if text == "" {
		return "none"
	}
	return text
}

// The default profile of Docker (github.com/moby/profiles, June 2026) lists what is allowed;
// EPERM answers the rest. Of the calls of x86-64 that are in the kernel's table and not in
// the profile these are denied whatever the container may.
var dockerNever = []string{
	"_sysctl", "add_key", "create_module", "get_kernel_syms", "io_uring_enter", "io_uring_register", "io_uring_setup", "kexec_file_load", "kexec_load",
	"keyctl", "migrate_pages", "move_pages", "nfsservctl", "pivot_root", "query_module", "request_key", "swapoff", "swapon", "sysfs", "uselib",
	"userfaultfd", "ustat", "vserver",
}

// dockerAllows are calls that the profile allows to who has a capability of those here.
// Other capabilities allow more; they are never missing in this matrix. bpf(2),
// perf_event_open(2) and syslog(2) are such: CAP_BPF, CAP_PERFMON and CAP_SYSLOG.
var dockerAllows = map[string][]string{
	"SYS_ADMIN": {
		"fanotify_init", "fsconfig", "fsmount", "fsopen", "fspick", "lookup_dcookie", "lsm_get_self_attr", "lsm_list_modules", "lsm_set_self_attr", "mount",
		"mount_setattr", "move_mount", "open_tree", "quotactl", "quotactl_fd", "setdomainname", "sethostname", "setns", "umount2", "unshare",
	},
	"SYS_CHROOT": {"chroot"},
}

// dockerNewest is the highest number in the profile, removexattrat(2). runc answers
// ENOSYS to what is newer.
const dockerNewest = 466

// DockerDenied are the calls that the profile denies to a container of root with all
// capabilities but these.
func DockerDenied(missing Subset) []string {
	list := slices.Clone(dockerNever)
	for cap, calls := range dockerAllows {
		if missing.Has(cap) {
			list = append(list, calls...)
		}
	}
	slices.Sort(list)
	return list
}

// DockerFilter is the profile for such a container as a program of seccomp(2). What is
// not of x86-64 is killed.
func DockerFilter(missing Subset) seccomp.Program {
	const (
		load, equal, greater, bits = 0x20, 0x15, 0x35, 0x45
		answer                     = 0x06
		nr, arch, argument         = 0, 4, 16
		amd64                      = 0xc000003e
		namespaces                 = 0x7e020000 // every flag of clone(2) that makes one, but for CLONE_NEWTIME
	)
	deny := func(errno uint32) seccomp.Instruction {
		return seccomp.Instruction{Code: answer, K: uint32(seccomp.Errno) | errno}
	}
	allow := seccomp.Instruction{Code: answer, K: uint32(seccomp.Allow)}
	const eperm, enosys = 1, 38
	p := seccomp.Program{
		{Code: load, K: arch},
		{Code: equal, JT: 1, K: amd64},
		{Code: answer, K: uint32(seccomp.KillProcess)},
		{Code: load, K: nr},
		{Code: greater, JF: 1, K: dockerNewest + 1},
		deny(enosys),
	}
	for _, name := range DockerDenied(missing) {
		p = append(p, seccomp.Instruction{Code: equal, JF: 1, K: number(name)}, deny(eperm))
	}
	if missing.Has("SYS_ADMIN") {
		p = append(p,
			seccomp.Instruction{Code: equal, JF: 1, K: number("clone3")}, deny(enosys),
			seccomp.Instruction{Code: equal, JF: 4, K: number("clone")},
			seccomp.Instruction{Code: load, K: argument},
			seccomp.Instruction{Code: bits, JF: 1, K: namespaces}, deny(eperm), allow)
	}
	// AF_ALG and AF_VSOCK.
	p = append(p,
		seccomp.Instruction{Code: equal, JF: 5, K: number("socket")},
		seccomp.Instruction{Code: load, K: argument},
		seccomp.Instruction{Code: equal, JT: 1, K: 38},
		seccomp.Instruction{Code: equal, JF: 1, K: 40}, deny(eperm), allow)
	// PER_LINUX, PER_LINUX32, both with UNAME26, and the question which it is.
	p = append(p, seccomp.Instruction{Code: equal, JF: 7, K: number("personality")}, seccomp.Instruction{Code: load, K: argument})
	kinds := []uint32{0, 8, 0x20000, 0x20008, 0xffffffff}
	for i, k := range kinds {
		p = append(p, seccomp.Instruction{Code: equal, JT: uint8(len(kinds) - i), K: k})
	}
	return append(p, deny(eperm), allow)
}

// number is that of a call on x86-64.
func number(name string) uint32 {
	c, known := seccomp.ByName(name)
	if !known {
		panic("no system call: " + name)
	}
	n, has := seccomp.Machine("amd64")[0].Number(c)
	if !has {
		panic("no system call of x86-64: " + name)
	}
	return n
}
