package policy

import (
	"errors"
	"slices"
	"strconv"
	"strings"

	"github.com/hardrun/hardrun/cgroup"
)

// IPRule is a word of IPAddressAllow= or IPAddressDeny= in its normal form, and the blocks
// of addresses that it stands for.
type IPRule struct {
	Text     string // "any", "10.0.0.0/8", "::1"
	Prefixes []cgroup.Prefix
}

// addressWords are the names that stand for blocks, systemd.resource-control(5).
var addressWords = []string{"any", "localhost", "link-local", "multicast"}

// addressBlocks are the blocks of each name: of IPv4, and of IPv6.
var addressBlocks = [...]string{
	"0.0.0.0/0", "::/0",
	"127.0.0.0/8", "::1/128",
	"169.254.0.0/16", "fe80::/64",
	"224.0.0.0/4", "ff00::/8",
}

// ParseIPRules reads a line of IPAddressAllow= or IPAddressDeny=, systemd.resource-control(5):
// names and ADDRESS[/LENGTH] between blanks. Addresses are written as inet_pton(3) has them;
// bits behind the prefix are cut off. A block of IPv4-mapped IPv6 addresses stands for the
// IPv4 addresses as well, as these are what the packets have. A word that is none of this is
// an error; systemd passes over it.
func ParseIPRules(s string) ([]IPRule, error) {
	var rules []IPRule
	for _, w := range plainWords(s) {
		r, err := parseIPRule(w)
		if err != nil {
			return nil, err
		}
		rules = append(rules, r)
	}
	return rules, nil
}

func parseIPRule(w string) (IPRule, error) {
	r, blocks := IPRule{Text: w}, []string{w}
	name := slices.Index(addressWords, w)
	if name >= 0 {
		blocks = addressBlocks[2*name : 2*name+2]
	}
	for _, block := range blocks {
		p, err := parsePrefix(block)
		if err != nil {
			return IPRule{}, err
		}
		r.Prefixes = append(r.Prefixes, p)
	}
	if name >= 0 {
		return r, nil
	}
	p := &r.Prefixes[0]
	r.Text = prefixText(p)
	if p.V6 && p.Bits >= 96 && mapped(p) {
		v4 := cgroup.Prefix{Bits: p.Bits - 96}
		copy(v4.Addr[:4], p.Addr[12:])
		r.Prefixes = append(r.Prefixes, v4)
	}
	return r, nil
}

// mapped tells an IPv4-mapped address, ::ffff:0:0/96.
func mapped(p *cgroup.Prefix) bool {
	return string(p.Addr[:12]) == "\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\xff\xff"
}

// parsePrefix reads ADDRESS[/LENGTH].
func parsePrefix(s string) (p cgroup.Prefix, err error) {
	addr, length, has := strings.Cut(s, "/")
	bits, ok := 32, false
	if p.V6 = strings.IndexByte(addr, ':') >= 0; p.V6 {
		bits = 128
		p.Addr, ok = parseIPv6(addr)
	} else {
		ok = parseIPv4(p.Addr[:4], addr)
	}
	if !ok {
		return cgroup.Prefix{}, bad("neither an address nor any, localhost, link-local or multicast: ", s)
	}
	if has {
		if bits, err = ParseInt(length, 0, bits); err != nil {
			return cgroup.Prefix{}, errors.New("length of the prefix in " + strconv.Quote(s) + ": " + err.Error())
		}
	}
	p.Bits = uint8(bits)
	for i := range p.Addr {
		if keep := bits - 8*i; keep < 8 {
			p.Addr[i] &^= 0xff >> max(keep, 0)
		}
	}
	return p, nil
}

// parseIPv4 reads four decimal numbers without leading zeros into to.
func parseIPv4(to []byte, s string) bool {
	for i := range 4 {
		part, rest, point := strings.Cut(s, ".")
		n, err := ParseInt(part, 0, 255)
		if err != nil || point != (i < 3) {
			return false
		}
		to[i], s = byte(n), rest
	}
	return true
}

// parseIPv6 reads groups of up to four hexadecimal digits; "::" stands once for at least
// one group of zeros, and the last two groups may be written as an IPv4 address.
func parseIPv6(s string) (a [16]byte, ok bool) {
	n, gap := 0, -1 // bytes so far, and where the zeros belong
	if rest, found := strings.CutPrefix(s, "::"); found {
		s, gap = rest, 0
	}
	for s != "" {
		group, rest, colon := strings.Cut(s, ":")
		if !colon && n <= 12 && strings.IndexByte(group, '.') >= 0 {
			if !parseIPv4(a[n:n+4], group) {
				return a, false
			}
			n += 4
			break
		}
		v, err := strconv.ParseUint(group, 16, 16)
		if err != nil || len(group) > 4 || n == 16 || colon && rest == "" {
			return a, false
		}
		a[n], a[n+1] = byte(v>>8), byte(v)
		n += 2
		if s = rest; strings.HasPrefix(s, ":") {
			if gap >= 0 {
				return a, false
			}
			s, gap = s[1:], n
		}
	}
	if gap < 0 {
		return a, n == 16
	}
	if n == 16 {
		return a, false
	}
	copy(a[16-(n-gap):], a[gap:n])
	clear(a[gap : 16-(n-gap)])
	return a, true
}

// prefixText prints a prefix as parsePrefix takes it, IPv6 as RFC 5952 recommends; the
// length is left out where it is that of an address.
func prefixText(p *cgroup.Prefix) string {
	text, bits := "", 32
	switch {
	case !p.V6:
		text = ipv4Text(p.Addr[:4])
	case mapped(p):
		text, bits = "::ffff:"+ipv4Text(p.Addr[12:]), 128
	default:
		text, bits = ipv6Text(&p.Addr), 128
	}
	if int(p.Bits) < bits {
		text += "/" + strconv.Itoa(int(p.Bits))
	}
	return text
}

func ipv4Text(a []byte) string {
	text := ""
	for i, b := range a {
		if i > 0 {
			text += "."
		}
		text += strconv.Itoa(int(b))
	}
	return text
}

func ipv6Text(a *[16]byte) string {
	group := func(i int) uint64 { return uint64(a[2*i])<<8 | uint64(a[2*i+1]) }
	from, length := 8, 1 // the first of the longest runs of zeros; one group is none
	for i := 0; i < 8; i++ {
		n := 0
		for i+n < 8 && group(i+n) == 0 {
			n++
		}
		if n > length {
			from, length = i, n
		}
		i += n
	}
	text := ""
	for i := 0; i < 8; i++ {
		if i == from {
			text += "::"
			i += length - 1
			continue
		}
		if text != "" && !strings.HasSuffix(text, ":") {
			text += ":"
		}
		text += strconv.FormatUint(group(i), 16)
	}
	return text
}

func ipRuleText(r IPRule) string { return r.Text }
