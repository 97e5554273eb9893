package dirs

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

func pointer[T any](v T) *T { return &v }

// TestOptions reads each option back by calls of its own.
func TestOptions(t *testing.T) {
	ownNetwork(t)
	tcp, tcp6, udp := on(ListenStream, "127.0.0.1:80"), on(ListenStream, "[::1]:80"), on(ListenDatagram, "127.0.0.1:80")
	local, netlink := on(ListenDatagram, "@options"), on(ListenNetlink, "route 1")
	for _, c := range []struct {
		name       string
		set        func(o *Options)
		listen     Listen
		level, opt int
		want       int
	}{
		{"ReusePort", func(o *Options) { o.ReusePort = true }, tcp, unix.SOL_SOCKET, unix.SO_REUSEPORT, 1},
		{"FreeBind", func(o *Options) { o.FreeBind = true }, on(ListenStream, "192.0.2.1:80"), unix.SOL_IP, unix.IP_FREEBIND, 1},
		{"FreeBind", func(o *Options) { o.FreeBind = true }, on(ListenStream, "[2001:db8::1]:80"), unix.SOL_IPV6, unix.IPV6_FREEBIND, 1},
		{"Transparent", func(o *Options) { o.Transparent = true }, tcp, unix.SOL_IP, unix.IP_TRANSPARENT, 1},
		{"Transparent", func(o *Options) { o.Transparent = true }, tcp6, unix.SOL_IPV6, unix.IPV6_TRANSPARENT, 1},
		{"Broadcast", func(o *Options) { o.Broadcast = true }, udp, unix.SOL_SOCKET, unix.SO_BROADCAST, 1},
		{"KeepAlive", func(o *Options) { o.KeepAlive = true }, tcp, unix.SOL_SOCKET, unix.SO_KEEPALIVE, 1},
		{"KeepAliveTimeSec", func(o *Options) { o.KeepAliveTimeSec = 77e6 }, tcp, unix.SOL_TCP, unix.TCP_KEEPIDLE, 77},
		{"KeepAliveTimeSec", func(o *Options) { o.KeepAliveTimeSec = 1 }, tcp, unix.SOL_TCP, unix.TCP_KEEPIDLE, 1},
		{"KeepAliveIntervalSec", func(o *Options) { o.KeepAliveIntervalSec = 78e6 }, tcp6, unix.SOL_TCP, unix.TCP_KEEPINTVL, 78},
		{"KeepAliveProbes", func(o *Options) { o.KeepAliveProbes = 5 }, tcp, unix.SOL_TCP, unix.TCP_KEEPCNT, 5},
		{"NoDelay", func(o *Options) { o.NoDelay = true }, tcp, unix.SOL_TCP, unix.TCP_NODELAY, 1},
		{"DeferAcceptSec", func(o *Options) { o.DeferAcceptSec = 7e6 }, tcp, unix.SOL_TCP, unix.TCP_DEFER_ACCEPT, 7},
		{"DeferAcceptSec", func(o *Options) { o.DeferAcceptSec = 5e6 }, tcp, unix.SOL_TCP, unix.TCP_DEFER_ACCEPT, 7},
		{"PassCredentials", func(o *Options) { o.PassCredentials = true }, local, unix.SOL_SOCKET, unix.SO_PASSCRED, 1},
		{"PassCredentials", func(o *Options) { o.PassCredentials = true }, netlink, unix.SOL_SOCKET, unix.SO_PASSCRED, 1},
		{"PassSecurity", func(o *Options) { o.PassSecurity = true }, local, unix.SOL_SOCKET, unix.SO_PASSSEC, 1},
		{"PassPIDFD", func(o *Options) { o.PassPIDFD = true }, local, unix.SOL_SOCKET, unix.SO_PASSPIDFD, 1},
		{"AcceptFileDescriptors", func(o *Options) { o.RefuseFDs = true }, local, unix.SOL_SOCKET, unix.SO_PASSRIGHTS, 0},
		{"without", func(*Options) {}, local, unix.SOL_SOCKET, unix.SO_PASSRIGHTS, 1},
		{"PassPacketInfo", func(o *Options) { o.PassPacketInfo = true }, udp, unix.SOL_IP, unix.IP_PKTINFO, 1},
		{"PassPacketInfo", func(o *Options) { o.PassPacketInfo = true }, on(ListenDatagram, "[::1]:80"), unix.SOL_IPV6, unix.IPV6_RECVPKTINFO, 1},
		{"PassPacketInfo", func(o *Options) { o.PassPacketInfo = true }, netlink, unix.SOL_NETLINK, unix.NETLINK_PKTINFO, 1},
		{"Timestamping", func(o *Options) { o.Timestamping = "us" }, local, unix.SOL_SOCKET, unix.SO_TIMESTAMP, 1},
		{"Timestamping", func(o *Options) { o.Timestamping = "ns" }, udp, unix.SOL_SOCKET, unix.SO_TIMESTAMPNS, 1},
		{"Priority", func(o *Options) { o.Priority = pointer(5) }, tcp, unix.SOL_SOCKET, unix.SO_PRIORITY, 5},
		{"Priority beside IPTOS", func(o *Options) { o.Priority, o.IPTOS = pointer(5), pointer(0x10) }, tcp, unix.SOL_SOCKET, unix.SO_PRIORITY, 5},
		{"IPTOS", func(o *Options) { o.IPTOS = pointer(0x10) }, tcp, unix.SOL_IP, unix.IP_TOS, 0x10},
		{"IPTTL", func(o *Options) { o.IPTTL = pointer(3) }, tcp, unix.SOL_IP, unix.IP_TTL, 3},
		{"IPTTL", func(o *Options) { o.IPTTL = pointer(3) }, tcp6, unix.SOL_IPV6, unix.IPV6_UNICAST_HOPS, 3},
		{"IPTTL of IPv4 by IPv6", func(o *Options) { o.IPTTL = pointer(3) }, on(ListenStream, "80"), unix.SOL_IP, unix.IP_TTL, 3},
		{"Mark", func(o *Options) { o.Mark = pointer(uint32(7)) }, tcp, unix.SOL_SOCKET, unix.SO_MARK, 7},
		{"Mark", func(o *Options) { o.Mark = pointer(uint32(1<<32 - 1)) }, tcp, unix.SOL_SOCKET, unix.SO_MARK, -1},
		{"ReceiveBuffer", func(o *Options) { o.ReceiveBuffer = 64 << 20 }, udp, unix.SOL_SOCKET, unix.SO_RCVBUF, 128 << 20},
		{"SendBuffer", func(o *Options) { o.SendBuffer = 64 << 20 }, local, unix.SOL_SOCKET, unix.SO_SNDBUF, 128 << 20},
		{"SocketProtocol", func(o *Options) { o.Protocol = "mptcp" }, tcp, unix.SOL_SOCKET, unix.SO_PROTOCOL, unix.IPPROTO_MPTCP},
		{"SocketProtocol", func(o *Options) { o.Protocol = "udplite" }, udp, unix.SOL_SOCKET, unix.SO_PROTOCOL, unix.IPPROTO_UDPLITE},
	} {
		o := defaults()
		c.set(&o)
		p, err := Open([]Listen{c.listen}, o)
		if errors.Is(err, unix.EPROTONOSUPPORT) && o.Protocol != "" || errors.Is(err, unix.ENOPROTOOPT) && (o.PassPIDFD || o.RefuseFDs) {
			t.Logf("%s: not here: %v", c.name, err)
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		if n, err := unix.GetsockoptInt(p[0].FD, c.level, c.opt); err != nil || n != c.want {
			t.Errorf("%s with %s: read %d, %v, want %d", c.name, c.listen.Address, n, err, c.want)
		}
		ok(t, Close(p))
	}
	o := defaults()
	o.BindToDevice, o.TCPCongestion = "lo", "reno"
	p := opened(t, o, tcp)
	if s, err := unix.GetsockoptString(p[0].FD, unix.SOL_SOCKET, unix.SO_BINDTODEVICE); s != "lo" || err != nil {
		t.Errorf("SO_BINDTODEVICE: %q, %v", s, err)
	}
	if s, err := unix.GetsockoptString(p[0].FD, unix.SOL_TCP, unix.TCP_CONGESTION); s != "reno" || err != nil {
		t.Errorf("TCP_CONGESTION: %q, %v", s, err)
	}
	ok(t, dial(t, p[0].FD, unix.AF_INET, unix.SOCK_STREAM, &unix.SockaddrInet4{Port: 80, Addr: [4]byte{127, 0, 0, 1}}))
}

// The backlog is no option that can be read; two connections fill one of 0.
func TestBacklog(t *testing.T) {
	for backlog, want := range map[uint32]bool{0: true, 1<<32 - 1: false} {
		o := defaults()
		o.Backlog = backlog
		path := t.TempDir() + "/s"
		opened(t, o, on(ListenStream, path))
		full := false
		for range 3 {
			fd := must(unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0))(t)
			defer func() { _ = unix.Close(fd) }()
			full = full || unix.Connect(fd, &unix.SockaddrUnix{Name: path}) == unix.EAGAIN
		}
		if full != want {
			t.Errorf("Backlog=%d: full is %v, want %v", backlog, full, want)
		}
	}
}

