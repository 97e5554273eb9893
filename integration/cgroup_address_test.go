//go:build linux

package integration

import (
	"fmt"
	"strings"
	"testing"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"golang.org/x/sys/unix"
)

// A daemon that shall speak with its own host only: by every protocol, both families, and
// as root with all capabilities.
func TestCGroupAddressLocalhost(t *testing.T) {
	t.Parallel()
	w := network(t)
	local := func(y way) bool { return y.to == within }
	w.ways(t, nil, everyWay, func(way) bool { return true })
	w.ways(t, []string{"--ip-address-deny=any", "--ip-address-allow=localhost"}, everyWay, local)
	w.ways(t, []string{"--ip-address-allow=localhost", "--ip-address-deny=any", "--private-devices", "--protect-system=strict"}, everyWay, local)
	// Alone it forbids nothing.
	w.ways(t, []string{"--ip-address-allow=localhost"}, everyWay, func(way) bool { return true })
	w.ways(t, []string{"--ip-address-deny=any"}, everyWay, func(way) bool { return false })
	var user []way
	for _, y := range everyWay {
		if y.kind != "raw" {
			user = append(user, y)
		}
	}
	w.ways(t, []string{"--ip-address-deny=any", "--ip-address-allow=localhost", "--user=nobody", "--caps=none", "--no-new-privs"}, user, local)
}

