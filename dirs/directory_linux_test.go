package dirs

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"sync"
	"testing"

	"golang.org/x/sys/unix"
)

func lib(name string, mode uint32, uid, gid int) Directory {
	return Directory{Directive: "StateDirectory", Base: "/var/lib", Name: name, Mode: mode, UID: uid, GID: gid}
}

func mustMake(t *testing.T, root string, list ...Directory) *Made {
	t.Helper()
	m, err := Make(Root{root}, list)
	tryAll(t, err)
	return m
}

// Modes are exact, whatever the umask is, special bits included; parents are 0755 and root's.
func TestMakeModes(t *testing.T) {
	requireRoot(t)
	for _, umask := range []int{0, 0o022, 0o777} {
		root := directoryRoot(t)
		old := unix.Umask(umask)
		m := mustMake(t, root, lib("a/b/c", 0o3751, 33, 34), lib("x", 0, -1, -1), lib("y", 0o7777, 33, -1), lib("z", 0o1700, -1, 34))
		unix.Umask(old)
		looks(t, root+"/var/lib", "a d 0755 0:0", "a/b d 0755 0:0", "a/b/c d 3751 33:34", "x d 0000 0:0", "y d 7777 33:0", "z d 1700 0:34")
		if m.Left != nil {
			t.Errorf("left: %q", m.Left)
		}
		tryAll(t, m.Undo(), m.Undo())
		looks(t, root+"/var/lib")
	}
}

// A base that is missing is made; one that is led elsewhere by a link of root's is followed.
func TestMakeBase(t *testing.T) {
	root := directoryRoot(t)
	tryAll(t, os.Mkdir(root+"/other", 0o755), os.Symlink(root+"/other", root+"/var/cache"))
	d := func(base string) Directory {
		return Directory{Directive: "CacheDirectory", Base: base, Name: "a", Mode: 0o755, UID: -1, GID: -1}
	}
	old := unix.Umask(0o077)
	mustMake(t, root, d("/var/cache"), d("/srv/new/base"))
	unix.Umask(old)
	me := fmt.Sprintf("%d:%d", os.Geteuid(), os.Getegid())
	looks(t, root+"/other", "a d 0755 "+me)
	looks(t, root+"/srv", "new d 0755 "+me, "new/base d 0755 "+me, "new/base/a d 0755 "+me)
}

func TestMakeExisting(t *testing.T) {
	requireRoot(t)
	root := directoryRoot(t)
	top := root + "/var/lib/a"
	fill := func(uid, gid int) {
		tryAll(t, os.RemoveAll(top))
		putDir(t, top, 0o700, uid, gid)
		put(t, top+"/file", 0o640, uid, gid)
		put(t, top+"/setuid", 0o4755|fs.ModeSetuid|fs.ModeSetgid, uid, gid)
		put(t, top+"/roots", 0o600, 0, 0)
		put(t, top+"/sub/deep/file", 0o444, 77, 88)
		putDir(t, top+"/sub/setgid", 0o755|fs.ModeSetgid, uid, gid)
		tryAll(t, os.Symlink(root+"/etc", top+"/link"), os.Symlink("nowhere", top+"/dangling"), unix.Mkfifo(top+"/fifo", 0o600), unix.Mknod(top+"/null", unix.S_IFCHR|0o600, 1<<8|3))
		put(t, root+"/etc/passwd", 0o600, 0, 0)
	}
	content := func(owner, sub, roots, setuid, setgid string) []string {
		return []string{
			"file f 0640 " + owner, "setuid f " + setuid + " " + owner, "roots f 0600 " + roots, "sub d 0755 " + roots, "sub/deep d 0755 " + roots,
			"sub/deep/file f 0444 " + sub, "sub/setgid d " + setgid + " " + owner, "link l " + roots + " " + root + "/etc", "dangling l " + roots + " nowhere", "fifo p 0600 " + roots, "null c 0600 0:0",
		}
	}

	// The owner is right: nothing below is touched, and the mode is set.
	fill(33, 34)
	m := mustMake(t, root, lib("a", 0o750, 33, 34))
	looks(t, top, content("33:34", "77:88", "0:0", "6755", "2755")...)
	looks(t, root+"/var/lib", append([]string{"a d 0750 33:34"}, prefixed("a/", content("33:34", "77:88", "0:0", "6755", "2755"))...)...)
	tryAll(t, m.Undo()) // was there before

	// Another user: all gets the new owner, but for the device, and files lose set-ID bits.
	mustMake(t, root, lib("a", 0o750, 44, 45))
	looks(t, top, content("44:45", "44:45", "44:45", "0755", "2755")...)
	looks(t, root+"/etc", "passwd f 0600 0:0")

	// The group is left.
	fill(33, 34)
	m = mustMake(t, root, lib("a", 0o750, 44, -1))
	looks(t, top, content("44:34", "44:88", "44:0", "0755", "2755")...)
	if got := fmt.Sprint(m.Left); got != "[/var/lib/a/null]" {
		t.Errorf("left: %s", got)
	}

	// DynamicUser=: directories lose their set-ID bits, too.
	fill(33, 34)
	d := lib("a", 0o750, 61200, 61200)
	d.Private = true
	mustMake(t, root, d)
	top = root + "/var/lib/private/a"
	looks(t, top, content("61200:61200", "61200:61200", "61200:61200", "0755", "0755")...)

	// Only the group is another: the user can have brought that about, and gets nothing by it.
	top = root + "/var/lib/b"
	fill(33, 99)
	m = mustMake(t, root, lib("b", 0o750, 33, 34))
	want := content("33:34", "77:88", "0:0", "0755", "2755")
	want[6] = "sub/setgid d 2755 33:99" // in a directory of root's
	looks(t, top, want...)
	if len(m.Left) != 6 {
		t.Errorf("left: %q", m.Left)
	}
}

