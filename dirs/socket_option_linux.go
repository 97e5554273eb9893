package dirs

import (
	"errors"
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// setting is an option of a socket that is asked for, setsockopt(2).
type setting struct {
	name       string // "Mark"; empty for what only is checked
	call       string // "SO_MARK"
	level, opt int
	want       int
	text       string // in place of want
	atLeast    bool   // the kernel may make more of it
	force      int    // an option that goes beyond the limit of the other; 0 for none
	fits       bool   // a socket of that family, type and protocol has it
}

// These are of sctp(7).
const (
	solSCTP     = 132
	sctpNoDelay = 3
)

// seconds rounds microseconds up.
func seconds(us uint64) int { return int(min((us+999_999)/1_000_000, 1<<31-1)) }

// settings are the options that are asked for, in the order in which they are set; as many
// whatever the socket is, of which those count that fit.
func (o *Options) settings(family, kind, protocol int) (list []setting) {
	v4, v6 := family == unix.AF_INET, family == unix.AF_INET6
	ip, local := v4 || v6, family == unix.AF_UNIX
	tcp := ip && kind == unix.SOCK_STREAM && (protocol == 0 || protocol == unix.IPPROTO_MPTCP)
	sctp := ip && protocol == unix.IPPROTO_SCTP
	socket := family != 0
	add := func(asked bool, s setting, fits bool) {
		if asked {
			s.fits = fits
			list = append(list, s)
		}
	}
	one := func(asked bool, name, call string, level, opt int, fits bool) {
		add(asked, setting{name: name, call: call, level: level, opt: opt, want: 1}, fits)
	}
	number := func(asked bool, name, call string, level, opt, want int, fits bool) {
		add(asked, setting{name: name, call: call, level: level, opt: opt, want: want}, fits)
	}
	value := func(p *int) int {
		if p == nil {
			return 0
		}
		return *p
	}
	byFamily := func(four, six int) (level, opt int) {
		if v4 {
			return unix.SOL_IP, four
		}
		return unix.SOL_IPV6, six
	}

	// systemd sets it for sockets of all kinds.
	if socket {
		list = append(list, setting{call: "SO_REUSEADDR", level: unix.SOL_SOCKET, opt: unix.SO_REUSEADDR, want: 1, fits: true})
	} else {
		list = append(list, setting{fits: true})
	}
	only := 0
	if o.BindIPv6Only == "ipv6-only" {
		only = 1
	}
	// It says nothing of others, and may stand where there is no IPv6.
	add(o.BindIPv6Only != "" && o.BindIPv6Only != "default", setting{name: "BindIPv6Only", call: "IPV6_V6ONLY", level: unix.SOL_IPV6, opt: unix.IPV6_V6ONLY, want: only}, v6 || !socket)
	add(o.BindToDevice != "", setting{name: "BindToDevice", call: "SO_BINDTODEVICE", level: unix.SOL_SOCKET, opt: unix.SO_BINDTODEVICE, text: o.BindToDevice}, ip)
	one(o.ReusePort, "ReusePort", "SO_REUSEPORT", unix.SOL_SOCKET, unix.SO_REUSEPORT, ip)
	level, opt := byFamily(unix.IP_FREEBIND, unix.IPV6_FREEBIND)
	one(o.FreeBind, "FreeBind", "IP_FREEBIND", level, opt, ip)
	level, opt = byFamily(unix.IP_TRANSPARENT, unix.IPV6_TRANSPARENT)
	one(o.Transparent, "Transparent", "IP_TRANSPARENT", level, opt, ip)

	one(o.KeepAlive, "KeepAlive", "SO_KEEPALIVE", unix.SOL_SOCKET, unix.SO_KEEPALIVE, socket)
	number(o.KeepAliveTimeSec > 0, "KeepAliveTimeSec", "TCP_KEEPIDLE", unix.SOL_TCP, unix.TCP_KEEPIDLE, seconds(o.KeepAliveTimeSec), tcp)
	number(o.KeepAliveIntervalSec > 0, "KeepAliveIntervalSec", "TCP_KEEPINTVL", unix.SOL_TCP, unix.TCP_KEEPINTVL, seconds(o.KeepAliveIntervalSec), tcp)
	number(o.KeepAliveProbes > 0, "KeepAliveProbes", "TCP_KEEPCNT", unix.SOL_TCP, unix.TCP_KEEPCNT, int(min(o.KeepAliveProbes, 1<<31-1)), tcp)
	// The kernel counts retransmissions, and answers their sum.
	add(o.DeferAcceptSec > 0, setting{name: "DeferAcceptSec", call: "TCP_DEFER_ACCEPT", level: unix.SOL_TCP, opt: unix.TCP_DEFER_ACCEPT, want: seconds(o.DeferAcceptSec), atLeast: true}, tcp)
	if sctp {
		one(o.NoDelay, "NoDelay", "SCTP_NODELAY", solSCTP, sctpNoDelay, true)
	} else {
		one(o.NoDelay, "NoDelay", "TCP_NODELAY", unix.SOL_TCP, unix.TCP_NODELAY, tcp)
	}
	add(o.TCPCongestion != "", setting{name: "TCPCongestion", call: "TCP_CONGESTION", level: unix.SOL_TCP, opt: unix.TCP_CONGESTION, text: o.TCPCongestion}, tcp)

	one(o.Broadcast, "Broadcast", "SO_BROADCAST", unix.SOL_SOCKET, unix.SO_BROADCAST, socket)
	one(o.PassCredentials, "PassCredentials", "SO_PASSCRED", unix.SOL_SOCKET, unix.SO_PASSCRED, local || family == unix.AF_NETLINK)
	one(o.PassPIDFD, "PassPIDFD", "SO_PASSPIDFD", unix.SOL_SOCKET, unix.SO_PASSPIDFD, local)
	one(o.PassSecurity, "PassSecurity", "SO_PASSSEC", unix.SOL_SOCKET, unix.SO_PASSSEC, local || family == unix.AF_NETLINK)
	number(o.RefuseFDs, "AcceptFileDescriptors", "SO_PASSRIGHTS", unix.SOL_SOCKET, unix.SO_PASSRIGHTS, 0, local)
	level, opt = byFamily(unix.IP_PKTINFO, unix.IPV6_RECVPKTINFO)
	if family == unix.AF_NETLINK {
		level, opt = unix.SOL_NETLINK, unix.NETLINK_PKTINFO
	}
	one(o.PassPacketInfo, "PassPacketInfo", "IP_PKTINFO", level, opt, ip || family == unix.AF_NETLINK)
	stamp, call := unix.SO_TIMESTAMP, "SO_TIMESTAMP"
	if o.Timestamping == "ns" {
		stamp, call = unix.SO_TIMESTAMPNS, "SO_TIMESTAMPNS"
	}
	one(o.Timestamping != "" && o.Timestamping != "off", "Timestamping", call, unix.SOL_SOCKET, stamp, socket)

	// IP_TOS sets a priority, too, which Priority= decides.
	number(o.IPTOS != nil, "IPTOS", "IP_TOS", unix.SOL_IP, unix.IP_TOS, value(o.IPTOS), ip)
	number(o.IPTTL != nil, "IPTTL", "IPV6_UNICAST_HOPS", unix.SOL_IPV6, unix.IPV6_UNICAST_HOPS, value(o.IPTTL), v6)
	// An IPv6 socket sends by IPv4, too, where it is not for IPv6 alone.
	number(o.IPTTL != nil, "IPTTL", "IP_TTL", unix.SOL_IP, unix.IP_TTL, value(o.IPTTL), ip)
	number(o.Priority != nil, "Priority", "SO_PRIORITY", unix.SOL_SOCKET, unix.SO_PRIORITY, value(o.Priority), socket)
	mark := 0
	if o.Mark != nil {
		mark = int(int32(*o.Mark))
	}
	number(o.Mark != nil, "Mark", "SO_MARK", unix.SOL_SOCKET, unix.SO_MARK, mark, socket)
	// The kernel doubles a size for its own needs.
	add(o.ReceiveBuffer > 0, setting{name: "ReceiveBuffer", call: "SO_RCVBUF", level: unix.SOL_SOCKET, opt: unix.SO_RCVBUF, force: unix.SO_RCVBUFFORCE, want: int(min(o.ReceiveBuffer, 1<<30)), atLeast: true}, socket)
	add(o.SendBuffer > 0, setting{name: "SendBuffer", call: "SO_SNDBUF", level: unix.SOL_SOCKET, opt: unix.SO_SNDBUF, force: unix.SO_SNDBUFFORCE, want: int(min(o.SendBuffer, 1<<30)), atLeast: true}, socket)
	return list
}

// set sets the option, and reads it back.
func (s *setting) set(fd int) error {
	if !s.fits {
		return nil
	}
	var err error
	call := s.call
	switch {
	case s.text != "":
		err = unix.SetsockoptString(fd, s.level, s.opt, s.text)
	case s.force != 0:
		if s.want > 1<<30-1 {
			return errors.New("a buffer of less than 1 GiB is possible")
		}
		call += "FORCE"
		err = unix.SetsockoptInt(fd, s.level, s.force, s.want)
		if err == unix.EPERM {
			call = s.call
			err = unix.SetsockoptInt(fd, s.level, s.opt, s.want)
		}
	default:
		err = unix.SetsockoptInt(fd, s.level, s.opt, s.want)
	}
	if err != nil {
		return os.NewSyscallError("setsockopt("+call+")", err)
	}
	return s.check(fd)
}

// check reads the option back.
func (s *setting) check(fd int) error {
	if !s.fits {
		return nil
	}
	call, got, ok := "getsockopt("+s.call+")", "", false
	if s.text != "" {
		text, err := unix.GetsockoptString(fd, s.level, s.opt)
		if err != nil {
			return os.NewSyscallError(call, err)
		}
		got, ok = text, text == s.text
	} else {
		n, err := unix.GetsockoptInt(fd, s.level, s.opt)
		if err != nil {
			return os.NewSyscallError(call, err)
		}
		want := s.want
		if s.force != 0 {
			want *= 2
		}
		got, ok = strconv.Itoa(n), n == want || s.atLeast && n > want
	}
	if !ok {
		want := s.text
		if want == "" {
			want = strconv.Itoa(s.want)
		}
		return errors.New(call + ": read back " + got + ", want " + want)
	}
	return nil
}
