package cgroup

import (
	"encoding/binary"
	"errors"
	"slices"
	"strconv"

	"github.com/hardrun/hardrun/order"
)

// What a packet program knows of a packet.
const (
	etherIPv4 = 0x0800 // ETH_P_IP, linux/if_ether.h
	etherIPv6 = 0x86dd // ETH_P_IPV6

	helperLoadBytes = 26 // bpf_skb_load_bytes, linux/bpf.h; it counts from the IP header on
)

// PacketProgram is a program for BPF_CGROUP_INET_INGRESS or _EGRESS, which the kernel asks
// about packets of AF_INET and AF_INET6 sockets. A packet passes where both its interface
// does, if i is not nil, and its address: the source of one that comes, the destination of
// one that goes. Where there are rules of addresses, a packet in which there is no
// address, being neither IPv4 nor IPv6 or too short, is denied: no such socket has one.
//
// 12,700 random IPv4 prefixes of 24 bits fit into a program, or 5,700 random IPv6 prefixes
// of 48 bits; neighbours with one verdict count once.
func PacketProgram(addresses Addresses, i *Interfaces, ingress bool) ([]Ins, error) {
	var a asm
	pass, drop := a.label(), a.label()
	a.movReg(R6, R1)
	if i != nil {
		a.interfaces(i, drop)
	}
	if len(addresses.Allow)+len(addresses.Deny) > 0 {
		six := a.label()
		a.load(4, R2, R6, packetProtocol)
		a.jumpIf32(jmpJEQ, R2, network16(etherIPv6), six)
		a.jumpIf32(jmpJNE, R2, network16(etherIPv4), drop)
		for _, v6 := range [...]bool{false, true} {
			list, err := intervals(addresses, v6)
			if err != nil {
				return nil, err
			}
			if v6 {
				a.here(six)
			}
			at, size := addressIn(v6, ingress)
			a.loadAddress(at, size, drop)
			a.search(R2, tree(list, 0, false), [2]int{pass, drop})
		}
	}
	a.jump(pass)
	a.here(drop)
	if ingress {
		return a.verdicts(pass, DeniedIngress)
	}
	return a.verdicts(pass, DeniedEgress)
}

// addressIn is where an IP header has the address that is looked at.
func addressIn(v6, ingress bool) (at, size int32) {
	switch {
	case v6 && ingress:
		return 8, 16
	case v6:
		return 24, 16
	case ingress:
		return 12, 4
	}
	return 16, 4
}

// interfaces jumps to drop, or goes on.
func (a *asm) interfaces(i *Interfaces, drop int) {
	on := a.label()
	a.load(4, R2, R6, packetInterface)
	for _, index := range i.Index {
		other := a.label()
		a.jumpIf32(jmpJNE, R2, index, other)
		if i.Deny {
			a.jump(drop)
		} else {
			a.jump(on)
		}
		a.here(other)
	}
	if !i.Deny {
		a.jump(drop)
	}
	a.here(on)
}

// loadAddress loads an address of the packet into registers from r2 on, four bytes each,
// as numbers.
func (a *asm) loadAddress(at, size int32, drop int) {
	a.movReg(R1, R6)
	a.mov(R2, at)
	a.movReg(R3, R10)
	a.add(R3, -16)
	a.mov(R4, size)
	a.call(helperLoadBytes)
	a.jumpIf(jmpJNE, R0, 0, drop)
	for n := range uint8(size / 4) {
		a.load(4, R2+n, R10, -16+4*int16(n))
		a.bswap(R2+n, 32)
	}
}

// node is a verdict from a number on, up to the next node's.
type node struct {
	first uint32
	deny  bool
	sub   []node // what decides by the next number, where this one alone does not
}

// tree is a list of intervals, sorted, as nodes of the word of that number, in which the
// earlier words are the same for all. Before is the verdict in front of the list.
func tree(list []interval, word int, before bool) []node {
	var nodes []node
	if len(list) == 0 || list[0].first[word] != 0 {
		nodes = append(nodes, node{deny: before})
	}
	for len(list) > 0 {
		first, n := list[0].first[word], 1
		for n < len(list) && list[n].first[word] == first {
			n++
		}
		last := list[n-1].deny
		if n == 1 && list[0].whole(word) {
			nodes = append(nodes, node{first: first, deny: last})
		} else {
			nodes = append(nodes, node{first: first, sub: tree(list[:n], word+1, before)})
			if first != ^uint32(0) && (n == len(list) || list[n].first[word] != first+1) {
				nodes = append(nodes, node{first: first + 1, deny: last})
			}
		}
		before, list = last, list[n:]
	}
	return nodes
}