func prefixed(prefix string, list []string) (out []string) {
	for _, s := range list {
		out = append(out, prefix+s)
	}
	return out
}

// A file with a name outside is not given away, and neither is the directory.
func TestMakeHardLink(t *testing.T) {
	requireRoot(t)
	root := directoryRoot(t)
	top := root + "/var/lib/a"
	putDir(t, top, 0o700, 33, 33)
	put(t, root+"/etc/shadow", 0o600, 0, 0)
	tryAll(t, os.Mkdir(top+"/sub", 0o755), os.Link(root+"/etc/shadow", top+"/sub/x"))
	_, err := Make(Root{root}, []Directory{lib("a", 0o750, 44, 44)})
	fails(t, err, "StateDirectory=a: /var/lib/a/sub/x: has other names", "uid 0", "44:44")
	looks(t, root+"/etc", "shadow f 0600 0:0")
	looks(t, root+"/var/lib", "a d 0700 33:33", "a/sub d 0755 0:0", "a/sub/x f 0600 0:0")

	// With the user of the file it is no matter: its own file, of another group.
	tryAll(t, os.Chown(root+"/etc/shadow", 44, 0))
	mustMake(t, root, lib("a", 0o750, 44, 44))
	looks(t, root+"/etc", "shadow f 0600 44:44")

	// Links and FIFOs have other names like files.
	for _, kind := range []uint32{unix.S_IFIFO, unix.S_IFSOCK} {
		tryAll(t, os.RemoveAll(top), os.RemoveAll(root+"/etc/node"))
		putDir(t, top, 0o700, 33, 33)
		tryAll(t, unix.Mknod(root+"/etc/node", kind|0o600, 0), os.Link(root+"/etc/node", top+"/x"))
		_, err = Make(Root{root}, []Directory{lib("a", 0o750, 44, 44)})
		fails(t, err, "other names")
	}
	tryAll(t, os.RemoveAll(top), os.Symlink("x", root+"/etc/link"))
	putDir(t, top, 0o700, 33, 33)
	tryAll(t, os.Link(root+"/etc/link", top+"/x"))
	_, err = Make(Root{root}, []Directory{lib("a", 0o750, 44, 44)})
	fails(t, err, "other names")
}

