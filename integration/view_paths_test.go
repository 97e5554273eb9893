//go:build linux

package integration

import (
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// tree is a/b/c with a file f in each, all for everybody to write.
func tree(t *testing.T) (a, b, c string) {
	t.Helper()
	top := directory(t, 0o755)
	a, b, c = top+"/a", top+"/a/b", top+"/a/b/c"
	if err := os.MkdirAll(c, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, d := range []string{a, b, c} {
		if err := os.Chmod(d, 0o777); err != nil {
			t.Fatal(err)
		}
		write(t, d+"/f", "text", 0o666)
		copied(t, probe, d+"/p", 0o755)
	}
	return a, b, c
}

// writable are attempts to write in a directory, answered so under the options.
func writable(dir, errno string) []attempt {
	return []attempt{
		{"create " + dir + "/n", errno, ""},
		{"unlink " + dir + "/n", errno, ""},
		{"open " + dir + "/f w", errno, ""},
		{"open " + dir + "/f r", "", ""},
		{"chmod " + dir + "/f 0666", errno, ""},
		{"list " + dir, "", ""},
	}
}

const (
	rw     = "rw"
	ro     = "ro"
	hidden = "hidden"
)

// Rules in each other: the deepest decides, and of several for one path the
// strictest.
func TestNestedPaths(t *testing.T) {
	t.Parallel()
	requireRoot(t)
	a, b, c := tree(t)
	for _, x := range []struct {
		options string
		a, b, c string
	}{
		{"--read-only-paths=A", ro, ro, ro},
		{"--read-only-paths=B", rw, ro, ro},
		{"--read-only-paths=C", rw, rw, ro},
		{"--read-only-paths=A --read-write-paths=B", ro, rw, rw},
		{"--read-only-paths=A --read-write-paths=C", ro, ro, rw},
		{"--read-only-paths=A --read-write-paths=B --read-only-paths=C", ro, rw, ro},
		{"--read-write-paths=A --read-only-paths=B --read-write-paths=C", rw, ro, rw},
		{"--read-write-paths=C --read-only-paths=B --read-write-paths=A", rw, ro, rw},
		{"--protect-system=strict --read-write-paths=A", rw, rw, rw},
		{"--protect-system=strict --read-write-paths=B", ro, rw, rw},
		{"--protect-system=strict --read-write-paths=A --read-only-paths=B --read-write-paths=C", rw, ro, rw},
		{"--read-only-paths=/ --read-write-paths=C", ro, ro, rw},
		{"--inaccessible-paths=C", rw, rw, hidden},
		{"--inaccessible-paths=B --read-write-paths=C", rw, hidden, hidden},
		{"--inaccessible-paths=C --read-only-paths=A --read-write-paths=B", ro, rw, hidden},
		{"--inaccessible-paths=B --read-write-paths=B", rw, hidden, hidden},
		{"--read-write-paths=B --inaccessible-paths=B", rw, hidden, hidden},
		{"--read-write-paths=B --read-only-paths=B", rw, ro, ro},
		{"--read-only-paths=B --read-only-paths=B --read-only-paths=B/", rw, ro, ro},
		{"--read-only-directories=A --read-write-directories=B --inaccessible-directories=C", ro, rw, hidden},
		{"--read-only-paths=A --read-write-paths=A/f", ro, ro, ro},
		{"--read-write-paths=A", rw, rw, rw},
		// What only the read-only part is said of may be executed, and the other way round.
		{"--read-only-paths=A --no-exec-paths=B --exec-paths=C", ro, ro, ro},
		{"--no-exec-paths=A --exec-paths=B --read-only-paths=C", rw, rw, ro},
	} {
		options := strings.Fields(strings.NewReplacer("=A", "="+a, "=B", "="+b, "=C", "="+c).Replace(x.options))
		t.Run(x.options, func(t *testing.T) {
			var list []attempt
			for dir, want := range map[string]string{a: x.a, b: x.b, c: x.c} {
				switch want {
				case rw:
					list = append(list, writable(dir, "")...)
				case ro:
					list = append(list, writable(dir, "EROFS")...)
				case hidden:
					list = append(list, attempt{"read " + dir + "/f", "ENOENT", ""})
				}
			}
			if strings.Contains(x.options, "A/f") {
				for i := range list {
					if strings.HasSuffix(list[i].act, a+"/f w") || list[i].act == "chmod "+a+"/f 0666" {
						list[i].under = ""
					}
				}
			}
			attempts(t, options, list...)
		})
	}
}

// NoExecPaths= and ExecPaths=, by execve and by mapping.
func TestExecPaths(t *testing.T) {
	t.Parallel()
	requireRoot(t)
	a, b, c := tree(t)
	runs := func(dir, under string) []attempt {
		mapped := under
		if under != "" {
			mapped = "EPERM"
		}
		return []attempt{{"run " + dir + "/p exit 0", under, ""}, {"map-exec " + dir + "/p", mapped, ""}, {"access " + dir + "/p x", under, ""}, {"read " + dir + "/p", "", ""}, {"create " + dir + "/n", "", ""}, {"unlink " + dir + "/n", "", ""}}
	}
	for _, x := range []struct {
		options string
		a, b, c string
	}{
		{"--no-exec-paths=A", "EACCES", "EACCES", "EACCES"},
		{"--no-exec-paths=A --exec-paths=B", "EACCES", "", ""},
		{"--no-exec-paths=A --exec-paths=B --no-exec-paths=C", "EACCES", "", "EACCES"},
		{"--no-exec-paths=B --exec-paths=C", "", "EACCES", ""},
		{"--no-exec-paths=B --exec-paths=B", "", "EACCES", "EACCES"}, // the strictest
		{"--no-exec-paths=A --exec-paths=A/p", "", "EACCES", "EACCES"},
		{"--no-exec-paths=B/p", "", "EACCES", ""},
		{"--exec-paths=B", "", "", ""},
	} {
		options := strings.Fields(strings.NewReplacer("=A", "="+a, "=B", "="+b, "=C", "="+c).Replace(x.options))
		t.Run(x.options, func(t *testing.T) {
			list := append(append(runs(a, x.a), runs(b, x.b)...), runs(c, x.c)...)
			attempts(t, options, list...)
		})
	}
	// All but the daemon itself.
	attempts(t, []string{"--no-exec-paths=/", "--exec-paths=" + probe},
		attempt{"run /bin/true", "EACCES", ""},
		attempt{"run " + a + "/p exit 0", "EACCES", ""},
		attempt{"run " + probe + " exit 0", "", ""},
	)
	refused(t, run(t, "--no-exec-paths=/", "--", probe), 203)
	refused(t, run(t, "--no-exec-paths="+base, "--", probe), 203)
	// Read-only and noexec come together at one path.
	both := inside(t, []string{"--no-exec-paths=" + b, "--read-only-paths=" + b}, "run "+b+"/p exit 0", "create "+b+"/n", "mount-flags "+c)
	equal(t, "noexec", both[0].Errno, "EACCES")
	equal(t, "read-only", both[1].Errno, "EROFS")
	equal(t, "both", both[2].Value&9, 9)
}

// What was mounted below a path is covered by its rule, however many there are,
// and also where the path itself is no mount.
func TestRulesCoverSubmounts(t *testing.T) {
	t.Parallel()
	outer(t, unix.MS_PRIVATE)
	a, b, c := tree(t)
	over := mkdir(t, b+"/m")
	for _, data := range []string{"size=64k", "size=128k"} { // one upon the other
		mountAt(t, "t", over, "tmpfs", 0, "mode=0777,"+data)
		write(t, over+"/f", "text", 0o666)
	}
	write(t, mkdir(t, over+"/deep")+"/f", "text", 0o666)
	mountAt(t, "t", over+"/deep", "tmpfs", 0, "mode=0777,size=64k")
	write(t, over+"/deep/f", "text", 0o666)
	copied(t, "/bin/true", over+"/deep/p", 0o755)
	for _, x := range []struct {
		options        []string
		b, m, deep, c_ string
	}{
		{[]string{"--read-only-paths=" + a}, "EROFS", "EROFS", "EROFS", "EROFS"},
		{[]string{"--read-only-paths=" + b}, "EROFS", "EROFS", "EROFS", "EROFS"},
		{[]string{"--read-only-paths=" + over}, "", "EROFS", "EROFS", ""},
		{[]string{"--read-only-paths=" + over + "/deep"}, "", "", "EROFS", ""},
		{[]string{"--read-only-paths=" + a, "--read-write-paths=" + over}, "EROFS", "", "", "EROFS"},
		{[]string{"--read-only-paths=" + a, "--read-write-paths=" + over + "/deep"}, "EROFS", "EROFS", "", "EROFS"},
		{[]string{"--read-only-paths=" + over, "--read-write-paths=" + over + "/deep"}, "", "EROFS", "", ""},
		{[]string{"--protect-system=strict"}, "EROFS", "EROFS", "EROFS", "EROFS"},
		{[]string{"--protect-system=strict", "--read-write-paths=" + over}, "EROFS", "", "", "EROFS"},
		{[]string{"--protect-system=strict", "--read-write-paths=" + b}, "", "", "", ""},
	} {
		var list []attempt
		for _, y := range []struct{ dir, errno string }{{b, x.b}, {over, x.m}, {over + "/deep", x.deep}, {c, x.c_}} {
			list = append(list, writable(y.dir, y.errno)...)
		}
		attempts(t, x.options, list...)
	}
	attempts(t, []string{"--no-exec-paths=" + a}, attempt{"run " + over + "/deep/p", "EACCES", ""}, attempt{"map-exec " + over + "/deep/p", "EPERM", ""})
	attempts(t, []string{"--inaccessible-paths=" + a}, attempt{"read " + over + "/deep/f", "ENOENT", ""}, attempt{"read " + over + "/f", "ENOENT", ""})
	attempts(t, []string{"--inaccessible-paths=" + over}, attempt{"read " + over + "/deep/f", "ENOENT", ""}, attempt{"read " + b + "/f", "", ""})
}

// The ways to write a path down.
func TestPathSpellings(t *testing.T) {
	t.Parallel()
	requireRoot(t)
	a, b, c := tree(t)
	top := a[:len(a)-2]
	for link, to := range map[string]string{"link": "a/b", "absolute": b, "loop": "loop", "nowhere": top + "/nosuch", "file": "a/b/f"} {
		if err := os.Symlink(to, top+"/"+link); err != nil {
			t.Fatal(err)
		}
	}
	blank := mkdir(t, top+"/with blank:colon\\")
	write(t, blank+"/f", "text", 0o666)
	for _, spelt := range []string{b, b + "/", b + "//", a + "//b", a + "/./b/.", top + "/link", top + "/link/", top + "/absolute", top + "/link/../b", "+" + b, "-" + b, "-+" + b} {
		if strings.Contains(spelt, "..") {
			refused(t, run(t, "--read-only-paths="+spelt, "--", probe), 64, `".."`)
			continue
		}
		list := append(writable(a, ""), append(writable(b, "EROFS"), writable(c, "EROFS")...)...)
		attempts(t, []string{"--read-only-paths=" + spelt}, list...)
		attempts(t, []string{"--inaccessible-paths=" + spelt}, attempt{"read " + b + "/f", "ENOENT", ""}, attempt{"read " + a + "/f", "", ""}, attempt{"read " + top + "/link/f", "ENOENT", ""})
	}
	// A link in a longer path, and one that is the file.
	attempts(t, []string{"--read-only-paths=" + top + "/link/c"}, append(writable(b, ""), writable(c, "EROFS")...)...)
	attempts(t, []string{"--read-only-paths=" + top + "/file"}, attempt{"open " + b + "/f w", "EROFS", ""}, attempt{"open " + c + "/f w", "", ""}, attempt{"create " + b + "/n", "", ""}, attempt{"unlink " + b + "/n", "", ""})
	attempts(t, []string{"--read-only-paths=" + c + "/f"}, attempt{"open " + c + "/f w", "EROFS", ""}, attempt{"create " + c + "/n", "", ""}, attempt{"unlink " + c + "/n", "", ""})
	// Two spellings of one place are one place.
	attempts(t, []string{"--read-only-paths=" + top + "/link", "--read-write-paths=" + b}, writable(b, "EROFS")...)
	attempts(t, []string{"--read-only-paths=" + a, "--read-write-paths=" + top + "/link"}, append(writable(a, "EROFS"), writable(b, "")...)...)
	// Several in one line, and one with blanks.
	attempts(t, []string{"--read-only-paths=" + c + " -/nosuch " + b}, append(writable(a, ""), writable(b, "EROFS")...)...)
	attempts(t, []string{`--read-only-paths="` + strings.ReplaceAll(blank, `\`, `\\`) + `"`}, attempt{"access\t" + blank + "\tw", "EROFS", ""})

	for _, option := range []string{"read-only-paths", "read-write-paths", "inaccessible-paths", "exec-paths", "no-exec-paths"} {
		for _, missing := range []string{"/nosuch", a + "/nosuch/deeper", a + "/f/below", top + "/nowhere"} {
			refused(t, run(t, "--"+option+"="+missing, "--", probe), 226, missing)
			equal(t, option+" tolerates", inside(t, []string{"--" + option + "=-" + missing}, "access "+a+" w")[0].Errno, "")
		}
		refused(t, run(t, "--"+option+"="+top+"/loop", "--", probe), 226, "loop")
		refused(t, run(t, "--"+option+"=-"+top+"/loop", "--", probe), 226, "loop")
		refused(t, run(t, "--"+option+"=relative", "--", probe), 64)
	}
	// With one that is missing the others still hold.
	attempts(t, []string{"--inaccessible-paths=-/nosuch " + c}, attempt{"read " + c + "/f", "ENOENT", ""})
	refused(t, run(t, "--inaccessible-paths=/", "--", probe), 226, "root")
}

// InaccessiblePaths= of every kind of file: of the same kind, and nothing in it.
func TestInaccessibleKinds(t *testing.T) {
	t.Parallel()
	outer(t, unix.MS_PRIVATE)
	d := directory(t, 0o755)
	mountAt(t, "t", d, "tmpfs", 0, "mode=0755,size=1m")
	write(t, d+"/file", "secret", 0o666)
	write(t, mkdir(t, d+"/dir")+"/f", "secret", 0o666)
	for _, n := range []struct {
		name string
		mode uint32
		dev  uint64
	}{{"fifo", unix.S_IFIFO, 0}, {"chr", unix.S_IFCHR, unix.Mkdev(1, 5)}, {"blk", unix.S_IFBLK, unix.Mkdev(240, 77)}} {
		if err := unix.Mknod(d+"/"+n.name, n.mode|0o666, int(n.dev)); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(d+"/"+n.name, 0o666); err != nil {
			t.Fatal(err)
		}
	}
	listener := converse(t, probe, "ask")
	listener.expect(t, "unix-listen "+d+"/sock", "")
	if err := os.Chmod(d+"/sock", 0o666); err != nil {
		t.Fatal(err)
	}
	all := "--inaccessible-paths=" + d + "/file " + d + "/dir " + d + "/fifo " + d + "/chr " + d + "/blk " + d + "/sock"
	attempts(t, []string{all},
		attempt{"open " + d + "/file w", "EROFS", ""},
		attempt{"open " + d + "/file r", "", ""}, // root reads an empty file
		attempt{"read " + d + "/dir/f", "ENOENT", ""},
		attempt{"create " + d + "/dir/n", "EROFS", ""},
		attempt{"unlink " + d + "/dir/n", "EROFS", ""},
		attempt{"unix-connect " + d + "/sock", "ECONNREFUSED", ""},
		attempt{"read " + d + "/chr", "EACCES", ""},
		attempt{"read " + d + "/blk", "EACCES", "ENXIO"},
		attempt{"unlink " + d + "/file", "EBUSY", ""},
		attempt{"rename " + d + "/dir " + d + "/moved", "EBUSY", ""},
	)
	write(t, d+"/file", "secret", 0o666)
	if err := os.Rename(d+"/moved", d+"/dir"); err != nil {
		t.Fatal(err)
	}
	kinds := map[string]int64{"file": unix.S_IFREG, "dir": unix.S_IFDIR, "fifo": unix.S_IFIFO, "chr": unix.S_IFCHR, "blk": unix.S_IFBLK, "sock": unix.S_IFSOCK}
	for name, kind := range kinds {
		a := inside(t, []string{all}, "mode "+d+"/"+name, "read "+d+"/"+name)
		equal(t, name+": kind, and a mode of 0", a[0].Value, kind)
		if strings.Contains(a[1].Act, "secret") || a[1].Value > 0 {
			t.Errorf("%s is read: %+v", name, a[1])
		}
		for _, how := range []string{"r", "w", "rw"} {
			a := inside(t, []string{"--user=nobody", all}, "open "+d+"/"+name+" "+how)
			want := "EACCES"
			if name == "dir" && how != "r" {
				want = "EISDIR"
			}
			equal(t, name+": open "+how+" as a user", a[0].Errno, want)
		}
	}
	equal(t, "connect as a user", inside(t, []string{"--user=nobody", all}, "unix-connect "+d+"/sock")[0].Errno, "EACCES")
	equal(t, "connect without", inside(t, []string{"--user=nobody", "--private-mounts"}, "unix-connect "+d+"/sock")[0].Errno, "")
	// The path itself is still to be seen.
	equal(t, "list", said(t, []string{all}, "list "+d), sorted("file", "dir", "fifo", "chr", "blk", "sock"))
	// Without the right to make a node, an empty file hides it as well.
	r := asked(t, program{argv: with("without=27", starting(all)...)}, "read "+d+"/chr", "open "+d+"/chr w")
	equal(t, "without CAP_MKNOD: nothing is read", r[0].Value <= 0, true)
	equal(t, "without CAP_MKNOD: nor written", r[1].Errno != "", true)
}

// However many mounts there are, and whatever their paths are made of, all of them
// are covered: the list of mounts is longer than what is read of it at once.
func TestManyMounts(t *testing.T) {
	t.Parallel()
	outer(t, unix.MS_PRIVATE)
	d := directory(t, 0o755)
	source := mkdir(t, d+"/source")
	top := mkdir(t, d+"/top")
	if err := unix.Mount("t", top, "tmpfs", 0, "mode=0755"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { // with all that is mounted below
		if err := unix.Unmount(top, unix.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	last := ""
	for i := range 700 {
		last = mkdir(t, top+"/a name that is long, so that the list gets longer - tmpfs rw\n"+strings.Repeat("\\", i%5)+itoa(i))
		if err := unix.Mount(source, last, "", unix.MS_BIND, ""); err != nil {
			t.Fatal(err)
		}
	}
	if n := len(read(t, "/proc/thread-self/mountinfo")); n < 2*65536 {
		t.Fatalf("the list is of %d bytes", n)
	}
	write(t, source+"/f", "text", 0o666)
	if err := os.Symlink(last, top+"/last"); err != nil {
		t.Fatal(err)
	}
	for _, x := range []struct {
		options []string
		errno   string
	}{
		{[]string{"--read-only-paths=" + top}, "EROFS"},
		{[]string{"--read-only-paths=" + top + "/last"}, "EROFS"},
		{[]string{"--protect-system=strict"}, "EROFS"},
		{[]string{"--protect-system=strict", "--read-write-paths=" + top}, ""},
		{[]string{"--private-mounts", "--no-new-privs"}, ""},
	} {
		attempts(t, x.options, attempt{"open " + top + "/last/f w", x.errno, ""}, attempt{"read " + top + "/last/f", "", ""})
	}
	attempts(t, []string{"--inaccessible-paths=" + top}, attempt{"list " + top, "", ""}, attempt{"read " + top + "/last/f", "ENOENT", ""})
	attempts(t, []string{"--no-exec-paths=" + top}, attempt{"read " + top + "/last/f", "", ""})
}
