package cgroup

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// Each form computes what the kernel's documentation of the instruction set says.
func TestEval(t *testing.T) {
	ctx := make([]byte, 24)
	for i := range ctx {
		ctx[i] = byte(0x91 + i)
	}
	word := func(at int) uint64 { return uint64(binary.NativeEndian.Uint32(ctx[at:])) }
	packet := []byte{1, 2, 3, 4, 5, 6, 7, 8, 9, 10}
	fetch := func(a *asm, from, size int32) {
		a.mov(R2, from)
		a.movReg(R3, R10)
		a.add(R3, -16)
		a.mov(R4, size)
		a.call(helperLoadBytes)
	}
	for _, tt := range []struct {
		name string
		f    func(a *asm)
		want uint64
	}{
		{"a constant is extended by its sign", func(a *asm) { a.mov(R0, -2) }, ^uint64(1)},
		{"mov", func(a *asm) { a.mov(R3, 7); a.movReg(R0, R3) }, 7},
		{"add", func(a *asm) { a.mov(R0, 7); a.add(R0, -9) }, ^uint64(1)},
		{"and clears the upper half", func(a *asm) { a.mov(R0, -1); a.and(R0, -16) }, 0xfffffff0},
		{"shr is of the lower half", func(a *asm) { a.mov(R0, -1); a.shr(R0, 4) }, 0x0fffffff},
		{"bswap 16", func(a *asm) { a.load(4, R0, R1, 0); a.bswap(R0, 16) }, func() uint64 {
			if bigEndian() {
				return 0x9394
			}
			return 0x9192
		}()},
		{"bswap 32", func(a *asm) { a.load(8, R0, R1, 0); a.bswap(R0, 32) }, func() uint64 {
			if bigEndian() {
				return 0x95969798
			}
			return 0x91929394
		}()},
		{"load 1", func(a *asm) { a.load(1, R0, R1, 23) }, 0xa8},
		{"load 2", func(a *asm) { a.load(2, R0, R1, 22) }, uint64(binary.NativeEndian.Uint16(ctx[22:]))},
		{"load 4", func(a *asm) { a.load(4, R0, R1, 20) }, word(20)},
		{"load 8", func(a *asm) { a.load(8, R0, R1, 16) }, binary.NativeEndian.Uint64(ctx[16:])},
		{"load behind a pointer", func(a *asm) { a.add(R1, 24); a.load(4, R0, R1, -4) }, word(20)},
		{"store 8 and load 2", func(a *asm) { a.load(8, R2, R1, 8); a.store(8, R10, -8, R2); a.load(2, R0, R10, -6) }, uint64(binary.NativeEndian.Uint16(ctx[10:]))},
		{"store 1 and load 4", func(a *asm) {
			a.mov(R2, 0)
			a.store(4, R10, -4, R2)
			a.mov(R2, -1)
			a.store(1, R10, -4, R2)
			a.load(4, R0, R10, -4)
			a.bswap(R0, 32)
		}, 0xff000000},
		{"store 2 into the first bytes", func(a *asm) {
			a.store(8, R10, -512, R1)
			a.mov(R2, 5)
			a.store(2, R10, -512, R2)
			a.load(2, R0, R10, -512)
		}, 5},
		{"the packet", func(a *asm) { fetch(a, 1, 4); a.load(4, R0, R10, -16); a.bswap(R0, 32) }, 0x02030405},
		{"the packet's end", func(a *asm) { fetch(a, 6, 4); a.load(4, R0, R10, -16); a.bswap(R0, 32) }, 0x0708090a},
		{"behind the packet", func(a *asm) { fetch(a, 7, 4) }, ^uint64(13)},
		{"before the packet", func(a *asm) { fetch(a, -1, 4) }, ^uint64(13)},
		{"cleared where there is no packet", func(a *asm) { a.store(8, R10, -16, R1); fetch(a, 11, 8); a.load(8, R0, R10, -16) }, 0},
		{"the packet, in order", func(a *asm) { fetch(a, 0, 10) }, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var a asm
			tt.f(&a)
			a.exit()
			got, err := Eval(a.out, bytes.Clone(ctx), packet)
			if err != nil || got != tt.want {
				t.Errorf("%#x, %v, want %#x", got, err, tt.want)
			}
		})
	}
}

