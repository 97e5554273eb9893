package policy

import (
	"errors"
	"slices"
	"strconv"
	"strings"

	"github.com/hardrun/hardrun/process"
)

// Families are the address families of RestrictAddressFamilies=, systemd.exec(5).
type Families struct {
	Allow  bool     // only these are open; else all but these
	Listed []uint32 // AF_ numbers, ascending
}

// familyNames are the address families of linux/socket.h, by their numbers.
var familyNames = [...]string{
	"", "AF_UNIX", "AF_INET", "AF_AX25", "AF_IPX", "AF_APPLETALK", "AF_NETROM", "AF_BRIDGE", "AF_ATMPVC", "AF_X25",
	"AF_INET6", "AF_ROSE", "AF_DECnet", "AF_NETBEUI", "AF_SECURITY", "AF_KEY", "AF_NETLINK", "AF_PACKET", "AF_ASH", "AF_ECONET",
	"AF_ATMSVC", "AF_RDS", "AF_SNA", "AF_IRDA", "AF_PPPOX", "AF_WANPIPE", "AF_LLC", "AF_IB", "AF_MPLS", "AF_CAN",
	"AF_TIPC", "AF_BLUETOOTH", "AF_IUCV", "AF_RXRPC", "AF_ISDN", "AF_PHONET", "AF_IEEE802154", "AF_CAIF", "AF_ALG", "AF_NFC",
	"AF_VSOCK", "AF_KCM", "AF_QIPCRTR", "AF_SMC", "AF_XDP", "AF_MCTP",
}

// familyAliases are second names of families.
var familyAliases = [...]struct{ name, means string }{
	{"AF_LOCAL", "AF_UNIX"}, {"AF_FILE", "AF_UNIX"}, {"AF_ROUTE", "AF_NETLINK"},
}

// parseFamily is the number of an address family by its name.
func parseFamily(s string) (uint32, error) {
	name := s
	for _, a := range familyAliases {
		if a.name == s {
			name = a.means
		}
	}
	for n, have := range familyNames {
		if have == name && name != "" {
			return uint32(n), nil
		}
	}
	return 0, &process.WordError{What: "address family", Word: s, Words: familyNames[:]}
}

// ParseFamilies reads a line of RestrictAddressFamilies=, systemd.exec(5): "none", or
// names between blanks, behind "~" those that are closed. "none" is an empty list of
// what is open. An unknown name is an error: systemd passes over the line then, and
// with it over all other names in it.
func ParseFamilies(s string) (Families, error) {
	s = strings.TrimSpace(s)
	if s == "none" {
		return Families{Allow: true}, nil
	}
	s, invert := strings.CutPrefix(s, "~")
	f := Families{Allow: !invert}
	for _, w := range plainWords(s) {
		n, err := parseFamily(w)
		if err != nil {
			return Families{}, err
		}
		f.Listed = append(f.Listed, n)
	}
	if len(f.Listed) == 0 && !invert {
		return Families{}, errors.New("no address family is named")
	}
	slices.Sort(f.Listed)
	f.Listed = slices.Compact(f.Listed)
	return f, nil
}

func familiesText(f Families) string {
	if f.Allow && len(f.Listed) == 0 {
		return "none"
	}
	var names []string
	for _, n := range f.Listed {
		if int(n) < len(familyNames) {
			names = append(names, familyNames[n])
		} else {
			names = append(names, "AF_"+strconv.Itoa(int(n)))
		}
	}
	text := strings.Join(names, " ")
	if !f.Allow {
		text = "~" + text
	}
	return text
}

// familiesField is RestrictAddressFamilies=: the first line decides, later ones add to
// the list or, with the other sign, take away from it. "none" takes the place of all
// before it.
type familiesField func(p *Policy) *Opt[Families]

func (k familiesField) set(p *Policy, value string, from Origin) error {
	f, err := ParseFamilies(value)
	if err != nil {
		return err
	}
	o := k(p)
	switch {
	case !o.Set || f.Allow && len(f.Listed) == 0:
	case f.Allow == o.V.Allow:
		f.Listed = append(slices.Clone(o.V.Listed), f.Listed...)
		slices.Sort(f.Listed)
		f.Listed = slices.Compact(f.Listed)
	default:
		gone := f.Listed
		f = Families{Allow: o.V.Allow}
		for _, n := range o.V.Listed {
			if !slices.Contains(gone, n) {
				f.Listed = append(f.Listed, n)
			}
		}
	}
	*o = Opt[Families]{V: f, Set: true, From: from}
	return nil
}

func (k familiesField) reset(p *Policy, _ Origin) { *k(p) = Opt[Families]{} }
func (k familiesField) isSet(p *Policy) bool      { return k(p).Set }
func (k familiesField) write(p *Policy, each func(string, Origin)) {
	if o := k(p); o.Set {
		each(familiesText(o.V), o.From)
	}
}
