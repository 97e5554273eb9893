package dirs

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hardrun/hardrun/integration/testrow"
	"golang.org/x/sys/unix"
)

// call is a system call that answers an error, or 0 without having done anything.
type call struct {
	number uintptr
	e      unix.Errno
	// where an argument is named, only with that value in it
	argument int // from 1 on; the first is 0, and none
	value    uint32
}

// with runs a function on a thread of its own, which ends with it, and on which the calls
// answer that.
func with(t *testing.T, f func() error, calls ...call) error {
	t.Helper()
	list := make([]testrow.Answered, len(calls))
	for i, c := range calls {
		list[i] = testrow.Answered{NR: c.number, Errno: c.e, Argument: c.argument, Value: c.value}
		if c.argument > 0 {
			list[i].Argument++ // from 0 on here
		}
	}
	return testrow.OnThread(func() error {
		if err := testrow.AnswerAll(list...); err != nil {
			return err
		}
		return f()
	})
}

// inOwnMounts runs a function on a thread whose mounts are its own.
func inOwnMounts(t *testing.T, f func() error) error {
	t.Helper()
	requireRoot(t)
	return testrow.OnThread(func() error {
		if err := unix.Unshare(unix.CLONE_NEWNS); err != nil {
			return os.NewSyscallError("unshare", err)
		}
		if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
			return os.NewSyscallError("mount", err)
		}
		return f()
	})
}

// result compares an error with a text that must be in it; "" is none.
func result(t *testing.T, what string, err error, want string) {
	t.Helper()
	if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
		t.Errorf("%s: %v, want %q", what, err, want)
	}
}

// same runs a function that must leave as many descriptors open as there were.
func same(t *testing.T, what string, f func()) {
	t.Helper()
	before := descriptors(t)
	f()
	if after := descriptors(t); after != before {
		t.Errorf("%s: %d descriptors, %d before", what, after, before)
	}
}

const (
	removesDirectory = unix.AT_REMOVEDIR
	unlinks          = 0
)

