package ns

import (
	"errors"
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"
	"unsafe"

	"github.com/hardrun/hardrun/integration/testrow"
	"golang.org/x/sys/unix"
)

// first answers the first calls with an error, and makes the others.
func first(n int, errno unix.Errno) func(int, testrow.Call) int64 {
	return func(i int, _ testrow.Call) int64 {
		if i < n {
			return -int64(errno)
		}
		return 0
	}
}

// always answers each call with an error.
func always(errno unix.Errno) func(int, testrow.Call) int64 { return first(1<<30, errno) }

// Where a kernel, or who runs this in a container, does not allow the first way, a second one leads to the same view, or to
// one that says what it lacks; and what has no second way is an error.
func TestViewAnswers(t *testing.T) {
	calls := func(list ...uintptr) []uintptr { return list }
	proc := viewCaseOf(t, "what is mounted below /proc is carried")
	secrets := func(userNS bool) *viewCase {
		return &viewCase{name: "secrets", host: []string{"run/"}, view: View{UserNS: userNS, Layers: []*Layer{{
			Kind: LayerSecrets, Path: "/run", Attr: NoSUID | NoDev | NoExec, Data: []string{"mode=0755"}, Secrets: &Secrets{Name: "x", Files: []Secret{{"key", []byte("k")}}},
		}}}}
	}
	two := secrets(false)
	two.host = []string{"a/", "b/"}
	for i, path := range []string{"/a", "/b"} {
		two.view.Layers = append(two.view.Layers[:i:i], two.view.Layers[0])
		l := *two.view.Layers[0]
		l.Path = path
		two.view.Layers[i] = &l
	}
	chroot := viewCaseOf(t, "a chroot becomes the root of the mounts")
	with := func(c *viewCase, change func(v *View)) *viewCase {
		changed := *c
		change(&changed.view)
		return &changed
	}
	inUserNS := func(v *View) { v.UserNS = true }
	for _, x := range []struct {
		name   string
		of     *viewCase
		calls  []uintptr
		answer func(n int, call testrow.Call) int64
		said   string // an error
		shows  string // a part of the picture; if there is neither, it is the same as ever
	}{
		{"signals", viewCaseOf(t, "lines behind those of a file, and links"), calls(unix.SYS_READ, unix.SYS_WRITE, unix.SYS_OPENAT2), func(n int, _ testrow.Call) int64 { return -int64(n&1) * int64(unix.EINTR) }, "", ""},
		{"31 renames at once", viewCaseOf(t, "private"), calls(unix.SYS_OPENAT2), first(31, unix.EAGAIN), "", ""},
		{"renames for ever", viewCaseOf(t, "private"), calls(unix.SYS_OPENAT2), always(unix.EAGAIN), "openat2 /a/f: resource temporarily unavailable", ""},
		{"before Linux 6.15", viewCaseOf(t, "what is below an inaccessible path is no more"), calls(unix.SYS_OPEN_TREE), first(1, unix.EINVAL), "", ""},
		{"before Linux 6.15, with lines", viewCaseOf(t, "lines behind those of a file, and links"), calls(unix.SYS_OPEN_TREE), first(1, unix.EINVAL), "", ""},
		{"no copy at all", viewCaseOf(t, "what is below an inaccessible path is no more"), calls(unix.SYS_OPEN_TREE), always(unix.EINVAL), "open_tree: invalid argument", ""},
		{"no copy, and no place", viewCaseOf(t, "what is below an inaccessible path is no more"), calls(unix.SYS_OPEN_TREE, unix.SYS_MOVE_MOUNT), func(_ int, call testrow.Call) int64 {
			return -int64(map[uintptr]unix.Errno{unix.SYS_OPEN_TREE: unix.EINVAL, unix.SYS_MOVE_MOUNT: unix.EDOM}[call.NR])
		}, "move_mount: " + unix.EDOM.Error(), ""},
		{"devices that cannot be made", viewCaseOf(t, "each kind of file is hidden by one of its kind"), calls(unix.SYS_MKNODAT), func(_ int, call testrow.Call) int64 {
			if kind := call.Args[2] & unix.S_IFMT; kind == unix.S_IFCHR || kind == unix.S_IFBLK {
				return -int64(unix.EPERM)
			}
			return 0
		}, "", "/blk tmpfs:/file ro,"},
		{"nodes that cannot be made", viewCaseOf(t, "what is below an inaccessible path is no more"), calls(unix.SYS_MKNODAT), func(_ int, call testrow.Call) int64 {
			if call.Args[2]&unix.S_IFMT == unix.S_IFIFO {
				return -int64(unix.EPERM)
			}
			return 0
		}, "mknodat fifo: operation not permitted", ""},
		{"no pivot_root(2) from this root", viewCaseOf(t, "a new root"), calls(unix.SYS_PIVOT_ROOT), always(unix.EINVAL), "", ""},
		{"no right to pivot_root(2)", viewCaseOf(t, "a new root"), calls(unix.SYS_PIVOT_ROOT), always(unix.EPERM), "", ""},
		{"none by a security module", viewCaseOf(t, "a new root"), calls(unix.SYS_PIVOT_ROOT), always(unix.EACCES), "", ""},
		{"none at all", viewCaseOf(t, "an empty root"), calls(unix.SYS_PIVOT_ROOT), always(unix.ENOSYS), "", ""},
		{"a pivot_root(2) that is broken", viewCaseOf(t, "a new root"), calls(unix.SYS_PIVOT_ROOT), always(unix.EIO), "pivot_root: input/output error", ""},
		{"no pivot_root(2), and no chroot(2)", viewCaseOf(t, "a new root"), calls(unix.SYS_PIVOT_ROOT, unix.SYS_CHROOT), always(unix.EPERM), "pivot_root: operation not permitted\nchroot: operation not permitted", ""},
		{"no pivot_root(2), and no mount over it", viewCaseOf(t, "a new root that a link leads to"), calls(unix.SYS_PIVOT_ROOT, unix.SYS_MOVE_MOUNT), func(_ int, call testrow.Call) int64 {
			if at := int32(call.Args[2]); call.NR == unix.SYS_MOVE_MOUNT && at != unix.AT_FDCWD {
				return 0
			}
			return -int64(unix.EPERM)
		}, "pivot_root: operation not permitted\nmove_mount: operation not permitted", ""},
		{"a procfs that is read-only in a user namespace", with(proc, inUserNS), calls(unix.SYS_FSMOUNT), first(1, unix.EPERM), "", "/proc proc ro,nosuid"},
		{"a sysfs that is", with(viewCaseOf(t, "what is mounted below /sys is carried, and nothing of a path that begins like it"), inUserNS), calls(unix.SYS_FSMOUNT), first(1, unix.EPERM), "", "/sys sysfs ro,"},
		{"not where there is no user namespace", proc, calls(unix.SYS_FSMOUNT), first(1, unix.EPERM), "fsmount(proc): operation not permitted", ""},
		{"and no other file system", with(viewCaseOf(t, "message queues"), inUserNS), calls(unix.SYS_FSMOUNT), first(1, unix.EPERM), "fsmount(mqueue): operation not permitted", ""},
		{"secrets before Linux 6.4", secrets(false), calls(unix.SYS_FSCONFIG), first(1, unix.EINVAL), "", "/run ramfs ro,nosuid,nodev,noexec"},
		{"secrets where no tmpfs is without swap", secrets(false), calls(unix.SYS_FSCONFIG), first(1, unix.EPERM), "", "/run ramfs ro,nosuid,nodev,noexec"},
		{"secrets in a user namespace", secrets(true), calls(unix.SYS_FSOPEN), first(2, unix.EPERM), "", "/run tmpfs ro,nosuid,nodev,noexec"},
		{"secrets that nothing can hold", secrets(false), calls(unix.SYS_FSOPEN), first(2, unix.EPERM), "fsopen(ramfs): operation not permitted", ""},
		{"secrets, and another error", secrets(true), calls(unix.SYS_FSOPEN), always(unix.ENOMEM), "fsopen(tmpfs): cannot allocate memory", ""},
		{"secrets in a user namespace, and another error", secrets(true), calls(unix.SYS_FSOPEN), func(n int, _ testrow.Call) int64 { return -int64([]unix.Errno{unix.EPERM, unix.ENOMEM, 0}[min(n, 2)]) }, "fsopen(ramfs): cannot allocate memory", ""},
		{"a working directory that cannot be told", viewCaseOf(t, "the working directory is entered anew"), calls(unix.SYS_GETCWD), always(unix.ENOENT), "", "files:\n\tdrwxr-xr-x /\n\tdrwxr-xr-x /a\n\tdrwxr-xr-x /a/b\n"},
		{"a write that tells too much", viewCaseOf(t, "lines behind those of a file, and links"), calls(unix.SYS_WRITE), nthAnswers(0, 1<<20), "write lines1: input/output error", ""},
		{"a link that is too long", viewCaseOf(t, "a system that is booted"), calls(unix.SYS_READLINKAT), readsLink(unix.PathMax), "/run/systemd/l: readlinkat: file name too long", ""},
		{"a link that is empty", viewCaseOf(t, "a system that is booted"), calls(unix.SYS_READLINKAT), readsLink(testrow.Lie), "/run/systemd/l: readlinkat: file name too long", ""},
		{"a link on the way that is too long", viewCaseOf(t, "the owner of the root may have put a link"), calls(unix.SYS_READLINKAT), readsLink(unix.PathMax), "readlinkat /l: file name too long", ""},
		{"a root whose path is too long", chroot, calls(unix.SYS_READLINKAT), readsLink(4096), "readlinkat /proc/self/fd/: file name too long", ""},
		{"a root whose path is empty", chroot, calls(unix.SYS_READLINKAT), readsLink(testrow.Lie), "readlinkat /proc/self/fd/: file name too long", ""},
		{"a root whose path is none", chroot, calls(unix.SYS_READLINKAT), readsLink(2), "readlinkat /proc/self/fd/: file name too long", ""},
		{"what is gone already", viewCaseOf(t, "a system that is booted"), calls(unix.SYS_OPENAT), func(_ int, call testrow.Call) int64 {
			if call.Args[2]&(unix.O_PATH|unix.O_NOFOLLOW) == unix.O_PATH|unix.O_NOFOLLOW {
				return -int64(unix.ENOENT)
			}
			return 0
		}, "", "/run/systemd tmpfs ro,nosuid,nodev,noexec,relatime shared (size=256k) (nr_inodes=1024)\nfiles:\n"},
		{"secrets one of which may be swapped", two, calls(unix.SYS_FSCONFIG), nthAnswers(3, testrow.Lie), "fsconfig(noswap): read back a tmpfs at /b without it", ""},
		{"a umask that was not set", viewCaseOf(t, "private"), calls(unix.SYS_UMASK), nthAnswers(1, 0o22), "umask: read back another than was set", ""},
		{"a umask that does not stay", viewCaseOf(t, "private"), calls(unix.SYS_UMASK), nthAnswers(2, 0o77), "umask: read back another than it was", ""},
	} {
		asEver, shown := x.of.asked(t, false, nil, nil)
		if x.said != "" {
			asEver = x.said
		}
		said, shows := x.of.asked(t, false, x.calls, x.answer)
		said = descriptorNumber.ReplaceAllString(said, "/fd/")
		if said != asEver || x.said == "" && x.shows == "" && shows != shown || !strings.Contains(shows, x.shows) {
			t.Errorf("%s: %q, want %q\n%s%s, and is\n%s", x.name, said, asEver, x.shows, shown, shows)
		}
	}
}

