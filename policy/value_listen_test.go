package policy

import (
	"strings"
	"testing"
)

// TestParseAddress: systemd.socket(5), ListenStream=.
func TestParseAddress(t *testing.T) {
	for s, want := range map[string]string{
		"53": "53", "65535": "65535", "127.0.0.1:53": "127.0.0.1:53", "[::]:53": "[::]:53", "[fe80::1]:53%eth0": "[fe80::1]:53%eth0",
		"[::ffff:1.2.3.4]:80": "[::ffff:1.2.3.4]:80", "/run//x/./y": "/run/x/y", "@a b": "@a b", "vsock:2:1234": "vsock:2:1234", "vsock::1": "vsock::1", "vsock-stream:1:1": "vsock-stream:1:1",
		"/" + strings.Repeat("x", 106): "/" + strings.Repeat("x", 106),
	} {
		if got, err := ParseAddress(s); err != nil || got != want {
			t.Errorf("%s: %s (%v), want %s", s, got, err, want)
		}
	}
	for _, s := range []string{
		"", "0", "65536", "053", "-1", "localhost:53", "127.0.0.1", "127.0.0.1:", "127.0.0.1:0", "256.0.0.1:1", "::1:53", "[::1]", "[::1]:", "[::1]53", "[fe80::1%eth0]:53", "[::1]:53%", "[1.2.3.4]:53",
		"/", "/a/../b", "@", "run/x", "vsock:1", "vsock:x:1", "vsock:1:4294967296", "vsockx:1:1", "/" + strings.Repeat("x", 107), "@" + strings.Repeat("x", 108), "/a\n", "80 81",
	} {
		if got, err := ParseAddress(s); err == nil {
			t.Errorf("%q is taken: %s", s, got)
		}
	}
}

func TestParseListen(t *testing.T) {
	for s, want := range map[string]Listener{
		"tcp:53":                     {Kind: ListenStream, Address: "53"},
		"tcp:0.0.0.0:53":             {Kind: ListenStream, Address: "0.0.0.0:53"},
		"udp:[::]:53,name=dns":       {Kind: ListenDatagram, Address: "[::]:53", Name: "dns"},
		"unix:/run//x":               {Kind: ListenStream, Address: "/run/x"},
		"unix:@x,name=n":             {Kind: ListenStream, Address: "@x", Name: "n"},
		"unix-dgram:/dev/log":        {Kind: ListenDatagram, Address: "/dev/log"},
		"unix-seqpacket:/run/x":      {Kind: ListenSequentialPacket, Address: "/run/x"},
		"fifo:/run/x,mode=600":       {Kind: ListenFIFO, Address: "/run/x", Mode: Opt[uint32]{V: 0o600, Set: true}},
		"unix:/x,user=0,group=named": {Kind: ListenStream, Address: "/x", User: Opt[string]{V: "0", Set: true}, Group: Opt[string]{V: "named", Set: true}},
	} {
		got, err := ParseListen(s)
		if err != nil || got != want {
			t.Errorf("%s: %+v (%v), want %+v", s, got, err, want)
		}
		if back, err := ParseListen(listenText(&got)); err != nil || back != got {
			t.Errorf("%s printed as %s is %+v (%v)", s, listenText(&got), back, err)
		}
	}
	for _, s := range []string{
		"", "53", "/run/x", "tcp", "tcp:", "tcp:/run/x", "tcp:@x", "tcp:vsock::1", "unix:53", "unix:x", "fifo:@x", "udp:53,mode=0600", "unix:@x,user=0", "unix:/x,mode=", "unix:/x,mode=0888", "unix:/x,user=", "unix:/x,user=a b",
		"unix:/x,name=", "unix:/x,name=a:b", "unix:/x,nam=a", "unix:/x,", "TCP:53", "sctp:53", "unix-stream:/x",
	} {
		if got, err := ParseListen(s); err == nil {
			t.Errorf("%q is taken: %+v", s, got)
		}
	}
}

