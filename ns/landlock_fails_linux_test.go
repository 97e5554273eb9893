package ns

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"unsafe"

	"github.com/hardrun/hardrun/integration/testrow"
	"github.com/hardrun/hardrun/row"
	"golang.org/x/sys/unix"
)

var landlockCalls = []uintptr{
	unix.SYS_LANDLOCK_CREATE_RULESET, unix.SYS_LANDLOCK_ADD_RULE, unix.SYS_OPENAT2, unix.SYS_OPENAT, unix.SYS_FSTAT, unix.SYS_STATFS, unix.SYS_STATX, unix.SYS_READLINKAT,
	unix.SYS_GETDENTS64, unix.SYS_LGETXATTR, unix.SYS_RENAMEAT2, unix.SYS_EXECVEAT, unix.SYS_FCHMOD,
}

// landlockCase is a host and rules for it; the daemon's user is root, or the one named.
type landlockCase struct {
	viewCase
	uid uint32
}

// asked applies the rules, each of whose calls is answered by answer, and answers what that says, what is granted, and the acts
// that will show it.
func (c *landlockCase) asked(t *testing.T, answer func(n int, call testrow.Call) int64) (said, granted, proofs string) {
	t.Helper()
	if LandlockVersion() < 5 {
		t.Skip("needs Landlock of version 5: Linux 6.10, with landlock in its list of security modules")
	}
	c.onHost(t, func(self int) error {
		path := func(fd int) string {
			buf := make([]byte, 4096)
			n, err := unix.Readlinkat(self, "fd/"+decimal(fd), buf)
			if err != nil {
				return err.Error()
			}
			return string(buf[:n])
		}
		s := &Landlock{Rules: c.copied().Rules, UID: c.uid, GID: c.uid}
		s.state.ruleset = -1
		n := -1
		err := testrow.Ask(landlockCalls, func(call testrow.Call) int64 {
			n++
			if call.NR == unix.SYS_LANDLOCK_ADD_RULE {
				attr := *(**unix.LandlockPathBeneathAttr)(unsafe.Pointer(&call.Args[2]))
				at, err := os.Readlink(fmt.Sprintf("/proc/self/task/%d/fd/%d", call.Thread, attr.Parent_fd))
				granted += fmt.Sprintf("\t%s %s", at, rightsOf(rights(attr.Allowed_access)))
				if err != nil {
					granted += err.Error()
				}
				granted += "\n"
			}
			return answer(n, call)
		}, func() (err error) {
			if c.uid != 0 {
				if _, _, e := unix.RawSyscall(unix.SYS_SETRESUID, ^uintptr(0), uintptr(c.uid), ^uintptr(0)); e != 0 {
					return e
				}
				defer func() {
					if _, _, e := unix.RawSyscall(unix.SYS_SETRESUID, ^uintptr(0), 0, ^uintptr(0)); e != 0 {
						err = e
					}
				}()
			}
			return s.Apply(-1)
		})
		for _, q := range s.state.proofs {
			where, _, made := strings.Cut(path(q.dir), "/#") // its number is any
			where = join(where, q.name)
			if made {
				where += "a new file"
			}
			answered := "works"
			if q.was != 0 {
				answered = q.was.Error()
			}
			proofs += fmt.Sprintf("\t%s %s: %s\n", [...]string{"rename", "list", "read", "execute", "execute"}[q.kind], where, answered)
		}
		for _, q := range s.state.proofs {
			_ = unix.Close(q.dir) // one may stand there twice
		}
		if s.state.ruleset >= 0 {
			if err := unix.Close(s.state.ruleset); err != nil {
				return err
			}
		}
		said = errorText(err)
		return nil
	})
	return said, granted, proofs
}

// rightsOf are those that each version has: write files, make, remove and refer; read files and directories; execute.
func rightsOf(r rights) (s string) {
	for _, x := range []struct {
		all  rights
		word string
	}{{rightWriteFile | rightTruncate, "write"}, {rightsMake | rightsRemove, "make"}, {rightRefer, "move"}, {rightReadFile, "read"}, {rightReadDir, "list"}, {rightExecute, "execute"}} {
		switch r & x.all {
		case x.all:
			s += x.word + " "
		case 0:
		default:
			s += fmt.Sprintf("%s-%#x ", x.word, r&x.all)
		}
	}
	return strings.TrimSpace(s)
}