var descriptorNumber = regexp.MustCompile("/fd/[0-9]+")

// readsLink is the answer of what reads a link of any length.
func readsLink(answer int64) func(int, testrow.Call) int64 {
	return func(_ int, call testrow.Call) int64 {
		if call.Args[3] == unix.PathMax {
			return answer
		}
		return 0
	}
}

// nthAnswers lets one call have an answer, and makes the others.
func nthAnswers(nth int, answer int64) func(int, testrow.Call) int64 {
	return func(n int, _ testrow.Call) int64 {
		if n == nth {
			return answer
		}
		return 0
	}
}

// A kernel that does not tell what a view is read back by is refused, whichever of it is missing.
func TestViewUntold(t *testing.T) {
	for _, st := range []unix.Statx_t{
		{Mask: unix.STATX_MNT_ID, Attributes_mask: statxAttrMountRoot},
		{Mask: unix.STATX_INO, Attributes_mask: statxAttrMountRoot},
		{Mask: unix.STATX_INO | unix.STATX_MNT_ID},
	} {
		said, _ := viewCaseOf(t, "private").asked(t, false, []uintptr{unix.SYS_STATX}, func(_ int, call testrow.Call) int64 {
			**(**unix.Statx_t)(unsafe.Pointer(&call.Args[4])) = st
			return testrow.Lie
		})
		if want := "statx: no number of the mount is told: a view needs Linux 5.8"; said != want {
			t.Errorf("%#x, %#x: %q, want %q", st.Mask, st.Attributes_mask, said, want)
		}
	}
}

