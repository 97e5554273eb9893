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
				// With the load and the branch, or with the load and a jump to the one target.
				if most := size + 2; size-min(yes, no) < 253 && len(p) > most {
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
