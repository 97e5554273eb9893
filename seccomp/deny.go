package seccomp

import (
	"errors"
	"slices"
)

// The other architectures whose programs the machines run, linux/audit.h.
const (
	ArchI386 = 0x40000003
	ArchARM  = 0x40000028
)

// ArchOf is the AUDIT_ARCH_ of a GOARCH; 0 for a machine whose calls are not known.
func ArchOf(goarch string) uint32 {
	switch goarch {
	case "amd64":
		return ArchX86_64
	case "arm64":
		return ArchAArch64
	}
	return 0
}

// Deny is the program that answers the calls of the groups with EPERM, as
// systemd does, and lets all else pass: on every architecture that the machine
// runs, and in both spellings of x32's numbers. A call by an architecture that
// is none of the machine's kills the process, as its numbers are not known. The
// program has no say on prctl(2), seccomp(2) and execve(2), which are needed
// after it. A machine that is not known, and no group, is an error: nothing
// would be denied.
func Deny(arch uint32, groups ...Group) (Program, error) {
	ways := abis(arch)
	if ways == nil {
		return nil, errors.New("the numbers of this architecture's system calls are not known")
	}
	if len(groups) == 0 {
		return nil, errors.New("a filter that denies nothing")
	}
	p := Program{{Code: opLoad, K: 4}}
	for _, w := range ways {
		verdict := w.verdict(groups)
		p = append(p, Instruction{Code: opEqual, K: w.arch, JF: uint8(len(verdict))})
		p = append(p, verdict...)
	}
	p = append(p, Instruction{Code: opReturn, K: uint32(KillProcess)})
	return p, p.Check()
}

// verdict is the part of a program that decides on a call of one architecture.
// It always returns.
func (w abi) verdict(groups []Group) Program {
	allow := Instruction{Code: opReturn, K: uint32(Allow)}
	var denied []uint32
	for _, c := range calls {
		if nr := c.nr[w.column]; nr != none && slices.Contains(groups, c.group) {
			denied = append(denied, nr)
		}
	}
	if len(denied) == 0 {
		return Program{allow}
	}
	p := Program{{Code: opLoad, K: 0}}
	if w.mask != ^uint32(0) {
		p = append(p, Instruction{Code: opAnd, K: w.mask})
	}
	for i, nr := range denied {
		p = append(p, Instruction{Code: opEqual, K: nr, JT: uint8(len(denied) - i)})
	}
	const eperm = 1
	return append(p, allow, Instruction{Code: opReturn, K: uint32(Errno) | eperm})
}

// The instructions of the program.
const (
	opLoad   = classLD | modeABS
	opEqual  = classJMP | 0x10
	opAnd    = classALU | 0x50
	opReturn = classRET
)