func TestEvalJumps(t *testing.T) {
	for _, tt := range []struct {
		op   uint8
		x    int32 // extended to 64 bits
		y    int32
		wide bool // all 64 bits
		want bool
	}{
		{jmpJEQ, -1, -1, true, true},
		{jmpJEQ, -1, -1, false, true},
		{jmpJEQ, 1, 2, false, false},
		{jmpJNE, 1, 2, true, true},
		{jmpJNE, 2, 2, false, false},
		{jmpJGT, -1, 1, true, true},
		{jmpJGT, -1, 1, false, true},
		{jmpJGT, 1, 1, false, false},
		{jmpJGE, 1, 1, false, true},
		{jmpJGE, 1, -1, false, false},
		{jmpJLT, 1, -1, true, true},
		{jmpJLT, 1, 1, false, false},
		{jmpJLE, 1, 1, true, true},
		{jmpJLE, 2, 1, false, false},
		{jmpJSET, 6, 2, false, true},
		{jmpJSET, 6, 9, true, false},
	} {
		var a asm
		l := a.label()
		a.mov(R2, tt.x)
		a.mov(R0, 1)
		if tt.wide {
			a.jumpIf(tt.op, R2, tt.y, l)
		} else {
			a.jumpIf32(tt.op, R2, uint32(tt.y), l)
		}
		a.mov(R0, 0)
		a.here(l)
		a.exit()
		p, err := a.program()
		if err != nil {
			t.Fatal(err)
		}
		got, err := Eval(p, nil, nil)
		if err != nil || got == 1 != tt.want {
			t.Errorf("%+v: %d, %v", tt, got, err)
		}
	}
	// The lower half alone: 1<<32 | 5 is not 5 but for jumpIf32.
	for _, wide := range []bool{false, true} {
		var a asm
		l := a.label()
		a.load(8, R2, R1, 0)
		a.mov(R0, 1)
		if wide {
			a.jumpIf(jmpJEQ, R2, 5, l)
		} else {
			a.jumpIf32(jmpJEQ, R2, 5, l)
		}
		a.mov(R0, 0)
		a.here(l)
		a.exit()
		p, err := a.program()
		if err != nil {
			t.Fatal(err)
		}
		got, err := Eval(p, binary.NativeEndian.AppendUint64(nil, 1<<32|5), nil)
		if err != nil || got == 1 == wide {
			t.Errorf("wide %v: %d, %v", wide, got, err)
		}
	}
}

