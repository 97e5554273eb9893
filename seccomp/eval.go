package seccomp

import "errors"

// Eval is what the program decides about a call. It is the same arithmetic that
// the kernel does, with an error for a program that Check would not take.
func (p Program) Eval(d Data) (Action, error) {
	var a, x uint32
	var mem [16]uint32
	words := d.words()
	for pc := 0; pc < len(p); pc++ {
		i := p[pc]
		switch i.class() {
		case classLD, classLDX:
			v, err := i.load(&words, &mem)
			if err != nil {
				return 0, err
			}
			if i.class() == classLD {
				a = v
			} else {
				x = v
			}
		case classST:
			mem[i.K&15] = a
		case classSTX:
			mem[i.K&15] = x
		case classALU:
			v, err := i.compute(a, x)
			if err != nil {
				return KillThread, nil // a division by zero: the kernel has the program return 0
			}
			a = v
		case classJMP:
			if i.Code&0xf0 == 0 {
				pc += int(i.K)
				continue
			}
			if i.jumps(a, x) {
				pc += int(i.JT)
			} else {
				pc += int(i.JF)
			}
		case classRET:
			if i.Code&0x18 == retA {
				return Action(a), nil
			}
			return Action(i.K), nil
		case classMISC:
			if i.Code&0xf8 == miscTXA {
				a = x
			} else {
				x = a
			}
		}
	}
	return 0, errors.New("a program that does not return")
}

// words is struct seccomp_data as 32-bit words, on a little-endian machine.
func (d Data) words() [dataSize / 4]uint32 {
	w := [dataSize / 4]uint32{0: d.NR, 1: d.Arch, 2: uint32(d.IP), 3: uint32(d.IP >> 32)}
	for n, v := range d.Args {
		w[4+2*n], w[5+2*n] = uint32(v), uint32(v>>32)
	}
	return w
}

func (i Instruction) load(words *[dataSize / 4]uint32, mem *[16]uint32) (uint32, error) {
	switch i.Code &^ 7 {
	case modeABS:
		if i.K >= dataSize || i.K%4 != 0 {
			return 0, errors.New("a load outside of the call")
		}
		return words[i.K/4], nil
	case modeIMM:
		return i.K, nil
	case modeLEN:
		return dataSize, nil
	case modeMEM:
		return mem[i.K&15], nil
	}
	return 0, errUnknownCode
}

func (i Instruction) compute(a, x uint32) (uint32, error) {
	b := i.K
	if i.Code&sourceX != 0 {
		b = x
	}
	switch i.Code & 0xf0 {
	case 0x00:
		return a + b, nil
	case 0x10:
		return a - b, nil
	case 0x20:
		return a * b, nil
	case 0x30:
		if b == 0 {
			return 0, errors.New("a division by zero")
		}
		return a / b, nil
	case 0x40:
		return a | b, nil
	case 0x50:
		return a & b, nil
	case 0x60:
		return a << (b & 31), nil
	case 0x70:
		return a >> (b & 31), nil
	case 0x80:
		return -a, nil
	case 0xa0:
		return a ^ b, nil
	}
	return 0, errUnknownCode
}

func (i Instruction) jumps(a, x uint32) bool {
	b := i.K
	if i.Code&sourceX != 0 {
		b = x
	}
	switch i.Code & 0xf0 {
	case 0x10:
		return a == b
	case 0x20:
		return a > b
	case 0x30:
		return a >= b
	case 0x40:
		return a&b != 0
	}
	return false
}