// search finds by halves the node of what is in a register, and jumps by its verdict to
// the first label, which is to pass, or to the second.
func (a *asm) search(reg uint8, nodes []node, verdicts [2]int) {
	const few = 4 // one after the other they take fewer instructions; the rest is halved into such
	if len(nodes) > few {
		half, above := (len(nodes)/2+few-1)/few*few, a.label()
		a.jumpIf32(jmpJGE, reg, nodes[half].first, above)
		a.search(reg, nodes[:half], verdicts)
		a.here(above)
		a.search(reg, nodes[half:], verdicts)
		return
	}
	var to [few]int
	for i, n := range nodes {
		switch {
		case n.sub != nil:
			to[i] = a.label()
		case n.deny:
			to[i] = verdicts[1]
		default:
			to[i] = verdicts[0]
		}
	}
	for i := len(nodes) - 1; i > 0; i-- {
		a.jumpIf32(jmpJGE, reg, nodes[i].first, to[i])
	}
	if nodes[0].sub == nil {
		a.jump(to[0])
	}
	for i, n := range nodes {
		if n.sub != nil {
			a.here(to[i])
			a.search(reg+1, n.sub, verdicts)
		}
	}
}

// interval is a verdict from an address, or a port, on, up to the next interval.
type interval struct {
	first ipAddress
	deny  bool
}

// ipAddress is an address in words, as numbers. An IPv4 address, or a port, is the first
// of them.
type ipAddress [4]uint32

// whole tells whether an interval begins where a word does.
func (i interval) whole(word int) bool {
	for _, w := range i.first[word+1:] {
		if w != 0 {
			return false
		}
	}
	return true
}

// newAddress reads an address as it lies in memory.
func newAddress(b [16]byte) (a ipAddress) {
	for i := range a {
		a[i] = binary.BigEndian.Uint32(b[4*i:])
	}
	return a
}

// next is the address behind this one, and false for the last of all.
func (a ipAddress) next() (ipAddress, bool) {
	for i := len(a) - 1; i >= 0; i-- {
		a[i]++
		if a[i] != 0 {
			return a, true
		}
	}
	return a, false
}

// bounds are the first and the last address of a prefix. All bits behind an IPv4 address
// are 1 in the last, so that the next one is again an IPv4 address.
func (p Prefix) bounds() (first, last ipAddress) {
	first = newAddress(p.Addr)
	for i := range first {
		host := ^uint32(0) >> min(max(int(p.Bits)-32*i, 0), 32)
		first[i] &^= host
		last[i] = first[i] | host
	}
	return first, last
}

// intervals are the verdicts about the addresses of a family.
func intervals(a Addresses, v6 bool) ([]interval, error) {
	longest := uint8(32)
	if v6 {
		longest = 128
	}
	var edges []edge
	for i, list := range [...][]Prefix{a.Allow, a.Deny} {
		for _, p := range list {
			if p.V6 != v6 {
				continue
			}
			if p.Bits > longest {
				return nil, errors.New("a prefix of " + strconv.Itoa(int(p.Bits)) + " bits in an address of " + strconv.Itoa(int(longest)))
			}
			first, last := p.bounds()
			edges = append(edges, edge{first, i, 1})
			if behind, ok := last.next(); ok {
				edges = append(edges, edge{behind, i, -1})
			}
		}
	}
	return flatten(edges), nil
}

// edge is where a rule begins to be for what is looked at, or ends.
type edge struct {
	at    ipAddress
	list  int // 0 for what is allowed, 1 for what is denied
	delta int
}

// flatten makes verdicts of rules: sorted, no two neighbours the same. What is in front of
// the first passes.
func flatten(edges []edge) (out []interval) {
	order.By(edges, func(x, y *edge) bool { return slices.Compare(x.at[:], y.at[:]) < 0 })
	var depth [2]int // how many rules of each list there are for it
	deny := false
	for i, e := range edges {
		depth[e.list] += e.delta
		if i+1 < len(edges) && edges[i+1].at == e.at {
			continue
		}
		if now := depth[0] == 0 && depth[1] > 0; now != deny {
			out, deny = append(out, interval{e.at, now}), now
		}
	}
	return out
}