// An address is allowed where an allowed prefix has it, however long a denied one is.
func TestCGroupAddressPrefixes(t *testing.T) {
	t.Parallel()
	w := network(t)
	many := []string{"--ip-address-deny=any"}
	for i := range 200 {
		many = append(many, fmt.Sprintf("--ip-address-allow=10.9.%d.0/24 2001:db8:9:%x::/64", i, i))
	}
	for _, x := range []struct {
		options []string
		open    string // of the far end's addresses; "all but" if it begins with "-"
	}{
		{nil, "-"},
		{[]string{"--ip-address-deny=10.0.0.0/8", "--ip-address-allow=10.9.0.0/16"}, "-10.8.0.2"},
		{[]string{"--ip-address-deny=10.9.0.2", "--ip-address-allow=10.0.0.0/8"}, "-"},
		{[]string{"--ip-address-deny=10.9.0.2/32"}, "-10.9.0.2"},
		{[]string{"--ip-address-deny=10.9.0.2"}, "-10.9.0.2"},
		{[]string{"--ip-address-deny=10.9.0.0/31"}, "-"},
		{[]string{"--ip-address-deny=10.9.0.2/31"}, "-10.9.0.2 10.9.0.3"},
		{[]string{"--ip-address-deny=10.9.0.0/30"}, "-10.9.0.2 10.9.0.3"},
		{[]string{"--ip-address-deny=0.0.0.0/0"}, "2001:db8:9::2 2001:db8:9::3 2001:db8:9:1::2 2001:db8:ffff::2 fe80::2"},
		{[]string{"--ip-address-deny=::/0"}, "10.9.0.2 10.9.0.3 10.8.0.2 192.0.2.2 169.254.9.2"},
		{[]string{"--ip-address-deny=0.0.0.0/1"}, "-10.9.0.2 10.9.0.3 10.8.0.2"},
		{[]string{"--ip-address-deny=128.0.0.0/1"}, "-192.0.2.2 169.254.9.2"},
		{[]string{"--ip-address-deny=2001:db8:9::2/128"}, "-2001:db8:9::2"},
		{[]string{"--ip-address-deny=2001:db8:9::2/127"}, "-2001:db8:9::2 2001:db8:9::3"},
		{[]string{"--ip-address-deny=2001:db8:9::/127"}, "-"},
		{[]string{"--ip-address-deny=2001:db8:9::/64"}, "-2001:db8:9::2 2001:db8:9::3"},
		{[]string{"--ip-address-deny=2001:db8:9:1::/64"}, "-2001:db8:9:1::2"},
		{[]string{"--ip-address-deny=2001:db8:9::/48"}, "-2001:db8:9::2 2001:db8:9::3 2001:db8:9:1::2"},
		{[]string{"--ip-address-deny=2001:db8:9::/33", "--ip-address-allow=2001:db8:9::3"}, "-2001:db8:9::2 2001:db8:9:1::2"},
		{[]string{"--ip-address-deny=any", "--ip-address-allow=link-local"}, "fe80::2 169.254.9.2"},
		{[]string{"--ip-address-deny=link-local"}, "-fe80::2 169.254.9.2"},
		{[]string{"--ip-address-deny=any", "--ip-address-allow=multicast"}, ""},
		{[]string{"--ip-address-deny=any", "--ip-address-allow=10.9.0.3 2001:db8:9::3"}, "10.9.0.3 2001:db8:9::3"},
		// Lists are joined, and an empty one begins anew.
		{[]string{"--ip-address-deny=10.9.0.2", "--ip-address-deny=10.8.0.2"}, "-10.9.0.2 10.8.0.2"},
		{[]string{"--ip-address-deny=10.9.0.2", "--ip-address-deny=", "--ip-address-deny=10.8.0.2"}, "-10.8.0.2"},
		{many, "10.9.0.2 10.9.0.3 2001:db8:9::2 2001:db8:9::3 2001:db8:9:1::2"},
	} {
		name := fmt.Sprintf("%.100s", strings.Join(x.options, " "))
		named, but := strings.CutPrefix(x.open, "-")
		daemon := converse(t, starting(x.options...)...)
		listener := map[bool]string{}
		for six, any := range map[bool]string{false: "0.0.0.0", true: "::"} {
			listener[six] = itoa(int(daemon.expect(t, "sock-bind udp "+any+" "+map[bool]string{false: "7001", true: "7002"}[six], "").Value))
		}
		server := itoa(int(w.far.expect(t, "sock-bind udp :: 7003", "").Value))
		own := ""
		if x.options != nil {
			own = groupOf(t, daemon.daemon.cmd.Process.Pid)
		}
		for _, a := range farAddresses {
			open := false
			for _, word := range strings.Fields(named) {
				open = open || word == a
			}
			if but {
				open = !open
			}
			six := strings.Contains(a, ":")
			near, far, mine := "10.9.0.1", a, "7001"
			if six {
				near, mine = "2001:db8:9::1", "7002"
			}
			scoped := a
			if a == "fe80::2" {
				near, scoped, far = "fe80::1%far", "fe80::2%near", "fe80::2%far"
			}
			// It goes, and arrives; or it is refused, and nothing was sent.
			want, answer, wait := "EPERM", "ETIMEDOUT", " 10"
			if open {
				want, answer, wait = "", "", " 20000"
			}
			if got := daemon.do(t, "sock-send "+scoped+" 7003 out").Errno; got != want {
				t.Errorf("%s: to %s: answered %q, want %q", name, a, got, want)
			}
			if got := w.far.do(t, "sock-receive "+server+wait); got.Errno != answer || open && got.Act != "out" {
				t.Errorf("%s: to %s: the far end has %q %q, want %q", name, a, got.Errno, got.Act, answer)
			}
			// It comes, from that address; or it is counted.
			fd := itoa(int(w.far.expect(t, "sock-bind udp "+far+" 7004", "").Value))
			var before uint64
			if !open {
				before = counted(t, own)[deniedIngress]
			}
			w.far.expect(t, "sock-sendto "+fd+" "+near+" "+mine+" in", "")
			if !open {
				wait = " 0"
				eventually(t, name+": from "+a+": counted or there", func() bool {
					return counted(t, own)[deniedIngress] > before || daemon.do(t, "sock-receive "+listener[six]+" 0").Errno == ""
				})
				equal(t, name+": from "+a+": counted", counted(t, own)[deniedIngress], before+1)
			}
			if got := daemon.do(t, "sock-receive "+listener[six]+wait); got.Errno != answer || open && got.Act != "in" {
				t.Errorf("%s: from %s: the daemon has %q %q, want %q", name, a, got.Errno, got.Act, answer)
			}
			w.far.expect(t, "sock-close "+fd, "")
		}
		w.far.expect(t, "sock-close "+server, "")
	}
}

