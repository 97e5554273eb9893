//go:build linux

package integration

import (
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// rooted is a cage and the start of the probe in it.
func rooted(t *testing.T) (string, func(t *testing.T, options []string, acts ...string) []answer) {
	t.Helper()
	requireRoot(t)
	root := cage(t)
	return root, func(t *testing.T, options []string, acts ...string) []answer {
		t.Helper()
		argv := append([]string{hardrun, "--root-directory=" + root}, options...)
		return asked(t, program{argv: append(argv, "--", "/probe", "ask")}, acts...)
	}
}

// RootDirectory= brings /proc, /sys, /dev and /run along; MountAPIVFS=no and
// --chroot do not.
func TestRootDirectoryAPI(t *testing.T) {
	t.Parallel()
	root, in := rooted(t)
	a := in(t, nil, "list /", "statfs /proc", "statfs /sys", "statfs /run", "read /proc/self/status", "open /dev/null rw", "list /sys/class/net", "create /run/x", "create /x", "readlink /proc/self/root", "stat "+marker, "mount-flags /proc", "list /run")
	for _, name := range []string{"dev", "proc", "run", "sys", "probe"} {
		if !strings.Contains(" "+a[0].Act+" ", " "+name+" ") {
			t.Errorf("no /%s: %s", name, a[0].Act)
		}
	}
	equal(t, "/proc", a[1].Value, unix.PROC_SUPER_MAGIC)
	equal(t, "/sys", a[2].Value, unix.SYSFS_MAGIC)
	equal(t, "/run", a[3].Value, unix.TMPFS_MAGIC)
	equal(t, "read", a[4].Errno, "")
	equal(t, "null", a[5].Errno, "")
	equal(t, "net", a[6].Act, saidOutside(t, "list /sys/class/net"))
	equal(t, "create in /run", a[7].Errno, "")
	equal(t, "create in /", a[8].Errno, "")
	equal(t, "root", a[9].Act, "/")
	equal(t, "the host", a[10].Errno, "ENOENT")
	equal(t, "flags of /proc", a[11].Value, 14)
	if !exists(root+"/x") || exists(root+"/run/x") {
		t.Error("/x is the root's, and /run/x nobody's")
	}
	if err := os.Remove(root + "/x"); err != nil {
		t.Fatal(err)
	}
	// Nothing is mounted where they are refused.
	for _, options := range [][]string{{"--mount-apivfs=no"}, {"--mount-apivfs=no", "--private-mounts"}, {"--mount-apivfs=no", "--protect-system=full"}} {
		bare, in := rooted(t)
		a := in(t, options, "list /")
		equal(t, strings.Join(options, " "), a[0].Act, "probe")
		equal(t, "made", len(names(t, bare)), 1)
	}
	plain := cage(t)
	a = asked(t, program{argv: []string{hardrun, "--chroot=" + plain, "--", "/probe", "ask"}}, "list /", "stat "+marker)
	equal(t, "--chroot", a[0].Act+" "+a[1].Errno, "probe ENOENT")
	a = asked(t, program{argv: []string{hardrun, "--chroot=" + plain, "--read-only-paths=+/", "--", "/probe", "ask"}}, "list /", "create /x")
	equal(t, "--chroot with a rule", a[0].Act+" "+a[1].Errno, "probe EROFS")
	a = asked(t, program{argv: []string{hardrun, "--chroot=" + plain, "--mount-apivfs", "--", "/probe", "ask"}}, "read /proc/self/status")
	equal(t, "--chroot with --mount-apivfs", a[0].Errno, "")
}

// names are the entries of a directory.
func names(t *testing.T, dir string) []string {
	t.Helper()
	list, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, e := range list {
		all = append(all, e.Name())
	}
	return all
}

// What is mounted in the root already is left alone.
func TestRootDirectoryMountedAlready(t *testing.T) {
	t.Parallel()
	outer(t, unix.MS_PRIVATE)
	root, in := rooted(t)
	for _, dir := range []string{"/run", "/dev", "/sys"} {
		mountAt(t, "t", mkdir(t, root+dir), "tmpfs", 0, "mode=0755,size=64k")
		write(t, root+dir+"/own", "own", 0o644)
	}
	a := in(t, nil, "list /run", "list /dev", "list /sys", "statfs /proc")
	equal(t, "run, dev, sys", a[0].Act+" "+a[1].Act+" "+a[2].Act, "own own own")
	equal(t, "proc", a[3].Value, unix.PROC_SUPER_MAGIC)
	mountAt(t, "proc", root+"/proc", "proc", 0, "hidepid=invisible")
	equal(t, "a /proc that is there", strings.Contains(in(t, nil, "read /proc/self/mountinfo")[0].Act, "hidepid=invisible"), true)
}

// BindLogSockets=: the host's sockets are shown, and can be talked to.
func TestBindLogSockets(t *testing.T) {
	t.Parallel()
	outer(t, unix.MS_PRIVATE)
	_, in := rooted(t)
	mountAt(t, "t", "/run", "tmpfs", 0, "mode=0755,size=64k")
	mkdir(t, "/run/systemd/journal")
	listener := converse(t, probe, "ask")
	const journal, stdout = "/run/systemd/journal/socket", "/run/systemd/journal/stdout"
	listener.expect(t, "unix-listen "+journal, "")
	listener.expect(t, "unix-listen "+stdout, "")
	for _, x := range []struct {
		options string
		errno   string
	}{
		{"", ""},
		{"--bind-log-sockets", ""},
		{"--bind-log-sockets=no", "ENOENT"},
		{"--mount-apivfs=no", "ENOENT"},
		{"--mount-apivfs=no --bind-log-sockets", ""},
		{"--private-devices", ""},
		{"--protect-system=strict", ""},
	} {
		for _, path := range []string{journal, stdout} {
			equal(t, x.options+": "+path, in(t, strings.Fields(x.options), "unix-connect "+path)[0].Errno, x.errno)
		}
	}
}

// Paths with "+" are the new root's, those without are the host's and count where
// the new root shows them.
func TestRulesInRootDirectory(t *testing.T) {
	t.Parallel()
	root, in := rooted(t)
	for _, dir := range []string{"/usr/share", "/var/lib", "/etc", "/home/alice", "/srv/a/b"} {
		write(t, mkdir(t, root+dir)+"/f", "text", 0o644)
	}
	for _, x := range []struct {
		options     string
		act         string
		under, bare string
	}{
		{"--read-only-paths=+/srv/a", "open /srv/a/f2 w", "ENOENT", "ENOENT"},
		{"--read-only-paths=+/srv/a", "open /srv/a/b/f w", "EROFS", ""},
		{"--read-only-paths=" + root + "/srv/a", "open /srv/a/b/f w", "EROFS", ""},
		{"--read-only-paths=" + root, "open /srv/a/b/f w", "EROFS", ""},
		{"--read-only-paths=/srv", "open /srv/a/b/f w", "", ""}, // the host's
		{"--read-only-paths=-/nosuch", "open /srv/a/b/f w", "", ""},
		{"--inaccessible-paths=+/srv/a", "read /srv/a/b/f", "ENOENT", ""},
		{"--read-only-paths=+/ --read-write-paths=+/srv/a", "open /srv/a/b/f w", "", ""},
		{"--read-only-paths=+/ --read-write-paths=+/srv/a", "open /etc/f w", "EROFS", ""},
		{"--protect-system", "open /usr/share/f w", "EROFS", ""},
		{"--protect-system", "open /etc/f w", "", ""},
		{"--protect-system=full", "open /etc/f w", "EROFS", ""},
		{"--protect-system=full", "open /var/lib/f w", "", ""},
		{"--protect-system=strict", "open /var/lib/f w", "EROFS", ""},
		{"--protect-system=strict", "create /n", "EROFS", ""},
		{"--protect-system=strict", "open /home/alice/f w", "", ""},
		{"--protect-system=strict", "create /run/n", "", ""}, // a file system of its own
		{"--protect-home", "read /home/alice/f", "ENOENT", ""},
		{"--protect-home=read-only", "open /home/alice/f w", "EROFS", ""},
		{"--protect-home=tmpfs", "read /home/alice/f", "ENOENT", ""},
		{"--tmpfs=/srv/a", "read /srv/a/b/f", "ENOENT", ""},
		{"--no-exec-paths=+/srv", "open /srv/a/b/f w", "", ""},
		{"--private-devices", "stat /dev/kmsg", "ENOENT", ""},
		{"--private-devices", "put /dev/null x", "", ""},
		{"--protect-kernel-tunables", "open /proc/sys/kernel/hostname w", "EROFS", ""},
		{"--protect-kernel-logs", "open /dev/kmsg r", "EACCES", ""},
		{"--protect-proc=invisible --proc-subset=pid", "stat /proc/uptime", "ENOENT", ""},
	} {
		under := in(t, strings.Fields(x.options), x.act)[0]
		equal(t, x.options+": "+x.act, under.Errno, x.under)
		if err := os.Remove(root + "/n"); err != nil && !os.IsNotExist(err) {
			t.Fatal(err)
		}
		if x.options != "" {
			bare := in(t, nil, x.act)[0]
			equal(t, "without "+x.options+": "+x.act, bare.Errno, x.bare)
			_ = os.Remove(root + "/n")
		}
	}
	refused(t, run(t, "--root-directory="+root, "--read-only-paths=+/nosuch", "--", "/probe"), 226, "/nosuch")
	// The host's directory is shown in the root: as a bind mount, and by a network of its own.
	host := directory(t, 0o755)
	write(t, host+"/f", "host", 0o644)
	a := in(t, []string{"--bind=" + host + ":/srv/shown"}, "read /srv/shown/f", "create /srv/shown/n")
	equal(t, "bind", a[0].Act+a[1].Errno, "host")
	equal(t, "arrives", exists(host+"/n"), true)
	a = in(t, []string{"--ro-bind=" + host + ":/srv/shown", "--protect-system=strict"}, "read /srv/shown/f", "create /srv/shown/n2")
	equal(t, "read-only bind", a[0].Act+a[1].Errno, "hostEROFS")
	a = in(t, []string{"--private-network"}, "list /sys/class/net")
	equal(t, "network", a[0].Act, "lo")
	a = in(t, []string{"--private-tmp"}, "list /tmp", "create /tmp/n")
	equal(t, "a root without /tmp gets one", a[0].Errno+a[1].Errno, "")
	equal(t, "of which nothing is left", len(names(t, root+"/tmp")), 0)
}

// Links of the root lead inside of it, wherever they point, for mounts and rules.
func TestHostileRootDirectory(t *testing.T) {
	t.Parallel()
	root, _ := rooted(t)
	host := directory(t, 0o777)
	write(t, host+"/f", "host", 0o666)
	for link, to := range map[string]string{"proc": host, "srv": "../../../.." + host, "run": "/", "tmp": "/proc/self/cwd", "etc": host} {
		if err := os.Symlink(to, root+"/"+link); err != nil {
			t.Fatal(err)
		}
	}
	before := len(names(t, host))
	for _, options := range [][]string{
		{"--root-directory=" + root, "--bind=" + base + ":/srv/x"},
		{"--root-directory=" + root, "--mount-apivfs=no", "--bind=/etc:/etc"},
		{"--root-directory=" + root, "--mount-apivfs=no", "--tmpfs=/srv"},
		{"--root-directory=" + root},
	} {
		r := run(t, append(options, "--", "/probe", "try", "read", host+"/f")...)
		if r.code == 0 && strings.Contains(r.stdout, "host") {
			t.Errorf("%q: the host's file is read", options)
		}
		equal(t, "the host's directory", len(names(t, host)), before)
		equal(t, "the file", read(t, host+"/f"), "host")
	}
	// The same links do lead to the host without a new root.
	equal(t, "without", saidOutside(t, "read "+root+"/srv/f")+saidOutside(t, "read "+root+"/etc/f"), "hosthost")
}

// The daemon has no way to the host: not by its root, its working directory, or
// what is open; its mounts are those of the new root only.
func TestRootDirectoryEscape(t *testing.T) {
	t.Parallel()
	root, in := rooted(t)
	for _, options := range [][]string{nil, {"--protect-system=strict"}, {"--mount-apivfs=no", "--private-mounts"}, {"--private-devices", "--private-network"}} {
		argv := append([]string{"--root-directory=" + root}, options...)
		for _, act := range []string{"chroot-escape", "fd-escape"} {
			r := run(t, append(argv, "--", "/probe", "try", act, marker)...)
			if a := r.act(t); a.Value == 1 {
				t.Errorf("%q: %s got out", options, act)
			}
		}
		if err := os.RemoveAll(root + "/probe-escape"); err != nil {
			t.Fatal(err)
		}
	}
	for _, l := range strings.Split(strings.TrimSpace(in(t, nil, "read /proc/self/mountinfo")[0].Act), "\n") {
		f := strings.Fields(l)
		switch top, _, _ := strings.Cut(f[4][1:], "/"); top {
		case "", "proc", "sys", "dev", "run":
		default:
			t.Errorf("a mount that is not the root's: %s", l)
		}
	}
	// Without hardrun the escape works.
	bare := runs(t, with("chroot="+root, "/probe", "try", "chroot-escape", marker)...)
	equal(t, "without", bare.act(t).Value, 1)
}
