//go:build linux

package integration

import (
	"os"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// ProtectSystem=: what each value covers, and what it must leave.
func TestProtectSystem(t *testing.T) {
	t.Parallel()
	outer(t, unix.MS_PRIVATE)
	d := directory(t, 0o755)
	write(t, d+"/f", "x", 0o644)
	mount := mkdir(t, d+"/m")
	mountAt(t, "t", mount, "tmpfs", 0, "size=64k")

	usr := []attempt{
		{"access /usr w", "EROFS", ""},
		{"access /usr/bin w", "EROFS", ""},
		{"create /usr/share/hardrun-test-file", "EROFS", ""},
		{"unlink /usr/share/hardrun-test-file", "EROFS", ""},
		{"access /bin w", "EROFS", ""}, // a link, or a directory
		{"chmod /usr/share 0755", "EROFS", ""},
		{"list /usr/share", "", ""},
		{"run /bin/true", "", ""},
	}
	for _, p := range existing("/boot", "/efi", "/lib", "/lib32", "/lib64", "/libx32", "/sbin") {
		usr = append(usr, attempt{"access " + p + " w", "EROFS", ""})
	}
	own := []attempt{
		{"create " + d + "/n", "", ""},
		{"unlink " + d + "/n", "", ""},
		{"access /var w", "", ""},
		{"access " + mount + " w", "", ""},
	}
	etc := []attempt{{"access /etc w", "EROFS", ""}, {"open /etc/passwd w", "EROFS", ""}, {"open /etc/passwd r", "", ""}}
	noEtc := []attempt{{"access /etc w", "", ""}, {"open /etc/passwd w", "", ""}}
	attempts(t, []string{"--protect-system"}, slices.Concat(usr, own, noEtc)...)
	attempts(t, []string{"--protect-system=full"}, slices.Concat(usr, own, etc)...)

	// The mount below is covered, and what ProtectHome= and the rest are for is not.
	strict := []attempt{
		{"access / w", "EROFS", ""},
		{"create " + d + "/n", "EROFS", ""},
		{"unlink " + d + "/n", "EROFS", ""},
		{"open " + d + "/f w", "EROFS", ""},
		{"open " + d + "/f r", "", ""},
		{"create " + mount + "/n", "EROFS", ""},
		{"unlink " + mount + "/n", "EROFS", ""},
		{"access /var w", "EROFS", ""},
		{"access /tmp w", "EROFS", ""},
		{"access /dev w", "", ""},
		{"open /dev/null w", "", ""},
		{"access /dev/shm w", "", ""},
		{"open /proc/sys/kernel/hostname w", "", ""},
		{"open /proc/self/oom_score_adj w", "", ""},
		{"access /sys/kernel w", "", ""},
		{"access /run w", "EROFS", ""},
	}
	for _, p := range existing("/home", "/root", "/run/user") {
		strict = append(strict, attempt{"access " + p + " w", "", ""})
	}
	for _, p := range existing("/sys/fs/cgroup") {
		strict = append(strict, attempt{"access " + p + " w", "", ""})
	}
	attempts(t, []string{"--protect-system=strict"}, slices.Concat(usr, etc, strict)...)
	attempts(t, []string{"--protect-system=no", "--private-mounts"}, attempt{"access /usr w", "", ""})

	// As a plain user, who has a directory of its own.
	if err := os.Chown(mount, 65534, 65534); err != nil {
		t.Fatal(err)
	}
	for _, x := range []struct {
		options []string
		errno   string
	}{
		{[]string{"--user=nobody", "--protect-system=full"}, ""},
		{[]string{"--user=nobody", "--protect-system=strict"}, "EROFS"},
		{[]string{"--user=nobody", "--protect-system=strict", "--read-write-paths=" + mount}, ""},
	} {
		if a := inside(t, x.options, "create "+mount+"/u")[0]; a.Errno != x.errno {
			t.Errorf("%q: create: %q, want %q", x.options, a.Errno, x.errno)
		}
		if err := os.Remove(mount + "/u"); (err == nil) != (x.errno == "") {
			t.Errorf("%q: %v", x.options, err)
		}
	}
}

// What is read-only on the host stays so, whatever is asked: strict exempts it, a
// path is made writable, a bind mount shows it.
func TestReadOnlyStaysReadOnly(t *testing.T) {
	t.Parallel()
	outer(t, unix.MS_PRIVATE)
	d := directory(t, 0o755)
	ro := mkdir(t, d+"/ro")
	mountAt(t, "t", ro, "tmpfs", unix.MS_RDONLY, "size=64k")
	bind := mkdir(t, d+"/bind") // read-only by its mount, not by its file system
	mountAt(t, mkdir(t, d+"/source"), bind, "", unix.MS_BIND, "")
	if err := unix.Mount("", bind, "", unix.MS_REMOUNT|unix.MS_BIND|unix.MS_RDONLY, ""); err != nil {
		t.Fatal(err)
	}
	home := mkdir(t, "/home")
	mountAt(t, "t", home, "tmpfs", unix.MS_RDONLY, "size=64k")
	acts := []attempt{
		{"create " + ro + "/n", "EROFS", "EROFS"},
		{"create " + bind + "/n", "EROFS", "EROFS"},
		{"create /home/n", "EROFS", "EROFS"},
		{"access /home w", "EROFS", "EROFS"},
	}
	attempts(t, []string{"--protect-system=strict"}, acts...)
	attempts(t, []string{"--protect-system=strict", "--read-write-paths=" + ro + " " + bind + " /home"}, acts...)
	attempts(t, []string{"--read-only-paths=" + d, "--read-write-paths=" + ro + " " + bind}, acts...)
	attempts(t, []string{"--bind=" + bind, "--bind=" + ro, "--bind=/home"}, acts...)
	shown := inside(t, []string{"--bind=" + bind + ":" + d + "/other"}, "create "+d+"/other/n")
	equal(t, "a bind of it elsewhere", shown[0].Errno, "EROFS")
}

// homes puts a home with a secret into each place, for this test only.
func homes(t *testing.T) {
	t.Helper()
	for _, dir := range []string{"/home", "/root", "/run/user"} {
		if !exists(dir) {
			t.Skip("needs " + dir + ": a test makes no directory of the host")
		}
		mountAt(t, "home", dir, "tmpfs", 0, "mode=0755,size=1m")
		write(t, mkdir(t, dir+"/alice")+"/secret", "secret", 0o644)
		if err := os.Chmod(dir+"/alice", 0o777); err != nil {
			t.Fatal(err)
		}
	}
}

// ProtectHome=: hidden even from root with CAP_DAC_OVERRIDE, or read-only, or
// empty, with what is bound into it.
func TestProtectHome(t *testing.T) {
	t.Parallel()
	outer(t, unix.MS_PRIVATE)
	homes(t)
	for _, dir := range []string{"/home", "/root", "/run/user"} {
		attempts(t, []string{"--protect-home"},
			attempt{"read " + dir + "/alice/secret", "ENOENT", ""},
			attempt{"stat " + dir + "/alice", "ENOENT", ""},
			attempt{"create " + dir + "/n", "EROFS", ""},
			attempt{"mkdir " + dir + "/m", "EROFS", ""},
			attempt{"rmdir " + dir + "/m", "EROFS", ""},
			attempt{"unlink " + dir + "/n", "EROFS", ""},
			attempt{"access /usr w", "", ""},
		)
		equal(t, dir+" for root", inside(t, []string{"--protect-home"}, "list "+dir)[0], answer{Act: "", Value: 0})
		attempts(t, []string{"--protect-home=read-only"},
			attempt{"read " + dir + "/alice/secret", "", ""},
			attempt{"put " + dir + "/alice/secret secret", "EROFS", ""},
			attempt{"create " + dir + "/alice/n", "EROFS", ""},
			attempt{"unlink " + dir + "/alice/n", "EROFS", ""},
		)
		attempts(t, []string{"--protect-home=tmpfs"},
			attempt{"list " + dir, "", ""},
			attempt{"read " + dir + "/alice/secret", "ENOENT", ""},
			attempt{"create " + dir + "/n", "EROFS", ""},
			attempt{"unlink " + dir + "/n", "EROFS", ""},
		)
		equal(t, dir+" as a tmpfs", said(t, []string{"--protect-home=tmpfs"}, "list "+dir), "")
		attempts(t, []string{"--protect-home=tmpfs", "--bind=" + dir + "/alice"},
			attempt{"read " + dir + "/alice/secret", "", ""},
			attempt{"create " + dir + "/alice/n", "", ""},
			attempt{"unlink " + dir + "/alice/n", "", ""},
			attempt{"create " + dir + "/n", "EROFS", ""},
			attempt{"unlink " + dir + "/n", "EROFS", ""},
		)
		equal(t, dir+" with a bind", said(t, []string{"--protect-home=tmpfs", "--bind=" + dir + "/alice"}, "list "+dir), "alice")
		// strict leaves the homes alone, and tmpfs is still read-only.
		attempts(t, []string{"--protect-system=strict", "--protect-home=tmpfs", "--ro-bind=" + dir + "/alice"},
			attempt{"read " + dir + "/alice/secret", "", ""},
			attempt{"create " + dir + "/alice/n", "EROFS", ""},
			attempt{"unlink " + dir + "/alice/n", "EROFS", ""},
			attempt{"create " + dir + "/n", "EROFS", ""},
			attempt{"unlink " + dir + "/n", "EROFS", ""},
		)
		user := inside(t, []string{"--user=nobody", "--protect-home"}, "list "+dir, "read "+dir+"/alice/secret", "chdir "+dir)
		for _, a := range user {
			equal(t, dir+" for a user", a.Errno, "EACCES")
		}
		equal(t, "read as a user", inside(t, []string{"--user=nobody", "--private-mounts"}, "read "+dir+"/alice/secret")[0].Errno, "")
	}
	// What was mounted below is hidden with it, and read-only with it.
	mountAt(t, "more", "/home/alice", "tmpfs", 0, "size=64k")
	write(t, "/home/alice/deep", "secret", 0o644)
	attempts(t, []string{"--protect-home"}, attempt{"read /home/alice/deep", "ENOENT", ""})
	attempts(t, []string{"--protect-home=read-only"}, attempt{"open /home/alice/deep w", "EROFS", ""}, attempt{"read /home/alice/deep", "", ""})
}

// PrivateTmp=: another /tmp, for this start only.
func TestPrivateTmp(t *testing.T) {
	t.Parallel()
	requireRoot(t)
	show := "--ro-bind=" + probe // which may lie in the host's
	for _, value := range []string{"--private-tmp", "--private-tmp=disconnected", "--private-tmp --protect-system=strict"} {
		options := append(strings.Fields(value), show)
		for _, dir := range []string{"/tmp", "/var/tmp"} {
			host := hostFile(t, dir)
			mine := host + "-mine"
			under := inside(t, options, "read "+host, "create "+mine, "list "+dir, "mode "+dir, "mount-flags "+dir, "mknod "+mine+"2 1 3", "open "+mine+"2 r", "unlink "+mine)
			equal(t, value+": the host's file", under[0].Errno, "ENOENT")
			equal(t, value+": create", under[1].Errno, "")
			if first, _, _ := strings.Cut(strings.TrimPrefix(base, dir+"/"), "/"); strings.HasPrefix(base, dir+"/") {
				equal(t, value+": list", under[2].Act, sorted(first, mine[len(dir)+1:]))
			} else {
				equal(t, value+": list", under[2].Act, mine[len(dir)+1:])
			}
			equal(t, value+": mode of "+dir, under[3].Value, unix.S_IFDIR|0o1777)
			equal(t, value+": nosuid, nodev", under[4].Value, 6)
			equal(t, value+": mknod", under[5].Errno, "")
			equal(t, value+": a device", under[6].Errno, "EACCES")
			equal(t, value+": unlink", under[7].Errno, "")
			if exists(mine) || exists(mine+"2") {
				t.Errorf("%s: left on the host", value)
			}
			bare := outside(t, "read "+host, "create "+mine, "unlink "+mine)
			equal(t, "without", bare[0].Act+bare[1].Errno+bare[2].Errno, "secret")
			// Each start has its own, also at the same time.
			first, second := converse(t, starting(options...)...), converse(t, starting(options...)...)
			first.expect(t, "create "+mine, "")
			second.expect(t, "open "+mine+" r", "ENOENT")
			second.expect(t, "create "+mine, "")
			first.expect(t, "open "+mine+" r", "")
			user := inside(t, append([]string{"--user=nobody"}, options...), "create "+mine, "open "+mine+" w")
			equal(t, value+": as a user", user[0].Errno+user[1].Errno, "")
		}
	}
}

// hostFile is a file on the host with "secret" in it.
func hostFile(t *testing.T, dir string) string {
	t.Helper()
	f, err := os.CreateTemp(dir, "hardrun-host-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.Remove(f.Name()); err != nil {
			t.Error(err)
		}
	})
	if _, err := f.WriteString("secret"); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	return f.Name()
}

