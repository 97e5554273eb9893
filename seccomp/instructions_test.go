package seccomp

import (
	"strings"
	"testing"
)

// Each instruction of a filter does what bpf(4) and seccomp(2) say: the program puts the
// word before it into A, another into X, and returns A.
func TestEachInstruction(t *testing.T) {
	const a, x = 0x9, 0x4
	begin := Program{{Code: classLDX | modeIMM, K: x}, {Code: classLD | modeIMM, K: a}}
	returned := Instruction{Code: classRET | retA}
	for _, tt := range []struct {
		name string
		code Program
		want uint32
	}{
		{"nothing", nil, a},
		{"add", Program{{Code: classALU, K: 3}}, a + 3},
		{"add x", Program{{Code: classALU | sourceX, K: 3}}, a + x},
		{"subtract", Program{{Code: classALU | 0x10, K: 3}}, a - 3},
		{"multiply", Program{{Code: classALU | 0x20, K: 3}}, a * 3},
		{"divide", Program{{Code: classALU | 0x30, K: 3}}, a / 3},
		{"divide by x", Program{{Code: classALU | 0x30 | sourceX, K: 0}}, a / x},
		{"or", Program{{Code: classALU | 0x40, K: 6}}, a | 6},
		{"and", Program{{Code: classALU | 0x50, K: 3}}, a & 3},
		{"shift left", Program{{Code: classALU | 0x60, K: 2}}, a << 2},
		{"shift right", Program{{Code: classALU | 0x70, K: 2}}, a >> 2},
		{"negate", Program{{Code: classALU | 0x80}}, ^uint32(a) + 1},
		{"exclusive or", Program{{Code: classALU | 0xa0, K: 3}}, a ^ 3},
		{"x to a", Program{{Code: classMISC | miscTXA}}, x},
		{"a to x, and back", Program{{Code: classMISC}, {Code: classLD | modeIMM, K: 1}, {Code: classMISC | miscTXA}}, a},
		{"a kept", Program{{Code: classST, K: 15}, {Code: classLD | modeIMM, K: 1}, {Code: classLD | modeMEM, K: 15}}, a},
		{"x kept", Program{{Code: classSTX, K: 3}, {Code: classLD | modeMEM, K: 3}}, x},
		{"what was not kept", Program{{Code: classST, K: 2}, {Code: classLD | modeMEM, K: 3}}, 0},
		{"the size", Program{{Code: classLD | modeLEN}}, 64},
		{"an argument", Program{{Code: classLD | modeABS, K: 16}}, 0xa0},
		{"its upper half", Program{{Code: classLD | modeABS, K: 20}}, 0xb0},
		{"the last word", Program{{Code: classLD | modeABS, K: 60}}, 0xc0},
		{"a jump", Program{{Code: classJMP, K: 1}, {Code: classLD | modeIMM, K: 1}}, a},
		{"equal", Program{{Code: classJMP | 0x10, K: a, JT: 1}, {Code: classLD | modeIMM, K: 1}}, a},
		{"not equal", Program{{Code: classJMP | 0x10, K: a + 1, JT: 1}, {Code: classLD | modeIMM, K: 1}}, 1},
		{"not equal to x", Program{{Code: classJMP | 0x10 | sourceX, K: a, JT: 1}, {Code: classLD | modeIMM, K: 1}}, 1},
		{"greater", Program{{Code: classJMP | 0x20, K: a - 1, JT: 1}, {Code: classLD | modeIMM, K: 1}}, a},
		{"not greater", Program{{Code: classJMP | 0x20, K: a, JT: 1}, {Code: classLD | modeIMM, K: 1}}, 1},
		{"greater than x", Program{{Code: classJMP | 0x20 | sourceX, K: a, JT: 1}, {Code: classLD | modeIMM, K: 1}}, a},
		{"as great", Program{{Code: classJMP | 0x30, K: a, JT: 1}, {Code: classLD | modeIMM, K: 1}}, a},
		{"not as great", Program{{Code: classJMP | 0x30, K: a + 1, JT: 1}, {Code: classLD | modeIMM, K: 1}}, 1},
		{"a bit of them", Program{{Code: classJMP | 0x40, K: 3, JT: 1}, {Code: classLD | modeIMM, K: 1}}, a},
		{"no bit of them", Program{{Code: classJMP | 0x40, K: 6, JF: 1}, {Code: classLD | modeIMM, K: 1}}, a},
	} {
		p := append(append(append(Program{}, begin...), tt.code...), returned)
		if err := p.Check(); err != nil {
			t.Errorf("%s: %v", tt.name, err)
		}
		got, err := p.Eval(Data{NR: 1, Arch: 2, IP: 3, Args: [6]uint64{0: 0xb0<<32 | 0xa0, 5: 0xc0<<32 | 0xd0}})
		if err != nil || uint32(got) != tt.want {
			t.Errorf("%s: %#x (%v), want %#x", tt.name, uint32(got), err, tt.want)
		}
	}
	// A division by zero that Check cannot see returns 0, which is SECCOMP_RET_KILL_THREAD, whatever comes after it.
	for _, end := range []Instruction{returned, {Code: classRET, K: uint32(Allow)}} {
		zero := Program{{Code: classLDX | modeIMM}, {Code: classALU | 0x30 | sourceX}, end}
		if got, err := zero.Eval(Data{}); zero.Check() != nil || err != nil || got != KillThread {
			t.Errorf("a division by x, which is zero, before %+v: %v, %v", end, got, err)
		}
	}
}

