package launcher

import (
	"errors"

	"github.com/hardrun/hardrun/policy"
	"github.com/hardrun/hardrun/seccomp"
)

// readFilter reads --seccomp-bpf.
func (e *Env) readFilter(p *policy.Policy) {
	e.Arch, e.Execve = seccomp.Native()
	text, err := readRegular(p.SeccompBPF.V, seccomp.MaxLength*8+8)
	if err == nil {
		e.Filter, err = seccomp.Parse(text)
		if err != nil {
			err = errors.New(p.SeccompBPF.V + ": " + err.Error())
		}
	}
	if err != nil {
		e.Filter = nil
		e.problem("X-Hardrun-SeccompBPF", p.SeccompBPF.From, ExitSeccomp, err)
	}
}
