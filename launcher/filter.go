package launcher

import (
	"slices"
	"strconv"
	"strings"

	"github.com/hardrun/hardrun/caps"
	"github.com/hardrun/hardrun/policy"
	"github.com/hardrun/hardrun/seccomp"
)

// protection is a directive that takes system calls from the daemon, beside all
// else that it does.
type protection struct {
	name  string
	from  policy.Origin
	calls seccomp.Group
}

// protections are those that are on, systemd.exec(5).
func protections(p *policy.Policy) []protection {
	var on []protection
	for _, d := range [...]struct {
		on bool
		protection
	}{
		{p.ProtectClock.V, protection{"ProtectClock", p.ProtectClock.From, seccomp.Clock}},
		{p.ProtectHostname.V.Mode == "yes", protection{"ProtectHostname", p.ProtectHostname.From, seccomp.Hostname}},
		{p.ProtectKernelModules.V, protection{"ProtectKernelModules", p.ProtectKernelModules.From, seccomp.Modules}},
		{p.ProtectKernelLogs.V, protection{"ProtectKernelLogs", p.ProtectKernelLogs.From, seccomp.KernelLog}},
		{p.ProtectKernelTunables.V, protection{"ProtectKernelTunables", p.ProtectKernelTunables.From, seccomp.Tunables}},
		{p.PrivateDevices.V, protection{"PrivateDevices", p.PrivateDevices.From, seccomp.RawIO}},
	} {
		if d.on {
			on = append(on, d.protection)
		}
	}
	return on
}

// filter plans the filters of system calls, and what loading them needs:
// no_new_privs, or CAP_SYS_ADMIN until they are loaded (seccomp(2)). hardrun's own
// comes first: it lets the loading of the other and the other's canary pass,
// while --seccomp-bpf may forbid both. Of the verdicts of two filters the stricter
// holds, whatever their order.
func (c *compiler) filter() {
	if !c.env.linux() {
		return
	}
	c.nnp = c.env.NoNewPrivs || c.p.NoNewPrivileges.V
	c.protect()
	c.ready()
	if c.filtered && !c.nnp {
		c.note("nnp-advised", "the filter is loaded with CAP_SYS_ADMIN; NoNewPrivileges=yes would need none, and is advised")
	}
}

// protect plans one filter for all protections.
func (c *compiler) protect() {
	on := slices.DeleteFunc(protections(c.p), func(d protection) bool {
		return slices.ContainsFunc(c.env.Problems, func(r Refusal) bool { // no filters: it is refused already
			return r.Directive == d.name+"=" && r.Exit == ExitSeccomp
		})
	})
	if len(on) == 0 {
		return
	}
	groups, names := make([]seccomp.Group, len(on)), make([]string, len(on))
	for i, d := range on {
		groups[i], names[i] = d.calls, d.name+"="
	}
	prog, err := seccomp.Deny(seccomp.ArchOf(c.env.GOARCH), groups...)
	if err != nil {
		for _, d := range on {
			c.refuse(d.name, d.from, ExitSeccomp, "no filter of system calls: "+err.Error())
			c.last().Waivable = policy.Lookup(d.name).Class.Waivable()
		}
		return
	}
	first := c.spokesman(on)
	if !c.nnp && !c.hasAdmin() {
		// Even where NoNewPrivileges=no is written, as in systemd: the directive
		// that takes something away is the one that holds.
		if c.p.NoNewPrivileges.Set {
			c.note("nnp-implied", "NoNewPrivileges=no does not hold: "+first.name+"= needs a filter, which only no_new_privs or CAP_SYS_ADMIN lets load")
		}
		c.implyNoNewPrivs(first.from, first.name+"= needs a filter, which is loaded without CAP_SYS_ADMIN")
	}
	c.filtered = true
	what := "filter of " + strconv.Itoa(len(prog)) + " instructions: " + strings.Join(names, ", ")
	c.add(StageSeccomp, &seccomp.Install{Program: prog, What: what}, first.name, first.from, ExitSeccomp)
}

// spokesman is the directive in whose name their filter is loaded: the first one
// as they were written. One that is waived speaks only where all are, since a
// step is given up by the waiver of its directive, and must not be for a
// directive that is not waived.
func (c *compiler) spokesman(on []protection) protection {
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

// ready plans the filter of --seccomp-bpf.
func (c *compiler) ready() {
	p, env := c.p, c.env
	if !p.SeccompBPF.Set || env.Filter == nil {
		return
	}
	const name = "X-Hardrun-SeccompBPF"
	from := p.SeccompBPF.From
	c.filtered = true
	if !c.nnp && !c.hasAdmin() {
		if p.NoNewPrivileges.Set {
			c.refuse(name, from, ExitSeccomp, "loading a filter needs NoNewPrivileges=yes or CAP_SYS_ADMIN, and there is neither")
			c.last().Waivable = true
			return
		}
		c.implyNoNewPrivs(from, "a filter is loaded without CAP_SYS_ADMIN")
	}
	arch, execve := env.Arch, env.Execve
	action, err := env.Filter.Eval(seccomp.Data{NR: execve, Arch: arch})
	switch {
	case err != nil:
		c.refuse(name, from, ExitSeccomp, err.Error())
		return
	case !action.Passes():
		c.refuse(name, from, ExitSeccomp, "the filter answers execve with \""+action.String()+"\", so that nothing could start")
		return
	}
	what := "filter of " + strconv.Itoa(len(env.Filter)) + " instructions from " + p.SeccompBPF.V
	c.add(StageSeccomp, &seccomp.Install{Program: env.Filter, What: what}, name, from, ExitSeccomp)
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
