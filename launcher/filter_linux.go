package launcher

import (
	"errors"
	"os"
	"strconv"
	"strings"

	"github.com/hardrun/hardrun/policy"
	"github.com/hardrun/hardrun/process"
	"github.com/hardrun/hardrun/row"
	"github.com/hardrun/hardrun/seccomp"
	"golang.org/x/sys/unix"
)

// readFilter reads --seccomp-bpf, and what the kernel knows of filters where a
// directive needs one of hardrun's own.
func (e *Env) readFilter(p *policy.Policy) {
	if p.MemoryDenyWriteExecute.V {
		e.MDWE = knowsMDWE()
	}
	if p.ExplainDenials.V {
		const newListener, waitKillableRecv = 1 << 3, 1 << 5 // the second one is of Linux 5.19
		_, _, errno := unix.RawSyscall(unix.SYS_SECCOMP, setModeFilter, newListener|waitKillableRecv, 0)
		e.Killable = errno == unix.EFAULT
	}
	if p.LockPersonality.V {
		e.readPersonality(p)
	}
	if on := layers(p, e); len(on) > 0 {
		err := filterable()
		if err == nil {
			e.OldFilters, err = oldFilters()
		}
		if err != nil {
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

// readPersonality is the value that LockPersonality= leaves: what Personality= sets, or
// the present one.
func (e *Env) readPersonality(p *policy.Policy) {
	if v := p.Personality; v.Set {
		if n, err := process.ParsePersonality(v.V, e.GOARCH); err == nil { // else it is refused by its own name
			e.Personality = uint32(n)
			return
		}
	}
	const ask = 0xffffffff
	r, _, errno := unix.RawSyscall(unix.SYS_PERSONALITY, ask, 0, 0)
	if errno != 0 {
		e.problem("LockPersonality", p.LockPersonality.From, ExitSeccomp, os.NewSyscallError("personality", errno))
		e.Problems[len(e.Problems)-1].Waivable = true
		return
	}
	e.Personality = uint32(r)
}

const setModeFilter = 1 // SECCOMP_SET_MODE_FILTER

// filterable asks whether filters can be loaded. Where they can, a program that
// is nowhere is EFAULT, and that is found before any privilege is looked at
// (seccomp(2)); EINVAL and ENOSYS are kernels without them, EPERM is a filter
// around hardrun.
func filterable() error {
	_, _, errno := unix.RawSyscall(unix.SYS_SECCOMP, setModeFilter, 0, 0)
	switch errno {
	case unix.EFAULT:
		return nil
	case 0:
		return errors.New("no filter can be loaded: seccomp(2) took a program that is nowhere")
	}
	return errors.New("no filter can be loaded: seccomp: " + errno.Error())
}

// oldFilters tells whether the kernel looks at a call before a tracer can change it
// (CVE-2017-5206; Linux 4.8 looks afterwards).
func oldFilters() (bool, error) {
	var uts unix.Utsname
	if err := unix.Uname(&uts); err != nil {
		return false, os.NewSyscallError("uname", err)
	}
	return earlier(unix.ByteSliceToString(uts.Release[:]), 4, 8)
}

// earlier tells whether a release of Linux, "6.18.44-cloud", comes before a version.
func earlier(release string, major, minor int) (bool, error) {
	first, rest, _ := strings.Cut(release, ".")
	end := 0
	for end < len(rest) && rest[end] >= '0' && rest[end] <= '9' {
		end++
	}
	x, errX := strconv.Atoi(first)
	y, errY := strconv.Atoi(rest[:end])
	if errX != nil || errY != nil {
		return false, errors.New("uname: a release that cannot be read: " + strconv.Quote(release))
	}
	return x < major || x == major && y < minor, nil
}

// prSetMDWE and prGetMDWE are of Linux 6.3, prctl(2).
const (
	prSetMDWE = 65
	prGetMDWE = 66

	refuseExecGain = 1 // PR_MDWE_REFUSE_EXEC_GAIN
)

// knowsMDWE tells whether the kernel has PR_SET_MDWE. One that does not answers EINVAL to
// both options; one that does, to neither: to set nothing changes nothing, and is EPERM
// where something is set. One answer alone does not decide that the filter stands in.
func knowsMDWE() bool {
	for _, option := range [...]uintptr{prGetMDWE, prSetMDWE} {
		if _, _, errno := unix.RawSyscall6(unix.SYS_PRCTL, option, 0, 0, 0, 0, 0); errno != unix.EINVAL {
			return true
		}
	}
	return false
}

// Do adds the change. It cannot be undone, and outlives execve(2).
func (*denyWriteExecute) Do(p *row.Program) {
	p.Call(unix.SYS_PRCTL, 0, row.Int(prSetMDWE), row.Int(refuseExecGain), row.Int(0), row.Int(0), row.Int(0))
}

// Check asks for it, and tries: memory of both kinds must be denied.
func (*denyWriteExecute) Check(p *row.Program) {
	p.Call(unix.SYS_PRCTL, refuseExecGain, row.Int(prGetMDWE), row.Int(0), row.Int(0), row.Int(0), row.Int(0))
	p.Call(unix.SYS_MMAP, -int64(unix.EACCES), row.Int(0), row.Int(4096),
		row.Int(unix.PROT_READ|unix.PROT_WRITE|unix.PROT_EXEC), row.Int(unix.MAP_PRIVATE|unix.MAP_ANONYMOUS), row.Int(-1), row.Int(0))
}
