package inspect

import "github.com/hardrun/hardrun/seccomp"

// A question is a call of which a part is known: what can a filter answer to any call that
// has these values, and whatever else? Words are those of struct seccomp_data.
type question struct {
	words [16]uint32
	known uint16 // by their places in words
}

// The first of the words of each field.
const (
	wordNR, wordArch, wordArgs = 0, 1, 4
)

// ask is a question about all calls of a number. On 32-bit architectures the upper halves of
// arguments are 0; elsewhere they are what the caller puts there, even where the kernel
// takes the lower half alone.
func ask(abi *seccomp.ABI, nr uint32) question {
	q := question{known: 1<<wordNR | 1<<wordArch}
	q.words[wordNR], q.words[wordArch] = nr, abi.Arch
	const wide = 0x80000000 // __AUDIT_ARCH_64BIT
	if abi.Arch&wide == 0 {
		for arg := range 6 {
			q.known |= 1 << (wordArgs + 2*arg + upper(abi))
		}
	}
	return q
}

// with gives an argument the lower half that the kernel looks at.
func (q question) with(abi *seccomp.ABI, arg int, v uint32) question {
	w := wordArgs + 2*arg + 1 - upper(abi)
	q.words[w], q.known = v, q.known|1<<w
	return q
}

// full gives an argument all 64 bits, for calls which look at all of them.
func (q question) full(abi *seccomp.ABI, arg int, v uint32) question {
	q = q.with(abi, arg, v)
	w := wordArgs + 2*arg + upper(abi)
	q.words[w], q.known = 0, q.known|1<<w
	return q
}

// upper is which word of an argument is its upper half: the second one on a little-endian
// machine.
func upper(abi *seccomp.ABI) int {
	const little = 0x40000000 // __AUDIT_ARCH_LE
	if abi.Arch&little != 0 {
		return 1
	}
	return 0
}

// answers are what a filter may answer to a question.
type answers uint8

const (
	mayPass answers = 1 << iota // the call is made
	mayAsk                      // a supervisor decides, SECCOMP_RET_USER_NOTIF
	mayDeny
)

func answerOf(a seccomp.Action) answers {
	switch {
	case a.Passes():
		return mayPass
	case a&0xffff0000 == seccomp.Notify:
		return mayAsk
	}
	return mayDeny // and SECCOMP_RET_TRACE: nobody traces whose filter could be read
}

// reach finds answers. It keeps its memory from one question to the next.
type reach struct {
	at [seccomp.MaxLength]machine
}

// machine is the state of a program at an instruction, as far as it is the same on every
// way that leads there. Register n is a word of memory, and 16 and 17 are A and X.
type machine struct {
	value [18]uint32
	known uint32
	live  bool // some way leads there
}

const regA, regX = 16, 17

// The parts of an instruction code, linux/bpf_common.h.
const (
	bpfLD, bpfLDX, bpfST, bpfSTX, bpfALU, bpfJMP, bpfRET = 0, 1, 2, 3, 4, 5, 6

	bpfIMM, bpfABS, bpfMEM, bpfLEN = 0x00, 0x20, 0x60, 0x80

	bpfX    = 0x08
	bpfRetA = 0x10
	bpfTXA  = 0x80

	sizeOfData = 64 // of struct seccomp_data
)

func (m *machine) get(r int) (uint32, bool) { return m.value[r], m.known>>r&1 == 1 }

func (m *machine) set(r int, v uint32, known bool) {
	m.value[r] = v
	m.known &^= 1 << r
	if known {
		m.known |= 1 << r
	}
}

// join is what is the same on both ways.
func (m *machine) join(o *machine) {
	if !m.live {
		*m = *o
		return
	}
	for r := range m.value {
		if m.value[r] != o.value[r] {
			m.known &^= 1 << r
		}
	}
	m.known &= o.known
}

// of a stack are the answers of all its programs together: a call passes only where it
// passes each of them.
func (r *reach) of(s *Stack, q *question) answers {
	if s.Strict {
		return answerOf(strict(q.words[wordArch], q.words[wordNR]))
	}
	all := mayPass
	for _, p := range s.Programs {
		a := r.program(p, q)
		var next answers
		if all&mayPass != 0 {
			next |= a
		}
		if all&mayAsk != 0 {
			next |= a & (mayAsk | mayDeny)
			if a&mayPass != 0 {
				next |= mayAsk
			}
		}
		all = next | all&mayDeny
	}
	return all
}

