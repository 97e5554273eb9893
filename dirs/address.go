package dirs

import (
	"errors"
	"strconv"
	"strings"
)

// ListenKind is what is opened for a Listen.
type ListenKind uint8

// The kinds of systemd.socket(5) that can be passed on, in the order of policy's.
const (
	ListenStream ListenKind = iota
	ListenDatagram
	ListenSequentialPacket
	ListenFIFO
	ListenSpecial
	ListenNetlink
	ListenMessageQueue
)

// String is the directive: "ListenStream".
func (k ListenKind) String() string {
	return [...]string{"ListenStream", "ListenDatagram", "ListenSequentialPacket", "ListenFIFO", "ListenSpecial", "ListenNetlink", "ListenMessageQueue"}[k]
}

// AddressKind is the form of an address.
type AddressKind uint8

const (
	AddressPath     AddressKind = iota // Text: a path, absolute and normal
	AddressAbstract                    // Text: the name, without "@"
	AddressIPv4                        // IP (its first four bytes), Port
	AddressIPv6                        // IP, Port, Text: the scope, a name or number of an interface
	AddressPort                        // Port: of every IPv6 and IPv4 address
	AddressVsock                       // CID, Port
	AddressNetlink                     // Port: the protocol; CID: the mask of groups
	AddressQueue                       // Text: the name of a message queue, with its "/"
)

// Address is where a socket listens, systemd.socket(5) "ListenStream=".
type Address struct {
	Kind AddressKind
	Text string
	IP   [16]byte
	Port uint32
	CID  uint32
}

// maxPath is the longest path of a socket, unix(7): sun_path has room for a NUL behind it.
const maxPath = 107

// anyCID is every context of AF_VSOCK, vsock(7) VMADDR_CID_ANY.
const anyCID = 1<<32 - 1

// ParseAddress reads the value of the directive that the kind names. Names of hosts are
// not looked up.
func ParseAddress(kind ListenKind, s string) (Address, error) {
	switch kind {
	case ListenStream, ListenDatagram, ListenSequentialPacket:
		return parseSocketAddress(kind, s)
	case ListenFIFO, ListenSpecial:
		path, err := normalPath(s)
		return Address{Text: path}, err
	case ListenNetlink:
		return parseNetlink(s)
	case ListenMessageQueue:
		if len(s) < 2 || len(s) > 256 || s[0] != '/' || strings.ContainsAny(s[1:], "/\x00") || s == "/." || s == "/.." {
			return Address{}, errors.New(strconv.Quote(s) + " is not the name of a message queue: /NAME")
		}
		return Address{Kind: AddressQueue, Text: s}, nil
	}
	return Address{}, errors.New("unknown kind of socket")
}

func parseSocketAddress(kind ListenKind, s string) (Address, error) {
	var a Address
	bad := func(why string) (Address, error) { return Address{}, errors.New(strconv.Quote(s) + ": " + why) }
	switch {
	case s == "":
		return bad("no address")
	case s[0] == '/':
		path, err := normalPath(s)
		if err == nil && len(path) > maxPath {
			return bad("a path of " + strconv.Itoa(len(path)) + " bytes; that of a socket has " + strconv.Itoa(maxPath) + " at most")
		}
		return Address{Text: path}, err
	case s[0] == '@':
		if len(s) == 1 || len(s)-1 > maxPath || strings.IndexByte(s, 0) >= 0 {
			return bad("an abstract name has 1 to " + strconv.Itoa(maxPath) + " bytes, without NUL")
		}
		return Address{Kind: AddressAbstract, Text: s[1:]}, nil
	case strings.HasPrefix(s, "vsock:") || strings.HasPrefix(s, "vsock-"):
		prefix, rest, _ := strings.Cut(s, ":")
		if prefix != "vsock" && prefix != [...]string{"vsock-stream", "vsock-dgram", "vsock-seqpacket"}[kind] {
			return bad("not for " + kind.String() + "=")
		}
		cid, port, _ := strings.Cut(rest, ":")
		a = Address{Kind: AddressVsock, CID: anyCID}
		var ok bool
		if cid != "" {
			if a.CID, ok = decimal(cid, anyCID-1); !ok {
				return bad("a context is a number, or empty for all: vsock:CID:PORT")
			}
		}
		if a.Port, ok = decimal(port, 1<<32-2); !ok {
			return bad("the port is a number: vsock:CID:PORT")
		}
		return a, nil
	}
	host, port := "", s
	if i := strings.LastIndexByte(s, ':'); i >= 0 {
		host, port = s[:i], s[i+1:]
	}
	port, scope, scoped := strings.Cut(port, "%")
	var ok bool
	switch {
	case host == "" && port == s:
		a.Kind, ok = AddressPort, true
	case host != "" && host[0] == '[' && host[len(host)-1] == ']':
		a.Kind = AddressIPv6
		a.IP, ok = parseIPv6(host[1 : len(host)-1])
	default:
		a.Kind = AddressIPv4
		a.IP, ok = parseIPv4(host)
	}
	if !ok {
		return bad("neither A.B.C.D:PORT, [IPv6]:PORT, PORT, /PATH, @NAME nor vsock:CID:PORT; names of hosts are not looked up")
	}
	if a.Port, ok = decimal(port, 65535); !ok || a.Port == 0 {
		return bad("a port is a number from 1 to 65535")
	}
	if scoped {
		if a.Kind != AddressIPv6 || scope == "" || len(scope) > 15 || strings.ContainsAny(scope, "/ %\x00") {
			return bad("a scope is an interface behind an IPv6 address: [IPv6]:PORT%INTERFACE")
		}
		a.Text = scope
	}
	if kind == ListenSequentialPacket {
		return bad("no sequential packets over IP")
	}
	return a, nil
}