// Calls that fail while directories are made, moved and taken back: each is an error which says
// where, and nothing stays open.
func TestMakeCalls(t *testing.T) {
	requireRoot(t)
	private := lib("x", 0o755, 33, 33)
	private.Private = true
	public := lib("x", 0o755, 33, 33)
	linked := Directory{Directive: "ConfigurationDirectory", Base: "/etc", Name: "x", Mode: 0o755, Keep: true, Links: []string{"l"}}
	for _, tt := range []struct {
		name  string
		there []Directory // made before
		shell func(lib string) error
		d     Directory
		calls []call
		want  string
		looks string // of /var/lib; "" is not looked at
	}{
		{"private", nil, nil, private, nil, "", "private d 0700 0:0\nprivate/x d 0755 33:33\nx l 0:0 private/x"},
		{
			"private is a file", nil, func(lib string) error { return os.WriteFile(lib+"/private", nil, 0o600) }, private, nil,
			"private: is there, and no directory", "private f 0600 0:0",
		},
		{
			"the link is not made",
			[]Directory{private},
			func(lib string) error { return os.Remove(lib + "/x") }, private,
			[]call{{number: unix.SYS_SYMLINKAT, e: unix.EROFS}},
			"symlink private/x /var/lib/x: read-only file system", "private d 0700 0:0\nprivate/x d 0755 33:33",
		},
		{
			"a link is not read", nil, func(lib string) error { return os.Symlink("elsewhere", lib+"/x") }, private,
			[]call{{number: unix.SYS_READLINKAT, e: unix.EIO}},
			"/var/lib/x: readlink: input/output error", "",
		},
		{
			"a link is not read, public", nil, func(lib string) error { return os.Symlink("elsewhere", lib+"/x") }, public,
			[]call{{number: unix.SYS_READLINKAT, e: unix.EIO}},
			"/var/lib/x: readlink: input/output error", "",
		},
		{
			"a link that is there is not read",
			[]Directory{linked},
			nil, linked,
			[]call{{number: unix.SYS_READLINKAT, e: unix.EIO}},
			"/etc/l: readlink: input/output error", "",
		},
		// From public to private.
		{"moved", []Directory{public}, nil, private, nil, "", "private d 0700 0:0\nprivate/x d 0755 33:33\nx l 0:0 private/x"},
		{"moved without flags", []Directory{public}, nil, private, []call{{number: unix.SYS_RENAMEAT2, e: unix.EINVAL}}, "", "private d 0700 0:0\nprivate/x d 0755 33:33\nx l 0:0 private/x"},
		{"moved by an old kernel", []Directory{public}, nil, private, []call{{number: unix.SYS_RENAMEAT2, e: unix.ENOSYS}}, "", "private d 0700 0:0\nprivate/x d 0755 33:33\nx l 0:0 private/x"},
		{"not moved", []Directory{public}, nil, private, []call{{number: unix.SYS_RENAMEAT2, e: unix.EXDEV}}, "rename /var/lib/x /var/lib/private/x: invalid cross-device link", ""},
		// And back.
		{"moved back", []Directory{private}, nil, public, nil, "", "private d 0700 0:0\nx d 0755 33:33"},
		{"moved back without flags", []Directory{private}, nil, public, []call{{number: unix.SYS_RENAMEAT2, e: unix.EINVAL}}, "", "private d 0700 0:0\nx d 0755 33:33"},
		{"moved back by an old kernel", []Directory{private}, nil, public, []call{{number: unix.SYS_RENAMEAT2, e: unix.ENOSYS}}, "", "private d 0700 0:0\nx d 0755 33:33"},
		{"not moved back", []Directory{private}, nil, public, []call{{number: unix.SYS_RENAMEAT2, e: unix.EPERM}}, "rename /var/lib/private/x /var/lib/x: operation not permitted", ""},
		{
			"not moved back in two steps",
			[]Directory{private},
			nil, public,
			[]call{{number: unix.SYS_RENAMEAT2, e: unix.EINVAL}, {number: unix.SYS_UNLINKAT, e: unix.EROFS}},
			"rename /var/lib/private/x /var/lib/x: read-only file system", "private d 0700 0:0\nprivate/x d 0755 33:33\nx l 0:0 private/x",
		},
		{
			"half moved back",
			[]Directory{private},
			nil, public,
			[]call{{number: unix.SYS_RENAMEAT2, e: unix.EINVAL}, {number: unix.SYS_RENAMEAT, e: unix.EROFS}},
			"rename /var/lib/private/x /var/lib/x: read-only file system", "private d 0700 0:0\nprivate/x d 0755 33:33",
		},
		{"what is private is not seen", []Directory{private}, nil, public, []call{{number: unix.SYS_NEWFSTATAT, e: unix.EIO}}, "rename /var/lib/private/x /var/lib/x: input/output error", ""},
		{"a link to nothing", nil, func(lib string) error { return os.Symlink("private/x", lib+"/x") }, public, nil, "", "x d 0755 33:33"},
		{"a link to nothing in private", nil, func(lib string) error {
			return errors.Join(os.Symlink("private/x", lib+"/x"), os.Mkdir(lib+"/private", 0o700))
		}, public, nil, "", "private d 0700 0:0\nx d 0755 33:33"},
		{"a link through a file", nil, func(lib string) error {
			return errors.Join(os.Symlink("private/x", lib+"/x"), os.WriteFile(lib+"/private", nil, 0o600))
		}, public, nil, "StateDirectory=x: /var/lib/private: is there, and no directory", ""},
		{"a link to a link", nil, func(lib string) error {
			return errors.Join(os.Symlink("private/x", lib+"/x"), os.Mkdir(lib+"/private", 0o700), os.Symlink("/etc", lib+"/private/x"))
		}, public, nil, "rename /var/lib/private/x /var/lib/x: not a directory", ""},
	} {
		root := directoryRoot(t)
		mustMake(t, root, tt.there...)
		if tt.shell != nil {
			tryAll(t, tt.shell(root+"/var/lib"))
		}
		same(t, tt.name, func() {
			result(t, tt.name, with(t, func() error {
				_, err := Make(Root{root}, []Directory{tt.d})
				return err
			}, tt.calls...), tt.want)
		})
		if tt.looks != "" {
			if got := picture(t, root+"/var/lib"); got != tt.looks {
				t.Errorf("%s: there is\n%s\nwant\n%s", tt.name, got, tt.looks)
			}
		}
	}
}

// A base is made only where that was asked for, and what cannot be made is an error.
func TestOpenBaseCalls(t *testing.T) {
	root := directoryRoot(t)
	same(t, "bases", func() {
		_, err := Root{root}.openBase("/srv/new", false)
		result(t, "not asked for", err, "open "+root+"/srv/new: no such file")
		if _, err := os.Stat(root + "/srv"); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("it is made: %v", err)
		}
		_, err = Root{"/proc"}.openBase("/hardrun-test/x", true)
		result(t, "not to be made", err, "mkdir /proc/hardrun-test: no such file")
	})
}

