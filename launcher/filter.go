package launcher

import (
	"strconv"

	"github.com/hardrun/hardrun/caps"
	"github.com/hardrun/hardrun/policy"
	"github.com/hardrun/hardrun/seccomp"
)

// filter plans the filter of system calls, and what loading it needs: no_new_privs,
// or CAP_SYS_ADMIN until it is loaded (seccomp(2)).
func (c *compiler) filter() {
	p, env := c.p, c.env
	if !p.SeccompBPF.Set || env.Filter == nil {
		return
	}
	const name = "X-Hardrun-SeccompBPF"
	from := p.SeccompBPF.From
	c.filtered = true
	c.nnp = env.NoNewPrivs || p.NoNewPrivileges.V
	if !c.nnp && !env.Caps.Effective.Has(capSysAdmin) {
		if p.NoNewPrivileges.Set {
			c.refuse(name, from, ExitSeccomp, "loading a filter needs NoNewPrivileges=yes or CAP_SYS_ADMIN, and there is neither")
			c.last().Waivable = true
			return
		}
		c.p.NoNewPrivileges = policy.Opt[bool]{V: true, Set: true, From: from}
		c.impliedNNP = "a filter is loaded without CAP_SYS_ADMIN"
		c.nnp = true
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
	if !c.nnp {
		c.note("nnp-advised", "the filter is loaded with CAP_SYS_ADMIN, which execve takes; NoNewPrivileges=yes would need none, and is advised")
	}
}

// keepsAdmin is CAP_SYS_ADMIN where a filter is still to be loaded with it. It
// stays permitted and effective only: execve(2) takes it from a user, and from
// root unless the bounding set has it.
func (c *compiler) keepsAdmin() caps.Set {
	if c.filtered && !c.nnp {
		return caps.Set(1) << capSysAdmin
	}
	return 0
}
