//go:build libseccomp && linux && cgo

package seccomp

import (
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"slices"

	libseccomp "github.com/seccomp/libseccomp-golang"
	"golang.org/x/sys/unix"
)

// HasLibseccomp tells whether this build has --filter-backend=libseccomp.
const HasLibseccomp = true

// far is a number, without its ABI's bit, that is no call and will be none for long.
const far = 0x20000000

// Libseccomp is the program that libseccomp makes of the same verdicts. It is not
// handed out before it has been compared with that of Program.
//
// The verdicts of the ABIs differ, so libseccomp is asked for one filter for each.
// A filter for a foreign ABI could only have the calls which libseccomp knows by name
// on both sides, and none of the numbers that are no call or are newer than it. So
// the calls are given by number, to filters for the machine's own architecture; what
// these compare of the architecture is taken off, and the parts are put behind a
// dispatch of our own.
func (f *Filter) Libseccomp() (Program, error) {
	want, err := f.Program()
	if err != nil {
		return nil, err
	}
	if f.abis[0].bytes != littleEndian { // Eval has arguments as a little-endian machine has them
		return nil, errors.New("libseccomp: no filter for " + f.abis[0].Name + ", as it could not be compared with hardrun's own")
	}
	parts := make([]part, len(f.abis))
	for i, a := range f.abis {
		if parts[i], err = f.part(i); err != nil {
			return nil, fmt.Errorf("libseccomp: %s: %w", a.Name, err)
		}
	}
	got, err := f.join(parts)
	if err == nil {
		err = f.compare(parts, got, want)
	}
	if err != nil {
		return nil, fmt.Errorf("libseccomp: %w", err)
	}
	return got, nil
}

// part is the filter of one ABI.
type part struct {
	code   Program // it begins with the number in the accumulator, without the ABI's bit
	calls  []numbered
	minus  Action // on the number -1
	others Action // on all numbers that are not in calls
}

// numbered is a number, without its ABI's bit, and what is decided on it.
type numbered struct {
	number  uint32
	regions []region
}

// region is an action on the calls whose arguments have these bits. Those of a number
// are disjoint, and cover all of its calls.
type region struct {
	bits
	action Action
}

// bits are what is known of the lower halves of arguments. Value has no bit that mask
// does not have.
type bits struct{ mask, value [6]uint32 }

func (b bits) with(arg uint8, bit, value uint32) bits {
	b.mask[arg] |= bit
	b.value[arg] |= value
	return b
}

// part asks libseccomp for the filter of the ABI at place i.
func (f *Filter) part(i int) (part, error) {
	a := f.abis[i]
	action := func(nr uint32) Action {
		base, _ := f.At(i, nr)
		return base.Action
	}
	p := part{others: action(a.bit | far), minus: action(^uint32(0))}
	for _, n := range a.numbers() {
		base, rules := f.At(i, n|a.bit)
		regions, err := regionsOf(rules, base.Action)
		if err != nil {
			return p, fmt.Errorf("number %d: %w", n, err)
		}
		p.calls = append(p.calls, numbered{n, regions})
	}
	var err error
	p.code, err = p.generate()
	return p, err
}

// numbers are those of the tables, and what is between them, without the ABI's bit.
func (a *ABI) numbers() []uint32 {
	var list []uint32
	for n := uint32(0); n <= newest; n++ {
		list = append(list, n)
	}
	for _, s := range a.table {
		for k := range s.calls {
			if n := s.first&^a.bit + uint32(k); n > newest {
				list = append(list, n)
			}
		}
	}
	return list
}

// maxRegions bounds the work on a number. RestrictAddressFamilies= with ten families
// has about fifty regions.
const maxRegions = 600

// regionsOf makes disjoint regions of rules of which the first one decides. libseccomp
// has no order among the rules of a call, takes one comparison of an argument in a
// rule, and lets a rule without comparisons decide over all others.
func regionsOf(rules []Rule, base Action) ([]region, error) {
	var list []region
	var split func(known bits) error
	split = func(known bits) error {
		action, arg, bit := firstOf(rules, base, &known)
		if bit == 0 {
			if list = append(list, region{known, action}); len(list) > maxRegions {
				return errors.New("conditions that cannot be told to libseccomp: too many regions")
			}
			return nil
		}
		if err := split(known.with(arg, bit, bit)); err != nil {
			return err
		}
		return split(known.with(arg, bit, 0))
	}
	return list, split(bits{})
}

// firstOf is the action of the first rule that holds, as far as the arguments are
// known; where that depends on what is not known yet, it is the bit to be asked for.
// Arguments are asked for in their order, and of an argument that bit first which most
// conditions need, so that the masks of the comparisons lie within one another.
func firstOf(rules []Rule, base Action, known *bits) (Action, uint8, uint32) {
	var needed [6][32]int
	open := false
	for i := range rules {
		holds, fails := true, false
		for n := range rules[i].Conds {
			always, never := rules[i].Conds[n].under(known)
			holds, fails = holds && always, fails || never
		}
		if fails {
			continue
		}
		if holds {
			if open {
				break
			}
			return rules[i].Verdict.Action, 0, 0
		}
		open = true
		for n := range rules[i].Conds {
			c := &rules[i].Conds[n]
			if always, _ := c.under(known); always {
				continue
			}
			for bit := range needed[c.Arg] {
				needed[c.Arg][bit] += int(c.Mask &^ known.mask[c.Arg] >> bit & 1)
			}
		}
	}
	for arg := range needed {
		if most := slices.Max(needed[arg][:]); most > 0 {
			bit := 31
			for needed[arg][bit] != most {
				bit--
			}
			return 0, uint8(arg), 1 << bit
		}
	}
	return base, 0, 0
}

