package seccomp

import (
	"slices"
	"testing"
)

// A branch reaches both of its targets, however far they are, and takes a longer way only where a jump of 255
// instructions does not.
func TestBranchReaches(t *testing.T) {
	for _, size := range []int{2, 3, 100, 252, 253, 254, 255, 256, 257, 258, 259, 260, 261, 300, 600} {
		places := []int{0, 1, 2, 3, 4, 5, 6, size / 2, size - 2, size - 1}
		for _, yes := range places {
			for _, no := range places {
				if yes >= size || no >= size || yes < 0 || no < 0 {
					continue
				}
				a := &assembler{}
				for i := range size {
					a.emit(Instruction{Code: opReturn, K: uint32(Errno) | uint32(i)})
				}
				a.load(a.branch(opEqual, 7, label(yes), label(no)), 0)
				slices.Reverse(a.code)
				p := Program(a.code)
				if err := p.Check(); err != nil {
					t.Fatalf("%d instructions, to %d and %d: %v", size, yes, no, err)
				}
				for nr, want := range map[uint32]int{7: yes, 8: no} {
					if got, err := p.Eval(Data{NR: nr}); err != nil || got != Errno|Action(want) {
						t.Errorf("%d instructions, to %d and %d: number %d leads to %v (%v), want %d", size, yes, no, nr, got, err, want)
					}
				}
				// With the load and the branch, or with the load and a jump to the one target, unless that comes next.
				most := size + 2
				if yes == no && yes == size-1 {
					most = size + 1
				}
				if size-min(yes, no) < 253 && len(p) > most {
					t.Errorf("%d instructions, to %d and %d: %d, want %d at most", size, yes, no, len(p), most)
				}
			}
		}
	}
}

// A return is shared as long as it is near, by each of several actions.
func TestReturnsAreShared(t *testing.T) {
	a := &assembler{}
	first, second := a.ret(Allow), a.ret(KillProcess)
	if first == second || a.ret(Allow) != first || a.ret(KillProcess) != second || len(a.code) != 2 {
		t.Fatalf("two actions are %d instructions", len(a.code))
	}
	for len(a.code) < 400 {
		a.emit(Instruction{Code: opReturn})
	}
	for _, action := range []Action{KillProcess, Allow} {
		at := a.ret(action)
		if len(a.code)-int(at) > 2 || a.code[at].K != uint32(action) {
			t.Errorf("%v, long after its last return, is at %d of %d", action, at, len(a.code))
		}
		if again := a.ret(action); again != at {
			t.Errorf("%v is not shared: %d, then %d", action, at, again)
		}
	}
}

// A launch pays for each page of a program, and a call for each instruction: what is alike is in it once. What makes a
// program longer than this has its reason, or is a slip.
func TestLength(t *testing.T) {
	most := map[string][3]int{ // on amd64, arm64 and s390x
		"nothing":    {11, 8, 8},
		"everything": {596, 486, 618},
		"one call":   {15, 12, 12},
		"all calls, each with an error of its own":         {1781, 1570, 1740},
		"every second call":                                {521, 390, 460},
		"an empty allow list":                              {10, 7, 7},
		"multiplexed calls, each with an error of its own": {266, 120, 373},
		"two filters that disagree":                        {174, 147, 169},
		"native alone":                                     {218, 180, 303},
		"x86 beside it":                                    {529, 180, 303},
		"x32 beside it":                                    {288, 486, 618},
	}
	for _, tt := range someFilters {
		for i, goarch := range []string{"amd64", "arm64", "s390x"} {
			if p := mustProgram(t, tt.make(t, goarch)); len(p) > most[tt.name][i] {
				t.Errorf("%s, %s: %d instructions, want %d at most", tt.name, goarch, len(p), most[tt.name][i])
			}
		}
	}
}

