package cgroup

import (
	"encoding/binary"
	"errors"
	"iter"
	"slices"
	"strconv"
)

// Each compiler has inputs here by which a program of its is tried before it is loaded,
// with what the rules say of them by their definition: on the bounds of each rule and
// beside them. Of a long list some rules are tried, spread evenly.

// some are at most that many of the numbers below n, the first and the last among them.
func some(n, most int) iter.Seq[int] {
	return func(yield func(int) bool) {
		for i := range min(n, most) {
			if n > most {
				i = i * (n - 1) / (most - 1)
			}
			if !yield(i) {
				return
			}
		}
	}
}

// prove runs a program on one input.
func prove[T interface{ String() string }](c code, m *machine, input T, allowed bool, counter Counter) error {
	answer, err := m.run(c)
	var want [len(m.counters)]byte
	if !allowed {
		binary.NativeEndian.PutUint64(want[8*counter:], 1)
	}
	says := ""
	switch {
	case err != nil:
		says = err.Error()
	case answer > 1:
		says = "the program answers " + strconv.FormatUint(answer, 10)
	case answer == 1 && !allowed:
		says = "the program allows, the rules deny"
	case answer == 0 && allowed:
		says = "the program denies, the rules allow"
	case m.counters != want:
		says = "the program counts wrongly"
	default:
		return nil
	}
	return errors.New(input.String() + ": " + says)
}

func putNative(b []byte, at int, v uint32) { binary.NativeEndian.PutUint32(b[at:], v) }

// ProveDevices tries a program of DeviceProgram. The error is the first difference from
// the rules.
func ProveDevices(p []Ins, list []Device) error {
	c, err := decode(p)
	if err != nil {
		return err
	}
	for r, allowed := range deviceRequests(list) {
		ctx := r.context()
		if err := prove(c, &machine{ctx: ctx[:]}, r, allowed, DeniedDevices); err != nil {
			return err
		}
	}
	return nil
}

// deviceRequest is what the kernel asks of a device.
type deviceRequest struct {
	kind         uint16
	major, minor uint32
	access       uint16
}

func (r deviceRequest) String() string {
	kind := "device of kind " + strconv.Itoa(int(r.kind))
	switch r.kind {
	case blockDevice:
		kind = "block device"
	case charDevice:
		kind = "character device"
	}
	access := "access " + strconv.Itoa(int(r.access))
	if r.access > 0 && r.access < 8 {
		access = Access(r.access).String()
	}
	return kind + " " + strconv.FormatUint(uint64(r.major), 10) + ":" + strconv.FormatUint(uint64(r.minor), 10) + " " + access
}

func (r deviceRequest) context() (ctx [12]byte) {
	putNative(ctx[:], deviceAccess, uint32(r.access)<<16|uint32(r.kind))
	putNative(ctx[:], deviceMajor, r.major)
	putNative(ctx[:], deviceMinor, r.minor)
	return ctx
}

func (r deviceRequest) allowed(list []Device) bool {
	var merged [3]Access // of the device, of its major number, of its kind
	listed := false
	for _, d := range list {
		if d.bits() != uint32(r.kind) {
			continue
		}
		n := 0
		switch {
		case d.Major == AnyMajor && d.Minor == AnyMinor:
			n = 2
		case d.Major != r.major:
			continue
		case d.Minor == AnyMinor:
			n = 1
		case d.Minor != r.minor:
			continue
		}
		merged[n] |= d.Access
		listed = true
	}
	covered := slices.ContainsFunc(merged[:], func(a Access) bool { return r.access&^uint16(a) == 0 })
	return listed && covered && r.access <= uint16(Mknod|Read|Write)
}