func TestEvalRefuses(t *testing.T) {
	zero, exit := Ins{Op: classALU64 | aluMOV}, Ins{Op: classJMP | jmpEXIT}
	load := func(src uint8, off int16) Ins {
		return Ins{Op: classLDX | modeMEM | sizeW, Reg: reg(R0, src), Off: off}
	}
	const form, unset, outside = "not of a form", "holds nothing", "outside"
	for _, tt := range []struct {
		name string
		p    []Ins
		want string
	}{
		{"nothing", nil, "without an end"},
		{"no end", []Ins{zero}, "without an end"},
		{"no answer", []Ins{exit}, unset},
		{"a jump behind the end", []Ins{zero, {Op: classJMP | jmpJA, Off: 1}, exit}, "where no instruction is"},
		{"a jump before the start", []Ins{zero, {Op: classJMP | jmpJA, Off: -4}, exit}, "where no instruction is"},
		{"a jump into an instruction", []Ins{zero, {Op: classJMP | jmpJA, Off: 1}, {Op: classLD | sizeDW, Reg: reg(R9, pseudoMapValue)}, {}, exit}, "where no instruction is"},
		{"a loop", []Ins{zero, {Op: classJMP | jmpJA, Off: -1}, exit}, "without an end"},
		{"a register that is not there", []Ins{{Op: classALU64 | aluMOV, Reg: reg(11, 0)}, zero, exit}, form},
		{"the stack's pointer", []Ins{{Op: classALU64 | aluMOV, Reg: reg(R10, 0)}, zero, exit}, form},
		{"reading what is not set", []Ins{{Op: classALU64 | aluMOV | srcX, Reg: reg(R0, R5)}, exit}, unset},
		{"adding to what is not set", []Ins{{Op: classALU64 | aluADD, Reg: reg(R5, 0)}, zero, exit}, unset},
		{"comparing what is not set", []Ins{{Op: classJMP | jmpJEQ, Reg: reg(R5, 0)}, zero, exit}, unset},
		{"storing what is not set", []Ins{{Op: classSTX | modeMEM, Reg: reg(R10, R5), Off: -4}, zero, exit}, unset},
		{"storing to what is not set", []Ins{{Op: classSTX | modeMEM, Reg: reg(R5, R1), Off: -4}, zero, exit}, unset},
		{"loading from what is not set", []Ins{load(R5, 0), exit}, unset},
		{"behind the context", []Ins{load(R1, 5), exit}, outside},
		{"in front of the context", []Ins{load(R1, -1), exit}, outside},
		{"above the stack", []Ins{load(R10, -3), exit}, outside},
		{"below the stack", []Ins{load(R10, -513), exit}, outside},
		{"no pointer", []Ins{zero, load(R0, 0), exit}, outside},
		{"behind the counters", []Ins{{Op: classLD | sizeDW, Reg: reg(R9, pseudoMapValue)}, {Imm: 8 * int32(Counters)}, load(R9, 0), exit}, outside},
		{"half a constant", []Ins{{Op: classLD | sizeDW, Reg: reg(R9, pseudoMapValue)}}, form},
		{"a constant of two", []Ins{{Op: classLD | sizeDW, Reg: reg(R9, pseudoMapValue)}, zero, zero, exit}, form},
		{"a constant of 64 bits", []Ins{{Op: classLD | sizeDW, Reg: reg(R9, 0)}, {}, zero, exit}, form},
		{"a map itself", []Ins{{Op: classLD | sizeDW, Reg: reg(R9, 1)}, {}, zero, exit}, form},
		{"another helper", []Ins{zero, {Op: classJMP | jmpCALL, Imm: 1}, exit}, form},
		{"the helper without arguments", []Ins{zero, {Op: classJMP | jmpCALL, Imm: helperLoadBytes}, exit}, unset},
		{"a function", []Ins{zero, {Op: classJMP | jmpCALL, Reg: reg(0, 1), Imm: helperLoadBytes}, exit}, form},
		{"an end with a constant", []Ins{zero, {Op: classJMP | jmpEXIT, Imm: 1}}, form},
		{"a wide shift", []Ins{zero, {Op: classALU | aluRSH, Imm: 32}, exit}, form},
		{"an order of 24 bits", []Ins{zero, {Op: classALU | aluEND | srcX, Imm: 24}, exit}, form},
		{"to little endian", []Ins{zero, {Op: classALU | aluEND, Imm: 16}, exit}, form},
		{"a multiplication", []Ins{zero, {Op: classALU64 | 0x20, Imm: 1}, exit}, form},
		{"an addition of registers", []Ins{zero, {Op: classALU64 | aluADD | srcX, Reg: reg(R0, R1)}, exit}, form},
		{"a move with a place", []Ins{{Op: classALU64 | aluMOV, Off: 8}, exit}, form},
		{"a load with a constant", []Ins{{Op: classLDX | modeMEM, Reg: reg(R0, R1), Imm: 1}, exit}, form},
		{"another atomic operation", []Ins{{Op: classSTX | modeATOMIC | sizeDW, Reg: reg(R10, R10), Off: -8, Imm: 0x40}, zero, exit}, form},
		{"a comparison with a sign", []Ins{zero, {Op: classJMP | 0x60}, exit}, form},
		{"a comparison of registers", []Ins{zero, {Op: classJMP | jmpJEQ | srcX, Reg: reg(R0, R1)}, exit}, form},
		{"a long jump", []Ins{zero, {Op: classJMP32 | jmpJA, Imm: 1}, exit}, form},
		{"a call of 32 bits", []Ins{zero, {Op: classJMP32 | jmpCALL, Imm: helperLoadBytes}, exit}, form},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := Eval(tt.p, make([]byte, 8), nil)
			if err == nil || !strings.Contains(err.Error(), tt.want) || got != 0 {
				t.Errorf("%d, %v, want an error: %s", got, err, tt.want)
			}
		})
	}
}

