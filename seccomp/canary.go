package seccomp

import "errors"

// Canary is a call that nothing makes, and to which no kernel answers as the
// filter does: that it is answered so shows that the filter is in force. The
// nonce is random, since an outer hardrun has a canary of its own. So is the answer: who only
// says that a filter is loaded cannot know it.
type Canary struct {
	PRCTL uint32 // the number of prctl(2)
	Arch  uint32
	Nonce uint32
	Odd   uint16 // below CanaryAnswers: what is taken from CanaryErrno
}

const (
	// CanaryOption is the first argument of the canary's prctl(2).
	CanaryOption = 0x48524e00
	// CanaryErrno is the largest that it is answered. It is one that a filter can
	// give (MAX_ERRNO is 4095), and none that a kernel does.
	CanaryErrno = 3999
	// CanaryAnswers is how many errors it may be answered.
	CanaryAnswers = 1000
)

// Answer is the error that the canary is answered.
func (c Canary) Answer() uint32 { return CanaryErrno - uint32(c.Odd%CanaryAnswers) }

// With puts the canary before a program, as its first rule: whatever the program
// forbids, the canary can be asked. The program itself is not changed, as its
// jumps are relative.
func (c Canary) With(p Program) (Program, error) {
	const (
		loadWord = classLD | modeABS
		ifEqual  = classJMP | 0x10
		ret      = classRET
	)
	head := Program{
		{Code: loadWord, K: 4},
		{Code: ifEqual, K: c.Arch, JF: 7},
		{Code: loadWord, K: 0},
		{Code: ifEqual, K: c.PRCTL, JF: 5},
		{Code: loadWord, K: 16},
		{Code: ifEqual, K: CanaryOption, JF: 3},
		{Code: loadWord, K: 24},
		{Code: ifEqual, K: c.Nonce, JF: 1},
		{Code: ret, K: uint32(Errno) | c.Answer()},
	}
	if len(p)+len(head) > MaxLength {
		return nil, errors.New("the program is too long to put the canary before it")
	}
	out := append(head, p...)
	return out, out.Check()
}
