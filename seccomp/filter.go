package seccomp

import (
	"errors"
	"slices"
	"sort"

	"github.com/hardrun/hardrun/order"
)

// Filter is what all directives of a unit say about system calls, as one. Its
// verdict on a call is that of systemd's stack of filters: the most restrictive one
// of all directives, and of equals that of the directive which is added last.
//
//	f := seccomp.New(seccomp.Machine("amd64"))
//	f.RestrictNamespaces(f.Source(seccomp.Source{Directive: "RestrictNamespaces"}), 0)
//	prog, err := f.Program()
type Filter struct {
	Sources []Source // of the verdicts; the first one is nobody's

	abis    []*ABI
	closed  uint8   // the ABIs that SystemCallArchitectures= does not name, by their place
	shut    Verdict // on their calls, and on those of foreign architectures
	fixed   [callCount]Verdict
	rules   []rule
	lists   []*listed
	unknown Verdict // on numbers that are no call
	newer   Verdict // on numbers that are newer than the tables, unless unknown is stricter

	// Made of the above by settle.
	settled bool
	total   [callCount]Verdict // on each call whatever its arguments
	special Set                // calls whose verdict is not total alone
}

// New is a filter for the ways into the kernel of a machine which lets all calls of
// theirs pass, and kills what comes by any other way. A machine that is not known
// (nil) is an error of Program.
func New(abis []*ABI) *Filter {
	f := &Filter{abis: abis, Sources: make([]Source, 1, 16)}
	allow := Verdict{Action: Allow}
	for i := range f.fixed {
		f.fixed[i] = allow
	}
	f.unknown, f.newer, f.shut = allow, allow, Verdict{Action: KillProcess}
	return f
}

// Source gives a number to what asks for verdicts. Sources are to be added in the
// order in which systemd loads its filters: of two equal actions the later one's data
// counts.
func (f *Filter) Source(s Source) uint16 {
	f.Sources = append(f.Sources, s)
	return uint16(len(f.Sources) - 1)
}

// deny adds a verdict on a call whatever its arguments.
func (f *Filter) deny(c Call, v Verdict) { f.fixed[c] = over(f.fixed[c], v) }

// when adds a verdict on a call under conditions.
func (f *Filter) when(c Call, v Verdict, conds ...Cond) {
	f.rules = append(f.rules, rule{call: c, conds: conds, verdict: v})
}

// settle prepares for decisions. Nothing is added after it.
func (f *Filter) settle() {
	if f.settled {
		return
	}
	f.settled = true
	order.By(f.rules, func(a, b *rule) bool { return a.call < b.call })
	for i := range f.rules {
		f.special.Add(f.rules[i].call)
	}
	f.special.Add(callSocketcall)
	f.special.Add(callIpc)
	f.total = f.fixed
	for _, l := range f.lists {
		for c := range f.total {
			f.total[c] = over(f.total[c], l.calls[c])
		}
	}
}

// rulesOf are the rules of a call.
func (f *Filter) rulesOf(c Call) []rule {
	i := sort.Search(len(f.rules), func(i int) bool { return f.rules[i].call >= c })
	n := i
	for n < len(f.rules) && f.rules[n].call == c {
		n++
	}
	return f.rules[i:n]
}

// decision is what holds for a number of an ABI: the verdict, and the rules that are
// stricter, the strictest first.
type decision struct {
	base  Verdict
	rules []rule
}

// decide is the decision on a number, which is that of the ABI at place i.
func (f *Filter) decide(i int, nr uint32) decision {
	a := f.abis[i]
	if f.closed>>i&1 == 1 {
		return decision{base: f.shut}
	}
	if c, ok := a.Call(nr); ok {
		return f.onABI(i, c)
	}
	v := f.onNumber(a, nr)
	if a.bit == 0 {
		return decision{base: v}
	}
	// x32's bit with the number of a call that x32 does not have: kernels before 5.4
	// take it for x86-64's call (A59: kafel #19, go-seccomp-bpf #7).
	c, ok := f.abis[0].Call(nr &^ a.bit)
	if !ok {
		return decision{base: v}
	}
	d := f.onABI(i, c)
	d.base = over(v, d.base)
	return d.tidy()
}

// onNumber is the verdict on a number that is no call.
func (f *Filter) onNumber(a *ABI, nr uint32) Verdict {
	if n := nr &^ a.bit; n > newest && nr != ^uint32(0) {
		return over(f.newer, f.unknown)
	}
	return f.unknown
}

func (f *Filter) onABI(i int, c Call) decision {
	d := decision{base: f.total[c]}
	switch c {
	case callSocketcall:
		d = f.multiplexed(c, socketCalls[:], ^uint32(0))
	case callIpc:
		d = f.multiplexed(c, ipcCalls[:], 0xffff) // the upper half is a version, ipc(2)
	}
	rules := f.rulesOf(c)
	d.rules = slices.Grow(d.rules, len(rules))
	for _, r := range rules {
		if r.only == 0 || r.only>>i&1 == 1 {
			d.rules = append(d.rules, r)
		}
	}
	return d.tidy()
}

// tidy drops the rules that the base decides over, and puts that first which decides
// over the others. The rules are d's own, and change in place.
func (d decision) tidy() decision {
	kept := d.rules[:0]
	for _, r := range d.rules {
		if r.apart || before(r.verdict, d.base) {
			kept = append(kept, r)
		}
	}
	d.rules = kept
	if len(kept) < 2 {
		return d
	}
	order.By(kept, func(a, b *rule) bool { return before(a.verdict, b.verdict) })
	return d
}

// Decide is the verdict on a call. It reads the directives anew, and no program:
// what Program makes is tested against it.
func (f *Filter) Decide(d Data) Verdict {
	f.settle()
	for i, a := range f.abis {
		if a.Arch != d.Arch || !f.owns(i, d.NR) {
			continue
		}
		on := f.decide(i, d.NR)
		for n := range on.rules {
			if on.rules[n].holds(&d.Args) {
				return on.rules[n].verdict
			}
		}
		return on.base
	}
	return f.shut
}

// owns tells whether a number belongs to the ABI at place i, and not to another of
// the same AUDIT_ARCH_. -1 is what a tracer makes of a call that is not to be made
// (seccomp(2)); it is nobody's call, and x86-64's here.
func (f *Filter) owns(i int, nr uint32) bool {
	if f.abis[i].Arch != ArchX86_64 {
		return true
	}
	return (nr >= x32 && nr != ^uint32(0)) == (f.abis[i].bit != 0)
}

// At is the verdict on a call of an ABI whatever its arguments, and those on it under
// conditions, the one that decides first.
func (f *Filter) At(i int, nr uint32) (Verdict, []Rule) {
	f.settle()
	d := f.decide(i, nr)
	rules := make([]Rule, len(d.rules))
	for n, r := range d.rules {
		rules[n] = Rule{r.conds, r.verdict}
	}
	return d.base, rules
}

// Rule is a verdict under conditions.
type Rule struct {
	Conds   []Cond
	Verdict Verdict
}

// ABIs are the ways into the kernel that the filter knows.
func (f *Filter) ABIs() []*ABI { return f.abis }

// Closed tells whether SystemCallArchitectures= forbids the ABI at place i.
func (f *Filter) Closed(i int) bool { return f.closed>>i&1 == 1 }

// Program is the filter as one program for all ways into the kernel. It is an error
// where the machine is not known.
func (f *Filter) Program() (Program, error) {
	if len(f.abis) == 0 {
		return nil, errors.New("the numbers of this architecture's system calls are not known")
	}
	return f.assemble()
}