// Arguments are gone after a call, as the kernel has it.
func TestEvalCallClears(t *testing.T) {
	for r := R1; r <= R5; r++ {
		var a asm
		a.mov(R5, 0)
		a.movReg(R6, R1)
		a.loadAddress(0, 4, a.label())
		a.out = a.out[:8] // up to the call
		a.movReg(R0, r)
		a.exit()
		if _, err := Eval(a.out, make([]byte, 8), make([]byte, 4)); !strings.Contains(errText(err), errUnset.Error()) {
			t.Errorf("r%d after a call: %v", r, err)
		}
	}
}

func errText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// The forms that Eval knows are those that the assembler writes: any change of an opcode
// in a real program makes it fail or is another of these forms.
func TestEvalForms(t *testing.T) {
	known := map[uint8]bool{}
	for op := range 256 {
		known[uint8(op)] = fields(uint8(op)) != 0
	}
	var want [256]bool
	note := func(f func(a *asm)) {
		var a asm
		f(&a)
		for n, i := range a.out {
			if n == 0 || !a.out[n-1].isMapValue() {
				want[i.Op] = true
			}
		}
	}
	note(func(a *asm) {
		a.mov(R0, 0)
		a.movReg(R0, R1)
		a.add(R0, 1)
		a.and(R0, 1)
		a.shr(R0, 1)
		a.bswap(R0, 16)
	})
	note(func(a *asm) { a.count(0); a.call(helperLoadBytes); a.exit() })
	for _, size := range []int{1, 2, 4, 8} {
		note(func(a *asm) { a.load(size, R0, R1, 0); a.store(size, R10, -8, R0) })
	}
	note(func(a *asm) { a.jump(a.label()) })
	for _, op := range []uint8{jmpJEQ, jmpJNE, jmpJGT, jmpJGE, jmpJLT, jmpJLE, jmpJSET} {
		note(func(a *asm) { a.jumpIf(op, R0, 0, a.label()); a.jumpIf32(op, R0, 0, a.label()) })
	}
	for op := range want {
		if known[uint8(op)] != want[op] {
			t.Errorf("operation %#x: known %v, written %v", op, known[uint8(op)], want[op])
		}
	}
}

// mutants are the programs that differ from one in a single field.
func mutants(p []Ins, f func(n int, q []Ins)) {
	for n := range p {
		i := p[n]
		if n > 0 && p[n-1].isMapValue() {
			for _, d := range []int32{-8, 8} {
				q := slices.Clone(p)
				q[n].Imm += d
				f(n, q)
			}
			continue
		}
		var changed []Ins
		if fields(i.Op)&hasImm != 0 && !i.isMapValue() {
			changed = append(changed, Ins{i.Op, i.Reg, i.Off, i.Imm + 1}, Ins{i.Op, i.Reg, i.Off, i.Imm - 1}, Ins{i.Op, i.Reg, i.Off, i.Imm ^ 1<<20})
		}
		if fields(i.Op)&hasOff != 0 {
			changed = append(changed, Ins{i.Op, i.Reg, i.Off + 1, i.Imm}, Ins{i.Op, i.Reg, i.Off - 1, i.Imm})
		}
		other := map[uint8][]uint8{
			jmpJEQ: {jmpJNE, jmpJSET}, jmpJNE: {jmpJEQ}, jmpJGT: {jmpJGE, jmpJLE}, jmpJGE: {jmpJGT, jmpJLT},
			jmpJLT: {jmpJLE, jmpJGE}, jmpJLE: {jmpJLT, jmpJGT}, jmpJSET: {jmpJEQ, jmpJNE},
		}
		if i.Op&7 == classJMP || i.Op&7 == classJMP32 {
			for _, op := range other[i.Op&0xf0] {
				changed = append(changed, Ins{i.Op&^0xf0 | op, i.Reg, i.Off, i.Imm})
			}
		}
		for _, c := range changed {
			q := slices.Clone(p)
			q[n] = c
			f(n, q)
		}
	}
}

