package inspect

import (
	"runtime"
	"strings"

	"github.com/hardrun/hardrun/policy"
	"github.com/hardrun/hardrun/process"
	"github.com/hardrun/hardrun/seccomp"
)

// calls are the directives that are nothing but filters of system calls.
func (j *judge) calls(name string, t *tally) bool {
	switch name {
	case "SystemCallFilter", "SystemCallLog", "SystemCallArchitectures", "RestrictAddressFamilies", "RestrictNamespaces",
		"RestrictRealtime", "RestrictSUIDSGID", "LockPersonality", "ProtectClock":
		j.filter(name, t)
	case "MemoryDenyWriteExecute":
		j.writeExecute(t)
	case "SystemCallErrorNumber":
		t.yes("it is a part of SystemCallFilter=")
	default:
		return false
	}
	return true
}

// part is what a directive says about system calls; nil where it says nothing.
func (j *judge) part(name string) *policy.FilterPart {
	value, err := j.personality()
	if j.p.Personality.Set {
		if v, err2 := process.ParsePersonality(j.p.Personality.V, runtime.GOARCH); err2 == nil {
			value, err = v, nil
		}
	}
	for _, d := range j.p.FilterParts(true, value) {
		if d.Name != name {
			continue
		}
		if name == "LockPersonality" && err != nil {
			d.Add = nil // which one is to be kept is not known
		}
		return &d
	}
	return nil
}

// filter compares what a directive says about system calls with what the filters of the process
// decide.
func (j *judge) filter(name string, t *tally) {
	d := j.part(name)
	if d == nil {
		t.yes(asksNothing)
		return
	}
	abis := seccomp.Machine(runtime.GOARCH)
	if abis == nil {
		t.cannot("the calls of this machine are not known")
		return
	}
	have, err := j.loaded()
	if err != nil {
		t.cannot(err.Error())
		return
	}
	f := seccomp.New(abis)
	by := f.Source(seccomp.Source{Directive: name})
	switch {
	case d.Add != nil:
		d.Add(f, by)
	case name == "LockPersonality":
		t.cannot("the execution domain of the process cannot be seen")
		return
	default:
		lines, negative := &j.p.SystemCallFilter, seccomp.KillProcess
		if name == "SystemCallLog" {
			lines, negative = &j.p.SystemCallLog, seccomp.Log
		} else if j.p.SystemCallErrorNumber.Set {
			negative = j.p.SystemCallErrorNumber.V
		}
		f.AddList(policy.MergeCalls(lines.Items, name == "SystemCallFilter").List(negative, func(policy.Origin) uint16 { return by }))
	}
	c := comparison{name: name, have: have}
	for i := range abis {
		for _, n := range j.table(i) {
			base, rules := f.At(i, n.nr)
			if len(rules) == 0 && base.Action == seccomp.Allow {
				continue
			}
			c.call(f, abis[i], n, rules)
		}
	}
	c.tell(j, t)
}

// number is a call of an ABI.
type number struct {
	nr   uint32
	call seccomp.Call
}

// table is the calls of the ABI at place i.
func (j *judge) table(i int) []number {
	abis := seccomp.Machine(runtime.GOARCH)
	if j.numbers == nil {
		j.numbers = make([][]number, len(abis))
	}
	if j.numbers[i] == nil {
		for c := range seccomp.Calls() {
			if nr, ok := abis[i].Number(seccomp.Call(c)); ok {
				j.numbers[i] = append(j.numbers[i], number{nr, seccomp.Call(c)})
			}
		}
	}
	return j.numbers[i]
}

// loaded are the filters of the process, read once.
func (j *judge) loaded() (*Filters, error) {
	if j.filters != nil || j.unread != nil {
		return j.filters, j.unread
	}
	none := true
	for i := range j.proc.Threads {
		s := &j.proc.Threads[i].State
		none = none && s.Seccomp == 0 && !has(s.Absent, "Seccomp")
	}
	f := Filters{}
	if !none {
		f, j.unread = j.r.Filters(j.proc)
	}
	if j.unread == nil {
		j.filters = &f
	}
	return j.filters, j.unread
}

