package ns

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"unsafe"

	"github.com/hardrun/hardrun/row"
	"golang.org/x/sys/unix"
)

// The numbers of the portable part are those of the kernel.
func TestLandlockConstants(t *testing.T) {
	for got, want := range map[rights]uint64{
		rightExecute: unix.LANDLOCK_ACCESS_FS_EXECUTE, rightWriteFile: unix.LANDLOCK_ACCESS_FS_WRITE_FILE,
		rightReadFile: unix.LANDLOCK_ACCESS_FS_READ_FILE, rightReadDir: unix.LANDLOCK_ACCESS_FS_READ_DIR,
		rightsRemove: unix.LANDLOCK_ACCESS_FS_REMOVE_DIR | unix.LANDLOCK_ACCESS_FS_REMOVE_FILE,
		rightsMake: unix.LANDLOCK_ACCESS_FS_MAKE_CHAR | unix.LANDLOCK_ACCESS_FS_MAKE_DIR | unix.LANDLOCK_ACCESS_FS_MAKE_REG |
			unix.LANDLOCK_ACCESS_FS_MAKE_SOCK | unix.LANDLOCK_ACCESS_FS_MAKE_FIFO | unix.LANDLOCK_ACCESS_FS_MAKE_BLOCK | unix.LANDLOCK_ACCESS_FS_MAKE_SYM,
		rightRefer: unix.LANDLOCK_ACCESS_FS_REFER, rightTruncate: unix.LANDLOCK_ACCESS_FS_TRUNCATE,
		rightIoctlDev: unix.LANDLOCK_ACCESS_FS_IOCTL_DEV, rightUnix: unix.LANDLOCK_ACCESS_FS_RESOLVE_UNIX,
	} {
		if uint64(got) != want {
			t.Errorf("%#x, and the kernel has %#x", got, want)
		}
	}
}

// work makes the calls of rows as the executor does, and answers the first one
// which is not answered as wanted.
func work(p *row.Program) error {
	blob := uint64(uintptr(unsafe.Pointer(&p.Blob[0])))
	for _, r := range p.Relocs {
		*(*uint64)(unsafe.Pointer(&p.Blob[r])) += blob
	}
	for i := range p.Rows {
		r := &p.Rows[i]
		var a [6]uintptr
		for k := range a {
			a[k] = uintptr(r.A[k])
			if r.Ptr>>k&1 == 1 {
				a[k] += uintptr(blob)
			}
		}
		n, _, e := unix.RawSyscall6(uintptr(r.NR), a[0], a[1], a[2], a[3], a[4], a[5])
		got := int64(n)
		if e != 0 {
			got = -int64(e)
		}
		if r.Kind == row.Equal && got != r.Want || r.Kind == row.AtLeast && got < r.Want || r.Kind > row.AtLeast {
			return fmt.Errorf("row %d: call %d answered %d, want %d", i, r.NR, got, r.Want)
		}
	}
	runtime.KeepAlive(p)
	return nil
}

// confined runs act on a thread of its own, which has entered the domain of the
// rules, and ends with act.
func confined(t *testing.T, rules []*Rule, act func()) error {
	t.Helper()
	if LandlockVersion() < 5 {
		t.Skip("needs Landlock of version 5: Linux 6.10, with landlock in its list of security modules")
	}
	s := &Landlock{Rules: rules, UID: uint32(os.Getuid()), GID: uint32(os.Getgid())}
	done := make(chan error)
	go func() {
		runtime.LockOSThread() // and never unlocked: nothing leads out of a domain
		done <- func() error {
			if err := s.Apply(-1); err != nil {
				return err
			}
			if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
				return err
			}
			p := &row.Program{}
			p.Step(&row.Step{Text: "landlock"})
			s.Do(p)
			s.Check(p)
			if err := work(p); err != nil {
				return err
			}
			act()
			return nil
		}()
	}()
	err := <-done
	for _, q := range s.state.proofs {
		_ = unix.Close(q.dir) // one may stand there twice
	}
	if s.state.ruleset >= 0 {
		_ = unix.Close(s.state.ruleset)
	}
	return err
}

