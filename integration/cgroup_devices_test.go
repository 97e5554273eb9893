//go:build linux

package integration

import (
	"os"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// groupNodes makes nodes of devices for everybody, in memory and without nodev, so that the
// group alone decides. Subtests do not see them.
func groupNodes(t *testing.T) string {
	t.Helper()
	requireGroup(t)
	outer(t, unix.MS_PRIVATE)
	dir := directory(t, 0o755)
	mountAt(t, "t", dir, "tmpfs", 0, "size=1m,mode=0777")
	for _, n := range []string{"null c 1 3", "zero c 1 5", "full c 1 7", "random c 1 8", "urandom c 1 9", "kmsg c 1 11", "tty c 5 0", "loop b 7 0", "loop1 b 7 1", "vcs c 7 0"} {
		f := strings.Fields(n)
		nodeAt(t, dir+"/"+f[0], f[1] == "b", uint32(number(t, f[2])), uint32(number(t, f[3])))
	}
	return dir
}

// nodeAt makes a node with the mode 0666.
func nodeAt(t *testing.T, path string, block bool, major, minor uint32) {
	t.Helper()
	kind := uint32(unix.S_IFCHR)
	if block {
		kind = unix.S_IFBLK
	}
	if err := unix.Mknod(path, kind, int(unix.Mkdev(major, minor))); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, 0o666); err != nil {
		t.Fatal(err)
	}
}

// One device and no other, as root with all capabilities and as a user whom the modes of
// the nodes would let in.
func TestCGroupDevicesOne(t *testing.T) {
	t.Parallel()
	d := groupNodes(t)
	sock := mkdir(t, d+"/sock")
	if err := os.Chmod(sock, 0o777); err != nil {
		t.Fatal(err)
	}
	var list []attempt
	for _, path := range []string{"/dev/null", d + "/null"} {
		list = append(list, attempt{"open " + path + " r", "", ""}, attempt{"open " + path + " w", "", ""}, attempt{"open " + path + " rw", "", ""},
			attempt{"put " + path + " x", "", ""}, attempt{"read " + path, "", ""}, attempt{"access " + path + " rw", "", ""})
	}
	for _, name := range []string{"zero", "full", "random", "urandom"} {
		for _, path := range []string{"/dev/" + name, d + "/" + name} {
			for _, how := range []string{"r", "w", "rw"} {
				list = append(list, attempt{"open " + path + " " + how, "EPERM", ""})
			}
		}
	}
	list = append(list,
		attempt{"access " + d + "/kmsg r", "EPERM", ""},
		attempt{"open " + d + "/tty rw", "EPERM", "ENXIO"}, // there is no terminal
		attempt{"open /dev/tty rw", "EPERM", "ENXIO"},
		attempt{"access " + d + "/loop r", "EPERM", ""},
		attempt{"stat " + d + "/zero", "", ""},
		// What is no device is none of this.
		attempt{"read /etc/passwd", "", ""},
		attempt{"create " + sock + "/file", "", ""},
		attempt{"unlink " + sock + "/file", "", ""},
		attempt{"fifo " + sock + "/fifo", "", ""},
		attempt{"open " + sock + "/fifo rw", "", ""},
		attempt{"unlink " + sock + "/fifo", "", ""},
		attempt{"unix-listen " + sock + "/socket", "", ""},
		attempt{"unix-connect " + sock + "/socket", "", ""},
		attempt{"unlink " + sock + "/socket", "", ""},
		attempt{"loopback", "", ""},
		attempt{"run /bin/true true", "", ""},
	)
	const option = "--device-allow=/dev/null rw"
	attempts(t, []string{option}, list...)
	attempts(t, []string{option, "--device-policy=strict"}, list...)
	nobody := []string{option, "--user=nobody", "--caps=none", "--no-new-privs"}
	for i, a := range inside(t, nobody, acts(list)...) {
		equal(t, "nobody: "+list[i].act, a.Errno, list[i].under)
	}
	for i, a := range inside(t, nobody[1:], acts(list)...) {
		equal(t, "nobody without: "+list[i].act, a.Errno, list[i].bare)
	}
	for _, node := range []string{"c 1 3", "c 1 5", "b 8 0", "c 10 229"} {
		attempts(t, []string{option},
			attempt{"node " + d + "/made " + node, "EPERM", ""},
			attempt{"unlink " + d + "/made", "ENOENT", ""},
		)
	}
}

