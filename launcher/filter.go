package launcher

import (
	"slices"
	"strconv"
	"strings"

	"github.com/hardrun/hardrun/caps"
	"github.com/hardrun/hardrun/policy"
	"github.com/hardrun/hardrun/seccomp"
)

// layer is what a directive says about system calls.
type layer struct {
	name string
	from policy.Origin
	add  func(f *seccomp.Filter, by uint16) // nil where lines have numbers of their own
}

// layers are those of the directives that need a filter, in the order in which
// systemd loads its own.
func layers(p *policy.Policy, env *Env) []layer {
	var on []layer
	for _, d := range p.FilterParts(!env.MDWE, env.Personality) {
		on = append(on, layer{d.Name, d.From, d.Add})
	}
	return on
}

func first(l *policy.List[policy.CallLine]) policy.Origin {
	if len(l.Items) == 0 {
		return policy.Origin{}
	}
	return l.Items[0].From
}

// filter plans the filters of system calls, and what loading them needs:
// no_new_privs, or CAP_SYS_ADMIN until they are loaded (seccomp(2)).
func (c *compiler) filter() {
	if !c.env.linux() {
		return
	}
	c.nnp = c.env.NoNewPrivs || c.p.NoNewPrivileges.V
	if v := c.p.MemoryDenyWriteExecute; v.V && c.env.MDWE {
		c.add(StageProcess, &denyWriteExecute{}, "MemoryDenyWriteExecute", v.From, ExitSeccomp)
	}
	if v := c.p.FilterBackend; v.V == "libseccomp" && !seccomp.HasLibseccomp {
		c.refuse("X-Hardrun-FilterBackend", v.From, ExitSeccomp, "this build has no libseccomp")
	} else {
		c.own()
	}
	c.ready()
	if c.filtered && !c.nnp {
		c.note("nnp-advised", c.filteredBy, "the filter is loaded with CAP_SYS_ADMIN; NoNewPrivileges=yes would need none, and is advised")
	}
}

// own plans the one filter of all directives.
func (c *compiler) own() {
	on := slices.DeleteFunc(layers(c.p, c.env), func(d layer) bool {
		return slices.ContainsFunc(c.env.Problems, func(r Refusal) bool { // no filters: it is refused already
			return r.Directive == d.name+"=" && r.Exit == ExitSeccomp
		})
	})
	on = slices.DeleteFunc(on, func(d layer) bool {
		blind := d.name == "MemoryDenyWriteExecute" && !seccomp.SeesMmap(seccomp.Machine(c.env.GOARCH))
		if blind {
			c.refuse(d.name, d.from, ExitSeccomp, "a filter cannot see it on this architecture, and the kernel has no PR_SET_MDWE (Linux 6.3)")
			c.last().Waivable = true
		}
		return blind
	})
	if len(on) == 0 {
		return
	}
	f := c.build(on)
	prog, err := f.Program()
	by := ""
	if err == nil && c.p.FilterBackend.V == "libseccomp" {
		prog, err = f.Libseccomp()
		if err != nil {
			c.refuse("X-Hardrun-FilterBackend", c.p.FilterBackend.From, ExitSeccomp, err.Error())
			return
		}
		by = " of libseccomp's"
	}
	if err != nil {
		for _, d := range on {
			c.refuse(d.name, d.from, ExitSeccomp, "no filter of system calls: "+err.Error())
			c.last().Waivable = policy.Lookup(d.name).Class.Waivable()
		}
		return
	}
	spokesman := c.spokesman(on)
	if !c.startable(f, spokesman) {
		return
	}
	if c.env.OldFilters && f.Decide(c.call("ptrace")).Action.Passes() {
		c.refuse(spokesman.name, spokesman.from, ExitSeccomp, "on Linux before 4.8 ptrace(2) gets around a filter, and this one lets it pass")
		c.last().Waivable = policy.Lookup(spokesman.name).Class.Waivable()
		return
	}
	c.whyNoNewPrivs(spokesman)
	c.filtered, c.filteredBy = true, spokesman.from
	names := make([]string, len(on))
	for i, d := range on {
		names[i] = d.name + "="
	}
	what := "filter of " + strconv.Itoa(len(prog)) + " instructions" + by + ": " + strings.Join(names, ", ")
	c.plan.Filter, c.plan.Program = f, prog
	step := &seccomp.Install{Program: prog, What: what}
	if c.p.ExplainDenials.V {
		step.Explain = &seccomp.Explain{Filter: f, Socket: c.env.Again.Socket, Killable: c.env.Killable}
	}
	c.add(StageSeccomp, step, spokesman.name, spokesman.from, ExitSeccomp)
	if c.env.For != "launch" { // a launch prints none of them
		c.filterNotes(f)
	}
}