// Access lists would outlive the change of the owner.
func TestMakeAccessLists(t *testing.T) {
	requireRoot(t)
	root := directoryRoot(t)
	top := root + "/var/lib/a"
	putDir(t, top, 0o700, 33, 33)
	put(t, top+"/f", 0o600, 33, 33)
	putDir(t, top+"/d", 0o700, 33, 33)
	// user::rw- user:1234:rwx group::r-- mask::rwx other::r--
	acl := []byte{2, 0, 0, 0, 1, 0, 6, 0, 255, 255, 255, 255, 2, 0, 7, 0, 0xd2, 4, 0, 0, 4, 0, 4, 0, 255, 255, 255, 255, 16, 0, 7, 0, 255, 255, 255, 255, 32, 0, 4, 0, 255, 255, 255, 255}
	all := []struct{ path, name string }{{top, accessList}, {top, defaultList}, {top + "/f", accessList}, {top + "/d", accessList}, {top + "/d", defaultList}}
	for _, x := range all {
		if err := unix.Setxattr(x.path, x.name, acl, 0); err != nil {
			t.Skip("no access lists in this file system: ", err)
		}
	}
	mustMake(t, root, lib("a", 0o700, 44, 44))
	for _, x := range all {
		if n, err := unix.Getxattr(x.path, x.name, nil); err != unix.ENODATA {
			t.Errorf("%s of %s: %d bytes, %v", x.name, x.path, n, err)
		}
	}
}

func TestMakeRefuses(t *testing.T) {
	root := directoryRoot(t)
	at := root + "/var/lib/"
	tryAll(t, os.WriteFile(at+"file", nil, 0o600), os.Symlink(root+"/etc", at+"link"), os.Symlink("nowhere", at+"dangling"), os.Symlink("loop", at+"loop"),
		os.Mkdir(at+"dir", 0o755), os.Symlink(root+"/etc", at+"dir/link"), os.Symlink("other", at+"elsewhere"), os.Mkdir(at+"both", 0o755), os.MkdirAll(at+"private/both", 0o700), os.Chmod(at+"private", 0o700))
	before := picture(t, root)
	private := func(name string) Directory {
		d := lib(name, 0o755, -1, -1)
		d.Private = true
		return d
	}
	linked := func(name string, links ...string) Directory {
		d := lib(name, 0o755, -1, -1)
		d.Links = links
		return d
	}
	keep := func(name string) Directory {
		d := lib(name, 0o755, -1, -1)
		d.Keep = true
		return d
	}
	for _, x := range []struct {
		d    Directory
		want string
	}{
		{lib("file", 0o755, -1, -1), "StateDirectory=file: /var/lib/file: is there, and no directory"},
		{lib("file/a", 0o755, -1, -1), "StateDirectory=file/a: /var/lib/file: is there, and no directory"},
		{lib("link", 0o755, -1, -1), "StateDirectory=link: /var/lib/link: is a symbolic link"},
		{keep("link"), "StateDirectory=link: /var/lib/link: is a symbolic link"},
		{lib("link/a", 0o755, -1, -1), "/var/lib/link: is a symbolic link"},
		{lib("dangling", 0o755, -1, -1), "/var/lib/dangling: is a symbolic link"},
		{lib("loop", 0o755, -1, -1), "/var/lib/loop: is a symbolic link"},
		{lib("dir/link/a", 0o755, -1, -1), "/var/lib/dir/link: is a symbolic link"},
		{lib("../etc", 0o755, -1, -1), "normal"},
		{private("file"), "/var/lib/file: is there, and no directory"},
		{private("elsewhere"), `/var/lib/elsewhere: is a symbolic link to "other"`},
		{private("both"), "/var/lib/both: is a directory, and /var/lib/private/both is one, too"},
		{linked("new", "file"), "/var/lib/file: is there, and no link to new"},
		{linked("new", "elsewhere"), `/var/lib/elsewhere: is a link to "other", not to new`},
		{linked("new", "dir"), "/var/lib/dir: is there, and no link"},
		{linked("new", "link/x"), "/var/lib/link: is a symbolic link"},
	} {
		_, err := Make(Root{root}, []Directory{lib("made/by/it", 0o755, -1, -1), x.d})
		fails(t, err, x.want)
		if got := picture(t, root); got != before {
			t.Fatalf("%+v: after the error there is\n%s\nwant\n%s", x.d, got, before)
		}
	}
}

