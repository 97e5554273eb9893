//go:build linux

package integration

import (
	"os"
	"strings"
	"syscall"
	"testing"
)

// bindWays are what a socket can be bound to: the word of a rule for its family, and an
// address. An address of IPv4 in a socket of IPv6 is of both: both must be allowed.
var bindWays = []struct {
	families, address string
}{
	{"ipv4", "127.0.0.1"},
	{"ipv4", "0.0.0.0"},
	{"ipv6", "::1"},
	{"ipv6", "::"},
	{"ipv4 ipv6", "::ffff:127.0.0.1"},
}

// The list of what named needs, and others, over every family, protocol and the ports at
// the edges of the rules.
func TestCGroupBinds(t *testing.T) {
	t.Parallel()
	network(t)
	for _, x := range []struct {
		options string
		open    func(family, protocol string, port int) bool
	}{
		{"", func(string, string, int) bool { return true }},
		{"--socket-bind-deny=any --socket-bind-allow=tcp:53 --socket-bind-allow=udp:53", func(_, _ string, p int) bool { return p == 53 }},
		{"--socket-bind-allow=tcp:53 --socket-bind-deny=any", func(_, s string, p int) bool { return s == "tcp" && p == 53 }},
		{"--socket-bind-allow=udp:53 --socket-bind-deny=any", func(_, s string, p int) bool { return s == "udp" && p == 53 }},
		{"--socket-bind-deny=any --socket-bind-allow=53", func(_, _ string, p int) bool { return p == 53 }},
		{"--socket-bind-deny=any --socket-bind-allow=52-53", func(_, _ string, p int) bool { return p == 52 || p == 53 }},
		{"--socket-bind-deny=any --socket-bind-allow=53-65535", func(_, _ string, p int) bool { return p >= 53 }},
		{"--socket-bind-deny=any --socket-bind-allow=1-52", func(_, _ string, p int) bool { return p == 52 }},
		{"--socket-bind-deny=any", func(string, string, int) bool { return false }},
		{"--socket-bind-deny=any --socket-bind-allow=any", func(string, string, int) bool { return true }},
		{"--socket-bind-allow=53", func(string, string, int) bool { return true }},
		{"--socket-bind-deny=53", func(_, _ string, p int) bool { return p != 53 }},
		{"--socket-bind-deny=52-53", func(_, _ string, p int) bool { return p != 52 && p != 53 }},
		{"--socket-bind-deny=1-65535", func(_, _ string, p int) bool { return p == 0 }},
		{"--socket-bind-deny=udp", func(_, s string, _ int) bool { return s != "udp" }},
		{"--socket-bind-deny=tcp:53", func(_, s string, p int) bool { return s != "tcp" || p != 53 }},
		{"--socket-bind-deny=ipv4", func(f, _ string, _ int) bool { return f != "ipv4" }},
		{"--socket-bind-deny=ipv6", func(f, _ string, _ int) bool { return f != "ipv6" }},
		{"--socket-bind-deny=any --socket-bind-allow=ipv6", func(f, _ string, _ int) bool { return f == "ipv6" }},
		{"--socket-bind-deny=any --socket-bind-allow=ipv4:udp:53-54", func(f, s string, p int) bool { return f == "ipv4" && s == "udp" && (p == 53 || p == 54) }},
		{"--socket-bind-deny=any --socket-bind-allow=ipv6:tcp", func(f, s string, _ int) bool { return f == "ipv6" && s == "tcp" }},
		{"--socket-bind-deny=ipv6:tcp:54 --socket-bind-deny=ipv4:udp:52", func(f, s string, p int) bool {
			return f+s+itoa(p) != "ipv6tcp54" && f+s+itoa(p) != "ipv4udp52"
		}},
		// An empty one takes back what was before it.
		{"--socket-bind-deny=any --socket-bind-deny= --socket-bind-deny=53", func(_, _ string, p int) bool { return p != 53 }},
	} {
		daemon := converse(t, starting(strings.Fields(x.options)...)...)
		for _, y := range bindWays {
			for _, protocol := range []string{"tcp", "udp"} {
				for _, p := range []int{0, 52, 53, 54} {
					want := ""
					for _, family := range strings.Fields(y.families) {
						if !x.open(family, protocol, p) {
							want = "EPERM"
						}
					}
					act := "sock-bind " + protocol + " " + y.address + " " + itoa(p)
					a := daemon.do(t, act)
					equal(t, x.options+": "+act, a.Errno, want)
					if a.Errno != "" {
						continue
					}
					if got := daemon.expect(t, "sock-port "+itoa(int(a.Value)), "").Value; p != 0 && got != int64(p) || got == 0 {
						t.Errorf("%s: %s: bound to %d", x.options, act, got)
					}
					daemon.expect(t, "sock-close "+itoa(int(a.Value)), "")
				}
			}
		}
		// A client that asks for no port gets one.
		daemon.expect(t, "sock-send 127.0.0.1 9 x", "")
		daemon.expect(t, "sock-send ::1 9 x", "")
	}
}