// What goes to a group of hosts is judged by the address of the group, what comes from it
// by that of the sender.
func TestCGroupAddressMulticast(t *testing.T) {
	t.Parallel()
	w := network(t)
	for _, x := range []struct {
		options  string
		out, own string // errno of sending; whether what the far end sends arrives
	}{
		{"", "", ""},
		{"--ip-address-deny=multicast", "EPERM", ""},
		{"--ip-address-deny=any --ip-address-allow=multicast", "", "ETIMEDOUT"},
		{"--ip-address-deny=any", "EPERM", "ETIMEDOUT"},
		{"--ip-address-deny=any --ip-address-allow=10.9.0.0/16 --ip-address-allow=2001:db8::/32", "EPERM", ""},
	} {
		daemon := converse(t, starting(strings.Fields(x.options)...)...)
		for _, y := range []struct{ group, any, near, far, port string }{
			{"239.1.2.3", "0.0.0.0", "239.1.2.3", "10.9.0.2", "7010"},
			{"ff05::1:3", "::", "ff05::1:3%near", "2001:db8:9::2", "7011"},
		} {
			there := itoa(int(w.far.expect(t, "sock-bind udp "+y.any+" "+y.port, "").Value))
			w.far.expect(t, "sock-join "+there+" "+y.group+" far", "")
			a := daemon.do(t, "sock-send "+y.near+" "+y.port+" hello")
			equal(t, x.options+": to "+y.group, a.Errno, x.out)
			if x.out == "" {
				w.far.expect(t, "sock-receive "+there+" 20000", "")
			}
			w.far.expect(t, "sock-close "+there, "")
			here := itoa(int(daemon.expect(t, "sock-bind udp "+y.any+" "+y.port, "").Value))
			daemon.expect(t, "sock-join "+here+" "+y.group+" near", "")
			from := itoa(int(w.far.expect(t, "sock-bind udp "+y.far+" 7012", "").Value))
			to := y.group
			if to != "239.1.2.3" {
				to += "%far"
			}
			w.far.expect(t, "sock-sendto "+from+" "+to+" "+y.port+" hello", "")
			wait := " 20000"
			if x.own != "" {
				wait = " 150"
			}
			equal(t, x.options+": from "+y.group, daemon.do(t, "sock-receive "+here+wait).Errno, x.own)
			daemon.expect(t, "sock-close "+here, "")
			w.far.expect(t, "sock-close "+from, "")
		}
	}
}