// build makes the filter of the layers.
func (c *compiler) build(on []layer) *seccomp.Filter {
	p := c.p
	f := seccomp.New(seccomp.Machine(c.env.GOARCH))
	if c.env.Shared && c.dropped {
		f.DenyTerminal(f.Source(seccomp.Source{Directive: "User", Origin: p.User.From.String()}))
	}
	calls := policy.MergeCalls(p.SystemCallFilter.Items, true)
	c.calls = calls
	c.rings(f, on, calls)
	for _, d := range on {
		switch {
		case d.add != nil:
			d.add(f, f.Source(seccomp.Source{Directive: d.name, Origin: d.from.String()}))
		case d.name == "SystemCallLog":
			c.list(f, d.name, policy.MergeCalls(p.SystemCallLog.Items, false), seccomp.Log)
		default:
			negative := seccomp.KillProcess
			if p.SystemCallErrorNumber.Set {
				negative = p.SystemCallErrorNumber.V
			}
			c.list(f, d.name, calls, negative)
		}
	}
	return f
}

// list adds SystemCallFilter=, or SystemCallLog= with the action Log: a log list without
// "~" logs what it has, and lets the rest pass.
func (c *compiler) list(f *seccomp.Filter, name string, calls *policy.Calls, negative seccomp.Action) {
	var lines []policy.Origin // those that have a number: base, base+1 …
	base := uint16(0)
	source := func(from policy.Origin) uint16 {
		for i := range lines {
			if lines[i] == from {
				return base + uint16(i)
			}
		}
		n := f.Source(seccomp.Source{Directive: name, Origin: from.String()})
		if len(lines) == 0 {
			base = n
		}
		lines = append(lines, from)
		return n
	}
	logs := negative == seccomp.Log
	f.AddList(calls.List(negative, source))
	for _, u := range calls.Unknown {
		c.note("call-unknown", u.From, name+"= "+u.From.String()+": "+strconv.Quote(u.V)+" is no system call that is known: without it the filter is stricter")
	}
	if calls.AllowList || logs || !calls.Groups {
		return
	}
	if c.p.AllowNewCalls.V {
		c.note("calls-new", c.p.AllowNewCalls.From, "--allow-new-calls: what the kernel learnt after hardrun was made passes the list of forbidden calls")
		return
	}
	f.DenyNewer(source(calls.From))
}

// rings makes io_uring not implemented where it would be a way around what is
// forbidden: it opens files and sockets without a call that a filter could see (A63).
// Where SystemCallFilter= names it, or its calls, it stays, and the plan says so.
func (c *compiler) rings(f *seccomp.Filter, on []layer, calls *policy.Calls) {
	setup, _ := seccomp.ByName("io_uring_setup")
	if calls != nil && calls.Named.Has(setup) {
		return
	}
	for _, d := range on {
		avoids := d.name == "RestrictAddressFamilies" || d.name == "RestrictSUIDSGID"
		from := d.from
		if d.name == "SystemCallFilter" && !calls.AllowList {
			for _, e := range calls.Listed {
				if e.Call == setup {
					avoids = false // it is forbidden already, in the way that was asked for
					break
				}
				if seccomp.ByIOUring(e.Call) && !avoids && e.Action != seccomp.Log {
					avoids, from = true, e.From
				}
			}
		}
		if avoids {
			c.noRings = f.Source(seccomp.Source{Directive: d.name, Origin: from.String()})
			f.DenyIOUring(c.noRings)
			return
		}
	}
}

// call is a call as this machine makes it, its first argument given.
func (c *compiler) call(name string, args ...uint64) seccomp.Data {
	abi := seccomp.Machine(c.env.GOARCH)[0]
	n, _ := seccomp.ByName(name)
	nr, _ := abi.Number(n)
	d := seccomp.Data{NR: nr, Arch: abi.Arch}
	copy(d.Args[:], args)
	return d
}