// What was made is taken back, where it is still there and empty.
func TestUndoCalls(t *testing.T) {
	for _, tt := range []struct {
		name   string
		change func(lib string) error
		calls  []call
		want   string
		left   string
	}{
		{"all", nil, nil, "", ""},
		{"removed by others", func(lib string) error { return os.RemoveAll(lib + "/a") }, nil, "", ""},
		{"the last one removed by others", func(lib string) error { return os.Remove(lib + "/a/b/c") }, nil, "", ""},
		{"another in its place", func(lib string) error {
			return errors.Join(os.Rename(lib+"/a/b/c", lib+"/old"), os.Mkdir(lib+"/a/b/c", 0o755))
		}, nil, "", "a a/b a/b/c old"},
		{"a way that is none", func(lib string) error {
			return errors.Join(os.RemoveAll(lib+"/a/b"), os.WriteFile(lib+"/a/b", nil, 0o600))
		}, nil, "/var/lib/a/b: is there, and no directory", "a a/b"},
		{"not empty, as some file systems say it", nil, []call{{number: unix.SYS_UNLINKAT, e: unix.EEXIST}}, "", "a a/b a/b/c"},
		{"refused", nil, []call{{number: unix.SYS_UNLINKAT, e: unix.EROFS}}, "remove /var/lib/a/b/c: read-only file system", "a a/b a/b/c"},
	} {
		root := directoryRoot(t)
		m := mustMake(t, root, lib("a/b/c", 0o755, -1, -1))
		if tt.change != nil {
			tryAll(t, tt.change(root+"/var/lib"))
		}
		same(t, tt.name, func() { result(t, tt.name, with(t, m.Undo, tt.calls...), tt.want) })
		var left []string
		for line := range strings.Lines(picture(t, root+"/var/lib")) {
			left = append(left, strings.Fields(line)[0])
		}
		if got := strings.Join(left, " "); got != tt.left {
			t.Errorf("%s: left %s, want %s", tt.name, got, tt.left)
		}
	}
}

// Links and directories that cannot be removed are errors, and those that have gone are none.
func TestRemoveCalls(t *testing.T) {
	d := lib("a/b", 0o755, -1, -1)
	d.Links = []string{"l/m"}
	for _, tt := range []struct {
		name   string
		change func(lib string) error
		calls  []call
		want   string
	}{
		{"all", nil, nil, ""},
		{"the way to the link has gone", func(lib string) error { return os.RemoveAll(lib + "/l") }, nil, ""},
		{"the link has gone", func(lib string) error { return os.Remove(lib + "/l/m") }, nil, ""},
		{"the way to the link is a file", func(lib string) error {
			return errors.Join(os.RemoveAll(lib+"/l"), os.WriteFile(lib+"/l", nil, 0o600))
		}, nil, "StateDirectory=a/b: /var/lib/l: is there, and no directory"},
		{"a file for the link", func(lib string) error {
			return errors.Join(os.Remove(lib+"/l/m"), os.WriteFile(lib+"/l/m", nil, 0o600))
		}, nil, "/var/lib/l/m: is no link to ../a/b: not removed"},
		{"the link is not read", nil, []call{{number: unix.SYS_READLINKAT, e: unix.EIO}}, "/var/lib/l/m: readlink: input/output error"},
		{"the link is not removed", nil, []call{{unix.SYS_UNLINKAT, unix.EROFS, 2, unlinks}}, "unlink /var/lib/l/m: read-only file system"},
		{"the link is removed by others", nil, []call{{unix.SYS_UNLINKAT, unix.ENOENT, 2, unlinks}}, ""},
		{"the directory has gone", func(lib string) error { return os.RemoveAll(lib + "/a") }, nil, ""},
		{"the directory is not removed", nil, []call{{unix.SYS_UNLINKAT, unix.EROFS, 2, removesDirectory}}, "rmdir /var/lib/a/b: read-only file system"},
	} {
		root := directoryRoot(t)
		mustMake(t, root, d)
		if tt.change != nil {
			tryAll(t, tt.change(root+"/var/lib"))
		}
		same(t, tt.name, func() {
			result(t, tt.name, with(t, func() error { return errors.Join(Remove(Root{root}, []Directory{d})...) }, tt.calls...), tt.want)
		})
	}
}

