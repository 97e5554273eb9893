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

// denied is a layer that answers calls by EPERM.
func denied(names ...string) func(*seccomp.Filter, uint16) {
	return func(f *seccomp.Filter, by uint16) { f.Deny(by, seccomp.MustSet(names...)) }
}

// layers are those of the directives that need a filter, in the order in which
// systemd loads its own: of two equal verdicts the later one's errno counts
// (seccomp(2)).
func layers(p *policy.Policy, env *Env) []layer {
	var on []layer
	families, retain := p.RestrictAddressFamilies.V, p.RestrictNamespaces.V
	for _, d := range [...]struct {
		on bool
		layer
	}{
		{p.ProtectHostname.V.Mode == "yes", layer{"ProtectHostname", p.ProtectHostname.From, denied("sethostname", "setdomainname")}},
		{p.RestrictAddressFamilies.Set && (families.Allow || len(families.Listed) > 0), layer{"RestrictAddressFamilies", p.RestrictAddressFamilies.From, func(f *seccomp.Filter, by uint16) {
			f.RestrictAddressFamilies(by, families.Allow, families.Listed)
		}}},
		{p.MemoryDenyWriteExecute.V && !env.MDWE, layer{"MemoryDenyWriteExecute", p.MemoryDenyWriteExecute.From, (*seccomp.Filter).MemoryDenyWriteExecute}},
		{p.RestrictRealtime.V, layer{"RestrictRealtime", p.RestrictRealtime.From, (*seccomp.Filter).RestrictRealtime}},
		{p.RestrictSUIDSGID.V, layer{"RestrictSUIDSGID", p.RestrictSUIDSGID.From, (*seccomp.Filter).RestrictSUIDSGID}},
		{p.RestrictNamespaces.Set && retain != seccomp.Namespaces, layer{"RestrictNamespaces", p.RestrictNamespaces.From, func(f *seccomp.Filter, by uint16) {
			f.RestrictNamespaces(by, retain)
		}}},
		{p.ProtectKernelTunables.V, layer{"ProtectKernelTunables", p.ProtectKernelTunables.From, denied("_sysctl")}},
		{p.ProtectKernelModules.V, layer{"ProtectKernelModules", p.ProtectKernelModules.From, denied("@module")}},
		{p.ProtectKernelLogs.V, layer{"ProtectKernelLogs", p.ProtectKernelLogs.From, denied("syslog")}},
		// stime(2) of 32-bit x86 sets the clock, and is not in @clock.
		{p.ProtectClock.V, layer{"ProtectClock", p.ProtectClock.From, denied("@clock", "stime")}},
		{p.PrivateDevices.V, layer{"PrivateDevices", p.PrivateDevices.From, denied("@raw-io")}},
		{len(p.SystemCallArchitectures.Items) > 0, layer{"SystemCallArchitectures", p.SystemCallArchitectures.From, func(f *seccomp.Filter, by uint16) {
			var names []string
			for i := range p.SystemCallArchitectures.Items {
				names = append(names, p.SystemCallArchitectures.Items[i].V)
			}
			f.Architectures(by, names)
		}}},
		{p.LockPersonality.V, layer{"LockPersonality", p.LockPersonality.From, func(f *seccomp.Filter, by uint16) {
			f.LockPersonality(by, env.Personality)
		}}},
		{asksCalls(&p.SystemCallLog), layer{"SystemCallLog", first(&p.SystemCallLog), nil}},
		{asksCalls(&p.SystemCallFilter), layer{"SystemCallFilter", first(&p.SystemCallFilter), nil}},
	} {
		if d.on {
			on = append(on, d.layer)
		}
	}
	return on
}

func first(l *policy.List[policy.CallLine]) policy.Origin {
	if len(l.Items) == 0 {
		return policy.Origin{}
	}
	return l.Items[0].From
}

// asksCalls tells whether lines come to anything: a list of what is forbidden, or
// logged, may be empty.
func asksCalls(l *policy.List[policy.CallLine]) bool {
	if len(l.Items) == 0 || !l.Items[0].V.Invert {
		return len(l.Items) > 0
	}
	words := false
	for i := range l.Items {
		if !l.Items[i].V.Invert { // it may take all of them away again
			return len(policy.MergeCalls(l.Items, false).Listed) > 0
		}
		words = words || len(l.Items[i].V.Words) > 0
	}
	return words
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
		c.note("nnp-advised", "the filter is loaded with CAP_SYS_ADMIN; NoNewPrivileges=yes would need none, and is advised")
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
	c.filtered = true
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
	rest, listed := seccomp.Allow, negative
	if calls.AllowList != logs {
		rest, listed = negative, seccomp.Allow
	}
	l := seccomp.List{AllowList: listed == seccomp.Allow, Default: seccomp.Verdict{Action: rest, By: source(calls.From)}}
	l.Calls = make([]seccomp.Entry, 0, len(calls.Listed)+len(calls.Removed))
	for i := range calls.Listed {
		e := &calls.Listed[i]
		v := seccomp.Verdict{Action: listed, By: source(e.From)}
		if e.Has {
			v.Action = e.Action
		}
		l.Calls = append(l.Calls, seccomp.Entry{Call: e.Call, Verdict: v})
	}
	for _, e := range calls.Removed {
		l.Removed.Add(e.Call)
		l.Calls = append(l.Calls, seccomp.Entry{Call: e.Call, Verdict: seccomp.Verdict{Action: rest, By: source(e.From)}})
	}
	f.AddList(&l)
	for _, u := range calls.Unknown {
		c.note("call-unknown", name+"= "+u.From.String()+": "+strconv.Quote(u.V)+" is no system call that is known: without it the filter is stricter")
	}
	if calls.AllowList || logs || !calls.Groups {
		return
	}
	if c.p.AllowNewCalls.V {
		c.note("calls-new", "--allow-new-calls: what the kernel learnt after hardrun was made passes the list of forbidden calls")
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
		c.note("nnp-implied", "NoNewPrivileges=no does not hold: "+why)
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
			c.note("loader", "the loader of a dynamic program needs "+strings.Join(missing, ", ")+", which the filter forbids: "+c.env.Command.Path+" may not start")
		}
	}
	if v := f.Decide(c.call("io_uring_setup")); !v.Action.Passes() {
		if v.By == c.noRings && v.By != 0 {
			c.note("io-uring-denied", "io_uring is not there for the daemon (ENOSYS), as it would be a way around "+f.Sources[v.By].Directive+"=; a SystemCallFilter= line that names @io-uring keeps it")
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
		c.note("io-uring", "the filter lets io_uring pass, which is a way around what it says of "+strings.Join(around, ", "))
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
		c.filtered = true
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
