package seccomp

import "strconv"

// Install loads one program for the thread that will execute the daemon, and
// asks its canary. It is the last step before execve(2): it may forbid all else.
type Install struct {
	Program Program
	What    string // the line of plan
}

func (s *Install) String() string { return s.What }

// Mechanism is the call as strace shows it.
func (s *Install) Mechanism() string {
	return "seccomp(SECCOMP_SET_MODE_FILTER), " + strconv.Itoa(len(s.Program)) + " instructions"
}
