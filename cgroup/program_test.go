package cgroup

import (
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"
)

const seed = 1217

// The oracles of these tests define the rules in other words than the package does:
// prefixes by net/netip, devices by a map, ports by the last rule that is for them.

func prefix(t testing.TB, text string) Prefix {
	t.Helper()
	n, err := netip.ParsePrefix(text)
	if err != nil {
		t.Fatal(err)
	}
	return fromNetip(n)
}

func fromNetip(n netip.Prefix) Prefix {
	p := Prefix{V6: n.Addr().Is6(), Bits: uint8(n.Bits())}
	copy(p.Addr[:], n.Masked().Addr().AsSlice())
	return p
}

func (p Prefix) netip() netip.Prefix {
	a := netip.AddrFrom16(p.Addr)
	if !p.V6 {
		a = netip.AddrFrom4([4]byte(p.Addr[:4]))
	}
	return netip.PrefixFrom(a, int(p.Bits))
}

func (k packet) netip() netip.Addr {
	b := k.data()
	at, size := addressIn(k.protocol == etherIPv6, k.ingress)
	a, _ := netip.AddrFromSlice(b[at : at+size])
	return a
}

// packetOracle is what the rules say of a packet.
func packetOracle(a Addresses, i *Interfaces, k packet) bool {
	if i != nil {
		listed := false
		for _, index := range i.Index {
			listed = listed || index == k.ifindex
		}
		if listed == i.Deny {
			return false
		}
	}
	if len(a.Allow) == 0 && len(a.Deny) == 0 {
		return true
	}
	needs := map[uint16]map[bool]int{etherIPv4: {true: 16, false: 20}, etherIPv6: {true: 24, false: 40}}[k.protocol]
	if needs == nil || k.size < needs[k.ingress] {
		return false
	}
	address := k.netip()
	for _, p := range a.Allow {
		if p.netip().Contains(address) {
			return true
		}
	}
	for _, p := range a.Deny {
		if p.netip().Contains(address) {
			return false
		}
	}
	return true
}

func evalPacket(t testing.TB, p []Ins, k packet) bool {
	t.Helper()
	ctx, data := k.context(), k.data()
	return answer(t, p, ctx[:], data[:k.size])
}

func answer(t testing.TB, p []Ins, ctx, packet []byte) bool {
	t.Helper()
	v, err := Eval(p, ctx, packet)
	if err != nil || v > 1 {
		t.Fatalf("the program answers %d: %v", v, err)
	}
	return v == 1
}

// randomPrefix is one of few neighbourhoods, so that prefixes overlap, touch and repeat.
func randomPrefix(r *rand.Rand, v6 bool) Prefix {
	p := Prefix{V6: v6}
	size := 4
	if v6 {
		size = 16
	}
	p.Bits = uint8(r.IntN(8*size + 1))
	if r.IntN(3) > 0 {
		p.Bits = uint8(8*size - r.IntN(6))
	}
	for i := range size {
		p.Addr[i] = [...]byte{0, 0, 0, 255, 255, 1, 128, byte(r.Uint32())}[r.IntN(8)]
	}
	return fromNetip(p.netip())
}

func randomAddresses(r *rand.Rand, most int) (a Addresses) {
	for _, list := range []*[]Prefix{&a.Allow, &a.Deny} {
		for range r.IntN(most + 1) {
			*list = append(*list, randomPrefix(r, r.IntN(2) == 0))
		}
	}
	return a
}

func randomInterfaces(r *rand.Rand) *Interfaces {
	if r.IntN(3) > 0 {
		return nil
	}
	i := &Interfaces{Deny: r.IntN(2) == 0}
	for range r.IntN(4) {
		i.Index = append(i.Index, uint32(r.IntN(6)))
	}
	return i
}