func sorted(words ...string) string {
	slices.Sort(words)
	return strings.Join(words, " ")
}

// A full /tmp is full, and not the machine.
func TestPrivateTmpLimits(t *testing.T) {
	t.Parallel()
	requireRoot(t)
	lines := mountsOf(t, "--private-tmp", "--ro-bind="+probe)
	found := 0
	for _, l := range lines {
		f := strings.Fields(l)
		if f[4] != "/tmp" && f[4] != "/var/tmp" {
			continue
		}
		found++
		options := f[len(f)-1]
		if !strings.Contains(options, "size=") || !strings.Contains(options, "nr_inodes=409600") {
			t.Errorf("%s: %s", f[4], options)
		}
	}
	equal(t, "file systems", found, 2)
	// The same kind of mount, small: it ends where its size does.
	for _, x := range []struct{ options, act, errno string }{
		{"size=64k", "write-file /mnt/big 65536", ""},
		{"size=64k", "write-file /mnt/big 65537", "ENOSPC"},
		{"size=64k,nr_inodes=2", "create /mnt/a", ""},
		{"size=64k,nr_inodes=1", "create /mnt/a", "ENOSPC"},
	} {
		equal(t, x.options+": "+x.act, inside(t, []string{"--tmpfs=/mnt:" + x.options}, x.act)[0].Errno, x.errno)
	}
}

