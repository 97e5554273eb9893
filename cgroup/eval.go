package cgroup

import (
	"encoding/binary"
	"errors"
	"strconv"
)

// machine is what a program works with.
type machine struct {
	regs        [16]uint64
	set         uint16 // the registers that hold something
	ctx, packet []byte
	stack       [512]byte
	counters    [8 * Counters]byte
}

// An address is a region in the upper bits, and a place in it.
const (
	contextRegion uint64 = (iota + 1) << regionShift
	stackRegion
	counterRegion
	regionShift = 60
)

var (
	errForm    = errors.New("not of a form that is written here")
	errUnset   = errors.New("a register that holds nothing")
	errOutside = errors.New("an address outside of what the program has")
)

// Eval runs a program as the kernel does, with its context and a packet from the IP header
// on, and returns what it answers. It knows the forms of instructions that are written
// here, and runs each instruction once at most: programs have no loops. What the program
// writes to the context is in ctx afterwards.
func Eval(p []Ins, ctx, packet []byte) (uint64, error) {
	c, err := decode(p)
	if err != nil {
		return 0, err
	}
	m := machine{ctx: ctx, packet: packet}
	return m.run(c)
}

// code is a program of known forms, and what each instruction has.
type code struct {
	ins []Ins
	has []uint8
}

func decode(p []Ins) (code, error) {
	c := code{p, make([]uint8, len(p))}
	for n := 0; n < len(p); n++ {
		i := p[n]
		dst, src := i.regs()
		has := fields(i.Op)
		switch {
		case has == 0,
			has&(readsDst|writesDst) == 0 && dst != 0, has&writesDst != 0 && dst >= R10,
			has&readsSrc == 0 && src != 0 && !i.isMapValue(),
			has&hasOff == 0 && i.Off != 0, has&hasImm == 0 && i.Imm != 0,
			i.Op == classALU|aluRSH && uint32(i.Imm) > 31,
			i.Op == classALU|aluEND|srcX && i.Imm != 16 && i.Imm != 32,
			i.Op == classJMP|jmpCALL && i.Imm != helperLoadBytes,
			i.Op == classLD|sizeDW && (!i.isMapValue() || n+1 == len(p) || p[n+1] != Ins{Imm: p[n+1].Imm}):
			return c, at(n, errForm)
		}
		c.has[n] = has
		if i.isMapValue() {
			n++
		}
	}
	return c, nil
}

func at(n int, err error) error {
	return errors.New("instruction " + strconv.Itoa(n) + ": " + err.Error())
}

// What an instruction does with its fields. Those that it does not have are zero.
const (
	readsDst = 1 << iota
	writesDst
	readsSrc
	hasOff
	hasImm
	ends
)

// fields are those of an operation, or 0 for one that is not written here.
func fields(op uint8) uint8 {
	switch op {
	case classALU64 | aluMOV, classLD | modeIMM | sizeDW:
		return writesDst | hasImm
	case classALU64 | aluMOV | srcX:
		return writesDst | readsSrc
	case classALU64 | aluADD, classALU | aluAND, classALU | aluRSH, classALU | aluEND | srcX:
		return readsDst | writesDst | hasImm
	case classSTX | modeATOMIC | sizeDW: // its constant is aluADD, which is 0
		return readsDst | readsSrc | hasOff
	case classJMP | jmpJA:
		return hasOff
	case classJMP | jmpCALL:
		return hasImm
	case classJMP | jmpEXIT:
		return ends
	}
	_, condition := holds(op, 0, 0)
	switch class := op & 7; {
	case class == classLDX && op&0xe0 == modeMEM:
		return writesDst | readsSrc | hasOff
	case class == classSTX && op&0xe0 == modeMEM:
		return readsDst | readsSrc | hasOff
	case (class == classJMP || class == classJMP32) && condition && op&srcX == 0:
		return readsDst | hasOff | hasImm
	}
	return 0
}

// holds is the condition of a jump, and whether there is such a condition.
func holds(op uint8, x, y uint64) (yes, is bool) {
	switch op & 0xf0 {
	case jmpJEQ:
		return x == y, true
	case jmpJNE:
		return x != y, true
	case jmpJGT:
		return x > y, true
	case jmpJGE:
		return x >= y, true
	case jmpJLT:
		return x < y, true
	case jmpJLE:
		return x <= y, true
	case jmpJSET:
		return x&y != 0, true
	}
	return false, false
}

