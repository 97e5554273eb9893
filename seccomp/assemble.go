package seccomp

import (
	"errors"
	"slices"
)

// The instructions of the programs made here.
const (
	opLoad   = classLD | modeABS
	opEqual  = classJMP | 0x10
	opFrom   = classJMP | 0x30 // greater or equal
	opBits   = classJMP | 0x40 // any bit
	opJump   = classJMP
	opAnd    = classALU | 0x50
	opReturn = classRET
)

// label is a place in a program, counted from its end.
type label int

// assembler writes a program from its end to its beginning, so that the place of every
// jump's target is known.
type assembler struct {
	code    []Instruction // the last instruction first
	returns []placed      // where each action is returned, the latest place
}

type placed struct {
	action Action
	at     label
}

func (a *assembler) emit(i Instruction) label {
	a.code = append(a.code, i)
	return label(len(a.code) - 1)
}

// near is a label for the same as to which a conditional jump can reach from the
// n-th instruction from here: it skips 255 instructions at most.
func (a *assembler) near(to label, n int) label {
	if len(a.code)-1+n-int(to) <= 255 {
		return to
	}
	return a.emit(Instruction{Code: opJump, K: uint32(len(a.code) - 1 - int(to))})
}

// branch is a conditional jump.
func (a *assembler) branch(code uint16, k uint32, yes, no label) label {
	if yes == no {
		return yes
	}
	// An instruction that near emits moves the other target one further away.
	yes = a.near(yes, 2)
	no = a.near(no, 1)
	here := len(a.code)
	return a.emit(Instruction{Code: code, JT: uint8(here - 1 - int(yes)), JF: uint8(here - 1 - int(no)), K: k})
}

// ret is a return of an action, near enough to be jumped to from the next few
// instructions.
func (a *assembler) ret(action Action) label {
	for i := range a.returns {
		p := &a.returns[i]
		if p.action != action {
			continue
		}
		if len(a.code)-int(p.at) > 200 {
			p.at = a.emit(Instruction{Code: opReturn, K: uint32(action)})
		}
		return p.at
	}
	at := a.emit(Instruction{Code: opReturn, K: uint32(action)})
	a.returns = append(a.returns, placed{action, at})
	return at
}

// interval is the numbers from first up to the next interval's, which share a leaf.
type interval struct {
	first uint32
	leaf  int
}

// leaf is what is decided on a number.
type leaf struct {
	base  Action
	rules []rule
	at    label
	done  bool
}

// layout are the intervals and leaves of one AUDIT_ARCH_.
type layout struct {
	leaves    []leaf
	intervals []interval
	order     byteOrder
	shared    label // of the search that x32's goes on with where both decide the same
}

// sharedLeaf stands for that search.
const sharedLeaf = -1

// plain is the leaf of a call whose arguments do not matter.
func (l *layout) plain(action Action) int {
	for i := range l.leaves {
		if l.leaves[i].base == action && len(l.leaves[i].rules) == 0 {
			return i
		}
	}
	l.leaves = append(l.leaves, leaf{base: action})
	return len(l.leaves) - 1
}

func (l *layout) leafOf(d decision) int {
	for len(d.rules) > 0 && d.rules[len(d.rules)-1].verdict.Action == d.base.Action {
		d.rules = d.rules[:len(d.rules)-1]
	}
	if len(d.rules) == 0 {
		return l.plain(d.base.Action)
	}
	for i := range l.leaves {
		if sameLeaf(&l.leaves[i], &d) {
			return i
		}
	}
	l.leaves = append(l.leaves, leaf{base: d.base.Action, rules: d.rules})
	return len(l.leaves) - 1
}

func sameLeaf(l *leaf, d *decision) bool {
	if l.base != d.base.Action || len(l.rules) != len(d.rules) {
		return false
	}
	for i := range l.rules {
		x, y := &l.rules[i], &d.rules[i]
		if x.verdict.Action != y.verdict.Action || len(x.conds) != len(y.conds) {
			return false
		}
		for n := range x.conds {
			if !sameCond(&x.conds[n], &y.conds[n]) {
				return false
			}
		}
	}
	return true
}