// A connection goes from a port that the kernel chooses, which no rule forbids.
func TestCGroupBindsClient(t *testing.T) {
	t.Parallel()
	w := network(t)
	for _, option := range []string{"--socket-bind-allow=tcp:7040", "--socket-bind-deny=any"} {
		daemon := converse(t, starting(option)...)
		for _, y := range []way{{"tcp", out, "10.9.0.2", ""}, {"tcp", out, "::ffff:10.9.0.2", ""}, {"udp", out, "2001:db8:9::2", ""}} {
			equal(t, option+": "+y.String(), w.try(t, daemon, y, true), "")
		}
	}
	// A user may have what a capability allows, and no more than the rules.
	for _, x := range []struct{ options, errno53, errno54 string }{
		{"--user=nobody --caps=net_bind_service", "", ""},
		{"--user=nobody --caps=net_bind_service --socket-bind-deny=any --socket-bind-allow=tcp:53", "", "EPERM"},
		{"--user=nobody --caps=none --socket-bind-deny=any --socket-bind-allow=tcp:53", "EACCES", "EPERM"},
	} {
		a := inside(t, strings.Fields(x.options), "sock-bind tcp 127.0.0.1 53", "sock-bind tcp 127.0.0.1 54")
		equal(t, x.options+": 53", a[0].Errno, x.errno53)
		equal(t, x.options+": 54", a[1].Errno, x.errno54)
	}
}

// named, whose configuration has one port more than its rules.
func TestCGroupBindsNamed(t *testing.T) {
	t.Parallel()
	requireProgram(t, "named", "bind9")
	dig := requireProgram(t, "dig", "bind9-dnsutils")
	network(t)
	bind, _ := bindUser(t)
	for _, x := range []struct {
		name  string
		words []string
		open  bool // port 54
	}{
		{"without", nil, true},
		{"with", []string{"--socket-bind-deny=any", "--socket-bind-allow=tcp:53", "--socket-bind-allow=udp:53", "--ip-address-deny=any", "--ip-address-allow=localhost", "--device-policy=closed"}, false},
	} {
		cage := namedCage(t, "bind", bind)
		write(t, cage+"/etc/bind/named.conf", strings.Replace(namedConfig, "listen-on {", "listen-on port 54 { 127.0.0.1; };\n\tlisten-on port 53 {", 1), 0o644)
		log := directory(t, 0o777) + "/log"
		argv := append([]string{hardrun, "--chroot=" + cage, "--user=bind", "--caps=net_bind_service", "--no-new-privs", "--standard-error=file:" + log}, x.words...)
		d := program{argv: append(argv, "--", "named", "-g")}.start(t)
		text := ""
		eventually(t, x.name+": named in "+log, func() bool {
			b, err := os.ReadFile(log)
			text = string(b)
			return err == nil && strings.Contains(text, " running\n")
		})
		ask := func(port string, more ...string) bool {
			argv := append([]string{dig, "+short", "+tries=1", "+time=5", "-p", port, "@127.0.0.1", "www.example.test", "A"}, more...)
			return runs(t, argv...).stdout == "192.0.2.80\n"
		}
		for _, more := range [][]string{nil, {"+tcp"}} {
			equal(t, x.name+": an answer of port 53", ask("53", more...), true)
			equal(t, x.name+": an answer of port 54", ask("54", more...), x.open)
		}
		equal(t, x.name+": a complaint", strings.Contains(text, "127.0.0.1#54\n") && strings.Contains(text, "interface lo failed"), !x.open)
		d.signal(t, syscall.SIGTERM)
		equal(t, x.name+": status of named", d.end(t), 0)
	}
}