// What the kernel would not take is refused by Check, for the reason that holds, and is an
// error of Eval where that comes by it: never a verdict, and never a panic.
func TestEachRefusal(t *testing.T) {
	allow := Instruction{Code: classRET, K: uint32(Allow)}
	const unknown = "not an instruction of a system-call filter"
	for _, tt := range []struct {
		in    Instruction
		check string
		eval  string // "" for nothing
	}{
		{Instruction{Code: classLD | modeABS, K: 64}, "a load outside of the call", "a load outside of the call"},
		{Instruction{Code: classLD | modeABS, K: 61}, "a load outside of the call", "a load outside of the call"},
		{Instruction{Code: classLD | modeABS, K: 1 << 31}, "a load outside of the call", "a load outside of the call"},
		{Instruction{Code: classLDX | modeABS, K: 0}, "a load outside of the call", ""},
		{Instruction{Code: classLD | 0x40}, unknown, unknown},
		{Instruction{Code: classLDX | 0xa0}, unknown, unknown},
		{Instruction{Code: classLD | modeMEM, K: 16}, "a scratch word that is not there", ""},
		{Instruction{Code: classST, K: 16}, unknown, ""},
		{Instruction{Code: classSTX | 0x08, K: 0}, unknown, ""},
		{Instruction{Code: classALU | 0x30, K: 0}, "a division by zero", ""},
		{Instruction{Code: classALU | 0x90, K: 0}, "a division by zero", ""},
		{Instruction{Code: classALU | 0x90, K: 1}, unknown, ""},
		{Instruction{Code: classALU | 0xb0, K: 1}, unknown, ""},
		{Instruction{Code: classALU | 0x100, K: 1}, unknown, ""},
		{Instruction{Code: classALU | 0x60, K: 32}, "a shift by more than a word", ""},
		{Instruction{Code: classALU | 0x70, K: 32}, "a shift by more than a word", ""},
		{Instruction{Code: classJMP | 0x50}, unknown, ""},
		{Instruction{Code: classJMP | 0x110}, unknown, ""},
		{Instruction{Code: classJMP, K: 1}, "a jump behind the end", "a program that does not return"},
		{Instruction{Code: classJMP | 0x10, JT: 1}, "a jump behind the end", "a program that does not return"},
		{Instruction{Code: classJMP | 0x10, K: 1, JF: 1}, "a jump behind the end", "a program that does not return"},
		{Instruction{Code: classRET | 0x08}, unknown, ""},
		{Instruction{Code: classMISC | 0x08}, unknown, ""},
	} {
		p := Program{tt.in, allow}
		if err := p.Check(); err == nil || err.Error() != "instruction 0: "+tt.check {
			t.Errorf("%+v: %v, want %s", tt.in, err, tt.check)
		}
		action, err := p.Eval(Data{})
		if got := errorText(err); got != tt.eval {
			t.Errorf("%+v: Eval says %q, want %q", tt.in, got, tt.eval)
		}
		// A computation that the kernel does not know has no result to go on with.
		if op := tt.in.Code & 0xf0; tt.in.class() == classALU && (op == 0x30 || op >= 0x90) && action != KillThread {
			t.Errorf("%+v: Eval goes on to %v", tt.in, action)
		}
	}
	for _, in := range []Instruction{
		{Code: classALU | 0x60, K: 31},
		{Code: classALU | 0x70 | sourceX, K: 32},
		{Code: classALU | 0x30 | sourceX},
		{Code: classST, K: 15},
		{Code: classLD | modeMEM, K: 15},
		{Code: classJMP},
		{Code: classJMP, JT: 200, JF: 200}, // it always jumps by K
		{Code: classJMP | 0x10},
		{Code: classLD | modeABS, K: 60},
		{Code: classRET | retA},
	} {
		if err := (Program{in, allow}).Check(); err != nil {
			t.Errorf("%+v: %v", in, err)
		}
	}
	if _, err := (Program{{Code: classLD | modeIMM}}).Eval(Data{}); errorText(err) != "a program that does not return" {
		t.Errorf("a program without a return: %v", err)
	}
}