// under tells whether a condition holds, or fails, whatever the bits are that are not
// known.
func (c *Cond) under(known *bits) (always, never bool) {
	mask, value := known.mask[c.Arg]&c.Mask, known.value[c.Arg]&c.Mask
	switch c.Op {
	case AnyBit:
		return value != 0, value == 0 && mask == c.Mask
	case AllBits:
		return value == c.Mask, value != mask
	}
	may := slices.ContainsFunc(c.Values, func(v uint32) bool { return v&^c.Mask == 0 && v&mask == value })
	is := may && mask == c.Mask
	if c.Op == NotIn {
		return !may, is
	}
	return is, !may
}

// generate makes the code of a part.
func (p *part) generate() (Program, error) {
	standIn := Action(0)
	scmp := func(a Action) (libseccomp.ScmpAction, error) {
		if a != lastErrno {
			return scmpAction(a)
		}
		if standIn == 0 {
			standIn = p.unused()
		}
		return scmpAction(standIn)
	}
	rest, err := scmp(p.others)
	if err != nil {
		return nil, err
	}
	lib, err := libseccomp.NewFilter(rest)
	if err != nil {
		return nil, err
	}
	defer lib.Release()
	// The search by halves came with libseccomp 2.5.
	if err := lib.SetOptimize(2); err != nil {
		return nil, err
	}
	for _, c := range p.calls {
		for _, r := range c.regions {
			if r.action == p.others {
				continue // libseccomp refuses what its default does anyway
			}
			action, err := scmp(r.action)
			if err != nil {
				return nil, err
			}
			var conds []libseccomp.ScmpCondition
			for arg, mask := range r.mask {
				if mask == 0 {
					continue
				}
				cond, err := libseccomp.MakeCondition(uint(arg), libseccomp.CompareMaskedEqual, uint64(mask), uint64(r.value[arg]))
				if err != nil {
					return nil, err
				}
				conds = append(conds, cond)
			}
			if err := lib.AddRuleConditionalExact(libseccomp.ScmpSyscall(c.number), action, conds); err != nil {
				return nil, fmt.Errorf("number %d: %w", c.number, err)
			}
		}
	}
	code, err := export(lib)
	if err != nil {
		return nil, err
	}
	for i := range code {
		if standIn != 0 && code[i] == (Instruction{Code: opReturn, K: uint32(standIn)}) {
			code[i].K = uint32(lastErrno)
		}
	}
	return bodyOf(code)
}

// lastErrno is an action that the kernel has, and libseccomp does not take: another one
// stands for it until the program is made.
const lastErrno = Errno | 4095

// unused is an error that nothing in the part is answered by.
func (p *part) unused() Action {
	var used [4095]bool
	mark := func(a Action) {
		if a.Denies() && a < lastErrno {
			used[a&^actionMask] = true
		}
	}
	mark(p.others)
	for _, c := range p.calls {
		for _, r := range c.regions {
			mark(r.action)
		}
	}
	for n := len(used) - 1; ; n-- { // there are fewer calls than errors
		if !used[n] {
			return Errno | Action(n)
		}
	}
}

// scmpAction is an action in libseccomp's words.
func scmpAction(a Action) (libseccomp.ScmpAction, error) {
	switch a {
	case Allow:
		return libseccomp.ActAllow, nil
	case Log:
		return libseccomp.ActLog, nil
	case Trap:
		return libseccomp.ActTrap, nil
	case KillThread:
		return libseccomp.ActKillThread, nil
	case KillProcess:
		return libseccomp.ActKillProcess, nil
	}
	if a.Denies() {
		return libseccomp.ActErrno.SetReturnCode(int16(a &^ actionMask)), nil
	}
	return libseccomp.ActInvalid, errors.New("an action that cannot be told to libseccomp: " + a.String())
}

// export reads the program by way of a file in memory: libseccomp before 2.6 writes to
// descriptors only.
func export(lib *libseccomp.ScmpFilter) (Program, error) {
	fd, err := unix.MemfdCreate("filter", unix.MFD_CLOEXEC)
	if err != nil {
		return nil, os.NewSyscallError("memfd_create", err)
	}
	file := os.NewFile(uintptr(fd), "filter")
	err = lib.ExportBPF(file)
	var text []byte
	if err == nil {
		text, err = io.ReadAll(io.NewSectionReader(file, 0, MaxLength*8+8))
	}
	if err := errors.Join(err, file.Close()); err != nil {
		return nil, err
	}
	return Parse(text)
}