func randomPacket(r *rand.Rand, a Addresses, ingress bool) packet {
	k := packet{ingress: ingress, protocol: etherIPv4, ifindex: uint32(r.IntN(6)), size: longest}
	switch r.IntN(20) {
	case 0:
		k.protocol = uint16(r.Uint32())
	case 1:
		k.size = r.IntN(longest + 1)
	}
	if r.IntN(2) == 0 {
		k.protocol = etherIPv6
	}
	list := append(slices.Clone(a.Allow), a.Deny...)
	if len(list) == 0 || r.IntN(4) == 0 {
		k.address = newAddress(randomPrefix(r, true).Addr)
		return k
	}
	p := list[r.IntN(len(list))]
	first, last := p.bounds()
	before, behind := first.neighbours(last)
	k.address = [...]ipAddress{first, last, before, behind}[r.IntN(4)]
	return k
}

func TestPacketProgram(t *testing.T) {
	r := rand.New(rand.NewPCG(seed, 0))
	for _, most := range []int{0, 1, 2, 5, 20, 100, 2000} {
		passed, denied := 0, 0
		for range 4 + 600/(most+1) {
			a, i, ingress := randomAddresses(r, most), randomInterfaces(r), r.IntN(2) == 0
			p, err := PacketProgram(a, i, ingress)
			if err != nil {
				t.Fatal(err)
			}
			if err := ProvePackets(p, a, i, ingress); err != nil {
				t.Fatalf("%v\n%v %v", err, a, i)
			}
			for range 200 {
				k := randomPacket(r, a, ingress)
				want := packetOracle(a, i, k)
				if got := evalPacket(t, p, k); got != want {
					t.Fatalf("%v: program %v, want %v\n%v %v", k, got, want, a, i)
				}
				if naive := k.passes(a, i); naive != want {
					t.Fatalf("%v: definition %v, want %v\n%v %v", k, naive, want, a, i)
				}
				if want {
					passed++
				} else {
					denied++
				}
			}
		}
		if passed == 0 || denied == 0 {
			t.Errorf("up to %d prefixes: %d packets passed, %d denied: nothing was compared", most, passed, denied)
		}
	}
}

func TestPacketProgramCases(t *testing.T) {
	localhost := Addresses{
		Allow: []Prefix{prefix(t, "127.0.0.0/8"), prefix(t, "::1/128")},
		Deny:  []Prefix{prefix(t, "0.0.0.0/0"), prefix(t, "::/0")},
	}
	inside := Addresses{
		Allow: []Prefix{prefix(t, "10.1.2.0/24")},
		Deny:  []Prefix{prefix(t, "10.0.0.0/8"), prefix(t, "10.1.2.3/32"), prefix(t, "255.255.255.255/32"), prefix(t, "ffff::/16")},
	}
	for _, tt := range []struct {
		rules   Addresses
		i       *Interfaces
		address string
		index   uint32
		passes  bool
	}{
		{localhost, nil, "127.0.0.1", 1, true},
		{localhost, nil, "127.255.255.255", 1, true},
		{localhost, nil, "126.255.255.255", 1, false},
		{localhost, nil, "128.0.0.0", 1, false},
		{localhost, nil, "::1", 1, true},
		{localhost, nil, "::", 1, false},
		{localhost, nil, "::2", 1, false},
		{inside, nil, "10.1.2.3", 1, true}, // what is allowed goes first, however short it is
		{inside, nil, "10.1.3.0", 1, false},
		{inside, nil, "11.0.0.0", 1, true},
		{inside, nil, "255.255.255.255", 1, false},
		{inside, nil, "255.255.255.254", 1, true},
		{inside, nil, "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", 1, false},
		{inside, nil, "fffe:ffff:ffff:ffff:ffff:ffff:ffff:ffff", 1, true},
		{Addresses{}, &Interfaces{Index: []uint32{2, 3}}, "192.0.2.1", 3, true},
		{Addresses{}, &Interfaces{Index: []uint32{2, 3}}, "192.0.2.1", 1, false},
		{Addresses{}, &Interfaces{}, "192.0.2.1", 1, false},
		{Addresses{}, &Interfaces{Deny: true}, "192.0.2.1", 1, true},
		{Addresses{}, &Interfaces{Deny: true, Index: []uint32{2, 3}}, "192.0.2.1", 2, false},
		{localhost, &Interfaces{Deny: true, Index: []uint32{2, 3}}, "127.0.0.1", 1, true},
		{localhost, &Interfaces{Deny: true, Index: []uint32{2, 3}}, "127.0.0.1", 2, false},
		{localhost, &Interfaces{Deny: true, Index: []uint32{2, 3}}, "192.0.2.1", 1, false},
	} {
		for _, ingress := range []bool{false, true} {
			p, err := PacketProgram(tt.rules, tt.i, ingress)
			if err != nil {
				t.Fatal(err)
			}
			k := packet{ingress: ingress, protocol: etherIPv4, ifindex: tt.index, size: longest}
			address := netip.MustParseAddr(tt.address)
			if address.Is6() {
				k.protocol = etherIPv6
			}
			var b [16]byte
			copy(b[:], address.AsSlice())
			k.address = newAddress(b)
			if got := evalPacket(t, p, k); got != tt.passes {
				t.Errorf("%v: %v, want %v", k, got, tt.passes)
			}
		}
	}
}