// Each of the three accesses is for itself. As the kernel asks: to open for reading and
// writing needs both.
func TestCGroupDevicesAccess(t *testing.T) {
	t.Parallel()
	d := groupNodes(t)
	for _, rule := range []string{"r", "w", "m", "rw", "rm", "wm", "rwm", "mrw"} {
		errno := func(want string) string {
			for _, c := range want {
				if !strings.ContainsRune(rule, c) {
					return "EPERM"
				}
			}
			return ""
		}
		made := errno("m")
		gone := ""
		if made != "" {
			gone = "ENOENT"
		}
		attempts(t, []string{"--device-allow=/dev/null " + rule},
			attempt{"open " + d + "/null r", errno("r"), ""},
			attempt{"open " + d + "/null w", errno("w"), ""},
			attempt{"open " + d + "/null rw", errno("rw"), ""},
			attempt{"node " + d + "/made c 1 3", made, ""},
			attempt{"unlink " + d + "/made", gone, ""},
			attempt{"node " + d + "/other c 1 5", "EPERM", ""},
			attempt{"unlink " + d + "/other", "ENOENT", ""},
			attempt{"open " + d + "/zero r", "EPERM", ""},
		)
	}
	// Without letters it is all three, and two lines for one device are one with both.
	for _, options := range [][]string{{"--device-allow=/dev/null"}, {"--device-allow=/dev/null r", "--device-allow=/dev/null w", "--device-allow=/dev/null m"}} {
		attempts(t, options,
			attempt{"open " + d + "/null rw", "", ""},
			attempt{"node " + d + "/made c 1 3", "", ""},
			attempt{"unlink " + d + "/made", "", ""},
			attempt{"open " + d + "/zero r", "EPERM", ""},
		)
	}
	// An empty one takes back what was before it.
	attempts(t, []string{"--device-allow=/dev/zero r", "--device-allow=", "--device-allow=/dev/null r"},
		attempt{"open " + d + "/null r", "", ""},
		attempt{"open " + d + "/zero r", "EPERM", ""},
	)
}

// The three policies, with a list and without.
func TestCGroupDevicesPolicies(t *testing.T) {
	t.Parallel()
	d := groupNodes(t)
	const standard = "null zero full random urandom tty ptmx pts"
	const all = standard + " kmsg loop loop1"
	for _, x := range []struct{ options, open string }{
		{"", all},
		{"--device-policy=auto", all},
		{"--device-policy=closed", standard},
		{"--device-policy=strict", ""},
		{"--device-policy=strict --device-allow=/dev/zero\tr", "zero"},
		{"--device-policy=closed --device-allow=/dev/char/1:11\tr", standard + " kmsg"},
		{"--device-policy=auto --device-allow=/dev/block/7:0\tr", standard + " loop"},
		{"--device-allow=block-loop\trw --device-policy=auto", standard + " loop loop1"},
		{"--device-allow=/dev/zero\tr", "zero"},
		{"--device-allow=/dev/zero\tr --device-policy=closed", standard},
		{"--device-policy=closed --device-policy=strict", ""},
	} {
		errno := func(name, otherwise string) string {
			if slices.Contains(strings.Fields(x.open), name) {
				return otherwise
			}
			return "EPERM"
		}
		var list []attempt
		for _, name := range []string{"null", "zero", "full", "random", "urandom", "kmsg"} {
			list = append(list, attempt{"open " + d + "/" + name + " r", errno(name, ""), ""})
		}
		list = append(list,
			attempt{"open /dev/tty r", errno("tty", "ENXIO"), "ENXIO"},
			attempt{"access " + d + "/loop r", errno("loop", ""), ""},
			attempt{"access " + d + "/loop1 w", errno("loop1", ""), ""},
			attempt{"open /dev/ptmx rw", errno("ptmx", ""), ""},
			attempt{"pty", errno("pts", ""), ""},
		)
		made, gone := "EPERM", "ENOENT"
		if strings.HasPrefix(x.open, standard) {
			made, gone = "", "" // a standard one may be made as well
		}
		list = append(list, attempt{"node " + d + "/made c 1 3", made, ""}, attempt{"unlink " + d + "/made", gone, ""})
		attempts(t, splitTabs(x.options), list...)
	}
	// Without a policy there is nothing to keep a group for.
	r := run(t, "plan", "--device-policy=auto", "--", "/bin/true")
	if r.code != 0 || strings.Contains(r.stdout, "cgroup") {
		t.Errorf("auto: %d %s", r.code, r.stdout)
	}
}

