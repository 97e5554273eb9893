package process

import "strconv"

// FirstPassed is the number of the first descriptor that is passed on, sd_listen_fds(3).
const FirstPassed = 3

// PassDescriptors moves descriptors to 3 and on, in their order, and leaves them open over
// execve(2). What else is open there must not be needed any more.
type PassDescriptors struct {
	From  []int      // where they are
	Modes []Blocking // of each

	high  []int       // copies, above where they go
	files []fileState // what each of them is
	flags []int       // as fcntl(F_GETFL) answers
}

// Blocking says what becomes of O_NONBLOCK.
type Blocking uint8

// The ways of O_NONBLOCK.
const (
	AsPassed    Blocking = iota // as it was given
	Blocks                      // off
	NonBlocking                 // on
)

func (s *PassDescriptors) String() string {
	t := "pass " + strconv.Itoa(len(s.From)) + " as " + strconv.Itoa(FirstPassed)
	if n := len(s.From); n > 1 {
		t += " to " + strconv.Itoa(FirstPassed+n-1)
	}
	return t
}

// Mechanism is the call as strace shows it.
func (s *PassDescriptors) Mechanism() string {
	return "dup3, fcntl(F_SETFL) × " + strconv.Itoa(len(s.From))
}
