package cgroup

import (
	"net/netip"
	"testing"
)

// fuzzed reads rules and inputs out of bytes. Behind the end there are zeros.
type fuzzed []byte

func (f *fuzzed) byte() byte {
	if len(*f) == 0 {
		return 0
	}
	b := (*f)[0]
	*f = (*f)[1:]
	return b
}

func (f *fuzzed) number16() uint16 { return uint16(f.byte())<<8 | uint16(f.byte()) }

func (f *fuzzed) address() (b [16]byte) {
	for i := range b {
		b[i] = f.byte()
	}
	return b
}

// FuzzPackets holds a program, the definition by which programs are proved, and net/netip
// against each other.
func FuzzPackets(f *testing.F) {
	f.Add([]byte{})
	f.Add([]byte{1, 1, 0, 1, 0, 8, 127, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 10, 0, 0, 1})
	f.Add([]byte{0, 2, 3, 1, 1, 128, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 0, 0x20, 1, 0xd, 0xb8, 255, 255, 255, 255})
	f.Add([]byte{1, 3, 2, 2, 1, 127, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 0, 32, 255, 255, 255, 255, 1, 64, 0, 0, 0, 0, 255, 255, 255, 255})
	f.Fuzz(func(t *testing.T, data []byte) {
		in := fuzzed(data)
		ingress := in.byte()&1 == 1
		var a Addresses
		for _, list := range []*[]Prefix{&a.Allow, &a.Deny} {
			for range in.byte() % 8 {
				p := Prefix{V6: in.byte()&1 == 1, Bits: in.byte(), Addr: in.address()}
				if p.V6 {
					p.Bits %= 129
				} else {
					p.Bits %= 33
					clear(p.Addr[4:])
				}
				*list = append(*list, fromNetip(p.netip()))
			}
		}
		var i *Interfaces
		if kind := in.byte(); kind&1 == 1 {
			i = &Interfaces{Deny: kind&2 == 2}
			for range in.byte() % 4 {
				i.Index = append(i.Index, uint32(in.byte()))
			}
		}
		p, err := PacketProgram(a, i, ingress)
		if err != nil {
			t.Fatal(err)
		}
		if err := ProvePackets(p, a, i, ingress); err != nil {
			t.Error(err)
		}
		for range 8 {
			k := packet{ingress: ingress, protocol: etherIPv4, address: newAddress(in.address()), ifindex: uint32(in.byte()), size: longest}
			switch kind := in.byte(); {
			case kind == 255:
				k.protocol = in.number16()
			case kind&1 == 1:
				k.protocol = etherIPv6
			}
			if in.byte() == 255 {
				k.size = int(in.byte() % (longest + 1))
			}
			want := packetOracle(a, i, k)
			if got, naive := evalPacket(t, p, k), k.passes(a, i); got != want || naive != want {
				t.Errorf("%v: program %v, definition %v, want %v\n%v %v", k, got, naive, want, a, i)
			}
		}
	})
}

// FuzzDevices does the same for devices, with a map.
func FuzzDevices(f *testing.F) {
	f.Add([]byte{})
	f.Add([]byte{1, 0, 1, 3, 6, 2, 1, 3, 2})
	f.Add([]byte{3, 0, 255, 255, 2, 0, 1, 3, 4, 1, 255, 255, 1, 2, 1, 3, 0, 6, 2, 1, 3, 0, 0, 1, 7, 7, 0, 0})
	f.Add([]byte{4, 0, 136, 255, 2, 0, 136, 7, 4, 1, 8, 0, 7, 1, 8, 0, 1, 2, 136, 7, 6})
	f.Fuzz(func(t *testing.T, data []byte) {
		in := fuzzed(data)
		var list []Device
		for range in.byte() % 32 {
			d := Device{in.byte()&1 == 1, uint32(in.byte()), uint32(in.byte()), Access(in.byte() & 7)}
			if d.Minor == 255 {
				d.Minor = AnyMinor
				if d.Major == 255 {
					d.Major = AnyMajor
				}
			}
			list = append(list, d)
		}
		p, err := DeviceProgram(list)
		if err != nil {
			t.Fatal(err)
		}
		if err := ProveDevices(p, list); err != nil {
			t.Error(err)
		}
		for range 16 {
			r := deviceRequest{uint16(in.byte() & 3), uint32(in.byte()), uint32(in.byte()), in.number16()}
			want := deviceOracle(list, r)
			if got, naive := evalDevice(t, p, r), r.allowed(list); got != want || naive != want {
				t.Errorf("%v: program %v, definition %v, want %v\n%v", r, got, naive, want, list)
			}
		}
	})
}

// FuzzBinds does the same for ports, by the last rule that is for them.
func FuzzBinds(f *testing.F) {
	f.Add([]byte{})
	f.Add([]byte{1, 0, 0, 0, 80, 0, 80, 1, 0, 0, 0, 0, 0, 0, 1, 0, 80, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255, 255, 127, 0, 0, 1})
	f.Add([]byte{0, 2, 1, 1, 0, 1, 255, 255, 2, 2, 4, 0, 8, 0, 0, 255, 255, 2})
	f.Fuzz(func(t *testing.T, data []byte) {
		in := fuzzed(data)
		var b Binds
		for _, list := range []*[]BindRule{&b.Allow, &b.Deny} {
			for range in.byte() % 8 {
				*list = append(*list, BindRule{
					Family:   [...]uint8{0, IPv4, IPv6}[in.byte()%3],
					Protocol: [...]uint8{0, TCP, UDP}[in.byte()%3],
					First:    in.number16(), Last: in.number16(),
				})
			}
		}
		var programs [2][]Ins
		for n, v6 := range []bool{false, true} {
			p, err := BindProgram(b, v6)
			if err != nil {
				t.Fatal(err)
			}
			if err := ProveBinds(p, b, v6); err != nil {
				t.Error(err)
			}
			programs[n] = p
		}
		for range 4 {
			r := bindRequest{v6: in.byte()&1 == 1, port: in.number16(), protocol: [...]uint8{TCP, UDP, 132}[in.byte()%3]}
			p, want := programs[0], bindOracle(b, IPv4, r.protocol, r.port)
			if r.v6 {
				r.address = newAddress(in.address())
				four := want
				p, want = programs[1], bindOracle(b, IPv6, r.protocol, r.port)
				if netip.AddrFrom16(r.bytes()).Is4In6() {
					want = want && four
				}
			}
			if got, naive := evalBind(t, p, r), r.allowed(b); got != want || naive != want {
				t.Errorf("%v: program %v, definition %v, want %v\n%v", r, got, naive, want, b)
			}
		}
	})
}
