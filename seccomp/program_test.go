package seccomp

import (
	"bytes"
	"encoding/binary"
	"testing"

	"golang.org/x/net/bpf"
)

// ret is a program of one return.
func ret(k uint32) Program { return Program{{Code: classRET, K: k}} }

func TestCheck(t *testing.T) {
	allow := Instruction{Code: classRET, K: uint32(Allow)}
	for _, tt := range []struct {
		name string
		p    Program
		ok   bool
	}{
		{"a return", ret(uint32(Allow)), true},
		{"nothing", nil, false},
		{"no return at the end", Program{{Code: classLD | modeABS, K: 0}}, false},
		{"a load of the number", Program{{Code: classLD | modeABS, K: 0}, allow}, true},
		{"a load of the last word", Program{{Code: classLD | modeABS, K: 60}, allow}, true},
		{"a load behind the call", Program{{Code: classLD | modeABS, K: 64}, allow}, false},
		{"a load between words", Program{{Code: classLD | modeABS, K: 2}, allow}, false},
		{"a load of a byte, which seccomp(2) does not know", Program{{Code: 0x30, K: 0}, allow}, false},
		{"a load of the packet's length in IP", Program{{Code: 0x40, K: 0}, allow}, false},
		{"a jump to the end", Program{{Code: classJMP, K: 1}, allow, allow}, true},
		{"a jump behind the end", Program{{Code: classJMP, K: 2}, allow, allow}, false},
		{"a branch behind the end", Program{{Code: classJMP | 0x10, JT: 2}, allow, allow}, false},
		{"a jump around the world", Program{{Code: classJMP, K: 0xffffffff}, allow, allow}, false},
		{"a division by zero", Program{{Code: classALU | 0x30, K: 0}, allow}, false},
		{"a scratch word that is not there", Program{{Code: classST, K: 16}, allow}, false},
		{"an unknown return", Program{{Code: classRET | 0x08}}, false},
		{"the longest", bytesOf(MaxLength), true},
		{"one more", bytesOf(MaxLength + 1), false},
	} {
		if err := tt.p.Check(); (err == nil) != tt.ok {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
}

func bytesOf(n int) Program {
	p := make(Program, n)
	for i := range p {
		p[i] = Instruction{Code: classRET, K: uint32(Allow)}
	}
	return p
}

func TestParse(t *testing.T) {
	for _, b := range [][]byte{nil, {1}, bytes.Repeat([]byte{0}, 12), []byte("#!/bin/sh\nexit 0")} {
		if p, err := Parse(b); err == nil {
			t.Errorf("%q was taken: %v", b, p)
		}
	}
	p, err := Parse(ret(uint32(Allow)).Bytes())
	if err != nil || len(p) != 1 || p[0].K != 0x7fff0000 {
		t.Errorf("got %v, %v", p, err)
	}
}

func TestPasses(t *testing.T) {
	for a, want := range map[Action]bool{
		Allow: true, Log: true, Errno | 1: false, KillProcess: false, KillThread: false, Trap: false, Trace: false, Notify: false,
	} {
		if a.Passes() != want {
			t.Errorf("%v: %v", a, !want)
		}
	}
}

// The canary answers for its own nonce, and for that alone; everything else is
// the program's to decide.
func TestCanary(t *testing.T) {
	c := Canary{PRCTL: 157, Arch: ArchX86_64, Nonce: 0xdeadbeef, Odd: 998}
	p, err := c.With(ret(uint32(KillProcess)))
	if err != nil {
		t.Fatal(err)
	}
	odd := Errno | 3001
	for _, tt := range []struct {
		d    Data
		want Action
	}{
		{Data{NR: 157, Arch: ArchX86_64, Args: [6]uint64{CanaryOption, 0xdeadbeef}}, odd},
		{Data{NR: 157, Arch: ArchX86_64, Args: [6]uint64{CanaryOption, 0xdeadbef0}}, KillProcess},
		{Data{NR: 157, Arch: ArchX86_64, Args: [6]uint64{CanaryOption + 1, 0xdeadbeef}}, KillProcess},
		{Data{NR: 156, Arch: ArchX86_64, Args: [6]uint64{CanaryOption, 0xdeadbeef}}, KillProcess},
		{Data{NR: 157, Arch: 0x40000003, Args: [6]uint64{CanaryOption, 0xdeadbeef}}, KillProcess},
		{Data{NR: 59, Arch: ArchX86_64}, KillProcess},
	} {
		if got, err := p.Eval(tt.d); err != nil || got != tt.want {
			t.Errorf("%+v: %v (%v), want %v", tt.d, got, err, tt.want)
		}
	}
	if _, err := c.With(bytesOf(MaxLength)); err == nil {
		t.Error("a program was taken that leaves no room")
	}
}

// FuzzEval holds the evaluator against golang.org/x/net/bpf's on every program
// that Check takes. That one reads words in network order, so the call is given
// to it with its words turned around.
func FuzzEval(f *testing.F) {
	strict, _ := Canary{PRCTL: 157, Arch: ArchX86_64, Nonce: 7}.With(ret(uint32(Allow)))
	f.Add(strict.Bytes(), uint32(157), uint64(CanaryOption), uint64(7))
	f.Add(ret(0).Bytes(), uint32(1), uint64(2), uint64(3))
	f.Add(Program{{Code: classLDX | modeIMM, K: 3}, {Code: classLD | modeABS, K: 16}, {Code: classALU | 0x30 | sourceX}, {Code: classRET | retA}}.Bytes(), uint32(0), uint64(9), uint64(0))
	f.Fuzz(func(t *testing.T, b []byte, nr uint32, a0, a1 uint64) {
		p, err := Parse(b)
		if err != nil {
			if p != nil && p.Check() == nil {
				t.Fatalf("refused by Parse and taken by Check: %v", err)
			}
			return
		}
		d := Data{NR: nr, Arch: ArchX86_64, Args: [6]uint64{a0, a1}}
		got, err := p.Eval(d)
		if err != nil {
			t.Fatalf("%v: %v", p, err)
		}
		raw := make([]bpf.RawInstruction, len(p))
		for i, in := range p {
			if in.class() <= classLDX && in.Code&^7 == modeLEN {
				return // that one takes the length of what it is given
			}
			if in.class() == classALU && (in.Code&0xf0 == 0x60 || in.Code&0xf0 == 0x70) && in.Code&sourceX != 0 {
				return // shifts by X: the kernel masks, that one does not
			}
			raw[i] = bpf.RawInstruction{Op: in.Code, Jt: in.JT, Jf: in.JF, K: in.K}
		}
		ins, all := bpf.Disassemble(raw)
		if !all {
			return
		}
		vm, err := bpf.NewVM(ins)
		if err != nil {
			return // stricter than the kernel in places
		}
		var call []byte
		for _, w := range d.words() {
			call = binary.BigEndian.AppendUint32(call, w)
		}
		want, err := vm.Run(call)
		if err != nil {
			return
		}
		if uint32(got) != uint32(want) {
			t.Errorf("%v: %#x, want %#x", p, uint32(got), uint32(want))
		}
	})
}
