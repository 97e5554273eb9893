package launcher

import (
	"errors"

	"github.com/hardrun/hardrun/policy"
	"github.com/hardrun/hardrun/seccomp"
	"golang.org/x/sys/unix"
)

// readFilter reads --seccomp-bpf, and asks whether filters can be loaded where a
// directive needs one of hardrun's own.
func (e *Env) readFilter(p *policy.Policy) {
	if on := protections(p); len(on) > 0 {
		if err := filterable(); err != nil {
			for _, d := range on {
				e.problem(d.name, d.from, ExitSeccomp, err)
				e.Problems[len(e.Problems)-1].Waivable = policy.Lookup(d.name).Class.Waivable()
			}
		}
	}
	if !p.SeccompBPF.Set {
		return
	}
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

// filterable asks whether filters can be loaded. Where they can, a program that
// is nowhere is EFAULT, and that is found before any privilege is looked at
// (seccomp(2)); EINVAL and ENOSYS are kernels without them, EPERM is a filter
// around hardrun.
func filterable() error {
	const setModeFilter = 1
	_, _, errno := unix.RawSyscall(unix.SYS_SECCOMP, setModeFilter, 0, 0)
	switch errno {
	case unix.EFAULT:
		return nil
	case 0:
		return errors.New("no filter can be loaded: seccomp(2) took a program that is nowhere")
	}
	return errors.New("no filter can be loaded: seccomp: " + errno.Error())
}