// startable refuses a filter under which the daemon could not be started.
func (c *compiler) startable(f *seccomp.Filter, by layer) bool {
	v := f.Decide(c.call("execve"))
	if v.Action.Passes() {
		return true
	}
	name, from := by.name, by.from.String()
	if v.By != 0 {
		name, from = f.Sources[v.By].Directive, f.Sources[v.By].Origin
	}
	what := "the daemon"
	if c.plan.path != "" {
		what = c.plan.path
	}
	c.refuse(name, by.from, ExitSeccomp, "the filter does not allow execve, so that "+what+" could not start")
	if from != by.from.String() {
		c.last().Text += " (" + from + ")"
	}
	return false
}

// whyNoNewPrivs implies no_new_privs where the filter could not be loaded otherwise,
// and where systemd implies it: with User= it keeps its privileges until the filter is
// loaded, and gives them up by calls which that filter must not forbid
// (systemd.exec(5), NoNewPrivileges=).
func (c *compiler) whyNoNewPrivs(by layer) {
	if c.nnp {
		return
	}
	why, from := "", by.from
	if !c.hasAdmin() {
		why = by.name + "= needs a filter, which is loaded without CAP_SYS_ADMIN"
	} else if name := c.forbidsDrop(); name != "" {
		why, from = "SystemCallFilter= forbids "+name+" and User= is set, where systemd implies it", first(&c.p.SystemCallFilter)
	}
	if why == "" {
		return
	}
	// Even where NoNewPrivileges=no is written, as in systemd: the directive that
	// takes something away is the one that holds.
	if c.p.NoNewPrivileges.Set {
		c.note("nnp-implied", c.p.NoNewPrivileges.From, "NoNewPrivileges=no does not hold: "+why)
	}
	c.implyNoNewPrivs(from, why)
}

// forbidsDrop is the first of the calls that give up privileges which SystemCallFilter=
// does not let pass, for a daemon that is to lose them by User=.
func (c *compiler) forbidsDrop() string {
	calls := c.calls
	if calls == nil || !c.dropped || c.uid == 0 || c.p.AmbientCapabilities.V.Has(capSysAdmin) {
		return ""
	}
	for _, name := range [...]string{"capget", "capset", "prctl"} {
		call, _ := seccomp.ByName(name)
		listed := slices.ContainsFunc(calls.Listed, func(e policy.CallAction) bool { return e.Call == call })
		if listed != calls.AllowList {
			return name
		}
	}
	return ""
}

// filterNotes says what a reader of the filter should know.
func (c *compiler) filterNotes(f *seccomp.Filter) {
	passes := func(name string) bool { return f.Decide(c.call(name)).Action.Passes() }
	if c.env.Command.Interp != "" {
		var missing []string
		for _, group := range [...][]string{{"brk"}, {"close"}, {"mmap"}, {"mprotect"}, {"openat", "open"}, {"read"}, {"fstat", "newfstatat"}, {"munmap"}, {"pread64"}} {
			if !slices.ContainsFunc(group, passes) {
				missing = append(missing, group[0])
			}
		}
		if len(missing) > 0 {
			c.note("loader", c.filteredBy, "the loader of a dynamic program needs "+strings.Join(missing, ", ")+", which the filter forbids: "+c.env.Command.Path+" may not start")
		}
	}
	if v := f.Decide(c.call("io_uring_setup")); !v.Action.Passes() {
		if v.By == c.noRings && v.By != 0 {
			c.note("io-uring-denied", c.filteredBy, "io_uring is not there for the daemon (ENOSYS), as it would be a way around "+f.Sources[v.By].Directive+"=; a SystemCallFilter= line that names @io-uring keeps it")
		}
		return
	}
	var around []string
	for _, name := range [...]string{"openat", "openat2", "socket", "connect", "unlinkat", "renameat", "mkdirat"} {
		if call, ok := seccomp.ByName(name); ok {
			if v, rules := f.At(0, c.call(call.String()).NR); !v.Action.Passes() || len(rules) > 0 {
				around = append(around, name)
			}
		}
	}
	if len(around) > 0 {
		c.note("io-uring", c.filteredBy, "the filter lets io_uring pass, which is a way around what it says of "+strings.Join(around, ", "))
	}
}

