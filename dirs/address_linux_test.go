package dirs

import (
	"testing"

	"golang.org/x/sys/unix"
)

// An interface stands for a link-local address alone, ipv6(7): fe80::/10, and ff01::/16 and
// ff02::/16 whatever their flags are.
func TestScope(t *testing.T) {
	ownNetwork(t)
	fd := must(unix.Socket(unix.AF_INET6, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0))(t)
	for _, tt := range []struct {
		first, second byte
		kind          AddressKind
		text          string
		want          uint32
	}{
		{0xfe, 0x80, AddressIPv6, "lo", 1},
		{0xfe, 0xbf, AddressIPv6, "7", 7},
		{0xfe, 0xc0, AddressIPv6, "lo", 0},
		{0xfd, 0x80, AddressIPv6, "lo", 0},
		{0xff, 0x02, AddressIPv6, "lo", 1},
		{0xff, 0x11, AddressIPv6, "7", 7},
		{0xff, 0x05, AddressIPv6, "lo", 0},
		{0x20, 0x01, AddressIPv6, "lo", 0},
		{0xfe, 0x80, AddressIPv6, "", 0},
		{0xfe, 0x80, AddressIPv4, "lo", 0},
	} {
		a := Address{Kind: tt.kind, Text: tt.text, IP: [16]byte{tt.first, tt.second}}
		if got, err := a.scope(fd); err != nil || got != tt.want {
			t.Errorf("%+v: %d, %v, want %d", a, got, err, tt.want)
		}
	}
	a := Address{Kind: AddressIPv6, Text: "hardrun-none", IP: [16]byte{0xfe, 0x80}}
	_, err := a.scope(fd)
	says(t, err, "interface hardrun-none: no such device")
	ok(t, unix.Close(fd))
}
