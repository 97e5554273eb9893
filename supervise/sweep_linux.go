package supervise

import (
	"errors"
	"os"
	"strconv"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Sweeper ends what is left of commands that a process runs before it executes the main command in
// place of itself: there, they would be children of a daemon that knows nothing of them. Children
// that were there before are left alone.
type Sweeper struct {
	l   loop
	was int32 // whether the process was a subreaper
}

// sweepTime is how long what was killed may take to end, in microseconds.
const sweepTime = 10e6

// NewSweeper makes this process a subreaper until End. The calling goroutine must be locked to the
// thread that starts the commands.
func NewSweeper(say func(text string)) (*Sweeper, error) {
	s := &Sweeper{l: loop{host: &Host{Say: say}, exec: -1, mainFD: -1}}
	s.l.machine.Spec = &Spec{NotifyFD: -1}
	if err := unix.Prctl(unix.PR_GET_CHILD_SUBREAPER, uintptr(unsafe.Pointer(&s.was)), 0, 0, 0); err != nil {
		return nil, os.NewSyscallError("prctl(PR_GET_CHILD_SUBREAPER)", err)
	}
	if _, err := ended(); err != unix.ECHILD { // otherwise there is no child before
		if s.l.proc, err = openProc(); err == nil {
			err = s.l.proc.notePrior()
		}
		if err != nil {
			return nil, err
		}
	}
	return s, s.reaps(1)
}

func (s *Sweeper) reaps(on int32) error {
	is := int32(-1)
	err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, uintptr(on), 0, 0, 0)
	if err == nil {
		err = unix.Prctl(unix.PR_GET_CHILD_SUBREAPER, uintptr(unsafe.Pointer(&is)), 0, 0, 0)
	}
	if err == nil && is != on {
		err = unix.EIO
	}
	return os.NewSyscallError("prctl(PR_SET_CHILD_SUBREAPER)", err)
}

// Sweep kills what is left of a command that was waited for, and waits for its end.
func (s *Sweeper) Sweep() error {
	begin := s.l.now()
	for {
		if _, err := ended(); err == unix.ECHILD {
			return nil
		}
		if s.l.proc == nil {
			var err error
			if s.l.proc, err = openProc(); err != nil {
				return err
			}
		}
		list, err := s.l.proc.all()
		if err != nil {
			return err
		}
		left := 0
		for _, one := range list {
			if one.parent != s.l.proc.self || s.l.proc.isPrior(one.pid) {
				continue
			}
			pid, err := unix.Wait4(one.pid, nil, unix.WNOHANG, nil)
			if err != nil && err != unix.EINTR {
				return os.NewSyscallError("wait4", err)
			}
			if pid == 0 || err != nil {
				left = one.pid
			}
		}
		if left == 0 {
			return nil
		}
		if s.l.now()-begin > sweepTime {
			return errors.New("process " + strconv.Itoa(left) + " is left, was killed, and does not end")
		}
		s.l.strike(int(unix.SIGKILL), false, 0, 0)
		nap := unix.Timespec{Nsec: 1e6}
		_ = unix.Nanosleep(&nap, nil) // a shorter one does no harm
	}
}

// End makes the process what it was.
func (s *Sweeper) End() error { return s.reaps(s.was) }
