// Package seccomp knows filters of system calls: what a program of them decides,
// and how it is shown that one is in force.
//
//	prog, err := seccomp.Parse(bytes)
//	action, err := prog.Eval(seccomp.Data{NR: 59, Arch: seccomp.ArchX86_64})
package seccomp

import (
	"encoding/binary"
	"errors"
	"strconv"
)

// Instruction is struct sock_filter of linux/filter.h, classic BPF.
type Instruction struct {
	Code   uint16
	JT, JF uint8
	K      uint32
}

// Program is a filter as seccomp(2) takes it.
type Program []Instruction

// MaxLength is BPF_MAXINSNS, the longest program that the kernel takes.
const MaxLength = 4096

// Data is struct seccomp_data, what a program sees of a call.
type Data struct {
	NR   uint32
	Arch uint32 // AUDIT_ARCH_ of linux/audit.h
	IP   uint64
	Args [6]uint64
}

// Action is the verdict of a program: an action in the upper half, its data in
// the lower one.
type Action uint32

// The actions of seccomp(2), the most restrictive first.
const (
	KillProcess Action = 0x80000000
	KillThread  Action = 0x00000000
	Trap        Action = 0x00030000
	Errno       Action = 0x00050000 // the lower half is the errno
	Notify      Action = 0x7fc00000
	Trace       Action = 0x7ff00000
	Log         Action = 0x7ffc0000
	Allow       Action = 0x7fff0000
)

const actionMask = 0xffff0000

// Passes tells whether the call is made.
func (a Action) Passes() bool { return a&actionMask == Allow || a&actionMask == Log }

// Denies tells whether the call answers an error.
func (a Action) Denies() bool { return a&actionMask == Errno }

// Kills tells whether the process, or the thread, is ended.
func (a Action) Kills() bool { return a&actionMask == KillProcess || a&actionMask == KillThread }

func (a Action) String() string {
	switch a & actionMask {
	case KillProcess:
		return "kill process"
	case KillThread:
		return "kill thread"
	case Trap:
		return "trap"
	case Errno:
		return "errno " + a.ErrnoText()
	case Notify:
		return "notify"
	case Trace:
		return "trace"
	case Log:
		return "log"
	case Allow:
		return "allow"
	}
	return "action 0x" + strconv.FormatUint(uint64(a), 16)
}

// ErrnoText is the name of the error that an action of Errno gives, or its number.
func (a Action) ErrnoText() string {
	if name := errnoName(uint16(a &^ actionMask)); name != "" {
		return name
	}
	return strconv.Itoa(int(a &^ actionMask))
}

// Parse reads a program as it stands in a file that bubblewrap, setpriv or
// libseccomp wrote: an array of struct sock_filter in the order of bytes of the
// machine. It takes what the kernel would take: every jump lands inside and goes
// forward, every path ends in a return, only the loads of seccomp are there.
func Parse(b []byte) (Program, error) {
	const size = 8
	switch {
	case len(b) == 0:
		return nil, errors.New("an empty program")
	case len(b)%size != 0:
		return nil, errors.New(strconv.Itoa(len(b)) + " bytes are no array of eight-byte instructions")
	case len(b)/size > MaxLength:
		return nil, errors.New("more than " + strconv.Itoa(MaxLength) + " instructions")
	}
	p := make(Program, len(b)/size)
	for i := range p {
		at := b[i*size:]
		p[i] = Instruction{binary.NativeEndian.Uint16(at), at[2], at[3], binary.NativeEndian.Uint32(at[4:])}
	}
	return p, p.Check()
}

// Bytes is the program as the kernel reads it.
func (p Program) Bytes() []byte {
	b := make([]byte, 0, len(p)*8)
	for _, i := range p {
		b = binary.NativeEndian.AppendUint16(b, i.Code)
		b = append(b, i.JT, i.JF)
		b = binary.NativeEndian.AppendUint32(b, i.K)
	}
	return b
}

// The parts of an instruction code, linux/bpf_common.h.
const (
	classLD, classLDX, classST, classSTX = 0, 1, 2, 3
	classALU, classJMP, classRET         = 4, 5, 6
	classMISC                            = 7

	modeIMM, modeABS, modeMEM, modeLEN = 0x00, 0x20, 0x60, 0x80
	sourceX                            = 0x08
	retA                               = 0x10
	miscTXA                            = 0x80
)

func (i Instruction) class() uint16 { return i.Code & 7 }

// dataSize is the size of struct seccomp_data.
const dataSize = 64

// Check tells what is wrong with a program, as bpf_check_classic and
// seccomp_check_filter of the kernel would.
func (p Program) Check() error {
	if len(p) == 0 || len(p) > MaxLength {
		return errors.New("a program of " + strconv.Itoa(len(p)) + " instructions")
	}
	for n, i := range p {
		if err := i.check(n, len(p)); err != nil {
			return errors.New("instruction " + strconv.Itoa(n) + ": " + err.Error())
		}
	}
	if p[len(p)-1].class() != classRET {
		return errors.New("the last instruction is no return")
	}
	return nil
}

var errUnknownCode = errors.New("not an instruction of a system-call filter")

func (i Instruction) check(n, length int) error {
	left := length - n - 1
	switch i.class() {
	case classLD, classLDX:
		switch i.Code &^ 7 {
		case modeABS:
			if i.class() != classLD || i.K >= dataSize || i.K%4 != 0 {
				return errors.New("a load outside of the call")
			}
		case modeIMM, modeLEN:
		case modeMEM:
			if i.K > 15 {
				return errors.New("a scratch word that is not there")
			}
		default:
			return errUnknownCode
		}
	case classST, classSTX:
		if i.Code&^7 != 0 || i.K > 15 {
			return errUnknownCode
		}
	case classALU:
		op := i.Code & 0xf0
		switch {
		case op > 0xa0 || i.Code&^0xff != 0:
			return errUnknownCode
		case (op == 0x30 || op == 0x90) && i.Code&sourceX == 0 && i.K == 0:
			return errors.New("a division by zero")
		case op == 0x90: // BPF_MOD is not for seccomp
			return errUnknownCode
		case (op == 0x60 || op == 0x70) && i.Code&sourceX == 0 && i.K > 31:
			return errors.New("a shift by more than a word")
		}
	case classJMP:
		switch op := i.Code & 0xf0; {
		case i.Code&^0xff != 0 || op > 0x40:
			return errUnknownCode
		case op == 0 && uint64(i.K) >= uint64(left):
			return errors.New("a jump behind the end")
		case op != 0 && (int(i.JT) >= left || int(i.JF) >= left):
			return errors.New("a jump behind the end")
		}
	case classRET:
		if i.Code != classRET && i.Code != classRET|retA {
			return errUnknownCode
		}
	case classMISC:
		if i.Code != classMISC && i.Code != classMISC|miscTXA {
			return errUnknownCode
		}
	}
	return nil
}