var landlockCases = []landlockCase{
	{viewCase{
		name:  "read-only, writable in it, inaccessible, and no programs",
		host:  []string{"a/w/f", "a/f", "secret/f", "no/p", "by/f", "f", "l -> a", "link -> by"},
		rules: []string{"ro /l", "rw /a/w", "hidden /secret", "noexec /no"},
	}, 0},
	{viewCase{name: "stricter of two", host: []string{"a/f", "b/f"}, rules: []string{"exec /a", "noexec /a", "noexec /b", "exec /b", "rw /a", "ro /a"}}, 0},
	{viewCase{
		name:  "pseudo devices and terminals",
		host:  []string{"chr dev/null 1:3", "chr dev/zero 1:7", "dev/full", "chr dev/tty 5:0", "blk dev/random 1:8", "chr dev/sda 8:0", "devpts dev/pts", "d/f"},
		rules: []string{"ro /"},
	}, 0},
	{viewCase{name: "a directory in place of terminals", host: []string{"dev/pts/", "d/f"}, rules: []string{"ro /"}}, 0},
	{viewCase{name: "devices, and no rule for writing", host: []string{"chr dev/null 1:3", "devpts dev/pts", "no/"}, rules: []string{"noexec /no"}}, 0},
	{viewCase{name: "the root by a link, and one in a link", host: []string{"a/f", "up -> ..", "l -> /up/./a"}, rules: []string{"ro /up/l/../a", "noexec /l/f"}}, 0},
	{viewCase{name: "40 links", host: []string{"l -> .", "f"}, rules: []string{"ro /" + strings.Repeat("l/", 40) + "f"}}, 0},
	{viewCase{name: "41 links", host: []string{"l -> .", "f"}, rules: []string{"ro /" + strings.Repeat("l/", 41) + "f"}}, 0},
	{viewCase{name: "a file that is hidden", host: []string{"d/secret", "d/by"}, rules: []string{"hidden /d/secret"}}, 0},
	{viewCase{name: "a file that is hidden, for another user", host: []string{"d/secret", "d/by", "mode d 0700"}, rules: []string{"hidden /d/secret"}}, 1000},
	{viewCase{name: "a file that another user may read", host: []string{"d/secret", "d/by", "mode d 0711"}, rules: []string{"hidden /d/secret"}}, 1000},
	{viewCase{name: "nothing to show", host: []string{"d/p", "mode d 0700"}, rules: []string{"noexec /d"}}, 1000},
	{viewCase{name: "programs", host: []string{"d/bin/p", "mode d/bin/p 0755", "d/bin/q", "e/p", "mode e/p 0755", "g/"}, rules: []string{"noexec /d", "noexec /e/p", "noexec /g"}}, 0},
	{viewCase{name: "programs in a directory that others write to", host: []string{"d/", "mode d 0777", "d/f", "ro/f", "mode ro 0777"}, rules: []string{"noexec /d", "ro /ro"}}, 1000},
	{viewCase{name: "a program that may be executed is no proof", host: []string{"d/p", "mode d/p 0755", "d/q", "mode d/q 0755", "d/r/s", "mode d/r/s 0755"}, rules: []string{"noexec /d", "exec /d/p", "exec /d/r"}}, 0},
	{viewCase{name: "a file system without access control lists", host: []string{"devpts dev/pts", "dev/x"}, rules: []string{"hidden /dev/pts"}}, 0},
	{viewCase{name: "many", host: []string{"a/f", "b/f", "c/f", "d/f", "e/f", "g/f", "h/f", "i/f", "j/f", "k/f"}, rules: []string{
		"hidden /a", "hidden /b", "hidden /c", "hidden /d", "hidden /e", "hidden /g", "ro /h", "ro /i", "ro /j", "ro /k", "noexec /h", "noexec /i", "noexec /j",
	}}, 0},
	{viewCase{name: "read-only by a mount", host: []string{"tmpfs m", "m/d/f", "m/d/e/g", "remount m ro"}, rules: []string{"ro /m/d", "ro /m/d/e"}}, 0},
	{viewCase{name: "no programs by a mount", host: []string{"tmpfs m noexec", "m/d/f"}, rules: []string{"noexec /m/d"}}, 1000},
	{viewCase{name: "no programs by a mount, and the rest by none", host: []string{"tmpfs m noexec", "m/d/f", "n/p", "mode n 0700"}, rules: []string{"noexec /m/d", "noexec /n"}}, 1000},
}

