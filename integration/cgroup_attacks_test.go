//go:build linux

package integration

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/cilium/ebpf"
	bpflink "github.com/cilium/ebpf/link"
	"golang.org/x/sys/unix"
)

// groupedActs has acts done in a group and without one, and holds what each is answered.
func groupedActs(t *testing.T, dir string, options []string, list ...attempt) {
	t.Helper()
	for i, a := range asked(t, program{argv: placeIn(dir, starting(append(options, "--cgroup=attacked")...)...)}, acts(list)...) {
		if a.Errno != list[i].under {
			t.Errorf("%q: %s: answered %q (%d), want %q", options, list[i].act, a.Errno, a.Value, list[i].under)
		}
	}
	for i, a := range asked(t, program{argv: placeIn(dir, probe, "ask")}, acts(list)...) {
		if a.Errno != list[i].bare {
			t.Errorf("without hardrun: %s: answered %q, want %q", list[i].act, a.Errno, list[i].bare)
		}
	}
}

// A device is its number: a node elsewhere, a name in another's view, io_uring, and a
// mount namespace of the daemon's own are no ways around it.
func TestCGroupDeviceElsewhere(t *testing.T) {
	dir := placeGroup(t)
	place := directory(t, 0o755)
	if err := unix.Mknod(place+"/kmsg", unix.S_IFCHR|0o666, int(unix.Mkdev(1, 11))); err != nil {
		t.Fatal(err)
	}
	if f, err := os.Open(place + "/kmsg"); err != nil {
		t.Skip("needs a temporary directory on which devices can be opened: ", err)
	} else if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	other := "/proc/" + itoa(os.Getpid()) + "/root"
	for _, options := range [][]string{
		{"--device-policy=closed"},
		{"--device-policy=closed", "--caps=mknod sys_ptrace dac_override"},
		{"--private-devices", "--strict"},
		{"--device-policy=closed", "--private-devices"},
	} {
		var list []attempt
		for _, a := range []attempt{
			{"mknod " + place + "/made 1 11", "EPERM", ""},
			{"open " + place + "/made r", "ENOENT", ""},
			{"unlink " + place + "/made", "ENOENT", ""},
			{"open " + place + "/kmsg r", "EPERM", ""},
			{"open " + place + "/kmsg w", "EPERM", ""},
			{"open " + other + "/dev/kmsg r", "EPERM", ""},
			{"open " + other + place + "/kmsg r", "EPERM", ""},
			{"open " + other + "/dev/zero r", "", ""},
			{"open /dev/zero r", "", ""},
		} {
			if slices.Contains(options, "--private-devices") { // nodev comes first there, and it takes CAP_MKNOD
				if strings.HasPrefix(a.act, "open "+place) && a.under == "EPERM" {
					a.under = "EACCES"
				}
			}
			list = append(list, a)
		}
		groupedActs(t, dir, options, list...)
	}
	attack := attackProgram(t, "cgroup")
	open := []string{attack, "uring-open", place + "/kmsg"}
	if r := runs(t, open...); r.act(t).Errno == "ENOSYS" || r.act(t).Errno == "EPERM" {
		t.Log("this kernel has no io_uring")
	} else {
		allowed(t, r)
		denied(t, program{argv: placeIn(dir, append([]string{hardrun, "--cgroup=attacked", "--device-policy=closed", "--"}, open...)...)}.run(t), "EPERM")
		allowed(t, program{argv: placeIn(dir, hardrun, "--cgroup=attacked", "--device-policy=closed", "--", attack, "uring-open", "/dev/zero")}.run(t))
	}
	// Its children are confined as it is, whatever namespaces they make.
	child := []string{"unshare", "--mount", "--cgroup", "--pid", "--fork", "--mount-proc", "--", "setsid", "sh", "-c", `mount -t tmpfs t /srv && mknod /srv/k c 1 11; exec "$0" try open "$1" r`, probe, place + "/kmsg"}
	allowed(t, runs(t, child...))
	denied(t, program{argv: placeIn(dir, append([]string{hardrun, "--cgroup=attacked", "--device-policy=closed", "--"}, child...)...)}.run(t), "EPERM")
}

