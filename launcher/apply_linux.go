package launcher

import (
	"errors"

	"github.com/hardrun/hardrun/ns"
	"github.com/hardrun/hardrun/row"
	"golang.org/x/sys/unix"
)

// Thread is the one thread that acts: the leader of the process, locked since
// init, with the state that was there before the Go runtime.
type Thread struct {
	Snapshot Snapshot
	// Run is the executor. It works the rows off and does not return: the last
	// row is execve(2), and a failure ends the process.
	Run func(p *row.Program, statusFD int)
	// RunAgain is Run in a process of one thread: hardrun executes itself, with the
	// rows in a sealed memfd, and the constructor works them off. The descriptors of
	// keep and the status text stay open over that.
	RunAgain func(p *row.Program, statusFD int, keep []int)
	// Guessed says that the constructor made a PID namespace because the options seemed
	// to ask for it: its parent waits to hear whether that was right.
	Guessed bool
	// Move starts a thread that writes "0" to a descriptor, a cgroup.procs, and answers what
	// waits for that.
	Move func(fd int) (wait func() error, err error)
	// Warn prints one line of hardrun's own.
	Warn func(text string)
}

// What a step of Go does. Packages below have these methods without knowing. self
// is the own directory of a verified /proc, or -1.
type (
	preparer interface{ Prepare(self int) error }
	applier  interface {
		Apply(self int) error
		Verify() error
	}
	doer interface {
		Do(p *row.Program)
	}
	checker interface {
		Check(p *row.Program)
	}
	// A loader comes behind the last read-back, as nothing can be read after it.
	loader interface {
		Load(p *row.Program) error
	}
)

// Sealed is a plan whose first part was applied and read back, and whose second
// part was lowered to rows that read themselves back. Only Apply makes one, and
// only a Sealed can exec.
type Sealed struct {
	thread *Thread
	rows   *row.Program
	status int
	again  bool  // the rows need a process of one thread
	keep   []int // descriptors which they need
}

// Apply opens what must be opened, then applies and reads back step by step,
// and stops at the first error. After an error the process must end: it may be
// between two states.
func (pl *Plan) Apply(t *Thread) (Sealed, error) {
	if len(pl.Refused) > 0 {
		return Sealed{}, &pl.Refused[0]
	}
	for _, h := range pl.homes {
		h.Mover = t.Move
	}
	root, err := pl.prepare()
	if err != nil {
		return Sealed{}, err
	}
	if err := pl.apply(t, StageAgain, stageCount); err != nil {
		return Sealed{}, err
	}
	if root != nil && root.Fallback() != nil {
		t.Warn("note: RootDirectory=: " + root.Fallback().Error() + ": chroot(2) is used in place of pivot_root(2)")
	}
	rows, err := pl.lower()
	if err != nil {
		return Sealed{}, err
	}
	sealed := Sealed{thread: t, rows: rows, status: pl.status}
	for i := range pl.Entries {
		if pl.Entries[i].Stage == StageUserNS {
			sealed.again = true
			sealed.keep = append(sealed.keep, pl.self)
		}
	}
	if pl.join != nil {
		sealed.keep = append(sealed.keep, pl.join.FD())
	}
	for i := range pl.Entries {
		if s, is := pl.Entries[i].Step.(interface{ FDs() []int }); is {
			sealed.keep = append(sealed.keep, s.FDs()...)
		}
	}
	return sealed, nil
}

// ApplyBefore does what comes before a second start, Plan.Start.
func (pl *Plan) ApplyBefore(t *Thread) error {
	if len(pl.Refused) > 0 {
		return &pl.Refused[0]
	}
	for i := range pl.Entries {
		e := &pl.Entries[i]
		if s, ok := e.Step.(preparer); ok && e.Stage == StageBefore {
			if err := s.Prepare(pl.self); err != nil {
				return e.error(err)
			}
		}
	}
	return pl.apply(t, StageBefore, StageAgain)
}

// apply applies and reads back the steps of Go from one stage on, up to another.
func (pl *Plan) apply(t *Thread, from, to Stage) error {
	for i := range pl.Entries {
		e := &pl.Entries[i]
		s, ok := e.Step.(applier)
		if !ok || e.Stage < from || e.Stage >= to {
			continue
		}
		err := s.Apply(pl.self)
		if err != nil && e.flags&(row.Waivable|row.Optional) != 0 && environmental(err) {
			if e.flags&row.Optional == 0 {
				t.Warn("waived " + e.error(err).Error())
			}
			if s, ok := e.Step.(interface{ GiveUp() }); ok {
				s.GiveUp()
			}
			continue
		}
		if err == nil {
			err = s.Verify()
		}
		if err != nil {
			failed := e.error(err)
			if e.Exit == ExitNamespace && environmental(err) {
				failed.Hints = pl.without()
			}
			return failed
		}
	}
	return nil
}