// A device that came out as another one is refused.
func TestViewOtherDevice(t *testing.T) {
	for _, is := range []struct{ mode, dev uint64 }{{unix.S_IFCHR | 0o666, unix.Mkdev(1, 5)}, {unix.S_IFCHR | 0o600, unix.Mkdev(1, 3)}, {unix.S_IFBLK | 0o666, unix.Mkdev(1, 3)}} {
		said, _ := viewCaseOf(t, "a bare /dev").asked(t, false, []uintptr{unix.SYS_MKNODAT}, func(_ int, call testrow.Call) int64 {
			unix.Umask(0)
			if err := unix.Mknod(fmt.Sprintf("/proc/self/task/%d/fd/%d/null", call.Thread, call.Args[0]), uint32(is.mode), int(is.dev)); err != nil {
				t.Error(err)
			}
			return testrow.Lie
		})
		if want := "mknodat /dev/null: read back another node"; said != want {
			t.Errorf("%o %x: %q, want %q", is.mode, is.dev, said, want)
		}
	}
}

// Whenever somebody exchanges two files, a view is of what is there, or nothing is done.
func TestViewExchanged(t *testing.T) {
	exchanged(t, &viewCase{host: []string{"a/f=f", "a/g=g", "l -> a"}, rules: []string{"ro /l/f"}})
	exchanged(t, &viewCase{host: []string{"a/f=f", "fifo a/g"}, view: View{Layers: []*Layer{{Kind: LayerLines, Path: "/a/f", Text: "x"}}}})
}