func deviceRequests(list []Device) iter.Seq2[deviceRequest, bool] {
	return func(yield func(deviceRequest, bool) bool) {
		try := func(kind uint16, major, minor uint32, access uint16) bool {
			r := deviceRequest{kind, major, minor, access}
			return yield(r, r.allowed(list))
		}
		for i := range some(len(list), 6) {
			d, kind := list[i], uint16(list[i].bits())
			major, minor, access := d.Major, d.Minor, uint16(d.Access)
			if major == AnyMajor {
				major = 1<<12 - 2
			}
			if minor == AnyMinor {
				minor = 1<<20 - 2
			}
			for a := range uint16(9) { // 8 is none that is known
				if !try(kind, major, minor, a) {
					return
				}
			}
			for _, a := range [...]Access{0, Mknod, Read, Write} {
				for n := range uint32(4) {
					if !try(kind, [...]uint32{major - 1, major + 1, 0, 1<<12 - 1}[n], minor, uint16(a)) ||
						!try(kind, major, [...]uint32{minor - 1, minor + 1, 0, 1<<20 - 1}[n], uint16(a)) ||
						!try([...]uint16{0, blockDevice + charDevice - kind, blockDevice | charDevice, 1<<16 - 1}[n], major, minor, uint16(a)) {
						return
					}
				}
			}
			if !try(kind, major, minor, access|8) || !try(kind, major, minor, access|1<<15) {
				return
			}
		}
		_ = try(charDevice, 1, 3, uint16(Read)) && try(blockDevice, 8, 0, uint16(Mknod|Read|Write)) &&
			try(charDevice, 0, 0, 0) && try(charDevice, 0, 0, 8) && try(0, 0, 0, uint16(Read))
	}
}

// ProvePackets tries a program of PacketProgram. The error is the first difference from
// the rules.
func ProvePackets(p []Ins, addresses Addresses, i *Interfaces, ingress bool) error {
	c, err := decode(p)
	if err != nil {
		return err
	}
	counter := DeniedEgress
	if ingress {
		counter = DeniedIngress
	}
	for k, passes := range packets(addresses, i, ingress) {
		ctx, data := k.context(), k.data()
		if err := prove(c, &machine{ctx: ctx[:], packet: data[:k.size]}, k, passes, counter); err != nil {
			return err
		}
	}
	return nil
}

// packet is a packet in front of the kernel.
type packet struct {
	ingress  bool
	protocol uint16    // as in Ethernet's header
	address  ipAddress // that which is looked at; the other one has all bits inverted
	ifindex  uint32
	size     int
}

func (k packet) String() string {
	text := "packet to "
	if k.ingress {
		text = "packet from "
	}
	switch k.protocol {
	case etherIPv4:
		for shift := 24; shift >= 0; shift -= 8 {
			text += strconv.Itoa(int(k.address[0] >> shift & 255))
			if shift > 0 {
				text += "."
			}
		}
	case etherIPv6:
		for n := range 8 {
			if n > 0 {
				text += ":"
			}
			text += strconv.FormatUint(uint64(k.address[n/2]>>(16-n%2*16)&0xffff), 16)
		}
	default:
		text = "packet of protocol " + strconv.Itoa(int(k.protocol))
	}
	return text + ", " + strconv.Itoa(k.size) + " bytes, interface " + strconv.Itoa(int(k.ifindex))
}

func (k packet) context() (ctx [packetInterface + 4]byte) {
	putNative(ctx[:], packetProtocol, network16(k.protocol))
	putNative(ctx[:], packetInterface, k.ifindex)
	return ctx
}

// longest is the size of an IPv6 header.
const longest = 40

// data is the header. Only the first size bytes of it are in the packet.
func (k packet) data() (b [longest]byte) {
	v6 := k.protocol == etherIPv6
	at, size := addressIn(v6, k.ingress)
	other, _ := addressIn(v6, !k.ingress)
	for i, w := range k.address[:size/4] {
		binary.BigEndian.PutUint32(b[at+4*int32(i):], w)
		binary.BigEndian.PutUint32(b[other+4*int32(i):], ^w)
	}
	return b
}

func (k packet) passes(a Addresses, i *Interfaces) bool {
	if i != nil && slices.Contains(i.Index, k.ifindex) == i.Deny {
		return false
	}
	if len(a.Allow)+len(a.Deny) == 0 {
		return true
	}
	v6 := k.protocol == etherIPv6
	at, size := addressIn(v6, k.ingress)
	if !v6 && k.protocol != etherIPv4 || k.size < int(at+size) {
		return false
	}
	in := func(list []Prefix) bool {
		for i := range list {
			if list[i].V6 == v6 && list[i].contains(k.address) {
				return true
			}
		}
		return false
	}
	return in(a.Allow) || !in(a.Deny)
}