func TestPacketProgramRefuses(t *testing.T) {
	for _, tt := range []struct {
		p    Prefix
		want string
	}{
		{Prefix{Bits: 33}, "a prefix of 33 bits in an address of 32"},
		{Prefix{V6: true, Bits: 129}, "a prefix of 129 bits in an address of 128"},
	} {
		_, err := PacketProgram(Addresses{Deny: []Prefix{tt.p}}, nil, true)
		if err == nil || err.Error() != tt.want {
			t.Errorf("%v: error %v, want %s", tt.p, err, tt.want)
		}
	}
}

// The intervals are sorted, alternate, and say of each address what the prefixes do.
func TestIntervals(t *testing.T) {
	r := rand.New(rand.NewPCG(seed, 1))
	for range 2000 {
		a := randomAddresses(r, 12)
		for _, v6 := range []bool{false, true} {
			list, err := intervals(a, v6)
			if err != nil {
				t.Fatal(err)
			}
			for n, i := range list {
				if i.deny != (n%2 == 0) || n > 0 && slices.Compare(list[n-1].first[:], i.first[:]) >= 0 || !v6 && !i.whole(0) {
					t.Fatalf("interval %d of %v", n, list)
				}
			}
			for range 40 {
				k := randomPacket(r, a, true)
				k.protocol, k.size = etherIPv4, longest
				if v6 {
					k.protocol = etherIPv6
				} else {
					k.address = ipAddress{k.address[0]}
				}
				deny := false
				for _, i := range list {
					if slices.Compare(i.first[:], k.address[:]) <= 0 {
						deny = i.deny
					}
				}
				if want := packetOracle(a, nil, k); deny == want {
					t.Fatalf("%v: intervals deny %v, want %v\n%v\n%v", k, deny, !want, a, list)
				}
			}
		}
	}
}

// randomDenied are that many different prefixes.
func randomDenied(r *rand.Rand, n int, v6 bool, bits uint8) (a Addresses) {
	for range n {
		p := Prefix{V6: v6, Bits: bits}
		for i := range p.Addr {
			p.Addr[i] = byte(r.Uint32())
		}
		if v6 {
			p.Addr[0] = p.Addr[0]&0x1f | 0x20 // 2000::/3
		} else {
			clear(p.Addr[4:])
		}
		a.Deny = append(a.Deny, fromNetip(p.netip()))
	}
	return a
}

// fits is how many random prefixes fit into a program.
func fits(t testing.TB, v6 bool, bits uint8) int {
	low, high := 0, maxLength
	for low+1 < high {
		half := (low + high) / 2
		_, err := PacketProgram(randomDenied(rand.New(rand.NewPCG(seed, 2)), half, v6, bits), nil, true)
		switch {
		case err == nil:
			low = half
		case errors.Is(err, errTooLong):
			high = half
		default:
			t.Fatal(err)
		}
	}
	return low
}