func exchanged(t *testing.T, c *viewCase) {
	t.Helper()
	noticed := 0
	for nth, more := 0, true; more; nth++ {
		more = false
		var failed error
		said, shown := c.asked(t, false, viewCalls, func(n int, call testrow.Call) int64 {
			if n == nth {
				more = true
				at := fmt.Sprintf("/proc/self/task/%d/root/a/", call.Thread)
				failed = unix.Renameat2(unix.AT_FDCWD, at+"f", unix.AT_FDCWD, at+"g", unix.RENAME_EXCHANGE)
			}
			return 0
		})
		switch {
		case failed != nil:
			t.Fatal(failed)
		case strings.Contains(said, "became another file while it was looked at"):
			noticed++
		case len(c.rules) == 0 && strings.HasPrefix(said, "move_mount: read back another mount at "):
		case said != "" || len(c.rules) > 0 && !strings.Contains(shown, " ro,"):
			t.Errorf("at call %d: %q\n%s", nth, said, shown)
		}
	}
	if noticed == 0 {
		t.Error("it was never noticed")
	}
}

// After GiveUp no step does anything.
func TestViewGivenUp(t *testing.T) {
	c := viewCaseOf(t, "a new root")
	c.onHost(t, func(self int) error {
		before, err := picture(self)
		if err != nil {
			return err
		}
		v := c.copied()
		start := NewMounts{v}
		if err := start.Prepare(self); err != nil {
			return err
		}
		start.GiveUp()
		for _, s := range v.steps()[1:] {
			if err := errors.Join(s.Apply(self), s.Verify()); err != nil {
				t.Errorf("%s: %v", s, err)
			}
		}
		if after, err := picture(self); err != nil || after != before {
			t.Errorf("%v\n%s", err, after)
		}
		return nil
	})
}

// A view needs /proc. A rule below another one is in force, or fails, with that.
func TestViewSteps(t *testing.T) {
	if err := (NewMounts{&View{}}).Prepare(-1); errorText(err) != "a view of the file system is read back from /proc, and there is none" {
		t.Errorf("without /proc: %v", err)
	}
	c := viewCase{host: []string{"a/in/"}, rules: []string{"hidden /", "ro /a", "rw /a/in"}}
	c.onHost(t, func(self int) error {
		v := c.copied()
		if err := (NewMounts{v}).Prepare(self); err != nil {
			return err
		}
		if err := (NewMounts{v}).Apply(self); err != nil {
			return err
		}
		for _, r := range v.Rules {
			if err := (Protect{View: v, Rule: r}).Apply(self); errorText(err) != "the root cannot be made inaccessible" {
				t.Errorf("%s: %v", r.Path, err)
			}
		}
		if err := (Protect{View: v, Rule: &Rule{}, But: v.Rules[1:2]}).Apply(self); errorText(err) != "/a: the root cannot be made inaccessible" {
			t.Errorf("a rule with an exemption that failed: %v", err)
		}
		return nil
	})
}