func errorText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// Each file that is no program says so by its own reason.
func TestParseRefuses(t *testing.T) {
	for _, tt := range []struct {
		b    []byte
		want string
	}{
		{nil, "an empty program"},
		{[]byte("1234567"), "7 bytes are no array of eight-byte instructions"},
		{append(ret(uint32(Allow)).Bytes(), 0), "9 bytes are no array of eight-byte instructions"},
		{bytesOf(MaxLength + 1).Bytes(), "more than 4096 instructions"},
		{Program{{Code: classLD | modeABS}}.Bytes(), "the last instruction is no return"},
		{[]byte("#!/bin/sh exit 0"), "instruction 0: "},
	} {
		if _, err := Parse(tt.b); err == nil || !strings.HasPrefix(err.Error(), tt.want) {
			t.Errorf("%.20q: %v, want %q", tt.b, err, tt.want)
		}
	}
	if p, err := Parse(bytesOf(MaxLength).Bytes()); err != nil || len(p) != MaxLength {
		t.Errorf("the longest: %d, %v", len(p), err)
	}
}

// The canary takes nine instructions, and says where they are too many.
func TestCanaryLength(t *testing.T) {
	const room = MaxLength - 9
	c := Canary{PRCTL: 157, Arch: ArchX86_64, Nonce: 1}
	if p, err := c.With(bytesOf(room)); err != nil || len(p) != MaxLength {
		t.Errorf("%d instructions: %d, %v", room, len(p), err)
	}
	if p, err := c.With(bytesOf(room + 1)); p != nil || errorText(err) != "the program is too long to put the canary before it" {
		t.Errorf("%d instructions: %d, %v", room+1, len(p), err)
	}
}

// Of each action it is known whether it lets pass, answers an error, or ends who called.
func TestVerdicts(t *testing.T) {
	for _, tt := range []struct {
		action                Action
		passes, denies, kills bool
	}{
		{Allow, true, false, false},
		{Log, true, false, false},
		{Errno | 1, false, true, false},
		{Errno, false, true, false},
		{KillProcess, false, false, true},
		{KillThread, false, false, true},
		{KillThread | 7, false, false, true},
		{Trap, false, false, false},
		{Trace, false, false, false},
		{Notify, false, false, false},
	} {
		if a := tt.action; a.Passes() != tt.passes || a.Denies() != tt.denies || a.Kills() != tt.kills {
			t.Errorf("%v: passes %v, denies %v, kills %v", a, a.Passes(), a.Denies(), a.Kills())
		}
	}
}