// bodyOf takes off what libseccomp compares before it looks for the number: the
// architecture, and on x86-64 whether the number is one of x32's.
func bodyOf(p Program) (Program, error) {
	native := ArchOf(runtime.GOARCH)
	loaded := uint32(0)
	for pc := 0; pc < len(p); {
		switch in := p[pc]; {
		case in.Code == opLoad && in.K == 4, in.Code == opLoad && in.K == 0 && loaded != 0:
			loaded = in.K
			pc++
		case in.Code == opEqual && loaded == 4:
			if in.K != native {
				return nil, errors.New("its program is for another architecture")
			}
			pc += 1 + int(in.JT)
		case in.Code == opFrom && loaded == 0 && pc > 0 && in.K == x32:
			return p[pc+1+int(in.JF):], nil
		case pc == 0:
			return nil, errors.New("its program does not begin with the architecture")
		default:
			return p[pc:], nil
		}
	}
	return nil, errors.New("its program has no end")
}

// Instructions of the dispatch.
const (
	opStore  = classST
	opRecall = classLD | modeMEM
	opMinus  = classALU | 0x10
)

// join puts the parts behind a dispatch by architecture.
func (f *Filter) join(parts []part) (Program, error) {
	a := &assembler{}
	place := func(code Program, x32 bool) (at label) {
		for i := len(code) - 1; i >= 0; i-- {
			in := code[i]
			if x32 && in.Code == opLoad && in.K == 0 {
				in = Instruction{Code: opRecall} // the number without x32's bit
			}
			at = a.emit(in)
		}
		return at
	}
	next := a.ret(f.shut.Action)
	for i := len(f.abis) - 1; i >= 0; i-- {
		if f.abis[i].bit != 0 {
			continue // it comes with the one before it
		}
		first := place(parts[i].code, false)
		if i+1 < len(f.abis) && f.abis[i+1].bit != 0 {
			own := first
			place(parts[i+1].code, true)
			a.emit(Instruction{Code: opStore})
			at := a.emit(Instruction{Code: opMinus, K: x32})
			first = a.branch(opFrom, x32, at, own)
		}
		first = a.branch(opEqual, ^uint32(0), a.ret(parts[i].minus), first)
		first = a.load(first, 0)
		next = a.branch(opEqual, f.abis[i].Arch, first, next)
	}
	a.load(next, 4)
	if len(a.code) > MaxLength {
		return nil, fmt.Errorf("the filter has %d instructions, and the kernel takes %d", len(a.code), MaxLength)
	}
	p := make(Program, len(a.code))
	for i, in := range a.code {
		p[len(p)-1-i] = in
	}
	return p, p.Check()
}

// compare evaluates both programs: on every number of the tables, in every region of
// its arguments and next to what conditions compare with, and far away.
func (f *Filter) compare(parts []part, got, want Program) error {
	same := func(d Data) error {
		g, err := got.Eval(d)
		w, werr := want.Eval(d)
		if err = errors.Join(err, werr); err != nil {
			return err
		}
		if g != w {
			return fmt.Errorf("number %#x of architecture %#x with arguments %#x: its program says %q, and %q is right", d.NR, d.Arch, d.Args, g, w)
		}
		return nil
	}
	var args [6]uint64
	for i, a := range f.abis {
		for _, c := range parts[i].calls {
			d := Data{NR: c.number | a.bit, Arch: a.Arch}
			_, rules := f.At(i, d.NR)
			for _, args = range probes(c.regions, rules) {
				d.Args = args
				if err := same(d); err != nil {
					return err
				}
			}
		}
		for _, n := range [...]uint32{newest + 1, 511, 512, 600, 1023, 4096, far - 1, far, 0x3fffffff, 0x40000000, 0x7fffffff, 0x80000000, 0xfffffffe, 0xffffffff} {
			if err := same(Data{NR: n | a.bit, Arch: a.Arch}); err != nil {
				return err
			}
		}
	}
	for _, arch := range [...]uint32{0, ArchX86_64, ArchI386, ArchAArch64, ArchARM, ArchRISCV64, ArchPPC64LE, ArchS390X, ArchS390, ArchLoongArch, ^uint32(0)} {
		for n := range uint32(newest + 2) {
			if err := same(Data{NR: n, Arch: arch}); err != nil {
				return err
			}
		}
	}
	return nil
}

// probes are arguments in each region, and at the edges of the conditions, with the
// upper halves empty and full.
func probes(regions []region, rules []Rule) [][6]uint64 {
	var list [][6]uint64
	add := func(args [6]uint32) {
		var low, high [6]uint64
		for i, v := range args {
			low[i], high[i] = uint64(v), uint64(v)|0xffffffff<<32
		}
		list = append(list, low, high)
	}
	for _, r := range regions {
		args := r.value
		add(args)
		for i, m := range r.mask {
			args[i] |= ^m
		}
		add(args)
		for i := range rules {
			for _, c := range rules[i].Conds {
				edge := r.value
				for _, v := range append([]uint32{c.Mask, ^c.Mask}, c.Values...) {
					for _, near := range [...]uint32{v - 1, v, v + 1} {
						edge[c.Arg] = near
						add(edge)
					}
				}
			}
		}
	}
	return list
}
