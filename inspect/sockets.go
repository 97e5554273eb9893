package inspect

import (
	"encoding/binary"
	"strconv"
	"strings"
)

// bound is a socket of a table of /proc/PID/net that waits.
type bound struct {
	inode   uint64
	address string
}

// A table is a file below /proc/PID/net, and the protocols that system.sockprotoname says for
// its sockets.
type table struct {
	file   string
	protos [2]string
	read   func(line string, add func(bound))
}

// The tables with sockets that can wait.
var tables = [...]table{
	{"tcp", [2]string{"TCP", "MPTCP"}, tcpLine},
	{"tcp6", [2]string{"TCPv6", "MPTCPv6"}, tcpLine},
	{"udp", [2]string{"UDP"}, udpLine},
	{"udp6", [2]string{"UDPv6"}, udpLine},
	{"udplite", [2]string{"UDP-Lite"}, udpLine},
	{"udplite6", [2]string{"UDPLITEv6"}, udpLine},
	{"raw", [2]string{"RAW"}, udpLine},
	{"raw6", [2]string{"RAWv6"}, udpLine},
	{"unix", [2]string{"UNIX", "UNIX-STREAM"}, nil}, // unixReader: its lines hang together
	{"sctp/eps", [2]string{"SCTP", "SCTPv6"}, sctpLine},
}

// tableOf is the place in tables of the one that has a protocol; -1 for none.
func tableOf(proto string) int {
	for i := range tables {
		for _, p := range tables[i].protos {
			if p != "" && p == proto {
				return i
			}
		}
	}
	return -1
}

// name is the table's word as a protocol.
func (t *table) name() string {
	name, _, _ := strings.Cut(t.file, "/")
	return name
}

// inetLine takes what is common to the lines of tcp, udp and raw:
// "0: 0100007F:0035 00000000:0000 0A 00000000:00000000 00:00000000 00000000 0 0 1234 …".
func inetLine(line string) (state string, b bound, ok bool) {
	f := strings.Fields(line)
	if len(f) < 10 {
		return "", b, false
	}
	var err error
	b.inode, err = strconv.ParseUint(f[9], 10, 64)
	b.address, ok = inetAddress(f[1])
	return f[3], b, ok && err == nil && b.inode != 0
}

// tcpLine takes a socket that listens, state TCP_LISTEN.
func tcpLine(line string, add func(bound)) {
	if state, b, ok := inetLine(line); ok && state == "0A" {
		add(b)
	}
}

// udpLine takes a socket that is not connected, state TCP_CLOSE: packets of anybody arrive.
func udpLine(line string, add func(bound)) {
	if state, b, ok := inetLine(line); ok && state == "07" {
		add(b)
	}
}

// inetAddress reads an address as these tables have it: 32-bit words in hexadecimal, each as
// the machine reads the four bytes, and the port. "127.0.0.1:53", "[::1]:53".
func inetAddress(s string) (string, bool) {
	address, port, _ := strings.Cut(s, ":")
	n, err := strconv.ParseUint(port, 16, 16)
	if err != nil || len(address) != 8 && len(address) != 32 {
		return "", false
	}
	b := make([]byte, len(address)/2)
	for i := 0; i < len(address); i += 8 {
		word, err := strconv.ParseUint(address[i:i+8], 16, 32)
		if err != nil {
			return "", false
		}
		binary.NativeEndian.PutUint32(b[i/2:], uint32(word))
	}
	host := ""
	if len(b) == 4 {
		host = ip4(b)
	} else {
		host = "[" + ip6(b) + "]"
	}
	return host + ":" + strconv.FormatUint(n, 10), true
}

// ip4 writes four bytes as an address.
func ip4(b []byte) string {
	s := ""
	for i, n := range b[:4] {
		if i > 0 {
			s += "."
		}
		s += strconv.Itoa(int(n))
	}
	return s
}

// ip6 writes sixteen bytes as an address in the form of RFC 5952.
func ip6(b []byte) string {
	word := func(i int) uint16 { return binary.BigEndian.Uint16(b[2*i:]) }
	if word(0)|word(1)|word(2)|word(3)|word(4) == 0 && word(5) == 0xffff {
		return "::ffff:" + ip4(b[12:])
	}
	// The first of the longest runs of zeros, of two at least.
	from, to := -1, -1
	for i := 0; i < 8; i++ {
		j := i
		for j < 8 && word(j) == 0 {
			j++
		}
		if j-i > max(to-from, 1) {
			from, to = i, j
		}
		i = max(i, j-1)
	}
	s := ""
	for i := 0; i < 8; i++ {
		if i == from {
			s += "::"
			i = to - 1
			continue
		}
		if s != "" && !strings.HasSuffix(s, ":") {
			s += ":"
		}
		s += strconv.FormatUint(uint64(word(i)), 16)
	}
	return s
}