func TestOptionErrors(t *testing.T) {
	ownNetwork(t)
	count := descriptors(t)
	tcp, path := on(ListenStream, "127.0.0.1:80"), t.TempDir()+"/s"
	for _, c := range []struct {
		set    func(o *Options)
		listen Listen
		want   string
	}{
		{func(o *Options) { o.BindToDevice = "nosuch0" }, tcp, "ListenStream=127.0.0.1:80: BindToDevice=: setsockopt(SO_BINDTODEVICE): no such device"},
		{func(o *Options) { o.IPTTL = pointer(300) }, tcp, "IPTTL=: setsockopt(IP_TTL): invalid argument"},
		{func(o *Options) { o.IPTOS = pointer(3) }, tcp, "IPTOS=: getsockopt(IP_TOS): read back 0, want 3"},
		{func(o *Options) { o.TCPCongestion = "nosuch" }, tcp, "TCPCongestion=: setsockopt(TCP_CONGESTION): no such file"},
		{func(o *Options) { o.KeepAliveProbes = 1000 }, tcp, "KeepAliveProbes=: setsockopt(TCP_KEEPCNT): invalid"},
		{func(o *Options) { o.ReceiveBuffer = 1 << 40 }, tcp, "ReceiveBuffer=: a buffer of less than"},
		{func(o *Options) { o.NoDelay = true }, on(ListenStream, path), "NoDelay=: nothing that is opened has it"},
		{func(o *Options) { o.PassCredentials = true }, tcp, "PassCredentials=: nothing that is opened has it"},
		{func(o *Options) { o.KeepAlive = true }, on(ListenFIFO, path), "KeepAlive=: nothing that is opened has it"},
		{func(o *Options) { o.Protocol = "sctp" }, on(ListenStream, path), "SocketProtocol=: nothing that is opened has it"},
		{func(o *Options) { o.Writable = true }, tcp, "Writable=: nothing that is opened has it"},
		{func(o *Options) { o.PipeSize = 4096 }, tcp, "PipeSize=: nothing that is opened has it"},
		{func(o *Options) { o.MessageQueueMessageSize = 9 }, tcp, "MessageQueueMessageSize=: nothing that is opened has it"},
		{func(o *Options) { o.Protocol = "icmp" }, tcp, `SocketProtocol="icmp"`},
		{func(o *Options) { o.Timestamping = "ms" }, tcp, `Timestamping="ms"`},
		{func(o *Options) { o.Name = "a:b" }, tcp, `FileDescriptorName="a:b"`},
		{func(o *Options) { o.Name = strings.Repeat("a", 256) }, tcp, `FileDescriptorName=`},
		{func(*Options) {}, on(ListenStream, "[fe80::1]:80%nosuch0"), "ListenStream=[fe80::1]:80%nosuch0: interface nosuch0: no such device"},
		{func(*Options) {}, on(ListenStream, "x:80"), `ListenStream="x:80": neither`},
		{func(*Options) {}, Listen{Address: path, Mode: 0o1666}, "the mode has more"},
		{func(o *Options) { o.Symlinks = []string{"/srv/x"} }, tcp, "Symlinks=: there must be one socket or FIFO"},
	} {
		o := defaults()
		c.set(&o)
		_, err := Open([]Listen{c.listen}, o)
		says(t, err, c.want)
	}
	if list := must(os.ReadDir(filepath.Dir(path)))(t); len(list) != 0 {
		t.Errorf("left: %v", list)
	}
	if n := descriptors(t); n != count {
		t.Errorf("%d descriptors, %d before", n, count)
	}
	// An option that one of the sockets has is none of the others' business.
	o := defaults()
	o.NoDelay, o.PassCredentials = true, true
	opened(t, o, tcp, on(ListenStream, path), on(ListenFIFO, path+"2"))
	// Without the right, an error; a buffer within the limit needs none.
	dropCapabilities(t, unix.CAP_NET_ADMIN, unix.CAP_NET_RAW)
	for want, set := range map[string]func(o *Options){
		"Mark=: setsockopt(SO_MARK): operation not permitted":         func(o *Options) { o.Mark = pointer(uint32(1)) },
		"Transparent=: setsockopt(IP_TRANSPARENT): operation not":     func(o *Options) { o.Transparent = true },
		"ReceiveBuffer=: getsockopt(SO_RCVBUF): read back ":           func(o *Options) { o.ReceiveBuffer = 512 << 20 },
		"Priority=: setsockopt(SO_PRIORITY): operation not permitted": func(o *Options) { o.Priority = pointer(100) },
	} {
		o := defaults()
		set(&o)
		_, err := Open([]Listen{on(ListenStream, "127.0.0.1:81")}, o)
		says(t, err, want)
	}
	o = defaults()
	o.ReceiveBuffer = 8192
	opened(t, o, on(ListenStream, "127.0.0.1:82"))
}