func TestMakeLinks(t *testing.T) {
	root := directoryRoot(t)
	me := fmt.Sprintf("%d:%d", os.Geteuid(), os.Getegid())
	d := lib("a/b", 0o755, -1, -1)
	d.Links = []string{"c", "d:ef", "x/y/z"}
	for range 2 { // the second finds them
		mustMake(t, root, d)
		looks(t, root+"/var/lib", "a d 0755 "+me, "a/b d 0755 "+me, "c l "+me+" a/b", "d:ef l "+me+" a/b", "x d 0755 "+me, "x/y d 0755 "+me, "x/y/z l "+me+" ../../a/b")
	}
	tryAll(t, os.Remove(root+"/var/lib/c"), os.Symlink("/var/lib/a/b", root+"/var/lib/c")) // as it was written by others
	mustMake(t, root, d)
	// Removed with the directory, parents not.
	tryAll(t, Remove(Root{root}, []Directory{d})...)
	looks(t, root+"/var/lib", "a d 0755 "+me, "x d 0755 "+me, "x/y d 0755 "+me)
	tryAll(t, Remove(Root{root}, []Directory{d})...)
	tryAll(t, os.Symlink("elsewhere", root+"/var/lib/c"), os.WriteFile(root+"/var/lib/d:ef", nil, 0o600))
	errs := Remove(Root{root}, []Directory{d})
	if len(errs) != 2 {
		t.Fatalf("%v", errs)
	}
	fails(t, errs[0], "StateDirectory=a/b: /var/lib/c: is no link to a/b: not removed")
	fails(t, errs[1], "StateDirectory=a/b: /var/lib/d:ef: is no link to a/b: not removed")
}

func TestMakeConfiguration(t *testing.T) {
	requireRoot(t)
	root := directoryRoot(t)
	etc := func(name string) Directory {
		return Directory{Directive: "ConfigurationDirectory", Base: "/etc", Name: name, Mode: 0o750, UID: 33, GID: 33, Keep: true}
	}
	putDir(t, root+"/etc/old", 0o711, 5, 6)
	mustMake(t, root, etc("old"), etc("new/er"))
	looks(t, root+"/etc", "old d 0711 5:6", "new d 0755 0:0", "new/er d 0750 0:0")
}

// DynamicUser= turned on, on again, and off, and the directory moves with its content.
func TestMakePrivate(t *testing.T) {
	requireRoot(t)
	for _, name := range []string{"a", "x/a"} {
		root := directoryRoot(t)
		parents := func(extra ...string) (list []string) {
			if name == "x/a" {
				list = append(list, "x d 0755 0:0")
				for _, e := range extra {
					list = append(list, e+"/x d 0755 0:0")
				}
			}
			return list
		}
		up := relative(name, "private/"+name)
		plain := lib(name, 0o755, 33, 33)
		private := lib(name, 0o750, 61300, 61300)
		private.Private = true
		mustMake(t, root, plain)
		put(t, root+"/var/lib/"+name+"/file", 0o600, 33, 33)

		for range 2 {
			m := mustMake(t, root, private)
			looks(t, root+"/var/lib", append(parents("private"), "private d 0700 0:0", "private/"+name+" d 0750 61300:61300", "private/"+name+"/file f 0600 61300:61300", name+" l 0:0 "+up)...)
			tryAll(t, m.Undo()) // the link to what has moved stays: its content would be hidden
		}
		mustMake(t, root, plain)
		looks(t, root+"/var/lib", append(parents("private"), "private d 0700 0:0", name+" d 0755 33:33", name+"/file f 0600 33:33")...)

		// A link to nothing.
		tryAll(t, os.RemoveAll(root+"/var/lib/"+name), os.Symlink("/var/lib/private/"+name, root+"/var/lib/"+name))
		mustMake(t, root, plain)
		looks(t, root+"/var/lib", append(parents("private"), "private d 0700 0:0", name+" d 0755 33:33")...)
	}
}

// Undo takes a new private directory away, with its link and private/ itself.
func TestUndoPrivate(t *testing.T) {
	root := directoryRoot(t)
	d := lib("x/a", 0o750, -1, -1)
	d.Private, d.Links = true, []string{"other"}
	m := mustMake(t, root, d)
	me := fmt.Sprintf("%d:%d", os.Geteuid(), os.Getegid())
	looks(t, root+"/var/lib", "private d 0700 "+me, "private/x d 0755 "+me, "private/x/a d 0750 "+me, "x d 0755 "+me, "x/a l "+me+" ../private/x/a", "other l "+me+" x/a")
	tryAll(t, m.Undo())
	looks(t, root+"/var/lib")

	// What is not empty stays, and so does what stands there now in place of it.
	m = mustMake(t, root, lib("a", 0o755, -1, -1), lib("b", 0o755, -1, -1))
	tryAll(t, os.WriteFile(root+"/var/lib/a/f", nil, 0o644), os.Rename(root+"/var/lib/b", root+"/var/lib/c"), os.Mkdir(root+"/var/lib/b", 0o755))
	tryAll(t, m.Undo())
	for _, stays := range []string{"a/f", "b", "c"} {
		if _, err := os.Lstat(root + "/var/lib/" + stays); err != nil {
			t.Error(err)
		}
	}
}