// FuzzParseListen: what is taken is printed and read back the same.
func FuzzParseListen(f *testing.F) {
	for _, s := range []string{"tcp:[::]:53,name=a", "unix:/run/x,mode=0660,user=U,group=G,name=N", "fifo:/x", "udp:1.2.3.4:5", "unix:@,,"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got, err := ParseListen(s)
		if err != nil {
			return
		}
		if back, err := ParseListen(listenText(&got)); err != nil || back != got {
			t.Fatalf("%q printed as %q is %+v (%v), want %+v", s, listenText(&got), back, err, got)
		}
	})
}

// TestListenOrder: sockets are passed in the order of their lines, whichever directive they
// stand with, and an empty line of any of these resets all, systemd.socket(5).
func TestListenOrder(t *testing.T) {
	var p Policy
	mustSet(t, &p, "ListenStream", "80", line(1))
	mustSet(t, &p, "ListenDatagram", "53", line(2))
	mustSet(t, &p, "X-Hardrun-Listen", "tcp:443", option("--listen"))
	mustSet(t, &p, "ListenFIFO", "/f", line(4))
	var got []string
	for _, item := range p.Socket.Listen.Items {
		got = append(got, item.V.Address)
	}
	if strings.Join(got, " ") != "80 53 443 /f" {
		t.Errorf("order: %q", got)
	}
	mustSet(t, &p, "ListenSpecial", "", line(5))
	if p.Socket.Listen.IsSet() {
		t.Errorf("after a reset: %+v", p.Socket.Listen)
	}
}

func TestSocketUnit(t *testing.T) {
	var p Policy
	mustSet(t, &p, "X-Hardrun-Socket", "yes", option("--socket"))
	mustSet(t, &p, "X-Hardrun-Socket", "b.socket", option("--socket"))
	if l := p.SocketUnit.Items; len(l) != 2 || l[0].V != "yes" || l[1].V != "b.socket" {
		t.Errorf("--socket: %+v", l)
	}
	if err := p.Set("X-Hardrun-Socket", "b.service", option("--socket")); err == nil {
		t.Error("--socket=b.service is taken")
	}
	mustSet(t, &p, "X-Hardrun-Socket", "no", option("--socket"))
	if p.SocketUnit.IsSet() {
		t.Errorf("--socket=no: %+v", p.SocketUnit)
	}
}

func TestSocketValues(t *testing.T) {
	for _, c := range []struct{ name, value string }{
		{"BindIPv6Only", "v6"},
		{"SocketProtocol", "tcp"},
		{"Backlog", "-1"},
		{"Backlog", "4294967296"},
		{"BindToDevice", "a/b"},
		{"SocketMode", "rw"},
		{"SocketUser", "a b"},
		{"Priority", "-1"},
		{"IPTTL", "0"},
		{"IPTTL", "256"},
		{"IPTOS", "fast"},
		{"IPTOS", "256"},
		{"Mark", "-1"},
		{"ReceiveBuffer", "0"},
		{"SendBuffer", "2G"},
		{"PipeSize", "x"},
		{"Timestamping", "ms"},
		{"Timestamping", "yes"},
		{"TCPCongestion", "a b"},
		{"TCPCongestion", "../x"},
		{"MessageQueueMaxMessages", "0"},
		{"Symlinks", "a"},
		{"FileDescriptorName", "a:b"},
		{"Service", "a.socket"},
		{"Service", ".service"},
		{"Service", "a/b.service"},
		{"ListenNetlink", "a b c"},
		{"ListenNetlink", "route x"},
		{"ListenMessageQueue", "a"},
		{"ListenMessageQueue", "/a/b"},
		{"ListenMessageQueue", "/"},
		{"ListenFIFO", "a"},
		{"ListenSpecial", "/a/../b"},
	} {
		var p Policy
		if err := p.Set(c.name, c.value, line(1)); err == nil {
			t.Errorf("%s=%s is taken", c.name, c.value)
		}
	}
}