// program is what one program may answer. Jumps go forward only, so that one pass over the
// instructions sees all ways. It may think a way possible that is none, where two tests of
// the same argument exclude each other, and never misses one.
func (r *reach) program(p seccomp.Program, q *question) answers {
	for i := range p {
		r.at[i].live = false
	}
	const everything = 1<<18 - 1
	r.at[0] = machine{live: true, known: everything} // the kernel clears memory and registers
	var found answers
	for pc := range p {
		m := &r.at[pc]
		if !m.live {
			continue
		}
		i := p[pc]
		to := func(target int) {
			if target < len(p) {
				r.at[target].join(m)
			}
		}
		switch i.Code & 7 {
		case bpfJMP:
			if i.Code&0xf0 == 0 {
				to(pc + 1 + int(i.K))
				continue
			}
			yes, no := m.branches(i)
			if yes {
				to(pc + 1 + int(i.JT))
			}
			if no {
				to(pc + 1 + int(i.JF))
			}
		case bpfRET:
			if i.Code&0x18 != bpfRetA {
				found |= answerOf(seccomp.Action(i.K))
			} else if v, known := m.get(regA); known {
				found |= answerOf(seccomp.Action(v))
			} else {
				found |= mayPass | mayAsk | mayDeny
			}
		default:
			runs, sure := m.step(i, q)
			if !runs || !sure { // a division by zero ends the program
				found |= mayDeny
			}
			if runs {
				to(pc + 1)
			}
		}
	}
	return found
}

// step does what an instruction does that neither jumps nor returns. It tells whether the
// program goes on behind it, and whether that is sure.
func (m *machine) step(i seccomp.Instruction, q *question) (runs, sure bool) {
	switch i.Code & 7 {
	case bpfLD, bpfLDX:
		to := regA
		if i.Code&7 == bpfLDX {
			to = regX
		}
		switch i.Code &^ 7 {
		case bpfABS:
			m.set(to, q.words[i.K/4%16], q.known>>(i.K/4%16)&1 == 1)
		case bpfIMM:
			m.set(to, i.K, true)
		case bpfLEN:
			m.set(to, sizeOfData, true)
		case bpfMEM:
			v, known := m.get(int(i.K & 15))
			m.set(to, v, known)
		}
	case bpfST:
		v, known := m.get(regA)
		m.set(int(i.K&15), v, known)
	case bpfSTX:
		v, known := m.get(regX)
		m.set(int(i.K&15), v, known)
	case bpfALU:
		return m.compute(i)
	default: // BPF_MISC
		from, to := regA, regX
		if i.Code&0xf8 == bpfTXA {
			from, to = regX, regA
		}
		v, known := m.get(from)
		m.set(to, v, known)
	}
	return true, true
}

// operand is K or X.
func (m *machine) operand(i seccomp.Instruction) (uint32, bool) {
	if i.Code&bpfX != 0 {
		return m.get(regX)
	}
	return i.K, true
}

func (m *machine) compute(i seccomp.Instruction) (runs, certain bool) {
	a, known := m.get(regA)
	b, sure := m.operand(i)
	known = known && sure
	certain = true
	switch i.Code & 0xf0 {
	case 0x00:
		a += b
	case 0x10:
		a -= b
	case 0x20:
		a *= b
	case 0x30:
		if sure && b == 0 {
			return false, true
		}
		certain = sure
		if known {
			a /= b
		}
	case 0x40:
		a |= b
	case 0x50:
		if sure && b == 0 {
			known = true
		}
		a &= b
	case 0x60:
		a <<= b & 31
	case 0x70:
		a >>= b & 31
	case 0x80:
		a = -a
	case 0xa0:
		a ^= b
	}
	m.set(regA, a, known)
	return true, certain
}

// branches tells which ways a conditional jump may go.
func (m *machine) branches(i seccomp.Instruction) (yes, no bool) {
	a, known := m.get(regA)
	b, sure := m.operand(i)
	if !known || !sure {
		return true, true
	}
	switch i.Code & 0xf0 {
	case 0x10:
		yes = a == b
	case 0x20:
		yes = a > b
	case 0x30:
		yes = a >= b
	case 0x40:
		yes = a&b != 0
	}
	return yes, !yes
}