// A directory in another of the list is found by the link to that one.
func TestMakePrivateNested(t *testing.T) {
	requireRoot(t)
	root := directoryRoot(t)
	a, b := lib("a", 0o755, 61300, 61300), lib("a/b", 0o700, 61300, 61300)
	a.Private, b.Private = true, true
	want := []string{"private d 0700 0:0", "private/a d 0755 61300:61300", "private/a/b d 0700 61300:61300", "a l 0:0 private/a"}
	mustMake(t, root, b, a)
	looks(t, root+"/var/lib", want...)
	mustMake(t, root, a, b)
	looks(t, root+"/var/lib", want...)
	tryAll(t, Remove(Root{root}, []Directory{a, b})...)
	looks(t, root+"/var/lib", "private d 0700 0:0")
}

// private/ is the boundary: nobody else may pass or own it.
func TestMakePrivateGuard(t *testing.T) {
	requireRoot(t)
	d := lib("a", 0o755, 61300, 61300)
	d.Private = true
	for _, x := range []struct {
		mode os.FileMode
		uid  int
		want string
	}{{0o755, 0, "has the mode 0755"}, {0o701, 0, "must be 0700"}, {0o700, 33, "belongs to 33:0"}} {
		root := directoryRoot(t)
		putDir(t, root+"/var/lib/private", x.mode, x.uid, 0)
		_, err := Make(Root{root}, []Directory{d})
		fails(t, err, "StateDirectory=a: /var/lib/private: ", x.want)
		looks(t, root+"/var/lib", fmt.Sprintf("private d %04o %d:0", x.mode, x.uid))
	}
}

func TestRemove(t *testing.T) {
	root := directoryRoot(t)
	at := root + "/run/"
	tryAll(t, os.MkdirAll(at+"a/b/c/d", 0o755), os.WriteFile(at+"a/b/f", nil, 0), os.Mkdir(at+"a/b/empty", 0), os.WriteFile(root+"/etc/keep", nil, 0o600),
		os.Symlink(root+"/etc", at+"a/b/link"), os.Symlink("../../../etc", at+"a/b/c/up"), os.WriteFile(at+"a/sibling", nil, 0o600),
		os.WriteFile(at+"file", nil, 0o600), os.Symlink(root+"/etc", at+"link"))
	run := func(name string) Directory { return Directory{Directive: "RuntimeDirectory", Base: "/run", Name: name} }
	before := picture(t, root+"/etc")
	errs := Remove(Root{root}, []Directory{run("a/b"), run("file"), run("link"), run("link/keep"), run("missing"), run("missing/too"), run("../etc")})
	if len(errs) != 4 {
		t.Fatalf("%v", errs)
	}
	for i, want := range []string{"/run/link: is a symbolic link", "RuntimeDirectory=link: rmdir /run/link: not a directory", "RuntimeDirectory=file: rmdir /run/file: not a directory", "normal"} {
		fails(t, errs[i], want)
	}
	for _, stays := range []string{"a/sibling", "file", "link"} {
		if _, err := os.Lstat(at + stays); err != nil {
			t.Error(err)
		}
	}
	if _, err := os.Lstat(at + "a/b"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a/b: %v", err)
	}
	if got := picture(t, root+"/etc"); got != before {
		t.Errorf("/etc has %s", got)
	}
}

