package cgroup

import (
	"cmp"
	"encoding/binary"
	"errors"
	"slices"

	"github.com/hardrun/hardrun/order"
)

// Where the contexts of the programs have what is read, linux/bpf.h.
const (
	deviceAccess = 0 // struct bpf_cgroup_dev_ctx: the access in the upper half, the kind in the lower
	deviceMajor  = 4
	deviceMinor  = 8

	packetProtocol  = 16 // struct __sk_buff: as in Ethernet's header, in the network's order
	packetInterface = 40

	bindAddress6 = 8 // struct bpf_sock_addr: 16 bytes
	bindPort     = 24
	bindProtocol = 36

	socketInterface = 0 // struct bpf_sock
)

// The kinds of devices, BPF_DEVCG_DEV_ of linux/bpf.h.
const (
	blockDevice = 1
	charDevice  = 2
)

func (d Device) bits() uint32 {
	if d.Block {
		return blockDevice
	}
	return charDevice
}

// DeviceProgram is a program for BPF_CGROUP_DEVICE that allows what is listed, and no more.
// Entries with the same numbers are one, with the accesses of all. A request passes where
// one of them has all of its accesses. A request of no access, which is access(2) with
// F_OK, passes where any entry is for the device, as in the v1 controller; one of an access
// that is not known passes nowhere.
func DeviceProgram(list []Device) ([]Ins, error) {
	var a asm
	allow, deny := a.label(), a.label()
	a.load(4, R2, R1, deviceAccess)
	a.movReg(R3, R2)
	a.and(R3, 0xffff)
	a.shr(R2, 16)
	a.load(4, R4, R1, deviceMajor)
	a.load(4, R5, R1, deviceMinor)
	a.jumpIf32(jmpJGT, R2, uint32(Mknod|Read|Write), deny)
	for list = unite(list); len(list) > 0; {
		n, next := 1, a.label()
		for n < len(list) && list[n].Block == list[0].Block {
			n++
		}
		kind := list[:n]
		list = list[n:]
		a.jumpIf32(jmpJNE, R3, kind[0].bits(), next)
		if err := a.kind(kind, allow, deny); err != nil {
			return nil, err
		}
		a.here(next)
	}
	a.here(deny)
	return a.verdicts(allow, DeniedDevices)
}

// kind decides about the devices of one kind. What no entry of a major covers is left to
// that of the whole kind.
func (a *asm) kind(list []Device, allow, deny int) error {
	rest := deny
	whole := list[len(list)-1]
	if whole == (Device{whole.Block, AnyMajor, AnyMinor, whole.Access}) {
		list, rest = list[:len(list)-1], a.label()
	}
	if len(list) > 0 {
		checks := a.checks(allow)
		for len(list) > 0 {
			n := 1
			for n < len(list) && list[n].Major == list[0].Major {
				n++
			}
			if list[0].Major == AnyMajor {
				return errors.New(list[0].String() + ": one minor number of every major one")
			}
			a.major(list[:n], checks, allow, rest)
			list = list[n:]
		}
		a.jump(rest)
		a.check(checks, allow, rest)
	}
	if rest != deny {
		a.here(rest)
		if whole.lacks() != 0 {
			a.jumpIf32(jmpJSET, R2, uint32(whole.lacks()), deny)
		}
		a.jump(allow)
	}
	return nil
}

// major does the same for those of one major number; about another one nothing is decided.
func (a *asm) major(list []Device, checks [8]int, allow, rest int) {
	next := a.label()
	a.jumpIf32(jmpJNE, R4, list[0].Major, next)
	to, other := checks, rest // of those with a minor number
	all := list[len(list)-1]
	if all.Minor == AnyMinor {
		if list = list[:len(list)-1]; len(list) > 0 {
			to, other = a.checks(allow), a.label()
		}
	}
	for _, d := range list {
		differs := a.label()
		a.jumpIf32(jmpJNE, R5, d.Minor, differs)
		a.jump(to[d.lacks()])
		a.here(differs)
	}
	if other != rest {
		a.jump(other)
		a.check(to, allow, other)
		a.here(other)
	}
	if all.Minor == AnyMinor {
		a.jump(checks[all.lacks()])
	}
	a.jump(rest)
	a.here(next)
}

// lacks is what may not be done with a device.
func (d Device) lacks() Access { return (Mknod | Read | Write) &^ d.Access }

// checks are labels of where a request is looked at of which it is known what it must not
// have. Each is written once, however many devices lead to it: the kernel looks at fewer
// ways through the program.
func (a *asm) checks(allow int) (labels [8]int) {
	labels[0] = allow
	for lacks := 1; lacks < len(labels); lacks++ {
		labels[lacks] = a.label()
	}
	return labels
}

// check writes them.
func (a *asm) check(labels [8]int, allow, otherwise int) {
	for lacks := 1; lacks < len(labels); lacks++ {
		a.here(labels[lacks])
		a.jumpIf32(jmpJSET, R2, uint32(lacks), otherwise)
		a.jump(allow)
	}
}