// What the documentation says fits, does.
const (
	fitIPv4 = 12700
	fitIPv6 = 5700
)

func TestPacketProgramFits(t *testing.T) {
	for _, tt := range []struct {
		v6   bool
		bits uint8
		says int
	}{{false, 24, fitIPv4}, {true, 48, fitIPv6}} {
		n := fits(t, tt.v6, tt.bits)
		t.Logf("%d prefixes of %d bits", n, tt.bits)
		if n < tt.says || n > tt.says+200 {
			t.Errorf("%d prefixes of %d bits fit, documented are %d", n, tt.bits, tt.says)
		}
	}
}

func deviceOracle(list []Device, r deviceRequest) bool {
	merged := map[Device]Access{}
	for _, d := range list {
		merged[Device{d.Block, d.Major, d.Minor, 0}] |= d.Access
	}
	if r.kind != blockDevice && r.kind != charDevice || r.access > 7 {
		return false
	}
	for _, of := range []Device{{Major: r.major, Minor: r.minor}, {Major: r.major, Minor: AnyMinor}, {Major: AnyMajor, Minor: AnyMinor}} {
		of.Block = r.kind == blockDevice
		if access, listed := merged[of]; listed && access|Access(r.access) == access {
			return true
		}
	}
	return false
}

func evalDevice(t testing.TB, p []Ins, r deviceRequest) bool {
	t.Helper()
	ctx := r.context()
	return answer(t, p, ctx[:], nil)
}

func randomDevices(r *rand.Rand, most int) (list []Device) {
	for range r.IntN(most + 1) {
		d := Device{r.IntN(2) == 0, uint32(r.IntN(4)), uint32(r.IntN(4 + most/16)), Access(1 + r.IntN(7))}
		if r.IntN(6) == 0 {
			d.Minor = AnyMinor
			if r.IntN(3) == 0 {
				d.Major = AnyMajor
			}
		}
		list = append(list, d)
	}
	return list
}

func TestDeviceProgram(t *testing.T) {
	r := rand.New(rand.NewPCG(seed, 3))
	for _, most := range []int{0, 1, 3, 10, 100, 2000} {
		allowed, seen := 0, map[bool]int{}
		for range 4 + 500/(most+1) {
			list := randomDevices(r, most)
			p, err := DeviceProgram(list)
			if err != nil {
				t.Fatal(err)
			}
			if err := ProveDevices(p, list); err != nil {
				t.Fatalf("%v\n%v", err, list)
			}
			for range 400 {
				q := deviceRequest{uint16(r.IntN(4)), uint32(r.IntN(5)), uint32(r.IntN(5 + most/16)), uint16(r.IntN(9))}
				want := deviceOracle(list, q)
				if got := evalDevice(t, p, q); got != want {
					t.Fatalf("%v: program %v, want %v\n%v", q, got, want, list)
				}
				if naive := q.allowed(list); naive != want {
					t.Fatalf("%v: definition %v, want %v\n%v", q, naive, want, list)
				}
				if want {
					allowed++
				}
				if q.access == 0 {
					seen[want]++
				}
			}
		}
		if (allowed == 0) != (most == 0) {
			t.Errorf("up to %d devices: %d requests were allowed", most, allowed)
		}
		if seen[false] == 0 || (seen[true] == 0) != (most == 0) {
			t.Errorf("up to %d devices: of requests of no access %d were allowed, %d denied", most, seen[true], seen[false])
		}
	}
}

