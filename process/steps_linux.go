package process

import (
	"errors"
	"os"
	"strconv"

	"github.com/hardrun/hardrun/row"
	"golang.org/x/sys/unix"
)

// Do adds the change.
func (s SetLimit) Do(p *row.Program) {
	v := p.Bytes(row.Uint64s(nil, s.Limit.Soft, s.Limit.Hard))
	p.Call(unix.SYS_PRLIMIT64, 0, row.Int(0), row.Int(s.N), v.Arg(), row.Int(0))
}

// Check adds the read-back, by another call than the one that set it.
func (s SetLimit) Check(p *row.Program) {
	out := p.Space(16)
	p.Poison(out, 16)
	p.Call(unix.SYS_GETRLIMIT, 0, row.Int(s.N), out.Arg())
	p.Same(out, row.Uint64s(nil, s.Limit.Soft, s.Limit.Hard), row.FormHex64s)
}

// Do adds the change. umask(2) answers the mask before; it cannot fail.
func (s SetUMask) Do(p *row.Program) { p.CallAtLeast(unix.SYS_UMASK, 0, row.Int(s.Mode)) }

// Check adds the read-back: the status text, and the answer of a second call.
func (s SetUMask) Check(p *row.Program) {
	p.Call(unix.SYS_UMASK, int64(s.Mode), row.Int(s.Mode))
	p.Line("Umask:\t", octal(s.Mode))
}

// Do adds the change.
func (s SetNice) Do(p *row.Program) {
	p.Call(unix.SYS_SETPRIORITY, 0, row.Int(unix.PRIO_PROCESS), row.Int(0), row.Int(s.Level))
}

// Check adds the read-back: the raw call answers 20 - nice, which is never 0.
func (s SetNice) Check(p *row.Program) {
	p.Call(unix.SYS_GETPRIORITY, int64(20-s.Level), row.Int(unix.PRIO_PROCESS), row.Int(0))
}

const schedResetOnFork = 0x40000000 // SCHED_RESET_ON_FORK, sched(7)

func (s SetScheduler) policy() uint32 {
	n := uint32(s.Policy)
	if s.ResetOnFork {
		n |= schedResetOnFork
	}
	return n
}

// Do adds the change.
func (s SetScheduler) Do(p *row.Program) {
	param := p.Bytes(row.Uint32s(nil, uint32(s.Priority)))
	p.Call(unix.SYS_SCHED_SETSCHEDULER, 0, row.Int(0), row.Int(s.policy()), param.Arg())
}

// Check adds the read-back by sched_getattr(2), whose answer holds the policy
// in a poisoned buffer: SCHED_OTHER is 0, which a lying getter could answer.
func (s SetScheduler) Check(p *row.Program) {
	const size = 48
	out := p.Space(size)
	p.Poison(out, size)
	p.Call(unix.SYS_SCHED_GETATTR, 0, row.Int(0), out.Arg(), row.Int(size), row.Int(0))
	p.Same(out+4, row.Uint32s(nil, uint32(s.Policy)), row.FormUint32s)
	flags := uint64(0)
	if s.ResetOnFork {
		flags = 1 // SCHED_FLAG_RESET_ON_FORK
	}
	p.Same(out+8, row.Uint64s(nil, flags), row.FormHex64s)
	p.Same(out+20, row.Uint32s(nil, uint32(s.Priority)), row.FormUint32s)
}

// Do adds the change.
func (s SetAffinity) Do(p *row.Program) {
	p.Call(unix.SYS_SCHED_SETAFFINITY, 0, row.Int(0), row.Int(s.Bytes), p.Bytes(s.mask()).Arg())
}

// Check adds the read-back.
func (s SetAffinity) Check(p *row.Program) {
	out := p.Space(s.Bytes)
	p.Poison(out, s.Bytes)
	p.Call(unix.SYS_SCHED_GETAFFINITY, int64(s.Bytes), row.Int(0), row.Int(s.Bytes), out.Arg())
	p.Same(out, s.mask(), row.FormHex64s)
}

func (s SetAffinity) mask() []byte {
	words := make([]uint64, s.Bytes/8)
	copy(words, s.CPUs)
	return row.Uint64s(nil, words...)
}

// Do adds the change.
func (s SetNUMA) Do(p *row.Program) {
	if len(s.Nodes) == 0 {
		p.Call(unix.SYS_SET_MEMPOLICY, 0, row.Int(uint8(s.Policy)), row.Int(0), row.Int(0))
		return
	}
	p.Call(unix.SYS_SET_MEMPOLICY, 0, row.Int(uint8(s.Policy)), p.Bytes(row.Uint64s(nil, s.Nodes...)).Arg(), row.Int(len(s.Nodes)*64+1))
}

