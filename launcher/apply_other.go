//go:build freebsd || netbsd || openbsd

package launcher

import (
	"errors"
	"os"
	"runtime/debug"

	"github.com/hardrun/hardrun/ns"
	"github.com/hardrun/hardrun/row"
	"golang.org/x/sys/unix"
)

// Thread is who acts. Credentials belong to the process on these systems.
type Thread struct {
	Snapshot Snapshot
	Guessed  bool // never
	// Warn prints one line of hardrun's own.
	Warn func(text string)
}

// What a step of a plan does. Packages below have these methods without knowing.
type (
	preparer interface{ Prepare(proc int) error }
	applier  interface {
		Apply(proc int) error
		Verify() error
	}
)

// noProc stands for the /proc that only Linux has.
const noProc = -1

// Sealed is a plan that was applied and read back. Only Apply makes one, and
// only a Sealed can exec.
type Sealed struct {
	plan   *Plan
	waived map[int]bool // entries that were given up
}

// Apply opens what must be opened, then applies and reads back step by step, and
// stops at the first error. After an error the process must end: it may be
// between two states.
//
// Limits are lowered while the Go runtime still runs. One that leaves it no
// memory ends the process before the daemon is started.
func (pl *Plan) Apply(t *Thread) (Sealed, error) {
	if len(pl.Refused) > 0 {
		return Sealed{}, &pl.Refused[0]
	}
	if err := pl.complete(); err != nil {
		return Sealed{}, err
	}
	debug.SetGCPercent(-1) // little is left to do, and a lowered limit leaves a collector no room
	sealed := Sealed{plan: pl, waived: make(map[int]bool)}
	for i := range pl.Entries {
		e := &pl.Entries[i]
		if r, ok := e.Step.(ns.ChangeRoot); ok {
			if err := r.Root.Open(noProc); err != nil {
				return Sealed{}, e.error(err)
			}
		}
		if s, ok := e.Step.(preparer); ok {
			if err := s.Prepare(noProc); err != nil {
				return Sealed{}, e.error(err)
			}
		}
	}
	for i := range pl.Entries {
		e := &pl.Entries[i]
		s, ok := e.Step.(applier)
		if !ok {
			continue
		}
		err := s.Apply(noProc)
		if err != nil && e.flags&row.Waivable != 0 && environmental(err) {
			t.Warn("waived " + e.error(err).Error())
			sealed.waived[i] = true
			continue
		}
		if err == nil {
			err = s.Verify()
		}
		if err != nil {
			return Sealed{}, e.error(err)
		}
	}
	return sealed, nil
}

// environmental tells whether an error is one of the environment, which is what
// a waiver is for.
func environmental(err error) bool {
	for _, e := range [...]unix.Errno{unix.EPERM, unix.EACCES, unix.ENOSYS, unix.EOPNOTSUPP, unix.ENOSPC} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

// complete shows, before the first step, that this system has every step of the
// plan, and that there is a command.
func (pl *Plan) complete() error {
	for i := range pl.Entries {
		e := &pl.Entries[i]
		switch e.Step.(type) {
		case applier, environStep, *execStep:
			continue
		}
		return e.error(errors.New("internal error: this system has no such step"))
	}
	if pl.path == "" || pl.command == nil {
		return errors.New("internal error: a plan without a command")
	}
	return nil
}

// Exec reads every state back once more, and execs. It returns only an error.
func (s Sealed) Exec() error {
	if s.plan == nil {
		return errors.New("internal error: exec of what was not applied")
	}
	for i := range s.plan.Entries {
		e := &s.plan.Entries[i]
		// A terminal is asked for by /dev/tty, which is a file of the new root by now.
		if e.Transient || s.waived[i] || e.Stage == StageTerminal {
			continue
		}
		step, ok := e.Step.(applier)
		if !ok {
			continue
		}
		if err := step.Verify(); err != nil {
			return e.error(err)
		}
	}
	last := &s.plan.Entries[len(s.plan.Entries)-1]
	if err := s.plan.command.same(s.plan.path); err != nil {
		return last.error(err)
	}
	// By path: by descriptor scripts break. The limit of descriptors that the Go
	// runtime raised is put back by Exec, unless LimitNOFILE= set it.
	return last.error(os.NewSyscallError("execve", unix.Exec(s.plan.path, s.plan.argv, s.plan.environ)))
}

func (e *Entry) error(err error) *Error {
	return &Error{Stage: e.Stage, Step: e.Step.String(), Directive: e.Directive, Origin: e.Origin, Exit: e.Exit, Err: err}
}