// Devices by their numbers, those that are not there, and what is none.
func TestCGroupDevicesPaths(t *testing.T) {
	t.Parallel()
	d := groupNodes(t)
	for _, x := range []struct{ rule, open string }{
		{"/dev/char/1:5", "zero"},
		{"/dev/block/7:0", "loop"},
		{"/dev/block/7:1", "loop1"},
		{"/dev/char/7:0", "vcs"},
		{"/dev/char/1:7", "full"},
	} {
		var list []attempt
		for _, name := range []string{"null", "zero", "full", "kmsg", "loop", "loop1", "vcs"} {
			want := "EPERM"
			if name == x.open {
				want = ""
			}
			list = append(list, attempt{"access " + d + "/" + name + " rw", want, ""})
		}
		attempts(t, []string{"--device-allow=" + x.rule + " rw"}, list...)
	}
	// The devices of the host's own list.
	for _, path := range existing("/dev/fuse", "/dev/loop0", "/dev/vda", "/dev/kmsg") {
		attempts(t, []string{"--device-allow=" + path + " r"},
			attempt{"access " + path + " r", "", ""},
			attempt{"access " + path + " w", "EPERM", ""},
			attempt{"access /dev/null r", "EPERM", ""},
		)
	}
	// One that is not there is noted, and allowed to nobody: not when it comes, either.
	const absent = "/dev/hardrun-test-not-there"
	r := run(t, "plan", "--device-allow="+absent+" rw", "--device-allow=char-hardrun-test r", "--", "/bin/true")
	equal(t, "status", r.code, 0)
	for _, name := range []string{absent, "char-hardrun-test"} {
		if !strings.Contains(r.stdout, "note: DeviceAllow="+name+" ") || !strings.Contains(r.stdout, "[device-missing]") {
			t.Errorf("no note about %s: %s", name, r.stdout)
		}
	}
	attempts(t, []string{"--device-allow=" + absent + " rw", "--device-allow=/dev/zero r"},
		attempt{"open /dev/zero r", "", ""},
		attempt{"open /dev/null r", "EPERM", ""},
	)
	// What is there and is no device is refused.
	for _, path := range existing("/dev/shm", "/dev/pts") {
		refused(t, run(t, "--device-allow="+path+" rw", "--", probe), 219, "DeviceAllow=", path, "is no device")
	}
	for _, path := range []string{"/etc/passwd", d + "/zero", "null", "char-"} {
		if r := run(t, "--device-allow="+path+" rw", "--", probe); r.started() || r.code == 0 {
			t.Errorf("%s: status %d, %q", path, r.code, r.stdout)
		}
	}
	for _, rights := range []string{"x", "rwx", "rr w", "-"} {
		if r := run(t, "--device-allow=/dev/null "+rights, "--", probe); r.started() || r.code == 0 {
			t.Errorf("%s: status %d, %q", rights, r.code, r.stdout)
		}
	}
}

// driver is a line of /proc/devices.
type driver struct {
	block bool
	major uint32
	name  string
}

func drivers(t *testing.T) (list []driver) {
	t.Helper()
	block := false
	for line := range strings.Lines(read(t, "/proc/devices")) {
		f := strings.Fields(line)
		switch {
		case strings.HasPrefix(line, "Block"):
			block = true
		case len(f) == 2 && f[1] != "devices:":
			list = append(list, driver{block, uint32(number(t, f[0])), f[1]})
		}
	}
	if len(list) < 5 {
		t.Fatalf("/proc/devices has %d drivers", len(list))
	}
	return list
}