// Calls share code where all is alike that is decided on them, and nowhere else.
func TestLeavesAreShared(t *testing.T) {
	cond := func(op Op, mask uint32, values ...uint32) Cond { return Cond{Op: op, Mask: mask, Values: values} }
	const all = ^uint32(0)
	for _, tt := range []struct {
		name        string
		read, write Action // under the conditions
		on, with    []Cond // of read(2), and of write(2)
		shared      bool
	}{
		{"alike", Errno | 1, Errno | 1, []Cond{cond(In, all, 2, 3)}, []Cond{cond(In, all, 2, 3)}, true},
		{"another action", Errno | 1, Errno | 2, []Cond{cond(In, all, 2)}, []Cond{cond(In, all, 2)}, false},
		{"another comparison", Errno | 1, Errno | 1, []Cond{cond(In, all, 2)}, []Cond{cond(NotIn, all, 2)}, false},
		{"another comparison of bits", Errno | 1, Errno | 1, []Cond{cond(AnyBit, 6)}, []Cond{cond(AllBits, 6)}, false},
		{"another mask", Errno | 1, Errno | 1, []Cond{cond(AnyBit, 2)}, []Cond{cond(AnyBit, 4)}, false},
		{"another value", Errno | 1, Errno | 1, []Cond{cond(In, all, 2)}, []Cond{cond(In, all, 3)}, false},
		{"a value more", Errno | 1, Errno | 1, []Cond{cond(In, all, 2)}, []Cond{cond(In, all, 2, 3)}, false},
		{"a value less", Errno | 1, Errno | 1, []Cond{cond(In, all, 2, 3)}, []Cond{cond(In, all, 2)}, false},
		{"a condition more", Errno | 1, Errno | 1, []Cond{cond(AnyBit, 2)}, []Cond{cond(AnyBit, 2), cond(AnyBit, 4)}, false},
		{"another argument", Errno | 1, Errno | 1, []Cond{{Arg: 0, Op: AnyBit, Mask: 2}}, []Cond{{Arg: 1, Op: AnyBit, Mask: 2}}, false},
		{"no condition", Errno | 1, Allow, []Cond{cond(AnyBit, 2)}, nil, false},
	} {
		f := New(Machine("riscv64"))
		read, _ := ByName("read") // 63
		f.when(read, Verdict{tt.read, f.Source(Source{})}, tt.on...)
		write, _ := ByName("write") // 64
		f.when(write, Verdict{tt.write, f.Source(Source{})}, tt.with...)
		p := mustProgram(t, f)
		for nr := range uint32(80) {
			for v := range uint64(8) {
				compare(t, "riscv64", f, p, Data{NR: nr, Arch: ArchRISCV64, Args: [6]uint64{v, 7 - v}})
			}
		}
		alone := New(Machine("riscv64"))
		alone.when(read, Verdict{tt.read, alone.Source(Source{})}, tt.on...)
		// Two calls side by side that are decided on alike are no longer than one of them.
		if shared := len(p) == len(mustProgram(t, alone)); tt.write != Allow && shared != tt.shared {
			t.Errorf("%s: shared is %v\n%s", tt.name, shared, p.Disassemble())
		}
	}
}

// A call under conditions that comes first has no say in those of the same verdict without any.
func TestLeafWithoutConditions(t *testing.T) {
	f := New(Machine("amd64"))
	by := f.Source(Source{})
	f.Deny(by, setOf(t, "read write open close stat fstat lstat poll lseek mmap mprotect munmap brk rt_sigaction rt_sigprocmask rt_sigreturn"))
	f.DenyTerminal(by) // ioctl, number 16
	p := mustProgram(t, f)
	for nr := range uint32(20) {
		compare(t, "amd64", f, p, Data{NR: nr, Arch: ArchX86_64, Args: [6]uint64{1: tiocsti}})
	}
}

// A condition that always holds is no instruction: RestrictAddressFamilies=none is a denial of socket(2).
func TestConditionThatAlwaysHolds(t *testing.T) {
	none, call := New(Machine("riscv64")), New(Machine("riscv64"))
	none.RestrictAddressFamilies(none.Source(Source{}), true, nil)
	call.deny(callSocket, Verdict{Errno | eafnosupport, call.Source(Source{})})
	if a, b := mustProgram(t, none), mustProgram(t, call); !slices.Equal(a, b) {
		t.Errorf("for no family\n%sfor the call\n%s", a.Disassemble(), b.Disassemble())
	}
}

// A filter that has outgrown what the kernel takes says so.
func TestFilterTooLong(t *testing.T) {
	f := New(Machine("riscv64"))
	by := f.Source(Source{})
	for c := range Call(callCount) {
		f.when(c, Verdict{Errno | 1, by}, Cond{Op: In, Mask: ^uint32(0), Values: slices.Repeat([]uint32{uint32(c)}, 20)})
	}
	if p, err := f.Program(); p != nil || errorText(err) != "the filter has more instructions than the kernel takes" {
		t.Errorf("%d instructions, %v", len(p), err)
	}
}