// Interfaces, by their numbers in the network that the daemon has.
func TestCGroupInterfaces(t *testing.T) {
	t.Parallel()
	w := network(t)
	list := []way{
		{"tcp", within, "127.0.0.1", ""},
		{"udp", within, "::1", ""},
		{"ping", within, "127.0.0.1", ""},
		{"tcp", in, "10.9.0.1", ""},
		{"udp", in, "2001:db8:9::1", ""},
		{"tcp", out, "10.9.0.2", ""},
		{"udp", out, "10.9.0.2", ""},
		{"udp", out, "fe80::2%near", ""},
		{"ping", out, "2001:db8:9::2", ""},
	}
	for _, x := range []struct {
		options  string
		lo, near bool
	}{
		{"--restrict-network-interfaces=lo", true, false},
		{"--restrict-network-interfaces=near", false, true},
		{"--restrict-network-interfaces=lo\tnear", true, true},
		{"--restrict-network-interfaces=lo --restrict-network-interfaces=near", true, true},
		{"--restrict-network-interfaces=lo\tnear --restrict-network-interfaces=~near", true, false},
		{"--restrict-network-interfaces=~near", true, false},
		{"--restrict-network-interfaces=~lo", false, true},
		{"--restrict-network-interfaces=~lo\tnear", false, false},
		{"--restrict-network-interfaces=nothere", false, false}, // one that comes later is not it, either
		{"--restrict-network-interfaces=nothere\tlo", true, false},
		// Both an interface and an address decide.
		{"--restrict-network-interfaces=near --ip-address-deny=localhost", false, true},
		{"--restrict-network-interfaces=~near --ip-address-deny=any --ip-address-allow=localhost", true, false},
		{"--restrict-network-interfaces=lo\tnear --ip-address-deny=any --ip-address-allow=localhost", true, false},
		{"--restrict-network-interfaces=near --ip-address-deny=any --ip-address-allow=localhost", false, false},
	} {
		w.ways(t, splitTabs(x.options), list, func(y way) bool {
			if y.to == within {
				return x.lo
			}
			return x.near
		})
	}
	refused(t, run(t, "--restrict-network-interfaces=~nothere", "--", probe), 219, "RestrictNetworkInterfaces=", "nothere")
	refused(t, run(t, "--restrict-network-interfaces=~lo nothere", "--", probe), 219, "RestrictNetworkInterfaces=", "nothere")
	// A network of the daemon's own has other ones: near is none of them.
	refused(t, run(t, "--private-network", "--restrict-network-interfaces=~near", "--", probe), 219, "RestrictNetworkInterfaces=", "near")
	for options, errno := range map[string]string{
		"--private-network": "",
		"--private-network --restrict-network-interfaces=lo":       "",
		"--private-network --restrict-network-interfaces=near":     "EPERM",
		"--private-network --restrict-network-interfaces=~lo":      "EPERM",
		"--private-network --bind-network-interface=lo":            "",
		"--private-network --ip-address-deny=any":                  "EPERM",
		"--private-network --ip-address-deny=127.0.0.0/9":          "EPERM",
		"--private-network --ip-address-deny=127.128.0.0/9 --caps": "",
	} {
		options = strings.TrimSuffix(options, " --caps")
		a := inside(t, strings.Fields(options), "sock-send 127.0.0.1 7020 x", "interfaces")
		equal(t, options, a[0].Errno, errno)
		equal(t, options, a[1].Act, "lo")
	}
	// In the far end's namespace far has a number that is no interface's here.
	there := "--network-namespace-path=" + w.path
	index := strings.TrimSpace(runs(t, "nsenter", "--net="+w.path, "--", "sh", "-euc", "ip -o link show far | cut -d: -f1").stdout)
	if here := runs(t, "ip", "-o", "link", "show").stdout; strings.Contains("\n"+here, "\n"+index+":") {
		t.Fatalf("%s is a number here, too: %s", index, here)
	}
	for options, errno := range map[string]string{
		"":                                   "",
		"--restrict-network-interfaces=far":  "",
		"--restrict-network-interfaces=lo":   "EPERM",
		"--restrict-network-interfaces=near": "EPERM",
		"--restrict-network-interfaces=~far": "EPERM",
		"--bind-network-interface=far":       "",
	} {
		a := inside(t, append([]string{there}, strings.Fields(options)...), "sock-send 10.9.0.1 7021 x", "sock-device 4")
		equal(t, there+" "+options, a[0].Errno, errno)
		want := "0"
		if strings.HasPrefix(options, "--bind") {
			want = index
		}
		equal(t, there+" "+options+": device", itoa(int(a[1].Value)), want)
	}
}

// splitTabs are options; within one of them, words are parted by tabs.
func splitTabs(text string) []string {
	words := strings.Fields(strings.ReplaceAll(text, "\t", "\x00"))
	for i := range words {
		words[i] = strings.ReplaceAll(words[i], "\x00", " ")
	}
	return words
}