// A descriptor that another process opens and hands over is that process's gift: it is
// not looked at again, as the manual page says of what is open already.
func TestCGroupDeviceHandedOver(t *testing.T) {
	dir := placeGroup(t)
	attack := attackProgram(t, "cgroup")
	path := directory(t, 0o755) + "/socket"
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	full, err := os.Open("/dev/full")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := errors.Join(l.Close(), full.Close()); err != nil {
			t.Error(err)
		}
	})
	go func() {
		for {
			c, err := l.AcceptUnix()
			if err != nil {
				return
			}
			_, _, _ = c.WriteMsgUnix([]byte("x"), unix.UnixRights(int(full.Fd())), nil)
			_ = c.Close()
		}
	}()
	start := placeIn(dir, hardrun, "--cgroup=attacked", "--device-policy=strict", "--")
	denied(t, program{argv: append(slices.Clone(start), probe, "try", "open", "/dev/full", "r")}.run(t), "EPERM")
	equal(t, "handed over", allowed(t, program{argv: append(slices.Clone(start), attack, "receive", path)}.run(t)).Value, 1)
}

// The way out of a group is to be moved by somebody who may: plan says where that is the
// daemon itself.
func TestCGroupEscape(t *testing.T) {
	dir := placeGroup(t)
	out := "put " + dir + "/cgroup.procs 0"
	for _, x := range []struct {
		options string
		want    string
		noted   bool
	}{
		{"", "", true},
		{"--protect-control-groups=no", "", true},
		{"--caps=dac_override", "", true},
		{"--user=nobody --caps=none", "EACCES", false},
		{"--user=nobody --caps=none --delegate=yes", "EACCES", false},
		{"--user=nobody --caps=dac_override", "", true},
		{"--protect-control-groups=yes", "EROFS", true}, // with CAP_SYS_PTRACE by another process's root, see below
		{"--protect-control-groups=yes --caps=none", "EROFS", false},
		{"--protect-control-groups=private --caps=none", "ENOENT", false},
		{"--protect-control-groups=strict --caps=none", "ENOENT", false},
		{"--inaccessible-paths=/sys --user=nobody --caps=none", "ENOENT", false},
	} {
		options := append(strings.Fields(x.options), "--cgroup=attacked", "--device-policy=closed")
		a := asked(t, program{argv: placeIn(dir, starting(options...)...)}, out, "open /dev/kmsg r")
		if x.want == "ENOENT" && a[0].Errno == "EACCES" {
			a[0].Errno = "ENOENT" // an inaccessible directory is one that cannot be searched
		}
		equal(t, x.options+": moved", a[0].Errno, x.want)
		opened := "EPERM"
		if x.want == "" {
			opened = ""
			if strings.Contains(x.options, "caps=") {
				opened = a[1].Errno // which needs more than the group
			}
		}
		equal(t, x.options+": /dev/kmsg", a[1].Errno, opened)
		r := program{argv: placeIn(dir, slices.Concat([]string{hardrun, "plan"}, options, []string{"--", probe})...)}.run(t)
		equal(t, x.options+": noted", strings.Contains(r.stdout+r.stderr, "[cgroup-escape]"), x.noted)
	}
	// Without a group of its own there is nothing to leave.
	r := runs(t, hardrun, "plan", "--user=nobody", "--", probe)
	equal(t, "noted", strings.Contains(r.stdout+r.stderr, "[cgroup-escape]"), false)
}