// A directory whose files or directories stay is left at last, and it is said why.
func TestRemoveTreeCalls(t *testing.T) {
	for _, tt := range []struct {
		name  string
		files []string
		calls []call
		want  []string
	}{
		{"files", []string{"x/f", "x/sub/f"}, nil, nil},
		{"never empty", []string{"x/"}, []call{{number: unix.SYS_UNLINKAT, e: unix.ENOTEMPTY}}, []string{"rmdir /x: directory not empty"}},
		{"never empty, in other words", []string{"x/"}, []call{{number: unix.SYS_UNLINKAT, e: unix.EEXIST}}, []string{"rmdir /x: file exists"}},
		{"a file stays", []string{"x/f"}, []call{{unix.SYS_UNLINKAT, unix.EPERM, 2, unlinks}}, []string{"unlink /x/f: operation not permitted"}},
		{"a directory stays", []string{"x/sub/f"}, []call{{unix.SYS_UNLINKAT, unix.ENOTEMPTY, 2, removesDirectory}}, []string{"rmdir /x/sub: directory not empty"}},
		{"a directory is refused", []string{"x/sub/f"}, []call{{unix.SYS_UNLINKAT, unix.EROFS, 2, removesDirectory}}, []string{"rmdir /x: read-only file system"}},
		{"not opened", []string{"x/f"}, []call{{number: unix.SYS_OPENAT2, e: unix.EMFILE}}, []string{"open /x: too many open files"}},
		{"not read", []string{"x/f"}, []call{{number: unix.SYS_GETDENTS64, e: unix.EIO}}, []string{"getdents64: input/output error"}},
		{"something is mounted", []string{"x/f"}, []call{{number: unix.SYS_UNLINKAT, e: unix.EBUSY}}, []string{"/x: something is mounted there"}},
		{"something is mounted on a file", []string{"x/f"}, []call{{unix.SYS_UNLINKAT, unix.EBUSY, 2, unlinks}}, []string{"/x/f: something is mounted there"}},
	} {
		dir := t.TempDir()
		for _, f := range tt.files {
			if strings.HasSuffix(f, "/") {
				tryAll(t, os.Mkdir(dir+"/"+f, 0o755))
				continue
			}
			put(t, dir+"/"+f, 0o600, -1, -1)
		}
		parent := must(unix.Open(dir, unix.O_PATH|unix.O_CLOEXEC, 0))(t)
		same(t, tt.name, func() {
			var errs []error
			tryAll(t, with(t, func() error {
				errs = removeTree(parent, "x", "/x")
				return nil
			}, tt.calls...))
			if len(errs) != len(tt.want) {
				t.Errorf("%s: %v, want %q", tt.name, errs, tt.want)
				return
			}
			for i := range errs {
				result(t, tt.name, errs[i], tt.want[i])
			}
		})
		tryAll(t, unix.Close(parent))
	}
}

// Ownership that cannot be changed is an error, which says of what.
func TestTakeCalls(t *testing.T) {
	requireRoot(t)
	for _, tt := range []struct {
		name    string
		private bool
		calls   []call
		want    string
	}{
		{"all", true, nil, ""},
		{"not seen", false, []call{{number: unix.SYS_FSTAT, e: unix.EIO}}, "fstat /x: input/output error"},
		{"not opened", false, []call{{number: unix.SYS_OPENAT2, e: unix.EMFILE}}, "open /x/sub: too many open files"},
		{"files not given", false, []call{{number: unix.SYS_FCHOWNAT, e: unix.EPERM}}, "chown to 33:34 /x/sub/f: operation not permitted"},
		{"directories not given", false, []call{{number: unix.SYS_FCHOWN, e: unix.EPERM}}, "chown to 33:34 /x/sub: operation not permitted"},
		{"directories not given, which is not said", false, []call{{number: unix.SYS_FCHOWN, e: 0}}, "/x/sub: read back the owner 0:0, want 33:34"},
		{"lists of files stay", false, []call{{number: unix.SYS_REMOVEXATTR, e: unix.EPERM}}, "removexattr /x/sub/f: operation not permitted"},
		{"lists of directories stay", false, []call{{number: unix.SYS_FREMOVEXATTR, e: unix.EPERM}}, "removexattr /x/sub: operation not permitted"},
		{"no lists", false, []call{{number: unix.SYS_REMOVEXATTR, e: unix.EOPNOTSUPP}, {number: unix.SYS_FREMOVEXATTR, e: unix.ENODATA}}, ""},
		{"modes stay", true, []call{{number: unix.SYS_FCHMOD, e: unix.EPERM}}, "chmod /x/sub: operation not permitted"},
		{"modes need not change", false, []call{{number: unix.SYS_FCHMOD, e: unix.EPERM}}, ""},
	} {
		dir := t.TempDir()
		put(t, dir+"/sub/f", 0o600, 0, 0)
		tryAll(t, unix.Chmod(dir+"/sub", unix.S_ISUID|0o755))
		fd := must(unix.Open(dir, unix.O_RDONLY|unix.O_CLOEXEC, 0))(t)
		o := owner{uid: 33, gid: 34, private: tt.private}
		same(t, tt.name, func() {
			result(t, tt.name, with(t, func() error { return o.take(fd, "/x") }, tt.calls...), tt.want)
		})
		if tt.want == "" {
			mode := map[bool]string{false: "4755", true: "0755"}[tt.private]
			looks(t, dir, "sub d "+mode+" 33:34", "sub/f f 0600 33:34")
		}
		tryAll(t, unix.Close(fd))
	}
}