// Every socket is bound to one interface, and what is another's is out of reach.
func TestCGroupBindInterface(t *testing.T) {
	t.Parallel()
	w := network(t)
	index := func(name string) int64 {
		t.Helper()
		text := runs(t, "ip", "-o", "link", "show", name).stdout
		number, _, _ := strings.Cut(text, ":")
		var n int64
		if _, err := fmt.Sscan(number, &n); err != nil || n == 0 {
			t.Fatalf("%q: %v", text, err)
		}
		return n
	}
	for _, x := range []struct {
		option   string
		index    int64
		lo, near bool
	}{
		{"", 0, true, true},
		{"--bind-network-interface=near", index("near"), false, true},
		{"--bind-network-interface=lo", index("lo"), true, false},
	} {
		for _, more := range []string{"", "--user=nobody --caps=none"} {
			daemon := converse(t, starting(strings.Fields(x.option+" "+more)...)...)
			for _, family := range []string{"4", "6"} {
				equal(t, x.option+": device of a socket", daemon.expect(t, "sock-device "+family, "").Value, x.index)
			}
			for _, y := range []way{
				{"tcp", out, "10.9.0.2", ""},
				{"udp", out, "2001:db8:9::2", ""},
				{"tcp", in, "10.9.0.1", ""},
			} {
				errno := w.try(t, daemon, y, x.near)
				if (errno == "") != x.near {
					t.Errorf("%s %s: %v: answered %q", x.option, more, y, errno)
				}
			}
			// A socket of near's does not hear what the loopback has.
			errno := w.try(t, daemon, way{"udp", within, "127.0.0.1", ""}, x.lo)
			if (errno == "") != x.lo {
				t.Errorf("%s %s: 127.0.0.1: answered %q", x.option, more, errno)
			}
		}
	}
	refused(t, run(t, "--bind-network-interface=nothere", "--", probe), 219, "BindNetworkInterface=", "nothere")
	refused(t, run(t, "--private-network", "--bind-network-interface=near", "--", probe), 219, "BindNetworkInterface=", "near")
}

// returning is a program that answers with a number, whatever it is asked.
func returning(t *testing.T, kind ebpf.ProgramType, hook ebpf.AttachType, answer int32) *ebpf.Program {
	t.Helper()
	p, err := ebpf.NewProgram(&ebpf.ProgramSpec{
		Type: kind, AttachType: hook, License: "Apache-2.0",
		Instructions: asm.Instructions{asm.Mov.Imm(asm.R0, answer), asm.Return()},
	})
	if err != nil {
		t.Fatalf("%v: %v", hook, err)
	}
	t.Cleanup(func() {
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	})
	return p
}

// pinnedIn pins a program. bpf(2) wants the file system of it to be mounted: by the test,
// in its own namespace.
func pinnedIn(t *testing.T, dir, name string, kind ebpf.ProgramType, hook ebpf.AttachType, answer int32) (path string, id ebpf.ProgramID) {
	t.Helper()
	p := returning(t, kind, hook, answer)
	path = dir + "/" + name
	if err := p.Pin(path); err != nil {
		t.Fatal(err)
	}
	info, err := p.Info()
	if err != nil {
		t.Fatal(err)
	}
	id, _ = info.ID()
	return path, id
}

