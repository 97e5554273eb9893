package policy

import (
	"errors"
	"slices"
	"strings"

	"github.com/hardrun/hardrun/cgroup"
	"github.com/hardrun/hardrun/process"
)

// bindWords are the words of a rule of SocketBindAllow=, systemd.resource-control(5): two
// families and two protocols behind the first.
var bindWords = []string{"any", "ipv4", "ipv6", "tcp", "udp"}

// ParseBindRule reads a rule of SocketBindAllow= or SocketBindDeny=,
// systemd.resource-control(5): "any", or with colons between them a family (ipv4, ipv6), a
// protocol (tcp, udp) and a port or a range of ports, in this order; at least one of them.
// Ports are decimal numbers of 1 to 65535.
func ParseBindRule(s string) (cgroup.BindRule, error) {
	var r cgroup.BindRule
	if s == "any" {
		return r, nil
	}
	last := 0 // bindWords of the word before
	for w := range strings.SplitSeq(s, ":") {
		i := slices.Index(bindWords, w)
		if i < 0 && strings.Trim(w, "0123456789-") == "" && w != "" {
			i = len(bindWords)
		}
		switch {
		case i < 0:
			return cgroup.BindRule{}, &process.WordError{What: "word in a rule for ports", Word: w, Words: bindWords}
		case (i+1)/2 <= (last+1)/2:
			return cgroup.BindRule{}, bad("a rule is any, or [ipv4:|ipv6:][tcp:|udp:][PORT[-PORT]], not ", s)
		case i < 3:
			r.Family = [...]uint8{1: cgroup.IPv4, 2: cgroup.IPv6}[i]
		case i < 5:
			r.Protocol = [...]uint8{3: cgroup.TCP, 4: cgroup.UDP}[i]
		default:
			if err := parsePorts(&r, w); err != nil {
				return cgroup.BindRule{}, err
			}
		}
		last = i
	}
	return r, nil
}

// parsePorts reads PORT or LOW-HIGH.
func parsePorts(r *cgroup.BindRule, s string) error {
	first, last, isRange := strings.Cut(s, "-")
	if !isRange {
		last = first
	}
	low, err := ParseInt(first, 1, 65535)
	if err != nil {
		return err
	}
	high, err := ParseInt(last, 1, 65535)
	if err != nil {
		return err
	}
	if high < low {
		return bad("the range falls: ", s)
	}
	r.First, r.Last = uint16(low), uint16(high)
	return nil
}

func parseBindRules(s string) ([]cgroup.BindRule, error) { return one(ParseBindRule(s)) }

// maxBindRules is how many assignments each of SocketBindAllow= and SocketBindDeny= takes,
// systemd.resource-control(5).
const maxBindRules = 128

// bindRules is SocketBindAllow= or SocketBindDeny=.
type bindRules struct{ field }

func (l *bindRules) set(p *Policy, value string, from Origin) error {
	n := 0
	l.write(p, func(value string, _ Origin) {
		if value != "" { // not the reset
			n++
		}
	})
	if n >= maxBindRules {
		return errors.New("more than 128 rules")
	}
	return l.field.set(p, value, from)
}