// shut are hosts whose root directory the user is not said to search, so that only what is below it can be a proof.
func init() {
	shut := func(name string, rules []string, host ...string) {
		landlockCases = append(landlockCases, landlockCase{viewCase{name: name, host: append(host, "mode / 0750"), rules: rules}, 1000})
	}
	shut("nothing to write to", []string{"ro /a"}, "a/f", "mode a 0750")
	shut("read-only by a mount is enough", []string{"ro /m/d"}, "tmpfs m", "m/d/f", "mode m/d 0755", "remount m ro")
	shut("what was tried is not tried again", []string{"ro /m", "ro /m/d"}, "tmpfs m", "m/d/", "remount m ro")
	shut("one by a mount, and nothing for the other", []string{"ro /a", "ro /m/d"}, "a/f", "mode a 0750", "tmpfs m", "m/d/f", "remount m ro")
	shut("reading is enough", []string{"hidden /a"}, "a/")
	shut("the directory of two", []string{"hidden /a/x", "hidden /a/y"}, "a/x/", "a/y/", "mode a/x 0700", "mode a/y 0700")
}

// What is granted to the kernel, and by which acts it is shown that nothing else is: testdata/landlock.txt.
func TestLandlockCases(t *testing.T) {
	if LandlockVersion() < 5 {
		t.Skip("needs Landlock of version 5: Linux 6.10, with landlock in its list of security modules")
	}
	golden(t, "testdata/landlock.txt", func(yield func(name, text string)) {
		for i := range landlockCases {
			c := &landlockCases[i]
			said, granted, proofs := c.asked(t, func(int, testrow.Call) int64 { return 0 })
			text := "== " + c.name
			if c.uid != 0 {
				text += fmt.Sprintf(", as user %d", c.uid)
			}
			text += "\nhost:\n\t" + strings.Join(c.host, "\n\t") + "\nrules:\n\t" + strings.Join(c.rules, "\n\t") + "\n"
			if said != "" {
				text += "error: " + said + "\n"
			} else {
				text += "granted:\n" + granted + "proofs:\n" + proofs
			}
			yield(c.name, text+"\n")
		}
	})
}

// What comes of each call of them that fails: an error, or other acts, or nothing: testdata/landlock-fails.txt.
func TestLandlockCallFails(t *testing.T) {
	names := []string{"create_ruleset", "add_rule", "openat2", "openat", "fstat", "statfs", "statx", "readlinkat", "getdents64", "lgetxattr", "renameat2", "execveat", "fchmod"}
	golden(t, "testdata/landlock-fails.txt", func(yield func(name, text string)) {
		for _, x := range []struct {
			of    int
			errno unix.Errno
		}{{0, unix.EDOM}, {0, unix.ENOENT}, {2, unix.EDOM}, {12, unix.EDOM}} {
			c := landlockCases[x.of]
			_, granted, proofs := c.asked(t, func(int, testrow.Call) int64 { return 0 })
			text := "== " + c.name + ", where a call answers " + x.errno.Error() + "\n"
			for nth, which := 0, new(testrow.Call); which != nil; nth++ {
				which = nil
				said, g, p := c.asked(t, func(n int, call testrow.Call) int64 {
					if n != nth {
						return 0
					}
					which = &call
					return -int64(x.errno)
				})
				if which == nil {
					break
				}
				text += names[slices.Index(landlockCalls, which.NR)] + ": "
				switch {
				case said != "":
					text += said + "\n"
				case g != granted:
					text += "granted is\n" + g
				case p != proofs:
					text += "it is shown by\n" + p
				default:
					text += "all is the same\n"
				}
			}
			yield(c.name, text+"\n")
		}
	})
}