// A walk goes on or ends at an error, and goes in once more where it is told to.
func TestTreeCalls(t *testing.T) {
	dir := t.TempDir()
	put(t, dir+"/a/b/f", 0o600, -1, -1)
	isDir := func(_ int, name string) (bool, error) { return name != "f", nil }
	walk := func(w *tree) error {
		fd := must(unix.Open(dir, unix.O_RDONLY|unix.O_CLOEXEC, 0))(t)
		w.path = "/x"
		return errors.Join(w.walk(fd), unix.Close(fd))
	}
	failed := errors.New("failed")
	same(t, "walks", func() {
		var seen []string
		w := &tree{entry: isDir}
		w.after = func(_ int, name string) (bool, error) {
			seen = append(seen, name)
			return len(seen) == 1, nil
		}
		if err := walk(w); err != nil || strings.Join(seen, " ") != "b b a" {
			t.Errorf("once more: %q, %v", seen, err)
		}
		for _, goOn := range []bool{false, true} {
			seen = nil
			w = &tree{entry: isDir, goOn: goOn, leave: func(int) error { return failed }}
			w.after = func(_ int, name string) (bool, error) {
				seen = append(seen, name)
				return false, failed
			}
			result(t, "leaving", walk(w), "failed")
			if (len(seen) == 2) != goOn {
				t.Errorf("going on %v after an error: %q", goOn, seen)
			}
			seen, w.leave = nil, nil
			result(t, "afterwards", walk(w), "failed")
			if (len(seen) == 2) != goOn {
				t.Errorf("going on %v after an error behind a directory: %q", goOn, seen)
			}
			w.entry = func(_ int, name string) (bool, error) { return name != "f", failed }
			result(t, "at a name", walk(w), "failed")
		}
	})
	w := &tree{goOn: true}
	if err := w.failed(nil); err != nil || len(w.errs) != 0 {
		t.Errorf("no error: %v, %v", err, w.errs)
	}
	w = &tree{path: strings.Repeat("/x", unix.PathMax), way: []level{{}, {name: "a"}, {name: "b"}}}
	if at := w.at("c"); !strings.HasSuffix(at, "/x/…/c") {
		t.Errorf("a long path ends with %s", at[len(at)-10:])
	}
}

// Names of a directory that was removed are none; files are read through no link, and without
// waiting for anybody.
func TestReadTextCalls(t *testing.T) {
	dir := t.TempDir()
	files(t, dir+"/file", "text")
	ok(t, errors.Join(os.Symlink("file", dir+"/link"), unix.Mkfifo(dir+"/fifo", 0o600), os.Mkdir(dir+"/gone", 0o755)))
	fd := must(unix.Open(dir, unix.O_RDONLY|unix.O_CLOEXEC, 0))(t)
	same(t, "texts", func() {
		for name, want := range map[string]string{
			"file": "", "fifo": "", "link": "open link: too many levels", "none": "open none: no such file", "gone": "read gone: is a directory",
		} {
			text, err := readText(fd, name)
			if result(t, name, err, want); (text == "text") != (name == "file") {
				t.Errorf("%s: %q", name, text)
			}
		}
	})
	gone := must(unix.Open(dir+"/gone", unix.O_RDONLY|unix.O_CLOEXEC, 0))(t)
	ok(t, os.Remove(dir+"/gone"))
	ok(t, each(gone, func(name string) error { return errors.New(name) }))
	ok(t, errors.Join(unix.Close(gone), unix.Close(fd)))
}

// What is mounted on a name is seen without openat2(2), too, of this file system or another.
func TestOpenSameMountCalls(t *testing.T) {
	dir := t.TempDir()
	ok(t, errors.Join(os.Mkdir(dir+"/a", 0o755), os.Mkdir(dir+"/bind", 0o755), os.Mkdir(dir+"/tmpfs", 0o755)))
	result(t, "mounts", inOwnMounts(t, func() error {
		if err := errors.Join(unix.Mount(dir+"/a", dir+"/bind", "", unix.MS_BIND, ""), unix.Mount("none", dir+"/tmpfs", "tmpfs", 0, "")); err != nil {
			return err
		}
		fd, err := unix.Open(dir, unix.O_PATH|unix.O_CLOEXEC, 0)
		if err != nil {
			return err
		}
		for name, want := range map[string]error{"a": nil, "bind": unix.EXDEV, "tmpfs": unix.EXDEV} {
			for _, open := range []func(int, string, int) (int, error){openBelow, openSameMount} {
				got, err := open(fd, name, unix.O_PATH)
				if err == nil {
					err = unix.Close(got)
				}
				if err != want {
					return fmt.Errorf("%s: %v, want %v", name, err, want)
				}
			}
		}
		return unix.Close(fd)
	}), "")
}

