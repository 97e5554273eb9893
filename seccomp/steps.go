package seccomp

import "strconv"

// Install loads one program for the thread that will execute the daemon, and
// asks its canary. It is the last step before execve(2): it may forbid all else.
type Install struct {
	Program Program
	What    string // the line of plan
	Explain *Explain
}

// Explain has the denials of a filter explained: the kernel asks about each, by a
// descriptor that is sent over Socket together with all that is needed for an answer.
// The answer is the verdict of the filter, and nothing changes for the daemon.
type Explain struct {
	Filter   *Filter
	Socket   int
	Killable bool // SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV is known
}

func (s *Install) String() string { return s.What }

// Mechanism is the call as strace shows it.
func (s *Install) Mechanism() string {
	return "seccomp(SECCOMP_SET_MODE_FILTER), " + strconv.Itoa(len(s.Program)) + " instructions"
}
