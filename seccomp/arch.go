package seccomp

// The architectures, linux/audit.h.
const (
	ArchX86_64    = 0xc000003e
	ArchI386      = 0x40000003
	ArchAArch64   = 0xc00000b7
	ArchARM       = 0x40000028
	ArchRISCV64   = 0xc00000f3
	ArchPPC64LE   = 0xc0000015
	ArchS390X     = 0x80000016
	ArchS390      = 0x00000016
	ArchLoongArch = 0xc0000102
)

// x32 is the bit which the calls of x32 have set under x86-64's AUDIT_ARCH_
// (__X32_SYSCALL_BIT of asm/unistd.h).
const x32 = 0x40000000

// segment is a run of numbers, the first one, and the call of each.
type segment struct {
	first uint32
	calls []Call
}

// ABI is one way into the kernel.
type ABI struct {
	Name  string // systemd's: "x86-64"
	Arch  uint32 // AUDIT_ARCH_ of linux/audit.h
	table []segment
	bit   uint32 // what its numbers have set beside that
	bytes byteOrder
	// Of s390 the first two parameters of clone(2) are switched.
	cloneFlags uint8
}

type byteOrder uint8

const (
	littleEndian byteOrder = iota
	bigEndian
)

var (
	abiX86_64    = ABI{Name: "x86-64", Arch: ArchX86_64, table: numbersX8664[:]}
	abiX32       = ABI{Name: "x32", Arch: ArchX86_64, table: numbersX32[:], bit: x32}
	abiX86       = ABI{Name: "x86", Arch: ArchI386, table: numbersX86[:]}
	abiARM64     = ABI{Name: "arm64", Arch: ArchAArch64, table: numbersArm64[:]}
	abiARM       = ABI{Name: "arm", Arch: ArchARM, table: numbersArm[:]}
	abiRISCV64   = ABI{Name: "riscv64", Arch: ArchRISCV64, table: numbersRiscv64[:]}
	abiPPC64LE   = ABI{Name: "ppc64-le", Arch: ArchPPC64LE, table: numbersPpc64le[:]}
	abiS390X     = ABI{Name: "s390x", Arch: ArchS390X, table: numbersS390x[:], bytes: bigEndian, cloneFlags: 1}
	abiS390      = ABI{Name: "s390", Arch: ArchS390, table: numbersS390[:], bytes: bigEndian, cloneFlags: 1}
	abiLoongArch = ABI{Name: "loongarch64", Arch: ArchLoongArch, table: numbersLoongarch64[:]}
)

// machines are the ways into the kernel of each machine, its own first, by GOARCH. A
// program that says nothing of one of them would leave it open.
var machines = [...]struct {
	goarch string
	abis   []*ABI
}{
	{"amd64", []*ABI{&abiX86_64, &abiX32, &abiX86}},
	{"arm64", []*ABI{&abiARM64, &abiARM}},
	{"riscv64", []*ABI{&abiRISCV64}},
	{"ppc64le", []*ABI{&abiPPC64LE}},
	{"s390x", []*ABI{&abiS390X, &abiS390}},
	{"loong64", []*ABI{&abiLoongArch}},
}

// Machine is the ways into the kernel of a machine by its GOARCH, its own first; nil
// where the numbers are not known.
func Machine(goarch string) []*ABI {
	for _, m := range machines {
		if m.goarch == goarch {
			return m.abis
		}
	}
	return nil
}

// ArchOf is the AUDIT_ARCH_ of a GOARCH; 0 for a machine whose calls are not known.
func ArchOf(goarch string) uint32 {
	if m := Machine(goarch); m != nil {
		return m[0].Arch
	}
	return 0
}

// Call is the call of a number; false where there is none.
func (a *ABI) Call(nr uint32) (Call, bool) {
	for i := range a.table {
		s := &a.table[i]
		if nr >= s.first && nr-s.first < uint32(len(s.calls)) {
			c := s.calls[nr-s.first]
			return c, c != none
		}
	}
	return none, false
}

// Number is the number of a call; false where the architecture has none.
func (a *ABI) Number(c Call) (uint32, bool) {
	for i := range a.table {
		s := &a.table[i]
		for n, have := range s.calls {
			if have == c {
				return s.first + uint32(n), true
			}
		}
	}
	return 0, false
}

// archNames are the words of SystemCallArchitectures=, systemd.exec(5), those of
// ConditionArchitecture= of systemd.unit(5).
var archNames = [...]string{
	"alpha", "arc", "arc-be", "arm", "arm-be", "arm64", "arm64-be", "cris", "ia64", "loongarch64", "m68k",
	"mips", "mips-le", "mips64", "mips64-le", "mips64-le-n32", "mips64-n32", "native", "parisc", "parisc64", "ppc", "ppc-le", "ppc64", "ppc64-le",
	"riscv32", "riscv64", "s390", "s390x", "sh", "sh64", "sparc", "sparc64", "tilegx", "x32", "x86", "x86-64",
}

// ArchNames are the words that SystemCallArchitectures= takes.
func ArchNames() []string { return archNames[:] }

// ABIs are all that the tables have, of every machine.
func ABIs() []*ABI {
	var all []*ABI
	for _, m := range machines {
		all = append(all, m.abis...)
	}
	return all
}
