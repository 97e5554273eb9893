package dirs

import (
	"net/netip"
	"strconv"
	"strings"
	"testing"
)

func TestParseAddress(t *testing.T) {
	four := func(a, b, c, d byte) [16]byte { return [16]byte{a, b, c, d} }
	long := "/" + strings.Repeat("a", 106)
	for _, c := range []struct {
		kind ListenKind
		text string
		want Address
	}{
		{ListenStream, "53", Address{Kind: AddressPort, Port: 53}},
		{ListenStream, "65535", Address{Kind: AddressPort, Port: 65535}},
		{ListenStream, "127.0.0.1:53", Address{Kind: AddressIPv4, IP: four(127, 0, 0, 1), Port: 53}},
		{ListenDatagram, "0.0.0.0:1", Address{Kind: AddressIPv4, Port: 1}},
		{ListenStream, "[::]:80", Address{Kind: AddressIPv6, Port: 80}},
		{ListenStream, "[::1]:80", Address{Kind: AddressIPv6, IP: [16]byte{15: 1}, Port: 80}},
		{ListenStream, "[1:2:3:4:5:6:7:8]:80", Address{Kind: AddressIPv6, IP: [16]byte{0, 1, 0, 2, 0, 3, 0, 4, 0, 5, 0, 6, 0, 7, 0, 8}, Port: 80}},
		{ListenStream, "[fe80::1]:80%eth0", Address{Kind: AddressIPv6, IP: [16]byte{0: 0xfe, 1: 0x80, 15: 1}, Port: 80, Text: "eth0"}},
		{ListenStream, "[::ffff:1.2.3.4]:80", Address{Kind: AddressIPv6, IP: [16]byte{10: 0xff, 0xff, 1, 2, 3, 4}, Port: 80}},
		{ListenStream, "/run/x", Address{Text: "/run/x"}},
		{ListenStream, "/run//x/./y/", Address{Text: "/run/x/y"}},
		{ListenStream, long, Address{Text: long}},
		{ListenSequentialPacket, "/run/x:53", Address{Text: "/run/x:53"}},
		{ListenStream, "@a", Address{Kind: AddressAbstract, Text: "a"}},
		{ListenStream, "@" + strings.Repeat("a", 107), Address{Kind: AddressAbstract, Text: strings.Repeat("a", 107)}},
		{ListenStream, "vsock:2:1234", Address{Kind: AddressVsock, CID: 2, Port: 1234}},
		{ListenStream, "vsock::1234", Address{Kind: AddressVsock, CID: anyCID, Port: 1234}},
		{ListenDatagram, "vsock-dgram::1", Address{Kind: AddressVsock, CID: anyCID, Port: 1}},
		{ListenFIFO, "/run/fifo", Address{Text: "/run/fifo"}},
		{ListenSpecial, "/dev/kmsg", Address{Text: "/dev/kmsg"}},
		{ListenNetlink, "kobject-uevent 1", Address{Kind: AddressNetlink, Port: 15, CID: 1}},
		{ListenNetlink, "route 1361", Address{Kind: AddressNetlink, Port: 0, CID: 1361}},
		{ListenNetlink, "audit", Address{Kind: AddressNetlink, Port: 9}},
		{ListenNetlink, "crypto", Address{Kind: AddressNetlink, Port: 21}},
		{ListenNetlink, "16", Address{Kind: AddressNetlink, Port: 16}},
		{ListenMessageQueue, "/q", Address{Kind: AddressQueue, Text: "/q"}},
	} {
		got, err := ParseAddress(c.kind, c.text)
		if err != nil || got != c.want {
			t.Errorf("%v=%s: got %+v, %v, want %+v", c.kind, c.text, got, err, c.want)
		}
	}
	for _, c := range []struct {
		kind ListenKind
		text string
		why  string
	}{
		{ListenStream, "", "no address"},
		{ListenStream, "0", "a port is"},
		{ListenStream, "053", "a port is"},
		{ListenStream, "65536", "a port is"},
		{ListenStream, "+53", "a port is"},
		{ListenStream, "53 ", "a port is"},
		{ListenStream, "4294967349", "a port is"},
		{ListenStream, "18446744073709551669", "a port is"}, // 2^64 + 53
		{ListenStream, ":53", "neither"},
		{ListenStream, "localhost:53", "names of hosts are not looked up"},
		{ListenStream, "127.0.0.1", "a port is"},
		{ListenStream, "127.0.0.1:", "a port is"},
		{ListenStream, "127.0.0.01:53", "neither"},
		{ListenStream, "127.0.0:53", "neither"},
		{ListenStream, "127.0.0.1.1:53", "neither"},
		{ListenStream, "256.0.0.1:53", "neither"},
		{ListenStream, "::1:53", "neither"},
		{ListenStream, "[::1]", "neither"},
		{ListenStream, "[]:53", "neither"},
		{ListenStream, "[1::2::3]:53", "neither"},
		{ListenStream, "[1:2:3:4:5:6:7]:53", "neither"},
		{ListenStream, "[::12345]:53", "neither"},
		{ListenStream, "[::00001]:53", "neither"},
		{ListenStream, "[1::2:]:53", "neither"},
		{ListenStream, "[1:2:3:4:5:6:7:8:9]:53", "neither"},
		{ListenStream, "[1:2:3:4::5:6:7:8]:53", "neither"},
		{ListenStream, "[::1.2.3]:53", "neither"},
		{ListenStream, "[::1.2.3.4:1]:53", "neither"},
		{ListenStream, "[1:2:3:4:5:6:7:1.2.3.4]:53", "neither"},
		{ListenStream, "x::1]:53", "neither"},
		{ListenStream, "[::1x:53", "neither"},
		{ListenStream, "[fe80::1%eth0]:80", "neither"},
		{ListenStream, "[fe80::1]:80%", "a scope is"},
		{ListenStream, "127.0.0.1:80%eth0", "a scope is"},
		{ListenStream, "[fe80::1]:80%an-interface-xxx", "a scope is"},
		{ListenStream, "[fe80::1]:80%a/b", "a scope is"},
		{ListenStream, "80%eth0", "neither"},
		{ListenSequentialPacket, "53", "no sequential packets over IP"},
		{ListenStream, "/" + strings.Repeat("a", 107), "a path of 108 bytes"},
		{ListenStream, "/", "not the path of a file"},
		{ListenStream, "/run/../x", "\"..\" is refused"},
		{ListenStream, "/run/\x00", "not an absolute path"},
		{ListenStream, "@", "an abstract name"},
		{ListenStream, "@a\x00b", "an abstract name"},
		{ListenStream, "@" + strings.Repeat("a", 108), "an abstract name"},
		{ListenStream, "vsock:1", "the port is"},
		{ListenStream, "vsock:x:1", "a context is"},
		{ListenStream, "vsock-dgram:1:1", "not for ListenStream="},
		{ListenFIFO, "fifo", "not an absolute path"},
		{ListenFIFO, "", "not an absolute path"},
		{ListenFIFO, "/" + strings.Repeat("a", 256), "a name of more than 255 bytes"},
		{ListenFIFO, strings.Repeat("/a", 2048), "a path of more than 4095 bytes"},
		{ListenNetlink, "", "not a netlink family"},
		{ListenNetlink, "nosuch", "not a netlink family"},
		{ListenNetlink, "nosuch 1", "not a netlink family"},
		{ListenNetlink, "route 1 2", "not a netlink family"},
		{ListenNetlink, "route -1", "not a netlink family"},
		{ListenMessageQueue, "q", "not the name of a message queue"},
		{ListenMessageQueue, "/", "not the name of a message queue"},
		{ListenMessageQueue, "/a/b", "not the name of a message queue"},
		{ListenMessageQueue, "/..", "not the name of a message queue"},
		{ListenMessageQueue, "/.", "not the name of a message queue"},
		{ListenMessageQueue, "queue", "not the name of a message queue"},
		{ListenMessageQueue, "/" + strings.Repeat("q", 256), "not the name of a message queue"},
	} {
		got, err := ParseAddress(c.kind, c.text)
		if err == nil || !strings.Contains(err.Error(), c.why) || got != (Address{}) {
			t.Errorf("%v=%s: got %+v, %v, want an error with %q", c.kind, c.text, got, err, c.why)
		}
	}
}

