//go:build linux

package integration

import (
	"encoding/binary"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/cilium/ebpf"
	bpflink "github.com/cilium/ebpf/link"
	"golang.org/x/sys/unix"
)

// wires are two network namespaces, joined by a wire. In the near one are the test's own
// thread and what it starts; its end is called near. Nothing else is there, so that every
// port is free.
type wires struct {
	path string        // of the far namespace
	far  *conversation // a probe there, which nothing confines
}

// farAddresses are those of the far end. The near one has 10.9.0.1, 192.0.2.1, 169.254.9.1,
// 2001:db8:9::1 and fe80::1.
var farAddresses = []string{"10.9.0.2", "10.9.0.3", "10.8.0.2", "192.0.2.2", "169.254.9.2", "2001:db8:9::2", "2001:db8:9::3", "2001:db8:9:1::2", "2001:db8:ffff::2", "fe80::2"}

// network makes them. Subtests are not in them; the thread ends with the test.
func network(t *testing.T) *wires {
	t.Helper()
	requireGroup(t)
	requireProgram(t, "ip", "iproute2")
	runtime.LockOSThread()
	var far string
	for i := range 2 {
		if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
			t.Fatal("unshare: ", err)
		}
		if i == 0 {
			f, err := os.Open("/proc/thread-self/ns/net")
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() {
				if err := f.Close(); err != nil {
					t.Error(err)
				}
			})
			far = "/proc/" + itoa(os.Getpid()) + "/fd/" + itoa(int(f.Fd()))
		}
	}
	// Addresses are there at once, and no others than these.
	const settle = `for f in default all; do echo 0 >/proc/sys/net/ipv6/conf/$f/accept_dad; echo 0 >/proc/sys/net/ipv6/conf/$f/accept_ra; echo 1 >/proc/sys/net/ipv6/conf/$f/addr_gen_mode; done
echo '0 2147483647' >/proc/sys/net/ipv4/ping_group_range
ip link set lo up
`
	sh := func(script string, before ...string) {
		t.Helper()
		if r := runs(t, append(before, "sh", "-euc", settle+script, "sh", far)...); r.code != 0 {
			t.Fatalf("status %d: %s", r.code, r.stderr)
		}
	}
	enter := []string{"nsenter", "--net=" + far, "--"}
	// Another interface first: the numbers of both ends shall differ.
	sh("ip link add other type bridge", enter...)
	sh(`ip link add near type veth peer name far netns "$1"
ip addr add 10.9.0.1/8 dev near
ip addr add 192.0.2.1/24 dev near
ip addr add 169.254.9.1/16 dev near
ip addr add 2001:db8:9::1/32 dev near nodad
ip addr add fe80::1/64 dev near nodad
ip link set near up
ip route add 224.0.0.0/4 dev near
`)
	script := ""
	for _, a := range farAddresses {
		bits := map[bool]string{false: "/8", true: "/32 nodad"}[strings.Contains(a, ":")]
		switch {
		case strings.HasPrefix(a, "fe80"):
			bits = "/64 nodad"
		case strings.HasPrefix(a, "192."):
			bits = "/24"
		case strings.HasPrefix(a, "169."):
			bits = "/16"
		}
		address, flags, _ := strings.Cut(a+bits, " ")
		script += "ip addr add " + address + " dev far " + flags + "\n"
	}
	sh(script+"ip link set far up\nip route add 224.0.0.0/4 dev far\n", enter...)
	w := &wires{far, converse(t, append(enter, probe, "ask")...)}
	// What is sent before both ends carry is lost.
	for _, address := range []string{"10.9.0.1", "2001:db8:9::1"} {
		eventually(t, "an answer of "+address, func() bool { return w.far.do(t, "sock-ping ping "+address+" 100").Errno == "" })
	}
	return w
}

// Where a way leads.
const (
	within = "within" // from the daemon to itself
	in     = "in"     // from the far end to the daemon
	out    = "out"    // from the daemon to the far end
)

