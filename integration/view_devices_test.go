//go:build linux

package integration

import (
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// PrivateDevices=: the pseudo devices, each the one it is called, and nothing else.
func TestPrivateDevices(t *testing.T) {
	t.Parallel()
	requireRoot(t)
	d := directory(t, 0o777)
	for _, more := range []string{"", "--protect-system=strict", "--protect-kernel-tunables --protect-kernel-logs", "--user=nobody --caps=none", "--no-new-privs"} {
		options := append([]string{"--private-devices", "--read-write-paths=" + d}, strings.Fields(more)...)
		want := []string{"fd", "full", "null", "ptmx", "random", "stderr", "stdin", "stdout", "tty", "urandom", "zero"}
		for _, p := range existing("/dev/pts", "/dev/shm", "/dev/mqueue", "/dev/hugepages", "/dev/log") {
			want = append(want, p[5:])
		}
		equal(t, more+": /dev", said(t, options, "list /dev"), sorted(want...))
		attempts(t, options,
			attempt{"open /dev/null rw", "", ""},
			attempt{"put /dev/null x", "", ""},
			attempt{"read /dev/null", "", ""},
			attempt{"open /dev/zero r", "", ""},
			attempt{"put /dev/full x", "ENOSPC", "ENOSPC"},
			attempt{"open /dev/random r", "", ""},
			attempt{"open /dev/urandom r", "", ""},
			attempt{"list /dev/fd", "", ""},
			attempt{"readlink /dev/stdin", "", ""},
		)
		for dev, number := range map[string]int64{"null": 1003, "zero": 1005, "full": 1007, "random": 1008, "urandom": 1009, "tty": 5000} {
			a := inside(t, options, "device /dev/"+dev, "mode /dev/"+dev)
			equal(t, dev, a[0].Value, number)
			equal(t, dev+": mode", a[1].Value, unix.S_IFCHR|0o666)
		}
		a := inside(t, options, "mount-flags /dev", "create "+d+"/n", "unlink "+d+"/n", "pty", "create /dev/shm/hardrun-test-"+itoa(len(more)), "unlink /dev/shm/hardrun-test-"+itoa(len(more)))
		equal(t, more+": ro, nosuid, noexec", a[0].Value, 1|2|8)
		for i, act := range []string{"create", "unlink", "pty", "create in shm", "unlink in shm"} {
			equal(t, more+": "+act, a[i+1].Errno, "")
		}
		// As the host's /dev/tty without a terminal: there, and not to be opened.
		equal(t, more+": tty", inside(t, options, "open /dev/tty r")[0].Errno, outside(t, "open /dev/tty r")[0].Errno)
	}
	kept := []attempt{
		{"create /dev/hardrun-test-n", "EROFS", ""},
		{"unlink /dev/hardrun-test-n", "EROFS", ""},
		{"chmod /dev/null 0666", "EROFS", ""},
		{"mknod " + d + "/null 1 3", "EPERM", ""},
		{"unlink " + d + "/null", "ENOENT", ""},
	}
	for _, p := range existing("/dev/kmsg", "/dev/mem", "/dev/port", "/dev/sda", "/dev/vda", "/dev/loop-control", "/dev/fuse", "/dev/kvm", "/dev/net/tun", "/dev/console") {
		kept = append(kept, attempt{"stat " + p, "ENOENT", ""})
	}
	attempts(t, []string{"--private-devices"}, kept...)
	attempts(t, []string{"--private-devices", "--protect-system=strict"}, kept[0], kept[1], kept[2])
}

// The numbers are the devices', whatever the host's umask is, and a bind into /dev
// is of a node while /dev stays read-only.
func TestPrivateDevicesMore(t *testing.T) {
	t.Parallel()
	requireRoot(t)
	a := asked(t, program{argv: with("umask=0177", starting("--private-devices", "--user=nobody")...)}, "mode /dev/null", "mode /dev/pts", "open /dev/null rw")
	equal(t, "mode of null", a[0].Value, unix.S_IFCHR|0o666)
	equal(t, "mode of pts", a[1].Value, unix.S_IFDIR|0o755)
	equal(t, "open", a[2].Errno, "")
	if exists("/dev/kmsg") {
		attempts(t, []string{"--private-devices", "--bind=/dev/kmsg"},
			attempt{"open /dev/kmsg r", "", ""},
			attempt{"create /dev/hardrun-test-k", "EROFS", ""},
			attempt{"unlink /dev/hardrun-test-k", "EROFS", ""},
		)
		// Two that hide it do not hinder each other.
		equal(t, "hidden already", inside(t, []string{"--private-devices", "--protect-kernel-logs"}, "stat /dev/kmsg")[0].Errno, "ENOENT")
	}
	for _, options := range [][]string{{"--private-devices", "--tmpfs=/dev/shm"}, {"--private-devices", "--protect-system=strict", "--tmpfs=/dev/shm"}} {
		a := inside(t, options, "list /dev/shm", "create /dev/shm/x")
		equal(t, "an own shm", a[0].Act+a[1].Errno, "")
	}
	ro := inside(t, []string{"--private-devices", "--read-only-paths=/dev"}, "create /dev/shm/hardrun-test-ro", "open /dev/null w")
	equal(t, "all of it read-only", ro[0].Errno, "EROFS")
	equal(t, "and a device still a device", ro[1].Errno, "")
}

// Without the right to make devices those of the host are taken, and a file in
// their place is none.
func TestPrivateDevicesWithoutMknod(t *testing.T) {
	t.Parallel()
	outer(t, unix.MS_PRIVATE)
	options := with("without=27", starting("--private-devices")...)
	a := asked(t, program{argv: options}, "device /dev/null", "put /dev/null x", "put /dev/full x", "pty", "create /dev/x", "stat /dev/kmsg")
	equal(t, "null", a[0].Value, 1003)
	equal(t, "put", a[1].Errno, "")
	equal(t, "full", a[2].Errno, "ENOSPC")
	equal(t, "pty", a[3].Errno, "")
	equal(t, "create", a[4].Errno, "EROFS")
	equal(t, "kmsg", a[5].Errno, "ENOENT")
	d := directory(t, 0o755)
	mountAt(t, write(t, d+"/fake", "", 0o666), "/dev/full", "", unix.MS_BIND, "")
	r := runs(t, with("without=27", hardrun, "--private-devices", "--", probe)...)
	refused(t, r, 226, "PrivateDevices=", "/dev/full")
}

// deviceNodes makes a directory with device nodes for everybody: of a character device
// that everybody can use, of the kernel's log, of a block device.
func deviceNodes(t *testing.T, dir string) string {
	t.Helper()
	mkdir(t, dir)
	for _, n := range []struct {
		name         string
		kind         uint32
		major, minor uint32
	}{{"zero", unix.S_IFCHR, 1, 5}, {"kmsg", unix.S_IFCHR, 1, 11}, {"loop", unix.S_IFBLK, 7, 0}} {
		path := dir + "/" + n.name
		if err := unix.Mknod(path, n.kind, int(unix.Mkdev(n.major, n.minor))); err != nil {
			t.Fatalf("mknod %s: %v", path, err)
		}
		if err := unix.Chmod(path, 0o666); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// beforeSetattr are the words of a start in which mount_setattr(2) is not there, as before
// Linux 5.12.
func beforeSetattr(t *testing.T) []string {
	t.Helper()
	return []string{hardrun, "--seccomp-bpf=" + loaded(t, errnoFilter(uint32(unix.ENOSYS), sysMountSetattr)), "--"}
}

// PrivateDevices=: a device node outside of /dev cannot be opened, wherever it is and
// whatever else the view has; without PrivateDevices= the same view lets it be opened.
// What is at /dev, and what is bound below it, can.
func TestPrivateDevicesElsewhere(t *testing.T) {
	t.Parallel()
	outer(t, unix.MS_PRIVATE)
	d := directory(t, 0o755)
	nodes := deviceNodes(t, d+"/nodes") // on the disk
	mountAt(t, "t", mkdir(t, d+"/memory"), "tmpfs", 0, "size=64k,mode=0755")
	deviceNodes(t, d+"/memory/nodes")
	mountAt(t, nodes, mkdir(t, d+"/bound"), "", unix.MS_BIND, "")
	write(t, d+"/file", "", 0o644)
	mkdir(t, d+"/place")
	root := cage(t)
	deviceNodes(t, root+"/nodes")
	mountAt(t, d+"/memory", mkdir(t, root+"/memory"), "", unix.MS_BIND|unix.MS_REC, "")
	for _, dir := range []string{"/dev", "/proc", "/sys", "/run", "/srv"} {
		mkdir(t, root+dir)
	}
	hosts := []string{nodes, d + "/memory/nodes", d + "/bound"}
	const user, plain = "groups=65534 gid=65534 uid=65534", "zero"
	const all = "zero kmsg loop"
	ways := map[string][]string{"": nil, "before Linux 5.12": beforeSetattr(t)}
	for _, x := range []struct {
		prepare, options string
		dirs             []string
		names            string
	}{
		{"", "--private-mounts", hosts, all},
		{"", "--mount-flags=private", hosts, all},
		{"", "--user=nobody --caps=none", hosts, plain},
		{"", "--user=nobody --caps=none --no-new-privs --private-users", hosts, plain},
		{"", "--protect-system=strict", hosts, all},
		{"", "--protect-system=strict --read-write-paths=" + d + "/memory", hosts, all},
		{"", "--protect-home --read-only-paths=" + nodes + " --no-exec-paths=" + d, hosts, all},
		{"", "--no-exec-paths=/ --exec-paths=" + base + " /usr", hosts, all},
		{"", "--private-pids --proc-subset=pid --private-network", hosts, all},
		{"", "--bind=" + nodes + ":" + d + "/place", append([]string{d + "/place"}, hosts...), all},
		{"", "--ro-bind=" + d + "/memory:" + d + "/place", []string{d + "/place/nodes"}, all},
		{"", "--bind=" + nodes + "/kmsg:" + d + "/file", []string{d}, "file"},
		{"", "--tmpfs=" + d + "/place --bind=" + nodes + ":" + d + "/place/below", []string{d + "/place/below"}, all},
		{"", "--tmpfs=" + d + "/place:dev --bind=" + nodes + ":" + d + "/place/below", []string{d + "/place/below"}, all},
		{"", "--minimal-root --bind=" + d + ":/srv", []string{"/srv/nodes", "/srv/memory/nodes", "/srv/bound"}, all},
		{"", "--minimal-root --mount-api-vfs --ro-bind=" + nodes, []string{nodes}, all},
		{"", "--root-directory=" + root, []string{"/nodes", "/memory/nodes"}, all},
		{"", "--root-directory=" + root + " --protect-system=strict --bind=" + nodes + ":/srv", []string{"/nodes", "/memory/nodes", "/srv"}, all},
		{"", "--chroot=" + root + " --read-only-paths=+/memory", []string{"/nodes", "/memory/nodes"}, all},
		{"chroot=" + root, "--private-mounts", []string{"/nodes", "/memory/nodes"}, all},
		{user, "--protect-system=strict", hosts, plain},
		{user, "--private-mounts --bind=" + nodes + ":" + d + "/place", append([]string{d + "/place"}, hosts...), plain},
		{user, "--private-pids --protect-proc=invisible", hosts, plain},
	} {
		command, self := probe, hardrun
		if strings.Contains(x.options, root) {
			command = "/probe"
		}
		if strings.HasPrefix(x.prepare, "chroot=") {
			command, self = "/probe", "/hardrun"
			mountAt(t, hardrun, write(t, root+"/hardrun", "", 0o755), "", unix.MS_BIND, "")
			mountAt(t, "p", root+"/proc", "proc", 0, "")
			mountAt(t, "/dev", root+"/dev", "", unix.MS_BIND|unix.MS_REC, "")
		}
		var opens []string
		for _, dir := range x.dirs {
			for _, name := range strings.Fields(x.names) {
				opens = append(opens, "open "+dir+"/"+name+" r")
			}
		}
		devices := []string{"open /dev/null rw", "read /dev/null", "open /dev/zero r", "open /dev/urandom r", "put /dev/full x", "open /dev/tty r", "pty", "open /dev/pts/ptmx rw"}
		if x.names == plain {
			devices = devices[:len(devices)-1] // the ptmx of the host's pts need not be for everybody
		}
		for way, before := range ways {
			if self != hardrun && before != nil {
				continue // the filter's file is not in the chroot
			}
			start := func(more ...string) []string {
				argv := slices.Concat([]string{self}, splitOptions(x.options), more, []string{"--", command, "ask"})
				if x.prepare == "" {
					return slices.Concat(before, argv)
				}
				return slices.Concat(before, with(x.prepare, argv...))
			}
			name := strings.TrimSpace(way + " " + x.prepare + " " + x.options)
			for i, a := range asked(t, program{argv: start()}, opens...) {
				if !slices.Contains([]string{"", "ENXIO"}, a.Errno) { // a block device need have nothing behind it
					t.Errorf("%s: without PrivateDevices=: %s: %s", name, opens[i], a.Errno)
				}
			}
			answers := asked(t, program{argv: start("--private-devices")}, append(slices.Clone(opens), devices...)...)
			for i, act := range opens {
				equal(t, name+": "+act, answers[i].Errno, "EACCES")
			}
			for i, act := range devices {
				want := map[string]string{"put /dev/full x": "ENOSPC", "open /dev/tty r": "ENXIO"}[act] // there is no terminal
				equal(t, name+": "+act, answers[len(opens)+i].Errno, want)
			}
		}
	}
}

// A device that is bound below /dev, or at it, is given on purpose.
func TestPrivateDevicesGiven(t *testing.T) {
	t.Parallel()
	requireRoot(t)
	nodes := deviceNodes(t, directory(t, 0o755)+"/nodes")
	for _, way := range [][]string{nil, beforeSetattr(t)} {
		for _, more := range []string{"", "--protect-system=strict", "--minimal-root", "--read-only-paths=/dev", "--no-exec-paths=/dev", "--user=nobody --caps=none --private-users"} {
			for _, x := range []struct{ bind, act string }{
				{"--bind=" + nodes + "/zero:/dev/given", "open /dev/given r"},
				{"--ro-bind=" + nodes + "/zero:/dev/given", "open /dev/given r"},
				{"--bind=" + nodes + ":/dev/below/given", "open /dev/below/given/zero r"},
				{"--bind=" + nodes + ":/dev", "open /dev/zero r"},
			} {
				options := append([]string{"--private-devices", x.bind}, strings.Fields(more)...)
				a := asked(t, program{argv: append(slices.Clone(way), starting(options...)...)}, x.act, "open "+nodes+"/zero r")
				equal(t, strings.Join(options, " ")+": "+x.act, a[0].Errno, "")
				if a[1].Errno != "EACCES" && (a[1].Errno != "ENOENT" || more != "--minimal-root") {
					t.Errorf("%q: where it was bound from: %q", options, a[1].Errno)
				}
			}
		}
	}
	for _, path := range existing("/dev/kmsg") {
		equal(t, path, inside(t, []string{"--private-devices", "--protect-system=strict", "--bind=" + path}, "open "+path+" r")[0].Errno, "")
	}
	equal(t, "hidden", inside(t, []string{"--private-devices", "--inaccessible-paths=/dev/zero"}, "open /dev/zero r")[0].Errno, "EACCES")
	// What was open before is what it is.
	allowed(t, runs(t, "sh", "-euc", `exec "$@" <"$0"`, nodes+"/zero", hardrun, "--private-devices", "--", probe, "try", "open", "/dev/stdin", "r"))
}

// A user namespace of the daemon's own is no way around it: nodev is locked there, and
// goes along with each bind.
func TestPrivateDevicesLocked(t *testing.T) {
	t.Parallel()
	requireRoot(t)
	unshare := requireProgram(t, "unshare", "util-linux")
	d := directory(t, 0o755)
	deviceNodes(t, d+"/nodes")
	mkdir(t, d+"/place")
	// Says which of the ways leads to the device.
	script := `says() { if head -c 1 "$2" >/dev/null 2>&1; then echo "$1"; fi; }
says there "$0/nodes/zero"
if mount --bind "$0/nodes" "$0/place"; then says bound "$0/place/zero"; fi
if mount -o remount,bind,dev "$0/place" 2>/dev/null; then says remounted "$0/place/zero"; fi
if umount /dev 2>/dev/null; then says uncovered "$0/nodes/zero"; fi
mount -t tmpfs t "$0/place" && mknod "$0/place/zero" c 1 5 2>/dev/null && says made "$0/place/zero"
echo done`
	start := func(options ...string) string {
		t.Helper()
		r := run(t, slices.Concat(options, []string{"--user=nobody", "--caps=none", "--", unshare, "--user", "--map-root-user", "--mount", "sh", "-uc", script, d})...)
		if !strings.HasSuffix(r.stdout, "done\n") {
			t.Skip("needs user namespaces for users: ", r.stderr)
		}
		return strings.Join(strings.Fields(r.stdout), " ")
	}
	equal(t, "without", start("--private-mounts"), "there bound remounted done")
	equal(t, "with", start("--private-devices"), "done")
}

// A call that says it set nodev, and did not, is found: one at a time, of both ways to
// set it.
func TestPrivateDevicesLies(t *testing.T) {
	t.Parallel()
	strace := requireProgram(t, "strace", "strace")
	outer(t, unix.MS_SHARED)
	d := directory(t, 0o755)
	mountAt(t, "t", mkdir(t, d+"/memory"), "tmpfs", 0, "size=64k,mode=0755")
	deviceNodes(t, d+"/memory/nodes")
	for _, x := range []struct {
		call   string
		inject []string
	}{
		{"mount_setattr", nil},
		{"mount", []string{"-e", "inject=mount_setattr:error=ENOSYS"}},
	} {
		trace := d + "/trace"
		start := func(inject ...string) result {
			return program{
				argv: slices.Concat([]string{strace, "-f", "-qq", "-o", trace, "-e", "signal=none", "-e", "trace=mount,mount_setattr"}, x.inject, inject,
					[]string{"--"}, starting("--private-devices", "--protect-home", "--user=nobody", "--caps=none")),
				stdin: lines([]string{"open " + d + "/memory/nodes/zero r"}),
			}.run(t)
		}
		honest := start()
		if honest.code != 0 || !strings.Contains(honest.stdout, "EACCES") {
			t.Fatalf("%s: without a lie: status %d, %q, %q", x.call, honest.code, honest.stdout, honest.stderr)
		}
		found := 0
		for n := range strings.Count(read(t, trace), " "+x.call+"(") {
			n++
			r := start("-e", "inject="+x.call+":retval=0:when="+itoa(n))
			text := injected(read(t, trace))
			switch {
			case text == "":
				t.Fatalf("%s %d was not made", x.call, n)
			case r.started() && r.stdout != honest.stdout:
				t.Errorf("%s %d lied about: the daemon found %s%s", x.call, n, r.stdout, text)
			case !r.started() && r.code != 226:
				t.Errorf("%s %d lied about: status %d, %q", x.call, n, r.code, r.stderr)
			case !r.started() && strings.Contains(r.stderr, "nodev"): // by the read-back of the view, or of all mounts behind it
				found++
			}
		}
		if found == 0 {
			t.Errorf("%s: no lie was found by a mount without nodev", x.call)
		}
	}
}

// The plan says it, with what asks for it.
func TestPrivateDevicesPlan(t *testing.T) {
	t.Parallel()
	r := run(t, "plan", "--private-devices", "--", "/bin/true")
	equal(t, "status", r.code, 0)
	for l := range strings.Lines(r.stdout) {
		if f := strings.Fields(l); strings.HasPrefix(l, "mounts ") && strings.HasPrefix(strings.Join(f[1:], " "), "nodev /, but for /dev PrivateDevices= --private-devices; because PrivateDevices= implies DevicePolicy=closed") {
			return
		}
	}
	t.Errorf("no line for it: %s", r.stdout)
}