// contains tells whether the first bits of an address are those of the prefix.
func (p *Prefix) contains(a ipAddress) bool {
	for i := 0; 32*i < int(p.Bits); i++ {
		differ := binary.BigEndian.Uint32(p.Addr[4*i:]) ^ a[i]
		if differ>>max(32*i+32-int(p.Bits), 0) != 0 {
			return false
		}
	}
	return true
}

func packets(addresses Addresses, i *Interfaces, ingress bool) iter.Seq2[packet, bool] {
	return func(yield func(packet, bool) bool) {
		open := packet{ingress: ingress, protocol: etherIPv4, size: longest, ifindex: 1} // one that passes, if there is one
		if i != nil && i.Deny {
			for slices.Contains(i.Index, open.ifindex) {
				open.ifindex++
			}
		} else if i != nil && len(i.Index) > 0 {
			open.ifindex = i.Index[len(i.Index)-1]
		}
		try := func(k packet) bool { return yield(k, k.passes(addresses, i)) }
		// A program that took an IPv4 packet for one of IPv6 finds none in the shorter one.
		at := func(protocol uint16, a ipAddress) bool {
			k := open
			k.protocol, k.address, k.size = protocol, a, longest
			passes := k.passes(addresses, i)
			if protocol == etherIPv4 && passes {
				k.size = 20
			}
			if passes {
				open = k
			}
			return yield(k, passes)
		}
		for _, list := range [...][]Prefix{addresses.Allow, addresses.Deny} {
			for n := range some(len(list), 40) {
				protocol := uint16(etherIPv4)
				if list[n].V6 {
					protocol = etherIPv6
				}
				// The program goes by words, so that the bounds of a word are telling, too.
				p := list[n]
				for {
					first, last := p.bounds()
					before, behind := first.neighbours(last)
					if !at(protocol, first) || !at(protocol, last) || !at(protocol, before) || !at(protocol, behind) {
						return
					}
					if p.Bits <= 32 {
						break
					}
					p.Bits = (p.Bits - 1) / 32 * 32
					word := p.Bits/32 - 1
					below, above := first, first
					below[word]--
					above[word]++
					if !at(protocol, below) || !at(protocol, above) {
						return
					}
				}
			}
		}
		lowest, highest := ipAddress{}, ipAddress{^uint32(0), ^uint32(0), ^uint32(0), ^uint32(0)}
		for _, protocol := range [...]uint16{etherIPv4, etherIPv6, 0x0806, etherIPv4>>8 | etherIPv4&0xff<<8, 0, 1<<16 - 1} {
			if !at(protocol, lowest) || !at(protocol, highest) {
				return
			}
		}
		for _, protocol := range [...]uint16{etherIPv4, etherIPv6} {
			for bit := range 32 {
				if !at(protocol, ipAddress{1 << bit}) {
					return
				}
			}
			k := open
			from, size := addressIn(protocol == etherIPv6, ingress)
			for _, n := range [...]int{0, int(from), int(from+size) - 1, int(from + size)} {
				k.protocol, k.size = protocol, n
				if !try(k) {
					return
				}
			}
		}
		if i == nil {
			return
		}
		for n := range some(len(i.Index), 40) {
			for _, index := range [...]uint32{i.Index[n] - 1, i.Index[n], i.Index[n] + 1} {
				k := open
				if k.ifindex = index; !try(k) {
					return
				}
			}
		}
		k := open
		k.ifindex = 0
		try(k)
	}
}

// neighbours are the addresses in front of the first and behind the last.
func (first ipAddress) neighbours(last ipAddress) (before, behind ipAddress) {
	for i := len(first) - 1; i >= 0; i-- {
		first[i]--
		if first[i] != ^uint32(0) {
			break
		}
	}
	behind, _ = last.next()
	return first, behind
}

// ProveBinds tries a program of BindProgram. The error is the first difference from the
// rules.
func ProveBinds(p []Ins, b Binds, v6 bool) error {
	c, err := decode(p)
	if err != nil {
		return err
	}
	for r, allowed := range bindRequests(b, v6) {
		ctx := r.context()
		if err := prove(c, &machine{ctx: ctx[:]}, r, allowed, DeniedBinds); err != nil {
			return err
		}
	}
	return nil
}

