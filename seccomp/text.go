package seccomp

import (
	"strconv"
	"strings"
)

func hex(v uint32) string { return "0x" + strconv.FormatUint(uint64(v), 16) }

// String is the condition as a person writes it: "arg2 & 0x6 == 0x6".
func (c *Cond) String() string {
	arg := "arg" + strconv.Itoa(int(c.Arg))
	switch c.Op {
	case AnyBit:
		return arg + " & " + hex(c.Mask) + " != 0"
	case AllBits:
		return arg + " & " + hex(c.Mask) + " == " + hex(c.Mask)
	}
	if c.Mask != ^uint32(0) {
		arg += " & " + hex(c.Mask)
	}
	values := make([]string, len(c.Values))
	for i, v := range c.Values {
		values[i] = hex(v)
		if v < 1000 {
			values[i] = strconv.Itoa(int(v))
		}
	}
	switch {
	case len(values) == 0 && c.Op == NotIn:
		return "any " + arg
	case len(values) == 1 && c.Op == In:
		return arg + " == " + values[0]
	case len(values) == 1:
		return arg + " != " + values[0]
	case c.Op == In:
		return arg + " in {" + strings.Join(values, ",") + "}"
	}
	return arg + " not in {" + strings.Join(values, ",") + "}"
}

// String is the rule without who asked for it: "errno EPERM if arg0 & 0x10000000 != 0".
func (r *Rule) String() string {
	conds := make([]string, len(r.Conds))
	for i := range r.Conds {
		conds[i] = r.Conds[i].String()
	}
	if len(conds) == 0 {
		return r.Verdict.Action.String()
	}
	return r.Verdict.Action.String() + " if " + strings.Join(conds, " and ")
}

// Disassemble prints a program, one instruction a line with its place before it. Jumps
// name the places where they lead.
func (p Program) Disassemble() string {
	var b strings.Builder
	width := len(strconv.Itoa(len(p) - 1))
	for n, i := range p {
		at := strconv.Itoa(n)
		b.WriteString(strings.Repeat(" ", width-len(at)) + at + "  " + i.text(n) + "\n")
	}
	return b.String()
}

func (i Instruction) text(at int) string {
	to := func(skip int) string { return strconv.Itoa(at + 1 + skip) }
	operand := hex(i.K)
	if i.Code&sourceX != 0 {
		operand = "x"
	}
	switch i.class() {
	case classLD, classLDX:
		reg := "ld "
		if i.class() == classLDX {
			reg = "ldx "
		}
		switch i.Code &^ 7 {
		case modeABS:
			return reg + field(i.K)
		case modeIMM:
			return reg + "#" + hex(i.K)
		case modeMEM:
			return reg + "m[" + strconv.Itoa(int(i.K)) + "]"
		}
		return reg + "len"
	case classST:
		return "st m[" + strconv.Itoa(int(i.K)) + "]"
	case classSTX:
		return "stx m[" + strconv.Itoa(int(i.K)) + "]"
	case classALU:
		ops := [...]string{"add", "sub", "mul", "div", "or", "and", "lsh", "rsh", "neg", "mod", "xor"}
		if n := int(i.Code & 0xf0 >> 4); n < len(ops) {
			return ops[n] + " " + operand
		}
	case classJMP:
		ops := [...]string{"ja", "jeq", "jgt", "jge", "jset"}
		n := int(i.Code & 0xf0 >> 4)
		switch {
		case n == 0:
			return "ja " + to(int(i.K))
		case n < len(ops):
			return ops[n] + " " + operand + ", " + to(int(i.JT)) + ", " + to(int(i.JF))
		}
	case classRET:
		if i.Code&0x18 == retA {
			return "ret a"
		}
		return "ret " + Action(i.K).String()
	case classMISC:
		if i.Code&0xf8 == miscTXA {
			return "txa"
		}
		return "tax"
	}
	return "?"
}

// field names a word of struct seccomp_data. The halves of 64-bit fields are those of a
// little-endian machine.
func field(k uint32) string {
	half := ".low"
	if k%8 == 4 {
		half = ".high"
	}
	switch {
	case k == 0:
		return "nr"
	case k == 4:
		return "arch"
	case k < 16:
		return "ip" + half
	case k < dataSize && k%4 == 0:
		return "arg" + strconv.Itoa(int(k-16)/8) + half
	}
	return "[" + strconv.Itoa(int(k)) + "]"
}

// CallVerdict is what a filter decides on one call of an ABI.
type CallVerdict struct {
	Name   string
	Number uint32
	Base   Verdict
	Rules  []Rule // the first one that holds decides, before Base
}

// Verdicts are those on all calls of the ABI at place i, by name.
func (f *Filter) Verdicts(i int) []CallVerdict {
	var list []CallVerdict
	a := f.abis[i]
	for c := range Call(callCount) {
		if nr, ok := a.Number(c); ok {
			base, rules := f.At(i, nr)
			list = append(list, CallVerdict{c.String(), nr, base, rules})
		}
	}
	return list
}

// Others are the verdicts on numbers that are no call of the ABI at place i: those
// among the known numbers, and those that are newer.
func (f *Filter) Others(i int) (unknown, newer Verdict) {
	f.settle()
	if f.closed>>i&1 == 1 {
		return f.shut, f.shut
	}
	return f.unknown, over(f.newer, f.unknown)
}