// way is one over which packets go: what is asked, by what, from where to where. The
// daemon's address is for what comes in: where it listens, which may be another one than
// where the far end finds it.
type way struct {
	kind    string // tcp, udp, ping or raw: the last two are ICMP, by sockets of these kinds
	to      string // within, in, out
	address string
	listens string // if not the address
}

func (w way) String() string { return w.kind + " " + w.to + " " + w.address + " " + w.listens }

// Every kind, both families, and what is of both.
var everyWay = []way{
	{"tcp", within, "127.0.0.1", ""},
	{"tcp", within, "::1", ""},
	{"tcp", within, "::ffff:127.0.0.1", ""},
	{"udp", within, "127.0.0.1", ""},
	{"udp", within, "::1", ""},
	{"udp", within, "::ffff:127.0.0.1", ""},
	{"ping", within, "127.0.0.1", ""},
	{"ping", within, "::1", ""},
	{"raw", within, "127.0.0.1", ""},
	{"raw", within, "::1", ""},
	{"tcp", in, "10.9.0.1", ""},
	{"tcp", in, "2001:db8:9::1", ""},
	{"tcp", in, "10.9.0.1", "::"},
	{"tcp", in, "10.9.0.1", "::ffff:0.0.0.0"},
	{"tcp", in, "2001:db8:9::1", "::"},
	{"udp", in, "10.9.0.1", ""},
	{"udp", in, "2001:db8:9::1", ""},
	{"udp", in, "10.9.0.1", "::"},
	{"tcp", out, "10.9.0.2", ""},
	{"tcp", out, "2001:db8:9::2", ""},
	{"tcp", out, "::ffff:10.9.0.2", ""},
	{"tcp", out, "fe80::2%near", ""},
	{"udp", out, "10.9.0.2", ""},
	{"udp", out, "2001:db8:9::2", ""},
	{"udp", out, "::ffff:10.9.0.2", ""},
	{"udp", out, "fe80::2%near", ""},
	{"ping", out, "10.9.0.2", ""},
	{"ping", out, "2001:db8:9::2", ""},
	{"raw", out, "10.9.0.2", ""},
	{"raw", out, "2001:db8:9::2", ""},
}

const port = "7000"

// try goes a way, and tells why it could not: "" where it could. What does not arrive is
// waited for as long as it may take, or where it shall not arrive for a moment: then the
// counters tell that it was sent.
func (w *wires) try(t *testing.T, daemon *conversation, y way, works bool) string {
	t.Helper()
	wait := "80"
	if works {
		wait = "20000"
	}
	from, to := daemon, w.far
	// Bound to its address, an end answers from it.
	at := strings.Replace(strings.TrimPrefix(y.address, "::ffff:"), "%near", "%far", 1)
	switch y.to {
	case within:
		to, at = daemon, y.address
	case in:
		from, to, at = w.far, daemon, y.address
		if y.listens != "" {
			at = y.listens
		}
	}
	if y.kind == "ping" || y.kind == "raw" {
		return from.do(t, "sock-ping "+y.kind+" "+y.address+" "+wait).Errno
	}
	var open []func()
	defer func() {
		for _, f := range slices.Backward(open) {
			f()
		}
	}()
	// do has an act done; its descriptor is closed in the end.
	do := func(c *conversation, act string) (string, string) {
		t.Helper()
		a := c.do(t, act)
		fd := itoa(int(a.Value))
		if a.Errno == "" && !strings.HasPrefix(act, "sock-write") {
			open = append(open, func() { c.expect(t, "sock-close "+fd, "") })
		}
		return fd, a.Errno
	}
	listener, errno := do(to, "sock-bind "+y.kind+" "+at+" "+port)
	if errno != "" {
		t.Fatalf("%v: bind: %s", y, errno)
	}
	fd, errno := do(from, "sock-connect "+y.kind+" "+y.address+" "+port+" "+wait)
	if errno != "" {
		return errno
	}
	if y.kind == "tcp" {
		if listener, errno = do(to, "sock-accept "+listener+" "+wait); errno != "" {
			return errno
		}
	}
	if _, errno := do(from, "sock-write "+fd+" hello"); errno != "" {
		return errno
	}
	echo := "sock-echo "
	if y.kind == "tcp" {
		echo = "sock-receive "
	}
	if a := to.do(t, echo+listener+" "+wait); a.Errno != "" || y.kind == "tcp" {
		return a.Errno
	}
	a := from.do(t, "sock-receive "+fd+" "+wait)
	if a.Errno == "" && a.Act != "hello" {
		t.Errorf("%v: %q came back", y, a.Act)
	}
	return a.Errno
}

