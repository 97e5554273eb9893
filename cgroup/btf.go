package cgroup

import (
	"encoding/binary"
	"errors"
	"math"
)

// Offsets is what FileProgram must know of the running kernel: the number of a function
// among its types, and where members lie, in bytes.
type Offsets struct {
	Hook                uint32 // bpf_lsm_file_open
	Inode, Super, Magic int16  // f_inode of struct file, i_sb of struct inode, s_magic of struct super_block
}

// followed are the members of Offsets.
var followed = [...]struct{ of, name string }{{"file", "f_inode"}, {"inode", "i_sb"}, {"super_block", "s_magic"}}

const lsmFunction = "bpf_lsm_file_open"

// Kinds of types, linux/btf.h.
const (
	kindStruct = 4
	kindUnion  = 5
	kindFunc   = 12
)

// extra is what follows the 12 bytes of a type, for each kind up to 19 (BTF_KIND_ENUM64,
// Linux 6.0): bytes, and bytes for each of the things that it counts. A table, as the
// processor cannot guess what kind comes next.
var extra = [32]struct{ fixed, each uint8 }{
	1: {4, 0}, 3: {12, 0}, kindStruct: {0, 12}, kindUnion: {0, 12}, 6: {0, 8}, 13: {0, 8}, 14: {4, 0}, 15: {0, 12}, 17: {4, 0}, 19: {0, 12},
}

const lastKind = 19

// kernelTypes is a description of types, Documentation/bpf/btf.rst of Linux.
type kernelTypes struct{ types, strings []byte }

// place is where a member was found, in bits; none stands for nowhere.
type place uint32

const none place = math.MaxUint32

// inner is a struct or union without a name, inside of one in which a member is looked
// for: the number of its type, and where it begins.
type inner struct {
	id     uint32
	member int
	at     place
}

// maxInner is how many of them are followed; the kernel has some dozens.
const maxInner = 1 << 10

// ReadBTF finds the Offsets in /sys/kernel/btf/vmlinux, which is in the byte order of the
// machine. It reads all types once; a second and further time only for members that lie
// in structs or unions without a name.
func ReadBTF(data []byte) (*Offsets, error) {
	b, err := sections(data)
	if err != nil {
		return nil, err
	}
	found := [len(followed)]place{none, none, none}
	hook, nested, err := b.scan(nil, &found)
	for range 8 {
		// A member that has been found is found: names are unique in all levels of a struct.
		open := nested[:0]
		for _, n := range nested {
			if found[n.member] == none {
				open = append(open, n)
			}
		}
		if err != nil || len(open) == 0 {
			break
		}
		_, nested, err = b.scan(open, &found)
	}
	if err != nil {
		return nil, err
	}
	if hook == 0 {
		return nil, errors.New("BTF: no function " + lsmFunction + ": the kernel is without BPF LSM")
	}
	var at [len(followed)]int16
	for i, bits := range found {
		m := followed[i].name + " of struct " + followed[i].of
		switch {
		case bits == none:
			return nil, errors.New("BTF: no member " + m)
		case bits%64 != 0 || bits/8 > math.MaxInt16:
			return nil, errors.New("BTF: member " + m + " lies where it cannot be read")
		}
		at[i] = int16(bits / 8)
	}
	return &Offsets{hook, at[0], at[1], at[2]}, nil
}

// sections checks the header, and gives the types and the strings.
func sections(data []byte) (kernelTypes, error) {
	const header = 24
	if len(data) < header {
		return kernelTypes{}, errors.New("BTF: too short")
	}
	order := binary.NativeEndian
	if order.Uint16(data) != 0xeb9f || data[2] != 1 {
		return kernelTypes{}, errors.New("BTF: not version 1 in the byte order of this machine")
	}
	size := uint64(order.Uint32(data[4:]))
	section := func(at int) []byte {
		from := size + uint64(order.Uint32(data[at:]))
		to := from + uint64(order.Uint32(data[at+4:]))
		if size < header || to > uint64(len(data)) {
			return nil
		}
		return data[from:to]
	}
	b := kernelTypes{section(8), section(16)}
	if len(b.types) == 0 || len(b.strings) == 0 || b.strings[len(b.strings)-1] != 0 {
		return kernelTypes{}, errors.New("BTF: sections are not within the file")
	}
	return b, nil
}

// is tells whether the string at an offset is name.
func (b *kernelTypes) is(at uint32, name string) bool {
	s := b.strings
	if uint64(at)+uint64(len(name)) >= uint64(len(s)) {
		return false
	}
	s = s[at:]
	return s[len(name)] == 0 && string(s[:len(name)]) == name
}

// scan looks at every type: for members in the structs that are named, or where inside
// is not nil, in the types that it lists. It gives the number of the function, and what
// without a name is in the structs that it looked at.
func (b *kernelTypes) scan(inside []inner, found *[len(followed)]place) (hook uint32, nested []inner, err error) {
	order := binary.NativeEndian
	rest := b.types
	for id := uint32(1); len(rest) > 0; id++ {
		if len(rest) < 12 {
			return 0, nil, errors.New("BTF: a type is cut off")
		}
		name, info := order.Uint32(rest), order.Uint32(rest[4:])
		kind, count := info>>24&0x1f, int(info&0xffff)
		if kind-1 >= lastKind {
			return 0, nil, errors.New("BTF: a type of an unknown kind")
		}
		size := 12 + int(extra[kind].fixed) + int(extra[kind].each)*count
		if size > len(rest) {
			return 0, nil, errors.New("BTF: a type is cut off")
		}
		switch {
		case kind == kindFunc && inside == nil:
			if b.is(name, lsmFunction) {
				if hook != 0 {
					return 0, nil, errors.New("BTF: two functions " + lsmFunction)
				}
				hook = id
			}
		case kind != kindStruct && kind != kindUnion:
		case inside != nil:
			for _, n := range inside {
				if n.id != id {
					continue
				}
				if nested, err = b.members(rest[:size], n, nested, found); err != nil {
					return 0, nil, err
				}
			}
		case kind == kindStruct:
			for i, m := range followed {
				if !b.is(name, m.of) {
					continue
				}
				if nested, err = b.members(rest[:size], inner{id, i, 0}, nested, found); err != nil {
					return 0, nil, err
				}
			}
		}
		rest = rest[size:]
	}
	return hook, nested, nil
}

// members looks for a member in one struct or union, and adds what has no name there to
// nested.
func (b *kernelTypes) members(t []byte, in inner, nested []inner, found *[len(followed)]place) ([]inner, error) {
	order := binary.NativeEndian
	bitfields := order.Uint32(t[4:])>>31 != 0
	m := followed[in.member]
	for t = t[12:]; len(t) > 0; t = t[12:] {
		name, id, at := order.Uint32(t), order.Uint32(t[4:]), order.Uint32(t[8:])
		width := uint32(0)
		if bitfields {
			at, width = at&(1<<24-1), at>>24
		}
		if uint64(in.at)+uint64(at) >= uint64(none) {
			return nil, errors.New("BTF: a member of struct " + m.of + " lies beyond its end")
		}
		where := in.at + place(at)
		switch {
		case b.is(name, m.name):
			if width != 0 || found[in.member] != none && found[in.member] != where {
				return nil, errors.New("BTF: member " + m.name + " of struct " + m.of + " is not the only one")
			}
			found[in.member] = where
		case width == 0 && b.is(name, ""):
			if len(nested) == maxInner {
				return nil, errors.New("BTF: too many members without a name in struct " + m.of)
			}
			nested = append(nested, inner{id, in.member, where})
		}
	}
	return nested, nil
}
