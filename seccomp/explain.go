package seccomp

import (
	"encoding/binary"
	"errors"
	"strconv"
	"strings"
)

// asking is the program with a question to who listens in place of every denial.
// The kernel goes on only as it is told, and denies (ENOSYS) where nobody is there to
// tell, seccomp_unotify(2).
func (p Program) asking() Program {
	out := make(Program, len(p))
	for i, in := range p {
		if in.Code == opReturn && !Action(in.K).Passes() {
			in.K = uint32(Notify)
		}
		out[i] = in
	}
	return out
}

// Denials tells what stands behind the denials of a program: the answer to a question of
// the kernel's.
type Denials struct {
	Program Program
	by      map[denialKey]string
	names   map[denialKey]string // action 0
}

type denialKey struct {
	arch, nr uint32
	action   Action
}

// anyNumber stands for the numbers that are no call.
const anyNumber = ^uint32(0) - 1

// text writes what Denials reads: a line for each number and action that a filter denies:
// architecture, number, action, the call, the directives.
func (f *Filter) text() string {
	f.settle()
	var b strings.Builder
	line := func(arch, nr uint32, name string, v Verdict) {
		if !v.Action.Passes() {
			for _, n := range [...]uint32{arch, nr, uint32(v.Action)} {
				b.WriteString(strconv.FormatUint(uint64(n), 10) + "\t")
			}
			b.WriteString(name + "\t" + f.Sources[v.By].String() + "\n")
		}
	}
	for i, a := range f.abis {
		each := func(nr uint32, name string) {
			base, rules := f.At(i, nr)
			for _, r := range rules {
				line(a.Arch, nr, name, r.Verdict)
			}
			line(a.Arch, nr, name, base)
		}
		suffix := ""
		if i > 0 {
			suffix = " (" + a.Name + ")"
		}
		for _, s := range a.table {
			for n, c := range s.calls {
				if c != none {
					each(s.first+uint32(n), c.String()+suffix)
				}
			}
		}
		if a.bit == 0 {
			line(a.Arch, anyNumber, "", f.onNumber(a, newest+1))
			line(a.Arch, anyNumber, "", f.onNumber(a, a.bit))
		}
	}
	return b.String()
}

// String is "SystemCallFilter= named.service:31".
func (s Source) String() string {
	if s.Directive == "" {
		return "hardrun, as the architecture is foreign"
	}
	return strings.TrimSuffix(s.Directive+"= "+s.Origin, " ")
}

// ParseDenials reads what was told by a launch: the program, with its size before it,
// and the lines.
func ParseDenials(b []byte) (*Denials, error) {
	broken := errors.New("the table of denials is broken")
	if len(b) < 4 {
		return nil, broken
	}
	size := int(binary.NativeEndian.Uint32(b))
	if b = b[4:]; size < 0 || size > len(b) {
		return nil, broken
	}
	p, err := Parse(b[:size])
	if err != nil {
		return nil, err
	}
	d := &Denials{Program: p, by: map[denialKey]string{}, names: map[denialKey]string{}}
	for line := range strings.Lines(string(b[size:])) {
		fields := strings.SplitN(strings.TrimSuffix(line, "\n"), "\t", 5)
		if len(fields) != 5 {
			return nil, broken
		}
		var n [3]uint32
		for i := range n {
			v, err := strconv.ParseUint(fields[i], 10, 32)
			if err != nil {
				return nil, broken
			}
			n[i] = uint32(v)
		}
		k := denialKey{n[0], n[1], Action(n[2])}
		switch was := d.by[k]; {
		case was == "":
			d.by[k] = fields[4]
		case !strings.Contains(was, fields[4]):
			d.by[k] = was + " or " + fields[4]
		}
		d.names[denialKey{arch: n[0], nr: n[1]}] = fields[3]
	}
	return d, nil
}

// Of is the verdict on a call, the call's name, and the directive behind it.
func (d *Denials) Of(data Data) (action Action, name, by string, err error) {
	if action, err = d.Program.Eval(data); err != nil {
		return KillProcess, "", "", err
	}
	name = d.names[denialKey{arch: data.Arch, nr: data.NR}]
	by = d.by[denialKey{data.Arch, data.NR, action}]
	if by == "" {
		by = d.by[denialKey{data.Arch, anyNumber, action}]
	}
	if name == "" {
		name = "call " + strconv.FormatUint(uint64(data.NR), 10)
		if data.Arch == ArchX86_64 && data.NR >= x32 {
			name = "call " + strconv.FormatUint(uint64(data.NR&^x32), 10) + " (x32)"
		}
	}
	if by == "" {
		by = Source{}.String()
	}
	return action, name, by, nil
}