// A lock is waited for, and an error of the calls for that is one of it.
func TestWaitLockCalls(t *testing.T) {
	file := t.TempDir() + "/lock"
	a := must(unix.Open(file, unix.O_RDWR|unix.O_CREAT|unix.O_CLOEXEC, 0o600))(t)
	b := must(unix.Open(file, unix.O_RDWR|unix.O_CLOEXEC, 0))(t)
	ok(t, unix.Flock(a, unix.LOCK_EX))
	wait := func() error { return waitLock(b, unix.LOCK_SH, "/x", "somebody") }
	result(t, "no sleep", with(t, wait, call{number: unix.SYS_NANOSLEEP, e: unix.EPERM}), "nanosleep: operation not permitted")
	result(t, "no lock", with(t, wait, call{number: unix.SYS_FLOCK, e: unix.ENOLCK}), "flock /x: no locks available")
	for what, calls := range map[string][]call{"the lock": nil, "interrupted": {{number: unix.SYS_NANOSLEEP, e: unix.EINTR}}} {
		ok(t, unix.Flock(a, unix.LOCK_EX))
		got := make(chan error)
		go func() { got <- with(t, wait, calls...) }()
		start := time.Now()
		time.Sleep(3 * time.Millisecond)
		ok(t, unix.Flock(a, unix.LOCK_UN))
		if err := <-got; err != nil || time.Since(start) < 3*time.Millisecond {
			t.Errorf("%s: %v after %v", what, err, time.Since(start))
		}
		ok(t, unix.Flock(b, unix.LOCK_UN))
	}
	ok(t, errors.Join(unix.Close(a), unix.Close(b)))
}

// Connections that cannot be had, and data that does not come.
func TestConnectCalls(t *testing.T) {
	dir := t.TempDir()
	listening(t, dir+"/s", unix.SOCK_STREAM)
	path := unixAddress(dir + "/s")
	soon := time.Now().Add(time.Minute)
	dial := func(address, local []byte, types ...int) func() error {
		return func() error {
			fd, err := connect(address, local, soon, types...)
			if err == nil {
				err = unix.Close(fd)
			}
			return err
		}
	}
	taken := Address{Kind: AddressAbstract, Text: "hardrun-test-taken"}
	other := must(unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0))(t)
	ok(t, bind(other, taken.sockaddr(0)))
	same(t, "connections", func() {
		for _, tt := range []struct {
			name  string
			f     func() error
			calls []call
			want  string
		}{
			{"the right type", dial(path, nil, unix.SOCK_STREAM), nil, ""},
			{"the last type", dial(path, nil, unix.SOCK_DGRAM, unix.SOCK_SEQPACKET, unix.SOCK_STREAM), nil, ""},
			{"no right type", dial(path, nil, unix.SOCK_DGRAM, unix.SOCK_SEQPACKET), nil, "connect: protocol wrong type"},
			{"no type", dial(path, nil), nil, "connect: protocol wrong type"},
			{"nobody", dial(unixAddress(dir+"/none"), nil, unix.SOCK_STREAM, unix.SOCK_DGRAM), nil, "connect: no such file"},
			{"too long", dial(unixAddress("/"+strings.Repeat("x", 108)), nil, unix.SOCK_STREAM), nil, "connect: file name too long"},
			{"no socket", dial(path, nil, unix.SOCK_STREAM), []call{{number: unix.SYS_SOCKET, e: unix.EMFILE}}, "socket: too many open files"},
			{"a name that is taken", dial(path, taken.sockaddr(0), unix.SOCK_STREAM), nil, "bind: address already in use"},
		} {
			result(t, tt.name, with(t, tt.f, tt.calls...), tt.want)
		}
	})
	ok(t, unix.Close(other))
	// One that is bound, and does not listen.
	silent := must(unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0))(t)
	ok(t, unix.Bind(silent, &unix.SockaddrUnix{Name: dir + "/silent"}))
	result(t, "silent", dial(unixAddress(dir+"/silent"), nil, unix.SOCK_STREAM, unix.SOCK_DGRAM, unix.SOCK_SEQPACKET)(), "connect: connection refused")
	// A full queue is waited for, and an interrupted call made again.
	ok(t, unix.Listen(silent, 0))
	first := must(connect(unixAddress(dir+"/silent"), nil, soon, unix.SOCK_STREAM))(t)
	accepted := make(chan int)
	go func() {
		time.Sleep(2 * time.Millisecond)
		fd, _, err := unix.Accept4(silent, unix.SOCK_CLOEXEC)
		if err != nil {
			t.Error(err)
		}
		accepted <- fd
	}()
	result(t, "full", dial(unixAddress(dir+"/silent"), nil, unix.SOCK_STREAM)(), "")
	ok(t, errors.Join(unix.Close(<-accepted), unix.Close(first), unix.Close(silent)))
	start := time.Now()
	result(t, "interrupted", with(t, func() error {
		_, err := connect(path, nil, start.Add(5*time.Millisecond), unix.SOCK_STREAM)
		return err
	}, call{number: unix.SYS_CONNECT, e: unix.EINTR}), "connect: interrupted system call")
	if time.Since(start) < 5*time.Millisecond {
		t.Error("it is not made again")
	}
	// A pipe without data.
	var pipe [2]int
	ok(t, unix.Pipe2(pipe[:], unix.O_NONBLOCK|unix.O_CLOEXEC))
	for _, tt := range []struct {
		left  time.Duration
		calls []call
		want  string
	}{
		{-1, nil, "read: connection timed out"},
		{time.Minute, []call{{number: unix.SYS_PPOLL, e: unix.ENOMEM}}, "poll: cannot allocate memory"},
		{5 * time.Millisecond, []call{{number: unix.SYS_PPOLL, e: unix.EINTR}}, "read: connection timed out"},
	} {
		result(t, "read", with(t, func() error {
			_, err := readLimited(pipe[0], 10, time.Now().Add(tt.left))
			return err
		}, tt.calls...), tt.want)
	}
	ok(t, errors.Join(asSecond(unix.Write(pipe[1], []byte("x"))), unix.Close(pipe[1])))
	result(t, "too late", asSecond(readLimited(pipe[0], 10, time.Now().Add(-1))), "read: connection timed out")
	ok(t, unix.Close(pipe[0]))
}