// Check adds the read-back.
func (s SetNUMA) Check(p *row.Program) {
	const words = 128 // more nodes than a kernel is built for
	mode, mask := p.Space(8), p.Space(words*8)
	p.Poison(mode, 8)
	p.Poison(mask, words*8)
	p.Call(unix.SYS_GET_MEMPOLICY, 0, mode.Arg(), mask.Arg(), row.Int(words*64), row.Int(0), row.Int(0))
	p.Same(mode, row.Uint32s(nil, uint32(s.Policy)), row.FormUint32s)
	if len(s.Nodes) > 0 {
		p.Same(mask, row.Uint64s(nil, s.Nodes...), row.FormHex64s)
	}
}

func (s SetIOPriority) value() int { return int(s.Class)<<13 | s.Priority }

// Do adds the change. 1 is IOPRIO_WHO_PROCESS.
func (s SetIOPriority) Do(p *row.Program) {
	p.Call(unix.SYS_IOPRIO_SET, 0, row.Int(1), row.Int(0), row.Int(s.value()))
}

// Check adds the read-back.
func (s SetIOPriority) Check(p *row.Program) {
	p.Call(unix.SYS_IOPRIO_GET, int64(s.value()), row.Int(1), row.Int(0))
}

// Do adds the change.
func (s SetTimerSlack) Do(p *row.Program) {
	p.Call(unix.SYS_PRCTL, 0, row.Int(unix.PR_SET_TIMERSLACK), row.Int(s.NSec))
}

// Check adds the read-back. A value of 0 stands for the default, which is not
// known: then any but 0 is right.
func (s SetTimerSlack) Check(p *row.Program) {
	if s.NSec == 0 {
		p.CallAtLeast(unix.SYS_PRCTL, 1, row.Int(unix.PR_GET_TIMERSLACK))
		return
	}
	p.Call(unix.SYS_PRCTL, int64(s.NSec), row.Int(unix.PR_GET_TIMERSLACK))
}

// Do adds the change.
func (s SetPersonality) Do(p *row.Program) {
	p.CallAtLeast(unix.SYS_PERSONALITY, 0, row.Int(s.Value))
}

// Check adds the read-back: 0xffffffff asks without changing.
func (s SetPersonality) Check(p *row.Program) {
	p.Call(unix.SYS_PERSONALITY, int64(s.Value), row.Int(uint32(0xffffffff)))
}

const (
	prSetMemoryMerge = 67 // Linux 6.4
	prGetMemoryMerge = 68
	prSetTHPDisable  = 41
	prGetTHPDisable  = 42
	thpExceptAdvised = 2 // PR_THP_DISABLE_EXCEPT_ADVISED, Linux 6.18
)

func truth(b bool) int {
	if b {
		return 1
	}
	return 0
}

// Do adds the change.
func (s SetKSM) Do(p *row.Program) {
	p.Call(unix.SYS_PRCTL, 0, row.Int(prSetMemoryMerge), row.Int(truth(s.On)), row.Int(0), row.Int(0), row.Int(0))
}

// Check adds the read-back.
func (s SetKSM) Check(p *row.Program) {
	p.Call(unix.SYS_PRCTL, int64(truth(s.On)), row.Int(prGetMemoryMerge), row.Int(0), row.Int(0), row.Int(0), row.Int(0))
}

// Do adds the change.
func (s SetTHP) Do(p *row.Program) {
	on, flags := 0, 0
	switch s.Mode {
	case THPDisable:
		on = 1
	case THPMadvise:
		on, flags = 1, thpExceptAdvised
	}
	p.Call(unix.SYS_PRCTL, 0, row.Int(prSetTHPDisable), row.Int(on), row.Int(flags), row.Int(0), row.Int(0))
}

// Check adds the read-back.
func (s SetTHP) Check(p *row.Program) {
	want := int64(0)
	switch s.Mode {
	case THPDisable:
		want = 1
	case THPMadvise:
		want = 1 | thpExceptAdvised
	}
	p.Call(unix.SYS_PRCTL, want, row.Int(prGetTHPDisable), row.Int(0), row.Int(0), row.Int(0), row.Int(0))
}