// What is proved before a launch finds every change of a program that changes what it
// does: a mutant that survives decides as the rules do, on far more inputs.
func TestProveFindsMutants(t *testing.T) {
	r := rand.New(rand.NewPCG(seed, 7))
	total, survived := 0, 0
	survives := func(what string, n int, q []Ins, differs bool, err error) {
		total++
		if err != nil {
			return
		}
		survived++
		if differs {
			t.Errorf("a wrong program was taken: instruction %d %v, %s", n, q[n], what)
		}
	}
	eval := func(q []Ins, ctx, data []byte) (bool, bool) {
		v, err := Eval(q, ctx, data)
		return v == 1, err == nil && v <= 1
	}
	for range 40 {
		list := randomDevices(r, 5)
		p, err := DeviceProgram(list)
		if err != nil {
			t.Fatal(err)
		}
		mutants(p, func(n int, q []Ins) {
			err, differs := ProveDevices(q, list), false
			for range 2000 * b2i(err == nil) {
				k := deviceRequest{uint16(r.IntN(4)), uint32(r.IntN(5)), uint32(r.IntN(6)), uint16(r.IntN(9))}
				ctx := k.context()
				got, ok := eval(q, ctx[:], nil)
				differs = differs || !ok || got != deviceOracle(list, k)
			}
			survives(fmt.Sprint("devices ", list), n, q, differs, err)
		})
		a, i, ingress := randomAddresses(r, 4), randomInterfaces(r), r.IntN(2) == 0
		if p, err = PacketProgram(a, i, ingress); err != nil {
			t.Fatal(err)
		}
		mutants(p, func(n int, q []Ins) {
			err, differs := ProvePackets(q, a, i, ingress), false
			for range 2000 * b2i(err == nil) {
				k := randomPacket(r, a, ingress)
				ctx, data := k.context(), k.data()
				got, ok := eval(q, ctx[:], data[:k.size])
				differs = differs || !ok || got != packetOracle(a, i, k)
			}
			survives(fmt.Sprint("packets ", a, i), n, q, differs, err)
		})
		b := randomBinds(r, 3)
		for _, v6 := range []bool{false, true} {
			if p, err = BindProgram(b, v6); err != nil {
				t.Fatal(err)
			}
			mutants(p, func(n int, q []Ins) {
				err, differs := ProveBinds(q, b, v6), false
				for range 2000 * b2i(err == nil) {
					k := bindRequest{v6: v6, port: uint16(r.Uint32()), protocol: [...]uint8{TCP, UDP, 132, 7}[r.IntN(4)]}
					if v6 {
						k.address = bindAddresses[r.IntN(len(bindAddresses))]
					}
					ctx := k.context()
					got, ok := eval(q, ctx[:], nil)
					differs = differs || !ok || got != k.allowed(b)
				}
				survives(fmt.Sprint("binds ", b, v6), n, q, differs, err)
			})
		}
	}
	t.Logf("%d mutants, %d decide as the rules do", total, survived)
	if total < 5000 || survived*4 > total {
		t.Errorf("%d of %d mutants survived", survived, total)
	}
}

func b2i(b bool) int {
	if b {
		return 1
	}
	return 0
}