// ways goes all these ways with one daemon, and holds those that shall be open, and no
// others, to be so.
func (w *wires) ways(t *testing.T, options []string, list []way, open func(way) bool) {
	t.Helper()
	daemon := converse(t, starting(options...)...)
	for _, y := range list {
		works := open(y)
		errno := w.try(t, daemon, y, works)
		// What goes is refused, though a ping socket of IPv6 does not say it, and a connection
		// goes on asking. What comes is lost.
		want := ""
		switch {
		case works:
		case y.to == in, y.kind == "tcp", y.kind == "ping" && strings.Contains(y.address, ":"):
			want = "ETIMEDOUT"
		default:
			want = "EPERM"
		}
		if errno != want {
			t.Errorf("%s: %v: answered %q, want %q", strings.Join(options, " "), y, errno, want)
		}
	}
	// The far end and the wire are as good as ever.
	bare := converse(t, probe, "ask")
	for _, y := range list {
		if errno := w.try(t, bare, y, true); errno != "" {
			t.Errorf("without hardrun: %v: answered %q", y, errno)
		}
	}
}

// The counters of what was denied, in their order.
const (
	deniedDevices = iota
	deniedIngress
	deniedEgress
	deniedBinds
	deniedFiles
	counters
)

// groupOf is the directory of a process's group.
func groupOf(t *testing.T, pid int) string {
	t.Helper()
	for l := range strings.Lines(read(t, "/proc/"+itoa(pid)+"/cgroup")) {
		if path, ok := strings.CutPrefix(strings.TrimSpace(l), "0::"); ok {
			return filepath.Join(strings.TrimSuffix(group.Dir, group.Path), path)
		}
	}
	t.Fatal("no cgroup of cgroup2")
	return ""
}

// attachedTo are the programs of a group, as the kernel lists them.
func attachedTo(t *testing.T, dir string, hook ebpf.AttachType) []ebpf.ProgramID {
	t.Helper()
	d, err := os.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	list, err := bpflink.QueryPrograms(bpflink.QueryOptions{Target: int(d.Fd()), Attach: hook})
	if cerr := d.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		t.Fatal(err)
	}
	var ids []ebpf.ProgramID
	for _, p := range list.Programs {
		ids = append(ids, p.ID)
	}
	return ids
}

// counted reads what a group has denied, from the outside: by the map of its programs.
func counted(t *testing.T, dir string) (c [counters]uint64) {
	t.Helper()
	var ids []ebpf.ProgramID
	for _, hook := range []ebpf.AttachType{ebpf.AttachCGroupDevice, ebpf.AttachCGroupInetIngress, ebpf.AttachCGroupInet4Bind} {
		ids = append(ids, attachedTo(t, dir, hook)...)
	}
	if len(ids) == 0 {
		t.Fatal("no program is attached")
	}
	p, err := ebpf.NewProgramFromID(ids[0])
	if err != nil {
		t.Fatal(err)
	}
	info, err := p.Info()
	if cerr := p.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		t.Fatal(err)
	}
	maps, _ := info.MapIDs()
	if len(maps) != 1 {
		t.Fatalf("%d maps", len(maps))
	}
	m, err := ebpf.NewMapFromID(maps[0])
	if err != nil {
		t.Fatal(err)
	}
	about, err := m.Info()
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "name of the map", about.Name, "hardrun_denied")
	b, err := m.LookupBytes(uint32(0))
	if cerr := m.Close(); err == nil {
		err = cerr
	}
	if err != nil || len(b) != 8*counters {
		t.Fatalf("%d bytes, %v", len(b), err)
	}
	for i := range c {
		c[i] = binary.NativeEndian.Uint64(b[8*i:])
	}
	return c
}