// Deeper than any path can say, and than there are descriptors.
func TestDeep(t *testing.T) {
	root := directoryRoot(t)
	uid := -1
	if os.Geteuid() == 0 {
		uid = 44
	}
	var lim unix.Rlimit
	tryAll(t, unix.Getrlimit(unix.RLIMIT_NOFILE, &lim))
	few := lim
	few.Cur = 40
	tryAll(t, unix.Setrlimit(unix.RLIMIT_NOFILE, &few))
	defer func() { tryAll(t, unix.Setrlimit(unix.RLIMIT_NOFILE, &lim)) }()
	tryAll(t, os.Mkdir(root+"/run/a", 0o755))
	fd, err := unix.Open(root+"/run/a", unix.O_PATH, 0)
	tryAll(t, err)
	const depth = 5000
	for range depth {
		tryAll(t, unix.Mkdirat(fd, "deeper", 0o755))
		next, err := unix.Openat(fd, "deeper", unix.O_PATH, 0)
		tryAll(t, err, unix.Close(fd))
		fd = next
	}
	mustMake(t, root, Directory{Base: "/run", Name: "a", Mode: 0o755, UID: uid, GID: -1})
	var st unix.Stat_t
	tryAll(t, unix.Fstat(fd, &st), unix.Close(fd))
	if uid >= 0 && int(st.Uid) != uid {
		t.Errorf("the deepest belongs to %d", st.Uid)
	}
	tryAll(t, Remove(Root{root}, []Directory{{Base: "/run", Name: "a"}})...)
	looks(t, root+"/run")
}

// Many names in one directory are more than one batch.
func TestWide(t *testing.T) {
	requireRoot(t)
	root := directoryRoot(t)
	for i := range 3000 {
		put(t, fmt.Sprintf("%s/run/a/%d/%d-%s", root, i%7, i, strings.Repeat("x", 200)), 0o600, i, i)
	}
	mustMake(t, root, Directory{Base: "/run", Name: "a", Mode: 0o755, UID: 44, GID: 44})
	if got := picture(t, root+"/run"); strings.Count(got, " 44:44") != 3008 || strings.Count(got, "\n") != 3007 {
		t.Errorf("%d of 3008 changed", strings.Count(got, " 44:44"))
	}
	tryAll(t, Remove(Root{root}, []Directory{{Base: "/run", Name: "a"}})...)
	looks(t, root+"/run")
}

// Starts at the same time, and some that are refused meanwhile, do not disturb each other.
func TestMakeConcurrent(t *testing.T) {
	root := directoryRoot(t)
	var wg sync.WaitGroup
	for i := range 40 {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for round := range 25 {
				d := lib(fmt.Sprintf("shared/by/all/%d", i), 0o755, -1, -1)
				d.Private = i%4 == 1
				m, err := Make(Root{root}, []Directory{d})
				if err != nil {
					t.Errorf("%d, round %d: %v", i, round, err)
					return
				}
				if i%2 == 1 {
					if err := m.Undo(); err != nil {
						t.Error(err)
					}
				}
			}
		}()
	}
	wg.Wait()
	for i := 0; i < 40; i += 2 {
		if _, err := os.Stat(fmt.Sprintf("%s/var/lib/shared/by/all/%d", root, i)); err != nil {
			t.Error(err)
		}
	}
}

// Without root, in a directory of one's own.
func TestMakeAsUser(t *testing.T) {
	requireRoot(t)
	root := directoryRoot(t)
	putDir(t, root+"/home", 0o700, attackerID, attackerID)
	if got := said(t, attackerID, nil, "make", root, "/home", "a/b", "2750", itoa(attackerID), itoa(attackerID), ""); got != "left []" {
		t.Errorf("own: %s", got)
	}
	me := fmt.Sprintf("%d:%d", attackerID, attackerID)
	looks(t, root+"/home", "a d 0755 "+me, "a/b d 2750 "+me)
	if got := said(t, attackerID, nil, "make", root, "/home", "c/d", "0755", itoa(otherID), "-1", ""); got != "error: StateDirectory=c/d: chown to 54322:-1 /home/c/d: operation not permitted" {
		t.Errorf("another's: %s", got)
	}
	looks(t, root+"/home", "a d 0755 "+me, "a/b d 2750 "+me)
	if got := said(t, attackerID, nil, "make", root, "/var/lib", "a", "0755", "-1", "-1", ""); got != "error: StateDirectory=a: mkdir /var/lib/a: permission denied" {
		t.Errorf("where root is: %s", got)
	}
	if got := said(t, attackerID, nil, "make", root, "/home", "p", "0750", "-1", "-1", "private"); got != "left []" {
		t.Errorf("private: %s", got)
	}
}

func itoa(n int) string { return fmt.Sprint(n) }