// What is no kind has no address.
func TestParseAddressKind(t *testing.T) {
	if a, err := ParseAddress(ListenMessageQueue+1, "53"); err == nil || err.Error() != "unknown kind of socket" || a != (Address{}) {
		t.Errorf("got %+v, %v", a, err)
	}
}

// FuzzParseAddress compares addresses of IP with package netip, and holds what is said of the
// others.
func FuzzParseAddress(f *testing.F) {
	for _, s := range []string{"53", "127.0.0.1:53", "[::1]:80", "[1:2::]:3%lo", "[::ffff:1.2.3.4]:80", "/run/x", "@a", "vsock::1", "route 1", "[:::]:1", "[1:2:3:4:5:6:1.2.3.4]:5"} {
		f.Add(uint8(0), s)
	}
	f.Fuzz(func(t *testing.T, kind uint8, s string) {
		k := ListenKind(kind % 7)
		a, err := ParseAddress(k, s)
		if err != nil {
			if a != (Address{}) {
				t.Fatalf("%v=%q: %+v with %v", k, s, a, err)
			}
			if k > ListenDatagram {
				return
			}
			if ap, e := netip.ParseAddrPort(s); e == nil && ap.Port() != 0 && ap.Addr().Zone() == "" && !oddPort(s) {
				t.Fatalf("%v=%q: %v; netip takes it", k, s, err)
			}
			return
		}
		switch a.Kind {
		case AddressPath:
			if a.Text[0] != '/' || strings.Contains(a.Text, "//") || strings.HasSuffix(a.Text, "/") || k <= ListenSequentialPacket && len(a.Text) > 107 {
				t.Fatalf("%v=%q: %+v", k, s, a)
			}
			if b, err := ParseAddress(k, a.Text); err != nil || b != a {
				t.Fatalf("%v=%q: %q is read as %+v, %v", k, s, a.Text, b, err)
			}
		case AddressIPv4, AddressIPv6:
			text, _, _ := strings.Cut(s, "%")
			ap, err := netip.ParseAddrPort(text)
			if err != nil {
				t.Fatalf("%v=%q: %+v; netip: %v", k, s, a, err)
			}
			want := [16]byte{}
			if a.Kind == AddressIPv4 {
				b := ap.Addr().As4()
				copy(want[:], b[:])
			} else {
				want = ap.Addr().As16()
			}
			if want != a.IP || uint32(ap.Port()) != a.Port {
				t.Fatalf("%v=%q: %+v, want %v", k, s, a, ap)
			}
		}
	})
}

// oddPort tells whether a port is written as netip takes it, and systemd does not: with
// leading zeros.
func oddPort(s string) bool {
	port := s[strings.LastIndexByte(s, ':')+1:]
	n, err := strconv.ParseUint(port, 10, 16)
	return err != nil || strconv.FormatUint(n, 10) != port
}