// What the view keeps from the daemon, the view of another process shows to one that may
// look into it: only root with CAP_SYS_PTRACE does.
func TestCGroupEscapeByAnother(t *testing.T) {
	dir := placeGroup(t)
	out := "put /proc/" + itoa(os.Getpid()) + "/root" + dir + "/cgroup.procs 0"
	for options, want := range map[string]string{
		"--protect-control-groups=yes --caps=none":                                                             "EACCES",
		"--protect-control-groups=yes --capability-bounding-set=~CAP_SYS_PTRACE":                               "EACCES",
		"--protect-control-groups=yes --user=nobody --caps=none":                                               "EACCES",
		"--protect-control-groups=yes --protect-proc=invisible --user=nobody --caps=none":                      "ENOENT",
		"--protect-control-groups=yes --capability-bounding-set=~CAP_SYS_PTRACE --private-pids":                "ENOENT",
		"--protect-control-groups=private --capability-bounding-set=~CAP_SYS_PTRACE CAP_SYS_ADMIN":             "EACCES",
		"--protect-control-groups=strict --user=nobody --caps=none --private-users --device-allow=/dev/null r": "EACCES",
	} {
		words := []string{"--cgroup=attacked", "--socket-bind-deny=any"}
		for _, w := range strings.Split(options, " --") {
			words = append(words, "--"+strings.TrimPrefix(w, "--"))
		}
		a := asked(t, program{argv: placeIn(dir, starting(words...)...)}, out, "bind 54")
		equal(t, options, a[0].Errno+" "+a[1].Errno, want+" EPERM")
	}
	for _, argv := range [][]string{{probe, "ask"}, starting("--cgroup=attacked", "--protect-control-groups=yes", "--caps=sys_ptrace")} {
		equal(t, strings.Join(argv, " "), asked(t, program{argv: placeIn(dir, argv...)}, out)[0].Errno, "")
	}
}

// A socket of AF_PACKET is below the programs that look at packets: plan says so, and
// RestrictAddressFamilies= closes it.
func TestCGroupPacketSocket(t *testing.T) {
	dir := placeGroup(t)
	attack := attackProgram(t, "cgroup")
	ground(t)
	l, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	// What comes from outside of the kernel's own ways is otherwise no packet of this machine.
	for _, file := range []string{"route_localnet", "accept_local"} {
		lifePut(t, "/proc/sys/net/ipv4/conf/lo/"+file, "1")
	}
	port := itoa(l.LocalAddr().(*net.UDPAddr).Port)
	arrived := func() {
		t.Helper()
		buf := make([]byte, 16)
		if err := l.SetReadDeadline(time.Now().Add(10 * time.Second)); err != nil {
			t.Fatal(err)
		}
		n, _, err := l.ReadFromUDP(buf)
		if err != nil || string(buf[:n]) != "sent" {
			t.Errorf("arrived: %q, %v", buf[:n], err)
		}
	}
	for _, how := range []string{"datagram", "packet"} {
		allowed(t, runs(t, attack, how, port))
		arrived()
	}
	start := func(more ...string) []string {
		return placeIn(dir, slices.Concat([]string{hardrun, "--cgroup=attacked", "--ip-address-deny=any"}, more, []string{"--", attack})...)
	}
	denied(t, program{argv: append(start(), "datagram", port)}.run(t), "EPERM")
	allowed(t, program{argv: append(start(), "packet", port)}.run(t))
	arrived()
	for _, x := range []struct {
		options []string
		errno   string
		noted   bool
	}{
		{nil, "", true},
		{[]string{"--caps=net_raw", "--user=nobody"}, "", true},
		{[]string{"--restrict-address-families=AF_INET"}, "EAFNOSUPPORT", false},
		{[]string{"--restrict-address-families=~AF_PACKET"}, "EAFNOSUPPORT", false},
		{[]string{"--user=nobody", "--caps=none"}, "EPERM", false},
		{[]string{"--capability-bounding-set=~CAP_NET_RAW"}, "EPERM", false},
	} {
		if x.errno != "" {
			denied(t, program{argv: append(start(x.options...), "packet", port)}.run(t), x.errno)
		}
		denied(t, program{argv: append(start(x.options...), "datagram", port)}.run(t), "EPERM")
		r := program{argv: placeIn(dir, slices.Concat([]string{hardrun, "plan", "--ip-address-deny=any"}, x.options, []string{"--", attack})...)}.run(t)
		equal(t, strings.Join(x.options, " ")+": noted", strings.Contains(r.stdout+r.stderr, "[ip-packet]"), x.noted)
	}
}