// Programs of others: the daemon is under them as well.
func TestCGroupPinned(t *testing.T) {
	t.Parallel()
	w := network(t)
	outer(t, unix.MS_PRIVATE)
	dir := directory(t, 0o755)
	mountAt(t, "bpf", dir, "bpf", 0, "")
	skb := ebpf.CGroupSKB
	noIn, _ := pinnedIn(t, dir, "no-in", skb, ebpf.AttachCGroupInetIngress, 0)
	noOut, _ := pinnedIn(t, dir, "no-out", skb, ebpf.AttachCGroupInetEgress, 0)
	yesOut, _ := pinnedIn(t, dir, "yes-out", skb, ebpf.AttachCGroupInetEgress, 1)
	noDevice, _ := pinnedIn(t, dir, "no-device", ebpf.CGroupDevice, ebpf.AttachCGroupDevice, 0)
	noConnect, _ := pinnedIn(t, dir, "no-connect", ebpf.CGroupSockAddr, ebpf.AttachCGroupInet4Connect, 0)
	everything := []way{
		{"udp", in, "10.9.0.1", ""},
		{"udp", out, "10.9.0.2", ""},
		{"tcp", out, "2001:db8:9::2", ""},
	}
	for _, x := range []struct {
		options string
		errno   [3]string
	}{
		{"", [3]string{}},
		{"--ip-ingress-filter-path=" + noIn, [3]string{"ETIMEDOUT", "ETIMEDOUT", "ETIMEDOUT"}},
		{"--bpf-program=ingress:" + noIn, [3]string{"ETIMEDOUT", "ETIMEDOUT", "ETIMEDOUT"}},
		{"--ip-egress-filter-path=" + noOut, [3]string{"EPERM", "EPERM", "ETIMEDOUT"}},
		{"--bpf-program=egress:" + noOut, [3]string{"EPERM", "EPERM", "ETIMEDOUT"}},
		{"--ip-egress-filter-path=" + yesOut, [3]string{}},
		// All of them must agree, whatever their order.
		{"--ip-egress-filter-path=" + yesOut + " --ip-egress-filter-path=" + noOut, [3]string{"EPERM", "EPERM", "ETIMEDOUT"}},
		{"--ip-egress-filter-path=" + noOut + " --ip-egress-filter-path=" + yesOut, [3]string{"EPERM", "EPERM", "ETIMEDOUT"}},
		{"--ip-egress-filter-path=" + yesOut + " --ip-address-deny=any", [3]string{"ETIMEDOUT", "EPERM", "ETIMEDOUT"}},
		{"--ip-egress-filter-path=" + noOut + " --ip-egress-filter-path=", [3]string{}},
		{"--bpf-program=connect4:" + noConnect, [3]string{"", "EPERM", ""}},
	} {
		daemon := converse(t, starting(strings.Fields(x.options)...)...)
		for i, y := range everything {
			// Where nothing goes, what comes in arrives, and the echo of it is refused.
			equal(t, x.options+": "+y.String(), w.try(t, daemon, y, x.errno[i] == ""), x.errno[i])
		}
	}
	attempts(t, []string{"--bpf-program=device:" + noDevice}, attempt{"open /dev/zero r", "EPERM", ""}, attempt{"open /etc/passwd r", "", ""})
	attempts(t, []string{"--bpf-program=device:" + noDevice, "--device-allow=/dev/zero rw"}, attempt{"open /dev/zero r", "EPERM", ""})
	for _, x := range []struct{ option, word string }{
		{"--ip-ingress-filter-path=" + dir + "/nothere", "IPIngressFilterPath="},
		{"--ip-egress-filter-path=" + dir + "/nothere", "IPEgressFilterPath="},
		{"--bpf-program=egress:" + dir + "/nothere", "BPFProgram="},
	} {
		refused(t, run(t, x.option, "--", probe), 219, x.word, dir+"/nothere")
	}
	// Programs of another type, and what is none.
	refused(t, run(t, "--ip-egress-filter-path="+noDevice, "--", probe), 219, "IPEgressFilterPath=")
	refused(t, run(t, "--bpf-program=device:"+noOut, "--", probe), 219, "BPFProgram=")
	refused(t, run(t, "--bpf-program=egress:/etc/passwd", "--", probe), 219, "BPFProgram=", "/etc/passwd")
}