// Prepare opens the file below self, the own directory of a verified /proc.
func (s *WriteProc) Prepare(self int) error {
	path := "/proc/self/" + s.File
	if self < 0 {
		return &os.PathError{Op: "open", Path: path, Err: errors.New("there is no /proc that knows this process")}
	}
	fd, err := unix.Openat2(self, s.File, &unix.OpenHow{
		Flags:   unix.O_RDWR | unix.O_CLOEXEC,
		Resolve: unix.RESOLVE_NO_XDEV | unix.RESOLVE_NO_SYMLINKS,
	})
	if err == unix.ENOSYS { // Linux before 5.6
		fd, err = unix.Openat(self, s.File, unix.O_RDWR|unix.O_CLOEXEC|unix.O_NOFOLLOW, 0)
	}
	if err != nil {
		return &os.PathError{Op: "open", Path: path, Err: err}
	}
	if fd < 3 {
		return &os.PathError{Op: "open", Path: path, Err: errStandard}
	}
	s.fd = fd
	return nil
}

// errStandard is an answer that open(2) cannot give, as 0, 1 and 2 are taken.
var errStandard = errors.New("answered a standard descriptor")

// Do adds the change.
func (s *WriteProc) Do(p *row.Program) {
	p.Call(unix.SYS_WRITE, int64(len(s.Text)), row.Int(s.fd), p.String(s.Text).Arg(), row.Int(len(s.Text)))
}

// Check adds the read-back.
func (s *WriteProc) Check(p *row.Program) {
	n := max(len(s.Expect), 64)
	out := p.Space(n)
	p.Poison(out, n)
	p.CallAtLeast(unix.SYS_PREAD64, int64(len(s.Expect)), row.Int(s.fd), out.Arg(), row.Int(n), row.Int(0))
	p.Same(out, []byte(s.Expect), row.FormText)
}

const (
	keySession = ^uint32(2) // KEY_SPEC_SESSION_KEYRING, -3
	keyUser    = ^uint32(3) // KEY_SPEC_USER_KEYRING, -4
)

// Prepare remembers which session keyring was inherited.
func (s *SetKeyring) Prepare(int) error {
	n, err := unix.KeyctlGetKeyringID(unix.KEY_SPEC_SESSION_KEYRING, false)
	if err != nil && err != unix.ENOKEY && !s.Default {
		return os.NewSyscallError("keyctl(KEYCTL_GET_KEYRING_ID)", err)
	}
	s.before = int64(n)
	return nil
}

// Do adds the change: an anonymous keyring, owned by who the process is by now.
func (s *SetKeyring) Do(p *row.Program) {
	p.CallAtLeast(unix.SYS_KEYCTL, 1, row.Int(unix.KEYCTL_JOIN_SESSION_KEYRING), row.Int(0))
	if s.Mode == KeyringShared {
		p.Call(unix.SYS_KEYCTL, 0, row.Int(unix.KEYCTL_LINK), row.Int(keyUser), row.Int(keySession))
	}
}

// Check adds the read-back: it is not the keyring that was inherited, and it
// belongs to who the process is.
func (s *SetKeyring) Check(p *row.Program) {
	p.CallDiffers(unix.SYS_KEYCTL, s.before, row.Int(unix.KEYCTL_GET_KEYRING_ID), row.Int(keySession), row.Int(0))
	head := "keyring;" + strconv.FormatUint(uint64(s.UID), 10) + ";" + strconv.FormatUint(uint64(s.GID), 10) + ";"
	const size = 256
	out := p.Space(size)
	p.Poison(out, size)
	p.CallAtLeast(unix.SYS_KEYCTL, int64(len(head)), row.Int(unix.KEYCTL_DESCRIBE), row.Int(keySession), out.Arg(), row.Int(size))
	p.Same(out, []byte(head), row.FormText)
}

// Do adds the change: dispositions first, the mask last, so that a signal that
// waits meets the disposition of the daemon.
func (s SetSignals) Do(p *row.Program) {
	p.Signals(s.Ignored)
	p.Call(unix.SYS_RT_SIGPROCMASK, 0, row.Int(2), p.Bytes(row.Uint64s(nil, s.Blocked)).Arg(), row.Int(0), row.Int(8))
}

// Check adds the read-back: the mask by its getter, mask and dispositions by
// the status text.
func (s SetSignals) Check(p *row.Program) {
	out := p.Space(8)
	p.Poison(out, 8)
	p.Call(unix.SYS_RT_SIGPROCMASK, 0, row.Int(0), row.Int(0), out.Arg(), row.Int(8))
	p.Same(out, row.Uint64s(nil, s.Blocked), row.FormHex64s)
	p.Line("SigBlk:\t", hex16(s.Blocked))
	p.Line("SigIgn:\t", hex16(s.Ignored))
	p.Line("SigCgt:\t", hex16(0))
}