// What a group forbids, it forbids in every network namespace.
func TestCGroupOtherNetwork(t *testing.T) {
	dir := placeGroup(t)
	outer(t, unix.MS_PRIVATE)
	requireProgram(t, "nsenter", "util-linux")
	own := []string{"unshare", "--net", "--", "sh", "-c", `ip link set lo up; exec "$@"`, "sh"}
	d := program{argv: append(own, "sleep", "1000")}.start(t)
	net := "/proc/" + itoa(d.cmd.Process.Pid) + "/ns/net"
	host, err := os.Readlink("/proc/self/ns/net")
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, "another network", func() bool { n, err := os.Readlink(net); return err == nil && n != host })
	enter := []string{"nsenter", "--net=" + net, "--"}
	for _, way := range [][]string{own, enter} {
		bind := append(slices.Clone(way), probe, "try", "bind", "54")
		allowed(t, runs(t, bind...))
		for _, options := range [][]string{{"--socket-bind-deny=any"}, {"--socket-bind-deny=tcp", "--private-network"}, {"--socket-bind-deny=ipv4:tcp:54", "--init"}} {
			start := slices.Concat([]string{hardrun, "--cgroup=attacked"}, options, []string{"--"})
			denied(t, program{argv: placeIn(dir, append(start, bind...)...)}.run(t), "EPERM")
		}
	}
	d.signal(t, syscall.SIGKILL)
}

// Groups that somebody else has put in the way, whose they are, locked or not.
func TestCGroupInTheWay(t *testing.T) {
	dir := placeGroup(t)
	path := strings.TrimPrefix(dir, strings.TrimSuffix(group.Dir, group.Path))
	mount := strings.TrimSuffix(dir, path)
	for _, name := range []string{"", "/cgroup.procs", "/cgroup.subtree_control"} {
		if err := os.Chown(dir+name, attackerID, attackerID); err != nil {
			t.Fatal(err)
		}
	}
	lock := directory(t, 0o755)
	for _, name := range []string{"web", "hardrun-probe"} {
		d := program{argv: asUser(attackerID, requireProgram(t, "flock", "util-linux"), "--no-fork", mkdirAs(t, dir+"/"+name), "sh", "-c", `echo locked; exec sleep 1000`)}
		cmd := d.command(t.Context())
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		killAtEnd(t, cmd)
		if _, err := out.Read(make([]byte, 8)); err != nil {
			t.Fatal(err)
		}
	}
	refused(t, program{argv: placeIn(dir, hardrun, "--cgroup=web", "--device-policy=closed", "--", probe)}.run(t), 219, "another start has it")
	equal(t, "the next one", placeOf(t, placeIn(dir, starting("--device-policy=closed")...)...), path+"/hardrun-probe-2")
	// Marked as hardrun's, by a user: it is removed if it is empty, and made anew.
	marked := mkdirAs(t, dir+"/marked")
	if err := unix.Setxattr(marked, "user.hardrun", []byte("1"), 0); err != nil {
		t.Fatal(err)
	}
	equal(t, "marked", placeOf(t, placeIn(dir, starting("--cgroup=marked", "--device-policy=closed")...)...), path+"/marked")
	var st unix.Stat_t
	if err := unix.Stat(marked, &st); err != nil || st.Uid != 0 {
		t.Errorf("the group is of %d, %v", st.Uid, err)
	}
	// A mount in the way: of another group, of another file system, and over a file.
	other := mkdir(t, dir+"/other")
	mkdir(t, dir+"/bound")
	for what, script := range map[string]string{
		"another group":       "mount --bind " + other + " " + dir + "/bound",
		"another file system": "mount -t tmpfs tmpfs " + dir + "/bound",
		"a cgroup2":           "mount -t cgroup2 cgroup2 " + dir + "/bound",
	} {
		for _, name := range []string{"bound", "bound/below"} {
			r := program{argv: placeIn(dir, private(script, hardrun, "--cgroup="+name, "--device-policy=closed", "--", probe)...)}.run(t)
			refused(t, r, 219, "--cgroup")
			if name == "bound" && !strings.Contains(r.stderr, "cross-device") && !strings.Contains(r.stderr, "not hardrun's") {
				t.Errorf("%s: %q", what, r.stderr)
			}
		}
	}
	for _, file := range []string{"cgroup.procs", "cgroup.subtree_control"} {
		// A group that is made anew is not what was covered: none of its files can be.
		if r := runs(t, private("mount --bind "+lock+" "+mount+"; ls "+mount)...); r.code != 0 {
			t.Fatal(r.stderr)
		}
		r := program{argv: placeIn(dir, private("mount -t tmpfs tmpfs "+mount, hardrun, "--cgroup=web", "--", probe)...)}.run(t)
		if r.code == 0 || r.started() {
			t.Errorf("a file system of another kind in place of cgroup2, %s: %d, %q", file, r.code, r.stdout)
		}
	}
}

