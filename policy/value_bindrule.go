package policy

import (
	"errors"
	"strconv"
	"strings"

	"github.com/hardrun/hardrun/cgroup"
	"github.com/hardrun/hardrun/process"
)

// The words of a rule of SocketBindAllow=, systemd.resource-control(5).
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
	for i, w := range strings.Split(s, ":") {
		isPort := w != "" && w[0] >= '0' && w[0] <= '9'
		switch {
		case r.First != 0:
			return cgroup.BindRule{}, errors.New("nothing stands behind the port in " + strconv.Quote(s))
		case isPort:
			first, last, isRange := strings.Cut(w, "-")
			if !isRange {
				last = first
			}
			low, err := ParseInt(first, 1, 65535)
			if err != nil {
				return cgroup.BindRule{}, errors.New("port: " + err.Error())
			}
			high, err := ParseInt(last, 1, 65535)
			if err != nil {
				return cgroup.BindRule{}, errors.New("port: " + err.Error())
			}
			if high < low {
				return cgroup.BindRule{}, errors.New("the range " + w + " falls")
			}
			r.First, r.Last = uint16(low), uint16(high)
		case w == "ipv4" && i == 0:
			r.Family = cgroup.IPv4
		case w == "ipv6" && i == 0:
			r.Family = cgroup.IPv6
		case w == "tcp" && r.Protocol == 0:
			r.Protocol = cgroup.TCP
		case w == "udp" && r.Protocol == 0:
			r.Protocol = cgroup.UDP
		case w == "any" || w == "ipv4" || w == "ipv6" || w == "tcp" || w == "udp":
			return cgroup.BindRule{}, errors.New(strconv.Quote(w) + " stands in the wrong place of " + strconv.Quote(s) + ": a rule is any, or [ipv4:|ipv6:][tcp:|udp:][PORT[-PORT]]")
		default:
			return cgroup.BindRule{}, &process.WordError{What: "word in a rule for ports", Word: w, Words: bindWords}
		}
	}
	return r, nil
}

func parseBindRules(s string) ([]cgroup.BindRule, error) { return one(ParseBindRule(s)) }

// maxBindRules is how many assignments each of SocketBindAllow= and SocketBindDeny= takes,
// systemd.resource-control(5).
const maxBindRules = 128

// bindRules is SocketBindAllow= or SocketBindDeny=.
type bindRules struct{ list[cgroup.BindRule] }

func (l *bindRules) set(p *Policy, value string, from Origin) error {
	if len(l.items(p).Items) >= maxBindRules {
		return errors.New("more than " + strconv.Itoa(maxBindRules) + " rules")
	}
	return l.list.set(p, value, from)
}