func TestDeviceProgramCases(t *testing.T) {
	list := []Device{
		{false, 1, 3, Read | Write},
		{false, 1, 5, Read},
		{false, 1, 5, Write}, // the same device once more
		{false, 136, AnyMinor, Read},
		{false, 136, 7, Write},
		{true, 8, 0, Read | Write | Mknod},
	}
	whole := append(slices.Clone(list), Device{true, AnyMajor, AnyMinor, Read}, Device{true, 9, AnyMinor, Write}, Device{true, 8, 1, Mknod}, Device{true, AnyMajor, AnyMinor, Mknod})
	programs := [2][]Ins{}
	for n, list := range [][]Device{list, whole} {
		p, err := DeviceProgram(list)
		if err != nil {
			t.Fatal(err)
		}
		programs[n] = p
	}
	type request struct {
		r       deviceRequest
		allowed bool
	}
	for n, requests := range [2][]request{{
		{deviceRequest{charDevice, 1, 3, uint16(Read)}, true},
		{deviceRequest{charDevice, 1, 3, uint16(Read | Write)}, true},
		{deviceRequest{charDevice, 1, 3, uint16(Mknod)}, false},
		{deviceRequest{charDevice, 1, 3, uint16(Mknod | Read)}, false},
		{deviceRequest{charDevice, 1, 4, uint16(Read)}, false},
		{deviceRequest{blockDevice, 1, 3, uint16(Read)}, false},
		{deviceRequest{charDevice, 1, 5, uint16(Read | Write)}, true},
		{deviceRequest{charDevice, 136, 7, uint16(Read)}, true},
		{deviceRequest{charDevice, 136, 7, uint16(Write)}, true},
		{deviceRequest{charDevice, 136, 7, uint16(Read | Write)}, false}, // no one entry has both
		{deviceRequest{charDevice, 136, 0xfffff, uint16(Read)}, true},
		{deviceRequest{charDevice, 136, 0xfffff, uint16(Write)}, false},
		{deviceRequest{blockDevice, 8, 0, 7}, true},
		{deviceRequest{blockDevice, 8, 0, 0}, true}, // no access to what is listed
		{deviceRequest{charDevice, 1, 3, 0}, true},
		{deviceRequest{charDevice, 1, 4, 0}, false},
		{deviceRequest{charDevice, 2, 3, 0}, false},
		{deviceRequest{blockDevice, 1, 3, 0}, false},
		{deviceRequest{charDevice, 136, 0xfffff, 0}, true},
		{deviceRequest{charDevice, 8, 0, 0}, false},
		{deviceRequest{0, 8, 0, 0}, false},
		{deviceRequest{3, 8, 0, 0}, false},
		{deviceRequest{blockDevice, 8, 0, 8}, false},
		{deviceRequest{blockDevice, 8, 0, 15}, false},
		{deviceRequest{blockDevice, 8, 0, 1 << 15}, false},
		{deviceRequest{0, 8, 0, 1}, false},
		{deviceRequest{3, 8, 0, 1}, false},
	}, {
		{deviceRequest{blockDevice, 0, 0, uint16(Read | Mknod)}, true}, // the whole kind, whose entries are one
		{deviceRequest{blockDevice, 1<<12 - 1, 1<<20 - 1, uint16(Read | Mknod)}, true},
		{deviceRequest{blockDevice, 1<<12 - 1, 1<<20 - 1, 0}, true},
		{deviceRequest{blockDevice, 7, 0, uint16(Write)}, false},
		{deviceRequest{blockDevice, 8, 0, uint16(Read | Write)}, true},
		{deviceRequest{blockDevice, 8, 1, uint16(Read)}, true},
		{deviceRequest{blockDevice, 8, 1, uint16(Write)}, false},
		{deviceRequest{blockDevice, 8, 2, uint16(Read)}, true},
		{deviceRequest{blockDevice, 9, 0, uint16(Write)}, true},
		{deviceRequest{blockDevice, 9, 0, uint16(Mknod)}, true},
		{deviceRequest{blockDevice, 9, 0, uint16(Write | Mknod)}, false}, // no one entry has both
		{deviceRequest{blockDevice, 7, 0, uint16(Read) | 8}, false},
		{deviceRequest{charDevice, 7, 0, uint16(Read)}, false}, // another kind
		{deviceRequest{charDevice, 7, 0, 0}, false},
		{deviceRequest{3, 7, 0, uint16(Read)}, false},
	}} {
		for _, tt := range requests {
			if got := evalDevice(t, programs[n], tt.r); got != tt.allowed {
				t.Errorf("list %d: %v: %v, want %v", n, tt.r, got, tt.allowed)
			}
		}
	}
}