// unite is a list in order, in which each device is once. What is for all minors of a
// major comes behind the others of it, and what is for a whole kind behind all of that.
func unite(list []Device) []Device {
	list = slices.Clone(list)
	order.By(list, func(x, y *Device) bool { return x.compare(*y) < 0 })
	out := list[:0]
	for _, d := range list {
		if n := len(out) - 1; n >= 0 && out[n].compare(d) == 0 {
			out[n].Access |= d.Access
			continue
		}
		out = append(out, d)
	}
	return out
}

// compare compares the numbers of devices.
func (d Device) compare(e Device) int {
	return cmp.Or(cmp.Compare(d.bits(), e.bits()), cmp.Compare(d.Major, e.Major), cmp.Compare(d.Minor, e.Minor))
}

// verdicts ends a program: what comes to here is denied and counted, what jumps to pass
// is not.
func (a *asm) verdicts(pass int, counter Counter) ([]Ins, error) {
	a.count(counter)
	a.mov(R0, 0)
	a.exit()
	a.here(pass)
	a.mov(R0, 1)
	a.exit()
	return a.program()
}

// BindProgram is a program for BPF_CGROUP_INET4_BIND, or with v6 for BPF_CGROUP_INET6_BIND.
//
// The family is that of the socket, whatever the family in the address: bind(2) takes
// AF_UNSPEC for AF_INET. An IPv4 address of an IPv6 socket (::ffff:192.0.2.1) is of both
// families: it passes where a socket of each of them would, unlike in systemd, where it is
// of IPv6 alone. The address :: is of IPv6 alone, although IPv4 may reach it as well.
//
// The kernel does not ask where it chooses a port without bind(2), nor about raw sockets
// and those of SCTP.
func BindProgram(b Binds, v6 bool) ([]Ins, error) {
	var a asm
	pass, drop := a.label(), a.label()
	a.load(4, R2, R1, bindPort)
	a.bswap(R2, 16)
	a.load(4, R3, R1, bindProtocol)
	family := uint8(IPv4)
	if v6 {
		family = IPv6
		six := a.label()
		for i, want := range [...]uint32{0, 0, network32(0xffff)} { // ::ffff:0:0/96
			a.load(4, R4, R1, bindAddress6+4*int16(i))
			a.jumpIf32(jmpJNE, R4, want, six)
		}
		a.binds(b, IPv4, six, drop)
		a.here(six)
	}
	a.binds(b, family, pass, drop)
	a.here(drop)
	return a.verdicts(pass, DeniedBinds)
}

// binds jumps to pass or to drop. Ports are searched by halves, once for each protocol: of
// rules one after the other the kernel would look at too many ways through them.
func (a *asm) binds(b Binds, family uint8, pass, drop int) {
	var protocols []uint8
	for _, r := range slices.Concat(b.Allow, b.Deny) {
		if r.Protocol != 0 && !slices.Contains(protocols, r.Protocol) {
			protocols = append(protocols, r.Protocol)
		}
	}
	for _, protocol := range append(protocols, 0) { // 0 is every other one
		other := a.label()
		if protocol != 0 {
			a.jumpIf32(jmpJNE, R3, uint32(protocol), other)
		}
		a.search(R2, tree(ports(b, family, protocol), 0, false), [2]int{pass, drop})
		a.here(other)
	}
}

// ports are the verdicts about the ports of a family and a protocol.
func ports(b Binds, family, protocol uint8) []interval {
	var edges []edge
	for i, rules := range [...][]BindRule{b.Allow, b.Deny} {
		for _, r := range rules {
			if r.Family != 0 && r.Family != family || r.Protocol != 0 && r.Protocol != protocol || r.First > r.Last {
				continue
			}
			edges = append(edges, edge{ipAddress{uint32(r.First)}, i, 1})
			if r.First != 0 {
				edges = append(edges, edge{ipAddress{uint32(r.Last) + 1}, i, -1})
			}
		}
	}
	return flatten(edges)
}

// network32 and network16 are a number as it is read from where it lies in the network's
// order.
func network32(v uint32) uint32 {
	return binary.NativeEndian.Uint32([]byte{byte(v >> 24), byte(v >> 16), byte(v >> 8), byte(v)})
}

func network16(v uint16) uint32 {
	return uint32(binary.NativeEndian.Uint16([]byte{byte(v >> 8), byte(v)}))
}

// InterfaceSocketProgram is a program for BPF_CGROUP_INET_SOCK_CREATE that binds each
// socket to an interface.
func InterfaceSocketProgram(ifindex uint32) []Ins {
	var a asm
	a.mov(R2, int32(ifindex))
	a.store(4, R1, socketInterface, R2)
	a.mov(R0, 1)
	a.exit()
	return a.out
}

// Counting is a copy of a program with a descriptor of the map of its counters: an array
// of one value of 8*Counters bytes.
func Counting(p []Ins, fd int32) []Ins {
	p = slices.Clone(p)
	for i := range p {
		if p[i].isMapValue() {
			p[i].Imm = fd
		}
	}
	return p
}

// isMapValue tells whether this is the first half of a map's address. The second half of a
// constant, whatever its value, is not.
func (i Ins) isMapValue() bool {
	_, src := i.regs()
	return i.Op == classLD|modeIMM|sizeDW && src == pseudoMapValue
}

// regs undoes reg.
func (i Ins) regs() (dst, src uint8) {
	if bigEndian() {
		return i.Reg >> 4, i.Reg & 15
	}
	return i.Reg & 15, i.Reg >> 4
}
