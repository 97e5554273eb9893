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
	if runtime.GOARCH == "arm64" {
		return ArchAArch64, unix.SYS_EXECVE
	}
	return ArchX86_64, unix.SYS_EXECVE
}

// Load adds the rows that load the program, and the one that asks its canary.
// Nothing can be read back after it: the program may forbid the reading.
func (s *Install) Load(p *row.Program) error {
	var random [8]byte
	if n, err := unix.Getrandom(random[:], 0); err != nil || n != len(random) {
		return errors.Join(os.NewSyscallError("getrandom", err), errors.New("no nonce for the canary"))
	}
	nonce := binary.NativeEndian.Uint32(random[:])
	arch, _ := Native()
	prog, err := Canary{PRCTL: unix.SYS_PRCTL, Arch: arch, Nonce: nonce}.With(s.Program)
	if err != nil {
		return err
	}
	const setModeFilter = 1
	p.Call(unix.SYS_SECCOMP, 0, row.Int(setModeFilter), row.Int(0), p.Fprog(prog.Bytes()).Arg())
	p.Call(unix.SYS_PRCTL, -CanaryErrno, row.Int(CanaryOption), row.Int(nonce))
	return nil
}