func TestProveTexts(t *testing.T) {
	devices := []Device{{true, 8, 1, Read}}
	p, err := DeviceProgram(devices)
	if err != nil {
		t.Fatal(err)
	}
	q := slices.Clone(p)
	for n := range q {
		if q[n].isMapValue() {
			q[n+1].Imm += 8
		}
	}
	a := Addresses{Deny: []Prefix{prefix(t, "192.0.2.0/24"), prefix(t, "2001:db8::/32")}}
	v4, err := PacketProgram(Addresses{Deny: a.Deny[1:]}, nil, true)
	if err != nil {
		t.Fatal(err)
	}
	v6, err := PacketProgram(Addresses{Deny: a.Deny[:1]}, nil, false)
	if err != nil {
		t.Fatal(err)
	}
	bind, err := BindProgram(Binds{}, true)
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		err  error
		want string
	}{
		{ProveDevices(p, nil), ""}, // a device that nothing in the rules leads to is not tried
		{ProveDevices(p, append(devices, Device{true, 8, 1, Write})), "block device 8:1 w: the program denies, the rules allow"},
		{ProveDevices(p, []Device{{true, 8, 2, Read}}), "block device 8:2 access 0: the program denies, the rules allow"},
		{ProveDevices(q, devices), "block device 8:1 m: the program counts wrongly"},
		{ProveDevices([]Ins{{Op: classALU64 | aluMOV, Imm: 2}, {Op: classJMP | jmpEXIT}}, devices), "block device 8:1 access 0: the program answers 2"},
		{ProveDevices(nil, devices), "block device 8:1 access 0: a program without an end"},
		{ProvePackets(v4, a, nil, true), "packet from 192.0.2.0, 40 bytes, interface 1: the program allows, the rules deny"},
		{ProvePackets(v6, a, nil, false), "packet to 2001:db8:0:0:0:0:0:0, 40 bytes, interface 1: the program allows, the rules deny"},
		{ProvePackets(v6, Addresses{}, &Interfaces{Deny: true, Index: []uint32{1}}, false), "packet of protocol 2054, 40 bytes, interface 2: the program denies, the rules allow"},
		{ProveBinds(bind, Binds{Deny: []BindRule{{Protocol: TCP, First: 80, Last: 80}}}, true), "bind of an IPv6 socket, protocol 6, port 80: the program allows, the rules deny"},
		{ProveBinds(bind, Binds{Deny: []BindRule{{Family: IPv4, Protocol: UDP}}}, true), "bind of an IPv6 socket to an IPv4 address, protocol 17, port 0: the program allows, the rules deny"},
	} {
		if errText(tt.err) != tt.want {
			t.Errorf("error %q, want %q", errText(tt.err), tt.want)
		}
	}
	if !errors.Is(ProveInterfaceSocket(InterfaceSocketProgram(2), 2), nil) {
		t.Error("a right program was refused")
	}
}

func BenchmarkProve(b *testing.B) {
	devices := []Device{{false, 1, 3, 7}, {false, 1, 5, 7}, {false, 1, 7, 7}, {false, 1, 8, 7}, {false, 1, 9, 7}, {false, 5, 0, 7}, {false, 136, AnyMinor, 6}}
	local := Addresses{
		Allow: []Prefix{prefix(b, "127.0.0.0/8"), prefix(b, "::1/128")},
		Deny:  []Prefix{prefix(b, "0.0.0.0/0"), prefix(b, "::/0")},
	}
	binds := Binds{Allow: []BindRule{{0, TCP, 80, 80}, {0, TCP, 443, 443}}, Deny: []BindRule{{}}}
	big := randomDenied(rand.New(rand.NewPCG(seed, 8)), fitIPv4, false, 24)
	for _, bb := range []struct {
		name string
		make func() ([]Ins, error)
		f    func(p []Ins) error
	}{
		{"devices", func() ([]Ins, error) { return DeviceProgram(devices) }, func(p []Ins) error { return ProveDevices(p, devices) }},
		{"packets", func() ([]Ins, error) { return PacketProgram(local, nil, true) }, func(p []Ins) error { return ProvePackets(p, local, nil, true) }},
		{"binds", func() ([]Ins, error) { return BindProgram(binds, true) }, func(p []Ins) error { return ProveBinds(p, binds, true) }},
		{"longest", func() ([]Ins, error) { return PacketProgram(big, nil, true) }, func(p []Ins) error { return ProvePackets(p, big, nil, true) }},
	} {
		p, err := bb.make()
		if err != nil {
			b.Fatal(err)
		}
		b.Run("make/"+bb.name, func(b *testing.B) {
			for b.Loop() {
				if _, err := bb.make(); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run("prove/"+bb.name, func(b *testing.B) {
			for b.Loop() {
				if err := bb.f(p); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