// mkdirAs makes a directory of the attacker's.
func mkdirAs(t *testing.T, path string) string {
	t.Helper()
	mkdir(t, path)
	if err := os.Chown(path, attackerID, attackerID); err != nil {
		t.Fatal(err)
	}
	return path
}

// A group's programs and their counters are gone with it, and nothing pins them.
func TestCGroupNothingIsLeft(t *testing.T) {
	dir := placeGroup(t)
	for _, more := range [][]string{nil, {"--init"}, {"--private-pids", "--kill-mode=control-group"}} {
		file := directory(t, 0o777) + "/notes"
		options := slices.Concat(placeWays, more, []string{"--cgroup=web", "--user=nobody", "--caps=none"})
		d := program{argv: placeIn(dir, slices.Concat([]string{hardrun}, options, []string{"--", probe, "serve", file, "0"})...)}.start(t)
		awaited(t, file, "ready")
		programs, maps := attackedBy(t, dir+"/web")
		if len(programs) != 5 || len(maps) != 1 { // devices, ingress, egress, and bind for IPv4 and IPv6
			t.Errorf("programs %v, maps %v", programs, maps)
		}
		d.signal(t, syscall.SIGTERM)
		d.end(t)
		if more == nil {
			placeGone(t, dir+"/web")
		}
		equal(t, "the group is there", exists(dir+"/web"), false)
		eventually(t, "the end of the programs", func() bool {
			for _, id := range programs {
				if p, err := ebpf.NewProgramFromID(id); err == nil {
					_ = p.Close()
					return false
				}
			}
			for _, id := range maps {
				if m, err := ebpf.NewMapFromID(id); err == nil {
					_ = m.Close()
					return false
				}
			}
			return true
		})
	}
	// Nothing is pinned, and the daemon has no descriptor of one.
	tr := traced(t, "-e trace=bpf,execve", placeIn(dir, slices.Concat([]string{hardrun}, placeWays, []string{"--", probe})...)...)
	if !strings.Contains(tr.text, "BPF_PROG_ATTACH") || strings.Contains(tr.text, "BPF_OBJ_PIN") {
		t.Errorf("%.2000s", tr.text)
	}
	s := program{argv: placeIn(dir, slices.Concat([]string{hardrun}, placeWays, []string{"--", probe})...)}.run(t).state(t)
	equals(t, "descriptors", s.openFDs(), []int{0, 1, 2})
}

// attackedBy are the programs of a group, and their maps.
func attackedBy(t *testing.T, dir string) (programs []ebpf.ProgramID, maps []ebpf.MapID) {
	t.Helper()
	for _, kind := range []ebpf.AttachType{ebpf.AttachCGroupDevice, ebpf.AttachCGroupInetIngress, ebpf.AttachCGroupInetEgress, ebpf.AttachCGroupInet4Bind, ebpf.AttachCGroupInet6Bind} {
		for _, id := range attackQueried(t, dir, kind) {
			programs = append(programs, id)
			p, err := ebpf.NewProgramFromID(id)
			if err != nil {
				t.Fatal(err)
			}
			info, err := p.Info()
			if err != nil {
				t.Fatal(err)
			}
			ids, _ := info.MapIDs()
			for _, id := range ids {
				if !slices.Contains(maps, id) {
					maps = append(maps, id)
				}
			}
			if err := p.Close(); err != nil {
				t.Error(err)
			}
		}
	}
	return programs, maps
}

