package seccomp

// Source is what asked for a verdict, for people.
type Source struct {
	Directive string // "SystemCallFilter"
	Origin    string // "named.service:31"
}

// Verdict is an action, and the number of the source that asked for it in
// Filter.Sources; 0 for none.
type Verdict struct {
	Action Action
	By     uint16
}

// severity orders actions as the kernel does: the lower, the more restrictive
// (ACTION_ONLY of kernel/seccomp.c, compared as a signed number).
func (a Action) severity() int32 { return int32(a & actionMask) }

// over is the verdict of two filters that are both loaded, b after a: the more
// restrictive one, and of two that are equally so that of the filter which was loaded
// last (seccomp_run_filters of kernel/seccomp.c).
func over(a, b Verdict) Verdict {
	if b.Action.severity() <= a.Action.severity() {
		return b
	}
	return a
}

// before tells whether a decides over b: over(b, a) is a, and over(a, b) as well.
func before(a, b Verdict) bool {
	x, y := a.Action.severity(), b.Action.severity()
	return x < y || x == y && a.By > b.By
}

// Op is a comparison of an argument.
type Op uint8

const (
	// In is true where the argument, masked, is one of the values.
	In Op = iota
	// NotIn is true where it is none of them.
	NotIn
	// AnyBit is true where the argument has one of the bits of the mask.
	AnyBit
	// AllBits is true where it has all of them.
	AllBits
)

// Cond is a condition on an argument. The kernel takes arguments of the type int, and
// flags and modes, by their lower half alone; so do conditions. A filter that
// compared all 64 bits would be passed by way of the upper half (CVE-2019-7303,
// CVE-2019-10063).
type Cond struct {
	Arg    uint8 // 0 to 5
	Op     Op
	Mask   uint32
	Values []uint32 // of In and NotIn
}

func (c *Cond) holds(arg uint64) bool {
	v := uint32(arg) & c.Mask
	switch c.Op {
	case AnyBit:
		return v != 0
	case AllBits:
		return v == c.Mask
	}
	for _, have := range c.Values {
		if have == v {
			return c.Op == In
		}
	}
	return c.Op == NotIn
}

// rule is a verdict on a call under conditions, all of which must hold.
type rule struct {
	call    Call
	conds   []Cond
	verdict Verdict
	// only are the ABIs where it holds, by their place in the machine; 0 for all.
	only uint8
	// apart rules hold where no other rule of theirs does, and not where the base does:
	// they are kept however strict they are.
	apart bool
}

func (r *rule) holds(args *[6]uint64) bool {
	for i := range r.conds {
		if !r.conds[i].holds(args[r.conds[i].Arg]) {
			return false
		}
	}
	return true
}
