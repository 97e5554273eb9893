package cgroup

import (
	"encoding/binary"
	"errors"
)

// Ins is one instruction of the kernel's machine, in the layout of struct bpf_insn
// (linux/bpf.h): bpf(2) takes a list of them as it is. A constant of 64 bits takes two.
type Ins struct {
	Op  uint8
	Reg uint8 // dst in the half that comes first in memory, src in the other
	Off int16
	Imm int32
}

// Registers. R1 is the context at the start, R0 the answer in the end, R10 the stack.
const (
	R0 uint8 = iota
	R1
	R2
	R3
	R4
	R5
	R6
	R7
	R8
	R9
	R10
)

// Parts of an opcode, linux/bpf_common.h and linux/bpf.h.
const (
	classLD    = 0x00
	classLDX   = 0x01
	classST    = 0x02
	classSTX   = 0x03
	classALU   = 0x04
	classJMP   = 0x05
	classJMP32 = 0x06 // Linux 5.1
	classALU64 = 0x07

	sizeW  = 0x00
	sizeH  = 0x08
	sizeB  = 0x10
	sizeDW = 0x18

	modeIMM    = 0x00
	modeMEM    = 0x60
	modeATOMIC = 0xc0

	srcX = 0x08 // the second operand is a register; else the constant

	aluADD = 0x00
	aluAND = 0x50
	aluRSH = 0x70
	aluMOV = 0xb0
	aluEND = 0xd0 // with srcX: to big endian

	jmpJA   = 0x00
	jmpJEQ  = 0x10
	jmpJGT  = 0x20 // unsigned
	jmpJGE  = 0x30
	jmpJSET = 0x40
	jmpJNE  = 0x50
	jmpJLT  = 0xa0
	jmpJLE  = 0xb0
	jmpCALL = 0x80
	jmpEXIT = 0x90
)

// pseudoMapValue marks a constant of 64 bits which the kernel makes the address of a map's
// value: the map's descriptor, and in the second half an offset. Linux 5.2.
const pseudoMapValue = 2

// asm writes a program. A place is marked by a label, and jumps go forward, to labels that
// are not placed yet. What nothing leads to is left out: the kernel refuses a program which
// has it.
type asm struct {
	out    []Ins
	labels []int // where each label is; -1 while it is not placed, -2 if jumps wait for it
	jumps  []jump
	dead   bool // nothing leads to the next instruction
}

type jump struct{ at, label int }

func reg(dst, src uint8) uint8 {
	if bigEndian() {
		return dst<<4 | src
	}
	return src<<4 | dst
}

// bigEndian is how this machine lays out a number; a program is loaded where it is made.
func bigEndian() bool { return binary.NativeEndian.Uint16([]byte{0, 1}) == 1 }

func (a *asm) ins(op, dst, src uint8, off int16, imm int32) {
	if !a.dead {
		a.out = append(a.out, Ins{op, reg(dst, src), off, imm})
	}
}

// label is a new label, which stands nowhere yet.
func (a *asm) label() int {
	a.labels = append(a.labels, -1)
	return len(a.labels) - 1
}

// here puts a label at the next instruction.
func (a *asm) here(label int) {
	if a.labels[label] == -2 {
		a.dead = false
	}
	a.labels[label] = len(a.out)
}

// mov and movReg set a register; the constant is extended by its sign.
func (a *asm) mov(dst uint8, imm int32)    { a.ins(classALU64|aluMOV, dst, 0, 0, imm) }
func (a *asm) movReg(dst, src uint8)       { a.ins(classALU64|aluMOV|srcX, dst, src, 0, 0) }
func (a *asm) add(dst uint8, imm int32)    { a.ins(classALU64|aluADD, dst, 0, 0, imm) }
func (a *asm) and(dst uint8, imm int32)    { a.ins(classALU|aluAND, dst, 0, 0, imm) }
func (a *asm) shr(dst uint8, imm int32)    { a.ins(classALU|aluRSH, dst, 0, 0, imm) }
func (a *asm) bswap(dst uint8, bits int32) { a.ins(classALU|aluEND|srcX, dst, 0, 0, bits) } // from the network's order

// load reads 1, 2, 4 or 8 bytes at src+off.
func (a *asm) load(size int, dst, src uint8, off int16) {
	a.ins(classLDX|modeMEM|sizeCode(size), dst, src, off, 0)
}

// store writes them.
func (a *asm) store(size int, dst uint8, off int16, src uint8) {
	a.ins(classSTX|modeMEM|sizeCode(size), dst, src, off, 0)
}

func sizeCode(size int) uint8 {
	switch size {
	case 1:
		return sizeB
	case 2:
		return sizeH
	case 4:
		return sizeW
	}
	return sizeDW
}

// count adds one to the counter of that number, without touching r0 to r5: it is for a
// verdict that is settled. It uses r8 and r9.
func (a *asm) count(counter Counter) {
	a.ins(classLD|modeIMM|sizeDW, R9, pseudoMapValue, 0, countersFD)
	a.ins(0, 0, 0, 0, int32(counter)*8)
	a.mov(R8, 1)
	a.ins(classSTX|modeATOMIC|sizeDW, R9, R8, 0, aluADD)
}

func (a *asm) call(helper int32) { a.ins(classJMP|jmpCALL, 0, 0, 0, helper) }

// exit ends the program with what is in r0.
func (a *asm) exit() {
	a.ins(classJMP|jmpEXIT, 0, 0, 0, 0)
	a.dead = true
}

// jump goes to a label.
func (a *asm) jump(label int) {
	a.jumpTo(classJMP|jmpJA, 0, 0, label)
	a.dead = true
}

// jumpIf compares a register with a constant, all 64 bits of it, as unsigned numbers, and
// jumpIf32 its lower half. The constant of jumpIf is extended by its sign.
func (a *asm) jumpIf(op, dst uint8, imm int32, label int) { a.jumpTo(classJMP|op, dst, imm, label) }

func (a *asm) jumpIf32(op, dst uint8, imm uint32, label int) {
	a.jumpTo(classJMP32|op, dst, int32(imm), label)
}

func (a *asm) jumpTo(op, dst uint8, imm int32, label int) {
	if a.dead {
		return
	}
	a.labels[label] = -2
	a.jumps = append(a.jumps, jump{len(a.out), label})
	a.ins(op, dst, 0, 0, imm)
}

// errTooLong is a program in which a jump would be too far (16 bits), or which the kernel
// would not take.
var errTooLong = errors.New("the rules are too many for one program")

// maxLength is how long a program may become. A jump reaches 32767 instructions far.
const maxLength = 32000

// program is what was written, with its jumps resolved.
func (a *asm) program() ([]Ins, error) {
	if len(a.out) > maxLength {
		return nil, errTooLong
	}
	for _, j := range a.jumps {
		a.out[j.at].Off = int16(a.labels[j.label] - j.at - 1)
	}
	return a.out, nil
}

// Counter is a number of a program's counters: what it has denied.
type Counter int

// The counters of a service, in the order in which they lie in their map: an array of one
// value, eight bytes each.
const (
	DeniedDevices Counter = iota
	DeniedIngress         // packets, by address or interface
	DeniedEgress
	DeniedBinds
	DeniedFiles // openings, RestrictFileSystems=
	Counters    // how many there are
)

// countersFD stands in a program for the descriptor of its counters, until there is one.
const countersFD = 0