func sameCond(x, y *Cond) bool {
	if x.Arg != y.Arg || x.Op != y.Op || x.Mask != y.Mask || len(x.Values) != len(y.Values) {
		return false
	}
	for i := range x.Values {
		if x.Values[i] != y.Values[i] {
			return false
		}
	}
	return true
}

// from says that a leaf holds from a number on.
func (l *layout) from(first uint32, leaf int) {
	if n := len(l.intervals); n > 0 {
		if l.intervals[n-1].first == first {
			l.intervals = l.intervals[:n-1]
			n--
		}
		if n > 0 && l.intervals[n-1].leaf == leaf {
			return
		}
	}
	l.intervals = append(l.intervals, interval{first, leaf})
}

// goesOn tells whether from would add nothing for a call whose arguments do not matter:
// most numbers are decided on as the one before them.
func (l *layout) goesOn(first uint32, action Action) bool {
	n := len(l.intervals)
	if n == 0 || l.intervals[n-1].first == first {
		return false
	}
	f := &l.leaves[l.intervals[n-1].leaf]
	return f.base == action && len(f.rules) == 0
}

// number is the leaf of a number of the ABI at place i.
func (l *layout) number(f *Filter, i int, nr uint32) int {
	if c, ok := f.abis[i].Call(nr); ok && !f.special.Has(c) {
		return l.plain(f.total[c].Action)
	}
	return l.leafOf(f.decide(i, nr))
}

// add lays out the numbers of the ABI at place i in f.
func (l *layout) add(f *Filter, i int) {
	a := f.abis[i]
	if f.closed>>i&1 == 1 {
		l.from(0, l.leafOf(decision{base: f.shut}))
		return
	}
	end := uint32(0)
	run := func(from, to uint32) { // one number after the other, and what is behind them
		for nr := max(from, end); nr < to; nr++ {
			if c, ok := a.Call(nr); !ok || f.special.Has(c) || !l.goesOn(nr, f.total[c].Action) {
				l.from(nr, l.number(f, i, nr))
			}
		}
		l.from(to, l.number(f, i, to))
		end = max(end, to)
	}
	run(0, newest+1)
	for _, s := range a.table {
		if to := s.first + uint32(len(s.calls)); to > end {
			run(s.first, to)
		}
	}
	l.from(^uint32(0), l.number(f, i, ^uint32(0))) // -1, which is no newer call: onNumber
}

// addX32 lays out x32's numbers without their bit, as far as they are decided on in
// another way than x86-64's. x32 is at place i, x86-64 before it.
func (l *layout) addX32(f *Filter, i int) {
	bit, end := f.abis[i].bit, uint32(newest+1)
	for _, s := range f.abis[i].table {
		end = max(end, s.first&^bit+uint32(len(s.calls)))
	}
	for n := range end + 1 { // the last one stands for all behind it
		at := l.number(f, i, bit|n)
		if at == l.number(f, i-1, n) {
			at = sharedLeaf
		}
		l.from(n, at)
	}
}

// assemble makes the program: the AUDIT_ARCH_ is compared, then the number is looked
// for by halves, and at the leaf are the conditions on arguments.
func (f *Filter) assemble() (Program, error) {
	f.settle()
	// Room that most filters do not outgrow: a launch pays for each page that it touches.
	a := &assembler{code: make([]Instruction, 0, 640)}
	next := a.ret(f.shut.Action)
	for i := len(f.abis) - 1; i >= 0; i-- {
		abi := f.abis[i]
		if abi.bit != 0 {
			continue // it comes with the one before it
		}
		if f.closed>>i&1 == 1 && !(i+1 < len(f.abis) && f.abis[i+1].bit != 0) {
			continue // as what is foreign
		}
		l := &layout{order: abi.bytes, leaves: make([]leaf, 0, 32), intervals: make([]interval, 0, 128)}
		l.add(f, i)
		first := l.tree(a, 0, len(l.intervals))
		if i+1 < len(f.abis) && f.abis[i+1].bit != 0 {
			first = l.x32(a, f, i+1, first)
		}
		first = a.load(first, 0)
		next = a.branch(opEqual, abi.Arch, first, next)
	}
	a.load(next, 4)
	slices.Reverse(a.code)
	p := Program(a.code)
	if len(p) > MaxLength {
		return nil, errors.New("the filter has more instructions than the kernel takes")
	}
	return p, p.Check()
}