// Each version is taken for what it can do.
func TestLandlockVersions(t *testing.T) {
	for _, x := range []struct {
		answer int64
		said   string
	}{
		{-int64(unix.EOPNOTSUPP), "this kernel has no Landlock, or does not let it be used"},
		{4, "version 5 of Landlock is needed, and this kernel has 4: devices below an inaccessible path could be controlled by ioctl(2)"},
		{5, ""},
	} {
		said, _, _ := landlockCases[0].asked(t, func(n int, _ testrow.Call) int64 {
			if n == 0 {
				return x.answer
			}
			return 0
		})
		if said != x.said {
			t.Errorf("version %d: %q, want %q", x.answer, said, x.said)
		}
	}
	for version, want := range map[int64]int{6: 0, 7: unix.LANDLOCK_RESTRICT_SELF_LOG_SAME_EXEC_OFF, 8: unix.LANDLOCK_RESTRICT_SELF_LOG_SAME_EXEC_OFF} {
		c := viewCase{host: []string{"a/d/"}}
		c.onHost(t, func(int) error {
			s := &Landlock{Rules: []*Rule{ruleFor("ro /a")}}
			n := 0
			err := testrow.Ask([]uintptr{unix.SYS_LANDLOCK_CREATE_RULESET}, func(testrow.Call) int64 {
				if n++; n == 1 {
					return version
				}
				return 0
			}, func() error { return s.Apply(-1) })
			if s.state.flags != want {
				t.Errorf("version %d: flags %#x, want %#x", version, s.state.flags, want)
			}
			return err
		})
	}
}

// A file of the kernel's own is let be, unless a rule names it.
func TestLandlockOfTheKernel(t *testing.T) {
	for nth, want := range []string{"", "", "landlock_add_rule /a: file descriptor in bad state"} {
		n := 0
		said, _, _ := landlockCases[0].asked(t, func(_ int, call testrow.Call) int64 {
			if call.NR != unix.SYS_LANDLOCK_ADD_RULE {
				return 0
			}
			if n++; n-1 == nth {
				return -int64(unix.EBADFD)
			}
			return 0
		})
		if said != want {
			t.Errorf("rule %d: %q, want %q", nth, said, want)
		}
	}
}

// Whenever somebody exchanges two directories, it is noticed, or was too early or too late to matter.
func TestLandlockExchanged(t *testing.T) {
	c := landlockCase{viewCase{host: []string{"a/f", "b/f", "l -> a"}, rules: []string{"ro /l"}}, 0}
	noticed := 0
	for nth, more := 0, true; more; nth++ {
		more = false
		said, _, _ := c.asked(t, func(n int, call testrow.Call) int64 {
			if n == nth {
				more = true
				at := fmt.Sprintf("/proc/self/task/%d/root/", call.Thread)
				if err := unix.Renameat2(unix.AT_FDCWD, at+"a", unix.AT_FDCWD, at+"b", unix.RENAME_EXCHANGE); err != nil {
					t.Error(err)
				}
			}
			return 0
		})
		switch said {
		case "":
		case "/l became another file while it was looked up":
			noticed++
		default:
			t.Errorf("at call %d: %q", nth, said)
		}
	}
	if noticed == 0 {
		t.Error("it was never noticed")
	}
}

// What is read-only by itself stays so; all else is denied.
func TestLandlockAnswers(t *testing.T) {
	for was, want := range map[unix.Errno]unix.Errno{0: unix.EACCES, unix.EROFS: unix.EROFS, unix.EFAULT: unix.EACCES} {
		p := &row.Program{}
		q := proof{kind: proofRename, name: "x", was: was}
		q.before(p)
		q.after(p)
		if p.Rows[0].Want != -int64(was) || p.Rows[1].Want != -int64(want) {
			t.Errorf("%v: %d, %d", was, p.Rows[0].Want, p.Rows[1].Want)
		}
	}
	if _, err := (&proof{name: "a\x00b"}).try(); err == nil {
		t.Error("a name with a NUL was tried")
	}
}
