package seccomp

import (
	"encoding/binary"
	"errors"
	"os"
	"runtime"

	"github.com/hardrun/hardrun/row"
	"golang.org/x/sys/unix"
)

// Native is the architecture of this machine, and the numbers of the calls that
// a launch still makes under the filter.
func Native() (arch uint32, execve uint32) {
	return ArchOf(runtime.GOARCH), unix.SYS_EXECVE
}

// Load adds the rows that load the program, and the one that asks its canary.
// Nothing can be read back after it: the program may forbid the reading.
func (s *Install) Load(p *row.Program) error {
	var random [8]byte
	if n, err := unix.Getrandom(random[:], 0); err != nil || n != len(random) {
		return errors.Join(os.NewSyscallError("getrandom", err), errors.New("no nonce for the canary"))
	}
	arch, _ := Native()
	prog := s.Program
	if s.Explain != nil {
		prog = prog.asking()
	}
	canary := Canary{PRCTL: unix.SYS_PRCTL, Arch: arch, Nonce: binary.NativeEndian.Uint32(random[:]), Odd: binary.NativeEndian.Uint16(random[4:]) % CanaryAnswers}
	prog, err := canary.With(prog)
	if err != nil {
		return err
	}
	if s.Explain != nil {
		const newListener, waitKillableRecv = 1 << 3, 1 << 5 // SECCOMP_FILTER_FLAG_ of linux/seccomp.h
		flags := uint32(newListener)
		if s.Explain.Killable {
			flags |= waitKillableRecv
		}
		if err := s.Explain.tell(s.Program); err != nil {
			return err
		}
		yield, err := s.Program.Eval(Data{NR: unix.SYS_SCHED_YIELD, Arch: arch})
		p.Listen(p.Fprog(prog.Bytes()), flags, s.Explain.Socket, err == nil && yield.Passes())
	} else {
		const setModeFilter = 1
		p.Call(unix.SYS_SECCOMP, 0, row.Int(setModeFilter), row.Int(0), p.Fprog(prog.Bytes()).Arg())
	}
	p.Call(unix.SYS_PRCTL, -int64(canary.Answer()), row.Int(CanaryOption), row.Int(canary.Nonce))
	return nil
}
