//go:build linux

package integration

import (
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// BindPaths= and BindReadOnlyPaths=: what is shown where, and how.
func TestBindPaths(t *testing.T) {
	t.Parallel()
	outer(t, unix.MS_PRIVATE)
	a, b, c := tree(t)
	top := a[:len(a)-2]
	to := mkdir(t, top+"/to")
	below := mkdir(t, b+"/m")
	mountAt(t, "t", below, "tmpfs", 0, "size=64k")
	write(t, below+"/deep", "text", 0o644)

	attempts(t, []string{"--bind-paths=" + b + ":" + to},
		attempt{"read " + to + "/f", "", "ENOENT"},
		attempt{"read " + to + "/m/deep", "", "ENOENT"}, // with what is mounted below
		attempt{"open " + to + "/f w", "", "ENOENT"},
		attempt{"open " + to + "/m/deep w", "", "ENOENT"},
		attempt{"create " + to + "/made", "", ""},
		attempt{"unlink " + to + "/made", "", ""},
	)
	inside(t, []string{"--bind=" + b + ":" + to}, "create "+to+"/arrives")
	if !exists(b + "/arrives") {
		t.Error("what is written does not arrive at the source")
	}
	for _, options := range [][]string{{"--bind-read-only-paths=" + b + ":" + to}, {"--ro-bind=" + b + ":" + to}} {
		attempts(t, options,
			attempt{"read " + to + "/m/deep", "", "ENOENT"},
			attempt{"open " + to + "/f w", "EROFS", "ENOENT"},
			attempt{"open " + to + "/m/deep w", "EROFS", "ENOENT"},
			attempt{"create " + to + "/m/n", "EROFS", "ENOENT"},
			attempt{"open " + b + "/f w", "", ""}, // the source itself is as it was
		)
	}
	for _, o := range []string{"--bind-paths=" + b + ":" + to + ":norbind", "--bind-read-only-paths=" + b + ":" + to + ":norbind"} {
		attempts(t, []string{o}, attempt{"read " + to + "/f", "", "ENOENT"}, attempt{"stat " + to + "/m/deep", "ENOENT", "ENOENT"})
	}
	attempts(t, []string{"--bind-paths=" + b + ":" + to + ":rbind"}, attempt{"stat " + to + "/m/deep", "", "ENOENT"})

	// Itself, file on file, through links.
	attempts(t, []string{"--ro-bind=" + c}, append(writable(b, ""), writable(c, "EROFS")...)...)
	other := write(t, top+"/other", "other", 0o666)
	equal(t, "file on file", said(t, []string{"--bind=" + other + ":" + a + "/f"}, "read "+a+"/f"), "other")
	attempts(t, []string{"--ro-bind=" + other + ":" + a + "/f"}, attempt{"open " + a + "/f w", "EROFS", ""})
	for name, target := range map[string]string{"source": b, "target": to} {
		if err := os.Symlink(target, top+"/"+name); err != nil {
			t.Fatal(err)
		}
	}
	equal(t, "through links", said(t, []string{"--bind=" + top + "/source/f:" + a + "/f", "--bind=" + top + "/source:" + top + "/target"}, "read "+to+"/f"), "text")

	// Bind mounts and rules: the rule is of the place.
	attempts(t, []string{"--bind=" + b + ":" + to, "--read-only-paths=" + to}, attempt{"create " + to + "/n", "EROFS", ""}, attempt{"unlink " + to + "/n", "EROFS", ""})
	attempts(t, []string{"--bind=" + b + ":" + to, "--read-only-paths=" + b}, attempt{"create " + to + "/n", "", ""}, attempt{"unlink " + to + "/n", "", ""}, attempt{"create " + b + "/n", "EROFS", ""}, attempt{"unlink " + b + "/n", "EROFS", ""})
	attempts(t, []string{"--bind=" + b + ":" + to, "--read-only-paths=" + top}, attempt{"create " + to + "/n", "", ""}, attempt{"unlink " + to + "/n", "", ""}, attempt{"create " + a + "/n", "EROFS", ""}, attempt{"unlink " + a + "/n", "EROFS", ""})
	attempts(t, []string{"--ro-bind=" + b + ":" + to, "--read-write-paths=" + to + "/c"}, attempt{"create " + to + "/n", "EROFS", ""}, attempt{"unlink " + to + "/n", "EROFS", ""}, attempt{"open " + to + "/c/f w", "", "ENOENT"})
	attempts(t, []string{"--protect-system=strict", "--bind=" + b + ":" + to}, attempt{"create " + to + "/n", "", ""}, attempt{"unlink " + to + "/n", "", ""}, attempt{"create " + b + "/n", "EROFS", ""}, attempt{"unlink " + b + "/n", "EROFS", ""})
	attempts(t, []string{"--bind=" + b + ":" + to, "--inaccessible-paths=" + to + "/c"}, attempt{"read " + to + "/c/f", "ENOENT", "ENOENT"}, attempt{"read " + c + "/f", "", ""})
	attempts(t, []string{"--bind=" + b + ":" + to, "--inaccessible-paths=" + b}, attempt{"read " + to + "/f", "", "ENOENT"}, attempt{"read " + b + "/f", "ENOENT", ""})
	attempts(t, []string{"--ro-bind=/etc:" + to, "--no-exec-paths=" + to, "--protect-system=strict"}, attempt{"read " + to + "/passwd", "", "ENOENT"}, attempt{"create " + to + "/n", "EROFS", ""}, attempt{"unlink " + to + "/n", "EROFS", ""})

	// What cannot be.
	refused(t, run(t, "--bind=/nosuch:"+to, "--", probe), 226, "BindPaths=", "/nosuch")
	refused(t, run(t, "--ro-bind=/nosuch:"+to, "--", probe), 226, "BindReadOnlyPaths=", "/nosuch")
	equal(t, "tolerated", said(t, []string{"--bind-paths=-/nosuch:" + to}, "list "+to), "")
	refused(t, run(t, "--bind="+b+":"+a+"/f", "--", probe), 226, "BindPaths=") // a directory on a file
	refused(t, run(t, "--bind="+other+":"+to, "--", probe), 226, "BindPaths=")
	for _, x := range [][]string{
		{"--inaccessible-paths=" + top, "--bind=" + b + ":" + top + "/to"},
		{"--inaccessible-paths=" + to, "--bind=" + b + ":" + to},
		{"--inaccessible-paths=" + to, "--ro-bind=" + b + ":" + to + "/x"},
		{"--protect-home", "--bind=" + b + ":/home/alice"},
	} {
		r := run(t, append(x, "--", probe)...)
		refused(t, r, 226, "is made inaccessible")
		if !strings.Contains(r.stderr, "hardrun: hint: ") {
			t.Errorf("%q: no hint: %q", x, r.stderr)
		}
	}
}

// A mount point that is missing is made: for everybody to pass, whatever the umask.
func TestMountPointsMade(t *testing.T) {
	t.Parallel()
	requireRoot(t)
	a, b, _ := tree(t)
	for i, umask := range []string{"0022", "0077", "0777", "0000"} {
		to := a + "/new" + itoa(i) + "/deep/er"
		r := asked(t, program{argv: with("umask="+umask, starting("--bind="+b+":"+to, "--ro-bind="+b+"/f:"+a+"/new"+itoa(i)+"/file", "--tmpfs="+a+"/new"+itoa(i)+"/t/mp")...)}, "read "+to+"/f", "read "+a+"/new"+itoa(i)+"/file", "list "+a+"/new"+itoa(i)+"/t/mp")
		equal(t, "shown", r[0].Act+r[1].Act+r[2].Act, "texttext")
		for _, dir := range []string{"/new" + itoa(i), "/new" + itoa(i) + "/deep", "/new" + itoa(i) + "/deep/er", "/new" + itoa(i) + "/t/mp"} {
			equal(t, dir, outside(t, "mode "+a+dir)[0].Value, unix.S_IFDIR|0o755)
		}
		equal(t, "the file", outside(t, "mode "+a+"/new"+itoa(i)+"/file")[0].Value, unix.S_IFREG|0o444)
		user := inside(t, []string{"--user=nobody", "--bind=" + b + ":" + to}, "read "+to+"/f")
		equal(t, "for a user", user[0].Act, "text")
	}
	// Through a link to nowhere nothing is made.
	if err := os.Symlink(a+"/elsewhere", a+"/dangling"); err != nil {
		t.Fatal(err)
	}
	refused(t, run(t, "--bind="+b+":"+a+"/dangling", "--", probe), 226, "dangling")
	refused(t, run(t, "--bind="+b+":"+a+"/dangling/x", "--", probe), 226, "dangling")
	if exists(a + "/elsewhere") {
		t.Error("made behind a link")
	}
}

// TemporaryFileSystem=: empty, as large and with such attributes as was asked.
func TestTemporaryFileSystem(t *testing.T) {
	t.Parallel()
	requireRoot(t)
	a, b, c := tree(t)
	attempts(t, []string{"--temporary-file-system=" + a},
		attempt{"read " + a + "/f", "ENOENT", ""},
		attempt{"create " + a + "/n", "", ""},
		attempt{"unlink " + a + "/n", "", ""},
	)
	first := inside(t, []string{"--tmpfs=" + a}, "list "+a, "mode "+a, "statfs "+a, "mount-flags "+a, "mknod "+a+"/null 1 3", "open "+a+"/null r", "create "+a+"/n")
	equal(t, "empty", first[0], answer{})
	equal(t, "mode", first[1].Value, unix.S_IFDIR|0o755)
	equal(t, "type", first[2].Value, unix.TMPFS_MAGIC)
	equal(t, "nodev", first[3].Value, 4)
	equal(t, "mknod", first[4].Errno, "")
	equal(t, "a device", first[5].Errno, "EACCES")
	if exists(a + "/n") {
		t.Error("written to the host")
	}
	for _, x := range []struct {
		options string
		act     string
		value   int64
		errno   string
	}{
		{"mode=0700", "mode " + a, unix.S_IFDIR | 0o700, ""},
		{"mode=1777", "mode " + a, unix.S_IFDIR | 0o1777, ""},
		{"size=64k", "write-file " + a + "/n 65536", 65536, ""},
		{"size=64k", "write-file " + a + "/n 65537", -1, "ENOSPC"},
		{"nr_inodes=1", "create " + a + "/n", -1, "ENOSPC"},
		{"noexec", "mount-flags " + a, 4 | 8, ""},
		{"nosuid,noexec", "mount-flags " + a, 2 | 4 | 8, ""},
		{"dev", "mount-flags " + a, 0, ""},
		{"ro", "mount-flags " + a, 1 | 4, ""},
		{"ro", "create " + a + "/n", -1, "EROFS"},
		{"ro,rw", "create " + a + "/n", 0, ""},
	} {
		got := inside(t, []string{"--tmpfs=" + a + ":" + x.options}, x.act)[0]
		equal(t, x.options+": "+x.act, got.Errno, x.errno)
		equal(t, x.options+": "+x.act, got.Value, x.value)
	}
	// Nothing to execute there.
	run := inside(t, []string{"--tmpfs=" + b + ":noexec", "--bind=" + c + ":" + b + "/c"}, "run "+b+"/c/p exit 0", "run "+a+"/p exit 0")
	equal(t, "a bind in it keeps its own attributes", run[0].Errno+run[1].Errno, "")
	// Read-only, with what is bound below it: made before.
	attempts(t, []string{"--tmpfs=" + a + ":ro", "--bind=" + c + ":" + b + "/c", "--ro-bind=" + b + "/f:" + a + "/file"},
		attempt{"read " + b + "/c/f", "", ""},
		attempt{"open " + b + "/c/f w", "", ""},
		attempt{"read " + a + "/f", "ENOENT", ""},
		attempt{"read " + b + "/f", "ENOENT", ""},
		attempt{"create " + a + "/n", "EROFS", ""},
		attempt{"unlink " + a + "/n", "EROFS", ""},
		attempt{"create " + b + "/n", "EROFS", ""},
		attempt{"unlink " + b + "/n", "EROFS", ""},
		attempt{"open " + a + "/file w", "EROFS", "ENOENT"},
	)
	equal(t, "what is in it", said(t, []string{"--tmpfs=" + a + ":ro", "--bind=" + c + ":" + b + "/c"}, "list "+a), "b")
	// strict leaves it writable, and so are binds.
	attempts(t, []string{"--protect-system=strict", "--tmpfs=" + b, "--bind=" + c + ":" + b + "/c"},
		attempt{"create " + b + "/n", "", ""},
		attempt{"unlink " + b + "/n", "", ""},
		attempt{"create " + b + "/c/n", "", ""},
		attempt{"unlink " + b + "/c/n", "", ""},
		attempt{"create " + a + "/n", "EROFS", ""},
		attempt{"unlink " + a + "/n", "EROFS", ""},
	)
	attempts(t, []string{"--read-only-paths=" + a, "--tmpfs=" + b}, attempt{"create " + b + "/n", "", ""}, attempt{"unlink " + b + "/n", "", ""}, attempt{"open " + a + "/f w", "EROFS", ""})
	attempts(t, []string{"--tmpfs=" + b, "--read-only-paths=" + b}, attempt{"create " + b + "/n", "EROFS", ""}, attempt{"unlink " + b + "/n", "EROFS", ""}, attempt{"open " + a + "/f w", "", ""})
	attempts(t, []string{"--tmpfs=" + a, "--inaccessible-paths=-" + b}, attempt{"stat " + b, "ENOENT", ""})
}

// A layer that is reached by a link lies where the link leads, also when that is
// below another layer.
func TestLayersThroughLinks(t *testing.T) {
	t.Parallel()
	requireRoot(t)
	top := directory(t, 0o755)
	write(t, mkdir(t, top+"/real/x")+"/f", "secret", 0o644)
	write(t, mkdir(t, top+"/source/x")+"/f", "shown", 0o644)
	for _, link := range []string{"a-link", "z-link"} { // before and after "real" by name
		if err := os.Symlink("real", top+"/"+link); err != nil {
			t.Fatal(err)
		}
		// The deepest place decides: it is never shown what the tmpfs hides.
		a := inside(t, []string{"--tmpfs=" + top + "/" + link + "/x", "--bind=" + top + "/source:" + top + "/real"}, "list "+top+"/real/x", "list "+top+"/real")
		equal(t, link+": the tmpfs in the bind", a[0].Act, "")
		equal(t, link+": the bind", a[1].Act, "x")
		a = inside(t, []string{"--tmpfs=" + top + "/real", "--bind=" + top + "/source/x:" + top + "/" + link + "/x"}, "read "+top+"/real/x/f", "list "+top+"/real")
		equal(t, link+": the bind in the tmpfs", a[0].Act, "shown")
		equal(t, link+": the tmpfs", a[1].Act, "x")
	}
}

// NoNewPrivileges= written: a set-user-ID program gives nothing, by its mount as
// well; a view without it changes no mount.
func TestNoNewPrivilegesMounts(t *testing.T) {
	t.Parallel()
	outer(t, unix.MS_PRIVATE)
	dir := directory(t, 0o755)
	suid := copied(t, probe, dir+"/suid", 0o4755)
	below := mkdir(t, dir+"/m")
	mountAt(t, "t", below, "tmpfs", 0, "size=16m")
	deep := copied(t, probe, below+"/suid", 0o4755)
	uid := func(options []string, program string) uint32 {
		t.Helper()
		return run(t, append(options, "--", probe, "try", "exec", program)...).state(t).UIDs[1]
	}
	nobody := []string{"--user=nobody"}
	for _, p := range []string{suid, deep} {
		equal(t, "without", uid(nobody, p), 0)
		equal(t, "a view", uid(append(nobody, "--private-mounts"), p), 0)
		equal(t, "no_new_privs", uid(append(nobody, "--private-mounts", "--no-new-privs"), p), 65534)
	}
	flags := func(options ...string) int64 {
		t.Helper()
		return inside(t, options, "mount-flags "+dir)[0].Value & 2
	}
	deeper := func(options ...string) int64 {
		t.Helper()
		return inside(t, options, "mount-flags "+below)[0].Value & 2
	}
	equal(t, "a view", flags("--private-mounts")+deeper("--private-mounts"), 0)
	for _, more := range []string{"--private-mounts", "--protect-system=strict", "--read-only-paths=" + dir, "--bind=" + below + ":" + dir + "/b", "--private-devices", "--tmpfs=" + dir + "/t"} {
		equal(t, more+", written", flags("--no-new-privs", more), 2)
		equal(t, more+", written, deeper", deeper("--no-new-privs", more), 2)
		for _, l := range mountsOf(t, "--no-new-privs", more) {
			if f := strings.Fields(l); !strings.Contains(","+f[5]+",", ",nosuid,") {
				t.Errorf("%s: %s", more, l)
			}
		}
	}
}