func hex16(n uint64) string {
	s := strconv.FormatUint(n, 16)
	return "0000000000000000"[len(s):] + s
}

// Apply marks every descriptor from 3 on to be closed by execve(2), but for the
// kept ones, and lists what is open for the read-back. All that hardrun opens
// itself is marked from the start. It must come after the last open.
func (s *CloseDescriptors) Apply(self int) error {
	err := unix.CloseRange(3, ^uint(0)>>1, unix.CLOSE_RANGE_CLOEXEC)
	if err != nil && err != unix.ENOSYS && err != unix.EINVAL { // not there before Linux 5.9, the flag not before 5.11
		return os.NewSyscallError("close_range", err)
	}
	oneByOne := err != nil
	if err := s.look(self); err != nil {
		return err
	}
	for _, fd := range s.open {
		if oneByOne || s.keeps(fd) {
			if _, err := unix.FcntlInt(uintptr(fd), unix.F_SETFD, truth(!s.keeps(fd))); err != nil {
				return os.NewSyscallError("fcntl(F_SETFD)", err)
			}
		}
	}
	return nil
}

// look fills s.open. A small table of descriptors is asked number by number,
// which is cheaper than the listing in /proc, and the only way without one.
func (s *CloseDescriptors) look(self int) error {
	s.open = s.open[:0]
	if limit := s.Table; limit > 0 && limit <= 128 || self < 0 {
		if limit == 0 {
			limit = 4096
		}
		for fd := 3; fd < limit; fd++ {
			_, _, err := unix.RawSyscall(unix.SYS_FCNTL, uintptr(fd), unix.F_GETFD, 0)
			if err == 0 {
				s.open = append(s.open, fd)
			} else if err != unix.EBADF {
				return os.NewSyscallError("fcntl(F_GETFD)", err)
			}
		}
		return nil
	}
	dir, err := unix.Openat(self, "fd", unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return &os.PathError{Op: "open", Path: "/proc/self/fd", Err: err}
	}
	var buf [1024]byte
	names := make([]string, 0, 32)
	for {
		n, err := unix.ReadDirent(dir, buf[:])
		if err != nil {
			return &os.PathError{Op: "getdents64", Path: "/proc/self/fd", Err: err}
		}
		if n <= 0 {
			break
		}
		_, _, names = unix.ParseDirent(buf[:n], -1, names)
	}
	whole := false
	for _, name := range names {
		fd, err := strconv.Atoi(name)
		if err == nil && fd > 2 && fd != dir {
			s.open = append(s.open, fd)
		}
		whole = whole || err == nil && fd == dir
	}
	if !whole {
		return &os.PathError{Op: "getdents64", Path: "/proc/self/fd", Err: errors.New("the directory itself is open, and not listed")}
	}
	return os.NewSyscallError("close", unix.Close(dir))
}

// Verify is part of the rows (Check), as what is open must be so at the end.
func (s *CloseDescriptors) Verify() error { return nil }

// Check adds the read-back of every descriptor that is open.
func (s *CloseDescriptors) Check(p *row.Program) {
	for _, fd := range s.open {
		p.Call(unix.SYS_FCNTL, int64(truth(!s.keeps(fd))), row.Int(fd), row.Int(unix.F_GETFD))
	}
}

func (s *CloseDescriptors) keeps(fd int) bool {
	for _, k := range s.Keep {
		if k == fd {
			return true
		}
	}
	return false
}

// Do adds the change.
func (s CloseStandard) Do(p *row.Program) { p.Call(unix.SYS_CLOSE, 0, row.Int(s.FD)) }

// Check adds the read-back: no such descriptor.
func (s CloseStandard) Check(p *row.Program) {
	p.Call(unix.SYS_FCNTL, -int64(unix.EBADF), row.Int(s.FD), row.Int(unix.F_GETFD))
}

// Check adds the read-back: the same file as at the start, fstat(2).
func (s KeepStandard) Check(p *row.Program) {
	const size = 256 // more than a struct stat of any machine; dev and ino stand first
	out := p.Space(size)
	p.Poison(out, 16)
	p.Call(unix.SYS_FSTAT, 0, row.Int(s.FD), out.Arg())
	p.Same(out, row.Uint64s(nil, s.Dev, s.Ino), row.FormHex64s)
}

// Do changes nothing.
func (s KeepStandard) Do(*row.Program) {}