// bindRequest is a bind(2).
type bindRequest struct {
	v6       bool
	address  ipAddress // of v6; that of an IPv4 socket is not looked at
	port     uint16
	protocol uint8
}

func (r bindRequest) String() string {
	text := "bind of an IPv4 socket"
	switch {
	case r.mapped():
		text = "bind of an IPv6 socket to an IPv4 address"
	case r.v6:
		text = "bind of an IPv6 socket"
	}
	return text + ", protocol " + strconv.Itoa(int(r.protocol)) + ", port " + strconv.Itoa(int(r.port))
}

func (r bindRequest) context() (ctx [bindProtocol + 4]byte) {
	putNative(ctx[:], 0, IPv4)
	if r.v6 {
		putNative(ctx[:], 0, IPv6)
		for i, w := range r.address {
			binary.BigEndian.PutUint32(ctx[bindAddress6+4*i:], w)
		}
	}
	putNative(ctx[:], bindPort, network16(r.port))
	putNative(ctx[:], bindProtocol, uint32(r.protocol))
	return ctx
}

func (r bindRequest) mapped() bool {
	return r.v6 && r.address[0] == 0 && r.address[1] == 0 && r.address[2] == 0xffff
}

func (r bindRequest) allowed(b Binds) bool {
	as := func(family uint8) bool {
		in := func(rule BindRule) bool {
			return (rule.Family == 0 || rule.Family == family) && (rule.Protocol == 0 || rule.Protocol == r.protocol) &&
				(rule.First == 0 || rule.First <= r.port && r.port <= rule.Last)
		}
		return slices.ContainsFunc(b.Allow, in) || !slices.ContainsFunc(b.Deny, in)
	}
	return (r.v6 || as(IPv4)) && (!r.v6 || as(IPv6)) && (!r.mapped() || as(IPv4))
}

func bindRequests(b Binds, v6 bool) iter.Seq2[bindRequest, bool] {
	return func(yield func(bindRequest, bool) bool) {
		try := func(port uint16, all bool) bool {
			const sctp = 132
			for m, protocol := range [...]uint8{TCP, UDP, TCP + 1, UDP - 1, sctp, 0, 255} {
				if m > 4 && !all {
					break
				}
				for n, address := range [...]ipAddress{
					{}, {0, 0, 0xffff, 0x7f000001}, // :: and ::ffff:127.0.0.1, and what is not quite that
					{0, 1, 0xffff}, {1, 0, 0xffff}, {0, 0, 0xffff0000, 0xffff}, {0, 0, 0xfffe, 0xffff}, {0, 0, 1 << 16}, {3: 1},
				} {
					if n > 0 && !v6 || n > 3 && (!all || m > 1) {
						break
					}
					r := bindRequest{v6, address, port, protocol}
					if !yield(r, r.allowed(b)) {
						return false
					}
				}
			}
			return true
		}
		if !try(0, true) || !try(1, false) || !try(1<<15, true) || !try(1<<16-1, false) {
			return
		}
		for _, rules := range [...][]BindRule{b.Allow, b.Deny} {
			for i := range some(len(rules), 4) {
				r := rules[i]
				if r.First == 0 {
					continue
				}
				for n, port := range [...]uint16{r.First, r.First - 1, r.Last, r.Last + 1, r.First<<8 | r.First>>8} {
					if !try(port, n == 0) {
						return
					}
				}
			}
		}
	}
}

// ProveInterfaceSocket tries a program of InterfaceSocketProgram.
func ProveInterfaceSocket(p []Ins, ifindex uint32) error {
	var ctx [8]byte
	for i := range ctx {
		ctx[i] = 0xa5
	}
	want := ctx
	putNative(want[:], socketInterface, ifindex)
	answer, err := Eval(p, ctx[:], nil)
	switch {
	case err != nil:
		return err
	case answer != 1:
		return errors.New("a new socket: the program denies it")
	case ctx != want:
		return errors.New("a new socket: the program binds it to another interface")
	}
	return nil
}