func asSecond[T any](_ T, err error) error { return err }

// What belongs to the owner already is left as it is, and device nodes, too.
func TestTakeLeft(t *testing.T) {
	requireRoot(t)
	dir := t.TempDir()
	put(t, dir+"/own/f", 0o600, 0, 0)
	tryAll(t, os.Chown(dir+"/own", 33, 34))
	put(t, dir+"/other/f", 0o755, 33, 34)
	tryAll(t, unix.Chmod(dir+"/other/f", unix.S_ISUID|0o755), unix.Mknod(dir+"/other/block", unix.S_IFBLK|0o600, 7<<8), unix.Mknod(dir+"/other/char", unix.S_IFCHR|0o600, 1<<8))
	for name, want := range map[string]string{"own": "", "other": "/x/block /x/char"} {
		fd := must(unix.Open(dir+"/"+name, unix.O_RDONLY|unix.O_CLOEXEC, 0))(t)
		o := owner{uid: 33, gid: 34}
		tryAll(t, o.take(fd, "/x"), unix.Close(fd))
		slices.Sort(o.left)
		if got := strings.Join(o.left, " "); got != want {
			t.Errorf("%s: left %s, want %s", name, got, want)
		}
	}
	looks(t, dir+"/own", "f f 0600 0:0")
	if got := picture(t, dir+"/other"); !strings.Contains(got, "f f 4755 33:34") {
		t.Error(got)
	}
}

// What is mounted stays, with the directories above it, and that is said once.
func TestRemoveTreeMounted(t *testing.T) {
	dir := t.TempDir()
	put(t, dir+"/x/sub/deep/f", 0o600, -1, -1)
	putDir(t, dir+"/x/sub/m", 0o755, -1, -1)
	result(t, "mounted", inOwnMounts(t, func() error {
		if err := unix.Mount("none", dir+"/x/sub/m", "tmpfs", 0, ""); err != nil {
			return err
		}
		parent, err := unix.Open(dir, unix.O_PATH|unix.O_CLOEXEC, 0)
		if err != nil {
			return err
		}
		errs := removeTree(parent, "x", "/x")
		if len(errs) != 1 || errs[0].Error() != "/x/sub/m: something is mounted there: left as it is" {
			err = fmt.Errorf("%q", errs)
		}
		return errors.Join(err, unix.Close(parent))
	}), "")
	if _, err := os.Stat(dir + "/x/sub/deep"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("beside it: %v", err)
	}
}