// The working directory is entered anew: a relative path goes no way around.
func TestProtectedWorkingDirectory(t *testing.T) {
	t.Parallel()
	outer(t, unix.MS_PRIVATE)
	homes(t)
	d := directory(t, 0o755)
	deep := mkdir(t, d+"/a/deep")
	in := func(dir string, options []string, acts ...string) []answer {
		t.Helper()
		return asked(t, program{argv: starting(options...), dir: dir}, acts...)
	}
	bare := asked(t, program{argv: []string{probe, "ask"}, dir: "/usr/share"}, "access . w", "create hardrun-test-cwd", "unlink hardrun-test-cwd")
	equal(t, "without", bare[0].Errno+bare[1].Errno+bare[2].Errno, "")
	for _, options := range [][]string{{"--protect-system"}, {"--protect-system=full"}, {"--protect-system=strict"}, {"--read-only-paths=/usr/share"}, {"--read-only-paths=/"}, {"--ro-bind=/usr"}, {"--ro-bind=/usr/share"}} {
		a := in("/usr/share", options, "access . w", "create hardrun-test-cwd", "list .")
		equal(t, options[0]+": access", a[0].Errno, "EROFS")
		equal(t, options[0]+": create", a[1].Errno, "EROFS")
		equal(t, options[0]+": list", a[2].Errno, "")
	}
	a := in(deep, []string{"--read-only-paths=" + d, "--read-write-paths=" + deep}, "create x", "create ../x", "unlink x")
	equal(t, "writable", a[0].Errno+a[2].Errno, "")
	equal(t, "above it", a[1].Errno, "EROFS")
	// Hidden: another directory, in which there is nothing.
	equal(t, "without", asked(t, program{argv: []string{probe, "ask"}, dir: "/home/alice"}, "read secret")[0].Act, "secret")
	for _, x := range []struct {
		dir     string
		options []string
	}{
		{"/home/alice", []string{"--protect-home"}},
		{"/home", []string{"--protect-home"}},
		{"/home/alice", []string{"--protect-home=tmpfs"}},
		{"/home/alice", []string{"--inaccessible-paths=/home/alice"}},
		{"/home/alice", []string{"--tmpfs=/home"}},
		{"/home/alice", []string{"--root-directory=/home/alice", "--mount-apivfs=no", "--bind-log-sockets=no", "--ro-bind=" + probe + ":/p"}},
	} {
		argv := starting(x.options...)
		if strings.HasPrefix(x.options[0], "--root") {
			argv[len(argv)-2] = "/p"
			a := asked(t, program{argv: argv, dir: x.dir}, "read secret", "read ../secret", "readlink /proc/self/cwd")
			equal(t, "in the root: its own", a[0].Act+a[1].Act, "secretsecret")
			continue
		}
		for _, a := range asked(t, program{argv: argv, dir: x.dir}, "read secret", "read alice/secret", "read ../alice/secret") {
			if a.Errno == "" {
				t.Errorf("%s in %q: it is read: %+v", x.options, x.dir, a)
			}
		}
	}
}