// Every type is attached where it says, once, and beside the program of the directive.
func TestCGroupPinnedTypes(t *testing.T) {
	t.Parallel()
	requireGroup(t)
	outer(t, unix.MS_PRIVATE)
	dir := directory(t, 0o755)
	mountAt(t, "bpf", dir, "bpf", 0, "")
	for _, x := range []struct {
		name string
		kind ebpf.ProgramType
		hook ebpf.AttachType
	}{
		{"ingress", ebpf.CGroupSKB, ebpf.AttachCGroupInetIngress},
		{"egress", ebpf.CGroupSKB, ebpf.AttachCGroupInetEgress},
		{"sock_create", ebpf.CGroupSock, ebpf.AttachCGroupInetSockCreate},
		{"sock_ops", ebpf.SockOps, ebpf.AttachCGroupSockOps},
		{"device", ebpf.CGroupDevice, ebpf.AttachCGroupDevice},
		{"bind4", ebpf.CGroupSockAddr, ebpf.AttachCGroupInet4Bind},
		{"bind6", ebpf.CGroupSockAddr, ebpf.AttachCGroupInet6Bind},
		{"connect4", ebpf.CGroupSockAddr, ebpf.AttachCGroupInet4Connect},
		{"connect6", ebpf.CGroupSockAddr, ebpf.AttachCGroupInet6Connect},
		{"post_bind4", ebpf.CGroupSock, ebpf.AttachCGroupInet4PostBind},
		{"post_bind6", ebpf.CGroupSock, ebpf.AttachCGroupInet6PostBind},
		{"sendmsg4", ebpf.CGroupSockAddr, ebpf.AttachCGroupUDP4Sendmsg},
		{"sendmsg6", ebpf.CGroupSockAddr, ebpf.AttachCGroupUDP6Sendmsg},
		{"sysctl", ebpf.CGroupSysctl, ebpf.AttachCGroupSysctl},
		{"recvmsg4", ebpf.CGroupSockAddr, ebpf.AttachCGroupUDP4Recvmsg},
		{"recvmsg6", ebpf.CGroupSockAddr, ebpf.AttachCGroupUDP6Recvmsg},
		{"getsockopt", ebpf.CGroupSockopt, ebpf.AttachCGroupGetsockopt},
		{"setsockopt", ebpf.CGroupSockopt, ebpf.AttachCGroupSetsockopt},
	} {
		path, id := pinnedIn(t, dir, x.name, x.kind, x.hook, 1)
		option := "--bpf-program=" + x.name + ":" + path
		daemon := converse(t, starting(option, option, "--ip-address-deny=192.0.2.0/24")...)
		daemon.expect(t, "open /dev/null r", "")
		own := groupOf(t, daemon.daemon.cmd.Process.Pid)
		ids := attachedTo(t, own, x.hook)
		times := 0
		for _, i := range ids {
			if i == id {
				times++
			}
		}
		equal(t, x.name+": attached", times, 1)
		want := 1
		if x.name == "ingress" || x.name == "egress" {
			want = 2
		}
		equal(t, x.name+": programs", len(ids), want)
	}
}

// What is denied is counted, where it can be read from outside.
func TestCGroupCounters(t *testing.T) {
	t.Parallel()
	w := network(t)
	daemon := converse(t, starting("--ip-address-deny=any", "--ip-address-allow=localhost", "--socket-bind-deny=tcp:81", "--device-allow=/dev/null rw")...)
	listener := itoa(int(daemon.expect(t, "sock-bind udp 0.0.0.0 7030", "").Value))
	own := groupOf(t, daemon.daemon.cmd.Process.Pid)
	before := counted(t, own)
	for range 3 {
		daemon.expect(t, "sock-send 10.9.0.2 7031 x", "EPERM")
		daemon.expect(t, "sock-send 2001:db8:9::2 7031 x", "EPERM")
		daemon.expect(t, "sock-send 127.0.0.1 7031 x", "") // allowed, and not counted
	}
	for range 4 {
		w.far.expect(t, "sock-send 10.9.0.1 7030 x", "")
	}
	for range 5 {
		daemon.expect(t, "sock-bind tcp 127.0.0.1 81", "EPERM")
		daemon.expect(t, "sock-bind tcp ::1 81", "EPERM")
		fd := itoa(int(daemon.expect(t, "sock-bind tcp 127.0.0.1 82", "").Value))
		daemon.expect(t, "sock-close "+fd, "")
	}
	for range 7 {
		daemon.expect(t, "open /dev/zero r", "EPERM")
		daemon.expect(t, "open /dev/null r", "")
	}
	want := before
	want[deniedDevices] += 7
	want[deniedEgress] += 6
	want[deniedIngress] += 4
	want[deniedBinds] += 10
	eventually(t, "the last datagram", func() bool { return counted(t, own)[deniedIngress] >= want[deniedIngress] })
	equal(t, "counted", counted(t, own), want)
	daemon.expect(t, "sock-receive "+listener+" 0", "ETIMEDOUT")
}

// What is no address is an error.
func TestCGroupAddressWords(t *testing.T) {
	t.Parallel()
	for _, word := range []string{"10.9.0.2/33", "::1/129", "10.9.0", "localhosts", "10.9.0.2/", "10.9.0.2/x", "fe80::1%lo"} {
		for _, option := range []string{"--ip-address-deny=", "--ip-address-allow="} {
			r := run(t, option+word, "--", probe)
			if r.started() || r.code == 0 || !strings.Contains(r.stderr, word) {
				t.Errorf("%s%s: status %d, %q", option, word, r.code, r.stderr)
			}
		}
	}
}