func (m *machine) run(c code) (uint64, error) {
	m.regs[R1], m.regs[R10] = contextRegion, stackRegion+uint64(len(m.stack))
	m.set = 1<<R1 | 1<<R10
	pc := 0
	for range c.ins {
		if pc < 0 || pc >= len(c.ins) || c.has[pc] == 0 {
			return 0, errors.New("a jump to where no instruction is")
		}
		if c.has[pc] == ends {
			if m.set&(1<<R0) == 0 {
				return 0, at(pc, errUnset)
			}
			return m.regs[R0], nil
		}
		skip, err := m.step(c, pc)
		if err != nil {
			return 0, at(pc, err)
		}
		pc += 1 + skip
	}
	return 0, errors.New("a program without an end")
}

// step executes an instruction, and tells how many of the next ones are skipped.
func (m *machine) step(c code, pc int) (skip int, err error) {
	i, has := c.ins[pc], c.has[pc]
	dst, src := i.regs()
	switch {
	case has&readsDst != 0 && m.set>>dst&1 == 0, has&readsSrc != 0 && m.set>>src&1 == 0:
		return 0, errUnset
	case has&writesDst != 0:
		m.set |= 1 << dst
	}
	x, y := &m.regs[dst], uint64(int64(i.Imm))
	if has&readsSrc != 0 {
		y = m.regs[src]
	}
	yes := false
	switch i.Op & 7 {
	case classALU64:
		if i.Op&0xf0 == aluMOV {
			*x = 0
		}
		*x += y
	case classALU:
		switch {
		case i.Op == classALU|aluAND:
			*x = uint64(uint32(*x & y))
		case i.Op == classALU|aluRSH:
			*x = uint64(uint32(*x) >> y)
		case y == 16:
			*x = uint64(network16(uint16(*x)))
		default:
			*x = uint64(network32(uint32(*x)))
		}
	case classLD:
		*x, skip = counterRegion+uint64(uint32(c.ins[pc+1].Imm)), 1
	case classLDX:
		*x, err = m.move(i, y, 0)
	case classSTX:
		_, err = m.move(i, *x, y)
	case classJMP:
		if i.Op == classJMP|jmpCALL {
			return 0, m.loadBytes()
		}
		yes, _ = holds(i.Op, *x, y)
		yes = yes || i.Op == classJMP|jmpJA
	case classJMP32:
		yes, _ = holds(i.Op, uint64(uint32(*x)), uint64(uint32(y)))
	}
	if yes {
		skip = int(i.Off)
	}
	return skip, err
}

// loadBytes is bpf_skb_load_bytes. Where the packet is too short, the destination is
// cleared.
func (m *machine) loadBytes() error {
	const arguments = 1<<R1 | 1<<R2 | 1<<R3 | 1<<R4
	if m.set&arguments != arguments {
		return errUnset
	}
	from, size := m.regs[R2], m.regs[R4]
	to, err := m.memory(m.regs[R3], size)
	if err != nil || m.regs[R1] != contextRegion || size == 0 {
		return errOutside
	}
	m.set = m.set&^(arguments|1<<R5) | 1<<R0
	m.regs[R0] = 0
	if n := uint64(len(m.packet)); from > n || size > n-from {
		clear(to)
		m.regs[R0] = ^uint64(14 - 1) // -EFAULT
		return nil
	}
	copy(to, m.packet[from:])
	return nil
}

// move loads a number, stores it, or adds it to the one that is there.
func (m *machine) move(i Ins, at, v uint64) (uint64, error) {
	size := [...]uint64{4, 2, 1, 8}[i.Op>>3&3]
	there, err := m.memory(at+uint64(int64(i.Off)), size)
	if err != nil {
		return 0, err
	}
	var b [8]byte
	part := b[:size]
	if bigEndian() {
		part = b[8-size:]
	}
	copy(part, there)
	was := binary.NativeEndian.Uint64(b[:])
	switch {
	case i.Op&7 == classLDX:
		return was, nil
	case i.Op&0xe0 == modeATOMIC:
		v += was
	}
	binary.NativeEndian.PutUint64(b[:], v)
	copy(there, part)
	return v, nil
}

// memory is what lies at an address.
func (m *machine) memory(at, size uint64) ([]byte, error) {
	var region []byte
	switch at >> regionShift << regionShift {
	case contextRegion:
		region = m.ctx
	case stackRegion:
		region = m.stack[:]
	case counterRegion:
		region = m.counters[:]
	}
	at &= 1<<regionShift - 1
	if n := uint64(len(region)); at > n || size > n-at {
		return nil, errOutside
	}
	return region[at : at+size], nil
}
