package seccomp

// Group is the system calls that a directive of systemd.exec(5) takes from the
// daemon.
type Group uint8

// The groups, by what their calls do. Clock, Modules and RawIO are systemd's
// @clock, @module and @raw-io; stime(2) of i386 is in Clock as well.
const (
	Clock     Group = iota // set or tune a clock: ProtectClock=
	Hostname               // set the names of the host: ProtectHostname=yes
	Modules                // load and unload kernel modules: ProtectKernelModules=
	KernelLog              // read and clear the kernel's log: ProtectKernelLogs=
	Tunables               // the old binary form of sysctl: ProtectKernelTunables=
	RawIO                  // ports and PCI configuration: PrivateDevices=
)

// none stands where an architecture has no such call. No call here is number 0.
const none = 0

// numbers are those of one call: on x86-64 and x32, i386, aarch64, arm.
type numbers [4]uint32

// abi is one way into the kernel.
type abi struct {
	arch   uint32 // AUDIT_ARCH_ of linux/audit.h
	column int    // in numbers
	mask   uint32 // the bits of a number that tell calls apart
}

// x32 is the bit which the calls of x32 have set under x86-64's AUDIT_ARCH_
// (__X32_SYSCALL_BIT of asm/unistd.h). Kernels before 5.4 take it for calls
// that x32 does not have, too.
const x32 = 0x40000000

// abis are the ways into the kernel of a machine, its own first. A program that
// says nothing of one of them leaves it open.
func abis(arch uint32) []abi {
	switch arch {
	case ArchX86_64:
		return []abi{{ArchX86_64, 0, ^uint32(x32)}, {ArchI386, 1, ^uint32(0)}}
	case ArchAArch64:
		return []abi{{ArchAArch64, 2, ^uint32(0)}, {ArchARM, 3, ^uint32(0)}}
	}
	return nil
}

// calls are the members of the groups, with their numbers from the kernel's
// tables: arch/x86/entry/syscalls/syscall_64.tbl and syscall_32.tbl,
// include/uapi/asm-generic/unistd.h (aarch64), arch/arm/tools/syscall.tbl.
// Numbers are never changed and never used again.
var calls = [...]struct {
	name  string
	group Group
	nr    numbers
}{
	{"adjtimex", Clock, numbers{159, 124, 171, 124}},
	{"clock_adjtime", Clock, numbers{305, 343, 266, 372}},
	{"clock_adjtime64", Clock, numbers{none, 405, none, 405}},
	{"clock_settime", Clock, numbers{227, 264, 112, 262}},
	{"clock_settime64", Clock, numbers{none, 404, none, 404}},
	{"settimeofday", Clock, numbers{164, 79, 170, 79}},
	{"stime", Clock, numbers{none, 25, none, none}},

	{"sethostname", Hostname, numbers{170, 74, 161, 74}},
	{"setdomainname", Hostname, numbers{171, 121, 162, 121}},

	{"init_module", Modules, numbers{175, 128, 105, 128}},
	{"finit_module", Modules, numbers{313, 350, 273, 379}},
	{"delete_module", Modules, numbers{176, 129, 106, 129}},

	{"syslog", KernelLog, numbers{103, 103, 116, 103}},

	{"_sysctl", Tunables, numbers{156, 149, none, 149}},

	{"ioperm", RawIO, numbers{173, 101, none, none}},
	{"iopl", RawIO, numbers{172, 110, none, none}},
	{"pciconfig_iobase", RawIO, numbers{none, none, none, 271}},
	{"pciconfig_read", RawIO, numbers{none, none, none, 272}},
	{"pciconfig_write", RawIO, numbers{none, none, none, 273}},
}
