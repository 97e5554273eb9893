//go:build libseccomp && linux && cgo

package seccomp

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	libseccomp "github.com/seccomp/libseccomp-golang"
)

// Libseccomp's program decides as the directives do. It compares itself with Program
// before it is handed out; this is the comparison with Decide, which reads no program.
func TestLibseccompIsDecide(t *testing.T) {
	filters := append(slices.Clone(someFilters), struct {
		name string
		make func(t testing.TB, goarch string) *Filter
	}{"the last errors", func(t testing.TB, goarch string) *Filter {
		f := New(Machine(goarch))
		by := f.Source(Source{})
		f.AddList(&List{Default: Verdict{Errno | 4095, by}, AllowList: true, Calls: []Entry{
			{callOpenat, Verdict{Errno | 4094, by}}, {callMmap, Verdict{Errno | 4093, by}}, {callExecve, Verdict{Allow, by}},
		}})
		f.LockPersonality(by, 0)
		return f
	}})
	for _, tt := range filters {
		for _, goarch := range everyMachine {
			t.Run(tt.name+"/"+goarch, func(t *testing.T) {
				f := tt.make(t, goarch)
				p, err := f.Libseccomp()
				if goarch == "s390x" {
					if err == nil {
						t.Error("a filter for a machine with another order of bytes was not refused")
					}
					return
				}
				if err != nil {
					t.Fatal(err)
				}
				for _, a := range f.ABIs() {
					for nr := range uint32(700) {
						for _, high := range []uint32{0, x32, 0x80000000, 0xf0000} {
							d := Data{NR: nr | high, Arch: a.Arch}
							compare(t, goarch, f, p, d)
							for i, v := range interesting {
								if !f.conditional(d) {
									break
								}
								w := interesting[(i*7+int(nr))%len(interesting)]
								for n := range 3 {
									d.Args = [6]uint64{}
									d.Args[n], d.Args[n+1] = v, w
									compare(t, goarch, f, p, d)
								}
							}
						}
					}
				}
			})
		}
	}
}

// What libseccomp makes of random filters is compared by Libseccomp itself: a
// difference is an error of its.
func TestLibseccompRandom(t *testing.T) {
	const seed = 2604
	source := rand.New(rand.NewPCG(seed, 0))
	long := 0
	for n := range 400 {
		b := make([]byte, 200)
		for i := range b {
			b[i] = byte(source.Uint32())
		}
		r := &random{b}
		f := r.filter("amd64")
		p, err := f.Libseccomp()
		if err != nil && strings.HasSuffix(err.Error(), " instructions, and the kernel takes 4096") {
			long++
			continue
		}
		if err != nil {
			t.Fatalf("seed %d, filter %d: %v", seed, n, err)
		}
		for range 200 {
			d := Data{NR: source.Uint32N(500), Arch: [...]uint32{ArchX86_64, ArchI386}[source.IntN(2)]}
			if d.Arch == ArchX86_64 && source.IntN(2) == 0 {
				d.NR |= x32
			}
			for i := range d.Args {
				d.Args[i] = interesting[source.IntN(len(interesting))]
			}
			compare(t, "amd64", f, p, d)
		}
	}
	if long > 40 {
		t.Errorf("%d of 400 filters are too long", long)
	}
}

// A program that says something else is found by the comparison: each one here
// differs in one instruction.
func TestLibseccompCompares(t *testing.T) {
	f := everything(t, "amd64")
	want := mustProgram(t, f)
	parts := make([]part, len(f.abis))
	for i := range parts {
		var err error
		if parts[i], err = f.part(i); err != nil {
			t.Fatal(err)
		}
	}
	got, err := f.join(parts)
	if err != nil {
		t.Fatal(err)
	}
	if err := f.compare(parts, got, want); err != nil {
		t.Fatal(err)
	}
	broken := 0
	for i, in := range got {
		switch {
		case in.Code == opReturn && in.K != 0: // 0 is libseccomp's for other architectures, and cannot be reached
			in.K ^= uint32(Errno | 7)
		case in.Code == opEqual && in.K != ^uint32(0): // -1 gets here what numbers far away get
			in.K ^= 1
		default:
			continue
		}
		if broken++; broken%7 != 0 {
			continue
		}
		p := slices.Clone(got)
		p[i] = in
		if err := f.compare(parts, p, want); err == nil {
			t.Errorf("instruction %d of %d, %+v in place of %+v, was not found", i, len(p), in, got[i])
		}
	}
	if broken < 500 {
		t.Errorf("only %d instructions", broken)
	}
}