// attackQueried are the programs of one hook of a group.
func attackQueried(t *testing.T, dir string, kind ebpf.AttachType) []ebpf.ProgramID {
	t.Helper()
	f, err := os.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	found, err := bpflink.QueryPrograms(bpflink.QueryOptions{Target: int(f.Fd()), Attach: kind})
	if err := errors.Join(err, f.Close()); err != nil {
		t.Fatal(err)
	}
	var ids []ebpf.ProgramID
	for _, p := range found.Programs {
		ids = append(ids, p.ID)
	}
	return ids
}

// The calls by which a group is made, joined, limited and guarded, made to fail and to lie,
// one at a time: the daemon is not started then, or it is confined.
func TestCGroupFaults(t *testing.T) {
	strace := requireProgram(t, "strace", "strace")
	dir := placeGroup(t)
	lifeEnd(t, dir)
	probing := lines([]string{"open /dev/kmsg r", "bind 54", "read /proc/self/cgroup"})
	for _, more := range [][]string{nil, {"--init", "--kill-mode=mixed"}} {
		start := slices.Concat([]string{hardrun}, placeWays, more, []string{"--cgroup=web", "--", probe, "ask"})
		before := []string{"unshare", "--net", "--pid", "--fork", "--kill-child", "--mount-proc", "--"}
		log := filepath.Join(directory(t, 0o755), "trace")
		once := func(inject ...string) (result, string) {
			argv := slices.Concat(before, []string{"timeout", "20", strace, "-f", "-q", "-o", log}, inject, []string{"--"}, start)
			r := program{argv: placeIn(dir, argv...), stdin: probing}.run(t)
			return r, read(t, log)
		}
		r, text := once()
		if r.code != 0 || strings.Count(r.stdout, "EPERM") != 2 {
			t.Fatalf("without a fault: status %d, %q, %q", r.code, r.stdout, r.stderr)
		}
		points := lifePoints(text)
		tried, stopped, started := 0, 0, 0
		for _, call := range []string{"mkdirat", "flock", "openat2", "write", "bpf", "fsetxattr", "fchmod", "read", "fstat", "newfstatat", "faccessat2", "fstatfs", "unlinkat", "fgetxattr", "fcntl"} {
			of := slices.DeleteFunc(slices.Clone(points), func(p killPoint) bool { return p.name != call })
			step := max(1, len(of)/(9**attacks))
			for i, p := range of {
				if i%step != 0 {
					continue
				}
				for _, how := range []string{"error=EPERM", "retval=0"} {
					r, text := once("-e", "trace=execve,"+call, "-e", "inject="+call+":"+how+":when="+itoa(p.n))
					if !strings.Contains(text, "(INJECTED)") {
						continue
					}
					tried++
					if r.started() {
						started++
					} else {
						stopped++
						if r.code == 0 && !strings.Contains(text, "execve(\""+probe) {
							t.Errorf("%s, the %d., %s: status 0 without a daemon; %q", call, p.n, how, r.stderr)
						}
					}
					for n, l := range slices.Collect(strings.Lines(r.stdout)) {
						if n < 2 && strings.HasSuffix(l, "\n") && decode[answer](t, l).Errno != "EPERM" {
							t.Errorf("%s, the %d., %s: the daemon is not confined: %s", call, p.n, how, l)
						}
					}
					for _, d := range placeTree(t, dir)[1:] {
						_ = os.Remove(d)
					}
				}
			}
		}
		t.Logf("%q: %d faults, %d stopped the launch, %d did not, and were confined", more, tried, stopped, started)
		if tried < 60 || stopped < tried/3 {
			t.Errorf("of %d faults %d stopped the launch", tried, stopped)
		}
	}
}
