package ns

import (
	"slices"
	"strings"
	"testing"

	"github.com/hardrun/hardrun/integration/testrow"
	"golang.org/x/sys/unix"
)

// viewCalls are those that a view is made and read back with.
var viewCalls = []uintptr{
	unix.SYS_UNSHARE, unix.SYS_SETNS, unix.SYS_MOUNT, unix.SYS_UMOUNT2, unix.SYS_PIVOT_ROOT, unix.SYS_CHROOT, unix.SYS_CHDIR, unix.SYS_FCHDIR,
	unix.SYS_OPENAT, unix.SYS_OPENAT2, unix.SYS_OPEN_TREE, unix.SYS_MOVE_MOUNT, unix.SYS_FSOPEN, unix.SYS_FSCONFIG, unix.SYS_FSMOUNT, unix.SYS_MOUNT_SETATTR,
	unix.SYS_STATX, unix.SYS_FSTAT, unix.SYS_NEWFSTATAT, unix.SYS_FSTATFS, unix.SYS_READLINKAT, unix.SYS_MKDIRAT, unix.SYS_MKNODAT, unix.SYS_SYMLINKAT,
	unix.SYS_WRITE, unix.SYS_GETDENTS64, unix.SYS_FCHMOD, unix.SYS_FCHOWN, unix.SYS_FCHOWNAT,
}

// viewCaseOf finds a case.
func viewCaseOf(t *testing.T, name string) *viewCase {
	t.Helper()
	i := slices.IndexFunc(viewCases, func(c viewCase) bool { return c.name == name })
	if i < 0 {
		t.Fatalf("no case %q", name)
	}
	return &viewCases[i]
}

// asked makes a view each of whose calls is answered by answer, and answers what it says and shows. The number is that of the
// call among them.
func (c *viewCase) asked(t *testing.T, old bool, calls []uintptr, answer func(n int, call testrow.Call) int64) (said, shown string) {
	t.Helper()
	c.onHost(t, func(self int) error {
		v := c.copied()
		v.OneByOne = old || !CanSetAttr()
		n := -1
		err := testrow.Ask(calls, func(call testrow.Call) int64 {
			n++
			if old && call.NR == unix.SYS_MOUNT_SETATTR { // which it does not have
				return -int64(unix.ENOSYS)
			}
			return answer(n, call)
		}, func() error { return v.make(self) })
		if err == nil {
			shown, err = picture(self)
			return err
		}
		said = err.Error()
		return nil
	})
	return said, shown
}

// callFails lets each call of a view have an answer of another's, one after the other. A failure is what the view fails with,
// and a call that was only said to be made is noticed; else the view is the same as ever.
func callFails(t *testing.T, old bool, answers []int64, names ...string) {
	for _, name := range names {
		c := viewCaseOf(t, name)
		asEver, shownEver := c.asked(t, old, viewCalls, func(int, testrow.Call) int64 { return 0 })
		if asEver != "" {
			t.Fatalf("%s: %s", name, asEver)
		}
		for _, answer := range answers {
			for nth, which := 0, new(testrow.Call); which != nil; nth++ {
				which = nil
				said, shown := c.asked(t, old, viewCalls, func(n int, call testrow.Call) int64 {
					if n != nth {
						return 0
					}
					which = &call
					if answer == testrow.Lie && slices.Contains(believed, call.NR) {
						return 0
					}
					return answer
				})
				noticed := strings.Contains(said, unix.EDOM.Error()) || answer == testrow.Lie && said != ""
				if which != nil && !noticed && (said != "" || shown != shownEver) {
					t.Errorf("%s: call %d, which is %d, is answered %d: %q\n%s", name, nth, which.NR, answer, said, shown)
				}
			}
		}
	}
}

// believed are calls whose answer alone tells what they did.
var believed = []uintptr{unix.SYS_STATX, unix.SYS_UMOUNT2}

var (
	fail      = []int64{-int64(unix.EDOM)} // which means nothing to anybody
	failOrLie = append(fail, testrow.Lie)
)

func TestRootCallFails(t *testing.T) {
	callFails(t, false, failOrLie, "an empty root", "a chroot becomes the root of the mounts")
}

func TestLayerCallFails(t *testing.T) {
	callFails(t, false, fail, "a /dev of the host's devices", "a system that is booted", "lines behind those of a file, and links")
	callFails(t, false, failOrLie, "what is mounted below /proc is carried")
}

// What is mounted is read back where it is mounted: an attribute that was not set, a limit, or a mount that was not made.
func TestMountIsReadBack(t *testing.T) {
	layers := View{Layers: []*Layer{
		{Kind: LayerTmpfs, Path: "/a", Data: []string{"mode=0711", "size=64k", "nr_inodes=32", "uid=7", "gid=8"}},
		{Kind: LayerTmpfs, Path: "/b", Data: []string{"nr_blocks=16"}},
		{Kind: LayerBind, Source: "/src", Path: "/c", Attr: ReadOnly},
		{Kind: LayerBind, Source: "/src", Path: "/d", Attr: NoExec},
	}}
	for _, c := range []*viewCase{
		viewCaseOf(t, "a bare /dev"), viewCaseOf(t, "lines behind those of a file, and links"), viewCaseOf(t, "message queues"),
		{name: "layers", host: []string{"src/f"}, view: layers},
	} {
		for nth, more := 0, true; more; nth++ {
			more = false
			calls := []uintptr{unix.SYS_MOVE_MOUNT, unix.SYS_FSCONFIG, unix.SYS_FSMOUNT, unix.SYS_MOUNT_SETATTR}
			said, _ := c.asked(t, false, calls, func(n int, _ testrow.Call) int64 {
				if n != nth {
					return 0
				}
				more = true
				return testrow.Lie
			})
			if more && said == "" {
				t.Errorf("%s: call %d was not made", c.name, nth)
			}
		}
	}
}

func TestRemountCallFails(t *testing.T) {
	callFails(t, true, failOrLie, "a rule is for all that is mounted below, and a shallow one is not", "private", "the owner of the root may have put a link")
	callFails(t, true, []int64{testrow.Lie}, "programs and devices of what is mounted below", "no set-user-id programs, of no mount")
}