// Conditions become regions that are disjoint, cover all arguments, and say what the
// first rule does.
func TestRegions(t *testing.T) {
	deny := Verdict{Action: Errno | 1}
	for _, tt := range []struct {
		name  string
		rules []Rule
		want  int
	}{
		{"no rule", nil, 1},
		{"a rule without conditions", []Rule{{nil, deny}}, 1},
		{"any of three bits", []Rule{{[]Cond{{Arg: 0, Op: AnyBit, Mask: 0x15}}, deny}}, 4},
		{"all of two bits", []Rule{{[]Cond{{Arg: 2, Op: AllBits, Mask: 6}}, deny}}, 3},
		{"one value", []Rule{{[]Cond{{Arg: 1, Op: In, Mask: ^uint32(0), Values: []uint32{0}}}, deny}}, 33},
		{"none of no values", []Rule{{[]Cond{{Arg: 1, Op: NotIn, Mask: ^uint32(0)}}, deny}}, 1},
		{"a value that the mask does not let through", []Rule{{[]Cond{{Arg: 1, Op: In, Mask: 0xff, Values: []uint32{0x100}}}, deny}}, 1},
		{"bits, or nothing at all", []Rule{
			{[]Cond{{Arg: 1, Op: AnyBit, Mask: 0x60000000}}, deny},
			{[]Cond{{Arg: 1, Op: In, Mask: ^uint32(0), Values: []uint32{0}}}, deny},
		}, 33},
		{"two arguments", []Rule{{[]Cond{{Arg: 1, Op: AnyBit, Mask: 0o100}, {Arg: 2, Op: AnyBit, Mask: 0o6000}}, deny}}, 4},
	} {
		got, err := regionsOf(tt.rules, Allow)
		if err != nil || len(got) != tt.want {
			t.Errorf("%s: %d regions (%v), want %d", tt.name, len(got), err, tt.want)
		}
		for _, args := range probes(got, tt.rules) {
			in, want := 0, Allow
			for i := range tt.rules {
				if (&rule{conds: tt.rules[i].Conds}).holds(&args) {
					want = tt.rules[i].Verdict.Action
					break
				}
			}
			for _, r := range got {
				inside := true
				for i, m := range r.mask {
					inside = inside && uint32(args[i])&m == r.value[i]
				}
				if !inside {
					continue
				}
				if in++; r.action != want {
					t.Errorf("%s: arguments %#x: %v, want %v", tt.name, args, r.action, want)
				}
			}
			if in != 1 {
				t.Errorf("%s: arguments %#x are in %d regions, want 1", tt.name, args, in)
			}
		}
	}
	var many []Rule
	for bit := range 20 {
		many = append(many, Rule{[]Cond{{Arg: 0, Op: AllBits, Mask: 1 << bit}, {Arg: 1, Op: AllBits, Mask: 1 << (19 - bit)}}, deny})
	}
	if got, err := regionsOf(many, Allow); err == nil {
		t.Errorf("%d regions of conditions that depend on one another were not refused", len(got))
	}
}

// `go generate` gives the checked-in tables, where libseccomp is the one that they were
// made from. Another one must agree with them in what both know.
func TestGenerated(t *testing.T) {
	have, err := os.ReadFile("zcalls.go")
	if err != nil {
		t.Fatal(err)
	}
	major, minor, micro := libseccomp.GetLibraryVersion()
	version := fmt.Sprintf("libseccomp %d.%d.%d", major, minor, micro)
	first, _, _ := strings.Cut(string(have), "\n")
	if strings.Contains(first, " from "+version+", ") {
		out := filepath.Join(t.TempDir(), "zcalls.go")
		if text, err := exec.Command("go", "run", "-tags", "libseccomp", "./gen", "-o", out).CombinedOutput(); err != nil {
			t.Fatalf("gen: %v\n%s", err, text)
		}
		made, err := os.ReadFile(out)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(made, have) {
			t.Error("zcalls.go is not what go generate makes")
		}
	} else {
		t.Logf("this is %s, and the tables are %q: only names and numbers are compared", version, first)
	}
	same := 0
	for _, tt := range []struct {
		abi *ABI
		lib libseccomp.ScmpArch
	}{
		{&abiX86_64, libseccomp.ArchAMD64},
		{&abiX32, libseccomp.ArchX32},
		{&abiX86, libseccomp.ArchX86},
		{&abiARM64, libseccomp.ArchARM64},
		{&abiARM, libseccomp.ArchARM},
		{&abiRISCV64, libseccomp.ArchRISCV64},
		{&abiPPC64LE, libseccomp.ArchPPC64LE},
		{&abiS390X, libseccomp.ArchS390X},
		{&abiS390, libseccomp.ArchS390},
	} {
		for n := range uint32(1024) {
			for _, base := range []uint32{0, x32, 0xf0000} {
				nr := base | n
				if base == x32 != (tt.abi.bit != 0) {
					continue
				}
				name, err := libseccomp.ScmpSyscall(int32(nr)).GetNameByArch(tt.lib)
				c, ok := tt.abi.Call(nr)
				if err != nil || !ok {
					continue
				}
				if same++; c.String() != name {
					t.Errorf("%s: number %#x is %s in the tables, and %s in libseccomp", tt.abi.Name, nr, c, name)
				}
			}
		}
	}
	if same < 3000 {
		t.Errorf("only %d numbers are in both", same)
	}
}