func TestDeviceString(t *testing.T) {
	for want, d := range map[string]Device{
		"c 1:3 rw":         {false, 1, 3, Read | Write},
		"b 4095:1048575 m": {true, 1<<12 - 1, 1<<20 - 1, Mknod},
		"c 136:* rwm":      {false, 136, AnyMinor, Read | Write | Mknod},
		"c *:* rw":         {false, AnyMajor, AnyMinor, Read | Write},
		"b *:* r":          {true, AnyMajor, AnyMinor, Read},
	} {
		if got := d.String(); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

// One minor number of every major one is nothing that a list can say.
func TestDeviceProgramRefuses(t *testing.T) {
	for _, more := range []Device{{false, 1, 3, Read}, {false, AnyMajor, AnyMinor, Read}, {true, AnyMajor, AnyMinor, Read}} {
		_, err := DeviceProgram([]Device{more, {false, AnyMajor, 5, Read}})
		if want := "c *:5 r: one minor number of every major one"; errText(err) != want {
			t.Errorf("error %q, want %q", errText(err), want)
		}
	}
}

// bindOracle goes through all rules, and the last that is for the port decides.
func bindOracle(b Binds, family, protocol uint8, port uint16) bool {
	allowed := true
	for i, rules := range [][]BindRule{b.Deny, b.Allow} {
		for _, r := range rules {
			switch {
			case r.Family != 0 && r.Family != family, r.Protocol != 0 && r.Protocol != protocol:
			case r.First == 0, port >= r.First && port <= r.Last:
				allowed = i == 1
			}
		}
	}
	return allowed
}

func evalBind(t testing.TB, p []Ins, r bindRequest) bool {
	t.Helper()
	ctx := r.context()
	return answer(t, p, ctx[:], nil)
}

func randomBinds(r *rand.Rand, most int) (b Binds) {
	for _, list := range []*[]BindRule{&b.Allow, &b.Deny} {
		for range r.IntN(most + 1) {
			rule := BindRule{Family: [...]uint8{0, IPv4, IPv6}[r.IntN(3)], Protocol: [...]uint8{0, TCP, UDP}[r.IntN(3)]}
			if r.IntN(4) > 0 {
				rule.First = [...]uint16{1, 2, 80, 255, 256, 1024, 1<<15 - 1, 1<<16 - 1, uint16(1 + r.IntN(1<<16-1))}[r.IntN(9)]
				rule.Last = uint16(min(int(rule.First)+r.IntN(3)*r.IntN(5000), 1<<16-1))
			}
			*list = append(*list, rule)
		}
	}
	return b
}

// bindAddresses are :: and IPv4 addresses of IPv6 sockets.
var bindAddresses = [...]ipAddress{{}, {0x20010db8, 0, 0, 1}, {0, 0, 0xffff, 0}, {0, 0, 0xffff, 0x7f000001}, {0, 0, 0, 0x7f000001}, {0, 0, 0xffff0000, 0}}

func TestBindProgram(t *testing.T) {
	r := rand.New(rand.NewPCG(seed, 4))
	for _, most := range []int{0, 1, 2, 6, 128} {
		allowed, denied := 0, 0
		for range 4 + 60/(most+1) {
			b := randomBinds(r, most)
			for _, v6 := range []bool{false, true} {
				p, err := BindProgram(b, v6)
				if err != nil {
					t.Fatal(err)
				}
				if err := ProveBinds(p, b, v6); err != nil {
					t.Fatalf("%v\n%v", err, b)
				}
				for _, protocol := range []uint8{TCP, UDP, 132} {
					for range 300 {
						q := bindRequest{v6: v6, port: uint16(r.Uint32()), protocol: protocol}
						if list := append(slices.Clone(b.Allow), b.Deny...); len(list) > 0 && r.IntN(2) == 0 {
							rule := list[r.IntN(len(list))]
							q.port = [...]uint16{rule.First, rule.First - 1, rule.Last, rule.Last + 1, 0}[r.IntN(5)]
						}
						four := bindOracle(b, IPv4, protocol, q.port)
						want := four
						if v6 {
							q.address = bindAddresses[r.IntN(len(bindAddresses))]
							want = bindOracle(b, IPv6, protocol, q.port)
							if netip.AddrFrom16(q.bytes()).Is4In6() {
								want = want && four
							}
						}
						if got := evalBind(t, p, q); got != want {
							t.Fatalf("%v: program %v, want %v\n%v", q, got, want, b)
						}
						if naive := q.allowed(b); naive != want {
							t.Fatalf("%v: definition %v, want %v\n%v", q, naive, want, b)
						}
						if want {
							allowed++
						} else {
							denied++
						}
					}
				}
			}
		}
		if allowed == 0 || denied == 0 && most > 0 {
			t.Errorf("up to %d rules: %d allowed, %d denied", most, allowed, denied)
		}
	}
}

func (r bindRequest) bytes() (b [16]byte) {
	ctx := r.context()
	copy(b[:], ctx[bindAddress6:])
	return b
}

func TestBindProgramCases(t *testing.T) {
	const v4, v6, mapped = "v4", "v6", "mapped"
	rule := func(family, protocol uint8, ports ...uint16) BindRule {
		r := BindRule{Family: family, Protocol: protocol}
		if len(ports) > 0 {
			r.First, r.Last = ports[0], ports[len(ports)-1]
		}
		return r
	}
	rules := func(r ...BindRule) []BindRule { return r }
	anyRule := rule(0, 0)
	for _, tt := range []struct {
		b        Binds
		as       string
		port     uint16
		protocol uint8
		allowed  bool
	}{
		{Binds{Deny: rules(anyRule)}, v4, 0, TCP, false}, // port 0, too
		{Binds{Deny: rules(anyRule)}, v6, 80, UDP, false},
		{Binds{Deny: rules(rule(0, 0, 1, 65535))}, v4, 0, TCP, true},
		{Binds{Deny: rules(rule(0, 0, 1, 65535))}, v4, 65535, TCP, false},
		{Binds{Allow: rules(rule(IPv6, 0, 10000, 65535)), Deny: rules(anyRule)}, v6, 10000, TCP, true},
		{Binds{Allow: rules(rule(IPv6, 0, 10000, 65535)), Deny: rules(anyRule)}, v6, 9999, TCP, false},
		{Binds{Allow: rules(rule(IPv6, 0, 10000, 65535)), Deny: rules(anyRule)}, v4, 10000, TCP, false},
		{Binds{Allow: rules(rule(IPv6, 0, 10000, 65535)), Deny: rules(anyRule)}, mapped, 10000, TCP, false},
		{Binds{Allow: rules(rule(IPv4, 0, 10000)), Deny: rules(anyRule)}, mapped, 10000, TCP, false},
		{Binds{Allow: rules(rule(0, 0, 10000)), Deny: rules(anyRule)}, mapped, 10000, TCP, true},
		{Binds{Deny: rules(rule(IPv4, 0))}, mapped, 80, TCP, false},
		{Binds{Deny: rules(rule(IPv6, 0))}, mapped, 80, TCP, false},
		{Binds{Deny: rules(rule(IPv4, 0))}, v6, 80, TCP, true},
		{Binds{Deny: rules(rule(IPv6, 0))}, v4, 80, TCP, true},
		{Binds{Allow: rules(rule(0, TCP)), Deny: rules(anyRule)}, v4, 80, TCP, true},
		{Binds{Allow: rules(rule(0, TCP)), Deny: rules(anyRule)}, v4, 80, UDP, false},
		{Binds{Allow: rules(rule(0, TCP)), Deny: rules(anyRule)}, v4, 80, 132, false},
		{Binds{Allow: rules(rule(0, 0, 80)), Deny: rules(rule(0, 0, 80))}, v4, 80, TCP, true},
		{Binds{Allow: rules(rule(0, 0, 80))}, v4, 81, TCP, true}, // nothing is denied
		{Binds{}, v6, 0, UDP, true},
	} {
		q := bindRequest{v6: tt.as != v4, port: tt.port, protocol: tt.protocol}
		if tt.as == mapped {
			q.address = ipAddress{0, 0, 0xffff, 0xc0000201}
		}
		p, err := BindProgram(tt.b, q.v6)
		if err != nil {
			t.Fatal(err)
		}
		if got := evalBind(t, p, q); got != tt.allowed {
			t.Errorf("%v by %v: %v, want %v", q, tt.b, got, tt.allowed)
		}
	}
}

func TestTooLong(t *testing.T) {
	r := rand.New(rand.NewPCG(seed, 5))
	devices := make([]Device, maxLength)
	for i := range devices {
		devices[i] = Device{Major: uint32(i), Access: Read}
	}
	rules := make([]BindRule, maxLength)
	for i := range rules {
		rules[i] = BindRule{First: uint16(2*i + 1), Last: uint16(2*i + 1)}
	}
	indexes := make([]uint32, maxLength)
	for i := range indexes {
		indexes[i] = uint32(i)
	}
	_, devicesErr := DeviceProgram(devices)
	_, bindsErr := BindProgram(Binds{Deny: rules}, true)
	_, interfacesErr := PacketProgram(Addresses{}, &Interfaces{Index: indexes}, true)
	_, packetsErr := PacketProgram(randomDenied(r, maxLength, true, 64), nil, true)
	for name, err := range map[string]error{"devices": devicesErr, "binds": bindsErr, "interfaces": interfacesErr, "packets": packetsErr} {
		if !errors.Is(err, errTooLong) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestInterfaceSocketProgram(t *testing.T) {
	for _, index := range []uint32{1, 2, 0x12345678, 1<<31 + 1} {
		p := InterfaceSocketProgram(index)
		if err := ProveInterfaceSocket(p, index); err != nil {
			t.Error(err)
		}
		if err := ProveInterfaceSocket(p, index+1); err == nil {
			t.Errorf("a program for interface %d was taken for one for %d", index, index+1)
		}
	}
}

// Counting puts the descriptor where there is the address of a map, and nowhere else: not
// into a constant that looks like one, and not into what is behind it.
func TestCounting(t *testing.T) {
	p, err := DeviceProgram([]Device{{false, 1, 3, Read}})
	if err != nil {
		t.Fatal(err)
	}
	constant := Ins{Op: classLD | modeIMM | sizeDW, Reg: reg(R9, 0), Imm: countersFD}
	p = append(p, constant, Ins{Imm: 24})
	before := slices.Clone(p)
	q := Counting(p, 4711)
	if !slices.Equal(p, before) {
		t.Error("the program itself was changed")
	}
	changed := map[int]Ins{}
	for i := range q {
		if q[i] != p[i] {
			changed[i] = q[i]
		}
	}
	want := map[int]Ins{}
	for i := range p {
		if p[i].Op == classLD|modeIMM|sizeDW && p[i].Reg == reg(R9, pseudoMapValue) {
			want[i] = Ins{p[i].Op, p[i].Reg, 0, 4711}
		}
	}
	if len(want) != 1 || !maps.Equal(changed, want) {
		t.Errorf("changed %v, want %v", changed, want)
	}
}

func Example() {
	list := []Device{{Major: 1, Minor: 3, Access: Read | Write}}
	p, err := DeviceProgram(list)
	if err == nil {
		err = ProveDevices(p, list)
	}
	fmt.Println(len(p), err)
	fmt.Println(ProveDevices(p, []Device{{Major: 1, Minor: 3, Access: Read}}))
	// Output:
	// 23 <nil>
	// character device 1:3 w: the program allows, the rules deny
}
