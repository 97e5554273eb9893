package cgroup

import "strings"

// Access is what may be done with a device, in the bits of the kernel: BPF_DEVCG_ACC_ of
// linux/bpf.h.
type Access uint8

// The accesses of DeviceAllow=, systemd.resource-control(5).
const (
	Mknod Access = 1 << iota // m
	Read                     // r
	Write                    // w
)

// String is the access as DeviceAllow= takes it: "rwm".
func (a Access) String() string {
	var b []byte
	for i, bit := range [...]Access{Read, Write, Mknod} {
		if a&bit != 0 {
			b = append(b, "rwm"[i])
		}
	}
	return string(b)
}

// AnyMinor stands for every minor number of a major one, and AnyMajor, which goes with it,
// for every major one. The numbers of the kernel are smaller: 20 and 12 bits.
const (
	AnyMinor = ^uint32(0)
	AnyMajor = ^uint32(0)
)

// Device allows accesses to a device, with AnyMinor to all that have its major number, or
// with AnyMajor to all of its kind, whenever their drivers come.
type Device struct {
	Block        bool // a block device; else a character device
	Major, Minor uint32
	Access       Access
}

// Prefix is a block of addresses: the first Bits bits of Addr. An IPv4 address stands in
// the first four bytes, the rest is zero; bits behind the prefix are zero.
type Prefix struct {
	V6   bool
	Bits uint8 // 0…32, or 0…128
	Addr [16]byte
}

// Addresses is IPAddressAllow= and IPAddressDeny=, systemd.resource-control(5): what is
// allowed goes before what is denied, and what is in neither passes.
type Addresses struct{ Allow, Deny []Prefix }

// The families and protocols of a BindRule; 0 stands for all.
const (
	IPv4 = 2  // AF_INET
	IPv6 = 10 // AF_INET6
	TCP  = 6  // IPPROTO_TCP
	UDP  = 17 // IPPROTO_UDP
)

// BindRule is one rule of SocketBindAllow= or SocketBindDeny=. Without ports (First is 0)
// it is for every port, 0 included: the one that the kernel chooses.
type BindRule struct {
	Family      uint8 // IPv4, IPv6, or 0
	Protocol    uint8 // TCP, UDP, or 0
	First, Last uint16
}

// String is the rule as SocketBindAllow= takes it: "ipv4:tcp:80-90".
func (r BindRule) String() string {
	var words []string
	switch r.Family {
	case IPv4:
		words = append(words, "ipv4")
	case IPv6:
		words = append(words, "ipv6")
	}
	switch r.Protocol {
	case TCP:
		words = append(words, "tcp")
	case UDP:
		words = append(words, "udp")
	}
	if r.First != 0 {
		ports := decimal(uint32(r.First))
		if r.Last != r.First {
			ports += "-" + decimal(uint32(r.Last))
		}
		words = append(words, ports)
	}
	if len(words) == 0 {
		return "any"
	}
	return strings.Join(words, ":")
}

// Binds is SocketBindAllow= and SocketBindDeny=: what is allowed goes before what is
// denied, and what is in neither passes.
type Binds struct{ Allow, Deny []BindRule }

// Names is a list of names and whether it is one of those that are allowed (the default),
// or of those that are not: RestrictNetworkInterfaces= and RestrictFileSystems=.
type Names struct {
	Deny bool
	List []string
}

// Interfaces is Names of network interfaces, by their numbers in the network namespace of
// the service.
type Interfaces struct {
	Deny  bool
	Index []uint32
}

// FileSystems is Names of file systems, by the numbers of linux/magic.h.
type FileSystems struct {
	Deny  bool
	Magic []uint32
}