// mounts runs a shell script in a mount namespace of its own, and then the helper.
func mounts(script string) []string {
	return []string{"unshare", "--mount", "--propagation=private", "--", "sh", "-euc", script + `; exec "$@"`, "sh"}
}

// What is mounted below a directory is another's: it is not changed, and not removed.
func TestMounts(t *testing.T) {
	requireRoot(t)
	for _, x := range []struct{ name, script, left string }{
		{"bind of a directory", `mount --bind "$0/etc" "$0/var/lib/a/sub"`, "/var/lib/a/sub"},
		{"bind of a file", `mount --bind "$0/etc/secret" "$0/var/lib/a/file"`, "/var/lib/a/file"},
		{"tmpfs", `mount -t tmpfs none "$0/var/lib/a/sub"; touch "$0/var/lib/a/sub/new"`, "/var/lib/a/sub"},
	} {
		root := directoryRoot(t)
		putDir(t, root+"/var/lib/a", 0o755, 33, 33)
		putDir(t, root+"/var/lib/a/sub/deep", 0o755, 33, 33)
		put(t, root+"/var/lib/a/file", 0o644, 33, 33)
		put(t, root+"/etc/secret", 0o600, 0, 0)
		before := mounts(strings.ReplaceAll(x.script, "$0", root))
		if got := said(t, 0, before, "make", root, "/var/lib", "a", "0755", "44", "44", ""); got != "left ["+x.left+"]" {
			t.Errorf("%s: %s", x.name, got)
		}
		looks(t, root+"/etc", "secret f 0600 0:0")
		if got := said(t, 0, before, "remove", root, "/var/lib", "a"); got != "error: /var/lib/a: "+x.left+": something is mounted there: left as it is" {
			t.Errorf("%s: %s", x.name, got)
		}
		looks(t, root+"/etc", "secret f 0600 0:0")
		if _, err := os.Lstat(root + x.left); err != nil {
			t.Error(err)
		}
	}
	// The directory itself may be a mount for Make, as of a disk of its own.
	root := directoryRoot(t)
	tryAll(t, os.Mkdir(root+"/var/lib/a", 0o755), os.Mkdir(root+"/disk", 0o755))
	put(t, root+"/disk/data", 0o600, 33, 33)
	before := mounts(`mount --bind ` + root + `/disk ` + root + `/var/lib/a`)
	if got := said(t, 0, before, "make", root, "/var/lib", "a", "0711", "44", "44", ""); got != "left []" {
		t.Error(got)
	}
	looks(t, root, "disk d 0711 44:44", "disk/data f 0600 44:44", "etc d 0755 0:0", "run d 0755 0:0", "var d 0755 0:0", "var/lib d 0755 0:0", "var/lib/a d 0755 0:0")
	if got := said(t, 0, before, "remove", root, "/var/lib", "a"); got != "error: /var/lib/a: /var/lib/a: something is mounted there: left as it is" {
		t.Error(got)
	}
	if _, err := os.Stat(root + "/disk/data"); err != nil {
		t.Error(err)
	}
	if got := said(t, 0, before, "make", root, "/var/lib", "a", "0711", "44", "44", "private"); !strings.Contains(got, "rename /var/lib/a /var/lib/private/a: ") {
		t.Error(got)
	}
}

// The kernel before 5.6 has no openat2(2).
func TestMountsWithoutOpenat2(t *testing.T) {
	requireRoot(t)
	root := directoryRoot(t)
	tryAll(t, os.Mkdir(root+"/run/a", 0o755), os.Symlink("a", root+"/run/l"))
	dir, err := unix.Open(root+"/run", unix.O_PATH, 0)
	tryAll(t, err)
	defer func() { tryAll(t, unix.Close(dir)) }()
	fd, err := openSameMount(dir, "a", unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW)
	tryAll(t, err, unix.Close(fd))
	if _, err := openSameMount(dir, "l", unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW); err != unix.ENOTDIR {
		t.Errorf("a link: %v", err)
	}
	if mountOf(dir) == "" {
		t.Error("fdinfo tells no mount")
	}
	slash, err := unix.Open("/", unix.O_PATH, 0)
	tryAll(t, err)
	defer func() { tryAll(t, unix.Close(slash)) }()
	if _, err := openSameMount(slash, "proc", unix.O_PATH|unix.O_NOFOLLOW); err != unix.EXDEV {
		t.Errorf("/proc: %v", err)
	}
}