// planted makes files: "dir/", "file", "link -> target", and "copy = program".
func planted(t *testing.T, entries ...string) string {
	t.Helper()
	top, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		name, target, link := strings.Cut(e, " -> ")
		path := filepath.Join(top, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		switch {
		case link:
			err = os.Symlink(target, path)
		case strings.HasSuffix(e, "/"):
			err = os.MkdirAll(path, 0o755)
		default:
			err = os.WriteFile(path, []byte("text"), 0o755) // executable, and nothing that a kernel knows
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return top
}

// What an act is answered with: 0 where it worked.
func answer(err error) unix.Errno {
	var e unix.Errno
	if err == nil {
		return 0
	}
	if errors.As(err, &e) {
		return e
	}
	return unix.ENODATA
}

func opens(path string, flags int) error {
	fd, err := unix.Open(path, flags|unix.O_CLOEXEC|unix.O_NONBLOCK|unix.O_NOCTTY, 0o600)
	if err != nil {
		return err
	}
	return unix.Close(fd)
}

// executes is ENOEXEC where a file may be executed: it holds nothing that can be.
func executes(path string) error { return unix.Exec(path, []string{"x"}, nil) }

// try makes an act on files of a tree: "read PATH" and the like.
func try(top, act string) unix.Errno {
	word, rest, _ := strings.Cut(act, " ")
	path, second, _ := strings.Cut(rest, " ")
	path, second = filepath.Join(top, path), filepath.Join(top, second)
	var err error
	switch word {
	case "read":
		err = opens(path, unix.O_RDONLY)
	case "list":
		err = opens(path, unix.O_RDONLY|unix.O_DIRECTORY)
	case "write":
		err = opens(path, unix.O_WRONLY)
	case "make":
		err = opens(path, unix.O_WRONLY|unix.O_CREAT|unix.O_EXCL)
	case "truncate":
		err = unix.Truncate(path, 1)
	case "mkdir":
		err = unix.Mkdir(path, 0o755)
	case "rmdir":
		err = unix.Rmdir(path)
	case "symlink":
		err = unix.Symlink("x", path)
	case "fifo":
		err = unix.Mkfifo(path, 0o600)
	case "unlink":
		err = unix.Unlink(path)
	case "move":
		err = unix.Rename(path, second)
	case "link":
		err = unix.Link(path, second)
	case "exec":
		err = executes(path)
	case "stat":
		err = unix.Stat(path, &unix.Stat_t{})
	case "chmod":
		err = unix.Chmod(path, 0o755)
	case "search":
		err = unix.Access(path, unix.X_OK)
	default:
		return unix.ENOTSUP
	}
	return answer(err)
}

// Each act works without the rules; under them it is answered as is written here.
func TestLandlockActs(t *testing.T) {
	const (
		works  = unix.Errno(0)
		denied = unix.EACCES
		runs   = unix.ENOEXEC
		moved  = unix.EXDEV
	)
	type acts map[string]unix.Errno
	for _, x := range []struct {
		name  string
		tree  []string
		rules []string
		acts  acts
	}{
		{
			"read-only",
			[]string{"ro/f", "ro/d/", "by/f", "by/d/g", "by/e/", "new/"},
			[]string{"ro ro"},
			acts{
				"read ro/f": works, "list ro": works, "exec ro/f": runs,
				"write ro/f": denied, "make ro/n": denied, "truncate ro/f": denied, "mkdir ro/n": denied, "symlink ro/n": denied, "fifo ro/n": denied,
				"unlink ro/f": denied, "rmdir ro/d": denied, "move ro/f ro/n": denied, "link by/f ro/n": denied, "move by/f ro/n": denied, "move ro/f by/n": denied, "link ro/f by/n": moved,
				"write by/f": works, "make by/n": works, "mkdir by/n": works, "unlink by/f": works, "rmdir by/e": works, "move by/f by/d/n": works, "link by/f by/d/n": works, "move by/d/g new/n": works,
				"make n": denied, "list .": works,
				"chmod ro/f": works, "stat ro/f": works,
			},
		},
		{
			"writable in read-only in writable",
			[]string{"a/ro/rw/ro2/rw2/f", "a/ro/rw/ro2/f", "a/ro/rw/f", "a/ro/f", "a/f"},
			[]string{"ro a/ro", "rw a/ro/rw", "ro a/ro/rw/ro2", "rw a/ro/rw/ro2/rw2"},
			acts{
				"write a/f": works, "write a/ro/f": denied, "write a/ro/rw/f": works, "write a/ro/rw/ro2/f": denied, "write a/ro/rw/ro2/rw2/f": works,
				"make a/ro/n": denied, "make a/ro/rw/ro2/rw2/n": works, "make a/ro/rw/n": denied, "read a/ro/rw/ro2/f": works,
			},
		},
		{
			"inaccessible",
			[]string{"secret/f", "secret/d/g", "by/f"},
			[]string{"hidden secret", "rw secret/d"},
			acts{
				"read secret/f": denied, "list secret": denied, "exec secret/f": denied, "write secret/f": denied, "read secret/d/g": denied, "list secret/d": denied, "write secret/d/g": denied,
				"make secret/n": denied, "move by/f secret/n": denied, "move secret/f by/n": denied, "truncate secret/f": denied,
				"read by/f": works, "list by": works, "write by/f": works, "exec by/f": runs, "make by/n": works,
				"list .": denied, "make n": denied,
				"stat secret/f": works, "chmod secret/f": works, "search secret/d": works,
			},
		},
		{
			"noexec, and executable in it",
			[]string{"no/f", "no/yes/f", "by/f"},
			[]string{"noexec no", "exec no/yes"},
			acts{
				"exec no/f": denied, "exec no/yes/f": runs, "exec by/f": runs,
				"read no/f": works, "write no/f": works, "make no/n": works, "make n": works, "list .": works,
				// What could not be executed must not become so by a move.
				"move no/f by/n": moved, "link no/f by/n": moved, "move by/f no/n": works, "link by/f no/n": works, "move no/f no/n": works, "move no/yes/f by/n": works, "move no/f no/yes/n": moved,
			},
		},
		{
			"executable beside noexec",
			[]string{"no/a", "no/b"},
			[]string{"noexec no", "exec no/a"},
			acts{"exec no/a": runs, "exec no/b": denied},
		},
		{
			"a file",
			[]string{"d/secret", "d/ro", "d/by", "d/no"},
			[]string{"hidden d/secret", "ro d/ro", "noexec d/no"},
			acts{
				"read d/secret": denied, "write d/secret": denied, "exec d/secret": denied, "stat d/secret": works,
				"read d/ro": works, "write d/ro": denied, "exec d/ro": runs, "read d/no": works, "write d/no": works, "exec d/no": denied,
				"read d/by": works, "write d/by": works, "exec d/by": runs, "list d": denied,
			},
		},
		{
			"links lead to what they mean",
			[]string{"real/f", "by/f", "d/link -> ../real", "d/file -> ../by/f", "abs -> REAL"},
			[]string{"ro d/link", "hidden d/file"},
			acts{"write real/f": denied, "write d/link/f": denied, "read real/f": works, "write abs/f": denied, "read by/f": denied, "read d/file": denied, "write d/link": unix.EISDIR},
		},
		{
			"all kinds at once",
			[]string{"ro/f", "ro/rw/f", "secret/f", "no/f", "by/f"},
			[]string{"ro ro", "rw ro/rw", "hidden secret", "noexec no", "noexec ro/rw"},
			acts{
				"write ro/f": denied, "exec ro/f": runs, "write ro/rw/f": works, "exec ro/rw/f": denied, "read secret/f": denied,
				"exec no/f": denied, "write no/f": works, "write by/f": works, "exec by/f": runs,
			},
		},
	} {
		t.Run(x.name, func(t *testing.T) {
			for act, want := range x.acts {
				top := withLink(t, planted(t, x.tree...))
				if got := try(top, act); want != unix.EISDIR && got != works && got != runs {
					t.Errorf("without rules %q is answered %v", act, got)
				}
				top = withLink(t, planted(t, x.tree...))
				var rules []*Rule
				for _, s := range x.rules {
					word, path, _ := strings.Cut(s, " ")
					rules = append(rules, ruleOf(t, word+" "+top+"/"+path))
				}
				var got unix.Errno
				if err := confined(t, rules, func() { got = try(top, act) }); err != nil {
					t.Errorf("%q: %v", act, err)
				} else if got != want {
					t.Errorf("%q: answered %v, want %v", act, got, want)
				}
			}
		})
	}
}

// withLink makes the absolute link of a tree which asks for one.
func withLink(t *testing.T, top string) string {
	t.Helper()
	abs := filepath.Join(top, "abs")
	if _, err := os.Lstat(abs); err == nil {
		if err := errors.Join(os.Remove(abs), os.Symlink(top+"/real", abs)); err != nil {
			t.Fatal(err)
		}
	}
	return top
}

// What is made later beside a denied path is denied, too; in a tree that is
// granted as a whole it is not.
func TestLandlockLater(t *testing.T) {
	top := planted(t, "secret/f", "by/f")
	err := confined(t, []*Rule{ruleOf(t, "hidden "+top+"/secret")}, func() {
		done := make(chan error)
		go func() { // another thread, outside of the domain
			done <- errors.Join(os.WriteFile(top+"/later", nil, 0o644), os.WriteFile(top+"/by/later", nil, 0o644))
		}()
		if err := <-done; err != nil {
			t.Error(err)
		}
		for act, want := range map[string]unix.Errno{"read later": unix.EACCES, "read by/later": 0, "read by/f": 0} {
			if got := try(top, act); got != want {
				t.Errorf("%q: answered %v, want %v", act, got, want)
			}
		}
	})
	if err != nil {
		t.Error(err)
	}
	if got := try(top, "read later"); got != 0 {
		t.Errorf("outside of the domain: %v", got)
	}
}

// The kernel marks files, and not names. A second name of what is denied, beside
// it, must not open it; and where a rule itself names such a place, nothing is done.
func TestLandlockSecondName(t *testing.T) {
	top := planted(t, "d/secret", "d/by", "e/x")
	if err := os.Link(top+"/d/secret", top+"/d/second"); err != nil {
		t.Fatal(err)
	}
	hidden := ruleOf(t, "hidden "+top+"/d/secret")
	err := confined(t, []*Rule{hidden}, func() {
		for act, want := range map[string]unix.Errno{"read d/secret": unix.EACCES, "read d/second": unix.EACCES, "read d/by": 0, "read e/x": 0} {
			if got := try(top, act); got != want {
				t.Errorf("%q: answered %v, want %v", act, got, want)
			}
		}
	})
	if err != nil {
		t.Error(err)
	}
	err = confined(t, []*Rule{ruleOf(t, "ro "+top+"/d/secret"), ruleOf(t, "ro "+top+"/d"), ruleOf(t, "rw "+top+"/d/second")}, func() { t.Error("it was done") })
	if err == nil || !strings.Contains(err.Error(), "another name of what is denied") {
		t.Errorf("error %v", err)
	}
}

// A ruleset that was not put into force is noticed, for each kind of rule.
func TestLandlockProof(t *testing.T) {
	if LandlockVersion() < 5 {
		t.Skip("needs Landlock of version 5: Linux 6.10, with landlock in its list of security modules")
	}
	top := planted(t, "d/sub/", "d/f", "empty/")
	for _, x := range []struct {
		rule  string
		calls []uintptr
	}{
		{"ro " + top + "/d", []uintptr{unix.SYS_RENAMEAT2}},
		{"ro " + top + "/empty", []uintptr{unix.SYS_RENAMEAT2}},
		{"ro " + top + "/d/f", []uintptr{unix.SYS_RENAMEAT2}},
		{"ro /", []uintptr{unix.SYS_RENAMEAT2}},
		{"hidden " + top + "/d", []uintptr{unix.SYS_RENAMEAT2, unix.SYS_OPENAT}},
		{"hidden " + top + "/d/f", []uintptr{unix.SYS_RENAMEAT2, unix.SYS_OPENAT}},
		{"noexec " + top + "/d", []uintptr{unix.SYS_EXECVEAT}},
		{"noexec " + top + "/d/f", []uintptr{unix.SYS_EXECVEAT}},
		{"noexec " + top + "/empty", []uintptr{unix.SYS_EXECVEAT}},
	} {
		s := &Landlock{Rules: []*Rule{ruleOf(t, x.rule)}, UID: uint32(os.Getuid()), GID: uint32(os.Getgid())}
		if err := s.Apply(-1); err != nil {
			t.Errorf("%s: %v", x.rule, err)
			continue
		}
		do, check := &row.Program{}, &row.Program{}
		s.Do(do)
		s.Check(check)
		var calls []uintptr
		for _, r := range check.Rows {
			calls = append(calls, uintptr(r.NR))
			if r.Want != -int64(unix.EACCES) || r.Kind != row.Equal {
				t.Errorf("%s: call %d may be answered %d", x.rule, r.NR, r.Want)
			}
		}
		if !slices.Equal(calls, x.calls) {
			t.Errorf("%s: calls %v, want %v", x.rule, calls, x.calls)
		}
		n := len(do.Rows) - 1
		if do.Rows[n].NR != unix.SYS_LANDLOCK_RESTRICT_SELF || n != len(x.calls) {
			t.Fatalf("%s: %d calls before the domain is entered, or none that enters it", x.rule, n)
		}
		do.Rows = do.Rows[:n]
		if err := work(do); err != nil {
			t.Errorf("%s: without the domain: %v", x.rule, err)
		}
		// The domain is not entered: each act of the proof shows it.
		for i := range check.Rows {
			one := &row.Program{Rows: check.Rows[i : i+1], Blob: check.Blob}
			if i == 0 {
				one.Relocs = check.Relocs
			}
			if err := work(one); err == nil {
				t.Errorf("%s: call %d does not notice that nothing is denied", x.rule, check.Rows[i].NR)
			}
		}
		if err := unix.Close(s.state.ruleset); err != nil {
			t.Error(err)
		}
		for _, q := range s.state.proofs {
			if err := unix.Close(q.dir); err != nil {
				t.Error(err)
			}
		}
	}
}

// Below a read-only path null can be written to, as on a read-only mount. What it
// is, and not its name, decides.
func TestLandlockDevices(t *testing.T) {
	top := planted(t, "f")
	err := confined(t, []*Rule{ruleOf(t, "ro /")}, func() {
		for path, want := range map[string]unix.Errno{"/dev/null": 0, "/dev/zero": 0, "/dev/full": 0, top + "/f": unix.EACCES} {
			if got := answer(opens(path, unix.O_WRONLY)); got != want {
				t.Errorf("%s: %v, want %v", path, got, want)
			}
		}
	})
	if err != nil {
		t.Error(err)
	}
	err = confined(t, []*Rule{ruleOf(t, "ro /"), ruleOf(t, "hidden /dev")}, func() {
		if got := answer(opens("/dev/null", unix.O_WRONLY)); got != unix.EACCES {
			t.Errorf("inaccessible: %v", got)
		}
	})
	if err != nil {
		t.Error(err)
	}
}

// Where no act can show that the rules hold, nothing is done: for a user who can
// neither make nor execute anything there. What may be executed is no proof.
func TestLandlockNothingToShow(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("needs root: it becomes another user")
	}
	top, err := os.MkdirTemp("", "landlock-")
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := os.RemoveAll(top); err != nil {
			t.Error(err)
		}
	}()
	if err := errors.Join(os.Mkdir(top+"/d", 0o755), os.Mkdir(top+"/d/w", 0o755), os.Chmod(top+"/d/w", 0o777), os.Chmod(top, 0o755)); err != nil {
		t.Fatal(err)
	}
	become := func(uid uintptr) error {
		for _, nr := range []uintptr{unix.SYS_SETRESGID, unix.SYS_SETRESUID} {
			if _, _, e := unix.RawSyscall(nr, uid, uid, uid); e != 0 {
				return e
			}
		}
		return nil
	}
	for _, x := range []struct {
		rules []string
		want  string
	}{
		{[]string{"noexec d", "exec d/w"}, "nothing here can show that the rules hold"},
		{[]string{"noexec d"}, ""}, // in d/w a file can be made
		{[]string{"noexec d", "exec d/w", "ro d"}, ""},
	} {
		done := make(chan error)
		go func() {
			runtime.LockOSThread()
			done <- func() error {
				if err := become(65534); err != nil {
					return err
				}
				s := &Landlock{UID: 65534, GID: 65534}
				for _, r := range x.rules {
					word, path, _ := strings.Cut(r, " ")
					s.Rules = append(s.Rules, ruleOf(t, word+" "+top+"/"+path))
				}
				return s.Apply(-1)
			}()
		}()
		err := <-done
		if x.want == "" && err != nil || x.want != "" && (err == nil || !strings.Contains(err.Error(), x.want)) {
			t.Errorf("%q: error %v, want %q", x.rules, err, x.want)
		}
	}
}