// A standard stream that is a directory of the host's is no way around the view,
// nor out of a root.
func TestDirectoryAsStream(t *testing.T) {
	t.Parallel()
	requireRoot(t)
	d := directory(t, 0o755)
	write(t, mkdir(t, d+"/secret")+"/f", "secret", 0o644)
	root := cage(t)
	for _, fd := range []string{"0", "2"} {
		at := "/proc/self/fd/" + fd
		start := func(words ...string) result {
			return runs(t, append([]string{"sh", "-euc", `exec "$@" ` + fd + `<"$0"`, d}, words...)...)
		}
		for _, x := range []struct{ option, command, act string }{
			{"--read-only-paths=" + d, probe, "create " + at + "/n"},
			{"--protect-system=strict", probe, "create " + at + "/n"},
			{"--inaccessible-paths=" + d + "/secret", probe, "read " + at + "/secret/f"},
			{"--inaccessible-paths=" + d, probe, "read " + at + "/secret/f"},
			{"--tmpfs=" + d, probe, "read " + at + "/secret/f"},
			{"--chroot=" + root, "/probe", "fd-escape " + marker},
			{"--root-directory=" + root, "/probe", "fd-escape " + marker},
			{"--root-directory=" + root, "/probe", "read " + at + "/secret/f"},
		} {
			act := append([]string{"try"}, strings.Fields(x.act)...)
			r := start(slices.Concat([]string{hardrun, x.option, "--", x.command}, act)...)
			if r.started() && r.code == 0 && (!strings.HasPrefix(x.act, "fd-escape") || r.act(t).Value == 1) {
				t.Errorf("%s with %s on %s: %s works", x.option, d, fd, x.act)
			}
			if !strings.HasPrefix(x.act, "fd-escape") {
				_ = os.Remove(d + "/n")
				equal(t, "without: "+x.act, allowed(t, start(append([]string{probe}, act...)...)).Errno, "")
			}
			_ = os.Remove(d + "/n")
		}
	}
	// A file, as any shell gives one, is taken.
	r := runs(t, "sh", "-euc", `exec "$@" <"$0"`, d+"/secret/f", hardrun, "--inaccessible-paths="+d, "--", probe, "try", "read-stdin")
	equal(t, "a file", r.act(t).Act, "secret")
}
