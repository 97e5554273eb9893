package inspect

import (
	"strconv"
	"time"

	"github.com/hardrun/hardrun/seccomp"
)

// Filters are the filters of system calls of a process, as they were loaded. The zero
// Filters are those of a process that has none.
type Filters struct {
	// Stacks are those of the threads: one for each number of filters that a thread has.
	Stacks []Stack
	// Stopped is for how long a thread was held at most: from when it was asked to stop.
	Stopped time.Duration
}

// Stack is what one thread has. The kernel asks all of its programs about each call.
type Stack struct {
	Thread   int               // its ID
	Strict   bool              // SECCOMP_MODE_STRICT: read, write, _exit, sigreturn, seccomp(2)
	Programs []seccomp.Program // the one that was loaded first is the first
}

// Decide is the verdict on a call: of the programs of a thread the most restrictive one, as
// in seccomp(2), and of the threads the most permissive one.
func (f Filters) Decide(d seccomp.Data) seccomp.Action {
	if len(f.Stacks) == 0 {
		return seccomp.Allow
	}
	weakest := f.Stacks[0].decide(d)
	for i := range f.Stacks[1:] {
		if a := f.Stacks[i+1].decide(d); stricter(weakest, a) {
			weakest = a
		}
	}
	return weakest
}

// Any tells whether every thread has a filter.
func (f Filters) Any() bool {
	for i := range f.Stacks {
		if !f.Stacks[i].Strict && len(f.Stacks[i].Programs) == 0 {
			return false
		}
	}
	return len(f.Stacks) > 0
}

// stricter tells whether a decides over b where both are loaded: actions compare as signed
// numbers, kernel/seccomp.c.
func stricter(a, b seccomp.Action) bool {
	const action = 0xffff0000
	return int32(a&action) < int32(b&action)
}

func (s *Stack) decide(d seccomp.Data) seccomp.Action {
	if s.Strict {
		return strict(d.Arch, d.NR)
	}
	verdict := seccomp.Action(seccomp.Allow)
	// The one that was loaded last is asked first, and keeps its answer among equals.
	for i := len(s.Programs) - 1; i >= 0; i-- {
		a, err := s.Programs[i].Eval(d)
		if err != nil { // no kernel takes such a program
			a = seccomp.KillProcess
		}
		if stricter(a, verdict) {
			verdict = a
		}
	}
	return verdict
}

// strict is the verdict of SECCOMP_MODE_STRICT, seccomp(2): four calls of an ABI pass.
func strict(arch, nr uint32) seccomp.Action {
	for _, abi := range seccomp.ABIs() {
		if abi.Arch != arch {
			continue
		}
		if c, ok := abi.Call(nr); ok {
			switch c.String() {
			case "read", "write", "exit", "rt_sigreturn", "sigreturn":
				return seccomp.Allow
			}
		}
	}
	return seccomp.KillThread
}

// FilterError says why the filters of a process could not be read.
type FilterError struct {
	PID    int
	Reason FilterReason
	Err    error // the errno where the kernel refused; else nil
}

// FilterReason is why filters could not be read.
type FilterReason uint8

// The reasons.
const (
	// FilterGone is a process or thread that has ended, or is about to.
	FilterGone FilterReason = iota
	// FilterTraced is one that another process traces already, as strace(1) and gdb(1) do.
	FilterTraced
	// FilterDenied is a caller without CAP_SYS_ADMIN, or without the right to trace.
	FilterDenied
	// FilterCaller is a caller that has a filter itself.
	FilterCaller
	// FilterKernel is a kernel without CONFIG_CHECKPOINT_RESTORE, or one before Linux 4.4.
	FilterKernel
	// FilterBusy is a thread that did not stop in time: it waits inside of the kernel.
	FilterBusy
	// FilterOther is anything else: Err says it.
	FilterOther
)

func (e *FilterError) Error() string {
	var why string
	switch e.Reason {
	case FilterGone:
		why = "it has ended"
	case FilterTraced:
		why = "it is traced already, by a debugger"
	case FilterDenied:
		why = "needs CAP_SYS_ADMIN, and the right to trace it"
	case FilterCaller:
		why = "who has a filter cannot read one"
	case FilterKernel:
		why = "the kernel has no CONFIG_CHECKPOINT_RESTORE"
	case FilterBusy:
		why = "it waits inside of the kernel, and did not stop"
	}
	if e.Err != nil {
		if why != "" {
			why += ": "
		}
		why += e.Err.Error()
	}
	return "the filter of process " + strconv.Itoa(e.PID) + " cannot be read: " + why
}

// Unwrap is the errno, for errors.Is.
func (e *FilterError) Unwrap() error { return e.Err }