// A mount that is read-only or noexec keeps the promise by itself: no act which it
// forbids already counts as one that Landlock does. It answers for its own path only.
func TestLandlockKept(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("needs root: it mounts, and becomes another user")
	}
	top, err := os.MkdirTemp("", "landlock-")
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := os.RemoveAll(top); err != nil {
			t.Error(err)
		}
	}()
	if err := errors.Join(os.Mkdir(top+"/mnt", 0o755), os.Mkdir(top+"/other", 0o755), os.Chmod(top, 0o755)); err != nil {
		t.Fatal(err)
	}
	prepare := func(flags uintptr) error {
		if err := unix.Unshare(unix.CLONE_NEWNS | unix.CLONE_FS); err != nil {
			return err
		}
		if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
			return err
		}
		if err := unix.Mount("tmpfs", top+"/mnt", "tmpfs", 0, "mode=755"); err != nil {
			return err
		}
		if err := errors.Join(os.Mkdir(top+"/mnt/d", 0o755), os.WriteFile(top+"/mnt/prog", []byte("text"), 0o755)); err != nil {
			return err
		}
		if err := unix.Mount("", top+"/mnt", "", unix.MS_REMOUNT|flags, ""); err != nil {
			return err
		}
		for _, nr := range []uintptr{unix.SYS_SETRESGID, unix.SYS_SETRESUID} {
			if _, _, e := unix.RawSyscall(nr, 65534, 65534, 65534); e != 0 {
				return e
			}
		}
		return nil
	}
	for _, x := range []struct {
		flags  uintptr
		rules  []string
		want   string
		proofs []unix.Errno // what is answered before
	}{
		{unix.MS_NOEXEC, []string{"noexec mnt"}, "", nil},
		{unix.MS_NOEXEC, []string{"noexec mnt", "noexec other"}, "nothing here can show", nil},
		{unix.MS_RDONLY, []string{"noexec mnt"}, "", []unix.Errno{unix.EFAULT}},
		{unix.MS_RDONLY, []string{"ro mnt"}, "", []unix.Errno{unix.EROFS, 0}}, // and above it, where it is writable
		{0, []string{"ro mnt"}, "", []unix.Errno{0}},
	} {
		done := make(chan error)
		s := &Landlock{UID: 65534, GID: 65534}
		go func() {
			runtime.LockOSThread()
			done <- func() error {
				if err := prepare(x.flags); err != nil {
					return err
				}
				for _, r := range x.rules {
					word, path, _ := strings.Cut(r, " ")
					s.Rules = append(s.Rules, ruleOf(t, word+" "+top+"/"+path))
				}
				return s.Apply(-1)
			}()
		}()
		err := <-done
		if x.want == "" && err != nil || x.want != "" && (err == nil || !strings.Contains(err.Error(), x.want)) {
			t.Errorf("%q: error %v, want %q", x.rules, err, x.want)
		}
		var got []unix.Errno
		for _, q := range s.state.proofs {
			got = append(got, q.was)
		}
		if !slices.Equal(got, x.proofs) {
			t.Errorf("%q: answered %v, want %v", x.rules, got, x.proofs)
		}
	}
}