// A rule that changes nothing fails with the one above it; and one that fails alone is for its own step to say.
func TestRuleFails(t *testing.T) {
	c := viewCase{host: []string{"a/in/"}, rules: []string{"ro /a", "ro /a/in"}}
	c.onHost(t, func(self int) error {
		v := c.copied()
		return testrow.Ask([]uintptr{unix.SYS_OPEN_TREE}, func(testrow.Call) int64 { return -int64(unix.EDOM) }, func() error {
			if err := errors.Join(NewMounts{v}.Prepare(self), NewMounts{v}.Apply(self)); err != nil {
				return err
			}
			for _, r := range v.Rules {
				if err := (Protect{View: v, Rule: r}).Apply(self); !errors.Is(err, unix.EDOM) {
					t.Errorf("%s: %v", r.Path, err)
				}
			}
			return nil
		})
	})
	c = viewCase{rules: []string{"ro /none"}}
	c.onHost(t, func(self int) error {
		v := c.copied()
		if err := errors.Join(NewMounts{v}.Prepare(self), NewMounts{v}.Apply(self)); err != nil {
			return err
		}
		if err := (Protect{View: v, Rule: v.Rules[0]}).Apply(self); !errors.Is(err, unix.ENOENT) {
			t.Errorf("a path that is missing: %v", err)
		}
		if err := (SealView{v}).Apply(self); err != nil {
			t.Errorf("the view without it: %v", err)
		}
		return nil
	})
}

// Whose links are followed: those of root, of who runs this, and of the owner of the root directory.
func TestWalkTrusts(t *testing.T) {
	c := viewCase{host: []string{"f", "root -> f", "me -> f", "owner me 1000", "other -> f", "owner other 1001", "top -> f", "owner top 1002", "owner / 1002"}}
	c.onHost(t, func(self int) error {
		v := c.copied()
		if err := errors.Join(NewMounts{v}.Prepare(self), NewMounts{v}.Apply(self)); err != nil {
			return err
		}
		if _, _, e := unix.RawSyscall(unix.SYS_SETRESUID, ^uintptr(0), 1000, ^uintptr(0)); e != 0 {
			return e
		}
		for path, want := range map[string]string{"/root": "", "/me": "", "/top": "", "/other": "/other: the link other could be led elsewhere by uid 1001, and is not followed"} {
			if _, real, err := v.find(path); errorText(err) != want || err == nil && real != "/f" {
				t.Errorf("%s: %q, %v", path, real, err)
			}
		}
		if _, _, e := unix.RawSyscall(unix.SYS_SETRESUID, ^uintptr(0), 0, ^uintptr(0)); e != 0 {
			return e
		}
		return nil
	})
}

// A file system in memory is told from one with other limits.
func TestCheckTmpfs(t *testing.T) {
	c := viewCase{}
	c.onHost(t, func(int) error {
		tree, err := newFS("tmpfs", []string{"mode=0711", "size=1m", "nr_inodes=32", "uid=7", "gid=8"}, 0)
		if err != nil {
			return err
		}
		for data, want := range map[string]bool{
			"size=1m": true, "size=1024k": true, "size=1048576": true, "size=2m": false, "size=512k": false, "size=0": true, "size=x": false, "size=1t": false,
			"nr_blocks=256": true, "nr_blocks=0": true, "nr_blocks=255": false, "nr_blocks=x": false, "nr_inodes=32": true, "nr_inodes=33": false, "nr_inodes=0": true,
			"mode=0711": true, "mode=711": true, "mode=0710": false, "mode=x": false, "uid=7": true, "uid=8": false, "gid=8": true, "gid=7": false, "huge=never": true,
		} {
			if os.Getpagesize() != 4096 && strings.HasPrefix(data, "nr_blocks") {
				continue
			}
			got := errorText(checkTmpfs(tree, []string{data}))
			if (got == "") != want || got != "" && !strings.HasPrefix(got, "fsconfig("+data+"): read back a tmpfs without it") {
				t.Errorf("%s: %q", data, got)
			}
		}
		return unix.Close(tree)
	})
}

// A file whose length is not told before it is read gets its lines as well.
func TestLinesOfNoLength(t *testing.T) {
	const path = "/sys/kernel/uevent_seqnum"
	c := viewCase{host: []string{"sysfs sys"}, view: View{Layers: []*Layer{{Kind: LayerLines, Path: path, Text: "x\n"}}}}
	c.onHost(t, func(self int) error {
		if _, err := os.Stat(path); err != nil {
			t.Skip(err)
		}
		if err := c.copied().make(self); err != nil {
			return err
		}
		if got := seen(path); !strings.HasSuffix(got, "\nx\n") || len(got) < 4 {
			t.Errorf("%q", got)
		}
		return nil
	})
}