// sctpLine takes an end point of sctp/eps:
// "ENDPT SOCK STY SST HBKT LPORT UID INODE LADDRS", with as many addresses as it has.
func sctpLine(line string, add func(bound)) {
	f := strings.Fields(line)
	const state, port, inode, addresses = 3, 5, 7, 8
	if len(f) < addresses || f[state] != "10" { // SCTP_SS_LISTENING, as TCP_LISTEN
		return
	}
	n, err := strconv.ParseUint(f[inode], 10, 64)
	if err != nil || n == 0 {
		return
	}
	for _, a := range f[addresses:] {
		if strings.Contains(a, ":") {
			a = "[" + a + "]"
		}
		add(bound{n, a + ":" + f[port]})
	}
}

// unixReader reads /proc/PID/net/unix. The kernel writes names as they are, line feeds too:
// what follows in one may look like the line of another socket. As every socket has a line,
// an inode with two of them is one that somebody has forged.
type unixReader struct {
	seen map[uint64]int // the inodes, and where they are in list; -1 for one that does not wait
	list []bound
	last int // in list; -1 when the last line is of none in it
}

const forged = "?"

// line takes one without its line feed: "ffff9…: 00000002 00000000 00010000 0001 01 1234 /run/x".
func (r *unixReader) line(line string) {
	f := line
	var word [7]string
	whole := true
	for i := range word {
		f = strings.TrimLeft(f, " ")
		word[i], f, _ = strings.Cut(f, " ")
		whole = whole && word[i] != ""
	}
	inode, err := strconv.ParseUint(word[6], 10, 64)
	flags, bad := strconv.ParseUint(word[3], 16, 32)
	if !whole || err != nil || bad != nil || len(word[0]) < 9 || word[0][len(word[0])-1] != ':' {
		// The rest of a name.
		if r.seen != nil && r.last >= 0 && r.list[r.last].address != forged {
			r.list[r.last].address += "\n" + line
		}
		return
	}
	if r.seen == nil {
		r.seen = map[uint64]int{}
	}
	if i, twice := r.seen[inode]; twice {
		if i >= 0 {
			r.list[i].address = forged
		} else {
			r.list = append(r.list, bound{inode, forged})
			r.seen[inode] = len(r.list) - 1
		}
		r.last = -1
		return
	}
	r.last = -1
	r.seen[inode] = -1
	const accepts = 1 << 16 // __SO_ACCEPTCON
	const datagram, unconnected = "0002", "01"
	if flags&accepts != 0 || word[4] == datagram && word[5] == unconnected && f != "" {
		r.list = append(r.list, bound{inode, strings.Clone(f)})
		r.last = len(r.list) - 1
		r.seen[inode] = r.last
	}
}

// privileged is what a socket is that tcp, udp, unix and the like are not, by its name in
// system.sockprotoname; empty for those.
func privileged(proto string) string {
	switch proto {
	case "TCP", "TCPv6", "MPTCP", "MPTCPv6", "UDP", "UDPv6", "UDP-Lite", "UDPLITEv6", "UNIX", "UNIX-STREAM", "SCTP", "SCTPv6", "PING", "PINGv6", "DCCP", "DCCPv6", "SMC", "SMC6":
		return ""
	case "RAW":
		return "raw socket"
	case "RAWv6":
		return "raw socket (IPv6)"
	case "PACKET":
		return "packet socket"
	case "NETLINK":
		return "netlink socket"
	case "XDP":
		return "XDP socket"
	case "AF_VSOCK":
		return "vsock socket"
	case "ALG":
		return "socket of the kernel's crypto API"
	case "":
		return "socket of an unknown protocol"
	}
	return proto + " socket"
}

// netlinkNames are the protocols of netlink(7), linux/netlink.h.
var netlinkNames = [...]string{
	"route", "1", "usersock", "firewall", "sock_diag", "nflog", "xfrm", "selinux", "iscsi", "audit", "fib_lookup", "connector",
	"netfilter", "ip6_fw", "dnrtmsg", "kobject_uevent", "generic", "17", "scsitransport", "ecryptfs", "rdma", "crypto", "smc",
}

// netlinkLine reads a line of netlink: "ffff9… 0 1234 00000000 0 0 0 2 0 5678".
func netlinkLine(line string) (inode uint64, protocol string, ok bool) {
	f := strings.Fields(line)
	if len(f) < 10 {
		return 0, "", false
	}
	inode, err := strconv.ParseUint(f[9], 10, 64)
	n, bad := strconv.Atoi(f[1])
	if err != nil || bad != nil || n < 0 {
		return 0, "", false
	}
	protocol = strconv.Itoa(n)
	if n < len(netlinkNames) {
		protocol = netlinkNames[n]
	}
	return inode, protocol, true
}