// Without a rule that takes anything away no domain is entered.
func TestLandlockNothing(t *testing.T) {
	top := planted(t, "d/f")
	for _, rules := range [][]*Rule{
		nil,
		{ruleOf(t, "rw "+top+"/d")},
		{{Path: top + "/missing", Access: Hidden, Optional: true}},
		{{Path: top + "/d/f/below", Access: Unwritable, Optional: true}},
	} {
		s := &Landlock{Rules: rules}
		if LandlockVersion() < 5 && len(rules) > 0 {
			t.Skip("needs Landlock of version 5: Linux 6.10, with landlock in its list of security modules")
		}
		if err := s.Apply(-1); err != nil {
			t.Fatal(err)
		}
		p := &row.Program{}
		s.Do(p)
		s.Check(p)
		if len(p.Rows) > 0 {
			t.Errorf("%v: %d rows", rules, len(p.Rows))
		}
	}
}

// What cannot be protected is an error.
func TestLandlockRefused(t *testing.T) {
	if LandlockVersion() < 5 {
		t.Skip("needs Landlock of version 5: Linux 6.10, with landlock in its list of security modules")
	}
	top := planted(t, "d/f", "loop -> loop", "up -> ..", "root -> /")
	for _, x := range []struct {
		rule Rule
		want string
	}{
		{Rule{Path: top + "/missing", Access: Hidden}, "no such file"},
		{Rule{Path: top + "/d/f/below", Access: Hidden}, "not a directory"},
		{Rule{Path: top + "/loop", Access: Unwritable, Optional: true}, "symbolic link"},
		{Rule{Path: "/proc/self/root/etc", Access: Unwritable, Optional: true}, "symbolic link"},
		{Rule{Path: "/", Access: Hidden}, "root cannot be made inaccessible"},
		{Rule{Path: top + "/root", Access: Hidden}, "root cannot be made inaccessible"},
	} {
		s := &Landlock{Rules: []*Rule{&x.rule}, UID: uint32(os.Getuid()), GID: uint32(os.Getgid())}
		if err := s.Apply(-1); err == nil || !strings.Contains(err.Error(), x.want) {
			t.Errorf("%s: error %v, want %q", x.rule.Path, err, x.want)
		}
	}
	// ".." in a link, and a link to a directory above.
	if real, err := realPathOf(top + "/up/" + filepath.Base(top) + "/d/../d/f"); err != nil || real != top+"/d/f" {
		t.Errorf("%s, %v", real, err)
	}
}

// Whether an act will be meaningful for the daemon's user is read from the mode.
func TestLandlockMay(t *testing.T) {
	top := planted(t, "d/")
	s := &Landlock{UID: 1000, GID: 100, Groups: []uint32{7}}
	for _, x := range []struct {
		uid, gid uint32
		mode     uint32
		bits     uint32
		want     bool
	}{
		{0, 0, 0o755, 5, true},
		{0, 0, 0o754, 1, false},
		{1000, 0, 0o500, 5, true},
		{1000, 0, 0o077, 1, false},
		{0, 100, 0o710, 1, true},
		{0, 7, 0o710, 1, true},
		{0, 8, 0o710, 1, false},
		{0, 7, 0o707, 1, false},
	} {
		if got := s.may(top+"/d", &opened{uid: x.uid, gid: x.gid, mode: x.mode}, x.bits); got != x.want {
			t.Errorf("%d:%d %o, bits %d: %v", x.uid, x.gid, x.mode, x.bits, got)
		}
	}
}