// Every class that there is: its devices and no others. The kernel is asked, without
// opening any: that would start a watchdog.
func TestCGroupDevicesClasses(t *testing.T) {
	t.Parallel()
	d := groupNodes(t)
	all := drivers(t)
	node := func(i int) string { return d + "/node" + itoa(i) }
	var list []string
	for i, r := range all {
		minor := uint32(0)
		if r.name == "mem" {
			minor = 3
		}
		nodeAt(t, node(i), r.block, r.major, minor)
		list = append(list, "access "+node(i)+" rw")
	}
	for i, a := range outside(t, list...) {
		equal(t, "without hardrun: "+all[i].name, a.Errno, "")
	}
	patterns := []string{"char-*", "block-*", "char-cpu/*", "char-m?m", "char-m*", "char-?e?", "char-*s", "block-*l*p", "char-/dev/*", "char-none*", "char-*m*i*s*c*", "block-loop", "char-loop"}
	for _, r := range all {
		kind := "char-"
		if r.block {
			kind = "block-"
		}
		patterns = append(patterns, kind+r.name)
	}
	slices.Sort(patterns)
	opened := 0
	for _, pattern := range slices.Compact(patterns) {
		// A major number of which one name matches is open whole.
		open := func(r driver) bool {
			return slices.ContainsFunc(all, func(o driver) bool {
				kind, glob, _ := strings.Cut(pattern, "-")
				return o.block == r.block && o.major == r.major && r.block == (kind == "block") && matches(glob, o.name)
			})
		}
		for i, a := range inside(t, []string{"--device-allow=" + pattern + " rw"}, list...) {
			want := "EPERM"
			if open(all[i]) {
				want = ""
				opened++
			}
			if a.Errno != want {
				t.Errorf("%s: %v: answered %q, want %q", pattern, all[i], a.Errno, want)
			}
		}
	}
	if opened < len(all) {
		t.Errorf("%d devices of %d drivers were open", opened, len(all))
	}
	// A driver that comes later is one of all.
	nodeAt(t, d+"/later", false, 4000, 1)
	nodeAt(t, d+"/later-block", true, 4000, 1)
	for option, errno := range map[string][2]string{"char-* rw": {"", "EPERM"}, "block-* rw": {"EPERM", ""}, "char-m* rw": {"EPERM", "EPERM"}} {
		attempts(t, []string{"--device-allow=" + option}, attempt{"access " + d + "/later rw", errno[0], ""}, attempt{"access " + d + "/later-block rw", errno[1], ""})
	}
	// All minors, and to read alone where that is all that was said.
	attempts(t, []string{"--device-allow=char-mem r"},
		attempt{"open " + d + "/null r", "", ""},
		attempt{"open " + d + "/zero r", "", ""},
		attempt{"open " + d + "/urandom r", "", ""},
		attempt{"open " + d + "/null w", "EPERM", ""},
		attempt{"node " + d + "/made c 1 3", "EPERM", ""},
		attempt{"unlink " + d + "/made", "ENOENT", ""},
		attempt{"access " + d + "/loop r", "EPERM", ""},
	)
	// One line must have all of an access, as with systemd: a class and a device are two.
	attempts(t, []string{"--device-allow=char-mem r", "--device-allow=/dev/null w"},
		attempt{"open " + d + "/null r", "", ""},
		attempt{"open " + d + "/null w", "", ""},
		attempt{"open " + d + "/null rw", "EPERM", ""},
		attempt{"open " + d + "/zero rw", "EPERM", ""},
	)
}

// matches is the definition of a glob: "?" is one byte, "*" any text.
func matches(glob, name string) bool {
	switch {
	case glob == "":
		return name == ""
	case glob[0] == '*':
		return matches(glob[1:], name) || name != "" && matches(glob, name[1:])
	}
	return name != "" && (glob[0] == '?' || glob[0] == name[0]) && matches(glob[1:], name[1:])
}