// comparison counts what a filter decides as it was asked.
type comparison struct {
	name           string // the directive
	have           *Filters
	asked, passing int      // verdicts that deny, and those of them that the process passes
	names          []string // of the calls that pass
	soft           []string // of those answered by an error where the end of the process was asked
	left           []string // what systemd's own filters let pass, and hardrun's do not
	errnos         bool     // another error than was asked
}

// call compares one call, by arguments for which the policy denies it.
func (c *comparison) call(f *seccomp.Filter, abi *seccomp.ABI, n number, rules []seccomp.Rule) {
	name := n.call.String()
	if abi.Name != f.ABIs()[0].Name {
		name = abi.Name + " " + name
	}
	each(rules, func(args [6]uint64) {
		d := seccomp.Data{NR: n.nr, Arch: abi.Arch, Args: args}
		want := f.Decide(d).Action
		if want == seccomp.Allow {
			return
		}
		got := c.have.Decide(d)
		passes := got.Passes()
		if want.Passes() { // it is to be logged
			passes = got == seccomp.Allow
		}
		if passes {
			if why := leftOpen(c.name, abi, n.call.String(), &args, rules); why != "" {
				c.left = with(c.left, why)
				return
			}
			c.passing++
			c.names = with(c.names, name)
		}
		c.asked++
		switch {
		case passes:
		case want.Kills() && !got.Kills():
			c.soft = with(c.soft, name)
		case want.Denies() && got.Denies() && want != got:
			c.errnos = true
		}
	})
}

// leftOpen is what systemd 262 lets pass though the directive could be taken to deny it; empty for
// everything else. hardrun denies all of it.
func leftOpen(directive string, abi *seccomp.ABI, call string, args *[6]uint64, rules []seccomp.Rule) string {
	const oTmpfile = 0o20000000
	x86 := abi.Arch == seccomp.ArchI386
	switch {
	case call == "socketcall" || call == "ipc":
		return "what 32-bit programs call by a multiplexer"
	case x86 && call == "socket" && directive == "RestrictAddressFamilies":
		return "sockets of 32-bit programs"
	case x86 && call == "shmat" && directive == "MemoryDenyWriteExecute":
		return "shared memory of 32-bit programs"
	case call == "stime" && directive == "ProtectClock":
		return "stime(2) of 32-bit programs"
	case call == "write" && directive == "SystemCallFilter":
		return "write(2)"
	case directive == "RestrictSUIDSGID" && (call == "open" && args[1]&0o100 == 0 && args[1]&oTmpfile != 0 || call == "openat" && args[2]&0o100 == 0 && args[2]&oTmpfile != 0):
		return "files that get their name later (O_TMPFILE)"
	case len(rules) > 0 && (args[0]|args[1]|args[2])>>32 != 0 && args[5] == 0:
		return "arguments with something in their upper half (CVE-2019-7303)"
	}
	return ""
}

// tell makes a tally of it.
func (c *comparison) tell(j *judge, t *tally) {
	without := 0
	for i := range j.proc.Threads {
		g := &j.proc.Threads[i]
		if g.State.Seccomp == 0 {
			without++
		}
	}
	switch {
	case c.asked == 0 && len(c.left) == 0:
		t.yes("it concerns no call of this machine")
	case without == len(j.proc.Threads):
		t.no("no filter is loaded")
	case c.passing > 0 && without > 0:
		for i := range j.proc.Threads {
			if g := &j.proc.Threads[i]; g.State.Seccomp == 0 {
				t.part(threadNames(g.IDs) + ": no filter is loaded")
			}
		}
	case c.passing == c.asked && c.asked > 0:
		t.no("the filter lets pass " + callNames(c.names))
	case c.passing > 0:
		t.part("the filter lets pass " + callNames(c.names))
	case len(c.soft) > 0:
		t.part("answered by an error, where the end of the process was asked: " + callNames(c.soft))
	case c.asked == 0 && len(c.left) > 0:
		t.no("the filter lets it pass")
	default:
		fact := "the filter denies it"
		if c.errnos {
			fact += ", by another error"
		}
		if len(c.left) > 0 {
			fact += ", but for what systemd leaves open as well: " + strings.Join(c.left, ", ")
		}
		t.yes(fact)
	}
}