// x32 puts x32's numbers, whose ABI is at place i, before the search among x86-64's. The
// number is in the accumulator, and loses its bit.
func (l *layout) x32(a *assembler, f *Filter, i int, native label) label {
	bit := f.abis[i].bit
	other := a.ret(f.shut.Action)
	if f.closed>>i&1 == 0 {
		l.shared, l.intervals = native, l.intervals[:0]
		l.addX32(f, i)
		other = a.and(l.tree(a, 0, len(l.intervals)), ^bit)
	}
	other = a.branch(opEqual, ^uint32(0), native, other) // -1 is not x32's: owns
	return a.branch(opFrom, bit, other, native)
}

// load loads a word of struct seccomp_data and goes on at a label.
func (a *assembler) load(to label, offset uint32) label {
	if int(to) != len(a.code)-1 {
		a.emit(Instruction{Code: opJump, K: uint32(len(a.code) - 1 - int(to))})
	}
	return a.emit(Instruction{Code: opLoad, K: offset})
}

// tree is the search among intervals from and up to, but not with, to.
func (l *layout) tree(a *assembler, from, to int) label {
	if to-from == 1 {
		return l.leaf(a, l.intervals[from].leaf)
	}
	mid := (from + to + 1) / 2
	high := l.tree(a, mid, to)
	low := l.tree(a, from, mid)
	return a.branch(opFrom, l.intervals[mid].first, high, low)
}

// leaf is the code of a leaf. It is there once, but for the returns.
func (l *layout) leaf(a *assembler, i int) label {
	if i == sharedLeaf {
		return l.shared
	}
	f := &l.leaves[i]
	if len(f.rules) == 0 {
		return a.ret(f.base)
	}
	if !f.done {
		f.at, f.done = l.conditions(a, f), true
	}
	return f.at
}

// conditions is the code of a leaf with rules.
func (l *layout) conditions(a *assembler, f *leaf) label {
	next := a.ret(f.base)
	for i := len(f.rules) - 1; i >= 0; i-- {
		r := &f.rules[i]
		yes := a.ret(r.verdict.Action)
		for n := len(r.conds) - 1; n >= 0; n-- {
			yes = l.cond(a, &r.conds[n], yes, next)
		}
		next = yes
	}
	return next
}

// cond is the code of a condition.
func (l *layout) cond(a *assembler, c *Cond, yes, no label) label {
	at := no
	switch c.Op {
	case AnyBit:
		at = a.branch(opBits, c.Mask, yes, no)
	case AllBits:
		at = a.branch(opEqual, c.Mask, yes, no)
		at = a.and(at, c.Mask)
	default:
		if c.Op == NotIn {
			yes, no = no, yes
			at = no
		}
		for i := len(c.Values) - 1; i >= 0; i-- {
			at = a.branch(opEqual, c.Values[i], yes, at)
		}
		if len(c.Values) > 0 && c.Mask != ^uint32(0) {
			at = a.and(at, c.Mask)
		}
		if len(c.Values) == 0 {
			return at
		}
	}
	low := 16 + 8*uint32(c.Arg)
	if l.order == bigEndian {
		low += 4
	}
	return a.load(at, low)
}

func (a *assembler) and(to label, mask uint32) label {
	if int(to) != len(a.code)-1 {
		a.emit(Instruction{Code: opJump, K: uint32(len(a.code) - 1 - int(to))})
	}
	return a.emit(Instruction{Code: opAnd, K: mask})
}