// prepare opens what is opened in the host's view, before anything changes.
func (pl *Plan) prepare() (*ns.RootState, error) {
	var root *ns.RootState
	for i := range pl.Entries {
		e := &pl.Entries[i]
		if r, ok := e.Step.(ns.ChangeRoot); ok {
			root = r.Root
			if err := root.Open(pl.self); err != nil {
				return nil, e.error(err)
			}
		}
		if s, ok := e.Step.(preparer); ok {
			if err := s.Prepare(pl.self); err != nil {
				return nil, e.error(err)
			}
		}
	}
	return root, nil
}

func (e *Entry) error(err error) *Error {
	return &Error{Stage: e.Stage, Step: e.Step.String(), Directive: e.Directive, Origin: e.Origin, Exit: e.Exit, Err: err}
}

// lower writes the rows: each change with its read-back, then every state once
// more, then what may forbid all reading, then execve.
func (pl *Plan) lower() (*row.Program, error) {
	p := &row.Program{FullStatus: pl.fullStatus}
	p.Reserve(384, 12<<10)
	steps := make([]row.Step, len(pl.Entries))
	var last *execStep
	for i := range pl.Entries {
		e := &pl.Entries[i]
		if s, ok := e.Step.(*execStep); ok {
			last = s
		}
		switch e.Step.(type) {
		case doer, checker, loader:
		default:
			continue
		}
		steps[i] = row.Step{
			Text:  e.Stage.String() + ": " + e.Step.String(),
			Tail:  tail(e.Directive, e.Origin),
			Exit:  uint8(e.Exit),
			Group: e.group,
			Flags: e.flags,
		}
		if s, ok := e.Step.(doer); ok {
			p.Step(&steps[i])
			s.Do(p)
			if s, ok := e.Step.(checker); ok {
				s.Check(p)
			}
		}
	}
	if last == nil || last.plan.path == "" {
		return nil, errors.New("internal error: a plan without a command")
	}
	p.Step(&row.Step{Text: "read back: /proc/self/status", Exit: ExitExec})
	p.ReadOnly(pl.status >= 0)
	for i := range pl.Entries {
		e := &pl.Entries[i]
		if s, ok := e.Step.(checker); ok && !e.Transient {
			p.Step(&steps[i])
			s.Check(p)
		}
	}
	for i := range pl.Entries {
		if s, ok := pl.Entries[i].Step.(loader); ok {
			p.Step(&steps[i])
			if err := s.Load(p); err != nil {
				return nil, pl.Entries[i].error(err)
			}
		}
	}
	p.Step(&row.Step{Text: "exec: " + pl.path, Exit: ExitExec})
	last.Exec(p)
	return p, nil
}

// Exec runs the rows. It does not return.
func (s Sealed) Exec() error {
	if s.rows == nil || s.thread.Run == nil {
		return errors.New("internal error: exec of what was not applied")
	}
	if s.again {
		s.thread.RunAgain(s.rows, s.status, s.keep)
	} else {
		s.thread.Run(s.rows, s.status)
	}
	return errors.New("internal error: the executor returned")
}

// Do adds the change.
func (guard) Do(p *row.Program) {
	p.Call(unix.SYS_PRCTL, 0, row.Int(unix.PR_SET_DUMPABLE), row.Int(0))
}

// Check adds the read-back, and a prctl whose right answer is not 0.
func (guard) Check(p *row.Program) {
	p.Call(unix.SYS_PRCTL, 0, row.Int(unix.PR_GET_DUMPABLE))
	p.Call(unix.SYS_PRCTL, -int64(unix.EINVAL), row.Int(unix.PR_CAPBSET_READ), row.Int(63))
}

// Do takes the flag back.
func (dropKeepCaps) Do(p *row.Program) {
	p.Call(unix.SYS_PRCTL, 0, row.Int(unix.PR_SET_KEEPCAPS), row.Int(0))
}

// Check adds the read-back, and a prctl whose right answer is not 0.
func (dropKeepCaps) Check(p *row.Program) {
	p.Call(unix.SYS_PRCTL, 0, row.Int(unix.PR_GET_KEEPCAPS))
	p.Call(unix.SYS_PRCTL, -int64(unix.EINVAL), row.Int(unix.PR_CAPBSET_READ), row.Int(63))
}
