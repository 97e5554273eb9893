package policy

import (
	"strconv"
	"strings"
	"testing"

	"github.com/hardrun/hardrun/cgroup"
)

// Numbers of sys/socket.h and netinet/in.h.
const (
	afINET  = 2
	afINET6 = 10
	ipTCP   = 6
	ipUDP   = 17
)

// systemd.resource-control(5), SocketBindAllow=: its examples are among them.
func TestParseBindRule(t *testing.T) {
	for _, c := range []struct {
		in   string
		want cgroup.BindRule
		text string
	}{
		{"any", cgroup.BindRule{}, "any"},
		{"ipv6:10000-65535", cgroup.BindRule{Family: afINET6, First: 10000, Last: 65535}, "ipv6:10000-65535"},
		{"1234", cgroup.BindRule{First: 1234, Last: 1234}, "1234"},
		{"ipv6", cgroup.BindRule{Family: afINET6}, "ipv6"},
		{"ipv4", cgroup.BindRule{Family: afINET}, "ipv4"},
		{"tcp", cgroup.BindRule{Protocol: ipTCP}, "tcp"},
		{"udp", cgroup.BindRule{Protocol: ipUDP}, "udp"},
		{"ipv6:tcp", cgroup.BindRule{Family: afINET6, Protocol: ipTCP}, "ipv6:tcp"},
		{"ipv4:udp:10000-65535", cgroup.BindRule{Family: afINET, Protocol: ipUDP, First: 10000, Last: 65535}, "ipv4:udp:10000-65535"},
		{"udp:53", cgroup.BindRule{Protocol: ipUDP, First: 53, Last: 53}, "udp:53"},
		{"1-65535", cgroup.BindRule{First: 1, Last: 65535}, "1-65535"},
		{"80-80", cgroup.BindRule{First: 80, Last: 80}, "80"},
	} {
		got, err := ParseBindRule(c.in)
		if got != c.want || err != nil || got.String() != c.text {
			t.Errorf("%q: %+v (%s), %v, want %+v (%s)", c.in, got, got.String(), err, c.want, c.text)
		}
	}
	misplaced := func(rule string) string {
		return "a rule is any, or [ipv4:|ipv6:][tcp:|udp:][PORT[-PORT]], not " + strconv.Quote(rule)
	}
	for _, c := range []struct{ in, err, hint string }{
		{"", `unknown word in a rule for ports ""`, ""},
		{"sctp", `unknown word in a rule for ports "sctp"`, ""},
		{"ipv5", `unknown word in a rule for ports "ipv5"`, "did you mean ipv4?"},
		{"TCP", `unknown word in a rule for ports "TCP"`, ""},
		{"any ", `unknown word in a rule for ports "any "`, "did you mean any?"},
		{"ipv4:", `unknown word in a rule for ports ""`, ""},
		{"ipv4::80", `unknown word in a rule for ports ""`, ""},
		{":80", `unknown word in a rule for ports ""`, ""},
		{"ipv4 tcp", `unknown word in a rule for ports "ipv4 tcp"`, ""},
		{"-80", `not a decimal number: ""`, ""},
		{"80:443", misplaced("80:443"), ""},
		{"tcp:http", `unknown word in a rule for ports "http"`, ""},
		{"any:80", misplaced("any:80"), ""},
		{"tcp:any", misplaced("tcp:any"), ""},
		{"tcp:ipv4", misplaced("tcp:ipv4"), ""},
		{"ipv4:ipv6", misplaced("ipv4:ipv6"), ""},
		{"tcp:udp", misplaced("tcp:udp"), ""},
		{"tcp:tcp", misplaced("tcp:tcp"), ""},
		{"80:tcp", misplaced("80:tcp"), ""},
		{"80:", `unknown word in a rule for ports ""`, ""},
		{"0", "0 is outside of 1 to 65535", ""},
		{"65536", "65536 is outside of 1 to 65535", ""},
		{"0-80", "0 is outside of 1 to 65535", ""},
		{"080", `leading zero in "080" (systemd reads it as octal)`, ""},
		{"80-", `not a decimal number: ""`, ""},
		{"80-90-100", `not a decimal number: "90-100"`, ""},
		{"80 443", `unknown word in a rule for ports "80 443"`, ""},
		{"81-80", `the range falls: "81-80"`, ""},
		{"1000-65536", "65536 is outside of 1 to 65535", ""},
		{"99999999999999999999", "99999999999999999999 is outside of 1 to 65535", ""},
	} {
		if got, err := ParseBindRule(c.in); got != (cgroup.BindRule{}) || err == nil || err.Error() != c.err || c.hint != "" && hintOf(err) != c.hint {
			t.Errorf("%q: %+v, %v (%s), want %s (%s)", c.in, got, err, hintOf(err), c.err, c.hint)
		}
	}
}

// At most 128 assignments each; an empty one resets.
func TestBindLines(t *testing.T) {
	var p Policy
	for n := range 128 {
		mustSet(t, &p, "SocketBindAllow", strconv.Itoa(n+1), line(n+1))
	}
	mustSet(t, &p, "SocketBindDeny", "any", line(200))
	before := p.Settings()
	if err := p.Set("SocketBindAllow", "tcp", line(129)); err == nil || err.Error() != "named.service:129: SocketBindAllow=: more than 128 rules" {
		t.Errorf("the 129th: %v", err)
	}
	if len(p.Settings()) != len(before) || len(p.SocketBindAllow.Items) != 128 || len(p.SocketBindDeny.Items) != 1 {
		t.Errorf("%d and %d rules, want 128 and 1", len(p.SocketBindAllow.Items), len(p.SocketBindDeny.Items))
	}
	mustSet(t, &p, "SocketBindAllow", "", line(130))
	mustSet(t, &p, "SocketBindAllow", "tcp", line(131))
	if got := p.SocketBindAllow.Items; len(got) != 1 || got[0].V.Protocol != ipTCP {
		t.Errorf("after a reset: %+v", got)
	}
}

func FuzzParseBindRule(f *testing.F) {
	for _, s := range []string{"", "any", "ipv4:tcp:80-90", "udp", "ipv6:", "1-65535", "80:80", "-"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		v, err := ParseBindRule(s)
		if err != nil {
			if v != (cgroup.BindRule{}) {
				t.Fatalf("%q: an error, and %+v", s, v)
			}
			return
		}
		if v.First > v.Last || (v.First == 0) != (v.Last == 0) || v == (cgroup.BindRule{}) != (s == "any") || strings.ContainsAny(s, " \t") {
			t.Fatalf("%q: %+v", s, v)
		}
		if again, err := ParseBindRule(v.String()); err != nil || again != v {
			t.Fatalf("%q: %+v comes back as %+v, %v", s, v, again, err)
		}
	})
}