// With a private /dev: the group is a second keeper, and terminals need char-pts.
func TestCGroupDevicesPrivate(t *testing.T) {
	t.Parallel()
	d := groupNodes(t)
	for _, x := range []struct{ options, pty, zero, null string }{
		{"", "", "EACCES", ""},
		{"--device-policy=closed", "", "EACCES", ""},
		{"--device-policy=strict", "EPERM", "EACCES", "EPERM"},
		{"--device-policy=strict --device-allow=/dev/ptmx\trw", "EPERM", "EACCES", "EPERM"},
		{"--device-policy=strict --device-allow=char-pts\trw", "EPERM", "EACCES", "EPERM"},
		{"--device-policy=strict --device-allow=char-pts\trw --device-allow=/dev/ptmx\trw", "", "EACCES", "EPERM"},
		{"--device-allow=char-pts\trw", "", "EACCES", ""},
	} {
		for _, more := range []string{"", "--user=nobody --caps=none"} {
			options := append(append([]string{"--private-devices"}, splitTabs(x.options)...), strings.Fields(more)...)
			a := inside(t, options, "pty", "open "+d+"/zero r", "open /dev/null rw", "open /dev/zero r")
			name := strings.Join(options, " ")
			equal(t, name+": pty", a[0].Errno, x.pty)
			equal(t, name+": a node elsewhere", a[1].Errno, x.zero)
			equal(t, name+": null", a[2].Errno, x.null)
			equal(t, name+": zero", a[3].Errno, x.null)
		}
	}
}

// The clock's device may be read where it is protected, and where there is a policy of
// devices at all.
func TestCGroupDevicesClock(t *testing.T) {
	t.Parallel()
	requireGroup(t)
	plan := func(options ...string) string {
		t.Helper()
		r := run(t, slices.Concat([]string{"plan"}, options, []string{"--", "/bin/true"})...)
		equal(t, strings.Join(options, " "), r.code, 0)
		return r.stdout
	}
	if text := plan("--protect-clock", "--device-policy=closed"); !strings.Contains(text, "device program: closed, char-rtc r") {
		t.Errorf("with a policy: %s", text)
	}
	if text := plan("--protect-clock"); strings.Contains(text, "cgroup") {
		t.Errorf("alone: %s", text)
	}
	if text := plan("--device-policy=closed"); strings.Contains(text, "rtc") {
		t.Errorf("without: %s", text)
	}
	d := groupNodes(t)
	i := slices.IndexFunc(drivers(t), func(r driver) bool { return r.name == "rtc" })
	if i < 0 {
		t.Skip("needs a clock: /proc/devices has no rtc")
	}
	nodeAt(t, d+"/rtc", false, drivers(t)[i].major, 0)
	attempts(t, []string{"--protect-clock", "--device-policy=closed"}, attempt{"access " + d + "/rtc r", "", ""}, attempt{"access " + d + "/rtc w", "EPERM", ""})
	attempts(t, []string{"--device-policy=closed"}, attempt{"access " + d + "/rtc r", "EPERM", ""})
}

// Who comes of the daemon is in its group, in a session of its own and after it ended. What
// was open before stays open, and cannot be opened anew.
func TestCGroupDevicesChildren(t *testing.T) {
	t.Parallel()
	requireProgram(t, "setsid", "util-linux")
	d := groupNodes(t)
	const option = "--device-allow=/dev/null rw"
	for _, argv := range [][]string{
		{"sh", "-euc", `"$0" ask; exit $?`, probe},
		{"sh", "-euc", `(("$0" ask; exit $?); exit $?)`, probe},
		{"setsid", "--fork", "--wait", probe, "ask"},
		{"setsid", "--fork", "--wait", "sh", "-euc", `setsid --fork --wait "$0" ask`, probe},
	} {
		for _, confined := range []bool{true, false} {
			var start []string
			want := ""
			if confined {
				start, want = []string{hardrun, option, "--"}, "EPERM"
			}
			a := asked(t, program{argv: append(start, argv...)}, "open /dev/null rw", "open "+d+"/zero r", "open /dev/zero r")
			equal(t, strings.Join(argv, " ")+": null", a[0].Errno, "")
			equal(t, strings.Join(argv, " ")+": zero", a[1].Errno, want)
			equal(t, strings.Join(argv, " ")+": zero", a[2].Errno, want)
		}
	}
	// It reads what was opened for it.
	script := `exec "$@" <"$0"`
	a := allowed(t, runs(t, "sh", "-euc", script, d+"/zero", hardrun, option, "--", probe, "try", "read-stdin"))
	equal(t, "read from zero", a.Value, 4095)
	denied(t, runs(t, "sh", "-euc", script, d+"/zero", hardrun, option, "--", probe, "try", "open", "/proc/self/fd/0", "r"), "EPERM")
	allowed(t, runs(t, "sh", "-euc", script, d+"/zero", probe, "try", "open", "/proc/self/fd/0", "r"))
}