// normalPath is an absolute path without "//", "." and a last "/". ".." is refused, as
// what it leads to depends on links.
func normalPath(s string) (string, error) {
	if s == "" || s[0] != '/' || strings.IndexByte(s, 0) >= 0 {
		return "", errors.New(strconv.Quote(s) + " is not an absolute path")
	}
	var out string
	for name := range strings.SplitSeq(s, "/") {
		switch name {
		case "", ".":
		case "..":
			return "", errors.New(strconv.Quote(s) + ": \"..\" is refused")
		default:
			if len(name) > 255 {
				return "", errors.New(strconv.Quote(s) + ": a name of more than 255 bytes")
			}
			if out += "/" + name; len(out) > 4095 {
				return "", errors.New("a path of more than 4095 bytes: " + strconv.Quote(s[:100]) + "…")
			}
		}
	}
	if out == "" {
		return "", errors.New(strconv.Quote(s) + " is not the path of a file")
	}
	return out, nil
}

// decimal reads a number without sign and leading zeros.
func decimal(s string, most uint32) (uint32, bool) {
	if s == "" || len(s) > 10 || s[0] == '0' && len(s) > 1 {
		return 0, false
	}
	var n uint64
	for _, c := range []byte(s) {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = n*10 + uint64(c-'0')
	}
	return uint32(n), n <= uint64(most)
}

// parseIPv4 reads four decimal numbers: inet_pton(3), which takes no leading zeros.
func parseIPv4(s string) (ip [16]byte, ok bool) {
	for i := range 4 {
		part, rest, more := strings.Cut(s, ".")
		n, ok := decimal(part, 255)
		if !ok || more != (i < 3) {
			return [16]byte{}, false
		}
		ip[i], s = byte(n), rest
	}
	return ip, true
}

// parseIPv6 reads what inet_pton(3) reads.
func parseIPv6(s string) (ip [16]byte, ok bool) {
	var none [16]byte
	n, gap := 0, -1
	if strings.HasPrefix(s, "::") {
		s, gap = s[2:], 0
	} else if s == "" {
		return none, false
	}
	for s != "" {
		part, rest, more := strings.Cut(s, ":")
		if !more && strings.IndexByte(part, '.') >= 0 {
			four, ok := parseIPv4(part)
			if !ok || n > 12 {
				return none, false
			}
			n += copy(ip[n:], four[:4])
			break
		}
		v, err := strconv.ParseUint(part, 16, 16)
		if err != nil || len(part) > 4 || n == 16 {
			return none, false
		}
		ip[n], ip[n+1] = byte(v>>8), byte(v)
		n += 2
		if more && rest == "" {
			return none, false
		}
		if more && rest[0] == ':' {
			if gap >= 0 {
				return none, false
			}
			gap, rest = n, rest[1:]
		}
		s = rest
	}
	if gap < 0 || n == 16 {
		return ip, gap < 0 && n == 16
	}
	var out [16]byte
	copy(out[:], ip[:gap])
	copy(out[16-(n-gap):], ip[gap:n])
	return out, true
}

// netlinkNames are the protocols of AF_NETLINK by their numbers, netlink(7).
const netlinkNames = "route\x00\x00usersock\x00firewall\x00inet-diag\x00nflog\x00xfrm\x00selinux\x00iscsi\x00audit\x00fib-lookup\x00connector\x00netfilter\x00ip6-fw\x00dnrtmsg\x00kobject-uevent\x00generic\x00\x00scsitransport\x00ecryptfs\x00rdma\x00crypto"

// parseNetlink reads a protocol, by name or number, and a mask of groups.
func parseNetlink(s string) (Address, error) {
	a := Address{Kind: AddressNetlink}
	name, groups := s, ""
	if i := strings.IndexAny(s, " \t"); i >= 0 {
		name, groups = s[:i], strings.TrimLeft(s[i:], " \t")
	}
	var ok bool
	if a.Port, ok = decimal(name, 31); !ok {
		var i uint32
		for known := range strings.SplitSeq(netlinkNames, "\x00") {
			if known == name && name != "" {
				a.Port, ok = i, true
			}
			i++
		}
	}
	if ok && groups != "" {
		a.CID, ok = decimal(groups, 1<<32-1)
	}
	if !ok {
		return Address{}, errors.New(strconv.Quote(s) + " is not a netlink family and a group: kobject-uevent 1")
	}
	return a, nil
}