func callNames(names []string) string {
	const most = 8
	if n := len(names) - most; n > 1 {
		return strings.Join(names[:most], ", ") + " and " + number32(uint32(n)) + " more"
	}
	return strings.Join(names, ", ")
}

// each hands out arguments: none at all and all bits, and for each rule those for which it holds.
// Upper halves are set in some, which no kernel looks at and no filter may (CVE-2019-7303).
func each(rules []seccomp.Rule, yield func(args [6]uint64)) {
	yield([6]uint64{})
	all := ^uint64(0)
	yield([6]uint64{all, all, all, all, all, all})
	for i := range rules {
		fill(rules[i].Conds, [6]uint64{}, yield)
	}
}

// fill hands out arguments for which all conditions hold.
func fill(conds []seccomp.Cond, args [6]uint64, yield func(args [6]uint64)) {
	if len(conds) == 0 {
		yield(args)
		return
	}
	c := &conds[0]
	set := func(v uint64) {
		args[c.Arg] = v
		fill(conds[1:], args, yield)
	}
	switch c.Op {
	case seccomp.In:
		for _, v := range c.Values {
			set(uint64(v))
		}
		if len(c.Values) > 0 {
			set(uint64(c.Values[0]) | 1<<32)
		}
	case seccomp.NotIn:
		const most = 64 // more than there are address families, or scheduling policies
		for v := range uint32(most) {
			if !contains(c.Values, v&c.Mask) {
				set(uint64(v))
			}
		}
		set(uint64(most) | 1<<32)
	case seccomp.AnyBit:
		for bit := uint32(1); bit != 0; bit <<= 1 {
			if c.Mask&bit != 0 {
				set(uint64(bit))
			}
		}
		set(uint64(c.Mask) | 1<<32)
	case seccomp.AllBits:
		set(uint64(c.Mask))
		set(^uint64(0))
	}
}

func contains(list []uint32, v uint32) bool {
	for _, have := range list {
		if have == v {
			return true
		}
	}
	return false
}

// writeExecute is MemoryDenyWriteExecute=. What prctl(2) sets, PR_SET_MDWE of Linux 6.3, cannot
// be seen from outside; memory that is writable and executable shows that it is not set.
func (j *judge) writeExecute(t *tally) {
	if !j.p.MemoryDenyWriteExecute.V {
		t.yes(asksNothing)
		return
	}
	by := tally{}
	j.filter("MemoryDenyWriteExecute", &by)
	if by.bad+by.half+by.open == 0 && by.good > 0 || !kernelDeniesWriteExecute() {
		from := t.from
		*t = by
		t.from = from
		return
	}
	maps, err := j.text("maps")
	if err != nil {
		t.cannot(err.Error())
		return
	}
	for line := range strings.Lines(maps) {
		if strings.Contains(line, " rwx") && !strings.Contains(line, "[stack") {
			t.no("it has memory that is writable and executable")
			return
		}
	}
	t.cannot("no filter denies it, and whether the kernel does (PR_SET_MDWE) cannot be seen from outside")
}

// ready compares the filters of the process with the program of --seccomp-bpf.
func (j *judge) ready(t *tally) {
	text, err := hostText(j.p.SeccompBPF.V)
	var prog seccomp.Program
	if err == nil {
		prog, err = seccomp.Parse([]byte(text))
	}
	var have *Filters
	if err == nil {
		have, err = j.loaded()
	}
	if err != nil {
		t.cannot(err.Error())
		return
	}
	c := comparison{have: have}
	for i, abi := range seccomp.Machine(runtime.GOARCH) {
		for _, n := range j.table(i) {
			passes, asked := 0, 0
			each(nil, func(args [6]uint64) {
				d := seccomp.Data{NR: n.nr, Arch: abi.Arch, Args: args}
				if want, err := prog.Eval(d); err != nil || want.Passes() {
					return
				}
				asked++
				if have.Decide(d).Passes() {
					passes++
				}
			})
			c.asked, c.passing = c.asked+asked, c.passing+passes
			if passes > 0 {
				c.names = with(c.names, n.call.String())
			}
		}
	}
	c.tell(j, t)
}