// A walk ends where a directory was moved, and leaves nothing open.
func TestTreeMovedCalls(t *testing.T) {
	dir := t.TempDir()
	put(t, dir+"/a/b/f", 0o600, -1, -1)
	fd := must(unix.Open(dir, unix.O_RDONLY|unix.O_CLOEXEC, 0))(t)
	w := &tree{path: "/x", entry: func(_ int, name string) (bool, error) {
		if name == "f" {
			return false, os.Rename(dir+"/a/b", dir+"/c")
		}
		return true, nil
	}}
	same(t, "moved", func() { result(t, "moved", w.walk(fd), "/x/a/b: was moved elsewhere meanwhile") })
	ok(t, unix.Close(fd))
}

// Locks and shares are had and given back, and who made their files is looked at.
func TestLockFiles(t *testing.T) {
	requireRoot(t)
	root := directoryRoot(t)
	r := Root{root}
	same(t, "locks", func() {
		lock, err := r.Lock()
		tryAll(t, err, lock.Release())
		u, err := r.Use("x")
		tryAll(t, err)
		last, err := u.Last()
		tryAll(t, err, u.Release(last))
		_, lock, err = r.Choose("x", nil)
		tryAll(t, err, lock.Release())
	})
	same(t, "errors", func() {
		tryAll(t, os.Remove(root+namesPath), os.Mkdir(root+namesPath, 0o755))
		if _, err := r.Lock(); err == nil || err.Error() != "open "+namesPath+": is a directory" {
			t.Errorf("a directory for the lock: %v", err)
		}
		u, err := r.Use("y")
		tryAll(t, err, os.Remove(root+u.path), os.Mkdir(root+u.path, 0o755), unix.Close(u.fd))
		_, err = r.Use("y")
		fails(t, err, "open "+u.path+": is a directory")
		tryAll(t, os.Remove(root+namesPath), os.Remove(root+u.path))
		u, err = r.Use("y")
		tryAll(t, err, u.Release(false), os.Chown(root+u.path, 33, 0))
		_, err = r.Use("y")
		fails(t, err, u.path+": is not root's own file")
		tryAll(t, os.Mkdir(root+"/etc/passwd", 0o755))
		_, _, err = r.Choose("x", nil)
		fails(t, err, "read /etc/passwd: is a directory")
		tryAll(t, os.Remove(root+"/etc/passwd"), unix.Mkfifo(root+"/etc/passwd", 0o600)) // nobody writes, and nobody waits
		_, lock, err := r.Choose("x", nil)
		tryAll(t, err, lock.Release(), os.Chown(root+namesPath, 33, 0))
		_, err = r.Lock()
		fails(t, err, namesPath+": is not root's own file")
		tryAll(t, os.Chmod(root+"/run/hardrun", 0o777))
		_, err = r.Reserve()
		fails(t, err, "/run/hardrun: belongs to 0:0 and has the mode 0777")
	})
}

// Root's own directories are looked through as deep as was said, and those of others not; nor
// what is the service's own.
func TestAddTree(t *testing.T) {
	requireRoot(t)
	dir := t.TempDir()
	put(t, dir+"/one/two/three/f", 0o600, 61201, 61202)
	put(t, dir+"/theirs/f", 0o600, 61203, 61204)
	put(t, dir+"/own/f", 0o600, 61205, 61206)
	tryAll(t, os.Chown(dir+"/theirs", 61207, 61207))
	for depth, want := range map[int][]int{2: {61207}, 3: {61207}, 4: {61201, 61202, 61207}} {
		fd := must(unix.Open(dir, unix.O_RDONLY|unix.O_CLOEXEC, 0))(t)
		var got taken
		tryAll(t, got.addTree(fd, "/x", depth, []string{"/x/own"}), unix.Close(fd))
		sameIDs(t, fmt.Sprint(depth, " deep"), got.ids(), want...)
	}
}

// Who has objects of IPC is taken.
func TestScanObjects(t *testing.T) {
	requireRoot(t)
	root := directoryRoot(t)
	result(t, "objects", inOwnIPC(t, false, func() error {
		const keep = ^uintptr(0)
		_, _, e1 := unix.RawSyscall(unix.SYS_SETRESUID, keep, 61300, keep)
		_, _, e2 := unix.RawSyscall(unix.SYS_MSGGET, 0, 0o1600, 0)
		_, _, e3 := unix.RawSyscall(unix.SYS_SETRESUID, keep, 0, keep)
		for _, e := range []unix.Errno{e1, e2, e3} {
			if e != 0 {
				return e
			}
		}
		var got taken
		if err := (Root{root}).scanFiles(&got, nil); err != nil {
			return err
		}
		if !got.has(61300) || got.has(61301) {
			return fmt.Errorf("taken are %v", got.ids())
		}
		return nil
	}), "")
}