// spokesman is the directive in whose name their filter is loaded: the first one
// as they were written. One that is waived speaks only where all are, since a
// step is given up by the waiver of its directive, and must not be for a
// directive that is not waived.
func (c *compiler) spokesman(on []layer) layer {
	best := on[0]
	for _, d := range on[1:] {
		switch waived := c.waived(d.name); {
		case waived != c.waived(best.name):
			if !waived {
				best = d
			}
		case d.from.File == best.from.File && d.from.Line < best.from.Line:
			best = d
		}
	}
	return best
}

// ready plans the filter of --seccomp-bpf, and which of two filters comes first: the one
// that lets the other be loaded and asked. Of the verdicts of both the stricter holds,
// whatever their order.
func (c *compiler) ready() {
	p, env := c.p, c.env
	if !p.SeccompBPF.Set || env.Filter == nil {
		return
	}
	const name = "X-Hardrun-SeccompBPF"
	from := p.SeccompBPF.From
	if !c.nnp && !c.hasAdmin() {
		if p.NoNewPrivileges.Set {
			c.refuse(name, from, ExitSeccomp, "loading a filter needs NoNewPrivileges=yes or CAP_SYS_ADMIN, and there is neither")
			c.last().Waivable = true
			return
		}
		c.implyNoNewPrivs(from, "a filter is loaded without CAP_SYS_ADMIN")
	}
	action, err := env.Filter.Eval(seccomp.Data{NR: env.Execve, Arch: env.Arch})
	switch {
	case err != nil:
		c.refuse(name, from, ExitSeccomp, err.Error())
		return
	case !action.Passes():
		c.refuse(name, from, ExitSeccomp, "the filter answers execve with \""+action.String()+"\", so that nothing could start")
		return
	}
	what := "filter of " + strconv.Itoa(len(env.Filter)) + " instructions from " + p.SeccompBPF.V
	step := &seccomp.Install{Program: env.Filter, What: what}
	c.add(StageSeccomp, step, name, from, ExitSeccomp)
	if !c.filtered {
		c.filtered, c.filteredBy = true, from
		return
	}
	if c.lets(c.plan.Program) {
		return
	}
	if !c.lets(env.Filter) {
		c.refuse(name, from, ExitSeccomp, "neither this filter nor that of the directives lets the other one be loaded: one of them has to allow seccomp and prctl")
		return
	}
	if v := p.ExplainDenials; v.V {
		c.refuse("X-Hardrun-ExplainDenials", v.From, ExitSeccomp, "the filter of --seccomp-bpf has to be loaded first, and could forbid what explaining takes")
		return
	}
	n := len(c.plan.Entries)
	for i := n - 2; i >= 0; i-- {
		if c.plan.Entries[i].Stage == StageSeccomp {
			c.plan.Entries[i], c.plan.Entries[n-1] = c.plan.Entries[n-1], c.plan.Entries[i]
			return
		}
	}
}

// lets tells whether a filter lets another one be loaded after it, and be asked for its
// canary: a kill would come before the canary's answer, an error does not.
func (c *compiler) lets(p seccomp.Program) bool {
	load, err := p.Eval(c.call("seccomp", 1))
	if err != nil || !load.Passes() {
		return false
	}
	ask, err := p.Eval(c.call("prctl", seccomp.CanaryOption, 1))
	return err == nil && !ask.Kills()
}

// implyNoNewPrivs sets no_new_privs for the directive written at from.
func (c *compiler) implyNoNewPrivs(from policy.Origin, why string) {
	c.p.NoNewPrivileges = policy.Opt[bool]{V: true, Set: true, From: from}
	c.impliedNNP = why
	c.nnp = true
}

// hasAdmin tells whether CAP_SYS_ADMIN is effective where a filter is loaded.
func (c *compiler) hasAdmin() bool { return c.env.Caps.Effective.Has(capSysAdmin) }

// keepsAdmin is CAP_SYS_ADMIN where a filter is still to be loaded with it. It
// stays permitted and effective only: execve(2) takes it from a user, and from
// root unless the bounding set has it.
func (c *compiler) keepsAdmin() caps.Set {
	if c.filtered && !c.nnp {
		return caps.Set(1) << capSysAdmin
	}
	return 0
}

// denyWriteExecute is MemoryDenyWriteExecute= by the kernel itself.
type denyWriteExecute struct{}

func (*denyWriteExecute) String() string    { return "no memory that is writable and executable" }
func (*denyWriteExecute) Mechanism() string { return "prctl(PR_SET_MDWE, PR_MDWE_REFUSE_EXEC_GAIN)" }
